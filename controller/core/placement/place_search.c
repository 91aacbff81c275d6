/* The search. Nodes are looked at in the order of free cpu or free memory (view_index.c), shelf by
 * shelf. All criteria that come before the amounts and are the same for a whole shelf are compared
 * once: a shelf that is worse is passed over; of one that is not, usually the first feasible node
 * is the best. Where a criterion differs within a shelf, the walk goes on until nothing behind can
 * be better. Every pass-over is justified by the order, never by a sample, so the answer is that of
 * a scan over all nodes; the tests compare the two. */
#include "controller/core/placement/place_impl.h"

#include <assert.h>

/* The best node so far. */
struct best {
    uint32_t slot; /* VIEW_NONE: nothing yet. */
    struct lane *lane;
    uint32_t n_known; /* Levels of `values` that were computed. */
    uint32_t stop;    /* No node with more of the first amount can be better. */
    uint64_t values[LEVELS_MAX];
};

static uint64_t best_value(const struct solver *s, struct best *b, uint32_t i)
{
    while (b->n_known <= i) {
        b->values[b->n_known] = solver_value(s, &s->levels[b->n_known], b->slot);
        b->n_known++;
    }
    return b->values[i];
}

/* Compare a node with the best one by the first n levels: < 0 when it is better. */
static int compare(const struct solver *s, struct best *b, uint32_t slot, uint32_t n)
{
    if (b->slot == VIEW_NONE) {
        return -1;
    }
    for (uint32_t i = 0; i < n; i++) {
        uint64_t mine = solver_value(s, &s->levels[i], slot);
        uint64_t theirs = best_value(s, b, i);
        if (mine != theirs) {
            return mine < theirs ? -1 : 1;
        }
    }
    return 0;
}

/* By all levels and the id. */
static bool beats(const struct solver *s, struct best *b, uint32_t slot)
{
    int c = compare(s, b, slot, s->n_levels);
    if (c == 0) {
        c = id_cmp(s->view->hot[slot].id, s->view->hot[b->slot].id);
    }
    return c < 0;
}

/* The node in slot is the best now. */
static void take_lead(const struct solver *s, struct best *b, uint32_t slot, struct lane *lane)
{
    const struct view_free *free = &s->view->hot[slot].free;
    b->slot = slot;
    b->lane = lane;
    b->n_known = 0;
    b->stop = (uint32_t)(s->by == ORDER_CPU ? free->cpu : free->memory_mib);
    for (uint32_t i = 0; i < s->n_prefix; i++) {
        if (best_value(s, b, i) != s->levels[i].least) {
            b->stop = UINT32_MAX; /* A node further on may have less. */
        }
    }
}

/* The least key of a node with room. */
static uint64_t least_key(const struct solver *s)
{
    uint64_t cpu = s->request->cpu;
    uint64_t memory = s->request->memory_mib;
    return s->by == ORDER_CPU ? cpu << 32 | memory : memory << 32 | cpu;
}

/* --- walking ---------------------------------------------------------------------------------- */

enum seen {
    SEEN_INFEASIBLE,
    SEEN_WORSE, /* Than the best node. */
    SEEN_BEST,
};

static enum seen visit(struct solver *s, struct best *b, struct lane *lane, uint32_t slot)
{
    uint32_t class = s->view->hot[slot].class;
    if (!solver_admits_class(s, class, slot)) {
        if (s->view->n_classes <= SHELF_TAGS) { /* A tag is a class. */
            shelf_want_not(&s->want, (uint8_t) class);
        }
        return SEEN_INFEASIBLE;
    }
    if (!beats(s, b, slot)) {
        return SEEN_WORSE;
    }
    if (!solver_admits(s, slot)) {
        return SEEN_INFEASIBLE;
    }
    take_lead(s, b, slot, lane);
    return SEEN_BEST;
}

/* From the cursor to the end, or until nothing behind can be better. Behind the first feasible node
 * of an ordered lane, and behind the first that does not beat the best one, none does. */
static void walk(struct solver *s, struct best *b, struct lane *lane)
{
    struct shelf_at at = lane->cursor;
    uint32_t amount;
    for (;; at.entry++) {
        uint32_t slot = shelf_find(lane->shelf, &s->want, &at, &amount);
        if (slot == SHELF_NONE || amount > b->stop ||
            (visit(s, b, lane, slot) != SEEN_INFEASIBLE && lane->ordered)) {
            break;
        }
    }
    if (lane->ordered) {
        lane->cursor = at;
    }
}

/* A criterion that is the same for all nodes of a lane, as they were when the call began. */
static uint64_t lane_value(const struct solver *s, const struct lane *lane, uint32_t i)
{
    switch (s->levels[i].kind) {
    case LEVEL_GPU_SPARED:
        return lane->gpu != GPU_NODE_WITHOUT;
    case LEVEL_GPUS:
        return lane->gpu == GPU_NODE_WITHOUT ? 0 : lane->gpu - GPU_NODE_0 - s->request->gpus;
    case LEVEL_SCARCITY:
        return lane->aisle / ZONE_N;
    case LEVEL_CPU:
    case LEVEL_MEMORY:
    case LEVEL_SPREAD_NODE:
    case LEVEL_SPREAD:
    case LEVEL_RANDOM:
        break;
    }
    return solver_value(s, &s->levels[i], lane->any);
}

/* Are all nodes of the lane worse than the best one? */
static bool is_worse(const struct solver *s, struct best *b, const struct lane *lane)
{
    for (uint32_t i = 0; i < lane->n_same && b->slot != VIEW_NONE; i++) {
        uint64_t mine = lane_value(s, lane, i);
        uint64_t theirs = best_value(s, b, i);
        if (mine != theirs) {
            return mine > theirs;
        }
    }
    return false;
}

static void search_lane(struct solver *s, struct best *b, struct lane *lane)
{
    if (lane->open != VIEW_NONE) {
        if (solver_admits(s, lane->open)) {
            if (beats(s, b, lane->open)) {
                take_lead(s, b, lane->open, lane);
            }
            return;
        }
        lane->open = VIEW_NONE;
        lane->cursor.entry++;
    }
    if (is_worse(s, b, lane)) {
        return;
    }
    if (!lane->sought) {
        lane->cursor = shelf_seek(lane->shelf, least_key(s));
        lane->sought = true;
    }
    walk(s, b, lane);
}

/* The lane to begin with: by what is the same for all nodes of a lane no other is better. */
static uint32_t first_lane(const struct solver *s)
{
    uint32_t first = 0;
    for (uint32_t i = 1; i < s->n_lanes; i++) {
        const struct lane *a = &s->lanes[i], *b = &s->lanes[first];
        for (uint32_t k = 0; k < a->n_same && k < b->n_same; k++) {
            uint64_t mine = lane_value(s, a, k), theirs = lane_value(s, b, k);
            if (mine != theirs) {
                first = mine < theirs ? i : first;
                break;
            }
        }
    }
    return first;
}

/* The best of a few. */
static uint32_t best_of(struct solver *s, const uint32_t *slots, uint32_t n)
{
    struct best b = {.slot = VIEW_NONE, .stop = UINT32_MAX};
    for (uint32_t i = 0; i < n; i++) {
        if (view_available(&s->view->hot[slots[i]]) && solver_admits(s, slots[i]) &&
            beats(s, &b, slots[i])) {
            take_lead(s, &b, slots[i], NULL);
        }
    }
    return b.slot;
}

uint32_t solver_best(struct solver *s)
{
    struct best b;
    if (s->request->only != NULL) {
        return best_of(s, s->request->only, s->request->n_only);
    }
    b.slot = VIEW_NONE; /* The values need not be cleared. */
    b.lane = NULL;
    b.n_known = 0;
    b.stop = UINT32_MAX;
    uint32_t first = first_lane(s); /* Then most others are passed over at once. */
    for (uint32_t i = 0; i < s->n_lanes; i++) {
        uint32_t lane = i == 0 ? first : i <= first ? i - 1 : i;
        search_lane(s, &b, &s->lanes[lane]);
    }
    s->chosen = b.lane;
    return b.slot;
}

/* --- lanes ------------------------------------------------------------------------------------ */

/* How many of the first levels are the same for all nodes of a shelf. */
static uint32_t n_constant(const struct solver *s, uint32_t aisle, uint32_t gpu)
{
    uint32_t zone = aisle % ZONE_N;
    uint32_t n = 0;
    for (; n < s->n_prefix; n++) {
        const struct level *level = &s->levels[n];
        bool by_zone = level->kind == LEVEL_SPREAD && level->by_zone && zone != ZONE_OTHER;
        bool by_gpu =
            level->kind == LEVEL_GPU_SPARED || (level->kind == LEVEL_GPUS && gpu != GPU_MANY);
        if (!by_zone && !by_gpu && level->kind != LEVEL_SCARCITY) {
            break;
        }
    }
    return n;
}

static void add_lane(struct solver *s, struct shelf *shelf, uint32_t aisle, uint32_t gpu)
{
    uint32_t n_same = n_constant(s, aisle, gpu);
    struct lane *lane = &s->lanes[s->n_lanes++];
    *lane = (struct lane){.shelf = shelf,
                          .aisle = (uint8_t)aisle,
                          .gpu = (uint8_t)gpu,
                          .ordered = n_same == s->n_prefix && s->plain_tail && gpu != GPU_MANY,
                          .n_same = n_same,
                          .any = shelf_first(shelf),
                          .open = VIEW_NONE,
                          .run = RUN_NONE};
    s->resumable = s->resumable && lane->ordered;
}

void solver_start(struct solver *s)
{
    uint32_t gpus = s->request->gpus;
    uint32_t end = s->view->n_gpu_nodes > 0 ? GPU_N : GPU_NODE_WITHOUT + 1;
    s->n_lanes = 0;
    s->chosen = NULL;
    s->resumable = s->request->only == NULL;
    if (s->request->only != NULL) {
        return;
    }
    const struct view_order *order = view_index_get(s->view, s->by);
    const uint32_t n_aisles = (s->view->scarcity_max + 1u) * ZONE_N;
    for (uint32_t gpu = gpus == 0 ? GPU_NODE_WITHOUT : GPU_NODE_0; gpu < end; gpu++) {
        if (gpu != GPU_NODE_WITHOUT && gpu != GPU_MANY && gpu - GPU_NODE_0 < gpus) {
            continue;
        }
        for (uint32_t i = 0; i < n_aisles; i++) {
            if (order->aisles[i] != NULL && order->aisles[i]->shelves[gpu].n > 0) {
                add_lane(s, &order->aisles[i]->shelves[gpu], i, gpu);
            }
        }
    }
}

void solver_shrunk(struct solver *s, uint32_t slot, uint32_t run)
{
    assert(s->chosen != NULL);
    s->chosen->open = slot;
    s->chosen->run = run;
}

void solver_done(struct solver *s)
{
    assert(s->chosen != NULL);
    s->chosen->open = VIEW_NONE;
    s->chosen->cursor.entry++;
}
