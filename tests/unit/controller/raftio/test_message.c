/* The wire codec: what is written is read back, what is cut or out of range is refused by name. */
#include "controller/raftio/message.h"

#include "common/base/prng.h"
#include "controller/raft/conf.h"
#include "tests/lib/test.h"

#include <string.h>

#define KINDS 11u

struct made { /* A message with what it points to. */
    struct message m;
    struct raft_entry entries[REPLICA_BATCH_MAX];
    uint8_t bytes[REPLICA_BATCH_MAX][100];
    uint8_t chunk[MESSAGE_CHUNK_MAX];
};

static struct raft_buffer conf;

static void make_conf(void)
{
    static const struct conf_member members[] = {{1, "a:1"}, {2, "b:1"}, {3, "c:1"}};
    ck_assert_int_eq(conf_encode(members, 3, &conf, NULL), 0);
}

static void free_conf(void)
{
    raft_free(conf.base);
}

static void make_append(struct made *x, struct prng *p)
{
    struct raft_append_entries *a = &x->m.replica.raft.append_entries;
    uint64_t term = 1 + prng_below(p, 5);
    x->m.replica.raft.type = RAFT_APPEND_ENTRIES;
    a->prev_log_index = prng_below(p, 2) * (1 + prng_below(p, 1000));
    a->prev_log_term = a->prev_log_index == 0 ? 0 : term;
    a->leader_commit = prng_below(p, 1000);
    a->n_entries = (unsigned)prng_below(p, REPLICA_BATCH_MAX + 1);
    a->entries = x->entries;
    for (unsigned i = 0; i < a->n_entries; i++) {
        struct raft_entry *e = &x->entries[i];
        size_t len = 1 + prng_below(p, sizeof x->bytes[i]);
        term += prng_below(p, 2);
        memset(x->bytes[i], (int)prng_below(p, 256), len);
        *e = (struct raft_entry){.term = term, .type = RAFT_COMMAND, .buf = {x->bytes[i], len}};
        if (prng_below(p, 10) == 0) {
            e->type = RAFT_CHANGE;
            e->buf = conf;
        } else if (prng_below(p, 10) == 0) {
            e->type = RAFT_BARRIER;
            e->buf.len = 8;
        }
    }
    a->term = term + prng_below(p, 3);
}

static void make_chunk(struct made *x, struct prng *p)
{
    struct message_chunk *c = &x->m.chunk;
    x->m.kind = MESSAGE_CHUNK;
    c->snapshot = (struct replica_snapshot){1 + prng_below(p, 1000), 2, 1, conf.base, conf.len};
    c->term = 2 + prng_below(p, 10);
    c->n = prng_below(p, 3) * MESSAGE_CHUNK_MAX / 2;
    c->offset = prng_below(p, 100000);
    c->size = c->n == 0 ? 0 : c->offset + c->n + prng_below(p, 100);
    c->offset = c->n == 0 ? 0 : c->offset;
    c->bytes = x->chunk;
    memset(x->chunk, (int)prng_below(p, 256), c->n);
}

static void make_small_raft(struct made *x, struct prng *p, unsigned kind)
{
    struct raft_message *r = &x->m.replica.raft;
    uint64_t term = 1 + prng_below(p, 100);
    switch (kind) {
    case 1:
        r->type = RAFT_APPEND_ENTRIES_RESULT;
        r->append_entries_result = (struct raft_append_entries_result){
            .term = term, .rejected = prng_below(p, 5), .last_log_index = prng_below(p, 9)};
        r->append_entries_result.capacity = (unsigned short)prng_below(p, 65536);
        break;
    case 2:
        r->type = RAFT_REQUEST_VOTE;
        r->request_vote = (struct raft_request_vote){
            .term = term, .candidate_id = 1 + prng_below(p, 3), .last_log_index = 4};
        r->request_vote.last_log_term = 1;
        r->request_vote.pre_vote = prng_below(p, 2) != 0;
        r->request_vote.disrupt_leader = prng_below(p, 2) != 0;
        break;
    case 3:
        r->type = RAFT_REQUEST_VOTE_RESULT;
        r->request_vote_result.term = term;
        r->request_vote_result.pre_vote = prng_below(p, 2) != 0;
        r->request_vote_result.vote_granted = prng_below(p, 2) != 0;
        r->request_vote_result.capacity = (unsigned short)prng_below(p, 65536);
        break;
    default:
        r->type = RAFT_TIMEOUT_NOW;
        r->timeout_now = (struct raft_timeout_now){
            .term = term, .last_log_index = 1 + prng_below(p, 9), .last_log_term = 1};
        break;
    }
}

static void make(struct made *x, struct prng *p, unsigned kind)
{
    memset(&x->m, 0, sizeof x->m);
    x->m.kind = MESSAGE_REPLICA;
    x->m.replica.kind = REPLICA_RAFT;
    switch (kind) {
    case 0:
        make_append(x, p);
        break;
    case 5:
    case 6:
        x->m.replica.kind = kind == 5 ? REPLICA_PROBE : REPLICA_PROBE_REPLY;
        x->m.replica.probe.term = prng_below(p, 100);
        x->m.replica.probe.round = prng_u64(p);
        break;
    case 7:
        make_chunk(x, p);
        break;
    case 8:
        x->m.kind = MESSAGE_CHUNK_ACK;
        x->m.ack = (struct message_chunk_ack){1, 2, prng_u64(p)};
        break;
    case 9:
        x->m.kind = MESSAGE_HELLO;
        x->m.hello = (struct message_hello){.version = MESSAGE_VERSION,
                                            .from = 1,
                                            .to = 2,
                                            .incarnation = prng_u64(p),
                                            .cluster_id = {3, prng_u64(p)},
                                            .epoch = 7,
                                            .address = STR("a:1/b:2"),
                                            .software = STR("9.1"),
                                            .level = 3};
        break;
    case 10:
        x->m.kind = MESSAGE_REFUSED;
        x->m.refused.reason = MESSAGE_REFUSED_REMOVED;
        x->m.refused.text = STR("gone");
        break;
    default:
        make_small_raft(x, p, kind);
        break;
    }
}

START_TEST(every_message_survives_the_wire_and_no_part_of_it_passes_for_one)
    {
        static struct made x;
        struct prng p;
        struct buf first;
        struct buf second;
        make_conf();
        prng_init(&p, (uint64_t)_i);
        buf_init(&first, test_mem(), MESSAGE_HEAD + MESSAGE_BODY_MAX);
        buf_init(&second, test_mem(), MESSAGE_HEAD + MESSAGE_BODY_MAX);
        for (unsigned round = 0; round < 200; round++) {
            struct raft_entry entries[REPLICA_BATCH_MAX];
            struct message back;
            struct err err = {0};
            size_t len;
            size_t step;
            make(&x, &p, (unsigned)_i);
            buf_clear(&first);
            buf_clear(&second);
            message_encode(&x.m, &first);
            ck_assert_int_eq(message_body_len(first.data, &len, &err), 0);
            ck_assert_uint_eq(len, first.len - MESSAGE_HEAD);
            ck_assert_msg(message_decode(first.data + MESSAGE_HEAD, len, entries, &back, &err) == 0,
                          "%s", err.text);
            ck_assert_int_eq(back.kind, x.m.kind);
            message_encode(&back, &second);
            ck_assert_uint_eq(first.len, second.len);
            ck_assert_int_eq(memcmp(first.data, second.data, first.len), 0);
            step = 1 + len / 200;
            for (size_t n = 0; n < len; n += step) {
                ck_assert_int_eq(message_decode(first.data + MESSAGE_HEAD, n, entries, &back, &err),
                                 ERR_PROTOCOL);
            }
            buf_put_u8(&first, 0);
            ck_assert_int_eq(
                message_decode(first.data + MESSAGE_HEAD, len + 1, entries, &back, &err),
                ERR_PROTOCOL);
        }
        buf_close(&first);
        buf_close(&second);
        free_conf();
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

struct bad {
    uint64_t term, prev, prev_term, commit;
    unsigned n;
    uint64_t entry_term;
    int type;
    size_t len;
    const char *says;
};

START_TEST(an_append_out_of_range_is_refused_by_name)
    {
        static const struct bad cases[] = {
            {0, 0, 0, 0, 0, 1, RAFT_COMMAND, 1, "append.term: 0 is not from 1"},
            {5, 3, 0, 0, 0, 1, RAFT_COMMAND, 1, "append.prev: index 3 of term 0"},
            {5, 0, 3, 0, 0, 1, RAFT_COMMAND, 1, "append.prev: index 0 of term 3"},
            {5, 3, 6, 0, 0, 1, RAFT_COMMAND, 1, "append.prev: 6 is not from 0 to 5"},
            {5, 3, 3, UINT64_MAX, 0, 1, RAFT_COMMAND, 1, "append.commit"},
            {5, UINT64_MAX, 3, 0, 0, 1, RAFT_COMMAND, 1, "append.prev"},
            {5, 3, 3, 0, 1, 2, RAFT_COMMAND, 1, "entry.term: 2 is not from 3 to 5"},
            {5, 3, 3, 0, 1, 6, RAFT_COMMAND, 1, "entry.term: 6 is not from 3 to 5"},
            {5, 3, 3, 0, 1, 4, 0, 1, "entry.type: 0 is unknown"},
            {5, 3, 3, 0, 1, 4, 4, 1, "entry.type: 4 is unknown"},
            {5, 3, 3, 0, 1, 4, RAFT_COMMAND, 0, "entry.length: 0"},
            {5, 3, 3, 0, 1, 4, RAFT_BARRIER, 9, "entry.length: 9"},
            {5, 3, 3, 0, 1, 4, RAFT_CHANGE, 16, "configuration: version 0"},
        };
        const struct bad *c = &cases[_i];
        static uint8_t zeros[16];
        struct raft_entry e = {.term = c->entry_term, .type = (enum raft_entry_type)c->type};
        struct raft_entry entries[REPLICA_BATCH_MAX];
        struct message m = {.kind = MESSAGE_REPLICA};
        struct message back;
        struct err err = {0};
        struct buf b;
        e.buf = (struct raft_buffer){zeros, c->len};
        m.replica.kind = REPLICA_RAFT;
        m.replica.raft.type = RAFT_APPEND_ENTRIES;
        m.replica.raft.append_entries = (struct raft_append_entries){
            .term = c->term, .prev_log_index = c->prev, .prev_log_term = c->prev_term};
        m.replica.raft.append_entries.leader_commit = c->commit;
        m.replica.raft.append_entries.n_entries = c->n;
        m.replica.raft.append_entries.entries = &e;
        buf_init(&b, test_mem(), MESSAGE_BODY_MAX);
        message_encode(&m, &b);
        ck_assert_int_eq(
            message_decode(b.data + MESSAGE_HEAD, b.len - MESSAGE_HEAD, entries, &back, &err),
            ERR_PROTOCOL);
        ck_assert_msg(strstr(err.text, c->says) != NULL, "%s", err.text);
        buf_close(&b);
    }
END_TEST

START_TEST(an_acknowledgement_out_of_range_is_refused_by_name)
    {
        static const struct message_chunk_ack cases[] = {
            {0, 1, 0}, {UINT64_C(1) << 62, 1, 0}, {1, 0, 0}, {1, UINT64_C(1) << 62, 0}};
        static const char *const says[] = {"ack.term: 0", "ack.term", "ack.index: 0", "ack.index"};
        for (size_t i = 0; i < 4; i++) {
            struct raft_entry entries[REPLICA_BATCH_MAX];
            struct message m = {.kind = MESSAGE_CHUNK_ACK};
            struct message back;
            struct err err = {0};
            struct buf b;
            m.ack = cases[i];
            buf_init(&b, test_mem(), MESSAGE_BODY_MAX);
            message_encode(&m, &b);
            ck_assert_int_eq(
                message_decode(b.data + MESSAGE_HEAD, b.len - MESSAGE_HEAD, entries, &back, &err),
                ERR_PROTOCOL);
            ck_assert_msg(strstr(err.text, says[i]) != NULL, "%s", err.text);
            buf_close(&b);
        }
    }
END_TEST

START_TEST(lengths_are_limited_before_anything_is_allocated)
    {
        uint8_t head[MESSAGE_HEAD];
        struct err err = {0};
        size_t len;
        put_u32(head, 0);
        ck_assert_int_eq(message_body_len(head, &len, &err), ERR_PROTOCOL);
        put_u32(head, MESSAGE_BODY_MAX);
        ck_assert_int_eq(message_body_len(head, &len, &err), 0);
        put_u32(head, MESSAGE_BODY_MAX + 1);
        ck_assert_int_eq(message_body_len(head, &len, &err), ERR_TOOBIG);
        put_u32(head, UINT32_MAX);
        ck_assert_int_eq(message_body_len(head, &len, &err), ERR_TOOBIG);
    }
END_TEST

/* The largest append there can be fits into a frame. */
static int hello(const uint8_t *body, size_t n, struct message_hello *ret)
{
    struct raft_entry entries[REPLICA_BATCH_MAX];
    struct message m;
    int rv = message_decode(body, n, entries, &m, NULL);
    *ret = m.hello;
    return rv;
}

/* 0.1.0 knows one form and no other; later ones may be longer than what is known today. */
START_TEST(a_hello_is_understood_across_versions)
    {
        static const uint8_t first[] = {1, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0,
                                        0, 0, 3, 0, 0, 0, 0, 0, 0, 0};
        struct message m = {.kind = MESSAGE_HELLO,
                            .hello = {1, 2, 3, 77, {4, 4}, 6, STR("a:1/b:2"), STR("9.1"), 5}};
        struct message_hello h;
        struct buf b;
        size_t n;
        buf_init(&b, test_mem(), 1000);
        message_encode(&m, &b);
        ck_assert_uint_eq(b.len, MESSAGE_HEAD + sizeof first);
        ck_assert_int_eq(memcmp(b.data + MESSAGE_HEAD, first, sizeof first), 0);
        ck_assert_int_eq(hello(first, sizeof first, &h), 0);
        ck_assert(h.version == 1 && h.from == 2 && h.to == 3 && h.level == 1);
        buf_clear(&b);
        m.hello.version = 7; /* Of tomorrow: with three bytes we know nothing about. */
        message_encode(&m, &b);
        buf_puts(&b, "abc");
        n = b.len - MESSAGE_HEAD;
        ck_assert_int_eq(hello(b.data + MESSAGE_HEAD, n, &h), 0);
        ck_assert(h.version == 7 && h.from == 2 && h.to == 3 && h.level == 5 &&
                  h.incarnation == 77);
        b.data[MESSAGE_HEAD + 1] = MESSAGE_VERSION; /* What is known has its length. */
        ck_assert_int_eq(hello(b.data + MESSAGE_HEAD, n, &h), ERR_PROTOCOL);
        ck_assert_int_eq(hello(b.data + MESSAGE_HEAD, n - 3, &h), 0);
        b.data[MESSAGE_HEAD + n - 29] = 0; /* Level 0. */
        ck_assert_int_eq(hello(b.data + MESSAGE_HEAD, n - 3, &h), ERR_PROTOCOL);
        b.data[MESSAGE_HEAD + 1] = 0; /* Version 0. */
        ck_assert_int_eq(hello(b.data + MESSAGE_HEAD, n - 3, &h), ERR_PROTOCOL);
        buf_close(&b);
    }
END_TEST

START_TEST(the_largest_entry_fits)
    {
        struct raft_entry e = {.term = 1, .type = RAFT_COMMAND};
        struct raft_entry entries[REPLICA_BATCH_MAX];
        struct message m = {.kind = MESSAGE_REPLICA};
        struct message back;
        struct buf b;
        uint8_t *bytes = mem_alloc(test_mem(), REPLICA_ENTRY_MAX);
        e.buf = (struct raft_buffer){bytes, REPLICA_ENTRY_MAX};
        m.replica.kind = REPLICA_RAFT;
        m.replica.raft.type = RAFT_APPEND_ENTRIES;
        m.replica.raft.append_entries =
            (struct raft_append_entries){.term = 1, .entries = &e, .n_entries = 1};
        buf_init(&b, test_mem(), MESSAGE_HEAD + MESSAGE_BODY_MAX);
        message_encode(&m, &b);
        ck_assert(!b.overflow);
        ck_assert_int_eq(
            message_decode(b.data + MESSAGE_HEAD, b.len - MESSAGE_HEAD, entries, &back, NULL), 0);
        ck_assert_uint_eq(entries[0].buf.len, REPLICA_ENTRY_MAX);
        buf_close(&b);
        mem_free(test_mem(), bytes, REPLICA_ENTRY_MAX);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("message");
    TCase *loops = tcase_create("loops");
    TEST_CASE(s, "message", 30, lengths_are_limited_before_anything_is_allocated,
              an_acknowledgement_out_of_range_is_refused_by_name,
              a_hello_is_understood_across_versions, the_largest_entry_fits);
    tcase_set_timeout(loops, 60);
    tcase_add_loop_test(loops, every_message_survives_the_wire_and_no_part_of_it_passes_for_one, 0,
                        KINDS);
    tcase_add_loop_test(loops, an_append_out_of_range_is_refused_by_name, 0, 13);
    suite_add_tcase(s, loops);
    return test_run(s);
}
