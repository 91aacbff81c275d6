/* The leader against a store and simulated agents: what it starts, stops, replaces and says. */
#include "common/base/prng.h"
#include "tests/unit/controller/core/leader_rig.h"

#include <stdio.h>
#include <stdlib.h>

START_TEST(a_service_gets_its_tasks_spread_over_the_nodes_and_says_so)
    {
        struct rig r;
        char hex[ID_HEX_LEN + 1];
        char text[300];
        open_rig(&r);
        add_nodes(&r, 4);
        ck_assert(world_service(&r.w, "c", "web", "f", 8));
        settle(&r);
        ck_assert_uint_eq(service_of(&r)->n_pending, 8);
        for (uint32_t i = 0; i < 4; i++) {
            ck_assert_uint_eq(store_node(r.w.store, i)->n_pending, 2);
        }
        agents_obey(&r);
        settle(&r);
        ck_assert(service_of(&r)->steady);
        ck_assert_uint_eq(service_of(&r)->primary.rollout, ROLLOUT_COMPLETED);
        ck_assert(said(&r, "(service web) has reached a steady state."));
        ck_assert(said(&r, "deployment completed."));
        ck_assert_uint_eq(count_said(&r, "(service web) has started 8 tasks: (task "), 1);
        ck_assert(world_service_scale(&r.w, "c", "web", 9));
        settle(&r);
        id_hex(store_task(r.w.store, 8)->id, hex);
        (void)snprintf(text, sizeof text, "(service web) has started 1 tasks: (task %s).", hex);
        ck_assert(said(&r, text));
        ck_assert(str_eqc(store_task(r.w.store, 8)->group, "service:web"));
        ck_assert(str_starts(store_task(r.w.store, 8)->started_by, "ecs-svc/"));
        ck_assert_uint_eq(store_task(r.w.store, 8)->containers[0].n_bindings, 1);
        close_rig(&r);
    }
END_TEST

START_TEST(a_service_scales_in_and_ends)
    {
        struct rig r;
        open_rig(&r);
        add_nodes(&r, 2);
        ck_assert(world_service(&r.w, "c", "web", "f", 6));
        run(&r, 2);
        ck_assert(world_service_scale(&r.w, "c", "web", 2));
        settle(&r);
        ck_assert_uint_eq(service_of(&r)->n_wanted, 2);
        ck_assert_uint_eq(count_said(&r, "(service web) has stopped 4 running tasks: (task "), 1);
        run(&r, 1);
        ck_assert_uint_eq(service_of(&r)->n_running, 2);
        ck_assert_uint_eq(store_node(r.w.store, 0)->n_running, 1);
        ck_assert(service_of(&r)->steady);
        ck_assert(world_service_delete(&r.w, "c", "web", true));
        settle(&r);
        ck_assert_uint_eq(service_of(&r)->status, SERVICE_DRAINING);
        run(&r, 1);
        ck_assert_uint_eq(service_of(&r)->status, SERVICE_INACTIVE);
        close_rig(&r);
    }
END_TEST

/* Otherwise a service that grew and shrinks again has fewer healthy tasks than it had. */
START_TEST(scaling_in_stops_what_does_not_run_yet_first)
    {
        struct rig r;
        open_rig(&r);
        add_nodes(&r, 2);
        ck_assert(world_service(&r.w, "c", "web", "f", 4));
        run(&r, 2);
        ck_assert(world_service_scale(&r.w, "c", "web", 7));
        settle(&r);
        ck_assert_uint_eq(service_of(&r)->n_pending, 3);
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

START_TEST(a_task_that_ends_is_replaced)
    {
        struct rig r;
        struct id id;
        open_rig(&r);
        add_nodes(&r, 1);
        ck_assert(world_service(&r.w, "c", "web", "f", 2));
        run(&r, 30);
        id = store_task(r.w.store, 0)->id;
        ck_assert(world_report(&r.w, id, TASK_STOPPED, 1));
        settle(&r);
        ck_assert_uint_eq(service_of(&r)->n_wanted, 2);
        ck_assert(!service_of(&r)->steady);
        run(&r, 1);
        ck_assert(service_of(&r)->steady);
        ck_assert_uint_eq(store_count(r.w.store, KIND_TASK), 3);
        ck_assert(world_stop(&r.w, "c", store_task(r.w.store, 1)->id));
        settle(&r);
        ck_assert_uint_eq(service_of(&r)->n_wanted, 2);
        close_rig(&r);
    }
END_TEST

START_TEST(no_room_is_said_once_and_a_new_node_is_used_at_once)
    {
        struct rig r;
        const struct service *v;
        open_rig(&r);
        ck_assert(world_service(&r.w, "c", "web", "f", 12));
        run(&r, 10);
        v = service_of(&r);
        ck_assert_uint_eq(v->n_events, 1);
        ck_assert(
            str_starts(v->events[0].message, "(service web) was unable to place a task because "));
        ck_assert(world_node(&r.w, "c", 0, 1000, 1000));
        settle(&r);
        ck_assert_uint_eq(v->n_wanted, 10);
        run(&r, 20);
        ck_assert_uint_eq(count_said(&r, "(service web) was unable"), 2);
        ck_assert(world_node(&r.w, "c", 1, 1000, 1000));
        settle(&r);
        ck_assert_uint_eq(v->n_wanted, 12);
        close_rig(&r);
    }
END_TEST

START_TEST(failing_starts_back_off_and_are_complained_about)
    {
        struct rig r;
        uint32_t started = 0;
        open_rig(&r);
        add_nodes(&r, 1);
        ck_assert(world_service(&r.w, "c", "web", "f", 1));
        for (int i = 0; i < 1200; i++) { /* An hour in steps of 3 s. */
            r.w.now += 3000;
            heartbeats(&r);
            settle(&r);
            for (uint32_t slot = 0; slot < store_slots(r.w.store, KIND_TASK); slot++) {
                const struct task *t = store_task(r.w.store, slot);
                if (t != NULL && t->status == TASK_PENDING) {
                    started++;
                    ck_assert(world_report(&r.w, t->id, TASK_STOPPED, 1));
                }
            }
        }
        ck_assert_uint_ge(started, 10);
        ck_assert_uint_le(started, 16);
        ck_assert_uint_eq(
            count_said(&r, "(service web) is unable to consistently start tasks successfully."), 1);
        ck_assert(world_taskdef(&r.w, "f", 100, 100, 0));
        ck_assert(world_service_taskdef(&r.w, "c", "web", "f", 2));
        settle(&r);
        ck_assert_uint_eq(service_of(&r)->n_wanted, 1);
        run(&r, 2);
        ck_assert(service_of(&r)->steady);
        close_rig(&r);
    }
END_TEST

/* Tasks that are wanted and run, whatever they run. */
static uint32_t healthy(const struct rig *r)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < store_slots(r->w.store, KIND_TASK); i++) {
        const struct task *t = store_task(r->w.store, i);
        n +=
            t != NULL && t->service == 0 && t->desired == TASK_RUNNING && t->status == TASK_RUNNING;
    }
    return n;
}

START_TEST(a_new_definition_replaces_the_tasks_within_the_percentages)
    {
        struct rig r;
        open_rig(&r);
        add_nodes(&r, 2);
        ck_assert(world_service(&r.w, "c", "web", "f", 4));
        run(&r, 2);
        ck_assert(world_taskdef(&r.w, "f", 200, 100, 0));
        ck_assert(world_service_taskdef(&r.w, "c", "web", "f", 2));
        ck_assert_uint_eq(service_of(&r)->primary.rollout, ROLLOUT_IN_PROGRESS);
        for (int i = 0; i < 6; i++) {
            settle(&r);
            ck_assert_uint_ge(healthy(&r), 4);
            ck_assert_uint_le(service_of(&r)->n_wanted, 8);
            agents_obey(&r);
        }
        ck_assert(service_of(&r)->steady);
        ck_assert_uint_eq(service_of(&r)->primary.rollout, ROLLOUT_COMPLETED);
        ck_assert_uint_eq(service_of(&r)->n_wanted_new, 4);
        ck_assert_uint_eq(service_of(&r)->n_active, 4);
        close_rig(&r);
    }
END_TEST

/* Ten nodes' room is used up, so old tasks must make room for new ones. */
START_TEST(a_full_cluster_is_rolled_over_down_to_the_minimum)
    {
        struct rig r;
        struct command cmd = {.kind = CMD_SERVICE_UPDATE};
        open_rig(&r);
        add_nodes(&r, 1);
        ck_assert(world_service(&r.w, "c", "web", "f", 10));
        run(&r, 2);
        ck_assert_uint_eq(store_node(r.w.store, 0)->cpu_used, 1000);
        cmd.u.service_update = (struct cmd_service_update){.cluster = STR("c"),
                                                           .name = STR("web"),
                                                           .has_percents = true,
                                                           .min_percent = 50,
                                                           .max_percent = 200,
                                                           .force_new_deployment = true};
        ck_assert(world_apply(&r.w, &cmd));
        for (int i = 0; i < 40; i++) {
            r.w.now += 1000;
            heartbeats(&r);
            settle(&r);
            ck_assert_uint_ge(healthy(&r), 5);
            agents_obey(&r);
        }
        ck_assert(service_of(&r)->steady);
        ck_assert_uint_eq(service_of(&r)->n_wanted_new, 10);
        close_rig(&r);
    }
END_TEST

START_TEST(a_draining_node_is_emptied_without_losing_healthy_tasks)
    {
        struct rig r;
        open_rig(&r);
        add_nodes(&r, 2);
        ck_assert(world_service(&r.w, "c", "web", "f", 4));
        run(&r, 2);
        ck_assert(world_run(&r.w, 0, 0, 0));
        run(&r, 1);
        ck_assert_uint_eq(store_node(r.w.store, 0)->n_running, 3);
        ck_assert(world_node_state(&r.w, "c", 0, NODE_DRAINING));
        for (int i = 0; i < 5; i++) {
            settle(&r);
            ck_assert_uint_ge(healthy(&r), 4);
            agents_obey(&r);
        }
        ck_assert_uint_eq(store_node(r.w.store, 0)->n_running, 1); /* The standalone one stays. */
        ck_assert_uint_eq(store_node(r.w.store, 1)->n_running, 4);
        ck_assert(service_of(&r)->steady);
        close_rig(&r);
    }
END_TEST

START_TEST(an_unhealthy_task_is_replaced_and_then_stopped)
    {
        struct rig r;
        struct task_report report = {.status = TASK_RUNNING, .health = HEALTH_UNHEALTHY};
        struct command cmd = {.kind = CMD_TASK_REPORTS};
        open_rig(&r);
        add_nodes(&r, 1);
        ck_assert(world_service(&r.w, "c", "web", "f", 1));
        run(&r, 2);
        report.id = store_task(r.w.store, 0)->id;
        report.node = store_node(r.w.store, 0)->id;
        report.session = store_node(r.w.store, 0)->session;
        cmd.u.reports = (struct cmd_task_reports){&report, 1};
        ck_assert(world_apply(&r.w, &cmd) && r.w.result.n_done == 1);
        settle(&r);
        ck_assert_uint_eq(service_of(&r)->n_wanted, 2);
        agents_obey(&r);
        settle(&r);
        ck_assert_uint_eq(store_task(r.w.store, 0)->desired, TASK_STOPPED);
        ck_assert(
            str_eqc(store_task(r.w.store, 0)->stop_reason, "Task failed container health checks"));
        run(&r, 1);
        ck_assert(service_of(&r)->steady);
        close_rig(&r);
    }
END_TEST

START_TEST(a_silent_node_is_given_up_and_its_tasks_are_replaced)
    {
        struct rig r;
        open_rig(&r);
        add_nodes(&r, 2);
        ck_assert(world_service(&r.w, "c", "web", "f", 4));
        run(&r, 2);
        for (int i = 0; i < LOST_MS / 500 + 2; i++) {
            r.w.now += 500;
            leader_heartbeat(r.l, world_id(1), r.w.now);
            settle(&r);
        }
        ck_assert(!store_node(r.w.store, 0)->connected);
        ck_assert(store_node(r.w.store, 1)->connected);
        ck_assert_uint_eq(store_node(r.w.store, 0)->n_active, 0);
        ck_assert_uint_eq(store_node(r.w.store, 1)->n_active, 4);
        ck_assert_uint_eq(store_task(r.w.store, 0)->stop_code, STOP_INFRASTRUCTURE);
        ck_assert(world_node(&r.w, "c", 0, 1000, 1000));
        run(&r, 2);
        ck_assert(store_node(r.w.store, 0)->connected);
        close_rig(&r);
    }
END_TEST

/* One too many before the node was lost, one too few after: nothing more may be stopped. */
START_TEST(a_service_is_looked_at_again_when_a_node_was_given_up)
    {
        struct rig r;
        open_rig(&r);
        add_nodes(&r, 2);
        ck_assert(world_service(&r.w, "c", "web", "f", 4));
        run(&r, 2);
        pass_time(&r, 0);
        for (int i = 0; i < LOST_MS / 500 - 1; i++) {
            r.w.now += 500;
            leader_heartbeat(r.l, world_id(1), r.w.now);
            settle(&r);
        }
        ck_assert(store_node(r.w.store, 0)->connected);
        ck_assert(world_service_scale(&r.w, "c", "web", 3));
        r.w.now += 1000;
        leader_heartbeat(r.l, world_id(1), r.w.now);
        settle(&r);
        ck_assert(!store_node(r.w.store, 0)->connected);
        ck_assert_uint_eq(healthy(&r), 2);
        ck_assert_uint_eq(service_of(&r)->n_wanted, 3);
        close_rig(&r);
    }
END_TEST

START_TEST(nodes_are_not_judged_by_a_clock_that_jumped)
    {
        struct rig r;
        open_rig(&r);
        add_nodes(&r, 1);
        run(&r, 2);
        r.w.now += 100 * LOST_MS;
        settle(&r);
        ck_assert(store_node(r.w.store, 0)->connected);
        pass_time(&r, GRACE_MS - 1);
        ck_assert(store_node(r.w.store, 0)->connected);
        leader_heartbeat(r.l, world_id(0), r.w.now);
        pass_time(&r, LOST_MS - 1);
        ck_assert(store_node(r.w.store, 0)->connected);
        pass_time(&r, 1);
        ck_assert(!store_node(r.w.store, 0)->connected);
        close_rig(&r);
    }
END_TEST

START_TEST(a_small_budget_only_takes_more_passes)
    {
        static const struct leader_settings small = {LOST_MS, GRACE_MS, 3, 0};
        struct rig r;
        uint32_t n = 0;
        open_rig(&r);
        leader_close(r.l);
        r.l = leader_open(r.w.store, &small, r.w.now, test_mem());
        add_nodes(&r, 2);
        ck_assert(world_service(&r.w, "c", "web", "f", 10));
        for (; pass(&r) > 0; n++) {
            ck_assert_uint_lt(n, 20);
        }
        ck_assert_uint_eq(service_of(&r)->n_wanted, 10);
        ck_assert_uint_ge(n, 4);
        run(&r, 1);
        ck_assert(world_service_delete(&r.w, "c", "web", true));
        settle(&r);
        ck_assert_uint_eq(service_of(&r)->n_wanted, 0);
        close_rig(&r);
    }
END_TEST

/* A service that wants more tasks than one pass may plan, and finds room for none of them: it
 * waits, and the pass ends. */
START_TEST(no_room_and_a_small_budget_do_not_keep_a_pass_busy)
    {
        static const struct leader_settings small = {LOST_MS, GRACE_MS, 3, 0};
        struct rig r;
        open_rig(&r);
        leader_close(r.l);
        r.l = leader_open(r.w.store, &small, r.w.now, test_mem());
        ck_assert(world_service(&r.w, "c", "web", "f", 10));
        settle(&r);
        ck_assert_uint_eq(service_of(&r)->n_wanted, 0);
        ck_assert_uint_eq(pass(&r), 0);
        add_nodes(&r, 2);
        settle(&r);
        ck_assert_uint_eq(service_of(&r)->n_wanted, 10);
        close_rig(&r);
    }
END_TEST

START_TEST(plans_that_come_to_nothing_do_not_fill_the_log)
    {
        static struct command cmds[MAX_COMMANDS];
        struct rig r;
        uint32_t n = 0;
        open_rig(&r);
        add_nodes(&r, 1);
        ck_assert(world_service(&r.w, "c", "web", "f", 1));
        for (int i = 0; i < 100; i++) { /* Every batch is lost. */
            r.w.now += 10;
            arena_clear(&r.arena);
            n += leader_pass(r.l, r.w.now, cmds, MAX_COMMANDS, &r.arena);
            leader_settle(r.l);
        }
        ck_assert_uint_eq(n, 1);
        run(&r, 3);
        ck_assert_uint_eq(service_of(&r)->n_running, 1);
        close_rig(&r);
    }
END_TEST

START_TEST(a_task_that_ends_at_once_is_not_replaced_in_a_tight_loop)
    {
        struct rig r;
        open_rig(&r);
        add_nodes(&r, 1);
        ck_assert(world_service(&r.w, "c", "web", "f", 1));
        for (int i = 0; i < 100; i++) {
            const struct task *t;
            r.w.now += 100;
            heartbeats(&r);
            settle(&r);
            t = store_task(r.w.store, store_count(r.w.store, KIND_TASK) - 1);
            if (t->status == TASK_PENDING) {
                ck_assert(world_report(&r.w, t->id, TASK_RUNNING, 0));
                ck_assert(world_report(&r.w, t->id, TASK_STOPPED, 1));
            }
        }
        ck_assert_uint_le(store_count(r.w.store, KIND_TASK), 10);
        ck_assert_uint_ge(store_count(r.w.store, KIND_TASK), 8);
        close_rig(&r);
    }
END_TEST

START_TEST(a_new_leader_gives_nodes_time_before_it_judges_them)
    {
        struct rig r;
        int64_t opened;
        open_rig(&r);
        add_nodes(&r, 1);
        ck_assert(world_service(&r.w, "c", "web", "f", 2));
        run(&r, 2);
        r.w.now += 100 * LOST_MS;
        start_leader(&r);
        opened = r.w.now;
        pass_time(&r, LOST_MS - 1);
        ck_assert(store_node(r.w.store, 0)->connected);
        pass_time(&r, 1);
        ck_assert(!store_node(r.w.store, 0)->connected);
        ck_assert_int_eq(r.w.now, opened + LOST_MS);
        close_rig(&r);
    }
END_TEST

static bool always(const struct service *service)
{
    (void)service;
    return true;
}

START_TEST(tasks_of_a_service_are_tagged_with_what_it_propagates_and_manages)
    {
        struct rig r;
        struct tag owner = {STR("owner"), STR("me")};
        struct command cmd = {.kind = CMD_TAG};
        struct command update = {.kind = CMD_SERVICE_UPDATE};
        const struct task *t;
        open_rig(&r);
        leader_set_managed_tags(r.l, always);
        add_nodes(&r, 1);
        ck_assert(world_service(&r.w, "c", "web", "f", 0));
        cmd.u.tags = (struct cmd_tags){
            .kind = KIND_SERVICE, .slot = 0, .name = STR("web"), .tags = {&owner, 1}};
        ck_assert_msg(world_apply(&r.w, &cmd), "%s", r.w.result.text);
        update.u.service_update = (struct cmd_service_update){.cluster = STR("c"),
                                                              .name = STR("web"),
                                                              .has_desired = true,
                                                              .desired = 1,
                                                              .has_propagate_tags = true,
                                                              .propagate_tags = PROPAGATE_SERVICE};
        ck_assert(world_apply(&r.w, &update));
        settle(&r);
        t = store_task(r.w.store, 0);
        ck_assert_uint_eq(t->tags.n, 3);
        ck_assert(str_eqc(t->tags.v[0].key, "owner"));
        ck_assert(str_eqc(t->tags.v[1].key, "aws:ecs:clusterName"));
        ck_assert(str_eqc(t->tags.v[1].value, "c"));
        ck_assert(str_eqc(t->tags.v[2].key, "aws:ecs:serviceName"));
        ck_assert(str_eqc(t->tags.v[2].value, "web"));
        close_rig(&r);
    }
END_TEST

START_TEST(a_daemon_runs_once_on_every_node_that_suits)
    {
        struct rig r;
        const struct service *v;
        open_rig(&r);
        add_nodes(&r, 3);
        ck_assert(world_daemon(&r.w, "c", "log", "f"));
        run(&r, 2);
        v = service_of(&r);
        ck_assert_uint_eq(v->desired, 3);
        ck_assert_uint_eq(v->n_running, 3);
        ck_assert(v->steady);
        ck_assert(world_node(&r.w, "c", 3, 1000, 1000));
        run(&r, 1);
        ck_assert_uint_eq(v->n_running, 4);
        for (uint32_t i = 0; i < 4; i++) {
            ck_assert_uint_eq(store_node(r.w.store, i)->n_running, 1);
        }
        ck_assert(world_node_state(&r.w, "c", 1, NODE_DRAINING));
        ck_assert(world_connection(&r.w, 2, CONNECTION_DOWN));
        run(&r, 1);
        ck_assert_uint_eq(store_node(r.w.store, 1)->n_active, 0);
        ck_assert_uint_eq(store_node(r.w.store, 2)->n_active, 1);
        ck_assert_uint_eq(v->desired, 3);
        ck_assert(world_taskdef(&r.w, "f", 100, 100, 0));
        ck_assert(world_service_taskdef(&r.w, "c", "log", "f", 2));
        run(&r, 3);
        ck_assert_uint_eq(v->n_wanted_new, 2);
        ck_assert(world_node(&r.w, "c", 2, 1000, 1000));
        run(&r, 3);
        ck_assert_uint_eq(v->n_wanted_new, 3);
        ck_assert(v->steady);
        ck_assert(world_service_delete(&r.w, "c", "log", false));
        run(&r, 2);
        ck_assert_uint_eq(v->status, SERVICE_INACTIVE);
        close_rig(&r);
    }
END_TEST

START_TEST(a_daemon_comes_before_those_who_wait_for_the_room)
    {
        struct rig r;
        open_rig(&r);
        add_nodes(&r, 1);
        ck_assert(world_service(&r.w, "c", "hungry", "f", 1000));
        run(&r, 2);
        ck_assert(world_daemon(&r.w, "c", "log", "f")); /* Its node is full. */
        run(&r, 2);
        ck_assert_uint_eq(store_service(r.w.store, 1)->n_running, 0);
        for (uint64_t i = 1; i < 4; i++) {
            ck_assert(world_node(&r.w, "c", i, 1000, 1000));
            run(&r, 2);
            ck_assert_uint_eq(store_service(r.w.store, 1)->n_running, i);
            ck_assert_uint_eq(store_node(r.w.store, (uint32_t)i)->n_active, 10);
        }
        close_rig(&r);
    }
END_TEST

static struct run_request run_request(uint32_t count)
{
    return (struct run_request){.count = count,
                                .cpu = 100,
                                .memory = 100,
                                .group = STR("family:f"),
                                .started_by = STR("me"),
                                .seed = 7};
}

START_TEST(tasks_are_run_where_there_is_room_and_refused_with_reasons)
    {
        struct rig r;
        struct run_request q = run_request(25);
        struct run_decision d;
        struct err err = {0};
        open_rig(&r);
        ck_assert_int_eq(leader_run(r.l, &q, r.w.now, &r.arena, &d, &err), 0);
        ck_assert_uint_eq(d.command.u.plan.n_tasks, 0);
        ck_assert_uint_eq(d.n_failures, 1);
        ck_assert(
            str_eqc(d.failures[0].reason, "No Container Instances were found in your cluster."));
        add_nodes(&r, 2);
        ck_assert_int_eq(leader_run(r.l, &q, r.w.now, &r.arena, &d, &err), 0);
        ck_assert_uint_eq(d.command.u.plan.n_tasks, 20);
        ck_assert_uint_eq(d.n_failures, 2);
        ck_assert(str_eqc(d.failures[0].reason, "RESOURCE:CPU"));
        ck_assert_uint_ne(d.failures[0].node, d.failures[1].node);
        ck_assert(world_apply(&r.w, &d.command));
        ck_assert_uint_eq(r.w.result.n_done, 20);
        leader_settle(r.l);
        close_rig(&r);
    }
END_TEST

START_TEST(what_is_in_flight_is_reserved_and_given_back_when_it_is_lost)
    {
        struct rig r;
        struct run_request q = run_request(6);
        struct run_decision d;
        struct err err = {0};
        open_rig(&r);
        add_nodes(&r, 1);
        ck_assert_int_eq(leader_run(r.l, &q, r.w.now, &r.arena, &d, &err), 0);
        ck_assert_uint_eq(d.command.u.plan.n_tasks, 6);
        q.seed++;
        ck_assert_int_eq(leader_run(r.l, &q, r.w.now, &r.arena, &d, &err), 0);
        ck_assert_uint_eq(d.command.u.plan.n_tasks, 4);
        leader_settle(r.l); /* Neither was applied. */
        ck_assert_int_eq(leader_run(r.l, &q, r.w.now, &r.arena, &d, &err), 0);
        ck_assert_uint_eq(d.command.u.plan.n_tasks, 6);
        leader_settle(r.l);
        close_rig(&r);
    }
END_TEST

START_TEST(start_task_uses_the_nodes_it_is_given)
    {
        struct rig r;
        struct run_request q = run_request(0);
        uint32_t nodes[] = {1, 9, 0};
        struct run_decision d;
        struct err err = {0};
        open_rig(&r);
        add_nodes(&r, 2);
        ck_assert(world_node_state(&r.w, "c", 0, NODE_DRAINING));
        q.nodes = nodes;
        q.n_nodes = 3;
        ck_assert_int_eq(leader_run(r.l, &q, r.w.now, &r.arena, &d, &err), 0);
        ck_assert_uint_eq(d.command.u.plan.n_tasks, 1);
        ck_assert_uint_eq(d.command.u.plan.tasks[0].node, 1);
        ck_assert_uint_eq(d.n_failures, 2);
        ck_assert(str_eqc(d.failures[0].reason, "MISSING"));
        ck_assert_uint_eq(d.failures[0].node, 9);
        ck_assert(str_eqc(d.failures[1].reason, "DRAINING"));
        leader_settle(r.l);
        close_rig(&r);
    }
END_TEST

START_TEST(a_constraint_that_does_not_parse_is_an_error)
    {
        struct rig r;
        struct run_request q = run_request(1);
        struct constraint constraint = {CONSTRAINT_MEMBER_OF, STR("attribute:")};
        struct run_decision d;
        struct err err = {0};
        open_rig(&r);
        add_nodes(&r, 1);
        q.constraints = &constraint;
        q.n_constraints = 1;
        ck_assert_int_lt(leader_run(r.l, &q, r.w.now, &r.arena, &d, &err), 0);
        ck_assert_int_ne(err.text[0], 0);
        close_rig(&r);
    }
END_TEST

START_TEST(old_things_are_removed_in_time)
    {
        struct rig r;
        open_rig(&r);
        add_nodes(&r, 1);
        ck_assert(world_service(&r.w, "c", "web", "f", 2));
        run(&r, 2);
        ck_assert(world_service_delete(&r.w, "c", "web", true));
        run(&r, 2);
        ck_assert_uint_eq(store_count(r.w.store, KIND_TASK), 2);
        r.w.now += LIMIT_INACTIVE_LIFE_MS + LIMIT_STOPPED_LIFE_MS;
        heartbeats(&r);
        settle(&r);
        r.w.now += LEADER_GC_MS;
        settle(&r);
        ck_assert_uint_eq(store_count(r.w.store, KIND_TASK), 0);
        ck_assert_uint_eq(store_count(r.w.store, KIND_SERVICE), 0);
        close_rig(&r);
    }
END_TEST

/* --- at random -----------------------------------------------------------------------------------
 */

static void disturb(struct rig *r, struct prng *p)
{
    static const char *const services[] = {"s0", "s1", "s2", "s3"};
    static const char *const families[] = {"f", "g"};
    const char *service = services[prng_below(p, 4)];
    const char *family = families[prng_below(p, 2)];
    uint64_t node = prng_below(p, 6);
    const struct task *t;
    switch (prng_below(p, 14)) {
    case 0:
        (void)world_service(&r->w, "c", service, family, (uint32_t)prng_below(p, 6));
        break;
    case 1:
        (void)world_service_scale(&r->w, "c", service, (uint32_t)prng_below(p, 6));
        break;
    case 2:
        (void)world_service_taskdef(&r->w, "c", service, family, 0);
        break;
    case 3:
        (void)world_service_delete(&r->w, "c", service, true);
        break;
    case 4:
        (void)world_daemon(&r->w, "c", service, family);
        break;
    case 5:
        (void)world_taskdef(&r->w, family, 50 + (uint32_t)prng_below(p, 100), 100,
                            (int)prng_below(p, 2) - 1);
        break;
    case 6:
    case 7:
        (void)world_node(&r->w, "c", node, 1000, 1000);
        break;
    case 8:
        (void)world_node_state(&r->w, "c", node, (uint8_t)prng_below(p, 2));
        break;
    case 9:
        (void)world_connection(&r->w, node, (uint8_t)prng_below(p, 3));
        break;
    case 10:
        (void)world_node_deregister(&r->w, "c", node, prng_below(p, 2) == 0);
        break;
    case 11:
        start_leader(r);
        break;
    default:
        t = store_task(r->w.store, (uint32_t)prng_below(p, store_slots(r->w.store, KIND_TASK) + 1));
        if (t != NULL && t->status != TASK_STOPPED) {
            (void)world_report(&r->w, t->id, (uint8_t)(3 + prng_below(p, 5)), 1);
        }
    }
}

static bool has_task(const struct rig *r, const struct node *n, uint32_t service)
{
    for (uint32_t slot = n->first_task; slot != SLOT_NONE;) {
        const struct task *t = store_task(r->w.store, slot);
        if (t->service == service && t->status != TASK_STOPPED) {
            return true;
        }
        slot = t->on_node.next;
    }
    return false;
}

/* How many nodes lack the daemon because the tasks of others leave it no room. */
static uint32_t n_crowded_out(const struct rig *r, uint32_t service)
{
    const struct service *v = store_service(r->w.store, service);
    const struct taskdef *def = store_taskdef(r->w.store, v->primary.taskdef);
    uint32_t n_full = 0;
    for (uint32_t i = 0; i < store_slots(r->w.store, KIND_NODE); i++) {
        const struct node *n = store_node(r->w.store, i);
        n_full += v->scheduling == SCHEDULING_DAEMON && n != NULL && n->status == NODE_ACTIVE &&
                  !has_task(r, n, service) &&
                  (n->cpu_used + def->cpu > n->cpu || n->memory_used + def->memory > n->memory);
    }
    return n_full;
}

/* Every service that can have its tasks has them. */
static void check_converged(struct rig *r)
{
    for (uint32_t i = 0; i < store_slots(r->w.store, KIND_SERVICE); i++) {
        const struct service *v = store_service(r->w.store, i);
        if (v == NULL || v->status == SERVICE_INACTIVE) {
            continue;
        }
        ck_assert_uint_eq(v->status, SERVICE_ACTIVE);
        uint32_t n_full = n_crowded_out(r, i);
        ck_assert_uint_eq(v->n_running + n_full, v->desired);
        if (n_full > 0) {
            continue; /* It goes on waiting for room there. */
        }
        ck_assert_uint_eq(v->n_wanted_new, v->desired);
        ck_assert(v->steady);
        ck_assert_uint_eq(v->primary.rollout, ROLLOUT_COMPLETED);
    }
}

START_TEST(whatever_happens_services_come_to_rest_as_wanted)
    {
        struct rig r;
        struct prng p;
        struct err err = {0};
        open_rig(&r);
        ck_assert(world_taskdef(&r.w, "g", 100, 100, -1));
        prng_init(&p, 99u + (unsigned)_i);
        for (int round = 0; round < 250; round++) {
            for (int i = 0; i < 25; i++) {
                disturb(&r, &p);
                r.w.now += (int64_t)prng_below(&p, 2000);
                if (prng_below(&p, 2) == 0) {
                    (void)pass(&r);
                }
                if (prng_below(&p, 3) == 0) {
                    agents_obey(&r);
                }
                heartbeats(&r);
            }
            check_views(&r);
            for (uint64_t n = 100; n < 104; n++) { /* Room enough, whatever became of the others. */
                (void)world_node(&r.w, "c", n + 4 * (uint64_t)round, 1000, 1000);
            }
            for (uint32_t n = 0; n < 6; n++) { /* Those that came back without a session. */
                (void)world_connection(&r.w, n, CONNECTION_UP);
            }
            r.w.now += LIMIT_BACKOFF_MS; /* Over with every back-off. */
            heartbeats(&r);
            run(&r, 12);
            check_converged(&r);
            check_views(&r);
            ck_assert_msg(store_check(r.w.store, &err) == 0, "%s", err.text);
            for (uint64_t n = 100; n < 104; n++) {
                (void)world_node_deregister(&r.w, "c", n + 4 * (uint64_t)round, true);
            }
        }
        ck_assert_uint_ge(r.n_plans, 300);
        close_rig(&r);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("leader");
    TCase *c = tcase_create("random");
    TEST_CASE(s, "services", 30, a_service_gets_its_tasks_spread_over_the_nodes_and_says_so,
              a_service_scales_in_and_ends, scaling_in_stops_what_does_not_run_yet_first,
              a_task_that_ends_is_replaced, no_room_is_said_once_and_a_new_node_is_used_at_once,
              failing_starts_back_off_and_are_complained_about,
              a_new_definition_replaces_the_tasks_within_the_percentages,
              a_full_cluster_is_rolled_over_down_to_the_minimum,
              a_draining_node_is_emptied_without_losing_healthy_tasks,
              an_unhealthy_task_is_replaced_and_then_stopped,
              tasks_of_a_service_are_tagged_with_what_it_propagates_and_manages,
              a_daemon_runs_once_on_every_node_that_suits,
              a_daemon_comes_before_those_who_wait_for_the_room);
    TEST_CASE(s, "nodes", 30, a_silent_node_is_given_up_and_its_tasks_are_replaced,
              a_service_is_looked_at_again_when_a_node_was_given_up,
              a_new_leader_gives_nodes_time_before_it_judges_them,
              nodes_are_not_judged_by_a_clock_that_jumped, old_things_are_removed_in_time,
              a_small_budget_only_takes_more_passes,
              no_room_and_a_small_budget_do_not_keep_a_pass_busy,
              plans_that_come_to_nothing_do_not_fill_the_log,
              a_task_that_ends_at_once_is_not_replaced_in_a_tight_loop);
    TEST_CASE(s, "run", 30, tasks_are_run_where_there_is_room_and_refused_with_reasons,
              what_is_in_flight_is_reserved_and_given_back_when_it_is_lost,
              start_task_uses_the_nodes_it_is_given, a_constraint_that_does_not_parse_is_an_error);
    tcase_set_timeout(c, 120);
    tcase_add_loop_test(c, whatever_happens_services_come_to_rest_as_wanted, 0, 16);
    suite_add_tcase(s, c);
    return test_run(s);
}
