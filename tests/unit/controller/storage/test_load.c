/* A store that is fed commands, its changes written to a checkpoint, and another store loaded from
 * it: both are the same, and go on the same. */
#include "common/base/prng.h"
#include "controller/codec/object.h"
#include "controller/core/schema.h"
#include "controller/storage/checkpoint.h"
#include "controller/storage/db.h"
#include "controller/storage/image.h"
#include "tests/lib/test.h"
#include "tests/unit/controller/storage/scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fixture {
    char dir[SCRATCH_LEN];
    struct codec *codec;
    struct store *store;
    struct storage *s;
    struct changes changes;
    struct buf row;
    uint64_t index;
};

static void start(struct fixture *x)
{
    struct storage_options o = {.dir = x->dir};
    struct storage_point at;
    struct err err = {0};
    if (x->codec == NULL) {
        scratch_dir(x->dir);
        ck_assert_int_eq(codec_open(test_mem(), &x->codec, NULL), 0);
        changes_init(&x->changes, test_mem());
        buf_init(&x->row, test_mem(), 1 << 20);
    }
    o.codec = x->codec;
    ck_assert_msg(storage_open(&o, &x->s, &at, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(at.index, x->index);
    x->store = store_open(test_mem());
    ck_assert_msg(storage_load(x->s, x->store, test_mem(), &err) == 0, "%s", err.text);
}

static void stop(struct fixture *x)
{
    ck_assert_int_eq(storage_close(x->s, NULL), 0);
    store_close(x->store);
}

static void finish(struct fixture *x)
{
    codec_close(x->codec);
    changes_close(&x->changes);
    buf_close(&x->row);
    ck_assert_uint_eq(test_mem_in_use(), 0);
}

static void write_changes(struct fixture *x)
{
    const struct meta *meta;
    for (uint32_t i = 0; i < x->changes.n; i++) {
        const struct change *c = &x->changes.v[i];
        const void *row = store_row(x->store, (enum kind)c->kind, c->slot);
        buf_clear(&x->row);
        if (row == NULL) {
            storage_row(x->s, c->kind, c->slot, NULL, 0);
            continue;
        }
        ck_assert_int_eq(codec_encode_row(x->codec, (enum kind)c->kind, row, &x->row, NULL), 0);
        storage_row(x->s, c->kind, c->slot, x->row.data, x->row.len);
    }
    meta = store_meta(x->store);
    buf_clear(&x->row);
    ck_assert_int_eq(codec_encode_row(x->codec, KIND_META, meta, &x->row, NULL), 0);
    storage_row(x->s, KIND_META, 0, x->row.data, x->row.len);
    storage_commit(x->s, &(struct storage_point){++x->index, 1, meta->revision, meta->digest});
}

static void apply(struct fixture *x, struct command *cmd)
{
    struct result result;
    cmd->at_ms = 1700000000000 + (int64_t)x->index * 1000;
    cmd->seed = x->index * 77;
    changes_clear(&x->changes);
    store_apply(x->store, cmd, &x->changes, &result);
    write_changes(x);
}

/* Clusters, families and tags, created, changed and removed at random from few names. */
static void random_command(struct fixture *x, struct prng *p)
{
    static const char *const names[] = {"a", "b", "c", "d", "e"};
    struct container_summary container = {.name = STR("main"), .essential = true, .memory = 64};
    struct tag tag = {STR("k"), str_of(names[prng_below(p, 5)])};
    struct command cmd = {.kind = CMD_CLUSTER_CREATE};
    struct str name = str_of(names[prng_below(p, 5)]);
    switch (prng_below(p, 5)) {
    case 0:
        cmd.u.cluster.name = name;
        cmd.u.cluster.tags = (struct tags){&tag, 1};
        break;
    case 1:
        cmd.kind = CMD_CLUSTER_DELETE;
        cmd.u.name.name = name;
        break;
    case 2:
        cmd.kind = CMD_TASKDEF_DEREGISTER;
        cmd.u.taskdef_ref.family = name;
        cmd.u.taskdef_ref.revision = 1 + (uint32_t)prng_below(p, 20);
        break;
    case 3:
        cmd.kind = CMD_GC;
        break;
    default:
        cmd.kind = CMD_TASKDEF_REGISTER;
        cmd.u.taskdef.def.family = name;
        cmd.u.taskdef.def.memory = 64;
        cmd.u.taskdef.def.containers = &container;
        cmd.u.taskdef.def.n_containers = 1;
        cmd.u.taskdef.def.spec = STR("spec");
        break;
    }
    apply(x, &cmd);
}

static void compare(const struct store *a, const struct store *b)
{
    ck_assert_uint_eq(store_meta(a)->digest, store_meta(b)->digest);
    for (int kind = 1; kind < KIND_N; kind++) {
        const struct schema *schema = schema_of_kind((enum kind)kind);
        ck_assert_uint_eq(store_count(a, (enum kind)kind), store_count(b, (enum kind)kind));
        for (uint32_t slot = 0; slot < store_slots(a, (enum kind)kind); slot++) {
            const void *x = store_row(a, (enum kind)kind, slot);
            const void *y = store_row(b, (enum kind)kind, slot);
            ck_assert((x == NULL) == (y == NULL));
            ck_assert(x == NULL || schema_equal(schema, x, y));
        }
    }
}

START_TEST(a_store_loaded_from_its_checkpoint_is_the_same_store)
    {
        struct fixture x = {0};
        struct prng p;
        uint32_t n_rows = 0;
        prng_init(&p, 21);
        for (int life = 0; life < 8; life++) {
            struct store *before;
            start(&x);
            for (int i = 0; i < 60; i++) {
                random_command(&x, &p);
            }
            before = x.store;
            ck_assert_int_eq(storage_close(x.s, NULL), 0);
            start(&x);
            compare(before, x.store);
            n_rows += store_count(x.store, KIND_TASKDEF);
            store_close(before);
            stop(&x);
        }
        ck_assert_uint_gt(n_rows, 100);
        finish(&x);
    }
END_TEST

START_TEST(a_checkpoint_that_is_not_what_it_says_is_refused)
    {
        struct fixture x = {0};
        struct prng p;
        struct store *other;
        struct err err = {0};
        sqlite3 *sql;
        char path[200];
        prng_init(&p, 22);
        start(&x);
        for (int i = 0; i < 30; i++) {
            random_command(&x, &p);
        }
        stop(&x);
        (void)snprintf(path, sizeof path, "%s/checkpoint.db", x.dir);
        ck_assert_int_eq(db_connect(path, SQLITE_OPEN_READWRITE, &sql, &err), 0);
        ck_assert_int_eq(db_exec(sql, "UPDATE point SET digest = digest + 1", &err), 0);
        sqlite3_close(sql);
        {
            struct storage_options o = {.dir = x.dir, .codec = x.codec};
            struct storage_point at;
            ck_assert_int_eq(storage_open(&o, &x.s, &at, &err), 0);
        }
        other = store_open(test_mem());
        ck_assert_int_eq(storage_load(x.s, other, test_mem(), &err), ERR_CORRUPT);
        ck_assert_ptr_nonnull(strstr(err.text, "digest"));
        store_close(other);
        ck_assert_int_eq(storage_close(x.s, NULL), 0);
        finish(&x);
    }
END_TEST

static void compare_image(struct fixture *x, const char *path)
{
    struct image *image = NULL;
    struct storage_point at;
    uint64_t hash;
    struct err err = {0};
    struct store *copy = store_open(test_mem());
    ck_assert_msg(image_open(path, &image, &err) == 0, "%s", err.text);
    ck_assert_msg(image_load(image, x->codec, copy, test_mem(), &err) == 0, "%s", err.text);
    ck_assert_int_eq(image_point(image, &at, &hash, &err), 0);
    ck_assert_uint_eq(at.index, x->index);
    compare(x->store, copy);
    store_close(copy);
    image_close(image);
}

static void copy_to(const char *from, const char *to)
{
    static char chunk[4096];
    FILE *in = fopen(from, "rb");
    FILE *out = fopen(to, "wb");
    size_t n;
    ck_assert(in != NULL && out != NULL);
    while ((n = fread(chunk, 1, sizeof chunk, in)) > 0) {
        ck_assert_uint_eq(fwrite(chunk, 1, n, out), n);
    }
    (void)fclose(in);
    ck_assert_int_eq(fclose(out), 0);
}

static void wait_durable(struct fixture *x)
{
    storage_flush(x->s);
    while (storage_durable(x->s).index < x->index) {
        (void)usleep(1000);
    }
}

START_TEST(an_image_is_read_beside_a_controller_after_a_crash_and_at_rest)
    {
        struct fixture x = {0};
        struct prng p;
        char path[200];
        char wal[210];
        char crashed[SCRATCH_LEN];
        char copy[200];
        char copy_wal[210];
        prng_init(&p, 23);
        start(&x);
        for (int i = 0; i < 50; i++) {
            random_command(&x, &p);
        }
        wait_durable(&x);
        (void)snprintf(path, sizeof path, "%s/checkpoint.db", x.dir);
        (void)snprintf(wal, sizeof wal, "%s-wal", path);
        compare_image(&x, path); /* In use. */
        scratch_dir(crashed);
        (void)snprintf(copy, sizeof copy, "%s/checkpoint.db", crashed);
        (void)snprintf(copy_wal, sizeof copy_wal, "%s-wal", copy);
        copy_to(path, copy);
        copy_to(wal, copy_wal);
        compare_image(&x, copy); /* As a crash leaves it. */
        ck_assert_int_eq(access(copy_wal, F_OK), 0);
        ck_assert_int_eq(storage_close(x.s, NULL), 0);
        compare_image(&x, path); /* Closed. */
        store_close(x.store);
        finish(&x);
    }
END_TEST

static int count_bad(void *ctx, const struct image_row *row, struct err *err)
{
    unsigned *n = ctx;
    (void)err;
    *n += row->whole ? 0 : 1;
    return 0;
}

START_TEST(an_image_shows_damaged_rows_and_does_not_load)
    {
        struct fixture x = {0};
        struct prng p;
        struct image *image = NULL;
        struct store *store;
        struct err err = {0};
        unsigned n_bad = 0;
        sqlite3 *sql;
        char path[200];
        prng_init(&p, 24);
        start(&x);
        for (int i = 0; i < 50; i++) {
            random_command(&x, &p);
        }
        stop(&x);
        (void)snprintf(path, sizeof path, "%s/checkpoint.db", x.dir);
        ck_assert_int_eq(db_connect(path, SQLITE_OPEN_READWRITE, &sql, &err), 0);
        ck_assert_int_eq(db_exec(sql, "UPDATE taskdef SET data = data || x'00'", &err), 0);
        sqlite3_close(sql);
        ck_assert_int_eq(image_open(path, &image, &err), 0);
        ck_assert_int_eq(image_each(image, count_bad, &n_bad, &err), 0);
        ck_assert_uint_gt(n_bad, 0);
        store = store_open(test_mem());
        ck_assert_int_eq(image_load(image, x.codec, store, test_mem(), &err), ERR_CORRUPT);
        store_close(store);
        image_close(image);
        finish(&x);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("load");
    TEST_CASE(s, "load", 60, a_store_loaded_from_its_checkpoint_is_the_same_store,
              a_checkpoint_that_is_not_what_it_says_is_refused,
              an_image_is_read_beside_a_controller_after_a_crash_and_at_rest,
              an_image_shows_damaged_rows_and_does_not_load);
    return scratch_run(s);
}
