/* How long do explanations and plans take? A cluster of 10,000 nodes with 100,000 tasks of 200
 * services, about 80 % full; each question is answered from scratch, as the leader does it on its
 * loop: the view is copied, the steps are carried out, the copy is released.
 *
 * usage: whatif [--quick] [--json FILE] */
#include "controller/core/whatif.h"
#include "common/loop/sysmem.h"
#include "tests/lib/report.h"
#include "tests/lib/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define N_NODES    10000
#define N_SERVICES 200
#define N_TASKS    100000
#define COMMANDS   64

struct bench {
    struct world w;
    struct leader *l;
    struct arena arena;
    uint32_t *nodes;
};

static double cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static void check(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "whatif: %s\n", what);
        exit(1);
    }
}

static void follow(struct world *w, const struct command *cmd)
{
    struct bench *b = w->data;
    (void)cmd;
    if (b->l != NULL) {
        leader_changed(b->l, &w->changes);
    }
}

/* Passes until nothing is left to decide. */
static void settle(struct bench *b)
{
    static struct command cmds[COMMANDS];
    uint32_t n;
    do {
        arena_clear(&b->arena);
        n = leader_pass(b->l, b->w.now, cmds, COMMANDS, &b->arena);
        for (uint32_t i = 0; i < n; i++) {
            check(world_apply(&b->w, &cmds[i]), b->w.result.text);
        }
        leader_settle(b->l);
    } while (n > 0);
}

static void open_bench(struct bench *b)
{
    static const struct leader_settings settings = {3600000, 3600000, 5000, 0};
    world_open(&b->w);
    arena_init(&b->arena, sysmem());
    b->w.data = b;
    b->w.after = follow;
    b->nodes = malloc(N_NODES * sizeof *b->nodes);
    check(b->nodes != NULL && world_cluster(&b->w, "c"), "no cluster");
    for (uint32_t i = 0; i < N_NODES; i++) {
        uint32_t size = 1 + i % 3; /* Together 2 a node: 10 tasks of 0.16 on average. */
        check(world_node(&b->w, "c", i, size * 4096, size * 8192), "no node");
        b->nodes[i] = i;
    }
    for (uint32_t i = 0; i < N_SERVICES; i++) {
        char name[16], family[16];
        (void)snprintf(name, sizeof name, "s%u", i);
        (void)snprintf(family, sizeof family, "f%u", i);
        check(world_taskdef(&b->w, family, 256 + 7 * (i % 100), 512 + 13 * (i % 120), 0) &&
                  world_service(&b->w, "c", name, family, N_TASKS / N_SERVICES),
              "no service");
    }
    b->l = leader_open(b->w.store, &settings, b->w.now, sysmem());
    settle(b);
    check(store_count(b->w.store, KIND_TASK) == N_TASKS, "the cluster is too small");
}

enum question { EXPLAIN, EXPLAIN_FULL, DRAIN, REMOVE, ADD, SCALE, QUESTION_N };

static const char *const names[QUESTION_N] = {
    [EXPLAIN] = "task explain, a running task",
    [EXPLAIN_FULL] = "task explain, no room anywhere",
    [DRAIN] = "plan drain of 10 % of the nodes",
    [REMOVE] = "plan remove-nodes, 10 %",
    [ADD] = "plan add-nodes, 1,000",
    [SCALE] = "plan service, 500 to 5,000 tasks",
};

/* What came of it, so that nothing is measured that does not happen. */
static uint32_t ask(struct bench *b, enum question q, uint32_t round)
{
    struct whatif *w = whatif_open(b->l, 0, &b->arena);
    struct whatif_result result = {0};
    struct place_request request;
    struct survey survey;
    struct view_node like;
    struct run_request run = {.taskdef = 0, .count = 1, .group = STR("g"), .memory = 1u << 28};
    uint32_t desired = 5000, n = 0;
    int rv = 0;
    switch (q) {
    case EXPLAIN:
        rv = whatif_explain_task(w, round * 997 % N_TASKS, &request, &survey, NULL);
        n = survey.n_feasible;
        break;
    case EXPLAIN_FULL:
        rv = whatif_explain_run(w, &run, &request, &survey, NULL);
        n = survey.refused[PLACE_MEMORY];
        break;
    case DRAIN:
    case REMOVE:
        rv = whatif_drain(w, b->nodes + round * 100, N_NODES / 10, q == REMOVE, &result, NULL);
        for (uint32_t i = 0; i < result.n_items; i++) {
            n += result.items[i].n_placed;
        }
        break;
    case ADD:
        like = whatif_like(w, 0);
        rv = whatif_add(w, &like, 1000, &result, NULL);
        n = result.after.n_nodes - N_NODES;
        break;
    case SCALE:
        rv = whatif_service(w, round, &desired, SLOT_NONE, &result, NULL);
        n = result.items[0].n_placed;
        break;
    case QUESTION_N:
        break;
    }
    check(rv == 0, "a question was refused");
    whatif_close(w);
    return n;
}

int main(int argc, char **argv)
{
    static struct bench b;
    struct report report;
    report_open(&report, "whatif", argc, argv);
    open_bench(&b);
    for (int q = 0; q < QUESTION_N; q++) {
        for (uint32_t round = 0; round < (report.quick ? 3u : 9u); round++) {
            arena_clear(&b.arena);
            double from = cpu_ms();
            uint32_t n = ask(&b, (enum question)q, round);
            report_add(&report, names[q], "cpu", "ms", cpu_ms() - from);
            report_add(&report, names[q], "nodes or tasks", "", n);
        }
    }
    leader_close(b.l);
    arena_close(&b.arena);
    free(b.nodes);
    report_close(&report);
    return 0;
}
