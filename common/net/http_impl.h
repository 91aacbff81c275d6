/* common/net/http_impl.h
 *
 * Private to http.c, http1.c and http2.c: a connection and a call, and what each protocol must be
 * able to do. http.c owns the connection and the call's life; the protocol owns the wire. */
#ifndef COMMON_NET_HTTP_IMPL_H
#define COMMON_NET_HTTP_IMPL_H

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/list.h"
#include "common/loop/loop.h"
#include "common/net/h2.h"
#include "common/net/http.h"

#define HTTP_SWEEP_MS   5000                  /* How often overdue bodies are looked for. */
#define HTTP_GATHER_MAX (64u * 1024u * 1024u) /* Gathered bodies of one server, together. */

struct http_conn;

struct http_fields { /* Grows in an arena. */
    struct http_field *v;
    size_t n;
    size_t cap;
    size_t bytes; /* As HTTP/2 counts: name, value and 32 each. */
};

/* Append copies. False, and nothing added, over HTTP_FIELDS_MAX or HTTP_HEADER_MAX. */
bool http_fields_add(struct http_fields *f, struct arena *arena, struct str name, struct str value);

/* The first value; p is NULL without one. */
struct str http_fields_get(const struct http_fields *f, const char *name);

struct http_proto {
    void (*open)(struct http_conn *conn);
    void (*read)(struct http_conn *conn, const uint8_t *bytes, size_t n);
    void (*eof)(struct http_conn *conn);   /* The client sends no more. */
    void (*turn)(struct http_conn *conn);  /* The end of a turn: send, complete, go on. */
    void (*drain)(struct http_conn *conn); /* The stream takes bytes again. */
    void (*stop)(struct http_conn *conn);  /* Graceful: close when the calls are done. */
    void (*free)(struct http_conn *conn);
    /* body: all of it when !more; otherwise empty, and it comes through output(). */
    void (*respond)(struct http_call *c, unsigned status, const struct http_field *fields,
                    size_t n_fields, struct str body, bool more);
    int (*write)(struct http_call *c, const void *bytes, size_t n);
    bool (*writable)(const struct http_call *c);
    size_t (*room)(const struct http_call *c);
    void (*finish)(struct http_call *c, const struct http_field *trailers, size_t n_trailers);
    void (*abort)(struct http_call *c);
    void (*consumed)(struct http_call *c, size_t n); /* The owner has seen n bytes of the body. */
};

extern const struct http_proto http1_proto;
extern const struct http_proto http2_proto;

struct http_conn {
    struct http_server *server;
    struct stream *stream;
    const struct http_proto *proto; /* NULL until the first bytes decided. */
    void *state;                    /* The protocol's. */
    struct list in_server;
    struct list calls;
    unsigned n_calls;
    struct loop_soon *soon;
    struct loop_timer *timer;
    bool timer_sweeps; /* The timer looks for overdue bodies; otherwise it means: close. */
    bool stopping;
    bool closing; /* stream_close() was called: input is dropped. */
    size_t n_sniffed;
    uint8_t sniff[24]; /* The beginning of a plain connection. */
};

struct http_call {
    struct http_conn *conn;
    struct list in_conn;
    const struct http_call_events *events; /* NULL until accepted. */
    void *data;
    struct arena arena; /* Header text. */
    struct http_fields fields;
    struct str method;
    struct str path;
    struct str query;
    struct str host;
    struct buf body; /* Gathered, or waiting while paused. */
    size_t body_max;
    size_t gathered;       /* Counted against HTTP_GATHER_MAX. */
    uint64_t gather_by_ms; /* 0: not gathering. */
    struct loop_timer *deadline;
    struct loop_soon *resume;
    bool in_header_cb;
    bool paused;
    bool ended;    /* The request is complete; */
    bool end_told; /* and the owner knows. */
    bool begun;
    bool finished;
    bool refused; /* Answered by us; the owner may not know yet. */
    bool aborted;
    bool want_drain;
    int fail; /* Status for on_close when refused. */
    /* HTTP/2 */
    int32_t stream_id;
    bool bad_header; /* Over a limit: answer 431. */
    bool bad_target; /* Answer 400. */
    bool sent_end;   /* END_STREAM has gone out. */
    struct h2_out out;
};

/* --- http.c for the protocols
 * -------------------------------------------------------------------------- */

struct http_call *http_call_make(struct http_conn *conn);

/* The header is complete: ask the owner. */
void http_call_arrived(struct http_call *c);

/* A piece of the body; its end. */
void http_call_input(struct http_call *c, const uint8_t *bytes, size_t n);
void http_call_input_end(struct http_call *c);

/* Answer in place of the owner; fail is for its on_close. */
void http_call_refuse(struct http_call *c, unsigned status, int fail, const char *text);

/* on_close, and free. status as for http_call_events. */
void http_call_done(struct http_call *c, int status);

void http_call_tell_drain(struct http_call *c);

/* "GET /path?query": cut the target into path and query. False when it is not in origin form. */
bool http_call_set_target(struct http_call *c, struct str target);

/* Close the connection gracefully, dropping further input. */
void http_conn_close(struct http_conn *conn);

/* One timer per connection: close it after ms; or look for overdue bodies; or none. */
void http_conn_limit(struct http_conn *conn, unsigned ms);
void http_conn_sweep(struct http_conn *conn);
void http_conn_no_limit(struct http_conn *conn);

const struct http_options *http_conn_options(const struct http_conn *conn);
void http_conn_count_bad(struct http_conn *conn);

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
#define HTTP_DATE_MAX 30
void http_date(char ret[HTTP_DATE_MAX]);

/* The standard words for a status code. */
const char *http_reason(unsigned status);

#endif
