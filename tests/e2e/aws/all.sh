#!/bin/sh
# Every script of this folder, in turn; see lib.sh for the environment.
dir=$(dirname "$0")
failed=0
for name in clusters taskdefs tasks services instances tags others; do
    sh "$dir/$name.sh" || failed=1
done
exit $failed
