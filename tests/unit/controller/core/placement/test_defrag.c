/* Plans to empty nodes, carried out one move after the other on another view. */
#include "controller/core/placement/defrag.h"

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

static void add_nodes(struct world *w)
{
    for (uint32_t i = 0; i < N_NODES; i++) {
        struct view_attribute attributes[] = {{STR("rack"), below(w, 2) ? STR("r1") : STR("r2")},
                                              {STR(VIEW_ATTRIBUTE_ZONE), STR("a")}};
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

static void run_one(uint64_t seed, uint32_t *n_moves)
{
    static struct world w;
    struct defrag_plan plan;
    memset(&w, 0, sizeof w);
    prng_init(&w.prng, seed);
    arena_init(&w.arena, test_mem());
    arena_init(&w.scratch, test_mem());
    w.view = view_open(test_mem());
    draw_kinds(&w);
    add_nodes(&w);
    fill(&w);
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
    view_close(w.view);
    arena_close(&w.arena);
    arena_close(&w.scratch);
}

START_TEST(every_move_is_possible_when_its_turn_comes)
    {
        const char *text = getenv("PLACE_SEEDS");
        uint64_t n_seeds = 300;
        uint32_t n_moves = 0;
        if (text != NULL) {
            ck_assert(str_u64(str_of(text), &n_seeds));
        }
        for (uint64_t seed = 1; seed <= n_seeds; seed++) {
            run_one(seed, &n_moves);
        }
        ck_assert_uint_gt(n_moves, n_seeds);
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
    TEST_CASE(s, "defragment", 120, every_move_is_possible_when_its_turn_comes,
              moves_are_saved_until_enough_nodes_could_be_spared);
    return test_run(s);
}
