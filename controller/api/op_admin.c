/* The unary operations of the admin service: the control plane itself. */
#include "controller/api/api.h"
#include "controller/api/describe.h"
#include "controller/api/operation.h"
#include "controller/api/ref.h"
#include "controller/auth/secret.h"
#include "controller/core/feature.h"
#include "proto/ecs/admin/v1/admin.pb-c.h"

#include <string.h>

#define JOIN_TTL_DEFAULT_S 3600u
#define JOIN_TTL_MAX_S     (3600u * 24u)
#define JOIN_USES_MAX      1000u

/* --- GetStatus ---------------------------------------------------------------------------------
 */

static void set_identity(struct api_call *c, const struct meta *meta,
                         Ecs__Admin__V1__GetStatusResponse *m)
{
    char hex[ID_HEX_LEN + 1] = "";
    if (!id_is_none(meta->cluster_id)) {
        id_hex(meta->cluster_id, hex);
    }
    m->cluster_id = arena_strdup(&c->arena, hex);
    API_SET(m, epoch, meta->epoch);
}

static int status_read(struct api_call *c)
{
    Ecs__Admin__V1__GetStatusResponse *m =
        api_new(c, &ecs__admin__v1__get_status_response__descriptor);
    struct engine *e = api_engine(c->api);
    const struct api_backend *b = api_backend(c->api);
    const struct meta *meta = store_meta(api_store(c));
    struct engine_status s;
    engine_status(e, &s);
    m->version = arena_strdup(&c->arena, ECS_VERSION);
    API_SET(m, member_id, s.member_id);
    API_SET(m, leader_id, s.leader_id);
    m->leader_address = arena_strdup(&c->arena, engine_leader_address(e));
    API_SET(m, term, s.term);
    API_SET(m, commit_index, s.commit_index);
    API_SET(m, applied_index, s.applied_index);
    API_SET(m, revision, meta->revision);
    m->digest = arena_printf(&c->arena, "%016llx", (unsigned long long)meta->digest);
    API_SET(m, log_bytes, s.log_bytes);
    API_SET(m, uptime_ms, api_uptime_ms(c->api));
    API_SET(m, sessions, b->n_sessions == NULL ? 0 : b->n_sessions(b->data));
    m->account = arena_strdup(&c->arena, api_names(c->api)->account);
    m->region = arena_strdup(&c->arena, api_names(c->api)->region);
    set_identity(c, meta, m);
    API_SET(m, feature_level, meta->feature_level);
    API_SET(m, voters_level, engine_voters_level(e));
    API_SET(m, fenced, meta->fenced);
    c->response = &m->base;
    return 0;
}

const struct api_handler op_get_status = {.kind = API_LOCAL, .read = status_read};

static int not_available(struct api_call *c, const char *what)
{
    return api_fail(c, API_UNSUPPORTED, "%s is not available on this controller.", what);
}

/* --- TransferLeadership ------------------------------------------------------------------------
 */

static void transferred(void *arg, int status, uint64_t leader_id, const struct err *err)
{
    struct api_call *c = arg;
    Ecs__Admin__V1__TransferLeadershipResponse *m =
        api_new(c, &ecs__admin__v1__transfer_leadership_response__descriptor);
    if (status == 0) {
        API_SET(m, leader_id, leader_id);
        c->response = &m->base;
    } else if (status == ERR_NOTFOUND) {
        (void)api_fail(c, API_CLIENT_NOT_FOUND, "%s.", err != NULL ? err->text : "Not found");
    } else if (status == ERR_CONFLICT && err != NULL) {
        (void)api_fail(c, API_CLIENT_STATE, "%s.", err->text);
    } else {
        (void)api_fail_err(c, status, err);
    }
    api_call_finish(c);
}

static int transfer_read(struct api_call *c)
{
    const Ecs__Admin__V1__TransferLeadershipRequest *r =
        (const Ecs__Admin__V1__TransferLeadershipRequest *)c->request;
    const struct api_backend *b = api_backend(c->api);
    if (b->transfer == NULL) {
        return not_available(c, "Transfer of leadership");
    }
    b->transfer(b->data, r->has_member_id ? r->member_id : 0, transferred, c);
    return API_LATER;
}

const struct api_handler op_transfer_leadership = {.kind = API_LEAD, .read = transfer_read};

/* --- FinalizeUpgrade ---------------------------------------------------------------------------
 */

static int finalize_decide(struct api_call *c, struct command *cmd)
{
    uint32_t level = engine_voters_level(api_engine(c->api));
    uint32_t now = store_meta(api_store(c))->feature_level;
    if (level == 0) {
        return api_fail(c, API_CLIENT,
                        "A controller is not connected: what it understands is not known, and it "
                        "could not come back.");
    }
    cmd->kind = CMD_SET_FEATURE_LEVEL;
    cmd->u.feature_level = level > now ? level : now;
    return 0;
}

static int finalize_applied(struct api_call *c, const struct result *result)
{
    Ecs__Admin__V1__FinalizeUpgradeResponse *m =
        api_new(c, &ecs__admin__v1__finalize_upgrade_response__descriptor);
    (void)result;
    API_SET(m, feature_level, store_meta(api_store(c))->feature_level);
    c->response = &m->base;
    return 0;
}

const struct api_handler op_finalize_upgrade = {
    .kind = API_WRITE,
    .decide = finalize_decide,
    .applied = finalize_applied,
};

/* --- UnfenceTokens -----------------------------------------------------------------------------
 */

static int unfence_decide(struct api_call *c, struct command *cmd)
{
    const struct meta *meta = store_meta(api_store(c));
    if (meta->feature_level < feature_of_command(CMD_UNFENCE)) {
        return api_fail(c, API_CLIENT,
                        "The cluster is at feature level %u, and nothing is fenced below level %u.",
                        meta->feature_level, feature_of_command(CMD_UNFENCE));
    }
    cmd->kind = CMD_UNFENCE;
    return 0;
}

static int unfence_applied(struct api_call *c, const struct result *result)
{
    Ecs__Admin__V1__UnfenceTokensResponse *m =
        api_new(c, &ecs__admin__v1__unfence_tokens_response__descriptor);
    API_SET(m, revision, result->revision);
    c->response = &m->base;
    return 0;
}

const struct api_handler op_unfence_tokens = {
    .kind = API_WRITE,
    .decide = unfence_decide,
    .applied = unfence_applied,
};

/* --- CreateJoinToken ---------------------------------------------------------------------------
 */

struct join_state {
    char secret[SECRET_HEX_LEN + 1];
    uint8_t hash[SECRET_HASH_LEN];
    int64_t expires_at;
};

static const Ecs__Admin__V1__CreateJoinTokenRequest *join_request(const struct api_call *c)
{
    return (const Ecs__Admin__V1__CreateJoinTokenRequest *)c->request;
}

static int join_check(struct api_call *c)
{
    const Ecs__Admin__V1__CreateJoinTokenRequest *r = join_request(c);
    if (r->has_ttl_s && (r->ttl_s == 0 || r->ttl_s > JOIN_TTL_MAX_S)) {
        return api_fail(c, API_INVALID_PARAMETER, "ttl_s must be between 1 and %u.",
                        JOIN_TTL_MAX_S);
    }
    if (r->has_uses && (r->uses == 0 || r->uses > JOIN_USES_MAX)) {
        return api_fail(c, API_INVALID_PARAMETER, "uses must be between 1 and %u.", JOIN_USES_MAX);
    }
    return 0;
}

static int join_decide(struct api_call *c, struct command *cmd)
{
    const Ecs__Admin__V1__CreateJoinTokenRequest *r = join_request(c);
    const struct api_backend *b = api_backend(c->api);
    struct join_state *s = arena_alloc(&c->arena, sizeof *s);
    struct err err = {0};
    uint32_t ttl_s = r->has_ttl_s ? r->ttl_s : JOIN_TTL_DEFAULT_S;
    uint32_t cluster;
    int rv = ref_cluster(c, r->cluster, &cluster);
    if (rv != 0) {
        return rv;
    }
    if (b->ca_pin == NULL || b->ca_pin(b->data)[0] == '\0') {
        return not_available(c, "Joining: the CA's key");
    }
    rv = secret_make(s->secret, &err);
    if (rv != 0) {
        return api_fail_err(c, ERR_INTERNAL, &err);
    }
    secret_hash(str_of(s->secret), s->hash);
    s->expires_at = engine_now_ms(api_engine(c->api)) + (int64_t)ttl_s * 1000;
    c->state = s;
    struct str name = store_cluster(api_store(c), cluster)->name;
    cmd->kind = CMD_JOIN_CREATE;
    cmd->u.join.cluster = str_make(api_text(c, name), name.n);
    cmd->u.join.secret_sha256 = str_make((const char *)s->hash, sizeof s->hash);
    cmd->u.join.expires_at = s->expires_at;
    cmd->u.join.uses = r->has_uses ? r->uses : 1;
    return 0;
}

static int join_applied(struct api_call *c, const struct result *result)
{
    const struct api_backend *b = api_backend(c->api);
    const struct join_state *s = c->state;
    Ecs__Admin__V1__CreateJoinTokenResponse *m =
        api_new(c, &ecs__admin__v1__create_join_token_response__descriptor);
    (void)result;
    m->token = arena_printf(&c->arena, "ECSJOIN-1-%s-%s", b->ca_pin(b->data), s->secret);
    API_SET(m, expires_at_ms, s->expires_at);
    c->response = &m->base;
    return 0;
}

const struct api_handler op_create_join_token = {
    .kind = API_WRITE,
    .check = join_check,
    .decide = join_decide,
    .applied = join_applied,
};
