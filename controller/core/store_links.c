/* What is derived from rows: lists, counters, ports held, and the queues of rows to be removed.
 * Every row is counted in when it appears and counted out before it goes or changes; loading a
 * checkpoint counts all rows in, so the figures cannot drift apart from the tables. */
#include "controller/core/store_impl.h"

#include <string.h>

/* --- lists of tasks ------------------------------------------------------------------------------
 */

static struct task_links *links_of(const struct store *s, uint32_t task, size_t offset)
{
    return (struct task_links *)(void *)((char *)task_at(s, task) + offset);
}

static void list_add(struct store *s, uint32_t *head, uint32_t slot, size_t offset)
{
    struct task_links *links = links_of(s, slot, offset);
    links->prev = SLOT_NONE;
    links->next = *head;
    if (*head != SLOT_NONE) {
        links_of(s, *head, offset)->prev = slot;
    }
    *head = slot;
}

static void list_drop(struct store *s, uint32_t *head, uint32_t slot, size_t offset)
{
    struct task_links *links = links_of(s, slot, offset);
    if (links->prev == SLOT_NONE) {
        assert(*head == slot);
        *head = links->next;
    } else {
        links_of(s, links->prev, offset)->next = links->next;
    }
    if (links->next != SLOT_NONE) {
        links_of(s, links->next, offset)->prev = links->prev;
    }
}

/* --- queues of rows to be removed ---------------------------------------------------------------
 */

struct task_links *store_gc_links(const struct store *s, enum kind kind, uint32_t slot)
{
    static const size_t offsets[KIND_N] = {
        [KIND_CLUSTER] = offsetof(struct cluster, in_gc),
        [KIND_TASKDEF] = offsetof(struct taskdef, in_gc),
        [KIND_SERVICE] = offsetof(struct service, in_gc),
        [KIND_NODE] = offsetof(struct node, in_gc),
        [KIND_TASK] = offsetof(struct task, in_gc),
        [KIND_TOKEN] = offsetof(struct token, in_gc),
        [KIND_JOIN] = offsetof(struct join, in_gc),
        [KIND_CAPACITY_PROVIDER] = offsetof(struct capacity_provider, in_gc),
    };
    assert((unsigned)kind < KIND_N);
    assert(offsets[kind] != 0);
    return (struct task_links *)(void *)((char *)store_at(s, kind, slot) + offsets[kind]);
}

int64_t store_gc_time(enum kind kind, const void *row)
{
    switch (kind) {
    case KIND_CLUSTER:
        return ((const struct cluster *)row)->deleted_at + LIMIT_INACTIVE_LIFE_MS;
    case KIND_SERVICE:
        return ((const struct service *)row)->deleted_at + LIMIT_INACTIVE_LIFE_MS;
    case KIND_NODE:
        return ((const struct node *)row)->deregistered_at + LIMIT_INACTIVE_LIFE_MS;
    case KIND_TASK:
        return ((const struct task *)row)->stopped_at + LIMIT_STOPPED_LIFE_MS;
    case KIND_TOKEN:
        return ((const struct token *)row)->expires_at;
    case KIND_JOIN:
        return ((const struct join *)row)->expires_at;
    case KIND_CAPACITY_PROVIDER:
        return ((const struct capacity_provider *)row)->deleted_at + LIMIT_INACTIVE_LIFE_MS;
    case KIND_TASKDEF: /* As soon as nothing uses it. */
    case KIND_FAMILY:
    case KIND_META:
    case KIND_N:
        break;
    }
    return 0;
}

/* May the row go once its time has come? */
static bool gc_ready(enum kind kind, const void *row)
{
    const struct cluster *cluster = row;
    const struct taskdef *taskdef = row;
    const struct service *service = row;
    const struct node *node = row;
    const struct task *task = row;
    const struct capacity_provider *provider = row;
    switch (kind) {
    case KIND_CLUSTER:
        return cluster->status == CLUSTER_INACTIVE && cluster->n_refs == 0;
    case KIND_TASKDEF:
        return taskdef->status == TASKDEF_DELETING && taskdef->n_refs == 0;
    case KIND_SERVICE:
        return service->status == SERVICE_INACTIVE && service->first_task == SLOT_NONE;
    case KIND_NODE:
        return node->status == NODE_INACTIVE && node->first_task == SLOT_NONE;
    case KIND_TASK:
        return task->status == TASK_STOPPED;
    case KIND_TOKEN:
    case KIND_JOIN:
        return true;
    case KIND_CAPACITY_PROVIDER:
        return provider->status == PROVIDER_INACTIVE;
    case KIND_FAMILY:
    case KIND_META:
    case KIND_N:
        break;
    }
    return false;
}

static int64_t queue_time(const struct store *s, enum kind kind, uint32_t slot)
{
    return store_gc_time(kind, store_at(s, kind, slot));
}

static void gc_remove(struct store *s, enum kind kind, uint32_t slot)
{
    struct store_queue *q = &s->gc[kind];
    struct task_links *links = store_gc_links(s, kind, slot);
    if (links->prev == SLOT_NONE) {
        q->first = links->next;
    } else {
        store_gc_links(s, kind, links->prev)->next = links->next;
    }
    if (links->next == SLOT_NONE) {
        q->last = links->prev;
    } else {
        store_gc_links(s, kind, links->next)->prev = links->prev;
    }
    links->prev = SLOT_NONE;
    links->next = SLOT_NONE;
}

/* Time does not go back, so nearly every row belongs at the end. What became free late (its tasks
 * are gone only now) belongs near the beginning. */
static void gc_insert(struct store *s, enum kind kind, uint32_t slot)
{
    struct store_queue *q = &s->gc[kind];
    struct task_links *links = store_gc_links(s, kind, slot);
    int64_t time = queue_time(s, kind, slot);
    uint32_t after = q->last;
    if (q->last != SLOT_NONE && queue_time(s, kind, q->last) > time) {
        uint32_t at = q->first;
        while (queue_time(s, kind, at) <= time) {
            at = store_gc_links(s, kind, at)->next;
        }
        after = store_gc_links(s, kind, at)->prev;
    }
    links->prev = after;
    links->next = after == SLOT_NONE ? q->first : store_gc_links(s, kind, after)->next;
    if (after == SLOT_NONE) {
        q->first = slot;
    } else {
        store_gc_links(s, kind, after)->next = slot;
    }
    if (links->next == SLOT_NONE) {
        q->last = slot;
    } else {
        store_gc_links(s, kind, links->next)->prev = slot;
    }
}

static bool gc_queued(const struct store *s, enum kind kind, uint32_t slot)
{
    return store_gc_links(s, kind, slot)->prev != SLOT_NONE || s->gc[kind].first == slot;
}

void store_gc_update(struct store *s, enum kind kind, uint32_t slot)
{
    bool ready = !s->loading && gc_ready(kind, store_at(s, kind, slot));
    bool queued = gc_queued(s, kind, slot);
    if (ready && !queued) {
        gc_insert(s, kind, slot);
    } else if (!ready && queued) {
        gc_remove(s, kind, slot);
    }
}

/* --- ports ---------------------------------------------------------------------------------------
 */

void store_ports_take(struct store *s, const struct task *t)
{
    assert(t->node < s->n_ports);
    for (uint32_t i = 0; i < t->n_containers; i++) {
        for (uint32_t k = 0; k < t->containers[i].n_bindings; k++) {
            const struct binding *b = &t->containers[i].bindings[k];
            portset_add(&s->ports[t->node].held[b->proto], s->mem, b->host_port, 1);
        }
    }
}

void store_ports_give(struct store *s, const struct task *t)
{
    for (uint32_t i = 0; i < t->n_containers; i++) {
        for (uint32_t k = 0; k < t->containers[i].n_bindings; k++) {
            const struct binding *b = &t->containers[i].bindings[k];
            portset_remove(&s->ports[t->node].held[b->proto], b->host_port, 1);
        }
    }
}

static void ports_reserve(struct store *s, uint32_t node)
{
    uint32_t n = s->n_ports == 0 ? 64 : s->n_ports;
    while (n <= node) {
        n *= 2;
    }
    if (n > s->n_ports) {
        s->ports =
            mem_resize(s->mem, s->ports, s->n_ports * sizeof *s->ports, n * sizeof *s->ports);
        s->n_ports = n;
    }
}

static void ports_close(struct store *s, uint32_t node)
{
    for (unsigned proto = 0; proto < PROTO_N; proto++) {
        portset_close(&s->ports[node].held[proto], s->mem);
    }
}

/* --- counters ------------------------------------------------------------------------------------
 */

static void add(uint32_t *counter, uint32_t amount, int sign)
{
    assert(sign > 0 || *counter >= amount);
    *counter = sign > 0 ? *counter + amount : *counter - amount;
}

static void refer_cluster(struct store *s, uint32_t cluster, int sign)
{
    add(&cluster_at(s, cluster)->n_refs, 1, sign);
    store_gc_update(s, KIND_CLUSTER, cluster);
}

static void refer_taskdef(struct store *s, uint32_t taskdef, int sign)
{
    add(&taskdef_at(s, taskdef)->n_refs, 1, sign);
    store_gc_update(s, KIND_TASKDEF, taskdef);
}

static void count_status(const struct task *t, uint32_t *n_running, uint32_t *n_pending, int sign)
{
    if (t->status == TASK_RUNNING) {
        add(n_running, 1, sign);
    } else if (t->status < TASK_RUNNING) {
        add(n_pending, 1, sign);
    }
}

static void count_in_service(struct store *s, const struct task *t, int sign)
{
    struct service *service = service_at(s, t->service);
    count_status(t, &service->n_running, &service->n_pending, sign);
    add(&service->n_active, 1, sign);
    if (t->desired == TASK_RUNNING) {
        add(&service->n_wanted, 1, sign);
        if (t->deployment == service->primary.id) {
            add(&service->n_wanted_new, 1, sign);
        }
        if (t->status == TASK_RUNNING && t->health == HEALTH_UNHEALTHY) {
            add(&service->n_unhealthy, 1, sign);
        }
    }
}

static void count_task(struct store *s, const struct task *t, int sign)
{
    struct cluster *cluster = cluster_at(s, t->cluster);
    struct node *node = node_at(s, t->node);
    if (t->status == TASK_STOPPED) {
        return;
    }
    count_status(t, &cluster->n_running, &cluster->n_pending, sign);
    count_status(t, &node->n_running, &node->n_pending, sign);
    add(&cluster->n_active_tasks, 1, sign);
    add(&node->n_active, 1, sign);
    add(&node->cpu_used, t->cpu, sign);
    add(&node->memory_used, t->memory, sign);
    add(&node->gpus_used, t->gpus, sign);
    add(&taskdef_at(s, t->taskdef)->n_uses, 1, sign);
    if (t->service != SLOT_NONE) {
        count_in_service(s, t, sign);
    }
}

static void count_service(struct store *s, const struct service *service, int sign)
{
    struct cluster *cluster = cluster_at(s, service->cluster);
    if (service->status == SERVICE_ACTIVE) {
        add(&cluster->n_services, 1, sign);
    } else if (service->status == SERVICE_DRAINING) {
        add(&cluster->n_draining, 1, sign);
    }
    if (service->status != SERVICE_INACTIVE) {
        add(&taskdef_at(s, service->primary.taskdef)->n_uses, 1, sign);
    }
    refer_taskdef(s, service->primary.taskdef, sign);
}

static void count_node(struct store *s, const struct node *node, int sign)
{
    if (node->status != NODE_INACTIVE) {
        add(&cluster_at(s, node->cluster)->n_nodes, 1, sign);
    }
}

/* --- families: the ACTIVE revisions in order -----------------------------------------------------
 */

void store_family_append(struct store *s, uint32_t slot)
{
    struct taskdef *def = taskdef_at(s, slot);
    uint32_t at = store_lookup(s, KIND_FAMILY, (struct store_key){def->family, 0, 0});
    struct family *family = store_at(s, KIND_FAMILY, at);
    assert(family != NULL);
    def->in_family = (struct task_links){family->last_active, SLOT_NONE};
    if (family->last_active == SLOT_NONE) {
        family->first_active = slot;
    } else {
        taskdef_at(s, family->last_active)->in_family.next = slot;
    }
    family->last_active = slot;
}

static void family_drop(struct store *s, uint32_t slot)
{
    struct taskdef *def = taskdef_at(s, slot);
    uint32_t at = store_lookup(s, KIND_FAMILY, (struct store_key){def->family, 0, 0});
    struct family *family = store_at(s, KIND_FAMILY, at);
    assert(family != NULL);
    if (def->in_family.prev == SLOT_NONE) {
        family->first_active = def->in_family.next;
    } else {
        taskdef_at(s, def->in_family.prev)->in_family.next = def->in_family.next;
    }
    if (def->in_family.next == SLOT_NONE) {
        family->last_active = def->in_family.prev;
    } else {
        taskdef_at(s, def->in_family.next)->in_family.prev = def->in_family.prev;
    }
    def->in_family = (struct task_links){SLOT_NONE, SLOT_NONE};
}

/* --- whole rows ----------------------------------------------------------------------------------
 */

static void attach_task(struct store *s, uint32_t slot)
{
    struct task *t = task_at(s, slot);
    list_add(s, &node_at(s, t->node)->first_task, slot, offsetof(struct task, on_node));
    if (t->service != SLOT_NONE) {
        list_add(s, &service_at(s, t->service)->first_task, slot,
                 offsetof(struct task, in_service));
    }
    refer_cluster(s, t->cluster, 1);
    refer_taskdef(s, t->taskdef, 1);
    count_task(s, t, 1);
    if (t->status != TASK_STOPPED) {
        store_ports_take(s, t);
    }
}

static void detach_task(struct store *s, uint32_t slot)
{
    struct task *t = task_at(s, slot);
    if (t->status != TASK_STOPPED) {
        store_ports_give(s, t);
    }
    count_task(s, t, -1);
    list_drop(s, &node_at(s, t->node)->first_task, slot, offsetof(struct task, on_node));
    store_gc_update(s, KIND_NODE, t->node);
    if (t->service != SLOT_NONE) {
        list_drop(s, &service_at(s, t->service)->first_task, slot,
                  offsetof(struct task, in_service));
        store_gc_update(s, KIND_SERVICE, t->service);
    }
    refer_taskdef(s, t->taskdef, -1);
    refer_cluster(s, t->cluster, -1);
}

void store_clear_derived(struct store *s, enum kind kind, uint32_t slot)
{
    void *row = store_at(s, kind, slot);
    const struct schema *schema = schema_of_kind(kind);
    for (uint32_t i = 0; i < schema->n_fields; i++) {
        const struct field *f = &schema->fields[i];
        if (f->derived) {
            size_t size = f->type == FIELD_STRUCT ? f->sub->size : schema_scalar_size(f->type);
            memset((char *)row + f->offset, 0, size);
        }
    }
    if (kind == KIND_FAMILY) {
        ((struct family *)row)->first_active = SLOT_NONE;
        ((struct family *)row)->last_active = SLOT_NONE;
    } else if (kind == KIND_SERVICE) {
        ((struct service *)row)->first_task = SLOT_NONE;
    } else if (kind == KIND_NODE) {
        ((struct node *)row)->first_task = SLOT_NONE;
        ports_reserve(s, slot);
    }
    if (kind != KIND_FAMILY && kind != KIND_META) {
        *store_gc_links(s, kind, slot) = (struct task_links){SLOT_NONE, SLOT_NONE};
    }
}

static void attach(struct store *s, enum kind kind, uint32_t slot)
{
    const void *row = store_at(s, kind, slot);
    switch (kind) {
    case KIND_TASKDEF:
        if (((const struct taskdef *)row)->status == TASKDEF_ACTIVE && !s->loading) {
            store_family_append(s, slot);
        }
        break;
    case KIND_SERVICE:
        refer_cluster(s, ((const struct service *)row)->cluster, 1);
        count_service(s, row, 1);
        break;
    case KIND_NODE:
        refer_cluster(s, ((const struct node *)row)->cluster, 1);
        count_node(s, row, 1);
        break;
    case KIND_TASK:
        attach_task(s, slot);
        break;
    case KIND_TOKEN:
        refer_cluster(s, ((const struct token *)row)->cluster, 1);
        break;
    case KIND_JOIN:
        refer_cluster(s, ((const struct join *)row)->cluster, 1);
        break;
    case KIND_CLUSTER:
    case KIND_FAMILY:
    case KIND_META:
    case KIND_CAPACITY_PROVIDER:
    case KIND_N:
        break;
    }
}

void store_attach(struct store *s, enum kind kind, uint32_t slot)
{
    attach(s, kind, slot);
    if (kind != KIND_FAMILY && kind != KIND_META) {
        store_gc_update(s, kind, slot);
    }
}

void store_detach(struct store *s, enum kind kind, uint32_t slot)
{
    const void *row = store_at(s, kind, slot);
    if (kind != KIND_FAMILY && kind != KIND_META && gc_queued(s, kind, slot)) {
        gc_remove(s, kind, slot);
    }
    switch (kind) {
    case KIND_TASKDEF:
        if (((const struct taskdef *)row)->status == TASKDEF_ACTIVE) {
            family_drop(s, slot);
        }
        break;
    case KIND_SERVICE:
        count_service(s, row, -1);
        refer_cluster(s, ((const struct service *)row)->cluster, -1);
        break;
    case KIND_NODE:
        count_node(s, row, -1);
        refer_cluster(s, ((const struct node *)row)->cluster, -1);
        ports_close(s, slot);
        break;
    case KIND_TASK:
        detach_task(s, slot);
        break;
    case KIND_TOKEN:
        refer_cluster(s, ((const struct token *)row)->cluster, -1);
        break;
    case KIND_JOIN:
        refer_cluster(s, ((const struct join *)row)->cluster, -1);
        break;
    case KIND_CLUSTER:
    case KIND_FAMILY:
    case KIND_META:
    case KIND_CAPACITY_PROVIDER:
    case KIND_N:
        break;
    }
}

/* --- changes of what is counted ------------------------------------------------------------------
 */

struct task *store_task_begin(struct store *s, uint32_t slot)
{
    struct task *t = task_at(s, slot);
    count_task(s, t, -1);
    return t;
}

void store_task_end(struct store *s, uint32_t slot)
{
    count_task(s, task_at(s, slot), 1);
    store_gc_update(s, KIND_TASK, slot);
    store_touch(s, KIND_TASK, slot);
}

void store_task_same(struct store *s, uint32_t slot)
{
    count_task(s, task_at(s, slot), 1);
}

struct service *store_service_begin(struct store *s, uint32_t slot)
{
    struct service *service = service_at(s, slot);
    count_service(s, service, -1);
    return service;
}

void store_service_end(struct store *s, uint32_t slot)
{
    count_service(s, service_at(s, slot), 1);
    store_gc_update(s, KIND_SERVICE, slot);
    store_touch(s, KIND_SERVICE, slot);
}

struct node *store_node_begin(struct store *s, uint32_t slot)
{
    struct node *node = node_at(s, slot);
    count_node(s, node, -1);
    return node;
}

void store_node_end(struct store *s, uint32_t slot)
{
    count_node(s, node_at(s, slot), 1);
    store_gc_update(s, KIND_NODE, slot);
    store_touch(s, KIND_NODE, slot);
}

struct taskdef *store_taskdef_begin(struct store *s, uint32_t slot)
{
    struct taskdef *def = taskdef_at(s, slot);
    if (def->status == TASKDEF_ACTIVE) {
        family_drop(s, slot);
    }
    return def;
}

void store_taskdef_end(struct store *s, uint32_t slot)
{
    assert(taskdef_at(s, slot)->status != TASKDEF_ACTIVE);
    store_gc_update(s, KIND_TASKDEF, slot);
    store_touch(s, KIND_TASKDEF, slot);
}

/* --- order ---------------------------------------------------------------------------------------
 */

static bool order_less(const struct store_order *a, const struct store_order *b)
{
    return a->key != b->key ? a->key < b->key : a->slot < b->slot;
}

static void sift(struct store_order *v, uint32_t at, uint32_t n)
{
    struct store_order item = v[at];
    while (2 * at + 1 < n) {
        uint32_t child = 2 * at + 1;
        if (child + 1 < n && order_less(&v[child], &v[child + 1])) {
            child++;
        }
        if (!order_less(&item, &v[child])) {
            break;
        }
        v[at] = v[child];
        at = child;
    }
    v[at] = item;
}

void store_sort(struct store_order *v, uint32_t n)
{
    for (uint32_t i = n / 2; i-- > 0;) {
        sift(v, i, n);
    }
    for (uint32_t end = n; end > 1; end--) {
        struct store_order last = v[end - 1];
        v[end - 1] = v[0];
        v[0] = last;
        sift(v, 0, end - 1);
    }
}

uint32_t store_active_tasks(struct store *s, uint32_t node, struct store_order **ret)
{
    const struct node *row = node_at(s, node);
    struct store_order *v = arena_array(&s->scratch, row->n_active, sizeof *v);
    uint32_t n = 0;
    for (uint32_t slot = row->first_task; slot != SLOT_NONE;) {
        const struct task *t = task_at(s, slot);
        if (t->status != TASK_STOPPED) {
            v[n] = (struct store_order){0, slot};
            n++;
        }
        slot = t->on_node.next;
    }
    assert(n == row->n_active);
    store_sort(v, n);
    *ret = v;
    return n;
}
