#include "agent/core/task_impl.h"

#include "common/base/plant.h"
#include "common/base/sm.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const struct sm_state task_phases[TASK_PHASE_N] = {
    [TASK_ACCEPTED] = {"accepted",
                       SM_BIT(TASK_PULLING) | SM_BIT(TASK_STOPPING) | SM_BIT(TASK_STOPPED)},
    [TASK_PULLING] = {"pulling", SM_BIT(TASK_CREATING) | SM_BIT(TASK_STOPPING)},
    [TASK_CREATING] = {"creating", SM_BIT(TASK_RUNNING) | SM_BIT(TASK_STOPPING)},
    [TASK_RUNNING] = {"running", SM_BIT(TASK_STOPPING)},
    [TASK_STOPPING] = {"stopping", SM_BIT(TASK_STOPPED)},
    [TASK_STOPPED] = {"stopped", SM_BIT(TASK_FORGOTTEN)},
    [TASK_FORGOTTEN] = {"forgotten", 0},
};

static const struct sm_state container_phases[CONTAINER_PHASE_N] = {
    [CONTAINER_PENDING] = {"pending", SM_BIT(CONTAINER_CREATING) | SM_BIT(CONTAINER_STOPPED)},
    [CONTAINER_CREATING] = {"creating", SM_BIT(CONTAINER_RUNNING) | SM_BIT(CONTAINER_STOPPING) |
                                            SM_BIT(CONTAINER_STOPPED)},
    [CONTAINER_RUNNING] = {"running", SM_BIT(CONTAINER_STOPPING) | SM_BIT(CONTAINER_STOPPED)},
    [CONTAINER_STOPPING] = {"stopping", SM_BIT(CONTAINER_STOPPED)},
    [CONTAINER_STOPPED] = {"stopped", 0},
};

const char *task_phase_name(int phase)
{
    assert(phase >= 0 && phase < TASK_PHASE_N);
    return task_phases[phase].name;
}

const char *container_phase_name(int phase)
{
    assert(phase >= 0 && phase < CONTAINER_PHASE_N);
    return container_phases[phase].name;
}

void task_touch(struct task *t)
{
    t->dirty = true;
    report_mark(t->queue, &t->report);
}

void task_move(struct task *t, int phase)
{
    sm_move(task_phases, &t->phase, phase);
    task_touch(t);
}

void task_container_move(struct task *t, struct container *c, int phase)
{
    sm_move(container_phases, &c->phase, phase);
    task_touch(t);
}

void task_reason_set(char *reason, const char *fmt, ...)
{
    va_list args;
    if (reason[0] != '\0') {
        return;
    }
    va_start(args, fmt);
    (void)vsnprintf(reason, LIMIT_REASON, fmt, args);
    va_end(args);
}

void task_container_end(struct task *t, uint32_t i, const struct moment *now)
{
    struct container *c = &t->containers[i];
    if (c->stopped_at == 0) {
        c->stopped_at = now->wall_ms;
    }
    task_container_move(t, c, CONTAINER_STOPPED);
}

/* --- life ---------------------------------------------------------------------------------------
 */

static struct task *make(const struct mem *mem, struct id id, struct arena *arena,
                         const struct task_spec *spec, struct report_queue *queue)
{
    struct spec_edge edges[LIMIT_EDGES];
    struct task *t = mem_alloc(mem, sizeof *t);
    t->id = id;
    t->queue = queue;
    t->arena = *arena;
    memset(arena, 0, sizeof *arena);
    report_item_init(&t->report);
    if (spec == NULL) {
        return t;
    }
    t->spec = spec;
    t->n_containers = spec->n_containers;
    t->containers = arena_array(&t->arena, t->n_containers, sizeof *t->containers);
    t->n_edges = spec_edges(spec, edges);
    t->edges = arena_array(&t->arena, t->n_edges, sizeof *t->edges);
    memcpy(t->edges, edges, t->n_edges * sizeof *edges);
    return t;
}

struct task *task_open(const struct mem *mem, struct id id, struct arena *arena,
                       const struct task_spec *spec, const char *why, struct moment now,
                       struct report_queue *queue)
{
    struct err err = {0};
    struct task *t;
    if (spec != NULL && spec_check(spec, &err) != 0) {
        why = err.text;
        spec = NULL;
    }
    t = make(mem, id, arena, spec, queue);
    t->accepted_at = now.wall_ms;
    if (spec == NULL) {
        arena_close(&t->arena);
        t->stop_code = WIRE_STOP_FAILED_TO_START;
        t->stopped_at = now.wall_ms;
        task_reason_set(t->reason, "%s", why);
        task_move(t, TASK_STOPPED);
    }
    task_touch(t);
    return t;
}

struct task *task_restore(const struct mem *mem, const struct task *saved, struct arena *arena,
                          const struct task_spec *spec, struct report_queue *queue)
{
    struct task *t = make(mem, saved->id, arena, spec, queue);
    t->phase = saved->phase;
    t->want_stop = saved->want_stop;
    t->disowned = saved->disowned;
    t->stop_code = saved->stop_code;
    t->accepted_at = saved->accepted_at;
    t->pull_started_at = saved->pull_started_at;
    t->pull_stopped_at = saved->pull_stopped_at;
    t->started_at = saved->started_at;
    t->stopped_at = saved->stopped_at;
    t->forgotten_at = saved->forgotten_at;
    memcpy(t->reason, saved->reason, sizeof t->reason);
    assert(spec == NULL || saved->n_containers == spec->n_containers);
    for (uint32_t i = 0; i < t->n_containers; i++) {
        t->containers[i] = saved->containers[i];
        if (PLANTED(CREATE_TWICE) && t->containers[i].phase == CONTAINER_CREATING) {
            t->containers[i].phase = CONTAINER_PENDING;
        }
    }
    if (t->phase < TASK_FORGOTTEN && !PLANTED(END_NOT_REPORTED)) {
        report_mark(queue, &t->report);
    }
    return t;
}

void task_close(const struct mem *mem, struct task *t)
{
    if (t == NULL) {
        return;
    }
    report_drop(&t->report);
    if (t->arena.mem != NULL) {
        arena_close(&t->arena);
    }
    mem_free(mem, t, sizeof *t);
}

void task_release_spec(struct task *t)
{
    assert(t->phase == TASK_FORGOTTEN);
    if (t->n_busy > 0 || t->spec == NULL) {
        return;
    }
    t->spec = NULL;
    t->containers = NULL;
    t->n_containers = 0;
    t->edges = NULL;
    t->n_edges = 0;
    arena_close(&t->arena);
}

/* --- events -------------------------------------------------------------------------------------
 */

void task_stop(struct task *t, const char *reason)
{
    if (t->phase >= TASK_STOPPED || t->want_stop) {
        return;
    }
    t->want_stop = true;
    task_reason_set(t->reason, "%s", reason);
    task_touch(t);
}

static void busy_end(struct task *t, bool *busy)
{
    assert(*busy && t->n_busy > 0);
    *busy = false;
    t->n_busy--;
}

void task_pulled(struct task *t, uint32_t i, int status, const struct err *err,
                 const struct exec_image *image)
{
    struct container *c = &t->containers[i];
    assert(i < t->n_containers);
    busy_end(t, &c->pull_busy);
    if (c->phase != CONTAINER_PENDING) {
        return; /* Not wanted any more. */
    }
    if (status == 0) {
        c->pulled = true;
        c->image = *image;
        task_touch(t);
        return;
    }
    task_reason_set(c->reason, "CannotPullContainerError: %s", err->text);
    task_container_move(t, c, CONTAINER_STOPPED);
}

static void running(struct task *t, struct container *c, int64_t started_at,
                    const struct moment *now)
{
    c->started_at = started_at != 0 ? started_at : now->wall_ms;
    c->started_boot_ms = now->boot_ms;
    task_container_move(t, c, CONTAINER_RUNNING);
}

void task_started(struct task *t, uint32_t i, int status, const struct err *err,
                  const struct moment *now)
{
    struct container *c = &t->containers[i];
    assert(i < t->n_containers);
    busy_end(t, &c->start_busy);
    if (c->phase == CONTAINER_STOPPED) {
        return; /* Its end was quicker. */
    }
    if (status == 0) {
        if (c->phase == CONTAINER_CREATING) {
            running(t, c, now->wall_ms, now);
        } else if (c->started_at == 0) {
            c->started_at = now->wall_ms; /* Started and to be stopped. */
        }
        return;
    }
    if (status == ERR_TIMEOUT) {
        task_reason_set(c->reason,
                        "ContainerRuntimeTimeoutError: Could not transition to started; %s",
                        err->text);
    } else if (status != ERR_CANCELED || c->phase != CONTAINER_STOPPING) {
        task_reason_set(c->reason, "CannotStartContainerError: %s", err->text);
    }
    task_container_end(t, i, now);
}

void task_exited(struct task *t, uint32_t i, const struct exec_exit *exit, const struct moment *now)
{
    struct container *c = &t->containers[i];
    assert(i < t->n_containers);
    if (c->phase == CONTAINER_STOPPED || c->phase == CONTAINER_PENDING) {
        return;
    }
    if (c->started_at == 0) {
        c->started_at = exit->started_at_ms != 0 ? (int64_t)exit->started_at_ms : now->wall_ms;
    }
    c->stopped_at = (int64_t)exit->finished_at_ms;
    if (exit->unknown) {
        task_reason_set(c->reason,
                        "ContainerRuntimeError: the exit code is unknown: the container ended "
                        "while its supervisor was gone");
    } else {
        c->has_exit_code = true;
        c->exit_code = exit->exit_code;
    }
    if (exit->oom_killed) {
        task_reason_set(c->reason, "OutOfMemoryError: Container killed due to memory usage");
    }
    task_container_end(t, i, now);
}

/* The exit was notified before; if it was not, nothing is known of how the container ended. */
void task_stop_done(struct task *t, uint32_t i, int status, const struct moment *now)
{
    struct container *c = &t->containers[i];
    assert(i < t->n_containers);
    busy_end(t, &c->stop_busy);
    if (c->phase == CONTAINER_STOPPED || c->start_busy) {
        return;
    }
    if (status == 0 || status == ERR_NOTFOUND) {
        if (c->started_at != 0) {
            task_reason_set(c->reason,
                            "ContainerRuntimeError: the exit code is unknown: the runtime "
                            "does not know the container");
        }
        task_container_end(t, i, now);
        return;
    }
    c->retry_at_ms = now->boot_ms + STOP_RETRY_MS;
}

void task_removed(struct task *t, int status, const struct moment *now)
{
    busy_end(t, &t->remove_busy);
    if (status == 0) {
        t->removed = true;
    } else {
        t->remove_retry_ms = now->boot_ms + STOP_RETRY_MS;
    }
}

void task_health(struct task *t, uint32_t i, enum health health)
{
    assert(i < t->n_containers);
    if (t->containers[i].health != health && t->containers[i].phase != CONTAINER_STOPPED) {
        t->containers[i].health = health;
        task_touch(t);
    }
}

void task_adopt(struct task *t, uint32_t i, const struct exec_container *found,
                const struct moment *now)
{
    struct container *c = &t->containers[i];
    assert(i < t->n_containers);
    if (c->phase == CONTAINER_STOPPED) {
        return;
    }
    if (found != NULL && found->state == EXEC_EXITED) {
        if (c->phase == CONTAINER_PENDING) {
            task_container_move(t, c, CONTAINER_CREATING);
        }
        task_exited(t, i, &found->exit, now);
        return;
    }
    if (found != NULL && found->state == EXEC_RUNNING) {
        if (c->phase == CONTAINER_PENDING) {
            task_container_move(t, c, CONTAINER_CREATING);
        }
        if (c->phase == CONTAINER_CREATING) {
            running(t, c, (int64_t)found->started_at_ms, now);
        }
        c->image = found->image;
        c->started_boot_ms = now->boot_ms;
        return;
    }
    if (c->phase == CONTAINER_PENDING && found == NULL) {
        return; /* It never began; it may begin now. */
    }
    if (c->started_at == 0) {
        task_reason_set(c->reason,
                        "CannotStartContainerError: the agent was restarted while it created "
                        "the container, and a container is created only once");
    } else {
        task_reason_set(c->reason,
                        "ContainerRuntimeError: the exit code is unknown: the container was "
                        "gone when the agent came back");
    }
    task_container_end(t, i, now);
}

void task_forget(struct task *t, const struct moment *now)
{
    if (t->phase != TASK_STOPPED) {
        return;
    }
    t->forgotten_at = now->wall_ms;
    task_move(t, TASK_FORGOTTEN);
    report_drop(&t->report);
}
