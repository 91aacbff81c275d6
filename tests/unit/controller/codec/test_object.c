/* Rows and commands as bytes: random objects come back equal, protobuf-c reads the same, and
 * nothing damaged is accepted. */
#include "common/base/hash.h"
#include "controller/codec/object.h"
#include "controller/codec/pbc.h"
#include "proto/ecs/log/v1/log.pb-c.h"
#include "tests/lib/test.h"
#include "tests/unit/controller/codec/random_object.h"

#include <stdlib.h>

#define ROUNDS 300

struct fixture {
    struct codec *codec;
    struct arena arena;
    struct prng prng;
    struct buf out;
};

static void setup(struct fixture *x, uint64_t seed)
{
    struct err err = {0};
    ck_assert_msg(codec_open(test_mem(), &x->codec, &err) == 0, "%s", err.text);
    arena_init(&x->arena, test_mem());
    prng_init(&x->prng, seed);
    buf_init(&x->out, test_mem(), 1 << 24);
}

static void teardown(struct fixture *x)
{
    codec_close(x->codec);
    arena_close(&x->arena);
    buf_close(&x->out);
    ck_assert_uint_eq(test_mem_in_use(), 0);
}

static struct str str_of_buf(const struct buf *b)
{
    return str_make((const char *)b->data, b->len);
}

static const ProtobufCMessageDescriptor *const row_descs[KIND_N] = {
    [KIND_CLUSTER] = &ecs__log__v1__cluster__descriptor,
    [KIND_TASKDEF] = &ecs__log__v1__taskdef__descriptor,
    [KIND_SERVICE] = &ecs__log__v1__service__descriptor,
    [KIND_NODE] = &ecs__log__v1__node__descriptor,
    [KIND_TASK] = &ecs__log__v1__task__descriptor,
    [KIND_TOKEN] = &ecs__log__v1__token__descriptor,
    [KIND_FAMILY] = &ecs__log__v1__family__descriptor,
    [KIND_JOIN] = &ecs__log__v1__join__descriptor,
    [KIND_META] = &ecs__log__v1__meta__descriptor,
    [KIND_CAPACITY_PROVIDER] = &ecs__log__v1__capacity_provider__descriptor,
};

/* protobuf-c must read what we wrote and write the same bytes again. */
static void check_with_protobuf_c(const ProtobufCMessageDescriptor *desc, struct str bytes,
                                  struct arena *a)
{
    struct err err = {0};
    ProtobufCMessage *m;
    struct str again;
    ck_assert_msg(pbc_unpack(desc, bytes, a, &m, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(m->n_unknown_fields, 0);
    again = pbc_pack_arena(m, a);
    ck_assert(str_eq(again, bytes));
}

START_TEST(rows_of_every_table_survive_a_round_trip)
    {
        struct fixture x;
        size_t total = 0;
        setup(&x, 1);
        for (int kind = 1; kind < KIND_N; kind++) {
            const struct schema *s = schema_of_kind((enum kind)kind);
            for (int i = 0; i < ROUNDS; i++) {
                struct err err = {0};
                void *row = arena_alloc(&x.arena, s->size);
                void *back;
                buf_clear(&x.out);
                random_object(s, row, &x.prng, &x.arena);
                ck_assert_int_eq(codec_encode_row(x.codec, (enum kind)kind, row, &x.out, &err), 0);
                ck_assert_msg(codec_decode_row(x.codec, (enum kind)kind, str_of_buf(&x.out),
                                               &x.arena, &back, &err) == 0,
                              "%s", err.text);
                ck_assert_msg(schema_equal(s, row, back), "kind %d round %d", kind, i);
                check_with_protobuf_c(row_descs[kind], str_of_buf(&x.out), &x.arena);
                total += x.out.len;
            }
            arena_clear(&x.arena);
        }
        ck_assert_uint_gt(total, 100000);
        teardown(&x);
    }
END_TEST

static struct command *random_batch(struct fixture *x, uint32_t n)
{
    struct command *batch = arena_array(&x->arena, n, sizeof *batch);
    for (uint32_t i = 0; i < n; i++) {
        struct command *cmd = &batch[i];
        cmd->kind = (uint8_t)(1 + prng_below(&x->prng, CMD_N - 1));
        cmd->at_ms = (int64_t)random_number(&x->prng);
        cmd->seed = random_number(&x->prng);
        random_object(schema_of_command(cmd->kind), &cmd->u, &x->prng, &x->arena);
    }
    return batch;
}

START_TEST(batches_of_every_command_survive_a_round_trip)
    {
        struct fixture x;
        uint32_t seen[CMD_N] = {0};
        setup(&x, 2);
        for (int i = 0; i < 200; i++) {
            struct err err = {0};
            uint32_t n = (uint32_t)prng_below(&x.prng, 12);
            struct command *batch = random_batch(&x, n);
            struct command *back;
            uint32_t n_back;
            buf_clear(&x.out);
            ck_assert_int_eq(codec_encode_batch(x.codec, batch, n, 7, &x.out, &err), 0);
            ck_assert_uint_eq(x.out.len % 8, 0);
            ck_assert_uint_eq(get_u16(x.out.data + 6), 7);
            ck_assert_msg(codec_decode_batch(x.codec, str_of_buf(&x.out), &x.arena, &back, &n_back,
                                             &err) == 0,
                          "%s", err.text);
            ck_assert_uint_eq(n_back, n);
            for (uint32_t j = 0; j < n; j++) {
                ck_assert_uint_eq(back[j].kind, batch[j].kind);
                ck_assert_int_eq(back[j].at_ms, batch[j].at_ms);
                ck_assert_uint_eq(back[j].seed, batch[j].seed);
                ck_assert(schema_equal(schema_of_command(batch[j].kind), &batch[j].u, &back[j].u));
                seen[batch[j].kind]++;
            }
            check_with_protobuf_c(&ecs__log__v1__batch__descriptor,
                                  str_make((char *)x.out.data + 16, get_u32(x.out.data + 8)),
                                  &x.arena);
            arena_clear(&x.arena);
        }
        for (int kind = 1; kind < CMD_N; kind++) {
            ck_assert_uint_gt(seen[kind], 0);
        }
        teardown(&x);
    }
END_TEST

START_TEST(a_flipped_bit_anywhere_in_an_entry_is_noticed)
    {
        struct fixture x;
        struct command *batch;
        struct command *back;
        uint32_t n_back;
        struct err err = {0};
        setup(&x, 3);
        batch = random_batch(&x, 5);
        ck_assert_int_eq(codec_encode_batch(x.codec, batch, 5, 1, &x.out, &err), 0);
        for (size_t i = 0; i < x.out.len * 8; i++) {
            x.out.data[i / 8] ^= (uint8_t)(1u << (i % 8));
            ck_assert_int_ne(
                codec_decode_batch(x.codec, str_of_buf(&x.out), &x.arena, &back, &n_back, &err), 0);
            x.out.data[i / 8] ^= (uint8_t)(1u << (i % 8));
        }
        for (size_t n = 0; n < x.out.len; n++) {
            ck_assert_int_ne(codec_decode_batch(x.codec, str_make((char *)x.out.data, n), &x.arena,
                                                &back, &n_back, &err),
                             0);
        }
        teardown(&x);
    }
END_TEST

/* Rewrite the checksum after a change of the header. */
static void seal(struct buf *b)
{
    uint32_t crc = crc32c(0, b->data, 12);
    put_u32(b->data + 12, crc32c(crc, b->data + 16, get_u32(b->data + 8)));
}

START_TEST(what_a_newer_controller_wrote_is_refused_or_skipped)
    {
        struct fixture x;
        struct command cmd = {.kind = CMD_GC};
        struct command *back;
        uint32_t n = 9;
        struct err err = {0};
        setup(&x, 4);
        ck_assert_int_eq(codec_encode_batch(x.codec, &cmd, 1, 3, &x.out, &err), 0);
        put_u16(x.out.data + 2, 2);
        seal(&x.out);
        ck_assert_int_eq(codec_decode_batch(x.codec, str_of_buf(&x.out), &x.arena, &back, &n, &err),
                         ERR_UNSUPPORTED);
        ck_assert_str_eq(err.text, "log entry of unknown kind 2, written at feature level 3: this "
                                   "controller is too old");
        put_u16(x.out.data + 4, CODEC_FLAG_SKIP);
        seal(&x.out);
        ck_assert_int_eq(codec_decode_batch(x.codec, str_of_buf(&x.out), &x.arena, &back, &n, &err),
                         0);
        ck_assert_uint_eq(n, 0);
        put_u16(x.out.data, 2);
        ck_assert_int_eq(codec_decode_batch(x.codec, str_of_buf(&x.out), &x.arena, &back, &n, &err),
                         ERR_UNSUPPORTED);
        teardown(&x);
    }
END_TEST

START_TEST(an_unknown_command_stops_an_unknown_field_does_not)
    {
        /* Batch{Command{at_ms 5, field 2000: {}}} and Batch{Command{at_ms 5, gc{}, field 50: 1}}.
         */
        static const uint8_t command[] = {10, 6, 8, 5, 0x82, 0x7d, 0, 0};
        static const uint8_t field[] = {10, 8, 8, 5, 0xda, 7, 0, 0x90, 3, 1};
        struct fixture x;
        struct command *back;
        uint32_t n;
        struct err err = {0};
        setup(&x, 5);
        for (int i = 0; i < 2; i++) {
            size_t len = i == 0 ? 7 : 10;
            uint8_t entry[32] = {1, 0, 1};
            memcpy(entry + 16, i == 0 ? command : field, len);
            entry[17] = (uint8_t)(len - 2);
            put_u32(entry + 8, (uint32_t)len);
            put_u32(entry + 12, crc32c(crc32c(0, entry, 12), entry + 16, len));
            if (i == 0) {
                ck_assert_int_eq(codec_decode_batch(x.codec, str_make((char *)entry, 24), &x.arena,
                                                    &back, &n, &err),
                                 ERR_UNSUPPORTED);
                ck_assert_ptr_nonnull(strstr(err.text, "command of unknown kind 1900"));
            } else {
                ck_assert_msg(codec_decode_batch(x.codec, str_make((char *)entry, 32), &x.arena,
                                                 &back, &n, &err) == 0,
                              "%s", err.text);
                ck_assert_uint_eq(n, 1);
                ck_assert_uint_eq(back[0].kind, CMD_GC);
                ck_assert_int_eq(back[0].at_ms, 5);
            }
        }
        teardown(&x);
    }
END_TEST

START_TEST(a_full_buffer_refuses_and_is_left_as_it_was)
    {
        struct fixture x;
        struct cluster row = {.name = STR("a-name-longer-than-the-buffer"), .created_at = 1};
        struct command cmd = {.kind = CMD_CLUSTER_CREATE};
        struct buf small;
        struct err err = {0};
        cmd.u.cluster.name = row.name;
        setup(&x, 6);
        for (size_t max = 3; max < 30; max++) {
            buf_init(&small, test_mem(), max);
            buf_puts(&small, "abc");
            ck_assert_int_eq(codec_encode_row(x.codec, KIND_CLUSTER, &row, &small, &err),
                             ERR_TOOBIG);
            ck_assert_uint_eq(small.len, 3);
            ck_assert_int_eq(codec_encode_batch(x.codec, &cmd, 1, 0, &small, &err), ERR_TOOBIG);
            ck_assert_uint_eq(small.len, 3);
            buf_close(&small);
        }
        teardown(&x);
    }
END_TEST

START_TEST(values_that_do_not_fit_are_named)
    {
        /* Task.status = 256; Task.id of two bytes; Node.reserved_tcp = [65536]. */
        static const uint8_t status[] = {0x30, 0x80, 2};
        static const uint8_t id[] = {0x0a, 2, 1, 2};
        static const uint8_t port[] = {0x6a, 3, 0x80, 0x80, 4};
        struct fixture x;
        struct err err = {0};
        void *row;
        setup(&x, 7);
        ck_assert_int_eq(
            codec_decode_row(x.codec, KIND_TASK, str_make((char *)status, 3), &x.arena, &row, &err),
            ERR_CORRUPT);
        ck_assert_str_eq(err.text, "Task.status: value out of range");
        ck_assert_int_eq(
            codec_decode_row(x.codec, KIND_TASK, str_make((char *)id, 4), &x.arena, &row, &err),
            ERR_CORRUPT);
        ck_assert_str_eq(err.text, "Task.id: value out of range");
        ck_assert_int_eq(
            codec_decode_row(x.codec, KIND_NODE, str_make((char *)port, 5), &x.arena, &row, &err),
            ERR_CORRUPT);
        ck_assert_str_eq(err.text, "Node.reserved_tcp: value out of range");
        ck_assert_int_eq(codec_decode_row(x.codec, (enum kind)77, STR(""), &x.arena, &row, &err),
                         ERR_UNSUPPORTED);
        teardown(&x);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("object");
    TEST_CASE(s, "round trips", 60, rows_of_every_table_survive_a_round_trip,
              batches_of_every_command_survive_a_round_trip);
    TEST_CASE(s, "refusals", 60, a_flipped_bit_anywhere_in_an_entry_is_noticed,
              what_a_newer_controller_wrote_is_refused_or_skipped,
              an_unknown_command_stops_an_unknown_field_does_not,
              a_full_buffer_refuses_and_is_left_as_it_was, values_that_do_not_fit_are_named);
    return test_run(s);
}
