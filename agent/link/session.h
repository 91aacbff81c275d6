/* agent/link/session.h
 *
 * The agent's one stream to the leader (proto/ecs/agent/v1, NodeService.Session). Finds the leader
 * among the controllers it knows, says hello, sends heartbeats, and begins anew, with growing
 * pauses, whenever the stream ends, goes silent or makes no sense. What is said on the stream is
 * the owner's business. Loop thread only. */
#ifndef AGENT_LINK_SESSION_H
#define AGENT_LINK_SESSION_H

#include "agent/core/message.h"
#include "common/base/arena.h"
#include "common/base/err.h"
#include "common/net/grpc_client.h"
#include "common/net/tls.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct session; /* Opaque. */

/* All from the loop; session_close() is not allowed inside. Messages are valid for the call. */
struct session_events {
    /* A stream begins: say who we are, now. Strings and lists may be in the arena. */
    void (*hello)(void *data, struct arena *arena, struct hello *ret);
    /* The stream lives. until_ms (CLOCK_BOOTTIME): the lease, from when hello was sent. Anything
     * but 0 means that this controller is not to be listened to; the stream ends. */
    int (*welcome)(void *data, const struct welcome *w, uint64_t until_ms);
    /* It is time for a heartbeat: fill in what is measured. */
    void (*heartbeat)(void *data, struct heartbeat *ret);
    void (*lease)(void *data, uint64_t until_ms); /* One was acknowledged. */
    void (*assignments)(void *data, const struct assignments *a);
    void (*reports_ack)(void *data, uint64_t number);
    void (*log_request)(void *data, const struct log_request *r);
    void (*log_cancel)(void *data, uint64_t request);
    /* Its reader cannot take more now, or can again. May be NULL. */
    void (*log_pause)(void *data, uint64_t request, bool pause);
    void (*writable)(void *data); /* session_writable() has become true again. */
    void (*down)(void *data);     /* A stream that was welcomed has ended. */
};

struct session_options {            /* Zeroed fields mean the default. */
    const char *const *controllers; /* "address:port"; copied. */
    size_t n_controllers;
    struct tls_context *tls; /* Borrowed; NULL: plain, for tests. */
    uint32_t lease_ms;       /* If shorter than what the controller grants. */
    uint32_t backoff_min_ms; /* Between controllers; 200 ms, with jitter. */
    uint32_t backoff_max_ms; /* Between rounds of all of them, doubling up to this; 5 s. */
    uint64_t seed;           /* For jitter. */
};

/* Begins to connect at once. events is borrowed. */
int session_open(uv_loop_t *loop, const struct session_options *options,
                 const struct session_events *events, void *data, struct session **ret,
                 struct err *err);

/* No callback after this. NULL is fine. */
void session_close(struct session *s);

/* ERR_CLOSED unless the stream has been welcomed. A reader too slow to take it loses the stream. */
int session_send(struct session *s, const struct agent_message *m);
bool session_is_up(const struct session *s);
bool session_writable(const struct session *s);

/* End the stream and begin anew, as after a change of certificates. */
void session_restart(struct session *s, const char *why);

/* For other calls to the same controller; NULL while there is none. Valid until the callbacks
 * return. */
struct grpc_channel *session_channel(struct session *s);

#endif
