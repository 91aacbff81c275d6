#!/bin/sh
# CreateCapacityProvider DescribeCapacityProviders UpdateCapacityProvider DeleteCapacityProvider
# PutClusterCapacityProviders; strategies of RunTask and services
. "$(dirname "$0")/functions"
p=e2e-p-$mark c=e2e-c-$mark f=e2e-f-$mark
cleanup() {
    ecs delete-service --cluster "$c" --service s --force
    ecs put-cluster-capacity-providers --cluster "$c" --capacity-providers '[]' --default-capacity-provider-strategy '[]'
    ecs delete-cluster --cluster "$c"
    ecs delete-capacity-provider --capacity-provider "$p"
    ecs deregister-task-definition --task-definition "$f:1"
} >/dev/null

ok create-capacity-provider --name "$p" --auto-scaling-group-provider autoScalingGroupArn=rack --tags key=team,value=blue
has '"status": "ACTIVE"' "capacity-provider/$p" '"autoScalingGroupArn": "rack"' '"blue"'
refused ClientException 'already exists' create-capacity-provider --name "$p" --auto-scaling-group-provider autoScalingGroupArn=rack
refused InvalidParameterException managedScaling.status create-capacity-provider --name "x$p" \
    --auto-scaling-group-provider 'autoScalingGroupArn=rack,managedScaling={status=ENABLED}'
ok describe-capacity-providers --capacity-providers "$p" "none-$mark" --include TAGS
has "\"name\": \"$p\"" '"reason": "MISSING"' '"blue"'
ok update-capacity-provider --name "$p" --auto-scaling-group-provider 'managedScaling={status=DISABLED,targetCapacity=90}'
has '"targetCapacity": 90'

ok create-cluster --cluster-name "$c"
ok put-cluster-capacity-providers --cluster "$c" --capacity-providers "$p" \
    --default-capacity-provider-strategy "capacityProvider=$p,weight=1,base=2"
has "\"capacityProvider\": \"$p\"" '"base": 2'
refused InvalidParameterException "associated with cluster $c" delete-capacity-provider --capacity-provider "$p"
refused UnsupportedFeatureException FARGATE put-cluster-capacity-providers --cluster "$c" --capacity-providers FARGATE \
    --default-capacity-provider-strategy '[]'

td=$(register "$f")
ok run-task --cluster "$c" --task-definition "$td"
has 'No Container Instances were found in your capacity provider.' "capacity provider $p"
refused InvalidParameterException 'Specifying both' run-task --cluster "$c" --task-definition "$td" --launch-type EC2 \
    --capacity-provider-strategy "capacityProvider=$p,weight=1"
ok create-service --cluster "$c" --service-name s --task-definition "$td" --desired-count 0
has "\"capacityProvider\": \"$p\""
hasnot '"launchType"'
refused ResourceInUseException 'in use' put-cluster-capacity-providers --cluster "$c" --capacity-providers '[]' \
    --default-capacity-provider-strategy '[]'

ok delete-service --cluster "$c" --service s --force
ok put-cluster-capacity-providers --cluster "$c" --capacity-providers '[]' --default-capacity-provider-strategy '[]'
ok delete-capacity-provider --capacity-provider "$p"
has '"status": "INACTIVE"'
finish
