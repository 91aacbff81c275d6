# two controllers' disks fill up: commands are refused with a reason, and go on when there is room again
tight="c1 c2"

# $dir/cN/data on a file system of its own, with room for what is there and 300 MiB.
on_small_disk() {
    local c=$1 used
    lab kill "$c"
    used=$(du -sm "$dir/$c/data" | cut -f1)
    mv "$dir/$c/data" "$dir/$c/data.large"
    mkdir "$dir/$c/data"
    mount -t tmpfs -o "size=$((used + 300))m,mode=0700" ecs-chaos "$dir/$c/data"
    cp -a "$dir/$c/data.large/." "$dir/$c/data/"
    rm -rf "$dir/$c/data.large"
    lab restart "$c"
}

off_small_disk() {
    local c=$1
    mountpoint -q "$dir/$c/data" || return 0
    lab kill "$c"
    sleep 0.2
    mkdir "$dir/$c/data.large"
    cp -a "$dir/$c/data/." "$dir/$c/data.large/"
    rm -f "$dir/$c/data.large/filler"
    umount "$dir/$c/data"
    rmdir "$dir/$c/data"
    mv "$dir/$c/data.large" "$dir/$c/data"
}

# fill C MIB: leave so much room; 0: none at all.
fill() {
    local room
    room=$(df -BM --output=avail "$dir/$1/data" | tail -n 1 | tr -dc 0-9)
    head -c "$((room - $2))M" /dev/zero >>"$dir/$1/data/filler" 2>/dev/null || true
    [ "$2" -gt 0 ] || cat /dev/zero >>"$dir/$1/data/filler" 2>/dev/null || true
    [ -s "$dir/$1/data/filler" ]
}

# Each time another name: to make what is there already is no command.
write_once() {
    ecs-admin cluster create "probe-$(now_ms)" --timeout 5s
}

refused_for_space() {
    ! write_once 2>"$dir/refusal" >/dev/null && grep -q "short of disk space" "$dir/refusal"
}

inject() {
    local c
    for c in $tight; do
        on_small_disk "$c"
        eventually $((20 * slack)) leads
    done
    nap 20
    for c in $tight; do fault "disk nearly full" fill "$c" 40; done
    check "$current: commands are refused, and the reason is said" eventually $((10 * slack)) refused_for_space
    sed 's/^/     /' "$dir/refusal"
    check "$current: reads go on" sh -c "ecs-admin service list --timeout 5s -o json >$dir/reads"
    fault "disk full to the last block" fill c1 0
    nap 30
    for c in $tight; do rm -f "$dir/$c/data/filler"; done
    check "$current: commands are accepted again by themselves" eventually $((10 * slack)) write_once
    for c in $tight; do
        check "$current: $c did not end" alive "$c"
    done
    while going; do
        one $tight
        fault "disk full to the last block" fill "$picked" 0
        between 10 30
        nap "$picked"
        for c in $tight; do rm -f "$dir/$c/data/filler"; done
        nap 10
    done
}

mend() {
    local c
    for c in $tight; do off_small_disk "$c"; done
}
