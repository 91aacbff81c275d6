# 10 to 40 % of the frames lost, between all or around one
inject() {
    while going; do
        between 10 40
        percent=$picked
        roles
        one "c1 c2 c3" "$leader" "$leader n1" "n1 n2"
        # shellcheck disable=SC2086
        fault "loss of $((percent / 10 * 10)) % and more" lab loss "$percent" $picked
        between 30 60
        nap "$picked"
        lab heal
        nap 5
    done
}
