/* ecs-controller: builds everything, connects it, runs the loop. */
#include "common/log/log.h"
#include "common/loop/loop.h"
#include "common/loop/priority.h"
#include "common/loop/sysmem.h"
#include "common/net/pki.h"
#include "common/net/tls.h"
#include "controller/api/api.h"
#include "controller/api/door.h"
#include "controller/engine/open.h"
#include "controller/link/link.h"
#include "controller/program/backend.h"
#include "controller/program/settings.h"

#include <limits.h>
#include <raft.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define STOP_MS 3000
#define RAFT_REQUIRED                                                          \
    2200 /* 0.22: older ones lose acknowledged data, see docs/dependencies.md. \
          */

struct controller {
    struct settings settings;
    uv_loop_t loop;
    struct tls_context *tls_door;   /* Server: users and agents; a certificate is asked for. */
    struct tls_context *tls_server; /* Server: raft peers; a certificate is needed. */
    struct tls_context *tls_client; /* To other controllers. */
    struct buf ca_pem;
    struct buf ca_key_pem;
    struct engine *engine;
    struct link *link;
    struct api *api;
    struct door *door;
    struct backend backend;
    struct api_backend functions;
    struct loop_signal *signals;
    uint64_t max_files; /* That may be open at a time. */
    bool stopping;
};

/* --- certificates
 * ---------------------------------------------------------------------------------- */

static int open_tls(struct controller *c, struct err *err)
{
    const struct settings *s = &c->settings;
    struct tls_options options = {
        .cert_file = s->cert,
        .key_file = s->key,
        .ca_file = s->ca,
        .domain = s->domain,
    };
    int rv;
    options.verify = TLS_VERIFY_REQUIRED;
    options.alpn[0] = "h2";
    rv = tls_context_open(&options, &c->tls_client, err);
    if (rv == 0) {
        options.server = true;
        options.alpn[0] = NULL;
        rv = tls_context_open(&options, &c->tls_server, err);
    }
    if (rv == 0) {
        options.verify = TLS_VERIFY_OPTIONAL;
        options.alpn[0] = "h2";
        options.alpn[1] = "http/1.1";
        rv = tls_context_open(&options, &c->tls_door, err);
    }
    return rv;
}

/* The certificate must say what --id says: peers know each other by it. */
static int check_identity(const struct controller *c, struct err *err)
{
    struct pki_identity who;
    struct buf pem;
    char id[32];
    int rv;
    buf_init(&pem, sysmem(), PKI_PEM_MAX);
    rv = pki_file_read(c->settings.cert, &pem, err);
    if (rv == 0) {
        rv = pki_cert_identity(str_make((const char *)pem.data, pem.len), &who, err);
    }
    buf_close(&pem);
    if (rv != 0) {
        return rv;
    }
    (void)snprintf(id, sizeof id, "%llu", (unsigned long long)c->settings.id);
    if (who.role != PKI_ROLE_CONTROLLER || strcmp(who.id, id) != 0) {
        return err_set(err, ERR_INVALID, "%s is of %s '%s', this is controller %s",
                       c->settings.cert, pki_role_name(who.role), who.id, id);
    }
    return 0;
}

static int read_ca(struct controller *c, struct err *err)
{
    int rv = pki_file_read(c->settings.ca, &c->ca_pem, err);
    if (rv == 0) {
        rv = pki_pin(str_make((const char *)c->ca_pem.data, c->ca_pem.len), c->backend.ca_pin, err);
    }
    if (rv == 0 && c->settings.ca_key != NULL) {
        rv = pki_file_read(c->settings.ca_key, &c->ca_key_pem, err);
    }
    return rv;
}

/* --- parts
 * ------------------------------------------------------------------------------------------- */

static int open_engine(struct controller *c, struct err *err)
{
    const struct settings *s = &c->settings;
    struct engine_config config = {
        .dir = s->data_dir,
        .id = s->id,
        .members = s->members,
        .n_members = s->n_members,
        .joining = s->join,
        .software = ECS_VERSION,
        .peer_listen = s->peer_listen,
        .tls_server = c->tls_server,
        .tls_client = c->tls_client,
        .election_ms = (unsigned)s->election_ms,
        .heartbeat_ms = (unsigned)s->heartbeat_ms,
        .trailing = s->trailing,
        .leader =
            {
                .lost_after_ms = (uint32_t)s->node_lost_after_ms,
                .grace_ms = (uint32_t)s->node_lost_after_ms,
                .plan_items_max = 5000,
                .loss_percent = (uint32_t)s->node_loss_percent,
            },
    };
    return engine_open(&c->loop, &config, sysmem(), &c->engine, err);
}

static int open_link(struct controller *c, struct err *err)
{
    const struct settings *s = &c->settings;
    struct link_options options = {
        .mem = sysmem(),
        .engine = c->engine,
        .account = s->account,
        .region = s->region,
        .domain = s->domain,
        .ca_pem = str_make((const char *)c->ca_pem.data, c->ca_pem.len),
        .ca_key_pem = str_make((const char *)c->ca_key_pem.data, c->ca_key_pem.len),
        .heartbeat_ms = (uint32_t)s->node_heartbeat_ms,
        /* Shorter than what the leader waits, so that a node lets go before it is replaced. */
        .lease_ms = (uint32_t)(s->node_lost_after_ms * 3 / 4),
    };
    return link_open(&c->loop, &options, &c->link, err);
}

/* Leaves some files for the log, the databases and the other controllers. */
static unsigned max_connections(const struct controller *c)
{
    uint64_t n = c->settings.max_connections;
    n = n != 0 ? n : c->max_files / 8 * 7;
    return n < UINT_MAX ? (unsigned)n : UINT_MAX;
}

static int open_door(struct controller *c, struct err *err)
{
    const struct settings *s = &c->settings;
    struct door_options options = {.tls = c->tls_door,
                                   .max_connections = max_connections(c),
                                   .max_per_address = (unsigned)s->max_per_address};
    struct api_options api_options = {
        .mem = sysmem(),
        .engine = c->engine,
        .account = s->account,
        .region = s->region,
        .tls = c->tls_client,
        .backend = &c->functions,
    };
    const struct grpc_method *methods;
    size_t n;
    int rv = api_open(&c->loop, &api_options, &c->api, err);
    if (rv == 0) {
        rv = addr_parse(str_of(s->listen), 0, &options.tls_addr, err);
    }
    if (rv == 0 && s->insecure_api != NULL) {
        rv = addr_parse(str_of(s->insecure_api), 0, &options.insecure_addr, err);
        log_warn("door.insecure", log_str("listen", s->insecure_api),
                 log_str("why", "--insecure-api: whoever reaches this address may do everything"));
    }
    if (rv == 0) {
        rv = door_open(c->api, &options, &c->door, err);
    }
    if (rv == 0) {
        methods = link_methods(c->link, &n);
        rv = door_register_grpc(c->door, methods, n, err);
    }
    return rv;
}

/* --- stopping
 * ------------------------------------------------------------------------------------------- */

static void close_all(struct controller *c)
{
    door_close(c->door);
    engine_abandon(c->engine);
    backend_close(&c->backend);
    link_close(c->link);
    api_close(c->api);
    engine_close(c->engine);
    loop_signal_close(c->signals);
    tls_context_close(c->tls_door);
    tls_context_close(c->tls_server);
    tls_context_close(c->tls_client);
    buf_close(&c->ca_pem);
    buf_close(&c->ca_key_pem);
}

static void on_engine_stopped(void *ctx)
{
    struct controller *c = ctx;
    log_info("controller.stopped");
    uv_stop(&c->loop);
}

static void on_door_stopped(void *data)
{
    struct controller *c = data;
    engine_stop(c->engine, on_engine_stopped, c);
}

static void on_signal(int signum, void *data)
{
    struct controller *c = data;
    struct err err = {0};
    if (signum == SIGHUP) {
        if (tls_context_reload(c->tls_door, &err) != 0 ||
            tls_context_reload(c->tls_server, &err) != 0 ||
            tls_context_reload(c->tls_client, &err) != 0) {
            log_error("controller.reload", log_err(&err));
        } else {
            log_info("controller.reload");
        }
        return;
    }
    if (c->stopping) {
        log_warn("controller.killed", log_str("why", "a second signal: stopping at once"));
        _exit(1);
    }
    c->stopping = true;
    log_info("controller.stopping", log_i64("signal", signum));
    api_drain(c->api);
    door_stop(c->door, STOP_MS, on_door_stopped, c);
}

static int start(struct controller *c, struct err *err)
{
    static const int signums[] = {SIGINT, SIGTERM, SIGHUP};
    int rv = loop_signal_open(&c->loop, signums, 3, on_signal, c, &c->signals, err);
    if (rv == 0) {
        rv = check_identity(c, err);
    }
    if (rv == 0) {
        rv = read_ca(c, err);
    }
    if (rv == 0) {
        rv = open_tls(c, err);
    }
    if (rv == 0) {
        rv = open_engine(c, err);
    }
    c->backend.engine = c->engine;
    c->backend.loop = &c->loop;
    backend_functions(&c->backend, &c->functions);
    if (rv == 0) {
        rv = open_link(c, err);
    }
    c->backend.link = c->link;
    return rv == 0 ? open_door(c, err) : rv;
}

static int run(struct controller *c)
{
    struct err err = {0};
    int status = 0;
    buf_init(&c->ca_pem, sysmem(), PKI_PEM_MAX);
    buf_init(&c->ca_key_pem, sysmem(), PKI_PEM_MAX);
    if (uv_loop_init(&c->loop) != 0) {
        log_error("controller.loop");
        return 1;
    }
    c->max_files = loop_raise_nofile();
    if (priority_raise(-(int)c->settings.urgency, &err) != 0) {
        log_warn("controller.priority", log_err(&err));
    }
    if (start(c, &err) != 0) {
        log_error("controller.start", log_err(&err));
        status = 1;
    } else {
        log_info("controller.started", log_u64("id", c->settings.id),
                 log_str("listen", c->settings.listen), log_str("version", ECS_VERSION),
                 log_str("account", c->settings.account), log_str("region", c->settings.region));
        (void)uv_run(&c->loop, UV_RUN_DEFAULT);
    }
    close_all(c);
    loop_drain(&c->loop);
    return status;
}

int main(int argc, char **argv)
{
    static struct controller c;
    struct log_options log = {.level = LOG_LEVEL_INFO, .fd = STDERR_FILENO};
    enum conf_outcome outcome;
    struct conf *conf = NULL;
    struct err err = {0};
    int status;
    sysmem_keep();
    if (settings_load(argc, argv, environ, &c.settings, &conf, &outcome, &err) != 0) {
        (void)fprintf(stderr, "ecs-controller: %s\n", err.text);
        return 2;
    }
    if (outcome == CONF_EXIT_OK) {
        (void)fputs(conf_text(conf), stdout);
        conf_close(conf);
        return 0;
    }
    (void)log_level_parse(str_of(c.settings.log_level), &log.level);
    log.json = c.settings.log_json;
    log_open(&log);
    log_catch_crashes(NULL);
    status = run(&c);
    conf_close(conf);
    return status;
}
