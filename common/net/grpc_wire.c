#include "common/net/grpc_wire.h"

#include "common/loop/sysmem.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

void grpc_reader_init(struct grpc_reader *r, size_t max)
{
    memset(r, 0, sizeof *r);
    r->max = max;
    buf_init(&r->body, sysmem(), max);
}

void grpc_reader_close(struct grpc_reader *r)
{
    buf_close(&r->body);
}

static int take_head(struct grpc_reader *r, struct str *bytes)
{
    while (r->n_head < GRPC_HEAD && bytes->n > 0) {
        r->head[r->n_head++] = (uint8_t)bytes->p[0];
        *bytes = str_slice(*bytes, 1, bytes->n);
    }
    if (r->n_head < GRPC_HEAD) {
        return 0;
    }
    r->length = (uint32_t)r->head[1] << 24 | (uint32_t)r->head[2] << 16 |
                (uint32_t)r->head[3] << 8 | (uint32_t)r->head[4];
    if (r->head[0] != 0) {
        return r->head[0] == 1 ? ERR_UNSUPPORTED : ERR_PROTOCOL;
    }
    return r->length > r->max ? ERR_TOOBIG : 1;
}

int grpc_reader_next(struct grpc_reader *r, struct str *bytes, struct str *ret)
{
    size_t need;
    int rv;
    if (r->served) { /* Large blocks go back, so that quiet streams hold nothing. */
        size_t max = r->body.max;
        buf_close(&r->body);
        buf_init(&r->body, sysmem(), max);
        r->served = false;
    }
    rv = take_head(r, bytes);
    if (rv <= 0) {
        return rv;
    }
    need = r->length - r->body.len;
    if (r->body.len == 0 && bytes->n >= need) { /* All there: no copy. */
        *ret = str_slice(*bytes, 0, need);
        *bytes = str_slice(*bytes, need, bytes->n);
        r->n_head = 0;
        return 1;
    }
    need = need < bytes->n ? need : bytes->n;
    buf_put(&r->body, bytes->p, need);
    *bytes = str_slice(*bytes, need, bytes->n);
    if (r->body.len < r->length) {
        return 0;
    }
    *ret = str_make((const char *)r->body.data, r->body.len);
    r->served = true;
    r->n_head = 0;
    return 1;
}

bool grpc_reader_at_boundary(const struct grpc_reader *r)
{
    return r->n_head == 0;
}

size_t grpc_reader_held(const struct grpc_reader *r)
{
    return r->body.len;
}

void grpc_put_head(uint8_t ret[GRPC_HEAD], uint32_t length)
{
    ret[0] = 0;
    ret[1] = (uint8_t)(length >> 24);
    ret[2] = (uint8_t)(length >> 16);
    ret[3] = (uint8_t)(length >> 8);
    ret[4] = (uint8_t)length;
}

bool grpc_parse_timeout(struct str text, uint64_t *ret_ms)
{
    uint64_t n;
    if (text.n < 2 || text.n > 9 || !str_u64(str_slice(text, 0, text.n - 1), &n)) {
        return false;
    }
    switch (text.p[text.n - 1]) {
    case 'H':
        *ret_ms = n * 3600000;
        return true;
    case 'M':
        *ret_ms = n * 60000;
        return true;
    case 'S':
        *ret_ms = n * 1000;
        return true;
    case 'm':
        *ret_ms = n;
        return true;
    case 'u':
        *ret_ms = (n + 999) / 1000;
        return true;
    case 'n':
        *ret_ms = (n + 999999) / 1000000;
        return true;
    default:
        return false;
    }
}

void grpc_format_timeout(uint64_t ms, char ret[16])
{
    const uint64_t max = 99999999;
    if (ms <= max) {
        (void)snprintf(ret, 16, "%um", (unsigned)ms);
    } else {
        uint64_t s = ms / 1000 < max ? ms / 1000 : max;
        (void)snprintf(ret, 16, "%uS", (unsigned)s);
    }
}

struct str grpc_percent_encode(struct arena *arena, struct str text)
{
    static const char hex[] = "0123456789ABCDEF";
    char *to = arena_alloc(arena, 3 * text.n);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        bool edge = i == 0 || i + 1 == text.n; /* A field must not begin or end with a space. */
        if ((c > 0x20 || (c == 0x20 && !edge)) && c <= 0x7e && c != '%') {
            to[n++] = (char)c;
        } else {
            to[n++] = '%';
            to[n++] = hex[c >> 4];
            to[n++] = hex[c & 15];
        }
    }
    return str_make(to, n);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

struct str grpc_percent_decode(struct arena *arena, struct str text)
{
    char *to = arena_alloc(arena, text.n + 1); /* Ends in NUL. */
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        int hi = text.p[i] == '%' && i + 2 < text.n ? hex_digit(text.p[i + 1]) : -1;
        int lo = hi >= 0 ? hex_digit(text.p[i + 2]) : -1;
        if (lo >= 0) {
            to[n++] = (char)(hi << 4 | lo);
            i += 2;
        } else {
            to[n++] = text.p[i];
        }
    }
    return str_make(to, n);
}

struct str grpc_base64_encode(struct arena *arena, struct str bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *to = arena_alloc(arena, (bytes.n + 2) / 3 * 4);
    size_t n = 0;
    for (size_t i = 0; i < bytes.n; i += 3) {
        size_t left = bytes.n - i;
        uint32_t v = (uint32_t)(unsigned char)bytes.p[i] << 16;
        v |= left > 1 ? (uint32_t)(unsigned char)bytes.p[i + 1] << 8 : 0;
        v |= left > 2 ? (uint32_t)(unsigned char)bytes.p[i + 2] : 0;
        to[n++] = digits[v >> 18];
        to[n++] = digits[v >> 12 & 63];
        if (left > 1) {
            to[n++] = digits[v >> 6 & 63];
        }
        if (left > 2) {
            to[n++] = digits[v & 63];
        }
    }
    return str_make(to, n);
}

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

struct str grpc_base64_decode(struct arena *arena, struct str text)
{
    uint8_t *to;
    size_t n = 0;
    uint32_t v = 0;
    unsigned bits = 0;
    for (int i = 0; i < 2 && str_ends(text, "="); i++) {
        text.n--;
    }
    to = arena_alloc(arena, text.n + 1);
    for (size_t i = 0; i < text.n; i++) {
        int digit = base64_digit(text.p[i]);
        if (digit < 0) {
            return str_make(NULL, 0);
        }
        v = v << 6 | (uint32_t)digit;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            to[n++] = (uint8_t)(v >> bits);
            v &= (1u << bits) - 1;
        }
    }
    return text.n % 4 == 1 ? str_make(NULL, 0) : str_make((const char *)to, n);
}
