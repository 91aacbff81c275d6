#include "controller/codec/json_text.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_LEN_MAX 64
#define DEPTH_BITS     64

static bool failed(struct json_text *t, const char *why)
{
    t->why = why;
    return false;
}

char json_text_peek(struct json_text *t)
{
    while (t->p < t->end && (*t->p == ' ' || *t->p == '\t' || *t->p == '\n' || *t->p == '\r')) {
        t->p++;
    }
    if (t->p == t->end) {
        return '\0';
    }
    return *t->p;
}

bool json_text_take(struct json_text *t, char c)
{
    if (json_text_peek(t) != c || t->p == t->end) {
        return false;
    }
    t->p++;
    return true;
}

bool json_text_word(struct json_text *t, const char *word)
{
    size_t n = strlen(word);
    (void)json_text_peek(t);
    if ((size_t)(t->end - t->p) < n || memcmp(t->p, word, n) != 0) {
        return false;
    }
    t->p += n;
    return true;
}

/* --- strings -------------------------------------------------------------------------------------
 */

/* Find the closing quote of the string that begins at t->p. */
static bool find_end(struct json_text *t, const char **ret_end, bool *ret_escaped)
{
    const char *p = t->p;
    *ret_escaped = false;
    while (p < t->end && *p != '"') {
        if ((unsigned char)*p < 0x20) {
            return failed(t, "control character in a string");
        }
        if (*p == '\\') {
            *ret_escaped = true;
            p++;
        }
        p++;
    }
    if (p >= t->end) {
        return failed(t, "string without end");
    }
    *ret_end = p;
    return true;
}

static bool hex4(const char *p, const char *end, uint32_t *ret)
{
    uint32_t v = 0;
    if (end - p < 4) {
        return false;
    }
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        uint32_t digit;
        if (c >= '0' && c <= '9') {
            digit = (uint32_t)(c - '0');
        } else if (c >= 'a' && c <= 'f') {
            digit = (uint32_t)(c - 'a') + 10;
        } else if (c >= 'A' && c <= 'F') {
            digit = (uint32_t)(c - 'A') + 10;
        } else {
            return false;
        }
        v = v << 4 | digit;
    }
    *ret = v;
    return true;
}

static char *put_utf8(char *to, uint32_t c)
{
    if (c < 0x80) {
        *to++ = (char)c;
    } else if (c < 0x800) {
        *to++ = (char)(0xc0 | c >> 6);
        *to++ = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *to++ = (char)(0xe0 | c >> 12);
        *to++ = (char)(0x80 | (c >> 6 & 0x3f));
        *to++ = (char)(0x80 | (c & 0x3f));
    } else {
        *to++ = (char)(0xf0 | c >> 18);
        *to++ = (char)(0x80 | (c >> 12 & 0x3f));
        *to++ = (char)(0x80 | (c >> 6 & 0x3f));
        *to++ = (char)(0x80 | (c & 0x3f));
    }
    return to;
}

/* What follows \u, perhaps a pair of surrogates; NULL when it is malformed. */
static const char *unicode(const char *p, const char *end, char **to)
{
    uint32_t c;
    uint32_t low;
    if (!hex4(p, end, &c) || c == 0 || (c >= 0xdc00 && c < 0xe000)) {
        return NULL;
    }
    p += 4;
    if (c >= 0xd800 && c < 0xdc00) {
        if (end - p < 6 || p[0] != '\\' || p[1] != 'u' || !hex4(p + 2, end, &low) || low < 0xdc00 ||
            low >= 0xe000) {
            return NULL;
        }
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        p += 6;
    }
    *to = put_utf8(*to, c);
    return p;
}

/* Returns the end of what was written, or NULL. The result is never longer than the source. */
static char *unescape(const char *p, const char *end, char *to)
{
    static const char from[] = "\"\\/bfnrt";
    static const char into[] = "\"\\/\b\f\n\r\t";
    while (p < end) {
        const char *known;
        if (*p != '\\') {
            *to++ = *p++;
            continue;
        }
        p++;
        if (p < end && *p == 'u') {
            p = unicode(p + 1, end, &to);
            if (p == NULL) {
                return NULL;
            }
            continue;
        }
        known = p < end ? memchr(from, *p, sizeof from - 1) : NULL;
        if (known == NULL) {
            return NULL;
        }
        *to++ = into[known - from];
        p++;
    }
    return to;
}

bool json_text_string(struct json_text *t, struct arena *a, struct str *ret)
{
    const char *end;
    bool escaped;
    char *text;
    size_t n;
    if (!json_text_take(t, '"')) {
        return failed(t, "expected a string");
    }
    if (!find_end(t, &end, &escaped)) {
        return false;
    }
    n = (size_t)(end - t->p);
    if (escaped) {
        char *stop;
        text = arena_alloc(a, n + 1);
        stop = unescape(t->p, end, text);
        if (stop == NULL) {
            return failed(t, "bad escape in a string");
        }
        n = (size_t)(stop - text);
        text[n] = '\0';
    } else {
        text = arena_dup(a, t->p, n);
    }
    *ret = str_make(text, n);
    if (!str_is_utf8(*ret)) {
        return failed(t, "string is not UTF-8");
    }
    t->p = end + 1;
    return true;
}

/* --- numbers -------------------------------------------------------------------------------------
 */

static size_t digits(const char *p, const char *end)
{
    size_t n = 0;
    while (p + n < end && p[n] >= '0' && p[n] <= '9') {
        n++;
    }
    return n;
}

/* The length of the number at p as RFC 8259 spells it, 0 if there is none. */
static size_t number_length(const char *p, const char *end, bool *ret_plain)
{
    const char *at = p;
    size_t n;
    *ret_plain = true;
    if (at < end && *at == '-') {
        at++;
    }
    n = digits(at, end);
    if (n == 0 || (n > 1 && *at == '0')) {
        return 0;
    }
    at += n;
    if (at < end && *at == '.') {
        n = digits(at + 1, end);
        if (n == 0) {
            return 0;
        }
        at += 1 + n;
        *ret_plain = false;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < end && (*at == '+' || *at == '-')) {
            at++;
        }
        n = digits(at, end);
        if (n == 0) {
            return 0;
        }
        at += n;
        *ret_plain = false;
    }
    return (size_t)(at - p);
}

bool json_text_number(struct json_text *t, struct json_number *ret)
{
    char text[NUMBER_LEN_MAX];
    bool plain;
    size_t n;
    (void)json_text_peek(t);
    n = number_length(t->p, t->end, &plain);
    if (n == 0) {
        return failed(t, "expected a number");
    }
    if (n >= sizeof text) {
        return failed(t, "number is too long");
    }
    memcpy(text, t->p, n);
    text[n] = '\0';
    ret->real = strtod(text, NULL);
    ret->is_integer = plain && str_i64(str_make(text, n), &ret->integer);
    if (!ret->is_integer && ret->real >= -9e15 && ret->real <= 9e15 &&
        (double)(int64_t)ret->real == ret->real) {
        ret->integer = (int64_t)ret->real; /* 1.0 and 1e3 are integers too. */
        ret->is_integer = true;
    }
    t->p += n;
    return true;
}

/* --- skipping ------------------------------------------------------------------------------------
 */

static bool skip_string(struct json_text *t)
{
    const char *end;
    bool escaped;
    if (!json_text_take(t, '"') || !find_end(t, &end, &escaped)) {
        return failed(t, "expected a string");
    }
    t->p = end + 1;
    return true;
}

static bool skip_scalar(struct json_text *t)
{
    struct json_number number;
    char c = json_text_peek(t);
    if (c == '"') {
        return skip_string(t);
    }
    if (json_text_word(t, "true") || json_text_word(t, "false") || json_text_word(t, "null")) {
        return true;
    }
    return json_text_number(t, &number) || failed(t, "expected a value");
}

/* What stands between two values: closes what ends and says whether another value follows. */
static bool skip_between(struct json_text *t, uint64_t *objects, unsigned *depth, bool *ret_more)
{
    *ret_more = false;
    while (*depth > 0) {
        bool object = (*objects & 1) != 0;
        if (json_text_take(t, ',')) {
            *ret_more = true;
            return !object || (skip_string(t) && json_text_take(t, ':')) ||
                   failed(t, "expected a name");
        }
        if (!json_text_take(t, object ? '}' : ']')) {
            return failed(t, "expected ',' or the end of a list or object");
        }
        *objects >>= 1;
        (*depth)--;
    }
    return true;
}

bool json_text_skip(struct json_text *t, unsigned depth_max)
{
    uint64_t objects = 0; /* Bit 0: the innermost container is an object. */
    unsigned depth = 0;
    bool more = true;
    assert(depth_max <= DEPTH_BITS);
    while (more) {
        char c = json_text_peek(t);
        if (c == '{' || c == '[') {
            if (depth == depth_max) {
                return failed(t, "nested too deep");
            }
            t->p++;
            depth++;
            objects = objects << 1 | (c == '{' ? 1 : 0);
            if (json_text_peek(t) == (c == '{' ? '}' : ']')) {
                if (!skip_between(t, &objects, &depth, &more)) {
                    return false;
                }
            } else if (c == '{' && !(skip_string(t) && json_text_take(t, ':'))) {
                return failed(t, "expected a name");
            }
            continue;
        }
        if (!skip_scalar(t) || !skip_between(t, &objects, &depth, &more)) {
            return false;
        }
    }
    return true;
}
