# SIGSTOP for 1 to 8 seconds, in long runs up to 30
inject() {
    local longest=80
    [ "$seconds" -lt 60 ] || longest=300
    while going; do
        roles
        one $leader $leader $followers n1 n2
        victim=$picked
        [ "$victim" = "$leader" ] && what="SIGSTOP leader" || what="pause ${victim:0:1}"
        fault "$what" lab pause "$victim"
        between 10 $longest
        nap "$picked"
        lab resume "$victim"
        nap 5
    done
}
