#include "common/base/hash.h"

#include "common/base/buf.h"

#define P1 0x9e3779b185ebca87ull
#define P2 0xc2b2ae3d27d4eb4full
#define P3 0x165667b19e3779f9ull
#define P4 0x85ebca77c2b2ae63ull
#define P5 0x27d4eb2f165667c5ull

static uint64_t rotl(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

static uint64_t xxh_round(uint64_t acc, uint64_t input)
{
    return rotl(acc + input * P2, 31) * P1;
}

static uint64_t avalanche(uint64_t h)
{
    h ^= h >> 33;
    h *= P2;
    h ^= h >> 29;
    h *= P3;
    return h ^ (h >> 32);
}

/* Four lanes over 32-byte stripes; returns the accumulator and advances *p. */
static uint64_t stripes(const uint8_t **p, const uint8_t *end, uint64_t seed)
{
    uint64_t lane[4] = {seed + P1 + P2, seed + P2, seed, seed - P1};
    uint64_t h;
    do {
        for (int i = 0; i < 4; i++) {
            lane[i] = xxh_round(lane[i], get_u64(*p));
            *p += 8;
        }
    } while (end - *p >= 32);
    h = rotl(lane[0], 1) + rotl(lane[1], 7) + rotl(lane[2], 12) + rotl(lane[3], 18);
    for (int i = 0; i < 4; i++) {
        h = (h ^ xxh_round(0, lane[i])) * P1 + P4;
    }
    return h;
}

uint64_t hash_bytes(const void *bytes, size_t n, uint64_t seed)
{
    const uint8_t *p = bytes;
    const uint8_t *end = n == 0 ? p : p + n;
    uint64_t h = n >= 32 ? stripes(&p, end, seed) : seed + P5;
    h += n;
    for (; end - p >= 8; p += 8) {
        h = rotl(h ^ xxh_round(0, get_u64(p)), 27) * P1 + P4;
    }
    if (end - p >= 4) {
        h = rotl(h ^ get_u32(p) * P1, 23) * P2 + P3;
        p += 4;
    }
    for (; p < end; p++) {
        h = rotl(h ^ *p * P5, 11) * P1;
    }
    return avalanche(h);
}

uint64_t hash_mix(uint64_t digest, uint64_t value)
{
    return avalanche(rotl(digest, 27) * P1 + P4 + xxh_round(0, value));
}

/* Eight bytes at a time by eight tables of the reflected polynomial 0x82f63b78 ("slicing", Kounavis
 * and Berry, 2005); the processor's own instruction where the compiler was told that it exists. */
#ifdef __SSE4_2__
uint32_t crc32c(uint32_t crc, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    uint64_t c = ~crc;
    for (; n >= 8; n -= 8, p += 8) {
        c = __builtin_ia32_crc32di(c, get_u64(p));
    }
    for (; n > 0; n--, p++) {
        c = __builtin_ia32_crc32qi((uint32_t)c, *p);
    }
    return ~(uint32_t)c;
}
#else
static const uint32_t crc_table[8][256] = {
#include "common/base/crc32c_table.h"
};

uint32_t crc32c(uint32_t crc, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    crc = ~crc;
    for (; n >= 8; n -= 8, p += 8) {
        uint64_t w = get_u64(p) ^ crc;
        crc = 0;
        for (unsigned i = 0; i < 8; i++) {
            crc ^= crc_table[7 - i][w >> 8 * i & 0xff];
        }
    }
    for (; n > 0; n--, p++) {
        crc = crc >> 8 ^ crc_table[0][(crc ^ *p) & 0xff];
    }
    return ~crc;
}
#endif
