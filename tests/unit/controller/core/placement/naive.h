/* tests/unit/controller/core/placement/naive.h
 *
 * The rules of placement once more, written for obviousness: a list of nodes, a list of tasks, and
 * everything else added up from scratch each time. Constraints are kept as structs whose truth is
 * decided here, next to the text the engine gets. For the property tests. */
#ifndef TESTS_UNIT_CONTROLLER_CORE_PLACEMENT_NAIVE_H
#define TESTS_UNIT_CONTROLLER_CORE_PLACEMENT_NAIVE_H

#include "common/base/prng.h"
#include "controller/core/placement/place.h"

#define N_NODES       48
#define N_TASKS       600
#define N_PORTS       6
#define N_GROUPS      5
#define N_ZONES       3
#define N_TYPES       3
#define MOST_REPLICAS 8
#define PORT_END      2100 /* All ports of the tests are below. */

static const char *const zones[N_ZONES] = {"z0", "z1", "z2"};
static const char *const types[N_TYPES] = {"t0", "t1", "t2"};
static const char *const groups[N_GROUPS] = {"service:a", "service:b", "family:c", "d", ""};

struct node {
    bool live;
    uint32_t slot;
    int zone; /* -1: has none. */
    int type;
    bool special;
    uint64_t scarcity;
    struct view_node view;
    struct view_port reserved;
    struct view_attribute attributes[3];
};

struct task {
    bool live;
    bool reserved; /* Held by a reservation of the engine. */
    uint32_t node;
    int group;
    struct view_take take;
    struct view_port ports[N_PORTS];
};

struct world {
    struct node nodes[N_NODES];
    struct task tasks[N_TASKS];
    uint64_t next_id;
};

enum wish {
    WISH_DISTINCT,
    WISH_ZONE,
    WISH_TYPES,
    WISH_SPECIAL,
    WISH_NOT_SPECIAL,
    WISH_WITH_GROUP,
    WISH_WITHOUT_GROUP,
    WISH_FEW_TASKS,
    WISH_MIXED,
    WISH_N
};

struct want { /* A request, with the memory behind it. */
    struct place_request request;
    int group;
    int n_wishes;
    enum wish wishes[3];
    int arg[3];
    char text[3][100];
    struct place_constraint constraints[3];
    struct place_strategy strategies[4];
    struct place_port ports[N_PORTS];
    struct place_attribute attribute;
    uint32_t only[4];
    uint32_t exclude[4];
};

/* --- adding up -------------------------------------------------------------------------------- */

static inline struct view_free naive_free(const struct world *w, uint32_t node)
{
    const struct view_node *v = &w->nodes[node].view;
    struct view_free f = {(int32_t)v->cpu, (int32_t)v->memory_mib, (int32_t)v->gpus, 0};
    for (int i = 0; i < N_TASKS; i++) {
        const struct task *t = &w->tasks[i];
        if (t->live && t->node == node) {
            f.cpu -= (int32_t)t->take.cpu;
            f.memory_mib -= (int32_t)t->take.memory_mib;
            f.gpus -= (int32_t)t->take.gpus;
            f.n_tasks++;
        }
    }
    return f;
}

static inline uint32_t naive_group_on(const struct world *w, int group, uint32_t node)
{
    uint32_t n = 0;
    for (int i = 0; i < N_TASKS && groups[group][0] != '\0'; i++) {
        n += w->tasks[i].live && w->tasks[i].node == node && w->tasks[i].group == group;
    }
    return n;
}

/* Marks every port in use on the node; false when one is marked twice. */
static inline bool naive_ports(const struct world *w, uint32_t node,
                               bool used[VIEW_PROTO_N][PORT_END])
{
    const struct node *n = &w->nodes[node];
    bool ok = true;
    memset(used, 0, sizeof(bool[VIEW_PROTO_N][PORT_END]));
    for (int i = 0; i < N_TASKS; i++) {
        const struct task *t = &w->tasks[i];
        for (uint32_t p = 0; t->live && t->node == node && p < t->take.n_ports; p++) {
            for (uint32_t k = 0; k < t->ports[p].count; k++) {
                bool *u = &used[t->ports[p].proto][t->ports[p].first + k];
                ok = ok && !*u;
                *u = true;
            }
        }
    }
    for (uint32_t k = 0; k < n->reserved.count; k++) {
        used[n->reserved.proto][n->reserved.first + k] = true;
    }
    return ok;
}

/* --- feasible? -------------------------------------------------------------------------------- */

static inline bool naive_wish(const struct world *w, const struct want *q, int i, uint32_t node)
{
    const struct node *n = &w->nodes[node];
    switch (q->wishes[i]) {
    case WISH_DISTINCT:
        return naive_group_on(w, q->group, node) < (uint32_t)q->arg[i] + 1 ||
               groups[q->group][0] == '\0';
    case WISH_ZONE:
        return n->zone == q->arg[i];
    case WISH_TYPES:
        return n->type != q->arg[i];
    case WISH_SPECIAL:
        return n->special;
    case WISH_NOT_SPECIAL:
        return !n->special;
    case WISH_WITH_GROUP:
        return naive_group_on(w, q->arg[i], node) > 0;
    case WISH_WITHOUT_GROUP:
        return naive_group_on(w, q->arg[i], node) == 0;
    case WISH_FEW_TASKS:
        return (int)naive_free(w, node).n_tasks < q->arg[i];
    case WISH_MIXED:
        return n->special || (n->zone == 1 && (int)naive_free(w, node).n_tasks < q->arg[i]);
    case WISH_N:
        break;
    }
    abort();
}

/* Our requests have at most one dynamic range per protocol, so counting is exact. */
static inline bool naive_ports_fit(const struct world *w, const struct want *q, uint32_t node)
{
    static bool used[VIEW_PROTO_N][PORT_END];
    const struct view_node *v = &w->nodes[node].view;
    uint32_t need[VIEW_PROTO_N] = {0};
    uint32_t row[VIEW_PROTO_N] = {0};
    (void)naive_ports(w, node, used);
    for (uint32_t i = 0; i < q->request.n_ports; i++) {
        const struct place_port *p = &q->ports[i];
        for (uint32_t k = 0; p->host_port > 0 && k < p->count; k++) {
            if (used[p->proto][p->host_port + k]) {
                return false;
            }
            used[p->proto][p->host_port + k] = true;
        }
        if (p->host_port == 0) {
            need[p->proto] += p->count;
            row[p->proto] = p->count > row[p->proto] ? p->count : row[p->proto];
        }
    }
    for (int proto = 0; proto < VIEW_PROTO_N; proto++) {
        uint32_t n_free = 0, longest = 0, run = 0;
        for (uint32_t p = v->dynamic_first; p <= v->dynamic_last; p++) {
            run = used[proto][p] ? 0 : run + 1;
            n_free += !used[proto][p];
            longest = run > longest ? run : longest;
        }
        if (n_free < need[proto] || longest < row[proto]) {
            return false;
        }
    }
    return true;
}

static inline bool naive_listed(const uint32_t *list, uint32_t n, uint32_t slot)
{
    for (uint32_t i = 0; i < n; i++) {
        if (list[i] == slot) {
            return true;
        }
    }
    return false;
}

static inline enum place_reason naive_reason(const struct world *w, const struct want *q,
                                             uint32_t node)
{
    const struct place_request *r = &q->request;
    const struct node *n = &w->nodes[node];
    struct view_free f = naive_free(w, node);
    if ((r->only != NULL && !naive_listed(r->only, r->n_only, n->slot)) ||
        naive_listed(r->exclude, r->n_exclude, n->slot)) {
        return PLACE_EXCLUDED;
    }
    if (n->view.status != VIEW_ACTIVE) {
        return n->view.status == VIEW_DRAINING ? PLACE_DRAINING : PLACE_INACTIVE;
    }
    if (!n->view.agent_connected) {
        return PLACE_AGENT;
    }
    if (r->n_attributes > 0 &&
        (r->attributes->any_value ? !n->special : !str_eqc(r->attributes->value, types[n->type]))) {
        return PLACE_ATTRIBUTE;
    }
    for (int i = 0; i < q->n_wishes; i++) {
        if (q->wishes[i] != WISH_DISTINCT && !naive_wish(w, q, i, node)) {
            return PLACE_MEMBER;
        }
    }
    for (int i = 0; i < q->n_wishes; i++) {
        if (!naive_wish(w, q, i, node)) {
            return PLACE_DISTINCT;
        }
    }
    if ((int64_t)r->cpu > f.cpu) {
        return PLACE_CPU;
    }
    if ((int64_t)r->memory_mib > f.memory_mib) {
        return PLACE_MEMORY;
    }
    if ((int64_t)r->gpus > f.gpus) {
        return PLACE_GPU;
    }
    return naive_ports_fit(w, q, node) ? PLACE_OK : PLACE_PORT;
}

/* --- scarce? ---------------------------------------------------------------------------------- */

/* Would the request's rules about kinds of nodes admit it? *ret_any: has it any? */
static inline bool naive_kind(const struct world *w, const struct want *q, uint32_t node,
                              bool *ret_any)
{
    const struct place_request *r = &q->request;
    const struct node *n = &w->nodes[node];
    bool yes = true;
    *ret_any = r->n_attributes > 0;
    if (r->n_attributes > 0) {
        yes = r->attributes->any_value ? n->special : str_eqc(r->attributes->value, types[n->type]);
    }
    for (int i = 0; i < q->n_wishes; i++) {
        if (q->wishes[i] == WISH_ZONE || q->wishes[i] == WISH_TYPES ||
            q->wishes[i] == WISH_SPECIAL || q->wishes[i] == WISH_NOT_SPECIAL) {
            *ret_any = true;
            yes = yes && naive_wish(w, q, i, node);
        }
    }
    return yes;
}

/* Add what one demand makes of it, in thousandths. */
static inline void naive_scarcity(struct world *w, const struct want *q, uint64_t n_tasks)
{
    const struct place_request *r = &q->request;
    uint64_t all = 0, admitted = 0;
    bool any = false;
    for (uint32_t i = 0; i < N_NODES; i++) {
        const struct view_node *v = &w->nodes[i].view;
        uint64_t size = r->gpus > 0 ? v->gpus : v->memory_mib;
        if (w->nodes[i].live) {
            all += size;
            admitted += naive_kind(w, q, i, &any) ? size : 0;
        }
    }
    if (!any || admitted == 0 || admitted == all) {
        return;
    }
    uint64_t share = n_tasks * (r->gpus > 0 ? r->gpus : r->memory_mib) * 1000 / admitted;
    for (uint32_t i = 0; i < N_NODES; i++) {
        if (w->nodes[i].live && naive_kind(w, q, i, &any)) {
            w->nodes[i].scarcity += share < 1000 ? share : 1000;
        }
    }
}

/* --- better? ---------------------------------------------------------------------------------- */

#define N_SCORES 11

static inline uint64_t naive_spread(const struct world *w, const struct want *q,
                                    struct str attribute, uint32_t node)
{
    uint64_t n = 0;
    bool by_zone = str_eqc(attribute, VIEW_ATTRIBUTE_ZONE);
    if (by_zone && w->nodes[node].zone < 0) {
        return UINT64_MAX;
    }
    for (uint32_t i = 0; i < N_NODES; i++) {
        bool same = by_zone ? w->nodes[i].zone == w->nodes[node].zone
                            : w->nodes[i].type == w->nodes[node].type;
        n += w->nodes[i].live && same ? naive_group_on(w, q->group, i) : 0;
    }
    return n;
}

/* The criteria in order; random ones count as equal, and what follows them too. */
static inline void naive_score(const struct world *w, const struct want *q, uint32_t node,
                               uint64_t score[N_SCORES], bool *ret_random)
{
    const struct place_request *r = &q->request;
    struct view_free f = naive_free(w, node);
    uint64_t cpu = (uint64_t)(f.cpu - (int32_t)r->cpu);
    uint64_t memory = (uint64_t)(f.memory_mib - (int32_t)r->memory_mib);
    int n = 0;
    memset(score, 0, N_SCORES * sizeof *score);
    for (uint32_t i = 0; i < r->n_strategies; i++) {
        const struct place_strategy *s = &r->strategies[i];
        if (s->kind == PLACE_RANDOM) {
            *ret_random = true;
            return;
        }
        score[n++] = s->kind == PLACE_BINPACK_CPU      ? cpu
                     : s->kind == PLACE_BINPACK_MEMORY ? memory
                     : s->kind == PLACE_SPREAD_NODE    ? naive_group_on(w, q->group, node)
                                                       : naive_spread(w, q, s->attribute, node);
    }
    score[n++] = r->gpus == 0 && w->nodes[node].view.gpus > 0;
    score[n++] = w->nodes[node].scarcity;
    score[n++] = (uint64_t)(f.gpus - (int32_t)r->gpus);
    score[n++] = memory;
    score[n++] = cpu;
    score[n++] = w->nodes[node].view.id.hi;
    score[n++] = w->nodes[node].view.id.lo;
}

/* Is the node the right answer (or one of them, where chance decides)? */
static inline bool naive_is_best(const struct world *w, const struct want *q, uint32_t node)
{
    uint64_t mine[N_SCORES], other[N_SCORES];
    bool random = false;
    naive_score(w, q, node, mine, &random);
    for (uint32_t i = 0; i < N_NODES; i++) {
        if (!w->nodes[i].live || i == node || naive_reason(w, q, i) != PLACE_OK) {
            continue;
        }
        naive_score(w, q, i, other, &random);
        for (int k = 0; k < N_SCORES; k++) {
            if (mine[k] != other[k]) {
                if (mine[k] > other[k]) {
                    return false;
                }
                break;
            }
        }
    }
    return true;
}

/* --- drawing ---------------------------------------------------------------------------------- */

static inline int below(struct prng *p, int n)
{
    return (int)prng_below(p, (uint64_t)n);
}

static inline void draw_node(struct world *w, struct prng *p, uint32_t i)
{
    struct node *n = &w->nodes[i];
    struct id id = n->view.id;
    n->zone = below(p, N_ZONES + 1) - 1;
    n->type = below(p, N_TYPES);
    n->special = below(p, 3) == 0;
    uint32_t k = 0;
    if (n->special) {
        n->attributes[k++] = (struct view_attribute){STR("special"), STR("yes")};
    }
    n->attributes[k++] = (struct view_attribute){STR(VIEW_ATTRIBUTE_TYPE), str_of(types[n->type])};
    if (n->zone >= 0) {
        n->attributes[k++] =
            (struct view_attribute){STR(VIEW_ATTRIBUTE_ZONE), str_of(zones[n->zone])};
    }
    n->reserved = (struct view_port){(uint16_t)(1000 + below(p, 8)), (uint16_t)(1 + below(p, 3)),
                                     (uint8_t)below(p, VIEW_PROTO_N)};
    n->view = (struct view_node){
        .id = id,
        .owner = i,
        .status = below(p, 12) == 0   ? VIEW_DRAINING
                  : below(p, 15) == 0 ? VIEW_INACTIVE
                                      : VIEW_ACTIVE,
        .agent_connected = below(p, 10) != 0,
        .cpu = 1024u << below(p, 3),
        .memory_mib = 1000u * (uint32_t)(1 + below(p, 4)),
        .gpus = below(p, 4) == 0 ? (uint32_t)below(p, 4) : 0,
        .agent_version = STR("1.2.3"),
        .attributes = n->attributes,
        .n_attributes = k,
        .reserved = &n->reserved,
        .n_reserved = 1,
        .dynamic_first = 2000,
        .dynamic_last = (uint16_t)(2003 + below(p, 12)),
    };
}

static inline void draw_wish(struct want *q, struct prng *p, int i)
{
    enum wish wish = (enum wish)below(p, WISH_N);
    int arg = below(p, 3);
    char *text = q->text[i];
    size_t size = sizeof q->text[i];
    q->wishes[i] = wish;
    q->arg[i] = arg;
    switch (wish) {
    case WISH_DISTINCT:
        q->constraints[i] = arg == 0 ? (struct place_constraint){.kind = PLACE_DISTINCT_INSTANCE}
                                     : (struct place_constraint){.kind = PLACE_MAX_PER_INSTANCE,
                                                                 .most = (uint32_t)arg + 1};
        return;
    case WISH_ZONE:
        snprintf(text, size, "attribute:ecs.availability-zone == %s", zones[arg]);
        break;
    case WISH_TYPES:
        snprintf(text, size, "attribute:ecs.instance-type in [%s, '%s']", types[(arg + 1) % 3],
                 types[(arg + 2) % 3]);
        break;
    case WISH_SPECIAL:
        snprintf(text, size, "attribute:special exists");
        break;
    case WISH_NOT_SPECIAL:
        snprintf(text, size, "not(attribute:special =~ y.s)");
        break;
    case WISH_WITH_GROUP:
        snprintf(text, size, "task:group == %s", groups[arg]);
        break;
    case WISH_WITHOUT_GROUP:
        snprintf(text, size, "!(task:group == %s)", groups[arg]);
        break;
    case WISH_FEW_TASKS:
        q->arg[i] = 3 + 2 * arg;
        snprintf(text, size, "runningTasksCount < %d", q->arg[i]);
        break;
    case WISH_MIXED:
        q->arg[i] = 2 + 2 * arg;
        snprintf(text, size,
                 "attribute:special exists or attribute:ecs.availability-zone == z1 and "
                 "runningTasksCount < %d",
                 q->arg[i]);
        break;
    case WISH_N:
        break;
    }
    q->constraints[i] =
        (struct place_constraint){.kind = PLACE_MEMBER_OF, .expression = str_of(text)};
}

static inline void draw_ports(struct want *q, struct prng *p)
{
    static const int likely[] = {0, 0, 0, 1, 1, 2, 4};
    uint32_t n = (uint32_t)likely[below(p, 7)];
    bool range[VIEW_PROTO_N] = {false};
    bool taken[VIEW_PROTO_N][PORT_END] = {{false}};
    q->request.ports = q->ports;
    for (uint32_t i = 0; i < n; i++) {
        struct place_port *port = &q->ports[q->request.n_ports];
        port->proto = (uint8_t)below(p, VIEW_PROTO_N);
        port->count = 1;
        port->host_port = 0;
        if (below(p, 2) == 0) {
            port->host_port =
                (uint16_t)(below(p, 4) == 0 ? 2000 + below(p, 6) : 1000 + below(p, 16));
            if (taken[port->proto][port->host_port]) {
                continue;
            }
            taken[port->proto][port->host_port] = true;
        } else if (!range[port->proto] && below(p, 3) == 0) {
            port->count = (uint16_t)(2 + below(p, 3));
            range[port->proto] = true;
        }
        q->request.n_ports++;
    }
}

static inline void draw_strategies(struct want *q, struct prng *p, bool may_random)
{
    uint32_t n = (uint32_t)below(p, 4);
    q->request.strategies = q->strategies;
    for (uint32_t i = 0; i < n; i++) {
        int kind = below(p, may_random ? 6 : 5);
        struct place_strategy *s = &q->strategies[q->request.n_strategies++];
        *s = (struct place_strategy){.kind = kind == 0   ? PLACE_BINPACK_CPU
                                             : kind == 1 ? PLACE_BINPACK_MEMORY
                                             : kind == 2 ? PLACE_SPREAD_NODE
                                             : kind == 5 ? PLACE_RANDOM
                                                         : PLACE_SPREAD_ATTRIBUTE};
        if (s->kind == PLACE_SPREAD_ATTRIBUTE) {
            s->attribute = kind == 3 ? STR(VIEW_ATTRIBUTE_ZONE) : STR(VIEW_ATTRIBUTE_TYPE);
        }
    }
}

/* A random slot of a live node, or VIEW_NONE. */
static inline uint32_t draw_slot(const struct world *w, struct prng *p)
{
    for (int tries = 0; tries < 100; tries++) {
        int i = below(p, N_NODES);
        if (w->nodes[i].live) {
            return w->nodes[i].slot;
        }
    }
    return VIEW_NONE;
}

static inline void draw_lists(struct want *q, const struct world *w, struct prng *p)
{
    for (int i = 0; i < 4 && below(p, 2) == 0; i++) {
        uint32_t slot = draw_slot(w, p);
        if (slot != VIEW_NONE) {
            q->exclude[q->request.n_exclude++] = slot;
        }
    }
    q->request.exclude = q->exclude;
    if (below(p, 10) == 0) {
        q->request.only = q->only;
        for (int i = 0; i < 4; i++) {
            uint32_t slot = draw_slot(w, p);
            if (slot != VIEW_NONE) {
                q->only[q->request.n_only++] = slot;
            }
        }
    }
}

static inline void draw_want(struct want *q, const struct world *w, struct prng *p, bool may_random)
{
    memset(q, 0, sizeof *q);
    q->group = below(p, N_GROUPS);
    q->request.group = str_of(groups[q->group]);
    q->request.cpu = 64u * (uint32_t)below(p, 10);
    q->request.memory_mib = 50u * (uint32_t)below(p, 12);
    q->request.gpus = below(p, 5) == 0 ? 1 : 0;
    q->request.n_replicas = (uint32_t)(1 + below(p, below(p, 2) == 0 ? 3 : MOST_REPLICAS));
    q->request.seed = prng_u64(p);
    q->request.explain_max = PLACE_EXPLAIN_MAX;
    q->n_wishes = below(p, 3);
    q->request.constraints = q->constraints;
    q->request.n_constraints = (uint32_t)q->n_wishes;
    for (int i = 0; i < q->n_wishes; i++) {
        draw_wish(q, p, i);
    }
    draw_strategies(q, p, may_random);
    draw_ports(q, p);
    if (below(p, 6) == 0) {
        q->attribute = below(p, 2) == 0
                           ? (struct place_attribute){STR("special"), STR(""), true}
                           : (struct place_attribute){STR(VIEW_ATTRIBUTE_TYPE), STR("t1"), false};
        q->request.attributes = &q->attribute;
        q->request.n_attributes = 1;
    }
    if (below(p, 4) == 0) {
        draw_lists(q, w, p);
    }
}

#endif
