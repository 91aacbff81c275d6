/* The dispatcher's turns: what it has for the agents goes out, what it has for the log goes in. */
#include "common/log/log.h"
#include "controller/codec/pbc.h"
#include "controller/link/link_int.h"

#include <assert.h>
#include <string.h>

#define REPORTS_PER_COMMAND 5000
#define REPORTS_WAITING     200000
#define ASSIGN_WINDOW       8

void link_wake(struct link *l)
{
    loop_soon_post(l->pump);
}

/* --- into the log
 * ------------------------------------------------------------------------------------ */

static int decide_taken(struct engine_write *w, struct engine *e, struct command *cmd,
                        struct arena *arena, struct err *err)
{
    struct link *l = w->data;
    (void)err;
    if (l->dispatch == NULL || dispatch_take(l->dispatch, engine_now_ms(e), cmd, 1, arena) == 0) {
        return 1;
    }
    return 0;
}

static void on_taken(struct engine_write *w, int status, const struct result *result,
                     const struct err *err)
{
    struct link *l = w->data;
    (void)err;
    l->taking = false;
    if (l->dispatch != NULL) {
        dispatch_settle(l->dispatch, status == 0 && result != NULL);
    }
    if (result != NULL) {
        link_wake(l);
    }
}

static void take(struct link *l)
{
    if (l->taking || l->dispatch == NULL) {
        return;
    }
    l->taken.data = l;
    l->taken.decide = decide_taken;
    l->taken.done = on_taken;
    l->taking = true;
    engine_submit(l->options.engine, &l->taken);
}

/* --- to the agents
 * ----------------------------------------------------------------------------------- */

static void send_reports_ack(struct session *s, uint64_t number)
{
    Ecs__Agent__V1__ReportsAck ack = ECS__AGENT__V1__REPORTS_ACK__INIT;
    Ecs__Agent__V1__ControllerMessage m = ECS__AGENT__V1__CONTROLLER_MESSAGE__INIT;
    ack.has_number = true;
    ack.number = number;
    m.kind_case = ECS__AGENT__V1__CONTROLLER_MESSAGE__KIND_REPORTS_ACK;
    m.reports_ack = &ack;
    session_send(s, &m);
}

static void carry_out(struct link *l, const struct dispatch_out *out)
{
    struct session *s = out->data;
    switch ((enum dispatch_kind)out->kind) {
    case DISPATCH_ASSIGN:
        assign_send(l, out);
        break;
    case DISPATCH_REPORTS_ACK:
        send_reports_ack(s, out->number);
        break;
    case DISPATCH_CLOSE:
        session_end(s, GRPC_ABORTED, out->reason);
        break;
    }
}

static void send_all(struct link *l)
{
    struct dispatch_out out[LINK_STEP_MAX];
    struct arena arena;
    uint32_t n;
    arena_init(&arena, l->options.mem);
    do {
        n = dispatch_step(l->dispatch, engine_now_ms(l->options.engine), out, LINK_STEP_MAX,
                          &arena);
        for (uint32_t i = 0; i < n; i++) {
            carry_out(l, &out[i]);
        }
        arena_clear(&arena);
    } while (n == LINK_STEP_MAX);
    arena_close(&arena);
}

/* Sessions belong to the leader: with the leadership they go. */
static void follow_leadership(struct link *l)
{
    static const struct dispatch_settings settings = {
        .silent_ms = 15000,
        .tasks_max = LINK_TASKS_PER_MSG,
        .window = ASSIGN_WINDOW,
        .reports_max = REPORTS_PER_COMMAND,
        .reports_waiting = REPORTS_WAITING,
    };
    struct list *it;
    struct list *after;
    bool leads = engine_is_leader(l->options.engine) && !l->closing;
    if (leads == (l->dispatch != NULL)) {
        return;
    }
    if (leads) {
        l->dispatch = dispatch_open(engine_store(l->options.engine), &settings, l->options.mem);
        return;
    }
    dispatch_close(l->dispatch);
    l->dispatch = NULL;
    list_each_safe (it, after, &l->sessions) {
        struct session *s = container_of(it, struct session, link);
        if (s->dispatch != NULL) {
            s->dispatch = NULL;
            l->n_live--;
        }
        session_redirect(s);
    }
}

void link_pump(void *data)
{
    struct link *l = data;
    int64_t deadline = INT64_MAX;
    int64_t now = engine_now_ms(l->options.engine);
    follow_leadership(l);
    if (l->dispatch == NULL) {
        loop_timer_stop(l->timer);
        return;
    }
    if (dispatch_dirty(l->dispatch, now, &deadline)) {
        send_all(l);
        take(l);
        (void)dispatch_dirty(l->dispatch, now, &deadline);
    }
    if (deadline != INT64_MAX && deadline > now) {
        loop_timer_start(l->timer, (uint64_t)(deadline - now));
    }
}

static void on_change(void *data, const struct changes *changes)
{
    struct link *l = data;
    if (changes == NULL) {
        l->news++;
        follow_leadership(l);
    } else if (l->dispatch != NULL) {
        dispatch_changed(l->dispatch, changes);
    }
    link_wake(l);
}

/* --- life
 * ---------------------------------------------------------------------------------------------- */

static void make_methods(struct link *l)
{
    l->methods[0] = (struct grpc_method){
        .path = "/ecs.agent.v1.NodeService/Join",
        .kind = GRPC_UNARY,
        .on_start = join_start,
        .on_message = join_message,
        .on_close = join_closed,
        .data = l,
    };
    l->methods[1] = (struct grpc_method){
        .path = "/ecs.agent.v1.NodeService/Renew",
        .kind = GRPC_UNARY,
        .on_message = renew_message,
        .data = l,
    };
    l->methods[2] = (struct grpc_method){
        .path = "/ecs.agent.v1.NodeService/Session",
        .kind = GRPC_BIDI,
        .on_start = session_start,
        .on_message = session_message,
        .on_close = session_closed,
        .data = l,
    };
}

int link_open(uv_loop_t *loop, const struct link_options *options, struct link **ret,
              struct err *err)
{
    struct link *l = mem_alloc(options->mem, sizeof *l);
    (void)err;
    l->options = *options;
    l->loop = loop;
    l->options.cert_days = options->cert_days == 0 ? 7 : options->cert_days;
    l->options.heartbeat_ms = options->heartbeat_ms == 0 ? 1000 : options->heartbeat_ms;
    l->options.lease_ms = options->lease_ms == 0 ? 30000 : options->lease_ms;
    list_init(&l->sessions);
    arena_init(&l->arena, options->mem);
    buf_init(&l->out, options->mem, GRPC_MESSAGE_MAX);
    l->pump = loop_soon_open(loop, link_pump, l);
    l->timer = loop_timer_open(loop, link_pump, l);
    make_methods(l);
    l->watch.data = l;
    l->watch.cb = on_change;
    engine_watch_add(options->engine, &l->watch);
    engine_audit_source(options->engine, orphans_findings, l);
    *ret = l;
    return 0;
}

void link_close(struct link *l)
{
    if (l == NULL) {
        return;
    }
    assert(list_empty(&l->sessions));
    engine_watch_remove(l->options.engine, &l->watch);
    engine_audit_source(l->options.engine, NULL, NULL);
    dispatch_close(l->dispatch);
    loop_soon_close(l->pump);
    loop_timer_close(l->timer);
    arena_close(&l->arena);
    buf_close(&l->out);
    mem_free(l->options.mem, l, sizeof *l);
}

const struct grpc_method *link_methods(struct link *l, size_t *ret_n)
{
    *ret_n = sizeof l->methods / sizeof l->methods[0];
    return l->methods;
}

uint32_t link_n_sessions(const struct link *l)
{
    return l->n_live;
}
