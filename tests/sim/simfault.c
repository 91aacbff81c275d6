/* What may happen to the disk of a controller. */
#include "controller/raftio/logread.h"
#include "tests/sim/simworld_impl.h"

#include <string.h>

/* What raftnode's housekeeping tells the replica; segments that are there may still be filled. */
void simnode_full(struct simnode *n, bool full)
{
    if (n->full == full) {
        return;
    }
    n->full = full;
    n->w->stats.full += full;
    simworld_trace(n->w, "controller %u: disk %s", n->at + 1, full ? "full" : "has room");
    simdisk_set_room(n->disk, full ? 0 : UINT64_C(1) << 40);
    if (n->up) {
        replica_set_capacity(n->replica, full ? 1 : UINT16_MAX);
    }
    if (full) {
        simworld_event(n->w, EV_ROOM, n->at, simworld_between(n->w, 100000, 10000000), 0);
    }
}

/* Can the cluster do without the end of this controller's log, which may pass for a torn tail? Then
 * a majority of the voters has all of it, without this one. */
static bool is_spare(const struct simnode *n)
{
    const struct simworld *w = n->w;
    struct replica_status mine;
    struct membership c;
    unsigned n_sound = 0;
    if (!n->up || !replica_conf(n->replica, &c)) {
        return false;
    }
    mine = replica_status(n->replica);
    for (unsigned i = 0; i < w->opt.n; i++) {
        const struct simnode *o = &w->nodes[i];
        const struct conf_server *m = membership_find(&c, o->id);
        if (o != n && o->up && m != NULL && m->role == RAFT_VOTER &&
            replica_status(o->replica).durable >= mine.last &&
            replica_term_of(o->replica, mine.last) == replica_term_of(n->replica, mine.last)) {
            n_sound++;
        }
    }
    return n_sound > membership_voters(&c) / 2;
}

/* One bad byte on the disk of a controller that loses power; never on two, a majority must be
 * sound. */
void simnode_rot(struct simnode *n)
{
    struct simworld *w = n->w;
    uint8_t byte;
    for (unsigned i = 0; i < w->opt.n; i++) {
        if (w->nodes[i].rot.is) {
            return;
        }
    }
    if (w->opt.n < 3) {
        return;
    }
    if (!is_spare(n)) {
        return;
    }
    simnode_crash(n);
    for (unsigned i = 0; i < 4;
         i++) { /* Most of the files are small ones, most of the bytes log. */
        if (!simdisk_pick(n->disk, &w->prng, n->rot.name, &n->rot.offset)) {
            return;
        }
        if (strncmp(n->rot.name, "log-0", 5) == 0) {
            break;
        }
    }
    (void)simdisk_peek(n->disk, n->rot.name, n->rot.offset, &n->rot.was, 1);
    byte = n->rot.was ^ (uint8_t)(1u << prng_below(&w->prng, 8));
    (void)simdisk_poke(n->disk, n->rot.name, n->rot.offset, &byte, 1);
    n->rot.is = true;
    n->rot.n_refused = 0;
    w->stats.rotten++;
    simworld_trace(w, "controller %u: byte %llu of %s goes bad", n->at + 1,
                   (unsigned long long)n->rot.offset, n->rot.name);
}

/* The operators put the file back. */
void simnode_repair(struct simnode *n)
{
    (void)simdisk_poke(n->disk, n->rot.name, n->rot.offset, &n->rot.was, 1);
    n->rot.is = false;
}

/* They do so at once for a controller that refused to start because of it. Its last refusal may
 * have been the one after which they came. */
void simnode_unrot(struct simnode *n)
{
    if (!n->up) {
        if (n->rot.is) {
            simnode_repair(n);
        }
        simnode_start(n);
    }
    n->rot.is = false;
}

/* --- a tail that is lost -------------------------------------------------------------------------
 */

struct tail { /* The last record of a log. */
    char file[DISK_NAME_MAX];
    uint64_t offset;
    uint64_t index;
};

static void note_record(void *ctx, const struct logread_record *record)
{
    struct tail *t = ctx;
    memcpy(t->file, record->file, strlen(record->file) + 1);
    t->offset = record->offset;
    t->index = record->replaced ? 0 : record->index;
}

/* A file is begun only when the one before is durable. */
static void note_file(void *ctx, const struct logread_file *file)
{
    (void)file;
    ((struct tail *)ctx)->index = 0;
}

/* Zeros to the end of the file, as a disk leaves them that never wrote what it said it had. Not
 * below the checkpoint, nor what a later record, a later file or the watermark vouches for: that is
 * missed when the log is opened. */
uint64_t simnode_lose_tail(struct simnode *n)
{
    static const struct logread_events events = {.file = note_file, .record = note_record};
    static const uint8_t zeros[8];
    struct logread_summary sum;
    struct tail t = {.index = 0};
    if (n->up || logread(simdisk_disk(n->disk), &n->w->mem, &events, &t, &sum, NULL) != 0 ||
        t.index <= sum.synced || t.index <= n->checkpoint.index || t.index == 1) {
        return 0;
    }
    while (simdisk_poke(n->disk, t.file, t.offset, zeros, sizeof zeros)) {
        t.offset += sizeof zeros;
    }
    n->reached = n->reached < t.index ? n->reached : t.index - 1;
    n->w->stats.tails_lost++;
    simworld_trace(n->w, "controller %u: entry %llu vanishes from its disk", n->at + 1,
                   (unsigned long long)t.index);
    return t.index;
}

/* One controller loses what all others have on their disks: then whoever is elected has it. */
void simnode_lose(struct simnode *n)
{
    struct simworld *w = n->w;
    uint64_t last;
    if (w->opt.n < 3 || !is_spare(n)) { /* The others may have no vote. */
        return;
    }
    last = replica_status(n->replica).last;
    for (unsigned i = 0; i < w->opt.n; i++) {
        const struct simnode *other = &w->nodes[i];
        if (!other->up || other->rot.is || replica_status(other->replica).durable < last ||
            replica_term_of(other->replica, last) != replica_term_of(n->replica, last)) {
            return;
        }
    }
    simnode_crash(n);
    (void)simnode_lose_tail(n);
}
