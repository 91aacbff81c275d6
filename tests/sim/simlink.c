/* Sessions of nodes on a simulated controller, in the order of use of controller/link: register
 * through the ring, connect, welcome, then reports up and assignments down by the dispatcher. */
#include "tests/sim/simctl.h"

#include "controller/core/limits.h"

#include <assert.h>
#include <string.h>

#define STEP_MAX 16

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

static void session_send(struct simsession *s, struct wire *m)
{
    if (s->stream == NULL || s->state == SIMSESSION_ENDED) {
        wire_free(s->c->f, m);
        return;
    }
    simstream_send(s->stream, SIDE_CONTROLLER, m);
}

static void session_redirect(struct simsession *s)
{
    struct simctl *c = s->c;
    struct wire *m = wire_new(c->f, WIRE_REDIRECT, 0, 0);
    m->leader = simworld_believed(c->f->world, c->node);
    session_send(s, m);
    session_end(s);
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
    cmd->u.node_register = s->registration;
    return 0;
}

static void go_live(struct simsession *s, const struct result *result)
{
    struct simctl *c = s->c;
    struct wire *m;
    int64_t now = ring_now_ms(c->ring);
    if (c->dispatch == NULL) {
        session_redirect(s);
        return;
    }
    s->state = SIMSESSION_LIVE;
    c->f->stats.sessions++;
    m = wire_new(c->f, WIRE_WELCOME, 0, 0);
    m->session = result->revision;
    session_send(s, m);
    s->dispatch = dispatch_connect(c->dispatch, result->slot, result->revision, s->inventory,
                                   s->n_inventory, s, now);
    if (ring_leader(c->ring) != NULL) {
        leader_heartbeat(ring_leader(c->ring), s->node, now);
    }
    simlink_wake(c);
}

static void on_registered(struct ring_write *w, int status, const struct result *result,
                          const struct err *err)
{
    struct simsession *s = container_of(w, struct simsession, write);
    (void)err;
    s->writing = false;
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
        session_send(s, wire_new(s->c->f, WIRE_REFUSED, 0, 0));
        session_end(s);
    } else {
        go_live(s, result);
    }
}

static void on_hello(struct simsession *s, const struct wire *m)
{
    struct simctl *c = s->c;
    struct attribute *a;
    if (ring_leader(c->ring) == NULL) {
        session_redirect(s);
        return;
    }
    s->node = m->node;
    s->n_inventory = (uint32_t)m->session;
    s->inventory = arena_array(&s->hello, s->n_inventory, sizeof *s->inventory);
    for (uint32_t i = 0; i < s->n_inventory; i++) {
        s->inventory[i] = (struct dispatch_inventory){m->tasks[i].id, m->tasks[i].status};
    }
    a = arena_array(&s->hello, 2, sizeof *a);
    a[0] = (struct attribute){STR("ecs.availability-zone"),
                              s->stream->agent % 2 == 0 ? STR("a") : STR("b")};
    a[1] = (struct attribute){STR("ecs.os-type"), STR("linux")};
    s->registration.cluster = STR(SIMCTL_CLUSTER);
    s->registration.node = (struct node){
        .id = s->node,
        .name = STR("node"),
        .address = STR("10.0.0.1"),
        .cpu = s->stream->agent % 3 == 2 ? 256 : 4096, /* Some are soon full. */
        .memory = s->stream->agent % 3 == 2 ? 256 : 8192,
        .port_min = 40000,
        .port_max = 40063,
        .attributes = a,
        .n_attributes = 2,
    };
    s->state = SIMSESSION_REGISTERING;
    s->write.decide = decide_register;
    s->write.done = on_registered;
    s->writing = true;
    ring_submit(c->ring, &s->write);
}

/* --- messages ------------------------------------------------------------------------------------
 */

static int on_reports(struct simsession *s, const struct wire *m, struct err *err)
{
    struct arena arena;
    struct task_report *v;
    int rv;
    arena_init(&arena, s->c->f->mem);
    v = arena_array(&arena, m->n_tasks, sizeof *v);
    for (uint32_t i = 0; i < m->n_tasks; i++) {
        const struct wire_task *t = &m->tasks[i];
        v[i].id = t->id;
        v[i].status = t->status;
        v[i].stop_code = t->stop_code;
        v[i].started_at = t->started_at;
        v[i].stopped_at = t->stopped_at;
        v[i].n_containers = t->n_containers;
        v[i].containers = arena_array(&arena, t->n_containers, sizeof *v[i].containers);
        for (uint32_t k = 0; k < t->n_containers; k++) {
            v[i].containers[k].index = k;
            v[i].containers[k].status = t->containers[k].status;
            v[i].containers[k].has_exit_code = t->containers[k].has_exit_code;
            v[i].containers[k].exit_code = t->containers[k].exit_code;
        }
    }
    rv = dispatch_report(s->c->dispatch, s->dispatch, m->number, v, m->n_tasks, err);
    arena_close(&arena);
    return rv;
}

static int on_live(struct simsession *s, const struct wire *m, struct err *err)
{
    struct simctl *c = s->c;
    int64_t now = ring_now_ms(c->ring);
    struct wire *ack;
    dispatch_heard(c->dispatch, s->dispatch, now);
    switch (m->kind) {
    case WIRE_HEARTBEAT:
        if (ring_leader(c->ring) != NULL) {
            leader_heartbeat(ring_leader(c->ring), s->node, now);
        }
        ack = wire_new(c->f, WIRE_HEARTBEAT_ACK, 0, 0);
        ack->number = m->number;
        session_send(s, ack);
        return 0;
    case WIRE_REPORTS:
        return on_reports(s, m, err);
    case WIRE_ASSIGN_ACK:
        return dispatch_ack(c->dispatch, s->dispatch, m->number, err);
    case WIRE_HELLO:
    case WIRE_WELCOME:
    case WIRE_REDIRECT:
    case WIRE_HEARTBEAT_ACK:
    case WIRE_REPORTS_ACK:
    case WIRE_ASSIGN:
    case WIRE_REFUSED:
    case WIRE_KINDS:
        break;
    }
    return err_set(err, ERR_PROTOCOL, "a message of a kind that has no place here");
}

void simlink_message(struct fleet *f, struct simstream *stream, const struct wire *m)
{
    struct simsession *s = stream->session;
    struct simctl *c = f->controllers[stream->node];
    struct err err = {0};
    if (s == NULL || !c->up || s->state == SIMSESSION_ENDED) {
        return;
    }
    if (m->kind == WIRE_HELLO) {
        on_hello(s, m);
        return;
    }
    if (s->state != SIMSESSION_LIVE) {
        session_end(s);
        return;
    }
    if (on_live(s, m, &err) != 0) {
        fleet_fail(f, "controller %u: agent %u breaks the protocol: %s", c->node + 1,
                   stream->agent + 1, err.text);
    }
    simlink_wake(c);
}

void simlink_dialled(struct fleet *f, struct simstream *stream)
{
    struct simctl *c = f->controllers[stream->node];
    struct simsession *s = mem_alloc(f->mem, sizeof *s);
    assert(c->up);
    s->c = c;
    s->number = ++c->n_sessions;
    s->stream = stream;
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

static void fill_task(const struct store *store, const struct dispatch_task *from,
                      struct wire_task *to)
{
    const struct task *t = store_task(store, from->slot);
    to->id = from->id;
    to->stop = from->stop;
    if (from->stop) {
        return;
    }
    assert(t != NULL && id_eq(t->id, from->id));
    to->batch = t->service == SLOT_NONE;
    to->n_containers = (uint8_t)t->n_containers;
}

static void send_assignments(struct simctl *c, const struct dispatch_out *out)
{
    struct wire *m = wire_new(c->f, WIRE_ASSIGN, out->n_tasks, out->n_forget);
    m->number = out->number;
    m->full = out->full;
    m->full_end = out->full_end;
    for (uint32_t i = 0; i < out->n_tasks; i++) {
        fill_task(ring_store(c->ring), &out->tasks[i], &m->tasks[i]);
    }
    memcpy(m->forget, out->forget, out->n_forget * sizeof *m->forget);
    session_send(out->data, m);
}

static void carry_out(struct simctl *c, const struct dispatch_out *out)
{
    struct wire *m;
    switch ((enum dispatch_kind)out->kind) {
    case DISPATCH_ASSIGN:
        send_assignments(c, out);
        break;
    case DISPATCH_REPORTS_ACK:
        m = wire_new(c->f, WIRE_REPORTS_ACK, 0, 0);
        m->number = out->number;
        session_send(out->data, m);
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
