/* A controller whose disk loses what it had confirmed, without its noticing at start: it gets it
 * back, and helps nobody to forget it. Over simulated disks and network (tests/sim). */
#include "tests/lib/test.h"
#include "tests/sim/simworld.h"

enum { SEEDS = 20 };

static struct simworld *open_world(unsigned n, uint64_t seed)
{
    struct simworld_options o = {.seed = seed, .n = n, .delay_us_min = 200, .delay_us_max = 2000};
    o.disk_us_max = 1000;
    return simworld_open(&o);
}

static unsigned elect(struct simworld *w)
{
    int leader = simworld_elect(w, 10000);
    ck_assert_int_ge(leader, 0);
    return (unsigned)leader;
}

/* So many entries, each on the disks of all who can be reached. */
static uint64_t propose(struct simworld *w, unsigned leader, unsigned n)
{
    uint64_t index = 0;
    for (unsigned i = 0; i < n; i++) {
        ck_assert_int_eq(simworld_propose(w, leader, 20, &index), 0);
        simworld_run(w, 30);
    }
    return index;
}

/* The last record that nothing vouches for; what the watermark has of the rest is chance. */
static uint64_t crash_and_lose(struct simworld *w, unsigned leader, unsigned node)
{
    uint64_t lost;
    do {
        if (!simworld_is_up(w, node)) {
            simworld_restart(w, node);
            simworld_run(w, 200);
        }
        (void)propose(w, leader, 1);
        simworld_crash(w, node);
        lost = simworld_lose_tail(w, node);
    } while (lost == 0);
    return lost;
}

static bool has_all(struct simworld *w, unsigned leader, unsigned node)
{
    return simworld_is_up(w, node) &&
           simworld_status(w, node).applied == simworld_status(w, leader).applied;
}

static void wait_for_all(struct simworld *w, unsigned leader, unsigned node)
{
    for (unsigned i = 0; i < 100 && !has_all(w, leader, node); i++) {
        simworld_run(w, 10);
    }
    ck_assert(has_all(w, leader, node));
}

/* Nothing new has to be written for that, and the leader stays the leader. */
START_TEST(a_follower_that_lost_entries_gets_them_back_in_the_same_term)
    {
        struct simworld *w = open_world(3, 1 + (uint64_t)_i);
        unsigned leader = elect(w);
        unsigned victim = (leader + 1) % 3;
        uint64_t lost = crash_and_lose(w, leader, victim);
        uint64_t term = simworld_status(w, leader).term;
        simworld_restart(w, victim);
        ck_assert_uint_lt(simworld_status(w, victim).last, lost);
        wait_for_all(w, leader, victim);
        ck_assert_uint_ge(simworld_stats(w)->repaired, 1);
        ck_assert_uint_eq(simworld_status(w, leader).term, term);
        ck_assert_int_eq(simworld_status(w, leader).state, RAFT_LEADER);
        simworld_settle(w, 5000);
        simworld_close(w);
    }
END_TEST

/* The third one is away: the leader has nobody but the one that lost entries, and must hear it. */
START_TEST(a_leader_with_only_that_follower_goes_on)
    {
        struct simworld *w = open_world(3, 100 + (uint64_t)_i);
        unsigned leader = elect(w);
        unsigned victim = (leader + 1) % 3;
        unsigned away = (leader + 2) % 3;
        uint64_t acked;
        (void)propose(w, leader, 5);
        (void)crash_and_lose(w, leader, victim);
        simworld_restart(w, victim);
        simworld_isolate(w, away, true);
        acked = simworld_stats(w)->acked;
        simworld_run(w, 1000);
        ck_assert_int_eq(simworld_status(w, leader).state, RAFT_LEADER);
        (void)propose(w, leader, 10);
        ck_assert_uint_ge(simworld_stats(w)->acked, acked + 10);
        simworld_settle(w, 5000);
        simworld_close(w);
    }
END_TEST

/* What it lacks was trimmed from the leader's log meanwhile. */
START_TEST(lost_entries_that_were_trimmed_come_as_a_checkpoint)
    {
        struct simworld *w = open_world(3, 200 + (uint64_t)_i);
        unsigned leader = elect(w);
        unsigned victim = (leader + 1) % 3;
        (void)propose(w, leader, 20);
        (void)crash_and_lose(w, leader, victim);
        (void)propose(w, leader, 5);
        simworld_checkpoint(w, leader); /* With no trailing entries. */
        simworld_run(w, 100);
        simworld_restart(w, victim);
        wait_for_all(w, leader, victim);
        ck_assert_uint_ge(simworld_stats(w)->installs, 1);
        simworld_settle(w, 5000);
        simworld_close(w);
    }
END_TEST

static bool no_entries(void *arg, unsigned from, unsigned to, const struct message *m)
{
    (void)from;
    return to != *(unsigned *)arg || m->kind != MESSAGE_REPLICA ||
           m->replica.kind != REPLICA_RAFT || m->replica.raft.type != RAFT_APPEND_ENTRIES ||
           m->replica.raft.append_entries.n_entries == 0;
}

/* Leadership is not handed to one that lacks what is committed, by name or by choice. */
START_TEST(leadership_is_not_handed_to_a_follower_that_lost_entries)
    {
        struct simworld *w = open_world(3, 300 + (uint64_t)_i);
        unsigned leader = elect(w);
        unsigned victim = (leader + 1) % 3;
        (void)crash_and_lose(w, leader, victim);
        simworld_set_filter(w, no_entries, &victim);
        simworld_restart(w, victim);
        simworld_run(w, 200);
        ck_assert_uint_ge(simworld_stats(w)->repaired, 1);
        ck_assert_int_eq(simworld_transfer(w, leader, victim), ERR_AGAIN);
        ck_assert_int_eq(simworld_transfer(w, leader, SIMWORLD_NODES_MAX), 0);
        simworld_run(w, 1000);
        ck_assert_int_eq(simworld_status(w, (leader + 2) % 3).state, RAFT_LEADER);
        simworld_settle(w, 5000);
        simworld_close(w);
    }
END_TEST

/* Answers that overtake each other look like a loss now and then: nothing comes of it. */
START_TEST(late_answers_harm_nobody)
    {
        struct simworld_options o = {.seed = 400 + (uint64_t)_i,
                                     .n = 3,
                                     .delay_us_min = 200,
                                     .delay_us_max = 60000,
                                     .slow = 200000,
                                     .slow_us_max = 400000,
                                     .dup = 200000,
                                     .loss = 100000,
                                     .client_ms = 10,
                                     .disk_us_max = 3000};
        struct simworld *w = simworld_open(&o);
        simworld_run(w, 20000);
        simworld_settle(w, 20000);
        ck_assert_uint_gt(simworld_stats(w)->acked, 100);
        simworld_close(w);
    }
END_TEST

/* What the real transport promises: a peer's answers come in the order in which it gave them. Then
 * only a loss looks like one. */
START_TEST(in_order_nobody_is_suspected)
    {
        struct simworld_options o = {.seed = 500 + (uint64_t)_i,
                                     .n = 3 + 2 * ((unsigned)_i % 2),
                                     .delay_us_min = 1500,
                                     .delay_us_max = 1500,
                                     .loss = 50000,
                                     .crash_ms = 2000,
                                     .down_ms = 500,
                                     .pause_ms = 3000,
                                     .checkpoint_ms = 500,
                                     .cut_ms = 2000,
                                     .stall = 20000,
                                     .client_ms = 5,
                                     .disk_us_max = 3000};
        struct simworld *w = simworld_open(&o);
        simworld_run(w, 30000);
        ck_assert_uint_eq(simworld_stats(w)->repaired, 0);
        ck_assert_uint_gt(simworld_stats(w)->installs + (uint64_t)_i, 0);
        simworld_settle(w, 20000);
        simworld_close(w);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("lost_tail");
    TCase *c = tcase_create("lost");
    tcase_set_timeout(c, 120);
    tcase_add_loop_test(c, a_follower_that_lost_entries_gets_them_back_in_the_same_term, 0, SEEDS);
    tcase_add_loop_test(c, a_leader_with_only_that_follower_goes_on, 0, SEEDS);
    tcase_add_loop_test(c, lost_entries_that_were_trimmed_come_as_a_checkpoint, 0, SEEDS);
    tcase_add_loop_test(c, leadership_is_not_handed_to_a_follower_that_lost_entries, 0, SEEDS);
    tcase_add_loop_test(c, late_answers_harm_nobody, 0, SEEDS);
    tcase_add_loop_test(c, in_order_nobody_is_suspected, 0, SEEDS);
    suite_add_tcase(s, c);
    return test_run(s);
}
