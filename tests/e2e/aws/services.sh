#!/bin/sh
# CreateService UpdateService DescribeServices ListServices DeleteService, waiters services-stable
# and services-inactive
. "$(dirname "$0")/functions"
s=e2e-svc-$mark f=e2e-svcdef-$mark
cleanup() {
    ecs delete-service --cluster "$CLUSTER" --service "$s" --force >/dev/null
    for r in 1 2; do ecs deregister-task-definition --task-definition "$f:$r"; done >/dev/null
}
td=$(register "$f")

ok create-service --cluster "$CLUSTER" --service-name "$s" --task-definition "$td" --desired-count 2 \
    --client-token "$mark" --tags key=a,value=b --propagate-tags SERVICE --enable-ecs-managed-tags \
    --placement-strategy type=spread,field=instanceId \
    --deployment-configuration 'minimumHealthyPercent=50,maximumPercent=200'
has '"status": "ACTIVE"' '"desiredCount": 2' '"PRIMARY"' '"ecs-svc/' '"minimumHealthyPercent": 50' '"field": "instanceId"'
refused InvalidParameterException 'Creation of service was not idempotent.' \
    create-service --cluster "$CLUSTER" --service-name "$s" --task-definition "$td" --desired-count 1
ok wait services-stable --cluster "$CLUSTER" --services "$s"
ok describe-services --cluster "$CLUSTER" --services "$s" "none-$mark" --include TAGS
has '"runningCount": 2' '"reason": "MISSING"' 'has reached a steady state' '"key": "a"'
n=$(get 'length(taskArns)' list-tasks --cluster "$CLUSTER" --service-name "$s")
[ "$n" = 2 ] || fail "the service has $n tasks"
ok list-services --cluster "$CLUSTER" --launch-type EC2 --scheduling-strategy REPLICA
has "service/$CLUSTER/$s"

ok update-service --cluster "$CLUSTER" --service "$s" --desired-count 1
has '"desiredCount": 1'
ok wait services-stable --cluster "$CLUSTER" --services "$s"

register "$f" 3599 >/dev/null
ok update-service --cluster "$CLUSTER" --service "$s" --task-definition "$f"
has "$f:2"
ok wait services-stable --cluster "$CLUSTER" --services "$s"
t=$(get 'taskArns[0]' list-tasks --cluster "$CLUSTER" --service-name "$s")
ok describe-tasks --cluster "$CLUSTER" --tasks "$t"
has "$f:2" "\"group\": \"service:$s\"" '"startedBy": "ecs-svc/'

ok stop-task --cluster "$CLUSTER" --task "$t" # The service replaces it.
replaced() {
    now=$(get 'taskArns[0]' list-tasks --cluster "$CLUSTER" --service-name "$s")
    [ "$now" != None ] && [ "$now" != "$t" ]
}
until_true 60 replaced || fail "the stopped task was not replaced"
ok wait services-stable --cluster "$CLUSTER" --services "$s"

refused ServiceNotFoundException 'Service not found.' update-service --cluster "$CLUSTER" --service "none-$mark"
refused InvalidParameterException 'scaled above 0' delete-service --cluster "$CLUSTER" --service "$s"
refused UnsupportedFeatureException loadBalancers create-service --cluster "$CLUSTER" --service-name x \
    --task-definition "$td" --desired-count 1 --load-balancers targetGroupArn=x,containerName=main,containerPort=80
ok update-service --cluster "$CLUSTER" --service "$s" --desired-count 0
ok delete-service --cluster "$CLUSTER" --service "$s"
ok wait services-inactive --cluster "$CLUSTER" --services "$s"
refused ServiceNotActiveException 'Service was not ACTIVE.' update-service --cluster "$CLUSTER" --service "$s" --desired-count 1
finish
