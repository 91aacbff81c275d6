/* tests/unit/controller/api/rig.h
 *
 * An API over the fake engine: one request in AWS's JSON, one answer as text. */
#ifndef TESTS_UNIT_CONTROLLER_API_RIG_H
#define TESTS_UNIT_CONTROLLER_API_RIG_H

#include "controller/api/api.h"
#include "controller/api/operation.h"
#include "controller/codec/transcode.h"
#include "tests/lib/test.h"
#include "tests/unit/controller/api/fake_engine.h"

#include <stdio.h>
#include <stdlib.h>

#define NODE_ONE   "000000000000000100000000000000aa"
#define NODE_TWO   "000000000000000200000000000000bb"
#define ARN_PREFIX "arn:aws:ecs:us-east-1:123456789012:"

struct rig {
    uv_loop_t loop;
    struct engine *engine;
    struct api *api;
    struct buf answer; /* JSON, or "Code: message". */
    bool aws;
    bool eventual;
    bool done;
};

static inline void rig_open(struct rig *r, const struct api_backend *backend)
{
    struct err err = {0};
    memset(r, 0, sizeof *r);
    ck_assert_int_eq(uv_loop_init(&r->loop), 0);
    r->engine = fake_engine_open(&r->loop, test_mem());
    r->aws = true;
    struct api_options options = {
        .mem = test_mem(),
        .engine = r->engine,
        .account = "123456789012",
        .region = "us-east-1",
        .backend = backend,
    };
    ck_assert_msg(api_open(&r->loop, &options, &r->api, &err) == 0, "%s", err.text);
    buf_init(&r->answer, test_mem(), API_RESPONSE_MAX);
    fake_engine_lead(r->engine, true);
}

static inline void rig_close(struct rig *r)
{
    api_close(r->api);
    fake_engine_close(r->engine);
    buf_close(&r->answer);
    loop_drain(&r->loop);
    ck_assert_uint_eq(test_mem_in_use(), 0);
}

static inline void rig_done(struct api_call *c, void *data)
{
    struct rig *r = data;
    buf_clear(&r->answer);
    if (c->error.code != API_OK) {
        buf_printf(&r->answer, "%s: %s", api_code_info(c->error.code)->name, c->error.message);
    } else if (c->response == NULL) {
        buf_puts(&r->answer, "{}");
    } else {
        transcode_write(c->response, &r->answer);
    }
    r->done = true;
    api_call_close(c);
}

static inline struct api_call *rig_begin(struct rig *r, const char *service, const char *op,
                                         const char *json)
{
    struct principal caller = principal_of_insecure();
    struct api_call_options options = {.eventual = r->eventual};
    const struct api_op *row = api_find(r->api, str_of(service), str_of(op));
    struct api_call *c;
    struct err err = {0};
    ck_assert_msg(row != NULL, "no operation %s", op);
    c = api_call_open(r->api, row, &caller, NULL);
    c->aws = r->aws;
    ck_assert_msg(transcode_read(row->request, str_of(json), &c->arena, &c->request, &err) == 0,
                  "%s: %s", op, err.text);
    r->done = false;
    api_call_start(c, &options, rig_done, r);
    ck_assert(!r->done);
    return c;
}

static inline const char *rig_call(struct rig *r, const char *op, const char *json)
{
    (void)rig_begin(r, API_ECS_SERVICE, op, json);
    while (!r->done) {
        (void)uv_run(&r->loop, UV_RUN_ONCE);
    }
    return buf_cstr(&r->answer);
}

/* The answer contains the text. */
static inline void rig_has(struct rig *r, const char *op, const char *json, const char *expected)
{
    const char *answer = rig_call(r, op, json);
    ck_assert_msg(strstr(answer, expected) != NULL, "%s %s\n  expected %s\n  got      %s", op, json,
                  expected, answer);
}

/* The last answer contains the text, or not. */
static inline void rig_also(struct rig *r, const char *expected)
{
    const char *answer = buf_cstr(&r->answer);
    ck_assert_msg(strstr(answer, expected) != NULL, "expected %s\n  got      %s", expected, answer);
}

static inline void rig_not(struct rig *r, const char *unwanted)
{
    const char *answer = buf_cstr(&r->answer);
    ck_assert_msg(strstr(answer, unwanted) == NULL, "unwanted %s\n  got      %s", unwanted, answer);
}

/* The text of a member of the last answer, from the first place it occurs; the caller frees. */
static inline char *rig_text(struct rig *r, const char *member)
{
    char key[64];
    const char *at;
    (void)snprintf(key, sizeof key, "\"%s\":\"", member);
    at = strstr(buf_cstr(&r->answer), key);
    ck_assert_msg(at != NULL, "no %s in %s", member, buf_cstr(&r->answer));
    at += strlen(key);
    return strndup(at, strcspn(at, "\""));
}

/* A node that is registered and connected. */
/* Of a capacity provider, or of none (NULL). */
static inline void rig_node_of(struct rig *r, const char *id, uint32_t cpu, uint32_t memory,
                               const char *provider)
{
    struct command cmd;
    struct result result;
    struct attribute attributes[] = {
        {STR("ecs.availability-zone"), STR("zone-a")},
        {STR("ecs.cpu-architecture"), STR("x86_64")},
        {STR("ecs.capacity-provider"), str_of(provider)},
    };
    uint16_t reserved[] = {22, 2375};
    memset(&cmd, 0, sizeof cmd);
    cmd.kind = CMD_NODE_REGISTER;
    cmd.u.node_register.cluster = STR("default");
    struct node *n = &cmd.u.node_register.node;
    ck_assert(id_parse(str_of(id), &n->id));
    n->name = STR("machine");
    n->address = STR("10.0.0.1");
    n->cpu = cpu;
    n->memory = memory;
    n->port_min = 32768;
    n->port_max = 60999;
    n->reserved_tcp = reserved;
    n->n_reserved_tcp = 2;
    n->attributes = attributes;
    n->n_attributes = provider == NULL ? 2 : 3;
    n->agent_version = STR("1.2.3");
    n->connected = true;
    fake_engine_apply(r->engine, &cmd, &result);
    ck_assert_msg(result.reject == REJECT_NONE, "%s", result.text);
    memset(&cmd, 0, sizeof cmd);
    cmd.kind = CMD_NODE_CONNECTION;
    ck_assert(id_parse(str_of(id), &cmd.u.connection.id));
    cmd.u.connection.session = store_node(r->engine->store, result.slot)->session;
    cmd.u.connection.connection = CONNECTION_UP;
    fake_engine_apply(r->engine, &cmd, &result);
}

static inline void rig_node(struct rig *r, const char *id, uint32_t cpu, uint32_t memory)
{
    rig_node_of(r, id, cpu, memory, NULL);
}

/* Let the leader decide until it has nothing to do. */
static inline void rig_pass(struct rig *r)
{
    struct command commands[16];
    struct arena arena;
    int64_t deadline;
    arena_init(&arena, test_mem());
    while (leader_dirty(r->engine->leader, r->engine->now_ms, &deadline)) {
        uint32_t n = leader_pass(r->engine->leader, r->engine->now_ms, commands, 16, &arena);
        for (uint32_t i = 0; i < n; i++) {
            struct result result;
            fake_engine_apply(r->engine, &commands[i], &result);
        }
    }
    arena_close(&arena);
}

/* What an agent would report of the only task of the store that has this status. */
static inline void rig_report(struct rig *r, uint32_t slot, uint8_t status)
{
    const struct task *t = store_task(r->engine->store, slot);
    const struct node *n = store_node(r->engine->store, t->node);
    struct container_report container = {
        .status = status == TASK_RUNNING ? CONTAINER_RUNNING : CONTAINER_STOPPED,
        .has_exit_code = status == TASK_STOPPED,
        .exit_code = 7,
        .reason = STR("because"),
        .runtime_id = STR("abc123"),
        .image_digest = STR("sha256:00"),
    };
    struct task_report report = {
        .id = t->id,
        .node = n->id,
        .session = n->session,
        .status = status,
        .started_at = r->engine->now_ms,
        .stopped_at = status == TASK_STOPPED ? r->engine->now_ms : 0,
        .containers = &container,
        .n_containers = 1,
    };
    struct command cmd;
    struct result result;
    memset(&cmd, 0, sizeof cmd);
    cmd.kind = CMD_TASK_REPORTS;
    cmd.u.reports.v = &report;
    cmd.u.reports.n = 1;
    fake_engine_apply(r->engine, &cmd, &result);
    ck_assert_uint_eq(result.n_done, 1);
}

#endif
