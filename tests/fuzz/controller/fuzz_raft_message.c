/* Messages of other controllers. The input is a sequence of frames as they come from a connection;
 * each body is decoded, written again and compared, and what a replica takes is given to one: a
 * follower of three whose disk is instantaneous. It may refuse to go on (two leaders that
 * contradict each other on committed entries are the end), but must not break. */
#include "common/base/buf.h"
#include "common/loop/sysmem.h"
#include "controller/raft/conf.h"
#include "controller/raft/replica.h"
#include "controller/raftio/message.h"

#include <assert.h>
#include <string.h>

struct box {
    struct replica *r;
    uint64_t ticket;
    uint64_t applied;
    bool install;
};

static void save_vote(void *ctx, uint64_t term, uint64_t vote)
{
    (void)ctx;
    (void)term;
    (void)vote;
}

static void append(void *ctx, uint64_t index, const struct replica_entry *entries, unsigned n,
                   uint64_t ticket)
{
    struct box *b = ctx;
    (void)index;
    (void)entries;
    (void)n;
    b->ticket = ticket;
}

/* What we say must be what a peer understands. */
static void send_message(void *ctx, const struct replica_message *m)
{
    struct raft_entry entries[REPLICA_BATCH_MAX];
    struct message back;
    struct buf out;
    (void)ctx;
    buf_init(&out, sysmem(), MESSAGE_HEAD + MESSAGE_BODY_MAX);
    message_encode_replica(m, &out);
    assert(!out.overflow);
    assert(message_decode(out.data + MESSAGE_HEAD, out.len - MESSAGE_HEAD, entries, &back, NULL) ==
           0);
    buf_close(&out);
}

static void apply(void *ctx, uint64_t index, const struct replica_entry *entry)
{
    struct box *b = ctx;
    (void)entry;
    assert(index == b->applied + 1);
    b->applied = index;
}

static void changed(void *ctx, const struct replica_status *status)
{
    (void)ctx;
    (void)status;
}

static void lost(void *ctx, uint64_t term)
{
    (void)ctx;
    (void)term;
}

static void read_ready(void *ctx, uint64_t ticket)
{
    (void)ctx;
    (void)ticket;
}

static void snapshot_send(void *ctx, uint64_t peer, uint64_t index)
{
    (void)ctx;
    (void)peer;
    (void)index;
}

static void peer_lost_entries(void *ctx, uint64_t peer, uint64_t confirmed, uint64_t kept)
{
    (void)ctx;
    (void)peer;
    (void)confirmed;
    (void)kept;
}

static void snapshot_install(void *ctx, const struct replica_snapshot *s)
{
    struct box *b = ctx;
    b->install = true;
    b->applied = s->index;
}

static void members(void *ctx)
{
    (void)ctx;
}

static const struct replica_io io = {
    .save_vote = save_vote,
    .append = append,
    .send = send_message,
    .apply = apply,
    .changed = changed,
    .lost = lost,
    .read_ready = read_ready,
    .snapshot_send = snapshot_send,
    .peer_lost_entries = peer_lost_entries,
    .snapshot_install = snapshot_install,
    .members = members,
};

static void open_box(struct box *b)
{
    static const struct conf_member members[] = {{1, "a:1"}, {2, "b:1"}, {3, "c:1"}};
    struct replica_settings set = {.id = 1, .seed = 1};
    struct raft_buffer conf;
    struct replica_entry e = {.term = 1, .type = RAFT_CHANGE};
    struct replica_boot boot = {.term = 1, .first = 1, .entries = &e, .n_entries = 1};
    int rv = conf_encode(members, 3, &conf, NULL);
    assert(rv == 0);
    e.bytes = conf.base;
    e.len = conf.len;
    memset(b, 0, sizeof *b);
    rv = replica_open(&set, sysmem(), &io, b, &b->r, NULL);
    assert(rv == 0);
    rv = replica_start(b->r, 1, &boot, NULL);
    assert(rv == 0);
    raft_free(conf.base);
}

static int feed(struct box *b, uint64_t now_ms, uint64_t peer, struct message *m)
{
    int rv = 0;
    if (m->kind == MESSAGE_REPLICA) {
        m->replica.peer = peer;
        rv = replica_receive(b->r, now_ms, &m->replica, NULL);
    } else if (m->kind == MESSAGE_CHUNK && m->chunk.offset + m->chunk.n == m->chunk.size) {
        rv = replica_snapshot_receive(b->r, now_ms, peer, m->chunk.term, &m->chunk.snapshot, NULL);
    }
    if (rv == 0 && b->install) {
        b->install = false;
        rv = replica_snapshot_installed(b->r, now_ms, NULL);
    }
    rv = rv != 0 ? rv : replica_persisted(b->r, now_ms, b->ticket, NULL);
    return rv != 0 ? rv : replica_tick(b->r, now_ms, NULL);
}

static void round_trip(const struct message *m, const uint8_t *body, size_t len)
{
    struct buf out;
    buf_init(&out, sysmem(), MESSAGE_HEAD + MESSAGE_BODY_MAX);
    message_encode(m, &out);
    assert(!out.overflow);
    /* A hello of a later version may have more fields than are known here. */
    if (m->kind != MESSAGE_HELLO) {
        assert(out.len == len + MESSAGE_HEAD);
        assert(memcmp(out.data + MESSAGE_HEAD, body, len) == 0);
    }
    buf_close(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct box b;
    uint64_t now_ms = 1;
    int rv = 0;
    open_box(&b);
    while (rv == 0 && size > MESSAGE_HEAD) {
        struct raft_entry entries[REPLICA_BATCH_MAX];
        struct message m;
        struct err err;
        uint64_t peer = 2 + (data[3] & 1); /* The upper byte of a length is 0 in real ones. */
        uint8_t head[MESSAGE_HEAD] = {data[0], data[1], 0, 0};
        size_t len;
        now_ms += data[2] * 8u;
        if (message_body_len(head, &len, &err) != 0 || len > size - MESSAGE_HEAD) {
            break;
        }
        if (message_decode(data + MESSAGE_HEAD, len, entries, &m, &err) == 0) {
            round_trip(&m, data + MESSAGE_HEAD, len);
            rv = feed(&b, now_ms, peer, &m);
        }
        data += MESSAGE_HEAD + len;
        size -= MESSAGE_HEAD + len;
    }
    replica_close(b.r);
    return 0;
}
