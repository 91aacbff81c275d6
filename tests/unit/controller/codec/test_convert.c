/* Copies between messages of different types: nothing is lost, and what has no place is named. */
#include "controller/codec/convert.h"
#include "controller/codec/transcode.h"
#include "proto/ecs/log/v1/spec.pb-c.h"
#include "proto/ecs/v1/cluster.pb-c.h"
#include "proto/ecs/v1/service.pb-c.h"
#include "proto/ecs/v1/task.pb-c.h"
#include "proto/ecs/v1/task_definition.pb-c.h"
#include "tests/lib/test.h"

#include <string.h>

static ProtobufCMessage *read_json(const ProtobufCMessageDescriptor *desc, const char *json,
                                   struct arena *a)
{
    ProtobufCMessage *m;
    struct err err = {0};
    ck_assert_msg(transcode_read(desc, str_of(json), a, &m, &err) == 0, "%s", err.text);
    return m;
}

START_TEST(a_specification_and_back_is_the_same_message)
    {
        static const char json[] =
            "{\"containerDefinitions\":[{\"name\":\"a\",\"image\":\"i\",\"cpu\":0,\"essential\":"
            "false,\"portMappings\":[{\"containerPort\":1,\"protocol\":\"udp\"}],\"dockerLabels\":{"
            "\"x\":\"1\",\"y\":\"2\"},\"logConfiguration\":{\"logDriver\":\"json-file\"},"
            "\"ulimits\":[{\"name\":\"nofile\",\"softLimit\":1,\"hardLimit\":2}]}],"
            "\"networkMode\":\"awsvpc\",\"requiresCompatibilities\":[\"EC2\",\"FARGATE\"]}";
        struct arena a;
        struct err err = {0};
        struct convert_report report = {0};
        ProtobufCMessage *from;
        ProtobufCMessage *back;
        Ecs__Log__V1__TaskDefinitionSpec *spec;
        arena_init(&a, test_mem());
        from = read_json(&ecs__v1__register_task_definition_request__descriptor, json, &a);
        spec = pbc_new(&ecs__log__v1__task_definition_spec__descriptor, &a);
        ck_assert_msg(convert_message(from, &spec->base, &a, &report, &err) == 0, "%s", err.text);
        ck_assert_uint_eq(report.n_missing, 0);
        ck_assert_str_eq(spec->network_mode, "awsvpc");
        ck_assert_str_eq(spec->container_definitions[0]->log_configuration->log_driver,
                         "json-file");
        ck_assert_uint_eq(spec->container_definitions[0]->n_docker_labels, 2);
        ck_assert(spec->container_definitions[0]->has_essential);
        ck_assert_str_eq(spec->requires_compatibilities[1], "FARGATE");
        back = pbc_new(from->descriptor, &a);
        ck_assert_int_eq(convert_message(&spec->base, back, &a, NULL, &err), 0);
        ck_assert(str_eq(pbc_pack_arena(from, &a), pbc_pack_arena(back, &a)));
        arena_close(&a);
    }
END_TEST

START_TEST(what_the_target_lacks_is_named)
    {
        struct arena a;
        struct err err = {0};
        struct convert_report report = {0};
        ProtobufCMessage *from;
        arena_init(&a, test_mem());
        from = read_json(&ecs__v1__register_task_definition_request__descriptor,
                         "{\"family\":\"f\",\"containerDefinitions\":[{\"name\":\"a\"},{\"name\":"
                         "\"b\",\"secrets\":[{\"name\":\"s\",\"valueFrom\":\"v\"}],"
                         "\"linuxParameters\":{\"swappiness\":0}}]}",
                         &a);
        ck_assert_int_eq(
            convert_message(from, pbc_new(&ecs__log__v1__task_definition_spec__descriptor, &a), &a,
                            &report, &err),
            0);
        ck_assert_uint_eq(report.n_missing, 3);
        ck_assert_str_eq(report.missing[0], "family");
        ck_assert_str_eq(report.missing[1], "containerDefinitions[1].secrets");
        ck_assert_str_eq(report.missing[2], "containerDefinitions[1].linuxParameters.swappiness");
        arena_close(&a);
    }
END_TEST

START_TEST(a_text_that_is_no_value_of_the_enum_is_refused)
    {
        struct arena a;
        struct err err = {0};
        Ecs__Log__V1__TaskDefinitionSpec *spec;
        arena_init(&a, test_mem());
        spec = pbc_new(&ecs__log__v1__task_definition_spec__descriptor, &a);
        spec->network_mode = (char *)"token-ring";
        ck_assert_int_eq(convert_message(&spec->base,
                                         pbc_new(&ecs__v1__task_definition__descriptor, &a), &a,
                                         NULL, &err),
                         ERR_INVALID);
        ck_assert_str_eq(err.text, "networkMode: 'token-ring' is not allowed");
        arena_close(&a);
    }
END_TEST

/* Every field of a specification exists in the public message that shows it, with a type that can
 * be converted: walk the descriptors instead of waiting for a request that needs it. */
static void check_pair(const ProtobufCMessageDescriptor *from, const ProtobufCMessageDescriptor *to,
                       unsigned *n)
{
    struct work {
        const ProtobufCMessageDescriptor *from, *to;
    } list[200];
    size_t n_list = 1;
    list[0] = (struct work){from, to};
    for (size_t i = 0; i < n_list; i++) {
        for (unsigned j = 0; j < list[i].from->n_fields; j++) {
            const ProtobufCFieldDescriptor *f = &list[i].from->fields[j];
            const ProtobufCFieldDescriptor *t =
                protobuf_c_message_descriptor_get_field_by_name(list[i].to, f->name);
            ck_assert_msg(t != NULL, "%s.%s", list[i].to->name, f->name);
            ck_assert_msg((f->label == PROTOBUF_C_LABEL_REPEATED) ==
                              (t->label == PROTOBUF_C_LABEL_REPEATED),
                          "%s.%s", list[i].to->name, f->name);
            (*n)++;
            if (f->type == PROTOBUF_C_TYPE_MESSAGE) {
                ck_assert_uint_lt(n_list, 200);
                ck_assert_int_eq(t->type, PROTOBUF_C_TYPE_MESSAGE);
                list[n_list++] = (struct work){f->descriptor, t->descriptor};
            } else if (t->type == PROTOBUF_C_TYPE_ENUM) {
                ck_assert_msg(f->type == PROTOBUF_C_TYPE_STRING, "%s.%s", list[i].to->name,
                              f->name);
            } else {
                ck_assert_msg(f->type == t->type, "%s.%s", list[i].to->name, f->name);
            }
        }
    }
}

START_TEST(specifications_fit_the_public_messages)
    {
        unsigned n = 0;
        check_pair(&ecs__log__v1__task_definition_spec__descriptor,
                   &ecs__v1__task_definition__descriptor, &n);
        check_pair(&ecs__log__v1__task_definition_spec__descriptor,
                   &ecs__v1__register_task_definition_request__descriptor, &n);
        check_pair(&ecs__log__v1__cluster_spec__descriptor, &ecs__v1__cluster__descriptor, &n);
        check_pair(&ecs__log__v1__cluster_spec__descriptor,
                   &ecs__v1__create_cluster_request__descriptor, &n);
        check_pair(&ecs__log__v1__service_spec__descriptor,
                   &ecs__v1__create_service_request__descriptor, &n);
        check_pair(&ecs__log__v1__service_spec__descriptor, &ecs__v1__service__descriptor, &n);
        check_pair(&ecs__log__v1__task_override__descriptor, &ecs__v1__task_override__descriptor,
                   &n);
        ck_assert_uint_gt(n, 250);
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("convert");
    TEST_CASE(s, "convert", 30, a_specification_and_back_is_the_same_message,
              what_the_target_lacks_is_named, a_text_that_is_no_value_of_the_enum_is_refused,
              specifications_fit_the_public_messages);
    return test_run(s);
}
