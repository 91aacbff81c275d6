/* From update to deeds.
 *
 * Who owns what in libraft 0.22.1, found in its sources and confirmed under ASan:
 * - RAFT_SUBMIT and RAFT_START borrow the array of entries; RAFT_SUBMIT needs a batch pointer.
 * - A received AppendEntries: the array stays ours; the batch of its first entry is freed by
 *   libraft, unless the update carries RAFT_UPDATE_ENTRIES: then it is ours to free. A barrier that
 *   libraft adds on its own arrives in the same way.
 * - RAFT_CONFIGURATION, RAFT_SNAPSHOT and RAFT_PERSISTED_SNAPSHOT take over the configuration in
 *   them; a received InstallSnapshot does as well, and hands it back in its update.
 * So entries go in with a batch of a few bytes and payloads that are only borrowed, and what comes
 * out is copied into the cache.
 *
 * Known gaps of 0.22.1 that are closed here: answers to messages of an older term carry an
 * uninitialised last_log_index; a refused pre-vote repeats the candidate's term, so that a
 * candidate which is behind never learns of a newer one (after a restart two voters can then
 * refuse each other for ever); a voter that has not answered within one heartbeat, although others
 * have, is sent everything again with each heartbeat, which under load is the end of the leader. */
#include "common/base/buggify.h"
#include "common/base/plant.h"
#include "controller/raft/conf.h"
#include "controller/raft/replica_impl.h"

#include <assert.h>
#include <string.h>

/* Entries applied in one input, so that a long replay does not starve the heartbeats. */
#define APPLY_MAX 4096u

/* Bytes of entries in a message from which on it is not lightly repeated. */
#define LONG_MESSAGE 65536u

/* --- messages -------------------------------------------------------------------------------- */

static bool is_long(const struct replica *r, uint64_t first, uint64_t end)
{
    size_t bytes = 0;
    for (uint64_t i = first; i < end && bytes < LONG_MESSAGE; i++) {
        bytes += cache_get(&r->cache, i)->len;
    }
    return bytes >= LONG_MESSAGE;
}

/* Entries before this index are on their way already: a long message is repeated when it was
 * refused, or when an election timeout went by without an answer. */
static uint64_t skip_sent(struct replica *r, uint64_t id, uint64_t first, uint64_t end)
{
    struct replica_peer *peer = replica_peer(r, id);
    if (peer == NULL || first == end) {
        return first;
    }
    if (peer->sent >= first && r->now_ms - peer->sent_ms < r->set.election_ms &&
        is_long(r, first, peer->sent < end ? peer->sent + 1 : end)) {
        first = peer->sent < end ? peer->sent + 1 : end;
    }
    if (first < end && is_long(r, first, end)) {
        peer->sent = end - 1;
        peer->sent_ms = r->now_ms;
    }
    return first;
}

/* AppendEntries come without entries: fill them in, cutting what is too large. Every part is a
 * complete message of its own, anchored to the entry before it. */
void replica_send_append(struct replica *r, uint64_t peer, const struct raft_append_entries *args)
{
    struct raft_append_entries from = *args;
    struct raft_entry entries[REPLICA_BATCH_MAX];
    uint64_t first;
    uint64_t end;
    uint64_t next;
    uint64_t prev_term;
    replica_repair_append(r, peer, &from);
    first = from.prev_log_index + 1;
    end = first + from.n_entries;
    next = skip_sent(r, peer, first, end);
    prev_term = from.prev_log_term;
    if (next == end) {
        next = first; /* Nothing new: a heartbeat. */
        end = first;
    } else if (next > first) {
        prev_term = cache_get(&r->cache, next - 1)->term;
    }
    do {
        struct replica_message m = {.peer = peer, .kind = REPLICA_RAFT};
        struct raft_append_entries *to = &m.raft.append_entries;
        size_t bytes = 0;
        unsigned n = 0;
        m.raft.type = RAFT_APPEND_ENTRIES;
        m.raft.server_id = peer;
        to->term = from.term;
        to->prev_log_index = next - 1;
        to->prev_log_term = prev_term;
        to->leader_commit = from.leader_commit;
        to->entries = entries;
        while (next < end && n < REPLICA_BATCH_MAX) {
            const struct cache_entry *e = cache_get(&r->cache, next);
            assert(e != NULL);
            if (n > 0 && (bytes + e->len > r->set.message_bytes_max || BUGGIFY(APPEND_ONE))) {
                break;
            }
            entries[n] = (struct raft_entry){.term = PLANTED(ENTRY_TERM) ? from.term : e->term,
                                             .type = e->type,
                                             .buf = {e->bytes, e->len}};
            bytes += e->len;
            prev_term = e->term;
            next++;
            n++;
        }
        to->n_entries = n;
        r->io->send(r->ctx, &m);
    } while (next < end);
}

/* Copies field by field: the parts of the union that libraft did not set stay zero. */
static void send_raft(struct replica *r, const struct raft_message *from)
{
    struct replica_message m = {.peer = from->server_id, .kind = REPLICA_RAFT};
    m.raft.type = from->type;
    m.raft.server_id = from->server_id;
    switch (from->type) {
    case RAFT_APPEND_ENTRIES:
        replica_send_append(r, from->server_id, &from->append_entries);
        return;
    case RAFT_INSTALL_SNAPSHOT:
        r->io->snapshot_send(r->ctx, from->server_id, from->install_snapshot.last_index);
        return;
    case RAFT_APPEND_ENTRIES_RESULT:
        m.raft.append_entries_result = from->append_entries_result;
        if (r->answering_stale) {
            m.raft.append_entries_result.last_log_index = 0;
        }
        break;
    case RAFT_REQUEST_VOTE:
        m.raft.request_vote = from->request_vote;
        break;
    case RAFT_REQUEST_VOTE_RESULT:
        m.raft.request_vote_result = from->request_vote_result;
        if (m.raft.request_vote_result.pre_vote && !m.raft.request_vote_result.vote_granted &&
            raft_current_term(&r->raft) > r->asked_term) {
            m.raft.request_vote_result.term = raft_current_term(&r->raft);
        }
        break;
    case RAFT_TIMEOUT_NOW:
        m.raft.timeout_now = from->timeout_now;
        break;
    }
    r->io->send(r->ctx, &m);
}

/* --- one update ------------------------------------------------------------------------------ */

static void note_state(struct replica *r)
{
    bool leader = raft_state(&r->raft) == RAFT_LEADER;
    uint64_t term = raft_current_term(&r->raft);
    if (r->leading && (!leader || term != r->lead_term)) {
        r->leading = false;
        r->ready = false;
        replica_reads_reset(r);
        r->io->lost(r->ctx, r->lead_term);
    }
    if (leader && !r->leading) {
        r->leading = true;
        r->lead_term = term;
        r->barrier = 0;
        r->n_peers = 0;
    }
}

static void take_entries(struct replica *r, uint64_t index, struct raft_entry *batch, unsigned n)
{
    struct replica_entry out[REPLICA_BATCH_MAX];
    void *owned = batch[0].batch;
    assert(n > 0);
    assert(n <= REPLICA_BATCH_MAX);
    assert(index >= r->cache.first);
    assert(index <= cache_last(&r->cache) + 1);
    cache_truncate(&r->cache, index);
    replica_conf_cut(r, index);
    if (r->durable >= index) {
        assert(r->applied < index);
        r->durable = index - 1;
    }
    r->ticket++;
    for (unsigned i = 0; i < n; i++) {
        const struct raft_entry *e = &batch[i];
        const struct cache_entry *kept;
        cache_append(&r->cache, e->term, e->type, e->buf.base, e->buf.len, r->ticket);
        kept = cache_get(&r->cache, index + i);
        out[i] = (struct replica_entry){kept->term, kept->type, kept->bytes, kept->len};
        if (e->type == RAFT_CHANGE) {
            replica_conf_add(r, index + i, kept->bytes, kept->len);
        }
    }
    if (r->leading && r->barrier == 0) {
        assert(batch[0].term == r->lead_term);
        r->barrier = index;
    }
    r->io->append(r->ctx, index, out, n, r->ticket);
    raft_free(owned);
}

static int take_snapshot(struct replica *r, struct raft_snapshot_metadata *metadata,
                         struct err *err)
{
    struct replica_snapshot s = {metadata->index, metadata->term, metadata->configuration_index,
                                 NULL, 0};
    struct raft_buffer conf;
    if (raft_configuration_encode(&metadata->configuration, &conf) != 0) {
        return err_set(err, ERR_NOMEM, "configuration of a snapshot");
    }
    s.conf = conf.base;
    s.conf_len = conf.len;
    r->installing = true;
    r->install = *metadata;
    cache_reset(&r->cache, metadata->index + 1);
    r->io->snapshot_install(r->ctx, &s);
    raft_free(conf.base);
    return 0;
}

int replica_step(struct replica *r, struct raft_event *event, struct err *err)
{
    struct raft_update u;
    int rv;
    memset(&u, 0, sizeof u);
    event->time = r->now_ms;
    event->capacity = r->capacity;
    rv = raft_step(&r->raft, event, &u);
    if (rv != 0) {
        return err_set(err, rv == RAFT_NOMEM ? ERR_NOMEM : ERR_INTERNAL, "raft event %d: %s",
                       (int)event->type, raft_strerror(rv));
    }
    if ((u.flags & (RAFT_UPDATE_CURRENT_TERM | RAFT_UPDATE_VOTED_FOR)) != 0) {
        r->io->save_vote(r->ctx, raft_current_term(&r->raft), raft_voted_for(&r->raft));
    }
    note_state(r);
    if ((u.flags & RAFT_UPDATE_ENTRIES) != 0) {
        take_entries(r, u.entries.index, u.entries.batch, u.entries.n);
    }
    if ((u.flags & RAFT_UPDATE_SNAPSHOT) != 0) {
        rv = take_snapshot(r, &u.snapshot.metadata, err);
        if (rv != 0) {
            return rv;
        }
    }
    if ((u.flags & RAFT_UPDATE_MESSAGES) != 0) {
        for (unsigned i = 0; i < u.messages.n; i++) {
            send_raft(r, &u.messages.batch[i]);
        }
    }
    return replica_conf_sync(r, err);
}

/* --- what follows ---------------------------------------------------------------------------- */

/* Only what is durable here is applied: else a checkpoint could be ahead of the log under it. */
static uint64_t apply_target(const struct replica *r)
{
    uint64_t commit = raft_commit_index(&r->raft);
    if (r->installing) {
        return r->applied;
    }
    if (PLANTED(APPLY_EARLY)) {
        return commit < cache_last(&r->cache) ? commit : cache_last(&r->cache);
    }
    return commit < r->durable ? commit : r->durable;
}

bool replica_has_backlog(const struct replica *r)
{
    return apply_target(r) > r->applied;
}

static int apply_next(struct replica *r, struct err *err)
{
    const struct cache_entry *e = cache_get(&r->cache, r->applied + 1);
    struct replica_entry out;
    struct raft_event event = {.type = RAFT_CONFIGURATION};
    int rv;
    assert(e != NULL);
    out = (struct replica_entry){e->term, e->type, e->bytes, e->len};
    r->applied++;
    r->io->apply(r->ctx, r->applied, &out);
    if (out.type != RAFT_CHANGE) {
        return 0;
    }
    event.configuration.index = r->applied;
    rv = conf_decode(out.bytes, out.len, &event.configuration.conf, err);
    return rv != 0 ? rv : replica_step(r, &event, err);
}

/* libraft adds a barrier by itself only when it has uncommitted entries; we want one always, so
 * that "ready" means the same thing in every term. */
static int submit_barrier(struct replica *r, struct err *err)
{
    static const uint8_t zeros[8];
    struct raft_entry entry = {.term = r->lead_term, .type = RAFT_BARRIER};
    struct raft_event event = {.type = RAFT_SUBMIT};
    entry.buf.base = (void *)(uintptr_t)zeros;
    entry.buf.len = sizeof zeros;
    entry.batch = raft_malloc(8);
    if (entry.batch == NULL) {
        return err_set(err, ERR_NOMEM, "barrier");
    }
    event.submit.entries = &entry;
    event.submit.n = 1;
    return replica_step(r, &event, err);
}

static int settle(struct replica *r, struct err *err)
{
    int rv = 0;
    if (PLANTED(EARLY_ACK) && !r->installing && r->durable < cache_last(&r->cache)) {
        struct raft_event event = {.type = RAFT_PERSISTED_ENTRIES};
        r->durable = cache_last(&r->cache);
        event.persisted_entries.index = r->durable;
        rv = replica_step(r, &event, err);
    }
    for (unsigned n = 0; rv == 0 && n < APPLY_MAX && replica_has_backlog(r); n++) {
        rv = apply_next(r, err);
        if (BUGGIFY(APPLY_ONE)) {
            break;
        }
    }
    if (rv == 0 && r->leading && r->barrier == 0) {
        rv = submit_barrier(r, err);
    }
    if (rv != 0) {
        return rv;
    }
    if (r->leading && !r->ready && (r->applied >= r->barrier || PLANTED(NO_BARRIER))) {
        r->ready = true;
    }
    replica_reads_run(r);
    return 0;
}

void replica_enter(struct replica *r, uint64_t now_ms)
{
    assert(!r->busy);
    r->busy = true;
    if (now_ms > r->now_ms) {
        r->now_ms = now_ms;
    }
}

int replica_leave(struct replica *r, int rv, struct err *err)
{
    struct replica_status now;
    if (rv == 0) {
        rv = settle(r, err);
    }
    now = replica_status(r);
    if (rv == 0 && (now.state != r->told.state || now.term != r->told.term ||
                    now.leader != r->told.leader || now.ready != r->told.ready)) {
        r->told = now;
        r->io->changed(r->ctx, &now);
    }
    if (rv == 0) {
        replica_conf_tell(r);
    }
    r->busy = false;
    return rv;
}
