/* controller/core/store.h
 *
 * The replicated state: one table per kind and the indexes over them. store_apply() is the only
 * function that changes it. Deterministic: the same commands in the same order give the same rows,
 * slots, ids and digest on every machine. Pure; one thread.
 *
 * A store is used by one owner. Row pointers are valid until the next store_apply(). */
#ifndef CONTROLLER_CORE_STORE_H
#define CONTROLLER_CORE_STORE_H

#include "common/base/err.h"
#include "common/base/mem.h"
#include "controller/core/command.h"
#include "controller/core/model.h"

struct store; /* Opaque. */

/* Which rows a command touched, in the order in which they changed, without repetition per command.
 * A row that no longer exists was deleted. */
struct change {
    uint8_t kind;
    uint32_t slot;
};

struct changes { /* The caller's; store_apply() appends. */
    struct change *v;
    uint32_t n;
    /* Private. */
    uint32_t cap;
    const struct mem *mem;
};

void changes_init(struct changes *c, const struct mem *mem);
void changes_close(struct changes *c);
void changes_clear(struct changes *c);
void changes_add(struct changes *c, uint8_t kind,
                 uint32_t slot); /* Without looking for repetition. */

/* mem is borrowed until store_close(). */
struct store *store_open(const struct mem *mem);
void store_close(struct store *s); /* NULL is fine. */

/* Carry out one command. Rejections are results. Every call is one revision, rejected or not.
 *
 * CMD_EPOCH never goes through the log: the offline tools apply it to a state that starts a log of
 * its own. It jumps ahead by LIMIT_EPOCH_REVISIONS revisions, so that versions, sessions and the
 * revisions of task definitions never repeat what the lost part of the old log gave out. */
void store_apply(struct store *s, const struct command *cmd, struct changes *changes,
                 struct result *result);

/* --- loading a checkpoint -----------------------------------------------------------------------
 */

/* Put one saved row into its slot (the store copies it). Rows may come in any order, META included;
 * then store_load_done() builds lists, indexes and counters and checks every reference. A store
 * that failed to load is only good for closing. */
int store_load_row(struct store *s, enum kind kind, uint32_t slot, const void *row,
                   struct err *err);
int store_load_done(struct store *s, struct err *err);

/* Recompute every index and counter from the tables and compare. For tests and `verify`. */
int store_check(const struct store *s, struct err *err);

/* The digest that the state had at an earlier revision; false when it is not remembered (any more).
 */
bool store_digest_at(const struct store *s, uint64_t revision, uint64_t *ret);

/* --- reading ------------------------------------------------------------------------------------
 */

const struct meta *store_meta(const struct store *s);

/* Number of slots ever used of a table: iterate 0 <= slot < n and skip the NULL ones. */
uint32_t store_slots(const struct store *s, enum kind kind);

/* How many rows there are. */
uint32_t store_count(const struct store *s, enum kind kind);

/* The row, or NULL when the slot is empty. store_row() gives it untyped. */
const void *store_row(const struct store *s, enum kind kind, uint32_t slot);
const struct cluster *store_cluster(const struct store *s, uint32_t slot);
const struct taskdef *store_taskdef(const struct store *s, uint32_t slot);
const struct service *store_service(const struct store *s, uint32_t slot);
const struct node *store_node(const struct store *s, uint32_t slot);
const struct task *store_task(const struct store *s, uint32_t slot);

/* By key; SLOT_NONE when there is none. Clusters, services and task definitions are found in any
 * status. */
uint32_t store_find_cluster(const struct store *s, struct str name);
uint32_t store_find_taskdef(const struct store *s, struct str family, uint32_t revision);
uint32_t store_find_latest(const struct store *s, struct str family); /* Highest ACTIVE revision. */
uint32_t store_find_service(const struct store *s, uint32_t cluster, struct str name);
uint32_t store_find_node(const struct store *s, struct id id);
uint32_t store_find_task(const struct store *s, struct id id);
uint32_t store_find_token(const struct store *s, uint32_t cluster, uint8_t operation,
                          struct str value);
uint32_t store_find_join(const struct store *s, struct str secret_sha256);
const struct token *store_token(const struct store *s, uint32_t slot);
uint32_t store_find_capacity_provider(const struct store *s, struct str name); /* Any status. */
const struct capacity_provider *store_capacity_provider(const struct store *s, uint32_t slot);
const struct join *store_join(const struct store *s, uint32_t slot);

/* Is there anything a CMD_GC at now_ms would remove? Otherwise *ret_due_ms is when there will be,
 * INT64_MAX for never (as things are). */
bool store_gc_due(const struct store *s, int64_t now_ms, int64_t *ret_due_ms);

#endif
