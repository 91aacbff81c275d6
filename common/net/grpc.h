/* common/net/grpc.h
 *
 * gRPC over http.h, server side, and what both sides share. Messages are opaque bytes. The owner
 * of the http_server looks at each call and hands those of grpc_is_call() to
 * grpc_server_handle(). For the client side see grpc_client.h. Loop thread only. */
#ifndef COMMON_NET_GRPC_H
#define COMMON_NET_GRPC_H

#include "common/base/err.h"
#include "common/base/str.h"
#include "common/net/http.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GRPC_MESSAGE_MAX  (4u * 1024u * 1024u)
#define GRPC_BUFFERED_MAX (64u * 1024u * 1024u) /* Unfinished messages of one server. */

/* Codes and names of the gRPC specification. */
#define GRPC_CODE_TABLE(X)                                \
    X(GRPC_OK, 0, "OK")                                   \
    X(GRPC_CANCELLED, 1, "CANCELLED")                     \
    X(GRPC_UNKNOWN, 2, "UNKNOWN")                         \
    X(GRPC_INVALID_ARGUMENT, 3, "INVALID_ARGUMENT")       \
    X(GRPC_DEADLINE_EXCEEDED, 4, "DEADLINE_EXCEEDED")     \
    X(GRPC_NOT_FOUND, 5, "NOT_FOUND")                     \
    X(GRPC_ALREADY_EXISTS, 6, "ALREADY_EXISTS")           \
    X(GRPC_PERMISSION_DENIED, 7, "PERMISSION_DENIED")     \
    X(GRPC_RESOURCE_EXHAUSTED, 8, "RESOURCE_EXHAUSTED")   \
    X(GRPC_FAILED_PRECONDITION, 9, "FAILED_PRECONDITION") \
    X(GRPC_ABORTED, 10, "ABORTED")                        \
    X(GRPC_OUT_OF_RANGE, 11, "OUT_OF_RANGE")              \
    X(GRPC_UNIMPLEMENTED, 12, "UNIMPLEMENTED")            \
    X(GRPC_INTERNAL, 13, "INTERNAL")                      \
    X(GRPC_UNAVAILABLE, 14, "UNAVAILABLE")                \
    X(GRPC_DATA_LOSS, 15, "DATA_LOSS")                    \
    X(GRPC_UNAUTHENTICATED, 16, "UNAUTHENTICATED")

#define GRPC_X(code, number, name) code = (number),
enum grpc_code { GRPC_CODE_TABLE(GRPC_X) };
#undef GRPC_X

const char *grpc_code_name(enum grpc_code code); /* "OK", ...; never NULL. */

/* The usual gRPC code for an ERR_* code. */
enum grpc_code grpc_code_of_err(int err_code);

/* --- server
 * --------------------------------------------------------------------------------------- */
struct grpc_server; /* Opaque. */
struct grpc_call;   /* Opaque. Lives until on_close has run. */

enum grpc_kind {
    GRPC_UNARY,         /* One message in, one out. */
    GRPC_SERVER_STREAM, /* One in, many out. */
    GRPC_CLIENT_STREAM, /* Many in, one out. */
    GRPC_BIDI,          /* Many in, many out. */
};

/* The handler of a method. grpc_call_data() is method->data until grpc_call_set_data(). A call may
 * be answered inside any callback or later, until on_close. */
struct grpc_method {
    const char *path; /* "/package.Service/Method" */
    enum grpc_kind kind;
    /* The header has arrived. May be NULL. */
    void (*on_start)(struct grpc_call *c);
    /* A whole message, borrowed for the call. For kinds with one message in: exactly once, after
     * the client has finished sending. */
    void (*on_message)(struct grpc_call *c, struct str message);
    /* The client sends no more; only for kinds with many messages in. May be NULL. */
    void (*on_half_close)(struct grpc_call *c);
    /* grpc_call_writable() has become true again. May be NULL. */
    void (*on_drain)(struct grpc_call *c);
    /* Exactly once, last, from the loop. 0: the answer was handed to the network.
     * ERR_CANCELED: the client is gone. ERR_TIMEOUT: its deadline passed (it has been told).
     * ERR_PROTOCOL, ERR_TOOBIG: it broke the rules (it has been told). May be NULL. */
    void (*on_close)(struct grpc_call *c, int status);
    void *data;
};

/* For paths that no registered method has: the method to use, or NULL for UNIMPLEMENTED. The call
 * is given for its path, peer and metadata. */
typedef const struct grpc_method *(*grpc_find_cb)(struct grpc_call *c, void *data);

struct grpc_server *grpc_server_open(uv_loop_t *loop, size_t message_max /* 0: GRPC_MESSAGE_MAX */);

/* The http_server must be closed first. NULL is fine. */
void grpc_server_close(struct grpc_server *s);

/* The methods (borrowed) are found by path. ERR_EXISTS for a path given twice. */
int grpc_server_add(struct grpc_server *s, const struct grpc_method *methods, size_t n,
                    struct err *err);
void grpc_server_set_fallback(struct grpc_server *s, grpc_find_cb find, void *data);

/* POST with content-type application/grpc[+proto]? */
bool grpc_is_call(const struct http_call *call);

/* Take over the call, inside http_call_cb. */
void grpc_server_handle(struct grpc_server *s, struct http_call *call);

/* --- call
 * ----------------------------------------------------------------------------------------- */
void *grpc_call_data(const struct grpc_call *c);
void grpc_call_set_data(struct grpc_call *c, void *data);

struct str grpc_call_path(const struct grpc_call *c);
const struct pki_identity *grpc_call_peer(const struct grpc_call *c); /* Never NULL. */
const struct addr *grpc_call_addr(const struct grpc_call *c);
struct http_call *grpc_call_http(const struct grpc_call *c); /* For reading only. */

/* A metadata value as sent; p is NULL when it is not there. */
struct str grpc_call_metadata(const struct grpc_call *c, const char *name);

/* Milliseconds until the client's deadline; UINT64_MAX without one. */
uint64_t grpc_call_remaining_ms(const struct grpc_call *c);

/* Add metadata to the response header (before the first send) or to the trailers. Copied. */
void grpc_call_add_header(struct grpc_call *c, const char *name, struct str value);
void grpc_call_add_trailer(struct grpc_call *c, const char *name, struct str value);

/* Send a message. ERR_CLOSED when the call is finished or nobody listens, ERR_FULL when the client
 * reads too slowly, ERR_TOOBIG over the message limit. The first send sends the header. */
int grpc_call_send(struct grpc_call *c, struct str message);
bool grpc_call_writable(const struct grpc_call *c);

/* End the call. message (may be NULL) is text for people; details (may be empty) is a serialized
 * google.rpc.Status for grpc-status-details-bin. Nothing may be sent after it; once finished,
 * finishing again is ignored. */
void grpc_call_finish(struct grpc_call *c, enum grpc_code code, const char *message,
                      struct str details);

/* One message and OK: the usual end of a unary call. */
void grpc_call_reply(struct grpc_call *c, struct str message);

/* End with an error whose text is printf-like. */
__attribute__((format(printf, 3, 4))) void grpc_call_fail(struct grpc_call *c, enum grpc_code code,
                                                          const char *fmt, ...);

/* Stop and restart on_message: back-pressure for the client. Messages of the piece being taken in
 * right now (at most one window, HTTP_WINDOW) may still arrive. */
void grpc_call_pause(struct grpc_call *c);
void grpc_call_resume(struct grpc_call *c);

bool grpc_call_finished(const struct grpc_call *c);

#endif
