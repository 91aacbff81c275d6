/* Whose processes are on this machine: the kernel is asked, not the memory of this agent. The
 * answer goes to the controller, whose auditor compares it with the state. What this agent itself
 * knows nothing of for long is a stray, left by a runtime or an agent gone wrong, and is removed;
 * the controller has by then seen it and says so. */
#include "agent/core/limits.h"
#include "agent/engine/engine_impl.h"
#include "common/log/log.h"
#include "common/loop/loop.h"
#include "common/loop/sysmem.h"

#include <string.h>

#define CENSUS_MS 15000 /* From one census to the next. */
#define STRAY_MS  90000 /* The controller calls it an orphan after 60 s. */

static void on_removed(struct exec_remove *r)
{
    struct engine *e = r->data;
    e->census.removing = false;
    if (!e->stopping) {
        log_warn("agent.stray_removed", log_id("task", r->key.task),
                 log_u64("failed", r->status != 0),
                 log_str("err", r->status != 0 ? r->err.text : ""));
    }
}

static void remove_stray(struct engine *e, struct id task)
{
    struct census *c = &e->census;
    if (c->removing) {
        return; /* The next census finds it again. */
    }
    c->removing = true;
    c->remove = (struct exec_remove){.data = e, .key.task = task, .cb = on_removed};
    executor_remove(e->executor, &c->remove);
}

static uint64_t since(const struct census *c, struct id task, uint64_t now_ms)
{
    for (uint32_t i = 0; i < c->n_strays; i++) {
        if (id_eq(c->strays[i].task, task)) {
            return c->strays[i].since_ms;
        }
    }
    return now_ms;
}

static void find_strays(struct engine *e, const struct exec_census *r)
{
    struct census *c = &e->census;
    struct stray now[CENSUS_STRAYS_MAX] = {0};
    uint32_t n = 0;
    for (size_t i = 0; i < r->n_tasks && n < CENSUS_STRAYS_MAX; i++) {
        if (reconcile_knows(e->r, r->tasks[i])) {
            continue;
        }
        now[n] = (struct stray){r->tasks[i], since(c, r->tasks[i], c->began_ms)};
        if (c->began_ms - now[n].since_ms >= STRAY_MS) {
            remove_stray(e, now[n].task);
        }
        n++;
    }
    memcpy(c->strays, now, n * sizeof now[0]);
    c->n_strays = n;
}

static void on_counted(struct exec_census *r)
{
    struct engine *e = r->data;
    struct census *c = &e->census;
    struct id *held;
    c->counting = false;
    if (e->stopping) {
        return;
    }
    if (r->status != 0 || r->n_tasks > LIMIT_ASSIGN) {
        log_warn("agent.census", log_u64("tasks", r->n_tasks), log_err(&r->err));
        return;
    }
    arena_clear(&c->arena);
    held = arena_array(&c->arena, r->n_tasks, sizeof *held);
    for (size_t i = 0; i < r->n_tasks; i++) {
        held[i] = r->tasks[i];
    }
    c->held = held;
    c->n_held = (uint32_t)r->n_tasks;
    c->fresh = true;
    find_strays(e, r);
}

void engine_census(struct engine *e, struct heartbeat *ret)
{
    struct census *c = &e->census;
    uint64_t now = clock_boot_ms();
    ret->census = c->fresh;
    ret->held = c->held;
    ret->n_held = c->fresh ? c->n_held : 0;
    c->fresh = false;
    if (c->counting || (c->began_ms != 0 && now < c->began_ms + CENSUS_MS)) {
        return;
    }
    c->counting = true;
    c->began_ms = now;
    c->request.data = e;
    c->request.cb = on_counted;
    executor_census(e->executor, &c->request);
}
