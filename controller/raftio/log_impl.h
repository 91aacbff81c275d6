/* controller/raftio/log_impl.h
 *
 * What log.c (writing) and log_scan.c (reading at open) share; nobody else includes it. The format
 * is drawn in log.c. */
#ifndef CONTROLLER_RAFTIO_LOG_IMPL_H
#define CONTROLLER_RAFTIO_LOG_IMPL_H

#include "common/base/buf.h"
#include "common/base/hash.h"
#include "controller/raftio/log.h"
#include "controller/raftio/slots.h"

#include <stdbool.h>

#define LOG_SPARE_NAME  "log-spare"
#define LOG_HEAD        64u
#define LOG_RECORD      40u
#define LOG_PENDING_MAX (8u * 1024u * 1024u) /* Larger batches are written in parts. */

static const char log_magic[8] = {'E', 'C', 'S', 'L', 'O', 'G', '0', '1'};

struct log_segment {
    uint32_t number;
    uint64_t first; /* Index of its first entry. */
    uint64_t bytes; /* Size of the file. */
};

struct log {
    const struct disk *disk;
    const struct mem *mem;
    uint64_t segment_bytes;
    struct log_segment *segments; /* In order of number. */
    size_t n_segments;
    size_t cap_segments;
    uint32_t next_number;

    void *file;      /* The last segment, or NULL while this process has not written yet. */
    uint64_t offset; /* Where pending goes. */
    struct buf pending;
    uint64_t last;   /* Index of the last entry, pending ones included. */
    uint64_t synced; /* Of the last durable one. */

    void *spare; /* Allocated, not named yet; or NULL. */
    uint64_t spare_bytes;

    struct slots mark;
    uint64_t marked_index;
};

static inline size_t log_record_size(size_t len)
{
    return LOG_RECORD + (len + 7) / 8 * 8;
}

/* p is a whole record with a payload of len bytes. */
static inline uint32_t log_record_crc(const uint8_t *p, size_t len)
{
    return crc32c(crc32c(0, p, 4), p + 8, LOG_RECORD - 8 + len);
}

void log_segment_name(uint32_t number, char ret[DISK_NAME_MAX]);

void log_add_segment(struct log *l, const struct log_segment *s);

/* Read every file into entries, decide what counts, fill l->segments and l->next_number. */
int log_scan(struct log *l, struct cache *entries, struct err *err);

#endif
