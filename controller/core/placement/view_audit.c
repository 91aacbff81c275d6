/* Does every derived figure of a view agree with what it derives from? */
#include "controller/core/placement/view_impl.h"

#include <string.h>

static bool wrong(struct err *err, uint32_t slot, const char *what)
{
    err_set(err, ERR_CORRUPT, "placement view, slot %u: %s", slot, what);
    return false;
}

static bool ports_ok(const struct portset *set)
{
    for (uint32_t i = 0; i < set->n; i++) {
        if (set->ports[i] == 0 || (i > 0 && set->ports[i] <= set->ports[i - 1])) {
            return false;
        }
    }
    return true;
}

static bool slot_ok(const struct view *v, uint32_t slot, struct err *err)
{
    const struct view_slot *s = &v->slots[slot];
    const struct view_hot *h = &v->hot[slot];
    const uint32_t *groups = view_crowd_groups(&v->crowds[slot]);
    uint32_t in_groups = 0;
    if (!h->used) {
        return true;
    }
    if (h->free.cpu > (int32_t)s->cpu || h->free.memory_mib > (int32_t)s->memory_mib ||
        h->free.gpus > (int32_t)s->gpus || h->has_gpus != (s->gpus > 0)) {
        return wrong(err, slot, "more is free than there is");
    }
    if (view_find(v, h->id) != slot || h->class >= v->n_classes) {
        return wrong(err, slot, "not in the index, or without a class");
    }
    for (int p = 0; p < VIEW_PROTO_N; p++) {
        if (!ports_ok(&s->held[p]) || !ports_ok(&s->reserved[p])) {
            return wrong(err, slot, "ports out of order");
        }
    }
    for (uint32_t i = 0; i < v->crowds[slot].n; i++) {
        uint32_t n = view_group_count(v, groups[i], slot);
        if (n == 0) {
            return wrong(err, slot, "lists a group without tasks");
        }
        in_groups += n;
    }
    return in_groups <= h->free.n_tasks || wrong(err, slot, "more tasks in groups than tasks");
}

/* Do the counts by value add up to the tasks on nodes that have the attribute? */
static bool spreads_ok(const struct view *v, uint32_t group)
{
    const struct view_group *g = &v->groups[group];
    for (uint32_t i = 0; i < g->n_spreads; i++) {
        const struct group_spread *spread = &g->spreads[i];
        if (spread->serial == 0 || v->domains[spread->domain].serial != spread->serial) {
            continue;
        }
        const struct view_domain *d = &v->domains[spread->domain];
        uint32_t n_counted = 0, n_on_nodes = 0;
        for (uint32_t k = 0; k < spread->n; k++) {
            n_counted += spread->counts[k];
        }
        for (uint32_t slot = 0; slot < v->n_slots; slot++) {
            struct str value;
            uint32_t n = view_group_count(v, group, slot);
            if (n > 0 && view_class_attribute(&v->classes[v->hot[slot].class],
                                              str_make(d->name, d->n_name), &value)) {
                n_on_nodes += n;
            }
        }
        if (n_counted != n_on_nodes) {
            return false;
        }
    }
    return true;
}

static bool groups_ok(const struct view *v, struct err *err)
{
    for (uint32_t g = 0; g < v->n_groups; g++) {
        const struct view_group *group = &v->groups[g];
        uint32_t n_tasks = 0;
        for (uint32_t slot = 0; slot < v->n_slots; slot++) {
            n_tasks += view_group_count(v, g, slot);
        }
        if (!spreads_ok(v, g)) {
            return wrong(err, g, "counts by value differ from counts by node");
        }
        if (n_tasks != group->n_tasks) {
            return wrong(err, g, "group with another total than its counts");
        }
        if (group->name != NULL && n_tasks == 0 && group->n_holds == 0) {
            return wrong(err, g, "group that nobody needs");
        }
    }
    return true;
}

bool view_audit(const struct view *v, struct err *err)
{
    uint32_t n_nodes = 0, n_gpu_nodes = 0, n_in_classes = 0;
    uint64_t total_cpu = 0, total_memory_mib = 0;
    for (uint32_t i = 0; i < v->n_slots; i++) {
        const struct view_slot *s = &v->slots[i];
        if (!slot_ok(v, i, err)) {
            return false;
        }
        n_nodes += v->hot[i].used;
        n_gpu_nodes += v->hot[i].used && s->gpus > 0;
        total_cpu += v->hot[i].used ? s->cpu : 0;
        total_memory_mib += v->hot[i].used ? s->memory_mib : 0;
    }
    for (uint32_t i = 0; i < v->n_classes; i++) {
        n_in_classes += v->classes[i].n_nodes;
    }
    if (n_nodes != v->n_nodes || n_nodes + v->n_free_slots != v->n_slots || n_nodes != v->by_id.n ||
        n_nodes != n_in_classes) {
        return wrong(err, VIEW_NONE, "the number of nodes differs");
    }
    if (n_gpu_nodes != v->n_gpu_nodes || total_cpu != v->total_cpu ||
        total_memory_mib != v->total_memory_mib) {
        return wrong(err, VIEW_NONE, "the total capacity differs");
    }
    if (!view_index_audit(v)) {
        return wrong(err, VIEW_NONE, "the index of free amounts differs");
    }
    return groups_ok(v, err);
}
