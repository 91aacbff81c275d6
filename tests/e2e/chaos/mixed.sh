# A cluster of two releases under chaos: it begins as the last release, and the programs are exchanged
# under load before each scenario, so that every mix of them meets faults.
# shellcheck shell=bash
. "$scenarios/../release.sh"

# Not: faults that the last release is known not to stand (its changelog), and messages it has not.
mixed_names=$'kill\nloss\npartition\npause\npoweroff\nslowdisk'

mixed_start() {
    if ! release_known "$root"; then
        echo "skip: commit $release_commit is not here: a shallow clone, or no git at all"
        rmdir "$dir"
        exit 0
    fi
    release_build "$root" "$build"
    export ECS_BIN=$old
}

# run_as FOLDER VM: exchange its program, unless it runs that already.
run_as() {
    [ "$(cat "$dir/$2/bin" 2>/dev/null || echo "$old")" != "$1" ] || return 0
    lab use "$1" "$2"
    fault "program of ${2:0:1} exchanged" lab restart "$2"
    eventually $((20 * slack)) leads || true
}

# One or two controllers of the three are new; nodes as chance has it.
mixed_draw() {
    local vm new=$build/bin
    shuffle c1 c2 c3
    # shellcheck disable=SC2086
    set -- $shuffled
    run_as "$new" "$1"
    one "$old" "$new"
    run_as "$picked" "$2"
    run_as "$old" "$3"
    for vm in n1 n2; do
        one "$old" "$new"
        run_as "$picked" "$vm"
    done
    echo "     of the last release: $(for vm in c1 c2 c3 n1 n2; do
        [ "$(cat "$dir/$vm/bin" 2>/dev/null || echo "$old")" = "$new" ] || printf '%s ' "$vm"
    done)"
    check "$current: the cluster is still at the last release's level" \
        eventually $((20 * slack)) at_old_level "$1"
}

# Asked of a controller of this release; the last one knows of no levels.
at_old_level() {
    [ "$(ECS_ENDPOINT=$(node_address "$1"):7443 ecs-admin raft status -o json --timeout 5s |
        jq .featureLevel)" = 0 ]
}

mixed_end() {
    local vm
    current=end
    for vm in c1 c2 c3 n1 n2; do run_as "$build/bin" "$vm"; done
    check "the upgrade can be ended" eventually $((20 * slack)) ecs-admin raft finalize
    check "every controller's auditor finds nothing" eventually $((20 * slack)) audited
    check "four tasks run, as wanted" eventually $((40 * slack)) running steady 4
    check "all controllers agree on the digest" eventually $((20 * slack)) digests_equal
}
