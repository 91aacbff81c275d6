/* common/base/hex.h
 *
 * Bytes as lower-case hex digits. Pure. */
#ifndef COMMON_BASE_HEX_H
#define COMMON_BASE_HEX_H

#include <stddef.h>
#include <stdint.h>

/* ret has room for 2 * n digits and the NUL. */
static inline void hex_write(const uint8_t *bytes, size_t n, char *ret)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        ret[2 * i] = digits[bytes[i] >> 4];
        ret[2 * i + 1] = digits[bytes[i] & 15];
    }
    ret[2 * n] = '\0';
}

#endif
