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
