#!/bin/sh
# ListContainerInstances DescribeContainerInstances UpdateContainerInstancesState PutAttributes
# ListAttributes DeleteAttributes; the refusals of DeregisterContainerInstance
. "$(dirname "$0")/functions"
f=e2e-inst-$mark
node=
cleanup() {
    [ -n "$node" ] && ecs update-container-instances-state --cluster "$CLUSTER" --container-instances "$node" --status ACTIVE
    ecs list-tasks --cluster "$CLUSTER" --family "$f" --query 'taskArns[]' --output text | tr '\t' '\n' |
        while read -r t; do ecs stop-task --cluster "$CLUSTER" --task "$t"; done
    ecs deregister-task-definition --task-definition "$f:1"
} >/dev/null

ok list-container-instances --cluster "$CLUSTER" --status ACTIVE --filter 'agentConnected == true'
node=$(get 'containerInstanceArns[0]' list-container-instances --cluster "$CLUSTER" --filter 'agentConnected == true')
[ "$node" != None ] || fail "the cluster has no connected node"
ok describe-container-instances --cluster "$CLUSTER" --container-instances "$node" ffffffffffffffffffffffffffffffff --include TAGS
has '"agentConnected": true' '"status": "ACTIVE"' '"CPU"' '"MEMORY"' '"PORTS"' '"PORTS_UDP"' '"remainingResources"' \
    '"registeredResources"' '"agentVersion"' '"ecs.cpu-architecture"' '"reason": "MISSING"'

ok put-attributes --cluster "$CLUSTER" --attributes "name=e2e-$mark,value=yes,targetId=$node"
has "e2e-$mark"
ok list-container-instances --cluster "$CLUSTER" --filter "attribute:e2e-$mark == yes"
has "$node"
ok list-container-instances --cluster "$CLUSTER" --filter "attribute:e2e-$mark != yes"
hasnot "$node"
ok list-attributes --cluster "$CLUSTER" --target-type container-instance --attribute-name "e2e-$mark" --attribute-value yes
has "$node"
td=$(register "$f")
ok run-task --cluster "$CLUSTER" --task-definition "$td" --placement-constraints \
    "type=memberOf,expression=attribute:e2e-$mark exists"
has "$node" '"failures": []'
ok list-container-instances --cluster "$CLUSTER" --filter "task:group == family:$f"
has "$node"
refused InvalidParameterException running deregister-container-instance --cluster "$CLUSTER" --container-instance "$node"
ok delete-attributes --cluster "$CLUSTER" --attributes "name=e2e-$mark,targetId=$node"
ok list-attributes --cluster "$CLUSTER" --target-type container-instance --attribute-name "e2e-$mark"
hasnot "$node"
refused TargetNotFoundException '' put-attributes --cluster "$CLUSTER" --attributes name=a,value=b,targetId=ffffffffffffffffffffffffffffffff
refused InvalidParameterException reserved put-attributes --cluster "$CLUSTER" --attributes "name=ecs.a,value=b,targetId=$node"
refused InvalidParameterException filter list-container-instances --cluster "$CLUSTER" --filter 'attribute:a =='

ok update-container-instances-state --cluster "$CLUSTER" --container-instances "$node" --status DRAINING
has '"status": "DRAINING"'
ok list-container-instances --cluster "$CLUSTER" --status DRAINING
has "$node"
ok start-task --cluster "$CLUSTER" --task-definition "$td" --container-instances "$node"
has '"tasks": []'
ok update-container-instances-state --cluster "$CLUSTER" --container-instances "$node" --status ACTIVE
has '"status": "ACTIVE"'
refused InvalidParameterException 'not found' deregister-container-instance --cluster "$CLUSTER" --container-instance ffffffffffffffffffffffffffffffff
finish
