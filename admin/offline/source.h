/* admin/offline/source.h
 *
 * A controller's state as its files tell it: a checkpoint (or a backup), and the log after it, gone
 * through entry by entry with the code that controllers run. Nothing is changed. Blocking; one
 * thread. */
#ifndef ADMIN_OFFLINE_SOURCE_H
#define ADMIN_OFFLINE_SOURCE_H

#include "common/base/arena.h"
#include "common/base/err.h"
#include "controller/codec/object.h"
#include "controller/core/store.h"
#include "controller/raft/cache.h"
#include "controller/raftio/disk.h"
#include "controller/storage/image.h"

#include <stdbool.h>
#include <stdint.h>

struct source {
    struct codec *codec;
    struct store *store;     /* The state after the entry at. */
    struct storage_point at; /* index and term; the rest as of the checkpoint. */
    uint64_t checkpoint;     /* Where it began. */
    struct cache entries;    /* Of the log. */
    struct result result;    /* Of the last command. */
    /* Private. */
    struct changes changes;
    struct arena arena;
    struct disk disk;
};

void source_init(struct source *s);
void source_close(struct source *s);

/* Begin with the state of an image. */
int source_load(struct source *s, struct image *image, struct err *err);

/* Begin with the checkpoint of a data directory; from_start: with nothing, at entry 0. */
int source_load_dir(struct source *s, const char *dir, bool from_start, struct err *err);

/* Read the log of a data directory. ERR_CORRUPT as logfile_open(). */
int source_read_log(struct source *s, const char *dir, struct err *err);

/* Does the log go on from the state, with the term it had there? ERR_CONFLICT says why not. */
int source_check(const struct source *s, struct err *err);

/* The commands of the next entry, valid until the next call; none for entries of other types.
 * false: there is no further entry. */
bool source_next(struct source *s, const struct cache_entry **ret_entry, struct command **ret,
                 uint32_t *ret_n, struct err *err);

/* Carry out one command. ERR_CORRUPT: a digest in the log is not that of the state. */
int source_apply(struct source *s, const struct command *cmd, struct err *err);

/* The entry that source_next() gave is done. */
void source_done(struct source *s, const struct cache_entry *entry);

/* All that is left, up to and including the index. */
int source_apply_to(struct source *s, uint64_t index, struct err *err);

#endif
