#!/bin/sh
# Run the container tests on a machine this one is not: Debian's kernel in an emulated PC (QEMU, no
# KVM needed), where cgroup2 is the only cgroup file system and rules /sys/fs/cgroup alone.
#
# usage: run.sh [--runtime crun|runc] [TEST...]      default: test_cgroup test_runtime test_unpack
#   --runtime  the OCI runtime the agent drives
#   TEST       programs of build/tests/integration/agent; CK_RUN_CASE=NAME picks cases as usual
# GUEST_SLACK=n (8) stretches time limits in the guest, GUEST_SECONDS=n (3000) ends it.
# GUEST_KERNEL_DEB=FILE is used instead of downloading the package.
#
# The guest's disk is a copy of this machine's own programs and libraries: those of the packages
# below and whatever they link. Nothing is installed here, and no network is needed once the kernel
# is there. Files are under build/guest; RUNTIME/console.log is all the guest said.
set -eu

runtime=crun
while [ $# -gt 0 ]; do
    case $1 in
    --runtime)
        runtime=$2
        shift 2
        ;;
    -*)
        sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" >&2
        exit 2
        ;;
    *) break ;;
    esac
done
[ $# -gt 0 ] || set -- test_cgroup test_runtime test_unpack

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../../.." && pwd)
build=$(cd "${BUILD:-$top/build}" && pwd)
kernel=$build/guest/kernel
work=$build/guest/$runtime
root=$work/root
slack=${GUEST_SLACK:-8}
packages="coreutils dash bash grep sed gawk tar gzip procps util-linux mount findutils iproute2 \
nftables crun skopeo umoci docker-registry busybox-static"
[ "$runtime" = crun ] || packages="$packages $runtime"

fail() {
    echo "guest: $*" >&2
    exit 1
}

need() {
    command -v "$1" >/dev/null || fail "$1 is missing: apt-get install $2"
}

# The package's files only: a kernel is not installed by looking at it.
fetch_kernel() {
    [ -z "$(ls "$kernel"/boot/vmlinuz-* 2>/dev/null)" ] || return 0
    mkdir -p "$work/deb"
    if [ -z "${GUEST_KERNEL_DEB:-}" ]; then
        name=$(apt-cache depends linux-image-cloud-amd64 | awk '$1 == "Depends:" { print $2; exit }')
        [ -n "$name" ] || fail "apt knows no linux-image-cloud-amd64: run apt-get update"
        (cd "$work/deb" && apt-get -q -o APT::Sandbox::User=root download "$name")
        GUEST_KERNEL_DEB=$(ls "$work"/deb/*.deb)
    fi
    dpkg -x "$GUEST_KERNEL_DEB" "$kernel"
    busybox depmod -b "$kernel" "$(ls "$kernel/lib/modules")"
}

# Programs of the packages and tests, and every library one of them links, one name a line.
list_files() {
    # shellcheck disable=SC2086
    dpkg -L $packages | grep -E '^(/usr)?/s?bin/' | while read -r f; do
        [ ! -f "$f" ] || echo "$f"
    done >"$work/programs"
    {
        cat "$work/programs"
        ls "$build"/bin/ecs-agent "$build"/bin/ecs-shim "$build"/bin/ecs-unpack
        for t in "$@"; do
            echo "$build/tests/integration/agent/$t"
        done
    } | xargs ldd 2>/dev/null | awk '/=> \// { print $3 } $1 ~ /^\/lib.*ld-/ { print $1 }' |
        LC_ALL=C sort -u >"$work/libraries"
}

make_root() {
    rm -rf "$root"
    mkdir -p "$root/usr" "$root/proc" "$root/sys" "$root/dev" "$root/tmp" "$root/run" \
        "$root/etc" "$root/root" "$root/var/lib" "$root/var/tmp" "$root/ecs"
    for d in bin sbin lib lib64; do
        mkdir "$root/usr/$d"
        ln -s "usr/$d" "$root/$d"
    done
    cat "$work/programs" "$work/libraries" |
        tar -C / -P -c -h --transform 's|^/||' --files-from - |
        tar -C "$root" -x --keep-directory-symlink
    for f in passwd group nsswitch.conf protocols services; do
        [ ! -f "/etc/$f" ] || cp "/etc/$f" "$root/etc/"
    done
    printf '127.0.0.1\tlocalhost guest\n' >"$root/etc/hosts"
    ln -sf gawk "$root/usr/bin/awk"
    ln -sf dash "$root/usr/bin/sh"
    for applet in modprobe poweroff; do
        ln -sf ../bin/busybox "$root/usr/sbin/$applet"
    done
    cp -r "$kernel/lib/modules" "$root/usr/lib/"
    (cd "$top" && tar -c deploy/lab/images) | tar -C "$root/ecs" -x
    mkdir -p "$root/ecs/build/bin" "$root/ecs/build/tests/integration/agent"
    cp "$build"/bin/ecs-agent "$build"/bin/ecs-shim "$build"/bin/ecs-unpack "$root/ecs/build/bin/"
    for t in "$@"; do
        cp "$build/tests/integration/agent/$t" "$root/ecs/build/tests/integration/agent/"
    done
    cat >"$root/ecs/settings" <<EOS
ECS_TEST_RUNTIME=$runtime
TEST_SLACK=$slack
CK_TIMEOUT_MULTIPLIER=$slack
CK_RUN_CASE=${CK_RUN_CASE:-}
tests="$*"
EOS
    cp "$here/init.sh" "$root/ecs/init"
    chmod 0755 "$root/ecs/init"
    rm -f "$work/root.img"
    mke2fs -q -t ext4 -d "$root" "$work/root.img" 3G >/dev/null
    rm -rf "$root"
}

# The drivers of the disk are modules: a first, tiny file system loads them.
make_initramfs() {
    first=$work/initramfs
    modules=$(echo "$kernel"/lib/modules/*/kernel/drivers)
    rm -rf "$first"
    mkdir -p "$first/bin" "$first/root" "$first/dev"
    cp "$(command -v busybox)" "$first/bin/busybox"
    for m in virtio/virtio_ring virtio/virtio virtio/virtio_pci_legacy_dev \
        virtio/virtio_pci_modern_dev virtio/virtio_pci block/virtio_blk; do
        cp "$modules/$m.ko" "$first/"
    done
    cat >"$first/init" <<'EOS'
#!/bin/busybox sh
PATH=/bin
for m in virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk; do
    busybox insmod /$m.ko
done
busybox mount -t devtmpfs dev /dev
busybox mount -t ext4 /dev/vda /root
busybox mount -o move /dev /root/dev
exec busybox switch_root /root /ecs/init
EOS
    ln -s busybox "$first/bin/sh"
    chmod 0755 "$first/init"
    (cd "$first" && find . | busybox cpio -o -H newc 2>/dev/null) | gzip -1 >"$work/initramfs.gz"
    rm -rf "$first"
}

boot() {
    timeout -k 10 "${GUEST_SECONDS:-3000}" qemu-system-x86_64 -machine q35,accel=tcg -cpu max \
        -smp 2 -m 2048 -display none -monitor none -no-reboot -nic none \
        -kernel "$(ls "$kernel"/boot/vmlinuz-*)" -initrd "$work/initramfs.gz" \
        -append "console=ttyS0 quiet panic=-1 random.trust_cpu=on mitigations=off" \
        -drive "file=$work/root.img,if=virtio,format=raw,cache=unsafe" \
        -serial "file:$work/console.log" </dev/null &
    guest=$!
    trap 'kill $guest 2>/dev/null; wait $guest; exit 130' INT TERM HUP
    wait $guest || echo "guest: the emulator ended with status $?" >&2
    trap - INT TERM HUP
}

need qemu-system-x86_64 qemu-system-x86
need mke2fs e2fsprogs
need busybox busybox-static
need "$runtime" "$runtime"
for t in "$@"; do
    [ -x "$build/tests/integration/agent/$t" ] || fail "no test $t: run make build-tests"
done
mkdir -p "$work"
fetch_kernel
list_files "$@"
make_root "$@"
make_initramfs
: >"$work/console.log"
echo "guest: booting $(basename "$kernel"/boot/vmlinuz-*) for $* with $runtime"
boot
rm -f "$work/root.img"
sed -i 's/\r$//' "$work/console.log"
sed -n '/^guest: /,$p' "$work/console.log"
grep -qx 'guest: all passed' "$work/console.log" || {
    grep -q '^guest: ' "$work/console.log" || tail -n 40 "$work/console.log"
    fail "not all passed, see $work/console.log"
}
