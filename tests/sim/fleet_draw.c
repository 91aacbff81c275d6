/* Which faults a seed has, and how often: many runs with a few faults each. */
#include "common/base/prng.h"
#include "tests/sim/fleet.h"

static unsigned upto(struct prng *p, unsigned max)
{
    return (unsigned)prng_below(p, max + 1u);
}

/* In one run of `every` up to max (and at least a tenth), otherwise none of it. */
static unsigned maybe(struct prng *p, unsigned every, unsigned max)
{
    return prng_below(p, every) != 0 ? 0 : max / 10 + upto(p, max - max / 10);
}

/* A mean time between least and most in one run of `every`. */
static unsigned mean(struct prng *p, unsigned every, unsigned least, unsigned most)
{
    return prng_below(p, every) != 0 ? 0 : least + upto(p, most - least);
}

static void draw_world(struct prng *p, struct simworld_options *w)
{
    static const unsigned sizes[8] = {3, 3, 3, 3, 3, 5, 1, 3};
    w->n = sizes[prng_below(p, 8)];
    w->loss = maybe(p, 2, 300000);
    w->dup = maybe(p, 2, 100000);
    w->delay_us_min = 100;
    w->delay_us_max = 200 + upto(p, 20000);
    w->slow = maybe(p, 3, 50000);
    w->slow_us_max = prng_below(p, 4) == 0 ? 5000000 : 1000000;
    w->disk_us_max = 100 + upto(p, 10000);
    w->stall = maybe(p, 3, 20000);
    w->stall_us_max = prng_below(p, 4) == 0 ? 10000000 : 400000;
    w->write_fault = maybe(p, 4, 3000);
    w->crash_ms = mean(p, 2, 3000, 30000);
    w->down_ms = 50 + upto(p, 8000);
    w->cut_ms = mean(p, 2, 2000, 20000);
    w->pause_ms = mean(p, 3, 3000, 20000);
    w->transfer_ms = mean(p, 4, 3000, 20000);
    w->checkpoint_ms = 250 + upto(p, 5000);
    w->trailing = upto(p, 3) == 0 ? upto(p, 10) : upto(p, 300);
    w->segment_bytes = 32768u << upto(p, 3);
    w->message_bytes = prng_below(p, 4) == 0 ? 2000 : 0;
    w->skew_ms = maybe(p, 3, 600000);
    w->step_ms = mean(p, 5, 10000, 60000);
    w->step_max_ms = 1000 + upto(p, 20000);
    w->full_ms = mean(p, 5, 10000, 60000);
    if (prng_below(p, 4) == 0) {
        w->voters = w->n;
        w->n = w->n + 2 < SIMWORLD_NODES_MAX ? w->n + 2 : SIMWORLD_NODES_MAX;
        w->member_ms = 2000 + upto(p, 15000);
    }
    w->rot_ms = mean(p, 4, 5000, 30000);
    w->forged = maybe(p, 3, 5000);
    w->drift_ppm = maybe(p, 3, 1000);
    w->lose_ms = mean(p, 5, 5000, 30000);
}

/* Tokens of a whole day are kept, and loaded again after each crash. */
void fleet_draw_long(struct fleet_options *o)
{
    o->op_ms *= 3;
    o->world.crash_ms *= 8;
}

struct fleet_options fleet_draw(uint64_t seed)
{
    struct fleet_options o = {.world = {.seed = seed}};
    struct prng p;
    prng_init(&p, seed ^ UINT64_C(0x9e3779b97f4a7c15));
    draw_world(&p, &o.world);
    o.n_agents = 3 + upto(&p, 4);
    o.n_clients = 2 + upto(&p, 3);
    o.op_ms = 1000 + upto(&p, 4000);
    o.link_loss = maybe(&p, 2, 100000);
    o.agent_cut_ms = mean(&p, 2, 5000, 60000);
    o.agent_crash_ms = mean(&p, 2, 5000, 60000);
    o.journal_crash = maybe(&p, 3, 30000);
    o.journal_full = maybe(&p, 4, 50000);
    o.agent_pause_ms = mean(&p, 3, 5000, 60000);
    o.blackout_ms = mean(&p, 4, 40000, 150000);
    o.loss_percent = prng_below(&p, 3) == 0 ? 0 : 55;
    o.reboot_ms = mean(&p, 3, 20000, 120000);
    o.pull_slow = maybe(&p, 3, 200000);
    o.pull_fail = maybe(&p, 4, 100000);
    o.start_fail = maybe(&p, 4, 100000);
    o.start_fail_late = maybe(&p, 3, 100000);
    o.stop_ignored = maybe(&p, 3, 300000);
    o.remove_fail = maybe(&p, 4, 300000);
    o.exits = maybe(&p, 2, 300000);
    o.agent_step_ms = mean(&p, 4, 10000, 60000);
    o.stale = maybe(&p, 4, 100000);
    o.garbled = maybe(&p, 3, 3000);
    if (prng_below(&p, 24) == 0) {
        o.life_ms = 4800000;
        fleet_draw_long(&o);
    }
    return o;
}
