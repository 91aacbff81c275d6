/* agent/runtime/driver.h
 *
 * The real executor (agent/core/executor.h): containers through ecs-shim and an OCI runtime
 * program, images through agent/image, networks through agent/net. Containers outlive the agent;
 * driver_open() and an inventory find them again. Loop thread only; blocking work happens on
 * threads of its own, never on libuv's pool. */
#ifndef AGENT_RUNTIME_DRIVER_H
#define AGENT_RUNTIME_DRIVER_H

#include "agent/core/executor.h"

#include <uv.h>

/* Strings are copied by driver_open(). NULL and 0 mean the default in brackets. */
struct driver_options {
    const char *state_dir;     /* Images, container files, logs. Required; private to this agent. */
    const char *run_dir;       /* On tmpfs: what must not survive a reboot. Required; likewise. */
    const char *node_name;     /* Shown to containers as ECS_NODE. Required. */
    const char *runtime;       /* ["crun"] Any program with runc's command line. */
    const char *shim;          /* ["ecs-shim", beside the running program] */
    const char *unpack;        /* ["ecs-unpack", likewise] */
    const char *skopeo;        /* ["skopeo"] */
    const char *nft;           /* ["nft"] */
    const char *cgroup_parent; /* ["/ecs"] Must differ between agents of one machine. */
    const char *bridge;        /* ["ecs0"] */
    const char *subnet;        /* ["172.29.0.0/20"] Of the bridge. */
    const char *const *insecure_registries; /* "host[:port]": plain HTTP or unverified TLS. */
    uint32_t n_insecure_registries;
    const char *const *host_paths; /* Host directories that tasks may mount, with what is below. */
    uint32_t n_host_paths;
    bool allow_privileged;
    bool no_user_namespaces;   /* Otherwise used wherever node and task allow it. */
    uint64_t log_max_size;     /* [10 MiB] */
    uint32_t log_max_files;    /* [3] */
    uint32_t pids_limit;       /* [4096] */
    uint32_t start_timeout_ms; /* [60000] For the supervisor and the runtime, not for the image. */
};

/* What this node can do, for its attributes. */
struct driver_info {
    char runtime[64]; /* "crun version 1.8.1" */
    bool cgroup_v2;
    bool user_namespaces;
    bool seccomp;
};

struct driver; /* Opaque. */

/* Prepare the directories and the bridge network, start nothing. Blocks for some milliseconds.
 * On success *ret is the caller's, to be released with driver_close(). */
int driver_open(uv_loop_t *loop, const struct driver_options *options,
                const struct executor_events *events, struct driver **ret, struct err *err);

/* The vtable to call; valid until driver_close(). */
struct executor *driver_executor(struct driver *d);

void driver_info(const struct driver *d, struct driver_info *ret);

/* Delete images that no container uses and that were last asked for more than min_age_s ago. */
void driver_image_gc(struct driver *d, uint64_t min_age_s);

/* Cancel what is outstanding (each callback runs, with ERR_CANCELED) and release everything;
 * containers stay. cb(data) runs from the loop at the very end. NULL d is fine: cb runs at once. */
void driver_close(struct driver *d, void (*cb)(void *data), void *data);

/* Kill and remove everything an agent with these options ever made: containers, bridge, firewall
 * table, cgroups; with the directories if all. For uninstalling and for tests. Blocks. */
int driver_purge(const struct driver_options *options, bool all, struct err *err);

#endif
