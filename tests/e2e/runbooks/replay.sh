#!/bin/bash
# Runbook "replay": the state at any entry and time comes out of log and checkpoint as it was, digest
# included; the placement of a task is explained on the state just before.
. "$(dirname "$0")/../lib.sh"
lab_start 3
push_demo
register small 128 32 '["/bin/sleep","3600"]'
register large 1500 32 '["/bin/sleep","3600"]'
ecs-admin task run large --wait >/dev/null
ecs-admin task run large --wait >/dev/null
middle=$(ecs-admin raft status -o json | jq -c '{index: .appliedIndex, revision, digest}')
sleep 1.1
noon=$(date -u +%Y-%m-%dT%H:%M:%SZ)
sleep 1.1
task=$(ecs-admin task run large --wait -o json | jq -r '.[0].taskArn')
ecs-admin task run small --wait >/dev/null
head -c 32 /dev/urandom >"$dir/key"
ecs-admin backup create "$dir/backup" --key-file "$dir/key"
ecs-admin task run small --wait >/dev/null
sleep 1
lab kill c1
data=$dir/c1/data

replay() { ecs-admin replay --data-dir "$data" "$@"; }
ecs-admin replay --data-dir "$data"
check "the end of the log is a state" [ "$(replay -o json | jq .tasks)" = 5 ]
index=$(jq .index <<<"$middle")
check "an earlier entry gives the state there, digest included" [ "$(replay --until "$index" -o json |
    jq -c '{index, revision, digest}')" = "$middle" ]
check "so does a time" [ "$(replay --until "$noon" -o json | jq .tasks)" = 2 ]
check "a backup and the log after it" [ "$(replay --backup "$dir/backup" --key-file "$dir/key" -o json |
    jq -c '[.digest, .tasks]')" = "$(replay -o json | jq -c '[.digest, .tasks]')" ]
check "a backup alone" [ "$(ecs-admin replay --backup "$dir/backup" --key-file "$dir/key" -o json |
    jq .tasks)" = 4 ]

replay --task "$task"
why=$(replay --task "$task" -o json)
node=$(ecs-admin task list -o json | jq -r --arg t "$task" '.[] | select(.taskArn == $t) | .containerInstanceArn | split("/") | last')
check "the task's node was the one chosen" [ "$(jq -r '.nodes[] | select(.verdict == "CHOSEN") | .id' <<<"$why")" = "$node" ]
check "the others had no room, with figures" [ "$(jq -c '[.nodes[] | select(.verdict == "RESOURCE:CPU") | .detail | test("1500")]' <<<"$why")" = "[true,true]" ]
nobody() {
    local status=0
    replay --task 00000000000000000000000000000001 || status=$?
    [ "$status" -eq 4 ]
}
check "an unknown task is not found" nobody
