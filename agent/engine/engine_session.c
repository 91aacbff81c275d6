/* Messages to events, and what goes back on the stream that is not an answer to one. */
#include "agent/engine/engine_impl.h"
#include "agent/link/message.h"
#include "common/log/log.h"
#include "common/loop/sysmem.h"

#include <string.h>

/* --- session ------------------------------------------------------------------------------------
 */

static void on_hello(void *data, struct arena *arena, struct hello *ret)
{
    struct engine *e = data;
    size_t n = reconcile_n_tasks(e->r);
    struct inventory_item *items = arena_array(arena, n, sizeof *items);
    *ret = *e->options.hello;
    ret->protocol = MESSAGE_PROTOCOL;
    ret->tasks = items;
    ret->n_tasks = 0;
    for (size_t i = 0; i < n; i++) {
        const struct task *t = reconcile_task_at(e->r, i);
        if (t->phase < TASK_FORGOTTEN) {
            items[ret->n_tasks].task = t->id;
            items[ret->n_tasks].status = task_status(t);
            ret->n_tasks++;
        }
    }
}

static int on_welcome(void *data, const struct welcome *w, uint64_t until_ms)
{
    struct engine *e = data;
    struct event event = {
        .kind = EVENT_WELCOME, .epoch = w->epoch, .session = w->session, .until_ms = until_ms};
    e->welcomes++;
    return engine_feed(e, &event);
}

static void on_heartbeat(void *data, struct heartbeat *ret)
{
    struct engine *e = data;
    struct engine_stats stats;
    struct err err = {0};
    engine_stats(e, &stats);
    ret->tasks_running = stats.n_running;
    engine_census(e, ret);
    if (machine_usage("", &e->usage, &err) != 0) {
        log_debug("agent.usage", log_err(&err)); /* Numbers for people; do without. */
        return;
    }
    ret->cpu_used = e->usage.cpu_used;
    ret->memory_used = e->usage.memory_used_mib;
}

static void on_lease(void *data, uint64_t until_ms)
{
    struct event event = {.kind = EVENT_LEASE, .until_ms = until_ms};
    (void)engine_feed(data, &event);
}

static void on_down(void *data)
{
    struct engine *e = data;
    struct event event = {.kind = EVENT_DISCONNECTED};
    logs_cancel_all(e->logs);
    (void)engine_feed(e, &event);
}

static void on_reports_ack(void *data, uint64_t number)
{
    struct event event = {.kind = EVENT_REPORTED, .number = number};
    (void)engine_feed(data, &event);
}

/* Decode what is new here; a task that is known keeps the specification it has. */
static void want(struct engine *e, const struct assignment *a, struct arena *scratch,
                 struct wanted *ret)
{
    struct err err = {0};
    ret->task = a->task;
    ret->stop = a->stop;
    ret->stop_reason = a->stop_reason;
    if (a->stop || a->spec.n == 0 || reconcile_find(e->r, a->task) != NULL) {
        return;
    }
    ret->arena = arena_alloc(scratch, sizeof *ret->arena);
    ret->bytes = a->spec;
    arena_init(ret->arena, sysmem());
    if (message_decode_spec(a->spec, a->task, ret->arena, &ret->spec, &err) != 0) {
        log_warn("task.spec", log_id("task", a->task), log_err(&err));
        ret->spec = NULL;
        ret->why = arena_strdup(scratch, err.text);
    }
}

static void on_assignments(void *data, const struct assignments *m)
{
    struct engine *e = data;
    struct arena scratch;
    struct assign assign = {.number = m->number,
                            .full = m->full,
                            .full_end = m->full_end,
                            .n_tasks = m->n_tasks,
                            .forget = m->forget,
                            .n_forget = m->n_forget};
    struct event event = {.kind = EVENT_ASSIGN, .assign = &assign};
    arena_init(&scratch, sysmem());
    assign.tasks = arena_array(&scratch, m->n_tasks, sizeof *assign.tasks);
    for (uint32_t i = 0; i < m->n_tasks; i++) {
        want(e, &m->tasks[i], &scratch, &assign.tasks[i]);
    }
    log_debug("session.assignments", log_u64("number", m->number), log_u64("tasks", m->n_tasks),
              log_u64("forget", m->n_forget), log_bool("full", m->full));
    if (engine_feed(e, &event) != 0) {
        log_error("agent.full", log_u64("tasks", reconcile_n_tasks(e->r)));
    }
    for (uint32_t i = 0; i < m->n_tasks; i++) {
        struct arena *left = assign.tasks[i].arena;
        if (left != NULL && left->mem != NULL) { /* Not taken over. */
            arena_close(left);
        }
    }
    arena_close(&scratch);
}

void engine_add_reports(struct engine *e)
{
    struct report_item *items[LIMIT_REPORT_TASKS];
    struct report_queue *q = reconcile_reports(e->r);
    struct arena *arena = &e->filling->arena;
    struct task_report *tasks;
    struct reports *reports;
    size_t n;
    if (e->session == NULL || !session_is_up(e->session) || !report_ready(q)) {
        return;
    }
    n = report_take(q, LIMIT_REPORT_TASKS, items);
    tasks = arena_array(arena, n, sizeof *tasks);
    for (size_t i = 0; i < n; i++) {
        task_report(container_of(items[i], struct task, report), arena, &tasks[i]);
    }
    reports = arena_alloc(arena, sizeof *reports);
    reports->number = q->number;
    reports->tasks = tasks;
    reports->n_tasks = (uint32_t)n;
    engine_add_act(e)->reports = reports;
}

/* --- logs ---------------------------------------------------------------------------------------
 */

static int logs_path(void *data, struct id task, const char *container, char *ret, size_t size,
                     struct err *err)
{
    struct engine *e = data;
    struct exec_key key = {task, container};
    return executor_log_path(e->executor, key, ret, size, err);
}

static bool logs_alive(void *data, struct id task, const char *container)
{
    struct engine *e = data;
    const struct task *t = reconcile_find(e->r, task);
    uint32_t i;
    if (t == NULL || t->spec == NULL) {
        return false;
    }
    i = spec_find(t->spec, container);
    return i < t->n_containers && t->containers[i].phase < CONTAINER_STOPPED;
}

static bool logs_writable(void *data)
{
    struct engine *e = data;
    return session_writable(e->session);
}

static void logs_send(void *data, const struct log_chunk *chunk)
{
    struct engine *e = data;
    struct agent_message m = {.log_chunk = chunk};
    (void)session_send(e->session, &m); /* When the stream is lost, so is who asked. */
}

static const struct logs_events logs_events = {logs_path, logs_alive, logs_writable, logs_send};

static void on_log_request(void *data, const struct log_request *r)
{
    struct engine *e = data;
    logs_start(e->logs, r);
}

static void on_log_cancel(void *data, uint64_t request)
{
    struct engine *e = data;
    logs_cancel(e->logs, request);
}

static void on_log_pause(void *data, uint64_t request, bool pause)
{
    struct engine *e = data;
    logs_pause(e->logs, request, pause);
}

static void on_writable(void *data)
{
    struct engine *e = data;
    logs_wake(e->logs);
}

static const struct session_events session_events = {
    .hello = on_hello,
    .welcome = on_welcome,
    .heartbeat = on_heartbeat,
    .lease = on_lease,
    .assignments = on_assignments,
    .reports_ack = on_reports_ack,
    .log_request = on_log_request,
    .log_cancel = on_log_cancel,
    .log_pause = on_log_pause,
    .writable = on_writable,
    .down = on_down,
};

int engine_connect(struct engine *e, struct err *err)
{
    e->logs = logs_open(e->loop, &logs_events, e);
    return session_open(e->loop, &e->options.session, &session_events, e, &e->session, err);
}
