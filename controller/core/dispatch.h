/* controller/core/dispatch.h
 *
 * The sessions of nodes on the leader. Downwards: from changes of the store to what each node has
 * not been told yet (run, stop, forget), numbered and with a bounded number unacknowledged.
 * Upwards: the reports of all nodes become one CMD_TASK_REPORTS per batch, acknowledged to each
 * node once applied. Deals in task slots and ids: encoding and streams are controller/link's.
 * Pure; one thread.
 *
 * Order of use, on the leader alone:
 *
 *   stream opened, hello read    CMD_NODE_REGISTER through the engine; when it was applied
 *                                dispatch_connect() with result->slot and result->revision
 *   every message of the agent   dispatch_heard() (and leader_heartbeat())
 *   its reports                  dispatch_report()
 *   its acknowledgements         dispatch_ack()
 *   after every store_apply()    dispatch_changed()
 *   when dispatch_dirty()        dispatch_step() until it returns less than it may: send these;
 *                                dispatch_take(): propose these, then dispatch_settle()
 *   stream ended                 dispatch_disconnect()
 *
 * What an agent can rely on: the full list comes first, and everything that is on the node and not
 * in it is to be stopped and removed. A stop may name a task the node never heard of; the agent
 * then reports it STOPPED. Reports that were not acknowledged are sent again after reconnecting.
 * A task is forgotten only after the state knows that it stopped. */
#ifndef CONTROLLER_CORE_DISPATCH_H
#define CONTROLLER_CORE_DISPATCH_H

#include "common/base/arena.h"
#include "controller/core/command.h"
#include "controller/core/store.h"

struct dispatch;         /* Opaque. */
struct dispatch_session; /* Opaque. */

struct dispatch_settings {
    uint32_t silent_ms;       /* A session that says nothing for so long is closed. */
    uint32_t tasks_max;       /* Assignments and forgets of one message, each. */
    uint32_t window;          /* Assignment messages unacknowledged per session. */
    uint32_t reports_max;     /* Task reports of one command. */
    uint32_t reports_waiting; /* Task reports held; beyond this dispatch_report() refuses. */
};

/* Borrow the store until dispatch_close(). */
struct dispatch *dispatch_open(const struct store *store, const struct dispatch_settings *settings,
                               const struct mem *mem);

/* Ends all sessions without a word; their pointers are dead. NULL is fine. */
void dispatch_close(struct dispatch *d);

/* --- from the agents ----------------------------------------------------------------------------
 */

struct dispatch_inventory { /* A task that is on the node. */
    struct id id;
    uint8_t status; /* enum task_status */
};

/* The node has registered: node is its slot, session the revision of the registration. An older
 * session of the node is told to close. The inventory is all that the node remembers, ended tasks
 * included until it was told to forget them: a task that is said to run and is not there is over.
 * data comes back with every output. The session is valid until dispatch_disconnect(). */
struct dispatch_session *dispatch_connect(struct dispatch *d, uint32_t node, uint64_t session,
                                          const struct dispatch_inventory *inventory, uint32_t n,
                                          void *data, int64_t now_ms);

/* The stream is gone: the node is marked as not connected, unless it is back already. */
void dispatch_disconnect(struct dispatch *d, struct dispatch_session *session);

void dispatch_heard(struct dispatch *d, struct dispatch_session *session, int64_t now_ms);

/* Reports message `number`. Copied; node and session of the reports are filled in here. ERR_FULL:
 * too many wait already, end the session. ERR_PROTOCOL: a number or a report that cannot be. */
int dispatch_report(struct dispatch *d, struct dispatch_session *session, uint64_t number,
                    const struct task_report *v, uint32_t n, struct err *err);

/* The agent has stored the assignments up to this number. ERR_PROTOCOL when it was never sent. */
int dispatch_ack(struct dispatch *d, struct dispatch_session *session, uint64_t number,
                 struct err *err);

#define DISPATCH_ORPHAN_MS 60000

struct dispatch_orphan {
    struct id task;
    struct id node_id;
    uint32_t node;    /* Slot. */
    uint8_t why;      /* enum dispatch_orphan_why */
    int64_t since_ms; /* When it was first counted. */
};

enum dispatch_orphan_why {
    ORPHAN_UNKNOWN,   /* No such task. */
    ORPHAN_STOPPED,   /* The state has it as STOPPED. */
    ORPHAN_ELSEWHERE, /* It is another node's. */
};

/* Whose processes are on the node, as its kernel says: all of them. What the state does not know
 * there, or has as STOPPED, in every census for DISPATCH_ORPHAN_MS is an orphan. Those that
 * are so since this call, at most max; how many. */
uint32_t dispatch_census(struct dispatch *d, struct dispatch_session *session,
                         const struct id *held, uint32_t n, int64_t now_ms,
                         struct dispatch_orphan *news, uint32_t max);

/* Fill at most max, return how many there are on all nodes. */
uint32_t dispatch_orphans(const struct dispatch *d, struct dispatch_orphan *v, uint32_t max);

/* --- from the state ------------------------------------------------------------------------------
 */

void dispatch_changed(struct dispatch *d, const struct changes *changes);

/* Something to send or to propose now? Otherwise *ret_deadline_ms is when to look again. */
bool dispatch_dirty(const struct dispatch *d, int64_t now_ms, int64_t *ret_deadline_ms);

/* --- to the agents ------------------------------------------------------------------------------
 */

enum dispatch_kind {
    DISPATCH_ASSIGN,      /* Assignments; number, full, full_end, tasks, forget. */
    DISPATCH_REPORTS_ACK, /* Reports up to number are in the state. */
    DISPATCH_CLOSE,       /* End the stream (reason says why), then dispatch_disconnect(). */
};

struct dispatch_task {
    struct id id;
    uint32_t slot;     /* SLOT_NONE for a task the state does not know. */
    bool stop;         /* Otherwise: run it. */
    struct str reason; /* With stop. */
};

struct dispatch_out {
    uint8_t kind; /* enum dispatch_kind */
    struct dispatch_session *session;
    void *data; /* As given to dispatch_connect(). */
    uint64_t number;
    bool full;
    bool full_end;
    struct dispatch_task *tasks;
    uint32_t n_tasks;
    struct id *forget;
    uint32_t n_forget;
    const char *reason;
};

/* At most n_max outputs, sessions in turn; arrays are from the arena, rows are the store's. */
uint32_t dispatch_step(struct dispatch *d, int64_t now_ms, struct dispatch_out *out, uint32_t n_max,
                       struct arena *arena);

/* --- to the log ----------------------------------------------------------------------------------
 */

/* Up to n_max commands (CMD_TASK_REPORTS, CMD_NODE_CONNECTION down). 0 while the ones before are
 * not settled. They point into the dispatcher and stay valid until dispatch_settle(). */
uint32_t dispatch_take(struct dispatch *d, int64_t now_ms, struct command *cmds, uint32_t n_max,
                       struct arena *arena);

/* What was taken was applied, and dispatch_changed() was told; or it was lost and is to be taken
 * again. */
void dispatch_settle(struct dispatch *d, bool applied);

/* --- looking -------------------------------------------------------------------------------------
 */

struct dispatch_stats {
    uint32_t n_sessions;
    uint32_t n_reports_waiting;
    uint64_t n_reports;     /* Taken into commands since the start. */
    uint64_t n_assignments; /* Run and stop entries sent since the start. */
};

void dispatch_stats(const struct dispatch *d, struct dispatch_stats *ret);

/* The live session of a node, or NULL: for log requests and the like. */
struct dispatch_session *dispatch_find(const struct dispatch *d, uint32_t node);
void *dispatch_data(const struct dispatch_session *session);

#endif
