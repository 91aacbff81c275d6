/* controller/storage/checkpoint.h
 *
 * The durable image of the store: checkpoint.db (SQLite, WAL mode) in a directory of its own,
 * written behind by one thread. Each transaction carries the log index, term, revision and digest
 * it reaches, so a checkpoint always is the state after exactly that log entry. Rows that change
 * again before they are written are written once.
 *
 *   start:   storage_open, storage_load into a fresh store, replay the log after *ret_point
 *   run:     per applied log entry storage_row() for each changed row, then storage_commit();
 *            when woken: storage_durable() and tell raft, storage_error()
 *   lagging follower, sender:   storage_snapshot_open / _read / _close
 *   lagging follower, receiver: storage_receive_begin / _chunk, storage_install; when woken:
 *            storage_installed(), storage_load into a fresh store
 *   stop:    storage_close (writes what is waiting)
 *
 * Threads: one owner (the loop thread) calls everything, except storage_load(), which any one
 * thread may run. Nothing blocks unless it says so. `wake` runs on the storage thread: it may only
 * pass the word on (uv_async_send).
 *
 * Any error of the disk is final: storage_error() repeats it, nothing is written any more, and the
 * process should leave the quorum. */
#ifndef CONTROLLER_STORAGE_CHECKPOINT_H
#define CONTROLLER_STORAGE_CHECKPOINT_H

#include "common/base/err.h"
#include "common/base/mem.h"
#include "controller/codec/object.h"
#include "controller/core/store.h"
#include "controller/storage/history.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct storage; /* Opaque. */

/* A place in the log and the state reached there. All zero: the empty state. */
struct storage_point {
    uint64_t index;
    uint64_t term;
    uint64_t revision;
    uint64_t digest;
};

/* Durable state has advanced, a snapshot is ready, an installation ended, or an error happened. */
typedef void (*storage_wake_cb)(void *data);

struct storage_options {
    const struct codec *codec;     /* For storage_load(). Borrowed. */
    const char *dir;               /* Made if missing (its parent is not). Copied. */
    storage_wake_cb wake;          /* On the storage thread. May be NULL. */
    void *data;                    /* For wake. */
    uint32_t interval_ms;          /* Between transactions, to coalesce and spare fsyncs. 0: 250. */
    uint32_t cache_kib;            /* SQLite's page cache. 0: 8192. */
    struct history_limits history; /* Zeroed fields mean the default. */
};

struct storage_stats {
    uint64_t n_transactions;
    uint64_t n_rows;       /* Written, deletions included. */
    uint64_t n_coalesced;  /* Row changes that never had to be written. */
    uint64_t n_full;       /* Transactions put off because the disk was full. */
    uint64_t pending_rows; /* Waiting now. */
    uint64_t pending_bytes;
    uint64_t last_write_us; /* Duration of the latest transaction, commit included. */
    uint64_t write_us_max;
    uint64_t file_bytes;     /* Of the checkpoint, without its WAL. */
    uint64_t n_history;      /* Records written. */
    uint64_t n_history_lost; /* Records dropped: queue full or history.db failing. */
};

/* --- start and stop ------------------------------------------------------------------------- */

/* Open or create the checkpoint and start the thread. *ret_point says what it contains. A damaged
 * or foreign file is refused with ERR_CORRUPT, one that is in use with ERR_BUSY. history.db is
 * made anew when it cannot be used. Blocking. */
int storage_open(const struct storage_options *options, struct storage **ret,
                 struct storage_point *ret_point, struct err *err);

/* Read every row into the freshly opened store and call store_load_done(); compares revision and
 * digest with the point of the checkpoint. Blocking; no storage_commit() meanwhile. */
int storage_load(struct storage *s, struct store *store, const struct mem *mem, struct err *err);

/* Write everything waiting, stop the thread, release. Blocking. 0 when all is durable. NULL is
 * fine. */
int storage_close(struct storage *s, struct err *err);

/* --- writing -------------------------------------------------------------------------------- */

/* The row (kind, slot) now is these bytes (of codec_encode_row, copied), or gone when bytes is
 * NULL. Becomes part of the next storage_commit(). */
void storage_row(struct storage *s, uint8_t kind, uint32_t slot, const uint8_t *bytes, size_t n);

/* All rows since the last commit belong to the state at *point; points only move forward. While the
 * disk is full they wait, and are tried again every second. */
void storage_commit(struct storage *s, const struct storage_point *point);

/* What a crash now would come back with. Never goes back. */
struct storage_point storage_durable(struct storage *s);

/* Write what waits now instead of at the end of the interval. */
void storage_flush(struct storage *s);

/* 0, or the error that stopped the storage. */
int storage_error(struct storage *s, struct err *err);

/* Bytes of row changes waiting. The owner should slow down well before memory runs out. */
size_t storage_backlog(struct storage *s);

void storage_stats(struct storage *s, struct storage_stats *ret);

/* --- sending a snapshot --------------------------------------------------------------------- */

struct storage_snapshot; /* Opaque: an open copy. */

/* Open a consistent copy of the durable checkpoint. ERR_AGAIN: one is being made, wake will be
 * called. *ret_size is in bytes. */
int storage_snapshot_open(struct storage *s, struct storage_snapshot **ret,
                          struct storage_point *ret_point, uint64_t *ret_size, struct err *err);

/* Up to size bytes at offset; *ret_n is how many, all of them except at the end. */
int storage_snapshot_read(struct storage_snapshot *snap, uint64_t offset, uint8_t *to, size_t size,
                          size_t *ret_n, struct err *err);

void storage_snapshot_close(struct storage_snapshot *snap); /* NULL is fine. */

/* --- receiving one -------------------------------------------------------------------------- */

/* Begin, forgetting an unfinished earlier one. ERR_BUSY while one is being installed. */
int storage_receive_begin(struct storage *s, uint64_t size, struct err *err);

/* The next bytes, in order. ERR_TOOBIG beyond the announced size. */
int storage_receive_chunk(struct storage *s, const uint8_t *bytes, size_t n, struct err *err);

void storage_receive_abort(struct storage *s);

/* Check the received file (SQLite's integrity, every row's checksum, the hash over all rows, and
 * that it is the state at this index and term) and put it in the place of the checkpoint,
 * atomically and durably. Row changes not written yet are dropped: they are older. The outcome
 * comes by wake. ERR_INVALID when bytes are missing. No storage_row() or storage_commit() until
 * storage_installed() has answered. */
int storage_install(struct storage *s, uint64_t index, uint64_t term, struct err *err);

/* ERR_AGAIN: still at it. 0: done, *ret_point is the new state. Otherwise nothing has changed.
 * Answers once per storage_install(), then ERR_NOTFOUND. */
int storage_installed(struct storage *s, struct storage_point *ret_point, struct err *err);

#endif
