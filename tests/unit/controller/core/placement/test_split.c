/* Sharing out tasks among capacity providers: property 10 of placement, on random strategies that
 * grow and shrink. */
#include "common/base/prng.h"
#include "common/base/str.h"
#include "controller/core/placement/split.h"
#include "tests/lib/test.h"

#include <stdlib.h>

#define ITEMS 20

static void expect(const struct split_item *items, uint32_t n_items, uint32_t n,
                   const uint32_t *wanted)
{
    uint32_t got[ITEMS];
    ck_assert_uint_eq(split_more(items, n_items, n, got), n);
    for (uint32_t i = 0; i < n_items; i++) {
        ck_assert_uint_eq(got[i], wanted[i]);
    }
}

START_TEST(the_base_comes_first_and_the_rest_goes_by_weight)
    {
        expect((struct split_item[]){{0, 1, 0}, {0, 1, 0}}, 2, 3, (uint32_t[]){2, 1});
        expect((struct split_item[]){{0, 1, 0}, {0, 4, 0}}, 2, 10, (uint32_t[]){2, 8});
        expect((struct split_item[]){{2, 1, 0}, {0, 1, 0}}, 2, 1, (uint32_t[]){1, 0});
        expect((struct split_item[]){{2, 1, 0}, {0, 1, 0}}, 2, 6, (uint32_t[]){4, 2});
        expect((struct split_item[]){{3, 0, 1}, {0, 1, 0}}, 2, 5, (uint32_t[]){2, 3});
        expect((struct split_item[]){{0, 1, 5}, {0, 1, 0}}, 2, 6, (uint32_t[]){1, 5});
    }
END_TEST

START_TEST(without_weight_nothing_goes_beyond_the_base)
    {
        struct split_item items[] = {{2, 0, 0}, {0, 0, 0}};
        uint32_t got[2];
        ck_assert_uint_eq(split_more(items, 2, 5, got), 2);
        ck_assert_uint_eq(got[0], 2);
        ck_assert_uint_eq(got[1], 0);
        ck_assert_uint_eq(split_more(items, 0, 5, got), 0);
    }
END_TEST

START_TEST(tasks_of_the_base_are_stopped_last)
    {
        struct split_item items[] = {{2, 0, 3}, {0, 1, 4}};
        uint32_t got[2];
        split_fewer(items, 2, 1, got);
        ck_assert_uint_eq(got[0], 1); /* More than it may have. */
        split_fewer(items, 2, 5, got);
        ck_assert_uint_eq(got[0], 1);
        ck_assert_uint_eq(got[1], 4);
        split_fewer(items, 2, 7, got);
        ck_assert_uint_eq(got[0], 3);
        ck_assert_uint_eq(got[1], 4);
    }
END_TEST

/* |n - w * K / W| < 1, in whole numbers. An assertion of Check costs more than the split. */
static void check_shares(const struct split_item *items, uint32_t n_items, uint64_t seed)
{
    int64_t weight = 0;
    int64_t tasks = 0;
    for (uint32_t i = 0; i < n_items; i++) {
        weight += items[i].weight;
        tasks += items[i].n_have > items[i].base ? items[i].n_have - items[i].base : 0;
    }
    for (uint32_t i = 0; i < n_items; i++) {
        int64_t n = items[i].n_have > items[i].base ? items[i].n_have - items[i].base : 0;
        int64_t off = n * weight - items[i].weight * tasks;
        if (items[i].n_have < items[i].base && tasks > 0) {
            ck_abort_msg("seed %llu: beyond the bases before they are full",
                         (unsigned long long)seed);
        }
        if (off >= weight || off <= -weight) {
            ck_abort_msg("seed %llu: item %u has %lld of %lld", (unsigned long long)seed, i,
                         (long long)n, (long long)tasks);
        }
    }
}

static void step(struct prng *p, struct split_item *items, uint32_t n_items, uint64_t seed)
{
    uint32_t delta[ITEMS];
    uint32_t have = 0;
    bool grow = prng_below(p, 3) != 0;
    uint32_t n = (uint32_t)prng_below(p, prng_below(p, 8) == 0 ? 60 : 6);
    uint32_t sum = 0;
    for (uint32_t i = 0; i < n_items; i++) {
        have += items[i].n_have;
    }
    n = grow || n < have ? n : have;
    if (grow) {
        sum = n - split_more(items, n_items, n, delta);
    } else {
        split_fewer(items, n_items, n, delta);
    }
    for (uint32_t i = 0; i < n_items; i++) {
        if (!grow && delta[i] > items[i].n_have) {
            ck_abort_msg("seed %llu: stops what is not there", (unsigned long long)seed);
        }
        items[i].n_have = grow ? items[i].n_have + delta[i] : items[i].n_have - delta[i];
        sum += delta[i];
    }
    if (sum != n) {
        ck_abort_msg("seed %llu: %u of %u", (unsigned long long)seed, sum, n);
    }
    check_shares(items, n_items, seed);
}

static void run_one(uint64_t seed)
{
    struct split_item items[ITEMS] = {{0, 0, 0}};
    struct prng p;
    uint32_t n_items;
    uint32_t weight_max;
    prng_init(&p, seed);
    n_items = 1 + (uint32_t)prng_below(&p, prng_below(&p, 2) == 0 ? 3 : ITEMS);
    weight_max = prng_below(&p, 2) == 0 ? 4 : 1001;
    for (uint32_t i = 0; i < n_items; i++) {
        items[i].weight = (uint32_t)prng_below(&p, weight_max);
    }
    items[prng_below(&p, n_items)].weight = 1 + (uint32_t)prng_below(&p, weight_max - 1);
    items[prng_below(&p, n_items)].base = (uint32_t)prng_below(&p, 12);
    for (int i = 0; i < 10; i++) {
        step(&p, items, n_items, seed);
    }
}

START_TEST(shares_stay_within_one_task_of_their_weight)
    {
        const char *text = getenv("PLACE_SEEDS");
        uint64_t n_seeds = 300;
        if (text != NULL) {
            ck_assert(str_u64(str_of(text), &n_seeds));
        }
        for (uint64_t seed = 1; seed <= 60 * n_seeds; seed++) {
            run_one(seed);
        }
    }
END_TEST

/* From any beginning the split neither fails nor gives beyond what there is. */
START_TEST(any_beginning_will_do)
    {
        for (uint64_t seed = 1; seed <= 2000; seed++) {
            struct split_item items[ITEMS];
            uint32_t got[ITEMS];
            struct prng p;
            uint32_t n_items;
            uint32_t have = 0;
            uint32_t sum = 0;
            prng_init(&p, seed);
            n_items = 1 + (uint32_t)prng_below(&p, ITEMS);
            for (uint32_t i = 0; i < n_items; i++) {
                items[i] =
                    (struct split_item){(uint32_t)prng_below(&p, 5), (uint32_t)prng_below(&p, 3),
                                        (uint32_t)prng_below(&p, 9)};
                have += items[i].n_have;
            }
            for (uint32_t n = split_more(items, n_items, 20, got), i = 0; i < n_items; i++) {
                sum += got[i];
                ck_assert(i + 1 < n_items || sum == n);
            }
            split_fewer(items, n_items, have, got);
            for (uint32_t i = 0; i < n_items; i++) {
                ck_assert_uint_eq(got[i], items[i].n_have);
            }
        }
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("split");
    TEST_CASE(s, "split", 3600, the_base_comes_first_and_the_rest_goes_by_weight,
              without_weight_nothing_goes_beyond_the_base, tasks_of_the_base_are_stopped_last,
              shares_stay_within_one_task_of_their_weight, any_beginning_will_do);
    return test_run(s);
}
