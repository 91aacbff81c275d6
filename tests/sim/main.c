/* ecs-sim: simulate the whole system with random faults, one world after the other.
 *
 *   ecs-sim [--seed N] [--runs K] [--hours H | --ms N] [--raft] [--plant N] [--list] [--hash]
 *           [--verbose]
 *
 * Run K uses the seeds N to N + K - 1; each draws its own shape and rates of faults. With --hours
 * one world lives that long, in rounds of faults and calm. With --raft there are controllers and
 * their logs only, which leaves time for many more entries, crashes and changes of the members. A
 * failure prints its seed; --seed with that number and --verbose shows what happened. --list names
 * the faults that can be planted (common/base/plant.h); --plant needs a build made with PLANTS=1.
 */
#include "common/base/plant.h"
#include "common/base/str.h"
#include "tests/sim/fleet.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#ifdef PLANTS
unsigned plant_active;
#endif

#define ROUND_MS 600000u /* Of faults, in a long life. */

struct options {
    uint64_t seed;
    uint64_t runs;
    uint64_t ms;
    uint64_t hours;
    bool raft;
    bool hash;
    bool verbose;
};

struct sum {
    struct fleet_stats fleet;
    struct simworld_stats world;
    uint64_t virtual_ms;
    uint64_t settled_ms;
};

static void add(void *to, const void *from, size_t size)
{
    const uint64_t *a = from;
    uint64_t *b = to;
    for (size_t i = 0; i < size / sizeof *a; i++) {
        b[i] += a[i];
    }
}

static void row(const char *name, uint64_t n, const char *name2, uint64_t n2)
{
    printf("  %-34s %10llu   %-34s %10llu\n", name, (unsigned long long)n, name2,
           (unsigned long long)n2);
}

static void print(const struct sum *s, uint64_t runs, double cpu_s)
{
    const struct fleet_stats *f = &s->fleet;
    const struct simworld_stats *w = &s->world;
    printf("%llu runs, %.1f simulated hours in %.1f CPU seconds: %.0f times real time\n",
           (unsigned long long)runs, (double)s->virtual_ms / 3600e3, cpu_s,
           (double)s->virtual_ms / 1000 / (cpu_s > 0 ? cpu_s : 1));
    printf("work\n");
    row("commands applied", f->commands, "log entries", f->entries);
    row("requests acknowledged", f->acked, "outcome unknown, asked again", f->unknown);
    row("answered from their token", f->duplicates, "refused", f->refused);
    row("linearizable reads", f->reads + f->probes, "eventual reads", f->reads_eventual);
    row("task definitions", f->registered, "services created", f->services);
    row("services updated", f->updates, "services deleted", f->deletes);
    row("RunTask", f->runs, "StopTask", f->stops);
    row("tasks placed", f->tasks, "tasks that ran", f->tasks_run);
    row("containers created", f->containers, "containers ended", f->exits);
    row("node sessions", f->sessions, "elections", w->elections);
    row("checkpoints", w->checkpoints, "checkpoints sent and installed", w->installs);
    row("raft messages", w->messages, "store checks", f->store_checks);
    row("entries proposed", w->proposed, "entries applied", w->applied);
    row("operations in histories", f->history, "longest settling, ms", s->settled_ms);
    printf("faults injected\n");
    row("messages lost", w->dropped, "messages doubled", w->doubled);
    row("messages late", w->slowed, "cuts between controllers", w->cuts);
    row("controllers crashed", w->crashes, "of these by EIO", w->faults);
    row("controllers paused", w->pauses, "leadership handed over", w->handovers);
    row("disks stalled", w->stalled, "disks full", w->full);
    row("bytes gone bad", w->rotten, "starts refused", w->refused_starts);
    row("clock steps of controllers", w->steps, "clock steps of agents", f->agent_steps);
    row("requests timed out", f->timeouts, "cuts between agents, controllers", f->cuts);
    row("agents crashed", f->agent_crashes, "of these in a commit", f->journal_crashes);
    row("hosts rebooted", f->reboots, "journals full", f->journal_full);
    row("pulls failed", f->pulls_failed, "creations failed", f->starts_failed);
    row("creations failed after the fact", f->late_failures, "signals ignored", f->ignored_kills);
    row("removals failed", f->removes_failed, "nodes given up", f->lost_nodes);
    row("changes of the members", w->changes, "controllers replaced", w->replaced);
    row("messages of nodes garbled", f->garbled, "messages of controllers cut short", w->shortened);
    row("messages forged", w->forged, "agents paused", f->agent_pauses);
    row("controllers blind to all nodes", f->blackouts, "so leadership handed over", f->guarded);
    row("nodes drained", f->drains, "nodes deregistered", f->deregistered);
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

static const char *const plants[][2] = {{"", ""},
#define PLANT_ROW(name, text) {#name, text},
                                        PLANT_TABLE(PLANT_ROW)
#undef PLANT_ROW
};

static void list_plants(void)
{
    for (unsigned i = 1; i < PLANT_N; i++) {
        printf("%2u  %-20s %s\n", i, plants[i][0], plants[i][1]);
    }
}

static void plant(uint64_t n)
{
    if (n == 0 || n >= PLANT_N) {
        fprintf(stderr, "ecs-sim: plants are 1 to %d\n", PLANT_N - 1);
        exit(2);
    }
#ifdef PLANTS
    plant_active = (unsigned)n;
#else
    fprintf(stderr, "ecs-sim: built without PLANTS=1\n");
    exit(2);
#endif
}

static struct options parse(int argc, char **argv)
{
    static const struct option longs[] = {
        {"seed", required_argument, NULL, 's'},  {"runs", required_argument, NULL, 'r'},
        {"ms", required_argument, NULL, 'm'},    {"hours", required_argument, NULL, 'h'},
        {"plant", required_argument, NULL, 'p'}, {"list", no_argument, NULL, 'l'},
        {"raft", no_argument, NULL, 'f'},        {"hash", no_argument, NULL, 'x'},
        {"verbose", no_argument, NULL, 'v'},     {NULL, 0, NULL, 0},
    };
    struct options o = {.seed = 1, .runs = 20, .ms = 120000};
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
        case 'h':
            o.hours = number(optarg);
            break;
        case 'p':
            plant(number(optarg));
            break;
        case 'l':
            list_plants();
            exit(0);
        case 'f':
            o.raft = true;
            break;
        case 'x':
            o.hash = true;
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

static void run_raft(const struct options *o, uint64_t seed, struct sum *sum)
{
    struct simworld_options w = simworld_draw(seed);
    struct simworld *world;
    w.verbose = o->verbose;
    world = simworld_open(&w);
    simworld_run(world, o->ms / 8);
    simworld_settle(world, 30000);
    if (simworld_stats(world)->acked < 10 || simworld_stats(world)->elections < 1) {
        simworld_fail(world, "too little happened");
    }
    add(&sum->world, simworld_stats(world), sizeof sum->world);
    sum->virtual_ms += simworld_now_ms(world);
    if (o->hash) {
        printf("%llu %016llx\n", (unsigned long long)seed,
               (unsigned long long)simworld_hash(world));
    }
    simworld_close(world);
}

static void run(const struct options *o, uint64_t seed, struct sum *sum)
{
    struct fleet_options w = fleet_draw(seed);
    struct fleet *f;
    uint64_t end_ms = o->hours * 3600000;
    w.world.verbose = o->verbose;
    if (o->hours > 0) { /* Tokens of a whole day are kept, and loaded again after each crash. */
        w.op_ms *= 3;
        w.world.crash_ms *= 8;
    }
    f = fleet_open(&w);
    if (o->hours == 0) {
        fleet_run(f, o->ms);
        fleet_settle(f, false);
        fleet_check_busy(f);
    }
    while (simworld_now_ms(fleet_world(f)) < end_ms) {
        fleet_run(f, ROUND_MS);
        fleet_settle(f, simworld_now_ms(fleet_world(f)) < end_ms);
        fleet_check_busy(f);
    }
    add(&sum->fleet, fleet_stats(f), sizeof sum->fleet);
    sum->settled_ms =
        fleet_stats(f)->settled_ms > sum->settled_ms ? fleet_stats(f)->settled_ms : sum->settled_ms;
    add(&sum->world, simworld_stats(fleet_world(f)), sizeof sum->world);
    sum->virtual_ms += simworld_now_ms(fleet_world(f));
    if (o->hash) {
        printf("%llu %016llx\n", (unsigned long long)seed,
               (unsigned long long)simworld_hash(fleet_world(f)));
    }
    fleet_close(f);
}

int main(int argc, char **argv)
{
    struct options o = parse(argc, argv);
    struct sum sum = {0};
    for (uint64_t i = 0; i < o.runs; i++) {
        (o.raft ? run_raft : run)(&o, o.seed + i, &sum);
    }
    if (!o.raft && o.runs >= 5 &&
        (sum.fleet.acked < 20 * o.runs || sum.fleet.reads == 0 || sum.world.elections < o.runs)) {
        printf("FAIL: too little happened\n");
        return 1;
    }
    if (!o.hash) {
        print(&sum, o.runs, (double)clock() / CLOCKS_PER_SEC);
    }
    return 0;
}
