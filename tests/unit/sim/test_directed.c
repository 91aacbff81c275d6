/* Schedules that broke other implementations of Raft, played on real replicas, log files and codec
 * over simulated disks and network. What simworld.h lists is checked all the while. */
#include "tests/lib/test.h"
#include "tests/sim/simworld.h"

enum { SEEDS = 25, LONG = 120 };

static struct simworld_options quiet(unsigned n, uint64_t seed)
{
    struct simworld_options o = {.seed = seed,
                                 .n = n,
                                 .delay_us_min = 500,
                                 .delay_us_max = 2000,
                                 .disk_us_max = 500,
                                 .trailing = 1000};
    return o;
}

static unsigned elect(struct simworld *w)
{
    int leader = simworld_elect(w, 10000);
    ck_assert_int_ge(leader, 0);
    return (unsigned)leader;
}

static uint64_t propose(struct simworld *w, unsigned node)
{
    uint64_t index = 0;
    ck_assert_int_eq(simworld_propose(w, node, 64, &index), 0);
    return index;
}

struct rules { /* Who may get entries from the leader of the moment. */
    unsigned to[SIMWORLD_NODES_MAX];
    unsigned n_to;
    uint64_t below; /* Only entries of terms below this one. */
};

static bool filter(void *arg, unsigned from, unsigned to, const struct message *m)
{
    const struct rules *r = arg;
    const struct raft_append_entries *a = &m->replica.raft.append_entries;
    bool may = false;
    if (m->kind != MESSAGE_REPLICA || m->replica.kind != REPLICA_RAFT ||
        m->replica.raft.type != RAFT_APPEND_ENTRIES || a->n_entries == 0) {
        return true;
    }
    (void)from;
    for (unsigned i = 0; i < r->n_to; i++) {
        may = may || r->to[i] == to;
    }
    return may && a->entries[a->n_entries - 1].term < r->below;
}

static void crash(struct simworld *w, unsigned node)
{
    if (simworld_is_up(w, node)) {
        simworld_crash(w, node);
    }
}

/* Wait for one that leads, if only in name: none of its entries may get through. */
static unsigned nominal_leader(struct simworld *w)
{
    for (int i = 0; i < 400; i++) {
        int found = -1;
        uint64_t term = 0;
        for (unsigned k = 0; k < 5; k++) {
            if (simworld_is_up(w, k) && simworld_status(w, k).state == RAFT_LEADER &&
                simworld_status(w, k).term > term) {
                found = (int)k;
                term = simworld_status(w, k).term;
            }
        }
        if (found >= 0) {
            return (unsigned)found;
        }
        simworld_run(w, 10);
    }
    ck_abort_msg("no leader");
    return 0;
}

/* Figure 8 with five: an entry of an old term reaches three of them under a leader of a newer one,
 * and may still be replaced. So nobody may apply it before an entry of that leader's own. */
START_TEST(figure_8_with_five_controllers)
    {
        struct simworld_options o = quiet(5, 1 + (uint64_t)_i);
        struct rules r = {.below = UINT64_MAX};
        struct simworld *w;
        unsigned first;
        unsigned second;
        unsigned other;
        uint64_t k;
        o.message_bytes = 1; /* One entry a message. */
        w = simworld_open(&o);
        first = elect(w);
        second = (first + 1) % 5;
        simworld_run(w, 500);
        /* (a) Its entry k is on one other only. */
        r.to[0] = second;
        r.n_to = 1;
        simworld_set_filter(w, filter, &r);
        k = propose(w, first);
        for (int i = 0; i < 50 && simworld_status(w, second).last < k; i++) {
            simworld_run(w, 10);
        }
        ck_assert_uint_eq(simworld_status(w, second).last, k);
        simworld_crash(w, first);
        /* (b) One of the other three leads, and keeps its entry k to itself. */
        simworld_isolate(w, second, true);
        r.n_to = 0;
        simworld_run(w, 400);
        other = nominal_leader(w);
        simworld_run(w, 20);
        simworld_crash(w, other);
        /* (c) One of the first two leads again; the old entry goes everywhere, nothing of its own.
         */
        simworld_isolate(w, second, false);
        simworld_restart(w, first);
        simworld_run(w, 400);
        first = nominal_leader(w);
        r.below = simworld_status(w, first).term;
        r.n_to = 5;
        for (unsigned i = 0; i < 5; i++) {
            r.to[i] = i;
        }
        simworld_run(w, 250);
        if (simworld_status(w, first).state == RAFT_LEADER) {
            ck_assert_uint_lt(simworld_status(w, first).applied, k);
        }
        simworld_crash(w, first);
        /* (d) The one of (b) may win now, and replaces it. */
        r.below = UINT64_MAX;
        simworld_restart(w, other);
        simworld_run(w, 2000);
        simworld_restart(w, first);
        simworld_settle(w, 20000);
        simworld_close(w);
    }
END_TEST

/* The entry is on its way to the followers when the leader's own disk fails: the process ends, and
 * what its client may believe is "unknown". Whatever happens to the entry happens everywhere. */
START_TEST(a_failed_write_on_the_leader_ends_it_and_forks_nothing)
    {
        struct simworld_options o = quiet(3, 100 + (uint64_t)_i);
        struct simworld *w = simworld_open(&o);
        unsigned leader = elect(w);
        uint64_t acked;
        simworld_run(w, 300);
        acked = simworld_stats(w)->acked;
        simdisk_fail_after(simworld_disk(w, leader), 1 + (unsigned)_i % 2);
        (void)propose(w, leader);
        for (int i = 0; i < 20 && simworld_is_up(w, leader); i++) {
            (void)simworld_propose(w, leader, 64, NULL);
            simworld_run(w, 20);
        }
        ck_assert(!simworld_is_up(w, leader));
        ck_assert_uint_ge(simworld_stats(w)->faults, 1);
        ck_assert_uint_ge(simworld_stats(w)->acked, acked);
        ck_assert_uint_ne(elect(w), leader);
        simworld_restart(w, leader);
        simworld_settle(w, 10000);
        simworld_close(w);
    }
END_TEST

/* With pre-vote on: whoever of a majority is up, and in whatever order they came, there is a leader
 * within five seconds. */
START_TEST(two_of_three_always_find_a_leader)
    {
        struct simworld_options o = quiet(3, 200 + (uint64_t)_i);
        struct simworld *w = simworld_open(&o);
        for (unsigned round = 0; round < 6; round++) {
            unsigned leader = elect(w);
            unsigned away = (round + (unsigned)_i) % 3;
            simworld_isolate(w, leader, true); /* Terms drift apart. */
            simworld_run(w, 700 + 130 * round);
            crash(w, away);
            simworld_isolate(w, leader, false);
            ck_assert_int_ge(simworld_elect(w, 5000), 0);
            simworld_restart(w, away);
            simworld_run(w, 200);
        }
        simworld_settle(w, 10000);
        simworld_close(w);
    }
END_TEST

/* A checkpoint for every few entries and next to none kept behind it: the one that was away needs a
 * checkpoint again and again, and catches up all the same. */
START_TEST(a_laggard_catches_up_with_few_trailing_entries)
    {
        struct simworld_options o = quiet(3, 300 + (uint64_t)_i);
        struct simworld *w;
        unsigned leader;
        unsigned away;
        o.trailing = 4;
        o.snapshot_bytes = 200000;
        w = simworld_open(&o);
        leader = elect(w);
        away = (leader + 1) % 3;
        for (unsigned round = 0; round < 5; round++) {
            simworld_isolate(w, away, round % 2 == 0);
            for (unsigned i = 0; i < 40; i++) {
                int now = simworld_leader(w);
                if (now >= 0) {
                    (void)simworld_propose(w, (unsigned)now, 300, NULL);
                }
                simworld_run(w, 5);
                if (i % 8 == 7) {
                    for (unsigned k = 0; k < 3; k++) {
                        simworld_checkpoint(w, k);
                    }
                }
            }
        }
        simworld_isolate(w, away, false);
        simworld_settle(w, 10000);
        ck_assert_uint_ge(simworld_stats(w)->installs, 1);
        simworld_close(w);
    }
END_TEST

/* A linearizable read waits for the answer of a voter that is cut off, and then removed: it and
 * those after it must be answered, since nobody is left to wait for. Found by ecs-sim, seed 61. */
START_TEST(a_read_does_not_wait_for_a_voter_that_was_removed)
    {
        struct simworld_options o = quiet(2, 400);
        struct replica_change change = {.kind = REPLICA_REMOVE};
        struct simworld *w = simworld_open(&o);
        unsigned leader = elect(w);
        uint64_t reads;
        simworld_run(w, 300);
        reads = simworld_stats(w)->reads;
        change.id = simworld_id(w, 1 - leader);
        simworld_cut(w, 1 - leader, leader, true);
        ck_assert_int_eq(simworld_read(w, leader), 0);
        simworld_run(w, 5);
        ck_assert_uint_eq(simworld_stats(w)->reads, reads);
        ck_assert_int_eq(simworld_change(w, leader, &change), 0);
        simworld_run(w, 200);
        ck_assert_uint_eq(simworld_stats(w)->reads, reads + 1);
        ck_assert_int_eq(simworld_read(w, leader), 0);
        simworld_run(w, 100);
        ck_assert_uint_eq(simworld_stats(w)->reads, reads + 2);
        simworld_close(w);
    }
END_TEST

/* Beside every message comes one that is cut short, damaged, or of somebody who is no member:
 * nobody takes it for one, the leader stays, and nothing is lost. */
START_TEST(forged_and_short_messages_change_nothing)
    {
        struct simworld_options o = quiet(3, 500 + (uint64_t)_i);
        struct simworld *w;
        unsigned leader;
        uint64_t term;
        o.forged = 1000000;
        w = simworld_open(&o);
        leader = elect(w);
        term = simworld_status(w, leader).term;
        for (unsigned i = 0; i < 200; i++) {
            (void)propose(w, leader);
            simworld_run(w, 5);
        }
        ck_assert_int_eq(simworld_leader(w), (int)leader);
        ck_assert_uint_eq(simworld_status(w, leader).term, term);
        simworld_settle(w, 10000);
        ck_assert_uint_ge(simworld_stats(w)->acked, 200);
        ck_assert_uint_ge(simworld_stats(w)->forged, 100);
        ck_assert_uint_ge(simworld_stats(w)->shortened, 100);
        simworld_close(w);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("directed");
    TCase *c = tcase_create("schedules");
    tcase_set_timeout(c, LONG);
    tcase_add_loop_test(c, figure_8_with_five_controllers, 0, SEEDS);
    tcase_add_loop_test(c, a_failed_write_on_the_leader_ends_it_and_forks_nothing, 0, SEEDS);
    tcase_add_loop_test(c, two_of_three_always_find_a_leader, 0, SEEDS);
    tcase_add_loop_test(c, a_laggard_catches_up_with_few_trailing_entries, 0, SEEDS);
    tcase_add_loop_test(c, forged_and_short_messages_change_nothing, 0, SEEDS);
    tcase_add_test(c, a_read_does_not_wait_for_a_voter_that_was_removed);
    suite_add_tcase(s, c);
    return test_run(s);
}
