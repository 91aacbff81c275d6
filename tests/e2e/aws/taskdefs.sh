#!/bin/sh
# RegisterTaskDefinition DescribeTaskDefinition ListTaskDefinitions ListTaskDefinitionFamilies
# DeregisterTaskDefinition DeleteTaskDefinitions
. "$(dirname "$0")/functions"
f=e2e-td-$mark
cleanup() { for r in 1 2 3; do ecs deregister-task-definition --task-definition "$f:$r"; done >/dev/null; }

one=$(register "$f")
[ "$one" = "$f:1" ] || fail "first revision is $one"
ok register-task-definition --family "$f" --network-mode bridge --tags key=a,value=b --container-definitions \
    "[{\"name\":\"web\",\"image\":\"$IMAGE\",\"cpu\":32,\"memory\":32,\"memoryReservation\":16,\"essential\":true,
       \"portMappings\":[{\"containerPort\":80},{\"containerPort\":53,\"protocol\":\"udp\"}],
       \"environment\":[{\"name\":\"A\",\"value\":\"1\"}],\"command\":[\"/bin/sh\"],\"stopTimeout\":5,
       \"healthCheck\":{\"command\":[\"CMD-SHELL\",\"true\"],\"interval\":10}}]"
has '"revision": 2' '"memoryReservation": 16' '"containerPort": 80' '"protocol": "udp"' '"interval": 10' '"value": "b"'
refused ClientException '' register-task-definition --family "$f" --container-definitions '[]'
refused ClientException '' register-task-definition --family "$f" --container-definitions "[{\"name\":\"x\",\"image\":\"$IMAGE\"}]"

ok describe-task-definition --task-definition "$f" --include TAGS
has '"revision": 2' '"value": "b"'
ok describe-task-definition --task-definition "$f:1"
has '"revision": 1'
arn=$(get taskDefinition.taskDefinitionArn describe-task-definition --task-definition "$f:1")
ok describe-task-definition --task-definition "$arn"
refused ClientException 'Unable to describe task definition.' describe-task-definition --task-definition "$f:99"

ok list-task-definition-families --family-prefix "$f" --status ACTIVE
has "\"$f\""
ok list-task-definitions --family-prefix "$f"
has "$f:1" "$f:2"
newest=$(get 'taskDefinitionArns[0]' list-task-definitions --family-prefix "$f" --sort DESC --max-items 1 | head -n 1)
case $newest in *"$f:2") ;; *) fail "newest first gives $newest" ;; esac

refused InvalidParameterException 'Invalid revision' deregister-task-definition --task-definition "$f"
ok deregister-task-definition --task-definition "$f:1"
has '"status": "INACTIVE"'
ok list-task-definitions --family-prefix "$f" --status INACTIVE
has "$f:1"
hasnot "$f:2"
if knows delete-task-definitions; then
    ok delete-task-definitions --task-definitions "$f:1" "$f:2" "$f:77"
    has DELETE_IN_PROGRESS INVALID_STATE MISSING
fi
again=$(register "$f")
[ "$again" = "$f:3" ] || fail "a revision number came back: $again"
finish
