/* controller/api/call.h
 *
 * One operation under way, whatever door it came through: found in the table, executed here or by
 * the leader, answered with a message or an error.
 *
 *     c = api_call_open(api, op, &caller);
 *     c->request = ... unpacked into c->arena ...
 *     api_call_start(c, ..., done, data);
 *     done: read c->response or c->error, then api_call_close(c)
 *
 * Where it runs: reads that may be eventual and operations about this controller here; everything
 * else on the leader. A follower sends the call with the caller's identity to the leader's front
 * door (forward.h), one hop only. While there is no leader the call waits a bounded time. It is
 * sent again only when it certainly was not carried out, or changes nothing.
 *
 * Loop thread only. */
#ifndef CONTROLLER_API_CALL_H
#define CONTROLLER_API_CALL_H

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "controller/api/api_error.h"
#include "controller/auth/principal.h"
#include "controller/core/command.h"
#include "controller/engine/engine.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

#define API_MESSAGE_MAX    (1024u * 1024u)       /* Bytes of one request. */
#define API_UNPACKED_MAX   (32u * 1024u * 1024u) /* Memory of one unpacked request. */
#define API_RESPONSE_MAX   (16u * 1024u * 1024u) /* Bytes of one packed response. */
#define API_LEADER_WAIT_MS 5000                  /* How long a call waits for a leader. */
#define API_CALLS_MAX      20000                 /* Calls under way; more are refused. */
#define API_REQUEST_ID_LEN 36

struct api;
struct api_call;

enum api_kind {
    API_READ,  /* From the store: on the leader, or anywhere when eventual. */
    API_WRITE, /* One or more commands through the log. */
    API_LOCAL, /* About this controller: wherever it arrives. */
    API_LEAD,  /* Needs the leader's memory, changes nothing in the store. Never eventual. */
};

/* How an operation is carried out. All functions return 0, or ERR_* with c->error set. */
struct api_handler {
    enum api_kind kind;
    /* What can be said without the state; runs where the call arrived. May be NULL. */
    int (*check)(struct api_call *c);
    /* READ, LOCAL, LEAD: build c->response. May return API_LATER and call api_call_finish() when
     * it has it. */
    int (*read)(struct api_call *c);
    /* WRITE: fill *cmd on the leader's current state. Return 1 when nothing is to be changed. May
     * run again for the same step when the first attempt could not be proposed. */
    int (*decide)(struct api_call *c, struct command *cmd);
    /* WRITE: the command was applied (result NULL: decide returned 1). Build c->response, or
     * return API_LATER to have decide run again for the next command. */
    int (*applied)(struct api_call *c, const struct result *result);
    /* WRITE: the store refused the command. NULL: the call fails with what the store said. May
     * return as applied does. */
    int (*rejected)(struct api_call *c, const struct result *result);
};

#define API_LATER 1

/* One row of the table. */
struct api_op {
    const char *service; /* "ecs.v1.EcsService" */
    const char *name;    /* "RunTask" */
    uint32_t index;      /* Among all operations, for metrics. */
    const ProtobufCMessageDescriptor *request;
    const ProtobufCMessageDescriptor *response;
    const struct api_handler *handler; /* NULL: not implemented. */
};

/* Runs exactly once, never inside api_call_start(), unless the call is cancelled. */
typedef void (*api_call_cb)(struct api_call *c, void *data);

struct api_call {
    struct api *api;
    const struct api_op *op;
    struct principal caller;
    struct arena arena; /* Lives as long as the call. */
    ProtobufCMessage *request;
    ProtobufCMessage *response; /* NULL when error.code is set. */
    struct api_error error;
    char request_id[API_REQUEST_ID_LEN + 1];
    /* For the handler, between its functions. Zeroed; what check leaves in `checked` stays, the
     * rest is zeroed again when the call has to begin anew. */
    void *checked;
    uint32_t step;
    void *state;
    /* The task definition unpacked last; see describe_task.c. */
    const void *spec;
    uint32_t spec_taskdef;
    bool aws; /* Came in AWS's JSON: ECS's smaller limits apply. */
    /* Private. */
    api_call_cb cb;
    void *data;
    bool eventual;
    bool no_forward;
    bool not_leader; /* With no_forward: not tried, ask the leader. */
    bool started;
    bool orphan;  /* Cancelled: nobody waits, but the engine still holds it. */
    bool engaged; /* The engine, a handler or a channel holds it. */
    bool again;
    bool finished;
    uint64_t started_ns;
    uint64_t give_up_ms;
    uint64_t deadline_ms;
    struct engine_write write;
    struct engine_read read;
    struct list link;      /* In api->calls. */
    struct list wait_link; /* In api->waiting or api->ready. */
};

struct api_call_options { /* Zeroed fields mean the default. */
    bool eventual;        /* A read may be answered from this controller's state. */
    bool no_forward;      /* Came from another controller. */
    uint64_t deadline_ms; /* From now; 0: none. For what is sent on; the caller cancels. */
};

/* NULL when there are too many calls already. request_id may be NULL: one is made. */
struct api_call *api_call_open(struct api *api, const struct api_op *op,
                               const struct principal *caller, const char *request_id);

/* Unpack a request into the call. ERR_INVALID with c->error set when it is not one. */
int api_call_unpack(struct api_call *c, struct str bytes);

/* Answer c->error or start working on c->request; cb follows from the loop. */
void api_call_start(struct api_call *c, const struct api_call_options *options, api_call_cb cb,
                    void *data);

/* Nobody waits any more: cb will not run. What was begun is still carried out. */
void api_call_cancel(struct api_call *c);

/* Release, after cb or instead of api_call_start(). */
void api_call_close(struct api_call *c);

/* For handlers that answered API_LATER: c->response or c->error is set. cb runs inside this call.
 */
void api_call_finish(struct api_call *c);

/* Pack the response (or an empty message); ERR_TOOBIG with c->error set. */
int api_call_pack(struct api_call *c, struct buf *to);

/* --- for handlers -------------------------------------------------------------------------------
 */

/* A zeroed message of that type in the call's arena. */
void *api_new(struct api_call *c, const ProtobufCMessageDescriptor *type);

/* Room for n pointers to messages or strings. */
void *api_list(struct api_call *c, size_t n);

/* A NUL-terminated copy; NULL when s is empty. */
char *api_text(struct api_call *c, struct str s);

const struct store *api_store(const struct api_call *c);

/* c->error from an err; returns err_code. */
int api_fail_err(struct api_call *c, int err_code, const struct err *err);

/* c->error; ERR_INVALID, which the comma tells the compiler as well. */
#define api_fail(c, code, ...) (api_error_set(&(c)->error, code, __VA_ARGS__), ERR_INVALID)

#endif
