#!/bin/bash
# Runbooks "change the controllers", "replace a controller" and "restart all controllers, one by one":
# three become five, five become three others, a dead one and one that lost its disk are replaced, and
# all are restarted, while four writers write without a pause. Nothing acknowledged is lost.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../writers.sh"
lab_start 1

# --- questions ----------------------------------------------------------------------------------------

member() { ecs-admin member list -o json | jq -r --argjson id "$1" ".[] | select(.id == \$id) | $2"; }
are_voters() { [ "$(voters)" = "$1" ]; }
follower() { ecs-admin member list -o json | jq -r '[.[] | select(.leader | not) | .id][0]'; }
# refused STATUS WORDS COMMAND...
refused() {
    local want=$1 words=$2 text status=0
    shift 2
    text=$("$@" 2>&1) || status=$?
    echo "     $text"
    [ "$status" -eq "$want" ] && grep -q "$words" <<<"$text"
}
logged() { lab logs "$1" | grep -q -- "$2"; }
connected() { [ "$(ecs-admin node list -o json | jq '[.[] | select(.agentConnected)] | length')" -eq 1 ]; }

# --- steps --------------------------------------------------------------------------------------------

# A new controller, from nothing to its vote.
grow() {
    local name address
    read -r name address < <(lab add-controller)
    ecs-admin member add "${name#c}" "$address"
    ecs-admin member promote "${name#c}" --for 60
    endpoints
}

caught_up() {
    [ "$(member "$1" '"\(.connected) \((.lag // 1000) < 50) \((.lastContactMs // 1000) < 500)"')" = \
        "true true true" ]
}

writers_start 4
check "writes are acknowledged" goes_on

grow
grow
check "three controllers have become five" are_voters '[1,2,3,4,5]'
metrics() { curl -fsS "http://$(node_address "$(leader)"):8080/metrics"; }
check "metrics count them" [ "$(metrics | awk '$1 == "ecs_raft_voters" { print $2 }')" -eq 5 ]
check "and know each of them" [ "$(metrics | grep -c '^ecs_raft_member_lag_entries{')" -eq 5 ]
check "writes go on" goes_on
check "an id cannot be used twice" refused 1 "member 4 exists" ecs-admin member add 4 10.0.0.1:1/10.0.0.1:2

ecs-admin member remove 1
ecs-admin member remove 2
check "the five have become three" are_voters '[3,4,5]'
check "a removed one is told and stops" eventually 20 logged c1 engine.expelled
check "so is the other" eventually 20 logged c2 engine.expelled
check "a removed id is never used again" refused 1 "never used again" \
    ecs-admin member add 2 "$(node_address c2):7444/$(node_address c2):7443"
lab drop c1 c2
endpoints
check "writes go on" goes_on
check "the node has found the new controllers" eventually 30 connected

dead=$(follower)
lab drop "c$dead"
ecs-admin member remove "$dead" --for 60
grow
check "a dead controller is replaced" [ "$(voters | jq length)" -eq 3 ]
check "writes go on" goes_on

wiped=$(follower)
lab kill "c$wiped"
rm -rf "$dir/c$wiped/data"
lab restart "c$wiped"
check "one that lost its disk is refused" eventually 20 logged "c$wiped" "another data directory"
check "and stops" eventually 20 logged "c$wiped" engine.expelled
ecs-admin member remove "$wiped" --for 60
lab drop "c$wiped"
grow
check "and is replaced" [ "$(voters | jq length)" -eq 3 ]

for id in $(voters | jq -r '.[]'); do
    ecs-admin member transfer "$id"
    check "member $id leads" eventually 10 test "$(member "$id" .leader)" = true
done

first=
for id in $(ecs-admin member list -o json | jq -r 'sort_by(.leader)[].id'); do
    if [ -n "$first" ] && [ "$(member "$id" .leader)" = true ]; then
        ecs-admin member transfer "$first"
    fi
    lab restart "c$id"
    first=${first:-$id}
    check "member $id is back after its restart" eventually 30 caught_up "$id"
done
check "writes go on" goes_on

# --- accounts -----------------------------------------------------------------------------------------

writers_stop
accounts
check "the node is connected" eventually 30 connected
ecs-admin member list
