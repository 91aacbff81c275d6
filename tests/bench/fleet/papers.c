#include "tests/bench/fleet/fleet.h"

#include "common/loop/sysmem.h"

#include <string.h>

static struct str text(const struct buf *b)
{
    return str_make((const char *)b->data, b->len);
}

/* The trust domain is the CA's own, or the default. */
static void find_domain(struct fleet_papers *p)
{
    struct pki_identity ca;
    bool found = pki_cert_identity(text(&p->ca), &ca, NULL) == 0 && ca.domain[0] != '\0';
    (void)str_copy(p->domain, sizeof p->domain, found ? str_of(ca.domain) : STR("ecs"));
}

int fleet_papers_open(struct fleet_papers *p, const struct fleet_config *config, struct err *err)
{
    struct buf *const all[] = {&p->ca, &p->ca_key, &p->key, &p->csr};
    int rv;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        buf_init(all[i], sysmem(), PKI_PEM_MAX);
    }
    rv = pki_file_read(config->ca, &p->ca, err);
    rv = rv == 0 ? pki_file_read(config->ca_key, &p->ca_key, err) : rv;
    rv = rv == 0 ? pki_key_create(PKI_KEY_P256, &p->key, err) : rv;
    rv = rv == 0 ? pki_csr_create(text(&p->key), &p->csr, err) : rv;
    if (rv == 0) {
        find_domain(p);
    }
    return rv;
}

void fleet_papers_close(struct fleet_papers *p)
{
    buf_close(&p->ca);
    buf_close(&p->ca_key);
    buf_close(&p->key);
    buf_close(&p->csr);
}

int fleet_papers_issue(struct fleet_papers *p, struct id node, struct tls_context **ret,
                       struct err *err)
{
    int64_t now_s = (int64_t)(clock_wall_ms() / 1000);
    char hex[ID_HEX_LEN + 1];
    const struct pki_request request = {
        .role = PKI_ROLE_AGENT,
        .domain = p->domain,
        .id = hex,
        .not_before_s = now_s - 60,
        .not_after_s = now_s + PKI_DAY_S,
    };
    struct buf cert;
    int rv;
    id_hex(node, hex);
    buf_init(&cert, sysmem(), PKI_PEM_MAX);
    rv = pki_cert_issue(text(&p->ca), text(&p->ca_key), text(&p->csr), &request, &cert, err);
    if (rv == 0) {
        const struct tls_options options = {
            .verify = TLS_VERIFY_REQUIRED,
            .alpn = {"h2"},
            .domain = p->domain,
            .cert_pem = text(&cert),
            .key_pem = text(&p->key),
            .ca_pem = text(&p->ca),
        };
        rv = tls_context_open(&options, ret, err);
    }
    buf_close(&cert);
    return rv;
}
