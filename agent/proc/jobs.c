#include "agent/proc/jobs.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#define STACK_SIZE  (1024 * 1024) /* Of addresses: a JSON parser may recurse 2048 deep. */
#define THREADS_MAX 16

struct jobs {
    uv_async_t async;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct list waiting; /* Under lock, as are the next four. */
    struct list running;
    struct list finished;
    unsigned n_idle;
    bool closing;
    unsigned n_threads; /* Loop thread only. */
    unsigned max_threads;
    pthread_t threads[THREADS_MAX];
    void (*close_cb)(void *data);
    void *close_data;
};

static void *thread_main(void *arg)
{
    struct jobs *q = arg;
    pthread_mutex_lock(&q->lock);
    while (!q->closing || !list_empty(&q->waiting)) {
        struct job *j;
        if (list_empty(&q->waiting)) {
            q->n_idle++;
            pthread_cond_wait(&q->wake, &q->lock);
            q->n_idle--;
            continue;
        }
        j = container_of(q->waiting.next, struct job, link);
        list_remove(&j->link);
        list_push(&q->running, &j->link);
        pthread_mutex_unlock(&q->lock);
        if (!job_canceled(j)) {
            j->work(j);
        }
        pthread_mutex_lock(&q->lock);
        list_remove(&j->link);
        list_push(&q->finished, &j->link);
        uv_async_send(&q->async);
    }
    pthread_mutex_unlock(&q->lock);
    return NULL;
}

static void deliver(struct jobs *q)
{
    struct list batch;
    list_init(&batch);
    pthread_mutex_lock(&q->lock);
    list_splice(&batch, &q->finished);
    pthread_mutex_unlock(&q->lock);
    while (!list_empty(&batch)) {
        struct job *j = container_of(batch.next, struct job, link);
        list_remove(&j->link);
        j->done(j);
    }
}

static void async_cb(uv_async_t *async)
{
    deliver(async->data);
}

int jobs_open(uv_loop_t *loop, unsigned max_threads, struct jobs **ret, struct err *err)
{
    struct jobs *q = calloc(1, sizeof *q);
    int rv;
    assert(max_threads > 0 && max_threads <= THREADS_MAX);
    if (q == NULL) {
        return err_set(err, ERR_NOMEM, "job queue");
    }
    rv = uv_async_init(loop, &q->async, async_cb);
    if (rv != 0) {
        free(q);
        return err_set(err, ERR_IO, "job queue: %s", uv_strerror(rv));
    }
    q->async.data = q;
    q->max_threads = max_threads;
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->wake, NULL);
    list_init(&q->waiting);
    list_init(&q->running);
    list_init(&q->finished);
    *ret = q;
    return 0;
}

/* One more thread. Failing is fine as long as there is one already. */
static bool add_thread(struct jobs *q)
{
    pthread_attr_t attr;
    bool made;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_SIZE);
    made = pthread_create(&q->threads[q->n_threads], &attr, thread_main, q) == 0;
    pthread_attr_destroy(&attr);
    q->n_threads += made ? 1 : 0;
    return made;
}

void jobs_submit(struct jobs *q, struct job *j, job_fn work, job_fn done)
{
    bool grow;
    assert(work != NULL && done != NULL);
    j->work = work;
    j->done = done;
    atomic_store(&j->canceled, false);
    pthread_mutex_lock(&q->lock);
    assert(!q->closing);
    list_push(&q->waiting, &j->link);
    grow = q->n_idle == 0 && q->n_threads < q->max_threads;
    pthread_cond_signal(&q->wake);
    pthread_mutex_unlock(&q->lock);
    if (grow && !add_thread(q) && q->n_threads == 0) {
        /* Not one thread to be had: hand the job back, canceled. */
        pthread_mutex_lock(&q->lock);
        job_cancel(j);
        list_remove(&j->link);
        list_push(&q->finished, &j->link);
        pthread_mutex_unlock(&q->lock);
        uv_async_send(&q->async);
    }
}

void job_cancel(struct job *j)
{
    atomic_store(&j->canceled, true);
}

bool job_canceled(const struct job *j)
{
    return atomic_load(&j->canceled);
}

static void cancel_all(struct list *jobs)
{
    struct list *it;
    list_each (it, jobs) {
        job_cancel(container_of(it, struct job, link));
    }
}

static void closed_cb(uv_handle_t *handle)
{
    struct jobs *q = handle->data;
    void (*cb)(void *data) = q->close_cb;
    void *data = q->close_data;
    deliver(q);
    pthread_cond_destroy(&q->wake);
    pthread_mutex_destroy(&q->lock);
    free(q);
    cb(data);
}

void jobs_close(struct jobs *q, void (*cb)(void *data), void *data)
{
    pthread_mutex_lock(&q->lock);
    q->closing = true;
    cancel_all(&q->waiting);
    cancel_all(&q->running);
    pthread_cond_broadcast(&q->wake);
    pthread_mutex_unlock(&q->lock);
    for (unsigned i = 0; i < q->n_threads; i++) {
        pthread_join(q->threads[i], NULL);
    }
    q->close_cb = cb;
    q->close_data = data;
    uv_close((uv_handle_t *)&q->async, closed_cb);
}
