/* controller/api/grpc_front.h
 *
 * Unary gRPC methods of the table of operations, and the two things every gRPC answer of ours
 * shares: the caller check and errors with details. Loop thread only. */
#ifndef CONTROLLER_API_GRPC_FRONT_H
#define CONTROLLER_API_GRPC_FRONT_H

#include "common/net/grpc.h"
#include "controller/api/api.h"

/* Metadata: "eventual" lets a read be answered from any controller's state. */
#define API_CONSISTENCY_HEADER "x-ecs-consistency"
#define API_REQUEST_ID_HEADER  "x-amzn-requestid"
#define API_ERROR_CODE_TRAILER "x-ecs-error-code" /* AWS's name of the error. */

struct grpc_front { /* The caller's; lives as long as the grpc_server. Private. */
    struct api *api;
    struct grpc_method method; /* One for all operations: the path says which. */
};

void grpc_front_init(struct grpc_front *front, struct api *api);

/* For grpc_server_set_fallback(); data is the struct grpc_front. */
const struct grpc_method *grpc_front_find(struct grpc_call *c, void *data);

/* End the call with the error: status, message and google.rpc.Status with an ErrorInfo (reason:
 * AWS's code, domain "ecs"). */
void grpc_front_fail(struct grpc_call *c, const struct mem *mem, const struct api_error *e);

/* The caller may use this part of the door; otherwise the call has been ended. */
bool grpc_front_allow(struct grpc_call *c, const struct mem *mem, enum access access);

/* Does the value of API_CONSISTENCY_HEADER ask for an eventual read? ERR_INVALID with *e set for
 * words that are neither "eventual" nor "strong". */
int api_consistency(struct str value, bool *ret_eventual, struct api_error *e);

#endif
