# Writers that never pause, and the account of what they were told.
# shellcheck shell=bash
# use: . tests/e2e/lib.sh; . tests/e2e/writers.sh; lab_start N; writers_start 4; ...; writers_stop; accounts

# Where the controllers are now; writers look there before each write.
endpoints() {
    eval "$(lab env)"
    echo "$ECS_ENDPOINT" >"$dir/endpoints.new"
    mv "$dir/endpoints.new" "$dir/endpoints"
}

# The list, begun somewhere else each time: a controller that does not hear the leader keeps a request
# for seconds, hoping, before the client tries the next one.
some_order() {
    local list n
    IFS=, read -ra list <"$dir/endpoints"
    n=$((RANDOM % ${#list[@]}))
    (IFS=, && echo "${list[*]:n},${list[*]:0:n}" | sed 's/^,//;s/,$//')
}

writer() {
    local i=0
    while [ -e "$dir/endpoints" ] && [ ! -e "$dir/stop" ]; do
        i=$((i + 1))
        if ECS_ENDPOINT=$(some_order) ecs-admin cluster create "w$1-$i" --timeout 20s \
            >/dev/null 2>>"$dir/errors"; then
            echo "w$1-$i" >>"$dir/written-$1"
        fi
    done
}

writers_start() {
    local w
    endpoints
    writers=
    for w in $(seq "$1"); do
        writer "$w" &
        writers="$writers $!"
    done
}

written() { cat "$dir"/written-* 2>/dev/null | wc -l; }
goes_on() {
    local before
    before=$(written)
    more() { [ "$(written)" -gt $((before + 8)) ]; }
    eventually 20 more
}

writers_stop() {
    touch "$dir/stop"
    # shellcheck disable=SC2086
    wait $writers
}

voters() { ecs-admin member list -o json | jq -c '[.[] | select(.role == "voter") | .id]'; }

voters_agree() {
    local c
    [ "$(for c in $(voters | jq -r '.[]'); do
        ECS_ENDPOINT=$(node_address "c$c"):7443 ecs-admin raft status -o json --timeout 5s |
            jq -c '[.revision, .digest]'
    done | sort -u | wc -l)" -eq 1 ]
}

accounts() {
    sort "$dir"/written-* >"$dir/acknowledged"
    ecs-admin cluster list -o json | jq -r '.[].clusterName' | sort >"$dir/known"
    echo "     $(wc -l <"$dir/acknowledged") writes were acknowledged," \
        "$(grep -c . "$dir/errors" || true) were not"
    check "every acknowledged write is there" [ -z "$(comm -23 "$dir/acknowledged" "$dir/known")" ]
    check "all controllers agree on the digest" eventually 30 voters_agree
}
