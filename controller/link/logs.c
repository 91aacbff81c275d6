/* Container logs: a request goes down the node's session, chunks come back with its number. */
#include "controller/core/store.h"
#include "controller/link/link_int.h"

#include <string.h>

static struct link_log *find_log(struct session *s, uint64_t number)
{
    struct list *it;
    list_each (it, &s->logs) {
        struct link_log *log = container_of(it, struct link_log, link);
        if (log->number == number) {
            return log;
        }
    }
    return NULL;
}

static void release(struct link_log *log)
{
    list_remove(&log->link);
    log->session->n_logs--;
    mem_free(log->session->l->options.mem, log, sizeof *log);
}

static void end_log(struct link_log *log, int status, const char *why)
{
    struct link_log_events events = log->events;
    void *ctx = log->ctx;
    struct err err = {0};
    release(log);
    if (status != 0) {
        err_set(&err, status, "%s", why);
    }
    events.end(ctx, status, &err);
}

void logs_chunk(struct session *s, const Ecs__Agent__V1__LogChunk *chunk)
{
    struct link_log *log = find_log(s, chunk->request);
    if (log == NULL) {
        return; /* Cancelled: what was on its way arrives all the same. */
    }
    if (chunk->data.len > 0) {
        log->events.data(log->ctx, str_make((const char *)chunk->data.data, chunk->data.len));
        log = find_log(s, chunk->request);
    }
    if (log != NULL && chunk->end) {
        bool failed = chunk->error != NULL && chunk->error[0] != '\0';
        end_log(log, failed ? ERR_UNAVAILABLE : 0, failed ? chunk->error : "");
    }
}

void logs_end_all(struct session *s, int status, const char *why)
{
    while (!list_empty(&s->logs)) {
        end_log(container_of(s->logs.next, struct link_log, link), status, why);
    }
}

static void send_request(struct session *s, const struct link_log *log,
                         const struct link_log_request *request)
{
    Ecs__Agent__V1__LogRequest r = ECS__AGENT__V1__LOG_REQUEST__INIT;
    Ecs__Agent__V1__ControllerMessage m = ECS__AGENT__V1__CONTROLLER_MESSAGE__INIT;
    uint8_t id[16];
    arena_clear(&s->l->arena);
    nodemsg_id_write(request->task, id);
    r.has_request = true;
    r.request = log->number;
    r.has_task_id = true;
    r.task_id.data = id;
    r.task_id.len = sizeof id;
    r.container = arena_dup(&s->l->arena, request->container.p, request->container.n);
    r.has_follow = true;
    r.follow = request->follow;
    r.has_since = true;
    r.since = request->since_ms;
    r.has_tail = true;
    r.tail = request->tail;
    m.kind_case = ECS__AGENT__V1__CONTROLLER_MESSAGE__KIND_LOG_REQUEST;
    m.log_request = &r;
    session_send(s, &m);
}

int link_log_open(struct link *l, const struct link_log_request *request,
                  const struct link_log_events *events, void *ctx, struct link_log **ret,
                  struct err *err)
{
    uint32_t node = store_find_node(engine_store(l->options.engine), request->node);
    struct dispatch_session *d =
        l->dispatch == NULL || node == SLOT_NONE ? NULL : dispatch_find(l->dispatch, node);
    struct session *s = d == NULL ? NULL : dispatch_data(d);
    struct link_log *log;
    if (s == NULL || s->state != SESSION_LIVE) {
        return err_set(err, ERR_NOTFOUND, "the node of the task is not connected");
    }
    if (s->n_logs >= LINK_LOGS_MAX) {
        return err_set(err, ERR_FULL, "%d log requests to this node are open already",
                       LINK_LOGS_MAX);
    }
    log = mem_alloc(l->options.mem, sizeof *log);
    log->session = s;
    log->number = ++l->next_log;
    log->events = *events;
    log->ctx = ctx;
    list_push(&s->logs, &log->link);
    s->n_logs++;
    send_request(s, log, request);
    *ret = log;
    return 0;
}

void link_log_pause(struct link_log *log)
{
    Ecs__Agent__V1__LogPause pause = ECS__AGENT__V1__LOG_PAUSE__INIT;
    Ecs__Agent__V1__ControllerMessage m = ECS__AGENT__V1__CONTROLLER_MESSAGE__INIT;
    pause.has_request = true;
    pause.request = log->number;
    m.kind_case = ECS__AGENT__V1__CONTROLLER_MESSAGE__KIND_LOG_PAUSE;
    m.log_pause = &pause;
    session_send(log->session, &m);
}

void link_log_resume(struct link_log *log)
{
    Ecs__Agent__V1__LogResume resume = ECS__AGENT__V1__LOG_RESUME__INIT;
    Ecs__Agent__V1__ControllerMessage m = ECS__AGENT__V1__CONTROLLER_MESSAGE__INIT;
    resume.has_request = true;
    resume.request = log->number;
    m.kind_case = ECS__AGENT__V1__CONTROLLER_MESSAGE__KIND_LOG_RESUME;
    m.log_resume = &resume;
    session_send(log->session, &m);
}

void link_log_cancel(struct link_log *log)
{
    Ecs__Agent__V1__LogCancel cancel = ECS__AGENT__V1__LOG_CANCEL__INIT;
    Ecs__Agent__V1__ControllerMessage m = ECS__AGENT__V1__CONTROLLER_MESSAGE__INIT;
    struct session *s = log->session;
    cancel.has_request = true;
    cancel.request = log->number;
    m.kind_case = ECS__AGENT__V1__CONTROLLER_MESSAGE__KIND_LOG_CANCEL;
    m.log_cancel = &cancel;
    release(log);
    session_send(s, &m);
}
