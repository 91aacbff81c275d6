#!/bin/bash
# One million tasks: 1,000 services of 1,000 tasks on 5,000 simulated nodes; all else as in c2m.sh.
# usage: c1m.sh [--quick] [--json FILE]
BENCH_NAME=c1m exec "$(cd "$(dirname "$0")" && pwd)/c2m.sh" --services 1000 --nodes 5000 "$@"
