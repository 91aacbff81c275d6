#include "common/base/buf.h"

#include "common/base/buggify.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BUF_MIN 64

void buf_init(struct buf *b, const struct mem *mem, size_t max)
{
    memset(b, 0, sizeof *b);
    b->mem = mem;
    b->max = max;
}

void buf_close(struct buf *b)
{
    if (b->mem != NULL) {
        mem_free(b->mem, b->data, b->cap);
    }
    memset(b, 0, sizeof *b);
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->overflow = false;
}

uint8_t *buf_reserve(struct buf *b, size_t n)
{
    size_t cap = b->cap;
    assert(b->mem != NULL);
    if (b->overflow || n > b->max - b->len) {
        b->overflow = true;
        return NULL;
    }
    if (b->len + n > cap) {
        cap = cap < BUF_MIN ? BUF_MIN : cap;
        while (cap < b->len + n) {
            cap *= 2;
        }
        cap = BUGGIFY(BUF_TIGHT) ? b->len + n : cap;
        b->data = mem_resize(b->mem, b->data, b->cap, cap);
        b->cap = cap;
    }
    return b->data + b->len;
}

void buf_put(struct buf *b, const void *bytes, size_t n)
{
    uint8_t *to;
    if (n == 0) {
        return;
    }
    to = buf_reserve(b, n);
    if (to != NULL) {
        memcpy(to, bytes, n);
        b->len += n;
    }
}

void buf_puts(struct buf *b, const char *text)
{
    buf_put(b, text, strlen(text));
}

void buf_put_u8(struct buf *b, uint8_t v)
{
    buf_put(b, &v, 1);
}

void buf_put_u16(struct buf *b, uint16_t v)
{
    uint8_t raw[2];
    put_u16(raw, v);
    buf_put(b, raw, sizeof raw);
}

void buf_put_u32(struct buf *b, uint32_t v)
{
    uint8_t raw[4];
    put_u32(raw, v);
    buf_put(b, raw, sizeof raw);
}

void buf_put_u64(struct buf *b, uint64_t v)
{
    uint8_t raw[8];
    put_u64(raw, v);
    buf_put(b, raw, sizeof raw);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list args;
    va_list again;
    uint8_t *to;
    int n;
    va_start(args, fmt);
    va_copy(again, args);
    n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    assert(n >= 0);
    to = buf_reserve(b, (size_t)n + 1);
    if (to != NULL) {
        (void)vsnprintf((char *)to, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
}

void buf_consume(struct buf *b, size_t n)
{
    assert(n <= b->len);
    b->len -= n;
    if (b->len > 0 && n > 0) {
        memmove(b->data, b->data + n, b->len);
    }
}

const char *buf_cstr(struct buf *b)
{
    uint8_t *end = buf_reserve(b, 1);
    if (end == NULL) {
        return "";
    }
    *end = '\0';
    return (const char *)b->data;
}

uint16_t get_u16(const void *p)
{
    const uint8_t *b = p;
    return (uint16_t)(b[0] | b[1] << 8);
}

uint32_t get_u32(const void *p)
{
    const uint8_t *b = p;
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

uint64_t get_u64(const void *p)
{
    const uint8_t *b = p;
    return (uint64_t)get_u32(b) | (uint64_t)get_u32(b + 4) << 32;
}

void put_u16(void *p, uint16_t v)
{
    uint8_t *b = p;
    b[0] = (uint8_t)v;
    b[1] = (uint8_t)(v >> 8);
}

void put_u32(void *p, uint32_t v)
{
    uint8_t *b = p;
    put_u16(b, (uint16_t)v);
    put_u16(b + 2, (uint16_t)(v >> 16));
}

void put_u64(void *p, uint64_t v)
{
    uint8_t *b = p;
    put_u32(b, (uint32_t)v);
    put_u32(b + 4, (uint32_t)(v >> 32));
}
