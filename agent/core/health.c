#include "agent/core/health.h"

#include <string.h>

void health_init(struct health_state *h, const struct spec_health *spec, uint64_t started_ms)
{
    memset(h, 0, sizeof *h);
    if (spec->start_period_s > 0) {
        h->grace_end_ms = started_ms + (uint64_t)spec->start_period_s * 1000;
    }
}

static void failed(struct health_state *h, const struct spec_health *spec, uint64_t now_ms)
{
    uint32_t retries = spec->retries == 0 ? HEALTH_RETRIES : spec->retries;
    if (now_ms < h->grace_end_ms) {
        return;
    }
    h->grace_end_ms = 0;
    if (h->n_failures < retries) {
        h->n_failures++;
    }
    if (h->n_failures >= retries) {
        h->status = HEALTH_UNHEALTHY;
    }
}

bool health_result(struct health_state *h, const struct spec_health *spec, bool ok, uint64_t now_ms)
{
    enum health before = h->status;
    if (ok) {
        h->n_failures = 0;
        h->grace_end_ms = 0;
        h->status = HEALTH_HEALTHY;
    } else {
        failed(h, spec, now_ms);
    }
    return h->status != before;
}

uint32_t health_interval_ms(const struct spec_health *spec)
{
    return (spec->interval_s == 0 ? HEALTH_INTERVAL_S : spec->interval_s) * 1000;
}

uint32_t health_timeout_ms(const struct spec_health *spec)
{
    return (spec->timeout_s == 0 ? HEALTH_TIMEOUT_S : spec->timeout_s) * 1000;
}
