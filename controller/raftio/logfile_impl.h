/* controller/raftio/logfile_impl.h
 *
 * What logfile.c (writing) and logfile_scan.c (reading at open) share; nobody else includes it. The
 * format is drawn in logfile.c. */
#ifndef CONTROLLER_RAFTIO_LOGFILE_IMPL_H
#define CONTROLLER_RAFTIO_LOGFILE_IMPL_H

#include "common/base/buf.h"
#include "common/base/hash.h"
#include "controller/raftio/logfile.h"
#include "controller/raftio/slots.h"

#include <stdbool.h>

#define LOGFILE_SPARE_NAME  "log-spare"
#define LOGFILE_MARK_NAME   "watermark"
#define LOGFILE_HEAD        64u
#define LOGFILE_RECORD      40u
#define LOGFILE_PENDING_MAX 8388608u /* 8 MiB; larger batches are written in parts. */

static const char logfile_magic[8] = {'E', 'C', 'S', 'L', 'O', 'G', '0', '1'};

#define LOGFILE_TYPE   36u  /* Of a record: offset of the type, which is never 0. */
#define LOGFILE_SECTOR 512u /* What a disk writes as a whole; fewer bytes than any has. */

struct logfile_segment {
    uint32_t number;
    uint64_t first; /* Index of its first entry. */
    uint64_t bytes; /* Size of the file. */
};

struct logfile {
    const struct disk *disk;
    const struct mem *mem;
    uint64_t segment_bytes;
    struct logfile_segment *segments; /* In order of number. */
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

static inline size_t logfile_record_size(size_t len)
{
    return LOGFILE_RECORD + (len + 7) / 8 * 8;
}

/* p is a whole record with a payload of len bytes. */
static inline uint32_t logfile_record_crc(const uint8_t *p, size_t len)
{
    return crc32c(crc32c(0, p, 4), p + 8, LOGFILE_RECORD - 8 + len);
}

/* The numbers of the files there are, ascending. */
struct logfile_names {
    const struct mem *mem;
    uint32_t *numbers;
    size_t n;
    size_t cap;
};

int logfile_names_read(struct logfile_names *names, const struct disk *disk, const struct mem *mem,
                       struct err *err);
void logfile_names_close(struct logfile_names *names); /* Zeroed is fine. */

/* Is there a whole record of this file at this offset of its bytes? Its size, or 0. */
size_t logfile_record_at(const uint8_t *data, size_t size, size_t offset, uint32_t number);

/* Are these bytes the head of this file? */
bool logfile_head_is_whole(const uint8_t *head, size_t size, uint32_t number);

void logfile_segment_name(uint32_t number, char ret[DISK_NAME_MAX]);

void logfile_add_segment(struct logfile *l, const struct logfile_segment *s);

/* Read every file into entries, decide what counts, fill l->segments and l->next_number. */
int logfile_scan(struct logfile *l, struct cache *entries, struct err *err);

#endif
