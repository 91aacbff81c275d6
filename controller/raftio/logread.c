/* Two passes: the heads first, because a file says which entries of the files before it are void;
 * then the records, resynchronising behind damage at the next offset, a multiple of 8, where a
 * whole record of this file begins. What tells a torn tail from damage is explained in logfile.c.
 */
#include "controller/raftio/logread.h"

#include "controller/raftio/logfile_impl.h"

#include <string.h>

struct head {
    bool whole;
    bool reset;
    uint64_t first;
    uint64_t void_from; /* Entries from here on are replaced by later files. */
};

struct reader {
    const struct disk *disk;
    const struct mem *mem;
    const struct logread_events *events;
    void *ctx;
    struct logread_summary *sum;
    struct logfile_names names;
    struct head *heads;
    const struct slot *mark;
    /* The file looked at. */
    size_t at;
    char name[DISK_NAME_MAX];
    uint8_t *data;
    size_t size;
    size_t offset;
    uint64_t next; /* Index that the next record should have; 0: any. */
};

static void tell_damage(struct reader *r, uint64_t offset, uint64_t length, bool torn,
                        const char *why)
{
    struct logread_damage d = {r->name, offset, length, torn, why};
    if (torn) {
        r->sum->n_torn++;
    } else {
        r->sum->n_damaged++;
    }
    if (r->events->damage != NULL) {
        r->events->damage(r->ctx, &d);
    }
}

static int load(struct reader *r, size_t at, size_t max, struct err *err)
{
    const struct disk *d = r->disk;
    void *file = NULL;
    uint64_t size = 0;
    int rv;
    logfile_segment_name(r->names.numbers[at], r->name);
    rv = d->open(d->ctx, r->name, false, &file, err);
    if (rv != 0) {
        return rv;
    }
    rv = d->size(d->ctx, file, &size, err);
    if (rv == 0) {
        r->size = (size_t)(size < max ? size : max);
        r->data = mem_alloc(r->mem, r->size + 1);
        rv = r->size == 0 ? 0 : d->pread(d->ctx, file, 0, r->data, r->size, err);
    }
    d->close(d->ctx, file);
    return rv;
}

static void unload(struct reader *r)
{
    if (r->data != NULL) {
        mem_free(r->mem, r->data, r->size + 1);
        r->data = NULL;
    }
}

static int read_heads(struct reader *r, struct err *err)
{
    uint64_t from = UINT64_MAX;
    int rv = 0;
    for (size_t i = 0; rv == 0 && i < r->names.n; i++) {
        rv = load(r, i, LOGFILE_HEAD, err);
        if (rv == 0 && logfile_head_is_whole(r->data, r->size, r->names.numbers[i])) {
            r->heads[i] = (struct head){true, get_u32(r->data + 24) == 1, get_u64(r->data + 16), 0};
        }
        unload(r);
    }
    for (size_t i = r->names.n; i-- > 0;) {
        struct head *h = &r->heads[i];
        uint64_t here = h->reset ? 0 : h->first;
        h->void_from = from;
        from = h->whole && here < from ? here : from;
    }
    return rv;
}

static void tell_record(struct reader *r)
{
    const uint8_t *p = r->data + r->offset;
    struct logread_record rec = {
        .file = r->name,
        .offset = r->offset,
        .index = get_u64(p + 8),
        .term = get_u64(p + 16),
        .synced = get_u64(p + 24),
        .type = get_u32(p + 36),
        .bytes = p + LOGFILE_RECORD,
        .len = get_u32(p),
    };
    struct logread_summary *sum = r->sum;
    rec.replaced = rec.index >= r->heads[r->at].void_from;
    if (r->next != 0 && rec.index != r->next) {
        tell_damage(r, r->offset, 0, false, "the entry has another index than the one before says");
    }
    r->next = rec.index + 1;
    sum->n_records++;
    if (rec.synced > sum->synced) {
        sum->synced = rec.synced;
    }
    if (rec.replaced) {
        sum->n_replaced++;
    } else {
        sum->first = sum->first == 0 ? rec.index : sum->first;
        sum->last = rec.index;
        sum->last_term = rec.term;
    }
    if (r->events->record != NULL) {
        r->events->record(r->ctx, &rec);
    }
}

static bool rest_is_blank(const struct reader *r)
{
    for (size_t i = r->offset; i < r->size; i++) {
        if (r->data[i] != 0) {
            return false;
        }
    }
    return true;
}

/* Who says that the entry missing at the offset was durable? NULL: nobody. */
static const char *claim(const struct reader *r, size_t later)
{
    uint64_t missing = r->next;
    for (size_t at = later; at < r->size; at += 8) {
        if (logfile_record_at(r->data, r->size, at, r->names.numbers[r->at]) != 0 &&
            get_u64(r->data + at + 24) >= missing) {
            return "a later record says that this entry was durable";
        }
    }
    if (r->mark != NULL && r->mark->len == 16 &&
        get_u64(r->mark->bytes) == r->names.numbers[r->at] &&
        get_u64(r->mark->bytes + 8) >= missing) {
        return "the watermark says that this entry was durable";
    }
    if (r->at + 1 < r->names.n && r->heads[r->at + 1].whole && !r->heads[r->at + 1].reset &&
        r->heads[r->at + 1].first > missing) {
        return "the next file begins behind this entry";
    }
    return NULL;
}

/* No whole record at the offset: go to the next one, or to the end. */
static void resync(struct reader *r)
{
    size_t at = r->offset + 8;
    const char *why;
    while (at < r->size && logfile_record_at(r->data, r->size, at, r->names.numbers[r->at]) == 0) {
        at += 8;
    }
    at = at < r->size ? at : r->size;
    why = r->next == 0 ? NULL : claim(r, at);
    if (why != NULL) {
        tell_damage(r, r->offset, at - r->offset, false, why);
    } else if (!rest_is_blank(r)) {
        tell_damage(r, r->offset, at - r->offset, true,
                    "nothing says that it was durable: a write that a crash cut short");
    }
    r->offset = at;
    r->next = 0;
}

static int read_file(struct reader *r, size_t at, struct err *err)
{
    struct logread_file file = {.name = r->name};
    const struct head *h = &r->heads[at];
    int rv = load(r, at, LOGFILE_SEGMENT_MAX, err);
    if (rv != 0) {
        return rv;
    }
    r->at = at;
    r->next = h->first;
    file.bytes = r->size;
    file.first = h->first;
    file.reset = h->reset;
    if (r->events->file != NULL) {
        r->events->file(r->ctx, &file);
    }
    if (!h->whole) {
        tell_damage(r, 0, LOGFILE_HEAD, false, "the head of the file is not whole");
    }
    for (r->offset = LOGFILE_HEAD; r->offset < r->size;) {
        size_t size = logfile_record_at(r->data, r->size, r->offset, r->names.numbers[at]);
        if (size == 0) {
            resync(r);
            continue;
        }
        tell_record(r);
        r->offset += size;
    }
    return 0;
}

static void check_gap(struct reader *r, size_t at)
{
    if (at > 0 && r->names.numbers[at] != r->names.numbers[at - 1] + 1) {
        logfile_segment_name(r->names.numbers[at] - 1, r->name);
        tell_damage(r, 0, 0, false, "the file is missing");
    }
}

static void check_mark(struct reader *r)
{
    uint32_t newest = r->names.n == 0 ? 0 : r->names.numbers[r->names.n - 1];
    if (r->mark == NULL || r->mark->len != 16) {
        return;
    }
    if (get_u64(r->mark->bytes) > newest) {
        logfile_segment_name((uint32_t)get_u64(r->mark->bytes), r->name);
        tell_damage(r, 0, 0, false, "the file is missing: the watermark says that it was there");
    }
    if (get_u64(r->mark->bytes + 8) > r->sum->synced) {
        r->sum->synced = get_u64(r->mark->bytes + 8);
    }
}

int logread(const struct disk *disk, const struct mem *mem, const struct logread_events *events,
            void *ctx, struct logread_summary *ret, struct err *err)
{
    struct logread_summary sum = {0};
    struct reader r = {.disk = disk, .mem = mem, .events = events, .ctx = ctx, .sum = &sum};
    struct slots mark;
    int rv = slots_open(&mark, disk, LOGFILE_MARK_NAME, err);
    if (rv != 0) {
        return rv;
    }
    r.mark = slots_newest(&mark);
    rv = logfile_names_read(&r.names, disk, mem, err);
    if (rv == 0) {
        r.heads = mem_alloc(mem, (r.names.n + 1) * sizeof *r.heads);
        rv = read_heads(&r, err);
    }
    for (size_t i = 0; rv == 0 && i < r.names.n; i++) {
        check_gap(&r, i);
        rv = read_file(&r, i, err);
        unload(&r);
    }
    if (rv == 0) {
        sum.n_files = r.names.n;
        check_mark(&r);
        *ret = sum;
    }
    if (r.heads != NULL) {
        mem_free(mem, r.heads, (r.names.n + 1) * sizeof *r.heads);
    }
    logfile_names_close(&r.names);
    slots_close(&mark);
    return rv;
}
