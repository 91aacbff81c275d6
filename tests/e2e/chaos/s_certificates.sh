# a controller's certificate expires: nobody accepts it; a new one and SIGHUP bring it back
issue() {
    local c=$1
    shift
    ecs-admin pki issue --dir "$dir/pki" --role controller --id "${c#c}" --ip "$(node_address "$c")" \
        --out "$dir/pki/$c" "$@" >/dev/null
    kill -HUP "$(pid_of "$c")"
}

# From outside: does it show a certificate that is valid now?
accepted() {
    ECS_ENDPOINT=$(node_address "$1"):7443 ecs-admin raft status --timeout 2s
}

inject() {
    local victim
    while going; do
        roles
        one $leader $followers
        victim=$picked
        fault "certificate expires" issue "$victim" --lifetime 2s
        sleep 3
        check "$current: an expired certificate is refused" [ "$(accepted "$victim" >/dev/null 2>&1 && echo yes)" = "" ]
        # Connections from before live on; new ones must not.
        fault "connections are lost" lab partition "$victim"
        nap 40
        lab heal
        nap 20
        check "$current: the others go on" eventually $((5 * slack)) ecs-admin cluster create "probe-$RANDOM" --timeout 2s
        fault "certificate replaced, SIGHUP" issue "$victim"
        check "$current: the new certificate is in use" eventually $((10 * slack)) accepted "$victim"
        nap 20
    done
}

mend() {
    local c
    for c in c1 c2 c3; do issue $c; done
}
