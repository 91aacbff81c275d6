/* agent/runtime/driver_impl.h
 *
 * The driver's own structures, shared by driver.c (opening, closing), track.c (what is known of
 * each container, exits, stops) and ops.c (requests that take a thread). Private to agent/runtime;
 * loop thread only. */
#ifndef AGENT_RUNTIME_DRIVER_IMPL_H
#define AGENT_RUNTIME_DRIVER_IMPL_H

#include "agent/image/image.h"
#include "agent/proc/jobs.h"
#include "agent/runtime/container.h"
#include "common/base/list.h"
#include "common/loop/loop.h"

struct driver;
struct watch;
struct start_op;
struct remove_op;

enum track_state {
    TRACK_STARTING,
    TRACK_RUNNING,
    TRACK_ENDED,   /* Its exit was notified, or it never ran. */
    TRACK_REMOVED, /* Being deleted; nothing more is notified. */
};

struct track { /* One container this agent started or found. */
    struct list link;
    struct driver *d;
    struct id task;
    char *name;
    enum track_state state;
    struct start_op *start; /* While STARTING. */
    struct watch *watch;    /* While RUNNING, and until its supervisor is gone. */
    int pidfd;              /* -1: unknown. */
    int32_t pid;
    int stop_signal;
    uint32_t ip;
    uint32_t uid_base; /* The task's range of user ids. */
    struct spec_port *ports;
    uint32_t n_ports;
    uint64_t started_at_ms;
    struct exec_image image;
    struct exec_stop *stops; /* Under way, linked by their `impl`. */
    struct loop_timer *kill_timer;
    uint64_t kill_at; /* Monotonic; 0: no stop under way. */
};

struct driver {
    struct executor x; /* First: the vtable's functions cast it back. */
    struct runtime rt;
    struct images_options images_options;
    uv_loop_t *loop;
    struct images *images;
    struct jobs *jobs;  /* Starts, removals, inventories. */
    struct jobs *quick; /* Commands and logs: not to be held up by the above. */
    struct list tracks;
    struct remove_op *removals; /* Waiting for a start to end. */
    struct list deferred;
    struct loop_soon *soon;
    uint64_t next_exec;
    int lock_fd;
    bool closing;
    void (*close_cb)(void *data);
    void *close_data;
};

/* Have fn(data) run from the loop, soon. */
void driver_defer(struct driver *d, void (*fn)(void *data), void *data);

/* malloc() that ends the process: for the small structures of this module. */
void *driver_alloc(size_t size);

/* --- track.c --- */
struct track *track_new(struct driver *d, struct exec_key key);
struct track *track_find(struct driver *d, struct exec_key key);

/* Stop watching, answer what waits, forget. */
void track_free(struct track *t);

/* It runs. talk: connection to its supervisor, -1: none; taken over, as is pidfd. */
void track_run(struct track *t, int talk, int pidfd);

void track_set_ports(struct track *t, const struct spec_port *ports, uint32_t n_ports);

/* It ended: tell, once. NULL: nothing is known but that it is over. */
void track_end(struct track *t, const struct shim_state *state);

void track_stop(struct executor *x, struct exec_stop *r);
int track_kill(struct executor *x, struct exec_key key, int signal, struct err *err);
int track_stats(struct executor *x, struct exec_key key, struct exec_stats *ret, struct err *err);

/* Answer every stop of t with status. */
void track_answer_stops(struct track *t, int status);

/* --- ops.c --- */
void ops_start(struct executor *x, struct exec_start *r);
void ops_remove(struct executor *x, struct exec_remove *r);
void ops_run(struct executor *x, struct exec_run *r);
void ops_inventory(struct executor *x, struct exec_inventory *r);

/* census.c */
void ops_census(struct executor *x, struct exec_census *r);
void ops_log(struct executor *x, struct exec_log *r);

/* Ask the start under way to end. */
void ops_cancel_start(struct start_op *op);

/* Withdraw the ports of a container that ended. */
void ops_withdraw(struct track *t);

/* At the end: answer the removals that still wait. */
void ops_cancel_removals(struct driver *d);

#endif
