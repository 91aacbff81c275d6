/* How long a container takes to start from an image that is here. "driver start" (network,
 * supervisor, overlay, runtime, records) and "crun run" (the runtime alone with the same bundle, no
 * network, no overlay) take turns; "default start" adds the user namespace that tasks get. Needs
 * root.
 *
 * usage: task_start [--quick] [--json FILE] */
#include "agent/proc/spawn.h"
#include "common/loop/loop.h"
#include "tests/lib/agent_rig.h"
#include "tests/lib/test.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define N_MAX      400
#define N_PARALLEL 4
#define ROWS_MAX   16

struct row {
    const char *name;
    const char *metric;
    const char *unit;
    double median, min, max;
    double peer; /* 0: none. */
};

struct bench {
    struct rig rig;
    struct exec_image image;
    unsigned n;
    double driver_ms[N_MAX];
    double userns_ms[N_MAX];
    double bare_ms[N_MAX];
    double removal_ms[N_MAX];
    double parallel_per_s;
    double shim_kb;
    struct row rows[ROWS_MAX];
    unsigned n_rows;
};

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double percentile(const double *sorted, unsigned n, double p)
{
    unsigned i = (unsigned)ceil(p * n / 100.0);
    return sorted[i == 0 ? 0 : i - 1];
}

static void die(const char *what, const char *why)
{
    fprintf(stderr, "task_start: %s: %s\n", what, why);
    rig_world_close();
    exit(EXIT_FAILURE);
}

/* --- the runtime alone
 * ------------------------------------------------------------------------------- */

/* A bundle beside the driver's: the configuration of a container it runs, the same root. */
static void make_bare(struct bench *b, const struct task_spec *template)
{
    char path[512];
    char from[512];
    char hex[ID_HEX_LEN + 1];
    json_t *config;
    id_hex(template->id, hex);
    snprintf(from, sizeof from, "%s/containers/%s-main/config.json", b->rig.state_dir, hex);
    config = json_load_file(from, 0, NULL);
    if (config == NULL) {
        die(from, "not readable");
    }
    snprintf(path, sizeof path, "%s/bare", rig_world_dir());
    mkdir(path, 0755);
    snprintf(path, sizeof path, "%s/bare/rootfs", rig_world_dir());
    mkdir(path, 0755);
    snprintf(from, sizeof from, "umoci raw unpack --image %s/demo:v1 %s/bare/rootfs",
             rig_world_dir(), rig_world_dir());
    const char *argv[] = {"sh", "-c", from, NULL};
    struct spawn s = {.argv = argv, .in = -1, .extra = -1};
    struct err err = {0};
    if (spawn_check(&s, &err) != 0) {
        die("umoci", err.text);
    }
    snprintf(path, sizeof path, "%s/bare/config.json", b->rig.cgroup);
    json_object_set_new(json_object_get(config, "linux"), "cgroupsPath",
                        json_sprintf("%s/bare", b->rig.cgroup));
    snprintf(path, sizeof path, "%s/bare/config.json", rig_world_dir());
    if (json_dump_file(config, path, 0) != 0) {
        die(path, "not writable");
    }
    json_decref(config);
}

static void bare_run(struct bench *b, unsigned i)
{
    char bundle[128];
    char root[128];
    const char *start[] = {"crun", "--root", root, "run", "-d", "--bundle", bundle, "bare", NULL};
    const char *delete_[] = {"crun", "--root", root, "delete", "-f", "bare", NULL};
    struct spawn s = {.argv = start, .in = -1, .extra = -1};
    struct err err = {0};
    double began;
    int status = -1;
    snprintf(bundle, sizeof bundle, "%s/bare", rig_world_dir());
    snprintf(root, sizeof root, "%s/bare-state", rig_world_dir());
    began = now_ms();
    if (spawn_run(&s, &status, &err) != 0 || status != 0) {
        die("crun run", err.text);
    }
    b->bare_ms[i] = now_ms() - began;
    s.argv = delete_;
    if (spawn_check(&s, &err) != 0) {
        die("crun delete", err.text);
    }
}

/* --- the driver ----------------------------------------------------------------------------------
 */

static void driver_run(struct bench *b, double *ret_ms, unsigned i)
{
    struct task_spec *task = rig_task(1, 1000 + i, "sleep 1000");
    struct exec_start start;
    double began = now_ms();
    if (rig_start(&b->rig, task, &b->image, &start) != 0) {
        die("start", start.err.text);
    }
    ret_ms[i] = now_ms() - began;
    began = now_ms();
    if (rig_remove(&b->rig, task) != 0) {
        die("remove", "failed");
    }
    b->removal_ms[i] = now_ms() - began;
}

/* Proportional memory of the supervisor of one container. */
static double shim_pss(const struct bench *b)
{
    char script[512];
    struct buf out;
    const char *argv[] = {"sh", "-c", script, NULL};
    struct spawn s = {.argv = argv, .in = -1, .extra = -1, .out = &out};
    double kb = 0;
    snprintf(script, sizeof script,
             "awk '/^Pss:/ {print $2}' /proc/$(pgrep -of '[e]cs-shim run --dir %s')/smaps_rollup",
             b->rig.state_dir);
    buf_init(&out, test_mem(), 256);
    if (spawn_check(&s, NULL) == 0) {
        kb = strtod(buf_cstr(&out), NULL);
    }
    buf_close(&out);
    return kb;
}

struct parallel {
    struct bench *b;
    struct exec_start starts[N_MAX];
    struct task_spec *tasks;
    unsigned begun;
    unsigned done;
};

static void parallel_next(struct parallel *p);

static void parallel_cb(struct exec_start *r)
{
    struct parallel *p = r->data;
    if (r->status != 0) {
        die("start", r->err.text);
    }
    p->done++;
    parallel_next(p);
}

static void parallel_next(struct parallel *p)
{
    if (p->begun < p->b->n) {
        struct exec_start *r = &p->starts[p->begun];
        r->data = p;
        r->task = &p->tasks[p->begun++];
        r->image = p->b->image;
        r->cb = parallel_cb;
        executor_start(p->b->rig.x, r);
    }
}

static void parallel_run(struct bench *b)
{
    struct parallel *p = calloc(1, sizeof *p);
    double began;
    if (p == NULL || (p->tasks = calloc(b->n, sizeof *p->tasks)) == NULL) {
        die("memory", "none");
    }
    p->b = b;
    for (unsigned i = 0; i < b->n; i++) { /* All share one container specification. */
        p->tasks[i] = *rig_task(2, 5000, "sleep 1000");
        p->tasks[i].id.lo = 5000 + i;
    }
    began = now_ms();
    for (int i = 0; i < N_PARALLEL; i++) {
        parallel_next(p);
    }
    while (p->done < b->n) {
        uv_run(&b->rig.loop, UV_RUN_ONCE);
    }
    b->parallel_per_s = b->n * 1000.0 / (now_ms() - began);
    b->shim_kb = shim_pss(b); /* Among many, as on a node: the program's text is shared. */
    for (unsigned i = 0; i < b->n; i++) {
        if (rig_remove(&b->rig, &p->tasks[i]) != 0) {
            die("remove", "failed");
        }
    }
    free(p->tasks);
    free(p);
}

/* --- results
 * -------------------------------------------------------------------------------------- */

static void add(struct bench *b, const char *name, const char *metric, const char *unit, double v,
                double min, double max, double peer)
{
    b->rows[b->n_rows++] = (struct row){name, metric, unit, v, min, max, peer};
}

static void summarise(struct bench *b)
{
    double *d = b->driver_ms;
    double *c = b->bare_ms;
    double *r = b->removal_ms;
    unsigned n = b->n;
    qsort(d, n, sizeof *d, by_value);
    qsort(c, n, sizeof *c, by_value);
    qsort(r, n, sizeof *r, by_value);
    qsort(b->userns_ms, n, sizeof *b->userns_ms, by_value);
    add(b, "default start", "p50", "ms", percentile(b->userns_ms, n, 50), b->userns_ms[0],
        b->userns_ms[n - 1], 0);
    add(b, "default start", "p99", "ms", percentile(b->userns_ms, n, 99), b->userns_ms[0],
        b->userns_ms[n - 1], 0);
    add(b, "driver start", "p50", "ms", percentile(d, n, 50), d[0], d[n - 1], percentile(c, n, 50));
    add(b, "driver start", "p99", "ms", percentile(d, n, 99), d[0], d[n - 1], percentile(c, n, 99));
    add(b, "crun run", "p50", "ms", percentile(c, n, 50), c[0], c[n - 1], 0);
    add(b, "crun run", "p99", "ms", percentile(c, n, 99), c[0], c[n - 1], 0);
    add(b, "driver remove", "p50", "ms", percentile(r, n, 50), r[0], r[n - 1], 0);
    add(b, "4 at a time", "rate", "tasks/s", b->parallel_per_s, b->parallel_per_s,
        b->parallel_per_s, 0);
    add(b, "supervisor", "pss", "kB", b->shim_kb, b->shim_kb, b->shim_kb, 0);
}

static void print_table(const struct bench *b)
{
    printf("%-16s %-6s %9s %9s %9s  %-8s %9s\n", "case", "metric", "median", "min", "max", "unit",
           "crun");
    for (unsigned i = 0; i < b->n_rows; i++) {
        const struct row *r = &b->rows[i];
        printf("%-16s %-6s %9.2f %9.2f %9.2f  %-8s", r->name, r->metric, r->median, r->min, r->max,
               r->unit);
        if (r->peer > 0) {
            printf(" %9.2f", r->peer);
        }
        printf("\n");
    }
}

static void write_json(const struct bench *b, const char *path)
{
    struct utsname u;
    double load = 0;
    const char *commit = getenv("ECS_COMMIT");
    json_t *rows = json_array();
    json_t *root;
    (void)getloadavg(&load, 1);
    uname(&u);
    for (unsigned i = 0; i < b->n_rows; i++) {
        const struct row *r = &b->rows[i];
        json_t *row =
            json_pack("{s:s, s:s, s:s, s:f, s:f, s:f}", "case", r->name, "metric", r->metric,
                      "unit", r->unit, "median", r->median, "min", r->min, "max", r->max);
        if (r->peer > 0) {
            json_object_set_new(row, "peer", json_string("crun run"));
            json_object_set_new(row, "ratio", json_real(r->median / r->peer));
        }
        json_array_append_new(rows, row);
    }
    root =
        json_pack("{s:s, s:s, s:s, s:f, s:o}", "name", "task_start", "commit",
                  commit == NULL ? "" : commit, "machine", u.release, "load", load, "rows", rows);
    if (root == NULL || json_dump_file(root, path, JSON_COMPACT | JSON_REAL_PRECISION(6)) != 0) {
        die(path, "not written");
    }
    json_decref(root);
}

static void open_and_pull(struct bench *b, const char *name)
{
    struct exec_pull pull;
    rig_open(&b->rig, name);
    if (rig_pull(&b->rig, RIG_IMAGE, &pull) != 0) {
        die("pull", pull.err.text);
    }
    b->image = pull.image;
}

/* Both runtimes with the same bundle, so without user namespaces, which need the supervisor. */
static void run_side_by_side(struct bench *b)
{
    struct exec_start start;
    struct task_spec *template = rig_task(0, 1, "sleep 1000");
    setenv("ECS_TEST_NO_USERNS", "1", 1);
    open_and_pull(b, "plain");
    if (rig_start(&b->rig, template, &b->image, &start) != 0) {
        die("start", start.err.text);
    }
    make_bare(b, template);
    for (unsigned i = 0; i < b->n; i++) {
        driver_run(b, b->driver_ms, i);
        bare_run(b, i);
    }
    rig_close(&b->rig);
    rig_purge(&b->rig);
    unsetenv("ECS_TEST_NO_USERNS");
}

/* As tasks run: with user namespaces where the kernel can. */
static void run_as_is(struct bench *b)
{
    open_and_pull(b, "as-is");
    for (unsigned i = 0; i < b->n; i++) {
        driver_run(b, b->userns_ms, i);
    }
    parallel_run(b);
    rig_close(&b->rig);
    rig_purge(&b->rig);
}

int main(int argc, char **argv)
{
    struct bench *b = calloc(1, sizeof *b);
    const char *json = NULL;
    if (b == NULL) {
        return EXIT_FAILURE;
    }
    b->n = 200;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--quick") == 0) {
            b->n = 20;
        } else if (strcmp(argv[i], "--json") == 0 && i + 1 < argc) {
            json = argv[++i];
        } else {
            fprintf(stderr, "usage: task_start [--quick] [--json FILE]\n");
            return 2;
        }
    }
    if (!rig_world_open()) {
        return EXIT_FAILURE;
    }
    /* crun alone needs the layout that the supervisor gives it otherwise. */
    (void)umount2("/sys/fs/cgroup/unified", MNT_DETACH);
    run_side_by_side(b);
    run_as_is(b);
    rig_world_close();
    summarise(b);
    print_table(b);
    if (json != NULL) {
        write_json(b, json);
    }
    free(b);
    return EXIT_SUCCESS;
}
