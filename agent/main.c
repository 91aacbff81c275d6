/* ecs-agent: builds everything, connects it, runs the loop. Containers outlive it: stopping or
 * killing the agent stops nothing but the agent. */
#include "agent/engine/engine.h"
#include "agent/link/join.h"
#include "agent/program/node.h"
#include "agent/program/settings.h"
#include "agent/runtime/driver.h"
#include "agent/state/journal.h"
#include "common/base/arena.h"
#include "common/log/log.h"
#include "common/loop/loop.h"
#include "common/loop/sysmem.h"
#include "common/net/tls.h"

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define GC_PERIOD_MS 3600000

struct agent {
    int argc;
    char *const *argv; /* Without subcommand, for SIGHUP. */
    struct settings settings;
    struct arena arena;
    struct node node;
    uv_loop_t loop;
    struct journal *journal;
    struct tls_context *tls;
    struct engine *engine;
    struct driver *driver;
    struct renewal *renewal;
    struct loop_signal *signals;
    struct loop_timer *gc;
    struct driver_info info;
    bool stopping;
};

static void open_log(const struct settings *s)
{
    struct log_options o = {.level = s->level, .json = s->log_json, .fd = STDERR_FILENO};
    log_open(&o);
}

static uint64_t seed_of(const struct agent *a)
{
    return a->node.identity.node.lo ^ clock_boot_ms() ^ (uint64_t)getpid();
}

/* --- stopping -----------------------------------------------------------------------------------
 */

static void on_driver_closed(void *data)
{
    struct agent *a = data;
    a->driver = NULL;
    loop_signal_close(a->signals);
    a->signals = NULL;
    uv_stop(&a->loop);
}

static void on_engine_stopped(void *data)
{
    struct agent *a = data;
    driver_close(a->driver, on_driver_closed, a);
}

static void stop(struct agent *a)
{
    if (a->stopping) { /* Asked twice: at once. The journal bears it. */
        exit(EXIT_FAILURE);
    }
    a->stopping = true;
    log_info("agent.stop");
    loop_timer_close(a->gc);
    a->gc = NULL;
    renewal_close(a->renewal);
    a->renewal = NULL;
    engine_stop(a->engine, on_engine_stopped, a);
}

/* Without a journal we would forget what we did. Better to begin anew from what it has. */
static void on_fatal(void *data, const struct err *err)
{
    (void)data;
    log_error("agent.fatal", log_err(err));
    exit(EXIT_FAILURE);
}

static void reload(struct agent *a)
{
    struct settings fresh;
    enum conf_outcome outcome;
    struct err err = {0};
    if (settings_load(a->argc, a->argv, environ, &fresh, &outcome, &err) != 0) {
        log_error("agent.reload", log_err(&err));
        return;
    }
    open_log(&fresh);
    log_info("agent.reload", log_str("log_level", fresh.log_level));
    settings_close(&fresh);
}

static void on_signal(int signum, void *data)
{
    if (signum == SIGHUP) {
        reload(data);
    } else {
        stop(data);
    }
}

/* --- building -----------------------------------------------------------------------------------
 */

static void on_gc(void *data)
{
    struct agent *a = data;
    driver_image_gc(a->driver, a->settings.image_keep_ms / 1000);
}

static void on_session(void *data)
{
    struct agent *a = data;
    a->renewal = renewal_open(&a->loop, &a->node.identity, engine_session(a->engine), a->tls,
                              seed_of(a), NULL, NULL);
}

static int open_tls(struct agent *a, struct err *err)
{
    struct tls_options o = {.verify = TLS_VERIFY_REQUIRED,
                            .cert_file = a->node.identity.cert_file,
                            .key_file = a->node.identity.key_file,
                            .ca_file = a->node.identity.ca_file,
                            .domain = a->node.identity.domain,
                            .alpn = {"h2"}};
    return tls_context_open(&o, &a->tls, err);
}

static int open_journal(struct agent *a, struct err *err)
{
    char *path = arena_printf(&a->arena, "%s/journal.db", a->settings.data_dir);
    bool cleared = false;
    int rv = journal_open(path, a->node.identity.node, &a->journal, &cleared, err);
    if (cleared) {
        log_warn("journal.cleared", log_str("why", "it was of another node"));
    }
    return rv;
}

static void make_engine(struct agent *a)
{
    const struct settings *s = &a->settings;
    struct engine_options o = {
        .journal = a->journal,
        .reconcile = {.task = {.start_timeout_s = (uint32_t)(s->start_timeout_ms / 1000),
                               .stop_timeout_s = (uint32_t)(s->stop_timeout_ms / 1000)},
                      .keep_ms = s->keep_stopped_ms},
        .pull_policy = s->pull_policy,
        .hello = &a->node.hello,
        .session = {.controllers = a->node.controllers,
                    .n_controllers = a->node.n_controllers,
                    .tls = a->tls,
                    .lease_ms = (uint32_t)s->lease_ms,
                    .seed = seed_of(a)},
        .fatal = on_fatal,
        .data = a,
    };
    a->engine = engine_open(&a->loop, &o);
    engine_on_session(a->engine, on_session, a);
}

static int open_driver(struct agent *a, struct err *err)
{
    const struct settings *s = &a->settings;
    struct executor_events events = engine_executor_events(a->engine);
    struct driver_options o = {
        .state_dir = s->data_dir,
        .run_dir = a->node.run_dir,
        .node_name = a->node.hello.name,
        .runtime = s->runtime,
        .cgroup_parent = s->cgroup_parent,
        .bridge = s->bridge,
        .subnet = s->subnet,
        .insecure_registries = s->insecure_registries.items,
        .n_insecure_registries = (uint32_t)s->insecure_registries.n,
        .host_paths = s->host_paths.items,
        .n_host_paths = (uint32_t)s->host_paths.n,
        .allow_privileged = s->allow_privileged,
        .log_max_size = s->log_max_size,
        .log_max_files = (uint32_t)s->log_max_files,
    };
    int rv = driver_open(&a->loop, &o, &events, &a->driver, err);
    if (rv == 0) {
        driver_info(a->driver, &a->info);
        a->node.hello.runtime_version = a->info.runtime;
    }
    return rv;
}

static int build(struct agent *a, struct err *err)
{
    static const int signums[] = {SIGTERM, SIGINT, SIGHUP};
    int rv = open_tls(a, err);
    rv = rv != 0 ? rv : open_journal(a, err);
    if (rv != 0) {
        return rv;
    }
    make_engine(a);
    rv = open_driver(a, err);
    rv = rv != 0 ? rv : engine_start(a->engine, driver_executor(a->driver), err);
    rv = rv != 0 ? rv
                 : loop_signal_open(&a->loop, signums, sizeof signums / sizeof signums[0],
                                    on_signal, a, &a->signals, err);
    if (rv == 0) {
        a->gc = loop_timer_open(&a->loop, on_gc, a);
        loop_timer_repeat(a->gc, GC_PERIOD_MS, GC_PERIOD_MS);
        log_info("agent.start", log_str("version", ECS_VERSION),
                 log_id("node", a->node.identity.node), log_str("name", a->node.hello.name),
                 log_str("cluster", a->node.identity.cluster), log_u64("cpu", a->node.hello.cpu),
                 log_u64("memory", a->node.hello.memory), log_str("address", a->node.hello.address),
                 log_str("runtime", a->info.runtime));
    }
    return rv;
}

static int run(struct agent *a, struct err *err)
{
    int rv = build(a, err);
    if (rv != 0) {
        return rv; /* The process ends; the system takes back the rest. */
    }
    (void)uv_run(&a->loop, UV_RUN_DEFAULT);
    engine_close(a->engine);
    loop_drain(&a->loop);
    journal_close(a->journal);
    tls_context_close(a->tls);
    return 0;
}

/* --- the program --------------------------------------------------------------------------------
 */

/* One heap for all threads: the loop makes nearly all of it, and arenas of others stay half empty.
 * Short work runs on two threads: the journal's, and one more for logs and names. */
static void save_memory(void)
{
    (void)mallopt(M_ARENA_MAX, 1);
    (void)mallopt(M_TRIM_THRESHOLD, 128 * 1024);
    (void)mallopt(M_MMAP_THRESHOLD, 64 * 1024);
    (void)setenv("UV_THREADPOOL_SIZE", "2", 0);
}

static int start(struct agent *a, bool join_only)
{
    struct err err = {0};
    int rv;
    open_log(&a->settings);
    (void)umask(077);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)loop_raise_nofile();
    arena_init(&a->arena, sysmem());
    rv = node_prepare(&a->settings, join_only, &a->arena, &a->node, &err);
    if (rv == 0 && join_only) {
        char id[ID_HEX_LEN + 1];
        id_hex(a->node.identity.node, id);
        (void)printf("node %s of cluster %s\n", id, a->node.identity.cluster);
    } else if (rv == 0) {
        log_catch_crashes(arena_printf(&a->arena, "%s/crash.log", a->settings.data_dir));
        rv = uv_loop_init(&a->loop) == 0 ? run(a, &err) : err_set(&err, ERR_IO, "event loop");
    }
    if (rv != 0) {
        log_error("agent.failed", log_err(&err));
    }
    arena_close(&a->arena);
    return rv == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* The subcommand, or "run"; *argc and *argv lose it. */
static const char *subcommand(int *argc, char ***argv)
{
    const char *word;
    if (*argc < 2 || (*argv)[1][0] == '-') {
        return "run";
    }
    word = (*argv)[1];
    (*argv)[1] = (*argv)[0];
    (*argv)++;
    (*argc)--;
    return word;
}

int main(int argc, char **argv)
{
    struct agent *a;
    const char *command = subcommand(&argc, &argv);
    enum conf_outcome outcome;
    struct err err = {0};
    int rv = EXIT_SUCCESS;
    save_memory();
    if (strcmp(command, "version") == 0) {
        (void)puts("ecs-agent " ECS_VERSION);
        return EXIT_SUCCESS;
    }
    if (strcmp(command, "run") != 0 && strcmp(command, "join") != 0) {
        (void)fprintf(stderr, "ecs-agent: unknown command \"%s\": run, join or version\n", command);
        return EXIT_FAILURE;
    }
    a = mem_alloc(sysmem(), sizeof *a);
    a->argc = argc;
    a->argv = argv;
    if (settings_load(argc, argv, environ, &a->settings, &outcome, &err) != 0) {
        (void)fprintf(stderr, "ecs-agent: %s\n", err.text);
        rv = EXIT_FAILURE;
    } else if (outcome == CONF_EXIT_OK) {
        (void)fputs(conf_text(a->settings.conf), stdout);
    } else {
        rv = start(a, strcmp(command, "join") == 0);
    }
    settings_close(&a->settings);
    mem_free(sysmem(), a, sizeof *a);
    return rv;
}
