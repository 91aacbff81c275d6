/* What may happen to the disk of a controller. */
#include "tests/sim/simworld_impl.h"

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

/* One bad byte on the disk of a controller that loses power, or is down; never on two, a majority
 * must be sound. */
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
    if (n->up) {
        simnode_crash(n);
    }
    if (!simdisk_pick(n->disk, &w->prng, n->rot.name, &n->rot.offset)) {
        return;
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
