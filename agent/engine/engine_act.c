/* Requests to the executor. Each pins its task in the core (task.n_busy) from the step that asked
 * for it to the event that answers it, so what a request points to stays. */
#include "agent/engine/engine_impl.h"

#include "common/log/log.h"
#include "common/loop/sysmem.h"

#include <assert.h>
#include <string.h>

struct request {
    struct list link;
    struct engine *e;
    struct id task;
    uint32_t container;
    union {
        struct exec_pull pull;
        struct exec_start start;
        struct exec_stop stop;
        struct exec_remove remove;
    } u;
};

static struct request *request_new(struct engine *e, const struct action *a)
{
    struct request *q = mem_alloc(sysmem(), sizeof *q);
    q->e = e;
    q->task = a->task;
    q->container = a->container;
    list_push(&e->requests, &q->link);
    return q;
}

/* The answer becomes an event, except when nobody is there to hear it: the journal has the intent,
 * and the next start of the agent looks at what came of it. */
static void answer(struct request *q, enum event_kind kind, int status, const struct err *err,
                   const struct exec_image *image)
{
    struct engine *e = q->e;
    struct event event = {.kind = kind,
                          .task = q->task,
                          .container = q->container,
                          .status = status,
                          .err = err,
                          .image = image};
    if (!e->stopping) {
        (void)engine_feed(e, &event);
    }
    list_remove(&q->link);
    mem_free(sysmem(), q, sizeof *q);
}

static void log_failure(const struct request *q, const char *what, int status,
                        const struct err *err)
{
    if (status != 0 && status != ERR_CANCELED) {
        log_warn(what, log_id("task", q->task), log_u64("container", q->container), log_err(err));
    }
}

static void on_pull(struct exec_pull *r)
{
    struct request *q = r->data;
    log_failure(q, "container.pull", r->status, &r->err);
    answer(q, EVENT_PULLED, r->status, &r->err, &r->image);
}

static void on_start(struct exec_start *r)
{
    struct request *q = r->data;
    log_failure(q, "container.start", r->status, &r->err);
    answer(q, EVENT_STARTED, r->status, &r->err, NULL);
}

static void on_stop(struct exec_stop *r)
{
    struct request *q = r->data;
    if (r->status != ERR_NOTFOUND) {
        log_failure(q, "container.stop", r->status, &r->err);
    }
    answer(q, EVENT_STOPPED, r->status, &r->err, NULL);
}

static void on_remove(struct exec_remove *r)
{
    struct request *q = r->data;
    log_failure(q, "task.remove", r->status, &r->err);
    answer(q, EVENT_REMOVED, r->status, &r->err, NULL);
}

static void pull(struct engine *e, const struct action *a, const struct task *t)
{
    struct request *q = request_new(e, a);
    q->u.pull.data = q;
    q->u.pull.reference = t->spec->containers[a->container].image;
    q->u.pull.policy = e->options.pull_policy;
    q->u.pull.cb = on_pull;
    executor_pull(e->executor, &q->u.pull);
}

/* The journal may have taken so long that the lease ended meanwhile. */
static void start_refused(struct engine *e, const struct action *a)
{
    struct err err;
    struct event event = {
        .kind = EVENT_STARTED, .task = a->task, .container = a->container, .err = &err};
    event.status = err_set(&err, ERR_UNAVAILABLE,
                           "the node lost touch with the controllers before it could start");
    (void)engine_feed(e, &event);
}

static void start(struct engine *e, const struct action *a, const struct task *t)
{
    struct request *q;
    if (!reconcile_may_start_task(e->r, t, clock_boot_ms())) {
        start_refused(e, a);
        return;
    }
    q = request_new(e, a);
    q->u.start.data = q;
    q->u.start.task = t->spec;
    q->u.start.container = a->container;
    q->u.start.image = t->containers[a->container].image;
    q->u.start.cb = on_start;
    executor_start(e->executor, &q->u.start);
}

static void stop(struct engine *e, const struct action *a, const struct task *t)
{
    struct request *q = request_new(e, a);
    q->u.stop.data = q;
    q->u.stop.key.task = a->task;
    q->u.stop.key.name = t->spec->containers[a->container].name;
    q->u.stop.timeout_s = a->timeout_s;
    q->u.stop.cb = on_stop;
    executor_stop(e->executor, &q->u.stop);
}

static void remove_task(struct engine *e, const struct action *a)
{
    struct request *q = request_new(e, a);
    q->u.remove.data = q;
    q->u.remove.key.task = a->task;
    q->u.remove.cb = on_remove;
    executor_remove(e->executor, &q->u.remove);
}

static void watch(struct engine *e, const struct action *a, const struct task *t)
{
    const struct container_spec *c;
    if (t == NULL || a->container >= t->n_containers) {
        return; /* Gone since. */
    }
    c = &t->spec->containers[a->container];
    prober_watch(e->prober, a->task, a->container, c->name, &c->health);
}

static void say(struct engine *e, const struct act *act)
{
    struct numbered ack = {act->action.number};
    struct agent_message m = {0};
    if (act->reports != NULL) {
        m.reports = act->reports;
    } else {
        m.assignments_ack = &ack;
    }
    if (act->welcome == e->welcomes) {
        (void)session_send(e->session, &m); /* A lost stream tells both again. */
    }
}

void engine_act(struct engine *e, const struct act *act)
{
    const struct action *a = &act->action;
    const struct task *t = reconcile_find(e->r, a->task);
    if (act->reports != NULL) {
        say(e, act);
        return;
    }
    switch ((int)a->kind) {
    case ACTION_PULL:
        pull(e, a, t);
        break;
    case ACTION_START:
        start(e, a, t);
        break;
    case ACTION_STOP:
        stop(e, a, t);
        break;
    case ACTION_REMOVE:
        remove_task(e, a);
        break;
    case ACTION_WATCH:
        watch(e, a, t);
        break;
    case ACTION_UNWATCH:
        prober_unwatch(e->prober, a->task, a->container);
        break;
    case ACTION_ACK:
        say(e, act);
        break;
    default:
        assert(false);
    }
}
