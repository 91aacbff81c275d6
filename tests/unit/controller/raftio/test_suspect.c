/* What an honest member may say, however late, and what none would. */
#include "controller/raftio/suspect.h"
#include "tests/lib/test.h"

#include <string.h>

static const struct replica_status follower = {
    .state = RAFT_FOLLOWER, .term = 9, .leader = 2, .last = 100};
static const struct replica_status leader = {
    .state = RAFT_LEADER, .term = 9, .leader = 1, .last = 100};
/* Controller 2 was heard as the leader of term 9. */
static struct suspect heard = {.leader = 2, .term = 9};
static struct suspect nobody;
static const struct replica_status lost = {.state = RAFT_CANDIDATE, .term = 9, .last = 100};

static struct message raft(const struct raft_message *m)
{
    struct message message = {.kind = MESSAGE_REPLICA};
    message.replica.kind = REPLICA_RAFT;
    message.replica.raft = *m;
    return message;
}

static int judge(const struct raft_message *m, uint64_t from, const struct replica_status *s)
{
    struct suspect k = s->leader == 2 ? heard : nobody;
    struct message message = raft(m);
    struct err err = {0};
    int rv = suspect_check(&k, &message, from, s, &err);
    ck_assert(rv == 0 || (rv == ERR_DENIED && err.text[0] != '\0'));
    return rv;
}

START_TEST(a_term_out_of_reach_is_refused_whatever_speaks_of_it)
    {
        static const uint64_t far[] = {10 + SUSPECT_TERM_STEP_MAX, MESSAGE_INDEX_MAX};
        for (unsigned i = 0; i < 2; i++) {
            struct message m = {.kind = MESSAGE_CHUNK, .chunk = {.term = far[i]}};
            ck_assert_int_eq(suspect_check(&heard, &m, 2, &follower, NULL), ERR_DENIED);
            m = (struct message){.kind = MESSAGE_CHUNK_ACK, .ack = {.term = far[i]}};
            ck_assert_int_eq(suspect_check(&heard, &m, 2, &follower, NULL), ERR_DENIED);
            m = (struct message){.kind = MESSAGE_REPLICA};
            m.replica.kind = REPLICA_PROBE_REPLY;
            m.replica.probe.term = far[i];
            ck_assert_int_eq(suspect_check(&heard, &m, 2, &follower, NULL), ERR_DENIED);
            for (int type = RAFT_APPEND_ENTRIES; type <= RAFT_TIMEOUT_NOW; type++) {
                struct raft_message r = {.type = (unsigned short)type};
                if (type == RAFT_INSTALL_SNAPSHOT) {
                    continue;
                }
                r.append_entries.term = far[i]; /* The term comes first in some, */
                if (type == RAFT_APPEND_ENTRIES_RESULT) {
                    r.append_entries_result.term = far[i];
                } else if (type == RAFT_REQUEST_VOTE) {
                    r.request_vote.term = far[i]; /* second in others. */
                    r.request_vote.candidate_id = 2;
                } else if (type == RAFT_REQUEST_VOTE_RESULT) {
                    r.request_vote_result.term = far[i];
                } else if (type == RAFT_TIMEOUT_NOW) {
                    r.timeout_now.term = far[i];
                }
                ck_assert_int_eq(judge(&r, 2, &follower), ERR_DENIED);
            }
        }
    }
END_TEST

START_TEST(a_term_within_reach_and_any_old_one_is_heard)
    {
        static const uint64_t terms[] = {1, 8, 9, 10, 9 + SUSPECT_TERM_STEP_MAX};
        for (unsigned i = 0; i < 5; i++) {
            struct raft_message m = {.type = RAFT_REQUEST_VOTE};
            m.request_vote.term = terms[i];
            m.request_vote.candidate_id = 3;
            ck_assert_int_eq(judge(&m, 3, &follower), 0);
            ck_assert_int_eq(judge(&m, 3, &leader), 0);
        }
    }
END_TEST

START_TEST(a_candidate_speaks_for_itself)
    {
        struct raft_message m = {.type = RAFT_REQUEST_VOTE};
        m.request_vote.term = 9;
        m.request_vote.candidate_id = 2;
        ck_assert_int_eq(judge(&m, 2, &follower), 0);
        ck_assert_int_eq(judge(&m, 3, &follower), ERR_DENIED);
    }
END_TEST

START_TEST(a_term_has_one_leader)
    {
        struct raft_message m = {.type = RAFT_APPEND_ENTRIES, .append_entries = {.term = 9}};
        ck_assert_int_eq(judge(&m, 2, &follower), 0);
        ck_assert_int_eq(judge(&m, 3, &follower), ERR_DENIED);
        ck_assert_int_eq(judge(&m, 3, &leader), ERR_DENIED);
        ck_assert_int_eq(judge(&m, 3, &lost), 0); /* We do not know better. */
        m.append_entries.term = 8;                /* The leader of an earlier term, late. */
        ck_assert_int_eq(judge(&m, 3, &follower), 0);
    }
END_TEST

/* replica_status goes on naming the old leader when a new term has begun. */
START_TEST(the_leader_of_the_next_term_is_heard)
    {
        struct replica_status next = {.state = RAFT_FOLLOWER, .term = 10, .leader = 2};
        struct suspect k = heard;
        struct message m = {.kind = MESSAGE_REPLICA};
        m.replica.kind = REPLICA_RAFT;
        m.replica.raft.type = RAFT_APPEND_ENTRIES;
        m.replica.raft.append_entries.term = 10;
        ck_assert_int_eq(suspect_check(&k, &m, 3, &next, NULL), 0);
        ck_assert_uint_eq(k.leader, 3);
        ck_assert_int_eq(suspect_check(&k, &m, 2, &next, NULL), ERR_DENIED);
        m.replica.raft.append_entries.term = 9; /* Late. */
        ck_assert_int_eq(suspect_check(&k, &m, 2, &next, NULL), 0);
        ck_assert_uint_eq(k.leader, 3);
    }
END_TEST

START_TEST(nobody_holds_more_than_the_leader_has)
    {
        struct raft_message m = {.type = RAFT_APPEND_ENTRIES_RESULT};
        m.append_entries_result.term = 9;
        m.append_entries_result.last_log_index = 100;
        ck_assert_int_eq(judge(&m, 2, &leader), 0);
        m.append_entries_result.last_log_index = 101;
        ck_assert_int_eq(judge(&m, 2, &leader), ERR_DENIED);
        ck_assert_int_eq(judge(&m, 2, &follower), 0);
        m.append_entries_result.rejected = 50; /* A longer log of an old term. */
        ck_assert_int_eq(judge(&m, 2, &leader), 0);
    }
END_TEST

START_TEST(checkpoints_come_from_the_leader)
    {
        struct message_chunk c = {.term = 9};
        ck_assert(suspect_chunk_is_leaders(&heard, &c, 2, &follower));
        ck_assert(!suspect_chunk_is_leaders(&heard, &c, 3, &follower));
        ck_assert(!suspect_chunk_is_leaders(&nobody, &c, 2, &lost));
        c.term = 8;
        ck_assert(!suspect_chunk_is_leaders(&heard, &c, 2, &follower));
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("suspect");
    TEST_CASE(s, "suspect", 30, a_term_out_of_reach_is_refused_whatever_speaks_of_it,
              a_term_within_reach_and_any_old_one_is_heard, a_candidate_speaks_for_itself,
              a_term_has_one_leader, the_leader_of_the_next_term_is_heard,
              nobody_holds_more_than_the_leader_has, checkpoints_come_from_the_leader);
    return test_run(s);
}
