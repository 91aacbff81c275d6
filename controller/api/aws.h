/* controller/api/aws.h
 *
 * AWS's way in: POST / with X-Amz-Target and JSON 1.1, over HTTP/1.1 or HTTP/2. Which service is
 * meant the target's prefix says, or else the credential scope of the signature; a small table
 * knows AWS's services and their protocols, so that a call for one that is not offered here gets an
 * error its client can read. Signatures are not checked: callers are known by certificate.
 * Loop thread only. */
#ifndef CONTROLLER_API_AWS_H
#define CONTROLLER_API_AWS_H

#include "common/net/http.h"
#include "controller/api/api.h"

#define AWS_DEADLINE_MS 60000

/* POST /, or any path with a signature: some of AWS's services use the path. */
bool aws_is_call(const struct http_call *call);

/* Take over the call, inside http_call_cb. */
void aws_handle(struct api *api, struct http_call *call);

/* --- for tests: pure ----------------------------------------------------------------------------
 */

enum aws_protocol { AWS_JSON, AWS_QUERY, AWS_EC2, AWS_REST_JSON };

struct aws_service {
    const char *name;   /* In the credential scope. */
    const char *target; /* Prefix of X-Amz-Target, NULL for protocols without. */
    enum aws_protocol protocol;
    const char *grpc; /* The service whose operations it is; NULL: not offered. */
};

/* The service of a request, NULL when it names none we know. *ret_operation is the operation's
 * name, empty when the request does not tell. */
const struct aws_service *aws_find_service(struct str target, struct str authorization,
                                           struct str *ret_operation);

/* "ecs" of "AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/ecs/aws4_request, ..."; empty. */
struct str aws_scope_service(struct str authorization);

#endif
