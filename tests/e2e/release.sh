# The programs of the last release, built from its commit in a clone and a build folder of their own,
# which are kept for the next time. UPGRADE_FROM names another commit.
# shellcheck shell=bash
# use: . tests/e2e/release.sh; release_build REPOSITORY BUILD; then $old is the folder of its programs.
release_commit=${UPGRADE_FROM:-ae41565}

# A shallow clone, or none at all, has no release to build.
release_known() {
    git -C "$1" rev-parse -q --verify "$release_commit^{commit}" >/dev/null 2>&1
}

release_build() {
    local repository=$1 into=$2/upgrade source=$2/upgrade/$release_commit
    old=$source/build/bin
    [ ! -x "$old/ecs-controller" ] || return 0
    rm -rf "$source"
    mkdir -p "$into"
    git clone -q --shared --no-checkout "$repository" "$source"
    git -C "$source" checkout -q "$release_commit"
    (unset BUILD MAKEFLAGS && make -C "$source" -j2 all) >"$into/$release_commit.log" 2>&1 || {
        tail -n 20 "$into/$release_commit.log"
        return 1
    }
}
