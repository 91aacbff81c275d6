/* ecs-fleet: options, time, figures. Everything that is due happens in a tick of five milliseconds;
 * what the agents have to say is sent at its end. */
#include "tests/bench/fleet/fleet.h"

#include "common/log/log.h"
#include "common/loop/sysmem.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define TICK_MS 5

#define AT(field) offsetof(struct fleet_config, field)
#define NUMBER(flag, field, preset, least, most, text)                                            \
    {                                                                                             \
        .name = (flag), .type = CONF_U64, .offset = AT(field), .value = (preset), .min = (least), \
        .max = (most), .help = (text)                                                             \
    }
#define TIME(flag, field, preset, text)                                                          \
    {                                                                                            \
        .name = (flag), .type = CONF_DURATION, .offset = AT(field), .value = (preset), .min = 0, \
        .max = 86400000, .help = (text)                                                          \
    }

static const struct conf_option options[] = {
    {.name = "controllers",
     .env = "ECS_ENDPOINT",
     .type = CONF_LIST,
     .offset = AT(controllers),
     .arg = "ADDR:PORT,...",
     .help = "Front doors."},
    {.name = "ca",
     .env = "ECS_CA",
     .offset = AT(ca),
     .arg = "FILE",
     .required = true,
     .help = "The cluster's CA."},
    {.name = "ca-key",
     .offset = AT(ca_key),
     .arg = "FILE",
     .required = true,
     .help = "Its key: the fleet signs its own certificates."},
    {.name = "cluster", .offset = AT(cluster), .value = "default", .help = "Which cluster."},
    {.name = "json", .offset = AT(json), .arg = "FILE", .help = "Write the figures here."},
    NUMBER("agents", agents, "100", 1, FLEET_AGENTS_MAX, "How many."),
    NUMBER("first", first, "0", 0, UINT32_MAX, "Number of the first one."),
    NUMBER("seed", seed, "1", 0, UINT64_MAX, "Of everything that is drawn."),
    NUMBER("cpu", cpu, "65536", 1, 16777216, "CPU units of each."),
    NUMBER("memory", memory, "262144", 1, 67108864, "MiB of each."),
    NUMBER("zones", zones, "3", 1, 26, "Availability zones they are spread over."),
    NUMBER("types", types, "4", 1, 1000, "Instance types."),
    TIME("spread", spread_ms, "2s", "They appear one after the other within this time."),
    TIME("start-min", start_min_ms, "20ms", "A task starts after at least this ..."),
    TIME("start-max", start_max_ms, "80ms", "... and at most this."),
    TIME("stop", stop_ms, "20ms", "A task stops after this."),
    NUMBER("fail-permille", fail_permille, "0", 0, 1000, "Of the tasks fail to start."),
    TIME("lifetime", lifetime_ms, "0s",
         "Tasks end by themselves after this on average; 0s: never."),
    NUMBER("outages", outages, "0", 0, 1000000, "An hour: agents whose network goes away ..."),
    TIME("outage", outage_ms, "10s", "... for so long."),
    NUMBER("until-running", until_running, "0", 0, UINT32_MAX,
           "End when so many tasks run; 0: do not."),
    NUMBER("until-agents", until_agents, "0", 0, FLEET_AGENTS_MAX,
           "End when so many agents are welcomed; 0: do not."),
    NUMBER("seconds", seconds, "86400", 1, 86400, "End after this in any case."),
};

static const struct conf_program program = {
    .name = "ecs-fleet",
    .summary = "Thousands of agents in one process, without containers.",
    .version = ECS_VERSION,
    .options = options,
    .n_options = sizeof options / sizeof options[0],
};

/* --- time ------------------------------------------------------------------------------------ */

static _Noreturn void give_up(const struct err *err)
{
    (void)fprintf(stderr, "ecs-fleet: %s\n", err->text);
    exit(1);
}

/* Those whose time to appear has come. */
static void appear(struct fleet *f)
{
    const struct fleet_config *c = &f->config;
    uint64_t passed = f->now_ms - f->began_ms;
    uint64_t n =
        c->spread_ms == 0 || passed >= c->spread_ms ? c->agents : c->agents * passed / c->spread_ms;
    struct err err = {0};
    for (; f->n_started < n; f->n_started++) {
        if (fleet_agent_open(&f->agents[f->n_started], f, c->first + f->n_started, &err) != 0) {
            give_up(&err);
        }
    }
}

static void act(struct fleet *f)
{
    struct heap_node *first;
    while ((first = heap_first(&f->due)) != NULL && first->key <= f->now_ms) {
        fleet_task_due(container_of(first, struct fleet_task, due));
    }
}

static void speak(struct fleet *f)
{
    struct list now;
    list_init(&now);
    list_splice(&now, &f->speakers);
    while (!list_empty(&now)) {
        struct fleet_agent *a = container_of(now.next, struct fleet_agent, link);
        list_remove(&a->link);
        fleet_agent_speak(a);
    }
}

static void on_tick(void *data)
{
    struct fleet *f = data;
    const struct fleet_config *c = &f->config;
    f->now_ms = clock_mono_ms();
    appear(f);
    act(f);
    speak(f);
    if (f->all_up_ms == 0 && f->counts.up == c->agents) {
        f->all_up_ms = f->now_ms - f->began_ms;
    }
    if (f->all_running_ms == 0 && c->until_running > 0 && f->counts.running >= c->until_running) {
        f->all_running_ms = f->now_ms - f->began_ms;
        uv_stop(&f->loop);
    }
    if (c->until_agents > 0 && f->counts.up >= c->until_agents) {
        uv_stop(&f->loop);
    }
}

static void outages(struct fleet *f)
{
    const struct fleet_config *c = &f->config;
    struct err err = {0};
    for (uint64_t i = 0; i < f->n_started; i++) {
        struct fleet_agent *a = &f->agents[i];
        if (a->back_ms != 0 && a->back_ms <= f->now_ms && fleet_agent_return(a, &err) != 0) {
            give_up(&err);
        }
    }
    for (uint64_t n = c->outages / 3600 + (prng_below(&f->prng, 3600) < c->outages % 3600); n > 0;
         n--) {
        fleet_agent_cut(&f->agents[prng_below(&f->prng, f->n_started)], f->now_ms + c->outage_ms);
    }
}

static void on_second(void *data)
{
    struct fleet *f = data;
    const struct fleet_counts *n = &f->counts;
    uint64_t passed = f->now_ms - f->began_ms;
    (void)printf("%6.1f s  agents %llu  assigned %llu  running %llu  stopped %llu  failed %llu\n",
                 (double)passed / 1e3, (unsigned long long)n->up, (unsigned long long)n->assigned,
                 (unsigned long long)n->running, (unsigned long long)n->stopped,
                 (unsigned long long)n->failed);
    (void)fflush(stdout);
    if (f->n_started > 0) {
        outages(f);
    }
    if (passed >= f->config.seconds * 1000) {
        f->timed_out = true;
        uv_stop(&f->loop);
    }
}

static void on_signal(int signum, void *data)
{
    struct fleet *f = data;
    (void)signum;
    uv_stop(&f->loop);
}

/* --- figures --------------------------------------------------------------------------------- */

static double cpu_seconds(void)
{
    struct rusage r;
    (void)getrusage(RUSAGE_SELF, &r);
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
           (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

static int write_json(const struct fleet *f)
{
    const struct fleet_counts *n = &f->counts;
    FILE *file;
    if (f->config.json == NULL) {
        return 0;
    }
    file = fopen(f->config.json, "w");
    if (file == NULL) {
        perror(f->config.json);
        return 1;
    }
    (void)fprintf(file,
                  "{\"agents\":%llu,\"up\":%llu,\"all_up_ms\":%llu,\"running\":%llu,"
                  "\"all_running_ms\":%llu,\"assigned\":%llu,\"stopped\":%llu,\"failed\":%llu,"
                  "\"report_messages\":%llu,\"outages\":%llu,\"cpu_s\":%.2f}\n",
                  (unsigned long long)f->config.agents, (unsigned long long)n->up,
                  (unsigned long long)f->all_up_ms, (unsigned long long)n->running,
                  (unsigned long long)f->all_running_ms, (unsigned long long)n->assigned,
                  (unsigned long long)n->stopped, (unsigned long long)n->failed,
                  (unsigned long long)n->reports, (unsigned long long)n->outages, cpu_seconds());
    if (fclose(file) != 0) {
        perror(f->config.json);
        return 1;
    }
    return 0;
}

/* What was waited for did not come. */
static bool fell_short(const struct fleet *f)
{
    const struct fleet_config *c = &f->config;
    return f->timed_out && (c->until_running > 0 || c->until_agents > 0);
}

/* --- main ------------------------------------------------------------------------------------ */

static int fleet_open(struct fleet *f, struct err *err)
{
    static const int signums[] = {SIGINT, SIGTERM};
    const struct fleet_config *c = &f->config;
    int rv;
    if (c->controllers.n == 0 || c->controllers.n > FLEET_CONTROLLERS_MAX) {
        return err_set(err, ERR_INVALID, "--controllers: 1 to %d addresses", FLEET_CONTROLLERS_MAX);
    }
    if (c->start_max_ms < c->start_min_ms) {
        return err_set(err, ERR_INVALID, "--start-max is less than --start-min");
    }
    if (loop_raise_nofile() < c->agents + 64) {
        return err_set(err, ERR_INVALID,
                       "--agents: %llu connections are more than files may be open",
                       (unsigned long long)c->agents);
    }
    rv = fleet_papers_open(&f->papers, c, err);
    rv = rv == 0 ? loop_signal_open(&f->loop, signums, 2, on_signal, f, &f->signals, err) : rv;
    if (rv != 0) {
        return rv;
    }
    prng_init(&f->prng, c->seed);
    heap_init(&f->due, sysmem());
    list_init(&f->speakers);
    f->agents = mem_alloc(sysmem(), c->agents * sizeof *f->agents);
    f->began_ms = clock_mono_ms();
    f->now_ms = f->began_ms;
    f->tick = loop_timer_open(&f->loop, on_tick, f);
    f->every_second = loop_timer_open(&f->loop, on_second, f);
    loop_timer_repeat(f->tick, TICK_MS, TICK_MS);
    loop_timer_repeat(f->every_second, 1000, 1000);
    return 0;
}

static void fleet_close(struct fleet *f)
{
    for (uint64_t i = 0; i < f->n_started; i++) {
        fleet_agent_close(&f->agents[i]);
    }
    mem_free(sysmem(), f->agents, f->config.agents * sizeof *f->agents);
    heap_close(&f->due);
    fleet_papers_close(&f->papers);
    loop_timer_close(f->tick);
    loop_timer_close(f->every_second);
    loop_signal_close(f->signals);
    loop_drain(&f->loop);
}

int main(int argc, char **argv)
{
    static struct fleet f;
    struct conf *conf = NULL;
    enum conf_outcome outcome;
    struct err err = {0};
    int status = 2;
    if (conf_load(&program, argc, argv, environ, &f.config, &conf, &outcome, NULL, &err) != 0) {
        (void)fprintf(stderr, "ecs-fleet: %s\n", err.text);
        return 2;
    }
    if (outcome == CONF_EXIT_OK) {
        (void)fputs(conf_text(conf), stdout);
        conf_close(conf);
        return 0;
    }
    (void)uv_loop_init(&f.loop);
    if (fleet_open(&f, &err) != 0) {
        (void)fprintf(stderr, "ecs-fleet: %s\n", err.text);
    } else {
        (void)uv_run(&f.loop, UV_RUN_DEFAULT);
        status = fell_short(&f) ? 1 : write_json(&f);
    }
    fleet_close(&f);
    conf_close(conf);
    return status;
}
