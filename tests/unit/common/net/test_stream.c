/* Streams over real loopback sockets, plain and TLS: bytes arrive whole and in order, callbacks
 * keep their promises, and strangers are refused. */
#include "common/loop/loop.h"
#include "common/net/stream.h"
#include "tests/lib/test.h"
#include "tests/lib/testnet.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct side { /* What one end has seen. */
    struct stream *s;
    bool opened;
    bool eof;
    bool closed;
    bool got_all;
    unsigned n_closed;
    unsigned n_drain;
    int status;
    size_t n_read;
    size_t want;
    size_t to_send; /* Sent from on_drain. */
    size_t n_sent;
    bool keep_on_eof;
    bool pause_often;
    char error[160];
    char id[PKI_ID_MAX];
};

struct rig {
    uv_loop_t loop;
    struct testnet net;
    struct tls_context *server_tls;
    struct tls_context *client_tls;
    struct listener *l;
    struct side server;
    struct side client;
    struct listener_options lo;
    struct connect_options co;
};

static uint8_t pattern(size_t i)
{
    return (uint8_t)(i * 2654435761u >> 13);
}

static void send_more(struct side *e)
{
    uint8_t chunk[3000];
    while (e->n_sent < e->to_send && stream_writable(e->s)) {
        size_t n = e->to_send - e->n_sent;
        n = n < sizeof chunk ? n : sizeof chunk;
        for (size_t i = 0; i < n; i++) {
            chunk[i] = pattern(e->n_sent + i);
        }
        ck_assert_int_eq(stream_write(e->s, chunk, n), 0);
        e->n_sent += n;
    }
}

static void on_open(struct stream *s, void *data)
{
    struct side *e = data;
    ck_assert(!e->opened && !e->closed);
    e->opened = true;
    (void)str_copy(e->id, sizeof e->id, str_of(stream_peer(s)->id));
    send_more(e);
}

static void on_read(struct stream *s, void *data, const uint8_t *bytes, size_t n)
{
    struct side *e = data;
    bool same = true;
    ck_assert(!e->eof && !e->closed && n > 0);
    for (size_t i = 0; i < n; i++) { /* An assertion for each byte would be slow. */
        same = same && bytes[i] == pattern(e->n_read + i);
    }
    ck_assert(same);
    e->n_read += n;
    e->got_all = e->n_read >= e->want;
    if (e->pause_often) {
        stream_pause(s);
        stream_resume(s);
    }
}

static void on_eof(struct stream *s, void *data)
{
    struct side *e = data;
    ck_assert(!e->eof && !e->closed);
    e->eof = true;
    if (!e->keep_on_eof) {
        stream_close(s);
    }
}

static void on_drain(struct stream *s, void *data)
{
    struct side *e = data;
    (void)s;
    ck_assert(!e->closed);
    e->n_drain++;
    send_more(e);
}

static void on_close(struct stream *s, void *data, int status)
{
    struct side *e = data;
    e->n_closed++;
    e->closed = true;
    e->status = status;
    (void)str_copy(e->error, sizeof e->error, str_of(stream_error(s)));
    e->s = NULL;
}

static const struct stream_events events = {.on_open = on_open,
                                            .on_read = on_read,
                                            .on_eof = on_eof,
                                            .on_drain = on_drain,
                                            .on_close = on_close};

static void on_accept(struct listener *l, struct stream *s, void *data)
{
    struct rig *r = data;
    ck_assert_ptr_eq(l, r->l);
    if (r->server.s != NULL || r->server.n_closed > 0) {
        return; /* Only the first one is wanted. */
    }
    r->server.s = s;
    stream_accept(s, &events, &r->server);
    on_open(s, &r->server);
}

static void rig_open(struct rig *r, bool tls)
{
    memset(r, 0, sizeof *r);
    ck_assert_int_eq(uv_loop_init(&r->loop), 0);
    testnet_open(&r->net);
    ck_assert_int_eq(addr_parse(STR("127.0.0.1:0"), 0, &r->lo.addr, NULL), 0);
    if (tls) {
        r->server_tls =
            testnet_server(&r->net, PKI_ROLE_CONTROLLER, "c1", TLS_VERIFY_OPTIONAL, NULL);
        r->client_tls = testnet_client(&r->net, PKI_ROLE_AGENT, "a1", NULL);
        r->lo.shake_us = 1; /* Most handshakes take more than one turn. */
    }
}

static void rig_start(struct rig *r)
{
    struct err err;
    r->lo.tls = r->server_tls;
    r->co.tls = r->client_tls;
    ck_assert_int_eq(listener_open(&r->loop, &r->lo, on_accept, r, &r->l, &err), 0);
    r->co.addr = *listener_addr(r->l);
    ck_assert_int_eq(stream_connect(&r->loop, &r->co, &events, &r->client, &r->client.s, &err), 0);
    ck_assert(!r->client.opened);
}

static void rig_close(struct rig *r)
{
    listener_close(r->l);
    if (r->client.s != NULL) {
        stream_abort(r->client.s);
    }
    if (r->server.s != NULL) {
        stream_abort(r->server.s);
    }
    tls_context_close(r->server_tls);
    tls_context_close(r->client_tls);
    loop_drain(&r->loop);
    ck_assert_uint_le(r->client.n_closed, 1);
    ck_assert_uint_le(r->server.n_closed, 1);
    testnet_close(&r->net);
}

#define UNTIL(r, flag) ck_assert_msg(testnet_until(&(r)->loop, &(flag), 8000), "waited for " #flag)

START_TEST(bytes_arrive_whole_both_ways_and_a_close_is_orderly)
    {
        struct rig r;
        rig_open(&r, _i & 1);
        r.client.to_send = r.server.want = 3000000;
        r.server.to_send = r.client.want = 2000001;
        r.server.pause_often = r.client.pause_often = _i & 2;
        rig_start(&r);
        UNTIL(&r, r.server.got_all);
        UNTIL(&r, r.client.got_all);
        ck_assert_uint_gt(r.client.n_drain, 0);
        stream_close(r.client.s);
        ck_assert_int_eq(stream_write(r.client.s, "x", 1), ERR_CLOSED);
        UNTIL(&r, r.client.closed);
        UNTIL(&r, r.server.closed);
        ck_assert(r.server.eof);
        ck_assert_int_eq(r.client.status, 0);
        ck_assert_int_eq(r.server.status, 0);
        ck_assert_uint_eq(r.server.n_read, 3000000);
        ck_assert_uint_eq(r.client.n_read, 2000001);
        if (_i & 1) {
            ck_assert_str_eq(r.server.id, "a1");
            ck_assert_str_eq(r.client.id, "c1");
        }
        rig_close(&r);
    }
END_TEST

START_TEST(what_was_written_before_close_still_arrives)
    {
        struct rig r;
        rig_open(&r, _i & 1);
        r.lo.stream.queue_high = r.co.stream.queue_high = 1u << 30;
        r.client.to_send = r.server.want = 1500000;
        rig_start(&r);
        UNTIL(&r, r.client.opened);
        ck_assert_uint_eq(r.client.n_sent, 1500000);
        stream_close(r.client.s);
        UNTIL(&r, r.server.closed);
        ck_assert_uint_eq(r.server.n_read, 1500000);
        UNTIL(&r, r.client.closed);
        ck_assert_int_eq(r.client.status, 0);
        rig_close(&r);
    }
END_TEST

START_TEST(writing_before_open_is_allowed_and_bounded)
    {
        struct rig r;
        static char big[100000];
        for (size_t i = 0; i < sizeof big; i++) {
            big[i] = (char)pattern(i);
        }
        rig_open(&r, _i & 1);
        r.co.stream.queue_max = sizeof big;
        r.server.want = sizeof big;
        rig_start(&r);
        ck_assert_int_eq(stream_write(r.client.s, big, sizeof big), 0);
        ck_assert_int_eq(stream_write(r.client.s, big, 1), ERR_FULL);
        ck_assert(!stream_writable(r.client.s));
        UNTIL(&r, r.server.got_all);
        ck_assert_uint_eq(r.client.n_drain, 1);
        ck_assert_uint_eq(stream_queued(r.client.s), 0);
        rig_close(&r);
    }
END_TEST

START_TEST(a_paused_reader_stops_the_writer_and_loses_nothing)
    {
        struct rig r;
        bool never = false;
        size_t before;
        rig_open(&r, _i & 1);
        r.client.to_send = r.server.want = 40u << 20;
        rig_start(&r);
        UNTIL(&r, r.server.opened);
        stream_pause(r.server.s);
        before = r.server.n_read;
        (void)testnet_until(&r.loop, &never, 300);
        ck_assert_uint_eq(r.server.n_read, before);
        ck_assert_uint_lt(r.client.n_sent, r.client.to_send);
        stream_resume(r.server.s);
        ck_assert_uint_eq(r.server.n_read, before);
        UNTIL(&r, r.server.got_all);
        rig_close(&r);
    }
END_TEST

START_TEST(an_abort_is_seen_by_both_once)
    {
        struct rig r;
        rig_open(&r, _i & 1);
        rig_start(&r);
        UNTIL(&r, r.server.opened);
        UNTIL(&r, r.client.opened);
        stream_abort(r.server.s);
        stream_abort(r.server.s);
        stream_close(r.server.s);
        ck_assert(!r.server.closed);
        UNTIL(&r, r.server.closed);
        UNTIL(&r, r.client.closed);
        ck_assert_int_eq(r.server.status, ERR_CANCELED);
        rig_close(&r);
    }
END_TEST

START_TEST(a_half_closed_stream_can_still_answer)
    {
        struct rig r;
        rig_open(&r, false);
        r.server.keep_on_eof = true;
        rig_start(&r);
        UNTIL(&r, r.server.opened);
        UNTIL(&r, r.client.opened);
        stream_close(r.client.s); /* Sends FIN, then waits for ours, dropping what it reads. */
        UNTIL(&r, r.server.eof);
        ck_assert(!r.client.closed);
        ck_assert_int_eq(stream_write(r.server.s, "late", 4), 0);
        stream_close(r.server.s);
        UNTIL(&r, r.server.closed);
        UNTIL(&r, r.client.closed);
        ck_assert_int_eq(r.server.status, 0);
        rig_close(&r);
    }
END_TEST

START_TEST(nobody_listening_is_unavailable)
    {
        struct rig r;
        struct err err;
        rig_open(&r, false);
        rig_start(&r);
        UNTIL(&r, r.client.opened);
        stream_abort(r.client.s);
        UNTIL(&r, r.client.closed);
        listener_close(r.l);
        (void)uv_run(&r.loop, UV_RUN_NOWAIT);
        memset(&r.client, 0, sizeof r.client);
        ck_assert_int_eq(stream_connect(&r.loop, &r.co, &events, &r.client, &r.client.s, &err), 0);
        UNTIL(&r, r.client.closed);
        ck_assert_int_eq(r.client.status, ERR_UNAVAILABLE);
        ck_assert(!r.client.opened);
        r.l = NULL;
        rig_close(&r);
    }
END_TEST

/* --- who is let in
 * ------------------------------------------------------------------------------------ */

START_TEST(a_client_without_certificate_is_nobody_where_that_is_allowed)
    {
        struct rig r;
        rig_open(&r, true);
        tls_context_close(r.client_tls);
        r.client_tls = testnet_client(&r.net, PKI_ROLE_NONE, NULL, NULL);
        rig_start(&r);
        UNTIL(&r, r.server.opened);
        ck_assert_int_eq(stream_peer(r.server.s)->role, PKI_ROLE_NONE);
        ck_assert_str_eq(r.server.id, "");
        rig_close(&r);
    }
END_TEST

START_TEST(a_client_without_certificate_is_refused_where_one_is_required)
    {
        struct rig r;
        rig_open(&r, true);
        tls_context_close(r.client_tls);
        tls_context_close(r.server_tls);
        r.client_tls = testnet_client(&r.net, PKI_ROLE_NONE, NULL, NULL);
        r.server_tls = testnet_server(&r.net, PKI_ROLE_CONTROLLER, "c1", TLS_VERIFY_REQUIRED, NULL);
        rig_start(&r);
        UNTIL(&r, r.client.closed);
        ck_assert(!r.server.opened);
        ck_assert_int_eq(r.client.status, ERR_DENIED);
        ck_assert_uint_eq(listener_refused(r.l), 1);
        rig_close(&r);
    }
END_TEST

START_TEST(the_wrong_ca_is_refused_on_either_side)
    {
        struct rig r;
        struct testnet other;
        rig_open(&r, true);
        testnet_open(&other);
        tls_context_close(r.client_tls);
        if (_i == 0) { /* The client trusts another CA than the server's. */
            r.client_tls = testnet_client(&other, PKI_ROLE_NONE, NULL, NULL);
        } else { /* The client's certificate is from another CA; it trusts the right one. */
            struct tls_options o = {.verify = TLS_VERIFY_REQUIRED};
            struct buf cert;
            struct buf key;
            testnet_issue(&other, PKI_ROLE_AGENT, "a1", 7, &cert, &key);
            o.cert_pem = str_make((char *)cert.data, cert.len);
            o.key_pem = str_make((char *)key.data, key.len);
            o.ca_pem = str_make((char *)r.net.ca.data, r.net.ca.len);
            ck_assert_int_eq(tls_context_open(&o, &r.client_tls, NULL), 0);
            buf_close(&cert);
            buf_close(&key);
        }
        rig_start(&r);
        UNTIL(&r, r.client.closed);
        ck_assert_int_eq(r.client.status, ERR_DENIED);
        ck_assert(!r.server.opened);
        rig_close(&r);
        testnet_close(&other);
    }
END_TEST

static void expect_refusal(struct rig *r, const char *word)
{
    rig_start(r);
    UNTIL(r, r->client.closed);
    ck_assert(!r->client.opened);
    ck_assert_int_eq(r->client.status, ERR_DENIED);
    ck_assert_msg(strstr(r->client.error, word) != NULL, "%s", r->client.error);
    rig_close(r);
}

START_TEST(a_client_refuses_a_server_of_other_role_id_or_host)
    {
        struct rig r;
        rig_open(&r, true);
        r.co.expect.role = PKI_ROLE_AGENT;
        expect_refusal(&r, "not a agent");
        rig_open(&r, true);
        r.co.expect.role = PKI_ROLE_CONTROLLER;
        r.co.expect.id = "c2";
        expect_refusal(&r, "\"c2\"");
        rig_open(&r, true);
        r.co.expect.host = "elsewhere.example";
        expect_refusal(&r, "elsewhere.example");
        rig_open(&r, true);
        r.co.expect = (struct tls_expect){PKI_ROLE_CONTROLLER, "c1", "127.0.0.1"};
        rig_start(&r);
        UNTIL(&r, r.client.opened);
        rig_close(&r);
    }
END_TEST

START_TEST(an_expired_certificate_is_refused)
    {
        struct rig r;
        struct buf cert;
        struct buf key;
        rig_open(&r, true);
        testnet_issue(&r.net, PKI_ROLE_CONTROLLER, "c1", -1, &cert, &key);
        ck_assert_int_eq(tls_context_replace(r.server_tls, str_make((char *)cert.data, cert.len),
                                             str_make((char *)key.data, key.len),
                                             str_make((char *)r.net.ca.data, r.net.ca.len), NULL),
                         0);
        buf_close(&cert);
        buf_close(&key);
        expect_refusal(&r, "expired");
    }
END_TEST

START_TEST(a_pin_is_enough_to_join_and_gives_the_ca)
    {
        struct rig r;
        struct tls_options o = {.verify = TLS_VERIFY_PIN};
        struct str ca;
        struct buf got;
        rig_open(&r, true);
        ca = str_make((char *)r.net.ca.data, r.net.ca.len);
        tls_context_close(r.client_tls);
        ck_assert_int_eq(pki_pin(ca, o.pin, NULL), 0);
        ck_assert_int_eq(tls_context_open(&o, &r.client_tls, NULL), 0);
        r.co.expect.role = PKI_ROLE_CONTROLLER;
        rig_start(&r);
        UNTIL(&r, r.client.opened);
        buf_init(&got, test_mem(), PKI_PEM_MAX);
        ck_assert_int_eq(tls_pinned_ca(stream_tls(r.client.s), &got, NULL), 0);
        ck_assert(str_eq(str_make((char *)got.data, got.len), ca));
        buf_close(&got);
        rig_close(&r);

        rig_open(&r, true);
        tls_context_close(r.client_tls);
        ck_assert_int_eq(tls_context_open(&o, &r.client_tls, NULL), 0); /* The former CA's pin. */
        expect_refusal(&r, "fingerprint");
    }
END_TEST

START_TEST(new_certificates_serve_new_streams_and_bad_ones_change_nothing)
    {
        struct rig r;
        struct buf cert;
        struct buf key;
        struct err err;
        struct str ca;
        rig_open(&r, true);
        ca = str_make((char *)r.net.ca.data, r.net.ca.len);
        testnet_issue(&r.net, PKI_ROLE_CONTROLLER, "c9", 7, &cert, &key);
        ck_assert_int_eq(tls_context_replace(r.server_tls, str_make((char *)cert.data, cert.len),
                                             str_make((char *)r.net.ca_key.data, r.net.ca_key.len),
                                             ca, &err),
                         ERR_INVALID);
        ck_assert_str_eq(tls_context_identity(r.server_tls)->id, "c1");
        ck_assert_int_eq(tls_context_replace(r.server_tls, str_make((char *)cert.data, cert.len),
                                             str_make((char *)key.data, key.len), ca, &err),
                         0);
        ck_assert_str_eq(tls_context_identity(r.server_tls)->id, "c9");
        buf_close(&cert);
        buf_close(&key);
        rig_start(&r);
        UNTIL(&r, r.client.opened);
        ck_assert_str_eq(r.client.id, "c9");
        rig_close(&r);
    }
END_TEST

static void write_world(const struct testnet *net, const char *dir, const char *id)
{
    struct buf cert;
    struct buf key;
    char path[100];
    testnet_issue(net, PKI_ROLE_CONTROLLER, id, 7, &cert, &key);
    (void)snprintf(path, sizeof path, "%s/cert.pem", dir);
    ck_assert_int_eq(pki_file_write(path, str_make((char *)cert.data, cert.len), 0644, NULL), 0);
    (void)snprintf(path, sizeof path, "%s/key.pem", dir);
    ck_assert_int_eq(pki_file_write(path, str_make((char *)key.data, key.len), 0600, NULL), 0);
    (void)snprintf(path, sizeof path, "%s/ca.pem", dir);
    ck_assert_int_eq(pki_file_write(path, str_make((char *)net->ca.data, net->ca.len), 0644, NULL),
                     0);
    buf_close(&cert);
    buf_close(&key);
}

START_TEST(files_are_read_again_on_reload)
    {
        struct rig r;
        struct tls_options o = {.server = true, .verify = TLS_VERIFY_OPTIONAL};
        char dir[] = "/tmp/test_stream.XXXXXX";
        char path[3][100];
        static const char *const names[] = {"cert.pem", "key.pem", "ca.pem"};
        rig_open(&r, true);
        ck_assert_ptr_nonnull(mkdtemp(dir));
        for (int i = 0; i < 3; i++) {
            (void)snprintf(path[i], sizeof path[i], "%s/%s", dir, names[i]);
        }
        write_world(&r.net, dir, "c7");
        o.cert_file = path[0];
        o.key_file = path[1];
        o.ca_file = path[2];
        tls_context_close(r.server_tls);
        ck_assert_int_eq(tls_context_open(&o, &r.server_tls, NULL), 0);
        ck_assert_str_eq(tls_context_identity(r.server_tls)->id, "c7");
        ck_assert_int_gt(tls_context_expires_s(r.server_tls), 0);
        write_world(&r.net, dir, "c8");
        ck_assert_int_eq(tls_context_reload(r.server_tls, NULL), 0);
        ck_assert_str_eq(tls_context_identity(r.server_tls)->id, "c8");
        ck_assert_int_eq(unlink(path[1]), 0);
        ck_assert_int_eq(tls_context_reload(r.server_tls, NULL), ERR_NOTFOUND);
        rig_start(&r);
        UNTIL(&r, r.client.opened);
        ck_assert_str_eq(r.client.id, "c8");
        (void)unlink(path[0]);
        (void)unlink(path[2]);
        ck_assert_int_eq(rmdir(dir), 0);
        rig_close(&r);
    }
END_TEST

START_TEST(alpn_agrees_on_the_servers_first_choice_or_refuses)
    {
        static const char *const both[TLS_ALPN_MAX] = {"h2", "http/1.1"};
        static const char *const old[TLS_ALPN_MAX] = {"http/1.1"};
        static const char *const odd[TLS_ALPN_MAX] = {"smtp"};
        const char *const *offers[] = {both, old, odd};
        static const char *const want[] = {"h2", "http/1.1", NULL};
        struct rig r;
        rig_open(&r, true);
        tls_context_close(r.client_tls);
        tls_context_close(r.server_tls);
        r.server_tls = testnet_server(&r.net, PKI_ROLE_CONTROLLER, "c1", TLS_VERIFY_OPTIONAL, both);
        r.client_tls = testnet_client(&r.net, PKI_ROLE_NONE, NULL, offers[_i]);
        rig_start(&r);
        if (want[_i] == NULL) {
            UNTIL(&r, r.client.closed);
            ck_assert_int_eq(r.client.status, ERR_PROTOCOL);
        } else {
            UNTIL(&r, r.client.opened);
            ck_assert(str_eqc(stream_alpn(r.client.s), want[_i]));
            UNTIL(&r, r.server.opened);
            ck_assert(str_eqc(stream_alpn(r.server.s), want[_i]));
        }
        rig_close(&r);
    }
END_TEST

/* --- limits
 * ---------------------------------------------------------------------------------------------- */

static int raw_connect(const struct addr *to)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(connect(fd, &to->u.sa, addr_len(to)), 0);
    return fd;
}

START_TEST(a_silent_or_garbled_handshake_ends_by_itself)
    {
        struct rig r;
        bool never = false;
        int silent;
        int noisy;
        char byte;
        uint64_t began = clock_mono_ms();
        rig_open(&r, true);
        rig_start(&r);
        UNTIL(&r, r.server.opened);
        silent = raw_connect(&r.co.addr);
        noisy = raw_connect(&r.co.addr);
        ck_assert_int_eq(send(noisy, "GET / HTTP/1.1\r\n\r\n", 18, 0), 18);
        (void)testnet_until(&r.loop, &never, 200);
        ck_assert_int_le(recv(noisy, &byte, 1, MSG_DONTWAIT), 7); /* Alert, end or reset. */
        ck_assert_uint_eq(listener_count(r.l), 2);
        while (listener_count(r.l) > 1 && clock_mono_ms() - began < 9000) {
            (void)testnet_until(&r.loop, &never, 50);
        }
        ck_assert_uint_eq(listener_count(r.l), 1);
        ck_assert_uint_ge(clock_mono_ms() - began, 4500);
        ck_assert_uint_eq(listener_refused(r.l), 2);
        (void)close(silent);
        (void)close(noisy);
        rig_close(&r);
    }
END_TEST

START_TEST(connections_are_capped_in_all_and_per_address)
    {
        struct rig r;
        bool never = false;
        int fds[10];
        rig_open(&r, _i == 0);
        r.lo.max_streams = _i == 0 ? 5 : 100;
        r.lo.max_per_ip = _i == 0 ? 100 : 5;
        if (_i == 1) { /* Verified peers do not count. */
            r.server_tls =
                testnet_server(&r.net, PKI_ROLE_CONTROLLER, "c1", TLS_VERIFY_OPTIONAL, NULL);
            r.client_tls = testnet_client(&r.net, PKI_ROLE_AGENT, "a1", NULL);
        }
        rig_start(&r);
        UNTIL(&r, r.server.opened);
        for (int i = 0; i < 10; i++) {
            fds[i] = raw_connect(&r.co.addr);
        }
        (void)testnet_until(&r.loop, &never, 200);
        ck_assert_uint_eq(listener_count(r.l), _i == 0 ? 5 : 6);
        ck_assert_uint_eq(listener_refused(r.l), _i == 0 ? 6 : 5);
        for (int i = 0; i < 10; i++) {
            (void)close(fds[i]);
        }
        (void)testnet_until(&r.loop, &never, 200);
        ck_assert_uint_eq(listener_count(r.l), 1);
        rig_close(&r);
    }
END_TEST

#define MANY 40

struct many {
    struct side sides[MANY];
    unsigned n_opened;
    bool all;
};

static void on_one_of_many(struct listener *l, struct stream *s, void *data)
{
    struct many *m = data;
    (void)l;
    (void)s; /* Not accepted: it is closed. */
    m->n_opened++;
    m->all = m->n_opened == MANY;
}

START_TEST(handshakes_that_come_at_once_take_turns)
    {
        struct rig r;
        struct many m;
        struct err err;
        memset(&m, 0, sizeof m);
        rig_open(&r, true);
        r.lo.tls = r.server_tls;
        r.co.tls = r.client_tls;
        ck_assert_int_eq(listener_open(&r.loop, &r.lo, on_one_of_many, &m, &r.l, &err), 0);
        r.co.addr = *listener_addr(r.l);
        for (int i = 0; i < MANY; i++) {
            struct side *e = &m.sides[i];
            ck_assert_int_eq(stream_connect(&r.loop, &r.co, &events, e, &e->s, &err), 0);
        }
        if (_i == 1) { /* They wait, and the listener goes. */
            bool never = false;
            (void)testnet_until(&r.loop, &never, 5);
            listener_close(r.l);
            r.l = NULL;
        } else {
            UNTIL(&r, m.all);
            ck_assert_uint_eq(listener_refused(r.l), 0);
        }
        for (int i = 0; i < MANY; i++) {
            if (!m.sides[i].closed) {
                stream_abort(m.sides[i].s);
            }
        }
        rig_close(&r);
    }
END_TEST

START_TEST(bad_tls_options_are_refused_with_the_rule)
    {
        struct testnet net;
        struct buf cert;
        struct buf key;
        struct tls_context *ctx;
        struct err err;
        struct str c;
        struct str k;
        struct str ca;
        testnet_open(&net);
        testnet_issue(&net, PKI_ROLE_AGENT, "x", 1, &cert, &key);
        c = str_make((char *)cert.data, cert.len);
        k = str_make((char *)key.data, key.len);
        ca = str_make((char *)net.ca.data, net.ca.len);
        const struct tls_options bad[] = {
            {.server = true, .ca_pem = ca},
            {.server = true, .cert_pem = c, .ca_pem = ca},
            {.server = true, .cert_pem = c, .key_pem = k},
            {.server = true, .cert_pem = c, .key_pem = c, .ca_pem = ca},
            {.server = true, .cert_pem = k, .key_pem = k, .ca_pem = ca},
            {.server = true, .cert_pem = c, .key_pem = k, .ca_pem = k},
            {.verify = TLS_VERIFY_OPTIONAL, .ca_pem = ca},
            {.verify = TLS_VERIFY_PIN, .pin = "abc"},
            {.ca_file = "/nonexistent/ca.pem"},
        };
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
            err.code = 0;
            ck_assert_msg(tls_context_open(&bad[i], &ctx, &err) < 0, "case %zu", i);
            ck_assert_int_ne(err.code, 0);
        }
        buf_close(&cert);
        buf_close(&key);
        testnet_close(&net);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("stream");
    TCase *both = tcase_create("plain and TLS");
    TCase *alpn = tcase_create("variants");
    (void)signal(SIGPIPE, SIG_IGN);
    tcase_set_timeout(both, 60);
    tcase_add_loop_test(both, bytes_arrive_whole_both_ways_and_a_close_is_orderly, 0, 4);
    tcase_add_loop_test(both, what_was_written_before_close_still_arrives, 0, 2);
    tcase_add_loop_test(both, writing_before_open_is_allowed_and_bounded, 0, 2);
    tcase_add_loop_test(both, a_paused_reader_stops_the_writer_and_loses_nothing, 0, 2);
    tcase_add_loop_test(both, an_abort_is_seen_by_both_once, 0, 2);
    suite_add_tcase(s, both);
    tcase_set_timeout(alpn, 60);
    tcase_add_loop_test(alpn, alpn_agrees_on_the_servers_first_choice_or_refuses, 0, 3);
    tcase_add_loop_test(alpn, the_wrong_ca_is_refused_on_either_side, 0, 2);
    tcase_add_loop_test(alpn, connections_are_capped_in_all_and_per_address, 0, 2);
    tcase_add_loop_test(alpn, handshakes_that_come_at_once_take_turns, 0, 2);
    suite_add_tcase(s, alpn);
    TEST_CASE(s, "stream", 60, a_half_closed_stream_can_still_answer,
              nobody_listening_is_unavailable,
              a_client_without_certificate_is_nobody_where_that_is_allowed,
              a_client_without_certificate_is_refused_where_one_is_required,
              a_client_refuses_a_server_of_other_role_id_or_host, an_expired_certificate_is_refused,
              a_pin_is_enough_to_join_and_gives_the_ca,
              new_certificates_serve_new_streams_and_bad_ones_change_nothing,
              a_silent_or_garbled_handshake_ends_by_itself, files_are_read_again_on_reload,
              bad_tls_options_are_refused_with_the_rule);
    return test_run(s);
}
