/* Loading a checkpoint. What a file says is not believed: every reference and every value that the
 * rest of the store relies on is checked before it is used. */
#include "common/base/plant.h"
#include "controller/core/store_impl.h"

#include <string.h>

/* Referenced rows come before those that refer to them. */
static const uint8_t order[] = {KIND_CLUSTER, KIND_FAMILY, KIND_TASKDEF,
                                KIND_SERVICE, KIND_NODE,   KIND_TASK,
                                KIND_TOKEN,   KIND_JOIN,   KIND_CAPACITY_PROVIDER};

static const char *kind_name(enum kind kind)
{
    return schema_of_kind(kind)->name;
}

int store_load_row(struct store *s, enum kind kind, uint32_t slot, const void *row, struct err *err)
{
    const struct schema *schema = (unsigned)kind < KIND_N ? schema_of_kind(kind) : NULL;
    if (schema == NULL) {
        return err_set(err, ERR_CORRUPT, "rows of unknown kind %d", (int)kind);
    }
    s->loading = true;
    if (PLANTED(TOKEN_LOST) && kind == KIND_TOKEN) {
        return 0;
    }
    if (kind == KIND_META) {
        if (slot != 0) {
            return err_set(err, ERR_CORRUPT, "Meta %u: there is one such row", slot);
        }
        *s->meta = *(const struct meta *)row;
        return 0;
    }
    if (slot >= TABLE_SLOTS_MAX || store_full(s, kind)) {
        return err_set(err, ERR_CORRUPT, "%s %u: over the limit", kind_name(kind), slot);
    }
    if (store_at(s, kind, slot) != NULL ||
        store_lookup(s, kind, store_key_of(kind, row)) != SLOT_NONE) {
        return err_set(err, ERR_CORRUPT, "%s %u: slot or key is there twice", kind_name(kind),
                       slot);
    }
    schema_copy(schema, table_add(&s->tables[kind], slot), row, s->mem);
    store_clear_derived(s, kind, slot);
    store_index_add(s, kind, slot);
    return 0;
}

/* --- checks --------------------------------------------------------------------------------------
 */

static const char *check_taskdef(const struct store *s, const struct taskdef *v)
{
    uint32_t slot = store_lookup(s, KIND_FAMILY, (struct store_key){v->family, 0, 0});
    const struct family *family = store_at(s, KIND_FAMILY, slot);
    if (family == NULL || v->revision == 0 || v->revision > family->last_revision) {
        return "family";
    }
    return v->status > TASKDEF_DELETING ? "status" : NULL;
}

static const char *check_service(const struct store *s, const struct service *v)
{
    if (store_at(s, KIND_CLUSTER, v->cluster) == NULL) {
        return "cluster";
    }
    if (store_at(s, KIND_TASKDEF, v->primary.taskdef) == NULL) {
        return "primary.taskdef";
    }
    if (v->n_events > LIMIT_EVENTS) {
        return "events";
    }
    if (v->n_providers > LIMIT_CLUSTER_PROVIDERS) {
        return "providers";
    }
    return v->status > SERVICE_INACTIVE ? "status" : NULL;
}

static const char *check_node(const struct store *s, const struct node *v)
{
    if (store_at(s, KIND_CLUSTER, v->cluster) == NULL) {
        return "cluster";
    }
    return v->status > NODE_INACTIVE ? "status" : NULL;
}

static const char *check_bindings(const struct task *v)
{
    for (uint32_t i = 0; i < v->n_containers; i++) {
        for (uint32_t k = 0; k < v->containers[i].n_bindings; k++) {
            const struct binding *b = &v->containers[i].bindings[k];
            if (b->host_port == 0 || b->proto >= PROTO_N) {
                return "bindings";
            }
        }
    }
    return NULL;
}

static const char *check_task(const struct store *s, const struct task *v)
{
    const struct taskdef *def = store_at(s, KIND_TASKDEF, v->taskdef);
    if (store_at(s, KIND_CLUSTER, v->cluster) == NULL) {
        return "cluster";
    }
    if (def == NULL || v->n_containers != def->n_containers) {
        return "taskdef";
    }
    if (store_at(s, KIND_NODE, v->node) == NULL) {
        return "node";
    }
    if (v->service != SLOT_NONE && store_at(s, KIND_SERVICE, v->service) == NULL) {
        return "service";
    }
    if (v->status > TASK_STOPPED || (v->desired != TASK_RUNNING && v->desired != TASK_STOPPED)) {
        return "status";
    }
    return check_bindings(v);
}

/* What is wrong with a row: the name of a field, or NULL. */
static const char *check_row(const struct store *s, enum kind kind, const void *row)
{
    const struct cluster *cluster = row;
    const struct family *family = row;
    const struct token *token = row;
    const struct join *join = row;
    const struct capacity_provider *provider = row;
    switch (kind) {
    case KIND_CLUSTER:
        return cluster->status > CLUSTER_INACTIVE ? "status" : NULL;
    case KIND_FAMILY:
        return family->last_revision > LIMIT_REVISIONS ? "last_revision" : NULL;
    case KIND_TASKDEF:
        return check_taskdef(s, row);
    case KIND_SERVICE:
        return check_service(s, row);
    case KIND_NODE:
        return check_node(s, row);
    case KIND_TASK:
        return check_task(s, row);
    case KIND_TOKEN:
        if (token->n_ids == 0) {
            return "ids";
        }
        return store_at(s, KIND_CLUSTER, token->cluster) == NULL ? "cluster" : NULL;
    case KIND_JOIN:
        return store_at(s, KIND_CLUSTER, join->cluster) == NULL ? "cluster" : NULL;
    case KIND_CAPACITY_PROVIDER:
        return provider->status > PROVIDER_INACTIVE ? "status" : NULL;
    case KIND_META:
    case KIND_N:
        break;
    }
    return NULL;
}

/* The ports of the task are free, or it holds none any more. */
static bool ports_free(struct store *s, const struct task *t)
{
    if (t->status == TASK_STOPPED) {
        return true;
    }
    for (uint32_t i = 0; i < t->n_containers; i++) {
        for (uint32_t k = 0; k < t->containers[i].n_bindings; k++) {
            const struct binding *b = &t->containers[i].bindings[k];
            if (portset_last_in(&s->ports[t->node].held[b->proto], b->host_port, 1) != PORT_NONE) {
                return false;
            }
        }
    }
    return true;
}

static bool ports_differ(const struct task *t)
{
    const struct binding *seen[LIMIT_CONTAINERS * LIMIT_PORTS_PER_CONTAINER];
    uint32_t n = 0;
    for (uint32_t i = 0; i < t->n_containers; i++) {
        for (uint32_t k = 0; k < t->containers[i].n_bindings; k++) {
            const struct binding *b = &t->containers[i].bindings[k];
            for (uint32_t j = 0; j < n; j++) {
                if (seen[j]->host_port == b->host_port && seen[j]->proto == b->proto) {
                    return false;
                }
            }
            if (n == sizeof seen / sizeof seen[0]) {
                return false;
            }
            seen[n] = b;
            n++;
        }
    }
    return true;
}

/* --- building what is derived --------------------------------------------------------------------
 */

static int attach_rows(struct store *s, enum kind kind, struct err *err)
{
    for (uint32_t slot = 0; slot < s->tables[kind].high; slot++) {
        const void *row = store_at(s, kind, slot);
        const char *wrong;
        if (row == NULL) {
            continue;
        }
        wrong = check_row(s, kind, row);
        if (wrong == NULL && kind == KIND_TASK && !(ports_differ(row) && ports_free(s, row))) {
            wrong = "bindings";
        }
        if (wrong != NULL) {
            return err_set(err, ERR_CORRUPT, "%s %u: %s cannot be", kind_name(kind), slot, wrong);
        }
        store_attach(s, kind, slot);
    }
    return 0;
}

static void build_families(struct store *s)
{
    for (uint32_t slot = 0; slot < s->tables[KIND_FAMILY].high; slot++) {
        const struct family *family = store_at(s, KIND_FAMILY, slot);
        for (uint32_t i = 1; family != NULL && i <= family->last_revision; i++) {
            uint32_t def = store_find_taskdef(s, family->name, i);
            if (def != SLOT_NONE && taskdef_at(s, def)->status == TASKDEF_ACTIVE) {
                store_family_append(s, def);
            }
        }
    }
}

/* In order of time, so that each goes to the end of the queue. */
static void build_queue(struct store *s, enum kind kind)
{
    struct store_order *v;
    uint32_t n = 0;
    arena_clear(&s->scratch);
    v = arena_array(&s->scratch, s->tables[kind].n, sizeof *v);
    for (uint32_t slot = 0; slot < s->tables[kind].high; slot++) {
        const void *row = store_at(s, kind, slot);
        if (row != NULL) {
            v[n] = (struct store_order){store_gc_time(kind, row), slot};
            n++;
        }
    }
    store_sort(v, n);
    for (uint32_t i = 0; i < n; i++) {
        store_gc_update(s, kind, v[i].slot);
    }
    arena_clear(&s->scratch);
}

int store_load_done(struct store *s, struct err *err)
{
    s->loading = true;
    for (unsigned i = 0; i < sizeof order; i++) {
        int rv = attach_rows(s, order[i], err);
        if (rv != 0) {
            return rv;
        }
    }
    build_families(s);
    s->loading = false;
    for (unsigned i = 0; i < sizeof order; i++) {
        if (order[i] != KIND_FAMILY) {
            build_queue(s, order[i]);
        }
    }
    s->digests[s->meta->revision % STORE_DIGESTS] = s->meta->digest;
    s->digests_from = s->meta->revision == 0 ? 1 : s->meta->revision;
    return 0;
}
