#!/bin/sh
# Process 1 of the guest (run.sh): a machine with cgroup2 only, like any Debian 12 with systemd.
# Runs the tests, says how they ended on the console, and switches the machine off.
export PATH=/usr/sbin:/usr/bin HOME=/root BUILD=build LC_ALL=C
exec >/dev/console 2>&1 </dev/null
cd /ecs || exit 1
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p /dev/pts /dev/shm /dev/mqueue
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs -o mode=755 tmpfs /run
echo guest >/proc/sys/kernel/hostname
ip link set lo up
for m in overlay bridge veth nf_tables nf_nat nft_chain_nat; do
    modprobe "$m"
done
# As systemd leaves its services: this process is in a group of its own, not at the top.
mkdir /sys/fs/cgroup/init
echo 1 >/sys/fs/cgroup/init/cgroup.procs

set -a
. ./settings
set +a
[ -n "$CK_RUN_CASE" ] || unset CK_RUN_CASE
echo "guest: $(uname -r), cgroup2 with $(cat /sys/fs/cgroup/cgroup.controllers)"
echo "guest: $($ECS_TEST_RUNTIME --version | head -n 1), times x $TEST_SLACK"
passed=0
failed=
for t in $tests; do
    began=$(date +%s)
    if "build/tests/integration/agent/$t"; then
        verdict=ok
        passed=$((passed + 1))
    else
        verdict=FAIL
        failed="$failed $t"
    fi
    echo "guest: $verdict $(($(date +%s) - began)) s $t"
done
left=$(find /sys/fs/cgroup -mindepth 1 -maxdepth 1 -type d ! -name init)
[ -z "$left" ] || failed="$failed cgroups-left:$left"
if [ -z "$failed" ] && [ "$passed" -gt 0 ]; then
    echo "guest: all passed"
else
    echo "guest: failed:$failed"
fi
sync
poweroff -f
