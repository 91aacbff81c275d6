/* ARNs: what is written is read back, and what is not ours is refused with a reason. */
#include "controller/codec/arn.h"
#include "tests/lib/test.h"

#include <string.h>

static const struct arn_names names = {"aws", "eu-here-1", "123456789012"};
static const struct id some = {0x0123456789abcdefull, 0xfedcba9876543210ull};
#define PREFIX "arn:aws:ecs:eu-here-1:123456789012:"
#define HEX    "0123456789abcdeffedcba9876543210"

START_TEST(every_arn_is_written_as_ecs_writes_it)
    {
        struct arena a;
        struct str c = STR("prod");
        struct str s = STR("web");
        char *container;
        arena_init(&a, test_mem());
        ck_assert_str_eq(arn_cluster(&names, c, &a), PREFIX "cluster/prod");
        ck_assert_str_eq(arn_service(&names, c, s, &a), PREFIX "service/prod/web");
        ck_assert_str_eq(arn_task(&names, c, some, &a), PREFIX "task/prod/" HEX);
        ck_assert_str_eq(arn_node(&names, c, some, &a), PREFIX "container-instance/prod/" HEX);
        ck_assert_str_eq(arn_taskdef(&names, s, 12, &a), PREFIX "task-definition/web:12");
        ck_assert_str_eq(arn_capacity_provider(&names, c, &a), PREFIX "capacity-provider/prod");
        ck_assert_str_eq(arn_service_deployment(&names, c, s, STR("abc"), &a),
                         PREFIX "service-deployment/prod/web/abc");
        ck_assert_str_eq(arn_service_revision(&names, c, s, 77, &a),
                         PREFIX "service-revision/prod/web/77");
        container = arn_container(&names, c, some, 1, &a);
        ck_assert(str_starts(str_of(container), PREFIX "container/prod/" HEX "/"));
        ck_assert_uint_eq(strlen(container), strlen(PREFIX "container/prod/" HEX "/") + 36);
        ck_assert_str_ne(container, arn_container(&names, c, some, 2, &a));
        arena_close(&a);
    }
END_TEST

START_TEST(every_arn_written_is_read_back)
    {
        struct arena a;
        struct arn arn;
        struct err err = {0};
        struct str c = STR("prod");
        struct str s = STR("web");
        const struct {
            const char *text;
            enum arn_type type;
        } all[] = {
            {PREFIX "cluster/prod", ARN_CLUSTER},
            {PREFIX "service/prod/web", ARN_SERVICE},
            {PREFIX "service/web", ARN_SERVICE},
            {PREFIX "task/prod/" HEX, ARN_TASK},
            {PREFIX "task/" HEX, ARN_TASK},
            {PREFIX "container-instance/prod/" HEX, ARN_NODE},
            {PREFIX "task-definition/web:3", ARN_TASKDEF},
            {PREFIX "task-definition/web", ARN_TASKDEF},
            {PREFIX "capacity-provider/prod", ARN_CAPACITY_PROVIDER},
            {PREFIX "container/prod/" HEX "/x", ARN_CONTAINER},
            {PREFIX "task-set/prod/web/ecs-svc/1", ARN_TASK_SET},
            {PREFIX "service-deployment/prod/web/x", ARN_SERVICE_DEPLOYMENT},
            {PREFIX "service-revision/prod/web/9", ARN_SERVICE_REVISION},
        };
        arena_init(&a, test_mem());
        for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
            ck_assert_msg(arn_parse(&names, str_of(all[i].text), &arn, &err) == 0, "%s: %s",
                          all[i].text, err.text);
            ck_assert_int_eq(arn.type, all[i].type);
        }
        ck_assert_int_eq(arn_parse(&names, str_of(arn_task(&names, c, some, &a)), &arn, &err), 0);
        ck_assert(id_eq(arn.id, some) && str_eq(arn.cluster, c));
        ck_assert_int_eq(arn_parse(&names, str_of(arn_service(&names, c, s, &a)), &arn, &err), 0);
        ck_assert(str_eq(arn.name, s) && str_eq(arn.cluster, c));
        ck_assert_int_eq(
            arn_parse(&names, str_of(arn_container(&names, c, some, 0, &a)), &arn, &err), 0);
        ck_assert(id_eq(arn.id, some));
        arena_close(&a);
    }
END_TEST

START_TEST(what_is_no_arn_of_ours_is_refused)
    {
        static const char *const bad[] = {
            "arn:aws:ecs",
            "arn:aws:ecs:eu-here-1:123456789012:",
            "arn:aws:ecs:eu-here-1:123456789012:nothing/x",
            "arn:aws:ec2:eu-here-1:123456789012:cluster/x",
            "arn:aws-cn:ecs:eu-here-1:123456789012:cluster/x",
            "arn:aws:ecs:us-east-1:123456789012:cluster/x",
            "arn:aws:ecs:eu-here-1:111111111111:cluster/x",
            PREFIX "cluster/",
            PREFIX "cluster/a b",
            PREFIX "task/prod/xyz",
            PREFIX "task-definition/web:0",
            PREFIX "task-definition/web:x",
            PREFIX "task-definition/:1",
            PREFIX "container/prod/" HEX,
        };
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
            struct arn arn;
            struct err err = {0};
            ck_assert_int_eq(arn_parse(&names, str_of(bad[i]), &arn, &err), ERR_INVALID);
            ck_assert_uint_gt(strlen(err.text), 10);
        }
    }
END_TEST

START_TEST(short_forms_are_as_good_as_arns)
    {
        struct str cluster;
        struct str name;
        struct id id;
        uint32_t revision;
        struct err err = {0};
        ck_assert_int_eq(arn_parse_cluster(&names, NULL, &cluster, &err), 0);
        ck_assert(str_eqc(cluster, "default"));
        ck_assert_int_eq(arn_parse_cluster(&names, "prod", &cluster, &err), 0);
        ck_assert(str_eqc(cluster, "prod"));
        ck_assert_int_eq(arn_parse_cluster(&names, PREFIX "cluster/prod", &cluster, &err), 0);
        ck_assert(str_eqc(cluster, "prod"));
        ck_assert_int_eq(arn_parse_cluster(&names, PREFIX "task/prod/" HEX, &cluster, &err),
                         ERR_INVALID);
        ck_assert_str_eq(err.text, "Invalid identifier: Expected a cluster, found a task");
        ck_assert_int_eq(arn_parse_cluster(&names, "no good", &cluster, &err), ERR_INVALID);
        ck_assert_int_eq(arn_parse_service(&names, "web", &cluster, &name, &err), 0);
        ck_assert(cluster.n == 0 && str_eqc(name, "web"));
        ck_assert_int_eq(arn_parse_task(&names, HEX, &cluster, &id, &err), 0);
        ck_assert(id_eq(id, some));
        ck_assert_int_eq(
            arn_parse_task(&names, "01234567-89ab-cdef-fedc-ba9876543210", &cluster, &id, &err), 0);
        ck_assert(id_eq(id, some));
        ck_assert_int_eq(arn_parse_task(&names, "short", &cluster, &id, &err), ERR_INVALID);
        ck_assert_str_eq(err.text, "taskId length should be one of [32,36]");
        ck_assert_int_eq(arn_parse_node(&names, HEX, &cluster, &id, &err), 0);
        ck_assert_int_eq(arn_parse_taskdef(&names, "web", &name, &revision, &err), 0);
        ck_assert_uint_eq(revision, 0);
        ck_assert_int_eq(arn_parse_taskdef(&names, "web:4", &name, &revision, &err), 0);
        ck_assert_uint_eq(revision, 4);
        ck_assert_int_eq(arn_parse_taskdef(&names, "web:99999999999", &name, &revision, &err),
                         ERR_INVALID);
        ck_assert_str_eq(err.text, "Invalid revision number. Number: 99999999999");
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("arn");
    TEST_CASE(s, "arn", 10, every_arn_is_written_as_ecs_writes_it, every_arn_written_is_read_back,
              what_is_no_arn_of_ours_is_refused, short_forms_are_as_good_as_arns);
    return test_run(s);
}
