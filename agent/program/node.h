/* agent/program/node.h
 *
 * What ecs-agent finds out about this machine before it can say hello: directories, identity,
 * capacity, address. Blocking; start-up only. */
#ifndef AGENT_PROGRAM_NODE_H
#define AGENT_PROGRAM_NODE_H

#include "agent/core/message.h"
#include "agent/link/identity.h"
#include "agent/program/settings.h"
#include "common/base/arena.h"
#include "common/base/err.h"

#include <stdbool.h>

struct node { /* Everything is in the arena given to node_prepare(). */
    const char *run_dir;
    struct identity identity;
    struct hello hello;
    const char *const *controllers;
    size_t n_controllers;
};

/* Make the directories; join if the machine has not and there is a token; check that what was
 * configured can be. join_only: the rest is not needed. */
int node_prepare(const struct settings *s, bool join_only, struct arena *arena, struct node *ret,
                 struct err *err);

#endif
