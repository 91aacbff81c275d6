/* Each allocation of configuration and TLS fails in turn: an error, or the documented end of the
 * process; never a crash, a leak, or something half made. */
#include "common/conf/conf.h"
#include "common/loop/sysmem.h"
#include "common/net/tls.h"
#include "tests/lib/fail_alloc.h"
#include "tests/lib/test.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* --- configuration -----------------------------------------------------------------------------
 */

struct values {
    const char *dir;
    uint64_t port;
    struct conf_list peers;
};

static const struct conf_option options[] = {
    {.name = "dir", .env = "T_DIR", .offset = offsetof(struct values, dir), .help = "A place."},
    {.name = "port",
     .type = CONF_U64,
     .offset = offsetof(struct values, port),
     .help = "A number."},
    {.name = "peers", .type = CONF_LIST, .offset = offsetof(struct values, peers), .help = "All."},
};

static const struct conf_program program = {
    .name = "t", .summary = "S.", .version = "1", .options = options, .n_options = 3};

static unsigned long load_conf(void *arg, unsigned long n, int *ret_error)
{
    char *const argv[] = {"t", "--config", arg, "--port=7", NULL};
    char *const env[] = {"T_DIR=/somewhere", NULL};
    struct values v = {0};
    struct conf *conf = NULL;
    enum conf_outcome outcome;
    struct err err = {0};
    unsigned long total;
    int rv;
    fail_alloc_at(n);
    rv = conf_load(&program, 4, argv, env, &v, &conf, &outcome, NULL, &err);
    total = fail_alloc_stop();
    assert(rv == 0 || (conf == NULL && err.text[0] != '\0'));
    assert(rv != 0 || (v.port == 7 && v.peers.n == 3 && strcmp(v.dir, "/somewhere") == 0));
    conf_close(conf);
    *ret_error = rv;
    return total;
}

START_TEST(a_configuration_is_loaded_or_refused)
    {
        char path[] = "/tmp/test-oom-XXXXXX";
        int fd = mkstemp(path);
        struct fail_alloc_report r;
        ck_assert_int_ge(fd, 0);
        ck_assert_int_gt((int)dprintf(fd, "# x\npeers = a, b, c\n"), 0);
        r = fail_alloc_torture("conf_load", load_conf, path, 300);
        ck_assert_uint_gt(r.n_errors + r.n_aborts, 0);
        close(fd);
        (void)unlink(path);
    }
END_TEST

/* --- TLS ---------------------------------------------------------------------------------------
 */

struct papers {
    struct buf ca_key, ca, key, csr, cert;
};

static struct str text_of(const struct buf *b)
{
    return str_make((const char *)b->data, b->len);
}

static void make_papers(struct papers *p)
{
    struct pki_request r = {.role = PKI_ROLE_CONTROLLER, .domain = "t.ecs", .id = "1"};
    struct buf *all = &p->ca_key;
    r.not_before_s = time(NULL) - 60;
    r.not_after_s = time(NULL) + PKI_DAY_S;
    for (int i = 0; i < 5; i++) {
        buf_init(&all[i], sysmem(), PKI_PEM_MAX);
    }
    ck_assert_int_eq(pki_key_create(PKI_KEY_P256, &p->ca_key, NULL), 0);
    ck_assert_int_eq(pki_ca_create(text_of(&p->ca_key), "t.ecs", r.not_before_s - 60,
                                   r.not_after_s + 60, &p->ca, NULL),
                     0);
    ck_assert_int_eq(pki_key_create(PKI_KEY_P256, &p->key, NULL), 0);
    ck_assert_int_eq(pki_csr_create(text_of(&p->key), &p->csr, NULL), 0);
    ck_assert_int_eq(
        pki_cert_issue(text_of(&p->ca), text_of(&p->ca_key), text_of(&p->csr), &r, &p->cert, NULL),
        0);
}

static void drop_papers(struct papers *p)
{
    struct buf *all = &p->ca_key;
    for (int i = 0; i < 5; i++) {
        buf_close(&all[i]);
    }
}

static int open_context(const struct papers *p, bool server, struct tls_context **ret,
                        struct err *err)
{
    struct tls_options o = {.server = server, .alpn = {"h2"}, .domain = "t.ecs"};
    o.cert_pem = text_of(&p->cert);
    o.key_pem = text_of(&p->key);
    o.ca_pem = text_of(&p->ca);
    return tls_context_open(&o, ret, err);
}

struct end {
    struct tls *tls;
    struct buf out;
    int status;
};

static int open_end(struct end *e, struct tls_context *ctx, struct err *err)
{
    memset(e, 0, sizeof *e);
    buf_init(&e->out, sysmem(), 1u << 20);
    e->status = ERR_AGAIN;
    return tls_open(ctx, NULL, &e->out, &e->tls, err);
}

static void close_end(struct end *e)
{
    tls_close(e->tls);
    buf_close(&e->out);
}

/* What `from` has to say is heard by `to`. */
static void hand_over(struct end *from, struct end *to)
{
    struct err err = {0};
    tls_feed(to->tls, from->out.data, from->out.len);
    if (to->status == ERR_AGAIN) {
        to->status = tls_handshake(to->tls, &err);
    }
    tls_settle(to->tls);
    buf_clear(&from->out);
}

/* 0 when both know each other. */
static int handshake(struct tls_context *client, struct tls_context *server)
{
    struct end c = {0};
    struct end s = {0};
    struct err err = {0};
    int rv = open_end(&c, client, &err);
    rv = rv != 0 ? rv : open_end(&s, server, &err);
    if (rv == 0) {
        c.status = tls_handshake(c.tls, &err);
        for (int i = 0; i < 4; i++) {
            hand_over(&c, &s);
            hand_over(&s, &c);
        }
        rv = c.status != 0 ? c.status : s.status;
    }
    if (rv == 0) {
        assert(tls_peer(s.tls)->role == PKI_ROLE_CONTROLLER);
        assert(tls_peer(c.tls)->role == PKI_ROLE_CONTROLLER);
    }
    close_end(&c);
    close_end(&s);
    return rv;
}

static unsigned long open_tls(void *arg, unsigned long n, int *ret_error)
{
    const struct papers *p = arg;
    struct tls_context *server = NULL;
    struct tls_context *client = NULL;
    struct err err = {0};
    unsigned long total;
    int rv;
    /* The first context loads OpenSSL's algorithms, and silently goes without one for which there
     * was no memory. That is its business. */
    assert(open_context(p, true, &server, &err) == 0);
    tls_context_close(server);
    server = NULL;
    fail_alloc_at(n);
    rv = open_context(p, true, &server, &err);
    total = fail_alloc_stop();
    assert(rv == 0 ? server != NULL : server == NULL && err.text[0] != '\0');
    if (rv == 0) { /* What is there is whole. */
        assert(tls_context_identity(server)->role == PKI_ROLE_CONTROLLER);
        assert(open_context(p, false, &client, &err) == 0);
        assert(handshake(client, server) == 0);
    }
    tls_context_close(server);
    tls_context_close(client);
    *ret_error = rv;
    return total;
}

static unsigned long replace_tls(void *arg, unsigned long n, int *ret_error)
{
    const struct papers *p = arg;
    struct tls_context *server = NULL;
    struct tls_context *client = NULL;
    struct err err = {0};
    unsigned long total;
    assert(open_context(p, true, &server, &err) == 0);
    assert(open_context(p, false, &client, &err) == 0);
    fail_alloc_at(n);
    *ret_error =
        tls_context_replace(server, text_of(&p->cert), text_of(&p->key), text_of(&p->ca), &err);
    total = fail_alloc_stop();
    assert(*ret_error == 0 || err.text[0] != '\0');
    assert(handshake(client, server) == 0); /* The old papers or the new ones. */
    tls_context_close(server);
    tls_context_close(client);
    return total;
}

static unsigned long shake_hands(void *arg, unsigned long n, int *ret_error)
{
    const struct papers *p = arg;
    struct tls_context *server = NULL;
    struct tls_context *client = NULL;
    struct err err = {0};
    unsigned long total;
    assert(open_context(p, true, &server, &err) == 0);
    assert(open_context(p, false, &client, &err) == 0);
    fail_alloc_at(n);
    *ret_error = handshake(client, server);
    total = fail_alloc_stop();
    assert(handshake(client, server) == 0); /* The contexts have not suffered. */
    tls_context_close(server);
    tls_context_close(client);
    return total;
}

static unsigned long read_certificate(void *arg, unsigned long n, int *ret_error)
{
    const struct papers *p = arg;
    struct pki_identity id = {0};
    struct err err = {0};
    unsigned long total;
    fail_alloc_at(n);
    *ret_error = pki_cert_verify(text_of(&p->ca), text_of(&p->cert), time(NULL), &id, &err);
    total = fail_alloc_stop();
    assert(*ret_error == 0 ? id.role == PKI_ROLE_CONTROLLER : err.text[0] != '\0');
    return total;
}

START_TEST(tls_is_set_up_or_refused)
    {
        static const struct {
            const char *name;
            fail_alloc_op op;
        } ops[] = {
            {"tls_context_open", open_tls},
            {"tls_context_replace", replace_tls},
            {"TLS handshake", shake_hands},
            {"pki_cert_verify", read_certificate},
        };
        static struct papers p;
        make_papers(&p);
        for (unsigned i = 0; i < sizeof ops / sizeof ops[0]; i++) {
            struct fail_alloc_report r = fail_alloc_torture(ops[i].name, ops[i].op, &p, 250);
            ck_assert_uint_gt(r.n_errors, 5);
        }
        drop_papers(&p);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("oom");
    TEST_CASE(s, "oom", 300, a_configuration_is_loaded_or_refused, tls_is_set_up_or_refused);
    return test_run(s);
}
