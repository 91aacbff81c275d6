/* Room that is made by stopping tasks of lower priority, kept for daemons, or spared. */
#include "tests/unit/controller/core/leader_rig.h"

static const struct service *named(const struct rig *r, const char *name)
{
    uint32_t slot = store_find_service(r->w.store, 0, str_of(name));
    ck_assert_uint_ne(slot, SLOT_NONE);
    return store_service(r->w.store, slot);
}

static uint32_t n_running(const struct rig *r, const char *name)
{
    return named(r, name)->n_running;
}

static bool said_by(const struct rig *r, const char *name, const char *text)
{
    const struct service *v = named(r, name);
    for (uint32_t i = 0; i < v->n_events; i++) {
        if (memmem(v->events[i].message.p, v->events[i].message.n, text, strlen(text)) != NULL) {
            return true;
        }
    }
    return false;
}

START_TEST(a_service_of_higher_priority_has_others_stopped_and_no_more_than_it_needs)
    {
        struct rig r;
        open_rig(&r);
        add_nodes(&r, 2);
        ck_assert(world_service_with(&r.w, "c", "low", "f", 8, CONSTRAINT_PRIORITY, "10"));
        ck_assert(world_service(&r.w, "c", "usual", "f", 12));
        run(&r, 2);
        ck_assert_uint_eq(n_running(&r, "low") + n_running(&r, "usual"), 20);
        ck_assert(world_service_with(&r.w, "c", "high", "f", 5, CONSTRAINT_PRIORITY, "90"));
        run(&r, 4);
        ck_assert_uint_eq(n_running(&r, "high"), 5);
        ck_assert_uint_eq(n_running(&r, "low"), 3);
        ck_assert_uint_eq(n_running(&r, "usual"), 12);
        ck_assert(said_by(&r, "high", "has 5 tasks of lower priority stopped"));
        ck_assert(!said_by(&r, "high", "was unable to place"));
        ck_assert(said_by(&r, "low", "was unable to place"));
        /* When the low ones are all gone, those of the usual priority follow. */
        ck_assert(world_service_scale(&r.w, "c", "high", 10));
        run(&r, 4);
        ck_assert_uint_eq(n_running(&r, "high"), 10);
        ck_assert_uint_eq(n_running(&r, "low"), 0);
        ck_assert_uint_eq(n_running(&r, "usual"), 10);
        /* Nobody of its own priority or above has to go, and what does not help is left alone. */
        ck_assert(world_service_with(&r.w, "c", "equal", "f", 15, CONSTRAINT_PRIORITY, "90"));
        run(&r, 8);
        ck_assert_uint_eq(n_running(&r, "high"), 10);
        ck_assert_uint_eq(n_running(&r, "equal"), 10);
        ck_assert(said_by(&r, "equal", "was unable to place"));
        /* They come back where there is room again. */
        ck_assert(world_service_delete(&r.w, "c", "high", true));
        run(&r, 8);
        ck_assert_uint_eq(n_running(&r, "equal"), 15);
        ck_assert_uint_eq(n_running(&r, "usual"), 5);
        close_rig(&r);
    }
END_TEST

/* Who is stopped for others in a pass does not count as one to spare later in it. */
START_TEST(a_service_that_scales_in_knows_what_others_stopped)
    {
        struct rig r;
        open_rig(&r);
        add_nodes(&r, 2);
        ck_assert(world_service_with(&r.w, "c", "high", "f", 0, CONSTRAINT_PRIORITY, "90"));
        ck_assert(world_service_with(&r.w, "c", "low", "f", 20, CONSTRAINT_PRIORITY, "10"));
        run(&r, 2);
        ck_assert_uint_eq(n_running(&r, "low"), 20);
        ck_assert(world_service_scale(&r.w, "c", "high", 3));
        ck_assert(world_service_scale(&r.w, "c", "low", 17));
        settle(&r);
        ck_assert_uint_eq(named(&r, "low")->n_wanted, 17);
        run(&r, 3);
        ck_assert_uint_eq(n_running(&r, "low"), 17);
        ck_assert_uint_eq(n_running(&r, "high"), 3);
        close_rig(&r);
    }
END_TEST

START_TEST(the_room_is_kept_until_the_victims_have_stopped)
    {
        struct rig r;
        uint32_t n_stopping = 0;
        open_rig(&r);
        add_nodes(&r, 1);
        ck_assert(world_service_with(&r.w, "c", "low", "f", 10, CONSTRAINT_PRIORITY, "10"));
        run(&r, 2);
        ck_assert(world_service_with(&r.w, "c", "high", "f", 2, CONSTRAINT_PRIORITY, "90"));
        settle(&r); /* No agent has done anything. */
        for (uint32_t i = 0; i < store_slots(r.w.store, KIND_TASK); i++) {
            n_stopping += store_task(r.w.store, i)->desired == TASK_STOPPED;
        }
        ck_assert_uint_eq(n_stopping, 2);
        /* Many looks and a new leader stop nobody else. */
        for (int i = 0; i < 5; i++) {
            r.w.now += 2000;
            heartbeats(&r);
            leader_mark(r.l, 1);
            settle(&r);
            check_views(&r);
            if (i == 2) {
                start_leader(&r);
            }
        }
        n_stopping = 0;
        for (uint32_t i = 0; i < store_slots(r.w.store, KIND_TASK); i++) {
            n_stopping += store_task(r.w.store, i)->desired == TASK_STOPPED;
        }
        ck_assert_uint_eq(n_stopping, 2);
        run(&r, 1);
        ck_assert_uint_eq(n_running(&r, "low"), 8);
        run(&r, 1);
        ck_assert_uint_eq(n_running(&r, "high"), 2);
        ck_assert_uint_eq(n_running(&r, "low"), 8);
        close_rig(&r);
    }
END_TEST

START_TEST(replacements_of_a_rollout_stop_nobody_else)
    {
        struct rig r;
        open_rig(&r);
        add_nodes(&r, 1);
        ck_assert(world_taskdef(&r.w, "g", 100, 100, -1));
        ck_assert(world_service_with(&r.w, "c", "high", "f", 4, CONSTRAINT_PRIORITY, "90"));
        run(&r, 2);
        ck_assert(world_service_with(&r.w, "c", "low", "f", 6, CONSTRAINT_PRIORITY, "10"));
        run(&r, 2);
        ck_assert(world_service_taskdef(&r.w, "c", "high", "g", 1));
        run(&r, 12);
        ck_assert_uint_eq(named(&r, "high")->n_wanted_new, 4);
        ck_assert_uint_eq(n_running(&r, "high"), 4);
        ck_assert_uint_eq(n_running(&r, "low"), 6);
        ck_assert(!said_by(&r, "high", "lower priority"));
        close_rig(&r);
    }
END_TEST

static struct run_request urgent(const struct constraint *priority)
{
    return (struct run_request){.count = 2,
                                .cpu = 300,
                                .memory = 100,
                                .group = STR("family:f"),
                                .started_by = STR("me"),
                                .constraints = priority,
                                .n_constraints = 1,
                                .seed = 7};
}

START_TEST(a_run_of_higher_priority_is_sent_again_and_finds_its_room)
    {
        struct rig r;
        struct constraint priority = {CONSTRAINT_PRIORITY, STR("70")};
        struct run_request q = urgent(&priority);
        struct run_decision d;
        open_rig(&r);
        add_nodes(&r, 1);
        ck_assert(world_service(&r.w, "c", "usual", "f", 20));
        run(&r, 2);
        ck_assert_int_eq(leader_run(r.l, &q, r.w.now, &r.arena, &d, NULL), 0);
        ck_assert_uint_eq(d.command.u.plan.n_tasks, 0);
        ck_assert_uint_eq(d.command.u.plan.n_stops, 6);
        ck_assert_uint_eq(d.n_failures, 2);
        ck_assert(str_eqc(d.failures[1].reason, "PREEMPTING"));
        ck_assert(world_apply(&r.w, &d.command));
        leader_settle(r.l);
        run(&r, 3); /* The service may not take it back. */
        ck_assert_uint_eq(n_running(&r, "usual"), 4);
        ck_assert_int_eq(leader_run(r.l, &q, r.w.now, &r.arena, &d, NULL), 0);
        ck_assert_uint_eq(d.command.u.plan.n_tasks, 2);
        ck_assert_uint_eq(d.command.u.plan.tasks[0].priority, 70);
        ck_assert_uint_eq(d.command.u.plan.n_stops, 0);
        ck_assert(world_apply(&r.w, &d.command));
        ck_assert_uint_eq(r.w.result.n_done, 2);
        leader_settle(r.l);
        run(&r, 3);
        ck_assert_uint_eq(n_running(&r, "usual"), 4);
        check_views(&r);
        /* Who does not come back loses it after a minute. */
        q.count = 1;
        ck_assert_int_eq(leader_run(r.l, &q, r.w.now, &r.arena, &d, NULL), 0);
        ck_assert_uint_eq(d.command.u.plan.n_stops, 3);
        ck_assert(world_apply(&r.w, &d.command));
        leader_settle(r.l);
        run(&r, 3);
        ck_assert_uint_eq(n_running(&r, "usual"), 1);
        run(&r, 130);
        ck_assert_uint_eq(n_running(&r, "usual"), 4);
        close_rig(&r);
    }
END_TEST

START_TEST(a_run_of_the_usual_priority_stops_nobody)
    {
        struct rig r;
        struct constraint priority = {CONSTRAINT_PRIORITY, STR("50")};
        struct run_request q = urgent(&priority);
        struct run_decision d;
        open_rig(&r);
        add_nodes(&r, 1);
        ck_assert(world_service(&r.w, "c", "usual", "f", 20));
        run(&r, 2);
        for (int i = 0; i < 2; i++) {
            ck_assert_int_eq(leader_run(r.l, &q, r.w.now, &r.arena, &d, NULL), 0);
            ck_assert_uint_eq(d.command.u.plan.n_stops, 0);
            ck_assert_uint_eq(d.n_failures, 1);
            q.n_constraints = 0;
        }
        close_rig(&r);
    }
END_TEST

/* While its starts are put off, and while an older task of it stops. */
START_TEST(the_room_of_a_daemon_is_kept)
    {
        struct rig r;
        struct id id;
        open_rig(&r);
        add_nodes(&r, 1);
        ck_assert(world_daemon(&r.w, "c", "log", "f"));
        run(&r, 2);
        ck_assert(world_service(&r.w, "c", "hungry", "f", 1000));
        run(&r, 2);
        ck_assert_uint_eq(n_running(&r, "hungry"), 9);
        for (int i = 0; i < 6; i++) {
            id = store_task(r.w.store, named(&r, "log")->first_task)->id;
            for (uint32_t t = named(&r, "log")->first_task; t != SLOT_NONE;) {
                const struct task *row = store_task(r.w.store, t);
                id = row->status != TASK_STOPPED ? row->id : id;
                t = row->in_service.next;
            }
            (void)world_report(&r.w, id, TASK_STOPPED, 1); /* Before it runs: back-off. */
            r.w.now += 100;
            heartbeats(&r);
            settle(&r);
            check_views(&r);
            ck_assert_uint_eq(named(&r, "hungry")->n_active, 9);
        }
        r.w.now += LIMIT_BACKOFF_MS;
        run(&r, 2);
        ck_assert_uint_eq(n_running(&r, "log"), 1);
        ck_assert_uint_eq(n_running(&r, "hungry"), 9);
        ck_assert(world_taskdef(&r.w, "g", 100, 100, -1));
        ck_assert(world_service_taskdef(&r.w, "c", "log", "g", 1));
        run(&r, 4);
        ck_assert_uint_eq(n_running(&r, "log"), 1);
        ck_assert_uint_eq(named(&r, "log")->n_wanted_new, 1);
        ck_assert_uint_eq(n_running(&r, "hungry"), 9);
        close_rig(&r);
    }
END_TEST

/* On more nodes than a plan has room for notes about the service. */
START_TEST(a_daemon_of_higher_priority_makes_room_on_every_node)
    {
        struct rig r;
        struct constraint priority = {CONSTRAINT_PRIORITY, STR("90")};
        struct command cmd = {.kind = CMD_SERVICE_CREATE};
        enum { N = 2 * LEADER_NOTES_MAX };
        open_rig(&r);
        add_nodes(&r, N);
        ck_assert(world_service(&r.w, "c", "usual", "f", 10 * N));
        run(&r, 2);
        ck_assert_uint_eq(n_running(&r, "usual"), 10 * N);
        cmd.u.service_create =
            (struct cmd_service_create){.cluster = STR("c"),
                                        .family = STR("f"),
                                        .service = {.name = STR("log"),
                                                    .scheduling = SCHEDULING_DAEMON,
                                                    .max_percent = 100,
                                                    .constraints = &priority,
                                                    .n_constraints = 1}};
        ck_assert(world_apply(&r.w, &cmd));
        run(&r, 4);
        ck_assert_uint_eq(n_running(&r, "log"), N);
        ck_assert_uint_eq(n_running(&r, "usual"), 9 * N);
        ck_assert(said_by(&r, "log", "has 32 tasks of lower priority stopped"));
        close_rig(&r);
    }
END_TEST

START_TEST(a_daemon_larger_than_a_node_keeps_nothing_there)
    {
        struct rig r;
        open_rig(&r);
        add_nodes(&r, 1);
        ck_assert(world_taskdef(&r.w, "huge", 2000, 100, -1));
        ck_assert(world_daemon(&r.w, "c", "log", "huge"));
        ck_assert(world_service(&r.w, "c", "web", "f", 4));
        run(&r, 3);
        ck_assert_uint_eq(n_running(&r, "web"), 4);
        close_rig(&r);
    }
END_TEST

START_TEST(a_daemon_is_the_last_to_leave_a_draining_node)
    {
        struct rig r;
        open_rig(&r);
        add_nodes(&r, 2);
        ck_assert(world_daemon(&r.w, "c", "log", "f"));
        ck_assert(world_service(&r.w, "c", "web", "f", 4));
        run(&r, 3);
        ck_assert_uint_eq(n_running(&r, "log"), 2);
        ck_assert(world_node_state(&r.w, "c", 0, NODE_DRAINING));
        for (int i = 0; i < 20 && store_node(r.w.store, 0)->n_active > 0; i++) {
            settle(&r);
            if (store_node(r.w.store, 0)->n_active > 1) {
                ck_assert_uint_eq(named(&r, "log")->n_wanted, 2);
            }
            r.w.now += 500;
            heartbeats(&r);
            agents_obey(&r);
        }
        ck_assert_uint_eq(store_node(r.w.store, 0)->n_active, 0);
        run(&r, 2);
        ck_assert_uint_eq(n_running(&r, "web"), 4);
        ck_assert_uint_eq(n_running(&r, "log"), 1);
        close_rig(&r);
    }
END_TEST

/* Where RunTask would put a task now, of the nodes 0 (zone a) and 1 (zone b). */
static uint32_t next_node(struct rig *r)
{
    struct run_request q = {.count = 1, .cpu = 10, .memory = 10, .group = STR("g"), .seed = 7};
    struct run_decision d;
    ck_assert_int_eq(leader_run(r->l, &q, r->w.now, &r->arena, &d, NULL), 0);
    ck_assert_uint_eq(d.command.u.plan.n_tasks, 1);
    leader_settle(r->l);
    return d.command.u.plan.tasks[0].node;
}

START_TEST(nodes_that_few_others_can_stand_in_for_are_spared)
    {
        struct rig r;
        open_rig(&r);
        add_nodes(&r, 2);
        ck_assert(world_run(&r.w, 0, 0, 0));
        ck_assert_uint_eq(next_node(&r), 0); /* The fuller one. */
        ck_assert(world_service_with(&r.w, "c", "picky", "f", 3, CONSTRAINT_MEMBER_OF,
                                     "attribute:ecs.availability-zone == a"));
        ck_assert_uint_eq(next_node(&r), 1);
        run(&r, 2);
        ck_assert_uint_eq(store_node(r.w.store, 0)->n_active, 4);
        ck_assert_uint_eq(next_node(&r), 1);
        ck_assert(world_service_delete(&r.w, "c", "picky", true));
        run(&r, 3);
        ck_assert_uint_eq(store_node(r.w.store, 0)->n_active, 1);
        ck_assert_uint_eq(next_node(&r), 0);
        close_rig(&r);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("leader room");
    TEST_CASE(
        s, "room", 30, a_service_of_higher_priority_has_others_stopped_and_no_more_than_it_needs,
        a_service_that_scales_in_knows_what_others_stopped,
        the_room_is_kept_until_the_victims_have_stopped, replacements_of_a_rollout_stop_nobody_else,
        a_run_of_higher_priority_is_sent_again_and_finds_its_room,
        a_run_of_the_usual_priority_stops_nobody, the_room_of_a_daemon_is_kept,
        a_daemon_of_higher_priority_makes_room_on_every_node,
        a_daemon_larger_than_a_node_keeps_nothing_there,
        a_daemon_is_the_last_to_leave_a_draining_node,
        nodes_that_few_others_can_stand_in_for_are_spared);
    return test_run(s);
}
