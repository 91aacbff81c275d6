/* controller/raftio/durable.h
 *
 * Everything a controller keeps on disk for consensus, opened together and checked against each
 * other and against the state module's checkpoint: the log, term and vote, and the members as of
 * the checkpoint. Blocking. Not thread-safe, except that the log may be handed to a writer thread
 * after durable_open(): the other files are apart from it. */
#ifndef CONTROLLER_RAFTIO_DURABLE_H
#define CONTROLLER_RAFTIO_DURABLE_H

#include "common/base/err.h"
#include "common/base/mem.h"
#include "controller/raft/conf.h"
#include "controller/raft/replica.h"
#include "controller/raftio/disk.h"
#include "controller/raftio/logfile.h"

#include <stdbool.h>
#include <stdint.h>

struct durable; /* Opaque. */

struct durable_settings {
    uint64_t id;
    const struct conf_member *members; /* For the first start ever; the same everywhere. */
    unsigned n_members;
    bool joining;              /* An empty directory begins no log: the members will send theirs. */
    uint64_t incarnation;      /* Random, not 0; for a directory that has none yet. */
    uint64_t checkpoint_index; /* The state module has everything up to here; 0: nothing. */
    uint64_t checkpoint_term;
    struct logfile_settings log;
};

/* Read what is there; in an empty directory begin a log with the members as entry 1, or none when
 * joining.
 * ERR_CONFLICT: the directory is another controller's. ERR_CORRUPT: something is missing or
 * damaged, err says what and where. disk and mem are borrowed until durable_close(). */
int durable_open(const struct disk *disk, const struct mem *mem,
                 const struct durable_settings *settings, struct durable **ret, struct err *err);
void durable_close(struct durable *d); /* NULL is fine. */

/* Make the files of a directory that begins with a checkpoint instead of a first entry: for restore
 * and recover. The directory must be empty. Durable on return; durable_open() goes on from there.
 */
int durable_create(const struct disk *disk, uint64_t id, uint64_t term, uint64_t incarnation,
                   const struct replica_snapshot *s, struct err *err);

/* For replica_start(); valid until durable_boot_done(), which frees the memory it takes. */
const struct replica_boot *durable_boot(const struct durable *d);
void durable_boot_done(struct durable *d);

struct logfile *durable_log(struct durable *d);

/* Which directory this is: drawn once, never again, gone with the directory. */
uint64_t durable_incarnation(const struct durable *d);

/* Call when entries are durable, or a snapshot is installed: from now on an empty log means that
 * something was lost. Writes only the first time in a directory that began by joining. */
int durable_joined(struct durable *d, struct err *err);

/* Durable on return. */
int durable_save_vote(struct durable *d, uint64_t term, uint64_t vote, struct err *err);

/* Before entries up to s->index may be trimmed: remember the members as of then. Costs a sync when
 * they have changed, otherwise nothing. */
int durable_note_checkpoint(struct durable *d, const struct replica_snapshot *s, struct err *err);

/* A snapshot is about to be installed. In this order: durable_install_begin(), the state module
 * switches, logfile_reset(), durable_install_end(). A crash anywhere leaves the old or the new. */
int durable_install_begin(struct durable *d, const struct replica_snapshot *s, struct err *err);
void durable_install_end(struct durable *d);

#endif
