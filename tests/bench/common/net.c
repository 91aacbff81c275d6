/* What a call and a connection cost: gRPC calls per second of processor time through the whole
 * stack (client and server on one loop), TLS handshakes likewise, and the memory of an idle TLS
 * and HTTP/2 connection on the server's side.
 *
 * usage: net [--quick] [--json FILE] */
#include "common/loop/loop.h"
#include "common/net/grpc.h"
#include "common/net/grpc_client.h"
#include "tests/lib/testnet.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define N_RUNS 5

struct row {
    const char *name;
    const char *unit;
    double value[N_RUNS];
};

struct world {
    uv_loop_t loop;
    struct testnet net;
    struct tls_context *server_tls;
    struct tls_context *client_tls;
    struct http_server *http;
    struct grpc_server *grpc;
    char target[ADDR_TEXT_MAX];
    struct grpc_channel *ch;
    size_t size;       /* Of each message. */
    unsigned n_flight; /* Kept in flight. */
    unsigned n_done;
    unsigned n_failed;
    bool stop;
};

static void echo(struct grpc_call *c, struct str message)
{
    grpc_call_reply(c, message);
}

static const struct grpc_method method = {.path = "/b.B/Echo", .on_message = echo};

static void on_call(struct http_call *c, void *data)
{
    struct world *w = data;
    if (grpc_is_call(c)) {
        grpc_server_handle(w->grpc, c);
    }
}

static void die(const char *what, const struct err *err)
{
    (void)fprintf(stderr, "net: %s: %s\n", what, err->text);
    exit(1);
}

static void world_open(struct world *w, bool tls)
{
    static const char *const h2[TLS_ALPN_MAX] = {"h2"};
    struct http_options o = {.max_connections = 100000, .max_per_ip = 100000};
    struct err err;
    memset(w, 0, sizeof *w);
    (void)uv_loop_init(&w->loop);
    testnet_open(&w->net);
    if (tls) {
        w->server_tls = testnet_server(&w->net, PKI_ROLE_CONTROLLER, "c", TLS_VERIFY_OPTIONAL, h2);
        w->client_tls = testnet_client(&w->net, PKI_ROLE_AGENT, "a", h2);
        o.tls = w->server_tls;
    }
    w->grpc = grpc_server_open(&w->loop, 0);
    if (grpc_server_add(w->grpc, &method, 1, &err) != 0 ||
        addr_parse(STR("127.0.0.1:0"), 0, &o.addr, &err) != 0 ||
        http_server_open(&w->loop, &o, on_call, w, &w->http, &err) != 0) {
        die("server", &err);
    }
    (void)addr_text(http_server_addr(w->http), w->target);
}

static struct grpc_channel *channel_open(struct world *w, uint64_t seed)
{
    struct grpc_channel_options o = {
        .target = w->target, .tls = w->client_tls, .seed = seed, .stay_connected = true};
    struct grpc_channel *ch;
    struct err err;
    if (grpc_channel_open(&w->loop, &o, &ch, &err) != 0) {
        die("channel", &err);
    }
    return ch;
}

static void world_close(struct world *w)
{
    grpc_channel_close(w->ch);
    http_server_close(w->http);
    grpc_server_close(w->grpc);
    tls_context_close(w->server_tls);
    tls_context_close(w->client_tls);
    loop_drain(&w->loop);
    testnet_close(&w->net);
}

/* Processor time, so that other work on the machine matters little. */
static double now_s(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* --- calls
 * ------------------------------------------------------------------------------------------------
 */

static void issue(struct world *w);

static void on_reply(struct grpc_client_call *c, const struct grpc_status *status,
                     struct str message, void *data)
{
    struct world *w = data;
    (void)c;
    (void)message;
    w->n_done++;
    w->n_failed += status->code != GRPC_OK;
    w->n_flight--;
    if (!w->stop) {
        issue(w);
    }
}

static void issue(struct world *w)
{
    static const char bytes[65536];
    struct grpc_call_options o = {.wait_for_ready = true};
    w->n_flight++;
    (void)grpc_unary(w->ch, "/b.B/Echo", str_make(bytes, w->size), &o, on_reply, w);
}

static double calls_per_s(bool tls, unsigned in_flight, size_t size, double seconds)
{
    struct world w;
    double began;
    double rate;
    world_open(&w, tls);
    w.ch = channel_open(&w, 1);
    w.size = size;
    for (unsigned i = 0; i < in_flight; i++) {
        issue(&w);
    }
    while (w.n_done < in_flight) {
        (void)uv_run(&w.loop, UV_RUN_ONCE);
    }
    w.n_done = 0;
    began = now_s();
    while (now_s() - began < seconds) {
        (void)uv_run(&w.loop, UV_RUN_ONCE);
    }
    rate = w.n_done / (now_s() - began);
    w.stop = true;
    while (w.n_flight > 0) {
        (void)uv_run(&w.loop, UV_RUN_ONCE);
    }
    if (w.n_failed > 0) {
        (void)fprintf(stderr, "net: %u calls failed\n", w.n_failed);
        exit(1);
    }
    world_close(&w);
    return rate;
}

static double handshakes_per_s(double seconds)
{
    struct world w;
    unsigned n = 0;
    double began;
    double rate;
    world_open(&w, true);
    began = now_s();
    while (now_s() - began < seconds) {
        struct grpc_channel *ch = channel_open(&w, n);
        while (grpc_channel_state(ch) != GRPC_CHANNEL_READY) {
            (void)uv_run(&w.loop, UV_RUN_ONCE);
        }
        grpc_channel_close(ch);
        n++;
    }
    rate = n / (now_s() - began);
    world_close(&w);
    return rate;
}

/* --- memory
 * ------------------------------------------------------------------------------------------------
 */

static double pss_kib(void)
{
    char line[256];
    long kib = 0;
    FILE *f = fopen("/proc/self/smaps_rollup", "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        if (strncmp(line, "Pss:", 4) == 0) {
            kib = strtol(line + 4, NULL, 10);
        }
    }
    if (f != NULL) {
        (void)fclose(f);
    }
    return (double)kib;
}

/* The child holds the clients, each with one answered call behind it. */
static void hold_connections(struct world *w, unsigned n, int ready_fd, int stop_fd)
{
    char byte = 'r';
    struct grpc_channel **ch = calloc(n, sizeof(struct grpc_channel *));
    (void)uv_loop_fork(&w->loop);
    for (unsigned i = 0; ch != NULL && i < n; i++) {
        ch[i] = channel_open(w, i);
        while (grpc_channel_state(ch[i]) != GRPC_CHANNEL_READY) {
            (void)uv_run(&w->loop, UV_RUN_ONCE);
        }
        w->ch = ch[i];
        w->stop = true;
        issue(w);
        while (w->n_flight > 0) {
            (void)uv_run(&w->loop, UV_RUN_ONCE);
        }
    }
    (void)!write(ready_fd, &byte, 1);
    (void)!read(stop_fd, &byte, 1);
    _exit(0);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    (void)uv_poll_stop(poll);
    *(bool *)poll->data = true;
}

static double connection_kib(unsigned n)
{
    struct world w;
    int ready[2];
    int stop[2];
    bool done = false;
    uv_poll_t poll;
    double before;
    double after;
    pid_t child;
    world_open(&w, true);
    if (pipe(ready) != 0 || pipe(stop) != 0) {
        exit(1);
    }
    (void)fflush(NULL);
    child = fork();
    if (child == 0) {
        /* The listening socket is the parent's: a fresh loop for the clients. */
        (void)uv_loop_init(&w.loop);
        hold_connections(&w, n, ready[1], stop[0]);
    }
    (void)uv_poll_init(&w.loop, &poll, ready[0]);
    poll.data = &done;
    (void)uv_poll_start(&poll, UV_READABLE, on_ready);
    (void)uv_run(&w.loop, UV_RUN_NOWAIT);
    before = pss_kib();
    while (!done) {
        (void)uv_run(&w.loop, UV_RUN_ONCE);
    }
    after = pss_kib();
    uv_close((uv_handle_t *)&poll, NULL);
    (void)!write(stop[1], "s", 1);
    (void)waitpid(child, NULL, 0);
    world_close(&w);
    (void)close(ready[0]);
    (void)close(ready[1]);
    (void)close(stop[0]);
    (void)close(stop[1]);
    return (after - before) / n;
}

/* --- report
 * -------------------------------------------------------------------------------------------------
 */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void report(FILE *json, struct row *row, int n, bool first)
{
    qsort(row->value, (size_t)n, sizeof row->value[0], by_value);
    (void)printf("%-28s %12.1f %-12s (%.1f to %.1f)\n", row->name, row->value[n / 2], row->unit,
                 row->value[0], row->value[n - 1]);
    if (json != NULL) {
        (void)fprintf(json,
                      "%s{\"case\":\"%s\",\"metric\":\"%s\",\"unit\":\"%s\",\"median\":%.3f,"
                      "\"min\":%.3f,\"max\":%.3f}",
                      first ? "" : ",", row->name, row->name, row->unit, row->value[n / 2],
                      row->value[0], row->value[n - 1]);
    }
}

static double measure(int which, double seconds, unsigned n_conns)
{
    switch (which) {
    case 0:
        return calls_per_s(false, 1, 100, seconds);
    case 1:
        return calls_per_s(true, 1, 100, seconds);
    case 2:
        return calls_per_s(true, 90, 100, seconds);
    case 3:
        return calls_per_s(true, 16, 65536, seconds) * 65536 / 1e6;
    case 4:
        return handshakes_per_s(seconds);
    default:
        return connection_kib(n_conns);
    }
}

int main(int argc, char **argv)
{
    static struct row rows[] = {
        {"calls, plain, one at a time", "calls/s", {0}},
        {"calls, TLS, one at a time", "calls/s", {0}},
        {"calls, TLS, 90 in flight", "calls/s", {0}},
        {"64 KiB messages, TLS", "MB/s", {0}},
        {"connect, handshake, close", "per s", {0}},
        {"idle connection", "KiB", {0}},
    };
    const char *path = NULL;
    bool quick = false;
    FILE *json;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--quick") == 0) {
            quick = true;
        } else if (strcmp(argv[i], "--json") == 0 && i + 1 < argc) {
            path = argv[++i];
        }
    }
    (void)signal(SIGPIPE, SIG_IGN);
    (void)loop_raise_nofile();
    json = path == NULL ? NULL : fopen(path, "w");
    if (json != NULL) {
        (void)fprintf(json, "{\"name\":\"net\",\"rows\":[");
    }
    for (int which = 0; which < 6; which++) {
        int n = quick ? 1 : N_RUNS;
        for (int run = 0; run < n; run++) {
            rows[which].value[run] = measure(which, quick ? 0.3 : 2.0, quick ? 200 : 1000);
        }
        report(json, &rows[which], n, which == 0);
    }
    if (json != NULL) {
        (void)fprintf(json, "]}\n");
        (void)fclose(json);
    }
    return 0;
}
