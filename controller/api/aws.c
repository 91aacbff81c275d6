#include "controller/api/aws.h"

#include "controller/api/door.h"
#include "controller/api/grpc_front.h"
#include "controller/api/operation.h"
#include "controller/codec/transcode.h"

#include <string.h>

#define CONTENT_JSON "application/x-amz-json-1.1"
#define CONTENT_XML  "text/xml"

/* More services join by naming their gRPC service here. */
static const struct aws_service services[] = {
    {"ecs", "AmazonEC2ContainerServiceV20141113", AWS_JSON, API_ECS_SERVICE},
    {"ecr", "AmazonEC2ContainerRegistry_V20150921", AWS_JSON, NULL},
    {"ssm", "AmazonSSM", AWS_JSON, NULL},
    {"secretsmanager", "secretsmanager", AWS_JSON, NULL},
    {"application-autoscaling", "AnyScaleFrontendService", AWS_JSON, NULL},
    {"monitoring", "GraniteServiceVersion20100801", AWS_JSON, NULL},
    {"logs", "Logs_20140328", AWS_JSON, NULL},
    {"servicediscovery", "Route53AutoNaming_v20170314", AWS_JSON, NULL},
    {"events", "AWSEvents", AWS_JSON, NULL},
    {"elasticloadbalancing", NULL, AWS_QUERY, NULL},
    {"autoscaling", NULL, AWS_QUERY, NULL},
    {"iam", NULL, AWS_QUERY, NULL},
    {"sts", NULL, AWS_QUERY, NULL},
    {"cloudformation", NULL, AWS_QUERY, NULL},
    {"ec2", NULL, AWS_EC2, NULL},
    {"scheduler", NULL, AWS_REST_JSON, NULL},
};

#define N_SERVICES (sizeof services / sizeof services[0])

/* --- which service -----------------------------------------------------------------------------
 */

struct str aws_scope_service(struct str authorization)
{
    static const char key[] = "Credential=";
    struct str rest = authorization;
    struct str part = {0};
    for (size_t i = 0; i + sizeof key - 1 <= authorization.n; i++) {
        if (memcmp(authorization.p + i, key, sizeof key - 1) == 0) {
            rest = str_slice(authorization, i + sizeof key - 1, authorization.n);
            rest = str_slice(rest, 0, str_find(rest, ',', 0));
            for (unsigned k = 0; k < 4; k++) { /* Key id, date, region, service. */
                part = str_cut(rest, '/', &rest);
            }
            return rest.n == 0 ? str_make(NULL, 0) : part;
        }
    }
    return str_make(NULL, 0);
}

static const struct aws_service *by_target(struct str prefix)
{
    for (size_t i = 0; i < N_SERVICES; i++) {
        if (services[i].target != NULL && str_eqc(prefix, services[i].target)) {
            return &services[i];
        }
    }
    return NULL;
}

static const struct aws_service *by_name(struct str name)
{
    for (size_t i = 0; i < N_SERVICES; i++) {
        if (str_eqc(name, services[i].name)) {
            return &services[i];
        }
    }
    return NULL;
}

const struct aws_service *aws_find_service(struct str target, struct str authorization,
                                           struct str *ret_operation)
{
    size_t dot = str_find(target, '.', 0);
    *ret_operation = str_slice(target, dot < target.n ? dot + 1 : dot, target.n);
    if (target.n > 0) {
        return by_target(str_slice(target, 0, dot));
    }
    return by_name(aws_scope_service(authorization));
}

/* --- answers -----------------------------------------------------------------------------------
 */

struct aws_call { /* From aws_handle() to on_close. */
    struct api *api;
    struct http_call *http;
    struct api_call *call; /* NULL before it begins and after the answer. */
    enum aws_protocol protocol;
    char request_id[API_REQUEST_ID_LEN + 1];
};

/* error_type is for protocols that have no place for it in the body; NULL: none. */
static void respond(struct aws_call *a, unsigned status, const char *content_type,
                    const char *error_type, struct buf *body)
{
    struct http_field fields[] = {
        {STR("content-type"), str_of(content_type)},
        {STR("x-amzn-requestid"), str_of(a->request_id)},
        {STR("x-amzn-errortype"), str_of(error_type)},
    };
    http_call_respond(a->http, status, fields, error_type == NULL ? 2 : 3,
                      str_make((const char *)body->data, body->len));
}

static void put_json_error(struct buf *b, const struct api_error *e)
{
    buf_puts(b, "{\"__type\":");
    transcode_put_string(str_of(api_code_info(e->code)->name), b);
    buf_puts(b, ",\"message\":");
    transcode_put_string(str_of(e->message), b);
    buf_puts(b, "}");
}

static void put_xml_text(struct buf *b, const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        switch (*p) {
        case '<':
            buf_puts(b, "&lt;");
            break;
        case '>':
            buf_puts(b, "&gt;");
            break;
        case '&':
            buf_puts(b, "&amp;");
            break;
        default:
            buf_put_u8(b, (uint8_t)*p);
            break;
        }
    }
}

static void put_xml_error(struct aws_call *a, struct buf *b, const struct api_error *e)
{
    const struct api_code_info *info = api_code_info(e->code);
    bool ec2 = a->protocol == AWS_EC2;
    buf_puts(b, ec2 ? "<Response><Errors><Error><Code>" : "<ErrorResponse><Error><Type>");
    if (!ec2) {
        buf_puts(b, info->http < 500 ? "Sender</Type><Code>" : "Receiver</Type><Code>");
    }
    buf_puts(b, info->name);
    buf_puts(b, "</Code><Message>");
    put_xml_text(b, e->message);
    buf_puts(b, ec2 ? "</Message></Error></Errors><RequestID>" : "</Message></Error><RequestId>");
    buf_puts(b, a->request_id);
    buf_puts(b, ec2 ? "</RequestID></Response>" : "</RequestId></ErrorResponse>");
}

static void fail(struct aws_call *a, const struct api_error *e)
{
    bool xml = a->protocol == AWS_QUERY || a->protocol == AWS_EC2;
    struct buf body;
    buf_init(&body, api_mem(a->api), 16384);
    if (xml) {
        put_xml_error(a, &body, e);
    } else {
        put_json_error(&body, e);
    }
    respond(a, api_code_info(e->code)->http, xml ? CONTENT_XML : CONTENT_JSON,
            xml ? NULL : api_code_info(e->code)->name, &body);
    buf_close(&body);
}

static void done(struct api_call *c, void *data)
{
    struct aws_call *a = data;
    struct buf body;
    buf_init(&body, api_mem(a->api), API_RESPONSE_MAX);
    if (c->error.code == API_OK && c->response != NULL) {
        transcode_write(c->response, &body);
    } else {
        buf_puts(&body, "{}");
    }
    if (body.overflow) {
        (void)api_fail(c, API_SERVER, "The response is longer than %u bytes.", API_RESPONSE_MAX);
    }
    if (c->error.code == API_OK) {
        respond(a, 200, CONTENT_JSON, NULL, &body);
    } else {
        fail(a, &c->error);
    }
    buf_close(&body);
    a->call = NULL;
    api_call_close(c);
}

/* --- requests ----------------------------------------------------------------------------------
 */

static int read_body(struct api_call *c, struct str body)
{
    struct err err = {0};
    int rv = transcode_read(c->op->request, body, &c->arena, &c->request, &err);
    if (rv == ERR_PARSE) {
        return api_fail(c, API_SERIALIZATION, "%s", err.text);
    }
    return rv != 0 ? api_fail(c, API_INVALID_PARAMETER, "%s", err.text) : 0;
}

static bool is_post(const struct http_call *call)
{
    return str_eqc(http_call_method(call), "POST") && str_eqc(http_call_path(call), "/");
}

/* The operation the request names, or *e says why there is none. */
static const struct api_op *find_operation(struct aws_call *a, struct api_error *e)
{
    struct str target = http_call_header(a->http, "x-amz-target");
    struct str authorization = http_call_header(a->http, "authorization");
    struct str name;
    const struct aws_service *s = aws_find_service(target, authorization, &name);
    const struct api_op *op;
    if (s == NULL) {
        (void)api_error_set(e, API_UNKNOWN_OPERATION,
                            "Neither X-Amz-Target nor the credential scope names a service that is "
                            "known here.");
        return NULL;
    }
    a->protocol = s->protocol;
    if (s->grpc == NULL) {
        (void)api_error_set(e, API_UNKNOWN_OPERATION,
                            "The service %s is not offered by this server.", s->name);
        return NULL;
    }
    if (!is_post(a->http)) {
        struct str path = http_call_path(a->http);
        (void)api_error_set(e, API_UNKNOWN_OPERATION,
                            "Operations of %s are POST requests to \"/\"; this is %.*s %.*s.",
                            s->name, (int)http_call_method(a->http).n, http_call_method(a->http).p,
                            (int)(path.n < 100 ? path.n : 100), path.p);
        return NULL;
    }
    op = api_find(a->api, str_of(s->grpc), name);
    if (op == NULL) {
        (void)api_error_set(e, API_UNKNOWN_OPERATION, "%s has no operation \"%.*s\".", s->name,
                            (int)(name.n < 100 ? name.n : 100), name.n == 0 ? "" : name.p);
    }
    return op;
}

static void check_caller(const struct principal *caller, struct api_error *e)
{
    struct err err = {0};
    int rv = principal_check(caller, ACCESS_API, &err);
    if (rv != 0) {
        (void)api_error_set(e, rv == ERR_NOTFOUND ? API_NO_IDENTITY : API_ACCESS_DENIED, "%s",
                            err.text);
    }
}

static void on_end(struct http_call *h)
{
    struct aws_call *a = http_call_data(h);
    struct api_call_options options = {.deadline_ms = AWS_DEADLINE_MS};
    struct principal caller = door_caller(h);
    struct api_error e = {0};
    const struct api_op *op = NULL;
    check_caller(&caller, &e);
    if (e.code == API_OK) {
        op = find_operation(a, &e);
    }
    if (op == NULL) {
        fail(a, &e);
        return;
    }
    a->call = api_call_open(a->api, op, &caller, a->request_id);
    if (a->call == NULL) {
        (void)api_error_of_err(&e, ERR_FULL, "too many calls under way");
        fail(a, &e);
        return;
    }
    a->call->aws = true;
    if (api_consistency(http_call_header(h, API_CONSISTENCY_HEADER), &options.eventual,
                        &a->call->error) == 0) {
        (void)read_body(a->call, http_call_body(h));
    }
    api_call_start(a->call, &options, done, a);
}

static void on_close(struct http_call *h, int status)
{
    struct aws_call *a = http_call_data(h);
    (void)status;
    if (a->call != NULL) {
        api_call_cancel(a->call);
    }
    mem_free(api_mem(a->api), a, sizeof *a);
}

bool aws_is_call(const struct http_call *call)
{
    return str_starts(http_call_header(call, "authorization"), "AWS4-") ||
           http_call_header(call, "x-amz-target").n > 0 || is_post(call);
}

void aws_handle(struct api *api, struct http_call *call)
{
    static const struct http_call_events events = {.on_end = on_end, .on_close = on_close};
    struct aws_call *a = mem_alloc(api_mem(api), sizeof *a);
    struct id id = {engine_random(api_engine(api)), engine_random(api_engine(api))};
    a->api = api;
    a->http = call;
    id_uuid(id, a->request_id);
    http_call_set_body_max(call, API_MESSAGE_MAX);
    http_call_accept(call, &events, a);
    http_call_set_deadline(call, AWS_DEADLINE_MS);
}
