/* controller/raftio/logfile.h
 *
 * The replicated log on disk: files of a fixed size, written front to back, never changed. Finds
 * out at open what can be trusted: a tail that was being written when the power went is cut off;
 * anything else that is wrong is refused with the name of the file and the offset, because a log
 * that silently got shorter breaks promises made to others.
 *
 * Blocking. Not thread-safe: after logfile_open() it belongs to the writer (writer.h). After any
 * error but those of logfile_open() the log must not be used any more and the process should end.
 */
#ifndef CONTROLLER_RAFTIO_LOGFILE_H
#define CONTROLLER_RAFTIO_LOGFILE_H

#include "common/base/err.h"
#include "common/base/mem.h"
#include "controller/raft/cache.h"
#include "controller/raft/replica.h"
#include "controller/raftio/disk.h"

#include <stddef.h>
#include <stdint.h>

#define LOGFILE_SEGMENT_BYTES 16777216u  /* 16 MiB. */
#define LOGFILE_SEGMENT_MAX   268435456u /* 256 MiB. */

struct logfile; /* Opaque. */

struct logfile_settings {
    uint64_t segment_bytes; /* Size of one file; 0: LOGFILE_SEGMENT_BYTES. */
};

/* disk and mem are borrowed until logfile_close(). On success *ret_entries, an unopened cache,
 * holds all entries; the caller closes it. What is in it is durable. */
int logfile_open(const struct disk *disk, const struct mem *mem,
                 const struct logfile_settings *settings, struct logfile **ret,
                 struct cache *ret_entries, struct err *err);
void logfile_close(struct logfile *l); /* NULL is fine. Does not write. */

/* Add entries at index, in place of what there is from index on. Durable after logfile_flush(). */
int logfile_append(struct logfile *l, uint64_t index, const struct replica_entry *entries,
                   unsigned n, struct err *err);
int logfile_flush(struct logfile *l, struct err *err);

/* Entries up to and including `through` are not needed any more. Frees whole files only. */
int logfile_trim(struct logfile *l, uint64_t through, struct err *err);

/* Forget everything and continue after index; durable on return. */
int logfile_reset(struct logfile *l, uint64_t index, struct err *err);

/* Note on disk how far the log is durable, so that a tail that vanishes later is missed. Costs a
 * sync; once a second is plenty. Does nothing when nothing changed. */
int logfile_mark(struct logfile *l, struct err *err);

/* Have the next file ready, so that changing files costs no allocation. Does nothing if it is. */
int logfile_prepare(struct logfile *l, struct err *err);

uint64_t logfile_last(const struct logfile *l);
uint64_t logfile_bytes(const struct logfile *l);    /* Of all files. */
uint64_t logfile_reserved(const struct logfile *l); /* Allocated and not used yet. */

#endif
