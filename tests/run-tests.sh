#!/bin/sh
# Run test programs, at most one per core at a time; print one line each and the output of those
# that failed. Exits 1 if one failed, or if there was nothing to run.
# usage: run-tests.sh BUILD PROGRAM...
# Scripts named *.sh run one at a time after the programs: they use the whole machine.
build=$1
shift
logs=$build/test-logs
mkdir -p "$logs"
[ $# -gt 0 ] || { echo "run-tests: nothing to run" >&2; exit 1; }
export BUILD="$build"

run_one() {
    name=$(echo "$1" | sed "s|^$build/tests/||; s|^tests/||; s|/|.|g")
    began=$(date +%s%N)
    if timeout -k 10 "${TEST_TIMEOUT:-600}" "$1" >"$logs/$name.log" 2>&1; then
        verdict=ok
    else
        verdict=FAIL
    fi
    printf '%-4s %7d ms  %s\n' "$verdict" $((($(date +%s%N) - began) / 1000000)) "$name"
    if [ "$verdict" = FAIL ]; then
        tail -n 80 "$logs/$name.log" | sed 's/^/    /'
        : >"$logs/failed"
    fi
}

rm -f "$logs/failed"
jobs=$(nproc)
running=0
for t in "$@"; do
    case $t in *.sh) continue ;; esac
    run_one "$t" &
    running=$((running + 1))
    if [ "$running" -ge "$jobs" ]; then
        wait
        running=0
    fi
done
wait
for t in "$@"; do
    case $t in *.sh) run_one "$t" ;; esac
done
[ ! -e "$logs/failed" ]
