#!/bin/bash
# Runbook "look into a controller's files": log and checkpoint of a running controller, of a copy,
# and of a copy with a flipped byte. Looking changes nothing.
. "$(dirname "$0")/../lib.sh"
lab_start 1
push_demo
register sleeper 16 8 '["/bin/sleep","3600"]'
for i in 1 2 3; do ecs-admin task run sleeper --started-by "run-$i" >/dev/null; done

data=$dir/c1/data
ecs-admin log inspect "$data" | tail -n 4
check "the log of a running controller can be read" ecs-admin log inspect "$data" -q
check "its commands are there" [ "$(ecs-admin log inspect "$data" -o json |
    jq '[.[].commands[] | select(.command == "plan") | .tasks // [] | length] | add')" -eq 3 ]
check "--from and --to choose" [ "$(ecs-admin log inspect "$data" --from 2 --to 4 -o json |
    jq -c 'map(.index)')" = "[2,3,4]" ]
tasks() { ecs-admin checkpoint inspect "$1" -o json | jq -r '.rows.task'; }
three() { [ "$(tasks "$data")" = 3 ]; }
check "the checkpoint of a running controller has the tasks" eventually 10 three

lab kill c1
cp -a "$data" "$dir/copy"
before=$(cd "$dir/copy" && find . -type f -exec sha256sum {} + | sort)
check "a copy after kill -9 can be read" ecs-admin log inspect "$dir/copy" -q
check "and its checkpoint" [ "$(tasks "$dir/copy")" = 3 ]
check "rows are printed" [ "$(ecs-admin checkpoint inspect "$dir/copy" --table task -o json |
    jq -r '[.[].row.started_by] | sort | join(",")')" = "run-1,run-2,run-3" ]
check "looking has changed nothing" [ "$before" = \
    "$(cd "$dir/copy" && find . -type f -exec sha256sum {} + | sort)" ]

offset=$(ecs-admin log inspect "$dir/copy" -o json | jq '.[2].offset + 45')
printf '\377' | dd of="$dir/copy/log/log-0000000001" bs=1 seek="$offset" conv=notrunc status=none
damaged() {
    local text status=0
    text=$(ecs-admin log inspect "$dir/copy" 2>&1 >/dev/null) || status=$?
    echo "$text"
    [ "$status" -eq 6 ] && grep -q "log-0000000001: damaged at offset $((offset - 45)) " <<<"$text"
}
check "a flipped byte is found: file, offset, exit status 6" damaged
lab restart c1
check "the controller starts again" eventually 20 ecs-admin raft status
