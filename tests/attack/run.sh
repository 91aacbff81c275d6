#!/bin/bash
# Attacks on a real cluster of three controllers on loopback: on the port of the raft peers (nobody,
# an agent, an administrator, a controller of another cluster, a member gone bad) and on the front
# door. Afterwards: nobody crashed, term and digest and revision are what they were, memory and log
# lines are bounded, and the cluster writes.
# usage: run.sh [SECONDS [SEED]]    SECONDS: of the mutator and the slow attacks
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-${ATTACK_SECONDS:-5}}
seed=${2:-${ATTACK_SEED:-$(date +%s)}}
build=${BUILD:-build}
case $build in /*) ;; *) build=$PWD/$build ;; esac
bin=$build/bin
dir=$(mktemp -d)
declare -A pids peer api

finish() {
    local status=$?
    trap - EXIT
    kill -KILL "${pids[@]}" 2>/dev/null || true
    wait 2>/dev/null || true
    [ "$status" -eq 0 ] || tail -n 15 "$dir"/c*/log || true
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

port() {
    /usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

issue() { # PKI ROLE ID
    "$bin/ecs-admin" pki issue --dir "$dir/$1" --role "$2" --id "$3" --ip 127.0.0.1 --out "$dir/$1/$2-$3" -q
}

echo "     seed $seed, $seconds s"
"$bin/ecs-admin" pki init --dir "$dir/pki" -q
"$bin/ecs-admin" pki init --dir "$dir/other" -q
members=
for i in 1 2 3; do
    issue pki controller $i
    issue other controller $i
    api[$i]=$(port)
    peer[$i]=$(port)
    members=$members,$i=127.0.0.1:${peer[$i]}/127.0.0.1:${api[$i]}
done
"$build/attack/attack_papers" "$dir/pki" agent evil "$dir/pki/agent-evil"
issue pki admin test
export ECS_ENDPOINT=127.0.0.1:${api[1]},127.0.0.1:${api[2]},127.0.0.1:${api[3]} ECS_CA=$dir/pki/ca.pem
export ECS_CERT=$dir/pki/admin-test/cert.pem ECS_KEY=$dir/pki/admin-test/key.pem
admin() { "$bin/ecs-admin" --timeout 15s "$@"; }

start() {
    mkdir -p "$dir/c$1"
    "$bin/ecs-controller" --id "$1" --data-dir "$dir/c$1/data" --members "${members#,}" \
        --cert "$dir/pki/controller-$1/cert.pem" --key "$dir/pki/controller-$1/key.pem" \
        --ca "$dir/pki/ca.pem" >>"$dir/c$1/log" 2>&1 &
    pids[$1]=$!
}
for i in 1 2 3; do start $i; done
check "the cluster is up" eventually 20 admin cluster create first -q

# A member that does not lead goes bad: its process ends, its certificate is the attacker's.
bad=$(admin raft members -o json | jq '[.[] | select(.leader | not) | .id][0]')
kill -KILL "${pids[$bad]}"
wait "${pids[$bad]}" 2>/dev/null || true # Killed, as bash would say.
unset "pids[$bad]"
good=()
for i in 1 2 3; do [ "$i" = "$bad" ] || good+=("$i"); done
check "two of three go on" eventually 20 admin cluster create second -q

# What may not change: of each controller the term, the digest and the revision.
state() {
    local i
    for i in "${good[@]}"; do
        "$bin/ecs-admin" --endpoint "127.0.0.1:${api[$i]}" raft status -o json |
            jq -c "[$i, .term, .leaderId, .revision, .digest]"
    done
}
agree() { [ "$(state | jq -s 'map(.[1:]) | unique | length')" -eq 1 ]; }
memory() { awk '/^VmRSS/ { print $2 }' "/proc/${pids[$1]}/status"; }
lines() { wc -l <"$dir/c$1/log"; }
check "they agree" eventually 10 agree
before=$(state)
term=$(echo "$before" | jq -s ".[0][1]")
declare -A memory_before lines_before
for i in "${good[@]}"; do
    memory_before[$i]=$(memory "$i")
    lines_before[$i]=$(lines "$i")
done

unchanged() {
    if [ "$(state)" != "$before" ]; then
        printf 'before\n%s\nafter\n%s\n' "$before" "$(state)"
        return 1
    fi
}

# attack NAME PROGRAM OPTION...
attack() {
    local what=$1 program=$2
    shift 2
    if ! "$build/attack/$program" --seed "$seed" --seconds "$seconds" "$@" >"$dir/out" 2>&1; then
        cat "$dir/out"
        echo "FAIL $what"
        exit 1
    fi
    sed 's/^/     /' "$dir/out"
    check "nothing has changed after $what" unchanged
}

# as WHO TARGET ATTACK...: at the peer port of a controller, with papers of ours.
as() {
    local papers=$dir/$1 target=$2
    shift 2
    attack "${papers#"$dir/"} at $target: $*" attack_raft --cert "$papers/cert.pem" \
        --key "$papers/key.pem" --port "${peer[$target]}" --to "$target" --from "$bad" --term "$term" "$@"
}

for i in "${good[@]}"; do
    as pki/agent-evil "$i" plain-bytes random-bytes no-certificate slow-handshake # These show nothing.
    as pki/agent-evil "$i" hello-refused silent-after-handshake large-first-frame
    as pki/admin-test "$i" hello-refused
    as "other/controller-$bad" "$i" hello-refused
    as "pki/controller-$bad" "$i" silent-after-handshake large-first-frame wrong-sender \
        hello-lies forged-refusals short-frames many-entries forged-terms vote-for-another forged-results absurd-chunks \
        slow-loris mutations
    as pki/agent-evil "$i" connection-flood
    attack "the front door of $i" attack_door --port "${api[$i]}"
done

for i in "${good[@]}"; do
    check "controller $i still runs" kill -0 "${pids[$i]}"
    grown=$(($(memory "$i") - memory_before[$i]))
    check "its memory has grown by $grown KiB, less than 128 MiB" [ "$grown" -lt 131072 ]
    said=$(($(lines "$i") - lines_before[$i]))
    check "it has written $said lines, fewer than 20 a second" [ "$said" -lt $((20 * SECONDS)) ]
done
check "the cluster writes" admin cluster create third -q
start "$bad"
check "the member comes back when it is good again" eventually 20 \
    sh -c "[ \"\$('$bin/ecs-admin' raft status -o json --endpoint 127.0.0.1:${api[$bad]} | jq .revision)\" = \
             \"\$('$bin/ecs-admin' raft status -o json | jq .revision)\" ]"
