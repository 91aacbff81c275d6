#!/bin/sh
# Sizes (70 lines a function, 1000 a file; known exceptions in sizes.txt, which may only shrink)
# and names that our code does not use.
bad=0
exceptions=tests/lint/sizes.txt
files=$(find common controller agent admin tests -name '*.[ch]' | LC_ALL=C sort)

# A function starts with { in column one and ends with } in column one, as clang-format leaves it.
# shellcheck disable=SC2086
awk '
FNR == 1 { close_file(); file = FILENAME; inside = 0 }
/^[a-zA-Z].*\(/ { name = $0; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name) }
/^{/ { inside = 1; from = FNR }
/^}/ { if (inside && FNR - from + 1 > 70) print file ":" from ": " name " has " FNR - from + 1 " lines"; inside = 0 }
{ lines = FNR }
function close_file() { if (file != "" && lines > 1000) print file ": " lines " lines" }
END { close_file() }' $files >"${TMPDIR:-/tmp}/ecs-sizes.$$"
while read -r line; do
    key=$(echo "$line" | sed -E 's/:[0-9]+: ([A-Za-z0-9_]+) has.*/ \1/; s/: [0-9]+ lines//')
    grep -qxF "$key" "$exceptions" 2>/dev/null || {
        echo "$line"
        bad=1
    }
done <"${TMPDIR:-/tmp}/ecs-sizes.$$"
rm -f "${TMPDIR:-/tmp}/ecs-sizes.$$"

# shellcheck disable=SC2086
grep -nE '(^|[^a-zA-Z0-9_>.])(strcpy|strcat|sprintf|vsprintf|strtok|atoi|alloca|system|popen|rand|gets) *\(' $files && bad=1
# shellcheck disable=SC2086
grep -nE '\b(FIXME|XXX)\b|\bTODO\b(\(#[0-9]+\))?' $files | grep -vE 'TODO\(#[0-9]+\)' && bad=1
exit $bad
