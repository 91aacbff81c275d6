/* The agent's end of a session, in the order of use of agent/link/session.c: hello, welcome,
 * heartbeats that extend the lease from the time they were sent, redirects, back-off, silence. */
#include "tests/sim/simagent.h"

#include <assert.h>
#include <string.h>

#define BACKOFF_MAX_MS 5000u
#define REDIRECTS_MAX  4u
#define SILENCE_MS     (5 * SIMAGENT_HEARTBEAT_MS)

static void again(struct simagent *a)
{
    if (a->leader >= 0 && a->n_redirects < REDIRECTS_MAX) {
        a->n_redirects++;
        simagent_dial(a, 0);
        return;
    }
    a->n_redirects = 0;
    a->leader = -1;
    simagent_dial(a, a->backoff_ms / 2 + fleet_between(a->f, 0, a->backoff_ms / 2));
    a->backoff_ms = a->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : a->backoff_ms * 2;
}

static void down(struct simagent *a)
{
    struct event event = {.kind = EVENT_DISCONNECTED};
    bool was_up = a->session_up;
    a->session_up = false;
    a->attempt++;
    if (was_up) {
        (void)simagent_feed(a, &event);
    }
}

/* Give up the stream, then try elsewhere. */
void simagent_hang_up(struct simagent *a)
{
    if (a->stream != NULL) {
        simstream_close(a->stream, SIDE_AGENT);
        a->stream = NULL;
    }
    down(a);
    again(a);
}

void simagent_closed(struct fleet *f, struct simstream *s)
{
    struct simagent *a = f->agents[s->agent];
    if (a->up && a->stream == s) {
        a->stream = NULL;
        down(a);
        again(a);
    }
}

void simagent_send(struct simagent *a, struct wire *m)
{
    if (a->stream == NULL) {
        wire_free(a->f, m);
        return;
    }
    simstream_send(a->stream, SIDE_AGENT, m);
}

static void no_welcome(void *arg, uint64_t life, uint64_t attempt)
{
    struct simagent *a = arg;
    if (a->up && a->life == life && a->attempt == attempt && !a->session_up) {
        a->leader = -1;
        simagent_hang_up(a);
    }
}

static void say_hello(struct simagent *a)
{
    size_t n = reconcile_n_tasks(a->r);
    struct wire *m = wire_new(a->f, WIRE_HELLO, (uint32_t)n, 0);
    uint32_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        const struct task *t = reconcile_task_at(a->r, i);
        if (t->phase < TASK_FORGOTTEN) {
            m->tasks[kept].id = t->id;
            m->tasks[kept].status = (uint8_t)task_status(t);
            kept++;
        }
    }
    m->node = a->id;
    m->session = kept; /* How many of the tasks count. */
    a->hello_sent_ms = simagent_now(a).boot_ms;
    a->heard_ms = a->hello_sent_ms;
    simagent_send(a, m);
}

static void dial(void *arg, uint64_t life, uint64_t attempt)
{
    struct simagent *a = arg;
    unsigned node;
    if (!a->up || a->life != life || a->attempt != attempt || a->stream != NULL) {
        return;
    }
    node = a->leader >= 0 ? (unsigned)a->leader : a->next++ % a->f->opt.world.n;
    a->stream = simstream_open(a->f, a->at, node);
    say_hello(a);
    simworld_later(a->f->world, SIMAGENT_WELCOME_MS * 1000u, no_welcome, a, life, attempt);
}

void simagent_dial(struct simagent *a, uint64_t after_ms)
{
    a->attempt++;
    simworld_later(a->f->world, after_ms * 1000 + 1, dial, a, a->life, a->attempt);
}

/* --- heartbeats ----------------------------------------------------------------------------------
 */

static void beat(void *arg, uint64_t life, uint64_t attempt)
{
    struct simagent *a = arg;
    struct wire *m;
    uint64_t now;
    if (!a->up || a->life != life || a->attempt != attempt || !a->session_up) {
        return;
    }
    now = simagent_now(a).boot_ms;
    if (now - a->heard_ms > SILENCE_MS) {
        a->leader = -1;
        simagent_hang_up(a);
        return;
    }
    a->heartbeat++;
    a->heartbeats[a->heartbeat % 64] = now;
    m = wire_new(a->f, WIRE_HEARTBEAT, 0, 0);
    m->number = a->heartbeat;
    simagent_send(a, m);
    simworld_later(a->f->world, SIMAGENT_HEARTBEAT_MS * 1000u, beat, a, life, attempt);
}

static void on_heartbeat_ack(struct simagent *a, uint64_t number)
{
    struct event event = {.kind = EVENT_LEASE};
    if (number == 0 || number > a->heartbeat || number + 64 <= a->heartbeat) {
        return;
    }
    event.until_ms = a->heartbeats[number % 64] + SIMAGENT_LEASE_MS;
    (void)simagent_feed(a, &event);
}

/* --- messages ------------------------------------------------------------------------------------
 */

static void on_welcome(struct simagent *a, const struct wire *m)
{
    struct event event = {.kind = EVENT_WELCOME, .session = m->session};
    event.until_ms = a->hello_sent_ms + SIMAGENT_LEASE_MS;
    a->heartbeat = 0;
    a->welcomes++;
    if (simagent_feed(a, &event) != 0) {
        a->leader = -1;
        simagent_hang_up(a);
        return;
    }
    a->session_up = true;
    a->backoff_ms = 200;
    a->n_redirects = 0;
    beat(a, a->life, a->attempt);
    simagent_add_reports(a);
}

static void want(struct simagent *a, const struct wire_task *from, struct simspec *spec,
                 struct arena *scratch, struct wanted *to)
{
    to->task = from->id;
    to->stop = from->stop;
    to->stop_reason = "stop";
    if (from->stop || reconcile_find(a->r, from->id) != NULL) {
        return;
    }
    *spec = (struct simspec){from->n_containers, from->batch};
    to->arena = arena_alloc(scratch, sizeof *to->arena);
    arena_init(to->arena, a->f->mem);
    to->spec = simspec_make(from->id, spec, to->arena);
    to->bytes = str_make((const char *)spec, sizeof *spec);
}

static void on_assign(struct simagent *a, const struct wire *m)
{
    struct assign assign = {.number = m->number,
                            .full = m->full,
                            .full_end = m->full_end,
                            .n_tasks = m->n_tasks,
                            .forget = m->forget,
                            .n_forget = m->n_forget};
    struct event event = {.kind = EVENT_ASSIGN, .assign = &assign};
    struct arena scratch;
    struct simspec *specs;
    arena_init(&scratch, a->f->mem);
    specs = arena_array(&scratch, m->n_tasks, sizeof *specs);
    assign.tasks = arena_array(&scratch, m->n_tasks, sizeof *assign.tasks);
    for (uint32_t i = 0; i < m->n_tasks; i++) {
        want(a, &m->tasks[i], &specs[i], &scratch, &assign.tasks[i]);
    }
    (void)simagent_feed(a, &event);
    for (uint32_t i = 0; i < m->n_tasks; i++) {
        struct arena *left = assign.tasks[i].arena;
        if (left != NULL && left->mem != NULL) { /* Not taken over. */
            arena_close(left);
        }
    }
    arena_close(&scratch);
}

static void on_refused(struct simagent *a)
{
    a->refused = true;
    simagent_crash(a, false); /* Comes back as another node. */
}

void simagent_message(struct fleet *f, struct simstream *s, const struct wire *m)
{
    struct simagent *a = f->agents[s->agent];
    struct event event = {.kind = EVENT_REPORTED, .number = m->number};
    if (!a->up || a->stream != s) {
        return;
    }
    a->heard_ms = simagent_now(a).boot_ms;
    switch (m->kind) {
    case WIRE_WELCOME:
        on_welcome(a, m);
        return;
    case WIRE_REDIRECT:
        a->leader = m->leader == (int)s->node ? -1 : m->leader;
        simagent_hang_up(a);
        return;
    case WIRE_REFUSED:
        on_refused(a);
        return;
    case WIRE_HEARTBEAT_ACK:
        on_heartbeat_ack(a, m->number);
        return;
    case WIRE_REPORTS_ACK:
        (void)simagent_feed(a, &event);
        return;
    case WIRE_ASSIGN:
        on_assign(a, m);
        return;
    case WIRE_HELLO:
    case WIRE_HEARTBEAT:
    case WIRE_REPORTS:
    case WIRE_ASSIGN_ACK:
    case WIRE_KINDS:
        break;
    }
    fleet_fail(f, "agent %u gets a message of kind %d", a->at + 1, (int)m->kind);
}
