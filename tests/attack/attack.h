/* tests/attack/attack.h
 *
 * What the attack programs share: options, the list of attacks, and the verdicts. An attack is a
 * function that returns whether the target behaved; that it is still the same afterwards is for
 * the script to see (run.sh). */
#ifndef TESTS_ATTACK_ATTACK_H
#define TESTS_ATTACK_ATTACK_H

#include "tests/attack/wire.h"

struct attacker {
    struct wire_target plain; /* TCP only. */
    struct wire_target tls;   /* With the certificate given. */
    uint64_t from;            /* Who we say we are, */
    uint64_t to;              /* and whom we talk to. */
    uint64_t term; /* The target's: what is said with a larger one changes it, as Raft wants. */
    uint64_t seed;
    unsigned seconds; /* For those that go on for a while. */
};

typedef bool (*attack_fn)(const struct attacker *a);

struct attack {
    const char *name;
    attack_fn run;
};

/* Read --host, --port, --cert, --key, --from, --to, --term, --seed, --seconds and the names of
 * attacks (all of them when there is none); run them, print one line each. The exit status for
 * main(). */
int attack_main(int argc, char **argv, const char *alpn, const struct attack *attacks, size_t n);

#endif
