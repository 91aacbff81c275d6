#include "agent/state/journal.h"
#include "tests/lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[] = "/tmp/test-journal-XXXXXX";
static char path[64];

static const struct id node = {1, 2};

static void setup(void)
{
    memcpy(dir + sizeof dir - 7, "XXXXXX", 6);
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/journal.db", dir);
}

static void teardown(void)
{
    char name[80];
    (void)unlink(path);
    snprintf(name, sizeof name, "%s-wal", path);
    (void)unlink(name);
    (void)rmdir(dir);
}

static struct journal *open_journal(void)
{
    struct journal *j = NULL;
    struct err err = {0};
    bool cleared;
    ck_assert_msg(journal_open(path, node, &j, &cleared, &err) == 0, "%s", err.text);
    ck_assert(!cleared);
    return j;
}

static void commit(struct journal *j, struct journal_batch *b)
{
    struct err err = {0};
    ck_assert_msg(journal_commit(j, b, &err) == 0, "%s", err.text);
    journal_batch_clear(b);
}

struct loaded {
    unsigned n;
    struct task task[4];
    struct container containers[4][2];
    char spec[4][16];
};

static int load_one(void *data, const struct task *saved, struct str spec, struct err *err)
{
    struct loaded *l = data;
    if (l->n == 4) {
        return err_set(err, ERR_FULL, "enough");
    }
    l->task[l->n] = *saved;
    ck_assert_uint_le(saved->n_containers, 2);
    for (uint32_t i = 0; i < saved->n_containers; i++) {
        l->containers[l->n][i] = saved->containers[i];
    }
    ck_assert(str_copy(l->spec[l->n], sizeof l->spec[0], spec));
    l->n++;
    return 0;
}

static struct loaded load(struct journal *j)
{
    struct loaded l;
    struct err err = {0};
    memset(&l, 0, sizeof l);
    ck_assert_msg(journal_load(j, load_one, &l, &err) == 0, "%s", err.text);
    return l;
}

static void sample(struct task *t, struct container *c, uint64_t n)
{
    memset(t, 0, sizeof *t);
    memset(c, 0, 2 * sizeof *c);
    t->id = (struct id){0, n};
    t->phase = TASK_RUNNING;
    t->stop_code = WIRE_STOP_ESSENTIAL_EXITED;
    t->want_stop = true;
    t->started_at = 1234567890123;
    snprintf(t->reason, sizeof t->reason, "because '%llu'", (unsigned long long)n);
    t->containers = c;
    t->n_containers = 2;
    c[0].phase = CONTAINER_STOPPED;
    c[0].has_exit_code = true;
    c[0].exit_code = -3;
    c[0].health = HEALTH_UNHEALTHY;
    c[1].phase = CONTAINER_RUNNING;
    snprintf(c[1].image.manifest, sizeof c[1].image.manifest, "sha256:abc");
}

START_TEST(what_was_committed_is_there_after_reopening)
    {
        struct journal_batch b;
        struct journal *j = open_journal();
        struct task t;
        struct container c[2];
        struct loaded l;
        uint64_t epoch = 98;
        uint64_t session = 99;
        ck_assert_int_eq(journal_session(j, &epoch, &session, NULL), 0);
        ck_assert_uint_eq(session, 0);
        ck_assert_uint_eq(epoch, 0);
        journal_batch_init(&b, test_mem());
        for (uint64_t i = 3; i > 0; i--) {
            sample(&t, c, i);
            journal_batch_put_spec(&b, t.id, STR("a\0b"));
            journal_batch_put_task(&b, &t);
        }
        journal_batch_put_session(&b, 3, UINT64_MAX);
        memset(&t, 0, sizeof t); /* Batches hold copies. */
        memset(c, 0, sizeof c);
        ck_assert_uint_eq(b.n, 7);
        commit(j, &b);
        journal_close(j);
        j = open_journal();
        l = load(j);
        ck_assert_uint_eq(l.n, 3);
        ck_assert_uint_eq(l.task[0].id.lo, 1); /* In order. */
        ck_assert_str_eq(l.task[2].reason, "because '3'");
        ck_assert_int_eq(l.task[0].started_at, 1234567890123);
        ck_assert(l.task[0].want_stop && !l.task[0].disowned);
        ck_assert_int_eq(l.containers[0][0].exit_code, -3);
        ck_assert(l.containers[0][0].has_exit_code && !l.containers[0][1].has_exit_code);
        ck_assert_str_eq(l.containers[0][1].image.manifest, "sha256:abc");
        ck_assert_mem_eq(l.spec[0], "a\0b", 3);
        ck_assert_int_eq(journal_session(j, &epoch, &session, NULL), 0);
        ck_assert_uint_eq(session, UINT64_MAX);
        ck_assert_uint_eq(epoch, 3);
        journal_batch_drop_spec(&b, (struct id){0, 1});
        journal_batch_drop_task(&b, (struct id){0, 2});
        commit(j, &b);
        l = load(j);
        ck_assert_uint_eq(l.n, 2);
        ck_assert_uint_eq(l.task[0].n_containers, 0);
        ck_assert_str_eq(l.spec[0], "");
        ck_assert_uint_eq(l.task[1].id.lo, 3);
        journal_batch_close(&b);
        journal_close(j);
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

START_TEST(the_file_is_private_and_for_one_process)
    {
        struct journal *j = open_journal();
        struct stat st;
        int status;
        pid_t pid;
        ck_assert_int_eq(stat(path, &st), 0);
        ck_assert_int_eq(st.st_mode & 0777, 0600);
        pid = fork(); /* Locks are per process. */
        if (pid == 0) {
            struct journal *second;
            bool cleared;
            _exit(journal_open(path, node, &second, &cleared, NULL) == ERR_BUSY ? 0 : 1);
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_int_eq(status, 0);
        journal_close(j);
    }
END_TEST

START_TEST(a_killed_agent_loses_nothing_it_committed)
    {
        int status;
        struct loaded l;
        struct journal *j;
        pid_t pid = fork();
        if (pid == 0) {
            struct journal_batch b;
            struct task t;
            struct container c[2];
            j = open_journal();
            journal_batch_init(&b, test_mem());
            sample(&t, c, 1);
            journal_batch_put_task(&b, &t);
            commit(j, &b);
            _exit(0); /* Without closing. */
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_int_eq(status, 0);
        j = open_journal();
        l = load(j);
        ck_assert_uint_eq(l.n, 1);
        journal_close(j);
    }
END_TEST

START_TEST(rows_of_another_node_are_deleted)
    {
        struct journal_batch b;
        struct journal *j = open_journal();
        struct task t;
        struct container c[2];
        bool cleared;
        journal_batch_init(&b, test_mem());
        sample(&t, c, 1);
        journal_batch_put_task(&b, &t);
        journal_batch_put_session(&b, 1, 7);
        commit(j, &b);
        journal_batch_close(&b);
        journal_close(j);
        ck_assert_int_eq(journal_open(path, (struct id){5, 5}, &j, &cleared, NULL), 0);
        ck_assert(cleared);
        ck_assert_uint_eq(load(j).n, 0);
        journal_close(j);
    }
END_TEST

START_TEST(files_it_does_not_understand_are_refused)
    {
        struct err err = {0};
        struct journal *j = NULL;
        bool cleared;
        FILE *f = fopen(path, "w");
        for (int i = 0; i < 2000; i++) {
            fputs("garbage", f);
        }
        fclose(f);
        ck_assert_int_eq(journal_open(path, node, &j, &cleared, &err), ERR_CORRUPT);
        ck_assert_ptr_null(j);
        ck_assert_ptr_nonnull(strstr(err.text, path));
        ck_assert_int_eq(journal_open("/nowhere/x", node, &j, &cleared, &err), ERR_IO);
    }
END_TEST

START_TEST(a_full_disk_is_said_and_the_batch_may_be_tried_again)
    {
        struct journal_batch b;
        struct journal *j = open_journal();
        struct err err = {0};
        static char big[512 * 1024];
        memset(big, 'x', sizeof big);
        journal_batch_init(&b, test_mem());
        journal_batch_put_spec(&b, (struct id){0, 1}, str_make(big, sizeof big));
        ck_assert_int_eq(journal_limit_pages(j, 16), 0);
        ck_assert_int_eq(journal_commit(j, &b, &err), ERR_FULL);
        ck_assert_int_eq(journal_limit_pages(j, 100000), 0);
        ck_assert_int_eq(journal_commit(j, &b, &err), 0);
        journal_batch_close(&b);
        journal_close(j);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("agent journal");
    TCase *c = tcase_create("journal");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, what_was_committed_is_there_after_reopening);
    tcase_add_test(c, the_file_is_private_and_for_one_process);
    tcase_add_test(c, a_killed_agent_loses_nothing_it_committed);
    tcase_add_test(c, rows_of_another_node_are_deleted);
    tcase_add_test(c, files_it_does_not_understand_are_refused);
    tcase_add_test(c, a_full_disk_is_said_and_the_batch_may_be_tried_again);
    suite_add_tcase(s, c);
    return test_run(s);
}
