# Shared by the benchmarks with a fleet of simulated nodes; after tests/e2e/lib.sh.
# shellcheck shell=bash

ms() { echo $((${EPOCHREALTIME/./} / 1000)); }
row() { # case metric unit value
    printf '%-10s %-28s %10s %s\n' "$1" "$2" "$4" "$3" | tee -a "$dir/rows"
}
pid_of() { cat "$dir/$1/pid"; }
cpu_of() { awk '{ printf "%d", ($14 + $15) * 10 }' "/proc/$1/stat"; } # milliseconds
rss_of() { awk '/^VmRSS:/ { printf "%d", $2 }' "/proc/$1/status"; }
peak_of() { awk '/^VmHWM:/ { printf "%d", $2 }' "/proc/$1/status"; }

aws_call() { # ADDRESS OPERATION BODY
    curl -sS --max-time 5 -H 'Content-Type: application/x-amz-json-1.1' \
        -H "X-Amz-Target: AmazonEC2ContainerServiceV20141113.$2" -d "$3" "http://$1:8080/"
}

# rows_json NAME FILE
rows_json() {
    [ -n "$2" ] || return 0
    jq -Rn --arg name "$1" --arg machine "$(uname -sr)" \
        --arg commit "$(git -C "$root" rev-parse --short HEAD 2>/dev/null || true)" '
        {name: $name, commit: $commit, machine: $machine, load: "",
         rows: [inputs | capture("^(?<case>\\S+)\\s+(?<metric>.*\\S)\\s+(?<value>[0-9]+) (?<unit>\\S+)$") |
            {case: .case, metric: .metric, unit: .unit, median: (.value | tonumber),
             min: (.value | tonumber), max: (.value | tonumber)}]}' <"$dir/rows" >"$2"
}

finish_fleet() {
    local status=$?
    set +e
    kill -TERM "$fleet" 2>/dev/null && wait "$fleet"
    (exit "$status")
    finish
}

# Three controllers, and so many nodes that all are connected.
lab_start_fleet() {
    fleet=
    trap finish_fleet EXIT
    trap 'exit 130' INT TERM
    export ECS_MAX_PER_ADDRESS=100000 # All nodes are behind one.
    lab up --controllers 3 --nodes 0
    eval "$(lab env)"
    "$build/bin/ecs-fleet" --ca "$dir/pki/ca.pem" --ca-key "$dir/pki/ca.key" --agents "$1" \
        --spread "$(($1 / 300))s" >"$dir/fleet.log" 2>"$dir/fleet.err" &
    fleet=$!
    eventually 180 grep -q " agents $1 " "$dir/fleet.log" || { tail -n 3 "$dir/fleet.log"; return 1; }
}
