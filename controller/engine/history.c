/* Questions about history.db, answered by libuv's workers: each opens the file, reads one page and
 * closes it, so that no connection outlives a question and the loop never waits for the disk. What
 * happened before a question is part of the answer: it waits until the storage thread wrote it. */
#include "controller/storage/history.h"
#include "controller/engine/engine_int.h"

#include <assert.h>
#include <stdio.h>

struct question {
    struct list link;
    uint64_t n_before; /* Records that must be in the file, or lost. */
    uv_work_t work;
    struct engine_history *h;
    const struct mem *mem;
    char dir[4096];
};

static struct ring_record *convert(struct arena *arena, const struct history_record *v, uint32_t n)
{
    struct ring_record *out = arena_array(arena, n, sizeof *out);
    for (uint32_t i = 0; i < n; i++) {
        out[i] = (struct ring_record){
            .revision = v[i].revision,
            .position = v[i].position,
            .kind = v[i].kind,
            .at = v[i].at,
            .cluster = v[i].cluster,
            .subject = v[i].subject,
            .service = v[i].service,
            .node = v[i].node,
            .text = v[i].text,
            .data = v[i].data,
        };
    }
    return out;
}

static void work(uv_work_t *work)
{
    struct question *q = work->data;
    struct engine_history *h = q->h;
    struct history *file = NULL;
    struct history_record *records = NULL;
    const struct history_query query = {
        .kind = h->kind,
        .cluster = h->cluster,
        .subject = h->subject,
        .service = h->service,
        .node = h->node,
        .since = h->since,
        .until = h->until,
        .before_revision = h->before_revision,
        .before_position = h->before_position,
        .n_max = h->n_max,
    };
    h->status = history_open(q->dir, &file, &h->err);
    if (h->status == 0) {
        h->status = history_read(file, &query, h->arena, &records, &h->n, &h->err);
    }
    history_close(file);
    if (h->status == 0) {
        h->records = convert(h->arena, records, h->n);
    }
}

static void worked(uv_work_t *work, int status)
{
    struct question *q = work->data;
    struct engine_history *h = q->h;
    if (status != 0) {
        h->status = err_set(&h->err, ERR_CANCELED, "history: %s", uv_strerror(status));
    }
    mem_free(q->mem, q, sizeof *q);
    h->done(h);
}

static void begin(struct engine *e, struct question *q)
{
    int rv = uv_queue_work(e->loop, &q->work, work, worked);
    assert(rv == 0); /* Fails for a missing callback alone. */
    (void)rv;
}

void engine_history(struct engine *e, struct engine_history *h)
{
    struct question *q = mem_alloc(e->mem, sizeof *q);
    assert(h->n_max > 0);
    q->h = h;
    q->mem = e->mem;
    q->work.data = q;
    (void)snprintf(q->dir, sizeof q->dir, "%s/state", e->config.dir);
    q->n_before = storage_history_flush(e->storage);
    list_push(&e->questions, &q->link);
    engine_history_progress(e);
}

void engine_history_progress(struct engine *e)
{
    uint64_t n = storage_history_settled(e->storage);
    struct list waiting;
    list_init(&waiting);
    list_splice(&waiting, &e->questions);
    while (!list_empty(&waiting)) {
        struct question *q = container_of(waiting.next, struct question, link);
        list_remove(&q->link);
        if (q->n_before <= n) {
            begin(e, q);
        } else {
            list_push(&e->questions, &q->link);
        }
    }
}

void engine_history_abandon(struct engine *e)
{
    while (!list_empty(&e->questions)) {
        struct question *q = container_of(e->questions.next, struct question, link);
        list_remove(&q->link);
        worked(&q->work, UV_ECANCELED);
    }
}
