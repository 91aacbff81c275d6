/* How fast is place()? Each case keeps a cluster about 85 % full and, again and again, places a
 * task, takes it and gives another one back: one pair. Reported per second of this thread's CPU
 * time, so other work on the machine matters little. A refusal is no pair, and its reasons are not
 * asked for.
 *
 * usage: placement [--quick] [--json FILE] [CASE...] */
#include "common/base/prng.h"
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

enum kind { IDENTICAL, HETERO, SPREAD, DISTINCT, CONSTRAINED, PORTS, BATCH, KIND_N };

static const char *const kinds[KIND_N] = {
    [IDENTICAL] = "identical", [HETERO] = "hetero",           [SPREAD] = "spread",
    [DISTINCT] = "distinct",   [CONSTRAINED] = "constrained", [PORTS] = "ports",
    [BATCH] = "batch",
};

struct service {
    char group[32];
    char expression[100];
    struct place_constraint constraints[2];
    struct place_strategy strategies[2];
    struct place_port ports[2];
    struct place_request request;
};

struct task {
    uint32_t slot;
    uint32_t service;
    struct view_port ports[2];
};

struct cluster {
    struct view *view;
    struct arena arena;
    struct prng prng;
    uint32_t n_nodes;
    uint32_t n_services;
    struct service services[N_SERVICES_MAX];
    struct task *tasks;
    uint32_t n_tasks;
    uint32_t cap_tasks;
};

struct row {
    char name[40];
    double median;
    double min;
    double max;
};

static void *resize(void *ctx, void *ptr, size_t old_size, size_t new_size)
{
    (void)ctx;
    (void)old_size;
    if (new_size == 0) {
        free(ptr);
        return NULL;
    }
    ptr = realloc(ptr, new_size);
    if (ptr == NULL) {
        abort();
    }
    return ptr;
}

static const struct mem mem = {resize, NULL};

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
    bool mixed = kind == HETERO;
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
            (struct place_constraint){PLACE_MEMBER_OF, str_of(s->expression)};
    }
    if (kind == SPREAD || (mixed && below(c, 4) != 0)) {
        s->strategies[s->request.n_strategies++] =
            (struct place_strategy){PLACE_SPREAD_ATTRIBUTE, STR(VIEW_ATTRIBUTE_ZONE)};
    }
    if (kind == PORTS) {
        s->ports[0] = (struct place_port){0, 1, VIEW_TCP};
        s->ports[1] = (struct place_port){0, 1, VIEW_UDP};
        s->request.n_ports = 2;
    }
}

static struct view_take take_of(const struct cluster *c, const struct task *t)
{
    const struct place_request *r = &c->services[t->service].request;
    return (struct view_take){.cpu = r->cpu,
                              .memory_mib = r->memory_mib,
                              .ports = t->ports,
                              .n_ports = r->n_ports,
                              .group = r->group};
}

static void task_add(struct cluster *c, const struct task *t)
{
    if (c->n_tasks == c->cap_tasks) {
        uint32_t cap = c->cap_tasks == 0 ? 1024 : c->cap_tasks * 2;
        c->tasks = mem_resize(&mem, c->tasks, c->cap_tasks * sizeof *t, cap * sizeof *t);
        c->cap_tasks = cap;
    }
    struct view_take take = take_of(c, t);
    view_take(c->view, t->slot, &take);
    c->tasks[c->n_tasks++] = *t;
}

static void task_remove(struct cluster *c)
{
    struct task *t = &c->tasks[below(c, c->n_tasks)];
    struct view_take take = take_of(c, t);
    view_give(c->view, t->slot, &take);
    *t = c->tasks[--c->n_tasks];
}

/* Random tasks on random nodes: filling by place() would take minutes on the largest cluster. */
static void fill(struct cluster *c)
{
    for (uint32_t slot = 0; slot < c->n_nodes; slot++) {
        int32_t all = view_free_of(c->view, slot).cpu;
        for (uint32_t tries = 0; tries < 64; tries++) {
            struct task t = {.slot = slot, .service = below(c, c->n_services)};
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

static void cluster_open(struct cluster *c, enum kind kind, uint32_t n_nodes)
{
    memset(c, 0, sizeof *c);
    prng_init(&c->prng, 42);
    c->view = view_open(&mem);
    arena_init(&c->arena, &mem);
    c->n_nodes = n_nodes;
    c->n_services = kind == IDENTICAL || kind == BATCH ? 1 : n_nodes < 500 ? 50 : N_SERVICES_MAX;
    add_nodes(c);
    for (uint32_t i = 0; i < c->n_services; i++) {
        make_service(c, kind, i);
    }
    fill(c);
}

static void cluster_close(struct cluster *c)
{
    view_close(c->view);
    arena_close(&c->arena);
    mem_free(&mem, c->tasks, c->cap_tasks * sizeof *c->tasks);
}

/* --- measuring -------------------------------------------------------------------------------- */

/* Place n replicas of a random service, then remove as many tasks as were placed. */
static uint32_t pair(struct cluster *c, uint32_t n_replicas)
{
    struct placement p;
    struct err err;
    uint32_t service = below(c, c->n_services);
    struct place_request *r = &c->services[service].request;
    r->n_replicas = n_replicas;
    arena_clear(&c->arena);
    if (place(c->view, r, &p, &c->arena, &err) != 0) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    for (uint32_t i = 0; i < p.n_placed; i++) {
        struct task t = {.slot = p.replicas[i].slot, .service = service};
        for (uint32_t k = 0; k < r->n_ports; k++) {
            t.ports[k] = (struct view_port){p.replicas[i].host_ports[k], r->ports[k].count,
                                            r->ports[k].proto};
        }
        task_add(c, &t);
    }
    for (uint32_t i = 0; i < p.n_placed; i++) {
        task_remove(c);
    }
    return p.n_placed;
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
    uint32_t n_replicas = kind == BATCH ? 1000 : 1;
    cluster_open(&c, kind, n_nodes);
    for (int run = 0; run < N_RUNS; run++) {
        uint64_t n_pairs = 0;
        double start = cpu_seconds();
        double now;
        do {
            for (int i = 0; i < 16; i++) {
                n_pairs += pair(&c, n_replicas);
            }
            now = cpu_seconds();
        } while (now - start < seconds);
        rates[run] = (double)n_pairs / (now - start);
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
