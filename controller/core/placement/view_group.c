/* How many tasks of which group run where. */
#include "common/base/hash.h"
#include "controller/core/placement/view_impl.h"

#include <assert.h>
#include <string.h>

#define HASH_SEED 0x67726f7570u

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
    memset(g, 0, sizeof *g);
}

/* Forget a group that nobody needs. */
static void group_check(struct view *v, uint32_t group)
{
    struct view_group *g = &v->groups[group];
    if (g->n_tasks == 0 && g->n_holds == 0) {
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

static uint32_t *counts_of(struct view_crowd *c)
{
    return c->more == NULL ? c->counts : c->more + c->cap;
}

/* Where the group is, or n. */
static uint32_t place_of(const struct view_crowd *c, uint32_t group)
{
    const uint32_t *groups = view_crowd_groups(c);
    uint32_t i = 0;
    while (i < c->n && groups[i] != group) {
        i++;
    }
    return i;
}

uint32_t view_group_count(const struct view *v, uint32_t group, uint32_t slot)
{
    struct view_crowd *c = &v->crowds[slot];
    uint32_t i = group == NO_GROUP ? c->n : place_of(c, group);
    return i == c->n ? 0 : counts_of(c)[i];
}

static void crowd_grow(struct view *v, struct view_crowd *c)
{
    uint32_t cap = c->more == NULL ? 2 * CROWD_FEW : 2 * c->cap;
    uint32_t *more = mem_alloc(v->mem, 2 * (size_t)cap * sizeof *more);
    memcpy(more, view_crowd_groups(c), c->n * sizeof *more);
    memcpy(more + cap, counts_of(c), c->n * sizeof *more);
    view_crowd_close(v, c);
    c->more = more;
    c->cap = cap;
}

static void crowd_add(struct view *v, struct view_crowd *c, uint32_t group)
{
    if (c->n == (c->more == NULL ? CROWD_FEW : c->cap)) {
        crowd_grow(v, c);
    }
    (c->more == NULL ? c->groups : c->more)[c->n] = group;
    counts_of(c)[c->n] = 0;
    c->n++;
}

static void crowd_remove(struct view_crowd *c, uint32_t i)
{
    uint32_t *groups = c->more == NULL ? c->groups : c->more;
    uint32_t *counts = counts_of(c);
    c->n--;
    groups[i] = groups[c->n];
    counts[i] = counts[c->n];
}

void view_crowd_close(struct view *v, struct view_crowd *c)
{
    mem_free(v->mem, c->more, 2 * (size_t)c->cap * sizeof *c->more);
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
        for (uint32_t slot = 0; slot < v->n_slots; slot++) {
            uint32_t n = view_group_count(v, group, slot);
            if (n > 0) {
                spread_add(v, spread, slot, n);
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
    struct view_crowd *c = &v->crowds[slot];
    uint32_t at = place_of(c, group);
    if (at == c->n) {
        crowd_add(v, c, group);
    }
    uint32_t *count = &counts_of(c)[at];
    assert((int64_t)*count + delta >= 0);
    *count += (uint32_t)delta;
    g->n_tasks += (uint32_t)delta;
    for (uint32_t i = 0; i < g->n_spreads; i++) {
        if (spread_valid(v, &g->spreads[i])) {
            spread_add(v, &g->spreads[i], slot, (uint32_t)delta);
        }
    }
    if (*count == 0) {
        crowd_remove(c, at);
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
