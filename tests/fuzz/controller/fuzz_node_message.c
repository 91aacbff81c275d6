/* What an agent may say, as the leader takes it: hello becomes a registration in the state, reports
 * go through the dispatcher into it, and the state stays consistent. The input is a list of
 * messages, each behind its length (u16, little-endian). A task id that begins with a zero byte
 * stands for a task that really is on the node. */
#include "controller/codec/pbc.h"
#include "controller/link/link_int.h"
#include "tests/lib/test.h"
#include "tests/lib/world.h"

#include <stdlib.h>
#include <string.h>

#define MESSAGES_MAX 16
#define OUTS         16
#define COMMANDS     4
#define REBUILD_EACH 100 /* Inputs; so that the state does not grow for ever. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct rig {
    struct world w;
    struct link l;
    struct session s;
    struct id task;
    unsigned n_inputs;
} rig;

static void follow(struct world *w, const struct command *cmd)
{
    struct rig *r = w->data;
    (void)cmd;
    dispatch_changed(r->l.dispatch, &w->changes);
}

static void open_rig(struct rig *r)
{
    static const struct dispatch_settings settings = {5000, 3, 2, 10, 1000};
    world_open(&r->w);
    r->l.dispatch = dispatch_open(r->w.store, &settings, test_mem());
    arena_init(&r->l.arena, test_mem());
    arena_init(&r->s.hello, test_mem());
    r->s.l = &r->l;
    r->s.node = world_id(1);
    r->w.data = r;
    r->w.after = follow;
    if (!world_cluster(&r->w, "c") || !world_taskdef(&r->w, "f", 1, 1, 0)) {
        abort();
    }
}

static void close_rig(struct rig *r)
{
    dispatch_close(r->l.dispatch);
    arena_close(&r->s.hello);
    arena_close(&r->l.arena);
    if (store_check(r->w.store, NULL) != 0) {
        abort();
    }
    store_close(r->w.store); /* Not world_close(), whose assertions need a test around them. */
    changes_close(&r->w.changes);
    arena_close(&r->w.arena);
    memset(r, 0, sizeof *r);
}

/* Whatever the dispatcher wants said or written is, until it has nothing left. */
static void drain(struct rig *r)
{
    struct dispatch_out out[OUTS];
    struct command cmds[COMMANDS];
    struct arena a;
    uint32_t n;
    arena_init(&a, test_mem());
    do {
        n = dispatch_step(r->l.dispatch, r->w.now, out, OUTS, &a);
        for (uint32_t i = 0; i < n; i++) {
            if (out[i].kind == DISPATCH_CLOSE) {
                dispatch_disconnect(r->l.dispatch, out[i].session);
                r->s.dispatch = out[i].session == r->s.dispatch ? NULL : r->s.dispatch;
            }
        }
    } while (n == OUTS);
    while ((n = dispatch_take(r->l.dispatch, r->w.now, cmds, COMMANDS, &a)) > 0) {
        for (uint32_t i = 0; i < n; i++) {
            (void)world_apply(&r->w, &cmds[i]);
        }
        dispatch_settle(r->l.dispatch, true);
    }
    arena_close(&a);
}

/* --- messages ----------------------------------------------------------------------------------
 */

static void on_hello(struct rig *r, const Ecs__Agent__V1__Hello *hello)
{
    struct command cmd = {.kind = CMD_NODE_REGISTER};
    struct err err = {0};
    uint32_t node;
    arena_clear(&r->s.hello);
    if (nodemsg_hello(hello, r->s.node, &r->s.hello, &r->s.said, &err) != 0) {
        if (err.text[0] == '\0') {
            abort();
        }
        return;
    }
    cmd.u.node_register = r->s.said.registration;
    if (!world_apply(&r->w, &cmd)) {
        return;
    }
    node = r->w.result.slot;
    r->s.dispatch = dispatch_connect(r->l.dispatch, node, r->w.result.revision, r->s.said.inventory,
                                     r->s.said.n_inventory, &r->s, r->w.now);
    if (world_run(&r->w, 0, 0, node)) {
        r->task = r->w.result.ids[0];
    }
}

static void name_task(const struct rig *r, const Ecs__Agent__V1__Reports *reports)
{
    for (size_t i = 0; i < reports->n_tasks; i++) {
        const ProtobufCBinaryData *id = &reports->tasks[i]->task_id;
        if (id->len == 16 && id->data[0] == 0) {
            nodemsg_id_write(r->task, id->data);
        }
    }
}

static void on_message(struct rig *r, struct str bytes)
{
    const Ecs__Agent__V1__AgentMessage *message;
    ProtobufCMessage *m;
    arena_clear(&r->l.arena);
    if (pbc_unpack(&ecs__agent__v1__agent_message__descriptor, bytes, &r->l.arena, &m, NULL) != 0) {
        return;
    }
    message = (const Ecs__Agent__V1__AgentMessage *)(const void *)m;
    if (message->kind_case == ECS__AGENT__V1__AGENT_MESSAGE__KIND_HELLO) {
        on_hello(r, message->hello);
    } else if (r->s.dispatch == NULL) {
        return;
    } else if (message->kind_case == ECS__AGENT__V1__AGENT_MESSAGE__KIND_REPORTS) {
        name_task(r, message->reports);
        (void)reports_read(&r->s, message->reports, NULL);
    } else if (message->kind_case == ECS__AGENT__V1__AGENT_MESSAGE__KIND_ASSIGNMENTS_ACK) {
        (void)dispatch_ack(r->l.dispatch, r->s.dispatch, message->assignments_ack->number, NULL);
    }
    r->w.now += 10;
    drain(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = str_make((const char *)data, size);
    if (rig.n_inputs == 0) {
        open_rig(&rig);
    }
    for (int i = 0; i < MESSAGES_MAX && rest.n >= 2; i++) {
        size_t n = (size_t)((uint8_t)rest.p[0] | (uint8_t)rest.p[1] << 8);
        rest = str_slice(rest, 2, rest.n);
        on_message(&rig, str_slice(rest, 0, n));
        rest = str_slice(rest, n, rest.n);
    }
    if (++rig.n_inputs == REBUILD_EACH) {
        close_rig(&rig);
    }
    return 0;
}
