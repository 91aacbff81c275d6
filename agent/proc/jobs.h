/* agent/proc/jobs.h
 *
 * Blocking work off the loop: a queue and a few threads. libuv's own pool is left to those whose
 * work is short; a job here may take as long as a container takes to start or an image to pull.
 * Threads are made when needed and stay. Loop thread only, except job_canceled(). */
#ifndef AGENT_PROC_JOBS_H
#define AGENT_PROC_JOBS_H

#include "common/base/err.h"
#include "common/base/list.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <uv.h>

struct jobs; /* Opaque. */
struct job;

typedef void (*job_fn)(struct job *j);

struct job { /* Embedded by the caller; his again once done runs. */
    void *data;
    /* Private. */
    job_fn work; /* On a thread. */
    job_fn done; /* From the loop. */
    struct list link;
    atomic_bool canceled;
};

/* At most max_threads jobs run at a time, first come, first served. */
int jobs_open(uv_loop_t *loop, unsigned max_threads, struct jobs **ret, struct err *err);

/* Queue: work(j) runs on a thread, then done(j) from the loop, exactly once and never inside this
 * call. A job canceled before its turn skips work. */
void jobs_submit(struct jobs *q, struct job *j, job_fn work, job_fn done);

/* Ask a job to end early; done still runs. Jobs look with job_canceled() between their steps. */
void job_cancel(struct job *j);
bool job_canceled(const struct job *j);

/* Cancel everything, wait for the threads (blocking until the running jobs notice), run every
 * done, then release; cb(data) comes last, from the loop. */
void jobs_close(struct jobs *q, void (*cb)(void *data), void *data);

#endif
