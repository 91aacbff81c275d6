/* Sessions of nodes on a simulated controller, in the order of use of controller/link: register
 * through the ring, connect, welcome, then reports up and assignments down by the dispatcher. */
#include "tests/sim/simctl.h"

#include "controller/codec/nodemsg.h"
#include "controller/codec/pbc.h"
#include "controller/core/limits.h"

#include <assert.h>
#include <string.h>

#define STEP_MAX 16

typedef Ecs__Agent__V1__ControllerMessage controller_message;

static void session_free(struct simsession *s)
{
    list_remove(&s->link);
    arena_close(&s->hello);
    mem_free(s->c->f->mem, s, sizeof *s);
}

static void session_leave(struct simsession *s)
{
    struct simctl *c = s->c;
    if (s->dispatch != NULL && c->dispatch != NULL) {
        dispatch_disconnect(c->dispatch, s->dispatch);
        simlink_wake(c);
    }
    s->dispatch = NULL;
    s->state = SIMSESSION_ENDED;
}

static void session_close(struct simsession *s)
{
    struct simstream *stream = s->stream;
    session_leave(s);
    if (stream != NULL) {
        s->stream = NULL;
        stream->session = NULL;
        simstream_close(stream, SIDE_CONTROLLER);
    }
    if (!s->writing) {
        session_free(s);
    }
}

static void close_later(void *arg, uint64_t life, uint64_t number)
{
    struct simctl *c = arg;
    struct list *it;
    if (!c->up || c->life != life) {
        return;
    }
    list_each (it, &c->sessions) {
        struct simsession *s = container_of(it, struct simsession, link);
        if (s->number == number) {
            session_close(s);
            return;
        }
    }
}

/* End the stream from our side; the rest follows from an empty stack. */
static void session_end(struct simsession *s)
{
    if (s->state != SIMSESSION_ENDED) {
        s->state = SIMSESSION_ENDED;
        simworld_later_on(s->c->f->world, s->c->node, 1, close_later, s->c, s->c->life, s->number);
    }
}

static void session_send(struct simsession *s, const controller_message *m)
{
    struct buf *out = &s->c->out;
    if (s->stream == NULL || s->state == SIMSESSION_ENDED) {
        return;
    }
    buf_clear(out);
    pbc_pack(&m->base, out);
    if (out->overflow) {
        fleet_fail(s->c->f, "controller %u: a message to agent %u is too large", s->c->node + 1,
                   s->stream->agent + 1);
    }
    simstream_send(s->stream, SIDE_CONTROLLER, out->data, out->len);
}

static void session_redirect(struct simsession *s)
{
    struct simctl *c = s->c;
    Ecs__Agent__V1__Redirect redirect = ECS__AGENT__V1__REDIRECT__INIT;
    controller_message m = ECS__AGENT__V1__CONTROLLER_MESSAGE__INIT;
    int leader = simworld_believed(c->f->world, c->node);
    redirect.leader = (char *)(uintptr_t)(leader < 0 ? "" : simstream_address((unsigned)leader));
    m.kind_case = ECS__AGENT__V1__CONTROLLER_MESSAGE__KIND_REDIRECT;
    m.redirect = &redirect;
    session_send(s, &m);
    session_end(s);
}

static void send_welcome(struct simsession *s, uint64_t number)
{
    Ecs__Agent__V1__Welcome welcome = ECS__AGENT__V1__WELCOME__INIT;
    controller_message m = ECS__AGENT__V1__CONTROLLER_MESSAGE__INIT;
    welcome.has_session = true;
    welcome.session = number;
    if (simagent_session(s->c->f->agents[s->stream->agent]) > 1 &&
        fleet_chance(s->c->f, s->c->f->opt.stale)) {
        s->c->f->stats.stale++;
        s->stream->stale = true;
        welcome.session = 1;
    }
    welcome.has_heartbeat_interval_ms = true;
    welcome.heartbeat_interval_ms = SIMCTL_HEARTBEAT_MS;
    welcome.has_lease_ms = true;
    welcome.lease_ms = SIMCTL_LEASE_MS;
    welcome.has_epoch = true;
    welcome.epoch = store_meta(ring_store(s->c->ring))->epoch;
    welcome.cluster = (char *)(uintptr_t)SIMCTL_CLUSTER;
    m.kind_case = ECS__AGENT__V1__CONTROLLER_MESSAGE__KIND_WELCOME;
    m.welcome = &welcome;
    session_send(s, &m);
}

/* --- registration --------------------------------------------------------------------------------
 */

static int decide_register(struct ring_write *w, struct command *cmd, struct arena *arena,
                           struct err *err)
{
    struct simsession *s = container_of(w, struct simsession, write);
    (void)arena;
    if (s->state != SIMSESSION_REGISTERING) {
        return err_set(err, ERR_CANCELED, "the session has ended");
    }
    cmd->kind = CMD_NODE_REGISTER;
    cmd->u.node_register = s->said.registration;
    return 0;
}

/* By a controller that leads: that is what it judges nodes by. */
static void note_heard(struct fleet *f, int64_t now)
{
    f->heard_ms = now > f->heard_ms ? now : f->heard_ms;
}

static void heard(struct simsession *s, int64_t now)
{
    note_heard(s->c->f, now);
    leader_heartbeat(ring_leader(s->c->ring), s->node, now);
}

static void go_live(struct simsession *s, const struct result *result)
{
    struct simctl *c = s->c;
    int64_t now = ring_now_ms(c->ring);
    if (c->dispatch == NULL) {
        session_redirect(s);
        return;
    }
    s->state = SIMSESSION_LIVE;
    c->f->stats.sessions++;
    send_welcome(s, result->revision);
    s->dispatch = dispatch_connect(c->dispatch, result->slot, result->revision, s->said.inventory,
                                   s->said.n_inventory, s, now);
    if (ring_leader(c->ring) != NULL) {
        heard(s, now);
    }
    simlink_wake(c);
}

static void on_registered(struct ring_write *w, int status, const struct result *result,
                          const struct err *err)
{
    struct simsession *s = container_of(w, struct simsession, write);
    (void)err;
    s->writing = false;
    if (status == 0 && result != NULL) { /* It said hello, even if its stream has ended since. */
        note_heard(s->c->f, store_meta(ring_store(s->c->ring))->now);
    }
    if (s->stream == NULL || s->c->dying) {
        session_free(s);
        return;
    }
    if (s->state != SIMSESSION_REGISTERING) {
        return;
    }
    if (status == ERR_NOTLEADER || status == ERR_UNKNOWN) {
        session_redirect(s);
    } else if (status != 0 || result == NULL) {
        session_end(s);
    } else if (result->reject != REJECT_NONE) {
        s->stream->refused = true;
        session_end(s);
    } else {
        go_live(s, result);
    }
}

static void on_hello(struct simsession *s, const Ecs__Agent__V1__Hello *hello)
{
    struct simctl *c = s->c;
    struct err err = {0};
    if (s->state != SIMSESSION_NEW || ring_leader(c->ring) == NULL) {
        session_redirect(s);
        return;
    }
    if (nodemsg_hello(hello, s->node, &s->hello, &s->said, &err) != 0) {
        fleet_fail(c->f, "controller %u: agent %u says hello: %s", c->node + 1,
                   s->stream->agent + 1, err.text);
    }
    s->state = SIMSESSION_REGISTERING;
    s->write.decide = decide_register;
    s->write.done = on_registered;
    s->writing = true;
    ring_submit(c->ring, &s->write);
}

/* --- messages ------------------------------------------------------------------------------------
 */

static void on_heartbeat(struct simsession *s, const Ecs__Agent__V1__Heartbeat *heartbeat)
{
    struct simctl *c = s->c;
    Ecs__Agent__V1__HeartbeatAck ack = ECS__AGENT__V1__HEARTBEAT_ACK__INIT;
    controller_message m = ECS__AGENT__V1__CONTROLLER_MESSAGE__INIT;
    if (ring_leader(c->ring) != NULL) {
        heard(s, ring_now_ms(c->ring));
    }
    ack.has_number = true;
    ack.number = heartbeat->number;
    m.kind_case = ECS__AGENT__V1__CONTROLLER_MESSAGE__KIND_HEARTBEAT_ACK;
    m.heartbeat_ack = &ack;
    session_send(s, &m);
}

static int on_reports(struct simsession *s, const Ecs__Agent__V1__Reports *reports,
                      struct arena *arena, struct err *err)
{
    struct task_report *v;
    int rv = nodemsg_reports(reports, arena, &v, err);
    return rv != 0 ? rv
                   : dispatch_report(s->c->dispatch, s->dispatch, reports->number, v,
                                     (uint32_t)reports->n_tasks, err);
}

static int on_live(struct simsession *s, const Ecs__Agent__V1__AgentMessage *m, struct arena *arena,
                   struct err *err)
{
    struct simctl *c = s->c;
    dispatch_heard(c->dispatch, s->dispatch, ring_now_ms(c->ring));
    switch (m->kind_case) {
    case ECS__AGENT__V1__AGENT_MESSAGE__KIND_HEARTBEAT:
        on_heartbeat(s, m->heartbeat);
        return 0;
    case ECS__AGENT__V1__AGENT_MESSAGE__KIND_REPORTS:
        return on_reports(s, m->reports, arena, err);
    case ECS__AGENT__V1__AGENT_MESSAGE__KIND_ASSIGNMENTS_ACK:
        return dispatch_ack(c->dispatch, s->dispatch, m->assignments_ack->number, err);
    case ECS__AGENT__V1__AGENT_MESSAGE__KIND_HELLO:
    case ECS__AGENT__V1__AGENT_MESSAGE__KIND_LOG_CHUNK:
    case ECS__AGENT__V1__AGENT_MESSAGE__KIND__NOT_SET:
    case _ECS__AGENT__V1__AGENT_MESSAGE__KIND__CASE_IS_INT_SIZE:
        break;
    }
    return err_set(err, ERR_PROTOCOL, "a message of a kind that has no place here");
}

static void on_message(struct simsession *s, const Ecs__Agent__V1__AgentMessage *m,
                       struct arena *arena)
{
    struct simctl *c = s->c;
    struct err err = {0};
    if (m->kind_case == ECS__AGENT__V1__AGENT_MESSAGE__KIND_HELLO) {
        on_hello(s, m->hello);
        return;
    }
    if (s->state != SIMSESSION_LIVE) {
        session_end(s);
        return;
    }
    if (on_live(s, m, arena, &err) != 0) {
        fleet_fail(c->f, "controller %u: agent %u breaks the protocol: %s", c->node + 1,
                   s->stream->agent + 1, err.text);
    }
    simlink_wake(c);
}

void simlink_message(struct fleet *f, struct simstream *stream, struct str bytes, bool spoiled)
{
    struct simsession *s = stream->session;
    struct simctl *c = f->controllers[stream->node];
    struct arena arena;
    ProtobufCMessage *m;
    struct err err = {0};
    if (s == NULL || !c->up || s->state == SIMSESSION_ENDED) {
        return;
    }
    arena_init(&arena, f->mem);
    if (pbc_unpack(&ecs__agent__v1__agent_message__descriptor, bytes, &arena, &m, &err) != 0) {
        if (!spoiled) {
            fleet_fail(f, "controller %u cannot read agent %u: %s", c->node + 1, stream->agent + 1,
                       err.text);
        }
        session_end(s);
    } else if (!spoiled) {
        on_message(s, (const Ecs__Agent__V1__AgentMessage *)(const void *)m, &arena);
    } else if (bytes.n > 0) { /* Nothing at all is a message without a kind. */
        fleet_fail(f, "controller %u takes a spoiled message of agent %u", c->node + 1,
                   stream->agent + 1);
    } else {
        session_end(s);
    }
    arena_close(&arena);
}

void simlink_dialled(struct fleet *f, struct simstream *stream)
{
    struct simctl *c = f->controllers[stream->node];
    struct simsession *s = mem_alloc(f->mem, sizeof *s);
    assert(c->up);
    s->c = c;
    s->number = ++c->n_sessions;
    s->stream = stream;
    s->node = simagent_id(f->agents[stream->agent]); /* From its certificate. */
    stream->session = s;
    arena_init(&s->hello, f->mem);
    list_push(&c->sessions, &s->link);
}

void simlink_closed(struct fleet *f, struct simstream *stream)
{
    struct simsession *s = stream->session;
    (void)f;
    if (s == NULL) {
        return;
    }
    stream->session = NULL;
    s->stream = NULL;
    session_leave(s);
    if (!s->writing) {
        session_free(s);
    }
}

/* --- the dispatcher's turns ----------------------------------------------------------------------
 */

static int decide_taken(struct ring_write *w, struct command *cmd, struct arena *arena,
                        struct err *err)
{
    struct simctl *c = container_of(w, struct simctl, taken);
    (void)err;
    if (c->dispatch == NULL ||
        dispatch_take(c->dispatch, ring_now_ms(c->ring), cmd, 1, arena) == 0) {
        return 1;
    }
    return 0;
}

static void on_taken(struct ring_write *w, int status, const struct result *result,
                     const struct err *err)
{
    struct simctl *c = container_of(w, struct simctl, taken);
    (void)err;
    c->taking = false;
    if (c->dispatch != NULL) {
        dispatch_settle(c->dispatch, status == 0 && result != NULL);
    }
    if (result != NULL) {
        simlink_wake(c);
    }
}

static void send_assignments(struct simctl *c, const struct dispatch_out *out)
{
    static const struct arn_names names = {"aws", "local", "000000000000"};
    Ecs__Agent__V1__Assignments assignments;
    controller_message m = ECS__AGENT__V1__CONTROLLER_MESSAGE__INIT;
    struct arena arena;
    struct err err = {0};
    arena_init(&arena, c->f->mem);
    if (nodemsg_assignments(ring_store(c->ring), &names, out, &arena, &assignments, &err) != 0) {
        fleet_fail(c->f, "controller %u: assignment: %s", c->node + 1, err.text);
    }
    m.kind_case = ECS__AGENT__V1__CONTROLLER_MESSAGE__KIND_ASSIGNMENTS;
    m.assignments = &assignments;
    session_send(out->data, &m);
    arena_close(&arena);
}

static void send_reports_ack(struct simsession *s, uint64_t number)
{
    Ecs__Agent__V1__ReportsAck ack = ECS__AGENT__V1__REPORTS_ACK__INIT;
    controller_message m = ECS__AGENT__V1__CONTROLLER_MESSAGE__INIT;
    ack.has_number = true;
    ack.number = number;
    m.kind_case = ECS__AGENT__V1__CONTROLLER_MESSAGE__KIND_REPORTS_ACK;
    m.reports_ack = &ack;
    session_send(s, &m);
}

static void carry_out(struct simctl *c, const struct dispatch_out *out)
{
    switch ((enum dispatch_kind)out->kind) {
    case DISPATCH_ASSIGN:
        send_assignments(c, out);
        break;
    case DISPATCH_REPORTS_ACK:
        send_reports_ack(out->data, out->number);
        break;
    case DISPATCH_CLOSE:
        session_end(out->data);
        break;
    }
}

static void send_all(struct simctl *c)
{
    struct dispatch_out out[STEP_MAX];
    struct arena arena;
    uint32_t n;
    arena_init(&arena, c->f->mem);
    do {
        n = dispatch_step(c->dispatch, ring_now_ms(c->ring), out, STEP_MAX, &arena);
        for (uint32_t i = 0; i < n; i++) {
            carry_out(c, &out[i]);
        }
        arena_clear(&arena);
    } while (n == STEP_MAX);
    arena_close(&arena);
}

static void follow_leadership(struct simctl *c)
{
    static const struct dispatch_settings settings = {
        .silent_ms = SIMCTL_SILENT_MS,
        .tasks_max = 8,
        .window = 8,
        .reports_max = 64,
        .reports_waiting = 4096,
    };
    struct list *it;
    struct list *after;
    bool leads = ring_leader(c->ring) != NULL && !c->dying;
    if (leads == (c->dispatch != NULL)) {
        return;
    }
    if (leads) {
        c->dispatch = dispatch_open(ring_store(c->ring), &settings, c->f->mem);
        return;
    }
    dispatch_close(c->dispatch);
    c->dispatch = NULL;
    list_each_safe (it, after, &c->sessions) {
        struct simsession *s = container_of(it, struct simsession, link);
        s->dispatch = NULL;
        if (s->stream != NULL) {
            session_redirect(s);
        }
    }
}

static void pump(void *arg, uint64_t life, uint64_t alarm)
{
    struct simctl *c = arg;
    int64_t deadline = INT64_MAX;
    int64_t now;
    if (!c->up || c->life != life || (alarm != 0 && alarm != c->link_alarm)) {
        return;
    }
    if (alarm == 0) {
        c->link_posted = false;
    }
    follow_leadership(c);
    if (c->dispatch == NULL) {
        return;
    }
    now = ring_now_ms(c->ring);
    if (dispatch_dirty(c->dispatch, now, &deadline)) {
        send_all(c);
        if (!c->taking) {
            c->taking = true;
            c->taken.decide = decide_taken;
            c->taken.done = on_taken;
            ring_submit(c->ring, &c->taken);
        }
        (void)dispatch_dirty(c->dispatch, now, &deadline);
    }
    if (deadline != INT64_MAX && deadline > now) {
        c->link_alarm++;
        simworld_later_on(c->f->world, c->node, (uint64_t)(deadline - now) * 1000, pump, c, c->life,
                          c->link_alarm);
    }
}

void simlink_wake(struct simctl *c)
{
    if (!c->link_posted && !c->dying) {
        c->link_posted = true;
        simworld_later_on(c->f->world, c->node, 1, pump, c, c->life, 0);
    }
}

void simlink_changed(struct simctl *c, const struct changes *changes)
{
    if (changes == NULL) {
        follow_leadership(c);
    } else if (c->dispatch != NULL) {
        dispatch_changed(c->dispatch, changes);
    }
    simlink_wake(c);
}

/* The process is gone, and what it held open with it: the kernel ends its connections. */
void simlink_die(struct simctl *c)
{
    struct list *it;
    struct list *after;
    dispatch_close(c->dispatch);
    c->dispatch = NULL;
    list_each_safe (it, after, &c->sessions) {
        struct simsession *s = container_of(it, struct simsession, link);
        s->dispatch = NULL;
        session_close(s);
    }
}
