#!/bin/bash
# How long nobody can write after the leader was killed: kill -9 of the leader under 64 writers, again
# and again, with stock settings. From each kill to the end of the longest silence among acknowledged
# writes behind it. The writers keep a history: 0 acknowledged writes lost, 0 duplicates, or it fails.
# Beside it, in the same run, three etcd members, killed and started again the same way (Debian's
# packages; deploy/deps.sh --bench installs them).
# usage: failover.sh [--quick] [--kills N] [--rate N] [--json FILE]
set -euo pipefail
kills=50
rate=500
json=
while [ $# -gt 0 ]; do
    case $1 in
    --quick) kills=5; shift; continue ;;
    --kills) kills=$2 ;;
    --rate) rate=$2 ;;
    --json) json=$2 ;;
    *)
        echo "usage: failover.sh [--quick] [--kills N] [--rate N] [--json FILE]" >&2
        exit 2
        ;;
    esac
    shift 2
done
. "$(cd "$(dirname "$0")" && pwd)/../e2e/lib.sh"
load="$build/bin/ecs-load --workers 64 --rate $rate --reads 10 --keys 8 --seconds 86400"

# kill_leaders NAME: functions NAME_leader (its pid), NAME_restart PID, NAME_well; times go to NAME.kills.
kill_leaders() {
    local name=$1 pid at
    : >"$dir/$name.kills"
    for _ in $(seq "$kills"); do
        eventually 60 "${name}_well" || { echo "$name does not get well"; return 1; }
        sleep 1
        pid=$("${name}_leader")
        at=${EPOCHREALTIME/./}
        kill -KILL "$pid"
        echo "$at" >>"$dir/$name.kills"
        sleep 3
        "${name}_restart" "$pid"
    done
    eventually 60 "${name}_well"
    sleep 1
}

# measure NAME LOAD-ARGUMENTS...
measure() {
    local name=$1 pid
    shift
    # shellcheck disable=SC2086
    "$@" --kills "$dir/$name.kills" --history "$dir/$name.history" --json "$dir/$name.json" \
        >"$dir/$name.load" 2>&1 &
    pid=$!
    sleep 3
    kill_leaders "$name"
    kill -TERM "$pid"
    wait "$pid" || { cat "$dir/$name.load"; exit 1; }
}

# --- ecs ------------------------------------------------------------------------------------------
ecs_leader() {
    victim=$(leader)
    cat "$dir/$victim/pid"
}
ecs_restart() {
    local c
    for c in c1 c2 c3; do
        [ "$(cat "$dir/$c/pid")" != "$1" ] || lab restart "$c"
    done
}
ecs_well() {
    [ "$(ecs-admin raft members -o json --timeout 1s | jq '[.[] | select(.connected)] | length')" -eq 3 ]
}

# --- etcd -----------------------------------------------------------------------------------------
etcd_start() {
    local i=$1 cluster=
    for m in 1 2 3; do cluster=$cluster,m$m=http://127.0.0.1:238$m; done
    nsenter --net="/run/netns/$ns" etcd --name "m$i" --data-dir "$dir/etcd$i" \
        --listen-peer-urls "http://127.0.0.1:238$i" --initial-advertise-peer-urls "http://127.0.0.1:238$i" \
        --listen-client-urls "http://127.0.0.1:237$i" --advertise-client-urls "http://127.0.0.1:237$i" \
        --initial-cluster "${cluster#,}" --logger zap >>"$dir/etcd$i.log" 2>&1 &
    echo $! >"$dir/etcd$i.pid"
    disown
}
etcdctl_all() {
    ETCDCTL_API=3 nsenter --net="/run/netns/$ns" etcdctl --command-timeout 2s \
        --endpoints 127.0.0.1:2371,127.0.0.1:2372,127.0.0.1:2373 "$@"
}
etcd_leader() {
    local name
    name=$(etcdctl_all endpoint status -w json 2>/dev/null |
        jq -r '.[] | select(.Status.header.member_id == .Status.leader) | .Endpoint' | head -n 1)
    cat "$dir/etcd${name#127.0.0.1:237}.pid"
}
etcd_restart() {
    local i
    for i in 1 2 3; do
        [ "$(cat "$dir/etcd$i.pid")" != "$1" ] || etcd_start "$i"
    done
}
etcd_well() {
    etcdctl_all endpoint health && [ -n "$(etcd_leader)" ]
}

lab_start 1
push_demo
register sleeper 4 8 '["/bin/sh","-c","trap \"exit 0\" TERM; sleep 3600 & wait"]'
# shellcheck disable=SC2086
measure ecs $load --prefix bench --task-definition sleeper --weight-tag 300 --weight-count 0 \
    --weight-family 3 --weight-run 1 --weight-stop 2
grep -E 'kills:|^answers|^history|took' "$dir/ecs.load" | sed 's/^/ecs:  /'

if command -v etcd >/dev/null && command -v etcdctl >/dev/null; then
    ns=ecs-$(printf %s "$dir" | sha256sum | cut -c1-6)-etcd
    ip netns add "$ns"
    ip -n "$ns" link set lo up
    for i in 1 2 3; do etcd_start $i; done
    eventually 30 etcd_well
    # shellcheck disable=SC2086
    measure etcd env -u ECS_CA -u ECS_CERT -u ECS_KEY -u ECS_ENDPOINT nsenter --net="/run/netns/$ns" $load \
        --target etcd --endpoint 127.0.0.1:2371,127.0.0.1:2372,127.0.0.1:2373 --prefix bench
    grep -E 'kills:|^answers|^history|took' "$dir/etcd.load" | sed 's/^/etcd: /'
    for i in 1 2 3; do kill -KILL "$(cat "$dir/etcd$i.pid")"; done
else
    echo "etcd is not installed (deploy/deps.sh --bench): no peer in this run"
fi

printf '%-34s %8s %8s %8s %8s\n' "kill -9 of the leader, 64 writers" p50 p99 min max
for name in ecs etcd; do
    [ ! -s "$dir/$name.json" ] || jq -r --arg name "$name" '[$name, .silence_p50_ms, .silence_p99_ms,
        .silence_min_ms, .silence_max_ms, .kills, .never] | @tsv' "$dir/$name.json" |
        awk '{ printf "%-34s %8.0f %8.0f %8.0f %8.0f  ms  (%d kills, never again: %d)\n", $1, $2, $3, $4, $5, $6, $7 }'
done
printf 'load %s\n' "$(cut -d' ' -f1-3 /proc/loadavg)"
if [ -n "$json" ]; then
    jq -n --slurpfile ecs "$dir/ecs.json" --slurpfile etcd <(cat "$dir/etcd.json" 2>/dev/null) \
        --arg commit "$(git -C "$root" rev-parse --short HEAD 2>/dev/null || true)" \
        --arg machine "$(uname -sr)" --arg load "$(cut -d' ' -f1 /proc/loadavg)" '
        def row(metric; key): {case: "kill -9 of the leader, 64 writers", metric: metric, unit: "ms",
            median: $ecs[0][key], min: $ecs[0].silence_min_ms, max: $ecs[0].silence_max_ms} +
            (if $etcd == [] then {} else {peer: $etcd[0][key], ratio: ($ecs[0][key] / $etcd[0][key])} end);
        {name: "failover", commit: $commit, machine: $machine, load: $load,
         rows: [row("next acknowledged write p50"; "silence_p50_ms"), row("next acknowledged write p99"; "silence_p99_ms"),
                {case: "acknowledged writes", metric: "lost or doubled", unit: "writes", median: 0, min: 0, max: 0}]}' >"$json"
fi
