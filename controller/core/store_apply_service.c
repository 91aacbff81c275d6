/* Services: what is wanted. Their tasks are made and stopped by plans. */
#include "controller/core/store_impl.h"

#include <string.h>

static bool check_service(const struct service *v, struct result *r)
{
    if (v->name.n == 0 || v->name.n > LIMIT_NAME) {
        store_reject(r, REJECT_INVALID, "A service name has 1 to %d characters.", LIMIT_NAME);
        return false;
    }
    if (v->desired > LIMIT_DESIRED_COUNT) {
        store_reject(r, REJECT_LIMIT, "The desired count is at most %d.", LIMIT_DESIRED_COUNT);
        return false;
    }
    if (v->n_constraints > LIMIT_PLACEMENT_CONSTRAINTS ||
        v->n_strategies > LIMIT_PLACEMENT_STRATEGIES || v->tags.n > LIMIT_TAGS) {
        store_reject(r, REJECT_LIMIT,
                     "At most %d placement constraints, %d placement strategies and %d tags.",
                     LIMIT_PLACEMENT_CONSTRAINTS, LIMIT_PLACEMENT_STRATEGIES, LIMIT_TAGS);
        return false;
    }
    for (uint32_t i = 0; i < v->n_constraints; i++) {
        if (v->constraints[i].type > CONSTRAINT_PRIORITY ||
            v->constraints[i].expression.n > LIMIT_EXPRESSION) {
            store_reject(r, REJECT_INVALID,
                         "A placement constraint is of no known type or longer "
                         "than %d bytes.",
                         LIMIT_EXPRESSION);
            return false;
        }
    }
    for (uint32_t i = 0; i < v->n_strategies; i++) {
        if (v->strategies[i].type > STRATEGY_BINPACK) {
            store_reject(r, REJECT_INVALID, "A placement strategy is of no known type.");
            return false;
        }
    }
    if (v->status > SERVICE_INACTIVE || v->scheduling > SCHEDULING_DAEMON ||
        v->launch_type > LAUNCH_EXTERNAL || v->propagate_tags > PROPAGATE_SERVICE) {
        store_reject(r, REJECT_INVALID, "A field of the service has a value that does not exist.");
        return false;
    }
    return true;
}

/* The ACTIVE revision (0: the latest), or SLOT_NONE and a rejection. `current` is acceptable in
 * any status: a service may keep its definition. */
static uint32_t find_taskdef(const struct store *s, struct str family, uint32_t revision,
                             uint32_t current, struct result *r)
{
    uint32_t slot =
        revision == 0 ? store_find_latest(s, family) : store_find_taskdef(s, family, revision);
    if (slot == SLOT_NONE) {
        store_reject(r, REJECT_TASKDEF_NOT_FOUND, "TaskDefinition not found.");
        return SLOT_NONE;
    }
    if (taskdef_at(s, slot)->status != TASKDEF_ACTIVE && slot != current) {
        store_reject(r, REJECT_TASKDEF_INACTIVE, "TaskDefinition is inactive");
        return SLOT_NONE;
    }
    return slot;
}

/* 19 decimal digits, as in "ecs-svc/1234567890123456789". */
static uint64_t deployment_id(const struct store *s, const struct command *cmd)
{
    uint64_t lowest = 1000000000000000000ull;
    return lowest + id_derive(cmd->seed, s->meta->revision, 0).lo % (8 * lowest);
}

static void new_deployment(const struct store *s, const struct command *cmd, uint32_t taskdef,
                           struct service *v)
{
    v->primary = (struct deployment){
        .id = deployment_id(s, cmd),
        .taskdef = taskdef,
        .created_at = s->meta->now,
        .updated_at = s->meta->now,
        .rollout = ROLLOUT_IN_PROGRESS,
    };
    v->n_start_failures = 0;
    v->retry_at = 0;
    v->steady = false;
}

static void fill_service(const struct store *s, const struct command *cmd, uint32_t cluster,
                         uint32_t taskdef, struct service *v)
{
    v->cluster = cluster;
    v->status = SERVICE_ACTIVE;
    v->created_at = s->meta->now;
    v->deleted_at = 0;
    v->events = NULL;
    v->n_events = 0;
    if (v->scheduling == SCHEDULING_DAEMON) {
        v->desired = 0;
    }
    new_deployment(s, cmd, taskdef, v);
}

/* An INACTIVE service of the name gives way: its row is used again, with the stopped tasks that
 * still name it. */
static void revive(struct store *s, uint32_t slot, struct service *v)
{
    const struct service *old = store_service_begin(s, slot);
    v->n_running = old->n_running;
    v->n_pending = old->n_pending;
    v->first_task = old->first_task;
    v->n_active = old->n_active;
    v->n_wanted = old->n_wanted;
    v->n_wanted_new = 0;
    v->n_unhealthy = old->n_unhealthy;
    v->in_gc = old->in_gc;
    v->version = old->version;
    store_replace(s, KIND_SERVICE, slot, v);
    store_service_end(s, slot);
}

/* May the name be used? *ret_old is an INACTIVE service that has it, or SLOT_NONE. */
static bool check_name(const struct store *s, uint32_t cluster, struct str name, uint32_t *ret_old,
                       struct result *r)
{
    uint32_t slot = store_find_service(s, cluster, name);
    *ret_old = slot;
    if (slot == SLOT_NONE) {
        if (store_full(s, KIND_SERVICE)) {
            store_reject(r, REJECT_LIMIT, "At most %d services.", LIMIT_SERVICES);
            return false;
        }
        return true;
    }
    switch ((enum service_status)service_at(s, slot)->status) {
    case SERVICE_ACTIVE:
        store_reject(r, REJECT_SERVICE_EXISTS, "Creation of service was not idempotent.");
        return false;
    case SERVICE_DRAINING:
        store_reject(r, REJECT_SERVICE_EXISTS, "Unable to Start a service that is still Draining.");
        return false;
    case SERVICE_INACTIVE:
        return true;
    }
    return false;
}

void store_service_create(struct store *s, const struct command *cmd, struct result *r)
{
    const struct cmd_service_create *c = &cmd->u.service_create;
    struct service v = c->service;
    uint32_t cluster = store_active_cluster(s, c->cluster, r);
    uint32_t token = SLOT_NONE;
    uint32_t taskdef;
    uint32_t old;
    struct id id;
    if (cluster == SLOT_NONE || !check_service(&v, r)) {
        return;
    }
    switch (store_token_check(s, cluster, CMD_SERVICE_CREATE, &c->token, r, &token)) {
    case TOKEN_NEW:
        break;
    case TOKEN_DUPLICATE:
        r->slot = (uint32_t)store_token(s, token)->ids[0].lo;
        return;
    case TOKEN_REFUSED:
        return;
    }
    taskdef = find_taskdef(s, c->family, c->revision, SLOT_NONE, r);
    if (taskdef == SLOT_NONE || !store_check_shares(s, cluster, v.providers, v.n_providers, r) ||
        !check_name(s, cluster, v.name, &old, r)) {
        return;
    }
    fill_service(s, cmd, cluster, taskdef, &v);
    if (old == SLOT_NONE) {
        store_insert(s, KIND_SERVICE, &v, &r->slot);
    } else {
        revive(s, old, &v);
        r->slot = old;
    }
    id = (struct id){(uint64_t)v.created_at, r->slot};
    store_token_keep(s, cluster, CMD_SERVICE_CREATE, &c->token, &id, 1);
}

/* The service a command names, or SLOT_NONE and a rejection. */
static uint32_t find_service(const struct store *s, struct str cluster, struct str name,
                             struct result *r)
{
    uint32_t at = store_active_cluster(s, cluster, r);
    uint32_t slot;
    if (at == SLOT_NONE) {
        return SLOT_NONE;
    }
    slot = store_find_service(s, at, name);
    if (slot == SLOT_NONE) {
        store_reject(r, REJECT_SERVICE_NOT_FOUND, "Service not found.");
    }
    return slot;
}

/* What the command asks for, on a copy of the row that borrows the command's arrays. */
static bool merge(const struct store *s, const struct command *cmd, struct service *v,
                  struct result *r)
{
    const struct cmd_service_update *c = &cmd->u.service_update;
    uint32_t taskdef = v->primary.taskdef;
    if (c->has_taskdef) {
        taskdef = find_taskdef(s, c->family, c->revision, taskdef, r);
        if (taskdef == SLOT_NONE) {
            return false;
        }
    }
    if (c->has_desired && v->scheduling == SCHEDULING_REPLICA && v->desired != c->desired) {
        v->desired = c->desired;
        v->primary.updated_at = s->meta->now;
        v->steady = false;
    }
    if (c->has_percents) {
        v->min_percent = c->min_percent;
        v->max_percent = c->max_percent;
    }
    if (c->has_constraints) {
        v->constraints = c->constraints;
        v->n_constraints = c->n_constraints;
    }
    if (c->has_strategies) {
        v->strategies = c->strategies;
        v->n_strategies = c->n_strategies;
    }
    if (c->has_propagate_tags) {
        v->propagate_tags = c->propagate_tags;
    }
    if (c->has_spec) {
        v->spec = c->spec;
    }
    if (c->has_providers) {
        v->providers = c->providers;
        v->n_providers = c->n_providers;
        if (!store_check_shares(s, v->cluster, v->providers, v->n_providers, r)) {
            return false;
        }
    }
    if (taskdef != v->primary.taskdef || c->force_new_deployment) {
        new_deployment(s, cmd, taskdef, v);
        v->n_wanted_new = 0;
    }
    return check_service(v, r);
}

void store_service_update(struct store *s, const struct command *cmd, struct result *r)
{
    const struct cmd_service_update *c = &cmd->u.service_update;
    struct service v;
    uint32_t slot = find_service(s, c->cluster, c->name, r);
    if (slot == SLOT_NONE) {
        return;
    }
    if (service_at(s, slot)->status != SERVICE_ACTIVE) {
        store_reject(r, REJECT_SERVICE_NOT_ACTIVE, "Service was not ACTIVE.");
        return;
    }
    v = *service_at(s, slot);
    if (!merge(s, cmd, &v, r)) {
        return;
    }
    (void)store_service_begin(s, slot);
    store_replace(s, KIND_SERVICE, slot, &v);
    store_service_end(s, slot);
    r->slot = slot;
}

void store_service_delete(struct store *s, const struct command *cmd, struct result *r)
{
    const struct cmd_service_delete *c = &cmd->u.service_delete;
    uint32_t slot = find_service(s, c->cluster, c->name, r);
    struct service *v;
    if (slot == SLOT_NONE) {
        return;
    }
    v = service_at(s, slot);
    if (v->status == SERVICE_INACTIVE) {
        store_reject(r, REJECT_SERVICE_NOT_FOUND, "Service not found.");
        return;
    }
    r->slot = slot;
    if (v->status == SERVICE_DRAINING) {
        return;
    }
    if (!c->force && v->scheduling == SCHEDULING_REPLICA && v->desired > 0) {
        store_reject(r, REJECT_SERVICE_HAS_TASKS,
                     "The service cannot be stopped while it is scaled above 0.");
        return;
    }
    v = store_service_begin(s, slot);
    v->status = SERVICE_DRAINING;
    v->desired = 0;
    v->steady = false;
    store_service_end(s, slot);
}

void store_service_event(struct store *s, uint32_t slot, struct id id, struct str message)
{
    struct service *v = service_at(s, slot);
    struct service_event event = {id, s->meta->now, {NULL, 0}};
    store_set_text(s, &event.message, message, LIMIT_EVENT);
    if (v->n_events == LIMIT_EVENTS) {
        store_set_text(s, &v->events[0].message, (struct str){NULL, 0}, 0);
        memmove(v->events, v->events + 1, (LIMIT_EVENTS - 1) * sizeof *v->events);
    } else {
        v->events = mem_resize(s->mem, v->events, v->n_events * sizeof *v->events,
                               (v->n_events + 1) * sizeof *v->events);
        v->n_events++;
    }
    v->events[v->n_events - 1] = event;
    store_touch(s, KIND_SERVICE, slot);
}
