#include "tests/lib/fake_controller.h"

#include "agent/link/message.h"
#include "common/loop/loop.h"
#include "common/loop/sysmem.h"
#include "common/net/http.h"

#include <assert.h>
#include <check.h>
#include <stdio.h>
#include <string.h>

static void copy(char *to, size_t size, const char *from)
{
    (void)snprintf(to, size, "%s", from);
}

static void say(struct fake_controller *f, const struct controller_message *m)
{
    struct buf out;
    buf_init(&out, sysmem(), 4u << 20);
    ck_assert_int_eq(message_encode_controller(m, &out, NULL), 0);
    if (f->call != NULL && !f->ignore_all) {
        (void)grpc_call_send(f->call, str_make((const char *)out.data, out.len));
    }
    buf_close(&out);
}

/* --- the session --------------------------------------------------------------------------------
 */

static void on_hello(struct fake_controller *f, struct grpc_call *c, const struct hello *h)
{
    const char *address = f->address;
    struct redirect redirect = {.leader = f->leader != NULL ? f->leader : ""};
    struct welcome welcome = {.session = f->session,
                              .heartbeat_interval_ms = f->heartbeat_ms,
                              .lease_ms = f->lease_ms,
                              .cluster = "default",
                              .region = "local",
                              .account = "000000000000",
                              .controllers = {&address, 1}};
    struct controller_message m = {0};
    f->n_hellos++;
    f->hello_cpu = h->cpu;
    f->hello_tasks = h->n_tasks;
    copy(f->hello_name, sizeof f->hello_name, h->name);
    copy(f->hello_cluster, sizeof f->hello_cluster, h->cluster);
    copy(f->peer, sizeof f->peer, grpc_call_peer(c)->id);
    f->call = c;
    if (f->follower) {
        m.redirect = &redirect;
        say(f, &m);
        f->call = NULL;
        grpc_call_finish(c, GRPC_OK, "", (struct str){NULL, 0});
        return;
    }
    m.welcome = &welcome;
    f->session++;
    f->connected = true;
    f->number = 0;
    say(f, &m);
}

static struct fake_task *task_slot(struct fake_controller *f, struct id id)
{
    for (unsigned i = 0; i < f->n_tasks; i++) {
        if (id_eq(f->tasks[i].id, id)) {
            return &f->tasks[i];
        }
    }
    ck_assert_uint_lt(f->n_tasks, FAKE_TASKS);
    f->tasks[f->n_tasks].id = id;
    f->n_tasks++;
    return &f->tasks[f->n_tasks - 1];
}

static void on_reports(struct fake_controller *f, const struct reports *r)
{
    struct numbered ack = {r->number};
    struct controller_message m = {.reports_ack = &ack};
    for (uint32_t i = 0; i < r->n_tasks; i++) {
        const struct task_report *from = &r->tasks[i];
        struct fake_task *t = task_slot(f, from->task);
        ck_assert_int_ge(from->status, t->status);
        t->status = from->status;
        t->stop_code = from->stop_code;
        t->health = from->health;
        t->n_reports++;
        copy(t->reason, sizeof t->reason, from->reason);
        if (from->n_containers > 0) {
            t->has_exit_code = from->containers[0].has_exit_code;
            t->exit_code = from->containers[0].exit_code;
            copy(t->container_reason, sizeof t->container_reason, from->containers[0].reason);
        }
    }
    if (!f->ignore_reports) {
        say(f, &m);
    }
}

static void on_heartbeat(struct fake_controller *f, const struct heartbeat *h)
{
    const char *controllers[] = {f->address, f->also};
    struct heartbeat_ack ack = {h->number, {controllers, f->also == NULL ? 0 : 2}};
    struct controller_message m = {.heartbeat_ack = &ack};
    f->n_heartbeats++;
    if (h->census) {
        f->counted = true;
        f->n_held = h->n_held;
        f->held = h->n_held == 0 ? (struct id){0, 0} : h->held[h->n_held - 1];
    }
    if (!f->ignore_heartbeats) {
        say(f, &m);
    }
}

static void on_chunk(struct fake_controller *f, const struct log_chunk *c)
{
    buf_put(&f->log, c->data.p, c->data.n);
    f->max_chunk = c->data.n > f->max_chunk ? c->data.n : f->max_chunk;
    if (c->data.n > 0) {
        ck_assert_int_eq(c->data.p[c->data.n - 1], '\n');
    }
    if (c->end) {
        f->n_log_ends++;
        copy(f->log_error, sizeof f->log_error, c->error);
    }
}

static void on_message(struct grpc_call *c, struct str bytes)
{
    struct fake_controller *f = grpc_call_data(c);
    struct agent_message m;
    struct arena arena;
    struct err err = {0};
    arena_init(&arena, sysmem());
    ck_assert_msg(message_decode_agent(bytes, &arena, &m, &err) == 0, "%s", err.text);
    if (m.hello != NULL) {
        on_hello(f, c, m.hello);
    } else if (m.heartbeat != NULL) {
        on_heartbeat(f, m.heartbeat);
    } else if (m.reports != NULL) {
        on_reports(f, m.reports);
    } else if (m.assignments_ack != NULL) {
        f->acked = m.assignments_ack->number;
    } else {
        on_chunk(f, m.log_chunk);
    }
    arena_close(&arena);
}

static void on_close(struct grpc_call *c, int status)
{
    struct fake_controller *f = grpc_call_data(c);
    (void)status;
    if (f->call == c) {
        f->call = NULL;
        f->connected = false;
    }
}

/* --- joining ------------------------------------------------------------------------------------
 */

static void reply(struct grpc_call *c, const struct wire_message *m, const void *from)
{
    struct buf out;
    buf_init(&out, sysmem(), 1u << 20);
    ck_assert_int_eq(wire_encode(m, from, &out, NULL), 0);
    grpc_call_reply(c, str_make((const char *)out.data, out.len));
    buf_close(&out);
}

static int issue(const struct fake_controller *f, const char *id, const char *csr, struct buf *pem,
                 struct err *err)
{
    int64_t now = (int64_t)clock_wall_ms() / 1000;
    struct pki_request request = {.role = PKI_ROLE_AGENT,
                                  .domain = "test.ecs",
                                  .id = id,
                                  .not_before_s = now - 1,
                                  .not_after_s = now + f->cert_lifetime_s};
    return pki_cert_issue(str_make((const char *)f->net->ca.data, f->net->ca.len),
                          str_make((const char *)f->net->ca_key.data, f->net->ca_key.len),
                          str_of(csr), &request, pem, err);
}

static void on_join(struct grpc_call *c, struct str bytes)
{
    static const char id[] = "000000000000000100000000000000aa";
    struct fake_controller *f = grpc_call_data(c);
    const char *address = f->address;
    struct join_request request;
    struct join_response r = {
        .node_id = {1, 0xaa}, .cluster = "default", .controllers = {&address, 1}};
    struct arena arena;
    struct buf pem;
    struct err err = {0};
    f->n_joins++;
    arena_init(&arena, sysmem());
    buf_init(&pem, sysmem(), PKI_PEM_MAX);
    ck_assert_int_eq(wire_decode(&message_join_request, bytes, &arena, &request, NULL), 0);
    if (f->follower) {
        grpc_call_fail(c, GRPC_UNAVAILABLE, "ask the leader");
    } else if (f->secret == NULL || strcmp(request.secret, f->secret) != 0) {
        grpc_call_fail(c, GRPC_PERMISSION_DENIED, "unknown join token");
    } else if (issue(f, id, request.csr_pem, &pem, &err) != 0) {
        grpc_call_fail(c, GRPC_INVALID_ARGUMENT, "%s", err.text);
    } else {
        r.certificate_pem = buf_cstr(&pem);
        r.ca_pem = arena_dup(&arena, (const char *)f->net->ca.data, f->net->ca.len);
        reply(c, &message_join_response, &r);
    }
    buf_close(&pem);
    arena_close(&arena);
}

static void on_renew(struct grpc_call *c, struct str bytes)
{
    struct fake_controller *f = grpc_call_data(c);
    struct renew_request request;
    struct renew_response r = {.ca_pem = ""};
    struct arena arena;
    struct buf pem;
    f->n_renewals++;
    arena_init(&arena, sysmem());
    buf_init(&pem, sysmem(), PKI_PEM_MAX);
    ck_assert_int_eq(wire_decode(&message_renew_request, bytes, &arena, &request, NULL), 0);
    ck_assert_int_eq(issue(f, grpc_call_peer(c)->id, request.csr_pem, &pem, NULL), 0);
    r.certificate_pem = buf_cstr(&pem);
    reply(c, &message_renew_response, &r);
    buf_close(&pem);
    arena_close(&arena);
}

/* --- life ---------------------------------------------------------------------------------------
 */

static void on_call(struct http_call *c, void *data)
{
    struct fake_controller *f = data;
    if (grpc_is_call(c)) {
        grpc_server_handle(f->grpc, c);
    }
}

void fake_open(struct fake_controller *f, uv_loop_t *loop, const struct testnet *net)
{
    static const char *const alpn[TLS_ALPN_MAX] = {"h2"};
    struct http_options o = {0};
    struct err err = {0};
    memset(f, 0, sizeof *f);
    f->session = 1;
    f->heartbeat_ms = 100;
    f->lease_ms = 30000;
    f->cert_lifetime_s = 86400;
    f->net = net;
    buf_init(&f->log, sysmem(), 64u << 20);
    f->tls = testnet_server(net, PKI_ROLE_CONTROLLER, "1", TLS_VERIFY_OPTIONAL, alpn);
    f->grpc = grpc_server_open(loop, 0);
    f->methods[0] = (struct grpc_method){.path = "/ecs.agent.v1.NodeService/Join",
                                         .kind = GRPC_UNARY,
                                         .on_message = on_join,
                                         .data = f};
    f->methods[1] = (struct grpc_method){.path = "/ecs.agent.v1.NodeService/Renew",
                                         .kind = GRPC_UNARY,
                                         .on_message = on_renew,
                                         .data = f};
    f->methods[2] = (struct grpc_method){.path = "/ecs.agent.v1.NodeService/Session",
                                         .kind = GRPC_BIDI,
                                         .on_message = on_message,
                                         .on_close = on_close,
                                         .data = f};
    ck_assert_int_eq(grpc_server_add(f->grpc, f->methods, 3, &err), 0);
    ck_assert_int_eq(addr_parse(STR("127.0.0.1:0"), 0, &o.addr, &err), 0);
    o.tls = f->tls;
    ck_assert_msg(http_server_open(loop, &o, on_call, f, &f->http, &err) == 0, "%s", err.text);
    (void)addr_text(http_server_addr(f->http), f->address);
}

void fake_close(struct fake_controller *f)
{
    http_server_close(f->http);
    grpc_server_close(f->grpc);
    tls_context_close(f->tls);
    buf_close(&f->log);
}

/* --- what it says -------------------------------------------------------------------------------
 */

static void encode_spec(const struct fake_want *want, struct buf *to)
{
    struct container_spec one = {.name = "main", .image = want->image, .essential = true};
    struct task_spec spec = {.family = "f", .containers = &one, .n_containers = 1};
    if (want->containers != NULL) {
        spec.containers = want->containers;
        spec.n_containers = want->n_containers;
    }
    ck_assert_int_eq(message_encode_spec(&spec, to, NULL), 0);
}

void fake_assign(struct fake_controller *f, const struct fake_want *want, unsigned n, bool full)
{
    struct assignment tasks[FAKE_TASKS];
    struct buf specs[FAKE_TASKS];
    struct assignments a = {.full = full, .full_end = full, .tasks = tasks, .n_tasks = n};
    struct controller_message m = {.assignments = &a};
    ck_assert_uint_le(n, FAKE_TASKS);
    memset(tasks, 0, sizeof tasks);
    f->number++;
    a.number = f->number;
    for (unsigned i = 0; i < n; i++) {
        buf_init(&specs[i], sysmem(), 1u << 20);
        tasks[i].task = (struct id){1, want[i].id};
        tasks[i].stop = want[i].stop;
        tasks[i].stop_reason = want[i].stop ? "Task stopped by user" : "";
        if (want[i].image != NULL || want[i].containers != NULL) {
            encode_spec(&want[i], &specs[i]);
            tasks[i].spec = str_make((const char *)specs[i].data, specs[i].len);
        }
    }
    say(f, &m);
    for (unsigned i = 0; i < n; i++) {
        buf_close(&specs[i]);
    }
}

void fake_forget(struct fake_controller *f, uint64_t id)
{
    struct id task = {1, id};
    struct assignments a = {.forget = &task, .n_forget = 1};
    struct controller_message m = {.assignments = &a};
    f->number++;
    a.number = f->number;
    say(f, &m);
}

void fake_ask_log(struct fake_controller *f, const struct log_request *r)
{
    struct controller_message m = {.log_request = r};
    say(f, &m);
}

void fake_cancel_log(struct fake_controller *f, uint64_t request)
{
    struct numbered cancel = {request};
    struct controller_message m = {.log_cancel = &cancel};
    say(f, &m);
}

void fake_say_garbage(struct fake_controller *f)
{
    (void)grpc_call_send(f->call, STR("\x0a\x7fgarbage"));
}

void fake_drop(struct fake_controller *f)
{
    assert(f->call != NULL);
    grpc_call_finish(f->call, GRPC_UNAVAILABLE, "going away", (struct str){NULL, 0});
}

const struct fake_task *fake_task(const struct fake_controller *f, uint64_t id)
{
    for (unsigned i = 0; i < f->n_tasks; i++) {
        if (f->tasks[i].id.hi == 1 && f->tasks[i].id.lo == id) {
            return &f->tasks[i];
        }
    }
    return NULL;
}
