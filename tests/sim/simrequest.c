/* Requests of clients on a controller: what controller/api makes of them. */
#include "tests/sim/simclient.h"

#include "controller/codec/taskdef.h"
#include "controller/codec/transcode.h"

#include <assert.h>
#include <string.h>

/* Definitions as people write them; %s is the family. A port of the host's own choice, a fixed one,
 * one that is chosen, and two containers of which one waits for the other. */
#define CONTAINER(name, more)                                                                  \
    "{\"name\":\"" name "\",\"image\":\"image:1\",\"cpu\":64,\"memory\":64,\"stopTimeout\":3," \
    "\"environment\":[{\"name\":\"SECRET\",\"value\":\"%s\"}]" more "}"
#define DEFINITION(containers) "{\"family\":\"%s\",\"containerDefinitions\":[" containers "]}"

static char *definition(const struct op *op, struct arena *arena)
{
    switch (op->number % 5) {
    case 0:
        return arena_printf(arena, DEFINITION(CONTAINER("main", "")), op->name, op->name);
    case 1:
        return arena_printf(
            arena,
            DEFINITION(
                CONTAINER("main", ",\"portMappings\":[{\"containerPort\":80,\"hostPort\":8080}]")),
            op->name, op->name);
    case 2:
    case 3:
        return arena_printf(
            arena, DEFINITION(CONTAINER("main", ",\"portMappings\":[{\"containerPort\":80}]")),
            op->name, op->name);
    default:
        return arena_printf(
            arena,
            DEFINITION(
                CONTAINER("main", ",\"portMappings\":[{\"containerPort\":80}]") "," CONTAINER(
                    "side",
                    ",\"dependsOn\":[{\"containerName\":\"main\",\"condition\":\"START\"}]")),
            op->name, op->name, op->name);
    }
}

static void decide_register(const struct attempt *a, struct command *cmd, struct arena *arena)
{
    ProtobufCMessage *m;
    struct err err = {0};
    cmd->kind = CMD_TASKDEF_REGISTER;
    if (transcode_read(&ecs__v1__register_task_definition_request__descriptor,
                       str_of(definition(&a->op, arena)), arena, &m, &err) != 0 ||
        taskdef_from_request((const Ecs__V1__RegisterTaskDefinitionRequest *)(const void *)m, arena,
                             &cmd->u.taskdef.def, &err) != 0) {
        fleet_fail(a->client->f, "client %u: definition: %s", a->client->at + 1, err.text);
    }
}

static struct request_token token_of(const struct op *op)
{
    struct request_token t = {str_of(op->token), op->number};
    return t;
}

static struct constraint *priority_of(const struct op *op, struct arena *arena)
{
    static const char *const priorities[3] = {"20", "50", "80"};
    struct constraint *c = arena_alloc(arena, sizeof *c);
    *c = (struct constraint){CONSTRAINT_PRIORITY, str_of(priorities[op->number / 4 % 3])};
    return c;
}

static void decide_service(const struct attempt *a, struct command *cmd, struct arena *arena)
{
    static const struct strategy spread = {STRATEGY_SPREAD, {"instanceId", 10}};
    static const uint32_t percents[4][2] = {{100, 200}, {50, 200}, {0, 100}, {0, 200}};
    const uint32_t *bounds = percents[a->op.number % 4];
    char *family = arena_printf(arena, a->op.shared ? "shared%u" : "f%u",
                                a->op.shared ? a->client->f->round : a->client->at);
    cmd->kind = CMD_SERVICE_CREATE;
    cmd->u.service_create = (struct cmd_service_create){
        .cluster = STR(SIMCTL_CLUSTER),
        .family = str_of(family),
        .service = {.name = str_of(a->op.name),
                    .desired = a->op.count,
                    .min_percent = bounds[0],
                    .max_percent = bounds[1],
                    .strategies = (struct strategy *)(uintptr_t)&spread,
                    .n_strategies = 1,
                    .constraints = priority_of(&a->op, arena),
                    .n_constraints = a->op.number % 5 != 0},
        .token = token_of(&a->op),
    };
}

static void decide_update(const struct attempt *a, struct command *cmd, struct arena *arena)
{
    char *family = arena_printf(arena, "f%u", a->client->at);
    cmd->kind = CMD_SERVICE_UPDATE;
    cmd->u.service_update = (struct cmd_service_update){
        .cluster = STR(SIMCTL_CLUSTER),
        .name = str_of(a->op.name),
        .has_desired = true,
        .desired = a->op.count,
        .has_taskdef = a->op.number % 3 == 0 && !a->op.shared,
        .family = str_of(family),
    };
}

/* Known already? As the API asks before it places anything. */
static int decide_run(struct attempt *a, struct command *cmd, struct arena *arena, struct err *err)
{
    struct simctl *c = a->c;
    const struct store *store = ring_store(c->ring);
    char *family = arena_printf(arena, "f%u", a->client->at);
    struct run_request r = {0};
    const struct token *known;
    uint32_t token;
    r.cluster = store_find_cluster(store, STR(SIMCTL_CLUSTER));
    r.taskdef = store_find_latest(store, str_of(family));
    if (r.cluster == SLOT_NONE || r.taskdef == SLOT_NONE) {
        return err_set(err, ERR_NOTFOUND, "no cluster or definition");
    }
    token = store_find_token(store, r.cluster, CMD_PLAN, str_of(a->op.token));
    known = store_token(store, token);
    if (known != NULL && known->expires_at > store_meta(store)->now) {
        a->answer.duplicate = true;
        a->answer.n_ids = known->n_ids > 4 ? 4 : known->n_ids;
        memcpy(a->answer.ids, known->ids, a->answer.n_ids * sizeof a->answer.ids[0]);
        return 1;
    }
    r.constraints = priority_of(&a->op, arena);
    r.n_constraints = 1;
    r.count = a->op.count;
    r.group = STR("g");
    r.started_by = str_of(a->op.token);
    r.cpu = store_taskdef(store, r.taskdef)->cpu;
    r.memory = store_taskdef(store, r.taskdef)->memory;
    r.token = token_of(&a->op);
    r.seed = ring_random(c->ring);
    if (leader_run(ring_leader(c->ring), &r, ring_now_ms(c->ring), arena, &a->decision, err) != 0) {
        return err->code;
    }
    if (a->decision.command.u.plan.n_tasks + a->decision.command.u.plan.n_stops == 0) {
        return 1;
    }
    *cmd = a->decision.command;
    return 0;
}

static int decide_kind(struct attempt *a, struct command *cmd, struct arena *arena, struct err *err)
{
    switch (a->op.kind) {
    case OP_SETUP_CLUSTER:
        cmd->kind = CMD_CLUSTER_CREATE;
        cmd->u.cluster.name = STR(SIMCTL_CLUSTER);
        return 0;
    case OP_REGISTER:
        decide_register(a, cmd, arena);
        return 0;
    case OP_DEREGISTER:
        cmd->kind = CMD_TASKDEF_DEREGISTER;
        cmd->u.taskdef_ref = (struct cmd_taskdef_ref){str_of(a->op.name), a->op.count};
        return 0;
    case OP_SERVICE_CREATE:
        decide_service(a, cmd, arena);
        return 0;
    case OP_SERVICE_UPDATE:
        decide_update(a, cmd, arena);
        return 0;
    case OP_SERVICE_DELETE:
        cmd->kind = CMD_SERVICE_DELETE;
        cmd->u.service_delete =
            (struct cmd_service_delete){STR(SIMCTL_CLUSTER), str_of(a->op.name), true};
        return 0;
    case OP_RUN:
        return decide_run(a, cmd, arena, err);
    case OP_TASK_STOP:
        cmd->kind = CMD_TASK_STOP;
        cmd->u.task_stop = (struct cmd_task_stop){
            .cluster = STR(SIMCTL_CLUSTER), .id = a->op.id, .reason = STR("by a client")};
        return 0;
    case OP_NODE_STATE:
        cmd->kind = CMD_NODE_STATE;
        cmd->u.node_ref = (struct cmd_node_ref){
            .cluster = STR(SIMCTL_CLUSTER), .id = a->op.id, .status = a->op.status};
        return 0;
    case OP_NODE_DEREGISTER:
        cmd->kind = CMD_NODE_DEREGISTER;
        cmd->u.node_ref =
            (struct cmd_node_ref){.cluster = STR(SIMCTL_CLUSTER), .id = a->op.id, .force = true};
        return 0;
    case OP_SERVICE_READ:
    case OP_TASK_READ:
    case OP_NONE:
    case OP_KINDS:
        break;
    }
    assert(false);
    return ERR_INTERNAL;
}

static int decide(struct ring_write *w, struct command *cmd, struct arena *arena, struct err *err)
{
    struct attempt *a = container_of(w, struct attempt, write);
    int rv = decide_kind(a, cmd, arena, err);
    if (rv == 0) {
        cmd->call = STR("Call");
        cmd->caller = STR("client");
    }
    return rv;
}

/* I13: what is refused changes nothing, and whatever is answered is in the audit. */
static void check_effect(const struct attempt *a, const struct result *r)
{
    struct simctl *c = a->c;
    c->f->stats.rejected += r->reject != REJECT_NONE;
    if (r->reject != REJECT_NONE && c->changed != 0) {
        fleet_fail(c->f, "I13: operation %d was refused (%s), and changed %u rows", (int)a->op.kind,
                   r->text, c->changed);
    }
    if (c->audited != r->revision) {
        fleet_fail(c->f, "I13: operation %d is answered at revision %llu and not in the audit",
                   (int)a->op.kind, (unsigned long long)r->revision);
    }
}

static void take_result(struct attempt *a, const struct result *r)
{
    const struct store *store = ring_store(a->c->ring);
    const struct taskdef *def;
    const struct service *v;
    a->answer.reject = r->reject;
    a->answer.duplicate = r->duplicate;
    a->answer.revision = r->revision;
    if (r->reject != REJECT_NONE) {
        return;
    }
    if (a->op.kind == OP_REGISTER) {
        def = store_taskdef(store, r->slot);
        a->answer.number = def == NULL ? 0 : def->revision;
    } else if (a->op.kind == OP_SERVICE_CREATE) {
        v = store_service(store, r->slot);
        a->answer.created_at = v == NULL ? 0 : (uint64_t)v->created_at;
    } else if (a->op.kind == OP_RUN) {
        a->answer.n_ids = r->n_done > 4 ? 4 : r->n_done;
        memcpy(a->answer.ids, r->ids, a->answer.n_ids * sizeof a->answer.ids[0]);
    }
}

static void done(struct ring_write *w, int status, const struct result *result,
                 const struct err *err)
{
    struct attempt *a = container_of(w, struct attempt, write);
    (void)err;
    a->answer.status = status;
    if (status == 0 && result != NULL) {
        check_effect(a, result);
        take_result(a, result);
    } else if (status == 0) {
        a->answer.revision = store_meta(ring_store(a->c->ring))->revision;
    }
    simclient_answered(a);
}

static void ready(struct ring_read *r, int status)
{
    struct attempt *a = container_of(r, struct attempt, read);
    const struct store *store = ring_store(a->c->ring);
    const struct service *v;
    const struct task *t;
    a->answer.status = status;
    if (status == 0) {
        a->answer.revision = store_meta(store)->revision;
    }
    if (status == 0 && a->op.kind == OP_SERVICE_READ) {
        uint32_t cluster = store_find_cluster(store, STR(SIMCTL_CLUSTER));
        v = store_service(store, store_find_service(store, cluster, str_of(a->op.name)));
        a->answer.found = v != NULL && v->status == SERVICE_ACTIVE;
        a->answer.number = v == NULL ? 0 : v->desired;
        a->answer.created_at = v == NULL ? 0 : (uint64_t)v->created_at;
    } else if (status == 0) {
        t = store_task(store, store_find_task(store, a->op.id));
        a->answer.found = t != NULL;
        a->answer.task_status = t == NULL ? 0 : t->status;
        a->answer.task_desired = t == NULL ? 0 : t->desired;
    }
    simclient_answered(a);
}

void simrequest_start(struct attempt *a)
{
    if (a->op.kind == OP_SERVICE_READ || a->op.kind == OP_TASK_READ) {
        a->read.ready = ready;
        a->read.eventual = a->op.eventual;
        ring_read(a->c->ring, &a->read);
        return;
    }
    a->write.decide = decide;
    a->write.done = done;
    ring_submit(a->c->ring, &a->write);
}
