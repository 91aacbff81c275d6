#!/bin/bash
# From RunTask to a running container, as the API's own times tell (createdAt: the leader stamps the
# command; startedAt: the agent saw the process run), for a cached image in bridge mode with a dynamic
# port. Three controllers with fsync and one node, all on this machine.
# Beside it, in the same run: bare crun, and `docker run -d -p` where docker.io is installed.
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

# The floor: `crun run -d` of the same program, no network, no image, no log. crun refuses a hybrid
# cgroup layout, so that its version 2 part is taken away in a mount namespace of this function's own.
crun_runs() {
    local b=$dir/bundle
    mkdir -p "$b/rootfs/bin" "$dir/crun"
    cp "$(command -v busybox)" "$b/rootfs/bin/busybox"
    (cd "$b" && crun spec)
    jq '.process.terminal = false | .process.args = ["/bin/busybox", "sleep", "600"]' \
        "$b/config.json" >"$b/c" && mv "$b/c" "$b/config.json"
    unshare -m sh -c '
        umount /sys/fs/cgroup/unified 2>/dev/null
        for i in $(seq 0 "$3"); do
            began=$(date +%s%N)
            crun --root "$2" run -d -b "$1" "ecs-bench-$$-$i" </dev/null >/dev/null 2>&1 || exit 1
            [ "$i" -eq 0 ] || echo $((($(date +%s%N) - began) / 1000000))
            crun --root "$2" delete -f "ecs-bench-$$-$i"
        done' crun "$b" "$dir/crun" "$runs" | sort -n >"$dir/crun.ms"
}
crun_runs || echo "crun: does not run here"

# The peer, where Debian's docker.io is installed: `docker run -d -p` of the same program, with a
# daemon of its own in its own network namespace.
docker_runs() {
    local d=$dir/docker ns=ecs-$(printf %s "$dir" | sha256sum | cut -c1-6)-docker i began
    mkdir -p "$d"
    ip netns add "$ns"
    ip -n "$ns" link set lo up
    nsenter --net="/run/netns/$ns" dockerd --data-root "$d/data" --exec-root "$d/exec" \
        --pidfile "$d/pid" -H "unix://$d/sock" --iptables=true >"$d/log" 2>&1 &
    daemon=$!
    export DOCKER_HOST=unix://$d/sock
    eventually 30 docker version || { tail -n 5 "$d/log"; return 1; }
    mkdir -p "$d/root/bin"
    cp "$(command -v busybox)" "$d/root/bin/busybox"
    tar -C "$d/root" -c . | docker import - demo >/dev/null
    for i in $(seq 0 "$runs"); do
        began=$(date +%s%N)
        docker run -d -p 80 --memory 64m demo /bin/busybox sleep 600 >/dev/null
        [ "$i" -eq 0 ] || echo $((($(date +%s%N) - began) / 1000000))
    done | sort -n >"$dir/docker.ms"
    docker ps -q | xargs -r docker rm -f >/dev/null
    kill -TERM "$daemon"
    wait "$daemon" 2>/dev/null || true
    ip netns delete "$ns"
}
if command -v dockerd >/dev/null; then
    docker_runs || echo "docker: does not run here"
fi

row() {
    awk -v name="$1" '{ v[NR] = $1 } END {
        printf "%-28s %8.0f %8.0f %8.0f %8.0f  ms  (%d tasks)\n", name, v[int((NR + 1) / 2)],
            v[int(NR * 0.99 + 0.99)], v[1], v[NR], NR }' "$2"
}
printf '%-28s %8s %8s %8s %8s\n' "RunTask -> RUNNING" p50 p99 min max
row "one at a time" "$dir/single"
row "ten in one call" "$dir/many"
[ ! -s "$dir/crun.ms" ] || row "crun run -d, bare" "$dir/crun.ms"
[ ! -s "$dir/docker.ms" ] || row "docker run -d -p" "$dir/docker.ms"
printf 'load %s\n' "$(cut -d' ' -f1-3 /proc/loadavg)"
if [ -n "$json" ]; then
    jq -n --slurpfile single "$dir/single" --slurpfile many "$dir/many" \
        --slurpfile crun <(cat "$dir/crun.ms" 2>/dev/null) \
        --slurpfile docker <(cat "$dir/docker.ms" 2>/dev/null) --arg commit "$(git -C "$root" rev-parse --short HEAD 2>/dev/null || true)" \
        --arg machine "$(uname -sr)" --arg load "$(cut -d' ' -f1 /proc/loadavg)" '
        def rows(n; v): (v | length) as $n |
            {case: n, metric: "latency", unit: "ms", median: v[($n / 2 | floor)], min: v[0], max: v[$n - 1]},
            {case: n, metric: "p99", unit: "ms", median: v[($n * 0.99 | floor)], min: v[0], max: v[$n - 1]};
        {name: "run_task", commit: $commit, machine: $machine, load: $load,
         rows: [rows("single"; $single), rows("ten"; $many),
                (select($crun != []) | rows("crun"; $crun)),
                (select($docker != []) | rows("docker"; $docker))]}' >"$json"
fi
