# Shared by the end-to-end tests: a lab of its own, removed however the test ends.
# shellcheck shell=bash
# use: . tests/e2e/lib.sh; lab_start NODES; ...; check "what" command...
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
build=${BUILD:-$root/build}
case $build in /*) ;; *) build=$root/$build ;; esac
export ECS_BIN=$build/bin
dir=$(mktemp -d /var/tmp/ecs-e2e-XXXXXX)
lab() { "$root/deploy/lab/lab" --dir "$dir" "$@"; }

finish() {
    local status=$?
    trap - EXIT
    if [ "$status" -ne 0 ]; then
        echo "--- the test failed; ends of the logs:"
        for log in "$dir"/[cn]*/log; do
            echo "--- $log"
            tail -n 12 "$log" 2>/dev/null || true
        done
    fi
    lab down || true
    leftovers || status=1
    exit "$status"
}

# Nothing of the lab may be left: processes, namespaces, links, mounts, cgroups, rules.
leftovers() {
    local bad=0 id
    id=$(printf %s "$dir" | sha256sum | cut -c1-6)
    if pgrep -af "$dir" | grep -v pgrep; then echo "processes are left"; bad=1; fi
    if ip netns list | grep "ecs-$id-"; then echo "namespaces are left"; bad=1; fi
    if ip -o link | grep -E "eb$id|ev$id"; then echo "links are left"; bad=1; fi
    if grep " $dir" /proc/self/mounts; then echo "mounts are left"; bad=1; fi
    if find /sys/fs/cgroup -maxdepth 2 -name "ecs-lab-$id" | grep .; then echo "cgroups are left"; bad=1; fi
    if nft list tables 2>/dev/null | grep "ecs_$id"; then echo "rules are left"; bad=1; fi
    return $bad
}

lab_start() {
    trap finish EXIT
    trap 'exit 130' INT TERM
    lab up --controllers 3 --nodes "$1"
    eval "$(lab env)"
}

push_demo() {
    "$root/deploy/lab/images/build-demo.sh" "$dir/images/demo" >/dev/null
    skopeo copy -q --dest-tls-verify=false "oci:$dir/images/demo:latest" \
        "docker://$ECS_REGISTRY/demo:1"
}

# register FAMILY [CPU] [MEMORY] [COMMAND-JSON]
register() {
    local command=${4:-}
    jq -n --arg family "$1" --arg image "$ECS_REGISTRY/demo:1" --argjson cpu "${2:-128}" \
        --argjson memory "${3:-32}" --argjson command "${command:-null}" '
        {family: $family, networkMode: "bridge", containerDefinitions: [
            {name: "web", image: $image, cpu: $cpu, memory: $memory, essential: true,
             portMappings: [{containerPort: 80, hostPort: 0}]}
            + (if $command then {entryPoint: $command} else {} end)]}' >"$dir/$1.json"
    ecs-admin task-def register "$dir/$1.json" >/dev/null
}

check() {
    local what=$1
    shift
    if "$@"; then
        echo "ok   $what"
    else
        echo "FAIL $what"
        exit 1
    fi
}

# eventually SECONDS COMMAND...
eventually() {
    local end=$(($(date +%s) + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$(date +%s)" -lt "$end" ] || return 1
        sleep 0.2
    done
}

# The member that leads; while an election is on, or the one asked has just started, there is none.
leader() {
    local id
    for _ in $(seq 50); do
        id=$(ecs-admin raft members -o json | jq -r '.[] | select(.leader) | "c\(.id)"')
        [ -z "$id" ] || break
        sleep 0.2
    done
    echo "$id"
}

node_address() {
    lab status | awk -v name="$1" '$1 == name { print $2 }'
}

# "NODE PORT TASK" of the running tasks of a service.
targets() {
    local names
    names=$(ecs-admin node list -o json | jq 'map({(.containerInstanceArn): .ec2InstanceId}) | add')
    ecs-admin task list --service "$1" -o json | jq -r --argjson names "$names" '.[] |
        select(.lastStatus == "RUNNING") | [$names[.containerInstanceArn],
        (.containers[0].networkBindings[0].hostPort | tostring), (.taskArn | split("/") | last)] | @tsv'
}

answers() {
    local node port task n=0
    while IFS=$'\t' read -r node port task; do
        curl -fsS --max-time 5 --retry 3 --retry-all-errors \
            "http://$(node_address "$node"):$port/" >/dev/null && n=$((n + 1))
    done < <(targets "$1")
    echo "$n"
}

running() {
    [ "$(ecs-admin task list --service "$1" -o json |
        jq '[.[] | select(.lastStatus == "RUNNING")] | length')" -eq "$2" ]
}
