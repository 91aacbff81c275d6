/* agent/metrics/capacity.h
 *
 * What this node offers to tasks: the machine's size, less the reserve for the host, unless the
 * configuration says otherwise; its ports; and its attributes, built-in ones and the operator's.
 * Pure apart from its inputs. */
#ifndef AGENT_METRICS_CAPACITY_H
#define AGENT_METRICS_CAPACITY_H

#include "agent/core/message.h"
#include "agent/metrics/machine.h"
#include "common/base/arena.h"
#include "common/base/err.h"

#include <stddef.h>
#include <stdint.h>

struct capacity_options { /* Zero and NULL: not given. */
    uint64_t cpu;         /* CPU units for tasks; 0: the machine's less the reserve. */
    uint64_t memory;      /* MiB; likewise. */
    uint64_t reserve_cpu;
    uint64_t reserve_memory;     /* MiB */
    const char *port_range;      /* "32768-60999"; NULL: that. */
    const char *const *reserved; /* "22", "53/udp", "8000-8010/tcp" */
    size_t n_reserved;
    const char *const *attributes; /* "key=value" or "key" */
    size_t n_attributes;
    const char *zone;          /* ecs.availability-zone */
    const char *provider;      /* ecs.capacity-provider */
    const char *instance_type; /* ecs.instance-type; NULL: from the machine's size. */
    bool privileged;           /* Tasks may be privileged. */
};

/* Fill cpu, memory, ports and attributes of *ret from the arena; the rest of it is left alone.
 * ERR_INVALID names the option and the rule. */
int capacity_fill(const struct machine *m, const struct capacity_options *options,
                  struct arena *arena, struct hello *ret, struct err *err);

#endif
