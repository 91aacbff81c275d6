/* agent/core/report.h
 *
 * Which tasks the controller has still to hear about. A task that changes several times before its
 * turn is reported once, as it is then. One message is on its way at a time; it is numbered, and
 * its tasks stay due until that number is acknowledged or the connection is lost. Pure. */
#ifndef AGENT_CORE_REPORT_H
#define AGENT_CORE_REPORT_H

#include "common/base/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct report_item { /* Embedded in each task. */
    struct list link;
    bool sent;    /* In the message under way ... */
    bool changed; /* ... and different since. */
};

struct report_queue {
    uint64_t number; /* Of the message under way, or of the last one. */
    bool waiting;    /* A message is under way. */
    /* Private. */
    struct list due;
    struct list sent;
};

void report_init(struct report_queue *q);
void report_item_init(struct report_item *item);

/* The task is to be reported (again). */
void report_mark(struct report_queue *q, struct report_item *item);

/* The task goes away. */
void report_drop(struct report_item *item);

/* May a message be sent, and is there anything to say? */
bool report_ready(const struct report_queue *q);

/* Move at most max items into a new message and return how many; the items are in ret. 0 unless
 * report_ready(). */
size_t report_take(struct report_queue *q, size_t max, struct report_item **ret);

/* Acknowledged; other numbers than the one under way are ignored. */
void report_acked(struct report_queue *q, uint64_t number);

/* The connection is lost: what was under way is due again. */
void report_lost(struct report_queue *q);

#endif
