/* controller/core/whatif.h
 *
 * What would happen if: the leader's own decisions on a copy of a cluster's view. Steps are carried
 * out one behind the other on the same copy, so that each sees what those before it did; the store
 * and the leader are not touched. Also: why a task is where it is, or nowhere. Pure.
 *
 * A copy costs what its nodes cost (10,000 nodes: milliseconds), whatever number of tasks there is;
 * a step costs the tasks that it moves. */
#ifndef CONTROLLER_CORE_WHATIF_H
#define CONTROLLER_CORE_WHATIF_H

#include "controller/core/leader.h"
#include "controller/core/placement/survey.h"

#define WHATIF_NODES_MAX  100000u    /* Nodes added by all steps together. */
#define WHATIF_NEW        (1u << 30) /* A node that a step added: this and its number, from 0. */
#define WHATIF_MOVES_MAX  10000
#define WHATIF_TASKS_MAX  250000u /* That one step may start. */
#define WHATIF_SHAPES_MAX 200

struct whatif; /* Opaque. */

/* Some tasks of one kind on one node. */
struct whatif_target {
    uint32_t node; /* Slot of the store, or WHATIF_NEW + number. */
    uint32_t n_tasks;
};

/* What becomes of the tasks of one service, or of one RunTask. */
struct whatif_item {
    uint32_t service;  /* Slot; SLOT_NONE for RunTask. */
    uint32_t n_wanted; /* Tasks to be started, */
    uint32_t n_placed; /* those of them that find room, */
    uint32_t n_stopped;
    struct whatif_target *targets; /* and where, in the order of first choice. */
    uint32_t n_targets;
    struct str reason;            /* Why not all: as a service event says it; empty when all. */
    const struct survey *why;     /* Of the first few that lack room, after what was placed; */
    struct place_request request; /* of this request. NULL otherwise. */
};

struct whatif_totals {
    uint32_t n_nodes;
    uint32_t n_used; /* With any task. */
    uint32_t n_tasks;
    uint64_t cpu; /* Of ACTIVE nodes. */
    uint64_t cpu_free;
    uint64_t memory_mib;
    uint64_t memory_free;
};

/* A task of a service that goes from one availability zone to another; see zones.h. */
struct whatif_zone_move {
    uint32_t service;
    uint32_t from; /* Slots of the store, or WHATIF_NEW + number. */
    uint32_t to;
    struct str from_zone;
    struct str to_zone;
    uint32_t n_from; /* Tasks of the service in these zones before the move. */
    uint32_t n_to;
};

/* Lives in the arena given to whatif_open(). */
struct whatif_result {
    struct whatif_item *items; /* In the order of services. */
    uint32_t n_items;
    uint32_t *emptied; /* Nodes without tasks then; of whatif_rebalance() alone. */
    uint32_t n_emptied;
    struct whatif_zone_move *zone_moves; /* Before the others; of whatif_rebalance() alone. */
    uint32_t n_zone_moves;
    uint32_t n_lost; /* Tasks without a service that would be gone, */
    uint32_t n_stay; /* or would keep a draining node waiting until they end. */
    struct whatif_totals before;
    struct whatif_totals after;
};

/* Copy the view of a cluster. The leader's store must not change until whatif_close(). */
struct whatif *whatif_open(struct leader *l, uint32_t cluster, struct arena *arena);
void whatif_close(struct whatif *w); /* NULL is fine. */

/* Every step: ERR_INVALID when it is larger than the limits above; it may have been carried out in
 * part then.
 *
 * RunTask, as leader_run() would place it. ERR_INVALID as that. */
int whatif_run(struct whatif *w, const struct run_request *request, struct whatif_result *ret,
               struct err *err);

/* UpdateService: another desired count or another task definition (SLOT_NONE: the same), rolled out
 * within minimumHealthyPercent and maximumPercent. ERR_INVALID for a DAEMON's count. */
int whatif_service(struct whatif *w, uint32_t service, const uint32_t *desired, uint32_t taskdef,
                   struct whatif_result *ret, struct err *err);

/* Nodes (slots of the store) drain, or are gone all at once. ERR_NOTFOUND for one that is not in
 * the cluster any more. */
int whatif_drain(struct whatif *w, const uint32_t *nodes, uint32_t n_nodes, bool remove,
                 struct whatif_result *ret, struct err *err);

/* n more nodes like this one; then services that lack tasks, and daemons, are looked at. The id of
 * `node` is ignored. ERR_INVALID as view_node_add(). */
int whatif_add(struct whatif *w, const struct view_node *node, uint32_t n,
               struct whatif_result *ret, struct err *err);

/* Even out services over zones if that is asked for, then empty nodes, by at most so many moves of
 * tasks of services, each started elsewhere before it is stopped (so not those with a
 * maximumPercent of 100): see zones.h and defrag.h. The items are of what empties nodes. */
int whatif_rebalance(struct whatif *w, uint32_t moves, bool zones, struct whatif_result *ret,
                     struct err *err);

/* Tasks, or ACTIVE nodes, of one size. */
struct whatif_shape {
    uint32_t cpu;
    uint32_t memory_mib;
    uint32_t gpus;
    uint32_t count;
};

/* Everything that runs and what there is for it, by size; false when there are more sizes than
 * WHATIF_SHAPES_MAX of either. Looks at every task. */
bool whatif_shapes(struct whatif *w, struct whatif_shape tasks[WHATIF_SHAPES_MAX],
                   uint32_t *ret_n_tasks, struct whatif_shape nodes[WHATIF_SHAPES_MAX],
                   uint32_t *ret_n_nodes);

/* A node of the store as whatif_add() wants it. */
struct view_node whatif_like(struct whatif *w, uint32_t node);

/* --- why ----------------------------------------------------------------------------------------
 */

/* All nodes as they are for a task that exists, as if it were not there yet; constraints and
 * strategies of a RunTask are not remembered, so those are its definition's. ERR_INVALID. */
int whatif_explain_task(struct whatif *w, uint32_t task, struct place_request *ret_request,
                        struct survey *ret, struct err *err);

/* For one more task of a service; for a RunTask. */
int whatif_explain_service(struct whatif *w, uint32_t service, struct place_request *ret_request,
                           struct survey *ret, struct err *err);
int whatif_explain_run(struct whatif *w, const struct run_request *request,
                       struct place_request *ret_request, struct survey *ret, struct err *err);

/* For the texts of a survey. */
const struct view *whatif_view(const struct whatif *w);

#endif
