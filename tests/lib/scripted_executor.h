/* tests/lib/scripted_executor.h
 *
 * A container runtime that obeys the image's name instead of running anything:
 *
 *   run             runs until it is stopped
 *   exit-CODE-MS    ends with CODE after MS milliseconds
 *   oom             is killed for its memory after 20 ms
 *   nopull, nostart fails there
 *   slow-pull       takes 500 ms to pull, then as run
 *   stubborn        needs 200 ms to stop
 *
 * A world holds the containers and outlives its executors, as real ones outlive an agent: close
 * the executor, open another on the same world, and its inventory finds them. Loop thread only. */
#ifndef TESTS_LIB_SCRIPTED_EXECUTOR_H
#define TESTS_LIB_SCRIPTED_EXECUTOR_H

#include "agent/core/executor.h"
#include "common/base/list.h"

#include <uv.h>

struct script_container {
    struct list link;
    struct id task;
    char name[64];
    char image[64];
    enum exec_state state;
    struct exec_exit exit;
    uint64_t started_at_ms;
};

struct script_world {
    struct list containers;
    char log_dir[128];  /* Where log files are: LOG_DIR/NAME.json */
    unsigned n_started; /* Containers created, ever. */
    unsigned n_removed; /* Tasks removed. */
    unsigned n_pulls;
    unsigned n_runs;     /* Health probes. */
    int probe_exit_code; /* What they return. */
    struct id stray;     /* A task with processes that no container is known for; or none. */
};

void script_world_init(struct script_world *w);
void script_world_close(struct script_world *w);
struct script_container *script_find(struct script_world *w, struct id task, const char *name);
unsigned script_n_running(const struct script_world *w);

struct script_executor;

struct executor *script_open(uv_loop_t *loop, struct script_world *w,
                             const struct executor_events *events);

/* Requests under way are answered with ERR_CANCELED inside this call. */
void script_close(struct executor *x);

#endif
