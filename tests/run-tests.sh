#!/bin/bash
# Run test programs, at most one per core at a time; print one line each and the output of those
# that failed. Exits 1 if one failed, or if there was nothing to run.
# usage: run-tests.sh BUILD PROGRAM...
# Scripts named *.sh run one at a time after the programs: they use the whole machine.
#
# A shell starts its background jobs deaf to Ctrl-C, and timeout puts each test into a process group
# of its own. So a signal is passed on by hand, and the tests get their time to clean up.
build=$1
shift
logs=$build/test-logs
mkdir -p "$logs"
[ $# -gt 0 ] || { echo "run-tests: nothing to run" >&2; exit 1; }
export BUILD="$build"

stop_all() {
    trap '' INT TERM HUP
    echo "run-tests: interrupted, waiting for the tests to clean up" >&2
    for pid in $(jobs -pr); do
        kill -TERM "$pid" 2>/dev/null
    done
    wait
    exit 130
}
trap stop_all INT TERM HUP

# One test; TERM is passed on to it. Run in a subshell.
run_one() (
    name=$(echo "$1" | sed "s|^$build/tests/||; s|^tests/||; s|/|.|g")
    began=$(date +%s%N)
    timeout -k "${TEST_GRACE:-30}" "${TEST_TIMEOUT:-600}" "$1" >"$logs/$name.log" 2>&1 &
    test=$!
    trap 'kill -TERM $test; wait $test; exit 130' TERM
    if wait $test; then
        verdict=ok
    else
        verdict=FAIL
    fi
    printf '%-4s %7d ms  %s\n' "$verdict" $((($(date +%s%N) - began) / 1000000)) "$name"
    if [ "$verdict" = FAIL ]; then
        tail -n 80 "$logs/$name.log" | sed 's/^/    /'
        echo "$name" >>"$failed"
    fi
)

failed=$(mktemp "$logs/failed.XXXXXX")
trap 'rm -f "$failed"' EXIT
slots=$(nproc)
for t in "$@"; do
    case $t in *.sh) continue ;; esac
    [ "$(jobs -pr | wc -l)" -lt "$slots" ] || wait -n
    run_one "$t" &
done
wait
for t in "$@"; do
    case $t in *.sh)
        run_one "$t" &
        wait $!
        ;;
    esac
done
[ ! -s "$failed" ] || { sed 's/^/FAIL /' "$failed"; exit 1; } # Once more, where somebody looks.
