/* Linearizable reads (ReadIndex, Ongaro's dissertation, 6.4).
 *
 * A majority that is still in our term after the read was asked for cannot have elected anybody
 * else before, so nothing newer than our commit index had been acknowledged at that moment. Asking
 * for the term in a message of our own instead of counting heartbeat answers makes the order
 * certain: an answer names the round it was asked in. */
#include "common/base/buggify.h"
#include "common/base/plant.h"
#include "controller/raft/replica_impl.h"

#include <assert.h>
#include <string.h>

bool replica_is_voter(const struct replica *r, uint64_t id)
{
    const struct raft_configuration *c = &r->raft.configuration;
    for (unsigned i = 0; i < c->n; i++) {
        if (c->servers[i].id == id) {
            return c->servers[i].role == RAFT_VOTER;
        }
    }
    return false;
}

unsigned replica_voters(const struct replica *r)
{
    const struct raft_configuration *c = &r->raft.configuration;
    unsigned n = 0;
    for (unsigned i = 0; i < c->n; i++) {
        n += c->servers[i].role == RAFT_VOTER;
    }
    return n;
}

/* Tickets are never used twice, in whatever term. */
void replica_reads_reset(struct replica *r)
{
    uint64_t next = r->reads.next + 1;
    memset(&r->reads, 0, sizeof r->reads);
    r->reads.next = next;
}

static void probe_voters(struct replica *r)
{
    const struct raft_configuration *c = &r->raft.configuration;
    struct replica_message m = {.kind = REPLICA_PROBE};
    m.probe.term = r->lead_term;
    m.probe.round = r->reads.round;
    r->reads.sent_ms = r->now_ms;
    for (unsigned i = 0; i < c->n; i++) {
        if (c->servers[i].id != r->set.id && c->servers[i].role == RAFT_VOTER) {
            m.peer = c->servers[i].id;
            r->io->send(r->ctx, &m);
        }
    }
}

static void check_majority(struct replica *r)
{
    unsigned n = replica_is_voter(r, r->set.id) ? 1 : 0;
    for (unsigned i = 0; i < r->reads.n_answered; i++) {
        n += replica_is_voter(r, r->reads.answered[i]);
    }
    r->reads.confirmed = n > replica_voters(r) / 2 || PLANTED(READ_UNASKED);
}

void replica_reads_answer(struct replica *r, uint64_t peer, uint64_t term, uint64_t round)
{
    struct replica_reads *q = &r->reads;
    if (!r->ready || q->round == 0 || round != q->round || term != r->lead_term || q->confirmed) {
        return;
    }
    for (unsigned i = 0; i < q->n_answered; i++) {
        if (q->answered[i] == peer) {
            return;
        }
    }
    if (q->n_answered < REPLICA_MEMBERS_MAX) {
        q->answered[q->n_answered++] = peer;
    }
    check_majority(r);
}

static void start_round(struct replica *r)
{
    struct replica_reads *q = &r->reads;
    q->round = q->next++;
    q->wanted = false;
    q->index = raft_commit_index(&r->raft);
    q->n_answered = 0;
    check_majority(r);
    if (!q->confirmed) {
        probe_voters(r);
    }
    if (!q->confirmed && BUGGIFY(READ_AGAIN)) {
        probe_voters(r);
    }
}

void replica_reads_run(struct replica *r)
{
    struct replica_reads *q = &r->reads;
    if (!r->ready) {
        return;
    }
    if (q->round != 0 && !q->confirmed) {
        check_majority(r); /* The voter that it waits for may have been removed. */
    }
    for (;;) {
        if (q->round != 0 && q->confirmed && r->applied >= q->index) {
            uint64_t done = q->round;
            q->round = 0;
            q->confirmed = false;
            r->io->read_ready(r->ctx, done);
        }
        if (q->round != 0 || !q->wanted) {
            break;
        }
        start_round(r);
    }
    if (q->round != 0 && !q->confirmed && r->now_ms >= q->sent_ms + r->set.heartbeat_ms) {
        probe_voters(r);
    }
}
