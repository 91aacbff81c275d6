#!/bin/sh
# The same seeds give the same runs, whatever compiled them: gcc -O0, gcc -O2, clang -O2.
# usage: determinism.sh [SEED [RUNS]]
set -eu
cd "$(dirname "$0")/../.." || exit 2
seed=${1:-1}
runs=${2:-20}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
build() { # name, compiler, level
    make --no-print-directory -s -j2 CC="$2" OPT="$3" FORTIFY= SIM=1 BUILD="build-$1" "build-$1-sim/bin/ecs-sim" >/dev/null
    "build-$1-sim/bin/ecs-sim" --seed "$seed" --runs "$runs" --hash >"$out/$1"
}
build gcc-O0 "${GCC:-gcc}" -O0
build gcc-O2 "${GCC:-gcc}" -O2
build clang-O2 "${CLANG:-clang}" -O2
[ "$(wc -l <"$out/gcc-O0")" -eq "$runs" ] || { echo "runs are missing"; exit 1; }
cmp "$out/gcc-O0" "$out/gcc-O2"
cmp "$out/gcc-O0" "$out/clang-O2"
echo "$runs seeds from $seed: the same in gcc -O0, gcc -O2, clang -O2"
