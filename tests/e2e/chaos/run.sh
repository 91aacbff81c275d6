#!/bin/bash
# Process chaos: a lab under load, one scenario after the other. Each breaks something for a while;
# then everything is healed and must be as if nothing had happened: a leader within 5 s, every
# acknowledged write present and the history linearizable, equal digests, wanted equals running, no
# task twice, no orphan, no node over capacity.
#
# usage: run.sh [--seconds N] [--seed N] [--only NAME[,NAME...]] [--except NAME[,NAME...]] [--minutes N] [--mixed] [--list]
#   --seconds  of faults per scenario (default 25)
#   --minutes  go round again, in another order, until so much time has passed
#   --mixed    some controllers and nodes run the last release: others in each scenario, exchanged under
#              load; in the end all run this one and the feature level is raised
# CHAOS_SLACK=N multiplies the times allowed after healing, for machines that do other work too.
seconds=25
seed=1
only=
except=
minutes=0
mixed=
scenarios=$(cd "$(dirname "$0")" && pwd)
while [ $# -gt 0 ]; do
    case $1 in
    --seconds) seconds=$2 ;;
    --seed) seed=$2 ;;
    --only) only=$2 ;;
    --except) except=$2 ;;
    --minutes) minutes=$2 ;;
    --mixed)
        mixed=yes
        shift
        continue
        ;;
    --list)
        for f in "$scenarios"/s_*.sh; do
            printf '%-14s %s\n' "$(basename "$f" .sh | cut -c3-)" "$(sed -n 's/^# //p' "$f" | head -n 1)"
        done
        exit 0
        ;;
    *)
        sed -n '2,/^seconds/{/^seconds/d;s/^# \{0,1\}//;p}' "$0" >&2
        exit 2
        ;;
    esac
    shift 2
done
export ECS_LAB_LEASE=5s
. "$scenarios/../lib.sh"
. "$scenarios/lib.sh"
. "$scenarios/mixed.sh"

names=$(for f in "$scenarios"/s_*.sh; do basename "$f" .sh | cut -c3-; done)
for n in ${only//,/ } ${except//,/ }; do
    echo "$names" | grep -qx -- "$n" || { echo "chaos: no scenario '$n' (--list)" >&2; exit 2; }
done
[ -z "$only" ] || names=${only//,/$'\n'}
[ -z "$mixed" ] || [ -n "$only" ] || names=$mixed_names
[ -z "$except" ] || names=$(echo "$names" | grep -vxF -- "${except//,/$'\n'}")
RANDOM=$seed
echo "chaos: seed $seed, $seconds s of faults per scenario${mixed:+, two releases mixed}"
[ -z "$mixed" ] || mixed_start
chaos_up
began=$(date +%s)
round=0
while :; do
    round=$((round + 1))
    # shellcheck disable=SC2086
    shuffle $names
    for name in $shuffled; do
        chaos_run "$name"
        [ "$minutes" -eq 0 ] || [ $(($(date +%s) - began)) -lt $((minutes * 60)) ] || break 2
    done
    [ "$minutes" -gt 0 ] || break
done
[ -z "$mixed" ] || mixed_end
echo "chaos: $(wc -l <"$dir/ran") scenarios in $(($(date +%s) - began)) s, seed $seed; faults injected:"
sort "$dir/faults" | uniq -c | sort -rn
for name in $(sort -u "$dir/ran"); do
    check "$name did something" grep -q "^$name " "$dir/faults"
done
