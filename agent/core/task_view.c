#include "agent/core/task.h"

#include <assert.h>

enum wire_status task_status(const struct task *t)
{
    static const enum wire_status status[TASK_PHASE_N] = {
        [TASK_ACCEPTED] = WIRE_PENDING,  [TASK_PULLING] = WIRE_PENDING,
        [TASK_CREATING] = WIRE_PENDING,  [TASK_RUNNING] = WIRE_RUNNING,
        [TASK_STOPPING] = WIRE_STOPPING, [TASK_STOPPED] = WIRE_STOPPED,
        [TASK_FORGOTTEN] = WIRE_STOPPED,
    };
    assert(t->phase >= 0 && t->phase < TASK_PHASE_N);
    return status[t->phase];
}

/* Only essential containers with a check count: one unhealthy makes the task unhealthy, and it is
 * healthy when all of them are. */
enum health task_health_status(const struct task *t)
{
    bool any = false;
    bool all = true;
    for (uint32_t i = 0; i < t->n_containers; i++) {
        const struct container_spec *spec = &t->spec->containers[i];
        if (!spec->essential || spec->health.n_command == 0) {
            continue;
        }
        any = true;
        if (t->containers[i].health == HEALTH_UNHEALTHY) {
            return HEALTH_UNHEALTHY;
        }
        all = all && t->containers[i].health == HEALTH_HEALTHY;
    }
    return any && all ? HEALTH_HEALTHY : HEALTH_UNKNOWN;
}

static enum wire_container container_status(const struct container *c)
{
    if (c->phase == CONTAINER_STOPPED) {
        return WIRE_CONTAINER_STOPPED;
    }
    return c->phase >= CONTAINER_RUNNING ? WIRE_CONTAINER_RUNNING : WIRE_CONTAINER_PENDING;
}

void task_report(const struct task *t, struct arena *arena, struct task_report *ret)
{
    struct container_report *reports =
        arena_array(arena, t->n_containers, sizeof(struct container_report));
    for (uint32_t i = 0; i < t->n_containers; i++) {
        const struct container *c = &t->containers[i];
        struct container_report *r = &reports[i];
        r->index = i;
        r->status = container_status(c);
        r->health = c->health;
        r->has_exit_code = c->has_exit_code;
        r->exit_code = c->exit_code;
        r->reason = arena_strdup(arena, c->reason);
        r->image_digest = arena_strdup(arena, c->image.manifest);
        r->runtime_id = "";
        if (c->started_at != 0) { /* The runtime's own name of a container is not ours to know. */
            char hex[ID_HEX_LEN + 1];
            id_hex(t->id, hex);
            r->runtime_id = arena_printf(arena, "%s-%s", hex, t->spec->containers[i].name);
        }
    }
    ret->task = t->id;
    ret->status = task_status(t);
    ret->stop_code = t->stop_code;
    ret->health = task_health_status(t);
    ret->reason = arena_strdup(arena, t->reason);
    ret->pull_started_at = t->pull_started_at;
    ret->pull_stopped_at = t->pull_stopped_at;
    ret->started_at = t->started_at;
    ret->stopped_at = t->stopped_at;
    ret->containers = reports;
    ret->n_containers = t->n_containers;
}
