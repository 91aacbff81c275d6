/* The front door over real sockets: protocols, callers, and calls that a follower sends to the
 * leader. */
#include "controller/api/aws.h"
#include "controller/api/door.h"
#include "controller/api/grpc_front.h"

#include "common/net/grpc_client.h"
#include "controller/codec/pbc.h"
#include "proto/ecs/v1/cluster.pb-c.h"
#include "proto/grpc/health/v1/health.pb-c.h"
#include "proto/grpc/reflection/v1/reflection.pb-c.h"
#include "tests/lib/testnet.h"
#include "tests/unit/controller/api/rig.h"

#define ECS "/ecs.v1.EcsService/"

struct side { /* One controller. */
    struct engine *engine;
    struct api *api;
    struct door *door;
    struct tls_context *server;
    struct tls_context *client;
};

struct town {
    uv_loop_t loop;
    struct testnet net;
    struct side sides[2];
    unsigned n_sides;
    /* What the last request brought. */
    bool done;
    struct buf text;
    enum grpc_code code;
    struct buf details;
    char error_code[64]; /* The trailer. */
};

static const char *const alpn[TLS_ALPN_MAX] = {"h2", "http/1.1"};

static void open_side(struct town *t, const char *id)
{
    struct side *s = &t->sides[t->n_sides++];
    struct err err = {0};
    struct door_options door = {0};
    s->server = testnet_server(&t->net, PKI_ROLE_CONTROLLER, id, TLS_VERIFY_OPTIONAL, alpn);
    s->client = testnet_client(&t->net, PKI_ROLE_CONTROLLER, id, alpn);
    s->engine = fake_engine_open(&t->loop, test_mem());
    s->engine->member_id = t->n_sides;
    struct api_options options = {
        .mem = test_mem(),
        .engine = s->engine,
        .account = "123456789012",
        .region = "us-east-1",
        .tls = s->client,
    };
    ck_assert_int_eq(api_open(&t->loop, &options, &s->api, &err), 0);
    ck_assert_int_eq(addr_make(STR("127.0.0.1"), 0, &door.tls_addr, &err), 0);
    door.insecure_addr = door.tls_addr;
    door.tls = s->server;
    ck_assert_msg(door_open(s->api, &door, &s->door, &err) == 0, "%s", err.text);
}

static void town_open(struct town *t, unsigned n_sides)
{
    static const char *const ids[] = {"1", "2"};
    memset(t, 0, sizeof *t);
    ck_assert_int_eq(uv_loop_init(&t->loop), 0);
    testnet_open(&t->net);
    buf_init(&t->text, test_mem(), 1u << 22);
    buf_init(&t->details, test_mem(), 1u << 16);
    for (unsigned i = 0; i < n_sides; i++) {
        open_side(t, ids[i]);
    }
    fake_engine_lead(t->sides[0].engine, true);
}

static void town_close(struct town *t)
{
    for (unsigned i = 0; i < t->n_sides; i++) {
        door_close(t->sides[i].door);
    }
    for (unsigned i = 0; i < t->n_sides; i++) {
        api_close(t->sides[i].api);
    }
    for (unsigned i = 0; i < t->n_sides; i++) {
        fake_engine_close(t->sides[i].engine);
    }
    for (unsigned i = 0; i < t->n_sides; i++) {
        tls_context_close(t->sides[i].server);
        tls_context_close(t->sides[i].client);
    }
    buf_close(&t->text);
    buf_close(&t->details);
    loop_drain(&t->loop);
    testnet_close(&t->net);
    ck_assert_uint_eq(test_mem_in_use(), 0);
}

/* --- HTTP/1.1 by hand --------------------------------------------------------------------------
 */

static void raw_read(struct stream *s, void *data, const uint8_t *bytes, size_t n)
{
    struct town *t = data;
    (void)s;
    buf_put(&t->text, bytes, n);
}

static void raw_close(struct stream *s, void *data, int status)
{
    (void)s;
    (void)status;
    ((struct town *)data)->done = true;
}

/* Send the text to the insecure port; the answer until the connection closes. */
static const char *raw(struct town *t, const char *request)
{
    static const struct stream_events events = {.on_read = raw_read, .on_close = raw_close};
    struct connect_options options = {.addr = *door_insecure_addr(t->sides[0].door)};
    struct stream *s;
    ck_assert_int_eq(stream_connect(&t->loop, &options, &events, t, &s, NULL), 0);
    t->done = false;
    buf_clear(&t->text);
    ck_assert_int_eq(stream_write(s, request, strlen(request)), 0);
    ck_assert(testnet_until(&t->loop, &t->done, 5000));
    return buf_cstr(&t->text);
}

static void raw_has(struct town *t, const char *request, const char *expected)
{
    const char *answer = raw(t, request);
    ck_assert_msg(strstr(answer, expected) != NULL, "expected %s\n  got      %s", expected, answer);
}

#define HEAD " HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"

static void aws(struct town *t, const char *header, const char *body, const char *expected)
{
    char request[2048];
    (void)snprintf(request, sizeof request,
                   "POST /" HEAD "content-type: application/x-amz-json-1.1\r\n%s"
                   "content-length: %zu\r\n\r\n%s",
                   header, strlen(body), body);
    raw_has(t, request, expected);
}

#define TARGET "x-amz-target: AmazonEC2ContainerServiceV20141113."
#define SIGNED(service)                                                           \
    "authorization: AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/" service \
    "/aws4_request, SignedHeaders=host, Signature=00\r\n"

START_TEST(aws_calls_are_answered_in_aws_form)
    {
        struct town t;
        town_open(&t, 1);
        aws(&t, TARGET "CreateCluster\r\n", "{\"clusterName\":\"a\"}", "HTTP/1.1 200");
        aws(&t, TARGET "ListClusters\r\n", "{}", "{\"clusterArns\":[\"" ARN_PREFIX "cluster/a\"]}");
        aws(&t, TARGET "ListClusters\r\n", "", "x-amzn-requestid: ");
        aws(&t, TARGET "ListClusters\r\n", "", "content-type: application/x-amz-json-1.1");
        aws(&t, TARGET "DeleteCluster\r\n", "{\"cluster\":\"b\"}", "HTTP/1.1 400");
        aws(&t, TARGET "DeleteCluster\r\n", "{\"cluster\":\"b\"}",
            "{\"__type\":\"ClusterNotFoundException\",\"message\":\"Cluster not found.\"}");
        aws(&t, TARGET "ListClusters\r\n", "{\"maxResults\":\"x\"}", "SerializationException");
        aws(&t, TARGET "ListClusters\r\n", "{", "SerializationException");
        aws(&t, TARGET "Nonsense\r\n", "{}", "UnknownOperationException");
        aws(&t, TARGET "ExecuteCommand\r\n", "{}", "is not implemented by this server");
        aws(&t, "x-amz-target: Whatever.X\r\n", "{}", "UnknownOperationException");
        aws(&t, "", "{}", "UnknownOperationException");
        aws(&t, "x-ecs-consistency: sometimes\r\n" TARGET "ListClusters\r\n", "{}",
            "must be \\\"strong\\\" or \\\"eventual\\\"");
        aws(&t, SIGNED("ssm"), "{}", "The service ssm is not offered by this server.");
        aws(&t, SIGNED("elasticloadbalancing"), "Action=DescribeLoadBalancers",
            "<ErrorResponse><Error><Type>Sender</Type><Code>UnknownOperationException</Code>");
        aws(&t, SIGNED("ec2"), "Action=DescribeVpcs", "<Response><Errors><Error><Code>");
        raw_has(&t, "GET /schedules" HEAD SIGNED("scheduler") "\r\n",
                "x-amzn-errortype: UnknownOperationException");
        town_close(&t);
    }
END_TEST

START_TEST(probes_find_health_and_metrics)
    {
        struct town t;
        town_open(&t, 1);
        aws(&t, TARGET "CreateCluster\r\n", "{}", "HTTP/1.1 200");
        aws(&t, TARGET "DeleteCluster\r\n", "{\"cluster\":\"b\"}", "HTTP/1.1 400");
        raw_has(&t, "GET /healthz" HEAD "\r\n", "ok leader");
        raw_has(&t, "GET /metrics" HEAD "\r\n", "\necs_clusters 1\n");
        raw_has(&t, "GET /metrics" HEAD "\r\n", "\necs_raft_voters 0\n");
        ck_assert_ptr_nonnull(strstr(buf_cstr(&t.text), "ecs_api_requests_total{operation="
                                                        "\"CreateCluster\",code=\"API_OK\"} 1\n"));
        ck_assert_ptr_nonnull(strstr(
            buf_cstr(&t.text), "{operation=\"DeleteCluster\",code=\"API_CLUSTER_NOT_FOUND\"} 1"));
        ck_assert_ptr_nonnull(strstr(buf_cstr(&t.text), "le=\"+Inf\"} 1\n"));
        raw_has(&t, "GET /nothing" HEAD "\r\n", "HTTP/1.1 404");
        raw_has(&t,
                "PUT /x" HEAD "x-amz-target: AmazonEC2ContainerServiceV20141113.ListTasks\r\n\r\n",
                "POST requests to \\\"/\\\"; this is PUT /x.");
        fake_engine_lead(t.sides[0].engine, false);
        raw_has(&t, "GET /healthz" HEAD "\r\n", "HTTP/1.1 503");
        town_close(&t);
    }
END_TEST

/* --- gRPC --------------------------------------------------------------------------------------
 */

static void unary_done(struct grpc_client_call *c, const struct grpc_status *status,
                       struct str message, void *data)
{
    struct town *t = data;
    t->error_code[0] = '\0';
    if (c != NULL) {
        ck_assert(str_copy(t->error_code, sizeof t->error_code,
                           grpc_client_trailer(c, API_ERROR_CODE_TRAILER)));
    }
    t->done = true;
    t->code = status->code;
    buf_clear(&t->text);
    buf_clear(&t->details);
    if (status->code == GRPC_OK) {
        buf_put(&t->text, message.p, message.n);
    } else {
        buf_puts(&t->text, status->message);
    }
    buf_put(&t->details, status->details.p, status->details.n);
}

enum how { PLAIN, NOBODY, AGENT, ADMIN };

static struct grpc_channel *dial(struct town *t, unsigned side, enum how how,
                                 struct tls_context **ret_tls)
{
    static const enum pki_role roles[] = {
        [NOBODY] = PKI_ROLE_NONE,
        [AGENT] = PKI_ROLE_AGENT,
        [ADMIN] = PKI_ROLE_ADMIN,
    };
    struct door *d = t->sides[side].door;
    char address[ADDR_TEXT_MAX];
    struct grpc_channel_options options = {.connect_ms = 2000};
    struct grpc_channel *ch;
    struct err err = {0};
    *ret_tls = NULL;
    options.target = addr_text(how == PLAIN ? door_insecure_addr(d) : door_tls_addr(d), address);
    if (how != PLAIN) {
        *ret_tls = testnet_client(&t->net, roles[how], how == NOBODY ? NULL : "alice", alpn);
        options.tls = *ret_tls;
    }
    ck_assert_int_eq(grpc_channel_open(&t->loop, &options, &ch, &err), 0);
    return ch;
}

/* One unary call; the code. The message or the error's text is in t->text. */
static enum grpc_code unary(struct town *t, unsigned side, enum how how, const char *path,
                            const ProtobufCMessage *m, const struct grpc_call_options *options)
{
    static const struct grpc_call_options none;
    struct tls_context *tls;
    struct grpc_channel *ch = dial(t, side, how, &tls);
    struct arena arena;
    arena_init(&arena, test_mem());
    t->done = false;
    (void)grpc_unary(ch, path, m == NULL ? STR("") : pbc_pack_arena(m, &arena),
                     options == NULL ? &none : options, unary_done, t);
    ck_assert(testnet_until(&t->loop, &t->done, 8000));
    grpc_channel_close(ch);
    tls_context_close(tls);
    arena_close(&arena);
    return t->code;
}

static bool details_have(const struct town *t, const char *text)
{
    size_t n = strlen(text);
    for (size_t i = 0; i + n <= t->details.len; i++) {
        if (memcmp(t->details.data + i, text, n) == 0) {
            return true;
        }
    }
    return false;
}

START_TEST(grpc_calls_have_the_same_answers)
    {
        struct town t;
        Ecs__V1__CreateClusterRequest create = ECS__V1__CREATE_CLUSTER_REQUEST__INIT;
        Ecs__V1__DeleteClusterRequest delete = ECS__V1__DELETE_CLUSTER_REQUEST__INIT;
        Ecs__V1__DescribeClustersRequest describe = ECS__V1__DESCRIBE_CLUSTERS_REQUEST__INIT;
        Ecs__V1__ClusterField__Value include = (Ecs__V1__ClusterField__Value)99;
        town_open(&t, 1);
        create.cluster_name = (char *)"a";
        delete.cluster = (char *)"b";
        ck_assert_int_eq(unary(&t, 0, PLAIN, ECS "CreateCluster", &create.base, NULL), GRPC_OK);
        ck_assert_ptr_nonnull(strstr(buf_cstr(&t.text), ARN_PREFIX "cluster/a"));
        ck_assert_int_eq(unary(&t, 0, PLAIN, ECS "DeleteCluster", &delete.base, NULL),
                         GRPC_NOT_FOUND);
        ck_assert_str_eq(buf_cstr(&t.text), "Cluster not found.");
        ck_assert(details_have(&t, "type.googleapis.com/google.rpc.ErrorInfo"));
        ck_assert(details_have(&t, "ClusterNotFoundException"));
        ck_assert_str_eq(t.error_code, "ClusterNotFoundException");
        create.cluster_name = (char *)"\xff";
        ck_assert_int_eq(unary(&t, 0, PLAIN, ECS "CreateCluster", &create.base, NULL),
                         GRPC_INVALID_ARGUMENT);
        ck_assert_str_eq(buf_cstr(&t.text), "cluster_name is not UTF-8 text.");
        describe.include = &include;
        describe.n_include = 1;
        ck_assert_int_eq(unary(&t, 0, PLAIN, ECS "DescribeClusters", &describe.base, NULL),
                         GRPC_INVALID_ARGUMENT);
        ck_assert_str_eq(buf_cstr(&t.text), "include has no value 99.");
        ck_assert_int_eq(unary(&t, 0, PLAIN, ECS "ExecuteCommand", NULL, NULL), GRPC_UNIMPLEMENTED);
        ck_assert_int_eq(unary(&t, 0, PLAIN, ECS "Nonsense", NULL, NULL), GRPC_UNIMPLEMENTED);
        ck_assert_int_eq(unary(&t, 0, PLAIN, "/ecs.admin.v1.AdminService/GetStatus", NULL, NULL),
                         GRPC_OK);
        town_close(&t);
    }
END_TEST

START_TEST(health_is_served)
    {
        struct town t;
        Grpc__Health__V1__HealthCheckRequest r = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
        town_open(&t, 1);
        ck_assert_int_eq(unary(&t, 0, PLAIN, "/grpc.health.v1.Health/Check", &r.base, NULL),
                         GRPC_OK);
        ck_assert_uint_eq(t.text.len, 2);
        ck_assert_uint_eq(t.text.data[1], 1); /* SERVING */
        r.service = (char *)"ecs.v1.EcsService";
        ck_assert_int_eq(unary(&t, 0, PLAIN, "/grpc.health.v1.Health/Check", &r.base, NULL),
                         GRPC_OK);
        r.service = (char *)"nobody";
        ck_assert_int_eq(unary(&t, 0, PLAIN, "/grpc.health.v1.Health/Check", &r.base, NULL),
                         GRPC_NOT_FOUND);
        fake_engine_lead(t.sides[0].engine, false);
        r.service = (char *)"";
        ck_assert_int_eq(unary(&t, 0, PLAIN, "/grpc.health.v1.Health/Check", &r.base, NULL),
                         GRPC_OK);
        ck_assert_uint_eq(t.text.data[1], 2); /* NOT_SERVING */
        town_close(&t);
    }
END_TEST

/* --- reflection --------------------------------------------------------------------------------
 */

static void reflect_message(struct grpc_client_call *c, struct str message)
{
    struct town *t = grpc_client_data(c);
    buf_put(&t->text, message.p, message.n);
}

static void reflect_close(struct grpc_client_call *c, const struct grpc_status *status)
{
    struct town *t = grpc_client_data(c);
    t->code = status->code;
    t->done = true;
}

static bool text_has(const struct town *t, const char *text)
{
    size_t n = strlen(text);
    for (size_t i = 0; i + n <= t->text.len; i++) {
        if (memcmp(t->text.data + i, text, n) == 0) {
            return true;
        }
    }
    return false;
}

static void reflect(struct town *t, const char *path,
                    const Grpc__Reflection__V1__ServerReflectionRequest *r)
{
    static const struct grpc_client_events events = {
        .on_message = reflect_message,
        .on_close = reflect_close,
    };
    static const struct grpc_call_options none;
    struct tls_context *tls;
    struct grpc_channel *ch = dial(t, 0, PLAIN, &tls);
    struct arena arena;
    arena_init(&arena, test_mem());
    t->done = false;
    buf_clear(&t->text);
    struct grpc_client_call *c = grpc_client_open(ch, path, &none, &events, t);
    ck_assert_int_eq(grpc_client_send(c, pbc_pack_arena(&r->base, &arena)), 0);
    grpc_client_half_close(c);
    ck_assert(testnet_until(&t->loop, &t->done, 5000));
    ck_assert_int_eq(t->code, GRPC_OK);
    grpc_channel_close(ch);
    arena_close(&arena);
}

START_TEST(reflection_tells_services_files_and_symbols)
    {
        static const char *const paths[] = {
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        };
        struct town t;
        town_open(&t, 1);
        for (unsigned i = 0; i < 2; i++) {
            Grpc__Reflection__V1__ServerReflectionRequest r =
                GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__INIT;
            r.message_request_case =
                GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES;
            r.list_services = (char *)"*";
            reflect(&t, paths[i], &r);
            ck_assert(text_has(&t, "ecs.v1.EcsService"));
            ck_assert(text_has(&t, "ecs.admin.v1.AdminService"));
            ck_assert(!text_has(&t, "ecs.internal"));
            r.message_request_case =
                GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL;
            r.file_containing_symbol = (char *)"ecs.v1.EcsService.RunTask";
            reflect(&t, paths[i], &r);
            ck_assert(text_has(&t, "RunTaskRequest"));
            ck_assert(text_has(&t, "google/protobuf/timestamp.proto"));
            r.file_containing_symbol = (char *)"ecs.v1.Nothing";
            reflect(&t, paths[i], &r);
            ck_assert(text_has(&t, "there is no such file or symbol"));
            r.message_request_case =
                GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME;
            r.file_by_filename = (char *)"proto/ecs/v1/tagging.proto";
            reflect(&t, paths[i], &r);
            ck_assert(text_has(&t, "TagResourceRequest"));
        }
        town_close(&t);
    }
END_TEST

/* --- who may -----------------------------------------------------------------------------------
 */

START_TEST(callers_are_known_by_certificate)
    {
        struct town t;
        town_open(&t, 1);
        ck_assert_int_eq(unary(&t, 0, NOBODY, ECS "ListClusters", NULL, NULL),
                         GRPC_UNAUTHENTICATED);
        ck_assert(details_have(&t, "MissingAuthenticationTokenException"));
        ck_assert_int_eq(unary(&t, 0, AGENT, ECS "ListClusters", NULL, NULL),
                         GRPC_PERMISSION_DENIED);
        ck_assert_int_eq(unary(&t, 0, ADMIN, ECS "ListClusters", NULL, NULL), GRPC_OK);
        ck_assert_int_eq(unary(&t, 0, ADMIN, "/ecs.internal.v1.Forward/Call", NULL, NULL),
                         GRPC_PERMISSION_DENIED);
        ck_assert_int_eq(unary(&t, 0, PLAIN, "/ecs.internal.v1.Forward/Call", NULL, NULL),
                         GRPC_UNIMPLEMENTED);
        ck_assert_int_eq(unary(&t, 0, NOBODY, "/ecs.admin.v1.AdminService/GetTaskLogs", NULL, NULL),
                         GRPC_UNAUTHENTICATED);
        town_close(&t);
    }
END_TEST

/* --- forwarding --------------------------------------------------------------------------------
 */

static void point_to(struct town *t, unsigned from, unsigned to)
{
    struct engine *e = t->sides[from].engine;
    char address[ADDR_TEXT_MAX];
    (void)snprintf(e->leader_address, sizeof e->leader_address, "%s",
                   addr_text(door_tls_addr(t->sides[to].door), address));
    e->leader_id = t->sides[to].engine->member_id;
}

START_TEST(a_follower_sends_calls_to_the_leader)
    {
        struct town t;
        Ecs__V1__CreateClusterRequest create = ECS__V1__CREATE_CLUSTER_REQUEST__INIT;
        Ecs__V1__DeleteClusterRequest delete = ECS__V1__DELETE_CLUSTER_REQUEST__INIT;
        town_open(&t, 2);
        point_to(&t, 1, 0);
        create.cluster_name = (char *)"far";
        delete.cluster = (char *)"nope";
        ck_assert_int_eq(unary(&t, 1, ADMIN, ECS "CreateCluster", &create.base, NULL), GRPC_OK);
        ck_assert_ptr_nonnull(strstr(buf_cstr(&t.text), "cluster/far"));
        ck_assert_uint_ne(store_find_cluster(t.sides[0].engine->store, STR("far")), SLOT_NONE);
        ck_assert_uint_eq(store_count(t.sides[1].engine->store, KIND_CLUSTER), 0);
        ck_assert_int_eq(unary(&t, 1, ADMIN, ECS "ListClusters", NULL, NULL), GRPC_OK);
        ck_assert_ptr_nonnull(strstr(buf_cstr(&t.text), "cluster/far"));
        ck_assert_int_eq(unary(&t, 1, ADMIN, ECS "DeleteCluster", &delete.base, NULL),
                         GRPC_NOT_FOUND);
        ck_assert(details_have(&t, "ClusterNotFoundException"));
        struct http_field eventual = {STR("x-ecs-consistency"), STR("eventual")};
        struct grpc_call_options options = {.metadata = &eventual, .n_metadata = 1};
        ck_assert_int_eq(unary(&t, 1, ADMIN, ECS "ListClusters", NULL, &options), GRPC_OK);
        ck_assert_uint_eq(t.text.len, 0); /* The follower's own state is empty. */
        town_close(&t);
    }
END_TEST

START_TEST(without_a_leader_calls_wait_a_bounded_time)
    {
        struct town t;
        struct grpc_call_options options = {.deadline_ms = 800};
        uint64_t began;
        town_open(&t, 1);
        fake_engine_lead(t.sides[0].engine, false);
        began = clock_mono_ms();
        ck_assert_int_eq(unary(&t, 0, PLAIN, ECS "CreateCluster", NULL, &options),
                         GRPC_UNAVAILABLE);
        ck_assert_uint_lt(clock_mono_ms() - began, 800);
        ck_assert_uint_gt(clock_mono_ms() - began, 400);
        town_close(&t);
    }
END_TEST

struct elect {
    struct town *town;
    struct loop_timer *timer;
};

static void on_elected(void *data)
{
    struct elect *e = data;
    fake_engine_lead(e->town->sides[0].engine, true);
}

START_TEST(a_call_goes_on_when_a_leader_appears)
    {
        struct town t;
        struct elect e = {.town = &t};
        town_open(&t, 1);
        fake_engine_lead(t.sides[0].engine, false);
        e.timer = loop_timer_open(&t.loop, on_elected, &e);
        loop_timer_start(e.timer, 150);
        ck_assert_int_eq(unary(&t, 0, PLAIN, ECS "CreateCluster", NULL, NULL), GRPC_OK);
        loop_timer_close(e.timer);
        town_close(&t);
    }
END_TEST

START_TEST(one_hop_only)
    {
        struct town t;
        struct grpc_call_options options = {.deadline_ms = 600};
        town_open(&t, 2);
        point_to(&t, 1, 0);
        point_to(&t, 0, 1);
        fake_engine_lead(t.sides[0].engine, false);
        t.sides[0].engine->leader_id = 2;
        ck_assert_int_eq(unary(&t, 1, ADMIN, ECS "CreateCluster", NULL, &options),
                         GRPC_UNAVAILABLE);
        town_close(&t);
    }
END_TEST

START_TEST(an_unknown_outcome_is_said_to_be_unknown)
    {
        struct town t;
        town_open(&t, 1);
        t.sides[0].engine->fail_next = ERR_UNKNOWN;
        ck_assert_int_eq(unary(&t, 0, PLAIN, ECS "CreateCluster", NULL, NULL), GRPC_UNKNOWN);
        t.sides[0].engine->fail_next = ERR_FULL;
        ck_assert_int_eq(unary(&t, 0, PLAIN, ECS "CreateCluster", NULL, NULL),
                         GRPC_RESOURCE_EXHAUSTED);
        ck_assert(details_have(&t, "ThrottlingException"));
        t.sides[0].engine->fail_next = ERR_NOTLEADER; /* Not tried: tried again. */
        ck_assert_int_eq(unary(&t, 0, PLAIN, ECS "CreateCluster", NULL, NULL), GRPC_OK);
        town_close(&t);
    }
END_TEST

START_TEST(a_client_that_goes_away_leaves_nothing_behind)
    {
        struct town t;
        struct tls_context *tls;
        struct grpc_call_options none = {0};
        struct grpc_channel *ch;
        town_open(&t, 1);
        fake_engine_lead(t.sides[0].engine, false);
        ch = dial(&t, 0, PLAIN, &tls);
        t.done = false;
        (void)grpc_unary(ch, ECS "CreateCluster", STR(""), &none, unary_done, &t);
        while (api_n_calls(t.sides[0].api) == 0) {
            (void)uv_run(&t.loop, UV_RUN_ONCE);
        }
        grpc_channel_close(ch);
        while (api_n_calls(t.sides[0].api) != 0) {
            (void)uv_run(&t.loop, UV_RUN_ONCE);
        }
        town_close(&t);
    }
END_TEST

START_TEST(the_scope_of_a_signature_names_the_service)
    {
        static const struct {
            const char *header;
            const char *service;
        } cases[] = {
            {"AWS4-HMAC-SHA256 Credential=A/20260101/r/ecs/aws4_request, SignedHeaders=x", "ecs"},
            {"AWS4-HMAC-SHA256 Credential=A/20260101/r/ssm/aws4_request", "ssm"},
            {"AWS4-HMAC-SHA256 Credential=A/20260101/r/ecs", ""},
            {"AWS4-HMAC-SHA256 Credential=A/2026,x/r/ecs/aws4_request", ""},
            {"AWS4-HMAC-SHA256 Credential=", ""},
            {"Bearer x", ""},
            {"", ""},
        };
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            struct str got = aws_scope_service(str_of(cases[i].header));
            ck_assert_msg(str_eqc(got, cases[i].service), "%s: %.*s", cases[i].header,
                          STR_ARG(got));
        }
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("api front door");
    TEST_CASE(s, "protocols", 20, aws_calls_are_answered_in_aws_form,
              probes_find_health_and_metrics, grpc_calls_have_the_same_answers, health_is_served,
              reflection_tells_services_files_and_symbols,
              the_scope_of_a_signature_names_the_service);
    TEST_CASE(s, "callers and leaders", 30, callers_are_known_by_certificate,
              a_follower_sends_calls_to_the_leader, without_a_leader_calls_wait_a_bounded_time,
              a_call_goes_on_when_a_leader_appears, one_hop_only,
              an_unknown_outcome_is_said_to_be_unknown,
              a_client_that_goes_away_leaves_nothing_behind);
    return test_run(s);
}
