#!/bin/bash
# Completion in the shells themselves, as far as they are installed: nouns, verbs, options, options of
# every command in front, and files where nothing else is known.
# shellcheck disable=SC2016,SC2317
set -eu
bin=$(cd "${BUILD:-build}/bin" && pwd)
PATH=$bin:$PATH
failed=0

# expect SHELL LINE WORD...: what completes LINE (its last word may be empty) has all of these;
# "-WORD" must not be there.
expect() {
    local shell=$1 line=$2 found word
    shift 2
    found=$("try_$shell" "$line" 2>&1)
    for word in "$@"; do
        if [[ $word == !* ]]; then
            if grep -qx -- "${word#!}" <<<"$found"; then
                echo "FAIL $shell '$line': ${word#!} is offered"
                failed=1
            fi
        elif ! grep -qx -- "$word" <<<"$found"; then
            echo "FAIL $shell '$line': no $word in: $(tr '\n' ' ' <<<"$found")"
            failed=1
        fi
    done
}

try_bash() {
    bash -c 'eval "$(ecs-admin completion bash)"
        read -ra COMP_WORDS <<<"$1"
        [[ $1 != *" " ]] || COMP_WORDS+=("")
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        _ecs_admin
        printf "%s\n" "${COMPREPLY[@]}"' - "$1"
}

try_zsh() {
    zsh -fc 'autoload -Uz compinit && compinit -D -u
        eval "$(ecs-admin completion zsh)"
        [[ $_comps[ecs-admin] == _ecs_admin ]] || print not registered
        compadd() { shift; print -l -- "$@"; }
        _files() { print files; }
        words=(${(s: :)1}); [[ $1 != *" " ]] || words+=("")
        CURRENT=$#words
        _ecs_admin' - "$1" | grep -- "^${1##* }"
}

try_fish() {
    fish --no-config -c 'ecs-admin completion fish | source; complete -C "$argv[1]"' "$1"
}

for shell in bash zsh fish; do
    if ! command -v "$shell" >/dev/null; then
        echo "skip $shell: not installed"
        continue
    fi
    expect "$shell" "ecs-admin " task service version completion '!--cluster'
    expect "$shell" "ecs-admin ser" service '!task'
    expect "$shell" "ecs-admin task " run logs stop '!service'
    expect "$shell" "ecs-admin --cluster web task " run logs
    expect "$shell" "ecs-admin -o json task l" list logs '!run'
    expect "$shell" "ecs-admin task run --" --count --wait --cluster
    expect "$shell" "ecs-admin task run web --co" --count
    expect "$shell" "ecs-admin verify --" --cluster
    expect "$shell" "ecs-admin completion " bash zsh fish
    [ "$failed" -ne 0 ] || echo "ok   $shell"
done
exit "$failed"
