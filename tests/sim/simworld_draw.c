/* Shape and faults of a world of controllers alone: many entries and hard times for the log. */
#include "common/base/prng.h"
#include "tests/sim/simworld.h"

static unsigned upto(struct prng *p, unsigned max)
{
    return (unsigned)prng_below(p, max + 1u);
}

/* Half of the time none of it, otherwise up to max. */
static unsigned maybe(struct prng *p, unsigned max)
{
    return prng_below(p, 2) == 0 ? 0 : upto(p, max);
}

struct simworld_options simworld_draw(uint64_t seed)
{
    static const unsigned sizes[8] = {1, 3, 3, 3, 3, 5, 5, 3};
    static const unsigned segments[4] = {8192, 32768, 65536, 262144};
    struct prng p;
    struct simworld_options o = {.seed = seed};
    prng_init(&p, seed ^ UINT64_C(0x9e3779b97f4a7c15));
    o.n = sizes[prng_below(&p, 8)];
    o.loss = maybe(&p, 200000);
    o.dup = maybe(&p, 100000);
    o.delay_us_min = 100;
    o.delay_us_max = 200 + upto(&p, 20000);
    o.slow = maybe(&p, 50000);
    o.slow_us_max = 1000000;
    o.disk_us_max = 100 + upto(&p, 10000);
    o.stall = maybe(&p, 20000);
    o.write_fault = maybe(&p, 5000);
    o.crash_ms = prng_below(&p, 3) == 0 ? 0 : 300 + upto(&p, 4000);
    o.down_ms = 50 + upto(&p, 3000);
    o.cut_ms = prng_below(&p, 3) == 0 ? 0 : 200 + upto(&p, 3000);
    o.pause_ms = prng_below(&p, 2) == 0 ? 0 : 300 + upto(&p, 5000);
    o.client_ms = 1 + upto(&p, 20);
    o.read_ms = 2 + upto(&p, 30);
    o.transfer_ms = prng_below(&p, 3) == 0 ? 500 + upto(&p, 3000) : 0;
    o.checkpoint_ms = prng_below(&p, 4) == 0 ? 0 : 100 + upto(&p, 3000);
    o.trailing = upto(&p, 200);
    o.forged = maybe(&p, 5000);
    o.drift_ppm = maybe(&p, 1000);
    o.command_max = prng_below(&p, 4) == 0 ? 5000 : 300;
    o.segment_bytes = segments[prng_below(&p, 4)];
    o.message_bytes = prng_below(&p, 3) == 0 ? 500 : 0;
    if (o.segment_bytes < 65536 && o.checkpoint_ms == 0) {
        o.checkpoint_ms = 1000; /* Else there would be thousands of files. */
    }
    o.snapshot_bytes = 24 + upto(&p, prng_below(&p, 4) == 0 ? 3000000 : 50000);
    if (prng_below(&p, 3) == 0) {
        o.voters = o.n;
        o.n = o.n + 2 < SIMWORLD_NODES_MAX ? o.n + 2 : SIMWORLD_NODES_MAX;
        o.member_ms = 100 + upto(&p, 1500);
    }
    o.lose_ms = prng_below(&p, 4) == 0 ? 500 + upto(&p, 3000) : 0;
    return o;
}
