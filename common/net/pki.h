/* common/net/pki.h
 *
 * The cluster's own certificates: a CA, keys, signing requests, certificates, and what is read
 * out of them. An identity is one SAN URI, ecs://TRUSTDOMAIN/ROLE/ID; the subject's CN is for
 * people and never trusted.
 *
 * Everything is PEM text in memory. Wall-clock seconds are passed in, so tests choose the time.
 * CPU-bound (under a millisecond); the file functions block. Any thread. */
#ifndef COMMON_NET_PKI_H
#define COMMON_NET_PKI_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define PKI_PEM_MAX    (64u * 1024u) /* One file: a key, or a chain of certificates. */
#define PKI_DOMAIN_MAX 64            /* With NUL, as all below. */
#define PKI_ID_MAX     65
#define PKI_SERIAL_MAX 41
#define PKI_PIN_MAX    65 /* SHA-256 in hex. */
#define PKI_SANS_MAX   32
#define PKI_DAY_S      (INT64_C(24) * 3600)

enum pki_role { PKI_ROLE_NONE, PKI_ROLE_CONTROLLER, PKI_ROLE_AGENT, PKI_ROLE_ADMIN };

enum pki_key_type { PKI_KEY_P256, PKI_KEY_ED25519 };

struct pki_identity { /* Zeroed: nobody. */
    enum pki_role role;
    char domain[PKI_DOMAIN_MAX];
    char id[PKI_ID_MAX];
    char serial[PKI_SERIAL_MAX]; /* Lower-case hex; what a revocation list names. */
    int64_t not_before_s;
    int64_t not_after_s;
};

struct pki_request { /* What a certificate is to say. */
    enum pki_role role;
    const char *domain;      /* DNS-like: [a-z0-9.-]+ */
    const char *id;          /* [A-Za-z0-9._-]+ */
    const char *const *sans; /* IP addresses and DNS names; may be NULL when n_sans is 0. */
    unsigned n_sans;
    int64_t not_before_s;
    int64_t not_after_s;
};

const char *pki_role_name(enum pki_role role); /* "none", "controller", "agent", "admin". */
bool pki_role_parse(struct str text, enum pki_role *ret);

/* A new private key, appended to ret as PKCS#8 PEM. */
int pki_key_create(enum pki_key_type type, struct buf *ret, struct err *err);

/* A self-signed CA certificate for the trust domain, path length 0. */
int pki_ca_create(struct str key_pem, const char *domain, int64_t not_before_s, int64_t not_after_s,
                  struct buf *ret, struct err *err);

/* A signing request that proves possession of the key. It carries no names: the issuer decides
 * them, and pki_cert_issue() ignores any that are there. */
int pki_csr_create(struct str key_pem, struct buf *ret, struct err *err);

/* Check the request's own signature and key (P-256 or Ed25519), then sign a certificate for that
 * key, good for both TLS server and client use. Refuses validity beyond the CA's. */
int pki_cert_issue(struct str ca_cert_pem, struct str ca_key_pem, struct str csr_pem,
                   const struct pki_request *request, struct buf *ret, struct err *err);

/* The identity inside the first certificate of the text, without verifying it. ERR_NOTFOUND when
 * it has none of ours, ERR_INVALID when there is more than one. */
int pki_cert_identity(struct str cert_pem, struct pki_identity *ret, struct err *err);

/* Does a chain lead from the first certificate of cert_pem to a certificate of ca_pem at now_s?
 * On success *ret (may be NULL) is the identity. */
int pki_cert_verify(struct str ca_pem, struct str cert_pem, int64_t now_s, struct pki_identity *ret,
                    struct err *err);

/* Does the private key belong to the first certificate? */
int pki_key_matches(struct str cert_pem, struct str key_pem, struct err *err);

/* SHA-256 of the first certificate (DER), lower-case hex: what a join token carries. */
int pki_pin(struct str cert_pem, char ret[PKI_PIN_MAX], struct err *err);

/* Read a PEM file of at most PKI_PEM_MAX bytes, appending to ret. */
int pki_file_read(const char *path, struct buf *ret, struct err *err);

/* Write a file so that a crash leaves the old one or the new one: temporary file in the same
 * directory, fsync, rename, fsync of the directory. Keys: mode 0600; certificates: 0644. */
int pki_file_write(const char *path, struct str bytes, unsigned mode, struct err *err);

#endif
