/* controller/link/link_int.h
 *
 * What the parts of the link share. Private to controller/link. */
#ifndef CONTROLLER_LINK_LINK_INT_H
#define CONTROLLER_LINK_LINK_INT_H

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/list.h"
#include "common/loop/loop.h"
#include "controller/codec/nodemsg.h"
#include "controller/core/dispatch.h"
#include "controller/link/link.h"
#include "proto/ecs/agent/v1/agent.pb-c.h"

#define LINK_STEP_MAX      64    /* Outputs of one dispatch step. */
#define LINK_TASKS_PER_MSG 32    /* Assignments in one message: each may carry 64 KiB. */
#define LINK_LOGS_MAX      64    /* Log requests open per node. */
#define LINK_HELD_MAX      65536 /* Tasks in a census. */

enum session_state {
    SESSION_NEW,         /* Waiting for hello. */
    SESSION_REGISTERING, /* The registration is on its way through the log. */
    SESSION_LIVE,        /* Known to the dispatcher. */
    SESSION_ENDED,       /* Answered; waiting for on_close. */
};

/* One Session stream. Freed when both the stream is closed and no registration is in flight. */
struct session {
    struct link *l;
    struct grpc_call *call; /* NULL once closed. */
    struct list link;       /* In l->sessions. */
    enum session_state state;
    struct id node;
    struct dispatch_session *dispatch; /* While LIVE. */
    struct arena hello;                /* What `said` points to. */
    struct nodemsg_hello said;
    struct engine_write write;
    bool writing;
    uint64_t told;    /* As of which l->news it knows the controllers. */
    struct list logs; /* struct link_log.link */
    uint32_t n_logs;
};

struct link_log {
    struct list link;
    struct session *session;
    uint64_t number;
    struct link_log_events events;
    void *ctx;
};

struct link {
    struct link_options options;
    uv_loop_t *loop;
    struct dispatch *dispatch; /* On the leader. */
    struct list sessions;
    uint32_t n_live;
    struct engine_watch watch;
    struct loop_soon *pump;
    struct loop_timer *timer;
    struct arena arena; /* One message or one step. */
    struct buf out;
    struct engine_write taken; /* The dispatcher's own command. */
    bool taking;
    bool closing;
    uint64_t next_log;
    uint64_t news; /* Counts what may have changed the list of controllers. */
    struct grpc_method methods[3];
};

/* session.c */
void session_start(struct grpc_call *call);
void session_message(struct grpc_call *call, struct str bytes);
void session_closed(struct grpc_call *call, int status);
void session_send(struct session *s, Ecs__Agent__V1__ControllerMessage *m);
void session_redirect(struct session *s);

/* End the stream with a status; on_close follows. */
void session_end(struct session *s, enum grpc_code code, const char *why);

/* assign.c */
void assign_send(struct link *l, const struct dispatch_out *out);
int reports_read(struct session *s, const Ecs__Agent__V1__Reports *reports, struct err *err);

/* orphans.c: what nodes run and the state does not know. */
int orphans_read(struct session *s, const Ecs__Agent__V1__Heartbeat *heartbeat, struct err *err);
uint32_t orphans_findings(void *ctx, struct audit_finding *v, uint32_t max);

/* logs.c */
void logs_chunk(struct session *s, const Ecs__Agent__V1__LogChunk *chunk);
void logs_end_all(struct session *s, int status, const char *why);

/* join.c */
void join_start(struct grpc_call *call);
void join_message(struct grpc_call *call, struct str bytes);
void join_closed(struct grpc_call *call, int status);
void renew_message(struct grpc_call *call, struct str bytes);

/* pump.c */
void link_wake(struct link *l);
void link_pump(void *data);

#endif
