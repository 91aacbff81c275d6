/* controller/raftio/logread.h
 *
 * The log as somebody looks at it who cannot change it: every record of every file, with where it
 * lies and whether it still counts, and every piece of damage with file and offset. Goes on behind
 * damage, which logfile_open() must not. Blocking; over any disk, best a read-only one. */
#ifndef CONTROLLER_RAFTIO_LOGREAD_H
#define CONTROLLER_RAFTIO_LOGREAD_H

#include "common/base/err.h"
#include "common/base/mem.h"
#include "controller/raftio/disk.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct logread_file {
    const char *name;
    uint64_t bytes;
    uint64_t first; /* Entries from here on in earlier files are void ... */
    bool reset;     /* ... or all of them: a snapshot was installed. */
};

struct logread_record {
    const char *file;
    uint64_t offset;
    uint64_t index;
    uint64_t term;
    uint64_t synced; /* Entries up to here were durable when it was written. */
    uint32_t type;   /* enum raft_entry_type */
    bool replaced;   /* A later file begins at or before it. */
    const uint8_t *bytes;
    size_t len;
};

struct logread_damage {
    const char *file;
    uint64_t offset;
    uint64_t length; /* Up to the next whole record; 0: unknown. */
    bool torn;       /* Nothing says that it was ever durable: a crash leaves that. */
    const char *why;
};

struct logread_summary {
    uint64_t n_files;
    uint64_t n_records;
    uint64_t n_replaced;
    uint64_t first; /* Index of the oldest and newest entry that counts; 0: none. */
    uint64_t last;
    uint64_t last_term;
    uint64_t synced; /* Known to be durable, by a later record or the watermark. */
    uint64_t n_damaged;
    uint64_t n_torn;
};

struct logread_events { /* Each may be NULL. Pointers are borrowed for the call. */
    void (*file)(void *ctx, const struct logread_file *file);
    void (*record)(void *ctx, const struct logread_record *record);
    void (*damage)(void *ctx, const struct logread_damage *damage);
};

/* Read all of it. Damage is no error; a file that cannot be read is. */
int logread(const struct disk *disk, const struct mem *mem, const struct logread_events *events,
            void *ctx, struct logread_summary *ret, struct err *err);

#endif
