#!/bin/bash
# Runbook "recover with one survivor", with --members: the survivor names the controllers of the new
# epoch, and the two that lost their disks come back with empty directories, as spares, and are promoted.
. "$(dirname "$0")/../lib.sh"
lab_start 2
push_demo
register sleeper 16 8 '["/bin/sleep","3600"]'
: >"$dir/acknowledged"
for i in $(seq 4); do
    ecs-admin task run sleeper --started-by "run-$i" --wait -o json | jq -r '.[].taskArn' >>"$dir/acknowledged"
done
sort -o "$dir/acknowledged" "$dir/acknowledged"
running='[.[] | select(.lastStatus == "RUNNING") | {taskArn, startedAt, containerInstanceArn}] | sort_by(.taskArn)'
before=$(ecs-admin task list -o json | jq -S "$running")
members=$(for i in 1 2 3; do printf '%s%s=%s:7444/%s:7443' "$([ "$i" = 1 ] || echo ,)" "$i" \
    "$(node_address c$i)" "$(node_address c$i)"; done)

lab kill c1 c2 c3
rm -rf "$dir/c2/data" "$dir/c3/data"
ecs-admin recover --data-dir "$dir/c1/data" --id 1 --members "$members" --yes
lab restart c1
export ECS_ENDPOINT=$(node_address c1):7443
check "the survivor answers" eventually 30 ecs-admin task list
roles() { ecs-admin member list -o json | jq -c '[.[] | .role]'; }
check "it alone votes: the others have nothing yet" [ "$(roles)" = '["voter","spare","spare"]' ]
for i in 2 3; do
    echo "$members" >"$dir/c$i/join" # Starts with --join: an empty directory must not vote by itself.
    lab restart "c$i"
    check "controller $i gets its vote" ecs-admin member promote "$i" --for 60
done
eval "$(lab env)"
all_connected() {
    [ "$(ecs-admin member list -o json | jq -c '[.[] | select(.role == "voter" and .connected) | .id] | sort')" = '[1,2,3]' ]
}
check "all three are voters and connected" eventually 30 all_connected
check "in epoch 2" [ "$(ecs-admin raft status -o json | jq .epoch)" = 2 ]
known() { ecs-admin task list -o json | jq -r '.[].taskArn' | sort; }
check "every acknowledged task is known" [ -z "$(known | comm -13 - "$dir/acknowledged")" ]
connected() { [ "$(ecs-admin node list -o json | jq '[.[] | select(.agentConnected)] | length')" -eq 2 ]; }
check "the agents come" eventually 60 connected
check "every task runs on where it ran" eventually 30 \
    eval '[ "$(ecs-admin task list -o json | jq -S "$running")" = "$before" ]'
well() { ecs-admin verify --timeout 5s; }
check "all three agree and have nothing to object to" eventually 60 well
check "the doors are opened" ecs-admin raft unfence
lab kill c1
check "without the survivor the two others go on" eventually 20 ecs-admin task run sleeper --timeout 5s
lab restart c1
check "and with it again" eventually 30 all_connected
