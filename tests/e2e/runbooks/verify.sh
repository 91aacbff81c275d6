#!/bin/bash
# Runbook "verify": every controller checks its state and all agree; a controller that is away is
# named; the figures are in /metrics.
. "$(dirname "$0")/../lib.sh"
lab_start 2
push_demo
register sleeper 16 8 '["/bin/sleep","3600"]'
register web
ecs-admin service create web --task-def web --count 4 --wait >/dev/null
for i in $(seq 10); do ecs-admin task run sleeper >/dev/null; done

ecs-admin verify
check "three controllers agree and have nothing to object to" \
    [ "$(ecs-admin verify -o json | jq -c '[length, (map(.digestAt) | unique | length), (map(.found // 0) | add)]')" = "[3,1,0]" ]
check "each has looked at its tasks" [ "$(ecs-admin verify -o json | jq 'map(.rows) | min')" -ge 30 ]
metric() { curl -fsS "http://$(node_address c1):8080/metrics" | grep "^$1"; }
check "the auditor's figures are in /metrics" metric 'ecs_audit_rounds_total [1-9]'
check "no finding there" [ "$(metric 'ecs_audit_findings_total')" = "ecs_audit_findings_total 0" ]

third=$(node_address c3)
lab kill c3
away() {
    local status=0
    ecs-admin verify --timeout 3s 2>"$dir/verify.err" >/dev/null || status=$?
    cat "$dir/verify.err"
    [ "$status" -eq 3 ] && grep -q "$third" "$dir/verify.err"
}
check "a controller that is away is named, exit status 3" away
lab restart c3
well() { ecs-admin verify --timeout 5s; }
check "back again, all agree" eventually 30 well

# A process in a container's place that nobody knows, as a runtime gone wrong could leave it.
base=/sys/fs/cgroup
[ -e $base/cgroup.controllers ] || base=/sys/fs/cgroup/pids
stray=0123456789abcdef0123456789abcdef
group=$base/ecs-lab-$(printf %s "$dir" | sha256sum | cut -c1-6)/n1/run/$stray/web
mkdir -p "$group"
sh -c 'echo 0 >"$1/cgroup.procs" && exec sleep 3600' sh "$group" &
stray_pid=$!
orphan() {
    local status=0
    ecs-admin verify 2>"$dir/verify.err" >/dev/null || status=$?
    [ "$status" -eq 6 ] && grep -q "orphan: node .* task $stray .* the state does not know it" "$dir/verify.err"
}
check "a node that runs what the state does not know: exit status 6, orphan" eventually 120 orphan
cat "$dir/verify.err"
gone() { ! kill -0 "$stray_pid"; }
check "its agent ends it" eventually 90 gone
check "and then there is nothing to object to" eventually 60 well
orphans_logged() { cat "$dir"/c*/log | grep -q 'audit.finding.*orphan'; }
check "but the log of the leader keeps it" orphans_logged

# A machine that comes back smaller than what runs on it.
node=$(ecs-admin node list -o json | jq -r '.[] | select(.ec2InstanceId == "n2") | .containerInstanceArn | split("/") | last')
sed -i 's/^node_cpu=.*/node_cpu=40/' "$dir/settings"
lab restart n2
finding() {
    ecs-admin verify --timeout 5s >/dev/null 2>"$dir/verify.err" ||
        grep -q 'overcommit: node n2: .* of 40, .*drain it' "$dir/verify.err"
}
overcommitted() { finding && [ -s "$dir/verify.err" ] && grep -q overcommit "$dir/verify.err"; }
check "a node that registered with less than its tasks hold is a finding" eventually 30 overcommitted
grep overcommit "$dir/verify.err" | head -n 1
told() { ecs-admin history --node "$node" -o json | grep -q 'less than its tasks hold'; }
check "and in the history of the node" eventually 10 told
check "its tasks go on" [ "$(ecs-admin task list -o json | jq '[.[] | select(.lastStatus == "RUNNING")] | length')" -eq 14 ]
ecs-admin node drain "$node"
ecs-admin task list -o json | jq -r --arg n "$node" '.[] | select(.containerInstanceArn | endswith($n)) |
    select(.group | startswith("service:") | not) | .taskArn' | xargs -r -n 10 ecs-admin task stop >/dev/null
check "drained, there is nothing to object to" eventually 60 well
