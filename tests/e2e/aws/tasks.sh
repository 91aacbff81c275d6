#!/bin/sh
# RunTask StartTask StopTask DescribeTasks ListTasks, waiters tasks-running and tasks-stopped
. "$(dirname "$0")/functions"
f=e2e-task-$mark
tasks=
cleanup() {
    for t in $tasks; do ecs stop-task --cluster "$CLUSTER" --task "$t"; done >/dev/null
    ecs deregister-task-definition --task-definition "$f:1" >/dev/null
}
td=$(register "$f")

run="run-task --cluster $CLUSTER --task-definition $td --started-by $mark --enable-ecs-managed-tags --tags key=a,value=b"
has_member run-task clientToken && run="$run --client-token tok-$mark"
t=$(get 'tasks[0].taskArn' $run)
tasks=$t
case $t in arn:aws:ecs:*:task/"$CLUSTER"/*) ;; *) fail "run-task gave $t" ;; esac
if has_member run-task clientToken; then
    same=$(get 'tasks[0].taskArn' $run)
    [ "$same" = "$t" ] || fail "the same token ran another task: $same"
    refused ConflictException token run-task --cluster "$CLUSTER" --task-definition "$td" --client-token "tok-$mark"
fi
ok wait tasks-running --cluster "$CLUSTER" --tasks "$t"
ok describe-tasks --cluster "$CLUSTER" --tasks "$t" --include TAGS
has '"lastStatus": "RUNNING"' "\"startedBy\": \"$mark\"" "\"group\": \"family:$f\"" '"containerInstanceArn"' \
    '"aws:ecs:clusterName"' '"runtimeId"' '"startedAt"' '"launchType": "EC2"'

ok list-tasks --cluster "$CLUSTER" --started-by "$mark"
has "$t"
ok list-tasks --cluster "$CLUSTER" --family "$f" --desired-status RUNNING --launch-type EC2
has "$t"
node=$(get 'tasks[0].containerInstanceArn' describe-tasks --cluster "$CLUSTER" --tasks "$t")
ok list-tasks --cluster "$CLUSTER" --container-instance "$node" --family "$f"
has "$t"

s=$(get 'tasks[0].taskArn' start-task --cluster "$CLUSTER" --task-definition "$td" --container-instances "$node" \
    --overrides 'containerOverrides=[{name=main,command=["exit 7"],environment=[{name=X,value=y}]}]')
tasks="$tasks $s"
ok wait tasks-stopped --cluster "$CLUSTER" --tasks "$s"
ok describe-tasks --cluster "$CLUSTER" --tasks "$s"
has '"exitCode": 7' '"stopCode": "EssentialContainerExited"' '"stoppedReason"' '"name": "X"'

for provider in own rented; do
    ok create-capacity-provider --name $provider --auto-scaling-group-provider autoScalingGroupArn=$provider
done
ok put-cluster-capacity-providers --cluster "$CLUSTER" --capacity-providers own rented \
    --default-capacity-provider-strategy '[]'
has '"own"' '"rented"'
p=$(get 'tasks[].[taskArn,capacityProviderName]' run-task --cluster "$CLUSTER" --task-definition "$td" --count 4 \
    --capacity-provider-strategy capacityProvider=own,base=1,weight=1 capacityProvider=rented,weight=2)
tasks="$tasks $(echo "$p" | cut -f 1)"
[ "$(echo "$p" | grep -c 'own$')" = 2 ] || fail "four tasks, one of base and weights 1 to 2: $p"
refused InvalidParameterException 'was not found' run-task --cluster "$CLUSTER" \
    --task-definition "$td" --capacity-provider-strategy capacityProvider=borrowed
refused InvalidParameterException 'Specifying both' run-task --cluster "$CLUSTER" --task-definition "$td" \
    --launch-type EC2 --capacity-provider-strategy capacityProvider=own

u=$(get 'tasks[0].taskArn' run-task --cluster "$CLUSTER" --task-definition "$td" \
    --placement-constraints type=priority,expression=80)
tasks="$tasks $u"
ok describe-tasks --cluster "$CLUSTER" --tasks "$u"
has '"name": "ecs.priority"' '"value": "80"'
refused InvalidParameterException 'from 1 to 100' run-task --cluster "$CLUSTER" --task-definition "$td" \
    --placement-constraints type=priority,expression=high

ok run-task --cluster "$CLUSTER" --task-definition "$td" --overrides 'containerOverrides=[{name=main,memory=100000000}]'
has '"tasks": []' 'RESOURCE:MEMORY'
refused InvalidParameterException count run-task --cluster "$CLUSTER" --task-definition "$td" --count 11
refused ClientException 'TaskDefinition not found.' run-task --cluster "$CLUSTER" --task-definition "none-$mark"
refused ClusterNotFoundException 'Cluster not found.' run-task --cluster "none-$mark" --task-definition "$td"
refused InvalidParameterException 'placementConstraints[0]' run-task --cluster "$CLUSTER" --task-definition "$td" \
    --placement-constraints type=memberOf,expression=attribute:
refused UnsupportedFeatureException launchType run-task --cluster "$CLUSTER" --task-definition "$td" --launch-type FARGATE

ok stop-task --cluster "$CLUSTER" --task "${t##*/}" --reason "end of test"
has '"desiredStatus": "STOPPED"' '"stoppedReason": "end of test"' '"stopCode": "UserInitiated"'
ok wait tasks-stopped --cluster "$CLUSTER" --tasks "$t"
ok list-tasks --cluster "$CLUSTER" --family "$f" --desired-status STOPPED
has "$t"
ok describe-tasks --cluster "$CLUSTER" --tasks ffffffffffffffffffffffffffffffff
has '"reason": "MISSING"'
refused InvalidParameterException 'The referenced task was not found.' stop-task --cluster "$CLUSTER" --task ffffffffffffffffffffffffffffffff
finish
