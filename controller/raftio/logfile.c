/* Files are called log-NNNNNNNNNN and numbered without gaps. All integers little-endian.
 *
 * Head of a file, 64 bytes:
 *
 *   0  u8[8]  "ECSLOG01"
 *   8  u32    CRC32C of bytes 12 to 63
 *  12  u32    number of the file
 *  16  u64    index of its first entry: entries from there on in earlier files are void
 *  24  u32    1: everything in earlier files is void (a snapshot was installed); else 0
 *  28  ...    zeros
 *
 * Then records, each on a multiple of 8:
 *
 *   0  u32    length of the payload
 *   4  u32    CRC32C of bytes 0 to 3 and of bytes 8 to the end of the payload
 *   8  u64    index
 *  16  u64    term
 *  24  u64    synced: all entries up to this index were durable when this record was written
 *  32  u32    number of the file: bytes left from a former life of the disk block do not fit
 *  36  u8     type (1 command, 2 barrier, 3 configuration), then 3 zeros
 *  40         payload, then zeros up to a multiple of 8
 *
 * and zeros to the end of the file, which is allocated before it gets its name.
 *
 * Entries are replaced (a follower with a wrong tail) by starting a new file; files are never
 * written twice, and one that was found at open is never continued. So nothing stale can follow a
 * new record, and one crash leaves at most one damaged place: behind the last sync.
 *
 * Torn or damaged? A bad record is a torn tail exactly if nothing claims that it was durable. There
 * are three who can: a later record with synced >= its index, a later file (the one before is
 * always synced first), and the watermark (file and index, written about every second). And a
 * record none of whose sectors is still zeros, nor its end, was not torn, but changed later:
 *
 *   watermark  u64 number of the file, u64 index, in slots (slots.h)
 *
 * Ruled out: a length prefix in front of each sync'ed batch (needs a second write), and truncating
 * in place (the truncation and the new records would have to become durable in that order). */
#include "controller/raftio/logfile.h"

#include "common/base/plant.h"
#include "controller/raftio/logfile_impl.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* --- names ----------------------------------------------------------------------------------- */

void logfile_segment_name(uint32_t number, char ret[DISK_NAME_MAX])
{
    snprintf(ret, DISK_NAME_MAX, "log-%010u", number);
}

void logfile_add_segment(struct logfile *l, const struct logfile_segment *s)
{
    if (l->n_segments == l->cap_segments) {
        size_t cap = l->cap_segments == 0 ? 16 : l->cap_segments * 2;
        l->segments = mem_resize(l->mem, l->segments, l->cap_segments * sizeof *l->segments,
                                 cap * sizeof *l->segments);
        l->cap_segments = cap;
    }
    l->segments[l->n_segments++] = *s;
}

/* --- writing --------------------------------------------------------------------------------- */

/* Write and sync what is pending. */
int logfile_flush(struct logfile *l, struct err *err)
{
    const struct disk *d = l->disk;
    int rv;
    if (l->pending.overflow) {
        return err_set(err, ERR_TOOBIG, "log: more than %zu bytes in one write", l->pending.len);
    }
    if (l->pending.len == 0) {
        return 0;
    }
    assert(l->file != NULL);
    rv = d->pwrite(d->ctx, l->file, l->offset, l->pending.data, l->pending.len, err);
    if (rv == 0 && !PLANTED(NO_FSYNC)) {
        rv = d->sync(d->ctx, l->file, err);
    }
    if (rv != 0) {
        return rv;
    }
    l->offset += l->pending.len;
    l->synced = l->last;
    buf_clear(&l->pending);
    return 0;
}

int logfile_prepare(struct logfile *l, struct err *err)
{
    const struct disk *d = l->disk;
    uint64_t size = l->segment_bytes;
    int rv;
    if (l->spare != NULL) {
        return 0;
    }
    rv = d->open(d->ctx, LOGFILE_SPARE_NAME, true, &l->spare, err);
    if (rv != 0) {
        l->spare = NULL;
        return rv;
    }
    rv = d->allocate(d->ctx, l->spare, size, err);
    if (rv == 0) {
        rv = d->sync(d->ctx, l->spare, err);
    }
    if (rv != 0) {
        d->close(d->ctx, l->spare);
        l->spare = NULL;
        return rv;
    }
    l->spare_bytes = size;
    return 0;
}

static int write_head(struct logfile *l, uint32_t number, uint64_t first, bool reset,
                      struct err *err)
{
    const struct disk *d = l->disk;
    uint8_t head[LOGFILE_HEAD] = {0};
    int rv;
    memcpy(head, logfile_magic, sizeof logfile_magic);
    put_u32(head + 12, number);
    put_u64(head + 16, first);
    put_u32(head + 24, reset ? 1 : 0);
    put_u32(head + 8, crc32c(0, head + 12, LOGFILE_HEAD - 12));
    rv = d->pwrite(d->ctx, l->spare, 0, head, sizeof head, err);
    return rv != 0 ? rv : d->sync(d->ctx, l->spare, err);
}

/* Go on in a new file with room for at least `need` bytes. Everything before is durable first. */
static int roll(struct logfile *l, uint64_t first, bool reset, uint64_t need, struct err *err)
{
    const struct disk *d = l->disk;
    struct logfile_segment s = {.number = l->next_number, .first = first};
    char name[DISK_NAME_MAX];
    int rv = logfile_flush(l, err);
    if (rv == 0) {
        rv = logfile_prepare(l, err);
    }
    if (rv == 0 && need > l->spare_bytes) {
        rv = d->allocate(d->ctx, l->spare, need, err);
        l->spare_bytes = need;
    }
    if (rv == 0) {
        rv = write_head(l, s.number, first, reset, err);
    }
    logfile_segment_name(s.number, name);
    if (rv == 0) {
        rv = d->rename(d->ctx, LOGFILE_SPARE_NAME, name, err);
    }
    if (rv == 0 && !PLANTED(NO_DIR_SYNC)) {
        rv = d->sync_dir(d->ctx, err);
    }
    if (rv != 0) {
        return rv;
    }
    if (l->file != NULL) {
        d->close(d->ctx, l->file);
    }
    s.bytes = l->spare_bytes;
    l->file = l->spare;
    l->spare = NULL;
    l->offset = LOGFILE_HEAD;
    l->next_number++;
    l->last = first - 1;
    l->synced = first - 1;
    logfile_add_segment(l, &s);
    return 0;
}

static void put_record(struct logfile *l, uint64_t index, const struct replica_entry *e)
{
    static const uint8_t zeros[8];
    struct buf *b = &l->pending;
    size_t at = b->len;
    uint8_t *p;
    buf_put_u32(b, (uint32_t)e->len);
    buf_put_u32(b, 0);
    buf_put_u64(b, index);
    buf_put_u64(b, e->term);
    buf_put_u64(b, l->synced);
    buf_put_u32(b, l->segments[l->n_segments - 1].number);
    buf_put_u32(b, (uint32_t)e->type);
    buf_put(b, e->bytes, e->len);
    buf_put(b, zeros, logfile_record_size(e->len) - LOGFILE_RECORD - e->len);
    if (b->overflow) {
        return;
    }
    p = b->data + at;
    put_u32(p + 4, logfile_record_crc(p, e->len));
}

int logfile_append(struct logfile *l, uint64_t index, const struct replica_entry *entries,
                   unsigned n, struct err *err)
{
    assert(index <= l->last + 1);
    for (unsigned i = 0; i < n; i++) {
        uint64_t size = logfile_record_size(entries[i].len);
        bool replaces = index + i <= l->last && !PLANTED(NO_TRUNCATION);
        bool full = l->file == NULL ||
                    l->offset + l->pending.len + size > l->segments[l->n_segments - 1].bytes;
        int rv = 0;
        if (replaces || full) {
            rv = roll(l, index + i, false, LOGFILE_HEAD + size, err);
        } else if (l->pending.len + size > LOGFILE_PENDING_MAX) {
            rv = logfile_flush(l, err);
        }
        if (rv != 0) {
            return rv;
        }
        put_record(l, index + i, &entries[i]);
        l->last = index + i;
    }
    return 0;
}

/* The last file that begins early enough has, with those behind it, all that is needed: where a
 * tail was replaced, a file begins before what older ones hold. */
static size_t n_unneeded(const struct logfile *l, uint64_t through)
{
    size_t i = l->n_segments > 0 ? l->n_segments - 1 : 0;
    while (i > 0 && l->segments[i].first > through + 1) {
        i--;
    }
    return PLANTED(LOG_KEPT) && through > 0 ? 0 : i;
}

int logfile_trim(struct logfile *l, uint64_t through, struct err *err)
{
    const struct disk *d = l->disk;
    /* One after the other, oldest first: a crash must not leave a gap in the numbers. */
    for (size_t n = n_unneeded(l, through); n > 0; n--) {
        char name[DISK_NAME_MAX];
        int rv;
        logfile_segment_name(l->segments[0].number, name);
        rv = d->unlink(d->ctx, name, err);
        if (rv == 0) {
            rv = d->sync_dir(d->ctx, err);
        }
        if (rv != 0) {
            return rv;
        }
        l->n_segments--;
        memmove(&l->segments[0], &l->segments[1], l->n_segments * sizeof l->segments[0]);
    }
    return 0;
}

int logfile_reset(struct logfile *l, uint64_t index, struct err *err)
{
    int rv = roll(l, index + 1, true, LOGFILE_HEAD, err);
    if (rv == 0) {
        l->segments[l->n_segments - 1].first = 0; /* It takes the place of all others. */
        rv = logfile_trim(l, 0, err);
    }
    if (rv == 0) {
        l->segments[0].first = index + 1;
    }
    return rv;
}

int logfile_mark(struct logfile *l, struct err *err)
{
    uint8_t bytes[16];
    if (l->file == NULL || l->synced == l->marked_index) {
        return 0;
    }
    put_u64(bytes, l->segments[l->n_segments - 1].number);
    put_u64(bytes + 8, l->synced);
    l->marked_index = l->synced;
    return slots_put_older(&l->mark, bytes, sizeof bytes, err);
}

/* --- life ------------------------------------------------------------------------------------ */

int logfile_open(const struct disk *disk, const struct mem *mem,
                 const struct logfile_settings *settings, struct logfile **ret,
                 struct cache *ret_entries, struct err *err)
{
    struct logfile *l;
    int rv;
    if (settings->segment_bytes > LOGFILE_SEGMENT_MAX) {
        return err_set(err, ERR_INVALID, "log: files of %llu bytes, limit %u",
                       (unsigned long long)settings->segment_bytes, LOGFILE_SEGMENT_MAX);
    }
    l = mem_alloc(mem, sizeof *l);
    l->disk = disk;
    l->mem = mem;
    l->segment_bytes =
        settings->segment_bytes != 0 ? settings->segment_bytes : LOGFILE_SEGMENT_BYTES;
    l->next_number = 1;
    buf_init(&l->pending, mem, LOGFILE_PENDING_MAX + logfile_record_size(REPLICA_ENTRY_MAX));
    cache_init(ret_entries, mem);
    rv = slots_open(&l->mark, disk, LOGFILE_MARK_NAME, err);
    if (rv == 0) {
        rv = logfile_scan(l, ret_entries, err);
    }
    if (rv != 0) {
        cache_close(ret_entries);
        logfile_close(l);
        return rv;
    }
    l->last = cache_last(ret_entries);
    l->synced = l->last;
    l->marked_index = UINT64_MAX;
    *ret = l;
    return 0;
}

void logfile_close(struct logfile *l)
{
    if (l == NULL) {
        return;
    }
    if (l->file != NULL) {
        l->disk->close(l->disk->ctx, l->file);
    }
    if (l->spare != NULL) {
        l->disk->close(l->disk->ctx, l->spare);
    }
    slots_close(&l->mark);
    buf_close(&l->pending);
    mem_free(l->mem, l->segments, l->cap_segments * sizeof *l->segments);
    mem_free(l->mem, l, sizeof *l);
}

uint64_t logfile_last(const struct logfile *l)
{
    return l->last;
}

uint64_t logfile_bytes(const struct logfile *l)
{
    uint64_t n = l->spare != NULL ? l->spare_bytes : 0;
    for (size_t i = 0; i < l->n_segments; i++) {
        n += l->segments[i].bytes;
    }
    return n;
}

uint64_t logfile_reserved(const struct logfile *l)
{
    uint64_t n = l->spare != NULL ? l->spare_bytes : 0;
    if (l->file != NULL) {
        uint64_t used = l->offset + l->pending.len;
        uint64_t all = l->segments[l->n_segments - 1].bytes;
        n += all > used ? all - used : 0;
    }
    return n;
}
