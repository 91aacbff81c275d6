/* agent/core/task.h
 *
 * One task on this node. Events change its record (a container started, ended, is wanted no more);
 * task_advance() then compares what is with what should be and asks for the next acts. It is
 * level-triggered: the same call serves an event, a passed deadline and a restarted agent. Phases
 * only move forward, and a container is created at most once for ever. Pure. */
#ifndef AGENT_CORE_TASK_H
#define AGENT_CORE_TASK_H

#include "agent/core/action.h"
#include "agent/core/check.h"
#include "agent/core/executor.h"
#include "agent/core/limits.h"
#include "agent/core/message.h"
#include "agent/core/report.h"
#include "agent/core/spec.h"
#include "common/base/arena.h"

#include <stdbool.h>
#include <stdint.h>

/* Numbers are in the journal: never reused. */
enum task_phase {
    TASK_ACCEPTED,
    TASK_PULLING,  /* Images are fetched; nothing has been started. */
    TASK_CREATING, /* Containers start, in the order of their dependencies. */
    TASK_RUNNING,  /* Every container has started. */
    TASK_STOPPING, /* Containers stop, in reverse order. */
    TASK_STOPPED,
    TASK_FORGOTTEN, /* The controller knows its end. Kept so that it never starts again. */
    TASK_PHASE_N,
};

enum container_phase { /* As above. */
                       CONTAINER_PENDING,
                       CONTAINER_CREATING, /* The intent to create it is in the journal: never
                                              again. */
                       CONTAINER_RUNNING,
                       CONTAINER_STOPPING,
                       CONTAINER_STOPPED,
                       CONTAINER_PHASE_N,
};

struct moment {
    int64_t wall_ms;  /* For people: since 1970, may jump. */
    uint64_t boot_ms; /* For deadlines: CLOCK_BOOTTIME. */
};

struct container {
    int phase;
    enum health health;
    bool has_exit_code;
    int32_t exit_code;
    int64_t started_at; /* Wall clock; 0: it never ran. */
    int64_t stopped_at;
    struct exec_image image;
    char reason[LIMIT_REASON];
    /* Not in the journal. */
    bool pulled;
    bool pull_busy; /* The shell has a request under way. */
    bool start_busy;
    bool stop_busy;
    bool watched;
    uint64_t started_boot_ms; /* For the start timeout; when adopted, the moment of that. */
    uint64_t retry_at_ms;     /* No second attempt to stop it before this. */
};

struct task {
    struct id id;
    int phase;
    bool want_stop;
    bool disowned; /* The controller does not list it: nobody will say when to forget it. */
    enum wire_stop_code stop_code;
    int64_t accepted_at;
    int64_t pull_started_at;
    int64_t pull_stopped_at;
    int64_t started_at;
    int64_t stopped_at;
    int64_t forgotten_at;
    char reason[LIMIT_REASON];
    const struct task_spec *spec; /* NULL: it was refused, or is forgotten. */
    struct container *containers; /* One per container of spec. */
    uint32_t n_containers;
    /* Not in the journal. */
    uint64_t
        listed;   /* The welcome (reconcile.c counts them) after which the controller named it. */
    bool dirty;   /* Differs from its row in the journal. */
    bool removed; /* Nothing of it is left. */
    bool remove_busy;
    uint64_t remove_retry_ms;
    int shown_phase; /* For the shell: the last one it logged. */
    uint32_t n_busy; /* Requests under way: what they point to must stay. */
    struct report_item report;
    /* Private. */
    struct report_queue *queue;
    struct arena arena; /* Owns spec, containers, edges. */
    struct spec_edge *edges;
    uint32_t n_edges;
};

struct task_options { /* Zero: the defaults of limits.h. */
    uint32_t start_timeout_s;
    uint32_t stop_timeout_s;
};

/* A new task in TASK_ACCEPTED, or, when its specification is refused, in TASK_STOPPED with the
 * reason. Takes over *arena (which owns spec; left zeroed). spec NULL: `why` says why there is
 * none. */
struct task *task_open(const struct mem *mem, struct id id, struct arena *arena,
                       const struct task_spec *spec, const char *why, struct moment now,
                       struct report_queue *queue);

/* A task as the journal has it: saved carries the fields that are journalled, with as many
 * containers as spec has (or none without spec). */
struct task *task_restore(const struct mem *mem, const struct task *saved, struct arena *arena,
                          const struct task_spec *spec, struct report_queue *queue);

void task_close(const struct mem *mem, struct task *t); /* n_busy is 0. NULL is fine. */

/* A forgotten task needs its specification no more; nothing happens while n_busy is not 0. */
void task_release_spec(struct task *t);

/* --- events: what happened
 * ------------------------------------------------------------------------
 */
void task_stop(struct task *t, const char *reason);
void task_pulled(struct task *t, uint32_t i, int status, const struct err *err,
                 const struct exec_image *image);
void task_started(struct task *t, uint32_t i, int status, const struct err *err,
                  const struct moment *now);
void task_exited(struct task *t, uint32_t i, const struct exec_exit *exit,
                 const struct moment *now);
void task_stop_done(struct task *t, uint32_t i, int status, const struct moment *now);
void task_removed(struct task *t, int status, const struct moment *now);
void task_health(struct task *t, uint32_t i, enum health health);

/* After a restart: what the runtime has of container i, or NULL when it has nothing. */
void task_adopt(struct task *t, uint32_t i, const struct exec_container *found,
                const struct moment *now);

/* The controller knows the task's end (a stopped task only). */
void task_forget(struct task *t, const struct moment *now);

/* --- and what to do about it
 * ----------------------------------------------------------------------
 */

/* may_start: the node's lease holds and the current session listed the task. */
void task_advance(struct task *t, const struct task_options *options, const struct moment *now,
                  bool may_start, struct actions *out);

/* When task_advance() wants to be called though nothing happened; UINT64_MAX: never. */
uint64_t task_deadline(const struct task *t, const struct task_options *options);

/* --- views
 * ----------------------------------------------------------------------------------------
 */
enum wire_status task_status(const struct task *t);
enum health task_health_status(const struct task *t);
const char *task_phase_name(int phase);
const char *container_phase_name(int phase);

/* What to tell the controller: a copy, in the arena. */
void task_report(const struct task *t, struct arena *arena, struct task_report *ret);

#endif
