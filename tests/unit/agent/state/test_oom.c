/* Each allocation of the agent's journal fails in turn: an error, or the documented end of the
 * process. What was committed before is there afterwards, and a batch is there as a whole or not
 * at all. */
#include "agent/state/journal.h"
#include "common/loop/sysmem.h"
#include "tests/lib/fail_alloc.h"
#include "tests/lib/test.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct id node = {1, 2};
static char path[64];

static void remove_journal(void)
{
    char name[80];
    (void)unlink(path);
    (void)snprintf(name, sizeof name, "%s-wal", path);
    (void)unlink(name);
    (void)snprintf(name, sizeof name, "%s-shm", path);
    (void)unlink(name);
}

/* Three tasks with containers and specifications. */
static void fill_batch(struct journal_batch *b, uint64_t from)
{
    journal_batch_init(b, sysmem());
    for (uint64_t i = from; i < from + 3; i++) {
        struct container containers[2];
        struct task t;
        memset(&t, 0, sizeof t);
        memset(containers, 0, sizeof containers);
        t.id = (struct id){i, i};
        t.containers = containers;
        t.n_containers = 2;
        journal_batch_put_task(b, &t);
        journal_batch_put_spec(b, t.id, STR("specification"));
    }
    journal_batch_put_session(b, 1, from);
}

static int count_task(void *data, const struct task *saved, struct str spec, struct err *err)
{
    unsigned *n = data;
    (void)err;
    assert(saved->n_containers == 2 && str_eq(spec, STR("specification")));
    (*n)++;
    return 0;
}

static int put(uint64_t from, struct err *err)
{
    struct journal *j = NULL;
    struct journal_batch b;
    bool cleared;
    int rv = journal_open(path, node, &j, &cleared, err);
    fill_batch(&b, from);
    rv = rv != 0 ? rv : journal_commit(j, &b, err);
    journal_batch_close(&b);
    journal_close(j);
    return rv;
}

/* Tasks in the journal. */
static unsigned look(void)
{
    struct journal *j = NULL;
    unsigned n = 0;
    uint64_t epoch;
    uint64_t session;
    bool cleared;
    assert(journal_open(path, node, &j, &cleared, NULL) == 0 && !cleared);
    assert(journal_load(j, count_task, &n, NULL) == 0);
    assert(journal_session(j, &epoch, &session, NULL) == 0);
    assert(epoch == 1 && session == (n == 3 ? 10 : 20));
    journal_close(j);
    return n;
}

static unsigned long put_more(void *arg, unsigned long n, int *ret_error)
{
    struct err err = {0};
    unsigned long total;
    unsigned there;
    (void)arg;
    remove_journal();
    assert(put(10, NULL) == 0);
    fail_alloc_at(n);
    *ret_error = put(20, &err);
    total = fail_alloc_stop();
    assert(*ret_error == 0 || err.text[0] != '\0');
    there = look();
    assert(there == 3 || there == 6);
    assert(*ret_error != 0 || there == 6);
    return total;
}

static unsigned long load_all(void *arg, unsigned long n, int *ret_error)
{
    struct journal *j = NULL;
    struct err err = {0};
    unsigned long total;
    unsigned there = 0;
    bool cleared = false;
    (void)arg;
    remove_journal();
    assert(put(10, NULL) == 0);
    fail_alloc_at(n);
    *ret_error = journal_open(path, node, &j, &cleared, &err);
    if (*ret_error == 0) {
        *ret_error = journal_load(j, count_task, &there, &err);
    }
    total = fail_alloc_stop();
    assert(*ret_error == 0 ? there == 3 && !cleared : err.text[0] != '\0');
    journal_close(j);
    assert(look() == 3);
    return total;
}

START_TEST(a_journal_works_or_says_so)
    {
        struct fail_alloc_report r;
        (void)snprintf(path, sizeof path, "/tmp/test-oom-%d.db", (int)getpid());
        r = fail_alloc_torture("journal_commit", put_more, NULL, 250);
        ck_assert_uint_gt(r.n_errors, 20);
        r = fail_alloc_torture("journal_load", load_all, NULL, 250);
        ck_assert_uint_gt(r.n_errors, 20);
        remove_journal();
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("oom");
    TEST_CASE(s, "oom", 300, a_journal_works_or_says_so);
    return test_run(s);
}
