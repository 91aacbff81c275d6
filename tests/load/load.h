/* tests/load/load.h
 *
 * ecs-load: clients that write down what they asked and what they were told (tests/lib/history.h),
 * for chaos runs and for measuring failover.
 *
 *   worker.c  one client: one request at a time, the next controller when one does not answer
 *   ops.c     what the clients ask of ecs, and what the answers say
 *   etcd.c    the same for etcd's registers, the peer in benchmarks
 *   report.c  counts, the silence after each kill, the verdict
 *   main.c    options and phases: set up, run, read everything back
 *
 * One thread, one loop. */
#ifndef TESTS_LOAD_LOAD_H
#define TESTS_LOAD_LOAD_H

#include "common/base/arena.h"
#include "common/base/prng.h"
#include "common/conf/conf.h"
#include "common/loop/loop.h"
#include "common/net/grpc_client.h"
#include "tests/lib/history.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

#define LOAD_ENDPOINTS_MAX 8
#define LOAD_TASKS_MAX     4096 /* Tasks remembered, for stopping and looking at. */
#define LOAD_TOKEN_TRIES   6
#define LOAD_TEXT          256

struct load_config {
    struct conf_list endpoints;
    const char *ca;
    const char *cert;
    const char *key;
    const char *cluster;
    const char *target; /* "ecs" or "etcd". */
    const char *prefix; /* Of the names of everything that is made. */
    const char *task_definition;
    const char *history;
    const char *json;
    const char *kills;
    const char *check;
    bool eventual;
    uint64_t workers;
    uint64_t rate;
    uint64_t seconds;
    uint64_t seed;
    uint64_t deadline_ms;
    uint64_t final_ms;
    uint64_t keys;
    uint64_t reads;
    uint64_t ops_max;
    uint64_t weight_tag;
    uint64_t weight_count;
    uint64_t weight_family;
    uint64_t weight_run;
    uint64_t weight_stop;
};

enum load_phase { LOAD_SETUP, LOAD_RUN, LOAD_FINAL, LOAD_DONE };

struct op { /* What one worker is doing. */
    enum hist_kind kind;
    char key[HIST_KEY_MAX + 1];
    int64_t value;
    size_t hist;      /* Its place in the history, unless `silent`. */
    bool silent;      /* Setting up: not part of the history. */
    unsigned step;    /* Reads of a token ask twice. */
    int64_t found;    /* By the first step. */
    const char *path; /* "/ecs.v1.EcsService/TagResource" */
    const ProtobufCMethodDescriptor *method;
    struct str request; /* In the worker's arena. */
};

struct outcome {  /* What an answer says. */
    bool nothing; /* Accepted, but without effect: no node had room. */
    int64_t value;
    int64_t second; /* Another effect of the same token; 0: none. */
    uint64_t version;
};

struct worker {
    struct load *load;
    uint32_t id;
    size_t endpoint;
    struct grpc_channel *channels[LOAD_ENDPOINTS_MAX];
    struct loop_timer *timer;
    struct arena arena;
    struct op op;
    bool idle;
    bool again;            /* Reading back failed: the same once more. */
    char token[LOAD_TEXT]; /* Sent before, to be sent again. */
    unsigned token_tries;
};

struct load {
    struct load_config config;
    uv_loop_t loop;
    struct tls_context *tls;
    struct loop_signal *signals;
    struct loop_timer *end; /* Of the phase. */
    struct prng prng;
    struct hist hist;
    struct worker *workers;
    size_t n_idle;
    enum load_phase phase;
    uint64_t phase_began_ms;
    size_t n_setup;   /* Steps of the set-up taken. */
    uint32_t n_final; /* Keys handed out for reading back. */
    uint32_t n_unread;
    int64_t next_value;
    uint64_t next_token;
    char tasks[LOAD_TASKS_MAX][40]; /* A ring. */
    uint64_t n_tasks;
    struct buf arn_prefix; /* "arn:aws:ecs:REGION:ACCOUNT:service/CLUSTER/" once known. */
    uint64_t real_offset_us;
    uint64_t codes[17]; /* Answers by gRPC code. */
    uint64_t n_switches;
};

/* --- worker.c -----------------------------------------------------------------------------------
 */
void worker_open(struct worker *w, struct load *l, uint32_t id);
void worker_close(struct worker *w);

/* There may be something to do: go on, at once. */
void worker_wake(struct worker *w);

uint64_t load_now_us(const struct load *l); /* Real time at the start, monotonic from there. */

/* --- ops.c, etcd.c ------------------------------------------------------------------------------
 *
 * Each fills w->op, and its request, for one attempt. */
struct ops {
    bool (*setup)(struct worker *w); /* The next step of the set-up; false when there is none. */
    void (*choose)(struct worker *w);
    void (*read)(struct worker *w, enum hist_kind kind, const char *key);
    /* Understand the answer to w->op. True: ask again with the request made anew (second step). */
    bool (*answer)(struct worker *w, struct str message, struct outcome *ret);
};
extern const struct ops ecs_ops;
extern const struct ops etcd_ops;
const struct ops *load_ops(const struct load *l);

/* --- main.c -------------------------------------------------------------------------------------
 */

/* The next key to read back into w->op; false when all are handed out. */
bool load_next_final(struct worker *w);
void load_idle(struct load *l); /* One more worker has nothing to do. */

/* --- report.c -----------------------------------------------------------------------------------
 */

/* Print and judge; the exit status of the program. */
int load_report(struct load *l);

/* Judge the history in a file. */
int load_check_file(const char *path, uint64_t ops_max);

#endif
