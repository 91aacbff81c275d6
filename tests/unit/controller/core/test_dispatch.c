/* The dispatcher between a store, a leader and toy agents: what agents are told, in what order, and
 * that both sides end up agreeing whatever happens to the streams between them. */
#include "controller/core/dispatch.h"

#include "common/base/prng.h"
#include "controller/core/leader.h"
#include "tests/lib/test.h"
#include "tests/lib/world.h"

#include <stdlib.h>
#include <string.h>

enum { AGENTS = 5, TASKS = 64, SILENT_MS = 5000, OUTS = 16 };

struct toy { /* What an agent remembers of a task. */
    struct id id;
    bool used;
    uint8_t status;
    bool stop;
    bool named; /* In the full list that is being read. */
    bool due;   /* To be reported. */
};

struct agent {
    uint64_t n; /* Of its node. */
    struct dispatch_session *s;
    struct toy tasks[TASKS];
    bool in_full;
    uint64_t last; /* Assignments number. */
    uint64_t report;
    uint64_t report_acked;
    bool closed; /* Told to end the stream. */
};

struct rig {
    struct world w;
    struct leader *l;
    struct dispatch *d;
    struct arena arena;
    struct agent agents[AGENTS];
    uint64_t n_forgotten;
    uint64_t n_strays;
};

static const struct dispatch_settings settings = {SILENT_MS, 3, 2, 10, 1000};

static void follow(struct world *w, const struct command *cmd)
{
    struct rig *r = w->data;
    (void)cmd;
    leader_changed(r->l, &w->changes);
    dispatch_changed(r->d, &w->changes);
}

static void open_rig(struct rig *r)
{
    static const struct leader_settings leader = {30000, 0, 1000, 0};
    memset(r, 0, sizeof *r);
    world_open(&r->w);
    arena_init(&r->arena, test_mem());
    r->l = leader_open(r->w.store, &leader, r->w.now, test_mem());
    r->d = dispatch_open(r->w.store, &settings, test_mem());
    r->w.data = r;
    r->w.after = follow;
    ck_assert(world_cluster(&r->w, "c"));
    ck_assert(world_taskdef(&r->w, "f", 10, 10, 0));
    for (uint64_t i = 0; i < AGENTS; i++) {
        r->agents[i].n = i;
    }
}

static void close_rig(struct rig *r)
{
    dispatch_close(r->d);
    leader_close(r->l);
    arena_close(&r->arena);
    world_close(&r->w);
    ck_assert_uint_eq(test_mem_in_use(), 0);
}

/* --- toy agents ----------------------------------------------------------------------------------
 */

static struct toy *find_toy(struct agent *a, struct id id)
{
    for (int i = 0; i < TASKS; i++) {
        if (a->tasks[i].used && id_eq(a->tasks[i].id, id)) {
            return &a->tasks[i];
        }
    }
    return NULL;
}

static struct toy *add_toy(struct agent *a, struct id id)
{
    for (int i = 0; i < TASKS; i++) {
        if (!a->tasks[i].used) {
            a->tasks[i] = (struct toy){.id = id, .used = true, .status = TASK_PENDING};
            return &a->tasks[i];
        }
    }
    ck_abort_msg("too many tasks for a toy");
    return NULL;
}

static void connect(struct rig *r, struct agent *a)
{
    struct dispatch_inventory items[TASKS];
    uint32_t n = 0;
    if (!world_node(&r->w, "c", a->n, 1000, 1000)) {
        return;
    }
    for (int i = 0; i < TASKS; i++) {
        if (a->tasks[i].used) {
            items[n] = (struct dispatch_inventory){a->tasks[i].id, a->tasks[i].status};
            a->tasks[i].due = true;
            n++;
        }
    }
    a->last = 0;
    a->report = 0;
    a->report_acked = 0;
    a->in_full = false;
    a->closed = false;
    a->s = dispatch_connect(r->d, r->w.result.slot, r->w.result.revision, items, n, a, r->w.now);
    leader_heartbeat(r->l, world_id(a->n), r->w.now);
}

static void disconnect(struct rig *r, struct agent *a)
{
    if (a->s != NULL) {
        dispatch_disconnect(r->d, a->s);
        a->s = NULL;
    }
}

static void assign(struct rig *r, struct agent *a, const struct dispatch_out *out)
{
    ck_assert_uint_eq(out->number, a->last + 1);
    ck_assert_uint_le(out->n_tasks, settings.tasks_max);
    ck_assert_uint_le(out->n_forget, settings.tasks_max);
    ck_assert(out->number > 1 || out->full);
    a->last = out->number;
    if (out->full && !a->in_full) {
        a->in_full = true;
        for (int i = 0; i < TASKS; i++) {
            a->tasks[i].named = false;
        }
    }
    for (uint32_t i = 0; i < out->n_tasks; i++) {
        struct toy *t = find_toy(a, out->tasks[i].id);
        r->n_strays += out->tasks[i].slot == SLOT_NONE;
        t = t == NULL ? add_toy(a, out->tasks[i].id) : t;
        t->named = true;
        t->due = true;
        t->stop |= out->tasks[i].stop;
    }
    for (uint32_t i = 0; i < out->n_forget; i++) {
        struct toy *t = find_toy(a, out->forget[i]);
        if (t != NULL) {
            ck_assert_uint_eq(t->status, TASK_STOPPED);
            t->used = false;
            r->n_forgotten++;
        }
    }
    if (out->full_end) {
        a->in_full = false;
        for (int i = 0; i < TASKS; i++) {
            a->tasks[i].stop |= a->tasks[i].used && !a->tasks[i].named;
        }
    }
}

/* Everything the dispatcher has to say now. */
static void deliver(struct rig *r)
{
    struct dispatch_out out[OUTS];
    uint32_t n;
    do {
        n = dispatch_step(r->d, r->w.now, out, OUTS, &r->arena);
        for (uint32_t i = 0; i < n; i++) {
            struct agent *a = out[i].data;
            if (out[i].session != a->s) {
                ck_assert_uint_eq(out[i].kind, DISPATCH_CLOSE);
                continue;
            }
            ck_assert(!a->closed);
            switch ((enum dispatch_kind)out[i].kind) {
            case DISPATCH_ASSIGN:
                assign(r, a, &out[i]);
                break;
            case DISPATCH_REPORTS_ACK:
                ck_assert_uint_gt(out[i].number, a->report_acked);
                ck_assert_uint_le(out[i].number, a->report);
                a->report_acked = out[i].number;
                break;
            case DISPATCH_CLOSE:
                a->closed = true;
                break;
            }
        }
        arena_clear(&r->arena);
    } while (n == OUTS);
}

/* Acknowledge, act on what was said, report. */
static void act(struct rig *r, struct agent *a)
{
    struct task_report reports[TASKS];
    uint32_t n = 0;
    struct err err = {0};
    if (a->closed) {
        disconnect(r, a);
    }
    for (int i = 0; i < TASKS; i++) {
        struct toy *t = &a->tasks[i];
        uint8_t status = t->stop ? TASK_STOPPED : TASK_RUNNING;
        if (t->used && t->status < status) {
            t->status = status;
            t->due = true;
        }
        if (t->used && t->due && a->s != NULL) {
            reports[n] = (struct task_report){.id = t->id, .status = t->status};
            t->due = false;
            n++;
        }
    }
    if (a->s == NULL) {
        return;
    }
    dispatch_heard(r->d, a->s, r->w.now);
    leader_heartbeat(r->l, world_id(a->n), r->w.now);
    ck_assert_int_eq(dispatch_ack(r->d, a->s, a->last, &err), 0);
    if (n > 0) {
        a->report++;
        ck_assert_int_eq(dispatch_report(r->d, a->s, a->report, reports, n, &err), 0);
    }
}

/* --- the controller's side -----------------------------------------------------------------------
 */

static void take(struct rig *r, bool lose)
{
    struct command cmds[4];
    uint32_t n = dispatch_take(r->d, r->w.now, cmds, 4, &r->arena);
    if (n > 0) {
        struct command again;
        ck_assert_uint_eq(dispatch_take(r->d, r->w.now, &again, 1, &r->arena), 0);
    }
    for (uint32_t i = 0; i < n && !lose; i++) {
        ck_assert(world_apply(&r->w, &cmds[i]));
    }
    dispatch_settle(r->d, !lose);
    arena_clear(&r->arena);
}

static void pass(struct rig *r)
{
    struct command cmds[16];
    uint32_t n = leader_pass(r->l, r->w.now, cmds, 16, &r->arena);
    for (uint32_t i = 0; i < n; i++) {
        ck_assert(world_apply(&r->w, &cmds[i]));
    }
    leader_settle(r->l);
    arena_clear(&r->arena);
}

static void turn(struct rig *r)
{
    r->w.now += 100;
    pass(r);
    deliver(r);
    for (int i = 0; i < AGENTS; i++) {
        act(r, &r->agents[i]);
    }
    take(r, false);
    deliver(r);
}

/* --- tests ---------------------------------------------------------------------------------------
 */

START_TEST(a_node_is_told_everything_on_connection_and_differences_after_it)
    {
        struct rig r;
        struct dispatch_out out[OUTS];
        struct err err = {0};
        open_rig(&r);
        ck_assert(world_node(&r.w, "c", 0, 1000, 1000));
        for (int i = 0; i < 4; i++) {
            ck_assert(world_run(&r.w, 0, 0, 0));
        }
        connect(&r, &r.agents[0]);
        ck_assert_uint_eq(dispatch_step(r.d, r.w.now, out, OUTS, &r.arena), 2);
        ck_assert(out[0].full && !out[0].full_end);
        ck_assert_uint_eq(out[0].n_tasks, 3);
        ck_assert(out[1].full && out[1].full_end);
        ck_assert_uint_eq(out[1].n_tasks, 1);
        ck_assert(world_run(&r.w, 0, 0, 0));
        ck_assert_uint_eq(dispatch_step(r.d, r.w.now, out, OUTS, &r.arena), 0); /* The window. */
        ck_assert_int_eq(dispatch_ack(r.d, r.agents[0].s, 1, &err), 0);
        ck_assert_uint_eq(dispatch_step(r.d, r.w.now, out, OUTS, &r.arena), 1);
        ck_assert(!out[0].full);
        ck_assert_uint_eq(out[0].n_tasks, 1);
        ck_assert(!out[0].tasks[0].stop);
        ck_assert_int_eq(dispatch_ack(r.d, r.agents[0].s, 9, &err), ERR_PROTOCOL);
        disconnect(&r, &r.agents[0]);
        close_rig(&r);
    }
END_TEST

START_TEST(a_task_that_runs_and_stops_is_told_acknowledged_and_forgotten)
    {
        struct rig r;
        struct id id;
        struct agent *a = &r.agents[0];
        open_rig(&r);
        connect(&r, a);
        ck_assert(world_run(&r.w, 0, 0, 0));
        id = r.w.result.ids[0];
        turn(&r);
        turn(&r);
        ck_assert_uint_eq(store_task(r.w.store, 0)->status, TASK_RUNNING);
        ck_assert_uint_eq(a->report_acked, 1);
        ck_assert(world_stop(&r.w, "c", id));
        turn(&r);
        turn(&r);
        ck_assert_uint_eq(store_task(r.w.store, 0)->status, TASK_STOPPED);
        ck_assert_ptr_null(find_toy(a, id));
        ck_assert_uint_eq(r.n_forgotten, 1);
        disconnect(&r, a);
        close_rig(&r);
    }
END_TEST

START_TEST(inventory_and_state_are_made_to_agree)
    {
        struct rig r;
        struct agent *a = &r.agents[0];
        struct id lost;
        struct id stray = {7, 7};
        struct id ended = {8, 8};
        open_rig(&r);
        connect(&r, a);
        ck_assert(world_run(&r.w, 0, 0, 0));
        lost = r.w.result.ids[0];
        turn(&r);
        turn(&r);
        ck_assert_uint_eq(store_task(r.w.store, 0)->status, TASK_RUNNING);
        disconnect(&r, a);
        turn(&r);
        ck_assert(!store_node(r.w.store, 0)->connected);
        find_toy(a, lost)->used = false;
        add_toy(a, stray)->status = TASK_RUNNING;
        add_toy(a, ended)->status = TASK_STOPPED;
        connect(&r, a);
        turn(&r);
        turn(&r);
        turn(&r);
        ck_assert_uint_eq(store_task(r.w.store, 0)->status, TASK_STOPPED);
        ck_assert_uint_eq(store_task(r.w.store, 0)->stop_code, STOP_INFRASTRUCTURE);
        ck_assert_ptr_null(find_toy(a, stray));
        ck_assert_ptr_null(find_toy(a, ended));
        ck_assert_uint_eq(r.n_strays, 1);
        disconnect(&r, a);
        close_rig(&r);
    }
END_TEST

START_TEST(a_task_from_before_the_epoch_that_its_node_does_not_know_is_over)
    {
        struct rig r;
        struct agent *a = &r.agents[0];
        struct command epoch = {.kind = CMD_EPOCH};
        open_rig(&r);
        ck_assert(world_node(&r.w, "c", 0, 1000, 1000));
        ck_assert(world_run(&r.w, 0, 0, 0)); /* Never told to anybody, as far as the state knows. */
        epoch.u.epoch.epoch = 2;
        ck_assert(world_apply(&r.w, &epoch));
        r.w.now += 10;
        ck_assert(world_run(&r.w, 0, 0, 0));
        connect(&r, a);
        turn(&r);
        turn(&r);
        turn(&r);
        ck_assert_uint_eq(store_task(r.w.store, 0)->status, TASK_STOPPED);
        ck_assert_ptr_null(find_toy(a, store_task(r.w.store, 0)->id));
        ck_assert_uint_eq(store_task(r.w.store, 1)->status, TASK_RUNNING);
        disconnect(&r, a);
        close_rig(&r);
    }
END_TEST

static uint32_t count_held(struct rig *r, struct agent *a, const struct id *held, uint32_t n)
{
    struct dispatch_orphan news[OUTS];
    return dispatch_census(r->d, a->s, held, n, r->w.now, news, OUTS);
}

/* What a node runs and should not is an orphan once it has been there for a minute without a break,
 * for the reason the state gives; the node is told to stop it, and it is told of until it is gone.
 */
START_TEST(what_runs_for_a_minute_and_should_not_is_an_orphan)
    {
        struct rig r;
        struct agent *a = &r.agents[0];
        struct dispatch_orphan o[OUTS];
        struct id held[4] = {{0, 0}, {7, 7}, {0, 0}, {0, 0}};
        open_rig(&r);
        connect(&r, a);
        for (int i = 0; i < 2; i++) {
            ck_assert(world_run(&r.w, 0, 0, 0));
            held[2 * i] = r.w.result.ids[0];
        }
        ck_assert(world_node(&r.w, "c", 1, 1000, 1000));
        ck_assert(world_run(&r.w, 0, 0, 1));
        held[3] = r.w.result.ids[0]; /* The other node's. */
        for (int i = 0; i < 3; i++) {
            turn(&r);
        }
        ck_assert(world_stop(&r.w, "c", held[2]));
        for (int i = 0; i < 3; i++) {
            turn(&r);
        }
        ck_assert_uint_eq(store_task(r.w.store, 1)->status, TASK_STOPPED);
        ck_assert_uint_eq(count_held(&r, a, held, 4), 0);
        r.w.now += DISPATCH_ORPHAN_MS - 1;
        ck_assert_uint_eq(count_held(&r, a, held, 3), 0);
        ck_assert_uint_eq(dispatch_orphans(r.d, o, OUTS), 0);
        r.w.now += 1;
        ck_assert_uint_eq(count_held(&r, a, held, 4), 2); /* The last one was away for a while. */
        ck_assert_uint_eq(count_held(&r, a, held, 4), 0); /* Each is news once. */
        ck_assert_uint_eq(dispatch_orphans(r.d, o, OUTS), 2);
        ck_assert(id_eq(o[0].task, held[1]) && o[0].why == ORPHAN_UNKNOWN);
        ck_assert(id_eq(o[1].task, held[2]) && o[1].why == ORPHAN_STOPPED);
        ck_assert_uint_eq(dispatch_orphans(r.d, o, 1), 2);
        r.w.now += DISPATCH_ORPHAN_MS;
        ck_assert_uint_eq(count_held(&r, a, held + 3, 1), 1);
        ck_assert_uint_eq(dispatch_orphans(r.d, o, OUTS), 1);
        ck_assert(id_eq(o[0].task, held[3]) && o[0].why == ORPHAN_ELSEWHERE);
        ck_assert_uint_eq(count_held(&r, a, held, 1), 0);
        ck_assert_uint_eq(dispatch_orphans(r.d, o, OUTS), 0);
        disconnect(&r, a);
        close_rig(&r);
    }
END_TEST

START_TEST(a_second_session_silence_and_loss_end_a_session)
    {
        struct rig r;
        struct agent *a = &r.agents[0];
        struct dispatch_session *old;
        struct dispatch_out out[OUTS];
        open_rig(&r);
        connect(&r, a);
        deliver(&r);
        old = a->s;
        connect(&r, a);
        ck_assert_uint_ge(dispatch_step(r.d, r.w.now, out, 1, &r.arena), 1);
        ck_assert_uint_eq(out[0].kind, DISPATCH_CLOSE);
        ck_assert_ptr_eq(out[0].session, old);
        dispatch_disconnect(r.d, old);
        take(&r, false);
        ck_assert(store_node(r.w.store, 0)->connected);
        deliver(&r);
        r.w.now += SILENT_MS;
        deliver(&r);
        ck_assert(a->closed);
        disconnect(&r, a);
        take(&r, true);
        ck_assert(store_node(r.w.store, 0)->connected);
        take(&r, false);
        ck_assert(!store_node(r.w.store, 0)->connected);
        connect(&r, a);
        deliver(&r);
        ck_assert(world_connection(&r.w, 0, CONNECTION_LOST));
        deliver(&r);
        ck_assert(a->closed);
        disconnect(&r, a);
        connect(&r, a);
        ck_assert(world_node_deregister(&r.w, "c", 0, true));
        deliver(&r);
        ck_assert(a->closed);
        disconnect(&r, a);
        close_rig(&r);
    }
END_TEST

START_TEST(too_many_reports_and_wrong_numbers_are_refused)
    {
        struct rig r;
        struct task_report reports[600];
        struct err err = {0};
        open_rig(&r);
        connect(&r, &r.agents[0]);
        memset(reports, 0, sizeof reports);
        ck_assert_int_eq(dispatch_report(r.d, r.agents[0].s, 1, reports, 600, &err), 0);
        ck_assert_int_eq(dispatch_report(r.d, r.agents[0].s, 1, reports, 1, &err), ERR_PROTOCOL);
        ck_assert_int_eq(dispatch_report(r.d, r.agents[0].s, 2, reports, 600, &err), ERR_FULL);
        r.agents[0].report = 1;
        deliver(&r); /* None of them says anything about a task of ours. */
        ck_assert_uint_eq(r.agents[0].report_acked, 1);
        disconnect(&r, &r.agents[0]);
        close_rig(&r);
    }
END_TEST

/* --- at random -----------------------------------------------------------------------------------
 */

static void disturb(struct rig *r, struct prng *p)
{
    struct agent *a = &r->agents[prng_below(p, AGENTS)];
    const struct task *t;
    switch (prng_below(p, 12)) {
    case 0:
        (void)world_service(&r->w, "c", "s", "f", (uint32_t)prng_below(p, 20));
        break;
    case 1:
    case 2:
        (void)world_service_scale(&r->w, "c", "s", (uint32_t)prng_below(p, 20));
        break;
    case 3:
        disconnect(r, a);
        connect(r, a);
        break;
    case 4:
        disconnect(r, a);
        break;
    case 5: /* Something on the node breaks. */
        for (int i = 0; i < TASKS; i++) {
            a->tasks[i].stop |= prng_below(p, 4) == 0;
        }
        break;
    case 6: /* The machine starts anew with nothing on it. */
        disconnect(r, a);
        memset(a->tasks, 0, sizeof a->tasks);
        break;
    case 7:
        (void)world_connection(&r->w, a->n, CONNECTION_LOST);
        break;
    case 8:
        (void)world_node_state(&r->w, "c", a->n, (uint8_t)prng_below(p, 2));
        break;
    default:
        t = store_task(r->w.store, (uint32_t)prng_below(p, store_slots(r->w.store, KIND_TASK) + 1));
        if (t != NULL) {
            (void)world_stop(&r->w, "c", t->id);
        }
    }
}

static void random_turn(struct rig *r, struct prng *p)
{
    r->w.now += (int64_t)prng_below(p, 300);
    if (prng_below(p, 2) == 0) {
        pass(r);
    }
    if (prng_below(p, 2) == 0) {
        deliver(r);
    }
    for (int i = 0; i < AGENTS; i++) {
        if (prng_below(p, 2) == 0) {
            act(r, &r->agents[i]);
        }
    }
    take(r, prng_below(p, 4) == 0);
}

/* Each agent has exactly what the state says of its node. */
static void check_agreement(struct rig *r)
{
    uint32_t n_active = 0;
    uint32_t n_toys = 0;
    for (uint32_t i = 0; i < store_slots(r->w.store, KIND_TASK); i++) {
        const struct task *t = store_task(r->w.store, i);
        if (t != NULL && t->status != TASK_STOPPED) {
            struct id node = store_node(r->w.store, t->node)->id;
            ck_assert_uint_eq(t->status, TASK_RUNNING);
            ck_assert_uint_eq(t->desired, TASK_RUNNING);
            ck_assert_ptr_nonnull(find_toy(&r->agents[node.lo - 1], t->id));
            n_active++;
        }
    }
    for (int i = 0; i < AGENTS; i++) {
        for (int k = 0; k < TASKS; k++) {
            n_toys += r->agents[i].tasks[k].used;
        }
    }
    ck_assert_uint_eq(n_toys, n_active);
}

START_TEST(agents_and_state_agree_in_the_end_whatever_happens_to_the_streams)
    {
        struct rig r;
        struct prng p;
        struct dispatch_stats stats;
        open_rig(&r);
        prng_init(&p, 5u + (unsigned)_i);
        for (int i = 0; i < AGENTS; i++) {
            connect(&r, &r.agents[i]);
        }
        for (int round = 0; round < 100; round++) {
            for (int i = 0; i < 20; i++) {
                disturb(&r, &p);
                random_turn(&r, &p);
            }
            for (int i = 0; i < 40; i++) {
                for (int k = 0; k < AGENTS; k++) {
                    if (r.agents[k].s == NULL) {
                        connect(&r, &r.agents[k]);
                    }
                    (void)world_node_state(&r.w, "c", (uint64_t)k, NODE_ACTIVE);
                }
                turn(&r);
                r.w.now += 1000;
            }
            check_agreement(&r);
        }
        dispatch_stats(r.d, &stats);
        ck_assert_uint_eq(stats.n_sessions, AGENTS);
        ck_assert_uint_ge(stats.n_assignments, 1000);
        ck_assert_uint_ge(stats.n_reports, 1000);
        ck_assert_uint_ge(r.n_forgotten, 500);
        ck_assert_uint_ge(r.n_strays, 10);
        ck_assert_uint_eq(stats.n_reports_waiting, 0);
        for (int k = 0; k < AGENTS; k++) {
            disconnect(&r, &r.agents[k]);
        }
        close_rig(&r);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("dispatch");
    TCase *c = tcase_create("random");
    TEST_CASE(s, "sessions", 30, a_node_is_told_everything_on_connection_and_differences_after_it,
              a_task_that_runs_and_stops_is_told_acknowledged_and_forgotten,
              inventory_and_state_are_made_to_agree,
              a_task_from_before_the_epoch_that_its_node_does_not_know_is_over,
              what_runs_for_a_minute_and_should_not_is_an_orphan,
              a_second_session_silence_and_loss_end_a_session,
              too_many_reports_and_wrong_numbers_are_refused);
    tcase_set_timeout(c, 120);
    tcase_add_loop_test(c, agents_and_state_agree_in_the_end_whatever_happens_to_the_streams, 0, 4);
    suite_add_tcase(s, c);
    return test_run(s);
}
