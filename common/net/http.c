/* The server, its connections, and the life of a call, whatever the protocol on the wire. */
#include "common/net/http.h"

#include "common/base/list.h"
#include "common/log/log.h"
#include "common/loop/sysmem.h"
#include "common/net/http_impl.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct http_server {
    uv_loop_t *loop;
    struct http_options options;
    struct listener *listener;
    http_call_cb cb;
    void *data;
    struct list conns;
    unsigned n_conns;
    unsigned n_calls;
    uint64_t n_calls_ever;
    uint64_t n_bad;
    uint64_t n_refused; /* By a listener that is closed. */
    struct addr addr;
    size_t gathered;
    struct loop_timer *stop_timer;
    struct loop_soon *stop_soon;
    loop_cb stop_cb;
    void *stop_data;
    bool stopping;
    bool stopped; /* stop_cb ran. */
    bool closed;
};

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

static void stop_check(struct http_server *s);

/* --- fields
 * ------------------------------------------------------------------------------------------ */

bool http_fields_add(struct http_fields *f, struct arena *arena, struct str name, struct str value)
{
    size_t bytes = name.n + value.n + 32;
    if (f->n >= HTTP_FIELDS_MAX || f->bytes + bytes > HTTP_HEADER_MAX) {
        return false;
    }
    if (f->n == f->cap) {
        size_t cap = f->cap == 0 ? 16 : f->cap * 2;
        struct http_field *v = arena_array(arena, cap, sizeof *v);
        if (f->n > 0) {
            memcpy(v, f->v, f->n * sizeof *v);
        }
        f->v = v;
        f->cap = cap;
    }
    f->v[f->n].name = str_make(arena_dup(arena, name.n == 0 ? "" : name.p, name.n), name.n);
    f->v[f->n].value = str_make(arena_dup(arena, value.n == 0 ? "" : value.p, value.n), value.n);
    f->n++;
    f->bytes += bytes;
    return true;
}

struct str http_fields_get(const struct http_fields *f, const char *name)
{
    for (size_t i = 0; i < f->n; i++) {
        if (str_eqc(f->v[i].name, name)) {
            return f->v[i].value;
        }
    }
    return str_make(NULL, 0);
}

void http_date(char ret[HTTP_DATE_MAX])
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t now = (time_t)(clock_wall_ms() / 1000);
    struct tm tm;
    (void)gmtime_r(&now, &tm);
    (void)snprintf(ret, HTTP_DATE_MAX, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[tm.tm_wday % 7],
                   tm.tm_mday % 100, months[tm.tm_mon % 12], (tm.tm_year + 1900) % 10000,
                   tm.tm_hour % 100, tm.tm_min % 100, tm.tm_sec % 100);
}

const char *http_reason(unsigned status)
{
    static const struct {
        unsigned status;
        const char *text;
    } table[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {411, "Length Required"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {421, "Misdirected Request"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].status == status) {
            return table[i].text;
        }
    }
    return "Status";
}

/* --- calls: for the protocols
 * -------------------------------------------------------------------------- */

struct http_call *http_call_make(struct http_conn *conn)
{
    struct http_call *c = mem_alloc(sysmem(), sizeof *c);
    c->conn = conn;
    arena_init(&c->arena, sysmem());
    c->body_max = conn->server->options.body_max;
    list_push(&conn->calls, &c->in_conn);
    conn->n_calls++;
    conn->server->n_calls++;
    conn->server->n_calls_ever++;
    return c;
}

static void release_body(struct http_call *c)
{
    struct http_server *s = c->conn->server;
    assert(s->gathered >= c->gathered);
    s->gathered -= c->gathered;
    c->gathered = 0;
    buf_close(&c->body);
}

void http_call_done(struct http_call *c, int status)
{
    struct http_conn *conn = c->conn;
    if (c->refused) {
        status = c->fail;
    } else if (status == 0 && (c->aborted || !c->finished)) {
        status = ERR_CANCELED;
    }
    loop_timer_close(c->deadline);
    loop_soon_close(c->resume);
    c->deadline = NULL;
    c->resume = NULL;
    list_remove(&c->in_conn);
    conn->n_calls--;
    conn->server->n_calls--;
    if (c->events != NULL) {
        c->events->on_close(c, status);
    }
    release_body(c);
    h2_out_close(&c->out);
    arena_close(&c->arena);
    mem_free(sysmem(), c, sizeof *c);
}

void http_call_refuse(struct http_call *c, unsigned status, int fail, const char *text)
{
    if (c->begun) {
        c->refused = true;
        c->fail = fail;
        http_call_abort(c);
        return;
    }
    if (status < 500) {
        http_conn_count_bad(c->conn);
    }
    http_call_respond_text(c, status, text);
    c->refused = true;
    c->fail = fail;
    release_body(c);
}

void http_call_arrived(struct http_call *c)
{
    struct http_server *s = c->conn->server;
    c->in_header_cb = true;
    if (!s->closed) {
        s->cb(c, s->data);
    }
    c->in_header_cb = false;
    if (c->events == NULL) {
        http_call_refuse(c, 404, 0, "not found");
        return;
    }
    if (c->events->on_data == NULL && !c->finished) {
        c->gather_by_ms = clock_mono_ms() + s->options.body_ms;
    }
}

static void gather(struct http_call *c, const uint8_t *bytes, size_t n)
{
    struct http_server *s = c->conn->server;
    if (n > c->body_max - c->body.len) {
        http_call_refuse(c, 413, ERR_TOOBIG, "request body too large");
        return;
    }
    if (n > HTTP_GATHER_MAX - s->gathered) {
        http_call_refuse(c, 503, ERR_FULL, "too many large requests at once");
        return;
    }
    buf_put(&c->body, bytes, n);
    c->gathered += n;
    s->gathered += n;
}

static void prepare_body(struct http_call *c, size_t max)
{
    if (c->body.mem == NULL) {
        buf_init(&c->body, sysmem(), max);
    }
}

void http_call_input(struct http_call *c, const uint8_t *bytes, size_t n)
{
    if (c->events == NULL || c->refused || c->finished) {
        c->conn->proto->consumed(c, n); /* Nobody wants it any more. */
    } else if (c->events->on_data == NULL) {
        prepare_body(c, c->body_max);
        gather(c, bytes, n);
        c->conn->proto->consumed(c, n);
    } else if (c->paused) {
        prepare_body(c, HTTP_GATHER_MAX); /* The window bounds it. */
        buf_put(&c->body, bytes, n);
    } else {
        c->events->on_data(c, str_make((const char *)bytes, n));
        c->conn->proto->consumed(c, n);
    }
}

static void tell_end(struct http_call *c)
{
    if (c->ended && !c->end_told && !c->paused && !c->refused && c->events != NULL) {
        c->end_told = true;
        if (c->events->on_end != NULL) {
            c->events->on_end(c);
        }
    }
}

void http_call_input_end(struct http_call *c)
{
    c->ended = true;
    c->gather_by_ms = 0;
    tell_end(c);
}

void http_call_tell_drain(struct http_call *c)
{
    c->want_drain = false;
    if (!c->refused && !c->finished && c->events != NULL && c->events->on_drain != NULL) {
        c->events->on_drain(c);
    }
}

bool http_call_set_target(struct http_call *c, struct str target)
{
    size_t mark = str_find(target, '?', 0);
    if (!str_starts(target, "/") && !str_eqc(target, "*")) {
        return false;
    }
    c->path = str_slice(target, 0, mark);
    c->query = str_slice(target, mark + 1, target.n);
    return true;
}

/* --- calls: for the owner
 * -------------------------------------------------------------------------------- */

void http_call_accept(struct http_call *c, const struct http_call_events *events, void *data)
{
    assert(c->in_header_cb && c->events == NULL);
    assert(events->on_close != NULL);
    c->events = events;
    c->data = data;
}

void *http_call_data(const struct http_call *c)
{
    return c->data;
}

void http_call_set_body_max(struct http_call *c, size_t max)
{
    assert(c->in_header_cb);
    c->body_max = max;
}

void http_call_limit_body(struct http_call *c, uint64_t ms)
{
    if (!c->ended) {
        c->gather_by_ms = ms == 0 ? 0 : clock_mono_ms() + ms;
        loop_soon_post(c->conn->soon);
    }
}

static void on_deadline(void *data)
{
    struct http_call *c = data;
    if (c->finished || c->refused) {
        return;
    }
    if (c->events->on_deadline != NULL) {
        c->events->on_deadline(c);
    } else {
        http_call_refuse(c, 504, ERR_TIMEOUT, "deadline exceeded");
    }
}

void http_call_set_deadline(struct http_call *c, uint64_t ms)
{
    assert(c->events != NULL);
    if (ms == 0) {
        loop_timer_close(c->deadline);
        c->deadline = NULL;
        return;
    }
    if (c->deadline == NULL) {
        c->deadline = loop_timer_open(c->conn->server->loop, on_deadline, c);
    }
    loop_timer_start(c->deadline, ms);
}

struct str http_call_method(const struct http_call *c)
{
    return c->method;
}

struct str http_call_path(const struct http_call *c)
{
    return c->path;
}

struct str http_call_query(const struct http_call *c)
{
    return c->query;
}

struct str http_call_host(const struct http_call *c)
{
    return c->host;
}

struct str http_call_header(const struct http_call *c, const char *name)
{
    return http_fields_get(&c->fields, name);
}

const struct http_field *http_call_headers(const struct http_call *c, size_t *ret_n)
{
    *ret_n = c->fields.n;
    return c->fields.v;
}

struct str http_call_body(const struct http_call *c)
{
    return str_make((const char *)c->body.data, c->body.len);
}

const struct pki_identity *http_call_peer(const struct http_call *c)
{
    return stream_peer(c->conn->stream);
}

const struct addr *http_call_addr(const struct http_call *c)
{
    return stream_peer_addr(c->conn->stream);
}

bool http_call_is_http2(const struct http_call *c)
{
    return c->conn->proto == &http2_proto;
}

bool http_call_is_tls(const struct http_call *c)
{
    return stream_is_tls(c->conn->stream);
}

/* What came in during the pause, then the end if that came too. */
static void on_resume(void *data)
{
    struct http_call *c = data;
    size_t n = c->body.len;
    if (c->paused || c->refused) {
        return;
    }
    if (n > 0 && c->events->on_data != NULL) {
        struct buf held = c->body;
        memset(&c->body, 0, sizeof c->body);
        c->events->on_data(c, str_make((const char *)held.data, n));
        buf_close(&held);
        c->conn->proto->consumed(c, n);
    }
    loop_soon_post(c->conn->soon);
    tell_end(c);
}

void http_call_pause(struct http_call *c)
{
    c->paused = true;
}

void http_call_resume(struct http_call *c)
{
    if (!c->paused) {
        return;
    }
    c->paused = false;
    if (c->resume == NULL) {
        c->resume = loop_soon_open(c->conn->server->loop, on_resume, c);
    }
    loop_soon_post(c->resume);
}

void http_call_respond(struct http_call *c, unsigned status, const struct http_field *fields,
                       size_t n_fields, struct str body)
{
    if (c->refused || c->aborted) {
        return;
    }
    assert(!c->begun);
    if (body.n > HTTP_RESPONSE_MAX) {
        log_error("http.response.too_big", log_u64("bytes", body.n), log_strn("path", c->path));
        http_call_respond_text(c, 500, "response too large");
        return;
    }
    c->begun = true;
    c->finished = true;
    c->conn->proto->respond(c, status, fields, n_fields, body, false);
    loop_soon_post(c->conn->soon);
}

void http_call_respond_text(struct http_call *c, unsigned status, const char *text)
{
    char body[512];
    struct http_field type = {STR("content-type"), STR("text/plain; charset=utf-8")};
    int n = snprintf(body, sizeof body, "%u %s: %s\n", status, http_reason(status), text);
    assert(n > 0);
    n = (size_t)n < sizeof body ? n : (int)sizeof body - 1;
    http_call_respond(c, status, &type, 1, str_make(body, (size_t)n));
}

void http_call_begin(struct http_call *c, unsigned status, const struct http_field *fields,
                     size_t n_fields)
{
    if (c->refused || c->aborted) {
        return;
    }
    assert(!c->begun);
    c->begun = true;
    c->conn->proto->respond(c, status, fields, n_fields, str_make(NULL, 0), true);
    loop_soon_post(c->conn->soon);
}

int http_call_write(struct http_call *c, const void *bytes, size_t n)
{
    int rv;
    if (c->refused || c->finished || c->aborted || c->conn->closing) {
        return ERR_CLOSED;
    }
    assert(c->begun);
    if (n == 0) {
        return 0;
    }
    rv = c->conn->proto->write(c, bytes, n);
    if (rv == 0) {
        loop_soon_post(c->conn->soon);
    }
    return rv;
}

bool http_call_writable(const struct http_call *c)
{
    bool yes = c->conn->proto->writable(c);
    if (!yes) {
        ((struct http_call *)c)->want_drain = true;
    }
    return yes;
}

size_t http_call_room(const struct http_call *c)
{
    return c->conn->proto->room(c);
}

void http_call_finish(struct http_call *c, const struct http_field *trailers, size_t n_trailers)
{
    if (c->refused || c->finished || c->aborted) {
        return;
    }
    assert(c->begun);
    c->finished = true;
    c->conn->proto->finish(c, trailers, n_trailers);
    loop_soon_post(c->conn->soon);
}

void http_call_abort(struct http_call *c)
{
    if (!c->aborted) {
        c->aborted = true;
        c->conn->proto->abort(c);
        loop_soon_post(c->conn->soon);
    }
}

bool http_call_begun(const struct http_call *c)
{
    return c->begun;
}

/* --- connections
 * ------------------------------------------------------------------------------------------- */

const struct http_options *http_conn_options(const struct http_conn *conn)
{
    return &conn->server->options;
}

void http_conn_count_bad(struct http_conn *conn)
{
    conn->server->n_bad++;
}

void http_conn_close(struct http_conn *conn)
{
    if (!conn->closing) {
        conn->closing = true;
        http_conn_no_limit(conn);
        stream_close(conn->stream);
    }
}

static void sweep(struct http_conn *conn)
{
    uint64_t now = clock_mono_ms();
    struct list *it;
    struct list *after;
    list_each_safe (it, after, &conn->calls) {
        struct http_call *c = container_of(it, struct http_call, in_conn);
        if (c->gather_by_ms == 0 || c->gather_by_ms > now) {
            continue;
        }
        c->gather_by_ms = 0;
        if (c->finished) {
            conn->proto->abort(c); /* Answered, and the client sends on and on. */
        } else {
            http_call_refuse(c, 408, ERR_TIMEOUT, "request body took too long");
        }
    }
    loop_soon_post(conn->soon);
}

static void on_timer(void *data)
{
    struct http_conn *conn = data;
    if (conn->timer_sweeps) {
        sweep(conn);
        return;
    }
    if (conn->proto != NULL && conn->n_calls == 0) {
        conn->proto->stop(conn);
    }
    http_conn_close(conn);
}

static void arm(struct http_conn *conn, unsigned ms, bool sweeps)
{
    conn->timer_sweeps = sweeps;
    loop_timer_repeat(conn->timer, ms, sweeps ? ms : 0);
}

void http_conn_limit(struct http_conn *conn, unsigned ms)
{
    arm(conn, ms, false);
}

void http_conn_sweep(struct http_conn *conn)
{
    unsigned ms = conn->server->options.body_ms;
    if (!conn->timer_sweeps || !loop_timer_active(conn->timer)) {
        arm(conn, ms < HTTP_SWEEP_MS ? ms : HTTP_SWEEP_MS, true);
    }
}

void http_conn_no_limit(struct http_conn *conn)
{
    loop_timer_stop(conn->timer);
}

static void conn_use(struct http_conn *conn, const struct http_proto *proto)
{
    conn->proto = proto;
    proto->open(conn);
    if (conn->stopping && !conn->closing) {
        proto->stop(conn);
    }
}

/* Plain connections: HTTP/2 clients begin with the preface, nothing else begins like it for as
 * long as its 24 bytes. */
static void sniff(struct http_conn *conn, const uint8_t *bytes, size_t n)
{
    size_t take = sizeof preface - 1 - conn->n_sniffed;
    uint8_t first[sizeof conn->sniff];
    size_t n_first;
    bool maybe;
    take = n < take ? n : take;
    memcpy(conn->sniff + conn->n_sniffed, bytes, take);
    conn->n_sniffed += take;
    maybe = memcmp(conn->sniff, preface, conn->n_sniffed) == 0;
    if (maybe && conn->n_sniffed < sizeof preface - 1) {
        return;
    }
    n_first = conn->n_sniffed;
    memcpy(first, conn->sniff, n_first);
    conn_use(conn, maybe ? &http2_proto : &http1_proto);
    conn->proto->read(conn, first, n_first);
    if (n > take && !conn->closing) {
        conn->proto->read(conn, bytes + take, n - take);
    }
}

static void conn_on_read(struct stream *s, void *data, const uint8_t *bytes, size_t n)
{
    struct http_conn *conn = data;
    (void)s;
    if (conn->closing) {
        return;
    }
    if (conn->proto == NULL) {
        sniff(conn, bytes, n);
    } else {
        conn->proto->read(conn, bytes, n);
    }
}

static void conn_on_eof(struct stream *s, void *data)
{
    struct http_conn *conn = data;
    (void)s;
    if (conn->proto == NULL || conn->closing) {
        http_conn_close(conn);
    } else {
        conn->proto->eof(conn);
    }
}

static void conn_on_drain(struct stream *s, void *data)
{
    struct http_conn *conn = data;
    (void)s;
    if (conn->proto != NULL && !conn->closing) {
        conn->proto->drain(conn);
    }
}

static void conn_turn(void *data)
{
    struct http_conn *conn = data;
    if (conn->proto != NULL) {
        conn->proto->turn(conn);
    }
}

static void cancel_calls(struct http_conn *conn)
{
    while (!list_empty(&conn->calls)) {
        http_call_done(container_of(conn->calls.next, struct http_call, in_conn), ERR_CANCELED);
    }
}

static void server_free(struct http_server *s)
{
    assert(s->n_calls == 0 && s->gathered == 0);
    mem_free(sysmem(), s, sizeof *s);
}

static void conn_on_close(struct stream *st, void *data, int status)
{
    struct http_conn *conn = data;
    struct http_server *s = conn->server;
    (void)status;
    (void)st;
    conn->closing = true;
    cancel_calls(conn);
    if (conn->proto != NULL) {
        conn->proto->free(conn);
    }
    loop_soon_close(conn->soon);
    loop_timer_close(conn->timer);
    list_remove(&conn->in_server);
    s->n_conns--;
    mem_free(sysmem(), conn, sizeof *conn);
    if (s->closed) {
        if (s->n_conns == 0) {
            server_free(s);
        }
    } else {
        stop_check(s);
    }
}

static const struct stream_events conn_events = {
    .on_read = conn_on_read,
    .on_eof = conn_on_eof,
    .on_drain = conn_on_drain,
    .on_close = conn_on_close,
};

static void on_accept(struct listener *l, struct stream *stream, void *data)
{
    struct http_server *s = data;
    struct http_conn *conn = mem_alloc(sysmem(), sizeof *conn);
    struct str alpn = stream_alpn(stream);
    (void)l;
    conn->server = s;
    conn->stream = stream;
    list_init(&conn->calls);
    list_push(&s->conns, &conn->in_server);
    s->n_conns++;
    conn->soon = loop_soon_open(s->loop, conn_turn, conn);
    conn->timer = loop_timer_open(s->loop, on_timer, conn);
    stream_accept(stream, &conn_events, conn);
    http_conn_limit(conn, s->options.header_ms);
    if (str_eqc(alpn, "h2")) {
        conn_use(conn, &http2_proto);
    } else if (alpn.n > 0) {
        conn_use(conn, &http1_proto);
    } /* Without ALPN the first bytes decide. */
}

/* --- server
 * --------------------------------------------------------------------------------------------------
 */

static void set_defaults(struct http_options *o)
{
    o->body_max = o->body_max != 0 ? o->body_max : HTTP_BODY_DEFAULT;
    o->header_ms = o->header_ms != 0 ? o->header_ms : HTTP_HEADER_MS;
    o->body_ms = o->body_ms != 0 ? o->body_ms : HTTP_BODY_MS;
    o->idle_ms = o->idle_ms != 0 ? o->idle_ms : HTTP_IDLE_MS;
}

int http_server_open(uv_loop_t *loop, const struct http_options *options, http_call_cb cb,
                     void *data, struct http_server **ret, struct err *err)
{
    struct http_server *s = mem_alloc(sysmem(), sizeof *s);
    struct listener_options lo = {.addr = options->addr,
                                  .tls = options->tls,
                                  .max_streams = options->max_connections,
                                  .max_per_ip = options->max_per_ip,
                                  .stream = {.queue_max = 2 * HTTP_OUT_MAX}};
    int rv;
    s->loop = loop;
    s->options = *options;
    set_defaults(&s->options);
    s->cb = cb;
    s->data = data;
    list_init(&s->conns);
    rv = listener_open(loop, &lo, on_accept, s, &s->listener, err);
    if (rv != 0) {
        server_free(s);
        return err_wrap(err, rv, "http server");
    }
    s->addr = *listener_addr(s->listener);
    *ret = s;
    return 0;
}

const struct addr *http_server_addr(const struct http_server *s)
{
    return &s->addr;
}

void http_server_stats(const struct http_server *s, struct http_stats *ret)
{
    ret->n_connections = s->n_conns;
    ret->n_calls = s->n_calls;
    ret->calls = s->n_calls_ever;
    ret->refused = s->n_refused + (s->listener == NULL ? 0 : listener_refused(s->listener));
    ret->bad_requests = s->n_bad;
}

static void close_listener(struct http_server *s)
{
    if (s->listener != NULL) {
        s->n_refused += listener_refused(s->listener);
        listener_close(s->listener);
        s->listener = NULL;
    }
}

static void stop_done(void *data)
{
    struct http_server *s = data;
    loop_soon_close(s->stop_soon);
    loop_timer_close(s->stop_timer);
    s->stop_soon = NULL;
    s->stop_timer = NULL;
    s->stopped = true;
    if (s->stop_cb != NULL) {
        s->stop_cb(s->stop_data);
    }
}

static void stop_check(struct http_server *s)
{
    if (s->stopping && !s->stopped && s->n_conns == 0) {
        loop_soon_post(s->stop_soon);
    }
}

static void stop_late(void *data)
{
    struct http_server *s = data;
    struct list *it;
    list_each (it, &s->conns) {
        stream_abort(container_of(it, struct http_conn, in_server)->stream);
    }
}

void http_server_stop(struct http_server *s, unsigned timeout_ms, loop_cb cb, void *data)
{
    struct list *it;
    assert(!s->stopping && !s->closed);
    s->stopping = true;
    s->stop_cb = cb;
    s->stop_data = data;
    s->stop_soon = loop_soon_open(s->loop, stop_done, s);
    s->stop_timer = loop_timer_open(s->loop, stop_late, s);
    loop_timer_start(s->stop_timer, timeout_ms);
    close_listener(s);
    list_each (it, &s->conns) {
        struct http_conn *conn = container_of(it, struct http_conn, in_server);
        conn->stopping = true;
        if (conn->closing) {
            continue;
        }
        if (conn->proto == NULL) {
            http_conn_close(conn);
        } else {
            conn->proto->stop(conn);
        }
    }
    stop_check(s);
}

void http_server_close(struct http_server *s)
{
    struct list *it;
    if (s == NULL) {
        return;
    }
    s->closed = true;
    close_listener(s);
    loop_soon_close(s->stop_soon);
    loop_timer_close(s->stop_timer);
    list_each (it, &s->conns) {
        struct http_conn *conn = container_of(it, struct http_conn, in_server);
        conn->closing = true;
        cancel_calls(conn);
        stream_abort(conn->stream);
    }
    if (s->n_conns == 0) {
        server_free(s);
    }
}
