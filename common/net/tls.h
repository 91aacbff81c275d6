/* common/net/tls.h
 *
 * TLS 1.3 without I/O: a context holds certificates, a session turns ciphertext into plaintext
 * and back in memory. stream.h connects sessions to sockets; most users need only the context.
 * The peer is known by the identity in its certificate (pki.h), not by name or address.
 * Loop thread only. */
#ifndef COMMON_NET_TLS_H
#define COMMON_NET_TLS_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/str.h"
#include "common/net/pki.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TLS_ALPN_MAX   4
#define TLS_RECORD_MAX 16384 /* Plaintext bytes in one record. */

struct tls_context; /* Opaque: certificates and rules, server or client. */
struct tls;         /* Opaque: one session. */

enum tls_verify {
    TLS_VERIFY_REQUIRED, /* The peer must show a certificate of our CA with an identity. */
    TLS_VERIFY_OPTIONAL, /* Server: a peer without certificate is nobody; a bad one is refused. */
    TLS_VERIFY_PIN,      /* Client, for joining: the chain must contain the CA with this pin. */
};

struct tls_options {
    bool server;
    enum tls_verify verify;
    /* Text in memory wins over files; files are read again by tls_context_reload(). A client may
     * do without certificate and key. */
    struct str cert_pem;
    struct str key_pem;
    struct str ca_pem;
    const char *cert_file;
    const char *key_file;
    const char *ca_file;
    const char *alpn[TLS_ALPN_MAX]; /* Best first, e.g. {"h2", "http/1.1"}; may be empty. */
    const char *domain;             /* Peers of other trust domains are refused; NULL: any. */
    char pin[PKI_PIN_MAX];          /* For TLS_VERIFY_PIN. */
};

/* Whom a client expects to find, beyond what the context demands. Zeroed: anybody. */
struct tls_expect {
    enum pki_role role; /* PKI_ROLE_NONE: any role. */
    const char *id;     /* NULL: any id. Copied. */
    const char *host;   /* A DNS name or IP address the certificate must carry; also sent as SNI
                         * when it is a name. NULL: not checked. Copied. */
};

/* The options are copied. */
int tls_context_open(const struct tls_options *options, struct tls_context **ret, struct err *err);

/* NULL is fine. Sessions still open keep what they need. */
void tls_context_close(struct tls_context *ctx);

/* Read the files again, for new sessions; what is running keeps its certificates. On failure the
 * old ones stay in use. Does nothing for certificates given as text. */
int tls_context_reload(struct tls_context *ctx, struct err *err);

/* As reload, with new text (empty: keep what there is). */
int tls_context_replace(struct tls_context *ctx, struct str cert_pem, struct str key_pem,
                        struct str ca_pem, struct err *err);

/* Who we are ourselves; role PKI_ROLE_NONE without a certificate of ours. */
const struct pki_identity *tls_context_identity(const struct tls_context *ctx);

/* When the context's own certificate ends, in wall-clock seconds; 0 without certificate. */
int64_t tls_context_expires_s(const struct tls_context *ctx);

/* --- sessions: driven by stream.c
 * ------------------------------------------------------------------ */

/* Ciphertext for the peer is appended to out, which the caller empties and which outlives the
 * session. expect may be NULL. */
int tls_open(struct tls_context *ctx, const struct tls_expect *expect, struct buf *out,
             struct tls **ret, struct err *err);
void tls_close(struct tls *t); /* NULL is fine. */

/* Hand over ciphertext, borrowed until tls_settle(), which keeps a copy of what was not used. */
void tls_feed(struct tls *t, const uint8_t *bytes, size_t n);
void tls_settle(struct tls *t);

/* 0 when done, ERR_AGAIN when more input is needed, otherwise failed for good. */
int tls_handshake(struct tls *t, struct err *err);

/* Plaintext bytes now in the buffer (> 0), ERR_AGAIN without any, ERR_CLOSED after the peer's
 * close_notify, otherwise failed for good. */
int tls_read(struct tls *t, uint8_t *to, size_t size, struct err *err);

/* Encrypt n bytes into out. */
int tls_write(struct tls *t, const uint8_t *bytes, size_t n, struct err *err);

/* Append close_notify to out. */
void tls_shutdown(struct tls *t);

/* After the handshake. The role is PKI_ROLE_NONE when the peer showed no certificate. */
const struct pki_identity *tls_peer(const struct tls *t);

/* The protocol agreed on, or "" without one. */
struct str tls_alpn(const struct tls *t);

/* PEM of the CA that TLS_VERIFY_PIN accepted, appended to ret; ERR_NOTFOUND in other modes. */
int tls_pinned_ca(const struct tls *t, struct buf *ret, struct err *err);

#endif
