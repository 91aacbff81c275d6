/* What bytes cost: rows and commands to and from protobuf, AWS JSON to and from messages, and rows
 * through the checkpoint into a store. CPU time of this thread, except for the checkpoint, where
 * the disk counts.
 *
 * usage: codec [--quick] [--json FILE] */
#include "common/base/prng.h"
#include "controller/codec/object.h"
#include "controller/codec/taskdef.h"
#include "controller/codec/transcode.h"
#include "controller/storage/checkpoint.h"
#include "tests/lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define N_RUNS     5
#define ROWS_MAX   16
#define PLAN_TASKS 1000

struct row {
    const char *name;
    const char *unit;
    double v[N_RUNS];
};

struct bench {
    struct codec *codec;
    struct arena arena;
    struct buf out;
    struct row rows[ROWS_MAX];
    unsigned n_rows;
    uint32_t n; /* Repetitions of a case. */
};

static double seconds(clockid_t clock)
{
    struct timespec t;
    (void)clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void must(int rv, const struct err *err)
{
    if (rv != 0) {
        fprintf(stderr, "codec: %s\n", err->text);
        exit(1);
    }
}

/* A running task of a service: one container, one port. */
static void make_task(uint32_t i, struct binding *b, struct container *c, struct task *t)
{
    *b = (struct binding){80, (uint16_t)(32768 + i % 20000), PROTO_TCP};
    *c = (struct container){
        .status = CONTAINER_RUNNING,
        .bindings = b,
        .n_bindings = 1,
        .runtime_id = STR("4f0c1e9d8b7a4f0c1e9d8b7a4f0c1e9d"),
        .image_digest = STR("sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f0"),
    };
    *t = (struct task){
        .id = {i * 0x9e3779b97f4a7c15ull, i},
        .service = i % 100,
        .taskdef = i % 50,
        .node = i % 1000,
        .status = TASK_RUNNING,
        .desired = TASK_RUNNING,
        .cpu = 256,
        .memory = 512,
        .deployment = 123456789,
        .created_at = 1700000000000 + i,
        .started_at = 1700000001000 + i,
        .group = STR("service:frontend"),
        .containers = c,
        .n_containers = 1,
        .version = i,
    };
}

static double bench_row_encode(struct bench *x)
{
    double began = seconds(CLOCK_THREAD_CPUTIME_ID);
    for (uint32_t i = 0; i < x->n; i++) {
        struct binding b;
        struct container c;
        struct task t;
        struct err err;
        make_task(i, &b, &c, &t);
        buf_clear(&x->out);
        must(codec_encode_row(x->codec, KIND_TASK, &t, &x->out, &err), &err);
    }
    return (seconds(CLOCK_THREAD_CPUTIME_ID) - began) / x->n * 1e9;
}

static double bench_row_decode(struct bench *x)
{
    struct err err;
    double began;
    (void)bench_row_encode(x);
    began = seconds(CLOCK_THREAD_CPUTIME_ID);
    for (uint32_t i = 0; i < x->n; i++) {
        void *row;
        arena_clear(&x->arena);
        must(codec_decode_row(x->codec, KIND_TASK, str_make((const char *)x->out.data, x->out.len),
                              &x->arena, &row, &err),
             &err);
    }
    return (seconds(CLOCK_THREAD_CPUTIME_ID) - began) / x->n * 1e9;
}

static void make_plan(struct bench *x, struct command *cmd)
{
    struct plan_task *tasks = arena_array(&x->arena, PLAN_TASKS, sizeof *tasks);
    struct binding *bindings = arena_array(&x->arena, PLAN_TASKS, sizeof *bindings);
    uint8_t *owners = arena_array(&x->arena, PLAN_TASKS, 1);
    *cmd = (struct command){.kind = CMD_PLAN, .at_ms = 1700000000000, .seed = 1};
    for (uint32_t i = 0; i < PLAN_TASKS; i++) {
        bindings[i] = (struct binding){80, (uint16_t)(32768 + i), PROTO_TCP};
        tasks[i] = (struct plan_task){
            .id = {i, i},
            .node = i,
            .cpu = 256,
            .memory = 512,
            .group = STR("service:frontend"),
            .bindings = &bindings[i],
            .binding_owner = &owners[i],
            .n_bindings = 1,
            .n_binding_owners = 1,
        };
    }
    cmd->u.plan.tasks = tasks;
    cmd->u.plan.n_tasks = PLAN_TASKS;
}

/* Per task of a plan. */
static double bench_plan(struct bench *x, bool decode)
{
    struct command cmd;
    struct command *back;
    struct arena arena;
    struct err err;
    uint32_t n;
    uint32_t rounds = x->n / PLAN_TASKS + 1;
    double began;
    arena_clear(&x->arena);
    make_plan(x, &cmd);
    arena_init(&arena, test_mem());
    buf_clear(&x->out);
    must(codec_encode_batch(x->codec, &cmd, 1, 1, &x->out, &err), &err);
    began = seconds(CLOCK_THREAD_CPUTIME_ID);
    for (uint32_t i = 0; i < rounds; i++) {
        if (decode) {
            arena_clear(&arena);
            must(codec_decode_batch(x->codec, str_make((const char *)x->out.data, x->out.len),
                                    &arena, &back, &n, &err),
                 &err);
        } else {
            buf_clear(&x->out);
            must(codec_encode_batch(x->codec, &cmd, 1, 1, &x->out, &err), &err);
        }
    }
    began = seconds(CLOCK_THREAD_CPUTIME_ID) - began;
    arena_close(&arena);
    return began / rounds / PLAN_TASKS * 1e9;
}

static double bench_plan_encode(struct bench *x)
{
    return bench_plan(x, false);
}

static double bench_plan_decode(struct bench *x)
{
    return bench_plan(x, true);
}

static const char run_task[] =
    "{\"cluster\":\"prod\",\"taskDefinition\":\"web:12\",\"count\":3,\"startedBy\":\"ci\","
    "\"launchType\":\"EC2\",\"group\":\"batch\",\"overrides\":{\"containerOverrides\":[{\"name\":"
    "\"main\",\"command\":[\"run\",\"--all\"],\"environment\":[{\"name\":\"STAGE\",\"value\":"
    "\"prod\"}]}]},\"tags\":[{\"key\":\"team\",\"value\":\"core\"}],\"clientToken\":"
    "\"0d6c7d1e-8a7b-4f5a-9a53-1f6f5a2b3c4d\"}";

static double bench_json(struct bench *x, bool write)
{
    ProtobufCMessage *m = NULL;
    struct err err;
    double began;
    arena_clear(&x->arena);
    must(transcode_read(&ecs__v1__run_task_request__descriptor, str_of(run_task), &x->arena, &m,
                        &err),
         &err);
    began = seconds(CLOCK_THREAD_CPUTIME_ID);
    for (uint32_t i = 0; i < x->n; i++) {
        if (write) {
            buf_clear(&x->out);
            transcode_write(m, &x->out);
        } else {
            arena_clear(&x->arena);
            must(transcode_read(&ecs__v1__run_task_request__descriptor, str_of(run_task), &x->arena,
                                &m, &err),
                 &err);
        }
    }
    return (seconds(CLOCK_THREAD_CPUTIME_ID) - began) / x->n * 1e9;
}

static double bench_json_read(struct bench *x)
{
    return bench_json(x, false);
}

static double bench_json_write(struct bench *x)
{
    return bench_json(x, true);
}

static void remove_dir(const char *dir)
{
    static const char *const files[] = {"lock", "checkpoint.db", "history.db"};
    char path[100];
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", dir, files[i]);
        (void)unlink(path);
    }
    (void)rmdir(dir);
}

/* Wall time per row: handed over, written and durable. */
static double bench_checkpoint(struct bench *x)
{
    char dir[] = "/tmp/ecs-bench-XXXXXX";
    struct storage_options o = {.codec = x->codec};
    struct storage_point at = {1, 1, 1, 1};
    struct storage *s;
    struct err err;
    double began;
    o.dir = mkdtemp(dir);
    must(storage_open(&o, &s, &(struct storage_point){0}, &err), &err);
    began = seconds(CLOCK_MONOTONIC);
    for (uint32_t i = 0; i < x->n; i++) {
        struct binding b;
        struct container c;
        struct task t;
        make_task(i, &b, &c, &t);
        buf_clear(&x->out);
        must(codec_encode_row(x->codec, KIND_TASK, &t, &x->out, &err), &err);
        storage_row(s, KIND_TASK, i, x->out.data, x->out.len);
        if (i % 1000 == 999 || i == x->n - 1) {
            at.index++;
            storage_commit(s, &at);
        }
    }
    must(storage_close(s, &err), &err);
    began = seconds(CLOCK_MONOTONIC) - began;
    remove_dir(dir);
    return began / x->n * 1e9;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void run(struct bench *x, const char *name, double (*fn)(struct bench *))
{
    struct row *row = &x->rows[x->n_rows++];
    row->name = name;
    row->unit = "ns";
    for (int i = 0; i < N_RUNS; i++) {
        row->v[i] = fn(x);
    }
    qsort(row->v, N_RUNS, sizeof row->v[0], compare);
    printf("%-24s %10.0f ns  (%.0f to %.0f)\n", name, row->v[N_RUNS / 2], row->v[0],
           row->v[N_RUNS - 1]);
}

static void write_json(const char *path, const struct bench *x)
{
    const char *commit = getenv("ECS_COMMIT");
    struct utsname machine;
    double load = 0;
    FILE *f = fopen(path, "w");
    if (f == NULL || uname(&machine) != 0) {
        perror(path);
        exit(1);
    }
    (void)getloadavg(&load, 1);
    fprintf(f, "{\"name\":\"codec\",\"commit\":\"%s\",\"machine\":\"%s %s %s\",\"load\":%.2f,",
            commit == NULL ? "" : commit, machine.sysname, machine.release, machine.machine, load);
    fprintf(f, "\"rows\":[");
    for (unsigned i = 0; i < x->n_rows; i++) {
        const struct row *row = &x->rows[i];
        fprintf(f,
                "%s\n{\"case\":\"%s\",\"metric\":\"time\",\"unit\":\"%s\",\"median\":%.0f,"
                "\"min\":%.0f,\"max\":%.0f}",
                i == 0 ? "" : ",", row->name, row->unit, row->v[N_RUNS / 2], row->v[0],
                row->v[N_RUNS - 1]);
    }
    fprintf(f, "\n]}\n");
    if (fclose(f) != 0) {
        perror(path);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    struct bench x = {.n = 200000};
    const char *json = NULL;
    struct err err;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--quick") == 0) {
            x.n = 20000;
        } else if (strcmp(argv[i], "--json") == 0 && i + 1 < argc) {
            json = argv[++i];
        } else {
            fprintf(stderr, "usage: codec [--quick] [--json FILE]\n");
            return 2;
        }
    }
    must(codec_open(test_mem(), &x.codec, &err), &err);
    arena_init(&x.arena, test_mem());
    buf_init(&x.out, test_mem(), 1 << 24);
    run(&x, "task row encode", bench_row_encode);
    printf("%-24s %10zu bytes\n", "task row", x.out.len);
    run(&x, "task row decode", bench_row_decode);
    run(&x, "planned task encode", bench_plan_encode);
    run(&x, "planned task decode", bench_plan_decode);
    run(&x, "RunTask JSON read", bench_json_read);
    run(&x, "RunTask JSON write", bench_json_write);
    run(&x, "task row to checkpoint", bench_checkpoint);
    if (json != NULL) {
        write_json(json, &x);
    }
    buf_close(&x.out);
    arena_close(&x.arena);
    codec_close(x.codec);
    return 0;
}
