#include "controller/core/whatif_impl.h"

#include <assert.h>
#include <string.h>

#define SURVEYS_MAX 4 /* Each is a look at every node. */

struct whatif *whatif_open(struct leader *l, uint32_t cluster, struct arena *arena)
{
    struct whatif *w = mem_alloc(l->mem, sizeof *w);
    leader_view_weigh(l, leader_cluster_get(l, cluster));
    w->l = l;
    w->mem = l->mem;
    w->cluster = cluster;
    w->view = view_copy(leader_cluster_get(l, cluster)->view, l->mem);
    w->arena = arena;
    arena_init(&w->scratch, l->mem);
    w->n_services = store_slots(l->store, KIND_SERVICE);
    w->services = arena_array(arena, w->n_services, sizeof(void *));
    return w;
}

void whatif_close(struct whatif *w)
{
    if (w != NULL) {
        view_close(w->view);
        arena_close(&w->scratch);
        mem_free(w->mem, w->target_at, w->n_target_at * sizeof *w->target_at);
        mem_free(w->mem, w->gone, w->n_tasks);
        mem_free(w->mem, w->planned, w->cap_planned * sizeof *w->planned);
        mem_free(w->mem, w, sizeof *w);
    }
}

const struct view *whatif_view(const struct whatif *w)
{
    return w->view;
}

/* --- the copy ------------------------------------------------------------------------------------
 */

struct whatif_totals whatif_totals_of(const struct whatif *w)
{
    struct whatif_totals t = {0};
    for (uint32_t slot = 0; slot < view_slots(w->view); slot++) {
        struct view_capacity c;
        if (!view_has(w->view, slot)) {
            continue;
        }
        c = view_capacity_of(w->view, slot);
        t.n_nodes++;
        t.n_used += c.free.n_tasks > 0;
        t.n_tasks += c.free.n_tasks;
        if (c.status == VIEW_ACTIVE) {
            t.cpu += c.cpu;
            t.memory_mib += c.memory_mib;
            t.cpu_free += c.free.cpu > 0 ? (uint64_t)c.free.cpu : 0;
            t.memory_free += c.free.memory_mib > 0 ? (uint64_t)c.free.memory_mib : 0;
        }
    }
    return t;
}

struct service_now *whatif_service_now(struct whatif *w, uint32_t slot)
{
    if (w->services[slot] == NULL) {
        struct service_now *now = arena_alloc(w->arena, sizeof *now);
        now->row = *store_service(w->l->store, slot);
        if (now->row.scheduling == SCHEDULING_REPLICA && now->row.desired > now->row.n_wanted) {
            now->n_missing = now->row.desired - now->row.n_wanted;
        }
        w->services[slot] = now;
    }
    return w->services[slot];
}

bool whatif_is_gone(const struct whatif *w, uint32_t task)
{
    return w->gone != NULL && w->gone[task] != 0;
}

/* A task that is there and is to stay. */
static bool is_wanted(const struct whatif *w, uint32_t slot)
{
    const struct task *t = store_task(w->l->store, slot);
    return t->status != TASK_STOPPED && t->desired == TASK_RUNNING && !whatif_is_gone(w, slot);
}

void whatif_mark_gone(struct whatif *w, uint32_t slot)
{
    if (w->gone == NULL) {
        w->n_tasks = store_slots(w->l->store, KIND_TASK);
        w->gone = mem_alloc(w->mem, w->n_tasks);
    }
    w->gone[slot] = 1;
}

static uint32_t view_slot_of(const struct whatif *w, uint32_t node)
{
    const struct leader_node *n = leader_node_at(w->l, node);
    uint32_t slot = n == NULL ? VIEW_NONE : n->view_slot;
    if (slot == VIEW_NONE || !view_has(w->view, slot) ||
        !id_eq(view_id(w->view, slot), store_node(w->l->store, node)->id)) {
        return VIEW_NONE; /* Removed by a step; its slot may be that of a new one. */
    }
    return slot;
}

/* Stop a task of the store. */
static void stop_task(struct whatif *w, uint32_t slot)
{
    const struct task *t = store_task(w->l->store, slot);
    uint32_t at = view_slot_of(w, t->node);
    whatif_mark_gone(w, slot);
    if (at != VIEW_NONE) {
        struct view_take take = leader_take(t, w->arena);
        view_give(w->view, at, &take);
    }
}

void whatif_add_planned(struct whatif *w, uint32_t service, uint32_t view_slot, uint32_t count,
                        const struct view_take *take)
{
    if (w->n_planned == w->cap_planned) {
        uint32_t cap = w->cap_planned == 0 ? 64 : 2 * w->cap_planned;
        w->planned = mem_resize(w->mem, w->planned, w->cap_planned * sizeof *w->planned,
                                cap * sizeof *w->planned);
        w->cap_planned = cap;
    }
    w->planned[w->n_planned++] = (struct planned){service, view_slot, count, *take};
}

/* Stop up to n of what a step placed; returns how many. */
static uint32_t stop_planned(struct whatif *w, struct planned *p, uint32_t n)
{
    n = n < p->count ? n : p->count;
    if (n > 0 && view_has(w->view, p->view_slot)) {
        view_give_n(w->view, p->view_slot, &p->take, n);
    }
    p->count -= n;
    return n;
}

/* --- placing -------------------------------------------------------------------------------------
 */

struct whatif_item *whatif_add_item(struct whatif_result *ret, uint32_t service, uint32_t n_wanted)
{
    struct whatif_item *item = &ret->items[ret->n_items++];
    *item = (struct whatif_item){.service = service, .n_wanted = n_wanted};
    return item;
}

struct targets whatif_targets(struct whatif *w)
{
    uint32_t n = view_slots(w->view);
    if (n > w->n_target_at) {
        w->target_at = mem_resize(w->mem, w->target_at, w->n_target_at * sizeof *w->target_at,
                                  n * sizeof *w->target_at);
        w->n_target_at = n;
    }
    w->stamp++;
    return (struct targets){w->stamp, 0};
}

void whatif_add_target(struct whatif *w, struct whatif_item *item, struct targets *t,
                       const struct place_run *run)
{
    struct target_at *at = &w->target_at[run->slot];
    if (at->stamp != t->stamp) {
        if (item->n_targets == t->cap) {
            uint32_t cap = t->cap == 0 ? 16 : 2 * t->cap;
            struct whatif_target *bigger = arena_array(w->arena, cap, sizeof *bigger);
            if (item->n_targets > 0) {
                memcpy(bigger, item->targets, item->n_targets * sizeof *bigger);
            }
            item->targets = bigger;
            t->cap = cap;
        }
        *at = (struct target_at){t->stamp, item->n_targets};
        item->targets[item->n_targets++] = (struct whatif_target){.node = run->owner};
    }
    assert(item->targets != NULL); /* The stamp is of this item. */
    item->targets[at->index].n_tasks += run->count;
}

static void keep_reason(struct whatif *w, struct whatif_item *item,
                        const struct place_request *request, const struct placement *p)
{
    struct buf b;
    buf_init(&b, w->mem, LIMIT_EVENT);
    place_event_text(w->view, p, &b);
    item->reason = str_of(arena_strdup(w->arena, buf_cstr(&b)));
    buf_close(&b);
    if (item->why == NULL && w->n_surveys < SURVEYS_MAX) {
        struct survey *why = arena_alloc(w->arena, sizeof *why);
        item->request = *request;
        w->n_surveys++;
        item->why = place_survey(w->view, request, why, w->arena, NULL) == 0 ? why : NULL;
    }
}

/* Place up to n more tasks of the item and book them. Returns how many found room. */
static uint32_t place_more(struct whatif *w, struct whatif_item *item, struct targets *t,
                           struct place_request *request, uint32_t n)
{
    uint32_t n_placed = 0;
    while (n_placed < n) {
        struct placement p;
        uint32_t most = n - n_placed;
        request->n_replicas = most < PLACE_REPLICAS_MAX ? most : PLACE_REPLICAS_MAX;
        arena_clear(&w->scratch);
        if (place(w->view, request, &p, &w->scratch, NULL) != 0) {
            break;
        }
        for (uint32_t i = 0; i < p.n_runs; i++) {
            struct view_take take = place_take(request, &p.runs[i], w->arena);
            view_take_n(w->view, p.runs[i].slot, &take, p.runs[i].count);
            whatif_add_planned(w, item->service, p.runs[i].slot, p.runs[i].count, &take);
            whatif_add_target(w, item, t, &p.runs[i]);
        }
        n_placed += p.n_placed;
        request->seed += p.n_placed;
        if (p.n_placed < request->n_replicas) {
            keep_reason(w, item, request, &p);
            break;
        }
    }
    item->n_placed += n_placed;
    return n_placed;
}

static int check_size(uint64_t n, struct err *err)
{
    if (n > WHATIF_TASKS_MAX) {
        return err_set(err, ERR_INVALID, "a step may start at most %u tasks, not %llu",
                       WHATIF_TASKS_MAX, (unsigned long long)n);
    }
    return 0;
}

/* n tasks of a service. A strategy that cannot be read places none. */
static struct whatif_item *place_service(struct whatif *w, uint32_t slot, uint32_t n,
                                         struct whatif_result *ret)
{
    struct whatif_item *item = whatif_add_item(ret, slot, n);
    struct targets t = whatif_targets(w);
    struct place_request request;
    if (leader_service_request(w->l, &whatif_service_now(w, slot)->row, n, &request, w->arena,
                               NULL) == 0) {
        (void)place_more(w, item, &t, &request, n);
    }
    return item;
}

int whatif_run(struct whatif *w, const struct run_request *request, struct whatif_result *ret,
               struct err *err)
{
    struct place_request place_request;
    struct targets t = whatif_targets(w);
    *ret = (struct whatif_result){.before = whatif_totals_of(w)};
    int rv = check_size(request->count, err);
    if (rv == 0) {
        rv = leader_run_request(w->l, request, &place_request, w->arena, err);
    }
    if (rv != 0) {
        return rv;
    }
    ret->items = arena_array(w->arena, 1, sizeof *ret->items);
    struct whatif_item *item = whatif_add_item(ret, SLOT_NONE, request->count);
    (void)place_more(w, item, &t, &place_request, request->count);
    ret->after = whatif_totals_of(w);
    return 0;
}

/* --- draining and losing nodes -------------------------------------------------------------------
 */

struct drain {
    struct whatif *w;
    uint8_t *marked;  /* By view slot: the node is one of those. */
    uint32_t *n_from; /* By service: tasks to be replaced. */
    uint32_t *items;  /* By service: 1 + index of the item. */
    struct whatif_result *ret;
    bool remove;
};

static void count_task(struct drain *d, uint32_t slot)
{
    struct whatif *w = d->w;
    const struct task *t = store_task(w->l->store, slot);
    if (!is_wanted(w, slot)) {
        return;
    }
    if (t->service != SLOT_NONE) {
        d->n_from[t->service]++;
    } else if (d->remove) {
        d->ret->n_lost++;
    } else {
        d->ret->n_stay++;
    }
    if (d->remove) {
        whatif_mark_gone(w, slot);
    }
}

static void count_planned(struct drain *d)
{
    for (uint32_t i = 0; i < d->w->n_planned; i++) {
        struct planned *p = &d->w->planned[i];
        if (p->count == 0 || !d->marked[p->view_slot]) {
            continue;
        }
        if (p->service != SLOT_NONE) {
            d->n_from[p->service] += p->count;
        } else if (d->remove) {
            d->ret->n_lost += p->count;
        } else {
            d->ret->n_stay += p->count;
        }
        p->count = d->remove ? 0 : p->count;
    }
}

static int mark_nodes(struct drain *d, const uint32_t *nodes, uint32_t n, struct err *err)
{
    struct whatif *w = d->w;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = view_slot_of(w, nodes[i]);
        if (at == VIEW_NONE) {
            return err_set(err, ERR_NOTFOUND,
                           "container instance %u of the list is not in the "
                           "cluster any more",
                           i + 1);
        }
        d->marked[at] = 1;
    }
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = view_slot_of(w, nodes[i]);
        if (at == VIEW_NONE || d->marked[at] != 1) {
            continue; /* Named twice. */
        }
        for (uint32_t t = store_node(w->l->store, nodes[i])->first_task; t != SLOT_NONE;) {
            uint32_t next = store_task(w->l->store, t)->on_node.next;
            count_task(d, t);
            t = next;
        }
        d->marked[at] = 2;
        if (!d->remove) {
            view_node_set_status(w->view, at, VIEW_DRAINING);
        }
    }
    count_planned(d);
    for (uint32_t at = 0; d->remove && at < view_slots(w->view); at++) {
        if (d->marked[at]) {
            view_node_remove(w->view, at);
        }
    }
    return 0;
}

/* Replacements run: as many tasks on the nodes stop. */
static void stop_replaced(struct drain *d, const uint32_t *nodes, uint32_t n_nodes)
{
    struct whatif *w = d->w;
    for (uint32_t i = 0; i < n_nodes; i++) {
        uint32_t t = store_node(w->l->store, nodes[i])->first_task;
        while (t != SLOT_NONE) {
            const struct task *task = store_task(w->l->store, t);
            uint32_t item = task->service == SLOT_NONE ? 0 : d->items[task->service];
            if (item > 0 && is_wanted(w, t)) {
                struct whatif_item *it = &d->ret->items[item - 1];
                if (it->n_stopped < it->n_placed || it->n_wanted == 0) {
                    it->n_stopped++;
                    stop_task(w, t);
                }
            }
            t = task->on_node.next;
        }
    }
    for (uint32_t i = 0; i < w->n_planned; i++) {
        struct planned *p = &w->planned[i];
        uint32_t item = p->service == SLOT_NONE ? 0 : d->items[p->service];
        if (item > 0 && p->count > 0 && d->marked[p->view_slot]) {
            struct whatif_item *it = &d->ret->items[item - 1];
            it->n_stopped +=
                stop_planned(w, p, it->n_wanted == 0 ? p->count : it->n_placed - it->n_stopped);
        }
    }
}

int whatif_drain(struct whatif *w, const uint32_t *nodes, uint32_t n_nodes, bool remove,
                 struct whatif_result *ret, struct err *err)
{
    struct drain d = {.w = w, .ret = ret, .remove = remove};
    uint32_t n_items = 0;
    uint64_t n_tasks = 0;
    *ret = (struct whatif_result){.before = whatif_totals_of(w)};
    d.marked = arena_array(w->arena, view_slots(w->view), 1);
    d.n_from = arena_array(w->arena, w->n_services, sizeof *d.n_from);
    d.items = arena_array(w->arena, w->n_services, sizeof *d.items);
    int rv = mark_nodes(&d, nodes, n_nodes, err);
    if (rv != 0) {
        return rv;
    }
    for (uint32_t i = 0; i < w->n_services; i++) {
        n_items += d.n_from[i] > 0;
        n_tasks += d.n_from[i];
    }
    rv = check_size(n_tasks, err);
    if (rv != 0) {
        return rv;
    }
    ret->items = arena_array(w->arena, n_items, sizeof *ret->items);
    for (uint32_t i = 0; i < w->n_services; i++) {
        if (d.n_from[i] == 0) {
            continue;
        }
        d.items[i] = ret->n_items + 1;
        struct service_now *now = whatif_service_now(w, i);
        bool daemon = now->row.scheduling == SCHEDULING_DAEMON;
        struct whatif_item *item =
            daemon ? whatif_add_item(ret, i, 0) : place_service(w, i, d.n_from[i], ret);
        now->n_missing += remove ? item->n_wanted - item->n_placed : 0;
        item->n_stopped = remove ? d.n_from[i] : 0;
    }
    if (!remove) {
        stop_replaced(&d, nodes, n_nodes);
    }
    ret->after = whatif_totals_of(w);
    return 0;
}

/* --- another desired count or definition ---------------------------------------------------------
 */

/* The service's tasks now: those of the store, then what steps placed. */
struct members {
    uint32_t *tasks; /* Slots. */
    uint32_t n_tasks;
    uint32_t n_planned;
};

static struct members members_of(struct whatif *w, uint32_t slot)
{
    const struct service *v = store_service(w->l->store, slot);
    struct members m = {.tasks = arena_array(w->arena, v->n_wanted, sizeof *m.tasks)};
    for (uint32_t t = v->first_task; t != SLOT_NONE;
         t = store_task(w->l->store, t)->in_service.next) {
        if (is_wanted(w, t)) {
            m.tasks[m.n_tasks++] = t;
        }
    }
    for (uint32_t i = 0; i < w->n_planned; i++) {
        m.n_planned += w->planned[i].service == slot ? w->planned[i].count : 0;
    }
    return m;
}

/* Stop n of them, oldest ones of the store first. */
static uint32_t stop_some(struct whatif *w, uint32_t slot, struct members *m, uint32_t first_new,
                          uint32_t n)
{
    uint32_t stopped = 0;
    for (; m->n_tasks > 0 && stopped < n; stopped++) {
        stop_task(w, m->tasks[--m->n_tasks]);
    }
    for (uint32_t i = 0; i < first_new && stopped < n; i++) {
        if (w->planned[i].service == slot) {
            uint32_t k = stop_planned(w, &w->planned[i], n - stopped);
            m->n_planned -= k;
            stopped += k;
        }
    }
    return stopped;
}

/* New ones start as far as maximumPercent allows, old ones stop as new ones run or, where those
 * lack room, down to minimumHealthyPercent. */
static void roll_out(struct whatif *w, uint32_t slot, struct whatif_item *item)
{
    const struct service *v = &whatif_service_now(w, slot)->row;
    struct members m = members_of(w, slot);
    struct targets t = whatif_targets(w);
    struct place_request request;
    uint32_t first_new = w->n_planned;
    uint32_t n_good = 0;
    if (leader_service_request(w->l, v, 1, &request, w->arena, NULL) != 0) {
        return;
    }
    for (;;) {
        uint32_t old = m.n_tasks + m.n_planned;
        uint32_t room = recon_max(v) > n_good + old ? recon_max(v) - n_good - old : 0;
        uint32_t missing = v->desired - n_good;
        uint32_t placed = place_more(w, item, &t, &request, missing < room ? missing : room);
        n_good += placed;
        uint32_t running = n_good + old;
        uint32_t spare = running > v->desired ? running - v->desired : 0;
        uint32_t most = running > recon_min(v) ? running - recon_min(v) : 0;
        uint32_t n = n_good == v->desired          ? old
                     : spare > v->desired - n_good ? spare
                                                   : v->desired - n_good;
        n = stop_some(w, slot, &m, first_new, n < most ? n : most);
        item->n_stopped += n;
        if (placed + n == 0) {
            break;
        }
    }
    if (item->n_placed == item->n_wanted) {
        item->reason = STR("");
    }
}

/* Is the node one that should run the daemon? What room it has does not matter here. */
static bool is_for_daemon(struct whatif *w, const struct place_request *request, uint32_t slot)
{
    struct place_why why;
    arena_clear(&w->scratch);
    return place_explain(w->view, request, slot, &why, &w->scratch, NULL) == 0 &&
           (why.reason == PLACE_OK || why.reason >= PLACE_CPU);
}

/* One task of the daemon on each of these nodes that is one for it. */
static void start_daemon(struct whatif *w, struct whatif_item *item, uint32_t *slots, uint32_t n)
{
    struct targets t = whatif_targets(w);
    struct place_request request;
    const struct service *v = &whatif_service_now(w, item->service)->row;
    if (leader_service_request(w->l, v, 1, &request, w->arena, NULL) != 0) {
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        if (is_for_daemon(w, &request, slots[i])) {
            request.only = &slots[i];
            request.n_only = 1;
            item->n_wanted++;
            (void)place_more(w, item, &t, &request, 1);
            request.only = NULL;
        }
    }
}

/* Each of a daemon's tasks gives way to a new one on its node. */
static void replace_daemons(struct whatif *w, uint32_t slot, struct whatif_item *item)
{
    struct members m = members_of(w, slot);
    uint32_t *slots = arena_array(w->arena, (size_t)m.n_tasks + m.n_planned, sizeof *slots);
    uint32_t n = 0;
    for (uint32_t i = 0; i < m.n_tasks; i++) {
        uint32_t at = view_slot_of(w, store_task(w->l->store, m.tasks[i])->node);
        if (at != VIEW_NONE) {
            slots[n++] = at;
        }
    }
    for (uint32_t i = 0; i < w->n_planned; i++) {
        if (w->planned[i].service == slot && w->planned[i].count > 0) {
            slots[n++] = w->planned[i].view_slot;
        }
    }
    item->n_stopped = stop_some(w, slot, &m, w->n_planned, UINT32_MAX);
    start_daemon(w, item, slots, n);
}

/* The most dispensable, as the strategies say. */
static void scale_in(struct whatif *w, uint32_t slot, uint32_t n, struct whatif_item *item)
{
    struct members m = members_of(w, slot);
    const struct service *v = &whatif_service_now(w, slot)->row;
    struct place_request request;
    struct place_task *tasks = arena_array(w->arena, m.n_tasks, sizeof *tasks);
    uint32_t from_store = n < m.n_tasks ? n : m.n_tasks;
    uint32_t *chosen = arena_array(w->arena, from_store, sizeof *chosen);
    for (uint32_t i = 0; i < m.n_tasks; i++) {
        const struct task *t = store_task(w->l->store, m.tasks[i]);
        tasks[i] = (struct place_task){view_slot_of(w, t->node), (uint64_t)t->created_at, t->id};
    }
    if (leader_service_request(w->l, v, 1, &request, w->arena, NULL) == 0 &&
        place_scale_in(w->view, &request, tasks, m.n_tasks, from_store, chosen, w->arena, NULL) ==
            0) {
        for (uint32_t i = 0; i < from_store; i++) {
            stop_task(w, m.tasks[chosen[i]]);
        }
        item->n_stopped += from_store;
    }
    m.n_tasks = 0;
    item->n_stopped += stop_some(w, slot, &m, w->n_planned, n - from_store);
}

int whatif_service(struct whatif *w, uint32_t service, const uint32_t *desired, uint32_t taskdef,
                   struct whatif_result *ret, struct err *err)
{
    struct service_now *now = whatif_service_now(w, service);
    *ret = (struct whatif_result){.before = whatif_totals_of(w)};
    if (desired != NULL && now->row.scheduling == SCHEDULING_DAEMON) {
        return err_set(err, ERR_INVALID,
                       "desiredCount: a DAEMON service has one task on every node");
    }
    int rv = check_size(desired == NULL ? now->row.desired : *desired, err);
    if (rv != 0) {
        return rv;
    }
    ret->items = arena_array(w->arena, 1, sizeof *ret->items);
    now->row.desired = desired == NULL ? now->row.desired : *desired;
    struct members m = members_of(w, service);
    uint32_t have = m.n_tasks + m.n_planned;
    if (taskdef != SLOT_NONE && taskdef != now->row.primary.taskdef) {
        now->row.primary.taskdef = taskdef;
        if (now->row.scheduling == SCHEDULING_DAEMON) {
            replace_daemons(w, service, whatif_add_item(ret, service, 0));
        } else {
            roll_out(w, service, whatif_add_item(ret, service, now->row.desired));
        }
    } else if (now->row.scheduling == SCHEDULING_REPLICA && now->row.desired < have) {
        scale_in(w, service, have - now->row.desired, whatif_add_item(ret, service, 0));
    } else {
        (void)place_service(w, service, desired == NULL ? now->n_missing : now->row.desired - have,
                            ret);
    }
    now->n_missing = ret->items[0].n_wanted - ret->items[0].n_placed;
    ret->after = whatif_totals_of(w);
    return 0;
}

/* --- more nodes ----------------------------------------------------------------------------------
 */

struct view_node whatif_like(struct whatif *w, uint32_t node)
{
    return leader_describe(store_node(w->l->store, node), w->arena);
}

static int add_nodes(struct whatif *w, const struct view_node *node, uint32_t n, uint32_t *slots,
                     struct err *err)
{
    struct view_node d = *node;
    d.status = VIEW_ACTIVE;
    d.agent_connected = true;
    for (uint32_t i = 0; i < n; i++) {
        /* The last ids of all, in order: ties go to nodes that there are. */
        d.id = (struct id){UINT64_MAX, UINT64_MAX - WHATIF_NEW + w->n_new};
        d.owner = WHATIF_NEW + w->n_new;
        int rv = view_node_add(w->view, &d, &slots[i], err);
        if (rv != 0) {
            return rv;
        }
        w->n_new++;
    }
    return 0;
}

/* Of services with tasks to start, and a task of each daemon on each new node. */
static uint64_t count_missing(struct whatif *w, uint32_t n_nodes)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < w->n_services; i++) {
        const struct service *v = store_service(w->l->store, i);
        if (v != NULL && v->cluster == w->cluster && v->status == SERVICE_ACTIVE) {
            n += v->scheduling == SCHEDULING_DAEMON ? n_nodes : whatif_service_now(w, i)->n_missing;
        }
    }
    return n;
}

int whatif_add(struct whatif *w, const struct view_node *node, uint32_t n,
               struct whatif_result *ret, struct err *err)
{
    uint32_t *slots;
    *ret = (struct whatif_result){.before = whatif_totals_of(w)};
    if (n > WHATIF_NODES_MAX - w->n_new) {
        return err_set(err, ERR_INVALID, "count: at most %u nodes can be added, not %u and %u",
                       WHATIF_NODES_MAX, w->n_new, n);
    }
    slots = arena_array(w->arena, n, sizeof *slots);
    int rv = check_size(count_missing(w, n), err);
    if (rv == 0) {
        rv = add_nodes(w, node, n, slots, err);
    }
    if (rv != 0) {
        return rv;
    }
    ret->items = arena_array(w->arena, w->n_services, sizeof *ret->items);
    for (int daemons = 1; daemons >= 0; daemons--) {
        for (uint32_t i = 0; i < w->n_services; i++) {
            const struct service *v = store_service(w->l->store, i);
            if (v == NULL || v->cluster != w->cluster || v->status != SERVICE_ACTIVE ||
                (v->scheduling == SCHEDULING_DAEMON) != (daemons == 1)) {
                continue;
            }
            struct service_now *now = whatif_service_now(w, i);
            if (daemons == 1) {
                start_daemon(w, whatif_add_item(ret, i, 0), slots, n);
            } else if (now->n_missing > 0) {
                now->n_missing -= place_service(w, i, now->n_missing, ret)->n_placed;
            }
        }
    }
    ret->after = whatif_totals_of(w);
    return 0;
}

/* --- why -----------------------------------------------------------------------------------------
 */

int whatif_explain_task(struct whatif *w, uint32_t task, struct place_request *ret_request,
                        struct survey *ret, struct err *err)
{
    const struct task *t = store_task(w->l->store, task);
    int rv;
    if (t->service != SLOT_NONE) {
        struct service row = *store_service(w->l->store, t->service);
        row.primary.taskdef = t->taskdef;
        rv = leader_service_request(w->l, &row, 1, ret_request, w->arena, err);
    } else {
        struct leader_demand d = {
            .def = store_taskdef(w->l->store, t->taskdef), .group = t->group, .count = 1};
        rv = leader_request(&d, ret_request, w->arena, err);
    }
    if (rv != 0) {
        return rv;
    }
    ret_request->cpu = t->cpu;
    ret_request->memory_mib = t->memory;
    ret_request->gpus = t->gpus;
    if (t->status != TASK_STOPPED && !whatif_is_gone(w, task)) {
        stop_task(w, task);
    }
    return place_survey(w->view, ret_request, ret, w->arena, err);
}

/* A daemon wants no second task on a node. */
static void want_distinct(struct whatif *w, struct place_request *r)
{
    struct place_constraint *more =
        arena_array(w->arena, (size_t)r->n_constraints + 1, sizeof *more);
    if (r->n_constraints > 0) {
        memcpy(more, r->constraints, r->n_constraints * sizeof *more);
    }
    more[r->n_constraints].kind = PLACE_DISTINCT_INSTANCE;
    r->constraints = more;
    r->n_constraints++;
}

int whatif_explain_service(struct whatif *w, uint32_t service, struct place_request *ret_request,
                           struct survey *ret, struct err *err)
{
    const struct service *v = &whatif_service_now(w, service)->row;
    int rv = leader_service_request(w->l, v, 1, ret_request, w->arena, err);
    if (rv == 0 && v->scheduling == SCHEDULING_DAEMON) {
        want_distinct(w, ret_request);
    }
    return rv != 0 ? rv : place_survey(w->view, ret_request, ret, w->arena, err);
}

int whatif_explain_run(struct whatif *w, const struct run_request *request,
                       struct place_request *ret_request, struct survey *ret, struct err *err)
{
    int rv = leader_run_request(w->l, request, ret_request, w->arena, err);
    return rv != 0 ? rv : place_survey(w->view, ret_request, ret, w->arena, err);
}
