/* controller/api/stream.h
 *
 * The streaming methods of the admin service, GetTaskLogs and Backup: what they send comes from the
 * backend (backend.h). Agents are connected to the leader, so a follower passes GetTaskLogs on and
 * hands the answers through. Loop thread only. */
#ifndef CONTROLLER_API_STREAM_H
#define CONTROLLER_API_STREAM_H

#include "common/net/grpc.h"
#include "controller/api/api.h"

#define STREAM_METHODS 2

struct stream_methods { /* The caller's; lives as long as the grpc_server. Private. */
    struct grpc_method v[STREAM_METHODS];
};

/* For grpc_server_add(). */
void stream_methods_init(struct stream_methods *m, struct api *api);

#endif
