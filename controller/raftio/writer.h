/* controller/raftio/writer.h
 *
 * The thread that writes the log: takes whatever has been asked for since it last looked, writes it
 * with one sync, and tells the loop. So under load a sync covers more entries, not more syncs an
 * entry. Also keeps the watermark and the next file ready when there is nothing else to do.
 *
 * Everything here belongs to the loop thread; the log itself to the writer from open to close. */
#ifndef CONTROLLER_RAFTIO_WRITER_H
#define CONTROLLER_RAFTIO_WRITER_H

#include "common/base/err.h"
#include "controller/raft/replica.h"
#include "controller/raftio/logfile.h"

#include <stdint.h>
#include <uv.h>

#define WRITER_LATENCY_N 24u

struct writer; /* Opaque. */

struct writer_events { /* From the loop. */
    /* Everything asked for up to this ticket is durable. */
    void (*done)(void *ctx, uint64_t ticket);
    /* writer_reset() is done and durable. */
    void (*reset)(void *ctx);
    /* Something could not be written: nothing that was not reported is durable. Once; nothing else
     * comes after it. */
    void (*failed)(void *ctx, const struct err *err);
};

struct writer_stats {
    uint64_t n_syncs;
    uint64_t sync_us_sum;
    uint64_t sync_us_max;
    uint64_t sync_us[WRITER_LATENCY_N]; /* sync_us[i]: took less than 2^i microseconds. */
    uint64_t logfile_bytes;
    uint64_t logfile_reserved;
};

/* log is borrowed until writer_close(), as are events. */
int writer_open(uv_loop_t *loop, struct logfile *log, const struct writer_events *events, void *ctx,
                struct writer **ret, struct err *err);

/* Write what was asked for, end the thread. No events from here on. NULL is fine. Blocks for as
 * long as the disk does. */
void writer_close(struct writer *w);

/* Entries are copied. ticket is reported back. */
void writer_append(struct writer *w, uint64_t index, const struct replica_entry *entries,
                   unsigned n, uint64_t ticket);
void writer_trim(struct writer *w, uint64_t through);
void writer_reset(struct writer *w, uint64_t index);

void writer_stats(struct writer *w, struct writer_stats *ret);

#endif
