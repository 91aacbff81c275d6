#!/bin/bash
# The judge of chaos runs sees what it is there for: reads that any controller may answer from its own
# state are not linearizable when one is cut off, and the history says so; strong reads are.
. "$(dirname "$0")/lib.sh"
lab_start 0

# load PREFIX ARGUMENT...: three seconds with all, three without one follower, three with all.
load() {
    local prefix=$1 pid follower
    shift
    "$build/bin/ecs-load" --prefix "$prefix" --seconds 60 --rate 200 --workers 12 --keys 2 --deadline 1s \
        --history "$dir/$prefix.history" "$@" >"$dir/$prefix.load" 2>&1 &
    pid=$!
    sleep 3
    follower=$(echo c1 c2 c3 | tr ' ' '\n' | grep -v "$(leader)" | head -n 1)
    lab partition "$follower"
    sleep 3
    lab heal
    sleep 3
    kill -TERM "$pid"
    wait "$pid"
}

check "strong reads are linearizable" load strong
check "eventual reads are not" [ "$(load eventual --eventual >"$dir/out" 2>&1 || echo refused)" = refused ]
grep -B 8 VIOLATION "$dir/eventual.load" | cut -c1-120 | sed 's/^/     /'
check "and the verdict names an operation" grep -q "no order explains these\|older version" "$dir/eventual.load"
check "the file says the same" [ "$("$build/bin/ecs-load" --check "$dir/eventual.history" >"$dir/again"; echo $?)" -eq 1 ]
