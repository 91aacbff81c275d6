#include "common/base/str.h"

#include <assert.h>
#include <string.h>

struct str str_of(const char *text)
{
    struct str s = {text, text == NULL ? 0 : strlen(text)};
    return s;
}

bool str_eq(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool str_eqc(struct str a, const char *b)
{
    return str_eq(a, str_of(b));
}

bool str_starts(struct str s, const char *prefix)
{
    size_t n = strlen(prefix);
    return s.n >= n && (n == 0 || memcmp(s.p, prefix, n) == 0);
}

bool str_ends(struct str s, const char *suffix)
{
    size_t n = strlen(suffix);
    return s.n >= n && (n == 0 || memcmp(s.p + s.n - n, suffix, n) == 0);
}

int str_cmp(struct str a, struct str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int rv = n == 0 ? 0 : memcmp(a.p, b.p, n);
    if (rv != 0) {
        return rv;
    }
    return a.n < b.n ? -1 : a.n > b.n;
}

size_t str_find(struct str s, char c, size_t from)
{
    const char *at;
    if (from >= s.n) {
        return s.n;
    }
    at = memchr(s.p + from, c, s.n - from);
    return at == NULL ? s.n : (size_t)(at - s.p);
}

struct str str_slice(struct str s, size_t from, size_t to)
{
    to = to > s.n ? s.n : to;
    from = from > to ? to : from;
    if (s.p == NULL) {
        return s;
    }
    return str_make(s.p + from, to - from);
}

struct str str_cut(struct str s, char sep, struct str *rest)
{
    size_t at = str_find(s, sep, 0);
    *rest = str_slice(s, at + 1, s.n);
    return str_slice(s, 0, at);
}

bool str_u64(struct str s, uint64_t *ret)
{
    uint64_t v = 0;
    if (s.n == 0) {
        return false;
    }
    for (size_t i = 0; i < s.n; i++) {
        uint64_t digit = (uint64_t)(unsigned char)s.p[i] - '0';
        if (digit > 9 || v > (UINT64_MAX - digit) / 10) {
            return false;
        }
        v = v * 10 + digit;
    }
    *ret = v;
    return true;
}

bool str_i64(struct str s, int64_t *ret)
{
    bool negative = s.n > 0 && s.p[0] == '-';
    uint64_t limit = negative ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX;
    uint64_t v;
    if (!str_u64(negative ? str_slice(s, 1, s.n) : s, &v) || v > limit) {
        return false;
    }
    *ret = negative ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

/* Length of the sequence that starts at p, or 0 when it is malformed. */
static size_t utf8_len(const unsigned char *p, size_t n)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    size_t len = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    uint32_t cp;
    if (len <= 1) {
        return len;
    }
    if (p[0] > 0xf4 || len > n) {
        return 0;
    }
    cp = p[0] & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
        cp = cp << 6 | (p[i] & 0x3fu);
    }
    return cp < least[len] || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff) ? 0 : len;
}

bool str_is_utf8(struct str s)
{
    size_t i = 0;
    while (i < s.n) {
        size_t len = utf8_len((const unsigned char *)s.p + i, s.n - i);
        if (len == 0) {
            return false;
        }
        i += len;
    }
    return true;
}

bool str_copy(char *to, size_t size, struct str s)
{
    size_t n = s.n < size ? s.n : size - 1;
    assert(size > 0);
    if (n > 0) {
        memcpy(to, s.p, n);
    }
    to[n] = '\0';
    return n == s.n;
}
