#!/bin/bash
# The main job: a service of six tasks on three nodes answers through dynamic ports, scales, keeps
# its count; logs, limits and exit codes are real.
. "$(dirname "$0")/lib.sh"
lab_start 3
push_demo
register demo

ecs-admin service create web --task-def demo --count 6 >/dev/null
check "six tasks run" ecs-admin service wait web --for 120
check "six containers answer" [ "$(answers web)" -eq 6 ]
check "they are spread over three nodes" [ "$(targets web | cut -f1 | sort -u | wc -l)" -eq 3 ]
check "no host port is given twice on a node" \
    [ "$(targets web | cut -f1,2 | sort | uniq -d | wc -l)" -eq 0 ]

check "a plan says that more find room" ecs-admin plan service web --desired 9
check "a plan finds room for a drain" ecs-admin plan drain n1
fails() { ! "$@" >/dev/null 2>&1; }
check "a plan says when there is no room" fails ecs-admin plan service web --desired 9000
check "a task is explained" ecs-admin task explain "$(ecs-admin task list -o json | jq -r '.[0].taskArn')"

ecs-admin service scale web 9 >/dev/null
check "it scales out" ecs-admin service wait web --for 120
check "nine containers answer" [ "$(answers web)" -eq 9 ]
ecs-admin service scale web 3 >/dev/null
check "it scales in" eventually 60 running web 3
draining() { [ "$(ecs-admin node list -o json | jq '[.[] | select(.status == "DRAINING")] | length')" -eq "$1" ]; }
lab pause n1 n2 n3 # Nothing that is to run elsewhere first does.
ecs-admin cluster rebalance --for 60 2>/dev/null &
rebalance=$!
check "nodes are drained" eventually 20 draining 2
kill -INT "$rebalance"
wait "$rebalance" || true
check "an interrupted rebalance leaves no node draining" draining 0
lab resume n1 n2 n3
check "three run as before" eventually 60 running web 3
check "nodes are emptied" ecs-admin cluster rebalance --for 60
check "all tasks run on one node then" [ "$(ecs-admin node list -o json |
    jq '[.[] | select(.runningTasksCount > 0 and .status == "ACTIVE")] | length')" -eq 1 ]
check "three still run" eventually 60 running web 3
zone_moves() { ecs-admin plan rebalance -o json | jq '.steps[0].zoneMoves // [] | length'; }
check "no move to another zone opens a node" [ "$(zone_moves)" -eq 0 ]
ecs-admin service create other --task-def demo --count 3 >/dev/null
check "another service runs on all nodes" eventually 60 running other 3
check "what is in one zone would go to the others" [ "$(zone_moves)" -eq 2 ]
check "a plan says why" sh -c "ecs-admin plan rebalance | grep -q 'web: .*which has 3) to .*which has 0)'"
check "draining leaves such moves, and says so" \
    sh -c "ecs-admin cluster rebalance --moves 1 --for 60 | grep -q 'draining cannot make'"
ecs-admin service delete other --force >/dev/null
check "the other service is gone" eventually 60 running other 0
check "three of the first still run" eventually 60 running web 3

victim=$(targets web | head -n 1 | cut -f3)
ecs-admin task stop "$victim" --reason "by the test" >/dev/null
check "a stopped task is replaced" eventually 60 running web 3
check "the stopped one is not among them" \
    [ "$(targets web | cut -f3 | grep -c "$victim")" -eq 0 ]

register hello 64 16 '["/bin/sh","-c","echo hello from the task; exit 7"]'
task=$(ecs-admin task run hello -o json | jq -r '.[0].taskArn | split("/") | last')
stopped() { ecs-admin task describe "$task" -o json | jq -e '.lastStatus == "STOPPED"'; }
check "a task that ends is STOPPED" eventually 30 stopped
check "the exit code is reported" [ "$(ecs-admin task describe "$task" -o json | jq '.containers[0].exitCode')" -eq 7 ]
check "the stop code is ECS's" [ "$(ecs-admin task describe "$task" -o json | jq -r .stopCode)" = EssentialContainerExited ]
check "its output can be read afterwards" \
    sh -c "ecs-admin task logs $task | grep -q 'hello from the task'"

register loud 64 16 '["/bin/sh","-c","i=0; while [ $i -lt 60000 ]; do echo a line of the long log that the slow reader gets whole, number $i; i=$((i+1)); done; echo end"]'
task=$(ecs-admin task run loud -o json | jq -r '.[0].taskArn | split("/") | last')
check "a task that writes much ends" eventually 60 stopped
check "a slow reader gets all of a long log" \
    [ "$(ecs-admin task logs "$task" | (sleep 3; wc -l))" -eq 60001 ]

register hog 64 16 '["/bin/sh","-c","tail /dev/zero"]'
ecs-admin task run hog >/dev/null
oom() {
    ecs-admin task list --stopped --family hog -o json |
        jq -e '.[0].containers[0].reason | test("OutOfMemory")'
}
check "memory limits are enforced and an OOM kill is called so" eventually 60 oom

ecs-admin service delete web --force >/dev/null
no_tasks() { [ "$(ecs-admin task list -o json | jq length)" -eq 0 ]; }
check "deleting a service stops its tasks" eventually 60 no_tasks
