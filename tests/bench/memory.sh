#!/bin/bash
# Proportional set size of controllers and agents: idle, and with 100 tasks on three nodes.
# usage: memory.sh [--tasks N] [--json FILE]
set -euo pipefail
tasks=100
json=
while [ $# -gt 0 ]; do
    case $1 in
    --tasks) tasks=$2 ;;
    --json) json=$2 ;;
    *)
        echo "usage: memory.sh [--tasks N] [--json FILE]" >&2
        exit 2
        ;;
    esac
    shift 2
done
. "$(cd "$(dirname "$0")" && pwd)/../e2e/lib.sh"
export ECS_IMAGE_PULL_BEHAVIOR=prefer-cached
lab_start 3
push_demo
register demo 16 16

# Kilobytes of one program, or of all supervisors of the lab together divided by their number.
pss() {
    awk '/^Pss:/ { print $2 }' "/proc/$(cat "$dir/$1/pid")/smaps_rollup"
}
supervisors() {
    local pid sum=0 n=0
    for pid in $(pgrep -f "ecs-shim.*$dir" || true); do
        sum=$((sum + $(awk '/^Pss:/ { print $2 }' "/proc/$pid/smaps_rollup")))
        n=$((n + 1))
    done
    [ "$n" -eq 0 ] || echo $((sum / n))
}
report() {
    local name
    for name in c1 c2 c3 n1 n2 n3; do
        printf '%-10s %-6s %8d kB\n' "$1" "$name" "$(pss $name)"
    done | tee -a "$dir/rows"
}
sleep 3
report idle
for i in $(seq $((tasks / 10))); do
    ecs-admin task run demo --count 10 --wait -q >/dev/null
done
sleep 3
report "$tasks-tasks"
echo "leader: $(leader); one supervisor: $(supervisors) kB"
if [ -n "$json" ]; then
    jq -Rn --arg machine "$(uname -sr)" --arg commit "$(git -C "$root" rev-parse --short HEAD 2>/dev/null || true)" '
        {name: "memory", commit: $commit, machine: $machine, load: "",
         rows: [inputs | split(" ") | map(select(. != "")) |
            {case: "\(.[0])/\(.[1])", metric: "pss", unit: "kB", median: (.[2] | tonumber),
             min: (.[2] | tonumber), max: (.[2] | tonumber)}]}' <"$dir/rows" >"$json"
fi
