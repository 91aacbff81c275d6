/* controller/core/placement/preempt.h
 *
 * Which tasks to stop so that a task of higher priority finds room. Asked only after place() found
 * none. Pure; the view is left as it was.
 *
 * The tasks given are those that may be stopped, all of lower priority, and those that are being
 * stopped already, whose room is as good as free. A node's victims are what remains after all were
 * taken away and as many as fit were let back in, those of the highest priority first: so none of
 * them can be spared. Among the nodes, the one with
 *
 *   no victims, lowest highest priority of a victim, fewest victims whose service would fall below
 *   its minimum, fewest victims, lowest sum of their priorities, youngest oldest victim, lowest id
 *
 * is chosen (in that order; the rules are those of kube-scheduler, whose budgets are
 * PodDisruptionBudgets). */
#ifndef CONTROLLER_CORE_PLACEMENT_PREEMPT_H
#define CONTROLLER_CORE_PLACEMENT_PREEMPT_H

#include "controller/core/placement/place.h"

/* A task that may be stopped, or is being stopped. */
struct preempt_task {
    uint32_t slot;    /* Of its node. */
    bool leaving;     /* Is being stopped; what follows does not matter then. */
    bool breaks;      /* Its service would have fewer tasks than its minimum. */
    uint8_t priority; /* Lower than that of the task that looks for room. */
    int64_t created_at_ms;
    struct id id;
    struct view_take take; /* What it holds there. */
};

struct preempt_choice {
    uint32_t slot;     /* VIEW_NONE: no node would have room, whatever is stopped there. */
    uint32_t *victims; /* Indexes into tasks, lowest priority first; none where leaving tasks are */
    uint32_t n_victims; /* enough: then it is only to be waited. In the arena. */
};

/* One replica of the request. Only nodes with tasks of the list are looked at; the tasks of a node
 * follow each other. Errors as place(). */
int preempt(struct view *v, const struct place_request *request, const struct preempt_task *tasks,
            uint32_t n_tasks, struct preempt_choice *ret, struct arena *arena, struct err *err);

#endif
