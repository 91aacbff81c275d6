/* Tasks, services and container instances: requests in, answers and errors out. */
#include "controller/core/feature.h"
#include "tests/unit/controller/api/rig.h"

#define TASKDEF                                                                           \
    "{\"family\":\"web\",\"networkMode\":\"bridge\",\"containerDefinitions\":[{\"name\":" \
    "\"app\",\"image\":\"busybox\",\"cpu\":64,\"memory\":32,\"portMappings\":[{"          \
    "\"containerPort\":80}]}],\"tags\":[{\"key\":\"from\",\"value\":\"definition\"}]}"

static void prepare(struct rig *r)
{
    rig_open(r, NULL);
    rig_has(r, "CreateCluster", "{}", "ACTIVE");
    rig_has(r, "RegisterTaskDefinition", TASKDEF, "\"revision\":1");
    rig_node(r, NODE_ONE, 1024, 1024);
}

static uint32_t first_task(struct rig *r)
{
    const struct store *s = r->engine->store;
    for (uint32_t i = 0; i < store_slots(s, KIND_TASK); i++) {
        if (store_task(s, i) != NULL) {
            return i;
        }
    }
    ck_abort_msg("no task");
}

START_TEST(a_task_runs_and_stops)
    {
        struct rig r;
        char json[256];
        char *arn;
        prepare(&r);
        rig_has(&r, "RunTask", "{\"taskDefinition\":\"web\",\"startedBy\":\"me\"}",
                "\"failures\":[]");
        rig_also(&r, "\"group\":\"family:web\"");
        rig_also(&r, "\"startedBy\":\"me\"");
        rig_also(&r,
                 "\"containerInstanceArn\":\"" ARN_PREFIX "container-instance/default/" NODE_ONE);
        rig_also(&r, "\"desiredStatus\":\"RUNNING\"");
        rig_also(&r, "\"availabilityZone\":\"zone-a\"");
        rig_also(&r, "\"bindIP\":\"0.0.0.0\"");
        rig_also(&r, "\"containerPort\":80");
        rig_also(&r, "\"hostPort\":32768");
        rig_also(&r, "\"cpu\":\"64\"");
        rig_also(&r, "\"memory\":\"32\"");
        rig_also(&r, "\"image\":\"busybox\"");
        rig_not(&r, "exitCode");
        arn = rig_text(&r, "taskArn");
        rig_has(&r, "ListTasks", "{}", arn);
        rig_report(&r, first_task(&r), TASK_RUNNING);
        (void)snprintf(json, sizeof json, "{\"tasks\":[\"%s\",\"" NODE_TWO "\"]}", arn);
        rig_has(&r, "DescribeTasks", json, "\"lastStatus\":\"RUNNING\"");
        rig_also(&r, "\"reason\":\"MISSING\"");
        rig_also(&r, "\"runtimeId\":\"abc123\"");
        (void)snprintf(json, sizeof json, "{\"task\":\"%s\",\"reason\":\"enough\"}", arn);
        rig_has(&r, "StopTask", json, "\"desiredStatus\":\"STOPPED\"");
        rig_also(&r, "\"stopCode\":\"UserInitiated\"");
        rig_also(&r, "\"stoppedReason\":\"enough\"");
        rig_has(&r, "StopTask", json, "\"stoppedReason\":\"enough\"");
        rig_report(&r, first_task(&r), TASK_STOPPED);
        rig_has(&r, "ListTasks", "{}", "{\"taskArns\":[]}");
        rig_has(&r, "ListTasks", "{\"desiredStatus\":\"STOPPED\"}", arn);
        (void)snprintf(json, sizeof json, "{\"tasks\":[\"%s\"],\"include\":[\"TAGS\"]}", arn);
        rig_has(&r, "DescribeTasks", json, "\"lastStatus\":\"STOPPED\"");
        rig_also(&r, "\"exitCode\":7");
        rig_also(&r, "\"tags\":[]");
        free(arn);
        rig_close(&r);
    }
END_TEST

START_TEST(tags_of_a_task_come_from_request_definition_and_us)
    {
        struct rig r;
        prepare(&r);
        rig_has(&r, "RunTask",
                "{\"taskDefinition\":\"web:1\",\"propagateTags\":\"TASK_DEFINITION\","
                "\"enableECSManagedTags\":true,\"tags\":[{\"key\":\"mine\",\"value\":\"1\"}]}",
                "{\"key\":\"from\",\"value\":\"definition\"}");
        rig_also(&r, "{\"key\":\"mine\",\"value\":\"1\"}");
        rig_also(&r, "{\"key\":\"aws:ecs:clusterName\",\"value\":\"default\"}");
        rig_close(&r);
    }
END_TEST

START_TEST(what_does_not_fit_is_a_failure_with_a_reason)
    {
        struct rig r;
        prepare(&r);
        rig_has(
            &r, "RunTask",
            "{\"taskDefinition\":\"web\",\"overrides\":{\"containerOverrides\":[{\"name\":\"app\","
            "\"memory\":4096}]}}",
            "\"reason\":\"RESOURCE:MEMORY\"");
        rig_also(&r, "\"tasks\":[]");
        rig_has(&r, "RunTask",
                "{\"taskDefinition\":\"web\",\"count\":2,"
                "\"placementConstraints\":[{\"type\":\"distinctInstance\"}]}",
                "\"taskArn\"");
        rig_also(&r, "\"reason\":");
        rig_close(&r);
    }
END_TEST

START_TEST(so_many_tasks_of_a_group_on_a_node_and_no_more)
    {
        static const char *const request =
            "{\"taskDefinition\":\"web\",\"count\":3,\"group\":\"g\",\"placementConstraints\":"
            "[{\"type\":\"maxPerInstance\",\"expression\":\"2\"}]}";
        struct rig r;
        prepare(&r);
        struct meta *meta = (struct meta *)(uintptr_t)store_meta(r.engine->store);
        meta->feature_level = FEATURE_MAX_PER_INSTANCE - 1;
        rig_has(&r, "RunTask", request, "waits until the upgrade of the controllers is finalized");
        meta->feature_level = FEATURE_MAX_PER_INSTANCE;
        rig_has(&r, "RunTask", request, "\"taskArn\"");
        rig_also(&r, "runs 2 tasks of g already, the most it may");
        rig_has(&r, "RunTask",
                "{\"taskDefinition\":\"web\",\"placementConstraints\":"
                "[{\"type\":\"maxPerInstance\",\"expression\":\"few\"}]}",
                "must be a number from 1 to 10000");
        rig_has(&r, "CreateService",
                "{\"serviceName\":\"s\",\"taskDefinition\":\"web\",\"desiredCount\":1,"
                "\"placementConstraints\":[{\"type\":\"maxPerInstance\",\"expression\":\"2\"}]}",
                "{\"type\":\"maxPerInstance\",\"expression\":\"2\"}");
        rig_close(&r);
    }
END_TEST

START_TEST(a_task_of_higher_priority_has_others_stopped)
    {
        static const char *const request =
            "{\"taskDefinition\":\"web\",\"group\":\"g\",\"overrides\":{\"containerOverrides\":[{"
            "\"name\":\"app\",\"memory\":1024}]},\"placementConstraints\":"
            "[{\"type\":\"priority\",\"expression\":\"80\"}]}";
        struct rig r;
        prepare(&r);
        struct meta *meta = (struct meta *)(uintptr_t)store_meta(r.engine->store);
        meta->feature_level = FEATURE_PRIORITY - 1;
        rig_has(&r, "RunTask", request, "waits until the upgrade of the controllers is finalized");
        meta->feature_level = FEATURE_PRIORITY;
        rig_has(&r, "RunTask", "{\"taskDefinition\":\"web\"}", "\"failures\":[]");
        rig_has(&r, "RunTask", request, "\"reason\":\"PREEMPTING\"");
        rig_also(&r, "\"tasks\":[]");
        rig_has(&r, "ListTasks", "{\"desiredStatus\":\"RUNNING\"}", "{\"taskArns\":[]}");
        rig_has(&r, "RunTask", request, "send the request again"); /* It has not stopped yet. */
        rig_report(&r, first_task(&r), TASK_STOPPED);
        rig_has(&r, "RunTask", request, "\"failures\":[]");
        rig_also(&r, "{\"name\":\"ecs.priority\",\"value\":\"80\"}");
        rig_has(&r, "RunTask",
                "{\"taskDefinition\":\"web\",\"placementConstraints\":"
                "[{\"type\":\"priority\",\"expression\":\"101\"}]}",
                "the expression of priority must be a number from 1 to 100");
        rig_has(&r, "RunTask",
                "{\"taskDefinition\":\"web\",\"placementConstraints\":"
                "[{\"type\":\"priority\",\"expression\":\"1\"},"
                "{\"type\":\"priority\",\"expression\":\"2\"}]}",
                "priority can be given once, not 2 times");
        rig_has(&r, "CreateService",
                "{\"serviceName\":\"s\",\"taskDefinition\":\"web\",\"desiredCount\":1,"
                "\"placementConstraints\":[{\"type\":\"priority\",\"expression\":\"60\"}]}",
                "{\"type\":\"priority\",\"expression\":\"60\"}");
        rig_close(&r);
    }
END_TEST

START_TEST(the_same_token_runs_a_task_once)
    {
        struct rig r;
        char *arn;
        prepare(&r);
        rig_has(&r, "RunTask", "{\"taskDefinition\":\"web\",\"clientToken\":\"t1\"}", "taskArn");
        arn = rig_text(&r, "taskArn");
        rig_has(&r, "RunTask", "{\"taskDefinition\":\"web\",\"clientToken\":\"t1\"}", arn);
        rig_has(&r, "RunTask", "{\"taskDefinition\":\"web\",\"count\":2,\"clientToken\":\"t1\"}",
                "ConflictException");
        ck_assert_uint_eq(store_count(r.engine->store, KIND_TASK), 1);
        free(arn);
        rig_close(&r);
    }
END_TEST

START_TEST(start_task_goes_where_it_is_told)
    {
        struct rig r;
        prepare(&r);
        rig_node(&r, NODE_TWO, 1024, 1024);
        rig_has(&r, "StartTask",
                "{\"taskDefinition\":\"web\",\"containerInstances\":[\"" NODE_TWO "\","
                "\"ffffffffffffffffffffffffffffffff\"]}",
                "container-instance/default/" NODE_TWO);
        rig_also(&r, "\"reason\":\"MISSING\"");
        ck_assert_uint_eq(store_count(r.engine->store, KIND_TASK), 1);
        rig_close(&r);
    }
END_TEST

START_TEST(tasks_are_listed_by_any_filter)
    {
        struct rig r;
        prepare(&r);
        rig_has(&r, "RunTask", "{\"taskDefinition\":\"web\",\"startedBy\":\"a\",\"count\":3}",
                "task");
        rig_has(&r, "ListTasks", "{\"startedBy\":\"a\"}", "task/default/");
        rig_has(&r, "ListTasks", "{\"startedBy\":\"b\"}", "{\"taskArns\":[]}");
        rig_has(&r, "ListTasks", "{\"family\":\"web\"}", "task/default/");
        rig_has(&r, "ListTasks", "{\"family\":\"x\"}", "{\"taskArns\":[]}");
        rig_has(&r, "ListTasks", "{\"containerInstance\":\"" NODE_ONE "\",\"maxResults\":2}",
                "nextToken");
        rig_has(&r, "ListTasks", "{\"launchType\":\"EXTERNAL\"}", "{\"taskArns\":[]}");
        rig_has(&r, "ListTasks", "{\"desiredStatus\":\"PENDING\"}", "{\"taskArns\":[]}");
        rig_has(&r, "ListTasks", "{\"serviceName\":\"none\"}", "ServiceNotFoundException");
        rig_close(&r);
    }
END_TEST

START_TEST(a_service_lives_from_create_to_delete)
    {
        struct rig r;
        prepare(&r);
        rig_has(&r, "CreateService",
                "{\"serviceName\":\"s\",\"taskDefinition\":\"web\",\"desiredCount\":2,"
                "\"tags\":[{\"key\":\"k\"}],\"clientToken\":\"c1\","
                "\"placementStrategy\":[{\"type\":\"binpack\",\"field\":\"memory\"}],"
                "\"deploymentConfiguration\":{\"minimumHealthyPercent\":50}}",
                "\"serviceArn\":\"" ARN_PREFIX "service/default/s\"");
        rig_also(&r, "\"status\":\"ACTIVE\"");
        rig_also(&r, "\"minimumHealthyPercent\":50");
        rig_also(&r, "\"maximumPercent\":200");
        rig_also(&r, "\"rolloutState\":\"IN_PROGRESS\"");
        rig_also(&r, "\"id\":\"ecs-svc/");
        rig_also(&r, "\"events\":[]");
        rig_also(&r, "{\"type\":\"binpack\",\"field\":\"memory\"}");
        rig_has(&r, "CreateService",
                "{\"serviceName\":\"s\",\"taskDefinition\":\"web\",\"desiredCount\":2,"
                "\"tags\":[{\"key\":\"k\"}],\"clientToken\":\"c1\","
                "\"placementStrategy\":[{\"type\":\"binpack\",\"field\":\"memory\"}],"
                "\"deploymentConfiguration\":{\"minimumHealthyPercent\":50}}",
                "service/default/s");
        rig_has(&r, "CreateService", "{\"serviceName\":\"s\",\"taskDefinition\":\"web\"}",
                "InvalidParameterException: Creation of service was not idempotent.");
        rig_has(&r, "ListServices", "{}",
                "{\"serviceArns\":[\"" ARN_PREFIX "service/default/s\"]}");
        rig_has(&r, "ListServices", "{\"schedulingStrategy\":\"DAEMON\"}", "{\"serviceArns\":[]}");
        rig_has(&r, "DescribeServices", "{\"services\":[\"s\",\"x\"],\"include\":[\"TAGS\"]}",
                "\"desiredCount\":2");
        rig_also(&r, "{\"arn\":\"" ARN_PREFIX "service/default/x\",\"reason\":\"MISSING\"}");
        rig_also(&r, "\"key\":\"k\"");
        rig_has(&r, "UpdateService",
                "{\"service\":\"s\",\"desiredCount\":3,"
                "\"deploymentConfiguration\":{\"maximumPercent\":150}}",
                "\"desiredCount\":3");
        rig_also(&r, "\"minimumHealthyPercent\":50");
        rig_also(&r, "\"maximumPercent\":150");
        rig_also(&r, "\"type\":\"binpack\""); /* Absent is not empty. */
        rig_has(&r, "UpdateService",
                "{\"service\":\"s\",\"placementStrategy\":[],\"enableECSManagedTags\":true}",
                "\"enableECSManagedTags\":true");
        rig_not(&r, "binpack");
        ck_assert(codec_managed_tags(store_service(r.engine->store, 0)->spec));
        rig_has(&r, "UpdateService",
                "{\"service\":\"s\",\"placementConstraints\":[{\"type\":\"distinctInstance\"}],"
                "\"enableECSManagedTags\":false}",
                "distinctInstance");
        ck_assert(!codec_managed_tags(store_service(r.engine->store, 0)->spec));
        rig_has(&r, "UpdateService",
                "{\"service\":\"s\",\"placementConstraints\":[{\"type\":\"distinctInstance\"}],"
                "\"placementConstraintsEmpty\":true}",
                "InvalidParameterException: placementConstraints is not empty");
        rig_has(&r, "UpdateService", "{\"service\":\"s\",\"placementConstraints\":[]}", "\"s\"");
        rig_not(&r, "distinctInstance");
        rig_has(
            &r, "DeleteService", "{\"service\":\"s\"}",
            "InvalidParameterException: The service cannot be stopped while it is scaled above 0.");
        rig_has(&r, "DeleteCluster", "{\"cluster\":\"default\"}", "ClusterContains");
        rig_has(&r, "DeleteService", "{\"service\":\"s\",\"force\":true}", "\"status\":\"");
        rig_not(&r, "ACTIVE\",\"desiredCount\":3");
        rig_has(&r, "UpdateService", "{\"service\":\"s\",\"desiredCount\":3}",
                "ServiceNotActiveException: Service was not ACTIVE.");
        rig_close(&r);
    }
END_TEST

START_TEST(a_replaced_definition_shows_two_deployments_until_the_old_tasks_are_gone)
    {
        struct rig r;
        prepare(&r);
        rig_has(&r, "CreateService",
                "{\"serviceName\":\"s\",\"taskDefinition\":\"web\",\"desiredCount\":1}", "ACTIVE");
        rig_pass(&r);
        rig_report(&r, first_task(&r), TASK_RUNNING);
        rig_has(&r, "DescribeServices", "{\"services\":[\"s\"]}", "\"runningCount\":1");
        rig_not(&r, "\"status\":\"ACTIVE\",\"taskDefinition\"");
        rig_has(&r, "RegisterTaskDefinition", TASKDEF, "\"revision\":2");
        rig_has(&r, "UpdateService", "{\"service\":\"s\",\"taskDefinition\":\"web\"}",
                "\"status\":\"ACTIVE\",\"taskDefinition\":\"" ARN_PREFIX "task-definition/web:1\"");
        rig_also(&r, "\"status\":\"PRIMARY\",\"taskDefinition\":\"" ARN_PREFIX
                     "task-definition/web:2\"");
        rig_close(&r);
    }
END_TEST

START_TEST(container_instances_are_shown_with_what_is_left)
    {
        struct rig r;
        prepare(&r);
        rig_has(&r, "RunTask", "{\"taskDefinition\":\"web\"}", "taskArn");
        rig_has(&r, "DescribeContainerInstances",
                "{\"containerInstances\":[\"" NODE_ONE "\",\"" NODE_TWO "\"]}",
                "\"reason\":\"MISSING\"");
        rig_also(&r, "{\"name\":\"CPU\",\"type\":\"INTEGER\",\"doubleValue\":0,\"longValue\":0,"
                     "\"integerValue\":960}");
        rig_also(&r, "\"integerValue\":1024}");
        rig_also(&r, "\"integerValue\":992}");
        rig_also(&r, "\"stringSetValue\":[\"22\",\"2375\",\"32768\"]");
        rig_also(&r, "\"PORTS_UDP\"");
        rig_also(&r, "\"integerValue\":0,\"stringSetValue\":[]}"); /* There, although empty. */
        rig_also(&r, "\"agentConnected\":true");
        rig_also(&r, "\"agentVersion\":\"1.2.3\"");
        rig_also(&r, "{\"name\":\"ecs.availability-zone\",\"value\":\"zone-a\"}");
        rig_close(&r);
    }
END_TEST

START_TEST(container_instances_are_listed_by_query)
    {
        struct rig r;
        prepare(&r);
        rig_node(&r, NODE_TWO, 2048, 2048);
        rig_has(&r, "PutAttributes",
                "{\"attributes\":[{\"name\":\"disk\",\"value\":\"ssd\",\"targetId\":\"" NODE_TWO
                "\"}]}",
                "\"disk\"");
        rig_has(&r, "ListContainerInstances", "{}", NODE_ONE "\",\"");
        rig_has(&r, "ListContainerInstances", "{\"filter\":\"attribute:disk == ssd\"}",
                "{\"containerInstanceArns\":[\"" ARN_PREFIX "container-instance/default/" NODE_TWO
                "\"]}");
        rig_has(&r, "RunTask", "{\"taskDefinition\":\"web\"}", "taskArn");
        rig_has(&r, "ListContainerInstances", "{\"filter\":\"task:group == family:web\"}",
                "container-instance/default/");
        rig_has(&r, "ListContainerInstances", "{\"filter\":\"attribute:disk ==\"}",
                "InvalidParameterException: filter: ");
        rig_has(&r, "ListAttributes",
                "{\"targetType\":\"container-instance\",\"attributeName\":\"disk\"}",
                "\"value\":\"ssd\"");
        rig_has(&r, "ListAttributes", "{\"targetType\":\"container-instance\",\"maxResults\":2}",
                "nextToken");
        rig_has(&r, "DeleteAttributes",
                "{\"attributes\":[{\"name\":\"disk\",\"targetId\":\"" NODE_TWO "\"}]}", "disk");
        rig_has(&r, "ListAttributes",
                "{\"targetType\":\"container-instance\",\"attributeName\":\"disk\"}",
                "{\"attributes\":[]}");
        rig_has(
            &r, "PutAttributes",
            "{\"attributes\":[{\"name\":\"a\",\"targetId\":\"ffffffffffffffffffffffffffffffff\"}]}",
            "TargetNotFoundException");
        rig_close(&r);
    }
END_TEST

/* Such definitions can be kept here, but nothing gives their tasks a network. */
START_TEST(a_definition_in_awsvpc_mode_is_registered_and_not_run)
    {
        static const char refusal[] = "UnsupportedFeatureException: networkMode awsvpc";
        struct rig r;
        prepare(&r);
        rig_has(&r, "RegisterTaskDefinition",
                "{\"family\":\"vpc\",\"networkMode\":\"awsvpc\",\"containerDefinitions\":"
                "[{\"name\":\"a\",\"image\":\"b\",\"memory\":32}]}",
                "vpc:1");
        rig_has(&r, "RunTask", "{\"taskDefinition\":\"vpc\"}", refusal);
        rig_has(&r, "CreateService", "{\"serviceName\":\"v\",\"taskDefinition\":\"vpc\"}", refusal);
        rig_has(&r, "CreateService", "{\"serviceName\":\"w\",\"taskDefinition\":\"web\"}",
                "ACTIVE");
        rig_has(&r, "UpdateService", "{\"service\":\"w\",\"taskDefinition\":\"vpc\"}", refusal);
        rig_close(&r);
    }
END_TEST

START_TEST(container_instances_drain_and_deregister)
    {
        struct rig r;
        prepare(&r);
        rig_has(&r, "RunTask", "{\"taskDefinition\":\"web\"}", "taskArn");
        rig_has(&r, "UpdateContainerInstancesState",
                "{\"status\":\"DRAINING\",\"containerInstances\":[\"" NODE_ONE "\",\"" NODE_TWO
                "\"]}",
                "\"status\":\"DRAINING\"");
        rig_also(&r, "\"reason\":\"MISSING\"");
        rig_has(&r, "ListContainerInstances", "{\"status\":\"ACTIVE\"}",
                "{\"containerInstanceArns\":[]}");
        rig_has(&r, "ListContainerInstances", "{\"status\":\"DRAINING\"}", NODE_ONE);
        rig_has(&r, "UpdateContainerInstancesState",
                "{\"status\":\"REGISTERING\",\"containerInstances\":[\"" NODE_ONE "\"]}",
                "status must be ACTIVE or DRAINING.");
        rig_has(&r, "DeregisterContainerInstance", "{\"containerInstance\":\"" NODE_ONE "\"}",
                "InvalidParameterException: ");
        rig_has(&r, "DeregisterContainerInstance",
                "{\"containerInstance\":\"" NODE_ONE "\",\"force\":true}",
                "\"status\":\"INACTIVE\"");
        rig_has(&r, "DeregisterContainerInstance",
                "{\"containerInstance\":\"" NODE_ONE "\",\"force\":true}", "not found");
        rig_close(&r);
    }
END_TEST

static const struct {
    const char *op;
    const char *request;
    const char *error;
} refusals[] = {
    {"RunTask", "{\"taskDefinition\":\"web\",\"count\":11}", "count must be between 1 and 10"},
    {"RunTask", "{\"taskDefinition\":\"web\",\"cluster\":\"x\"}", "ClusterNotFoundException"},
    {"RunTask", "{\"taskDefinition\":\"nope\"}", "ClientException: TaskDefinition not found."},
    {"RunTask", "{}", "taskDefinition can not be blank."},
    {"RunTask", "{\"taskDefinition\":\"web\",\"group\":\"service:x\"}", "Invalid namespace"},
    {"RunTask", "{\"taskDefinition\":\"web\",\"launchType\":\"FARGATE\"}", "launchType"},
    {"RunTask", "{\"taskDefinition\":\"web\",\"propagateTags\":\"SERVICE\"}", "propagateTags"},
    {"RunTask",
     "{\"taskDefinition\":\"web\",\"networkConfiguration\":{\"awsvpcConfiguration\":"
     "{\"subnets\":[\"a\"]}}}",
     "UnsupportedFeatureException: networkConfiguration"},
    {"RunTask",
     "{\"taskDefinition\":\"web\",\"placementConstraints\":[{\"type\":\"memberOf\","
     "\"expression\":\"attribute:\"}]}",
     "InvalidParameterException: placementConstraints[0]"},
    {"RunTask",
     "{\"taskDefinition\":\"web\",\"placementStrategy\":[{\"type\":\"binpack\","
     "\"field\":\"disk\"}]}",
     "InvalidParameterException: placementStrategy[0]"},
    {"RunTask",
     "{\"taskDefinition\":\"web\",\"overrides\":{\"containerOverrides\":[{\"name\":\"x\"}]}}",
     "InvalidParameterException"},
    {"StartTask", "{\"taskDefinition\":\"web\"}", "containerInstances can not be empty."},
    {"StopTask", "{\"task\":\"ffffffffffffffffffffffffffffffff\"}",
     "InvalidParameterException: The referenced task was not found."},
    {"StopTask", "{}", "task can not be blank."},
    {"StopTask", "{\"task\":\"abc\"}", "InvalidParameterException: "},
    {"DescribeTasks", "{}", "tasks can not be empty."},
    {"CreateService", "{\"serviceName\":\"s\"}", "TaskDefinition can not be blank."},
    {"CreateService", "{\"taskDefinition\":\"web\"}", "Service name can not be blank."},
    {"CreateService",
     "{\"serviceName\":\"s\",\"taskDefinition\":\"web\",\"loadBalancers\":[{\"containerPort\":80}]"
     "}",
     "UnsupportedFeatureException: loadBalancers"},
    {"CreateService",
     "{\"serviceName\":\"s\",\"taskDefinition\":\"web\",\"desiredCount\":1,"
     "\"schedulingStrategy\":\"DAEMON\"}",
     "does not support a desired count"},
    {"CreateService",
     "{\"serviceName\":\"s\",\"taskDefinition\":\"web\",\"deploymentConfiguration\":"
     "{\"minimumHealthyPercent\":101}}",
     "minimumHealthyPercent must be"},
    {"CreateService",
     "{\"serviceName\":\"s\",\"taskDefinition\":\"web\",\"deploymentConfiguration\":"
     "{\"deploymentCircuitBreaker\":{\"enable\":true,\"rollback\":true}}}",
     "UnsupportedFeatureException: deploymentConfiguration.deploymentCircuitBreaker.enable"},
    {"CreateService",
     "{\"serviceName\":\"s\",\"taskDefinition\":\"web\",\"deploymentController\":"
     "{\"type\":\"EXTERNAL\"}}",
     "UnsupportedFeatureException: deploymentController"},
    {"CreateService",
     "{\"serviceName\":\"s\",\"taskDefinition\":\"web\",\"healthCheckGracePeriodSeconds\":5}",
     "Health check grace period"},
    {"UpdateService", "{\"service\":\"nope\"}", "ServiceNotFoundException: Service not found."},
    {"DeleteService", "{\"service\":\"nope\"}", "ServiceNotFoundException: Service not found."},
    {"DescribeServices", "{}", "services can not be empty."},
    {"DescribeContainerInstances", "{}", "containerInstances can not be empty."},
};

START_TEST(wrong_requests_are_refused_in_ecs_words)
    {
        struct rig r;
        prepare(&r);
        rig_has(&r, refusals[_i].op, refusals[_i].request, refusals[_i].error);
        rig_close(&r);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("api tasks, services, nodes");
    TCase *each = tcase_create("refusals");
    TEST_CASE(s, "operations", 20, a_task_runs_and_stops,
              tags_of_a_task_come_from_request_definition_and_us,
              what_does_not_fit_is_a_failure_with_a_reason,
              so_many_tasks_of_a_group_on_a_node_and_no_more,
              a_task_of_higher_priority_has_others_stopped, the_same_token_runs_a_task_once,
              start_task_goes_where_it_is_told, tasks_are_listed_by_any_filter,
              a_service_lives_from_create_to_delete,
              a_replaced_definition_shows_two_deployments_until_the_old_tasks_are_gone,
              container_instances_are_shown_with_what_is_left,
              container_instances_are_listed_by_query,
              a_definition_in_awsvpc_mode_is_registered_and_not_run,
              container_instances_drain_and_deregister);
    tcase_add_loop_test(each, wrong_requests_are_refused_in_ecs_words, 0,
                        (int)(sizeof refusals / sizeof refusals[0]));
    suite_add_tcase(s, each);
    return test_run(s);
}
