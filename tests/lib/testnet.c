#include "tests/lib/testnet.h"

#include "common/loop/loop.h"
#include "common/loop/sysmem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Not an assertion of Check: benchmarks use this too. */
static void must(int rv, const struct err *err)
{
    if (rv != 0) {
        (void)fprintf(stderr, "testnet: %s\n", err->text);
        abort();
    }
}

static struct str text_of(const struct buf *b)
{
    return str_make((const char *)b->data, b->len);
}

static int64_t now_s(void)
{
    return (int64_t)(clock_wall_ms() / 1000);
}

void testnet_open(struct testnet *t)
{
    struct err err;
    buf_init(&t->ca_key, sysmem(), PKI_PEM_MAX);
    buf_init(&t->ca, sysmem(), PKI_PEM_MAX);
    must(pki_key_create(PKI_KEY_P256, &t->ca_key, &err), &err);
    must(pki_ca_create(text_of(&t->ca_key), "test.ecs", now_s() - 30 * PKI_DAY_S,
                       now_s() + 30 * PKI_DAY_S, &t->ca, &err),
         &err);
}

void testnet_close(struct testnet *t)
{
    buf_close(&t->ca_key);
    buf_close(&t->ca);
}

void testnet_issue(const struct testnet *t, enum pki_role role, const char *id, int days,
                   struct buf *ret_cert, struct buf *ret_key)
{
    static const char *const sans[] = {"127.0.0.1", "::1", "localhost"};
    struct pki_request request = {
        .role = role, .domain = "test.ecs", .id = id, .sans = sans, .n_sans = 3};
    struct buf csr;
    struct err err;
    request.not_before_s = now_s() - 20 * PKI_DAY_S;
    request.not_after_s = now_s() + days * PKI_DAY_S;
    buf_init(&csr, sysmem(), PKI_PEM_MAX);
    buf_init(ret_cert, sysmem(), PKI_PEM_MAX);
    buf_init(ret_key, sysmem(), PKI_PEM_MAX);
    must(pki_key_create(PKI_KEY_P256, ret_key, &err), &err);
    must(pki_csr_create(text_of(ret_key), &csr, &err), &err);
    must(pki_cert_issue(text_of(&t->ca), text_of(&t->ca_key), text_of(&csr), &request, ret_cert,
                        &err),
         &err);
    buf_close(&csr);
}

static struct tls_context *open_context(const struct testnet *t, struct tls_options *o,
                                        enum pki_role role, const char *id,
                                        const char *const alpn[TLS_ALPN_MAX])
{
    struct tls_context *ctx = NULL;
    struct buf cert = {0};
    struct buf key = {0};
    struct err err = {0};
    if (role != PKI_ROLE_NONE) {
        testnet_issue(t, role, id, 7, &cert, &key);
        o->cert_pem = text_of(&cert);
        o->key_pem = text_of(&key);
    }
    o->ca_pem = text_of(&t->ca);
    if (alpn != NULL) {
        memcpy(o->alpn, alpn, sizeof o->alpn);
    }
    must(tls_context_open(o, &ctx, &err), &err);
    buf_close(&cert);
    buf_close(&key);
    return ctx;
}

struct tls_context *testnet_server(const struct testnet *t, enum pki_role role, const char *id,
                                   enum tls_verify verify, const char *const alpn[TLS_ALPN_MAX])
{
    struct tls_options o = {.server = true, .verify = verify};
    return open_context(t, &o, role, id, alpn);
}

struct tls_context *testnet_client(const struct testnet *t, enum pki_role role, const char *id,
                                   const char *const alpn[TLS_ALPN_MAX])
{
    struct tls_options o = {.server = false, .verify = TLS_VERIFY_REQUIRED};
    return open_context(t, &o, role, id, alpn);
}

static void on_limit(void *data)
{
    *(bool *)data = true;
}

bool testnet_until(uv_loop_t *loop, const bool *flag, unsigned timeout_ms)
{
    bool late = false;
    struct loop_timer *limit = loop_timer_open(loop, on_limit, &late);
    loop_timer_start(limit, timeout_ms);
    while (!*flag && !late) {
        (void)uv_run(loop, UV_RUN_ONCE);
    }
    loop_timer_close(limit);
    return *flag;
}
