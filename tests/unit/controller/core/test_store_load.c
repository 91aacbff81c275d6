/* A checkpoint is not believed: rows that contradict each other are refused with the name of what
 * is wrong, and whatever was loaded until then is released. */
#include "controller/core/limits.h"
#include "controller/core/store.h"
#include "tests/lib/test.h"
#include "tests/lib/world.h"

#include <string.h>

/* One row of every kind, and the way each may be wrong. */
struct rows {
    struct meta meta;
    struct cluster cluster;
    struct family family;
    struct container_summary container;
    struct taskdef taskdef;
    struct service service;
    struct node node;
    struct binding bindings[2];
    struct container containers[1];
    struct task task;
    struct token token;
    struct id ids[1];
    struct join join;
};

static void fill(struct rows *v)
{
    memset(v, 0, sizeof *v);
    v->meta.revision = 9;
    v->cluster.name = STR("c");
    v->family = (struct family){.name = STR("f"), .last_revision = 3};
    v->container.name = STR("main");
    v->taskdef = (struct taskdef){
        .family = STR("f"), .revision = 2, .containers = &v->container, .n_containers = 1};
    v->service.name = STR("s");
    v->node.id = (struct id){1, 1};
    v->bindings[0] = (struct binding){80, 1000, PROTO_TCP};
    v->bindings[1] = (struct binding){81, 1000, PROTO_UDP};
    v->containers[0].bindings = v->bindings;
    v->containers[0].n_bindings = 2;
    v->task = (struct task){.id = {2, 2},
                            .desired = TASK_RUNNING,
                            .status = TASK_RUNNING,
                            .containers = v->containers,
                            .n_containers = 1};
    v->ids[0] = (struct id){3, 0};
    v->token = (struct token){.value = STR("t"), .operation = 10, .ids = v->ids, .n_ids = 1};
    v->join.secret_sha256 = STR("0123456789abcdef0123456789abcdef");
}

static int load(struct store *s, const struct rows *v, struct err *err)
{
    const struct {
        enum kind kind;
        const void *row;
    } rows[] = {
        {KIND_TASK, &v->task},       {KIND_TOKEN, &v->token},   {KIND_NODE, &v->node},
        {KIND_META, &v->meta},       {KIND_JOIN, &v->join},     {KIND_SERVICE, &v->service},
        {KIND_TASKDEF, &v->taskdef}, {KIND_FAMILY, &v->family}, {KIND_CLUSTER, &v->cluster},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int rv = store_load_row(s, rows[i].kind, 0, rows[i].row, err);
        if (rv != 0) {
            return rv;
        }
    }
    return store_load_done(s, err);
}

START_TEST(rows_in_any_order_become_a_store)
    {
        struct rows v;
        struct err err = {0};
        struct store *s = store_open(test_mem());
        fill(&v);
        ck_assert_msg(load(s, &v, &err) == 0, "%s", err.text);
        ck_assert_msg(store_check(s, &err) == 0, "%s", err.text);
        ck_assert_uint_eq(store_meta(s)->revision, 9);
        ck_assert_uint_eq(store_cluster(s, 0)->n_running, 1);
        ck_assert_uint_eq(store_service(s, 0)->n_running, 1);
        ck_assert_uint_eq(store_find_latest(s, STR("f")), 0);
        store_close(s);
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

static void break_row(struct rows *v, int how)
{
    switch (how) {
    case 0:
        v->cluster.status = 7;
        break;
    case 1:
        v->family.last_revision = 1;
        break;
    case 2:
        v->family.last_revision = LIMIT_REVISIONS + 1;
        break;
    case 3:
        v->taskdef.status = 3;
        break;
    case 4:
        v->service.cluster = 5;
        break;
    case 5:
        v->service.primary.taskdef = 1;
        break;
    case 6:
        v->service.status = 9;
        break;
    case 7:
        v->node.cluster = SLOT_NONE;
        break;
    case 8:
        v->node.status = 3;
        break;
    case 9:
        v->task.node = 1;
        break;
    case 10:
        v->task.service = 1;
        break;
    case 11:
        v->task.taskdef = 1;
        break;
    case 12:
        v->task.status = TASK_STOPPED + 1;
        break;
    case 13:
        v->task.desired = TASK_PENDING;
        break;
    case 14:
        v->bindings[0].host_port = 0;
        break;
    case 15:
        v->bindings[0].proto = 2;
        break;
    case 16:
        v->bindings[1].proto = PROTO_TCP; /* The same port twice. */
        break;
    case 17:
        v->task.n_containers = 0;
        break;
    case 18:
        v->token.n_ids = 0;
        break;
    case 19:
        v->token.cluster = 1;
        break;
    case 20:
        v->join.cluster = 1;
        break;
    default:
        v->task.cluster = 4;
    }
}

START_TEST(rows_that_cannot_be_are_refused)
    {
        struct rows v;
        struct err err = {0};
        struct store *s = store_open(test_mem());
        fill(&v);
        break_row(&v, _i);
        ck_assert_int_eq(load(s, &v, &err), ERR_CORRUPT);
        ck_assert_ptr_nonnull(strstr(err.text, "cannot be"));
        store_close(s);
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

START_TEST(the_same_slot_or_key_twice_is_refused)
    {
        struct rows v;
        struct err err = {0};
        struct store *s = store_open(test_mem());
        fill(&v);
        ck_assert_int_eq(store_load_row(s, KIND_CLUSTER, 4, &v.cluster, &err), 0);
        ck_assert_int_eq(store_load_row(s, KIND_CLUSTER, 5, &v.cluster, &err), ERR_CORRUPT);
        v.cluster.name = STR("d");
        ck_assert_int_eq(store_load_row(s, KIND_CLUSTER, 4, &v.cluster, &err), ERR_CORRUPT);
        ck_assert_int_eq(store_load_row(s, KIND_CLUSTER, SLOT_NONE, &v.cluster, &err), ERR_CORRUPT);
        ck_assert_int_eq(store_load_row(s, KIND_META, 1, &v.meta, &err), ERR_CORRUPT);
        ck_assert_int_eq(store_load_row(s, (enum kind)200, 0, &v.meta, &err), ERR_CORRUPT);
        store_close(s);
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("store, loading");
    TCase *c = tcase_create("wrong");
    TEST_CASE(s, "load", 30, rows_in_any_order_become_a_store,
              the_same_slot_or_key_twice_is_refused);
    tcase_add_loop_test(c, rows_that_cannot_be_are_refused, 0, 22);
    suite_add_tcase(s, c);
    return test_run(s);
}
