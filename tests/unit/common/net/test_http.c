/* The HTTP server over real sockets: HTTP/1.1 spoken byte by byte, HTTP/2 by our own client. */
#include "common/loop/loop.h"
#include "common/loop/sysmem.h"
#include "common/net/http.h"
#include "common/net/http_client.h"
#include "tests/lib/test.h"
#include "tests/lib/testnet.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct server { /* What the handlers saw. */
    struct http_server *http;
    unsigned n_end;
    unsigned n_close;
    int last_status;
    struct http_call *parked;
    bool parked_now;
    bool closed_now;
    bool stopped;
    size_t n_streamed;
    char peer[PKI_ID_MAX];
};

struct rig {
    uv_loop_t loop;
    struct http_options options;
    struct server server;
    struct testnet net;
    struct tls_context *server_tls;
    struct tls_context *client_tls;
    /* HTTP/1: a raw connection. */
    struct stream *raw;
    struct buf got;
    bool raw_closed;
    /* HTTP/2 */
    struct http_client *client;
    bool client_open;
    bool client_closed;
    bool client_goaway;
    int client_status;
};

#define UNTIL(r, flag) ck_assert_msg(testnet_until(&(r)->loop, &(flag), 8000), "waited for " #flag)

static void run_for(struct rig *r, unsigned ms)
{
    bool never = false;
    (void)testnet_until(&r->loop, &never, ms);
}

/* --- handlers
 * -------------------------------------------------------------------------------------------- */

static void echo_on_end(struct http_call *c)
{
    struct server *s = http_call_data(c);
    struct http_field fields[] = {{STR("x-method"), http_call_method(c)},
                                  {STR("x-query"), http_call_query(c)},
                                  {STR("x-evil"), STR("a\r\nb: c")}};
    s->n_end++;
    (void)str_copy(s->peer, sizeof s->peer, str_of(http_call_peer(c)->id));
    http_call_respond(c, 200, fields, http_call_is_http2(c) ? 2 : 3, http_call_body(c));
}

static void park_on_end(struct http_call *c)
{
    struct server *s = http_call_data(c);
    s->n_end++;
    s->parked = c;
    s->parked_now = true;
}

static void any_on_close(struct http_call *c, int status)
{
    struct server *s = http_call_data(c);
    s->n_close++;
    s->last_status = status;
    s->closed_now = true;
    if (s->parked == c) {
        s->parked = NULL;
    }
}

static void stream_on_data(struct http_call *c, struct str bytes)
{
    struct server *s = http_call_data(c);
    s->n_streamed += bytes.n;
    if (!http_call_begun(c)) {
        http_call_begin(c, 200, NULL, 0);
    }
    ck_assert_int_eq(http_call_write(c, bytes.p, bytes.n), 0);
    if (!http_call_writable(c)) {
        http_call_pause(c);
    }
}

static void stream_on_drain(struct http_call *c)
{
    http_call_resume(c);
}

static void stream_on_end(struct http_call *c)
{
    struct http_field trailer = {STR("x-sum"), STR("42")};
    if (!http_call_begun(c)) {
        http_call_begin(c, 200, NULL, 0);
    }
    http_call_finish(c, &trailer, 1);
}

static const struct http_call_events echo = {.on_end = echo_on_end, .on_close = any_on_close};
static const struct http_call_events park = {.on_end = park_on_end, .on_close = any_on_close};
static const struct http_call_events streamed = {.on_data = stream_on_data,
                                                 .on_end = stream_on_end,
                                                 .on_drain = stream_on_drain,
                                                 .on_close = any_on_close};

static void on_call(struct http_call *c, void *data)
{
    struct str path = http_call_path(c);
    ck_assert_uint_gt(http_call_host(c).n, 0);
    if (str_eqc(path, "/echo") || str_eqc(path, "*")) {
        http_call_accept(c, &echo, data);
    } else if (str_eqc(path, "/stream")) {
        http_call_accept(c, &streamed, data);
    } else if (str_eqc(path, "/park") || str_eqc(path, "/deadline")) {
        http_call_accept(c, &park, data);
        if (str_eqc(path, "/deadline")) {
            http_call_set_deadline(c, 30);
        }
    } else if (str_eqc(path, "/early")) {
        http_call_accept(c, &echo, data);
        http_call_respond_text(c, 403, "no");
    } else if (str_eqc(path, "/abort")) {
        http_call_accept(c, &echo, data);
        http_call_abort(c);
    } else if (str_eqc(path, "/small")) {
        http_call_accept(c, &echo, data);
        http_call_set_body_max(c, 10);
    } /* Others are not accepted. */
}

static void rig_open(struct rig *r, bool tls)
{
    static const char *const alpn[TLS_ALPN_MAX] = {"h2", "http/1.1"};
    static const char *const h2[TLS_ALPN_MAX] = {"h2"};
    memset(r, 0, sizeof *r);
    ck_assert_int_eq(uv_loop_init(&r->loop), 0);
    testnet_open(&r->net);
    buf_init(&r->got, sysmem(), 64u << 20);
    ck_assert_int_eq(addr_parse(STR("127.0.0.1:0"), 0, &r->options.addr, NULL), 0);
    if (tls) {
        r->server_tls =
            testnet_server(&r->net, PKI_ROLE_CONTROLLER, "c1", TLS_VERIFY_OPTIONAL, alpn);
        r->client_tls = testnet_client(&r->net, PKI_ROLE_AGENT, "a1", h2);
        r->options.tls = r->server_tls;
    }
}

static void rig_start(struct rig *r)
{
    struct err err;
    ck_assert_int_eq(
        http_server_open(&r->loop, &r->options, on_call, &r->server, &r->server.http, &err), 0);
}

static void rig_close(struct rig *r)
{
    if (r->raw != NULL) {
        stream_abort(r->raw);
    }
    if (r->client != NULL) {
        http_client_abort(r->client);
    }
    http_server_close(r->server.http);
    tls_context_close(r->server_tls);
    tls_context_close(r->client_tls);
    loop_drain(&r->loop);
    buf_close(&r->got);
    testnet_close(&r->net);
    ck_assert_ptr_null(r->server.parked);
}

/* --- HTTP/1
 * ---------------------------------------------------------------------------------------------- */

static void raw_on_read(struct stream *s, void *data, const uint8_t *bytes, size_t n)
{
    struct rig *r = data;
    (void)s;
    buf_put(&r->got, bytes, n);
}

static void raw_on_close(struct stream *s, void *data, int status)
{
    struct rig *r = data;
    (void)s;
    (void)status;
    r->raw = NULL;
    r->raw_closed = true;
}

static const struct stream_events raw_events = {.on_read = raw_on_read, .on_close = raw_on_close};

static void raw_open(struct rig *r)
{
    struct connect_options o = {.addr = *http_server_addr(r->server.http)};
    struct err err;
    r->raw_closed = false;
    buf_clear(&r->got);
    ck_assert_int_eq(stream_connect(&r->loop, &o, &raw_events, r, &r->raw, &err), 0);
}

static void raw_send(struct rig *r, const char *text)
{
    ck_assert_int_eq(stream_write(r->raw, text, strlen(text)), 0);
}

static unsigned count_of(struct rig *r, const char *word)
{
    const char *at = buf_cstr(&r->got);
    unsigned n = 0;
    while ((at = strstr(at, word)) != NULL) {
        at += strlen(word);
        n++;
    }
    return n;
}

/* The same for long texts: one pass. */
static unsigned lines_of(const struct rig *r, const char *line)
{
    size_t len = strlen(line);
    unsigned n = 0;
    for (size_t i = 0; i + len <= r->got.len; i++) {
        n += r->got.data[i] == (uint8_t)line[0] && memcmp(r->got.data + i, line, len) == 0;
    }
    return n;
}

/* Until `word` has come n times. */
static void raw_until(struct rig *r, const char *word, unsigned n)
{
    uint64_t began = clock_mono_ms();
    while (count_of(r, word) < n) {
        ck_assert_msg(clock_mono_ms() - began < 8000, "no \"%s\" in: %.300s", word,
                      buf_cstr(&r->got));
        run_for(r, 2);
    }
}

#define GET(path) "GET " path " HTTP/1.1\r\nhost: h\r\n\r\n"

START_TEST(a_request_is_answered_and_the_connection_kept)
    {
        struct rig r;
        rig_open(&r, false);
        rig_start(&r);
        raw_open(&r);
        raw_send(&r, "POST /echo?a=b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello");
        raw_until(&r, "\r\n\r\nhello", 1);
        raw_until(&r, "x-query: a=b\r\n", 1);
        raw_until(&r, "x-evil: a  b: c\r\n", 1);
        raw_send(&r, "\r\n" GET("/echo"));
        raw_until(&r, "x-method: GET", 1);
        raw_send(&r, "HEAD /echo HTTP/1.1\r\nhost: h\r\n\r\n");
        raw_until(&r, "x-method: HEAD", 1);
        raw_send(&r, "GET http://other/echo?x HTTP/1.1\r\nhost: h\r\n\r\n");
        raw_until(&r, "x-query: x", 1);
        raw_send(&r, "OPTIONS * HTTP/1.1\r\nhost: h\r\n\r\n");
        raw_until(&r, "x-method: OPTIONS", 1);
        ck_assert(!r.raw_closed);
        raw_send(&r, "GET /echo HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n");
        UNTIL(&r, r.raw_closed);
        raw_until(&r, "connection: close", 1);
        ck_assert_uint_eq(r.server.n_close, 6);
        ck_assert_int_eq(r.server.last_status, 0);
        rig_close(&r);
    }
END_TEST

START_TEST(http_1_0_gets_its_answer_and_the_end)
    {
        struct rig r;
        rig_open(&r, false);
        rig_start(&r);
        raw_open(&r);
        raw_send(&r, "POST /stream HTTP/1.0\r\nhost: h\r\ncontent-length: 3\r\n\r\nabc");
        UNTIL(&r, r.raw_closed);
        raw_until(&r, "\r\n\r\nabc", 1);
        ck_assert_uint_eq(count_of(&r, "chunked"), 0);
        rig_close(&r);
    }
END_TEST

/* However the bytes are cut, the request is the same. */
START_TEST(a_chunked_request_may_come_in_any_pieces)
    {
        static const char request[] = "POST /echo HTTP/1.1\r\nhost: h\r\ntransfer-encoding: "
                                      "Chunked\r\n\r\n5;x=y\r\nhello\r\n7\r\n, world\r\n"
                                      "0\r\nx-trailer: 1\r\n\r\n";
        struct rig r;
        rig_open(&r, false);
        rig_start(&r);
        raw_open(&r);
        for (size_t step = 1; step < sizeof request; step += step < 4 ? 1 : 13) {
            buf_clear(&r.got);
            for (size_t at = 0; at < sizeof request - 1; at += step) {
                size_t n = sizeof request - 1 - at < step ? sizeof request - 1 - at : step;
                ck_assert_int_eq(stream_write(r.raw, request + at, n), 0);
                stream_flush(r.raw);
                (void)uv_run(&r.loop, UV_RUN_NOWAIT);
            }
            raw_until(&r, "\r\n\r\nhello, world", 1);
        }
        rig_close(&r);
    }
END_TEST

START_TEST(pipelined_requests_are_answered_in_order_one_at_a_time)
    {
        struct rig r;
        const char *text;
        rig_open(&r, false);
        rig_start(&r);
        raw_open(&r);
        raw_send(&r, GET("/park") GET("/echo?1") "POST /echo?2 HTTP/1.1\r\nhost: "
                                                 "h\r\ncontent-length: 2\r\n\r\nhi" GET("/echo?3"));
        UNTIL(&r, r.server.parked_now);
        run_for(&r, 30);
        ck_assert_uint_eq(r.server.n_end, 1);
        ck_assert_uint_eq(r.got.len, 0);
        http_call_respond_text(r.server.parked, 200, "first");
        raw_until(&r, "x-query: 3", 1);
        text = buf_cstr(&r.got);
        ck_assert(strstr(text, "first") < strstr(text, "x-query: 1"));
        ck_assert(strstr(text, "x-query: 1") < strstr(text, "x-query: 2"));
        ck_assert(strstr(text, "x-query: 2") < strstr(text, "x-query: 3"));
        rig_close(&r);
    }
END_TEST

START_TEST(a_flood_of_pipelined_requests_is_held_back_and_all_answered)
    {
        struct rig r;
        rig_open(&r, false);
        rig_start(&r);
        raw_open(&r);
        raw_send(&r, GET("/park"));
        for (int i = 0; i < 10000; i++) {
            raw_send(&r, GET("/echo"));
        }
        UNTIL(&r, r.server.parked_now);
        run_for(&r, 50);
        ck_assert_uint_eq(r.server.n_end, 1);
        http_call_respond_text(r.server.parked, 200, "go");
        for (uint64_t began = clock_mono_ms(); clock_mono_ms() - began < 8000;) {
            run_for(&r, 5);
            if (r.server.n_close == 10001 && r.got.len >= 10000 * 100) {
                break;
            }
        }
        run_for(&r, 20);
        ck_assert_uint_eq(r.server.n_close, 10001);
        ck_assert_uint_eq(lines_of(&r, "x-method: GET\r\n"), 10000);
        rig_close(&r);
    }
END_TEST

START_TEST(malformed_requests_get_the_right_status)
    {
        static const struct {
            const char *bytes;
            const char *want;
        } table[] = {
            {"GARBAGE\r\n\r\n", "400"},
            {"GET /echo HTTP/1.1\r\n\r\n", "400"},
            {"GET /echo HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", "400"},
            {"GET /echo HTTP/1.1\nhost: a\n\r\n\r\n", "400"},
            {"GET /echo HTTP/1.1\r\nhost: a\r\n folded: b\r\n\r\n", "400"},
            {"GET /echo HTTP/1.1\r\nhost : a\r\n\r\n", "400"},
            {"GET /echo HTTP/1.1\r\nhost: a\r\nx y: b\r\n\r\n", "400"},
            {"GET /echo HTTP/1.1\r\nhost: a\r\nx: a\x01"
             "b\r\n\r\n",
             "400"},
            {"GET /ec ho HTTP/1.1\r\nhost: a\r\n\r\n", "400"},
            {"GET /\xc3\xa9 HTTP/1.1\r\nhost: a\r\n\r\n", "400"},
            {"GET echo HTTP/1.1\r\nhost: a\r\n\r\n", "400"},
            {"CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n", "501"},
            {"GET /echo HTTP/2.0\r\nhost: a\r\n\r\n", "505"},
            {"GET /echo HTTP/1.2\r\nhost: a\r\n\r\n", "505"},
            {"POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\n",
             "400"},
            {"POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n", "400"},
            {"POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 1a\r\n\r\n", "400"},
            {"POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999999999999999\r\n\r\n",
             "400"},
            {"POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: "
             "chunked\r\n\r\n",
             "400"},
            {"POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ncontent-length: "
             "1\r\n\r\n",
             "400"},
            {"POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\n\r\n", "400"},
            {"POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n", "501"},
            {"POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", "400"},
            {"POST /echo HTTP/1.1\r\nhost: a\r\nexpect: magic\r\n\r\n", "417"},
            {"GET /nowhere HTTP/1.1\r\nhost: a\r\n\r\n", "404"},
            {"POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 2000000\r\n\r\n", "413"},
            {"POST /small HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\n12345\r\n"
             "6\r\n123456\r\n",
             "413"},
        };
        struct rig r;
        rig_open(&r, false);
        rig_start(&r);
        for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
            char want[32];
            raw_open(&r);
            raw_send(&r, table[i].bytes);
            (void)snprintf(want, sizeof want, "HTTP/1.1 %s ", table[i].want);
            raw_until(&r, "\r\n\r\n", 1);
            ck_assert_msg(strncmp(buf_cstr(&r.got), want, strlen(want)) == 0, "case %zu %s: %s", i,
                          table[i].bytes, buf_cstr(&r.got));
            if (strcmp(table[i].want, "404") == 0) {
                stream_close(r.raw);
            }
            UNTIL(&r, r.raw_closed);
        }
        rig_close(&r);
    }
END_TEST

START_TEST(headers_over_the_limits_are_refused)
    {
        struct rig r;
        struct buf b;
        buf_init(&b, sysmem(), 1u << 20);
        rig_open(&r, false);
        rig_start(&r);
        for (int kind = 0; kind < 3; kind++) {
            static const char *const want[] = {"HTTP/1.1 431", "HTTP/1.1 431", "HTTP/1.1 414"};
            buf_clear(&b);
            buf_puts(&b, "GET /");
            for (int i = 0; kind == 2 && i < 9000; i++) {
                buf_put_u8(&b, 'a');
            }
            buf_puts(&b, " HTTP/1.1\r\nhost: h\r\n");
            for (int i = 0; kind == 0 && i < 101; i++) {
                buf_puts(&b, "a: b\r\n");
            }
            for (int i = 0; kind == 1 && i < 18000; i++) {
                buf_puts(&b, i == 0 ? "a: " : "b");
            }
            buf_puts(&b, "\r\n\r\n");
            raw_open(&r);
            raw_send(&r, buf_cstr(&b));
            UNTIL(&r, r.raw_closed);
            raw_until(&r, want[kind], 1);
        }
        buf_close(&b);
        rig_close(&r);
    }
END_TEST

START_TEST(a_client_that_asks_first_is_told_to_go_on)
    {
        struct rig r;
        rig_open(&r, false);
        rig_start(&r);
        raw_open(&r);
        raw_send(&r, "POST /echo HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\ncontent-length: "
                     "2\r\n\r\n");
        raw_until(&r, "HTTP/1.1 100 Continue\r\n\r\n", 1);
        raw_send(&r, "ok");
        raw_until(&r, "\r\n\r\nok", 1);
        raw_send(&r, "POST /early HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\ncontent-length: "
                     "2\r\n\r\n");
        UNTIL(&r, r.raw_closed);
        raw_until(&r, "HTTP/1.1 403", 1);
        ck_assert_uint_eq(count_of(&r, "100 Continue"), 1);
        rig_close(&r);
    }
END_TEST

START_TEST(slow_clients_are_cut_off)
    {
        struct rig r;
        rig_open(&r, false);
        r.options.header_ms = 60;
        r.options.body_ms = 60;
        r.options.idle_ms = 80;
        rig_start(&r);
        raw_open(&r); /* Says nothing. */
        UNTIL(&r, r.raw_closed);
        raw_open(&r); /* Never ends its header. */
        raw_send(&r, "GET / HTTP/1.1\r\n");
        UNTIL(&r, r.raw_closed);
        raw_open(&r); /* Never ends its body. */
        raw_send(&r, "POST /echo HTTP/1.1\r\nhost: h\r\ncontent-length: 5\r\n\r\nabc");
        UNTIL(&r, r.raw_closed);
        raw_until(&r, "HTTP/1.1 408", 1);
        ck_assert_int_eq(r.server.last_status, ERR_TIMEOUT);
        raw_open(&r); /* Idle after an answer. */
        raw_send(&r, GET("/echo"));
        UNTIL(&r, r.raw_closed);
        raw_until(&r, "HTTP/1.1 200", 1);
        rig_close(&r);
    }
END_TEST

START_TEST(a_leaving_client_cancels_its_call)
    {
        struct rig r;
        rig_open(&r, false);
        rig_start(&r);
        raw_open(&r);
        raw_send(&r, GET("/park"));
        UNTIL(&r, r.server.parked_now);
        http_call_begin(r.server.parked, 200, NULL, 0);
        stream_abort(r.raw);
        UNTIL(&r, r.server.closed_now);
        ck_assert_int_eq(r.server.last_status, ERR_CANCELED);
        rig_close(&r);
    }
END_TEST

START_TEST(a_deadline_without_handler_is_answered_504)
    {
        struct rig r;
        rig_open(&r, false);
        rig_start(&r);
        raw_open(&r);
        raw_send(&r, GET("/deadline"));
        raw_until(&r, "HTTP/1.1 504", 1);
        UNTIL(&r, r.server.closed_now);
        ck_assert_int_eq(r.server.last_status, ERR_TIMEOUT);
        rig_close(&r);
    }
END_TEST

START_TEST(a_streamed_response_is_chunked_and_has_trailers)
    {
        struct rig r;
        rig_open(&r, false);
        rig_start(&r);
        raw_open(&r);
        raw_send(&r, "POST /stream HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\n\r\nabc");
        raw_until(&r, "transfer-encoding: chunked\r\n", 1);
        raw_until(&r, "3\r\nabc\r\n0\r\nx-sum: 42\r\n\r\n", 1);
        rig_close(&r);
    }
END_TEST

/* --- HTTP/2
 * ---------------------------------------------------------------------------------------------- */

struct reply {
    struct http_exchange *x;
    bool done;
    int status;
    unsigned code;
    size_t n;
    uint32_t reset;
    bool wrong;
    bool pause_often;
    size_t to_send;
    size_t n_sent;
    char sum[8];
    char query[16];
};

static void reply_on_data(struct http_exchange *x, struct str bytes)
{
    struct reply *p = http_exchange_data(x);
    for (size_t i = 0; i < bytes.n; i++) {
        p->wrong |= (uint8_t)bytes.p[i] != (uint8_t)((p->n + i) * 7 >> 3);
    }
    p->n += bytes.n;
    if (p->pause_often) {
        http_exchange_pause(x);
        http_exchange_resume(x);
    }
}

static void send_some(struct reply *p)
{
    char chunk[5000];
    while (p->n_sent < p->to_send && http_exchange_writable(p->x)) {
        size_t n = p->to_send - p->n_sent < sizeof chunk ? p->to_send - p->n_sent : sizeof chunk;
        for (size_t i = 0; i < n; i++) {
            chunk[i] = (char)((p->n_sent + i) * 7 >> 3);
        }
        if (http_exchange_write(p->x, chunk, n) != 0) {
            return;
        }
        p->n_sent += n;
    }
    if (p->n_sent == p->to_send) {
        http_exchange_finish(p->x);
    }
}

static void reply_on_drain(struct http_exchange *x)
{
    send_some(http_exchange_data(x));
}

static void reply_on_close(struct http_exchange *x, int status)
{
    struct reply *p = http_exchange_data(x);
    ck_assert(!p->done);
    p->done = true;
    p->status = status;
    p->code = http_exchange_status(x);
    p->reset = http_exchange_error_code(x);
    (void)str_copy(p->sum, sizeof p->sum, http_exchange_trailer(x, "x-sum"));
    (void)str_copy(p->query, sizeof p->query, http_exchange_header(x, "x-query"));
}

static const struct http_exchange_events reply_events = {
    .on_data = reply_on_data, .on_drain = reply_on_drain, .on_close = reply_on_close};

static void client_on_open(struct http_client *c, void *data)
{
    struct rig *r = data;
    (void)c;
    r->client_open = true;
}

static void client_on_goaway(struct http_client *c, void *data)
{
    struct rig *r = data;
    (void)c;
    r->client_goaway = true;
}

static void client_on_close(struct http_client *c, void *data, int status, const char *text)
{
    struct rig *r = data;
    (void)c;
    ck_assert_ptr_nonnull(text);
    r->client = NULL;
    r->client_closed = true;
    r->client_status = status;
}

static const struct http_client_events client_events = {
    .on_open = client_on_open, .on_goaway = client_on_goaway, .on_close = client_on_close};

static void client_open_to(struct rig *r, const struct addr *to, struct http_client_options *o)
{
    struct err err;
    o->connect.addr = *to;
    o->connect.tls = r->client_tls;
    ck_assert_int_eq(http_client_open(&r->loop, o, &client_events, r, &r->client, &err), 0);
}

static void client_open(struct rig *r)
{
    struct http_client_options o = {0};
    client_open_to(r, http_server_addr(r->server.http), &o);
    UNTIL(r, r->client_open);
}

static void ask(struct rig *r, struct reply *p, const char *path, size_t n)
{
    struct http_request request = {.method = "POST", .path = path, .authority = "h"};
    struct err err;
    p->to_send = n;
    ck_assert_int_eq(http_exchange_open(r->client, &request, &reply_events, p, &p->x, &err), 0);
    send_some(p);
}

START_TEST(bodies_of_all_sizes_are_echoed_in_parallel)
    {
        static const size_t sizes[] = {0, 1, 100, 16384, 65535, 65536, 65537, 1000000, 1048576};
        struct reply p[72];
        struct rig r;
        memset(p, 0, sizeof p);
        rig_open(&r, _i == 1);
        rig_start(&r);
        client_open(&r);
        for (size_t i = 0; i < 72; i++) {
            ask(&r, &p[i], "/echo?q", sizes[i % 9] / (i >= 18 && i % 9 >= 7 ? 100 : 1));
        }
        for (size_t i = 0; i < 72; i++) {
            UNTIL(&r, p[i].done);
            ck_assert_int_eq(p[i].status, 0);
            ck_assert_uint_eq(p[i].code, 200);
            ck_assert_uint_eq(p[i].n, p[i].to_send);
            ck_assert(!p[i].wrong);
            ck_assert_str_eq(p[i].query, "q");
        }
        ck_assert_str_eq(r.server.peer, _i == 1 ? "a1" : "");
        http_client_shutdown(r.client);
        UNTIL(&r, r.client_closed);
        ck_assert_int_eq(r.client_status, 0);
        rig_close(&r);
    }
END_TEST

START_TEST(streams_flow_both_ways_with_back_pressure_and_trailers)
    {
        struct reply p = {.pause_often = true};
        struct rig r;
        rig_open(&r, _i == 1);
        rig_start(&r);
        client_open(&r);
        ask(&r, &p, "/stream", 8000000);
        UNTIL(&r, p.done);
        ck_assert_int_eq(p.status, 0);
        ck_assert_uint_eq(p.n, 8000000);
        ck_assert(!p.wrong);
        ck_assert_str_eq(p.sum, "42");
        UNTIL(&r, r.server.closed_now);
        ck_assert_int_eq(r.server.last_status, 0);
        rig_close(&r);
    }
END_TEST

START_TEST(a_paused_client_stops_a_streaming_server)
    {
        struct reply p = {0};
        struct rig r;
        size_t before;
        rig_open(&r, false);
        rig_start(&r);
        client_open(&r);
        ask(&r, &p, "/stream", 8000000);
        http_exchange_pause(p.x);
        run_for(&r, 200);
        before = r.server.n_streamed;
        ck_assert_uint_lt(before, 1000000);
        run_for(&r, 50);
        ck_assert_uint_eq(r.server.n_streamed, before);
        ck_assert_uint_eq(p.n, 0);
        http_exchange_resume(p.x);
        UNTIL(&r, p.done);
        ck_assert_uint_eq(p.n, 8000000);
        ck_assert(!p.wrong);
        rig_close(&r);
    }
END_TEST

START_TEST(refusals_reach_a_client_that_still_sends)
    {
        struct reply big = {0};
        struct reply early = {0};
        struct reply missing = {0};
        struct reply late = {0};
        struct rig r;
        rig_open(&r, false);
        rig_start(&r);
        client_open(&r);
        ask(&r, &big, "/echo", 3000000);
        ask(&r, &early, "/early", 200000);
        ask(&r, &missing, "/nowhere", 5);
        ask(&r, &late, "/deadline", 5);
        UNTIL(&r, big.done);
        UNTIL(&r, early.done);
        UNTIL(&r, missing.done);
        UNTIL(&r, late.done);
        ck_assert_uint_eq(big.code, 413);
        ck_assert_uint_eq(early.code, 403);
        ck_assert_uint_eq(missing.code, 404);
        ck_assert_uint_eq(late.code, 504);
        ck_assert_int_eq(big.status | early.status | missing.status | late.status, 0);
        rig_close(&r);
    }
END_TEST

START_TEST(cancel_abort_and_loss_are_told_to_the_other_side)
    {
        struct reply cancelled = {0};
        struct reply aborted = {0};
        struct reply lost = {0};
        struct rig r;
        rig_open(&r, _i == 1);
        rig_start(&r);
        client_open(&r);
        ask(&r, &cancelled, "/park", 5);
        UNTIL(&r, r.server.parked_now);
        http_exchange_cancel(cancelled.x);
        ck_assert(!cancelled.done);
        UNTIL(&r, cancelled.done);
        ck_assert_int_eq(cancelled.status, ERR_CANCELED);
        UNTIL(&r, r.server.closed_now);
        ck_assert_int_eq(r.server.last_status, ERR_CANCELED);
        ask(&r, &aborted, "/abort", 5);
        UNTIL(&r, aborted.done);
        ck_assert_int_eq(aborted.status, ERR_PROTOCOL);
        ck_assert_uint_eq(aborted.reset, 2); /* INTERNAL_ERROR */
        r.server.parked_now = r.server.closed_now = false;
        ask(&r, &lost, "/park", 5);
        UNTIL(&r, r.server.parked_now);
        http_client_abort(r.client);
        UNTIL(&r, lost.done);
        UNTIL(&r, r.client_closed);
        ck_assert_int_eq(lost.status, ERR_CLOSED);
        UNTIL(&r, r.server.closed_now);
        ck_assert_int_eq(r.server.last_status, ERR_CANCELED);
        rig_close(&r);
    }
END_TEST

START_TEST(an_exchange_cancelled_before_it_was_sent_is_gone_cleanly)
    {
        struct reply p[20];
        struct rig r;
        memset(p, 0, sizeof p);
        rig_open(&r, false);
        rig_start(&r);
        client_open(&r);
        for (int i = 0; i < 20; i++) {
            ask(&r, &p[i], "/echo", 100);
            if (i % 2 == 0) {
                http_exchange_cancel(p[i].x);
                http_exchange_cancel(p[i].x);
            }
        }
        for (int i = 0; i < 20; i++) {
            UNTIL(&r, p[i].done);
            ck_assert_int_eq(p[i].status, i % 2 == 0 ? ERR_CANCELED : 0);
        }
        ck_assert_uint_eq(http_client_n_open(r.client), 0);
        rig_close(&r);
    }
END_TEST

static void on_stopped(void *data)
{
    struct rig *r = data;
    r->server.stopped = true;
}

START_TEST(a_graceful_stop_lets_calls_end_and_takes_no_more)
    {
        struct reply p = {0};
        struct rig r;
        struct http_stats stats;
        rig_open(&r, false);
        rig_start(&r);
        client_open(&r);
        raw_open(&r);
        ask(&r, &p, "/park", 5);
        UNTIL(&r, r.server.parked_now);
        http_server_stop(r.server.http, _i == 0 ? 5000 : 100, on_stopped, &r);
        UNTIL(&r, r.client_goaway);
        UNTIL(&r, r.raw_closed);
        ck_assert(!http_client_ready(r.client));
        ck_assert(!r.server.stopped);
        if (_i == 0) {
            http_call_respond_text(r.server.parked, 200, "bye");
        }
        UNTIL(&r, r.server.stopped);
        UNTIL(&r, p.done);
        ck_assert_int_eq(p.status, _i == 0 ? 0 : ERR_CLOSED);
        http_server_stats(r.server.http, &stats);
        ck_assert_uint_eq(stats.n_connections, 0);
        ck_assert_uint_eq(stats.n_calls, 0);
        ck_assert_uint_eq(stats.calls, 1);
        rig_close(&r);
    }
END_TEST

START_TEST(closing_the_server_cancels_calls_inside_the_call)
    {
        struct reply p = {0};
        struct rig r;
        rig_open(&r, false);
        rig_start(&r);
        client_open(&r);
        ask(&r, &p, "/park", 5);
        UNTIL(&r, r.server.parked_now);
        http_server_close(r.server.http);
        ck_assert(r.server.closed_now);
        r.server.http = NULL;
        UNTIL(&r, p.done);
        rig_close(&r);
    }
END_TEST

static void mute_accept(struct listener *l, struct stream *s, void *data)
{
    static const uint8_t empty_settings[] = {0, 0, 0, 4, 0, 0, 0, 0, 0};
    struct rig *r = data;
    (void)l;
    stream_accept(s, &raw_events, r);
    r->raw = s;
    ck_assert_int_eq(stream_write(s, empty_settings, sizeof empty_settings), 0);
}

START_TEST(a_dead_server_is_noticed_by_ping)
    {
        struct rig r;
        struct listener *l;
        struct listener_options lo = {0};
        struct http_client_options o = {.ping_ms = 50, .ping_timeout_ms = 80, .ping_idle = true};
        uint64_t began = clock_mono_ms();
        rig_open(&r, false);
        lo.addr = r.options.addr;
        ck_assert_int_eq(listener_open(&r.loop, &lo, mute_accept, &r, &l, NULL), 0);
        client_open_to(&r, listener_addr(l), &o);
        UNTIL(&r, r.client_open);
        UNTIL(&r, r.client_closed);
        ck_assert_int_eq(r.client_status, ERR_TIMEOUT);
        ck_assert_uint_lt(clock_mono_ms() - began, 1000);
        listener_close(l);
        rig_close(&r);
    }
END_TEST

START_TEST(a_live_server_survives_pings)
    {
        struct rig r;
        struct http_client_options o = {.ping_ms = 10, .ping_timeout_ms = 200, .ping_idle = true};
        rig_open(&r, true);
        rig_start(&r);
        client_open_to(&r, http_server_addr(r.server.http), &o);
        run_for(&r, 300);
        ck_assert(r.client_open && !r.client_closed);
        rig_close(&r);
    }
END_TEST

START_TEST(a_flood_of_resets_ends_the_connection)
    {
        struct rig r;
        unsigned n = 0;
        rig_open(&r, false);
        rig_start(&r);
        client_open(&r);
        while (!r.client_closed && !r.client_goaway && n < 5000) {
            struct reply p = {0};
            if (http_client_ready(r.client)) {
                ask(&r, &p, "/park", 5);
                (void)uv_run(&r.loop, UV_RUN_NOWAIT); /* Let it reach the server. */
                if (!p.done) {
                    http_exchange_cancel(p.x);
                }
                n++;
                UNTIL(&r, p.done);
            }
            (void)uv_run(&r.loop, UV_RUN_NOWAIT);
        }
        ck_assert(r.client_closed || r.client_goaway);
        ck_assert_uint_lt(n, 2000);
        rig_close(&r);
    }
END_TEST

START_TEST(garbage_after_the_preface_is_refused)
    {
        struct rig r;
        rig_open(&r, false);
        rig_start(&r);
        raw_open(&r);
        raw_send(&r, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nthis is not a frame at all, is it? no");
        UNTIL(&r, r.raw_closed);
        raw_open(&r);
        raw_send(&r, "PRI * HTTP/2.0\r\n\r\nXX");
        UNTIL(&r, r.raw_closed);
        raw_until(&r, "HTTP/1.1 ", 1);
        rig_close(&r);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("http");
    TCase *both = tcase_create("plain and TLS");
    (void)signal(SIGPIPE, SIG_IGN);
    TEST_CASE(s, "HTTP/1", 60, a_request_is_answered_and_the_connection_kept,
              http_1_0_gets_its_answer_and_the_end, a_chunked_request_may_come_in_any_pieces,
              pipelined_requests_are_answered_in_order_one_at_a_time,
              a_flood_of_pipelined_requests_is_held_back_and_all_answered,
              malformed_requests_get_the_right_status, headers_over_the_limits_are_refused,
              a_client_that_asks_first_is_told_to_go_on, slow_clients_are_cut_off,
              a_leaving_client_cancels_its_call, a_deadline_without_handler_is_answered_504,
              a_streamed_response_is_chunked_and_has_trailers);
    tcase_set_timeout(both, 60);
    tcase_add_loop_test(both, bodies_of_all_sizes_are_echoed_in_parallel, 0, 2);
    tcase_add_loop_test(both, streams_flow_both_ways_with_back_pressure_and_trailers, 0, 2);
    tcase_add_loop_test(both, cancel_abort_and_loss_are_told_to_the_other_side, 0, 2);
    tcase_add_loop_test(both, a_graceful_stop_lets_calls_end_and_takes_no_more, 0, 2);
    suite_add_tcase(s, both);
    TEST_CASE(s, "HTTP/2", 60, a_paused_client_stops_a_streaming_server,
              refusals_reach_a_client_that_still_sends,
              an_exchange_cancelled_before_it_was_sent_is_gone_cleanly,
              closing_the_server_cancels_calls_inside_the_call, a_dead_server_is_noticed_by_ping,
              a_live_server_survives_pings, a_flood_of_resets_ends_the_connection,
              garbage_after_the_preface_is_refused);
    return test_run(s);
}
