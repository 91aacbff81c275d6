/* The leader's frame: what is dirty, what is in flight, when to look again. A service is dirty, or
 * waits for a time, or has a plan in flight; it is decided about on applied state alone, so never
 * while its plan is in flight. */
#include "controller/core/leader.h"

#include "common/base/buggify.h"
#include "common/base/hash.h"
#include "common/base/plant.h"
#include "controller/core/leader_impl.h"

#include <assert.h>

/* --- dirty services ------------------------------------------------------------------------------
 */

static void enqueue(struct leader *l, struct leader_service *v)
{
    v->dirty = true;
    list_push(v->daemon ? &l->dirty_daemons : &l->dirty, &v->queue);
}

/* The next one to look at, or NULL. */
static struct leader_service *next_dirty(const struct leader *l)
{
    const struct list *from = list_empty(&l->dirty_daemons) ? &l->dirty : &l->dirty_daemons;
    return list_empty(from) ? NULL : container_of(from->next, struct leader_service, queue);
}

void leader_mark(struct leader *l, uint32_t service)
{
    struct leader_service *v = leader_service_at(l, service);
    if (v == NULL || v->dirty) {
        return;
    }
    v->dirty = true;
    if (!v->busy) {
        enqueue(l, v);
    }
}

void leader_wait(struct leader *l, struct leader_service *v)
{
    list_remove(&v->queue);
    v->busy = true;
    list_push(&l->busy, &v->queue);
}

void leader_wake_at(struct leader *l, struct leader_service *v, int64_t at_ms)
{
    uint64_t key = at_ms < 0 ? 0 : (uint64_t)at_ms;
    if (!heap_has(&v->timer) || v->timer.key > key) {
        heap_set(&l->timers, &v->timer, key);
    }
}

static void follow_service(struct leader *l, uint32_t slot)
{
    const struct service *row = store_service(l->store, slot);
    struct leader_service *v = leader_service_at(l, slot);
    bool was_choosy;
    if (row == NULL || row->status == SERVICE_INACTIVE) {
        if (v != NULL) {
            leader_cluster_get(l, v->cluster)->unweighed |= v->choosy;
            leader_holds_release(l, leader_cluster_get(l, v->cluster), &v->holds);
            list_remove(&v->queue);
            list_remove(&v->in_daemons);
            list_remove(&v->in_stuck);
            heap_remove(&l->timers, &v->timer);
            table_remove(&l->services, slot);
        }
        return;
    }
    if (v == NULL) {
        v = table_add(&l->services, slot);
        *v = (struct leader_service){
            .slot = slot, .cluster = row->cluster, .daemon = row->scheduling == SCHEDULING_DAEMON};
        leader_holds_init(&v->holds, slot, LEADER_FIRM);
        list_init(&v->queue);
        list_init(&v->in_daemons);
        list_init(&v->in_stuck);
        if (row->scheduling == SCHEDULING_DAEMON) {
            list_push(&leader_cluster_get(l, row->cluster)->daemons, &v->in_daemons);
        }
    }
    was_choosy = v->choosy;
    v->choosy = leader_is_choosy(l, row);
    leader_cluster_get(l, row->cluster)->unweighed |= was_choosy || v->choosy;
    leader_mark(l, slot);
}

/* --- life ----------------------------------------------------------------------------------------
 */

static void follow_all(struct leader *l, int64_t now_ms)
{
    for (uint32_t i = 0; i < store_slots(l->store, KIND_SERVICE); i++) {
        follow_service(l, i);
    }
    for (uint32_t i = 0; i < store_slots(l->store, KIND_NODE); i++) {
        leader_view_node(l, i, now_ms);
    }
}

struct leader *leader_begin(const struct store *store, const struct leader_settings *settings,
                            int64_t now_ms, const struct mem *mem)
{
    struct leader *l = mem_alloc(mem, sizeof *l);
    assert(settings->plan_items_max > 0);
    l->mem = mem;
    l->store = store;
    l->settings = *settings;
    if (l->settings.plan_items_max > LIMIT_PLAN_ITEMS - LEADER_NOTES_MAX) {
        l->settings.plan_items_max = LIMIT_PLAN_ITEMS - LEADER_NOTES_MAX;
    }
    l->judge_at = now_ms + settings->grace_ms;
    l->seen_at = now_ms;
    l->gc_after = now_ms;
    table_init(&l->clusters, sizeof(struct leader_cluster), mem);
    table_init(&l->services, sizeof(struct leader_service), mem);
    table_init(&l->nodes, sizeof(struct leader_node), mem);
    list_init(&l->dirty);
    list_init(&l->dirty_daemons);
    list_init(&l->busy);
    list_init(&l->busy_nodes);
    list_init(&l->cleared);
    list_init(&l->reserved);
    arena_init(&l->scratch, mem);
    heap_init(&l->timers, mem);
    heap_init(&l->silence, mem);
    follow_all(l, now_ms);
    return l;
}

/* By slot, not by node: what lies behind one another in memory is looked at in that order. */
bool leader_build(struct leader *l, uint32_t n)
{
    uint32_t end = store_slots(l->store, KIND_TASK);
    for (; n > 0 && l->built < end; n--) {
        leader_view_task(l, l->built++);
    }
    if (l->built >= end) {
        l->built = LEADER_BUILT;
    }
    return l->built == LEADER_BUILT;
}

struct leader *leader_open(const struct store *store, const struct leader_settings *settings,
                           int64_t now_ms, const struct mem *mem)
{
    struct leader *l = leader_begin(store, settings, now_ms, mem);
    bool built = leader_build(l, UINT32_MAX);
    assert(built);
    (void)built;
    return l;
}

void leader_close(struct leader *l)
{
    if (l == NULL) {
        return;
    }
    for (uint32_t i = 0; i < l->clusters.high; i++) {
        struct leader_cluster *c = leader_cluster_at(l, i);
        if (c != NULL) {
            leader_runs_expire(l, c, INT64_MAX);
        }
    }
    for (uint32_t i = 0; i < l->services.high; i++) {
        struct leader_service *v = leader_service_at(l, i);
        if (v != NULL) {
            leader_holds_release(l, leader_cluster_get(l, v->cluster), &v->holds);
        }
    }
    for (uint32_t i = 0; i < l->clusters.high; i++) {
        struct leader_cluster *c = leader_cluster_at(l, i);
        if (c != NULL) {
            view_close(c->view);
        }
    }
    table_close(&l->clusters);
    table_close(&l->services);
    table_close(&l->nodes);
    arena_close(&l->scratch);
    heap_close(&l->timers);
    heap_close(&l->silence);
    mem_free(l->mem, l->taken, l->n_taken);
    mem_free(l->mem, l, sizeof *l);
}

void leader_set_managed_tags(struct leader *l, leader_managed_tags managed_tags)
{
    l->managed_tags = managed_tags;
}

/* --- following the store -------------------------------------------------------------------------
 */

/* Where a node is drained, daemons go when nothing else is left. */
static void mark_last_daemons(struct leader *l, const struct task *t)
{
    const struct leader_cluster *c = leader_cluster_at(l, t->cluster);
    const struct leader_node *n = leader_node_at(l, t->node);
    struct list *it;
    if (c == NULL || n == NULL || !n->draining) {
        return;
    }
    list_each (it, &c->daemons) {
        leader_mark(l, container_of(it, struct leader_service, in_daemons)->slot);
    }
}

static void follow_task(struct leader *l, uint32_t slot)
{
    const struct task *t = store_task(l->store, slot);
    leader_view_task(l, slot);
    if (t != NULL && t->status == TASK_STOPPED) {
        mark_last_daemons(l, t);
    }
    if (t != NULL && !(PLANTED(MARK_DROPPED) && t->status == TASK_STOPPED)) {
        leader_mark(l, t->service);
    }
}

void leader_changed(struct leader *l, const struct changes *changes)
{
    int64_t now_ms = store_meta(l->store)->now;
    for (uint32_t i = 0; i < changes->n; i++) {
        uint32_t slot = changes->v[i].slot;
        switch ((enum kind)changes->v[i].kind) {
        case KIND_CLUSTER:
            leader_view_cluster(l, slot);
            break;
        case KIND_SERVICE:
            follow_service(l, slot);
            break;
        case KIND_NODE:
            leader_view_node(l, slot, now_ms);
            break;
        case KIND_TASK:
            follow_task(l, slot);
            break;
        case KIND_TASKDEF:
        case KIND_TOKEN:
        case KIND_FAMILY:
        case KIND_JOIN:
        case KIND_META:
        case KIND_CAPACITY_PROVIDER:
        case KIND_N:
            break;
        }
    }
}

/* Between two looks at a cluster with nodes; see watch_clock(). */
static int64_t longest_pause(const struct leader *l)
{
    return l->settings.lost_after_ms / 2;
}

/* When the clock jumps, or this process or its machine slept, heartbeats had no chance to be heard:
 * nodes get their grace again. */
static void watch_clock(struct leader *l, int64_t now_ms)
{
    if (now_ms - l->seen_at > longest_pause(l)) {
        l->judge_at = now_ms + l->settings.grace_ms;
    }
    l->seen_at = now_ms > l->seen_at ? now_ms : l->seen_at;
}

void leader_heartbeat(struct leader *l, struct id node, int64_t now_ms)
{
    struct leader_node *n = leader_node_at(l, store_find_node(l->store, node));
    watch_clock(l, now_ms);
    l->heard = l->heard || n != NULL;
    if (n != NULL && n->heard_at < now_ms) {
        n->heard_at = now_ms; /* The deadline moves when it is due. */
    }
}

void leader_settle(struct leader *l)
{
    leader_view_settle_all(l);
    while (!list_empty(&l->busy)) {
        struct leader_service *v = container_of(l->busy.next, struct leader_service, queue);
        list_remove(&v->queue);
        v->busy = false;
        enqueue(l, v);
    }
    while (!list_empty(&l->cleared)) {
        list_remove(l->cleared.next);
    }
    while (!list_empty(&l->busy_nodes)) {
        struct leader_node *n = container_of(l->busy_nodes.next, struct leader_node, queue);
        list_remove(&n->queue);
        n->busy = false;
        heap_set(&l->silence, &n->deadline, (uint64_t)(n->heard_at + l->settings.lost_after_ms));
    }
    l->gc_busy = false;
}

/* --- passes --------------------------------------------------------------------------------------
 */

/* Of the room kept for a RunTask. */
static int64_t next_expiry(const struct leader *l)
{
    int64_t first = INT64_MAX;
    for (uint32_t i = 0; i < l->clusters.high; i++) {
        const struct leader_cluster *c = leader_cluster_at(l, i);
        if (c != NULL && !list_empty(&c->runs)) {
            int64_t until = container_of(c->runs.next, struct leader_run_wait, in_cluster)->until;
            first = until < first ? until : first;
        }
    }
    return first;
}

bool leader_dirty(const struct leader *l, int64_t now_ms, int64_t *ret_deadline_ms)
{
    const struct heap_node *timer = heap_first(&l->timers);
    const struct heap_node *silence = heap_first(&l->silence);
    int64_t deadline = recon_gc_deadline(l, now_ms);
    if (timer != NULL && (int64_t)timer->key < deadline) {
        deadline = (int64_t)timer->key;
    }
    if (silence != NULL) {
        int64_t at = (int64_t)silence->key;
        int64_t look = l->seen_at + longest_pause(l) / 2;
        at = at < l->judge_at ? l->judge_at : at;
        at = at < look ? at : look;
        deadline = at < deadline ? at : deadline;
    }
    if (l->n_runs > 0) {
        int64_t at = next_expiry(l);
        deadline = at < deadline ? at : deadline;
    }
    *ret_deadline_ms = deadline;
    return next_dirty(l) != NULL || deadline <= now_ms;
}

static void wake_due(struct leader *l, int64_t now_ms)
{
    for (;;) {
        struct heap_node *first = heap_first(&l->timers);
        if (first == NULL || (int64_t)first->key > now_ms) {
            return;
        }
        heap_remove(&l->timers, first);
        leader_mark(l, container_of(first, struct leader_service, timer)->slot);
    }
}

static void expire_runs(struct leader *l, int64_t now_ms)
{
    for (uint32_t i = 0; l->n_runs > 0 && i < l->clusters.high; i++) {
        struct leader_cluster *c = leader_cluster_at(l, i);
        if (c != NULL) {
            leader_runs_expire(l, c, now_ms);
        }
    }
}

static bool is_empty(const struct cmd_plan *plan)
{
    return plan->n_tasks == 0 && plan->n_stops == 0 && plan->n_services == 0;
}

/* Decide about one service; true when there is a command. */
static bool pass_service(struct leader_pass *pass, struct leader_service *v, struct command *cmd)
{
    struct leader *l = pass->l;
    struct leader_plan plan = {.pass = pass, .slot = v->slot};
    uint32_t n_held;
    plan.service = store_service(l->store, v->slot);
    plan.cmd.cluster = v->cluster;
    v->dirty = false;
    list_remove(&v->in_stuck);
    list_remove(&v->queue);
    if (BUGGIFY(LEADER_LATER)) {
        leader_mark(l, v->slot);
        return false;
    }
    n_held = v->holds.n;
    leader_holds_release(l, leader_cluster_get(l, v->cluster), &v->holds);
    recon_service(&plan);
    if (v->holds.n < n_held) {
        leader_wake_stuck(l, leader_cluster_get(l, v->cluster), LEADER_WAKE_SOON);
    }
    if (is_empty(&plan.cmd)) {
        if (plan.more) {
            leader_mark(l, v->slot);
        }
        return false;
    }
    *cmd = (struct command){.kind = CMD_PLAN};
    cmd->u.plan = plan.cmd;
    v->planned = plan.cmd.n_tasks > 0;
    v->planned_at = pass->now;
    v->n_active = plan.service->n_active;
    if (PLANTED(PLAN_TRUSTED)) {
        leader_mark(l, v->slot);
        return true;
    }
    leader_wait(l, v);
    return true;
}

uint32_t leader_pass(struct leader *l, int64_t now_ms, struct command *cmds, uint32_t n_max,
                     struct arena *arena)
{
    const struct meta *meta = store_meta(l->store);
    uint32_t budget = BUGGIFY(LEADER_FEW) ? 1 : l->settings.plan_items_max;
    struct leader_pass pass = {l, now_ms, arena, 0, 0, budget};
    uint32_t n = 0;
    uint32_t n_lost = 0;
    uint64_t first_id = hash_mix(meta->digest, l->n_passes);
    l->n_passes++;
    pass.seed = first_id;
    watch_clock(l, now_ms);
    wake_due(l, now_ms);
    expire_runs(l, now_ms);
    if (n < n_max && recon_gc(l, now_ms, &cmds[n])) {
        n++;
    }
    recon_node_recount(l, now_ms);
    while (n < n_max && recon_node(l, now_ms, &cmds[n])) {
        n++;
        n_lost++;
    }
    /* What is left of the services is to be seen before anything of them is stopped. */
    while (n < n_max && n_lost == 0 && pass.budget > 0 && next_dirty(l) != NULL) {
        n += pass_service(&pass, next_dirty(l), &cmds[n]);
    }
    for (uint32_t i = 0; i < n; i++) {
        cmds[i].at_ms = now_ms;
        cmds[i].seed = hash_mix(first_id, i);
    }
    return n;
}
