/* Streams: TCP as applications see it. In order, nothing lost, but it may take long, and one end
 * may live on for a while after the other is gone. */
#include "tests/sim/fleet_impl.h"

#include <assert.h>
#include <string.h>

#define STREAM_RETRY_US 200000u
#define STREAM_TRIES    60u

const char *simstream_address(unsigned node)
{
    static const char *const addresses[SIMWORLD_NODES_MAX] = {
        "10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1", "10.0.0.4:1",
        "10.0.0.5:1", "10.0.0.6:1", "10.0.0.7:1"};
    assert(node < SIMWORLD_NODES_MAX);
    return addresses[node];
}

int simstream_node(const char *address)
{
    for (unsigned i = 0; i < SIMWORLD_NODES_MAX; i++) {
        if (strcmp(address, simstream_address(i)) == 0) {
            return (int)i;
        }
    }
    return -1;
}

struct flight { /* A message (or, without one, the end of the stream) on its way. */
    struct simstream *s;
    enum simstream_side to;
    uint8_t *m;
    size_t n;
    bool spoiled;
    bool dial;
    unsigned tries;
    uint64_t number; /* Those before it on the same way arrive first. */
};

static void release(struct simstream *s)
{
    if (s->n_flying == 0 && !s->open[SIDE_AGENT] && !s->open[SIDE_CONTROLLER]) {
        mem_free(s->f->mem, s, sizeof *s);
    }
}

static void land(struct flight *t)
{
    struct simstream *s = t->s;
    struct fleet *f = s->f;
    if (t->dial && s->open[SIDE_AGENT] && simworld_is_up(f->world, s->node)) {
        s->open[SIDE_CONTROLLER] = true;
        simlink_dialled(f, s);
    } else if (t->dial) {
        simstream_close(s, SIDE_CONTROLLER); /* Nobody listens. */
    } else if (!s->open[t->to]) {
        return;
    } else if (t->m == NULL) {
        s->open[t->to] = false;
        (t->to == SIDE_AGENT ? simagent_closed : simlink_closed)(f, s);
    } else {
        (t->to == SIDE_AGENT ? simagent_message : simlink_message)(
            f, s, str_make((const char *)t->m, t->n), t->spoiled);
    }
}

/* Both ends give up: the connection timed out. */
static void time_out(struct simstream *s)
{
    if (s->open[SIDE_AGENT]) {
        s->open[SIDE_AGENT] = false;
        simagent_closed(s->f, s);
    }
    if (s->open[SIDE_CONTROLLER]) {
        s->open[SIDE_CONTROLLER] = false;
        simlink_closed(s->f, s);
    }
}

/* Microseconds to wait before trying (again), or 0. */
static uint64_t must_wait(struct flight *t)
{
    struct simstream *s = t->s;
    if (t->number != s->landed[t->to]) {
        return STREAM_RETRY_US / 10;
    }
    if (t->to == SIDE_CONTROLLER && simworld_is_paused(s->f->world, s->node)) {
        return STREAM_RETRY_US / 4;
    }
    if (t->to == SIDE_AGENT && simagent_is_paused(s->f->agents[s->agent])) {
        return STREAM_RETRY_US / 4;
    }
    if (fleet_is_cut(s->f, s->agent, s->node, t->to) && s->open[t->to]) {
        t->tries++;
        if (t->tries < STREAM_TRIES) {
            return STREAM_RETRY_US;
        }
        time_out(s);
    }
    return 0;
}

static void fly(void *arg, uint64_t a, uint64_t b)
{
    struct flight *t = arg;
    struct simstream *s = t->s;
    struct fleet *f = s->f;
    uint64_t wait = must_wait(t);
    (void)a;
    (void)b;
    if (wait > 0) {
        simworld_later(f->world, wait, fly, t, 0, 0);
        return;
    }
    s->landed[t->to]++;
    if (!fleet_is_cut(f, s->agent, s->node, t->to)) {
        land(t);
    }
    s->n_flying--;
    mem_free(f->mem, t->m, t->n + 1);
    mem_free(f->mem, t, sizeof *t);
    release(s);
}

static struct flight *launch(struct simstream *s, enum simstream_side to, bool dial)
{
    struct fleet *f = s->f;
    struct flight *t = mem_alloc(f->mem, sizeof *t);
    uint64_t now = simworld_now_us(f->world);
    uint64_t at = now + fleet_delay_us(f);
    at = at <= s->last[to] ? s->last[to] + 1 : at;
    s->last[to] = at;
    s->n_flying++;
    *t = (struct flight){.s = s, .to = to, .dial = dial, .number = s->sent[to]++};
    simworld_later(f->world, at - now, fly, t, 0, 0);
    return t;
}

struct simstream *simstream_open(struct fleet *f, unsigned agent, unsigned node)
{
    struct simstream *s = mem_alloc(f->mem, sizeof *s);
    s->f = f;
    s->agent = agent;
    s->node = node;
    s->open[SIDE_AGENT] = true;
    (void)launch(s, SIDE_CONTROLLER, true);
    return s;
}

void simstream_close(struct simstream *s, enum simstream_side side)
{
    enum simstream_side other = side == SIDE_AGENT ? SIDE_CONTROLLER : SIDE_AGENT;
    s->open[side] = false;
    if (s->open[other]) {
        (void)launch(s, other, false);
    } else {
        release(s);
    }
}

/* Cut short, or followed by bytes that are no field. Neither can be read as a message: all of them
 * are one field with a length. */
static void spoil(struct flight *t)
{
    struct fleet *f = t->s->f;
    f->stats.garbled++;
    t->spoiled = true;
    if (fleet_between(f, 0, 1) == 0) {
        size_t n = (size_t)fleet_between(f, 0, t->n - 1);
        t->m = mem_resize(f->mem, t->m, t->n + 1, n + 1);
        t->n = n;
    } else {
        t->m[t->n - 1] = 0xff;
        t->m[0] = 0xff;
    }
}

void simstream_send(struct simstream *s, enum simstream_side from, const uint8_t *bytes, size_t n)
{
    struct fleet *f = s->f;
    struct flight *t;
    assert(s->open[from] && n > 0);
    t = launch(s, from == SIDE_AGENT ? SIDE_CONTROLLER : SIDE_AGENT, false);
    t->m = mem_alloc(f->mem, n + 1);
    t->n = n;
    memcpy(t->m, bytes, n);
    if (fleet_chance(f, f->opt.garbled)) {
        spoil(t);
    }
}
