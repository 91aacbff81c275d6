/* controller/api/metrics.h
 *
 * GET /metrics in Prometheus's text format. Reads counters that are kept anyway: nothing is
 * scanned. Loop thread only. */
#ifndef CONTROLLER_API_METRICS_H
#define CONTROLLER_API_METRICS_H

#include "common/base/buf.h"
#include "controller/api/api.h"

#define METRICS_MAX (4u * 1024u * 1024u)

void metrics_write(const struct api *api, struct buf *to);

#endif
