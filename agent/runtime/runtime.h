/* agent/runtime/runtime.h
 *
 * What every blocking operation of the driver needs to know, and where everything is. Constant
 * between driver_open() and driver_close(), so any thread may read it. Private to agent/runtime.
 *
 *   STATE/containers/ID/   one container: agent/shim/protocol.h, and meta.json (meta.h)
 *   STATE/volumes/TASK/    volumes that go with their task
 *   STATE/images/          agent/image
 *   RUN/oci/               the OCI runtime's own records
 *
 * ID is the task's 32 hex digits, "-", and the container's name. */
#ifndef AGENT_RUNTIME_RUNTIME_H
#define AGENT_RUNTIME_RUNTIME_H

#include "agent/net/net.h"
#include "agent/runtime/cgroup.h"
#include "agent/runtime/driver.h"

#include <limits.h>

#define CONTAINER_ID_MAX 192

struct runtime {
    struct driver_options options; /* Complete: no defaults left to fill in. */
    char *state_dir;
    char *containers;
    char *volumes;
    char *images;
    char *layers;
    char *oci_root;
    struct cgroup_info cgroup;
    bool is_crun;
    char version[64];
    char *seccomp;  /* Base64, NULL when the runtime takes JSON only. */
    bool may_raise; /* CAP_SYS_RESOURCE: limits may exceed our own. */
    int oom_score;  /* Our own adjustment. */
    bool userns;    /* Kernel and file system can, and the operator wants. */
    struct net *net;
};

/* A task's range of user ids on the node: its own, and no node user's. */
#define USERNS_SIZE  65536u
#define USERNS_FIRST (1u << 20)
#define USERNS_SLOTS 16384u

/* May this container have a user namespace? Not with the node's network, whose ports and settings
 * belong to the node's root, nor with more capabilities than usual, which would be worth nothing
 * in it, nor with the node's files, which would have no owner. */
bool container_userns(const struct runtime *rt, const struct task_spec *task,
                      const struct container_spec *c);

/* Task and container as one name. Long names are cut and made unique by a hash. */
void container_id(struct exec_key key, char ret[CONTAINER_ID_MAX]);

/* [A-Za-z0-9_-]{1,255}: safe as a file name and in every other place where names go. */
bool container_name_ok(const char *name);

/* STATE/containers/ID */
int container_dir(const struct runtime *rt, struct exec_key key, char ret[PATH_MAX],
                  struct err *err);

/* PARENT/TASK and PARENT/TASK/NAME */
void task_cgroup(const struct runtime *rt, struct id task, char ret[CGROUP_PATH_MAX]);
void container_cgroup(const struct runtime *rt, struct exec_key key, char ret[CGROUP_PATH_MAX]);

#endif
