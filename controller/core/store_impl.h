/* controller/core/store_impl.h
 *
 * The inside of struct store, shared by store*.c alone.
 *
 * A row is changed in one of three ways:
 * - store_insert() and store_delete() keep index, lists, counters and ports in step;
 * - between x_begin() and x_end() any field of a row may change that counters depend on;
 * - other fields are set directly, followed by store_touch(). */
#ifndef CONTROLLER_CORE_STORE_IMPL_H
#define CONTROLLER_CORE_STORE_IMPL_H

#include "common/base/arena.h"
#include "common/base/map.h"
#include "controller/core/limits.h"
#include "controller/core/placement/portset.h"
#include "controller/core/schema.h"
#include "controller/core/store.h"
#include "controller/core/table.h"

#include <assert.h>

#define STORE_DIGESTS 4096u /* Revisions whose digest is remembered for CMD_DIGEST. */

#define PROTO_N 2

/* What a row is found by; unused members are zero. */
struct store_key {
    struct str text;
    uint64_t a;
    uint64_t b;
};

struct store_index {
    const struct store *store;
    uint8_t kind;
    struct map map;
};

/* Rows that will be removed, the oldest first. Threaded through the rows' in_gc. */
struct store_queue {
    uint32_t first;
    uint32_t last;
};

struct store_ports { /* Host ports that the tasks of a node hold. */
    struct portset held[PROTO_N];
};

struct store {
    const struct mem *mem;
    struct table tables[KIND_N];
    struct store_index index[KIND_N];
    struct store_queue gc[KIND_N];
    struct store_ports *ports; /* By node slot. */
    uint32_t n_ports;
    uint64_t *digests;     /* Of revision r at r % STORE_DIGESTS, */
    uint64_t digests_from; /* for revisions from this one on. */
    struct meta *meta;
    bool loading; /* Until store_load_done(). */
    /* During store_apply(). */
    struct arena scratch;
    struct changes *changes;
    uint32_t first_change;
};

/* --- store.c ------------------------------------------------------------------------------------
 */

struct store *store_make(const struct mem *mem);

static inline void *store_at(const struct store *s, enum kind kind, uint32_t slot)
{
    return table_row(&s->tables[kind], slot);
}

/* The same for slots that are known to be taken. */
static inline struct cluster *cluster_at(const struct store *s, uint32_t slot)
{
    struct cluster *row = store_at(s, KIND_CLUSTER, slot);
    assert(row != NULL);
    return row;
}

static inline struct taskdef *taskdef_at(const struct store *s, uint32_t slot)
{
    struct taskdef *row = store_at(s, KIND_TASKDEF, slot);
    assert(row != NULL);
    return row;
}

static inline struct service *service_at(const struct store *s, uint32_t slot)
{
    struct service *row = store_at(s, KIND_SERVICE, slot);
    assert(row != NULL);
    return row;
}

static inline struct node *node_at(const struct store *s, uint32_t slot)
{
    struct node *row = store_at(s, KIND_NODE, slot);
    assert(row != NULL);
    return row;
}

static inline struct task *task_at(const struct store *s, uint32_t slot)
{
    struct task *row = store_at(s, KIND_TASK, slot);
    assert(row != NULL);
    return row;
}

/* The row changed: note it, once per command, and stamp its version. */
void store_touch(struct store *s, enum kind kind, uint32_t slot);

/* Has the table its maximum of rows? */
bool store_full(const struct store *s, enum kind kind);

/* Add a copy of row. The caller checked that there is room and that the key is new. */
void *store_insert(struct store *s, enum kind kind, const void *row, uint32_t *ret_slot);

/* Remove a row that nothing refers to. */
void store_delete(struct store *s, enum kind kind, uint32_t slot);

/* Put a copy of row, whose arrays and texts may be borrowed or the old row's own, in the place of
 * the old one. The key stays. Not for fields that counters depend on, except inside begin/end. */
void store_replace(struct store *s, enum kind kind, uint32_t slot, const void *row);

/* Set a text of a row; NULL stays NULL. Texts longer than max are cut at a character. */
void store_set_text(struct store *s, struct str *field, struct str value, size_t max);

__attribute__((format(printf, 3, 4))) void store_reject(struct result *r, enum reject why,
                                                        const char *fmt, ...);

/* --- store_index.c ------------------------------------------------------------------------------
 */

struct store_key store_key_of(enum kind kind, const void *row);
uint32_t store_lookup(const struct store *s, enum kind kind, struct store_key key);
void store_index_add(struct store *s, enum kind kind, uint32_t slot);
void store_index_remove(struct store *s, enum kind kind, uint32_t slot);

/* --- store_links.c: what is derived from rows ----------------------------------------------------
 */

/* Zero the derived members of a row that was copied from elsewhere. */
void store_clear_derived(struct store *s, enum kind kind, uint32_t slot);

/* Count a row in and out: lists, counters, ports, queue. Rows it refers to are there. */
void store_attach(struct store *s, enum kind kind, uint32_t slot);
void store_detach(struct store *s, enum kind kind, uint32_t slot);

/* An ACTIVE definition becomes the last of its family's list. */
void store_family_append(struct store *s, uint32_t slot);

/* Ports of a task: held until it is STOPPED. */
void store_ports_take(struct store *s, const struct task *t);
void store_ports_give(struct store *s, const struct task *t);

/* A change that counters depend on. */
struct task *store_task_begin(struct store *s, uint32_t slot);
void store_task_end(struct store *s, uint32_t slot);  /* Touches. */
void store_task_same(struct store *s, uint32_t slot); /* Instead, when nothing changed after all. */
struct service *store_service_begin(struct store *s, uint32_t slot);
void store_service_end(struct store *s, uint32_t slot);
struct node *store_node_begin(struct store *s, uint32_t slot);
void store_node_end(struct store *s, uint32_t slot);
struct taskdef *store_taskdef_begin(struct store *s, uint32_t slot);
void store_taskdef_end(struct store *s, uint32_t slot);

/* Put the row into its queue or take it out, as its state asks for. */
void store_gc_update(struct store *s, enum kind kind, uint32_t slot);

/* When a queued row may go. */
int64_t store_gc_time(enum kind kind, const void *row);

/* The links of a row in its queue. */
struct task_links *store_gc_links(const struct store *s, enum kind kind, uint32_t slot);

/* Sort by key, then slot. */
struct store_order {
    int64_t key;
    uint32_t slot;
};
void store_sort(struct store_order *v, uint32_t n);

/* The tasks of a node that are not STOPPED, in slot order, in scratch memory. */
uint32_t store_active_tasks(struct store *s, uint32_t node, struct store_order **ret);

/* --- commands ------------------------------------------------------------------------------------
 */

typedef void (*store_apply_fn)(struct store *s, const struct command *cmd, struct result *r);

/* store_apply_cluster.c */
void store_cluster_create(struct store *s, const struct command *cmd, struct result *r);
void store_cluster_update(struct store *s, const struct command *cmd, struct result *r);
void store_cluster_delete(struct store *s, const struct command *cmd, struct result *r);
void store_join_create(struct store *s, const struct command *cmd, struct result *r);
void store_join_use(struct store *s, const struct command *cmd, struct result *r);
void store_feature_level(struct store *s, const struct command *cmd, struct result *r);
void store_digest_check(struct store *s, const struct command *cmd, struct result *r);
void store_identity(struct store *s, const struct command *cmd, struct result *r);
void store_epoch(struct store *s, const struct command *cmd, struct result *r);
void store_unfence(struct store *s, const struct command *cmd, struct result *r);

/* store_apply_provider.c */
void store_provider_create(struct store *s, const struct command *cmd, struct result *r);
void store_provider_update(struct store *s, const struct command *cmd, struct result *r);
void store_provider_delete(struct store *s, const struct command *cmd, struct result *r);

/* May a cluster have these capacity providers? cluster: SLOT_NONE when it is new. */
bool store_check_providers(const struct store *s, uint32_t cluster, const struct provider_name *v,
                           uint32_t n, struct result *r);

/* May a service of the cluster have this strategy? */
bool store_check_shares(const struct store *s, uint32_t cluster, const struct provider_share *v,
                        uint32_t n, struct result *r);

/* The ACTIVE cluster of this name, or SLOT_NONE and a rejection. */
uint32_t store_active_cluster(const struct store *s, struct str name, struct result *r);

/* store_apply_taskdef.c */
void store_taskdef_register(struct store *s, const struct command *cmd, struct result *r);
void store_taskdef_deregister(struct store *s, const struct command *cmd, struct result *r);
void store_taskdef_delete(struct store *s, const struct command *cmd, struct result *r);

/* store_apply_service.c */
void store_service_create(struct store *s, const struct command *cmd, struct result *r);
void store_service_update(struct store *s, const struct command *cmd, struct result *r);
void store_service_delete(struct store *s, const struct command *cmd, struct result *r);
void store_service_event(struct store *s, uint32_t slot, struct id id, struct str message);

/* store_apply_plan.c */
void store_plan(struct store *s, const struct command *cmd, struct result *r);

/* store_apply_task.c */
void store_task_stop(struct store *s, const struct command *cmd, struct result *r);
void store_task_reports(struct store *s, const struct command *cmd, struct result *r);

/* Ask for the end of a task that is wanted. */
void store_unwant(struct store *s, uint32_t slot, uint8_t stop_code, struct str reason);

/* The task is over, whatever its agent says from now on. */
void store_lose(struct store *s, uint32_t slot, struct str reason);

/* store_apply_node.c */
void store_node_register(struct store *s, const struct command *cmd, struct result *r);
void store_node_state(struct store *s, const struct command *cmd, struct result *r);
void store_node_deregister(struct store *s, const struct command *cmd, struct result *r);
void store_node_connection(struct store *s, const struct command *cmd, struct result *r);
void store_attributes_put(struct store *s, const struct command *cmd, struct result *r);
void store_attributes_delete(struct store *s, const struct command *cmd, struct result *r);

/* store_apply_tags.c */
void store_tag(struct store *s, const struct command *cmd, struct result *r);
void store_untag(struct store *s, const struct command *cmd, struct result *r);

/* store_apply_gc.c */
void store_gc(struct store *s, const struct command *cmd, struct result *r);

/* store_token.c: was this request carried out already? */
enum token_verdict { TOKEN_NEW, TOKEN_DUPLICATE, TOKEN_REFUSED };
enum token_verdict store_token_check(struct store *s, uint32_t cluster, uint8_t operation,
                                     const struct request_token *token, struct result *r,
                                     uint32_t *ret_slot);
void store_token_keep(struct store *s, uint32_t cluster, uint8_t operation,
                      const struct request_token *token, const struct id *ids, uint32_t n_ids);

#endif
