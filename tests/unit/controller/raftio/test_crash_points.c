/* Every crash point of what a controller writes for consensus: log, vote, members, watermark.
 *
 * A script of operations starts on an empty disk. Each byte written and each other operation counts
 * one; for every k the power goes after k of them, and for every state that this can leave on the
 * disk (any subset of unsynced sectors, any number of the changes of names) the files are opened
 * again. Then what was acknowledged is there, nothing is there that was not written, opening once
 * more finds the same, and the log goes on.
 *
 * The checkpoint, which decides what the other files mean, is outside of them: a file of two slots
 * stands for it, so that its crash points are enumerated too. */
#include "common/base/buf.h"
#include "common/base/prng.h"
#include "controller/raftio/durable.h"
#include "controller/raftio/slots.h"
#include "tests/lib/test.h"
#include "tests/sim/simdisk.h"

#include <malloc.h>
#include <string.h>

#define SEGMENT      1024u
#define INDEX_MAX    64u
#define LEN_MAX      1500u
#define OUTCOMES_MAX 8u /* More are sampled, with the first and the last. */
#define STEPS_MAX    20u

enum op { END, APPEND, BIG, FLUSH, VOTE, MARK, PREPARE, NOTE, TRIM, INSTALL };

struct step {
    enum op op;
    uint64_t index; /* APPEND, BIG: the first; TRIM, NOTE, INSTALL: the last. */
    unsigned n;
};

struct script {
    const char *name;
    unsigned outcomes_min; /* Proof that enough was enumerated. */
    struct step steps[STEPS_MAX];
};

static const struct script scripts[] = {
    {"append over the borders of files",
     3000,
     {{VOTE, 0, 0},
      {APPEND, 2, 4},
      {FLUSH, 0, 0},
      {APPEND, 6, 5},
      {APPEND, 11, 5},
      {FLUSH, 0, 0},
      {BIG, 16, 1},
      {APPEND, 17, 2},
      {FLUSH, 0, 0}}},
    {"replace the tail, twice",
     3000,
     {{VOTE, 0, 0},
      {APPEND, 2, 8},
      {FLUSH, 0, 0},
      {VOTE, 0, 0},
      {APPEND, 6, 3},
      {FLUSH, 0, 0},
      {MARK, 0, 0},
      {VOTE, 0, 0},
      {APPEND, 3, 2},
      {FLUSH, 0, 0},
      {APPEND, 5, 1},
      {FLUSH, 0, 0}}},
    {"note the checkpoint and trim",
     3000,
     {{APPEND, 2, 12},
      {FLUSH, 0, 0},
      {MARK, 0, 0},
      {NOTE, 9, 0},
      {TRIM, 9, 0},
      {APPEND, 14, 8},
      {FLUSH, 0, 0},
      {NOTE, 20, 0},
      {TRIM, 20, 0},
      {APPEND, 22, 1},
      {FLUSH, 0, 0}}},
    {"install a snapshot",
     3000,
     {{APPEND, 2, 6},
      {FLUSH, 0, 0},
      {MARK, 0, 0},
      {VOTE, 0, 0},
      {INSTALL, 30, 0},
      {APPEND, 31, 3},
      {FLUSH, 0, 0},
      {MARK, 0, 0},
      {INSTALL, 50, 0},
      {APPEND, 51, 1},
      {FLUSH, 0, 0}}},
    {"watermark and spare file",
     3000,
     {{PREPARE, 0, 0},
      {APPEND, 2, 3},
      {FLUSH, 0, 0},
      {MARK, 0, 0},
      {PREPARE, 0, 0},
      {APPEND, 5, 9},
      {FLUSH, 0, 0},
      {MARK, 0, 0},
      {PREPARE, 0, 0},
      {APPEND, 14, 1},
      {FLUSH, 0, 0},
      {MARK, 0, 0}}},
};

static const struct conf_member members[] = {{1, "a:1"}, {2, "b:1"}, {3, "c:1"}};

/* --- the model ------------------------------------------------------------------------------- */

struct log_model { /* Terms of entries [first, last]; payloads follow from index and term. */
    uint64_t first;
    uint64_t last;
    uint64_t term[INDEX_MAX];
};

struct place {
    uint64_t index;
    uint64_t term;
};

struct model {
    struct log_model now;     /* All that was asked for. */
    struct log_model durable; /* As of the last acknowledgement. */
    uint64_t cut;             /* Least index replaced since then; UINT64_MAX: none. */
    uint64_t trimmed;         /* Entries up to here need not be there. */
    uint64_t term;            /* Asked for, and the vote follows from it ... */
    uint64_t term_saved;      /* ... and acknowledged. */
    struct place checkpoint;
    struct place checkpoint_saved;
};

struct house {
    struct simdisk *disk;
    struct durable *d;
    struct slots checkpoint;
    struct model m;
};

static uint64_t vote_of(uint64_t term)
{
    return term == 1 ? 0 : 1 + term % 3;
}

static size_t payload(uint64_t index, uint64_t term, bool big, uint8_t to[LEN_MAX])
{
    size_t n = big ? LEN_MAX : 20 + (index * 13 + term * 7) % 90;
    for (size_t i = 0; i < n; i++) {
        to[i] = (uint8_t)(index * 31 + term * 17 + i);
    }
    return n;
}

static void check_payload(uint64_t index, const struct replica_entry *e)
{
    uint8_t bytes[LEN_MAX];
    size_t n = payload(index, e->term, e->len == LEN_MAX, bytes);
    ck_assert_uint_eq(e->len, n);
    ck_assert_int_eq(memcmp(e->bytes, bytes, n), 0);
}

/* --- steps ----------------------------------------------------------------------------------- */

static int open_house(struct house *h, struct err *err)
{
    struct durable_settings set = {.id = 1, .members = members, .n_members = 3};
    const struct slot *at;
    int rv = slots_open(&h->checkpoint, simdisk_disk(h->disk), "checkpoint", err);
    h->d = NULL;
    if (rv != 0) {
        return rv;
    }
    at = slots_newest(&h->checkpoint);
    if (at != NULL) {
        set.checkpoint_index = get_u64(at->bytes);
        set.checkpoint_term = get_u64(at->bytes + 8);
    }
    set.log.segment_bytes = SEGMENT;
    return durable_open(simdisk_disk(h->disk), test_mem(), &set, &h->d, err);
}

static void close_house(struct house *h)
{
    durable_close(h->d);
    h->d = NULL;
    slots_close(&h->checkpoint);
}

static int append(struct house *h, const struct step *s)
{
    struct model *m = &h->m;
    struct replica_entry entries[16];
    uint8_t bytes[16][LEN_MAX];
    ck_assert_uint_le(s->n, 16);
    ck_assert_uint_lt(s->index + s->n, INDEX_MAX);
    if (s->index <= m->now.last && s->index < m->cut) {
        m->cut = s->index;
    }
    for (unsigned i = 0; i < s->n; i++) {
        size_t len = payload(s->index + i, m->term, s->op == BIG, bytes[i]);
        entries[i] = (struct replica_entry){m->term, RAFT_COMMAND, bytes[i], len};
        m->now.term[s->index + i] = m->term;
    }
    m->now.last = s->index + s->n - 1;
    return logfile_append(durable_log(h->d), s->index, entries, s->n, NULL);
}

static int save_vote(struct house *h)
{
    struct model *m = &h->m;
    int rv = durable_save_vote(h->d, m->term + 1, vote_of(m->term + 1), NULL);
    m->term++;
    m->term_saved = rv == 0 ? m->term : m->term_saved;
    return rv;
}

static int put_checkpoint(struct house *h, struct place at)
{
    uint8_t bytes[16];
    int rv;
    put_u64(bytes, at.index);
    put_u64(bytes + 8, at.term);
    h->m.checkpoint = at;
    rv = slots_put_older(&h->checkpoint, bytes, sizeof bytes, NULL);
    if (rv == 0) {
        h->m.checkpoint_saved = at;
    }
    return rv;
}

static int note(struct house *h, uint64_t index)
{
    struct raft_buffer conf;
    struct replica_snapshot s = {.index = index, .term = h->m.now.term[index], .conf_index = 1};
    int rv;
    ck_assert_int_eq(conf_encode(members, 3, &conf, NULL), 0);
    s.conf = conf.base;
    s.conf_len = conf.len;
    rv = put_checkpoint(h, (struct place){index, s.term});
    rv = rv != 0 ? rv : durable_note_checkpoint(h->d, &s, NULL);
    raft_free(conf.base);
    return rv;
}

static int install(struct house *h, uint64_t index)
{
    struct model *m = &h->m;
    struct raft_buffer conf;
    struct replica_snapshot s = {.index = index, .term = m->term, .conf_index = 1};
    int rv;
    ck_assert_int_eq(conf_encode(members, 3, &conf, NULL), 0);
    s.conf = conf.base;
    s.conf_len = conf.len;
    rv = durable_install_begin(h->d, &s, NULL);
    rv = rv != 0 ? rv : put_checkpoint(h, (struct place){index, m->term});
    rv = rv != 0 ? rv : logfile_reset(durable_log(h->d), index, NULL);
    if (rv == 0) {
        durable_install_end(h->d);
        m->now.first = index + 1;
        m->now.last = index;
        m->durable = m->now;
        m->cut = UINT64_MAX;
        m->trimmed = index;
    }
    raft_free(conf.base);
    return rv;
}

static int run_step(struct house *h, const struct step *s)
{
    struct logfile *log = durable_log(h->d);
    int rv = 0;
    switch (s->op) {
    case APPEND:
    case BIG:
        return append(h, s);
    case FLUSH:
        rv = logfile_flush(log, NULL);
        if (rv == 0) {
            h->m.durable = h->m.now;
            h->m.cut = UINT64_MAX;
        }
        return rv;
    case VOTE:
        return save_vote(h);
    case MARK:
        return logfile_mark(log, NULL);
    case PREPARE:
        return logfile_prepare(log, NULL);
    case NOTE:
        return note(h, s->index);
    case TRIM:
        h->m.trimmed = s->index;
        return logfile_trim(log, s->index, NULL);
    case INSTALL:
        return install(h, s->index);
    case END:
        break;
    }
    return rv;
}

/* From an empty disk until everything is done (0) or the power goes. */
static int run(struct house *h, const struct script *script, uint64_t stop_after)
{
    int rv;
    memset(h, 0, sizeof *h);
    h->disk = simdisk_open(test_mem());
    simdisk_stop_after(h->disk, stop_after);
    h->m.now = (struct log_model){.first = 1, .last = 1, .term = {0, 1}};
    h->m.durable.first = 1;
    h->m.cut = UINT64_MAX;
    h->m.term = 1;
    rv = open_house(h, NULL);
    if (rv == 0) {
        h->m.durable = h->m.now;
        h->m.term_saved = 1;
    }
    for (const struct step *s = script->steps; rv == 0 && s->op != END; s++) {
        rv = run_step(h, s);
    }
    return rv;
}

/* --- checks ---------------------------------------------------------------------------------- */

static void check_entries(const struct model *m, const struct replica_boot *b)
{
    uint64_t last = b->first + b->n_entries - 1;
    uint64_t must = m->durable.last < m->cut ? m->durable.last : m->cut - 1;
    bool is_new = false;
    if (m->checkpoint.index > m->durable.last && b->first == m->checkpoint.index + 1 &&
        b->n_entries == 0) {
        return; /* The snapshot that was being installed has replaced all. */
    }
    ck_assert_uint_le(b->first, m->trimmed > m->now.first ? m->trimmed + 1 : m->now.first);
    ck_assert_uint_ge(last, must);
    for (uint64_t i = b->first; i <= last; i++) {
        const struct replica_entry *e = &b->entries[i - b->first];
        bool in_now = i <= m->now.last && m->now.term[i] == e->term;
        bool in_old = i <= m->durable.last && m->durable.term[i] == e->term;
        ck_assert_msg(in_now || (in_old && !is_new), "entry %u of term %u", (unsigned)i,
                      (unsigned)e->term);
        is_new = is_new || !in_old;
        if (i > 1) {
            check_payload(i, e);
        } else {
            ck_assert_int_eq(e->type, RAFT_CHANGE);
        }
    }
}

static void check_house(const struct house *h, const struct model *m)
{
    const struct replica_boot *b = durable_boot(h->d);
    ck_assert(b->term >= m->term_saved && b->term <= m->term);
    ck_assert_uint_eq(b->vote, vote_of(b->term));
    ck_assert(b->snapshot.index == m->checkpoint.index ||
              b->snapshot.index == m->checkpoint_saved.index);
    if (b->snapshot.index > 0) {
        ck_assert_uint_eq(b->snapshot.conf_index, 1);
        ck_assert_uint_gt(b->snapshot.conf_len, 0);
    }
    check_entries(m, b);
}

/* What was found is a promise from now on. */
static void adopt(struct house *h)
{
    const struct replica_boot *b = durable_boot(h->d);
    struct model *m = &h->m;
    memset(m, 0, sizeof *m);
    m->now.first = b->first;
    m->now.last = b->first + b->n_entries - 1;
    for (uint64_t i = 0; i < b->n_entries; i++) {
        m->now.term[b->first + i] = b->entries[i].term;
    }
    m->durable = m->now;
    m->cut = UINT64_MAX;
    m->trimmed = b->first - 1;
    m->term = b->term;
    m->term_saved = b->term;
    m->checkpoint = (struct place){b->snapshot.index, b->snapshot.term};
    m->checkpoint_saved = m->checkpoint;
}

static void must_open(struct house *h)
{
    struct err err = {0};
    ck_assert_msg(open_house(h, &err) == 0, "%s", err.text);
}

/* Opened for the second time: the same, and it goes on. */
static void check_again_and_go_on(struct house *h)
{
    struct step more;
    must_open(h);
    check_house(h, &h->m);
    ck_assert_uint_eq(durable_boot(h->d)->n_entries, h->m.now.last + 1 - h->m.now.first);
    more = (struct step){APPEND, h->m.now.last + 1, 2};
    ck_assert_int_eq(save_vote(h), 0);
    ck_assert_int_eq(append(h, &more), 0);
    ck_assert_int_eq(run_step(h, &(struct step){FLUSH, 0, 0}), 0);
    close_house(h);
    must_open(h);
    check_house(h, &h->m);
    ck_assert_uint_eq(durable_boot(h->d)->n_entries, h->m.now.last + 1 - h->m.now.first);
    close_house(h);
}

/* Take one outcome of the crash and all that follows from it. */
static void recover(const struct house *crashed, uint64_t outcome)
{
    struct house h = {.disk = simdisk_copy(crashed->disk), .m = crashed->m};
    simdisk_crash_to(h.disk, outcome);
    must_open(&h);
    check_house(&h, &crashed->m);
    adopt(&h);
    close_house(&h);
    check_again_and_go_on(&h);
    simdisk_close(h.disk);
}

/* Only the process died: it is started again, and then the power goes. What the second process
 * found it may have told others. */
static void recover_then_crash(const struct house *killed, struct prng *p)
{
    struct house h = {.disk = simdisk_copy(killed->disk), .m = killed->m};
    uint64_t n;
    must_open(&h);
    check_house(&h, &killed->m);
    adopt(&h);
    close_house(&h);
    n = simdisk_outcomes(h.disk);
    simdisk_crash_to(h.disk, prng_below(p, 2) == 0 ? 0 : prng_below(p, n));
    must_open(&h);
    ck_assert_uint_eq(durable_boot(h.d)->term, h.m.term);
    ck_assert_uint_ge(durable_boot(h.d)->first + durable_boot(h.d)->n_entries, h.m.now.last + 1);
    close_house(&h);
    simdisk_close(h.disk);
}

/* The power goes again, at every point of the recovery itself. */
static void crash_while_recovering(const struct house *crashed, uint64_t outcome)
{
    for (uint64_t k = 0;; k++) {
        struct house h = {.disk = simdisk_copy(crashed->disk), .m = crashed->m};
        int rv;
        simdisk_crash_to(h.disk, outcome);
        simdisk_stop_after(h.disk, k);
        rv = open_house(&h, NULL);
        close_house(&h);
        simdisk_crash_to(h.disk, k % simdisk_outcomes(h.disk));
        must_open(&h);
        check_house(&h, &crashed->m);
        close_house(&h);
        simdisk_close(h.disk);
        if (rv == 0) {
            ck_assert_uint_gt(k, 0);
            return;
        }
    }
}

START_TEST(every_crash_point_is_recovered_from)
    {
        const struct script *script = &scripts[_i];
        static struct house h;
        struct prng p;
        unsigned recovered = 0;
        uint64_t points;
        prng_init(&p, (uint64_t)_i);
        ck_assert_int_eq(run(&h, script, UINT64_MAX), 0);
        points = simdisk_spent(h.disk);
        close_house(&h);
        simdisk_close(h.disk);
        for (uint64_t k = 0; k <= points; k++) {
            uint64_t n;
            ck_assert_int_eq(run(&h, script, k) == 0, k == points);
            close_house(&h);
            simdisk_kill(h.disk);
            n = simdisk_outcomes(h.disk);
            for (uint64_t i = 0; i < n && i < OUTCOMES_MAX; i++, recovered++) {
                uint64_t outcome = n <= OUTCOMES_MAX ? i : i == 0 ? n - 1 : prng_below(&p, n);
                recover(&h, i == 1 ? 0 : outcome);
            }
            recover_then_crash(&h, &p);
            if (k % 7 == 0) {
                crash_while_recovering(&h, n - 1);
            }
            simdisk_close(h.disk);
        }
        ck_assert_msg(recovered >= script->outcomes_min, "%s: only %u", script->name, recovered);
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

/* --- the vote alone, over two crashes -------------------------------------------------------- */

/* Save votes until the power goes. */
static void vote_until_stopped(struct house *h, uint64_t stop_after)
{
    simdisk_stop_after(h->disk, stop_after);
    for (int i = 0; i < 2; i++) {
        if (save_vote(h) != 0) {
            break;
        }
    }
    close_house(h);
    simdisk_kill(h->disk);
}

static void check_vote(struct house *h)
{
    must_open(h);
    check_house(h, &h->m);
    adopt(h);
}

/* Two crashes: what the first one left is a promise when the second one comes. */
START_TEST(a_vote_survives_any_two_crashes)
    {
        static const struct script none = {.name = "nothing"};
        static struct house first;
        unsigned tried = 0;
        ck_assert_int_eq(run(&first, &none, UINT64_MAX), 0);
        close_house(&first);
        for (uint64_t j = 0; j < 200; j++) {
            for (uint64_t k = 0; k < 200; k += 3 + j % 4) {
                for (unsigned kept = 0; kept < 4; kept++, tried++) {
                    struct house h = {.disk = simdisk_copy(first.disk), .m = first.m};
                    uint64_t n;
                    must_open(&h);
                    vote_until_stopped(&h, j);
                    if ((kept & 1) != 0) {
                        simdisk_crash_to(h.disk, simdisk_outcomes(h.disk) - 1);
                    }
                    check_vote(&h);
                    vote_until_stopped(&h, k);
                    n = simdisk_outcomes(h.disk);
                    simdisk_crash_to(h.disk, (kept & 2) != 0 ? n - 1 : 0);
                    check_vote(&h);
                    close_house(&h);
                    simdisk_close(h.disk);
                }
            }
        }
        ck_assert_uint_gt(tried, 30000);
        simdisk_close(first.disk);
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

static void flip(struct house *h, uint64_t at)
{
    uint8_t byte;
    ck_assert(simdisk_peek(h->disk, "vote", at, &byte, 1));
    byte ^= (uint8_t)(1u << (at % 8));
    ck_assert(simdisk_poke(h->disk, "vote", at, &byte, 1));
}

/* Each byte of one copy, then one of the other as well. */
static void rot(struct house *h)
{
    for (uint64_t at = 0; at < 48; at++) {
        for (uint64_t copy = 0; copy < 2; copy++) {
            struct house damaged = {.disk = simdisk_copy(h->disk), .m = h->m};
            struct err err = {0};
            flip(&damaged, copy * 8192 + at);
            must_open(&damaged);
            check_house(&damaged, &damaged.m);
            close_house(&damaged);
            flip(&damaged, at);
            flip(&damaged, 8192 + 47 - at);
            ck_assert_int_eq(open_house(&damaged, &err), ERR_CORRUPT);
            ck_assert_ptr_nonnull(strstr(err.text, "vote: both copies are damaged"));
            ck_assert_ptr_nonnull(strstr(err.text, "offset 8192"));
            close_house(&damaged);
            simdisk_close(damaged.disk);
        }
    }
}

/* Wherever a crash came between the two copies: after a restart either of them tells all. */
START_TEST(a_rotten_byte_of_the_vote_is_harmless_or_refused)
    {
        static const struct script none = {.name = "nothing"};
        static struct house first;
        ck_assert_int_eq(run(&first, &none, UINT64_MAX), 0);
        close_house(&first);
        for (uint64_t k = 0; k < 200; k += 3) {
            struct house h = {.disk = simdisk_copy(first.disk), .m = first.m};
            must_open(&h);
            vote_until_stopped(&h, k);
            check_vote(&h);
            close_house(&h);
            rot(&h);
            simdisk_close(h.disk);
        }
        simdisk_close(first.disk);
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("crash_points");
    TCase *scripted = tcase_create("scripts");
    (void)mallopt(M_TRIM_THRESHOLD, 64 << 20); /* Thousands of disks come and go. */
    tcase_set_timeout(scripted, 300);
    tcase_add_loop_test(scripted, every_crash_point_is_recovered_from, 0,
                        (int)(sizeof scripts / sizeof scripts[0]));
    suite_add_tcase(s, scripted);
    TEST_CASE(s, "votes", 300, a_vote_survives_any_two_crashes,
              a_rotten_byte_of_the_vote_is_harmless_or_refused);
    return test_run(s);
}
