/* What happened is told in words, the same whenever the same entries are applied, and goes through
 * the log with the name of the caller. */
#include "controller/ring/ring.h"
#include "tests/lib/test.h"
#include "tests/lib/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOLD_MAX (64 * 1024)

struct teller {
    struct world w;
    struct codec *codec;
    struct ring *ring;
    uint64_t index;
    uint64_t revision;
    uint32_t position;
    const char *caller; /* Of the next commands; NULL: nobody. */
    const char *call;
    unsigned n_rows; /* Encoded tasks. */
    char *told;      /* "KIND cluster subject service: text" lines. */
};

static int64_t wall_ms(void *ctx)
{
    return ((struct teller *)ctx)->w.now;
}

static uint64_t mono_ms(void *ctx)
{
    (void)ctx;
    return 1;
}

static uint64_t some_random(void *ctx)
{
    (void)ctx;
    return 1;
}

static void wake(void *ctx)
{
    (void)ctx;
}

static void row(void *ctx, uint8_t kind, uint32_t slot, const uint8_t *bytes, size_t n)
{
    (void)ctx;
    (void)kind;
    (void)slot;
    (void)bytes;
    (void)n;
}

static void commit(void *ctx, const struct ring_point *point)
{
    (void)ctx;
    (void)point;
}

static void changed(void *ctx, const struct changes *changes)
{
    (void)ctx;
    (void)changes;
}

__attribute__((noreturn)) static void die(void *ctx, const char *event, const struct err *err)
{
    (void)ctx;
    ck_abort_msg("%s: %s", event, err->text);
    abort();
}

static void record(void *ctx, const struct ring_record *r)
{
    struct teller *t = ctx;
    size_t at = strlen(t->told);
    /* Keys only grow, position by position. */
    ck_assert_uint_eq(r->position, r->revision == t->revision ? t->position + 1 : 0);
    ck_assert_uint_ge(r->revision, t->revision);
    t->revision = r->revision;
    t->position = r->position;
    ck_assert_int_gt(r->at, 0);
    t->n_rows += r->kind == RING_RECORD_TASK && r->data.n > 0;
    (void)snprintf(t->told + at, TOLD_MAX - at, "%u %.*s %.*s %.*s: %.*s\n", r->kind,
                   STR_ARG(r->cluster), STR_ARG(r->subject), STR_ARG(r->service), STR_ARG(r->text));
}

static const struct ring_io io = {
    .wall_ms = wall_ms,
    .mono_ms = mono_ms,
    .random = some_random,
    .wake = wake,
    .row = row,
    .commit = commit,
    .record = record,
    .changed = changed,
    .die = die,
};

/* Every command of the world goes through an entry of the log into the ring as well. */
static void tee(struct world *w, const struct command *cmd)
{
    struct teller *t = w->data;
    struct command c = *cmd;
    struct buf entry;
    if (t->caller != NULL) {
        c.caller = str_of(t->caller);
        c.call = str_of(t->call);
    }
    buf_init(&entry, test_mem(), 1 << 20);
    ck_assert_int_eq(codec_encode_batch(t->codec, &c, 1, 0, &entry, NULL), 0);
    ring_apply(t->ring, ++t->index, 1, entry.data, entry.len, false);
    buf_close(&entry);
}

static void teller_open(struct teller *t)
{
    static const struct leader_settings settings = {30000, 10000, 1000, 0};
    memset(t, 0, sizeof *t);
    t->told = calloc(1, TOLD_MAX);
    ck_assert_ptr_nonnull(t->told);
    world_open(&t->w);
    t->w.data = t;
    t->w.before = tee;
    ck_assert_int_eq(codec_open(test_mem(), &t->codec, NULL), 0);
    t->ring = ring_open(t->codec, &settings, &io, t, test_mem());
}

static void teller_close(struct teller *t)
{
    ring_close(t->ring);
    codec_close(t->codec);
    world_close(&t->w);
    free(t->told);
}

static void says(const struct teller *t, const char *expected)
{
    ck_assert_msg(strstr(t->told, expected) != NULL, "expected %s\nin\n%s", expected, t->told);
}

static void call(struct teller *t, const char *caller, const char *name)
{
    t->caller = caller;
    t->call = name;
}

/* A service with a task that is placed, runs, ends; then a node goes. */
static void live(struct teller *t)
{
    struct plan_service note = {.service = 0, .has_event = true, .event = STR("(service web) x")};
    struct command plan = {.kind = CMD_PLAN};
    struct id task;
    call(t, "admin/alice", "CreateCluster");
    ck_assert(world_cluster(&t->w, "prod"));
    call(t, NULL, NULL);
    ck_assert(world_taskdef(&t->w, "web", 100, 200, 0));
    ck_assert(world_node(&t->w, "prod", 1, 1000, 1000));
    ck_assert(world_connection(&t->w, 1, CONNECTION_UP));
    call(t, "insecure-api", "CreateService");
    ck_assert(world_service(&t->w, "prod", "web", "web", 1));
    ck_assert(!world_service(&t->w, "prod", "web", "web", 1));
    call(t, "admin/alice", "RunTask");
    ck_assert(world_run(&t->w, 0, 0, 0));
    task = t->w.result.ids[0];
    call(t, NULL, NULL);
    ck_assert(world_report(&t->w, task, TASK_RUNNING, 0));
    ck_assert(world_report(&t->w, task, TASK_STOPPED, 137));
    note.version = store_service(t->w.store, 0)->version;
    plan.u.plan.services = &note;
    plan.u.plan.n_services = 1;
    ck_assert(world_apply(&t->w, &plan));
    ck_assert(world_apply(&t->w, &plan)); /* Of an earlier version: nothing happens. */
    ck_assert(world_connection(&t->w, 1, CONNECTION_LOST));
}

START_TEST(what_happened_is_told_with_names_and_reasons)
    {
        struct teller t;
        teller_open(&t);
        live(&t);
        says(&t, "5 prod cluster/prod : CreateCluster by admin/alice: ok\n");
        says(&t, "5 prod service/web web: CreateService by insecure-api: ok\n");
        says(&t, "5 prod service/web web: CreateService by insecure-api: refused: ");
        says(&t, ": RunTask by admin/alice: ok\n");
        says(&t, "3 prod service/web web: deployment ecs-svc/");
        says(&t, "of web:1: IN_PROGRESS\n");
        says(&t, "placed web:1 on ");
        says(&t, "cpu 100, memory 200, port 40000 -> 80/tcp\n");
        says(&t, "stopped web:1 on ");
        says(&t, "main exited 137");
        says(&t, "1 prod service/web web: (service web) x\n");
        ck_assert_ptr_null(strstr(strstr(t.told, "(service web) x") + 1, "(service web) x"));
        says(&t, "was given up");
        ck_assert_uint_eq(t.n_rows, 1);
        teller_close(&t);
    }
END_TEST

/* Tasks go on, none is added: that a machine came back smaller is for people to judge. */
START_TEST(a_node_that_comes_back_smaller_than_its_tasks_is_told_of)
    {
        struct teller t;
        teller_open(&t);
        ck_assert(world_cluster(&t.w, "prod"));
        ck_assert(world_taskdef(&t.w, "web", 100, 200, 0));
        ck_assert(world_node(&t.w, "prod", 1, 1000, 1000));
        for (int i = 0; i < 3; i++) {
            ck_assert(world_run(&t.w, 0, 0, 0));
        }
        ck_assert(world_node(&t.w, "prod", 1, 300, 600));
        ck_assert_ptr_null(strstr(t.told, "less than its tasks hold"));
        ck_assert(world_node(&t.w, "prod", 1, 250, 1000));
        says(&t, "registered with less than its tasks hold: CPU units 300 of 250, MiB 600 of 1000");
        (void)world_run(&t.w, 0, 0, 0);
        ck_assert_uint_eq(t.w.result.n_done, 0);
        ck_assert_uint_eq(store_count(t.w.store, KIND_TASK), 3);
        teller_close(&t);
    }
END_TEST

static unsigned count(const char *text, const char *what)
{
    unsigned n = 0;
    for (const char *p = strstr(text, what); p != NULL; p = strstr(p + 1, what)) {
        n++;
    }
    return n;
}

START_TEST(of_tasks_placed_by_the_hundred_one_record_tells)
    {
        struct teller t;
        struct plan_task items[124];
        struct command cmd = {.kind = CMD_PLAN};
        memset(items, 0, sizeof items);
        teller_open(&t);
        ck_assert(world_cluster(&t.w, "prod"));
        ck_assert(world_taskdef(&t.w, "web", 10, 20, 0));
        ck_assert(world_node(&t.w, "prod", 1, 10000, 10000));
        for (uint32_t i = 0; i < 124; i++) {
            items[i] = (struct plan_task){.id = world_id(1000 + i),
                                          .service = SLOT_NONE,
                                          .cpu = 10,
                                          .memory = 20,
                                          .group = i < 4 ? STR("few") : STR("many")};
        }
        cmd.u.plan.tasks = items;
        cmd.u.plan.n_tasks = 124;
        ck_assert(world_apply(&t.w, &cmd));
        ck_assert_uint_eq(t.w.result.n_done, 124);
        ck_assert_uint_eq(count(t.told, "placed web:1 on "), 4);
        ck_assert_uint_eq(count(t.told, "placed "), 5);
        says(&t, "prod group/many : placed 120 of web:1: for many; cpu 10, memory 20 each\n");
        teller_close(&t);
    }
END_TEST

START_TEST(the_same_entries_tell_the_same)
    {
        struct teller one;
        struct teller two;
        teller_open(&one);
        teller_open(&two);
        live(&one);
        live(&two);
        ck_assert_uint_gt(strlen(one.told), 500);
        ck_assert_str_eq(one.told, two.told);
        teller_close(&one);
        teller_close(&two);
    }
END_TEST

START_TEST(the_caller_changes_nothing_in_the_state)
    {
        struct teller t;
        teller_open(&t);
        live(&t); /* The ring was told who called, the world's own store was not. */
        ck_assert_uint_eq(store_meta(ring_store(t.ring))->digest, store_meta(t.w.store)->digest);
        teller_close(&t);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("ring history");
    TEST_CASE(s, "history", 30, what_happened_is_told_with_names_and_reasons,
              a_node_that_comes_back_smaller_than_its_tasks_is_told_of,
              of_tasks_placed_by_the_hundred_one_record_tells, the_same_entries_tell_the_same,
              the_caller_changes_nothing_in_the_state);
    return test_run(s);
}
