/* Plans to empty nodes and to even out zones, carried out one move after the other on another
 * view. */
#include "controller/core/placement/zones.h"

#include "common/base/prng.h"
#include "tests/lib/test.h"

#include <stdio.h>
#include <stdlib.h>

enum { N_NODES = 24, N_KINDS = 6, TASKS_MAX = 300 };

struct world {
    struct view *view;
    struct arena arena;
    struct arena scratch;
    struct prng prng;
    uint32_t n_zones;
    struct place_request requests[N_KINDS];
    struct place_constraint constraints[N_KINDS];
    struct place_strategy strategies[N_KINDS];
    struct place_port ports[N_KINDS];
    char groups[N_KINDS][12];
    struct defrag_task tasks[TASKS_MAX];
    struct view_port task_ports[TASKS_MAX];
    uint32_t n_tasks;
};

static uint32_t below(struct world *w, uint32_t n)
{
    return (uint32_t)prng_below(&w->prng, n);
}

static void draw_kinds(struct world *w)
{
    for (uint32_t i = 0; i < N_KINDS; i++) {
        struct place_request *r = &w->requests[i];
        (void)snprintf(w->groups[i], sizeof w->groups[i], "g%u", i);
        *r = (struct place_request){.group = str_of(w->groups[i]),
                                    .cpu = 100 * below(w, 8),
                                    .memory_mib = 100 + 100 * below(w, 8),
                                    .constraints = &w->constraints[i],
                                    .strategies = &w->strategies[i],
                                    .ports = &w->ports[i]};
        if (below(w, 4) == 0) {
            w->constraints[i] = (struct place_constraint){.kind = PLACE_DISTINCT_INSTANCE};
            r->n_constraints = 1;
        } else if (below(w, 4) == 0) {
            w->constraints[i] = (struct place_constraint){
                .kind = PLACE_MEMBER_OF, .expression = STR("attribute:rack == r1")};
            r->n_constraints = 1;
        }
        if (below(w, 4) == 0) {
            w->strategies[i] =
                (struct place_strategy){PLACE_SPREAD_ATTRIBUTE, STR(VIEW_ATTRIBUTE_ZONE)};
            r->n_strategies = 1;
        }
        if (below(w, 3) == 0) {
            w->ports[i] = (struct place_port){(uint16_t)(below(w, 2) * 8080), 1, VIEW_TCP};
            r->n_ports = 1;
        }
    }
}

static struct str zone_of(const struct world *w, uint32_t node)
{
    static const char zones[] = "abc";
    return str_make(&zones[node % w->n_zones], 1);
}

static void add_nodes(struct world *w)
{
    for (uint32_t i = 0; i < N_NODES; i++) {
        struct view_attribute attributes[] = {{STR("rack"), below(w, 2) ? STR("r1") : STR("r2")},
                                              {STR(VIEW_ATTRIBUTE_ZONE), zone_of(w, i)}};
        uint32_t slot;
        struct view_node node = {.id = id_derive(1, 2, i),
                                 .owner = i,
                                 .agent_connected = true,
                                 .status = below(w, 8) == 0 ? VIEW_DRAINING : VIEW_ACTIVE,
                                 .cpu = 1000 + 1000 * below(w, 3),
                                 .memory_mib = 2000,
                                 .attributes = attributes,
                                 .n_attributes = 2};
        ck_assert_int_eq(view_node_add(w->view, &node, &slot, NULL), 0);
    }
}

/* Tasks come by place(), and half of them go again, wherever they are. */
static void fill(struct world *w)
{
    for (uint32_t i = 0; i < TASKS_MAX && below(w, 200) > 0; i++) {
        struct placement p;
        struct place_request *r = &w->requests[below(w, N_KINDS)];
        ck_assert_int_eq(place(w->view, r, &p, &w->arena, NULL), 0);
        if (p.n_placed == 0) {
            continue;
        }
        struct defrag_task *t = &w->tasks[w->n_tasks];
        *t = (struct defrag_task){p.runs[0].slot, below(w, 10) == 0 ? NULL : r,
                                  place_take(r, &p.runs[0], &w->arena), below(w, 8) == 0};
        view_take(w->view, t->slot, &t->take);
        w->n_tasks++;
    }
    for (uint32_t i = 0; i < w->n_tasks;) {
        if (below(w, 2) == 0) {
            view_give(w->view, w->tasks[i].slot, &w->tasks[i].take);
            w->tasks[i] = w->tasks[--w->n_tasks];
        } else {
            i++;
        }
    }
}

/* Not those with daemons alone. */
static uint32_t in_use(const struct world *w, const struct view *v)
{
    uint32_t n = 0;
    for (uint32_t slot = 0; slot < view_slots(v); slot++) {
        uint32_t daemons = 0;
        for (uint32_t i = 0; i < w->n_tasks; i++) {
            daemons += w->tasks[i].slot == slot && w->tasks[i].follows;
        }
        n += view_free_of(v, slot).n_tasks > daemons;
    }
    return n;
}

/* Start at the new place while it still runs at the old one, then stop there. */
static void carry_out(struct world *w, struct view *v, const struct defrag_move *m)
{
    struct defrag_task *t = &w->tasks[m->task];
    struct place_run run = {.slot = m->to, .host_ports = m->host_ports};
    struct place_why why;
    struct err err = {0};
    ck_assert_int_eq(place_explain(v, t->request, m->to, &why, &w->arena, &err), 0);
    ck_assert_int_eq(why.reason, PLACE_OK);
    ck_assert(!t->follows);
    ck_assert_uint_gt(view_free_of(v, m->to).n_tasks, 0);
    struct view_take take = place_take(t->request, &run, &w->arena);
    ck_assert_msg(view_check(v, m->to, &take, &err) == 0, "%s", err.text);
    view_take(v, m->to, &take);
    view_give(v, t->slot, &t->take);
    t->slot = m->to;
    t->take = take;
}

static void open_world(struct world *w, uint64_t seed, uint32_t n_zones)
{
    memset(w, 0, sizeof *w);
    prng_init(&w->prng, seed);
    arena_init(&w->arena, test_mem());
    arena_init(&w->scratch, test_mem());
    w->n_zones = n_zones;
    w->view = view_open(test_mem());
    draw_kinds(w);
    add_nodes(w);
    fill(w);
}

static void close_world(struct world *w)
{
    view_close(w->view);
    arena_close(&w->arena);
    arena_close(&w->scratch);
}

static void run_one(uint64_t seed, uint32_t *n_moves)
{
    static struct world w;
    struct defrag_plan plan;
    open_world(&w, seed, 1);
    for (uint32_t round = 0; round < 50; round++) {
        struct view *copy = view_copy(w.view, test_mem());
        uint32_t budget = below(&w, 3) == 0 ? 1000 : below(&w, 6);
        uint32_t before = in_use(&w, w.view);
        defrag_plan(copy, w.tasks, w.n_tasks, budget, &plan, &w.arena, &w.scratch);
        ck_assert_uint_le(plan.n_moves, budget);
        for (uint32_t i = 0; i < plan.n_moves; i++) {
            ck_assert_ptr_nonnull(w.tasks[plan.moves[i].task].request);
            carry_out(&w, w.view, &plan.moves[i]);
        }
        ck_assert_uint_eq(in_use(&w, w.view), before - plan.n_freed);
        ck_assert_uint_eq(in_use(&w, copy), in_use(&w, w.view));
        ck_assert((plan.n_freed > 0) == (plan.n_moves > 0));
        ck_assert(view_audit(copy, NULL) && view_audit(w.view, NULL));
        view_close(copy);
        *n_moves += plan.n_moves;
        if (budget == 1000 && plan.n_moves == 0) {
            break; /* It ends. */
        }
        ck_assert_uint_lt(round, 49);
    }
    defrag_plan(w.view, w.tasks, w.n_tasks, 0, &plan, &w.arena, &w.scratch);
    ck_assert_uint_eq(plan.n_moves, 0);
    close_world(&w);
}

static uint64_t count_seeds(void)
{
    const char *text = getenv("PLACE_SEEDS");
    uint64_t n_seeds = 300;
    if (text != NULL) {
        ck_assert(str_u64(str_of(text), &n_seeds));
    }
    return n_seeds;
}

START_TEST(every_move_is_possible_when_its_turn_comes)
    {
        uint64_t n_seeds = count_seeds();
        uint32_t n_moves = 0;
        for (uint64_t seed = 1; seed <= n_seeds; seed++) {
            run_one(seed, &n_moves);
        }
        ck_assert_uint_gt(n_moves, n_seeds);
    }
END_TEST

/* Tasks of the kind by zone, whether they may move or not. */
static void count_zones(const struct world *w, const struct place_request *r, uint32_t ret[3])
{
    memset(ret, 0, 3 * sizeof *ret);
    for (uint32_t slot = 0; slot < view_slots(w->view); slot++) {
        ret[view_owner(w->view, slot) % w->n_zones] += view_group_on(w->view, r->group, slot);
    }
}

static uint32_t squares(const uint32_t n[3])
{
    return n[0] * n[0] + n[1] * n[1] + n[2] * n[2];
}

/* No task that may move finds a node in use in a zone with two fewer. */
static void check_even(struct world *w)
{
    for (uint32_t i = 0; i < w->n_tasks; i++) {
        const struct defrag_task *t = &w->tasks[i];
        uint32_t n[3];
        if (t->request == NULL || t->follows || !zones_matter(t->request) ||
            view_capacity_of(w->view, t->slot).status != VIEW_ACTIVE) {
            continue;
        }
        count_zones(w, t->request, n);
        for (uint32_t slot = 0; slot < view_slots(w->view); slot++) {
            uint32_t daemons = 0;
            struct place_why why;
            for (uint32_t k = 0; k < w->n_tasks; k++) {
                daemons += w->tasks[k].slot == slot && w->tasks[k].follows;
            }
            ck_assert_int_eq(place_explain(w->view, t->request, slot, &why, &w->arena, NULL), 0);
            ck_assert(why.reason != PLACE_OK || view_free_of(w->view, slot).n_tasks == daemons ||
                      n[t->slot % 3] < n[slot % 3] + 2);
        }
    }
}

/* Returns the moves that a plan makes, after carrying them out. */
static uint32_t even_out(struct world *w, uint32_t budget)
{
    static struct defrag_task planned[TASKS_MAX];
    struct zones_plan plan;
    struct view *copy = view_copy(w->view, test_mem());
    memcpy(planned, w->tasks, sizeof planned);
    zones_plan(copy, planned, w->n_tasks, budget, &plan, &w->arena, &w->scratch);
    ck_assert_uint_le(plan.n_moves, budget);
    for (uint32_t i = 0; i < plan.n_moves; i++) {
        const struct zones_move *m = &plan.moves[i];
        const struct defrag_task *t = &w->tasks[m->move.task];
        uint32_t n[3], after[3], before = in_use(w, w->view);
        ck_assert(zones_matter(t->request));
        ck_assert_uint_eq(t->slot, m->from);
        ck_assert(str_eq(m->from_zone, zone_of(w, m->from)));
        ck_assert(str_eq(m->to_zone, zone_of(w, m->move.to)));
        count_zones(w, t->request, n);
        ck_assert_uint_eq(m->n_from, n[m->from % 3]);
        ck_assert_uint_eq(m->n_to, n[m->move.to % 3]);
        ck_assert_uint_ge(m->n_from, m->n_to + 2);
        carry_out(w, w->view, &m->move);
        count_zones(w, t->request, after);
        ck_assert_uint_lt(squares(after), squares(n));
        ck_assert_uint_le(in_use(w, w->view), before); /* No empty node is opened. */
    }
    for (uint32_t i = 0; i < w->n_tasks; i++) {
        ck_assert_uint_eq(planned[i].slot, w->tasks[i].slot);
    }
    ck_assert(view_audit(copy, NULL) && view_audit(w->view, NULL));
    view_close(copy);
    return plan.n_moves;
}

/* Whatever the budget, skew falls with every move, and without one nothing is left to do; evening
 * out and emptying by turns comes to an end as well. */
START_TEST(zones_become_even_move_by_move)
    {
        static struct world w;
        uint64_t n_seeds = count_seeds();
        uint32_t n_moves = 0, n_all = 0;
        for (uint64_t seed = 1; seed <= n_seeds; seed++) {
            struct defrag_plan plan;
            uint32_t round = 0, n;
            open_world(&w, seed, 3);
            n_moves += even_out(&w, below(&w, 3));
            n_moves += even_out(&w, 1000);
            check_even(&w);
            ck_assert_uint_eq(even_out(&w, 1000), 0);
            do {
                defrag_plan(w.view, w.tasks, w.n_tasks, 1000, &plan, &w.arena, &w.scratch);
                for (uint32_t i = 0; i < plan.n_moves; i++) {
                    struct defrag_task *t = &w.tasks[plan.moves[i].task];
                    struct place_run run = {.slot = plan.moves[i].to,
                                            .host_ports = plan.moves[i].host_ports};
                    t->slot = run.slot;
                    t->take = place_take(t->request, &run, &w.arena);
                }
                n = even_out(&w, 1000);
                n_all += n + plan.n_moves;
                ck_assert_uint_lt(++round, 50);
            } while (n + plan.n_moves > 0);
            close_world(&w);
        }
        ck_assert_uint_gt(n_moves, n_seeds / 2);
        ck_assert_uint_gt(n_all, n_seeds);
    }
END_TEST

START_TEST(moves_are_saved_until_enough_nodes_could_be_spared)
    {
        struct view *v = view_open(test_mem());
        struct view_take take = {.cpu = 100, .memory_mib = 900};
        uint32_t slot;
        for (uint32_t i = 0; i < 3; i++) {
            struct view_node node = {
                .id = id_derive(1, 2, i), .agent_connected = true, .cpu = 1000, .memory_mib = 1000};
            ck_assert_int_eq(view_node_add(v, &node, &slot, NULL), 0);
        }
        ck_assert(!defrag_worthwhile(v, 10)); /* Nothing runs. */
        view_take(v, 0, &take);
        ck_assert(defrag_worthwhile(v, 11)); /* 1,000 for 900. */
        ck_assert(!defrag_worthwhile(v, 12));
        take.cpu = 1000;
        view_take(v, 1, &take);
        ck_assert(defrag_worthwhile(v, 11)); /* Still by memory: CPU is half. */
        view_close(v);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("defragment");
    TEST_CASE(s, "defragment", 3600, every_move_is_possible_when_its_turn_comes,
              zones_become_even_move_by_move, moves_are_saved_until_enough_nodes_could_be_spared);
    return test_run(s);
}
