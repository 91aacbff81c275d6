/* The ordered set against a plain list: many entries, many equal keys, many removals. */
#include "controller/core/placement/shelf.h"

#include "common/base/prng.h"
#include "tests/lib/test.h"

#include <string.h>

#define N_SLOTS 4000u
#define N_STEPS 20000u

struct plain {
    bool there[N_SLOTS];
    struct shelf_entry entry[N_SLOTS];
};

static struct plain plain;

static struct id id_of(const void *ctx, uint32_t slot)
{
    (void)ctx;
    return plain.entry[slot].id;
}

static struct id draw_id(struct prng *p, uint32_t slot)
{
    /* Some share their first bits, some all but the last. */
    uint64_t hi = prng_below(p, 3) == 0 ? 7 : prng_u64(p);
    return (struct id){hi, (uint64_t)slot + 1};
}

/* One of few amounts, or any. */
static uint64_t draw_key(struct prng *p, bool few)
{
    uint64_t high = prng_below(p, few ? 3 : 5000);
    uint64_t low = prng_below(p, few ? 2 : 5000);
    return high << 32 | low;
}

static bool precedes(const struct shelf_entry *a, const struct shelf_entry *b)
{
    return a->key != b->key ? a->key < b->key : id_cmp(a->id, b->id) < 0;
}

/* The first wanted entry with at least this key that comes behind `last`, or SHELF_NONE. */
static uint32_t plain_find(uint64_t key, uint32_t low, uint64_t tags, uint32_t last)
{
    uint32_t best = SHELF_NONE;
    for (uint32_t i = 0; i < N_SLOTS; i++) {
        const struct shelf_entry *e = &plain.entry[i];
        if (plain.there[i] && e->key >= key && (uint32_t)e->key >= low &&
            (tags >> e->tag & 1) != 0 && (last == SHELF_NONE || precedes(&plain.entry[last], e)) &&
            (best == SHELF_NONE || precedes(e, &plain.entry[best]))) {
            best = i;
        }
    }
    return best;
}

/* A search and some steps onward find what looking at everything finds. */
static void check_search(struct shelf *s, struct prng *p, bool few)
{
    uint64_t key = draw_key(p, few);
    uint32_t low = (uint32_t)prng_below(p, few ? 3 : 6000);
    uint64_t tags = UINT64_MAX;
    struct shelf_want want;
    shelf_want_init(&want, low);
    for (uint64_t n = prng_below(p, 3) * 25; n > 0; n--) {
        uint8_t tag = (uint8_t)prng_below(p, SHELF_TAGS);
        shelf_want_not(&want, tag);
        tags &= ~(UINT64_C(1) << tag);
    }
    if (s->n > 0) {
        ck_assert_uint_eq(shelf_first(s), plain_find(0, 0, UINT64_MAX, SHELF_NONE));
    }
    struct shelf_at at = shelf_seek(s, key);
    uint32_t last = SHELF_NONE;
    for (int step = 0; step < 4; step++) {
        uint32_t high;
        uint32_t expected = plain_find(key, low, tags, last);
        uint32_t found = shelf_find(s, &want, &at, &high);
        ck_assert_uint_eq(found, expected);
        if (found == SHELF_NONE) {
            return;
        }
        ck_assert_uint_eq(high, (uint32_t)(plain.entry[found].key >> 32));
        last = found;
        at.entry++;
    }
}

static void run(uint64_t seed, bool few)
{
    struct shelf s = {0};
    struct prng p;
    const struct shelf_env env = {test_mem(), id_of, NULL};
    uint32_t most = 0;
    memset(&plain, 0, sizeof plain);
    prng_init(&p, seed);
    for (uint32_t step = 0; step < N_STEPS; step++) {
        uint32_t slot = (uint32_t)prng_below(&p, N_SLOTS);
        struct shelf_entry *e = &plain.entry[slot];
        bool shrink = step > N_STEPS / 2; /* In the end most are gone. */
        if (plain.there[slot]) {
            shelf_remove(&s, &env, e);
            plain.there[slot] = false;
        }
        if (!shrink || prng_below(&p, 4) == 0) {
            *e = (struct shelf_entry){draw_key(&p, few), draw_id(&p, slot), slot,
                                      (uint8_t)prng_below(&p, SHELF_TAGS)};
            shelf_insert(&s, &env, e);
            plain.there[slot] = true;
        }
        most = s.n > most ? s.n : most;
        if (step % 100 == 0) {
            check_search(&s, &p, few);
        }
        if (step % 1000 == 0) {
            ck_assert(shelf_audit(&s, &env));
        }
    }
    ck_assert(shelf_audit(&s, &env));
    ck_assert_uint_gt(most, SHELF_LINES * SHELF_LINES * 2); /* Blocks were split, */
    ck_assert_uint_lt(s.n, most / 2);                       /* and leaves merged. */
    shelf_close(&s, test_mem());
    ck_assert_uint_eq(test_mem_in_use(), 0);
}

START_TEST(finds_what_a_plain_list_has)
    {
        for (uint64_t seed = 1; seed <= 6; seed++) {
            run(seed, seed % 2 == 0);
        }
    }
END_TEST

int main(void)
{
    Suite *suite = suite_create("placement shelf");
    TEST_CASE(suite, "shelf", 120, finds_what_a_plain_list_has);
    return test_run(suite);
}
