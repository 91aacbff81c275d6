# the power of a machine fails: all its processes at once, a node with its containers
inject() {
    while going; do
        roles
        one "$leader" $followers n1 n2 "$leader n1" "n1 n2"
        case $picked in
        n*) fault "node without power" lab poweroff $picked ;;
        *n*) fault "leader and node without power" lab poweroff $picked ;;
        *) fault "controller without power" lab poweroff "$picked" ;;
        esac
        between 5 25
        nap "$picked"
        restart_dead
        nap 20
    done
}
