#include "controller/api/grpc_front.h"

#include "controller/api/door.h"

#include <string.h>

struct front { /* One gRPC call; its data from on_start to on_close. */
    struct api *api;
    struct api_call *call; /* NULL before the message and after the answer. */
    struct grpc_call *grpc;
};

int api_consistency(struct str value, bool *ret_eventual, struct api_error *e)
{
    if (value.n == 0 || str_eqc(value, "strong")) {
        *ret_eventual = false;
        return 0;
    }
    if (str_eqc(value, "eventual")) {
        *ret_eventual = true;
        return 0;
    }
    return api_error_set(e, API_INVALID_PARAMETER,
                         API_CONSISTENCY_HEADER " must be \"strong\" or \"eventual\".");
}

/* --- errors ------------------------------------------------------------------------------------
 *
 * google.rpc.Status is { 1: code, 2: message, 3: repeated Any }, Any is { 1: type_url, 2: value },
 * google.rpc.ErrorInfo is { 1: reason, 2: domain }. Everything is shorter than 16 KiB. */

static void put_varint(struct buf *b, uint64_t v)
{
    while (v >= 0x80) {
        buf_put_u8(b, (uint8_t)(v | 0x80));
        v >>= 7;
    }
    buf_put_u8(b, (uint8_t)v);
}

static void put_bytes(struct buf *b, unsigned field, const void *bytes, size_t n)
{
    put_varint(b, field << 3 | 2);
    put_varint(b, n);
    buf_put(b, bytes, n);
}

static void put_text(struct buf *b, unsigned field, const char *text)
{
    put_bytes(b, field, text, strlen(text));
}

static void put_status(struct buf *b, const struct mem *mem, const struct api_error *e)
{
    const struct api_code_info *info = api_code_info(e->code);
    struct buf inner;
    struct buf any;
    buf_init(&inner, mem, 1024);
    buf_init(&any, mem, 2048);
    put_text(&inner, 1, info->name);
    put_text(&inner, 2, "ecs");
    put_text(&any, 1, "type.googleapis.com/google.rpc.ErrorInfo");
    put_bytes(&any, 2, inner.data, inner.len);
    put_varint(b, 1 << 3);
    put_varint(b, info->grpc);
    put_text(b, 2, e->message);
    put_bytes(b, 3, any.data, any.len);
    buf_close(&inner);
    buf_close(&any);
}

void grpc_front_fail(struct grpc_call *c, const struct mem *mem, const struct api_error *e)
{
    struct buf b;
    buf_init(&b, mem, 8192);
    put_status(&b, mem, e);
    grpc_call_add_trailer(c, API_ERROR_CODE_TRAILER, str_of(api_code_info(e->code)->name));
    grpc_call_finish(c, api_code_info(e->code)->grpc, e->message,
                     str_make((const char *)b.data, b.len));
    buf_close(&b);
}

bool grpc_front_allow(struct grpc_call *c, const struct mem *mem, enum access access)
{
    struct api_error e = {0};
    struct err err = {0};
    struct principal caller = door_caller(grpc_call_http(c));
    int rv = principal_check(&caller, access, &err);
    if (rv == 0) {
        return true;
    }
    (void)api_error_set(&e, rv == ERR_NOTFOUND ? API_NO_IDENTITY : API_ACCESS_DENIED, "%s",
                        err.text);
    grpc_front_fail(c, mem, &e);
    return false;
}

/* --- operations --------------------------------------------------------------------------------
 */

static void front_done(struct api_call *c, void *data)
{
    struct front *f = data;
    struct buf b;
    buf_init(&b, api_mem(f->api), API_RESPONSE_MAX);
    if (c->error.code == API_OK) {
        (void)api_call_pack(c, &b);
    }
    if (c->error.code == API_OK) {
        grpc_call_reply(f->grpc, str_make((const char *)b.data, b.len));
    } else {
        grpc_front_fail(f->grpc, api_mem(f->api), &c->error);
    }
    buf_close(&b);
    f->call = NULL;
    api_call_close(c);
}

static void front_start(struct grpc_call *gc)
{
    struct api *api = grpc_call_data(gc);
    struct front *f = mem_alloc(api_mem(api), sizeof *f);
    f->api = api;
    f->grpc = gc;
    grpc_call_set_data(gc, f);
}

static void front_message(struct grpc_call *gc, struct str message)
{
    struct front *f = grpc_call_data(gc);
    struct api_call_options options = {0};
    struct principal caller = door_caller(grpc_call_http(gc));
    const struct api_op *op = api_find_path(f->api, grpc_call_path(gc));
    uint64_t remaining = grpc_call_remaining_ms(gc);
    struct api_call *c;
    if (!grpc_front_allow(gc, api_mem(f->api), ACCESS_API)) {
        return;
    }
    c = api_call_open(f->api, op, &caller, NULL);
    if (c == NULL) {
        struct api_error e = {0};
        (void)api_error_of_err(&e, ERR_FULL, "too many calls under way");
        grpc_front_fail(gc, api_mem(f->api), &e);
        return;
    }
    f->call = c;
    grpc_call_add_header(gc, API_REQUEST_ID_HEADER, str_of(c->request_id));
    options.deadline_ms = remaining == UINT64_MAX ? 0 : remaining;
    if (api_consistency(grpc_call_metadata(gc, API_CONSISTENCY_HEADER), &options.eventual,
                        &c->error) == 0) {
        (void)api_call_unpack(c, message);
    }
    api_call_start(c, &options, front_done, f);
}

static void front_close(struct grpc_call *gc, int status)
{
    struct front *f = grpc_call_data(gc);
    (void)status;
    if (f->call != NULL) {
        api_call_cancel(f->call);
    }
    mem_free(api_mem(f->api), f, sizeof *f);
}

const struct grpc_method *grpc_front_find(struct grpc_call *c, void *data)
{
    struct grpc_front *front = data;
    return api_find_path(front->api, grpc_call_path(c)) != NULL ? &front->method : NULL;
}

void grpc_front_init(struct grpc_front *front, struct api *api)
{
    memset(front, 0, sizeof *front);
    front->api = api;
    front->method.path = "";
    front->method.kind = GRPC_UNARY;
    front->method.on_start = front_start;
    front->method.on_message = front_message;
    front->method.on_close = front_close;
    front->method.data = api;
}
