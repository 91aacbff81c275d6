/* The agent's engine, session, journal and logs over real sockets and TLS, against a controller and
 * a container runtime that play a part. Restarting the agent is closing its engine and opening
 * another on the same journal and the same containers. */
#include "agent/engine/engine.h"
#include "agent/link/identity.h"
#include "agent/link/join.h"
#include "common/log/log.h"
#include "tests/lib/fake_controller.h"
#include "tests/lib/scripted_executor.h"
#include "tests/lib/test.h"
#include "tests/lib/testnet.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATIENCE_MS 10000
#define N_FAKES     3

struct rig {
    uv_loop_t loop;
    struct testnet net;
    struct fake_controller fakes[N_FAKES];
    struct script_world world;
    char dir[40];
    char journal_path[64];
    /* The agent. */
    struct journal *journal;
    struct tls_context *tls;
    struct engine *engine;
    struct executor *executor;
    struct hello hello;
    const char *addresses[N_FAKES];
    size_t n_addresses;
    uint32_t lease_ms;
    bool stopped;
};

static struct rig g;

static void on_fatal(void *data, const struct err *err)
{
    (void)data;
    ck_abort_msg("fatal: %s", err->text);
}

static void agent_start(void)
{
    static const char *const alpn[TLS_ALPN_MAX] = {"h2"};
    struct engine_options o = {0};
    struct executor_events events;
    struct err err = {0};
    bool cleared;
    ck_assert_msg(journal_open(g.journal_path, (struct id){9, 9}, &g.journal, &cleared, &err) == 0,
                  "%s", err.text);
    g.tls = testnet_client(&g.net, PKI_ROLE_AGENT, "00000000000000090000000000000009", alpn);
    g.hello = (struct hello){.name = "n1",
                             .address = "127.0.0.1",
                             .cpu = 2048,
                             .memory = 4096,
                             .port_min = 32768,
                             .port_max = 60999,
                             .cluster = "default"};
    o.journal = g.journal;
    o.hello = &g.hello;
    o.reconcile.keep_ms = 60000;
    o.session.controllers = g.addresses;
    o.session.n_controllers = g.n_addresses;
    o.session.tls = g.tls;
    o.session.lease_ms = g.lease_ms;
    o.session.backoff_min_ms = 20;
    o.session.backoff_max_ms = 100;
    o.fatal = on_fatal;
    g.engine = engine_open(&g.loop, &o);
    events = engine_executor_events(g.engine);
    g.executor = script_open(&g.loop, &g.world, &events);
    ck_assert_msg(engine_start(g.engine, g.executor, &err) == 0, "%s", err.text);
}

static void on_stopped(void *data)
{
    (void)data;
    g.stopped = true;
}

static void agent_stop(void)
{
    g.stopped = false;
    engine_stop(g.engine, on_stopped, NULL);
    ck_assert(testnet_until(&g.loop, &g.stopped, PATIENCE_MS));
    script_close(g.executor);
    engine_close(g.engine);
    journal_close(g.journal);
    tls_context_close(g.tls);
    g.engine = NULL;
}

static void setup(void)
{
    struct log_options quiet = {.level = LOG_LEVEL_DEBUG, .fd = -1};
    if (getenv("VERBOSE") != NULL) {
        quiet.fd = 2;
    }
    log_open(&quiet);
    (void)signal(SIGPIPE, SIG_IGN);
    memset(&g, 0, sizeof g);
    snprintf(g.dir, sizeof g.dir, "/tmp/test-session-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(g.dir));
    snprintf(g.journal_path, sizeof g.journal_path, "%s/journal.db", g.dir);
    ck_assert_int_eq(uv_loop_init(&g.loop), 0);
    testnet_open(&g.net);
    for (int i = 0; i < N_FAKES; i++) {
        fake_open(&g.fakes[i], &g.loop, &g.net);
        g.addresses[i] = g.fakes[i].address;
    }
    g.n_addresses = 1;
    script_world_init(&g.world);
    snprintf(g.world.log_dir, sizeof g.world.log_dir, "%s", g.dir);
}

static void teardown(void)
{
    static const char *const files[] = {"journal.db", "journal.db-wal", "main.json", "main.json.1",
                                        "node.key",   "node.pem",       "ca.pem",    "node.conf"};
    if (g.engine != NULL) {
        agent_stop();
    }
    for (int i = 0; i < N_FAKES; i++) {
        fake_close(&g.fakes[i]);
    }
    loop_drain(&g.loop);
    script_world_close(&g.world);
    testnet_close(&g.net);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char path[80];
        snprintf(path, sizeof path, "%s/%s", g.dir, files[i]);
        (void)unlink(path);
    }
    ck_assert_int_eq(rmdir(g.dir), 0);
}

/* Run the loop until the condition holds. */
#define UNTIL(condition)                                                        \
    do {                                                                        \
        uint64_t end_ = clock_mono_ms() + PATIENCE_MS;                          \
        while (!(condition)) {                                                  \
            ck_assert_msg(clock_mono_ms() < end_, "timed out: %s", #condition); \
            run_for(5);                                                         \
        }                                                                       \
    } while (0)

static void on_nothing(void *data)
{
    (void)data;
    uv_stop(&g.loop);
}

static void run_for(uint64_t ms)
{
    struct loop_timer *t = loop_timer_open(&g.loop, on_nothing, NULL);
    loop_timer_start(t, ms);
    (void)uv_run(&g.loop, UV_RUN_DEFAULT);
    loop_timer_close(t);
}

static bool is(unsigned fake, uint64_t id, enum wire_status status)
{
    const struct fake_task *t = fake_task(&g.fakes[fake], id);
    return t != NULL && t->status == status;
}

static void connect_empty(void)
{
    UNTIL(g.fakes[0].connected);
    fake_assign(&g.fakes[0], NULL, 0, true);
    UNTIL(g.fakes[0].acked == 1);
}

static void run_one(uint64_t id, const char *image)
{
    struct fake_want want = {.id = id, .image = image};
    fake_assign(&g.fakes[0], &want, 1, false);
}

static void stop_one(uint64_t id)
{
    struct fake_want want = {.id = id, .stop = true};
    fake_assign(&g.fakes[0], &want, 1, false);
}

/* --- tasks --------------------------------------------------------------------------------------
 */

START_TEST(a_task_runs_and_stops_as_wanted)
    {
        agent_start();
        connect_empty();
        ck_assert_uint_eq(g.fakes[0].hello_cpu, 2048);
        ck_assert_str_eq(g.fakes[0].hello_name, "n1");
        ck_assert_str_eq(g.fakes[0].peer, "00000000000000090000000000000009");
        run_one(1, "run");
        UNTIL(is(0, 1, WIRE_RUNNING));
        ck_assert_uint_eq(script_n_running(&g.world), 1);
        stop_one(1);
        UNTIL(is(0, 1, WIRE_STOPPED));
        ck_assert_str_eq(fake_task(&g.fakes[0], 1)->reason, "Task stopped by user");
        ck_assert_int_eq(fake_task(&g.fakes[0], 1)->exit_code, 143);
        ck_assert_uint_eq(script_n_running(&g.world), 0);
    }
END_TEST

START_TEST(ends_are_reported_with_their_cause)
    {
        static const struct {
            const char *image;
            enum wire_stop_code code;
            const char *reason;
            int exit_code; /* -1: none */
        } cases[] = {
            {"exit-3-20", WIRE_STOP_ESSENTIAL_EXITED, "", 3},
            {"oom", WIRE_STOP_ESSENTIAL_EXITED,
             "OutOfMemoryError: Container killed due to memory usage", 137},
            {"nopull", WIRE_STOP_FAILED_TO_START, "CannotPullContainerError: manifest unknown", -1},
            {"nostart", WIRE_STOP_FAILED_TO_START,
             "CannotStartContainerError: exec: \"nostart\": no such file or directory", -1},
        };
        agent_start();
        connect_empty();
        for (uint64_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            const struct fake_task *t;
            run_one(i + 1, cases[i].image);
            UNTIL(is(0, i + 1, WIRE_STOPPED));
            t = fake_task(&g.fakes[0], i + 1);
            ck_assert_int_eq(t->stop_code, cases[i].code);
            ck_assert_str_eq(t->container_reason, cases[i].reason);
            ck_assert_int_eq(t->has_exit_code, cases[i].exit_code >= 0);
            ck_assert(cases[i].exit_code < 0 || t->exit_code == cases[i].exit_code);
        }
    }
END_TEST

START_TEST(probes_decide_the_health)
    {
        static const char *const command[] = {"true"};
        struct container_spec c = {
            .name = "main",
            .image = "run",
            .essential = true,
            .health = {.command = command, .n_command = 1, .interval_s = 1, .retries = 1}};
        struct fake_want want = {.id = 1, .containers = &c, .n_containers = 1};
        agent_start();
        connect_empty();
        fake_assign(&g.fakes[0], &want, 1, false);
        UNTIL(is(0, 1, WIRE_RUNNING));
        UNTIL(fake_task(&g.fakes[0], 1)->health == HEALTH_HEALTHY);
        g.world.probe_exit_code = 1;
        UNTIL(fake_task(&g.fakes[0], 1)->health == HEALTH_UNHEALTHY);
        stop_one(1);
        UNTIL(is(0, 1, WIRE_STOPPED));
    }
END_TEST

START_TEST(many_tasks_share_transactions)
    {
        struct fake_want want[FAKE_TASKS];
        struct engine_stats stats;
        memset(want, 0, sizeof want);
        agent_start();
        connect_empty();
        for (unsigned i = 0; i < FAKE_TASKS; i++) {
            want[i].id = i + 1;
            want[i].image = "run";
        }
        fake_assign(&g.fakes[0], want, FAKE_TASKS, false);
        UNTIL(script_n_running(&g.world) == FAKE_TASKS);
        for (unsigned i = 0; i < FAKE_TASKS; i++) {
            UNTIL(is(0, i + 1, WIRE_RUNNING));
        }
        engine_stats(g.engine, &stats);
        ck_assert_uint_eq(stats.n_running, FAKE_TASKS);
        ck_assert_uint_lt(stats.n_commits, FAKE_TASKS);
    }
END_TEST

START_TEST(nothing_is_done_that_could_not_be_remembered)
    {
        static char big[100001];
        struct spec_pair environment = {"BIG", big};
        struct container_spec c = {.name = "main",
                                   .image = "run",
                                   .essential = true,
                                   .environment = &environment,
                                   .n_environment = 1};
        struct fake_want want = {.id = 1, .containers = &c, .n_containers = 1};
        memset(big, 'x', sizeof big - 1);
        agent_start();
        connect_empty();
        ck_assert_int_eq(journal_limit_pages(g.journal, 1), 0); /* As on a full disk. */
        fake_assign(&g.fakes[0], &want, 1, false);
        run_for(400);
        ck_assert_uint_eq(g.world.n_pulls, 0);
        ck_assert_uint_eq(g.fakes[0].acked, 1);
        ck_assert(g.fakes[0].connected); /* Heartbeats go on. */
        ck_assert_int_eq(journal_limit_pages(g.journal, 100000), 0);
        UNTIL(is(0, 1, WIRE_RUNNING));
    }
END_TEST

/* --- restarts -----------------------------------------------------------------------------------
 */

START_TEST(a_restarted_agent_keeps_its_tasks)
    {
        struct fake_want again = {.id = 1, .image = "run"};
        agent_start();
        connect_empty();
        run_one(1, "run");
        run_one(2, "exit-7-400");
        UNTIL(is(0, 1, WIRE_RUNNING) && is(0, 2, WIRE_RUNNING));
        agent_stop();
        ck_assert_uint_eq(script_n_running(&g.world), 2);
        UNTIL(!g.fakes[0].connected);
        agent_start();
        UNTIL(g.fakes[0].connected);
        ck_assert_uint_eq(g.fakes[0].hello_tasks, 2);
        fake_assign(&g.fakes[0], (struct fake_want[]){again, {.id = 2}}, 2, true);
        UNTIL(is(0, 2, WIRE_STOPPED)); /* The end that came while nobody looked, or later. */
        ck_assert_int_eq(fake_task(&g.fakes[0], 2)->exit_code, 7);
        ck_assert_uint_eq(g.world.n_started, 2);
        ck_assert(is(0, 1, WIRE_RUNNING));
        stop_one(1);
        UNTIL(is(0, 1, WIRE_STOPPED));
    }
END_TEST

/* Stop the agent at every moment of a task's way up; nothing is created twice (the scripted runtime
 * asserts it), and afterwards everything settles. */
START_TEST(a_restart_at_any_moment_creates_nothing_twice)
    {
        for (uint64_t i = 1; i <= 20; i++) {
            struct fake_want want = {.id = i, .image = "run"};
            agent_start();
            UNTIL(g.fakes[0].connected);
            fake_assign(&g.fakes[0], &want, 1, true); /* Those before are unwanted now. */
            run_for(2 * i);
            agent_stop();
            UNTIL(!g.fakes[0].connected);
            agent_start();
            UNTIL(g.fakes[0].connected);
            fake_assign(&g.fakes[0], &want, 1, true);
            UNTIL(is(0, i, WIRE_RUNNING) || is(0, i, WIRE_STOPPED));
            agent_stop();
            UNTIL(!g.fakes[0].connected);
        }
        ck_assert_uint_gt(g.world.n_started, 10);
        ck_assert_uint_le(script_n_running(&g.world), 1);
    }
END_TEST

START_TEST(tasks_the_controller_does_not_name_are_stopped_and_removed)
    {
        agent_start();
        connect_empty();
        run_one(1, "run");
        UNTIL(is(0, 1, WIRE_RUNNING));
        fake_drop(&g.fakes[0]);
        UNTIL(g.fakes[0].n_hellos == 2 && g.fakes[0].connected);
        fake_assign(&g.fakes[0], NULL, 0, true);
        UNTIL(g.world.n_removed == 1);
        ck_assert_ptr_null(script_find(&g.world, (struct id){1, 1}, "main"));
    }
END_TEST

START_TEST(a_heartbeat_tells_whose_processes_are_here)
    {
        g.world.stray = (struct id){9, 9}; /* No container, no journal knows it. */
        agent_start();
        connect_empty();
        UNTIL(g.fakes[0].counted);
        ck_assert_uint_eq(g.fakes[0].n_held, 1);
        ck_assert(id_eq(g.fakes[0].held, g.world.stray));
    }
END_TEST

/* --- the session --------------------------------------------------------------------------------
 */

START_TEST(followers_point_to_the_leader)
    {
        g.fakes[0].follower = true;
        g.fakes[0].leader = g.fakes[1].address;
        agent_start();
        UNTIL(g.fakes[1].connected);
        ck_assert_uint_eq(g.fakes[1].n_hellos, 1);
        g.fakes[0].leader = NULL; /* An election. */
        g.fakes[1].follower = true;
        fake_drop(&g.fakes[1]);
        UNTIL(g.fakes[0].n_hellos > 3);
        g.fakes[0].leader = g.fakes[2].address;
        UNTIL(g.fakes[2].connected);
    }
END_TEST

START_TEST(controllers_that_point_in_circles_are_asked_with_pauses)
    {
        g.fakes[0].follower = true;
        g.fakes[0].leader = g.fakes[1].address;
        g.fakes[1].follower = true;
        g.fakes[1].leader = g.fakes[0].address;
        agent_start();
        run_for(1000);
        ck_assert_uint_lt(g.fakes[0].n_hellos, 200);
        UNTIL(g.fakes[0].n_hellos > 2);
        g.fakes[1].follower = false;
        UNTIL(g.fakes[1].connected);
    }
END_TEST

START_TEST(a_dead_controller_is_replaced_by_the_next)
    {
        g.n_addresses = 3;
        g.addresses[0] = "127.0.0.1:1"; /* Nobody there. */
        agent_start();
        UNTIL(g.fakes[1].connected || g.fakes[2].connected);
    }
END_TEST

START_TEST(new_controllers_are_learnt_while_the_session_lives)
    {
        agent_start();
        connect_empty();
        ck_assert_uint_eq(g.fakes[1].n_hellos, 0);
        g.fakes[0].also = g.fakes[1].address;
        g.fakes[0].n_heartbeats = 0;
        UNTIL(g.fakes[0].n_heartbeats > 1);
        g.fakes[0].ignore_all = true;
        UNTIL(g.fakes[1].connected);
    }
END_TEST

START_TEST(a_silent_controller_is_left)
    {
        agent_start();
        connect_empty();
        g.fakes[0].ignore_all = true;
        UNTIL(!g.fakes[0].connected);
        g.fakes[0].ignore_all = false;
        UNTIL(g.fakes[0].connected);
    }
END_TEST

START_TEST(a_controller_that_makes_no_sense_is_left)
    {
        agent_start();
        connect_empty();
        run_one(1, "run");
        UNTIL(is(0, 1, WIRE_RUNNING));
        fake_say_garbage(&g.fakes[0]);
        UNTIL(g.fakes[0].n_hellos == 2 && g.fakes[0].connected);
        ck_assert_uint_eq(script_n_running(&g.world), 1);
    }
END_TEST

START_TEST(an_older_session_is_not_listened_to)
    {
        g.fakes[0].session = 10;
        agent_start();
        connect_empty();
        g.fakes[0].session = 5; /* As from a leader that was deposed. */
        fake_drop(&g.fakes[0]);
        while (g.fakes[0].n_hellos < 4) {
            g.fakes[0].session = 5;
            run_for(10);
        }
        ck_assert_uint_eq(g.fakes[0].n_tasks, 0);
        g.fakes[0].session = 11;
        UNTIL(g.fakes[0].session == 12 && g.fakes[0].connected);
        fake_assign(&g.fakes[0], NULL, 0, true);
        run_one(1, "run");
        UNTIL(is(0, 1, WIRE_RUNNING));
    }
END_TEST

START_TEST(reports_are_repeated_on_the_next_stream)
    {
        struct fake_want again = {.id = 1, .image = "run"};
        agent_start();
        connect_empty();
        g.fakes[0].ignore_reports = true;
        run_one(1, "run");
        UNTIL(fake_task(&g.fakes[0], 1) != NULL);
        run_for(200);
        ck_assert_uint_eq(fake_task(&g.fakes[0], 1)->n_reports, 1); /* One at a time. */
        g.fakes[0].ignore_reports = false;
        fake_drop(&g.fakes[0]);
        UNTIL(g.fakes[0].n_hellos == 2 && g.fakes[0].connected);
        fake_assign(&g.fakes[0], &again, 1, true);
        UNTIL(is(0, 1, WIRE_RUNNING));
    }
END_TEST

START_TEST(after_the_lease_nothing_new_starts)
    {
        g.lease_ms = 400;
        agent_start();
        connect_empty();
        run_one(1, "run");
        UNTIL(is(0, 1, WIRE_RUNNING));
        g.fakes[0].ignore_heartbeats = true;
        run_for(500);
        run_one(2, "run");
        run_for(300);
        ck_assert_uint_eq(g.world.n_started, 1);
        ck_assert_uint_eq(script_n_running(&g.world), 1); /* What runs stays. */
        g.fakes[0].ignore_heartbeats = false;
        UNTIL(is(0, 2, WIRE_RUNNING));
    }
END_TEST

START_TEST(forgotten_tasks_leave_the_journal_of_what_they_need)
    {
        agent_start();
        connect_empty();
        run_one(1, "exit-0-10");
        UNTIL(is(0, 1, WIRE_STOPPED));
        fake_forget(&g.fakes[0], 1);
        UNTIL(g.fakes[0].acked == 3);
        fake_drop(&g.fakes[0]);
        UNTIL(g.fakes[0].n_hellos == 2 && g.fakes[0].connected);
        ck_assert_uint_eq(g.fakes[0].hello_tasks, 0);
    }
END_TEST

/* --- logs ---------------------------------------------------------------------------------------
 */

static void write_log(int from, int to)
{
    char path[80];
    FILE *f;
    snprintf(path, sizeof path, "%s/main.json", g.dir);
    f = fopen(path, "a");
    ck_assert_ptr_nonnull(f);
    for (int i = from; i < to; i++) {
        fprintf(f, "{\"log\":\"line %06d\\n\",\"time\":\"2026-01-01T00:00:00Z\"}\n", i);
    }
    fclose(f);
}

static unsigned n_lines(const struct buf *b)
{
    unsigned n = 0;
    for (size_t i = 0; i < b->len; i++) {
        n += b->data[i] == '\n';
    }
    return n;
}

static void run_for_logs(void)
{
    agent_start();
    connect_empty();
    run_one(1, "run");
    UNTIL(is(0, 1, WIRE_RUNNING));
}

START_TEST(logs_are_read_to_their_end)
    {
        struct log_request r = {.request = 5, .task = {1, 1}, .container = "main"};
        write_log(0, 20000);
        run_for_logs();
        fake_ask_log(&g.fakes[0], &r);
        UNTIL(g.fakes[0].n_log_ends == 1);
        ck_assert_str_eq(g.fakes[0].log_error, "");
        ck_assert_uint_eq(n_lines(&g.fakes[0].log), 20000);
        ck_assert_uint_le(g.fakes[0].max_chunk, 65536);
        buf_clear(&g.fakes[0].log);
        r.request = 6;
        r.tail = 3;
        fake_ask_log(&g.fakes[0], &r);
        UNTIL(g.fakes[0].n_log_ends == 2);
        ck_assert_uint_eq(n_lines(&g.fakes[0].log), 3);
        r.request = 7;
        r.container = "other";
        fake_ask_log(&g.fakes[0], &r);
        UNTIL(g.fakes[0].n_log_ends == 3);
        ck_assert_str_eq(g.fakes[0].log_error, "no container 'other'");
    }
END_TEST

START_TEST(logs_are_followed_until_the_container_ends)
    {
        struct log_request r = {
            .request = 5, .task = {1, 1}, .container = "main", .follow = true, .tail = 1};
        write_log(0, 10);
        run_for_logs();
        fake_ask_log(&g.fakes[0], &r);
        UNTIL(n_lines(&g.fakes[0].log) == 1);
        write_log(10, 13);
        UNTIL(n_lines(&g.fakes[0].log) == 4);
        ck_assert_uint_eq(g.fakes[0].n_log_ends, 0);
        write_log(13, 14);
        stop_one(1);
        UNTIL(g.fakes[0].n_log_ends == 1);
        ck_assert_uint_eq(n_lines(&g.fakes[0].log), 5);
    }
END_TEST

START_TEST(log_requests_can_be_cancelled_and_are_limited)
    {
        struct log_request r = {.task = {1, 1}, .container = "main", .follow = true};
        write_log(0, 1);
        run_for_logs();
        for (r.request = 1; r.request <= 65; r.request++) {
            fake_ask_log(&g.fakes[0], &r);
        }
        UNTIL(g.fakes[0].n_log_ends == 1);
        ck_assert_str_eq(g.fakes[0].log_error, "too many log requests at this node");
        UNTIL(n_lines(&g.fakes[0].log) == 64);
        for (uint64_t i = 1; i <= 64; i++) {
            fake_cancel_log(&g.fakes[0], i);
        }
        run_for(100);
        write_log(1, 2);
        run_for(400);
        ck_assert_uint_eq(n_lines(&g.fakes[0].log), 64);
        r.request = 100;
        r.follow = false;
        fake_ask_log(&g.fakes[0], &r);
        UNTIL(g.fakes[0].n_log_ends == 2);
        ck_assert_uint_eq(n_lines(&g.fakes[0].log), 66);
        fake_drop(&g.fakes[0]);
        UNTIL(g.fakes[0].n_hellos == 2);
    }
END_TEST

/* --- joining ------------------------------------------------------------------------------------
 */

/* join_run() has a loop of its own, so the controllers run on a thread here. */
static void on_async(uv_async_t *a)
{
    uv_close((uv_handle_t *)a, NULL);
    uv_stop(&g.loop);
}

static void *run_controllers(void *data)
{
    (void)data;
    (void)uv_run(&g.loop, UV_RUN_DEFAULT);
    return NULL;
}

static int join(const char *token, size_t n_controllers, struct err *err)
{
    struct join_options o = {.data_dir = g.dir,
                             .token = token,
                             .name = "n1",
                             .controllers = g.addresses,
                             .n_controllers = n_controllers,
                             .timeout_ms = 3000};
    uv_async_t async;
    pthread_t thread;
    int rv;
    ck_assert_int_eq(uv_async_init(&g.loop, &async, on_async), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, run_controllers, NULL), 0);
    rv = join_run(&o, err);
    ck_assert_int_eq(uv_async_send(&async), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    run_for(10);
    return rv;
}

#define SECRET "00112233445566778899aabbccddeeff"

static void make_token(char *ret, size_t size, const char *secret)
{
    char pin[PKI_PIN_MAX];
    ck_assert_int_eq(pki_pin(str_make((const char *)g.net.ca.data, g.net.ca.len), pin, NULL), 0);
    snprintf(ret, size, "ECSJOIN-1-%s-%s", pin, secret);
}

START_TEST(a_token_buys_an_identity)
    {
        char token[256];
        char path[80];
        struct identity id;
        struct arena arena;
        struct stat st;
        struct err err = {0};
        arena_init(&arena, test_mem());
        ck_assert_int_eq(identity_load(g.dir, &arena, &id, &err), ERR_NOTFOUND);
        make_token(token, sizeof token, SECRET);
        g.fakes[0].follower = true; /* It sends us on; the next one can. */
        g.fakes[1].secret = SECRET;
        ck_assert_msg(join(token, 2, &err) == 0, "%s", err.text);
        ck_assert_msg(identity_load(g.dir, &arena, &id, &err) == 0, "%s", err.text);
        ck_assert_uint_eq(id.node.lo, 0xaa);
        ck_assert_str_eq(id.cluster, "default");
        ck_assert_str_eq(id.domain, "test.ecs");
        ck_assert_uint_eq(id.controllers.n, 1);
        ck_assert_str_eq(id.controllers.v[0], g.fakes[1].address);
        snprintf(path, sizeof path, "%s/node.key", g.dir);
        ck_assert_int_eq(stat(path, &st), 0);
        ck_assert_int_eq(st.st_mode & 0777, 0600);
        arena_close(&arena);
    }
END_TEST

START_TEST(a_bad_token_buys_nothing)
    {
        char token[256];
        struct err err = {0};
        make_token(token, sizeof token, "ffffffffffffffffffffffffffffffff");
        g.fakes[0].secret = SECRET;
        ck_assert_int_eq(join(token, 1, &err), ERR_DENIED);
        ck_assert_uint_eq(g.fakes[0].n_joins, 1);
        token[12] = token[12] == '0' ? '1' : '0'; /* Another CA: the secret is not even sent. */
        ck_assert_int_eq(join(token, 1, &err), ERR_TIMEOUT);
        ck_assert_uint_eq(g.fakes[0].n_joins, 1);
        ck_assert_int_eq(join("ECSJOIN-1-x-y", 1, &err), ERR_INVALID);
        ck_assert_int_eq(join("hello", 1, &err), ERR_INVALID);
    }
END_TEST

static unsigned n_renewed;

static void on_renewed(void *data, int64_t not_after_s)
{
    (void)data;
    (void)not_after_s;
    n_renewed++;
}

START_TEST(the_certificate_renews_itself)
    {
        static const char *const alpn = "h2";
        char token[256];
        struct identity id;
        struct arena arena;
        struct tls_options o = {.alpn = {alpn}};
        struct tls_context *tls;
        struct renewal *renewal;
        struct err err = {0};
        arena_init(&arena, test_mem());
        make_token(token, sizeof token, SECRET);
        g.fakes[0].secret = SECRET;
        g.fakes[0].cert_lifetime_s = 3;
        ck_assert_msg(join(token, 1, &err) == 0, "%s", err.text);
        ck_assert_int_eq(identity_load(g.dir, &arena, &id, &err), 0);
        o.cert_file = id.cert_file;
        o.key_file = id.key_file;
        o.ca_file = id.ca_file;
        ck_assert_msg(tls_context_open(&o, &tls, &err) == 0, "%s", err.text);
        agent_start();
        UNTIL(g.fakes[0].connected);
        renewal = renewal_open(&g.loop, &id, engine_session(g.engine), tls, 1, on_renewed, NULL);
        UNTIL(n_renewed == 2);
        ck_assert_uint_ge(g.fakes[0].n_renewals, 2);
        renewal_close(renewal);
        ck_assert_int_eq(identity_load(g.dir, &arena, &id, &err), 0);
        agent_stop();
        tls_context_close(tls);
        arena_close(&arena);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("agent session");
    TCase *c = tcase_create("session");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 60);
    tcase_add_test(c, a_task_runs_and_stops_as_wanted);
    tcase_add_test(c, ends_are_reported_with_their_cause);
    tcase_add_test(c, probes_decide_the_health);
    tcase_add_test(c, many_tasks_share_transactions);
    tcase_add_test(c, nothing_is_done_that_could_not_be_remembered);
    tcase_add_test(c, a_restarted_agent_keeps_its_tasks);
    tcase_add_test(c, a_restart_at_any_moment_creates_nothing_twice);
    tcase_add_test(c, tasks_the_controller_does_not_name_are_stopped_and_removed);
    tcase_add_test(c, a_heartbeat_tells_whose_processes_are_here);
    tcase_add_test(c, followers_point_to_the_leader);
    tcase_add_test(c, controllers_that_point_in_circles_are_asked_with_pauses);
    tcase_add_test(c, a_dead_controller_is_replaced_by_the_next);
    tcase_add_test(c, new_controllers_are_learnt_while_the_session_lives);
    tcase_add_test(c, a_silent_controller_is_left);
    tcase_add_test(c, a_controller_that_makes_no_sense_is_left);
    tcase_add_test(c, an_older_session_is_not_listened_to);
    tcase_add_test(c, reports_are_repeated_on_the_next_stream);
    tcase_add_test(c, after_the_lease_nothing_new_starts);
    tcase_add_test(c, forgotten_tasks_leave_the_journal_of_what_they_need);
    tcase_add_test(c, logs_are_read_to_their_end);
    tcase_add_test(c, logs_are_followed_until_the_container_ends);
    tcase_add_test(c, log_requests_can_be_cancelled_and_are_limited);
    tcase_add_test(c, a_token_buys_an_identity);
    tcase_add_test(c, a_bad_token_buys_nothing);
    tcase_add_test(c, the_certificate_renews_itself);
    suite_add_tcase(s, c);
    return test_run(s);
}
