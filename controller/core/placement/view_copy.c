/* A copy of a view, for what-if. What it costs depends on nodes and on how many groups run on each,
 * not on tasks. Orders, compiled constraints and counts by attribute are left out: the copy makes
 * its own when it is asked. */
#include "common/base/hash.h"
#include "controller/core/placement/view_impl.h"

#include <string.h>

static void *dup(const struct mem *mem, const void *from, uint32_t n, uint32_t cap, size_t size)
{
    if (cap == 0) {
        return NULL;
    }
    void *to = mem_alloc(mem, cap * size);
    if (n > 0) {
        memcpy(to, from, n * size);
    }
    return to;
}

static void copy_portset(struct portset *s, const struct mem *mem)
{
    s->ports = dup(mem, s->ports, s->n, s->cap, sizeof *s->ports);
}

static void copy_slots(struct view *v, const struct view *from)
{
    v->n_slots = from->n_slots;
    v->n_free_slots = from->n_free_slots;
    view_slots_reserve(v, from->cap_slots);
    if (from->n_slots == 0) {
        return;
    }
    memcpy(v->slots, from->slots, from->n_slots * sizeof *v->slots);
    memcpy(v->hot, from->hot, from->n_slots * sizeof *v->hot);
    memcpy(v->crowds, from->crowds, from->n_slots * sizeof *v->crowds);
    memcpy(v->free_slots, from->free_slots, from->n_free_slots * sizeof *v->free_slots);
    for (uint32_t i = 0; i < v->n_slots; i++) {
        struct view_slot *s = &v->slots[i];
        struct view_hot *h = &v->hot[i];
        memset(h->at, 0, sizeof h->at);
        if (!h->used) {
            continue;
        }
        map_put(&v->by_id, view_id_hash(h->id), i);
        s->ec2_instance_id = mem_dup(v->mem, s->ec2_instance_id, s->n_ec2_instance_id);
        if (v->crowds[i].more != NULL) {
            uint32_t n = 2 * v->crowds[i].cap;
            v->crowds[i].more = dup(v->mem, v->crowds[i].more, n, n, sizeof *v->crowds[i].more);
        }
        for (int p = 0; p < VIEW_PROTO_N; p++) {
            copy_portset(&s->held[p], v->mem);
            copy_portset(&s->reserved[p], v->mem);
        }
    }
}

static void copy_classes(struct view *v, const struct view *from)
{
    v->scarcity_max = from->scarcity_max;
    v->class_epoch = from->class_epoch; /* Tables of values are complete at one of these. */
    v->n_classes = from->n_classes;
    v->cap_classes = from->cap_classes;
    v->n_free_classes = from->n_free_classes;
    v->classes = dup(v->mem, from->classes, from->n_classes, from->cap_classes, sizeof *v->classes);
    v->free_classes = dup(v->mem, from->free_classes, from->n_free_classes, from->cap_classes,
                          sizeof *v->free_classes);
    for (uint32_t i = 0; i < v->n_classes; i++) {
        struct view_class *c = &v->classes[i];
        if (c->n_nodes > 0) {
            c->bytes = dup(v->mem, c->bytes, c->n_bytes, c->n_bytes, 1);
            map_put(&v->by_bytes, c->hash, i);
        }
    }
    for (int i = 0; i < ZONE_N; i++) {
        v->zones[i] = from->zones[i];
        if (v->zones[i].n_classes > 0) {
            v->zones[i].name = mem_dup(v->mem, from->zones[i].name, from->zones[i].n_name);
        }
    }
}

/* Groups that are only held, by requests of the other view, stay behind. */
static void copy_groups(struct view *v, const struct view *from)
{
    v->n_groups = from->n_groups;
    v->cap_groups = from->cap_groups;
    v->groups = dup(v->mem, from->groups, from->n_groups, from->cap_groups, sizeof *v->groups);
    v->free_groups = dup(v->mem, NULL, 0, from->cap_groups, sizeof *v->free_groups);
    for (uint32_t i = 0; i < v->n_groups; i++) {
        struct view_group *g = &v->groups[i];
        if (g->n_tasks == 0) {
            memset(g, 0, sizeof *g);
            v->free_groups[v->n_free_groups++] = i;
            continue;
        }
        g->n_holds = 0;
        g->n_spreads = 0;
        memset(g->spreads, 0, sizeof g->spreads);
        g->name = mem_dup(v->mem, g->name, g->n_name);
        map_put(&v->by_name, g->hash, i);
    }
}

struct view *view_copy(const struct view *from, const struct mem *mem)
{
    struct view *v = view_open(mem);
    v->n_nodes = from->n_nodes;
    v->n_gpu_nodes = from->n_gpu_nodes;
    v->total_cpu = from->total_cpu;
    v->total_memory_mib = from->total_memory_mib;
    copy_slots(v, from);
    copy_classes(v, from);
    copy_groups(v, from);
    return v;
}
