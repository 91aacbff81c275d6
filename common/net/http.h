/* common/net/http.h
 *
 * HTTP server for HTTP/1.1 and HTTP/2 behind one request type. On TLS, ALPN chooses; on a plain
 * listener the first bytes do (the HTTP/2 preface of h2c clients, or HTTP/1).
 *
 * Life of a call: the server's callback gets it when the header is complete and answers with
 * http_call_accept(). Then come on_data (only for streamed bodies), on_end when the request is
 * complete, and in any case on_close, exactly once, last, from the loop: the call is gone when it
 * returns. A call may be answered at any time before on_close, also before its body has arrived.
 *
 * Limits of the wire: HTTP_HEADER_MAX bytes and HTTP_FIELDS_MAX fields of header, time limits for
 * header, body and idleness, a cap on connections and streams. What breaks them is answered 4xx
 * where there still is someone to answer. Loop thread only. */
#ifndef COMMON_NET_HTTP_H
#define COMMON_NET_HTTP_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/str.h"
#include "common/loop/loop.h"
#include "common/net/addr.h"
#include "common/net/stream.h"
#include "common/net/tls.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define HTTP_HEADER_MAX   (16u * 1024u)
#define HTTP_FIELDS_MAX   100
#define HTTP_LINE_MAX     (8u * 1024u) /* Request target. */
#define HTTP_BODY_DEFAULT (1024u * 1024u)
#define HTTP_HEADER_MS    10000
#define HTTP_BODY_MS      30000
#define HTTP_IDLE_MS      60000
#define HTTP_STREAMS_MAX  100                   /* Concurrent, per HTTP/2 connection. */
#define HTTP_WINDOW       (64u * 1024u)         /* Receive window of one HTTP/2 stream. */
#define HTTP_RESPONSE_MAX (16u * 1024u * 1024u) /* Of one http_call_respond(). */
#define HTTP_WRITE_HIGH   (64u * 1024u)         /* http_call_writable() is false above this. */

struct http_server; /* Opaque. */
struct http_call;   /* Opaque: one request and its response. */

struct http_field { /* Names are lower case. */
    struct str name;
    struct str value;
};

struct http_call_events { /* All but on_close may be NULL. */
    /* A piece of the body, borrowed for the call. Without this callback the body is gathered, up
     * to body_max, and there for http_call_body() in on_end. */
    void (*on_data)(struct http_call *c, struct str bytes);
    /* The request is complete. */
    void (*on_end)(struct http_call *c);
    /* http_call_writable() has become true again. */
    void (*on_drain)(struct http_call *c);
    /* The deadline passed. Without this callback the answer is 504. */
    void (*on_deadline)(struct http_call *c);
    /* 0: the whole response was handed to the network. ERR_CANCELED: the client or the server
     * went away, or http_call_abort(). ERR_TIMEOUT, ERR_TOOBIG, ERR_PROTOCOL: the request never
     * became complete and was answered for you. */
    void (*on_close)(struct http_call *c, int status);
};

/* A request header is complete. Call http_call_accept() now; a call not accepted is answered
 * 404. */
typedef void (*http_call_cb)(struct http_call *c, void *data);

struct http_options { /* Zeroed fields mean the default. */
    struct addr addr;
    struct tls_context *tls;  /* Borrowed; NULL: plain. */
    unsigned max_connections; /* Default 4,096. */
    unsigned max_per_ip;      /* Without verified identity; default 100. */
    size_t body_max;          /* Of gathered bodies; HTTP_BODY_DEFAULT. */
    unsigned header_ms;       /* HTTP_HEADER_MS: from the first byte to a complete header. */
    unsigned body_ms;         /* HTTP_BODY_MS: for a gathered body. */
    unsigned idle_ms;         /* HTTP_IDLE_MS: without any call. */
    const char *server_name;  /* "server" header; NULL: none. Must stay valid. */
};

/* --- server
 * --------------------------------------------------------------------------------------- */
int http_server_open(uv_loop_t *loop, const struct http_options *options, http_call_cb cb,
                     void *data, struct http_server **ret, struct err *err);

const struct addr *http_server_addr(const struct http_server *s);

struct http_stats {
    unsigned n_connections;
    unsigned n_calls;      /* Open now. */
    uint64_t calls;        /* Ever. */
    uint64_t refused;      /* Connections over a limit or without handshake. */
    uint64_t bad_requests; /* Answered by the server itself with 4xx. */
};
void http_server_stats(const struct http_server *s, struct http_stats *ret);

/* Graceful stop: no new connections, GOAWAY or "connection: close", calls under way may end.
 * cb (may be NULL) runs from the loop when the last connection is gone, or after timeout_ms, when
 * the rest is cut off. */
void http_server_stop(struct http_server *s, unsigned timeout_ms, loop_cb cb, void *data);

/* Cut everything off and release the server. Calls still open get on_close(ERR_CANCELED) inside
 * this call. Not from inside a callback of one of its calls. NULL is fine. */
void http_server_close(struct http_server *s);

/* --- request
 * -------------------------------------------------------------------------------------- */

/* events is borrowed until on_close; data is for the owner, see http_call_data(). */
void http_call_accept(struct http_call *c, const struct http_call_events *events, void *data);
void *http_call_data(const struct http_call *c);

/* Change the limit for this call's gathered body; inside http_call_cb only. */
void http_call_set_body_max(struct http_call *c, size_t max);

/* The request must be complete within ms, or it is answered 408. Gathered bodies have the limit
 * body_ms from the beginning; streamed ones none unless set here. 0: none. */
void http_call_limit_body(struct http_call *c, uint64_t ms);

/* Milliseconds from now; see on_deadline. 0: none (the default). */
void http_call_set_deadline(struct http_call *c, uint64_t ms);

struct str http_call_method(const struct http_call *c); /* "GET" */
struct str http_call_path(const struct http_call *c);   /* As sent, not decoded, begins with '/'. */
struct str http_call_query(const struct http_call *c);  /* As sent, without '?'. */
struct str http_call_host(const struct http_call *c);   /* host or :authority. */

/* The value of a field; p is NULL when it is not there. When it was sent more than once, the
 * first. name in lower case. */
struct str http_call_header(const struct http_call *c, const char *name);

/* All fields in order; HTTP/2 pseudo fields are left out, host is there for both versions. */
const struct http_field *http_call_headers(const struct http_call *c, size_t *ret_n);

/* The gathered body; valid from on_end to on_close. */
struct str http_call_body(const struct http_call *c);

/* Never NULL. */
const struct pki_identity *http_call_peer(const struct http_call *c);
const struct addr *http_call_addr(const struct http_call *c);
bool http_call_is_http2(const struct http_call *c);
bool http_call_is_tls(const struct http_call *c);

/* Stop and restart on_data; while paused the client's window runs empty. */
void http_call_pause(struct http_call *c);
void http_call_resume(struct http_call *c);

/* --- response
 * ------------------------------------------------------------------------------------- */

/* The whole response at once. Fields and body are copied; content-length is added. More than
 * HTTP_RESPONSE_MAX is logged and answered 500. Asserts that the owner had not begun to respond;
 * ignored when the server had to (a limit was broken) or the call was aborted. */
void http_call_respond(struct http_call *c, unsigned status, const struct http_field *fields,
                       size_t n_fields, struct str body);

/* A short text response, as for errors. */
void http_call_respond_text(struct http_call *c, unsigned status, const char *text);

/* Header now, body in pieces. */
void http_call_begin(struct http_call *c, unsigned status, const struct http_field *fields,
                     size_t n_fields);

/* Queue a piece of the body. ERR_CLOSED when nobody listens any more, ERR_FULL when the peer is
 * too slow and the queue is at its maximum (4 MiB + 64 KiB). */
int http_call_write(struct http_call *c, const void *bytes, size_t n);
bool http_call_writable(const struct http_call *c);

/* How much http_call_write() would take now. */
size_t http_call_room(const struct http_call *c);

/* The end; trailers (HTTP/2, or chunked HTTP/1.1) may be NULL when n is 0. */
void http_call_finish(struct http_call *c, const struct http_field *trailers, size_t n_trailers);

/* Cut off without a proper end: RST_STREAM, or closing an HTTP/1 connection. */
void http_call_abort(struct http_call *c);

/* Has the response been begun? */
bool http_call_begun(const struct http_call *c);

#endif
