/* Two records of 8,192 bytes, in disk blocks of their own:
 *
 *   0  u8[8]  "ECSSLOT1"
 *   8  u32    CRC32C of what follows, up to the end of the record's bytes
 *  12  u32    number of bytes
 *  16  u64    sequence number
 *  24  ...    the bytes
 */
#include "controller/raftio/slots.h"

#include "common/base/buf.h"
#include "common/base/hash.h"
#include "common/base/plant.h"

#include <assert.h>
#include <string.h>

#define SLOT_SIZE 8192u
#define SLOT_HEAD 24u

static const char magic[8] = {'E', 'C', 'S', 'S', 'L', 'O', 'T', '1'};

/* Returns whether anything but zeros was there. */
static bool parse(const uint8_t *raw, struct slot *ret)
{
    uint32_t len = get_u32(raw + 12);
    bool blank = true;
    memset(ret, 0, sizeof *ret);
    for (unsigned i = 0; i < SLOT_HEAD; i++) {
        blank = blank && raw[i] == 0;
    }
    if (memcmp(raw, magic, sizeof magic) != 0 || len > SLOTS_RECORD_MAX ||
        crc32c(0, raw + 12, SLOT_HEAD - 12 + len) != get_u32(raw + 8) || get_u64(raw + 16) == 0) {
        return !blank;
    }
    ret->valid = true;
    ret->seq = get_u64(raw + 16);
    ret->len = len;
    memcpy(ret->bytes, raw + SLOT_HEAD, len);
    return true;
}

static int make_durable(struct slots *s, struct err *err)
{
    int rv = s->disk->sync(s->disk->ctx, s->file, err);
    return rv != 0 ? rv : s->disk->sync_dir(s->disk->ctx, err);
}

static int read_all(struct slots *s, struct err *err)
{
    uint8_t raw[SLOT_SIZE];
    uint64_t size;
    bool written = false;
    int rv = s->disk->size(s->disk->ctx, s->file, &size, err);
    if (rv != 0) {
        return rv;
    }
    if (size < 2ull * SLOT_SIZE) { /* New, or a crash came before the first record. */
        rv = s->disk->allocate(s->disk->ctx, s->file, (uint64_t)2 * SLOT_SIZE, err);
        return rv != 0 ? rv : make_durable(s, err);
    }
    /* A process that died may have left its last write in memory only, and the name as well; what
     * is read here will be acted upon. */
    rv = make_durable(s, err);
    if (rv != 0) {
        return rv;
    }
    for (unsigned i = 0; i < 2; i++) {
        rv = s->disk->pread(s->disk->ctx, s->file, (uint64_t)i * SLOT_SIZE, raw, sizeof raw, err);
        if (rv != 0) {
            return rv;
        }
        written = parse(raw, &s->slot[i]) && i == 1 ? true : written;
    }
    /* Slot 1 is written only after slot 0 was whole: a torn slot 0 alone is a first write that
     * nobody was promised. */
    if (written && !s->slot[0].valid && !s->slot[1].valid) {
        return err_set(err, ERR_CORRUPT, "%s: both copies are damaged (at offset 0 and offset %u)",
                       s->name, SLOT_SIZE);
    }
    return 0;
}

int slots_open(struct slots *s, const struct disk *disk, const char *name, struct err *err)
{
    int rv;
    memset(s, 0, sizeof *s);
    s->disk = disk;
    s->name = name;
    rv = disk->open(disk->ctx, name, true, &s->file, err);
    if (rv == 0) {
        rv = read_all(s, err);
    }
    if (rv != 0) {
        slots_close(s);
    }
    return rv;
}

void slots_close(struct slots *s)
{
    if (s->file != NULL) {
        s->disk->close(s->disk->ctx, s->file);
        s->file = NULL;
    }
}

const struct slot *slots_newest(const struct slots *s)
{
    const struct slot *a = &s->slot[0];
    const struct slot *b = &s->slot[1];
    if (!a->valid || (b->valid && b->seq > a->seq)) {
        return b->valid ? b : NULL;
    }
    return a;
}

static int put_seq(struct slots *s, unsigned which, uint64_t seq, const void *bytes, size_t len,
                   struct err *err)
{
    uint8_t raw[SLOT_HEAD + SLOTS_RECORD_MAX];
    struct slot *slot = &s->slot[which];
    int rv;
    assert(len <= SLOTS_RECORD_MAX);
    memcpy(raw, magic, sizeof magic);
    put_u32(raw + 12, (uint32_t)len);
    put_u64(raw + 16, seq);
    memcpy(raw + SLOT_HEAD, bytes, len);
    put_u32(raw + 8, crc32c(0, raw + 12, SLOT_HEAD - 12 + len));
    rv = s->disk->pwrite(s->disk->ctx, s->file, (uint64_t)which * SLOT_SIZE, raw, SLOT_HEAD + len,
                         err);
    if (rv == 0 && !PLANTED(VOTE_UNSYNCED)) {
        rv = s->disk->sync(s->disk->ctx, s->file, err);
    }
    if (rv != 0) {
        return rv;
    }
    slot->valid = true;
    slot->seq = seq;
    slot->len = len;
    memcpy(slot->bytes, bytes, len);
    return 0;
}

static uint64_t next_seq(const struct slots *s)
{
    const struct slot *newest = slots_newest(s);
    return newest == NULL ? 1 : newest->seq + 1;
}

int slots_put(struct slots *s, unsigned which, const void *bytes, size_t len, struct err *err)
{
    return put_seq(s, which, next_seq(s), bytes, len, err);
}

int slots_put_older(struct slots *s, const void *bytes, size_t len, struct err *err)
{
    return slots_put(s, slots_newest(s) == &s->slot[0] ? 1 : 0, bytes, len, err);
}

int slots_put_both(struct slots *s, const void *bytes, size_t len, struct err *err)
{
    uint64_t seq = next_seq(s);
    /* The bad or older one first: a crash between two copies left the newer one alone to tell what
     * was last promised. Of two equal ones the first, which slots_open() relies on. */
    unsigned first = s->slot[0].valid && slots_newest(s) == &s->slot[0] &&
                             (!s->slot[1].valid || s->slot[1].seq < s->slot[0].seq)
                         ? 1
                         : 0;
    int rv = put_seq(s, first, seq, bytes, len, err);
    return rv != 0 ? rv : put_seq(s, 1 - first, seq, bytes, len, err);
}

bool slots_agree(const struct slots *s)
{
    return s->slot[0].valid && s->slot[1].valid && s->slot[0].seq == s->slot[1].seq;
}
