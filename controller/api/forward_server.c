#include "controller/api/forward_server.h"

#include "controller/api/door.h"
#include "controller/api/grpc_front.h"
#include "controller/codec/pbc.h"
#include "proto/ecs/internal/v1/forward.pb-c.h"

#include <string.h>

struct hop { /* One forwarded call; from on_start to on_close. */
    struct api *api;
    struct grpc_call *grpc;
    struct api_call *call; /* NULL before it begins and after the answer. */
};

static void answer(struct hop *h, struct api_call *c)
{
    Ecs__Internal__V1__CallResponse *m = api_new(c, &ecs__internal__v1__call_response__descriptor);
    if (c->not_leader) {
        m->has_not_leader = true;
        m->not_leader = true;
    } else if (c->error.code != API_OK) {
        m->has_error_code = true;
        m->error_code = (uint32_t)c->error.code;
        m->error_message = c->error.message;
    } else if (c->response != NULL) {
        struct str bytes = pbc_pack_arena(c->response, &c->arena);
        m->has_response = true;
        m->response.data = (uint8_t *)(uintptr_t)bytes.p;
        m->response.len = bytes.n;
    }
    grpc_call_reply(h->grpc, pbc_pack_arena(&m->base, &c->arena));
}

static void done(struct api_call *c, void *data)
{
    struct hop *h = data;
    answer(h, c);
    h->call = NULL;
    api_call_close(c);
}

static int begin(struct hop *h, const Ecs__Internal__V1__CallRequest *r, struct err *err)
{
    const struct api_op *op = api_find_path(h->api, str_of(r->operation));
    struct api_call_options options = {.no_forward = true};
    uint64_t remaining = grpc_call_remaining_ms(h->grpc);
    struct principal caller;
    int rv = principal_of_forward(r->caller_kind, str_of(r->caller_id), &caller, err);
    if (rv != 0) {
        return rv;
    }
    if (op == NULL) {
        return err_set(err, ERR_UNSUPPORTED, "operation %.100s is not known here",
                       r->operation == NULL ? "" : r->operation);
    }
    h->call = api_call_open(h->api, op, &caller, r->request_id);
    if (h->call == NULL) {
        return err_set(err, ERR_FULL, "too many calls under way");
    }
    options.deadline_ms = remaining == UINT64_MAX ? 0 : remaining;
    (void)api_call_unpack(h->call, str_make((const char *)r->request.data, r->request.len));
    api_call_start(h->call, &options, done, h);
    return 0;
}

static void on_message(struct grpc_call *gc, struct str message)
{
    struct hop *h = grpc_call_data(gc);
    struct err err = {0};
    struct arena arena;
    ProtobufCMessage *m;
    int rv;
    if (!grpc_front_allow(gc, api_mem(h->api), ACCESS_INTERNAL)) {
        return;
    }
    arena_init(&arena, api_mem(h->api));
    rv = pbc_unpack(&ecs__internal__v1__call_request__descriptor, message, &arena, &m, &err);
    if (rv == 0) {
        rv = begin(h, (const Ecs__Internal__V1__CallRequest *)m, &err);
    }
    if (rv != 0) {
        grpc_call_fail(gc, grpc_code_of_err(rv), "%s", err.text);
    }
    arena_close(&arena);
}

static void on_start(struct grpc_call *gc)
{
    struct api *api = grpc_call_data(gc);
    struct hop *h = mem_alloc(api_mem(api), sizeof *h);
    h->api = api;
    h->grpc = gc;
    grpc_call_set_data(gc, h);
}

static void on_close(struct grpc_call *gc, int status)
{
    struct hop *h = grpc_call_data(gc);
    (void)status;
    if (h->call != NULL) {
        api_call_cancel(h->call);
    }
    mem_free(api_mem(h->api), h, sizeof *h);
}

void forward_server_method(struct api *api, struct grpc_method *ret)
{
    memset(ret, 0, sizeof *ret);
    ret->path = "/ecs.internal.v1.Forward/Call";
    ret->kind = GRPC_UNARY;
    ret->on_start = on_start;
    ret->on_message = on_message;
    ret->on_close = on_close;
    ret->data = api;
}
