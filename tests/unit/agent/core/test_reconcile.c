/* The agent's core against a scripted runtime, a journal that loses what was not committed, and a
 * controller, in virtual time. The property tests draw everything from a seed, crash the agent
 * between any two effects, and check after each that no container is created twice. */
#include "agent/core/reconcile.h"
#include "common/base/prng.h"
#include "tests/lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_TASKS      12
#define N_CONTAINERS 4
#define N_REQUESTS   256
#define KEEP_MS      20000

struct box { /* A container of the scripted runtime. */
    bool present;
    enum exec_state state;
    unsigned n_created; /* Ever. */
    int exit_code;
    uint64_t exit_at; /* Ends by itself; UINT64_MAX: when told. */
};

struct request { /* Under way in the runtime. */
    bool used;
    enum action_kind kind;
    uint32_t task;
    uint32_t container;
    uint64_t done_at;
};

struct row { /* Of the journal. */
    bool present;
    bool has_spec;
    struct task task;
    struct container containers[N_CONTAINERS];
};

struct plan { /* What the seed has drawn for one task. */
    struct container_spec containers[N_CONTAINERS];
    struct spec_depends depends[N_CONTAINERS][N_CONTAINERS];
    struct task_spec spec;
    bool wanted;    /* desired RUNNING */
    bool created;   /* The controller knows of it. */
    bool listed;    /* On this node. */
    bool stopped;   /* Its end was reported. */
    bool forgotten; /* And the agent was told. */
    enum wire_status status;
    bool pull_fails[N_CONTAINERS];
    bool start_fails[N_CONTAINERS];
    uint64_t life[N_CONTAINERS];
};

struct world {
    struct prng prng;
    struct moment now;
    struct reconcile *r;
    struct actions actions;
    struct row rows[N_TASKS];
    uint64_t row_epoch;
    uint64_t row_session;
    struct box boxes[N_TASKS][N_CONTAINERS];
    struct request requests[N_REQUESTS];
    struct plan plans[N_TASKS];
    uint64_t session;
    uint64_t number;
    bool connected;
    bool chaos;
    uint64_t lease_end;
    unsigned n_crashes;
    unsigned n_ran;
    unsigned n_acks;
};

static const char *const names[N_CONTAINERS] = {"a", "b", "c", "d"};
static const char *const probe[] = {"true"};

static struct id task_id(uint32_t i)
{
    return (struct id){0x1234, i + 1};
}

static uint32_t task_index(struct id id)
{
    ck_assert_uint_eq(id.hi, 0x1234);
    ck_assert_uint_le(id.lo, N_TASKS);
    return (uint32_t)id.lo - 1;
}

static bool chance(struct world *w, unsigned percent)
{
    return prng_below(&w->prng, 100) < percent;
}

static void plan_init(struct world *w, struct plan *p, uint32_t n)
{
    memset(p, 0, sizeof *p);
    p->spec.containers = p->containers;
    p->spec.n_containers = n;
    for (uint32_t i = 0; i < n; i++) {
        struct container_spec *c = &p->containers[i];
        c->name = names[i];
        c->image = "image";
        c->essential = i == 0 || chance(w, 30);
        c->stop_timeout_s = 3;
        c->start_timeout_s = 20;
        c->depends_on = p->depends[i];
        p->life[i] = chance(w, 40) ? 1000 + prng_below(&w->prng, 20000) : UINT64_MAX;
        p->pull_fails[i] = chance(w, 4);
        p->start_fails[i] = chance(w, 4);
        for (uint32_t on = i + 1; on < n; on++) {
            if (chance(w, 40)) {
                enum spec_condition cond = (enum spec_condition)prng_below(&w->prng, SPEC_COND_N);
                p->depends[i][c->n_depends_on].container = names[on];
                p->depends[i][c->n_depends_on].condition = cond;
                c->n_depends_on++;
                if (cond == SPEC_COND_HEALTHY) {
                    p->containers[on].health.command = probe;
                    p->containers[on].health.n_command = 1;
                }
            }
        }
    }
}

static void world_init(struct world *w, uint64_t seed)
{
    struct reconcile_options options = {.keep_ms = KEEP_MS};
    memset(w, 0, sizeof *w);
    prng_init(&w->prng, seed);
    w->now.wall_ms = 1000000000;
    w->now.boot_ms = 1000;
    w->r = reconcile_open(test_mem(), &options);
    actions_init(&w->actions, test_mem());
    for (uint32_t i = 0; i < N_TASKS; i++) {
        plan_init(w, &w->plans[i], 1 + (uint32_t)prng_below(&w->prng, N_CONTAINERS));
    }
}

static void world_close(struct world *w)
{
    reconcile_close(w->r);
    actions_close(&w->actions);
    ck_assert_uint_eq(test_mem_in_use(), 0);
}

/* --- the journal and the runtime ----------------------------------------------------------------
 */

static void save_task(struct world *w, struct id id)
{
    struct task *t = reconcile_find(w->r, id);
    struct row *row = &w->rows[task_index(id)];
    ck_assert_ptr_nonnull(t);
    if (row->present) {
        ck_assert_int_ge(t->phase, row->task.phase);
    }
    row->present = true;
    row->task = *t;
    row->task.containers = row->containers;
    for (uint32_t i = 0; i < t->n_containers; i++) {
        struct container *c = &row->containers[i];
        *c = t->containers[i];
        c->pulled = false; /* As after reading it back. */
        c->pull_busy = false;
        c->start_busy = false;
        c->stop_busy = false;
        c->watched = false;
        c->retry_at_ms = 0;
    }
}

static void journal(struct world *w, const struct action *a)
{
    switch ((int)a->kind) {
    case ACTION_SAVE_TASK:
        save_task(w, a->task);
        break;
    case ACTION_SAVE_SPEC:
        w->rows[task_index(a->task)].has_spec = true;
        break;
    case ACTION_DROP_SPEC:
        w->rows[task_index(a->task)].has_spec = false;
        break;
    case ACTION_DROP_TASK:
        memset(&w->rows[task_index(a->task)], 0, sizeof(struct row));
        break;
    case ACTION_SAVE_SESSION:
        w->row_epoch = a->epoch;
        w->row_session = a->number;
        break;
    default:
        break;
    }
}

static void create(struct world *w, uint32_t task, uint32_t container)
{
    struct box *b = &w->boxes[task][container];
    b->n_created++;
    ck_assert_uint_eq(b->n_created, 1); /* The property. */
    ck_assert_int_ge(w->rows[task].containers[container].phase, CONTAINER_CREATING);
    b->present = true;
    b->state = EXEC_CREATED;
    b->exit_at = UINT64_MAX;
}

static void act(struct world *w, const struct action *a)
{
    struct request *q = w->requests;
    if (a->kind == ACTION_ACK) {
        w->n_acks++;
        return;
    }
    if (a->kind == ACTION_WATCH || a->kind == ACTION_UNWATCH) {
        return;
    }
    while (q->used) {
        q++;
        ck_assert(q < w->requests + N_REQUESTS);
    }
    q->used = true;
    q->kind = a->kind;
    q->task = task_index(a->task);
    q->container = a->container;
    q->done_at = w->now.boot_ms + 10 + prng_below(&w->prng, 1500);
    if (a->kind == ACTION_START) {
        ck_assert_uint_lt(w->now.boot_ms, w->lease_end);
        create(w, q->task, q->container);
    }
}

static void crash(struct world *w);

/* Take one event through the core and carry out what it asks, dying on the way now and then. */
static int feed(struct world *w, struct event *e)
{
    int rv;
    e->now = w->now;
    actions_clear(&w->actions);
    rv = reconcile_step(w->r, e, &w->actions);
    if (w->chaos && chance(w, 1)) {
        crash(w); /* Before the commit. */
        return rv;
    }
    for (size_t i = 0; i < w->actions.n; i++) {
        journal(w, &w->actions.v[i]);
    }
    for (size_t i = 0; i < w->actions.n; i++) {
        if (w->chaos && chance(w, 1)) {
            crash(w); /* After the commit, before this act. */
            return rv;
        }
        if (w->actions.v[i].kind > ACTION_JOURNAL_N) {
            act(w, &w->actions.v[i]);
        }
    }
    return rv;
}

static void restore(struct world *w)
{
    struct reconcile_options options = {.keep_ms = KEEP_MS};
    w->r = reconcile_open(test_mem(), &options);
    reconcile_restore_session(w->r, w->row_epoch, w->row_session);
    for (uint32_t i = 0; i < N_TASKS; i++) {
        struct row *row = &w->rows[i];
        struct task saved = row->task;
        struct arena arena;
        bool spec = row->has_spec && saved.phase < TASK_FORGOTTEN;
        arena_init(&arena, test_mem());
        if (!row->present) {
            continue;
        }
        saved.n_containers = spec ? w->plans[i].spec.n_containers : 0;
        ck_assert_int_eq(
            reconcile_restore(w->r, &saved, &arena, spec ? &w->plans[i].spec : NULL, NULL), 0);
    }
}

static void inventory(struct world *w)
{
    struct exec_container found[N_TASKS * N_CONTAINERS];
    struct event e = {.kind = EVENT_INVENTORY, .containers = found};
    memset(found, 0, sizeof found);
    for (uint32_t i = 0; i < N_TASKS; i++) {
        for (uint32_t k = 0; k < N_CONTAINERS; k++) {
            struct box *b = &w->boxes[i][k];
            if (b->present) {
                struct exec_container *f = &found[e.n_containers];
                f->key.task = task_id(i);
                f->key.name = names[k];
                f->state = b->state;
                f->started_at_ms = (uint64_t)w->now.wall_ms;
                f->exit.key = f->key;
                f->exit.exit_code = b->exit_code;
                f->exit.finished_at_ms = (uint64_t)w->now.wall_ms;
                e.n_containers++;
            }
        }
    }
    (void)feed(w, &e);
}

/* The process dies; so do its requests. What a start had begun is left as it is, or, half of the
 * time, runs. */
static void crash(struct world *w)
{
    bool chaos = w->chaos;
    w->n_crashes++;
    for (size_t i = 0; i < N_REQUESTS; i++) {
        struct request *q = &w->requests[i];
        if (q->used && q->kind == ACTION_START && chance(w, 50) &&
            w->boxes[q->task][q->container].present) {
            w->boxes[q->task][q->container].state = EXEC_RUNNING;
        }
        q->used = false;
    }
    w->connected = false;
    reconcile_close(w->r);
    restore(w);
    w->chaos = false; /* One at a time, or it would never end. */
    inventory(w);
    w->chaos = chaos;
}

static void box_exit(struct world *w, uint32_t task, uint32_t container, int code)
{
    struct box *b = &w->boxes[task][container];
    struct exec_exit exit = {.key = {task_id(task), names[container]}, .exit_code = code};
    struct event e = {.kind = EVENT_EXITED, .exit = &exit};
    b->state = EXEC_EXITED;
    b->exit_code = code;
    exit.finished_at_ms = (uint64_t)w->now.wall_ms;
    (void)feed(w, &e);
}

/* The runtime finishes what it was asked. */
static void complete(struct world *w, struct request *q)
{
    struct request done = *q;
    struct plan *p = &w->plans[q->task];
    struct box *b = &w->boxes[q->task][q->container];
    struct exec_image image = {"sha256:m", "sha256:i"};
    struct err err;
    struct event e = {.task = task_id(q->task), .container = q->container, .err = &err};
    unsigned crashes = w->n_crashes;
    err_set(&err, ERR_IO, "scripted failure");
    q->used = false;
    switch ((int)done.kind) {
    case ACTION_PULL:
        e.kind = EVENT_PULLED;
        e.status = p->pull_fails[done.container] ? ERR_IO : 0;
        e.image = &image;
        break;
    case ACTION_START:
        e.kind = EVENT_STARTED;
        e.status = p->start_fails[done.container] ? ERR_IO : 0;
        if (b->state == EXEC_EXITED) {
            e.status = ERR_CANCELED; /* Stopped meanwhile. */
            err_set(&err, ERR_CANCELED, "canceled");
        } else if (e.status == 0) {
            b->state = EXEC_RUNNING;
            if (p->life[done.container] != UINT64_MAX) {
                b->exit_at = w->now.boot_ms + p->life[done.container];
            }
            w->n_ran++;
        } else {
            b->present = false;
        }
        break;
    case ACTION_STOP:
        e.kind = EVENT_STOPPED;
        if (!b->present) {
            e.status = ERR_NOTFOUND;
        } else if (chance(w, 10)) {
            e.status = ERR_IO;
        } else if (b->state == EXEC_RUNNING) {
            box_exit(w, done.task, done.container, 143);
        } else {
            b->state = EXEC_EXITED;
        }
        break;
    case ACTION_REMOVE:
        e.kind = EVENT_REMOVED;
        e.status = chance(w, 10) ? ERR_IO : 0;
        for (uint32_t k = 0; e.status == 0 && k < N_CONTAINERS; k++) {
            w->boxes[done.task][k].present = false;
        }
        break;
    default:
        ck_abort();
    }
    if (crashes == w->n_crashes) { /* Else nobody is there to hear it. */
        (void)feed(w, &e);
    }
}

static void runtime_run(struct world *w)
{
    for (size_t i = 0; i < N_REQUESTS; i++) {
        if (w->requests[i].used && w->requests[i].done_at <= w->now.boot_ms) {
            complete(w, &w->requests[i]);
        }
    }
    for (uint32_t i = 0; i < N_TASKS; i++) {
        for (uint32_t k = 0; k < N_CONTAINERS; k++) {
            struct box *b = &w->boxes[i][k];
            if (b->present && b->state == EXEC_RUNNING && b->exit_at <= w->now.boot_ms) {
                box_exit(w, i, k, (int)prng_below(&w->prng, 2));
            } else if (b->present && b->state == EXEC_RUNNING &&
                       w->plans[i].containers[k].health.n_command > 0 && chance(w, 10)) {
                struct event e = {.kind = EVENT_HEALTH,
                                  .task = task_id(i),
                                  .container = k,
                                  .health = HEALTH_HEALTHY};
                (void)feed(w, &e);
            }
        }
    }
}

/* --- the controller -----------------------------------------------------------------------------
 */

static void want(struct world *w, uint32_t i, struct wanted *ret, struct arena *arena)
{
    struct plan *p = &w->plans[i];
    memset(ret, 0, sizeof *ret);
    ret->task = task_id(i);
    ret->stop = !p->wanted;
    ret->stop_reason = "Scaling activity initiated";
    if (reconcile_find(w->r, ret->task) == NULL && !ret->stop) {
        arena_init(arena, test_mem());
        ret->arena = arena;
        ret->spec = &p->spec;
        ret->bytes = STR("encoded");
    }
}

static int send_list(struct world *w, bool full, uint32_t only)
{
    struct wanted wanted[N_TASKS];
    struct arena arenas[N_TASKS];
    struct id forget[N_TASKS];
    struct assign a = {.full = full, .full_end = full, .tasks = wanted, .forget = forget};
    struct event e = {.kind = EVENT_ASSIGN, .assign = &a};
    memset(arenas, 0, sizeof arenas);
    w->number++;
    a.number = w->number;
    for (uint32_t i = 0; i < N_TASKS; i++) {
        struct plan *p = &w->plans[i];
        if (!p->listed || (!full && i != only)) {
            continue;
        }
        if (p->stopped) {
            forget[a.n_forget] = task_id(i);
            a.n_forget++;
            p->forgotten = true;
        } else {
            want(w, i, &wanted[a.n_tasks], &arenas[i]);
            a.n_tasks++;
        }
    }
    return feed(w, &e);
}

static void connect_agent(struct world *w)
{
    struct event e = {.kind = EVENT_WELCOME};
    unsigned crashes = w->n_crashes;
    w->session++;
    w->number = 0;
    w->connected = true;
    w->lease_end = w->now.boot_ms + 30000;
    e.session = w->session;
    e.until_ms = w->lease_end;
    ck_assert_int_eq(feed(w, &e), 0);
    if (crashes == w->n_crashes) {
        ck_assert_int_eq(send_list(w, true, 0), 0);
    }
}

static void disconnect_agent(struct world *w)
{
    struct event e = {.kind = EVENT_DISCONNECTED};
    w->connected = false;
    (void)feed(w, &e);
}

static void heartbeat(struct world *w)
{
    struct event e = {.kind = EVENT_LEASE};
    w->lease_end = w->now.boot_ms + 30000;
    e.until_ms = w->lease_end;
    (void)feed(w, &e);
}

static void read_report(struct world *w, const struct task_report *report)
{
    struct plan *p = &w->plans[task_index(report->task)];
    ck_assert_int_ge(report->status, p->status); /* States only move forward. */
    p->status = report->status;
    p->stopped = report->status == WIRE_STOPPED;
    if (p->stopped && report->n_containers > 0) {
        for (uint32_t i = 0; i < report->n_containers; i++) {
            ck_assert_int_eq(report->containers[i].status, WIRE_CONTAINER_STOPPED);
        }
    }
}

/* Read the reports that are due; acknowledge most of them. */
static void reports(struct world *w)
{
    struct report_item *items[LIMIT_REPORT_TASKS];
    struct report_queue *q = reconcile_reports(w->r);
    size_t n = report_take(q, LIMIT_REPORT_TASKS, items);
    struct arena arena;
    struct event e = {.kind = EVENT_REPORTED, .number = q->number};
    arena_init(&arena, test_mem());
    for (size_t i = 0; i < n; i++) {
        struct task_report report;
        task_report(container_of(items[i], struct task, report), &arena, &report);
        read_report(w, &report);
    }
    arena_close(&arena);
    if (n > 0) {
        (void)feed(w, &e);
    }
}

static void controller_run(struct world *w)
{
    uint32_t i = (uint32_t)prng_below(&w->prng, N_TASKS);
    unsigned crashes = w->n_crashes;
    struct plan *p = &w->plans[i];
    if (!w->connected) {
        if (!w->chaos || chance(w, 30)) {
            connect_agent(w);
        }
        return;
    }
    if (w->chaos && chance(w, 3)) {
        disconnect_agent(w);
        return;
    }
    heartbeat(w);
    reports(w);
    if (!w->connected || crashes != w->n_crashes) {
        return;
    }
    if (!p->created && w->chaos) {
        p->created = true;
        p->wanted = true;
        p->listed = true;
        (void)send_list(w, false, i);
    } else if (p->listed && p->wanted && !p->stopped && (chance(w, 3) || !w->chaos)) {
        p->wanted = false;
        (void)send_list(w, false, i);
    } else if (p->listed && p->stopped && !p->forgotten) {
        (void)send_list(w, false, i);
    } else if (p->listed && w->chaos && chance(w, 1)) {
        p->listed = false; /* Taken away without a word: the next whole list lacks it. */
        disconnect_agent(w);
    }
}

static void pass_time(struct world *w, uint64_t ms)
{
    w->now.boot_ms += ms;
    w->now.wall_ms += (int64_t)ms;
    if (reconcile_deadline(w->r, &w->now) <= w->now.boot_ms) {
        struct event e = {.kind = EVENT_TICK};
        (void)feed(w, &e);
        ck_assert_uint_gt(reconcile_deadline(w->r, &w->now), w->now.boot_ms);
    }
}

static void check_settled(struct world *w)
{
    ck_assert_uint_eq(reconcile_n_tasks(w->r), 0);
    ck_assert_uint_eq(reconcile_n_orphans(w->r), 0);
    for (uint32_t i = 0; i < N_TASKS; i++) {
        ck_assert(!w->rows[i].present);
        ck_assert(!w->rows[i].has_spec);
        for (uint32_t k = 0; k < N_CONTAINERS; k++) {
            ck_assert(!w->boxes[i][k].present);
        }
    }
}

static unsigned total_crashes;

static void simulate(uint64_t seed)
{
    struct world *w = malloc(sizeof *w);
    ck_assert_ptr_nonnull(w);
    world_init(w, seed);
    inventory(w);
    w->chaos = true;
    for (int i = 0; i < 400; i++) {
        pass_time(w, 1 + prng_below(&w->prng, 800));
        runtime_run(w);
        controller_run(w);
    }
    w->chaos = false;
    for (int i = 0; i < 1500; i++) {
        pass_time(w, 100);
        runtime_run(w);
        controller_run(w);
    }
    pass_time(w, TOMBSTONE_MS);
    for (int i = 0; i < 5; i++) {
        pass_time(w, 5000);
        runtime_run(w);
    }
    check_settled(w);
    ck_assert_uint_gt(w->n_ran, 0);
    ck_assert_uint_gt(w->n_acks, 0);
    total_crashes += w->n_crashes;
    world_close(w);
    free(w);
}

START_TEST(whatever_happens_nothing_is_created_twice_and_all_is_cleaned_up)
    {
        const char *only = getenv("SEED");
        uint64_t from = only != NULL ? strtoull(only, NULL, 10) : 1;
        uint64_t to = only != NULL ? from : 300;
        for (uint64_t seed = from; seed <= to; seed++) {
            fprintf(stderr, seed % 50 == 0 ? "seed %llu\n" : "", (unsigned long long)seed);
            simulate(seed);
        }
        ck_assert(only != NULL || total_crashes > 300); /* Enough happened. */
    }
END_TEST

/* --- by hand ------------------------------------------------------------------------------------
 */

static void simple_plan(struct world *w, uint32_t i)
{
    struct plan *p = &w->plans[i];
    memset(p, 0, sizeof *p);
    p->spec.containers = p->containers;
    p->spec.n_containers = 1;
    p->containers[0].name = "a";
    p->containers[0].image = "image";
    p->containers[0].essential = true;
    p->life[0] = UINT64_MAX;
    p->created = true;
    p->wanted = true;
    p->listed = true;
}

static void simple_init(struct world *w)
{
    world_init(w, 1);
    for (uint32_t i = 0; i < N_TASKS; i++) {
        simple_plan(w, i);
        w->plans[i].listed = i == 0;
    }
}

static void run_for(struct world *w, uint64_t ms)
{
    for (uint64_t t = 0; t < ms; t += 100) {
        pass_time(w, 100);
        runtime_run(w);
    }
}

START_TEST(a_welcome_of_an_older_session_is_refused)
    {
        struct world *w = calloc(1, sizeof *w);
        struct event e = {.kind = EVENT_WELCOME, .session = 4, .until_ms = 99999};
        simple_init(w);
        inventory(w);
        w->session = 4;
        connect_agent(w);
        ck_assert_uint_eq(w->row_session, 5);
        ck_assert_int_eq(feed(w, &e), ERR_CONFLICT);
        crash(w);
        ck_assert_int_eq(feed(w, &e), ERR_CONFLICT);
        e.session = 5;
        ck_assert_int_eq(feed(w, &e), 0);
        world_close(w);
        free(w);
    }
END_TEST

START_TEST(a_welcome_of_an_older_epoch_is_refused_whatever_its_session)
    {
        struct world *w = calloc(1, sizeof *w);
        struct event e = {.kind = EVENT_WELCOME, .epoch = 2, .session = 3, .until_ms = 99999};
        simple_init(w);
        inventory(w);
        w->session = 400;
        connect_agent(w); /* Of epoch 0. */
        ck_assert_uint_eq(w->row_session, 401);
        ck_assert_int_eq(feed(w, &e), 0); /* Restored: sessions may begin anywhere. */
        ck_assert_uint_eq(w->row_epoch, 2);
        ck_assert_uint_eq(w->row_session, 3);
        crash(w);
        e.epoch = 1;
        e.session = 1000000;
        ck_assert_int_eq(feed(w, &e), ERR_CONFLICT);
        e.epoch = 2;
        e.session = 2;
        ck_assert_int_eq(feed(w, &e), ERR_CONFLICT);
        e.session = 4;
        ck_assert_int_eq(feed(w, &e), 0);
        ck_assert_uint_eq(w->row_session, 4);
        world_close(w);
        free(w);
    }
END_TEST

START_TEST(nothing_new_starts_after_the_lease_but_what_runs_stays)
    {
        struct world *w = calloc(1, sizeof *w);
        simple_init(w);
        inventory(w);
        connect_agent(w);
        run_for(w, 5000);
        ck_assert_int_eq(reconcile_task_at(w->r, 0)->phase, TASK_RUNNING);
        disconnect_agent(w);
        run_for(w, 60000);
        ck_assert_int_eq(reconcile_task_at(w->r, 0)->phase, TASK_RUNNING);
        ck_assert(!reconcile_may_start(w->r, w->now.boot_ms));
        world_close(w);
        free(w);
    }
END_TEST

START_TEST(a_task_waits_for_the_next_session_when_the_lease_ends_first)
    {
        struct world *w = calloc(1, sizeof *w);
        simple_init(w);
        inventory(w);
        connect_agent(w);
        pass_time(w, 31000); /* The pull ends after the lease. */
        runtime_run(w);
        run_for(w, 10000);
        ck_assert_uint_eq(w->boxes[0][0].n_created, 0);
        ck_assert_int_eq(reconcile_task_at(w->r, 0)->phase, TASK_CREATING);
        disconnect_agent(w);
        connect_agent(w);
        run_for(w, 5000);
        ck_assert_uint_eq(w->boxes[0][0].n_created, 1);
        world_close(w);
        free(w);
    }
END_TEST

/* What the runtime has not begun yet is asked about again. */
START_TEST(a_creation_is_not_begun_in_a_session_that_has_not_named_its_task)
    {
        struct world *w = calloc(1, sizeof *w);
        struct event e = {.kind = EVENT_WELCOME};
        const struct task *t;
        simple_init(w);
        inventory(w);
        connect_agent(w);
        run_for(w, 1000);
        t = reconcile_task_at(w->r, 0);
        ck_assert(reconcile_may_start_task(w->r, t, w->now.boot_ms));
        disconnect_agent(w);
        e.session = w->row_session + 1;
        e.until_ms = w->now.boot_ms + 30000;
        ck_assert_int_eq(feed(w, &e), 0);
        ck_assert(reconcile_may_start(w->r, w->now.boot_ms));
        ck_assert(!reconcile_may_start_task(w->r, t, w->now.boot_ms));
        disconnect_agent(w);
        connect_agent(w);
        run_for(w, 1000);
        ck_assert(reconcile_may_start_task(w->r, reconcile_task_at(w->r, 0), w->now.boot_ms));
        task_stop((struct task *)(uintptr_t)t, "named to be stopped");
        ck_assert(!reconcile_may_start_task(w->r, t, w->now.boot_ms));
        world_close(w);
        free(w);
    }
END_TEST

START_TEST(after_a_restart_nothing_starts_before_the_controller_named_it)
    {
        struct world *w = calloc(1, sizeof *w);
        simple_init(w);
        inventory(w);
        connect_agent(w);
        crash(w);
        run_for(w, 5000);
        ck_assert_uint_eq(w->boxes[0][0].n_created, 0);
        w->plans[0].listed = false; /* Replaced elsewhere meanwhile. */
        connect_agent(w);
        run_for(w, 5000);
        ck_assert_uint_eq(w->boxes[0][0].n_created, 0);
        ck_assert_int_eq(reconcile_task_at(w->r, 0)->phase, TASK_FORGOTTEN);
        world_close(w);
        free(w);
    }
END_TEST

START_TEST(unknown_containers_are_adopted_or_removed_after_a_minute)
    {
        struct world *w = calloc(1, sizeof *w);
        simple_init(w);
        for (uint32_t i = 0; i < 2; i++) {
            w->boxes[i][0].present = true;
            w->boxes[i][0].state = EXEC_RUNNING;
            w->boxes[i][0].exit_at = UINT64_MAX;
            w->boxes[i][0].n_created = 1;
        }
        inventory(w);
        ck_assert_uint_eq(reconcile_n_orphans(w->r), 2);
        run_for(w, ORPHAN_MS + 5000);
        ck_assert(w->boxes[1][0].present); /* Nobody has spoken to a controller yet. */
        crash(w);
        connect_agent(w);
        ck_assert_int_eq(reconcile_find(w->r, task_id(0))->phase, TASK_PULLING + 2);
        run_for(w, 50000);
        ck_assert(w->boxes[1][0].present);
        run_for(w, 60000);
        ck_assert(!w->boxes[1][0].present);
        ck_assert(w->boxes[0][0].present);
        ck_assert_uint_eq(reconcile_n_orphans(w->r), 0);
        ck_assert_int_eq(reconcile_task_at(w->r, 0)->phase, TASK_RUNNING);
        world_close(w);
        free(w);
    }
END_TEST

START_TEST(a_tombstone_outlives_its_forgetting_by_an_hour)
    {
        struct world *w = calloc(1, sizeof *w);
        simple_init(w);
        inventory(w);
        connect_agent(w);
        run_for(w, 5000);
        w->plans[0].wanted = false;
        (void)send_list(w, false, 0);
        run_for(w, 10000);
        reports(w);
        ck_assert(w->plans[0].stopped);
        (void)send_list(w, false, 0);
        ck_assert_int_eq(reconcile_task_at(w->r, 0)->phase, TASK_FORGOTTEN);
        ck_assert(w->boxes[0][0].present); /* Its logs may still be read. */
        run_for(w, KEEP_MS + 10000);
        ck_assert(!w->boxes[0][0].present);
        w->plans[0].wanted = true; /* A late or doubled message. */
        w->plans[0].stopped = false;
        (void)send_list(w, false, 0);
        run_for(w, 10000);
        ck_assert_uint_eq(w->boxes[0][0].n_created, 1);
        w->plans[0].stopped = false;
        reports(w);
        ck_assert(w->plans[0].stopped); /* It is told again that it has ended. */
        pass_time(w, TOMBSTONE_MS);
        ck_assert_uint_eq(reconcile_n_tasks(w->r), 0);
        world_close(w);
        free(w);
    }
END_TEST

START_TEST(a_stop_for_an_unknown_task_makes_sure_it_never_starts)
    {
        struct world *w = calloc(1, sizeof *w);
        simple_init(w);
        inventory(w);
        w->plans[0].wanted = false;
        connect_agent(w);
        reports(w);
        ck_assert(w->plans[0].stopped);
        w->plans[0].wanted = true;
        w->plans[0].stopped = false;
        (void)send_list(w, false, 0);
        run_for(w, 10000);
        ck_assert_uint_eq(w->boxes[0][0].n_created, 0);
        world_close(w);
        free(w);
    }
END_TEST

START_TEST(doubled_assignments_are_acknowledged_and_ignored)
    {
        struct world *w = calloc(1, sizeof *w);
        unsigned acks;
        simple_init(w);
        inventory(w);
        connect_agent(w);
        acks = w->n_acks;
        w->number = 0;
        w->plans[1].listed = true;
        (void)send_list(w, false, 1);
        ck_assert_uint_eq(w->n_acks, acks + 1);
        ck_assert_uint_eq(reconcile_n_tasks(w->r), 1);
        world_close(w);
        free(w);
    }
END_TEST

START_TEST(only_so_many_tasks_are_remembered)
    {
        struct world *w = calloc(1, sizeof *w);
        struct wanted one;
        struct assign a = {.tasks = &one, .n_tasks = 1};
        struct event e = {.kind = EVENT_ASSIGN, .assign = &a};
        simple_init(w);
        w->plans[0].listed = false;
        inventory(w);
        connect_agent(w);
        for (uint32_t i = 0; i <= LIMIT_TASKS; i++) {
            e.now = w->now;
            w->number++;
            a.number = w->number;
            memset(&one, 0, sizeof one);
            one.task = (struct id){7, i};
            one.stop = true;
            one.stop_reason = "";
            actions_clear(&w->actions);
            ck_assert_int_eq(reconcile_step(w->r, &e, &w->actions), i < LIMIT_TASKS ? 0 : ERR_FULL);
        }
        world_close(w);
        free(w);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("agent reconcile");
    TEST_CASE(s, "by hand", 20, a_welcome_of_an_older_session_is_refused,
              a_welcome_of_an_older_epoch_is_refused_whatever_its_session,
              nothing_new_starts_after_the_lease_but_what_runs_stays,
              a_task_waits_for_the_next_session_when_the_lease_ends_first,
              a_creation_is_not_begun_in_a_session_that_has_not_named_its_task,
              after_a_restart_nothing_starts_before_the_controller_named_it,
              unknown_containers_are_adopted_or_removed_after_a_minute,
              a_tombstone_outlives_its_forgetting_by_an_hour,
              a_stop_for_an_unknown_task_makes_sure_it_never_starts,
              doubled_assignments_are_acknowledged_and_ignored, only_so_many_tasks_are_remembered);
    TEST_CASE(s, "property", 60, whatever_happens_nothing_is_created_twice_and_all_is_cleaned_up);
    return test_run(s);
}
