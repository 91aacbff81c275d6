/* agent/health/prober.h
 *
 * Container health checks: runs each container's command at its interval through the executor and
 * tells what the results mean (agent/core/health.h). The first probe comes one interval after the
 * start, as with ECS. At most one probe of a container is under way. Loop thread only. */
#ifndef AGENT_HEALTH_PROBER_H
#define AGENT_HEALTH_PROBER_H

#include "agent/core/executor.h"
#include "agent/core/health.h"

#include <uv.h>

struct prober; /* Opaque. */

/* The health of a container changed. Never inside a call of this header. */
typedef void (*prober_cb)(void *data, struct id task, uint32_t container, enum health health);

struct prober *prober_open(uv_loop_t *loop, struct executor *executor, prober_cb cb, void *data);

/* Stop everything; no callback any more. The executor must live until the probes under way have
 * ended, which closing it brings about. NULL is fine. */
void prober_close(struct prober *p);

/* Begin with container number `container` of the task. name and health are copied; nothing happens
 * when it is watched already. */
void prober_watch(struct prober *p, struct id task, uint32_t container, const char *name,
                  const struct spec_health *health);

/* End. Nothing happens when it is not watched. */
void prober_unwatch(struct prober *p, struct id task, uint32_t container);

#endif
