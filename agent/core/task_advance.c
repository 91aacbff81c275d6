#include "agent/core/task_impl.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum readiness { READY, WAIT, NEVER };

struct pass { /* One call of task_advance(). */
    struct task *t;
    const struct task_options *options;
    const struct moment *now;
    bool may_start;
    struct actions *out;
};

static uint64_t start_timeout_ms(const struct task *t, uint32_t i,
                                 const struct task_options *options)
{
    uint32_t s = t->spec->containers[i].start_timeout_s;
    if (s == 0) {
        s = options->start_timeout_s != 0 ? options->start_timeout_s : DEFAULT_START_TIMEOUT_S;
    }
    return (uint64_t)s * 1000;
}

static uint32_t stop_timeout_s(const struct task *t, uint32_t i, const struct task_options *options)
{
    uint32_t s = t->spec->containers[i].stop_timeout_s;
    if (s == 0) {
        s = options->stop_timeout_s != 0 ? options->stop_timeout_s : DEFAULT_STOP_TIMEOUT_S;
    }
    return s;
}

static struct action *act(struct pass *p, enum action_kind kind, uint32_t i)
{
    struct action *a = actions_add(p->out, kind, p->t->id);
    a->container = i;
    return a;
}

static void busy_begin(struct task *t, bool *busy)
{
    assert(!*busy);
    *busy = true;
    t->n_busy++;
}

/* --- dependencies -------------------------------------------------------------------------------
 */

/* Why the wait of one edge is over for good; *text says it. */
static enum readiness edge_ended(const struct container *on, enum spec_condition condition,
                                 const char **text)
{
    if (on->started_at == 0) {
        *text = "could not be started";
        return NEVER;
    }
    switch (condition) {
    case SPEC_COND_START:
    case SPEC_COND_COMPLETE:
        return READY;
    case SPEC_COND_SUCCESS:
        if (on->has_exit_code && on->exit_code == 0) {
            return READY;
        }
        *text = "did not exit with code 0";
        return NEVER;
    case SPEC_COND_HEALTHY:
        *text = "ended before it was healthy";
        return NEVER;
    case SPEC_COND_N:
        break;
    }
    assert(false);
    return NEVER;
}

static enum readiness edge_ready(const struct pass *p, const struct spec_edge *e, const char **text)
{
    const struct container *on = &p->t->containers[e->on];
    enum spec_condition condition = (enum spec_condition)e->condition;
    if (on->phase == CONTAINER_STOPPED) {
        return edge_ended(on, condition, text);
    }
    if (on->phase < CONTAINER_RUNNING) {
        return WAIT;
    }
    if (condition == SPEC_COND_START ||
        (condition == SPEC_COND_HEALTHY && on->health == HEALTH_HEALTHY)) {
        return READY;
    }
    if (p->now->boot_ms >= on->started_boot_ms + start_timeout_ms(p->t, e->on, p->options)) {
        *text = "took longer than its start timeout";
        return NEVER;
    }
    return WAIT;
}

static enum readiness container_ready(struct pass *p, uint32_t i)
{
    struct task *t = p->t;
    enum readiness all = READY;
    for (uint32_t k = 0; k < t->n_edges; k++) {
        const char *text = "";
        enum readiness r;
        if (t->edges[k].from != i) {
            continue;
        }
        r = edge_ready(p, &t->edges[k], &text);
        if (r == NEVER) {
            task_reason_set(t->containers[i].reason,
                            "CannotStartContainerError: it depends on container '%s', which %s",
                            t->spec->containers[t->edges[k].on].name, text);
            return NEVER;
        }
        if (r == WAIT) {
            all = WAIT;
        }
    }
    return all;
}

/* --- forward ------------------------------------------------------------------------------------
 */

static bool pull_all(struct pass *p)
{
    struct task *t = p->t;
    bool begun = false;
    for (uint32_t i = 0; i < t->n_containers; i++) {
        struct container *c = &t->containers[i];
        if (c->phase == CONTAINER_PENDING && !c->pulled && !c->pull_busy) {
            busy_begin(t, &c->pull_busy);
            (void)act(p, ACTION_PULL, i);
            begun = true;
        }
    }
    return begun;
}

static bool all_pulled(const struct task *t)
{
    for (uint32_t i = 0; i < t->n_containers; i++) {
        if (t->containers[i].phase == CONTAINER_PENDING && !t->containers[i].pulled) {
            return false;
        }
    }
    return true;
}

static bool create_ready(struct pass *p)
{
    struct task *t = p->t;
    bool moved = false;
    for (uint32_t i = 0; i < t->n_containers; i++) {
        struct container *c = &t->containers[i];
        enum readiness r;
        if (c->phase != CONTAINER_PENDING) {
            continue;
        }
        r = container_ready(p, i);
        if (r == NEVER) {
            task_container_end(t, i, p->now);
            moved = true;
        } else if (r == READY && c->pulled && p->may_start) {
            task_container_move(t, c, CONTAINER_CREATING);
            busy_begin(t, &c->start_busy);
            (void)act(p, ACTION_START, i);
            moved = true;
        }
    }
    return moved;
}

static bool all_started(const struct task *t)
{
    for (uint32_t i = 0; i < t->n_containers; i++) {
        if (t->containers[i].phase < CONTAINER_RUNNING) {
            return false;
        }
    }
    return true;
}

/* Has the task come to its end by itself? The first essential container that ended says why. */
static bool is_over(struct task *t)
{
    bool all = true;
    for (uint32_t i = 0; i < t->n_containers; i++) {
        const struct container *c = &t->containers[i];
        if (c->phase != CONTAINER_STOPPED) {
            all = false;
            continue;
        }
        if (!t->spec->containers[i].essential) {
            continue;
        }
        if (c->started_at != 0) {
            t->stop_code = WIRE_STOP_ESSENTIAL_EXITED;
            task_reason_set(t->reason, "Essential container in task exited");
        } else {
            t->stop_code = WIRE_STOP_FAILED_TO_START;
            task_reason_set(t->reason, "%s",
                            c->reason[0] != '\0' ? c->reason : "Task failed to start");
        }
        return true;
    }
    return all;
}

/* --- backward -----------------------------------------------------------------------------------
 */

/* What depends on a container ends before it does. */
static bool may_end(const struct task *t, uint32_t i)
{
    for (uint32_t k = 0; k < t->n_edges; k++) {
        if (t->edges[k].on == i && t->containers[t->edges[k].from].phase != CONTAINER_STOPPED) {
            return false;
        }
    }
    return true;
}

static bool end_one(struct pass *p, uint32_t i)
{
    struct task *t = p->t;
    struct container *c = &t->containers[i];
    if (c->phase == CONTAINER_PENDING) {
        task_container_end(t, i, p->now);
        return true;
    }
    if (c->stop_busy || p->now->boot_ms < c->retry_at_ms || !may_end(t, i)) {
        return false;
    }
    if (c->phase != CONTAINER_STOPPING) {
        task_container_move(t, c, CONTAINER_STOPPING);
    }
    busy_begin(t, &c->stop_busy);
    act(p, ACTION_STOP, i)->timeout_s = stop_timeout_s(t, i, p->options);
    return true;
}

static bool end_all(struct pass *p)
{
    struct task *t = p->t;
    bool moved = false;
    bool all = true;
    for (uint32_t i = 0; i < t->n_containers; i++) {
        if (t->containers[i].phase != CONTAINER_STOPPED) {
            moved = end_one(p, i) || moved;
        }
        all = all && t->containers[i].phase == CONTAINER_STOPPED && !t->containers[i].start_busy;
    }
    if (all) {
        t->stopped_at = p->now->wall_ms;
        task_move(t, TASK_STOPPED);
        return true;
    }
    return moved;
}

/* --- the whole ----------------------------------------------------------------------------------
 */

static void watch(struct pass *p)
{
    struct task *t = p->t;
    for (uint32_t i = 0; i < t->n_containers; i++) {
        struct container *c = &t->containers[i];
        bool want = c->phase == CONTAINER_RUNNING && t->spec->containers[i].health.n_command > 0;
        if (want != c->watched) {
            c->watched = want;
            (void)act(p, want ? ACTION_WATCH : ACTION_UNWATCH, i);
        }
    }
}

/* One move, if there is one to make. */
static bool advance(struct pass *p)
{
    struct task *t = p->t;
    if (t->phase >= TASK_STOPPED) {
        return false;
    }
    if (t->phase == TASK_STOPPING) {
        return end_all(p);
    }
    if (t->want_stop || is_over(t)) {
        task_move(t, TASK_STOPPING);
        return true;
    }
    if (t->phase == TASK_ACCEPTED) {
        if (p->may_start) {
            t->pull_started_at = p->now->wall_ms;
            task_move(t, TASK_PULLING);
            return true;
        }
        return false;
    }
    /* In later phases too: after a restart, what is still to be started needs its image again. */
    if (p->may_start && pull_all(p)) {
        return true;
    }
    if (t->phase == TASK_PULLING) {
        if (all_pulled(t)) {
            t->pull_stopped_at = p->now->wall_ms;
            task_move(t, TASK_CREATING);
            return true;
        }
        return false;
    }
    if (create_ready(p)) {
        return true;
    }
    if (t->phase == TASK_CREATING && all_started(t)) {
        t->started_at = p->now->wall_ms;
        task_move(t, TASK_RUNNING);
        return true;
    }
    return false;
}

void task_advance(struct task *t, const struct task_options *options, const struct moment *now,
                  bool may_start, struct actions *out)
{
    struct pass p = {t, options, now, may_start, out};
    while (advance(&p)) {
    }
    watch(&p);
}

uint64_t task_deadline(const struct task *t, const struct task_options *options)
{
    uint64_t at = UINT64_MAX;
    if (t->phase == TASK_STOPPING) {
        for (uint32_t i = 0; i < t->n_containers; i++) {
            const struct container *c = &t->containers[i];
            if (c->phase != CONTAINER_STOPPED && !c->stop_busy && c->retry_at_ms != 0 &&
                c->retry_at_ms < at) {
                at = c->retry_at_ms;
            }
        }
        return at;
    }
    if (t->phase != TASK_CREATING) {
        return at;
    }
    for (uint32_t k = 0; k < t->n_edges; k++) {
        const struct spec_edge *e = &t->edges[k];
        const struct container *on = &t->containers[e->on];
        uint64_t end = on->started_boot_ms + start_timeout_ms(t, e->on, options);
        bool met = e->condition == SPEC_COND_START ||
                   (e->condition == SPEC_COND_HEALTHY && on->health == HEALTH_HEALTHY);
        if (t->containers[e->from].phase == CONTAINER_PENDING && !met &&
            on->phase == CONTAINER_RUNNING && end < at) {
            at = end;
        }
    }
    return at;
}
