/* One Session stream from its first message to its end. */
#include "common/log/log.h"
#include "controller/codec/pbc.h"
#include "controller/core/leader.h"
#include "controller/link/link_int.h"

#include <assert.h>
#include <string.h>

void session_send(struct session *s, Ecs__Agent__V1__ControllerMessage *m)
{
    struct buf *out = &s->l->out;
    int rv;
    if (s->call == NULL || s->state == SESSION_ENDED) {
        return;
    }
    buf_clear(out);
    pbc_pack(&m->base, out);
    rv = out->overflow ? ERR_TOOBIG
                       : grpc_call_send(s->call, str_make((const char *)out->data, out->len));
    if (rv == ERR_FULL || rv == ERR_TOOBIG) {
        session_end(s, GRPC_RESOURCE_EXHAUSTED, "the agent reads too slowly");
    }
}

void session_end(struct session *s, enum grpc_code code, const char *why)
{
    if (s->state == SESSION_ENDED || s->call == NULL) {
        return;
    }
    s->state = SESSION_ENDED;
    grpc_call_finish(s->call, code, why, (struct str){NULL, 0});
}

void session_redirect(struct session *s)
{
    Ecs__Agent__V1__Redirect redirect = ECS__AGENT__V1__REDIRECT__INIT;
    const char *controllers[ENGINE_CONTROLLERS_MAX];
    Ecs__Agent__V1__ControllerMessage m = ECS__AGENT__V1__CONTROLLER_MESSAGE__INIT;
    redirect.leader = (char *)(uintptr_t)engine_leader_address(s->l->options.engine);
    redirect.n_controllers = engine_controllers(s->l->options.engine, controllers);
    redirect.controllers = (char **)(uintptr_t)controllers;
    m.kind_case = ECS__AGENT__V1__CONTROLLER_MESSAGE__KIND_REDIRECT;
    m.redirect = &redirect;
    session_send(s, &m);
    session_end(s, GRPC_OK, "");
}

static void send_welcome(struct session *s, uint64_t number)
{
    const struct link_options *o = &s->l->options;
    Ecs__Agent__V1__Welcome welcome = ECS__AGENT__V1__WELCOME__INIT;
    const char *controllers[ENGINE_CONTROLLERS_MAX];
    Ecs__Agent__V1__ControllerMessage m = ECS__AGENT__V1__CONTROLLER_MESSAGE__INIT;
    welcome.has_session = true;
    welcome.session = number;
    s->told = s->l->news;
    welcome.has_heartbeat_interval_ms = true;
    welcome.heartbeat_interval_ms = o->heartbeat_ms;
    welcome.has_lease_ms = true;
    welcome.lease_ms = o->lease_ms;
    welcome.has_epoch = true;
    welcome.epoch = store_meta(engine_store(s->l->options.engine))->epoch;
    welcome.cluster =
        arena_dup(&s->hello, s->said.registration.cluster.p, s->said.registration.cluster.n);
    welcome.region = (char *)(uintptr_t)o->region;
    welcome.account = (char *)(uintptr_t)o->account;
    welcome.n_controllers = engine_controllers(o->engine, controllers);
    welcome.controllers = (char **)(uintptr_t)controllers;
    m.kind_case = ECS__AGENT__V1__CONTROLLER_MESSAGE__KIND_WELCOME;
    m.welcome = &welcome;
    session_send(s, &m);
}

/* --- registration
 * --------------------------------------------------------------------------------- */

static int decide_register(struct engine_write *w, struct engine *e, struct command *cmd,
                           struct arena *arena, struct err *err)
{
    struct session *s = w->data;
    (void)e;
    (void)arena;
    if (s->state != SESSION_REGISTERING) {
        return err_set(err, ERR_CANCELED, "the session has ended");
    }
    cmd->kind = CMD_NODE_REGISTER;
    cmd->u.node_register = s->said.registration;
    return 0;
}

static void session_free(struct session *s)
{
    list_remove(&s->link);
    arena_close(&s->hello);
    mem_free(s->l->options.mem, s, sizeof *s);
}

/* What the agent said of itself is in the state now. */
static void forget_hello(struct session *s)
{
    arena_close(&s->hello);
    arena_init(&s->hello, s->l->options.mem);
    memset(&s->said, 0, sizeof s->said);
}

static void go_live(struct session *s, const struct result *result)
{
    struct link *l = s->l;
    int64_t now = engine_now_ms(l->options.engine);
    if (l->dispatch == NULL) {
        session_redirect(s);
        return;
    }
    s->state = SESSION_LIVE;
    l->n_live++;
    send_welcome(s, result->revision);
    s->dispatch = dispatch_connect(l->dispatch, result->slot, result->revision, s->said.inventory,
                                   s->said.n_inventory, s, now);
    if (engine_leader(l->options.engine) != NULL) {
        leader_heartbeat(engine_leader(l->options.engine), s->node, now);
    }
    log_info("node.session", log_id("node", s->node),
             log_strn("name", s->said.registration.node.name), log_u64("session", result->revision),
             log_u64("tasks", s->said.n_inventory));
    forget_hello(s);
    link_wake(l);
}

static void on_registered(struct engine_write *w, int status, const struct result *result,
                          const struct err *err)
{
    struct session *s = w->data;
    s->writing = false;
    if (s->call == NULL) {
        session_free(s);
        return;
    }
    if (s->state != SESSION_REGISTERING) {
        return; /* Ended meanwhile, by leadership that went or by what the agent said next. */
    }
    if (status == ERR_NOTLEADER || status == ERR_UNKNOWN) {
        session_redirect(s);
    } else if (status != 0) {
        session_end(s, GRPC_UNAVAILABLE, err->text);
    } else if (result->reject != REJECT_NONE) {
        log_warn("node.refused", log_id("node", s->node), log_str("why", result->text));
        session_end(s, GRPC_FAILED_PRECONDITION, result->text);
    } else {
        go_live(s, result);
    }
}

static void on_hello(struct session *s, const Ecs__Agent__V1__Hello *hello)
{
    struct err err = {0};
    if (s->state != SESSION_NEW) {
        session_end(s, GRPC_FAILED_PRECONDITION, "hello was said already");
        return;
    }
    if (!engine_is_leader(s->l->options.engine)) {
        session_redirect(s);
        return;
    }
    if (nodemsg_hello(hello, s->node, &s->hello, &s->said, &err) != 0) {
        log_warn("node.hello", log_id("node", s->node), log_err(&err));
        session_end(s, GRPC_INVALID_ARGUMENT, err.text);
        return;
    }
    s->state = SESSION_REGISTERING;
    s->write.data = s;
    s->write.decide = decide_register;
    s->write.done = on_registered;
    s->writing = true;
    engine_submit(s->l->options.engine, &s->write);
}

/* --- messages
 * -------------------------------------------------------------------------------------- */

/* Where a lease lasts many heartbeats every second one is answered (the first is), which is often
 * enough for an agent that waits for five; writing the answers is half of what heartbeats cost. */
static bool wants_ack(const struct session *s, const Ecs__Agent__V1__Heartbeat *heartbeat)
{
    const struct link_options *o = &s->l->options;
    return heartbeat->number % 2 == 1 || o->lease_ms < 6 * o->heartbeat_ms || heartbeat->census ||
           s->told != s->l->news;
}

static void on_heartbeat(struct session *s, const Ecs__Agent__V1__Heartbeat *heartbeat)
{
    Ecs__Agent__V1__HeartbeatAck ack = ECS__AGENT__V1__HEARTBEAT_ACK__INIT;
    const char *controllers[ENGINE_CONTROLLERS_MAX];
    Ecs__Agent__V1__ControllerMessage m = ECS__AGENT__V1__CONTROLLER_MESSAGE__INIT;
    struct leader *leader = engine_leader(s->l->options.engine);
    if (leader != NULL) {
        leader_heartbeat(leader, s->node, engine_now_ms(s->l->options.engine));
    }
    if (!wants_ack(s, heartbeat)) {
        return;
    }
    ack.has_number = true;
    ack.number = heartbeat->number;
    if (s->told != s->l->news) {
        s->told = s->l->news;
        ack.n_controllers = engine_controllers(s->l->options.engine, controllers);
        ack.controllers = (char **)(uintptr_t)controllers;
    }
    m.kind_case = ECS__AGENT__V1__CONTROLLER_MESSAGE__KIND_HEARTBEAT_ACK;
    m.heartbeat_ack = &ack;
    session_send(s, &m);
}

/* What may be said once the session lives. */
static int on_live(struct session *s, const Ecs__Agent__V1__AgentMessage *m, struct err *err)
{
    dispatch_heard(s->l->dispatch, s->dispatch, engine_now_ms(s->l->options.engine));
    switch (m->kind_case) {
    case ECS__AGENT__V1__AGENT_MESSAGE__KIND_HEARTBEAT:
        on_heartbeat(s, m->heartbeat);
        return m->heartbeat->census ? orphans_read(s, m->heartbeat, err) : 0;
    case ECS__AGENT__V1__AGENT_MESSAGE__KIND_REPORTS:
        return reports_read(s, m->reports, err);
    case ECS__AGENT__V1__AGENT_MESSAGE__KIND_ASSIGNMENTS_ACK:
        return dispatch_ack(s->l->dispatch, s->dispatch, m->assignments_ack->number, err);
    case ECS__AGENT__V1__AGENT_MESSAGE__KIND_LOG_CHUNK:
        logs_chunk(s, m->log_chunk);
        return 0;
    case ECS__AGENT__V1__AGENT_MESSAGE__KIND_HELLO:
    case ECS__AGENT__V1__AGENT_MESSAGE__KIND__NOT_SET:
    case _ECS__AGENT__V1__AGENT_MESSAGE__KIND__CASE_IS_INT_SIZE:
        break;
    }
    return err_set(err, ERR_PROTOCOL, "a message of a kind that has no place here");
}

void session_message(struct grpc_call *call, struct str bytes)
{
    struct session *s = grpc_call_data(call);
    ProtobufCMessage *m;
    const Ecs__Agent__V1__AgentMessage *message;
    struct err err = {0};
    int rv;
    if (s->state == SESSION_ENDED) {
        return;
    }
    arena_clear(&s->l->arena);
    if (pbc_unpack(&ecs__agent__v1__agent_message__descriptor, bytes, &s->l->arena, &m, &err) !=
        0) {
        session_end(s, GRPC_INVALID_ARGUMENT, err.text);
        return;
    }
    message = (const Ecs__Agent__V1__AgentMessage *)(const void *)m;
    if (message->kind_case == ECS__AGENT__V1__AGENT_MESSAGE__KIND_HELLO) {
        on_hello(s, message->hello);
        return;
    }
    if (s->state != SESSION_LIVE) {
        session_end(s, GRPC_FAILED_PRECONDITION, "hello comes first");
        return;
    }
    rv = on_live(s, message, &err);
    if (rv != 0) {
        log_warn("node.protocol", log_id("node", s->node), log_err(&err));
        session_end(s, grpc_code_of_err(rv), err.text);
    }
    link_wake(s->l);
}

/* --- life
 * -------------------------------------------------------------------------------------------- */

void session_start(struct grpc_call *call)
{
    struct link *l = grpc_call_data(call);
    const struct pki_identity *peer = grpc_call_peer(call);
    struct session *s = mem_alloc(l->options.mem, sizeof *s);
    s->l = l;
    s->call = call;
    list_init(&s->logs);
    list_push(&l->sessions, &s->link);
    arena_init(&s->hello, l->options.mem);
    grpc_call_set_data(call, s);
    if (peer->role != PKI_ROLE_AGENT || !id_parse(str_of(peer->id), &s->node)) {
        session_end(s, GRPC_UNAUTHENTICATED, "a node certificate is needed");
    }
}

void session_closed(struct grpc_call *call, int status)
{
    struct session *s = grpc_call_data(call);
    struct link *l = s->l;
    (void)status;
    s->call = NULL;
    s->state = SESSION_ENDED;
    logs_end_all(s, ERR_UNAVAILABLE, "the connection to the node was lost");
    if (s->dispatch != NULL) {
        if (l->dispatch != NULL) {
            dispatch_disconnect(l->dispatch, s->dispatch);
        }
        s->dispatch = NULL;
        l->n_live--;
        log_info("node.session_ended", log_id("node", s->node));
        link_wake(l);
    }
    if (!s->writing) {
        session_free(s);
    }
}
