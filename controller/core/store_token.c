/* Idempotency tokens: a request that is sent again has one effect. */
#include "common/base/plant.h"
#include "controller/core/store_impl.h"

/* A token for a service that is gone since says nothing any more. */
static bool is_stale(const struct store *s, const struct token *token)
{
    const struct service *service;
    if (token->expires_at <= s->meta->now) {
        return true;
    }
    if (token->operation != CMD_SERVICE_CREATE) {
        return false;
    }
    service = store_at(s, KIND_SERVICE, (uint32_t)token->ids[0].lo);
    return service == NULL || service->status == SERVICE_INACTIVE ||
           (uint64_t)service->created_at != token->ids[0].hi;
}

static void copy_ids(struct store *s, const struct token *token, struct result *r)
{
    struct id *ids = arena_array(&s->scratch, token->n_ids, sizeof *ids);
    for (uint32_t i = 0; i < token->n_ids; i++) {
        ids[i] = token->ids[i];
    }
    r->ids = ids;
    r->n_done = token->n_ids;
}

enum token_verdict store_token_check(struct store *s, uint32_t cluster, uint8_t operation,
                                     const struct request_token *token, struct result *r,
                                     uint32_t *ret_slot)
{
    uint32_t slot = store_find_token(s, cluster, operation, token->value);
    const struct token *row = store_at(s, KIND_TOKEN, slot);
    if (token->value.n == 0) {
        return TOKEN_NEW;
    }
    if (token->value.n > LIMIT_TOKEN) {
        store_reject(r, REJECT_INVALID, "A client token has at most %d characters.", LIMIT_TOKEN);
        return TOKEN_REFUSED;
    }
    if (row == NULL && s->meta->fenced) {
        store_reject(r, REJECT_TOKEN_FENCED,
                     "The client token is not known, and part of the history before epoch %llu is "
                     "lost: the request may have been carried out already. Look at what is there; "
                     "an operator lets new tokens in with 'ecs-admin raft unfence'.",
                     (unsigned long long)s->meta->epoch);
        return TOKEN_REFUSED;
    }
    if (row != NULL && is_stale(s, row)) {
        store_delete(s, KIND_TOKEN, slot);
        row = NULL;
    }
    if (row == NULL) {
        if (store_full(s, KIND_TOKEN)) {
            store_reject(r, REJECT_LIMIT, "Too many requests with a client token in 24 hours.");
            return TOKEN_REFUSED;
        }
        return TOKEN_NEW;
    }
    if (row->params_hash != token->params_hash) {
        store_reject(r, REJECT_TOKEN_CONFLICT,
                     "The client token was used before with other parameters.");
        copy_ids(s, row, r);
        return TOKEN_REFUSED;
    }
    r->duplicate = true;
    copy_ids(s, row, r);
    *ret_slot = slot;
    return TOKEN_DUPLICATE;
}

void store_token_keep(struct store *s, uint32_t cluster, uint8_t operation,
                      const struct request_token *token, const struct id *ids, uint32_t n_ids)
{
    struct token row = {0};
    if (token->value.n == 0 || (PLANTED(TOKEN_UNKEPT) && operation == CMD_PLAN)) {
        return;
    }
    row.cluster = cluster;
    row.operation = operation;
    row.value = token->value;
    row.params_hash = token->params_hash;
    row.expires_at = s->meta->now + LIMIT_TOKEN_LIFE_MS;
    row.ids = (struct id *)(uintptr_t)ids;
    row.n_ids = n_ids;
    store_insert(s, KIND_TOKEN, &row, NULL);
}
