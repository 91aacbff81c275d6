/* common/net/stream_impl.h
 *
 * Private to stream.c and listener.c: what a listener knows of a stream it made, and back. */
#ifndef COMMON_NET_STREAM_IMPL_H
#define COMMON_NET_STREAM_IMPL_H

#include "common/base/list.h"
#include "common/net/stream.h"

struct listener_link {         /* Embedded in each stream. */
    struct listener *listener; /* NULL for streams that connected. */
    struct list in_bucket;     /* Of the same address hash. */
    struct list waiting;       /* To go on with its handshake. */
};

/* Accept the waiting connection; NULL when it is gone already. The caller links it to l, then
 * calls stream_begin(). */
struct stream *stream_take(uv_stream_t *server, const struct stream_options *options,
                           struct tls_context *tls, struct listener *l);

/* Start the handshake, or open without TLS. */
void stream_begin(struct stream *s);

/* Go on with a handshake that had to wait. */
void stream_shake(struct stream *s);

/* Abort it unless somebody accepted it. */
void stream_drop_unowned(struct stream *s);

struct listener_link *stream_link(struct stream *s);
struct stream *stream_of_link(struct listener_link *link);

/* Listener side: the handshake is done; it failed; the stream is gone. link->listener may be NULL
 * but for the first. */
void listener_opened(struct listener_link *link, struct stream *s);

/* Is this turn's time for handshakes spent? Then stream_shake() comes in another one. */
bool listener_defers(struct listener_link *link);
void listener_spent(struct listener_link *link, uint64_t ns);

void listener_failed(struct listener_link *link, struct stream *s);
void listener_unlink(struct listener_link *link);

#endif
