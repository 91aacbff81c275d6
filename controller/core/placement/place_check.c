/* Which nodes are feasible, and why the others are not. */
#include "common/base/plant.h"
#include "controller/core/placement/place_impl.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

/* --- the request ------------------------------------------------------------------------------ */

static int check_limits(const struct place_request *r, struct err *err)
{
    const struct {
        const char *what;
        uint32_t n;
        uint32_t max;
    } limits[] = {
        {"cpu", r->cpu, VIEW_AMOUNT_MAX},
        {"memory", r->memory_mib, VIEW_AMOUNT_MAX},
        {"gpus", r->gpus, VIEW_AMOUNT_MAX},
        {"replicas", r->n_replicas, PLACE_REPLICAS_MAX},
        {"ports", r->n_ports, PLACE_PORTS_MAX},
        {"attributes", r->n_attributes, VIEW_ATTRIBUTES_MAX},
        {"placementConstraints", r->n_constraints, PLACE_CONSTRAINTS_MAX},
        {"placementStrategy", r->n_strategies, PLACE_STRATEGIES_MAX},
        {"group", (uint32_t)r->group.n, VIEW_TEXT_MAX},
    };
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        if (limits[i].n > limits[i].max) {
            return err_set(err, ERR_INVALID, "%s: %u is more than %u", limits[i].what, limits[i].n,
                           limits[i].max);
        }
    }
    return 0;
}

static bool overlap(const struct place_port *a, const struct place_port *b)
{
    return a->host_port > 0 && b->host_port > 0 && a->proto == b->proto &&
           a->host_port < (uint32_t)b->host_port + b->count &&
           b->host_port < (uint32_t)a->host_port + a->count;
}

static int check_ports(const struct place_request *r, struct err *err)
{
    for (uint32_t i = 0; i < r->n_ports; i++) {
        const struct place_port *p = &r->ports[i];
        if (p->proto >= VIEW_PROTO_N || p->count == 0 ||
            (uint32_t)p->host_port + p->count > UINT16_MAX + 1u) {
            return err_set(err, ERR_INVALID, "port mapping %u: %u+%u is no range of ports", i,
                           p->host_port, p->count);
        }
        for (uint32_t j = 0; j < i; j++) {
            if (overlap(p, &r->ports[j])) {
                return err_set(err, ERR_INVALID, "port mappings %u and %u: same host port %u", j, i,
                               p->host_port);
            }
        }
    }
    return 0;
}

uint32_t request_most(const struct place_request *r)
{
    uint32_t least = 0;
    for (uint32_t i = 0; i < r->n_constraints; i++) {
        const struct place_constraint *c = &r->constraints[i];
        if (c->kind != PLACE_MEMBER_OF) {
            uint32_t most = c->kind == PLACE_DISTINCT_INSTANCE ? 1 : c->most;
            least = least == 0 || most < least ? most : least;
        }
    }
    return least;
}

static int compile_constraints(struct solver *s, struct err *err)
{
    const struct place_request *r = s->request;
    s->most = request_most(r);
    for (uint32_t i = 0; i < r->n_constraints; i++) {
        if (r->constraints[i].kind != PLACE_MEMBER_OF) {
            continue;
        }
        int rv = view_query_get(s->view, r->constraints[i].expression, &s->queries[i], err);
        if (rv != 0) {
            return err_wrap(err, rv, "placementConstraints %u", i);
        }
        s->dynamic = s->dynamic || !view_query_is_static(s->view, s->queries[i]);
    }
    return 0;
}

static int mark_allowed(struct solver *s, struct err *err)
{
    const struct place_request *r = s->request;
    if (r->only == NULL && r->n_exclude == 0) {
        return 0;
    }
    s->allowed = arena_array(s->arena, s->view->n_slots + 1u, 1);
    memset(s->allowed, r->only == NULL, s->view->n_slots);
    for (uint32_t i = 0; r->only != NULL && i < r->n_only; i++) {
        if (!view_has(s->view, r->only[i])) {
            return err_set(err, ERR_INVALID, "node slot %u: there is none", r->only[i]);
        }
        s->allowed[r->only[i]] = 1;
    }
    for (uint32_t i = 0; i < r->n_exclude; i++) {
        if (r->exclude[i] < s->view->n_slots) {
            s->allowed[r->exclude[i]] = 0;
        }
    }
    return 0;
}

/* Is port entry a to be assigned before b? Long dynamic ranges need room most. */
static bool port_before(const struct place_port *a, const struct place_port *b)
{
    if ((a->host_port > 0) != (b->host_port > 0)) {
        return a->host_port > 0;
    }
    return a->count > b->count;
}

static void order_ports(struct solver *s)
{
    const struct place_request *r = s->request;
    s->port_order = arena_array(s->arena, r->n_ports, sizeof *s->port_order);
    for (uint32_t i = 0; i < r->n_ports; i++) {
        uint32_t at = i;
        for (; at > 0 && port_before(&r->ports[i], &r->ports[s->port_order[at - 1]]); at--) {
            s->port_order[at] = s->port_order[at - 1];
        }
        s->port_order[at] = (uint16_t)i;
    }
}

int solver_init(struct solver *s, struct view *v, const struct place_request *request,
                struct arena *arena, struct err *err)
{
    memset(s, 0, offsetof(struct solver, lanes));
    s->view = v;
    s->request = request;
    s->arena = arena;
    s->seed = request->seed;
    int rv = check_limits(request, err);
    if (rv == 0) {
        rv = check_ports(request, err);
    }
    if (rv == 0) {
        rv = compile_constraints(s, err);
    }
    if (rv == 0) {
        rv = mark_allowed(s, err);
    }
    if (rv != 0) {
        return rv;
    }
    s->group = view_group_find(v, request->group);
    if (request->n_constraints + request->n_attributes > 0) {
        s->verdicts = arena_array(arena, v->n_classes, 1);
    }
    order_ports(s);
    return 0;
}

/* --- one node --------------------------------------------------------------------------------- */

static bool has_attribute(const struct view_class *c, const struct place_attribute *want)
{
    struct str value;
    return view_class_attribute(c, want->name, &value) &&
           (want->any_value || str_eq(value, want->value));
}

uint32_t solver_missing_attribute(const struct solver *s, uint32_t slot)
{
    const struct place_request *r = s->request;
    const struct view_class *c = &s->view->classes[s->view->hot[slot].class];
    uint32_t i = 0;
    while (i < r->n_attributes && has_attribute(c, &r->attributes[i])) {
        i++;
    }
    return i;
}

/* The first memberOf constraint that does not select the node, or n_constraints. */
static uint32_t failed_constraint(struct solver *s, uint32_t slot, bool only_static)
{
    const struct place_request *r = s->request;
    uint32_t i = 0;
    for (; i < r->n_constraints; i++) {
        if (r->constraints[i].kind != PLACE_MEMBER_OF ||
            (only_static && !view_query_is_static(s->view, s->queries[i]))) {
            continue;
        }
        if (!view_query_selects(s->view, s->queries[i], slot)) {
            break;
        }
    }
    return i;
}

bool solver_admits_class(struct solver *s, uint32_t class, uint32_t slot)
{
    if (s->verdicts == NULL) {
        return true;
    }
    if (s->verdicts[class] == VERDICT_UNKNOWN) {
        bool yes = solver_missing_attribute(s, slot) == s->request->n_attributes &&
                   failed_constraint(s, slot, true) == s->request->n_constraints;
        s->verdicts[class] = yes ? VERDICT_YES : VERDICT_NO;
    }
    return s->verdicts[class] == VERDICT_YES;
}

bool solver_is_full(const struct solver *s, uint32_t slot)
{
    return s->most > 0 && view_group_count(s->view, s->group, slot) >= s->most;
}

bool solver_admits(struct solver *s, uint32_t slot)
{
    const struct place_request *r = s->request;
    const struct view_hot *node = &s->view->hot[slot];
    if (PLANTED(OVERCOMMIT)) {
        return true;
    }
    if ((int64_t)r->cpu > node->free.cpu || (int64_t)r->memory_mib > node->free.memory_mib ||
        (int64_t)r->gpus > node->free.gpus) {
        return false;
    }
    if (s->allowed != NULL && s->allowed[slot] == 0) {
        return false;
    }
    if (!solver_admits_class(s, node->class, slot)) {
        return false;
    }
    if (solver_is_full(s, slot)) {
        return false;
    }
    if (s->dynamic && failed_constraint(s, slot, false) < r->n_constraints) {
        return false;
    }
    return r->n_ports == 0 || solver_assign_ports(s, slot, NULL, NULL);
}

/* --- ports ------------------------------------------------------------------------------------ */

/* The highest port within [first, first + count) that is in use on the node or was given to one of
 * the entries order[0 .. n_given), or PORT_NONE. */
static uint16_t conflict(const struct solver *s, const struct view_slot *node, uint32_t n_given,
                         const uint16_t *given, uint8_t proto, uint32_t first, uint32_t count)
{
    uint16_t worst =
        PLANTED(PORT_TWICE) ? PORT_NONE : view_port_conflict(node, proto, (uint16_t)first, count);
    for (uint32_t i = 0; i < n_given; i++) {
        const struct place_port *p = &s->request->ports[s->port_order[i]];
        uint32_t last = given[s->port_order[i]] + p->count - 1u;
        if (p->proto != proto || last < first || given[s->port_order[i]] >= first + count) {
            continue;
        }
        last = last < first + count ? last : first + count - 1;
        worst = last > worst ? (uint16_t)last : worst;
    }
    return worst;
}

/* The first free range of count ports that starts in [from, to]; 0 when there is none. */
static uint16_t find_range(const struct solver *s, const struct view_slot *node, uint32_t n_given,
                           const uint16_t *given, const struct place_port *p, uint32_t from,
                           uint32_t to)
{
    while (from <= to && from + p->count - 1 <= node->dynamic_last) {
        uint16_t taken = conflict(s, node, n_given, given, p->proto, from, p->count);
        if (taken == PORT_NONE) {
            return (uint16_t)from;
        }
        from = taken + 1u;
    }
    return 0;
}

/* From the cursor to the end, then from the start: ports are not used again at once, but none is
 * ever out of reach. */
static uint16_t find_dynamic(const struct solver *s, const struct view_slot *node, uint32_t n_given,
                             const uint16_t *given, const struct place_port *p, bool rotate)
{
    uint16_t found = 0;
    uint32_t start = rotate ? node->cursor[p->proto] : node->dynamic_first;
    for (uint32_t i = 0; i < n_given && rotate; i++) {
        /* Later entries of the same task go on behind the earlier ones. */
        const struct place_port *q = &s->request->ports[s->port_order[i]];
        uint32_t after = (uint32_t)given[s->port_order[i]] + q->count;
        if (q->host_port == 0 && q->proto == p->proto) {
            start = after > node->dynamic_last ? node->dynamic_first : after;
        }
    }
    found = find_range(s, node, n_given, given, p, start, node->dynamic_last);
    if (found == 0 && start > node->dynamic_first) {
        found = find_range(s, node, n_given, given, p, node->dynamic_first, start - 1u);
    }
    return found;
}

static bool assign(const struct solver *s, uint32_t slot, bool rotate, uint16_t *ret,
                   struct place_why *why)
{
    const struct place_request *r = s->request;
    const struct view_slot *node = &s->view->slots[slot];
    for (uint32_t i = 0; i < r->n_ports; i++) {
        uint16_t entry = s->port_order[i];
        const struct place_port *p = &r->ports[entry];
        uint16_t taken = PORT_NONE;
        if (p->host_port > 0) {
            ret[entry] = p->host_port;
            taken = view_port_conflict(node, p->proto, p->host_port, p->count);
        } else {
            ret[entry] = find_dynamic(s, node, i, ret, p, rotate);
        }
        if (taken != PORT_NONE || ret[entry] == 0) {
            *why = (struct place_why){
                .reason = PLACE_PORT, .which = entry, .needed = p->count, .port = taken};
            return false;
        }
    }
    return true;
}

bool solver_assign_ports(const struct solver *s, uint32_t slot, uint16_t *ret,
                         struct place_why *ret_why)
{
    uint16_t given[PLACE_PORTS_MAX];
    struct place_why why;
    /* Where the search starts must not decide whether several ranges fit, so before giving up it
     * starts from the beginning. */
    bool ok = assign(s, slot, true, given, &why);
    if (!ok && why.port == PORT_NONE) {
        ok = assign(s, slot, false, given, &why);
    }
    if (ok && ret != NULL) {
        memcpy(ret, given, s->request->n_ports * sizeof given[0]);
    } else if (!ok && ret_why != NULL) {
        *ret_why = why;
    }
    return ok;
}

/* --- reasons ---------------------------------------------------------------------------------- */

static bool lacks(struct place_why *why, enum place_reason reason, uint32_t needed,
                  int32_t available)
{
    if ((int64_t)needed <= available) {
        return false;
    }
    why->reason = reason;
    why->needed = needed;
    why->available = available;
    return true;
}

enum place_reason solver_state_reason(const struct solver *s, uint32_t slot)
{
    const struct view_hot *node = &s->view->hot[slot];
    if (s->allowed != NULL && s->allowed[slot] == 0) {
        return PLACE_EXCLUDED;
    }
    if (node->status == VIEW_INACTIVE) {
        return PLACE_INACTIVE;
    }
    if (node->status == VIEW_DRAINING) {
        return PLACE_DRAINING;
    }
    return node->agent_connected ? PLACE_OK : PLACE_AGENT;
}

static bool breaks_constraint(struct solver *s, uint32_t slot, struct place_why *why)
{
    if (!s->dynamic && solver_admits_class(s, s->view->hot[slot].class, slot)) {
        return false; /* The usual case, known by class. */
    }
    uint32_t which = solver_missing_attribute(s, slot);
    if (which < s->request->n_attributes) {
        why->reason = PLACE_ATTRIBUTE;
        why->which = which;
        return true;
    }
    which = failed_constraint(s, slot, false);
    if (which < s->request->n_constraints) {
        why->reason = PLACE_MEMBER;
        why->which = which;
        return true;
    }
    return false;
}

void solver_explain(struct solver *s, uint32_t slot, struct place_why *ret)
{
    const struct place_request *r = s->request;
    const struct view_free *free = &s->view->hot[slot].free;
    struct place_why why = {.reason = solver_state_reason(s, slot)};
    if (why.reason != PLACE_OK) {
        goto done;
    }
    if (breaks_constraint(s, slot, &why)) {
        goto done;
    }
    if (solver_is_full(s, slot)) {
        why.reason = PLACE_DISTINCT;
        why.needed = s->most;
        why.available = (int32_t)s->most;
        goto done;
    }
    if (lacks(&why, PLACE_CPU, r->cpu, free->cpu) ||
        lacks(&why, PLACE_MEMORY, r->memory_mib, free->memory_mib) ||
        lacks(&why, PLACE_GPU, r->gpus, free->gpus)) {
        goto done;
    }
    if (!solver_assign_ports(s, slot, NULL, &why)) {
        assert(why.reason == PLACE_PORT);
    }
done:
    why.slot = slot;
    *ret = why;
}

/* Is a further from having room than b? */
static bool further(const struct view *v, const struct place_why *a, const struct place_why *b)
{
    int64_t a_short = (int64_t)a->needed - a->available;
    int64_t b_short = (int64_t)b->needed - b->available;
    if (a->reason != b->reason) {
        return a->reason < b->reason;
    }
    if (a_short != b_short) {
        return a_short > b_short;
    }
    return id_cmp(v->hot[a->slot].id, v->hot[b->slot].id) > 0;
}

/* Let heap[i] sink until nothing below it is further; the furthest is on top. */
static void sink(const struct view *v, struct place_why *heap, uint32_t n, uint32_t i)
{
    for (uint32_t child = 2 * i + 1; child < n; child = 2 * i + 1) {
        if (child + 1 < n && further(v, &heap[child + 1], &heap[child])) {
            child++;
        }
        if (!further(v, &heap[child], &heap[i])) {
            return;
        }
        struct place_why t = heap[i];
        heap[i] = heap[child];
        heap[child] = t;
        i = child;
    }
}

/* Keep the nearest explain_max. */
static void keep_nearest(struct solver *s, struct placement *ret, const struct place_why *why)
{
    uint32_t max = s->request->explain_max;
    max = max < PLACE_EXPLAIN_MAX ? max : PLACE_EXPLAIN_MAX;
    if (ret->n_why < max) {
        ret->why[ret->n_why++] = *why;
        for (uint32_t i = ret->n_why / 2; ret->n_why == max && i-- > 0;) {
            sink(s->view, ret->why, ret->n_why, i);
        }
    } else if (max > 0 && further(s->view, &ret->why[0], why)) {
        ret->why[0] = *why;
        sink(s->view, ret->why, ret->n_why, 0);
    }
}

void solver_explain_all(struct solver *s, struct placement *ret)
{
    const struct view *v = s->view;
    uint32_t max = s->request->explain_max;
    ret->closest = (struct place_why){.slot = VIEW_NONE};
    ret->why =
        arena_array(s->arena, max < PLACE_EXPLAIN_MAX ? max : PLACE_EXPLAIN_MAX, sizeof *ret->why);
    for (uint32_t slot = 0; slot < v->n_slots; slot++) {
        struct place_why why;
        if (!v->hot[slot].used) {
            continue;
        }
        solver_explain(s, slot, &why);
        assert(why.reason != PLACE_OK);
        ret->refused[why.reason]++;
        if (ret->closest.slot == VIEW_NONE || further(v, &ret->closest, &why)) {
            ret->closest = why;
        }
        keep_nearest(s, ret, &why);
    }
    /* Heap sort: the furthest goes to the end. */
    for (uint32_t i = ret->n_why / 2; i-- > 0;) {
        sink(v, ret->why, ret->n_why, i);
    }
    for (uint32_t n = ret->n_why; n > 1; n--) {
        struct place_why t = ret->why[0];
        ret->why[0] = ret->why[n - 1];
        ret->why[n - 1] = t;
        sink(v, ret->why, n - 1, 0);
    }
}

int place_explain(struct view *v, const struct place_request *request, uint32_t slot,
                  struct place_why *ret, struct arena *arena, struct err *err)
{
    struct solver s;
    assert(view_has(v, slot));
    int rv = solver_init(&s, v, request, arena, err);
    if (rv == 0) {
        solver_explain(&s, slot, ret);
    }
    return rv;
}
