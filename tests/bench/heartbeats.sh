#!/bin/bash
# What an idle cluster costs: 10,000 simulated nodes, each with a connection of its own, tell three real
# controllers every second that they live. Processor time of each controller over 30 seconds, as a share
# of one core, and its memory.
# usage: heartbeats.sh [--quick] [--nodes N] [--seconds N] [--json FILE]
set -euo pipefail
nodes=10000
seconds=30
json=
while [ $# -gt 0 ]; do
    case $1 in
    --quick) nodes=1000 seconds=10; shift; continue ;;
    --nodes) nodes=$2 ;;
    --seconds) seconds=$2 ;;
    --json) json=$2 ;;
    *)
        echo "usage: heartbeats.sh [--quick] [--nodes N] [--seconds N] [--json FILE]" >&2
        exit 2
        ;;
    esac
    shift 2
done
. "$(cd "$(dirname "$0")" && pwd)/../e2e/lib.sh"
. "$(cd "$(dirname "$0")" && pwd)/fleet/lib.sh"

lab_start_fleet "$nodes"
sleep 5
declare -A before
for c in c1 c2 c3; do before[$c]=$(cpu_of "$(pid_of $c)"); done
began=$(ms)
sleep "$seconds"
took=$(($(ms) - began))
lead=$(leader)
for c in c1 c2 c3; do
    role=follower
    [ $c = "$lead" ] && role=leader
    spent=$(($(cpu_of "$(pid_of $c)") - before[$c]))
    row "$nodes" "$role $c, processor" % $((spent * 100 / took))
    row "$nodes" "$role $c, memory" kB "$(rss_of "$(pid_of $c)")"
done
echo "load $(cut -d' ' -f1-3 /proc/loadavg)"
rows_json heartbeats "$json"
