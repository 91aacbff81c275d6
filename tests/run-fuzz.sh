#!/bin/sh
# Run every fuzz target for some seconds on its kept corpus (tests/fuzz/corpus/NAME), two at a time.
# usage: run-fuzz.sh DIR SECONDS [NAME...]
dir=$1
seconds=$2
shift 2
failed=$dir/failed
rm -f "$failed"
[ $# -gt 0 ] || set -- $(cd "$dir" && ls | grep '^fuzz_' | grep -v '\.')
fuzz_one() {
    work=$dir/$1.corpus
    mkdir -p "$work" "tests/fuzz/corpus/$1"
    if "$dir/$1" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$dir/$1." "$work" "tests/fuzz/corpus/$1" >"$dir/$1.log" 2>&1; then
        awk -v name="$1" '
            /INITED /                  { at_first = $4 }
            / cov: /                    { for (i = 1; i < NF; i++) if ($i == "cov:") covered = $(i + 1) }
            /number_of_executed_units/  { n = $2 }
            END { printf "ok   %-20s %9d executions, edges covered: %d by the corpus, %d at the end\n",
                  name, n, at_first, covered }' "$dir/$1.log"
    else
        printf 'FAIL %s\n' "$1"
        tail -n 40 "$dir/$1.log" | sed 's/^/    /'
        : >"$failed"
    fi
}
while [ $# -gt 0 ]; do
    fuzz_one "$1" &
    shift
    if [ $# -gt 0 ]; then
        fuzz_one "$1" &
        shift
    fi
    wait
done
[ ! -e "$failed" ]
