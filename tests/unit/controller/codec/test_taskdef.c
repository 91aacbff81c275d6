/* Task definitions: what ECS accepts is accepted and shown again, what it refuses is refused with a
 * sentence that names the rule. */
#include "controller/codec/taskdef.h"
#include "controller/codec/transcode.h"
#include "tests/lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct arn_names names = {"aws", "eu-here-1", "123456789012"};

static Ecs__V1__RegisterTaskDefinitionRequest *request(const char *json, struct arena *a)
{
    ProtobufCMessage *m;
    struct err err = {0};
    ck_assert_msg(transcode_read(&ecs__v1__register_task_definition_request__descriptor,
                                 str_of(json), a, &m, &err) == 0,
                  "%s: %s", err.text, json);
    return (Ecs__V1__RegisterTaskDefinitionRequest *)m;
}

static const char *text_of(const ProtobufCMessage *m, struct arena *a)
{
    struct buf out;
    const char *text;
    buf_init(&out, test_mem(), 1 << 20);
    transcode_write(m, &out);
    text = arena_strdup(a, buf_cstr(&out));
    buf_close(&out);
    return text;
}

START_TEST(a_definition_is_summarized_for_the_scheduler)
    {
        struct arena a;
        struct err err = {0};
        struct taskdef def;
        arena_init(&a, test_mem());
        ck_assert_msg(
            taskdef_from_request(
                request("{\"family\":\"web\",\"containerDefinitions\":[{\"name\":\"a\",\"image\":"
                        "\"i\",\"cpu\":100,\"memory\":200,\"memoryReservation\":150,"
                        "\"portMappings\":[{\"containerPort\":80},{\"containerPort\":53,"
                        "\"hostPort\":5353,\"protocol\":\"udp\"},{\"containerPortRange\":"
                        "\"9000-9009\"}]},{\"name\":\"b\",\"image\":\"i\",\"essential\":false,"
                        "\"cpu\":28,\"memory\":64,\"resourceRequirements\":[{\"type\":\"GPU\","
                        "\"value\":\"2\"}]}],\"placementConstraints\":[{\"type\":\"memberOf\","
                        "\"expression\":\"attribute:ecs.os-type == linux\"}],\"tags\":[{\"key\":"
                        "\"k\",\"value\":\"v\"}]}",
                        &a),
                &a, &def, &err) == 0,
            "%s", err.text);
        ck_assert(str_eqc(def.family, "web"));
        ck_assert_uint_eq(def.network_mode, NETWORK_BRIDGE);
        ck_assert_uint_eq(def.cpu, 128);
        ck_assert_uint_eq(def.memory, 214);
        ck_assert_uint_eq(def.gpus, 2);
        ck_assert_uint_eq(def.n_containers, 2);
        ck_assert(def.containers[0].essential && !def.containers[1].essential);
        ck_assert_uint_eq(def.containers[0].n_ports, 3);
        ck_assert_uint_eq(def.containers[0].ports[1].host_port, 5353);
        ck_assert_uint_eq(def.containers[0].ports[1].proto, PROTO_UDP);
        ck_assert_uint_eq(def.containers[0].ports[2].container_port, 9000);
        ck_assert_uint_eq(def.containers[0].ports[2].range, 10);
        ck_assert_uint_eq(def.n_constraints, 1);
        ck_assert_uint_eq(def.tags.n, 1);
        arena_close(&a);
    }
END_TEST

START_TEST(a_definition_is_shown_as_it_was_given)
    {
        struct arena a;
        struct err err = {0};
        struct taskdef def;
        Ecs__V1__TaskDefinition *shown;
        arena_init(&a, test_mem());
        ck_assert_int_eq(
            taskdef_from_request(
                request("{\"family\":\"web\",\"networkMode\":\"host\",\"cpu\":\"1 vCPU\","
                        "\"memory\":\"0.5GB\",\"containerDefinitions\":[{\"name\":\"a\",\"image\":"
                        "\"i\",\"portMappings\":[{\"containerPort\":80}],\"logConfiguration\":"
                        "{\"logDriver\":\"json-file\",\"options\":{\"max-size\":\"1m\"}}}]}",
                        &a),
                &a, &def, &err),
            0);
        def.revision = 3;
        def.registered_at = 1700000000123;
        def.registered_by = STR("arn:aws:iam::1:root");
        ck_assert_int_eq(taskdef_to_public(&def, &names, &a, &shown, &err), 0);
        ck_assert_str_eq(
            text_of(&shown->base, &a),
            "{\"taskDefinitionArn\":\"arn:aws:ecs:eu-here-1:123456789012:task-definition/web:3\","
            "\"containerDefinitions\":[{\"name\":\"a\",\"image\":\"i\",\"cpu\":0,"
            "\"portMappings\":[{\"containerPort\":80,\"hostPort\":80,\"protocol\":\"tcp\"}],"
            "\"essential\":true,\"environment\":[],\"mountPoints\":[],\"volumesFrom\":[],"
            "\"logConfiguration\":{\"logDriver\":\"json-file\",\"options\":{\"max-size\":\"1m\"}},"
            "\"systemControls\":[]}],\"family\":\"web\",\"networkMode\":\"host\",\"revision\":3,"
            "\"volumes\":[],\"status\":\"ACTIVE\",\"placementConstraints\":[],"
            "\"compatibilities\":[\"EXTERNAL\",\"EC2\"],\"cpu\":\"1024\",\"memory\":\"512\","
            "\"registeredAt\":1700000000.123,\"registeredBy\":\"arn:aws:iam::1:root\"}");
        arena_close(&a);
    }
END_TEST

/* Each is the request with the containers or members given. */
#define ONE "\"name\":\"a\",\"image\":\"i\",\"memory\":64"

struct refusal {
    const char *members; /* After the family. */
    int code;
    const char *text; /* Part of the sentence; NULL: accepted. */
};

static const struct refusal refusals[] = {
    {"\"containerDefinitions\":[{" ONE "}]", 0, NULL},
    {"\"containerDefinitions\":[]", ERR_INVALID, "Container list cannot be empty."},
    {"\"containerDefinitions\":[{\"image\":\"i\",\"memory\":64}]", ERR_INVALID, "Container.name"},
    {"\"containerDefinitions\":[{\"name\":\"a b\",\"image\":\"i\",\"memory\":64}]", ERR_INVALID,
     "Container.name contains invalid characters"},
    {"\"containerDefinitions\":[{\"name\":\"a\",\"memory\":64}]", ERR_INVALID, "Container.image"},
    {"\"containerDefinitions\":[{\"name\":\"x\",\"image\":\"i\"}]", ERR_INVALID,
     "Invalid setting for container 'x'. At least one of 'memory' or 'memoryReservation' must be "
     "specified."},
    {"\"memory\":\"512\",\"containerDefinitions\":[{\"name\":\"x\",\"image\":\"i\"}]", 0, NULL},
    {"\"containerDefinitions\":[{\"name\":\"a\",\"image\":\"i\",\"memory\":5}]", ERR_INVALID,
     "at least 6 MiB"},
    {"\"containerDefinitions\":[{" ONE ",\"memoryReservation\":65}]", ERR_INVALID,
     "greater than or equal to 'memoryReservation'"},
    {"\"containerDefinitions\":[{" ONE "},{" ONE "}]", ERR_INVALID, "is not unique: 'a'"},
    {"\"containerDefinitions\":[{" ONE ",\"essential\":false}]", ERR_INVALID, "must be essential"},
    {"\"memory\":\"32\",\"containerDefinitions\":[{" ONE "}]", ERR_INVALID,
     "exceeds the 'memory' setting"},
    {"\"cpu\":\"128\",\"containerDefinitions\":[{" ONE ",\"cpu\":129}]", ERR_INVALID,
     "exceed the 'cpu' setting"},
    {"\"cpu\":\"lots\",\"containerDefinitions\":[{" ONE "}]", ERR_INVALID,
     "Invalid 'cpu' setting for task"},
    {"\"memory\":\"5\",\"containerDefinitions\":[{" ONE "}]", ERR_INVALID,
     "Invalid 'memory' setting for task"},
    {"\"containerDefinitions\":[{" ONE ",\"cpu\":-1}]", ERR_INVALID, "'cpu' must be from 0"},
    /* Ports. */
    {"\"containerDefinitions\":[{" ONE ",\"portMappings\":[{\"containerPort\":0}]}]", ERR_INVALID,
     "containerPort"},
    {"\"containerDefinitions\":[{" ONE ",\"portMappings\":[{\"containerPort\":80,\"hostPort\":70000"
     "}]}]",
     ERR_INVALID, "'hostPort' must be from 0 to 65535"},
    {"\"networkMode\":\"host\",\"containerDefinitions\":[{" ONE
     ",\"portMappings\":[{\"containerPort\":80,\"hostPort\":81}]}]",
     ERR_INVALID,
     "When networkMode=host, the host ports and container ports in port mappings must match."},
    {"\"networkMode\":\"host\",\"containerDefinitions\":[{" ONE
     ",\"portMappings\":[{\"containerPort\":80,\"hostPort\":80}]}]",
     0, NULL},
    {"\"networkMode\":\"none\",\"containerDefinitions\":[{" ONE
     ",\"portMappings\":[{\"containerPort\":80}]}]",
     ERR_INVALID, "networkMode=none"},
    {"\"containerDefinitions\":[{" ONE
     ",\"portMappings\":[{\"containerPort\":80,\"hostPort\":8080},"
     "{\"containerPort\":81,\"hostPort\":8080}]}]",
     ERR_INVALID, "Host port 8080 is mapped more than once"},
    {"\"containerDefinitions\":[{" ONE
     ",\"portMappings\":[{\"containerPort\":80,\"hostPort\":8080},"
     "{\"containerPort\":80,\"hostPort\":8080,\"protocol\":\"udp\"}]}]",
     0, NULL},
    {"\"containerDefinitions\":[{" ONE ",\"portMappings\":[{\"containerPortRange\":\"1-200\"}]}]",
     ERR_INVALID, "more than 100 ports"},
    {"\"containerDefinitions\":[{" ONE ",\"portMappings\":[{\"containerPortRange\":\"9-1\"}]}]",
     ERR_INVALID, "containerPortRange"},
    /* Order. */
    {"\"containerDefinitions\":[{" ONE ",\"dependsOn\":[{\"containerName\":\"z\",\"condition\":"
     "\"START\"}]}]",
     ERR_INVALID, "names 'z' in 'dependsOn'"},
    {"\"containerDefinitions\":[{" ONE ",\"dependsOn\":[{\"containerName\":\"b\",\"condition\":"
     "\"START\"}]},{\"name\":\"b\",\"image\":\"i\",\"memory\":9,\"dependsOn\":[{\"containerName\":"
     "\"a\",\"condition\":\"START\"}]}]",
     ERR_INVALID, "must not form a cycle"},
    {"\"containerDefinitions\":[{" ONE ",\"links\":[\"b:alias\"]},{\"name\":\"b\",\"image\":\"i\","
     "\"memory\":9,\"volumesFrom\":[{\"sourceContainer\":\"a\"}]}]",
     ERR_INVALID, "must not form a cycle"},
    {"\"containerDefinitions\":[{" ONE ",\"dependsOn\":[{\"containerName\":\"b\",\"condition\":"
     "\"HEALTHY\"}]},{\"name\":\"b\",\"image\":\"i\",\"memory\":9}]",
     ERR_INVALID, "'b' must have a health check"},
    {"\"containerDefinitions\":[{" ONE ",\"dependsOn\":[{\"containerName\":\"b\",\"condition\":"
     "\"SUCCESS\"}]},{\"name\":\"b\",\"image\":\"i\",\"memory\":9}]",
     ERR_INVALID, "must not be essential: 'b'"},
    {"\"networkMode\":\"host\",\"containerDefinitions\":[{" ONE ",\"links\":[\"b\"]}]", ERR_INVALID,
     "Links are not supported when networkMode=host"},
    /* Volumes. */
    {"\"containerDefinitions\":[{" ONE ",\"mountPoints\":[{\"sourceVolume\":\"v\","
     "\"containerPath\":\"/x\"}]}]",
     ERR_INVALID, "Unknown volume 'v'."},
    {"\"volumes\":[{\"name\":\"v\"}],\"containerDefinitions\":[{" ONE
     ",\"mountPoints\":[{\"sourceVolume\":\"v\",\"containerPath\":\"x\"}]}]",
     ERR_INVALID, "must be an absolute path"},
    {"\"volumes\":[{\"name\":\"v\"},{\"name\":\"v\"}],\"containerDefinitions\":[{" ONE "}]",
     ERR_INVALID, "Volume.name is not unique"},
    {"\"volumes\":[{\"name\":\"v\",\"host\":{\"sourcePath\":\"rel\"}}],"
     "\"containerDefinitions\":[{" ONE "}]",
     ERR_INVALID, "'sourcePath' must be an absolute path"},
    {"\"volumes\":[{\"name\":\"v\",\"host\":{\"sourcePath\":\"/srv\"}}],"
     "\"containerDefinitions\":[{" ONE ",\"mountPoints\":[{\"sourceVolume\":\"v\","
     "\"containerPath\":\"/x\"}]}]",
     0, NULL},
    /* Health. */
    {"\"containerDefinitions\":[{" ONE ",\"healthCheck\":{\"command\":[\"true\"]}}]", ERR_INVALID,
     "must begin with CMD"},
    {"\"containerDefinitions\":[{" ONE
     ",\"healthCheck\":{\"command\":[\"CMD\",\"true\"],\"interval\":4}}]",
     ERR_INVALID, "'healthCheck.interval' must be from 5 to 300"},
    /* The rest. */
    {"\"containerDefinitions\":[{" ONE ",\"environment\":[{\"name\":\"A=B\",\"value\":\"\"}]}]",
     ERR_INVALID, "environment variable"},
    {"\"containerDefinitions\":[{" ONE ",\"ulimits\":[{\"name\":\"nofile\",\"softLimit\":9,"
     "\"hardLimit\":8}]}]",
     ERR_INVALID, "ulimit"},
    {"\"containerDefinitions\":[{" ONE ",\"systemControls\":[{\"namespace\":\"kernel.panic\","
     "\"value\":\"1\"}]}]",
     ERR_INVALID, "'kernel.panic' is not namespaced"},
    {"\"placementConstraints\":[{\"type\":\"memberOf\",\"expression\":\"attribute:x ==\"}],"
     "\"containerDefinitions\":[{" ONE "}]",
     ERR_INVALID, "Invalid expression in placementConstraints[0]"},
    {"\"requiresCompatibilities\":[\"FARGATE\"],\"containerDefinitions\":[{" ONE "}]", ERR_INVALID,
     "Fargate only supports network mode 'awsvpc'."},
    {"\"requiresCompatibilities\":[\"FARGATE\"],\"networkMode\":\"awsvpc\",\"cpu\":\"256\","
     "\"memory\":\"4096\",\"containerDefinitions\":[{" ONE "}]",
     ERR_INVALID, "No Fargate configuration exists for given values."},
    {"\"requiresCompatibilities\":[\"FARGATE\"],\"networkMode\":\"awsvpc\",\"cpu\":\"0.25 vCPU\","
     "\"memory\":\"1 GB\",\"containerDefinitions\":[{" ONE "}]",
     0, NULL},
    /* Not carried out yet. */
    {"\"containerDefinitions\":[{" ONE ",\"secrets\":[{\"name\":\"A\",\"valueFrom\":\"b\"}]}]",
     ERR_UNSUPPORTED, "containerDefinitions[0].secrets is not supported"},
    {"\"pidMode\":\"host\",\"containerDefinitions\":[{" ONE "}]", ERR_UNSUPPORTED,
     "pidMode is not supported"},
    {"\"containerDefinitions\":[{" ONE
     ",\"linuxParameters\":{\"devices\":[{\"hostPath\":\"/d\"}]}}]",
     ERR_UNSUPPORTED, "containerDefinitions[0].linuxParameters.devices is not supported"},
    {"\"containerDefinitions\":[{" ONE ",\"pseudoTerminal\":true}]", ERR_UNSUPPORTED,
     "containerDefinitions[0].pseudoTerminal is not supported"},
    {"\"containerDefinitions\":[{" ONE ",\"pseudoTerminal\":false,\"interactive\":false}]", 0,
     NULL},
    {"\"containerDefinitions\":[{" ONE ",\"logConfiguration\":{\"logDriver\":\"splunk\"}}]",
     ERR_UNSUPPORTED, "logDriver"},
    {"\"runtimePlatform\":{\"operatingSystemFamily\":\"WINDOWS_SERVER_2022_CORE\"},"
     "\"containerDefinitions\":[{" ONE "}]",
     ERR_UNSUPPORTED, "operatingSystemFamily"},
    {"\"volumes\":[{\"name\":\"v\",\"efsVolumeConfiguration\":{\"fileSystemId\":\"f\"}}],"
     "\"containerDefinitions\":[{" ONE "}]",
     ERR_UNSUPPORTED, "volumes[0].efsVolumeConfiguration is not supported"},
};

START_TEST(every_rule_is_kept_and_named)
    {
        for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
            const struct refusal *r = &refusals[i];
            struct arena a;
            struct err err = {0};
            struct taskdef def;
            int rv;
            arena_init(&a, test_mem());
            rv = taskdef_from_request(
                request(arena_printf(&a, "{\"family\":\"web\",%s}", r->members), &a), &a, &def,
                &err);
            ck_assert_msg(rv == r->code, "%s: %d %s", r->members, rv, err.text);
            if (r->text != NULL && strstr(err.text, r->text) == NULL) {
                ck_abort_msg("%s:\n%s", r->members, err.text);
            }
            arena_close(&a);
        }
    }
END_TEST

START_TEST(families_and_sizes_are_bounded)
    {
        struct arena a;
        struct err err = {0};
        struct taskdef def;
        char *json;
        char *big;
        arena_init(&a, test_mem());
        ck_assert_int_eq(taskdef_from_request(request("{}", &a), &a, &def, &err), ERR_INVALID);
        ck_assert_int_eq(taskdef_from_request(request("{\"family\":\"a.b\"}", &a), &a, &def, &err),
                         ERR_INVALID);
        big = arena_alloc(&a, 70001);
        memset(big, 'x', 70000);
        json = arena_printf(
            &a, "{\"family\":\"f\",\"containerDefinitions\":[{" ONE ",\"command\":[\"%s\"]}]}",
            big);
        ck_assert_int_eq(taskdef_from_request(request(json, &a), &a, &def, &err), ERR_INVALID);
        ck_assert_ptr_nonnull(strstr(err.text, "Max allowed length is '65536' bytes"));
        arena_close(&a);
    }
END_TEST

START_TEST(sizes_are_read_as_ecs_reads_them)
    {
        static const struct {
            const char *text;
            uint32_t cpu; /* 0: refused. */
            uint32_t memory;
        } cases[] = {
            {"256", 256, 256},
            {"1 vCPU", 1024, 0},
            {".5 vcpu", 512, 0},
            {"0.25vCPU", 256, 0},
            {"192 vCPU", 196608, 0},
            {"193 vCPU", 0, 0},
            {"127", 0, 127},
            {"5", 0, 0},
            {"1 GB", 0, 1024},
            {"0.5 GB", 0, 512},
            {"1gb", 0, 1024},
            {"1.5.5 GB", 0, 0},
            {"", 0, 0},
            {"GB", 0, 0},
            {". vCPU", 0, 0},
            {"99999999999999", 0, 0},
            {"1 TB", 0, 0},
            {" 512 ", 512, 512},
        };
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            uint32_t v = 0;
            int rv = taskdef_parse_cpu(str_of(cases[i].text), &v, NULL);
            ck_assert_msg((rv == 0) == (cases[i].cpu != 0) && (rv != 0 || v == cases[i].cpu),
                          "cpu %s: %u", cases[i].text, v);
            rv = taskdef_parse_memory(str_of(cases[i].text), &v, NULL);
            ck_assert_msg((rv == 0) == (cases[i].memory != 0) && (rv != 0 || v == cases[i].memory),
                          "memory %s: %u", cases[i].text, v);
        }
    }
END_TEST

/* --- overrides ----------------------------------------------------------------------------------
 */

static void two_containers(struct arena *a, const char *task_level, struct taskdef *def)
{
    struct err err = {0};
    ck_assert_int_eq(
        taskdef_from_request(
            request(arena_printf(a,
                                 "{\"family\":\"w\"%s,\"containerDefinitions\":[{\"name\":\"a\","
                                 "\"image\":\"i\",\"cpu\":10,\"memory\":100},{\"name\":\"b\","
                                 "\"image\":\"i\",\"cpu\":20,\"memoryReservation\":50}]}",
                                 task_level),
                    a),
            a, def, &err),
        0);
}

static int apply(const struct taskdef *def, const char *json, struct arena *a,
                 struct task_shape *ret, struct err *err)
{
    ProtobufCMessage *m;
    ck_assert_int_eq(transcode_read(&ecs__v1__task_override__descriptor, str_of(json), a, &m, err),
                     0);
    return taskdef_apply_overrides(def, (Ecs__V1__TaskOverride *)m, a, ret, err);
}

START_TEST(overrides_change_what_a_task_reserves)
    {
        struct arena a;
        struct err err = {0};
        struct taskdef def;
        struct task_shape shape;
        Ecs__V1__TaskOverride *shown;
        arena_init(&a, test_mem());
        two_containers(&a, "", &def);
        ck_assert_int_eq(taskdef_apply_overrides(&def, NULL, &a, &shape, &err), 0);
        ck_assert_uint_eq(shape.cpu, 30);
        ck_assert_uint_eq(shape.memory, 150);
        ck_assert_ptr_null(shape.overrides.p);
        ck_assert_int_eq(apply(&def, "{}", &a, &shape, &err), 0);
        ck_assert_ptr_null(shape.overrides.p);
        ck_assert_int_eq(apply(&def,
                               "{\"containerOverrides\":[{\"name\":\"b\",\"cpu\":100,\"memory\":80,"
                               "\"command\":[\"x\"]}]}",
                               &a, &shape, &err),
                         0);
        ck_assert_uint_eq(shape.cpu, 110);
        ck_assert_uint_eq(shape.memory, 150); /* The reservation is what counts. */
        ck_assert_int_eq(taskdef_overrides_to_public(shape.overrides, &a, &shown, &err), 0);
        ck_assert_str_eq(text_of(&shown->base, &a),
                         "{\"containerOverrides\":[{\"name\":\"b\",\"command\":[\"x\"],\"cpu\":100,"
                         "\"memory\":80}],\"inferenceAcceleratorOverrides\":[]}");
        ck_assert_int_eq(apply(&def, "{\"cpu\":\"1 vCPU\",\"memory\":\"1 GB\"}", &a, &shape, &err),
                         0);
        ck_assert_uint_eq(shape.cpu, 1024);
        ck_assert_uint_eq(shape.memory, 1024);
        two_containers(&a, ",\"cpu\":\"256\",\"memory\":\"512\"", &def);
        ck_assert_int_eq(apply(&def, "{\"containerOverrides\":[{\"name\":\"a\",\"cpu\":100}]}", &a,
                               &shape, &err),
                         0);
        ck_assert_uint_eq(shape.cpu, 256);
        ck_assert_int_eq(taskdef_overrides_to_public(str_make(NULL, 0), &a, &shown, &err), 0);
        ck_assert_uint_eq(shown->n_container_overrides, 0);
        arena_close(&a);
    }
END_TEST

START_TEST(overrides_that_cannot_be_are_refused)
    {
        static const struct refusal cases[] = {
            {"{\"containerOverrides\":[{\"name\":\"z\"}]}", ERR_INVALID,
             "Override for container named z is not a container in the TaskDefinition."},
            {"{\"containerOverrides\":[{}]}", ERR_INVALID, "Override for container named "},
            {"{\"containerOverrides\":[{\"name\":\"a\"},{\"name\":\"a\"}]}", ERR_INVALID,
             "two overrides"},
            {"{\"containerOverrides\":[{\"name\":\"a\",\"memory\":2}]}", ERR_INVALID, "6 MiB"},
            {"{\"containerOverrides\":[{\"name\":\"a\",\"environment\":[{\"value\":\"x\"}]}]}",
             ERR_INVALID, "environment"},
            {"{\"cpu\":\"x\"}", ERR_INVALID, "Invalid 'cpu'"},
            {"{\"memory\":\"120\"}", ERR_INVALID, "Invalid overrides"},
            {"{\"ephemeralStorage\":{\"sizeInGiB\":30}}", ERR_UNSUPPORTED,
             "overrides: ephemeralStorage is not supported"},
        };
        struct arena a;
        struct taskdef def;
        struct task_shape shape;
        arena_init(&a, test_mem());
        two_containers(&a, "", &def);
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            struct err err = {0};
            int rv = apply(&def, cases[i].members, &a, &shape, &err);
            ck_assert_msg(rv == cases[i].code, "%s: %d %s", cases[i].members, rv, err.text);
            ck_assert_msg(strstr(err.text, cases[i].text) != NULL, "%s", err.text);
        }
        arena_close(&a);
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("taskdef");
    TEST_CASE(s, "definitions", 30, a_definition_is_summarized_for_the_scheduler,
              a_definition_is_shown_as_it_was_given, every_rule_is_kept_and_named,
              families_and_sizes_are_bounded, sizes_are_read_as_ecs_reads_them);
    TEST_CASE(s, "overrides", 30, overrides_change_what_a_task_reserves,
              overrides_that_cannot_be_are_refused);
    return test_run(s);
}
