/* Room that is kept: for daemons that will be started again, and for tasks that had others stopped.
 * It is no state: whoever keeps it works it out again from the store at every look, and so does a
 * new leader. */
#include "controller/core/leader_impl.h"

#include <assert.h>

void leader_holds_init(struct leader_holds *h, uint32_t service, uint8_t priority)
{
    *h = (struct leader_holds){.service = service, .priority = priority};
    list_init(&h->in_cluster);
}

void leader_hold(struct leader *l, struct leader_cluster *c, struct leader_holds *h,
                 const struct place_request *request, uint32_t view_slot)
{
    struct leader_hold *hold;
    assert(request->group.n > 0);
    if (h->n == 0) {
        h->group = view_group_open(c->view, request->group);
        list_push(&c->holders, &h->in_cluster);
    }
    if (h->n == h->cap) {
        uint32_t cap = h->cap == 0 ? 4 : 2 * h->cap;
        h->v = mem_resize(l->mem, h->v, h->cap * sizeof *h->v, cap * sizeof *h->v);
        h->cap = cap;
    }
    hold = &h->v[h->n];
    *hold = (struct leader_hold){view_slot,
                                 {.cpu = request->cpu,
                                  .memory_mib = request->memory_mib,
                                  .gpus = request->gpus,
                                  .group_ref = h->group + 1}};
    view_take(c->view, view_slot, &hold->take);
    h->n++;
}

void leader_holds_release(struct leader *l, struct leader_cluster *c, struct leader_holds *h)
{
    for (uint32_t i = 0; i < h->n; i++) {
        view_give(c->view, h->v[i].view_slot, &h->v[i].take);
    }
    if (h->n > 0) {
        view_group_close(c->view, h->group);
        list_remove(&h->in_cluster);
    }
    mem_free(l->mem, h->v, h->cap * sizeof *h->v);
    leader_holds_init(h, h->service, h->priority);
}

void leader_holds_yield(struct leader *l, struct leader_cluster *c, uint8_t priority)
{
    struct list *it, *after;
    list_each_safe (it, after, &c->holders) {
        struct leader_holds *h = container_of(it, struct leader_holds, in_cluster);
        if (h->priority < priority) {
            leader_holds_release(l, c, h);
            leader_mark(l, h->service);
        }
    }
}

void leader_holds_leave(struct leader_cluster *c, uint32_t view_slot)
{
    struct list *it, *after;
    list_each_safe (it, after, &c->holders) {
        struct leader_holds *h = container_of(it, struct leader_holds, in_cluster);
        uint32_t n = 0;
        for (uint32_t i = 0; i < h->n; i++) {
            if (h->v[i].view_slot == view_slot) {
                view_give(c->view, view_slot, &h->v[i].take);
            } else {
                h->v[n++] = h->v[i];
            }
        }
        h->n = n;
        if (n == 0) {
            view_group_close(c->view, h->group);
            list_remove(&h->in_cluster);
        }
    }
}

/* --- RunTask -------------------------------------------------------------------------------------
 */

struct leader_run_wait *leader_run_waiting(const struct leader_cluster *c, uint64_t key)
{
    struct list *it;
    list_each (it, &c->runs) {
        struct leader_run_wait *w = container_of(it, struct leader_run_wait, in_cluster);
        if (w->key == key) {
            return w;
        }
    }
    return NULL;
}

struct leader_run_wait *leader_run_wait(struct leader *l, struct leader_cluster *c, uint64_t key,
                                        uint8_t priority, int64_t until)
{
    struct leader_run_wait *w = mem_alloc(l->mem, sizeof *w);
    *w = (struct leader_run_wait){.key = key, .until = until};
    list_init(&w->in_cluster);
    leader_holds_init(&w->holds, SLOT_NONE, priority);
    list_push(&c->runs, &w->in_cluster);
    l->n_runs++;
    return w;
}

void leader_run_done(struct leader *l, struct leader_cluster *c, struct leader_run_wait *w)
{
    leader_holds_release(l, c, &w->holds);
    list_remove(&w->in_cluster);
    mem_free(l->mem, w, sizeof *w);
    l->n_runs--;
}

void leader_runs_expire(struct leader *l, struct leader_cluster *c, int64_t now_ms)
{
    while (!list_empty(&c->runs)) {
        struct leader_run_wait *w = container_of(c->runs.next, struct leader_run_wait, in_cluster);
        if (w->until > now_ms) {
            return;
        }
        leader_run_done(l, c, w);
        leader_wake_stuck(l, c, LEADER_WAKE_NOW);
    }
}
