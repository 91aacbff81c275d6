/* ecs-load: options and phases. Set up what the clients work on, let them run, then read back every
 * key they touched: what was acknowledged must be there, which the checker sees like everything
 * else. SIGTERM or SIGINT ends the second phase early. */
#include "tests/load/load.h"

#include "common/loop/sysmem.h"
#include "common/net/tls.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#define AT(field) offsetof(struct load_config, field)
static const char *const targets[] = {"ecs", "etcd", NULL};
static const struct conf_option options[] = {
    {.name = "endpoint",
     .env = "ECS_ENDPOINT",
     .type = CONF_LIST,
     .offset = AT(endpoints),
     .arg = "ADDR:PORT,...",
     .help = "Controllers (or etcd members)."},
    {.name = "ca", .env = "ECS_CA", .offset = AT(ca), .arg = "FILE", .help = "The cluster's CA."},
    {.name = "cert", .env = "ECS_CERT", .offset = AT(cert), .arg = "FILE", .help = "Role admin."},
    {.name = "key", .env = "ECS_KEY", .offset = AT(key), .arg = "FILE", .help = "Its key."},
    {.name = "cluster", .offset = AT(cluster), .value = "default", .help = "Which ecs cluster."},
    {.name = "target",
     .offset = AT(target),
     .value = "ecs",
     .choices = targets,
     .help = "What is asked."},
    {.name = "prefix",
     .offset = AT(prefix),
     .value = "load",
     .help = "Of the names of what is made; a new one for each run."},
    {.name = "task-definition",
     .offset = AT(task_definition),
     .help = "For RunTask with tokens and StopTask; without it there are none."},
    {.name = "history", .offset = AT(history), .arg = "FILE", .help = "Write the history here."},
    {.name = "json", .offset = AT(json), .arg = "FILE", .help = "Write the figures here."},
    {.name = "kills",
     .offset = AT(kills),
     .arg = "FILE",
     .help = "Read at the end: times of kills, microseconds since 1970, one a line."},
    {.name = "check", .offset = AT(check), .arg = "FILE", .help = "Only judge this history."},
    {.name = "eventual",
     .type = CONF_BOOL,
     .offset = AT(eventual),
     .help = "Take reads from any controller's state, to see the checker object."},
    {.name = "workers",
     .type = CONF_U64,
     .offset = AT(workers),
     .value = "16",
     .min = 1,
     .max = 1000,
     .help = "Clients, each with one request at a time."},
    {.name = "rate",
     .type = CONF_U64,
     .offset = AT(rate),
     .value = "0",
     .min = 0,
     .max = 1000000,
     .help = "Requests a second of all together; 0: as fast as they are answered."},
    {.name = "seconds",
     .type = CONF_U64,
     .offset = AT(seconds),
     .value = "10",
     .min = 1,
     .max = 86400,
     .help = "How long."},
    {.name = "seed",
     .type = CONF_U64,
     .offset = AT(seed),
     .value = "1",
     .min = 0,
     .max = UINT64_MAX,
     .help = "Of what is asked when."},
    {.name = "deadline",
     .type = CONF_DURATION,
     .offset = AT(deadline_ms),
     .value = "3s",
     .min = 10,
     .max = 600000,
     .help = "Of one request; then its outcome is unknown."},
    {.name = "final",
     .type = CONF_DURATION,
     .offset = AT(final_ms),
     .value = "30s",
     .min = 10,
     .max = 600000,
     .help = "How long reading back may take."},
    {.name = "keys",
     .type = CONF_U64,
     .offset = AT(keys),
     .value = "6",
     .min = 1,
     .max = 10000,
     .help = "Services, families; eight times as many tags."},
    {.name = "reads",
     .type = CONF_U64,
     .offset = AT(reads),
     .value = "40",
     .min = 0,
     .max = 100,
     .help = "Percentage of reads."},
    {.name = "ops-max",
     .type = CONF_U64,
     .offset = AT(ops_max),
     .value = "20000",
     .min = 1,
     .max = 10000000,
     .help = "Operations of one key that are judged."},
    {.name = "weight-tag",
     .type = CONF_U64,
     .offset = AT(weight_tag),
     .value = "10",
     .max = 1000,
     .help = "How often tags, relative to the others."},
    {.name = "weight-count",
     .type = CONF_U64,
     .offset = AT(weight_count),
     .value = "5",
     .max = 1000,
     .help = "Desired counts."},
    {.name = "weight-family",
     .type = CONF_U64,
     .offset = AT(weight_family),
     .value = "5",
     .max = 1000,
     .help = "Task definitions."},
    {.name = "weight-run",
     .type = CONF_U64,
     .offset = AT(weight_run),
     .value = "2",
     .max = 1000,
     .help = "RunTask with tokens."},
    {.name = "weight-stop",
     .type = CONF_U64,
     .offset = AT(weight_stop),
     .value = "2",
     .max = 1000,
     .help = "StopTask."},
};

static const struct conf_program program = {
    .name = "ecs-load",
    .summary = "Clients whose history is checked for linearizability.",
    .version = ECS_VERSION,
    .options = options,
    .n_options = sizeof options / sizeof options[0],
};

const struct ops *load_ops(const struct load *l)
{
    return strcmp(l->config.target, "etcd") == 0 ? &etcd_ops : &ecs_ops;
}

/* --- phases -------------------------------------------------------------------------------------
 */

static void wake_all(struct load *l)
{
    l->n_idle = 0;
    for (size_t i = 0; i < l->config.workers; i++) {
        worker_wake(&l->workers[i]);
    }
}

static void on_end(void *data)
{
    struct load *l = data;
    if (l->phase == LOAD_RUN) {
        l->phase = LOAD_FINAL;
        l->phase_began_ms = clock_mono_ms();
    }
}

/* When all workers are idle, the phase is over. The running one ends by time; workers notice when
 * they are through with what they do. */
void load_idle(struct load *l)
{
    if (++l->n_idle < l->config.workers) {
        return;
    }
    if (l->phase == LOAD_SETUP) {
        l->phase = LOAD_RUN;
        loop_timer_start(l->end, l->config.seconds * 1000);
        wake_all(l);
    } else {
        l->phase = LOAD_DONE;
        uv_stop(&l->loop);
    }
}

/* Keys are read back with the read of the model they were first used for. */
static bool first_of_key(const struct hist *h, uint32_t key, enum hist_kind *ret)
{
    for (size_t i = 0; i < h->n_ops; i++) {
        if (h->ops[i].key == key) {
            *ret = (enum hist_kind)(h->ops[i].kind | 1);
            return true;
        }
    }
    return false;
}

bool load_next_final(struct worker *w)
{
    struct load *l = w->load;
    enum hist_kind kind = w->op.kind;
    char key[HIST_KEY_MAX + 1];
    if (w->again && clock_mono_ms() - l->phase_began_ms > l->config.final_ms) {
        l->n_unread++;
        w->again = false;
    }
    if (w->again) {
        (void)str_copy(key, sizeof key, str_of(w->op.key));
    } else if (l->n_final < hist_n_keys(&l->hist) && first_of_key(&l->hist, l->n_final, &kind)) {
        (void)str_copy(key, sizeof key, str_of(hist_key(&l->hist, l->n_final)));
        l->n_final++;
    } else {
        return false;
    }
    w->again = false;
    load_ops(l)->read(w, kind, key);
    return true;
}

static void on_signal(int signum, void *data)
{
    (void)signum;
    on_end(data);
}

/* --- main ---------------------------------------------------------------------------------------
 */

static int open_tls(struct load *l, struct err *err)
{
    const struct tls_options tls = {
        .verify = TLS_VERIFY_REQUIRED,
        .alpn = {"h2"},
        .ca_file = l->config.ca,
        .cert_file = l->config.cert,
        .key_file = l->config.key,
    };
    return l->config.ca == NULL ? 0 : tls_context_open(&tls, &l->tls, err);
}

static int load_open(struct load *l, struct err *err)
{
    static const int signums[] = {SIGINT, SIGTERM};
    struct timeval now;
    int rv;
    if (l->config.endpoints.n == 0 || l->config.endpoints.n > LOAD_ENDPOINTS_MAX) {
        return err_set(err, ERR_INVALID, "--endpoint: 1 to %d addresses", LOAD_ENDPOINTS_MAX);
    }
    (void)loop_raise_nofile();
    (void)gettimeofday(&now, NULL);
    l->real_offset_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_usec - uv_hrtime() / 1000;
    prng_init(&l->prng, l->config.seed);
    hist_init(&l->hist, sysmem());
    buf_init(&l->arn_prefix, sysmem(), 1024);
    l->end = loop_timer_open(&l->loop, on_end, l);
    rv = loop_signal_open(&l->loop, signums, 2, on_signal, l, &l->signals, err);
    rv = rv == 0 ? open_tls(l, err) : rv;
    if (rv == 0) {
        l->workers = mem_alloc(sysmem(), l->config.workers * sizeof *l->workers);
        for (size_t i = 0; i < l->config.workers; i++) {
            worker_open(&l->workers[i], l, (uint32_t)i);
        }
    }
    return rv;
}

static void load_close(struct load *l)
{
    for (size_t i = 0; i < l->config.workers && l->workers != NULL; i++) {
        worker_close(&l->workers[i]);
    }
    mem_free(sysmem(), l->workers, l->config.workers * sizeof *l->workers);
    loop_timer_close(l->end);
    loop_signal_close(l->signals);
    tls_context_close(l->tls);
    buf_close(&l->arn_prefix);
    hist_close(&l->hist);
    loop_drain(&l->loop);
}

int main(int argc, char **argv)
{
    static struct load l;
    struct conf *conf = NULL;
    enum conf_outcome outcome;
    struct err err = {0};
    int status = 2;
    if (conf_load(&program, argc, argv, environ, &l.config, &conf, &outcome, NULL, &err) != 0) {
        (void)fprintf(stderr, "ecs-load: %s\n", err.text);
        return 2;
    }
    if (outcome == CONF_EXIT_OK) {
        (void)fputs(conf_text(conf), stdout);
        status = 0;
    } else if (l.config.check != NULL) {
        status = load_check_file(l.config.check, l.config.ops_max);
    } else {
        (void)uv_loop_init(&l.loop);
        if (load_open(&l, &err) != 0) {
            (void)fprintf(stderr, "ecs-load: %s\n", err.text);
        } else {
            wake_all(&l);
            (void)uv_run(&l.loop, UV_RUN_DEFAULT);
            status = load_report(&l);
        }
        load_close(&l);
    }
    conf_close(conf);
    return status;
}
