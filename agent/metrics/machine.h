/* agent/metrics/machine.h
 *
 * What this machine has and how busy it is, from /proc and the cgroup file systems (v1, v2 or
 * both). A limit on the agent's own cgroup counts as the machine's size: inside a container or a
 * slice that is all there is. Reads of kernel files only, some ten of them, no disk; any thread. */
#ifndef AGENT_METRICS_MACHINE_H
#define AGENT_METRICS_MACHINE_H

#include "common/base/err.h"

#include <stdint.h>

#define MACHINE_UNITS_PER_CPU 1024 /* ECS CPU units. */
#define MACHINE_WORD_MAX      64

struct machine {
    uint32_t cpu_units;
    uint32_t memory_mib;
    char architecture[MACHINE_WORD_MAX]; /* As ECS spells it: "x86_64", "arm64". */
    char kernel[MACHINE_WORD_MAX];       /* "6.1.0-30-amd64" */
    char name[MACHINE_WORD_MAX];         /* Host name. */
};

/* root is put in front of /proc and /sys; "" for the real ones. ERR_IO with the file's name. */
int machine_read(const char *root, struct machine *ret, struct err *err);

struct machine_usage { /* Zeroed at first; carries the counters between two calls. */
    uint32_t cpu_used; /* CPU units, since the call before. */
    uint32_t memory_used_mib;
    /* Private. */
    uint64_t busy;
    uint64_t total;
};

/* Of the whole machine. cpu_used is 0 on the first call. */
int machine_usage(const char *root, struct machine_usage *u, struct err *err);

#endif
