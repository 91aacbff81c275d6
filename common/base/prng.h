/* common/base/prng.h
 *
 * A seeded random generator (xoshiro256**, Blackman and Vigna 2018, seeded by SplitMix64). The
 * only source of chance in the pure layers: the seed is always passed in. Not for secrets. */
#ifndef COMMON_BASE_PRNG_H
#define COMMON_BASE_PRNG_H

#include <stdint.h>

struct prng {
    uint64_t s[4];
};

void prng_init(struct prng *p, uint64_t seed);
uint64_t prng_u64(struct prng *p);

/* Uniform in [0, n), n > 0, without modulo bias. */
uint64_t prng_below(struct prng *p, uint64_t n);

#endif
