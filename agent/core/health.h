/* agent/core/health.h
 *
 * What a row of probe results means, by ECS's rules: failures count only after the start period,
 * `retries` of them in a row make a container unhealthy, one success makes it healthy and ends the
 * start period. Pure. */
#ifndef AGENT_CORE_HEALTH_H
#define AGENT_CORE_HEALTH_H

#include "agent/core/message.h"
#include "agent/core/spec.h"

#include <stdbool.h>
#include <stdint.h>

#define HEALTH_INTERVAL_S 30 /* ECS's defaults, for values not given. */
#define HEALTH_TIMEOUT_S  5
#define HEALTH_RETRIES    3

struct health_state {
    enum health status;
    uint32_t n_failures;   /* In a row. */
    uint64_t grace_end_ms; /* Of the start period, on the caller's clock; 0 once it is over. */
};

/* The container started at started_ms. */
void health_init(struct health_state *h, const struct spec_health *spec, uint64_t started_ms);

/* One probe ended. True if the status changed. */
bool health_result(struct health_state *h, const struct spec_health *spec, bool ok,
                   uint64_t now_ms);

/* Milliseconds from the end of one probe to the start of the next, and what one may take. */
uint32_t health_interval_ms(const struct spec_health *spec);
uint32_t health_timeout_ms(const struct spec_health *spec);

#endif
