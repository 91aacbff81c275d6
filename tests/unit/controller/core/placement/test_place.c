/* place() against a second, naive statement of its rules, on random clusters with random histories.
 * PLACE_SEEDS=n runs more of them. */
#include "controller/core/placement/survey.h"

#include "common/base/hash.h"
#include "tests/lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/controller/core/placement/naive.h"

#define N_READY   6
#define N_DEMANDS 3

struct run {
    struct world world;
    struct view *view;
    struct arena arena;
    struct prng prng;
    struct want wants[N_READY]; /* Behind the ready requests. */
    struct place_ready *ready[N_READY];
    struct want demands[N_DEMANDS]; /* What makes nodes scarce. */
    uint64_t n_wanted[N_DEMANDS];
    uint32_t n_demands;
    uint32_t n_placed;
    uint32_t n_refused[PLACE_REASON_N];
    uint32_t n_requests;
};

static void tell_scarcity(struct run *run, struct view *v)
{
    struct place_demand demands[N_DEMANDS];
    for (uint32_t i = 0; i < run->n_demands; i++) {
        demands[i] = (struct place_demand){&run->demands[i].request, run->n_wanted[i]};
    }
    place_set_scarcity(v, demands, run->n_demands, &run->arena);
}

/* Scarcity as of now, here and there. */
static void update_scarcity(struct run *run)
{
    tell_scarcity(run, run->view);
    for (uint32_t i = 0; i < N_NODES; i++) {
        run->world.nodes[i].scarcity = 0;
    }
    for (uint32_t i = 0; i < run->n_demands; i++) {
        naive_scarcity(&run->world, &run->demands[i], run->n_wanted[i]);
    }
    for (uint32_t i = 0; i < N_NODES; i++) { /* In seven steps. */
        uint64_t step = (run->world.nodes[i].scarcity + 141) / 142;
        run->world.nodes[i].scarcity = step < VIEW_SCARCITY_MAX ? step : VIEW_SCARCITY_MAX;
    }
}

static void new_demands(struct run *run)
{
    run->n_demands = (uint32_t)below(&run->prng, N_DEMANDS + 1);
    for (uint32_t i = 0; i < run->n_demands; i++) {
        draw_want(&run->demands[i], &run->world, &run->prng, false);
        run->demands[i].request.only = NULL;
        run->n_wanted[i] = (uint64_t)below(&run->prng, 20);
    }
}

static void node_add(struct run *run)
{
    for (uint32_t i = 0; i < N_NODES; i++) {
        struct node *n = &run->world.nodes[i];
        struct err err = {0};
        if (n->live) {
            continue;
        }
        n->view.id = id_derive(99, hash_mix(1, run->world.next_id++), 0);
        draw_node(&run->world, &run->prng, i);
        ck_assert_msg(view_node_add(run->view, &n->view, &n->slot, &err) == 0, "%s", err.text);
        n->live = true;
        return;
    }
}

static void node_remove(struct run *run)
{
    uint32_t slot = draw_slot(&run->world, &run->prng);
    if (slot == VIEW_NONE) {
        return;
    }
    uint32_t i = view_owner(run->view, slot);
    for (int t = 0; t < N_TASKS; t++) {
        if (run->world.tasks[t].node == i) {
            run->world.tasks[t].live = false;
        }
    }
    view_node_remove(run->view, slot);
    run->world.nodes[i].live = false;
}

static void node_change(struct run *run)
{
    uint32_t slot = draw_slot(&run->world, &run->prng);
    if (slot == VIEW_NONE) {
        return;
    }
    struct node *n = &run->world.nodes[view_owner(run->view, slot)];
    switch (below(&run->prng, 3)) {
    case 0:
        n->view.status = (enum view_status)below(&run->prng, 3);
        view_node_set_status(run->view, slot, n->view.status);
        break;
    case 1:
        n->view.agent_connected = !n->view.agent_connected;
        view_node_set_connected(run->view, slot, n->view.agent_connected);
        break;
    default: /* Reserved and dynamic ports too; tasks keep theirs. */
        draw_node(&run->world, &run->prng, n->view.owner);
        ck_assert_int_eq(view_node_set(run->view, slot, &n->view, NULL), 0);
    }
}

static struct task *task_add(struct world *w, const struct want *q, uint32_t node,
                             const uint16_t *host_ports)
{
    int i = 0;
    while (w->tasks[i].live) {
        i++;
        ck_assert_int_lt(i, N_TASKS);
    }
    struct task *t = &w->tasks[i];
    *t = (struct task){.live = true, .node = node, .group = q->group};
    for (uint32_t p = 0; p < q->request.n_ports; p++) {
        t->ports[p] = (struct view_port){host_ports[p], q->ports[p].count, q->ports[p].proto};
    }
    t->take = (struct view_take){.cpu = q->request.cpu,
                                 .memory_mib = q->request.memory_mib,
                                 .gpus = q->request.gpus,
                                 .ports = t->ports,
                                 .n_ports = q->request.n_ports,
                                 .group = str_of(groups[q->group])};
    return t;
}

static uint32_t n_tasks(const struct world *w)
{
    uint32_t n = 0;
    for (int i = 0; i < N_TASKS; i++) {
        n += w->tasks[i].live;
    }
    return n;
}

/* What the engine says is free equals what adding up gives, and no port is used twice. */
static void check_amounts(const struct run *run)
{
    static bool used[VIEW_PROTO_N][PORT_END];
    struct err err = {0};
    ck_assert_msg(view_audit(run->view, &err), "%s", err.text);
    for (uint32_t i = 0; i < N_NODES; i++) {
        const struct node *n = &run->world.nodes[i];
        if (!n->live) {
            continue;
        }
        struct view_free want = naive_free(&run->world, i);
        struct view_free have = view_free_of(run->view, n->slot);
        ck_assert_int_eq(have.cpu, want.cpu);
        ck_assert_int_eq(have.memory_mib, want.memory_mib);
        ck_assert_int_eq(have.gpus, want.gpus);
        ck_assert_uint_eq(have.n_tasks, want.n_tasks);
        ck_assert(naive_ports(&run->world, i, used));
        for (int g = 0; g < N_GROUPS; g++) {
            ck_assert_uint_eq(view_group_on(run->view, str_of(groups[g]), n->slot),
                              naive_group_on(&run->world, g, i));
        }
    }
}

/* The ports of a replica are what was asked for and free; then they are the task's. */
static void check_ports(const struct run *run, const struct want *q, const struct place_run *r)
{
    static bool used[VIEW_PROTO_N][PORT_END];
    const struct node *n = &run->world.nodes[r->owner];
    ck_assert(naive_ports(&run->world, r->owner, used));
    for (uint32_t i = 0; i < q->request.n_ports; i++) {
        const struct place_port *p = &q->ports[i];
        uint16_t first = r->host_ports[i];
        if (p->host_port > 0) {
            ck_assert_uint_eq(first, p->host_port);
        } else {
            ck_assert_uint_ge(first, n->view.dynamic_first);
            ck_assert_uint_le(first + p->count - 1u, n->view.dynamic_last);
        }
        for (uint32_t k = 0; k < p->count; k++) {
            ck_assert(!used[p->proto][first + k]);
            used[p->proto][first + k] = true;
        }
    }
}

static void check_refusal(struct run *run, const struct want *q, const struct placement *p)
{
    uint32_t counts[PLACE_REASON_N] = {0};
    uint32_t n_live = 0;
    enum place_reason latest = PLACE_OK;
    for (uint32_t i = 0; i < N_NODES; i++) {
        if (run->world.nodes[i].live) {
            enum place_reason reason = naive_reason(&run->world, q, i);
            ck_assert_int_ne(reason, PLACE_OK); /* Work-conserving. */
            counts[reason]++;
            run->n_refused[reason]++;
            n_live++;
            latest = reason > latest ? reason : latest;
        }
    }
    ck_assert_mem_eq(counts, p->refused, sizeof counts);
    ck_assert_uint_eq(p->n_why, n_live);
    ck_assert_int_eq(p->closest.reason, latest);
    ck_assert((p->closest.slot == VIEW_NONE) == (n_live == 0));
    for (uint32_t i = 0; i < p->n_why; i++) {
        const struct place_why *why = &p->why[i];
        uint32_t node = view_owner(run->view, why->slot);
        ck_assert_int_eq(why->reason, naive_reason(&run->world, q, node));
        ck_assert(i == 0 || why->reason <= p->why[i - 1].reason);
        ck_assert(i > 0 || why->slot == p->closest.slot);
        if (why->reason == PLACE_CPU) {
            ck_assert_int_eq(why->available, naive_free(&run->world, node).cpu);
            ck_assert_uint_eq(why->needed, q->request.cpu);
        }
    }
}

/* Two answers to the same question. */
static void check_same(const struct place_request *r, const struct placement *a,
                       const struct placement *b)
{
    ck_assert_uint_eq(a->n_placed, b->n_placed);
    ck_assert_uint_eq(a->n_runs, b->n_runs);
    ck_assert_mem_eq(a->refused, b->refused, sizeof a->refused);
    for (uint32_t i = 0; i < a->n_runs; i++) {
        ck_assert_uint_eq(a->runs[i].slot, b->runs[i].slot);
        ck_assert_uint_eq(a->runs[i].count, b->runs[i].count);
        for (uint32_t k = 0; k < r->n_ports; k++) {
            ck_assert_uint_eq(a->runs[i].host_ports[k], b->runs[i].host_ports[k]);
        }
    }
}

/* One by one, each checked against the naive rules; in the world the tasks then exist. The engine
 * keeps none of them. */
static uint32_t place_singly(struct run *run, struct want *q, struct task **ret_tasks)
{
    struct placement p, again;
    struct err err = {0};
    struct place_ready *ready;
    struct place_request single = q->request;
    uint64_t mark = view_mark(run->view);
    uint32_t n = 0;
    single.n_replicas = 1;
    ck_assert_int_eq(place_prepare(run->view, &single, &ready, &err), 0);
    for (; n < q->request.n_replicas; n++) {
        single.seed = q->request.seed + n;
        int rv = place_again(ready, 1, single.seed, &p, &run->arena, &err);
        ck_assert_msg(rv == 0, "%s", err.text);
        if (below(&run->prng, 4) == 0) {
            ck_assert_int_eq(place(run->view, &single, &again, &run->arena, &err), 0);
            check_same(&single, &p, &again);
        }
        if (p.n_placed == 0) {
            break;
        }
        const struct place_run *r = &p.runs[0];
        ck_assert_uint_eq(p.n_runs, 1);
        ck_assert_uint_eq(r->count, 1);
        ck_assert_uint_eq(run->world.nodes[r->owner].slot, r->slot);
        ck_assert_int_eq(naive_reason(&run->world, q, r->owner), PLACE_OK);
        ck_assert(naive_is_best(&run->world, q, r->owner));
        check_ports(run, q, r);
        ret_tasks[n] = task_add(&run->world, q, r->owner, r->host_ports);
        place_reserve(run->view, &single, &p, &run->arena);
    }
    view_rollback(run->view, mark);
    place_release(ready);
    return n;
}

/* All at once gives each node as many as one by one, and the same ports. */
static void check_batch(const struct want *q, const struct placement *p, struct task **tasks,
                        uint32_t n)
{
    uint32_t counts[N_NODES] = {0};
    uint32_t k = 0;
    ck_assert_uint_eq(p->n_placed, n);
    for (uint32_t i = 0; i < n; i++) {
        counts[tasks[i]->node]++;
    }
    for (uint32_t i = 0; i < p->n_runs; i++) {
        const struct place_run *r = &p->runs[i];
        ck_assert_uint_ge(counts[r->owner], r->count);
        counts[r->owner] -= r->count;
        for (uint32_t e = 0; e < q->request.n_ports; e++) {
            ck_assert_uint_eq(r->count, 1);
            ck_assert_uint_eq(tasks[k]->node, r->owner);
            ck_assert_uint_eq(tasks[k]->ports[e].first, r->host_ports[e]);
        }
        k += r->count;
    }
    ck_assert_uint_eq(k, n);
}

/* All that stands against a node by the naive rules, one at a time. */
static uint32_t naive_reasons(struct run *run, const struct want *q, uint32_t node)
{
    struct node *n = &run->world.nodes[node];
    struct node before = *n;
    struct want some = *q;
    uint32_t reasons = 0;
    struct view_free f = naive_free(&run->world, node);
    enum place_reason state = naive_reason(&run->world, q, node);
    reasons |= state > PLACE_OK && state <= PLACE_AGENT ? 1u << state : 0;
    n->view.status = VIEW_ACTIVE;
    n->view.agent_connected = true;
    some.request.only = NULL;
    some.request.n_exclude = 0;
    enum place_reason kind = naive_reason(&run->world, &some, node);
    reasons |= kind == PLACE_ATTRIBUTE ? 1u << kind : 0;
    some.request.n_attributes = 0;
    for (int i = 0; i < q->n_wishes; i++) {
        if (!naive_wish(&run->world, q, i, node)) {
            reasons |= 1u << (q->wishes[i] == WISH_DISTINCT ? PLACE_DISTINCT : PLACE_MEMBER);
        }
    }
    *n = before;
    reasons |= (int64_t)q->request.cpu > f.cpu ? 1u << PLACE_CPU : 0;
    reasons |= (int64_t)q->request.memory_mib > f.memory_mib ? 1u << PLACE_MEMORY : 0;
    reasons |= (int64_t)q->request.gpus > f.gpus ? 1u << PLACE_GPU : 0;
    return reasons | (naive_ports_fit(&run->world, q, node) ? 0 : 1u << PLACE_PORT);
}

/* Each change that is offered makes the room it promises, where that can be tried. */
static void check_fix(struct run *run, const struct want *q, const struct survey_fix *fix)
{
    struct want changed = *q;
    uint32_t n = 0;
    if (fix->change != SURVEY_AMOUNTS) {
        return;
    }
    changed.request.cpu = fix->cpu;
    changed.request.memory_mib = fix->memory_mib;
    changed.request.gpus = fix->gpus;
    for (uint32_t i = 0; i < N_NODES; i++) {
        n += run->world.nodes[i].live && naive_reason(&run->world, &changed, i) == PLACE_OK;
    }
    ck_assert_uint_gt(n, 0);
    ck_assert_uint_eq(n, fix->n_nodes);
}

/* A survey tells the same, and the first of its nodes is the one that is chosen. */
static void check_survey(struct run *run, const struct want *q)
{
    struct survey s;
    struct placement p;
    struct place_request one = q->request;
    struct buf b;
    one.n_replicas = 1;
    ck_assert_int_eq(place_survey(run->view, &one, &s, &run->arena, NULL), 0);
    ck_assert_int_eq(place(run->view, &one, &p, &run->arena, NULL), 0);
    ck_assert_uint_eq(s.n_feasible > 0, p.n_placed);
    if (p.n_placed == 1) {
        ck_assert_uint_eq(s.nodes[0].slot, p.runs[0].slot);
    }
    buf_init(&b, test_mem(), 100000);
    uint32_t n_grouped = 0;
    for (uint32_t i = 0; i < s.n_nodes; i++) {
        const struct survey_node *n = &s.nodes[i];
        ck_assert_uint_eq(n->reasons, naive_reasons(run, q, view_owner(run->view, n->slot)));
        ck_assert_uint_eq(n->rank, n->reasons == 0 ? i + 1 : 0);
        if (n->reasons == 0) {
            survey_score_text(&s, n, &b);
        } else {
            survey_reasons_text(&one, n, &b);
        }
    }
    for (uint32_t i = 0; i < s.n_groups; i++) {
        n_grouped += s.groups[i].n_nodes;
        survey_group_text(&one, &s.groups[i], &b);
    }
    ck_assert_uint_eq(n_grouped, s.n_nodes - s.n_feasible);
    ck_assert((s.n_fixes == 0) == (s.n_feasible > 0));
    for (uint32_t i = 0; i < s.n_fixes; i++) {
        ck_assert(i == 0 || s.fixes[i - 1].cost <= s.fixes[i].cost);
        check_fix(run, q, &s.fixes[i]);
        survey_fix_text(run->view, &one, &s.fixes[i], &b);
    }
    buf_close(&b);
}

/* A copy answers as what it was made of, and is a whole view of its own. */
static void check_copy(struct run *run, const struct want *q, const struct placement *p)
{
    struct view *copy = view_copy(run->view, test_mem());
    struct placement again;
    struct err err = {0};
    ck_assert_msg(view_audit(copy, &err), "%s", err.text);
    ck_assert_int_eq(place(copy, &q->request, &again, &run->arena, &err), 0);
    check_same(&q->request, p, &again);
    place_reserve(copy, &q->request, &again, &run->arena);
    ck_assert_msg(view_audit(copy, &err), "%s", err.text);
    for (uint32_t slot = 0; slot < view_slots(copy) && below(&run->prng, 2) == 0; slot++) {
        if (view_has(copy, slot)) {
            view_node_remove(copy, slot);
        }
    }
    ck_assert_msg(view_audit(copy, &err), "%s", err.text);
    view_close(copy);
}

static struct placement place_and_check(struct run *run, struct want *q, struct task **ret_tasks)
{
    struct placement p;
    struct err err = {0};
    int rv = place(run->view, &q->request, &p, &run->arena, &err);
    ck_assert_msg(rv == 0, "%s", err.text);
    if (below(&run->prng, 4) == 0) {
        check_survey(run, q);
        check_copy(run, q, &p);
    }
    uint32_t n = place_singly(run, q, ret_tasks);
    check_batch(q, &p, ret_tasks, n);
    run->n_placed += n;
    run->n_requests++;
    if (n < q->request.n_replicas) {
        check_refusal(run, q, &p);
    }
    return p;
}

static void place_some(struct run *run)
{
    struct want q;
    struct task *tasks[MOST_REPLICAS];
    uint64_t mark = view_mark(run->view);
    if (n_tasks(&run->world) > N_TASKS - MOST_REPLICAS) {
        return;
    }
    draw_want(&q, &run->world, &run->prng, true);
    struct placement p = place_and_check(run, &q, tasks);
    int fate = below(&run->prng, 4);
    if (fate > 0) {
        place_reserve(run->view, &q.request, &p, &run->arena);
        if (fate > 1 || p.n_placed > 0) {
            check_amounts(run);
        }
    }
    for (uint32_t i = 0; i < p.n_placed; i++) {
        tasks[i]->live = fate >= 2;
    }
    if (fate == 1) {
        view_rollback(run->view, mark);
    } else if (fate >= 2) { /* The plan came back from the log. */
        view_settle(run->view, view_mark(run->view));
        for (uint32_t i = 0; i < p.n_placed; i++) {
            uint32_t slot = run->world.nodes[tasks[i]->node].slot;
            ck_assert_int_eq(view_check(run->view, slot, &tasks[i]->take, NULL), 0);
            view_take(run->view, slot, &tasks[i]->take);
        }
    }
}

/* A request that was made ready at some other time answers as a new one. */
static void ask_again(struct run *run)
{
    uint32_t i = (uint32_t)below(&run->prng, N_READY);
    struct want *q = &run->wants[i];
    struct placement a, b;
    struct err err = {0};
    if (run->ready[i] == NULL) {
        draw_want(q, &run->world, &run->prng, true);
        ck_assert_int_eq(place_prepare(run->view, &q->request, &run->ready[i], &err), 0);
    }
    for (int times = below(&run->prng, 4); times >= 0; times--) {
        q->request.seed = prng_u64(&run->prng);
        q->request.n_replicas = (uint32_t)(1 + below(&run->prng, 4));
        int rv = place_again(run->ready[i], q->request.n_replicas, q->request.seed, &a, &run->arena,
                             &err);
        ck_assert_int_eq(rv, place(run->view, &q->request, &b, &run->arena, &err));
        if (rv != 0) { /* A node of its list is gone. */
            break;
        }
        check_same(&q->request, &a, &b);
        uint64_t mark = view_mark(run->view);
        place_reserve(run->view, &q->request, &a, &run->arena);
        if (below(&run->prng, 3) == 0) {
            view_rollback(run->view, mark);
        }
    }
    view_rollback(run->view, 0);
    if (below(&run->prng, 8) == 0) {
        place_release(run->ready[i]);
        run->ready[i] = NULL;
    }
}

static void stop_one(struct run *run)
{
    for (int tries = 0; tries < 20; tries++) {
        struct task *t = &run->world.tasks[below(&run->prng, N_TASKS)];
        if (t->live) {
            view_give(run->view, run->world.nodes[t->node].slot, &t->take);
            t->live = false;
            return;
        }
    }
}

/* The same state, built in another order: nodes backwards, tasks backwards, after a detour. */
static struct view *build_again(struct run *run, uint32_t slots[N_NODES])
{
    struct view *v = view_open(test_mem());
    struct world *w = &run->world;
    struct node extra = {.live = true};
    uint32_t detour;
    extra.view = (struct view_node){.id = {1, 1},
                                    .status = VIEW_ACTIVE,
                                    .agent_connected = true,
                                    .cpu = 9999,
                                    .memory_mib = 9999};
    ck_assert_int_eq(view_node_add(v, &extra.view, &detour, NULL), 0);
    for (uint32_t i = N_NODES; i-- > 0;) {
        if (w->nodes[i].live) {
            ck_assert_int_eq(view_node_add(v, &w->nodes[i].view, &slots[i], NULL), 0);
        }
    }
    view_node_remove(v, detour);
    for (int i = N_TASKS; i-- > 0;) {
        if (w->tasks[i].live) {
            view_take(v, slots[w->tasks[i].node], &w->tasks[i].take);
        }
    }
    tell_scarcity(run, v);
    return v;
}

/* Same state, same answer, whatever the way it was reached. */
static void check_rebuilt(struct run *run)
{
    uint32_t slots[N_NODES];
    struct run again = {.arena = run->arena};
    again.view = build_again(run, slots);
    again.world = run->world;
    for (uint32_t i = 0; i < N_NODES; i++) {
        again.world.nodes[i].slot = slots[i];
    }
    check_amounts(&again);
    for (int round = 0; round < 10; round++) {
        struct want q;
        struct placement a, b;
        draw_want(&q, &run->world, &run->prng, true);
        q.request.only = NULL;
        q.request.n_exclude = 0;
        if (q.request.n_ports > 0) {
            q.request.n_replicas = 1; /* Which ports were used last decides what the next gets. */
        }
        ck_assert_int_eq(place(run->view, &q.request, &a, &run->arena, NULL), 0);
        ck_assert_int_eq(place(again.view, &q.request, &b, &run->arena, NULL), 0);
        ck_assert_uint_eq(a.n_placed, b.n_placed);
        ck_assert_mem_eq(a.refused, b.refused, sizeof a.refused);
        for (uint32_t i = 0; i < a.n_runs; i++) {
            ck_assert_uint_eq(a.runs[i].owner, b.runs[i].owner);
            ck_assert_uint_eq(a.runs[i].count, b.runs[i].count);
        }
    }
    view_close(again.view);
}

static void run_one(uint64_t seed, uint32_t counts[PLACE_REASON_N], uint32_t *n_placed,
                    uint32_t *n_requests)
{
    static struct run run;
    memset(&run, 0, sizeof run);
    prng_init(&run.prng, seed);
    arena_init(&run.arena, test_mem());
    run.view = view_open(test_mem());
    for (int i = 1 + below(&run.prng, 30); i > 0; i--) {
        node_add(&run);
    }
    new_demands(&run);
    update_scarcity(&run);
    for (int step = 0; step < 60; step++) {
        int what = below(&run.prng, 100);
        if (what < 50) {
            place_some(&run);
        } else if (what < 65) {
            ask_again(&run);
        } else if (what < 80) {
            stop_one(&run);
        } else if (what < 86) {
            node_change(&run);
        } else if (what < 93) {
            node_add(&run);
        } else if (what < 98) {
            node_remove(&run);
        } else {
            new_demands(&run);
        }
        update_scarcity(&run);
        check_amounts(&run);
        arena_clear(&run.arena);
    }
    check_rebuilt(&run);
    for (int i = 0; i < PLACE_REASON_N; i++) {
        counts[i] += run.n_refused[i];
    }
    *n_placed += run.n_placed;
    *n_requests += run.n_requests;
    for (int i = 0; i < N_READY; i++) {
        place_release(run.ready[i]);
    }
    view_close(run.view);
    arena_close(&run.arena);
    ck_assert_msg(test_mem_in_use() == 0, "seed %llu leaks", (unsigned long long)seed);
}

START_TEST(every_answer_is_the_naive_one)
    {
        const char *text = getenv("PLACE_SEEDS");
        uint64_t n_seeds = 300;
        uint32_t counts[PLACE_REASON_N] = {0};
        uint32_t n_placed = 0, n_requests = 0;
        if (text != NULL) {
            ck_assert(str_u64(str_of(text), &n_seeds));
        }
        for (uint64_t seed = 1; seed <= n_seeds; seed++) {
            run_one(seed, counts, &n_placed, &n_requests);
        }
        if (text != NULL) {
            printf("%u requests, %u replicas, all as by the naive rules\n", n_requests, n_placed);
        }
        /* Enough happened, and every reason was seen. */
        ck_assert_uint_gt(n_placed, 20 * n_seeds);
        for (int i = PLACE_EXCLUDED; i < PLACE_REASON_N; i++) {
            ck_assert_msg(counts[i] > 0, "never refused for reason %d", i);
        }
    }
END_TEST

/* --- single properties ------------------------------------------------------------------------ */

/* n equal nodes in zones z0, z1, ... in turn. */
static struct view *equal_nodes(uint32_t n, uint32_t cpu, uint32_t memory_mib)
{
    struct view *v = view_open(test_mem());
    for (uint32_t i = 0; i < n; i++) {
        uint32_t slot;
        struct view_attribute zone = {STR(VIEW_ATTRIBUTE_ZONE), str_of(zones[i % N_ZONES])};
        struct view_node node = {.id = {7, n - i},
                                 .owner = i,
                                 .status = VIEW_ACTIVE,
                                 .agent_connected = true,
                                 .cpu = cpu,
                                 .memory_mib = memory_mib,
                                 .attributes = &zone,
                                 .n_attributes = 1};
        ck_assert_int_eq(view_node_add(v, &node, &slot, NULL), 0);
    }
    return v;
}

/* Where there is room everywhere, no two zones and no two nodes differ by more than one. */
START_TEST(spreading_keeps_the_balance)
    {
        for (uint32_t k = 1; k <= 40; k++) {
            struct view *v = equal_nodes(12, 100000, 100000);
            struct arena arena;
            struct placement p;
            uint32_t per_zone[N_ZONES] = {0}, per_node[12] = {0};
            const struct place_strategy strategies[] = {
                {PLACE_SPREAD_ATTRIBUTE, STR(VIEW_ATTRIBUTE_ZONE)}, {.kind = PLACE_SPREAD_NODE}};
            struct place_request r = {.group = STR("service:s"),
                                      .cpu = 10,
                                      .memory_mib = 10,
                                      .n_replicas = k,
                                      .strategies = strategies,
                                      .n_strategies = 2};
            arena_init(&arena, test_mem());
            ck_assert_int_eq(place(v, &r, &p, &arena, NULL), 0);
            ck_assert_uint_eq(p.n_placed, k);
            for (uint32_t i = 0; i < p.n_runs; i++) {
                per_zone[p.runs[i].owner % N_ZONES] += p.runs[i].count;
                per_node[p.runs[i].owner] += p.runs[i].count;
            }
            for (uint32_t i = 0; i < 12; i++) {
                ck_assert_uint_ge(per_node[i], k / 12);
                ck_assert_uint_le(per_node[i], (k + 11) / 12);
                ck_assert_uint_ge(per_zone[i % N_ZONES], k / N_ZONES);
                ck_assert_uint_le(per_zone[i % N_ZONES], (k + N_ZONES - 1) / N_ZONES);
            }
            view_close(v);
            arena_close(&arena);
        }
    }
END_TEST

/* Identical replicas: exactly min(K, sum of what each node can hold) are placed. */
START_TEST(identical_replicas_fill_the_cluster_completely)
    {
        struct prng prng;
        prng_init(&prng, 11);
        for (int round = 0; round < 300; round++) {
            struct view *v = view_open(test_mem());
            struct arena arena;
            struct placement p;
            uint32_t room = 0;
            uint32_t cpu = 1 + (uint32_t)below(&prng, 50);
            uint32_t memory = 1 + (uint32_t)below(&prng, 50);
            for (uint32_t i = 0; i < 1 + (uint32_t)below(&prng, 100); i++) {
                uint32_t slot;
                struct view_node node = {.id = {1, prng_u64(&prng)},
                                         .agent_connected = true,
                                         .cpu = (uint32_t)below(&prng, 200),
                                         .memory_mib = (uint32_t)below(&prng, 200)};
                uint32_t a = node.cpu / cpu, b = node.memory_mib / memory;
                ck_assert_int_eq(view_node_add(v, &node, &slot, NULL), 0);
                room += a < b ? a : b;
            }
            struct place_request r = {
                .cpu = cpu, .memory_mib = memory, .n_replicas = 1 + (uint32_t)below(&prng, 1000)};
            arena_init(&arena, test_mem());
            ck_assert_int_eq(place(v, &r, &p, &arena, NULL), 0);
            ck_assert_uint_eq(p.n_placed, room < r.n_replicas ? room : r.n_replicas);
            view_close(v);
            arena_close(&arena);
        }
    }
END_TEST

/* --- scale-in --------------------------------------------------------------------------------- */

#define N_GIVEN 60

/* How much more dispensable task a is than b, by one criterion. `gone` marks stopped tasks. */
static int64_t naive_more(const struct run *run, const struct want *q,
                          const struct place_strategy *s, const struct place_task *t,
                          const bool *gone, uint32_t a, uint32_t b)
{
    int64_t value[2] = {0, 0};
    for (int side = 0; side < 2; side++) {
        const struct place_task *me = &t[side == 0 ? a : b];
        uint32_t i = view_owner(run->view, me->slot);
        const struct node *n = &run->world.nodes[i];
        struct view_free f = naive_free(&run->world, i);
        bool by_zone = str_eqc(s->attribute, VIEW_ATTRIBUTE_ZONE);
        int64_t back = 1, on_node = 0, in_domain = 0;
        for (uint32_t k = 0; k < N_GIVEN; k++) {
            if (t[k].slot == VIEW_NONE) {
                continue;
            }
            const struct node *m = &run->world.nodes[view_owner(run->view, t[k].slot)];
            back += m == n && gone[k];
            on_node += m == n && !gone[k];
            in_domain += !gone[k] && (by_zone ? m->zone == n->zone : m->type == n->type);
        }
        value[side] = s->kind == PLACE_BINPACK_CPU ? f.cpu + back * q->request.cpu
                      : s->kind == PLACE_BINPACK_MEMORY
                          ? f.memory_mib + back * q->request.memory_mib
                      : s->kind == PLACE_SPREAD_NODE ? on_node
                      : by_zone && n->zone < 0       ? INT64_MAX
                                                     : in_domain;
    }
    return value[0] == value[1] ? 0 : value[0] > value[1] ? 1 : -1;
}

static bool naive_stop_before(const struct run *run, const struct want *q,
                              const struct place_task *t, const bool *gone, uint32_t a, uint32_t b)
{
    if ((t[a].slot == VIEW_NONE) != (t[b].slot == VIEW_NONE)) {
        return t[a].slot == VIEW_NONE;
    }
    for (uint32_t i = 0; t[a].slot != VIEW_NONE && i < q->request.n_strategies; i++) {
        int64_t c = naive_more(run, q, &q->strategies[i], t, gone, a, b);
        if (c != 0) {
            return c > 0;
        }
    }
    if (t[a].created_at_ms != t[b].created_at_ms) {
        return t[a].created_at_ms > t[b].created_at_ms;
    }
    return id_cmp(t[a].id, t[b].id) > 0;
}

/* Draw tasks (the view need not know them) and check each choice against all that are left. */
static void check_scale_in(struct run *run)
{
    struct want q;
    struct place_task t[N_GIVEN];
    bool gone[N_GIVEN] = {false};
    uint32_t order[N_GIVEN];
    draw_want(&q, &run->world, &run->prng, false);
    for (uint32_t i = 0; i < N_GIVEN; i++) {
        uint32_t slot = below(&run->prng, 20) == 0 ? VIEW_NONE : draw_slot(&run->world, &run->prng);
        t[i] = (struct place_task){slot, (uint64_t)below(&run->prng, 10), {1, i}};
    }
    ck_assert_int_eq(
        place_scale_in(run->view, &q.request, t, N_GIVEN, N_GIVEN, order, &run->arena, NULL), 0);
    for (uint32_t n = 0; n < N_GIVEN; n++) {
        ck_assert(!gone[order[n]]);
        for (uint32_t i = 0; i < N_GIVEN; i++) {
            ck_assert(gone[i] || i == order[n] || naive_stop_before(run, &q, t, gone, order[n], i));
        }
        gone[order[n]] = true;
    }
}

START_TEST(every_scale_in_is_the_naive_one)
    {
        static struct run run;
        for (uint64_t seed = 1; seed <= 60; seed++) {
            memset(&run, 0, sizeof run);
            prng_init(&run.prng, seed);
            arena_init(&run.arena, test_mem());
            run.view = view_open(test_mem());
            for (int i = 1 + below(&run.prng, 12); i > 0; i--) {
                node_add(&run);
            }
            for (int i = 0; i < 5; i++) {
                check_scale_in(&run);
            }
            view_close(run.view);
            arena_close(&run.arena);
        }
    }
END_TEST

/* Chi-square over 20 nodes: below 43.8 in 99.9 % of all honest draws. */
START_TEST(random_is_uniform_over_feasible_nodes)
    {
        const struct place_strategy random = {.kind = PLACE_RANDOM};
        struct view *v = equal_nodes(25, 1000, 1000);
        uint32_t counts[25] = {0};
        const uint32_t exclude[] = {3, 4, 5, 6, 7};
        const uint32_t n = 20000;
        for (uint32_t i = 0; i < n; i++) {
            struct arena arena;
            struct placement p;
            struct place_request r = {.cpu = 10,
                                      .strategies = &random,
                                      .n_strategies = 1,
                                      .exclude = exclude,
                                      .n_exclude = 5,
                                      .seed = i};
            arena_init(&arena, test_mem());
            ck_assert_int_eq(place(v, &r, &p, &arena, NULL), 0);
            counts[p.runs[0].slot]++;
            arena_close(&arena);
        }
        double chi2 = 0;
        double mean = n / 20.0;
        for (uint32_t i = 0; i < 25; i++) {
            if (i < 3 || i > 7) {
                chi2 += (counts[i] - mean) * (counts[i] - mean) / mean;
            } else {
                ck_assert_uint_eq(counts[i], 0);
            }
        }
        ck_assert_double_lt(chi2, 43.8);
        view_close(v);
    }
END_TEST

int main(void)
{
    Suite *suite = suite_create("placement");
    TEST_CASE(suite, "properties", 3600, every_answer_is_the_naive_one,
              every_scale_in_is_the_naive_one, spreading_keeps_the_balance,
              identical_replicas_fill_the_cluster_completely,
              random_is_uniform_over_feasible_nodes);
    return test_run(suite);
}
