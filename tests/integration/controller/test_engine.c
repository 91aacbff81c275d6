/* The engine over real files: what does not fit into one entry, and what still waits at the end. */
#include "tests/integration/controller/house.h"

#define N_WRITES  1000
#define SPEC_SIZE 16000 /* Together 16 MB: four times what an entry can hold. */

static struct house_write *make_writes(struct str spec, const char *cluster)
{
    struct house_write *v = calloc(N_WRITES, sizeof *v);
    ck_assert_ptr_nonnull(v);
    for (int i = 0; i < N_WRITES; i++) {
        v[i].cmd.kind = CMD_CLUSTER_UPDATE;
        v[i].cmd.u.cluster.name = str_of(cluster);
        v[i].cmd.u.cluster.has_spec = true;
        v[i].cmd.u.cluster.spec = spec;
    }
    return v;
}

START_TEST(a_batch_becomes_several_entries)
    {
        struct house h;
        struct engine_status before;
        struct engine_status after;
        char *spec = calloc(1, SPEC_SIZE);
        struct house_write *v = make_writes(str_make(spec, SPEC_SIZE), "default");
        uint64_t last = 0;
        house_open(&h, 1);
        house_has(&h, "CreateCluster", "{}", "ACTIVE");
        engine_status(h.engine, &before);
        for (int i = 0; i < N_WRITES; i++) {
            house_submit(&h, &v[i]);
        }
        ck_assert(house_until(&h, &v[N_WRITES - 1].done));
        for (int i = 0; i < N_WRITES; i++) {
            ck_assert(v[i].done);
            ck_assert_int_eq(v[i].status, 0);
            ck_assert_uint_eq(v[i].result.reject, REJECT_NONE);
            ck_assert_uint_gt(v[i].result.revision, last); /* In the order of asking. */
            last = v[i].result.revision;
        }
        engine_status(h.engine, &after);
        ck_assert_uint_ge(after.n_batches - before.n_batches, 4);
        ck_assert_uint_eq(after.n_rejected, 0);
        house_close(&h);
        free(v);
        free(spec);
    }
END_TEST

START_TEST(one_too_long_fails_alone)
    {
        struct house h;
        struct house_write v[3];
        char *spec = calloc(1, 5u << 20);
        memset(v, 0, sizeof v);
        house_open(&h, 1);
        for (int i = 0; i < 3; i++) {
            v[i].cmd.kind = CMD_CLUSTER_CREATE;
            v[i].cmd.u.cluster.name = i == 0 ? STR("a") : i == 1 ? STR("b") : STR("c");
        }
        v[1].cmd.u.cluster.spec = str_make(spec, 5u << 20);
        for (int i = 0; i < 3; i++) {
            house_submit(&h, &v[i]);
        }
        ck_assert(house_until(&h, &v[2].done));
        ck_assert_int_eq(v[0].status, 0);
        ck_assert_int_eq(v[1].status, ERR_TOOBIG);
        ck_assert_int_eq(v[2].status, 0);
        house_close(&h);
        free(spec);
    }
END_TEST

START_TEST(everybody_is_answered_at_the_end)
    {
        struct house h;
        char *spec = calloc(1, SPEC_SIZE);
        struct house_write *v = make_writes(str_make(spec, SPEC_SIZE), "default");
        house_open(&h, 1);
        house_has(&h, "CreateCluster", "{}", "ACTIVE");
        for (int i = 0; i < N_WRITES; i++) {
            house_submit(&h, &v[i]);
        }
        (void)uv_run(&h.loop, UV_RUN_NOWAIT); /* Some are in flight, some wait for their turn. */
        (void)house_begin(&h, "CreateCluster", "{\"clusterName\":\"late\"}");
        house_close(&h);
        for (int i = 0; i < N_WRITES; i++) {
            ck_assert(v[i].done);
        }
        free(v);
        free(spec);
    }
END_TEST

START_TEST(without_a_majority_writes_are_refused)
    {
        struct house h;
        struct house_write x;
        memset(&x, 0, sizeof x);
        house_open(&h, 3);
        x.cmd.kind = CMD_CLUSTER_CREATE;
        x.cmd.u.cluster.name = STR("a");
        house_submit(&h, &x);
        ck_assert(!x.done);
        ck_assert(house_until(&h, &x.done));
        ck_assert_int_eq(x.status, ERR_NOTLEADER);
        house_close(&h);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("engine");
    TEST_CASE(s, "batches", 60, a_batch_becomes_several_entries, one_too_long_fails_alone);
    TEST_CASE(s, "ends", 60, everybody_is_answered_at_the_end,
              without_a_majority_writes_are_refused);
    return test_run(s);
}
