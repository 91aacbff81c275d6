/* How fast is the core? One store and one leader, agents that do what they are told at once, no log
 * and no network: services are filled with tasks, all of them are reported RUNNING, tasks end and
 * are replaced, a new leader looks at everything, the rows are loaded into a second store.
 *
 * usage: core [--quick] [--json FILE] [TASKS...] */
#include "common/base/hash.h"
#include "common/base/prng.h"
#include "common/loop/sysmem.h"
#include "controller/core/leader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#define N_RUNS       3
#define PER_NODE     50  /* Tasks. */
#define PER_SERVICE  500 /* Likewise. */
#define REPORTS      2000
#define CHURN        200 /* Tasks that end between two passes. */
#define CHURN_ROUNDS 100
#define COMMANDS     64
#define SIZES_MAX    8

enum metric { FILL, REPORT, REPLACE, TAKEOVER, LOAD, BYTES, METRIC_N };

static const struct {
    const char *name;
    const char *unit;
} metrics[METRIC_N] = {
    [FILL] = {"tasks decided and applied", "tasks/s"},
    [REPORT] = {"reports applied", "reports/s"},
    [REPLACE] = {"tasks ended, noticed, replaced", "tasks/s"},
    [TAKEOVER] = {"new leader until it has seen everything", "s"},
    [LOAD] = {"rows loaded from a checkpoint", "rows/s"},
    [BYTES] = {"memory of the store", "bytes/task"},
};

struct bench {
    struct store *store;
    struct leader *leader;
    struct changes changes;
    struct result result;
    struct arena arena;
    struct prng prng;
    int64_t now;
    uint64_t seed;
};

static size_t in_use;

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void apply(struct bench *b, struct command *cmd)
{
    cmd->at_ms = b->now;
    cmd->seed = b->seed++;
    changes_clear(&b->changes);
    store_apply(b->store, cmd, &b->changes, &b->result);
    if (b->result.reject != REJECT_NONE) {
        fprintf(stderr, "command %u: %s\n", cmd->kind, b->result.text);
        exit(1);
    }
    if (b->leader != NULL) {
        leader_changed(b->leader, &b->changes);
    }
}

static void open_leader(struct bench *b)
{
    static const struct leader_settings settings = {3600000, 3600000, 5000, 0};
    leader_close(b->leader);
    b->leader = leader_open(b->store, &settings, b->now, sysmem());
}

/* Passes until nothing is left to decide. */
static void settle(struct bench *b)
{
    static struct command cmds[COMMANDS];
    uint32_t n;
    int64_t deadline;
    do {
        arena_clear(&b->arena);
        n = leader_pass(b->leader, b->now, cmds, COMMANDS, &b->arena);
        for (uint32_t i = 0; i < n; i++) {
            apply(b, &cmds[i]);
        }
        leader_settle(b->leader);
    } while (n > 0 || leader_dirty(b->leader, b->now, &deadline));
}

/* --- the cluster ---------------------------------------------------------------------------------
 */

static void add_nodes(struct bench *b, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        char zone[8];
        struct attribute attributes[] = {{STR("ecs.availability-zone"), {zone, 2}},
                                         {STR("ecs.os-type"), STR("linux")}};
        struct command cmd = {.kind = CMD_NODE_REGISTER};
        (void)snprintf(zone, sizeof zone, "z%u", i % 3);
        cmd.u.node_register.cluster = STR("c");
        cmd.u.node_register.node = (struct node){.id = id_derive(1, 2, i),
                                                 .name = STR("node"),
                                                 .cpu = (PER_NODE + PER_NODE / 5) * 100,
                                                 .memory = (PER_NODE + PER_NODE / 5) * 100,
                                                 .port_min = 32768,
                                                 .port_max = 60999,
                                                 .attributes = attributes,
                                                 .n_attributes = 2};
        apply(b, &cmd);
    }
}

static void open_bench(struct bench *b, uint32_t n_tasks)
{
    struct port_mapping port = {80, 0, 1, PROTO_TCP};
    struct container_summary container = {.name = STR("main"),
                                          .essential = true,
                                          .cpu = 100,
                                          .memory = 100,
                                          .ports = &port,
                                          .n_ports = 1};
    struct command cluster = {.kind = CMD_CLUSTER_CREATE};
    struct command def = {.kind = CMD_TASKDEF_REGISTER};
    memset(b, 0, sizeof *b);
    in_use = 0;
    b->now = 1700000000000;
    b->store = store_open(sysmem());
    changes_init(&b->changes, sysmem());
    arena_init(&b->arena, sysmem());
    prng_init(&b->prng, 1);
    cluster.u.cluster.name = STR("c");
    apply(b, &cluster);
    def.u.taskdef.def = (struct taskdef){
        .family = STR("f"), .cpu = 100, .memory = 100, .containers = &container, .n_containers = 1};
    apply(b, &def);
    add_nodes(b, n_tasks / PER_NODE);
    for (uint32_t i = 0; i < n_tasks / PER_SERVICE; i++) {
        char name[16];
        struct command cmd = {.kind = CMD_SERVICE_CREATE};
        (void)snprintf(name, sizeof name, "s%u", i);
        cmd.u.service_create = (struct cmd_service_create){.cluster = STR("c"),
                                                           .family = STR("f"),
                                                           .service = {.name = str_of(name),
                                                                       .desired = PER_SERVICE,
                                                                       .min_percent = 100,
                                                                       .max_percent = 200}};
        apply(b, &cmd);
    }
    open_leader(b);
}

static void close_bench(struct bench *b)
{
    leader_close(b->leader);
    store_close(b->store);
    changes_close(&b->changes);
    arena_close(&b->arena);
}

/* --- what is measured ----------------------------------------------------------------------------
 */

static struct task_report report_of(const struct bench *b, const struct task *t, uint8_t status,
                                    struct container_report *container)
{
    const struct node *node = store_node(b->store, t->node);
    *container = (struct container_report){.status = CONTAINER_RUNNING,
                                           .runtime_id = STR("0123456789abcdef")};
    return (struct task_report){.id = t->id,
                                .node = node->id,
                                .session = node->session,
                                .status = status,
                                .containers = container,
                                .n_containers = 1};
}

/* Everything that is pending from this slot on starts to run. */
static uint32_t run_from(struct bench *b, uint32_t slot)
{
    static struct task_report reports[REPORTS];
    static struct container_report containers[REPORTS];
    uint32_t n_slots = store_slots(b->store, KIND_TASK);
    uint32_t total = 0;
    while (slot < n_slots) {
        struct command cmd = {.kind = CMD_TASK_REPORTS};
        uint32_t n = 0;
        for (; slot < n_slots && n < REPORTS; slot++) {
            const struct task *t = store_task(b->store, slot);
            if (t != NULL && t->status < TASK_RUNNING) {
                reports[n] = report_of(b, t, TASK_RUNNING, &containers[n]);
                n++;
            }
        }
        cmd.u.reports = (struct cmd_task_reports){reports, n};
        apply(b, &cmd);
        total += b->result.n_done;
        settle(b);
    }
    return total;
}

static uint32_t churn(struct bench *b)
{
    static struct task_report reports[CHURN];
    static struct container_report containers[CHURN];
    uint32_t total = 0;
    b->now += 60000;
    for (uint32_t round = 0; round < CHURN_ROUNDS; round++) {
        struct command cmd = {.kind = CMD_TASK_REPORTS};
        uint32_t n = 0;
        uint32_t n_slots = store_slots(b->store, KIND_TASK);
        while (n < CHURN) {
            uint32_t slot = (uint32_t)prng_below(&b->prng, n_slots);
            const struct task *t = store_task(b->store, slot);
            if (t != NULL && t->status == TASK_RUNNING) {
                reports[n] = report_of(b, t, TASK_STOPPED, &containers[n]);
                n++;
            }
        }
        b->now += 1000;
        cmd.u.reports = (struct cmd_task_reports){reports, n};
        apply(b, &cmd);
        total += b->result.n_done;
        settle(b);
        (void)run_from(b, n_slots);
    }
    return total;
}

static double load_rate(struct bench *b)
{
    struct store *copy = store_open(sysmem());
    struct err err;
    double from = cpu_seconds();
    uint64_t n = 0;
    for (unsigned kind = 1; kind < KIND_N; kind++) {
        for (uint32_t slot = 0; slot < store_slots(b->store, kind); slot++) {
            const void *row = store_row(b->store, kind, slot);
            if (row != NULL && store_load_row(copy, kind, slot, row, &err) != 0) {
                fprintf(stderr, "%s\n", err.text);
                exit(1);
            }
            n += row != NULL;
        }
    }
    if (store_load_done(copy, &err) != 0) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    from = (double)n / (cpu_seconds() - from);
    store_close(copy);
    return from;
}

static void measure(uint32_t n_tasks, double ret[METRIC_N])
{
    struct bench b;
    double from;
    size_t before;
    uint32_t n;
    open_bench(&b, n_tasks);
    before = in_use;
    from = cpu_seconds();
    settle(&b);
    ret[FILL] = store_count(b.store, KIND_TASK) / (cpu_seconds() - from);
    from = cpu_seconds();
    n = run_from(&b, 0);
    ret[REPORT] = n / (cpu_seconds() - from);
    ret[BYTES] = (double)(in_use - before) / store_count(b.store, KIND_TASK);
    from = cpu_seconds();
    n = churn(&b);
    ret[REPLACE] = n / (cpu_seconds() - from);
    from = cpu_seconds();
    open_leader(&b);
    settle(&b);
    ret[TAKEOVER] = cpu_seconds() - from;
    ret[LOAD] = load_rate(&b);
    close_bench(&b);
}

/* --- results -------------------------------------------------------------------------------------
 */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void write_head(FILE *f)
{
    struct utsname machine;
    double load[3] = {0};
    (void)uname(&machine);
    (void)getloadavg(load, 3);
    fprintf(f,
            "{\"name\":\"core\",\"commit\":\"%s\",\"machine\":\"%s %s\",\"load\":%.2f,\"rows\":[",
            getenv("ECS_COMMIT") != NULL ? getenv("ECS_COMMIT") : "", machine.sysname,
            machine.machine, load[0]);
}

static void bench_size(uint32_t n_tasks, int runs, FILE *json, bool first)
{
    double values[METRIC_N][N_RUNS];
    for (int i = 0; i < runs; i++) {
        double one[METRIC_N];
        measure(n_tasks, one);
        for (int m = 0; m < METRIC_N; m++) {
            values[m][i] = one[m];
        }
    }
    for (int m = 0; m < METRIC_N; m++) {
        double *v = values[m];
        qsort(v, (size_t)runs, sizeof *v, compare);
        printf("%9u tasks  %-42s %14.3f %s\n", n_tasks, metrics[m].name, v[runs / 2],
               metrics[m].unit);
        if (json != NULL) {
            fprintf(json,
                    "%s{\"case\":\"%u tasks\",\"metric\":\"%s\",\"unit\":\"%s\",\"median\":%.3f,"
                    "\"min\":%.3f,\"max\":%.3f}",
                    first && m == 0 ? "" : ",", n_tasks, metrics[m].name, metrics[m].unit,
                    v[runs / 2], v[0], v[runs - 1]);
        }
    }
    fflush(stdout);
}

int main(int argc, char **argv)
{
    uint32_t sizes[SIZES_MAX] = {10000, 100000, 500000};
    int n_sizes = 0;
    int runs = N_RUNS;
    bool quick = false;
    FILE *json = NULL;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--quick") == 0) {
            quick = true;
        } else if (strcmp(argv[i], "--json") == 0 && i + 1 < argc) {
            json = fopen(argv[++i], "w");
        } else if (n_sizes < SIZES_MAX) {
            sizes[n_sizes++] = (uint32_t)strtoul(argv[i], NULL, 10);
        }
    }
    n_sizes = n_sizes > 0 ? n_sizes : quick ? 1 : 3;
    runs = quick ? 1 : runs;
    if (json != NULL) {
        write_head(json);
    }
    for (int i = 0; i < n_sizes; i++) {
        bench_size(sizes[i], runs, json, i == 0);
    }
    if (json != NULL) {
        fprintf(json, "]}\n");
        fclose(json);
    }
    return 0;
}
