/* tests/fuzz/common/fake_stream.h
 *
 * Streams and listeners without sockets, for fuzzing what sits on them. Defines the functions of
 * stream.h that common/net uses, so the linker leaves the real ones out: include it in exactly one
 * file of a program. Written bytes are dropped; the peer is whoever calls fake_*(). */
#ifndef TESTS_FUZZ_COMMON_FAKE_STREAM_H
#define TESTS_FUZZ_COMMON_FAKE_STREAM_H

#include "common/loop/loop.h"
#include "common/loop/sysmem.h"
#include "common/net/stream.h"

#include <assert.h>

struct stream {
    const struct stream_events *events;
    void *data;
    bool paused;
    bool closing; /* on_close is to come. */
    int status;
    const char *alpn;
    struct addr addr;
    struct pki_identity peer;
};

struct listener {
    listener_cb cb;
    void *data;
    struct addr addr;
};

static struct listener fake_listener;
static struct stream *fake_connected; /* The newest result of stream_connect(). */

static struct stream *fake_make(const char *alpn)
{
    struct stream *s = mem_alloc(sysmem(), sizeof *s);
    s->alpn = alpn;
    return s;
}

/* A new connection on the listener. */
__attribute__((unused)) static struct stream *fake_accept(const char *alpn)
{
    struct stream *s = fake_make(alpn);
    fake_listener.cb(&fake_listener, s, fake_listener.data);
    assert(s->events != NULL);
    return s;
}

/* The peer sends; false when nobody reads any more. */
static bool fake_feed(struct stream *s, uv_loop_t *loop, const uint8_t *bytes, size_t n)
{
    for (int i = 0; i < 50 && s->paused && !s->closing; i++) {
        (void)uv_run(loop, UV_RUN_NOWAIT);
    }
    if (s->closing || s->paused) {
        return false;
    }
    s->events->on_read(s, s->data, bytes, n);
    (void)uv_run(loop, UV_RUN_NOWAIT);
    return !s->closing;
}

/* The connection ends; the stream is gone. */
static void fake_end(struct stream *s, uv_loop_t *loop)
{
    if (!s->closing && s->events->on_eof != NULL) {
        s->events->on_eof(s, s->data);
    }
    for (int i = 0; i < 3; i++) {
        (void)uv_run(loop, UV_RUN_NOWAIT);
    }
    s->events->on_close(s, s->data, s->status);
    mem_free(sysmem(), s, sizeof *s);
    for (int i = 0; i < 3; i++) {
        (void)uv_run(loop, UV_RUN_NOWAIT);
    }
}

int listener_open(uv_loop_t *loop, const struct listener_options *options, listener_cb cb,
                  void *data, struct listener **ret, struct err *err)
{
    (void)loop;
    (void)options;
    (void)err;
    fake_listener.cb = cb;
    fake_listener.data = data;
    *ret = &fake_listener;
    return 0;
}

void listener_close(struct listener *l)
{
    (void)l;
}

const struct addr *listener_addr(const struct listener *l)
{
    return &l->addr;
}

uint64_t listener_refused(const struct listener *l)
{
    (void)l;
    return 0;
}

int stream_connect(uv_loop_t *loop, const struct connect_options *options,
                   const struct stream_events *events, void *data, struct stream **ret,
                   struct err *err)
{
    struct stream *s = fake_make("h2");
    (void)loop;
    (void)options;
    (void)err;
    s->events = events;
    s->data = data;
    fake_connected = s;
    *ret = s;
    return 0;
}

void stream_accept(struct stream *s, const struct stream_events *events, void *data)
{
    s->events = events;
    s->data = data;
}

int stream_write(struct stream *s, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    volatile uint8_t sum = 0;
    for (size_t i = 0; i < n; i++) { /* Reads all of it, so that the sanitizer looks. */
        sum = (uint8_t)(sum + p[i]);
    }
    return s->closing ? ERR_CLOSED : 0;
}

bool stream_writable(struct stream *s)
{
    return !s->closing;
}

size_t stream_queued(const struct stream *s)
{
    (void)s;
    return 0;
}

void stream_pause(struct stream *s)
{
    s->paused = true;
}

void stream_resume(struct stream *s)
{
    s->paused = false;
}

void stream_close(struct stream *s)
{
    s->closing = true;
}

void stream_abort(struct stream *s)
{
    s->closing = true;
    s->status = ERR_CANCELED;
}

const struct addr *stream_peer_addr(const struct stream *s)
{
    return &s->addr;
}

const struct pki_identity *stream_peer(const struct stream *s)
{
    return &s->peer;
}

struct str stream_alpn(const struct stream *s)
{
    return str_of(s->alpn);
}

bool stream_is_tls(const struct stream *s)
{
    (void)s;
    return true;
}

uint64_t stream_last_read_ms(const struct stream *s)
{
    (void)s;
    return 0;
}

const char *stream_error(const struct stream *s)
{
    (void)s;
    return "";
}

#endif
