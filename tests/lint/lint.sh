#!/bin/sh
# Everything a script can check: folder rules, purity of the core, sizes of functions and files,
# words that are not used, format, cppcheck and clang-tidy.
# usage: lint.sh [fast]     fast: without cppcheck and clang-tidy
# BUILD names the build folder (archives and generated headers must be there).
build=${BUILD:-build}
failed=0
step() {
    name=$1
    shift
    if "$@" >"$build/lint.log" 2>&1; then
        echo "ok   $name"
    else
        echo "FAIL $name"
        grep -vE '^[0-9]+ warnings? generated' "$build/lint.log" | sed 's/^/    /' | head -n 60
        failed=1
    fi
}

sources() {
    find common controller agent admin tests -name '*.[ch]' | LC_ALL=C sort
}

format() {
    sources | grep -v crc32c_table.h | xargs clang-format --dry-run -Werror
}

pure() {
    sh tests/lint/check_pure.sh "$build"/obj/common/base/*.o \
        $(find "$build/obj/controller/core" "$build/obj/agent/core" -name '*.o' 2>/dev/null)
}

tidy() {
    find common controller agent admin -name '*.c' | LC_ALL=C sort |
        xargs -P 2 -n 8 sh -c 'clang-tidy --quiet "$@" -- -std=c11 -D_GNU_SOURCE \
            -DECS_VERSION="\"lint\"" -I. -I'"$build"'/gen' tidy
}

check_cpp() {
    cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,portability,performance \
        --inline-suppr --suppressions-list=tests/lint/cppcheck.txt -D_GNU_SOURCE -j 2 \
        -I. -I"$build/gen" common controller agent admin
}

step "folder rules" sh tests/lint/check_layers.sh .
step "pure layers" pure
step "sizes and words" sh tests/lint/check_style.sh
step "format" format
if [ "${1:-}" != fast ]; then
    step "cppcheck" check_cpp
    step "clang-tidy" tidy
fi
exit $failed
