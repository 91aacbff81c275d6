/* agent/core/reconcile.h
 *
 * What this node should run, against what it runs. One event in, actions out (action.h); no clock,
 * no I/O. Three rules protect the rest of the cluster from a node that was cut off:
 *
 * - Fencing: a welcome with a lower (epoch, session) than the journal has seen is refused, and only
 *   tasks that the controller named since the last welcome may start anything. A control plane that
 *   was restored has a higher epoch: what is left of the old one is not listened to any more.
 * - Lease: after its end nothing new is started; what runs keeps running.
 * - Once: a container is created at most once for ever. A task that ended is remembered until the
 *   controller knows its end, and an hour longer.
 *
 * After a restart: reconcile_restore() for every row of the journal, then EVENT_INVENTORY, then
 * anything else. Pure. */
#ifndef AGENT_CORE_RECONCILE_H
#define AGENT_CORE_RECONCILE_H

#include "agent/core/action.h"
#include "agent/core/message.h"
#include "agent/core/report.h"
#include "agent/core/task.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reconcile_options {
    struct task_options task;
    uint64_t keep_ms; /* Files and logs of a stopped task stay this long. */
};

enum event_kind {
    EVENT_INVENTORY,    /* containers: all that the runtime has. Once, first. */
    EVENT_WELCOME,      /* epoch, session, until_ms */
    EVENT_LEASE,        /* until_ms: a heartbeat was acknowledged. */
    EVENT_DISCONNECTED, /* */
    EVENT_ASSIGN,       /* assign */
    EVENT_REPORTED,     /* number: a message of reports was acknowledged. */
    EVENT_PULLED,       /* task, container, status, err, image */
    EVENT_STARTED,      /* task, container, status, err */
    EVENT_EXITED,       /* exit */
    EVENT_STOPPED,      /* task, container, status: the answer to ACTION_STOP. */
    EVENT_REMOVED,      /* task, status: the answer to ACTION_REMOVE. */
    EVENT_HEALTH,       /* task, container, health */
    EVENT_TICK,         /* Time has passed. */
    EVENT_KIND_N,
};

struct wanted { /* One assignment with its specification, when it is new here. */
    struct id task;
    bool stop;
    const char *stop_reason;
    struct arena *arena;          /* Taken over if spec is used; NULL without spec. */
    const struct task_spec *spec; /* NULL: not sent, not needed, or not understood ... */
    const char *why;              /* ... for this reason; NULL otherwise. */
    struct str bytes;             /* spec as it came, for the journal. */
};

struct assign {
    uint64_t number;
    bool full;
    bool full_end;
    struct wanted *tasks;
    uint32_t n_tasks;
    const struct id *forget;
    uint32_t n_forget;
};

struct event { /* Everything is borrowed for the step. */
    enum event_kind kind;
    struct moment now;
    struct id task;
    uint32_t container;
    int status;
    const struct err *err;
    const struct exec_image *image;
    const struct exec_exit *exit;
    enum health health;
    const struct exec_container *containers;
    size_t n_containers;
    uint64_t epoch;
    uint64_t session;
    uint64_t until_ms; /* On CLOCK_BOOTTIME. */
    uint64_t number;
    const struct assign *assign;
};

struct reconcile; /* Opaque. */

struct reconcile *reconcile_open(const struct mem *mem, const struct reconcile_options *options);
void reconcile_close(struct reconcile *r); /* NULL is fine. */

/* From the journal; saved and spec as task_restore() wants them. ERR_FULL, ERR_EXISTS. */
int reconcile_restore(struct reconcile *r, const struct task *saved, struct arena *arena,
                      const struct task_spec *spec, struct err *err);
void reconcile_restore_session(struct reconcile *r, uint64_t epoch, uint64_t session);

/* Take in one event; what is to be done is appended to out. ERR_CONFLICT: the welcome is older
 * than one seen before, so nobody should listen to that controller. ERR_FULL: assignments were
 * left out because the node has as many tasks as it can remember. 0 otherwise. */
int reconcile_step(struct reconcile *r, const struct event *event, struct actions *out);

/* When EVENT_TICK is due, on CLOCK_BOOTTIME; UINT64_MAX: not before something else happens. */
uint64_t reconcile_deadline(const struct reconcile *r, const struct moment *now);

/* --- views: tasks in the order of their ids; valid until the next step
 * ----------------------------
 */
size_t reconcile_n_tasks(const struct reconcile *r);
struct task *reconcile_task_at(const struct reconcile *r, size_t i);
struct task *reconcile_find(const struct reconcile *r, struct id id); /* NULL: no such task. */
size_t reconcile_n_orphans(const struct reconcile *r);
bool reconcile_knows(const struct reconcile *r, struct id task);       /* As a task or an orphan. */
bool reconcile_may_start(const struct reconcile *r, uint64_t boot_ms); /* Does the lease hold? */
/* To be asked again right before a container is created, which may be long after it was decided: in
 * another session the controllers may have given the task up, or name it only to have it stopped.
 */
bool reconcile_may_start_task(const struct reconcile *r, const struct task *t, uint64_t boot_ms);

/* For the shell, which builds the messages; see report.h. */
struct report_queue *reconcile_reports(struct reconcile *r);

#endif
