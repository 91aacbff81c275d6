/* Calls to whichever controller answers. A call goes to the endpoint that answered last; when it is
 * unreachable or has no leader, to the next one, until the time is up. Every request that makes
 * something carries a client token, so trying again has one effect. */
#include "admin/cli.h"
#include "common/base/arena.h"
#include "common/loop/loop.h"
#include "common/loop/sysmem.h"
#include "common/net/grpc_client.h"
#include "common/net/tls.h"
#include "controller/codec/pbc.h"
#include "controller/codec/transcode.h"
#include "proto/ecs/admin/v1/admin.pb-c.h"
#include "proto/ecs/v1/ecs.pb-c.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_MS 150
#define PATH_LEN 200

struct client {
    uv_loop_t loop;
    struct tls_context *tls;
    struct grpc_channel **channels; /* One per endpoint, opened on first use. */
    size_t current;
    struct loop_signal *signals;
    bool interrupted;
};

/* One call; the callbacks fill in how it went. */
struct attempt {
    struct cli *cli;
    const ProtobufCMethodDescriptor *method;
    struct arena arena;
    ProtobufCMessage *answer;
    bool done;
    enum grpc_code code;
    char code_name[80]; /* AWS's code, or gRPC's. */
    char message[1024];
    stream_cb cb; /* Streams. */
    void *data;
    int rv;
    struct grpc_client_call *call;
    bool begun; /* A message has come ... */
    bool moved; /* ... in this attempt. */
};

/* --- opening
 * ------------------------------------------------------------------------------------------ */

static void on_signal(int signum, void *data)
{
    struct client *c = data;
    (void)signum;
    c->interrupted = true;
}

static int open_tls(struct cli *cli, struct err *err)
{
    const struct cli_config *config = &cli->config;
    struct tls_options options = {.verify = TLS_VERIFY_REQUIRED, .alpn = {"h2"}};
    if (config->ca == NULL) {
        return 0;
    }
    options.ca_file = config->ca;
    options.cert_file = config->cert;
    options.key_file = config->key;
    return tls_context_open(&options, &cli->client->tls, err);
}

static int client_open(struct cli *cli, struct err *err)
{
    static const int signums[] = {SIGINT, SIGTERM};
    struct client *c = calloc(1, sizeof *c);
    if (c == NULL || uv_loop_init(&c->loop) != 0) {
        abort();
    }
    c->channels = calloc(cli->config.endpoints.n, sizeof(struct grpc_channel *));
    if (c->channels == NULL) {
        abort();
    }
    cli->client = c;
    if (loop_signal_open(&c->loop, signums, 2, on_signal, c, &c->signals, err) != 0) {
        return err->code;
    }
    return open_tls(cli, err);
}

void client_close(struct client *c)
{
    (void)c; /* The process ends; the kernel closes the sockets, and nothing is left to flush. */
}

static struct grpc_channel *channel_of(struct cli *cli, struct err *err)
{
    struct client *c = cli->client;
    struct grpc_channel **slot = &c->channels[c->current];
    struct grpc_channel_options options = {
        .target = cli->config.endpoints.items[c->current],
        .tls = c->tls,
        .connect_ms = 2000,
        .keepalive_ms = 5000,
        .keepalive_timeout_ms = 3000,
    };
    if (c->tls != NULL) {
        options.expect.role = PKI_ROLE_CONTROLLER;
    }
    if (*slot == NULL && grpc_channel_open(&c->loop, &options, slot, err) != 0) {
        return NULL;
    }
    return *slot;
}

/* --- methods by name
 * ------------------------------------------------------------------------------------ */

static const ProtobufCMethodDescriptor *find_method(const char *name, char path[PATH_LEN])
{
    const ProtobufCServiceDescriptor *service = &ecs__v1__ecs_service__descriptor;
    const ProtobufCMethodDescriptor *method;
    if (strncmp(name, "admin.", 6) == 0) {
        service = &ecs__admin__v1__admin_service__descriptor;
        name += 6;
    }
    method = protobuf_c_service_descriptor_get_method_by_name(service, name);
    if (method != NULL) {
        (void)snprintf(path, PATH_LEN, "/%s/%s", service->name, method->name);
    }
    return method;
}

/* The request as bytes in the arena; consumes in. */
static int pack_request(struct attempt *a, json_t *in, struct str *ret, struct err *err)
{
    char *text = in == NULL ? strdup("{}") : json_dumps(in, JSON_COMPACT);
    ProtobufCMessage *m;
    int rv;
    json_decref(in);
    if (text == NULL) {
        return err_set(err, ERR_INVALID, "the request cannot be written as JSON");
    }
    rv = transcode_read(a->method->input, str_of(text), &a->arena, &m, err);
    if (rv == 0) {
        *ret = pbc_pack_arena(m, &a->arena);
    }
    free(text);
    return rv;
}

/* --- answers
 * -------------------------------------------------------------------------------------------- */

static void fail(struct attempt *a, enum grpc_code code, const char *name, const char *message)
{
    a->code = code;
    (void)snprintf(a->code_name, sizeof a->code_name, "%s", name);
    (void)snprintf(a->message, sizeof a->message, "%s", message);
}

/* The API's own error code travels in a trailer beside gRPC's. */
static void take_status(struct attempt *a, struct grpc_client_call *c,
                        const struct grpc_status *status)
{
    struct str code = c == NULL ? str_make(NULL, 0) : grpc_client_trailer(c, "x-ecs-error-code");
    fail(a, status->code, grpc_code_name(status->code), status->message);
    if (code.n > 0) {
        (void)str_copy(a->code_name, sizeof a->code_name, code);
    }
    a->done = true;
}

static void on_answer(struct grpc_client_call *c, const struct grpc_status *status,
                      struct str message, void *data)
{
    struct attempt *a = data;
    struct err err = {0};
    take_status(a, c, status);
    if (status->code == GRPC_OK &&
        pbc_unpack(a->method->output,
                   str_make(arena_dup(&a->arena, message.p, message.n), message.n), &a->arena,
                   &a->answer, &err) != 0) {
        fail(a, GRPC_INTERNAL, "INTERNAL", err.text);
    }
}

static bool worth_another(const struct attempt *a)
{
    return a->code == GRPC_UNAVAILABLE || a->code == GRPC_DEADLINE_EXCEEDED ||
           a->code == GRPC_UNKNOWN;
}

static int exit_of(const struct attempt *a)
{
    if (a->code == GRPC_OK) {
        return EXIT_OK;
    }
    if (worth_another(a)) {
        return EXIT_UNREACHABLE;
    }
    return a->code == GRPC_NOT_FOUND ? EXIT_NOT_FOUND : EXIT_REFUSED;
}

static void wait_for(struct client *c, const bool *done)
{
    while (!*done && !c->interrupted) {
        (void)uv_run(&c->loop, UV_RUN_ONCE);
    }
}

static void on_nap(void *data)
{
    *(bool *)data = true;
}

void cli_sleep_ms(struct cli *cli, uint64_t ms)
{
    bool done = false;
    struct err err = {0};
    struct loop_timer *t;
    if (cli->client == NULL && client_open(cli, &err) != 0) {
        return;
    }
    t = loop_timer_open(&cli->client->loop, on_nap, &done);
    loop_timer_start(t, ms);
    wait_for(cli->client, &done);
    loop_timer_close(t);
}

bool cli_interrupted(const struct cli *cli)
{
    return cli->client != NULL && cli->client->interrupted;
}

bool cli_resume(struct cli *cli)
{
    bool interrupted = cli_interrupted(cli);
    if (interrupted) {
        cli->client->interrupted = false;
    }
    return interrupted;
}

/* --- unary calls
 * ------------------------------------------------------------------------------------------ */

static int call_once(struct attempt *a, const char *path, struct str request, uint64_t left_ms,
                     struct err *err)
{
    struct grpc_call_options options = {.deadline_ms = left_ms};
    struct grpc_channel *ch = channel_of(a->cli, err);
    if (ch == NULL) {
        return err->code;
    }
    a->done = false;
    (void)grpc_unary(ch, path, request, &options, on_answer, a);
    wait_for(a->cli->client, &a->done);
    return 0;
}

static int call_until_answered(struct attempt *a, const char *path, struct str request,
                               struct err *err)
{
    uint64_t end = clock_mono_ms() + a->cli->config.timeout_ms;
    int rv;
    for (;;) {
        uint64_t now = clock_mono_ms();
        rv = call_once(a, path, request, end > now ? end - now : 1, err);
        if (rv != 0 || !a->done || !worth_another(a) || clock_mono_ms() + RETRY_MS >= end) {
            return rv;
        }
        a->cli->client->current = (a->cli->client->current + 1) % a->cli->config.endpoints.n;
        cli_sleep_ms(a->cli, RETRY_MS);
    }
}

static int attempt_open(struct attempt *a, struct cli *cli, const char *method, json_t *in,
                        char path[PATH_LEN], struct str *request, struct err *err)
{
    memset(a, 0, sizeof *a);
    a->cli = cli;
    arena_init(&a->arena, sysmem());
    a->method = find_method(method, path);
    if (a->method == NULL) {
        json_decref(in);
        return err_set(err, ERR_INTERNAL, "no method %s", method);
    }
    if (cli->client == NULL && client_open(cli, err) != 0) {
        json_decref(in);
        return err->code;
    }
    return pack_request(a, in, request, err);
}

static json_t *answer_json(struct attempt *a)
{
    struct buf text;
    json_t *value;
    buf_init(&text, sysmem(), 64u << 20);
    transcode_write(a->answer, &text);
    value = json_loadb((const char *)text.data, text.len, 0, NULL);
    buf_close(&text);
    return value;
}

int call_quietly(struct cli *cli, const char *method, json_t *in, json_t **ret, struct err *err)
{
    struct attempt a;
    struct str request = {NULL, 0};
    char path[PATH_LEN];
    int rv = EXIT_USAGE;
    if (attempt_open(&a, cli, method, in, path, &request, err) == 0 &&
        call_until_answered(&a, path, request, err) == 0) {
        rv = a.done ? exit_of(&a) : EXIT_FAILED;
        if (rv == EXIT_OK) {
            *ret = answer_json(&a);
        } else if (a.done) {
            err_set(err, ERR_UNAVAILABLE, "%s: %s", a.code_name, a.message);
        } else {
            err_set(err, ERR_CANCELED, "interrupted");
        }
    }
    arena_close(&a.arena);
    return rv;
}

int call(struct cli *cli, const char *method, json_t *in, json_t **ret)
{
    struct err err = {0};
    int rv = call_quietly(cli, method, in, ret, &err);
    if (rv != EXIT_OK) {
        progress_end(cli);
        complain("%s", err.text);
    }
    return rv;
}

/* --- streams
 * --------------------------------------------------------------------------------------------------
 */

static void on_message(struct grpc_client_call *c, struct str message)
{
    struct attempt *a = grpc_client_data(c);
    struct arena arena;
    ProtobufCMessage *m;
    struct err err = {0};
    if (a->rv != EXIT_OK) {
        return;
    }
    a->begun = true;
    a->moved = true;
    arena_init(&arena, sysmem());
    if (pbc_unpack(a->method->output, message, &arena, &m, &err) != 0) {
        complain("%s", err.text);
        a->rv = EXIT_FAILED;
    } else {
        a->rv = a->cb(a->data, m);
    }
    arena_close(&arena);
    if (a->rv != EXIT_OK) {
        grpc_client_cancel(c);
    }
}

static void on_close(struct grpc_client_call *c, const struct grpc_status *status)
{
    take_status(grpc_client_data(c), c, status);
}

static int stream_once(struct attempt *a, const char *path, struct str request, struct err *err)
{
    static const struct grpc_client_events events = {.on_message = on_message,
                                                     .on_close = on_close};
    struct grpc_channel *ch = channel_of(a->cli, err);
    if (ch == NULL) {
        return err->code;
    }
    a->done = false;
    a->moved = false;
    a->call = grpc_client_open(ch, path, NULL, &events, a);
    (void)grpc_client_send(a->call, request);
    grpc_client_half_close(a->call);
    wait_for(a->cli->client, &a->done);
    return 0;
}

/* Before the first message another endpoint may be asked the same; after it only the caller knows
 * how to go on. Then a node that is not there yet is one that is still looking for the new leader.
 */
static bool may_go_on(const struct attempt *a, stream_again again)
{
    if (!a->begun) {
        return worth_another(a);
    }
    return again != NULL && a->rv == EXIT_OK && (worth_another(a) || a->code == GRPC_NOT_FOUND);
}

/* Streams and begins again, as long as something comes before the time is over. */
static int stream_on(struct attempt *a, const char *path, struct str request, stream_again again,
                     struct err *err)
{
    struct cli *cli = a->cli;
    uint64_t end = clock_mono_ms() + cli->config.timeout_ms;
    for (;;) {
        json_t *in;
        int rv = stream_once(a, path, request, err);
        if (rv != 0 || !a->done || !may_go_on(a, again)) {
            return rv;
        }
        if (a->moved) {
            end = clock_mono_ms() + cli->config.timeout_ms;
        }
        if (clock_mono_ms() + RETRY_MS >= end) {
            return 0;
        }
        cli->client->current = (cli->client->current + 1) % cli->config.endpoints.n;
        cli_sleep_ms(cli, RETRY_MS);
        in = a->begun ? again(a->data) : NULL;
        if (a->begun && in == NULL) {
            return 0;
        }
        rv = a->begun ? pack_request(a, in, &request, err) : 0;
        if (rv != 0) {
            return rv;
        }
    }
}

int call_stream(struct cli *cli, const char *method, json_t *in, stream_cb cb, stream_again again,
                void *data)
{
    struct attempt a;
    struct str request = {NULL, 0};
    char path[PATH_LEN];
    struct err err = {0};
    int rv = attempt_open(&a, cli, method, in, path, &request, &err);
    a.cb = cb;
    a.data = data;
    if (rv == 0) {
        rv = stream_on(&a, path, request, again, &err);
    }
    if (rv != 0) {
        complain("%s", err.text);
        rv = EXIT_USAGE;
    } else if (a.rv != EXIT_OK || !a.done) {
        rv = a.rv;
    } else {
        rv = exit_of(&a);
        if (rv != EXIT_OK) {
            complain("%s: %s", a.code_name, a.message);
        }
    }
    arena_close(&a.arena);
    return rv;
}
