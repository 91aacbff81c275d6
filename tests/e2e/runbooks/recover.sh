#!/bin/bash
# Runbook "recover with one survivor": two of three controllers are gone for good. The third goes on
# alone with everything in its log; its old directory stays; the agents keep their containers.
. "$(dirname "$0")/../lib.sh"
lab_start 2
push_demo
register sleeper 16 8 '["/bin/sleep","3600"]'
: >"$dir/acknowledged"
for i in $(seq 6); do
    ecs-admin task run sleeper --started-by "run-$i" --wait -o json | jq -r '.[].taskArn' >>"$dir/acknowledged"
done
running='[.[] | select(.lastStatus == "RUNNING") | {taskArn, startedAt, containerInstanceArn}] | sort_by(.taskArn)'
before=$(ecs-admin task list -o json | jq -S "$running")
alone=$(node_address c1):7443

lab kill c2 c3
no_majority() { ! ECS_ENDPOINT=$alone ecs-admin task run sleeper --timeout 2s; }
check "without a majority nothing is accepted" no_majority
# refused WORDS ARGUMENT...: recover says these words and does nothing.
refused() {
    local words=$1 text
    shift
    ! text=$(ecs-admin recover --data-dir "$dir/c1/data" "$@" 2>&1) && grep -q "$words" <<<"$text"
}
check "a running controller is not recovered" refused "is in use" --id 1 --yes
lab kill c1
sum() { (cd "$dir/c1/$1" && find . -type f -exec sha256sum {} + | sort); }
original=$(sum data)
dry() {
    local status=0
    ecs-admin recover --data-dir "$dir/c1/data" --id 1 || status=$?
    [ "$status" -eq 2 ]
}
check "it says what may be lost and does nothing without --yes" dry
check "nothing was changed" [ "$original" = "$(sum data)" ]
check "another controller's directory is refused" refused "belongs to controller 1" --id 2 --yes
ecs-admin recover --data-dir "$dir/c1/data" --id 1 --yes
check "the original is kept as it was" [ "$original" = "$(sum data.before-epoch-2)" ]
lab restart c1
export ECS_ENDPOINT=$alone
check "the survivor answers" eventually 30 ecs-admin task list
alone_by_log() { lab logs c1 | grep -q "raft.members.*members=1 committed=true"; }
check "alone" eventually 10 alone_by_log
check "in epoch 2" [ "$(ecs-admin raft status -o json | jq .epoch)" = 2 ]
connected() { [ "$(ecs-admin node list -o json | jq '[.[] | select(.agentConnected)] | length')" -eq 2 ]; }
check "the agents come" eventually 60 connected
known() { ecs-admin task list -o json | jq -r '.[].taskArn' | sort; }
check "every acknowledged task is known" [ "$(known | comm -12 - <(sort "$dir/acknowledged") | wc -l)" -eq 6 ]
check "and runs on where it ran" eventually 30 \
    eval '[ "$(ecs-admin task list -o json | jq -S "$running")" = "$before" ]'
fenced() { ! ecs-admin task run sleeper 2>"$dir/refusal" && grep -q "ecs-admin raft unfence" "$dir/refusal"; }
check "a client token of which nobody knows whether it was answered is refused" fenced
sed 's/^/     /' "$dir/refusal"
check "until an operator opens the doors" ecs-admin raft unfence
check "new tasks run" ecs-admin task run sleeper --wait
no_finding() { # The flags of the lab name two controllers more, which are away.
    local status=0
    ecs-admin verify --timeout 3s || status=$?
    [ "$status" -ne 6 ]
}
check "it has nothing to object to" no_finding
