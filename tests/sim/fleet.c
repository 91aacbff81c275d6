/* The fleet's faults and phases. */
#include "tests/sim/fleet_impl.h"

#include "controller/codec/object.h"
#include "tests/sim/simmodel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SETTLE_MS   1500000u /* Back-off of failing starts may last 15 minutes. */
#define PROBE_US    600000u
#define QUIET_MS    5000u
#define ELECTION_MS 5000u /* I15 */

/* --- small things --------------------------------------------------------------------------------
 */

bool fleet_chance(struct fleet *f, unsigned ppm)
{
    return ppm > 0 && !simworld_is_calm(f->world) && prng_below(&f->prng, 1000000) < ppm;
}

uint64_t fleet_between(struct fleet *f, uint64_t min, uint64_t max)
{
    return max <= min ? min : min + prng_below(&f->prng, max - min + 1);
}

uint64_t fleet_delay_us(struct fleet *f)
{
    uint64_t us = fleet_between(f, f->opt.world.delay_us_min, f->opt.world.delay_us_max);
    return fleet_chance(f, f->opt.link_loss) ? us + 200000 : us; /* TCP sends it again. */
}

bool fleet_is_cut(const struct fleet *f, unsigned agent, unsigned node, enum simstream_side to)
{
    return f->cut[agent][node][to] ||
           (to == SIDE_CONTROLLER && f->dark_until_us[node] > simworld_now_us(f->world));
}

/* --- random faults -------------------------------------------------------------------------------
 */

enum fault {
    FAULT_CUT,
    FAULT_CRASH,
    FAULT_REBOOT,
    FAULT_STEP,
    FAULT_PAUSE,
    FAULT_BLACKOUT,
    FAULTS,
};

static void happen(void *arg, uint64_t fault, uint64_t epoch);

static unsigned mean_of(const struct fleet *f, enum fault fault)
{
    const unsigned means[FAULTS] = {
        [FAULT_CUT] = f->opt.agent_cut_ms,     [FAULT_CRASH] = f->opt.agent_crash_ms,
        [FAULT_REBOOT] = f->opt.reboot_ms,     [FAULT_STEP] = f->opt.agent_step_ms,
        [FAULT_PAUSE] = f->opt.agent_pause_ms, [FAULT_BLACKOUT] = f->opt.blackout_ms,
    };
    return means[fault];
}

static void again(struct fleet *f, enum fault fault)
{
    unsigned mean = mean_of(f, fault);
    if (mean > 0) {
        simworld_later(f->world, fleet_between(f, 1, 2000ull * mean), happen, f, fault, f->epoch);
    }
}

/* One way or both, one controller or all. */
static void cut(struct fleet *f, unsigned agent)
{
    unsigned node = (unsigned)fleet_between(f, 0, f->opt.world.n - 1);
    bool all = fleet_between(f, 0, 2) == 0;
    unsigned ways = (unsigned)fleet_between(f, 1, 3);
    bool heal = fleet_between(f, 0, 1) == 0;
    f->stats.cuts++;
    for (unsigned i = 0; i < f->opt.world.n; i++) {
        for (unsigned to = 0; to < 2; to++) {
            if (heal) {
                f->cut[agent][i][to] = false;
            } else if ((all || i == node) && (ways >> to & 1) != 0) {
                f->cut[agent][i][to] = true;
            }
        }
    }
}

/* The leader loses sight of all nodes at once, most of the time: its side is what is broken. */
static void black_out(struct fleet *f)
{
    int leader = simworld_leader(f->world);
    unsigned node = leader >= 0 && fleet_between(f, 0, 3) != 0
                        ? (unsigned)leader
                        : (unsigned)fleet_between(f, 0, f->opt.world.n - 1);
    f->stats.blackouts++;
    f->dark_until_us[node] = simworld_now_us(f->world) + fleet_between(f, 20000000, 120000000);
}

static void happen(void *arg, uint64_t fault, uint64_t epoch)
{
    struct fleet *f = arg;
    unsigned agent = (unsigned)fleet_between(f, 0, f->opt.n_agents - 1);
    if (epoch != f->epoch) {
        return;
    }
    switch ((enum fault)fault) {
    case FAULT_CUT:
        cut(f, agent);
        break;
    case FAULT_CRASH:
        simagent_crash(f->agents[agent], false);
        break;
    case FAULT_REBOOT:
        simagent_crash(f->agents[agent], true);
        break;
    case FAULT_STEP:
        f->stats.agent_steps++;
        simagent_step_clock(f->agents[agent], (int64_t)fleet_between(f, 0, 600000) - 300000);
        break;
    case FAULT_PAUSE:
        simagent_pause(f->agents[agent], fleet_between(f, 100, 60000));
        break;
    case FAULT_BLACKOUT:
        black_out(f);
        break;
    case FAULTS:
        break;
    }
    again(f, (enum fault)fault);
}

static void boot(void *arg, uint64_t at, uint64_t b)
{
    struct fleet *f = arg;
    (void)b;
    if (!f->closing && !simagent_is_up(f->agents[at])) {
        simagent_boot(f->agents[at]);
    }
}

void fleet_restart_agent(struct fleet *f, unsigned at)
{
    uint64_t us = simworld_is_calm(f->world) ? 1000000 : fleet_between(f, 10000, 60000000);
    simworld_later(f->world, us, boot, f, at, 0);
}

/* Whoever thinks that he leads is asked now and then, most of all when he is wrong. */
static void probe(void *arg, uint64_t epoch, uint64_t b)
{
    struct fleet *f = arg;
    (void)b;
    if (epoch != f->epoch) {
        return;
    }
    for (unsigned i = 0; i < f->opt.world.n; i++) {
        simctl_probe(f->controllers[i]);
    }
    simworld_later(f->world, fleet_between(f, 1000, PROBE_US), probe, f, epoch, 0);
}

static void begin_faults(struct fleet *f)
{
    f->epoch++;
    for (unsigned i = 0; i < FAULTS; i++) {
        again(f, (enum fault)i);
    }
    simworld_later(f->world, PROBE_US, probe, f, f->epoch, 0);
}

/* --- phases --------------------------------------------------------------------------------------
 */

void fleet_run(struct fleet *f, uint64_t ms)
{
    simworld_run(f->world, ms);
    for (unsigned i = 0; i < 3 && !fleet_is_busy(f); i++) {
        simworld_run(f->world, ms);
    }
}

static void heal(struct fleet *f)
{
    f->epoch++;
    memset(f->cut, 0, sizeof f->cut);
    memset(f->dark_until_us, 0, sizeof f->dark_until_us);
    simworld_heal(f->world);
    for (unsigned i = 0; i < f->opt.n_agents; i++) {
        simagent_pause(f->agents[i], 0);
        if (!simagent_is_up(f->agents[i])) {
            simagent_boot(f->agents[i]);
        }
    }
    for (unsigned i = 0; i < f->opt.n_clients; i++) {
        simclient_pause(f->clients[i], true);
    }
}

void fleet_settle(struct fleet *f, bool more)
{
    char why[256] = "";
    uint64_t quiet = 0;
    uint64_t began = simworld_now_ms(f->world);
    heal(f);
    if (simworld_elect(f->world, ELECTION_MS) < 0) {
        fleet_fail(f, "I15: no leader %u ms after the faults ended", ELECTION_MS);
    }
    while (quiet < QUIET_MS) { /* And it must last. */
        simworld_run(f->world, 500);
        quiet = fleet_settled(f, why) ? quiet + 500 : 0;
        if (simworld_now_ms(f->world) > began + SETTLE_MS) {
            fleet_dump(f);
            fleet_fail(f, "I16: after %u s without faults: %s", SETTLE_MS / 1000, why);
        }
    }
    f->stats.settled_ms = simworld_now_ms(f->world) - began > f->stats.settled_ms
                              ? simworld_now_ms(f->world) - began
                              : f->stats.settled_ms;
    fleet_compare(f);
    fleet_check_history(f);
    if (more) {
        simworld_unheal(f->world);
        begin_faults(f);
        for (unsigned i = 0; i < f->opt.n_clients; i++) {
            simclient_pause(f->clients[i], false);
        }
    }
}

/* --- life ----------------------------------------------------------------------------------------
 */

struct fleet *fleet_open(const struct fleet_options *options)
{
    struct fleet *f = calloc(1, sizeof *f);
    struct err err = {0};
    if (f == NULL) {
        abort();
    }
    f->opt = *options;
    prng_init(&f->prng, options->world.seed ^ UINT64_C(0x5851f42d4c957f2d));
    simctl_app(f);
    f->opt.world.app = &f->app;
    f->world = simworld_new(&f->opt.world);
    f->mem = simworld_mem(f->world);
    if (codec_open(f->mem, &f->codec, &err) != 0) {
        fleet_fail(f, "codec: %s", err.text);
    }
    hist_init(&f->hist, f->mem);
    f->model = simmodel_new(f);
    for (unsigned i = 0; i < f->opt.world.n; i++) {
        f->controllers[i] = simctl_new(f, i);
    }
    simworld_start(f->world);
    for (unsigned i = 0; i < f->opt.n_agents; i++) {
        f->agents[i] = simagent_new(f, i);
        simworld_later(f->world, fleet_between(f, 1, 5000000), boot, f, i, 0);
    }
    for (unsigned i = 0; i < f->opt.n_clients; i++) {
        f->clients[i] = simclient_new(f, i);
    }
    begin_faults(f);
    return f;
}

void fleet_close(struct fleet *f)
{
    if (f == NULL) {
        return;
    }
    f->closing = true;
    heal(f); /* What is on its way must arrive: it owns memory. */
    for (unsigned i = 0; i < f->opt.n_agents; i++) {
        simagent_crash(f->agents[i], true);
    }
    for (unsigned i = 0; i < f->opt.world.n; i++) {
        simworld_stop(f->world, i);
    }
    simworld_run(f->world, 120000);
    for (unsigned i = 0; i < f->opt.n_clients; i++) {
        simclient_free(f->clients[i]);
    }
    for (unsigned i = 0; i < f->opt.n_agents; i++) {
        simagent_free(f->agents[i]);
    }
    for (unsigned i = 0; i < f->opt.world.n; i++) {
        simctl_free(f->controllers[i]);
    }
    hist_close(&f->hist);
    simmodel_free(f->model);
    codec_close(f->codec);
    simworld_close(f->world);
    free(f);
}

const struct fleet_stats *fleet_stats(const struct fleet *f)
{
    return &f->stats;
}

const struct simworld *fleet_world(const struct fleet *f)
{
    return f->world;
}
