/* tests/integration/controller/house.h
 *
 * One controller inside the test program: engine with its log and checkpoint on disk, API, front
 * door on a free port, node link. */
#ifndef TESTS_INTEGRATION_CONTROLLER_HOUSE_H
#define TESTS_INTEGRATION_CONTROLLER_HOUSE_H

#include "common/loop/loop.h"
#include "common/loop/sysmem.h"
#include "controller/api/api.h"
#include "controller/api/door.h"
#include "controller/api/operation.h"
#include "controller/auth/secret.h"
#include "controller/codec/transcode.h"
#include "controller/engine/open.h"
#include "controller/link/link.h"
#include "tests/lib/test.h"
#include "tests/lib/testnet.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HOUSE_WAIT_MS 10000

struct house {
    uv_loop_t loop;
    struct testnet net;
    char dir[64];
    struct engine *engine;
    struct tls_context *tls;
    struct api *api;
    struct link *link;
    struct door *door;
    struct loop_timer *alarm;
    bool late;
    struct buf answer; /* Of the last API call. */
    bool done;
};

static inline void house_alarm(void *data)
{
    ((struct house *)data)->late = true;
}

/* Run the loop until *flag. */
static inline bool house_until(struct house *h, const bool *flag)
{
    h->late = false;
    loop_timer_start(h->alarm, HOUSE_WAIT_MS);
    while (!*flag && !h->late) {
        (void)uv_run(&h->loop, UV_RUN_ONCE);
    }
    loop_timer_stop(h->alarm);
    return *flag;
}

static inline void house_open_engine(struct house *h, unsigned n_members)
{
    /* The others do not exist: nobody is ever elected. */
    static const struct engine_member members[] = {
        {1, "127.0.0.1:0", "127.0.0.1:1001"},
        {2, "127.0.0.1:1", "127.0.0.1:1002"},
        {3, "127.0.0.1:2", "127.0.0.1:1003"},
    };
    struct engine_config config = {
        .dir = h->dir,
        .id = 1,
        .members = members,
        .n_members = n_members,
        .leader = {.lost_after_ms = 60000, .grace_ms = 60000, .plan_items_max = 1000},
    };
    struct err err = {0};
    ck_assert_msg(engine_open(&h->loop, &config, sysmem(), &h->engine, &err) == 0, "%s", err.text);
}

static inline void house_open_door(struct house *h)
{
    static const char *const alpn[TLS_ALPN_MAX] = {"h2"};
    struct api_options api = {
        .mem = test_mem(), .engine = h->engine, .account = "123456789012", .region = "us-east-1"};
    struct link_options link = {
        .mem = test_mem(),
        .engine = h->engine,
        .account = "123456789012",
        .region = "us-east-1",
        .domain = "test.ecs",
        .ca_pem = str_make((const char *)h->net.ca.data, h->net.ca.len),
        .ca_key_pem = str_make((const char *)h->net.ca_key.data, h->net.ca_key.len),
    };
    struct door_options door = {0};
    const struct grpc_method *methods;
    size_t n;
    struct err err = {0};
    h->tls = testnet_server(&h->net, PKI_ROLE_CONTROLLER, "1", TLS_VERIFY_OPTIONAL, alpn);
    door.tls = h->tls;
    ck_assert_int_eq(addr_parse(STR("127.0.0.1:0"), 0, &door.tls_addr, &err), 0);
    ck_assert_msg(api_open(&h->loop, &api, &h->api, &err) == 0, "%s", err.text);
    ck_assert_msg(link_open(&h->loop, &link, &h->link, &err) == 0, "%s", err.text);
    ck_assert_msg(door_open(h->api, &door, &h->door, &err) == 0, "%s", err.text);
    methods = link_methods(h->link, &n);
    ck_assert_msg(door_register_grpc(h->door, methods, n, &err) == 0, "%s", err.text);
}

/* With one member it leads as soon as this returns; with three it never does. */
static inline void house_open(struct house *h, unsigned n_members)
{
    memset(h, 0, sizeof *h);
    (void)snprintf(h->dir, sizeof h->dir, "/tmp/ecs-test-link-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(h->dir));
    ck_assert_int_eq(uv_loop_init(&h->loop), 0);
    testnet_open(&h->net);
    buf_init(&h->answer, test_mem(), API_RESPONSE_MAX);
    h->alarm = loop_timer_open(&h->loop, house_alarm, h);
    house_open_engine(h, n_members);
    house_open_door(h);
    loop_timer_start(h->alarm, HOUSE_WAIT_MS);
    while (n_members == 1 && !engine_is_leader(h->engine) && !h->late) {
        (void)uv_run(&h->loop, UV_RUN_ONCE);
    }
    ck_assert(!h->late);
}

static inline int house_unlink(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

/* As the program does it, with whatever is still open. */
static inline void house_close(struct house *h)
{
    door_close(h->door);
    engine_abandon(h->engine);
    link_close(h->link);
    api_close(h->api);
    engine_close(h->engine);
    tls_context_close(h->tls);
    loop_timer_close(h->alarm);
    buf_close(&h->answer);
    testnet_close(&h->net);
    loop_drain(&h->loop);
    (void)nftw(h->dir, house_unlink, 16, FTW_DEPTH | FTW_PHYS);
    ck_assert_uint_eq(test_mem_in_use(), 0);
}

/* --- the users' side
 * ------------------------------------------------------------------------------ */

static inline void house_answered(struct api_call *c, void *data)
{
    struct house *h = data;
    buf_clear(&h->answer);
    if (c->error.code != API_OK) {
        buf_printf(&h->answer, "%s: %s", api_code_info(c->error.code)->name, c->error.message);
    } else if (c->response != NULL) {
        transcode_write(c->response, &h->answer);
    }
    h->done = true;
    api_call_close(c);
}

static inline struct api_call *house_begin(struct house *h, const char *op, const char *json)
{
    struct principal caller = principal_of_insecure();
    struct api_call_options options = {0};
    const struct api_op *row = api_find(h->api, STR(API_ECS_SERVICE), str_of(op));
    struct api_call *c;
    struct err err = {0};
    ck_assert_msg(row != NULL, "no operation %s", op);
    c = api_call_open(h->api, row, &caller, NULL);
    c->aws = true;
    ck_assert_msg(transcode_read(row->request, str_of(json), &c->arena, &c->request, &err) == 0,
                  "%s: %s", op, err.text);
    h->done = false;
    api_call_start(c, &options, house_answered, h);
    return c;
}

static inline const char *house_call(struct house *h, const char *op, const char *json)
{
    (void)house_begin(h, op, json);
    ck_assert(house_until(h, &h->done));
    return buf_cstr(&h->answer);
}

/* The call's answer contains the text. */
static inline void house_has(struct house *h, const char *op, const char *json, const char *text)
{
    const char *answer = house_call(h, op, json);
    ck_assert_msg(strstr(answer, text) != NULL, "%s\n  expected %s\n  got      %s", op, text,
                  answer);
}

/* --- commands
 * ------------------------------------------------------------------------------------- */

struct house_write {
    struct engine_write write;
    struct command cmd;
    struct result result;
    int status;
    bool done;
};

static inline int house_decide(struct engine_write *w, struct engine *e, struct command *cmd,
                               struct arena *arena, struct err *err)
{
    (void)e;
    (void)arena;
    (void)err;
    *cmd = ((struct house_write *)w->data)->cmd;
    return 0;
}

static inline void house_written(struct engine_write *w, int status, const struct result *result,
                                 const struct err *err)
{
    struct house_write *x = w->data;
    (void)err;
    x->status = status;
    x->done = true;
    if (result != NULL) {
        x->result = *result;
    }
}

static inline void house_submit(struct house *h, struct house_write *x)
{
    x->write.data = x;
    x->write.decide = house_decide;
    x->write.done = house_written;
    x->done = false;
    engine_submit(h->engine, &x->write);
}

#endif
