/* agent/runtime/cgroup.h
 *
 * Control groups, version 1 (one hierarchy per controller) and 2 (one for all), behind the same
 * calls. Paths are those of the OCI configuration: "/ecs/TASK/CONTAINER" below the mount points.
 * Blocking, but only the kernel answers (microseconds); any thread. */
#ifndef AGENT_RUNTIME_CGROUP_H
#define AGENT_RUNTIME_CGROUP_H

#include "agent/core/executor.h"
#include "common/base/arena.h"
#include "common/base/err.h"
#include "common/base/str.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define CGROUP_PATH_MAX 512

struct cgroup_info {
    bool v2;
    bool swap; /* Swap can be limited. */
};

void cgroup_detect(struct cgroup_info *ret);

/* CPU quota and memory of a whole task: a group around those of its containers. 0: no limit. */
int cgroup_limit(const struct cgroup_info *c, const char *path, uint32_t cpu_units,
                 uint32_t memory_mib, struct err *err);

/* Remove the (empty) group in every hierarchy; missing is fine. Groups below it go first,
 * however deep: privileged containers make their own. */
int cgroup_remove(const struct cgroup_info *c, const char *path, struct err *err);

/* Kill every process in the group and below it. Missing is fine. */
void cgroup_kill(const struct cgroup_info *c, const char *path);

/* Kill and remove everything below parent, and parent itself. For uninstalling. */
int cgroup_purge(const struct cgroup_info *c, const char *parent, struct err *err);

/* Names of the groups right below parent in which, or below which, there are processes; in the
 * arena. A parent that is not there has none. */
int cgroup_census(const struct cgroup_info *c, const char *parent, struct arena *arena,
                  struct str **ret, size_t *ret_n, struct err *err);

/* Counters; those the kernel does not offer are 0. Network counters are not touched. */
int cgroup_stats(const struct cgroup_info *c, const char *path, struct exec_stats *ret,
                 struct err *err);

#endif
