/* agent/shim/setup.h
 *
 * The surroundings of one container: namespaces, the overlay, the OCI runtime program. Everything
 * made here belongs to this process's namespaces, so it goes when the process and the container
 * are gone, whatever killed them. */
#ifndef AGENT_SHIM_SETUP_H
#define AGENT_SHIM_SETUP_H

#include "common/base/err.h"

#include <stdbool.h>
#include <sys/types.h>

#define SETUP_SYSCTLS_MAX 64

struct setup {
    const char *dir;          /* Container directory: the current one, by its absolute name. */
    const char *id;           /* For the runtime. */
    const char *runtime;      /* Program. */
    const char *runtime_root; /* Its --root. */
    const char *layers;       /* Directory of ... */
    const char *lower;        /* ... "top:...:bottom"; NULL: rootfs is there already. */
    const char *volumes;      /* The task's; NULL: none. Matters with a user namespace only. */
    const char *cgroup;       /* "/ecs/x/y" */
    bool net;                 /* Own network namespace. */
    unsigned uid_base;        /* The container's root outside of it; 0: no user namespace. */
    unsigned uid;             /* Of the container's first process, outside; owns its output. */
    unsigned gid;
    const char *sysctls[SETUP_SYSCTLS_MAX]; /* "net.x.y=value", set in that namespace. */
    unsigned n_sysctls;
};

/* Whatever protects this process from the OOM killer is not for a container: undo it before
 * becoming the runtime. Async-signal-safe. */
void setup_unprotect(void);

/* A private mount namespace, in which crun finds a cgroup layout it accepts. */
int setup_mounts(struct err *err);

/* Network namespace with its settings, and the overlay at rootfs. */
int setup_container(const struct setup *s, struct err *err);

/* Start the container with stdout and stderr as given; it becomes our child. *ret is its pid. */
int setup_run(const struct setup *s, int out, int log, pid_t *ret, struct err *err);

/* Have the runtime forget the container and remove its cgroups; kills what is left. */
void setup_delete(const struct setup *s);

/* OOM kills in the container's cgroup so far; 0 when it cannot be read. */
unsigned long setup_oom_kills(const struct setup *s);

/* Field 22 of /proc/PID/stat; 0 when there is no such process. */
unsigned long long setup_start_time(pid_t pid);

#endif
