/* controller/api/describe_service.h
 *
 * The part of a service that only Describe shows, between the public message and the stored
 * specification. */
#ifndef CONTROLLER_API_DESCRIBE_SERVICE_H
#define CONTROLLER_API_DESCRIBE_SERVICE_H

#include "controller/api/call.h"
#include "proto/ecs/v1/service.pb-c.h"

/* A message with the stored fields; NULL with c->error set. */
Ecs__V1__Service *service_spec_read(struct api_call *c, struct str spec);

/* The specification of m's fields that have no place in the row. */
int service_spec_write(struct api_call *c, const Ecs__V1__Service *m, struct str *ret);

#endif
