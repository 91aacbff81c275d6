/* controller/storage/identity.h
 *
 * Whose data directory this is: the id of the control plane and its epoch, as two lines of text in
 * the file "identity" at its top. Known before the state is loaded, and checked against it, so that
 * the log of one epoch is never used with the state of another. Blocking. */
#ifndef CONTROLLER_STORAGE_IDENTITY_H
#define CONTROLLER_STORAGE_IDENTITY_H

#include "common/base/err.h"
#include "common/base/id.h"

#include <stdint.h>

struct identity {
    struct id cluster_id;
    uint64_t epoch; /* 0: not known yet. */
};

/* Zeroes when there is no such file. ERR_CORRUPT. */
int identity_read(const char *dir, struct identity *ret, struct err *err);

/* Atomic, and durable on return. */
int identity_write(const char *dir, const struct identity *identity, struct err *err);

#endif
