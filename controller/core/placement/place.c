/* The choice itself. Nodes are looked at in the order of free cpu or free memory (view_index.c),
 * shelf by shelf. All criteria that come before the amounts and are the same for a whole shelf are
 * compared once: a shelf that is worse is passed over; of one that is not, usually the first
 * feasible node is the best. Where a criterion differs within a shelf, the walk goes on until
 * nothing behind can be better. Every pass-over is justified by the order, never by a sample, so
 * the answer is that of a scan over all nodes; the tests compare the two. */
#include "controller/core/placement/place.h"

#include "common/base/hash.h"
#include "controller/core/placement/place_impl.h"

#include <assert.h>
#include <string.h>

uint64_t place_random(uint64_t seed, struct id id)
{
    return hash_mix(hash_mix(seed, id.hi), id.lo);
}

/* --- criteria --------------------------------------------------------------------------------- */

static void add_level(struct solver *s, enum level_kind kind)
{
    for (uint32_t i = 0; i < s->n_levels; i++) {
        if (s->levels[i].kind == kind && kind != LEVEL_SPREAD) {
            return; /* Decided already. */
        }
    }
    assert(s->n_levels < LEVELS_MAX);
    s->levels[s->n_levels++] = (struct level){.kind = kind};
}

static void init_spread(struct solver *s, struct level *level, struct str attribute)
{
    level->domain = view_domain_get(s->view, attribute);
    level->by_zone = str_eqc(attribute, VIEW_ATTRIBUTE_ZONE);
    if (s->group != NO_GROUP) {
        level->spread = view_group_spread(s->view, s->group, level->domain);
    }
}

/* Is the task's share of the cluster's cpu at least its share of the memory? Shares are compared
 * without division; large totals lose low bits so that products fit. */
static bool cpu_first(const struct solver *s)
{
    uint64_t cpu = s->view->total_cpu;
    uint64_t memory = s->view->total_memory_mib;
    while ((cpu | memory) >> 32 != 0) {
        cpu >>= 1;
        memory >>= 1;
    }
    return s->request->cpu * memory >= s->request->memory_mib * cpu;
}

void solver_init_levels(struct solver *s)
{
    const struct place_request *r = s->request;
    s->may_repeat = !s->distinct && !s->dynamic;
    for (uint32_t i = 0; i < r->n_strategies; i++) {
        switch (r->strategies[i].kind) {
        case PLACE_BINPACK_CPU:
            add_level(s, LEVEL_CPU);
            break;
        case PLACE_BINPACK_MEMORY:
            add_level(s, LEVEL_MEMORY);
            break;
        case PLACE_SPREAD_NODE:
            add_level(s, LEVEL_SPREAD_NODE);
            break;
        case PLACE_SPREAD_ATTRIBUTE:
            add_level(s, LEVEL_SPREAD);
            init_spread(s, &s->levels[s->n_levels - 1], r->strategies[i].attribute);
            break;
        case PLACE_RANDOM:
            add_level(s, LEVEL_RANDOM);
            break;
        }
    }
    for (uint32_t i = 0; i < s->n_levels; i++) {
        enum level_kind kind = s->levels[i].kind;
        if (kind == LEVEL_SPREAD || kind == LEVEL_SPREAD_NODE || kind == LEVEL_RANDOM) {
            s->may_repeat = false;
        }
    }
}

static bool is_amount(enum level_kind kind)
{
    return kind == LEVEL_CPU || kind == LEVEL_MEMORY;
}

/* What decides when the strategies leave several nodes. */
static void add_default_levels(struct solver *s)
{
    if (s->view->n_gpu_nodes > 0) {
        if (s->request->gpus == 0) {
            add_level(s, LEVEL_GPU_SPARED);
        }
        add_level(s, LEVEL_GPUS);
    }
    bool cpu = cpu_first(s);
    add_level(s, cpu ? LEVEL_CPU : LEVEL_MEMORY);
    add_level(s, cpu ? LEVEL_MEMORY : LEVEL_CPU);
    while (!is_amount(s->levels[s->n_prefix].kind)) {
        s->n_prefix++;
    }
    s->by = s->levels[s->n_prefix].kind == LEVEL_CPU ? ORDER_CPU : ORDER_MEMORY;
    s->plain_tail = true;
    for (uint32_t i = s->n_prefix; i < s->n_levels; i++) {
        enum level_kind kind = s->levels[i].kind;
        s->plain_tail =
            s->plain_tail && (is_amount(kind) || kind == LEVEL_GPUS || kind == LEVEL_GPU_SPARED);
    }
}

uint64_t solver_value(const struct solver *s, const struct level *level, uint32_t slot)
{
    const struct view_slot *node = &s->view->slots[slot];
    switch (level->kind) {
    case LEVEL_CPU:
        return (uint64_t)(node->free.cpu - (int32_t)s->request->cpu);
    case LEVEL_MEMORY:
        return (uint64_t)(node->free.memory_mib - (int32_t)s->request->memory_mib);
    case LEVEL_GPU_SPARED:
        return node->gpus > 0;
    case LEVEL_GPUS:
        return (uint64_t)(node->free.gpus - (int32_t)s->request->gpus);
    case LEVEL_SPREAD_NODE:
        return view_group_count(s->view, s->group, slot);
    case LEVEL_SPREAD: {
        uint32_t value = view_domain_of(s->view, level->domain, node->class);
        if (value == NO_DOMAIN) {
            return UINT32_MAX;
        }
        return level->spread == NULL || value >= level->spread->n ? 0
                                                                  : level->spread->counts[value];
    }
    case LEVEL_RANDOM:
        return place_random(s->seed, node->id);
    }
    assert(false);
    return 0;
}

/* --- the search ------------------------------------------------------------------------------- */

/* The best node so far. */
struct best {
    uint32_t slot;    /* VIEW_NONE: nothing yet. */
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
        c = id_cmp(s->view->slots[slot].id, s->view->slots[b->slot].id);
    }
    return c < 0;
}

/* The node in slot is the best now. */
static void take_lead(const struct solver *s, struct best *b, uint32_t slot)
{
    const struct view_free *free = &s->view->slots[slot].free;
    b->slot = slot;
    b->n_known = 0;
    b->stop = (uint32_t)(s->by == ORDER_CPU ? free->cpu : free->memory_mib);
    for (uint32_t i = 0; i < s->n_prefix; i++) {
        if (best_value(s, b, i) != s->levels[i].least) {
            b->stop = UINT32_MAX; /* A node further on may have less. */
        }
    }
}

/* How many of the first levels are the same for all nodes of a shelf. */
static uint32_t n_constant(const struct solver *s, uint32_t zone, uint32_t gpu)
{
    uint32_t n = 0;
    for (; n < s->n_prefix; n++) {
        const struct level *level = &s->levels[n];
        bool by_zone = level->kind == LEVEL_SPREAD && level->by_zone && zone != ZONE_OTHER;
        bool by_gpu =
            level->kind == LEVEL_GPU_SPARED || (level->kind == LEVEL_GPUS && gpu != GPU_MANY);
        if (!by_zone && !by_gpu) {
            break;
        }
    }
    return n;
}

/* Look at one entry that fits; false when the rest of the shelf cannot be better. `ordered`: behind
 * the first node that does not beat the best one, and behind the first feasible one, none does. */
static bool visit(struct solver *s, struct best *b, const struct shelf_entry *e, bool ordered)
{
    if (e->key >> 32 > b->stop) {
        return false;
    }
    if (!solver_admits_class(s, e->class, e->slot)) {
        if (s->view->n_classes <= SHELF_TAGS) { /* A tag is a class. */
            s->tags &= ~(UINT64_C(1) << e->class);
        }
        return true;
    }
    if (!beats(s, b, e->slot)) {
        return !ordered;
    }
    if (!solver_admits(s, e->slot)) {
        return true;
    }
    take_lead(s, b, e->slot);
    return !ordered;
}

/* Walk from an entry to the end, or until nothing behind can be better. */
static void walk(struct solver *s, struct best *b, const struct shelf *shelf, uint32_t leaf,
                 uint32_t at, bool ordered)
{
    uint32_t low = s->by == ORDER_CPU ? s->request->memory_mib : s->request->cpu;
    for (; leaf < shelf->n_leaves; leaf++, at = 0) {
        if (shelf->low_max[leaf] < low) {
            continue;
        }
        const struct shelf_leaf *l = shelf->leaves[leaf];
        for (uint32_t hits = shelf_filter(l, at, low, s->tags); hits != 0; hits &= hits - 1) {
            if (!visit(s, b, &l->entries[__builtin_ctz(hits)], ordered)) {
                return;
            }
        }
        if (shelf->first[leaf] >> 32 > b->stop) {
            return;
        }
    }
}

static void search_shelf(struct solver *s, struct best *b, const struct shelf *shelf, uint32_t zone,
                         uint32_t gpu)
{
    uint32_t leaf, at;
    uint32_t high = s->by == ORDER_CPU ? s->request->cpu : s->request->memory_mib;
    uint32_t n_same = n_constant(s, zone, gpu);
    bool ordered = n_same == s->n_prefix && s->plain_tail && gpu != GPU_MANY;
    shelf_seek(shelf, (uint64_t)high << 32, &leaf, &at);
    if (leaf < shelf->n_leaves &&
        compare(s, b, shelf->leaves[leaf]->entries[at].slot, n_same) <= 0) {
        walk(s, b, shelf, leaf, at, ordered);
    }
}

/* The best of a few. */
static uint32_t best_of(struct solver *s, const uint32_t *slots, uint32_t n)
{
    struct best b = {.slot = VIEW_NONE, .stop = UINT32_MAX};
    for (uint32_t i = 0; i < n; i++) {
        if (view_available(&s->view->slots[slots[i]]) && solver_admits(s, slots[i]) &&
            beats(s, &b, slots[i])) {
            take_lead(s, &b, slots[i]);
        }
    }
    return b.slot;
}

/* The feasible node that is best by all levels and then by id, or VIEW_NONE. */
static uint32_t best_node(struct solver *s)
{
    struct best b = {.slot = VIEW_NONE, .stop = UINT32_MAX};
    uint32_t gpus = s->request->gpus;
    if (s->request->only != NULL) {
        return best_of(s, s->request->only, s->request->n_only);
    }
    const struct view_order *order = view_index_get(s->view, s->by);
    for (uint32_t gpu = gpus == 0 ? GPU_NODE_WITHOUT : GPU_NODE_0; gpu < GPU_N; gpu++) {
        if (gpu != GPU_NODE_WITHOUT && gpu != GPU_MANY && gpu - GPU_NODE_0 < gpus) {
            continue;
        }
        for (uint32_t zone = 0; zone < ZONE_N; zone++) {
            if (order->zones[zone] != NULL && order->zones[zone]->shelves[gpu].n > 0) {
                search_shelf(s, &b, &order->zones[zone]->shelves[gpu], zone, gpu);
            }
        }
    }
    return b.slot;
}

/* --- replicas --------------------------------------------------------------------------------- */

struct view_take place_take(const struct place_request *request,
                            const struct place_replica *replica, struct arena *arena)
{
    struct view_port *ports = arena_array(arena, request->n_ports, sizeof *ports);
    for (uint32_t i = 0; i < request->n_ports; i++) {
        ports[i] = (struct view_port){replica->host_ports[i], request->ports[i].count,
                                      request->ports[i].proto};
    }
    return (struct view_take){.cpu = request->cpu,
                              .memory_mib = request->memory_mib,
                              .gpus = request->gpus,
                              .ports = ports,
                              .n_ports = request->n_ports,
                              .group = request->group};
}

/* A replica that is booked while the others are chosen. */
struct booked {
    struct view_take take;
    uint16_t cursor[VIEW_PROTO_N]; /* The node's, before. */
};

/* The next node: the last one again where that must be the answer. */
static uint32_t next_node(struct solver *s, uint32_t last)
{
    if (last != VIEW_NONE && s->may_repeat && solver_admits(s, last)) {
        return last;
    }
    return best_node(s);
}

static void book(struct solver *s, const struct place_replica *replica, struct booked *booked)
{
    struct view_slot *node = &s->view->slots[replica->slot];
    memcpy(booked->cursor, node->cursor, sizeof booked->cursor);
    booked->take = place_take(s->request, replica, s->arena);
    view_book(s->view, replica->slot, &booked->take, s->group);
}

static void unbook_all(struct solver *s, const struct placement *p, const struct booked *booked,
                       uint32_t n_booked)
{
    for (uint32_t i = n_booked; i-- > 0;) {
        struct view_slot *node = &s->view->slots[p->replicas[i].slot];
        view_unbook(s->view, p->replicas[i].slot, &booked[i].take, s->group);
        memcpy(node->cursor, booked[i].cursor, sizeof node->cursor);
    }
}

/* What no node can fall below: the smallest count of any value. */
static void update_least(struct solver *s)
{
    for (uint32_t i = 0; i < s->n_prefix; i++) {
        struct level *level = &s->levels[i];
        if (level->kind != LEVEL_SPREAD) {
            continue;
        }
        uint32_t n_values = s->view->domains[level->domain].n_values;
        uint32_t n_counts = level->spread == NULL ? 0 : level->spread->n;
        uint32_t least = n_counts < n_values ? 0 : UINT32_MAX;
        for (uint32_t k = 0; k < n_counts && least > 0; k++) {
            least = level->spread->counts[k] < least ? level->spread->counts[k] : least;
        }
        level->least = least;
    }
}

static void place_all(struct solver *s, uint32_t n_replicas, struct placement *ret)
{
    struct booked *booked = arena_array(s->arena, n_replicas, sizeof *booked);
    uint32_t last = VIEW_NONE;
    uint32_t n_booked = 0;
    while (ret->n_placed < n_replicas) {
        struct place_replica *replica = &ret->replicas[ret->n_placed];
        update_least(s);
        last = next_node(s, last);
        if (last == VIEW_NONE) {
            break;
        }
        uint16_t *ports = arena_array(s->arena, s->request->n_ports, sizeof *ports);
        bool fits = solver_assign_ports(s, last, ports, NULL);
        assert(fits);
        (void)fits;
        *replica = (struct place_replica){last, s->view->slots[last].owner, ports};
        ret->n_placed++;
        if (ret->n_placed < n_replicas) { /* Nothing looks at the view after the last one. */
            book(s, replica, &booked[n_booked++]);
        }
        s->seed++;
    }
    if (ret->n_placed < n_replicas && !s->request->no_reasons) {
        solver_explain_all(s, ret);
    }
    unbook_all(s, ret, booked, n_booked);
}

int place(struct view *v, const struct place_request *request, struct placement *ret,
          struct arena *arena, struct err *err)
{
    struct solver s;
    uint32_t n_replicas = request->n_replicas == 0 ? 1 : request->n_replicas;
    int rv = solver_init(&s, v, request, arena, err);
    if (rv != 0) {
        return rv;
    }
    s.group = view_group_hold(v, request->group);
    solver_init_levels(&s);
    add_default_levels(&s);
    struct placement placement = {.closest = {.slot = VIEW_NONE}};
    placement.replicas = arena_array(arena, n_replicas, sizeof *placement.replicas);
    place_all(&s, n_replicas, &placement);
    view_group_release(v, s.group);
    *ret = placement;
    return 0;
}

void place_reserve(struct view *v, const struct place_request *request,
                   const struct placement *placement, struct arena *arena)
{
    for (uint32_t i = 0; i < placement->n_placed; i++) {
        struct view_take take = place_take(request, &placement->replicas[i], arena);
        view_reserve(v, placement->replicas[i].slot, &take);
    }
}
