#include "common/base/id.h"

#include "common/base/hash.h"

#include <string.h>

struct id id_derive(uint64_t seed, uint64_t revision, uint64_t n)
{
    struct id id;
    id.hi = hash_mix(hash_mix(hash_mix(1, seed), revision), n);
    id.lo = hash_mix(hash_mix(hash_mix(2, seed), revision), n);
    id.lo |= id_is_none(id);
    return id;
}

int id_cmp(struct id a, struct id b)
{
    if (a.hi != b.hi) {
        return a.hi < b.hi ? -1 : 1;
    }
    return a.lo < b.lo ? -1 : a.lo > b.lo;
}

void id_hex(struct id id, char ret[ID_HEX_LEN + 1])
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < 16; i++) {
        ret[i] = digits[id.hi >> (60 - 4 * i) & 15];
        ret[16 + i] = digits[id.lo >> (60 - 4 * i) & 15];
    }
    ret[ID_HEX_LEN] = '\0';
}

void id_uuid(struct id id, char ret[ID_UUID_LEN + 1])
{
    char hex[ID_HEX_LEN + 1];
    size_t at = 0;
    id_hex(id, hex);
    for (size_t i = 0; i < ID_HEX_LEN; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20) {
            ret[at++] = '-';
        }
        ret[at++] = hex[i];
    }
    ret[at] = '\0';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool id_parse(struct str text, struct id *ret)
{
    uint64_t half[2] = {0, 0};
    if (text.n != ID_HEX_LEN) {
        return false;
    }
    for (size_t i = 0; i < ID_HEX_LEN; i++) {
        int d = hex_digit(text.p[i]);
        if (d < 0) {
            return false;
        }
        half[i / 16] = half[i / 16] << 4 | (uint64_t)d;
    }
    ret->hi = half[0];
    ret->lo = half[1];
    return true;
}
