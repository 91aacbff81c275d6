/* What clients ask for and what they may expect: writes acknowledged once are there (I1), reads see
 * everything acknowledged before they were asked (I14), a token has one effect (I9), revisions of a
 * family rise in real time (I10), and everybody gets an answer (I20). */
#include "tests/sim/simclient.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "tests/sim/simmodel.h"

static void try_again(struct simclient *c, uint64_t after_us);

/* --- choosing ------------------------------------------------------------------------------------
 */

static void name_service(const struct simclient *c, struct op *o)
{
    (void)snprintf(o->name, sizeof o->name, "s%u-%u-%u", c->at, o->service,
                   c->services[o->service].n);
}

static bool choose_service(struct simclient *c, struct op *o)
{
    struct client_service *s;
    o->service = (unsigned)prng_below(&c->prng, CLIENT_SERVICES);
    s = &c->services[o->service];
    if (!s->exists) {
        s->n++;
        o->kind = OP_SERVICE_CREATE;
        (void)snprintf(o->token, sizeof o->token, "t%u-%llu", c->at, (unsigned long long)o->number);
    } else if (prng_below(&c->prng, 12) == 0) {
        o->kind = OP_SERVICE_DELETE;
    } else {
        o->kind = prng_below(&c->prng, 3) == 0 ? OP_SERVICE_UPDATE : OP_SERVICE_READ;
        o->eventual = o->kind == OP_SERVICE_READ && prng_below(&c->prng, 4) == 0;
    }
    o->count = (uint32_t)prng_below(&c->prng, 6);
    name_service(c, o);
    return true;
}

/* One service and one family that all clients work on. */
static bool choose_shared(struct simclient *c, struct op *o)
{
    uint64_t dice = prng_below(&c->prng, 10);
    o->shared = true;
    o->count = (uint32_t)prng_below(&c->prng, 4);
    if (!c->f->shared) {
        o->kind = c->shared_family ? OP_SERVICE_CREATE : OP_REGISTER;
        (void)snprintf(o->token, sizeof o->token, "shared");
    } else {
        o->kind = dice < 2 ? OP_REGISTER : dice < 5 ? OP_SERVICE_UPDATE : OP_SERVICE_READ;
    }
    if (o->kind == OP_REGISTER) {
        (void)snprintf(o->name, sizeof o->name, "shared%u", c->f->round);
    } else {
        (void)snprintf(o->name, sizeof o->name, "shared");
    }
    return true;
}

static bool choose_task(struct simclient *c, struct op *o)
{
    if (c->n_tasks < CLIENT_TASKS || prng_below(&c->prng, 2) == 0) {
        o->kind = OP_RUN;
        o->count = 1 + (uint32_t)prng_below(&c->prng, 2);
        (void)snprintf(o->token, sizeof o->token, "r%u-%llu", c->at, (unsigned long long)o->number);
        return true;
    }
    o->service = (unsigned)prng_below(&c->prng, CLIENT_TASKS);
    o->id = c->tasks[o->service].id;
    o->kind = prng_below(&c->prng, 2) == 0 ? OP_TASK_STOP : OP_TASK_READ;
    if (o->kind == OP_TASK_STOP && prng_below(&c->prng, 4) == 0) {
        o->id = (struct id){1, o->number}; /* There is none: it is refused, and changes nothing. */
    }
    return true;
}

static bool choose_node(struct simclient *c, struct op *o)
{
    unsigned agent = (unsigned)prng_below(&c->prng, c->f->opt.n_agents);
    o->id = simagent_id(c->f->agents[agent]);
    o->kind = prng_below(&c->prng, 4) == 0 ? OP_NODE_DEREGISTER : OP_NODE_STATE;
    o->status = prng_below(&c->prng, 3) == 0 ? NODE_DRAINING : NODE_ACTIVE;
    return true;
}

/* In the end, when the others are done, every node is ACTIVE again. */
static bool choose_calm(struct simclient *c, struct op *o)
{
    if (c->at != 0 || c->n_tidied >= c->f->opt.n_agents || c->n_live > 0) {
        return false;
    }
    for (unsigned i = 1; i < c->f->opt.n_clients; i++) {
        if (!simclient_is_idle(c->f->clients[i])) {
            return false;
        }
    }
    o->kind = OP_NODE_STATE;
    o->status = NODE_ACTIVE;
    o->id = simagent_id(c->f->agents[c->n_tidied++]);
    return true;
}

static bool choose(struct simclient *c, struct op *o)
{
    uint64_t dice = prng_below(&c->prng, 100);
    *o = (struct op){.number = c->n_ops + 1};
    if (!c->have_cluster) {
        o->kind = OP_SETUP_CLUSTER;
        return true;
    }
    if (c->family_last == 0 || c->deregistered) {
        dice = 0;
    } else if (c->paused) {
        return choose_calm(c, o);
    }
    if (dice < 8) {
        o->kind = dice < 2 && !c->deregistered && c->family_last > 1 ? OP_DEREGISTER : OP_REGISTER;
        o->count = c->family_last;
        (void)snprintf(o->name, sizeof o->name, "f%u", c->at);
        return true;
    }
    if (dice < 48) {
        return choose_service(c, o);
    }
    if (dice < 64 && (c->f->shared || c->at == 0)) {
        return choose_shared(c, o);
    }
    if (dice < 96) {
        return choose_task(c, o);
    }
    return choose_node(c, o);
}

static void think(struct simclient *c);

static void begin(void *arg, uint64_t n, uint64_t b)
{
    struct simclient *c = arg;
    (void)b;
    if (c->op.kind != OP_NONE || c->n_ops != n || c->f->closing) {
        return;
    }
    if (!choose(c, &c->op)) {
        c->op.kind = OP_NONE;
        if (!simclient_is_idle(c)) {
            simworld_later(c->f->world, 500000, begin, c, n, 0);
        }
        return;
    }
    c->n_ops++;
    c->tries = 0;
    c->since_us = simworld_now_us(c->f->world);
    try_again(c, 1);
}

static void think(struct simclient *c)
{
    c->op.kind = OP_NONE;
    simworld_later(c->f->world,
                   c->paused ? 1000 : 1 + prng_below(&c->prng, 2000ull * c->f->opt.op_ms), begin, c,
                   c->n_ops, 0);
}

/* --- answers -------------------------------------------------------------------------------------
 */

static void wrote(struct simclient *c, const struct op *o, bool ok)
{
    struct client_service *s = &c->services[o->service];
    /* Nothing older can come after it; and what is refused may have been done the first time. */
    bool sure = c->n_live == 0 && (ok || o->kind == OP_SERVICE_DELETE);
    if (o->kind == OP_SERVICE_CREATE && ok) {
        s->exists = true;
        s->desired = o->count;
    } else if (o->kind == OP_SERVICE_UPDATE && ok) {
        s->desired = o->count;
    } else if (o->kind == OP_SERVICE_DELETE) {
        s->exists = false;
    }
    s->sure = sure;
}

static void check_service(struct simclient *c, const struct op *o, const struct simanswer *r)
{
    const struct client_service *s = &c->services[o->service];
    if (!s->sure || o->eventual) {
        return;
    }
    if (r->found != s->exists || (r->found && r->number != s->desired)) {
        fleet_fail(c->f, "I1: client %u reads service %s: %s, %u wanted; it left it %s with %u",
                   c->at + 1, o->name, r->found ? "there" : "not there", r->number,
                   s->exists ? "there" : "not there", s->desired);
    }
}

static void ran(struct simclient *c, const struct op *o, const struct simanswer *r)
{
    uint32_t made = simmodel_made_by(c->f, str_of(o->token));
    if (made > o->count || r->n_ids > o->count) {
        fleet_fail(c->f, "I9: %u tasks of token %s, which asked for %u", made, o->token, o->count);
    }
    if (r->n_ids > made) {
        fleet_fail(c->f, "I1: %u tasks acknowledged for token %s, %u were made", r->n_ids, o->token,
                   made);
    }
    for (uint32_t i = 0; i < r->n_ids; i++) {
        unsigned at =
            c->n_tasks < CLIENT_TASKS ? c->n_tasks++ : (unsigned)prng_below(&c->prng, CLIENT_TASKS);
        c->tasks[at] = (struct client_task){.id = r->ids[i]};
    }
}

static void registered(struct simclient *c, const struct simanswer *r)
{
    if (r->number <= c->family_last) {
        fleet_fail(c->f, "I10: client %u gets revision %u after %u", c->at + 1, r->number,
                   c->family_last);
    }
    c->family_last = r->number;
    c->deregistered = false;
}

static void read_task(struct simclient *c, const struct op *o, const struct simanswer *r)
{
    const struct client_task *t = &c->tasks[o->service];
    if (id_eq(t->id, o->id) && t->stop_acked && r->found && r->task_desired != TASK_STOPPED) {
        fleet_fail(c->f, "I1: a task that client %u stopped is wanted again", c->at + 1);
    }
}

/* What it meant is for the history to say. */
static void complete_shared(struct simclient *c, const struct simanswer *r)
{
    if (c->op.kind == OP_REGISTER) {
        c->shared_family = true;
    } else if (c->op.kind == OP_SERVICE_CREATE && r->reject == REJECT_NONE) {
        size_t op = hist_begin(&c->f->hist, c->at, HIST_REGISTER_WRITE, "shared",
                               (int64_t)c->op.count + 1, simworld_now_us(c->f->world));
        hist_ok(&c->f->hist, op, (int64_t)c->op.count + 1, 0, simworld_now_us(c->f->world));
        c->f->shared = true;
    }
}

static void complete(struct simclient *c, const struct simanswer *r)
{
    const struct op *o = &c->op;
    struct fleet_stats *s = &c->f->stats;
    bool ok = r->reject == REJECT_NONE;
    s->duplicates += r->duplicate;
    if (o->shared) {
        complete_shared(c, r);
        return;
    }
    switch (o->kind) {
    case OP_SETUP_CLUSTER:
        c->have_cluster = true;
        break;
    case OP_REGISTER:
        s->registered++;
        registered(c, r);
        break;
    case OP_DEREGISTER:
        c->deregistered = true;
        break;
    case OP_SERVICE_CREATE:
        s->services++;
        wrote(c, o, ok);
        break;
    case OP_SERVICE_UPDATE:
        s->updates++;
        wrote(c, o, ok);
        break;
    case OP_SERVICE_DELETE:
        s->deletes++;
        wrote(c, o, ok);
        break;
    case OP_SERVICE_READ:
        check_service(c, o, r);
        break;
    case OP_RUN:
        s->runs++;
        ran(c, o, r);
        break;
    case OP_TASK_STOP:
        s->stops++;
        c->tasks[o->service].stop_acked = c->tasks[o->service].stop_acked || ok;
        break;
    case OP_TASK_READ:
        read_task(c, o, r);
        break;
    case OP_NODE_STATE:
        s->drains += o->status == NODE_DRAINING;
        break;
    case OP_NODE_DEREGISTER:
        s->deregistered += ok;
        break;
    case OP_NONE:
    case OP_KINDS:
        assert(false);
    }
}

/* I14 and I1: what was acknowledged to anybody before the question was asked is in the answer. */
static void check_fresh(struct simclient *c, const struct attempt *a)
{
    if ((a->op.kind == OP_SERVICE_READ || a->op.kind == OP_TASK_READ) && !a->op.eventual) {
        c->f->stats.reads++;
        if (a->answer.revision < a->acked_before) {
            fleet_fail(c->f, "I14: client %u reads at revision %llu, but %llu was acknowledged",
                       c->at + 1, (unsigned long long)a->answer.revision,
                       (unsigned long long)a->acked_before);
        }
    } else if (a->op.eventual) {
        c->f->stats.reads_eventual++;
    } else {
        simmodel_ack(c->f, a->answer.revision);
    }
}

/* --- history -------------------------------------------------------------------------------------
 */

/* Each attempt is an operation of its own: it may have an effect of its own. */
static void hist_ask(struct attempt *a)
{
    struct fleet *f = a->client->f;
    uint64_t now = simworld_now_us(f->world);
    enum hist_kind kind = HIST_REGISTER_READ;
    int64_t value = 0;
    a->round = f->round;
    if (!a->op.shared || a->op.kind == OP_SERVICE_CREATE || a->op.eventual) {
        return;
    }
    if (a->op.kind == OP_REGISTER) {
        kind = HIST_COUNTER_NEXT;
    } else if (a->op.kind == OP_SERVICE_UPDATE) {
        kind = HIST_REGISTER_WRITE;
        value = (int64_t)a->op.count + 1;
    }
    a->hist = 1 + hist_begin(&f->hist, a->client->at, kind, a->op.name, value, now);
}

static void hist_answer(const struct attempt *a)
{
    struct fleet *f = a->client->f;
    uint64_t now = simworld_now_us(f->world);
    const struct simanswer *r = &a->answer;
    int64_t value = a->op.kind == OP_REGISTER         ? (int64_t)r->number
                    : a->op.kind == OP_SERVICE_UPDATE ? (int64_t)a->op.count + 1
                    : r->found                        ? (int64_t)r->number + 1
                                                      : 0;
    if (a->hist == 0 || a->round != f->round) {
        return;
    }
    if (r->status == 0 && r->reject == REJECT_NONE) {
        hist_ok(&f->hist, a->hist - 1, value, 0, now);
    } else if (r->status == 0 || r->status == ERR_NOTLEADER) {
        hist_fail(&f->hist, a->hist - 1, now);
    }
}

static bool is_final(int status)
{
    return status != ERR_NOTLEADER && status != ERR_UNKNOWN && status != ERR_FULL &&
           status != ERR_CLOSED && status != ERR_AGAIN && status != ERR_UNAVAILABLE;
}

static void arrive(void *arg, uint64_t x, uint64_t y)
{
    struct attempt *a = arg;
    struct simclient *c = a->client;
    struct fleet *f = c->f;
    (void)x;
    (void)y;
    if (c->op.kind != OP_NONE && c->op.number == a->op.number) {
        hist_answer(a);
        simworld_note(f->world, a->answer.revision ^ (uint64_t)(unsigned)a->answer.status << 48);
        f->stats.unknown += a->answer.status == ERR_UNKNOWN;
        if (a->answer.status == 0) {
            f->stats.acked++;
            check_fresh(c, a);
            complete(c, &a->answer);
            think(c);
        } else if (is_final(a->answer.status)) {
            f->stats.refused++;
            think(c);
        } else {
            c->node++;
            c->last = a->answer.status;
            try_again(c, 1000 + prng_below(&c->prng, 200000));
        }
    }
    mem_free(f->mem, a, sizeof *a);
}

void simclient_answered(struct attempt *a)
{
    struct simclient *c = a->client;
    struct fleet *f = c->f;
    c->n_live--;
    if (a->c->dying || fleet_chance(f, f->opt.link_loss)) {
        mem_free(f->mem, a, sizeof *a); /* The connection breaks. */
        return;
    }
    simworld_later(f->world, fleet_delay_us(f), arrive, a, 0, 0);
}

/* --- attempts ------------------------------------------------------------------------------------
 */

static void land(void *arg, uint64_t x, uint64_t y)
{
    struct attempt *a = arg;
    struct simclient *c = a->client;
    struct fleet *f = c->f;
    (void)x;
    (void)y;
    if (a->c->up && simworld_is_paused(f->world, a->c->node)) {
        simworld_later(f->world, 50000, land, a, 0, 0);
        return;
    }
    if (!a->c->up || fleet_chance(f, f->opt.link_loss)) {
        c->n_live--;
        mem_free(f->mem, a, sizeof *a);
        return;
    }
    simrequest_start(a);
}

static void time_out(void *arg, uint64_t op, uint64_t tries)
{
    struct simclient *c = arg;
    if (c->op.kind != OP_NONE && c->op.number == op && c->tries == tries) {
        c->f->stats.timeouts++;
        c->node++;
        c->last = ERR_TIMEOUT;
        try_again(c, 1);
    }
}

static void attempt(void *arg, uint64_t op, uint64_t tries)
{
    struct simclient *c = arg;
    struct fleet *f = c->f;
    struct attempt *a;
    if (c->op.kind == OP_NONE || c->op.number != op || c->tries != tries) {
        return;
    }
    a = mem_alloc(f->mem, sizeof *a);
    a->client = c;
    a->c = f->controllers[c->node % f->opt.world.n];
    a->op = c->op;
    a->acked_before = simmodel_acked(f);
    hist_ask(a);
    c->n_live++;
    simworld_later(f->world, fleet_delay_us(f), land, a, 0, 0);
    simworld_later(f->world, CLIENT_TRY_MS * 1000u, time_out, c, op, tries);
}

static void try_again(struct simclient *c, uint64_t after_us)
{
    c->tries++;
    if (c->f->closing) {
        return;
    }
    if (simworld_is_calm(c->f->world) &&
        simworld_now_us(c->f->world) > c->since_us + CLIENT_ANSWER_MS * 1000ull) {
        fleet_fail(c->f,
                   "I20: client %u gets no answer to operation %llu (kind %d; try %u, last: %s)",
                   c->at + 1, (unsigned long long)c->op.number, (int)c->op.kind, c->tries,
                   err_name(c->last));
    }
    simworld_later(c->f->world, after_us, attempt, c, c->op.number, c->tries);
}

/* --- life ----------------------------------------------------------------------------------------
 */

bool simclient_is_idle(const struct simclient *c)
{
    return c->op.kind == OP_NONE && c->n_live == 0 &&
           (c->at != 0 || c->n_tidied >= c->f->opt.n_agents);
}

void simclient_pause(struct simclient *c, bool pause)
{
    c->paused = pause;
    c->n_tidied = 0;
    c->since_us = simworld_now_us(c->f->world);
    if (c->op.kind == OP_NONE) {
        think(c);
    }
}

/* The state has what this client left there. */
void simclient_compare(struct simclient *c)
{
    const struct store *store = ring_store(c->f->controllers[simworld_leader(c->f->world)]->ring);
    uint32_t cluster = store_find_cluster(store, STR(SIMCTL_CLUSTER));
    for (unsigned i = 0; i < CLIENT_SERVICES; i++) {
        const struct client_service *s = &c->services[i];
        struct op o = {.service = i};
        const struct service *v;
        if (!s->sure) {
            continue;
        }
        name_service(c, &o);
        v = store_service(store, store_find_service(store, cluster, str_of(o.name)));
        if ((v != NULL && v->status == SERVICE_ACTIVE) != s->exists ||
            (s->exists && v->desired != s->desired)) {
            fleet_fail(c->f, "I1: service %s is not as client %u left it", o.name, c->at + 1);
        }
    }
}

struct simclient *simclient_new(struct fleet *f, unsigned at)
{
    struct simclient *c = mem_alloc(f->mem, sizeof *c);
    c->f = f;
    c->at = at;
    c->node = at;
    prng_init(&c->prng, f->opt.world.seed * 131 + at);
    simclient_pause(c, false);
    return c;
}

void simclient_free(struct simclient *c)
{
    if (c != NULL) {
        mem_free(c->f->mem, c, sizeof *c);
    }
}
