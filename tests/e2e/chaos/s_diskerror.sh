# EIO and short writes on the n-th call, in the log and the checkpoint: the process ends with a reason, the cluster goes on
inject() {
    local victim call nth
    while going; do
        roles
        one $leader $followers
        victim=$picked
        one pwrite fdatasync short checkpoint
        call=$picked
        between 1 20
        nth=$picked
        echo "     $victim: $call $nth"
        : >"$dir/$victim/log" # Before: it may end at once.
        case $call in
        short) arm "$victim" "short pwrite $nth /log/" ;;
        checkpoint) arm "$victim" "fail fdatasync EIO 1 /state/" "fail pwrite EIO 30 /state/" ;;
        *) arm "$victim" "fail $call EIO $nth /log/" ;;
        esac
        nap 30
        if alive "$victim"; then
            disarm "$victim"
            continue
        fi
        fault "controller ended by an error of its disk" true
        check "$current: $victim says what happened and what to do" \
            grep -qE '(raft.fatal|storage.failed).*error.*the others go on. Check its disk, then start it again' "$dir/$victim/log"
        grep -m 1 -E 'raft.fatal|storage.failed' "$dir/$victim/log" | cut -c1-180 | sed 's/^/     /'
        check "$current: the others go on" eventually $((5 * slack)) ecs-admin cluster create "probe-$RANDOM" --timeout 2s
        disarm "$victim"
        lab restart "$victim"
        nap 10
    done
}
