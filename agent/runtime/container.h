/* agent/runtime/container.h
 *
 * The blocking half of the driver: one container from nothing to running, and back to nothing.
 * Any thread; at most one call per container at a time (the driver sees to it), except
 * container_exec() and container_log(). */
#ifndef AGENT_RUNTIME_CONTAINER_H
#define AGENT_RUNTIME_CONTAINER_H

#include "agent/runtime/meta.h"
#include "agent/runtime/runtime.h"

#include <stdatomic.h>

struct container_start {
    const struct exec_start *request;
    const struct spec_host *links; /* Addresses of linked containers. */
    uint32_t n_links;
    uint32_t uid_base; /* The task's range; used if container_userns(). */
    const atomic_bool *canceled;
    /* Answer. */
    int talk; /* Connection to the supervisor; the caller's to close. */
    int32_t pid;
    uint64_t started_at_ms;
    uint32_t ip;
    int stop_signal;
};

/* On failure nothing is left, except when ERR_EXISTS says that the container is there already. */
int container_start(const struct runtime *rt, struct container_start *s, struct err *err);

/* Kill it if need be, wait for its supervisor, delete everything. Missing is fine. */
int container_remove(const struct runtime *rt, struct exec_key key, struct err *err);

/* Every container of the task, and what they shared. */
int container_remove_task(const struct runtime *rt, struct id task, struct err *err);

/* Run a command in it. pidfd: of its first process. 0: *ret_status is the command's. */
int container_exec(const struct runtime *rt, const struct exec_run *r, int pidfd, uint64_t number,
                   const atomic_bool *canceled, int *ret_status, struct err *err);

/* Lines of its log into r->lines; *ret_cut: there was no room for all. */
int container_log(const struct runtime *rt, const struct exec_log *r, bool *ret_cut,
                  struct err *err);

/* --- finding again
 * -------------------------------------------------------------------------------- */

/* The supervisor's record, with what can be known about its truth. ERR_NOTFOUND: none yet. */
int container_state(const char *dir, struct shim_state *ret, struct err *err);

/* Does its process run? False after a reboot, and for a pid that was used again. */
bool container_alive(const struct shim_state *s);

/* Connect to the supervisor; -1 when there is none. */
int container_connect(const char *dir);

/* A descriptor of the process, if it is still the one that began at start; -1 if not. */
int container_pidfd(int32_t pid, uint64_t start);

struct found {
    struct meta meta;
    bool has_state;
    struct shim_state state;
    bool alive;
    int talk; /* -1: no supervisor. The caller's to close. */
};

/* Remove all containers there are, of whatever task. For uninstalling. */
int container_remove_all(const struct runtime *rt, struct err *err);

/* Every container of ours, ordered by task, then name. Directories that make no sense (a power cut
 * while they were made) are removed. The list and its texts are in the arena. */
int container_scan(const struct runtime *rt, struct arena *arena, struct found **ret, size_t *ret_n,
                   struct err *err);

#endif
