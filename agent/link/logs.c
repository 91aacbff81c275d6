/* One request is read at a time: a piece of it is read on a thread, sent from the loop, and the
 * next request has its turn. So the memory is one buffer, however many follow along. */
#include "agent/link/logs.h"

#include "agent/link/logtail.h"
#include "common/base/list.h"
#include "common/loop/loop.h"
#include "common/loop/sysmem.h"

#include <assert.h>
#include <string.h>

#define POLL_MS 250 /* How often the end of a followed file is looked at. */

struct stream {
    struct list link;
    uint64_t request;
    struct id task;
    char container[SPEC_NAME_MAX + 1];
    bool follow;
    bool paused;
    bool was_dead; /* The container had ended before the last read: what follows is nothing. */
    struct logtail tail;
};

struct logs {
    uv_loop_t *loop;
    const struct logs_events *events; /* NULL once closed. */
    void *data;
    struct list ready; /* There may be something to read. */
    struct list idle;  /* Followed to the end; looked at again by the timer. */
    struct list held;  /* Paused: the reader is slow. */
    size_t n;
    struct loop_timer *timer;
    uv_work_t work;
    struct stream *reading; /* By the worker; in no list. */
    bool canceled;          /* It is to end when the worker comes back. */
    char *chunk;            /* LOGS_CHUNK_MAX, while there are requests. */
    size_t n_chunk;
    int status;
    struct err err;
};

static void pump(struct logs *l);

static void on_timer(void *data)
{
    struct logs *l = data;
    list_splice(&l->ready, &l->idle);
    pump(l);
}

struct logs *logs_open(uv_loop_t *loop, const struct logs_events *events, void *data)
{
    struct logs *l = mem_alloc(sysmem(), sizeof *l);
    l->loop = loop;
    l->events = events;
    l->data = data;
    list_init(&l->ready);
    list_init(&l->idle);
    list_init(&l->held);
    l->timer = loop_timer_open(loop, on_timer, l);
    return l;
}

size_t logs_n(const struct logs *l)
{
    return l->n;
}

static void stream_free(struct logs *l, struct stream *s)
{
    list_remove(&s->link);
    logtail_close(&s->tail);
    mem_free(sysmem(), s, sizeof *s);
    assert(l->n > 0);
    l->n--;
    if (l->n == 0) {
        mem_free(sysmem(), l->chunk, LOGS_CHUNK_MAX);
        l->chunk = NULL;
    }
}

static void send_end(struct logs *l, uint64_t request, const char *error)
{
    struct log_chunk chunk = {.request = request, .end = true, .error = error};
    l->events->send(l->data, &chunk);
}

/* --- one piece ----------------------------------------------------------------------------------
 */

static void read_piece(uv_work_t *work) /* On a thread. */
{
    struct logs *l = work->data;
    l->status = logtail_read(&l->reading->tail, l->chunk, LOGS_CHUNK_MAX, &l->n_chunk, &l->err);
}

/* What was read goes out; then the stream waits for its turn, for more, or has ended. */
static void deliver(struct logs *l, struct stream *s)
{
    struct log_chunk chunk = {.request = s->request, .data = {l->chunk, l->n_chunk}, .error = ""};
    if (l->status != 0) {
        send_end(l, s->request, l->err.text);
        stream_free(l, s);
    } else if (l->n_chunk > 0) {
        list_push(s->paused ? &l->held : &l->ready,
                  &s->link); /* First: losing the stream now cancels it. */
        l->events->send(l->data, &chunk);
    } else if (s->follow && !s->was_dead) {
        list_push(&l->idle, &s->link);
        if (!loop_timer_active(l->timer)) {
            loop_timer_start(l->timer, POLL_MS);
        }
    } else {
        send_end(l, s->request, "");
        stream_free(l, s);
    }
}

static void on_piece(uv_work_t *work, int status)
{
    struct logs *l = work->data;
    struct stream *s = l->reading;
    assert(status == 0);
    l->reading = NULL;
    if (l->events == NULL) {
        stream_free(l, s);
        mem_free(sysmem(), l, sizeof *l);
        return;
    }
    if (l->canceled) {
        l->canceled = false;
        stream_free(l, s);
    } else {
        deliver(l, s);
    }
    pump(l);
}

static void pump(struct logs *l)
{
    struct stream *s;
    if (l->reading != NULL || list_empty(&l->ready) || !l->events->writable(l->data)) {
        return;
    }
    s = container_of(l->ready.next, struct stream, link);
    list_remove(&s->link);
    s->was_dead = !l->events->alive(l->data, s->task, s->container);
    l->reading = s;
    l->work.data = l;
    if (uv_queue_work(l->loop, &l->work, read_piece, on_piece) != 0) {
        l->reading = NULL;
        send_end(l, s->request, "out of threads");
        stream_free(l, s);
    }
}

/* --- calls --------------------------------------------------------------------------------------
 */

static struct stream *find(struct list *head, uint64_t request)
{
    struct list *it;
    list_each (it, head) {
        struct stream *s = container_of(it, struct stream, link);
        if (s->request == request) {
            return s;
        }
    }
    return NULL;
}

static struct stream *find_waiting(struct logs *l, uint64_t request)
{
    struct stream *s = find(&l->ready, request);
    s = s != NULL ? s : find(&l->idle, request);
    return s != NULL ? s : find(&l->held, request);
}

static bool known(struct logs *l, uint64_t request)
{
    return find_waiting(l, request) != NULL ||
           (l->reading != NULL && l->reading->request == request);
}

void logs_start(struct logs *l, const struct log_request *r)
{
    struct stream *s;
    struct err err = {0};
    int rv;
    if (l->n == LOGS_MAX) {
        send_end(l, r->request, "too many log requests at this node");
        return;
    }
    if (known(l, r->request)) {
        send_end(l, r->request, "the number of the request is in use");
        return;
    }
    s = mem_alloc(sysmem(), sizeof *s);
    list_init(&s->link);
    l->n++;
    if (l->chunk == NULL) {
        l->chunk = mem_alloc(sysmem(), LOGS_CHUNK_MAX);
    }
    s->request = r->request;
    s->task = r->task;
    s->follow = r->follow;
    logtail_init(&s->tail, r->since, r->tail);
    rv = str_copy(s->container, sizeof s->container, str_of(r->container))
             ? l->events->path(l->data, s->task, s->container, s->tail.path, sizeof s->tail.path,
                               &err)
             : err_set(&err, ERR_INVALID, "the container's name is too long");
    if (rv != 0) {
        send_end(l, r->request, err.text);
        stream_free(l, s);
        return;
    }
    list_push(&l->ready, &s->link);
    pump(l);
}

void logs_cancel(struct logs *l, uint64_t request)
{
    struct stream *s = find_waiting(l, request);
    if (s != NULL) {
        stream_free(l, s);
    } else if (l->reading != NULL && l->reading->request == request) {
        l->canceled = true;
    }
}

void logs_pause(struct logs *l, uint64_t request, bool pause)
{
    struct stream *s = find_waiting(l, request);
    if (s != NULL) {
        s->paused = pause;
        list_remove(&s->link);
        list_push(pause ? &l->held : &l->ready, &s->link);
        pump(l);
    } else if (l->reading != NULL && l->reading->request == request) {
        l->reading->paused = pause;
    }
}

void logs_cancel_all(struct logs *l)
{
    l->canceled = l->reading != NULL;
    list_splice(&l->ready, &l->idle);
    list_splice(&l->ready, &l->held);
    while (!list_empty(&l->ready)) {
        stream_free(l, container_of(l->ready.next, struct stream, link));
    }
    loop_timer_stop(l->timer);
}

void logs_wake(struct logs *l)
{
    pump(l);
}

void logs_close(struct logs *l)
{
    if (l == NULL) {
        return;
    }
    logs_cancel_all(l);
    loop_timer_close(l->timer);
    l->timer = NULL;
    l->events = NULL;
    if (l->reading == NULL) {
        mem_free(sysmem(), l, sizeof *l);
    }
}
