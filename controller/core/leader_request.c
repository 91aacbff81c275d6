/* From definitions and services to placement requests, and from placements back to plans. */
#include "common/base/hash.h"
#include "controller/core/leader_impl.h"

#include <assert.h>

struct str leader_copy(struct str text, struct arena *arena)
{
    return text.p == NULL ? text : str_make(arena_dup(arena, text.p, text.n), text.n);
}

struct tags leader_copy_tags(struct tags tags, struct arena *arena)
{
    struct tags copy = {arena_array(arena, tags.n, sizeof *tags.v), tags.n};
    for (uint32_t i = 0; i < tags.n; i++) {
        copy.v[i].key = leader_copy(tags.v[i].key, arena);
        copy.v[i].value = leader_copy(tags.v[i].value, arena);
    }
    return copy;
}

static void add_tag(struct tags *tags, struct str key, struct str value, struct arena *arena)
{
    if (tags->n < LIMIT_TAGS) {
        tags->v[tags->n++] = (struct tag){leader_copy(key, arena), leader_copy(value, arena)};
    }
}

/* Keys that begin with "aws:" are refused in requests, so none is there twice. */
struct tags leader_service_tags(const struct leader *l, const struct service *v,
                                struct arena *arena)
{
    struct tags none = {NULL, 0};
    const struct tags *from = &none;
    struct tags tags = {NULL, 0};
    bool managed = l->managed_tags != NULL && l->managed_tags(v);
    if (v->propagate_tags == PROPAGATE_TASKDEF) {
        from = &store_taskdef(l->store, v->primary.taskdef)->tags;
    } else if (v->propagate_tags == PROPAGATE_SERVICE) {
        from = &v->tags;
    }
    if (!managed) {
        return leader_copy_tags(*from, arena);
    }
    tags.v = arena_array(arena, (size_t)from->n + 2, sizeof *tags.v);
    for (uint32_t i = 0; i < from->n; i++) {
        add_tag(&tags, from->v[i].key, from->v[i].value, arena);
    }
    add_tag(&tags, STR("aws:ecs:clusterName"), store_cluster(l->store, v->cluster)->name, arena);
    add_tag(&tags, STR("aws:ecs:serviceName"), v->name, arena);
    return tags;
}

/* --- ports ---------------------------------------------------------------------------------------
 */

/* Does the mapping take a port of the node? In awsvpc mode a task has an address of its own. */
static bool uses_host_ports(const struct taskdef *def)
{
    return def->network_mode == NETWORK_BRIDGE || def->network_mode == NETWORK_HOST;
}

static uint16_t range_of(const struct port_mapping *m)
{
    return m->range == 0 ? 1 : m->range;
}

static void request_ports(const struct taskdef *def, struct place_request *ret, struct arena *arena)
{
    struct place_port *ports;
    uint32_t n = 0;
    for (uint32_t i = 0; i < def->n_containers; i++) {
        n += def->containers[i].n_ports;
    }
    if (n == 0 || !uses_host_ports(def)) {
        return;
    }
    ports = arena_array(arena, n, sizeof *ports);
    n = 0;
    for (uint32_t i = 0; i < def->n_containers; i++) {
        for (uint32_t k = 0; k < def->containers[i].n_ports; k++) {
            const struct port_mapping *m = &def->containers[i].ports[k];
            uint16_t port = def->network_mode == NETWORK_HOST ? m->container_port : m->host_port;
            ports[n] = (struct place_port){port, range_of(m), m->proto};
            n++;
        }
    }
    ret->ports = ports;
    ret->n_ports = n;
}

void leader_bind(const struct taskdef *def, const struct place_run *run, struct plan_task *item,
                 struct arena *arena)
{
    uint32_t n = 0;
    uint32_t at = 0;
    item->node = run->owner;
    if (!uses_host_ports(def)) {
        return;
    }
    for (uint32_t i = 0; i < def->n_containers; i++) {
        for (uint32_t k = 0; k < def->containers[i].n_ports; k++) {
            n += range_of(&def->containers[i].ports[k]);
        }
    }
    item->bindings = arena_array(arena, n, sizeof *item->bindings);
    item->binding_owner = arena_array(arena, n, sizeof *item->binding_owner);
    n = 0;
    for (uint32_t i = 0; i < def->n_containers; i++) {
        for (uint32_t k = 0; k < def->containers[i].n_ports; k++) {
            const struct port_mapping *m = &def->containers[i].ports[k];
            for (uint16_t j = 0; j < range_of(m); j++) {
                item->bindings[n] = (struct binding){(uint16_t)(m->container_port + j),
                                                     (uint16_t)(run->host_ports[at] + j), m->proto};
                item->binding_owner[n] = (uint8_t)i;
                n++;
            }
            at++;
        }
    }
    item->n_bindings = n;
    item->n_binding_owners = n;
}

/* --- constraints and strategies ------------------------------------------------------------------
 */

/* Returns how many there are for place(), to whose choice a priority is nothing. */
static uint32_t add_constraints(struct place_constraint *to, const struct constraint *v, uint32_t n)
{
    uint32_t n_added = 0;
    for (uint32_t i = 0; i < n; i++) {
        static const enum place_constraint_kind kinds[] = {
            [CONSTRAINT_DISTINCT_INSTANCE] = PLACE_DISTINCT_INSTANCE,
            [CONSTRAINT_MEMBER_OF] = PLACE_MEMBER_OF,
            [CONSTRAINT_MAX_PER_INSTANCE] = PLACE_MAX_PER_INSTANCE,
        };
        struct place_constraint *c = &to[n_added];
        uint64_t most = 1;
        if (v[i].type == CONSTRAINT_PRIORITY) {
            continue;
        }
        /* Rows may hold what no API accepts; an expression that does not parse is told. */
        c->kind = v[i].type < sizeof kinds / sizeof kinds[0] ? kinds[v[i].type] : PLACE_MEMBER_OF;
        if (c->kind == PLACE_MAX_PER_INSTANCE) {
            (void)str_u64(v[i].expression, &most); /* It was one when it was accepted. */
        }
        c->most = (uint32_t)most;
        c->expression = c->kind == PLACE_MEMBER_OF ? v[i].expression : STR("");
        n_added++;
    }
    return n_added;
}

uint8_t leader_priority(const struct constraint *constraints, uint32_t n)
{
    uint64_t priority = PRIORITY_DEFAULT;
    for (uint32_t i = 0; i < n; i++) {
        if (constraints[i].type == CONSTRAINT_PRIORITY) {
            (void)str_u64(constraints[i].expression, &priority); /* Likewise. */
        }
    }
    return (uint8_t)(priority < PRIORITY_MAX ? priority : PRIORITY_MAX);
}

uint8_t leader_priority_row(uint8_t priority)
{
    return priority == PRIORITY_DEFAULT ? 0 : priority;
}

uint8_t leader_priority_of(const struct task *t)
{
    return t->priority == 0 ? PRIORITY_DEFAULT : t->priority;
}

static int read_strategies(const struct leader_demand *d, struct place_strategy *to,
                           struct err *err)
{
    for (uint32_t i = 0; i < d->n_strategies; i++) {
        static const char *const names[] = {"random", "spread", "binpack"};
        const struct strategy *v = &d->strategies[i];
        int rv;
        if (v->type >= sizeof names / sizeof names[0]) {
            return err_set(err, ERR_INVALID, "placementStrategy: unknown type %u", v->type);
        }
        rv = place_strategy_read(str_of(names[v->type]), v->field, &to[i], err);
        if (rv != 0) {
            return rv;
        }
    }
    return 0;
}

int leader_request(const struct leader_demand *d, struct place_request *ret, struct arena *arena,
                   struct err *err)
{
    struct place_constraint *constraints = arena_array(
        arena, (size_t)d->n_constraints + d->def->n_constraints + 1, sizeof *constraints);
    struct place_strategy *strategies = arena_array(arena, d->n_strategies, sizeof *strategies);
    uint32_t n = add_constraints(constraints, d->constraints, d->n_constraints);
    n += add_constraints(constraints + n, d->def->constraints, d->def->n_constraints);
    if (d->n_providers > 0) {
        constraints[n] = leader_any_provider(d->providers, d->n_providers, arena);
        n++;
    }
    *ret = (struct place_request){
        .group = d->group,
        .cpu = d->cpu,
        .memory_mib = d->memory,
        .gpus = d->gpus,
        .n_replicas = d->count < PLACE_REPLICAS_MAX ? d->count : PLACE_REPLICAS_MAX,
        .constraints = constraints,
        .n_constraints = n,
        .strategies = strategies,
        .n_strategies = d->n_strategies,
        .seed = d->seed,
    };
    request_ports(d->def, ret, arena);
    return read_strategies(d, strategies, err);
}

int leader_service_request(const struct leader *l, const struct service *v, uint32_t count,
                           struct place_request *ret, struct arena *arena, struct err *err)
{
    /* As Amazon ECS places a service that does not say how. */
    static const struct strategy spread[] = {
        {STRATEGY_SPREAD,
         {"attribute:" VIEW_ATTRIBUTE_ZONE, sizeof "attribute:" VIEW_ATTRIBUTE_ZONE - 1}},
        {STRATEGY_SPREAD, {"instanceId", sizeof "instanceId" - 1}},
    };
    const struct taskdef *def = store_taskdef(l->store, v->primary.taskdef);
    bool spreads = v->n_strategies == 0 && v->scheduling == SCHEDULING_REPLICA;
    struct leader_demand d = {
        .def = def,
        .group = str_of(arena_printf(arena, "service:%.*s", STR_ARG(v->name))),
        .cpu = def->cpu,
        .memory = def->memory,
        .gpus = def->gpus,
        .count = count,
        .constraints = v->constraints,
        .n_constraints = v->n_constraints,
        .strategies = spreads ? spread : v->strategies,
        .n_strategies = spreads ? 2 : v->n_strategies,
        .providers = v->providers,
        .n_providers = v->n_providers,
        .seed = hash_mix(v->primary.id, store_meta(l->store)->revision),
    };
    return leader_request(&d, ret, arena, err);
}
