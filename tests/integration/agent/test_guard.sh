#!/bin/bash
# A test with real containers that is ended at any moment, by any signal or by Ctrl-C, leaves no
# process, container, cgroup, mount, namespace or directory. usage: test_guard.sh [RUNS]
set -euo pipefail
cd "$(dirname "$0")/../../.."
build=${BUILD:-build}
program=$build/tests/integration/agent/test_runtime
runs=${1:-3}
signals=(KILL TERM CTRL-C HUP INT)

# What carries the mark of one run: its process id and its directory.
left() {
    local pid=$1 where=$2
    find /sys/fs/cgroup -maxdepth 2 -name "ecs-test-$pid-*"
    [ -z "$where" ] || { pgrep -af "$where" || true; find "$where" -maxdepth 0 2>/dev/null || true; }
}

# Namespaces nobody else would keep: processes of ours are gone, so only mounts could hold one.
mounted() { grep ' /tmp/ecs-rig\.' /proc/[0-9]*/mounts 2>/dev/null | grep "$1" || true; }

world_of() { # the directory that the guard of process $1 made: in the arguments of its registry
    local child
    for child in $(pgrep -P "$1" -f docker-registry); do
        tr '\0' '\n' <"/proc/$child/cmdline" | sed -n 's|/registry.yml$||p'
    done
}

wait_for() {
    local n
    for ((n = 0; n < 600; n++)); do
        if "$@"; then return 0; fi
        sleep 0.1
    done
    echo "FAIL timed out: $*"
    exit 1
}

has_containers() { [ -n "$(find /sys/fs/cgroup -maxdepth 2 -name "ecs-test-$pid-*")" ]; }
has_started() { pid=$(pgrep -o -s "$session" -x test_runtime); }
has_session() { [ -s "$work/session" ]; }
is_clean() {
    rest=$(left "$pid" "$where"; [ -z "$where" ] || mounted "$where"; pgrep -s "$session" || true)
    [ -z "$rest" ]
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for ((i = 0; i < runs; i++)); do
    signal=${signals[i % ${#signals[@]}]}
    command=("$program")
    [ "$signal" != CTRL-C ] || command=(tests/run-tests.sh "$build" "$program")
    # Not as a background job: those ignore SIGINT.
    rm -f "$work/session"
    setsid --fork bash -c 'echo $$ >"$0"; exec env --default-signal=INT "$@"' "$work/session" \
        "${command[@]}" >/dev/null 2>&1
    wait_for has_session
    session=$(cat "$work/session")
    wait_for has_started
    # Every second time the moment is sure to be one with containers.
    [ $((i % 2)) -eq 1 ] || wait_for has_containers
    pause=$((RANDOM % 3000))
    sleep "$((pause / 1000)).$(printf %03d $((pause % 1000)))"
    where=$(world_of "$pid")
    kill -s "${signal/CTRL-C/INT}" "$session"
    wait_for is_clean
    echo "ok   $signal after $pause ms: nothing left"
done
