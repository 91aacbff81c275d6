/* controller/api/reflection.h
 *
 * gRPC server reflection, v1 and v1alpha (the same bytes under two names), from the descriptor set
 * that the build makes of the public .proto files. Asked for a file or symbol it gives the file
 * and everything it imports, so a client needs one question. Loop thread only. */
#ifndef CONTROLLER_API_REFLECTION_H
#define CONTROLLER_API_REFLECTION_H

#include "common/net/grpc.h"
#include "controller/api/api.h"

struct reflection; /* Opaque. */

/* Adds the methods to the servers (the second may be NULL), borrowed until reflection_close(). */
int reflection_open(struct api *api, struct grpc_server *a, struct grpc_server *b,
                    struct reflection **ret, struct err *err);

/* After the servers' calls are gone. NULL is fine. */
void reflection_close(struct reflection *r);

#endif
