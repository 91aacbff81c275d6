#!/bin/bash
# The control plane under kill -9: no acknowledged task is lost, none is made twice, the loop of
# `task run` goes on without being told; all three killed and started again know everything.
. "$(dirname "$0")/lib.sh"
lab_start 3
push_demo
register sleeper 16 8 '["/bin/sleep","3600"]'

runs=${RUNS:-24}
: >"$dir/acknowledged"
for i in $(seq "$runs"); do
    if [ $((i % 8)) -eq 4 ]; then
        victim=$(leader)
        lab kill "$victim"
        echo "killed $victim before run $i"
        (sleep 2; lab restart "$victim") &
    fi
    ecs-admin task run sleeper --started-by "run-$i" -o json --timeout 30s |
        jq -r '.[].taskArn' >>"$dir/acknowledged"
done
wait
check "every run was acknowledged" [ "$(wc -l <"$dir/acknowledged")" -eq "$runs" ]
check "none was made twice" [ "$(sort -u "$dir/acknowledged" | wc -l)" -eq "$runs" ]

known() { ecs-admin task list -o json | jq -r '.[].taskArn' | sort; }
all_there() { [ "$(known | comm -12 - <(sort "$dir/acknowledged") | wc -l)" -eq "$runs" ]; }
check "every acknowledged task is known" eventually 30 all_there
check "and no other" [ "$(known | wc -l)" -eq "$runs" ]
all_run() {
    [ "$(ecs-admin task list -o json | jq '[.[] | select(.lastStatus == "RUNNING")] | length')" -eq "$runs" ]
}
check "all of them run" eventually 60 all_run

before=$(ecs-admin task list -o json | jq -S 'map({taskArn, startedAt, containerInstanceArn})')
for c in c1 c2 c3; do lab kill $c; done
sleep 1
lab restart c1 c2 c3
check "three killed controllers come back" eventually 30 ecs-admin raft members
check "with everything they acknowledged" all_there
check "tasks have kept node and start time" [ "$before" = \
    "$(ecs-admin task list -o json | jq -S 'map({taskArn, startedAt, containerInstanceArn})')" ]
connected() { [ "$(ecs-admin node list -o json | jq '[.[] | select(.agentConnected)] | length')" -eq 3 ]; }
check "all nodes are connected again" eventually 30 connected
check "and the tasks still run" all_run

told() { ecs-admin history --kind audit --limit 1000 | grep -c 'RunTask by .*: ok$'; }
check "the history knows every run" [ "$(told)" -ge "$runs" ]

register counter 16 8 '["/bin/sh","-c","i=0; while :; do echo n $i; i=$((i+1)); sleep 0.02; done"]'
counter=$(ecs-admin task run counter --wait -o json 2>/dev/null | jq -r '.[0].taskArn')
ecs-admin task logs -f "$counter" >"$dir/lines" 2>"$dir/lines.err" &
reader=$!
lines() { wc -l <"$dir/lines"; }
more_than() { [ "$(lines)" -gt "$1" ]; }
check "a log is followed" eventually 10 more_than 50
victim=$(leader)
lab kill "$victim"
check "through another controller when its own dies" eventually 30 more_than $(($(lines) + 200))
lab restart "$victim"
kill "$reader"
wait "$reader" || true
check "no line is missing or there twice" awk '$2 != NR - 1 { exit 1 }' "$dir/lines"

lab partition "$(leader)"
check "a partitioned leader is replaced" eventually 20 ecs-admin task run sleeper --timeout 5s
lab heal
digests() {
    for c in 1 2 3; do
        ECS_ENDPOINT=$(node_address c$c):7443 ecs-admin raft status -o json | jq -c '[.revision, .digest]'
    done | sort -u | wc -l
}
same() { [ "$(digests)" -eq 1 ]; }
check "after healing all controllers agree on the digest" eventually 30 same
