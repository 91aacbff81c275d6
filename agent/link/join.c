#include "agent/link/join.h"

#include "agent/link/message.h"
#include "common/base/arena.h"
#include "common/log/log.h"
#include "common/loop/loop.h"
#include "common/loop/sysmem.h"
#include "common/net/grpc_client.h"

#include <assert.h>
#include <string.h>

#define JOIN_PATH       "/ecs.agent.v1.NodeService/Join"
#define TOKEN_PREFIX    "ECSJOIN-1-"
#define PIN_LEN         64
#define SECRET_MIN      32 /* 128 bits in hex. */
#define JOIN_TIMEOUT_MS 60000
#define CALL_MS         10000
#define PAUSE_MS        500
#define ANSWER_MAX      (256u * 1024u)

/* --- the token ----------------------------------------------------------------------------------
 */

static bool is_hex(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
            return false;
        }
    }
    return true;
}

int join_token_parse(const char *text, struct join_token *ret, struct err *err)
{
    struct str s = str_of(text);
    struct str pin;
    struct str secret;
    if (!str_starts(s, TOKEN_PREFIX)) {
        return err_set(err, ERR_INVALID, "join token: does not begin with " TOKEN_PREFIX);
    }
    s = str_slice(s, sizeof TOKEN_PREFIX - 1, s.n);
    pin = str_cut(s, '-', &secret);
    if (pin.n != PIN_LEN || !is_hex(pin)) {
        return err_set(err, ERR_INVALID,
                       "join token: after " TOKEN_PREFIX " there must be %d lower-case hex digits",
                       PIN_LEN);
    }
    if (secret.n < SECRET_MIN || secret.n >= JOIN_SECRET_MAX || !is_hex(secret)) {
        return err_set(err, ERR_INVALID,
                       "join token: its last part must be %d or more lower-case hex digits",
                       SECRET_MIN);
    }
    (void)str_copy(ret->pin, sizeof ret->pin, pin);
    (void)str_copy(ret->secret, sizeof ret->secret, secret);
    return 0;
}

/* --- joining ------------------------------------------------------------------------------------
 */

struct joining {
    const struct join_options *options;
    struct join_token token;
    struct tls_context *tls;
    struct grpc_channel *channel;
    uv_loop_t loop;
    struct loop_timer *timer;
    uint64_t give_up_ms;
    size_t next;
    struct buf key;
    struct buf csr;
    struct buf request;
    struct arena arena; /* The answer. */
    struct join_response response;
    bool done;
    int status;
    struct err err; /* Of the last attempt. */
};

static void finish(struct joining *j, int status)
{
    j->done = true;
    j->status = status;
    uv_stop(&j->loop);
}

static void try_again(struct joining *j)
{
    log_warn("join.attempt", log_str("controller", j->options->controllers[j->next]),
             log_err(&j->err));
    j->next = (j->next + 1) % j->options->n_controllers;
    if (clock_mono_ms() >= j->give_up_ms) {
        finish(j, err_wrap(&j->err, ERR_TIMEOUT, "no controller let this machine join in time"));
        return;
    }
    loop_timer_start(j->timer, PAUSE_MS);
}

static bool answer_ok(struct joining *j, struct str message)
{
    int rv = wire_decode(&message_join_response, message, &j->arena, &j->response, &j->err);
    if (rv == 0) {
        rv = pki_cert_verify(str_of(j->response.ca_pem), str_of(j->response.certificate_pem),
                             (int64_t)(clock_wall_ms() / 1000), NULL, &j->err);
    }
    if (rv == 0) {
        rv = pki_key_matches(str_of(j->response.certificate_pem),
                             str_make((const char *)j->key.data, j->key.len), &j->err);
    }
    return rv == 0;
}

static void on_answer(struct grpc_client_call *c, const struct grpc_status *status,
                      struct str message, void *data)
{
    struct joining *j = data;
    (void)c;
    if (j->done) {
        return;
    }
    if (status->code == GRPC_OK) {
        finish(j, answer_ok(j, message)
                      ? 0
                      : err_wrap(&j->err, ERR_PROTOCOL, "the controller's answer"));
        return;
    }
    (void)err_set(&j->err, ERR_UNAVAILABLE, "%s: %s", grpc_code_name(status->code),
                  status->message);
    if (status->code == GRPC_PERMISSION_DENIED || status->code == GRPC_UNAUTHENTICATED ||
        status->code == GRPC_INVALID_ARGUMENT) {
        finish(j, err_set(&j->err, ERR_DENIED, "the join token was not accepted: %s",
                          status->message));
        return;
    }
    try_again(j);
}

static void attempt(void *data)
{
    static const struct grpc_call_options call_options = {.deadline_ms = CALL_MS};
    struct joining *j = data;
    struct grpc_channel_options o = {
        .target = j->options->controllers[j->next],
        .tls = j->tls,
        .expect = {.role = PKI_ROLE_CONTROLLER},
    };
    grpc_channel_close(j->channel);
    j->channel = NULL;
    if (grpc_channel_open(&j->loop, &o, &j->channel, &j->err) != 0) {
        try_again(j);
        return;
    }
    (void)grpc_unary(j->channel, JOIN_PATH, str_make((const char *)j->request.data, j->request.len),
                     &call_options, on_answer, j);
}

static int make_request(struct joining *j)
{
    struct join_request request = {.secret = j->token.secret, .name = j->options->name};
    int rv = pki_key_create(PKI_KEY_P256, &j->key, &j->err);
    rv = rv != 0
             ? rv
             : pki_csr_create(str_make((const char *)j->key.data, j->key.len), &j->csr, &j->err);
    if (rv != 0) {
        return rv;
    }
    request.csr_pem = buf_cstr(&j->csr);
    return wire_encode(&message_join_request, &request, &j->request, &j->err);
}

static int open_tls(struct joining *j)
{
    struct tls_options o = {.verify = TLS_VERIFY_PIN, .alpn = {"h2"}};
    memcpy(o.pin, j->token.pin, sizeof o.pin);
    return tls_context_open(&o, &j->tls, &j->err);
}

/* Release a secret, leaving no copy of it in the heap. */
static void wipe(struct buf *b)
{
    if (b->len > 0) {
        explicit_bzero(b->data, b->len);
    }
    buf_close(b);
}

static void close_all(struct joining *j)
{
    j->done = true; /* Calls that end now are of no interest. */
    grpc_channel_close(j->channel);
    loop_timer_close(j->timer);
    loop_drain(&j->loop);
    tls_context_close(j->tls);
    wipe(&j->key);
    buf_close(&j->csr);
    wipe(&j->request);
    explicit_bzero(&j->token, sizeof j->token);
    arena_close(&j->arena);
}

static int join(struct joining *j)
{
    int rv = make_request(j);
    rv = rv != 0 ? rv : open_tls(j);
    if (rv != 0) {
        return rv;
    }
    loop_timer_start(j->timer, 0);
    (void)uv_run(&j->loop, UV_RUN_DEFAULT);
    assert(j->done);
    if (j->status != 0) {
        return j->status;
    }
    return identity_save(j->options->data_dir, str_make((const char *)j->key.data, j->key.len),
                         &j->response, &j->err);
}

int join_run(const struct join_options *options, struct err *err)
{
    struct joining *j;
    uint32_t timeout_ms = options->timeout_ms == 0 ? JOIN_TIMEOUT_MS : options->timeout_ms;
    struct join_token token;
    int rv = join_token_parse(options->token, &token, err);
    if (rv == 0 && options->n_controllers == 0) {
        rv = err_set(err, ERR_INVALID, "no addresses of controllers");
    }
    if (rv != 0) {
        return rv;
    }
    j = mem_alloc(sysmem(), sizeof *j);
    j->options = options;
    j->token = token;
    j->give_up_ms = clock_mono_ms() + timeout_ms;
    arena_init(&j->arena, sysmem());
    buf_init(&j->key, sysmem(), PKI_PEM_MAX);
    buf_init(&j->csr, sysmem(), PKI_PEM_MAX);
    buf_init(&j->request, sysmem(), ANSWER_MAX);
    if (uv_loop_init(&j->loop) != 0) {
        mem_free(sysmem(), j, sizeof *j);
        return err_set(err, ERR_IO, "event loop");
    }
    j->timer = loop_timer_open(&j->loop, attempt, j);
    rv = join(j);
    if (rv != 0) {
        (void)err_set(err, rv, "%s", j->err.text);
    }
    close_all(j);
    mem_free(sysmem(), j, sizeof *j);
    return rv;
}
