/* What the auditor says. Local: the point is to hear every controller for itself. */
#include "controller/api/api.h"
#include "controller/api/describe.h"
#include "controller/api/operation.h"
#include "proto/ecs/admin/v1/admin.pb-c.h"

static char *hex(struct api_call *c, uint64_t digest)
{
    return arena_printf(&c->arena, "%016llx", (unsigned long long)digest);
}

static Ecs__Admin__V1__VerifyFinding *describe_finding(struct api_call *c,
                                                       const struct audit_finding *f)
{
    Ecs__Admin__V1__VerifyFinding *m = api_new(c, &ecs__admin__v1__verify_finding__descriptor);
    m->rule = arena_strdup(&c->arena, audit_rule_name((enum audit_rule)f->rule));
    m->text = arena_strdup(&c->arena, f->text);
    API_SET(m, revision, f->revision);
    return m;
}

static int verify_read(struct api_call *c)
{
    const Ecs__Admin__V1__VerifyRequest *r = (const Ecs__Admin__V1__VerifyRequest *)c->request;
    Ecs__Admin__V1__VerifyResponse *m = api_new(c, &ecs__admin__v1__verify_response__descriptor);
    struct engine *e = api_engine(c->api);
    const struct store *s = api_store(c);
    struct engine_status status;
    struct audit_status audit;
    uint64_t digest;
    uint64_t found = 0;
    engine_status(e, &status);
    engine_audit_status(e, &audit);
    API_SET(m, member_id, status.member_id);
    API_SET(m, revision, store_meta(s)->revision);
    m->digest = hex(c, store_meta(s)->digest);
    if (r->has_digest_at && store_digest_at(s, r->digest_at, &digest)) {
        m->digest_at = hex(c, digest);
    }
    if (r->has_start && r->start) {
        API_SET(m, wanted, engine_audit_hurry(e));
    }
    API_SET(m, rounds, audit.n_rounds);
    API_SET(m, rows, audit.n_rows);
    API_SET(m, total, audit.n_total);
    for (int rule = 0; rule < AUDIT_N; rule++) {
        found += audit.n_found[rule];
    }
    API_SET(m, found, found);
    m->findings = api_list(c, audit.n_findings + audit.n_outside);
    for (uint32_t i = 0; i < audit.n_findings; i++) {
        m->findings[m->n_findings++] = describe_finding(c, &audit.findings[i]);
    }
    for (uint32_t i = 0; i < audit.n_outside; i++) {
        m->findings[m->n_findings++] = describe_finding(c, &audit.outside[i]);
    }
    c->response = &m->base;
    return 0;
}

const struct api_handler op_verify = {.kind = API_LOCAL, .read = verify_read};
