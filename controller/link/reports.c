/* Reports of an agent, checked and handed to the dispatcher, which copies them. */
#include "controller/core/limits.h"
#include "controller/link/link_int.h"

#include <string.h>

static struct str cut_reason(const char *text)
{
    struct str s = str_of(text);
    if (!str_is_utf8(s)) {
        return STR("(not UTF-8)");
    }
    while (s.n > LIMIT_REASON || (s.n > 0 && !str_is_utf8(s))) {
        s.n = s.n > LIMIT_REASON ? LIMIT_REASON : s.n - 1;
    }
    return s;
}

static int read_container(const Ecs__Agent__V1__ContainerReport *from, struct container_report *to,
                          struct err *err)
{
    if (from->status > CONTAINER_STOPPED || from->health > HEALTH_UNHEALTHY ||
        from->index >= LIMIT_CONTAINERS) {
        return err_set(err, ERR_PROTOCOL, "a container report is out of range");
    }
    to->index = from->index;
    to->status = (uint8_t)from->status;
    to->health = (uint8_t)from->health;
    to->has_exit_code = from->has_exit_code;
    to->exit_code = from->exit_code;
    to->reason = cut_reason(from->reason);
    to->runtime_id = str_slice(str_of(from->runtime_id), 0, LIMIT_NAME);
    to->image_digest = str_slice(str_of(from->image_digest), 0, LIMIT_NAME);
    return 0;
}

static int read_task(struct link *l, const Ecs__Agent__V1__TaskReport *from, struct task_report *to,
                     struct err *err)
{
    if (!link_id_read(&from->task_id, &to->id) || from->status > TASK_STOPPED ||
        from->stop_code > STOP_INFRASTRUCTURE || from->health > HEALTH_UNHEALTHY ||
        from->n_containers > LIMIT_CONTAINERS) {
        return err_set(err, ERR_PROTOCOL, "a task report is out of range");
    }
    to->status = (uint8_t)from->status;
    to->stop_code = (uint8_t)from->stop_code;
    to->health = (uint8_t)from->health;
    to->reason = cut_reason(from->reason);
    to->pull_started_at = from->pull_started_at;
    to->pull_stopped_at = from->pull_stopped_at;
    to->started_at = from->started_at;
    to->stopped_at = from->stopped_at;
    to->n_containers = (uint32_t)from->n_containers;
    to->containers = arena_array(&l->arena, from->n_containers, sizeof *to->containers);
    for (size_t i = 0; i < from->n_containers; i++) {
        int rv = read_container(from->containers[i], &to->containers[i], err);
        if (rv != 0) {
            return rv;
        }
    }
    return 0;
}

int reports_read(struct session *s, const Ecs__Agent__V1__Reports *reports, struct err *err)
{
    struct link *l = s->l;
    struct task_report *v;
    if (reports->n_tasks > LINK_REPORTS_MAX) {
        return err_set(err, ERR_PROTOCOL, "more than %d reports in a message", LINK_REPORTS_MAX);
    }
    v = arena_array(&l->arena, reports->n_tasks, sizeof *v);
    for (size_t i = 0; i < reports->n_tasks; i++) {
        int rv = read_task(l, reports->tasks[i], &v[i], err);
        if (rv != 0) {
            return rv;
        }
    }
    return dispatch_report(l->dispatch, s->dispatch, reports->number, v, (uint32_t)reports->n_tasks,
                           err);
}
