/* One attempt is one channel to one controller and one call on it. An attempt ends by its call's
 * on_close, whatever the cause (refused, redirected, silent, lost); the next one is started by the
 * timer, which also is where the old channel is closed, since a channel may not be closed inside
 * callbacks of its calls. */
#include "agent/link/session.h"

#include "agent/core/limits.h"
#include "agent/link/message.h"
#include "common/base/prng.h"
#include "common/log/log.h"
#include "common/loop/loop.h"
#include "common/loop/sysmem.h"

#include <assert.h>
#include <string.h>

#define SESSION_PATH       "/ecs.agent.v1.NodeService/Session"
#define TARGET_MAX         264
#define MESSAGE_MAX        (4u << 20)
#define WELCOME_MS         10000 /* From hello. */
#define BACKOFF_MIN_MS     200
#define BACKOFF_MAX_MS     5000
#define REDIRECTS_MAX      4 /* In a row without a pause. */
#define HEARTBEATS_MAX     64
#define HEARTBEAT_MIN_MS   100
#define HEARTBEAT_MAX_MS   60000
#define HEARTBEAT_INTERVAL 1000 /* When the controller does not say. */
#define LEASE_DEFAULT_MS   30000
#define SILENCE_MIN_MS     3000

enum state {
    STATE_WAITING, /* For the timer to make the next attempt. */
    STATE_OPENING, /* Hello is on its way. */
    STATE_UP,
    STATE_ENDING, /* Cancelled; on_close is to come. */
};

struct targets {
    char v[LIMIT_ADDRESSES][TARGET_MAX];
    size_t n;
};

struct session {
    uv_loop_t *loop;
    struct session_options options;
    const struct session_events *events;
    void *data;
    enum state state;
    struct prng prng;
    struct targets seeds;    /* From the configuration: always tried. */
    struct targets learned;  /* From controllers; replaced by each list they send. */
    size_t next;             /* Of seeds and learned, one after the other. */
    char leader[TARGET_MAX]; /* Where a follower pointed; "" when nobody did. */
    char target[TARGET_MAX]; /* Of the channel. */
    struct grpc_channel *channel;
    struct grpc_client_call *call;
    struct loop_timer *timer; /* Next attempt, or the end of patience with this one. */
    struct loop_timer *heartbeat_timer;
    struct arena arena;
    struct buf out;
    uint32_t backoff_ms;
    size_t n_tried; /* Since it waited for as long as that. */
    unsigned n_redirects;
    uint32_t lease_ms;
    uint32_t heartbeat_ms;
    uint64_t hello_sent_ms; /* These four on CLOCK_BOOTTIME. */
    uint64_t heard_ms;
    uint64_t heartbeats[HEARTBEATS_MAX]; /* When number n was sent, at n % HEARTBEATS_MAX. */
    uint64_t last_heartbeat;
};

/* --- whom to ask --------------------------------------------------------------------------------
 */

static bool targets_have(const struct targets *t, const char *address)
{
    for (size_t i = 0; i < t->n; i++) {
        if (strcmp(t->v[i], address) == 0) {
            return true;
        }
    }
    return false;
}

static void targets_add(struct targets *t, const char *address)
{
    if (address[0] != '\0' && t->n < LIMIT_ADDRESSES && !targets_have(t, address) &&
        str_copy(t->v[t->n], TARGET_MAX, str_of(address))) {
        t->n++;
    }
}

static void learn(struct session *s, const struct string_list *controllers)
{
    if (controllers->n == 0) {
        return;
    }
    s->learned.n = 0;
    for (uint32_t i = 0; i < controllers->n; i++) {
        if (!targets_have(&s->seeds, controllers->v[i])) {
            targets_add(&s->learned, controllers->v[i]);
        }
    }
}

static const char *choose(struct session *s)
{
    size_t i;
    if (s->leader[0] != '\0') {
        return s->leader;
    }
    i = s->next % (s->seeds.n + s->learned.n);
    s->next = i + 1;
    return i < s->seeds.n ? s->seeds.v[i] : s->learned.v[i - s->seeds.n];
}

/* --- attempts -----------------------------------------------------------------------------------
 */

static void attempt(struct session *s);

/* Give up the stream; on_close follows. */
static void hang_up(struct session *s)
{
    bool was_up = s->state == STATE_UP;
    if (s->state != STATE_OPENING && s->state != STATE_UP) {
        return;
    }
    s->state = STATE_ENDING;
    loop_timer_stop(s->heartbeat_timer);
    grpc_client_cancel(s->call);
    if (was_up) {
        s->events->down(s->data);
    }
}

static void end(struct session *s, const char *why)
{
    if (s->state == STATE_OPENING || s->state == STATE_UP) {
        log_warn("session.end", log_str("controller", s->target), log_str("why", why));
        hang_up(s);
    }
}

static void on_timer(void *data)
{
    struct session *s = data;
    if (s->state == STATE_WAITING) {
        attempt(s);
    } else if (s->state == STATE_OPENING) {
        end(s, "no welcome in time");
    }
}

/* Between half of ms and all of it, so that a thousand agents do not come at once. */
static uint64_t jitter(struct session *s, uint64_t ms)
{
    return ms / 2 + prng_below(&s->prng, ms / 2 + 1);
}

static void wait_for_next(struct session *s, uint64_t ms)
{
    s->state = STATE_WAITING;
    loop_timer_start(s->timer, ms);
}

/* Every controller is asked before anything longer is waited for: only one of them may be alive,
 * and it gives its nodes no more than some seconds to come. */
static void back_off(struct session *s)
{
    s->n_tried++;
    if (s->n_tried < s->seeds.n + s->learned.n) {
        wait_for_next(s, jitter(s, s->options.backoff_min_ms));
        return;
    }
    s->n_tried = 0;
    wait_for_next(s, jitter(s, s->backoff_ms));
    s->backoff_ms = s->backoff_ms >= s->options.backoff_max_ms / 2 ? s->options.backoff_max_ms
                                                                   : s->backoff_ms * 2;
}

/* Encode and hand to the network; errors end the stream. */
static int transmit(struct session *s, const struct agent_message *m)
{
    struct err err = {0};
    int rv;
    buf_clear(&s->out);
    rv = message_encode_agent(m, &s->out, &err);
    if (rv == 0) {
        rv = grpc_client_send(s->call, str_make((const char *)s->out.data, s->out.len));
    }
    if (s->out.len > 65536) { /* A large hello or report is rare; do not keep its buffer. */
        buf_close(&s->out);
        buf_init(&s->out, sysmem(), MESSAGE_MAX);
    }
    if (rv != 0) {
        end(s, rv == ERR_FULL ? "the controller reads too slowly" : err_name(rv));
    }
    return rv;
}

static void say_hello(struct session *s)
{
    struct hello hello;
    struct agent_message m = {.hello = &hello};
    memset(&hello, 0, sizeof hello);
    hello.protocol = MESSAGE_PROTOCOL;
    arena_clear(&s->arena);
    s->events->hello(s->data, &s->arena, &hello);
    s->hello_sent_ms = clock_boot_ms();
    s->heard_ms = s->hello_sent_ms;
    (void)transmit(s, &m);
    arena_clear(&s->arena);
}

/* --- the stream ---------------------------------------------------------------------------------
 */

static void send_heartbeat(struct session *s)
{
    struct heartbeat beat;
    struct agent_message m = {.heartbeat = &beat};
    memset(&beat, 0, sizeof beat);
    s->events->heartbeat(s->data, &beat);
    s->last_heartbeat++;
    beat.number = s->last_heartbeat;
    s->heartbeats[beat.number % HEARTBEATS_MAX] = clock_boot_ms();
    (void)transmit(s, &m);
}

static void on_heartbeat_timer(void *data)
{
    struct session *s = data;
    uint64_t patience = (uint64_t)s->heartbeat_ms * 5;
    assert(s->state == STATE_UP || s->state == STATE_ENDING);
    if (s->state != STATE_UP) {
        return;
    }
    patience = patience < SILENCE_MIN_MS ? SILENCE_MIN_MS : patience;
    if (clock_boot_ms() - s->heard_ms > patience) {
        end(s, "the controller went silent");
        return;
    }
    send_heartbeat(s);
}

static void on_welcome(struct session *s, const struct welcome *w)
{
    uint32_t interval =
        w->heartbeat_interval_ms == 0 ? HEARTBEAT_INTERVAL : w->heartbeat_interval_ms;
    if (s->state != STATE_OPENING) {
        end(s, "welcomed twice");
        return;
    }
    s->lease_ms = w->lease_ms == 0 ? LEASE_DEFAULT_MS : w->lease_ms;
    if (s->options.lease_ms != 0 && s->options.lease_ms < s->lease_ms) {
        s->lease_ms = s->options.lease_ms;
    }
    s->heartbeat_ms = interval < HEARTBEAT_MIN_MS   ? HEARTBEAT_MIN_MS
                      : interval > HEARTBEAT_MAX_MS ? HEARTBEAT_MAX_MS
                                                    : interval;
    s->last_heartbeat = 0;
    learn(s, &w->controllers);
    if (s->events->welcome(s->data, w, s->hello_sent_ms + s->lease_ms) != 0) {
        end(s, "its epoch and session are older than what was seen before");
        return;
    }
    log_info("session.up", log_str("controller", s->target), log_u64("session", w->session),
             log_u64("lease_ms", s->lease_ms));
    s->state = STATE_UP;
    s->backoff_ms = s->options.backoff_min_ms;
    s->n_tried = 0;
    s->n_redirects = 0;
    loop_timer_stop(s->timer);
    loop_timer_repeat(s->heartbeat_timer, s->heartbeat_ms, s->heartbeat_ms);
}

static void on_redirect(struct session *s, const struct redirect *r)
{
    learn(s, &r->controllers);
    if (!str_copy(s->leader, sizeof s->leader, str_of(r->leader)) ||
        strcmp(s->leader, s->target) == 0) {
        s->leader[0] = '\0'; /* It does not know, or does not know itself. */
    }
    log_debug("session.redirect", log_str("controller", s->target), log_str("leader", s->leader));
    hang_up(s);
}

static void on_heartbeat_ack(struct session *s, const struct heartbeat_ack *ack)
{
    uint64_t number = ack->number;
    learn(s, &ack->controllers);
    if (number == 0 || number > s->last_heartbeat || number + HEARTBEATS_MAX <= s->last_heartbeat) {
        return; /* So old that it says nothing, or nonsense. */
    }
    s->events->lease(s->data, s->heartbeats[number % HEARTBEATS_MAX] + s->lease_ms);
}

static void dispatch(struct session *s, const struct controller_message *m)
{
    if (m->welcome != NULL) {
        on_welcome(s, m->welcome);
    } else if (m->redirect != NULL) {
        on_redirect(s, m->redirect);
    } else if (s->state != STATE_UP) {
        end(s, "the first message is no welcome");
    } else if (m->heartbeat_ack != NULL) {
        on_heartbeat_ack(s, m->heartbeat_ack);
    } else if (m->reports_ack != NULL) {
        s->events->reports_ack(s->data, m->reports_ack->number);
    } else if (m->assignments != NULL) {
        s->events->assignments(s->data, m->assignments);
    } else if (m->log_request != NULL) {
        s->events->log_request(s->data, m->log_request);
    } else if (m->log_cancel != NULL) {
        s->events->log_cancel(s->data, m->log_cancel->number);
    } else if (s->events->log_pause != NULL) {
        bool pause = m->log_pause != NULL;
        s->events->log_pause(s->data, pause ? m->log_pause->number : m->log_resume->number, pause);
    }
}

static void on_message(struct grpc_client_call *c, struct str bytes)
{
    struct session *s = grpc_client_data(c);
    struct controller_message m;
    struct err err = {0};
    if (s->state != STATE_OPENING && s->state != STATE_UP) {
        return;
    }
    s->heard_ms = clock_boot_ms();
    arena_clear(&s->arena);
    if (message_decode_controller(bytes, &s->arena, &m, &err) != 0) {
        end(s, err.text);
    } else {
        dispatch(s, &m);
    }
    if (s->arena.used > 65536) {
        arena_close(&s->arena);
        arena_init(&s->arena, sysmem());
    } else {
        arena_clear(&s->arena);
    }
}

static void on_drain(struct grpc_client_call *c)
{
    struct session *s = grpc_client_data(c);
    if (s->state == STATE_UP) {
        s->events->writable(s->data);
    }
}

/* The attempt is over. A redirect is followed at once, but not for ever in a circle. */
static void on_close(struct grpc_client_call *c, const struct grpc_status *status)
{
    struct session *s = grpc_client_data(c);
    enum state was = s->state;
    bool redirected = s->leader[0] != '\0' && strcmp(s->leader, s->target) != 0;
    s->call = NULL;
    loop_timer_stop(s->heartbeat_timer);
    if (was == STATE_UP || was == STATE_OPENING) {
        log_info("session.down", log_str("controller", s->target),
                 log_str("code", grpc_code_name(status->code)), log_str("why", status->message));
    }
    if (was == STATE_UP) {
        s->state = STATE_ENDING;
        s->events->down(s->data);
    }
    if (redirected && s->n_redirects < REDIRECTS_MAX) {
        s->n_redirects++;
        wait_for_next(s, 0);
        return;
    }
    if (redirected) {
        s->n_redirects = 0;
    } else {
        s->leader[0] = '\0'; /* Where the leader was, it is no more. */
    }
    back_off(s);
}

static const struct grpc_client_events call_events = {
    .on_message = on_message,
    .on_drain = on_drain,
    .on_close = on_close,
};

static int open_channel(struct session *s, const char *target, struct err *err)
{
    struct grpc_channel_options o = {
        .target = target,
        .tls = s->options.tls,
        .expect = {.role = s->options.tls != NULL ? PKI_ROLE_CONTROLLER : PKI_ROLE_NONE},
        .seed = prng_u64(&s->prng),
    };
    (void)str_copy(s->target, sizeof s->target, str_of(target));
    return grpc_channel_open(s->loop, &o, &s->channel, err);
}

static void attempt(struct session *s)
{
    static const struct grpc_call_options no_options = {0};
    char target[TARGET_MAX];
    struct err err = {0};
    (void)str_copy(target, sizeof target, str_of(choose(s)));
    grpc_channel_close(s->channel);
    s->channel = NULL;
    if (open_channel(s, target, &err) != 0) {
        log_warn("session.address", log_str("controller", target), log_err(&err));
        s->leader[0] = '\0';
        back_off(s);
        return;
    }
    s->state = STATE_OPENING;
    loop_timer_start(s->timer, WELCOME_MS);
    s->call = grpc_client_open(s->channel, SESSION_PATH, &no_options, &call_events, s);
    say_hello(s);
}

/* --- calls --------------------------------------------------------------------------------------
 */

int session_open(uv_loop_t *loop, const struct session_options *options,
                 const struct session_events *events, void *data, struct session **ret,
                 struct err *err)
{
    struct session *s = mem_alloc(sysmem(), sizeof *s);
    s->loop = loop;
    s->options = *options;
    s->options.controllers = NULL;
    s->events = events;
    s->data = data;
    if (s->options.backoff_min_ms == 0) {
        s->options.backoff_min_ms = BACKOFF_MIN_MS;
    }
    if (s->options.backoff_max_ms == 0) {
        s->options.backoff_max_ms = BACKOFF_MAX_MS;
    }
    s->backoff_ms = s->options.backoff_min_ms;
    for (size_t i = 0; i < options->n_controllers; i++) {
        targets_add(&s->seeds, options->controllers[i]);
    }
    if (s->seeds.n == 0) {
        mem_free(sysmem(), s, sizeof *s);
        return err_set(err, ERR_INVALID, "no addresses of controllers");
    }
    prng_init(&s->prng, options->seed);
    s->next = (size_t)prng_below(&s->prng, s->seeds.n);
    arena_init(&s->arena, sysmem());
    buf_init(&s->out, sysmem(), MESSAGE_MAX);
    s->timer = loop_timer_open(loop, on_timer, s);
    s->heartbeat_timer = loop_timer_open(loop, on_heartbeat_timer, s);
    wait_for_next(s, 0);
    *ret = s;
    return 0;
}

void session_close(struct session *s)
{
    static const struct session_events nothing = {0};
    if (s == NULL) {
        return;
    }
    s->state = STATE_ENDING; /* on_close comes inside grpc_channel_close(). */
    s->events = &nothing;
    grpc_channel_close(s->channel);
    loop_timer_close(s->timer);
    loop_timer_close(s->heartbeat_timer);
    arena_close(&s->arena);
    buf_close(&s->out);
    mem_free(sysmem(), s, sizeof *s);
}

int session_send(struct session *s, const struct agent_message *m)
{
    return s->state == STATE_UP ? transmit(s, m) : ERR_CLOSED;
}

bool session_is_up(const struct session *s)
{
    return s->state == STATE_UP;
}

bool session_writable(const struct session *s)
{
    return s->state == STATE_UP && grpc_client_writable(s->call);
}

void session_restart(struct session *s, const char *why)
{
    end(s, why);
}

struct grpc_channel *session_channel(struct session *s)
{
    return s->state == STATE_UP ? s->channel : NULL;
}
