/* Plans against what then really happens. */
#include "controller/core/whatif.h"

#include "common/base/prng.h"
#include "tests/lib/test.h"
#include "tests/unit/controller/core/leader_rig.h"

/* Two services, or only the first, all of whose tasks run. */
static void open_lab_of(struct rig *r, uint32_t n_nodes, uint32_t n_services)
{
    open_rig(r);
    add_nodes(r, n_nodes);
    ck_assert(world_taskdef(&r->w, "large", 400, 300, 0));
    ck_assert(world_service(&r->w, "c", "a", "f", 2 * n_nodes));
    ck_assert(n_services == 1 || world_service(&r->w, "c", "b", "large", n_nodes));
    run(r, 4);
    ck_assert_uint_eq(store_service(r->w.store, 0)->n_running, 2 * n_nodes);
    ck_assert(n_services == 1 || store_service(r->w.store, 1)->n_running == n_nodes);
}

static void open_lab(struct rig *r, uint32_t n_nodes)
{
    open_lab_of(r, n_nodes, 2);
}

static const struct whatif_item *item_of(const struct whatif_result *result, uint32_t service)
{
    for (uint32_t i = 0; i < result->n_items; i++) {
        if (result->items[i].service == service) {
            return &result->items[i];
        }
    }
    return NULL;
}

/* Tasks that a service has on a node, not those on their way out. */
static uint32_t tasks_on(const struct rig *r, uint32_t service, uint32_t node)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < store_slots(r->w.store, KIND_TASK); i++) {
        const struct task *t = store_task(r->w.store, i);
        n += t != NULL && t->service == service && t->node == node && t->status != TASK_STOPPED &&
             t->desired == TASK_RUNNING;
    }
    return n;
}

/* Which node gets a task may depend on which service is looked at first, so the nodes are compared
 * where there is one. */
static void drain_as_planned(uint32_t n_services)
{
    struct rig r;
    struct arena arena;
    struct whatif_result result;
    uint32_t nodes[] = {0, 3, 0}; /* One of them twice. */
    uint32_t before[2][10], n_moved = 0;
    open_lab_of(&r, 10, n_services);
    uint64_t digest = store_meta(r.w.store)->digest;
    arena_init(&arena, test_mem());
    for (uint32_t i = 0; i < n_services * 10; i++) {
        before[i / 10][i % 10] = tasks_on(&r, i / 10, i % 10);
    }
    struct whatif *w = whatif_open(r.l, 0, &arena);
    ck_assert_int_eq(whatif_drain(w, nodes, 3, false, &result, NULL), 0);
    ck_assert(view_audit(whatif_view(w), NULL));
    whatif_close(w);
    ck_assert_uint_eq(store_meta(r.w.store)->digest, digest);
    check_views(&r);
    ck_assert(world_node_state(&r.w, "c", 0, NODE_DRAINING));
    ck_assert(world_node_state(&r.w, "c", 3, NODE_DRAINING));
    run(&r, 6);
    for (uint32_t s = 0; s < n_services; s++) {
        const struct whatif_item *item = item_of(&result, s);
        uint32_t moved = before[s][0] + before[s][3];
        ck_assert_uint_eq(item == NULL ? 0 : item->n_wanted, moved);
        ck_assert_uint_eq(item == NULL ? 0 : item->n_placed, moved);
        ck_assert_uint_eq(tasks_on(&r, s, 0) + tasks_on(&r, s, 3), 0);
        for (uint32_t i = 0; n_services == 1 && i < item->n_targets; i++) {
            uint32_t node = item->targets[i].node;
            ck_assert_uint_eq(tasks_on(&r, s, node) - before[s][node], item->targets[i].n_tasks);
        }
        n_moved += moved;
    }
    ck_assert_uint_gt(n_moved, 0);
    ck_assert_uint_eq(result.after.n_tasks, result.before.n_tasks);
    arena_close(&arena);
    close_rig(&r);
}

START_TEST(a_drain_goes_as_it_was_planned)
    {
        drain_as_planned(1);
        drain_as_planned(2);
    }
END_TEST

START_TEST(what_has_no_room_says_why_and_what_would_help)
    {
        struct rig r;
        struct arena arena;
        struct whatif_result result;
        struct survey survey;
        struct place_request request;
        struct buf b;
        uint32_t desired = 40;
        open_lab(&r, 4);
        arena_init(&arena, test_mem());
        buf_init(&b, test_mem(), 1000);
        struct whatif *w = whatif_open(r.l, 0, &arena);
        ck_assert_int_eq(whatif_service(w, 1, &desired, SLOT_NONE, &result, NULL), 0);
        ck_assert_uint_eq(result.n_items, 1);
        ck_assert_uint_eq(result.items[0].n_wanted, 36);
        ck_assert_uint_eq(result.items[0].n_placed, 4); /* 400 free on each of four. */
        ck_assert(str_starts(result.items[0].reason, "no container instance met all of"));
        ck_assert_ptr_nonnull(result.items[0].why);
        ck_assert_int_eq(whatif_explain_service(w, 1, &request, &survey, NULL), 0);
        ck_assert_uint_eq(survey.n_feasible, 0);
        ck_assert_uint_eq(survey.n_groups, 1);
        survey_group_text(&request, &survey.groups[0], &b);
        ck_assert_str_eq(buf_cstr(&b), "needs 400 CPU units, at most 0 are available; needs 300 "
                                       "MiB of memory, at most 200 are available");
        buf_clear(&b);
        ck_assert_uint_eq(survey.n_fixes, 1); /* Nothing is left of the CPU. */
        survey_fix_text(whatif_view(w), &request, &survey.fixes[0], &b);
        ck_assert_str_eq(buf_cstr(&b), "1 more node in a (1000 CPU units, 1000 MiB)");
        whatif_close(w);
        buf_close(&b);
        arena_close(&arena);
        close_rig(&r);
    }
END_TEST

START_TEST(steps_see_what_those_before_them_did)
    {
        struct rig r;
        struct arena arena;
        struct whatif_result result;
        struct view_node like;
        uint32_t none = 0, more = 40, first = 0;
        open_lab(&r, 4);
        arena_init(&arena, test_mem());
        struct whatif *w = whatif_open(r.l, 0, &arena);
        /* A node is gone: 1 + 2 tasks go elsewhere; there is room for them. */
        ck_assert_int_eq(whatif_drain(w, &first, 1, true, &result, NULL), 0);
        ck_assert_uint_eq(item_of(&result, 0)->n_placed, 2);
        ck_assert_uint_eq(item_of(&result, 1)->n_placed, 1);
        ck_assert_uint_eq(result.after.n_nodes, 3);
        ck_assert_int_eq(whatif_drain(w, &first, 1, true, &result, NULL), ERR_NOTFOUND);
        /* One service wants more than there is, new nodes take the rest. */
        ck_assert_int_eq(whatif_service(w, 1, &more, SLOT_NONE, &result, NULL), 0);
        uint32_t missing = result.items[0].n_wanted - result.items[0].n_placed;
        ck_assert_uint_gt(missing, 0);
        like = whatif_like(w, 1);
        ck_assert_int_eq(whatif_add(w, &like, 30, &result, NULL), 0);
        ck_assert_uint_eq(result.n_items, 1);
        ck_assert_uint_eq(result.items[0].n_placed, missing);
        ck_assert_uint_ge(result.items[0].targets[0].node, WHATIF_NEW);
        ck_assert_uint_eq(result.after.n_nodes, 33);
        /* And stops all of them again. */
        ck_assert_int_eq(whatif_service(w, 1, &none, SLOT_NONE, &result, NULL), 0);
        ck_assert_uint_eq(result.items[0].n_stopped, 40);
        ck_assert_int_eq(whatif_service(w, 0, &none, SLOT_NONE, &result, NULL), 0);
        ck_assert_uint_eq(result.after.n_tasks, 0);
        ck_assert(view_audit(whatif_view(w), NULL));
        whatif_close(w);
        arena_close(&arena);
        close_rig(&r);
    }
END_TEST

START_TEST(nodes_are_emptied_as_the_planner_says)
    {
        struct rig r;
        struct arena arena;
        struct whatif_result result, again;
        struct whatif_shape tasks[WHATIF_SHAPES_MAX], nodes[WHATIF_SHAPES_MAX];
        uint32_t n_tasks, n_nodes;
        open_lab(&r, 10); /* 20 tasks of 100 and 10 of 400 CPU units on 10 nodes of 1,000. */
        arena_init(&arena, test_mem());
        struct whatif *w = whatif_open(r.l, 0, &arena);
        ck_assert(whatif_shapes(w, tasks, &n_tasks, nodes, &n_nodes));
        ck_assert_uint_eq(n_tasks, 2);
        ck_assert_uint_eq(tasks[0].count + tasks[1].count, 30);
        ck_assert_uint_eq(n_nodes, 1);
        ck_assert_uint_eq(nodes[0].count, 10);
        ck_assert_int_eq(whatif_rebalance(w, 7, true, &result, NULL), 0);
        ck_assert_uint_eq(result.n_emptied, 2); /* Three tasks each. */
        ck_assert_uint_eq(result.before.n_used - result.after.n_used, 2);
        ck_assert_uint_eq(result.after.n_tasks, result.before.n_tasks);
        ck_assert_int_eq(whatif_rebalance(w, WHATIF_MOVES_MAX, true, &again, NULL), 0);
        ck_assert(view_audit(whatif_view(w), NULL));
        ck_assert_uint_eq(again.after.n_tasks, result.before.n_tasks);
        ck_assert(whatif_shapes(w, tasks, &n_tasks, nodes, &n_nodes));
        ck_assert_uint_eq(tasks[0].count + tasks[1].count, 30);
        whatif_close(w);
        check_views(&r);
        arena_close(&arena);
        close_rig(&r);
    }
END_TEST

/* A service was started while zone b (nodes 1 and 3) took nothing. */
START_TEST(zones_are_evened_out_before_nodes_are_emptied)
    {
        struct rig r;
        struct arena arena;
        struct whatif_result result;
        open_rig(&r);
        add_nodes(&r, 4);
        ck_assert(world_node_state(&r.w, "c", 1, NODE_DRAINING));
        ck_assert(world_node_state(&r.w, "c", 3, NODE_DRAINING));
        ck_assert(world_service(&r.w, "c", "skewed", "f", 6));
        run(&r, 4);
        ck_assert(world_node_state(&r.w, "c", 1, NODE_ACTIVE));
        ck_assert(world_node_state(&r.w, "c", 3, NODE_ACTIVE));
        arena_init(&arena, test_mem());
        struct whatif *w = whatif_open(r.l, 0, &arena);
        ck_assert_int_eq(whatif_rebalance(w, 10, true, &result, NULL), 0);
        ck_assert_uint_eq(result.n_zone_moves, 0); /* It would open a node. */
        whatif_close(w);
        ck_assert(world_service(&r.w, "c", "even", "f", 4));
        run(&r, 4);
        w = whatif_open(r.l, 0, &arena);
        ck_assert_int_eq(whatif_rebalance(w, 3, false, &result, NULL), 0);
        ck_assert_uint_eq(result.n_zone_moves, 0);
        whatif_close(w);
        w = whatif_open(r.l, 0, &arena);
        ck_assert_int_eq(whatif_rebalance(w, 3, true, &result, NULL), 0);
        ck_assert_uint_eq(result.n_zone_moves, 3);
        for (uint32_t i = 0; i < 3; i++) {
            const struct whatif_zone_move *m = &result.zone_moves[i];
            ck_assert_uint_eq(m->service, 0);
            ck_assert_uint_eq(m->from % 2, 0);
            ck_assert_uint_eq(m->to % 2, 1);
            ck_assert(str_eqc(m->from_zone, "a"));
            ck_assert(str_eqc(m->to_zone, "b"));
            ck_assert_uint_eq(m->n_from, 6 - i);
            ck_assert_uint_eq(m->n_to, i);
        }
        ck_assert_uint_eq(result.n_emptied, 0); /* The moves are used up. */
        ck_assert_uint_eq(result.after.n_tasks, result.before.n_tasks);
        ck_assert(view_audit(whatif_view(w), NULL));
        ck_assert_int_eq(whatif_rebalance(w, 10, true, &result, NULL), 0);
        ck_assert_uint_eq(result.n_zone_moves, 0);
        whatif_close(w);
        check_views(&r);
        arena_close(&arena);
        close_rig(&r);
    }
END_TEST

START_TEST(a_step_larger_than_the_limits_is_refused)
    {
        struct rig r;
        struct arena arena;
        struct whatif_result result;
        struct err err = {0};
        struct run_request run = {.count = WHATIF_TASKS_MAX + 1, .group = STR("g")};
        uint32_t desired = WHATIF_TASKS_MAX + 1;
        open_lab(&r, 3);
        arena_init(&arena, test_mem());
        struct whatif *w = whatif_open(r.l, 0, &arena);
        struct view_node like = whatif_like(w, 0);
        ck_assert_int_eq(whatif_run(w, &run, &result, &err), ERR_INVALID);
        ck_assert_str_eq(err.text, "a step may start at most 250000 tasks, not 250001");
        ck_assert_int_eq(whatif_service(w, 0, &desired, SLOT_NONE, &result, NULL), ERR_INVALID);
        ck_assert_int_eq(whatif_add(w, &like, WHATIF_NODES_MAX + 1, &result, NULL), ERR_INVALID);
        ck_assert_int_eq(whatif_add(w, &like, 2, &result, NULL), 0);
        ck_assert_int_eq(whatif_add(w, &like, WHATIF_NODES_MAX - 1, &result, &err), ERR_INVALID);
        ck_assert_str_eq(err.text, "count: at most 100000 nodes can be added, not 2 and 99999");
        ck_assert_int_eq(whatif_rebalance(w, WHATIF_MOVES_MAX + 1, true, &result, NULL),
                         ERR_INVALID);
        ck_assert(view_audit(whatif_view(w), NULL));
        whatif_close(w);
        arena_close(&arena);
        close_rig(&r);
    }
END_TEST

START_TEST(another_definition_is_rolled_out_within_its_bounds)
    {
        struct rig r;
        struct arena arena;
        struct whatif_result result;
        open_lab(&r, 6);
        ck_assert(world_taskdef(&r.w, "huge", 2000, 100, 0));
        arena_init(&arena, test_mem());
        struct whatif *w = whatif_open(r.l, 0, &arena);
        uint32_t large = store_find_taskdef(r.w.store, STR("large"), 1);
        uint32_t huge = store_find_taskdef(r.w.store, STR("huge"), 1);
        ck_assert_int_eq(whatif_service(w, 0, NULL, huge, &result, NULL), 0);
        ck_assert_uint_eq(result.items[0].n_placed, 0); /* Larger than any node: all are kept. */
        ck_assert_uint_eq(result.items[0].n_stopped, 0);
        ck_assert_int_eq(whatif_service(w, 0, NULL, large, &result, NULL), 0);
        /* 600 units a node are left by the other service: one of 400 each, and no old ones. */
        ck_assert_uint_eq(result.items[0].n_wanted, 12);
        ck_assert_uint_eq(result.items[0].n_placed, 6);
        whatif_close(w);
        arena_close(&arena);
        close_rig(&r);
    }
END_TEST

START_TEST(daemons_go_with_their_nodes_and_come_with_new_ones)
    {
        struct rig r;
        struct arena arena;
        struct whatif_result result;
        struct survey survey;
        struct place_request request;
        uint32_t first = 0, two = 2;
        struct err err = {0};
        open_rig(&r);
        add_nodes(&r, 3);
        ck_assert(world_daemon(&r.w, "c", "d", "f"));
        run(&r, 3);
        arena_init(&arena, test_mem());
        struct whatif *w = whatif_open(r.l, 0, &arena);
        struct view_node like = whatif_like(w, 0);
        ck_assert_int_eq(whatif_explain_service(w, 0, &request, &survey, NULL), 0);
        ck_assert_uint_eq(survey.n_feasible, 0); /* Everywhere there is one. */
        ck_assert_uint_eq(survey.refused[PLACE_DISTINCT], 3);
        ck_assert_int_eq(whatif_service(w, 0, &two, SLOT_NONE, &result, &err), ERR_INVALID);
        ck_assert_int_eq(whatif_drain(w, &first, 1, false, &result, NULL), 0);
        ck_assert_uint_eq(result.items[0].n_wanted, 0);
        ck_assert_uint_eq(result.items[0].n_stopped, 1);
        ck_assert_int_eq(whatif_add(w, &like, 2, &result, NULL), 0);
        ck_assert_uint_eq(result.items[0].n_wanted, 2);
        ck_assert_uint_eq(result.items[0].n_placed, 2);
        like.cpu = 50;
        ck_assert_int_eq(whatif_add(w, &like, 1, &result, NULL), 0);
        ck_assert_uint_eq(result.items[0].n_wanted, 1); /* It is one for it, and too small. */
        ck_assert_uint_eq(result.items[0].n_placed, 0);
        ck_assert_int_eq(whatif_drain(w, &two, 1, true, &result, NULL), 0);
        ck_assert_uint_eq(result.after.n_tasks, 3);
        whatif_close(w);
        arena_close(&arena);
        close_rig(&r);
    }
END_TEST

START_TEST(a_task_that_runs_is_explained_as_if_it_were_new)
    {
        struct rig r;
        struct arena arena;
        struct survey survey;
        struct place_request request;
        open_lab(&r, 5);
        arena_init(&arena, test_mem());
        for (uint32_t i = 0; i < store_slots(r.w.store, KIND_TASK); i++) {
            const struct task *t = store_task(r.w.store, i);
            struct whatif *w = whatif_open(r.l, 0, &arena);
            ck_assert_int_eq(whatif_explain_task(w, i, &request, &survey, NULL), 0);
            ck_assert_uint_eq(survey.n_nodes, 5);
            for (uint32_t k = 0; k < survey.n_nodes; k++) {
                if (view_owner(whatif_view(w), survey.nodes[k].slot) == t->node) {
                    ck_assert_uint_gt(survey.nodes[k].rank, 0); /* Where it is there is room. */
                }
            }
            whatif_close(w);
        }
        check_views(&r);
        arena_close(&arena);
        close_rig(&r);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("whatif");
    TEST_CASE(s, "whatif", 30, a_drain_goes_as_it_was_planned,
              what_has_no_room_says_why_and_what_would_help, steps_see_what_those_before_them_did,
              nodes_are_emptied_as_the_planner_says, zones_are_evened_out_before_nodes_are_emptied,
              another_definition_is_rolled_out_within_its_bounds,
              a_step_larger_than_the_limits_is_refused,
              daemons_go_with_their_nodes_and_come_with_new_ones,
              a_task_that_runs_is_explained_as_if_it_were_new);
    return test_run(s);
}
