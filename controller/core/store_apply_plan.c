/* Plans are decided on the leader's state and carried out on the state they arrive at. Every item
 * is checked again; one that no longer holds is dropped, and its service counts as changed, so that
 * the reconciler looks at it again. */
#include "common/base/plant.h"
#include "controller/core/store_impl.h"

/* --- tasks to create -----------------------------------------------------------------------------
 */

static bool bindings_valid(const struct plan_task *p, uint32_t n_containers)
{
    if (p->n_bindings != p->n_binding_owners) {
        return false;
    }
    for (uint32_t i = 0; i < p->n_bindings; i++) {
        if (p->bindings[i].host_port == 0 || p->bindings[i].proto >= PROTO_N ||
            p->binding_owner[i] >= n_containers) {
            return false;
        }
    }
    return true;
}

/* Take the ports while looking, so that one given twice in the item is noticed as well. */
static bool ports_free(struct store *s, const struct plan_task *p)
{
    struct portset *held = s->ports[p->node].held;
    uint32_t n = 0;
    bool all;
    if (PLANTED(PORT_TWICE)) {
        return true;
    }
    while (n < p->n_bindings) {
        const struct binding *b = &p->bindings[n];
        if (portset_last_in(&held[b->proto], b->host_port, 1) != PORT_NONE) {
            break;
        }
        portset_add(&held[b->proto], s->mem, b->host_port, 1);
        n++;
    }
    all = n == p->n_bindings;
    while (n > 0) {
        n--;
        portset_remove(&held[p->bindings[n].proto], p->bindings[n].host_port, 1);
    }
    return all;
}

static bool node_has_room(struct store *s, uint32_t cluster, const struct plan_task *p)
{
    const struct node *node = store_at(s, KIND_NODE, p->node);
    if (PLANTED(OVERCOMMIT)) {
        return node != NULL;
    }
    return node != NULL && node->cluster == cluster && node->status == NODE_ACTIVE &&
           node->connected && (uint64_t)node->cpu_used + p->cpu <= node->cpu &&
           (uint64_t)node->memory_used + p->memory <= node->memory &&
           (uint64_t)node->gpus_used + p->gpus <= node->gpus;
}

static bool daemon_wants(const struct store *s, const struct plan_task *p)
{
    const struct service *v = service_at(s, p->service);
    uint32_t slot = node_at(s, p->node)->first_task;
    while (slot != SLOT_NONE) {
        const struct task *t = task_at(s, slot);
        if (t->service == p->service && t->status != TASK_STOPPED && t->desired == TASK_RUNNING &&
            t->deployment == v->primary.id) {
            return false;
        }
        slot = t->on_node.next;
    }
    return true;
}

static bool service_wants(const struct store *s, uint32_t cluster, const struct plan_task *p)
{
    const struct service *v = store_at(s, KIND_SERVICE, p->service);
    uint64_t most;
    if (v == NULL || v->cluster != cluster || v->status != SERVICE_ACTIVE ||
        v->primary.id != p->deployment || v->primary.taskdef != p->taskdef) {
        return false;
    }
    if (v->scheduling == SCHEDULING_DAEMON) {
        return daemon_wants(s, p);
    }
    most = (uint64_t)v->desired * v->max_percent / 100;
    most = most < v->desired ? v->desired : most;
    return v->n_wanted < most || PLANTED(PLAN_TRUSTED);
}

static bool task_holds(struct store *s, uint32_t cluster, const struct plan_task *p)
{
    const struct taskdef *def = store_at(s, KIND_TASKDEF, p->taskdef);
    if (def == NULL || store_full(s, KIND_TASK) || p->overrides.n > LIMIT_OVERRIDES_BYTES ||
        p->tags.n > LIMIT_TAGS || p->priority > PRIORITY_MAX || id_is_none(p->id) ||
        store_find_task(s, p->id) != SLOT_NONE || !bindings_valid(p, def->n_containers) ||
        !node_has_room(s, cluster, p)) {
        return false;
    }
    if (p->service == SLOT_NONE ? def->status != TASKDEF_ACTIVE : !service_wants(s, cluster, p)) {
        return false;
    }
    return ports_free(s, p);
}

/* One container per container of the definition, with the bindings that are its own. */
static struct container *make_containers(struct store *s, const struct plan_task *p, uint32_t n)
{
    struct container *v = arena_array(&s->scratch, n, sizeof *v);
    for (uint32_t i = 0; i < n; i++) {
        v[i].bindings = arena_array(&s->scratch, p->n_bindings, sizeof *v[i].bindings);
    }
    for (uint32_t i = 0; i < p->n_bindings; i++) {
        struct container *c = &v[p->binding_owner[i]];
        c->bindings[c->n_bindings] = p->bindings[i];
        c->n_bindings++;
    }
    return v;
}

static void create_task(struct store *s, uint32_t cluster, const struct plan_task *p)
{
    uint32_t n = taskdef_at(s, p->taskdef)->n_containers;
    struct task row = {
        .id = p->id,
        .cluster = cluster,
        .service = p->service,
        .taskdef = p->taskdef,
        .node = p->node,
        .status = TASK_PENDING,
        .desired = TASK_RUNNING,
        .launch_type = p->launch_type,
        .priority = p->priority,
        .cpu = p->cpu,
        .memory = p->memory,
        .gpus = p->gpus,
        .deployment = p->deployment,
        .created_at = s->meta->now,
        .group = p->group,
        .started_by = p->started_by,
        .overrides = p->overrides,
        .containers = make_containers(s, p, n),
        .n_containers = n,
        .tags = p->tags,
    };
    store_insert(s, KIND_TASK, &row, NULL);
}

static void reconsider(struct store *s, uint32_t service)
{
    if (store_at(s, KIND_SERVICE, service) != NULL) {
        store_touch(s, KIND_SERVICE, service);
    }
}

static void create_tasks(struct store *s, const struct cmd_plan *c, struct result *r)
{
    struct id *ids = arena_array(&s->scratch, c->n_tasks, sizeof *ids);
    for (uint32_t i = 0; i < c->n_tasks; i++) {
        const struct plan_task *p = &c->tasks[i];
        if (task_holds(s, c->cluster, p)) {
            create_task(s, c->cluster, p);
            ids[r->n_done] = p->id;
            r->n_done++;
        } else {
            reconsider(s, p->service);
        }
    }
    r->ids = ids;
}

/* --- tasks to stop -------------------------------------------------------------------------------
 */

static void stop_tasks(struct store *s, const struct cmd_plan *c)
{
    for (uint32_t i = 0; i < c->n_stops; i++) {
        const struct plan_stop *p = &c->stops[i];
        const struct task *t = store_at(s, KIND_TASK, p->task);
        if (t != NULL && id_eq(t->id, p->id) && t->status != TASK_STOPPED &&
            t->desired == TASK_RUNNING) {
            store_unwant(s, p->task, p->stop_code, p->reason);
        }
    }
}

/* --- what a reconciler remembers -----------------------------------------------------------------
 */

static void end_service(struct store *s, uint32_t slot)
{
    struct service *v = service_at(s, slot);
    if (v->status != SERVICE_DRAINING || v->n_active > 0) {
        return;
    }
    v = store_service_begin(s, slot);
    v->status = SERVICE_INACTIVE;
    v->deleted_at = s->meta->now;
    store_service_end(s, slot);
}

static void note_service(struct store *s, const struct plan_service *p, struct id event_id)
{
    struct service *v = service_at(s, p->service);
    if (p->has_retry) {
        v->n_start_failures = p->n_start_failures;
        v->retry_at = p->retry_at;
    }
    if (p->has_steady) {
        v->steady = p->steady;
    }
    if (p->has_rollout && p->rollout <= ROLLOUT_FAILED) {
        v->primary.rollout = p->rollout;
        v->primary.updated_at = s->meta->now;
    }
    if (p->has_desired && v->scheduling == SCHEDULING_DAEMON) {
        v->desired = p->desired;
    }
    if (p->has_event) {
        store_service_event(s, p->service, event_id, p->event);
    }
    if (p->has_status && p->status == SERVICE_INACTIVE) {
        end_service(s, p->service);
    }
    store_touch(s, KIND_SERVICE, p->service);
}

/* Entries of one service follow each other; the version is that of before the command. */
static void note_services(struct store *s, const struct command *cmd)
{
    const struct cmd_plan *c = &cmd->u.plan;
    uint32_t last = SLOT_NONE;
    bool fresh = false;
    for (uint32_t i = 0; i < c->n_services; i++) {
        const struct plan_service *p = &c->services[i];
        const struct service *v = store_at(s, KIND_SERVICE, p->service);
        if (v == NULL) {
            continue;
        }
        fresh = p->service == last ? fresh : v->version == p->version;
        last = p->service;
        if (fresh) {
            note_service(s, p, id_derive(cmd->seed, s->meta->revision, i));
        } else {
            reconsider(s, p->service);
        }
    }
}

/* --- the command ---------------------------------------------------------------------------------
 */

static bool check_plan(const struct store *s, const struct cmd_plan *c, struct result *r)
{
    const struct cluster *cluster = store_at(s, KIND_CLUSTER, c->cluster);
    if ((uint64_t)c->n_tasks + c->n_stops + c->n_services > LIMIT_PLAN_ITEMS) {
        store_reject(r, REJECT_LIMIT, "At most %d items of a plan.", LIMIT_PLAN_ITEMS);
        return false;
    }
    if (c->n_tasks == 0) {
        return true;
    }
    if (cluster == NULL) {
        store_reject(r, REJECT_CLUSTER_NOT_FOUND, "Cluster not found.");
        return false;
    }
    if (cluster->status != CLUSTER_ACTIVE) {
        store_reject(r, REJECT_CLUSTER_INACTIVE, "The referenced cluster was inactive.");
        return false;
    }
    return true;
}

/* First what is remembered, whose versions are those of the leader's state; then the stops, which
 * make room. */
void store_plan(struct store *s, const struct command *cmd, struct result *r)
{
    const struct cmd_plan *c = &cmd->u.plan;
    uint32_t token = SLOT_NONE;
    if (!check_plan(s, c, r)) {
        return;
    }
    if (c->n_tasks > 0 &&
        store_token_check(s, c->cluster, CMD_PLAN, &c->token, r, &token) != TOKEN_NEW) {
        return;
    }
    note_services(s, cmd);
    stop_tasks(s, c);
    create_tasks(s, c, r);
    if (r->n_done > 0) {
        store_token_keep(s, c->cluster, CMD_PLAN, &c->token, r->ids, r->n_done);
    }
}
