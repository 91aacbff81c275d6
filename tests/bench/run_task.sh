#!/bin/bash
# From RunTask to a running container, as the API's own times tell (createdAt: the leader stamps the
# command; startedAt: the agent saw the process run), for a cached image in bridge mode with a dynamic
# port. Three controllers with fsync and one node, all on this machine.
# usage: run_task.sh [--runs N] [--json FILE]
set -euo pipefail
runs=40
json=
while [ $# -gt 0 ]; do
    case $1 in
    --runs) runs=$2 ;;
    --json) json=$2 ;;
    *)
        echo "usage: run_task.sh [--runs N] [--json FILE]" >&2
        exit 2
        ;;
    esac
    shift 2
done
. "$(cd "$(dirname "$0")" && pwd)/../e2e/lib.sh"
export ECS_IMAGE_PULL_BEHAVIOR=prefer-cached # The image is cached: nobody is asked.
lab_start 1
push_demo
register demo 16 16
ecs-admin task run demo --wait >/dev/null 2>&1

for i in $(seq "$runs"); do
    ecs-admin task run demo --started-by "one-$i" --wait -q >/dev/null
done
ecs-admin task list -o json | jq -r '.[] | select(.startedBy // "" | startswith("one-")) |
    ((.startedAt - .createdAt) * 1000)' | sort -n >"$dir/single"
for i in 1 2 3; do
    ecs-admin task run demo --count 10 --started-by many --wait -q >/dev/null
done
ecs-admin task list --started-by many -o json | jq -r '.[] |
    ((.startedAt - .createdAt) * 1000)' | sort -n >"$dir/many"

row() {
    awk -v name="$1" '{ v[NR] = $1 } END {
        printf "%-28s %8.0f %8.0f %8.0f %8.0f  ms  (%d tasks)\n", name, v[int((NR + 1) / 2)],
            v[int(NR * 0.99 + 0.99)], v[1], v[NR], NR }' "$2"
}
printf '%-28s %8s %8s %8s %8s\n' "RunTask -> RUNNING" p50 p99 min max
row "one at a time" "$dir/single"
row "ten in one call" "$dir/many"
printf 'load %s\n' "$(cut -d' ' -f1-3 /proc/loadavg)"
if [ -n "$json" ]; then
    jq -n --slurpfile single "$dir/single" --slurpfile many "$dir/many" \
        --arg commit "$(git -C "$root" rev-parse --short HEAD 2>/dev/null || true)" \
        --arg machine "$(uname -sr)" --arg load "$(cut -d' ' -f1 /proc/loadavg)" '
        def rows(n; v): (v | length) as $n |
            {case: n, metric: "latency", unit: "ms", median: v[($n / 2 | floor)], min: v[0], max: v[$n - 1]},
            {case: n, metric: "p99", unit: "ms", median: v[($n * 0.99 | floor)], min: v[0], max: v[$n - 1]};
        {name: "run_task", commit: $commit, machine: $machine, load: $load,
         rows: [rows("single"; $single), rows("ten"; $many)]}' >"$json"
fi
