/* The whole system under random faults: a few seeds, those that found something once, and the same
 * seed twice. Many more: make sim SEED=n RUNS=k. */
#include "tests/lib/test.h"
#include "tests/sim/fleet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RUN_MS = 120000, RANDOM_SEEDS = 6, LONG = 300 };

static uint64_t live(uint64_t seed)
{
    struct fleet_options o = fleet_draw(seed);
    struct fleet *f = fleet_open(&o);
    uint64_t hash;
    fleet_run(f, RUN_MS);
    fleet_settle(f, false);
    fleet_check_busy(f);
    hash = simworld_hash(fleet_world(f));
    fleet_close(f);
    return hash;
}

START_TEST(random_faults_break_nothing)
    {
        (void)live(1 + (uint64_t)_i);
    }
END_TEST

START_TEST(seeds_that_found_something_find_nothing_any_more)
    {
        FILE *file = fopen("tests/sim/seeds.txt", "r");
        char line[256];
        unsigned n = 0;
        ck_assert_ptr_nonnull(file);
        while (fgets(line, sizeof line, file) != NULL) {
            char *end = line;
            uint64_t seed = strtoull(line, &end, 10);
            if (end != line) {
                (void)live(seed);
                n++;
            }
        }
        (void)fclose(file);
        ck_assert_uint_gt(n, 0);
    }
END_TEST

START_TEST(the_same_seed_is_the_same_run)
    {
        uint64_t first = live(77);
        ck_assert_uint_eq(live(77), first);
        ck_assert_uint_ne(live(78), first);
    }
END_TEST

/* No faults at all: everything that is asked for happens, and soon. What a node that was
 * deregistered leaves behind takes a minute to go. */
START_TEST(a_quiet_world_settles_at_once)
    {
        struct fleet_options o = {
            .world =
                {.seed = 5, .n = 3, .delay_us_min = 100, .delay_us_max = 1000, .disk_us_max = 500},
            .n_agents = 4,
            .n_clients = 3,
            .op_ms = 500,
        };
        struct fleet *f = fleet_open(&o);
        o.world.checkpoint_ms = 1000;
        fleet_run(f, RUN_MS);
        fleet_settle(f, false);
        fleet_check_busy(f);
        ck_assert_uint_eq(fleet_stats(f)->unknown, 0);
        ck_assert_uint_eq(fleet_stats(f)->timeouts, 0);
        ck_assert_uint_lt(fleet_stats(f)->settled_ms, 90000);
        fleet_close(f);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("fleet");
    TCase *random = tcase_create("random");
    tcase_set_timeout(random, LONG);
    tcase_add_loop_test(random, random_faults_break_nothing, 0, RANDOM_SEEDS);
    suite_add_tcase(s, random);
    TEST_CASE(s, "chosen", LONG, seeds_that_found_something_find_nothing_any_more,
              the_same_seed_is_the_same_run, a_quiet_world_settles_at_once);
    return test_run(s);
}
