/* tests/unit/controller/core/leader_rig.h
 *
 * A leader over a store of its own, with virtual time and agents that obey; for the programs that
 * test what leaders decide. */
#ifndef TESTS_UNIT_CONTROLLER_CORE_LEADER_RIG_H
#define TESTS_UNIT_CONTROLLER_CORE_LEADER_RIG_H

#include "controller/core/leader.h"
#include "controller/core/leader_impl.h"
#include "tests/lib/test.h"
#include "tests/lib/world.h"

#include <string.h>

enum { LOST_MS = 30000, GRACE_MS = 10000, MAX_COMMANDS = 64 };

struct rig {
    struct world w;
    struct leader *l;
    struct arena arena;
    uint64_t n_plans;
};

static inline void follow(struct world *w, const struct command *cmd)
{
    struct rig *r = w->data;
    (void)cmd;
    leader_changed(r->l, &w->changes);
}

static inline void start_leader(struct rig *r)
{
    static const struct leader_settings settings = {LOST_MS, GRACE_MS, 1000, 0};
    leader_close(r->l);
    r->l = leader_open(r->w.store, &settings, r->w.now, test_mem());
}

static inline void open_rig(struct rig *r)
{
    memset(r, 0, sizeof *r);
    world_open(&r->w);
    arena_init(&r->arena, test_mem());
    start_leader(r);
    r->w.data = r;
    r->w.after = follow;
    ck_assert(world_cluster(&r->w, "c"));
    ck_assert(world_taskdef(&r->w, "f", 100, 100, 0));
}

/* What is kept on a node for tasks to come. */
static inline struct view_take held_on(const struct rig *r, const struct leader_node *n,
                                       uint32_t *ret_n)
{
    const struct leader_cluster *c = leader_cluster_at(r->l, n->cluster);
    struct view_take sum = {0};
    struct list *it;
    *ret_n = 0;
    list_each (it, &c->holders) {
        const struct leader_holds *h = container_of(it, struct leader_holds, in_cluster);
        for (uint32_t i = 0; i < h->n; i++) {
            if (h->v[i].view_slot == n->view_slot) {
                sum.cpu += h->v[i].take.cpu;
                sum.memory_mib += h->v[i].take.memory_mib;
                *ret_n += 1;
            }
        }
    }
    return sum;
}

/* The sums by band are those of the tasks. */
static inline void check_bands(const struct rig *r, const struct leader_node *n)
{
    struct leader_band bands[LEADER_BANDS] = {{0}};
    uint32_t slot = store_node(r->w.store, n->slot)->first_task;
    while (slot != SLOT_NONE) {
        const struct task *t = store_task(r->w.store, slot);
        uint32_t band = t->desired == TASK_STOPPED ? 0 : leader_band_of(leader_priority_of(t));
        if (t->status != TASK_STOPPED) {
            bands[band].cpu += t->cpu;
            bands[band].memory += t->memory;
        }
        slot = t->on_node.next;
    }
    ck_assert_mem_eq(bands, n->bands, sizeof bands);
}

/* Every view agrees with its own tables and with the store. */
static inline void check_views(struct rig *r)
{
    struct err err = {0};
    for (uint32_t i = 0; i < store_slots(r->w.store, KIND_CLUSTER); i++) {
        struct leader_cluster *c = leader_cluster_at(r->l, i);
        ck_assert_msg(c == NULL || view_audit(c->view, &err), "%s", err.text);
    }
    for (uint32_t i = 0; i < store_slots(r->w.store, KIND_NODE); i++) {
        const struct node *node = store_node(r->w.store, i);
        const struct leader_node *n = leader_node_at(r->l, i);
        struct view_free free;
        struct view_take held;
        uint32_t n_held;
        ck_assert((n != NULL) == (node != NULL && node->status != NODE_INACTIVE));
        if (n == NULL) {
            continue;
        }
        free = view_free_of(leader_cluster_at(r->l, n->cluster)->view, n->view_slot);
        held = held_on(r, n, &n_held);
        free.cpu += (int32_t)held.cpu;
        free.memory_mib += (int32_t)held.memory_mib;
        ck_assert_int_eq(free.cpu, (int32_t)node->cpu - (int32_t)node->cpu_used);
        ck_assert_int_eq(free.memory_mib, (int32_t)node->memory - (int32_t)node->memory_used);
        ck_assert_uint_eq(free.n_tasks, node->n_active + n_held);
        check_bands(r, n);
    }
}

static inline void close_rig(struct rig *r)
{
    check_views(r);
    leader_close(r->l);
    arena_close(&r->arena);
    world_close(&r->w);
    ck_assert_uint_eq(test_mem_in_use(), 0);
}

/* One pass and its batch; the number of commands. */
static inline uint32_t pass(struct rig *r)
{
    static struct command cmds[MAX_COMMANDS];
    uint32_t n;
    arena_clear(&r->arena);
    n = leader_pass(r->l, r->w.now, cmds, MAX_COMMANDS, &r->arena);
    for (uint32_t i = 0; i < n; i++) {
        r->n_plans += cmds[i].kind == CMD_PLAN;
        ck_assert_msg(world_apply(&r->w, &cmds[i]), "%s", r->w.result.text);
    }
    leader_settle(r->l);
    return n;
}

/* Until there is nothing left to decide. */
static inline void settle(struct rig *r)
{
    uint32_t n = 0;
    int64_t deadline;
    while (pass(r) > 0) {
        n++;
        ck_assert_uint_lt(n, 100);
    }
    ck_assert(!leader_dirty(r->l, r->w.now, &deadline));
    ck_assert_int_gt(deadline, r->w.now);
}

/* Agents do at once what they are told. */
static inline void agents_obey(struct rig *r)
{
    for (uint32_t i = 0; i < store_slots(r->w.store, KIND_TASK); i++) {
        const struct task *t = store_task(r->w.store, i);
        if (t == NULL || t->status == TASK_STOPPED || !store_node(r->w.store, t->node)->connected) {
            continue;
        }
        if (t->desired == TASK_STOPPED) {
            (void)world_report(&r->w, t->id, TASK_STOPPED, 137);
        } else if (t->status < TASK_RUNNING) {
            (void)world_report(&r->w, t->id, TASK_RUNNING, 0);
        }
    }
}

static inline void heartbeats(struct rig *r)
{
    for (uint32_t i = 0; i < store_slots(r->w.store, KIND_NODE); i++) {
        const struct node *node = store_node(r->w.store, i);
        if (node != NULL && node->connected) {
            leader_heartbeat(r->l, node->id, r->w.now);
        }
    }
}

/* Let time pass in small steps until everything is as it should be. */
static inline void run(struct rig *r, int steps)
{
    for (int i = 0; i < steps; i++) {
        r->w.now += 500;
        heartbeats(r);
        settle(r);
        agents_obey(r);
        settle(r);
    }
}

static inline const struct service *service_of(const struct rig *r)
{
    return store_service(r->w.store, 0);
}

static inline bool said(const struct rig *r, const char *end)
{
    const struct service *v = service_of(r);
    for (uint32_t i = 0; i < v->n_events; i++) {
        if (str_ends(v->events[i].message, end)) {
            return true;
        }
    }
    return false;
}

static inline uint32_t count_said(const struct rig *r, const char *start)
{
    const struct service *v = service_of(r);
    uint32_t n = 0;
    for (uint32_t i = 0; i < v->n_events; i++) {
        n += str_starts(v->events[i].message, start);
    }
    return n;
}

static inline void add_nodes(struct rig *r, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        ck_assert(world_node(&r->w, "c", i, 1000, 1000));
    }
}

/* The leader is asked whenever it wants to be. */
static inline void pass_time(struct rig *r, int64_t ms)
{
    int64_t until = r->w.now + ms;
    while (r->w.now < until) {
        int64_t deadline;
        settle(r);
        (void)leader_dirty(r->l, r->w.now, &deadline);
        r->w.now = deadline < until ? deadline : until;
    }
    settle(r);
}

#endif
