/* Rows and commands as JSON: names, ids and times for people; every table can be walked. */
#include "admin/offline/describe.h"

#include "tests/lib/test.h"

#include <stdlib.h>
#include <string.h>

static const char *text_at(const json_t *o, const char *key)
{
    return json_string_value(json_object_get(o, key));
}

START_TEST(a_task_is_described_with_names_ids_and_times)
    {
        struct binding binding = {80, 32768, PROTO_TCP};
        struct container container = {.status = CONTAINER_RUNNING, .bindings = &binding};
        struct tag tag = {STR("team"), STR("web")};
        struct task task = {
            .id = {1, 2},
            .service = SLOT_NONE,
            .status = TASK_RUNNING,
            .desired = TASK_STOPPED,
            .created_at = 1700000000123,
            .overrides = str_make("\x00\x01\x02", 3),
            .containers = &container,
            .n_containers = 1,
            .tags = {&tag, 1},
        };
        const json_t *c;
        json_t *o;
        container.n_bindings = 1;
        o = describe_object(schema_of_kind(KIND_TASK), &task);
        ck_assert_str_eq(text_at(o, "id"), "00000000000000010000000000000002");
        ck_assert_str_eq(text_at(o, "status"), "RUNNING");
        ck_assert_str_eq(text_at(o, "desired"), "STOPPED");
        ck_assert_str_eq(text_at(o, "created_at"), "2023-11-14T22:13:20.123Z");
        ck_assert_str_eq(text_at(o, "overrides"), "000102");
        ck_assert_ptr_null(json_object_get(o, "service"));
        ck_assert_ptr_null(json_object_get(o, "on_node"));
        c = json_array_get(json_object_get(o, "containers"), 0);
        ck_assert_int_eq(json_integer_value(json_object_get(
                             json_array_get(json_object_get(c, "bindings"), 0), "host_port")),
                         32768);
        ck_assert_str_eq(text_at(json_array_get(json_object_get(o, "tags"), 0), "value"), "web");
        json_decref(o);
    }
END_TEST

START_TEST(every_command_has_a_name_and_can_be_described)
    {
        unsigned n = 0;
        for (unsigned kind = 1; kind < CMD_N; kind++) {
            struct command cmd = {.kind = (uint8_t)kind, .at_ms = 1000, .seed = 0xab};
            char summary[96];
            json_t *o;
            if (schema_of_command((uint8_t)kind) == NULL) {
                continue;
            }
            o = describe_command(&cmd);
            ck_assert_str_ne(text_at(o, "command"), "?");
            ck_assert_str_eq(text_at(o, "seed"), "00000000000000ab");
            ck_assert_str_eq(text_at(o, "at"), "1970-01-01T00:00:01.000Z");
            describe_summary(&cmd, summary, sizeof summary);
            ck_assert_ptr_eq(strstr(summary, text_at(o, "command")), summary);
            json_decref(o);
            n++;
        }
        ck_assert_uint_ge(n, 25);
        ck_assert_str_eq(describe_command_name(255), "?");
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("describe");
    TEST_CASE(s, "describe", 10, a_task_is_described_with_names_ids_and_times,
              every_command_has_a_name_and_can_be_described);
    return test_run(s);
}
