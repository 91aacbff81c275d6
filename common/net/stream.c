/* Three buffers, all empty and unallocated on an idle stream:
 *
 *     stream_write() -> plain -> [TLS] -> wire -> air -> kernel
 *
 * plain collects what the owner writes; a flush, once per turn of the loop, encrypts it into wire
 * (without TLS it is taken as it is) and tries to write it directly. What the kernel does not take
 * is swapped into air, which belongs to libuv until its callback. */
#include "common/net/stream.h"

#include "common/base/buf.h"
#include "common/base/list.h"
#include "common/loop/loop.h"
#include "common/loop/sysmem.h"
#include "common/net/stream_impl.h"

#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#define READ_CHUNK   65536
#define WIRE_CHUNK   (128u * 1024u) /* Ciphertext made ahead of the kernel. */
#define WIRE_SLACK   (256u * 1024u) /* Framing and handshake on top of queue_max. */
#define KEEP_CAP     1024           /* Larger buffers go back when they are empty. */
#define QUEUE_HIGH   (64u * 1024u)
#define USER_TIMEOUT 10000
#define KEEPALIVE_S  30

enum state {
    STATE_CONNECTING,
    STATE_HANDSHAKE,
    STATE_OPEN,
    STATE_CLOSING, /* stream_close(): sending the rest. */
    STATE_LINGER,  /* All sent, FIN too: waiting for the peer's. */
    STATE_DEAD,    /* uv_close() was called; on_close is next. */
};

struct stream {
    uv_tcp_t tcp;
    uv_write_t write;
    uv_connect_t connect;
    enum state state;
    const struct stream_events *events; /* NULL while nobody owns it. */
    void *data;
    struct loop_timer *timer; /* Connect, handshake and linger limits. */
    struct loop_soon *soon;
    struct listener_link link;
    struct tls_context *tls_ctx;
    struct tls *tls;
    struct buf plain;
    size_t plain_at;
    struct buf wire;
    struct buf air;
    bool flying; /* air belongs to libuv. */
    bool paused;
    bool resuming;
    bool eof;      /* The peer's end was seen; */
    bool eof_told; /* and the owner knows. */
    bool want_drain;
    bool said_goodbye; /* close_notify is in wire. */
    size_t queue_max;
    size_t queue_high;
    unsigned user_timeout_ms;
    unsigned keepalive_s;
    struct addr peer_addr;
    struct addr local_addr;
    uint64_t last_read_ms;
    uint64_t last_write_ms;
    int status;
    char error[160];
};

static void flush(struct stream *s);
static void linger_if_sent(struct stream *s);

/* --- the end
 * -------------------------------------------------------------------------------------- */

static void on_closed(uv_handle_t *handle)
{
    struct stream *s = handle->data;
    if (s->events == NULL && s->status != 0 && s->status != ERR_CANCELED) {
        listener_failed(&s->link, s);
    }
    listener_unlink(&s->link);
    if (s->events != NULL) {
        s->events->on_close(s, s->data, s->status);
    }
    tls_close(s->tls);
    buf_close(&s->plain);
    buf_close(&s->wire);
    buf_close(&s->air);
    mem_free(sysmem(), s, sizeof *s);
}

/* The first cause decides; later ones are echoes of it. */
static void finish(struct stream *s, int status, const char *text)
{
    if (s->state == STATE_DEAD) {
        return;
    }
    if (s->tls != NULL && !s->flying && s->wire.len > 0 && s->state != STATE_CONNECTING) {
        uv_buf_t alert = uv_buf_init((char *)s->wire.data, (unsigned)s->wire.len);
        (void)uv_try_write((uv_stream_t *)&s->tcp, &alert, 1); /* A courtesy: it may fail. */
    }
    s->state = STATE_DEAD;
    s->status = status;
    (void)str_copy(s->error, sizeof s->error, str_of(text));
    loop_timer_close(s->timer);
    loop_soon_close(s->soon);
    s->timer = NULL;
    s->soon = NULL;
    uv_close((uv_handle_t *)&s->tcp, on_closed);
}

static void finish_uv(struct stream *s, int rv)
{
    int code = ERR_IO;
    if (rv == UV_ECONNRESET || rv == UV_EPIPE || rv == UV_ECONNABORTED) {
        code = ERR_CLOSED;
    } else if (rv == UV_ETIMEDOUT) {
        code = ERR_TIMEOUT;
    } else if (rv == UV_ECONNREFUSED || rv == UV_EHOSTUNREACH || rv == UV_ENETUNREACH) {
        code = ERR_UNAVAILABLE;
    }
    finish(s, code, uv_strerror(rv));
}

static void on_timeout(void *data)
{
    struct stream *s = data;
    switch (s->state) {
    case STATE_CONNECTING:
        finish(s, ERR_TIMEOUT, "connect timed out");
        break;
    case STATE_HANDSHAKE:
        finish(s, ERR_TIMEOUT, "TLS handshake timed out");
        break;
    case STATE_CLOSING:
        finish(s, ERR_TIMEOUT, "the peer did not take the rest in time");
        break;
    case STATE_LINGER:
        finish(s, 0, "closed");
        break;
    case STATE_OPEN:
    case STATE_DEAD:
        break;
    }
}

static void set_timer(struct stream *s, uint64_t ms)
{
    if (s->timer == NULL) {
        s->timer = loop_timer_open(s->tcp.loop, on_timeout, s);
    }
    loop_timer_start(s->timer, ms);
}

/* --- writing
 * -------------------------------------------------------------------------------------- */

static void buf_reset(struct buf *b)
{
    if (b->cap > KEEP_CAP) {
        const struct mem *mem = b->mem;
        size_t max = b->max;
        buf_close(b);
        buf_init(b, mem, max);
    } else {
        buf_clear(b);
    }
}

static void plain_consume(struct stream *s, size_t n)
{
    s->plain_at += n;
    assert(s->plain_at <= s->plain.len);
    if (s->plain_at == s->plain.len) {
        s->plain_at = 0;
        buf_reset(&s->plain);
    }
}

/* Encrypt a bounded piece of plain into wire. */
static int encrypt(struct stream *s)
{
    while (s->plain.len > s->plain_at && s->wire.len < WIRE_CHUNK) {
        struct err err = {0};
        size_t n = s->plain.len - s->plain_at;
        int rv;
        n = n < TLS_RECORD_MAX ? n : TLS_RECORD_MAX;
        rv = tls_write(s->tls, s->plain.data + s->plain_at, n, &err);
        if (rv != 0) {
            finish(s, rv, err.text);
            return rv;
        }
        plain_consume(s, n);
    }
    if (s->state == STATE_CLOSING && s->plain.len == s->plain_at && !s->said_goodbye) {
        s->said_goodbye = true;
        tls_shutdown(s->tls);
    }
    return 0;
}

static void tell_drain(struct stream *s)
{
    if (s->want_drain && s->state == STATE_OPEN && stream_queued(s) <= s->queue_high / 2) {
        s->want_drain = false;
        if (s->events != NULL && s->events->on_drain != NULL) {
            s->events->on_drain(s, s->data);
        }
    }
}

static void on_written(uv_write_t *req, int status)
{
    struct stream *s = req->handle->data;
    s->flying = false;
    if (s->state == STATE_DEAD) {
        return;
    }
    if (status != 0) {
        finish_uv(s, status);
        return;
    }
    s->last_write_ms = uv_now(s->tcp.loop);
    buf_reset(&s->air);
    flush(s);
    tell_drain(s);
}

/* What the kernel did not take of source[at..] goes on in the background. */
static void fly(struct stream *s, struct buf *source, size_t at)
{
    struct buf empty = s->air;
    uv_buf_t rest;
    int rv;
    s->air = *source;
    *source = empty;
    rest = uv_buf_init((char *)s->air.data + at, (unsigned)(s->air.len - at));
    rv = uv_write(&s->write, (uv_stream_t *)&s->tcp, &rest, 1, on_written);
    if (rv != 0) {
        finish_uv(s, rv);
        return;
    }
    s->flying = true;
}

/* One direct write of what is ready. True when all of it went and there may be more. */
static bool push(struct stream *s)
{
    struct buf *source = s->tls != NULL ? &s->wire : &s->plain;
    size_t at = s->tls != NULL ? 0 : s->plain_at;
    uv_buf_t ready;
    int n;
    if (source->len == at) {
        return false;
    }
    ready = uv_buf_init((char *)source->data + at, (unsigned)(source->len - at));
    n = uv_try_write((uv_stream_t *)&s->tcp, &ready, 1);
    if (n < 0 && n != UV_EAGAIN) {
        finish_uv(s, n);
        return false;
    }
    if (n > 0) {
        at += (size_t)n;
        s->last_write_ms = uv_now(s->tcp.loop);
    }
    s->plain_at = s->tls != NULL ? s->plain_at : 0;
    if (at < source->len) {
        fly(s, source, at);
        return false;
    }
    buf_reset(source);
    return true;
}

static void flush(struct stream *s)
{
    bool more = true;
    if (s->state == STATE_CONNECTING || s->state == STATE_LINGER) {
        return;
    }
    while (more && s->state != STATE_DEAD && !s->flying) {
        if (s->tls != NULL && s->state != STATE_HANDSHAKE && encrypt(s) != 0) {
            return;
        }
        more = (s->tls != NULL || s->state != STATE_HANDSHAKE) && push(s);
    }
    if (s->state == STATE_CLOSING) {
        linger_if_sent(s);
    }
}

/* --- reading
 * -------------------------------------------------------------------------------------- */

static void tell_eof(struct stream *s)
{
    if (s->eof_told || s->paused || s->state != STATE_OPEN) {
        return;
    }
    s->eof_told = true;
    if (s->events != NULL && s->events->on_eof != NULL) {
        s->events->on_eof(s, s->data);
    } else {
        stream_close(s);
    }
}

static void tell_open(struct stream *s)
{
    s->state = STATE_OPEN;
    loop_timer_close(s->timer);
    s->timer = NULL;
    if (s->link.listener != NULL) {
        listener_opened(&s->link, s);
        if (s->events == NULL) {
            stream_close(s); /* Nobody wanted it. */
        }
    } else if (s->events->on_open != NULL) {
        s->events->on_open(s, s->data);
    }
    if (s->state == STATE_OPEN && s->paused) {
        (void)uv_read_stop((uv_stream_t *)&s->tcp);
    }
    if (s->state != STATE_DEAD) {
        loop_soon_post(s->soon);
    }
}

static void shake_hands(struct stream *s)
{
    struct err err = {0};
    int rv = tls_handshake(s->tls, &err);
    if (rv != 0 && rv != ERR_AGAIN) {
        finish(s, rv == ERR_CLOSED ? ERR_CLOSED : rv, err.text[0] ? err.text : "closed");
        return;
    }
    if (rv == 0) {
        tell_open(s); /* Our last message leaves together with the first data. */
    } else {
        flush(s);
    }
}

/* Decrypt and hand out until input, or the owner's patience, is used up. */
static void decrypt(struct stream *s)
{
    uint8_t clear[TLS_RECORD_MAX];
    while (s->state == STATE_OPEN && !s->paused && !s->eof) {
        struct err err = {0};
        int n = tls_read(s->tls, clear, sizeof clear, &err);
        if (n > 0) {
            if (s->events->on_read != NULL) {
                s->events->on_read(s, s->data, clear, (size_t)n);
            }
            continue;
        }
        if (n == ERR_CLOSED) {
            s->eof = true;
        } else if (n != ERR_AGAIN) {
            finish(s, n, err.text);
        }
        break;
    }
    if (s->state == STATE_OPEN && s->wire.len > 0) {
        loop_soon_post(s->soon); /* Reading can make output: key updates. */
    }
}

static void take_tls(struct stream *s, const uint8_t *bytes, size_t n)
{
    tls_feed(s->tls, bytes, n);
    if (s->state == STATE_HANDSHAKE && listener_defers(&s->link)) {
        (void)uv_read_stop((uv_stream_t *)&s->tcp);
    } else {
        if (s->state == STATE_HANDSHAKE) {
            uint64_t from = uv_hrtime();
            shake_hands(s);
            listener_spent(&s->link, uv_hrtime() - from);
        }
        decrypt(s);
    }
    tls_settle(s->tls);
}

static void take_eof(struct stream *s)
{
    if (s->state == STATE_HANDSHAKE) {
        finish(s, ERR_CLOSED, "closed by the peer during the TLS handshake");
        return;
    }
    s->eof = true;
    if (s->state == STATE_LINGER) {
        finish(s, 0, "closed");
        return;
    }
    (void)uv_read_stop((uv_stream_t *)&s->tcp);
}

static void on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *ret)
{
    (void)handle;
    (void)hint;
    /* Used at once and given back in on_input(), so one block serves all streams in turn. */
    ret->base = sysmem()->resize(NULL, NULL, 0, READ_CHUNK);
    ret->len = READ_CHUNK;
}

static void on_input(uv_stream_t *handle, ssize_t n, const uv_buf_t *buf)
{
    struct stream *s = handle->data;
    if (n > 0) {
        s->last_read_ms = uv_now(s->tcp.loop);
        if (s->state == STATE_CLOSING || s->state == STATE_LINGER || s->state == STATE_DEAD ||
            s->eof) {
            ; /* Read only so that the peer is not cut off by a reset. */
        } else if (s->tls != NULL) {
            take_tls(s, (const uint8_t *)buf->base, (size_t)n);
        } else if (s->events->on_read != NULL) {
            s->events->on_read(s, s->data, (const uint8_t *)buf->base, (size_t)n);
        }
    } else if (n == UV_EOF) {
        take_eof(s);
    } else if (n < 0 && n != UV_EAGAIN) {
        if (s->state == STATE_LINGER) {
            finish(s, 0, "closed");
        } else {
            finish_uv(s, (int)n);
        }
    }
    mem_free(sysmem(), buf->base, buf->len);
    if (s->state == STATE_OPEN && s->eof) {
        tell_eof(s);
    }
}

static void read_start(struct stream *s)
{
    int rv;
    if (s->state == STATE_DEAD || s->eof || uv_is_closing((uv_handle_t *)&s->tcp)) {
        return;
    }
    rv = uv_read_start((uv_stream_t *)&s->tcp, on_alloc, on_input);
    if (rv != 0 && rv != UV_EALREADY) {
        finish_uv(s, rv);
    }
}

/* What was read already, then more. */
static void go_on_reading(struct stream *s)
{
    if (s->tls != NULL) {
        take_tls(s, NULL, 0);
    }
    if (s->state == STATE_HANDSHAKE ? list_empty(&s->link.waiting)
                                    : s->state == STATE_OPEN && !s->paused) {
        read_start(s);
    }
    if (s->state == STATE_OPEN && s->eof) {
        tell_eof(s);
    }
}

void stream_shake(struct stream *s)
{
    if (s->state == STATE_HANDSHAKE) {
        go_on_reading(s);
    }
}

/* The end of a turn: send what was written in it, go on reading after a pause. */
static void on_soon(void *data)
{
    struct stream *s = data;
    flush(s);
    if (s->resuming && !s->paused && s->state == STATE_OPEN) {
        s->resuming = false;
        go_on_reading(s);
    }
    if (s->state == STATE_OPEN) {
        tell_drain(s);
    }
}

/* --- graceful close
 * --------------------------------------------------------------------------------- */

/* When everything is out: FIN, and wait for the peer's. Closing with unread input would reset the
 * connection and could take our last bytes from the peer. */
static void linger_if_sent(struct stream *s)
{
    int fd;
    if (s->flying || stream_queued(s) > 0) {
        return;
    }
    if (s->eof) {
        finish(s, 0, "closed");
        return;
    }
    s->state = STATE_LINGER;
    if (uv_fileno((const uv_handle_t *)&s->tcp, &fd) != 0 || shutdown(fd, SHUT_WR) != 0) {
        finish(s, 0, "closed");
        return;
    }
    read_start(s);
}

void stream_close(struct stream *s)
{
    if (s->state == STATE_CONNECTING || s->state == STATE_HANDSHAKE) {
        finish(s, 0, "closed");
        return;
    }
    if (s->state != STATE_OPEN) {
        return;
    }
    s->state = STATE_CLOSING;
    set_timer(s, STREAM_LINGER_MS);
    loop_soon_post(s->soon);
}

void stream_abort(struct stream *s)
{
    if (s->state != STATE_DEAD) {
        buf_reset(&s->wire); /* No courtesy. */
    }
    finish(s, ERR_CANCELED, "aborted");
}

/* --- making
 * ------------------------------------------------------------------------------------------ */

static void tune(struct stream *s)
{
    int fd;
    int user_ms = (int)s->user_timeout_ms;
    int interval_s = (int)(s->keepalive_s / 3 > 0 ? s->keepalive_s / 3 : 1);
    int count = 3;
    (void)uv_tcp_nodelay(&s->tcp, 1);
    (void)uv_tcp_keepalive(&s->tcp, 1, s->keepalive_s);
    if (uv_fileno((const uv_handle_t *)&s->tcp, &fd) == 0) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_ms, sizeof user_ms);
        (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
        (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
    }
}

static void note_addresses(struct stream *s)
{
    struct sockaddr_storage sa;
    int n = sizeof sa;
    if (uv_tcp_getpeername(&s->tcp, (struct sockaddr *)&sa, &n) == 0) {
        (void)addr_from_sockaddr((struct sockaddr *)&sa, &s->peer_addr);
    }
    n = sizeof sa;
    if (uv_tcp_getsockname(&s->tcp, (struct sockaddr *)&sa, &n) == 0) {
        (void)addr_from_sockaddr((struct sockaddr *)&sa, &s->local_addr);
    }
}

static struct stream *stream_make(uv_loop_t *loop, const struct stream_options *o,
                                  struct tls_context *tls)
{
    struct stream *s = mem_alloc(sysmem(), sizeof *s);
    int rv = uv_tcp_init(loop, &s->tcp);
    size_t room;
    assert(rv == 0);
    s->tcp.data = s;
    s->soon = loop_soon_open(loop, on_soon, s);
    s->tls_ctx = tls;
    s->queue_max = o->queue_max != 0 ? o->queue_max : STREAM_QUEUE_DEFAULT;
    s->queue_high = o->queue_high != 0 ? o->queue_high : QUEUE_HIGH;
    s->user_timeout_ms = o->user_timeout_ms != 0 ? o->user_timeout_ms : USER_TIMEOUT;
    s->keepalive_s = o->keepalive_s != 0 ? o->keepalive_s : KEEPALIVE_S;
    room = s->queue_max + WIRE_SLACK;
    buf_init(&s->plain, sysmem(), room);
    buf_init(&s->wire, sysmem(), room);
    buf_init(&s->air, sysmem(), room);
    list_init(&s->link.in_bucket);
    list_init(&s->link.waiting);
    s->last_read_ms = s->last_write_ms = uv_now(loop);
    return s;
}

/* The socket is connected: handshake, or open at once. */
void stream_begin(struct stream *s)
{
    struct err err = {0};
    tune(s);
    note_addresses(s);
    if (s->tls_ctx == NULL) {
        tell_open(s);
    } else {
        int rv = 0;
        s->state = STATE_HANDSHAKE;
        set_timer(s, STREAM_HANDSHAKE_MS);
        if (s->tls == NULL) {
            rv = tls_open(s->tls_ctx, NULL, &s->wire, &s->tls, &err);
        }
        if (rv != 0) {
            finish(s, rv, err.text);
            return;
        }
        shake_hands(s);
    }
    if (s->state == STATE_HANDSHAKE || (s->state == STATE_OPEN && !s->paused)) {
        read_start(s);
    }
}

struct stream *stream_take(uv_stream_t *server, const struct stream_options *options,
                           struct tls_context *tls, struct listener *l)
{
    struct stream *s = stream_make(server->loop, options, tls);
    if (uv_accept(server, (uv_stream_t *)&s->tcp) != 0) {
        finish(s, ERR_IO, "accept failed");
        return NULL;
    }
    s->link.listener = l;
    note_addresses(s);
    return s;
}

void stream_drop_unowned(struct stream *s)
{
    if (s->events == NULL) {
        stream_abort(s);
    }
}

struct listener_link *stream_link(struct stream *s)
{
    return &s->link;
}

struct stream *stream_of_link(struct listener_link *link)
{
    return container_of(link, struct stream, link);
}

static void on_connected(uv_connect_t *req, int status)
{
    struct stream *s = req->handle->data;
    if (s->state == STATE_DEAD) {
        return;
    }
    if (status != 0) {
        finish_uv(s, status);
        return;
    }
    stream_begin(s);
}

int stream_connect(uv_loop_t *loop, const struct connect_options *options,
                   const struct stream_events *events, void *data, struct stream **ret,
                   struct err *err)
{
    struct stream *s = stream_make(loop, &options->stream, options->tls);
    char text[ADDR_TEXT_MAX];
    int rv = 0;
    if (options->tls != NULL) { /* Now, because the expectations are borrowed for this call. */
        rv = tls_open(options->tls, &options->expect, &s->wire, &s->tls, err);
        if (rv != 0) {
            goto fail;
        }
    }
    if (!addr_is_none(&options->bind)) {
        rv = uv_tcp_bind(&s->tcp, &options->bind.u.sa, 0);
    }
    if (rv == 0) {
        rv = uv_tcp_connect(&s->connect, &s->tcp, &options->addr.u.sa, on_connected);
    }
    if (rv != 0) {
        rv = err_set(err, ERR_IO, "connect to %s: %s", addr_text(&options->addr, text),
                     uv_strerror(rv));
        goto fail;
    }
    s->events = events;
    s->data = data;
    s->peer_addr = options->addr;
    set_timer(s, options->stream.connect_timeout_ms != 0 ? options->stream.connect_timeout_ms
                                                         : STREAM_CONNECT_MS);
    *ret = s;
    return 0;

fail:
    finish(s, rv, ""); /* Without events nobody hears of it. */
    return rv;
}

void stream_accept(struct stream *s, const struct stream_events *events, void *data)
{
    assert(s->events == NULL && s->link.listener != NULL);
    stream_set_events(s, events, data);
}

void stream_set_events(struct stream *s, const struct stream_events *events, void *data)
{
    assert(events != NULL && events->on_close != NULL);
    s->events = events;
    s->data = data;
}

/* --- using
 * ------------------------------------------------------------------------------------------- */

int stream_write(struct stream *s, const void *bytes, size_t n)
{
    if (s->state >= STATE_CLOSING) {
        return ERR_CLOSED;
    }
    if (n > s->queue_max || stream_queued(s) > s->queue_max - n) {
        return ERR_FULL;
    }
    if (s->plain_at > 0 && s->plain_at >= s->plain.len / 2) {
        buf_consume(&s->plain, s->plain_at);
        s->plain_at = 0;
    }
    buf_put(&s->plain, bytes, n);
    assert(!s->plain.overflow);
    loop_soon_post(s->soon);
    return 0;
}

bool stream_writable(struct stream *s)
{
    if (stream_queued(s) < s->queue_high) {
        return true;
    }
    s->want_drain = true;
    return false;
}

size_t stream_queued(const struct stream *s)
{
    return s->plain.len - s->plain_at + s->wire.len + (s->flying ? s->air.len : 0);
}

void stream_flush(struct stream *s)
{
    if (s->state == STATE_OPEN) {
        flush(s);
        if (s->state == STATE_OPEN && s->want_drain) {
            loop_soon_post(s->soon); /* on_drain comes from the loop. */
        }
    }
}

void stream_pause(struct stream *s)
{
    s->paused = true;
    s->resuming = false;
    if (s->state == STATE_OPEN) {
        (void)uv_read_stop((uv_stream_t *)&s->tcp);
    }
}

void stream_resume(struct stream *s)
{
    if (s->paused) {
        s->paused = false;
        s->resuming = true;
        if (s->state == STATE_OPEN) {
            loop_soon_post(s->soon);
        }
    }
}

const struct addr *stream_peer_addr(const struct stream *s)
{
    return &s->peer_addr;
}

const struct addr *stream_local_addr(const struct stream *s)
{
    return &s->local_addr;
}

const struct pki_identity *stream_peer(const struct stream *s)
{
    static const struct pki_identity nobody;
    return s->tls == NULL ? &nobody : tls_peer(s->tls);
}

struct str stream_alpn(const struct stream *s)
{
    return s->tls == NULL ? str_make(NULL, 0) : tls_alpn(s->tls);
}

bool stream_is_tls(const struct stream *s)
{
    return s->tls != NULL;
}

struct tls *stream_tls(struct stream *s)
{
    return s->tls;
}

uint64_t stream_last_read_ms(const struct stream *s)
{
    return s->last_read_ms;
}

uint64_t stream_last_write_ms(const struct stream *s)
{
    return s->last_write_ms;
}

const char *stream_error(const struct stream *s)
{
    return s->error;
}
