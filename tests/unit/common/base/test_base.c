/* The small tools of common/base, each against a naive model where there is one. */
#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/hash.h"
#include "common/base/heap.h"
#include "common/base/id.h"
#include "common/base/list.h"
#include "common/base/map.h"
#include "common/base/prng.h"
#include "common/base/sort.h"
#include "common/base/str.h"
#include "tests/lib/test.h"

#include <string.h>

START_TEST(an_error_keeps_its_cause_and_gains_context)
    {
        struct err err = {0};
        ck_assert_int_eq(err_set(&err, ERR_IO, "disk %d", 7), ERR_IO);
        ck_assert_int_eq(err_wrap(&err, ERR_IO, "journal %s", "x"), ERR_IO);
        ck_assert_str_eq(err.text, "journal x: disk 7");
        ck_assert_int_eq(err_set(NULL, ERR_IO, "nobody listens"), ERR_IO);
    }
END_TEST

START_TEST(an_error_longer_than_its_buffer_is_cut_not_overrun)
    {
        struct err err = {0};
        for (int i = 0; i < 100; i++) {
            err_wrap(&err, ERR_TOOBIG, "level %d of a deep stack", i);
        }
        ck_assert_uint_lt(strlen(err.text), sizeof err.text);
    }
END_TEST

START_TEST(a_buffer_stops_at_its_maximum_and_says_so)
    {
        struct buf b;
        buf_init(&b, test_mem(), 10);
        buf_puts(&b, "12345678");
        ck_assert(!b.overflow);
        buf_puts(&b, "abc");
        ck_assert(b.overflow);
        ck_assert_uint_eq(b.len, 8);
        buf_close(&b);
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

START_TEST(little_endian_round_trip)
    {
        struct buf b;
        buf_init(&b, test_mem(), 100);
        buf_put_u16(&b, 0x1234);
        buf_put_u32(&b, 0x89abcdefu);
        buf_put_u64(&b, 0x0123456789abcdefull);
        ck_assert_uint_eq(get_u16(b.data), 0x1234);
        ck_assert_uint_eq(get_u32(b.data + 2), 0x89abcdefu);
        ck_assert_uint_eq(get_u64(b.data + 6), 0x0123456789abcdefull);
        ck_assert_uint_eq(b.data[0], 0x34);
        buf_close(&b);
    }
END_TEST

START_TEST(hashes_match_their_published_vectors)
    {
        ck_assert_uint_eq(crc32c(0, "123456789", 9), 0xe3069283u);
        ck_assert_uint_eq(crc32c(crc32c(0, "1234", 4), "56789", 5), 0xe3069283u);
        uint8_t same[32]; /* RFC 3720, B.4 */
        memset(same, 0, sizeof same);
        ck_assert_uint_eq(crc32c(0, same, sizeof same), 0x8a9136aau);
        memset(same, 0xff, sizeof same);
        ck_assert_uint_eq(crc32c(0, same, sizeof same), 0x62a8ab43u);
        ck_assert_uint_eq(hash_bytes("", 0, 0), 0xef46db3751d8e999ull);
        ck_assert_uint_eq(hash_bytes("a", 1, 0), 0xd24ec4f1a98c6e5bull);
        ck_assert_uint_eq(hash_bytes("Nobody inspects the spammish repetition", 39, 0),
                          0xfbcea83c8a378bf1ull);
    }
END_TEST

START_TEST(ids_survive_text_and_refuse_what_is_not_hex)
    {
        char hex[ID_HEX_LEN + 1];
        struct id back;
        struct id id = id_derive(1, 2, 3);
        id_hex(id, hex);
        ck_assert(id_parse(str_of(hex), &back));
        ck_assert(id_eq(id, back));
        ck_assert(!id_parse(STR("0123"), &back));
        hex[5] = 'g';
        ck_assert(!id_parse(str_of(hex), &back));
        ck_assert(!id_eq(id_derive(1, 2, 3), id_derive(1, 2, 4)));
    }
END_TEST

START_TEST(numbers_are_digits_only_and_never_overflow)
    {
        uint64_t u;
        int64_t i;
        ck_assert(str_u64(STR("18446744073709551615"), &u) && u == UINT64_MAX);
        ck_assert(!str_u64(STR("18446744073709551616"), &u));
        ck_assert(!str_u64(STR(""), &u));
        ck_assert(!str_u64(STR("1 "), &u));
        ck_assert(!str_u64(STR("+1"), &u));
        ck_assert(str_i64(STR("-9223372036854775808"), &i) && i == INT64_MIN);
        ck_assert(!str_i64(STR("9223372036854775808"), &i));
        ck_assert(!str_i64(STR("-"), &i));
    }
END_TEST

START_TEST(utf8_is_checked_as_rfc_3629_says)
    {
        ck_assert(str_is_utf8(STR("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\xb3")));
        ck_assert(!str_is_utf8(STR("\xc0\x80")));
        ck_assert(!str_is_utf8(STR("\xed\xa0\x80")));
        ck_assert(!str_is_utf8(STR("\xf4\x90\x80\x80")));
        ck_assert(!str_is_utf8(STR("\xe2\x82")));
        ck_assert(!str_is_utf8(STR("\xff")));
    }
END_TEST

static uint64_t key_hash(const uint64_t *keys, uint32_t value)
{
    return hash_mix(0, keys[value] % 97); /* Collides on purpose. */
}

static bool key_eq(const void *ctx, uint32_t value, const void *key)
{
    const uint64_t *keys = ctx;
    return keys[value] == *(const uint64_t *)key;
}

START_TEST(a_map_agrees_with_a_plain_array)
    {
        enum { N = 500 };
        uint64_t keys[N];
        bool there[N] = {false};
        struct map m;
        struct prng p;
        uint32_t n = 0;
        prng_init(&p, 42);
        map_init(&m, test_mem());
        for (uint32_t i = 0; i < N; i++) {
            keys[i] = i * 1000003ull;
        }
        for (int step = 0; step < 20000; step++) {
            uint32_t i = (uint32_t)prng_below(&p, N);
            uint32_t got = map_get(&m, key_hash(keys, i), key_eq, keys, &keys[i]);
            ck_assert_uint_eq(got, there[i] ? i : MAP_NONE);
            if (there[i]) {
                map_remove(&m, key_hash(keys, i), i);
            } else {
                map_put(&m, key_hash(keys, i), i);
            }
            there[i] = !there[i];
            n = there[i] ? n + 1 : n - 1;
            ck_assert_uint_eq(m.n, n);
        }
        map_close(&m);
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

START_TEST(a_heap_gives_keys_in_order_and_ties_by_age)
    {
        enum { N = 300 };
        struct heap_node nodes[N];
        struct heap h;
        struct prng p;
        uint64_t last = 0;
        memset(nodes, 0, sizeof nodes);
        prng_init(&p, 7);
        heap_init(&h, test_mem());
        for (int i = 0; i < N; i++) {
            heap_set(&h, &nodes[i], prng_below(&p, 50));
        }
        for (int i = 0; i < N; i += 3) {
            heap_set(&h, &nodes[i], prng_below(&p, 50));
            heap_remove(&h, &nodes[(i + 1) % N]);
        }
        while (heap_first(&h) != NULL) {
            struct heap_node *first = heap_first(&h);
            ck_assert_uint_ge(first->key, last);
            last = first->key;
            heap_remove(&h, first);
            ck_assert(!heap_has(first));
        }
        heap_close(&h);
    }
END_TEST

START_TEST(an_arena_aligns_clears_and_returns_everything)
    {
        struct arena a;
        arena_init(&a, test_mem());
        for (size_t n = 0; n < 3000; n += 7) {
            unsigned char *p = arena_alloc(&a, n);
            ck_assert_uint_eq((uintptr_t)p % 16, 0);
            for (size_t i = 0; i < n; i++) {
                ck_assert_uint_eq(p[i], 0);
            }
            memset(p, 0xff, n);
        }
        arena_clear(&a);
        ck_assert_str_eq(arena_printf(&a, "%d-%s", 5, "x"), "5-x");
        arena_close(&a);
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

START_TEST(a_list_can_lose_members_while_it_is_walked)
    {
        struct list head;
        struct list other;
        struct list items[5];
        struct list *it;
        struct list *after;
        int n = 0;
        list_init(&head);
        list_init(&other);
        for (int i = 0; i < 5; i++) {
            list_push(&head, &items[i]);
        }
        list_each_safe (it, after, &head) {
            if ((it - items) % 2 == 0) {
                list_remove(it);
            }
        }
        list_splice(&other, &head);
        ck_assert(list_empty(&head));
        list_each (it, &other) {
            n++;
        }
        ck_assert_int_eq(n, 2);
    }
END_TEST

static bool lower_half(const void *ctx, uint32_t a, uint32_t b)
{
    (void)ctx;
    return a / 2 < b / 2;
}

START_TEST(sorting_keeps_the_order_of_equals)
    {
        enum { N_MAX = 300 };
        struct prng p;
        prng_init(&p, 7);
        for (uint32_t n = 0; n < N_MAX; n++) {
            uint32_t v[N_MAX], sorted[N_MAX], scratch[N_MAX];
            for (uint32_t i = 0; i < n; i++) {
                v[i] = sorted[i] = (uint32_t)prng_below(&p, n) * 2 + i % 2;
            }
            sort_u32(sorted, n, scratch, lower_half, NULL);
            for (uint32_t i = 0; i < n; i++) { /* Insertion: stable and plain to see. */
                uint32_t x = v[i], at = i;
                for (; at > 0 && x / 2 < v[at - 1] / 2; at--) {
                    v[at] = v[at - 1];
                }
                v[at] = x;
            }
            for (uint32_t i = 0; i < n; i++) {
                ck_assert_uint_eq(sorted[i], v[i]);
            }
        }
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("base");
    TEST_CASE(s, "base", 30, an_error_keeps_its_cause_and_gains_context,
              an_error_longer_than_its_buffer_is_cut_not_overrun,
              a_buffer_stops_at_its_maximum_and_says_so, little_endian_round_trip,
              hashes_match_their_published_vectors, ids_survive_text_and_refuse_what_is_not_hex,
              numbers_are_digits_only_and_never_overflow, utf8_is_checked_as_rfc_3629_says,
              a_map_agrees_with_a_plain_array, a_heap_gives_keys_in_order_and_ties_by_age,
              an_arena_aligns_clears_and_returns_everything,
              a_list_can_lose_members_while_it_is_walked, sorting_keeps_the_order_of_equals);
    return test_run(s);
}
