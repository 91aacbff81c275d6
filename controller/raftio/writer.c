#include "controller/raftio/writer.h"

#include "common/base/list.h"
#include "common/loop/sysmem.h"

#include <assert.h>
#include <string.h>

#define MARK_NS UINT64_C(1000000000) /* Watermark at most this often. */

enum op_kind { OP_APPEND, OP_TRIM, OP_RESET };

struct op {
    struct list link;
    enum op_kind kind;
    uint64_t index; /* Of the first entry; OP_TRIM: through; OP_RESET: continue after. */
    uint64_t ticket;
    size_t size; /* Of this struct with everything behind it. */
    unsigned n;
    struct replica_entry entries[]; /* Then their bytes. */
};

struct writer {
    uv_thread_t thread;
    uv_async_t *async; /* Outlives the writer until libuv has closed it. */
    struct logfile *log;
    const struct writer_events *events;
    void *ctx;
    uint64_t reported; /* Loop thread: last ticket told. */

    /* Shared, under the mutex. */
    uv_mutex_t mutex;
    uv_cond_t wake;
    struct list queue;
    bool closing;
    uint64_t done;    /* Ticket. */
    unsigned n_reset; /* Resets done and not reported. */
    bool failed;
    struct err err;
    struct writer_stats stats;
};

/* --- the thread ------------------------------------------------------------------------------ */

static void note_sync(struct writer *w, uint64_t us)
{
    unsigned i = 0;
    while (i + 1 < WRITER_LATENCY_N && us >> i != 0) {
        i++;
    }
    w->stats.n_syncs++;
    w->stats.sync_us_sum += us;
    w->stats.sync_us_max = us > w->stats.sync_us_max ? us : w->stats.sync_us_max;
    w->stats.sync_us[i]++;
}

static int run_op(struct writer *w, const struct op *op, struct err *err)
{
    switch (op->kind) {
    case OP_APPEND:
        return logfile_append(w->log, op->index, op->entries, op->n, err);
    case OP_TRIM:
        return logfile_trim(w->log, op->index, err);
    case OP_RESET:
        return logfile_reset(w->log, op->index, err);
    }
    return 0;
}

/* One batch; *ret_ticket is left alone when nothing was appended. */
static int run_batch(struct writer *w, struct list *batch, uint64_t *ret_ticket,
                     unsigned *ret_n_reset, struct err *err)
{
    int rv = 0;
    while (!list_empty(batch)) {
        struct op *op = container_of(batch->next, struct op, link);
        if (rv == 0) {
            rv = run_op(w, op, err);
            *ret_ticket = op->kind == OP_APPEND ? op->ticket : *ret_ticket;
            *ret_n_reset += op->kind == OP_RESET;
        }
        list_remove(&op->link);
        mem_free(sysmem(), op, op->size);
    }
    return rv != 0 ? rv : logfile_flush(w->log, err);
}

/* Between batches: the watermark once a second, and the next file. */
static int keep_house(struct writer *w, uint64_t *marked_ns, struct err *err)
{
    int rv = logfile_prepare(w->log, err);
    if (rv == ERR_FULL) {
        rv = 0; /* Not needed yet; the capacity told to peers says the rest. */
    }
    if (rv == 0 && uv_hrtime() - *marked_ns >= MARK_NS) {
        *marked_ns = uv_hrtime();
        rv = logfile_mark(w->log, err);
    }
    return rv;
}

/* Called and returns with the mutex held. */
static void work(struct writer *w, uint64_t *marked_ns)
{
    struct list batch;
    struct err err = {0};
    uint64_t ticket = w->done;
    unsigned n_reset = 0;
    uint64_t began;
    bool idle = list_empty(&w->queue);
    int rv;
    list_init(&batch);
    list_splice(&batch, &w->queue);
    uv_mutex_unlock(&w->mutex);
    began = uv_hrtime();
    rv = run_batch(w, &batch, &ticket, &n_reset, &err);
    began = uv_hrtime() - began;
    uv_mutex_lock(&w->mutex);
    if (rv == 0 && !idle) { /* Report first: somebody waits. */
        w->done = ticket;
        w->n_reset += n_reset;
        note_sync(w, began / 1000);
        (void)uv_async_send(w->async);
    }
    if (rv == 0) {
        uv_mutex_unlock(&w->mutex);
        rv = keep_house(w, marked_ns, &err);
        uv_mutex_lock(&w->mutex);
    }
    w->stats.logfile_bytes = logfile_bytes(w->log);
    w->stats.logfile_reserved = logfile_reserved(w->log);
    if (rv != 0) {
        w->failed = true;
        w->err = err;
        (void)uv_async_send(w->async);
    }
}

static void run(void *arg)
{
    struct writer *w = arg;
    uint64_t marked_ns = uv_hrtime();
    uv_mutex_lock(&w->mutex);
    while (!w->failed && (!w->closing || !list_empty(&w->queue))) {
        if (list_empty(&w->queue)) {
            (void)uv_cond_timedwait(&w->wake, &w->mutex, MARK_NS);
        }
        work(w, &marked_ns);
    }
    uv_mutex_unlock(&w->mutex);
}

/* --- the loop -------------------------------------------------------------------------------- */

static void on_async(uv_async_t *async)
{
    struct writer *w = async->data;
    uint64_t done;
    unsigned n_reset;
    bool failed;
    if (w == NULL) {
        return;
    }
    uv_mutex_lock(&w->mutex);
    done = w->done;
    n_reset = w->n_reset;
    w->n_reset = 0;
    failed = w->failed;
    uv_mutex_unlock(&w->mutex);
    if (done > w->reported) {
        w->reported = done;
        w->events->done(w->ctx, done);
    }
    if (n_reset > 0) {
        w->events->reset(w->ctx);
    }
    if (failed) {
        w->async->data = NULL;
        w->events->failed(w->ctx, &w->err);
    }
}

static void free_async(uv_handle_t *handle)
{
    mem_free(sysmem(), handle, sizeof(uv_async_t));
}

int writer_open(uv_loop_t *loop, struct logfile *log, const struct writer_events *events, void *ctx,
                struct writer **ret, struct err *err)
{
    struct writer *w = mem_alloc(sysmem(), sizeof *w);
    w->log = log;
    w->events = events;
    w->ctx = ctx;
    list_init(&w->queue);
    w->async = mem_alloc(sysmem(), sizeof *w->async);
    if (uv_async_init(loop, w->async, on_async) != 0 || uv_mutex_init(&w->mutex) != 0 ||
        uv_cond_init(&w->wake) != 0) {
        return err_set(err, ERR_NOMEM, "log writer");
    }
    w->async->data = w;
    w->stats.logfile_bytes = logfile_bytes(log);
    if (uv_thread_create(&w->thread, run, w) != 0) {
        uv_close((uv_handle_t *)w->async, free_async);
        uv_mutex_destroy(&w->mutex);
        uv_cond_destroy(&w->wake);
        mem_free(sysmem(), w, sizeof *w);
        return err_set(err, ERR_NOMEM, "log writer: thread");
    }
    *ret = w;
    return 0;
}

void writer_close(struct writer *w)
{
    if (w == NULL) {
        return;
    }
    uv_mutex_lock(&w->mutex);
    w->closing = true;
    uv_cond_signal(&w->wake);
    uv_mutex_unlock(&w->mutex);
    (void)uv_thread_join(&w->thread);
    while (!list_empty(&w->queue)) { /* Left behind when the disk failed. */
        struct op *op = container_of(w->queue.next, struct op, link);
        list_remove(&op->link);
        mem_free(sysmem(), op, op->size);
    }
    w->async->data = NULL;
    uv_close((uv_handle_t *)w->async, free_async);
    uv_cond_destroy(&w->wake);
    uv_mutex_destroy(&w->mutex);
    mem_free(sysmem(), w, sizeof *w);
}

static void add(struct writer *w, struct op *op)
{
    uv_mutex_lock(&w->mutex);
    list_push(&w->queue, &op->link);
    uv_cond_signal(&w->wake);
    uv_mutex_unlock(&w->mutex);
}

static struct op *new_op(enum op_kind kind, uint64_t index, size_t more)
{
    struct op *op = mem_alloc(sysmem(), sizeof *op + more);
    op->kind = kind;
    op->index = index;
    op->size = sizeof *op + more;
    return op;
}

void writer_append(struct writer *w, uint64_t index, const struct replica_entry *entries,
                   unsigned n, uint64_t ticket)
{
    size_t bytes = 0;
    struct op *op;
    uint8_t *to;
    for (unsigned i = 0; i < n; i++) {
        bytes += entries[i].len;
    }
    op = new_op(OP_APPEND, index, n * sizeof *entries + bytes);
    op->ticket = ticket;
    op->n = n;
    to = (uint8_t *)&op->entries[n];
    for (unsigned i = 0; i < n; i++) {
        op->entries[i] = entries[i];
        op->entries[i].bytes = to;
        if (entries[i].len > 0) {
            memcpy(to, entries[i].bytes, entries[i].len);
        }
        to += entries[i].len;
    }
    add(w, op);
}

void writer_trim(struct writer *w, uint64_t through)
{
    add(w, new_op(OP_TRIM, through, 0));
}

void writer_reset(struct writer *w, uint64_t index)
{
    add(w, new_op(OP_RESET, index, 0));
}

void writer_stats(struct writer *w, struct writer_stats *ret)
{
    uv_mutex_lock(&w->mutex);
    *ret = w->stats;
    uv_mutex_unlock(&w->mutex);
}
