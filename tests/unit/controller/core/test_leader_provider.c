/* The leader and capacity providers: shares, providers that are full, scaling in, RunTask. */
#include "controller/core/whatif.h"
#include "tests/unit/controller/core/leader_rig.h"

/* Nodes 0 and 1 are of "a", 2 and 3 of "b", 4 of none. */
static void join(struct rig *r, uint64_t i, const char *provider, uint32_t size)
{
    struct attribute attribute = {STR("ecs.capacity-provider"), str_of(provider)};
    struct command cmd = {.kind = CMD_NODE_REGISTER};
    struct node *node = &cmd.u.node_register.node;
    cmd.u.node_register.cluster = STR("c");
    node->id = world_id(i);
    node->name = STR("machine");
    node->address = STR("10.0.0.1");
    node->cpu = size;
    node->memory = size;
    node->port_min = 32768;
    node->port_max = 60999;
    node->attributes = &attribute;
    node->n_attributes = provider == NULL ? 0 : 1;
    ck_assert_msg(world_apply(&r->w, &cmd), "%s", r->w.result.text);
    ck_assert(world_connection(&r->w, i, CONNECTION_UP));
}

static void open_pools(struct rig *r, uint32_t size_a, uint32_t size_b)
{
    static struct provider_name names[] = {{{"a", 1}}, {{"b", 1}}};
    struct command cmd = {.kind = CMD_PROVIDER_CREATE};
    open_rig(r);
    for (int i = 0; i < 2; i++) {
        cmd.u.provider.name = names[i].name;
        ck_assert(world_apply(&r->w, &cmd));
    }
    cmd = (struct command){.kind = CMD_CLUSTER_UPDATE};
    cmd.u.cluster.name = STR("c");
    cmd.u.cluster.has_providers = true;
    cmd.u.cluster.providers = names;
    cmd.u.cluster.n_providers = 2;
    ck_assert(world_apply(&r->w, &cmd));
    join(r, 0, "a", size_a);
    join(r, 1, "a", size_a);
    join(r, 2, "b", size_b);
    join(r, 3, "b", size_b);
    join(r, 4, NULL, 5000);
}

static void service(struct rig *r, uint32_t base, uint32_t a, uint32_t b)
{
    struct provider_share shares[] = {{STR("a"), base, a}, {STR("b"), 0, b}};
    struct command cmd = {.kind = CMD_SERVICE_UPDATE};
    ck_assert(world_service(&r->w, "c", "web", "f", 0));
    cmd.u.service_update.cluster = STR("c");
    cmd.u.service_update.name = STR("web");
    cmd.u.service_update.has_providers = true;
    cmd.u.service_update.providers = shares;
    cmd.u.service_update.n_providers = 2;
    ck_assert(world_apply(&r->w, &cmd));
}

static void expect(const struct rig *r, uint32_t a, uint32_t b)
{
    uint32_t n[5];
    for (uint32_t i = 0; i < 5; i++) {
        n[i] = store_node(r->w.store, i)->n_running + store_node(r->w.store, i)->n_pending;
    }
    ck_assert_uint_eq(n[0] + n[1], a);
    ck_assert_uint_eq(n[2] + n[3], b);
    ck_assert_uint_eq(n[4], 0);
}

static void scale(struct rig *r, uint32_t desired)
{
    ck_assert(world_service_scale(&r->w, "c", "web", desired));
    run(r, 3);
}

START_TEST(providers_get_their_shares_and_keep_them)
    {
        struct rig r;
        open_pools(&r, 2000, 2000);
        service(&r, 2, 1, 3);
        scale(&r, 2);
        expect(&r, 2, 0);
        scale(&r, 10);
        expect(&r, 4, 6);
        scale(&r, 14);
        expect(&r, 5, 9);
        scale(&r, 6);
        expect(&r, 3, 3);
        scale(&r, 1);
        expect(&r, 1, 0);
        close_rig(&r);
    }
END_TEST

START_TEST(a_full_provider_refuses_and_says_so)
    {
        struct rig r;
        open_pools(&r, 200, 2000);
        service(&r, 0, 1, 1);
        scale(&r, 12);
        expect(&r, 4, 6);
        ck_assert_uint_ge(count_said(&r, "(service web) was unable to place a task because in "
                                         "capacity provider a no container instance"),
                          1);
        join(&r, 5, "a", 1000);
        run(&r, 3);
        expect(&r, 4, 6);
        ck_assert_uint_eq(store_node(r.w.store, 5)->n_running, 2);
        ck_assert_uint_eq(service_of(&r)->n_running, 12);
        close_rig(&r);
    }
END_TEST

START_TEST(tasks_that_do_not_run_yet_still_go_first)
    {
        struct rig r;
        open_pools(&r, 2000, 2000);
        service(&r, 0, 1, 1);
        scale(&r, 4);
        ck_assert(world_service_scale(&r.w, "c", "web", 8));
        settle(&r);
        ck_assert_uint_eq(service_of(&r)->n_pending, 4);
        ck_assert(world_service_scale(&r.w, "c", "web", 3));
        settle(&r);
        ck_assert_uint_eq(service_of(&r)->n_wanted, 3);
        for (uint32_t i = 0; i < store_slots(r.w.store, KIND_TASK); i++) {
            const struct task *t = store_task(r.w.store, i);
            ck_assert(t->desired == TASK_STOPPED || t->status == TASK_RUNNING);
        }
        close_rig(&r);
    }
END_TEST

START_TEST(a_run_is_shared_out_and_what_does_not_fit_is_refused_by_name)
    {
        struct rig r;
        struct provider_share shares[] = {{STR("a"), 0, 1}, {STR("b"), 0, 1}};
        struct run_request q = {.count = 8,
                                .cpu = 100,
                                .memory = 100,
                                .group = STR("g"),
                                .providers = shares,
                                .n_providers = 2,
                                .seed = 7};
        struct run_decision d;
        open_pools(&r, 2000, 100);
        ck_assert_int_eq(leader_run(r.l, &q, r.w.now, &r.arena, &d, NULL), 0);
        ck_assert_uint_eq(d.command.u.plan.n_tasks, 6);
        ck_assert_uint_eq(d.n_failures, 2);
        ck_assert(str_eqc(d.failures[0].reason, "RESOURCE:MEMORY") ||
                  str_eqc(d.failures[0].reason, "RESOURCE:CPU"));
        ck_assert(str_starts(d.failures[0].detail, "capacity provider b: "));
        leader_settle(r.l);
        shares[1].provider = STR("empty");
        ck_assert_int_eq(leader_run(r.l, &q, r.w.now, &r.arena, &d, NULL), 0);
        ck_assert_uint_eq(d.command.u.plan.n_tasks, 4);
        ck_assert_uint_eq(d.n_failures, 1);
        ck_assert(str_eqc(d.failures[0].reason,
                          "No Container Instances were found in your capacity provider."));
        ck_assert(str_eqc(d.failures[0].detail, "capacity provider empty"));
        leader_settle(r.l);
        close_rig(&r);
    }
END_TEST

/* Plans and explanations look at the nodes of the strategy, not at others. */
START_TEST(other_nodes_are_out_of_the_question)
    {
        struct rig r;
        struct place_request request;
        struct survey survey;
        struct whatif *w;
        open_pools(&r, 2000, 2000);
        service(&r, 0, 1, 1);
        w = whatif_open(r.l, 0, &r.arena);
        ck_assert_int_eq(whatif_explain_service(w, 0, &request, &survey, NULL), 0);
        ck_assert_uint_eq(survey.n_nodes, 5);
        ck_assert_uint_eq(survey.n_feasible, 4);
        whatif_close(w);
        close_rig(&r);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("leader, providers");
    TEST_CASE(s, "providers", 30, providers_get_their_shares_and_keep_them,
              a_full_provider_refuses_and_says_so, tasks_that_do_not_run_yet_still_go_first,
              a_run_is_shared_out_and_what_does_not_fit_is_refused_by_name,
              other_nodes_are_out_of_the_question);
    return test_run(s);
}
