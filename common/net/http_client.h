/* common/net/http_client.h
 *
 * HTTP/2 client: one connection, many exchanges. Over TLS (ALPN h2) or plain with prior knowledge.
 * It does not reconnect: that is for the channel above (grpc_client.h). Loop thread only. */
#ifndef COMMON_NET_HTTP_CLIENT_H
#define COMMON_NET_HTTP_CLIENT_H

#include "common/base/err.h"
#include "common/base/str.h"
#include "common/net/http.h"
#include "common/net/stream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct http_client;   /* Opaque: the connection. */
struct http_exchange; /* Opaque: one request and its response. */

struct http_client_options {        /* Zeroed fields mean the default. */
    struct connect_options connect; /* addr, tls, expect. */
    unsigned ping_ms;         /* Ping after this much silence while exchanges are open; 0: never. */
    unsigned ping_timeout_ms; /* No answer for this long: the connection is dead. Default 5 s. */
    bool ping_idle;           /* Ping also without open exchanges. */
};

struct http_client_events {
    void (*on_open)(struct http_client *c, void *data); /* Settings of the server have arrived. */
    /* The server asked to open no more exchanges (GOAWAY); open ones go on. May be NULL. */
    void (*on_goaway)(struct http_client *c, void *data);
    /* Exactly once, last, from the loop, after on_close of every exchange. */
    void (*on_close)(struct http_client *c, void *data, int status, const char *text);
};

struct http_exchange_events { /* All but on_close may be NULL. */
    void (*on_header)(struct http_exchange *x, unsigned status);
    void (*on_data)(struct http_exchange *x, struct str bytes);
    void (*on_drain)(struct http_exchange *x);
    /* Exactly once, last. 0: the response is complete, http_exchange_trailer() may be asked.
     * ERR_CANCELED: http_exchange_cancel(). ERR_UNAVAILABLE: refused or lost, the server has not
     * seen it (safe to send again). ERR_CLOSED: connection lost on the way. ERR_PROTOCOL:
     * reset by the server, see http_exchange_error_code(). */
    void (*on_close)(struct http_exchange *x, int status);
};

int http_client_open(uv_loop_t *loop, const struct http_client_options *options,
                     const struct http_client_events *events, void *data, struct http_client **ret,
                     struct err *err);

/* Graceful: exchanges under way end first. on_close follows. */
void http_client_shutdown(struct http_client *c);

/* At once; on_close of exchanges and connection follow from the loop. */
void http_client_abort(struct http_client *c);

unsigned http_client_n_open(const struct http_client *c);

/* May another exchange be opened now (settings arrived, no GOAWAY, stream limit not reached)? */
bool http_client_ready(const struct http_client *c);

struct stream *http_client_stream(struct http_client *c);

struct http_request {
    const char *method;
    const char *path;
    const char *authority;
    const struct http_field *fields; /* Besides the pseudo fields; copied. */
    size_t n_fields;
};

/* Open an exchange; its body follows with http_exchange_write() and _finish(). ERR_AGAIN when the
 * client is not ready. */
int http_exchange_open(struct http_client *c, const struct http_request *request,
                       const struct http_exchange_events *events, void *data,
                       struct http_exchange **ret, struct err *err);

void *http_exchange_data(const struct http_exchange *x);

/* As http_call_write() and friends. */
int http_exchange_write(struct http_exchange *x, const void *bytes, size_t n);
bool http_exchange_writable(const struct http_exchange *x);
size_t http_exchange_room(const struct http_exchange *x);
void http_exchange_finish(struct http_exchange *x);
void http_exchange_pause(struct http_exchange *x);
void http_exchange_resume(struct http_exchange *x);

/* RST_STREAM(CANCEL); on_close(ERR_CANCELED) follows from the loop. */
void http_exchange_cancel(struct http_exchange *x);

/* As cancel, but no callback will run any more: for an owner that goes away now. */
void http_exchange_detach(struct http_exchange *x);

/* p is NULL when it is not there. Trailers are complete in on_close. */
struct str http_exchange_header(const struct http_exchange *x, const char *name);
struct str http_exchange_trailer(const struct http_exchange *x, const char *name);
const struct http_field *http_exchange_headers(const struct http_exchange *x, size_t *ret_n);
const struct http_field *http_exchange_trailers(const struct http_exchange *x, size_t *ret_n);
unsigned http_exchange_status(const struct http_exchange *x);
uint32_t http_exchange_error_code(const struct http_exchange *x); /* HTTP/2 code of a reset. */

#endif
