#!/bin/bash
# The lab itself: what it refuses, two of them side by side, every way to disturb a VM, and nothing
# left of it, also after Ctrl-C in the middle of `up`.
# shellcheck disable=SC2154
. "$(dirname "$0")/lib.sh"
other=$(mktemp -u /var/tmp/ecs-e2e-XXXXXX)
export ECS_LAB_LEASE=3s
trap 'exit 130' INT TERM
trap '"$root/deploy/lab/lab" --dir "$other" down; finish' EXIT

refuses() { # refuses TEXT COMMAND...
    local text=$1 said
    shift
    if said=$("$@" 2>&1); then return 1; fi
    grep -qF -- "$text" <<<"$said" || { echo "$said" && return 1; }
}

check "up with two controllers is refused" refuses "must be 1, 3 or 5" lab up --controllers 2
check "up with words for nodes is refused" refuses "must be a number" lab up --nodes many
check "up with half an option is refused" refuses "--nodes needs a value" lab up --nodes
check "an unknown option is refused" refuses "does not know '--node'" lab up --node 3
check "an unknown command is refused" refuses "unknown command 'upp'" lab upp
check "no lab, no status" refuses "no lab in" lab status

mkdir "$other"
touch "$other/mine"
check "a directory with files in it is not taken" refuses "is not empty" lab up --dir "$other"
check "nor taken down" refuses "stays" lab down --dir "$other"
check "its files are there" test -e "$other/mine"
rm -r "$other"

lab up --controllers 1 --nodes 1
check "another up in the same place is refused" refuses "already" lab up
lab up --controllers 1 --nodes 0 --dir "$other"
eval "$(lab env)"
check "ecs-admin reaches the first" test "$(ecs-admin node list -o json | jq length)" -eq 1
check "aws reaches the first, of any version" test \
    "$(aws ecs list-container-instances --query 'length(containerInstanceArns)')" -eq 1
check "the second is another" test "$(eval "$(lab --dir "$other" env)" && ecs-admin node list -o json | jq length)" -eq 0

state() { lab status | awk -v name="$1" '$1 == name { print $3 }'; }
lab kill n1
check "killed" test "$(state n1)" = stopped
check "what is dead can not be killed" refuses "n1 is not running" lab kill n1
lab restart n1
check "restarted" test "$(state n1)" = running
lab pause c1
check "paused" test "$(state c1)" = paused
lab resume c1
check "resumed" test "$(state c1)" = running
lab poweroff n1
check "powered off" test "$(state n1)" = stopped
lab restart n1
connected() { [ "$(ecs-admin node list -o json | jq '[.[] | select(.agentConnected)] | length')" -eq "$1" ]; }
check "back again" eventually 20 connected 1
lab partition n1
check "a partitioned node is lost" eventually 30 connected 0
lab heal
check "and comes back" eventually 30 connected 1
check "kill needs a name" refuses "which VM?" lab kill
check "restart needs a name" refuses "which VM?" lab restart
check "a name that is none" refuses "no VM is called 'n9'" lab partition n9

lab down
check "nothing is left of the first" leftovers
check "the second is not touched" test "$(lab --dir "$other" status | awk '$1 == "c1" { print $3 }')" = running
lab --dir "$other" down

# Ctrl-C at any moment of `up`.
for seconds in 0.1 0.4 0.9 1.6; do
    setsid "$root/deploy/lab/lab" --dir "$dir" up --nodes 2 >/dev/null 2>&1 &
    up=$!
    sleep "$seconds"
    kill -INT -- "-$up" 2>/dev/null || true
    wait "$up" || true
    [ ! -e "$dir" ] || lab down >/dev/null # It was up already.
    check "nothing is left of an up that was interrupted after $seconds s" leftovers
done
