#include "controller/core/placement/survey.h"

#include "common/base/sort.h"
#include "controller/core/placement/place_impl.h"

#include <assert.h>
#include <string.h>

#define GROUPS_MAX  100u
#define BIT(reason) (1u << (reason))
#define AMOUNTS     (BIT(PLACE_CPU) | BIT(PLACE_MEMORY) | BIT(PLACE_GPU))

/* What changes other than of amounts are taken for, in thousandths of a request. */
enum {
    COST_AGENT = 50,
    COST_ACTIVATE = 100,
    COST_PORT = 300,
    COST_DISTINCT = 400,
    COST_MEMBER = 500,
    COST_ATTRIBUTE = 600,
    COST_LIKE = 1000,
    COST_LARGER = 1500,
};

struct work {
    struct solver *solver;
    struct survey *ret;
    const struct place_request *request;
    struct arena *arena;
    struct survey_node *nodes; /* By slot order, before they are sorted. */
    uint64_t *short_of;        /* By index in nodes: thousandths of the request that are missing. */
};

/* --- one node --------------------------------------------------------------------------------- */

static uint64_t thousandths(uint32_t needed, int32_t available)
{
    int64_t missing = (int64_t)needed - available;
    return missing <= 0 || needed == 0 ? 0 : (uint64_t)missing * 1000 / needed;
}

/* Attributes and constraints. */
static void look_at_kind(const struct work *w, struct survey_node *n)
{
    struct solver *s = w->solver;
    const struct place_request *r = w->request;
    if (!s->dynamic && solver_admits_class(s, s->view->hot[n->slot].class, n->slot)) {
        return;
    }
    n->attribute = solver_missing_attribute(s, n->slot);
    if (n->attribute < r->n_attributes) {
        n->reasons |= BIT(PLACE_ATTRIBUTE);
    }
    for (uint32_t i = 0; i < r->n_constraints; i++) {
        if (r->constraints[i].kind == PLACE_MEMBER_OF &&
            !view_query_selects(s->view, s->queries[i], n->slot)) {
            n->reasons |= BIT(PLACE_MEMBER);
            n->members |= 1u << i;
        }
    }
}

static void look_at_amounts(const struct work *w, struct survey_node *n)
{
    const struct place_request *r = w->request;
    n->reasons |= (int64_t)r->cpu > n->free.cpu ? BIT(PLACE_CPU) : 0;
    n->reasons |= (int64_t)r->memory_mib > n->free.memory_mib ? BIT(PLACE_MEMORY) : 0;
    n->reasons |= (int64_t)r->gpus > n->free.gpus ? BIT(PLACE_GPU) : 0;
}

static void look(const struct work *w, uint32_t slot, struct survey_node *n)
{
    struct solver *s = w->solver;
    const struct view_hot *h = &s->view->hot[slot];
    struct place_why why = {.reason = PLACE_OK};
    enum place_reason state = solver_state_reason(s, slot);
    *n = (struct survey_node){.slot = slot, .free = h->free};
    n->reasons |= state == PLACE_OK ? 0 : BIT(state);
    look_at_kind(w, n);
    if (solver_is_full(s, slot)) {
        n->reasons |= BIT(PLACE_DISTINCT);
    }
    look_at_amounts(w, n);
    if (w->request->n_ports > 0 && !solver_assign_ports(s, slot, NULL, &why)) {
        n->reasons |= BIT(PLACE_PORT);
        n->port_entry = why.which;
        n->port = why.port;
    }
}

static void score(const struct work *w, struct survey_node *n)
{
    const struct solver *s = w->solver;
    uint64_t *values = arena_array(w->arena, s->n_levels, sizeof *values);
    for (uint32_t i = 0; i < s->n_levels; i++) {
        values[i] = solver_value(s, &s->levels[i], n->slot);
    }
    n->score = values;
}

/* --- all of them ------------------------------------------------------------------------------ */

static uint32_t count_bits(uint32_t bits)
{
    uint32_t n = 0;
    for (; bits != 0; bits &= bits - 1) {
        n++;
    }
    return n;
}

static int by_id(const struct work *w, const struct survey_node *a, const struct survey_node *b)
{
    const struct view_hot *hot = w->solver->view->hot;
    return id_cmp(hot[a->slot].id, hot[b->slot].id);
}

static bool before(const void *ctx, uint32_t i, uint32_t j)
{
    const struct work *w = ctx;
    const struct survey_node *a = &w->nodes[i];
    const struct survey_node *b = &w->nodes[j];
    uint32_t a_bits = count_bits(a->reasons), b_bits = count_bits(b->reasons);
    if (a_bits != b_bits) {
        return a_bits < b_bits;
    }
    for (uint32_t k = 0; a_bits == 0 && k < w->solver->n_levels; k++) {
        if (a->score[k] != b->score[k]) {
            return a->score[k] < b->score[k];
        }
    }
    if (w->short_of[i] != w->short_of[j]) {
        return w->short_of[i] < w->short_of[j];
    }
    return by_id(w, a, b) < 0;
}

static void sort_nodes(struct work *w)
{
    uint32_t n = w->ret->n_nodes;
    uint32_t *order = arena_array(w->arena, n, sizeof *order);
    uint32_t *scratch = arena_array(w->arena, n, sizeof *scratch);
    struct survey_node *sorted = arena_array(w->arena, n, sizeof *sorted);
    for (uint32_t i = 0; i < n; i++) {
        order[i] = i;
    }
    sort_u32(order, n, scratch, before, w);
    for (uint32_t i = 0; i < n; i++) {
        sorted[i] = w->nodes[order[i]];
        sorted[i].rank = sorted[i].reasons == 0 ? i + 1 : 0;
    }
    w->ret->nodes = sorted;
}

static void look_at_all(struct work *w)
{
    const struct view *v = w->solver->view;
    const struct place_request *r = w->request;
    struct survey *ret = w->ret;
    w->nodes = arena_array(w->arena, v->n_nodes, sizeof *w->nodes);
    w->short_of = arena_array(w->arena, v->n_nodes, sizeof *w->short_of);
    for (uint32_t slot = 0; slot < v->n_slots; slot++) {
        struct survey_node *n = &w->nodes[ret->n_nodes];
        if (!v->hot[slot].used) {
            continue;
        }
        look(w, slot, n);
        if (n->reasons == 0) {
            score(w, n);
            ret->n_feasible++;
        }
        for (uint32_t i = 0; i < PLACE_REASON_N; i++) {
            ret->refused[i] += (n->reasons & BIT(i)) != 0;
        }
        w->short_of[ret->n_nodes] = thousandths(r->cpu, n->free.cpu) +
                                    thousandths(r->memory_mib, n->free.memory_mib) +
                                    thousandths(r->gpus, n->free.gpus);
        ret->n_nodes++;
    }
}

/* --- groups ----------------------------------------------------------------------------------- */

static bool in_group(const struct survey_group *g, const struct survey_node *n)
{
    return g->reasons == n->reasons && g->members == n->members && g->attribute == n->attribute &&
           g->port_entry == n->port_entry && g->port == n->port;
}

static bool larger_group(const void *ctx, uint32_t a, uint32_t b)
{
    const struct survey_group *groups = ctx;
    return groups[a].n_nodes > groups[b].n_nodes;
}

static void keep_most(struct view_free *most, const struct view_free *free)
{
    most->cpu = free->cpu > most->cpu ? free->cpu : most->cpu;
    most->memory_mib = free->memory_mib > most->memory_mib ? free->memory_mib : most->memory_mib;
    most->gpus = free->gpus > most->gpus ? free->gpus : most->gpus;
    most->n_tasks = free->n_tasks > most->n_tasks ? free->n_tasks : most->n_tasks;
}

static void make_groups(struct work *w)
{
    struct survey *ret = w->ret;
    struct survey_group found[GROUPS_MAX];
    uint32_t order[GROUPS_MAX], scratch[GROUPS_MAX];
    uint32_t n = 0;
    for (uint32_t i = 0; i < ret->n_nodes; i++) {
        const struct survey_node *node = &ret->nodes[i];
        uint32_t g = 0;
        while (g < n && !in_group(&found[g], node)) {
            g++;
        }
        if (node->reasons == 0 || g == GROUPS_MAX) {
            continue;
        }
        if (g == n) {
            found[n++] = (struct survey_group){node->reasons,    node->members, node->attribute,
                                               node->port_entry, node->port,    0,
                                               node->slot,       node->free};
        }
        found[g].n_nodes++;
        keep_most(&found[g].most, &node->free);
    }
    for (uint32_t i = 0; i < n; i++) {
        order[i] = i;
    }
    sort_u32(order, n, scratch, larger_group, found);
    ret->groups = arena_array(w->arena, n, sizeof *ret->groups);
    ret->n_groups = n;
    for (uint32_t i = 0; i < n; i++) {
        ret->groups[i] = found[order[i]];
    }
}

/* --- what would help -------------------------------------------------------------------------- */

/* Keep the cheapest, in order. */
static void offer(struct survey *ret, const struct survey_fix *fix)
{
    uint32_t at = ret->n_fixes;
    if (at == SURVEY_FIXES_MAX) {
        if (ret->fixes[--at].cost <= fix->cost) {
            return;
        }
    } else {
        ret->n_fixes++;
    }
    for (; at > 0 && ret->fixes[at - 1].cost > fix->cost; at--) {
        ret->fixes[at] = ret->fixes[at - 1];
    }
    ret->fixes[at] = *fix;
}

/* As much of an amount as there is, where it is what lacks. */
static uint32_t reduced(uint32_t needed, int32_t available)
{
    return (int64_t)needed > available ? (uint32_t)available : needed;
}

/* Less of these amounts (bits of reasons), as little less as possible. */
static void offer_amounts(struct work *w, uint32_t lacking)
{
    const struct place_request *r = w->request;
    const struct survey_node *best = NULL;
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < w->ret->n_nodes; i++) {
        const struct survey_node *n = &w->nodes[i];
        bool possible =
            n->free.cpu >= (r->cpu > 0) && n->free.memory_mib > 0 && n->free.gpus >= (r->gpus > 0);
        if (n->reasons == lacking && possible && w->short_of[i] < least) {
            least = w->short_of[i];
            best = n;
        }
    }
    if (best == NULL) {
        return;
    }
    struct survey_fix fix = {.change = SURVEY_AMOUNTS,
                             .cpu = reduced(r->cpu, best->free.cpu),
                             .memory_mib = reduced(r->memory_mib, best->free.memory_mib),
                             .gpus = reduced(r->gpus, best->free.gpus),
                             .cost = (uint32_t)least};
    for (uint32_t i = 0; i < w->ret->n_nodes; i++) {
        const struct survey_node *n = &w->nodes[i];
        fix.n_nodes += (n->reasons & ~AMOUNTS) == 0 && (int64_t)fix.cpu <= n->free.cpu &&
                       (int64_t)fix.memory_mib <= n->free.memory_mib &&
                       (int64_t)fix.gpus <= n->free.gpus;
    }
    offer(w->ret, &fix);
}

/* Nodes against which nothing but this stands. */
static void offer_without(struct work *w, enum place_reason reason, enum survey_change change,
                          uint32_t cost, uint32_t n_which)
{
    for (uint32_t which = 0; which < n_which; which++) {
        struct survey_fix fix = {.change = change, .which = which, .cost = cost};
        for (uint32_t i = 0; i < w->ret->n_nodes; i++) {
            const struct survey_node *n = &w->nodes[i];
            bool it = reason == PLACE_MEMBER      ? n->members == 1u << which
                      : reason == PLACE_ATTRIBUTE ? n->attribute == which
                      : reason == PLACE_PORT      ? n->port_entry == which
                                                  : true;
            fix.n_nodes += n->reasons == BIT(reason) && it;
        }
        if (fix.n_nodes > 0) {
            offer(w->ret, &fix);
        }
    }
}

/* Would the task fit on the node if it were empty? */
static bool fits_when_empty(const struct work *w, const struct survey_node *n)
{
    const struct place_request *r = w->request;
    const struct view_slot *s = &w->solver->view->slots[n->slot];
    if ((n->reasons & (BIT(PLACE_ATTRIBUTE) | BIT(PLACE_MEMBER))) != 0 || s->cpu < r->cpu ||
        s->memory_mib < r->memory_mib || s->gpus < r->gpus) {
        return false;
    }
    for (uint32_t i = 0; i < r->n_ports; i++) {
        const struct place_port *p = &r->ports[i];
        if (p->host_port > 0 &&
            portset_last_in(&s->reserved[p->proto], p->host_port, p->count) != PORT_NONE) {
            return false;
        }
    }
    return true;
}

/* One more node: like the smallest that would do, or larger than all there are. */
static void offer_node(struct work *w)
{
    const struct place_request *r = w->request;
    const struct view *v = w->solver->view;
    uint32_t best = VIEW_NONE;
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < w->ret->n_nodes; i++) {
        const struct survey_node *n = &w->ret->nodes[i];
        const struct view_slot *s = &v->slots[n->slot];
        uint64_t size =
            (uint64_t)s->cpu * v->total_memory_mib + (uint64_t)s->memory_mib * v->total_cpu;
        if (size < least && fits_when_empty(w, n)) {
            least = size;
            best = n->slot;
        }
    }
    struct survey_fix fix = {.change = best == VIEW_NONE ? SURVEY_LARGER : SURVEY_LIKE,
                             .n_nodes = 1,
                             .like = best,
                             .cpu = r->cpu,
                             .memory_mib = r->memory_mib,
                             .gpus = r->gpus,
                             .cost = best == VIEW_NONE ? COST_LARGER : COST_LIKE};
    offer(w->ret, &fix);
}

static void find_fixes(struct work *w)
{
    const struct place_request *r = w->request;
    for (uint32_t cpu = 0; cpu < 2; cpu++) {
        for (uint32_t memory = 0; memory < 2; memory++) {
            for (uint32_t gpu = 0; gpu < 2; gpu++) {
                uint32_t lacking =
                    (cpu * BIT(PLACE_CPU)) | (memory * BIT(PLACE_MEMORY)) | (gpu * BIT(PLACE_GPU));
                if (lacking != 0) {
                    offer_amounts(w, lacking);
                }
            }
        }
    }
    offer_without(w, PLACE_AGENT, SURVEY_AGENT, COST_AGENT, 1);
    offer_without(w, PLACE_DRAINING, SURVEY_ACTIVATE, COST_ACTIVATE, 1);
    offer_without(w, PLACE_PORT, SURVEY_PORT, COST_PORT, r->n_ports);
    offer_without(w, PLACE_DISTINCT, SURVEY_DISTINCT, COST_DISTINCT, 1);
    offer_without(w, PLACE_MEMBER, SURVEY_MEMBER, COST_MEMBER, r->n_constraints);
    offer_without(w, PLACE_ATTRIBUTE, SURVEY_ATTRIBUTE, COST_ATTRIBUTE, r->n_attributes);
    offer_node(w);
}

static void keep_levels(struct work *w)
{
    const struct solver *s = w->solver;
    struct survey_level *levels = arena_array(w->arena, s->n_levels, sizeof *levels);
    for (uint32_t i = 0; i < s->n_levels; i++) {
        levels[i].kind = s->levels[i].kind;
        if (levels[i].kind == LEVEL_SPREAD) {
            const struct view_domain *d = &s->view->domains[s->levels[i].domain];
            levels[i].attribute = str_make(arena_dup(w->arena, d->name, d->n_name), d->n_name);
        }
    }
    w->ret->levels = levels;
    w->ret->n_levels = s->n_levels;
}

int place_survey(struct view *v, const struct place_request *request, struct survey *ret,
                 struct arena *arena, struct err *err)
{
    struct solver s;
    struct work w = {.solver = &s, .ret = ret, .request = request, .arena = arena};
    int rv = solver_open(&s, v, request, arena, err);
    if (rv != 0) {
        return rv;
    }
    memset(ret, 0, sizeof *ret);
    look_at_all(&w);
    sort_nodes(&w);
    make_groups(&w);
    keep_levels(&w);
    if (ret->n_feasible == 0) {
        find_fixes(&w);
    }
    view_group_release(v, s.group);
    return 0;
}
