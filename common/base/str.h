/* common/base/str.h
 *
 * Borrowed text: a pointer and a length, not NUL-terminated. Pure. */
#ifndef COMMON_BASE_STR_H
#define COMMON_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct str {
    const char *p; /* May be NULL when n is 0. */
    size_t n;
};

/* For a literal or an array that ends in one NUL. */
#define STR(literal) ((struct str){"" literal, sizeof(literal) - 1})

/* Format and arguments for printf: "%.*s", STR_ARG(s). */
#define STR_ARG(s) (int)(s).n, (s).n == 0 ? "" : (s).p

static inline struct str str_make(const char *p, size_t n)
{
    struct str s = {p, n};
    return s;
}

/* Wrap a C string; NULL gives the empty string. */
struct str str_of(const char *text);

bool str_eq(struct str a, struct str b);
bool str_eqc(struct str a, const char *b);
bool str_starts(struct str s, const char *prefix);
bool str_ends(struct str s, const char *suffix);
int str_cmp(struct str a, struct str b); /* Byte order, shorter first; as memcmp. */

/* Position of c in s at or after from, or s.n when it is not there. */
size_t str_find(struct str s, char c, size_t from);

/* The part [from, to); both are clamped to the length. */
struct str str_slice(struct str s, size_t from, size_t to);

/* Cut s at the first `sep`: the part before it is returned, *rest is what follows (empty when
 * there was none). */
struct str str_cut(struct str s, char sep, struct str *rest);

/* Decimal digits only, whole string; false on anything else or on overflow. */
bool str_u64(struct str s, uint64_t *ret);

/* As str_u64, with an optional leading minus sign. */
bool str_i64(struct str s, int64_t *ret);

/* Well-formed UTF-8 as in RFC 3629 (no surrogates, no overlong forms). */
bool str_is_utf8(struct str s);

/* Copy into a C array, cut if needed, always NUL-terminated; true when all of it fitted. */
bool str_copy(char *to, size_t size, struct str s);

#endif
