/* controller/raftio/slots.h
 *
 * A small file that holds two records, each with checksum and sequence number, so that there is
 * always a whole one: for term and vote, the watermark, and the members as of the checkpoint.
 * Blocking. Not thread-safe. */
#ifndef CONTROLLER_RAFTIO_SLOTS_H
#define CONTROLLER_RAFTIO_SLOTS_H

#include "common/base/err.h"
#include "controller/raftio/disk.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SLOTS_RECORD_MAX 4200u /* Bytes in one record. */

struct slot {
    bool valid;
    uint64_t seq; /* > 0 when valid; the larger the newer. */
    size_t len;
    uint8_t bytes[SLOTS_RECORD_MAX];
};

struct slots {
    struct slot slot[2];
    /* Private. */
    const struct disk *disk;
    void *file;
    const char *name;
};

/* Open or make the file and read both records. A file that was written once and has no whole
 * record any more is ERR_CORRUPT. disk and name are borrowed until slots_close(). */
int slots_open(struct slots *s, const struct disk *disk, const char *name, struct err *err);
void slots_close(struct slots *s); /* Zeroed is fine. */

/* The newest whole record, or NULL when nothing was ever written. */
const struct slot *slots_newest(const struct slots *s);

/* Replace one record (which: 0 or 1) by a newer one; durable on return. */
int slots_put(struct slots *s, unsigned which, const void *bytes, size_t len, struct err *err);

/* Replace the older record; durable on return. */
int slots_put_older(struct slots *s, const void *bytes, size_t len, struct err *err);

/* Are both whole and of the same slots_put_both()? */
bool slots_agree(const struct slots *s);

/* Replace both, one after the other, so that each alone tells the whole truth. */
int slots_put_both(struct slots *s, const void *bytes, size_t len, struct err *err);

#endif
