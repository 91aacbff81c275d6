/* One hop to the leader: the call, packed again, with the caller's identity. The leader does not
 * send it on; when it does not lead any more it says so and the call waits for the next one. */
#include "common/loop/loop.h"
#include "controller/api/state.h"
#include "controller/codec/pbc.h"
#include "proto/ecs/internal/v1/forward.pb-c.h"

#include <assert.h>
#include <string.h>

#define FORWARD_PATH        "/ecs.internal.v1.Forward/Call"
#define FORWARD_DEADLINE_MS 30000

struct grpc_channel *api_channel_to(struct api *api, const char *address, struct err *err)
{
    struct grpc_channel_options options = {
        .target = address,
        .tls = api->tls,
        .connect_ms = 1000,
        .backoff_max_ms = 1000,
        .keepalive_ms = 1000, /* A leader that vanished is noticed within two seconds. */
        .keepalive_timeout_ms = 1000,
        .message_max = API_RESPONSE_MAX,
        .seed = engine_random(api->engine),
    };
    struct api_channel *ch;
    for (uint32_t i = 0; i < api->n_channels; i++) {
        if (strcmp(api->channels[i].address, address) == 0) {
            return api->channels[i].channel;
        }
    }
    if (api->n_channels == API_CHANNELS_MAX) {
        (void)err_set(err, ERR_FULL, "more than %d leaders", API_CHANNELS_MAX);
        return NULL;
    }
    if (api->tls != NULL) {
        options.expect.role = PKI_ROLE_CONTROLLER;
    }
    ch = &api->channels[api->n_channels];
    if (!str_copy(ch->address, sizeof ch->address, str_of(address))) {
        (void)err_set(err, ERR_TOOBIG, "leader's address %s", address);
        return NULL;
    }
    if (grpc_channel_open(api->loop, &options, &ch->channel, err) != 0) {
        return NULL;
    }
    api->n_channels++;
    return ch->channel;
}

void api_forward_close(struct api *api)
{
    for (uint32_t i = 0; i < api->n_channels; i++) {
        grpc_channel_close(api->channels[i].channel);
    }
    api->n_channels = 0;
}

/* The leader's answer becomes ours. */
static void take_answer(struct api_call *c, struct str message)
{
    Ecs__Internal__V1__CallResponse *r;
    struct err err = {0};
    ProtobufCMessage *m;
    if (pbc_unpack(&ecs__internal__v1__call_response__descriptor, message, &c->arena, &m, &err)) {
        (void)api_error_of_err(&c->error, ERR_INTERNAL, "the leader's answer cannot be read");
        return;
    }
    r = (Ecs__Internal__V1__CallResponse *)m;
    if (r->not_leader) {
        c->not_leader = true;
        return;
    }
    if (r->error_code != API_OK) {
        enum api_code code = r->error_code < API_CODE_N ? (enum api_code)r->error_code : API_SERVER;
        const char *text = r->error_message != NULL ? r->error_message : "";
        (void)api_error_set(&c->error, code, "%s", text);
        return;
    }
    struct str bytes = {(const char *)r->response.data, r->response.len};
    if (pbc_unpack(c->op->response, bytes, &c->arena, &c->response, &err) != 0) {
        (void)api_error_of_err(&c->error, ERR_INTERNAL, "the leader's answer cannot be read");
    }
}

static bool changes_nothing(const struct api_call *c)
{
    return c->op->handler->kind == API_READ;
}

static void transport_failed(struct api_call *c, const struct grpc_status *status)
{
    switch (status->code) {
    case GRPC_DEADLINE_EXCEEDED:
        (void)api_error_of_err(&c->error, ERR_TIMEOUT, NULL);
        break;
    case GRPC_UNAVAILABLE:
    case GRPC_CANCELLED:
        (void)api_error_of_err(&c->error, ERR_UNKNOWN, NULL);
        break;
    case GRPC_OK:
    case GRPC_UNKNOWN:
    case GRPC_INVALID_ARGUMENT:
    case GRPC_NOT_FOUND:
    case GRPC_ALREADY_EXISTS:
    case GRPC_PERMISSION_DENIED:
    case GRPC_RESOURCE_EXHAUSTED:
    case GRPC_FAILED_PRECONDITION:
    case GRPC_ABORTED:
    case GRPC_OUT_OF_RANGE:
    case GRPC_UNIMPLEMENTED:
    case GRPC_INTERNAL:
    case GRPC_DATA_LOSS:
    case GRPC_UNAUTHENTICATED:
        (void)api_error_of_err(&c->error, ERR_INTERNAL, status->message);
        break;
    }
}

static void forward_done(struct grpc_client_call *gc, const struct grpc_status *status,
                         struct str message, void *data)
{
    struct api_call *c = data;
    (void)gc;
    c->engaged = false;
    if (c->orphan) {
        api_call_close(c);
        return;
    }
    if (status->code == GRPC_OK) {
        take_answer(c, message);
        if (c->not_leader) {
            c->not_leader = false;
            api_call_wait(c);
            return;
        }
    } else if (status->not_sent || (changes_nothing(c) && status->code == GRPC_UNAVAILABLE)) {
        api_call_wait(c);
        return;
    } else {
        transport_failed(c, status);
    }
    api_call_finish(c);
}

static struct str pack_call(struct api_call *c)
{
    Ecs__Internal__V1__CallRequest *m = api_new(c, &ecs__internal__v1__call_request__descriptor);
    struct str request = pbc_pack_arena(c->request, &c->arena);
    m->operation = arena_printf(&c->arena, "/%s/%s", c->op->service, c->op->name);
    m->has_request = true;
    m->request.data = (uint8_t *)(uintptr_t)request.p;
    m->request.len = request.n;
    m->has_caller_kind = true;
    m->caller_kind = c->caller.kind;
    m->caller_id = c->caller.id;
    m->request_id = c->request_id;
    return pbc_pack_arena(&m->base, &c->arena);
}

void api_forward(struct api_call *c, const char *address)
{
    struct err err = {0};
    struct grpc_call_options options = {.deadline_ms = FORWARD_DEADLINE_MS};
    struct grpc_channel *ch = api_channel_to(c->api, address, &err);
    if (ch == NULL) {
        (void)api_fail_err(c, ERR_INTERNAL, &err);
        api_call_finish(c);
        return;
    }
    if (c->deadline_ms != 0) {
        uint64_t now = clock_mono_ms();
        options.deadline_ms = c->deadline_ms > now ? c->deadline_ms - now : 1;
    }
    c->engaged = true;
    (void)grpc_unary(ch, FORWARD_PATH, pack_call(c), &options, forward_done, c);
}
