/* controller/link/link.h
 *
 * The controllers' side of the node protocol (proto/ecs/agent/v1): joining, renewal of certificates
 * and the session streams. Decisions are the pure dispatcher's (controller/core/dispatch.h); here
 * are streams, encoding and the way into the engine. Sessions live on the leader; any other
 * controller answers with where the leader is. Loop thread only. */
#ifndef CONTROLLER_LINK_LINK_H
#define CONTROLLER_LINK_LINK_H

#include "common/base/err.h"
#include "common/base/id.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/net/grpc.h"
#include "controller/engine/engine.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct link; /* Opaque. */

struct link_options { /* Strings are borrowed until link_close(). */
    const struct mem *mem;
    struct engine *engine;
    const char *account;
    const char *region;
    const char *domain; /* Trust domain of the certificates. */
    struct str ca_pem;  /* Empty: nodes cannot join here. */
    struct str ca_key_pem;
    uint32_t cert_days;    /* Of node certificates; 0: 7. */
    uint32_t heartbeat_ms; /* 0: 1000. */
    uint32_t lease_ms;     /* What agents are told; 0: 30000. */
};

int link_open(uv_loop_t *loop, const struct link_options *options, struct link **ret,
              struct err *err);

/* Ends every session. NULL is fine. The gRPC server must be closed first. */
void link_close(struct link *l);

/* The methods of NodeService, to be added to the front door's gRPC server. */
const struct grpc_method *link_methods(struct link *l, size_t *ret_n);

/* Agents connected to this controller. */
uint32_t link_n_sessions(const struct link *l);

/* --- container logs
 * ---------------------------------------------------------------------------------- */

struct link_log; /* Opaque: one request to an agent. */

struct link_log_request {
    struct id task;
    struct id node;
    struct str container;
    bool follow;
    int64_t since_ms;
    uint32_t tail;
};

/* Bytes as they come, borrowed; then, once, the end: status 0 or an ERR_* with err. Never inside
 * link_log_open(). */
struct link_log_events {
    void (*data)(void *ctx, struct str bytes);
    void (*end)(void *ctx, int status, const struct err *err);
};

/* ERR_NOTFOUND when the node is not connected here. After end() the request is gone. */
int link_log_open(struct link *l, const struct link_log_request *request,
                  const struct link_log_events *events, void *ctx, struct link_log **ret,
                  struct err *err);

/* Have the agent hold back, and go on; what is on its way still comes. */
void link_log_pause(struct link_log *log);
void link_log_resume(struct link_log *log);

/* No more callbacks; the agent is told to stop. */
void link_log_cancel(struct link_log *log);

#endif
