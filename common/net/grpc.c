#include "common/net/grpc.h"

#include "common/base/arena.h"
#include "common/loop/loop.h"
#include "common/loop/sysmem.h"
#include "common/net/grpc_wire.h"
#include "common/net/http_impl.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct entry {
    const struct grpc_method *method;
};

struct grpc_server {
    uv_loop_t *loop;
    size_t message_max;
    struct entry *methods; /* In order of path. */
    size_t n_methods;
    size_t cap_methods;
    grpc_find_cb find;
    void *find_data;
    size_t buffered; /* Of unfinished messages. */
};

struct grpc_call {
    struct grpc_server *server;
    struct http_call *http;
    const struct grpc_method *method;
    void *data;
    struct arena arena; /* Metadata to send. */
    struct http_fields headers;
    struct http_fields trailers;
    struct grpc_reader reader;
    struct buf one;       /* The single message, until the client has finished. */
    size_t buffered;      /* Counted in the server. */
    uint64_t deadline_ms; /* Monotonic; 0: none. */
    unsigned n_messages;
    bool finished;
    int fail; /* Status for on_close when we ended the call. */
};

/* --- codes
 * ---------------------------------------------------------------------------------------------- */

const char *grpc_code_name(enum grpc_code code)
{
    switch (code) {
#define GRPC_X(name, number, text) \
    case name:                     \
        return text;
        GRPC_CODE_TABLE(GRPC_X)
#undef GRPC_X
    }
    return "UNKNOWN";
}

enum grpc_code grpc_code_of_err(int err_code)
{
    static const struct {
        int err;
        enum grpc_code code;
    } table[] = {
        {0, GRPC_OK},
        {ERR_NOMEM, GRPC_RESOURCE_EXHAUSTED},
        {ERR_INVALID, GRPC_INVALID_ARGUMENT},
        {ERR_NOTFOUND, GRPC_NOT_FOUND},
        {ERR_EXISTS, GRPC_ALREADY_EXISTS},
        {ERR_TOOBIG, GRPC_RESOURCE_EXHAUSTED},
        {ERR_CORRUPT, GRPC_DATA_LOSS},
        {ERR_IO, GRPC_INTERNAL},
        {ERR_CANCELED, GRPC_CANCELLED},
        {ERR_TIMEOUT, GRPC_DEADLINE_EXCEEDED},
        {ERR_CLOSED, GRPC_UNAVAILABLE},
        {ERR_UNAVAILABLE, GRPC_UNAVAILABLE},
        {ERR_DENIED, GRPC_PERMISSION_DENIED},
        {ERR_CONFLICT, GRPC_ABORTED},
        {ERR_UNSUPPORTED, GRPC_UNIMPLEMENTED},
        {ERR_FULL, GRPC_RESOURCE_EXHAUSTED},
        {ERR_PARSE, GRPC_INVALID_ARGUMENT},
        {ERR_AGAIN, GRPC_UNAVAILABLE},
        {ERR_NOTLEADER, GRPC_UNAVAILABLE},
        {ERR_UNKNOWN, GRPC_UNKNOWN},
        {ERR_BUSY, GRPC_UNAVAILABLE},
        {ERR_PROTOCOL, GRPC_INTERNAL},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].err == err_code) {
            return table[i].code;
        }
    }
    return GRPC_INTERNAL;
}

/* --- server
 * ---------------------------------------------------------------------------------------------- */

struct grpc_server *grpc_server_open(uv_loop_t *loop, size_t message_max)
{
    struct grpc_server *s = mem_alloc(sysmem(), sizeof *s);
    s->loop = loop;
    s->message_max = message_max != 0 ? message_max : GRPC_MESSAGE_MAX;
    return s;
}

void grpc_server_close(struct grpc_server *s)
{
    if (s == NULL) {
        return;
    }
    mem_free(sysmem(), s->methods, s->cap_methods * sizeof *s->methods);
    mem_free(sysmem(), s, sizeof *s);
}

/* Where the path is, or would go. */
static size_t method_place(const struct grpc_server *s, struct str path, bool *ret_there)
{
    size_t from = 0;
    size_t to = s->n_methods;
    *ret_there = false;
    while (from < to) {
        size_t mid = from + (to - from) / 2;
        int order = str_cmp(str_of(s->methods[mid].method->path), path);
        if (order == 0) {
            *ret_there = true;
            return mid;
        }
        if (order < 0) {
            from = mid + 1;
        } else {
            to = mid;
        }
    }
    return from;
}

static void insert_method(struct grpc_server *s, size_t at, const struct grpc_method *m)
{
    if (s->n_methods == s->cap_methods) {
        size_t cap = s->cap_methods == 0 ? 32 : 2 * s->cap_methods;
        s->methods = mem_resize(sysmem(), s->methods, s->cap_methods * sizeof *s->methods,
                                cap * sizeof *s->methods);
        s->cap_methods = cap;
    }
    memmove(&s->methods[at + 1], &s->methods[at], (s->n_methods - at) * sizeof *s->methods);
    s->methods[at].method = m;
    s->n_methods++;
}

int grpc_server_add(struct grpc_server *s, const struct grpc_method *methods, size_t n,
                    struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        bool there;
        size_t at = method_place(s, str_of(methods[i].path), &there);
        assert(methods[i].on_message != NULL);
        if (there) {
            return err_set(err, ERR_EXISTS, "method %s is registered twice", methods[i].path);
        }
        insert_method(s, at, &methods[i]);
    }
    return 0;
}

void grpc_server_set_fallback(struct grpc_server *s, grpc_find_cb find, void *data)
{
    s->find = find;
    s->find_data = data;
}

bool grpc_is_call(const struct http_call *call)
{
    static const char prefix[] = "application/grpc";
    struct str type = http_call_header(call, "content-type");
    struct str rest = str_slice(type, sizeof prefix - 1, type.n);
    return http_call_is_http2(call) && str_eqc(http_call_method(call), "POST") &&
           str_starts(type, prefix) && (rest.n == 0 || rest.p[0] == ';' || rest.p[0] == '+');
}

/* --- ending a call
 * ------------------------------------------------------------------------------------------ */

static void add_status(struct grpc_call *c, enum grpc_code code, struct str message,
                       struct str details)
{
    char number[8];
    (void)snprintf(number, sizeof number, "%d", (int)code);
    (void)http_fields_add(&c->trailers, &c->arena, STR("grpc-status"), str_of(number));
    if (message.n > 0) {
        struct str short_text = str_slice(message, 0, HTTP_HEADER_MAX / 8);
        (void)http_fields_add(&c->trailers, &c->arena, STR("grpc-message"),
                              grpc_percent_encode(&c->arena, short_text));
    }
    if (details.n > 0) { /* Left out when it does not fit: the code and text are there. */
        (void)http_fields_add(&c->trailers, &c->arena, STR("grpc-status-details-bin"),
                              grpc_base64_encode(&c->arena, details));
    }
}

static void add_type(struct grpc_call *c)
{
    if (http_fields_get(&c->headers, "content-type").p == NULL) {
        (void)http_fields_add(&c->headers, &c->arena, STR("content-type"), STR("application/grpc"));
    }
}

void grpc_call_finish(struct grpc_call *c, enum grpc_code code, const char *message,
                      struct str details)
{
    if (c->finished) {
        return;
    }
    c->finished = true;
    add_status(c, code, str_of(message), details);
    if (http_call_begun(c->http)) {
        http_call_finish(c->http, c->trailers.v, c->trailers.n);
        return;
    }
    add_type(c); /* Header and trailers in one frame. */
    for (size_t i = 0; i < c->trailers.n; i++) {
        (void)http_fields_add(&c->headers, &c->arena, c->trailers.v[i].name,
                              c->trailers.v[i].value);
    }
    http_call_respond(c->http, 200, c->headers.v, c->headers.n, str_make(NULL, 0));
}

void grpc_call_fail(struct grpc_call *c, enum grpc_code code, const char *fmt, ...)
{
    char text[ERR_TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    grpc_call_finish(c, code, text, str_make(NULL, 0));
}

/* We end the call, not the handler: on_close will say why. */
static void refuse(struct grpc_call *c, int fail, enum grpc_code code, const char *text)
{
    if (!c->finished) {
        c->fail = fail;
        grpc_call_fail(c, code, "%s", text);
    }
}

/* --- messages in
 * -------------------------------------------------------------------------------------------- */

static bool one_message_in(const struct grpc_call *c)
{
    return c->method->kind == GRPC_UNARY || c->method->kind == GRPC_SERVER_STREAM;
}

static void count_buffered(struct grpc_call *c)
{
    size_t now = grpc_reader_held(&c->reader) + c->one.len;
    c->server->buffered = c->server->buffered - c->buffered + now;
    c->buffered = now;
    if (c->server->buffered > GRPC_BUFFERED_MAX) {
        refuse(c, ERR_FULL, GRPC_RESOURCE_EXHAUSTED, "too many large messages at once");
    }
}

static void take_message(struct grpc_call *c, struct str message)
{
    c->n_messages++;
    if (!one_message_in(c)) {
        c->method->on_message(c, message);
    } else if (c->n_messages == 1) {
        buf_init(&c->one, sysmem(), c->server->message_max);
        buf_put(&c->one, message.p, message.n);
    } else {
        refuse(c, ERR_PROTOCOL, GRPC_INTERNAL, "more than one message for this method");
    }
}

static void on_data(struct http_call *http, struct str bytes)
{
    struct grpc_call *c = http_call_data(http);
    struct str message;
    int rv = 1;
    while (rv == 1 && !c->finished) {
        rv = grpc_reader_next(&c->reader, &bytes, &message);
        if (rv == 1) {
            take_message(c, message);
        }
    }
    if (rv == ERR_TOOBIG) {
        refuse(c, rv, GRPC_RESOURCE_EXHAUSTED, "message larger than the limit");
    } else if (rv == ERR_UNSUPPORTED) {
        refuse(c, ERR_PROTOCOL, GRPC_UNIMPLEMENTED, "compressed messages are not supported");
    } else if (rv < 0) {
        refuse(c, rv, GRPC_INTERNAL, "malformed message frame");
    }
    count_buffered(c);
}

static void on_end(struct http_call *http)
{
    struct grpc_call *c = http_call_data(http);
    if (c->finished) {
        return;
    }
    if (!grpc_reader_at_boundary(&c->reader)) {
        refuse(c, ERR_PROTOCOL, GRPC_INTERNAL, "the request ends inside a message");
    } else if (!one_message_in(c)) {
        if (c->method->on_half_close != NULL) {
            c->method->on_half_close(c);
        }
    } else if (c->n_messages == 0) {
        refuse(c, ERR_PROTOCOL, GRPC_INTERNAL, "the request has no message");
    } else {
        c->method->on_message(c, str_make((const char *)c->one.data, c->one.len));
        buf_close(&c->one);
        count_buffered(c);
    }
}

static void on_drain(struct http_call *http)
{
    struct grpc_call *c = http_call_data(http);
    if (!c->finished && c->method->on_drain != NULL) {
        c->method->on_drain(c);
    }
}

static void on_deadline(struct http_call *http)
{
    refuse(http_call_data(http), ERR_TIMEOUT, GRPC_DEADLINE_EXCEEDED, "deadline exceeded");
}

static void call_free(struct grpc_call *c)
{
    c->server->buffered -= c->buffered;
    grpc_reader_close(&c->reader);
    buf_close(&c->one);
    arena_close(&c->arena);
    mem_free(sysmem(), c, sizeof *c);
}

static void on_close(struct http_call *http, int status)
{
    struct grpc_call *c = http_call_data(http);
    c->finished = true; /* Whatever on_close still sends goes nowhere. */
    if (c->method != NULL && c->method->on_close != NULL) {
        c->method->on_close(c, c->fail != 0 ? c->fail : status);
    }
    call_free(c);
}

static const struct http_call_events call_events = {
    .on_data = on_data,
    .on_end = on_end,
    .on_drain = on_drain,
    .on_deadline = on_deadline,
    .on_close = on_close,
};

/* --- the beginning of a call
 * ---------------------------------------------------------------------------------- */

static const struct grpc_method *find_method(struct grpc_call *c)
{
    struct grpc_server *s = c->server;
    bool there;
    size_t at = method_place(s, http_call_path(c->http), &there);
    if (there) {
        return s->methods[at].method;
    }
    return s->find == NULL ? NULL : s->find(c, s->find_data);
}

static void take_deadline(struct grpc_call *c, struct str text)
{
    uint64_t ms;
    if (!grpc_parse_timeout(text, &ms)) {
        refuse(c, ERR_PROTOCOL, GRPC_INTERNAL, "malformed grpc-timeout");
        return;
    }
    c->deadline_ms = clock_mono_ms() + ms;
    http_call_set_deadline(c->http, ms > 0 ? ms : 1);
}

void grpc_server_handle(struct grpc_server *s, struct http_call *call)
{
    struct grpc_call *c = mem_alloc(sysmem(), sizeof *c);
    struct str coding = http_call_header(call, "grpc-encoding");
    struct str timeout = http_call_header(call, "grpc-timeout");
    c->server = s;
    c->http = call;
    arena_init(&c->arena, sysmem());
    grpc_reader_init(&c->reader, s->message_max);
    http_call_accept(call, &call_events, c);
    c->method = find_method(c);
    if (c->method == NULL) {
        struct str path = http_call_path(call);
        grpc_call_fail(c, GRPC_UNIMPLEMENTED, "unknown method %.*s", STR_ARG(path));
        return;
    }
    c->data = c->method->data;
    if (coding.p != NULL && !str_eqc(coding, "identity")) {
        grpc_call_add_header(c, "grpc-accept-encoding", STR("identity"));
        refuse(c, ERR_PROTOCOL, GRPC_UNIMPLEMENTED, "only identity encoding is supported");
        return;
    }
    if (one_message_in(c)) {
        http_call_limit_body(call, HTTP_BODY_MS);
    }
    if (timeout.p != NULL) {
        take_deadline(c, timeout);
    }
    if (!c->finished && c->method->on_start != NULL) {
        c->method->on_start(c);
    }
}

/* --- using a call
 * ---------------------------------------------------------------------------------------------- */

void *grpc_call_data(const struct grpc_call *c)
{
    return c->data;
}

void grpc_call_set_data(struct grpc_call *c, void *data)
{
    c->data = data;
}

struct str grpc_call_path(const struct grpc_call *c)
{
    return http_call_path(c->http);
}

const struct pki_identity *grpc_call_peer(const struct grpc_call *c)
{
    return http_call_peer(c->http);
}

const struct addr *grpc_call_addr(const struct grpc_call *c)
{
    return http_call_addr(c->http);
}

struct http_call *grpc_call_http(const struct grpc_call *c)
{
    return c->http;
}

struct str grpc_call_metadata(const struct grpc_call *c, const char *name)
{
    return http_call_header(c->http, name);
}

uint64_t grpc_call_remaining_ms(const struct grpc_call *c)
{
    uint64_t now = clock_mono_ms();
    if (c->deadline_ms == 0) {
        return UINT64_MAX;
    }
    return c->deadline_ms > now ? c->deadline_ms - now : 0;
}

void grpc_call_add_header(struct grpc_call *c, const char *name, struct str value)
{
    (void)http_fields_add(&c->headers, &c->arena, str_of(name), value);
}

void grpc_call_add_trailer(struct grpc_call *c, const char *name, struct str value)
{
    (void)http_fields_add(&c->trailers, &c->arena, str_of(name), value);
}

int grpc_call_send(struct grpc_call *c, struct str message)
{
    uint8_t head[GRPC_HEAD];
    int rv;
    if (c->finished) {
        return ERR_CLOSED;
    }
    if (message.n > c->server->message_max) {
        return ERR_TOOBIG;
    }
    if (http_call_room(c->http) < message.n + GRPC_HEAD) {
        return ERR_FULL;
    }
    if (!http_call_begun(c->http)) {
        add_type(c);
        http_call_begin(c->http, 200, c->headers.v, c->headers.n);
    }
    grpc_put_head(head, (uint32_t)message.n);
    rv = http_call_write(c->http, head, sizeof head);
    return rv != 0 ? rv : http_call_write(c->http, message.p, message.n);
}

bool grpc_call_writable(const struct grpc_call *c)
{
    return http_call_writable(c->http);
}

void grpc_call_reply(struct grpc_call *c, struct str message)
{
    int rv = grpc_call_send(c, message);
    if (rv == 0) {
        grpc_call_finish(c, GRPC_OK, NULL, str_make(NULL, 0));
    } else if (rv != ERR_CLOSED) {
        grpc_call_fail(c, grpc_code_of_err(rv), "response of %zu bytes: %s", message.n,
                       err_name(rv));
    }
}

void grpc_call_pause(struct grpc_call *c)
{
    http_call_pause(c->http);
}

void grpc_call_resume(struct grpc_call *c)
{
    http_call_resume(c->http);
}

bool grpc_call_finished(const struct grpc_call *c)
{
    return c->finished;
}
