/* HTTP/2 server side over nghttp2. Windows are ours: a stream's window opens when its owner has
 * seen the bytes, the connection's at once, so a slow owner stops one stream and not its
 * neighbours. Output is written at the end of a turn, never inside a callback of nghttp2. */
#include "common/loop/sysmem.h"
#include "common/net/h2.h"
#include "common/net/http_impl.h"

#include <assert.h>
#include <stdio.h>

#define DISCARD_MS 5000 /* How long the rest of an answered request is read over. */

struct h2 {
    struct http_conn *conn;
    nghttp2_session *session;
    struct h2_flood flood;
    bool receiving; /* Inside nghttp2_session_mem_recv(). */
    bool idle;      /* The idle limit is running. */
};

/* --- requests
 * ------------------------------------------------------------------------------------------ */

static struct http_call *call_of(nghttp2_session *session, int32_t stream_id)
{
    return nghttp2_session_get_stream_user_data(session, stream_id);
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *data)
{
    struct h2 *h = data;
    struct http_call *c;
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
        return 0;
    }
    c = http_call_make(h->conn);
    c->stream_id = frame->hd.stream_id;
    return nghttp2_session_set_stream_user_data(session, c->stream_id, c);
}

static void take_pseudo(struct http_call *c, struct str name, struct str value)
{
    struct str copy = str_make(arena_dup(&c->arena, value.n == 0 ? "" : value.p, value.n), value.n);
    c->fields.bytes += name.n + value.n + 32;
    if (str_eqc(name, ":method")) {
        c->method = copy;
    } else if (str_eqc(name, ":path")) {
        c->bad_target = value.n > HTTP_LINE_MAX || !http_call_set_target(c, copy);
    } else if (str_eqc(name, ":authority")) {
        c->host = copy;
        c->bad_header |= !http_fields_add(&c->fields, &c->arena, STR("host"), value);
    }
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name_p,
                     size_t name_n, const uint8_t *value_p, size_t value_n, uint8_t flags,
                     void *data)
{
    struct http_call *c = call_of(session, frame->hd.stream_id);
    struct str name = str_make((const char *)name_p, name_n);
    struct str value = str_make((const char *)value_p, value_n);
    (void)flags;
    (void)data;
    if (c == NULL || frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
        return 0; /* Trailers of a request mean nothing to us. */
    }
    if (c->bad_header || c->fields.bytes + name.n + value.n > HTTP_HEADER_MAX) {
        c->bad_header = true;
    } else if (str_starts(name, ":")) {
        take_pseudo(c, name, value);
    } else if (!str_eqc(name, "host")) {
        c->bad_header |= !http_fields_add(&c->fields, &c->arena, name, value);
    } else if (c->host.p == NULL) {
        c->bad_header |= !http_fields_add(&c->fields, &c->arena, name, value);
        c->host = http_call_header(c, "host");
    }
    return 0;
}

static void header_complete(struct http_call *c)
{
    if (c->bad_header) {
        http_call_refuse(c, 431, ERR_PROTOCOL, "request header too large");
    } else if (str_eqc(c->method, "CONNECT")) {
        http_call_refuse(c, 501, ERR_PROTOCOL, "CONNECT is not served");
    } else if (c->bad_target || c->path.n == 0) {
        http_call_refuse(c, 400, ERR_PROTOCOL, "malformed request target");
    } else {
        http_call_arrived(c);
    }
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *data)
{
    struct h2 *h = data;
    struct http_call *c;
    if (h2_is_flood(&h->flood, frame)) {
        return nghttp2_session_terminate_session(session, NGHTTP2_ENHANCE_YOUR_CALM);
    }
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) {
        return 0;
    }
    c = call_of(session, frame->hd.stream_id);
    if (c == NULL) {
        return 0;
    }
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        header_complete(c);
    }
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
        http_call_input_end(c);
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *bytes,
                   size_t n, void *data)
{
    struct http_call *c = call_of(session, stream_id);
    (void)flags;
    (void)data;
    (void)nghttp2_session_consume_connection(session, n);
    if (c != NULL) {
        http_call_input(c, bytes, n);
    }
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t code, void *data)
{
    struct http_call *c = call_of(session, stream_id);
    (void)data;
    (void)code; /* Once the answer is out, it does not matter how the client leaves. */
    if (c != NULL) {
        (void)nghttp2_session_set_stream_user_data(session, stream_id, NULL);
        http_call_done(c, c->sent_end ? 0 : ERR_CANCELED);
    }
    return 0;
}

/* Our side is done. A client that still sends gets some time to notice by itself: at least one
 * widespread client forgets the answer when RST_STREAM(NO_ERROR) follows at once. */
static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *data)
{
    struct http_call *c;
    (void)data;
    if ((frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) ||
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) {
        return 0;
    }
    c = call_of(session, frame->hd.stream_id);
    if (c != NULL) {
        c->sent_end = true;
        if (!c->ended) {
            c->gather_by_ms = clock_mono_ms() + DISCARD_MS;
        }
    }
    return 0;
}

/* --- the connection
 * --------------------------------------------------------------------------------------- */

static nghttp2_session_callbacks *callbacks(void)
{
    nghttp2_session_callbacks *cb;
    int rv = nghttp2_session_callbacks_new(&cb);
    assert(rv == 0);
    nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_frame_sent);
    return cb;
}

static void h2_open(struct http_conn *conn)
{
    static const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, HTTP_STREAMS_MAX},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, HTTP_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HTTP_HEADER_MAX},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    };
    struct h2 *h = mem_alloc(sysmem(), sizeof *h);
    nghttp2_session_callbacks *cb = callbacks();
    nghttp2_option *option = h2_options();
    int rv = nghttp2_session_server_new3(&h->session, cb, h, option, h2_mem());
    assert(rv == 0);
    nghttp2_session_callbacks_del(cb);
    nghttp2_option_del(option);
    h->conn = conn;
    conn->state = h;
    rv = nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, settings,
                                 sizeof settings / sizeof settings[0]);
    assert(rv == 0);
    (void)nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0, H2_CONN_WINDOW);
    loop_soon_post(conn->soon);
}

static void set_limits(struct h2 *h, bool gathering)
{
    struct http_conn *conn = h->conn;
    if (conn->closing) {
        return;
    }
    if (conn->n_calls == 0) {
        if (!h->idle) {
            h->idle = true;
            http_conn_limit(conn, http_conn_options(conn)->idle_ms);
        }
        return;
    }
    h->idle = false;
    if (gathering) {
        http_conn_sweep(conn);
    } else {
        http_conn_no_limit(conn);
    }
}

/* Wake owners whose queue has room again. Does any call still gather its body? */
static bool visit_calls(struct h2 *h)
{
    bool gathering = false;
    struct list *it;
    struct list *after;
    list_each_safe (it, after, &h->conn->calls) {
        struct http_call *c = container_of(it, struct http_call, in_conn);
        if (c->want_drain && h2_out_left(&c->out) <= HTTP_WRITE_HIGH / 2) {
            http_call_tell_drain(c);
        }
        gathering |= c->gather_by_ms != 0;
    }
    return gathering;
}

static void h2_turn(struct http_conn *conn)
{
    struct h2 *h = conn->state;
    if (conn->closing) {
        return;
    }
    if (h2_send(h->session, conn->stream) != 0 ||
        (!nghttp2_session_want_read(h->session) && !nghttp2_session_want_write(h->session))) {
        http_conn_close(conn);
        return;
    }
    set_limits(h, visit_calls(h));
}

static void h2_read(struct http_conn *conn, const uint8_t *bytes, size_t n)
{
    struct h2 *h = conn->state;
    ssize_t used;
    h->receiving = true;
    used = nghttp2_session_mem_recv(h->session, bytes, n);
    h->receiving = false;
    if (used < 0) {
        (void)h2_send(h->session, conn->stream); /* GOAWAY with the reason. */
        http_conn_count_bad(conn);
        http_conn_close(conn);
        return;
    }
    loop_soon_post(conn->soon);
}

static void h2_eof(struct http_conn *conn)
{
    http_conn_close(conn);
}

static void h2_stop(struct http_conn *conn)
{
    struct h2 *h = conn->state;
    (void)nghttp2_submit_goaway(h->session, NGHTTP2_FLAG_NONE,
                                nghttp2_session_get_last_proc_stream_id(h->session),
                                NGHTTP2_NO_ERROR, NULL, 0);
    if (!h->receiving) {
        (void)h2_send(h->session, conn->stream); /* The caller may be about to close. */
    }
    loop_soon_post(conn->soon);
}

static void h2_free(struct http_conn *conn)
{
    struct h2 *h = conn->state;
    nghttp2_session_del(h->session);
    mem_free(sysmem(), h, sizeof *h);
    conn->state = NULL;
}

/* --- the response
 * -------------------------------------------------------------------------------------------- */

static ssize_t on_want_data(nghttp2_session *session, int32_t stream_id, uint8_t *to, size_t size,
                            uint32_t *flags, nghttp2_data_source *source, void *data)
{
    struct http_call *c = source->ptr;
    (void)data;
    return h2_out_read(&c->out, session, stream_id, to, size, flags);
}

static void h2_respond(struct http_call *c, unsigned status, const struct http_field *fields,
                       size_t n_fields, struct str body, bool more)
{
    struct h2 *h = c->conn->state;
    const struct http_options *o = http_conn_options(c->conn);
    nghttp2_data_provider source = {.source.ptr = c, .read_callback = on_want_data};
    nghttp2_nv *nv = mem_alloc(sysmem(), (n_fields + 4) * sizeof *nv);
    bool head = str_eqc(c->method, "HEAD");
    size_t n = 0;
    char date[HTTP_DATE_MAX];
    char code[4] = {(char)('0' + status / 100), (char)('0' + status / 10 % 10),
                    (char)('0' + status % 10), '\0'};
    char length[24];
    http_date(date);
    nv[n++] = h2_nv(STR(":status"), str_make(code, 3));
    nv[n++] = h2_nv(STR("date"), str_of(date));
    if (o->server_name != NULL) {
        nv[n++] = h2_nv(STR("server"), str_of(o->server_name));
    }
    for (size_t i = 0; i < n_fields; i++) {
        nv[n++] = h2_nv(fields[i].name, fields[i].value);
    }
    if (!more && body.n > 0) {
        (void)snprintf(length, sizeof length, "%zu", body.n);
        nv[n++] = h2_nv(STR("content-length"), str_of(length));
    }
    if (!more && body.n > 0 && !head) {
        int rv = h2_out_put(&c->out, body.p, body.n, HTTP_OUT_MAX);
        assert(rv == 0);
        more = true;
    }
    c->out.finished = c->finished;
    (void)nghttp2_submit_response(h->session, c->stream_id, nv, n, more && !head ? &source : NULL);
    mem_free(sysmem(), nv, (n_fields + 4) * sizeof *nv);
}

static int h2_write(struct http_call *c, const void *bytes, size_t n)
{
    struct h2 *h = c->conn->state;
    int rv = h2_out_put(&c->out, bytes, n, HTTP_STREAM_MAX);
    if (rv == 0) {
        h2_out_wake(&c->out, h->session, c->stream_id);
    }
    return rv;
}

static bool h2_writable(const struct http_call *c)
{
    return h2_out_left(&c->out) < HTTP_WRITE_HIGH;
}

static size_t h2_room(const struct http_call *c)
{
    size_t used = h2_out_left(&c->out);
    return used < HTTP_STREAM_MAX ? HTTP_STREAM_MAX - used : 0;
}

static void h2_finish(struct http_call *c, const struct http_field *trailers, size_t n_trailers)
{
    struct h2 *h = c->conn->state;
    for (size_t i = 0; i < n_trailers; i++) {
        h2_out_put_trailer(&c->out, trailers[i].name, trailers[i].value);
    }
    c->out.finished = true;
    h2_out_wake(&c->out, h->session, c->stream_id);
}

static void h2_abort(struct http_call *c)
{
    struct h2 *h = c->conn->state;
    uint32_t code = c->refused ? NGHTTP2_CANCEL : NGHTTP2_INTERNAL_ERROR;
    (void)nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, c->stream_id,
                                    c->sent_end ? NGHTTP2_NO_ERROR : code);
}

static void h2_consumed(struct http_call *c, size_t n)
{
    struct h2 *h = c->conn->state;
    (void)nghttp2_session_consume_stream(h->session, c->stream_id, n);
    loop_soon_post(c->conn->soon);
}

const struct http_proto http2_proto = {
    .open = h2_open,
    .read = h2_read,
    .eof = h2_eof,
    .turn = h2_turn,
    .drain = h2_turn,
    .stop = h2_stop,
    .free = h2_free,
    .respond = h2_respond,
    .write = h2_write,
    .writable = h2_writable,
    .room = h2_room,
    .finish = h2_finish,
    .abort = h2_abort,
    .consumed = h2_consumed,
};
