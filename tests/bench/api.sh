#!/bin/bash
# How many durable writes, and reads, a second the API takes, and how long each takes: 1, 64 and 1,000
# clients with one request at a time each, three controllers with fsync, everything on this machine
# (the clients too). A write is TagResource, a read ListTagsForResource, linearizable; over mutual
# TLS. Beside it in the same run and on the same disk three members of etcd (Debian's package) with
# Put and linearizable Range, over plain HTTP/2, by the same clients.
# Then RunTask, one at a time on an idle cluster with a simulated node: from the request to the answer,
# which is given when the placement is durable. The disk's fdatasync and the loopback stand beside it.
# usage: api.sh [--quick] [--seconds N] [--json FILE]
set -euo pipefail
seconds=8
json=
while [ $# -gt 0 ]; do
    case $1 in
    --quick) seconds=2; shift; continue ;;
    --seconds) seconds=$2 ;;
    --json) json=$2 ;;
    *)
        echo "usage: api.sh [--quick] [--seconds N] [--json FILE]" >&2
        exit 2
        ;;
    esac
    shift 2
done
. "$(cd "$(dirname "$0")" && pwd)/../e2e/lib.sh"
. "$(cd "$(dirname "$0")" && pwd)/fleet/lib.sh"
load="$build/bin/ecs-load --seconds $seconds --keys 100 --deadline 20s"

# measure NAME COMMAND...: figures in NAME.json.
measure() {
    local name=$1
    shift
    "$@" --json "$dir/$name.json" >"$dir/$name.load" 2>&1 || { cat "$dir/$name.load"; exit 1; }
}

# figures CASE NAME
figures() {
    local key
    for key in writes_per_s reads_per_s write_p50_ms write_p99_ms; do
        jq -r --arg case "$1" --arg key "$key" --slurpfile peer <(cat "$dir/etcd-$2.json" 2>/dev/null || echo null) '
            .[$key] as $v | ($peer[0][$key] // 0) as $p | if $v == 0 then empty else
            [$case, $key, $v, $p, (if $p > 0 then $v / $p else 0 end)] | @tsv end' "$dir/ecs-$2.json"
    done
}

# The members of etcd go first, whatever happened.
pids=
finish_peers() {
    local status=$? pid
    set +e
    for pid in $pids; do kill -KILL "$pid" 2>/dev/null && wait "$pid" 2>/dev/null; done
    ip netns del "$ns" 2>/dev/null
    (exit "$status")
    finish_fleet
}

lab_start_fleet 4
ecs-admin cluster create other >/dev/null # Its services match no node.
for n in 1 64 1000; do
    # shellcheck disable=SC2086
    measure "ecs-write-$n" $load --workers $n --reads 0 --prefix "w$n" --cluster other --weight-tag 1 \
        --weight-count 0 --weight-family 0 --weight-run 0 --weight-stop 0
    # shellcheck disable=SC2086
    measure "ecs-read-$n" $load --workers $n --reads 100 --prefix "r$n" --cluster other --weight-tag 1 \
        --weight-count 0 --weight-family 0 --weight-run 0 --weight-stop 0
done
jq -n '{family: "floor", containerDefinitions: [{name: "main", image: "none", cpu: 1, memory: 6}]}' |
    ecs-admin task-def register - >/dev/null
# shellcheck disable=SC2086
measure ecs-run $load --workers 1 --reads 0 --prefix run --task-definition floor --weight-tag 0 \
    --weight-count 0 --weight-family 0 --weight-run 1 --weight-stop 0
BENCH_DIR=$dir "$build/bench/floor" --json "$dir/floor.json" >/dev/null

# --- etcd -----------------------------------------------------------------------------------------
if command -v etcd >/dev/null; then
    ns=ecs-$(printf %s "$dir" | sha256sum | cut -c1-6)-etcd
    ip netns add "$ns"
    ip -n "$ns" link set lo up
    trap finish_peers EXIT
    for i in 1 2 3; do
        nsenter --net="/run/netns/$ns" etcd --name "m$i" --data-dir "$dir/etcd$i" \
            --listen-peer-urls "http://127.0.0.1:238$i" --initial-advertise-peer-urls "http://127.0.0.1:238$i" \
            --listen-client-urls "http://127.0.0.1:237$i" --advertise-client-urls "http://127.0.0.1:237$i" \
            --initial-cluster m1=http://127.0.0.1:2381,m2=http://127.0.0.1:2382,m3=http://127.0.0.1:2383 \
            --logger zap >>"$dir/etcd$i.log" 2>&1 &
        pids="$pids $!"
    done
    well() {
        ETCDCTL_API=3 nsenter --net="/run/netns/$ns" etcdctl --endpoints \
            127.0.0.1:2371,127.0.0.1:2372,127.0.0.1:2373 endpoint health
    }
    eventually 30 well
    peer="env -u ECS_CA -u ECS_CERT -u ECS_KEY -u ECS_ENDPOINT nsenter --net=/run/netns/$ns $load --target etcd
        --endpoint 127.0.0.1:2371,127.0.0.1:2372,127.0.0.1:2373"
    for n in 1 64 1000; do
        # shellcheck disable=SC2086
        measure "etcd-write-$n" $peer --workers $n --reads 0 --prefix "w$n"
        # shellcheck disable=SC2086
        measure "etcd-read-$n" $peer --workers $n --reads 100 --prefix "r$n"
    done
else
    echo "etcd is not installed (deploy/deps.sh --bench): no peer in this run"
fi

{
    for n in 1 64 1000; do
        figures "write-$n" "write-$n"
        figures "read-$n" "read-$n"
    done
    figures run-task run
    jq -r '.rows[] | [.case, .metric, .median, 0, 0] | @tsv' "$dir/floor.json"
} >"$dir/table"
printf '%-12s %-32s %12s %12s %8s\n' case metric ecs etcd ratio
awk -F '\t' '{ printf "%-12s %-32s %12.3f %12.3f %8.2f\n", $1, $2, $3, $4, $5 }' "$dir/table"
printf 'load %s\n' "$(cut -d' ' -f1-3 /proc/loadavg)"
[ -z "$json" ] || jq -Rn --arg commit "$(git -C "$root" rev-parse --short HEAD 2>/dev/null || true)" \
    --arg machine "$(uname -sr)" --arg load "$(cut -d' ' -f1 /proc/loadavg)" '
    {name: "api", commit: $commit, machine: $machine, load: $load, rows: [inputs | split("\t") |
        {case: .[0], metric: .[1], unit: (if .[1] | endswith("_ms") then "ms" elif .[1] | endswith("per_s")
            then "1/s" else "us" end), median: (.[2] | tonumber), min: (.[2] | tonumber), max: (.[2] | tonumber)} +
        (if (.[3] | tonumber) > 0 then {peer: (.[3] | tonumber), ratio: (.[4] | tonumber)} else {} end)]}' \
    <"$dir/table" >"$json"
