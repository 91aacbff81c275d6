/* A certificate as a peer may show it: its identity, its pin, and whether it leads to our CA; and a
 * signing request, which costs signatures and is therefore tried on few inputs only. The input is
 * the DER of either, after one byte that says which; or PEM, as it begins with '-'. An error, never
 * a crash; and what is accepted says what the issuer chose and nothing else. */
#include "common/loop/sysmem.h"
#include "common/net/pki.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define NOW     INT64_C(1767225600)
#define DER_MAX 8192

static struct str text_of(const struct buf *b)
{
    return str_make((const char *)b->data, b->len);
}

static struct buf ca_key;
static struct buf ca;
static struct buf pem; /* Of the input. */

static void setup(void)
{
    if (ca.len > 0) {
        return;
    }
    buf_init(&ca_key, sysmem(), PKI_PEM_MAX);
    buf_init(&ca, sysmem(), PKI_PEM_MAX);
    buf_init(&pem, sysmem(), PKI_PEM_MAX);
    if (pki_key_create(PKI_KEY_P256, &ca_key, NULL) != 0 ||
        pki_ca_create(text_of(&ca_key), "f", NOW, NOW + 9 * PKI_DAY_S, &ca, NULL) != 0) {
        abort();
    }
}

/* DER in the clothes of PEM. */
static struct str wrap(const uint8_t *der, size_t n, const char *what, struct buf *ret)
{
    unsigned char base64[DER_MAX / 3 * 4 + 8];
    int len = EVP_EncodeBlock(base64, der, (int)n);
    buf_clear(ret);
    buf_printf(ret, "-----BEGIN %s-----\n", what);
    for (int at = 0; at < len; at += 64) {
        buf_put(ret, base64 + at, (size_t)(len - at < 64 ? len - at : 64));
        buf_puts(ret, "\n");
    }
    buf_printf(ret, "-----END %s-----\n", what);
    return text_of(ret);
}

static void try_certificate(struct str text)
{
    struct pki_identity id;
    char pin[PKI_PIN_MAX];
    struct err err = {0};
    int rv = pki_cert_identity(text, &id, &err);
    if (rv == 0 && (id.role == PKI_ROLE_NONE || id.domain[0] == '\0' || id.id[0] == '\0')) {
        abort();
    }
    if (rv != 0 && err.text[0] == '\0') {
        abort();
    }
    if (pki_pin(text, pin, &err) != 0) {
        return;
    }
    /* It is a certificate at least. Nobody but the CA itself signs for it. */
    if (pki_cert_verify(text_of(&ca), text, NOW, &id, &err) == 0) {
        abort();
    }
}

static void try_request(struct str text)
{
    struct pki_request request = {.role = PKI_ROLE_AGENT,
                                  .domain = "f",
                                  .id = "n",
                                  .not_before_s = NOW,
                                  .not_after_s = NOW + PKI_DAY_S};
    struct pki_identity id;
    struct buf cert;
    struct err err = {0};
    buf_init(&cert, sysmem(), PKI_PEM_MAX);
    if (pki_cert_issue(text_of(&ca), text_of(&ca_key), text, &request, &cert, &err) == 0) {
        if (pki_cert_verify(text_of(&ca), text_of(&cert), NOW, &id, &err) != 0 ||
            id.role != PKI_ROLE_AGENT || strcmp(id.id, "n") != 0) {
            abort();
        }
    } else if (err.text[0] == '\0') {
        abort();
    }
    buf_close(&cert);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    setup();
    if (n == 0 || n > DER_MAX) {
        return 0;
    }
    if (bytes[0] == '-') {
        try_certificate(str_make((const char *)bytes, n));
    } else if (bytes[0] < 8) {
        try_request(wrap(bytes + 1, n - 1, "CERTIFICATE REQUEST", &pem));
    } else {
        try_certificate(wrap(bytes + 1, n - 1, "CERTIFICATE", &pem));
    }
    return 0;
}
