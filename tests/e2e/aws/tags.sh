#!/bin/sh
# TagResource UntagResource ListTagsForResource, for every kind of resource
. "$(dirname "$0")/functions"
c=e2e-tag-$mark f=e2e-tagdef-$mark
cleanup() {
    ecs delete-service --cluster "$c" --service web --force
    ecs delete-cluster --cluster "$c"
    ecs deregister-task-definition --task-definition "$f:1"
} >/dev/null
arn=$(get cluster.clusterArn create-cluster --cluster-name "$c")
td=$(register "$f")
tdarn=$(get taskDefinition.taskDefinitionArn describe-task-definition --task-definition "$td")
sarn=$(get service.serviceArn create-service --cluster "$c" --service-name web --task-definition "$td" --desired-count 0)
narn=$(get 'containerInstanceArns[0]' list-container-instances --cluster "$CLUSTER")
[ "$narn" = None ] && narn=

for r in "$arn" "$tdarn" "$sarn" $narn; do
    ok tag-resource --resource-arn "$r" --tags key=e2e,value=1 key=other,value=2
    ok tag-resource --resource-arn "$r" --tags key=e2e,value=3
    ok list-tags-for-resource --resource-arn "$r"
    has '"key": "e2e"' '"value": "3"' '"value": "2"'
    ok untag-resource --resource-arn "$r" --tag-keys e2e other
    ok list-tags-for-resource --resource-arn "$r"
    hasnot '"e2e"'
done
refused ClusterContainsServicesException '' delete-cluster --cluster "$c"
refused InvalidParameterException reserved tag-resource --resource-arn "$arn" --tags key=aws:x,value=1
refused ClusterNotFoundException 'Cluster not found.' tag-resource --resource-arn "$arn-none" --tags key=a,value=1
refused ResourceNotFoundException '' tag-resource --resource-arn "$tdarn"0 --tags key=a,value=1
refused InvalidParameterException '' list-tags-for-resource --resource-arn nonsense
finish
