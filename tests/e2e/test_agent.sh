#!/bin/bash
# Nodes: containers outlive their agent, which manages them again after its restart; the tasks of a
# lost node are replaced elsewhere; draining moves them away.
export ECS_LAB_LEASE=5s
. "$(dirname "$0")/lib.sh"
lab_start 3
push_demo
register demo
ecs-admin service create web --task-def demo --count 6 >/dev/null
check "six tasks run" ecs-admin service wait web --for 120

mapfile -t on_n1 < <(targets web | awk '$1 == "n1" { print $2, $3 }')
check "n1 has tasks" [ "${#on_n1[@]}" -gt 0 ]
read -r port task <<<"${on_n1[0]}"
lab kill n1
check "a container answers without its agent" curl -fsS --max-time 5 -o "$dir/answer" "http://$(node_address n1):$port/"
lab restart n1
n1_connected() { ecs-admin node describe n1 -o json | jq -e '.agentConnected'; }
check "the agent comes back" eventually 30 n1_connected
check "its container is the same one" sh -c \
    "ecs-admin task describe $task -o json | jq -e '.lastStatus == \"RUNNING\"'"
check "and still answers" curl -fsS --max-time 5 -o "$dir/answer" "http://$(node_address n1):$port/"
ecs-admin task stop "$task" >/dev/null
stopped() { ecs-admin task describe "$task" -o json | jq -e '.lastStatus == "STOPPED"'; }
check "the restarted agent can stop it" eventually 45 stopped
check "and it is replaced" eventually 60 running web 6

lab poweroff n2
# One look: between two the node may be given up.
six_none_on() { targets web | awk -v node="$1" '$1 == node { here = 1 } END { exit here || NR != 6 }'; }
check "tasks of a lost node are replaced elsewhere" eventually 60 six_none_on n2
check "all of them answer" [ "$(answers web)" -eq 6 ]
lab restart n2
n2_connected() { ecs-admin node describe n2 -o json | jq -e '.agentConnected'; }
check "the node comes back empty" eventually 30 n2_connected

ecs-admin node drain n3 >/dev/null
check "draining moves service tasks away" eventually 90 six_none_on n3
ecs-admin node activate n3 >/dev/null
