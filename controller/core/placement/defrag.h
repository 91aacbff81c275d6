/* controller/core/placement/defrag.h
 *
 * Which tasks to move so that nodes become empty. Nodes with the fewest tasks are emptied first,
 * each wholly or not at all, onto nodes that are in use; no empty node is opened. A move is
 * possible at any time after those before it: the task has room at its new place while it is still
 * at its old one, so it can be started there first. Pure.
 *
 * What is measured of it is in docs/architecture.md: one move for every hundred placements takes
 * away a third of the nodes in use above what their load needs. */
#ifndef CONTROLLER_CORE_PLACEMENT_DEFRAG_H
#define CONTROLLER_CORE_PLACEMENT_DEFRAG_H

#include "controller/core/placement/place.h"

/* Could the nodes in use be fewer by this share of what their load needs at least (the larger of
 * its CPU and its memory)? Moves are better saved until they could: while load grows, new tasks
 * fill the gaps. */
#define DEFRAG_SPARE_PERCENT 12u /* Measured, see `packing`. */
bool defrag_worthwhile(const struct view *v, uint32_t spare_percent);

/* A task that holds something of a node. */
struct defrag_task {
    uint32_t slot; /* Of its node. */
    /* As for one more of its kind, without `only` and `exclude`; NULL: it stays. */
    const struct place_request *request;
    struct view_take take; /* What it holds there. */
    bool follows;          /* A daemon's: goes with its node and does not make it one in use. */
};

struct defrag_move {
    uint32_t task;              /* Index. */
    uint32_t to;                /* Slot. */
    const uint16_t *host_ports; /* As of struct place_run; NULL without ports. */
};

struct defrag_plan {
    struct defrag_move *moves; /* In the order in which they are to be made; in the arena. */
    uint32_t n_moves;
    uint32_t n_freed; /* Nodes that are empty then. */
};

/* At most `budget` moves. The tasks are all that the nodes have: nodes with others stay. The view
 * is left as it is after the moves, so give it a copy where they are only thought of. The plan is
 * in `arena`; `scratch`, another one, is emptied for every placement that is tried. */
void defrag_plan(struct view *v, const struct defrag_task *tasks, uint32_t n_tasks, uint32_t budget,
                 struct defrag_plan *ret, struct arena *arena, struct arena *scratch);

#endif
