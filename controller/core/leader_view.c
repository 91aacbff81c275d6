/* The placement views follow the store: nodes, and the tasks that hold something of them. */
#include "controller/core/leader_impl.h"

#include <assert.h>
#include <string.h>

struct leader_cluster *leader_cluster_get(struct leader *l, uint32_t slot)
{
    struct leader_cluster *c = leader_cluster_at(l, slot);
    if (c == NULL) {
        c = table_add(&l->clusters, slot);
        c->slot = slot;
        c->view = view_open(l->mem);
        list_init(&c->daemons);
        list_init(&c->stuck);
        list_init(&c->holders);
        list_init(&c->runs);
        list_init(&c->reserved);
    }
    return c;
}

/* The cluster's row is gone, so everything in it is. */
void leader_view_cluster(struct leader *l, uint32_t slot)
{
    struct leader_cluster *c = leader_cluster_at(l, slot);
    if (c != NULL && store_cluster(l->store, slot) == NULL) {
        assert(list_empty(&c->daemons) && list_empty(&c->stuck));
        leader_runs_expire(l, c, INT64_MAX);
        list_remove(&c->reserved);
        view_close(c->view);
        table_remove(&l->clusters, slot);
    }
}

/* --- reservations --------------------------------------------------------------------------------
 */

void leader_view_settle(struct leader *l, struct leader_cluster *c)
{
    (void)l;
    if (!list_empty(&c->reserved)) {
        view_settle(c->view, view_mark(c->view));
        list_remove(&c->reserved);
    }
}

void leader_view_settle_all(struct leader *l)
{
    while (!list_empty(&l->reserved)) {
        leader_view_settle(l, container_of(l->reserved.next, struct leader_cluster, reserved));
    }
}

void leader_view_reserved(struct leader *l, struct leader_cluster *c)
{
    if (list_empty(&c->reserved)) {
        list_push(&l->reserved, &c->reserved);
    }
}

/* --- scarcity ------------------------------------------------------------------------------------
 */

bool leader_is_choosy(const struct leader *l, const struct service *v)
{
    const struct taskdef *def = store_taskdef(l->store, v->primary.taskdef);
    uint32_t n = def->n_constraints;
    for (uint32_t i = 0; i < v->n_constraints; i++) {
        n += v->constraints[i].type != CONSTRAINT_PRIORITY;
    }
    return n > 0 && v->status == SERVICE_ACTIVE;
}

void leader_view_weigh(struct leader *l, struct leader_cluster *c)
{
    struct place_demand *demands;
    uint32_t n = 0;
    if (!c->unweighed) {
        return;
    }
    c->unweighed = false;
    arena_clear(&l->scratch);
    demands = arena_array(&l->scratch, l->services.n, sizeof *demands);
    for (uint32_t i = 0; i < l->services.high; i++) {
        const struct leader_service *v = leader_service_at(l, i);
        const struct service *row = store_service(l->store, i);
        struct place_request *request;
        if (v == NULL || v->cluster != c->slot || row == NULL || !leader_is_choosy(l, row)) {
            continue;
        }
        request = arena_alloc(&l->scratch, sizeof *request);
        if (leader_service_request(l, row, 1, request, &l->scratch, NULL) == 0) {
            demands[n] = (struct place_demand){request, row->desired};
            n++;
        }
    }
    place_set_scarcity(c->view, demands, n, &l->scratch);
}

/* --- tasks ---------------------------------------------------------------------------------------
 */

struct view_take leader_take(const struct task *t, struct arena *arena)
{
    struct view_take take = {
        .cpu = t->cpu, .memory_mib = t->memory, .gpus = t->gpus, .group = t->group};
    struct view_port *ports;
    uint32_t n = 0;
    for (uint32_t i = 0; i < t->n_containers; i++) {
        n += t->containers[i].n_bindings;
    }
    ports = arena_array(arena, n, sizeof *ports);
    for (uint32_t i = 0; i < t->n_containers; i++) {
        for (uint32_t k = 0; k < t->containers[i].n_bindings; k++) {
            const struct binding *b = &t->containers[i].bindings[k];
            ports[take.n_ports] = (struct view_port){b->host_port, 1, b->proto};
            take.n_ports++;
        }
    }
    take.ports = ports;
    return take;
}

/* The band of what the task holds, counted from 1; 0: it holds nothing. */
static uint8_t band_of(const struct task *t)
{
    if (t == NULL || t->status == TASK_STOPPED) {
        return 0;
    }
    return t->desired == TASK_STOPPED ? 1 : (uint8_t)(1 + leader_band_of(leader_priority_of(t)));
}

static void count_band(struct leader_node *n, const struct task *t, uint8_t band, int sign)
{
    struct leader_band *b = &n->bands[band == 0 ? 0 : band - 1];
    if (band == 0) {
        return;
    }
    assert(sign > 0 || (b->cpu >= t->cpu && b->memory >= t->memory && b->gpus >= t->gpus));
    b->cpu = sign > 0 ? b->cpu + t->cpu : b->cpu - t->cpu;
    b->memory = sign > 0 ? b->memory + t->memory : b->memory - t->memory;
    b->gpus = sign > 0 ? b->gpus + t->gpus : b->gpus - t->gpus;
}

/* From one band to another. */
static void count_task(struct leader *l, struct leader_node *n, const struct task *t,
                       uint8_t before, uint8_t band)
{
    uint32_t *n_tasks = &leader_cluster_get(l, n->cluster)->n_tasks[leader_priority_of(t)];
    assert(before == 0 || *n_tasks > 0);
    *n_tasks = *n_tasks - (before != 0) + (band != 0);
    count_band(n, t, before, -1);
    count_band(n, t, band, 1);
}

static void remember_taken(struct leader *l, uint32_t slot, uint8_t taken)
{
    if (slot >= l->n_taken) {
        uint32_t n = l->n_taken == 0 ? 1024 : l->n_taken;
        if (taken == 0) {
            return;
        }
        while (n <= slot) {
            n *= 2;
        }
        l->taken = mem_resize(l->mem, l->taken, l->n_taken, n);
        l->n_taken = n;
    }
    l->taken[slot] = taken;
}

static uint8_t taken_of(const struct leader *l, uint32_t slot)
{
    return slot < l->n_taken ? l->taken[slot] : 0;
}

void leader_wake_stuck(struct leader *l, struct leader_cluster *c, enum leader_wake when)
{
    struct list *it;
    list_each (it, &c->stuck) {
        struct leader_service *v = container_of(it, struct leader_service, in_stuck);
        if (when == LEADER_WAKE_NOW || (when == LEADER_WAKE_HELD && v->holds.n > 0)) {
            leader_mark(l, v->slot);
        } else {
            leader_wake_at(l, v, v->tried_at + LEADER_STUCK_MS);
        }
    }
}

void leader_view_task(struct leader *l, uint32_t slot)
{
    const struct task *t = store_task(l->store, slot);
    uint8_t band = band_of(t);
    uint8_t before = taken_of(l, slot);
    struct leader_node *node = t == NULL ? NULL : leader_node_at(l, t->node);
    struct leader_cluster *c;
    struct view_take take;
    if (band == before || node == NULL || node->view_slot == VIEW_NONE) {
        remember_taken(l, slot, before == 0 ? 0 : band);
        return;
    }
    count_task(l, node, t, before, band);
    remember_taken(l, slot, band);
    if (before > 0 && band > 0) {
        return; /* It holds what it held. */
    }
    c = leader_cluster_get(l, node->cluster);
    arena_clear(&l->scratch);
    take = leader_take(t, &l->scratch);
    if (band > 0) {
        leader_view_settle(l, c);
        view_take(c->view, node->view_slot, &take);
    } else {
        view_give(c->view, node->view_slot, &take);
        leader_wake_stuck(l, c, LEADER_WAKE_HELD);
    }
}

/* --- nodes ---------------------------------------------------------------------------------------
 */

static void add_reserved(struct view_port *to, uint32_t *n, const uint16_t *ports, uint32_t n_ports,
                         uint8_t proto)
{
    for (uint32_t i = 0; i < n_ports; i++) {
        if (ports[i] != 0) {
            to[*n] = (struct view_port){ports[i], 1, proto};
            (*n)++;
        }
    }
}

struct view_node leader_describe(const struct node *node, struct arena *arena)
{
    struct view_attribute *attributes = arena_array(arena, node->n_attributes, sizeof *attributes);
    struct view_port *reserved =
        arena_array(arena, (size_t)node->n_reserved_tcp + node->n_reserved_udp, sizeof *reserved);
    struct view_node d = {
        .id = node->id,
        .status = node->status == NODE_ACTIVE ? VIEW_ACTIVE : VIEW_DRAINING,
        .agent_connected = node->connected,
        .cpu = node->cpu,
        .memory_mib = node->memory,
        .gpus = node->gpus,
        .registered_at_ms = (uint64_t)node->registered_at,
        .agent_version = node->agent_version,
        .ec2_instance_id = node->name,
        .attributes = attributes,
        .n_attributes = node->n_attributes,
        .reserved = reserved,
        .dynamic_first = node->port_min,
        .dynamic_last = node->port_max,
    };
    for (uint32_t i = 0; i < node->n_attributes; i++) {
        attributes[i] =
            (struct view_attribute){node->attributes[i].name, node->attributes[i].value};
    }
    add_reserved(reserved, &d.n_reserved, node->reserved_tcp, node->n_reserved_tcp, VIEW_TCP);
    add_reserved(reserved, &d.n_reserved, node->reserved_udp, node->n_reserved_udp, VIEW_UDP);
    return d;
}

static void forget_node(struct leader *l, struct leader_node *n)
{
    const struct node *node = store_node(l->store, n->slot);
    uint32_t task = node == NULL ? SLOT_NONE : node->first_task;
    if (n->view_slot != VIEW_NONE) {
        leader_holds_leave(leader_cluster_get(l, n->cluster), n->view_slot);
        view_node_remove(leader_cluster_get(l, n->cluster)->view, n->view_slot);
        n->view_slot = VIEW_NONE;
    }
    while (task != SLOT_NONE) {
        const struct task *t = store_task(l->store, task);
        count_task(l, n, t, taken_of(l, task), 0);
        remember_taken(l, task, 0);
        task = t->on_node.next;
    }
}

static void remove_node(struct leader *l, struct leader_node *n)
{
    struct leader_cluster *c = leader_cluster_get(l, n->cluster);
    forget_node(l, n);
    c->unweighed = true;
    c->n_draining -= n->draining;
    heap_remove(&l->silence, &n->deadline);
    list_remove(&n->queue);
    list_remove(&n->in_cleared);
    table_remove(&l->nodes, n->slot);
}

/* A description the view refuses (more nodes than it takes) leaves the node without tasks. */
static void show_node(struct leader *l, struct leader_node *n, const struct node *node)
{
    struct view *view = leader_cluster_get(l, n->cluster)->view;
    struct view_node d;
    arena_clear(&l->scratch);
    d = leader_describe(node, &l->scratch);
    d.owner = n->slot;
    if (n->view_slot == VIEW_NONE) {
        uint32_t task = node->first_task;
        if (view_node_add(view, &d, &n->view_slot, NULL) != 0) {
            n->view_slot = VIEW_NONE;
            task = SLOT_NONE;
        }
        while (task != SLOT_NONE && l->built > 0) {
            if (task < l->built) { /* leader_build() comes to the others. */
                leader_view_task(l, task);
            }
            task = store_task(l->store, task)->on_node.next;
        }
    } else if (view_node_set(view, n->view_slot, &d, NULL) != 0) {
        forget_node(l, n);
    }
}

/* Everybody with a task there, and everybody who waits for a node. */
static void mark_services(struct leader *l, struct leader_cluster *c, const struct node *node)
{
    struct list *it;
    uint32_t task = node->first_task;
    if (l->built != LEADER_BUILT) {
        return; /* All are dirty still. */
    }
    while (task != SLOT_NONE) {
        const struct task *t = store_task(l->store, task);
        if (t->status != TASK_STOPPED) {
            leader_mark(l, t->service);
        }
        task = t->on_node.next;
    }
    list_each (it, &c->daemons) {
        leader_mark(l, container_of(it, struct leader_service, in_daemons)->slot);
    }
    leader_wake_stuck(l, c, LEADER_WAKE_NOW);
}

void leader_view_node(struct leader *l, uint32_t slot, int64_t now_ms)
{
    const struct node *node = store_node(l->store, slot);
    struct leader_node *n = leader_node_at(l, slot);
    struct leader_cluster *c;
    bool draining;
    if (node == NULL || node->status == NODE_INACTIVE) {
        if (n != NULL) {
            c = leader_cluster_get(l, n->cluster);
            remove_node(l, n);
            if (node != NULL) {
                mark_services(l, c, node);
            }
        }
        return;
    }
    c = leader_cluster_get(l, node->cluster);
    if (n == NULL) {
        n = table_add(&l->nodes, slot);
        *n = (struct leader_node){.slot = slot, .cluster = node->cluster, .view_slot = VIEW_NONE};
        list_init(&n->queue);
        list_init(&n->in_cleared);
    }
    if (n->session != node->session || (node->connected && !n->connected)) {
        n->heard_at = now_ms;
    }
    n->session = node->session;
    n->connected = node->connected;
    draining = node->status == NODE_DRAINING;
    c->n_draining = c->n_draining + draining - n->draining;
    n->draining = draining;
    show_node(l, n, node);
    c->unweighed = true;
    heap_set(&l->silence, &n->deadline, (uint64_t)(n->heard_at + l->settings.lost_after_ms));
    mark_services(l, c, node);
}
