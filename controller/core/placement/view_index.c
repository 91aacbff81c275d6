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

static struct id id_of(const void *v, uint32_t slot)
{
    const struct view *view = v;
    return view->hot[slot].id;
}

void view_index_open(struct view *v)
{
    v->env = (struct shelf_env){v->mem, id_of, v};
}

static uint8_t gpu_shelf(const struct view_hot *h)
{
    if (!h->has_gpus) {
        return GPU_NODE_WITHOUT;
    }
    return h->free.gpus < GPU_MANY - GPU_NODE_0 ? (uint8_t)(GPU_NODE_0 + h->free.gpus) : GPU_MANY;
}

/* Nodes that can take nothing at all are on no shelf. */
static bool belongs(const struct view_hot *h)
{
    return view_available(h) && h->free.cpu >= 0 && h->free.memory_mib >= 0 && h->free.gpus >= 0;
}

static void take_off(struct view *v, enum view_order_by by, uint32_t slot)
{
    struct view_hot *h = &v->hot[slot];
    struct view_position *p = &h->at[by];
    struct shelf_entry e = {h->keys[by], h->id, slot, (uint8_t)(h->class % SHELF_TAGS)};
    shelf_remove(&v->orders[by].aisles[p->aisle]->shelves[p->gpu], &v->env, &e);
    p->on = false;
}

static void put_on(struct view *v, enum view_order_by by, uint32_t slot)
{
    struct view_order *o = &v->orders[by];
    struct view_hot *h = &v->hot[slot];
    struct view_position *p = &h->at[by];
    p->aisle = aisle_of(&v->classes[h->class]);
    p->gpu = gpu_shelf(h);
    p->on = true;
    h->keys[by] = view_index_key(h, by);
    if (o->aisles[p->aisle] == NULL) {
        o->aisles[p->aisle] = mem_alloc(v->mem, sizeof *o->aisles[p->aisle]);
    }
    struct shelf_entry e = {h->keys[by], h->id, slot, (uint8_t)(h->class % SHELF_TAGS)};
    shelf_insert(&o->aisles[p->aisle]->shelves[p->gpu], &v->env, &e);
}

/* Is the node where it belongs? (One whose class changed was taken off at once.) */
static bool in_place(const struct view *v, enum view_order_by by, const struct view_hot *h)
{
    const struct view_position *p = &h->at[by];
    if (!belongs(h)) {
        return !p->on;
    }
    return p->on && h->keys[by] == view_index_key(h, by) && p->gpu == gpu_shelf(h) &&
           p->aisle == aisle_of(&v->classes[h->class]);
}

/* --- the orders ------------------------------------------------------------------------------- */

static void note_all(struct view *v, struct view_order *o, int by)
{
    o->n_noted = 0;
    for (uint32_t slot = 0; slot < v->n_slots; slot++) {
        v->hot[slot].at[by].noted = true;
        o->noted[o->n_noted++] = slot;
    }
}

void view_index_grow(struct view *v, uint32_t old_cap)
{
    for (int by = 0; by < ORDER_N; by++) {
        struct view_order *o = &v->orders[by];
        if (o->used) {
            o->noted = mem_resize(v->mem, o->noted, old_cap * sizeof *o->noted,
                                  v->cap_slots * sizeof *o->noted);
        }
    }
}

void view_index_forget(struct view *v, uint32_t slot)
{
    for (int by = 0; by < ORDER_N; by++) {
        if (v->hot[slot].at[by].on) {
            take_off(v, (enum view_order_by)by, slot);
            v->orders[by].n_moves++;
        }
    }
}

void view_set_scarcity(struct view *v, const uint8_t *scarcity)
{
    bool changed = false;
    v->scarcity_max = 0;
    for (uint32_t i = 0; i < v->n_classes; i++) {
        struct view_class *c = &v->classes[i];
        uint8_t s = scarcity[i] < VIEW_SCARCITY_MAX ? scarcity[i] : VIEW_SCARCITY_MAX;
        if (c->n_nodes > 0) {
            changed = changed || c->scarcity != s;
            c->scarcity = s;
            v->scarcity_max = s > v->scarcity_max ? s : v->scarcity_max;
        }
    }
    for (uint32_t slot = 0; changed && slot < v->n_slots; slot++) {
        const struct view_hot *h = &v->hot[slot];
        if (h->used) {
            view_index_note(v, slot);
        }
    }
    v->epoch += changed;
}

static void bring_up_to_date(struct view *v, enum view_order_by by)
{
    struct view_order *o = &v->orders[by];
    for (uint32_t i = 0; i < o->n_noted; i++) {
        uint32_t slot = o->noted[i];
        struct view_hot *h = &v->hot[slot];
        h->at[by].noted = false;
        if (in_place(v, by, h)) {
            continue;
        }
        o->n_moves++;
        if (h->at[by].on) {
            take_off(v, by, slot);
        }
        if (belongs(h)) {
            put_on(v, by, slot);
        }
    }
    o->n_noted = 0;
}

const struct view_order *view_index_get(struct view *v, enum view_order_by by)
{
    struct view_order *o = &v->orders[by];
    if (!o->used && v->cap_slots > 0) {
        o->used = true;
        o->noted = mem_alloc(v->mem, v->cap_slots * sizeof *o->noted);
        note_all(v, o, (int)by);
    }
    if (o->n_noted > 0) {
        bring_up_to_date(v, by);
    }
    return o;
}

void view_index_close(struct view *v)
{
    for (int by = 0; by < ORDER_N; by++) {
        struct view_order *o = &v->orders[by];
        for (int i = 0; i < AISLE_N; i++) {
            for (int g = 0; g < GPU_N && o->aisles[i] != NULL; g++) {
                shelf_close(&o->aisles[i]->shelves[g], v->mem);
            }
            mem_free(v->mem, o->aisles[i], sizeof *o->aisles[i]);
        }
        mem_free(v->mem, o->noted, v->cap_slots * sizeof *o->noted);
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
        for (int i = 0; i < AISLE_N; i++) {
            for (int g = 0; g < GPU_N && o->aisles[i] != NULL; g++) {
                if (!shelf_audit(&o->aisles[i]->shelves[g], &v->env)) {
                    return false;
                }
                n_entries += o->aisles[i]->shelves[g].n;
            }
        }
        for (uint32_t slot = 0; slot < v->n_slots && o->used; slot++) {
            const struct view_hot *h = &v->hot[slot];
            n_on += h->at[by].on;
            if (!h->at[by].noted && !in_place(v, (enum view_order_by)by, h)) {
                return false;
            }
        }
        if (n_on != n_entries) {
            return false;
        }
    }
    return true;
}
