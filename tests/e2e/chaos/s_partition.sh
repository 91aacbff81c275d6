# partitions: minority, majority, one way, a leader that sends but does not hear, a ring, nodes cut off
inject() {
    while going; do
        roles
        read -r f1 f2 <<<"$followers"
        one minority majority deaf mute ring nodes one_node
        fault "partition $picked" "cut_$picked"
        between 20 50
        nap "$picked"
        lab heal
        nap 10
    done
}

cut_minority() { lab partition "$leader"; }
cut_majority() { lab partition "$leader" "$f1" n1; }
cut_deaf() {
    lab cut "$f1" "$leader"
    lab cut "$f2" "$leader"
}
cut_mute() {
    lab cut "$leader" "$f1"
    lab cut "$leader" "$f2"
}
# Each hears one and speaks to the other.
cut_ring() {
    lab cut "$leader" "$f1"
    lab cut "$f1" "$f2"
    lab cut "$f2" "$leader"
}
cut_nodes() { lab partition n1 n2; }
cut_one_node() {
    lab cut c1 n1
    lab cut c2 n1
    lab cut n2 "$leader"
}
