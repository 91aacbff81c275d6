#include "agent/core/reconcile.h"

#include "common/base/buggify.h"
#include "common/base/plant.h"
#include <assert.h>
#include <string.h>

/* A container labelled ours that the journal does not know: the journal was lost, or another
 * agent's rubbish. It is adopted if the controller names its task in time, else removed. */
struct orphan {
    struct exec_container found;
    char name[SPEC_NAME_MAX + 1];
    uint64_t deadline_ms;
    bool removing;
};

struct reconcile {
    const struct mem *mem;
    struct reconcile_options options;
    struct task **tasks; /* Ordered by id. */
    size_t n_tasks;
    size_t cap_tasks;
    struct orphan *orphans;
    size_t n_orphans;
    size_t cap_orphans; /* As many as the inventory had containers. */
    struct report_queue reports;
    uint64_t epoch; /* The highest (epoch, session) that was journalled. */
    uint64_t session;
    uint64_t welcomes;    /* Welcomes since the agent started; marks the tasks named since. */
    uint64_t last_number; /* Of assignments, since the last welcome. */
    uint64_t lease_end_ms;
    bool ready;     /* The inventory is known. */
    bool full_seen; /* A whole list has been received since the agent started. */
};

struct step {
    struct reconcile *r;
    const struct event *e;
    struct actions *out;
};

struct reconcile *reconcile_open(const struct mem *mem, const struct reconcile_options *options)
{
    struct reconcile *r = mem_alloc(mem, sizeof *r);
    r->mem = mem;
    r->options = *options;
    report_init(&r->reports);
    return r;
}

static void orphans_free(struct reconcile *r)
{
    mem_free(r->mem, r->orphans, r->cap_orphans * sizeof *r->orphans);
    r->orphans = NULL;
    r->n_orphans = 0;
    r->cap_orphans = 0;
}

void reconcile_close(struct reconcile *r)
{
    if (r == NULL) {
        return;
    }
    for (size_t i = 0; i < r->n_tasks; i++) {
        task_close(r->mem, r->tasks[i]);
    }
    mem_free(r->mem, r->tasks, r->cap_tasks * sizeof(struct task *));
    orphans_free(r);
    mem_free(r->mem, r, sizeof *r);
}

/* --- the table ----------------------------------------------------------------------------------
 */

/* Where the task is, or would be. */
static size_t position(const struct reconcile *r, struct id id)
{
    size_t from = 0;
    size_t to = r->n_tasks;
    while (from < to) {
        size_t mid = from + (to - from) / 2;
        if (id_cmp(r->tasks[mid]->id, id) < 0) {
            from = mid + 1;
        } else {
            to = mid;
        }
    }
    return from;
}

struct task *reconcile_find(const struct reconcile *r, struct id id)
{
    size_t at = position(r, id);
    return at < r->n_tasks && id_eq(r->tasks[at]->id, id) ? r->tasks[at] : NULL;
}

static void insert(struct reconcile *r, struct task *t)
{
    size_t at = position(r, t->id);
    assert(r->n_tasks < LIMIT_TASKS);
    if (r->n_tasks == r->cap_tasks) {
        size_t cap = r->cap_tasks == 0 ? 16 : r->cap_tasks * 2;
        r->tasks = mem_resize(r->mem, r->tasks, r->cap_tasks * sizeof(struct task *),
                              cap * sizeof(struct task *));
        r->cap_tasks = cap;
    }
    memmove(&r->tasks[at + 1], &r->tasks[at], (r->n_tasks - at) * sizeof(struct task *));
    r->tasks[at] = t;
    r->n_tasks++;
}

static void drop(struct step *s, size_t at)
{
    struct reconcile *r = s->r;
    struct task *t = r->tasks[at];
    (void)actions_add(s->out, ACTION_DROP_TASK, t->id);
    memmove(&r->tasks[at], &r->tasks[at + 1], (r->n_tasks - at - 1) * sizeof(struct task *));
    r->n_tasks--;
    task_close(r->mem, t);
}

int reconcile_restore(struct reconcile *r, const struct task *saved, struct arena *arena,
                      const struct task_spec *spec, struct err *err)
{
    assert(!r->ready);
    if (reconcile_find(r, saved->id) != NULL) {
        return err_set(err, ERR_EXISTS, "a task is there twice");
    }
    if (r->n_tasks == LIMIT_TASKS) {
        return err_set(err, ERR_FULL, "more than %d tasks", LIMIT_TASKS);
    }
    insert(r, task_restore(r->mem, saved, arena, spec, &r->reports));
    return 0;
}

void reconcile_restore_session(struct reconcile *r, uint64_t epoch, uint64_t session)
{
    assert(!r->ready);
    r->epoch = epoch;
    r->session = session;
}

/* --- inventory ----------------------------------------------------------------------------------
 */

static void orphan_add(struct step *s, const struct exec_container *found)
{
    struct reconcile *r = s->r;
    struct orphan *o;
    if (r->orphans == NULL) {
        r->cap_orphans = s->e->n_containers;
        r->orphans = mem_alloc(r->mem, r->cap_orphans * sizeof *r->orphans);
    }
    assert(r->n_orphans < r->cap_orphans);
    o = &r->orphans[r->n_orphans];
    memset(o, 0, sizeof *o);
    o->found = *found;
    (void)str_copy(o->name, sizeof o->name, str_of(found->key.name));
    o->found.key.name = o->name;
    o->deadline_ms = s->e->now.boot_ms + ORPHAN_MS;
    r->n_orphans++;
}

static const struct exec_container *found_find(const struct event *e, struct id task,
                                               const char *name)
{
    for (size_t i = 0; i < e->n_containers; i++) {
        if (id_eq(e->containers[i].key.task, task) &&
            strcmp(e->containers[i].key.name, name) == 0) {
            return &e->containers[i];
        }
    }
    return NULL;
}

static void on_inventory(struct step *s)
{
    struct reconcile *r = s->r;
    const struct event *e = s->e;
    assert(!r->ready);
    r->ready = true;
    for (size_t i = 0; i < r->n_tasks; i++) {
        struct task *t = r->tasks[i];
        for (uint32_t k = 0; k < t->n_containers; k++) {
            task_adopt(t, k, found_find(e, t->id, t->spec->containers[k].name), &e->now);
        }
    }
    for (size_t i = 0; i < e->n_containers; i++) {
        if (reconcile_find(r, e->containers[i].key.task) == NULL) {
            orphan_add(s, &e->containers[i]);
        }
    }
}

/* The controller names a task of which only the runtime knew. */
static void adopt_orphans(struct step *s, struct task *t)
{
    struct reconcile *r = s->r;
    size_t kept = 0;
    for (size_t i = 0; i < r->n_orphans; i++) {
        struct orphan *o = &r->orphans[i];
        if (!id_eq(o->found.key.task, t->id)) {
            if (kept != i) {
                r->orphans[kept] = *o;
                r->orphans[kept].found.key.name = r->orphans[kept].name;
            }
            kept++;
            continue;
        }
        if (t->spec != NULL && spec_find(t->spec, o->name) < t->n_containers) {
            task_adopt(t, spec_find(t->spec, o->name), &o->found, &s->e->now);
        }
    }
    r->n_orphans = kept;
    if (kept == 0) {
        orphans_free(r);
    }
}

bool reconcile_knows(const struct reconcile *r, struct id task)
{
    for (size_t i = 0; i < r->n_orphans; i++) {
        if (id_eq(r->orphans[i].found.key.task, task)) {
            return true;
        }
    }
    return reconcile_find(r, task) != NULL;
}

static bool orphan_removing(const struct reconcile *r, struct id task)
{
    for (size_t i = 0; i < r->n_orphans; i++) {
        if (id_eq(r->orphans[i].found.key.task, task) && r->orphans[i].removing) {
            return true;
        }
    }
    return false;
}

static void orphans_remove(struct step *s)
{
    struct reconcile *r = s->r;
    for (size_t i = 0; i < r->n_orphans; i++) {
        struct orphan *o = &r->orphans[i];
        bool early = s->e->now.boot_ms < o->deadline_ms || BUGGIFY(AGENT_ORPHAN_LATER);
        if (!r->full_seen || o->removing || early || PLANTED(ORPHAN_KEPT)) {
            continue;
        }
        if (!orphan_removing(r, o->found.key.task)) { /* One removal takes all of a task. */
            (void)actions_add(s->out, ACTION_REMOVE, o->found.key.task);
        }
        o->removing = true;
    }
}

static void orphan_removed(struct step *s)
{
    struct reconcile *r = s->r;
    size_t kept = 0;
    for (size_t i = 0; i < r->n_orphans; i++) {
        struct orphan *o = &r->orphans[i];
        if (id_eq(o->found.key.task, s->e->task)) {
            if (s->e->status == 0) {
                continue;
            }
            o->removing = false;
            o->deadline_ms = s->e->now.boot_ms + STOP_RETRY_MS;
        }
        if (kept != i) {
            r->orphans[kept] = *o;
            r->orphans[kept].found.key.name = r->orphans[kept].name;
        }
        kept++;
    }
    r->n_orphans = kept;
    if (kept == 0) {
        orphans_free(r);
    }
}

/* --- assignments --------------------------------------------------------------------------------
 */

/* Make room by giving up the oldest memory that has served its time least badly: a task that is
 * forgotten and gone. */
static bool make_room(struct step *s)
{
    struct reconcile *r = s->r;
    size_t oldest = r->n_tasks;
    if (r->n_tasks < LIMIT_TASKS) {
        return true;
    }
    for (size_t i = 0; i < r->n_tasks; i++) {
        const struct task *t = r->tasks[i];
        if (t->phase == TASK_FORGOTTEN && t->removed && t->n_busy == 0 &&
            (oldest == r->n_tasks || t->forgotten_at < r->tasks[oldest]->forgotten_at)) {
            oldest = i;
        }
    }
    if (oldest == r->n_tasks) {
        return false;
    }
    drop(s, oldest);
    return true;
}

static int accept_task(struct step *s, struct wanted *w)
{
    struct reconcile *r = s->r;
    const char *why = w->why;
    const struct task_spec *spec = w->spec;
    struct arena none = {0};
    struct task *t;
    if (!make_room(s)) {
        return ERR_FULL;
    }
    if (w->stop) { /* Never started here, and from now on never will be. */
        why = w->stop_reason;
        spec = NULL;
    } else if (orphan_removing(r, w->task)) {
        why = "Containers of this task, unknown to the agent, were being removed";
        spec = NULL;
    } else if (spec == NULL && why == NULL) {
        why = "The controller sent no specification";
    }
    t = task_open(r->mem, w->task, spec != NULL ? w->arena : &none, spec, why, s->e->now,
                  &r->reports);
    if (w->stop) {
        t->stop_code = WIRE_STOP_NONE;
    }
    if (t->spec != NULL) {
        actions_add(s->out, ACTION_SAVE_SPEC, t->id)->bytes = w->bytes;
    }
    t->listed = r->welcomes;
    insert(r, t);
    adopt_orphans(s, t);
    return 0;
}

static int assign_one(struct step *s, struct wanted *w)
{
    struct task *t = reconcile_find(s->r, w->task);
    if (t == NULL) {
        return accept_task(s, w);
    }
    t->listed = s->r->welcomes;
    if (t->disowned) {
        t->disowned = false;
        t->dirty = true;
    }
    if (t->phase >= TASK_STOPPED) {
        report_mark(&s->r->reports, &t->report); /* It does not know the end yet. */
    } else if (w->stop) {
        task_stop(t, w->stop_reason[0] != '\0' ? w->stop_reason : "Task stopped");
    }
    return 0;
}

/* The whole list is known: what it does not name has no business here. */
static void disown_unlisted(struct step *s)
{
    struct reconcile *r = s->r;
    r->full_seen = true;
    for (size_t i = 0; i < r->n_tasks; i++) {
        struct task *t = r->tasks[i];
        if (t->listed == r->welcomes || t->phase == TASK_FORGOTTEN) {
            continue;
        }
        task_stop(t, "Task is no longer assigned to this node");
        if (!t->disowned) {
            t->disowned = true;
            t->dirty = true;
        }
    }
}

static int on_assign(struct step *s)
{
    struct reconcile *r = s->r;
    const struct assign *a = s->e->assign;
    int rv = 0;
    assert(r->ready && r->welcomes > 0);
    if (a->number > r->last_number) { /* Otherwise it came before: acknowledge it once more. */
        r->last_number = a->number;
        for (uint32_t i = 0; i < a->n_tasks; i++) {
            int one = assign_one(s, &a->tasks[i]);
            rv = one != 0 ? one : rv;
        }
        for (uint32_t i = 0; i < a->n_forget; i++) {
            struct task *t = reconcile_find(r, a->forget[i]);
            if (t != NULL) {
                task_forget(t, &s->e->now);
            }
        }
        if (a->full && a->full_end) {
            disown_unlisted(s);
        }
    }
    actions_add(s->out, ACTION_ACK, (struct id){0, 0})->number = a->number;
    return rv;
}

static int on_welcome(struct step *s)
{
    struct reconcile *r = s->r;
    assert(r->ready);
    if (PLANTED(FENCE_OPEN)) {
        r->session = s->e->session < r->session ? s->e->session : r->session;
    }
    if (s->e->epoch < r->epoch || (s->e->epoch == r->epoch && s->e->session < r->session)) {
        return ERR_CONFLICT;
    }
    if (s->e->epoch > r->epoch || s->e->session > r->session) {
        struct action *a = actions_add(s->out, ACTION_SAVE_SESSION, (struct id){0, 0});
        r->epoch = s->e->epoch;
        r->session = s->e->session;
        a->epoch = r->epoch;
        a->number = r->session;
    }
    r->welcomes++;
    r->last_number = 0;
    r->lease_end_ms = s->e->until_ms;
    return 0;
}

/* --- events about one task ----------------------------------------------------------------------
 */

static void on_exited(struct step *s)
{
    const struct exec_exit *exit = s->e->exit;
    struct task *t = reconcile_find(s->r, exit->key.task);
    if (t == NULL) {
        for (size_t i = 0; i < s->r->n_orphans; i++) {
            struct orphan *o = &s->r->orphans[i];
            if (id_eq(o->found.key.task, exit->key.task) && strcmp(o->name, exit->key.name) == 0) {
                o->found.state = EXEC_EXITED;
                o->found.exit = *exit;
                o->found.exit.key.name = o->name;
            }
        }
        return;
    }
    if (t->spec != NULL && spec_find(t->spec, exit->key.name) < t->n_containers) {
        task_exited(t, spec_find(t->spec, exit->key.name), exit, &s->e->now);
    }
}

static void on_removed(struct step *s)
{
    struct task *t = reconcile_find(s->r, s->e->task);
    if (t != NULL && t->remove_busy) {
        task_removed(t, s->e->status, &s->e->now);
    } else {
        orphan_removed(s);
    }
}

/* Requests pin their task (n_busy), so it is there; health may come late. */
static void on_answer(struct step *s)
{
    const struct event *e = s->e;
    struct task *t = reconcile_find(s->r, e->task);
    if (e->kind == EVENT_HEALTH) {
        if (t != NULL && e->container < t->n_containers) {
            task_health(t, e->container, e->health);
        }
        return;
    }
    assert(t != NULL && e->container < t->n_containers);
    if (e->kind == EVENT_PULLED) {
        task_pulled(t, e->container, e->status, e->err, e->image);
    } else if (e->kind == EVENT_STARTED) {
        task_started(t, e->container, e->status, e->err, &e->now);
    } else {
        task_stop_done(t, e->container, e->status, &e->now);
    }
}

static int take_in(struct step *s)
{
    switch (s->e->kind) {
    case EVENT_INVENTORY:
        on_inventory(s);
        return 0;
    case EVENT_WELCOME:
        return on_welcome(s);
    case EVENT_LEASE:
        if (s->e->until_ms > s->r->lease_end_ms) {
            s->r->lease_end_ms = s->e->until_ms;
        }
        return 0;
    case EVENT_DISCONNECTED:
        report_lost(&s->r->reports);
        return 0;
    case EVENT_ASSIGN:
        return on_assign(s);
    case EVENT_REPORTED:
        report_acked(&s->r->reports, s->e->number);
        return 0;
    case EVENT_EXITED:
        on_exited(s);
        return 0;
    case EVENT_REMOVED:
        on_removed(s);
        return 0;
    case EVENT_PULLED:
    case EVENT_STARTED:
    case EVENT_STOPPED:
    case EVENT_HEALTH:
        on_answer(s);
        return 0;
    case EVENT_TICK:
        return 0;
    case EVENT_KIND_N:
        break;
    }
    assert(false);
    return 0;
}

/* --- what follows -------------------------------------------------------------------------------
 */

static int64_t removal_due(const struct reconcile *r, const struct task *t)
{
    return t->disowned ? 0 : t->stopped_at + (int64_t)r->options.keep_ms;
}

static bool may_remove(const struct task *t)
{
    return t->phase == TASK_FORGOTTEN && !t->removed && t->n_busy == 0;
}

static void remove_one(struct step *s, struct task *t)
{
    if (PLANTED(LEFTOVERS_KEPT)) {
        t->removed = true;
        return;
    }
    if (BUGGIFY(AGENT_REMOVE_LATER)) {
        t->remove_retry_ms = s->e->now.boot_ms + 1000;
        return;
    }
    t->remove_busy = true;
    t->n_busy++;
    (void)actions_add(s->out, ACTION_REMOVE, t->id);
}

/* Files of forgotten tasks go when their time is up, and the oldest when there are too many. */
static void remove_due(struct step *s)
{
    struct reconcile *r = s->r;
    struct task *oldest = NULL;
    size_t n_kept = 0;
    for (size_t i = 0; i < r->n_tasks; i++) {
        struct task *t = r->tasks[i];
        if (!may_remove(t) || s->e->now.boot_ms < t->remove_retry_ms) {
            continue;
        }
        if (s->e->now.wall_ms >= removal_due(r, t)) {
            remove_one(s, t);
            continue;
        }
        n_kept++;
        if (oldest == NULL || t->stopped_at < oldest->stopped_at) {
            oldest = t;
        }
    }
    if (n_kept > LIMIT_KEPT) { /* One a step is enough: each task stops in a step of its own. */
        remove_one(s, oldest);
    }
}

static void forget_and_drop(struct step *s)
{
    struct reconcile *r = s->r;
    for (size_t i = 0; i < r->n_tasks;) {
        struct task *t = r->tasks[i];
        if (t->phase == TASK_STOPPED && t->disowned) {
            task_forget(t, &s->e->now);
        }
        if (t->phase == TASK_FORGOTTEN && t->spec != NULL && t->n_busy == 0) {
            task_release_spec(t);
            (void)actions_add(s->out, ACTION_DROP_SPEC, t->id);
        }
        if (t->phase == TASK_FORGOTTEN && t->removed && t->n_busy == 0 &&
            s->e->now.wall_ms >= t->forgotten_at + TOMBSTONE_MS) {
            drop(s, i);
        } else {
            i++;
        }
    }
}

/* Does the controller of this session want it? */
static bool is_listed(const struct reconcile *r, const struct task *t)
{
    return t->listed == r->welcomes || PLANTED(UNLISTED_STARTED);
}

static void advance_all(struct step *s)
{
    struct reconcile *r = s->r;
    bool lease = reconcile_may_start(r, s->e->now.boot_ms);
    for (size_t i = 0; i < r->n_tasks; i++) {
        struct task *t = r->tasks[i];
        if (t->phase < TASK_STOPPED) {
            task_advance(t, &r->options.task, &s->e->now, lease && is_listed(r, t), s->out);
        }
    }
}

int reconcile_step(struct reconcile *r, const struct event *event, struct actions *out)
{
    struct step s = {r, event, out};
    int rv = take_in(&s);
    if (!r->ready) {
        return rv;
    }
    advance_all(&s);
    forget_and_drop(&s);
    remove_due(&s);
    orphans_remove(&s);
    for (size_t i = 0; i < r->n_tasks; i++) {
        if (r->tasks[i]->dirty || BUGGIFY(AGENT_SAVE)) {
            r->tasks[i]->dirty = false;
            (void)actions_add(out, ACTION_SAVE_TASK, r->tasks[i]->id);
        }
    }
    return rv;
}

/* A wall-clock time as one of CLOCK_BOOTTIME, not in the past. */
static uint64_t boot_at(const struct moment *now, int64_t wall_ms)
{
    return wall_ms <= now->wall_ms ? now->boot_ms
                                   : now->boot_ms + (uint64_t)(wall_ms - now->wall_ms);
}

uint64_t reconcile_deadline(const struct reconcile *r, const struct moment *now)
{
    uint64_t at = BUGGIFY(AGENT_TICK) ? now->boot_ms + 10 : UINT64_MAX;
    for (size_t i = 0; i < r->n_tasks; i++) {
        const struct task *t = r->tasks[i];
        uint64_t one = UINT64_MAX;
        if (t->phase < TASK_STOPPED) {
            one = task_deadline(t, &r->options.task);
        } else if (may_remove(t)) {
            one = boot_at(now, removal_due(r, t));
            one = one < t->remove_retry_ms ? t->remove_retry_ms : one;
        } else if (t->phase == TASK_FORGOTTEN && t->n_busy == 0) {
            one = boot_at(now, t->forgotten_at + TOMBSTONE_MS);
        }
        at = one < at ? one : at;
    }
    for (size_t i = 0; i < r->n_orphans; i++) {
        const struct orphan *o = &r->orphans[i];
        if (r->full_seen && !o->removing && o->deadline_ms < at) {
            at = o->deadline_ms;
        }
    }
    return at;
}

/* --- views --------------------------------------------------------------------------------------
 */

size_t reconcile_n_tasks(const struct reconcile *r)
{
    return r->n_tasks;
}

struct task *reconcile_task_at(const struct reconcile *r, size_t i)
{
    assert(i < r->n_tasks);
    return r->tasks[i];
}

size_t reconcile_n_orphans(const struct reconcile *r)
{
    return r->n_orphans;
}

bool reconcile_may_start(const struct reconcile *r, uint64_t boot_ms)
{
    return r->ready && r->welcomes > 0 && !BUGGIFY(AGENT_NO_LEASE) &&
           (boot_ms < r->lease_end_ms || PLANTED(LEASE_IGNORED));
}

bool reconcile_may_start_task(const struct reconcile *r, const struct task *t, uint64_t boot_ms)
{
    bool wanted = !t->want_stop || PLANTED(UNLISTED_STARTED);
    return reconcile_may_start(r, boot_ms) && wanted && is_listed(r, t);
}

struct report_queue *reconcile_reports(struct reconcile *r)
{
    return &r->reports;
}
