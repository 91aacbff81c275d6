/* A peer that has lost what it had confirmed.
 *
 * Raft counts on it that what a server confirmed stays on its disk, and libraft builds on that:
 * what a peer acknowledged in this term (match) is never offered again, and a refusal below it is
 * taken for one that was overtaken. A disk that lost the end of a log after all, without anybody
 * noticing at start, would leave that peer behind until the term ends. So the leader believes the
 * peer: it remembers what is left there (kept) and sends what follows, in messages of its own
 * making, until the peer has again what it had confirmed. libraft sees harmless answers meanwhile.
 *
 * A refusal that really was overtaken costs a few entries sent twice.
 *
 * Ruled out: ending the term, after which everything is found out anew. The peer may then help to
 * elect a controller that lacks the entries that were lost, although they are committed; as long as
 * this leader leads, they are brought back. */
#include "common/base/plant.h"
#include "controller/raft/replica_impl.h"

/* Does this answer contradict what the peer has confirmed in this term? */
static bool contradicts(const struct raft_append_entries_result *result, uint64_t match)
{
    return result->rejected > 0 && (result->rejected <= match || result->last_log_index < match);
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void send_next(struct replica *r, uint64_t id)
{
    struct raft_append_entries args = {.term = r->lead_term,
                                       .leader_commit = raft_commit_index(&r->raft)};
    replica_send_append(r, id, &args);
}

static void note_lost(struct replica *r, struct replica_peer *peer, uint64_t match,
                      const struct raft_append_entries_result *result)
{
    uint64_t kept = smaller(smaller(result->last_log_index, result->rejected - 1), match - 1);
    if (!peer->lost) {
        r->io->peer_lost_entries(r->ctx, peer->id, match, kept);
        peer->offered_ms = 0;
        peer->resent = 0;
    }
    peer->lost = true;
    peer->kept = kept;
    peer->sent = 0;
}

/* An answer that is no contradiction. Returns whether libraft may have it as it is. */
static bool note_kept(struct replica_peer *peer, uint64_t match,
                      const struct raft_append_entries_result *result)
{
    if (!peer->lost || result->rejected > 0) {
        return !peer->lost;
    }
    peer->kept = result->last_log_index > peer->kept ? result->last_log_index : peer->kept;
    peer->lost = peer->kept < match;
    return !peer->lost;
}

void replica_repair_answer(struct replica *r, uint64_t id,
                           struct raft_append_entries_result *result)
{
    struct replica_peer *peer;
    raft_index match;
    uint64_t before;
    bool known;
    if (!r->leading || result->term != r->lead_term ||
        raft_match_index(&r->raft, id, &match) != 0 || (peer = replica_peer(r, id)) == NULL) {
        return;
    }
    known = peer->lost;
    before = peer->kept;
    if (contradicts(result, match)) {
        if (!PLANTED(LOSS_IGNORED)) {
            note_lost(r, peer, match, result);
        }
    } else if (note_kept(peer, match, result)) {
        return;
    }
    result->rejected = 0; /* To libraft: heard, and nothing new. */
    result->last_log_index = 0;
    if (peer->lost && (!known || (peer->kept > before && peer->kept >= peer->resent))) {
        send_next(r, id);
    }
}

/* The log does not go back so far: as libraft does it, a checkpoint now and then, and heartbeats
 * that begin behind it. */
static void offer_snapshot(struct replica *r, struct replica_peer *peer,
                           struct raft_append_entries *args)
{
    if (peer->offered_ms == 0 || r->now_ms - peer->offered_ms >= r->set.snapshot_ms) {
        peer->offered_ms = r->now_ms;
        r->io->snapshot_send(r->ctx, peer->id, r->snapshot_index);
    }
    args->prev_log_index = r->snapshot_index;
    args->prev_log_term = r->snapshot_term;
    args->n_entries = 0;
}

void replica_repair_append(struct replica *r, uint64_t id, struct raft_append_entries *args)
{
    struct replica_peer *peer = replica_peer(r, id);
    uint64_t left;
    bool on_its_way;
    if (peer == NULL || !peer->lost) {
        return;
    }
    args->prev_log_index = peer->kept;
    args->prev_log_term = replica_term_of(r, peer->kept);
    if (peer->kept + 1 < r->cache.first || (peer->kept > 0 && args->prev_log_term == 0)) {
        offer_snapshot(r, peer, args);
        return;
    }
    on_its_way = peer->resent > peer->kept && r->now_ms - peer->resent_ms < r->set.heartbeat_ms;
    left = cache_last(&r->cache) - peer->kept;
    args->n_entries = on_its_way ? 0 : (unsigned)smaller(left, REPLICA_BATCH_MAX);
    if (!on_its_way) {
        peer->resent = peer->kept + args->n_entries;
        peer->resent_ms = r->now_ms;
    }
}

bool replica_repair_needed(const struct replica *r, uint64_t id)
{
    for (unsigned i = 0; i < r->n_peers; i++) {
        if (r->peers[i].id == id) {
            return r->peers[i].lost;
        }
    }
    return false;
}
