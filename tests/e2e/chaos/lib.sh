# What the scenarios are made of.
# shellcheck shell=bash
# A scenario s_NAME.sh defines inject() (about $seconds of faults; each is announced by `fault`),
# and, if healing is not enough, mend(), settle() (after the load has ended) and verdict() (checks of its
# own).

slack=${CHAOS_SLACK:-1}
load_pid=
current=

chaos_up() {
    trap chaos_finish EXIT
    trap 'exit 130' INT TERM
    lab up --controllers 3 --nodes 2 --preload "$build/lib/libfaultfs.so"
    : >"$dir/faults" # Not before: lab up wants an empty directory.
    : >"$dir/ran"
    eval "$(lab env)"
    PATH=$build/bin:$PATH
    hash -r
    push_demo
    register web 16 8
    # As the first process it must handle SIGTERM itself, or each stop takes the whole stop timeout.
    register sleeper 16 8 '["/bin/sh","-c","trap \"exit 0\" TERM; sleep 3600 & wait"]'
    ecs-admin service create steady --task-def web --count 4 >/dev/null
    check "four tasks run before anything is broken" eventually $((60 * slack)) running steady 4
}

# Keep what explains a failure; then everything goes, as in the other tests.
chaos_finish() {
    local status=$?
    trap - EXIT
    set +e
    [ -z "$load_pid" ] || kill -KILL "$load_pid" 2>/dev/null || true
    resume_all
    if [ "$status" -ne 0 ]; then
        mkdir -p "$build/chaos"
        for n in $(lab names 2>/dev/null); do
            cp "$dir/$n/log" "$build/chaos/$n.log" 2>/dev/null || true
        done
        cp "$dir"/*.history "$dir"/*.load "$dir/faults" "$build/chaos/" 2>/dev/null || true
        echo "chaos: seed $seed, scenario $current failed; logs and history are in $build/chaos"
    fi
    (exit "$status")
    finish
}

# --- chance ---------------------------------------------------------------------------------------

# one A B C -> one of them. No subshell may draw: it would not move the sequence on.
one() {
    shift $((RANDOM % $#))
    picked=$1
}

# between LOW HIGH
between() {
    picked=$(($1 + RANDOM % ($2 - $1 + 1)))
}

# shuffle A B C... sets shuffled.
shuffle() {
    local list=("$@") i j t
    for ((i = ${#list[@]} - 1; i > 0; i--)); do
        j=$((RANDOM % (i + 1)))
        t=${list[i]} list[i]=${list[j]} list[j]=$t
    done
    shuffled=${list[*]}
}

# --- who is who -----------------------------------------------------------------------------------

now_ms() {
    echo $(($(date +%s%N) / 1000000))
}

# The leader as somebody sees it at once; empty while there is none.
leader_now() {
    ecs-admin raft members -o json --timeout 1s 2>/dev/null |
        jq -r '.[] | select(.leader) | "c\(.id)"' | head -n 1
}

# Sets leader and followers; waits for a leader.
roles() {
    local tries
    leader=
    for tries in $(seq $((50 * slack))); do
        leader=$(leader_now) || true
        [ -z "$leader" ] || break
        sleep 0.2
    done
    check "$current: there is a leader between faults (asked $tries times)" [ -n "$leader" ] >"$dir/roles"
    followers=
    for c in c1 c2 c3; do
        [ "$c" = "$leader" ] || followers="$followers $c"
    done
    followers=${followers# }
}

pid_of() {
    cat "$dir/$1/pid"
}

alive() {
    kill -0 "$(pid_of "$1")" 2>/dev/null && ! grep -q '^State:.Z' "/proc/$(pid_of "$1")/status"
}

# --- faults ---------------------------------------------------------------------------------------

# Time for faults is left.
going() {
    [ "$(now_ms)" -lt "$inject_end" ]
}

# Sleep so many tenths of a second, but not beyond the end.
nap() {
    sleep "$(($1 / 10)).$(($1 % 10))"
}

# fault WHAT COMMAND...: do it and count it. Victims may be gone already.
fault() {
    local what=$1
    shift
    if "$@"; then
        echo "$current $what" >>"$dir/faults"
    fi
}

# The control file of the preloaded library; hits are counted when healing.
arm() {
    local c=$1
    shift
    printf '%s\n' "$@" >"$dir/$c/faults.new"
    mv "$dir/$c/faults.new" "$dir/$c/faults"
}

disarm() {
    rm -f "$dir/$1/faults"
}

count_hits() {
    local c
    for c in c1 c2 c3; do
        [ -e "$dir/$c/faults.hits" ] || continue
        sed "s|^\([a-z]* [a-z]*\) .*|$current \1 (preloaded)|" "$dir/$c/faults.hits" >>"$dir/faults"
        rm -f "$dir/$c/faults.hits"
    done
}

resume_all() {
    local n
    for n in $(lab names 2>/dev/null); do
        kill -CONT "$(pid_of "$n")" 2>/dev/null || true
    done
}

restart_dead() {
    local n
    for n in c1 c2 c3 n1 n2; do
        alive "$n" || lab restart "$n"
    done
}

# Set by the scenario's own file when healing takes more.
mend() { :; }
settle() { :; }
verdict() { :; }

heal_all() {
    lab heal
    for c in c1 c2 c3; do disarm $c; done
    resume_all
    mend
    restart_dead
    count_hits
}

# --- what must hold afterwards --------------------------------------------------------------------

# "NODE TASK-CONTAINER" of every container with a process; a supervisor may be gone.
containers() {
    local base=/sys/fs/cgroup root d rest node
    [ -e $base/cgroup.controllers ] || base=/sys/fs/cgroup/pids
    root=$base/ecs-lab-$(printf %s "$dir" | sha256sum | cut -c1-6)
    for d in "$root"/n*/run/*/*/; do
        [ -n "$(find "$d" -name cgroup.procs -exec cat {} + 2>/dev/null)" ] || continue
        rest=${d#"$root/"}
        node=${rest%%/*}
        rest=${rest#*/run/}
        rest=${rest%/}
        echo "$node ${rest/\//-}"
    done | sort
}

no_task_twice() {
    [ -z "$(containers | cut -d' ' -f2 | sort | uniq -d)" ]
}

# "NODE TASK" of the tasks that the controllers think run.
believed() {
    local names
    names=$(ecs-admin node list -o json | jq 'map({(.containerInstanceArn): .ec2InstanceId}) | add')
    ecs-admin task list -o json | jq -r --argjson names "$names" '.[] |
        select(.lastStatus == "RUNNING") | "\($names[.containerInstanceArn]) \(.taskArn | split("/") | last)"' | sort
}

no_orphan() {
    [ "$(containers | sed 's/-[^ ]*$//' | sort -u)" = "$(believed)" ]
}

# No node holds more than it has, no port is given twice.
within_capacity() {
    ecs-admin task list -o json | jq -e --argjson nodes "$(ecs-admin node list -o json)" '
        [.[] | select(.lastStatus != "STOPPED" and .containerInstanceArn)] | group_by(.containerInstanceArn) |
        all(.[];
            .[0].containerInstanceArn as $arn |
            ($nodes[] | select(.containerInstanceArn == $arn) | .registeredResources |
                map({(.name): .integerValue}) | add) as $has |
            (map(.cpu // "0" | tonumber) | add) <= $has.CPU and
            (map(.memory // "0" | tonumber) | add) <= $has.MEMORY and
            ([.[].containers[].networkBindings[]? | "\(.hostPort)/\(.protocol)"] | length == (unique | length)))' >/dev/null
}

digests_equal() {
    local c
    [ "$(for c in 1 2 3; do
        ECS_ENDPOINT=$(node_address c$c):7443 ecs-admin raft status -o json --timeout 2s |
            jq -c '[.revision, .digest]'
    done | sort -u | wc -l)" -eq 1 ]
}

audited() {
    ecs-admin verify >"$dir/verify" 2>&1 || {
        cat "$dir/verify"
        return 1
    }
}

nodes_back() {
    [ "$(ecs-admin node list -o json | jq '[.[] | select(.agentConnected)] | length')" -eq 2 ]
}

stop_load_tasks() {
    ecs-admin task list -o json | jq -r '.[] | select(.group == "family:sleeper") |
        select(.desiredStatus == "RUNNING") | .taskArn' | xargs -r -n 10 ecs-admin task stop >/dev/null
}

chaos_checks() {
    local file=$1 leader_after
    settle
    check "$current: every node is connected again" eventually $((30 * slack)) nodes_back
    check "$current: all controllers agree on the digest" eventually $((20 * slack)) digests_equal
    check "$current: four tasks run, as wanted" eventually $((40 * slack)) running steady 4
    stop_load_tasks
    if ! eventually $((60 * slack)) no_orphan; then
        diff <(containers | sed 's/-[^ ]*$//' | sort -u) <(believed) || true
        check "$current: what runs is what is believed to run (diff: <runs >believed)" false
    fi
    echo "ok   $current: what runs is what is believed to run"
    check "$current: no task has two containers" no_task_twice
    check "$current: no node is over capacity, no port given twice" within_capacity
    # The last release has no auditor to ask.
    [ -n "$mixed" ] ||
        check "$current: every controller's auditor finds nothing" eventually $((20 * slack)) audited
    verdict
}

chaos_run() {
    local file prefix healed
    current=$1
    file=$scenarios/s_$current.sh
    mend() { :; }
    settle() { :; }
    verdict() { :; }
    # shellcheck disable=SC1090
    . "$file"
    echo "--- $current: $(sed -n 's/^# //p' "$file" | head -n 1)"
    echo "$current" >>"$dir/ran"
    prefix=r$(wc -l <"$dir/ran")-$current
    "$build/bin/ecs-load" --prefix "$prefix" --seconds 3600 --rate 50 --workers 16 --seed "$RANDOM" \
        --task-definition sleeper --weight-run 1 --weight-stop 1 --history "$dir/$prefix.history" \
        --final "$((30 * slack))s" >"$dir/$prefix.load" 2>&1 &
    load_pid=$!
    sleep 1
    [ -z "$mixed" ] || mixed_draw
    inject_end=$(($(now_ms) + seconds * 1000))
    inject
    healed=$(now_ms)
    heal_all
    check "$current: a leader within 5 s" eventually $((5 * slack)) leads
    echo "     leader after $(($(now_ms) - healed)) ms"
    kill -TERM "$load_pid"
    if wait "$load_pid"; then
        sed -n 's/^answers: \|^history/     &/p' "$dir/$prefix.load"
        load_pid=
        echo "ok   $current: every acknowledged write is there, the history is linearizable"
    else
        cat "$dir/$prefix.load"
        load_pid=
        check "$current: every acknowledged write is there, the history is linearizable" false
    fi
    chaos_checks "$file"
}

leads() {
    [ -n "$(leader_now)" ]
}
