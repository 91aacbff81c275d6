/* common/net/stream.h
 *
 * One TCP connection, plain or TLS, as two byte queues with back-pressure.
 *
 * Life: made by stream_connect() or handed over by a listener; ends with on_close, which runs
 * exactly once, from the loop, never inside a call of this header, as the last callback; the
 * stream is gone when it returns. Until then every function may be called, also inside callbacks.
 *
 * Writing copies into a queue that is flushed once per turn of the loop, so many small writes
 * cost one TLS record and one system call. Reading hands out bytes as they arrive; a reader that
 * is too busy pauses the stream, which in the end stops the peer. Idle streams hold no buffers.
 * Loop thread only. */
#ifndef COMMON_NET_STREAM_H
#define COMMON_NET_STREAM_H

#include "common/base/err.h"
#include "common/net/addr.h"
#include "common/net/tls.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define STREAM_HANDSHAKE_MS  5000
#define STREAM_CONNECT_MS    5000
#define STREAM_LINGER_MS     5000 /* For a graceful close to get its bytes out. */
#define STREAM_QUEUE_DEFAULT (4u * 1024u * 1024u)

struct stream;   /* Opaque. */
struct listener; /* Opaque. */

struct stream_events { /* Each but on_close may be NULL. data is what the owner gave. */
    /* Connected, and the peer verified if there is TLS. Not for accepted streams: they are. */
    void (*on_open)(struct stream *s, void *data);
    /* n > 0 bytes, borrowed for the call. */
    void (*on_read)(struct stream *s, void *data, const uint8_t *bytes, size_t n);
    /* The peer will send no more; writing still works. Without this callback the stream closes
     * itself, gracefully. */
    void (*on_eof)(struct stream *s, void *data);
    /* The queue has fallen under the low mark after stream_write() had found it over the high. */
    void (*on_drain)(struct stream *s, void *data);
    /* status: 0 after stream_close() or the peer's orderly end, ERR_CANCELED after stream_abort(),
     * otherwise what went wrong (ERR_TIMEOUT, ERR_DENIED, ERR_CLOSED, ERR_IO, ERR_PROTOCOL),
     * in words in stream_error(). */
    void (*on_close)(struct stream *s, void *data, int status);
};

struct stream_options {          /* Zeroed fields mean the default. */
    size_t queue_max;            /* Bytes a stream may hold unsent; STREAM_QUEUE_DEFAULT. */
    size_t queue_high;           /* "Enough for now"; default 64 KiB. Low mark: half of it. */
    unsigned user_timeout_ms;    /* TCP_USER_TIMEOUT: unacknowledged data kills; default 10 s. */
    unsigned keepalive_s;        /* First probe after this much silence; default 30 s. */
    unsigned connect_timeout_ms; /* Default STREAM_CONNECT_MS; name lookup not included. */
};

struct connect_options {
    struct addr addr;
    struct addr bind;        /* Local address; zeroed: any. */
    struct tls_context *tls; /* Borrowed for the stream's life; NULL: plain TCP. */
    struct tls_expect expect;
    struct stream_options stream;
};

/* --- connecting
 * -------------------------------------------------------------------------------------- */

/* Failing here, nothing was started; failing later shows in on_close. */
int stream_connect(uv_loop_t *loop, const struct connect_options *options,
                   const struct stream_events *events, void *data, struct stream **ret,
                   struct err *err);

/* --- listening
 * --------------------------------------------------------------------------------------- */

/* A connection whose handshake is done. The callback calls stream_accept() on it to keep it, now
 * or never: otherwise it is closed. */
typedef void (*listener_cb)(struct listener *l, struct stream *s, void *data);

struct listener_options {
    struct addr addr;        /* Port 0: the kernel chooses, see listener_addr(). */
    struct tls_context *tls; /* Borrowed; NULL: plain TCP. */
    unsigned max_streams;    /* Open at a time, handshakes included; default 4,096. */
    unsigned max_per_ip;     /* Of those without verified identity, per address; default 100. */
    unsigned shake_us;       /* For handshakes in one turn of the loop; further ones wait for the
                                next. Default 10,000: a thousand nodes that come back at once do not
                                keep the loop from everything else. */
    struct stream_options stream;
};

int listener_open(uv_loop_t *loop, const struct listener_options *options, listener_cb cb,
                  void *data, struct listener **ret, struct err *err);

/* Stop listening and drop handshakes under way; accepted streams live on. NULL is fine. */
void listener_close(struct listener *l);

/* Where it listens, with the real port. */
const struct addr *listener_addr(const struct listener *l);

/* Streams open now; connections refused so far because of a limit or a failed handshake. */
unsigned listener_count(const struct listener *l);
uint64_t listener_refused(const struct listener *l);

/* Take over a stream inside listener_cb; events is borrowed for the stream's life. */
void stream_accept(struct stream *s, const struct stream_events *events, void *data);

/* --- using
 * ------------------------------------------------------------------------------------------- */

/* Queue a copy of n bytes. ERR_FULL beyond queue_max (nothing is queued), ERR_CLOSED once closing
 * began. Allowed before on_open. */
int stream_write(struct stream *s, const void *bytes, size_t n);

/* False when the queue is over the high mark; on_drain follows. */
bool stream_writable(struct stream *s);

size_t stream_queued(const struct stream *s);

/* Send the queue now instead of at the end of the turn. */
void stream_flush(struct stream *s);

/* While paused no on_read and no on_eof. Resuming delivers from the loop, not inside the call. */
void stream_pause(struct stream *s);
void stream_resume(struct stream *s);

/* Send what is queued, say goodbye, close. No on_read, on_eof or on_drain from here on. */
void stream_close(struct stream *s);

/* Close at once, dropping the queue. */
void stream_abort(struct stream *s);

/* For the owner: replace what stream_accept() or stream_connect() set. */
void stream_set_events(struct stream *s, const struct stream_events *events, void *data);

/* Local and remote address; zeroed before on_open. */
const struct addr *stream_peer_addr(const struct stream *s);
const struct addr *stream_local_addr(const struct stream *s);

/* Who the peer is; role PKI_ROLE_NONE without TLS or certificate. Never NULL. */
const struct pki_identity *stream_peer(const struct stream *s);
struct str stream_alpn(const struct stream *s);
bool stream_is_tls(const struct stream *s);

/* The session, for tls_pinned_ca(); NULL without TLS. */
struct tls *stream_tls(struct stream *s);

/* When bytes last arrived or left, clock_mono_ms(). */
uint64_t stream_last_read_ms(const struct stream *s);
uint64_t stream_last_write_ms(const struct stream *s);

/* Why it closed, for people; valid in on_close. Never NULL. */
const char *stream_error(const struct stream *s);

#endif
