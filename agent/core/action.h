/* agent/core/action.h
 *
 * What the core asks its shell to do. The journal actions of one step are made durable, in one
 * transaction, before any other action of that step is carried out, and actions are carried out in
 * the order they were asked for: so an intent is on disk before the act. Pure. */
#ifndef AGENT_CORE_ACTION_H
#define AGENT_CORE_ACTION_H

#include "common/base/id.h"
#include "common/base/mem.h"
#include "common/base/str.h"

#include <stddef.h>
#include <stdint.h>

enum action_kind {
    /* Journal. */
    ACTION_SAVE_TASK,    /* The task as it is when the step returns. */
    ACTION_SAVE_SPEC,    /* bytes: its encoded specification, borrowed from the event. */
    ACTION_DROP_SPEC,    /* It will not be needed again. */
    ACTION_DROP_TASK,    /* Nor will anything else of it. */
    ACTION_SAVE_SESSION, /* epoch, number */
    ACTION_JOURNAL_N,    /* Not an action: what follows are acts. */
    /* Acts. */
    ACTION_PULL, /* Task and container. */
    ACTION_START,
    ACTION_STOP,    /* With timeout_s. */
    ACTION_REMOVE,  /* Everything the task left. */
    ACTION_WATCH,   /* Probe the container's health until ACTION_UNWATCH. */
    ACTION_UNWATCH, /* Harmless when it is not watched. */
    ACTION_ACK,     /* Assignments up to number are durable. */
    ACTION_KIND_N,
};

struct action {
    enum action_kind kind;
    struct id task;
    uint32_t container;
    uint32_t timeout_s;
    uint64_t number;
    uint64_t epoch; /* Goes with SAVE_SESSION's number. */
    struct str bytes;
};

struct actions {
    struct action *v;
    size_t n;
    /* Private. */
    size_t cap;
    const struct mem *mem;
};

void actions_init(struct actions *a, const struct mem *mem);
void actions_close(struct actions *a); /* Zeroed lists are fine. */
void actions_clear(struct actions *a);

/* A new action of this kind about this task; the rest of it is zero. */
struct action *actions_add(struct actions *a, enum action_kind kind, struct id task);

#endif
