/* One client. It asks the controller that answered last; when that one fails it, it pauses for a
 * moment and asks the next. Nothing is sent again behind the history's back: each attempt is an
 * operation of its own, and one without a clear answer stays unknown. */
#include "tests/load/load.h"

#include "common/loop/sysmem.h"
#include "common/net/tls.h"

#include <stdlib.h>
#include <string.h>

#define PAUSE_MIN_MS 5
#define PAUSE_MAX_MS 40

static void on_timer(void *data)
{
    worker_wake(data);
}

void worker_open(struct worker *w, struct load *l, uint32_t id)
{
    w->load = l;
    w->id = id;
    w->endpoint = id % l->config.endpoints.n;
    w->timer = loop_timer_open(&l->loop, on_timer, w);
    w->idle = true;
    arena_init(&w->arena, sysmem());
}

void worker_close(struct worker *w)
{
    loop_timer_close(w->timer);
    for (size_t i = 0; i < LOAD_ENDPOINTS_MAX; i++) {
        grpc_channel_close(w->channels[i]);
    }
    arena_close(&w->arena);
}

uint64_t load_now_us(const struct load *l)
{
    return uv_hrtime() / 1000 + l->real_offset_us;
}

static struct grpc_channel *channel_of(struct worker *w)
{
    struct load *l = w->load;
    struct grpc_channel **slot = &w->channels[w->endpoint];
    struct err err = {0};
    struct grpc_channel_options options = {
        .target = l->config.endpoints.items[w->endpoint],
        .tls = l->tls,
        /* All of them connect at once; one that gives up halfway only begins again. */
        .connect_ms = (unsigned)(1000 + 10 * l->config.workers),
        .backoff_min_ms = 50,
        .backoff_max_ms = 500,
        .keepalive_ms = 1000,
        .keepalive_timeout_ms = 1000,
        .seed = w->id,
    };
    if (l->tls != NULL) {
        options.expect.role = PKI_ROLE_CONTROLLER;
    }
    if (*slot == NULL && grpc_channel_open(&l->loop, &options, slot, &err) != 0) {
        (void)fprintf(stderr, "ecs-load: %s\n", err.text);
        exit(2);
    }
    return *slot;
}

/* --- answers ------------------------------------------------------------------------------------
 */

/* Codes by which the API says that it did nothing. */
static bool certainly_nothing(const struct grpc_status *status)
{
    switch (status->code) {
    case GRPC_INVALID_ARGUMENT:
    case GRPC_NOT_FOUND:
    case GRPC_ALREADY_EXISTS:
    case GRPC_PERMISSION_DENIED:
    case GRPC_RESOURCE_EXHAUSTED:
    case GRPC_FAILED_PRECONDITION:
    case GRPC_UNIMPLEMENTED:
    case GRPC_UNAUTHENTICATED:
        return true;
    case GRPC_OK:
    case GRPC_CANCELLED:
    case GRPC_UNKNOWN:
    case GRPC_DEADLINE_EXCEEDED:
    case GRPC_ABORTED:
    case GRPC_OUT_OF_RANGE:
    case GRPC_INTERNAL:
    case GRPC_UNAVAILABLE:
    case GRPC_DATA_LOSS:
        return status->not_sent;
    }
    return false;
}

/* To read a family of which nothing was registered finds nothing, which says as much as a number.
 */
static bool is_known(const struct worker *w, const struct grpc_status *status)
{
    return status->code == GRPC_OK ||
           (w->op.kind == HIST_COUNTER_READ && status->code == GRPC_NOT_FOUND);
}

static void record(struct worker *w, const struct grpc_status *status, const struct outcome *o)
{
    struct load *l = w->load;
    uint64_t now = load_now_us(l);
    if (w->op.silent) {
        return;
    }
    if (!is_known(w, status)) {
        if (certainly_nothing(status)) {
            hist_fail(&l->hist, w->op.hist, now);
        }
        return;
    }
    if (o->nothing) {
        hist_fail(&l->hist, w->op.hist, now);
        return;
    }
    hist_ok(&l->hist, w->op.hist, o->value, o->version, now);
    if (o->second != 0) {
        size_t also = hist_begin(&l->hist, w->id, w->op.kind, w->op.key, 0, now);
        hist_ok(&l->hist, also, o->second, 0, now);
    }
}

/* A token is sent until somebody says what became of it, and sometimes once more. */
static void keep_token(struct worker *w, const struct grpc_status *status)
{
    bool again = status->code == GRPC_OK ? prng_below(&w->load->prng, 4) == 0
                                         : !certainly_nothing(status) || status->not_sent;
    w->token_tries++;
    if (w->op.kind != HIST_TOKEN_RUN || !again || w->token_tries >= LOAD_TOKEN_TRIES) {
        w->token[0] = '\0';
        w->token_tries = 0;
    }
}

static uint64_t pause_after(struct worker *w, const struct grpc_status *status)
{
    struct load *l = w->load;
    if (status->code == GRPC_UNAVAILABLE || status->code == GRPC_DEADLINE_EXCEEDED ||
        status->code == GRPC_UNKNOWN || status->code == GRPC_CANCELLED) {
        w->endpoint = (w->endpoint + 1) % l->config.endpoints.n;
        l->n_switches++;
        return PAUSE_MIN_MS + prng_below(&l->prng, PAUSE_MAX_MS - PAUSE_MIN_MS);
    }
    if (l->phase != LOAD_RUN || l->config.rate == 0) {
        return status->code == GRPC_OK ? 0 : PAUSE_MAX_MS;
    }
    return prng_below(&l->prng, 2000 * l->config.workers / l->config.rate + 1);
}

static void send_op(struct worker *w);

static void on_answer(struct grpc_client_call *c, const struct grpc_status *status,
                      struct str message, void *data)
{
    struct worker *w = data;
    struct load *l = w->load;
    struct outcome o = {.value = w->op.value};
    (void)c;
    l->codes[status->code]++;
    if (status->code == GRPC_OK && load_ops(l)->answer(w, message, &o)) {
        send_op(w);
        return;
    }
    record(w, status, &o);
    keep_token(w, status);
    if (l->phase == LOAD_FINAL && !is_known(w, status)) {
        w->again = true;
    }
    if (w->op.silent && status->code != GRPC_OK && status->code != GRPC_ALREADY_EXISTS) {
        l->n_setup--; /* The same step once more. */
        if (certainly_nothing(status) && !status->not_sent) {
            (void)fprintf(stderr, "ecs-load: %s: %s\n", w->op.path, status->message);
            exit(2);
        }
    }
    loop_timer_start(w->timer, pause_after(w, status));
}

static void send_op(struct worker *w)
{
    static const struct http_field eventual = {
        .name = {"x-ecs-consistency", 17},
        .value = {"eventual", 8},
    };
    struct grpc_call_options options = {.deadline_ms = w->load->config.deadline_ms};
    if (w->load->config.eventual) {
        options.metadata = &eventual;
        options.n_metadata = 1;
    }
    (void)grpc_unary(channel_of(w), w->op.path, w->op.request, &options, on_answer, w);
}

static bool next_op(struct worker *w)
{
    struct load *l = w->load;
    switch (l->phase) {
    case LOAD_SETUP:
        return w->id == 0 && load_ops(l)->setup(w);
    case LOAD_RUN:
        load_ops(l)->choose(w);
        return true;
    case LOAD_FINAL:
        return load_next_final(w);
    case LOAD_DONE:
        return false;
    }
    return false;
}

void worker_wake(struct worker *w)
{
    struct load *l = w->load;
    bool silent = l->phase == LOAD_SETUP;
    arena_clear(&w->arena);
    w->idle = !next_op(w);
    if (w->idle) {
        load_idle(l);
        return;
    }
    w->op.silent = silent;
    w->op.step = 0;
    if (!silent) {
        w->op.hist =
            hist_begin(&l->hist, w->id, w->op.kind, w->op.key, w->op.value, load_now_us(l));
    }
    send_op(w);
}
