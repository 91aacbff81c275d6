#include "agent/engine/engine_impl.h"

#include "agent/link/message.h"
#include "common/log/log.h"
#include "common/loop/sysmem.h"

#include <assert.h>
#include <string.h>

#define RETRY_MS 1000 /* After a full disk. */

static struct moment moment_now(void)
{
    struct moment now = {(int64_t)clock_wall_ms(), clock_boot_ms()};
    return now;
}

/* --- batches ------------------------------------------------------------------------------------
 */

static void batch_init(struct batch *b)
{
    memset(b, 0, sizeof *b);
    journal_batch_init(&b->journal, sysmem());
    arena_init(&b->arena, sysmem());
}

static void batch_clear(struct batch *b)
{
    journal_batch_clear(&b->journal);
    b->n_acts = 0;
    arena_clear(&b->arena);
}

static void batch_close(struct batch *b)
{
    journal_batch_close(&b->journal);
    mem_free(sysmem(), b->acts, b->cap_acts * sizeof *b->acts);
    arena_close(&b->arena);
}

struct act *engine_add_act(struct engine *e)
{
    struct batch *b = e->filling;
    struct act *a;
    if (b->n_acts == b->cap_acts) {
        size_t cap = b->cap_acts == 0 ? 16 : b->cap_acts * 2;
        b->acts =
            mem_resize(sysmem(), b->acts, b->cap_acts * sizeof *b->acts, cap * sizeof *b->acts);
        b->cap_acts = cap;
    }
    a = &b->acts[b->n_acts];
    b->n_acts++;
    memset(a, 0, sizeof *a);
    a->welcome = e->welcomes;
    return a;
}

static void run_acts(struct engine *e, struct batch *b)
{
    for (size_t i = 0; i < b->n_acts; i++) {
        engine_act(e, &b->acts[i]); /* May feed events, which fill the other batch. */
    }
    batch_clear(b);
}

/* The journal is at rest: if we are to stop, that was all. */
static void stop_if_asked(struct engine *e)
{
    if (e->stopping && !e->working && e->stopped != NULL) {
        loop_cb cb = e->stopped;
        e->stopped = NULL;
        cb(e->stopped_data);
    }
}

static void commit_work(uv_work_t *work) /* On a thread. */
{
    struct engine *e = work->data;
    e->status = journal_commit(e->options.journal, &e->committing->journal, &e->err);
}

static void commit_done(uv_work_t *work, int status)
{
    struct engine *e = work->data;
    struct batch *b = e->committing;
    assert(status == 0);
    e->working = false;
    if (e->status == ERR_FULL && !e->stopping) {
        log_error("journal.full", log_err(&e->err));
        loop_timer_start(e->retry, RETRY_MS); /* Nothing is done meanwhile. */
        return;
    }
    if (e->status != 0) {
        e->options.fatal(e->options.data, &e->err);
        return;
    }
    e->n_commits++;
    e->committing = NULL;
    if (!e->stopping) {
        run_acts(e, b);
        loop_soon_post(e->soon);
    } else {
        batch_clear(b);
    }
    stop_if_asked(e);
}

static void commit(struct engine *e)
{
    int rv;
    assert(e->committing != NULL && !e->working);
    e->work.data = e;
    rv = uv_queue_work(e->loop, &e->work, commit_work, commit_done);
    assert(rv == 0);
    e->working = true;
}

static void on_retry(void *data)
{
    commit(data);
}

static struct batch *other(struct engine *e, const struct batch *b)
{
    return b == &e->batches[0] ? &e->batches[1] : &e->batches[0];
}

/* One pass: what gathered goes to the journal, or, if there is nothing to remember, is done. */
static void on_soon(void *data)
{
    struct engine *e = data;
    struct batch *b = e->filling;
    if (e->stopping) {
        stop_if_asked(e);
        return;
    }
    if (e->committing != NULL || (b->journal.n == 0 && b->n_acts == 0)) {
        return; /* The commit under way comes first; its end looks here again. */
    }
    e->filling = other(e, b);
    if (b->journal.n == 0) {
        run_acts(e, b);
        loop_soon_post(e->soon);
        return;
    }
    e->committing = b;
    commit(e);
}

/* --- events -------------------------------------------------------------------------------------
 */

static void show(struct task *t)
{
    if (t->shown_phase == t->phase && t->phase != TASK_ACCEPTED) {
        return;
    }
    t->shown_phase = t->phase;
    log_info("task", log_id("task", t->id), log_str("phase", task_phase_name(t->phase)),
             log_str("reason", t->reason));
}

static void remember(struct engine *e, const struct action *a)
{
    struct journal_batch *j = &e->filling->journal;
    struct task *t;
    switch ((int)a->kind) {
    case ACTION_SAVE_TASK:
        t = reconcile_find(e->r, a->task);
        assert(t != NULL);
        show(t);
        journal_batch_put_task(j, t);
        break;
    case ACTION_SAVE_SPEC:
        journal_batch_put_spec(j, a->task, a->bytes);
        break;
    case ACTION_DROP_SPEC:
        journal_batch_drop_spec(j, a->task);
        break;
    case ACTION_DROP_TASK:
        journal_batch_drop_task(j, a->task);
        break;
    case ACTION_SAVE_SESSION:
        journal_batch_put_session(j, a->epoch, a->number);
        break;
    default:
        assert(false);
    }
}

static void set_tick(struct engine *e, const struct moment *now)
{
    uint64_t at = reconcile_deadline(e->r, now);
    if (at == UINT64_MAX) {
        loop_timer_stop(e->tick);
    } else {
        loop_timer_start(e->tick, at <= now->boot_ms ? 1 : at - now->boot_ms);
    }
}

int engine_feed(struct engine *e, struct event *event)
{
    int rv;
    event->now = moment_now();
    actions_clear(&e->actions);
    rv = reconcile_step(e->r, event, &e->actions);
    e->n_events++;
    for (size_t i = 0; i < e->actions.n; i++) {
        const struct action *a = &e->actions.v[i];
        if (a->kind < ACTION_JOURNAL_N) {
            remember(e, a);
        } else {
            engine_add_act(e)->action = *a;
        }
    }
    engine_add_reports(e);
    set_tick(e, &event->now);
    loop_soon_post(e->soon);
    return rv;
}

static void on_tick(void *data)
{
    struct event event = {.kind = EVENT_TICK};
    (void)engine_feed(data, &event);
}

static void on_exited(void *data, const struct exec_exit *exit)
{
    struct engine *e = data;
    struct event event = {.kind = EVENT_EXITED, .exit = exit};
    if (e->stopping) {
        return;
    }
    log_info("container.exit", log_id("task", exit->key.task), log_str("container", exit->key.name),
             log_i64("code", exit->exit_code), log_bool("unknown", exit->unknown),
             log_bool("oom", exit->oom_killed));
    (void)engine_feed(e, &event);
}

/* --- start --------------------------------------------------------------------------------------
 */

static int restore_one(void *data, const struct task *saved, struct str bytes, struct err *err)
{
    struct engine *e = data;
    const struct task_spec *spec = NULL;
    struct arena arena;
    struct task fixed = *saved;
    struct err why = {0};
    arena_init(&arena, sysmem());
    if (bytes.n > 0 && message_decode_spec(bytes, saved->id, &arena, &spec, &why) != 0) {
        log_error("journal.spec", log_id("task", saved->id), log_err(&why));
    }
    if (spec != NULL && spec->n_containers != saved->n_containers) {
        spec = NULL; /* Cannot be: both are written in one transaction. */
    }
    if (spec == NULL) {
        fixed.n_containers = 0;
        arena_close(&arena);
    }
    return reconcile_restore(e->r, &fixed, &arena, spec, err);
}

static int restore(struct engine *e, struct err *err)
{
    uint64_t epoch;
    uint64_t session;
    int rv = journal_session(e->options.journal, &epoch, &session, err);
    if (rv == 0) {
        reconcile_restore_session(e->r, epoch, session);
        rv = journal_load(e->options.journal, restore_one, e, err);
    }
    return rv;
}

static void on_inventory(struct exec_inventory *r)
{
    struct engine *e = r->data;
    struct event event = {
        .kind = EVENT_INVENTORY, .containers = r->containers, .n_containers = r->n_containers};
    struct err err = {0};
    if (e->stopping) {
        return;
    }
    if (r->status != 0) {
        (void)err_wrap(&r->err, r->status, "inventory of the container runtime");
        e->options.fatal(e->options.data, &r->err);
        return;
    }
    (void)engine_feed(e, &event);
    log_info("agent.inventory", log_u64("containers", r->n_containers),
             log_u64("tasks", reconcile_n_tasks(e->r)),
             log_u64("unknown", reconcile_n_orphans(e->r)));
    if (engine_connect(e, &err) != 0) {
        e->options.fatal(e->options.data, &err);
        return;
    }
    if (e->on_session != NULL) {
        e->on_session(e->on_session_data);
    }
}

static void on_health(void *data, struct id task, uint32_t container, enum health health)
{
    struct event event = {
        .kind = EVENT_HEALTH, .task = task, .container = container, .health = health};
    (void)engine_feed(data, &event);
}

/* --- life ---------------------------------------------------------------------------------------
 */

struct engine *engine_open(uv_loop_t *loop, const struct engine_options *options)
{
    struct engine *e = mem_alloc(sysmem(), sizeof *e);
    e->loop = loop;
    e->options = *options;
    e->r = reconcile_open(sysmem(), &options->reconcile);
    actions_init(&e->actions, sysmem());
    batch_init(&e->batches[0]);
    batch_init(&e->batches[1]);
    e->filling = &e->batches[0];
    list_init(&e->requests);
    arena_init(&e->census.arena, sysmem());
    e->soon = loop_soon_open(loop, on_soon, e);
    e->tick = loop_timer_open(loop, on_tick, e);
    e->retry = loop_timer_open(loop, on_retry, e);
    return e;
}

struct executor_events engine_executor_events(struct engine *e)
{
    struct executor_events events = {e, on_exited};
    return events;
}

int engine_start(struct engine *e, struct executor *executor, struct err *err)
{
    int rv = restore(e, err);
    if (rv != 0) {
        return rv;
    }
    e->executor = executor;
    e->prober = prober_open(e->loop, executor, on_health, e);
    e->inventory.data = e;
    e->inventory.cb = on_inventory;
    executor_inventory(executor, &e->inventory);
    return 0;
}

void engine_stop(struct engine *e, loop_cb cb, void *data)
{
    assert(!e->stopping);
    e->stopping = true;
    e->stopped = cb;
    e->stopped_data = data;
    logs_close(e->logs);
    e->logs = NULL;
    session_close(e->session);
    e->session = NULL;
    prober_close(e->prober);
    e->prober = NULL;
    loop_timer_stop(e->tick);
    loop_timer_stop(e->retry);
    loop_soon_post(e->soon);
}

void engine_close(struct engine *e)
{
    if (e == NULL) {
        return;
    }
    assert(list_empty(&e->requests) && !e->working);
    assert(!e->census.counting && !e->census.removing);
    arena_close(&e->census.arena);
    loop_soon_close(e->soon);
    loop_timer_close(e->tick);
    loop_timer_close(e->retry);
    batch_close(&e->batches[0]);
    batch_close(&e->batches[1]);
    actions_close(&e->actions);
    reconcile_close(e->r);
    mem_free(sysmem(), e, sizeof *e);
}

struct session *engine_session(struct engine *e)
{
    return e->session;
}

void engine_on_session(struct engine *e, loop_cb cb, void *data)
{
    assert(e->session == NULL);
    e->on_session = cb;
    e->on_session_data = data;
}

void engine_stats(const struct engine *e, struct engine_stats *ret)
{
    memset(ret, 0, sizeof *ret);
    ret->n_tasks = (uint32_t)reconcile_n_tasks(e->r);
    ret->n_orphans = (uint32_t)reconcile_n_orphans(e->r);
    ret->n_events = e->n_events;
    ret->n_commits = e->n_commits;
    for (size_t i = 0; i < reconcile_n_tasks(e->r); i++) {
        ret->n_running += reconcile_task_at(e->r, i)->phase == TASK_RUNNING;
    }
}
