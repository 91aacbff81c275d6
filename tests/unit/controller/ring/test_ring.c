/* The ring by hand: a log that is a variable, a clock that is a number. */
#include "controller/ring/ring.h"

#include "controller/core/feature.h"
#include "tests/lib/test.h"

#include <stdlib.h>
#include <string.h>

enum { WRITES = 8, LONG = 64 };

struct rig;

struct asking {
    struct ring_write w;
    struct rig *rig;
    char name[16];
    int decided;
    int status;
    int n_done;
    bool rejected;
};

struct rig {
    struct codec *codec;
    struct ring *ring;
    int64_t wall;
    uint64_t mono;
    uint64_t random;
    uint8_t *entry;
    size_t len;
    unsigned n_proposed;
    int refuse;
    uint32_t voters_level; /* 0: a voter is missing. */
    bool behind;
    unsigned n_woken;
    unsigned n_rows;
    unsigned n_changed;
    struct ring_point point;
    unsigned n_told; /* Refusals. */
    struct asking asking[WRITES];
};

static int64_t wall_ms(void *ctx)
{
    return ((struct rig *)ctx)->wall;
}

static uint64_t mono_ms(void *ctx)
{
    return ((struct rig *)ctx)->mono;
}

static uint64_t some_random(void *ctx)
{
    return ++((struct rig *)ctx)->random;
}

static uint32_t voters_level(void *ctx)
{
    return ((struct rig *)ctx)->voters_level;
}

static int take(void *ctx, const uint8_t *bytes, size_t len, struct err *err)
{
    struct rig *r = ctx;
    if (r->refuse != 0) {
        return err_set(err, r->refuse, "refused");
    }
    free(r->entry);
    r->entry = malloc(len);
    ck_assert_ptr_nonnull(r->entry);
    memcpy(r->entry, bytes, len);
    r->len = len;
    r->n_proposed++;
    return 0;
}

static int ask(void *ctx, struct ring_read *read, struct err *err)
{
    (void)ctx;
    (void)read;
    return err_set(err, ERR_AGAIN, "not ready");
}

static void wake(void *ctx)
{
    ((struct rig *)ctx)->n_woken++;
}

static void wake_after(void *ctx, uint64_t ms)
{
    (void)ctx;
    (void)ms;
}

static void row(void *ctx, uint8_t kind, uint32_t slot, const uint8_t *bytes, size_t n)
{
    (void)kind;
    (void)slot;
    (void)bytes;
    (void)n;
    ((struct rig *)ctx)->n_rows++;
}

static void commit(void *ctx, const struct ring_point *point)
{
    ((struct rig *)ctx)->point = *point;
}

static bool keeps_up(void *ctx)
{
    return !((struct rig *)ctx)->behind;
}

static void changed(void *ctx, const struct changes *changes)
{
    (void)changes;
    ((struct rig *)ctx)->n_changed++;
}

static void refused(void *ctx, uint32_t n_commands, const struct err *err)
{
    (void)n_commands;
    (void)err;
    ((struct rig *)ctx)->n_told++;
}

__attribute__((noreturn)) static void die(void *ctx, const char *event, const struct err *err)
{
    (void)ctx;
    ck_abort_msg("%s: %s", event, err->text);
    abort();
}

static const struct ring_io io = {
    .wall_ms = wall_ms,
    .mono_ms = mono_ms,
    .random = some_random,
    .propose = take,
    .ask = ask,
    .voters_level = voters_level,
    .wake = wake,
    .wake_after = wake_after,
    .row = row,
    .commit = commit,
    .keeps_up = keeps_up,
    .changed = changed,
    .refused = refused,
    .die = die,
};

/* A ring without a state, so without an identity. */
static void rig_open_new(struct rig *r)
{
    static const struct leader_settings settings = {30000, 10000, 1000, 0};
    struct err err = {0};
    memset(r, 0, sizeof *r);
    r->wall = 1000000;
    ck_assert_int_eq(codec_open(test_mem(), &r->codec, &err), 0);
    r->ring = ring_open(r->codec, &settings, &io, r, test_mem());
}

static void rig_open(struct rig *r)
{
    struct store *store = store_open(test_mem());
    struct command cmd = {.kind = CMD_IDENTITY};
    struct changes changes;
    struct result result;
    rig_open_new(r);
    changes_init(&changes, test_mem());
    store_apply(store, &cmd, &changes, &result);
    changes_close(&changes);
    ring_take_state(r->ring, store, 1);
    r->n_changed = 0;
}

static void rig_close(struct rig *r)
{
    ring_abandon(r->ring);
    ring_close(r->ring);
    codec_close(r->codec);
    free(r->entry);
    ck_assert_uint_eq(test_mem_in_use(), 0);
}

static int decide(struct ring_write *w, struct command *cmd, struct arena *arena, struct err *err)
{
    struct asking *a = container_of(w, struct asking, w);
    (void)arena;
    (void)err;
    if (a->decided != 0) {
        return a->decided;
    }
    cmd->kind = CMD_CLUSTER_CREATE;
    cmd->u.cluster.name = str_of(a->name);
    return 0;
}

static void done(struct ring_write *w, int status, const struct result *result,
                 const struct err *err)
{
    struct asking *a = container_of(w, struct asking, w);
    (void)err;
    a->status = status;
    a->rejected = result != NULL && result->reject != REJECT_NONE;
    a->n_done++;
}

static struct asking *submit(struct rig *r, unsigned i, int decided)
{
    struct asking *a = &r->asking[i];
    memset(a, 0, sizeof *a);
    a->name[0] = (char)('a' + (int)i);
    a->decided = decided;
    a->w.decide = decide;
    a->w.done = done;
    ring_submit(r->ring, &a->w);
    ck_assert_int_eq(a->n_done, 0); /* Never from inside. */
    return a;
}

static void applied(struct rig *r, uint64_t index, bool ours)
{
    ring_apply(r->ring, index, 1, r->entry, r->len, ours);
}

START_TEST(one_batch_is_in_flight_and_the_next_one_fills)
    {
        struct rig r;
        rig_open(&r);
        ring_lead(r.ring);
        submit(&r, 0, 0);
        ring_turn(r.ring);
        ck_assert_uint_eq(r.n_proposed, 1);
        submit(&r, 1, 0);
        submit(&r, 2, 0);
        ring_turn(r.ring);
        ck_assert_uint_eq(r.n_proposed, 1);
        applied(&r, 2, true);
        ck_assert_int_eq(r.asking[0].n_done, 1);
        ck_assert_int_eq(r.asking[0].status, 0);
        ck_assert_uint_eq(r.point.index, 2);
        ck_assert_uint_eq(r.n_rows, 2); /* The cluster and META. */
        ring_turn(r.ring);
        ck_assert_uint_eq(r.n_proposed, 2);
        applied(&r, 3, true);
        ck_assert_int_eq(r.asking[1].n_done + r.asking[2].n_done, 2);
        ck_assert_uint_eq(store_count(ring_store(r.ring), KIND_CLUSTER), 3);
        ck_assert_uint_eq(store_meta(ring_store(r.ring))->revision, 4);
        rig_close(&r);
    }
END_TEST

START_TEST(the_first_leader_names_the_control_plane_once)
    {
        struct rig r;
        struct id id;
        rig_open_new(&r);
        r.voters_level = FEATURE_LEVEL;
        ring_turn(r.ring);
        ck_assert_uint_eq(r.n_proposed, 0);
        ring_lead(r.ring);
        ring_turn(r.ring);
        applied(&r, 1, true); /* The feature level comes first. */
        ck_assert_uint_eq(store_meta(ring_store(r.ring))->feature_level, FEATURE_LEVEL);
        r.n_proposed = 0;
        r.refuse = ERR_FULL;
        ring_turn(r.ring);
        r.refuse = 0;
        ring_turn(r.ring); /* Not again at once. */
        ck_assert_uint_eq(r.n_proposed, 0);
        r.mono += 1000;
        ring_turn(r.ring);
        ck_assert_uint_eq(r.n_proposed, 1);
        applied(&r, 2, true);
        id = store_meta(ring_store(r.ring))->cluster_id;
        ck_assert(!id_is_none(id));
        ck_assert_uint_eq(store_meta(ring_store(r.ring))->epoch, 1);
        ring_turn(r.ring);
        ck_assert_uint_eq(r.n_proposed, 1);
        rig_close(&r);
    }
END_TEST

static uint32_t level(const struct rig *r)
{
    return store_meta(ring_store(r->ring))->feature_level;
}

static bool named(const struct rig *r)
{
    return !id_is_none(store_meta(ring_store(r->ring))->cluster_id);
}

/* A cluster that was never anything else goes up as soon as all its voters are heard. */
START_TEST(a_new_cluster_gets_its_level_when_all_voters_have_announced_it)
    {
        struct rig r;
        rig_open_new(&r);
        ring_lead(r.ring);
        ring_turn(r.ring); /* One is missing: the level that every program knows. */
        applied(&r, 1, true);
        ck_assert_uint_eq(level(&r), 1);
        ring_turn(r.ring);
        ck_assert_uint_eq(r.n_proposed, 1);
        r.voters_level = FEATURE_LEVEL;
        ring_turn(r.ring);
        applied(&r, 2, true);
        ck_assert_uint_eq(level(&r), FEATURE_LEVEL);
        ck_assert(!named(&r));
        ring_turn(r.ring);
        applied(&r, 3, true);
        ck_assert(named(&r));
        rig_close(&r);
    }
END_TEST

/* One that is older keeps its level for a day, so that its upgrade can be undone. */
START_TEST(an_old_cluster_keeps_its_level_while_there_may_be_a_way_back)
    {
        struct rig r;
        rig_open_new(&r);
        ring_lead(r.ring);
        r.voters_level = 1;
        submit(&r, 0, 0);
        ring_turn(r.ring);
        applied(&r, 1, true);
        ring_follow(r.ring);
        ck_assert_uint_gt(store_meta(ring_store(r.ring))->revision, 0);
        ((struct meta *)(uintptr_t)store_meta(ring_store(r.ring)))->feature_level = 0; /* 0.1.0 */
        ring_lead(r.ring);
        r.voters_level = FEATURE_LEVEL;
        r.n_proposed = 0;
        r.mono += 5;
        ring_turn(r.ring);
        r.mono += RING_LEVEL_WAIT_MS - 1;
        ring_turn(r.ring);
        ck_assert_uint_eq(r.n_proposed, 0);
        r.voters_level = 0; /* One goes away: the day begins again. */
        ring_turn(r.ring);
        r.voters_level = FEATURE_LEVEL;
        r.mono += 1;
        ring_turn(r.ring);
        ck_assert_uint_eq(r.n_proposed, 0);
        r.mono += RING_LEVEL_WAIT_MS;
        ring_turn(r.ring);
        ck_assert_uint_eq(r.n_proposed, 1);
        applied(&r, 2, true);
        ck_assert_uint_eq(level(&r), FEATURE_LEVEL);
        rig_close(&r);
    }
END_TEST

START_TEST(what_was_in_flight_when_leadership_went_is_unknown_and_the_rest_was_not_tried)
    {
        struct rig r;
        rig_open(&r);
        ring_lead(r.ring);
        submit(&r, 0, 0);
        ring_turn(r.ring);
        submit(&r, 1, 0);
        ring_lost(r.ring);
        ring_follow(r.ring);
        ck_assert_int_eq(r.asking[0].status, ERR_UNKNOWN);
        ck_assert_int_eq(r.asking[1].n_done, 0);
        ring_turn(r.ring);
        ck_assert_int_eq(r.asking[1].status, ERR_NOTLEADER);
        applied(&r, 2, false); /* It was carried out after all. */
        ck_assert_uint_eq(store_count(ring_store(r.ring), KIND_CLUSTER), 1);
        ck_assert_int_eq(r.asking[0].n_done, 1);
        rig_close(&r);
    }
END_TEST

START_TEST(a_follower_refuses_and_says_so_later)
    {
        struct rig r;
        struct asking *a;
        rig_open(&r);
        a = submit(&r, 0, 0);
        ck_assert_uint_gt(r.n_woken, 0);
        ring_turn(r.ring);
        ck_assert_int_eq(a->status, ERR_NOTLEADER);
        rig_close(&r);
    }
END_TEST

START_TEST(a_decision_may_need_no_command_or_fail)
    {
        struct rig r;
        rig_open(&r);
        ring_lead(r.ring);
        submit(&r, 0, 1);
        submit(&r, 1, ERR_INVALID);
        ring_turn(r.ring);
        ck_assert_uint_eq(r.n_proposed, 0);
        ck_assert_int_eq(r.asking[0].n_done, 1);
        ck_assert_int_eq(r.asking[0].status, 0);
        ck_assert_int_eq(r.asking[1].status, ERR_INVALID);
        rig_close(&r);
    }
END_TEST

START_TEST(a_log_that_takes_nothing_is_an_answer_told_once)
    {
        struct rig r;
        rig_open(&r);
        ring_lead(r.ring);
        r.refuse = ERR_FULL;
        submit(&r, 0, 0);
        ring_turn(r.ring);
        submit(&r, 1, 0);
        ring_turn(r.ring);
        ck_assert_int_eq(r.asking[0].status, ERR_FULL);
        ck_assert_int_eq(r.asking[1].status, ERR_FULL);
        ck_assert_uint_eq(r.n_told, 1);
        ck_assert_uint_eq(ring_status(r.ring).n_rejected, 2);
        r.refuse = 0;
        submit(&r, 2, 0);
        ring_turn(r.ring);
        ck_assert_uint_eq(r.n_proposed, 1);
        rig_close(&r);
    }
END_TEST

START_TEST(nothing_is_proposed_while_the_checkpoint_is_too_far_behind)
    {
        struct rig r;
        rig_open(&r);
        ring_lead(r.ring);
        r.behind = true;
        submit(&r, 0, 0);
        ring_turn(r.ring);
        ck_assert_uint_eq(r.n_proposed, 0);
        r.behind = false;
        ring_turn(r.ring);
        ck_assert_uint_eq(r.n_proposed, 1);
        rig_close(&r);
    }
END_TEST

START_TEST(time_goes_on_when_the_wall_clock_is_set_back)
    {
        struct rig r;
        rig_open(&r);
        ring_lead(r.ring);
        submit(&r, 0, 0);
        ring_turn(r.ring);
        applied(&r, 2, true);
        r.wall -= 500000;
        r.mono += 70;
        ck_assert_int_eq(ring_now_ms(r.ring), 1000070);
        rig_close(&r);
    }
END_TEST

/* A day ahead would end the life of every token. The error is followed by a tenth of the time that
 * passes, so that a real correction arrives too. */
START_TEST(time_does_not_leap_when_the_wall_clock_does)
    {
        struct rig r;
        int64_t now;
        int64_t began;
        rig_open(&r);
        ring_lead(r.ring);
        began = ring_now_ms(r.ring);
        r.wall += 86400000;
        for (int s = 1; s <= 100; s++) {
            r.mono += 1000;
            r.wall += 1000;
            now = ring_now_ms(r.ring);
            ck_assert_int_ge(now - began, s * 1000);
            ck_assert_int_le(now - began, s * 1100);
        }
        r.mono += 86400000; /* Nobody asked for a day: still no leap. */
        r.wall += 86400000;
        ck_assert_int_le(ring_now_ms(r.ring) - began, 86400000 + 110000 + 60000);
        r.wall = began + 86500000 + 15000; /* The clock is right again, give or take. */
        for (int s = 1; s <= 3000; s++) {
            r.mono += 1000;
            r.wall += 1000;
            now = ring_now_ms(r.ring);
        }
        ck_assert_int_eq(now, r.wall);
        rig_close(&r);
    }
END_TEST

START_TEST(whoever_waits_is_answered_at_the_end)
    {
        struct rig r;
        rig_open(&r);
        ring_lead(r.ring);
        submit(&r, 0, 0);
        ring_turn(r.ring);
        submit(&r, 1, 0);
        ring_stop(r.ring);
        submit(&r, 2, 0);
        ring_abandon(r.ring);
        ck_assert_int_eq(r.asking[0].status, ERR_UNKNOWN);
        ck_assert_int_eq(r.asking[1].status, ERR_CLOSED);
        ck_assert_int_eq(r.asking[2].status, ERR_CLOSED);
        rig_close(&r);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("ring");
    TEST_CASE(s, "ring", LONG, one_batch_is_in_flight_and_the_next_one_fills,
              the_first_leader_names_the_control_plane_once,
              a_new_cluster_gets_its_level_when_all_voters_have_announced_it,
              an_old_cluster_keeps_its_level_while_there_may_be_a_way_back,
              what_was_in_flight_when_leadership_went_is_unknown_and_the_rest_was_not_tried,
              a_follower_refuses_and_says_so_later, a_decision_may_need_no_command_or_fail,
              a_log_that_takes_nothing_is_an_answer_told_once,
              nothing_is_proposed_while_the_checkpoint_is_too_far_behind,
              time_goes_on_when_the_wall_clock_is_set_back,
              time_does_not_leap_when_the_wall_clock_does, whoever_waits_is_answered_at_the_end);
    return test_run(s);
}
