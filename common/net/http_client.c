/* HTTP/2 client side over nghttp2; the mirror of http2.c. An exchange is found by nghttp2's stream
 * user data alone, never by a pointer kept in a data source, so a cancelled exchange can be freed
 * while nghttp2 still holds frames of its stream. */
#include "common/net/http_client.h"

#include "common/base/arena.h"
#include "common/base/list.h"
#include "common/loop/loop.h"
#include "common/loop/sysmem.h"
#include "common/net/h2.h"
#include "common/net/http_impl.h"

#include <assert.h>
#include <string.h>

#define PING_TIMEOUT_MS 5000
#define EXCHANGES_MAX   1000

struct http_client {
    struct stream *stream;
    nghttp2_session *session;
    struct http_client_options options;
    const struct http_client_events *events;
    void *data;
    struct list exchanges;
    unsigned n_doomed; /* Cancelled; on_close comes at the end of the turn. */
    unsigned n_open;
    struct loop_soon *soon;
    struct loop_timer *timer;
    struct h2_flood flood;
    bool opened;
    bool goaway;
    bool shutdown;
    bool closing;
    bool resuming;
    bool pinging;
    uint64_t pinged_ms;
    int fail; /* Why we gave up ourselves. */
    char fail_text[160];
};

struct http_exchange {
    struct http_client *client;
    struct list in_client;
    const struct http_exchange_events *events;
    void *data;
    int32_t stream_id;
    struct arena arena;
    struct http_fields headers;
    struct http_fields trailers;
    unsigned status;
    struct h2_out out;
    struct buf held; /* Arrived during a pause. */
    bool sent;       /* Its header has left. */
    bool header_done;
    bool ended; /* The response is complete. */
    bool paused;
    bool want_drain;
    bool too_big;
    bool cancelled;
    bool closed;      /* nghttp2 is done with it; */
    int close_status; /* on_close waits for the end of a pause. */
    uint32_t error_code;
};

/* --- exchanges
 * ------------------------------------------------------------------------------------------ */

static struct http_exchange *exchange_of(nghttp2_session *session, int32_t stream_id)
{
    return nghttp2_session_get_stream_user_data(session, stream_id);
}

static void exchange_done(struct http_exchange *x, int status)
{
    list_remove(&x->in_client);
    x->client->n_open--;
    x->events->on_close(x, status);
    h2_out_close(&x->out);
    buf_close(&x->held);
    arena_close(&x->arena);
    mem_free(sysmem(), x, sizeof *x);
}

static ssize_t on_want_data(nghttp2_session *session, int32_t stream_id, uint8_t *to, size_t size,
                            uint32_t *flags, nghttp2_data_source *source, void *data)
{
    struct http_exchange *x = exchange_of(session, stream_id);
    (void)source;
    (void)data;
    if (x == NULL) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* Cancelled: resets the stream. */
    }
    return h2_out_read(&x->out, session, stream_id, to, size, flags);
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *data)
{
    struct http_exchange *x = exchange_of(session, frame->hd.stream_id);
    (void)data;
    if (x != NULL && !x->header_done) { /* What came before was 1xx. */
        memset(&x->headers, 0, sizeof x->headers);
        x->status = 0;
    }
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name_p,
                     size_t name_n, const uint8_t *value_p, size_t value_n, uint8_t flags,
                     void *data)
{
    struct http_exchange *x = exchange_of(session, frame->hd.stream_id);
    struct str name = str_make((const char *)name_p, name_n);
    struct str value = str_make((const char *)value_p, value_n);
    uint64_t status;
    (void)flags;
    (void)data;
    if (x == NULL || x->too_big) {
        return 0;
    }
    if (str_eqc(name, ":status")) {
        x->status = str_u64(value, &status) && status < 1000 ? (unsigned)status : 0;
    } else if (!http_fields_add(x->header_done ? &x->trailers : &x->headers, &x->arena, name,
                                value)) {
        x->too_big = true;
        return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, x->stream_id,
                                         NGHTTP2_ENHANCE_YOUR_CALM);
    }
    return 0;
}

/* The response is complete; if our request is not, nobody wants the rest of it. */
static void response_ended(struct http_exchange *x)
{
    x->ended = true;
    if (!x->out.finished || h2_out_left(&x->out) > 0) {
        (void)nghttp2_submit_rst_stream(x->client->session, NGHTTP2_FLAG_NONE, x->stream_id,
                                        NGHTTP2_NO_ERROR);
    }
}

static void take_settings(struct http_client *c)
{
    if (!c->opened) {
        c->opened = true;
        if (c->events->on_open != NULL) {
            c->events->on_open(c, c->data);
        }
    }
}

static void take_goaway(struct http_client *c)
{
    if (!c->goaway) {
        c->goaway = true;
        if (c->events->on_goaway != NULL) {
            c->events->on_goaway(c, c->data);
        }
    }
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *data)
{
    struct http_client *c = data;
    struct http_exchange *x;
    if (h2_is_flood(&c->flood, frame)) {
        return nghttp2_session_terminate_session(session, NGHTTP2_ENHANCE_YOUR_CALM);
    }
    if (frame->hd.type == NGHTTP2_SETTINGS && (frame->hd.flags & NGHTTP2_FLAG_ACK) == 0) {
        take_settings(c);
    } else if (frame->hd.type == NGHTTP2_GOAWAY) {
        take_goaway(c);
    }
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) {
        return 0;
    }
    x = exchange_of(session, frame->hd.stream_id);
    if (x == NULL) {
        return 0;
    }
    if (frame->hd.type == NGHTTP2_HEADERS && !x->header_done && x->status >= 200) {
        x->header_done = true;
        if (x->events->on_header != NULL) {
            x->events->on_header(x, x->status);
        }
    }
    x = exchange_of(session, frame->hd.stream_id); /* The callback may have cancelled it. */
    if (x != NULL && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
        response_ended(x);
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *bytes,
                   size_t n, void *data)
{
    struct http_exchange *x = exchange_of(session, stream_id);
    (void)flags;
    (void)data;
    (void)nghttp2_session_consume_connection(session, n);
    if (x == NULL) {
        return 0;
    }
    if (x->paused) {
        if (x->held.mem == NULL) {
            buf_init(&x->held, sysmem(), 4 * (size_t)HTTP_WINDOW); /* The window bounds it. */
        }
        buf_put(&x->held, bytes, n);
        return 0;
    }
    if (x->events->on_data != NULL) {
        x->events->on_data(x, str_make((const char *)bytes, n));
    }
    (void)nghttp2_session_consume_stream(session, stream_id, n);
    return 0;
}

static int close_status(const struct http_exchange *x, uint32_t code)
{
    if (x->too_big) {
        return ERR_TOOBIG;
    }
    if (x->ended && x->header_done) {
        return 0;
    }
    return code == NGHTTP2_REFUSED_STREAM ? ERR_UNAVAILABLE : ERR_PROTOCOL;
}

static void deliver_held(struct http_exchange *x)
{
    struct buf held = x->held;
    if (held.len == 0) {
        return;
    }
    memset(&x->held, 0, sizeof x->held);
    if (x->events->on_data != NULL) {
        x->events->on_data(x, str_make((const char *)held.data, held.len));
    }
    (void)nghttp2_session_consume_stream(x->client->session, x->stream_id, held.len);
    loop_soon_post(x->client->soon);
    buf_close(&held);
}

static int on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t code, void *data)
{
    struct http_exchange *x = exchange_of(session, stream_id);
    (void)data;
    if (x != NULL) {
        (void)nghttp2_session_set_stream_user_data(session, stream_id, NULL);
        x->error_code = code;
        x->closed = true;
        x->close_status = close_status(x, code);
        if (!x->paused) {
            exchange_done(x, x->close_status);
        } /* Otherwise after what is held was delivered. */
    }
    return 0;
}

static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *data)
{
    struct http_exchange *x;
    (void)data;
    if (frame->hd.type == NGHTTP2_HEADERS) {
        x = exchange_of(session, frame->hd.stream_id);
        if (x != NULL) {
            x->sent = true;
        }
    }
    return 0;
}

/* --- the connection
 * --------------------------------------------------------------------------------------- */

static void give_up(struct http_client *c, int status, const char *text)
{
    if (c->closing) {
        return;
    }
    c->closing = true;
    c->fail = status;
    (void)str_copy(c->fail_text, sizeof c->fail_text, str_of(text));
    loop_timer_stop(c->timer);
    if (status == 0) {
        stream_close(c->stream);
    } else {
        stream_abort(c->stream);
    }
}

/* on_close may cancel more of them, so the search begins anew each time. */
static void drop_doomed(struct http_client *c)
{
    struct list *it = c->exchanges.next;
    while (c->n_doomed > 0) {
        struct http_exchange *x = container_of(it, struct http_exchange, in_client);
        assert(it != &c->exchanges);
        it = it->next;
        if (x->cancelled) {
            c->n_doomed--;
            exchange_done(x, ERR_CANCELED);
            it = c->exchanges.next;
        }
    }
}

/* Owners that wait for room, or that resumed: at the end of a turn. */
static void visit_exchanges(struct http_client *c)
{
    struct list *it;
    struct list *after;
    list_each_safe (it, after, &c->exchanges) {
        struct http_exchange *x = container_of(it, struct http_exchange, in_client);
        if (x->cancelled) {
            continue;
        }
        if (c->resuming && !x->paused) {
            deliver_held(x);
            if (x->closed && !x->paused && !x->cancelled) {
                exchange_done(x, x->close_status);
                continue;
            }
        }
        if (x->want_drain && !x->cancelled && h2_out_left(&x->out) <= HTTP_WRITE_HIGH / 2) {
            x->want_drain = false;
            if (x->events->on_drain != NULL) {
                x->events->on_drain(x);
            }
        }
    }
    c->resuming = false;
}

static void turn(void *data)
{
    struct http_client *c = data;
    if (c->session == NULL || c->closing) {
        drop_doomed(c);
        return;
    }
    if (h2_send(c->session, c->stream) != 0) {
        give_up(c, ERR_PROTOCOL, "HTTP/2 session failed");
        return;
    }
    visit_exchanges(c);
    drop_doomed(c);
    if (!nghttp2_session_want_read(c->session) && !nghttp2_session_want_write(c->session)) {
        give_up(c, 0, "closed");
    } else if (c->shutdown && c->n_open == 0) {
        (void)nghttp2_session_terminate_session(c->session, NGHTTP2_NO_ERROR);
        (void)h2_send(c->session, c->stream);
        give_up(c, 0, "closed");
    }
}

static void arm_ping(struct http_client *c, uint64_t ms)
{
    loop_timer_start(c->timer, ms > 0 ? ms : 1);
}

static void on_timer(void *data)
{
    struct http_client *c = data;
    const struct http_client_options *o = &c->options;
    uint64_t now = clock_mono_ms();
    uint64_t heard = stream_last_read_ms(c->stream);
    uint64_t limit = o->ping_timeout_ms != 0 ? o->ping_timeout_ms : PING_TIMEOUT_MS;
    if (c->pinging) {
        if (now - c->pinged_ms >= limit) {
            give_up(c, ERR_TIMEOUT, "no answer to a keepalive ping");
        } else {
            arm_ping(c, limit - (now - c->pinged_ms));
        }
        return;
    }
    if (heard < now && now - heard >= o->ping_ms && (c->n_open > 0 || o->ping_idle)) {
        c->pinging = true;
        c->pinged_ms = now;
        (void)nghttp2_submit_ping(c->session, NGHTTP2_FLAG_NONE, NULL);
        loop_soon_post(c->soon);
        arm_ping(c, limit);
        return;
    }
    arm_ping(c, heard < now && now - heard < o->ping_ms ? o->ping_ms - (now - heard) : o->ping_ms);
}

static nghttp2_session *make_session(struct http_client *c)
{
    static const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, HTTP_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HTTP_HEADER_MAX},
    };
    nghttp2_session *session;
    nghttp2_session_callbacks *cb;
    nghttp2_option *option = h2_options();
    int rv = nghttp2_session_callbacks_new(&cb);
    assert(rv == 0);
    nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_frame_sent);
    rv = nghttp2_session_client_new3(&session, cb, c, option, h2_mem());
    assert(rv == 0);
    nghttp2_session_callbacks_del(cb);
    nghttp2_option_del(option);
    rv = nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings,
                                 sizeof settings / sizeof settings[0]);
    assert(rv == 0);
    (void)nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, H2_CONN_WINDOW);
    return session;
}

static void stream_opened(struct stream *s, void *data)
{
    struct http_client *c = data;
    if (stream_is_tls(s) && !str_eqc(stream_alpn(s), "h2")) {
        give_up(c, ERR_PROTOCOL, "the server does not speak HTTP/2");
        return;
    }
    c->session = make_session(c);
    if (c->options.ping_ms != 0) {
        arm_ping(c, c->options.ping_ms);
    }
    loop_soon_post(c->soon);
}

static void stream_read(struct stream *s, void *data, const uint8_t *bytes, size_t n)
{
    struct http_client *c = data;
    ssize_t used;
    if (c->closing) {
        return;
    }
    c->pinging = false; /* Whatever it says, it lives. */
    used = nghttp2_session_mem_recv(c->session, bytes, n);
    if (used < 0) {
        (void)h2_send(c->session, s);
        give_up(c, ERR_PROTOCOL, nghttp2_strerror((int)used));
        return;
    }
    loop_soon_post(c->soon);
}

static void stream_drained(struct stream *s, void *data)
{
    (void)s;
    turn(data);
}

static int lost_status(const struct http_exchange *x)
{
    if (x->cancelled) {
        return ERR_CANCELED;
    }
    if (x->closed) {
        return x->close_status;
    }
    return x->sent ? ERR_CLOSED : ERR_UNAVAILABLE;
}

static void stream_closed(struct stream *s, void *data, int status)
{
    struct http_client *c = data;
    const char *text = c->closing ? c->fail_text : stream_error(s);
    c->closing = true;
    status = c->fail != 0 ? c->fail : status;
    drop_doomed(c);
    while (!list_empty(&c->exchanges)) {
        struct http_exchange *x = container_of(c->exchanges.next, struct http_exchange, in_client);
        c->n_doomed -= x->cancelled;
        exchange_done(x, lost_status(x));
    }
    if (c->events->on_close != NULL) {
        c->events->on_close(c, c->data, status, text);
    }
    nghttp2_session_del(c->session);
    loop_soon_close(c->soon);
    loop_timer_close(c->timer);
    mem_free(sysmem(), c, sizeof *c);
}

static const struct stream_events stream_events = {
    .on_open = stream_opened,
    .on_read = stream_read,
    .on_drain = stream_drained,
    .on_close = stream_closed,
};

int http_client_open(uv_loop_t *loop, const struct http_client_options *options,
                     const struct http_client_events *events, void *data, struct http_client **ret,
                     struct err *err)
{
    struct http_client *c = mem_alloc(sysmem(), sizeof *c);
    struct connect_options connect = options->connect;
    int rv;
    c->options = *options;
    c->events = events;
    c->data = data;
    list_init(&c->exchanges);
    if (connect.stream.queue_max == 0) {
        connect.stream.queue_max = HTTP_OUT_MAX;
    }
    rv = stream_connect(loop, &connect, &stream_events, c, &c->stream, err);
    if (rv != 0) {
        mem_free(sysmem(), c, sizeof *c);
        return rv;
    }
    c->soon = loop_soon_open(loop, turn, c);
    c->timer = loop_timer_open(loop, on_timer, c);
    *ret = c;
    return 0;
}

void http_client_shutdown(struct http_client *c)
{
    if (c->session == NULL) {
        give_up(c, 0, "closed");
        return;
    }
    c->shutdown = true;
    loop_soon_post(c->soon);
}

void http_client_abort(struct http_client *c)
{
    give_up(c, ERR_CANCELED, "aborted");
}

unsigned http_client_n_open(const struct http_client *c)
{
    return c->n_open;
}

bool http_client_ready(const struct http_client *c)
{
    return c->opened && !c->goaway && !c->shutdown && !c->closing && c->n_open < EXCHANGES_MAX &&
           c->n_open < nghttp2_session_get_remote_settings(c->session,
                                                           NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

struct stream *http_client_stream(struct http_client *c)
{
    return c->stream;
}

/* --- using an exchange
 * --------------------------------------------------------------------------------------- */

int http_exchange_open(struct http_client *c, const struct http_request *request,
                       const struct http_exchange_events *events, void *data,
                       struct http_exchange **ret, struct err *err)
{
    nghttp2_data_provider source = {.read_callback = on_want_data};
    size_t n_max = request->n_fields + 4;
    nghttp2_nv *nv;
    struct http_exchange *x;
    size_t n = 0;
    assert(events->on_close != NULL);
    if (!http_client_ready(c)) {
        return err_set(err, ERR_AGAIN, "the connection takes no more requests now");
    }
    x = mem_alloc(sysmem(), sizeof *x);
    x->client = c;
    x->events = events;
    x->data = data;
    arena_init(&x->arena, sysmem());
    nv = mem_alloc(sysmem(), n_max * sizeof *nv);
    nv[n++] = h2_nv(STR(":method"), str_of(request->method));
    nv[n++] = h2_nv(STR(":scheme"), stream_is_tls(c->stream) ? STR("https") : STR("http"));
    nv[n++] = h2_nv(STR(":path"), str_of(request->path));
    nv[n++] = h2_nv(STR(":authority"), str_of(request->authority));
    for (size_t i = 0; i < request->n_fields; i++) {
        nv[n++] = h2_nv(request->fields[i].name, request->fields[i].value);
    }
    x->stream_id = nghttp2_submit_request(c->session, NULL, nv, n, &source, x);
    mem_free(sysmem(), nv, n_max * sizeof *nv);
    if (x->stream_id < 0) { /* Stream numbers are used up, or out of memory. */
        int code = x->stream_id;
        arena_close(&x->arena);
        mem_free(sysmem(), x, sizeof *x);
        return err_set(err, ERR_AGAIN, "%s", nghttp2_strerror(code));
    }
    list_push(&c->exchanges, &x->in_client);
    c->n_open++;
    loop_soon_post(c->soon);
    *ret = x;
    return 0;
}

void *http_exchange_data(const struct http_exchange *x)
{
    return x->data;
}

int http_exchange_write(struct http_exchange *x, const void *bytes, size_t n)
{
    int rv;
    if (x->out.finished || x->closed || x->ended || x->client->closing) {
        return ERR_CLOSED;
    }
    rv = h2_out_put(&x->out, bytes, n, HTTP_STREAM_MAX);
    if (rv == 0) {
        h2_out_wake(&x->out, x->client->session, x->stream_id);
        loop_soon_post(x->client->soon);
    }
    return rv;
}

bool http_exchange_writable(const struct http_exchange *x)
{
    bool yes = h2_out_left(&x->out) < HTTP_WRITE_HIGH;
    if (!yes) {
        ((struct http_exchange *)x)->want_drain = true;
    }
    return yes;
}

size_t http_exchange_room(const struct http_exchange *x)
{
    size_t used = h2_out_left(&x->out);
    return used < HTTP_STREAM_MAX ? HTTP_STREAM_MAX - used : 0;
}

void http_exchange_finish(struct http_exchange *x)
{
    if (!x->out.finished && !x->closed) {
        x->out.finished = true;
        h2_out_wake(&x->out, x->client->session, x->stream_id);
        if (!x->client->closing) {
            loop_soon_post(x->client->soon);
        }
    }
}

void http_exchange_pause(struct http_exchange *x)
{
    x->paused = true;
}

void http_exchange_resume(struct http_exchange *x)
{
    if (x->paused) {
        x->paused = false;
        x->client->resuming = true;
        loop_soon_post(x->client->soon);
    }
}

void http_exchange_cancel(struct http_exchange *x)
{
    struct http_client *c = x->client;
    if (x->cancelled) {
        return;
    }
    x->cancelled = true;
    if (!x->closed) {
        (void)nghttp2_session_set_stream_user_data(c->session, x->stream_id, NULL);
        (void)nghttp2_submit_rst_stream(c->session, NGHTTP2_FLAG_NONE, x->stream_id,
                                        NGHTTP2_CANCEL);
    }
    x->closed = true;
    c->n_doomed++;
    loop_soon_post(c->soon);
}

static void ignore_close(struct http_exchange *x, int status)
{
    (void)x;
    (void)status;
}

void http_exchange_detach(struct http_exchange *x)
{
    static const struct http_exchange_events nobody = {.on_close = ignore_close};
    x->events = &nobody;
    http_exchange_cancel(x);
}

struct str http_exchange_header(const struct http_exchange *x, const char *name)
{
    return http_fields_get(&x->headers, name);
}

struct str http_exchange_trailer(const struct http_exchange *x, const char *name)
{
    return http_fields_get(&x->trailers, name);
}

const struct http_field *http_exchange_headers(const struct http_exchange *x, size_t *ret_n)
{
    *ret_n = x->headers.n;
    return x->headers.v;
}

const struct http_field *http_exchange_trailers(const struct http_exchange *x, size_t *ret_n)
{
    *ret_n = x->trailers.n;
    return x->trailers.v;
}

unsigned http_exchange_status(const struct http_exchange *x)
{
    return x->status;
}

uint32_t http_exchange_error_code(const struct http_exchange *x)
{
    return x->error_code;
}
