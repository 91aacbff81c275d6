/* controller/api/state.h
 *
 * The inside of struct api, for api.c, call.c and forward.c only. */
#ifndef CONTROLLER_API_STATE_H
#define CONTROLLER_API_STATE_H

#include "common/loop/loop.h"
#include "common/net/grpc_client.h"
#include "controller/api/api.h"

#define API_CHANNELS_MAX 16 /* Controllers ever seen as leader. */
#define API_SERVICES     2

struct api_channel {
    char address[ADDR_TEXT_MAX];
    struct grpc_channel *channel;
};

struct api_service {
    const ProtobufCServiceDescriptor *desc;
    uint32_t first; /* Index of its first operation in ops. */
};

struct api {
    uv_loop_t *loop;
    const struct mem *mem;
    struct engine *engine;
    struct tls_context *tls;
    const struct api_backend *backend;
    struct arn_names names;
    char account[16];
    char region[32];
    struct api_service services[API_SERVICES];
    struct api_op *ops;
    struct api_op_stats *stats;
    uint32_t n_ops;
    uint32_t n_calls;
    struct list calls;   /* All open ones. */
    struct list ready;   /* To be attempted when `soon` runs. */
    struct list waiting; /* For a leader. */
    struct loop_soon *soon;
    struct loop_timer *poll; /* Runs while somebody waits. */
    struct engine_watch watch;
    struct api_channel channels[API_CHANNELS_MAX];
    uint32_t n_channels;
    uint64_t started_ms;
    bool draining;
    bool closed; /* Released with the last call. */
};

/* Attempt c (again): here, by the leader, or wait for one. */
void api_call_attempt(struct api_call *c);

/* Put c back: there is no leader to be asked at the moment. */
void api_call_wait(struct api_call *c);

/* Send c to the leader at that address ("host:port"). */
void api_forward(struct api_call *c, const char *address);

/* The channel to that controller, made when there is none; NULL with *err. */
struct grpc_channel *api_channel_to(struct api *api, const char *address, struct err *err);

/* Free api when it is closed and the last call is gone. */
void api_release(struct api *api);

/* Release the channels. */
void api_forward_close(struct api *api);

#endif
