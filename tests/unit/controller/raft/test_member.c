/* Members that come, vote and go, over simulated disks and network (tests/sim). The random
 * scenarios are those of ecs-sim; here are the ones that libraft 0.22.1 or plain reasoning says
 * are dangerous. */
#include "controller/raft/conf.h"
#include "controller/raft/replica.h"
#include "tests/lib/test.h"
#include "tests/sim/simworld.h"

#include <string.h>

static struct simworld *open_world(unsigned voters, unsigned n)
{
    struct simworld_options o = {.seed = 11, .n = n, .voters = voters};
    o.delay_us_min = 200;
    o.delay_us_max = 2000;
    o.disk_us_max = 1000;
    o.trailing = 10;
    return simworld_open(&o);
}

static unsigned elect(struct simworld *w)
{
    int leader = simworld_elect(w, 10000);
    ck_assert_int_ge(leader, 0);
    simworld_run(w, 200);
    return (unsigned)leader;
}

static int add(struct simworld *w, unsigned leader, unsigned node)
{
    struct replica_change c = {REPLICA_ADD, simworld_id(w, node), 0, simworld_address(node), NULL};
    return simworld_change(w, leader, &c);
}

static int set_role(struct simworld *w, unsigned leader, unsigned node, int role)
{
    struct replica_change c = {REPLICA_ROLE, simworld_id(w, node), role, NULL, NULL};
    return simworld_change(w, leader, &c);
}

static int remove_id(struct simworld *w, unsigned leader, uint64_t id)
{
    struct replica_change c = {REPLICA_REMOVE, id, 0, NULL, NULL};
    return simworld_change(w, leader, &c);
}

static int remove_node(struct simworld *w, unsigned leader, unsigned node)
{
    return remove_id(w, leader, simworld_id(w, node));
}

static void propose_some(struct simworld *w, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        ck_assert_int_eq(simworld_propose(w, elect(w), 20, NULL), 0);
    }
}

/* Ask again until it is so; how operators, and their tools, do it. */
static void insist(struct simworld *w, unsigned node, int role)
{
    for (int i = 0; i < 200; i++) {
        struct membership c;
        const struct conf_server *m;
        unsigned leader = elect(w);
        ck_assert(simworld_conf(w, leader, &c));
        m = membership_find(&c, simworld_id(w, node));
        if (m != NULL && m->role == role) {
            return;
        }
        (void)set_role(w, leader, node, m != NULL && m->role == RAFT_SPARE ? RAFT_STANDBY : role);
        simworld_run(w, 50);
    }
    ck_abort_msg("member %u does not get its role: %s", node + 1, simworld_error(w, elect(w)));
}

static void grow(struct simworld *w, unsigned node)
{
    ck_assert_int_eq(add(w, elect(w), node), 0);
    simworld_run(w, 200);
    insist(w, node, RAFT_VOTER);
}

static unsigned voters_of(struct simworld *w, unsigned node)
{
    struct membership c;
    ck_assert(simworld_conf(w, node, &c));
    return membership_voters(&c);
}

static bool has(struct simworld *w, unsigned node, uint64_t id)
{
    struct membership c;
    ck_assert(simworld_conf(w, node, &c));
    ck_assert_int_eq(simworld_goes_by(w, node, id), membership_find(&c, id) != NULL);
    return membership_find(&c, id) != NULL;
}

/* --- life ------------------------------------------------------------------------------------ */

START_TEST(a_cluster_grows_to_five_and_shrinks_to_three_others)
    {
        struct simworld *w = open_world(3, 5);
        unsigned leader;
        propose_some(w, 30);
        grow(w, 3);
        grow(w, 4);
        propose_some(w, 10);
        simworld_run(w, 500);
        leader = elect(w);
        ck_assert_uint_eq(voters_of(w, leader), 5);
        ck_assert_uint_ge(simworld_status(w, 4).applied, 40);
        for (unsigned gone = 0; gone < 2; gone++) {
            if (gone == elect(w)) {
                ck_assert_int_eq(simworld_transfer(w, gone, 4), 0);
                simworld_run(w, 1000);
            }
            ck_assert_int_eq(remove_node(w, elect(w), gone), 0);
            simworld_run(w, 200);
        }
        leader = elect(w);
        ck_assert_uint_eq(voters_of(w, leader), 3);
        ck_assert_uint_ge(leader, 2);
        simworld_crash(w, leader); /* The rest goes on, without the two that were removed. */
        propose_some(w, 10);
        simworld_settle(w, 10000);
        simworld_close(w);
    }
END_TEST

/* What was trimmed reaches it as a snapshot; it waits through restarts until it is added. */
START_TEST(a_joining_controller_waits_and_gets_everything)
    {
        struct simworld *w = open_world(3, 4);
        unsigned leader = elect(w);
        propose_some(w, 40);
        simworld_run(w, 200);
        for (unsigned i = 0; i < 3; i++) {
            simworld_checkpoint(w, i);
        }
        for (int i = 0; i < 3; i++) {
            simworld_crash(w, 3);
            simworld_restart(w, 3);
            simworld_run(w, 1000);
            ck_assert_uint_eq(simworld_status(w, 3).last, 0);
            ck_assert_int_eq(simworld_status(w, 3).state, RAFT_FOLLOWER);
        }
        leader = elect(w);
        grow(w, 3);
        ck_assert_uint_eq(simworld_stats(w)->installs, 1);
        ck_assert_uint_eq(voters_of(w, leader), 4);
        simworld_crash(w, 3);
        simworld_restart(w, 3);
        simworld_settle(w, 10000);
        simworld_close(w);
    }
END_TEST

/* Everybody it knew was replaced while it was away. */
START_TEST(a_member_that_was_away_learns_of_new_members_from_them)
    {
        struct simworld *w = open_world(3, 5);
        simworld_crash(w, 2);
        grow(w, 3);
        grow(w, 4);
        for (unsigned gone = 0; gone < 2; gone++) {
            if (gone == elect(w)) {
                ck_assert_int_eq(simworld_transfer(w, gone, 4), 0);
                simworld_run(w, 1000);
            }
            ck_assert_int_eq(remove_node(w, elect(w), gone), 0);
            simworld_run(w, 500);
        }
        simworld_restart(w, 2);
        simworld_settle(w, 10000);
        ck_assert_uint_eq(voters_of(w, 2), 3);
        ck_assert(has(w, 2, 5));
        simworld_close(w);
    }
END_TEST

START_TEST(every_step_may_be_asked_for_again)
    {
        struct simworld *w = open_world(3, 5);
        unsigned leader = elect(w);
        uint64_t before;
        for (int i = 0; i < 3; i++) {
            ck_assert_int_eq(add(w, leader, 3), 0);
            simworld_run(w, 100);
        }
        for (int i = 0; i < 3; i++) {
            ck_assert_int_eq(set_role(w, leader, 3, RAFT_STANDBY), 0);
            simworld_run(w, 500);
        }
        for (int i = 0; i < 3; i++) {
            ck_assert_int_eq(set_role(w, leader, 3, RAFT_VOTER), 0);
            simworld_run(w, 100);
        }
        before = simworld_stats(w)->changes;
        ck_assert_uint_eq(before, 3);
        for (int i = 0; i < 3; i++) {
            ck_assert_int_eq(remove_node(w, leader, 3), 0);
            simworld_run(w, 100);
        }
        ck_assert_uint_eq(simworld_stats(w)->changes, before + 1);
        simworld_close(w);
    }
END_TEST

/* --- refusals -------------------------------------------------------------------------------- */

static void check_refused(struct simworld *w, unsigned leader, int rv, int code, const char *says)
{
    ck_assert_int_eq(rv, code);
    ck_assert_msg(strstr(simworld_error(w, leader), says) != NULL, "'%s' does not say '%s'",
                  simworld_error(w, leader), says);
}

START_TEST(what_makes_no_sense_is_refused_with_a_reason)
    {
        struct simworld *w = open_world(3, 5);
        unsigned leader = elect(w);
        unsigned other = (leader + 1) % 3;
        struct replica_change c = {REPLICA_ADD, 4, 0, "a:1/x:2", NULL};
        check_refused(w, leader, set_role(w, leader, 3, RAFT_VOTER), ERR_NOTFOUND, "no member 4");
        check_refused(w, leader, remove_id(w, leader, 9), ERR_NOTFOUND, "no member 9");
        check_refused(w, leader, simworld_change(w, leader, &c), ERR_EXISTS,
                      "member 1 has this address");
        c = (struct replica_change){REPLICA_ADD, 2, 0, "x:1/x:2", NULL};
        check_refused(w, leader, simworld_change(w, leader, &c), ERR_EXISTS, "member 2 exists");
        c.id = UINT64_C(1) << 32;
        check_refused(w, leader, simworld_change(w, leader, &c), ERR_INVALID, "from 4 to");
        c.id = 0;
        check_refused(w, leader, simworld_change(w, leader, &c), ERR_INVALID, "from 4 to");
        c = (struct replica_change){REPLICA_ADD, 4, 0, "", NULL};
        ck_assert_int_ne(simworld_change(w, leader, &c), 0);
        check_refused(w, leader, remove_node(w, leader, leader), ERR_INVALID, "leads");
        check_refused(w, leader, set_role(w, leader, leader, RAFT_STANDBY), ERR_INVALID, "leads");
        check_refused(w, leader, set_role(w, leader, other, RAFT_SPARE), ERR_INVALID, "no step");
        ck_assert_int_eq(remove_node(w, other, leader), ERR_NOTLEADER);
        /* One at a time. */
        ck_assert_int_eq(add(w, leader, 3), 0);
        check_refused(w, leader, add(w, leader, 4), ERR_AGAIN, "in flight");
        simworld_run(w, 200);
        check_refused(w, leader, set_role(w, leader, 3, RAFT_VOTER), ERR_INVALID, "no step");
        simworld_crash(w, 3);
        ck_assert_int_eq(set_role(w, leader, 3, RAFT_STANDBY), 0);
        simworld_run(w, 200);
        check_refused(w, leader, set_role(w, leader, 3, RAFT_VOTER), ERR_AGAIN, "does not answer");
        ck_assert_uint_eq(simworld_stats(w)->changes, 2);
        simworld_close(w);
    }
END_TEST

static bool no_entries_to_four(void *arg, unsigned from, unsigned to, const struct message *m)
{
    (void)arg;
    (void)from;
    return to != 3 || m->kind != MESSAGE_REPLICA || m->replica.kind != REPLICA_RAFT ||
           m->replica.raft.type != RAFT_APPEND_ENTRIES ||
           m->replica.raft.append_entries.n_entries == 0;
}

START_TEST(who_is_behind_does_not_vote)
    {
        struct simworld *w = open_world(3, 4);
        unsigned leader = elect(w);
        ck_assert_int_eq(add(w, leader, 3), 0);
        simworld_run(w, 100);
        ck_assert_int_eq(set_role(w, leader, 3, RAFT_STANDBY), 0);
        simworld_run(w, 500);
        for (int i = 0; i < 200; i++) {
            ck_assert_int_eq(simworld_propose(w, leader, 20, NULL), 0);
        }
        check_refused(w, leader, set_role(w, leader, 3, RAFT_VOTER), ERR_AGAIN, "entries behind");
        simworld_run(w, 1000);
        ck_assert_int_eq(set_role(w, leader, 3, RAFT_VOTER), 0);
        simworld_settle(w, 5000);
        simworld_close(w);
    }
END_TEST

START_TEST(the_last_voters_stay)
    {
        struct simworld *w = open_world(2, 2);
        unsigned leader = elect(w);
        check_refused(w, leader, set_role(w, leader, 1 - leader, RAFT_STANDBY), ERR_INVALID,
                      "one of two voters");
        ck_assert_int_eq(remove_node(w, leader, 1 - leader), 0);
        simworld_run(w, 200);
        check_refused(w, leader, remove_node(w, leader, leader), ERR_INVALID, "last voter");
        check_refused(w, leader, set_role(w, leader, leader, RAFT_STANDBY), ERR_INVALID,
                      "last voter");
        propose_some(w, 3);
        simworld_settle(w, 5000);
        simworld_close(w);
    }
END_TEST

/* Of three voters one is dead; without the other living one there would be no majority. */
START_TEST(a_change_that_would_stop_the_cluster_is_refused)
    {
        struct simworld *w = open_world(3, 3);
        unsigned leader = elect(w);
        unsigned dead = (leader + 1) % 3;
        simworld_crash(w, dead);
        simworld_run(w, 1000);
        leader = elect(w);
        check_refused(w, leader, remove_node(w, leader, 3 - leader - dead), ERR_UNAVAILABLE,
                      "only 1 of the 2 voters");
        ck_assert_int_eq(remove_node(w, leader, dead), 0);
        simworld_run(w, 200);
        ck_assert_uint_eq(voters_of(w, leader), 2);
        simworld_close(w);
    }
END_TEST

/* The id is in no log any more: the configuration remembers. */
START_TEST(an_id_is_never_used_again)
    {
        struct simworld *w = open_world(3, 4);
        unsigned leader;
        grow(w, 3);
        if (elect(w) == 3) {
            ck_assert_int_eq(simworld_transfer(w, 3, 0), 0);
            simworld_run(w, 1000);
        }
        ck_assert_int_eq(remove_node(w, elect(w), 3), 0);
        simworld_run(w, 200);
        propose_some(w, 30);
        simworld_run(w, 200);
        for (unsigned i = 0; i < 3; i++) {
            simworld_checkpoint(w, i);
            simworld_crash(w, i);
            simworld_restart(w, i);
        }
        leader = elect(w);
        ck_assert_uint_gt(simworld_status(w, leader).snapshot, 20);
        check_refused(w, leader, add(w, leader, 3), ERR_INVALID, "id 4 must be from 5");
        simworld_replace(w, 3);
        grow(w, 3);
        ck_assert(has(w, elect(w), simworld_id(w, 3)));
        simworld_settle(w, 10000);
        simworld_close(w);
    }
END_TEST

/* --- what goes wrong on the way -------------------------------------------------------------- */

START_TEST(a_change_that_was_not_committed_is_undone)
    {
        struct simworld *w = open_world(3, 4);
        unsigned old = elect(w);
        unsigned leader;
        simworld_isolate(w, old, true);
        ck_assert_int_eq(add(w, old, 3), 0);
        ck_assert(has(w, old, 4));
        simworld_run(w, 2000);
        leader = elect(w);
        ck_assert_uint_ne(leader, old);
        propose_some(w, 3);
        simworld_isolate(w, old, false);
        simworld_run(w, 1000);
        ck_assert(!has(w, old, 4));
        ck_assert_int_eq(add(w, elect(w), 3), 0); /* The id was not used. */
        simworld_settle(w, 10000);
        ck_assert(has(w, old, 4));
        simworld_close(w);
    }
END_TEST

/* A follower gets two changes at once, of which the second is cut off again: it falls back to the
 * first. libraft alone falls back behind it. */
START_TEST(a_rollback_ends_at_the_change_before)
    {
        struct simworld *w = open_world(5, 7);
        unsigned old = elect(w);
        unsigned slow = (old + 1) % 5;
        simworld_isolate(w, slow, true);
        ck_assert_int_eq(add(w, old, 5), 0);
        simworld_run(w, 100);
        for (unsigned i = 0; i < 5; i++) {
            for (unsigned k = 0; k < 5; k++) { /* These two on one side. */
                simworld_cut(w, i, k, (i == old || i == slow) != (k == old || k == slow));
            }
        }
        ck_assert_int_eq(add(w, old, 6), 0);
        simworld_run(w, 250);
        ck_assert(has(w, slow, 6));
        ck_assert(has(w, slow, 7));
        simworld_crash(w, old);
        propose_some(w, 3);
        for (unsigned i = 0; i < 5; i++) {
            simworld_isolate(w, i, false);
        }
        simworld_run(w, 1000);
        ck_assert(has(w, slow, 6));
        ck_assert(!has(w, slow, 7));
        simworld_restart(w, old);
        simworld_settle(w, 10000);
        simworld_close(w);
    }
END_TEST

/* The only voter makes a second one and falls before that one knows: its vote is needed, and
 * libraft alone would not give it. */
START_TEST(a_new_voter_that_does_not_know_it_yet_votes)
    {
        struct simworld *w = open_world(1, 4);
        ck_assert_int_eq(add(w, elect(w), 3), 0);
        simworld_run(w, 200);
        ck_assert_int_eq(set_role(w, 0, 3, RAFT_STANDBY), 0);
        simworld_run(w, 500);
        simworld_set_filter(w, no_entries_to_four, NULL);
        ck_assert_int_eq(set_role(w, 0, 3, RAFT_VOTER), 0);
        simworld_run(w, 50);
        simworld_crash(w, 0);
        simworld_run(w, 1000);
        simworld_restart(w, 0);
        ck_assert_int_eq(simworld_status(w, 3).state, RAFT_FOLLOWER);
        ck_assert_uint_eq(voters_of(w, 0), 2);
        ck_assert_uint_eq(voters_of(w, 3), 1);
        simworld_run(w, 3000);
        simworld_set_filter(w, NULL, NULL);
        ck_assert_int_eq(simworld_elect(w, 5000), 0);
        simworld_settle(w, 10000);
        ck_assert_uint_eq(voters_of(w, 3), 2);
        simworld_close(w);
    }
END_TEST

/* Its disk is slow, and what it writes becomes durable after it has given its leader up: libraft
 * would acknowledge that to member 0. */
START_TEST(a_standby_without_a_leader_answers_nobody)
    {
        struct simworld_options o = {.seed = 12, .n = 4, .voters = 1};
        struct simworld *w;
        o.delay_us_max = 1000;
        o.stall = 1000000;
        w = simworld_open(&o);
        ck_assert_int_eq(add(w, elect(w), 3), 0);
        simworld_run(w, 2000);
        ck_assert_int_eq(set_role(w, elect(w), 3, RAFT_STANDBY), 0);
        simworld_run(w, 3000);
        for (int i = 0; i < 40; i++) {
            ck_assert_int_eq(simworld_propose(w, elect(w), 20, NULL), 0);
            simworld_run(w, 2);
            simworld_crash(w, 0);
            simworld_run(w, 1000);
            ck_assert_uint_eq(simworld_status(w, 3).leader, 0);
            simworld_restart(w, 0);
            simworld_run(w, 2000);
        }
        simworld_settle(w, 10000);
        simworld_close(w);
    }
END_TEST

START_TEST(a_removed_controller_disturbs_nobody)
    {
        struct simworld *w = open_world(3, 3);
        unsigned leader = elect(w);
        unsigned gone = (leader + 1) % 3;
        uint64_t term;
        ck_assert_int_eq(remove_node(w, leader, gone), 0);
        simworld_run(w, 100);
        term = simworld_status(w, leader).term;
        simworld_run(w, 10000);
        ck_assert_uint_eq(simworld_status(w, leader).term, term);
        ck_assert_int_eq(simworld_status(w, leader).state, RAFT_LEADER);
        ck_assert(has(w, gone, simworld_id(w, gone))); /* Nobody tells it, here. */
        simworld_settle(w, 5000);
        simworld_close(w);
    }
END_TEST

START_TEST(random_changes_under_random_faults_break_nothing)
    {
        struct simworld_options o = {.seed = 3000 + (uint64_t)_i, .n = 5, .voters = 3};
        struct simworld *w;
        o.delay_us_min = 200;
        o.delay_us_max = 5000;
        o.disk_us_max = 2000;
        o.loss = 100000;
        o.dup = 20000;
        o.slow = 10000;
        o.slow_us_max = 500000;
        o.write_fault = 1000;
        o.crash_ms = 1500;
        o.down_ms = 500;
        o.cut_ms = 1500;
        o.client_ms = 5;
        o.read_ms = 10;
        o.transfer_ms = 2000;
        o.checkpoint_ms = 500;
        o.trailing = 30;
        o.member_ms = 150;
        w = simworld_open(&o);
        simworld_run(w, 8000);
        simworld_settle(w, 30000);
        ck_assert_uint_gt(simworld_stats(w)->acked, 20);
        ck_assert_uint_gt(simworld_stats(w)->changes, 2);
        simworld_close(w);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("member");
    TCase *loops = tcase_create("loops");
    TEST_CASE(s, "life", 60, a_cluster_grows_to_five_and_shrinks_to_three_others,
              a_joining_controller_waits_and_gets_everything,
              a_member_that_was_away_learns_of_new_members_from_them,
              every_step_may_be_asked_for_again);
    TEST_CASE(s, "refusals", 60, what_makes_no_sense_is_refused_with_a_reason,
              who_is_behind_does_not_vote, the_last_voters_stay,
              a_change_that_would_stop_the_cluster_is_refused, an_id_is_never_used_again);
    TEST_CASE(s, "trouble", 60, a_change_that_was_not_committed_is_undone,
              a_rollback_ends_at_the_change_before, a_new_voter_that_does_not_know_it_yet_votes,
              a_standby_without_a_leader_answers_nobody, a_removed_controller_disturbs_nobody);
    tcase_set_timeout(loops, 120);
    tcase_add_loop_test(loops, random_changes_under_random_faults_break_nothing, 0, 20);
    suite_add_tcase(s, loops);
    return test_run(s);
}
