/* The admin service: what it asks of the program behind it, and its streams. */
#include "controller/api/door.h"

#include "common/net/grpc_client.h"
#include "controller/codec/pbc.h"
#include "proto/ecs/admin/v1/admin.pb-c.h"
#include "tests/lib/testnet.h"
#include "tests/unit/controller/api/rig.h"

#define ADMIN "/ecs.admin.v1.AdminService/"

struct office { /* A rig, its door, and a backend that answers from here. */
    struct rig rig;
    struct door *door;
    struct api_backend backend;
    struct loop_soon *soon;
    api_transfer_cb transfer_cb;
    void *transfer_arg;
    struct api_stream *stream;
    struct api_logs_request logs;
    bool cancelled;
    bool drained;
    /* What the client got. */
    bool done;
    enum grpc_code code;
    struct buf text;
    unsigned n_messages;
    struct loop_soon *change_soon;
    struct api_member_change change; /* As asked for last. */
    int change_status;               /* What it answers. */
    api_change_cb change_cb;
    void *change_arg;
};

static uint32_t members(void *data, struct api_member *v, uint32_t max)
{
    (void)data;
    ck_assert_uint_ge(max, 2);
    v[0] = (struct api_member){.id = 1, .peer_address = "a:7444", .api_address = "a:7443"};
    v[0].role = "voter";
    v[0].leader = true;
    v[0].connected = true;
    v[0].has_match = true;
    v[0].match_index = 17;
    v[0].lag = 3;
    v[0].incarnation = 0xabc;
    v[0].version = "9.1";
    v[1] = (struct api_member){.id = 2, .peer_address = "b:7444", .api_address = "b:7443"};
    v[1].role = "spare";
    return 2;
}

static const char *ca_pin(void *data)
{
    (void)data;
    return "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
}

static void transfer_later(void *data)
{
    struct office *o = data;
    o->transfer_cb(o->transfer_arg, 0, 2, NULL);
}

static void transfer(void *data, uint64_t member_id, api_transfer_cb cb, void *arg)
{
    struct office *o = data;
    ck_assert_uint_eq(member_id, 2);
    o->transfer_cb = cb;
    o->transfer_arg = arg;
    loop_soon_post(o->soon);
}

static void change_later(void *data)
{
    struct office *o = data;
    struct err err = {0};
    if (o->change_status != 0) {
        (void)err_set(&err, o->change_status, "because");
    }
    o->change_cb(o->change_arg, o->change_status, &err);
}

static void change_member(void *data, const struct api_member_change *change, api_change_cb cb,
                          void *arg)
{
    struct office *o = data;
    o->change = *change;
    o->change_cb = cb;
    o->change_arg = arg;
    loop_soon_post(o->change_soon);
}

static void stream_drain(struct api_stream *s, void *data)
{
    (void)s;
    ((struct office *)data)->drained = true;
}

static void stream_cancel(struct api_stream *s, void *data)
{
    struct office *o = data;
    ck_assert_ptr_eq(s, o->stream);
    o->cancelled = true;
}

static const struct api_stream_events stream_events = {stream_drain, stream_cancel};

static void backup(void *data, struct api_stream *s)
{
    const struct api_backup_head head = {.epoch = 2, .cluster_id = {1, 2}, .size = 12};
    api_stream_set(s, &stream_events, data);
    ck_assert_int_eq(api_stream_send_backup_head(s, &head), 0);
    ck_assert_int_eq(api_stream_send(s, STR("first ")), 0);
    ck_assert_int_eq(api_stream_send(s, STR("second")), 0);
    api_stream_finish_backup(s, "abcd", 42);
}

static void task_logs(void *data, struct api_stream *s, const struct api_logs_request *request)
{
    struct office *o = data;
    struct err err = {0};
    o->logs = *request;
    o->stream = s;
    api_stream_set(s, &stream_events, o);
    if (request->follow) {
        ck_assert_int_eq(api_stream_send(s, STR("line\n")), 0);
        return; /* Until the client goes away. */
    }
    (void)err_set(&err, ERR_NOTFOUND, "no log");
    api_stream_finish(s, ERR_NOTFOUND, &err);
}

static void office_open(struct office *o, bool with_backend)
{
    struct door_options door = {0};
    struct err err = {0};
    memset(o, 0, sizeof *o);
    if (with_backend) {
        o->backend = (struct api_backend){.data = o,
                                          .members = members,
                                          .transfer = transfer,
                                          .change_member = change_member,
                                          .ca_pin = ca_pin,
                                          .backup = backup,
                                          .task_logs = task_logs};
    }
    rig_open(&o->rig, &o->backend);
    o->soon = loop_soon_open(&o->rig.loop, transfer_later, o);
    o->change_soon = loop_soon_open(&o->rig.loop, change_later, o);
    ck_assert_int_eq(addr_make(STR("127.0.0.1"), 0, &door.insecure_addr, &err), 0);
    ck_assert_int_eq(door_open(o->rig.api, &door, &o->door, &err), 0);
    buf_init(&o->text, test_mem(), 65536);
}

static void office_close(struct office *o)
{
    door_close(o->door);
    loop_soon_close(o->soon);
    loop_soon_close(o->change_soon);
    buf_close(&o->text);
    rig_close(&o->rig);
}

static const char *admin(struct office *o, const char *op, const char *json)
{
    (void)rig_begin(&o->rig, API_ADMIN_SERVICE, op, json);
    ck_assert(testnet_until(&o->rig.loop, &o->rig.done, 5000));
    return buf_cstr(&o->rig.answer);
}

static void admin_has(struct office *o, const char *op, const char *json, const char *expected)
{
    const char *answer = admin(o, op, json);
    ck_assert_msg(strstr(answer, expected) != NULL, "%s\n  expected %s\n  got      %s", op,
                  expected, answer);
}

START_TEST(status_members_and_transfer_come_from_the_backend)
    {
        struct office o;
        office_open(&o, true);
        admin_has(&o, "GetStatus", "{}", "\"memberId\":1");
        admin_has(&o, "GetStatus", "{}", "\"account\":\"123456789012\"");
        admin_has(&o, "ListMembers", "{}", "\"peerAddress\":\"a:7444\"");
        rig_also(&o.rig, "\"matchIndex\":17");
        rig_also(&o.rig, "\"role\":\"spare\"");
        admin_has(&o, "TransferLeadership", "{\"memberId\":2}", "{\"leaderId\":2}");
        office_close(&o);
    }
END_TEST

START_TEST(members_are_changed_one_step_at_a_time)
    {
        struct office o;
        office_open(&o, true);
        admin_has(&o, "DescribeMembers", "{}", "\"lag\":3");
        rig_also(&o.rig, "\"incarnation\":\"0000000000000abc\"");
        rig_also(&o.rig, "\"version\":\"9.1\"");
        admin_has(&o, "AddMember",
                  "{\"id\":2,\"peerAddress\":\"1.1.1.1:1\",\"apiAddress\":\"1.1.1.1:2\"}",
                  "\"done\":true");
        rig_also(&o.rig, "\"role\":\"spare\"");
        ck_assert_int_eq(o.change.kind, API_MEMBER_ADD);
        o.change_status = ERR_AGAIN;
        admin_has(&o, "PromoteMember", "{\"id\":2}", "\"waitingFor\":\"because\"");
        rig_also(&o.rig, "\"done\":false");
        o.change_status = ERR_NOTFOUND;
        admin_has(&o, "DemoteMember", "{\"id\":7}", "because.");
        o.change_status = ERR_UNAVAILABLE;
        admin_has(&o, "RemoveMember", "{\"id\":7}", "ClientException");
        o.change_status = ERR_EXISTS;
        admin_has(&o, "RemoveMember", "{\"id\":7}", "ConflictException");
        admin_has(&o, "RemoveMember", "{}", "id must be from 1 to");
        admin_has(&o, "AddMember", "{\"id\":2,\"peerAddress\":\"1.1.1.1:1/x\"}",
                  "peer_address must be ADDRESS:PORT");
        admin_has(&o, "AddMember", "{\"id\":2,\"peerAddress\":\"1.1.1.1:1\"}",
                  "api_address must be ADDRESS:PORT");
        office_close(&o);
    }
END_TEST

START_TEST(without_a_backend_everything_says_so)
    {
        struct office o;
        office_open(&o, false);
        rig_has(&o.rig, "CreateCluster", "{}", "ACTIVE");
        admin_has(&o, "ListMembers", "{}", "UnsupportedFeatureException");
        admin_has(&o, "TransferLeadership", "{}", "UnsupportedFeatureException");
        admin_has(&o, "RemoveMember", "{\"id\":2}", "UnsupportedFeatureException");
        admin_has(&o, "CreateJoinToken", "{}", "UnsupportedFeatureException");
        office_close(&o);
    }
END_TEST

START_TEST(history_comes_in_pages_and_a_token_fits_one_question)
    {
        struct office o;
        struct ring_record records[3] = {
            {.revision = 9, .position = 1, .kind = RING_RECORD_AUDIT, .text = STR("newest")},
            {.revision = 9, .position = 0, .kind = RING_RECORD_EVENT, .text = STR("middle")},
            {.revision = 7, .kind = RING_RECORD_TASK, .at = 5, .subject = STR("task/1")},
        };
        char body[300];
        char *token;
        office_open(&o, true);
        o.rig.engine->records = records;
        o.rig.engine->n_records = 3;
        admin_has(&o, "ListHistory", "{}", "\"kind\":\"TASK\"");
        rig_also(&o.rig, "\"atMs\":5");
        rig_also(&o.rig, "\"subject\":\"task/1\"");
        ck_assert_ptr_null(strstr(buf_cstr(&o.rig.answer), "nextToken"));
        admin_has(&o, "ListHistory", "{\"maxResults\":2}", "middle");
        ck_assert_ptr_null(strstr(buf_cstr(&o.rig.answer), "task/1"));
        token = rig_text(&o.rig, "nextToken");
        (void)snprintf(body, sizeof body, "{\"maxResults\":2,\"nextToken\":\"%s\"}", token);
        admin_has(&o, "ListHistory", body, "records");
        (void)snprintf(body, sizeof body, "{\"kind\":\"TASK\",\"nextToken\":\"%s\"}", token);
        admin_has(&o, "ListHistory", body, "InvalidParameterException");
        free(token);
        admin_has(&o, "ListHistory", "{\"maxResults\":101}", "InvalidParameterException");
        admin_has(&o, "ListHistory", "{\"task\":\"x\"}", "task: not an id or ARN: x");
        admin_has(&o, "ListHistory", "{\"service\":\"a\",\"containerInstance\":\"b\"}",
                  "at most one");
        office_close(&o);
    }
END_TEST

START_TEST(a_join_token_is_kept_as_a_hash)
    {
        struct office o;
        char *token;
        office_open(&o, true);
        admin_has(&o, "CreateJoinToken", "{}", "ClusterNotFoundException");
        rig_has(&o.rig, "CreateCluster", "{}", "ACTIVE");
        admin_has(&o, "CreateJoinToken", "{\"ttlS\":60,\"uses\":3}",
                  "\"expiresAtMs\":1700000060000");
        token = rig_text(&o.rig, "token");
        ck_assert_msg(strncmp(token, "ECSJOIN-1-0123456789abcdef", 26) == 0, "%s", token);
        ck_assert_uint_eq(store_count(o.rig.engine->store, KIND_JOIN), 1);
        free(token);
        admin_has(&o, "CreateJoinToken", "{\"ttlS\":90000}", "ttl_s must be between");
        admin_has(&o, "CreateJoinToken", "{\"uses\":0}", "uses must be between");
        office_close(&o);
    }
END_TEST

START_TEST(a_plan_shows_where_tasks_would_go_and_changes_nothing)
    {
        struct office o;
        office_open(&o, true);
        rig_has(&o.rig, "CreateCluster", "{}", "ACTIVE");
        rig_has(&o.rig, "RegisterTaskDefinition",
                "{\"family\":\"web\",\"containerDefinitions\":[{\"name\":\"a\",\"image\":\"b\","
                "\"memory\":400}]}",
                "ACTIVE");
        rig_node(&o.rig, NODE_ONE, 1024, 1000);
        unsigned before = o.rig.engine->n_applied;
        for (int i = 0; i < 2; i++) { /* The second time nothing is reserved. */
            admin_has(&o, "Plan",
                      "{\"steps\":[{\"run\":{\"taskDefinition\":\"web\",\"count\":3}}]}",
                      "\"wanted\":3,\"placed\":2");
            rig_also(&o.rig, "\"tasks\":2");
            rig_also(&o.rig, "needs 400 MiB of memory, 200 are available");
            rig_also(&o.rig, "1 node if memory <= 200 MiB");
            rig_also(&o.rig, "1 more node in zone-a (1024 CPU units, 1000 MiB)");
            rig_also(&o.rig, "\"feasible\":false");
        }
        admin_has(&o, "Plan",
                  "{\"steps\":[{\"add\":{\"count\":2,\"like\":\"" NODE_ONE "\"}},"
                  "{\"run\":{\"taskDefinition\":\"web\",\"count\":6}},"
                  "{\"remove\":{\"containerInstances\":[\"" NODE_ONE "\"]}}]}",
                  "\"name\":\"new-2\"");
        rig_also(&o.rig, "\"lostTasks\":2");
        rig_also(&o.rig, "\"nodes\":2,\"nodesInUse\":2,\"tasks\":4");
        admin_has(&o, "ExplainTask", "{\"run\":{\"taskDefinition\":\"web\"}}",
                  "\"nodes\":1,\"feasible\":1");
        rig_also(&o.rig, "\"rank\":1,\"score\":\"600 MiB left; 1024 CPU units left\"");
        admin_has(&o, "Plan", "{\"steps\":[{\"rebalance\":{\"shapes\":true}}]}",
                  "\"nodeShapes\":[{\"cpu\":1024,\"memory\":1000,\"gpus\":0,\"count\":1}]");
        admin_has(&o, "Plan", "{\"steps\":[{\"rebalance\":{\"maxMoves\":0}}]}",
                  "maxMoves must be between 1 and 10000, not 0.");
        ck_assert_uint_eq(o.rig.engine->n_applied, before);
        admin_has(&o, "Plan", "{}", "steps: 1 to 100 can be given, not 0.");
        admin_has(&o, "Plan", "{\"steps\":[{}]}", "exactly one of run, service, drain");
        admin_has(&o, "Plan", "{\"steps\":[{\"run\":{}}]}", "taskDefinition can not be blank.");
        admin_has(&o, "Plan", "{\"steps\":[{\"drain\":{}}]}", "Give containerInstances, a filter");
        admin_has(&o, "Plan", "{\"steps\":[{\"drain\":{\"filter\":\"(\"}}]}", "filter: ");
        admin_has(&o, "Plan", "{\"steps\":[{\"drain\":{\"filter\":\"attribute:x exists\"}}]}",
                  "filter: selects no container instance.");
        admin_has(&o, "Plan", "{\"steps\":[{\"drain\":{\"percent\":101}}]}",
                  "percent must be between 1 and 100, not 101.");
        admin_has(&o, "Plan", "{\"steps\":[{\"add\":{\"count\":1}}]}",
                  "Give like, or cpu and memory.");
        admin_has(&o, "Plan", "{\"steps\":[{\"add\":{\"count\":0,\"like\":\"x\"}}]}",
                  "count must be between 1 and 100000, not 0.");
        admin_has(&o, "Plan",
                  "{\"steps\":[{\"add\":{\"count\":1,\"cpu\":4000000000,\"memory\":1}}]}",
                  "resources: more than 536870912 of one kind");
        admin_has(&o, "Plan", "{\"steps\":[{\"service\":{\"service\":\"x\"}}]}",
                  "Service not found.");
        admin_has(&o, "ExplainTask", "{}", "Give exactly one of task, service and run.");
        admin_has(&o, "ExplainTask", "{\"service\":\"x\",\"maxNodes\":1001}",
                  "maxNodes must be between 0 and 1000, not 1001.");
        office_close(&o);
    }
END_TEST

/* --- streams -----------------------------------------------------------------------------------
 */

static void got_message(struct grpc_client_call *c, struct str message)
{
    struct office *o = grpc_client_data(c);
    buf_put(&o->text, message.p, message.n);
    o->n_messages++;
}

static void got_close(struct grpc_client_call *c, const struct grpc_status *status)
{
    struct office *o = grpc_client_data(c);
    o->code = status->code;
    o->done = true;
}

static struct grpc_channel *begin(struct office *o, const char *path, const ProtobufCMessage *m,
                                  struct grpc_client_call **ret)
{
    static const struct grpc_client_events events = {
        .on_message = got_message,
        .on_close = got_close,
    };
    static const struct grpc_call_options none;
    char address[ADDR_TEXT_MAX];
    struct grpc_channel_options options = {.target =
                                               addr_text(door_insecure_addr(o->door), address)};
    struct grpc_channel *ch;
    struct arena arena;
    struct err err = {0};
    arena_init(&arena, test_mem());
    ck_assert_int_eq(grpc_channel_open(&o->rig.loop, &options, &ch, &err), 0);
    o->done = false;
    o->n_messages = 0;
    buf_clear(&o->text);
    *ret = grpc_client_open(ch, path, &none, &events, o);
    ck_assert_int_eq(grpc_client_send(*ret, m == NULL ? STR("") : pbc_pack_arena(m, &arena)), 0);
    grpc_client_half_close(*ret);
    arena_close(&arena);
    return ch;
}

static bool got(const struct office *o, const char *text)
{
    size_t n = strlen(text);
    for (size_t i = 0; i + n <= o->text.len; i++) {
        if (memcmp(o->text.data + i, text, n) == 0) {
            return true;
        }
    }
    return false;
}

START_TEST(a_backup_is_a_stream_with_its_checksum_last)
    {
        struct office o;
        struct grpc_client_call *c;
        struct grpc_channel *ch;
        office_open(&o, true);
        ch = begin(&o, ADMIN "Backup", NULL, &c);
        ck_assert(testnet_until(&o.rig.loop, &o.done, 5000));
        ck_assert_int_eq(o.code, GRPC_OK);
        ck_assert_uint_eq(o.n_messages, 4);
        ck_assert(got(&o, "first "));
        ck_assert(got(&o, "second"));
        ck_assert(got(&o, "abcd"));
        grpc_channel_close(ch);
        office_close(&o);
    }
END_TEST

/* A task that has been placed; its container is called "a". */
static char *run_task(struct office *o)
{
    rig_has(&o->rig, "CreateCluster", "{}", "ACTIVE");
    rig_has(&o->rig, "RegisterTaskDefinition",
            "{\"family\":\"web\",\"containerDefinitions\":[{\"name\":\"a\",\"image\":\"b\","
            "\"memory\":40}]}",
            "ACTIVE");
    rig_node(&o->rig, NODE_ONE, 1024, 1000);
    rig_has(&o->rig, "RunTask", "{\"taskDefinition\":\"web\"}", "taskArn");
    return rig_text(&o->rig, "taskArn");
}

static enum grpc_code logs(struct office *o, const char *task, const char *container)
{
    Ecs__Admin__V1__GetTaskLogsRequest r = ECS__ADMIN__V1__GET_TASK_LOGS_REQUEST__INIT;
    struct grpc_client_call *c;
    struct grpc_channel *ch;
    r.task = (char *)(uintptr_t)task;
    r.container = (char *)(uintptr_t)container;
    ch = begin(o, ADMIN "GetTaskLogs", &r.base, &c);
    ck_assert(testnet_until(&o->rig.loop, &o->done, 5000));
    grpc_channel_close(ch);
    return o->code;
}

START_TEST(logs_are_asked_of_the_node_that_runs_the_task)
    {
        struct office o;
        struct id node;
        char *arn;
        office_open(&o, true);
        arn = run_task(&o);
        ck_assert_int_eq(logs(&o, arn, NULL), GRPC_NOT_FOUND); /* What the backend said. */
        ck_assert(id_parse(STR(NODE_ONE), &node));
        ck_assert(id_eq(o.logs.node, node));
        ck_assert_uint_eq(o.logs.container, 0);
        ck_assert_int_eq(logs(&o, arn, "zzz"), GRPC_NOT_FOUND);
        ck_assert_int_eq(logs(&o, "ffffffffffffffffffffffffffffffff", NULL), GRPC_NOT_FOUND);
        ck_assert_int_eq(logs(&o, NULL, NULL), GRPC_INVALID_ARGUMENT);
        free(arn);
        office_close(&o);
    }
END_TEST

START_TEST(a_reader_of_logs_that_goes_away_stops_them)
    {
        struct office o;
        Ecs__Admin__V1__GetTaskLogsRequest r = ECS__ADMIN__V1__GET_TASK_LOGS_REQUEST__INIT;
        struct grpc_client_call *c;
        struct grpc_channel *ch;
        char *arn;
        office_open(&o, true);
        arn = run_task(&o);
        r.task = arn;
        r.has_follow = true;
        r.follow = true;
        ch = begin(&o, ADMIN "GetTaskLogs", &r.base, &c);
        while (o.n_messages == 0) {
            (void)uv_run(&o.rig.loop, UV_RUN_ONCE);
        }
        ck_assert(got(&o, "line\n"));
        grpc_client_cancel(c);
        ck_assert(testnet_until(&o.rig.loop, &o.cancelled, 5000));
        grpc_channel_close(ch);
        free(arn);
        office_close(&o);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("api admin");
    TEST_CASE(s, "admin", 20, status_members_and_transfer_come_from_the_backend,
              members_are_changed_one_step_at_a_time, without_a_backend_everything_says_so,
              a_join_token_is_kept_as_a_hash, history_comes_in_pages_and_a_token_fits_one_question,
              a_plan_shows_where_tasks_would_go_and_changes_nothing,
              a_backup_is_a_stream_with_its_checksum_last,
              logs_are_asked_of_the_node_that_runs_the_task,
              a_reader_of_logs_that_goes_away_stops_them);
    return test_run(s);
}
