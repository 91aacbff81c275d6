/* common/net/h2.h
 *
 * Private to common/net: what the HTTP/2 server and client share. */
#ifndef COMMON_NET_H2_H
#define COMMON_NET_H2_H

#include "common/base/buf.h"
#include "common/net/http.h"
#include "common/net/stream.h"

#include <nghttp2/nghttp2.h>

#define H2_CONN_WINDOW  (1024 * 1024)
#define HTTP_OUT_MAX    (HTTP_RESPONSE_MAX + 128u * 1024u)
#define HTTP_STREAM_MAX (4u * 1024u * 1024u + HTTP_WRITE_HIGH) /* Unsent pieces of one call. */

/* --- the body one side sends on a stream
 * -------------------------------------------------------------- */
struct h2_out { /* Zeroed: empty. */
    struct buf bytes;
    size_t at;
    struct buf trailers; /* name, NUL, value, NUL, ... */
    bool finished;
    bool deferred; /* nghttp2 waits for more. */
};

void h2_out_close(struct h2_out *o);
size_t h2_out_left(const struct h2_out *o);

/* Append; ERR_FULL when more than max would wait. */
int h2_out_put(struct h2_out *o, const void *bytes, size_t n, size_t max);
void h2_out_put_trailer(struct h2_out *o, struct str name, struct str value);

/* There is more, or the end: have nghttp2 ask again. */
void h2_out_wake(struct h2_out *o, nghttp2_session *session, int32_t stream_id);

/* The body of nghttp2's data source callback. */
ssize_t h2_out_read(struct h2_out *o, nghttp2_session *session, int32_t stream_id, uint8_t *to,
                    size_t size, uint32_t *flags);

/* --- sessions
 * ------------------------------------------------------------------------------------------- */

/* Write what nghttp2 has to say until it has no more or the stream is full. */
int h2_send(nghttp2_session *session, struct stream *stream);

/* Copied by nghttp2 when it is submitted. */
nghttp2_nv h2_nv(struct str name, struct str value);

/* Manual windows, limits on what a peer may queue; release with nghttp2_option_del(). */
nghttp2_option *h2_options(void);

/* Memory for sessions: nghttp2 allocates 16 KiB for a frame that is mostly a few hundred bytes.
 * From here large blocks come straight from the kernel, so pages never touched are never paid for.
 */
nghttp2_mem *h2_mem(void);

/* Frames that cost us work and the peer nothing. Counted per second. */
struct h2_flood {
    uint64_t second;
    unsigned n;
};
bool h2_is_flood(struct h2_flood *f, const nghttp2_frame *frame);

#endif
