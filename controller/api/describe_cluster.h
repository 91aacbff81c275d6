/* controller/api/describe_cluster.h
 *
 * The part of a cluster that only Describe shows, between the public message and the stored
 * specification. */
#ifndef CONTROLLER_API_DESCRIBE_CLUSTER_H
#define CONTROLLER_API_DESCRIBE_CLUSTER_H

#include "controller/api/call.h"
#include "proto/ecs/v1/cluster.pb-c.h"

/* A message with settings, configuration and so on as stored; NULL with c->error set. */
Ecs__V1__Cluster *cluster_spec_read(struct api_call *c, struct str spec);

/* The specification of m's fields that have no place in the row; empty when there are none. */
int cluster_spec_write(struct api_call *c, const Ecs__V1__Cluster *m, struct str *ret);

#endif
