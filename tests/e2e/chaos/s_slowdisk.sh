# a disk that takes 50 ms to 5 s for each sync
inject() {
    while going; do
        roles
        one $leader $followers
        victim=$picked
        one 50 200 1000 5000
        fault "disk slow by $picked ms" arm "$victim" "slow fdatasync $picked" "slow fsync $picked"
        between 20 50
        nap "$picked"
        disarm "$victim"
        nap 5
    done
}
