/* Capacity providers: requests in, answers and errors out. */
#include "controller/core/feature.h"
#include "tests/unit/controller/api/rig.h"

#define TASKDEF                                                                           \
    "{\"family\":\"web\",\"networkMode\":\"bridge\",\"containerDefinitions\":[{\"name\":" \
    "\"app\",\"image\":\"busybox\",\"cpu\":64,\"memory\":32}]}"
#define GROUP "\"autoScalingGroupProvider\":{\"autoScalingGroupArn\":\"the rack\"}"

static void level(struct rig *r, uint32_t value)
{
    struct command cmd = {.kind = CMD_SET_FEATURE_LEVEL, .u.feature_level = value};
    struct result result;
    fake_engine_apply(r->engine, &cmd, &result);
}

static void create(struct rig *r, const char *name)
{
    char json[256];
    (void)snprintf(json, sizeof json,
                   "{\"name\":\"%s\"," GROUP ",\"tags\":[{\"key\":\"k\",\"value\":\"v\"}]}", name);
    rig_has(r, "CreateCapacityProvider", json, "\"status\":\"ACTIVE\"");
}

/* Two providers of the default cluster, with a node each. */
static void prepare(struct rig *r)
{
    rig_open(r, NULL);
    level(r, FEATURE_PROVIDERS);
    rig_has(r, "CreateCluster", "{}", "ACTIVE");
    rig_has(r, "RegisterTaskDefinition", TASKDEF, "\"revision\":1");
    create(r, "rack1");
    create(r, "rack2");
    rig_node_of(r, NODE_ONE, 1024, 1024, "rack1");
    rig_node_of(r, NODE_TWO, 128, 1024, "rack2");
    rig_has(r, "PutClusterCapacityProviders",
            "{\"cluster\":\"default\",\"capacityProviders\":[\"rack1\",\"" ARN_PREFIX
            "capacity-provider/rack2\"],\"defaultCapacityProviderStrategy\":[]}",
            "\"capacityProviders\":[\"rack1\",\"rack2\"]");
}

static unsigned count(struct rig *r, const char *text)
{
    const char *at = buf_cstr(&r->answer);
    unsigned n = 0;
    while ((at = strstr(at, text)) != NULL) {
        at += strlen(text);
        n++;
    }
    return n;
}

START_TEST(providers_wait_for_their_feature_level)
    {
        struct rig r;
        rig_open(&r, NULL);
        level(&r, FEATURE_PROVIDERS - 1);
        rig_has(&r, "CreateCapacityProvider", "{\"name\":\"rack1\"," GROUP "}",
                "InvalidParameterException: Capacity providers wait until the upgrade");
        level(&r, FEATURE_PROVIDERS);
        create(&r, "rack1");
        rig_close(&r);
    }
END_TEST

START_TEST(a_provider_is_created_described_updated_and_deleted)
    {
        struct rig r;
        rig_open(&r, NULL);
        level(&r, FEATURE_PROVIDERS);
        create(&r, "rack1");
        rig_also(&r, "\"capacityProviderArn\":\"" ARN_PREFIX "capacity-provider/rack1\"");
        rig_also(&r, "\"autoScalingGroupArn\":\"the rack\"");
        rig_also(&r, "\"managedTerminationProtection\":\"DISABLED\"");
        rig_also(&r, "\"updateStatus\":\"CREATE_COMPLETE\"");
        rig_has(&r, "CreateCapacityProvider", "{\"name\":\"rack1\"," GROUP "}",
                "ClientException: The specified capacity provider already exists.");
        rig_has(&r, "DescribeCapacityProviders",
                "{\"capacityProviders\":[\"rack1\",\"rack9\",\"FARGATE\"]}", "\"name\":\"rack1\"");
        rig_also(&r, "\"arn\":\"" ARN_PREFIX "capacity-provider/rack9\",\"reason\":\"MISSING\"");
        rig_not(&r, "\"key\":\"k\"");
        rig_has(&r, "DescribeCapacityProviders", "{\"include\":[\"TAGS\"]}", "\"key\":\"k\"");
        rig_has(&r, "TagResource",
                "{\"resourceArn\":\"" ARN_PREFIX "capacity-provider/rack1\",\"tags\":[{\"key\":"
                "\"more\",\"value\":\"1\"}]}",
                "{}");
        rig_has(&r, "ListTagsForResource",
                "{\"resourceArn\":\"" ARN_PREFIX "capacity-provider/rack1\"}", "\"more\"");
        r.engine->now_ms += 1000;
        rig_has(&r, "UpdateCapacityProvider",
                "{\"name\":\"rack1\",\"autoScalingGroupProvider\":{\"managedScaling\":{"
                "\"status\":\"DISABLED\",\"targetCapacity\":80}}}",
                "\"targetCapacity\":80");
        rig_also(&r, "\"updateStatus\":\"UPDATE_COMPLETE\"");
        rig_also(&r, "\"autoScalingGroupArn\":\"the rack\"");
        rig_has(&r, "DeleteCapacityProvider", "{\"capacityProvider\":\"rack1\"}",
                "\"status\":\"INACTIVE\"");
        rig_also(&r, "\"updateStatus\":\"DELETE_COMPLETE\"");
        rig_has(&r, "DescribeCapacityProviders", "{}", "\"capacityProviders\":[]");
        rig_has(&r, "DescribeCapacityProviders", "{\"capacityProviders\":[\"rack1\"]}",
                "\"status\":\"INACTIVE\"");
        rig_has(&r, "DeleteCapacityProvider", "{\"capacityProvider\":\"rack1\"}",
                "InvalidParameterException: The specified capacity provider");
        rig_close(&r);
    }
END_TEST

START_TEST(providers_are_listed_page_by_page)
    {
        struct rig r;
        char json[512];
        char *token;
        rig_open(&r, NULL);
        level(&r, FEATURE_PROVIDERS);
        create(&r, "a1");
        create(&r, "a2");
        create(&r, "a3");
        rig_has(&r, "DescribeCapacityProviders", "{\"maxResults\":2}", "\"name\":\"a2\"");
        rig_not(&r, "\"name\":\"a3\"");
        token = rig_text(&r, "nextToken");
        (void)snprintf(json, sizeof json, "{\"maxResults\":2,\"nextToken\":\"%s\"}", token);
        rig_has(&r, "DescribeCapacityProviders", json, "\"name\":\"a3\"");
        rig_not(&r, "nextToken");
        free(token);
        rig_close(&r);
    }
END_TEST

static const struct {
    const char *op;
    const char *request;
    const char *error;
} refusals[] = {
    {"CreateCapacityProvider", "{\"name\":\"a b\"," GROUP "}", "contains invalid characters"},
    {"CreateCapacityProvider", "{\"name\":\"Fargate1\"," GROUP "}", "cannot be prefixed"},
    {"CreateCapacityProvider", "{\"name\":\"a\"}", "autoScalingGroupProvider can not be blank."},
    {"CreateCapacityProvider", "{\"name\":\"a\",\"autoScalingGroupProvider\":{}}",
     "autoScalingGroupProvider.autoScalingGroupArn can not be blank."},
    {"CreateCapacityProvider",
     "{\"name\":\"a\",\"autoScalingGroupProvider\":{\"autoScalingGroupArn\":\"x\","
     "\"managedScaling\":{\"status\":\"ENABLED\"}}}",
     "autoScalingGroupProvider.managedScaling.status must be DISABLED"},
    {"CreateCapacityProvider",
     "{\"name\":\"a\",\"autoScalingGroupProvider\":{\"autoScalingGroupArn\":\"x\","
     "\"managedTerminationProtection\":\"ENABLED\"}}",
     "autoScalingGroupProvider.managedTerminationProtection must be DISABLED"},
    {"CreateCapacityProvider",
     "{\"name\":\"a\",\"managedInstancesProvider\":{\"infrastructureRoleArn\":\"x\"}}",
     "managedInstancesProvider is not supported"},
    {"UpdateCapacityProvider",
     "{\"name\":\"rack9\",\"autoScalingGroupProvider\":{\"managedScaling\":{}}}", "does not exist"},
    {"UpdateCapacityProvider",
     "{\"name\":\"rack1\",\"autoScalingGroupProvider\":{\"managedDraining\":\"ENABLED\"}}",
     "autoScalingGroupProvider.managedDraining must be DISABLED"},
    {"DeleteCapacityProvider", "{\"capacityProvider\":\"rack1\"}",
     "cannot be deleted because it is associated with cluster default."},
    {"PutClusterCapacityProviders",
     "{\"cluster\":\"default\",\"capacityProviders\":[\"rack9\"],"
     "\"defaultCapacityProviderStrategy\":[]}",
     "The specified capacity provider 'rack9' was not found."},
    {"PutClusterCapacityProviders",
     "{\"cluster\":\"default\",\"capacityProviders\":[\"rack1\",\"rack1\"],"
     "\"defaultCapacityProviderStrategy\":[]}",
     "rack1 is there more than once."},
    {"PutClusterCapacityProviders",
     "{\"cluster\":\"default\",\"capacityProviders\":[\"rack1\"],"
     "\"defaultCapacityProviderStrategy\":[{\"capacityProvider\":\"rack2\",\"weight\":1}]}",
     "not associated with the cluster: rack2."},
    {"CreateCluster",
     "{\"clusterName\":\"n\",\"capacityProviders\":[\"rack1\",\"rack2\"],"
     "\"defaultCapacityProviderStrategy\":[{\"capacityProvider\":\"rack1\",\"base\":1},"
     "{\"capacityProvider\":\"rack2\",\"base\":1,\"weight\":1}]}",
     "only one capacity provider of a strategy can have a base."},
    {"RunTask",
     "{\"taskDefinition\":\"web\",\"capacityProviderStrategy\":[{\"capacityProvider\":\"rack1\"}]}",
     "at least one capacity provider must have a weight greater than 0."},
    {"RunTask",
     "{\"taskDefinition\":\"web\",\"capacityProviderStrategy\":[{\"capacityProvider\":\"rack1\","
     "\"weight\":1001}]}",
     "capacityProviderStrategy[0].weight must be between 0 and 1000."},
    {"RunTask",
     "{\"taskDefinition\":\"web\",\"capacityProviderStrategy\":[{\"capacityProvider\":\"rack1\","
     "\"base\":100001,\"weight\":1}]}",
     "capacityProviderStrategy[0].base must be between 0 and 100000."},
    {"RunTask", "{\"taskDefinition\":\"web\",\"capacityProviderStrategy\":[{\"weight\":1}]}",
     "capacityProviderStrategy[0].capacityProvider can not be blank."},
    {"RunTask",
     "{\"taskDefinition\":\"web\",\"launchType\":\"EC2\",\"capacityProviderStrategy\":[{"
     "\"capacityProvider\":\"rack1\",\"weight\":1}]}",
     "Specifying both a launch type and capacity provider strategy is not supported."},
    {"RunTask",
     "{\"taskDefinition\":\"web\",\"capacityProviderStrategy\":[{\"capacityProvider\":"
     "\"FARGATE_SPOT\",\"weight\":1}]}",
     "UnsupportedFeatureException: The capacity provider FARGATE_SPOT is not supported"},
    {"CreateService",
     "{\"serviceName\":\"d\",\"taskDefinition\":\"web\",\"schedulingStrategy\":\"DAEMON\","
     "\"capacityProviderStrategy\":[{\"capacityProvider\":\"rack1\",\"weight\":1}]}",
     "does not support a capacity provider strategy."},
};

START_TEST(what_cannot_be_is_refused_by_name)
    {
        struct rig r;
        prepare(&r);
        for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
            rig_has(&r, refusals[i].op, refusals[i].request, refusals[i].error);
        }
        rig_close(&r);
    }
END_TEST

START_TEST(a_run_is_shared_out_by_its_strategy_or_the_default_of_its_cluster)
    {
        struct rig r;
        prepare(&r);
        rig_has(&r, "RunTask",
                "{\"taskDefinition\":\"web\",\"count\":3,\"capacityProviderStrategy\":[{"
                "\"capacityProvider\":\"rack1\",\"weight\":2},{\"capacityProvider\":\"rack2\","
                "\"weight\":1}]}",
                "\"failures\":[]");
        ck_assert_uint_eq(count(&r, "\"capacityProviderName\":\"rack1\""), 2);
        ck_assert_uint_eq(count(&r, "\"capacityProviderName\":\"rack2\""), 1);
        rig_has(&r, "PutClusterCapacityProviders",
                "{\"cluster\":\"default\",\"capacityProviders\":[\"rack1\",\"rack2\"],"
                "\"defaultCapacityProviderStrategy\":[{\"capacityProvider\":\"rack2\","
                "\"weight\":1}]}",
                "\"defaultCapacityProviderStrategy\":[{\"capacityProvider\":\"rack2\"");
        rig_has(&r, "DescribeClusters", "{}",
                "\"defaultCapacityProviderStrategy\":[{\"capacityProvider\":\"rack2\"");
        rig_has(&r, "RunTask", "{\"taskDefinition\":\"web\",\"count\":2}",
                "\"detail\":\"capacity provider rack2: ");
        ck_assert_uint_eq(count(&r, "\"capacityProviderName\":\"rack2\""), 1);
        rig_has(&r, "RunTask", "{\"taskDefinition\":\"web\",\"launchType\":\"EC2\"}",
                "\"capacityProviderName\":\"rack1\"");
        rig_has(&r, "DescribeContainerInstances", "{\"containerInstances\":[\"" NODE_TWO "\"]}",
                "\"capacityProviderName\":\"rack2\"");
        rig_close(&r);
    }
END_TEST

START_TEST(a_service_has_a_strategy_instead_of_a_launch_type)
    {
        struct rig r;
        prepare(&r);
        rig_has(&r, "CreateService",
                "{\"serviceName\":\"s\",\"taskDefinition\":\"web\",\"capacityProviderStrategy\":[{"
                "\"capacityProvider\":\"rack1\",\"weight\":1,\"base\":2}]}",
                "\"capacityProviderStrategy\":[{\"capacityProvider\":\"rack1\",\"weight\":1,"
                "\"base\":2}]");
        rig_not(&r, "launchType");
        rig_has(&r, "UpdateService",
                "{\"service\":\"s\",\"capacityProviderStrategy\":[{\"capacityProvider\":"
                "\"rack2\",\"weight\":3}]}",
                "must be updated with forceNewDeployment");
        rig_has(&r, "UpdateService",
                "{\"service\":\"s\",\"forceNewDeployment\":true,\"capacityProviderStrategy\":[{"
                "\"capacityProvider\":\"rack2\",\"weight\":3}]}",
                "\"capacityProviderStrategy\":[{\"capacityProvider\":\"rack2\",\"weight\":3");
        rig_has(&r, "DescribeServices", "{\"services\":[\"s\"]}", "\"capacityProvider\":\"rack2\"");
        rig_not(&r, "rack1");
        rig_has(&r, "PutClusterCapacityProviders",
                "{\"cluster\":\"default\",\"capacityProviders\":[\"rack1\"],"
                "\"defaultCapacityProviderStrategy\":[]}",
                "ResourceInUseException: The specified capacity provider is in use");
        rig_has(&r, "CreateCluster",
                "{\"clusterName\":\"two\",\"capacityProviders\":[\"rack1\"],"
                "\"defaultCapacityProviderStrategy\":[{\"capacityProvider\":\"rack1\","
                "\"weight\":1}]}",
                "\"capacityProviders\":[\"rack1\"]");
        rig_has(&r, "CreateService",
                "{\"cluster\":\"two\",\"serviceName\":\"s\",\"taskDefinition\":\"web\"}",
                "\"capacityProviderStrategy\":[{\"capacityProvider\":\"rack1\"");
        rig_has(&r, "CreateService",
                "{\"cluster\":\"two\",\"serviceName\":\"e\",\"taskDefinition\":\"web\","
                "\"launchType\":\"EC2\"}",
                "\"launchType\":\"EC2\"");
        rig_not(&r, "rack1");
        rig_close(&r);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("ops, capacity providers");
    TEST_CASE(s, "providers", 30, providers_wait_for_their_feature_level,
              a_provider_is_created_described_updated_and_deleted,
              providers_are_listed_page_by_page, what_cannot_be_is_refused_by_name,
              a_run_is_shared_out_by_its_strategy_or_the_default_of_its_cluster,
              a_service_has_a_strategy_instead_of_a_launch_type);
    return test_run(s);
}
