#include "common/net/pki.h"

#include "common/base/hex.h"
#include "common/net/addr.h"
#include "common/net/pki_x509.h"

#include <assert.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#define URI_PREFIX   "ecs://"
#define SERIAL_BYTES 16

/* The newest OpenSSL error in words; the queue is left empty. */
static int ssl_error(struct err *err, int code, const char *what)
{
    char text[256] = "failed";
    unsigned long e = ERR_peek_last_error();
    if (ERR_GET_REASON(ERR_peek_error()) == ERR_R_MALLOC_FAILURE) {
        code = ERR_NOMEM; /* Whatever that led to later. */
    }
    if (e != 0) {
        ERR_error_string_n(e, text, sizeof text);
    }
    ERR_clear_error();
    return err_set(err, code, "%s: %s", what, text);
}

/* --- names
 * ---------------------------------------------------------------------------------------- */

static const char *const role_names[] = {"none", "controller", "agent", "admin"};

const char *pki_role_name(enum pki_role role)
{
    assert(role >= PKI_ROLE_NONE && role <= PKI_ROLE_ADMIN);
    return role_names[role];
}

bool pki_role_parse(struct str text, enum pki_role *ret)
{
    for (int i = PKI_ROLE_CONTROLLER; i <= PKI_ROLE_ADMIN; i++) {
        if (str_eqc(text, role_names[i])) {
            *ret = (enum pki_role)i;
            return true;
        }
    }
    return false;
}

static bool is_name(struct str s, size_t max, const char *extra)
{
    if (s.n == 0 || s.n >= max) {
        return false;
    }
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!letter && (c == '\0' || strchr(extra, c) == NULL)) {
            return false;
        }
    }
    return true;
}

static bool is_domain(struct str s)
{
    return is_name(s, PKI_DOMAIN_MAX, ".-");
}

static bool is_id(struct str s)
{
    return is_name(s, PKI_ID_MAX, "ABCDEFGHIJKLMNOPQRSTUVWXYZ._-");
}

/* "ecs://domain/role/id" and nothing else. */
static bool parse_uri(struct str uri, struct pki_identity *ret)
{
    struct str rest = str_slice(uri, strlen(URI_PREFIX), uri.n);
    struct str domain;
    struct str role;
    if (!str_starts(uri, URI_PREFIX)) {
        return false;
    }
    domain = str_cut(rest, '/', &rest);
    role = str_cut(rest, '/', &rest);
    return is_domain(domain) && pki_role_parse(role, &ret->role) && is_id(rest) &&
           str_copy(ret->domain, sizeof ret->domain, domain) &&
           str_copy(ret->id, sizeof ret->id, rest);
}

/* --- PEM in and out
 * -------------------------------------------------------------------------------- */

static BIO *pem_in(struct str pem)
{
    assert(pem.n <= INT32_MAX);
    return BIO_new_mem_buf(pem.n == 0 ? "" : pem.p, (int)pem.n);
}

static int no_password(char *buf, int size, int writing, void *ctx)
{
    (void)buf;
    (void)size;
    (void)writing;
    (void)ctx;
    return -1; /* Never ask on the terminal. */
}

static EVP_PKEY *read_key(struct str pem, struct err *err)
{
    BIO *bio = pem_in(pem);
    EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
    BIO_free(bio);
    if (key == NULL) {
        ssl_error(err, ERR_INVALID, "private key");
    }
    return key;
}

static X509 *read_cert(struct str pem, const char *what, struct err *err)
{
    BIO *bio = pem_in(pem);
    X509 *cert = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, no_password, NULL);
    BIO_free(bio);
    if (cert == NULL) {
        ssl_error(err, ERR_INVALID, what);
    }
    return cert;
}

static int put_bio(BIO *bio, struct buf *ret, struct err *err)
{
    char *bytes = NULL;
    long n = BIO_get_mem_data(bio, &bytes);
    assert(n >= 0);
    buf_put(ret, bytes, (size_t)n);
    return ret->overflow ? err_set(err, ERR_TOOBIG, "PEM buffer") : 0;
}

static int put_cert(X509 *cert, struct buf *ret, struct err *err)
{
    BIO *bio = BIO_new(BIO_s_mem());
    int rv = bio != NULL && PEM_write_bio_X509(bio, cert) == 1
                 ? put_bio(bio, ret, err)
                 : ssl_error(err, ERR_INTERNAL, "write certificate");
    BIO_free(bio);
    return rv;
}

int pki_key_create(enum pki_key_type type, struct buf *ret, struct err *err)
{
    EVP_PKEY *key = type == PKI_KEY_ED25519 ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")
                                            : EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    BIO *bio = BIO_new(BIO_s_secmem());
    int rv;
    if (key != NULL && bio != NULL &&
        PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1) {
        rv = put_bio(bio, ret, err);
    } else {
        rv = ssl_error(err, ERR_INTERNAL, "create key");
    }
    BIO_free(bio);
    EVP_PKEY_free(key);
    return rv;
}

/* --- building certificates
 * --------------------------------------------------------------------------- */

/* Ed25519 brings its own hash; the others use SHA-256. */
static const EVP_MD *digest_for(const EVP_PKEY *key)
{
    return EVP_PKEY_is_a(key, "ED25519") ? NULL : EVP_sha256();
}

static bool add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *ext;
    bool ok;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    ok = ext != NULL && X509_add_ext(cert, ext, -1) == 1;
    X509_EXTENSION_free(ext);
    return ok;
}

static bool set_random_serial(X509 *cert)
{
    unsigned char bytes[SERIAL_BYTES];
    BIGNUM *n;
    bool ok;
    if (RAND_bytes(bytes, sizeof bytes) != 1) {
        return false;
    }
    bytes[0] = (unsigned char)((bytes[0] & 0x7f) | 0x40); /* Positive, always 16 bytes. */
    n = BN_bin2bn(bytes, sizeof bytes, NULL);
    ok = n != NULL && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert)) != NULL;
    BN_free(n);
    return ok;
}

static bool set_name(X509_NAME *name, const char *organization, const char *common)
{
    return X509_NAME_add_entry_by_NID(name, NID_organizationName, MBSTRING_UTF8,
                                      (const unsigned char *)organization, -1, -1, 0) == 1 &&
           X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
                                      (const unsigned char *)common, -1, -1, 0) == 1;
}

static bool set_validity(X509 *cert, int64_t not_before_s, int64_t not_after_s)
{
    return ASN1_TIME_set(X509_getm_notBefore(cert), (time_t)not_before_s) != NULL &&
           ASN1_TIME_set(X509_getm_notAfter(cert), (time_t)not_after_s) != NULL;
}

int pki_ca_create(struct str key_pem, const char *domain, int64_t not_before_s, int64_t not_after_s,
                  struct buf *ret, struct err *err)
{
    EVP_PKEY *key = NULL;
    X509 *cert = NULL;
    int rv = ERR_INTERNAL;
    if (!is_domain(str_of(domain))) {
        return err_set(err, ERR_INVALID, "trust domain \"%s\": want [a-z0-9.-], 1 to %d", domain,
                       PKI_DOMAIN_MAX - 1);
    }
    if (not_after_s <= not_before_s) {
        return err_set(err, ERR_INVALID, "CA validity: the end must be after the beginning");
    }
    key = read_key(key_pem, err);
    if (key == NULL) {
        return err_wrap(err, ERR_INVALID, "CA");
    }
    cert = X509_new();
    if (cert == NULL || X509_set_version(cert, X509_VERSION_3) != 1 || !set_random_serial(cert) ||
        !set_name(X509_get_subject_name(cert), domain, "ecs cluster CA") ||
        X509_set_issuer_name(cert, X509_get_subject_name(cert)) != 1 ||
        !set_validity(cert, not_before_s, not_after_s) || X509_set_pubkey(cert, key) != 1 ||
        !add_extension(cert, cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
        !add_extension(cert, cert, NID_key_usage, "critical,keyCertSign,cRLSign") ||
        !add_extension(cert, cert, NID_subject_key_identifier, "hash") ||
        X509_sign(cert, key, digest_for(key)) == 0) {
        rv = ssl_error(err, ERR_INTERNAL, "create CA");
        goto end;
    }
    rv = put_cert(cert, ret, err);
end:
    X509_free(cert);
    EVP_PKEY_free(key);
    return rv;
}

int pki_csr_create(struct str key_pem, struct buf *ret, struct err *err)
{
    EVP_PKEY *key = read_key(key_pem, err);
    X509_REQ *req = NULL;
    BIO *bio = NULL;
    int rv;
    if (key == NULL) {
        return err_wrap(err, ERR_INVALID, "signing request");
    }
    req = X509_REQ_new();
    bio = BIO_new(BIO_s_mem());
    if (req == NULL || bio == NULL || X509_REQ_set_version(req, 0) != 1 ||
        X509_REQ_set_pubkey(req, key) != 1 || X509_REQ_sign(req, key, digest_for(key)) == 0 ||
        PEM_write_bio_X509_REQ(bio, req) != 1) {
        rv = ssl_error(err, ERR_INTERNAL, "create signing request");
    } else {
        rv = put_bio(bio, ret, err);
    }
    BIO_free(bio);
    X509_REQ_free(req);
    EVP_PKEY_free(key);
    return rv;
}

/* The key a request proves to own, if it is of a kind we accept. */
static EVP_PKEY *request_key(struct str csr_pem, struct err *err)
{
    BIO *bio = pem_in(csr_pem);
    X509_REQ *req = bio == NULL ? NULL : PEM_read_bio_X509_REQ(bio, NULL, no_password, NULL);
    EVP_PKEY *key = NULL;
    char group[32] = "";
    BIO_free(bio);
    if (req == NULL) {
        ssl_error(err, ERR_INVALID, "signing request");
        return NULL;
    }
    key = X509_REQ_get_pubkey(req);
    if (key == NULL || X509_REQ_verify(req, key) != 1) {
        ssl_error(err, ERR_INVALID, "signing request: bad signature");
        goto refuse;
    }
    if (!EVP_PKEY_is_a(key, "ED25519") &&
        (EVP_PKEY_get_group_name(key, group, sizeof group, NULL) != 1 ||
         strcmp(group, "prime256v1") != 0)) {
        err_set(err, ERR_INVALID, "signing request: key must be P-256 or Ed25519");
        ERR_clear_error();
        goto refuse;
    }
    X509_REQ_free(req);
    return key;

refuse:
    EVP_PKEY_free(key);
    X509_REQ_free(req);
    return NULL;
}

static bool is_dns_name(struct str s)
{
    return is_name(s, ADDR_HOST_MAX, "ABCDEFGHIJKLMNOPQRSTUVWXYZ.-") && s.p[0] != '.' &&
           s.p[0] != '-';
}

/* One subject alternative name: the address or name `text`, or when type is GEN_URI, a URI. */
static int add_san(GENERAL_NAMES *names, int type, const char *text, struct err *err)
{
    GENERAL_NAME *name = a2i_GENERAL_NAME(NULL, NULL, NULL, type, text, 0);
    if (name == NULL || sk_GENERAL_NAME_push(names, name) == 0) {
        GENERAL_NAME_free(name);
        return ssl_error(err, ERR_INVALID, text);
    }
    return 0;
}

static int add_sans(X509 *cert, const struct pki_request *request, struct err *err)
{
    char uri[sizeof URI_PREFIX + PKI_DOMAIN_MAX + PKI_ID_MAX + 16];
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    struct addr ip;
    int rv;
    if (names == NULL) {
        return err_set(err, ERR_NOMEM, "certificate names");
    }
    (void)snprintf(uri, sizeof uri, URI_PREFIX "%s/%s/%s", request->domain,
                   pki_role_name(request->role), request->id);
    rv = add_san(names, GEN_URI, uri, err);
    for (unsigned i = 0; rv == 0 && i < request->n_sans; i++) {
        const char *san = request->sans[i];
        if (addr_make(str_of(san), 0, &ip, NULL) == 0) {
            rv = add_san(names, GEN_IPADD, san, err);
        } else if (is_dns_name(str_of(san))) {
            rv = add_san(names, GEN_DNS, san, err);
        } else {
            rv = err_set(err, ERR_INVALID, "SAN \"%s\": want an IP address or a DNS name", san);
        }
    }
    if (rv == 0 && X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, 0) != 1) {
        rv = ssl_error(err, ERR_INTERNAL, "certificate names");
    }
    GENERAL_NAMES_free(names);
    return rv;
}

static int check_request(const struct pki_request *r, struct err *err)
{
    if (r->role == PKI_ROLE_NONE) {
        return err_set(err, ERR_INVALID, "role: want controller, agent or admin");
    }
    if (!is_domain(str_of(r->domain))) {
        return err_set(err, ERR_INVALID, "trust domain \"%s\": want [a-z0-9.-], 1 to %d",
                       r->domain == NULL ? "" : r->domain, PKI_DOMAIN_MAX - 1);
    }
    if (!is_id(str_of(r->id))) {
        return err_set(err, ERR_INVALID, "id \"%s\": want [A-Za-z0-9._-], 1 to %d",
                       r->id == NULL ? "" : r->id, PKI_ID_MAX - 1);
    }
    if (r->n_sans > PKI_SANS_MAX) {
        return err_set(err, ERR_INVALID, "SANs: %u, want at most %d", r->n_sans, PKI_SANS_MAX);
    }
    if (r->not_after_s <= r->not_before_s) {
        return err_set(err, ERR_INVALID, "validity: the end must be after the beginning");
    }
    return 0;
}

static int cert_time(const ASN1_TIME *t, int64_t *ret)
{
    int days;
    int seconds;
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int ok = epoch != NULL && ASN1_TIME_diff(&days, &seconds, epoch, t) == 1;
    ASN1_TIME_free(epoch);
    if (!ok) {
        return ERR_INVALID;
    }
    *ret = days * PKI_DAY_S + seconds;
    return 0;
}

static X509 *build_leaf(X509 *ca, EVP_PKEY *ca_key, EVP_PKEY *key, const struct pki_request *r,
                        struct err *err)
{
    X509 *cert = X509_new();
    char name[128];
    (void)snprintf(name, sizeof name, "%s:%.32s", pki_role_name(r->role), r->id);
    if (cert == NULL || X509_set_version(cert, X509_VERSION_3) != 1 || !set_random_serial(cert) ||
        !set_name(X509_get_subject_name(cert), r->domain, name) ||
        X509_set_issuer_name(cert, X509_get_subject_name(ca)) != 1 ||
        !set_validity(cert, r->not_before_s, r->not_after_s) || X509_set_pubkey(cert, key) != 1 ||
        !add_extension(cert, ca, NID_basic_constraints, "critical,CA:FALSE") ||
        !add_extension(cert, ca, NID_key_usage, "critical,digitalSignature") ||
        !add_extension(cert, ca, NID_ext_key_usage, "serverAuth,clientAuth") ||
        !add_extension(cert, ca, NID_subject_key_identifier, "hash") ||
        !add_extension(cert, ca, NID_authority_key_identifier, "keyid")) {
        ssl_error(err, ERR_INTERNAL, "build certificate");
        goto fail;
    }
    if (add_sans(cert, r, err) != 0) {
        goto fail;
    }
    if (X509_sign(cert, ca_key, digest_for(ca_key)) == 0) {
        ssl_error(err, ERR_INTERNAL, "sign certificate");
        goto fail;
    }
    return cert;

fail:
    X509_free(cert);
    return NULL;
}

int pki_cert_issue(struct str ca_cert_pem, struct str ca_key_pem, struct str csr_pem,
                   const struct pki_request *request, struct buf *ret, struct err *err)
{
    X509 *ca = NULL;
    X509 *cert = NULL;
    EVP_PKEY *ca_key = NULL;
    EVP_PKEY *key = NULL;
    int64_t ca_end_s;
    int rv = check_request(request, err);
    if (rv != 0) {
        return rv;
    }
    rv = ERR_INVALID;
    ca = read_cert(ca_cert_pem, "CA certificate", err);
    ca_key = ca == NULL ? NULL : read_key(ca_key_pem, err);
    key = ca_key == NULL ? NULL : request_key(csr_pem, err);
    if (key == NULL) {
        goto end;
    }
    if (X509_check_private_key(ca, ca_key) != 1) {
        rv = ssl_error(err, ERR_INVALID, "CA key does not belong to the CA certificate");
        goto end;
    }
    if (cert_time(X509_get0_notAfter(ca), &ca_end_s) != 0 || request->not_after_s > ca_end_s) {
        rv = err_set(err, ERR_INVALID, "validity: the certificate would outlive its CA");
        goto end;
    }
    cert = build_leaf(ca, ca_key, key, request, err);
    rv = cert == NULL ? ERR_INVALID : put_cert(cert, ret, err);
end:
    X509_free(cert);
    X509_free(ca);
    EVP_PKEY_free(ca_key);
    EVP_PKEY_free(key);
    return rv;
}

/* --- reading certificates
 * ---------------------------------------------------------------------------- */

static int read_uris(X509 *cert, struct pki_identity *ret, struct err *err)
{
    int critical = 0;
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, &critical, NULL);
    unsigned n_found = 0;
    int n = names == NULL ? 0 : sk_GENERAL_NAME_num(names);
    if (names == NULL && critical != -1) { /* -1: there are none. */
        return ssl_error(err, ERR_INVALID, "certificate's alternative names");
    }
    for (int i = 0; i < n; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type == GEN_URI) {
            const ASN1_IA5STRING *uri = name->d.uniformResourceIdentifier;
            struct str text =
                str_make((const char *)ASN1_STRING_get0_data(uri), (size_t)ASN1_STRING_length(uri));
            n_found++;
            if (!parse_uri(text, ret)) {
                GENERAL_NAMES_free(names);
                return err_set(err, ERR_INVALID, "certificate URI is not ecs://DOMAIN/ROLE/ID");
            }
        }
    }
    GENERAL_NAMES_free(names);
    if (n_found > 1) {
        return err_set(err, ERR_INVALID, "certificate has %u URIs, want one", n_found);
    }
    return n_found == 1 ? 0 : err_set(err, ERR_NOTFOUND, "certificate has no ecs:// identity");
}

int pki_x509_identity(X509 *cert, struct pki_identity *ret, struct err *err)
{
    struct pki_identity id;
    BIGNUM *serial;
    char *hex = NULL;
    int rv;
    memset(&id, 0, sizeof id);
    rv = read_uris(cert, &id, err);
    if (rv != 0) {
        return rv;
    }
    serial = ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert), NULL);
    hex = serial == NULL ? NULL : BN_bn2hex(serial);
    BN_free(serial);
    if (hex == NULL || !str_copy(id.serial, sizeof id.serial, str_of(hex)) ||
        cert_time(X509_get0_notBefore(cert), &id.not_before_s) != 0 ||
        cert_time(X509_get0_notAfter(cert), &id.not_after_s) != 0) {
        OPENSSL_free(hex);
        return ssl_error(err, ERR_INVALID, "certificate serial or validity");
    }
    OPENSSL_free(hex);
    for (char *c = id.serial; *c != '\0'; c++) {
        *c = (char)(*c >= 'A' && *c <= 'F' ? *c + ('a' - 'A') : *c);
    }
    *ret = id;
    return 0;
}

int64_t pki_x509_not_after_s(X509 *cert)
{
    int64_t s = 0;
    (void)cert_time(X509_get0_notAfter(cert), &s);
    return s;
}

int pki_cert_identity(struct str cert_pem, struct pki_identity *ret, struct err *err)
{
    X509 *cert = read_cert(cert_pem, "certificate", err);
    int rv;
    if (cert == NULL) {
        return ERR_INVALID;
    }
    rv = pki_x509_identity(cert, ret, err);
    X509_free(cert);
    return rv;
}

/* Every certificate of the text into the store; how many there were. */
static int load_store(X509_STORE *store, struct str pem)
{
    BIO *bio = pem_in(pem);
    int n = 0;
    X509 *cert;
    while (bio != NULL && (cert = PEM_read_bio_X509(bio, NULL, no_password, NULL)) != NULL) {
        n += X509_STORE_add_cert(store, cert) == 1;
        X509_free(cert);
    }
    BIO_free(bio);
    ERR_clear_error(); /* Reading past the last one is how the loop ends. */
    return n;
}

int pki_cert_verify(struct str ca_pem, struct str cert_pem, int64_t now_s, struct pki_identity *ret,
                    struct err *err)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    X509 *cert = read_cert(cert_pem, "certificate", err);
    struct pki_identity id;
    int rv = ERR_INVALID;
    if (cert == NULL) {
        goto end;
    }
    if (store == NULL || ctx == NULL || load_store(store, ca_pem) == 0 ||
        X509_STORE_CTX_init(ctx, store, cert, NULL) != 1) {
        rv = err_set(err, ERR_INVALID, "CA: no certificate in it");
        goto end;
    }
    X509_STORE_CTX_set_time(ctx, 0, (time_t)now_s);
    if (X509_verify_cert(ctx) != 1) {
        rv = err_set(err, ERR_DENIED, "certificate: %s",
                     X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
        ERR_clear_error();
        goto end;
    }
    rv = pki_x509_identity(cert, &id, err);
    if (rv == 0 && ret != NULL) {
        *ret = id;
    }
end:
    X509_free(cert);
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    return rv;
}

int pki_key_matches(struct str cert_pem, struct str key_pem, struct err *err)
{
    X509 *cert = read_cert(cert_pem, "certificate", err);
    EVP_PKEY *key = cert == NULL ? NULL : read_key(key_pem, err);
    int rv = ERR_INVALID;
    if (key != NULL) {
        rv = X509_check_private_key(cert, key) == 1
                 ? 0
                 : ssl_error(err, ERR_INVALID, "key does not belong to the certificate");
    }
    EVP_PKEY_free(key);
    X509_free(cert);
    return rv;
}

int pki_x509_pin(X509 *cert, char ret[PKI_PIN_MAX], struct err *err)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    if (X509_digest(cert, EVP_sha256(), digest, &n) != 1 || n != 32) {
        return ssl_error(err, ERR_INTERNAL, "certificate digest");
    }
    hex_write(digest, n, ret);
    return 0;
}

int pki_pin(struct str cert_pem, char ret[PKI_PIN_MAX], struct err *err)
{
    X509 *cert = read_cert(cert_pem, "certificate", err);
    int rv;
    if (cert == NULL) {
        return ERR_INVALID;
    }
    rv = pki_x509_pin(cert, ret, err);
    X509_free(cert);
    return rv;
}
