/* Clusters, join tokens, feature level and the digest that replicas compare. */
#include "controller/core/store_impl.h"

uint32_t store_active_cluster(const struct store *s, struct str name, struct result *r)
{
    uint32_t slot = store_find_cluster(s, name);
    if (slot == SLOT_NONE) {
        store_reject(r, REJECT_CLUSTER_NOT_FOUND, "Cluster not found.");
        return SLOT_NONE;
    }
    if (cluster_at(s, slot)->status != CLUSTER_ACTIVE) {
        store_reject(r, REJECT_CLUSTER_INACTIVE, "The referenced cluster was inactive.");
        return SLOT_NONE;
    }
    return slot;
}

static bool check_cluster(const struct cmd_cluster *c, struct result *r)
{
    if (c->name.n == 0 || c->name.n > LIMIT_NAME) {
        store_reject(r, REJECT_INVALID, "A cluster name has 1 to %d characters.", LIMIT_NAME);
        return false;
    }
    if (c->tags.n > LIMIT_TAGS) {
        store_reject(r, REJECT_LIMIT, "At most %d tags.", LIMIT_TAGS);
        return false;
    }
    return true;
}

void store_cluster_create(struct store *s, const struct command *cmd, struct result *r)
{
    const struct cmd_cluster *c = &cmd->u.cluster;
    struct cluster row = {0};
    struct cluster *old;
    if (!check_cluster(c, r)) {
        return;
    }
    r->slot = store_find_cluster(s, c->name);
    old = r->slot == SLOT_NONE ? NULL : cluster_at(s, r->slot);
    if (old != NULL && old->status == CLUSTER_ACTIVE) {
        return;
    }
    if (old == NULL && store_full(s, KIND_CLUSTER)) {
        store_reject(r, REJECT_LIMIT, "At most %d clusters.", LIMIT_CLUSTERS);
        return;
    }
    if (!store_check_providers(s, SLOT_NONE, c->providers, c->n_providers, r)) {
        return;
    }
    if (old != NULL) {
        row = *old;
    }
    row.name = c->name;
    row.status = CLUSTER_ACTIVE;
    row.tags = c->tags;
    row.spec = c->spec;
    row.created_at = s->meta->now;
    row.deleted_at = 0;
    row.providers = c->providers;
    row.n_providers = c->n_providers;
    if (old == NULL) {
        store_insert(s, KIND_CLUSTER, &row, &r->slot);
        return;
    }
    store_replace(s, KIND_CLUSTER, r->slot, &row);
    store_gc_update(s, KIND_CLUSTER, r->slot);
}

void store_cluster_update(struct store *s, const struct command *cmd, struct result *r)
{
    const struct cmd_cluster *c = &cmd->u.cluster;
    r->slot = store_active_cluster(s, c->name, r);
    if (r->slot == SLOT_NONE) {
        return;
    }
    if (c->has_providers) {
        struct cluster row = *cluster_at(s, r->slot);
        if (!store_check_providers(s, r->slot, c->providers, c->n_providers, r)) {
            return;
        }
        row.providers = c->providers;
        row.n_providers = c->n_providers;
        store_replace(s, KIND_CLUSTER, r->slot, &row);
    }
    if (c->has_spec) {
        store_set_text(s, &cluster_at(s, r->slot)->spec, c->spec, LIMIT_TASKDEF_BYTES);
        store_touch(s, KIND_CLUSTER, r->slot);
    }
}

void store_cluster_delete(struct store *s, const struct command *cmd, struct result *r)
{
    struct cluster *c;
    r->slot = store_find_cluster(s, cmd->u.name.name);
    if (r->slot == SLOT_NONE) {
        store_reject(r, REJECT_CLUSTER_NOT_FOUND, "Cluster not found.");
        return;
    }
    c = cluster_at(s, r->slot);
    if (c->status == CLUSTER_INACTIVE) {
        return;
    }
    if (c->n_nodes > 0) {
        store_reject(r, REJECT_CLUSTER_HAS_NODES,
                     "The Cluster cannot be deleted while Container Instances are active or "
                     "draining.");
    } else if (c->n_services + c->n_draining > 0) {
        store_reject(r, REJECT_CLUSTER_HAS_SERVICES,
                     "The Cluster cannot be deleted while Services are active.");
    } else if (c->n_active_tasks > 0) {
        store_reject(r, REJECT_CLUSTER_HAS_TASKS,
                     "The Cluster cannot be deleted while Tasks are active.");
    } else {
        c->status = CLUSTER_INACTIVE;
        c->deleted_at = s->meta->now;
        store_gc_update(s, KIND_CLUSTER, r->slot);
        store_touch(s, KIND_CLUSTER, r->slot);
    }
}

/* --- join tokens ---------------------------------------------------------------------------------
 */

void store_join_create(struct store *s, const struct command *cmd, struct result *r)
{
    const struct cmd_join *c = &cmd->u.join;
    struct join row = {0};
    row.cluster = store_active_cluster(s, c->cluster, r);
    if (row.cluster == SLOT_NONE) {
        return;
    }
    if (c->secret_sha256.n != 32 || c->uses == 0 || c->expires_at <= s->meta->now) {
        store_reject(r, REJECT_INVALID,
                     "A join token has a SHA-256 digest, at least one use and an expiry to come.");
        return;
    }
    if (store_find_join(s, c->secret_sha256) != SLOT_NONE) {
        store_reject(r, REJECT_INVALID, "This join token exists already.");
        return;
    }
    if (store_full(s, KIND_JOIN)) {
        store_reject(r, REJECT_LIMIT, "At most %d join tokens.", LIMIT_JOINS);
        return;
    }
    row.secret_sha256 = c->secret_sha256;
    row.expires_at = c->expires_at;
    row.uses_left = c->uses;
    store_insert(s, KIND_JOIN, &row, &r->slot);
}

/* result->slot is the cluster's: the token itself may be gone with this use. */
void store_join_use(struct store *s, const struct command *cmd, struct result *r)
{
    uint32_t slot = store_find_join(s, cmd->u.join.secret_sha256);
    struct join *join = store_at(s, KIND_JOIN, slot);
    if (join == NULL || join->expires_at <= s->meta->now ||
        cluster_at(s, join->cluster)->status != CLUSTER_ACTIVE) {
        store_reject(r, REJECT_JOIN_INVALID, "The join token is unknown, used up or expired.");
        return;
    }
    r->slot = join->cluster;
    r->id = id_derive(cmd->seed, s->meta->revision, 0);
    join->uses_left--;
    store_touch(s, KIND_JOIN, slot);
    if (join->uses_left == 0) {
        store_delete(s, KIND_JOIN, slot);
    }
}

/* --- the state machine itself --------------------------------------------------------------------
 */

void store_feature_level(struct store *s, const struct command *cmd, struct result *r)
{
    if (cmd->u.feature_level < s->meta->feature_level) {
        store_reject(r, REJECT_INVALID, "The feature level is %u already and never goes back.",
                     s->meta->feature_level);
        return;
    }
    if (cmd->u.feature_level > s->meta->feature_level) {
        s->meta->feature_level = cmd->u.feature_level;
        store_touch(s, KIND_META, 0);
    }
}

bool store_digest_at(const struct store *s, uint64_t revision, uint64_t *ret)
{
    if (revision < s->digests_from || revision > s->meta->revision ||
        s->meta->revision - revision >= STORE_DIGESTS) {
        return false;
    }
    *ret = s->digests[revision % STORE_DIGESTS];
    return true;
}

/* Replicas that loaded a checkpoint do not know digests from before: they cannot compare. */
void store_digest_check(struct store *s, const struct command *cmd, struct result *r)
{
    const struct cmd_digest *c = &cmd->u.digest;
    uint64_t here;
    if (c->revision >= s->meta->revision || !store_digest_at(s, c->revision, &here)) {
        return;
    }
    r->n_done = 1;
    if (here != c->digest) {
        store_reject(r, REJECT_INVALID,
                     "digest at revision %llu is %016llx here and %016llx at the leader",
                     (unsigned long long)c->revision, (unsigned long long)here,
                     (unsigned long long)c->digest);
    }
}
