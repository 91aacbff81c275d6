/* The choice itself: a scan over all nodes for every replica. The scan touches eight bytes per node
 * (free cpu and memory, one array each, so that the compiler compares many at once) and looks
 * closer only where both fit; where the first criterion that still varies is free cpu or memory,
 * the best node found so far bounds it from above and few nodes are looked at. Exact by
 * construction; an ordered index can take the place of best_node() without changing an answer. */
#include "controller/core/placement/place.h"

#include "common/base/hash.h"
#include "controller/core/placement/place_impl.h"

#include <assert.h>
#include <string.h>

uint64_t place_random(uint64_t seed, struct id id)
{
    return hash_mix(hash_mix(seed, id.hi), id.lo);
}

/* --- criteria
 * ------------------------------------------------------------------------------------- */

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

static void spread_add(struct solver *s, struct level *level, uint32_t slot, uint32_t n)
{
    uint32_t value = view_domain_of(s->view, level->domain, s->view->slots[slot].class);
    if (value == NO_DOMAIN) {
        return;
    }
    assert(value < level->n_counts);
    level->counts[value] += n;
}

/* Number the values of all nodes, then count the group's tasks. */
static void init_spread(struct solver *s, struct level *level, struct str attribute)
{
    struct view *v = s->view;
    level->domain = view_domain_get(v, attribute);
    for (uint32_t class = 0; class < v->n_classes; class ++) {
        if (v->classes[class].n_nodes > 0) {
            (void)view_domain_of(v, level->domain, class);
        }
    }
    level->n_counts = v->domains[level->domain].n_values;
    level->counts = arena_array(s->arena, level->n_counts, sizeof *level->counts);
    if (s->group == NO_GROUP) {
        return;
    }
    const struct view_group *g = &v->groups[s->group];
    for (uint32_t i = 0; i < g->cap; i++) {
        if (g->counts[i].slot != VIEW_NONE) {
            spread_add(s, level, g->counts[i].slot, g->counts[i].n);
        }
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
        return value == NO_DOMAIN ? UINT32_MAX : level->counts[value];
    }
    case LEVEL_RANDOM:
        return place_random(s->seed, node->id);
    }
    assert(false);
    return 0;
}

/* --- the scan
 * ------------------------------------------------------------------------------------- */

/* The best node so far, and what a better one cannot exceed. */
struct best {
    uint32_t slot;    /* VIEW_NONE: nothing yet. */
    uint32_t n_known; /* Levels of `values` that were computed. */
    int32_t cpu_max;
    int32_t memory_max;
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

/* The node in slot is the best now. Levels up to the one that decided are known. */
static void take_lead(const struct solver *s, struct best *b, uint32_t slot, const uint64_t *values,
                      uint32_t n_known)
{
    b->slot = slot;
    b->n_known = n_known;
    memcpy(b->values, values, n_known * sizeof values[0]);
    /* Where every level before it is at the least possible value, free cpu or memory decides. */
    for (uint32_t i = 0; i < s->n_levels; i++) {
        if (s->levels[i].kind == LEVEL_CPU) {
            b->cpu_max = s->view->scan_cpu[slot];
            return;
        }
        if (s->levels[i].kind == LEVEL_MEMORY) {
            b->memory_max = s->view->scan_memory[slot];
            return;
        }
        if (best_value(s, b, i) != s->levels[i].least) {
            return;
        }
    }
}

/* Does the node beat the best one? Cheap criteria come before the expensive check. */
static void consider(struct solver *s, struct best *b, uint32_t slot)
{
    uint64_t values[LEVELS_MAX];
    uint32_t n = 0;
    if (b->slot != VIEW_NONE) {
        for (; n < s->n_levels; n++) {
            values[n] = solver_value(s, &s->levels[n], slot);
            if (values[n] > best_value(s, b, n)) {
                return;
            }
            if (values[n] < best_value(s, b, n)) {
                n++;
                break;
            }
        }
        if (n == s->n_levels && values[n - 1] == b->values[n - 1] &&
            id_cmp(s->view->slots[slot].id, s->view->slots[b->slot].id) > 0) {
            return;
        }
    }
    if (solver_admits(s, slot)) {
        take_lead(s, b, slot, values, n);
    }
}

/* One flag per node of a step: both amounts fit and are within the bounds. Returns whether any. */
static uint64_t scan_step(const struct view *v, uint32_t from, int32_t cpu, int32_t memory,
                          const struct best *b, uint8_t flags[SCAN_STEP])
{
    const int32_t *restrict have_cpu = v->scan_cpu + from;
    const int32_t *restrict have_memory = v->scan_memory + from;
    const int32_t cpu_max = b->cpu_max;
    const int32_t memory_max = b->memory_max;
    uint8_t any = 0;
    for (uint32_t i = 0; i < SCAN_STEP; i++) {
        flags[i] = (uint8_t)((have_cpu[i] >= cpu) & (have_memory[i] >= memory) &
                             (have_cpu[i] <= cpu_max) & (have_memory[i] <= memory_max));
        any |= flags[i];
    }
    return any;
}

/* The feasible node that is best by all levels and then by id, or VIEW_NONE. */
static uint32_t best_node(struct solver *s)
{
    const struct view *v = s->view;
    struct best b = {.slot = VIEW_NONE, .cpu_max = INT32_MAX, .memory_max = INT32_MAX};
    int32_t cpu = (int32_t)s->request->cpu;
    int32_t memory = (int32_t)s->request->memory_mib;
    if (s->request->only != NULL) {
        for (uint32_t i = 0; i < s->request->n_only; i++) {
            uint32_t slot = s->request->only[i];
            if (v->scan_cpu[slot] >= cpu && v->scan_memory[slot] >= memory) {
                consider(s, &b, slot);
            }
        }
        return b.slot;
    }
    for (uint32_t from = 0; from < v->n_slots; from += SCAN_STEP) {
        uint8_t flags[SCAN_STEP];
        if (scan_step(v, from, cpu, memory, &b, flags) == 0) {
            continue;
        }
        for (uint32_t i = 0; i < SCAN_STEP; i++) {
            if (flags[i] != 0) {
                consider(s, &b, from + i);
            }
        }
    }
    return b.slot;
}

/* --- replicas
 * ------------------------------------------------------------------------------------- */

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

/* The next node: the last one again where that must be the answer, else by a scan. */
static uint32_t next_node(struct solver *s, uint32_t last)
{
    const struct view *v = s->view;
    if (last != VIEW_NONE && s->may_repeat && v->scan_cpu[last] >= (int32_t)s->request->cpu &&
        v->scan_memory[last] >= (int32_t)s->request->memory_mib && solver_admits(s, last)) {
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
    for (uint32_t i = 0; i < s->n_levels && s->group != NO_GROUP; i++) {
        if (s->levels[i].kind == LEVEL_SPREAD) {
            spread_add(s, &s->levels[i], replica->slot, 1);
        }
    }
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

/* What no node can fall below, where that is known: the smallest count of any domain. */
static void update_least(struct solver *s)
{
    for (uint32_t i = 0; i < s->n_levels; i++) {
        struct level *level = &s->levels[i];
        if (level->kind != LEVEL_SPREAD) {
            continue;
        }
        level->least = UINT32_MAX;
        for (uint32_t j = 0; j < level->n_counts; j++) {
            level->least = level->counts[j] < level->least ? level->counts[j] : level->least;
        }
    }
}

static void place_all(struct solver *s, uint32_t n_replicas, struct placement *ret)
{
    struct booked *booked = arena_array(s->arena, n_replicas, sizeof *booked);
    uint32_t last = VIEW_NONE;
    uint32_t n_booked = 0;
    uint32_t group = view_group_hold(s->view, s->request->group);
    s->group = group;
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
    if (ret->n_placed < n_replicas) {
        solver_explain_all(s, ret);
    }
    unbook_all(s, ret, booked, n_booked);
    view_group_release(s->view, group);
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
    solver_init_levels(&s);
    add_default_levels(&s);
    struct placement placement = {.closest = {.slot = VIEW_NONE}};
    placement.replicas = arena_array(arena, n_replicas, sizeof *placement.replicas);
    place_all(&s, n_replicas, &placement);
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
