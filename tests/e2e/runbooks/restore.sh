#!/bin/bash
# Runbook "restore": a control plane is made anew from a backup. Tasks of the backup keep running in
# their containers, those made after it are stopped, nothing is started twice, and what is left of
# the old controllers is refused by peers and agents.
. "$(dirname "$0")/../lib.sh"
lab_start 2
push_demo
register sleeper 16 8 '["/bin/sleep","3600"]'
register web
ecs-admin service create web --task-def web --count 2 --wait >/dev/null
ecs-admin service create spare --task-def web --count 0 >/dev/null
for i in 1 2 3; do ecs-admin task run sleeper --started-by "kept-$i" --wait >/dev/null; done
head -c 32 /dev/urandom >"$dir/key"

# What the backup does not know: two tasks more, one stopped. One of the clients will not know either.
# A RunTask with a token, as SDKs send it: status of the answer, which is in $dir/answer.
run_with() {
    curl -sS -o "$dir/answer" -w '%{http_code}' -H 'Content-Type: application/x-amz-json-1.1' \
        -H 'X-Amz-Target: AmazonEC2ContainerServiceV20141113.RunTask' \
        -d "{\"taskDefinition\":\"sleeper\",\"startedBy\":\"$1\",\"clientToken\":\"$1\"}" \
        "http://$(node_address "$(leader)"):8080/"
}
check "a client runs a task with a token" [ "$(run_with token-known)" = 200 ]
known=$(jq -r '.tasks[0].taskArn' "$dir/answer")
known_runs() { [ "$(ecs-admin task list -o json | jq -r --arg t "$known" '.[] | select(.taskArn == $t) | .lastStatus')" = RUNNING ]; }
check "which runs" eventually 30 known_runs
ecs-admin backup create "$dir/backup" --key-file "$dir/key"
check "and another one after the backup" [ "$(run_with token-lost)" = 200 ]
for i in 1 2; do ecs-admin task run sleeper --started-by "lost-$i" --wait >/dev/null; done
ended=$(ecs-admin task list -o json | jq -r '.[] | select(.startedBy == "kept-3") | .taskArn')
ecs-admin task stop "$ended" >/dev/null
all_over() { [ "$(ecs-admin task list -o json | jq '[.[] | select(.startedBy == "kept-3" and .lastStatus != "STOPPED")] | length')" = 0 ]; }
check "one of them has stopped since" eventually 30 all_over
kept='[.[] | select((.startedBy // "" | test("^(kept-[12]|token-known)$")) or .group == "service:web") | select(.lastStatus == "RUNNING") |
    {taskArn, startedAt, containerInstanceArn}] | sort_by(.taskArn)'
before=$(ecs-admin task list -o json | jq -S "$kept")
lab_id=$(printf %s "$dir" | sha256sum | cut -c1-6)
processes() { # Of this lab's containers.
    local pid
    for pid in $(pgrep -f "^/bin/sleep 3600"); do
        if grep -q "ecs-lab-$lab_id" "/proc/$pid/cgroup" 2>/dev/null; then echo "$pid"; fi
    done
}
revision=$(ecs-admin raft status -o json | jq .revision)

members=$(for i in 1 2 3; do printf '%s%s=%s:7444/%s:7443' "$([ "$i" = 1 ] || echo ,)" "$i" \
    "$(node_address c$i)" "$(node_address c$i)"; done)
old_pair=$(node_address c2):7443,$(node_address c3):7443
lab kill c1 c2 c3
for i in 1 2 3; do mv "$dir/c$i/data" "$dir/c$i/old"; done
for i in 1 2 3; do
    ecs-admin restore "$dir/backup" --key-file "$dir/key" --id "$i" --data-dir "$dir/c$i/data" --members "$members"
done
check "nothing is overwritten" [ "$(ecs-admin restore "$dir/backup" --key-file "$dir/key" --id 1 \
    --data-dir "$dir/c1/data" --members "$members" 2>&1 | grep -c 'is there already')" = 1 ]
lab restart c1 c2 c3
check "the restored control plane answers" eventually 30 ecs-admin raft members
status() { ecs-admin raft status -o json | jq -r ".$1"; }
check "in epoch 2" [ "$(status epoch)" = 2 ]
check "a million revisions ahead" [ "$(status revision)" -gt $((revision + 900000)) ]
connected() { [ "$(ecs-admin node list -o json | jq '[.[] | select(.agentConnected)] | length')" -eq 2 ]; }
check "the agents come" eventually 60 connected
check "tasks of the backup run on where they ran" eventually 30 \
    eval '[ "$(ecs-admin task list -o json | jq -S "$kept")" = "$before" ]'
three_sleep() { [ "$(processes | wc -l)" -eq 3 ]; }
check "tasks that the backup does not know are stopped" eventually 60 three_sleep
check "the one that ended is not begun again" eventually 30 all_over
check "all agree" eventually 30 ecs-admin verify
check "a request from before the backup gets the answer it got" \
    [ "$(run_with token-known) $(jq -r '.tasks[0].taskArn' "$dir/answer")" = "200 $known" ]
check "one that was answered after it is not carried out again" \
    [ "$(run_with token-lost) $(jq -r '.__type | split("#") | last' "$dir/answer")" = "400 ConflictException" ]
jq -r '.message // .Message' "$dir/answer" | tee "$dir/message" | sed 's/^/     /'
check "but refused with what to do" grep -q "ecs-admin raft unfence" "$dir/message"
check "services go on all the same" ecs-admin service scale spare 1
check "with new tasks" eventually 60 running spare 1
ecs-admin service scale spare 0 >/dev/null
check "the fence is shown" [ "$(status fenced)" = true ]
check "an operator opens the doors" ecs-admin raft unfence
no_fence() { [ "$(status fenced)" != true ]; }
check "the fence is gone" eventually 5 no_fence
ecs-admin task run sleeper --wait >/dev/null
check "new tasks run" [ "$(processes | wc -l)" -eq 4 ]
ecs-admin task-def register "$dir/sleeper.json" >/dev/null
check "revisions of definitions are not used again" [ "$(ecs-admin task-def list -o json |
    jq -r ".[].taskDefinitionArn" | grep sleeper | sed "s/.*://" | sort -n | tail -1)" -gt 1000 ]

# An old controller comes back.
stop_data() { lab kill "$1"; mv "$dir/$1/data" "$dir/$1/new"; mv "$dir/$1/old" "$dir/$1/data"; }
stop_data c3
lab restart c3
refused() { lab logs c3 | grep -q "raft.refused.*epoch 1.*epoch 2"; }
check "an old controller is refused by its peers and told why" eventually 30 refused
check "the others go on" ecs-admin task run sleeper --timeout 10s

# Two old controllers are a majority of their own: the agents must not listen to them.
stop_data c2
lab kill c1
lab restart c2
old_leads() { ECS_ENDPOINT=$old_pair ecs-admin raft status -o json | jq -e '.leaderId > 1 and .epoch == 1'; }
check "two old controllers elect a leader" eventually 30 old_leads
fenced() { lab logs n1 | grep -qE "session.end.*(older than|session is older)"; }
check "the agents refuse it" eventually 60 fenced
sleep 2
check "and do nothing for it" [ "$(processes | wc -l)" -eq 5 ]
lab kill c2 c3
for i in 2 3; do rm -rf "$dir/c$i/data"; mv "$dir/c$i/new" "$dir/c$i/data"; done
lab restart c1 c2 c3
check "the restored controllers take over again" eventually 60 connected
check "with everything that ran" eventually 30 \
    eval '[ "$(ecs-admin task list -o json | jq -S "$kept")" = "$before" ]'
