#include "controller/api/api_error.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

const struct api_code_info *api_code_info(enum api_code code)
{
#define API_X(symbol, number, name, http, grpc) [symbol] = {#symbol, name, http, grpc},
    static const struct api_code_info infos[API_CODE_N] = {API_CODE_TABLE(API_X)};
#undef API_X
    assert(code < API_CODE_N);
    return &infos[code];
}

int api_error_set(struct api_error *e, enum api_code code, const char *fmt, ...)
{
    va_list args;
    assert(code != API_OK);
    if (e->code != API_OK) {
        return ERR_INVALID;
    }
    e->code = code;
    va_start(args, fmt);
    (void)vsnprintf(e->message, sizeof e->message, fmt, args);
    va_end(args);
    return ERR_INVALID;
}

int api_error_of_err(struct api_error *e, int err_code, const char *text)
{
    const char *what = text != NULL && text[0] != '\0' ? text : err_name(err_code);
    switch (err_code) {
    case ERR_FULL:
        return api_error_set(e, API_THROTTLED, "Rate exceeded: %s.", what);
    case ERR_NOTLEADER:
    case ERR_UNAVAILABLE:
    case ERR_CLOSED:
        return api_error_set(e, API_UNAVAILABLE, "The service is unavailable: %s.", what);
    case ERR_UNKNOWN:
        return api_error_set(e, API_UNKNOWN_OUTCOME,
                             "The leader changed while the request was under way; whether it took "
                             "effect is unknown. Sending it again with the same token is safe.");
    case ERR_TIMEOUT:
        return api_error_set(e, API_DEADLINE, "The request's deadline passed.");
    case ERR_INVALID:
    case ERR_PARSE:
    case ERR_TOOBIG:
        return api_error_set(e, API_INVALID_PARAMETER, "%s", what);
    case ERR_UNSUPPORTED:
        return api_error_set(e, API_UNSUPPORTED, "%s", what);
    case ERR_DENIED:
        return api_error_set(e, API_ACCESS_DENIED, "%s", what);
    default:
        return api_error_set(e, API_SERVER, "Internal error: %s.", what);
    }
}

struct reject_info {
    enum api_code code;
    const char *text; /* NULL: the store's own sentence. */
};

/* In AWS's words where AWS has some. */
static const struct reject_info rejects[REJECT_N] = {
    [REJECT_CLUSTER_NOT_FOUND] = {API_CLUSTER_NOT_FOUND, "Cluster not found."},
    [REJECT_CLUSTER_INACTIVE] = {API_CLUSTER_NOT_FOUND, "Cluster not found."},
    [REJECT_CLUSTER_HAS_SERVICES] = {API_CLUSTER_SERVICES,
                                     "The Cluster cannot be deleted while Services are active."},
    [REJECT_CLUSTER_HAS_TASKS] = {API_CLUSTER_TASKS,
                                  "The Cluster cannot be deleted while Tasks are active."},
    [REJECT_CLUSTER_HAS_NODES] = {API_CLUSTER_NODES, "The Cluster cannot be deleted while Container"
                                                     " Instances are active or draining."},
    [REJECT_TASKDEF_NOT_FOUND] = {API_CLIENT_NOT_FOUND, "TaskDefinition not found."},
    [REJECT_TASKDEF_INACTIVE] = {API_CLIENT_STATE, "TaskDefinition is inactive"},
    [REJECT_TASKDEF_ACTIVE] = {API_PARAMETER_STATE,
                               "The specified task definition is still in ACTIVE status. Please "
                               "deregister the target and try again."},
    [REJECT_SERVICE_NOT_FOUND] = {API_SERVICE_NOT_FOUND, "Service not found."},
    [REJECT_SERVICE_NOT_ACTIVE] = {API_SERVICE_NOT_ACTIVE, "Service was not ACTIVE."},
    [REJECT_SERVICE_EXISTS] = {API_PARAMETER_EXISTS, "Creation of service was not idempotent."},
    [REJECT_SERVICE_HAS_TASKS] = {API_PARAMETER_STATE, "The service cannot be stopped while it is "
                                                       "scaled above 0."},
    [REJECT_TASK_NOT_FOUND] = {API_PARAMETER_NOT_FOUND, "The referenced task was not found."},
    [REJECT_NODE_NOT_FOUND] = {API_PARAMETER_NOT_FOUND,
                               "The referenced container instance was not found."},
    [REJECT_NODE_HAS_TASKS] = {API_PARAMETER_STATE,
                               "Found running tasks on the instance. Stop them, or use force."},
    [REJECT_NODE_INACTIVE] = {API_PARAMETER_STATE, "The container instance is INACTIVE."},
    [REJECT_TARGET_NOT_FOUND] = {API_TARGET_NOT_FOUND, NULL},
    [REJECT_TOKEN_CONFLICT] = {API_CONFLICT, "The client token was used before, for a request with "
                                             "other parameters."},
    [REJECT_TOKEN_FENCED] = {API_CONFLICT, NULL},
    [REJECT_LIMIT] = {API_LIMIT, NULL},
    [REJECT_INVALID] = {API_INVALID_PARAMETER, NULL},
    [REJECT_JOIN_INVALID] = {API_INVALID_PARAMETER, NULL},
    [REJECT_PROVIDER_NOT_FOUND] = {API_PARAMETER_NOT_FOUND, NULL},
    [REJECT_PROVIDER_EXISTS] = {API_CLIENT_STATE, NULL},
    [REJECT_PROVIDER_IN_USE] = {API_PARAMETER_STATE, NULL},
    [REJECT_PROVIDER_NEEDED] = {API_RESOURCE_IN_USE, NULL},
};

int api_error_of_reject(struct api_error *e, const struct result *result)
{
    assert(result->reject != REJECT_NONE);
    if (result->reject >= REJECT_N || rejects[result->reject].code == API_OK) {
        return api_error_set(e, API_SERVER, "Internal error: rejection %d.", result->reject);
    }
    const struct reject_info *info = &rejects[result->reject];
    const char *text = info->text != NULL ? info->text : result->text;
    return api_error_set(e, info->code, "%s", text);
}
