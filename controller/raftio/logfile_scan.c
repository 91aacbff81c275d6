/* Reading the log at open: which entries are there, and can they be trusted? See logfile.c for the
 * format and for what tells a torn tail from damage. */
#include "common/base/plant.h"
#include "common/base/str.h"
#include "controller/raftio/logfile_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct scan { /* One file in memory. */
    struct logfile *l;
    struct cache *entries;
    char name[DISK_NAME_MAX];
    uint32_t number;
    uint8_t *data;
    size_t size;
    size_t offset; /* Of the record being looked at. */
};

static void note_name(void *arg, const char *name)
{
    struct logfile_names *names = arg;
    uint64_t number;
    struct str s = str_of(name);
    if (s.n != 14 || !str_starts(s, "log-") || !str_u64(str_slice(s, 4, s.n), &number) ||
        number == 0 || number > UINT32_MAX) {
        return;
    }
    if (names->n == names->cap) {
        size_t cap = names->cap == 0 ? 16 : names->cap * 2;
        names->numbers = mem_resize(names->mem, names->numbers, names->cap * sizeof *names->numbers,
                                    cap * sizeof *names->numbers);
        names->cap = cap;
    }
    names->numbers[names->n++] = (uint32_t)number;
}

static int compare_numbers(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

int logfile_names_read(struct logfile_names *names, const struct disk *disk, const struct mem *mem,
                       struct err *err)
{
    int rv;
    *names = (struct logfile_names){.mem = mem};
    rv = disk->list(disk->ctx, note_name, names, err);
    if (rv == 0 && names->n > 0) {
        qsort(names->numbers, names->n, sizeof *names->numbers, compare_numbers);
    }
    return rv;
}

void logfile_names_close(struct logfile_names *names)
{
    if (names->mem != NULL) {
        mem_free(names->mem, names->numbers, names->cap * sizeof *names->numbers);
    }
    *names = (struct logfile_names){0};
}

static int damaged(const struct scan *s, struct err *err, const char *why)
{
    return err_set(err, ERR_CORRUPT, "%s: damaged at offset %zu (entry %llu): %s", s->name,
                   s->offset, (unsigned long long)cache_last(s->entries) + 1, why);
}

size_t logfile_record_at(const uint8_t *data, size_t size, size_t offset, uint32_t number)
{
    const uint8_t *p = data + offset;
    uint32_t len;
    if (size - offset < LOGFILE_RECORD || get_u32(p + 32) != number) {
        return 0;
    }
    len = get_u32(p);
    if (len > REPLICA_ENTRY_MAX || logfile_record_size(len) > size - offset ||
        (logfile_record_crc(p, len) != get_u32(p + 4) && !PLANTED(TORN_TAIL))) {
        return 0;
    }
    return logfile_record_size(len);
}

static size_t record_at(const struct scan *s, size_t offset)
{
    return logfile_record_at(s->data, s->size, offset, s->number);
}

/* Where the bad record at s->offset ends, as far as its length can be believed, and the last byte
 * of it that is not padding. */
static size_t extent(const struct scan *s, size_t *ret_last)
{
    const uint8_t *p = s->data + s->offset;
    uint32_t len = get_u32(p);
    if (len > REPLICA_ENTRY_MAX || logfile_record_size(len) > s->size - s->offset) {
        len = 0;
    }
    *ret_last = s->offset + (len == 0 ? LOGFILE_TYPE : LOGFILE_RECORD + len - 1);
    return s->offset + logfile_record_size(len);
}

/* Was the bad record at s->offset written to its end? Then no crash made it what it is. The file
 * was all zeros before; a write that was cut short leaves zeros at the end, and one of which a disk
 * wrote only some sectors leaves zeros in the others. When in doubt (zeros may have been meant so,
 * a wrong length may reach too far) it was not. */
static bool was_written(const struct scan *s)
{
    size_t at = s->offset;
    size_t last;
    size_t end;
    if (s->size - s->offset < LOGFILE_RECORD) {
        return false;
    }
    end = extent(s, &last);
    if (s->data[last] == 0) {
        return false;
    }
    while (at < end) {
        size_t part = (at / LOGFILE_SECTOR + 1) * LOGFILE_SECTOR;
        bool zeros = true;
        part = part < end ? part : end;
        for (; at < part; at++) {
            zeros = zeros && s->data[at] == 0;
        }
        if (zeros) {
            return false;
        }
    }
    return true;
}

/* No whole record at s->offset: the end, a torn tail, or damage? */
static int judge_tail(struct scan *s, struct err *err)
{
    uint64_t missing = cache_last(s->entries) + 1;
    const struct slot *mark = slots_newest(&s->l->mark);
    if (PLANTED(TAIL_FORGIVEN)) {
        return 0;
    }
    if (mark != NULL && mark->len == 16 && get_u64(mark->bytes) == s->number &&
        get_u64(mark->bytes + 8) >= missing) {
        return damaged(s, err, "the watermark says that it was durable");
    }
    for (size_t at = s->offset + 8; at + LOGFILE_RECORD <= s->size; at += 8) {
        if (record_at(s, at) != 0 && get_u64(s->data + at + 24) >= missing) {
            return damaged(s, err, "a later record says that it was durable");
        }
    }
    return was_written(s) ? damaged(s, err, "every sector of it was written") : 0;
}

static int read_records(struct scan *s, struct err *err)
{
    size_t size;
    for (s->offset = LOGFILE_HEAD; s->offset < s->size; s->offset += size) {
        const uint8_t *p = s->data + s->offset;
        uint64_t next = cache_last(s->entries) + 1;
        const struct cache_entry *before = cache_get(s->entries, next - 1);
        uint32_t type;
        size = record_at(s, s->offset);
        if (size == 0) {
            return judge_tail(s, err);
        }
        type = get_u32(p + 36);
        if (get_u64(p + 8) != next) {
            return damaged(s, err, "another index");
        }
        if (type < RAFT_COMMAND || type > RAFT_CHANGE) {
            return damaged(s, err, "unknown type");
        }
        if (get_u64(p + 16) == 0 || (before != NULL && get_u64(p + 16) < before->term)) {
            return damaged(s, err, "term goes back");
        }
        cache_append(s->entries, get_u64(p + 16), (enum raft_entry_type)type, p + LOGFILE_RECORD,
                     get_u32(p), 0);
    }
    return 0;
}

bool logfile_head_is_whole(const uint8_t *head, size_t size, uint32_t number)
{
    return size >= LOGFILE_HEAD && memcmp(head, logfile_magic, sizeof logfile_magic) == 0 &&
           crc32c(0, head + 12, LOGFILE_HEAD - 12) == get_u32(head + 8) &&
           get_u32(head + 12) == number && get_u64(head + 16) != 0;
}

static int read_head(struct scan *s, bool oldest, struct logfile_segment *ret, struct err *err)
{
    const uint8_t *p = s->data;
    uint64_t first;
    if (!logfile_head_is_whole(p, s->size, s->number)) {
        return err_set(err, ERR_CORRUPT, "%s: damaged at offset 0 (head)", s->name);
    }
    first = get_u64(p + 16);
    if (oldest || get_u32(p + 24) == 1 || first <= s->entries->first) {
        cache_reset(s->entries, first);
    } else if (first > cache_last(s->entries) + 1) {
        return err_set(err, ERR_CORRUPT,
                       "%s starts with entry %llu, but the file before ends "
                       "with %llu",
                       s->name, (unsigned long long)first,
                       (unsigned long long)cache_last(s->entries));
    }
    cache_truncate(s->entries, first);
    *ret = (struct logfile_segment){s->number, first, s->size};
    return 0;
}

static int scan_file(struct logfile *l, struct cache *entries, uint32_t number, bool oldest,
                     bool newest, struct logfile_segment *ret, struct err *err)
{
    const struct disk *d = l->disk;
    struct scan s = {.l = l, .entries = entries, .number = number};
    void *file = NULL;
    uint64_t size;
    int rv;
    logfile_segment_name(number, s.name);
    rv = d->open(d->ctx, s.name, false, &file, err);
    if (rv != 0) {
        return rv;
    }
    rv = d->size(d->ctx, file, &size, err);
    if (rv == 0 && (size < LOGFILE_HEAD || size > LOGFILE_SEGMENT_MAX)) {
        rv = err_set(err, ERR_CORRUPT, "%s: %llu bytes", s.name, (unsigned long long)size);
    }
    if (rv == 0) {
        s.size = (size_t)size;
        s.data = mem_alloc(l->mem, s.size);
        rv = d->pread(d->ctx, file, 0, s.data, s.size, err);
    }
    if (rv == 0) {
        rv = read_head(&s, oldest, ret, err);
    }
    if (rv == 0) {
        rv = read_records(&s, err);
    }
    /* What was read may still be on its way to the disk; from here on it counts as durable. */
    if (rv == 0 && newest) {
        rv = d->sync(d->ctx, file, err);
    }
    mem_free(l->mem, s.data, s.size);
    d->close(d->ctx, file);
    return rv;
}

static int check_mark(const struct logfile *l, const struct logfile_names *names, struct err *err)
{
    const struct slot *mark = slots_newest(&l->mark);
    uint64_t number;
    if (mark == NULL) {
        return 0;
    }
    if (mark->len != 16) {
        return err_set(err, ERR_CORRUPT, "watermark: %zu bytes", mark->len);
    }
    number = get_u64(mark->bytes);
    if (names->n == 0 || number > names->numbers[names->n - 1]) {
        return err_set(err, ERR_CORRUPT,
                       "log-%010llu is missing: the watermark says that it was there with entry "
                       "%llu",
                       (unsigned long long)number, (unsigned long long)get_u64(mark->bytes + 8));
    }
    return 0;
}

/* A file that was being prepared has no promise in it: the next one is made anew. */
static int drop_spare(struct logfile *l, struct err *err)
{
    const struct disk *d = l->disk;
    int rv = d->unlink(d->ctx, LOGFILE_SPARE_NAME, err);
    if (rv == ERR_NOTFOUND) {
        return 0;
    }
    return rv != 0 ? rv : d->sync_dir(d->ctx, err);
}

int logfile_scan(struct logfile *l, struct cache *entries, struct err *err)
{
    struct logfile_names names = {0};
    int rv = drop_spare(l, err);
    if (rv == 0) {
        rv = logfile_names_read(&names, l->disk, l->mem, err);
    }
    if (rv == 0) {
        rv = check_mark(l, &names, err);
    }
    for (size_t i = 0; rv == 0 && i < names.n; i++) {
        struct logfile_segment s = {0};
        if (i > 0 && names.numbers[i] != names.numbers[i - 1] + 1) {
            rv = err_set(err, ERR_CORRUPT, "log-%010u is missing", names.numbers[i] - 1);
            break;
        }
        rv = scan_file(l, entries, names.numbers[i], i == 0, i + 1 == names.n, &s, err);
        if (rv == 0) {
            logfile_add_segment(l, &s);
            l->next_number = s.number + 1;
        }
    }
    logfile_names_close(&names);
    return rv;
}
