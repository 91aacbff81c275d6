/* Finding rows by key: one hash map per table, all of the same make. */
#include "controller/core/store_impl.h"

#include "common/base/hash.h"

struct store_key store_key_of(enum kind kind, const void *row)
{
    const struct cluster *cluster = row;
    const struct taskdef *taskdef = row;
    const struct service *service = row;
    const struct node *node = row;
    const struct task *task = row;
    const struct token *token = row;
    const struct family *family = row;
    const struct join *join = row;
    const struct capacity_provider *provider = row;
    switch (kind) {
    case KIND_CLUSTER:
        return (struct store_key){cluster->name, 0, 0};
    case KIND_TASKDEF:
        return (struct store_key){taskdef->family, taskdef->revision, 0};
    case KIND_SERVICE:
        return (struct store_key){service->name, service->cluster, 0};
    case KIND_NODE:
        return (struct store_key){{NULL, 0}, node->id.hi, node->id.lo};
    case KIND_TASK:
        return (struct store_key){{NULL, 0}, task->id.hi, task->id.lo};
    case KIND_TOKEN:
        return (struct store_key){token->value, token->cluster, token->operation};
    case KIND_FAMILY:
        return (struct store_key){family->name, 0, 0};
    case KIND_JOIN:
        return (struct store_key){join->secret_sha256, 0, 0};
    case KIND_CAPACITY_PROVIDER:
        return (struct store_key){provider->name, 0, 0};
    case KIND_META:
    case KIND_N:
        break;
    }
    return (struct store_key){{NULL, 0}, 0, 0};
}

static uint64_t key_hash(struct store_key key)
{
    uint64_t text = key.text.n == 0 ? 0 : hash_bytes(key.text.p, key.text.n, 0);
    return hash_mix(hash_mix(text, key.a), key.b);
}

static uint64_t row_hash(const struct store_index *index, uint32_t slot)
{
    const void *row = store_at(index->store, index->kind, slot);
    return key_hash(store_key_of(index->kind, row));
}

static bool key_eq(const void *ctx, uint32_t slot, const void *key)
{
    const struct store_index *index = ctx;
    const struct store_key *wanted = key;
    struct store_key found = store_key_of(index->kind, store_at(index->store, index->kind, slot));
    return found.a == wanted->a && found.b == wanted->b && str_eq(found.text, wanted->text);
}

uint32_t store_lookup(const struct store *s, enum kind kind, struct store_key key)
{
    const struct store_index *index = &s->index[kind];
    return map_get(&index->map, key_hash(key), key_eq, index, &key);
}

void store_index_add(struct store *s, enum kind kind, uint32_t slot)
{
    struct store_index *index = &s->index[kind];
    map_put(&index->map, row_hash(index, slot), slot);
}

void store_index_remove(struct store *s, enum kind kind, uint32_t slot)
{
    struct store_index *index = &s->index[kind];
    map_remove(&index->map, row_hash(index, slot), slot);
}

uint32_t store_find_cluster(const struct store *s, struct str name)
{
    return store_lookup(s, KIND_CLUSTER, (struct store_key){name, 0, 0});
}

uint32_t store_find_taskdef(const struct store *s, struct str family, uint32_t revision)
{
    return store_lookup(s, KIND_TASKDEF, (struct store_key){family, revision, 0});
}

uint32_t store_find_latest(const struct store *s, struct str family)
{
    uint32_t slot = store_lookup(s, KIND_FAMILY, (struct store_key){family, 0, 0});
    const struct family *row = store_at(s, KIND_FAMILY, slot);
    return row == NULL ? SLOT_NONE : row->last_active;
}

uint32_t store_find_service(const struct store *s, uint32_t cluster, struct str name)
{
    return store_lookup(s, KIND_SERVICE, (struct store_key){name, cluster, 0});
}

uint32_t store_find_node(const struct store *s, struct id id)
{
    return store_lookup(s, KIND_NODE, (struct store_key){{NULL, 0}, id.hi, id.lo});
}

uint32_t store_find_task(const struct store *s, struct id id)
{
    return store_lookup(s, KIND_TASK, (struct store_key){{NULL, 0}, id.hi, id.lo});
}

uint32_t store_find_token(const struct store *s, uint32_t cluster, uint8_t operation,
                          struct str value)
{
    return store_lookup(s, KIND_TOKEN, (struct store_key){value, cluster, operation});
}

uint32_t store_find_join(const struct store *s, struct str secret_sha256)
{
    return store_lookup(s, KIND_JOIN, (struct store_key){secret_sha256, 0, 0});
}

uint32_t store_find_capacity_provider(const struct store *s, struct str name)
{
    return store_lookup(s, KIND_CAPACITY_PROVIDER, (struct store_key){name, 0, 0});
}
