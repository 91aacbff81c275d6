/* Tasks move forward only: by what agents report, by what users and plans ask for, by the loss of
 * their node. */
#include "common/base/plant.h"
#include "controller/core/store_impl.h"

#define SHORT_LIFE_MS      10000
#define SHORT_LIFE_WAIT_MS 1000

void store_unwant(struct store *s, uint32_t slot, uint8_t stop_code, struct str reason)
{
    struct task *t = store_task_begin(s, slot);
    assert(t->status != TASK_STOPPED && t->desired == TASK_RUNNING);
    t->desired = TASK_STOPPED;
    t->stop_code = stop_code;
    t->stopping_at = s->meta->now;
    store_set_text(s, &t->stop_reason, reason, LIMIT_REASON);
    store_task_end(s, slot);
}

/* Failing starts are tried again later and later. Those that fail while the service waits already
 * are of the same round. */
static void note_start_failure(struct store *s, uint32_t slot)
{
    struct service *v = service_at(s, slot);
    int64_t delay = LIMIT_BACKOFF_MS;
    v->primary.n_failed++;
    if (s->meta->now >= v->retry_at) {
        if (v->n_start_failures < 20) {
            delay = 1000ll << v->n_start_failures;
        }
        v->n_start_failures++;
        v->retry_at = s->meta->now + (delay < LIMIT_BACKOFF_MS ? delay : LIMIT_BACKOFF_MS);
    }
    store_touch(s, KIND_SERVICE, slot);
}

/* A task that ended as soon as it ran is not a failed start, but must not be replaced in a tight
 * loop either. */
static void note_short_life(struct store *s, uint32_t slot)
{
    struct service *v = service_at(s, slot);
    if (v->retry_at < s->meta->now + SHORT_LIFE_WAIT_MS) {
        v->retry_at = s->meta->now + SHORT_LIFE_WAIT_MS;
        store_touch(s, KIND_SERVICE, slot);
    }
}

/* What the end of a task says about the service that made it. */
static void note_end(struct store *s, const struct task *t)
{
    if (t->service == SLOT_NONE || t->deployment != service_at(s, t->service)->primary.id ||
        (t->stop_code != STOP_FAILED_TO_START && t->stop_code != STOP_ESSENTIAL_EXITED)) {
        return;
    }
    if (t->started_at == 0) {
        note_start_failure(s, t->service);
    } else if (t->stopped_at - t->started_at < SHORT_LIFE_MS) {
        note_short_life(s, t->service);
    }
}

static void note_start(struct store *s, const struct task *t)
{
    struct service *v;
    if (t->service == SLOT_NONE) {
        return;
    }
    v = service_at(s, t->service);
    if (t->deployment == v->primary.id && v->n_start_failures > 0) {
        v->n_start_failures = 0;
        v->retry_at = 0;
        store_touch(s, KIND_SERVICE, t->service);
    }
}

/* Between begin and end: the task is over. */
static void finish(struct store *s, struct task *t)
{
    assert(t->status != TASK_STOPPED);
    if (!PLANTED(ROOM_LEAKED)) {
        store_ports_give(s, t);
    }
    t->status = TASK_STOPPED;
    t->desired = TASK_STOPPED;
    t->stopped_at = s->meta->now;
    t->stopping_at = t->stopping_at == 0 ? s->meta->now : t->stopping_at;
    for (uint32_t i = 0; i < t->n_containers; i++) {
        t->containers[i].status = CONTAINER_STOPPED;
    }
}

void store_lose(struct store *s, uint32_t slot, struct str reason)
{
    struct task *t = store_task_begin(s, slot);
    if (t->desired == TASK_RUNNING) {
        t->stop_code = STOP_INFRASTRUCTURE;
        store_set_text(s, &t->stop_reason, reason, LIMIT_REASON);
    }
    finish(s, t);
    store_task_end(s, slot);
}

void store_task_stop(struct store *s, const struct command *cmd, struct result *r)
{
    const struct cmd_task_stop *c = &cmd->u.task_stop;
    uint32_t cluster = store_active_cluster(s, c->cluster, r);
    uint32_t slot = store_find_task(s, c->id);
    const struct task *t = store_at(s, KIND_TASK, slot);
    if (cluster == SLOT_NONE) {
        return;
    }
    if (t == NULL || t->cluster != cluster) {
        if (PLANTED(REFUSED_ACTS)) {
            store_touch(s, KIND_CLUSTER, cluster);
        }
        store_reject(r, REJECT_TASK_NOT_FOUND, "The referenced task was not found.");
        return;
    }
    r->slot = slot;
    r->id = t->id;
    if (t->status != TASK_STOPPED && t->desired == TASK_RUNNING) {
        uint8_t code = c->stop_code == STOP_NONE ? STOP_USER : c->stop_code;
        store_unwant(s, slot, code, c->reason);
    }
}

/* --- reports -------------------------------------------------------------------------------------
 */

/* The text changes if the agent says something new. */
static bool set_reported(struct store *s, struct str *field, struct str value)
{
    if (value.n == 0 || str_eq(*field, str_slice(value, 0, LIMIT_REPORT_TEXT))) {
        return false;
    }
    store_set_text(s, field, value, LIMIT_REPORT_TEXT);
    return true;
}

static bool report_container(struct store *s, struct container *c, const struct container_report *p)
{
    bool changed = false;
    if (p->status > c->status && p->status <= CONTAINER_STOPPED) {
        c->status = p->status;
        changed = true;
    }
    if (p->health != c->health && p->health <= HEALTH_UNHEALTHY) {
        c->health = p->health;
        changed = true;
    }
    if (p->has_exit_code && !c->has_exit_code && c->status == CONTAINER_STOPPED) {
        c->has_exit_code = true;
        c->exit_code = p->exit_code;
        changed = true;
    }
    changed |= set_reported(s, &c->reason, p->reason);
    changed |= set_reported(s, &c->runtime_id, p->runtime_id);
    changed |= set_reported(s, &c->image_digest, p->image_digest);
    return changed;
}

/* An agent's clock is its own: a time before the task or in the future is not believed. */
static bool set_time(const struct store *s, const struct task *t, int64_t *field, int64_t value)
{
    if (value <= 0 || *field != 0) {
        return false;
    }
    value = value < t->created_at ? t->created_at : value;
    *field = value > s->meta->now ? s->meta->now : value;
    return true;
}

static bool essential_stopped(const struct store *s, const struct task *t)
{
    const struct taskdef *def = taskdef_at(s, t->taskdef);
    for (uint32_t i = 0; i < t->n_containers && i < def->n_containers; i++) {
        if (def->containers[i].essential && t->containers[i].status == CONTAINER_STOPPED) {
            return true;
        }
    }
    return false;
}

/* Why a task that was to run does not: what the agent says, else what the containers say. */
static void explain_stop(struct store *s, struct task *t, const struct task_report *p)
{
    struct str reason = p->reason;
    uint8_t code = p->stop_code;
    if (code == STOP_NONE || code > STOP_INFRASTRUCTURE) {
        code = essential_stopped(s, t) || t->started_at != 0 ? STOP_ESSENTIAL_EXITED
                                                             : STOP_FAILED_TO_START;
    }
    if (reason.n == 0) {
        reason = code == STOP_ESSENTIAL_EXITED ? STR("Essential container in task exited")
                                               : STR("Task failed to start");
    }
    t->stop_code = code;
    store_set_text(s, &t->stop_reason, reason, LIMIT_REASON);
}

/* What the report means for the life of the task, between begin and end. One that is on its way out
 * without having been asked is not wanted any more: its replacement need not wait for the end. */
static bool report_status(struct store *s, struct task *t, const struct task_report *p)
{
    bool ends = p->status == TASK_STOPPED;
    bool fails = p->status > TASK_RUNNING || essential_stopped(s, t);
    bool changed = false;
    if (p->status > TASK_STOPPED) {
        return false; /* Of an agent that knows more than we do. */
    }
    if (p->status == TASK_RUNNING && p->started_at == 0) {
        changed |= set_time(s, t, &t->started_at, s->meta->now);
    } else if (p->status >= TASK_RUNNING) {
        changed |= set_time(s, t, &t->started_at, p->started_at);
    }
    if (fails && t->desired == TASK_RUNNING) {
        explain_stop(s, t, p);
        t->desired = TASK_STOPPED;
        t->stopping_at = s->meta->now;
        changed = true;
    }
    if (ends && !(PLANTED(RESURRECTION) && t->status == TASK_STOPPED)) {
        finish(s, t);
        changed = true;
    } else if (p->status > t->status || PLANTED(RESURRECTION)) {
        t->status = p->status;
        changed = true;
    }
    return changed;
}

static bool report_details(struct store *s, struct task *t, const struct task_report *p)
{
    bool changed = false;
    for (uint32_t i = 0; i < p->n_containers; i++) {
        if (p->containers[i].index < t->n_containers) {
            changed |=
                report_container(s, &t->containers[p->containers[i].index], &p->containers[i]);
        }
    }
    if (p->health != t->health && p->health <= HEALTH_UNHEALTHY) {
        t->health = p->health;
        changed = true;
    }
    changed |= set_time(s, t, &t->pull_started_at, p->pull_started_at);
    changed |= set_time(s, t, &t->pull_stopped_at, p->pull_stopped_at);
    return changed;
}

/* The task the report is about, when the one who sends it may speak of it. */
static uint32_t find_reported(const struct store *s, const struct task_report *p)
{
    uint32_t slot = store_find_task(s, p->id);
    const struct task *t = store_at(s, KIND_TASK, slot);
    const struct node *node;
    if (t == NULL || (t->status == TASK_STOPPED && !PLANTED(RESURRECTION))) {
        return SLOT_NONE;
    }
    node = node_at(s, t->node);
    return id_eq(node->id, p->node) && node->session == p->session ? slot : SLOT_NONE;
}

static bool report_task(struct store *s, const struct task_report *p)
{
    uint32_t slot = find_reported(s, p);
    struct task *t;
    bool was_running;
    bool changed;
    if (slot == SLOT_NONE) {
        return false;
    }
    t = store_task_begin(s, slot);
    was_running = t->status >= TASK_RUNNING;
    changed = report_details(s, t, p);
    changed |= report_status(s, t, p);
    if (!changed) {
        store_task_same(s, slot);
        return false;
    }
    store_task_end(s, slot);
    if (t->status == TASK_RUNNING && !was_running) {
        note_start(s, t);
    } else if (t->status == TASK_STOPPED) {
        note_end(s, t);
    }
    return true;
}

void store_task_reports(struct store *s, const struct command *cmd, struct result *r)
{
    const struct cmd_task_reports *c = &cmd->u.reports;
    for (uint32_t i = 0; i < c->n; i++) {
        r->n_done += report_task(s, &c->v[i]);
    }
}
