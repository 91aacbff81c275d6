/* Log files as they are found on disk. The first byte chooses how much is repaired before the log
 * is opened (checksums make random bytes stop early); the rest is one file, and the watermark after
 * it. What opens must be in order, and must be the same when it is opened again after an append. */
#include "common/base/buf.h"
#include "common/base/hash.h"
#include "common/loop/sysmem.h"
#include "controller/raftio/logfile.h"
#include "tests/sim/simdisk.h"

#include <assert.h>
#include <string.h>

#define HEAD           64u
#define RECORD         40u
#define FILE_BYTES_MAX 16384u

static void repair_head(uint8_t *p, uint8_t number)
{
    memcpy(p, "ECSLOG01", 8);
    put_u32(p + 12, number);
    put_u32(p + 24, get_u32(p + 24) & 1);
    put_u64(p + 16, 1 + get_u64(p + 16) % 1000);
    put_u32(p + 8, crc32c(0, p + 12, HEAD - 12));
}

/* Give the first n records lengths that fit and good checksums. */
static void repair_records(uint8_t *p, size_t size, uint8_t number, unsigned n)
{
    size_t at = HEAD;
    uint64_t index = get_u64(p + 16);
    for (unsigned i = 0; i < n && size - at >= RECORD; i++, index++) {
        uint8_t *r = p + at;
        uint32_t len = get_u32(r) % 64;
        if (size - at < RECORD + (len + 7) / 8 * 8) {
            return;
        }
        put_u32(r, len);
        put_u64(r + 8, (r[8] & 0x80) != 0 ? get_u64(r + 8) : index);
        put_u64(r + 16, r[16]);
        put_u32(r + 32, number);
        put_u32(r + 36, r[36] & 3);
        put_u32(r + 4, crc32c(crc32c(0, r, 4), r + 8, RECORD - 8 + len));
        at += RECORD + (len + 7) / 8 * 8;
    }
}

static void put_file(const struct disk *d, const char *name, const uint8_t *bytes, size_t n)
{
    void *file;
    int rv = d->open(d->ctx, name, true, &file, NULL);
    assert(rv == 0);
    rv = d->pwrite(d->ctx, file, 0, bytes, n, NULL);
    assert(rv == 0);
    rv = d->sync(d->ctx, file, NULL);
    assert(rv == 0);
    rv = d->sync_dir(d->ctx, NULL);
    assert(rv == 0);
    d->close(d->ctx, file);
}

static void check_and_append(const struct disk *d, struct logfile *log, const struct cache *c)
{
    struct logfile_settings set = {.segment_bytes = 4096};
    uint64_t term = 0;
    uint64_t next = cache_last(c) + 1;
    struct replica_entry e = {.type = RAFT_COMMAND, .bytes = (const uint8_t *)"x", .len = 1};
    struct cache again;
    struct err err = {0};
    int rv;
    for (uint64_t i = c->first; i < next; i++) {
        assert(cache_get(c, i)->term >= term);
        term = cache_get(c, i)->term;
    }
    e.term = term + 1;
    rv = logfile_append(log, next, &e, 1, &err);
    assert(rv == 0);
    rv = logfile_flush(log, &err);
    assert(rv == 0);
    logfile_close(log);
    rv = logfile_open(d, sysmem(), &set, &log, &again, &err);
    assert(rv == 0);
    assert(again.first == c->first);
    assert(cache_last(&again) == next);
    cache_close(&again);
    logfile_close(log);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t file[FILE_BYTES_MAX];
    struct logfile_settings set = {.segment_bytes = 4096};
    struct simdisk *disk;
    struct logfile *log;
    struct cache entries;
    struct err err;
    uint8_t mode;
    if (size < 1 + HEAD || size > FILE_BYTES_MAX) {
        return 0;
    }
    mode = data[0];
    memcpy(file, data + 1, size - 1);
    size--;
    if ((mode & 1) != 0) {
        repair_head(file, 1);
        repair_records(file, size, 1, mode >> 2);
    }
    disk = simdisk_open(sysmem());
    put_file(simdisk_disk(disk), "log-0000000001", file, size);
    if ((mode & 2) != 0) { /* A second file that cuts into the first. */
        repair_head(file, 2);
        repair_records(file, size, 2, mode >> 3);
        put_file(simdisk_disk(disk), "log-0000000002", file, size / 8 * 8);
    }
    if (logfile_open(simdisk_disk(disk), sysmem(), &set, &log, &entries, &err) == 0) {
        check_and_append(simdisk_disk(disk), log, &entries);
        cache_close(&entries);
    }
    simdisk_close(disk);
    return 0;
}
