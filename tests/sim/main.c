/* ecs-sim: simulate the whole system with random faults, one world after the other.
 *
 *   ecs-sim [--seed N] [--runs K] [--file NAME] [--hours H | --ms N] [--raft]
 *           [--plant N] [--list] [--hash] [--verbose]
 *
 * K runs (20; 1 with --hours) use the seeds N to N + K - 1, or those at the beginnings of the
 * file's lines; each draws its own shape and rates of faults. With --hours one world lives that
 * long, in rounds of faults and calm. With --raft there are controllers and their logs only, which
 * leaves time for many more entries, crashes and changes of the members. A failure prints its seed;
 * --seed with that number and --verbose shows what happened. --list names the faults that can be
 * planted (common/base/plant.h); --plant needs a build made with SIM=1, in which the code also
 * takes its rare turns (common/base/buggify.h). With -DPLANT=N that fault is in the build. */
#include "common/base/plant.h"
#include "common/base/str.h"
#include "tests/sim/buggify.h"
#include "tests/sim/fleet.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#if defined SIMULATION && !defined PLANT
unsigned plant_active;
#endif

#define LIFE_MS   120000u /* Of most worlds. */
#define ROUND_MS  600000u /* Of faults, in a long life. */
#define MANY_RUNS 500u    /* In which every fault must have happened. */

struct options {
    uint64_t seed;
    uint64_t runs;
    uint64_t ms;
    uint64_t hours;
    const char *file;
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

struct row {
    const char *name;
    uint64_t n;
};

/* Two in a line. Returns how many are 0. */
static unsigned print_rows(const char *title, const struct row *v, size_t n)
{
    unsigned idle = 0;
    printf("%s\n", title);
    for (size_t i = 0; i < n; i++) {
        printf("  %-40s %10llu%s", v[i].name, (unsigned long long)v[i].n,
               i % 2 == 1 || i + 1 == n ? "\n" : " ");
        idle += v[i].n == 0;
    }
    return idle;
}

#define PRINT_ROWS(title, rows) print_rows(title, rows, sizeof(rows) / sizeof *(rows))

static void print_work(const struct fleet_stats *f, const struct simworld_stats *w,
                       uint64_t settled_ms)
{
    const struct row rows[] = {
        {"commands applied", f->commands},
        {"log entries", f->entries},
        {"requests acknowledged", f->acked},
        {"outcome unknown, asked again", f->unknown},
        {"answered from their token", f->duplicates},
        {"refused", f->rejected},
        {"linearizable reads", f->reads + f->probes},
        {"eventual reads", f->reads_eventual},
        {"task definitions", f->registered},
        {"services created", f->services},
        {"services updated", f->updates},
        {"services deleted", f->deletes},
        {"RunTask", f->runs},
        {"StopTask", f->stops},
        {"tasks placed", f->tasks},
        {"tasks that ran", f->tasks_run},
        {"containers created", f->containers},
        {"containers ended", f->exits},
        {"node sessions", f->sessions},
        {"elections", w->elections},
        {"checkpoints", w->checkpoints},
        {"checkpoints sent and installed", w->installs},
        {"raft messages", w->messages},
        {"store checks", f->store_checks},
        {"entries proposed", w->proposed},
        {"entries applied", w->applied},
        {"operations in histories", f->history},
        {"longest settling, ms", settled_ms},
    };
    (void)PRINT_ROWS("work", rows);
}

static unsigned print_faults(const struct fleet_stats *f, const struct simworld_stats *w)
{
    const struct row network[] = {
        {"messages of controllers lost", w->dropped},
        {"doubled", w->doubled},
        {"late", w->slowed},
        {"cut short", w->shortened},
        {"forged", w->forged},
        {"cuts between controllers", w->cuts},
        {"messages of nodes garbled", f->garbled},
        {"cuts between agents and controllers", f->cuts},
        {"controllers blind to all nodes", f->blackouts},
        {"so leadership handed over", f->guarded},
        {"welcomes of another life", f->stale},
        {"requests timed out", f->timeouts},
    };
    const struct row controllers[] = {
        {"controllers crashed", w->crashes},
        {"of these by EIO", w->faults},
        {"controllers paused", w->pauses},
        {"leadership handed over", w->handovers},
        {"disks stalled", w->stalled},
        {"disks full", w->full},
        {"bytes gone bad", w->rotten},
        {"log ends lost by a disk", w->tails_lost},
        {"answers that looked like that", w->repaired},
        {"starts refused", w->refused_starts},
        {"clock steps of controllers", w->steps},
        {"controllers whose clock drifts", w->drifting},
        {"changes of the members", w->changes},
        {"controllers replaced", w->replaced},
    };
    const struct row nodes[] = {
        {"agents crashed", f->agent_crashes},
        {"of these in a commit", f->journal_crashes},
        {"agents paused", f->agent_pauses},
        {"hosts rebooted", f->reboots},
        {"clock steps of agents", f->agent_steps},
        {"journals full", f->journal_full},
        {"tasks stopped for others", f->preempted},
        {"pulls failed", f->pulls_failed},
        {"creations failed", f->starts_failed},
        {"creations failed after the fact", f->late_failures},
        {"containers that ended by themselves", f->own_exits},
        {"signals ignored", f->ignored_kills},
        {"removals failed", f->removes_failed},
        {"nodes given up", f->lost_nodes},
        {"nodes drained", f->drains},
        {"nodes deregistered", f->deregistered},
    };
    return PRINT_ROWS("faults of the network", network) +
           PRINT_ROWS("faults of controllers", controllers) + PRINT_ROWS("faults of nodes", nodes);
}

static unsigned print_turns(void)
{
    struct row rows[BUGGIFY_N];
    if (!buggify_is_built()) {
        return 0;
    }
    for (unsigned i = 0; i < BUGGIFY_N; i++) {
        rows[i] = (struct row){buggify_text(i), buggify_count(i)};
    }
    return PRINT_ROWS("rare turns taken", rows);
}

/* Returns how many of the faults never happened. */
static unsigned print(const struct sum *s, uint64_t runs, double cpu_s)
{
    printf("%llu runs, %.1f simulated hours in %.1f CPU seconds: %.0f times real time\n",
           (unsigned long long)runs, (double)s->virtual_ms / 3600e3, cpu_s,
           (double)s->virtual_ms / 1000 / (cpu_s > 0 ? cpu_s : 1));
    print_work(&s->fleet, &s->world, s->settled_ms);
    return print_faults(&s->fleet, &s->world) + print_turns();
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
#if defined SIMULATION && !defined PLANT
    plant_active = (unsigned)n;
#else
    fprintf(stderr, "ecs-sim: built without SIM=1, or with one of its own (-DPLANT)\n");
    exit(2);
#endif
}

static struct options parse(int argc, char **argv)
{
    static const struct option longs[] = {
        {"seed", required_argument, NULL, 's'},
        {"runs", required_argument, NULL, 'r'},
        {"ms", required_argument, NULL, 'm'},
        {"hours", required_argument, NULL, 'h'},
        {"plant", required_argument, NULL, 'p'},
        {"list", no_argument, NULL, 'l'},
        {"raft", no_argument, NULL, 'f'},
        {"hash", no_argument, NULL, 'x'},
        {"file", required_argument, NULL, 'i'},
        {"verbose", no_argument, NULL, 'v'},
        {NULL, 0, NULL, 0},
    };
    struct options o = {.seed = 1};
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
        case 'i':
            o.file = optarg;
            break;
        case 'v':
            o.verbose = true;
            break;
        default:
            exit(2);
        }
    }
    if (o.runs == 0) {
        o.runs = o.hours > 0 ? 1 : 20;
    }
    return o;
}

static void run_raft(const struct options *o, uint64_t seed, struct sum *sum)
{
    struct simworld_options w = simworld_draw(seed);
    struct simworld *world;
    w.verbose = o->verbose;
    world = simworld_open(&w);
    simworld_run(world, (o->ms != 0 ? o->ms : LIFE_MS) / 8);
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
    if (o->hours > 0 && w.life_ms == 0) {
        fleet_draw_long(&w);
    }
    f = fleet_open(&w);
    if (o->hours == 0) {
        fleet_run(f, o->ms != 0 ? o->ms : w.life_ms != 0 ? w.life_ms : LIFE_MS);
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

/* The seeds at the beginnings of lines. Returns how many. */
static uint64_t run_file(const struct options *o, struct sum *sum)
{
    FILE *file = fopen(o->file, "r");
    char line[256];
    uint64_t n = 0;
    if (file == NULL) {
        fprintf(stderr, "ecs-sim: %s cannot be read\n", o->file);
        exit(2);
    }
    while (fgets(line, sizeof line, file) != NULL) {
        char *end = line;
        uint64_t seed = strtoull(line, &end, 10);
        if (end != line) {
            run(o, seed, sum);
            n++;
        }
    }
    (void)fclose(file);
    return n;
}

int main(int argc, char **argv)
{
    struct options o = parse(argc, argv);
    struct sum sum = {0};
    if (o.file != NULL) {
        o.runs = run_file(&o, &sum);
        (void)print(&sum, o.runs, (double)clock() / CLOCKS_PER_SEC);
        return 0;
    }
    for (uint64_t i = 0; i < o.runs; i++) {
        (o.raft ? run_raft : run)(&o, o.seed + i, &sum);
    }
    if (!o.raft && o.runs >= 5 &&
        (sum.fleet.acked < 20 * o.runs || sum.fleet.reads == 0 || sum.world.elections < o.runs)) {
        printf("FAIL: too little happened\n");
        return 1;
    }
    if (!o.hash && print(&sum, o.runs, (double)clock() / CLOCKS_PER_SEC) > 0 && !o.raft &&
        o.runs >= MANY_RUNS) {
        printf("FAIL: of so many runs, none had one of these\n");
        return 1;
    }
    return 0;
}
