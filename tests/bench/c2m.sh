#!/bin/bash
# Two million tasks: 2,000 services of 1,000 tasks each on 6,100 simulated nodes, which speak the real
# protocol over real connections to three real controllers with fsync. From the first CreateService to
# the moment when the controllers count every task RUNNING; then what it cost, kill -9 of the leader,
# and a controller that starts again with all of it. Everything is on this machine.
# usage: c2m.sh [--quick] [--services N] [--tasks N] [--nodes N] [--json FILE]
set -euo pipefail
services=2000
tasks=1000
nodes=6100
json=
while [ $# -gt 0 ]; do
    case $1 in
    --quick) services=200 nodes=610; shift; continue ;;
    --services) services=$2 ;;
    --tasks) tasks=$2 ;;
    --nodes) nodes=$2 ;;
    --json) json=$2 ;;
    *)
        echo "usage: c2m.sh [--quick] [--services N] [--tasks N] [--nodes N] [--json FILE]" >&2
        exit 2
        ;;
    esac
    shift 2
done
all=$((services * tasks))
. "$(cd "$(dirname "$0")" && pwd)/../e2e/lib.sh"
. "$(cd "$(dirname "$0")" && pwd)/fleet/lib.sh"

# How many tasks the controllers count RUNNING.
count() {
    aws_call "$(node_address "$1")" DescribeClusters '{}' | jq '.clusters[0].runningTasksCount // 0'
}

# One client, which calls over a few connections it keeps.
requests() {
    local i url
    url="http://$(node_address "$1"):8080/"
    for i in $(seq "$services"); do
        [ "$i" -eq 1 ] || echo next
        cat <<EOF
url = "$url"
header = "Content-Type: application/x-amz-json-1.1"
header = "X-Amz-Target: AmazonEC2ContainerServiceV20141113.CreateService"
data = "{\"serviceName\":\"s$i\",\"taskDefinition\":\"demo\",\"desiredCount\":$tasks}"
output = "/dev/null"
fail
silent
show-error
EOF
    done >"$dir/requests"
}

lab_start_fleet "$nodes"
jq -n '{family: "demo", networkMode: "bridge", containerDefinitions: [
    {name: "web", image: "demo:1", cpu: 128, memory: 64, essential: true}]}' >"$dir/demo.json"
ecs-admin task-def register "$dir/demo.json" >/dev/null
lead=$(leader)
requests "$lead"
case=${services}x$tasks
began=$(ms)
cpu=$(cpu_of "$(pid_of "$lead")")
cpu_all=0
for c in c1 c2 c3; do cpu_all=$((cpu_all + $(cpu_of "$(pid_of $c)"))); done
cpu_fleet=$(cpu_of "$fleet")

curl --no-progress-meter --parallel --parallel-max 8 --config "$dir/requests"
row "$case" "services acknowledged" ms $(($(ms) - began))
until [ "$(count "$lead")" -eq "$all" ]; do
    [ $(($(ms) - began)) -lt 900000 ] || { echo "only $(count "$lead") of $all run"; exit 1; }
    sleep 0.5
done
took=$(($(ms) - began))
row "$case" "all RUNNING" ms "$took"
row "$case" "tasks a second" 1/s $((all * 1000 / took))
after=0
for c in c1 c2 c3; do after=$((after + $(cpu_of "$(pid_of $c)"))); done
row "$case" "cpu of the leader" ms $(($(cpu_of "$(pid_of "$lead")") - cpu))
row "$case" "cpu of three controllers" ms $((after - cpu_all))
row "$case" "cpu of the fleet" ms $(($(cpu_of "$fleet") - cpu_fleet))
row "$case" "memory of the leader, peak" kB "$(peak_of "$(pid_of "$lead")")"
row "$case" "memory for each task" B $(($(peak_of "$(pid_of "$lead")") * 1024 / all))

# --- and then ---------------------------------------------------------------------------------------

sleep 10 # What is written behind is written.
others=$(for c in c1 c2 c3; do [ $c = "$lead" ] || node_address $c; done)
began=$(ms)
lab kill "$lead"
placed=
until [ -n "$placed" ]; do
    for address in $others; do
        placed=$(aws_call "$address" RunTask '{"taskDefinition":"demo"}' 2>/dev/null |
            jq -r '.tasks[0].taskArn // empty' 2>/dev/null || true)
        [ -z "$placed" ] || break
    done
    [ $(($(ms) - began)) -lt 60000 ] || { echo "nothing is placed"; exit 1; }
done
row "$case" "next placement after kill -9" ms $(($(ms) - began))

began=$(ms)
lab restart "$lead"
caught_up() {
    [ "$(aws_call "$(node_address "$lead")" DescribeClusters '{}' 2>/dev/null |
        jq '.clusters[0].runningTasksCount // 0' || echo 0)" -ge "$all" ]
}
until caught_up; do
    [ $(($(ms) - began)) -lt 120000 ] || { echo "$lead is not ready"; exit 1; }
    sleep 0.1
done
row "$case" "a controller starts again" ms $(($(ms) - began))
row "$case" "memory of it, peak" kB "$(peak_of "$(pid_of "$lead")")"
echo "load $(cut -d' ' -f1-3 /proc/loadavg)"

rows_json "${BENCH_NAME:-c2m}" "$json"
