/* One request: its criteria, its replicas, and requests kept ready. */
#include "controller/core/placement/place.h"

#include "common/base/hash.h"
#include "controller/core/placement/place_impl.h"

#include <assert.h>
#include <string.h>

#define RUNS_MIN 16u
#define POOL_MIN 3u /* Replicas for which gathering nodes pays. */

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
    s->spreads = true;
    level->domain = view_domain_get(s->view, attribute);
    level->by_zone = str_eqc(attribute, VIEW_ATTRIBUTE_ZONE);
    if (s->group != NO_GROUP) {
        level->spread = view_group_spread(s->view, s->group, level->domain);
    }
}

void solver_init_levels(struct solver *s)
{
    const struct place_request *r = s->request;
    s->may_repeat = s->most != 1 && !s->dynamic;
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
    if (s->view->n_gpu_nodes > 0 && s->request->gpus == 0) {
        add_level(s, LEVEL_GPU_SPARED);
    }
    if (s->view->scarcity_max > 0) {
        add_level(s, LEVEL_SCARCITY);
    }
    if (s->view->n_gpu_nodes > 0) {
        add_level(s, LEVEL_GPUS);
    }
    add_level(s, LEVEL_MEMORY);
    add_level(s, LEVEL_CPU);
    while (!is_amount(s->levels[s->n_prefix].kind)) {
        s->n_prefix++;
    }
    s->by = s->levels[s->n_prefix].kind == LEVEL_CPU ? ORDER_CPU : ORDER_MEMORY;
    s->plain_tail = true;
    for (uint32_t i = s->n_prefix; i < s->n_levels; i++) {
        enum level_kind kind = s->levels[i].kind;
        s->plain_tail = s->plain_tail && (is_amount(kind) || kind == LEVEL_GPUS ||
                                          kind == LEVEL_GPU_SPARED || kind == LEVEL_SCARCITY);
    }
}

uint64_t solver_value(const struct solver *s, const struct level *level, uint32_t slot)
{
    const struct view_hot *node = &s->view->hot[slot];
    switch (level->kind) {
    case LEVEL_CPU:
        return (uint64_t)(node->free.cpu - (int32_t)s->request->cpu);
    case LEVEL_MEMORY:
        return (uint64_t)(node->free.memory_mib - (int32_t)s->request->memory_mib);
    case LEVEL_GPU_SPARED:
        return node->has_gpus;
    case LEVEL_SCARCITY:
        return s->view->classes[node->class].scarcity;
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

/* --- replicas --------------------------------------------------------------------------------- */

int solver_open(struct solver *s, struct view *v, const struct place_request *request,
                struct arena *arena, struct err *err)
{
    int rv = solver_init(s, v, request, arena, err);
    if (rv != 0) {
        return rv;
    }
    s->group = view_group_hold(v, request->group);
    s->most = s->group == NO_GROUP ? 0 : s->most;
    solver_init_levels(s);
    add_default_levels(s);
    shelf_want_init(&s->want, s->by == ORDER_CPU ? request->memory_mib : request->cpu);
    return 0;
}

struct view_take place_take(const struct place_request *request, const struct place_run *run,
                            struct arena *arena)
{
    struct view_take take = {.cpu = request->cpu,
                             .memory_mib = request->memory_mib,
                             .gpus = request->gpus,
                             .n_ports = request->n_ports,
                             .group = request->group};
    if (request->n_ports > 0) {
        struct view_port *ports = arena_array(arena, request->n_ports, sizeof *ports);
        for (uint32_t i = 0; i < request->n_ports; i++) {
            ports[i] = (struct view_port){run->host_ports[i], request->ports[i].count,
                                          request->ports[i].proto};
        }
        take.ports = ports;
    }
    return take;
}

/* One call for n replicas. */
struct batch {
    struct solver *s;
    struct placement *ret;
    uint32_t n;
    bool booking;      /* What is chosen must be booked before the next choice. */
    struct pool *pool; /* May be NULL. */
    uint32_t cap_runs;
    uint32_t n_booked;                 /* Of the runs. */
    uint16_t (*cursors)[VIEW_PROTO_N]; /* By run, when there are ports: the node's, before. */
};

static struct place_run *add_run(struct batch *b, uint32_t slot)
{
    struct placement *p = b->ret;
    struct arena *arena = b->s->arena;
    if (p->n_runs == b->cap_runs) {
        b->cap_runs = b->n == 1 ? 1 : b->cap_runs == 0 ? RUNS_MIN : 2 * b->cap_runs;
        struct place_run *bigger = arena_array(arena, b->cap_runs, sizeof *bigger);
        if (p->n_runs > 0) {
            memcpy(bigger, p->runs, p->n_runs * sizeof *bigger);
        }
        p->runs = bigger;
    }
    struct place_run *run = &p->runs[p->n_runs++];
    *run = (struct place_run){.slot = slot, .owner = b->s->view->crowds[slot].owner};
    if (b->s->request->n_ports > 0) {
        uint16_t *ports = arena_array(arena, b->s->request->n_ports, sizeof *ports);
        bool fits = solver_assign_ports(b->s, slot, ports, NULL);
        assert(fits);
        (void)fits;
        run->host_ports = ports;
    }
    return run;
}

/* Book n more replicas of run i. */
static void book(struct batch *b, uint32_t i, uint32_t n)
{
    const struct place_run *run = &b->ret->runs[i];
    struct view_take take = place_take(b->s->request, run, b->s->arena);
    if (b->cursors != NULL) {
        memcpy(b->cursors[i], b->s->view->slots[run->slot].cursor, sizeof b->cursors[i]);
    }
    view_book(b->s->view, run->slot, &take, b->s->group, n);
    b->n_booked = i + 1 > b->n_booked ? i + 1 : b->n_booked;
}

static void unbook_all(struct batch *b)
{
    for (uint32_t i = b->n_booked; i-- > 0;) {
        const struct place_run *run = &b->ret->runs[i];
        struct view_take take = place_take(b->s->request, run, b->s->arena);
        view_unbook(b->s->view, run->slot, &take, b->s->group, run->count);
        if (b->cursors != NULL) {
            memcpy(b->s->view->slots[run->slot].cursor, b->cursors[i], sizeof b->cursors[i]);
        }
    }
}

/* How many replicas go on the node before anything else can be better; at most max. */
static uint32_t run_length(const struct solver *s, uint32_t slot, uint32_t max)
{
    const struct place_request *r = s->request;
    const struct view_free *free = &s->view->hot[slot].free;
    if (!s->may_repeat || r->n_ports > 0) {
        return 1;
    }
    uint32_t n = max;
    if (s->most > 0 && s->most - view_group_count(s->view, s->group, slot) < n) {
        n = s->most - view_group_count(s->view, s->group, slot);
    }
    if (r->cpu > 0 && (uint32_t)free->cpu / r->cpu < n) {
        n = (uint32_t)free->cpu / r->cpu;
    }
    if (r->memory_mib > 0 && (uint32_t)free->memory_mib / r->memory_mib < n) {
        n = (uint32_t)free->memory_mib / r->memory_mib;
    }
    if (r->gpus > 0 && (uint32_t)free->gpus / r->gpus < n) {
        n = (uint32_t)free->gpus / r->gpus;
    }
    return n;
}

/* The run that another replica on the node belongs to, or n_runs for a new one. */
static uint32_t run_of(const struct batch *b, uint32_t slot)
{
    const struct solver *s = b->s;
    uint32_t last = b->ret->n_runs;
    if (s->request->n_ports > 0 || last == 0) {
        return last;
    }
    if (s->resumable) {
        bool same = s->chosen->open == slot && s->chosen->run != RUN_NONE;
        return same ? s->chosen->run : last;
    }
    return b->ret->runs[last - 1].slot == slot ? last - 1 : last;
}

/* Choose the next replica, or several at once; false when there is no room. */
static bool choose(struct batch *b)
{
    struct solver *s = b->s;
    uint32_t slot = b->pool != NULL ? pool_best(b->pool) : solver_best(s);
    if (slot == VIEW_NONE) {
        return false;
    }
    uint32_t i = run_of(b, slot);
    if (i == b->ret->n_runs) {
        (void)add_run(b, slot);
    }
    uint32_t n = run_length(s, slot, b->n - b->ret->n_placed);
    b->ret->runs[i].count += n;
    b->ret->n_placed += n;
    s->seed += n;
    if (!b->booking) {
        if (b->ret->n_placed < b->n) {
            solver_done(s);
        }
        return true;
    }
    book(b, i, n);
    if (b->pool != NULL) {
        pool_shrunk(b->pool);
    } else if (s->resumable) {
        solver_shrunk(s, slot, i);
    } else {
        solver_start(s);
    }
    return true;
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

/* Does choosing change what the next choice looks at? Otherwise every node is done with when it
 * was chosen: as many as fit were taken, or one where no second is allowed. */
static bool must_book(const struct solver *s, uint32_t n)
{
    const struct place_request *r = s->request;
    return n > 1 && (s->spreads || s->dynamic || r->n_ports > 0 || !s->resumable ||
                     !(s->may_repeat || s->most == 1));
}

/* Why there was no room, with everything booked that was chosen. */
static void explain(struct batch *b)
{
    for (uint32_t i = b->n_booked; i < b->ret->n_runs; i++) {
        book(b, i, b->ret->runs[i].count);
    }
    solver_explain_all(b->s, b->ret);
}

/* Choose one: nothing looks at the view afterwards. */
static void place_one(struct solver *s, struct placement *ret)
{
    struct batch b = {.s = s, .ret = ret, .n = 1};
    if (s->spreads) {
        update_least(s);
    }
    uint32_t slot = solver_best(s);
    if (slot != VIEW_NONE) {
        add_run(&b, slot)->count = 1;
        ret->n_placed = 1;
    } else if (!s->request->no_reasons) {
        solver_explain_all(s, ret);
    }
}

/* The search was started. */
static void place_all(struct solver *s, uint32_t n, struct placement *ret)
{
    *ret = (struct placement){.closest = {.slot = VIEW_NONE}};
    if (n == 1) {
        place_one(s, ret);
        return;
    }
    struct batch b = {.s = s, .ret = ret, .n = n, .booking = must_book(s, n)};
    if (s->request->n_ports > 0) {
        b.cursors = arena_array(s->arena, n, sizeof *b.cursors);
    }
    if (b.booking && n >= POOL_MIN) {
        b.pool = pool_open(s);
    }
    do {
        if (s->spreads && b.pool == NULL) {
            update_least(s);
        }
    } while (choose(&b) && ret->n_placed < n);
    pool_close(b.pool);
    if (ret->n_placed < n && !s->request->no_reasons) {
        explain(&b);
    }
    unbook_all(&b);
}

int place(struct view *v, const struct place_request *request, struct placement *ret,
          struct arena *arena, struct err *err)
{
    struct solver s;
    int rv = solver_open(&s, v, request, arena, err);
    if (rv != 0) {
        return rv;
    }
    solver_start(&s);
    place_all(&s, request->n_replicas == 0 ? 1 : request->n_replicas, ret);
    view_group_release(v, s.group);
    return 0;
}

void place_reserve(struct view *v, const struct place_request *request,
                   const struct placement *placement, struct arena *arena)
{
    for (uint32_t i = 0; i < placement->n_runs; i++) {
        const struct place_run *run = &placement->runs[i];
        struct view_take take = place_take(request, run, arena);
        view_reserve_n(v, run->slot, &take, run->count);
    }
}

/* --- ready requests --------------------------------------------------------------------------- */

struct place_ready {
    struct place_request request;
    struct arena arena; /* What the solver keeps between calls. */
    uint64_t epoch;     /* Of the view when it was opened. */
    /* The last call, if it chose a single run: the run, what was left before it, and the state of
     * the view by which to tell that nothing but this was taken since. */
    struct place_run last;
    struct view_free before;
    uint64_t n_changes;
    uint64_t n_moves;
    struct solver solver; /* Last: only in part cleared. */
};

static int ready_open(struct place_ready *ready, struct err *err)
{
    struct view *v = ready->solver.view;
    arena_clear(&ready->arena);
    ready->last.slot = VIEW_NONE;
    int rv = solver_open(&ready->solver, v, &ready->request, &ready->arena, err);
    ready->epoch = v->epoch;
    return rv;
}

int place_prepare(struct view *v, const struct place_request *request, struct place_ready **ret,
                  struct err *err)
{
    struct place_ready *ready = mem_alloc(v->mem, sizeof *ready);
    ready->request = *request;
    ready->solver.view = v;
    arena_init(&ready->arena, v->mem);
    int rv = ready_open(ready, err);
    if (rv != 0) {
        ready->solver.group = NO_GROUP;
        place_release(ready);
        return rv;
    }
    *ret = ready;
    return 0;
}

void place_release(struct place_ready *ready)
{
    if (ready != NULL) {
        struct view *v = ready->solver.view;
        view_group_release(v, ready->solver.group);
        arena_close(&ready->arena);
        mem_free(v->mem, ready, sizeof *ready);
    }
}

/* Open it anew when names, classes or nodes changed. On failure no group is held. */
static int refresh(struct place_ready *ready, struct err *err)
{
    struct view *v = ready->solver.view;
    uint32_t group = ready->solver.group;
    if (ready->epoch == v->epoch) {
        return 0;
    }
    int rv = ready_open(ready, err);
    view_group_release(v, group);
    if (rv != 0) {
        ready->solver.group = NO_GROUP;
        ready->epoch = UINT64_MAX; /* Never one of the view's. */
    }
    return rv;
}

/* Was the last choice taken, and nothing else happened? */
static bool may_go_on(const struct place_ready *ready)
{
    const struct solver *s = &ready->solver;
    const struct view *v = s->view;
    if (ready->last.slot == VIEW_NONE || v->n_changes != ready->n_changes + 1 ||
        v->last_changed != ready->last.slot || v->orders[s->by].n_moves != ready->n_moves) {
        return false;
    }
    const struct view_free *now = &v->hot[ready->last.slot].free;
    uint32_t n = ready->last.count;
    return now->n_tasks == ready->before.n_tasks + n &&
           now->cpu == ready->before.cpu - (int32_t)(n * s->request->cpu) &&
           now->memory_mib == ready->before.memory_mib - (int32_t)(n * s->request->memory_mib) &&
           now->gpus == ready->before.gpus - (int32_t)(n * s->request->gpus);
}

static void remember(struct place_ready *ready, const struct placement *p, uint32_t n)
{
    const struct solver *s = &ready->solver;
    ready->last.slot = VIEW_NONE;
    if (p->n_runs == 1 && p->n_placed == n && s->resumable) {
        ready->last = p->runs[0];
        ready->before = s->view->hot[ready->last.slot].free;
        ready->n_changes = s->view->n_changes;
        ready->n_moves = s->view->orders[s->by].n_moves;
    }
}

int place_again(struct place_ready *ready, uint32_t n_replicas, uint64_t seed,
                struct placement *ret, struct arena *arena, struct err *err)
{
    struct solver *s = &ready->solver;
    uint32_t n = n_replicas == 0 ? 1 : n_replicas;
    if (n > PLACE_REPLICAS_MAX) {
        return err_set(err, ERR_INVALID, "replicas: %u is more than %u", n, PLACE_REPLICAS_MAX);
    }
    int rv = refresh(ready, err);
    if (rv != 0) {
        return rv;
    }
    s->arena = arena;
    s->seed = seed;
    if (may_go_on(ready)) {
        solver_shrunk(s, ready->last.slot, RUN_NONE);
    } else {
        solver_start(s);
    }
    place_all(s, n, ret);
    remember(ready, ret, n);
    return 0;
}

struct view_take place_ready_take(const struct place_ready *ready)
{
    const struct place_request *r = &ready->request;
    assert(r->n_ports == 0);
    return (struct view_take){.cpu = r->cpu,
                              .memory_mib = r->memory_mib,
                              .gpus = r->gpus,
                              .group = r->group,
                              .group_ref = r->group.n == 0 ? 0 : ready->solver.group + 1};
}
