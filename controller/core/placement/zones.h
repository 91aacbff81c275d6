/* controller/core/placement/zones.h
 *
 * Which tasks to move so that groups are even over availability zones again: nodes that left and
 * came back, and zones that were full for a while, leave skew behind. A move goes from the fullest
 * zone to the emptiest that has room, where those differ by two or more, onto a node that is in
 * use: no empty node is opened, so that this and defrag.h do not undo each other's work. A move is
 * possible at any time after those before it, as in defrag.h. Pure. */
#ifndef CONTROLLER_CORE_PLACEMENT_ZONES_H
#define CONTROLLER_CORE_PLACEMENT_ZONES_H

#include "controller/core/placement/defrag.h"

/* Is the zone what decides first where its tasks go? Those of others are left alone. */
bool zones_matter(const struct place_request *request);

struct zones_move {
    struct defrag_move move;
    uint32_t from;        /* Slot. */
    struct str from_zone; /* In the arena, as is the other. */
    struct str to_zone;
    uint32_t n_from; /* Tasks of the group in these zones before the move: n_from >= n_to + 2. */
    uint32_t n_to;
};

struct zones_plan {
    struct zones_move *moves; /* In the order in which they are to be made; in the arena. */
    uint32_t n_moves;
};

/* At most `budget` moves, each of which lowers the sum of the squares of a group's tasks by zone.
 * Tasks of one group have equal requests. A task may have to move twice. Tasks and view are left as
 * they are after the moves; what was asked for with a larger budget than was used finds nothing to
 * do the next time, unless there were hundreds of skewed groups without room. `scratch`, another
 * arena, is emptied for every placement that is tried. */
void zones_plan(struct view *v, struct defrag_task *tasks, uint32_t n_tasks, uint32_t budget,
                struct zones_plan *ret, struct arena *arena, struct arena *scratch);

#endif
