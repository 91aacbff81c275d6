/* The replica in directed scenarios over simulated disks and network (tests/sim), and what its
 * inputs refuse. The random scenarios are those of ecs-sim, a few seeds of them. */
#include "controller/raft/conf.h"
#include "controller/raft/replica.h"
#include "tests/lib/test.h"
#include "tests/sim/simworld.h"

#include <stdlib.h>
#include <string.h>

static struct simworld_options quiet(unsigned n)
{
    struct simworld_options o = {.seed = 7, .n = n, .delay_us_min = 200, .delay_us_max = 2000};
    o.disk_us_max = 1000;
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
    ck_assert_int_eq(simworld_propose(w, node, 20, &index), 0);
    return index;
}

/* --- scenarios ------------------------------------------------------------------------------- */

START_TEST(a_cluster_of_any_size_elects_commits_and_agrees)
    {
        static const unsigned sizes[] = {1, 3, 5};
        struct simworld_options o = quiet(sizes[_i]);
        struct simworld *w = simworld_open(&o);
        unsigned leader = elect(w);
        for (int i = 0; i < 50; i++) {
            propose(w, leader);
            ck_assert_int_eq(simworld_read(w, leader), 0);
        }
        simworld_run(w, 1000);
        ck_assert_uint_eq(simworld_stats(w)->acked, 50);
        ck_assert_uint_eq(simworld_stats(w)->reads, 50);
        ck_assert_uint_eq(simworld_stats(w)->elections, 1);
        simworld_settle(w, 5000);
        simworld_close(w);
    }
END_TEST

static bool count_long(void *arg, unsigned from, unsigned to, const struct message *m)
{
    const struct raft_append_entries *a = &m->replica.raft.append_entries;
    (void)from;
    if (m->kind == MESSAGE_REPLICA && m->replica.kind == REPLICA_RAFT &&
        m->replica.raft.type == RAFT_APPEND_ENTRIES && a->n_entries > 0 &&
        a->entries[0].buf.len > 100000) {
        ((unsigned *)arg)[to]++;
    }
    return true;
}

/* A follower whose answer takes several heartbeats gets a long entry once, not with each of them;
 * one that did not get it gets it again. */
START_TEST(a_long_entry_is_not_repeated_without_need)
    {
        struct simworld_options o = quiet(3);
        struct simworld *w;
        unsigned n_sent[SIMWORLD_NODES_MAX] = {0};
        unsigned leader;
        unsigned away;
        o.delay_us_min = 20000;
        o.delay_us_max = 120000;
        w = simworld_open(&o);
        leader = elect(w);
        away = (leader + 1) % 3;
        simworld_set_filter(w, count_long, n_sent);
        for (int i = 0; i < 20; i++) {
            ck_assert_int_eq(simworld_propose(w, leader, 200000, NULL), 0);
            simworld_run(w, 1000);
        }
        ck_assert_uint_eq(simworld_stats(w)->acked, 20);
        ck_assert_uint_ge(n_sent[away] + n_sent[3 - leader - away], 30);
        ck_assert_uint_le(n_sent[away] + n_sent[3 - leader - away], 50);
        simworld_isolate(w, away, true);
        ck_assert_int_eq(simworld_propose(w, leader, 200000, NULL), 0);
        simworld_run(w, 300);
        simworld_isolate(w, away, false);
        simworld_run(w, 3000);
        ck_assert_uint_eq(simworld_status(w, away).applied, simworld_status(w, leader).applied);
        simworld_settle(w, 5000);
        simworld_close(w);
    }
END_TEST

/* Entries of node `from` go nowhere. */
static bool no_entries_from(void *arg, unsigned from, unsigned to, const struct message *m)
{
    (void)to;
    return from != *(unsigned *)arg || m->kind != MESSAGE_REPLICA ||
           m->replica.kind != REPLICA_RAFT || m->replica.raft.type != RAFT_APPEND_ENTRIES ||
           m->replica.raft.append_entries.n_entries == 0;
}

struct mute {
    struct simworld *w;
    uint64_t term;
    uint64_t passed; /* Highest entry that is on its way, or has arrived. */
};

/* Entries of this term and later ones go nowhere: what would be refused may pass, so that the
 * leader learns how far back it has to go. */
static bool no_entries_of_term(void *arg, unsigned from, unsigned to, const struct message *m)
{
    struct mute *mute = arg;
    const struct raft_append_entries *a = &m->replica.raft.append_entries;
    uint64_t end = a->prev_log_index + a->n_entries;
    (void)from;
    if (m->kind != MESSAGE_REPLICA || m->replica.kind != REPLICA_RAFT ||
        m->replica.raft.type != RAFT_APPEND_ENTRIES || a->n_entries == 0) {
        return true;
    }
    if (a->entries[a->n_entries - 1].term < mute->term) {
        mute->passed = end > mute->passed ? end : mute->passed;
        return true;
    }
    return mute->passed < a->prev_log_index && simworld_is_up(mute->w, to) &&
           simworld_status(mute->w, to).last < a->prev_log_index;
}

/* Figure 8 of the Raft paper: an entry of an old term is on a majority, and must not count as
 * committed until one of the leader's own term is: here it is replaced after that. */
START_TEST(entries_of_older_terms_are_not_committed_by_counting)
    {
        struct simworld_options o = quiet(3);
        struct simworld *w;
        unsigned a;
        unsigned b;
        unsigned c;
        uint64_t k;
        uint64_t old_term;
        struct mute mute;
        o.message_bytes = 1; /* One entry a message. */
        w = simworld_open(&o);
        mute.w = w;
        a = elect(w);
        simworld_run(w, 500);
        /* a has entry k, nobody else. */
        simworld_set_filter(w, no_entries_from, &a);
        k = propose(w, a);
        old_term = simworld_status(w, a).term;
        simworld_run(w, 20);
        ck_assert_uint_eq(simworld_status(w, a).durable, k);
        simworld_crash(w, a);
        /* b leads the next term, has its own entry k, nobody else. */
        mute.term = old_term + 1;
        mute.passed = 0;
        simworld_set_filter(w, no_entries_of_term, &mute);
        b = a;
        for (int i = 0; i < 500 && b == a; i++) {
            simworld_run(w, 10);
            for (unsigned n = 0; n < 3; n++) {
                b = n != a && simworld_status(w, n == a ? (n + 1) % 3 : n).state == RAFT_LEADER ? n
                                                                                                : b;
            }
        }
        ck_assert_uint_ne(b, a);
        c = 3 - a - b;
        simworld_run(w, 20);
        ck_assert_uint_eq(simworld_status(w, b).durable, k);
        simworld_crash(w, b);
        /* a leads again and puts the old k on c: a majority has it. */
        mute.term = simworld_status(w, c).term + 1;
        mute.passed = 0;
        simworld_restart(w, a);
        for (int i = 0; i < 500 && (simworld_status(w, c).durable < k ||
                                    simworld_term_of(w, c, k) != old_term);
             i++) {
            simworld_run(w, 10);
        }
        ck_assert_uint_eq(simworld_term_of(w, a, k), old_term);
        ck_assert_uint_eq(simworld_term_of(w, c, k), old_term);
        simworld_run(w, 100);
        ck_assert_uint_lt(simworld_status(w, a).commit, k);
        /* And so b may replace it. */
        simworld_crash(w, a);
        simworld_restart(w, b);
        simworld_set_filter(w, NULL, NULL);
        ck_assert_uint_eq(elect(w), b);
        simworld_run(w, 200);
        ck_assert_uint_ge(simworld_status(w, c).applied, k);
        ck_assert_uint_ne(simworld_term_of(w, c, k), old_term);
        simworld_settle(w, 10000);
        simworld_close(w);
    }
END_TEST

/* A follower that has a long wrong tail says what it has checked, not how long its log is. */
START_TEST(a_stale_suffix_is_not_counted_as_a_copy)
    {
        struct simworld_options o = quiet(3);
        struct simworld *w = simworld_open(&o);
        unsigned a = elect(w);
        unsigned b;
        uint64_t commit;
        simworld_run(w, 500);
        simworld_isolate(w, a, true);
        for (int i = 0; i < 40; i++) {
            propose(w, a);
        }
        simworld_run(w, 2000);
        b = elect(w);
        ck_assert_uint_ne(a, b);
        simworld_run(w, 200);
        commit = simworld_status(w, b).commit;
        /* Only a remains to answer b, and gets no entries. */
        simworld_isolate(w, 3 - a - b, true);
        simworld_isolate(w, a, false);
        simworld_cut(w, 3 - a - b, a, true);
        simworld_cut(w, a, 3 - a - b, true);
        simworld_set_filter(w, no_entries_from, &b);
        for (int i = 0; i < 10; i++) {
            propose(w, b);
        }
        simworld_run(w, 250);
        ck_assert_int_eq(simworld_status(w, b).state, RAFT_LEADER);
        ck_assert_uint_eq(simworld_status(w, b).commit, commit);
        simworld_settle(w, 10000);
        simworld_close(w);
    }
END_TEST

START_TEST(all_controllers_crash_at_once_and_nothing_acknowledged_is_lost)
    {
        struct simworld_options o = quiet(3);
        struct simworld *w = simworld_open(&o);
        for (int round = 0; round < 5; round++) {
            unsigned leader = elect(w);
            for (int i = 0; i < 30; i++) {
                propose(w, leader);
                simworld_run(w, 1);
            }
            for (unsigned i = 0; i < 3; i++) {
                simworld_crash(w, i);
            }
            for (unsigned i = 0; i < 3; i++) {
                simworld_restart(w, i);
            }
        }
        ck_assert_uint_gt(simworld_stats(w)->acked, 50);
        simworld_settle(w, 10000);
        simworld_close(w);
    }
END_TEST

/* With losses on the way; the pieces of the checkpoint are sent again. */
START_TEST(a_controller_behind_the_trimmed_log_gets_a_snapshot)
    {
        struct simworld_options o = quiet(3);
        struct simworld *w;
        unsigned leader;
        unsigned slow;
        o.snapshot_bytes = 500000;
        o.loss = 50000;
        o.trailing = 10;
        w = simworld_open(&o);
        leader = elect(w);
        slow = (leader + 1) % 3;
        simworld_crash(w, slow);
        for (int i = 0; i < 200; i++) {
            propose(w, elect(w));
            simworld_run(w, 5);
        }
        simworld_run(w, 1000);
        for (unsigned i = 0; i < 3; i++) {
            if (i != slow) {
                simworld_checkpoint(w, i);
                ck_assert_uint_gt(simworld_status(w, i).first, 100);
            }
        }
        simworld_restart(w, slow);
        simworld_run(w, 15000);
        ck_assert_uint_eq(simworld_stats(w)->installs, 1);
        simworld_crash(w, slow);
        simworld_restart(w, slow);
        simworld_settle(w, 10000);
        ck_assert_uint_eq(simworld_stats(w)->installs, 1);
        simworld_close(w);
    }
END_TEST

START_TEST(a_leader_without_majority_answers_nobody_and_steps_down)
    {
        struct simworld_options o = quiet(3);
        struct simworld *w = simworld_open(&o);
        unsigned leader = elect(w);
        uint64_t acked;
        simworld_run(w, 200);
        acked = simworld_stats(w)->acked;
        simworld_isolate(w, leader, true);
        ck_assert_int_eq(simworld_read(w, leader), 0);
        propose(w, leader);
        simworld_run(w, 2000);
        ck_assert_uint_eq(simworld_stats(w)->reads, 0);
        ck_assert_uint_eq(simworld_stats(w)->acked, acked);
        ck_assert_uint_eq(simworld_stats(w)->lost, 1);
        ck_assert_int_ne(simworld_status(w, leader).state, RAFT_LEADER);
        ck_assert_int_eq(simworld_propose(w, leader, 20, NULL), ERR_NOTLEADER);
        ck_assert_int_eq(simworld_read(w, leader), ERR_NOTLEADER);
        simworld_settle(w, 10000);
        simworld_close(w);
    }
END_TEST

START_TEST(leadership_is_handed_over_without_waiting_for_a_timeout)
    {
        struct simworld_options o = quiet(3);
        struct simworld *w = simworld_open(&o);
        unsigned leader = elect(w);
        unsigned next = (leader + 1) % 3;
        simworld_run(w, 200);
        ck_assert_int_eq(simworld_transfer(w, leader, next), 0);
        ck_assert_int_eq(simworld_propose(w, leader, 20, NULL), ERR_AGAIN);
        simworld_run(w, 50);
        ck_assert_int_eq(simworld_leader(w), (int)next);
        simworld_settle(w, 10000);
        simworld_close(w);
    }
END_TEST

/* Everybody sees the connection to the dead leader close: far sooner than any election timeout
 * (at least 300 ms) there is another one. */
START_TEST(a_leader_whose_process_ended_is_replaced_at_once)
    {
        for (uint64_t seed = 1; seed <= 200; seed++) {
            struct simworld_options o = quiet(seed % 2 == 0 ? 3 : 5);
            struct simworld *w;
            unsigned leader;
            o.seed = seed;
            w = simworld_open(&o);
            leader = elect(w);
            propose(w, leader);
            simworld_run(w, 500);
            simworld_crash(w, leader);
            simworld_run(w, 5); /* Its last messages come before the end of the connection. */
            for (unsigned i = 0; i < o.n; i++) {
                if (i != leader) {
                    simworld_peer_closed(w, i, leader);
                }
            }
            simworld_run(w, 120);
            ck_assert_msg(simworld_leader(w) >= 0, "seed %llu", (unsigned long long)seed);
            simworld_restart(w, leader);
            simworld_settle(w, 5000);
            simworld_close(w);
        }
    }
END_TEST

/* Only some lose the connection: the others still hear the leader, and nothing changes. */
START_TEST(a_closed_connection_alone_does_not_unseat_a_leader)
    {
        for (uint64_t seed = 1; seed <= 100; seed++) {
            struct simworld_options o = quiet(3);
            struct simworld *w;
            unsigned leader;
            uint64_t term;
            o.seed = seed;
            w = simworld_open(&o);
            leader = elect(w);
            simworld_run(w, 500);
            term = simworld_status(w, leader).term;
            for (int i = 0; i < 5; i++) {
                simworld_peer_closed(w, (leader + 1) % 3, leader);
                simworld_run(w, 200);
            }
            ck_assert_int_eq(simworld_leader(w), (int)leader);
            ck_assert_uint_eq(simworld_status(w, leader).term, term);
            simworld_settle(w, 5000);
            simworld_close(w);
        }
    }
END_TEST

/* Only node `arg` may hear that it would be elected, and nobody is. */
static bool only_pre_votes_for(void *arg, unsigned from, unsigned to, const struct message *m)
{
    (void)from;
    if (m->kind != MESSAGE_REPLICA || m->replica.kind != REPLICA_RAFT) {
        return true;
    }
    if (m->replica.raft.type == RAFT_REQUEST_VOTE) {
        return m->replica.raft.request_vote.pre_vote;
    }
    return m->replica.raft.type != RAFT_REQUEST_VOTE_RESULT || to == *(unsigned *)arg;
}

/* One voter has the longer log, the other the higher term, and both have just restarted: libraft's
 * pre-vote alone would let them refuse each other for ever. */
START_TEST(a_candidate_that_is_behind_learns_the_term)
    {
        struct simworld_options o = quiet(3);
        struct simworld *w = simworld_open(&o);
        unsigned a = elect(w);
        unsigned b = (a + 1) % 3;
        unsigned c = (a + 2) % 3;
        simworld_run(w, 300);
        simworld_isolate(w, a, true);
        simworld_set_filter(w, only_pre_votes_for, &b);
        simworld_run(w, 8000);
        ck_assert_uint_gt(simworld_status(w, b).term, simworld_status(w, c).term + 3);
        simworld_isolate(w, a, false);
        simworld_isolate(w, b, true);
        simworld_set_filter(w, NULL, NULL);
        for (int i = 0; i < 5; i++) {
            propose(w, elect(w));
        }
        simworld_run(w, 300);
        for (unsigned i = 0; i < 3; i++) {
            simworld_crash(w, i);
        }
        simworld_isolate(w, b, false);
        simworld_restart(w, b);
        simworld_restart(w, c);
        ck_assert_uint_gt(simworld_status(w, b).term, simworld_status(w, c).term + 1);
        ck_assert_uint_lt(simworld_status(w, b).last, simworld_status(w, c).last);
        ck_assert_int_eq((int)elect(w), (int)c);
        simworld_settle(w, 10000);
        simworld_close(w);
    }
END_TEST

START_TEST(a_controller_with_a_damaged_log_stays_out_and_the_others_go_on)
    {
        struct simworld_options o = quiet(3);
        struct simworld *w;
        unsigned leader;
        unsigned sick;
        uint8_t byte = 0x55;
        o.tolerate = true;
        w = simworld_open(&o);
        leader = elect(w);
        sick = (leader + 1) % 3;
        for (int i = 0; i < 100; i++) {
            propose(w, leader);
            simworld_run(w, 5);
        }
        simworld_crash(w, sick);
        ck_assert(simdisk_poke(simworld_disk(w, sick), "log-0000000001", 400, &byte, 1));
        simworld_restart(w, sick);
        ck_assert(!simworld_is_up(w, sick));
        ck_assert_ptr_nonnull(strstr(simworld_error(w, sick), "log-0000000001: damaged at offset"));
        propose(w, leader);
        simworld_run(w, 200);
        ck_assert_uint_eq(simworld_stats(w)->acked, 101);
        simworld_close(w);
    }
END_TEST

START_TEST(random_faults_break_nothing)
    {
        struct simworld_options o = quiet(((unsigned)_i % 3) * 2 + 1);
        struct simworld *w;
        o.seed = 1000 + (uint64_t)_i;
        o.loss = 50000;
        o.dup = 20000;
        o.slow = 10000;
        o.slow_us_max = 500000;
        o.stall = 5000;
        o.write_fault = 2000;
        o.crash_ms = 1500;
        o.down_ms = 500;
        o.cut_ms = 1500;
        o.pause_ms = 3000;
        o.client_ms = 5;
        o.read_ms = 10;
        o.transfer_ms = 3000;
        o.checkpoint_ms = 700;
        o.trailing = 30;
        o.snapshot_bytes = 100000;
        w = simworld_open(&o);
        simworld_run(w, 6000);
        simworld_settle(w, 30000);
        ck_assert_uint_gt(simworld_stats(w)->acked, 20);
        simworld_close(w);
    }
END_TEST

/* A planted fault ends the process with status 1, see simworld_fail(). */
START_TEST(planted_faults_are_found)
    {
        for (uint64_t seed = 1; seed < 300; seed++) {
            struct simworld_options o = quiet(3);
            struct simworld *w;
            o.seed = seed;
            o.plant = (unsigned)_i;
            o.crash_ms = 700;
            o.down_ms = 300;
            o.cut_ms = 800;
            o.pause_ms = 1500;
            o.client_ms = 3;
            o.read_ms = 5;
            w = simworld_open(&o);
            simworld_run(w, 8000);
            simworld_settle(w, 30000);
            simworld_close(w);
        }
        exit(0);
    }
END_TEST

/* --- inputs ---------------------------------------------------------------------------------- */

struct stub { /* A replica whose disk is instantaneous and whose peers are silent. */
    struct replica *r;
    uint64_t ticket;
    uint64_t applied;
    uint64_t vote_term;
    unsigned n_sent;
    uint64_t read_ticket;
};

static void stub_save_vote(void *ctx, uint64_t term, uint64_t vote)
{
    struct stub *s = ctx;
    (void)vote;
    ck_assert_uint_ge(term, s->vote_term);
    s->vote_term = term;
}

static void stub_append(void *ctx, uint64_t index, const struct replica_entry *entries, unsigned n,
                        uint64_t ticket)
{
    struct stub *s = ctx;
    (void)index;
    (void)entries;
    (void)n;
    s->ticket = ticket;
}

static void stub_send(void *ctx, const struct replica_message *m)
{
    struct stub *s = ctx;
    (void)m;
    s->n_sent++;
}

static void stub_apply(void *ctx, uint64_t index, const struct replica_entry *entry)
{
    struct stub *s = ctx;
    (void)entry;
    ck_assert_uint_eq(index, s->applied + 1);
    s->applied = index;
}

static void stub_changed(void *ctx, const struct replica_status *status)
{
    (void)ctx;
    (void)status;
}

static void stub_lost(void *ctx, uint64_t term)
{
    (void)ctx;
    (void)term;
}

static void stub_read_ready(void *ctx, uint64_t ticket)
{
    struct stub *s = ctx;
    s->read_ticket = ticket;
}

static void stub_snapshot_send(void *ctx, uint64_t peer, uint64_t index)
{
    (void)ctx;
    (void)peer;
    (void)index;
}

static void stub_snapshot_install(void *ctx, const struct replica_snapshot *snapshot)
{
    (void)ctx;
    (void)snapshot;
}

static void stub_peer_lost_entries(void *ctx, uint64_t peer, uint64_t confirmed, uint64_t kept)
{
    (void)ctx;
    (void)peer;
    (void)confirmed;
    (void)kept;
}

static void stub_members(void *ctx)
{
    (void)ctx;
}

static const struct replica_io stub_io = {
    .save_vote = stub_save_vote,
    .append = stub_append,
    .send = stub_send,
    .apply = stub_apply,
    .changed = stub_changed,
    .lost = stub_lost,
    .read_ready = stub_read_ready,
    .snapshot_send = stub_snapshot_send,
    .peer_lost_entries = stub_peer_lost_entries,
    .snapshot_install = stub_snapshot_install,
    .members = stub_members,
};

static const struct conf_member three[] = {{1, "a:1"}, {2, "b:1"}, {3, "c:1"}};

/* Entry 1 with n voters. */
static struct replica_entry first_entry(unsigned n, struct raft_buffer *conf)
{
    ck_assert_int_eq(conf_encode(three, n, conf, NULL), 0);
    return (struct replica_entry){1, RAFT_CHANGE, conf->base, conf->len};
}

static void stub_open(struct stub *s, unsigned n, const struct replica_settings *more)
{
    struct replica_settings set = *more;
    struct raft_buffer conf;
    struct replica_entry e = first_entry(n, &conf);
    struct replica_boot boot = {.term = 1, .first = 1, .entries = &e, .n_entries = 1};
    struct err err = {0};
    memset(s, 0, sizeof *s);
    set.id = 1;
    ck_assert_int_eq(replica_open(&set, test_mem(), &stub_io, s, &s->r, &err), 0);
    ck_assert_msg(replica_start(s->r, 1000, &boot, &err) == 0, "%s", err.text);
    raft_free(conf.base);
}

static void stub_pass(struct stub *s, uint64_t now_ms)
{
    struct err err = {0};
    ck_assert_int_eq(replica_tick(s->r, now_ms, &err), 0);
    ck_assert_int_eq(replica_persisted(s->r, now_ms, s->ticket, &err), 0);
}

START_TEST(a_sole_voter_leads_at_once_in_a_term_of_its_own)
    {
        struct stub s;
        struct replica_settings set = {0};
        struct raft_buffer b = {(void *)(uintptr_t) "x", 1};
        struct err err = {0};
        uint64_t index = 0;
        uint64_t ticket = 0;
        stub_open(&s, 1, &set);
        ck_assert_uint_eq(s.vote_term, 2);
        ck_assert_int_eq(replica_propose(s.r, 1000, &b, 1, &index, &err), ERR_AGAIN);
        stub_pass(&s, 1000);
        ck_assert(replica_is_ready(s.r));
        ck_assert_int_eq(replica_propose(s.r, 1000, &b, 1, &index, &err), 0);
        ck_assert_uint_eq(index, 3);
        stub_pass(&s, 1001);
        ck_assert_uint_eq(s.applied, 3);
        ck_assert_int_eq(replica_read(s.r, 1002, &ticket, &err), 0);
        ck_assert_uint_eq(s.read_ticket, ticket);
        ck_assert_int_eq(replica_transfer(s.r, 1002, 0, &err), ERR_NOTFOUND);
        ck_assert_uint_eq(s.n_sent, 0);
        replica_close(s.r);
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

START_TEST(proposals_have_limits_with_names)
    {
        struct stub s;
        struct replica_settings set = {.capacity_min = 100, .cache_bytes_max = 5000};
        struct raft_buffer b = {(void *)(uintptr_t) "x", 1};
        struct raft_buffer many[REPLICA_BATCH_MAX + 1];
        struct err err = {0};
        uint64_t index;
        uint8_t big[3000] = {0};
        stub_open(&s, 1, &set);
        stub_pass(&s, 1000);
        for (unsigned i = 0; i <= REPLICA_BATCH_MAX; i++) {
            many[i] = b;
        }
        ck_assert_int_eq(replica_propose(s.r, 1, many, REPLICA_BATCH_MAX + 1, &index, &err),
                         ERR_TOOBIG);
        ck_assert_int_eq(replica_propose(s.r, 1, many, REPLICA_BATCH_MAX, &index, &err), 0);
        b.len = REPLICA_ENTRY_MAX + 1;
        ck_assert_int_eq(replica_propose(s.r, 1, &b, 1, &index, &err), ERR_TOOBIG);
        b.len = 0;
        ck_assert_int_eq(replica_propose(s.r, 1, &b, 1, &index, &err), ERR_TOOBIG);
        b = (struct raft_buffer){big, sizeof big};
        replica_set_capacity(s.r, 99);
        ck_assert_int_eq(replica_propose(s.r, 1, &b, 1, &index, &err), ERR_FULL);
        replica_set_capacity(s.r, 100);
        ck_assert_int_eq(replica_propose(s.r, 1, &b, 1, &index, &err), 0);
        ck_assert_int_eq(replica_propose(s.r, 1, &b, 1, &index, &err), 0);
        ck_assert_int_eq(replica_propose(s.r, 1, &b, 1, &index, &err), ERR_FULL);
        /* A checkpoint makes room. */
        stub_pass(&s, 1001);
        ck_assert_int_eq(replica_snapshot_taken(s.r, 1001, s.applied, 0, &err), 0);
        ck_assert_uint_eq(replica_status(s.r).cache_bytes, 0);
        ck_assert_int_eq(replica_propose(s.r, 1, &b, 1, &index, &err), 0);
        replica_close(s.r);
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

static void answer(struct stub *s, uint64_t now_ms, uint64_t peer, struct raft_message *m)
{
    struct replica_message rm = {.peer = peer, .kind = REPLICA_RAFT};
    struct err err = {0};
    rm.raft = *m;
    ck_assert_msg(replica_receive(s->r, now_ms, &rm, &err) == 0, "%s", err.text);
}

/* Make the stub the leader of term 2 with the votes of controller 2. */
static void make_leader(struct stub *s, uint64_t now_ms)
{
    struct raft_message m = {.type = RAFT_REQUEST_VOTE_RESULT};
    struct err err = {0};
    ck_assert_int_eq(replica_tick(s->r, now_ms, &err), 0);
    m.request_vote_result.version = 2;
    m.request_vote_result.term = 2;
    m.request_vote_result.vote_granted = true;
    m.request_vote_result.pre_vote = true;
    answer(s, now_ms, 2, &m);
    m.request_vote_result.pre_vote = false;
    answer(s, now_ms, 2, &m);
    ck_assert_int_eq(replica_status(s->r).state, RAFT_LEADER);
    stub_pass(s, now_ms);
}

static void acknowledge(struct stub *s, uint64_t now_ms, uint64_t peer, unsigned short capacity)
{
    struct raft_message m = {.type = RAFT_APPEND_ENTRIES_RESULT};
    m.append_entries_result.version = 2;
    m.append_entries_result.term = 2;
    m.append_entries_result.last_log_index = replica_status(s->r).last;
    m.append_entries_result.capacity = capacity;
    answer(s, now_ms, peer, &m);
    stub_pass(s, now_ms);
}

START_TEST(commands_need_room_on_a_majority_and_leadership_goes_where_room_is)
    {
        struct stub s;
        struct replica_settings set = {.capacity_min = 100};
        struct raft_buffer b = {(void *)(uintptr_t) "x", 1};
        struct err err = {0};
        uint64_t index;
        stub_open(&s, 3, &set);
        make_leader(&s, 3000);
        ck_assert(!replica_is_ready(s.r));
        acknowledge(&s, 3001, 2, 500);
        acknowledge(&s, 3001, 2, 500);
        ck_assert(replica_is_ready(s.r));
        ck_assert_int_eq(replica_propose(s.r, 3002, &b, 1, &index, &err), 0);
        acknowledge(&s, 3003, 3, 5); /* One of three is low: no matter. */
        ck_assert_int_eq(replica_propose(s.r, 3003, &b, 1, &index, &err), 0);
        ck_assert_uint_eq(replica_roomy_peer(s.r), 2);
        acknowledge(&s, 3004, 2, 99);
        ck_assert_int_eq(replica_propose(s.r, 3004, &b, 1, &index, &err), ERR_FULL);
        ck_assert_uint_eq(replica_roomy_peer(s.r), 0);
        acknowledge(&s, 3005, 2, 100);
        ck_assert_int_eq(replica_propose(s.r, 3005, &b, 1, &index, &err), 0);
        replica_set_capacity(s.r, 99); /* Our own counts alone: we would be the first to fail. */
        ck_assert_int_eq(replica_propose(s.r, 3006, &b, 1, &index, &err), ERR_FULL);
        ck_assert_int_eq(replica_transfer(s.r, 3006, replica_roomy_peer(s.r), &err), 0);
        replica_close(s.r);
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

struct bad_boot {
    uint64_t term;
    uint64_t first;
    uint64_t snapshot_index;
    uint64_t snapshot_term;
    uint64_t entry_term;
    unsigned n;
    const char *says;
};

START_TEST(a_boot_that_does_not_fit_together_is_refused)
    {
        static const struct bad_boot cases[] = {
            {3, 2, 0, 0, 2, 1, "log starts at 2, checkpoint ends at 0"},
            {3, 1, 0, 0, 2, 0, "first entry is not a configuration"},
            {3, 1, 0, 0, 4, 1, "entry 2: term 4 out of order"},
            {3, 1, 9, 2, 2, 1, "log ends at 2, checkpoint at 9"},
            {3, 1, 2, 1, 2, 1, "checkpoint and log disagree on entry 2"},
            {3, 1, 2, 4, 2, 1, "checkpoint of term 4 in term 3"},
            {3, 5, 2, 2, 2, 1, "log starts at 5, checkpoint ends at 2"},
        };
        const struct bad_boot *c = &cases[_i];
        struct raft_buffer conf;
        struct replica_entry entries[2];
        struct replica_boot boot = {.term = c->term, .first = c->first};
        struct replica_settings set = {.id = 1};
        struct stub s = {0};
        struct err err = {0};
        entries[0] = first_entry(3, &conf);
        entries[1] = (struct replica_entry){c->entry_term, RAFT_COMMAND, (const uint8_t *)"x", 1};
        boot.entries = entries;
        boot.n_entries = c->n == 0 ? 0 : 2;
        boot.snapshot =
            (struct replica_snapshot){c->snapshot_index, c->snapshot_term, 1, conf.base, conf.len};
        ck_assert_int_eq(replica_open(&set, test_mem(), &stub_io, &s, &s.r, &err), 0);
        ck_assert_int_eq(replica_start(s.r, 1, &boot, &err), ERR_CORRUPT);
        ck_assert_str_eq(err.text, c->says);
        replica_close(s.r);
        raft_free(conf.base);
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

START_TEST(members_are_encoded_alike_in_any_order_and_checked_byte_by_byte)
    {
        static const struct conf_member mixed[] = {{3, "c:1"}, {1, "a:1"}, {2, "b:1"}};
        static const struct conf_member twice[] = {{1, "a:1"}, {1, "b:1"}};
        static const struct conf_member same[] = {{1, "a:1"}, {2, "a:1"}};
        struct raft_buffer a;
        struct raft_buffer b;
        unsigned refused = 0;
        ck_assert_int_eq(conf_encode(three, 3, &a, NULL), 0);
        ck_assert_int_eq(conf_encode(mixed, 3, &b, NULL), 0);
        ck_assert_uint_eq(a.len, b.len);
        ck_assert_int_eq(memcmp(a.base, b.base, a.len), 0);
        ck_assert_int_eq(conf_encode(twice, 2, &b, NULL), ERR_INVALID);
        ck_assert_int_eq(conf_encode(same, 2, &b, NULL), ERR_INVALID);
        ck_assert_int_eq(conf_encode(three, 0, &b, NULL), ERR_INVALID);
        for (size_t n = 0; n < a.len; n++) {
            ck_assert_int_eq(conf_check(a.base, n, NULL), ERR_CORRUPT);
        }
        for (size_t i = 0; i < a.len; i++) { /* Whatever is accepted, libraft can read. */
            for (unsigned v = 0; v < 256; v++) {
                uint8_t *bytes = a.base;
                uint8_t was = bytes[i];
                struct raft_configuration c;
                bytes[i] = (uint8_t)v;
                if (conf_decode(bytes, a.len, &c, NULL) == 0) {
                    raft_configuration_close(&c);
                } else {
                    refused++;
                }
                bytes[i] = was;
            }
        }
        ck_assert_uint_gt(refused, 1000);
        raft_free(a.base);
        raft_free(b.base);
    }
END_TEST

START_TEST(an_address_says_peer_port_front_door_and_incarnation)
    {
        static const char *const texts[] = {"10.0.0.1:7444", "10.0.0.1:7444/10.0.0.1:7443",
                                            "[::1]:7444/c1.example:7443/00000000deadbeef"};
        static const char *const odd[] = {"a:1/b:1/xyz", "a:1/b:1/00000000DEADBEEF", "a:1/b:1/"};
        char text[CONF_ADDRESS_MAX];
        char longest[CONF_ADDRESS_MAX + 1];
        struct conf_address a;
        for (unsigned i = 0; i < 3; i++) {
            a = conf_address_read(texts[i]);
            ck_assert_int_eq(conf_address_write(&a, text, NULL), 0);
            ck_assert_str_eq(text, texts[i]);
            ck_assert_uint_eq(conf_address_read(odd[i]).incarnation, 0);
        }
        ck_assert(str_eqc(a.peer, "[::1]:7444"));
        ck_assert(str_eqc(a.api, "c1.example:7443"));
        ck_assert_uint_eq(a.incarnation, 0xdeadbeef);
        a.api = STR("a/b");
        ck_assert_int_eq(conf_address_write(&a, text, NULL), ERR_INVALID);
        a = (struct conf_address){.api = STR("a:1")};
        ck_assert_int_eq(conf_address_write(&a, text, NULL), ERR_INVALID);
        memset(longest, 'a', sizeof longest);
        a.peer = str_make(longest, CONF_ADDRESS_MAX - 4);
        ck_assert_int_eq(conf_address_write(&a, text, NULL), ERR_TOOBIG);
        a.peer.n--;
        ck_assert_int_eq(conf_address_write(&a, text, NULL), 0);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("replica");
    TCase *loops = tcase_create("loops");
    TEST_CASE(s, "scenarios", 60, a_long_entry_is_not_repeated_without_need,
              entries_of_older_terms_are_not_committed_by_counting,
              a_stale_suffix_is_not_counted_as_a_copy,
              all_controllers_crash_at_once_and_nothing_acknowledged_is_lost,
              a_controller_behind_the_trimmed_log_gets_a_snapshot,
              a_leader_without_majority_answers_nobody_and_steps_down,
              leadership_is_handed_over_without_waiting_for_a_timeout,
              a_leader_whose_process_ended_is_replaced_at_once,
              a_closed_connection_alone_does_not_unseat_a_leader,
              a_candidate_that_is_behind_learns_the_term,
              a_controller_with_a_damaged_log_stays_out_and_the_others_go_on);
    TEST_CASE(s, "inputs", 30, a_sole_voter_leads_at_once_in_a_term_of_its_own,
              proposals_have_limits_with_names,
              commands_need_room_on_a_majority_and_leadership_goes_where_room_is,
              members_are_encoded_alike_in_any_order_and_checked_byte_by_byte,
              an_address_says_peer_port_front_door_and_incarnation);
    tcase_set_timeout(loops, 120);
    tcase_add_loop_test(loops, a_cluster_of_any_size_elects_commits_and_agrees, 0, 3);
    tcase_add_loop_test(loops, random_faults_break_nothing, 0, 12);
    tcase_add_loop_test(loops, a_boot_that_does_not_fit_together_is_refused, 0, 7);
    tcase_add_loop_exit_test(loops, planted_faults_are_found, 1, 1, 5);
    suite_add_tcase(s, loops);
    return test_run(s);
}
