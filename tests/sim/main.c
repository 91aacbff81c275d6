/* ecs-sim: simulate clusters with random faults, one after the other.
 *
 *   ecs-sim [--seed N] [--runs K] [--ms N] [--plant N] [--verbose]
 *
 * Run K uses the seeds N to N + K - 1; each draws its own shape and rates of faults. A failure
 * prints its seed; --seed with that number and --verbose shows what happened. */
#include "tests/sim/simworld.h"

#include "common/base/prng.h"
#include "common/base/str.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

struct options {
    uint64_t seed;
    uint64_t runs;
    uint64_t ms;
    uint64_t plant;
    bool verbose;
};

static unsigned upto(struct prng *p, unsigned max)
{
    return (unsigned)prng_below(p, max + 1u);
}

/* Half of the time none of it, otherwise up to max. */
static unsigned maybe(struct prng *p, unsigned max)
{
    return prng_below(p, 2) == 0 ? 0 : upto(p, max);
}

static struct simworld_options draw(uint64_t seed)
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
    return o;
}

static void add_stats(struct simworld_stats *sum, const struct simworld_stats *s)
{
    const uint64_t *from = (const uint64_t *)s;
    uint64_t *to = (uint64_t *)sum;
    for (size_t i = 0; i < sizeof *s / sizeof *from; i++) {
        to[i] += from[i];
    }
}

static void print_stats(const struct simworld_stats *s, uint64_t runs)
{
    printf("%llu runs: %llu proposed, %llu acknowledged, %llu unknown, %llu applied, %llu reads\n",
           (unsigned long long)runs, (unsigned long long)s->proposed, (unsigned long long)s->acked,
           (unsigned long long)s->lost, (unsigned long long)s->applied,
           (unsigned long long)s->reads);
    printf("  %llu elections, %llu crashes (%llu by the disk), %llu network changes, %llu pauses, "
           "%llu hand-overs\n",
           (unsigned long long)s->elections, (unsigned long long)s->crashes,
           (unsigned long long)s->faults, (unsigned long long)s->cuts,
           (unsigned long long)s->pauses, (unsigned long long)s->handovers);
    printf("  %llu checkpoints, %llu installed, %llu messages (%llu dropped)\n",
           (unsigned long long)s->checkpoints, (unsigned long long)s->installs,
           (unsigned long long)s->messages, (unsigned long long)s->dropped);
    printf("  %llu changes of the members, %llu machines replaced\n",
           (unsigned long long)s->changes, (unsigned long long)s->replaced);
}

static uint64_t number(const char *text)
{
    uint64_t v;
    if (!str_u64(str_of(text), &v)) {
        fprintf(stderr, "ecs-sim: %s is not a number\n", text);
        exit(2);
    }
    return v;
}

static struct options parse(int argc, char **argv)
{
    static const struct option longs[] = {
        {"seed", required_argument, NULL, 's'}, {"runs", required_argument, NULL, 'r'},
        {"ms", required_argument, NULL, 'm'},   {"plant", required_argument, NULL, 'p'},
        {"verbose", no_argument, NULL, 'v'},    {NULL, 0, NULL, 0},
    };
    struct options o = {.seed = 1, .runs = 20, .ms = 15000};
    int c;
    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (c) {
        case 's':
            o.seed = number(optarg);
            break;
        case 'r':
            o.runs = number(optarg);
            break;
        case 'm':
            o.ms = number(optarg);
            break;
        case 'p':
            o.plant = number(optarg);
            break;
        case 'v':
            o.verbose = true;
            break;
        default:
            exit(2);
        }
    }
    return o;
}

int main(int argc, char **argv)
{
    struct options o = parse(argc, argv);
    struct simworld_stats sum = {0};
    for (uint64_t i = 0; i < o.runs; i++) {
        struct simworld_options w = draw(o.seed + i);
        struct simworld *world;
        w.plant = (unsigned)o.plant;
        w.verbose = o.verbose;
        world = simworld_open(&w);
        simworld_run(world, o.ms);
        simworld_settle(world, 30000);
        add_stats(&sum, simworld_stats(world));
        simworld_close(world);
    }
    print_stats(&sum, o.runs);
    if (o.runs > 0 && (sum.acked < 10 * o.runs || sum.elections < o.runs)) {
        printf("FAIL: too little happened\n");
        return 1;
    }
    return 0;
}
