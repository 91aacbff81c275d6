/* What happened, in words for people: made from the command, what it changed and its outcome, on
 * every controller alike. Numbers and names are resolved here, because rows that are gone cannot be
 * asked any more. */
#include "common/base/plant.h"
#include "controller/ring/ring_impl.h"

#include <string.h>

struct tale { /* The records of one command. */
    struct ring *r;
    const struct command *cmd;
    const struct result *result;
    uint32_t position;
};

static void tell(struct tale *t, struct ring_record *record)
{
    const struct meta *meta = store_meta(t->r->store);
    record->revision = meta->revision;
    record->at = meta->now;
    record->position = t->position++;
    t->r->io->record(t->r->ctx, record);
}

/* --- names ---------------------------------------------------------------------------------------
 */

static struct str cluster_name(const struct tale *t, uint32_t slot)
{
    const struct cluster *c = store_cluster(t->r->store, slot);
    return c == NULL ? STR("") : c->name;
}

static struct str service_name(const struct tale *t, uint32_t slot)
{
    const struct service *v = store_service(t->r->store, slot);
    return v == NULL ? STR("") : v->name;
}

static struct str subject(struct tale *t, const char *kind, struct str name)
{
    return str_of(arena_printf(&t->r->told_arena, "%s/%.*s", kind, STR_ARG(name)));
}

static struct str hex(struct tale *t, struct id id)
{
    char text[ID_HEX_LEN + 1];
    id_hex(id, text);
    return str_of(arena_strdup(&t->r->told_arena, text));
}

static struct str revision_name(struct tale *t, struct str family, uint32_t revision)
{
    return str_of(arena_printf(&t->r->told_arena, "%.*s:%u", STR_ARG(family), revision));
}

static struct str taskdef_name(struct tale *t, uint32_t slot)
{
    const struct taskdef *d = store_taskdef(t->r->store, slot);
    return d == NULL ? STR("?") : revision_name(t, d->family, d->revision);
}

static struct str node_name(const struct tale *t, uint32_t slot)
{
    const struct node *n = store_node(t->r->store, slot);
    return n == NULL ? STR("?") : n->name;
}

/* --- tasks ---------------------------------------------------------------------------------------
 */

static struct ring_record about_task(struct tale *t, uint8_t kind, const struct task *task)
{
    const struct node *node = store_node(t->r->store, task->node);
    return (struct ring_record){
        .kind = kind,
        .cluster = cluster_name(t, task->cluster),
        .subject = subject(t, "task", hex(t, task->id)),
        .service = service_name(t, task->service),
        .node = node == NULL ? STR("") : hex(t, node->id),
    };
}

/* ", port 32768 -> 80/tcp" for each. */
static struct str ports(struct tale *t, const struct task *task)
{
    const char *text = "";
    for (uint32_t i = 0; i < task->n_containers; i++) {
        const struct container *c = &task->containers[i];
        for (uint32_t k = 0; k < c->n_bindings; k++) {
            const struct binding *b = &c->bindings[k];
            text = arena_printf(&t->r->told_arena, "%s, port %u -> %u/%s", text, b->host_port,
                                b->container_port, b->proto == PROTO_UDP ? "udp" : "tcp");
        }
    }
    return str_of(text);
}

/* "for service web by spread(attribute:ecs.availability-zone)" */
static const char *purpose(struct tale *t, const struct task *task)
{
    static const char *const names[] = {"random", "spread", "binpack"};
    const struct service *v = store_service(t->r->store, task->service);
    struct arena *a = &t->r->told_arena;
    const char *why = v == NULL ? arena_printf(a, "for %.*s", STR_ARG(task->group))
                                : arena_printf(a, "for service %.*s", STR_ARG(v->name));
    for (uint32_t i = 0; v != NULL && i < v->n_strategies; i++) {
        const struct strategy *s = &v->strategies[i];
        why =
            arena_printf(a, "%s%s%s%s%.*s%s", why, i == 0 ? " by " : ", ",
                         s->type <= STRATEGY_BINPACK ? names[s->type] : "?",
                         s->field.n == 0 ? "" : "(", STR_ARG(s->field), s->field.n == 0 ? "" : ")");
    }
    return why;
}

static void tell_placed(struct tale *t, const struct task *task)
{
    struct ring_record record = about_task(t, RING_RECORD_DECISION, task);
    record.text = str_of(
        arena_printf(&t->r->told_arena, "placed %.*s on %.*s: %s; cpu %u, memory %u%.*s",
                     STR_ARG(taskdef_name(t, task->taskdef)), STR_ARG(node_name(t, task->node)),
                     purpose(t, task), task->cpu, task->memory, STR_ARG(ports(t, task))));
    tell(t, &record);
}

/* Tasks placed by the hundred are told of together: a million of these records would say less, and
 * cost more than placing the tasks. */
#define PLACED_ONE_BY_ONE 20u

static void tell_placed_many(struct tale *t, const struct task *task, uint32_t n)
{
    struct ring_record record = about_task(t, RING_RECORD_DECISION, task);
    record.node = STR("");
    record.subject = record.service.n > 0 ? subject(t, "service", record.service)
                                          : subject(t, "group", task->group);
    record.text = str_of(arena_printf(
        &t->r->told_arena, "placed %u of %.*s: %s; cpu %u, memory %u each", n,
        STR_ARG(taskdef_name(t, task->taskdef)), purpose(t, task), task->cpu, task->memory));
    tell(t, &record);
}

/* The i-th task that the command made. */
static const struct task *made(const struct tale *t, uint32_t i)
{
    return store_task(t->r->store, store_find_task(t->r->store, t->result->ids[i]));
}

static bool are_alike(const struct task *a, const struct task *b)
{
    return b != NULL && a->service == b->service && a->taskdef == b->taskdef &&
           str_eq(a->group, b->group);
}

static void tell_all_placed(struct tale *t)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < t->result->n_done; i += n) {
        const struct task *first = made(t, i);
        for (n = 1;
             first != NULL && i + n < t->result->n_done && are_alike(first, made(t, i + n));) {
            n++;
        }
        if (n > PLACED_ONE_BY_ONE) {
            tell_placed_many(t, first, n);
            continue;
        }
        for (uint32_t k = 0; first != NULL && k < n; k++) {
            tell_placed(t, made(t, i + k));
        }
    }
}

/* "main exited 137 (OutOfMemory)", for each container that says something. */
static const char *ends(struct tale *t, const struct task *task)
{
    const struct taskdef *d = store_taskdef(t->r->store, task->taskdef);
    struct arena *a = &t->r->told_arena;
    const char *text = "";
    for (uint32_t i = 0; i < task->n_containers; i++) {
        const struct container *c = &task->containers[i];
        struct str name = d == NULL || i >= d->n_containers ? STR("?") : d->containers[i].name;
        if (c->has_exit_code) {
            text = arena_printf(a, "%s; %.*s exited %d", text, STR_ARG(name), c->exit_code);
        }
        if (c->reason.n > 0) {
            text = arena_printf(a, "%s%s%.*s (%.*s)", text, c->has_exit_code ? "" : "; ",
                                c->has_exit_code ? 0 : (int)name.n, name.p, STR_ARG(c->reason));
        }
    }
    return text;
}

static void tell_stopped(struct tale *t, uint32_t slot, const struct task *task)
{
    static const char *const codes[] = {
        [STOP_NONE] = "",
        [STOP_FAILED_TO_START] = ": TaskFailedToStart",
        [STOP_ESSENTIAL_EXITED] = ": EssentialContainerExited",
        [STOP_USER] = ": UserInitiated",
        [STOP_SERVICE_SCHEDULER] = ": ServiceSchedulerInitiated",
        [STOP_SPOT] = ": SpotInterruption",
        [STOP_TERMINATION_NOTICE] = ": TerminationNotice",
        [STOP_INFRASTRUCTURE] = ": InfrastructureFailure",
    };
    struct ring_record record = about_task(t, RING_RECORD_TASK, task);
    struct arena *a = &t->r->told_arena;
    const char *code = task->stop_code <= STOP_INFRASTRUCTURE ? codes[task->stop_code] : "";
    const char *ran = task->started_at == 0 || task->stopped_at < task->started_at
                          ? "never ran"
                          : arena_printf(a, "ran %lld s",
                                         (long long)(task->stopped_at - task->started_at) / 1000);
    record.text = str_of(arena_printf(
        a, "stopped %.*s on %.*s%s: %.*s%s; %s", STR_ARG(taskdef_name(t, task->taskdef)),
        STR_ARG(node_name(t, task->node)), code, STR_ARG(task->stop_reason), ends(t, task), ran));
    buf_clear(&t->r->row);
    if (codec_encode_row(t->r->codec, KIND_TASK, store_row(t->r->store, KIND_TASK, slot),
                         &t->r->row, NULL) == 0) {
        record.data = str_make((const char *)t->r->row.data, t->r->row.len);
    }
    tell(t, &record);
}

/* A stopped task changes no more, except for its tags. */
static void tell_tasks(struct tale *t)
{
    const struct changes *changes = &t->r->changes;
    if (t->cmd->kind == CMD_TAG || t->cmd->kind == CMD_UNTAG || t->cmd->kind == CMD_GC) {
        return;
    }
    for (uint32_t i = 0; i < changes->n; i++) {
        const struct task *task =
            changes->v[i].kind == KIND_TASK ? store_task(t->r->store, changes->v[i].slot) : NULL;
        if (task != NULL && task->status == TASK_STOPPED) {
            tell_stopped(t, changes->v[i].slot, task);
        }
    }
}

/* --- plans ---------------------------------------------------------------------------------------
 */

static struct ring_record about_service(struct tale *t, uint8_t kind, const struct service *v)
{
    return (struct ring_record){
        .kind = kind,
        .cluster = cluster_name(t, v->cluster),
        .subject = subject(t, "service", v->name),
        .service = v->name,
    };
}

static void tell_deployment(struct tale *t, const struct service *v)
{
    static const char *const states[] = {"IN_PROGRESS", "COMPLETED", "FAILED"};
    struct ring_record record = about_service(t, RING_RECORD_DEPLOYMENT, v);
    record.text = str_of(arena_printf(
        &t->r->told_arena, "deployment ecs-svc/%llu of %.*s: %s", (unsigned long long)v->primary.id,
        STR_ARG(taskdef_name(t, v->primary.taskdef)),
        v->primary.rollout <= ROLLOUT_FAILED ? states[v->primary.rollout] : "?"));
    tell(t, &record);
}

/* Was the i-th note of the plan taken, or was it about an earlier version of the service? The event
 * it made has the id that store_plan() derives. */
static bool has_event(const struct tale *t, const struct service *v, uint32_t i)
{
    const struct id id = id_derive(t->cmd->seed, store_meta(t->r->store)->revision, i);
    for (uint32_t k = v->n_events; k > 0; k--) {
        if (id_eq(v->events[k - 1].id, id)) {
            return true;
        }
    }
    return false;
}

static void tell_note(struct tale *t, uint32_t i)
{
    const struct plan_service *p = &t->cmd->u.plan.services[i];
    const struct service *v = store_service(t->r->store, p->service);
    if (v == NULL || v->version != store_meta(t->r->store)->revision) {
        return;
    }
    if (p->has_event && has_event(t, v, i)) {
        struct ring_record record = about_service(t, RING_RECORD_EVENT, v);
        record.text = p->event;
        tell(t, &record);
    }
    if (p->has_rollout && v->primary.rollout == p->rollout &&
        v->primary.updated_at == store_meta(t->r->store)->now) {
        tell_deployment(t, v);
    }
}

static void tell_plan(struct tale *t)
{
    const struct cmd_plan *p = &t->cmd->u.plan;
    for (uint32_t i = 0; i < p->n_services; i++) {
        tell_note(t, i);
    }
    for (uint32_t i = 0; i < p->n_stops; i++) {
        const struct task *task = store_task(t->r->store, p->stops[i].task);
        if (task != NULL && id_eq(task->id, p->stops[i].id) && task->desired == TASK_STOPPED &&
            task->version == store_meta(t->r->store)->revision) {
            struct ring_record record = about_task(t, RING_RECORD_DECISION, task);
            record.text = str_of(
                arena_printf(&t->r->told_arena, "is to stop: %.*s", STR_ARG(p->stops[i].reason)));
            tell(t, &record);
        }
    }
    if (!t->result->duplicate) {
        tell_all_placed(t);
    }
}

/* --- services and nodes --------------------------------------------------------------------------
 */

/* A new deployment began, if the service was given one now. */
static void tell_rollout(struct tale *t)
{
    const struct service *v = store_service(t->r->store, t->result->slot);
    if (v != NULL && !t->result->duplicate && v->version == store_meta(t->r->store)->revision &&
        v->primary.created_at == store_meta(t->r->store)->now) {
        tell_deployment(t, v);
    }
}

static void tell_node(struct tale *t, struct id id, const char *what)
{
    const struct node *n = store_node(t->r->store, store_find_node(t->r->store, id));
    struct ring_record record = {.kind = RING_RECORD_EVENT, .node = hex(t, id)};
    if (n == NULL) {
        return;
    }
    record.cluster = cluster_name(t, n->cluster);
    record.subject = subject(t, "node", record.node);
    record.text = str_of(arena_printf(&t->r->told_arena, "%.*s %s", STR_ARG(n->name), what));
    tell(t, &record);
}

/* Nothing is stopped for it: the tasks run, and may well fit in fact. No new ones are placed there.
 */
static void tell_registered(struct tale *t, struct id id)
{
    const struct node *n = store_node(t->r->store, store_find_node(t->r->store, id));
    const char *what = "registered";
    if (n != NULL &&
        (n->cpu_used > n->cpu || n->memory_used > n->memory || n->gpus_used > n->gpus)) {
        what =
            arena_printf(&t->r->told_arena,
                         "registered with less than its tasks hold: CPU units %u of %u, MiB %u of "
                         "%u, GPUs %u of %u; drain it, or give it back what it had",
                         n->cpu_used, n->cpu, n->memory_used, n->memory, n->gpus_used, n->gpus);
    }
    tell_node(t, id, what);
}

static const char *connection_text(uint8_t connection)
{
    static const char *const texts[] = {
        [CONNECTION_UP] = "connected",
        [CONNECTION_DOWN] = "disconnected",
        [CONNECTION_LOST] = "was given up: it said nothing for too long, its tasks are replaced",
    };
    return connection <= CONNECTION_LOST ? texts[connection] : "changed";
}

static void tell_events(struct tale *t)
{
    const struct command *cmd = t->cmd;
    switch (cmd->kind) {
    case CMD_PLAN:
        tell_plan(t);
        break;
    case CMD_SERVICE_CREATE:
    case CMD_SERVICE_UPDATE:
        tell_rollout(t);
        break;
    case CMD_NODE_REGISTER:
        tell_registered(t, cmd->u.node_register.node.id);
        break;
    case CMD_NODE_STATE:
        tell_node(t, cmd->u.node_ref.id,
                  cmd->u.node_ref.status == NODE_DRAINING ? "is DRAINING" : "is ACTIVE");
        break;
    case CMD_NODE_DEREGISTER:
        tell_node(t, cmd->u.node_ref.id, "was deregistered");
        break;
    case CMD_NODE_CONNECTION:
        if (t->r->changes.n > 0) {
            tell_node(t, cmd->u.connection.id, connection_text(cmd->u.connection.connection));
        }
        break;
    default:
        break;
    }
}

/* --- audit ---------------------------------------------------------------------------------------
 */

static void target_tags(struct tale *t, struct ring_record *record)
{
    static const char *const kinds[KIND_N] = {
        [KIND_CLUSTER] = "cluster", [KIND_TASKDEF] = "task-definition",
        [KIND_SERVICE] = "service", [KIND_NODE] = "node",
        [KIND_TASK] = "task",       [KIND_CAPACITY_PROVIDER] = "capacity-provider",
    };
    const struct cmd_tags *c = &t->cmd->u.tags;
    struct str name = c->name;
    if (c->kind >= KIND_N || kinds[c->kind] == NULL) {
        return;
    }
    if (c->kind == KIND_NODE || c->kind == KIND_TASK) {
        name = hex(t, c->id);
    } else if (c->kind == KIND_TASKDEF) {
        name = revision_name(t, c->name, c->revision);
    }
    record->subject = subject(t, kinds[c->kind], name);
}

static void target_service(struct tale *t, struct ring_record *record, struct str cluster,
                           struct str name)
{
    record->cluster = cluster;
    record->service = name;
    record->subject = subject(t, "service", name);
}

static void target_node(struct tale *t, struct ring_record *record, struct str cluster,
                        struct id id)
{
    record->cluster = cluster;
    record->node = hex(t, id);
    record->subject = subject(t, "node", record->node);
}

static void target_cluster(struct tale *t, struct ring_record *record, struct str cluster)
{
    record->cluster = cluster;
    record->subject = subject(t, "cluster", cluster);
}

static void target_plan(struct tale *t, struct ring_record *record)
{
    target_cluster(t, record, cluster_name(t, t->cmd->u.plan.cluster));
    if (t->result->n_done == 1) {
        record->subject = subject(t, "task", hex(t, t->result->ids[0]));
    }
}

static void target_taskdef(struct tale *t, struct ring_record *record)
{
    const struct taskdef *d = store_taskdef(t->r->store, t->result->slot);
    const struct cmd_taskdef_ref *ref = &t->cmd->u.taskdef_ref;
    struct str name;
    if (t->cmd->kind != CMD_TASKDEF_REGISTER) {
        name = revision_name(t, ref->family, ref->revision);
    } else if (t->result->reject == REJECT_NONE && d != NULL) {
        name = revision_name(t, d->family, d->revision);
    } else {
        name = t->cmd->u.taskdef.def.family;
    }
    record->subject = subject(t, "task-definition", name);
}

/* What the command was about. */
static void target(struct tale *t, struct ring_record *record)
{
    const struct command *cmd = t->cmd;
    switch (cmd->kind) {
    case CMD_CLUSTER_CREATE:
    case CMD_CLUSTER_UPDATE:
        target_cluster(t, record, cmd->u.cluster.name);
        break;
    case CMD_CLUSTER_DELETE:
        target_cluster(t, record, cmd->u.name.name);
        break;
    case CMD_PROVIDER_CREATE:
    case CMD_PROVIDER_UPDATE:
        record->subject = subject(t, "capacity-provider", cmd->u.provider.name);
        break;
    case CMD_PROVIDER_DELETE:
        record->subject = subject(t, "capacity-provider", cmd->u.name.name);
        break;
    case CMD_TASKDEF_REGISTER:
    case CMD_TASKDEF_DEREGISTER:
    case CMD_TASKDEF_DELETE:
        target_taskdef(t, record);
        break;
    case CMD_SERVICE_CREATE:
        target_service(t, record, cmd->u.service_create.cluster,
                       cmd->u.service_create.service.name);
        break;
    case CMD_SERVICE_UPDATE:
        target_service(t, record, cmd->u.service_update.cluster, cmd->u.service_update.name);
        break;
    case CMD_SERVICE_DELETE:
        target_service(t, record, cmd->u.service_delete.cluster, cmd->u.service_delete.name);
        break;
    case CMD_PLAN:
        target_plan(t, record);
        break;
    case CMD_TASK_STOP:
        record->cluster = cmd->u.task_stop.cluster;
        record->subject = subject(t, "task", hex(t, cmd->u.task_stop.id));
        break;
    case CMD_NODE_STATE:
    case CMD_NODE_DEREGISTER:
        target_node(t, record, cmd->u.node_ref.cluster, cmd->u.node_ref.id);
        break;
    case CMD_ATTRIBUTES_PUT:
    case CMD_ATTRIBUTES_DELETE:
        target_cluster(t, record, cmd->u.attributes.cluster);
        break;
    case CMD_TAG:
    case CMD_UNTAG:
        target_tags(t, record);
        break;
    case CMD_JOIN_CREATE:
        target_cluster(t, record, cmd->u.join.cluster);
        break;
    default:
        break;
    }
}

static void tell_audit(struct tale *t)
{
    struct ring_record record = {.kind = RING_RECORD_AUDIT};
    bool refused = t->result->reject != REJECT_NONE;
    if (t->cmd->call.n == 0 || (PLANTED(UNAUDITED) && t->cmd->kind == CMD_TASK_STOP)) {
        return;
    }
    target(t, &record);
    record.text = str_of(arena_printf(&t->r->told_arena, "%.*s by %.*s: %s%s",
                                      STR_ARG(t->cmd->call), STR_ARG(t->cmd->caller),
                                      refused                ? "refused: "
                                      : t->result->duplicate ? "ok, carried out before"
                                                             : "ok",
                                      refused ? t->result->text : ""));
    tell(t, &record);
}

void ring_tell(struct ring *r, const struct command *cmd, const struct result *result)
{
    struct tale t = {r, cmd, result, 0};
    arena_clear(&r->told_arena);
    tell_audit(&t);
    if (result->reject == REJECT_NONE) {
        tell_events(&t);
        tell_tasks(&t);
    }
}
