# a controller runs out of file descriptors
inject() {
    local victim pid used limit
    while going; do
        roles
        one $leader $followers
        victim=$picked
        pid=$(pid_of "$victim")
        used=$(find "/proc/$pid/fd" -mindepth 1 | wc -l)
        limit=$(prlimit --pid "$pid" --nofile --noheadings -o SOFT | tr -d ' ')
        between 0 3
        fault "descriptors limited to those in use and $picked" \
            prlimit --pid "$pid" --nofile="$((used + picked)):"
        for _ in 1 2 3 4 5 6 7 8; do
            ECS_ENDPOINT=$(node_address "$victim"):7443 ecs-admin raft status --timeout 1s >/dev/null 2>&1 || true
        done
        between 10 40
        nap "$picked"
        prlimit --pid "$pid" --nofile="$limit:" 2>/dev/null || true
        nap 5
    done
}
