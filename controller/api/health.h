/* controller/api/health.h
 *
 * grpc.health.v1.Health and GET /healthz: a controller is healthy when it knows a leader (itself
 * included) and is not stopping. Loop thread only. */
#ifndef CONTROLLER_API_HEALTH_H
#define CONTROLLER_API_HEALTH_H

#include "common/net/grpc.h"
#include "controller/api/api.h"

struct health_service; /* Opaque. */

/* Adds the methods to the servers (the second may be NULL), borrowed until health_service_close().
 */
int health_service_open(struct api *api, struct grpc_server *a, struct grpc_server *b,
                        struct health_service **ret, struct err *err);

/* After the servers' calls are gone. NULL is fine. */
void health_service_close(struct health_service *h);

bool health_service_serving(const struct health_service *h);

/* From now on not healthy: the controller is stopping. */
void health_service_stop(struct health_service *h);

#endif
