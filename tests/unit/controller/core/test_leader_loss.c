/* Many nodes fall silent at once: who is given up, who says so, who goes on leading. */
#include "tests/unit/controller/core/leader_rig.h"

static void guard_leader(struct rig *r)
{
    static const struct leader_settings settings = {LOST_MS, GRACE_MS, 1000, 55};
    leader_close(r->l);
    r->l = leader_open(r->w.store, &settings, r->w.now, test_mem());
}

/* Nodes from `silent` on are heard while `ms` pass; the others stop within `fade`, one by one. */
static void hear(struct rig *r, unsigned silent, unsigned n, int64_t ms, int64_t fade)
{
    for (int64_t at = 0; at < ms; at += 500) {
        r->w.now += 500;
        for (unsigned i = 0; i < n; i++) {
            if (i >= silent || at < fade * (int64_t)i / (int64_t)n) {
                leader_heartbeat(r->l, world_id(i), r->w.now);
            }
        }
        settle(r);
    }
}

static unsigned given_up(const struct rig *r)
{
    unsigned n = 0;
    for (uint32_t i = 0; i < store_slots(r->w.store, KIND_NODE); i++) {
        n += !store_node(r->w.store, i)->connected;
    }
    return n;
}

static const struct loss_case {
    unsigned nodes;
    unsigned silent;
    unsigned soon; /* Given up when they are due. */
    uint8_t loss;
} loss_cases[] = {
    {1, 1, 0, LEADER_LOSS_ALL},   {2, 1, 1, LEADER_LOSS_FEW},  {2, 2, 0, LEADER_LOSS_ALL},
    {3, 1, 1, LEADER_LOSS_FEW},   {3, 2, 2, LEADER_LOSS_FEW},  {3, 3, 0, LEADER_LOSS_ALL},
    {4, 3, 0, LEADER_LOSS_MANY},  {9, 5, 0, LEADER_LOSS_MANY}, {10, 5, 5, LEADER_LOSS_FEW},
    {10, 10, 0, LEADER_LOSS_ALL},
};

START_TEST(nodes_that_fall_silent_in_numbers_are_not_given_up_at_once)
    {
        const struct loss_case *c = &loss_cases[_i];
        struct rig r;
        open_rig(&r);
        guard_leader(&r);
        add_nodes(&r, c->nodes);
        ck_assert(world_service(&r.w, "c", "web", "f", c->nodes));
        run(&r, 2);
        hear(&r, 0, c->nodes, LOST_MS, 0); /* All is well for a while. */
        hear(&r, c->silent, c->nodes, LOST_MS + 5000, 3000);
        ck_assert_uint_eq(given_up(&r), c->soon);
        if (c->soon > 0) {
            ck_assert_uint_eq(service_of(&r)->n_active, c->nodes); /* Replaced. */
        } else {
            ck_assert_uint_eq(leader_nodes(r.l).n_silent, c->silent);
            ck_assert_uint_eq(leader_nodes(r.l).loss, c->loss);
        }
        ck_assert(leader_take_handover(r.l) == (c->loss == LEADER_LOSS_ALL));
        hear(&r, c->silent, c->nodes, 3 * LOST_MS, 0);
        ck_assert(!leader_take_handover(r.l)); /* Once. */
        if (c->loss == LEADER_LOSS_MANY) {
            ck_assert_uint_gt(given_up(&r), 0);
        } else {
            ck_assert_uint_eq(given_up(&r), c->soon);
        }
        close_rig(&r);
    }
END_TEST

START_TEST(services_say_once_why_their_tasks_are_not_replaced_and_go_on_when_nodes_are_back)
    {
        struct rig r;
        unsigned n = 0;
        open_rig(&r);
        guard_leader(&r);
        add_nodes(&r, 4);
        ck_assert(world_service(&r.w, "c", "web", "f", 4));
        run(&r, 2);
        hear(&r, 3, 4, LOST_MS + 5000, 0);
        hear(&r, 0, 4, LOST_MS, 0);
        for (uint32_t i = 0; i < service_of(&r)->n_events; i++) {
            n += str_ends(service_of(&r)->events[i].message, "3 of 4 container instances fell "
                                                             "silent at once.");
        }
        ck_assert_uint_eq(n, 1);
        ck_assert_uint_eq(given_up(&r), 0);
        ck_assert_uint_eq(leader_nodes(r.l).loss, LEADER_LOSS_FEW);
        hear(&r, 1, 4, LOST_MS + 5000, 0); /* One alone is still given up. */
        ck_assert_uint_eq(given_up(&r), 1);
        close_rig(&r);
    }
END_TEST

START_TEST(a_leader_that_never_heard_a_node_keeps_leadership)
    {
        struct rig r;
        open_rig(&r);
        add_nodes(&r, 3);
        ck_assert(world_service(&r.w, "c", "web", "f", 3));
        run(&r, 2);
        guard_leader(&r);
        pass_time(&r, 10 * LOST_MS);
        ck_assert_uint_eq(given_up(&r), 0);
        ck_assert_uint_eq(leader_nodes(r.l).loss, LEADER_LOSS_ALL);
        ck_assert(!leader_take_handover(r.l));
        close_rig(&r);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("leader, mass loss");
    TCase *c = tcase_create("cases");
    TEST_CASE(s, "loss", 30,
              services_say_once_why_their_tasks_are_not_replaced_and_go_on_when_nodes_are_back,
              a_leader_that_never_heard_a_node_keeps_leadership);
    tcase_add_loop_test(c, nodes_that_fall_silent_in_numbers_are_not_given_up_at_once, 0,
                        sizeof loss_cases / sizeof loss_cases[0]);
    suite_add_tcase(s, c);
    return test_run(s);
}
