/* common/base/buf.h
 *
 * A growable byte buffer that must state its maximum at birth. Writes past the maximum set
 * `overflow` and are dropped, so a sequence of appends needs one check at the end. Pure. */
#ifndef COMMON_BASE_BUF_H
#define COMMON_BASE_BUF_H

#include "common/base/mem.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
    uint8_t *data; /* Not NUL-terminated, except after buf_cstr(). */
    size_t len;
    bool overflow; /* Something was dropped because max was reached. */
    /* Private. */
    size_t cap;
    size_t max;
    const struct mem *mem;
};

/* mem is borrowed until buf_close(). */
void buf_init(struct buf *b, const struct mem *mem, size_t max);

/* Release; zeroed buffers are fine. */
void buf_close(struct buf *b);

/* Forget the content, keep the memory. */
void buf_clear(struct buf *b);

/* Make room for n more bytes and return where they go, or NULL with overflow set. The caller adds
 * what it wrote to b->len. */
uint8_t *buf_reserve(struct buf *b, size_t n);

void buf_put(struct buf *b, const void *bytes, size_t n);
void buf_puts(struct buf *b, const char *text);
void buf_put_u8(struct buf *b, uint8_t v);
void buf_put_u16(struct buf *b, uint16_t v); /* Little-endian, as are the next two. */
void buf_put_u32(struct buf *b, uint32_t v);
void buf_put_u64(struct buf *b, uint64_t v);
__attribute__((format(printf, 2, 3))) void buf_printf(struct buf *b, const char *fmt, ...);

/* Drop the first n bytes (n <= len). */
void buf_consume(struct buf *b, size_t n);

/* The content as a C string; valid until the next call on b. "" when nothing fits. */
const char *buf_cstr(struct buf *b);

/* Little-endian reads from raw memory. */
uint16_t get_u16(const void *p);
uint32_t get_u32(const void *p);
uint64_t get_u64(const void *p);
void put_u16(void *p, uint16_t v);
void put_u32(void *p, uint32_t v);
void put_u64(void *p, uint64_t v);

#endif
