#!/bin/bash
# Plant a fault in the code and see that random seeds find it within 60 CPU seconds.
# usage: plants.sh [--seed N] [--today K | N...]    all of them without arguments; --today: K of
#        them, other ones every day. The list: build-sim/bin/ecs-sim --list
set -u
cd "$(dirname "$0")/../.." || exit 2
sim=${BUILD:-build}-sim/bin/ecs-sim
seed=$(date +%s)
today=0
chosen=""
while [ $# -gt 0 ]; do
    case $1 in
    --seed) seed=$2; shift ;;
    --today) today=$2; shift ;;
    *) chosen="$chosen $1" ;;
    esac
    shift
done
make --no-print-directory -j2 SIM=1 BUILD="${BUILD:-build}" "$sim" >/dev/null || exit 2
n=$("$sim" --list | wc -l)
if [ "$today" -gt 0 ]; then
    day=$(($(date +%s) / 86400))
    for i in $(seq "$today"); do chosen="$chosen $(((day * today + i) % n + 1))"; done
fi
out=$(mktemp)
trap 'rm -f "$out"' EXIT
missed=0
echo "seeds from $seed"
for plant in ${chosen:-$(seq "$n")}; do
    name=$("$sim" --list | sed -n "${plant}p")
    cpu=$( (ulimit -t 60 -c 0
        "$sim" --plant "$plant" --seed "$seed" --runs 100000 >"$out" 2>&1
        case $? in 134 | 139) echo "FAIL: the process crashed" >>"$out" ;; esac
        times) | tail -1 | awk -F '[ms ]+' '{ printf "%.1f", $1 * 60 + $2 + $3 * 60 + $4 }')
    if why=$(grep -aE '^FAIL|Assertion' "$out" | tail -1) && [ -n "$why" ]; then
        printf 'found   %5s s  %-60s  %s\n' "$cpu" "$name" "$(echo "$why" | cut -c1-110)"
    else
        printf 'MISSED  %5s s  %s\n' "$cpu" "$name"
        missed=$((missed + 1))
    fi
done
[ "$missed" -eq 0 ] || { echo "$missed not found"; exit 1; }
