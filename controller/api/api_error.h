/* controller/api/api_error.h
 *
 * What callers of the API see when something is refused: AWS's error code and sentence, and the
 * gRPC status that goes with it. Several of our codes may share one AWS name (AWS says
 * ClientException for many things) while gRPC clients get a finer status. Plain values. */
#ifndef CONTROLLER_API_API_ERROR_H
#define CONTROLLER_API_API_ERROR_H

#include "common/base/err.h"
#include "common/net/grpc.h"
#include "controller/core/command.h"

#define API_ERROR_MAX 1200

/* Our code, its number between controllers (never reused), AWS's name, HTTP status, gRPC status. */
#define API_CODE_TABLE(X)                                                                         \
    X(API_OK, 0, "", 200, GRPC_OK)                                                                \
    X(API_CLIENT, 1, "ClientException", 400, GRPC_INVALID_ARGUMENT)                               \
    X(API_CLIENT_NOT_FOUND, 2, "ClientException", 400, GRPC_NOT_FOUND)                            \
    X(API_CLIENT_STATE, 3, "ClientException", 400, GRPC_FAILED_PRECONDITION)                      \
    X(API_INVALID_PARAMETER, 4, "InvalidParameterException", 400, GRPC_INVALID_ARGUMENT)          \
    X(API_PARAMETER_NOT_FOUND, 5, "InvalidParameterException", 400, GRPC_NOT_FOUND)               \
    X(API_PARAMETER_STATE, 6, "InvalidParameterException", 400, GRPC_FAILED_PRECONDITION)         \
    X(API_PARAMETER_EXISTS, 7, "InvalidParameterException", 400, GRPC_ALREADY_EXISTS)             \
    X(API_CLUSTER_NOT_FOUND, 8, "ClusterNotFoundException", 400, GRPC_NOT_FOUND)                  \
    X(API_CLUSTER_SERVICES, 9, "ClusterContainsServicesException", 400, GRPC_FAILED_PRECONDITION) \
    X(API_CLUSTER_TASKS, 10, "ClusterContainsTasksException", 400, GRPC_FAILED_PRECONDITION)      \
    X(API_CLUSTER_NODES, 11, "ClusterContainsContainerInstancesException", 400,                   \
      GRPC_FAILED_PRECONDITION)                                                                   \
    X(API_SERVICE_NOT_FOUND, 12, "ServiceNotFoundException", 400, GRPC_NOT_FOUND)                 \
    X(API_SERVICE_NOT_ACTIVE, 13, "ServiceNotActiveException", 400, GRPC_FAILED_PRECONDITION)     \
    X(API_TARGET_NOT_FOUND, 14, "TargetNotFoundException", 400, GRPC_NOT_FOUND)                   \
    X(API_ATTRIBUTE_LIMIT, 15, "AttributeLimitExceededException", 400, GRPC_RESOURCE_EXHAUSTED)   \
    X(API_LIMIT, 16, "LimitExceededException", 400, GRPC_RESOURCE_EXHAUSTED)                      \
    X(API_RESOURCE_NOT_FOUND, 17, "ResourceNotFoundException", 400, GRPC_NOT_FOUND)               \
    X(API_CONFLICT, 18, "ConflictException", 400, GRPC_ALREADY_EXISTS)                            \
    X(API_UNSUPPORTED, 19, "UnsupportedFeatureException", 400, GRPC_UNIMPLEMENTED)                \
    X(API_UNKNOWN_OPERATION, 20, "UnknownOperationException", 400, GRPC_UNIMPLEMENTED)            \
    X(API_SERIALIZATION, 21, "SerializationException", 400, GRPC_INVALID_ARGUMENT)                \
    X(API_ACCESS_DENIED, 22, "AccessDeniedException", 400, GRPC_PERMISSION_DENIED)                \
    X(API_NO_IDENTITY, 23, "MissingAuthenticationTokenException", 403, GRPC_UNAUTHENTICATED)      \
    X(API_THROTTLED, 24, "ThrottlingException", 400, GRPC_RESOURCE_EXHAUSTED)                     \
    X(API_SERVER, 25, "ServerException", 500, GRPC_INTERNAL)                                      \
    X(API_UNAVAILABLE, 26, "ServerException", 503, GRPC_UNAVAILABLE)                              \
    X(API_UNKNOWN_OUTCOME, 27, "ServerException", 500, GRPC_UNKNOWN)                              \
    X(API_DEADLINE, 28, "ServerException", 504, GRPC_DEADLINE_EXCEEDED)                           \
    X(API_RESOURCE_IN_USE, 29, "ResourceInUseException", 400, GRPC_FAILED_PRECONDITION)

#define API_X(code, number, name, http, grpc) code = (number),
enum api_code { API_CODE_TABLE(API_X) API_CODE_N };
#undef API_X

struct api_code_info {
    const char *symbol; /* For metrics: one per code of ours. */
    const char *name;   /* AWS's. */
    unsigned http;
    enum grpc_code grpc;
};

/* Never NULL. */
const struct api_code_info *api_code_info(enum api_code code);

struct api_error { /* Zeroed: none. */
    enum api_code code;
    char message[API_ERROR_MAX];
};

/* Fill *e and return ERR_INVALID, so that a handler can return it. The first error stays. */
__attribute__((format(printf, 3, 4))) int api_error_set(struct api_error *e, enum api_code code,
                                                        const char *fmt, ...);

/* The same for an ERR_* that is the server's own trouble: overload, no leader, deadline, ... */
int api_error_of_err(struct api_error *e, int err_code, const char *text);

/* The same for a command that the store refused. */
int api_error_of_reject(struct api_error *e, const struct result *result);

#endif
