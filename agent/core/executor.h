/* agent/core/executor.h
 *
 * What the agent's shell asks of a container runtime, and what it is told. One real implementation
 * (agent/runtime) and one scripted for tests. Nothing here names crun, cgroups or overlayfs.
 *
 * Requests follow one contract: the caller embeds the struct in its owner, fills the fields above
 * the line, and calls the operation, which never fails by itself. The callback runs exactly once,
 * from the loop, never inside the call that started it, and is the last thing to touch the struct;
 * until then the caller leaves it, and everything it points to, alone. status is 0 or an ERR_*
 * code explained by err; the fields below the line are valid when status is 0.
 *
 * Only the loop thread calls. Operations on one container are carried out in the order they were
 * asked for; stop and kill may overtake a start, which then ends with ERR_CANCELED. */
#ifndef AGENT_CORE_EXECUTOR_H
#define AGENT_CORE_EXECUTOR_H

#include "agent/core/spec.h"
#include "common/base/buf.h"
#include "common/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXEC_DIGEST_MAX 136 /* "sha512:" and 128 digits, and the NUL. */
#define EXEC_IP_MAX     46

/* A container for ever: the task and the container's name in it. name is borrowed. */
struct exec_key {
    struct id task;
    const char *name;
};

/* An image on this node; a plain value that may be journalled and used after a restart. */
struct exec_image {
    char manifest[EXEC_DIGEST_MAX]; /* What the reference resolved to: "sha256:…". */
    char id[EXEC_DIGEST_MAX];       /* Digest of the configuration: names the unpacked image. */
};

enum exec_pull_policy {
    EXEC_PULL_ONCE,   /* Use the node's copy if it has one. */
    EXEC_PULL_ALWAYS, /* Ask the registry; the node's copy if that fails. */
    EXEC_PULL_STRICT, /* Ask the registry; fail if that fails. */
    EXEC_PULL_POLICY_N,
};

struct exec_pull {
    void *data;            /* For the caller. */
    const char *reference; /* "[host[:port]/]path[:tag][@digest]". */
    const char *username;  /* NULL: anonymous. */
    const char *password;
    enum exec_pull_policy policy;
    void (*cb)(struct exec_pull *r);
    /* May be NULL. Runs from the loop, any number of times before cb. total 0: not known yet. */
    void (*progress)(struct exec_pull *r, uint64_t done_bytes, uint64_t total_bytes);
    /* Answer. */
    int status;
    struct err err;
    struct exec_image image;
    uint64_t size;   /* Bytes of its compressed layers. */
    bool from_cache; /* Nothing was fetched. */
    /* Private to the implementation. */
    void *impl;
};

struct exec_start {
    void *data;
    const struct task_spec *task;
    uint32_t container; /* Index into task->containers. */
    struct exec_image image;
    const struct spec_pair *environment; /* Added after the container's own. */
    uint32_t n_environment;
    void (*cb)(struct exec_start *r);
    /* Answer. */
    int status;
    struct err err;
    int32_t pid; /* Of the container's first process, in the node's pid namespace. */
    uint64_t started_at_ms;
    char ip[EXEC_IP_MAX]; /* The container's own; "" in host mode and none. */
    /* Private to the implementation. */
    void *impl;
};

struct exec_stop {
    void *data;
    struct exec_key key;
    uint32_t timeout_s; /* From the first signal to KILL. */
    /* Runs once the container has ended, after its exit was notified; also when it had ended
     * before. ERR_NOTFOUND: nothing of that name was ever started here. */
    void (*cb)(struct exec_stop *r);
    /* Answer. */
    int status;
    struct err err;
    /* Private to the implementation. */
    void *impl;
};

/* Delete what a container or a whole task left: file system, network, cgroups, state, logs. Kills
 * what still runs. What is gone already is success, so removing twice is harmless. */
struct exec_remove {
    void *data;
    struct exec_key key; /* name NULL: every container of the task, its volumes and network. */
    void (*cb)(struct exec_remove *r);
    /* Answer. */
    int status;
    struct err err;
    /* Private to the implementation. */
    void *impl;
};

/* Run a command inside a running container (health checks, later `execute-command`). */
struct exec_run {
    void *data;
    struct exec_key key;
    const char *const *command;
    uint32_t n_command;
    uint32_t timeout_ms; /* The command is killed after it: status ERR_TIMEOUT. */
    struct buf *output;  /* May be NULL. Receives the start of stdout and stderr, up to its max. */
    void (*cb)(struct exec_run *r);
    /* Answer. */
    int status;
    struct err err;
    int exit_code; /* 128 + n after signal n. */
    /* Private to the implementation. */
    void *impl;
};

/* How a container ended. */
struct exec_exit {
    struct exec_key key;
    bool unknown;  /* The supervisor was lost: exit_code and signal say nothing. */
    int exit_code; /* 128 + signal when a signal ended it. */
    int signal;    /* 0 when it ended by itself. */
    bool oom_killed;
    uint64_t started_at_ms;
    uint64_t finished_at_ms; /* When it was noticed, if unknown. */
};

enum exec_state {
    EXEC_CREATED, /* Prepared, its process not started (an agent died in between). */
    EXEC_RUNNING,
    EXEC_EXITED,
    EXEC_STATE_N,
};

struct exec_container {
    struct exec_key key; /* name borrowed from the request's list. */
    enum exec_state state;
    bool supervised; /* False: its supervisor is gone; the exit code will be unknown. */
    int32_t pid;
    uint64_t started_at_ms;
    char ip[EXEC_IP_MAX];
    struct exec_image image;
    struct exec_exit exit; /* When state is EXEC_EXITED. */
};

/* Everything of ours on this node; call once, before any other operation on containers. From then
 * on the exits of those running are notified too. Callers start what they want to keep, and
 * remove what they do not know. */
struct exec_inventory {
    void *data;
    void (*cb)(struct exec_inventory *r);
    /* Answer. The list belongs to the implementation and is valid during cb only. */
    int status;
    struct err err;
    const struct exec_container *containers; /* Ordered by task id, then name. */
    size_t n_containers;
    /* Private to the implementation. */
    void *impl;
};

/* Whose processes are on this machine, from the kernel and not from memory: for the auditor. */
struct exec_census {
    void *data;
    void (*cb)(struct exec_census *r);
    /* Answer. The list belongs to the implementation and is valid during cb only. */
    int status;
    struct err err;
    const struct id *tasks; /* Each once, in order. */
    size_t n_tasks;
    /* Private to the implementation. */
    void *impl;
};

/* A piece of a container's log: lines in order, oldest first. */
struct exec_log {
    void *data;
    struct exec_key key;
    uint64_t since_ms; /* Lines written at or after this. */
    uint32_t tail;     /* At most this many last lines; 0: all. */
    struct buf *lines; /* Receives json-lines {"log","stream","time"}; cut at a line end. */
    void (*cb)(struct exec_log *r);
    /* Answer. */
    int status;
    struct err err;
    bool cut; /* lines was full. */
    /* Private to the implementation. */
    void *impl;
};

struct exec_stats {
    uint64_t cpu_ns;             /* Since the start. */
    uint64_t memory_bytes;       /* Without the reclaimable page cache. */
    uint64_t memory_limit_bytes; /* 0: none. */
    uint64_t memory_peak_bytes;
    uint32_t n_pids;
    uint32_t n_oom_kills;
    uint64_t net_rx_bytes; /* 0 in host mode. */
    uint64_t net_tx_bytes;
};

/* Notifications, all from the loop and never inside an operation. */
struct executor_events {
    void *data;
    /* A started or adopted container ended. Once per container and agent life. */
    void (*exited)(void *data, const struct exec_exit *exit);
};

struct executor;

struct executor_ops {
    void (*pull)(struct executor *x, struct exec_pull *r);
    void (*start)(struct executor *x, struct exec_start *r);
    void (*stop)(struct executor *x, struct exec_stop *r);
    void (*remove)(struct executor *x, struct exec_remove *r);
    void (*run)(struct executor *x, struct exec_run *r);
    void (*inventory)(struct executor *x, struct exec_inventory *r);
    void (*census)(struct executor *x, struct exec_census *r);
    void (*log)(struct executor *x, struct exec_log *r);
    /* Send a signal now. 0, ERR_NOTFOUND when it is not running, or another ERR_*. */
    int (*kill)(struct executor *x, struct exec_key key, int signal, struct err *err);
    /* Counters now (a few reads from the kernel, no disk). */
    int (*stats)(struct executor *x, struct exec_key key, struct exec_stats *ret, struct err *err);
    /* Where the current log file is; ERR_TOOBIG if it does not fit. */
    int (*log_path)(struct executor *x, struct exec_key key, char *ret, size_t size,
                    struct err *err);
};

/* Embedded first in every implementation, which also provides its open and close. close cancels
 * what is outstanding (ERR_CANCELED) and leaves every container running. */
struct executor {
    const struct executor_ops *ops;
    struct executor_events events;
};

static inline void executor_pull(struct executor *x, struct exec_pull *r)
{
    x->ops->pull(x, r);
}

static inline void executor_start(struct executor *x, struct exec_start *r)
{
    x->ops->start(x, r);
}

static inline void executor_stop(struct executor *x, struct exec_stop *r)
{
    x->ops->stop(x, r);
}

static inline void executor_remove(struct executor *x, struct exec_remove *r)
{
    x->ops->remove(x, r);
}

static inline void executor_run(struct executor *x, struct exec_run *r)
{
    x->ops->run(x, r);
}

static inline void executor_inventory(struct executor *x, struct exec_inventory *r)
{
    x->ops->inventory(x, r);
}

static inline void executor_census(struct executor *x, struct exec_census *r)
{
    x->ops->census(x, r);
}

static inline void executor_log(struct executor *x, struct exec_log *r)
{
    x->ops->log(x, r);
}

static inline int executor_kill(struct executor *x, struct exec_key key, int signal,
                                struct err *err)
{
    return x->ops->kill(x, key, signal, err);
}

static inline int executor_stats(struct executor *x, struct exec_key key, struct exec_stats *ret,
                                 struct err *err)
{
    return x->ops->stats(x, key, ret, err);
}

static inline int executor_log_path(struct executor *x, struct exec_key key, char *ret, size_t size,
                                    struct err *err)
{
    return x->ops->log_path(x, key, ret, size, err);
}

#endif
