#!/bin/bash
# Runbook "change the controllers" at its largest, and "hand leadership over" under partial partitions:
# five controllers become seven under load, three of the seven die, and leadership is handed to
# members that reach some of the others only. Nothing acknowledged is lost, and there is a leader again
# within seconds, whatever came of it.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../writers.sh"
trap finish EXIT
trap 'exit 130' INT TERM
lab up --controllers 5 --nodes 1
eval "$(lab env)"

id_of_leader() { ecs-admin member list -o json | jq -r '.[] | select(.leader) | .id'; }
connected() { [ "$(ecs-admin node list -o json | jq '[.[] | select(.agentConnected)] | length')" -eq 1 ]; }
leads() { [ -n "$(id_of_leader)" ]; }

# --- five become seven --------------------------------------------------------------------------------

writers_start 4
check "writes are acknowledged" goes_on
for _ in 1 2; do
    read -r name address < <(lab add-controller)
    ecs-admin member add "${name#c}" "$address"
    ecs-admin member promote "${name#c}" --for 60
    endpoints
done
check "five controllers have become seven" [ "$(voters)" = '[1,2,3,4,5,6,7]' ]
check "writes go on" goes_on
eighth() {
    ! ecs-admin member add 8 10.0.0.8:7444/10.0.0.8:7443 2>"$dir/refusal" && grep -qi "seven\|7" "$dir/refusal"
}
check "an eighth is refused" eighth
sed 's/^/     /' "$dir/refusal"

# --- three of seven die -------------------------------------------------------------------------------

lead=$(id_of_leader)
dead=$(voters | jq -r --argjson lead "$lead" '[$lead] + [.[] | select(. != $lead)][:2] | .[]')
# shellcheck disable=SC2086
lab kill $(for id in $dead; do echo "c$id"; done)
check "without three of seven, the leader among them, writes go on" goes_on
# shellcheck disable=SC2086
lab restart $(for id in $dead; do echo "c$id"; done)
# The leader hears all: connections that were cut are found out and made again after seconds.
all_heard() {
    [ "$(ecs-admin member list -o json |
        jq '[.[] | select(.leader or (.connected and .lastContactMs < 500))] | length')" -eq 7 ]
}
healed() {
    lab heal
    check "all seven hear the leader" eventually 30 all_heard
}
check "all seven are back" eventually 30 all_heard

# --- leadership under partial partitions --------------------------------------------------------------

# Choose a member to hand over to: its id in target, the ids of the rest, without the leader, in others.
choose() {
    check "there is a leader" eventually 10 leads
    lead=$(id_of_leader)
    target=$(voters | jq -r --argjson lead "$lead" '[.[] | select(. != $lead)] | last')
    others=$(voters | jq -r --argjson lead "$lead" --argjson target "$target" \
        '.[] | select(. != $lead and . != $target)')
}
# both_ways A B: nothing between these two, everything else as it was.
both_ways() {
    lab cut "c$1" "c$2"
    lab cut "c$2" "c$1"
}

choose
set -- $others
both_ways "$target" "$1"
both_ways "$target" "$2"
check "a member that two of the others do not reach can still be handed leadership" \
    ecs-admin member transfer "$target"
check "it leads" [ "$(id_of_leader)" = "$target" ]
check "writes go on, with two members it does not reach" goes_on
healed

choose
both_ways "$target" "$lead"
unheard() {
    [ "$(ecs-admin member list -o json | jq --argjson id "$target" '.[] | select(.id == $id) | .lastContactMs')" -gt 1000 ]
}
check "the leader notices that it does not hear one of them" eventually 10 unheard
refused() {
    ! ecs-admin member transfer "$target" 2>"$dir/refusal" || return 1
    sed 's/^/     /' "$dir/refusal"
    grep -q "$1" "$dir/refusal"
}
check "one that does not hear the leader cannot, and that is said" refused "nothing is heard of member $target"
check "the leader did not even pause" [ "$(id_of_leader)" = "$lead" ]
check "there is a leader" eventually 10 leads
check "writes go on" goes_on
healed

# The leader reaches it, but it reaches nobody else: it cannot win, whoever asks it to stand.
choose
for id in $others; do both_ways "$target" "$id"; done
check "one that reaches the leader alone cannot win, and that is said" refused "did not get the votes\|has not moved"
another_leads() { leads && [ "$(id_of_leader)" != "$target" ]; }
check "there is a leader, which is not that one" eventually 10 another_leads
check "writes go on" goes_on
healed
check "writes go on" goes_on

# --- accounts -----------------------------------------------------------------------------------------

writers_stop
accounts
check "the node is connected" eventually 30 connected
ecs-admin member list
