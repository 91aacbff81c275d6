/* Any text as a signing request, a certificate or a key: an error, never a crash. A request that is
 * accepted leads to a certificate with the names the issuer chose and no others. */
#include "common/loop/sysmem.h"
#include "common/net/pki.h"

#include <stdlib.h>
#include <string.h>

#define NOW INT64_C(1767225600)

static struct str text_of(const struct buf *b)
{
    return str_make((const char *)b->data, b->len);
}

static struct buf ca_key;
static struct buf ca;

static void setup(void)
{
    if (ca.len > 0) {
        return;
    }
    buf_init(&ca_key, sysmem(), PKI_PEM_MAX);
    buf_init(&ca, sysmem(), PKI_PEM_MAX);
    if (pki_key_create(PKI_KEY_P256, &ca_key, NULL) != 0 ||
        pki_ca_create(text_of(&ca_key), "f", NOW, NOW + 9 * PKI_DAY_S, &ca, NULL) != 0) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct str in = str_make((const char *)bytes, n);
    struct pki_request request = {.role = PKI_ROLE_AGENT,
                                  .domain = "f",
                                  .id = "n",
                                  .not_before_s = NOW,
                                  .not_after_s = NOW + PKI_DAY_S};
    struct pki_identity id;
    struct buf cert;
    struct err err = {0};
    setup();
    buf_init(&cert, sysmem(), PKI_PEM_MAX);
    if (pki_cert_issue(text_of(&ca), text_of(&ca_key), in, &request, &cert, &err) == 0) {
        if (pki_cert_verify(text_of(&ca), text_of(&cert), NOW, &id, &err) != 0 ||
            id.role != PKI_ROLE_AGENT || strcmp(id.id, "n") != 0) {
            abort();
        }
    } else if (err.text[0] == '\0') {
        abort();
    }
    (void)pki_cert_verify(text_of(&ca), in, NOW, &id, &err);
    if (pki_cert_identity(in, &id, &err) == 0 &&
        (id.role == PKI_ROLE_NONE || id.domain[0] == '\0' || id.id[0] == '\0')) {
        abort();
    }
    (void)pki_key_matches(in, in, &err);
    buf_close(&cert);
    return 0;
}
