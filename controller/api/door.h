/* controller/api/door.h
 *
 * The front door of a controller: one TLS port, and on request one without TLS, for everything
 * users and programs ask. What a request is decides who answers it:
 *
 *     content-type application/grpc        gRPC: ecs.v1, ecs.admin.v1, health, reflection, and what
 *                                          other modules registered
 *     POST / with AWS's headers            AWS JSON 1.1 (aws.h)
 *     GET /healthz, GET /metrics           for probes and Prometheus
 *
 * On TLS a caller without a verified client certificate is refused in the protocol it speaks; only
 * registered methods decide for themselves. Loop thread only. */
#ifndef CONTROLLER_API_DOOR_H
#define CONTROLLER_API_DOOR_H

#include "common/net/grpc.h"
#include "common/net/http.h"
#include "common/net/tls.h"
#include "controller/api/api.h"

struct door; /* Opaque. */

/* Append lines in Prometheus's text format. */
typedef void (*door_metrics_cb)(void *data, struct buf *to);

struct door_options {        /* Zeroed fields: not wanted. */
    struct addr tls_addr;    /* With tls. */
    struct tls_context *tls; /* Server; TLS_VERIFY_OPTIONAL; ALPN h2, http/1.1. Borrowed. */
    struct addr insecure_addr;
    unsigned max_per_address; /* Of those on it without a certificate; 0: likewise. */
    unsigned max_connections; /* On the TLS port; 0: http.h's default. */
    door_metrics_cb metrics;  /* More for /metrics. */
    void *metrics_data;
};

/* Listens as soon as it returns. At least one address. api is borrowed until door_close(). */
int door_open(struct api *api, const struct door_options *options, struct door **ret,
              struct err *err);

/* Serve more gRPC methods on the TLS port, borrowed. They check their callers themselves. */
int door_register_grpc(struct door *d, const struct grpc_method *methods, size_t n,
                       struct err *err);

/* Where it listens, with the real ports; NULL when it does not. */
const struct addr *door_tls_addr(const struct door *d);
const struct addr *door_insecure_addr(const struct door *d);

/* Stop taking new calls; cb when those under way have ended, or after timeout_ms. */
void door_stop(struct door *d, unsigned timeout_ms, loop_cb cb, void *data);

/* Cut everything off. NULL is fine. */
void door_close(struct door *d);

/* Who makes the call: by certificate, or the insecure caller on the port without TLS. */
struct principal door_caller(const struct http_call *call);

#endif
