/* The bound against what an exhaustive search needs. */
#include "admin/configlp.h"

#include "common/base/prng.h"
#include "tests/lib/test.h"

#include <math.h>

enum { N_SHAPES = 3, N_MAX = 4 };

struct search {
    struct configlp_shape node;
    struct configlp_shape shapes[N_SHAPES];
};

/* The fewest nodes for these counts: the first task that is left goes on a node with any others. */
static uint32_t fewest(const struct search *s, const uint32_t left[N_SHAPES]);

static void fill(const struct search *s, const uint32_t left[N_SHAPES], uint32_t from,
                 struct configlp_shape room, uint32_t *best)
{
    uint32_t more = fewest(s, left) + 1;
    *best = more < *best ? more : *best;
    for (uint32_t i = from; i < N_SHAPES; i++) {
        const struct configlp_shape *t = &s->shapes[i];
        if (left[i] > 0 && t->cpu <= room.cpu && t->memory_mib <= room.memory_mib) {
            uint32_t rest[N_SHAPES] = {left[0], left[1], left[2]};
            struct configlp_shape smaller = {room.cpu - t->cpu, room.memory_mib - t->memory_mib, 0,
                                             0};
            rest[i]--;
            fill(s, rest, i, smaller, best);
        }
    }
}

static uint32_t fewest(const struct search *s, const uint32_t left[N_SHAPES])
{
    for (uint32_t i = 0; i < N_SHAPES; i++) {
        if (left[i] > 0) {
            uint32_t rest[N_SHAPES] = {left[0], left[1], left[2]};
            uint32_t best = UINT32_MAX;
            struct configlp_shape room = {s->node.cpu - s->shapes[i].cpu,
                                          s->node.memory_mib - s->shapes[i].memory_mib, 0, 0};
            rest[i]--;
            fill(s, rest, i, room, &best);
            return best;
        }
    }
    return 0;
}

START_TEST(no_plan_needs_fewer_nodes_and_some_hardly_more)
    {
        struct prng p;
        prng_init(&p, 5);
        for (int round = 0; round < 60; round++) {
            struct search s = {.node = {100, 100, 0, 1000}};
            uint32_t left[N_SHAPES];
            struct configlp lp;
            struct err err = {0};
            double cpu = 0, memory = 0;
            for (uint32_t i = 0; i < N_SHAPES; i++) {
                s.shapes[i] = (struct configlp_shape){(uint32_t)(20 + prng_below(&p, 60)),
                                                      (uint32_t)(20 + prng_below(&p, 60)), 0,
                                                      (uint32_t)prng_below(&p, N_MAX)};
                left[i] = s.shapes[i].count;
                cpu += s.shapes[i].cpu * left[i];
                memory += s.shapes[i].memory_mib * left[i];
            }
            ck_assert_msg(configlp_solve(s.shapes, N_SHAPES, &s.node, 1, &lp, &err) == 0, "%s",
                          err.text);
            ck_assert(lp.proven);
            ck_assert(lp.bound >= fmax(cpu, memory) / 100 - 1e-6);
            uint32_t exact = fewest(&s, left);
            ck_assert_msg(ceil(lp.bound - 1e-6) <= exact && exact <= lp.bound + 1.5,
                          "%f nodes at least, %u", lp.bound, exact);
            double carried[N_SHAPES] = {0};
            for (uint32_t k = 0; k < lp.n_patterns; k++) {
                for (uint32_t i = 0; i < N_SHAPES; i++) {
                    carried[i] += lp.patterns[k].nodes * lp.patterns[k].n[i];
                }
            }
            for (uint32_t i = 0; i < N_SHAPES; i++) {
                ck_assert(carried[i] >= left[i] - 1e-6);
            }
            configlp_close(&lp);
        }
    }
END_TEST

START_TEST(nodes_that_are_too_few_or_too_small_are_told)
    {
        struct configlp_shape tasks[] = {{10, 10, 0, 20}, {10, 10, 1, 1}};
        struct configlp_shape nodes[] = {{100, 100, 0, 1}, {100, 50, 1, 2}};
        struct configlp lp;
        struct err err = {0};
        ck_assert_int_eq(configlp_solve(tasks, 2, nodes, 1, &lp, &err), ERR_FULL);
        ck_assert_int_eq(configlp_solve(tasks, 1, nodes, 1, &lp, &err), ERR_FULL);
        ck_assert_int_eq(configlp_solve(tasks, 2, nodes, 2, &lp, &err), ERR_FULL);
        tasks[0].count = 19;
        ck_assert_int_eq(configlp_solve(tasks, 2, nodes, 2, &lp, &err), 0);
        ck_assert(fabs(lp.bound - 3) < 1e-6);
        configlp_close(&lp);
        ck_assert_int_eq(configlp_solve(tasks, CONFIGLP_SHAPES_MAX + 1, nodes, 2, &lp, &err),
                         ERR_TOOBIG);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("configuration program");
    TEST_CASE(s, "bound", 60, no_plan_needs_fewer_nodes_and_some_hardly_more,
              nodes_that_are_too_few_or_too_small_are_told);
    return test_run(s);
}
