#include "tests/lib/agent_rig.h"
#include "tests/lib/test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define BRIDGE "172.29.0.1"

static void add_port(struct task_spec *task, uint16_t node_port)
{
    static struct spec_port ports[8];
    static unsigned n;
    struct spec_port *p = &ports[n++ % 8];
    *p = (struct spec_port){80, node_port, SPEC_TCP, ""};
    rig_container(task)->ports = p;
    rig_container(task)->n_ports = 1;
}

/* The whole way of an ordinary task: pulled, served from every side, logged, stopped, gone. */
START_TEST(a_container_serves_logs_and_leaves_nothing)
    {
        struct rig g;
        struct exec_pull pull;
        struct exec_start start;
        struct exec_stats stats;
        struct task_spec *task = rig_task(0, 1, NULL);
        char out[8192];
        rig_open(&g, "serve");
        ck_assert_msg(rig_pull(&g, RIG_IMAGE, &pull) == 0, "%s", pull.err.text);
        ck_assert(!pull.from_cache);
        ck_assert_uint_gt(pull.size, 100000);
        add_port(task, 8080);
        ck_assert_int_eq(rig_start(&g, task, &pull.image, &start), 0);
        ck_assert_int_gt(start.pid, 1);
        ck_assert_str_eq(start.ip, "172.29.0.2");
        ck_assert_uint_gt(start.started_at_ms, 0);
        /* By loopback, by the node's address, and directly. */
        ck_assert(rig_get_retry("127.0.0.1", 8080, out, sizeof out));
        ck_assert_ptr_nonnull(strstr(out, "task: 1234567890abcdef0000000000000001"));
        ck_assert_ptr_nonnull(strstr(out, "node: node-1"));
        ck_assert(rig_get("192.0.2.1", 8080, out, sizeof out));
        ck_assert(rig_get(start.ip, 80, out, sizeof out));
        ck_assert_int_eq(executor_stats(g.x, (struct exec_key){task->id, "main"}, &stats, NULL), 0);
        ck_assert_uint_gt(stats.cpu_ns, 0);
        ck_assert_uint_gt(stats.memory_bytes, 0);
        ck_assert_uint_gt(stats.n_pids, 0);
        ck_assert_uint_gt(stats.net_rx_bytes, 0);
        ck_assert_int_eq(rig_stop(&g, task, 10), 0);
        ck_assert_uint_eq(g.n_exits, 1);
        ck_assert_int_eq(g.exit.exit_code, 0);
        ck_assert(!g.exit.unknown && !g.exit.oom_killed);
        ck_assert_uint_ge(g.exit.finished_at_ms, g.exit.started_at_ms);
        ck_assert_int_eq(rig_log(&g, task, 0, out, sizeof out), 0);
        ck_assert_ptr_nonnull(strstr(out,
                                     "{\"log\":\"demo: task 1234567890abcdef0000000000000001 on "
                                     "node-1, port 80\\n\",\"stream\":\"stdout\",\"time\":\"20"));
        ck_assert_ptr_nonnull(strstr(out, "demo: stopping"));
        ck_assert_int_eq(rig_log(&g, task, 1, out, sizeof out), 0);
        ck_assert_ptr_null(strstr(out, "demo: task"));
        ck_assert_int_eq(rig_remove(&g, task), 0);
        ck_assert_int_eq(rig_remove(&g, task), 0);
        ck_assert(!rig_get("127.0.0.1", 8080, out, sizeof out));
        ck_assert_uint_eq(g.n_exits, 1);
        rig_close(&g);
        rig_purge(&g);
    }
END_TEST

/* --- how containers end
 * --------------------------------------------------------------------------- */

static void pull_demo(struct rig *g, struct exec_image *ret)
{
    struct exec_pull pull;
    ck_assert_msg(rig_pull(g, RIG_IMAGE, &pull) == 0, "%s", pull.err.text);
    *ret = pull.image;
}

static void start_or_fail(struct rig *g, const struct task_spec *task,
                          const struct exec_image *image)
{
    struct exec_start start;
    ck_assert_int_eq(rig_start(g, task, image, &start), 0);
}

START_TEST(exit_codes_signals_and_oom_are_told_apart)
    {
        struct rig g;
        struct exec_image image;
        struct task_spec *plain = rig_task(0, 1, "exit 7");
        struct task_spec *signal_ = rig_task(1, 2, "kill -SEGV $$; sleep 5");
        struct task_spec *oom = rig_task(2, 3, "tail /dev/zero & wait $!; exit 3");
        struct task_spec *stubborn = rig_task(3, 4, "trap '' TERM; sleep 100 & wait; sleep 100");
        rig_open(&g, "ends");
        pull_demo(&g, &image);
        start_or_fail(&g, plain, &image);
        rig_until_exits(&g, 1);
        ck_assert_int_eq(g.exit.exit_code, 7);
        ck_assert_int_eq(g.exit.signal, 0);
        rig_container(signal_)->init =
            true; /* Process 1 itself cannot be hurt by its own signals. */
        start_or_fail(&g, signal_, &image);
        rig_until_exits(&g, 2);
        ck_assert_int_eq(g.exit.exit_code, 139);
        /* The victim is a child; the container ends by itself, with a code that says nothing. */
        rig_container(oom)->memory_mib = 16;
        start_or_fail(&g, oom, &image);
        rig_until_exits(&g, 3);
        ck_assert_int_eq(g.exit.exit_code, 3);
        ck_assert(g.exit.oom_killed);
        start_or_fail(&g, stubborn, &image);
        ck_assert_int_eq(rig_stop(&g, stubborn, 1), 0);
        ck_assert_uint_eq(g.n_exits, 4);
        ck_assert_int_eq(g.exit.exit_code, 137);
        ck_assert_int_eq(g.exit.signal, SIGKILL);
        ck_assert(!g.exit.oom_killed);
        /* Stopping what has ended is a success, what never was an error. */
        ck_assert_int_eq(rig_stop(&g, plain, 1), 0);
        ck_assert_int_eq(rig_stop(&g, rig_task(4, 99, "true"), 1), ERR_NOTFOUND);
        rig_close(&g);
        rig_purge(&g);
    }
END_TEST

/* The container itself has no limit: the group around the task's containers does. */
START_TEST(an_oom_by_the_limit_of_the_task_is_told_too)
    {
        struct rig g;
        struct exec_image image;
        struct exec_stats stats;
        struct task_spec *task = rig_task(0, 1, "tail /dev/zero & wait $!; sleep 1000");
        rig_open(&g, "task-oom");
        pull_demo(&g, &image);
        task->memory_mib = 16;
        start_or_fail(&g, task, &image);
        for (unsigned i = 0; i < 500 * test_slack(); i++) {
            struct exec_key key = {task->id, "main"};
            ck_assert_int_eq(executor_stats(g.x, key, &stats, NULL), 0);
            if (stats.n_oom_kills > 0) {
                break;
            }
            usleep(20000);
        }
        ck_assert_uint_eq(stats.n_oom_kills, 1);
        ck_assert_int_eq(rig_stop(&g, task, 1), 0);
        ck_assert(g.exit.oom_killed);
        rig_close(&g);
        rig_purge(&g);
    }
END_TEST

START_TEST(a_start_that_cannot_work_says_why_and_leaves_nothing)
    {
        struct rig g;
        struct exec_image image;
        struct exec_start start;
        struct task_spec *task = rig_task(0, 1, "true");
        const char *none[] = {"/no/such/program"};
        rig_open(&g, "refused");
        pull_demo(&g, &image);
        rig_container(task)->entry_point = none;
        rig_container(task)->n_entry_point = 1;
        ck_assert_int_eq(rig_start(&g, task, &image, &start), ERR_IO);
        ck_assert_ptr_nonnull(strstr(start.err.text, "/no/such/program"));
        task = rig_task(0, 1, "true");
        rig_container(task)->user = "nobody-here";
        ck_assert_int_eq(rig_start(&g, task, &image, &start), ERR_INVALID);
        ck_assert_ptr_nonnull(strstr(start.err.text, "nobody-here"));
        task = rig_task(0, 1, "true");
        rig_container(task)->privileged = true;
        ck_assert_int_eq(rig_start(&g, task, &image, &start), ERR_DENIED);
        task = rig_task(0, 1, "true");
        rig_container(task)->name = "../evil";
        ck_assert_int_eq(rig_start(&g, task, &image, &start), ERR_INVALID);
        task = rig_task(0, 1, "sleep 100");
        start_or_fail(&g, task, &image);
        ck_assert_int_eq(rig_start(&g, task, &image, &start), ERR_EXISTS);
        image.id[10] = image.id[10] == '0' ? '1' : '0';
        task = rig_task(0, 2, "true");
        ck_assert_int_eq(rig_start(&g, task, &image, &start), ERR_NOTFOUND);
        ck_assert_uint_eq(g.n_exits, 0);
        rig_close(&g);
        rig_purge(&g);
    }
END_TEST

/* --- surviving
 * ------------------------------------------------------------------------------------- */

/* In a child: start a container, then die without a word. */
static void start_and_die(const char *name, struct task_spec *task)
{
    int status;
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        struct rig g;
        struct exec_image image;
        struct exec_start start;
        rig_open(&g, name);
        pull_demo(&g, &image);
        if (rig_start(&g, task, &image, &start) != 0) {
            _exit(1);
        }
        kill(getpid(), SIGKILL);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status));
}

struct seen {
    bool done;
    int status;
    size_t n;
    struct exec_container first;
};

static void inventory_cb(struct exec_inventory *r)
{
    struct seen *s = r->data;
    s->done = true;
    s->status = r->status;
    s->n = r->n_containers;
    if (r->n_containers > 0) {
        s->first = r->containers[0];
    }
}

static void take_inventory(struct rig *g, struct seen *s)
{
    struct exec_inventory r = {.data = s, .cb = inventory_cb};
    memset(s, 0, sizeof *s);
    executor_inventory(g->x, &r);
    ck_assert(!s->done);
    rig_until(g, &s->done);
    ck_assert_int_eq(s->status, 0);
}

struct counted {
    bool done;
    int status;
    size_t n;
    struct id last;
};

static void census_cb(struct exec_census *r)
{
    struct counted *c = r->data;
    c->done = true;
    c->status = r->status;
    c->n = r->n_tasks;
    c->last = r->n_tasks == 0 ? (struct id){0, 0} : r->tasks[r->n_tasks - 1];
}

static struct counted take_census(struct rig *g)
{
    struct counted c = {0};
    struct exec_census r = {.data = &c, .cb = census_cb};
    executor_census(g->x, &r);
    ck_assert(!c.done);
    rig_until(g, &c.done);
    ck_assert_int_eq(c.status, 0);
    return c;
}

START_TEST(a_container_survives_its_agent_and_is_adopted)
    {
        struct rig g;
        struct seen seen;
        struct exec_start start;
        struct task_spec *task = rig_task(0, 1, NULL);
        struct task_spec *other = rig_task(1, 2, "sleep 100");
        char out[4096];
        add_port(task, 8080);
        start_and_die("adopt", task);
        ck_assert(rig_get_retry("127.0.0.1", 8080, out, sizeof out)); /* With no agent at all. */
        rig_open(&g, "adopt");
        ck_assert(rig_get("127.0.0.1", 8080, out, sizeof out));
        take_inventory(&g, &seen);
        ck_assert_uint_eq(take_census(&g).n, 1);
        ck_assert(id_eq(take_census(&g).last, task->id));
        ck_assert_uint_eq(seen.n, 1);
        ck_assert(id_eq(seen.first.key.task, task->id));
        ck_assert_int_eq(seen.first.state, EXEC_RUNNING);
        ck_assert(seen.first.supervised);
        ck_assert_str_eq(seen.first.ip, "172.29.0.2");
        ck_assert_int_gt(seen.first.pid, 1);
        ck_assert(rig_get("127.0.0.1", 8080, out, sizeof out));
        /* Its address is not given to another. */
        ck_assert_int_eq(rig_start(&g, other, &seen.first.image, &start), 0);
        ck_assert_str_eq(start.ip, "172.29.0.3");
        ck_assert_int_eq(rig_stop(&g, task, 10), 0);
        ck_assert_uint_eq(g.n_exits, 1);
        ck_assert_int_eq(g.exit.exit_code, 0);
        ck_assert(!g.exit.unknown);
        rig_close(&g);
        rig_open(&g, "adopt"); /* Once more: one has ended, one runs. */
        take_inventory(&g, &seen);
        ck_assert_uint_eq(seen.n, 2);
        ck_assert_int_eq(seen.first.state, EXEC_EXITED);
        ck_assert_int_eq(seen.first.exit.exit_code, 0);
        ck_assert(!rig_get("127.0.0.1", 8080, out, sizeof out));
        ck_assert_int_eq(rig_remove(&g, task), 0);
        ck_assert_int_eq(rig_remove(&g, other), 0);
        ck_assert_uint_eq(g.n_exits, 1);
        take_inventory(&g, &seen);
        ck_assert_uint_eq(seen.n, 0);
        rig_close(&g);
        rig_purge(&g);
    }
END_TEST

static pid_t shim_of(const struct rig *g)
{
    char pattern[256];
    char line[64] = "";
    FILE *f;
    int pipes[2];
    pid_t pid;
    snprintf(pattern, sizeof pattern, "[e]cs-shim run --dir %s", g->state_dir);
    ck_assert_int_eq(pipe(pipes), 0);
    pid = fork();
    if (pid == 0) {
        dup2(pipes[1], 1);
        execlp("pgrep", "pgrep", "-f", pattern, (char *)NULL);
        _exit(1);
    }
    close(pipes[1]);
    waitpid(pid, NULL, 0);
    f = fdopen(pipes[0], "r");
    ck_assert_ptr_nonnull(fgets(line, sizeof line, f));
    fclose(f);
    return (pid_t)strtol(line, NULL, 10);
}

/* Without its supervisor a container goes on, but how it ended cannot be known: told so, once,
 * also when the agent was away meanwhile. */
START_TEST(a_container_survives_its_supervisor_with_an_unknown_end)
    {
        struct rig g;
        struct seen seen;
        struct exec_image image;
        struct task_spec *task = rig_task(0, 1, NULL);
        char out[4096];
        bool away = _i == 1;
        rig_open(&g, "orphan");
        pull_demo(&g, &image);
        add_port(task, 8080);
        start_or_fail(&g, task, &image);
        ck_assert(rig_get_retry("127.0.0.1", 8080, out, sizeof out));
        if (away) {
            rig_close(&g);
        }
        ck_assert_int_eq(kill(shim_of(&g), SIGKILL), 0);
        if (away) {
            rig_open(&g, "orphan");
            take_inventory(&g, &seen);
            ck_assert_uint_eq(seen.n, 1);
            ck_assert_int_eq(seen.first.state, EXEC_RUNNING);
            ck_assert(!seen.first.supervised);
        }
        ck_assert(rig_get("127.0.0.1", 8080, out, sizeof out));
        ck_assert_uint_eq(g.n_exits, 0);
        ck_assert_int_eq(rig_stop(&g, task, 10), 0);
        ck_assert_uint_eq(g.n_exits, 1);
        ck_assert(g.exit.unknown);
        ck_assert_int_eq(rig_remove(&g, task), 0);
        rig_close(&g);
        rig_purge(&g);
    }
END_TEST

/* --- requests that race
 * ------------------------------------------------------------------------------ */

static void count_pull(struct exec_pull *r)
{
    unsigned *n = r->data;
    ck_assert_msg(r->status == 0, "%s", r->err.text);
    (*n)++;
}

START_TEST(equal_pulls_are_one_and_the_cache_needs_no_registry)
    {
        struct rig g;
        struct exec_pull pulls[5];
        struct exec_pull pull;
        unsigned n = 0;
        rig_open(&g, "cache");
        memset(pulls, 0, sizeof pulls);
        for (int i = 0; i < 5; i++) {
            pulls[i].data = &n;
            pulls[i].reference = RIG_IMAGE;
            pulls[i].cb = count_pull;
            executor_pull(g.x, &pulls[i]);
        }
        while (n < 5) {
            uv_run(&g.loop, UV_RUN_ONCE);
        }
        rig_registry_hide();
        ck_assert_int_eq(rig_pull(&g, RIG_IMAGE, &pull), 0);
        ck_assert(pull.from_cache);
        ck_assert_str_eq(pull.image.id, pulls[0].image.id);
        ck_assert_int_eq(rig_pull(&g, "127.0.0.1:5000/demo:v9", &pull), ERR_IO);
        ck_assert_int_eq(rig_pull(&g, "127.0.0.1:5002/demo:v1", &pull), ERR_DENIED);
        ck_assert_int_eq(rig_pull(&g, "no spaces", &pull), ERR_INVALID);
        rig_registry_show();
        ck_assert_int_eq(rig_pull(&g, "127.0.0.1:5000/demo:v9", &pull), ERR_IO);
        ck_assert_ptr_nonnull(strstr(pull.err.text, "manifest unknown"));
        /* Collected once nothing needs it: then the registry is asked again. */
        driver_image_gc(g.driver, 0);
        ck_assert_int_eq(rig_pull(&g, RIG_IMAGE, &pull), 0);
        rig_registry_hide();
        rig_close(&g);
        rig_purge(&g);
        rig_registry_show();
    }
END_TEST

struct race {
    struct exec_start start;
    struct exec_stop stop;
    struct exec_remove removal;
    unsigned n;
    unsigned order;
    unsigned start_at;
    unsigned remove_at;
};

static void race_start(struct exec_start *r)
{
    struct race *c = r->data;
    c->n++;
    c->start_at = ++c->order;
}

static void race_stop(struct exec_stop *r)
{
    struct race *c = r->data;
    c->n++;
}

static void race_remove(struct exec_remove *r)
{
    struct race *c = r->data;
    c->n++;
    c->remove_at = ++c->order;
}

/* Start, stop and remove asked for in one breath: each answered once, in a sensible order. */
START_TEST(a_stop_overtakes_a_start_and_a_removal_waits_for_it)
    {
        struct rig g;
        struct race race;
        struct exec_image image;
        struct task_spec *task = rig_task(0, 1, "sleep 100");
        rig_open(&g, "race");
        pull_demo(&g, &image);
        for (int i = 0; i < 10; i++) {
            struct exec_key key = {task->id, "main"};
            memset(&race, 0, sizeof race);
            race.start =
                (struct exec_start){.data = &race, .task = task, .image = image, .cb = race_start};
            race.stop = (struct exec_stop){.data = &race, .key = key, .cb = race_stop};
            race.removal =
                (struct exec_remove){.data = &race, .key = {task->id, NULL}, .cb = race_remove};
            executor_start(g.x, &race.start);
            for (int k = 0; k < i * 3; k++) { /* Let it get a little further each time. */
                usleep(1000);
                uv_run(&g.loop, UV_RUN_NOWAIT);
            }
            executor_stop(g.x, &race.stop);
            executor_remove(g.x, &race.removal);
            while (race.n < 3) {
                uv_run(&g.loop, UV_RUN_ONCE);
            }
            ck_assert(race.start.status == ERR_CANCELED || race.start.status == 0);
            ck_assert_int_eq(race.removal.status, 0);
            ck_assert_uint_lt(race.start_at, race.remove_at);
        }
        rig_close(&g);
        rig_purge(&g);
    }
END_TEST

START_TEST(closing_answers_everything_and_keeps_containers)
    {
        struct rig g;
        struct race race;
        struct seen seen;
        struct exec_image image;
        struct task_spec *running = rig_task(0, 1, "trap '' TERM; while :; do sleep 1; done");
        struct task_spec *starting = rig_task(1, 2, "sleep 100");
        rig_open(&g, "closing");
        pull_demo(&g, &image);
        start_or_fail(&g, running, &image);
        memset(&race, 0, sizeof race);
        race.start =
            (struct exec_start){.data = &race, .task = starting, .image = image, .cb = race_start};
        race.stop = (struct exec_stop){
            .data = &race, .key = {running->id, "main"}, .timeout_s = 60, .cb = race_stop};
        race.removal =
            (struct exec_remove){.data = &race, .key = {starting->id, NULL}, .cb = race_remove};
        executor_start(g.x, &race.start);
        executor_stop(g.x, &race.stop);
        executor_remove(g.x, &race.removal);
        rig_close(&g);
        ck_assert_uint_eq(race.n, 3);
        ck_assert_int_eq(race.stop.status, ERR_CANCELED);
        ck_assert_int_eq(race.start.status, ERR_CANCELED);
        rig_open(&g, "closing");
        take_inventory(&g, &seen);
        ck_assert_uint_eq(seen.n, 1);
        ck_assert_int_eq(seen.first.state, EXEC_RUNNING);
        rig_close(&g);
        rig_purge(&g);
    }
END_TEST

/* --- inside
 * ------------------------------------------------------------------------------------------ */

START_TEST(commands_run_inside_and_are_killed_in_time)
    {
        struct rig g;
        struct exec_image image;
        struct task_spec *task = rig_task(0, 1, "sleep 1000");
        char out[4096];
        int code = -1;
        rig_open(&g, "exec");
        pull_demo(&g, &image);
        start_or_fail(&g, task, &image);
        ck_assert_int_eq(
            rig_run(&g, task, "echo out; echo err >&2; exit 5", out, sizeof out, 10000, &code), 0);
        ck_assert_int_eq(code, 5);
        ck_assert_ptr_nonnull(strstr(out, "out\n"));
        ck_assert_ptr_nonnull(strstr(out, "err\n"));
        ck_assert_int_eq(rig_run(&g, task, "sleep 777", out, sizeof out, 300, &code), ERR_TIMEOUT);
        ck_assert_int_eq(
            rig_run(&g, task, "ps | grep -c '[s]leep 777'", out, sizeof out, 10000, &code), 0);
        ck_assert_str_eq(out, "0\n");
        ck_assert_int_eq(rig_remove(&g, task), 0);
        ck_assert_uint_eq(g.n_exits, 1); /* Killed by the removal, and told. */
        ck_assert_int_eq(g.exit.exit_code, 137);
        ck_assert_int_eq(rig_run(&g, task, "true", out, sizeof out, 10000, &code), ERR_NOTFOUND);
        rig_close(&g);
        rig_purge(&g);
    }
END_TEST

static void expect(struct rig *g, const struct task_spec *task, const char *script,
                   const char *text)
{
    char out[16384];
    int code = -1;
    ck_assert_int_eq(rig_run(g, task, script, out, sizeof out, 10000, &code), 0);
    ck_assert_msg(strstr(out, text) != NULL, "%s: expected \"%s\", got:\n%s", script, text, out);
}

/* Half of the runs: as on a kernel that cannot shift owners. */
static void choose_userns(int i)
{
    if (i == 1) {
        setenv("ECS_TEST_NO_USERNS", "1", 1); /* Each test has a process of its own. */
    }
}

START_TEST(a_container_may_do_little_by_default)
    {
        struct rig g;
        struct exec_image image;
        struct driver_info info;
        char out[4096];
        struct task_spec *task = rig_task(0, 1, "echo by name > /dev/stdout; sleep 1000");
        choose_userns(_i);
        rig_open(&g, "little");
        pull_demo(&g, &image);
        rig_container(task)->memory_mib = 32;
        start_or_fail(&g, task, &image);
        expect(&g, task, "grep -E 'Cap(Bnd|Eff)' /proc/1/status | sort -u", "00000000800405fb");
        expect(&g, task, "cat /proc/1/status", "NoNewPrivs:\t1");
        expect(&g, task, "cat /proc/1/status", "Seccomp:\t2");
        expect(&g, task, "mount -t tmpfs x /tmp 2>&1", "denied");
        expect(&g, task, "mknod /tmp/x b 8 0 2>&1", "ermitted");
        expect(&g, task, "echo 1 2>&1 > /proc/sys/kernel/panic", "ead-only");
        expect(&g, task, "wc -c < /proc/interrupts", "0");
        expect(&g, task, "unshare -U true 2>&1; unshare 2>&1; nsenter -t 1 -m true 2>&1", "");
        expect(&g, task, "ls /proc/1/fd | tr '\\n' ' '", "0 1 2");
        expect(&g, task, "hostname; cat /etc/hostname", "1234567890ab\n1234567890ab\n");
        expect(&g, task, "cat /etc/hosts", "172.29.0.2\t1234567890ab");
        expect(&g, task, "ip route", "default via 172.29.0.1 dev eth0");
        expect(&g, task, "grep -E 'Seccomp:|CapEff|NoNew' /proc/self/status | tr -s '\\t\\n' ' '",
               "CapEff: 00000000800405fb NoNewPrivs: 1 Seccomp: 2");
        expect(&g, task, "wget -T 2 -O- http://169.254.169.254/ 2>&1; true", "");
        expect(&g, task,
               "cat /sys/fs/cgroup/memory/memory.limit_in_bytes || "
               "cat /sys/fs/cgroup/memory.max",
               "33554432");
        expect(&g, task, "grep 'open files' /proc/1/limits | tr -s ' '", "Max open files 1024 ");
        if (getenv("ECS_TEST_RUNTIME") == NULL) { /* runc 1.1 races with itself, see agent.md. */
            expect(&g, task, "ulimit -n", "1024");
        }
        /* The supervisor's protection from the OOM killer is not handed on. */
        expect(&g, task, "[ $(cat /proc/1/oom_score_adj) -ge 0 ] && echo fair", "fair");
        expect(&g, task, "[ $(cat /proc/self/oom_score_adj) -ge 0 ] && echo fair", "fair");
        /* Its root is nobody on the node, and yet owns its files. */
        driver_info(g.driver, &info);
        if (info.user_namespaces) {
            expect(&g, task, "tr -s ' ' < /proc/self/uid_map", " 65536\n");
            expect(&g, task, "grep -c ' 0 4294967295' < /proc/self/uid_map", "0\n");
        }
        expect(&g, task, "stat -c %u:%g /bin /etc/hosts /tmp | sort -u", "0:0\n");
        expect(&g, task, "stat -c %u:%g /bin /etc/hosts /tmp | sort -u | wc -l", "1\n");
        expect(&g, task, "touch /etc/new && chown 1000:1000 /etc/new && stat -c %u /etc/new",
               "1000\n");
        expect(&g, task, "ls /sys/class/net | tr '\\n' ' '", "eth0 lo ");
        ck_assert_int_eq(rig_log(&g, task, 0, out, sizeof out), 0);
        ck_assert_ptr_nonnull(strstr(out, "by name"));
        rig_close(&g);
        rig_purge(&g);
    }
END_TEST

START_TEST(a_specification_is_followed_to_the_letter)
    {
        static const struct spec_pair env[] = {{"A", "1"}, {"PATH", "/bin"}, {"A", "2"}};
        static const struct spec_host hosts[] = {{"db", "10.1.2.3"}};
        static const char *const dns[] = {"192.0.2.53"};
        static const char *const search[] = {"example.test"};
        static const char *const add[] = {"NET_ADMIN"};
        static const char *const drop[] = {"CHOWN"};
        static const struct spec_ulimit limits[] = {{"nofile", 100, 200}};
        static const struct spec_pair sysctls[] = {{"net.ipv4.ip_local_port_range", "10000 20000"},
                                                   {"kernel.msgmax", "4096"}};
        static const struct spec_tmpfs tmpfs[] = {{"/scratch", 4, NULL, 0}};
        static struct spec_volume volumes[] = {{"shared", SPEC_VOLUME_TASK, ""},
                                               {"host", SPEC_VOLUME_HOST, ""}};
        static const struct spec_mount mounts[] = {{"shared", "/shared", false},
                                                   {"host", "/host", true}};
        struct rig g;
        struct exec_image image;
        struct task_spec *task = rig_task(0, 1, "sleep 1000");
        struct container_spec *c = rig_container(task);
        choose_userns(_i);
        rig_open(&g, "letter");
        pull_demo(&g, &image);
        c->environment = env;
        c->n_environment = 3;
        c->extra_hosts = hosts;
        c->n_extra_hosts = 1;
        c->dns_servers = dns;
        c->n_dns_servers = 1;
        c->dns_search = search;
        c->n_dns_search = 1;
        c->cap_add = add;
        c->n_cap_add = 1;
        c->cap_drop = drop;
        c->n_cap_drop = 1;
        c->ulimits = limits;
        c->n_ulimits = 1;
        c->sysctls = sysctls;
        c->n_sysctls = 2;
        c->tmpfs = tmpfs;
        c->n_tmpfs = 1;
        volumes[1].host_path = rig_world_dir();
        task->volumes = volumes;
        task->n_volumes = 2;
        c->mounts = mounts;
        c->n_mounts = 2;
        c->user = "www";
        c->working_directory = "/www";
        c->hostname = "web";
        c->readonly_root_filesystem = true;
        c->shm_size_mib = 8;
        c->pids_limit = 50;
        c->cpu_units = 512;
        task->cpu_units = 256;
        task->memory_mib = 64;
        start_or_fail(&g, task, &image);
        expect(&g, task, "echo $A:$PATH:$ECS_NODE:$HOME", "2:/bin:node-1:/www");
        expect(&g, task, "id", "uid=1000(www) gid=1000(www)");
        expect(&g, task, "pwd; hostname", "/www\nweb\n");
        expect(&g, task, "cat /etc/hosts", "10.1.2.3\tdb");
        expect(&g, task, "cat /etc/resolv.conf", "nameserver 192.0.2.53\nsearch example.test");
        expect(&g, task, "grep CapBnd /proc/1/status", "00000000800415fa");
        expect(&g, task, "grep CapEff /proc/1/status", "0000000000000000");
        expect(&g, task, "cat /proc/1/limits",
               "Max open files            100                  200");
        expect(&g, task, "cat /proc/sys/net/ipv4/ip_local_port_range", "10000\t20000");
        expect(&g, task, "cat /proc/sys/kernel/msgmax", "4096");
        expect(&g, task, "touch /x 2>&1", "ead-only");
        expect(&g, task, "touch /shared/x && ls /shared", "x");
        expect(&g, task, "ls /host; touch /host/x 2>&1", "registry.yml");
        expect(&g, task, "touch /host/x 2>&1", "ead-only");
        expect(&g, task, "cat /sys/fs/cgroup/pids/pids.max || cat /sys/fs/cgroup/pids.max", "50\n");
        expect(&g, task, /* Version 2 has weights from 1 to 10000, about 20 for 512 shares. */
               "cd /sys/fs/cgroup; w=$(cat cpu.weight) && [ $w -gt 10 ] && [ $w -lt 80 ] &&"
               " echo 512 || cat cpu/cpu.shares",
               "512\n");
        expect(&g, task, "df -k /scratch /dev/shm | awk '{print $2}' | tr '\\n' ' '", "4096 8192");
        rig_close(&g);
        rig_purge(&g);
    }
END_TEST

/* One range of user ids for the task, so that its containers can share files; another for others.
 */
START_TEST(containers_of_a_task_share_volumes_and_nothing_with_others)
    {
        static const struct spec_volume volumes[] = {{"shared", SPEC_VOLUME_TASK, ""}};
        static const struct spec_mount mounts[] = {{"shared", "/shared", false}};
        static const struct spec_tmpfs tmpfs[] = {{"/scratch", 4, NULL, 0}};
        struct rig g;
        struct exec_image image;
        struct task_spec *one = rig_task(0, 1, "echo from one > /shared/one; sleep 1000");
        struct task_spec *two = rig_task(1, 1, "sleep 1000");
        struct task_spec *foreign = rig_task(2, 2, "sleep 1000");
        struct task_spec *tasks[] = {one, two, foreign};
        choose_userns(_i);
        rig_open(&g, "share");
        pull_demo(&g, &image);
        for (int i = 0; i < 3; i++) {
            struct container_spec *c = rig_container(tasks[i]);
            tasks[i]->volumes = volumes;
            tasks[i]->n_volumes = 1;
            c->mounts = mounts;
            c->n_mounts = 1;
            c->tmpfs = tmpfs;
            c->n_tmpfs = 1;
            c->init = true;
            c->readonly_root_filesystem = true;
            c->user = i == 1 ? "www" : "";
        }
        rig_container(two)->name = "other";
        for (int i = 0; i < 3; i++) {
            start_or_fail(&g, tasks[i], &image);
        }
        expect(&g, two, "cat /shared/one; id -un", "from one\nwww\n");
        expect(&g, two, "echo two > /shared/two && stat -c %u /shared/one /shared/two",
               "0\n1000\n");
        expect(&g, one, "cat /shared/two", "two");
        expect(&g, foreign, "ls /shared | wc -l", "0\n");
        expect(&g, one, "touch /x 2>&1; touch /scratch/x && echo ok", "ok\n");
        expect(&g, one, "tr '\\0' ' ' < /proc/1/cmdline", "/.ecs-init init /bin/sh");
        ck_assert_int_eq(rig_stop(&g, foreign, 10), 0);
        ck_assert_int_eq(g.exit.signal, 0); /* Its init passed TERM on, and told of the end. */
        ck_assert_int_eq(g.exit.exit_code, 143);
        ck_assert_int_eq(rig_remove(&g, one), 0); /* The whole task, both containers. */
        ck_assert_uint_eq(g.n_exits, 3);
        rig_close(&g);
        rig_purge(&g);
    }
END_TEST

START_TEST(layers_replace_delete_and_hide_what_is_below)
    {
        struct rig g;
        struct exec_pull pull;
        struct task_spec *task = rig_task(0, 1, "sleep 1000");
        choose_userns(_i);
        rig_open(&g, "layers");
        ck_assert_msg(rig_pull(&g, RIG_LAYERS, &pull) == 0, "%s", pull.err.text);
        start_or_fail(&g, task, &pull.image);
        expect(&g, task, "ls /www", "cgi-bin\n");
        expect(&g, task, "ls /www | wc -l", "1\n");
        expect(&g, task, "ls /www/cgi-bin | tr '\\n' ' '", "only ");
        expect(&g, task, "ls /www/cgi-bin | wc -l", "1\n");
        expect(&g, task, "id -u; id -g", "1234\n1235\n");
        expect(&g, task, "grep Groups: /proc/1/status", "1300");
        expect(&g, task, "pwd; cat /data/mine; stat -c %u:%g:%a /data",
               "/data\nmine\n1234:1235:700");
        rig_close(&g);
        rig_purge(&g);
    }
END_TEST

START_TEST(network_modes_differ_as_they_should)
    {
        struct rig g;
        struct exec_image image;
        struct exec_start start;
        struct task_spec *none = rig_task(0, 1, "sleep 1000");
        struct task_spec *host = rig_task(1, 2, NULL);
        struct task_spec *self = rig_task(2, 3, NULL);
        static const struct spec_pair port[] = {{"PORT", "8181"}};
        char out[4096];
        choose_userns(_i);
        rig_open(&g, "modes");
        pull_demo(&g, &image);
        none->net_mode = NET_MODE_NONE;
        ck_assert_int_eq(rig_start(&g, none, &image, &start), 0);
        ck_assert_str_eq(start.ip, "");
        expect(&g, none, "ip -o link | wc -l", "1\n");
        expect(&g, none, "ip link show lo", "LOOPBACK,UP");
        host->net_mode = NET_MODE_HOST;
        rig_container(host)->environment = port;
        rig_container(host)->n_environment = 1;
        ck_assert_int_eq(rig_start(&g, host, &image, &start), 0);
        ck_assert(rig_get_retry("127.0.0.1", 8181, out, sizeof out));
        /* Through the node's own port back to itself. */
        add_port(self, 8282);
        ck_assert_int_eq(rig_start(&g, self, &image, &start), 0);
        ck_assert(rig_get_retry("127.0.0.1", 8282, out, sizeof out));
        expect(&g, self, "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 5 " BRIDGE " 8282",
               "task: 1234567890abcdef");
        /* A port that changes hands leads to its new owner, also when the old one goes late. */
        ck_assert_int_eq(rig_stop(&g, self, 10), 0);
        none = rig_task(3, 4, NULL);
        add_port(none, 8282);
        ck_assert_int_eq(rig_start(&g, none, &image, &start), 0);
        ck_assert(rig_get_retry("127.0.0.1", 8282, out, sizeof out));
        ck_assert_int_eq(rig_remove(&g, self), 0);
        ck_assert(rig_get("127.0.0.1", 8282, out, sizeof out));
        ck_assert_ptr_nonnull(strstr(out, "task: 1234567890abcdef0000000000000004"));
        rig_close(&g);
        rig_purge(&g);
    }
END_TEST

START_TEST(logs_rotate_and_keep_what_was_promised)
    {
        struct rig g;
        struct exec_image image;
        struct task_spec *task =
            rig_task(0, 1,
                     "i=0; while [ $i -lt 3000 ]; do echo \"line $i\"; i=$((i+1)); done;"
                     "printf '\\001\\377\"\\\\'; sleep 0");
        static char out[256 * 1024];
        char path[PATH_MAX];
        rig_open(&g, "logs");
        pull_demo(&g, &image);
        rig_container(task)->log.max_size = 65536;
        rig_container(task)->log.max_files = 2;
        start_or_fail(&g, task, &image);
        rig_until_exits(&g, 1);
        ck_assert_int_eq(rig_log(&g, task, 0, out, sizeof out), 0);
        ck_assert_ptr_nonnull(strstr(out, "line 2999\\n"));
        ck_assert_ptr_nonnull(strstr(out, "\\u0001\xef\xbf\xbd\\\"\\\\\""));
        ck_assert_ptr_null(strstr(out, "line 1\\n"));
        ck_assert_uint_gt(strlen(out), 60000);
        ck_assert_uint_lt(strlen(out), 140000);
        ck_assert_int_eq(
            executor_log_path(g.x, (struct exec_key){task->id, "main"}, path, sizeof path, NULL),
            0);
        ck_assert_int_eq(access(path, R_OK), 0);
        rig_close(&g);
        rig_purge(&g);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("runtime");
    TCase *orphans = tcase_create("orphans");
    TCase *inside = tcase_create("inside");
    int rv = EXIT_FAILURE;
    TEST_CASE(s, "runtime", 120, a_container_serves_logs_and_leaves_nothing,
              exit_codes_signals_and_oom_are_told_apart,
              an_oom_by_the_limit_of_the_task_is_told_too,
              a_start_that_cannot_work_says_why_and_leaves_nothing,
              a_container_survives_its_agent_and_is_adopted,
              equal_pulls_are_one_and_the_cache_needs_no_registry,
              a_stop_overtakes_a_start_and_a_removal_waits_for_it,
              closing_answers_everything_and_keeps_containers,
              commands_run_inside_and_are_killed_in_time, logs_rotate_and_keep_what_was_promised);
    tcase_set_timeout(orphans, 60);
    tcase_set_timeout(inside, 60);
    tcase_add_loop_test(inside, a_container_may_do_little_by_default, 0, 2);
    tcase_add_loop_test(inside, a_specification_is_followed_to_the_letter, 0, 2);
    tcase_add_loop_test(inside, containers_of_a_task_share_volumes_and_nothing_with_others, 0, 2);
    tcase_add_loop_test(inside, layers_replace_delete_and_hide_what_is_below, 0, 2);
    tcase_add_loop_test(inside, network_modes_differ_as_they_should, 0, 2);
    suite_add_tcase(s, inside);
    tcase_add_loop_test(orphans, a_container_survives_its_supervisor_with_an_unknown_end, 0, 2);
    suite_add_tcase(s, orphans);
    if (rig_world_open()) {
        rv = test_run(s);
    }
    rig_world_close();
    return rv;
}
