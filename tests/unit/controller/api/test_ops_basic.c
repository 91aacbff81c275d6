/* Clusters, task definitions, tags, attributes, paging: requests in, answers and errors out. */
#include "tests/unit/controller/api/rig.h"

static const char *const simple_taskdef =
    "{\"family\":\"web\",\"containerDefinitions\":[{\"name\":\"app\",\"image\":\"busybox\","
    "\"cpu\":64,\"memory\":32}]}";

START_TEST(a_cluster_lives_from_create_to_delete)
    {
        struct rig r;
        rig_open(&r, NULL);
        rig_has(&r, "DescribeClusters", "{}", "\"clusters\":[]");
        rig_also(&r, "{\"arn\":\"" ARN_PREFIX "cluster/default\",\"reason\":\"MISSING\"}");
        rig_has(&r, "CreateCluster", "{}", "\"clusterArn\":\"" ARN_PREFIX "cluster/default\"");
        rig_also(&r, "\"status\":\"ACTIVE\"");
        rig_has(&r, "CreateCluster",
                "{\"clusterName\":\"a\",\"tags\":[{\"key\":\"k\",\"value\":\"v\"}],"
                "\"settings\":[{\"name\":\"containerInsights\",\"value\":\"enabled\"}]}",
                "\"tags\":[{\"key\":\"k\",\"value\":\"v\"}]");
        rig_also(&r, "\"settings\":[{\"name\":\"containerInsights\",\"value\":\"enabled\"}]");
        rig_has(&r, "DescribeClusters", "{\"clusters\":[\"a\"]}", "\"clusterName\":\"a\"");
        rig_not(&r, "\"key\":\"k\"");
        rig_has(&r, "DescribeClusters",
                "{\"clusters\":[\"" ARN_PREFIX "cluster/a\"],"
                "\"include\":[\"TAGS\",\"SETTINGS\",\"STATISTICS\"]}",
                "\"key\":\"k\"");
        rig_also(&r, "\"containerInsights\"");
        rig_also(&r, "\"runningEC2TasksCount\"");
        rig_has(&r, "ListClusters", "{}",
                "{\"clusterArns\":[\"" ARN_PREFIX "cluster/default\",\"" ARN_PREFIX
                "cluster/a\"]}");
        rig_has(&r, "DeleteCluster", "{\"cluster\":\"a\"}", "\"status\":\"INACTIVE\"");
        rig_has(&r, "DeleteCluster", "{\"cluster\":\"a\"}", "\"status\":\"INACTIVE\"");
        rig_has(&r, "ListClusters", "{}", "{\"clusterArns\":[\"" ARN_PREFIX "cluster/default\"]}");
        rig_close(&r);
    }
END_TEST

START_TEST(creating_a_cluster_again_changes_nothing)
    {
        struct rig r;
        rig_open(&r, NULL);
        rig_has(&r, "CreateCluster",
                "{\"clusterName\":\"a\",\"tags\":[{\"key\":\"k\",\"value\":\"v\"}]}", "ACTIVE");
        unsigned n = r.engine->n_applied;
        rig_has(&r, "CreateCluster", "{\"clusterName\":\"a\"}", "\"key\":\"k\"");
        rig_has(&r, "CreateCluster",
                "{\"clusterName\":\"a\",\"tags\":[{\"key\":\"k\",\"value\":\"other\"}]}",
                "InvalidParameterException: Arguments on this idempotent request are inconsistent");
        ck_assert_uint_eq(r.engine->n_applied, n);
        rig_close(&r);
    }
END_TEST

START_TEST(a_cluster_is_updated_setting_by_setting)
    {
        struct rig r;
        rig_open(&r, NULL);
        rig_has(&r, "CreateCluster", "{\"clusterName\":\"a\"}", "ACTIVE");
        rig_has(&r, "UpdateClusterSettings",
                "{\"cluster\":\"a\",\"settings\":[{\"name\":\"containerInsights\","
                "\"value\":\"enhanced\"}]}",
                "\"value\":\"enhanced\"");
        rig_has(&r, "UpdateCluster",
                "{\"cluster\":\"a\",\"configuration\":{\"executeCommandConfiguration\":"
                "{\"logging\":\"NONE\"}}}",
                "\"logging\":\"NONE\"");
        rig_also(&r, "\"value\":\"enhanced\"");
        rig_has(
            &r, "PutClusterCapacityProviders",
            "{\"cluster\":\"a\",\"capacityProviders\":[],\"defaultCapacityProviderStrategy\":[]}",
            "\"clusterName\":\"a\"");
        rig_has(&r, "PutClusterCapacityProviders",
                "{\"cluster\":\"a\",\"capacityProviders\":[\"FARGATE\"],"
                "\"defaultCapacityProviderStrategy\":[]}",
                "UnsupportedFeatureException: The capacity provider FARGATE is not supported");
        rig_close(&r);
    }
END_TEST

static const struct {
    const char *op;
    const char *request;
    const char *error;
} refusals[] = {
    {"CreateCluster", "{\"clusterName\":\"a b\"}",
     "InvalidParameterException: Cluster name contains invalid characters"},
    {"CreateCluster", "{\"tags\":[{\"key\":\"aws:x\"}]}", "the prefix is reserved"},
    {"CreateCluster", "{\"tags\":[{\"key\":\"a\"},{\"key\":\"a\"}]}", "Duplicate tag keys"},
    {"CreateCluster", "{\"settings\":[{\"name\":\"containerInsights\",\"value\":\"maybe\"}]}",
     "settings[0].value must be"},
    {"CreateCluster", "{\"capacityProviders\":[\"FARGATE\"]}",
     "UnsupportedFeatureException: The capacity provider FARGATE is not supported"},
    {"UpdateCluster", "{\"cluster\":\"nope\"}", "ClusterNotFoundException: Cluster not found."},
    {"DeleteCluster", "{}", "InvalidParameterException: cluster can not be blank."},
    {"DeleteCluster", "{\"cluster\":\"nope\"}", "ClusterNotFoundException: Cluster not found."},
    {"DescribeClusters", "{\"clusters\":[\"arn:aws:ecs:eu-west-1:123456789012:cluster/a\"]}",
     "InvalidParameterException: "},
    {"ListClusters", "{\"maxResults\":0}", "maxResults must be between 1 and 100, not 0."},
    {"ListClusters", "{\"maxResults\":101}", "maxResults must be between 1 and 100"},
    {"ListClusters", "{\"nextToken\":\"garbage\"}", "InvalidParameterException: Invalid token"},
    {"ListClusters", "{\"nextToken\":\"!!\"}", "InvalidParameterException: Invalid token"},
    {"DescribeTaskDefinition", "{\"taskDefinition\":\"web\"}",
     "ClientException: Unable to describe task definition."},
    {"DescribeTaskDefinition", "{}", "taskDefinition can not be blank."},
    {"DeregisterTaskDefinition", "{\"taskDefinition\":\"web\"}", "Invalid revision number"},
    {"DeregisterTaskDefinition", "{\"taskDefinition\":\"web:9\"}", "ClientException: Unable"},
    {"DeleteTaskDefinitions", "{\"taskDefinitions\":[]}", "taskDefinitions can not be empty."},
    {"RegisterTaskDefinition", "{\"family\":\"web\",\"containerDefinitions\":[]}",
     "ClientException: "},
    {"TagResource", "{\"resourceArn\":\"x\",\"tags\":[{\"key\":\"a\"}]}",
     "InvalidParameterException: resourceArn: "},
    {"TagResource", "{\"resourceArn\":\"" ARN_PREFIX "cluster/nope\",\"tags\":[{\"key\":\"a\"}]}",
     "ClusterNotFoundException"},
    {"TagResource",
     "{\"resourceArn\":\"" ARN_PREFIX "task-definition/web:7\",\"tags\":[{\"key\":\"a\"}]}",
     "ResourceNotFoundException"},
    {"UntagResource", "{\"resourceArn\":\"" ARN_PREFIX "cluster/default\",\"tagKeys\":[]}",
     "tagKeys can not be empty."},
    {"ListTagsForResource", "{}", "resourceArn can not be blank."},
    {"ListAttributes", "{}", "targetType must be container-instance."},
    {"PutAttributes", "{\"attributes\":[]}", "attributes can not be empty."},
    {"PutAttributes", "{\"attributes\":[{\"name\":\"ecs.x\",\"targetId\":\"" NODE_ONE "\"}]}",
     "are reserved"},
    {"PutAttributes", "{\"attributes\":[{\"name\":\"a b\",\"targetId\":\"" NODE_ONE "\"}]}",
     "Attribute names have"},
    {"PutAttributes", "{\"attributes\":[{\"name\":\"a\"}]}", "targetId can not be blank."},
    {"ListServices", "{\"cluster\":\"nope\"}", "ClusterNotFoundException: Cluster not found."},
    {"ExecuteCommand", "{}",
     "UnsupportedFeatureException: The operation ExecuteCommand is not implemented"},
    {"CreateTaskSet", "{}", "UnsupportedFeatureException: The operation"},
};

START_TEST(wrong_requests_are_refused_in_ecs_words)
    {
        struct rig r;
        rig_open(&r, NULL);
        rig_has(&r, refusals[_i].op, refusals[_i].request, refusals[_i].error);
        rig_close(&r);
    }
END_TEST

START_TEST(a_task_definition_lives_from_register_to_delete)
    {
        struct rig r;
        rig_open(&r, NULL);
        rig_has(&r, "RegisterTaskDefinition", simple_taskdef, "\"revision\":1");
        rig_also(&r, "\"taskDefinitionArn\":\"" ARN_PREFIX "task-definition/web:1\"");
        rig_also(&r, "\"status\":\"ACTIVE\"");
        rig_has(&r, "RegisterTaskDefinition", simple_taskdef, "\"revision\":2");
        rig_has(&r, "DescribeTaskDefinition", "{\"taskDefinition\":\"web\"}", "\"revision\":2");
        rig_has(&r, "DescribeTaskDefinition", "{\"taskDefinition\":\"web:1\"}", "\"revision\":1");
        rig_has(&r, "DeleteTaskDefinitions", "{\"taskDefinitions\":[\"web:1\",\"web:7\"]}",
                "\"reason\":\"INVALID_STATE\"");
        rig_also(&r, "\"reason\":\"MISSING\"");
        rig_also(&r, "\"taskDefinitions\":[]");
        rig_has(&r, "DeregisterTaskDefinition", "{\"taskDefinition\":\"web:1\"}",
                "\"status\":\"INACTIVE\"");
        rig_has(&r, "DeregisterTaskDefinition", "{\"taskDefinition\":\"web:1\"}", "is not ACTIVE");
        rig_has(&r, "ListTaskDefinitions", "{}",
                "{\"taskDefinitionArns\":[\"" ARN_PREFIX "task-definition/web:2\"]}");
        rig_has(&r, "ListTaskDefinitions", "{\"status\":\"INACTIVE\"}",
                "{\"taskDefinitionArns\":[\"" ARN_PREFIX "task-definition/web:1\"]}");
        rig_has(&r, "DeleteTaskDefinitions", "{\"taskDefinitions\":[\"web:1\"]}",
                "\"status\":\"DELETE_IN_PROGRESS\"");
        rig_also(&r, "\"failures\":[]");
        rig_has(&r, "RegisterTaskDefinition", simple_taskdef, "\"revision\":3");
        rig_close(&r);
    }
END_TEST

static void register_family(struct rig *r, const char *family)
{
    char json[256];
    (void)snprintf(json, sizeof json,
                   "{\"family\":\"%s\",\"containerDefinitions\":[{\"name\":\"app\","
                   "\"image\":\"busybox\",\"memory\":32}]}",
                   family);
    rig_has(r, "RegisterTaskDefinition", json, "\"status\":\"ACTIVE\"");
}

/* Every page of a list, one at a time, in `ret` with commas between. */
static void walk(struct rig *r, const char *op, const char *request, unsigned pages, char *ret,
                 size_t size)
{
    char json[512];
    char *token = NULL;
    unsigned n = 0;
    ret[0] = '\0';
    do {
        (void)snprintf(json, sizeof json, "{\"maxResults\":1%s%s%s%s%s%s}",
                       request[0] == '\0' ? "" : ",", request,
                       token == NULL ? "" : ",\"nextToken\"", token == NULL ? "" : ":\"",
                       token == NULL ? "" : token, token == NULL ? "" : "\"");
        const char *answer = rig_call(r, op, json);
        const char *first = strchr(answer, '[');
        ck_assert_msg(first != NULL, "%s", answer);
        size_t used = strlen(ret);
        (void)snprintf(ret + used, size - used, "%.*s;", (int)strcspn(first + 1, "]"), first + 1);
        free(token);
        token = strstr(answer, "\"nextToken\":\"") == NULL ? NULL : rig_text(r, "nextToken");
        n++;
    } while (token != NULL && n < 20);
    ck_assert_uint_eq(n, pages);
}

START_TEST(pages_show_everything_once_and_in_order)
    {
        struct rig r;
        char seen[2048];
        rig_open(&r, NULL);
        register_family(&r, "b");
        register_family(&r, "a");
        register_family(&r, "ab");
        register_family(&r, "a");
        walk(&r, "ListTaskDefinitionFamilies", "", 3, seen, sizeof seen);
        ck_assert_str_eq(seen, "\"a\";\"ab\";\"b\";");
        walk(&r, "ListTaskDefinitionFamilies", "\"familyPrefix\":\"a\"", 2, seen, sizeof seen);
        ck_assert_str_eq(seen, "\"a\";\"ab\";");
        walk(&r, "ListTaskDefinitions", "", 4, seen, sizeof seen);
        ck_assert_str_eq(seen, "\"" ARN_PREFIX "task-definition/a:1\";\"" ARN_PREFIX
                               "task-definition/a:2\";\"" ARN_PREFIX
                               "task-definition/ab:1\";\"" ARN_PREFIX "task-definition/b:1\";");
        walk(&r, "ListTaskDefinitions", "\"sort\":\"DESC\",\"familyPrefix\":\"a\"", 2, seen,
             sizeof seen);
        ck_assert_str_eq(seen, "\"" ARN_PREFIX "task-definition/a:2\";\"" ARN_PREFIX
                               "task-definition/a:1\";");
        rig_has(&r, "CreateCluster", "{\"clusterName\":\"x\"}", "ACTIVE");
        rig_has(&r, "CreateCluster", "{\"clusterName\":\"y\"}", "ACTIVE");
        walk(&r, "ListClusters", "", 2, seen, sizeof seen);
        rig_close(&r);
    }
END_TEST

START_TEST(a_token_is_good_for_its_own_question_only)
    {
        struct rig r;
        char json[512];
        char *token;
        rig_open(&r, NULL);
        register_family(&r, "a");
        register_family(&r, "b");
        (void)rig_call(&r, "ListTaskDefinitions", "{\"maxResults\":1}");
        token = rig_text(&r, "nextToken");
        (void)snprintf(json, sizeof json, "{\"nextToken\":\"%s\",\"status\":\"INACTIVE\"}", token);
        rig_has(&r, "ListTaskDefinitions", json, "Invalid token");
        (void)snprintf(json, sizeof json, "{\"nextToken\":\"%s\"}", token);
        rig_has(&r, "ListTaskDefinitionFamilies", json, "Invalid token");
        rig_has(&r, "ListTaskDefinitions", json, "task-definition/b:1");
        free(token);
        rig_close(&r);
    }
END_TEST

START_TEST(tags_are_put_taken_away_and_listed)
    {
        struct rig r;
        const char *arn = "\"resourceArn\":\"" ARN_PREFIX "cluster/default\"";
        char json[512];
        rig_open(&r, NULL);
        rig_has(&r, "CreateCluster", "{}", "ACTIVE");
        (void)snprintf(json, sizeof json,
                       "{%s,\"tags\":[{\"key\":\"a\",\"value\":\"1\"},"
                       "{\"key\":\"b\"}]}",
                       arn);
        ck_assert_str_eq(rig_call(&r, "TagResource", json), "{}");
        (void)snprintf(json, sizeof json, "{%s,\"tags\":[{\"key\":\"a\",\"value\":\"2\"}]}", arn);
        ck_assert_str_eq(rig_call(&r, "TagResource", json), "{}");
        (void)snprintf(json, sizeof json, "{%s}", arn);
        rig_has(&r, "ListTagsForResource", json,
                "[{\"key\":\"a\",\"value\":\"2\"},{\"key\":\"b\",\"value\":\"\"}]");
        (void)snprintf(json, sizeof json, "{%s,\"tagKeys\":[\"a\",\"zzz\"]}", arn);
        ck_assert_str_eq(rig_call(&r, "UntagResource", json), "{}");
        (void)snprintf(json, sizeof json, "{%s}", arn);
        rig_has(&r, "ListTagsForResource", json, "{\"tags\":[{\"key\":\"b\",\"value\":\"\"}]}");
        rig_close(&r);
    }
END_TEST

START_TEST(at_most_fifty_tags)
    {
        struct rig r;
        struct buf b;
        rig_open(&r, NULL);
        rig_has(&r, "CreateCluster", "{\"tags\":[{\"key\":\"first\"}]}", "ACTIVE");
        buf_init(&b, test_mem(), 65536);
        for (int n = 50; n <= 51; n++) {
            buf_clear(&b);
            buf_puts(&b, "{\"resourceArn\":\"" ARN_PREFIX "cluster/default\",\"tags\":[");
            for (int i = 0; i < n; i++) {
                buf_printf(&b, "%s{\"key\":\"k%d\"}", i == 0 ? "" : ",", i);
            }
            buf_puts(&b, "]}");
            rig_has(&r, "TagResource", buf_cstr(&b),
                    n == 50 ? "The maximum number of tags is 50."
                            : "tags can have at most 50 items.");
        }
        buf_close(&b);
        rig_close(&r);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("api basic operations");
    TCase *each = tcase_create("refusals");
    TEST_CASE(s, "operations", 20, a_cluster_lives_from_create_to_delete,
              creating_a_cluster_again_changes_nothing, a_cluster_is_updated_setting_by_setting,
              a_task_definition_lives_from_register_to_delete,
              pages_show_everything_once_and_in_order, a_token_is_good_for_its_own_question_only,
              tags_are_put_taken_away_and_listed, at_most_fifty_tags);
    tcase_add_loop_test(each, wrong_requests_are_refused_in_ecs_words, 0,
                        (int)(sizeof refusals / sizeof refusals[0]));
    suite_add_tcase(s, each);
    return test_run(s);
}
