/* What a service says about itself. The words are Amazon ECS's: people and scripts search for
 * them. */
#include "common/base/buf.h"
#include "controller/core/leader_impl.h"

#include <assert.h>
#include <string.h>

#define TASKS_NAMED 20              /* Of one event; the others are counted. */
#define NO_ROOM_MS  (3600ll * 1000) /* Between events of that kind, whatever the closest node. */

struct plan_service *recon_note(struct leader_plan *p)
{
    struct plan_service *note;
    if (p->cmd.services == NULL) {
        p->cmd.services = arena_array(p->pass->arena, LEADER_NOTES_MAX, sizeof *p->cmd.services);
    }
    assert(p->cmd.n_services < LEADER_NOTES_MAX);
    note = &p->cmd.services[p->cmd.n_services];
    p->cmd.n_services++;
    note->service = p->slot;
    note->version = p->service->version;
    return note;
}

static void say(struct leader_plan *p, struct str message)
{
    struct plan_service *note = recon_note(p);
    note->has_event = true;
    note->event = message;
}

/* The newest event that is not of this plan. */
static const struct service_event *newest(const struct leader_plan *p)
{
    const struct service *v = p->service;
    return v->n_events == 0 ? NULL : &v->events[v->n_events - 1];
}

static const char *name(const struct leader_plan *p)
{
    return arena_dup(p->pass->arena, p->service->name.p, p->service->name.n);
}

void recon_event_started(struct leader_plan *p, uint32_t from_task)
{
    struct buf b;
    uint32_t n = p->cmd.n_tasks - from_task;
    char hex[ID_HEX_LEN + 1];
    buf_init(&b, p->pass->l->mem, LIMIT_EVENT);
    buf_printf(&b, "(service %s) has started %u tasks:", name(p), n);
    for (uint32_t i = 0; i < n && i < TASKS_NAMED; i++) {
        id_hex(p->cmd.tasks[from_task + i].id, hex);
        buf_printf(&b, " (task %s)", hex);
    }
    buf_printf(&b, n > TASKS_NAMED ? " and others." : ".");
    say(p, str_of(arena_strdup(p->pass->arena, buf_cstr(&b))));
    buf_close(&b);
}

void recon_event_stopped(struct leader_plan *p)
{
    struct buf b;
    uint32_t n = p->cmd.n_stops - p->n_victims;
    char hex[ID_HEX_LEN + 1];
    uint32_t n_named = 0;
    if (n == 0) {
        return; /* Others' tasks were told of. */
    }
    buf_init(&b, p->pass->l->mem, LIMIT_EVENT);
    buf_printf(&b, "(service %s) has stopped %u running tasks:", name(p), n);
    for (uint32_t i = 0; i < p->cmd.n_stops && n_named < TASKS_NAMED; i++) {
        if (store_task(p->pass->l->store, p->cmd.stops[i].task)->service == p->slot) {
            id_hex(p->cmd.stops[i].id, hex);
            buf_printf(&b, " (task %s)", hex);
            n_named++;
        }
    }
    buf_printf(&b, n > n_named ? " and others." : ".");
    say(p, str_of(arena_strdup(p->pass->arena, buf_cstr(&b))));
    buf_close(&b);
}

/* The closest node differs from try to try; that alone is no news. */
void recon_event_not_placed(struct leader_plan *p, const char *because)
{
    const struct service_event *last = newest(p);
    const char *start =
        arena_printf(p->pass->arena, "(service %s) was unable to place a task because ", name(p));
    const char *text = arena_printf(p->pass->arena, "%s%s", start, because);
    if (p->complained) {
        return;
    }
    p->complained = true;
    if (last != NULL && str_starts(last->message, start)) {
        bool same = str_eqc(last->message, text);
        if (p->pass->now - last->at < (same ? LIMIT_EVENT_REPEAT_MS : NO_ROOM_MS)) {
            return;
        }
    }
    say(p, str_of(text));
}

/* Once in six hours, or since the service was last well. */
void recon_event_inconsistent(struct leader_plan *p)
{
    const struct service *v = p->service;
    const char *text = arena_printf(p->pass->arena,
                                    "(service %s) is unable to consistently start tasks "
                                    "successfully.",
                                    name(p));
    for (uint32_t i = v->n_events; i > 0; i--) {
        const struct service_event *e = &v->events[i - 1];
        if (str_ends(e->message, "has reached a steady state.")) {
            break;
        }
        if (str_eqc(e->message, text) && p->pass->now - e->at < LIMIT_EVENT_REPEAT_MS) {
            return;
        }
    }
    say(p, str_of(text));
}

void recon_event_preempts(struct leader_plan *p)
{
    say(p, str_of(arena_printf(p->pass->arena,
                               "(service %s) has %u tasks of lower priority stopped to make room "
                               "for %u of its own.",
                               name(p), p->n_victims, p->n_coming)));
}

void recon_event_steady(struct leader_plan *p)
{
    say(p,
        str_of(arena_printf(p->pass->arena, "(service %s) has reached a steady state.", name(p))));
}

void recon_event_disrupted(struct leader_plan *p)
{
    const struct leader_nodes *nodes = &p->pass->l->census;
    say(p, str_of(arena_printf(p->pass->arena,
                               "(service %s) has tasks on container instances that lost contact; "
                               "they are not replaced yet because %u of %u container instances "
                               "fell silent at once.",
                               name(p), nodes->n_silent, nodes->n_alive)));
}

void recon_event_completed(struct leader_plan *p)
{
    say(p, str_of(arena_printf(p->pass->arena,
                               "(service %s) (deployment ecs-svc/%llu) deployment completed.",
                               name(p), (unsigned long long)p->service->primary.id)));
}
