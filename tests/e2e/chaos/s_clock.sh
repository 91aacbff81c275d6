# the wall clock of one controller jumps by 20 minutes or a day, forward or back
inject() {
    while going; do
        roles
        one $leader $leader $followers
        victim=$picked
        one 1200 -1200 86400 -86400
        fault "clock jumps by $picked s" arm "$victim" "clock $picked"
        between 20 40
        nap "$picked"
        one back kill
        [ "$picked" = back ] || fault "kill with a wrong clock" lab kill "$victim"
        disarm "$victim"
        restart_dead
        nap 10
    done
}
