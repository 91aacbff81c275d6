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

int main(void)
{
    Suite *s = suite_create("runtime");
    int rv = EXIT_FAILURE;
    TEST_CASE(s, "runtime", 120, a_container_serves_logs_and_leaves_nothing);
    if (rig_world_open()) {
        rv = test_run(s);
    }
    rig_world_close();
    return rv;
}
