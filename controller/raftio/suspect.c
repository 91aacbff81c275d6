#include "controller/raftio/suspect.h"

#include <inttypes.h>

/* The term a message is of. */
static uint64_t term_of_raft(const struct raft_message *m)
{
    switch (m->type) {
    case RAFT_APPEND_ENTRIES:
        return m->append_entries.term;
    case RAFT_APPEND_ENTRIES_RESULT:
        return m->append_entries_result.term;
    case RAFT_REQUEST_VOTE:
        return m->request_vote.term;
    case RAFT_REQUEST_VOTE_RESULT:
        return m->request_vote_result.term;
    case RAFT_TIMEOUT_NOW:
        return m->timeout_now.term;
    case RAFT_INSTALL_SNAPSHOT:
        break;
    }
    return 0;
}

static uint64_t term_of(const struct message *m)
{
    switch (m->kind) {
    case MESSAGE_REPLICA:
        return m->replica.kind == REPLICA_RAFT ? term_of_raft(&m->replica.raft)
                                               : m->replica.probe.term;
    case MESSAGE_CHUNK:
        return m->chunk.term;
    case MESSAGE_CHUNK_ACK:
        return m->ack.term;
    case MESSAGE_HELLO:
    case MESSAGE_REFUSED:
        break;
    }
    return 0;
}

/* A term has one leader: ourselves, or whoever spoke as one first. */
static int check_leader(struct suspect *k, uint64_t term, uint64_t from,
                        const struct replica_status *s, struct err *err)
{
    bool ours = s->state == RAFT_LEADER && s->term == term;
    if (ours || (k->term == term && k->leader != from)) {
        return err_set(err, ERR_DENIED,
                       "sends entries of term %" PRIu64 ", which controller %" PRIu64 " leads",
                       term, ours ? s->leader : k->leader);
    }
    if (term > k->term) {
        *k = (struct suspect){from, term};
    }
    return 0;
}

static int check_raft(struct suspect *k, const struct raft_message *m, uint64_t from,
                      const struct replica_status *s, struct err *err)
{
    if (m->type == RAFT_APPEND_ENTRIES) {
        return check_leader(k, m->append_entries.term, from, s, err);
    }
    if (m->type == RAFT_REQUEST_VOTE && m->request_vote.candidate_id != from) {
        return err_set(err, ERR_DENIED, "asks for votes for controller %" PRIu64,
                       (uint64_t)m->request_vote.candidate_id);
    }
    /* What the leader holds is the most there is in its term. */
    if (m->type == RAFT_APPEND_ENTRIES_RESULT && s->state == RAFT_LEADER &&
        m->append_entries_result.term == s->term && m->append_entries_result.rejected == 0 &&
        m->append_entries_result.last_log_index > s->last) {
        return err_set(err, ERR_DENIED,
                       "claims to hold entry %" PRIu64 ", the last one is %" PRIu64,
                       (uint64_t)m->append_entries_result.last_log_index, s->last);
    }
    return 0;
}

int suspect_check(struct suspect *k, const struct message *m, uint64_t from,
                  const struct replica_status *s, struct err *err)
{
    uint64_t term = term_of(m);
    if (term > s->term && term - s->term > SUSPECT_TERM_STEP_MAX) {
        return err_set(err, ERR_DENIED, "speaks of term %" PRIu64 ", ours is %" PRIu64, term,
                       s->term);
    }
    if (m->kind == MESSAGE_REPLICA && m->replica.kind == REPLICA_RAFT) {
        return check_raft(k, &m->replica.raft, from, s, err);
    }
    return 0;
}

bool suspect_chunk_is_leaders(const struct suspect *k, const struct message_chunk *c, uint64_t from,
                              const struct replica_status *s)
{
    return c->term == s->term && k->term == s->term && k->leader == from;
}
