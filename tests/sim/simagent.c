/* The shell of a simulated agent: what agent/engine does. Changes of a step are durable before any
 * of its acts; a commit takes time, and the process may die before it, after it, or between two
 * acts. */
#include "tests/sim/simagent.h"

#include "agent/link/message.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define SOON_US 1

struct moment simagent_now(const struct simagent *a)
{
    uint64_t ms = simworld_now_us(a->f->world) / 1000;
    struct moment now = {SIMWORLD_EPOCH_MS + (int64_t)ms + a->wall_offset_ms, ms + 1000};
    return now;
}

/* --- pauses --------------------------------------------------------------------------------------
 */

void simagent_pause(struct simagent *a, uint64_t ms)
{
    if (ms > 0 && a->up) {
        a->f->stats.agent_pauses++;
        fleet_trace(a->f, "agent %u: pause of %llu ms", a->at + 1, (unsigned long long)ms);
    }
    a->paused_until_us = a->up ? simworld_now_us(a->f->world) + ms * 1000 : 0;
}

bool simagent_is_paused(const struct simagent *a)
{
    return a->up && a->paused_until_us > simworld_now_us(a->f->world);
}

bool simagent_holds(struct simagent *a, simworld_call call, void *arg, uint64_t x, uint64_t y)
{
    uint64_t now = simworld_now_us(a->f->world);
    if (!simagent_is_paused(a)) {
        return false;
    }
    simworld_later(a->f->world, a->paused_until_us - now, call, arg, x, y);
    return true;
}

/* --- batches -------------------------------------------------------------------------------------
 */

static void batch_clear(struct simagent *a, struct simbatch *b)
{
    for (size_t i = 0; i < b->n_acts; i++) {
        mem_free(a->f->mem, b->acts[i].bytes, b->acts[i].n_bytes);
    }
    simjournal_forget(a, b);
    b->n_acts = 0;
}

static struct simact *add_act(struct simagent *a)
{
    struct simbatch *b = a->filling;
    struct simact *act;
    if (b->n_acts == b->cap_acts) {
        size_t cap = b->cap_acts == 0 ? 8 : b->cap_acts * 2;
        b->acts =
            mem_resize(a->f->mem, b->acts, b->cap_acts * sizeof *b->acts, cap * sizeof *b->acts);
        b->cap_acts = cap;
    }
    act = &b->acts[b->n_acts++];
    memset(act, 0, sizeof *act);
    act->welcome = a->welcomes;
    return act;
}

static void say(struct simagent *a, const struct simact *act)
{
    struct numbered ack = {act->action.number};
    struct agent_message m = {.assignments_ack = &ack};
    if (act->welcome != a->welcomes || !a->session_up) {
        return;
    }
    if (act->bytes != NULL) {
        simagent_send_bytes(a, act->bytes, act->n_bytes);
    } else {
        simagent_send(a, &m);
    }
}

static void run_acts(struct simagent *a, struct simbatch *b)
{
    uint64_t life = a->life;
    for (size_t i = 0; i < b->n_acts; i++) {
        if (fleet_chance(a->f, a->f->opt.journal_crash / 4)) {
            a->f->stats.journal_crashes++;
            simagent_crash(a, false);
        }
        if (!a->up || a->life != life) {
            return; /* The rest is in the journal only. */
        }
        if (b->acts[i].bytes != NULL || b->acts[i].action.kind == ACTION_ACK) {
            say(a, &b->acts[i]);
        } else {
            simruntime_act(a, &b->acts[i].action);
        }
    }
    batch_clear(a, b);
}

static void post(struct simagent *a);

static void committed(void *arg, uint64_t life, uint64_t b)
{
    struct simagent *a = arg;
    struct fleet *f = a->f;
    struct simbatch *done = a->committing;
    if (!a->up || a->life != life || simagent_holds(a, committed, a, life, b)) {
        return;
    }
    if (fleet_chance(f, f->opt.journal_full)) {
        f->stats.journal_full++;
        simworld_later(f->world, 1000000, committed, a, life, 0);
        return;
    }
    if (fleet_chance(f, f->opt.journal_crash)) {
        f->stats.journal_crashes++;
        if (fleet_between(f, 0, 1) == 0) {
            simjournal_commit(a, done);
        }
        simagent_crash(a, false);
        return;
    }
    simjournal_commit(a, done);
    a->committing = NULL;
    run_acts(a, done);
    if (a->up && a->life == life) {
        post(a);
    }
}

static void soon(void *arg, uint64_t life, uint64_t x)
{
    struct simagent *a = arg;
    struct simbatch *b = a->filling;
    if (!a->up || a->life != life || simagent_holds(a, soon, a, life, x)) {
        return;
    }
    a->soon = false;
    if (a->committing != NULL || (b->n_ops == 0 && b->n_acts == 0)) {
        return;
    }
    a->filling = b == &a->batches[0] ? &a->batches[1] : &a->batches[0];
    if (b->n_ops == 0) {
        run_acts(a, b);
        if (a->up && a->life == life) {
            post(a);
        }
        return;
    }
    a->committing = b;
    simworld_later(a->f->world, fleet_between(a->f, 500, 20000), committed, a, life, 0);
}

static void post(struct simagent *a)
{
    if (!a->soon) {
        a->soon = true;
        simworld_later(a->f->world, SOON_US, soon, a, a->life, 0);
    }
}

/* --- events --------------------------------------------------------------------------------------
 */

static void tick(void *arg, uint64_t life, uint64_t number)
{
    struct simagent *a = arg;
    struct event event = {.kind = EVENT_TICK};
    if (a->up && a->life == life && a->tick == number &&
        !simagent_holds(a, tick, a, life, number)) {
        (void)simagent_feed(a, &event);
    }
}

static void set_tick(struct simagent *a, const struct moment *now)
{
    uint64_t at = reconcile_deadline(a->r, now);
    a->tick++;
    if (at != UINT64_MAX) {
        uint64_t ms = at <= now->boot_ms ? 1 : at - now->boot_ms;
        simworld_later(a->f->world, ms * 1000, tick, a, a->life, a->tick);
    }
}

int simagent_feed(struct simagent *a, struct event *event)
{
    int rv;
    assert(a->up && a->depth == 0);
    a->depth++;
    event->now = simagent_now(a);
    actions_clear(&a->actions);
    rv = reconcile_step(a->r, event, &a->actions);
    for (size_t i = 0; i < a->actions.n; i++) {
        const struct action *action = &a->actions.v[i];
        if (action->kind < ACTION_JOURNAL_N) {
            simjournal_remember(a, a->filling, action);
        } else {
            add_act(a)->action = *action;
        }
    }
    simagent_add_reports(a);
    set_tick(a, &event->now);
    post(a);
    a->depth--;
    return rv;
}

void simagent_add_reports(struct simagent *a)
{
    struct report_item *items[LIMIT_REPORT_TASKS];
    struct report_queue *q = reconcile_reports(a->r);
    struct reports reports = {.number = 0};
    struct agent_message m = {.reports = &reports};
    struct task_report *tasks;
    struct simact *act;
    struct arena arena;
    struct buf out;
    size_t n;
    if (!a->session_up || !report_ready(q)) {
        return;
    }
    n = report_take(q, LIMIT_REPORT_TASKS, items);
    arena_init(&arena, a->f->mem);
    buf_init(&out, a->f->mem, WIRE_MESSAGE_MAX);
    tasks = arena_array(&arena, n, sizeof *tasks);
    for (size_t i = 0; i < n; i++) {
        task_report(container_of(items[i], struct task, report), &arena, &tasks[i]);
    }
    reports = (struct reports){q->number, tasks, (uint32_t)n};
    if (message_encode_agent(&m, &out, NULL) != 0) {
        fleet_fail(a->f, "agent %u: its reports cannot be encoded", a->at + 1);
    }
    act = add_act(a);
    act->bytes = mem_alloc(a->f->mem, out.len);
    act->n_bytes = out.len;
    memcpy(act->bytes, out.data, out.len);
    buf_close(&out);
    arena_close(&arena);
}

/* --- life ----------------------------------------------------------------------------------------
 */

void simagent_boot(struct simagent *a)
{
    static const struct reconcile_options options = {.keep_ms = 20000};
    struct event event = {.kind = EVENT_INVENTORY};
    struct exec_container *containers;
    size_t n;
    assert(!a->up);
    if (a->refused) { /* The machine joins again; the journal of the old node is of no use. */
        a->refused = false;
        a->n_ids++;
        a->id = (struct id){0xa0 + a->at, a->n_ids};
        simjournal_clear(a);
    }
    a->up = true;
    a->paused_until_us = 0;
    a->life++;
    a->soon = false;
    a->r = reconcile_open(a->f->mem, &options);
    actions_init(&a->actions, a->f->mem);
    a->filling = &a->batches[0];
    a->committing = NULL;
    a->welcomes = 0;
    simjournal_restore(a);
    n = simruntime_inventory(a, &containers);
    event.containers = containers;
    event.n_containers = n;
    (void)simagent_feed(a, &event);
    mem_free(a->f->mem, containers, (n + 1) * sizeof *containers);
    a->leader = -1;
    a->backoff_ms = 200;
    simagent_dial(a, 0);
}

void simagent_crash(struct simagent *a, bool host)
{
    struct fleet *f = a->f;
    if (host) {
        f->stats.reboots++;
        simruntime_reboot(a);
    }
    if (!a->up) {
        return;
    }
    fleet_trace(f, "agent %u: %s", a->at + 1, host ? "reboot" : "crash");
    f->stats.agent_crashes += !host;
    a->up = false;
    a->life++;
    a->session_up = false;
    if (a->stream != NULL) {
        simstream_close(a->stream, SIDE_AGENT);
        a->stream = NULL;
    }
    batch_clear(a, &a->batches[0]);
    batch_clear(a, &a->batches[1]);
    actions_close(&a->actions);
    reconcile_close(a->r);
    a->r = NULL;
    fleet_restart_agent(f, a->at);
}

bool simagent_is_up(const struct simagent *a)
{
    return a->up;
}

void simagent_step_clock(struct simagent *a, int64_t ms)
{
    a->wall_offset_ms += ms;
}

uint64_t simagent_session(const struct simagent *a)
{
    return a->journal.session;
}

struct id simagent_id(const struct simagent *a)
{
    return a->id;
}

void simagent_describe(const struct simagent *a, struct id task, char ret[256])
{
    const struct task *t = a->up ? reconcile_find(a->r, task) : NULL;
    int n =
        snprintf(ret, 256, "%s, session %llu%s, lease %s", a->up ? "up" : "down",
                 (unsigned long long)a->journal.session, a->session_up ? "" : " (not up)",
                 a->up && reconcile_may_start(a->r, simagent_now(a).boot_ms) ? "holds" : "over");
    if (t == NULL) {
        (void)snprintf(ret + n, 256 - (size_t)n, ", no such task");
        return;
    }
    n += snprintf(ret + n, 256 - (size_t)n, ", task %s%s%s", task_phase_name(t->phase),
                  t->want_stop ? ", to stop" : "", t->disowned ? ", disowned" : "");
    for (uint32_t i = 0; i < t->n_containers; i++) {
        const struct container *c = &t->containers[i];
        n += snprintf(ret + n, 256 - (size_t)n, ", container %s%s%s%s%s",
                      container_phase_name(c->phase), c->pulled ? " pulled" : "",
                      c->pull_busy ? " pulling" : "", c->start_busy ? " starting" : "",
                      c->stop_busy ? " stopping" : "");
    }
    (void)snprintf(ret + n, 256 - (size_t)n, ", committing %d, filling %zu %zu",
                   a->committing != NULL, a->filling->n_ops, a->filling->n_acts);
}

struct simagent *simagent_new(struct fleet *f, unsigned at)
{
    struct simagent *a = mem_alloc(f->mem, sizeof *a);
    a->f = f;
    a->at = at;
    a->n_ids = 1;
    a->id = (struct id){0xa0 + at, 1};
    a->next = at;
    a->leader = -1;
    return a;
}

void simagent_free(struct simagent *a)
{
    const struct mem *mem;
    if (a == NULL) {
        return;
    }
    mem = a->f->mem;
    assert(!a->up);
    for (unsigned i = 0; i < 2; i++) {
        mem_free(mem, a->batches[i].ops, a->batches[i].cap_ops * sizeof *a->batches[i].ops);
        mem_free(mem, a->batches[i].acts, a->batches[i].cap_acts * sizeof *a->batches[i].acts);
    }
    simjournal_clear(a);
    mem_free(mem, a->journal.rows, a->journal.cap * sizeof *a->journal.rows);
    mem_free(mem, a->containers, a->cap_containers * sizeof *a->containers);
    mem_free(mem, a, sizeof *a);
}
