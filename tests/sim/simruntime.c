/* Containers as a host with a bad day runs them: slow pulls, creations that fail before and after
 * the fact, processes that end or do not, answers that come late or never. */
#include "tests/sim/simagent.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

const char *simruntime_name(uint32_t container)
{
    static const char *const names[WIRE_CONTAINERS_MAX] = {"main", "side", "more"};
    assert(container < WIRE_CONTAINERS_MAX);
    return names[container];
}

#define LEFTOVER_MS (TOMBSTONE_MS + 120000) /* Of a tombstone; then it must be gone. */

enum work { WORK_PULL, WORK_CREATE, WORK_STARTED, WORK_STOP, WORK_REMOVE };

struct request { /* One operation; its answer is for the process that asked. */
    struct simagent *a;
    enum work work;
    struct id task;
    uint32_t container;
    bool batch;
    uint64_t life;
    uint64_t host_life;
    int status;          /* Of the answer, once it is known. */
    bool late;           /* Creation that will be reported as failed. */
    uint64_t give_up_ms; /* WORK_STOP: when KILL comes. */
};

static struct simcontainer *find(struct simagent *a, struct id task, uint32_t container)
{
    for (size_t i = 0; i < a->n_containers; i++) {
        if (id_eq(a->containers[i].task, task) && a->containers[i].container == container) {
            return &a->containers[i];
        }
    }
    return NULL;
}

/* --- ends ----------------------------------------------------------------------------------------
 */

/* The agent hears of it, if it is there to listen. */
static void tell_exit(void *arg, uint64_t life, uint64_t process)
{
    struct simagent *a = arg;
    struct event event = {.kind = EVENT_EXITED};
    struct exec_exit exit;
    if (!a->up || a->life != process || simagent_holds(a, tell_exit, a, life, process)) {
        return;
    }
    for (size_t i = 0; i < a->n_containers; i++) {
        if (a->containers[i].life == life) {
            exit = a->containers[i].exit;
            event.exit = &exit;
            (void)simagent_feed(a, &event);
            return;
        }
    }
}

static void ended(struct simagent *a, struct simcontainer *c, int code)
{
    c->state = EXEC_EXITED;
    c->exit = (struct exec_exit){
        .key = {c->task, simruntime_name(c->container)},
        .exit_code = code,
        .started_at_ms = c->started_at_ms,
        .finished_at_ms = (uint64_t)simagent_now(a).wall_ms,
    };
    a->f->stats.exits++;
    tell_exit(a, c->life, a->life);
}

static void end_of(void *arg, uint64_t life, uint64_t code)
{
    struct simagent *a = arg;
    for (size_t i = 0; i < a->n_containers; i++) {
        struct simcontainer *c = &a->containers[i];
        if (c->life == life && c->state == EXEC_RUNNING) {
            ended(a, c, (int)code);
            return;
        }
    }
}

static void dies_in(struct simagent *a, const struct simcontainer *c, uint64_t us, unsigned code)
{
    simworld_later(a->f->world, us, end_of, a, c->life, code);
}

/* --- requests ------------------------------------------------------------------------------------
 */

static void work(void *arg, uint64_t a, uint64_t b);

static void again(struct request *q, uint64_t us)
{
    simworld_later(q->a->f->world, us, work, q, 0, 0);
}

static void answer(struct request *q, enum event_kind kind)
{
    struct simagent *a = q->a;
    struct err err = {0};
    struct exec_image image = {.manifest = "sha256:1", .id = "sha256:2"};
    struct event event = {.kind = kind,
                          .task = q->task,
                          .container = q->container,
                          .status = q->status,
                          .err = &err,
                          .image = &image};
    bool heard = a->up && a->life == q->life;
    (void)err_set(&err, q->status, "simulated");
    mem_free(a->f->mem, q, sizeof *q);
    if (heard) {
        (void)simagent_feed(a, &event);
    }
}

static struct simcontainer *create(struct request *q)
{
    struct simagent *a = q->a;
    struct simcontainer *c;
    simmodel_created(a->f, a->at, a->id, q->task, q->container);
    if (a->n_containers == a->cap_containers) {
        size_t cap = a->cap_containers == 0 ? 16 : a->cap_containers * 2;
        a->containers =
            mem_resize(a->f->mem, a->containers, a->cap_containers * sizeof *a->containers,
                       cap * sizeof *a->containers);
        a->cap_containers = cap;
    }
    c = &a->containers[a->n_containers++];
    *c = (struct simcontainer){.task = q->task,
                               .container = q->container,
                               .state = EXEC_CREATED,
                               .batch = q->batch,
                               .life = ++a->n_lives,
                               .started_at_ms = (uint64_t)simagent_now(a).wall_ms};
    a->f->stats.containers++;
    return c;
}

static void on_create(struct request *q)
{
    struct simagent *a = q->a;
    struct fleet *f = a->f;
    struct simcontainer *c;
    unsigned code;
    if (fleet_chance(f, f->opt.start_fail)) {
        f->stats.starts_failed++;
        q->status = ERR_IO;
        answer(q, EVENT_STARTED);
        return;
    }
    c = create(q);
    q->work = WORK_STARTED;
    if (fleet_chance(f, f->opt.start_fail_late)) {
        f->stats.late_failures++;
        q->late = true;
        if (fleet_between(f, 0, 1) == 0) { /* It stays as it is, created or even running. */
            again(q, fleet_between(f, 1000, 200000));
            return;
        }
    }
    c->state = EXEC_RUNNING;
    code = (unsigned)fleet_between(f, 0, 3); /* Apart: arguments have no order among themselves. */
    if (c->batch && c->container < 2) {
        dies_in(a, c, fleet_between(f, 500000, 30000000), code % 2);
    } else if (fleet_chance(f, f->opt.exits)) {
        f->stats.own_exits++;
        dies_in(a, c, fleet_between(f, 1000, 60000000), code);
    }
    again(q, fleet_between(f, 1000, 200000));
}

static void on_started(struct request *q)
{
    q->status = q->late ? ERR_TIMEOUT : 0;
    answer(q, EVENT_STARTED);
}

static void on_stop(struct request *q)
{
    struct simagent *a = q->a;
    struct simcontainer *c = find(a, q->task, q->container);
    struct fleet *f = a->f;
    uint64_t now = simworld_now_us(f->world) / 1000;
    if (c == NULL) {
        q->status = ERR_NOTFOUND;
        answer(q, EVENT_STOPPED);
        return;
    }
    if (c->state == EXEC_CREATED) {
        ended(a, c, 137);
    }
    if (c->state == EXEC_EXITED) {
        answer(q, EVENT_STOPPED);
        return;
    }
    if (q->give_up_ms == 0) {
        q->give_up_ms = now + 3000;
        if (fleet_chance(f, f->opt.stop_ignored)) {
            f->stats.ignored_kills++;
        } else {
            dies_in(a, c, fleet_between(f, 1000, 1000000), 143);
        }
    } else if (now >= q->give_up_ms) {
        ended(a, c, 137);
    }
    again(q, 500000);
}

static void on_remove(struct request *q)
{
    struct simagent *a = q->a;
    size_t kept = 0;
    if (fleet_chance(a->f, a->f->opt.remove_fail)) {
        a->f->stats.removes_failed++;
        q->status = ERR_IO;
        answer(q, EVENT_REMOVED);
        return;
    }
    for (size_t i = 0; i < a->n_containers; i++) {
        if (!id_eq(a->containers[i].task, q->task)) {
            a->containers[kept++] = a->containers[i];
        }
    }
    a->n_containers = kept;
    answer(q, EVENT_REMOVED);
}

static void on_pull(struct request *q)
{
    if (fleet_chance(q->a->f, q->a->f->opt.pull_fail)) {
        q->a->f->stats.pulls_failed++;
        q->status = ERR_UNAVAILABLE;
    }
    answer(q, EVENT_PULLED);
}

/* An operation that was under way goes on when the agent dies, half of the time; not when the host
 * does. */
static void work(void *arg, uint64_t x, uint64_t y)
{
    struct request *q = arg;
    struct simagent *a = q->a;
    if (a->host_life != q->host_life ||
        ((!a->up || a->life != q->life) && (q->work == WORK_PULL || q->task.lo % 2 == 0))) {
        mem_free(a->f->mem, q, sizeof *q);
        return;
    }
    if (q->work != WORK_CREATE && simagent_holds(a, work, q, x, y)) {
        return; /* Nobody takes the answer. */
    }
    switch (q->work) {
    case WORK_PULL:
        on_pull(q);
        break;
    case WORK_CREATE:
        on_create(q);
        break;
    case WORK_STARTED:
        on_started(q);
        break;
    case WORK_STOP:
        on_stop(q);
        break;
    case WORK_REMOVE:
        on_remove(q);
        break;
    }
}

static struct request *request(struct simagent *a, const struct action *action, enum work kind)
{
    struct request *q = mem_alloc(a->f->mem, sizeof *q);
    q->a = a;
    q->work = kind;
    q->task = action->task;
    q->container = action->container;
    q->life = a->life;
    q->host_life = a->host_life;
    return q;
}

static void refuse_start(struct simagent *a, const struct action *action)
{
    struct err err = {0};
    struct event event = {
        .kind = EVENT_STARTED, .task = action->task, .container = action->container, .err = &err};
    event.status = err_set(&err, ERR_UNAVAILABLE, "the lease ended");
    (void)simagent_feed(a, &event);
}

static void start(struct simagent *a, const struct action *action)
{
    const struct task *t = reconcile_find(a->r, action->task);
    struct request *q;
    if (!reconcile_may_start_task(a->r, t, simagent_now(a).boot_ms)) {
        refuse_start(a, action);
        return;
    }
    q = request(a, action, WORK_CREATE);
    q->batch = t->spec->service[0] == '\0';
    again(q, 1); /* The lease holds now, so the act is now. */
}

void simruntime_act(struct simagent *a, const struct action *action)
{
    struct fleet *f = a->f;
    switch ((int)action->kind) {
    case ACTION_PULL:
        again(request(a, action, WORK_PULL), fleet_chance(f, f->opt.pull_slow)
                                                 ? fleet_between(f, 1000000, 90000000)
                                                 : fleet_between(f, 100, 500000));
        break;
    case ACTION_START:
        start(a, action);
        break;
    case ACTION_STOP:
        again(request(a, action, WORK_STOP), fleet_between(f, 1000, 50000));
        break;
    case ACTION_REMOVE:
        again(request(a, action, WORK_REMOVE), fleet_between(f, 1000, 300000));
        break;
    default:
        assert(action->kind == ACTION_WATCH || action->kind == ACTION_UNWATCH);
    }
}

/* --- the host ------------------------------------------------------------------------------------
 */

size_t simruntime_inventory(struct simagent *a, struct exec_container **ret)
{
    struct exec_container *v = mem_alloc(a->f->mem, (a->n_containers + 1) * sizeof *v);
    for (size_t i = 0; i < a->n_containers; i++) {
        const struct simcontainer *c = &a->containers[i];
        size_t k = i;
        struct exec_container one = {
            .key = {c->task, simruntime_name(c->container)},
            .state = c->state,
            .supervised = true,
            .pid = 1,
            .started_at_ms = c->started_at_ms,
            .image = {.manifest = "sha256:1", .id = "sha256:2"},
            .exit = c->exit,
        };
        while (k > 0 && (id_cmp(v[k - 1].key.task, one.key.task) > 0 ||
                         (id_eq(v[k - 1].key.task, one.key.task) &&
                          strcmp(v[k - 1].key.name, one.key.name) > 0))) {
            v[k] = v[k - 1];
            k--;
        }
        v[k] = one;
    }
    *ret = v;
    return a->n_containers;
}

void simruntime_reboot(struct simagent *a)
{
    a->host_life++;
    a->n_containers = 0;
}

static bool listed(struct id id, const struct id *ids, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (id_eq(ids[i], id)) {
            return true;
        }
    }
    return false;
}

bool simagent_is_clean(const struct simagent *a, char why[256])
{
    struct moment now = simagent_now(a);
    for (size_t i = 0; i < a->n_containers; i++) {
        const struct simcontainer *c = &a->containers[i];
        const struct task *t = reconcile_find(a->r, c->task);
        if (t == NULL || t->phase == TASK_FORGOTTEN) {
            (void)snprintf(why, 256, "I18: agent %u has a container of a task that is over",
                           a->at + 1);
            return false;
        }
    }
    for (size_t i = 0; i < a->journal.n; i++) {
        const struct task *t = &a->journal.rows[i].saved;
        if (t->phase == TASK_FORGOTTEN && now.wall_ms > t->forgotten_at + LEFTOVER_MS) {
            (void)snprintf(why, 256, "I18: agent %u still knows a task that it forgot long ago",
                           a->at + 1);
            return false;
        }
    }
    return true;
}

bool simagent_runs_exactly(const struct simagent *a, const struct id *ids, uint32_t n,
                           char why[256])
{
    uint32_t n_running = 0;
    if (!a->up) {
        (void)snprintf(why, 256, "agent %u is down", a->at + 1);
        return false;
    }
    for (size_t i = 0; i < a->n_containers; i++) {
        const struct simcontainer *c = &a->containers[i];
        if (reconcile_find(a->r, c->task) == NULL) {
            (void)snprintf(why, 256, "agent %u has a container that nobody knows", a->at + 1);
            return false;
        }
        if (c->state != EXEC_RUNNING) {
            continue;
        }
        if (!listed(c->task, ids, n)) {
            (void)snprintf(why, 256, "agent %u runs a container of a task that is not to run",
                           a->at + 1);
            return false;
        }
        n_running += c->container == 0;
    }
    if (n_running != n) {
        (void)snprintf(why, 256, "agent %u runs %u of %u tasks", a->at + 1, n_running, n);
        return false;
    }
    return true;
}
