/* Joining: a token's secret and a signing request become a node certificate. The secret is spent
 * through the log, so that a token with one use admits one machine whatever the leader does.
 * A controller that does not lead says so; the agent asks the next one. */
#include "common/log/log.h"
#include "common/net/pki.h"
#include "controller/auth/secret.h"
#include "controller/codec/pbc.h"
#include "controller/core/limits.h"
#include "controller/link/link_int.h"

#include <stdio.h>
#include <string.h>

#define CLOCK_SKEW_S 300 /* A new certificate is valid a little into the past. */

/* One Join call; freed when it was answered and the stream is closed. */
struct joining {
    struct link *l;
    struct grpc_call *call; /* NULL once closed. */
    struct arena arena;
    struct engine_write write;
    uint8_t hash[SECRET_HASH_LEN];
    struct str csr;
    struct str name;
    bool writing;
};

static void joining_free(struct joining *j)
{
    arena_close(&j->arena);
    mem_free(j->l->options.mem, j, sizeof *j);
}

static void fail(struct grpc_call *call, int rv, const char *text)
{
    grpc_call_finish(call, grpc_code_of_err(rv), text, (struct str){NULL, 0});
}

/* Sign for the node; the certificate's text is appended to pem. */
static int issue(const struct link *l, const char *id, struct str csr, struct buf *pem,
                 struct err *err)
{
    int64_t now = (int64_t)clock_wall_ms() / 1000;
    struct pki_request request = {
        .role = PKI_ROLE_AGENT,
        .domain = l->options.domain,
        .id = id,
        .not_before_s = now - CLOCK_SKEW_S,
        .not_after_s = now + l->options.cert_days * PKI_DAY_S,
    };
    if (l->options.ca_key_pem.n == 0) {
        return err_set(err, ERR_UNSUPPORTED,
                       "this controller has no CA key (--ca-key), so nodes cannot join through it");
    }
    return pki_cert_issue(l->options.ca_pem, l->options.ca_key_pem, csr, &request, pem, err);
}

/* A request that cannot be signed must not cost a use of the token: sign for nobody first. */
static int check_request(const struct link *l, struct str csr, struct err *err)
{
    struct buf pem;
    int rv;
    if (!engine_is_leader(l->options.engine)) {
        return 0; /* It is not going to be spent here. */
    }
    buf_init(&pem, l->options.mem, PKI_PEM_MAX);
    rv = issue(l, "00000000000000000000000000000001", csr, &pem, err);
    buf_close(&pem);
    return rv;
}

static void reply(struct grpc_call *call, struct link *l, const ProtobufCMessage *m)
{
    buf_clear(&l->out);
    pbc_pack(m, &l->out);
    grpc_call_reply(call, str_make((const char *)l->out.data, l->out.len));
}

static void answer_join(struct joining *j, const struct result *result)
{
    const struct link_options *o = &j->l->options;
    const struct store *store = engine_store(o->engine);
    const struct cluster *cluster = store_cluster(store, result->slot);
    Ecs__Agent__V1__JoinResponse r = ECS__AGENT__V1__JOIN_RESPONSE__INIT;
    const char *controllers[ENGINE_CONTROLLERS_MAX];
    char id[ID_HEX_LEN + 1];
    uint8_t raw[16];
    struct buf pem;
    struct err err = {0};
    int rv;
    id_hex(result->id, id);
    buf_init(&pem, o->mem, PKI_PEM_MAX);
    rv = issue(j->l, id, j->csr, &pem, &err);
    if (rv != 0) {
        fail(j->call, rv, err.text);
        buf_close(&pem);
        return;
    }
    nodemsg_id_write(result->id, raw);
    r.has_node_id = true;
    r.node_id.data = raw;
    r.node_id.len = sizeof raw;
    r.certificate_pem = (char *)(uintptr_t)buf_cstr(&pem);
    r.ca_pem = arena_dup(&j->arena, o->ca_pem.p, o->ca_pem.n);
    r.cluster = cluster == NULL ? NULL : arena_dup(&j->arena, cluster->name.p, cluster->name.n);
    r.n_controllers = engine_controllers(o->engine, controllers);
    r.controllers = (char **)(uintptr_t)controllers;
    reply(j->call, j->l, &r.base);
    log_info("node.joined", log_id("node", result->id), log_strn("name", j->name));
    buf_close(&pem);
}

static int decide_join(struct engine_write *w, struct engine *e, struct command *cmd,
                       struct arena *arena, struct err *err)
{
    struct joining *j = w->data;
    (void)e;
    (void)arena;
    if (j->call == NULL) {
        return err_set(err, ERR_CANCELED, "whoever asked is gone"); /* The token is not spent. */
    }
    cmd->kind = CMD_JOIN_USE;
    cmd->u.join.secret_sha256 = str_make((const char *)j->hash, sizeof j->hash);
    return 0;
}

static void on_spent(struct engine_write *w, int status, const struct result *result,
                     const struct err *err)
{
    struct joining *j = w->data;
    j->writing = false;
    if (j->call == NULL) {
        joining_free(j);
        return;
    }
    if (status == ERR_NOTLEADER) {
        const char *leader = engine_leader_address(j->l->options.engine);
        grpc_call_fail(j->call, GRPC_UNAVAILABLE, "this controller does not lead; the leader: %s",
                       leader[0] == '\0' ? "none now" : leader);
    } else if (status != 0) {
        fail(j->call, status, err->text);
    } else if (result->reject != REJECT_NONE) {
        log_warn("node.join_refused", log_strn("name", j->name), log_str("why", result->text));
        fail(j->call, ERR_DENIED, result->text);
    } else {
        answer_join(j, result);
    }
}

void join_closed(struct grpc_call *call, int status)
{
    struct joining *j = grpc_call_data(call);
    (void)status;
    j->call = NULL;
    if (!j->writing) {
        joining_free(j);
    }
}

void join_start(struct grpc_call *call)
{
    struct link *l = grpc_call_data(call);
    struct joining *j = mem_alloc(l->options.mem, sizeof *j);
    j->l = l;
    j->call = call;
    arena_init(&j->arena, l->options.mem);
    grpc_call_set_data(call, j);
}

void join_message(struct grpc_call *call, struct str bytes)
{
    struct joining *j = grpc_call_data(call);
    const Ecs__Agent__V1__JoinRequest *request;
    ProtobufCMessage *m;
    struct err err = {0};
    if (pbc_unpack(&ecs__agent__v1__join_request__descriptor, bytes, &j->arena, &m, &err) != 0) {
        fail(call, ERR_INVALID, err.text);
        return;
    }
    request = (const Ecs__Agent__V1__JoinRequest *)(const void *)m;
    if (request->secret == NULL || request->csr_pem == NULL) {
        fail(call, ERR_INVALID, "secret and csr_pem are required");
        return;
    }
    if (strlen(request->csr_pem) > PKI_PEM_MAX) {
        fail(call, ERR_INVALID, "csr_pem is too long");
        return;
    }
    if (check_request(j->l, str_of(request->csr_pem), &err) != 0) {
        fail(call, err.code, err.text);
        return;
    }
    secret_hash(str_of(request->secret), j->hash);
    j->csr = str_of(request->csr_pem);
    j->name = str_slice(str_of(request->name), 0, LIMIT_NAME);
    j->write.data = j;
    j->write.decide = decide_join;
    j->write.done = on_spent;
    j->writing = true;
    engine_submit(j->l->options.engine, &j->write);
}

/* A new certificate for the node that the present one names; no state changes. */
void renew_message(struct grpc_call *call, struct str bytes)
{
    struct link *l = grpc_call_data(call);
    const struct pki_identity *peer = grpc_call_peer(call);
    Ecs__Agent__V1__RenewResponse r = ECS__AGENT__V1__RENEW_RESPONSE__INIT;
    const Ecs__Agent__V1__RenewRequest *request;
    const struct node *node;
    ProtobufCMessage *m;
    struct id id;
    struct buf pem;
    struct err err = {0};
    int rv;
    arena_clear(&l->arena);
    if (peer->role != PKI_ROLE_AGENT || !id_parse(str_of(peer->id), &id)) {
        fail(call, ERR_DENIED, "a node certificate is needed");
        return;
    }
    node = store_node(engine_store(l->options.engine),
                      store_find_node(engine_store(l->options.engine), id));
    if (node == NULL || node->status == NODE_INACTIVE) {
        fail(call, ERR_DENIED, "this node is not, or no longer, part of a cluster");
        return;
    }
    if (pbc_unpack(&ecs__agent__v1__renew_request__descriptor, bytes, &l->arena, &m, &err) != 0) {
        fail(call, ERR_INVALID, err.text);
        return;
    }
    request = (const Ecs__Agent__V1__RenewRequest *)(const void *)m;
    buf_init(&pem, l->options.mem, PKI_PEM_MAX);
    rv = issue(l, peer->id, str_of(request->csr_pem), &pem, &err);
    if (rv == 0) {
        r.certificate_pem = (char *)(uintptr_t)buf_cstr(&pem);
        r.ca_pem = arena_dup(&l->arena, l->options.ca_pem.p, l->options.ca_pem.n);
        reply(call, l, &r.base);
    } else {
        fail(call, rv, err.text);
    }
    buf_close(&pem);
}
