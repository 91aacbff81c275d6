# a byte flipped in the log or the checkpoint of a stopped controller: refused, or harmless; never believed
flip() {
    local file=$1 offset=$2 byte
    byte=$(od -An -tu1 -j "$offset" -N 1 "$file" | tr -d ' ')
    # shellcheck disable=SC2059
    printf "\\$(printf %o $((byte ^ 16)))" | dd of="$file" bs=1 seek="$offset" conv=notrunc status=none
}

# Bytes of a log file up to its last one that is not zero.
used_bytes() {
    python3 -c 'import sys; print(len(open(sys.argv[1], "rb").read().rstrip(b"\0")))' "$1"
}

newest_log() {
    find "$dir/$1/data/log" -name 'log-0*' -size +0 | sort | tail -n 1
}

flip_middle() {
    local file n
    file=$(find "$dir/$1/data/log" -name 'log-0*' | sort | tail -n 1)
    n=$(used_bytes "$file")
    between 20 70
    flip "$file" $((n * picked / 100))
}

flip_tail() {
    local file
    file=$(newest_log "$1")
    between 1 12
    flip "$file" $(($(used_bytes "$file") - picked))
}

flip_checkpoint() {
    local file=$dir/$1/data/state/checkpoint.db n
    # What the next start would only find in the write-ahead log is brought into the file first.
    sqlite3 "$file" 'pragma wal_checkpoint(truncate)' >/dev/null
    n=$(stat -c %s "$file")
    flip "$file" $((4096 + (RANDOM * 32768 + RANDOM) % (n - 4096)))
}

# A member that lost its files comes back under a new id (tests/e2e/runbooks); here the files as they
# were, to go on with the same three.
put_back() {
    rm -rf "$dir/$1/data"
    mv "$dir/$1/data.intact" "$dir/$1/data"
    lab restart "$1"
}

started() {
    ECS_ENDPOINT=$(node_address "$1"):7443 ecs-admin raft status --timeout 1s
}

# It answers, or it has ended.
decided() {
    started "$1" || ! alive "$1"
}

inject() {
    local victim what
    while going; do
        roles
        one $followers
        victim=$picked
        lab kill "$victim"
        sleep 0.3
        rm -rf "$dir/$victim/data.intact"
        cp -a "$dir/$victim/data" "$dir/$victim/data.intact"
        one middle tail checkpoint
        what=$picked
        fault "byte flipped: $what" "flip_$what" "$victim"
        : >"$dir/$victim/log"
        lab restart "$victim"
        eventually $((10 * slack)) decided "$victim" || true
        sleep 0.5
        if alive "$victim"; then
            check "$current: $what: not believed to be intact in the middle" [ "$what" != middle ]
            echo "     $what: started"
        else
            check "$current: $what: refused with the file's name" \
                grep -qE 'controller.start.*(log-0|checkpoint)' "$dir/$victim/log"
            grep -m 1 controller.start "$dir/$victim/log" | cut -c1-200 | sed 's/^/     /'
            put_back "$victim"
            check "$current: with its files as they were it is back" eventually $((20 * slack)) started "$victim"
        fi
        nap 10
    done
}

# A follower may lose the last entries it had confirmed: to it they look torn. The leader offers them
# again with the next entry, not before.
settle() {
    ecs-admin cluster create "probe-$(now_ms)" >/dev/null
}
