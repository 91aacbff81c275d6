/* Every crash point of what a controller writes for consensus: log, vote, members, watermark.
 *
 * A script of operations starts on an empty disk. Each byte written and each other operation counts
 * one; for every k the power goes after k of them, and for every state that this can leave on the
 * disk (any subset of unsynced sectors, any number of the changes of names) the files are opened
 * again. Then what was acknowledged is there, nothing is there that was not written, opening once
 * more finds the same, and the log goes on.
 */
#include "common/base/prng.h"
#include "tests/unit/controller/raftio/durable_house.h"

#include <malloc.h>
#include <string.h>

#define OUTCOMES_MAX 6u /* More are sampled, with the first and the last. */

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

/* A copy of a house after the power went or the process died. */
static struct house copy_of(const struct house *h)
{
    struct house copy = {.disk = simdisk_copy(h->disk), .m = h->m};
    copy.ops = simdisk_disk(copy.disk);
    return copy;
}

/* From an empty disk until everything is done (0) or the power goes. */
static int run(struct house *h, const struct script *script, uint64_t stop_after)
{
    memset(h, 0, sizeof *h);
    h->disk = simdisk_open(test_mem());
    simdisk_stop_after(h->disk, stop_after);
    return run_script(h, simdisk_disk(h->disk), script);
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
    struct house h = copy_of(crashed);
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
    struct house h = copy_of(killed);
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
        struct house h = copy_of(crashed);
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
            if (k % 2 == 0) {
                recover_then_crash(&h, &p);
            }
            if (k % 31 == 0) {
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
                    struct house h = copy_of(&first);
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
            struct house damaged = copy_of(h);
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
            struct house h = copy_of(&first);
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
