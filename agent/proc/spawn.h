/* agent/proc/spawn.h
 *
 * Run a program and wait for it, from a job's thread. The child gets a clean signal mask, the
 * descriptors it was given, and no others. Blocking; any thread. */
#ifndef AGENT_PROC_SPAWN_H
#define AGENT_PROC_SPAWN_H

#include "common/base/buf.h"
#include "common/base/err.h"

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

struct spawn {
    const char *const *argv;     /* NULL-terminated; argv[0] is looked up in PATH. */
    const char *const *env;      /* NULL-terminated "NAME=value"; NULL: PATH and LANG=C only. */
    const char *dir;             /* Working directory; NULL: unchanged. */
    int in;                      /* Becomes stdin; -1: /dev/null. */
    int extra;                   /* Becomes descriptor 3; -1: none. */
    struct buf *out;             /* Receives stdout up to its max; NULL: discarded. */
    struct buf *log;             /* Receives stderr up to its max; NULL: discarded. */
    uint32_t timeout_ms;         /* Killed after it; 0: never. */
    const atomic_bool *canceled; /* Killed soon after it becomes true; may be NULL. */
};

/* Start only: stdout and stderr go to /dev/null, nobody waits. The caller reaps *ret_pid. */
int spawn_start(const struct spawn *s, pid_t *ret_pid, struct err *err);

/* Run to the end. 0 whenever the program ran and ended: *ret_status is its exit status, or 128 + n
 * after signal n. ERR_TIMEOUT, ERR_CANCELED, ERR_NOTFOUND (no such program) or ERR_IO else. */
int spawn_run(const struct spawn *s, int *ret_status, struct err *err);

/* As spawn_run(), but anything except exit status 0 is ERR_IO with the end of stderr as its text.
 * s->log may be NULL. */
int spawn_check(const struct spawn *s, struct err *err);

#endif
