/* agent/core/check.h
 *
 * Does a specification make sense to this agent? What the controller sends has been checked by it;
 * this is the second lock, because names become paths and a dependency that can never be met would
 * hang a task for ever. Pure. */
#ifndef AGENT_CORE_CHECK_H
#define AGENT_CORE_CHECK_H

#include "agent/core/spec.h"
#include "common/base/err.h"

struct spec_edge { /* One container waits for another; indexes into task_spec.containers. */
    uint8_t from;
    uint8_t on;
    uint8_t condition; /* enum spec_condition */
};

/* ERR_INVALID with the field and the rule it breaks. */
int spec_check(const struct task_spec *spec, struct err *err);

/* All dependencies: dependsOn, and what links and volumesFrom imply (the other has started).
 * ret has room for LIMIT_EDGES. The spec passed spec_check(). Returns how many. */
uint32_t spec_edges(const struct task_spec *spec, struct spec_edge *ret);

/* Index of the container of that name, or spec->n_containers. */
uint32_t spec_find(const struct task_spec *spec, const char *name);

#endif
