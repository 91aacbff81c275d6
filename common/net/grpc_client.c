/* A channel has at most one connection that takes new calls, and any number that were told to go
 * away and are finishing theirs. Calls wait in a list until a connection is ready.
 *
 *     idle -> connecting -> ready -> idle           (lost; on demand)
 *                 |  ^        '----> backoff        (lost; stay_connected)
 *                 v  |
 *               backoff
 */
#include "common/net/grpc_client.h"

#include "common/base/arena.h"
#include "common/base/list.h"
#include "common/base/prng.h"
#include "common/loop/loop.h"
#include "common/loop/sysmem.h"
#include "common/net/grpc_wire.h"
#include "common/net/http_impl.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define CONNECT_MS     5000
#define BACKOFF_MIN_MS 200
#define BACKOFF_MAX_MS 10000
#define FIELDS_MAX     64

struct conn {                     /* One connection; outlives the channel until it is closed. */
    struct grpc_channel *channel; /* NULL when the channel is gone. */
    struct list in_channel;
    struct http_client *http;
};

struct grpc_channel {
    uv_loop_t *loop;
    struct grpc_channel_options options;
    struct arena arena; /* Copies of the option's text. */
    enum grpc_channel_state state;
    enum grpc_channel_state told;
    char reason[200];
    struct list conns;
    struct conn *current; /* Connecting or ready; NULL otherwise. */
    struct addr_resolve *resolve;
    struct addr addrs[ADDR_RESOLVED_MAX];
    unsigned n_addrs;
    unsigned next_addr;
    uint64_t backoff_ms;
    struct loop_timer *timer; /* Connect limit, or back-off. */
    struct loop_soon *soon;
    struct list waiting; /* Calls without exchange. */
    struct list running;
    unsigned n_waiting;
    struct prng prng;
};

struct grpc_client_call {
    struct grpc_channel *channel;
    struct list in_channel;
    const struct grpc_client_events *events;
    void *data;
    struct arena arena;
    const char *path;
    struct http_fields metadata;
    struct http_exchange *exchange; /* NULL while waiting. */
    struct buf early;               /* Sent while waiting. */
    bool half_closed;
    bool paused;
    bool wait_for_ready;
    bool done; /* on_close has run. */
    struct grpc_reader reader;
    struct loop_timer *deadline;
    uint64_t deadline_ms;
    bool judged; /* We decided the end, not the server: */
    enum grpc_code verdict;
    const char *verdict_text; /* Static. */
    bool not_sent;
    /* Unary. */
    grpc_unary_cb unary_cb;
    void *unary_data;
    struct buf unary_message;
    unsigned n_unary;
};

static void channel_connect(struct grpc_channel *ch);
static void start_waiting(struct grpc_channel *ch);

/* --- the end of a call
 * --------------------------------------------------------------------------------- */

static void call_done(struct grpc_client_call *c, const struct grpc_status *status)
{
    struct grpc_channel *ch = c->channel;
    list_remove(&c->in_channel);
    if (c->exchange == NULL) {
        ch->n_waiting--;
    }
    if (!list_empty(&ch->waiting)) {
        loop_soon_post(ch->soon); /* There may be room on the connection now. */
    }
    loop_timer_close(c->deadline);
    c->deadline = NULL;
    c->done = true;
    if (c->unary_cb != NULL) {
        struct str message = {NULL, 0};
        if (status->code == GRPC_OK) {
            message = str_make((const char *)c->unary_message.data, c->unary_message.len);
        }
        c->unary_cb(c, status, message, c->unary_data);
    } else {
        c->events->on_close(c, status);
    }
    grpc_reader_close(&c->reader);
    buf_close(&c->early);
    buf_close(&c->unary_message);
    arena_close(&c->arena);
    mem_free(sysmem(), c, sizeof *c);
}

static void call_end(struct grpc_client_call *c, enum grpc_code code, const char *text,
                     bool not_sent)
{
    struct grpc_status status = {.code = code, .message = text, .not_sent = not_sent};
    call_done(c, &status);
}

/* We end the call: now if it waits (we are in a callback of the loop), else when its exchange has
 * closed. */
static void judge(struct grpc_client_call *c, enum grpc_code code, const char *text)
{
    if (c->judged || c->done) {
        return;
    }
    c->judged = true;
    c->verdict = code;
    c->verdict_text = text;
    if (c->exchange != NULL) {
        http_exchange_cancel(c->exchange);
    } else {
        loop_soon_post(c->channel->soon);
    }
}

static enum grpc_code code_of_http(unsigned status)
{
    switch (status) {
    case 400:
        return GRPC_INTERNAL;
    case 401:
        return GRPC_UNAUTHENTICATED;
    case 403:
        return GRPC_PERMISSION_DENIED;
    case 404:
        return GRPC_UNIMPLEMENTED;
    case 413:
    case 431:
        return GRPC_RESOURCE_EXHAUSTED;
    case 429:
    case 502:
    case 503:
    case 504:
        return GRPC_UNAVAILABLE;
    default:
        return GRPC_UNKNOWN;
    }
}

static enum grpc_code code_of_reset(uint32_t code)
{
    switch (code) {
    case NGHTTP2_CANCEL:
        return GRPC_CANCELLED;
    case NGHTTP2_REFUSED_STREAM:
        return GRPC_UNAVAILABLE;
    case NGHTTP2_ENHANCE_YOUR_CALM:
        return GRPC_RESOURCE_EXHAUSTED;
    case NGHTTP2_INADEQUATE_SECURITY:
        return GRPC_PERMISSION_DENIED;
    default:
        return GRPC_INTERNAL;
    }
}

/* The status is in the trailers, or, when there was nothing else, in the header. */
static struct str status_field(const struct grpc_client_call *c, const char *name)
{
    struct str value = http_exchange_trailer(c->exchange, name);
    return value.p != NULL ? value : http_exchange_header(c->exchange, name);
}

static void end_complete(struct grpc_client_call *c)
{
    struct grpc_status status = {.message = ""};
    struct str number = status_field(c, "grpc-status");
    struct str details = status_field(c, "grpc-status-details-bin");
    struct str message = status_field(c, "grpc-message");
    uint64_t code;
    if (number.p == NULL || !str_u64(number, &code)) {
        unsigned http = http_exchange_status(c->exchange);
        char text[64];
        (void)snprintf(text, sizeof text, "HTTP status %u without grpc-status", http);
        call_end(c, code_of_http(http), text, false);
        return;
    }
    status.code = code <= GRPC_UNAUTHENTICATED ? (enum grpc_code)code : GRPC_UNKNOWN;
    if (message.n > 0) {
        status.message = grpc_percent_decode(&c->arena, message).p;
    }
    if (details.n > 0) {
        status.details = grpc_base64_decode(&c->arena, details);
    }
    if (status.code == GRPC_OK && !grpc_reader_at_boundary(&c->reader)) {
        call_end(c, GRPC_INTERNAL, "the response ends inside a message", false);
        return;
    }
    if (status.code == GRPC_OK && c->unary_cb != NULL && c->n_unary != 1) {
        call_end(c, GRPC_INTERNAL, "the response does not have one message", false);
        return;
    }
    call_done(c, &status);
}

static void x_on_close(struct http_exchange *x, int status)
{
    struct grpc_client_call *c = http_exchange_data(x);
    if (c->judged) {
        call_end(c, c->verdict, c->verdict_text, false);
    } else if (status == 0) {
        end_complete(c);
    } else if (status == ERR_UNAVAILABLE) {
        call_end(c, GRPC_UNAVAILABLE, "the server did not take the call", true);
    } else if (status == ERR_CLOSED) {
        call_end(c, GRPC_UNAVAILABLE, "connection lost", false);
    } else if (status == ERR_TOOBIG) {
        call_end(c, GRPC_RESOURCE_EXHAUSTED, "response header too large", false);
    } else if (status == ERR_PROTOCOL) {
        char text[64];
        uint32_t code = http_exchange_error_code(x);
        (void)snprintf(text, sizeof text, "reset by the server: %s", nghttp2_http2_strerror(code));
        call_end(c, code_of_reset(code), text, false);
    } else {
        call_end(c, GRPC_CANCELLED, "cancelled", false);
    }
}

/* --- messages
 * ---------------------------------------------------------------------------------------------- */

static void take_message(struct grpc_client_call *c, struct str message)
{
    if (c->unary_cb == NULL) {
        if (c->events->on_message != NULL) {
            c->events->on_message(c, message);
        }
        return;
    }
    c->n_unary++;
    if (c->n_unary == 1) {
        buf_init(&c->unary_message, sysmem(), c->channel->options.message_max);
        buf_put(&c->unary_message, message.p, message.n);
    }
}

static void x_on_data(struct http_exchange *x, struct str bytes)
{
    struct grpc_client_call *c = http_exchange_data(x);
    struct str message;
    int rv = 1;
    while (rv == 1 && !c->judged) {
        rv = grpc_reader_next(&c->reader, &bytes, &message);
        if (rv == 1) {
            take_message(c, message);
        }
    }
    if (rv == ERR_TOOBIG) {
        judge(c, GRPC_RESOURCE_EXHAUSTED, "response message larger than the limit");
    } else if (rv < 0) {
        judge(c, GRPC_INTERNAL, "malformed or compressed response message");
    }
}

static void x_on_header(struct http_exchange *x, unsigned status)
{
    struct grpc_client_call *c = http_exchange_data(x);
    if (status == 200 && c->events != NULL && c->events->on_header != NULL) {
        c->events->on_header(c);
    }
}

static void x_on_drain(struct http_exchange *x)
{
    struct grpc_client_call *c = http_exchange_data(x);
    if (c->events != NULL && c->events->on_drain != NULL && !c->half_closed && !c->judged) {
        c->events->on_drain(c);
    }
}

static const struct http_exchange_events exchange_events = {
    .on_header = x_on_header,
    .on_data = x_on_data,
    .on_drain = x_on_drain,
    .on_close = x_on_close,
};

/* Give a waiting call its exchange. */
static int call_start(struct grpc_client_call *c, struct http_client *http)
{
    struct grpc_channel *ch = c->channel;
    struct http_field fields[FIELDS_MAX];
    char timeout[16];
    uint64_t now = clock_mono_ms();
    struct http_request request = {
        .method = "POST", .path = c->path, .authority = ch->options.authority, .fields = fields};
    size_t n = 0;
    int rv;
    fields[n++] = (struct http_field){STR("content-type"), STR("application/grpc")};
    fields[n++] = (struct http_field){STR("te"), STR("trailers")};
    fields[n++] = (struct http_field){STR("user-agent"), STR("ecs/" ECS_VERSION)};
    if (c->deadline_ms != 0) {
        grpc_format_timeout(c->deadline_ms > now ? c->deadline_ms - now : 1, timeout);
        fields[n++] = (struct http_field){STR("grpc-timeout"), str_of(timeout)};
    }
    for (size_t i = 0; i < c->metadata.n && n < FIELDS_MAX; i++) {
        fields[n++] = c->metadata.v[i];
    }
    request.n_fields = n;
    rv = http_exchange_open(http, &request, &exchange_events, c, &c->exchange, NULL);
    if (rv != 0) {
        return rv;
    }
    list_remove(&c->in_channel);
    list_push(&ch->running, &c->in_channel);
    ch->n_waiting--;
    if (c->early.len > 0) {
        rv = http_exchange_write(c->exchange, c->early.data, c->early.len);
        assert(rv == 0);
        (void)http_exchange_writable(c->exchange); /* Whoever was told to wait gets on_drain. */
    }
    buf_close(&c->early);
    if (c->half_closed) {
        http_exchange_finish(c->exchange);
    }
    if (c->paused) {
        http_exchange_pause(c->exchange);
    }
    return 0;
}

/* --- the channel
 * --------------------------------------------------------------------------------------------- */

static void set_state(struct grpc_channel *ch, enum grpc_channel_state state, const char *reason)
{
    ch->state = state;
    (void)str_copy(ch->reason, sizeof ch->reason, str_of(reason));
    loop_soon_post(ch->soon);
}

static void channel_backoff(struct grpc_channel *ch, const char *reason)
{
    uint64_t wait = ch->backoff_ms;
    uint64_t spread = wait * 2 / 5 + 1;
    ch->backoff_ms = ch->backoff_ms * 2 < ch->options.backoff_max_ms ? ch->backoff_ms * 2
                                                                     : ch->options.backoff_max_ms;
    set_state(ch, GRPC_CHANNEL_BACKOFF, reason);
    loop_timer_start(ch->timer, wait - wait / 5 + prng_below(&ch->prng, spread));
}

static void drop_conn(struct conn *conn)
{
    if (conn->channel != NULL) {
        if (conn->channel->current == conn) {
            conn->channel->current = NULL;
        }
        conn->channel = NULL;
    }
    list_remove(&conn->in_channel);
}

static void conn_on_open(struct http_client *http, void *data)
{
    struct conn *conn = data;
    struct grpc_channel *ch = conn->channel;
    (void)http;
    if (ch == NULL || ch->current != conn) {
        return;
    }
    loop_timer_stop(ch->timer);
    ch->backoff_ms = ch->options.backoff_min_ms;
    set_state(ch, GRPC_CHANNEL_READY, "");
    start_waiting(ch);
}

/* The current connection is no longer for new calls. */
static void leave_current(struct grpc_channel *ch, const char *reason)
{
    ch->current = NULL;
    loop_timer_stop(ch->timer);
    if (ch->options.stay_connected) {
        channel_backoff(ch, reason);
    } else {
        set_state(ch, GRPC_CHANNEL_IDLE, reason); /* Waiting calls connect anew, from on_soon. */
    }
}

static void conn_on_goaway(struct http_client *http, void *data)
{
    struct conn *conn = data;
    struct grpc_channel *ch = conn->channel;
    if (ch != NULL && ch->current == conn) {
        leave_current(ch, "the server is going away");
    }
    http_client_shutdown(http);
}

static void connect_next(struct grpc_channel *ch, const char *reason);

static void conn_on_close(struct http_client *http, void *data, int status, const char *text)
{
    struct conn *conn = data;
    struct grpc_channel *ch = conn->channel;
    bool current = ch != NULL && ch->current == conn;
    char reason[200];
    (void)http;
    (void)str_copy(reason, sizeof reason,
                   text[0] != '\0' ? str_of(text) : str_of(err_name(status)));
    drop_conn(conn);
    mem_free(sysmem(), conn, sizeof *conn);
    if (!current) {
        return;
    }
    if (ch->state == GRPC_CHANNEL_CONNECTING) {
        connect_next(ch, reason);
    } else {
        leave_current(ch, reason);
    }
}

static const struct http_client_events conn_events = {
    .on_open = conn_on_open,
    .on_goaway = conn_on_goaway,
    .on_close = conn_on_close,
};

static int conn_open(struct grpc_channel *ch, const struct addr *addr, struct err *err)
{
    const struct grpc_channel_options *o = &ch->options;
    struct http_client_options ho = {
        .connect = {.addr = *addr,
                    .bind = o->bind,
                    .tls = o->tls,
                    .expect = o->expect,
                    .stream = {.connect_timeout_ms = o->connect_ms}},
        .ping_ms = o->keepalive_ms,
        .ping_timeout_ms = o->keepalive_timeout_ms,
        .ping_idle = o->keepalive_idle,
    };
    struct conn *conn = mem_alloc(sysmem(), sizeof *conn);
    int rv;
    if (o->keepalive_ms != 0) { /* The kernel notices a dead peer by the same limit. */
        ho.connect.stream.user_timeout_ms = o->keepalive_ms + o->keepalive_timeout_ms;
    }
    rv = http_client_open(ch->loop, &ho, &conn_events, conn, &conn->http, err);
    if (rv != 0) {
        mem_free(sysmem(), conn, sizeof *conn);
        return rv;
    }
    conn->channel = ch;
    list_push(&ch->conns, &conn->in_channel);
    ch->current = conn;
    return 0;
}

/* The next address, or back-off when all have failed. */
static void connect_next(struct grpc_channel *ch, const char *reason)
{
    struct err err = {0};
    (void)str_copy(err.text, sizeof err.text, str_of(reason));
    while (ch->next_addr < ch->n_addrs) {
        if (conn_open(ch, &ch->addrs[ch->next_addr++], &err) == 0) {
            return;
        }
    }
    loop_timer_stop(ch->timer);
    channel_backoff(ch, err.text);
}

static void on_resolved(void *data, int status, const struct addr *addrs, unsigned n,
                        const struct err *err)
{
    struct grpc_channel *ch = data;
    ch->resolve = NULL;
    if (status != 0) {
        loop_timer_stop(ch->timer);
        channel_backoff(ch, err->text);
        return;
    }
    memcpy(ch->addrs, addrs, n * sizeof *addrs);
    ch->n_addrs = n;
    ch->next_addr = 0;
    connect_next(ch, "");
}

static void channel_connect(struct grpc_channel *ch)
{
    struct err err;
    set_state(ch, GRPC_CHANNEL_CONNECTING, "");
    loop_timer_start(ch->timer, ch->options.connect_ms);
    if (addr_resolve_start(ch->loop, str_of(ch->options.target), 0, on_resolved, ch, &ch->resolve,
                           &err) != 0) {
        channel_backoff(ch, err.text);
    }
}

static void on_timer(void *data)
{
    struct grpc_channel *ch = data;
    struct conn *conn = ch->current;
    if (ch->state == GRPC_CHANNEL_BACKOFF) {
        channel_connect(ch);
        return;
    }
    if (ch->state != GRPC_CHANNEL_CONNECTING) {
        return;
    }
    addr_resolve_cancel(ch->resolve);
    ch->resolve = NULL;
    if (conn != NULL) {
        drop_conn(conn);
        http_client_abort(conn->http);
    }
    channel_backoff(ch, "connect timed out");
}

/* As many waiting calls as the connection takes. */
static void start_waiting(struct grpc_channel *ch)
{
    struct list *it;
    struct list *after;
    list_each_safe (it, after, &ch->waiting) {
        struct grpc_client_call *c = container_of(it, struct grpc_client_call, in_channel);
        if (ch->state != GRPC_CHANNEL_READY || !http_client_ready(ch->current->http)) {
            return;
        }
        if (!c->judged && call_start(c, ch->current->http) != 0) {
            return;
        }
    }
}

/* End waiting calls that were judged, or that need not wait for the end of a back-off. on_close
 * may change the list, so the search begins anew each time. */
static void end_waiting(struct grpc_channel *ch)
{
    struct list *it = ch->waiting.next;
    while (it != &ch->waiting) {
        struct grpc_client_call *c = container_of(it, struct grpc_client_call, in_channel);
        it = it->next;
        if (c->judged) {
            call_end(c, c->verdict, c->verdict_text, true);
            it = ch->waiting.next;
        } else if (ch->state == GRPC_CHANNEL_BACKOFF && !c->wait_for_ready) {
            char text[sizeof ch->reason + 64];
            (void)snprintf(text, sizeof text, "connect to %s: %s", ch->options.target, ch->reason);
            call_end(c, GRPC_UNAVAILABLE, text, true);
            it = ch->waiting.next;
        }
    }
}

static void on_soon(void *data)
{
    struct grpc_channel *ch = data;
    if (ch->state == GRPC_CHANNEL_IDLE && !list_empty(&ch->waiting)) {
        channel_connect(ch);
    }
    if (ch->state != ch->told) {
        ch->told = ch->state;
        if (ch->options.on_state != NULL) {
            ch->options.on_state(ch, ch->state, ch->reason, ch->options.data);
        }
    }
    start_waiting(ch);
    end_waiting(ch);
}

static void set_defaults(struct grpc_channel_options *o)
{
    o->connect_ms = o->connect_ms != 0 ? o->connect_ms : CONNECT_MS;
    o->backoff_min_ms = o->backoff_min_ms != 0 ? o->backoff_min_ms : BACKOFF_MIN_MS;
    o->backoff_max_ms = o->backoff_max_ms != 0 ? o->backoff_max_ms : BACKOFF_MAX_MS;
    o->message_max = o->message_max != 0 ? o->message_max : GRPC_MESSAGE_MAX;
    if (o->keepalive_ms != 0 && o->keepalive_timeout_ms == 0) {
        o->keepalive_timeout_ms = 5000;
    }
}

static const char *copy_text(struct grpc_channel *ch, const char *text)
{
    return text == NULL ? NULL : arena_strdup(&ch->arena, text);
}

int grpc_channel_open(uv_loop_t *loop, const struct grpc_channel_options *options,
                      struct grpc_channel **ret, struct err *err)
{
    char host[ADDR_HOST_MAX];
    uint16_t port;
    struct grpc_channel *ch;
    int rv = addr_split(str_of(options->target), 0, host, &port, err);
    if (rv != 0) {
        return rv;
    }
    ch = mem_alloc(sysmem(), sizeof *ch);
    ch->loop = loop;
    arena_init(&ch->arena, sysmem());
    ch->options = *options;
    ch->options.target = copy_text(ch, options->target);
    ch->options.authority =
        copy_text(ch, options->authority == NULL ? options->target : options->authority);
    ch->options.expect.id = copy_text(ch, options->expect.id);
    ch->options.expect.host = copy_text(ch, options->expect.host);
    set_defaults(&ch->options);
    ch->backoff_ms = ch->options.backoff_min_ms;
    prng_init(&ch->prng, options->seed ^ (uint64_t)(uintptr_t)ch);
    list_init(&ch->conns);
    list_init(&ch->waiting);
    list_init(&ch->running);
    ch->timer = loop_timer_open(loop, on_timer, ch);
    ch->soon = loop_soon_open(loop, on_soon, ch);
    if (options->stay_connected) {
        channel_connect(ch);
    }
    *ret = ch;
    return 0;
}

static void close_calls(struct list *calls)
{
    while (!list_empty(calls)) {
        struct grpc_client_call *c = container_of(calls->next, struct grpc_client_call, in_channel);
        if (c->exchange != NULL) {
            http_exchange_detach(c->exchange);
        }
        call_end(c, GRPC_CANCELLED, "the channel is closed", false);
    }
}

void grpc_channel_close(struct grpc_channel *ch)
{
    if (ch == NULL) {
        return;
    }
    ch->state = GRPC_CHANNEL_BACKOFF; /* Calls opened in on_close below must not connect. */
    addr_resolve_cancel(ch->resolve);
    close_calls(&ch->running);
    close_calls(&ch->waiting);
    while (!list_empty(&ch->conns)) {
        struct conn *conn = container_of(ch->conns.next, struct conn, in_channel);
        drop_conn(conn);
        http_client_abort(conn->http);
    }
    loop_timer_close(ch->timer);
    loop_soon_close(ch->soon);
    arena_close(&ch->arena);
    mem_free(sysmem(), ch, sizeof *ch);
}

enum grpc_channel_state grpc_channel_state(const struct grpc_channel *ch)
{
    return ch->state;
}

void grpc_channel_wake(struct grpc_channel *ch)
{
    if (ch->state == GRPC_CHANNEL_BACKOFF) {
        ch->backoff_ms = ch->options.backoff_min_ms;
        loop_timer_start(ch->timer, 0);
    }
}

void grpc_channel_reconnect(struct grpc_channel *ch)
{
    struct conn *conn = ch->current;
    if (ch->state == GRPC_CHANNEL_READY) {
        leave_current(ch, "reconnecting");
        http_client_shutdown(conn->http);
    }
    grpc_channel_wake(ch);
}

struct stream *grpc_channel_stream(struct grpc_channel *ch)
{
    return ch->state == GRPC_CHANNEL_READY ? http_client_stream(ch->current->http) : NULL;
}

/* --- calls
 * -----------------------------------------------------------------------------------------------------
 */

static void on_call_deadline(void *data)
{
    struct grpc_client_call *c = data;
    judge(c, GRPC_DEADLINE_EXCEEDED, "deadline exceeded");
}

static struct grpc_client_call *call_make(struct grpc_channel *ch, const char *path,
                                          const struct grpc_call_options *o)
{
    struct grpc_client_call *c = mem_alloc(sysmem(), sizeof *c);
    c->channel = ch;
    arena_init(&c->arena, sysmem());
    c->path = arena_strdup(&c->arena, path);
    grpc_reader_init(&c->reader, ch->options.message_max);
    buf_init(&c->early, sysmem(), HTTP_STREAM_MAX);
    list_push(&ch->waiting, &c->in_channel);
    ch->n_waiting++;
    if (o != NULL) {
        for (size_t i = 0; i < o->n_metadata; i++) {
            if (!http_fields_add(&c->metadata, &c->arena, o->metadata[i].name,
                                 o->metadata[i].value)) {
                judge(c, GRPC_RESOURCE_EXHAUSTED, "too much metadata");
            }
        }
        c->wait_for_ready = o->wait_for_ready;
        if (o->deadline_ms != 0) {
            c->deadline_ms = clock_mono_ms() + o->deadline_ms;
            c->deadline = loop_timer_open(ch->loop, on_call_deadline, c);
            loop_timer_start(c->deadline, o->deadline_ms);
        }
    }
    if (ch->n_waiting > GRPC_WAITING_MAX) {
        judge(c, GRPC_RESOURCE_EXHAUSTED, "too many calls wait for a connection");
    }
    loop_soon_post(ch->soon);
    return c;
}

struct grpc_client_call *grpc_client_open(struct grpc_channel *ch, const char *path,
                                          const struct grpc_call_options *options,
                                          const struct grpc_client_events *events, void *data)
{
    struct grpc_client_call *c;
    assert(events->on_close != NULL);
    c = call_make(ch, path, options);
    c->events = events;
    c->data = data;
    return c;
}

void *grpc_client_data(const struct grpc_client_call *c)
{
    return c->data;
}

static size_t call_room(const struct grpc_client_call *c)
{
    return c->exchange != NULL ? http_exchange_room(c->exchange) : HTTP_STREAM_MAX - c->early.len;
}

int grpc_client_send(struct grpc_client_call *c, struct str message)
{
    uint8_t head[GRPC_HEAD];
    int rv;
    if (c->half_closed || c->judged || c->done) {
        return ERR_CLOSED;
    }
    if (message.n > GRPC_MESSAGE_MAX) {
        return ERR_TOOBIG;
    }
    if (call_room(c) < message.n + GRPC_HEAD) {
        return ERR_FULL;
    }
    grpc_put_head(head, (uint32_t)message.n);
    if (c->exchange == NULL) {
        buf_put(&c->early, head, sizeof head);
        buf_put(&c->early, message.p, message.n);
        return 0;
    }
    rv = http_exchange_write(c->exchange, head, sizeof head);
    return rv != 0 || message.n == 0 ? rv : http_exchange_write(c->exchange, message.p, message.n);
}

bool grpc_client_writable(const struct grpc_client_call *c)
{
    return c->exchange != NULL ? http_exchange_writable(c->exchange)
                               : c->early.len < HTTP_WRITE_HIGH;
}

void grpc_client_half_close(struct grpc_client_call *c)
{
    c->half_closed = true;
    if (c->exchange != NULL) {
        http_exchange_finish(c->exchange);
    }
}

void grpc_client_cancel(struct grpc_client_call *c)
{
    judge(c, GRPC_CANCELLED, "cancelled");
}

void grpc_client_pause(struct grpc_client_call *c)
{
    c->paused = true;
    if (c->exchange != NULL) {
        http_exchange_pause(c->exchange);
    }
}

void grpc_client_resume(struct grpc_client_call *c)
{
    c->paused = false;
    if (c->exchange != NULL) {
        http_exchange_resume(c->exchange);
    }
}

struct str grpc_client_header(const struct grpc_client_call *c, const char *name)
{
    return c->exchange == NULL ? str_make(NULL, 0) : http_exchange_header(c->exchange, name);
}

struct str grpc_client_trailer(const struct grpc_client_call *c, const char *name)
{
    return c->exchange == NULL ? str_make(NULL, 0) : status_field(c, name);
}

struct grpc_client_call *grpc_unary(struct grpc_channel *ch, const char *path, struct str message,
                                    const struct grpc_call_options *options, grpc_unary_cb cb,
                                    void *data)
{
    struct grpc_client_call *c = call_make(ch, path, options);
    int rv;
    assert(cb != NULL);
    c->unary_cb = cb;
    c->unary_data = data;
    rv = grpc_client_send(c, message);
    if (rv != 0 && !c->judged) {
        judge(c, grpc_code_of_err(rv), "request message larger than the limit");
    }
    grpc_client_half_close(c);
    return c;
}
