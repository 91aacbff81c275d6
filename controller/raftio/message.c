/* All integers little-endian. A frame is
 *
 *   0  u32  length of the body
 *   4  u8   code, then by code:
 *
 *   1 hello              u32 version, u64 from, u64 to; from version 2 on: u64 incarnation,
 *                        u16 length, address, u16 length, software, u16 feature level; from
 *                        version 3 on: u64[2] cluster id, u64 epoch; then whatever later versions
 *                        add
 *   2 append             u64 term, u64 prev index, u64 prev term, u64 commit, u16 n,
 *                        n times { u64 term, u8 type, u32 length, bytes }
 *   3 append result      u64 term, u64 rejected, u64 last, u16 capacity
 *   4 vote               u64 term, u64 candidate, u64 last index, u64 last term, u8 flags
 *                        (1 pre-vote, 2 disrupt leader)
 *   5 vote result        u64 term, u8 flags (1 granted, 2 pre-vote), u16 capacity
 *   6 timeout now        u64 term, u64 last index, u64 last term
 *   7 probe              u64 term, u64 round
 *   8 probe reply        u64 term, u64 round
 *   9 chunk              u64 term, u64 index, u64 index's term, u64 configuration's index,
 *                        u64 size, u64 offset, u16 length, configuration, u32 length, bytes
 *  10 chunk ack          u64 term, u64 index, u64 offset
 *  11 refused            u8 reason, u16 length, text
 *
 * Codes are never reused. A body longer than its fields is refused. */
#include "controller/raftio/message.h"

#include "common/base/plant.h"
#include "controller/raft/conf.h"

#include <assert.h>
#include <string.h>

enum code {
    CODE_HELLO = 1,
    CODE_APPEND,
    CODE_APPEND_RESULT,
    CODE_VOTE,
    CODE_VOTE_RESULT,
    CODE_TIMEOUT_NOW,
    CODE_PROBE,
    CODE_PROBE_REPLY,
    CODE_CHUNK,
    CODE_CHUNK_ACK,
    CODE_REFUSED,
};

/* Versions of libraft's own messages, as 0.22.1 fills them in. */
#define VOTE_VERSION          2
#define VOTE_RESULT_VERSION   2
#define APPEND_RESULT_VERSION 2
#define FEATURE_CAPACITY      1

/* --- writing --------------------------------------------------------------------------------- */

static size_t frame_begin(struct buf *out, enum code code)
{
    size_t at = out->len;
    buf_put_u32(out, 0);
    buf_put_u8(out, (uint8_t)code);
    return at;
}

static void frame_end(struct buf *out, size_t at)
{
    if (!out->overflow) {
        put_u32(out->data + at, (uint32_t)(out->len - at - MESSAGE_HEAD));
    }
}

static void put_append(const struct raft_append_entries *m, struct buf *out)
{
    size_t at = frame_begin(out, CODE_APPEND);
    assert(m->n_entries <= REPLICA_BATCH_MAX);
    buf_put_u64(out, m->term);
    buf_put_u64(out, m->prev_log_index);
    buf_put_u64(out, m->prev_log_term);
    buf_put_u64(out, m->leader_commit);
    buf_put_u16(out, (uint16_t)m->n_entries);
    for (unsigned i = 0; i < m->n_entries; i++) {
        const struct raft_entry *e = &m->entries[i];
        buf_put_u64(out, e->term);
        buf_put_u8(out, (uint8_t)e->type);
        buf_put_u32(out, (uint32_t)e->buf.len);
        buf_put(out, e->buf.base, e->buf.len);
    }
    frame_end(out, at);
}

static void put_append_result(const struct raft_append_entries_result *m, struct buf *out)
{
    size_t at = frame_begin(out, CODE_APPEND_RESULT);
    buf_put_u64(out, m->term);
    buf_put_u64(out, m->rejected);
    buf_put_u64(out, m->last_log_index);
    buf_put_u16(out, m->capacity);
    frame_end(out, at);
}

static void put_vote(const struct raft_request_vote *m, struct buf *out)
{
    size_t at = frame_begin(out, CODE_VOTE);
    buf_put_u64(out, m->term);
    buf_put_u64(out, m->candidate_id);
    buf_put_u64(out, m->last_log_index);
    buf_put_u64(out, m->last_log_term);
    buf_put_u8(out, (uint8_t)((m->pre_vote ? 1 : 0) | (m->disrupt_leader ? 2 : 0)));
    frame_end(out, at);
}

static void put_vote_result(const struct raft_request_vote_result *m, struct buf *out)
{
    size_t at = frame_begin(out, CODE_VOTE_RESULT);
    buf_put_u64(out, m->term);
    buf_put_u8(out, (uint8_t)((m->vote_granted ? 1 : 0) | (m->pre_vote ? 2 : 0)));
    buf_put_u16(out, m->capacity);
    frame_end(out, at);
}

static void put_timeout_now(const struct raft_timeout_now *m, struct buf *out)
{
    size_t at = frame_begin(out, CODE_TIMEOUT_NOW);
    buf_put_u64(out, m->term);
    buf_put_u64(out, m->last_log_index);
    buf_put_u64(out, m->last_log_term);
    frame_end(out, at);
}

static void put_raft(const struct raft_message *m, struct buf *out)
{
    switch (m->type) {
    case RAFT_APPEND_ENTRIES:
        put_append(&m->append_entries, out);
        break;
    case RAFT_APPEND_ENTRIES_RESULT:
        put_append_result(&m->append_entries_result, out);
        break;
    case RAFT_REQUEST_VOTE:
        put_vote(&m->request_vote, out);
        break;
    case RAFT_REQUEST_VOTE_RESULT:
        put_vote_result(&m->request_vote_result, out);
        break;
    case RAFT_TIMEOUT_NOW:
        put_timeout_now(&m->timeout_now, out);
        break;
    case RAFT_INSTALL_SNAPSHOT:
        assert(m->type != RAFT_INSTALL_SNAPSHOT);
        break;
    }
}

static void put_probe(const struct replica_message *m, enum code code, struct buf *out)
{
    size_t at = frame_begin(out, code);
    buf_put_u64(out, m->probe.term);
    buf_put_u64(out, m->probe.round);
    frame_end(out, at);
}

void message_encode_replica(const struct replica_message *m, struct buf *out)
{
    switch (m->kind) {
    case REPLICA_RAFT:
        put_raft(&m->raft, out);
        break;
    case REPLICA_PROBE:
        put_probe(m, CODE_PROBE, out);
        break;
    case REPLICA_PROBE_REPLY:
        put_probe(m, CODE_PROBE_REPLY, out);
        break;
    }
}

static void put_chunk(const struct message_chunk *m, struct buf *out)
{
    size_t at = frame_begin(out, CODE_CHUNK);
    assert(m->n <= MESSAGE_CHUNK_MAX);
    buf_put_u64(out, m->term);
    buf_put_u64(out, m->snapshot.index);
    buf_put_u64(out, m->snapshot.term);
    buf_put_u64(out, m->snapshot.conf_index);
    buf_put_u64(out, m->size);
    buf_put_u64(out, m->offset);
    buf_put_u16(out, (uint16_t)m->snapshot.conf_len);
    buf_put(out, m->snapshot.conf, m->snapshot.conf_len);
    buf_put_u32(out, (uint32_t)m->n);
    buf_put(out, m->bytes, m->n);
    frame_end(out, at);
}

static void put_text(struct buf *out, struct str text)
{
    size_t n = text.n < MESSAGE_TEXT_MAX ? text.n : MESSAGE_TEXT_MAX;
    buf_put_u16(out, (uint16_t)n);
    buf_put(out, text.p, n);
}

static void put_hello(const struct message_hello *m, struct buf *out)
{
    size_t at = frame_begin(out, CODE_HELLO);
    buf_put_u32(out, m->version);
    buf_put_u64(out, m->from);
    buf_put_u64(out, m->to);
    if (m->version > 1) {
        buf_put_u64(out, m->incarnation);
        put_text(out, m->address);
        put_text(out, m->software);
        buf_put_u16(out, m->level);
    }
    if (m->version > 2) {
        buf_put_u64(out, m->cluster_id.hi);
        buf_put_u64(out, m->cluster_id.lo);
        buf_put_u64(out, m->epoch);
    }
    frame_end(out, at);
}

void message_encode(const struct message *m, struct buf *out)
{
    size_t at;
    switch (m->kind) {
    case MESSAGE_REPLICA:
        message_encode_replica(&m->replica, out);
        break;
    case MESSAGE_CHUNK:
        put_chunk(&m->chunk, out);
        break;
    case MESSAGE_HELLO:
        put_hello(&m->hello, out);
        break;
    case MESSAGE_REFUSED:
        at = frame_begin(out, CODE_REFUSED);
        buf_put_u8(out, (uint8_t)m->refused.reason);
        put_text(out, m->refused.text);
        frame_end(out, at);
        break;
    case MESSAGE_CHUNK_ACK:
        at = frame_begin(out, CODE_CHUNK_ACK);
        buf_put_u64(out, m->ack.term);
        buf_put_u64(out, m->ack.index);
        buf_put_u64(out, m->ack.offset);
        frame_end(out, at);
        break;
    }
}

/* --- reading --------------------------------------------------------------------------------- */

/* Reads never go past the end: they give zeros and remember that something was missing. */
struct reader {
    const uint8_t *p;
    size_t n;
    bool cut;
};

static const uint8_t *take(struct reader *r, size_t n)
{
    const uint8_t *p = r->p;
    if (n > r->n) {
        r->cut = true;
        r->n = 0;
        return NULL;
    }
    r->p += n;
    r->n -= n;
    return p;
}

static uint8_t take_u8(struct reader *r)
{
    const uint8_t *p = take(r, 1);
    return p == NULL ? 0 : *p;
}

static uint16_t take_u16(struct reader *r)
{
    const uint8_t *p = take(r, 2);
    return (uint16_t)(p == NULL ? 0 : get_u16(p));
}

static uint32_t take_u32(struct reader *r)
{
    const uint8_t *p = take(r, 4);
    return p == NULL ? 0 : get_u32(p);
}

static uint64_t take_u64(struct reader *r)
{
    const uint8_t *p = take(r, 8);
    return p == NULL ? 0 : get_u64(p);
}

static int check_u64(const char *field, uint64_t v, uint64_t min, uint64_t max, struct err *err)
{
    if ((v < min || v > max) && !PLANTED(RANGE_UNCHECKED)) {
        return err_set(err, ERR_PROTOCOL, "%s: %llu is not from %llu to %llu", field,
                       (unsigned long long)v, (unsigned long long)min, (unsigned long long)max);
    }
    return 0;
}

/* Index and term of an entry: both 0 (none) or both set. */
static int check_position(const char *field, uint64_t index, uint64_t term, uint64_t term_max,
                          struct err *err)
{
    int rv = check_u64(field, index, 0, MESSAGE_INDEX_MAX, err);
    if (rv == 0 && (index == 0) != (term == 0)) {
        rv = err_set(err, ERR_PROTOCOL, "%s: index %llu of term %llu", field,
                     (unsigned long long)index, (unsigned long long)term);
    }
    return rv != 0 ? rv : check_u64(field, term, 0, term_max, err);
}

static int check_entry(const struct raft_entry *e, uint64_t term_min, uint64_t term_max,
                       struct err *err)
{
    int rv = check_u64("entry.term", e->term, term_min, term_max, err);
    if (rv != 0) {
        return rv;
    }
    switch (e->type) {
    case RAFT_COMMAND:
        return check_u64("entry.length", e->buf.len, 1, REPLICA_ENTRY_MAX, err);
    case RAFT_BARRIER:
        return check_u64("entry.length", e->buf.len, 0, 8, err);
    case RAFT_CHANGE:
        rv = conf_check(e->buf.base, e->buf.len, err);
        return rv != 0 ? err_wrap(err, ERR_PROTOCOL, "entry") : 0;
    }
    return err_set(err, ERR_PROTOCOL, "entry.type: %d is unknown", (int)e->type);
}

static int get_entries(struct reader *r, struct raft_append_entries *m, struct err *err)
{
    uint64_t term = m->prev_log_term > 1 ? m->prev_log_term : 1;
    for (unsigned i = 0; i < m->n_entries; i++) {
        struct raft_entry *e = &m->entries[i];
        int rv;
        memset(e, 0, sizeof *e);
        e->term = take_u64(r);
        e->type = (enum raft_entry_type)take_u8(r);
        e->buf.len = take_u32(r);
        e->buf.base = (void *)(uintptr_t)take(r, e->buf.len);
        if (r->cut) {
            return err_set(err, ERR_PROTOCOL, "append: entry %u of %u is cut", i, m->n_entries);
        }
        rv = check_entry(e, term, m->term, err);
        if (rv != 0) {
            return err_wrap(err, rv, "append: entry %u", i);
        }
        term = e->term;
    }
    return 0;
}

static int get_append(struct reader *r, struct raft_entry *entries, struct raft_message *ret,
                      struct err *err)
{
    struct raft_append_entries *m = &ret->append_entries;
    int rv;
    ret->type = RAFT_APPEND_ENTRIES;
    m->term = take_u64(r);
    m->prev_log_index = take_u64(r);
    m->prev_log_term = take_u64(r);
    m->leader_commit = take_u64(r);
    m->n_entries = take_u16(r);
    m->entries = entries;
    rv = check_u64("append.term", m->term, 1, MESSAGE_INDEX_MAX, err);
    if (rv == 0) {
        rv = check_position("append.prev", m->prev_log_index, m->prev_log_term, m->term, err);
    }
    if (rv == 0) {
        rv = check_u64("append.commit", m->leader_commit, 0, MESSAGE_INDEX_MAX, err);
    }
    if (rv == 0) {
        rv = check_u64("append.n", m->n_entries, 0, REPLICA_BATCH_MAX, err);
    }
    return rv != 0 ? rv : get_entries(r, m, err);
}

static int get_append_result(struct reader *r, struct raft_message *ret, struct err *err)
{
    struct raft_append_entries_result *m = &ret->append_entries_result;
    int rv;
    ret->type = RAFT_APPEND_ENTRIES_RESULT;
    m->version = APPEND_RESULT_VERSION;
    m->features = FEATURE_CAPACITY;
    m->term = take_u64(r);
    m->rejected = take_u64(r);
    m->last_log_index = take_u64(r);
    m->capacity = take_u16(r);
    rv = check_u64("append result.term", m->term, 1, MESSAGE_INDEX_MAX, err);
    if (rv == 0) {
        rv = check_u64("append result.rejected", m->rejected, 0, MESSAGE_INDEX_MAX, err);
    }
    return rv != 0 ? rv
                   : check_u64("append result.last", m->last_log_index, 0, MESSAGE_INDEX_MAX, err);
}

static int get_vote(struct reader *r, struct raft_message *ret, struct err *err)
{
    struct raft_request_vote *m = &ret->request_vote;
    uint8_t flags;
    int rv;
    ret->type = RAFT_REQUEST_VOTE;
    m->version = VOTE_VERSION;
    m->term = take_u64(r);
    m->candidate_id = take_u64(r);
    m->last_log_index = take_u64(r);
    m->last_log_term = take_u64(r);
    flags = take_u8(r);
    m->pre_vote = (flags & 1) != 0;
    m->disrupt_leader = (flags & 2) != 0;
    rv = check_u64("vote.term", m->term, 1, MESSAGE_INDEX_MAX, err);
    if (rv == 0) {
        rv = check_u64("vote.candidate", m->candidate_id, 1, UINT64_MAX, err);
    }
    if (rv == 0) {
        rv = check_u64("vote.flags", flags, 0, 3, err);
    }
    return rv != 0 ? rv
                   : check_position("vote.last", m->last_log_index, m->last_log_term, m->term, err);
}

static int get_vote_result(struct reader *r, struct raft_message *ret, struct err *err)
{
    struct raft_request_vote_result *m = &ret->request_vote_result;
    uint8_t flags;
    int rv;
    ret->type = RAFT_REQUEST_VOTE_RESULT;
    m->version = VOTE_RESULT_VERSION;
    m->features = FEATURE_CAPACITY;
    m->term = take_u64(r);
    flags = take_u8(r);
    m->vote_granted = (flags & 1) != 0;
    m->pre_vote = (flags & 2) != 0;
    m->capacity = take_u16(r);
    rv = check_u64("vote result.term", m->term, 1, MESSAGE_INDEX_MAX, err);
    return rv != 0 ? rv : check_u64("vote result.flags", flags, 0, 3, err);
}

static int get_timeout_now(struct reader *r, struct raft_message *ret, struct err *err)
{
    struct raft_timeout_now *m = &ret->timeout_now;
    int rv;
    ret->type = RAFT_TIMEOUT_NOW;
    m->term = take_u64(r);
    m->last_log_index = take_u64(r);
    m->last_log_term = take_u64(r);
    rv = check_u64("timeout now.term", m->term, 1, MESSAGE_INDEX_MAX, err);
    return rv != 0 ? rv
                   : check_position("timeout now.last", m->last_log_index, m->last_log_term,
                                    m->term, err);
}

static int get_probe(struct reader *r, enum replica_message_kind kind, struct replica_message *m,
                     struct err *err)
{
    m->kind = kind;
    m->probe.term = take_u64(r);
    m->probe.round = take_u64(r);
    /* A reply may come from somebody who has not been in any term yet. */
    return check_u64("probe.term", m->probe.term, 0, MESSAGE_INDEX_MAX, err);
}

static int get_chunk(struct reader *r, struct message_chunk *m, struct err *err)
{
    struct replica_snapshot *s = &m->snapshot;
    int rv;
    m->term = take_u64(r);
    s->index = take_u64(r);
    s->term = take_u64(r);
    s->conf_index = take_u64(r);
    m->size = take_u64(r);
    m->offset = take_u64(r);
    s->conf_len = take_u16(r);
    s->conf = take(r, s->conf_len);
    m->n = take_u32(r);
    m->bytes = take(r, m->n);
    if (r->cut) {
        return err_set(err, ERR_PROTOCOL, "chunk is cut");
    }
    rv = check_u64("chunk.term", m->term, 1, MESSAGE_INDEX_MAX, err);
    if (rv == 0) {
        rv = check_u64("chunk.index", s->index, 1, MESSAGE_INDEX_MAX, err);
    }
    if (rv == 0) {
        rv = check_u64("chunk.index's term", s->term, 1, m->term, err);
    }
    if (rv == 0) {
        rv = check_u64("chunk.configuration", s->conf_index, 1, s->index, err);
    }
    if (rv == 0) {
        rv = check_u64("chunk.length", m->n, m->size == 0 ? 0 : 1, MESSAGE_CHUNK_MAX, err);
    }
    if (rv == 0 && (m->offset > m->size || m->n > m->size - m->offset)) {
        rv = err_set(err, ERR_PROTOCOL, "chunk: %zu bytes at %llu of %llu", m->n,
                     (unsigned long long)m->offset, (unsigned long long)m->size);
    }
    if (rv == 0 && conf_check(s->conf, s->conf_len, err) != 0) {
        rv = err_wrap(err, ERR_PROTOCOL, "chunk");
    }
    return rv;
}

static int get_chunk_ack(struct reader *r, struct message_chunk_ack *m, struct err *err)
{
    int rv;
    m->term = take_u64(r);
    m->index = take_u64(r);
    m->offset = take_u64(r);
    rv = check_u64("chunk ack.term", m->term, 1, MESSAGE_INDEX_MAX, err);
    return rv != 0 ? rv : check_u64("chunk ack.index", m->index, 1, MESSAGE_INDEX_MAX, err);
}

static int take_text(struct reader *r, const char *field, struct str *ret, struct err *err)
{
    size_t n = take_u16(r);
    const uint8_t *p = take(r, n);
    *ret = str_make((const char *)p, p == NULL ? 0 : n);
    if (n > MESSAGE_TEXT_MAX || !str_is_utf8(*ret) || str_find(*ret, '\0', 0) < ret->n) {
        return err_set(err, ERR_PROTOCOL, "%s: not a text of at most %u bytes", field,
                       MESSAGE_TEXT_MAX);
    }
    return 0;
}

static int get_hello(struct reader *r, struct message_hello *m, struct err *err)
{
    int rv;
    m->version = take_u32(r);
    m->from = take_u64(r);
    m->to = take_u64(r);
    m->level = 1;
    rv = check_u64("hello.version", m->version, 1, UINT32_MAX, err);
    if (rv != 0 || m->version == 1) {
        return rv;
    }
    m->incarnation = take_u64(r);
    rv = take_text(r, "hello.address", &m->address, err);
    if (rv == 0) {
        rv = take_text(r, "hello.software", &m->software, err);
    }
    m->level = take_u16(r);
    if (m->version > 2) {
        m->cluster_id.hi = take_u64(r);
        m->cluster_id.lo = take_u64(r);
        m->epoch = take_u64(r);
    }
    if (rv == 0 && m->version > MESSAGE_VERSION) {
        (void)take(r, r->n); /* What is not known yet. */
    }
    return rv != 0 ? rv : check_u64("hello.level", m->level, 1, UINT16_MAX, err);
}

static int get_refused(struct reader *r, struct message_refused *m, struct err *err)
{
    uint8_t reason = take_u8(r);
    int rv = check_u64("refused.reason", reason, MESSAGE_REFUSED_OTHER, MESSAGE_REFUSED_INCARNATION,
                       err);
    m->reason = (enum message_refusal)reason;
    return rv != 0 ? rv : take_text(r, "refused.text", &m->text, err);
}

static int get_code(struct reader *r, enum code code, struct raft_entry *entries,
                    struct message *ret, struct err *err)
{
    struct raft_message *raft = &ret->replica.raft;
    ret->kind = MESSAGE_REPLICA;
    switch (code) {
    case CODE_HELLO:
        ret->kind = MESSAGE_HELLO;
        return get_hello(r, &ret->hello, err);
    case CODE_REFUSED:
        ret->kind = MESSAGE_REFUSED;
        return get_refused(r, &ret->refused, err);
    case CODE_CHUNK:
        ret->kind = MESSAGE_CHUNK;
        return get_chunk(r, &ret->chunk, err);
    case CODE_CHUNK_ACK:
        ret->kind = MESSAGE_CHUNK_ACK;
        return get_chunk_ack(r, &ret->ack, err);
    case CODE_PROBE:
        return get_probe(r, REPLICA_PROBE, &ret->replica, err);
    case CODE_PROBE_REPLY:
        return get_probe(r, REPLICA_PROBE_REPLY, &ret->replica, err);
    case CODE_APPEND:
    case CODE_APPEND_RESULT:
    case CODE_VOTE:
    case CODE_VOTE_RESULT:
    case CODE_TIMEOUT_NOW:
        break;
    }
    ret->replica.kind = REPLICA_RAFT;
    return code == CODE_APPEND          ? get_append(r, entries, raft, err)
           : code == CODE_APPEND_RESULT ? get_append_result(r, raft, err)
           : code == CODE_VOTE          ? get_vote(r, raft, err)
           : code == CODE_VOTE_RESULT   ? get_vote_result(r, raft, err)
                                        : get_timeout_now(r, raft, err);
}

int message_decode(const uint8_t *body, size_t len, struct raft_entry entries[REPLICA_BATCH_MAX],
                   struct message *ret, struct err *err)
{
    struct reader r = {body, len, false};
    uint8_t code = take_u8(&r);
    struct message m;
    int rv;
    memset(&m, 0, sizeof m);
    if (code < CODE_HELLO || code > CODE_REFUSED) {
        return err_set(err, ERR_PROTOCOL, "message code %u is unknown", code);
    }
    rv = get_code(&r, (enum code)code, entries, &m, err);
    if (r.cut && !PLANTED(SHORT_TAKEN)) {
        return err_set(err, ERR_PROTOCOL, "message %u of %zu bytes is cut", code, len);
    }
    if (rv != 0) {
        return rv;
    }
    if (r.n != 0) {
        return err_set(err, ERR_PROTOCOL, "message %u: %zu bytes too many", code, r.n);
    }
    *ret = m;
    return 0;
}

int message_body_len(const uint8_t head[MESSAGE_HEAD], size_t *ret, struct err *err)
{
    uint32_t len = get_u32(head);
    if (len == 0) {
        return err_set(err, ERR_PROTOCOL, "empty message");
    }
    if (len > MESSAGE_BODY_MAX) {
        return err_set(err, ERR_TOOBIG, "message of %u bytes, limit %u", len, MESSAGE_BODY_MAX);
    }
    *ret = len;
    return 0;
}

bool message_is_append(const struct replica_message *m)
{
    return m->kind == REPLICA_RAFT && m->raft.type == RAFT_APPEND_ENTRIES;
}
