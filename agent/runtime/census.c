/* Whose processes are on this machine: the groups of the kernel say, whatever the directories and
 * this agent's memory say. */
#include "agent/runtime/driver_impl.h"
#include "common/base/arena.h"
#include "common/base/id.h"
#include "common/loop/sysmem.h"

#include <stdlib.h>

struct census_op {
    struct job job;
    struct driver *d;
    struct exec_census *r;
    struct arena arena;
    struct id *tasks;
    size_t n;
    int status;
    struct err err;
};

static int by_id(const void *a, const void *b)
{
    const struct id *x = a;
    const struct id *y = b;
    return id_cmp(*x, *y);
}

static void census_work(struct job *j)
{
    struct census_op *op = j->data;
    const struct runtime *rt = &op->d->rt;
    struct str *names;
    size_t n = 0;
    op->status =
        cgroup_census(&rt->cgroup, rt->options.cgroup_parent, &op->arena, &names, &n, &op->err);
    op->tasks = arena_array(&op->arena, n + 1, sizeof *op->tasks);
    for (size_t i = 0; op->status == 0 && i < n; i++) {
        op->n += id_parse(names[i], &op->tasks[op->n]); /* Others are not ours. */
    }
    qsort(op->tasks, op->n, sizeof *op->tasks, by_id);
}

static void census_answer(void *data)
{
    struct census_op *op = data;
    struct exec_census *r = op->r;
    r->status = op->status;
    r->err = op->err;
    r->tasks = op->tasks;
    r->n_tasks = op->status == 0 ? op->n : 0;
    r->impl = NULL;
    r->cb(r);
    arena_close(&op->arena);
    free(op);
}

static void census_done(struct job *j)
{
    struct census_op *op = j->data;
    if (job_canceled(j) && op->status == 0) {
        op->status = err_set(&op->err, ERR_CANCELED, "census: canceled");
    }
    census_answer(op);
}

void ops_census(struct executor *x, struct exec_census *r)
{
    struct driver *d = container_of(x, struct driver, x);
    struct census_op *op = driver_alloc(sizeof *op);
    op->job.data = op;
    op->d = d;
    op->r = r;
    arena_init(&op->arena, sysmem());
    r->impl = op;
    if (d->closing) {
        op->status = err_set(&op->err, ERR_CLOSED, "census: the agent stops");
        driver_defer(d, census_answer, op);
        return;
    }
    jobs_submit(d->quick, &op->job, census_work, census_done);
}
