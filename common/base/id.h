/* common/base/id.h
 *
 * 128-bit identities of tasks, nodes and containers: 32 lower-case hex digits in ARNs. Pure. */
#ifndef COMMON_BASE_ID_H
#define COMMON_BASE_ID_H

#include "common/base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define ID_HEX_LEN  32
#define ID_UUID_LEN 36

struct id {
    uint64_t hi;
    uint64_t lo;
};

/* An id that depends on its arguments alone, so replicas and replays agree. Never id_none. */
struct id id_derive(uint64_t seed, uint64_t revision, uint64_t n);

static inline bool id_eq(struct id a, struct id b)
{
    return a.hi == b.hi && a.lo == b.lo;
}

static inline bool id_is_none(struct id a)
{
    return (a.hi | a.lo) == 0;
}

int id_cmp(struct id a, struct id b); /* <0, 0, >0. */

/* "0123456789abcdef0123456789abcdef" and "01234567-89ab-cdef-0123-456789abcdef". */
void id_hex(struct id id, char ret[ID_HEX_LEN + 1]);
void id_uuid(struct id id, char ret[ID_UUID_LEN + 1]);

/* Exactly 32 lower- or upper-case hex digits. */
bool id_parse(struct str text, struct id *ret);

#endif
