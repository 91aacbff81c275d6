/* Nodes, and what tasks and reservations hold of them. */
#include "controller/core/placement/view.h"

#include "common/base/hash.h"
#include "controller/core/placement/view_impl.h"

#include <assert.h>
#include <string.h>

#define CAP_MIN   8u
#define HASH_SEED 0x6e6f6465u

void *view_grow(const struct mem *mem, void *array, uint32_t n, uint32_t *cap, size_t size)
{
    if (n < *cap) {
        return array;
    }
    uint32_t grown = *cap == 0 ? CAP_MIN : *cap * 2;
    array = mem_resize(mem, array, *cap * size, grown * size);
    *cap = grown;
    return array;
}

#define LINE ((size_t)64) /* Of the cache. */

/* Bytes of a block that holds n elements on boundaries of cache lines. */
static size_t block_size(uint32_t n, size_t size)
{
    return n == 0 ? 0 : n * size + LINE;
}

struct view *view_open(const struct mem *mem)
{
    struct view *v = mem_alloc(mem, sizeof *v);
    v->mem = mem;
    view_index_open(v);
    map_init(&v->by_id, mem);
    map_init(&v->by_bytes, mem);
    map_init(&v->by_name, mem);
    map_init(&v->query_by_text, mem);
    return v;
}

/* What is noted stays so: the lists name the slot. */
static void slot_clear(struct view *v, uint32_t slot)
{
    struct view_slot *s = &v->slots[slot];
    struct view_hot *h = &v->hot[slot];
    for (int p = 0; p < VIEW_PROTO_N; p++) {
        portset_close(&s->held[p], v->mem);
        portset_close(&s->reserved[p], v->mem);
    }
    view_crowd_close(v, &v->crowds[slot]);
    memset(&v->crowds[slot], 0, sizeof v->crowds[slot]);
    mem_free(v->mem, s->ec2_instance_id, s->n_ec2_instance_id + (size_t)1);
    memset(s, 0, sizeof *s);
    struct view_hot cleared = {.used = false};
    for (int by = 0; by < ORDER_N; by++) {
        cleared.at[by].noted = h->at[by].noted;
    }
    *h = cleared;
}

void view_close(struct view *v)
{
    if (v == NULL) {
        return;
    }
    for (uint32_t i = 0; i < v->n_slots; i++) {
        slot_clear(v, i);
    }
    for (uint32_t i = 0; i < v->n_reservations; i++) {
        struct view_reservation *r = &v->reservations[i];
        mem_free(v->mem, r->ports, r->n_ports * sizeof *r->ports);
    }
    mem_free(v->mem, v->reservations, v->cap_reservations * sizeof *v->reservations);
    view_index_close(v);
    mem_free(v->mem, v->slots, v->cap_slots * sizeof *v->slots);
    mem_free(v->mem, v->hot_block, block_size(v->cap_slots, sizeof *v->hot));
    mem_free(v->mem, v->crowd_block, block_size(v->cap_slots, sizeof *v->crowds));
    mem_free(v->mem, v->free_slots, v->cap_slots * sizeof *v->free_slots);
    map_close(&v->by_id);
    view_classes_close(v);
    view_groups_close(v);
    view_caches_close(v);
    mem_free(v->mem, v, sizeof *v);
}

/* --- nodes ------------------------------------------------------------------------------------ */

uint64_t view_id_hash(struct id id)
{
    return hash_mix(hash_mix(HASH_SEED, id.hi), id.lo);
}

static bool slot_eq(const void *ctx, uint32_t value, const void *key)
{
    const struct view *v = ctx;
    const struct id *id = key;
    return id_eq(v->hot[value].id, *id);
}

uint32_t view_find(const struct view *v, struct id id)
{
    return map_get(&v->by_id, view_id_hash(id), slot_eq, v, &id);
}

static bool range_ok(uint32_t first, uint32_t count, uint8_t proto)
{
    return proto < VIEW_PROTO_N && first > 0 && count > 0 && first + count <= UINT16_MAX + 1u;
}

static int check_node(const struct view_node *node, struct err *err)
{
    if (node->cpu > VIEW_AMOUNT_MAX || node->memory_mib > VIEW_AMOUNT_MAX ||
        node->gpus > VIEW_AMOUNT_MAX) {
        return err_set(err, ERR_INVALID, "resources: more than %u of one kind", VIEW_AMOUNT_MAX);
    }
    if (node->n_reserved > VIEW_RESERVED_MAX) {
        return err_set(err, ERR_INVALID, "reserved ports: more than %d ranges", VIEW_RESERVED_MAX);
    }
    for (uint32_t i = 0; i < node->n_reserved; i++) {
        const struct view_port *p = &node->reserved[i];
        if (!range_ok(p->first, p->count, p->proto)) {
            return err_set(err, ERR_INVALID, "reserved ports: %u+%u is no range of ports", p->first,
                           p->count);
        }
    }
    if (node->dynamic_first > node->dynamic_last ||
        (node->dynamic_first == 0 && node->dynamic_last != 0)) {
        return err_set(err, ERR_INVALID, "dynamic ports: %u-%u is no range of ports",
                       node->dynamic_first, node->dynamic_last);
    }
    if (node->ec2_instance_id.n > VIEW_TEXT_MAX) {
        return err_set(err, ERR_INVALID, "ec2InstanceId: longer than %d bytes", VIEW_TEXT_MAX);
    }
    return 0;
}

/* Reserved ranges may overlap each other. */
static void set_reserved(struct view *v, struct view_slot *s, const struct view_node *node)
{
    for (int p = 0; p < VIEW_PROTO_N; p++) {
        portset_close(&s->reserved[p], v->mem);
    }
    for (uint32_t i = 0; i < node->n_reserved; i++) {
        const struct view_port *range = &node->reserved[i];
        struct portset *set = &s->reserved[range->proto];
        for (uint32_t port = range->first; port < (uint32_t)range->first + range->count; port++) {
            if (portset_last_in(set, (uint16_t)port, 1) == PORT_NONE) {
                portset_add(set, v->mem, (uint16_t)port, 1);
            }
        }
    }
}

static void count_capacity(struct view *v, const struct view_slot *s, bool add)
{
    v->n_gpu_nodes += s->gpus > 0 ? (add ? 1u : UINT32_MAX) : 0;
    v->total_cpu += add ? s->cpu : -(uint64_t)s->cpu;
    v->total_memory_mib += add ? s->memory_mib : -(uint64_t)s->memory_mib;
}

/* The part of a description that placing looks at. */
static void describe_hot(struct view *v, uint32_t slot, const struct view_node *node,
                         uint32_t class)
{
    const struct view_slot *s = &v->slots[slot];
    struct view_hot *h = &v->hot[slot];
    h->used = true;
    h->id = node->id;
    h->class = class;
    h->status = (uint8_t)node->status;
    h->agent_connected = node->agent_connected;
    h->has_gpus = node->gpus > 0;
    h->free.cpu += (int32_t)node->cpu - (int32_t)s->cpu;
    h->free.memory_mib += (int32_t)node->memory_mib - (int32_t)s->memory_mib;
    h->free.gpus += (int32_t)node->gpus - (int32_t)s->gpus;
}

/* Take over a checked description; class is counted already. What tasks hold is kept. */
static void describe(struct view *v, uint32_t slot, const struct view_node *node, uint32_t class)
{
    struct view_slot *s = &v->slots[slot];
    if (v->hot[slot].used) {
        view_index_forget(v, slot);
        count_capacity(v, s, false);
        mem_free(v->mem, s->ec2_instance_id, s->n_ec2_instance_id + (size_t)1);
    }
    describe_hot(v, slot, node, class);
    v->crowds[slot].owner = node->owner;
    s->cpu = node->cpu;
    s->memory_mib = node->memory_mib;
    s->gpus = node->gpus;
    s->registered_at_ms = node->registered_at_ms;
    s->n_ec2_instance_id = (uint32_t)node->ec2_instance_id.n;
    s->ec2_instance_id = mem_dup(v->mem, node->ec2_instance_id.p, node->ec2_instance_id.n);
    s->dynamic_first = node->dynamic_first == 0 ? VIEW_DYNAMIC_FIRST : node->dynamic_first;
    s->dynamic_last = node->dynamic_first == 0 ? VIEW_DYNAMIC_LAST : node->dynamic_last;
    for (int p = 0; p < VIEW_PROTO_N; p++) {
        if (s->cursor[p] < s->dynamic_first || s->cursor[p] > s->dynamic_last) {
            s->cursor[p] = s->dynamic_first;
        }
    }
    set_reserved(v, s, node);
    count_capacity(v, s, true);
    v->epoch++;
    view_index_note(v, slot);
}

/* mem gives no boundaries, so a block is one line longer than its content. */
static void *lines_grow(struct view *v, void **block, const void *from, uint32_t cap, size_t size)
{
    char *bigger = mem_alloc(v->mem, block_size(cap, size));
    size_t off = (uintptr_t)bigger % LINE;
    void *to = bigger + (off == 0 ? 0 : LINE - off);
    if (v->cap_slots > 0) {
        memcpy(to, from, v->cap_slots * size);
        mem_free(v->mem, *block, block_size(v->cap_slots, size));
    }
    *block = bigger;
    return to;
}

void view_slots_reserve(struct view *v, uint32_t cap)
{
    uint32_t old = v->cap_slots;
    if (cap <= old) {
        return;
    }
    v->slots = mem_resize(v->mem, v->slots, old * sizeof *v->slots, cap * sizeof *v->slots);
    v->free_slots =
        mem_resize(v->mem, v->free_slots, old * sizeof *v->free_slots, cap * sizeof *v->free_slots);
    v->hot = lines_grow(v, &v->hot_block, v->hot, cap, sizeof *v->hot);
    v->crowds = lines_grow(v, &v->crowd_block, v->crowds, cap, sizeof *v->crowds);
    v->cap_slots = cap;
    view_index_grow(v, old);
}

/* Room for one more node. */
static void slots_grow(struct view *v)
{
    if (v->n_slots == v->cap_slots) {
        view_slots_reserve(v, v->cap_slots == 0 ? CAP_MIN : v->cap_slots * 2);
    }
}

int view_node_add(struct view *v, const struct view_node *node, uint32_t *ret_slot, struct err *err)
{
    uint32_t class;
    int rv = check_node(node, err);
    if (rv != 0) {
        return rv;
    }
    if (v->n_nodes == VIEW_NODES_MAX) {
        return err_set(err, ERR_FULL, "the cluster has %u nodes", VIEW_NODES_MAX);
    }
    if (view_find(v, node->id) != MAP_NONE) {
        return err_set(err, ERR_EXISTS, "the cluster has a node of this id");
    }
    rv = view_class_get(v, node, &class, err);
    if (rv != 0) {
        return rv;
    }
    slots_grow(v);
    uint32_t slot = v->n_free_slots > 0 ? v->free_slots[--v->n_free_slots] : v->n_slots++;
    describe(v, slot, node, class);
    map_put(&v->by_id, view_id_hash(node->id), slot);
    v->n_nodes++;
    *ret_slot = slot;
    return 0;
}

int view_node_set(struct view *v, uint32_t slot, const struct view_node *node, struct err *err)
{
    uint32_t class;
    assert(view_has(v, slot));
    assert(id_eq(v->hot[slot].id, node->id));
    int rv = check_node(node, err);
    if (rv == 0) {
        rv = view_class_get(v, node, &class, err);
    }
    if (rv != 0) {
        return rv;
    }
    uint32_t old = v->hot[slot].class;
    for (uint32_t i = 0; i < v->crowds[slot].n && class != old; i++) {
        view_group_forget(v, view_crowd_groups(&v->crowds[slot])[i]);
    }
    describe(v, slot, node, class);
    view_class_put(v, old);
    return 0;
}

void view_node_set_status(struct view *v, uint32_t slot, enum view_status status)
{
    assert(view_has(v, slot));
    v->hot[slot].status = (uint8_t)status;
    view_index_note(v, slot);
}

void view_node_set_connected(struct view *v, uint32_t slot, bool agent_connected)
{
    assert(view_has(v, slot));
    v->hot[slot].agent_connected = agent_connected;
    view_index_note(v, slot);
}

void view_node_remove(struct view *v, uint32_t slot)
{
    assert(view_has(v, slot));
    struct view_slot *s = &v->slots[slot];
    while (v->crowds[slot].n > 0) {
        uint32_t group = view_crowd_groups(&v->crowds[slot])[v->crowds[slot].n - 1];
        view_group_change(v, group, slot, -(int32_t)view_group_count(v, group, slot));
    }
    for (uint32_t i = 0; i < v->n_reservations; i++) {
        if (v->reservations[i].slot == slot) {
            v->reservations[i].slot = VIEW_NONE;
        }
    }
    view_index_forget(v, slot);
    map_remove(&v->by_id, view_id_hash(v->hot[slot].id), slot);
    count_capacity(v, s, false);
    view_class_put(v, v->hot[slot].class);
    slot_clear(v, slot);
    v->epoch++;
    v->free_slots[v->n_free_slots++] = slot;
    v->n_nodes--;
}

/* --- looking ---------------------------------------------------------------------------------- */

uint32_t view_slots(const struct view *v)
{
    return v->n_slots;
}

bool view_has(const struct view *v, uint32_t slot)
{
    return slot < v->n_slots && v->hot[slot].used;
}

uint32_t view_n_nodes(const struct view *v)
{
    return v->n_nodes;
}

uint32_t view_owner(const struct view *v, uint32_t slot)
{
    assert(view_has(v, slot));
    return v->crowds[slot].owner;
}

struct id view_id(const struct view *v, uint32_t slot)
{
    assert(view_has(v, slot));
    return v->hot[slot].id;
}

struct view_free view_free_of(const struct view *v, uint32_t slot)
{
    assert(view_has(v, slot));
    return v->hot[slot].free;
}

struct view_capacity view_capacity_of(const struct view *v, uint32_t slot)
{
    assert(view_has(v, slot));
    const struct view_slot *s = &v->slots[slot];
    const struct view_hot *h = &v->hot[slot];
    return (struct view_capacity){s->cpu, s->memory_mib, s->gpus, (enum view_status)h->status,
                                  h->free};
}

uint32_t view_ports(const struct view *v, uint32_t slot, struct view_port *ret, uint32_t max)
{
    uint32_t n = 0;
    assert(view_has(v, slot));
    for (int p = 0; p < VIEW_PROTO_N; p++) {
        const struct portset *held = &v->slots[slot].held[p];
        for (uint32_t i = 0; i < held->n; i++, n++) {
            if (n < max) {
                ret[n] = (struct view_port){held->ports[i], 1, (uint8_t)p};
            }
        }
    }
    return n;
}

uint32_t view_group_on(const struct view *v, struct str group, uint32_t slot)
{
    return view_group_count(v, view_group_find(v, group), slot);
}

uint32_t view_group_total(const struct view *v, struct str group)
{
    uint32_t g = view_group_find(v, group);
    return g == NO_GROUP ? 0 : v->groups[g].n_tasks;
}

static bool subject_attribute(const void *ctx, struct str name, struct str *ret_value)
{
    const struct view_subject *s = ctx;
    return view_class_attribute(&s->view->classes[s->view->hot[s->slot].class], name, ret_value);
}

static bool subject_group(const void *ctx, uint32_t i, struct str *ret_group)
{
    const struct view_subject *s = ctx;
    const struct view_crowd *c = &s->view->crowds[s->slot];
    if (i >= c->n) {
        return false;
    }
    const struct view_group *g = &s->view->groups[view_crowd_groups(c)[i]];
    *ret_group = str_make(g->name, g->n_name);
    return true;
}

void view_query_node(struct view_subject *subject, struct query_node *ret)
{
    const struct view_slot *s = &subject->view->slots[subject->slot];
    const struct view_hot *h = &subject->view->hot[subject->slot];
    *ret = (struct query_node){
        .ctx = subject,
        .attribute = subject_attribute,
        .group = subject_group,
        .agent_version = view_class_version(&subject->view->classes[h->class]),
        .ec2_instance_id = str_make(s->ec2_instance_id, s->n_ec2_instance_id),
        .registered_at_ms = s->registered_at_ms,
        .n_running_tasks = h->free.n_tasks,
        .agent_connected = h->agent_connected,
    };
}

bool view_match(const struct view *v, uint32_t slot, const struct query *q)
{
    assert(view_has(v, slot));
    struct view_subject subject = {v, slot};
    struct query_node node;
    view_query_node(&subject, &node);
    return query_match(q, &node);
}

/* --- booking ---------------------------------------------------------------------------------- */

uint16_t view_port_conflict(const struct view_slot *s, unsigned proto, uint16_t first,
                            uint32_t count)
{
    uint16_t held = portset_last_in(&s->held[proto], first, count);
    uint16_t reserved = portset_last_in(&s->reserved[proto], first, count);
    return held > reserved ? held : reserved;
}

int view_check(const struct view *v, uint32_t slot, const struct view_take *take, struct err *err)
{
    assert(view_has(v, slot));
    const struct view_slot *s = &v->slots[slot];
    const struct view_free *free = &v->hot[slot].free;
    if ((int64_t)take->cpu > free->cpu) {
        return err_set(err, ERR_UNAVAILABLE, "needs %u CPU units, %d are available", take->cpu,
                       free->cpu);
    }
    if ((int64_t)take->memory_mib > free->memory_mib) {
        return err_set(err, ERR_UNAVAILABLE, "needs %u MiB of memory, %d are available",
                       take->memory_mib, free->memory_mib);
    }
    if ((int64_t)take->gpus > free->gpus) {
        return err_set(err, ERR_UNAVAILABLE, "needs %u GPUs, %d are available", take->gpus,
                       free->gpus);
    }
    for (uint32_t i = 0; i < take->n_ports; i++) {
        const struct view_port *p = &take->ports[i];
        if (!range_ok(p->first, p->count, p->proto)) {
            return err_set(err, ERR_UNAVAILABLE, "%u+%u is no range of ports", p->first, p->count);
        }
        uint16_t taken = view_port_conflict(s, p->proto, p->first, p->count);
        if (taken != PORT_NONE) {
            return err_set(err, ERR_UNAVAILABLE, "%s port %u is in use",
                           p->proto == VIEW_TCP ? "TCP" : "UDP", taken);
        }
    }
    return 0;
}

static void book_ports(struct view *v, struct view_slot *s, const struct view_take *take)
{
    for (uint32_t i = 0; i < take->n_ports; i++) {
        const struct view_port *p = &take->ports[i];
        assert(range_ok(p->first, p->count, p->proto));
        portset_add(&s->held[p->proto], v->mem, p->first, p->count);
        uint32_t next = (uint32_t)p->first + p->count;
        if (p->first >= s->dynamic_first && next - 1 <= s->dynamic_last) {
            s->cursor[p->proto] = next > s->dynamic_last ? s->dynamic_first : (uint16_t)next;
        }
    }
}

void view_book(struct view *v, uint32_t slot, const struct view_take *take, uint32_t group,
               uint32_t n)
{
    assert(view_has(v, slot));
    assert(take->cpu <= VIEW_AMOUNT_MAX);
    assert(take->memory_mib <= VIEW_AMOUNT_MAX);
    assert(take->gpus <= VIEW_AMOUNT_MAX);
    assert(n == 1 || take->n_ports == 0);
    struct view_free *free = &v->hot[slot].free;
    free->cpu -= (int32_t)(n * take->cpu);
    free->memory_mib -= (int32_t)(n * take->memory_mib);
    free->gpus -= (int32_t)(n * take->gpus);
    free->n_tasks += n;
    if (take->n_ports > 0) {
        book_ports(v, &v->slots[slot], take);
    }
    if (group != NO_GROUP) {
        view_group_change(v, group, slot, (int32_t)n);
    }
    view_index_note(v, slot);
}

void view_unbook(struct view *v, uint32_t slot, const struct view_take *take, uint32_t group,
                 uint32_t n)
{
    assert(view_has(v, slot));
    assert(n == 1 || take->n_ports == 0);
    struct view_free *free = &v->hot[slot].free;
    assert(free->n_tasks >= n);
    free->cpu += (int32_t)(n * take->cpu);
    free->memory_mib += (int32_t)(n * take->memory_mib);
    free->gpus += (int32_t)(n * take->gpus);
    free->n_tasks -= n;
    for (uint32_t i = 0; i < take->n_ports; i++) {
        const struct view_port *p = &take->ports[i];
        portset_remove(&v->slots[slot].held[p->proto], p->first, p->count);
    }
    if (group != NO_GROUP) {
        view_group_change(v, group, slot, -(int32_t)n);
    }
    view_index_note(v, slot);
}

uint32_t view_group_open(struct view *v, struct str name)
{
    return view_group_hold(v, name);
}

void view_group_close(struct view *v, uint32_t group)
{
    view_group_release(v, group);
}

/* The group of a task that takes something; held until view_group_release(). */
static uint32_t hold_group(struct view *v, const struct view_take *take)
{
    if (take->group_ref == 0) {
        return view_group_hold(v, take->group);
    }
    uint32_t group = take->group_ref - 1;
    assert(group < v->n_groups);
    v->groups[group].n_holds++;
    return group;
}

void view_take_n(struct view *v, uint32_t slot, const struct view_take *take, uint32_t n)
{
    uint32_t group = hold_group(v, take);
    view_book(v, slot, take, group, n);
    view_group_release(v, group);
}

void view_give_n(struct view *v, uint32_t slot, const struct view_take *take, uint32_t n)
{
    uint32_t group = take->group_ref == 0 ? view_group_find(v, take->group) : take->group_ref - 1;
    assert((group == NO_GROUP) == (take->group_ref == 0 && take->group.n == 0));
    view_unbook(v, slot, take, group, n);
}

void view_take(struct view *v, uint32_t slot, const struct view_take *take)
{
    view_take_n(v, slot, take, 1);
}

void view_give(struct view *v, uint32_t slot, const struct view_take *take)
{
    view_give_n(v, slot, take, 1);
}

/* --- reservations ----------------------------------------------------------------------------- */

uint64_t view_mark(const struct view *v)
{
    return v->n_settled + v->n_reservations;
}

void view_reserve_n(struct view *v, uint32_t slot, const struct view_take *take, uint32_t n)
{
    uint32_t group = hold_group(v, take);
    view_book(v, slot, take, group, n);
    view_group_release(v, group);
    v->reservations = view_grow(v->mem, v->reservations, v->n_reservations, &v->cap_reservations,
                                sizeof *v->reservations);
    struct view_reservation *r = &v->reservations[v->n_reservations++];
    *r = (struct view_reservation){
        .slot = slot,
        .cpu = take->cpu,
        .memory_mib = take->memory_mib,
        .gpus = take->gpus,
        .group = group,
        .n_tasks = n,
        .n_ports = take->n_ports,
    };
    if (take->n_ports > 0) {
        r->ports = mem_alloc(v->mem, take->n_ports * sizeof *r->ports);
        memcpy(r->ports, take->ports, take->n_ports * sizeof *r->ports);
    }
}

void view_reserve(struct view *v, uint32_t slot, const struct view_take *take)
{
    view_reserve_n(v, slot, take, 1);
}

/* End a reservation; nothing is left to do where its node was removed. */
static void reservation_drop(struct view *v, struct view_reservation *r)
{
    if (r->slot != VIEW_NONE) {
        struct view_take take = {.cpu = r->cpu,
                                 .memory_mib = r->memory_mib,
                                 .gpus = r->gpus,
                                 .ports = r->ports,
                                 .n_ports = r->n_ports};
        view_unbook(v, r->slot, &take, r->group, r->n_tasks);
    }
    mem_free(v->mem, r->ports, r->n_ports * sizeof *r->ports);
}

void view_settle(struct view *v, uint64_t before)
{
    if (before <= v->n_settled) {
        return; /* Settled earlier, with a later plan. */
    }
    uint64_t n = before - v->n_settled;
    uint32_t n_done = n < v->n_reservations ? (uint32_t)n : v->n_reservations;
    for (uint32_t i = 0; i < n_done; i++) {
        reservation_drop(v, &v->reservations[i]);
    }
    v->n_reservations -= n_done;
    v->n_settled += n_done;
    if (n_done > 0) {
        memmove(v->reservations, v->reservations + n_done,
                v->n_reservations * sizeof *v->reservations);
    }
}

void view_rollback(struct view *v, uint64_t since)
{
    while (v->n_reservations > 0 && view_mark(v) > since) {
        reservation_drop(v, &v->reservations[--v->n_reservations]);
    }
}
