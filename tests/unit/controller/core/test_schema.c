/* The field tables: complete, and copy, hash, equality and release agree on them. Every schema is
 * filled with random values by its own table. Also the table of rows. */
#include "controller/core/schema.h"

#include "common/base/prng.h"
#include "controller/core/table.h"
#include "tests/lib/test.h"

#include <stdlib.h>
#include <string.h>

/* --- filling by table ----------------------------------------------------------------------------
 */

static void fill_scalar(struct prng *p, uint8_t type, char *at)
{
    uint64_t v[2] = {prng_u64(p), prng_u64(p)};
    if (type == FIELD_BOOL) {
        v[0] &= 1;
    }
    memcpy(at, v, schema_scalar_size(type));
}

static void fill_str(struct prng *p, char *at, struct arena *a)
{
    struct str s = {NULL, prng_below(p, 20)};
    char *bytes = arena_alloc(a, s.n + 1);
    for (size_t i = 0; i < s.n; i++) {
        bytes[i] = (char)('a' + prng_below(p, 26));
    }
    s.p = s.n == 0 && prng_below(p, 2) == 0 ? NULL : bytes;
    memcpy(at, &s, sizeof s);
}

/* Depth is bounded by the schemas, so a test may recurse. */
static void fill(struct prng *p, const struct schema *schema, char *object, struct arena *a)
{
    for (uint32_t i = 0; i < schema->n_fields; i++) {
        const struct field *f = &schema->fields[i];
        uint32_t n = (uint32_t)prng_below(p, 4);
        char *v;
        if (f->type == FIELD_STR) {
            fill_str(p, object + f->offset, a);
        } else if (f->type == FIELD_STRUCT) {
            fill(p, f->sub, object + f->offset, a);
        } else if (f->type == FIELD_ARRAY || f->type == FIELD_SCALARS) {
            size_t size = f->type == FIELD_ARRAY ? f->sub->size : schema_scalar_size(f->element);
            v = n == 0 ? NULL : arena_array(a, n, size);
            for (uint32_t k = 0; k < n; k++) {
                if (f->type == FIELD_ARRAY) {
                    fill(p, f->sub, v + k * size, a);
                } else {
                    fill_scalar(p, f->element, v + k * size);
                }
            }
            memcpy(object + f->offset, &v, sizeof v);
            memcpy(object + f->count_offset, &n, sizeof n);
        } else {
            fill_scalar(p, f->type, object + f->offset);
        }
    }
}

static const struct schema *schema_at(unsigned i)
{
    return i < KIND_N ? schema_of_kind((enum kind)i) : schema_of_command((uint8_t)(i - KIND_N));
}

START_TEST(every_kind_and_command_has_a_table_and_others_have_none)
    {
        for (unsigned i = 1; i < KIND_N; i++) {
            ck_assert_ptr_nonnull(schema_of_kind((enum kind)i));
        }
        for (unsigned i = 1; i < CMD_N; i++) {
            ck_assert_ptr_nonnull(schema_of_command((uint8_t)i));
        }
        ck_assert_ptr_null(schema_of_command(0));
        ck_assert_ptr_null(schema_of_command(CMD_N));
        ck_assert_ptr_null(schema_of_command(255));
        ck_assert_ptr_null(schema_of_kind((enum kind)0));
    }
END_TEST

/* The bytes of the struct that no field accounts for are padding: never eight in a row. */
static void check_coverage(const struct schema *schema, int depth)
{
    char *covered = calloc(1, schema->size + 1);
    size_t gap = 0;
    ck_assert_int_lt(depth, SCHEMA_DEPTH_MAX);
    for (uint32_t i = 0; i < schema->n_fields; i++) {
        const struct field *f = &schema->fields[i];
        size_t size = sizeof(void *);
        if (f->type == FIELD_STRUCT) {
            size = f->sub->size;
        } else if (f->type != FIELD_ARRAY && f->type != FIELD_SCALARS) {
            size = schema_scalar_size(f->type);
        } else {
            memset(covered + f->count_offset, 1, sizeof(uint32_t));
        }
        for (size_t k = 0; k < size; k++) {
            ck_assert_msg(covered[f->offset + k] == 0, "%s.%s", schema->name, f->name);
        }
        memset(covered + f->offset, 1, size);
        if (f->sub != NULL) {
            check_coverage(f->sub, depth + 1);
        }
    }
    for (size_t i = 0; i < schema->size; i++) {
        gap = covered[i] != 0 ? 0 : gap + 1;
        ck_assert_msg(gap < 8, "%s: nothing describes byte %zu", schema->name, i);
    }
    free(covered);
}

START_TEST(every_member_is_in_its_table_once)
    {
        for (unsigned i = 1; i < KIND_N + CMD_N; i++) {
            if (schema_at(i) != NULL) {
                check_coverage(schema_at(i), 0);
            }
        }
    }
END_TEST

/* Change one byte of one field that is not derived, anywhere but in pointers and counts. */
static bool change(struct prng *p, const struct schema *schema, char *object)
{
    const struct field *f;
    if (schema->n_fields == 0) {
        return false;
    }
    f = &schema->fields[prng_below(p, schema->n_fields)];
    if (f->derived || f->type == FIELD_STR || f->type >= FIELD_STRUCT) {
        return false;
    }
    object[f->offset] = (char)(object[f->offset] ^ 1);
    return true;
}

START_TEST(copies_are_equal_until_something_changes_and_leave_nothing_behind)
    {
        struct prng p;
        struct arena a;
        unsigned n_changed = 0;
        prng_init(&p, 4);
        arena_init(&a, test_mem());
        for (unsigned i = 1; i < 40 * (KIND_N + CMD_N); i++) {
            const struct schema *schema = schema_at(i % (KIND_N + CMD_N));
            char *object;
            char *twin;
            char *copy;
            if (schema == NULL || schema->size == 0) {
                continue;
            }
            object = arena_alloc(&a, schema->size);
            twin = arena_alloc(&a, schema->size);
            copy = arena_alloc(&a, schema->size);
            fill(&p, schema, object, &a);
            schema_copy_arena(schema, twin, object, &a);
            schema_copy(schema, copy, twin, test_mem());
            ck_assert(schema_equal(schema, object, copy));
            ck_assert_uint_eq(schema_hash(schema, object, 3), schema_hash(schema, copy, 3));
            ck_assert_uint_ne(schema_hash(schema, object, 3), schema_hash(schema, copy, 4));
            if (change(&p, schema, copy)) {
                n_changed++;
                ck_assert(!schema_equal(schema, object, copy));
                ck_assert_uint_ne(schema_hash(schema, object, 3), schema_hash(schema, copy, 3));
            }
            schema_free(schema, copy, test_mem());
        }
        ck_assert_uint_gt(n_changed, 100);
        arena_close(&a);
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

START_TEST(derived_members_do_not_count)
    {
        struct task a = {.id = {1, 2}, .on_node = {3, 4}};
        struct task b = {.id = {1, 2}, .in_gc = {5, 6}};
        ck_assert(schema_equal(schema_of_kind(KIND_TASK), &a, &b));
        ck_assert_uint_eq(schema_hash(schema_of_kind(KIND_TASK), &a, 0),
                          schema_hash(schema_of_kind(KIND_TASK), &b, 0));
    }
END_TEST

/* --- the table of rows ---------------------------------------------------------------------------
 */

START_TEST(a_new_row_gets_the_lowest_free_slot)
    {
        enum { N = 9000 }; /* Over several words of the second level. */
        static bool taken[N + 1];
        struct table t;
        struct prng p;
        uint32_t n = 0;
        prng_init(&p, 11);
        table_init(&t, sizeof(uint32_t), test_mem());
        for (uint32_t i = 0; i < 60000; i++) {
            bool grow = i < 12000 || prng_below(&p, 2) == 0;
            uint32_t slot = (uint32_t)prng_below(&p, N);
            uint32_t *row = table_row(&t, slot);
            ck_assert((row != NULL) == taken[slot]);
            ck_assert(row == NULL || *row == slot + 7);
            if (!grow && row != NULL) {
                table_remove(&t, slot);
                taken[slot] = false;
                n--;
            } else if (grow && n < N) {
                uint32_t lowest = 0;
                while (taken[lowest]) {
                    lowest++;
                }
                slot = table_free_slot(&t);
                ck_assert_uint_eq(slot, lowest);
                row = table_add(&t, slot);
                ck_assert_uint_eq(*row, 0);
                *row = slot + 7;
                taken[slot] = true;
                n++;
            }
            ck_assert_uint_eq(t.n, n);
            ck_assert_uint_ge(t.high, n);
        }
        ck_assert_ptr_null(table_row(&t, UINT32_MAX));
        table_close(&t);
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

START_TEST(rows_may_be_put_far_apart)
    {
        struct table t;
        table_init(&t, 16, test_mem());
        ck_assert_ptr_nonnull(table_add(&t, 300000));
        ck_assert_uint_eq(table_free_slot(&t), 0);
        ck_assert_uint_eq(t.high, 300001);
        ck_assert_ptr_null(table_row(&t, 299999));
        table_remove(&t, 300000);
        ck_assert_uint_eq(t.n, 0);
        table_close(&t);
        table_close(&t);
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("schema");
    TEST_CASE(s, "schema", 30, every_kind_and_command_has_a_table_and_others_have_none,
              every_member_is_in_its_table_once,
              copies_are_equal_until_something_changes_and_leave_nothing_behind,
              derived_members_do_not_count);
    TEST_CASE(s, "table", 30, a_new_row_gets_the_lowest_free_slot, rows_may_be_put_far_apart);
    return test_run(s);
}
