/* gRPC end to end: our client against our server, on one loop, plain and over TLS. */
#include "common/base/arena.h"
#include "common/loop/loop.h"
#include "common/loop/sysmem.h"
#include "common/net/grpc.h"
#include "common/net/grpc_client.h"
#include "common/net/grpc_wire.h"
#include "tests/lib/test.h"
#include "tests/lib/testnet.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

struct rig {
    uv_loop_t loop;
    struct testnet net;
    struct tls_context *server_tls;
    struct tls_context *client_tls;
    struct addr addr;
    struct http_server *http;
    struct grpc_server *grpc;
    struct grpc_channel *ch;
    struct grpc_channel_options co;
    char target[ADDR_TEXT_MAX];
    /* Seen by handlers. */
    struct grpc_call *parked;
    bool parked_now;
    bool closed_now;
    int last_status;
    unsigned n_close;
    unsigned n_sent; /* By the counting stream. */
    unsigned n_half_closed;
    char peer[PKI_ID_MAX];
    /* Seen by the channel's owner. */
    unsigned n_ready;
    unsigned n_backoff;
    bool ready_now;
    bool backoff_now;
};

#define UNTIL(r, flag) ck_assert_msg(testnet_until(&(r)->loop, &(flag), 8000), "waited for " #flag)

static void run_for(struct rig *r, unsigned ms)
{
    bool never = false;
    (void)testnet_until(&r->loop, &never, ms);
}

/* --- handlers
 * -------------------------------------------------------------------------------------------- */

static void any_on_close(struct grpc_call *c, int status)
{
    struct rig *r = grpc_call_data(c);
    r->n_close++;
    r->closed_now = true;
    r->last_status = status;
    if (r->parked == c) {
        r->parked = NULL;
    }
}

static void echo_on_message(struct grpc_call *c, struct str message)
{
    struct rig *r = grpc_call_data(c);
    struct str token = grpc_call_metadata(c, "x-token");
    (void)str_copy(r->peer, sizeof r->peer, str_of(grpc_call_peer(c)->id));
    if (token.p != NULL) {
        grpc_call_add_header(c, "x-head", token);
        grpc_call_add_trailer(c, "x-tail", token);
    }
    grpc_call_reply(c, message);
}

static void park_on_message(struct grpc_call *c, struct str message)
{
    struct rig *r = grpc_call_data(c);
    (void)message;
    r->parked = c;
    r->parked_now = true;
}

static void fail_on_message(struct grpc_call *c, struct str message)
{
    grpc_call_finish(c, GRPC_NOT_FOUND, "no such thing: 100% gr\xc3\xbc\n", message);
    grpc_call_finish(c, GRPC_OK, NULL, message); /* Ignored. */
    ck_assert_int_eq(grpc_call_send(c, message), ERR_CLOSED);
}

/* Numbers up to what the request says, as long as the client keeps up. */
static void count_more(struct grpc_call *c)
{
    struct rig *r = grpc_call_data(c);
    uint8_t text[2000] = {0};
    while (r->n_sent < 2000 && grpc_call_writable(c)) {
        put_u32(text, r->n_sent);
        ck_assert_int_eq(grpc_call_send(c, str_make((char *)text, sizeof text)), 0);
        r->n_sent++;
    }
    if (r->n_sent == 2000) {
        grpc_call_finish(c, GRPC_OK, NULL, str_make(NULL, 0));
    }
}

static void count_on_message(struct grpc_call *c, struct str message)
{
    (void)message;
    count_more(c);
}

static void sum_on_message(struct grpc_call *c, struct str message)
{
    struct rig *r = grpc_call_data(c);
    (void)c;
    r->n_sent += (unsigned)message.n;
}

static void sum_on_half_close(struct grpc_call *c)
{
    struct rig *r = grpc_call_data(c);
    char text[16];
    r->n_half_closed++;
    (void)snprintf(text, sizeof text, "%u", r->n_sent);
    grpc_call_reply(c, str_of(text));
}

static void bidi_on_message(struct grpc_call *c, struct str message)
{
    ck_assert_int_eq(grpc_call_send(c, message), 0);
    if (!grpc_call_writable(c)) {
        grpc_call_pause(c);
    }
}

static void bidi_on_drain(struct grpc_call *c)
{
    grpc_call_resume(c);
}

static void bidi_on_half_close(struct grpc_call *c)
{
    grpc_call_finish(c, GRPC_OK, NULL, str_make(NULL, 0));
}

#define METHOD(p, k, ...)                                                              \
    {                                                                                  \
        .path = "/t.T/" p, .kind = k, .on_close = any_on_close, .data = r, __VA_ARGS__ \
    }

static void register_methods(struct rig *r, struct grpc_method *m)
{
    const struct grpc_method all[] = {
        METHOD("Echo", GRPC_UNARY, .on_message = echo_on_message),
        METHOD("Park", GRPC_UNARY, .on_message = park_on_message),
        METHOD("Fail", GRPC_UNARY, .on_message = fail_on_message),
        METHOD("Count", GRPC_SERVER_STREAM, .on_message = count_on_message, .on_drain = count_more),
        METHOD("Sum", GRPC_CLIENT_STREAM, .on_message = sum_on_message,
               .on_half_close = sum_on_half_close),
        METHOD("Bidi", GRPC_BIDI, .on_message = bidi_on_message, .on_drain = bidi_on_drain,
               .on_half_close = bidi_on_half_close),
    };
    memcpy(m, all, sizeof all);
    ck_assert_int_eq(grpc_server_add(r->grpc, m, 6, NULL), 0);
    ck_assert_int_eq(grpc_server_add(r->grpc, m, 1, NULL), ERR_EXISTS);
}

static const struct grpc_method *find_dynamic(struct grpc_call *c, void *data)
{
    return str_eqc(grpc_call_path(c), "/dyn.D/Echo") ? data : NULL;
}

static void on_call(struct http_call *c, void *data)
{
    struct rig *r = data;
    if (grpc_is_call(c)) {
        grpc_server_handle(r->grpc, c);
    }
}

static struct grpc_method methods[6]; /* One per process: tests are forked. */

static void server_start(struct rig *r)
{
    struct http_options o = {.addr = r->addr, .tls = r->server_tls};
    struct err err;
    r->grpc = grpc_server_open(&r->loop, 0);
    register_methods(r, methods);
    grpc_server_set_fallback(r->grpc, find_dynamic, &methods[0]);
    ck_assert_msg(http_server_open(&r->loop, &o, on_call, r, &r->http, &err) == 0, "%s", err.text);
    r->addr = *http_server_addr(r->http);
}

static void server_stop(struct rig *r)
{
    http_server_close(r->http);
    grpc_server_close(r->grpc);
    r->http = NULL;
    r->grpc = NULL;
}

static void on_state(struct grpc_channel *ch, enum grpc_channel_state state, const char *reason,
                     void *data)
{
    struct rig *r = data;
    ck_assert_int_eq(grpc_channel_state(ch), state);
    if (state == GRPC_CHANNEL_READY) {
        r->n_ready++;
        r->ready_now = true;
        ck_assert_ptr_nonnull(grpc_channel_stream(ch));
    } else if (state == GRPC_CHANNEL_BACKOFF) {
        ck_assert_uint_gt(strlen(reason), 0);
        r->n_backoff++;
        r->backoff_now = true;
    }
}

static void channel_open(struct rig *r)
{
    struct err err;
    r->co.target = addr_text(&r->addr, r->target);
    r->co.tls = r->client_tls;
    r->co.on_state = on_state;
    r->co.data = r;
    r->co.backoff_min_ms = r->co.backoff_min_ms != 0 ? r->co.backoff_min_ms : 20;
    ck_assert_int_eq(grpc_channel_open(&r->loop, &r->co, &r->ch, &err), 0);
}

static void rig_open(struct rig *r, bool tls)
{
    static const char *const h2[TLS_ALPN_MAX] = {"h2"};
    memset(r, 0, sizeof *r);
    ck_assert_int_eq(uv_loop_init(&r->loop), 0);
    ck_assert_int_eq(addr_parse(STR("127.0.0.1:0"), 0, &r->addr, NULL), 0);
    if (tls) {
        testnet_open(&r->net);
        r->server_tls = testnet_server(&r->net, PKI_ROLE_CONTROLLER, "c1", TLS_VERIFY_OPTIONAL, h2);
        r->client_tls = testnet_client(&r->net, PKI_ROLE_AGENT, "a1", h2);
        r->co.expect.role = PKI_ROLE_CONTROLLER;
    }
    server_start(r);
}

static void rig_close(struct rig *r)
{
    grpc_channel_close(r->ch);
    server_stop(r);
    tls_context_close(r->server_tls);
    tls_context_close(r->client_tls);
    loop_drain(&r->loop);
    if (r->server_tls != NULL) {
        testnet_close(&r->net);
    }
    ck_assert_ptr_null(r->parked);
}

/* --- calls
 * ------------------------------------------------------------------------------------------------
 */

struct reply {
    struct grpc_client_call *c;
    bool done;
    bool headed;
    enum grpc_code code;
    bool not_sent;
    char message[300];
    char text[300];
    char details[32];
    char head[16];
    char tail[16];
    size_t n;
    unsigned n_messages;
    bool wrong;
    unsigned to_send;
    unsigned n_sent;
};

static void note(struct reply *p, struct grpc_client_call *c, const struct grpc_status *status)
{
    ck_assert(!p->done);
    p->done = true;
    p->code = status->code;
    p->not_sent = status->not_sent;
    (void)str_copy(p->message, sizeof p->message, str_of(status->message));
    (void)str_copy(p->details, sizeof p->details, status->details);
    (void)str_copy(p->head, sizeof p->head, grpc_client_header(c, "x-head"));
    (void)str_copy(p->tail, sizeof p->tail, grpc_client_trailer(c, "x-tail"));
}

static void on_unary(struct grpc_client_call *c, const struct grpc_status *status,
                     struct str message, void *data)
{
    struct reply *p = data;
    p->n = message.n;
    (void)str_copy(p->text, sizeof p->text, message);
    note(p, c, status);
}

static void call(struct rig *r, struct reply *p, const char *path, struct str message,
                 const struct grpc_call_options *o)
{
    memset(p, 0, sizeof *p);
    p->c = grpc_unary(r->ch, path, message, o, on_unary, p);
    ck_assert(!p->done);
}

#define CHECK_CODE(p, want) \
    ck_assert_msg((p).code == (want), "%s: %s", grpc_code_name((p).code), (p).message)

START_TEST(unary_calls_carry_message_metadata_and_identity)
    {
        struct rig r;
        struct reply p;
        struct http_field token = {STR("x-token"), STR("abc")};
        struct grpc_call_options o = {.metadata = &token, .n_metadata = 1, .deadline_ms = 5000};
        rig_open(&r, _i == 1);
        channel_open(&r);
        call(&r, &p, "/t.T/Echo", STR("hello"), &o);
        UNTIL(&r, p.done);
        CHECK_CODE(p, GRPC_OK);
        ck_assert_str_eq(p.text, "hello");
        ck_assert_str_eq(p.head, "abc");
        ck_assert_str_eq(p.tail, "abc");
        ck_assert_str_eq(r.peer, _i == 1 ? "a1" : "");
        call(&r, &p, "/dyn.D/Echo", STR(""), NULL);
        UNTIL(&r, p.done);
        CHECK_CODE(p, GRPC_OK);
        ck_assert_uint_eq(p.n, 0);
        UNTIL(&r, r.closed_now);
        ck_assert_int_eq(r.last_status, 0);
        ck_assert_uint_eq(r.n_ready, 1);
        rig_close(&r);
    }
END_TEST

START_TEST(many_calls_share_one_connection_beyond_its_stream_limit)
    {
        static struct reply p[500];
        struct rig r;
        rig_open(&r, false);
        channel_open(&r);
        for (int i = 0; i < 500; i++) {
            char text[16];
            (void)snprintf(text, sizeof text, "%d", i);
            call(&r, &p[i], "/t.T/Echo", str_of(text), NULL);
        }
        for (int i = 0; i < 500; i++) {
            char text[16];
            (void)snprintf(text, sizeof text, "%d", i);
            UNTIL(&r, p[i].done);
            CHECK_CODE(p[i], GRPC_OK);
            ck_assert_str_eq(p[i].text, text);
        }
        rig_close(&r);
    }
END_TEST

START_TEST(an_error_has_code_text_and_details)
    {
        struct rig r;
        struct reply p;
        rig_open(&r, false);
        channel_open(&r);
        call(&r, &p, "/t.T/Fail", STR("detail\xff"), NULL);
        UNTIL(&r, p.done);
        CHECK_CODE(p, GRPC_NOT_FOUND);
        ck_assert_str_eq(p.message, "no such thing: 100% gr\xc3\xbc\n");
        ck_assert_str_eq(p.details, "detail\xff");
        call(&r, &p, "/t.T/Nothing", STR(""), NULL);
        UNTIL(&r, p.done);
        CHECK_CODE(p, GRPC_UNIMPLEMENTED);
        ck_assert_str_eq(p.message, "unknown method /t.T/Nothing");
        rig_close(&r);
    }
END_TEST

START_TEST(large_messages_pass_and_larger_ones_are_refused)
    {
        struct rig r;
        struct reply p;
        size_t max = GRPC_MESSAGE_MAX;
        char *big = mem_alloc(sysmem(), max + 1);
        rig_open(&r, _i == 1);
        channel_open(&r);
        call(&r, &p, "/t.T/Echo", str_make(big, max), NULL);
        UNTIL(&r, p.done);
        CHECK_CODE(p, GRPC_OK);
        ck_assert_uint_eq(p.n, max);
        call(&r, &p, "/t.T/Echo", str_make(big, max + 1), NULL);
        UNTIL(&r, p.done);
        CHECK_CODE(p, GRPC_RESOURCE_EXHAUSTED);
        grpc_channel_close(r.ch);
        r.co.message_max = 1000;
        channel_open(&r);
        call(&r, &p, "/t.T/Echo", str_make(big, 1001), NULL);
        UNTIL(&r, p.done);
        CHECK_CODE(p, GRPC_RESOURCE_EXHAUSTED);
        mem_free(sysmem(), big, max + 1);
        rig_close(&r);
    }
END_TEST

START_TEST(a_deadline_ends_the_call_on_both_sides)
    {
        struct rig r;
        struct reply p;
        struct grpc_call_options o = {.deadline_ms = 60};
        uint64_t began = clock_mono_ms();
        rig_open(&r, false);
        channel_open(&r);
        call(&r, &p, "/t.T/Park", STR("x"), &o);
        UNTIL(&r, r.parked_now);
        ck_assert_uint_le(grpc_call_remaining_ms(r.parked), 60);
        UNTIL(&r, p.done);
        CHECK_CODE(p, GRPC_DEADLINE_EXCEEDED);
        ck_assert_uint_ge(clock_mono_ms() - began, 55);
        UNTIL(&r, r.closed_now);
        ck_assert(r.last_status == ERR_TIMEOUT || r.last_status == ERR_CANCELED);
        rig_close(&r);
    }
END_TEST

START_TEST(cancel_reaches_the_handler)
    {
        struct rig r;
        struct reply p;
        rig_open(&r, _i == 1);
        channel_open(&r);
        call(&r, &p, "/t.T/Park", STR("x"), NULL);
        UNTIL(&r, r.parked_now);
        grpc_client_cancel(p.c);
        grpc_client_cancel(p.c);
        ck_assert(!p.done);
        UNTIL(&r, p.done);
        CHECK_CODE(p, GRPC_CANCELLED);
        UNTIL(&r, r.closed_now);
        ck_assert_int_eq(r.last_status, ERR_CANCELED);
        rig_close(&r);
    }
END_TEST

/* --- streams
 * ---------------------------------------------------------------------------------------------- */

static void s_on_header(struct grpc_client_call *c)
{
    struct reply *p = grpc_client_data(c);
    p->headed = true;
}

static void s_on_message(struct grpc_client_call *c, struct str message)
{
    struct reply *p = grpc_client_data(c);
    p->wrong |= message.n < 4 || get_u32(message.p) != p->n_messages;
    p->n_messages++;
    p->n += message.n;
    if (p->n_messages % 100 == 0) {
        grpc_client_pause(c);
        grpc_client_resume(c);
    }
}

static void s_send(struct reply *p)
{
    uint8_t text[3000] = {0};
    while (p->n_sent < p->to_send && grpc_client_writable(p->c)) {
        put_u32(text, p->n_sent);
        if (grpc_client_send(p->c, str_make((char *)text, 4 + p->n_sent % 2900)) != 0) {
            return;
        }
        p->n_sent++;
    }
    if (p->n_sent == p->to_send) {
        grpc_client_half_close(p->c);
    }
}

static void s_on_drain(struct grpc_client_call *c)
{
    s_send(grpc_client_data(c));
}

static void s_on_close(struct grpc_client_call *c, const struct grpc_status *status)
{
    note(grpc_client_data(c), c, status);
}

static const struct grpc_client_events s_events = {.on_header = s_on_header,
                                                   .on_message = s_on_message,
                                                   .on_drain = s_on_drain,
                                                   .on_close = s_on_close};

static void open_stream(struct rig *r, struct reply *p, const char *path, unsigned n)
{
    memset(p, 0, sizeof *p);
    p->to_send = n;
    p->c = grpc_client_open(r->ch, path, NULL, &s_events, p);
    s_send(p);
}

START_TEST(a_server_stream_waits_for_a_slow_client)
    {
        struct rig r;
        struct reply p;
        unsigned before;
        rig_open(&r, _i == 1);
        channel_open(&r);
        open_stream(&r, &p, "/t.T/Count", 1);
        UNTIL(&r, p.headed);
        grpc_client_pause(p.c);
        run_for(&r, 100);
        before = r.n_sent;
        ck_assert_uint_lt(before, 2000);
        run_for(&r, 50);
        ck_assert_uint_eq(r.n_sent, before);
        grpc_client_resume(p.c);
        UNTIL(&r, p.done);
        CHECK_CODE(p, GRPC_OK);
        ck_assert_uint_eq(p.n_messages, 2000);
        ck_assert(!p.wrong);
        rig_close(&r);
    }
END_TEST

START_TEST(a_client_stream_is_answered_after_its_end)
    {
        struct rig r;
        struct reply p;
        rig_open(&r, false);
        channel_open(&r);
        memset(&p, 0, sizeof p);
        p.c = grpc_client_open(r.ch, "/t.T/Sum", NULL, &s_events, &p);
        for (int i = 0; i < 10; i++) {
            ck_assert_int_eq(grpc_client_send(p.c, STR("12345")), 0);
        }
        run_for(&r, 50);
        ck_assert_uint_eq(r.n_sent, 50);
        ck_assert(!p.done);
        grpc_client_half_close(p.c);
        ck_assert_int_eq(grpc_client_send(p.c, STR("x")), ERR_CLOSED);
        UNTIL(&r, p.done);
        CHECK_CODE(p, GRPC_OK);
        ck_assert_uint_eq(p.n_messages, 1);
        ck_assert_uint_eq(p.n, 2);
        rig_close(&r);
    }
END_TEST

START_TEST(a_bidi_stream_echoes_under_back_pressure)
    {
        struct rig r;
        struct reply p;
        rig_open(&r, _i == 1);
        channel_open(&r);
        open_stream(&r, &p, "/t.T/Bidi", 5000);
        UNTIL(&r, p.done);
        CHECK_CODE(p, GRPC_OK);
        ck_assert_uint_eq(p.n_messages, 5000);
        ck_assert(!p.wrong);
        rig_close(&r);
    }
END_TEST

/* --- connections come and go
 * ---------------------------------------------------------------------------- */

START_TEST(a_dead_address_is_unavailable_unless_the_call_waits)
    {
        struct rig r;
        struct reply fast;
        struct reply waits;
        struct reply late;
        struct grpc_call_options patient = {.wait_for_ready = true};
        struct grpc_call_options limited = {.wait_for_ready = true, .deadline_ms = 100};
        rig_open(&r, _i == 1);
        server_stop(&r);
        run_for(&r, 10);
        channel_open(&r);
        call(&r, &fast, "/t.T/Echo", STR("a"), NULL);
        call(&r, &waits, "/t.T/Echo", STR("b"), &patient);
        call(&r, &late, "/t.T/Echo", STR("c"), &limited);
        UNTIL(&r, fast.done);
        CHECK_CODE(fast, GRPC_UNAVAILABLE);
        ck_assert(fast.not_sent);
        ck_assert_msg(strstr(fast.message, "refused") != NULL, "%s", fast.message);
        UNTIL(&r, late.done);
        CHECK_CODE(late, GRPC_DEADLINE_EXCEEDED);
        ck_assert_uint_gt(r.n_backoff, 0);
        ck_assert(!waits.done);
        server_start(&r);
        grpc_channel_wake(r.ch);
        UNTIL(&r, waits.done);
        CHECK_CODE(waits, GRPC_OK);
        ck_assert_str_eq(waits.text, "b");
        rig_close(&r);
    }
END_TEST

START_TEST(a_lost_connection_fails_its_calls_and_comes_back)
    {
        struct rig r;
        struct reply lost;
        struct reply again;
        struct grpc_call_options patient = {.wait_for_ready = true};
        rig_open(&r, false);
        r.co.stay_connected = true;
        channel_open(&r);
        UNTIL(&r, r.ready_now);
        call(&r, &lost, "/t.T/Park", STR("x"), NULL);
        UNTIL(&r, r.parked_now);
        server_stop(&r);
        UNTIL(&r, lost.done);
        CHECK_CODE(lost, GRPC_UNAVAILABLE);
        ck_assert(!lost.not_sent);
        UNTIL(&r, r.backoff_now);
        r.ready_now = false;
        server_start(&r);
        call(&r, &again, "/t.T/Echo", STR("y"), &patient);
        UNTIL(&r, again.done);
        CHECK_CODE(again, GRPC_OK);
        UNTIL(&r, r.ready_now);
        ck_assert_uint_eq(r.n_ready, 2);
        rig_close(&r);
    }
END_TEST

static void on_stopped(void *data)
{
    *(bool *)data = true;
}

START_TEST(going_away_finishes_old_calls_and_moves_new_ones)
    {
        struct rig r;
        struct reply old;
        struct reply new;
        bool stopped = false;
        struct http_server *first;
        struct grpc_server *first_grpc;
        rig_open(&r, false);
        channel_open(&r);
        call(&r, &old, "/t.T/Park", STR("x"), NULL);
        UNTIL(&r, r.parked_now);
        first = r.http;
        first_grpc = r.grpc;
        http_server_stop(first, 5000, on_stopped, &stopped);
        run_for(&r, 20);
        ck_assert(!old.done && !stopped);
        server_start(&r); /* On the same port. */
        call(&r, &new, "/t.T/Echo", STR("y"), NULL);
        UNTIL(&r, new.done);
        CHECK_CODE(new, GRPC_OK);
        grpc_call_reply(r.parked, STR("bye"));
        UNTIL(&r, old.done);
        CHECK_CODE(old, GRPC_OK);
        ck_assert_str_eq(old.text, "bye");
        UNTIL(&r, stopped);
        http_server_close(first);
        grpc_server_close(first_grpc);
        rig_close(&r);
    }
END_TEST

START_TEST(reconnecting_moves_to_a_new_connection)
    {
        struct rig r;
        struct reply p;
        struct reply parked;
        rig_open(&r, true);
        channel_open(&r);
        call(&r, &parked, "/t.T/Park", STR("x"), NULL);
        UNTIL(&r, r.parked_now);
        grpc_channel_reconnect(r.ch);
        call(&r, &p, "/t.T/Echo", STR("y"), NULL);
        UNTIL(&r, p.done);
        CHECK_CODE(p, GRPC_OK);
        ck_assert_uint_eq(r.n_ready, 2);
        grpc_call_reply(r.parked, STR("bye"));
        UNTIL(&r, parked.done);
        CHECK_CODE(parked, GRPC_OK);
        rig_close(&r);
    }
END_TEST

START_TEST(closing_the_channel_ends_calls_inside_the_call)
    {
        struct rig r;
        struct reply running;
        struct reply waiting;
        rig_open(&r, false);
        channel_open(&r);
        call(&r, &running, "/t.T/Park", STR("x"), NULL);
        UNTIL(&r, r.parked_now);
        call(&r, &waiting, "/t.T/Echo", STR("x"), NULL);
        grpc_channel_close(r.ch);
        r.ch = NULL;
        ck_assert(running.done && waiting.done);
        CHECK_CODE(running, GRPC_CANCELLED);
        CHECK_CODE(waiting, GRPC_CANCELLED);
        UNTIL(&r, r.closed_now);
        rig_close(&r);
    }
END_TEST

START_TEST(a_server_that_is_not_who_we_expect_is_unavailable)
    {
        struct rig r;
        struct reply p;
        rig_open(&r, true);
        r.co.expect.id = "c2";
        channel_open(&r);
        call(&r, &p, "/t.T/Echo", STR("x"), NULL);
        UNTIL(&r, p.done);
        CHECK_CODE(p, GRPC_UNAVAILABLE);
        ck_assert_msg(strstr(p.message, "not \"c2\"") != NULL, "%s", p.message);
        rig_close(&r);
    }
END_TEST

/* --- clients that break the rules
 * ------------------------------------------------------------------------- */

struct rude {
    struct rig *rig;
    bool open;
    bool closed;
    bool done;
    char status[8];
};

static void rude_on_open(struct http_client *c, void *data)
{
    struct rude *d = data;
    (void)c;
    d->open = true;
}

static void rude_on_end(struct http_client *c, void *data, int status, const char *text)
{
    struct rude *d = data;
    (void)c;
    (void)status;
    (void)text;
    d->closed = true;
}

static const struct http_client_events rude_events = {.on_open = rude_on_open,
                                                      .on_close = rude_on_end};

static void rude_on_close(struct http_exchange *x, int status)
{
    struct rude *d = http_exchange_data(x);
    struct str code = http_exchange_trailer(x, "grpc-status");
    code = code.p != NULL ? code : http_exchange_header(x, "grpc-status");
    ck_assert_int_eq(status, 0);
    (void)str_copy(d->status, sizeof d->status, code);
    d->done = true;
}

static const struct http_exchange_events rude_x = {.on_close = rude_on_close};

START_TEST(rule_breakers_get_the_right_code)
    {
        static const struct {
            const char *path;
            const char *bytes;
            size_t n;
            const char *field;
            const char *value;
            const char *want;
        } table[] = {
            {"/t.T/Echo", "", 0, "x", "y", "13"},                        /* No message. */
            {"/t.T/Echo", "\0\0\0\0\1a\0\0\0\0\1b", 12, "x", "y", "13"}, /* Two. */
            {"/t.T/Echo", "\1\0\0\0\1a", 6, "x", "y", "12"},             /* Compressed. */
            {"/t.T/Echo", "\2\0\0\0\1a", 6, "x", "y", "13"},             /* Unknown flag. */
            {"/t.T/Echo", "\0\0\0\0\5a", 6, "x", "y", "13"},             /* Cut off. */
            {"/t.T/Bidi", "\0\0\0", 3, "x", "y", "13"},
            {"/t.T/Echo", "\0\1\0\0\0a", 6, "x", "y", "8"}, /* 16 MiB announced. */
            {"/t.T/Echo", "\0\0\0\0\1a", 6, "grpc-encoding", "gzip", "12"},
            {"/t.T/Echo", "\0\0\0\0\1a", 6, "grpc-timeout", "1x", "13"},
            {"/t.T/Echo", "\0\0\0\0\1a", 6, "grpc-timeout", "", "13"},
            {"/t.T/Echo", "\0\0\0\0\1a", 6, "grpc-timeout", "10S", "0"},
            {"/t.T/Park", "\0\0\0\0\1a", 6, "grpc-timeout", "1n", "4"},
            {"/t.T/Echo", "\0\0\0\0\1a", 6, "grpc-encoding", "identity", "0"},
        };
        struct rig r;
        struct rude d = {.rig = &r};
        struct http_client *c;
        struct http_client_options o = {0};
        rig_open(&r, false);
        o.connect.addr = r.addr;
        ck_assert_int_eq(http_client_open(&r.loop, &o, &rude_events, &d, &c, NULL), 0);
        UNTIL(&r, d.open);
        for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
            struct http_field fields[] = {{STR("content-type"), STR("application/grpc+proto")},
                                          {str_of(table[i].field), str_of(table[i].value)}};
            struct http_request q = {"POST", table[i].path, "h", fields, 2};
            struct http_exchange *x;
            d.done = false;
            ck_assert_int_eq(http_exchange_open(c, &q, &rude_x, &d, &x, NULL), 0);
            for (size_t k = 0; k < table[i].n; k++) {
                ck_assert_int_eq(http_exchange_write(x, table[i].bytes + k, 1), 0);
            }
            http_exchange_finish(x);
            UNTIL(&r, d.done);
            ck_assert_msg(strcmp(d.status, table[i].want) == 0, "case %zu: %s", i, d.status);
        }
        http_client_abort(c);
        UNTIL(&r, d.closed);
        rig_close(&r);
    }
END_TEST

/* --- formats
 * ------------------------------------------------------------------------------------------------
 */

START_TEST(text_formats_survive_a_round_trip)
    {
        struct arena a;
        uint64_t ms;
        char text[16];
        arena_init(&a, test_mem());
        for (size_t n = 0; n < 300; n++) {
            char bytes[300];
            struct str in = str_make(bytes, n);
            for (size_t i = 0; i < n; i++) {
                bytes[i] = (char)(i * 37 + n);
            }
            ck_assert(str_eq(grpc_base64_decode(&a, grpc_base64_encode(&a, in)), in));
            ck_assert(str_eq(grpc_percent_decode(&a, grpc_percent_encode(&a, in)), in));
        }
        ck_assert(str_eqc(grpc_base64_decode(&a, STR("aGk=")), "hi"));
        ck_assert_ptr_null(grpc_base64_decode(&a, STR("a")).p);
        ck_assert_ptr_null(grpc_base64_decode(&a, STR("a*bc")).p);
        ck_assert(str_eqc(grpc_percent_decode(&a, STR("100%")), "100%"));
        ck_assert(str_eqc(grpc_percent_decode(&a, STR("%4")), "%4"));
        ck_assert(str_eqc(grpc_percent_decode(&a, STR("%zz%41")), "%zzA"));
        ck_assert(str_eqc(grpc_percent_encode(&a, STR(" a b ")), "%20a b%20"));
        ck_assert(grpc_parse_timeout(STR("2M"), &ms) && ms == 120000);
        ck_assert(grpc_parse_timeout(STR("1H"), &ms) && ms == 3600000);
        ck_assert(grpc_parse_timeout(STR("1u"), &ms) && ms == 1);
        ck_assert(!grpc_parse_timeout(STR("123456789S"), &ms));
        grpc_format_timeout(86400000000ull, text);
        ck_assert(grpc_parse_timeout(str_of(text), &ms) && ms == 86400000000ull);
        ck_assert_str_eq(grpc_code_name(GRPC_UNAVAILABLE), "UNAVAILABLE");
        ck_assert_int_eq(grpc_code_of_err(ERR_NOTFOUND), GRPC_NOT_FOUND);
        arena_close(&a);
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("grpc");
    TCase *both = tcase_create("plain and TLS");
    (void)signal(SIGPIPE, SIG_IGN);
    tcase_set_timeout(both, 60);
    tcase_add_loop_test(both, unary_calls_carry_message_metadata_and_identity, 0, 2);
    tcase_add_loop_test(both, large_messages_pass_and_larger_ones_are_refused, 0, 2);
    tcase_add_loop_test(both, cancel_reaches_the_handler, 0, 2);
    tcase_add_loop_test(both, a_server_stream_waits_for_a_slow_client, 0, 2);
    tcase_add_loop_test(both, a_bidi_stream_echoes_under_back_pressure, 0, 2);
    tcase_add_loop_test(both, a_dead_address_is_unavailable_unless_the_call_waits, 0, 2);
    suite_add_tcase(s, both);
    TEST_CASE(
        s, "grpc", 60, many_calls_share_one_connection_beyond_its_stream_limit,
        an_error_has_code_text_and_details, a_deadline_ends_the_call_on_both_sides,
        a_client_stream_is_answered_after_its_end, a_lost_connection_fails_its_calls_and_comes_back,
        going_away_finishes_old_calls_and_moves_new_ones, reconnecting_moves_to_a_new_connection,
        closing_the_channel_ends_calls_inside_the_call,
        a_server_that_is_not_who_we_expect_is_unavailable, rule_breakers_get_the_right_code,
        text_formats_survive_a_round_trip);
    return test_run(s);
}
