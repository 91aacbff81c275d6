/* controller/api/forward_server.h
 *
 * The leader's side of forward.h: calls that other controllers send on. Loop thread only. */
#ifndef CONTROLLER_API_FORWARD_SERVER_H
#define CONTROLLER_API_FORWARD_SERVER_H

#include "common/net/grpc.h"
#include "controller/api/api.h"

/* The method of ecs.internal.v1.Forward, for grpc_server_add(). On the port without TLS nobody is a
 * controller: then it refuses everything. */
void forward_server_method(struct api *api, struct grpc_method *ret);

#endif
