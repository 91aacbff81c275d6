/* How well does the placement engine pack? Always with place() itself, default score.
 *
 *   azure     virtual machines that come and go: nodes in use, averaged over time, above the fluid
 *             bound (the larger of all CPU and all memory in use, in nodes), without moves and with
 *             a budget of moves in percent of placements; and how far above it the configuration
 *             program of admin/configlp.h is, which no plan can beat
 *   static    what runs at the end of that, placed in the order in which it came on empty nodes: by
 *             place() alone, and as the configuration program says for what is declared
 *   openb     GPU tasks, a third bound to models, as many as there are GPUs: GPUs in use, of those
 * a maximal flow could give out
 *
 * --azure FILE: a trace of the columns time_s,batch,cpu_units,mem_mib,life_bin,censored,count (may
 * be compressed with gzip); --openb-nodes and --openb-tasks FILE likewise. Without files that are
 * there a generator makes something like them from a seed.
 *
 * usage: packing [--quick] [--json FILE] [--azure FILE] [--nodes 48c/128G]... [--moves PERCENT]
 *                [--openb-nodes FILE --openb-tasks FILE] */
#include "admin/configlp.h"
#include "common/base/prng.h"
#include "common/loop/sysmem.h"
#include "controller/core/placement/defrag.h"
#include "tests/lib/report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define DATA         "../shared/data/placement/"
#define BIN_S        300
#define SHAPES_MAX   CONFIGLP_SHAPES_MAX
#define NODES_KINDS  8
#define MODELS_MAX   16
#define SEEDS        5
#define LP_EVERY     144 /* Bins between two configuration programs: half a day. */
#define NO_TIME      INT64_MAX
#define OPENB_SHAPES 10000

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "packing: %s: %s\n", what, why);
    exit(1);
}

struct options {
    const char *azure;
    const char *openb_nodes;
    const char *openb_tasks;
    const char *shapes[NODES_KINDS];
    uint32_t n_shapes;
    double moves; /* < 0: the default. */
};

/* --- the trace ----------------------------------------------------------------------------------
 */

struct vm {
    uint32_t shape;
    int64_t from_s;
    int64_t until_s;
    uint32_t at; /* While it runs: the node, and where in the list of those that run. */
    uint32_t listed;
};

struct trace {
    struct configlp_shape shapes[SHAPES_MAX]; /* Without counts. */
    uint32_t n_shapes;
    struct vm *vms;
    uint32_t n;
    uint32_t cap;
};

/* Lifetimes are given in bins: of 300 s up to 3,899 s, of an hour up to 86,699 s, of a day. */
static void bin_bounds(uint32_t bin, int64_t *ret_min, int64_t *ret_max)
{
    if (bin < 13) {
        *ret_min = 300 * (int64_t)bin;
        *ret_max = *ret_min + 299;
    } else if (bin < 36) {
        *ret_min = 3900 + 3600 * ((int64_t)bin - 13);
        *ret_max = *ret_min + 3599;
    } else {
        *ret_min = 86700 + 86400 * ((int64_t)bin - 36);
        *ret_max = *ret_min + (bin < 45 ? 86399 : 863999);
    }
}

static uint32_t shape_of(struct trace *t, uint32_t cpu, uint32_t memory_mib)
{
    uint32_t i = 0;
    while (i < t->n_shapes && (t->shapes[i].cpu != cpu || t->shapes[i].memory_mib != memory_mib)) {
        i++;
    }
    if (i == t->n_shapes) {
        if (i == SHAPES_MAX) {
            fail("trace", "more than 200 shapes");
        }
        t->shapes[t->n_shapes++] = (struct configlp_shape){cpu, memory_mib, 0, 0};
    }
    return i;
}

static void add_vm(struct trace *t, const struct vm *vm)
{
    if (t->n == t->cap) {
        t->cap = t->cap == 0 ? 1024 : 2 * t->cap;
        t->vms = realloc(t->vms, t->cap * sizeof *t->vms);
        if (t->vms == NULL) {
            abort();
        }
    }
    t->vms[t->n++] = *vm;
}

static void add_line(struct trace *t, struct prng *p, const char *line, const char *path)
{
    long long time, batch, cpu, memory, bin, censored, count;
    if (sscanf(line, "%lld,%lld,%lld,%lld,%lld,%lld,%lld", &time, &batch, &cpu, &memory, &bin,
               &censored, &count) != 7 ||
        time < 0 || cpu < 0 || cpu > VIEW_AMOUNT_MAX || memory < 1 || memory > VIEW_AMOUNT_MAX ||
        bin < 0 || bin > 45 || count < 1 || count > 1000000) {
        fail(path, line);
    }
    for (long long i = 0; i < count; i++) {
        int64_t min, max;
        bin_bounds((uint32_t)bin, &min, &max);
        int64_t life = min + (int64_t)prng_below(p, (uint64_t)(max - min + 1));
        struct vm vm = {shape_of(t, (uint32_t)cpu, (uint32_t)memory), time,
                        censored == 1 ? NO_TIME : time + life, VIEW_NONE, 0};
        add_vm(t, &vm);
    }
}

static bool read_trace(struct trace *t, const char *path)
{
    char line[300];
    struct prng p;
    gzFile f = gzopen(path, "rb");
    if (f == NULL) {
        return false;
    }
    prng_init(&p, 1);
    for (uint32_t n = 0; gzgets(f, line, sizeof line) != NULL; n++) {
        if (n > 0 || (line[0] >= '0' && line[0] <= '9')) {
            add_line(t, &p, line, path);
        }
    }
    (void)gzclose(f);
    return t->n > 0;
}

/* Bursts of small machines, few large ones, most for minutes, some for days. */
static void generate_trace(struct trace *t)
{
    static const uint32_t shapes[][3] = {/* cpu, memory, of a hundred */
                                         {1024, 1792, 60},
                                         {2048, 3584, 20},
                                         {4096, 7168, 10},
                                         {8192, 14336, 9},
                                         {8192, 57344, 1}};
    struct prng p;
    prng_init(&p, 2);
    for (int64_t time = 0; time < 5 * 86400; time += BIN_S) {
        for (uint64_t burst = prng_below(&p, 12); burst > 0; burst--) {
            uint64_t x = prng_below(&p, 100);
            uint32_t i = 0;
            for (; x >= shapes[i][2]; i++) {
                x -= shapes[i][2];
            }
            for (uint64_t n = 1 + prng_below(&p, 12); n > 0; n--) {
                uint64_t life = prng_below(&p, 10) < 7 ? 300 + prng_below(&p, 7200)
                                                       : 86400 + prng_below(&p, 4 * 86400);
                struct vm vm = {shape_of(t, shapes[i][0], shapes[i][1]), time, time + (int64_t)life,
                                VIEW_NONE, 0};
                add_vm(t, &vm);
            }
        }
    }
}

/* --- one run over it ----------------------------------------------------------------------------
 */

struct run {
    const struct trace *t;
    struct configlp_shape node;
    struct view *view;
    struct arena arena;
    struct arena scratch;
    struct place_request requests[SHAPES_MAX];
    uint32_t *live; /* Indexes of machines that run, in no order. */
    uint32_t n_live;
    uint32_t *ends; /* A heap of them, by their end. */
    uint32_t n_ends;
    uint64_t cpu;
    uint64_t memory;
    double tokens; /* Moves that may be made. */
    uint64_t n_moves;
    uint32_t n_freed;
};

static void add_node(struct view *v, uint32_t i, const struct configlp_shape *shape,
                     const struct view_attribute *attribute)
{
    uint32_t slot;
    struct view_node node = {.id = id_derive(1, 2, i),
                             .owner = i,
                             .agent_connected = true,
                             .cpu = shape->cpu,
                             .memory_mib = shape->memory_mib,
                             .gpus = shape->gpus,
                             .attributes = attribute,
                             .n_attributes = attribute != NULL};
    if (view_node_add(v, &node, &slot, NULL) != 0) {
        fail("node", "refused");
    }
}

static void run_open(struct run *r, const struct trace *t, const struct configlp_shape *node)
{
    memset(r, 0, sizeof *r);
    r->t = t;
    r->node = *node;
    r->view = view_open(sysmem());
    arena_init(&r->arena, sysmem());
    arena_init(&r->scratch, sysmem());
    r->live = malloc(t->n * sizeof *r->live);
    r->ends = malloc(t->n * sizeof *r->ends);
    if (r->live == NULL || r->ends == NULL) {
        abort();
    }
    for (uint32_t i = 0; i < t->n_shapes; i++) {
        r->requests[i] = (struct place_request){
            .cpu = t->shapes[i].cpu, .memory_mib = t->shapes[i].memory_mib, .no_reasons = true};
    }
}

static void run_close(struct run *r)
{
    view_close(r->view);
    arena_close(&r->arena);
    arena_close(&r->scratch);
    free(r->live);
    free(r->ends);
}

static struct view_take take_of(const struct run *r, const struct vm *vm)
{
    const struct configlp_shape *s = &r->t->shapes[vm->shape];
    return (struct view_take){.cpu = s->cpu, .memory_mib = s->memory_mib};
}

/* Where the machine goes; one more node where there is no room. */
static uint32_t find_node(struct run *r, uint32_t shape)
{
    struct placement p;
    arena_clear(&r->arena);
    for (int i = 0; i < 2; i++) {
        if (place(r->view, &r->requests[shape], &p, &r->arena, NULL) == 0 && p.n_placed == 1) {
            return p.runs[0].slot;
        }
        add_node(r->view, view_n_nodes(r->view), &r->node, NULL);
    }
    fail("trace", "a machine larger than a node");
    return VIEW_NONE;
}

static void push_end(struct run *r, uint32_t vm)
{
    const struct vm *v = r->t->vms;
    uint32_t i = r->n_ends++;
    for (; i > 0 && v[r->ends[(i - 1) / 2]].until_s > v[vm].until_s; i = (i - 1) / 2) {
        r->ends[i] = r->ends[(i - 1) / 2];
    }
    r->ends[i] = vm;
}

static uint32_t pop_end(struct run *r)
{
    const struct vm *v = r->t->vms;
    uint32_t top = r->ends[0], last = r->ends[--r->n_ends], i = 0;
    for (uint32_t child = 1; child < r->n_ends; child = 2 * i + 1) {
        if (child + 1 < r->n_ends && v[r->ends[child + 1]].until_s < v[r->ends[child]].until_s) {
            child++;
        }
        if (v[r->ends[child]].until_s >= v[last].until_s) {
            break;
        }
        r->ends[i] = r->ends[child];
        i = child;
    }
    r->ends[i] = last;
    return top;
}

static void start_vm(struct run *r, uint32_t i)
{
    struct vm *vm = &r->t->vms[i];
    struct view_take take = take_of(r, vm);
    vm->at = find_node(r, vm->shape);
    view_take(r->view, vm->at, &take);
    vm->listed = r->n_live;
    r->live[r->n_live++] = i;
    r->cpu += take.cpu;
    r->memory += take.memory_mib;
    push_end(r, i);
}

static void stop_vm(struct run *r, uint32_t i)
{
    struct vm *vm = &r->t->vms[i];
    struct view_take take = take_of(r, vm);
    view_give(r->view, vm->at, &take);
    r->live[vm->listed] = r->live[--r->n_live];
    r->t->vms[r->live[vm->listed]].listed = vm->listed;
    r->cpu -= take.cpu;
    r->memory -= take.memory_mib;
}

static void defragment(struct run *r)
{
    struct defrag_plan plan;
    arena_clear(&r->arena);
    struct defrag_task *tasks = arena_array(&r->arena, r->n_live, sizeof *tasks);
    for (uint32_t i = 0; i < r->n_live; i++) {
        const struct vm *vm = &r->t->vms[r->live[i]];
        tasks[i] = (struct defrag_task){vm->at, &r->requests[vm->shape], take_of(r, vm), false};
    }
    defrag_plan(r->view, tasks, r->n_live, (uint32_t)r->tokens, &plan, &r->arena, &r->scratch);
    for (uint32_t i = 0; i < plan.n_moves; i++) {
        r->t->vms[r->live[plan.moves[i].task]].at = plan.moves[i].to;
    }
    r->tokens -= plan.n_moves;
    r->n_moves += plan.n_moves;
    r->n_freed += plan.n_freed;
}

static uint32_t nodes_in_use(const struct view *v)
{
    uint32_t n = 0;
    for (uint32_t slot = 0; slot < view_slots(v); slot++) {
        n += view_has(v, slot) && view_free_of(v, slot).n_tasks > 0;
    }
    return n;
}

static double fluid(const struct run *r)
{
    return fmax((double)r->cpu / r->node.cpu, (double)r->memory / r->node.memory_mib);
}

/* What runs now, as shapes; the configuration program's bound on the nodes for it. */
static double solve_now(const struct run *r, struct configlp *ret)
{
    struct configlp_shape shapes[SHAPES_MAX];
    struct configlp_shape node = r->node;
    struct err err = {0};
    memcpy(shapes, r->t->shapes, sizeof shapes);
    for (uint32_t i = 0; i < r->n_live; i++) {
        shapes[r->t->vms[r->live[i]].shape].count++;
    }
    node.count = r->n_live + 1;
    if (configlp_solve(shapes, r->t->n_shapes, &node, 1, ret, &err) != 0) {
        fail("configuration program", err.text);
    }
    return ret->bound;
}

struct outcome {
    double excess; /* Percent above the fluid bound. */
    double lp;     /* Of the configuration program, at some moments. */
    double peak;
};

/* Machines that no node can carry are left out. */
static bool fits(const struct run *r, const struct vm *vm)
{
    const struct configlp_shape *s = &r->t->shapes[vm->shape];
    return s->cpu <= r->node.cpu && s->memory_mib <= r->node.memory_mib;
}

static struct outcome run_trace(struct run *r, double moves, bool with_lp)
{
    struct outcome o = {0};
    double used = 0, needed = 0, lp = 0, lp_needed = 0, peak = 0, peak_needed = 0;
    uint32_t next = 0, bin = 0;
    for (int64_t now = 0; next < r->t->n; now += BIN_S, bin++) {
        while (r->n_ends > 0 && r->t->vms[r->ends[0]].until_s <= now) {
            stop_vm(r, pop_end(r));
        }
        for (; next < r->t->n && r->t->vms[next].from_s <= now; next++) {
            if (fits(r, &r->t->vms[next])) {
                start_vm(r, next);
                r->tokens += moves / 100;
            }
        }
        if (r->tokens >= 1 && defrag_worthwhile(r->view, DEFRAG_SPARE_PERCENT)) {
            defragment(r);
        }
        double n = nodes_in_use(r->view);
        used += n;
        needed += fluid(r);
        peak = fmax(peak, n);
        peak_needed = fmax(peak_needed, fluid(r));
        if (with_lp && bin % LP_EVERY == LP_EVERY - 1) {
            struct configlp solution;
            lp += solve_now(r, &solution);
            lp_needed += fluid(r);
            configlp_close(&solution);
        }
    }
    o.excess = 100 * (used / needed - 1);
    o.peak = 100 * (peak / peak_needed - 1);
    o.lp = lp_needed > 0 ? 100 * (lp / lp_needed - 1) : 0;
    return o;
}

/* --- static -------------------------------------------------------------------------------------
 */

/* Nodes as the whole parts of the patterns say; what is left of each shape in counts. */
static void lay_out(struct run *s, const struct configlp *lp, uint32_t *counts)
{
    for (uint32_t i = 0; i < lp->n_patterns; i++) {
        for (uint32_t k = (uint32_t)(lp->patterns[i].nodes + 1e-6); k > 0; k--) {
            uint32_t slot = view_n_nodes(s->view);
            add_node(s->view, slot, &s->node, NULL);
            for (uint32_t j = 0; j < lp->n_shapes; j++) {
                uint32_t n = lp->patterns[i].n[j] < counts[j] ? lp->patterns[i].n[j] : counts[j];
                struct view_take take = {.cpu = s->t->shapes[j].cpu,
                                         .memory_mib = s->t->shapes[j].memory_mib};
                if (n > 0) {
                    view_take_n(s->view, slot, &take, n);
                }
                counts[j] -= n;
            }
        }
    }
}

/* What runs at the end of the trace once more, on empty nodes. */
static void run_static(struct report *report, const struct run *r, const char *name)
{
    static struct run online, planned;
    struct configlp lp;
    double bound = solve_now(r, &lp);
    uint32_t counts[SHAPES_MAX] = {0};
    run_open(&online, r->t, &r->node);
    run_open(&planned, r->t, &r->node);
    for (uint32_t i = 0; i < r->t->n; i++) { /* In the order in which they came. */
        const struct vm *vm = &r->t->vms[i];
        if (vm->listed < r->n_live && r->live[vm->listed] == i) {
            struct view_take take = take_of(r, vm);
            view_take(online.view, find_node(&online, vm->shape), &take);
            counts[vm->shape]++;
        }
    }
    lay_out(&planned, &lp, counts);
    for (uint32_t j = r->t->n_shapes; j-- > 0;) {
        for (; counts[j] > 0; counts[j]--) {
            struct view_take take = {.cpu = r->t->shapes[j].cpu,
                                     .memory_mib = r->t->shapes[j].memory_mib};
            view_take(planned.view, find_node(&planned, j), &take);
        }
    }
    report_add(report, name, "static: place() alone above the LP", "%",
               100 * (nodes_in_use(online.view) / bound - 1));
    report_add(report, name, "static: declared mix above the LP", "%",
               100 * (nodes_in_use(planned.view) / ceil(bound - 1e-6) - 1));
    configlp_close(&lp);
    run_close(&online);
    run_close(&planned);
}

static bool read_shape(const char *text, struct configlp_shape *ret)
{
    unsigned cpu, memory;
    char end;
    if (sscanf(text, "%uc/%uG%c", &cpu, &memory, &end) != 2 || cpu == 0 || cpu > 100000 ||
        memory == 0 || memory > 100000) {
        return false;
    }
    *ret = (struct configlp_shape){cpu * 1024, memory * 1024, 0, 0};
    return true;
}

static void bench_azure(struct report *report, const struct options *o)
{
    static struct trace trace;
    if (!read_trace(&trace, o->azure)) {
        printf("packing: %s is not there; a generated trace is used\n", o->azure);
        generate_trace(&trace);
    }
    for (uint32_t i = 0; i < o->n_shapes; i++) {
        const double budgets[] = {0, 1};
        uint32_t n = o->moves < 0 ? 2 : 1;
        struct configlp_shape node;
        if (!read_shape(o->shapes[i], &node)) {
            fail(o->shapes[i], "a node is given as 48c/128G");
        }
        for (uint32_t b = 0; b < n; b++) {
            static struct run r;
            char name[64], metric[48];
            double moves = o->moves < 0 ? budgets[b] : o->moves;
            run_open(&r, &trace, &node);
            struct outcome out = run_trace(&r, moves, b == 0);
            (void)snprintf(name, sizeof name, "azure/%s", o->shapes[i]);
            (void)snprintf(metric, sizeof metric, "above fluid, %g %% moves", moves);
            report_add(report, name, metric, "%", out.excess);
            (void)snprintf(metric, sizeof metric, "peak above fluid, %g %% moves", moves);
            report_add(report, name, metric, "%", out.peak);
            if (b == 0) {
                report_add(report, name, "LP above fluid (no plan is below)", "%", out.lp);
                run_static(report, &r, name);
            }
            if (moves > 0) {
                report_add(report, name, "moves for a node freed", "",
                           (double)r.n_moves / (r.n_freed == 0 ? 1 : r.n_freed));
            }
            run_close(&r);
        }
    }
    free(trace.vms);
}

/* --- GPUs ---------------------------------------------------------------------------------------
 */

struct gpu_task {
    struct configlp_shape shape;
    uint32_t models; /* Bits; 0: any. */
};

struct openb {
    char models[MODELS_MAX][16];
    uint32_t n_models;
    uint64_t gpus[MODELS_MAX];
    uint64_t all_gpus;
    struct configlp_shape nodes[64]; /* With counts. */
    uint32_t model_of[64];
    uint32_t n_nodes;
    struct gpu_task *tasks;
    uint32_t n_tasks;
};

static uint32_t model_of(struct openb *o, const char *name, size_t n)
{
    uint32_t i = 0;
    while (i < o->n_models && (strlen(o->models[i]) != n || memcmp(o->models[i], name, n) != 0)) {
        i++;
    }
    if (i == o->n_models) {
        if (i == MODELS_MAX || n >= sizeof o->models[0]) {
            fail("openb", "too many models");
        }
        memcpy(o->models[i], name, n);
        o->models[i][n] = '\0';
        o->n_models++;
    }
    return i;
}

static uint32_t models_of(struct openb *o, const char *spec)
{
    uint32_t bits = 0;
    while (spec[0] != '\0' && strcmp(spec, "-") != 0) {
        size_t n = strcspn(spec, "|");
        bits |= 1u << model_of(o, spec, n);
        spec += n + (spec[n] == '|');
    }
    return bits;
}

static void add_openb_node(struct openb *o, const struct configlp_shape *shape, const char *model)
{
    if (o->n_nodes == sizeof o->nodes / sizeof o->nodes[0]) {
        fail("openb", "too many kinds of nodes");
    }
    o->model_of[o->n_nodes] = model_of(o, model, strlen(model));
    o->gpus[o->model_of[o->n_nodes]] += (uint64_t)shape->gpus * shape->count;
    o->all_gpus += (uint64_t)shape->gpus * shape->count;
    o->nodes[o->n_nodes++] = *shape;
}

static void add_openb_task(struct openb *o, const struct gpu_task *task)
{
    if (o->n_tasks % 1024 == 0) {
        o->tasks = realloc(o->tasks, (o->n_tasks + 1024) * sizeof *o->tasks);
        if (o->tasks == NULL) {
            abort();
        }
    }
    o->tasks[o->n_tasks++] = *task;
}

static bool read_openb(struct openb *o, const struct options *opt)
{
    char line[400], text[200];
    unsigned cpu, memory, gpus, milli, count;
    FILE *nodes = fopen(opt->openb_nodes, "r");
    FILE *tasks = fopen(opt->openb_tasks, "r");
    while (nodes != NULL && fgets(line, sizeof line, nodes) != NULL) {
        if (sscanf(line, "%u,%u,%u,%15[^,],%u", &cpu, &memory, &gpus, text, &count) == 5) {
            struct configlp_shape shape = {cpu, memory, gpus, count};
            add_openb_node(o, &shape, text);
        }
    }
    while (tasks != NULL && fgets(line, sizeof line, tasks) != NULL) {
        if (sscanf(line, "%u,%u,%u,%u,%199[^,],", &cpu, &memory, &gpus, &milli, text) == 5) {
            struct gpu_task task = {{cpu, memory, gpus, 1}, models_of(o, text)};
            add_openb_task(o, &task);
        }
    }
    if (nodes != NULL) {
        (void)fclose(nodes);
    }
    if (tasks != NULL) {
        (void)fclose(tasks);
    }
    return o->n_nodes > 0 && o->n_tasks > 0;
}

/* Five models, large and small nodes, tasks of one GPU mostly. */
static void generate_openb(struct openb *o)
{
    static const char *const models[] = {"-", "A", "B", "C", "D"};
    struct prng p;
    prng_init(&p, 3);
    memset(o, 0, sizeof *o);
    for (uint32_t i = 0; i < 5; i++) {
        struct configlp_shape shape = {65536 + 16384 * i, 262144,
                                       i == 0   ? 0
                                       : i == 1 ? 8
                                                : 2,
                                       i == 1 ? 300 : 100};
        add_openb_node(o, &shape, models[i]);
    }
    for (uint32_t i = 0; i < 4000; i++) {
        uint32_t gpus = prng_below(&p, 20) == 0 ? 4 : 1;
        struct gpu_task task = {{4096 * gpus + 1024 * (uint32_t)prng_below(&p, 8),
                                 8192 * gpus + 4096 * (uint32_t)prng_below(&p, 8), gpus, 1},
                                prng_below(&p, 10) < 3 ? 1u << (1 + prng_below(&p, 4)) : 0};
        add_openb_task(o, &task);
    }
}

/* The most GPUs that demands can get: the smallest cut between demands and models. */
static uint64_t max_flow(const struct openb *o, const struct gpu_task *tasks, uint32_t n)
{
    uint64_t demand[1u << MODELS_MAX >> 4] = {0}, least = UINT64_MAX;
    if (o->n_models > MODELS_MAX - 4) {
        fail("openb", "too many models");
    }
    for (uint32_t i = 0; i < n; i++) {
        uint32_t any = (1u << o->n_models) - 1;
        demand[tasks[i].models == 0 ? any : tasks[i].models] += tasks[i].shape.gpus;
    }
    for (uint32_t cut = 0; cut < 1u << o->n_models; cut++) {
        uint64_t flow = 0;
        for (uint32_t m = 0; m < o->n_models; m++) {
            flow += (cut & 1u << m) != 0 ? o->gpus[m] : 0;
        }
        for (uint32_t set = 0; set < 1u << o->n_models; set++) {
            flow += (set & ~cut) != 0 ? demand[set] : 0;
        }
        least = flow < least ? flow : least;
    }
    return least;
}

/* Kinds of tasks have one request each. */
struct wishes {
    struct place_request requests[OPENB_SHAPES];
    struct place_constraint constraints[OPENB_SHAPES];
    char texts[OPENB_SHAPES][200];
    struct place_demand demands[OPENB_SHAPES];
    uint32_t n;
};

static void make_request(const struct openb *o, const struct gpu_task *task, struct wishes *w)
{
    struct place_request *r = &w->requests[w->n];
    char *text = w->texts[w->n];
    *r = (struct place_request){.cpu = task->shape.cpu,
                                .memory_mib = task->shape.memory_mib,
                                .gpus = task->shape.gpus,
                                .no_reasons = true};
    if (task->models != 0) {
        int at = snprintf(text, sizeof w->texts[0], "attribute:gpu-model in [");
        for (uint32_t m = 0; m < o->n_models; m++) {
            if ((task->models & 1u << m) != 0) {
                at += snprintf(text + at, sizeof w->texts[0] - (size_t)at, "%s%s",
                               text[at - 1] == '[' ? "" : ", ", o->models[m]);
            }
        }
        (void)snprintf(text + at, sizeof w->texts[0] - (size_t)at, "]");
        w->constraints[w->n] =
            (struct place_constraint){.kind = PLACE_MEMBER_OF, .expression = str_of(text)};
        r->constraints = &w->constraints[w->n];
        r->n_constraints = 1;
    }
    w->demands[w->n] = (struct place_demand){r, 1};
    w->n++;
}

static void run_openb(struct report *report, const struct openb *o, uint64_t seed)
{
    static struct wishes w;
    static struct gpu_task drawn[OPENB_SHAPES];
    struct prng p;
    struct arena arena;
    struct view *v = view_open(sysmem());
    uint64_t wanted = 0, given = 0;
    uint32_t n = 0, owner = 0;
    prng_init(&p, seed);
    arena_init(&arena, sysmem());
    w.n = 0;
    for (uint32_t i = 0; i < o->n_nodes; i++) {
        struct view_attribute model = {STR("gpu-model"), str_of(o->models[o->model_of[i]])};
        for (uint32_t k = 0; k < o->nodes[i].count; k++) {
            add_node(v, owner++, &o->nodes[i], &model);
        }
    }
    for (; wanted < o->all_gpus && n < OPENB_SHAPES; n++) {
        drawn[n] = o->tasks[prng_below(&p, o->n_tasks)];
        wanted += drawn[n].shape.gpus;
        make_request(o, &drawn[n], &w);
    }
    place_set_scarcity(v, w.demands, w.n, &arena);
    for (uint32_t i = 0; i < n; i++) {
        struct placement placement;
        arena_clear(&arena);
        if (place(v, &w.requests[i], &placement, &arena, NULL) != 0) {
            fail("openb", "a request was refused");
        }
        place_reserve(v, &w.requests[i], &placement, &arena);
        given += placement.n_placed * w.requests[i].gpus;
    }
    uint64_t bound = max_flow(o, drawn, n);
    bound = bound < wanted ? bound : wanted;
    report_add(report, "openb", "GPUs in use", "%", 100.0 * (double)given / (double)o->all_gpus);
    report_add(report, "openb", "max-flow bound", "%", 100.0 * (double)bound / (double)o->all_gpus);
    report_add(report, "openb", "of the bound", "%", 100.0 * (double)given / (double)bound);
    view_close(v);
    arena_close(&arena);
}

static void bench_openb(struct report *report, const struct options *opt)
{
    static struct openb o;
    if (!read_openb(&o, opt)) {
        printf("packing: %s and %s are not there; generated nodes and tasks are used\n",
               opt->openb_nodes, opt->openb_tasks);
        generate_openb(&o);
    }
    for (uint64_t seed = 1; seed <= (report->quick ? 1 : SEEDS); seed++) {
        run_openb(report, &o, seed);
    }
    free(o.tasks);
}

/* --- options ------------------------------------------------------------------------------------
 */

/* Take our own options out of argv; the rest is the report's. */
static int read_options(int argc, char **argv, struct options *o)
{
    int rest = 1;
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        bool ours = true;
        if (value != NULL && strcmp(argv[i], "--azure") == 0) {
            o->azure = value;
        } else if (value != NULL && strcmp(argv[i], "--openb-nodes") == 0) {
            o->openb_nodes = value;
        } else if (value != NULL && strcmp(argv[i], "--openb-tasks") == 0) {
            o->openb_tasks = value;
        } else if (value != NULL && strcmp(argv[i], "--nodes") == 0 && o->n_shapes < NODES_KINDS) {
            o->shapes[o->n_shapes++] = value;
        } else if (value != NULL && strcmp(argv[i], "--moves") == 0) {
            o->moves = strtod(value, NULL);
            if (!(o->moves >= 0 && o->moves <= 100)) {
                fail("--moves", "a percentage of placements");
            }
        } else {
            ours = false;
            argv[rest++] = argv[i];
        }
        i += ours;
    }
    argv[rest] = NULL;
    return rest;
}

int main(int argc, char **argv)
{
    static struct report report;
    struct options o = {.azure = DATA "azure2017_vm_dev.csv.gz",
                        .openb_nodes = DATA "openb_nodes.csv",
                        .openb_tasks = DATA "openb_tasks.csv",
                        .moves = -1};
    argc = read_options(argc, argv, &o);
    report_open(&report, "packing", argc, argv);
    if (o.n_shapes == 0) {
        o.shapes[o.n_shapes++] = "48c/128G";
        o.shapes[o.n_shapes++] = "64c/128G";
        o.shapes[o.n_shapes++] = "64c/256G";
    }
    bench_azure(&report, &o);
    bench_openb(&report, &o);
    report_close(&report);
    return 0;
}
