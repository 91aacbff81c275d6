#!/bin/bash
# Runbook "back up": an encrypted backup of a busy cluster can be inspected without the key, verified
# with it, and with no other; a flipped byte is found.
. "$(dirname "$0")/../lib.sh"
lab_start 1
push_demo
register sleeper 16 8 '["/bin/sleep","3600"]'
for i in 1 2 3 4; do ecs-admin task run sleeper --started-by "run-$i" >/dev/null; done

head -c 32 /dev/urandom >"$dir/key"
head -c 32 /dev/urandom >"$dir/other"
(for i in $(seq 10); do ecs-admin task run sleeper --started-by "later-$i" >/dev/null; done) &
ecs-admin backup create "$dir/b1" --key-file "$dir/key"
wait
ecs-admin backup inspect "$dir/b1"
status() { ecs-admin raft status -o json | jq -r ".$1"; }
check "the head names the cluster and its epoch" [ "$(ecs-admin backup inspect "$dir/b1" -o json |
    jq -r '"\(.clusterId) \(.epoch) \(.encrypted)"')" = "$(status clusterId) 1 key file" ]
ecs-admin backup verify "$dir/b1" --key-file "$dir/key"
check "it is whole" ecs-admin backup verify "$dir/b1" --key-file "$dir/key" -q
check "with the tasks that were there" \
    [ "$(ecs-admin backup verify "$dir/b1" --key-file "$dir/key" -o json | jq .tasks)" -ge 4 ]

# refused STATUS WORDS COMMAND...
refused() {
    local want=$1 words=$2 text status=0
    shift 2
    text=$("$@" 2>&1) || status=$?
    echo "     $text"
    [ "$status" -eq "$want" ] && grep -q "$words" <<<"$text"
}
check "another key is refused" refused 6 "not the key" ecs-admin backup verify "$dir/b1" --key-file "$dir/other"
check "no key is refused" refused 2 "encrypted" ecs-admin backup verify "$dir/b1"
check "an unencrypted backup must be asked for" refused 2 "say --plain" ecs-admin backup create "$dir/b2"
check "nothing is overwritten half-way" [ ! -e "$dir/b2" ]
check "the file is the owner's alone" [ "$(stat -c %a "$dir/b1")" = 600 ]
check "nothing of the state is readable in it" [ "$(grep -c run-1 "$dir/b1")" -eq 0 ]

cp "$dir/b1" "$dir/bad"
printf '\1' | dd of="$dir/bad" bs=1 seek=20000 conv=notrunc status=none
check "a flipped byte is found" refused 6 "damaged in chunk 0" \
    ecs-admin backup verify "$dir/bad" --key-file "$dir/key"
cp "$dir/b1" "$dir/short"
truncate -s -1 "$dir/short"
check "a cut file is found" refused 6 "" ecs-admin backup verify "$dir/short" --key-file "$dir/key"

echo "a long passphrase of the operators" >"$dir/phrase"
ecs-admin backup create "$dir/b3" --passphrase-file "$dir/phrase"
check "a passphrase does as well" ecs-admin backup verify "$dir/b3" --passphrase-file "$dir/phrase"
ecs-admin backup create "$dir/b4" --plain
check "a plain one can be made" ecs-admin backup verify "$dir/b4"
check "and is only a checkpoint in chunks" [ "$(grep -c run-1 "$dir/b4")" -ge 1 ]
