/* The agent's end of a session, in the order of use of agent/link/session.c: hello, welcome,
 * heartbeats that extend the lease from the time they were sent, redirects, back-off, silence. */
#include "tests/sim/simagent.h"

#include "agent/link/message.h"

#include <assert.h>
#include <string.h>

#define BACKOFF_MAX_MS 5000u
#define REDIRECTS_MAX  4u

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
        if (s->refused) { /* It comes back as another node. */
            a->refused = true;
            simagent_crash(a, false);
            return;
        }
        down(a);
        again(a);
    }
}

void simagent_send_bytes(struct simagent *a, const uint8_t *bytes, size_t n)
{
    if (a->stream != NULL) {
        simstream_send(a->stream, SIDE_AGENT, bytes, n);
    }
}

void simagent_send(struct simagent *a, const struct agent_message *m)
{
    struct buf out;
    struct err err = {0};
    buf_init(&out, a->f->mem, WIRE_MESSAGE_MAX);
    if (message_encode_agent(m, &out, &err) != 0) {
        fleet_fail(a->f, "agent %u: encode: %s", a->at + 1, err.text);
    }
    simagent_send_bytes(a, out.data, out.len);
    buf_close(&out);
}

static void no_welcome(void *arg, uint64_t life, uint64_t attempt)
{
    struct simagent *a = arg;
    if (a->up && a->life == life && a->attempt == attempt && !a->session_up &&
        !simagent_holds(a, no_welcome, a, life, attempt)) {
        a->leader = -1;
        simagent_hang_up(a);
    }
}

static void say_hello(struct simagent *a)
{
    size_t n = reconcile_n_tasks(a->r);
    const struct spec_pair attributes[] = {{"ecs.availability-zone", a->at % 2 == 0 ? "a" : "b"},
                                           {"ecs.os-type", "linux"}};
    struct hello hello = {
        .protocol = MESSAGE_PROTOCOL,
        .name = "node",
        .address = "10.0.0.1",
        .cpu = a->at % 3 == 2 ? 256 : 4096, /* Some are soon full. */
        .memory = a->at % 3 == 2 ? 256 : 8192,
        .port_min = 40000,
        .port_max = 40063,
        .attributes = attributes,
        .n_attributes = 2,
        .agent_version = "1",
        .runtime_version = "1",
        .cluster = "c",
    };
    struct agent_message m = {.hello = &hello};
    struct inventory_item *items = mem_alloc(a->f->mem, (n + 1) * sizeof *items);
    for (size_t i = 0; i < n; i++) {
        const struct task *t = reconcile_task_at(a->r, i);
        if (t->phase < TASK_FORGOTTEN) {
            items[hello.n_tasks].task = t->id;
            items[hello.n_tasks].status = task_status(t);
            hello.n_tasks++;
        }
    }
    hello.tasks = items;
    a->hello_sent_ms = simagent_now(a).boot_ms;
    a->heard_ms = a->hello_sent_ms;
    simagent_send(a, &m);
    mem_free(a->f->mem, items, (n + 1) * sizeof *items);
}

static void dial(void *arg, uint64_t life, uint64_t attempt)
{
    struct simagent *a = arg;
    unsigned node;
    if (!a->up || a->life != life || a->attempt != attempt || a->stream != NULL ||
        simagent_holds(a, dial, a, life, attempt)) {
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
    struct heartbeat heartbeat = {0};
    struct agent_message m = {.heartbeat = &heartbeat};
    uint64_t now;
    if (!a->up || a->life != life || a->attempt != attempt || !a->session_up ||
        simagent_holds(a, beat, a, life, attempt)) {
        return;
    }
    now = simagent_now(a).boot_ms;
    if (now - a->heard_ms > 5ull * a->heartbeat_ms) {
        a->leader = -1;
        simagent_hang_up(a);
        return;
    }
    a->heartbeat++;
    a->heartbeats[a->heartbeat % 64] = now;
    heartbeat.number = a->heartbeat;
    simagent_send(a, &m);
    simworld_later(a->f->world, a->heartbeat_ms * 1000ull, beat, a, life, attempt);
}

static void on_heartbeat_ack(struct simagent *a, uint64_t number)
{
    struct event event = {.kind = EVENT_LEASE};
    if (number == 0 || number > a->heartbeat || number + 64 <= a->heartbeat) {
        return;
    }
    event.until_ms = a->heartbeats[number % 64] + a->lease_ms;
    (void)simagent_feed(a, &event);
}

/* --- messages ------------------------------------------------------------------------------------
 */

static void on_welcome(struct simagent *a, const struct welcome *m)
{
    struct event event = {.kind = EVENT_WELCOME, .epoch = m->epoch, .session = m->session};
    a->heartbeat_ms = m->heartbeat_interval_ms;
    a->lease_ms = m->lease_ms;
    event.until_ms = a->hello_sent_ms + a->lease_ms;
    a->heartbeat = 0;
    a->welcomes++;
    if (simagent_feed(a, &event) != 0) {
        a->leader = -1;
        simagent_hang_up(a);
        return;
    }
    if (a->stream->stale) {
        fleet_fail(a->f, "I8: agent %u takes session %llu after %llu", a->at + 1,
                   (unsigned long long)m->session, (unsigned long long)a->journal.session);
    }
    a->session_up = true;
    a->backoff_ms = 200;
    a->n_redirects = 0;
    beat(a, a->life, a->attempt);
    simagent_add_reports(a);
}

/* Decode what is new here; a task that is known keeps the specification it has. */
static void want(struct simagent *a, const struct assignment *from, struct arena *scratch,
                 struct wanted *to)
{
    struct err err = {0};
    to->task = from->task;
    to->stop = from->stop;
    to->stop_reason = from->stop_reason;
    if (!from->stop) {
        simmodel_told(a->f, a->at, a->id, from->task, from->spec);
    }
    if (from->stop || from->spec.n == 0 || reconcile_find(a->r, from->task) != NULL) {
        return;
    }
    to->arena = arena_alloc(scratch, sizeof *to->arena);
    to->bytes = from->spec;
    arena_init(to->arena, a->f->mem);
    if (message_decode_spec(from->spec, from->task, to->arena, &to->spec, &err) != 0) {
        fleet_fail(a->f, "agent %u: a specification: %s", a->at + 1, err.text);
    }
}

static void on_assign(struct simagent *a, const struct assignments *m)
{
    struct assign assign = {.number = m->number,
                            .full = m->full,
                            .full_end = m->full_end,
                            .n_tasks = m->n_tasks,
                            .forget = m->forget,
                            .n_forget = m->n_forget};
    struct event event = {.kind = EVENT_ASSIGN, .assign = &assign};
    struct arena scratch;
    arena_init(&scratch, a->f->mem);
    assign.tasks = arena_array(&scratch, m->n_tasks, sizeof *assign.tasks);
    for (uint32_t i = 0; i < m->n_tasks; i++) {
        want(a, &m->tasks[i], &scratch, &assign.tasks[i]);
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

static void on_redirect(struct simagent *a, const struct redirect *r)
{
    int leader = simstream_node(r->leader);
    a->leader = leader == (int)a->stream->node ? -1 : leader;
    simagent_hang_up(a);
}

static void dispatch(struct simagent *a, const struct controller_message *m)
{
    struct event event = {.kind = EVENT_REPORTED};
    if (m->welcome != NULL) {
        on_welcome(a, m->welcome);
    } else if (m->redirect != NULL) {
        on_redirect(a, m->redirect);
    } else if (!a->session_up) {
        fleet_fail(a->f, "agent %u: the first message is no welcome", a->at + 1);
    } else if (m->heartbeat_ack != NULL) {
        on_heartbeat_ack(a, m->heartbeat_ack->number);
    } else if (m->reports_ack != NULL) {
        event.number = m->reports_ack->number;
        (void)simagent_feed(a, &event);
    } else if (m->assignments != NULL) {
        on_assign(a, m->assignments);
    } else {
        fleet_fail(a->f, "agent %u gets a message of a kind that nobody sends here", a->at + 1);
    }
}

void simagent_message(struct fleet *f, struct simstream *s, struct str bytes, bool spoiled)
{
    struct simagent *a = f->agents[s->agent];
    struct controller_message m;
    struct arena arena;
    struct err err = {0};
    int rv;
    if (!a->up || a->stream != s) {
        return;
    }
    a->heard_ms = simagent_now(a).boot_ms;
    arena_init(&arena, f->mem);
    rv = message_decode_controller(bytes, &arena, &m, &err);
    if (rv == 0 && spoiled) {
        fleet_fail(f, "agent %u takes a spoiled message", a->at + 1);
    } else if (rv != 0 && !spoiled) {
        fleet_fail(f, "agent %u cannot read controller %u: %s", a->at + 1, s->node + 1, err.text);
    } else if (rv != 0) {
        simagent_hang_up(a);
    } else {
        dispatch(a, &m);
    }
    arena_close(&arena);
}
