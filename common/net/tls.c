/* OpenSSL runs over a BIO of ours that reads from the bytes just received and writes to the
 * caller's buffer, so nothing is copied twice and an idle session holds no buffers at all
 * (OpenSSL's own are released by SSL_MODE_RELEASE_BUFFERS). OpenSSL's memory BIOs would keep
 * theirs at the largest size ever used.
 *
 * No session tickets: every connection proves its identity anew. */
#include "common/net/tls.h"

#include "common/loop/sysmem.h"
#include "common/net/addr.h"
#include "common/net/pki_x509.h"

#include <assert.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#define ALPN_WIRE_MAX 64
#define CIPHERS       "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define GROUPS        "X25519:P-256"
#define INPUT_MAX     (1024u * 1024u) /* Of a paused session; the reader pauses long before. */

struct tls_context {
    SSL_CTX *ssl;
    BIO_METHOD *bio;
    bool server;
    enum tls_verify verify;
    bool closed;
    unsigned n_sessions;
    char *files[3]; /* cert, key, CA; NULL when given as text. */
    char domain[PKI_DOMAIN_MAX];
    char pin[PKI_PIN_MAX];
    unsigned char alpn[ALPN_WIRE_MAX]; /* Length-prefixed names, as on the wire. */
    unsigned alpn_len;
    struct pki_identity self;
    int64_t expires_s;
};

struct tls {
    struct tls_context *ctx;
    SSL *ssl;
    struct buf *out;
    const uint8_t *fed; /* Borrowed ciphertext. */
    size_t n_fed;
    struct buf kept; /* Ciphertext that waits, read before `fed`. */
    size_t kept_at;
    X509 *pinned;
    struct pki_identity peer;
    struct err refusal; /* Why the peer's certificate was refused. */
    enum pki_role expect_role;
    char expect_id[PKI_ID_MAX];
    char expect_host[ADDR_HOST_MAX];
};

/* --- the BIO
 * --------------------------------------------------------------------------------------- */

static int bio_write(BIO *bio, const char *bytes, int n)
{
    struct tls *t = BIO_get_data(bio);
    assert(n >= 0);
    buf_put(t->out, bytes, (size_t)n);
    return t->out->overflow ? -1 : n;
}

static int bio_read(BIO *bio, char *to, int size)
{
    struct tls *t = BIO_get_data(bio);
    size_t n = t->kept.len - t->kept_at;
    assert(size >= 0);
    BIO_clear_retry_flags(bio);
    if (n > 0) {
        n = n < (size_t)size ? n : (size_t)size;
        memcpy(to, t->kept.data + t->kept_at, n);
        t->kept_at += n;
        return (int)n;
    }
    if (t->n_fed == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    n = t->n_fed < (size_t)size ? t->n_fed : (size_t)size;
    memcpy(to, t->fed, n);
    t->fed += n;
    t->n_fed -= n;
    return (int)n;
}

static long bio_ctrl(BIO *bio, int command, long number, void *ptr)
{
    (void)bio;
    (void)number;
    (void)ptr;
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *bio_method(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "ecs");
    if (m == NULL || BIO_meth_set_write(m, bio_write) != 1 || BIO_meth_set_read(m, bio_read) != 1 ||
        BIO_meth_set_ctrl(m, bio_ctrl) != 1) {
        BIO_meth_free(m);
        return NULL;
    }
    return m;
}

/* --- errors
 * ------------------------------------------------------------------------------------------ */

/* Alerts by which the peer says that it does not accept who we are. */
static bool is_refusal(unsigned long e)
{
    switch (ERR_GET_REASON(e)) {
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
        return true;
    default:
        return false;
    }
}

static int ssl_error(struct err *err, int code, const char *what)
{
    unsigned long e = ERR_peek_error();
    const char *reason = ERR_reason_error_string(e);
    ERR_clear_error();
    return err_set(err, is_refusal(e) ? ERR_DENIED : code, "%s: %s", what,
                   reason == NULL ? "failed" : reason);
}

/* --- judging the peer
 * -------------------------------------------------------------------------------- */

static int check_host(X509 *cert, const char *host, struct err *err)
{
    struct addr ip;
    int ok = addr_make(str_of(host), 0, &ip, NULL) == 0
                 ? X509_check_ip_asc(cert, host, 0)
                 : X509_check_host(cert, host, strlen(host), 0, NULL);
    return ok == 1 ? 0 : err_set(err, ERR_DENIED, "peer's certificate is not for \"%s\"", host);
}

static int check_peer(struct tls *t, X509 *cert)
{
    struct pki_identity id;
    struct err *err = &t->refusal;
    int rv = pki_x509_identity(cert, &id, err);
    if (rv != 0) {
        return err_wrap(err, ERR_DENIED, "peer");
    }
    if (t->ctx->domain[0] != '\0' && strcmp(t->ctx->domain, id.domain) != 0) {
        return err_set(err, ERR_DENIED, "peer belongs to trust domain \"%s\", not \"%s\"",
                       id.domain, t->ctx->domain);
    }
    if (t->expect_role != PKI_ROLE_NONE && t->expect_role != id.role) {
        return err_set(err, ERR_DENIED, "peer is %s \"%s\", not a %s", pki_role_name(id.role),
                       id.id, pki_role_name(t->expect_role));
    }
    if (t->expect_id[0] != '\0' && strcmp(t->expect_id, id.id) != 0) {
        return err_set(err, ERR_DENIED, "peer is \"%s\", not \"%s\"", id.id, t->expect_id);
    }
    if (t->expect_host[0] != '\0' && check_host(cert, t->expect_host, err) != 0) {
        return ERR_DENIED;
    }
    t->peer = id;
    return 0;
}

/* The one certificate of the peer's chain that has the pin becomes the only trust anchor. */
static int verify_pinned(struct tls *t, X509_STORE_CTX *given)
{
    STACK_OF(X509) *chain = X509_STORE_CTX_get0_untrusted(given);
    X509_STORE *store = NULL;
    X509_STORE_CTX *ctx = NULL;
    X509 *ca = NULL;
    char pin[PKI_PIN_MAX];
    int rv = 0;
    for (int i = 1; i < sk_X509_num(chain) && ca == NULL; i++) {
        X509 *cert = sk_X509_value(chain, i);
        if (pki_x509_pin(cert, pin, NULL) == 0 && strcmp(pin, t->ctx->pin) == 0) {
            ca = cert;
        }
    }
    if (ca == NULL) {
        return err_set(&t->refusal, ERR_DENIED, "peer's CA does not have the expected fingerprint");
    }
    store = X509_STORE_new();
    ctx = X509_STORE_CTX_new();
    if (store == NULL || ctx == NULL || X509_STORE_add_cert(store, ca) != 1 ||
        X509_STORE_CTX_init(ctx, store, X509_STORE_CTX_get0_cert(given), chain) != 1 ||
        X509_STORE_CTX_set_default(ctx, "ssl_server") != 1 || X509_verify_cert(ctx) != 1) {
        rv = err_set(&t->refusal, ERR_DENIED, "peer's certificate is not from the pinned CA");
        goto end;
    }
    X509_up_ref(ca);
    t->pinned = ca;
end:
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    return rv;
}

static int verify_cb(X509_STORE_CTX *store_ctx, void *arg)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store_ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls *t = SSL_get_app_data(ssl);
    int rv = 0;
    (void)arg;
    if (t->ctx->verify == TLS_VERIFY_PIN) {
        rv = verify_pinned(t, store_ctx);
    } else if (X509_verify_cert(store_ctx) != 1) {
        int e = X509_STORE_CTX_get_error(store_ctx);
        (void)err_set(&t->refusal, ERR_DENIED, "peer's certificate: %s",
                      X509_verify_cert_error_string(e));
        return 0; /* The error stays set: it chooses the alert. */
    }
    if (rv == 0) {
        rv = check_peer(t, X509_STORE_CTX_get0_cert(store_ctx));
    }
    X509_STORE_CTX_set_error(store_ctx, rv == 0 ? X509_V_OK : X509_V_ERR_APPLICATION_VERIFICATION);
    return rv == 0;
}

static int alpn_cb(SSL *ssl, const unsigned char **ret, unsigned char *ret_len,
                   const unsigned char *offered, unsigned n_offered, void *arg)
{
    const struct tls_context *ctx = arg;
    unsigned char *chosen;
    (void)ssl;
    if (SSL_select_next_proto(&chosen, ret_len, ctx->alpn, ctx->alpn_len, offered, n_offered) !=
        OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    *ret = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* --- contexts
 * ---------------------------------------------------------------------------------------- */

/* PEM ran out: because there is no more of it, or because of something else? */
static int pem_end(BIO *bio, struct err *err, const char *what)
{
    unsigned long e = ERR_peek_error();
    if (bio != NULL &&
        (e == 0 || (ERR_GET_LIB(e) == ERR_LIB_PEM && ERR_GET_REASON(e) == PEM_R_NO_START_LINE))) {
        ERR_clear_error();
        return 0;
    }
    return ssl_error(err, ERR_INVALID, what);
}

static int use_certificates(SSL_CTX *ssl, struct str cert_pem, struct str key_pem, struct err *err)
{
    BIO *bio = BIO_new_mem_buf(cert_pem.p, (int)cert_pem.n);
    X509 *leaf = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);
    EVP_PKEY *key = NULL;
    X509 *more;
    int rv = 0;
    if (leaf == NULL || SSL_CTX_use_certificate(ssl, leaf) != 1) {
        rv = ssl_error(err, ERR_INVALID, "certificate");
        goto end;
    }
    while ((more = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        if (SSL_CTX_add0_chain_cert(ssl, more) != 1) {
            X509_free(more);
            rv = ssl_error(err, ERR_INVALID, "certificate chain");
            goto end;
        }
    }
    rv = pem_end(bio, err, "certificate chain");
    if (rv != 0) {
        goto end;
    }
    BIO_free(bio);
    bio = BIO_new_mem_buf(key_pem.n == 0 ? "" : key_pem.p, (int)key_pem.n);
    key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, NULL, "");
    if (key == NULL || SSL_CTX_use_PrivateKey(ssl, key) != 1 ||
        SSL_CTX_check_private_key(ssl) != 1) {
        rv = ssl_error(err, ERR_INVALID, "private key");
        goto end;
    }
end:
    EVP_PKEY_free(key);
    X509_free(leaf);
    BIO_free(bio);
    return rv;
}

/* Trust the CAs; a server also sends them along, so that a client that knows only the pin can
 * check the chain. */
static int use_authorities(SSL_CTX *ssl, struct str ca_pem, bool send, struct err *err)
{
    X509_STORE *store = SSL_CTX_get_cert_store(ssl);
    BIO *bio = BIO_new_mem_buf(ca_pem.p, (int)ca_pem.n);
    X509 *ca;
    int n = 0;
    int rv = 0;
    while (rv == 0 && bio != NULL && (ca = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        if (X509_STORE_add_cert(store, ca) != 1 || (send && !SSL_CTX_add1_chain_cert(ssl, ca))) {
            rv = ssl_error(err, ERR_INVALID, "CA");
        }
        X509_free(ca);
        n++;
    }
    rv = rv != 0 ? rv : pem_end(bio, err, "CA");
    BIO_free(bio);
    return rv != 0 || n > 0 ? rv : err_set(err, ERR_INVALID, "CA: no certificate in it");
}

static SSL_CTX *build(struct tls_context *ctx, struct str cert_pem, struct str key_pem,
                      struct str ca_pem, struct err *err)
{
    SSL_CTX *ssl = SSL_CTX_new(ctx->server ? TLS_server_method() : TLS_client_method());
    int mode = SSL_VERIFY_PEER;
    if (ssl == NULL || SSL_CTX_set_min_proto_version(ssl, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_ciphersuites(ssl, CIPHERS) != 1 || SSL_CTX_set1_groups_list(ssl, GROUPS) != 1) {
        ssl_error(err, ERR_INTERNAL, "TLS context");
        goto fail;
    }
    if (ctx->server && ctx->verify == TLS_VERIFY_REQUIRED) {
        mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    }
    SSL_CTX_set_verify(ssl, mode, NULL);
    SSL_CTX_set_cert_verify_callback(ssl, verify_cb, NULL);
    (void)SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
    (void)SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE);
    (void)SSL_CTX_set_num_tickets(ssl, 0);
    (void)SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    if (ctx->alpn_len > 0 && ctx->server) {
        SSL_CTX_set_alpn_select_cb(ssl, alpn_cb, ctx);
    } else if (ctx->alpn_len > 0 && SSL_CTX_set_alpn_protos(ssl, ctx->alpn, ctx->alpn_len) != 0) {
        ssl_error(err, ERR_INTERNAL, "ALPN");
        goto fail;
    }
    if (cert_pem.n > 0 && use_certificates(ssl, cert_pem, key_pem, err) != 0) {
        goto fail;
    }
    if (ca_pem.n > 0 && use_authorities(ssl, ca_pem, ctx->server, err) != 0) {
        goto fail;
    }
    return ssl;

fail:
    SSL_CTX_free(ssl);
    return NULL;
}

static char *copy_path(const char *path, struct str text)
{
    return path == NULL || text.n > 0 ? NULL : mem_dup(sysmem(), path, strlen(path));
}

static void free_path(char *path)
{
    if (path != NULL) {
        mem_free(sysmem(), path, strlen(path) + 1);
    }
}

static void context_free(struct tls_context *ctx)
{
    SSL_CTX_free(ctx->ssl);
    BIO_meth_free(ctx->bio);
    for (int i = 0; i < 3; i++) {
        free_path(ctx->files[i]);
    }
    mem_free(sysmem(), ctx, sizeof *ctx);
}

static int set_alpn(struct tls_context *ctx, const char *const *names, struct err *err)
{
    for (int i = 0; i < TLS_ALPN_MAX && names[i] != NULL; i++) {
        size_t n = strlen(names[i]);
        if (n == 0 || n + 1 > ALPN_WIRE_MAX - ctx->alpn_len) {
            return err_set(err, ERR_INVALID, "ALPN name \"%s\": bad length", names[i]);
        }
        ctx->alpn[ctx->alpn_len] = (unsigned char)n;
        memcpy(ctx->alpn + ctx->alpn_len + 1, names[i], n);
        ctx->alpn_len += (unsigned)n + 1;
    }
    return 0;
}

static int check_options(const struct tls_options *o, struct err *err)
{
    bool cert = o->cert_pem.n > 0 || o->cert_file != NULL;
    bool key = o->key_pem.n > 0 || o->key_file != NULL;
    bool ca = o->ca_pem.n > 0 || o->ca_file != NULL;
    if (cert != key) {
        return err_set(err, ERR_INVALID, "certificate and key must be given together");
    }
    if (o->server && !cert) {
        return err_set(err, ERR_INVALID, "a server needs a certificate");
    }
    if (o->verify == TLS_VERIFY_PIN && (o->server || strlen(o->pin) != PKI_PIN_MAX - 1)) {
        return err_set(err, ERR_INVALID, "pin: want 64 hex digits, for a client");
    }
    if (!o->server && o->verify == TLS_VERIFY_OPTIONAL) {
        return err_set(err, ERR_INVALID, "a client must verify its server");
    }
    if (o->verify != TLS_VERIFY_PIN && !ca) {
        return err_set(err, ERR_INVALID, "a CA is needed to verify peers");
    }
    return 0;
}

int tls_context_open(const struct tls_options *options, struct tls_context **ret, struct err *err)
{
    struct tls_context *ctx;
    int rv = check_options(options, err);
    if (rv != 0) {
        return rv;
    }
    ctx = mem_alloc(sysmem(), sizeof *ctx);
    ctx->server = options->server;
    ctx->verify = options->verify;
    ctx->files[0] = copy_path(options->cert_file, options->cert_pem);
    ctx->files[1] = copy_path(options->key_file, options->key_pem);
    ctx->files[2] = copy_path(options->ca_file, options->ca_pem);
    (void)str_copy(ctx->domain, sizeof ctx->domain, str_of(options->domain));
    memcpy(ctx->pin, options->pin, sizeof ctx->pin);
    ctx->bio = bio_method();
    if (ctx->bio == NULL) {
        rv = err_set(err, ERR_NOMEM, "TLS context");
        goto fail;
    }
    rv = set_alpn(ctx, options->alpn, err);
    if (rv == 0) {
        rv = tls_context_replace(ctx, options->cert_pem, options->key_pem, options->ca_pem, err);
    }
    if (rv != 0) {
        goto fail;
    }
    *ret = ctx;
    return 0;

fail:
    context_free(ctx);
    return rv;
}

void tls_context_close(struct tls_context *ctx)
{
    if (ctx == NULL) {
        return;
    }
    assert(!ctx->closed);
    ctx->closed = true;
    if (ctx->n_sessions == 0) {
        context_free(ctx);
    }
}

/* Takes ownership of ssl; on failure nothing has changed. */
static int install(struct tls_context *ctx, SSL_CTX *ssl, struct err *err)
{
    X509 *leaf = SSL_CTX_get0_certificate(ssl);
    struct pki_identity self = {0};
    int rv = leaf == NULL ? 0 : pki_x509_identity(leaf, &self, err);
    if (rv == ERR_NOMEM) { /* Any other: foreign certificates have none. */
        SSL_CTX_free(ssl);
        return rv;
    }
    SSL_CTX_free(ctx->ssl); /* Sessions hold their own reference. */
    ctx->ssl = ssl;
    ctx->self = self;
    ctx->expires_s = leaf == NULL ? 0 : pki_x509_not_after_s(leaf);
    return 0;
}

int tls_context_replace(struct tls_context *ctx, struct str cert_pem, struct str key_pem,
                        struct str ca_pem, struct err *err)
{
    struct str text[3] = {cert_pem, key_pem, ca_pem};
    struct buf read[3];
    SSL_CTX *ssl = NULL;
    int rv = 0;
    for (int i = 0; i < 3; i++) {
        buf_init(&read[i], sysmem(), PKI_PEM_MAX + 4096);
    }
    for (int i = 0; i < 3 && rv == 0; i++) {
        if (text[i].n == 0 && ctx->files[i] != NULL) {
            rv = pki_file_read(ctx->files[i], &read[i], err);
            text[i] = str_make((const char *)read[i].data, read[i].len);
        }
    }
    if (rv == 0) {
        ssl = build(ctx, text[0], text[1], text[2], err);
        rv = ssl == NULL ? ERR_INVALID : 0;
    }
    if (rv == 0) {
        rv = install(ctx, ssl, err);
    }
    for (int i = 0; i < 3; i++) {
        if (read[i].len > 0) {
            OPENSSL_cleanse(read[i].data, read[i].len);
        }
        buf_close(&read[i]);
    }
    return rv;
}

int tls_context_reload(struct tls_context *ctx, struct err *err)
{
    static const struct str none = {NULL, 0};
    if (ctx->files[0] == NULL && ctx->files[2] == NULL) {
        return 0;
    }
    return tls_context_replace(ctx, none, none, none, err);
}

const struct pki_identity *tls_context_identity(const struct tls_context *ctx)
{
    return &ctx->self;
}

int64_t tls_context_expires_s(const struct tls_context *ctx)
{
    return ctx->expires_s;
}

/* --- sessions
 * ---------------------------------------------------------------------------------------- */

static int set_expectations(struct tls *t, const struct tls_expect *e, struct err *err)
{
    struct addr ip;
    t->expect_role = e->role;
    if (!str_copy(t->expect_id, sizeof t->expect_id, str_of(e->id))) {
        return err_set(err, ERR_INVALID, "expected id \"%s\": too long", e->id);
    }
    if (!str_copy(t->expect_host, sizeof t->expect_host, str_of(e->host))) {
        return err_set(err, ERR_INVALID, "expected host \"%s\": too long", e->host);
    }
    if (e->host != NULL && addr_make(str_of(e->host), 0, &ip, NULL) != 0 &&
        SSL_set_tlsext_host_name(t->ssl, t->expect_host) != 1) {
        return ssl_error(err, ERR_INVALID, "server name");
    }
    return 0;
}

int tls_open(struct tls_context *ctx, const struct tls_expect *expect, struct buf *out,
             struct tls **ret, struct err *err)
{
    struct tls *t = mem_alloc(sysmem(), sizeof *t);
    BIO *bio = BIO_new(ctx->bio);
    int rv = 0;
    assert(!ctx->closed);
    t->ctx = ctx;
    ctx->n_sessions++;
    t->out = out;
    buf_init(&t->kept, sysmem(), INPUT_MAX);
    t->ssl = SSL_new(ctx->ssl);
    if (bio == NULL || t->ssl == NULL || SSL_set_app_data(t->ssl, t) != 1) {
        BIO_free(bio);
        rv = ssl_error(err, ERR_NOMEM, "TLS session");
        goto fail;
    }
    BIO_set_data(bio, t);
    BIO_set_init(bio, 1);
    SSL_set_bio(t->ssl, bio, bio);
    if (expect != NULL) {
        rv = set_expectations(t, expect, err);
        if (rv != 0) {
            goto fail;
        }
    }
    if (ctx->server) {
        SSL_set_accept_state(t->ssl);
    } else {
        SSL_set_connect_state(t->ssl);
    }
    *ret = t;
    return 0;

fail:
    tls_close(t);
    return rv;
}

void tls_close(struct tls *t)
{
    struct tls_context *ctx;
    if (t == NULL) {
        return;
    }
    ctx = t->ctx;
    SSL_free(t->ssl);
    X509_free(t->pinned);
    buf_close(&t->kept);
    mem_free(sysmem(), t, sizeof *t);
    assert(ctx->n_sessions > 0);
    ctx->n_sessions--;
    if (ctx->closed && ctx->n_sessions == 0) {
        context_free(ctx);
    }
}

void tls_feed(struct tls *t, const uint8_t *bytes, size_t n)
{
    assert(t->n_fed == 0);
    t->fed = bytes;
    t->n_fed = n;
}

void tls_settle(struct tls *t)
{
    buf_consume(&t->kept, t->kept_at);
    t->kept_at = 0;
    buf_put(&t->kept, t->fed, t->n_fed);
    t->n_fed = 0;
    if (t->kept.len == 0 && t->kept.data != NULL) {
        buf_close(&t->kept);
        buf_init(&t->kept, sysmem(), INPUT_MAX);
    }
}

/* What SSL_read() and friends meant. */
static int outcome(struct tls *t, int rv, const char *what, struct err *err)
{
    switch (SSL_get_error(t->ssl, rv)) {
    case SSL_ERROR_WANT_READ:
        if (t->kept.overflow) {
            return err_set(err, ERR_TOOBIG, "%s: more input than a paused session may hold", what);
        }
        return ERR_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return ERR_CLOSED;
    default:
        if (t->refusal.code != 0) {
            ERR_clear_error();
            return err_set(err, t->refusal.code, "%s", t->refusal.text);
        }
        return ssl_error(err, ERR_PROTOCOL, what);
    }
}

int tls_handshake(struct tls *t, struct err *err)
{
    int rv;
    ERR_clear_error();
    rv = SSL_do_handshake(t->ssl);
    return rv == 1 ? 0 : outcome(t, rv, "TLS handshake", err);
}

int tls_read(struct tls *t, uint8_t *to, size_t size, struct err *err)
{
    int rv;
    assert(size > 0 && size <= INT32_MAX);
    ERR_clear_error();
    rv = SSL_read(t->ssl, to, (int)size);
    return rv > 0 ? rv : outcome(t, rv, "TLS read", err);
}

int tls_write(struct tls *t, const uint8_t *bytes, size_t n, struct err *err)
{
    int rv;
    assert(n > 0 && n <= INT32_MAX);
    ERR_clear_error();
    rv = SSL_write(t->ssl, bytes, (int)n);
    if (rv <= 0) {
        return ssl_error(err, ERR_PROTOCOL, "TLS write");
    }
    assert((size_t)rv == n); /* The BIO never asks to wait. */
    return 0;
}

void tls_shutdown(struct tls *t)
{
    ERR_clear_error();
    if (SSL_is_init_finished(t->ssl)) {
        (void)SSL_shutdown(t->ssl);
    }
    ERR_clear_error();
}

const struct pki_identity *tls_peer(const struct tls *t)
{
    return &t->peer;
}

struct str tls_alpn(const struct tls *t)
{
    const unsigned char *name = NULL;
    unsigned n = 0;
    SSL_get0_alpn_selected(t->ssl, &name, &n);
    return str_make((const char *)name, n);
}

int tls_pinned_ca(const struct tls *t, struct buf *ret, struct err *err)
{
    char *bytes = NULL;
    BIO *bio;
    long n;
    if (t->pinned == NULL) {
        return err_set(err, ERR_NOTFOUND, "no CA was pinned");
    }
    bio = BIO_new(BIO_s_mem());
    if (bio == NULL || PEM_write_bio_X509(bio, t->pinned) != 1) {
        BIO_free(bio);
        return ssl_error(err, ERR_INTERNAL, "write CA");
    }
    n = BIO_get_mem_data(bio, &bytes);
    buf_put(ret, bytes, (size_t)n);
    BIO_free(bio);
    return ret->overflow ? err_set(err, ERR_TOOBIG, "PEM buffer") : 0;
}
