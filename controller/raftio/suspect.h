/* controller/raftio/suspect.h
 *
 * What no honest member would say. Raft trusts its members: one that went bad can always disturb,
 * and a leader gone bad can write what it likes (docs/security.md). But a single forged message
 * must not leave damage that stays, such as a term from which no election can ever be held again.
 * Every rule here is one that an honest member cannot break, however late, doubled or reordered its
 * messages are. Pure. */
#ifndef CONTROLLER_RAFTIO_SUSPECT_H
#define CONTROLLER_RAFTIO_SUSPECT_H

#include "controller/raft/replica.h"
#include "controller/raftio/message.h"

/* How far above ours a term may be: at three elections a second, two months of them that we have
 * missed. And MESSAGE_INDEX_MAX is 2^36 such steps away. */
#define SUSPECT_TERM_STEP_MAX (UINT64_C(1) << 24)

/* Who was heard as leader last. replica_status does not say of which term its leader is. */
struct suspect {
    uint64_t leader; /* 0: nobody yet. */
    uint64_t term;
};

/* 0, or ERR_DENIED with what is wrong with a checked message of this member. Remembers who leads.
 */
int suspect_check(struct suspect *k, const struct message *m, uint64_t from,
                  const struct replica_status *s, struct err *err);

/* Does a piece of a checkpoint come from the leader of our term? Others are dropped without a word:
 * they may be late, and the leader repeats them. */
bool suspect_chunk_is_leaders(const struct suspect *k, const struct message_chunk *c, uint64_t from,
                              const struct replica_status *s);

#endif
