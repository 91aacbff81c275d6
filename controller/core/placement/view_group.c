/* How many tasks of which group run where. */
#include "common/base/hash.h"
#include "controller/core/placement/view_impl.h"

#include <assert.h>
#include <string.h>

#define HASH_SEED 0x67726f7570u
#define CAP_MIN   8u

static bool name_eq(const void *ctx, uint32_t value, const void *key)
{
    const struct view *v = ctx;
    const struct str *name = key;
    return str_eq(str_make(v->groups[value].name, v->groups[value].n_name), *name);
}

uint32_t view_group_find(const struct view *v, struct str name)
{
    if (name.n == 0) {
        return NO_GROUP;
    }
    if (v->found_group < v->n_groups && name_eq(v, v->found_group, &name)) {
        return v->found_group;
    }
    return map_get(&v->by_name, hash_bytes(name.p, name.n, HASH_SEED), name_eq, v, &name);
}

uint32_t view_group_hold(struct view *v, struct str name)
{
    uint32_t group = view_group_find(v, name);
    v->found_group = group;
    if (group == NO_GROUP && name.n > 0) {
        if (v->n_free_groups > 0) {
            group = v->free_groups[--v->n_free_groups];
        } else {
            uint32_t cap = v->cap_groups;
            v->groups =
                view_grow(v->mem, v->groups, v->n_groups, &v->cap_groups, sizeof *v->groups);
            v->free_groups =
                view_grow(v->mem, v->free_groups, v->n_groups, &cap, sizeof *v->free_groups);
            group = v->n_groups++;
            v->epoch++; /* The array may have moved. */
        }
        struct view_group *g = &v->groups[group];
        memset(g, 0, sizeof *g);
        g->n_name = (uint32_t)name.n;
        g->name = mem_dup(v->mem, name.p, name.n);
        g->hash = hash_bytes(name.p, name.n, HASH_SEED);
        map_put(&v->by_name, g->hash, group);
    }
    if (group != NO_GROUP) {
        v->groups[group].n_holds++;
    }
    return group;
}

static void spread_drop(struct view *v, struct group_spread *spread)
{
    mem_free(v->mem, spread->counts, spread->n * sizeof *spread->counts);
    memset(spread, 0, sizeof *spread);
    v->epoch++;
}

static void group_close(struct view *v, struct view_group *g)
{
    for (uint32_t i = 0; i < g->n_spreads; i++) {
        spread_drop(v, &g->spreads[i]);
    }
    mem_free(v->mem, g->name, g->n_name + (size_t)1);
    mem_free(v->mem, g->counts, g->cap * sizeof *g->counts);
    memset(g, 0, sizeof *g);
}

/* Forget a group that nobody needs. */
static void group_check(struct view *v, uint32_t group)
{
    struct view_group *g = &v->groups[group];
    if (g->n_tasks == 0 && g->n_holds == 0) {
        assert(g->n_counts == 0);
        map_remove(&v->by_name, g->hash, group);
        group_close(v, g);
        v->free_groups[v->n_free_groups++] = group;
    }
}

void view_group_release(struct view *v, uint32_t group)
{
    if (group != NO_GROUP) {
        assert(v->groups[group].n_holds > 0);
        v->groups[group].n_holds--;
        group_check(v, group);
    }
}

/* --- the counts ------------------------------------------------------------------------------- */

static uint32_t home_of(const struct view_group *g, uint32_t slot)
{
    return (uint32_t)((slot * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (g->cap - 1);
}

/* Where the slot is, or would be put. cap > 0. */
static uint32_t place_of(const struct view_group *g, uint32_t slot)
{
    uint32_t i = home_of(g, slot);
    while (g->counts[i].slot != slot && g->counts[i].slot != VIEW_NONE) {
        i = (i + 1) & (g->cap - 1);
    }
    return i;
}

uint32_t view_group_count(const struct view *v, uint32_t group, uint32_t slot)
{
    if (group == NO_GROUP || v->groups[group].cap == 0) {
        return 0;
    }
    const struct view_group *g = &v->groups[group];
    const struct group_count *c = &g->counts[place_of(g, slot)];
    return c->slot == slot ? c->n : 0;
}

static void counts_grow(struct view *v, struct view_group *g)
{
    struct view_group old = *g;
    g->cap = old.cap == 0 ? CAP_MIN : old.cap * 2;
    g->counts = mem_alloc(v->mem, g->cap * sizeof *g->counts);
    memset(g->counts, 0xff, g->cap * sizeof *g->counts);
    for (uint32_t i = 0; i < old.cap; i++) {
        if (old.counts[i].slot != VIEW_NONE) {
            g->counts[place_of(g, old.counts[i].slot)] = old.counts[i];
        }
    }
    mem_free(v->mem, old.counts, old.cap * sizeof *old.counts);
}

/* Take out the entry at `hole`, moving later ones of the same run forward. */
static void counts_remove(struct view_group *g, uint32_t hole)
{
    uint32_t mask = g->cap - 1;
    for (uint32_t i = (hole + 1) & mask; g->counts[i].slot != VIEW_NONE; i = (i + 1) & mask) {
        uint32_t home = home_of(g, g->counts[i].slot);
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            g->counts[hole] = g->counts[i];
            hole = i;
        }
    }
    g->counts[hole].slot = VIEW_NONE;
    g->n_counts--;
}

void view_slot_groups_close(struct view *v, struct view_slot *s)
{
    mem_free(v->mem, s->more_groups, s->cap_groups * sizeof *s->more_groups);
}

static void slot_add_group(struct view *v, struct view_slot *s, uint32_t group)
{
    if (s->more_groups == NULL && s->n_groups == SLOT_GROUPS) {
        s->cap_groups = 2 * SLOT_GROUPS;
        s->more_groups = mem_alloc(v->mem, s->cap_groups * sizeof *s->more_groups);
        memcpy(s->more_groups, s->few_groups, sizeof s->few_groups);
    } else if (s->more_groups != NULL) {
        s->more_groups =
            view_grow(v->mem, s->more_groups, s->n_groups, &s->cap_groups, sizeof *s->more_groups);
    }
    view_slot_groups(s)[s->n_groups++] = group;
}

static void slot_remove_group(struct view_slot *s, uint32_t group)
{
    uint32_t *groups = view_slot_groups(s);
    for (uint32_t i = 0; i < s->n_groups; i++) {
        if (groups[i] == group) {
            groups[i] = groups[--s->n_groups];
            return;
        }
    }
    assert(false);
}

/* --- the counts by value ---------------------------------------------------------------------- */

static void spread_add(struct view *v, struct group_spread *spread, uint32_t slot, uint32_t n)
{
    uint32_t value = view_domain_of(v, spread->domain, v->hot[slot].class);
    if (value == NO_DOMAIN) {
        return;
    }
    if (value >= spread->n) {
        uint32_t n_values = v->domains[spread->domain].n_values;
        spread->counts = mem_resize(v->mem, spread->counts, spread->n * sizeof *spread->counts,
                                    n_values * sizeof *spread->counts);
        spread->n = n_values;
    }
    spread->counts[value] += n;
}

/* Does it belong to a table of values that is still the same? */
static bool spread_valid(const struct view *v, const struct group_spread *spread)
{
    return spread->serial != 0 && v->domains[spread->domain].serial == spread->serial;
}

/* The place for the counts by an attribute: where they are, or the least recently used. */
static struct group_spread *spread_place(struct view *v, struct view_group *g, uint32_t domain)
{
    struct group_spread *oldest = &g->spreads[0];
    for (uint32_t i = 0; i < g->n_spreads; i++) {
        struct group_spread *spread = &g->spreads[i];
        if (spread_valid(v, spread) && spread->domain == domain) {
            return spread;
        }
        oldest = spread->used_at < oldest->used_at ? spread : oldest;
    }
    if (g->n_spreads < GROUP_SPREADS) {
        return &g->spreads[g->n_spreads++];
    }
    spread_drop(v, oldest);
    return oldest;
}

const struct group_spread *view_group_spread(struct view *v, uint32_t group, uint32_t domain)
{
    struct view_group *g = &v->groups[group];
    struct group_spread *spread = spread_place(v, g, domain);
    if (spread->serial == 0) {
        spread->serial = v->domains[domain].serial;
        spread->domain = domain;
        for (uint32_t i = 0; i < g->cap; i++) {
            if (g->counts[i].slot != VIEW_NONE) {
                spread_add(v, spread, g->counts[i].slot, g->counts[i].n);
            }
        }
    }
    spread->used_at = ++v->clock;
    return spread;
}

void view_group_forget(struct view *v, uint32_t group)
{
    for (uint32_t i = 0; i < v->groups[group].n_spreads; i++) {
        spread_drop(v, &v->groups[group].spreads[i]);
    }
}

void view_group_change(struct view *v, uint32_t group, uint32_t slot, int32_t delta)
{
    struct view_group *g = &v->groups[group];
    if (g->n_counts >= g->cap / 4 * 3) {
        counts_grow(v, g);
    }
    uint32_t at = place_of(g, slot);
    if (g->counts[at].slot != slot) {
        g->counts[at] = (struct group_count){slot, 0};
        g->n_counts++;
        slot_add_group(v, &v->slots[slot], group);
    }
    assert((int64_t)g->counts[at].n + delta >= 0);
    g->counts[at].n += (uint32_t)delta;
    g->n_tasks += (uint32_t)delta;
    for (uint32_t i = 0; i < g->n_spreads; i++) {
        if (spread_valid(v, &g->spreads[i])) {
            spread_add(v, &g->spreads[i], slot, (uint32_t)delta);
        }
    }
    if (g->counts[at].n == 0) {
        counts_remove(g, at);
        slot_remove_group(&v->slots[slot], group);
        group_check(v, group);
    }
}

void view_groups_close(struct view *v)
{
    for (uint32_t i = 0; i < v->n_groups; i++) {
        if (v->groups[i].name != NULL) {
            group_close(v, &v->groups[i]);
        }
    }
    mem_free(v->mem, v->groups, v->cap_groups * sizeof *v->groups);
    mem_free(v->mem, v->free_groups, v->cap_groups * sizeof *v->free_groups);
    map_close(&v->by_name);
}
