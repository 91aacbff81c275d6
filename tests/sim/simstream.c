/* Streams: TCP as applications see it. In order, nothing lost, but it may take long, and one end
 * may live on for a while after the other is gone. */
#include "tests/sim/fleet_impl.h"

#include <assert.h>
#include <string.h>

#define STREAM_RETRY_US 200000u
#define STREAM_TRIES    60u

struct wire *wire_new(struct fleet *f, enum wire_kind kind, uint32_t n_tasks, uint32_t n_forget)
{
    size_t size =
        sizeof(struct wire) + n_tasks * sizeof(struct wire_task) + n_forget * sizeof(struct id);
    struct wire *m = mem_alloc(f->mem, size);
    m->kind = kind;
    m->n_tasks = n_tasks;
    m->n_forget = n_forget;
    m->tasks = (struct wire_task *)(void *)(m + 1);
    m->forget = (struct id *)(void *)(m->tasks + n_tasks);
    m->leader = -1;
    return m;
}

void wire_free(struct fleet *f, struct wire *m)
{
    if (m != NULL) {
        mem_free(f->mem, m,
                 sizeof(struct wire) + m->n_tasks * sizeof(struct wire_task) +
                     m->n_forget * sizeof(struct id));
    }
}

struct flight { /* A message (or, without one, the end of the stream) on its way. */
    struct simstream *s;
    enum simstream_side to;
    struct wire *m;
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
        (t->to == SIDE_AGENT ? simagent_message : simlink_message)(f, s, t->m);
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
    wire_free(f, t->m);
    mem_free(f->mem, t, sizeof *t);
    release(s);
}

static void launch(struct simstream *s, enum simstream_side to, struct wire *m, bool dial)
{
    struct fleet *f = s->f;
    struct flight *t = mem_alloc(f->mem, sizeof *t);
    uint64_t now = simworld_now_us(f->world);
    uint64_t at = now + fleet_delay_us(f);
    at = at <= s->last[to] ? s->last[to] + 1 : at;
    s->last[to] = at;
    s->n_flying++;
    *t = (struct flight){.s = s, .to = to, .m = m, .dial = dial, .number = s->sent[to]++};
    simworld_later(f->world, at - now, fly, t, 0, 0);
}

struct simstream *simstream_open(struct fleet *f, unsigned agent, unsigned node)
{
    struct simstream *s = mem_alloc(f->mem, sizeof *s);
    s->f = f;
    s->agent = agent;
    s->node = node;
    s->open[SIDE_AGENT] = true;
    launch(s, SIDE_CONTROLLER, NULL, true);
    return s;
}

void simstream_close(struct simstream *s, enum simstream_side side)
{
    enum simstream_side other = side == SIDE_AGENT ? SIDE_CONTROLLER : SIDE_AGENT;
    s->open[side] = false;
    if (s->open[other]) {
        launch(s, other, NULL, false);
    } else {
        release(s);
    }
}

void simstream_send(struct simstream *s, enum simstream_side from, struct wire *m)
{
    assert(s->open[from]);
    launch(s, from == SIDE_AGENT ? SIDE_CONTROLLER : SIDE_AGENT, m, false);
}
