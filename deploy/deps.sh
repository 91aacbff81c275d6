#!/bin/sh
# Install every package that building, running and testing needs (Debian 12). Idempotent: does
# nothing when all is there. Works as root or through sudo.
#
# libraft must be 0.22 or later, which Debian 12 has in backports: the source entry is derived from
# the machine's own entry for the main archive, so mirrors and proxies keep working.
# usage: deps.sh [--runtime | --bench]
#   --runtime  only what a machine needs to run the programs
#   --bench    also the peers that benchmarks are compared with
set -eu

RUNTIME="ca-certificates crun skopeo nftables iproute2 procps util-linux libuv1 libnghttp2-14 \
libhttp-parser2.9 libjansson4 libssl3 libprotobuf-c1 libsqlite3-0 libarchive13 libseccomp2 \
libmnl0"
BUILD="gcc make pkg-config libc6-dev libuv1-dev libnghttp2-dev libhttp-parser-dev libjansson-dev \
libssl-dev libprotobuf-c-dev protobuf-c-compiler protobuf-compiler libprotobuf-dev nanopb \
libnanopb-dev python3-protobuf liblpsolve55-dev zlib1g-dev \
libsqlite3-dev libarchive-dev libseccomp-dev libmnl-dev \
gawk"
TEST="check clang clang-format clang-tidy cppcheck libclang-rt-14-dev docker-registry \
busybox-static umoci awscli python3-grpcio curl jq openssl sqlite3"

BENCH="etcd-server etcd-client"

say() {
    echo "deps: $*"
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null 2>&1; then
        sudo -- "$@"
    else
        say "need root or sudo to run: $*" >&2
        exit 1
    fi
}

# Names of the packages in the list that are not installed.
missing() {
    for package in "$@"; do
        dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -q '^installed$' ||
            echo "$package"
    done
}

raft_is_new() {
    version=$(dpkg-query -W -f '${Version}' "$1" 2>/dev/null) || return 1
    dpkg --compare-versions "$version" ge 0.22
}

apt_install() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
        -o DPkg::Lock::Timeout=300 "$@" >"$log" 2>&1 || {
        tail -n 30 "$log" >&2
        say "apt-get install failed" >&2
        exit 1
    }
}

# "URIS COMPONENTS SIGNED-BY" of the entry that serves the main archive of this release.
main_entry() {
    cat /etc/apt/sources.list.d/*.sources 2>/dev/null | awk -v suite="$codename" '
        function flush(    i, n, s) {
            n = split(suites, s, " ")
            for (i = 1; i <= n; i++)
                if (s[i] == suite && uris != "") { print uris "|" signed; exit }
            suites = uris = signed = ""
        }
        /^[ \t]*$/ { flush(); next }
        /^#/ { next }
        tolower($1) == "uris:" { uris = $2 }
        tolower($1) == "suites:" { suites = $0; sub(/^[^:]*:/, "", suites) }
        tolower($1) == "signed-by:" { signed = $2 }
        END { flush() }' | head -n 1
    cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null | awk -v suite="$codename" '
        $1 != "deb" { next }
        {
            signed = ""
            line = $0
            if (match(line, /\[[^]]*\]/)) {
                options = substr(line, RSTART + 1, RLENGTH - 2)
                if (match(options, /signed-by=[^ ]*/))
                    signed = substr(options, RSTART + 10, RLENGTH - 10)
                sub(/\[[^]]*\]/, "", line)
            }
            split(line, word, " ")
            if (word[3] == suite && word[4] == "main") { print word[2] "|" signed; exit }
        }' | head -n 1
}

add_backports() {
    list=/etc/apt/sources.list.d/ecs-backports.sources
    [ -e "$list" ] && return
    if apt-cache policy 2>/dev/null | grep -q "a=$codename-backports\|n=$codename-backports"; then
        return
    fi
    entry=$(main_entry | head -n 1)
    [ -n "$entry" ] || {
        say "no source entry for $codename to derive $codename-backports from" >&2
        exit 1
    }
    say "adding $codename-backports beside the machine's own $codename entry ($list)"
    {
        echo "# Written by ecs deploy/deps.sh: libraft 0.22 or later."
        echo "Types: deb"
        echo "URIs: ${entry%%|*}"
        echo "Suites: $codename-backports"
        echo "Components: main"
        [ -z "${entry#*|}" ] || echo "Signed-By: ${entry#*|}"
    } >"$log.sources"
    as_root install -m 0644 "$log.sources" "$list"
    rm -f "$log.sources"
}

wanted=$RUNTIME
raft=libraft0
if [ "${1:-}" != --runtime ]; then
    wanted="$RUNTIME $BUILD $TEST"
    raft=libraft-dev
fi
[ "${1:-}" != --bench ] || wanted="$wanted $BENCH"
codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-bookworm}")
log=$(mktemp)
trap 'rm -f "$log" "$log.sources"' EXIT

# shellcheck disable=SC2086
absent=$(missing $wanted)
if [ -z "$absent" ] && raft_is_new "$raft"; then
    say "everything is installed"
    exit 0
fi
if ! raft_is_new "$raft"; then
    [ "$codename" != bookworm ] || add_backports
fi
say "apt-get update"
as_root apt-get update -q >"$log" 2>&1 || {
    tail -n 20 "$log" >&2
    say "apt-get update failed; going on with the lists there are" >&2
}
if [ -n "$absent" ]; then
    say "installing:" $absent
    # shellcheck disable=SC2086
    apt_install $absent
fi
if ! raft_is_new "$raft"; then
    say "installing $raft from ${codename}-backports"
    if [ "$codename" = bookworm ]; then
        apt_install -t "$codename-backports" "$raft" libraft0
    else
        apt_install "$raft"
    fi
    raft_is_new "$raft" || {
        say "$raft is older than 0.22, which ecs refuses (see docs/dependencies.md)" >&2
        exit 1
    }
fi
say "done"
