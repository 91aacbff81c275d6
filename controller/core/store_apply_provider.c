/* Capacity providers, and who may name them. A service names only providers of its cluster, a
 * cluster only ACTIVE ones: so a provider that no cluster names is not in use. */
#include "controller/core/store_impl.h"

static bool check_provider(const struct cmd_provider *c, struct result *r)
{
    if (c->name.n == 0 || c->name.n > LIMIT_NAME) {
        store_reject(r, REJECT_INVALID, "A capacity provider name has 1 to %d characters.",
                     LIMIT_NAME);
        return false;
    }
    if (c->tags.n > LIMIT_TAGS || c->spec.n > LIMIT_TASKDEF_BYTES) {
        store_reject(r, REJECT_LIMIT, "At most %d tags.", LIMIT_TAGS);
        return false;
    }
    return true;
}

static struct capacity_provider *provider_at(const struct store *s, uint32_t slot)
{
    return store_at(s, KIND_CAPACITY_PROVIDER, slot);
}

/* The ACTIVE provider of this name, or SLOT_NONE and a rejection. */
static uint32_t active_provider(const struct store *s, struct str name, struct result *r)
{
    uint32_t slot = store_find_capacity_provider(s, name);
    if (slot == SLOT_NONE || provider_at(s, slot)->status != PROVIDER_ACTIVE) {
        store_reject(r, REJECT_PROVIDER_NOT_FOUND,
                     "The specified capacity provider \"%.*s\" was not found.", STR_ARG(name));
        return SLOT_NONE;
    }
    return slot;
}

void store_provider_create(struct store *s, const struct command *cmd, struct result *r)
{
    const struct cmd_provider *c = &cmd->u.provider;
    struct capacity_provider row = {0};
    const struct capacity_provider *old;
    uint32_t slot = store_find_capacity_provider(s, c->name);
    if (!check_provider(c, r)) {
        return;
    }
    old = provider_at(s, slot);
    if (old != NULL && old->status == PROVIDER_ACTIVE) {
        store_reject(r, REJECT_PROVIDER_EXISTS,
                     "The specified capacity provider already exists. To change the configuration "
                     "of an existing capacity provider, update it.");
        return;
    }
    if (old == NULL && store_full(s, KIND_CAPACITY_PROVIDER)) {
        store_reject(r, REJECT_LIMIT, "At most %d capacity providers.", LIMIT_PROVIDERS);
        return;
    }
    if (old != NULL) {
        row = *old;
    }
    row.name = c->name;
    row.status = PROVIDER_ACTIVE;
    row.spec = c->spec;
    row.tags = c->tags;
    row.created_at = s->meta->now;
    row.updated_at = s->meta->now;
    row.deleted_at = 0;
    if (old == NULL) {
        store_insert(s, KIND_CAPACITY_PROVIDER, &row, &r->slot);
        return;
    }
    store_replace(s, KIND_CAPACITY_PROVIDER, slot, &row);
    store_gc_update(s, KIND_CAPACITY_PROVIDER, slot);
    r->slot = slot;
}

void store_provider_update(struct store *s, const struct command *cmd, struct result *r)
{
    const struct cmd_provider *c = &cmd->u.provider;
    uint32_t slot = active_provider(s, c->name, r);
    if (slot == SLOT_NONE || !check_provider(c, r)) {
        return;
    }
    store_set_text(s, &provider_at(s, slot)->spec, c->spec, LIMIT_TASKDEF_BYTES);
    provider_at(s, slot)->updated_at = s->meta->now;
    store_touch(s, KIND_CAPACITY_PROVIDER, slot);
    r->slot = slot;
}

static bool cluster_names(const struct cluster *c, struct str provider)
{
    for (uint32_t i = 0; i < c->n_providers; i++) {
        if (str_eq(c->providers[i].name, provider)) {
            return true;
        }
    }
    return false;
}

void store_provider_delete(struct store *s, const struct command *cmd, struct result *r)
{
    struct str name = cmd->u.name.name;
    uint32_t slot = active_provider(s, name, r);
    if (slot == SLOT_NONE) {
        return;
    }
    for (uint32_t i = 0; i < store_slots(s, KIND_CLUSTER); i++) {
        const struct cluster *c = store_cluster(s, i);
        if (c != NULL && c->status == CLUSTER_ACTIVE && cluster_names(c, name)) {
            store_reject(r, REJECT_PROVIDER_IN_USE,
                         "The capacity provider cannot be deleted because it is associated with "
                         "cluster %.100s. Remove the capacity provider from the cluster and try "
                         "again.",
                         c->name.p);
            return;
        }
    }
    provider_at(s, slot)->status = PROVIDER_INACTIVE;
    provider_at(s, slot)->deleted_at = s->meta->now;
    store_gc_update(s, KIND_CAPACITY_PROVIDER, slot);
    store_touch(s, KIND_CAPACITY_PROVIDER, slot);
    r->slot = slot;
}

/* --- who names them ------------------------------------------------------------------------------
 */

static bool in_names(const struct provider_name *v, uint32_t n, struct str name)
{
    for (uint32_t i = 0; i < n; i++) {
        if (str_eq(v[i].name, name)) {
            return true;
        }
    }
    return false;
}

/* Does an ACTIVE service of the cluster have a provider that is not in the list? */
static bool is_needed(const struct store *s, uint32_t cluster, const struct provider_name *v,
                      uint32_t n)
{
    for (uint32_t i = 0; i < store_slots(s, KIND_SERVICE); i++) {
        const struct service *service = store_service(s, i);
        if (service == NULL || service->cluster != cluster || service->status != SERVICE_ACTIVE) {
            continue;
        }
        for (uint32_t k = 0; k < service->n_providers; k++) {
            if (!in_names(v, n, service->providers[k].provider)) {
                return true;
            }
        }
    }
    return false;
}

bool store_check_providers(const struct store *s, uint32_t cluster, const struct provider_name *v,
                           uint32_t n, struct result *r)
{
    if (n > LIMIT_CLUSTER_PROVIDERS) {
        store_reject(r, REJECT_LIMIT, "At most %d capacity providers.", LIMIT_CLUSTER_PROVIDERS);
        return false;
    }
    for (uint32_t i = 0; i < n; i++) {
        if (active_provider(s, v[i].name, r) == SLOT_NONE) {
            return false;
        }
        if (in_names(v, i, v[i].name)) {
            store_reject(r, REJECT_INVALID, "A capacity provider is named twice.");
            return false;
        }
    }
    if (cluster != SLOT_NONE && is_needed(s, cluster, v, n)) {
        store_reject(r, REJECT_PROVIDER_NEEDED,
                     "The specified capacity provider is in use and cannot be removed.");
        return false;
    }
    return true;
}

bool store_check_shares(const struct store *s, uint32_t cluster, const struct provider_share *v,
                        uint32_t n, struct result *r)
{
    if (n > LIMIT_CLUSTER_PROVIDERS) {
        store_reject(r, REJECT_LIMIT, "At most %d capacity providers.", LIMIT_CLUSTER_PROVIDERS);
        return false;
    }
    for (uint32_t i = 0; i < n; i++) {
        if (!cluster_names(store_cluster(s, cluster), v[i].provider)) {
            store_reject(r, REJECT_PROVIDER_NOT_FOUND,
                         "The specified capacity provider \"%.*s\" is not associated with the "
                         "cluster.",
                         STR_ARG(v[i].provider));
            return false;
        }
        if (v[i].n_base > LIMIT_PROVIDER_BASE || v[i].weight > LIMIT_PROVIDER_WEIGHT) {
            store_reject(r, REJECT_INVALID, "A base is at most %d, a weight %d.",
                         LIMIT_PROVIDER_BASE, LIMIT_PROVIDER_WEIGHT);
            return false;
        }
    }
    return true;
}
