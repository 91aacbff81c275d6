#!/bin/bash
# Clients nobody here wrote: every operation through the aws command line and through stock gRPC by
# reflection.
. "$(dirname "$0")/lib.sh"
lab_start 3
push_demo
register demo
for script in "$here"/aws/*.sh; do
    [ -e "$script" ] || continue
    check "aws: $(basename "$script")" bash "$script"
done
for script in "$here"/grpc/*.py; do
    [ -e "$script" ] || continue
    check "grpc: $(basename "$script")" /usr/bin/python3 "$script"
done
