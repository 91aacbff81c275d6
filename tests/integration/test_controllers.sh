#!/bin/bash
# Three real controllers on loopback: real sockets, TLS, log files and fsync; no nodes. What they
# acknowledge survives kill -9 of one and of all; any of them serves any client.
set -euo pipefail
cd "$(dirname "$0")/../.."
bin=${BUILD:-build}/bin
case $bin in /*) ;; *) bin=$PWD/$bin ;; esac
dir=$(mktemp -d)
declare -A pids

finish() {
    local status=$?
    trap - EXIT
    kill -KILL "${pids[@]}" 2>/dev/null || true
    wait 2>/dev/null || true
    [ "$status" -eq 0 ] || tail -n 20 "$dir"/c*/log
    rm -rf "$dir"
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

check() {
    local what=$1
    shift
    if "$@"; then echo "ok   $what"; else
        echo "FAIL $what"
        exit 1
    fi
}

eventually() {
    local end=$(($(date +%s) + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$(date +%s)" -lt "$end" ] || return 1
        sleep 0.1
    done
}

# Ports that are free now, kept apart by the process id so that runs side by side do not meet.
port() {
    /usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

"$bin/ecs-admin" pki init --dir "$dir/pki" -q
members= endpoints=
for i in 1 2 3; do
    "$bin/ecs-admin" pki issue --dir "$dir/pki" --role controller --id $i --ip 127.0.0.1 --out "$dir/pki/c$i" -q
    api=127.0.0.1:$(port)
    members=$members,$i=127.0.0.1:$(port)/$api
    endpoints=$endpoints,$api
done
"$bin/ecs-admin" pki issue --dir "$dir/pki" --role admin --id test --out "$dir/pki/admin" -q
export ECS_ENDPOINT=${endpoints#,} ECS_CA=$dir/pki/ca.pem
export ECS_CERT=$dir/pki/admin/cert.pem ECS_KEY=$dir/pki/admin/key.pem
admin() { "$bin/ecs-admin" --timeout 15s "$@"; }

start() {
    mkdir -p "$dir/c$1"
    "$bin/ecs-controller" --id "$1" --data-dir "$dir/c$1/data" --members "${members#,}" \
        --cert "$dir/pki/c$1/cert.pem" --key "$dir/pki/c$1/key.pem" --ca "$dir/pki/ca.pem" \
        --log-trailing 16 \
        >>"$dir/c$1/log" 2>&1 &
    pids[$1]=$!
}
for i in 1 2 3; do start $i; done

check "a leader is elected and writes" eventually 15 admin cluster create first
for endpoint in ${endpoints//,/ }; do
    check "$endpoint serves reads and writes" sh -c \
        "'$bin/ecs-admin' --endpoint $endpoint cluster create via-$endpoint -o json 2>&1 | grep -q ACTIVE ||
         '$bin/ecs-admin' --endpoint $endpoint cluster create via-${endpoint##*:} -o json | grep -q ACTIVE"
done

# While an election is on, or the one asked has just started, there is no leader to name.
leader() {
    local id
    for _ in $(seq 50); do
        id=$(admin raft members -o json | jq '.[] | select(.leader) | .id')
        [ -z "$id" ] || break
        sleep 0.1
    done
    echo "$id"
}
names() { admin cluster list -o json | jq -r '.[].clusterName' | sort; }

: >"$dir/acknowledged"
for i in $(seq 30); do
    if [ "$i" = 10 ] || [ "$i" = 20 ]; then
        victim=$(leader)
        kill -KILL "${pids[$victim]}"
        wait "${pids[$victim]}" 2>/dev/null || true
        began=$(date +%s%N)
    fi
    admin cluster create "n$i" -q >/dev/null
    echo "n$i" >>"$dir/acknowledged"
    if [ -n "${began:-}" ]; then
        echo "     first write after kill -9 of the leader: $((($(date +%s%N) - began) / 1000000)) ms"
        began=
        start "$victim"
    fi
done
check "nothing acknowledged was lost" [ -z "$(sort "$dir/acknowledged" | comm -23 - <(names))" ]

kill -KILL "${pids[@]}"
wait "${pids[@]}" 2>/dev/null || true
for i in 1 2 3; do start $i; done
check "three killed controllers come back" eventually 15 admin raft members
check "and remember who asked for what" sh -c \
    "'$bin/ecs-admin' history --kind audit --all-clusters --limit 1000 | grep -q 'CreateCluster by admin/.*: ok'"
check "with everything acknowledged" [ -z "$(sort "$dir/acknowledged" | comm -23 - <(names))" ]

for i in 1 2; do kill -KILL "${pids[$i]}"; done
check "without a majority writes are refused" sh -c "! '$bin/ecs-admin' --timeout 2s cluster create no -q 2>/dev/null"
check "with the code for it" sh -c "'$bin/ecs-admin' --timeout 2s cluster list >/dev/null 2>&1; [ \$? -eq 3 ]"
for i in 1 2; do start $i; done
check "and accepted again with one" eventually 15 admin cluster create yes -q

lagging=$(admin raft members -o json | jq '[.[] | select(.leader | not) | .id][0]')
kill -KILL "${pids[$lagging]}"
wait "${pids[$lagging]}" 2>/dev/null || true
for i in $(seq 60); do admin cluster create "late$i" -q >/dev/null; done
sleep 1 # The checkpoint is written behind; the log before it goes.
for i in $(seq 20); do admin cluster create "later$i" -q >/dev/null; done
start "$lagging"
digests() {
    for endpoint in ${endpoints//,/ }; do
        "$bin/ecs-admin" --endpoint "$endpoint" raft status -o json | jq -c '[.revision, .digest]'
    done | sort -u | wc -l
}
same() { [ "$(digests)" -eq 1 ]; }
check "a member far behind receives the checkpoint" \
    eventually 20 grep -q engine.snapshot_installed "$dir/c$lagging/log"
check "and agrees with the others" eventually 10 same

"$bin/ecs-admin" pki init --dir "$dir/other" -q
"$bin/ecs-admin" pki issue --dir "$dir/other" --role admin --id evil --out "$dir/other/admin" -q
check "a certificate of another CA is refused" sh -c \
    "! ECS_CERT=$dir/other/admin/cert.pem ECS_KEY=$dir/other/admin/key.pem '$bin/ecs-admin' --timeout 3s cluster list >/dev/null 2>&1"

for i in 1 2 3; do kill -TERM "${pids[$i]}"; done
for i in 1 2 3; do
    check "controller $i ends by itself" wait "${pids[$i]}"
done
unset 'pids[1]' 'pids[2]' 'pids[3]'
