/* Nodes in the order in which place() prefers them: by free cpu, then memory, then id; and the
 * other way round. Each order is kept on several shelves, by zone and by free GPUs, so that what
 * usually comes before free cpu among the criteria is the same for all nodes of a shelf and the
 * first feasible one is the best of it.
 *
 * Changes are only noted; an order is brought up to date when it is asked for. A node that changes
 * often between two questions is moved once, and an order nobody asks for costs a bit per node. */
#include "controller/core/placement/view_impl.h"

#include <string.h>

/* --- zones ------------------------------------------------------------------------------------ */

uint8_t view_zone_get(struct view *v, const struct view_class *c)
{
    struct str name;
    uint8_t spare = ZONE_OTHER;
    if (!view_class_attribute(c, STR(VIEW_ATTRIBUTE_ZONE), &name)) {
        return ZONE_NONE;
    }
    for (int i = ZONE_FIRST; i < ZONE_OTHER; i++) {
        struct view_zone *z = &v->zones[i];
        if (z->n_classes == 0) {
            spare = spare == ZONE_OTHER ? (uint8_t)i : spare;
        } else if (str_eq(str_make(z->name, z->n_name), name)) {
            z->n_classes++;
            return (uint8_t)i;
        }
    }
    if (spare != ZONE_OTHER) {
        v->zones[spare] = (struct view_zone){1, (uint32_t)name.n, mem_dup(v->mem, name.p, name.n)};
    }
    return spare;
}

void view_zone_put(struct view *v, uint8_t zone)
{
    struct view_zone *z = &v->zones[zone];
    if (zone >= ZONE_FIRST && zone < ZONE_OTHER && --z->n_classes == 0) {
        mem_free(v->mem, z->name, z->n_name + (size_t)1);
        memset(z, 0, sizeof *z);
    }
}

/* --- one node --------------------------------------------------------------------------------- */

static uint8_t gpu_shelf(const struct view_slot *s)
{
    if (s->gpus == 0) {
        return GPU_NODE_WITHOUT;
    }
    return s->free.gpus < GPU_MANY - GPU_NODE_0 ? (uint8_t)(GPU_NODE_0 + s->free.gpus) : GPU_MANY;
}

static uint64_t key_of(const struct view_slot *s, enum view_order_by by)
{
    uint64_t cpu = (uint32_t)s->free.cpu;
    uint64_t memory = (uint32_t)s->free.memory_mib;
    return by == ORDER_CPU ? cpu << 32 | memory : memory << 32 | cpu;
}

static void take_off(struct view *v, struct view_order *o, uint32_t slot)
{
    struct view_position *p = &o->positions[slot];
    if (p->on) {
        struct shelf_entry e = {.key = p->key, .id = v->slots[slot].id};
        shelf_remove(&o->zones[p->zone]->shelves[p->gpu], v->mem, &e);
        p->on = false;
    }
}

/* Nodes that can take nothing at all are on no shelf. */
static void put_on(struct view *v, enum view_order_by by, uint32_t slot)
{
    struct view_order *o = &v->orders[by];
    const struct view_slot *s = &v->slots[slot];
    if (!view_available(s) || s->free.cpu < 0 || s->free.memory_mib < 0 || s->free.gpus < 0) {
        return;
    }
    struct view_position *p = &o->positions[slot];
    *p =
        (struct view_position){key_of(s, by), v->classes[s->class].zone, gpu_shelf(s), true, false};
    if (o->zones[p->zone] == NULL) {
        o->zones[p->zone] = mem_alloc(v->mem, sizeof *o->zones[p->zone]);
    }
    struct shelf_entry e = {p->key, s->id, slot, s->class};
    shelf_insert(&o->zones[p->zone]->shelves[p->gpu], v->mem, &e);
}

/* --- the orders ------------------------------------------------------------------------------- */

void view_index_note(struct view *v, uint32_t slot)
{
    for (int by = 0; by < ORDER_N; by++) {
        struct view_order *o = &v->orders[by];
        if (slot < o->cap && !o->positions[slot].noted) {
            o->positions[slot].noted = true;
            o->noted[o->n_noted++] = slot;
        }
    }
}

void view_index_forget(struct view *v, uint32_t slot)
{
    for (int by = 0; by < ORDER_N; by++) {
        if (slot < v->orders[by].cap) {
            take_off(v, &v->orders[by], slot);
        }
    }
}

/* Slots the order has not seen yet are noted. */
static void order_grow(struct view *v, struct view_order *o)
{
    uint32_t old = o->cap;
    if (old == v->cap_slots) {
        return;
    }
    o->positions = mem_resize(v->mem, o->positions, old * sizeof *o->positions,
                              v->cap_slots * sizeof *o->positions);
    o->noted =
        mem_resize(v->mem, o->noted, old * sizeof *o->noted, v->cap_slots * sizeof *o->noted);
    o->cap = v->cap_slots;
    for (uint32_t slot = old; slot < v->n_slots; slot++) {
        o->positions[slot].noted = true;
        o->noted[o->n_noted++] = slot;
    }
}

const struct view_order *view_index_get(struct view *v, enum view_order_by by)
{
    struct view_order *o = &v->orders[by];
    order_grow(v, o);
    for (uint32_t i = 0; i < o->n_noted; i++) {
        uint32_t slot = o->noted[i];
        take_off(v, o, slot);
        put_on(v, by, slot);
        o->positions[slot].noted = false;
    }
    o->n_noted = 0;
    return o;
}

void view_index_close(struct view *v)
{
    for (int by = 0; by < ORDER_N; by++) {
        struct view_order *o = &v->orders[by];
        for (int z = 0; z < ZONE_N; z++) {
            for (int g = 0; g < GPU_N && o->zones[z] != NULL; g++) {
                shelf_close(&o->zones[z]->shelves[g], v->mem);
            }
            mem_free(v->mem, o->zones[z], sizeof *o->zones[z]);
        }
        mem_free(v->mem, o->positions, o->cap * sizeof *o->positions);
        mem_free(v->mem, o->noted, o->cap * sizeof *o->noted);
    }
    for (int z = 0; z < ZONE_N; z++) {
        mem_free(v->mem, v->zones[z].name, v->zones[z].n_name + (size_t)1);
    }
}

bool view_index_audit(const struct view *v)
{
    for (int by = 0; by < ORDER_N; by++) {
        const struct view_order *o = &v->orders[by];
        uint32_t n_on = 0, n_entries = 0;
        for (int z = 0; z < ZONE_N; z++) {
            for (int g = 0; g < GPU_N && o->zones[z] != NULL; g++) {
                if (!shelf_audit(&o->zones[z]->shelves[g])) {
                    return false;
                }
                n_entries += o->zones[z]->shelves[g].n;
            }
        }
        for (uint32_t slot = 0; slot < o->cap; slot++) {
            const struct view_position *p = &o->positions[slot];
            const struct view_slot *s = &v->slots[slot];
            n_on += p->on;
            if (p->on && !p->noted &&
                (!view_available(s) || p->key != key_of(s, (enum view_order_by)by) ||
                 p->gpu != gpu_shelf(s) || p->zone != v->classes[s->class].zone)) {
                return false;
            }
        }
        if (n_on != n_entries) {
            return false;
        }
    }
    return true;
}
