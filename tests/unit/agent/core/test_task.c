#include "agent/core/health.h"
#include "agent/core/task.h"
#include "tests/lib/test.h"

#include <stdio.h>
#include <string.h>

#define MAX_CONTAINERS 6

struct rig { /* One task under test, with its clock and what it asked for. */
    struct container_spec containers[MAX_CONTAINERS];
    struct spec_depends depends[MAX_CONTAINERS][MAX_CONTAINERS];
    struct task_spec spec;
    struct task_options options;
    struct report_queue queue;
    struct actions actions;
    struct moment now;
    struct task *t;
    bool may_start;
};

static const char *const probe[] = {"true"};

static void rig_open(struct rig *g, uint32_t n_containers)
{
    static const char *const names[MAX_CONTAINERS] = {"a", "b", "c", "d", "e", "f"};
    memset(g, 0, sizeof *g);
    for (uint32_t i = 0; i < n_containers; i++) {
        g->containers[i].name = names[i];
        g->containers[i].image = "busybox";
        g->containers[i].essential = i == 0;
        g->containers[i].depends_on = g->depends[i];
    }
    g->spec.containers = g->containers;
    g->spec.n_containers = n_containers;
    g->now.wall_ms = 1000000;
    g->now.boot_ms = 5000;
    g->may_start = true;
    report_init(&g->queue);
    actions_init(&g->actions, test_mem());
}

static void depends(struct rig *g, uint32_t from, uint32_t on, enum spec_condition condition)
{
    struct container_spec *c = &g->containers[from];
    g->depends[from][c->n_depends_on].container = g->containers[on].name;
    g->depends[from][c->n_depends_on].condition = condition;
    c->n_depends_on++;
    if (condition == SPEC_COND_HEALTHY) {
        g->containers[on].health.command = probe;
        g->containers[on].health.n_command = 1;
    }
}

static void step(struct rig *g)
{
    task_advance(g->t, &g->options, &g->now, g->may_start, &g->actions);
}

static void begin(struct rig *g)
{
    struct arena arena;
    arena_init(&arena, test_mem());
    g->t = task_open(test_mem(), (struct id){1, 2}, &arena, &g->spec, NULL, g->now, &g->queue);
    step(g);
}

static void rig_close(struct rig *g)
{
    task_close(test_mem(), g->t);
    actions_close(&g->actions);
    ck_assert_uint_eq(test_mem_in_use(), 0);
}

/* How often the kind was asked for container i; forgets what it counted. */
static unsigned asked(struct rig *g, enum action_kind kind, uint32_t i)
{
    unsigned n = 0;
    for (size_t k = 0; k < g->actions.n; k++) {
        if (g->actions.v[k].kind == kind && g->actions.v[k].container == i) {
            g->actions.v[k].kind = ACTION_KIND_N;
            n++;
        }
    }
    return n;
}

static void pulled(struct rig *g, uint32_t i)
{
    struct exec_image image = {"sha256:m", "sha256:i"};
    ck_assert_uint_eq(asked(g, ACTION_PULL, i), 1);
    task_pulled(g->t, i, 0, NULL, &image);
    step(g);
}

static void started(struct rig *g, uint32_t i)
{
    ck_assert_uint_eq(asked(g, ACTION_START, i), 1);
    task_started(g->t, i, 0, NULL, &g->now);
    step(g);
}

static void exited(struct rig *g, uint32_t i, int code)
{
    struct exec_exit exit = {.exit_code = code, .finished_at_ms = (uint64_t)g->now.wall_ms};
    task_exited(g->t, i, &exit, &g->now);
    step(g);
}

static void stopped(struct rig *g, uint32_t i)
{
    ck_assert_uint_eq(asked(g, ACTION_STOP, i), 1);
    exited(g, i, 143);
    task_stop_done(g->t, i, 0, &g->now);
    step(g);
}

static void run_all(struct rig *g)
{
    begin(g);
    for (uint32_t i = 0; i < g->spec.n_containers; i++) {
        pulled(g, i);
    }
    for (uint32_t i = 0; i < g->spec.n_containers; i++) {
        started(g, i);
    }
    ck_assert_int_eq(g->t->phase, TASK_RUNNING);
}

START_TEST(a_task_runs_and_ends_with_its_essential_container)
    {
        struct rig g;
        rig_open(&g, 1);
        run_all(&g);
        ck_assert_int_eq(task_status(g.t), WIRE_RUNNING);
        exited(&g, 0, 3);
        ck_assert_int_eq(g.t->phase, TASK_STOPPED);
        ck_assert_int_eq(g.t->stop_code, WIRE_STOP_ESSENTIAL_EXITED);
        ck_assert_str_eq(g.t->reason, "Essential container in task exited");
        ck_assert(g.t->containers[0].has_exit_code);
        ck_assert_int_eq(g.t->containers[0].exit_code, 3);
        rig_close(&g);
    }
END_TEST

START_TEST(nothing_is_started_before_every_image_is_there)
    {
        struct rig g;
        rig_open(&g, 2);
        begin(&g);
        pulled(&g, 0);
        ck_assert_uint_eq(asked(&g, ACTION_START, 0), 0);
        pulled(&g, 1);
        started(&g, 0);
        started(&g, 1);
        task_stop(g.t, "bye");
        step(&g);
        stopped(&g, 0);
        stopped(&g, 1);
        rig_close(&g);
    }
END_TEST

START_TEST(a_failed_pull_of_an_essential_container_fails_the_task)
    {
        struct rig g;
        struct err err;
        rig_open(&g, 1);
        begin(&g);
        ck_assert_uint_eq(asked(&g, ACTION_PULL, 0), 1);
        err_set(&err, ERR_NOTFOUND, "manifest unknown");
        task_pulled(g.t, 0, err.code, &err, NULL);
        step(&g);
        ck_assert_int_eq(g.t->phase, TASK_STOPPED);
        ck_assert_int_eq(g.t->stop_code, WIRE_STOP_FAILED_TO_START);
        ck_assert_str_eq(g.t->reason, "CannotPullContainerError: manifest unknown");
        ck_assert_str_eq(g.t->containers[0].reason, g.t->reason);
        rig_close(&g);
    }
END_TEST

START_TEST(a_failed_start_is_said_in_ecs_words)
    {
        static const struct {
            int code;
            const char *reason;
        } cases[] = {
            {ERR_IO, "CannotStartContainerError: boom"},
            {ERR_TIMEOUT, "ContainerRuntimeTimeoutError: Could not transition to started; boom"},
            {ERR_CANCELED, "CannotStartContainerError: boom"},
        };
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            struct rig g;
            struct err err;
            rig_open(&g, 1);
            begin(&g);
            pulled(&g, 0);
            ck_assert_uint_eq(asked(&g, ACTION_START, 0), 1);
            err_set(&err, cases[i].code, "boom");
            task_started(g.t, 0, err.code, &err, &g.now);
            step(&g);
            ck_assert_int_eq(g.t->phase, TASK_STOPPED);
            ck_assert_int_eq(g.t->stop_code, WIRE_STOP_FAILED_TO_START);
            ck_assert_str_eq(g.t->containers[0].reason, cases[i].reason);
            ck_assert(!g.t->containers[0].has_exit_code);
            rig_close(&g);
        }
    }
END_TEST

START_TEST(running_out_of_memory_is_the_reason)
    {
        struct rig g;
        struct exec_exit exit = {.exit_code = 137, .signal = 9, .oom_killed = true};
        rig_open(&g, 1);
        run_all(&g);
        task_exited(g.t, 0, &exit, &g.now);
        step(&g);
        ck_assert_str_eq(g.t->containers[0].reason,
                         "OutOfMemoryError: Container killed due to memory usage");
        ck_assert_int_eq(g.t->containers[0].exit_code, 137);
        rig_close(&g);
    }
END_TEST

START_TEST(an_unknown_exit_has_no_code)
    {
        struct rig g;
        struct exec_exit exit = {.unknown = true, .exit_code = 0};
        rig_open(&g, 1);
        run_all(&g);
        task_exited(g.t, 0, &exit, &g.now);
        step(&g);
        ck_assert(!g.t->containers[0].has_exit_code);
        ck_assert_str_ne(g.t->containers[0].reason, "");
        rig_close(&g);
    }
END_TEST

START_TEST(other_containers_are_stopped_when_an_essential_one_ends)
    {
        struct rig g;
        rig_open(&g, 3);
        run_all(&g);
        exited(&g, 1, 0); /* Not essential: nothing happens. */
        ck_assert_int_eq(g.t->phase, TASK_RUNNING);
        exited(&g, 0, 1);
        ck_assert_int_eq(g.t->phase, TASK_STOPPING);
        ck_assert_int_eq(task_status(g.t), WIRE_STOPPING);
        stopped(&g, 2);
        ck_assert_int_eq(g.t->phase, TASK_STOPPED);
        ck_assert_int_eq(g.t->stop_code, WIRE_STOP_ESSENTIAL_EXITED);
        rig_close(&g);
    }
END_TEST

START_TEST(containers_start_in_order_and_stop_in_reverse)
    {
        struct rig g;
        rig_open(&g, 3);
        depends(&g, 0, 1, SPEC_COND_START);
        depends(&g, 1, 2, SPEC_COND_START);
        begin(&g);
        pulled(&g, 0);
        pulled(&g, 1);
        pulled(&g, 2);
        ck_assert_uint_eq(asked(&g, ACTION_START, 0) + asked(&g, ACTION_START, 1), 0);
        started(&g, 2);
        ck_assert_uint_eq(asked(&g, ACTION_START, 0), 0);
        started(&g, 1);
        started(&g, 0);
        ck_assert_int_eq(g.t->phase, TASK_RUNNING);
        task_stop(g.t, "Scaling activity");
        step(&g);
        ck_assert_uint_eq(asked(&g, ACTION_STOP, 1) + asked(&g, ACTION_STOP, 2), 0);
        stopped(&g, 0);
        ck_assert_uint_eq(asked(&g, ACTION_STOP, 2), 0);
        stopped(&g, 1);
        stopped(&g, 2);
        ck_assert_int_eq(g.t->phase, TASK_STOPPED);
        ck_assert_str_eq(g.t->reason, "Scaling activity");
        ck_assert_int_eq(g.t->stop_code, WIRE_STOP_NONE);
        rig_close(&g);
    }
END_TEST

/* condition, what happened to the other, and what follows for the one that waits. */
START_TEST(conditions_decide_who_may_start)
    {
        enum { RUNS, HEALTHY, EXITS_0, EXITS_1, N_HAPPENED };
        static const char expect[SPEC_COND_N][N_HAPPENED + 1] = {
            [SPEC_COND_START] = "SSSS", /* S: starts. W: waits. F: the task fails. */
            [SPEC_COND_COMPLETE] = "WWSS",
            [SPEC_COND_SUCCESS] = "WWSF",
            [SPEC_COND_HEALTHY] = "WSFF",
        };
        enum spec_condition condition = (enum spec_condition)(_i / N_HAPPENED);
        int happened = _i % N_HAPPENED;
        struct rig g;
        char got;
        rig_open(&g, 2);
        depends(&g, 0, 1, condition);
        begin(&g);
        pulled(&g, 0);
        pulled(&g, 1);
        started(&g, 1);
        if (happened == HEALTHY) {
            task_health(g.t, 1, HEALTH_HEALTHY);
        } else if (happened != RUNS) {
            exited(&g, 1, happened == EXITS_1);
        }
        step(&g);
        got = asked(&g, ACTION_START, 0) == 1 ? 'S' : g.t->phase >= TASK_STOPPING ? 'F' : 'W';
        ck_assert_int_eq(got, expect[condition][happened]);
        if (got == 'F') {
            ck_assert_int_eq(g.t->stop_code, WIRE_STOP_FAILED_TO_START);
            ck_assert_ptr_nonnull(strstr(g.t->reason, "depends on container 'b'"));
        }
        rig_close(&g);
    }
END_TEST

START_TEST(waiting_ends_with_the_start_timeout)
    {
        struct rig g;
        rig_open(&g, 2);
        depends(&g, 0, 1, SPEC_COND_COMPLETE);
        g.containers[1].start_timeout_s = 7;
        begin(&g);
        pulled(&g, 0);
        pulled(&g, 1);
        started(&g, 1);
        ck_assert_uint_eq(task_deadline(g.t, &g.options), g.now.boot_ms + 7000);
        g.now.boot_ms += 6999;
        step(&g);
        ck_assert_int_eq(g.t->phase, TASK_CREATING);
        g.now.boot_ms++;
        step(&g);
        ck_assert_int_eq(g.t->phase, TASK_STOPPING);
        ck_assert_ptr_nonnull(strstr(g.t->reason, "start timeout"));
        stopped(&g, 1);
        ck_assert_int_eq(g.t->phase, TASK_STOPPED);
        ck_assert_uint_eq(task_deadline(g.t, &g.options), UINT64_MAX);
        rig_close(&g);
    }
END_TEST

START_TEST(nothing_starts_without_the_lease)
    {
        struct rig g;
        rig_open(&g, 1);
        g.may_start = false;
        begin(&g);
        ck_assert_int_eq(g.t->phase, TASK_ACCEPTED);
        ck_assert_uint_eq(g.actions.n, 0);
        g.may_start = true;
        step(&g);
        g.may_start = false;
        pulled(&g, 0);
        ck_assert_uint_eq(asked(&g, ACTION_START, 0), 0);
        g.may_start = true;
        step(&g);
        started(&g, 0);
        ck_assert_int_eq(g.t->phase, TASK_RUNNING);
        rig_close(&g);
    }
END_TEST

START_TEST(a_stop_that_fails_is_tried_again)
    {
        struct rig g;
        rig_open(&g, 1);
        run_all(&g);
        task_stop(g.t, "x");
        step(&g);
        ck_assert_uint_eq(asked(&g, ACTION_STOP, 0), 1);
        task_stop_done(g.t, 0, ERR_IO, &g.now);
        step(&g);
        ck_assert_uint_eq(asked(&g, ACTION_STOP, 0), 0);
        g.now.boot_ms = task_deadline(g.t, &g.options);
        step(&g);
        stopped(&g, 0);
        ck_assert_int_eq(g.t->phase, TASK_STOPPED);
        rig_close(&g);
    }
END_TEST

START_TEST(stopping_overtakes_a_start)
    {
        struct rig g;
        struct err err;
        rig_open(&g, 1);
        begin(&g);
        pulled(&g, 0);
        ck_assert_uint_eq(asked(&g, ACTION_START, 0), 1);
        task_stop(g.t, "changed my mind");
        step(&g);
        ck_assert_uint_eq(asked(&g, ACTION_STOP, 0), 1);
        if (_i == 0) { /* The start is given up. */
            err_set(&err, ERR_CANCELED, "canceled");
            task_started(g.t, 0, err.code, &err, &g.now);
            step(&g);
            task_stop_done(g.t, 0, ERR_NOTFOUND, &g.now);
        } else if (_i == 1) { /* The stop is answered first. */
            task_stop_done(g.t, 0, ERR_NOTFOUND, &g.now);
            step(&g);
            ck_assert_int_eq(g.t->phase, TASK_STOPPING);
            err_set(&err, ERR_CANCELED, "canceled");
            task_started(g.t, 0, err.code, &err, &g.now);
        } else { /* It started all the same. */
            task_started(g.t, 0, 0, NULL, &g.now);
            step(&g);
            exited(&g, 0, 143);
            task_stop_done(g.t, 0, 0, &g.now);
        }
        step(&g);
        ck_assert_int_eq(g.t->phase, TASK_STOPPED);
        ck_assert_str_eq(g.t->containers[0].reason, "");
        rig_close(&g);
    }
END_TEST

START_TEST(health_of_the_task_is_that_of_its_essential_containers)
    {
        struct rig g;
        rig_open(&g, 3);
        for (uint32_t i = 0; i < 3; i++) {
            g.containers[i].health.command = probe;
            g.containers[i].health.n_command = 1;
            g.containers[i].essential = i < 2;
        }
        run_all(&g);
        ck_assert_uint_eq(asked(&g, ACTION_WATCH, 0), 1);
        ck_assert_int_eq(task_health_status(g.t), HEALTH_UNKNOWN);
        task_health(g.t, 0, HEALTH_HEALTHY);
        task_health(g.t, 2, HEALTH_UNHEALTHY);
        ck_assert_int_eq(task_health_status(g.t), HEALTH_UNKNOWN);
        task_health(g.t, 1, HEALTH_HEALTHY);
        ck_assert_int_eq(task_health_status(g.t), HEALTH_HEALTHY);
        task_health(g.t, 1, HEALTH_UNHEALTHY);
        ck_assert_int_eq(task_health_status(g.t), HEALTH_UNHEALTHY);
        exited(&g, 2, 0);
        ck_assert_uint_eq(asked(&g, ACTION_UNWATCH, 2), 1);
        rig_close(&g);
    }
END_TEST

START_TEST(a_bad_specification_is_a_stopped_task_with_a_reason)
    {
        static const char *const reasons[] = {
            "containers: must be 1 to 32",
            "letters, digits",
            "the name is used twice",
            "no image",
            "dependsOn names 'zzz'",
            "dependsOn names itself",
            "waits for itself in a circle",
            "at least one must be essential",
            "HEALTHY, which has no health check",
            "the controller said so",
        };
        struct rig g;
        struct arena arena;
        const struct task_spec *spec = &g.spec;
        rig_open(&g, 3);
        switch (_i) {
        case 0:
            g.spec.n_containers = 0;
            break;
        case 1:
            g.containers[1].name = "../x";
            break;
        case 2:
            g.containers[1].name = "a";
            break;
        case 3:
            g.containers[1].image = "";
            break;
        case 4:
            depends(&g, 0, 1, SPEC_COND_START);
            g.depends[0][0].container = "zzz";
            break;
        case 5:
            depends(&g, 0, 0, SPEC_COND_START);
            break;
        case 6:
            depends(&g, 0, 1, SPEC_COND_START);
            depends(&g, 1, 2, SPEC_COND_START);
            depends(&g, 2, 0, SPEC_COND_START);
            break;
        case 7:
            g.containers[0].essential = false;
            break;
        case 8:
            depends(&g, 0, 1, SPEC_COND_HEALTHY);
            g.containers[1].health.n_command = 0;
            break;
        default:
            spec = NULL;
            break;
        }
        arena_init(&arena, test_mem());
        g.t = task_open(test_mem(), (struct id){1, 2}, &arena, spec, reasons[_i], g.now, &g.queue);
        step(&g);
        ck_assert_int_eq(g.t->phase, TASK_STOPPED);
        ck_assert_int_eq(g.t->stop_code, WIRE_STOP_FAILED_TO_START);
        ck_assert_ptr_nonnull(strstr(g.t->reason, reasons[_i]));
        ck_assert_uint_eq(g.actions.n, 0);
        rig_close(&g);
    }
END_TEST

/* After a restart: what the journal says of a container, what the runtime has, what follows. */
START_TEST(adoption_never_creates_a_second_time)
    {
        enum { ABSENT, CREATED, RUNS, EXITED, N_FOUND };
        /* P: still to be created. R: runs. D: done, exit code known. L: lost. */
        static const char expect[CONTAINER_PHASE_N][N_FOUND + 1] = {
            [CONTAINER_PENDING] = "PLRD", [CONTAINER_CREATING] = "LLRD",
            [CONTAINER_RUNNING] = "LLRD", [CONTAINER_STOPPING] = "LLSD",
            [CONTAINER_STOPPED] = "XXXX",
        };
        int journal = _i / N_FOUND;
        int have = _i % N_FOUND;
        struct exec_container found = {.started_at_ms = 77};
        struct rig g;
        struct container *c;
        char got;
        found.state = have == CREATED ? EXEC_CREATED : have == RUNS ? EXEC_RUNNING : EXEC_EXITED;
        found.exit.exit_code = 5;
        found.exit.finished_at_ms = 99;
        rig_open(&g, 1);
        begin(&g);
        c = &g.t->containers[0];
        c->phase = journal;
        c->started_at = journal >= CONTAINER_RUNNING ? 70 : 0;
        task_adopt(g.t, 0, have == ABSENT ? NULL : &found, &g.now);
        if (c->phase == CONTAINER_PENDING) {
            got = 'P';
        } else if (c->phase == CONTAINER_RUNNING) {
            got = 'R';
        } else if (c->phase == CONTAINER_STOPPING) {
            got = 'S';
        } else if (journal == CONTAINER_STOPPED) {
            got = 'X';
        } else {
            got = c->has_exit_code ? 'D' : 'L';
            ck_assert(c->has_exit_code || c->reason[0] != '\0');
        }
        ck_assert_int_eq(got, expect[journal][have]);
        rig_close(&g);
    }
END_TEST

START_TEST(probe_results_follow_ecs_rules)
    {
        struct spec_health spec = {.retries = 2, .start_period_s = 10};
        struct health_state h;
        health_init(&h, &spec, 1000);
        ck_assert(!health_result(&h, &spec, false, 2000)); /* In the start period: free. */
        ck_assert(!health_result(&h, &spec, false, 10999));
        ck_assert(!health_result(&h, &spec, false, 11000));
        ck_assert_int_eq(h.status, HEALTH_UNKNOWN);
        ck_assert(health_result(&h, &spec, false, 12000));
        ck_assert_int_eq(h.status, HEALTH_UNHEALTHY);
        ck_assert(health_result(&h, &spec, true, 13000));
        ck_assert_int_eq(h.status, HEALTH_HEALTHY);
        ck_assert(!health_result(&h, &spec, false, 14000));
        ck_assert(!health_result(&h, &spec, true, 15000));
        health_init(&h, &spec, 1000); /* A success ends the start period. */
        ck_assert(health_result(&h, &spec, true, 1500));
        ck_assert(!health_result(&h, &spec, false, 1600));
        ck_assert(health_result(&h, &spec, false, 1700));
        ck_assert_int_eq(h.status, HEALTH_UNHEALTHY);
        ck_assert_uint_eq(health_interval_ms(&spec), 30000);
        ck_assert_uint_eq(health_timeout_ms(&spec), 5000);
    }
END_TEST

START_TEST(reports_are_coalesced_and_repeated_until_acknowledged)
    {
        struct report_queue q;
        struct report_item a;
        struct report_item b;
        struct report_item *got[4];
        report_init(&q);
        report_item_init(&a);
        report_item_init(&b);
        ck_assert(!report_ready(&q));
        report_mark(&q, &a);
        report_mark(&q, &a);
        ck_assert_uint_eq(report_take(&q, 4, got), 1);
        ck_assert_uint_eq(q.number, 1);
        report_mark(&q, &b);
        ck_assert_uint_eq(report_take(&q, 4, got), 0); /* One message at a time. */
        report_acked(&q, 7);
        ck_assert(!report_ready(&q));
        report_acked(&q, 1);
        ck_assert_uint_eq(report_take(&q, 4, got), 1);
        ck_assert_ptr_eq(got[0], &b);
        report_mark(&q, &b); /* Changed under way: once more. */
        report_acked(&q, 2);
        ck_assert_uint_eq(report_take(&q, 4, got), 1);
        report_lost(&q);
        report_mark(&q, &a);
        ck_assert_uint_eq(report_take(&q, 1, got), 1);
        report_drop(&a);
        report_drop(&b);
        report_acked(&q, q.number);
        ck_assert(!report_ready(&q));
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("agent task");
    TCase *loops = tcase_create("loops");
    TEST_CASE(s, "task", 10, a_task_runs_and_ends_with_its_essential_container,
              nothing_is_started_before_every_image_is_there,
              a_failed_pull_of_an_essential_container_fails_the_task,
              a_failed_start_is_said_in_ecs_words, running_out_of_memory_is_the_reason,
              an_unknown_exit_has_no_code, other_containers_are_stopped_when_an_essential_one_ends,
              containers_start_in_order_and_stop_in_reverse, waiting_ends_with_the_start_timeout,
              nothing_starts_without_the_lease, a_stop_that_fails_is_tried_again,
              health_of_the_task_is_that_of_its_essential_containers,
              probe_results_follow_ecs_rules,
              reports_are_coalesced_and_repeated_until_acknowledged);
    tcase_add_loop_test(loops, conditions_decide_who_may_start, 0, 16);
    tcase_add_loop_test(loops, stopping_overtakes_a_start, 0, 3);
    tcase_add_loop_test(loops, a_bad_specification_is_a_stopped_task_with_a_reason, 0, 10);
    tcase_add_loop_test(loops, adoption_never_creates_a_second_time, 0, 20);
    suite_add_tcase(s, loops);
    return test_run(s);
}
