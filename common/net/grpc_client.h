/* common/net/grpc_client.h
 *
 * gRPC client: a channel is one address with a connection that comes back by itself; calls are
 * unary or streams. Loop thread only. */
#ifndef COMMON_NET_GRPC_CLIENT_H
#define COMMON_NET_GRPC_CLIENT_H

#include "common/base/err.h"
#include "common/base/str.h"
#include "common/net/grpc.h"
#include "common/net/http_client.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define GRPC_WAITING_MAX 1000 /* Calls waiting for a connection, per channel. */

struct grpc_channel;     /* Opaque. */
struct grpc_client_call; /* Opaque. Lives until its on_close has run. */

enum grpc_channel_state {
    GRPC_CHANNEL_IDLE, /* Not connected; the next call connects. */
    GRPC_CHANNEL_CONNECTING,
    GRPC_CHANNEL_READY,
    GRPC_CHANNEL_BACKOFF, /* The last attempt failed; the next comes by itself. */
};

typedef void (*grpc_channel_cb)(struct grpc_channel *ch, enum grpc_channel_state state,
                                const char *reason, void *data);

struct grpc_channel_options { /* Zeroed fields mean the default. */
    const char *target;       /* "host:port", name or numeric. Copied. */
    struct tls_context *tls;  /* Borrowed; NULL: plain. */
    struct tls_expect expect;
    struct addr bind;
    const char *authority;         /* ":authority"; default: the target. Copied. */
    unsigned connect_ms;           /* Per attempt, lookup and handshake included; default 5 s. */
    unsigned backoff_min_ms;       /* Default 200 ms, doubling, +-20 % jitter. */
    unsigned backoff_max_ms;       /* Default 10 s. */
    unsigned keepalive_ms;         /* Ping after this much silence; 0: never. */
    unsigned keepalive_timeout_ms; /* Dead without an answer for this long; default 5 s. */
    bool keepalive_idle;           /* Ping without open calls too. */
    bool stay_connected;      /* Connect at once and again after each loss; otherwise on demand. */
    size_t message_max;       /* Of received messages; GRPC_MESSAGE_MAX. */
    uint64_t seed;            /* For jitter. */
    grpc_channel_cb on_state; /* From the loop, on each change; may be NULL. */
    void *data;
};

int grpc_channel_open(uv_loop_t *loop, const struct grpc_channel_options *options,
                      struct grpc_channel **ret, struct err *err);

/* Cancel everything; calls still open get on_close(GRPC_CANCELLED) inside this call. NULL is
 * fine. Not from inside a callback of one of its calls. */
void grpc_channel_close(struct grpc_channel *ch);

enum grpc_channel_state grpc_channel_state(const struct grpc_channel *ch);

/* End a back-off now, as when news says the peer is back. */
void grpc_channel_wake(struct grpc_channel *ch);

/* Drop the connection gracefully and connect anew (after a change of certificates). */
void grpc_channel_reconnect(struct grpc_channel *ch);

/* The connection's stream (its peer identity and addresses), or NULL while there is none. */
struct stream *grpc_channel_stream(struct grpc_channel *ch);

/* --- calls
 * ---------------------------------------------------------------------------------------- */
struct grpc_status { /* Borrowed for the callback. */
    enum grpc_code code;
    const char *message; /* Never NULL. */
    struct str details;  /* grpc-status-details-bin, decoded; may be empty. */
    bool not_sent;       /* The server has certainly not seen the call. */
};

struct grpc_client_events { /* All but on_close may be NULL. */
    void (*on_header)(struct grpc_client_call *c);
    void (*on_message)(struct grpc_client_call *c, struct str message);
    void (*on_drain)(struct grpc_client_call *c);
    void (*on_close)(struct grpc_client_call *c, const struct grpc_status *status);
};

struct grpc_call_options {             /* Zeroed fields mean the default. */
    uint64_t deadline_ms;              /* From now; 0: none. */
    const struct http_field *metadata; /* Lower-case names; copied. */
    size_t n_metadata;
    bool wait_for_ready; /* While the channel backs off, wait instead of failing. */
};

/* A call with messages in any number in both directions. Always answers through on_close, from the
 * loop. */
struct grpc_client_call *grpc_client_open(struct grpc_channel *ch, const char *path,
                                          const struct grpc_call_options *options,
                                          const struct grpc_client_events *events, void *data);

void *grpc_client_data(const struct grpc_client_call *c);

/* ERR_CLOSED after half-close or the call's end; ERR_FULL, ERR_TOOBIG as on the server. */
int grpc_client_send(struct grpc_client_call *c, struct str message);
bool grpc_client_writable(const struct grpc_client_call *c);

/* No more messages from us. */
void grpc_client_half_close(struct grpc_client_call *c);

/* on_close(GRPC_CANCELLED) follows from the loop. */
void grpc_client_cancel(struct grpc_client_call *c);

void grpc_client_pause(struct grpc_client_call *c);
void grpc_client_resume(struct grpc_client_call *c);

/* Metadata of the answer; p is NULL when it is not there. */
struct str grpc_client_header(const struct grpc_client_call *c, const char *name);
struct str grpc_client_trailer(const struct grpc_client_call *c, const char *name);

/* --- unary
 * ---------------------------------------------------------------------------------------- */

/* Exactly once, from the loop. message is empty unless the code is GRPC_OK. c is there for its
 * metadata and gone afterwards. */
typedef void (*grpc_unary_cb)(struct grpc_client_call *c, const struct grpc_status *status,
                              struct str message, void *data);

/* One message out, one in. The result is for grpc_client_cancel() only. */
struct grpc_client_call *grpc_unary(struct grpc_channel *ch, const char *path, struct str message,
                                    const struct grpc_call_options *options, grpc_unary_cb cb,
                                    void *data);

#endif
