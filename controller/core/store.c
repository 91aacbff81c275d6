/* The frame around the commands: rows in and out, what changed, the digest. */
#include "controller/core/store.h"

#include "common/base/hash.h"
#include "common/base/plant.h"
#include "controller/core/store_impl.h"

#include <stdio.h>
#include <string.h>

static const store_apply_fn apply_fns[CMD_N] = {
    [CMD_CLUSTER_CREATE] = store_cluster_create,
    [CMD_CLUSTER_UPDATE] = store_cluster_update,
    [CMD_CLUSTER_DELETE] = store_cluster_delete,
    [CMD_TASKDEF_REGISTER] = store_taskdef_register,
    [CMD_TASKDEF_DEREGISTER] = store_taskdef_deregister,
    [CMD_TASKDEF_DELETE] = store_taskdef_delete,
    [CMD_SERVICE_CREATE] = store_service_create,
    [CMD_SERVICE_UPDATE] = store_service_update,
    [CMD_SERVICE_DELETE] = store_service_delete,
    [CMD_PLAN] = store_plan,
    [CMD_TASK_STOP] = store_task_stop,
    [CMD_TASK_REPORTS] = store_task_reports,
    [CMD_NODE_REGISTER] = store_node_register,
    [CMD_NODE_STATE] = store_node_state,
    [CMD_NODE_DEREGISTER] = store_node_deregister,
    [CMD_NODE_CONNECTION] = store_node_connection,
    [CMD_ATTRIBUTES_PUT] = store_attributes_put,
    [CMD_ATTRIBUTES_DELETE] = store_attributes_delete,
    [CMD_TAG] = store_tag,
    [CMD_UNTAG] = store_untag,
    [CMD_JOIN_CREATE] = store_join_create,
    [CMD_JOIN_USE] = store_join_use,
    [CMD_GC] = store_gc,
    [CMD_SET_FEATURE_LEVEL] = store_feature_level,
    [CMD_DIGEST] = store_digest_check,
    [CMD_IDENTITY] = store_identity,
    [CMD_EPOCH] = store_epoch,
    [CMD_UNFENCE] = store_unfence,
    [CMD_PROVIDER_CREATE] = store_provider_create,
    [CMD_PROVIDER_UPDATE] = store_provider_update,
    [CMD_PROVIDER_DELETE] = store_provider_delete,
};

/* --- changes -------------------------------------------------------------------------------------
 */

void changes_init(struct changes *c, const struct mem *mem)
{
    memset(c, 0, sizeof *c);
    c->mem = mem;
}

void changes_close(struct changes *c)
{
    if (c->mem != NULL) {
        mem_free(c->mem, c->v, c->cap * sizeof *c->v);
    }
    memset(c, 0, sizeof *c);
}

void changes_clear(struct changes *c)
{
    c->n = 0;
}

void changes_add(struct changes *c, uint8_t kind, uint32_t slot)
{
    if (c->n == c->cap) {
        uint32_t cap = c->cap == 0 ? 64 : 2 * c->cap;
        c->v = mem_resize(c->mem, c->v, c->cap * sizeof *c->v, cap * sizeof *c->v);
        c->cap = cap;
    }
    c->v[c->n] = (struct change){kind, slot};
    c->n++;
}

/* --- life ----------------------------------------------------------------------------------------
 */

struct store *store_make(const struct mem *mem)
{
    struct store *s = mem_alloc(mem, sizeof *s);
    s->mem = mem;
    arena_init(&s->scratch, mem);
    for (unsigned kind = 1; kind < KIND_N; kind++) {
        table_init(&s->tables[kind], schema_of_kind(kind)->size, mem);
        map_init(&s->index[kind].map, mem);
        s->index[kind].store = s;
        s->index[kind].kind = (uint8_t)kind;
        s->gc[kind] = (struct store_queue){SLOT_NONE, SLOT_NONE};
    }
    s->digests = mem_alloc(mem, STORE_DIGESTS * sizeof *s->digests);
    s->meta = table_add(&s->tables[KIND_META], 0);
    s->digests_from = 1;
    return s;
}

struct store *store_open(const struct mem *mem)
{
    return store_make(mem);
}

static void close_rows(struct store *s, enum kind kind)
{
    for (uint32_t slot = 0; slot < s->tables[kind].high; slot++) {
        void *row = store_at(s, kind, slot);
        if (row != NULL) {
            schema_free(schema_of_kind(kind), row, s->mem);
        }
    }
    table_close(&s->tables[kind]);
    map_close(&s->index[kind].map);
}

void store_close(struct store *s)
{
    if (s == NULL) {
        return;
    }
    for (unsigned kind = 1; kind < KIND_N; kind++) {
        close_rows(s, kind);
    }
    for (uint32_t i = 0; i < s->n_ports; i++) {
        for (unsigned proto = 0; proto < PROTO_N; proto++) {
            portset_close(&s->ports[i].held[proto], s->mem);
        }
    }
    mem_free(s->mem, s->ports, s->n_ports * sizeof *s->ports);
    mem_free(s->mem, s->digests, STORE_DIGESTS * sizeof *s->digests);
    arena_close(&s->scratch);
    mem_free(s->mem, s, sizeof *s);
}

/* --- rows ----------------------------------------------------------------------------------------
 */

static uint64_t *version_of(const struct store *s, enum kind kind, uint32_t slot)
{
    static const size_t offsets[KIND_N] = {
        [KIND_CLUSTER] = offsetof(struct cluster, version),
        [KIND_TASKDEF] = offsetof(struct taskdef, version),
        [KIND_SERVICE] = offsetof(struct service, version),
        [KIND_NODE] = offsetof(struct node, version),
        [KIND_TASK] = offsetof(struct task, version),
        [KIND_TOKEN] = offsetof(struct token, version),
        [KIND_FAMILY] = offsetof(struct family, version),
        [KIND_JOIN] = offsetof(struct join, version),
        [KIND_META] = offsetof(struct meta, version),
        [KIND_CAPACITY_PROVIDER] = offsetof(struct capacity_provider, version),
    };
    char *row = store_at(s, kind, slot);
    assert(row != NULL);
    return (uint64_t *)(void *)(row + offsets[kind]);
}

void store_touch(struct store *s, enum kind kind, uint32_t slot)
{
    uint64_t *version = version_of(s, kind, slot);
    if (*version == s->meta->revision) {
        return;
    }
    *version = s->meta->revision;
    changes_add(s->changes, (uint8_t)kind, slot);
}

bool store_full(const struct store *s, enum kind kind)
{
    static const uint32_t limits[KIND_N] = {
        [KIND_CLUSTER] = LIMIT_CLUSTERS,
        [KIND_TASKDEF] = LIMIT_TASKDEFS,
        [KIND_SERVICE] = LIMIT_SERVICES,
        [KIND_NODE] = LIMIT_NODES,
        [KIND_TASK] = LIMIT_TASKS,
        [KIND_TOKEN] = LIMIT_TOKENS,
        [KIND_FAMILY] = LIMIT_TASKDEFS,
        [KIND_JOIN] = LIMIT_JOINS,
        [KIND_META] = 1,
        [KIND_CAPACITY_PROVIDER] = LIMIT_PROVIDERS,
    };
    return s->tables[kind].n >= limits[kind];
}

void *store_insert(struct store *s, enum kind kind, const void *row, uint32_t *ret_slot)
{
    uint32_t slot = table_free_slot(&s->tables[kind]);
    void *copy;
    assert(!store_full(s, kind));
    copy = table_add(&s->tables[kind], slot);
    schema_copy(schema_of_kind(kind), copy, row, s->mem);
    *version_of(s, kind, slot) = 0;
    store_clear_derived(s, kind, slot);
    store_index_add(s, kind, slot);
    store_attach(s, kind, slot);
    store_touch(s, kind, slot);
    if (ret_slot != NULL) {
        *ret_slot = slot;
    }
    return copy;
}

void store_delete(struct store *s, enum kind kind, uint32_t slot)
{
    if (*version_of(s, kind, slot) != s->meta->revision) {
        changes_add(s->changes, (uint8_t)kind, slot);
    }
    store_detach(s, kind, slot);
    store_index_remove(s, kind, slot);
    schema_free(schema_of_kind(kind), store_at(s, kind, slot), s->mem);
    table_remove(&s->tables[kind], slot);
}

void store_replace(struct store *s, enum kind kind, uint32_t slot, const void *row)
{
    const struct schema *schema = schema_of_kind(kind);
    void *old = store_at(s, kind, slot);
    void *copy = arena_alloc(&s->scratch, schema->size);
    schema_copy(schema, copy, row, s->mem);
    schema_free(schema, old, s->mem);
    memcpy(old, copy, schema->size);
    store_touch(s, kind, slot);
}

static struct str cut_text(struct str text, size_t max)
{
    size_t n = max;
    if (text.n <= max) {
        return text;
    }
    while (n > 0 && ((uint8_t)text.p[n] & 0xc0) == 0x80) {
        n--;
    }
    return str_make(text.p, n);
}

void store_set_text(struct store *s, struct str *field, struct str value, size_t max)
{
    struct str copy = {NULL, 0};
    if (value.p != NULL) {
        value = cut_text(value, max);
        copy = str_make(mem_dup(s->mem, value.p, value.n), value.n);
    }
    mem_free(s->mem, (char *)(uintptr_t)field->p, field->n + 1);
    *field = copy;
}

/* --- commands ------------------------------------------------------------------------------------
 */

void store_reject(struct result *r, enum reject why, const char *fmt, ...)
{
    va_list args;
    r->reject = (uint8_t)why;
    va_start(args, fmt);
    (void)vsnprintf(r->text, sizeof r->text, fmt, args);
    va_end(args);
}

static void update_digest(struct store *s)
{
    struct meta *meta = s->meta;
    uint64_t digest = hash_mix(meta->digest, (uint64_t)meta->now);
    for (uint32_t i = s->first_change; i < s->changes->n; i++) {
        const struct change *c = &s->changes->v[i];
        const void *row = store_at(s, c->kind, c->slot);
        uint64_t hash = 0;
        if (PLANTED(DIGEST_SKIPPED) && c->kind == KIND_TASK && meta->revision % 16 == 0) {
            continue;
        }
        /* The row META holds the digest itself; what else is in it follows from the commands. */
        if (row != NULL && c->kind != KIND_META) {
            hash = schema_hash(schema_of_kind(c->kind), row, 1);
        }
        digest = hash_mix(hash_mix(digest, (uint64_t)c->kind << 32 | c->slot), hash);
    }
    meta->digest = digest;
    s->digests[meta->revision % STORE_DIGESTS] = digest;
}

void store_apply(struct store *s, const struct command *cmd, struct changes *changes,
                 struct result *result)
{
    assert(!s->loading);
    arena_clear(&s->scratch);
    memset(result, 0, sizeof *result);
    result->slot = SLOT_NONE;
    s->changes = changes;
    s->first_change = changes->n;
    s->meta->revision++;
    s->meta->now = cmd->at_ms > s->meta->now || PLANTED(TIME_GOES_BACK) ? cmd->at_ms : s->meta->now;
    result->revision = s->meta->revision;
    if (cmd->kind < CMD_N && apply_fns[cmd->kind] != NULL) {
        apply_fns[cmd->kind](s, cmd, result);
    } else {
        store_reject(result, REJECT_INVALID, "unknown command kind %u", cmd->kind);
    }
    update_digest(s);
    s->changes = NULL;
}

/* --- reading -------------------------------------------------------------------------------------
 */

const struct meta *store_meta(const struct store *s)
{
    return s->meta;
}

uint32_t store_slots(const struct store *s, enum kind kind)
{
    return s->tables[kind].high;
}

uint32_t store_count(const struct store *s, enum kind kind)
{
    return s->tables[kind].n;
}

const void *store_row(const struct store *s, enum kind kind, uint32_t slot)
{
    return store_at(s, kind, slot);
}

const struct cluster *store_cluster(const struct store *s, uint32_t slot)
{
    return store_at(s, KIND_CLUSTER, slot);
}

const struct taskdef *store_taskdef(const struct store *s, uint32_t slot)
{
    return store_at(s, KIND_TASKDEF, slot);
}

const struct service *store_service(const struct store *s, uint32_t slot)
{
    return store_at(s, KIND_SERVICE, slot);
}

const struct node *store_node(const struct store *s, uint32_t slot)
{
    return store_at(s, KIND_NODE, slot);
}

const struct task *store_task(const struct store *s, uint32_t slot)
{
    return store_at(s, KIND_TASK, slot);
}

const struct token *store_token(const struct store *s, uint32_t slot)
{
    return store_at(s, KIND_TOKEN, slot);
}

const struct join *store_join(const struct store *s, uint32_t slot)
{
    return store_at(s, KIND_JOIN, slot);
}

const struct capacity_provider *store_capacity_provider(const struct store *s, uint32_t slot)
{
    return store_at(s, KIND_CAPACITY_PROVIDER, slot);
}
