#include "agent/link/join.h"

#include "agent/link/message.h"
#include "common/base/arena.h"
#include "common/base/prng.h"
#include "common/log/log.h"
#include "common/loop/loop.h"
#include "common/loop/sysmem.h"
#include "common/net/grpc_client.h"

#include <string.h>

#define RENEW_PATH   "/ecs.agent.v1.NodeService/Renew"
#define CALL_MS      10000
#define RETRY_MS     60000
#define RETRY_MIN_MS 1000
#define WAIT_MAX_MS  (24u * 3600u * 1000u) /* Looked at again: the wall clock may be set. */
#define REQUEST_MAX  (128u * 1024u)

struct renewal {
    struct identity id;
    struct session *session;
    struct tls_context *tls;
    struct prng prng;
    struct loop_timer *timer;
    struct grpc_client_call *call;
    int64_t due_s;
    void (*done)(void *data, int64_t not_after_s);
    void *data;
    bool closed; /* The call's callback frees. */
};

/* A random moment from 50 to 80 % of the certificate's life. */
static void plan(struct renewal *r)
{
    uint64_t life = (uint64_t)(r->id.not_after_s - r->id.not_before_s);
    r->due_s = r->id.not_before_s + (int64_t)(life / 2 + prng_below(&r->prng, life * 3 / 10 + 1));
}

static void sleep_until_due(struct renewal *r)
{
    int64_t left_ms = r->due_s * 1000 - (int64_t)clock_wall_ms();
    uint64_t ms = left_ms < 0 ? 0 : (uint64_t)left_ms;
    loop_timer_start(r->timer, ms > WAIT_MAX_MS ? WAIT_MAX_MS : ms);
}

/* Short certificates, as in tests and drills, want short pauses. */
static uint64_t retry_ms(const struct renewal *r)
{
    uint64_t ms = (uint64_t)(r->id.not_after_s - r->id.not_before_s) * 1000 / 20;
    return ms > RETRY_MS ? RETRY_MS : ms < RETRY_MIN_MS ? RETRY_MIN_MS : ms;
}

static int accept_answer(struct renewal *r, struct str message, struct err *err)
{
    struct renew_response response;
    struct pki_identity who;
    struct arena arena;
    int rv;
    arena_init(&arena, sysmem());
    rv = wire_decode(&message_renew_response, message, &arena, &response, err);
    rv = rv != 0 ? rv : pki_cert_identity(str_of(response.certificate_pem), &who, err);
    rv = rv != 0 ? rv : identity_renew(&r->id, response.certificate_pem, response.ca_pem, err);
    rv = rv != 0 ? rv : tls_context_reload(r->tls, err);
    if (rv == 0) {
        r->id.not_before_s = who.not_before_s;
        r->id.not_after_s = who.not_after_s;
    }
    arena_close(&arena);
    return rv;
}

static void on_answer(struct grpc_client_call *c, const struct grpc_status *status,
                      struct str message, void *data)
{
    struct renewal *r = data;
    struct err err = {0};
    (void)c;
    r->call = NULL;
    if (r->closed) {
        mem_free(sysmem(), r, sizeof *r);
        return;
    }
    if (status->code != GRPC_OK) {
        (void)err_set(&err, ERR_UNAVAILABLE, "%s: %s", grpc_code_name(status->code),
                      status->message);
    }
    if (status->code != GRPC_OK || accept_answer(r, message, &err) != 0) {
        log_warn("certificate.renewal", log_err(&err), log_i64("not_after", r->id.not_after_s));
        loop_timer_start(r->timer, retry_ms(r));
        return;
    }
    log_info("certificate.renewed", log_i64("not_after", r->id.not_after_s));
    plan(r);
    sleep_until_due(r);
    if (r->done != NULL) {
        r->done(r->data, r->id.not_after_s);
    }
}

/* Release a secret, leaving no copy of it in the heap. */
static void wipe(struct buf *b)
{
    if (b->len > 0) {
        explicit_bzero(b->data, b->len);
    }
    buf_close(b);
}

/* A request for the key we have: one file to replace, nothing that can go out of step. */
static int make_request(const struct renewal *r, struct buf *to, struct err *err)
{
    struct renew_request request;
    struct buf key;
    struct buf csr;
    int rv;
    buf_init(&key, sysmem(), PKI_PEM_MAX);
    buf_init(&csr, sysmem(), PKI_PEM_MAX);
    rv = pki_file_read(r->id.key_file, &key, err);
    rv = rv != 0 ? rv : pki_csr_create(str_make((const char *)key.data, key.len), &csr, err);
    if (rv == 0) {
        request.csr_pem = buf_cstr(&csr);
        rv = wire_encode(&message_renew_request, &request, to, err);
    }
    wipe(&key);
    buf_close(&csr);
    return rv;
}

static void on_timer(void *data)
{
    static const struct grpc_call_options options = {.deadline_ms = CALL_MS};
    struct renewal *r = data;
    struct grpc_channel *channel = session_channel(r->session);
    struct buf request;
    struct err err = {0};
    if ((int64_t)(clock_wall_ms() / 1000) < r->due_s) {
        sleep_until_due(r);
        return;
    }
    if (channel == NULL) {
        loop_timer_start(r->timer, retry_ms(r));
        return;
    }
    buf_init(&request, sysmem(), REQUEST_MAX);
    if (make_request(r, &request, &err) == 0) {
        r->call = grpc_unary(channel, RENEW_PATH, str_make((const char *)request.data, request.len),
                             &options, on_answer, r);
    } else {
        log_error("certificate.renewal", log_err(&err));
        loop_timer_start(r->timer, retry_ms(r));
    }
    buf_close(&request);
}

struct renewal *renewal_open(uv_loop_t *loop, const struct identity *id, struct session *session,
                             struct tls_context *tls, uint64_t seed,
                             void (*done)(void *data, int64_t not_after_s), void *data)
{
    struct renewal *r = mem_alloc(sysmem(), sizeof *r);
    r->id = *id;
    r->session = session;
    r->tls = tls;
    r->done = done;
    r->data = data;
    prng_init(&r->prng, seed);
    r->timer = loop_timer_open(loop, on_timer, r);
    plan(r);
    sleep_until_due(r);
    return r;
}

void renewal_close(struct renewal *r)
{
    if (r == NULL) {
        return;
    }
    loop_timer_close(r->timer);
    r->closed = true;
    if (r->call == NULL) {
        mem_free(sysmem(), r, sizeof *r);
    } /* Else closing the session's channel ends the call. */
}
