/* The node protocol over a real gRPC server, engine and log: joining, sessions, what goes down and
 * what comes up. The agents are scripts that speak the protocol word by word. */
#include "common/net/grpc_client.h"
#include "controller/codec/pbc.h"
#include "controller/core/limits.h"
#include "proto/ecs/agent/v1/agent.pb-c.h"
#include "tests/integration/controller/house.h"

#define JOIN    "/ecs.agent.v1.NodeService/Join"
#define RENEW   "/ecs.agent.v1.NodeService/Renew"
#define SESSION "/ecs.agent.v1.NodeService/Session"
#define NODE    "000000000000000100000000000000aa"

#define TASKDEF                                                                        \
    "{\"family\":\"web\",\"containerDefinitions\":[{\"name\":\"app\",\"image\":\"i\"," \
    "\"cpu\":100,\"memory\":64}]}"

typedef Ecs__Agent__V1__ControllerMessage Message;
typedef Ecs__Agent__V1__ControllerMessage__KindCase Kind;

#define KIND(name) ECS__AGENT__V1__CONTROLLER_MESSAGE__KIND_##name

#define MESSAGES_MAX 64

/* --- an agent that does what the test says
 * -------------------------------------------------------- */

struct agent {
    struct house *h;
    struct tls_context *tls;
    struct grpc_channel *channel;
    struct grpc_client_call *call;
    struct arena arena;
    const Message *inbox[MESSAGES_MAX]; /* Taken ones are NULL. */
    unsigned n_inbox;
    bool news; /* Something came, or the stream ended. */
    bool ended;
    enum grpc_code code;
    char text[512];
    struct str answer; /* Of a unary call. */
};

static void agent_open(struct agent *a, struct house *h, enum pki_role role, const char *id)
{
    static const char *const alpn[TLS_ALPN_MAX] = {"h2"};
    struct grpc_channel_options options = {.connect_ms = 5000};
    char address[ADDR_TEXT_MAX];
    struct err err = {0};
    memset(a, 0, sizeof *a);
    a->h = h;
    arena_init(&a->arena, test_mem());
    a->tls = testnet_client(&h->net, role, id, alpn);
    options.target = addr_text(door_tls_addr(h->door), address);
    options.tls = a->tls;
    ck_assert_int_eq(grpc_channel_open(&h->loop, &options, &a->channel, &err), 0);
}

static void agent_close(struct agent *a)
{
    grpc_channel_close(a->channel);
    tls_context_close(a->tls);
    arena_close(&a->arena);
}

static void on_message(struct grpc_client_call *c, struct str bytes)
{
    struct agent *a = grpc_client_data(c);
    struct err err = {0};
    ProtobufCMessage *m;
    struct str copy = str_make(arena_dup(&a->arena, bytes.p, bytes.n), bytes.n);
    ck_assert_int_eq(
        pbc_unpack(&ecs__agent__v1__controller_message__descriptor, copy, &a->arena, &m, &err), 0);
    ck_assert_uint_lt(a->n_inbox, MESSAGES_MAX);
    a->inbox[a->n_inbox++] = (const Message *)(const void *)m;
    a->news = true;
}

static void on_close(struct grpc_client_call *c, const struct grpc_status *status)
{
    struct agent *a = grpc_client_data(c);
    a->ended = true;
    a->news = true;
    a->call = NULL;
    a->code = status->code;
    (void)snprintf(a->text, sizeof a->text, "%s", status->message);
}

static void agent_dial(struct agent *a)
{
    static const struct grpc_client_events events = {.on_message = on_message,
                                                     .on_close = on_close};
    a->ended = false;
    a->n_inbox = 0;
    a->call = grpc_client_open(a->channel, SESSION, NULL, &events, a);
}

static void say_bytes(struct agent *a, struct str bytes)
{
    ck_assert_ptr_nonnull(a->call);
    ck_assert_int_eq(grpc_client_send(a->call, bytes), 0);
}

static void say(struct agent *a, const Ecs__Agent__V1__AgentMessage *m)
{
    say_bytes(a, pbc_pack_arena(&m->base, &a->arena));
}

/* The next message of this kind; others stay. NULL when the stream ended, or after ms without. */
static const Message *hear_within(struct agent *a, Kind kind, unsigned ms)
{
    unsigned seen = 0;
    bool quiet = false;
    while (!quiet) {
        for (; seen < a->n_inbox; seen++) {
            const Message *m = a->inbox[seen];
            if (m != NULL && m->kind_case == kind) {
                a->inbox[seen] = NULL;
                return m;
            }
        }
        if (a->ended) {
            return NULL;
        }
        a->news = false;
        quiet = !testnet_until(&a->h->loop, &a->news, ms);
    }
    return NULL;
}

static const Message *hear(struct agent *a, Kind kind)
{
    const Message *m = hear_within(a, kind, HOUSE_WAIT_MS);
    ck_assert_msg(m != NULL, "no message of kind %d; ended %d: %d %s", (int)kind, a->ended,
                  (int)a->code, a->text);
    return m;
}

static void expect_end(struct agent *a, enum grpc_code code, const char *text)
{
    ck_assert(house_until(a->h, &a->ended));
    ck_assert_msg(a->code == code && strstr(a->text, text) != NULL, "ended with %s: %s",
                  grpc_code_name(a->code), a->text);
}

static Ecs__Agent__V1__Hello hello_of(const char *name)
{
    Ecs__Agent__V1__Hello h = ECS__AGENT__V1__HELLO__INIT;
    h.has_protocol = h.has_cpu = h.has_memory = h.has_port_min = h.has_port_max = true;
    h.protocol = 1;
    h.name = (char *)(uintptr_t)name;
    h.address = (char *)(uintptr_t) "10.0.0.1";
    h.cpu = 4096;
    h.memory = 8192;
    h.port_min = 32768;
    h.port_max = 60999;
    h.cluster = (char *)(uintptr_t) "default";
    return h;
}

static void say_hello(struct agent *a, Ecs__Agent__V1__Hello *hello)
{
    Ecs__Agent__V1__AgentMessage m = ECS__AGENT__V1__AGENT_MESSAGE__INIT;
    m.kind_case = ECS__AGENT__V1__AGENT_MESSAGE__KIND_HELLO;
    m.hello = hello;
    say(a, &m);
}

static void say_heartbeat(struct agent *a, uint64_t number)
{
    Ecs__Agent__V1__AgentMessage m = ECS__AGENT__V1__AGENT_MESSAGE__INIT;
    Ecs__Agent__V1__Heartbeat heartbeat = ECS__AGENT__V1__HEARTBEAT__INIT;
    heartbeat.has_number = true;
    heartbeat.number = number;
    m.kind_case = ECS__AGENT__V1__AGENT_MESSAGE__KIND_HEARTBEAT;
    m.heartbeat = &heartbeat;
    say(a, &m);
}

static void say_ack(struct agent *a, uint64_t number)
{
    Ecs__Agent__V1__AgentMessage m = ECS__AGENT__V1__AGENT_MESSAGE__INIT;
    Ecs__Agent__V1__AssignmentsAck ack = ECS__AGENT__V1__ASSIGNMENTS_ACK__INIT;
    ack.has_number = true;
    ack.number = number;
    m.kind_case = ECS__AGENT__V1__AGENT_MESSAGE__KIND_ASSIGNMENTS_ACK;
    m.assignments_ack = &ack;
    say(a, &m);
}

static void say_report(struct agent *a, uint64_t number, ProtobufCBinaryData task, uint32_t status)
{
    Ecs__Agent__V1__AgentMessage m = ECS__AGENT__V1__AGENT_MESSAGE__INIT;
    Ecs__Agent__V1__Reports reports = ECS__AGENT__V1__REPORTS__INIT;
    Ecs__Agent__V1__TaskReport task_report = ECS__AGENT__V1__TASK_REPORT__INIT;
    Ecs__Agent__V1__ContainerReport container = ECS__AGENT__V1__CONTAINER_REPORT__INIT;
    Ecs__Agent__V1__TaskReport *tasks = &task_report;
    Ecs__Agent__V1__ContainerReport *containers = &container;
    task_report.has_task_id = task_report.has_status = true;
    task_report.task_id = task;
    task_report.status = status;
    container.has_index = container.has_status = true;
    container.status = status == TASK_STOPPED ? CONTAINER_STOPPED : CONTAINER_RUNNING;
    task_report.n_containers = 1;
    task_report.containers = &containers;
    reports.has_number = true;
    reports.number = number;
    reports.n_tasks = 1;
    reports.tasks = &tasks;
    m.kind_case = ECS__AGENT__V1__AGENT_MESSAGE__KIND_REPORTS;
    m.reports = &reports;
    say(a, &m);
}

static void say_log(struct agent *a, uint64_t request, const char *text, bool end,
                    const char *error)
{
    Ecs__Agent__V1__AgentMessage m = ECS__AGENT__V1__AGENT_MESSAGE__INIT;
    Ecs__Agent__V1__LogChunk chunk = ECS__AGENT__V1__LOG_CHUNK__INIT;
    chunk.has_request = chunk.has_data = chunk.has_end = true;
    chunk.request = request;
    chunk.data.data = (uint8_t *)(uintptr_t)text;
    chunk.data.len = strlen(text);
    chunk.end = end;
    chunk.error = (char *)(uintptr_t)error;
    m.kind_case = ECS__AGENT__V1__AGENT_MESSAGE__KIND_LOG_CHUNK;
    m.log_chunk = &chunk;
    say(a, &m);
}

/* A session from dialling to the full list. */
static uint64_t agent_connect(struct agent *a)
{
    Ecs__Agent__V1__Hello hello = hello_of("n1");
    const Message *m;
    uint64_t session;
    agent_dial(a);
    say_hello(a, &hello);
    session = hear(a, KIND(WELCOME))->welcome->session;
    m = hear(a, KIND(ASSIGNMENTS));
    ck_assert(m->assignments->full);
    ck_assert(m->assignments->full_end);
    say_ack(a, m->assignments->number);
    return session;
}

/* --- joining
 * -------------------------------------------------------------------------------------- */

static void answered(struct grpc_client_call *c, const struct grpc_status *status,
                     struct str message, void *data)
{
    struct agent *a = data;
    (void)c;
    a->ended = true;
    a->code = status->code;
    (void)snprintf(a->text, sizeof a->text, "%s", status->message);
    a->answer = str_make(arena_dup(&a->arena, message.p, message.n), message.n);
}

static enum grpc_code ask(struct agent *a, const char *path, struct str request)
{
    a->ended = false;
    (void)grpc_unary(a->channel, path, request, NULL, answered, a);
    ck_assert(house_until(a->h, &a->ended));
    return a->code;
}

static char *make_csr(struct agent *a)
{
    struct buf key;
    struct buf csr;
    struct err err = {0};
    char *text;
    buf_init(&key, test_mem(), PKI_PEM_MAX);
    buf_init(&csr, test_mem(), PKI_PEM_MAX);
    ck_assert_int_eq(pki_key_create(PKI_KEY_P256, &key, &err), 0);
    ck_assert_int_eq(pki_csr_create(str_make((const char *)key.data, key.len), &csr, &err), 0);
    text = arena_dup(&a->arena, (const char *)csr.data, csr.len);
    buf_close(&key);
    buf_close(&csr);
    return text;
}

static enum grpc_code join(struct agent *a, const char *secret, char *csr)
{
    Ecs__Agent__V1__JoinRequest r = ECS__AGENT__V1__JOIN_REQUEST__INIT;
    r.secret = (char *)(uintptr_t)secret;
    r.csr_pem = csr;
    r.name = (char *)(uintptr_t) "machine";
    return ask(a, JOIN, pbc_pack_arena(&r.base, &a->arena));
}

static void make_token(struct house *h, const char *secret, uint32_t uses, int64_t ttl_ms)
{
    struct house_write x;
    uint8_t hash[SECRET_HASH_LEN];
    memset(&x, 0, sizeof x);
    secret_hash(str_of(secret), hash);
    x.cmd.kind = CMD_JOIN_CREATE;
    x.cmd.u.join.cluster = STR("default");
    x.cmd.u.join.secret_sha256 = str_make((const char *)hash, sizeof hash);
    x.cmd.u.join.uses = uses;
    x.cmd.u.join.expires_at = engine_now_ms(h->engine) + ttl_ms;
    house_submit(h, &x);
    ck_assert(house_until(h, &x.done));
    ck_assert_int_eq(x.status, 0);
    ck_assert_msg(x.result.reject == REJECT_NONE, "%s", x.result.text);
}

START_TEST(a_token_admits_as_many_as_it_says)
    {
        struct house h;
        struct agent a;
        const Ecs__Agent__V1__JoinResponse *r;
        ProtobufCMessage *m;
        struct pki_identity who;
        struct err err = {0};
        char id[ID_HEX_LEN + 1] = "";
        house_open(&h, 1);
        house_has(&h, "CreateCluster", "{}", "ACTIVE");
        make_token(&h, "two", 2, 60000);
        make_token(&h, "old", 1, 50);
        agent_open(&a, &h, PKI_ROLE_NONE, NULL);
        ck_assert_int_eq(join(&a, "wrong", make_csr(&a)), GRPC_PERMISSION_DENIED);
        (void)usleep(60000); /* Until it has expired. */
        ck_assert_int_eq(join(&a, "old", make_csr(&a)), GRPC_PERMISSION_DENIED);
        ck_assert_int_eq(join(&a, NULL, make_csr(&a)), GRPC_INVALID_ARGUMENT);
        ck_assert_int_eq(join(&a, "two", NULL), GRPC_INVALID_ARGUMENT);
        /* What cannot be signed costs nothing. */
        ck_assert_int_ne(join(&a, "two", arena_strdup(&a.arena, "nonsense")), GRPC_OK);
        ck_assert_int_ne(join(&a, "two", arena_strdup(&a.arena, "nonsense")), GRPC_OK);
        ck_assert_int_eq(join(&a, "two", make_csr(&a)), GRPC_OK);
        ck_assert_int_eq(
            pbc_unpack(&ecs__agent__v1__join_response__descriptor, a.answer, &a.arena, &m, &err),
            0);
        r = (const Ecs__Agent__V1__JoinResponse *)(const void *)m;
        ck_assert_int_eq(pki_cert_verify(str_make((const char *)h.net.ca.data, h.net.ca.len),
                                         str_of(r->certificate_pem),
                                         (int64_t)clock_wall_ms() / 1000, &who, &err),
                         0);
        ck_assert_int_eq(who.role, PKI_ROLE_AGENT);
        for (size_t i = 0; i < 16; i++) {
            (void)snprintf(id + 2 * i, 3, "%02x", r->node_id.data[i]);
        }
        ck_assert_str_eq(who.id, id);
        ck_assert_str_eq(r->cluster, "default");
        ck_assert_uint_eq(r->n_controllers, 1);
        ck_assert_int_eq(join(&a, "two", make_csr(&a)), GRPC_OK);
        ck_assert_int_eq(join(&a, "two", make_csr(&a)), GRPC_PERMISSION_DENIED);
        ck_assert_int_eq(ask(&a, JOIN, STR("\xff\xff\xff")), GRPC_INVALID_ARGUMENT);
        agent_close(&a);
        house_close(&h);
    }
END_TEST

START_TEST(a_member_renews_its_certificate)
    {
        struct house h;
        struct agent a;
        struct agent stranger;
        Ecs__Agent__V1__RenewRequest r = ECS__AGENT__V1__RENEW_REQUEST__INIT;
        struct str request;
        house_open(&h, 1);
        house_has(&h, "CreateCluster", "{}", "ACTIVE");
        agent_open(&a, &h, PKI_ROLE_AGENT, NODE);
        agent_open(&stranger, &h, PKI_ROLE_NONE, NULL);
        r.csr_pem = make_csr(&a);
        request = pbc_pack_arena(&r.base, &a.arena);
        ck_assert_int_eq(ask(&stranger, RENEW, request), GRPC_PERMISSION_DENIED);
        ck_assert_int_eq(ask(&a, RENEW, request), GRPC_PERMISSION_DENIED); /* Not registered. */
        (void)agent_connect(&a);
        ck_assert_int_eq(ask(&a, RENEW, request), GRPC_OK);
        ck_assert_int_ne(ask(&a, RENEW, STR("")), GRPC_OK);
        agent_close(&a);
        agent_close(&stranger);
        house_close(&h);
    }
END_TEST

/* --- sessions
 * ------------------------------------------------------------------------------------- */

static void refuse(struct agent *a, Ecs__Agent__V1__Hello *hello, const char *text)
{
    agent_dial(a);
    say_hello(a, hello);
    expect_end(a, GRPC_INVALID_ARGUMENT, text);
}

START_TEST(a_hello_that_cannot_be_is_refused)
    {
        struct house h;
        struct agent a;
        Ecs__Agent__V1__Hello hello = hello_of("n1");
        Ecs__Agent__V1__Attribute attribute = ECS__AGENT__V1__ATTRIBUTE__INIT;
        Ecs__Agent__V1__Attribute *attributes[LIMIT_ATTRIBUTES + 1];
        uint32_t ports[1001];
        house_open(&h, 1);
        house_has(&h, "CreateCluster", "{}", "ACTIVE");
        agent_open(&a, &h, PKI_ROLE_AGENT, NODE);
        hello.port_min = 0;
        refuse(&a, &hello, "no range of ports");
        hello.port_min = 50000;
        hello.port_max = 40000;
        refuse(&a, &hello, "no range of ports");
        hello.port_max = 65536;
        refuse(&a, &hello, "no range of ports");
        hello = hello_of("n1");
        attribute.name = (char *)(uintptr_t) "a";
        for (size_t i = 0; i < LIMIT_ATTRIBUTES + 1; i++) {
            attributes[i] = &attribute;
        }
        hello.attributes = attributes;
        hello.n_attributes = LIMIT_ATTRIBUTES + 1;
        refuse(&a, &hello, "hello.attributes: more than");
        hello = hello_of("n1");
        for (size_t i = 0; i < 1001; i++) {
            ports[i] = 22;
        }
        hello.reserved_tcp = ports;
        hello.n_reserved_tcp = 1001;
        refuse(&a, &hello, "hello.reserved_tcp has more than 1000");
        hello.n_reserved_tcp = 1;
        ports[0] = 70000;
        refuse(&a, &hello, "is no port");
        hello = hello_of("n1");
        hello.memory = UINT32_MAX;
        refuse(&a, &hello, "beyond any machine");
        hello = hello_of("\xff\xfe");
        refuse(&a, &hello, "UTF-8");
        hello = hello_of("n1");
        hello.protocol = 2;
        refuse(&a, &hello, "node protocol 2");
        agent_close(&a);
        house_close(&h);
    }
END_TEST

START_TEST(strangers_and_nonsense_end_the_stream)
    {
        struct house h;
        struct agent a;
        struct agent stranger;
        Ecs__Agent__V1__Hello hello = hello_of("n1");
        house_open(&h, 1);
        house_has(&h, "CreateCluster", "{}", "ACTIVE");
        agent_open(&stranger, &h, PKI_ROLE_ADMIN, "alice");
        agent_dial(&stranger);
        expect_end(&stranger, GRPC_UNAUTHENTICATED, "a node certificate");
        agent_open(&a, &h, PKI_ROLE_AGENT, NODE);
        agent_dial(&a);
        say_heartbeat(&a, 1);
        expect_end(&a, GRPC_FAILED_PRECONDITION, "hello comes first");
        agent_dial(&a);
        say_bytes(&a, STR("\xff\xff\xff\xff"));
        expect_end(&a, GRPC_INVALID_ARGUMENT, "");
        (void)agent_connect(&a);
        say_bytes(&a, STR(""));
        expect_end(&a, GRPC_INTERNAL, "");
        /* Twice at once: the first is on its way through the log when the second comes. */
        agent_dial(&a);
        say_hello(&a, &hello);
        say_hello(&a, &hello);
        expect_end(&a, GRPC_FAILED_PRECONDITION, "said already");
        (void)agent_connect(&a);
        say_ack(&a, 99);
        expect_end(&a, GRPC_INTERNAL, "");
        (void)agent_connect(&a);
        ck_assert_uint_eq(link_n_sessions(h.link), 1);
        agent_close(&a);
        agent_close(&stranger);
        house_close(&h);
    }
END_TEST

START_TEST(whoever_does_not_lead_says_so)
    {
        struct house h;
        struct agent a;
        Ecs__Agent__V1__Hello hello = hello_of("n1");
        const Message *m;
        house_open(&h, 3);
        agent_open(&a, &h, PKI_ROLE_AGENT, NODE);
        agent_dial(&a);
        say_hello(&a, &hello);
        m = hear(&a, KIND(REDIRECT));
        ck_assert_str_eq(m->redirect->leader == NULL ? "" : m->redirect->leader, "");
        ck_assert_uint_eq(m->redirect->n_controllers, 3);
        expect_end(&a, GRPC_OK, "");
        ck_assert_msg(join(&a, "secret", make_csr(&a)) == GRPC_UNAVAILABLE, "%s", a.text);
        agent_close(&a);
        house_close(&h);
    }
END_TEST

START_TEST(a_task_goes_down_and_its_reports_come_up)
    {
        struct house h;
        struct agent a;
        const Message *m;
        const Ecs__Agent__V1__Assignment *task;
        house_open(&h, 1);
        house_has(&h, "CreateCluster", "{}", "ACTIVE");
        house_has(&h, "RegisterTaskDefinition", TASKDEF, "web:1");
        agent_open(&a, &h, PKI_ROLE_AGENT, NODE);
        ck_assert_uint_gt(agent_connect(&a), 0);
        ck_assert_uint_eq(link_n_sessions(h.link), 1);
        say_heartbeat(&a, 7);
        ck_assert_uint_eq(hear(&a, KIND(HEARTBEAT_ACK))->heartbeat_ack->number, 7);
        house_has(&h, "RunTask",
                  "{\"taskDefinition\":\"web\",\"count\":1,\"clientToken\":\"once\"}", "PENDING");
        m = hear(&a, KIND(ASSIGNMENTS));
        ck_assert(!m->assignments->full);
        ck_assert_uint_eq(m->assignments->n_tasks, 1);
        task = m->assignments->tasks[0];
        ck_assert(!task->stop);
        ck_assert_uint_eq(task->spec->n_containers, 1);
        ck_assert_str_eq(task->spec->containers[0]->name, "app");
        /* The same request again: the same task, nothing new for the node. */
        house_has(&h, "RunTask",
                  "{\"taskDefinition\":\"web\",\"count\":1,\"clientToken\":\"once\"}", "PENDING");
        ck_assert_ptr_null(hear_within(&a, KIND(ASSIGNMENTS), 200));
        say_ack(&a, m->assignments->number);
        say_report(&a, 1, task->task_id, TASK_RUNNING);
        ck_assert_uint_eq(hear(&a, KIND(REPORTS_ACK))->reports_ack->number, 1);
        /* Acknowledged means: in the state, for everybody to see. */
        ck_assert_uint_eq(store_count(engine_store(h.engine), KIND_TASK), 1);
        house_has(&h, "ListTasks", "{\"desiredStatus\":\"RUNNING\"}", ":task/default/");
        house_has(&h, "DescribeClusters", "{}", "\"runningTasksCount\":1");
        say_report(&a, 2, task->task_id, TASK_STOPPED);
        ck_assert_uint_eq(hear(&a, KIND(REPORTS_ACK))->reports_ack->number, 2);
        m = hear(&a, KIND(ASSIGNMENTS));
        ck_assert_uint_eq(m->assignments->n_forget, 1);
        ck_assert_mem_eq(m->assignments->forget[0].data, task->task_id.data, 16);
        house_has(&h, "DescribeClusters", "{}", "\"runningTasksCount\":0");
        agent_close(&a);
        house_close(&h);
    }
END_TEST

START_TEST(a_second_session_fences_the_first)
    {
        struct house h;
        struct agent first;
        struct agent second;
        uint64_t number;
        house_open(&h, 1);
        house_has(&h, "CreateCluster", "{}", "ACTIVE");
        agent_open(&first, &h, PKI_ROLE_AGENT, NODE);
        agent_open(&second, &h, PKI_ROLE_AGENT, NODE);
        number = agent_connect(&first);
        ck_assert_uint_gt(agent_connect(&second), number);
        expect_end(&first, GRPC_ABORTED, "");
        say_heartbeat(&second, 1);
        (void)hear(&second, KIND(HEARTBEAT_ACK));
        ck_assert_uint_eq(link_n_sessions(h.link), 1);
        house_has(&h, "DescribeClusters", "{}", "\"registeredContainerInstancesCount\":1");
        agent_close(&first);
        agent_close(&second);
        house_close(&h);
    }
END_TEST

/* --- logs
 * ----------------------------------------------------------------------------------------- */

struct reader {
    char text[256];
    bool ended;
    bool cancel; /* With the first bytes. */
    int status;
    struct link_log *log;
};

static void log_data(void *ctx, struct str bytes)
{
    struct reader *r = ctx;
    size_t n = strlen(r->text);
    ck_assert_uint_lt(n + bytes.n, sizeof r->text);
    memcpy(r->text + n, bytes.p, bytes.n);
    r->text[n + bytes.n] = '\0';
    if (r->cancel) {
        link_log_cancel(r->log);
        r->ended = true;
    }
}

static void log_end(void *ctx, int status, const struct err *err)
{
    struct reader *r = ctx;
    (void)err;
    ck_assert(!r->ended);
    r->ended = true;
    r->status = status;
}

static int read_log(struct house *h, struct reader *r)
{
    static const struct link_log_events events = {log_data, log_end};
    struct link_log_request request = {.task = {1, 2}, .container = STR("app"), .tail = 5};
    struct err err = {0};
    memset(r, 0, sizeof *r);
    ck_assert(id_parse(STR(NODE), &request.node));
    return link_log_open(h->link, &request, &events, r, &r->log, &err);
}

START_TEST(logs_come_back_to_who_asked)
    {
        struct house h;
        struct agent a;
        struct reader one;
        struct reader two;
        const Message *m;
        const Message *n;
        house_open(&h, 1);
        house_has(&h, "CreateCluster", "{}", "ACTIVE");
        agent_open(&a, &h, PKI_ROLE_AGENT, NODE);
        ck_assert_int_eq(read_log(&h, &one), ERR_NOTFOUND);
        (void)agent_connect(&a);
        ck_assert_int_eq(read_log(&h, &one), 0);
        ck_assert_int_eq(read_log(&h, &two), 0);
        m = hear(&a, KIND(LOG_REQUEST));
        n = hear(&a, KIND(LOG_REQUEST));
        ck_assert_str_eq(m->log_request->container, "app");
        ck_assert_uint_eq(m->log_request->tail, 5);
        say_log(&a, n->log_request->request, "two\n", true, NULL);
        say_log(&a, m->log_request->request, "o", false, NULL);
        say_log(&a, m->log_request->request, "ne\n", true, "disk on fire");
        say_log(&a, 999, "nobody asked", true, NULL);
        ck_assert(house_until(&h, &one.ended));
        ck_assert_str_eq(one.text, "one\n");
        ck_assert_int_eq(one.status, ERR_UNAVAILABLE);
        ck_assert_str_eq(two.text, "two\n");
        ck_assert_int_eq(two.status, 0);
        ck_assert_int_eq(read_log(&h, &one), 0);
        link_log_pause(one.log);
        link_log_resume(one.log);
        m = hear(&a, KIND(LOG_REQUEST));
        ck_assert_uint_eq(hear(&a, KIND(LOG_PAUSE))->log_pause->request, m->log_request->request);
        ck_assert_uint_eq(hear(&a, KIND(LOG_RESUME))->log_resume->request, m->log_request->request);
        link_log_cancel(one.log);
        (void)hear(&a, KIND(LOG_CANCEL));
        /* The reader goes away in the middle; the agent is told, and what still comes is dropped.
         */
        ck_assert_int_eq(read_log(&h, &one), 0);
        one.cancel = true;
        m = hear(&a, KIND(LOG_REQUEST));
        say_log(&a, m->log_request->request, "last", false, NULL);
        ck_assert_uint_eq(hear(&a, KIND(LOG_CANCEL))->log_cancel->request, m->log_request->request);
        say_log(&a, m->log_request->request, "late", true, NULL);
        /* The node goes away in the middle. */
        ck_assert_int_eq(read_log(&h, &two), 0);
        (void)hear(&a, KIND(LOG_REQUEST));
        grpc_client_cancel(a.call);
        ck_assert(house_until(&h, &two.ended));
        ck_assert_int_eq(two.status, ERR_UNAVAILABLE);
        agent_close(&a);
        house_close(&h);
    }
END_TEST

START_TEST(closing_in_the_middle_is_clean)
    {
        struct house h;
        struct agent live;
        struct agent fresh;
        struct reader reader;
        Ecs__Agent__V1__Hello hello = hello_of("n2");
        house_open(&h, 1);
        house_has(&h, "CreateCluster", "{}", "ACTIVE");
        agent_open(&live, &h, PKI_ROLE_AGENT, NODE);
        agent_open(&fresh, &h, PKI_ROLE_AGENT, "000000000000000200000000000000bb");
        (void)agent_connect(&live);
        ck_assert_int_eq(read_log(&h, &reader), 0);
        agent_dial(&fresh);
        say_hello(&fresh, &hello);
        fresh.news = false;
        for (int i = 0; i < 20 && !fresh.news; i++) {
            struct engine_status status;
            (void)uv_run(&h.loop, UV_RUN_ONCE);
            engine_status(h.engine, &status);
            if (status.n_waiting > 0) {
                break; /* Its registration waits. */
            }
        }
        agent_close(&fresh);
        agent_close(&live);
        house_close(&h);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("link");
    TEST_CASE(s, "joining", 60, a_token_admits_as_many_as_it_says, a_member_renews_its_certificate);
    TEST_CASE(s, "sessions", 60, a_hello_that_cannot_be_is_refused,
              strangers_and_nonsense_end_the_stream, whoever_does_not_lead_says_so,
              a_second_session_fences_the_first, closing_in_the_middle_is_clean);
    TEST_CASE(s, "tasks", 60, a_task_goes_down_and_its_reports_come_up,
              logs_come_back_to_who_asked);
    return test_run(s);
}
