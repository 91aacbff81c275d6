#!/bin/bash
# From the last release to this one and back: controllers are exchanged one by one under a loop of
# writes, one new among two old, two new and one old, all new; then back to the release, as long as
# the feature level allows it, and forward again. Nothing acknowledged is lost, all agree on the
# digest at every step, and the node and its task stay. UPGRADE_FROM names another commit.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/e2e/release.sh
if ! release_known .; then
    echo "skip: commit $release_commit (0.1.0) is not here: a shallow clone, or no git at all"
    exit 0
fi
build=${BUILD:-build}
case $build in /*) ;; *) build=$PWD/$build ;; esac
new=$build/bin
release_build . "$build"

. tests/e2e/lib.sh
export ECS_BIN=$old
lab_start 1
push_demo
register sleeper 16 8 '["/bin/sleep","3600"]'
ecs-admin task run sleeper -q >/dev/null
one_runs() {
    [ "$(ecs-admin task list -o json | jq '[.[] | select(.lastStatus == "RUNNING")] | length')" -eq 1 ]
}
check "the release runs a task" eventually 60 one_runs
task=$(ecs-admin task list -o json | jq -S 'map([.taskArn, .startedAt])')

# Every write is retried until it is acknowledged, as a client does.
: >"$dir/acknowledged"
write() {
    local i
    for i in $(seq 100000); do
        while [ -e "$dir/pause" ]; do sleep 0.1; done
        [ -d "$dir" ] && [ ! -e "$dir/stop" ] || return 0
        if ecs-admin --timeout 10s cluster create "w$i" -q >/dev/null 2>>"$dir/writer"; then
            echo "w$i" >>"$dir/acknowledged"
        fi
        sleep 0.02
    done
}
write &
writer=$!

count() { wc -l <"$dir/acknowledged"; }
digests() {
    local c
    for c in 1 2 3; do
        ECS_ENDPOINT=$(node_address c$c):7443 ecs-admin --timeout 5s raft status -o json |
            jq -c '[.revision, .digest]'
    done
}
same() { [ "$(digests | sort -u | wc -l)" -eq 1 ] && [ "$(digests | wc -l)" -eq 3 ]; }
# The three are asked one after the other, so the writes have to stand still meanwhile.
agree() {
    local status=0
    touch "$dir/pause"
    eventually 30 same || status=1
    rm "$dir/pause"
    return $status
}
all_there() {
    local known
    cp "$dir/acknowledged" "$dir/expected"
    known=$(ecs-admin cluster list -o json | jq -r '.[].clusterName' | sort)
    [ -z "$(sort "$dir/expected" | comm -23 - <(echo "$known"))" ]
}

# step WHAT FOLDER CONTROLLER: exchange one, and see that all is well.
step() {
    local what=$1 folder=$2 c=$3 before
    lab use "$folder" "$c"
    lab restart "$c"
    before=$(count)
    writes_go_on() { [ "$(count)" -ge $((before + 5)) ]; }
    check "$what: writes go on" eventually 60 writes_go_on
    check "$what: all agree on the digest" agree
    check "$what: nothing acknowledged is lost" all_there
}

leads=$(leader)
followers=()
for c in c1 c2 c3; do [ "$c" = "$leads" ] || followers+=("$c"); done
step "one new among two old" "$new" "${followers[0]}"
step "two new and one old" "$new" "${followers[1]}"
step "all new" "$new" "$leads"

step "back: one old among two new" "$old" "${followers[0]}"
step "back: two old and one new" "$old" "$leads"
step "back: all old" "$old" "${followers[1]}"

for c in c1 c2 c3; do step "forward again: $c" "$new" "$c"; done
lab use "$new" n1
lab restart n1
connected() { [ "$(ecs-admin node list -o json | jq '[.[] | select(.agentConnected)] | length')" -eq 1 ]; }
check "the node's new agent is connected" eventually 60 connected
check "and has kept the task" [ "$task" = "$(ecs-admin task list -o json | jq -S 'map([.taskArn, .startedAt])')" ]

PATH=$new:$PATH # So far ecs-admin was the release's.
hash -r
level() { ecs-admin raft status -o json | jq -c '[.featureLevel, .votersLevel]'; }
newest=$(sed -n 's/^#define FEATURE_LEVEL *\([0-9]*\)u.*/\1/p' "$root/controller/core/feature.h")
still() { [ "$(level)" = "[0,$newest]" ]; } # Once the leader hears all voters again.
check "the cluster is still at the release's level, all voters could do more" eventually 20 still
check "and has no identity, which the release would not understand" \
    [ -z "$(ecs-admin raft status -o json | jq -r '.clusterId // ""')" ]
check "raft finalize ends the upgrade" ecs-admin raft finalize
identity() { [ -n "$(ecs-admin raft status -o json | jq -r '.clusterId // ""')" ]; }
check "what is new comes into use" eventually 20 identity

touch "$dir/stop"
wait "$writer"
check "$(count) writes were acknowledged, all are there" all_there
check "and all agree on the digest" eventually 20 same
