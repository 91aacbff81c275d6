/* controller/core/placement/shelf.h
 *
 * An ordered set of nodes: by a 64-bit key, then by id. The key holds two amounts of less than 31
 * bits, `high` and `low`; the order follows the high one. A search goes through the entries in
 * order for those with enough of the low amount and a wanted tag (what kind of node it is).
 *
 * Entries are in leaves, leaves in blocks, blocks in one list. Of each leaf and each block is kept
 * what a search passes it over by: the largest low amount, of all entries and of each tag. These
 * are never too small; after a removal they may be too large until a search is disappointed. They
 * lie in arrays of one kind, so that they are compared four or sixteen at a time. Pure. */
#ifndef CONTROLLER_CORE_PLACEMENT_SHELF_H
#define CONTROLLER_CORE_PLACEMENT_SHELF_H

#include "common/base/id.h"
#include "common/base/mem.h"

#include <stdbool.h>
#include <stdint.h>

#define SHELF_LINES 32u /* Entries of a leaf, leaves of a block. */
#define SHELF_TAGS  64u
#define SHELF_SLOTS (1u << 26)
#define SHELF_NONE  UINT32_MAX

struct shelf_entry {
    uint64_t key;
    struct id id;
    uint32_t slot; /* < SHELF_SLOTS */
    uint8_t tag;   /* < SHELF_TAGS */
};

struct shelf_leaf;
struct shelf_block;

/* Up to 32 entries, or the first ones of leaves or blocks, in order. In columns, so that one search
 * looks at all of them without a branch. */
struct shelf_lines {
    int32_t high[SHELF_LINES];
    int32_t low[SHELF_LINES];
    int32_t id[SHELF_LINES];    /* First bits. */
    uint32_t what[SHELF_LINES]; /* Slot and tag. */
};

struct shelf_tops {
    uint8_t of[SHELF_TAGS]; /* Rank of the largest low amount of any entry with the tag; 0: none. */
};

struct shelf {
    uint32_t n; /* Entries. */
    /* Private. */
    uint32_t n_blocks;
    uint32_t cap;
    struct shelf_lines *first; /* Entry of each block, 32 at a time; the others by block. */
    int32_t *low_max;
    struct shelf_tops *tops;
    bool *stale;
    struct shelf_block **blocks;
};

/* Gives the id of a node. Ids are asked for only where keys and the first bits of ids are equal. */
typedef struct id (*shelf_id)(const void *ctx, uint32_t slot);

/* Where entries live: memory, and who knows the ids. */
struct shelf_env {
    const struct mem *mem;
    shelf_id id;
    const void *ctx;
};

/* What a search is for. */
struct shelf_want {
    int32_t low;              /* At least so much. */
    bool any_tag;             /* All tags are wanted. */
    uint8_t rank;             /* Of low. */
    uint64_t tags;            /* The wanted ones, */
    uint8_t mask[SHELF_TAGS]; /* and again, 0xff each. */
};

/* A place in the order. */
struct shelf_at {
    uint32_t block;
    uint16_t leaf;
    uint16_t entry;
};

void shelf_close(struct shelf *s, const struct mem *mem); /* Zeroed shelves are fine. */

/* Insert what is not there; remove what is. */
void shelf_insert(struct shelf *s, const struct shelf_env *env, const struct shelf_entry *entry);
void shelf_remove(struct shelf *s, const struct shelf_env *env, const struct shelf_entry *entry);

/* All tags; then leave some out. low >= 0. */
void shelf_want_init(struct shelf_want *w, uint32_t low);
void shelf_want_not(struct shelf_want *w, uint8_t tag);

/* The place of the first entry with a key >= key. */
struct shelf_at shelf_seek(const struct shelf *s, uint64_t key);

/* The slot of the first entry; there is one. */
uint32_t shelf_first(const struct shelf *s);

/* The slot of the first entry at or behind *at that is wanted, or SHELF_NONE; *at moves there.
 * *ret_high: its high amount. What is known may be put right on the way. */
uint32_t shelf_find(struct shelf *s, const struct shelf_want *w, struct shelf_at *at,
                    uint32_t *ret_high);

/* Order and everything known are right. For tests. */
bool shelf_audit(const struct shelf *s, const struct shelf_env *env);

#endif
