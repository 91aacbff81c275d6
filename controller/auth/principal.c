#include "controller/auth/principal.h"

#include "common/base/str.h"

#include <assert.h>
#include <string.h>

static struct principal make(enum principal_kind kind, struct str id)
{
    struct principal p;
    memset(&p, 0, sizeof p);
    p.kind = kind;
    (void)str_copy(p.id, sizeof p.id, id);
    return p;
}

struct principal principal_of_peer(const struct pki_identity *peer)
{
    struct str id = str_of(peer->id);
    switch (peer->role) {
    case PKI_ROLE_NONE:
        return make(PRINCIPAL_NONE, STR(""));
    case PKI_ROLE_ADMIN:
        return make(PRINCIPAL_ADMIN, id);
    case PKI_ROLE_CONTROLLER:
        return make(PRINCIPAL_CONTROLLER, id);
    case PKI_ROLE_AGENT:
        return make(PRINCIPAL_AGENT, id);
    }
    return make(PRINCIPAL_NONE, STR(""));
}

struct principal principal_of_insecure(void)
{
    return make(PRINCIPAL_INSECURE, STR("insecure"));
}

int principal_of_forward(uint32_t kind, struct str id, struct principal *ret, struct err *err)
{
    if (kind >= PRINCIPAL_N) {
        return err_set(err, ERR_INVALID, "caller of unknown kind %u", kind);
    }
    if (id.n >= PKI_ID_MAX) {
        return err_set(err, ERR_INVALID, "caller's id is longer than %d bytes", PKI_ID_MAX - 1);
    }
    *ret = make((enum principal_kind)kind, id);
    return 0;
}

const char *principal_kind_name(enum principal_kind kind)
{
    switch (kind) {
    case PRINCIPAL_NONE:
        return "none";
    case PRINCIPAL_ADMIN:
        return "admin";
    case PRINCIPAL_CONTROLLER:
        return "controller";
    case PRINCIPAL_AGENT:
        return "agent";
    case PRINCIPAL_INSECURE:
        return "insecure";
    case PRINCIPAL_N:
        break;
    }
    assert(false);
    return "none";
}

char *principal_text(const struct principal *p, struct arena *arena)
{
    if (p->kind == PRINCIPAL_INSECURE) {
        return arena_strdup(arena, "insecure-api");
    }
    return arena_printf(arena, "%s/%s", principal_kind_name(p->kind), p->id);
}

static bool allowed(enum principal_kind kind, enum access access)
{
    switch (access) {
    case ACCESS_API:
        return kind == PRINCIPAL_ADMIN || kind == PRINCIPAL_CONTROLLER ||
               kind == PRINCIPAL_INSECURE;
    case ACCESS_INTERNAL:
        return kind == PRINCIPAL_CONTROLLER;
    case ACCESS_PUBLIC:
        return kind != PRINCIPAL_NONE;
    }
    return false;
}

int principal_check(const struct principal *p, enum access access, struct err *err)
{
    if (allowed(p->kind, access)) {
        return 0;
    }
    if (p->kind == PRINCIPAL_NONE) {
        return err_set(err, ERR_NOTFOUND, "a client certificate of this cluster is required");
    }
    return err_set(err, ERR_DENIED, "the certificate of %s %s does not permit this",
                   principal_kind_name(p->kind), p->id);
}
