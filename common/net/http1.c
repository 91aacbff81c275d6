/* HTTP/1.1: one request at a time. Pipelined bytes wait in `in` until the response before them is
 * complete.
 *
 * The header is collected whole before http-parser sees it, which lets us refuse what parsers
 * disagree about (bare CR or LF, folded lines, spaces in names, two lengths): such requests are
 * how one is smuggled past another. It also means every callback has its text in one piece. */
#include "common/loop/sysmem.h"
#include "common/net/http_impl.h"

#include <assert.h>
#include <http_parser.h>
#include <stdio.h>
#include <string.h>

#define IN_MAX   (256u * 1024u) /* Header and pipelined bytes; the stream pauses before. */
#define IN_PAUSE (64u * 1024u)

enum h1_state {
    H1_HEADER,  /* Collecting a header. */
    H1_BODY,    /* Reading a body. */
    H1_WAITING, /* The request is complete, the response is not. */
    H1_CLOSED,  /* Nothing more is read. */
};

struct h1 {
    struct http_conn *conn;
    enum h1_state state;
    http_parser parser;
    struct http_call *call; /* NULL in H1_HEADER. */
    struct buf in;
    size_t scanned; /* Bytes of `in` known not to end the header. */
    size_t trailer_bytes;
    bool keep_alive;
    bool old;      /* HTTP/1.0 */
    bool head;     /* No body in the response. */
    bool chunked;  /* The response. */
    bool complete; /* The parser saw the end of the request. */
    bool paused;   /* The stream is, because `in` is full. */
    /* While a header is parsed. */
    struct str target;
    bool too_many;
};

static void run(struct h1 *h);

/* --- parser callbacks
 * -------------------------------------------------------------------------------- */

static int on_url(http_parser *p, const char *at, size_t n)
{
    struct h1 *h = p->data;
    h->target = str_make(at, n);
    return 0;
}

static int on_field(http_parser *p, const char *at, size_t n)
{
    struct h1 *h = p->data;
    struct str empty = {NULL, 0};
    if (h->state == H1_BODY) { /* A trailer: read over it, within the limit. */
        h->trailer_bytes += n;
        return h->trailer_bytes > HTTP_HEADER_MAX;
    }
    h->too_many |= !http_fields_add(&h->call->fields, &h->call->arena, str_make(at, n), empty);
    return 0;
}

static int on_value(http_parser *p, const char *at, size_t n)
{
    struct h1 *h = p->data;
    struct http_fields *f = &h->call->fields;
    if (h->state == H1_BODY) {
        h->trailer_bytes += n;
        return h->trailer_bytes > HTTP_HEADER_MAX;
    }
    if (h->too_many || f->n == 0) {
        return 0;
    }
    while (n > 0 && (at[n - 1] == ' ' || at[n - 1] == '\t')) {
        n--;
    }
    f->bytes += n;
    h->too_many |= f->bytes > HTTP_HEADER_MAX;
    f->v[f->n - 1].value = str_make(arena_dup(&h->call->arena, at, n), n);
    return 0;
}

static int on_headers_complete(http_parser *p)
{
    struct h1 *h = p->data;
    h->keep_alive = http_should_keep_alive(p) != 0;
    p->upgrade = 0; /* No other protocol is spoken here. */
    return 0;
}

static int on_body(http_parser *p, const char *at, size_t n)
{
    struct h1 *h = p->data;
    http_call_input(h->call, (const uint8_t *)at, n);
    if (h->call->paused) {
        http_parser_pause(p, 1);
    }
    return 0;
}

static int on_message_complete(http_parser *p)
{
    struct h1 *h = p->data;
    h->complete = true;
    http_parser_pause(p, 1); /* What follows is another request. */
    return 0;
}

static const http_parser_settings settings = {
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

/* --- judging a header
 * ---------------------------------------------------------------------------------- */

static bool is_token(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!word && (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL)) {
            return false;
        }
    }
    return s.n > 0;
}

static bool is_value(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) {
            return false;
        }
    }
    return true;
}

static bool is_target(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] <= ' ' || s.p[i] >= 0x7f) {
            return false;
        }
    }
    return s.n > 0;
}

/* Lines end in CR LF and nothing else, no line continues another, no NUL. */
static bool lines_are_clean(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] == '\0' || (p[i] == '\n' && (i == 0 || p[i - 1] != '\r')) ||
            (p[i] == '\r' && (i + 1 == n || p[i + 1] != '\n'))) {
            return false;
        }
        if (p[i] == '\n' && i + 1 < n && (p[i + 1] == ' ' || p[i + 1] == '\t')) {
            return false;
        }
    }
    return true;
}

static void lower(struct str s)
{
    char *p = (char *)s.p; /* Our own copy, in the arena. */
    for (size_t i = 0; i < s.n; i++) {
        p[i] = (char)(p[i] >= 'A' && p[i] <= 'Z' ? p[i] + ('a' - 'A') : p[i]);
    }
}

static bool same_word(struct str a, const char *b)
{
    size_t n = strlen(b);
    for (size_t i = 0; i < a.n && i < n; i++) {
        char c = (char)(a.p[i] >= 'A' && a.p[i] <= 'Z' ? a.p[i] + ('a' - 'A') : a.p[i]);
        if (c != b[i]) {
            return false;
        }
    }
    return a.n == n;
}

static unsigned count(const struct http_fields *f, const char *name)
{
    unsigned n = 0;
    for (size_t i = 0; i < f->n; i++) {
        n += str_eqc(f->v[i].name, name);
    }
    return n;
}

/* "http://host/path" becomes host and path. */
static bool take_target(struct http_call *c, struct str target)
{
    struct http_parser_url url;
    size_t from;
    if (str_starts(target, "/") || str_eqc(target, "*")) {
        return http_call_set_target(c, target);
    }
    http_parser_url_init(&url);
    if (http_parser_parse_url(target.p, target.n, 0, &url) != 0 ||
        (url.field_set & (1u << UF_HOST)) == 0 || (url.field_set & (1u << UF_USERINFO)) != 0) {
        return false;
    }
    c->host = str_slice(target, url.field_data[UF_HOST].off,
                        (size_t)url.field_data[UF_HOST].off + url.field_data[UF_HOST].len);
    if ((url.field_set & (1u << UF_PATH)) == 0) {
        return http_call_set_target(c, STR("/"));
    }
    from = url.field_data[UF_PATH].off;
    return http_call_set_target(c, str_slice(target, from, target.n));
}

static unsigned check_fields(struct h1 *h, const char **ret_text)
{
    struct http_call *c = h->call;
    struct str coding;
    for (size_t i = 0; i < c->fields.n; i++) {
        if (!is_token(c->fields.v[i].name) || !is_value(c->fields.v[i].value)) {
            *ret_text = "malformed header field";
            return 400;
        }
        lower(c->fields.v[i].name);
    }
    coding = http_call_header(c, "transfer-encoding");
    if (coding.p != NULL && (count(&c->fields, "transfer-encoding") > 1 || h->old ||
                             http_call_header(c, "content-length").p != NULL)) {
        *ret_text = "transfer-encoding with content-length, twice, or in HTTP/1.0";
        return 400;
    }
    if (coding.p != NULL && !same_word(coding, "chunked")) {
        *ret_text = "unknown transfer-encoding";
        return 501;
    }
    if (count(&c->fields, "host") > 1 || (!h->old && count(&c->fields, "host") == 0)) {
        *ret_text = "want one host field";
        return 400;
    }
    if (http_call_header(c, "expect").p != NULL &&
        !same_word(http_call_header(c, "expect"), "100-continue")) {
        *ret_text = "only 100-continue is understood";
        return 417;
    }
    return 0;
}

/* 0, or the status to refuse with. */
static unsigned check_header(struct h1 *h, enum http_errno parsed, const char **ret_text)
{
    struct http_call *c = h->call;
    unsigned status;
    *ret_text = "malformed request";
    if (parsed != HPE_OK && parsed != HPE_PAUSED) {
        *ret_text = http_errno_description(parsed);
        return 400;
    }
    if (h->too_many) {
        *ret_text = "too many header fields";
        return 431;
    }
    if (h->parser.http_major != 1 || h->parser.http_minor > 1) {
        *ret_text = "want HTTP/1.1 or HTTP/2";
        return 505;
    }
    if (h->target.n > HTTP_LINE_MAX) {
        *ret_text = "request target too long";
        return 414;
    }
    status = check_fields(h, ret_text);
    if (status != 0) {
        return status;
    }
    if (h->parser.method == HTTP_CONNECT) {
        *ret_text = "CONNECT is not served";
        return 501;
    }
    if (!is_target(h->target) || !take_target(c, h->target)) {
        *ret_text = "malformed request target";
        return 400;
    }
    if (c->host.p == NULL) {
        c->host = http_call_header(c, "host");
    }
    return 0;
}

/* --- reading
 * ---------------------------------------------------------------------------------------------- */

/* Where the header ends, or 0. */
static size_t header_end(struct h1 *h)
{
    for (size_t i = h->scanned; i + 4 <= h->in.len; i++) {
        if (memcmp(h->in.data + i, "\r\n\r\n", 4) == 0) {
            return i + 4;
        }
    }
    h->scanned = h->in.len < 3 ? 0 : h->in.len - 3;
    return 0;
}

/* Answer what never became a call the owner knows. */
static void refuse_header(struct h1 *h, unsigned status, const char *text)
{
    h->keep_alive = false;
    h->state = H1_WAITING;
    if (h->call == NULL) {
        h->call = http_call_make(h->conn);
        h->call->method = STR("GET");
        h->call->path = STR("/");
    }
    http_call_refuse(h->call, status, ERR_PROTOCOL, text);
}

static bool has_body(const struct h1 *h)
{
    return !h->complete;
}

/* The client may wait for a word before it sends the body; a call already answered needs none. */
static void send_continue(struct h1 *h)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    if (!h->old && http_call_header(h->call, "expect").p != NULL && !h->call->begun) {
        (void)stream_write(h->conn->stream, text, sizeof text - 1);
    }
}

static void parse_header(struct h1 *h, size_t n)
{
    struct http_call *c = http_call_make(h->conn);
    const char *text = NULL;
    char *copy = arena_dup(&c->arena, (const char *)h->in.data, n);
    unsigned status = 0;
    h->call = c;
    h->complete = h->too_many = false;
    h->target = str_make(NULL, 0);
    h->trailer_bytes = 0;
    http_parser_init(&h->parser, HTTP_REQUEST);
    h->parser.data = h;
    if (!lines_are_clean(h->in.data, n)) {
        status = 400;
        text = "malformed header line";
    }
    buf_consume(&h->in, n);
    h->scanned = 0;
    if (status == 0) {
        (void)http_parser_execute(&h->parser, &settings, copy, n);
        h->old = h->parser.http_minor == 0;
        c->method = str_slice(str_make(copy, n), 0, str_find(str_make(copy, n), ' ', 0));
        status = check_header(h, HTTP_PARSER_ERRNO(&h->parser), &text);
    }
    h->head = str_eqc(c->method, "HEAD");
    if (status != 0) {
        refuse_header(h, status, text);
        return;
    }
    h->state = has_body(h) ? H1_BODY : H1_WAITING;
    http_call_arrived(c);
    if (h->complete) {
        http_call_input_end(c);
    } else if ((h->parser.flags & F_CONTENTLENGTH) != 0 && c->events != NULL &&
               c->events->on_data == NULL && h->parser.content_length > c->body_max) {
        http_call_refuse(c, 413, ERR_TOOBIG, "request body too large");
    } else {
        send_continue(h);
    }
}

static void read_header(struct h1 *h)
{
    size_t end;
    while (h->in.len >= 2 && memcmp(h->in.data, "\r\n", 2) == 0) {
        buf_consume(&h->in, 2); /* Allowed between requests. */
        h->scanned = 0;
    }
    end = header_end(h);
    if (end > HTTP_HEADER_MAX || (end == 0 && h->in.len > HTTP_HEADER_MAX)) {
        refuse_header(h, 431, "request header too large");
    } else if (end > 0) {
        parse_header(h, end);
    } else if (h->in.len > 0 && !loop_timer_active(h->conn->timer)) {
        http_conn_limit(h->conn, http_conn_options(h->conn)->header_ms);
    }
}

static void read_body(struct h1 *h)
{
    size_t n;
    enum http_errno e;
    assert(h->call != NULL);
    if (h->call->paused) {
        return;
    }
    http_parser_pause(&h->parser, 0);
    n = http_parser_execute(&h->parser, &settings, (const char *)h->in.data, h->in.len);
    e = HTTP_PARSER_ERRNO(&h->parser);
    buf_consume(&h->in, n < h->in.len ? n : h->in.len);
    if (e != HPE_OK && e != HPE_PAUSED) {
        h->keep_alive = false;
        h->state = H1_WAITING;
        http_call_refuse(h->call, 400, ERR_PROTOCOL, "malformed request body");
    } else if (h->complete) {
        h->state = H1_WAITING;
        http_call_input_end(h->call);
    }
}

static void set_limits(struct h1 *h)
{
    const struct http_options *o = http_conn_options(h->conn);
    if (h->conn->closing) {
        return;
    }
    if (h->state == H1_HEADER && h->in.len == 0) {
        http_conn_limit(h->conn, o->idle_ms);
    } else if (h->state == H1_BODY && h->call->gather_by_ms != 0) {
        http_conn_sweep(h->conn);
    } else if (h->state != H1_HEADER) {
        http_conn_no_limit(h->conn);
    }
}

/* Take as much of `in` as the state allows. */
static void run(struct h1 *h)
{
    size_t before;
    enum h1_state state;
    do {
        before = h->in.len;
        state = h->state;
        if (h->state == H1_HEADER) {
            read_header(h);
        } else if (h->state == H1_BODY && h->in.len > 0) {
            read_body(h);
        }
    } while (h->in.len > 0 && (h->in.len != before || h->state != state) && h->state < H1_WAITING);
    if (h->in.len == 0) {
        buf_close(&h->in);
        buf_init(&h->in, sysmem(), IN_MAX);
    }
    if (h->state != state || h->state != H1_HEADER) {
        set_limits(h);
    }
    if (!h->paused && h->in.len > IN_PAUSE) {
        h->paused = true;
        stream_pause(h->conn->stream);
    } else if (h->paused && h->in.len <= IN_PAUSE / 2) {
        h->paused = false;
        stream_resume(h->conn->stream);
    }
}

static void h1_read(struct http_conn *conn, const uint8_t *bytes, size_t n)
{
    struct h1 *h = conn->state;
    if (h->state == H1_CLOSED) {
        return;
    }
    if (h->state == H1_HEADER && h->in.len == 0) { /* A new request begins. */
        http_conn_limit(conn, http_conn_options(conn)->header_ms);
    }
    buf_put(&h->in, bytes, n);
    if (h->in.overflow) { /* The stream delivers at most 64 KiB after a pause. */
        stream_abort(conn->stream);
        return;
    }
    run(h);
}

/* A client that half-closes after its request still gets the answer; one that leaves in the middle
 * of a request or of a streamed response is gone. */
static void h1_eof(struct http_conn *conn)
{
    struct h1 *h = conn->state;
    if (h->state == H1_WAITING && (!h->call->begun || h->call->finished)) {
        h->keep_alive = false;
        return;
    }
    http_conn_close(conn);
}

/* --- the response
 * ------------------------------------------------------------------------------------------ */

/* A line break in a value would begin a field of its own. */
static void put_field(struct buf *b, struct str name, struct str value)
{
    buf_put(b, name.p, name.n);
    buf_puts(b, ": ");
    for (size_t i = 0; i < value.n; i++) {
        char c = value.p[i];
        buf_put_u8(b, (uint8_t)(c == '\r' || c == '\n' || c == '\0' ? ' ' : c));
    }
    buf_puts(b, "\r\n");
}

static bool may_have_body(unsigned status)
{
    return status >= 200 && status != 204 && status != 304;
}

static void h1_respond(struct http_call *c, unsigned status, const struct http_field *fields,
                       size_t n_fields, struct str body, bool more)
{
    struct h1 *h = c->conn->state;
    const struct http_options *o = http_conn_options(c->conn);
    struct buf head;
    char date[HTTP_DATE_MAX];
    if (c->conn->stopping || h->state == H1_BODY) {
        h->keep_alive = false; /* The rest of the body is not worth reading. */
    }
    h->chunked = more && !h->old;
    h->keep_alive = h->keep_alive && !h->old;
    buf_init(&head, sysmem(), HTTP_OUT_MAX);
    http_date(date);
    buf_printf(&head, "HTTP/1.1 %u %s\r\ndate: %s\r\n", status, http_reason(status), date);
    if (o->server_name != NULL) {
        buf_printf(&head, "server: %s\r\n", o->server_name);
    }
    for (size_t i = 0; i < n_fields; i++) {
        put_field(&head, fields[i].name, fields[i].value);
    }
    if (h->chunked && may_have_body(status)) {
        buf_puts(&head, "transfer-encoding: chunked\r\n");
    } else if (!more && may_have_body(status)) {
        buf_printf(&head, "content-length: %zu\r\n", body.n);
    }
    if (!h->keep_alive) {
        buf_puts(&head, "connection: close\r\n");
    }
    buf_puts(&head, "\r\n");
    if (!h->head && may_have_body(status)) {
        buf_put(&head, body.p, body.n);
    }
    (void)stream_write(c->conn->stream, head.data, head.len); /* A dead stream says so itself. */
    buf_close(&head);
}

static int h1_write(struct http_call *c, const void *bytes, size_t n)
{
    struct h1 *h = c->conn->state;
    struct stream *s = c->conn->stream;
    char size[24];
    int len;
    int rv;
    if (h->head) {
        return 0;
    }
    if (stream_queued(s) + n > HTTP_STREAM_MAX) {
        return ERR_FULL;
    }
    if (!h->chunked) {
        return stream_write(s, bytes, n);
    }
    len = snprintf(size, sizeof size, "%zx\r\n", n);
    assert(len > 0);
    rv = stream_write(s, size, (size_t)len);
    rv = rv != 0 ? rv : stream_write(s, bytes, n);
    return rv != 0 ? rv : stream_write(s, "\r\n", 2);
}

static bool h1_writable(const struct http_call *c)
{
    return stream_writable(c->conn->stream);
}

static size_t h1_room(const struct http_call *c)
{
    size_t used = stream_queued(c->conn->stream);
    return used < HTTP_STREAM_MAX ? HTTP_STREAM_MAX - used : 0;
}

static void h1_finish(struct http_call *c, const struct http_field *trailers, size_t n_trailers)
{
    struct h1 *h = c->conn->state;
    struct buf end;
    if (!h->chunked || h->head) {
        return;
    }
    buf_init(&end, sysmem(), HTTP_OUT_MAX);
    buf_puts(&end, "0\r\n");
    for (size_t i = 0; i < n_trailers; i++) {
        put_field(&end, trailers[i].name, trailers[i].value);
    }
    buf_puts(&end, "\r\n");
    (void)stream_write(c->conn->stream, end.data, end.len);
    buf_close(&end);
}

static void h1_abort(struct http_call *c)
{
    struct h1 *h = c->conn->state;
    h->state = H1_CLOSED;
    stream_abort(c->conn->stream);
}

static void h1_consumed(struct http_call *c, size_t n)
{
    (void)c;
    (void)n; /* Reading is by the stream, not by windows. */
}

/* --- the connection
 * ------------------------------------------------------------------------------------------ */

static void h1_open(struct http_conn *conn)
{
    struct h1 *h = mem_alloc(sysmem(), sizeof *h);
    h->conn = conn;
    buf_init(&h->in, sysmem(), IN_MAX);
    conn->state = h;
}

static void h1_turn(struct http_conn *conn)
{
    struct h1 *h = conn->state;
    struct http_call *c = h->call;
    if (conn->closing || h->state == H1_CLOSED) {
        return;
    }
    if (c != NULL && c->finished) {
        bool again = h->keep_alive && h->state == H1_WAITING && !conn->stopping;
        h->call = NULL;
        h->state = again ? H1_HEADER : H1_CLOSED;
        http_call_done(c, 0);
        if (!again) {
            http_conn_close(conn);
            return;
        }
        http_conn_limit(conn, h->in.len == 0 ? http_conn_options(conn)->idle_ms
                                             : http_conn_options(conn)->header_ms);
    }
    run(h);
}

static void h1_drain(struct http_conn *conn)
{
    struct h1 *h = conn->state;
    if (h->call != NULL && h->call->want_drain) {
        http_call_tell_drain(h->call);
    }
}

static void h1_stop(struct http_conn *conn)
{
    struct h1 *h = conn->state;
    if (h->call == NULL) {
        h->state = H1_CLOSED;
        http_conn_close(conn);
    }
}

static void h1_free(struct http_conn *conn)
{
    struct h1 *h = conn->state;
    buf_close(&h->in);
    mem_free(sysmem(), h, sizeof *h);
    conn->state = NULL;
}

const struct http_proto http1_proto = {
    .open = h1_open,
    .read = h1_read,
    .eof = h1_eof,
    .turn = h1_turn,
    .drain = h1_drain,
    .stop = h1_stop,
    .free = h1_free,
    .respond = h1_respond,
    .write = h1_write,
    .writable = h1_writable,
    .room = h1_room,
    .finish = h1_finish,
    .abort = h1_abort,
    .consumed = h1_consumed,
};
