/* Events, network and faults.
 *
 * What is not simulated: a disk that returns other bytes than were written (test_log.c does that).
 * As the real transport does, a controller listens only to the members it knows. */
#include "tests/sim/simworld.h"

#include "common/base/hash.h"
#include "tests/sim/buggify.h"
#include "tests/sim/simworld_impl.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- small things ---------------------------------------------------------------------------- */

static void *counted_resize(void *ctx, void *ptr, size_t old_size, size_t new_size)
{
    struct simworld *w = ctx;
    void *moved;
    w->in_use = w->in_use - old_size + new_size;
    if (new_size == 0) {
        free(ptr);
        return NULL;
    }
    moved = realloc(ptr, new_size);
    if (moved == NULL) {
        abort();
    }
    return moved;
}

void simworld_fail(struct simworld *w, const char *fmt, ...)
{
    va_list ap;
    printf("FAIL seed %llu at %llu ms: ", (unsigned long long)w->opt.seed,
           (unsigned long long)(w->now_us / 1000));
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    printf("\n");
    fflush(stdout);
    _Exit(1);
}

void simworld_trace(struct simworld *w, const char *fmt, ...)
{
    va_list ap;
    if (!w->opt.verbose) {
        return;
    }
    printf("%9.3f ", (double)w->now_us / 1e6);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    printf("\n");
}

bool simworld_chance(struct simworld *w, unsigned ppm)
{
    return !w->calm && ppm > 0 && prng_below(&w->prng, PPM) < ppm;
}

uint64_t simworld_between(struct simworld *w, uint64_t min, uint64_t max)
{
    return max <= min ? min : min + prng_below(&w->prng, max - min + 1);
}

struct simevent *simworld_event(struct simworld *w, enum event_kind kind, unsigned to,
                                uint64_t delay_us, size_t len)
{
    struct simevent *e = mem_alloc(&w->mem, sizeof *e + len);
    e->kind = kind;
    e->to = to;
    e->len = len;
    e->generation = kind == EV_DELIVER || kind >= EV_RESTART ? 0 : w->nodes[to].generation;
    if (kind == EV_TRANSFER_TICK) {
        e->generation = w->nodes[to].generation;
    }
    heap_set(&w->events, &e->node, w->now_us + delay_us);
    return e;
}

void simworld_event_drop(struct simworld *w, struct simevent *e)
{
    heap_remove(&w->events, &e->node);
    mem_free(&w->mem, e, sizeof *e + e->len);
}

void simworld_later(struct simworld *w, uint64_t us, simworld_call call, void *arg, uint64_t a,
                    uint64_t b)
{
    struct simevent *e = simworld_event(w, EV_CALL, 0, us, 0);
    e->call = call;
    e->arg = arg;
    e->a = a;
    e->b = b;
}

void simworld_later_on(struct simworld *w, unsigned node, uint64_t us, simworld_call call,
                       void *arg, uint64_t a, uint64_t b)
{
    struct simevent *e = simworld_event(w, EV_NODE_CALL, node, us, 0);
    e->call = call;
    e->arg = arg;
    e->a = a;
    e->b = b;
}

void simworld_note(struct simworld *w, uint64_t value)
{
    w->hash = hash_mix(w->hash, value);
}

uint64_t simworld_hash(const struct simworld *w)
{
    return w->hash;
}

/* --- network --------------------------------------------------------------------------------- */

static struct simevent *post(struct simworld *w, unsigned from, unsigned to,
                             const struct buf *frame)
{
    uint64_t us = simworld_between(w, w->opt.delay_us_min, w->opt.delay_us_max);
    size_t len = frame->len - MESSAGE_HEAD;
    struct simevent *e;
    if (simworld_chance(w, w->opt.slow)) {
        w->stats.slowed++;
        us = simworld_between(w, us, w->opt.slow_us_max);
    }
    e = simworld_event(w, EV_DELIVER, to, us, len);
    e->from = w->nodes[from].id;
    memcpy(e->bytes, frame->data + MESSAGE_HEAD, len);
    return e;
}

/* A vote that is asked for in a term far away, by a machine that was replaced and is still on.
 * Whoever listens is lost to the cluster. */
static void ask_vote(struct simworld *w, unsigned from, unsigned to)
{
    struct message m = {.kind = MESSAGE_REPLICA};
    struct raft_request_vote *v = &m.replica.raft.request_vote;
    uint64_t id = w->nodes[from].id - SIMWORLD_NODES_MAX;
    struct simevent *e;
    struct buf frame;
    m.replica.kind = REPLICA_RAFT;
    m.replica.raft.type = RAFT_REQUEST_VOTE;
    v->term = SIMWORLD_FORGED_TERM;
    v->candidate_id = id;
    v->last_log_index = SIMWORLD_FORGED_TERM;
    v->last_log_term = SIMWORLD_FORGED_TERM;
    v->disrupt_leader = true;
    buf_init(&frame, &w->mem, MESSAGE_HEAD + MESSAGE_BODY_MAX);
    message_encode(&m, &frame);
    e = post(w, from, to, &frame);
    e->from = id;
    e->forged = true;
    buf_close(&frame);
}

/* Or a member's own message with a term that cannot be. */
static void forge(struct simworld *w, unsigned from, unsigned to, const struct buf *frame)
{
    struct simevent *e;
    w->stats.forged++;
    if (w->nodes[from].id > SIMWORLD_NODES_MAX && prng_below(&w->prng, 2) == 0) {
        ask_vote(w, from, to);
        return;
    }
    e = post(w, from, to, frame);
    put_u64(e->bytes + 1, UINT64_C(1) << 62);
    e->spoiled = true;
}

/* The first bytes of a message, with a length to match. */
static void shorten(struct simworld *w, unsigned from, unsigned to, const struct buf *frame)
{
    struct buf cut = *frame;
    struct simevent *e;
    cut.len = MESSAGE_HEAD + (size_t)simworld_between(w, 1, frame->len - MESSAGE_HEAD - 1);
    e = post(w, from, to, &cut);
    e->spoiled = true;
    w->stats.shortened++;
}

void simworld_send(struct simworld *w, unsigned from, const struct message *m, uint64_t to_id)
{
    unsigned to = (unsigned)((to_id - 1) % SIMWORLD_NODES_MAX);
    struct buf frame;
    assert(to_id >= 1);
    assert(to < w->opt.n);
    w->stats.messages++;
    if (w->nodes[to].id != to_id || w->cut[from][to] || simworld_chance(w, w->opt.loss) ||
        (w->filter != NULL && !w->filter(w->filter_arg, from, to, m))) {
        w->stats.dropped++;
        return;
    }
    buf_init(&frame, &w->mem, MESSAGE_HEAD + MESSAGE_BODY_MAX);
    message_encode(m, &frame);
    if (frame.overflow) {
        simworld_fail(w, "a message is too large");
    }
    (void)post(w, from, to, &frame);
    if (simworld_chance(w, w->opt.dup)) {
        w->stats.doubled++;
        (void)post(w, from, to, &frame);
    }
    if (simworld_chance(w, w->opt.forged)) {
        if (prng_below(&w->prng, 2) == 0) {
            forge(w, from, to, &frame);
        } else {
            shorten(w, from, to, &frame);
        }
    }
    buf_close(&frame);
}

/* --- random faults --------------------------------------------------------------------------- */

static void again(struct simworld *w, enum event_kind kind, unsigned mean_ms, unsigned node)
{
    if (mean_ms > 0 && !w->calm) {
        simworld_event(w, kind, node, simworld_between(w, 1, 2000ull * mean_ms), 0);
    }
}

/* The leader is where trouble tells most. */
static unsigned victim(struct simworld *w)
{
    unsigned any = (unsigned)prng_below(&w->prng, w->opt.n);
    int leader = simworld_leader(w);
    return w->opt.app != NULL && leader >= 0 && prng_below(&w->prng, 2) == 0 ? (unsigned)leader
                                                                             : any;
}

static void random_cut(struct simworld *w)
{
    unsigned node = victim(w);
    unsigned other = (unsigned)prng_below(&w->prng, w->opt.n);
    w->stats.cuts++;
    switch (prng_below(&w->prng, 4)) {
    case 0:
    case 1:
        memset(w->cut, 0, sizeof w->cut);
        break;
    case 2:
        simworld_isolate(w, node, true);
        break;
    default:
        simworld_cut(w, node, other, true);
        break;
    }
}

static void random_pause(struct simworld *w)
{
    struct simnode *n = &w->nodes[victim(w)];
    w->stats.pauses++;
    n->paused_until_us = w->now_us + simworld_between(w, 1000, 1500000);
}

static void step_clock(struct simworld *w, struct simnode *n)
{
    n->wall_offset_ms +=
        (int64_t)simworld_between(w, 0, 2ull * w->opt.step_max_ms) - (int64_t)w->opt.step_max_ms;
    w->stats.steps++;
}

static void disk_happens(struct simworld *w, struct simnode *n, const struct simevent *e)
{
    if (e->kind == EV_FULL) {
        simnode_full(n, true);
        again(w, e->kind, w->opt.full_ms, 0);
    } else if (e->kind == EV_ROT) {
        simnode_rot(n);
        again(w, e->kind, w->opt.rot_ms, 0);
    } else {
        assert(e->kind == EV_LOSE);
        simnode_lose(n);
        again(w, e->kind, w->opt.lose_ms, 0);
    }
}

static void simworld_happens(struct simworld *w, const struct simevent *e)
{
    const struct simworld_options *o = &w->opt;
    struct simnode *any;
    if (w->calm) {
        return;
    }
    any = &w->nodes[victim(w)];
    switch (e->kind) {
    case EV_CLIENT:
        simnode_propose(any, simworld_between(w, 8, o->command_max), NULL);
        again(w, e->kind, o->client_ms, 0);
        break;
    case EV_READ:
        simnode_read(any);
        again(w, e->kind, o->read_ms, 0);
        break;
    case EV_CRASH:
        if (any->up) {
            simnode_crash(any);
        }
        again(w, e->kind, o->crash_ms, 0);
        break;
    case EV_CUT:
        random_cut(w);
        again(w, e->kind, o->cut_ms, 0);
        break;
    case EV_PAUSE:
        random_pause(w);
        again(w, e->kind, o->pause_ms, 0);
        break;
    case EV_HANDOVER:
        simnode_handover(any, 0);
        again(w, e->kind, o->transfer_ms, 0);
        break;
    case EV_MEMBER:
        simmember_random(w);
        again(w, e->kind, o->member_ms, 0);
        break;
    case EV_CHECKPOINT:
        if (w->nodes[e->to].up) {
            simnode_checkpoint(&w->nodes[e->to]);
        }
        again(w, e->kind, o->checkpoint_ms, e->to);
        break;
    case EV_STEP:
        step_clock(w, any);
        again(w, e->kind, o->step_ms, 0);
        break;
    case EV_FULL:
    case EV_ROT:
    case EV_LOSE:
        disk_happens(w, any, e);
        break;
    case EV_DELIVER:
    case EV_TICK:
    case EV_WRITE:
    case EV_INSTALL:
    case EV_NODE_CALL:
    case EV_RESTART:
    case EV_TRANSFER_TICK:
    case EV_ROOM:
    case EV_CALL:
    case EV_KINDS:
        abort(); /* Not a random event. */
        break;
    }
}

/* --- the loop -------------------------------------------------------------------------------- */

static void node_happens(struct simworld *w, struct simevent *e)
{
    struct simnode *n = &w->nodes[e->to];
    switch (e->kind) {
    case EV_DELIVER:
        simnode_deliver(n, e);
        break;
    case EV_TICK:
        simnode_tick(n);
        break;
    case EV_WRITE:
        simnode_write(n);
        break;
    case EV_INSTALL:
        simnode_install(n);
        break;
    case EV_TRANSFER_TICK:
        simnode_transfer_tick(n);
        break;
    case EV_NODE_CALL:
        simnode_call(n, e);
        break;
    case EV_RESTART:
    case EV_CLIENT:
    case EV_READ:
    case EV_CRASH:
    case EV_CUT:
    case EV_PAUSE:
    case EV_HANDOVER:
    case EV_CHECKPOINT:
    case EV_MEMBER:
    case EV_STEP:
    case EV_FULL:
    case EV_ROT:
    case EV_LOSE:
    case EV_ROOM:
    case EV_CALL:
    case EV_KINDS:
        simworld_happens(w, e);
        break;
    }
}

static void dispatch(struct simworld *w, struct simevent *e)
{
    struct simnode *n = &w->nodes[e->to];
    if (e->kind == EV_CALL) {
        e->call(e->arg, e->a, e->b);
        return;
    }
    if (e->kind == EV_ROOM) {
        simnode_full(n, false);
        return;
    }
    if (e->kind == EV_RESTART) {
        if (!n->up && !n->stopped) {
            simnode_start(n);
        }
        return;
    }
    if (e->kind > EV_TRANSFER_TICK) {
        simworld_happens(w, e);
        return;
    }
    if (!n->up || (e->generation != 0 && e->generation != n->generation)) {
        return;
    }
    node_happens(w, e);
}

static void run_until(struct simworld *w, uint64_t until_us)
{
    struct heap_node *first;
    while ((first = heap_first(&w->events)) != NULL && first->key <= until_us) {
        struct simevent *e = container_of(first, struct simevent, node);
        struct simnode *n = &w->nodes[e->to];
        w->now_us = first->key > w->now_us ? first->key : w->now_us;
        if (e->kind < EV_RESTART && n->up && n->paused_until_us > w->now_us) {
            heap_set(&w->events, &e->node, n->paused_until_us);
            continue;
        }
        if (n->paused_until_us > 0 && n->paused_until_us <= w->now_us) {
            n->paused_until_us = 0; /* What if the first thing it does is to answer a read? */
            if (w->opt.app == NULL) {
                simnode_read(n);
            } else if (n->up) {
                w->opt.app->resumed(w->opt.app->ctx, n->at);
            }
        }
        heap_remove(&w->events, &e->node);
        w->stats.events++;
        simworld_note(w, (w->now_us << 8) ^ ((uint64_t)e->kind << 4) ^ e->to);
        dispatch(w, e);
        mem_free(&w->mem, e, sizeof *e + e->len);
    }
    w->now_us = until_us;
}

void simworld_run(struct simworld *w, uint64_t ms)
{
    run_until(w, w->now_us + ms * 1000);
}

/* --- life ------------------------------------------------------------------------------------ */

static void begin_faults(struct simworld *w)
{
    for (unsigned i = 0; i < w->opt.n; i++) {
        again(w, EV_CHECKPOINT, w->opt.checkpoint_ms, i);
    }
    again(w, EV_CLIENT, w->opt.client_ms, 0);
    again(w, EV_READ, w->opt.read_ms, 0);
    again(w, EV_CRASH, w->opt.crash_ms, 0);
    again(w, EV_CUT, w->opt.cut_ms, 0);
    again(w, EV_PAUSE, w->opt.pause_ms, 0);
    again(w, EV_HANDOVER, w->opt.transfer_ms, 0);
    again(w, EV_MEMBER, w->opt.member_ms, 0);
    again(w, EV_STEP, w->opt.step_ms, 0);
    again(w, EV_FULL, w->opt.full_ms, 0);
    again(w, EV_ROT, w->opt.rot_ms, 0);
    again(w, EV_LOSE, w->opt.lose_ms, 0);
}

struct simworld *simworld_new(const struct simworld_options *options)
{
    struct simworld *w = calloc(1, sizeof *w);
    if (w == NULL) {
        abort();
    }
    w->mem = (struct mem){counted_resize, w};
    w->opt = *options;
    w->opt.voters = options->voters != 0 ? options->voters : options->n;
    w->opt.command_max =
        options->command_max != 0 ? options->command_max : SIMWORLD_COMMAND_DEFAULT;
    w->opt.segment_bytes =
        options->segment_bytes != 0 ? options->segment_bytes : SIMWORLD_SEGMENT_DEFAULT;
    w->opt.snapshot_bytes =
        options->snapshot_bytes != 0 ? options->snapshot_bytes : SIMWORLD_SNAPSHOT_DEFAULT;
    assert(w->opt.n >= 1);
    assert(w->opt.n <= SIMWORLD_NODES_MAX);
    prng_init(&w->prng, options->seed);
    buggify_begin(options->seed);
    heap_init(&w->events, &w->mem);
    for (unsigned i = 0; i < w->opt.n; i++) {
        simnode_init(&w->nodes[i], w, i);
    }
    return w;
}

void simworld_start(struct simworld *w)
{
    for (unsigned i = 0; i < w->opt.n; i++) {
        simnode_start(&w->nodes[i]);
    }
    begin_faults(w);
}

struct simworld *simworld_open(const struct simworld_options *options)
{
    struct simworld *w = simworld_new(options);
    simworld_start(w);
    return w;
}

void simworld_close(struct simworld *w)
{
    struct heap_node *first;
    if (w == NULL) {
        return;
    }
    buggify_calm(true);
    for (unsigned i = 0; i < w->opt.n; i++) {
        simnode_close(&w->nodes[i]);
    }
    while ((first = heap_first(&w->events)) != NULL) {
        simworld_event_drop(w, container_of(first, struct simevent, node));
    }
    heap_close(&w->events);
    simcheck_close(w);
    if (w->in_use != 0) {
        simworld_fail(w, "%zu bytes of memory were not returned", w->in_use);
    }
    free(w);
}

bool simworld_agreed(const struct simworld *w)
{
    int leader = simworld_leader(w);
    for (unsigned i = 0; leader >= 0 && i < w->opt.n; i++) {
        const struct simnode *n = &w->nodes[i];
        if (!simmember_counts(w, i)) {
            continue;
        }
        if (!n->up || n->state.index != w->check.last ||
            replica_status(n->replica).last != w->check.last) {
            return false;
        }
    }
    return leader >= 0;
}

static void print_nodes(const struct simworld *w)
{
    for (unsigned i = 0; i < w->opt.n; i++) {
        const struct simnode *n = &w->nodes[i];
        struct replica_status s = {0};
        if (n->up) {
            s = replica_status(n->replica);
        }
        printf("controller %llu: %s term %llu leader %llu, log %llu to %llu, durable %llu, commit "
               "%llu, applied %llu, snapshot %llu%s, %s\n",
               (unsigned long long)n->id, n->up ? raft_state_name((int)s.state) : "down",
               (unsigned long long)s.term, (unsigned long long)s.leader,
               (unsigned long long)s.first, (unsigned long long)s.last,
               (unsigned long long)s.durable, (unsigned long long)s.commit,
               (unsigned long long)s.applied, (unsigned long long)s.snapshot,
               s.installing ? " installing" : "", n->writing ? "writing" : "idle");
    }
}

void simworld_heal(struct simworld *w)
{
    w->calm = true;
    buggify_calm(true);
    memset(w->cut, 0, sizeof w->cut);
    w->filter = NULL;
    simworld_trace(w, "calm");
    for (unsigned i = 0; i < w->opt.n; i++) {
        w->nodes[i].paused_until_us = 0;
        if (w->nodes[i].writing) { /* A disk that stands still goes on. */
            heap_set(&w->events, &w->nodes[i].written->node, w->now_us + 1000);
        }
        simnode_full(&w->nodes[i], false);
        if (!w->nodes[i].up) {
            simnode_start(&w->nodes[i]);
            simnode_unrot(&w->nodes[i]);
        }
    }
}

void simworld_unheal(struct simworld *w)
{
    w->calm = false;
    buggify_calm(false);
    begin_faults(w);
}

void simworld_settle(struct simworld *w, uint64_t limit_ms)
{
    uint64_t end_us = w->now_us + limit_ms * 1000;
    uint64_t want = w->stats.acked + 10;
    simworld_heal(w);
    while (w->stats.acked < want || !simworld_agreed(w)) {
        int leader = simworld_leader(w);
        if (w->now_us > end_us) {
            print_nodes(w);
            simworld_fail(w, "no agreement %llu ms after the faults ended",
                          (unsigned long long)limit_ms);
        }
        if (leader >= 0 && w->stats.acked < want) {
            simnode_propose(&w->nodes[leader], 20, NULL);
            simnode_read(&w->nodes[leader]);
        }
        simworld_run(w, 20);
    }
    simcheck_end(w);
}

/* --- by hand --------------------------------------------------------------------------------- */

void simworld_crash(struct simworld *w, unsigned node)
{
    simnode_crash(&w->nodes[node]);
}

void simworld_restart(struct simworld *w, unsigned node)
{
    simnode_start(&w->nodes[node]);
}

void simworld_cut(struct simworld *w, unsigned from, unsigned to, bool cut)
{
    w->cut[from][to] = cut;
}

void simworld_isolate(struct simworld *w, unsigned node, bool cut)
{
    for (unsigned i = 0; i < w->opt.n; i++) {
        if (i != node) {
            w->cut[i][node] = cut;
            w->cut[node][i] = cut;
        }
    }
}

void simworld_set_filter(struct simworld *w, simworld_filter filter, void *arg)
{
    w->filter = filter;
    w->filter_arg = arg;
}

struct simdisk *simworld_disk(struct simworld *w, unsigned node)
{
    return w->nodes[node].disk;
}

uint64_t simworld_lose_tail(struct simworld *w, unsigned node)
{
    return simnode_lose_tail(&w->nodes[node]);
}

int simworld_propose(struct simworld *w, unsigned node, size_t len, uint64_t *ret_index)
{
    return simnode_propose(&w->nodes[node], len, ret_index);
}

int simworld_read(struct simworld *w, unsigned node)
{
    return simnode_read(&w->nodes[node]);
}

int simworld_transfer(struct simworld *w, unsigned node, unsigned to)
{
    return simnode_handover(&w->nodes[node], to == SIMWORLD_NODES_MAX ? 0 : w->nodes[to].id);
}

void simworld_peer_closed(struct simworld *w, unsigned node, unsigned peer)
{
    simnode_peer_closed(&w->nodes[node], w->nodes[peer].id);
}

void simworld_checkpoint(struct simworld *w, unsigned node)
{
    simnode_checkpoint(&w->nodes[node]);
}

bool simworld_is_up(const struct simworld *w, unsigned node)
{
    return w->nodes[node].up;
}

const char *simworld_error(const struct simworld *w, unsigned node)
{
    return w->nodes[node].error;
}

struct replica_status simworld_status(const struct simworld *w, unsigned node)
{
    assert(w->nodes[node].up);
    return replica_status(w->nodes[node].replica);
}

uint64_t simworld_term_of(const struct simworld *w, unsigned node, uint64_t index)
{
    return replica_term_of(w->nodes[node].replica, index);
}

int simworld_leader(const struct simworld *w)
{
    int leader = -1;
    uint64_t term = 0;
    for (unsigned i = 0; i < w->opt.n; i++) {
        const struct simnode *n = &w->nodes[i];
        if (n->up && replica_is_ready(n->replica) && replica_status(n->replica).term > term) {
            term = replica_status(n->replica).term;
            leader = (int)i;
        }
    }
    return leader;
}

int simworld_elect(struct simworld *w, uint64_t limit_ms)
{
    uint64_t end_us = w->now_us + limit_ms * 1000;
    while (simworld_leader(w) < 0 && w->now_us < end_us) {
        simworld_run(w, 10);
    }
    return simworld_leader(w);
}

const struct simworld_stats *simworld_stats(const struct simworld *w)
{
    return &w->stats;
}

uint64_t simworld_now_ms(const struct simworld *w)
{
    return w->now_us / 1000;
}

/* --- for an app ------------------------------------------------------------------------------ */

int simworld_propose_bytes(struct simworld *w, unsigned node, const uint8_t *bytes, size_t len)
{
    return simnode_propose_bytes(&w->nodes[node], bytes, len);
}

int simworld_may_propose(struct simworld *w, unsigned node, size_t len, struct err *err)
{
    struct raft_buffer b = {NULL, len};
    return replica_may_propose(w->nodes[node].replica, &b, 1, err);
}

void simworld_hand_over(struct simworld *w, unsigned node)
{
    (void)simnode_handover(&w->nodes[node], 0);
}

int simworld_ask(struct simworld *w, unsigned node, uint64_t *ret_ticket)
{
    return simnode_ask(&w->nodes[node], ret_ticket);
}

uint64_t simworld_mono_ms(const struct simworld *w, unsigned node)
{
    return simnode_now_ms(&w->nodes[node]);
}

int64_t simworld_wall_ms(const struct simworld *w, unsigned node)
{
    return SIMWORLD_EPOCH_MS + (int64_t)(w->now_us / 1000) + w->nodes[node].wall_offset_ms;
}

const struct mem *simworld_mem(struct simworld *w)
{
    return &w->mem;
}

struct prng *simworld_prng(struct simworld *w)
{
    return &w->prng;
}

bool simworld_is_calm(const struct simworld *w)
{
    return w->calm;
}

uint64_t simworld_now_us(const struct simworld *w)
{
    return w->now_us;
}

bool simworld_is_ready(const struct simworld *w, unsigned node)
{
    return w->nodes[node].up && replica_is_ready(w->nodes[node].replica);
}

int simworld_believed(const struct simworld *w, unsigned node)
{
    uint64_t id = w->nodes[node].up ? replica_status(w->nodes[node].replica).leader : 0;
    for (unsigned i = 0; id != 0 && i < w->opt.n; i++) {
        if (w->nodes[i].id == id) {
            return (int)i;
        }
    }
    return -1;
}

void simworld_check_end(struct simworld *w)
{
    simcheck_end(w);
}

bool simworld_is_paused(const struct simworld *w, unsigned node)
{
    return w->nodes[node].paused_until_us > w->now_us;
}

void simworld_stop(struct simworld *w, unsigned node)
{
    w->nodes[node].stopped = true;
    if (w->nodes[node].up) {
        simnode_die(&w->nodes[node]);
    }
}

bool simworld_counts(const struct simworld *w, unsigned node)
{
    return simmember_counts(w, node);
}
