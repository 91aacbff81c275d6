/* controller/program/backend.h
 *
 * What the admin service asks of the rest of the controller: members and leadership (raft), backup
 * (storage), container logs (node sessions). Loop thread only. */
#ifndef CONTROLLER_PROGRAM_BACKEND_H
#define CONTROLLER_PROGRAM_BACKEND_H

#include "common/base/list.h"
#include "controller/api/backend.h"
#include "controller/engine/open.h"
#include "controller/link/link.h"

#include <uv.h>

struct backend {
    struct engine *engine;
    struct link *link; /* Set once it is open. */
    uv_loop_t *loop;
    char ca_pin[65];       /* Hex; "" without CA. */
    struct list transfers; /* Private. */
    struct list changes;   /* Likewise. */
};

/* Fill the functions; b must outlive them. */
void backend_functions(struct backend *b, struct api_backend *ret);

/* Answer what still waits; before the engine and the API are closed. Zeroed ones are fine. */
void backend_close(struct backend *b);

#endif
