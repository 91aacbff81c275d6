/* admin/offline/why.h
 *
 * Why was a task put on its node? The placement engine is asked again, on the state just before. */
#ifndef ADMIN_OFFLINE_WHY_H
#define ADMIN_OFFLINE_WHY_H

#include "common/base/err.h"
#include "controller/core/command.h"
#include "controller/core/store.h"

#include <jansson.h>

#define WHY_TEXT_MAX 600

struct why {
    uint64_t index; /* Of the entry. */
    int64_t at_ms;
    char group[WHY_TEXT_MAX];
    char by[WHY_TEXT_MAX];       /* Who wanted it. */
    char strategy[WHY_TEXT_MAX]; /* Of its service; a request's own is not in the log. */
    json_t
        *nodes; /* Every node of the cluster: name, id, verdict, detail, free cpu and memory, ... */
};

/* cmd is a CMD_PLAN that creates the task at this place of it. The tasks before it in the plan are
 * applied to the store, nothing else. */
int why_placed(struct store *store, const struct command *cmd, uint32_t at, struct why *ret,
               struct err *err);

#endif
