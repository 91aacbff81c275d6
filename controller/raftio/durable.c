/* Four things on disk and one outside (the checkpoint) that must fit together.
 *
 * vote, both slots:            u64 id, u64 term, u64 vote
 * self, both slots:            u64 incarnation, u64 flags (1: joining, no entry was ever durable);
 *                              0.1.0 has no such file, and does not mind it
 * members, one slot at a time: u64 index, u64 term, u64 configuration's index, configuration
 *
 * The members record says who the voters were as of an index not above the checkpoint; later
 * configurations are found in the log. While a snapshot is being installed the other slot already
 * describes the new state: which one counts is decided by where the checkpoint is.
 *
 * Commands are applied only when they are durable in the log, so a checkpoint beyond the end of
 * the log has two possible reasons: a crash between the switch to a snapshot and the reset of the
 * log (then a members record has exactly the checkpoint's index, and the reset is repeated), or a
 * log that lost its tail (refused). */
#include "controller/raftio/durable.h"

#include "common/base/buf.h"
#include "common/base/plant.h"
#include "controller/raftio/slots.h"

#include <assert.h>
#include <string.h>

#define VOTE_FILE    "vote"
#define MEMBERS_FILE "members"
#define SELF_FILE    "self"
#define VOTE_BYTES   24u
#define SELF_BYTES   16u
#define FLAG_JOINING 1u
#define MEMBERS_HEAD 24u
#define NO_SLOT      2u

_Static_assert(MEMBERS_HEAD + REPLICA_CONF_MAX <= SLOTS_RECORD_MAX, "a configuration fits");

struct durable {
    const struct disk *disk;
    const struct mem *mem;
    struct durable_settings set;
    struct slots vote;
    struct slots self;
    struct slots members;
    uint64_t incarnation;
    bool joining;
    unsigned used; /* The members slot that counts, or NO_SLOT. */
    unsigned next; /* While installing: the one that will. */
    struct logfile *log;
    struct cache cache; /* What the log holds, until durable_boot_done(). */
    struct replica_boot boot;
    struct replica_entry *entries;
    uint8_t conf[REPLICA_CONF_MAX];
};

/* --- members --------------------------------------------------------------------------------- */

static bool slot_snapshot(const struct slots *s, unsigned which, struct replica_snapshot *ret)
{
    const struct slot *slot = &s->slot[which];
    if (!slot->valid || slot->len < MEMBERS_HEAD) {
        return false;
    }
    *ret = (struct replica_snapshot){get_u64(slot->bytes), get_u64(slot->bytes + 8),
                                     get_u64(slot->bytes + 16), slot->bytes + MEMBERS_HEAD,
                                     slot->len - MEMBERS_HEAD};
    return true;
}

/* The record with the highest index that is not above the checkpoint. */
static unsigned choose_slot(const struct slots *s, uint64_t checkpoint,
                            struct replica_snapshot *ret)
{
    unsigned chosen = NO_SLOT;
    for (unsigned i = 0; i < 2; i++) {
        struct replica_snapshot here;
        if (slot_snapshot(s, i, &here) && here.index <= checkpoint &&
            (chosen == NO_SLOT || here.index > ret->index)) {
            chosen = i;
            *ret = here;
        }
    }
    return chosen;
}

static int put_members(struct durable *d, unsigned which, const struct replica_snapshot *s,
                       struct err *err)
{
    uint8_t bytes[SLOTS_RECORD_MAX];
    assert(s->conf_len <= REPLICA_CONF_MAX);
    put_u64(bytes, s->index);
    put_u64(bytes + 8, s->term);
    put_u64(bytes + 16, s->conf_index);
    memcpy(bytes + MEMBERS_HEAD, s->conf, s->conf_len);
    return slots_put(&d->members, which, bytes, MEMBERS_HEAD + s->conf_len, err);
}

int durable_note_checkpoint(struct durable *d, const struct replica_snapshot *s, struct err *err)
{
    struct replica_snapshot now;
    unsigned other = d->used == 0 ? 1 : 0;
    int rv;
    if (d->used != NO_SLOT && slot_snapshot(&d->members, d->used, &now) &&
        now.conf_index == s->conf_index) {
        return 0;
    }
    rv = put_members(d, other, s, err);
    if (rv == 0) {
        d->used = other;
    }
    return rv;
}

int durable_install_begin(struct durable *d, const struct replica_snapshot *s, struct err *err)
{
    d->next = d->used == 0 ? 1 : 0;
    return put_members(d, d->next, s, err);
}

void durable_install_end(struct durable *d)
{
    d->used = d->next;
}

/* --- vote and self ---------------------------------------------------------------------------
 */

int durable_save_vote(struct durable *d, uint64_t term, uint64_t vote, struct err *err)
{
    uint8_t bytes[VOTE_BYTES];
    if (PLANTED(VOTE_NOT_SAVED) && slots_newest(&d->vote) != NULL) {
        return 0;
    }
    put_u64(bytes, d->set.id);
    put_u64(bytes + 8, term);
    put_u64(bytes + 16, vote);
    return slots_put_both(&d->vote, bytes, sizeof bytes, err);
}

static int read_vote(struct durable *d, bool *ret_found, struct err *err)
{
    const struct slot *slot = slots_newest(&d->vote);
    *ret_found = slot != NULL;
    if (slot == NULL) {
        return 0;
    }
    if (slot->len != VOTE_BYTES) {
        return err_set(err, ERR_CORRUPT, "%s: %zu bytes", VOTE_FILE, slot->len);
    }
    if (get_u64(slot->bytes) != d->set.id) {
        return err_set(err, ERR_CONFLICT, "the directory belongs to controller %llu, this is %llu",
                       (unsigned long long)get_u64(slot->bytes), (unsigned long long)d->set.id);
    }
    d->boot.term = get_u64(slot->bytes + 8);
    d->boot.vote = get_u64(slot->bytes + 16);
    /* A crash between the two copies, or a damaged one: make them two again. */
    return slots_agree(&d->vote) ? 0 : durable_save_vote(d, d->boot.term, d->boot.vote, err);
}

static int save_self(struct durable *d, struct err *err)
{
    uint8_t bytes[SELF_BYTES];
    put_u64(bytes, d->incarnation);
    put_u64(bytes + 8, d->joining ? FLAG_JOINING : 0);
    return slots_put_both(&d->self, bytes, sizeof bytes, err);
}

int durable_joined(struct durable *d, struct err *err)
{
    if (!d->joining) {
        return 0;
    }
    d->joining = false;
    return save_self(d, err);
}

static int read_self(struct durable *d, struct err *err)
{
    const struct slot *slot = slots_newest(&d->self);
    if (slot == NULL) {
        return 0;
    }
    if (slot->len != SELF_BYTES) {
        return err_set(err, ERR_CORRUPT, "%s: %zu bytes", SELF_FILE, slot->len);
    }
    d->incarnation = get_u64(slot->bytes);
    d->joining = (get_u64(slot->bytes + 8) & FLAG_JOINING) != 0;
    return slots_agree(&d->self) ? 0 : save_self(d, err);
}

/* --- first start ----------------------------------------------------------------------------- */

/* Entry 1 is the same on every controller, so that nobody needs to be told who begins. */
static int begin_log(struct durable *d, struct err *err)
{
    struct raft_buffer conf;
    struct replica_entry entry = {.term = 1, .type = RAFT_CHANGE};
    int rv = conf_encode(d->set.members, d->set.n_members, &conf, err);
    if (rv != 0) {
        return rv;
    }
    entry.bytes = conf.base;
    entry.len = conf.len;
    cache_append(&d->cache, 1, RAFT_CHANGE, conf.base, conf.len, 0);
    rv = logfile_append(d->log, 1, &entry, 1, err);
    raft_free(conf.base);
    return rv != 0 ? rv : logfile_flush(d->log, err);
}

static int begin(struct durable *d, bool voted, struct err *err)
{
    int rv;
    if (voted) {
        d->boot.joining = d->joining;
        if (d->cache.n == 0 && d->set.checkpoint_index == 0 && !d->joining) {
            return err_set(err, ERR_CORRUPT, "there is a vote but no log");
        }
        return slots_newest(&d->self) != NULL ? 0 : save_self(d, err);
    }
    if (d->cache.n > 1 || d->cache.first != 1 || d->set.checkpoint_index > 0) {
        return err_set(err, ERR_CORRUPT, "there is a log but no vote");
    }
    d->joining = d->set.joining && d->cache.n == 0;
    d->boot.joining = d->joining;
    d->boot.term = d->joining ? 0 : 1;
    rv = save_self(d, err);
    if (rv == 0 && d->cache.n == 0 && !d->joining) {
        rv = begin_log(d, err);
    }
    return rv != 0 ? rv : durable_save_vote(d, d->boot.term, 0, err);
}

/* --- fitting log and checkpoint -------------------------------------------------------------- */

static int fit_log(struct durable *d, const struct replica_snapshot *members, struct err *err)
{
    uint64_t index = d->set.checkpoint_index;
    const struct cache_entry *e = cache_get(&d->cache, index);
    int rv;
    if (d->cache.first > index + 1) {
        return err_set(err, ERR_CORRUPT, "log starts at entry %llu, checkpoint ends with %llu",
                       (unsigned long long)d->cache.first, (unsigned long long)index);
    }
    if (e != NULL ? e->term == d->set.checkpoint_term : d->cache.first == index + 1) {
        return 0;
    }
    if (d->used == NO_SLOT || members->index != index) {
        return err_set(
            err, ERR_CORRUPT,
            "checkpoint: entry %llu of term %llu is not in the log, which ends with %llu",
            (unsigned long long)index, (unsigned long long)d->set.checkpoint_term,
            (unsigned long long)cache_last(&d->cache));
    }
    rv = logfile_reset(d->log, index, err); /* A snapshot was being installed. */
    cache_reset(&d->cache, index + 1);
    return rv;
}

/* The members as of the checkpoint: the newest configuration in the log up to there, or the
 * record. */
static int find_members(struct durable *d, const struct replica_snapshot *members, struct err *err)
{
    struct replica_snapshot *s = &d->boot.snapshot;
    uint64_t floor = d->used == NO_SLOT ? 0 : members->index;
    s->index = d->set.checkpoint_index;
    s->term = d->set.checkpoint_term;
    for (uint64_t i = s->index; i > floor; i--) {
        const struct cache_entry *e = cache_get(&d->cache, i);
        if (e == NULL) {
            break;
        }
        if (e->type == RAFT_CHANGE && e->len <= sizeof d->conf) {
            memcpy(d->conf, e->bytes, e->len);
            s->conf = d->conf;
            s->conf_len = e->len;
            s->conf_index = i;
            return 0;
        }
    }
    if (d->used == NO_SLOT) {
        return err_set(err, ERR_CORRUPT, "members as of entry %llu are unknown: %s is missing",
                       (unsigned long long)s->index, MEMBERS_FILE);
    }
    memcpy(d->conf, members->conf, members->conf_len);
    s->conf = d->conf;
    s->conf_len = members->conf_len;
    s->conf_index = members->conf_index;
    return 0;
}

static void fill_boot(struct durable *d)
{
    struct replica_boot *b = &d->boot;
    b->first = d->cache.first;
    b->n_entries = d->cache.n;
    if (b->n_entries == 0) {
        return;
    }
    d->entries = mem_alloc(d->mem, b->n_entries * sizeof *d->entries);
    b->entries = d->entries;
    for (size_t i = 0; i < b->n_entries; i++) {
        const struct cache_entry *e = cache_get(&d->cache, b->first + i);
        d->entries[i] = (struct replica_entry){e->term, e->type, e->bytes, e->len};
    }
}

static int fit(struct durable *d, struct err *err)
{
    struct replica_snapshot members = {0};
    bool voted;
    int rv = read_vote(d, &voted, err);
    if (rv == 0) {
        rv = read_self(d, err);
    }
    if (rv == 0) {
        rv = begin(d, voted, err);
    }
    if (rv == 0 && d->set.checkpoint_index > 0) {
        d->used = choose_slot(&d->members, d->set.checkpoint_index, &members);
        rv = fit_log(d, &members, err);
        if (rv == 0) {
            rv = find_members(d, &members, err);
        }
    }
    if (rv == 0) {
        fill_boot(d);
    }
    return rv;
}

/* --- life ------------------------------------------------------------------------------------ */

int durable_open(const struct disk *disk, const struct mem *mem,
                 const struct durable_settings *settings, struct durable **ret, struct err *err)
{
    struct durable *d = mem_alloc(mem, sizeof *d);
    int rv;
    d->disk = disk;
    d->mem = mem;
    d->set = *settings;
    d->used = NO_SLOT;
    d->incarnation = settings->incarnation;
    rv = slots_open(&d->vote, disk, VOTE_FILE, err);
    if (rv == 0) {
        rv = slots_open(&d->self, disk, SELF_FILE, err);
    }
    if (rv == 0) {
        rv = slots_open(&d->members, disk, MEMBERS_FILE, err);
    }
    if (rv == 0) {
        rv = logfile_open(disk, mem, &settings->log, &d->log, &d->cache, err);
    }
    if (rv == 0) {
        rv = fit(d, err);
    }
    if (rv != 0) {
        durable_close(d);
        return rv;
    }
    *ret = d;
    return 0;
}

void durable_boot_done(struct durable *d)
{
    mem_free(d->mem, d->entries, d->boot.n_entries * sizeof *d->entries);
    d->entries = NULL;
    d->boot = (struct replica_boot){0};
    cache_close(&d->cache);
}

void durable_close(struct durable *d)
{
    if (d == NULL) {
        return;
    }
    durable_boot_done(d);
    logfile_close(d->log);
    slots_close(&d->vote);
    slots_close(&d->self);
    slots_close(&d->members);
    mem_free(d->mem, d, sizeof *d);
}

const struct replica_boot *durable_boot(const struct durable *d)
{
    return &d->boot;
}

uint64_t durable_incarnation(const struct durable *d)
{
    return d->incarnation;
}

struct logfile *durable_log(struct durable *d)
{
    return d->log;
}

/* --- making one ------------------------------------------------------------------------------ */

/* The same files as a snapshot that was just installed leaves; durable_open() makes the log. */
int durable_create(const struct disk *disk, uint64_t id, uint64_t term, uint64_t incarnation,
                   const struct replica_snapshot *s, struct err *err)
{
    struct durable d = {.disk = disk, .incarnation = incarnation, .used = NO_SLOT};
    int rv = slots_open(&d.vote, disk, VOTE_FILE, err);
    d.set.id = id;
    if (rv == 0) {
        rv = slots_open(&d.self, disk, SELF_FILE, err);
    }
    if (rv == 0) {
        rv = slots_open(&d.members, disk, MEMBERS_FILE, err);
    }
    if (rv == 0 && (slots_newest(&d.vote) != NULL || slots_newest(&d.members) != NULL)) {
        rv = err_set(err, ERR_EXISTS, "there is a vote already");
    }
    if (rv == 0) {
        rv = put_members(&d, 0, s, err);
    }
    if (rv == 0) {
        rv = save_self(&d, err);
    }
    if (rv == 0) {
        rv = durable_save_vote(&d, term, 0, err);
    }
    slots_close(&d.vote);
    slots_close(&d.self);
    slots_close(&d.members);
    return rv;
}
