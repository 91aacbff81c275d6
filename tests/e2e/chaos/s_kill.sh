# kill -9 of the leader, a follower, an agent, a container's supervisor
inject() {
    while going; do
        roles
        one $leader $leader $followers n1 n2 shim
        case $picked in
        shim) kill_shim ;;
        "$leader") fault "kill -9 leader" lab kill "$picked" ;;
        c*) fault "kill -9 follower" lab kill "$picked" ;;
        *) fault "kill -9 agent" lab kill "$picked" ;;
        esac
        between 5 25
        nap "$picked"
        restart_dead
        nap 10
    done
}

kill_shim() {
    local pid
    pid=$(pgrep -f "ecs-shim run --dir $dir/" | head -n 1)
    [ -z "$pid" ] || fault "kill -9 supervisor" kill -KILL "$pid"
}
