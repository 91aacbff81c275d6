#include "tests/lib/world.h"

#include "tests/lib/test.h"

#include <string.h>

void world_open(struct world *w)
{
    memset(w, 0, sizeof *w);
    w->store = store_open(test_mem());
    w->now = 1700000000000;
    w->seed = 1;
    changes_init(&w->changes, test_mem());
    arena_init(&w->arena, test_mem());
}

void world_close(struct world *w)
{
    struct err err = {0};
    ck_assert_msg(store_check(w->store, &err) == 0, "%s", err.text);
    store_close(w->store);
    changes_close(&w->changes);
    arena_close(&w->arena);
}

bool world_apply(struct world *w, struct command *cmd)
{
    cmd->at_ms = w->now;
    cmd->seed = w->seed++;
    if (w->before != NULL) {
        w->before(w, cmd);
    }
    changes_clear(&w->changes);
    store_apply(w->store, cmd, &w->changes, &w->result);
    if (w->after != NULL) {
        w->after(w, cmd);
    }
    return w->result.reject == REJECT_NONE;
}

bool world_cluster(struct world *w, const char *name)
{
    struct command cmd = {.kind = CMD_CLUSTER_CREATE};
    cmd.u.cluster.name = str_of(name);
    return world_apply(w, &cmd);
}

bool world_cluster_delete(struct world *w, const char *name)
{
    struct command cmd = {.kind = CMD_CLUSTER_DELETE};
    cmd.u.name.name = str_of(name);
    return world_apply(w, &cmd);
}

bool world_taskdef(struct world *w, const char *family, uint32_t cpu, uint32_t memory,
                   int host_port)
{
    struct port_mapping port = {80, host_port < 0 ? 0 : (uint16_t)host_port, 1, PROTO_TCP};
    struct container_summary container = {
        .name = STR("main"), .essential = true, .cpu = cpu, .memory = memory};
    struct command cmd = {.kind = CMD_TASKDEF_REGISTER};
    if (host_port >= 0) {
        container.ports = &port;
        container.n_ports = 1;
    }
    cmd.u.taskdef.def = (struct taskdef){.family = str_of(family),
                                         .cpu = cpu,
                                         .memory = memory,
                                         .containers = &container,
                                         .n_containers = 1,
                                         .spec = STR("spec")};
    return world_apply(w, &cmd);
}

bool world_taskdef_ref(struct world *w, uint8_t kind, const char *family, uint32_t revision)
{
    struct command cmd = {.kind = kind};
    cmd.u.taskdef_ref = (struct cmd_taskdef_ref){str_of(family), revision};
    return world_apply(w, &cmd);
}

bool world_service(struct world *w, const char *cluster, const char *name, const char *family,
                   uint32_t desired)
{
    struct command cmd = {.kind = CMD_SERVICE_CREATE};
    cmd.u.service_create = (struct cmd_service_create){
        .cluster = str_of(cluster),
        .family = str_of(family),
        .service = {
            .name = str_of(name), .desired = desired, .min_percent = 100, .max_percent = 200}};
    return world_apply(w, &cmd);
}

bool world_service_with(struct world *w, const char *cluster, const char *name, const char *family,
                        uint32_t desired, uint8_t type, const char *expression)
{
    struct constraint constraint = {type, str_of(expression)};
    struct command cmd = {.kind = CMD_SERVICE_CREATE};
    cmd.u.service_create = (struct cmd_service_create){.cluster = str_of(cluster),
                                                       .family = str_of(family),
                                                       .service = {.name = str_of(name),
                                                                   .desired = desired,
                                                                   .min_percent = 50,
                                                                   .max_percent = 200,
                                                                   .constraints = &constraint,
                                                                   .n_constraints = 1}};
    return world_apply(w, &cmd);
}

bool world_daemon(struct world *w, const char *cluster, const char *name, const char *family)
{
    struct command cmd = {.kind = CMD_SERVICE_CREATE};
    cmd.u.service_create = (struct cmd_service_create){.cluster = str_of(cluster),
                                                       .family = str_of(family),
                                                       .service = {.name = str_of(name),
                                                                   .scheduling = SCHEDULING_DAEMON,
                                                                   .min_percent = 0,
                                                                   .max_percent = 100}};
    return world_apply(w, &cmd);
}

bool world_service_scale(struct world *w, const char *cluster, const char *name, uint32_t desired)
{
    struct command cmd = {.kind = CMD_SERVICE_UPDATE};
    cmd.u.service_update = (struct cmd_service_update){
        .cluster = str_of(cluster), .name = str_of(name), .has_desired = true, .desired = desired};
    return world_apply(w, &cmd);
}

bool world_service_taskdef(struct world *w, const char *cluster, const char *name,
                           const char *family, uint32_t revision)
{
    struct command cmd = {.kind = CMD_SERVICE_UPDATE};
    cmd.u.service_update = (struct cmd_service_update){.cluster = str_of(cluster),
                                                       .name = str_of(name),
                                                       .has_taskdef = true,
                                                       .family = str_of(family),
                                                       .revision = revision};
    return world_apply(w, &cmd);
}

bool world_service_delete(struct world *w, const char *cluster, const char *name, bool force)
{
    struct command cmd = {.kind = CMD_SERVICE_DELETE};
    cmd.u.service_delete = (struct cmd_service_delete){str_of(cluster), str_of(name), force};
    return world_apply(w, &cmd);
}

struct id world_id(uint64_t n)
{
    return (struct id){0xe, n + 1};
}

bool world_node(struct world *w, const char *cluster, uint64_t n, uint32_t cpu, uint32_t memory)
{
    struct attribute attributes[] = {{STR("ecs.os-type"), STR("linux")},
                                     {STR("ecs.availability-zone"), STR("a")}};
    struct command cmd = {.kind = CMD_NODE_REGISTER};
    attributes[1].value = n % 2 == 0 ? STR("a") : STR("b");
    cmd.u.node_register = (struct cmd_node_register){.cluster = str_of(cluster),
                                                     .node = {.id = world_id(n),
                                                              .name = STR("node"),
                                                              .address = STR("10.0.0.1"),
                                                              .cpu = cpu,
                                                              .memory = memory,
                                                              .port_min = 40000,
                                                              .port_max = 40999,
                                                              .attributes = attributes,
                                                              .n_attributes = 2}};
    return world_apply(w, &cmd);
}

bool world_node_state(struct world *w, const char *cluster, uint64_t n, uint8_t status)
{
    struct command cmd = {.kind = CMD_NODE_STATE};
    cmd.u.node_ref =
        (struct cmd_node_ref){.cluster = str_of(cluster), .id = world_id(n), .status = status};
    return world_apply(w, &cmd);
}

bool world_node_deregister(struct world *w, const char *cluster, uint64_t n, bool force)
{
    struct command cmd = {.kind = CMD_NODE_DEREGISTER};
    cmd.u.node_ref =
        (struct cmd_node_ref){.cluster = str_of(cluster), .id = world_id(n), .force = force};
    return world_apply(w, &cmd);
}

bool world_connection(struct world *w, uint64_t n, uint8_t connection)
{
    struct command cmd = {.kind = CMD_NODE_CONNECTION};
    const struct node *node = store_node(w->store, store_find_node(w->store, world_id(n)));
    cmd.u.connection = (struct cmd_node_connection){
        .id = world_id(n), .session = node == NULL ? 0 : node->session, .connection = connection};
    return world_apply(w, &cmd);
}

static bool port_taken(const struct world *w, uint32_t node, uint16_t port)
{
    for (uint32_t slot = 0; slot < store_slots(w->store, KIND_TASK); slot++) {
        const struct task *t = store_task(w->store, slot);
        if (t != NULL && t->node == node && t->status != TASK_STOPPED &&
            t->containers[0].n_bindings > 0 && t->containers[0].bindings[0].host_port == port) {
            return true;
        }
    }
    return false;
}

bool world_run(struct world *w, uint32_t cluster, uint32_t taskdef, uint32_t node)
{
    const struct taskdef *def = store_taskdef(w->store, taskdef);
    struct binding binding = {80, 40000, PROTO_TCP};
    uint8_t owner = 0;
    struct plan_task item = {
        .id = id_derive(w->seed, 77, 0),
        .taskdef = taskdef,
        .service = SLOT_NONE,
        .node = node,
        .group = STR("family:x"),
    };
    struct command cmd = {.kind = CMD_PLAN};
    if (def != NULL) {
        item.cpu = def->cpu;
        item.memory = def->memory;
    }
    if (def != NULL && def->containers[0].n_ports > 0) {
        uint16_t wanted = def->containers[0].ports[0].host_port;
        while (wanted == 0 && port_taken(w, node, binding.host_port)) {
            binding.host_port++;
        }
        binding.host_port = wanted == 0 ? binding.host_port : wanted;
        item.bindings = &binding;
        item.n_bindings = 1;
        item.binding_owner = &owner;
        item.n_binding_owners = 1;
    }
    cmd.u.plan = (struct cmd_plan){.cluster = cluster, .tasks = &item, .n_tasks = 1};
    return world_apply(w, &cmd) && w->result.n_done == 1;
}

bool world_stop(struct world *w, const char *cluster, struct id id)
{
    struct command cmd = {.kind = CMD_TASK_STOP};
    cmd.u.task_stop =
        (struct cmd_task_stop){.cluster = str_of(cluster), .id = id, .reason = STR("by hand")};
    return world_apply(w, &cmd);
}

bool world_report(struct world *w, struct id id, uint8_t status, int exit_code)
{
    const struct task *t = store_task(w->store, store_find_task(w->store, id));
    struct container_report container = {0};
    struct task_report report = {.id = id, .status = status};
    struct command cmd = {.kind = CMD_TASK_REPORTS};
    ck_assert(t != NULL);
    report.node = store_node(w->store, t->node)->id;
    report.session = store_node(w->store, t->node)->session;
    if (status >= TASK_RUNNING) {
        container.status = status == TASK_STOPPED ? CONTAINER_STOPPED : CONTAINER_RUNNING;
        container.has_exit_code = status == TASK_STOPPED;
        container.exit_code = exit_code;
        container.runtime_id = STR("abc");
        report.containers = &container;
        report.n_containers = 1;
    }
    cmd.u.reports = (struct cmd_task_reports){&report, 1};
    return world_apply(w, &cmd) && w->result.n_done == 1;
}

bool world_gc(struct world *w)
{
    struct command cmd = {.kind = CMD_GC};
    return world_apply(w, &cmd);
}
