/* How fast is the placement engine? Reported per second of this thread's CPU time, so other work on
 * the machine matters little. A pair is one replica chosen by place_again(), taken by view_take(),
 * and one task given back by view_give(). A refusal is no pair, and its reasons are not asked for.
 *
 *   identical    one service scales out by 1000 replicas, one by one, and in again; every node is
 *                about 85 % full. (Where other tasks stop instead: `churn`.)
 *   distinct, spread, constrained, ports
 *                the same, 500 services in turn, each with this rule
 *   service      likewise, 1000 replicas in one call, spread over zones and then instances, as ECS
 *                does for services that do not say otherwise
 *   batch        one service scales out by 1000 replicas in one call and stops as many; nodes have
 *                room for 8 to 32 replicas, as in a cluster that best fit filled
 *   hetero       500 services of odd sizes, half with constraints, most spread, some distinct:
 *                a replica of any of them, then any task stops. Nodes about 85 % full
 *   churn        as hetero, with the service of `identical`
 *   scan         as hetero, with place() replaced by a look at every node: what the index is worth
 *
 * usage: placement [--quick] [--json FILE] [CASE...] */
#include "common/base/prng.h"
#include "common/loop/sysmem.h"
#include "controller/core/placement/place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#define N_ZONES        3
#define N_TYPES        20
#define N_SERVICES_MAX 500
#define N_RUNS         5
#define FILL_PERCENT   85
#define ROWS_MAX       64

#define ROUND 1000 /* Replicas of one scale-out. */

enum kind {
    IDENTICAL,
    BATCH,
    HETERO,
    SPREAD,
    SERVICE,
    DISTINCT,
    CONSTRAINED,
    PORTS,
    CHURN,
    SCAN,
    KIND_N
};

static const char *const kinds[KIND_N] = {
    [IDENTICAL] = "identical",
    [BATCH] = "batch",
    [HETERO] = "hetero",
    [SPREAD] = "spread",
    [SERVICE] = "service",
    [DISTINCT] = "distinct",
    [CONSTRAINED] = "constrained",
    [PORTS] = "ports",
    [CHURN] = "churn",
    [SCAN] = "scan",
};

struct service {
    char group[32];
    char expression[100];
    struct place_constraint constraints[2];
    struct place_strategy strategies[2];
    struct place_port ports[2];
    struct place_request request;
    struct place_ready *ready;
    uint32_t group_ref;
};

struct task { /* Or several equal ones. */
    uint32_t slot;
    uint16_t service;
    uint16_t count;
    struct view_port ports[2];
};

struct cluster {
    struct view *view;
    struct arena arena;
    struct prng prng;
    uint32_t n_nodes;
    uint32_t n_services;
    struct service services[N_SERVICES_MAX];
    struct task *tasks; /* A ring of cap_tasks; the oldest is first. */
    uint32_t first;
    uint32_t n_tasks;
    uint32_t cap_tasks; /* Power of two. */
};

struct row {
    char name[40];
    double median;
    double min;
    double max;
};

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static uint32_t below(struct cluster *c, uint32_t n)
{
    return (uint32_t)prng_below(&c->prng, n);
}

/* --- the cluster ------------------------------------------------------------------------------ */

static void add_nodes(struct cluster *c)
{
    for (uint32_t i = 0; i < c->n_nodes; i++) {
        char zone[16], type[16];
        uint32_t slot;
        struct err err;
        uint32_t t = below(c, N_TYPES);
        snprintf(zone, sizeof zone, "zone-%u", below(c, N_ZONES));
        snprintf(type, sizeof type, "m%u.large", t);
        struct view_attribute attributes[] = {{STR(VIEW_ATTRIBUTE_ZONE), str_of(zone)},
                                              {STR(VIEW_ATTRIBUTE_TYPE), str_of(type)}};
        struct view_node node = {.id = id_derive(1, 2, i),
                                 .owner = i,
                                 .agent_connected = true,
                                 .cpu = 16384u + 16384u * (t % 4),
                                 .memory_mib = 65536u << (t % 3),
                                 .attributes = attributes,
                                 .n_attributes = 2};
        if (view_node_add(c->view, &node, &slot, &err) != 0) {
            fprintf(stderr, "%s\n", err.text);
            exit(1);
        }
    }
}

static void make_service(struct cluster *c, enum kind kind, uint32_t i)
{
    struct service *s = &c->services[i];
    bool mixed = kind == HETERO || kind == SCAN;
    memset(s, 0, sizeof *s);
    snprintf(s->group, sizeof s->group, "service:s%u", i);
    s->request = (struct place_request){.group = str_of(s->group),
                                        .cpu = 2048,
                                        .memory_mib = 8192,
                                        .constraints = s->constraints,
                                        .no_reasons = true,
                                        .strategies = s->strategies,
                                        .ports = s->ports};
    if (mixed) {
        s->request.cpu = 256 + below(c, 6000);
        s->request.memory_mib = 512 + below(c, 24000);
    }
    if (kind == DISTINCT || (mixed && below(c, 8) == 0)) {
        s->constraints[s->request.n_constraints++].kind = PLACE_DISTINCT_INSTANCE;
    }
    if (kind == CONSTRAINED || (mixed && below(c, 2) == 0)) {
        uint32_t t = below(c, N_TYPES);
        snprintf(s->expression, sizeof s->expression,
                 "attribute:ecs.instance-type =~ m[%u%u].* or "
                 "attribute:ecs.availability-zone == zone-%u",
                 t % 10, (t + 3) % 10, below(c, N_ZONES));
        s->constraints[s->request.n_constraints++] =
            (struct place_constraint){.kind = PLACE_MEMBER_OF, .expression = str_of(s->expression)};
    }
    if (kind == SPREAD || (mixed && below(c, 4) != 0)) {
        s->strategies[s->request.n_strategies++] =
            (struct place_strategy){PLACE_SPREAD_ATTRIBUTE, STR(VIEW_ATTRIBUTE_ZONE)};
    }
    if (kind == SERVICE) {
        s->request.n_strategies = 2;
        s->strategies[0] =
            (struct place_strategy){PLACE_SPREAD_ATTRIBUTE, STR(VIEW_ATTRIBUTE_ZONE)};
        s->strategies[1] = (struct place_strategy){.kind = PLACE_SPREAD_NODE};
    }
    if (kind == PORTS) {
        s->ports[0] = (struct place_port){0, 1, VIEW_TCP};
        s->ports[1] = (struct place_port){0, 1, VIEW_UDP};
        s->request.n_ports = 2;
    }
}

static void prepare_services(struct cluster *c)
{
    struct err err;
    for (uint32_t i = 0; i < c->n_services; i++) {
        struct service *s = &c->services[i];
        s->group_ref = view_group_open(c->view, s->request.group) + 1;
        if (place_prepare(c->view, &s->request, &s->ready, &err) != 0) {
            fprintf(stderr, "%s\n", err.text);
            exit(1);
        }
    }
}

static struct view_take take_of(const struct cluster *c, const struct task *t)
{
    const struct service *s = &c->services[t->service];
    return (struct view_take){.cpu = s->request.cpu,
                              .memory_mib = s->request.memory_mib,
                              .ports = t->ports,
                              .n_ports = s->request.n_ports,
                              .group_ref = s->group_ref};
}

static struct task *task_at(struct cluster *c, uint32_t i)
{
    return &c->tasks[(c->first + i) & (c->cap_tasks - 1)];
}

static void task_add(struct cluster *c, const struct task *t)
{
    if (c->n_tasks == c->cap_tasks) {
        uint32_t cap = c->cap_tasks == 0 ? 1024 : c->cap_tasks * 2;
        struct task *tasks = mem_alloc(sysmem(), cap * sizeof *t);
        for (uint32_t i = 0; i < c->n_tasks; i++) {
            tasks[i] = *task_at(c, i);
        }
        mem_free(sysmem(), c->tasks, c->cap_tasks * sizeof *t);
        c->tasks = tasks;
        c->cap_tasks = cap;
        c->first = 0;
    }
    struct view_take take = take_of(c, t);
    view_take_n(c->view, t->slot, &take, t->count);
    *task_at(c, c->n_tasks) = *t;
    c->n_tasks++;
}

static uint32_t task_remove_newest(struct cluster *c)
{
    const struct task *t = task_at(c, c->n_tasks - 1);
    struct view_take take = take_of(c, t);
    uint32_t count = t->count;
    view_give_n(c->view, t->slot, &take, count);
    c->n_tasks--;
    return count;
}

/* Where the next task to stop is looked up is not the engine's time: begin to fetch it now. */
static uint32_t choose_task(struct cluster *c)
{
    uint32_t i = below(c, c->n_tasks);
    __builtin_prefetch(task_at(c, i));
    return i;
}

static void task_remove(struct cluster *c, uint32_t i)
{
    struct task *t = task_at(c, i);
    struct view_take take = take_of(c, t);
    view_give(c->view, t->slot, &take);
    c->n_tasks--;
    *t = *task_at(c, c->n_tasks);
}

/* Random tasks on random nodes: filling by place() would take minutes on the largest cluster. */
static void fill(struct cluster *c)
{
    for (uint32_t slot = 0; slot < c->n_nodes; slot++) {
        int32_t all = view_free_of(c->view, slot).cpu;
        for (uint32_t tries = 0; tries < 64; tries++) {
            struct task t = {
                .slot = slot, .service = (uint16_t)below(c, c->n_services), .count = 1};
            const struct service *s = &c->services[t.service];
            bool distinct =
                s->request.n_constraints > 0 && s->constraints[0].kind == PLACE_DISTINCT_INSTANCE;
            t.ports[0] = (struct view_port){(uint16_t)(32768 + tries), 1, VIEW_TCP};
            t.ports[1] = (struct view_port){(uint16_t)(32768 + tries), 1, VIEW_UDP};
            struct view_take take = take_of(c, &t);
            if (view_check(c->view, slot, &take, NULL) == 0 &&
                !(distinct && view_group_on(c->view, s->request.group, slot) > 0)) {
                task_add(c, &t);
            }
            if (view_free_of(c->view, slot).cpu < all / 100 * (100 - FILL_PERCENT)) {
                break;
            }
        }
    }
}

/* The oldest tasks must not all be on the nodes that were filled first. */
static void shuffle(struct cluster *c)
{
    for (uint32_t i = c->n_tasks; i > 1; i--) {
        struct task *a = task_at(c, i - 1);
        struct task *b = task_at(c, below(c, i));
        struct task t = *a;
        *a = *b;
        *b = t;
    }
}

static void cluster_open(struct cluster *c, enum kind kind, uint32_t n_nodes)
{
    bool one = kind == IDENTICAL || kind == BATCH || kind == CHURN;
    memset(c, 0, sizeof *c);
    prng_init(&c->prng, 42);
    c->view = view_open(sysmem());
    arena_init(&c->arena, sysmem());
    c->n_nodes = n_nodes;
    c->n_services = one ? 1 : n_nodes < 500 ? 50 : N_SERVICES_MAX;
    add_nodes(c);
    for (uint32_t i = 0; i < c->n_services; i++) {
        make_service(c, kind, i);
    }
    prepare_services(c);
    if (kind != BATCH) {
        fill(c);
        shuffle(c);
    }
}

static void cluster_close(struct cluster *c)
{
    for (uint32_t i = 0; i < c->n_services; i++) {
        place_release(c->services[i].ready);
        view_group_close(c->view, c->services[i].group_ref - 1);
    }
    view_close(c->view);
    arena_close(&c->arena);
    mem_free(sysmem(), c->tasks, c->cap_tasks * sizeof *c->tasks);
}

/* --- measuring -------------------------------------------------------------------------------- */

/* Place n replicas of a service and take what they need. */
static uint32_t start(struct cluster *c, uint32_t service, uint32_t n)
{
    struct placement p;
    struct err err;
    const struct service *s = &c->services[service];
    arena_clear(&c->arena);
    if (place_again(s->ready, n, 0, &p, &c->arena, &err) != 0) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    for (uint32_t i = 0; i < p.n_runs; i++) {
        struct task t = {.slot = p.runs[i].slot,
                         .service = (uint16_t)service,
                         .count = (uint16_t)p.runs[i].count};
        for (uint32_t k = 0; k < s->request.n_ports; k++) {
            t.ports[k] =
                (struct view_port){p.runs[i].host_ports[k], s->ports[k].count, s->ports[k].proto};
        }
        task_add(c, &t);
    }
    return p.n_placed;
}

/* A service scales out, one replica at a time or all at once, and in again. */
static uint32_t scale_out(struct cluster *c, bool at_once)
{
    uint32_t service = below(c, c->n_services);
    uint32_t n = 0;
    uint32_t most = c->n_nodes < ROUND ? c->n_nodes : ROUND;
    if (at_once) {
        n = start(c, service, most);
    }
    while (!at_once && n < most && start(c, service, 1) == 1) {
        n++;
    }
    for (uint32_t stopped = 0; stopped < n;) {
        stopped += task_remove_newest(c);
    }
    return n;
}

/* One replica of any service; any task stops; and again. */
static uint32_t exchange(struct cluster *c)
{
    uint32_t n = 0;
    for (int i = 0; i < 100; i++) {
        uint32_t victim = choose_task(c);
        if (start(c, below(c, c->n_services), 1) == 1) {
            task_remove(c, victim);
            n++;
        }
    }
    return n;
}

/* A look at every node, with the amounts alone: less than place() has to do. */
static uint32_t scan(struct cluster *c)
{
    uint32_t service = below(c, c->n_services);
    const struct place_request *r = &c->services[service].request;
    struct task t = {.slot = VIEW_NONE, .service = (uint16_t)service, .count = 1};
    int32_t least = INT32_MAX;
    for (uint32_t slot = 0; slot < c->n_nodes; slot++) {
        struct view_free f = view_free_of(c->view, slot);
        if (f.cpu >= (int32_t)r->cpu && f.memory_mib >= (int32_t)r->memory_mib && f.cpu < least) {
            least = f.cpu;
            t.slot = slot;
        }
    }
    if (t.slot == VIEW_NONE) {
        return 0;
    }
    task_add(c, &t);
    task_remove(c, choose_task(c));
    return 1;
}

static uint32_t some_pairs(struct cluster *c, enum kind kind)
{
    switch (kind) {
    case IDENTICAL:
    case SPREAD:
    case DISTINCT:
    case CONSTRAINED:
    case PORTS:
        return scale_out(c, false);
    case BATCH:
    case SERVICE:
        return scale_out(c, true);
    case HETERO:
    case CHURN:
        return exchange(c);
    case SCAN:
        return scan(c);
    case KIND_N:
        break;
    }
    abort();
}

static int compare(const void *a, const void *b)
{
    const double *x = a;
    const double *y = b;
    return (*x > *y) - (*x < *y);
}

static struct row measure(enum kind kind, uint32_t n_nodes, double seconds)
{
    static struct cluster c;
    struct row row;
    double rates[N_RUNS];
    cluster_open(&c, kind, n_nodes);
    for (int run = -1; run < N_RUNS; run++) { /* The first one warms up. */
        uint64_t n_pairs = 0;
        double from = cpu_seconds();
        double now;
        do {
            for (int i = 0; i < 16; i++) {
                n_pairs += some_pairs(&c, kind);
            }
            now = cpu_seconds();
        } while (now - from < seconds);
        rates[run < 0 ? 0 : run] = (double)n_pairs / (now - from);
    }
    cluster_close(&c);
    qsort(rates, N_RUNS, sizeof rates[0], compare);
    snprintf(row.name, sizeof row.name, "%s/%u", kinds[kind], n_nodes);
    row.median = rates[N_RUNS / 2];
    row.min = rates[0];
    row.max = rates[N_RUNS - 1];
    return row;
}

/* --- output ----------------------------------------------------------------------------------- */

static void write_json(const char *path, const struct row *rows, uint32_t n)
{
    struct utsname machine;
    double load = 0;
    FILE *f = fopen(path, "w");
    if (f == NULL || uname(&machine) != 0) {
        perror(path);
        exit(1);
    }
    const char *commit = getenv("ECS_COMMIT");
    (void)getloadavg(&load, 1);
    fprintf(f, "{\"name\":\"placement\",\"commit\":\"%s\",\"machine\":\"%s %s %s\",\"load\":%.2f,",
            commit == NULL ? "" : commit, machine.sysname, machine.release, machine.machine, load);
    fprintf(f, "\"rows\":[");
    for (uint32_t i = 0; i < n; i++) {
        fprintf(f,
                "%s\n{\"case\":\"%s\",\"metric\":\"pairs_per_cpu_s\",\"unit\":\"1/s\","
                "\"median\":%.0f,\"min\":%.0f,\"max\":%.0f}",
                i == 0 ? "" : ",", rows[i].name, rows[i].median, rows[i].min, rows[i].max);
    }
    fprintf(f, "\n]}\n");
    if (fclose(f) != 0) {
        perror(path);
        exit(1);
    }
}

/* "hetero" and "hetero/1000" select; no names select everything. */
static bool selected(const char *kind, uint32_t n_nodes, char **names, int n)
{
    char full[40];
    bool found = n == 0;
    snprintf(full, sizeof full, "%s/%u", kind, n_nodes);
    for (int i = 0; i < n; i++) {
        found = found || strcmp(names[i], kind) == 0 || strcmp(names[i], full) == 0;
    }
    return found;
}

int main(int argc, char **argv)
{
    static const uint32_t sizes[] = {100, 1000, 10000, 100000};
    struct row rows[ROWS_MAX];
    uint32_t n_rows = 0;
    bool quick = false;
    const char *json = NULL;
    int first = 1;
    for (; first < argc && argv[first][0] == '-'; first++) {
        if (strcmp(argv[first], "--quick") == 0) {
            quick = true;
        } else if (strcmp(argv[first], "--json") == 0 && first + 1 < argc) {
            json = argv[++first];
        } else {
            fprintf(stderr, "usage: placement [--quick] [--json FILE] [CASE...]\n");
            return 2;
        }
    }
    printf("%-22s %14s %14s %14s\n", "case", "pairs/cpu s", "min", "max");
    for (int kind = 0; kind < KIND_N; kind++) {
        for (uint32_t i = 0; i < sizeof sizes / sizeof sizes[0] - (quick ? 1 : 0); i++) {
            if (selected(kinds[kind], sizes[i], argv + first, argc - first)) {
                struct row *row = &rows[n_rows++];
                *row = measure((enum kind)kind, sizes[i], quick ? 0.02 : 0.3);
                printf("%-22s %14.0f %14.0f %14.0f\n", row->name, row->median, row->min, row->max);
                fflush(stdout);
            }
        }
    }
    if (json != NULL) {
        write_json(json, rows, n_rows);
    }
    return 0;
}
