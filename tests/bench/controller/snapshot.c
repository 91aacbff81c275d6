/* Does a large state disturb the cluster? Three controllers, each a process of its own with its
 * engine, log and checkpoint on this machine's disk. The state is filled (task definitions and
 * tasks); then commands arrive at a fixed rate, whatever becomes of them, and are timed from when
 * they were due. Measured on the leader: how long its loop was away from poll, and how long
 * commands took, while nothing else happens, while its checkpoint is copied, while a follower is
 * dead, and while that follower, a million commands behind, catches up by a checkpoint.
 *
 * usage: snapshot [--quick] [--json FILE] */
#include "common/loop/loop.h"
#include "common/loop/priority.h"
#include "common/loop/sysmem.h"
#include "controller/engine/open.h"
#include "controller/storage/checkpoint.h"
#include "tests/lib/freeport.h"
#include "tests/lib/report.h"

#include <assert.h>
#include <ftw.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NODES          3u
#define WRITES         32768u /* Outstanding at most; more are counted as shed. */
#define TASKS_PER_PLAN 1000u
#define SPEC_BYTES     49152u /* Of a task definition. */
#define BUCKETS        256u

enum phase { IDLE, FILL, LOAD, COPY }; /* COPY: load while the checkpoint is copied. */

/* Times in buckets whose borders grow by a sixteenth. */
struct histogram {
    _Atomic uint64_t n[BUCKETS];
    _Atomic uint64_t max_us;
};

struct shape { /* Of the run. */
    unsigned n_taskdefs;
    unsigned n_tasks;
    unsigned n_nodes;
    unsigned rate; /* Commands a second. */
    unsigned phase_s;
    uint64_t behind; /* Commands that the dead follower misses. */
};

struct member { /* What a controller tells the parent. */
    _Atomic bool leads;
    _Atomic uint64_t applied;
    _Atomic uint64_t n_commands;
    _Atomic uint64_t state_bytes;
};

struct shared {
    struct shape shape;
    char dir[64];
    char address[NODES][2][32]; /* Peers and API. */
    _Atomic int phase;
    _Atomic bool filled;
    _Atomic bool copied;
    struct member member[NODES];
    _Atomic uint64_t n_done;
    _Atomic uint64_t n_shed;
    struct histogram pause;
    struct histogram work; /* The part of the pause that is processor time of the loop thread. */
    struct histogram latency;
};

/* --- histograms ------------------------------------------------------------------------------ */

static unsigned bucket_of(uint64_t us)
{
    unsigned high = 63u - (unsigned)__builtin_clzll(us | 16);
    unsigned at = us < 16 ? (unsigned)us : (high - 3) * 16 + (unsigned)((us >> (high - 4)) & 15);
    return at < BUCKETS ? at : BUCKETS - 1;
}

static uint64_t bucket_top(unsigned at)
{
    return at < 16 ? at : (uint64_t)(16 + at % 16 + 1) << (at / 16 - 1);
}

static void histogram_add(struct histogram *h, uint64_t us)
{
    h->n[bucket_of(us)]++;
    if (us > h->max_us) {
        h->max_us = us;
    }
}

static void histogram_clear(struct histogram *h)
{
    for (unsigned i = 0; i < BUCKETS; i++) {
        h->n[i] = 0;
    }
    h->max_us = 0;
}

/* Permille of all samples were not longer than this. */
static double histogram_ms(const struct histogram *h, unsigned permille)
{
    uint64_t all = 0;
    uint64_t seen = 0;
    for (unsigned i = 0; i < BUCKETS; i++) {
        all += h->n[i];
    }
    for (unsigned i = 0; i < BUCKETS; i++) {
        seen += h->n[i];
        if (seen * 1000 >= all * permille) {
            return (double)bucket_top(i) / 1e3;
        }
    }
    return (double)h->max_us / 1e3;
}

/* --- one controller -------------------------------------------------------------------------- */

struct controller;

struct slot { /* One command on its way. */
    struct engine_write write;
    struct controller *c;
    uint64_t due_us;
    uint64_t number;
    struct slot *next_free;
};

struct controller {
    struct shared *shared;
    struct member *me;
    uv_loop_t loop;
    struct engine *engine;
    struct loop_timer *timer;
    uv_check_t check;
    uv_prepare_t prepare;
    uint64_t woke_ns;
    uint64_t woke_cpu_us;
    int phase; /* Seen last. */
    struct slot slots[WRITES];
    struct slot *free;
    uint64_t n_out;
    uint64_t next; /* Number of the next command of this phase. */
    uint64_t load_began_us;
    char *spec;
    struct storage_snapshot *copy;
};

static uint64_t now_us(void)
{
    return uv_hrtime() / 1000;
}

static uint64_t cpu_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void on_check(uv_check_t *check)
{
    struct controller *c = check->data;
    c->woke_ns = uv_hrtime();
    c->woke_cpu_us = cpu_us();
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct controller *c = prepare->data;
    if (c->woke_ns != 0 && c->me->leads && c->phase >= LOAD) {
        histogram_add(&c->shared->pause, (uv_hrtime() - c->woke_ns) / 1000);
        histogram_add(&c->shared->work, cpu_us() - c->woke_cpu_us);
    }
}

static void put_cluster(struct command *cmd)
{
    cmd->kind = CMD_CLUSTER_CREATE;
    cmd->u.cluster.name = STR("bench");
}

static void put_taskdef(struct controller *c, struct command *cmd, uint64_t i, struct arena *arena)
{
    struct container_summary *container = arena_alloc(arena, sizeof *container);
    *container =
        (struct container_summary){.name = STR("main"), .essential = true, .cpu = 10, .memory = 10};
    cmd->kind = CMD_TASKDEF_REGISTER;
    cmd->u.taskdef.def = (struct taskdef){
        .family = str_of(arena_printf(arena, "family-%llu", (unsigned long long)i)),
        .cpu = 10,
        .memory = 10,
        .containers = container,
        .n_containers = 1,
        .spec = str_make(c->spec, SPEC_BYTES)};
}

static void put_node(struct command *cmd, uint64_t i)
{
    cmd->kind = CMD_NODE_REGISTER;
    cmd->u.node_register.cluster = STR("bench");
    cmd->u.node_register.node = (struct node){.id = id_derive(1, 2, (uint32_t)i),
                                              .name = STR("node"),
                                              .address = STR("10.0.0.1"),
                                              .cpu = 10000000,
                                              .memory = 10000000,
                                              .port_min = 40000,
                                              .port_max = 60000};
}

static void put_plan(struct controller *c, struct command *cmd, uint64_t i, struct arena *arena)
{
    struct plan_task *tasks = arena_alloc(arena, TASKS_PER_PLAN * sizeof *tasks);
    for (uint32_t k = 0; k < TASKS_PER_PLAN; k++) {
        tasks[k] = (struct plan_task){.id = id_derive(3, i, k),
                                      .taskdef = 0,
                                      .service = SLOT_NONE,
                                      .node = (uint32_t)(i + k) % c->shared->shape.n_nodes,
                                      .cpu = 10,
                                      .memory = 10,
                                      .group = STR("family:family-0")};
    }
    cmd->kind = CMD_PLAN;
    cmd->u.plan = (struct cmd_plan){.cluster = 0, .tasks = tasks, .n_tasks = TASKS_PER_PLAN};
}

/* What a node says all day: this task is healthy, now it is not. */
static void put_report(struct controller *c, struct command *cmd, uint64_t i, struct arena *arena)
{
    const struct shape *shape = &c->shared->shape;
    uint32_t at = (uint32_t)(i % shape->n_tasks);
    struct task_report *report = arena_alloc(arena, sizeof *report);
    const struct task *t = store_task(engine_store(c->engine), at);
    const struct node *node = store_node(engine_store(c->engine), t->node);
    *report = (struct task_report){
        .id = t->id,
        .node = node->id,
        .session = node->session,
        .status = TASK_RUNNING,
        .health = (uint8_t)(i / shape->n_tasks % 2 == 0 ? HEALTH_HEALTHY : HEALTH_UNHEALTHY)};
    cmd->kind = CMD_TASK_REPORTS;
    cmd->u.reports = (struct cmd_task_reports){report, 1};
}

/* The fill in order: cluster, nodes, task definitions, plans. */
static uint64_t fill_size(const struct shape *s)
{
    return 1 + s->n_nodes + s->n_taskdefs + s->n_tasks / TASKS_PER_PLAN;
}

static int decide(struct engine_write *w, struct engine *e, struct command *cmd,
                  struct arena *arena, struct err *err)
{
    struct slot *slot = w->data;
    struct controller *c = slot->c;
    const struct shape *s = &c->shared->shape;
    uint64_t i = slot->number;
    (void)e;
    (void)err;
    if (c->phase != FILL) {
        put_report(c, cmd, i, arena);
    } else if (i == 0) {
        put_cluster(cmd);
    } else if (i < 1 + s->n_nodes) {
        put_node(cmd, i - 1);
    } else if (i < 1 + s->n_nodes + s->n_taskdefs) {
        put_taskdef(c, cmd, i - 1 - s->n_nodes, arena);
    } else {
        put_plan(c, cmd, i, arena);
    }
    return 0;
}

static void done(struct engine_write *w, int status, const struct result *result,
                 const struct err *err)
{
    struct slot *slot = w->data;
    struct controller *c = slot->c;
    if (status != 0 || result->reject != REJECT_NONE) {
        fprintf(stderr, "snapshot: command %llu: %s\n", (unsigned long long)slot->number,
                status != 0 ? err->text : result->text);
        _exit(1);
    }
    if (c->phase >= LOAD) {
        histogram_add(&c->shared->latency, now_us() - slot->due_us);
    }
    c->shared->n_done++;
    c->n_out--;
    slot->next_free = c->free;
    c->free = slot;
}

static void submit(struct controller *c, uint64_t due_us)
{
    struct slot *slot = c->free;
    c->free = slot->next_free;
    c->n_out++;
    slot->due_us = due_us;
    slot->number = c->next++;
    slot->write = (struct engine_write){.data = slot, .decide = decide, .done = done};
    engine_submit(c->engine, &slot->write);
}

static void fill(struct controller *c)
{
    uint64_t end = fill_size(&c->shared->shape);
    while (c->next < end && c->n_out < 64) {
        submit(c, 0);
    }
    if (c->next == end && c->n_out == 0) {
        c->shared->filled = true;
    }
}

static void load(struct controller *c)
{
    uint64_t rate = c->shared->shape.rate;
    uint64_t due = (now_us() - c->load_began_us) * rate / 1000000;
    while (c->next < due) {
        if (c->free == NULL) {
            c->shared->n_shed += due - c->next;
            c->next = due;
            return;
        }
        submit(c, c->load_began_us + c->next * 1000000 / rate);
    }
}

/* Copies of the checkpoint, one after the other. */
static void copy(struct controller *c)
{
    struct storage_point point;
    uint64_t size;
    struct err err = {0};
    if (storage_snapshot_open(engine_storage(c->engine), &c->copy, &point, &size, &err) == 0) {
        storage_snapshot_close(c->copy);
        c->shared->copied = true;
    }
}

static void tell(struct controller *c)
{
    struct engine_status status;
    struct storage_stats stats;
    engine_status(c->engine, &status);
    storage_stats(engine_storage(c->engine), &stats);
    c->me->leads = engine_is_leader(c->engine);
    c->me->applied = status.applied_index;
    c->me->n_commands = status.n_commands;
    c->me->state_bytes = stats.file_bytes;
}

static void on_timer(void *data)
{
    struct controller *c = data;
    int phase = c->shared->phase;
    tell(c);
    if (!c->me->leads) {
        return;
    }
    if (phase != c->phase && c->n_out > 0 && (phase == IDLE || c->phase == IDLE)) {
        return; /* What is on its way belongs to the old phase. */
    }
    if (phase != c->phase) {
        bool goes_on = phase >= LOAD && c->phase >= LOAD;
        c->phase = phase;
        c->next = goes_on ? c->next : 0;
        c->load_began_us = goes_on ? c->load_began_us : now_us();
    }
    if (c->phase == FILL) {
        fill(c);
    } else if (c->phase >= LOAD) {
        load(c);
    }
    if (c->phase == COPY) {
        copy(c);
    }
}

static _Noreturn void run_controller(struct shared *shared, unsigned at)
{
    struct controller *c = calloc(1, sizeof *c);
    struct engine_member members[NODES];
    char dir[80];
    struct engine_config config = {
        .dir = dir,
        .id = at + 1,
        .members = members,
        .n_members = NODES,
        .leader = {.lost_after_ms = 86400000, .grace_ms = 86400000, .plan_items_max = 5000},
    };
    struct err err = {0};
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)priority_raise(-10, NULL); /* As ecs-controller does. */
    sysmem_keep();
    assert(c != NULL);
    c->shared = shared;
    c->me = &shared->member[at];
    c->spec = malloc(SPEC_BYTES);
    assert(c->spec != NULL);
    memset(c->spec, 's', SPEC_BYTES);
    for (unsigned i = 0; i < WRITES; i++) {
        c->slots[i].c = c;
        c->slots[i].next_free = c->free;
        c->free = &c->slots[i];
    }
    for (unsigned i = 0; i < NODES; i++) {
        members[i] = (struct engine_member){i + 1, shared->address[i][0], shared->address[i][1]};
    }
    (void)snprintf(dir, sizeof dir, "%s/%u", shared->dir, at + 1);
    (void)uv_loop_init(&c->loop);
    if (engine_open(&c->loop, &config, sysmem(), &c->engine, &err) != 0) {
        fprintf(stderr, "snapshot: controller %u: %s\n", at + 1, err.text);
        _exit(1);
    }
    c->timer = loop_timer_open(&c->loop, on_timer, c);
    loop_timer_repeat(c->timer, 1, 1);
    (void)uv_check_init(&c->loop, &c->check);
    (void)uv_prepare_init(&c->loop, &c->prepare);
    c->check.data = c;
    c->prepare.data = c;
    (void)uv_check_start(&c->check, on_check);
    (void)uv_prepare_start(&c->prepare, on_prepare);
    (void)uv_run(&c->loop, UV_RUN_DEFAULT);
    _exit(0);
}

/* --- the parent ------------------------------------------------------------------------------ */

static pid_t pids[NODES];

static void start(struct shared *shared, unsigned at)
{
    pids[at] = fork();
    if (pids[at] == 0) {
        run_controller(shared, at);
    }
    assert(pids[at] > 0);
}

static void stop(unsigned at)
{
    if (pids[at] > 0) {
        (void)kill(pids[at], SIGKILL);
        (void)waitpid(pids[at], NULL, 0);
        pids[at] = 0;
    }
}

static int unlink_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static _Noreturn void give_up(struct shared *shared, const char *why)
{
    fprintf(stderr, "snapshot: %s\n", why);
    for (unsigned i = 0; i < NODES; i++) {
        stop(i);
    }
    (void)nftw(shared->dir, unlink_one, 16, FTW_DEPTH | FTW_PHYS);
    exit(1);
}

/* A controller that ended by itself has said why. */
static void nap(struct shared *shared, unsigned ms)
{
    int status;
    (void)usleep(ms * 1000);
    for (unsigned i = 0; i < NODES; i++) {
        if (pids[i] > 0 && waitpid(pids[i], &status, WNOHANG) == pids[i]) {
            pids[i] = 0;
            give_up(shared, "a controller ended");
        }
    }
}

static int leader_of(const struct shared *shared)
{
    for (unsigned i = 0; i < NODES; i++) {
        if (pids[i] > 0 && shared->member[i].leads) {
            return (int)i;
        }
    }
    return -1;
}

static void clear(struct shared *shared)
{
    histogram_clear(&shared->pause);
    histogram_clear(&shared->work);
    histogram_clear(&shared->latency);
    shared->n_done = 0;
    shared->n_shed = 0;
}

static void add(struct report *r, const struct shared *shared, const char *name, double seconds)
{
    report_add(r, name, "commands", "1/s", (double)shared->n_done / seconds);
    report_add(r, name, "shed", "", (double)shared->n_shed);
    report_add(r, name, "command p50", "ms", histogram_ms(&shared->latency, 500));
    report_add(r, name, "command p99", "ms", histogram_ms(&shared->latency, 990));
    report_add(r, name, "loop pause p99.9", "ms", histogram_ms(&shared->pause, 999));
    report_add(r, name, "loop pause max", "ms", (double)shared->pause.max_us / 1e3);
    report_add(r, name, "of it on the processor", "ms", (double)shared->work.max_us / 1e3);
}

/* The 99th percentile of this phase, in ms. */
static double measure(struct report *r, struct shared *shared, const char *name, enum phase phase)
{
    uint64_t began = now_us();
    shared->phase = (int)phase;
    nap(shared, 500);
    clear(shared);
    began = now_us();
    nap(shared, shared->shape.phase_s * 1000);
    while (phase == COPY && !shared->copied) {
        nap(shared, 50);
    }
    add(r, shared, name, (double)(now_us() - began) / 1e6);
    return histogram_ms(&shared->latency, 990);
}

/* A follower dies, misses commands, comes back. The load never stops. */
static void measure_laggard(struct report *r, struct shared *shared)
{
    int leader = leader_of(shared);
    unsigned lame = leader == 0 ? 1 : 0;
    uint64_t from = shared->member[leader].n_commands;
    uint64_t entries = shared->member[leader].applied;
    uint64_t began;
    double before;
    stop(lame);
    before = measure(r, shared, "follower dead", LOAD);
    while (shared->member[leader].n_commands - from < shared->shape.behind) {
        nap(shared, 100);
    }
    report_add(r, "follower back", "commands missed", "",
               (double)(shared->member[leader].n_commands - from));
    report_add(r, "follower back", "entries missed", "",
               (double)(shared->member[leader].applied - entries));
    clear(shared);
    began = now_us();
    shared->member[lame].applied = 0;
    start(shared, lame);
    do {
        nap(shared, 20);
    } while (shared->member[lame].applied + 100 < shared->member[leader].applied);
    report_add(r, "follower back", "caught up after", "s", (double)(now_us() - began) / 1e6);
    add(r, shared, "follower back", (double)(now_us() - began) / 1e6);
    report_add(r, "follower back", "p99 over p99 before", "",
               histogram_ms(&shared->latency, 990) / before);
    if (leader_of(shared) != leader) {
        give_up(shared, "the leader changed");
    }
}

static void run(struct report *r, struct shared *shared)
{
    uint64_t began = now_us();
    for (unsigned i = 0; i < NODES; i++) {
        start(shared, i);
    }
    while (leader_of(shared) < 0) {
        nap(shared, 10);
    }
    shared->phase = FILL;
    while (!shared->filled) {
        nap(shared, 50);
    }
    shared->phase = IDLE;
    nap(shared, 3000);
    report_add(r, "fill", "seconds", "s", (double)(now_us() - began) / 1e6);
    report_add(r, "fill", "checkpoint", "MB",
               (double)shared->member[leader_of(shared)].state_bytes / 1e6);
    (void)measure(r, shared, "steady", LOAD);
    (void)measure(r, shared, "checkpoint copied", COPY);
    measure_laggard(r, shared);
}

int main(int argc, char **argv)
{
    struct report r;
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert(shared != MAP_FAILED);
    report_open(&r, "snapshot", argc, argv);
    shared->shape = r.quick ? (struct shape){200, 20000, 100, 5000, 2, 20000}
                            : (struct shape){8500, 200000, 1000, 20000, 15, 1000000};
    (void)snprintf(shared->dir, sizeof shared->dir, "%s/bench-snapshot-XXXXXX",
                   access("/var/tmp", W_OK) == 0 ? "/var/tmp" : "/tmp");
    if (mkdtemp(shared->dir) == NULL) {
        perror(shared->dir);
        return 1;
    }
    for (unsigned i = 0; i < NODES; i++) {
        for (unsigned k = 0; k < 2; k++) {
            (void)snprintf(shared->address[i][k], sizeof shared->address[i][k], "127.0.0.1:%u",
                           freeport());
        }
    }
    run(&r, shared);
    for (unsigned i = 0; i < NODES; i++) {
        stop(i);
    }
    (void)nftw(shared->dir, unlink_one, 16, FTW_DEPTH | FTW_PHYS);
    report_close(&r);
    return 0;
}
