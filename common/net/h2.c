#include "common/net/h2.h"

#include "common/loop/loop.h"
#include "common/loop/sysmem.h"

#include <assert.h>
#include <string.h>
#include <sys/mman.h>

#define FLOOD_PER_S  1000
#define RESET_BURST  200 /* Streams a peer may reset at once, */
#define RESET_PER_S  20  /* and then per second. */
#define SETTINGS_MAX 32
#define ACKS_MAX     100
#define TRAILER_MAX  32
#define MAP_FROM     12288 /* Blocks of this size and more are mapped. */

void h2_out_close(struct h2_out *o)
{
    buf_close(&o->bytes);
    buf_close(&o->trailers);
}

size_t h2_out_left(const struct h2_out *o)
{
    return o->bytes.len - o->at;
}

int h2_out_put(struct h2_out *o, const void *bytes, size_t n, size_t max)
{
    size_t left = h2_out_left(o);
    if (n > max || left > max - n) {
        return ERR_FULL;
    }
    if (o->bytes.mem == NULL) {
        buf_init(&o->bytes, sysmem(), 2 * (size_t)HTTP_OUT_MAX);
    }
    if (o->at > 0 && o->at >= o->bytes.len / 2) {
        buf_consume(&o->bytes, o->at);
        o->at = 0;
    }
    buf_put(&o->bytes, bytes, n);
    assert(!o->bytes.overflow);
    return 0;
}

void h2_out_put_trailer(struct h2_out *o, struct str name, struct str value)
{
    if (o->trailers.mem == NULL) {
        buf_init(&o->trailers, sysmem(), 4 * (size_t)HTTP_HEADER_MAX);
    }
    buf_put(&o->trailers, name.p, name.n);
    buf_put_u8(&o->trailers, 0);
    buf_put(&o->trailers, value.p, value.n);
    buf_put_u8(&o->trailers, 0);
}

void h2_out_wake(struct h2_out *o, nghttp2_session *session, int32_t stream_id)
{
    if (o->deferred) {
        o->deferred = false;
        (void)nghttp2_session_resume_data(session, stream_id); /* Fails when the stream is gone. */
    }
}

static void submit_trailers(struct h2_out *o, nghttp2_session *session, int32_t stream_id)
{
    nghttp2_nv nv[TRAILER_MAX];
    size_t n = 0;
    const char *p = (const char *)o->trailers.data;
    const char *end = p + o->trailers.len;
    while (p < end && n < TRAILER_MAX) {
        struct str name = str_of(p);
        struct str value = str_of(p + name.n + 1);
        nv[n++] = h2_nv(name, value);
        p = value.p + value.n + 1;
    }
    (void)nghttp2_submit_trailer(session, stream_id, nv, n);
}

ssize_t h2_out_read(struct h2_out *o, nghttp2_session *session, int32_t stream_id, uint8_t *to,
                    size_t size, uint32_t *flags)
{
    size_t n = h2_out_left(o);
    n = n < size ? n : size;
    if (n == 0 && !o->finished) {
        o->deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    if (n > 0) {
        memcpy(to, o->bytes.data + o->at, n);
        o->at += n;
    }
    if (h2_out_left(o) == 0) {
        buf_close(&o->bytes);
        o->at = 0;
        if (o->finished) {
            *flags |= NGHTTP2_DATA_FLAG_EOF;
            if (o->trailers.len > 0) {
                *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
                submit_trailers(o, session, stream_id);
            }
        }
    }
    return (ssize_t)n;
}

int h2_send(nghttp2_session *session, struct stream *stream)
{
    while (stream_writable(stream)) {
        const uint8_t *bytes;
        ssize_t n = nghttp2_session_mem_send(session, &bytes);
        if (n < 0) {
            return ERR_PROTOCOL;
        }
        if (n == 0 || stream_write(stream, bytes, (size_t)n) != 0) {
            break; /* Nothing left; or the stream is going, and says so itself. */
        }
    }
    return 0;
}

nghttp2_nv h2_nv(struct str name, struct str value)
{
    nghttp2_nv nv;
    nv.name = (uint8_t *)name.p;
    nv.namelen = name.n;
    nv.value = (uint8_t *)(value.p == NULL ? "" : value.p);
    nv.valuelen = value.n;
    nv.flags = NGHTTP2_NV_FLAG_NONE;
    return nv;
}

nghttp2_option *h2_options(void)
{
    nghttp2_option *o;
    int rv = nghttp2_option_new(&o);
    assert(rv == 0);
    nghttp2_option_set_no_auto_window_update(o, 1);
    nghttp2_option_set_no_closed_streams(o, 1);
    nghttp2_option_set_max_settings(o, SETTINGS_MAX);
    nghttp2_option_set_max_outbound_ack(o, ACKS_MAX);
    nghttp2_option_set_stream_reset_rate_limit(o, RESET_BURST, RESET_PER_S);
    return o;
}

/* --- memory
 * ------------------------------------------------------------------------------------------------
 */

struct block { /* In front of each allocation. */
    size_t size;
    size_t mapped; /* Bytes from mmap(), or 0. */
};

_Static_assert(sizeof(struct block) % 16 == 0, "what follows must be aligned for any type");

static void *block_alloc(size_t size, void *user)
{
    struct block *b;
    (void)user;
    if (size > SIZE_MAX / 2) {
        return NULL;
    }
    if (size >= MAP_FROM) {
        b = mmap(NULL, size + sizeof *b, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                 0);
        if (b == MAP_FAILED) {
            return NULL;
        }
        b->mapped = size + sizeof *b;
    } else {
        b = mem_alloc(sysmem(), size + sizeof *b);
    }
    b->size = size;
    return b + 1;
}

static void block_free(void *ptr, void *user)
{
    struct block *b = ptr;
    (void)user;
    if (b == NULL) {
        return;
    }
    b--;
    if (b->mapped != 0) {
        (void)munmap(b, b->mapped);
    } else {
        mem_free(sysmem(), b, b->size + sizeof *b);
    }
}

static void *block_calloc(size_t n, size_t size, void *user)
{
    if (size != 0 && n > SIZE_MAX / 2 / size) {
        return NULL;
    }
    return block_alloc(n * size, user); /* Zeroed either way. */
}

static void *block_realloc(void *ptr, size_t size, void *user)
{
    void *fresh = block_alloc(size, user);
    if (ptr != NULL && fresh != NULL) {
        size_t old = ((struct block *)ptr - 1)->size;
        memcpy(fresh, ptr, old < size ? old : size);
        block_free(ptr, user);
    }
    return fresh;
}

nghttp2_mem *h2_mem(void)
{
    static nghttp2_mem mem = {NULL, block_alloc, block_free, block_calloc, block_realloc};
    return &mem;
}

bool h2_is_flood(struct h2_flood *f, const nghttp2_frame *frame)
{
    uint64_t second;
    bool cheap = frame->hd.type == NGHTTP2_PING || frame->hd.type == NGHTTP2_SETTINGS ||
                 frame->hd.type == NGHTTP2_PRIORITY || frame->hd.type == NGHTTP2_RST_STREAM ||
                 (frame->hd.type == NGHTTP2_DATA && frame->hd.length == 0 &&
                  (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0);
    if (!cheap) {
        return false;
    }
    second = clock_mono_ms() / 1000;
    if (second != f->second) {
        f->second = second;
        f->n = 0;
    }
    f->n++;
    return f->n > FLOOD_PER_S;
}
