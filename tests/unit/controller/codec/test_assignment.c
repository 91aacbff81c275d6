/* What agents are told: definition, overrides and placement put together. */
#include "controller/codec/assignment.h"
#include "controller/codec/taskdef.h"
#include "controller/codec/transcode.h"
#include "tests/lib/test.h"

#include <stdlib.h>
#include <string.h>

static const struct arn_names names = {"aws", "eu-here-1", "123456789012"};

struct fixture {
    struct arena a;
    struct cluster cluster;
    struct taskdef def;
    struct service service;
    struct node node;
    struct task task;
    struct container containers[3];
    struct assignment_context x;
};

static ProtobufCMessage *read_json(const ProtobufCMessageDescriptor *desc, const char *json,
                                   struct arena *a)
{
    ProtobufCMessage *m;
    struct err err = {0};
    ck_assert_msg(transcode_read(desc, str_of(json), a, &m, &err) == 0, "%s", err.text);
    return m;
}

static void setup(struct fixture *f, const char *definition, const char *overrides)
{
    struct err err = {0};
    struct task_shape shape;
    memset(f, 0, sizeof *f);
    arena_init(&f->a, test_mem());
    ck_assert_msg(taskdef_from_request((Ecs__V1__RegisterTaskDefinitionRequest *)read_json(
                                           &ecs__v1__register_task_definition_request__descriptor,
                                           definition, &f->a),
                                       &f->a, &f->def, &err) == 0,
                  "%s", err.text);
    ck_assert_msg(
        taskdef_apply_overrides(&f->def,
                                (Ecs__V1__TaskOverride *)read_json(
                                    &ecs__v1__task_override__descriptor, overrides, &f->a),
                                &f->a, &shape, &err) == 0,
        "%s", err.text);
    f->def.revision = 7;
    f->cluster.name = STR("prod");
    f->service.name = STR("web");
    f->node.address = STR("10.0.0.5");
    f->task.id = (struct id){1, 2};
    f->task.desired = TASK_RUNNING;
    f->task.group = STR("service:web");
    f->task.cpu = shape.cpu;
    f->task.memory = shape.memory;
    f->task.overrides = shape.overrides;
    f->task.containers = f->containers;
    f->task.n_containers = f->def.n_containers;
    f->x = (struct assignment_context){&names, &f->cluster, &f->def, &f->service, &f->node};
}

static Ecs__Agent__V1__Assignment *make(struct fixture *f)
{
    Ecs__Agent__V1__Assignment *ret;
    struct err err = {0};
    ck_assert_msg(assignment_make(&f->x, &f->task, &f->a, &ret, &err) == 0, "%s", err.text);
    return ret;
}

static const char *env(const Ecs__Agent__V1__ContainerSpec *c, const char *name)
{
    const char *value = NULL;
    for (size_t i = 0; i < c->n_environment; i++) {
        if (strcmp(c->environment[i]->name, name) == 0) {
            value = c->environment[i]->value;
        }
    }
    return value;
}

START_TEST(a_task_is_resolved_completely)
    {
        struct fixture f;
        struct binding bound[] = {{80, 32768, PROTO_TCP}, {53, 32769, PROTO_UDP}};
        const Ecs__Agent__V1__TaskSpec *t;
        const Ecs__Agent__V1__ContainerSpec *c;
        setup(
            &f,
            "{\"family\":\"web\",\"containerDefinitions\":[{\"name\":\"a\",\"image\":\"i:1\","
            "\"cpu\":10,\"memory\":100,\"command\":[\"x\"],\"portMappings\":[{\"containerPort\":80,"
            "\"name\":\"http\"},{\"containerPort\":53,\"protocol\":\"udp\"}],\"environment\":[{"
            "\"name\":\"A\",\"value\":\"1\"},{\"name\":\"AWS_REGION\",\"value\":\"mine\"}],"
            "\"healthCheck\":{\"command\":[\"CMD-SHELL\",\"curl x || exit 1\"]},"
            "\"mountPoints\":[{\"sourceVolume\":\"v\",\"containerPath\":\"/v\",\"readOnly\":true}],"
            "\"links\":[\"b:db\"],\"dependsOn\":[{\"containerName\":\"b\",\"condition\":"
            "\"HEALTHY\"}],\"dockerLabels\":{\"l\":\"1\"},\"logConfiguration\":{\"logDriver\":"
            "\"awslogs\",\"options\":{\"awslogs-group\":\"g\"}},\"linuxParameters\":{"
            "\"initProcessEnabled\":true,\"capabilities\":{\"add\":[\"NET_ADMIN\"]},\"tmpfs\":[{"
            "\"containerPath\":\"/t\",\"size\":8}]},\"ulimits\":[{\"name\":\"nofile\","
            "\"softLimit\":1,\"hardLimit\":2}]},{\"name\":\"b\",\"image\":\"j\","
            "\"memoryReservation\":50,\"stopTimeout\":5,\"healthCheck\":{\"command\":[\"CMD\","
            "\"ok\"],\"interval\":9}}],\"volumes\":[{\"name\":\"v\",\"host\":{\"sourcePath\":"
            "\"/srv\"}}]}",
            "{\"containerOverrides\":[{\"name\":\"a\",\"command\":[\"y\",\"z\"],\"memory\":120,"
            "\"environment\":[{\"name\":\"A\",\"value\":\"2\"}]}]}");
        f.containers[0].bindings = bound;
        f.containers[0].n_bindings = 2;
        t = make(&f)->spec;
        ck_assert_str_eq(t->arn, "arn:aws:ecs:eu-here-1:123456789012:task/prod/"
                                 "00000000000000010000000000000002");
        ck_assert_str_eq(t->cluster, "prod");
        ck_assert_str_eq(t->service, "web");
        ck_assert_uint_eq(t->revision, 7);
        ck_assert(!t->has_cpu_units && !t->has_memory_mib);
        ck_assert_uint_eq(t->n_volumes, 1);
        ck_assert_uint_eq(t->volumes[0]->kind, 1);
        ck_assert_uint_eq(t->n_containers, 2);
        c = t->containers[0];
        ck_assert_uint_eq(c->memory_mib, 120);
        ck_assert_uint_eq(c->n_command, 2);
        ck_assert_str_eq(c->command[0], "y");
        ck_assert_str_eq(env(c, "A"), "2");
        ck_assert_str_eq(env(c, "AWS_REGION"), "mine");
        ck_assert_str_eq(env(c, "AWS_DEFAULT_REGION"), "eu-here-1");
        ck_assert_str_eq(env(c, "ECS_CLUSTER"), "prod");
        ck_assert_str_eq(env(c, "ECS_TASK_ARN"), t->arn);
        ck_assert_str_eq(env(c, "ECS_TASK_DEFINITION"), "web:7");
        ck_assert_str_eq(env(c, "ECS_SERVICE"), "web");
        ck_assert_str_eq(env(c, "ECS_HOST_ADDRESS"), "10.0.0.5");
        ck_assert_str_eq(env(c, "ECS_PORT_80"), "32768");
        ck_assert_str_eq(env(c, "ECS_PORT_53_UDP"), "32769");
        ck_assert_uint_eq(c->n_ports, 2);
        ck_assert_str_eq(c->ports[0]->name, "http");
        ck_assert_uint_eq(c->ports[1]->protocol, 1);
        ck_assert_uint_eq(c->health->n_command, 3);
        ck_assert_str_eq(c->health->command[0], "/bin/sh");
        ck_assert_str_eq(c->health->command[2], "curl x || exit 1");
        ck_assert_uint_eq(c->health->interval_s, 30);
        ck_assert(c->mounts[0]->read_only && strcmp(c->mounts[0]->path, "/v") == 0);
        ck_assert_str_eq(c->links[0]->alias, "db");
        ck_assert_uint_eq(c->depends_on[0]->condition, 3);
        ck_assert_str_eq(c->log->driver, "json-file");
        ck_assert_uint_eq(c->log->n_options, 0);
        ck_assert(c->init);
        ck_assert_str_eq(c->cap_add[0], "NET_ADMIN");
        ck_assert_uint_eq(c->tmpfs[0]->size_mib, 8);
        ck_assert_int_eq(c->ulimits[0]->hard, 2);
        ck_assert_uint_eq(c->n_labels, 6);
        ck_assert_uint_eq(c->stop_timeout_s, 30);
        c = t->containers[1];
        ck_assert_uint_eq(c->stop_timeout_s, 5);
        ck_assert_uint_eq(c->health->interval_s, 9);
        ck_assert_uint_eq(c->health->n_command, 1);
        ck_assert_ptr_null(env(c, "A"));
        /* It can be sent: all strings are there. */
        ck_assert_uint_gt(pbc_pack_arena(&t->base, &f.a).n, 500);
        arena_close(&f.a);
    }
END_TEST

START_TEST(in_host_mode_ports_are_their_own)
    {
        struct fixture f;
        const Ecs__Agent__V1__ContainerSpec *c;
        setup(&f,
              "{\"family\":\"w\",\"networkMode\":\"host\",\"cpu\":\"512\",\"memory\":\"256\","
              "\"containerDefinitions\":[{\"name\":\"a\",\"image\":\"i\",\"portMappings\":[{"
              "\"containerPort\":80},{\"containerPortRange\":\"90-92\"}]}]}",
              "{}");
        f.x.service = NULL;
        c = make(&f)->spec->containers[0];
        ck_assert_uint_eq(c->n_ports, 4);
        for (size_t i = 0; i < 4; i++) {
            ck_assert_uint_eq(c->ports[i]->host_port, c->ports[i]->container_port);
        }
        ck_assert_uint_eq(c->ports[3]->host_port, 92);
        ck_assert_ptr_null(env(c, "ECS_SERVICE"));
        ck_assert_uint_eq(make(&f)->spec->cpu_units, 512);
        ck_assert_uint_eq(make(&f)->spec->memory_mib, 256);
        arena_close(&f.a);
    }
END_TEST

START_TEST(a_task_that_is_to_stop_needs_no_specification)
    {
        struct fixture f;
        Ecs__Agent__V1__Assignment *a;
        setup(&f,
              "{\"family\":\"w\",\"containerDefinitions\":[{\"name\":\"a\",\"image\":\"i\","
              "\"memory\":9}]}",
              "{}");
        f.task.desired = TASK_STOPPED;
        f.task.stop_reason = STR("because");
        f.def.spec = STR("\xff\xff");
        a = make(&f);
        ck_assert(a->stop && a->spec == NULL);
        ck_assert_str_eq(a->stop_reason, "because");
        ck_assert_uint_eq(a->task_id.len, 16);
        ck_assert_uint_eq(a->task_id.data[7], 1);
        ck_assert_uint_eq(a->task_id.data[15], 2);
        f.task.desired = TASK_RUNNING;
        ck_assert_int_eq(assignment_make(&f.x, &f.task, &f.a, &a, NULL), ERR_CORRUPT);
        arena_close(&f.a);
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("assignment");
    TEST_CASE(s, "assignment", 30, a_task_is_resolved_completely, in_host_mode_ports_are_their_own,
              a_task_that_is_to_stop_needs_no_specification);
    return test_run(s);
}
