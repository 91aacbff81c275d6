/* Three controllers in one process, each with its own log files, writer thread and TCP connections:
 * how many commands a second are committed, how long one takes, and how long a dead leader is
 * missed. Clients have one command of 256 bytes outstanding each; what waits goes into one entry
 * (group commit). All three share this machine's disk and cores.
 *
 * usage: raft [--quick] [--json FILE] */
#include "common/loop/loop.h"
#include "common/loop/sysmem.h"
#include "controller/raftio/raftnode.h"
#include "tests/lib/freeport.h"
#include "tests/lib/report.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NODES       3
#define COMMAND     256u
#define CLIENTS_MAX 2000u
#define SAMPLES_MAX 2000000u
#define RUNS        3

struct batch {
    struct bench *x;
    unsigned n;
    unsigned client[CLIENTS_MAX];
    bool in_flight;
};

struct bench {
    uv_loop_t loop;
    char dir[64];
    struct raftnode_member members[NODES];
    char address[NODES][32];
    struct raftnode *node[NODES];
    bool ready[NODES];
    unsigned leader;

    unsigned n_clients;
    unsigned n_batches; /* In flight at most. */
    struct batch batch[2];
    unsigned waiting[CLIENTS_MAX];
    unsigned n_waiting;
    uint64_t began_ns[CLIENTS_MAX];
    uint8_t entry[CLIENTS_MAX * COMMAND];
    bool draining;
    uint64_t n_done;
    uint32_t *samples_us;
    unsigned n_samples;
    unsigned reads_left;
    uint64_t n_reads;

    struct report report;
};

/* --- clients --------------------------------------------------------------------------------- */

static void submit(struct bench *x)
{
    for (unsigned i = 0; i < x->n_batches && x->n_waiting > 0 && !x->draining; i++) {
        struct batch *b = &x->batch[i];
        struct err err = {0};
        if (b->in_flight) {
            continue;
        }
        b->n = x->n_waiting;
        memcpy(b->client, x->waiting, x->n_waiting * sizeof x->waiting[0]);
        x->n_waiting = 0;
        b->in_flight = true;
        if (raftnode_propose(x->node[x->leader], x->entry, (size_t)b->n * COMMAND, b, &err) != 0) {
            fprintf(stderr, "raft: %s\n", err.text);
            exit(1);
        }
    }
}

static void on_apply(void *ctx, uint64_t index, uint64_t term, const uint8_t *bytes, size_t len,
                     void *cookie)
{
    struct batch *b = cookie;
    struct bench *x = b == NULL ? NULL : b->x;
    uint64_t now = uv_hrtime();
    (void)ctx;
    (void)index;
    (void)term;
    (void)bytes;
    (void)len;
    if (b == NULL) {
        return;
    }
    b->in_flight = false;
    for (unsigned i = 0; i < b->n; i++) {
        unsigned c = b->client[i];
        if (x->n_samples < SAMPLES_MAX) {
            x->samples_us[x->n_samples++] = (uint32_t)((now - x->began_ns[c]) / 1000);
        }
        x->began_ns[c] = now;
        x->waiting[x->n_waiting++] = c;
    }
    x->n_done += b->n;
    submit(x);
}

static void on_lost(void *ctx, void *cookie)
{
    (void)ctx;
    (void)cookie;
}

/* --- the cluster ----------------------------------------------------------------------------- */

struct ctx {
    struct bench *x;
    unsigned at;
};

static struct ctx contexts[NODES];

static void on_leader(void *ctx, uint64_t term)
{
    struct ctx *c = ctx;
    (void)term;
    c->x->ready[c->at] = true;
}

static void on_follower(void *ctx, uint64_t term)
{
    struct ctx *c = ctx;
    (void)term;
    c->x->ready[c->at] = false;
}

static const struct raftnode_events events = {
    .apply = on_apply,
    .lost = on_lost,
    .leader = on_leader,
    .follower = on_follower,
};

static void start_node(struct bench *x, unsigned i)
{
    struct raftnode_config config = {
        .id = i + 1,
        .members = x->members,
        .n_members = NODES,
        .loop = &x->loop,
        .mem = sysmem(),
        .disk_min_bytes = 1,
    };
    char dir[128];
    struct err err = {0};
    (void)snprintf(dir, sizeof dir, "%s/%u", x->dir, i + 1);
    config.dir = dir;
    contexts[i] = (struct ctx){x, i};
    if (raftnode_open(&config, &events, &contexts[i], &x->node[i], &err) != 0) {
        fprintf(stderr, "raft: %s\n", err.text);
        exit(1);
    }
}

static void nothing(void *data)
{
    (void)data;
}

static void run_ms(struct bench *x, uint64_t ms)
{
    struct loop_timer *t = loop_timer_open(&x->loop, nothing, NULL);
    uint64_t end = uv_hrtime() + ms * 1000000;
    loop_timer_repeat(t, 1, 1);
    while (uv_hrtime() < end) {
        uv_run(&x->loop, UV_RUN_ONCE);
    }
    loop_timer_close(t);
}

/* Run until somebody leads; how long that took in ms. */
static double wait_leader(struct bench *x)
{
    uint64_t began = uv_hrtime();
    struct loop_timer *t = loop_timer_open(&x->loop, nothing, NULL);
    loop_timer_repeat(t, 1, 1);
    for (;;) {
        for (unsigned i = 0; i < NODES; i++) {
            if (x->node[i] != NULL && x->ready[i]) {
                x->leader = i;
                loop_timer_close(t);
                return (double)(uv_hrtime() - began) / 1e6;
            }
        }
        uv_run(&x->loop, UV_RUN_ONCE);
    }
}

/* --- cases ----------------------------------------------------------------------------------- */

static int compare_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static double percentile_ms(const struct bench *x, unsigned percent)
{
    return x->n_samples == 0 ? 0
                             : (double)x->samples_us[(uint64_t)x->n_samples * percent / 100] / 1e3;
}

static void drain(struct bench *x)
{
    x->draining = true;
    while (x->batch[0].in_flight || x->batch[1].in_flight) {
        uv_run(&x->loop, UV_RUN_ONCE);
    }
    x->draining = false;
}

static void bench_clients(struct bench *x, unsigned clients, unsigned batches, uint64_t ms)
{
    char name[48];
    uint64_t began;
    x->n_clients = clients;
    x->n_batches = batches;
    x->n_waiting = 0;
    x->n_done = 0;
    x->n_samples = 0;
    for (unsigned i = 0; i < clients; i++) {
        x->waiting[x->n_waiting++] = i;
        x->began_ns[i] = uv_hrtime();
    }
    began = uv_hrtime();
    submit(x);
    run_ms(x, ms);
    drain(x);
    (void)snprintf(name, sizeof name, "%u clients, %u in flight", clients, batches);
    report_add(&x->report, name, "throughput", "commands/s",
               (double)x->n_done / ((double)(uv_hrtime() - began) / 1e9));
    qsort(x->samples_us, x->n_samples, sizeof x->samples_us[0], compare_u32);
    report_add(&x->report, name, "latency p50", "ms", percentile_ms(x, 50));
    report_add(&x->report, name, "latency p99", "ms", percentile_ms(x, 99));
}

static void on_read(void *arg, int status)
{
    struct bench *x = arg;
    struct err err;
    x->reads_left--;
    x->n_reads += status == 0;
    if (!x->draining && raftnode_read(x->node[x->leader], on_read, x, &err) == 0) {
        x->reads_left++;
    }
}

static void bench_reads(struct bench *x, uint64_t ms)
{
    uint64_t began = uv_hrtime();
    struct err err;
    x->n_reads = 0;
    for (unsigned i = 0; i < 64; i++) {
        if (raftnode_read(x->node[x->leader], on_read, x, &err) == 0) {
            x->reads_left++;
        }
    }
    run_ms(x, ms);
    report_add(&x->report, "64 linearizable readers", "throughput", "reads/s",
               (double)x->n_reads / ((double)(uv_hrtime() - began) / 1e9));
    x->draining = true;
    while (x->reads_left > 0) {
        uv_run(&x->loop, UV_RUN_ONCE);
    }
    x->draining = false;
}

static void bench_failover(struct bench *x, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        unsigned dead = x->leader;
        raftnode_close(x->node[dead]);
        x->node[dead] = NULL;
        x->ready[dead] = false;
        report_add(&x->report, "leader gone", "next one ready", "ms", wait_leader(x));
        start_node(x, dead);
        run_ms(x, 500);
        (void)wait_leader(x);
    }
}

/* --- the whole run ---------------------------------------------------------------------------- */

static void remove_dirs(struct bench *x)
{
    for (unsigned i = 0; i < NODES; i++) {
        char dir[128];
        struct dirent *e;
        DIR *d;
        (void)snprintf(dir, sizeof dir, "%s/%u", x->dir, i + 1);
        d = opendir(dir);
        while (d != NULL && (e = readdir(d)) != NULL) {
            (void)unlinkat(dirfd(d), e->d_name, 0);
        }
        if (d != NULL) {
            closedir(d);
        }
        (void)rmdir(dir);
    }
    (void)rmdir(x->dir);
}

static void run_all(struct bench *x, bool quick)
{
    static const unsigned clients[] = {1, 64, 256, 1024};
    uint64_t ms = quick ? 300 : 2000;
    for (unsigned i = 0; i < NODES; i++) {
        start_node(x, i);
    }
    (void)wait_leader(x);
    for (int run = 0; run < (quick ? 1 : RUNS); run++) {
        for (unsigned i = 0; i < sizeof clients / sizeof clients[0]; i++) {
            bench_clients(x, clients[i], 1, ms);
        }
        bench_clients(x, 1024, 2, ms);
        bench_reads(x, ms);
    }
    bench_failover(x, quick ? 3 : 15);
}

int main(int argc, char **argv)
{
    struct bench *x = calloc(1, sizeof *x);
    if (x == NULL || (x->samples_us = calloc(SAMPLES_MAX, sizeof *x->samples_us)) == NULL) {
        return 1;
    }
    report_open(&x->report, "raft", argc, argv);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)uv_loop_init(&x->loop);
    (void)snprintf(x->dir, sizeof x->dir, "%s/bench-raft-XXXXXX",
                   access("/var/tmp", W_OK) == 0 ? "/var/tmp" : "/tmp");
    if (mkdtemp(x->dir) == NULL) {
        return 1;
    }
    for (unsigned i = 0; i < NODES; i++) {
        (void)snprintf(x->address[i], sizeof x->address[i], "127.0.0.1:%u", freeport());
        x->members[i] = (struct raftnode_member){i + 1, x->address[i]};
        x->batch[i % 2].x = x;
    }
    run_all(x, x->report.quick);
    for (unsigned i = 0; i < NODES; i++) {
        raftnode_close(x->node[i]);
    }
    loop_drain(&x->loop);
    report_close(&x->report);
    remove_dirs(x);
    free(x->samples_us);
    free(x);
    return 0;
}
