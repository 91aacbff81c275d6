/* What place() learned and may use again: compiled constraints with their verdict on each class,
 * and the numbered values of attributes that tasks are spread by. Nothing here changes an answer;
 * the least recently used entry makes room. */
#include "common/base/hash.h"
#include "controller/core/placement/view_impl.h"

#include <assert.h>
#include <string.h>

#define HASH_SEED    0x6361636865u
#define SPARE_VALUES 64u /* Values that no node has any more, before a table is made anew. */

/* --- constraints ------------------------------------------------------------------------------ */

static bool text_eq(const void *ctx, uint32_t value, const void *key)
{
    const struct view *v = ctx;
    const struct str *text = key;
    return str_eq(str_make(v->queries[value].text, v->queries[value].n_text), *text);
}

static void query_release(struct view *v, struct view_query *q)
{
    query_close(q->query);
    mem_free(v->mem, q->text, q->n_text + (size_t)1);
    mem_free(v->mem, q->verdicts, q->cap);
    memset(q, 0, sizeof *q);
}

/* A number for one more constraint. */
static uint32_t query_slot(struct view *v)
{
    if (v->n_queries < VIEW_QUERIES_MAX) {
        v->queries =
            view_grow(v->mem, v->queries, v->n_queries, &v->cap_queries, sizeof *v->queries);
        return v->n_queries++;
    }
    uint32_t oldest = 0;
    for (uint32_t i = 1; i < v->n_queries; i++) {
        if (v->queries[i].used_at < v->queries[oldest].used_at) {
            oldest = i;
        }
    }
    map_remove(&v->query_by_text, v->queries[oldest].hash, oldest);
    query_release(v, &v->queries[oldest]);
    v->epoch++;
    return oldest;
}

int view_query_get(struct view *v, struct str text, uint32_t *ret, struct err *err)
{
    uint64_t hash = hash_bytes(text.p, text.n, HASH_SEED);
    uint32_t i = map_get(&v->query_by_text, hash, text_eq, v, &text);
    if (i == MAP_NONE) {
        struct query *query;
        int rv = query_parse(v->mem, text, &query, err);
        if (rv != 0) {
            return rv;
        }
        i = query_slot(v);
        v->queries[i] = (struct view_query){.query = query,
                                            .text = mem_dup(v->mem, text.p, text.n),
                                            .n_text = (uint32_t)text.n,
                                            .hash = hash};
        map_put(&v->query_by_text, hash, i);
    }
    v->queries[i].used_at = ++v->clock;
    *ret = i;
    return 0;
}

bool view_query_is_static(const struct view *v, uint32_t query)
{
    return (query_facts(v->queries[query].query) & ~(unsigned)QUERY_ATTRIBUTES) == 0;
}

bool view_query_selects(struct view *v, uint32_t query, uint32_t slot)
{
    struct view_query *q = &v->queries[query];
    uint32_t class = v->hot[slot].class;
    if (!view_query_is_static(v, query)) {
        return view_match(v, slot, q->query);
    }
    if (class >= q->cap) {
        q->verdicts = mem_resize(v->mem, q->verdicts, q->cap, v->cap_classes);
        q->cap = v->cap_classes;
    }
    if (q->verdicts[class] == VERDICT_UNKNOWN) {
        q->verdicts[class] = view_match(v, slot, q->query) ? VERDICT_YES : VERDICT_NO;
    }
    return q->verdicts[class] == VERDICT_YES;
}

/* --- spreading -------------------------------------------------------------------------------- */

static bool value_eq(const void *ctx, uint32_t value, const void *key)
{
    const struct view_domain *d = ctx;
    const struct str *text = key;
    return str_eq(str_make(d->values[value].text, d->values[value].n), *text);
}

static void domain_release(struct view *v, struct view_domain *d)
{
    for (uint32_t i = 0; i < d->n_values; i++) {
        mem_free(v->mem, d->values[i].text, d->values[i].n + (size_t)1);
    }
    mem_free(v->mem, d->values, d->cap_values * sizeof *d->values);
    mem_free(v->mem, d->of_class, d->n_classes * sizeof *d->of_class);
    mem_free(v->mem, d->name, d->n_name + (size_t)1);
    map_close(&d->by_value);
    memset(d, 0, sizeof *d);
}

/* A number for one more attribute. */
static uint32_t domain_slot(struct view *v)
{
    if (v->n_domains < VIEW_DOMAINS_MAX) {
        v->domains =
            view_grow(v->mem, v->domains, v->n_domains, &v->cap_domains, sizeof *v->domains);
        return v->n_domains++;
    }
    uint32_t oldest = 0;
    for (uint32_t i = 1; i < v->n_domains; i++) {
        if (v->domains[i].used_at < v->domains[oldest].used_at) {
            oldest = i;
        }
    }
    domain_release(v, &v->domains[oldest]);
    return oldest;
}

static void domain_init(struct view *v, struct view_domain *d, struct str attribute)
{
    memset(d, 0, sizeof *d);
    v->epoch++;
    d->name = mem_dup(v->mem, attribute.p, attribute.n);
    d->n_name = (uint32_t)attribute.n;
    d->serial = ++v->clock;
    map_init(&d->by_value, v->mem);
}

static uint32_t value_number(struct view *v, struct view_domain *d, struct str value)
{
    uint64_t hash = hash_bytes(value.p, value.n, HASH_SEED);
    uint32_t number = map_get(&d->by_value, hash, value_eq, d, &value);
    if (number == MAP_NONE) {
        d->values = view_grow(v->mem, d->values, d->n_values, &d->cap_values, sizeof *d->values);
        number = d->n_values++;
        d->values[number] =
            (struct domain_value){mem_dup(v->mem, value.p, value.n), (uint32_t)value.n, hash};
        map_put(&d->by_value, hash, number);
    }
    return number;
}

uint32_t view_domain_of(struct view *v, uint32_t domain, uint32_t class)
{
    struct view_domain *d = &v->domains[domain];
    if (class >= d->n_classes) {
        uint32_t had = d->n_classes;
        d->of_class = mem_resize(v->mem, d->of_class, had * sizeof *d->of_class,
                                 v->cap_classes * sizeof *d->of_class);
        d->n_classes = v->cap_classes;
        for (uint32_t i = had; i < d->n_classes; i++) {
            d->of_class[i] = DOMAIN_UNKNOWN;
        }
    }
    if (d->of_class[class] == DOMAIN_UNKNOWN) {
        struct str value;
        bool has = view_class_attribute(&v->classes[class], str_make(d->name, d->n_name), &value);
        d->of_class[class] = has ? value_number(v, d, value) : NO_DOMAIN;
    }
    return d->of_class[class];
}

/* Look up every class. */
static void domain_complete(struct view *v, uint32_t domain)
{
    if (v->domains[domain].epoch == v->class_epoch) {
        return;
    }
    for (uint32_t class = 0; class < v->n_classes; class ++) {
        if (v->classes[class].n_nodes > 0) {
            (void)view_domain_of(v, domain, class);
        }
    }
    v->domains[domain].epoch = v->class_epoch;
}

uint32_t view_domain_get(struct view *v, struct str attribute)
{
    uint32_t i = 0;
    while (i < v->n_domains &&
           !str_eq(str_make(v->domains[i].name, v->domains[i].n_name), attribute)) {
        i++;
    }
    if (i == v->n_domains) {
        i = domain_slot(v);
        domain_init(v, &v->domains[i], attribute);
    } else if (v->domains[i].n_values > 2 * v->n_classes + SPARE_VALUES) {
        /* Most of these values are no node's any more. */
        domain_release(v, &v->domains[i]);
        domain_init(v, &v->domains[i], attribute);
    }
    v->domains[i].used_at = ++v->clock;
    domain_complete(v, i);
    return i;
}

/* --- both ------------------------------------------------------------------------------------- */

void view_caches_forget(struct view *v, uint32_t class)
{
    for (uint32_t i = 0; i < v->n_queries; i++) {
        if (class < v->queries[i].cap) {
            v->queries[i].verdicts[class] = VERDICT_UNKNOWN;
        }
    }
    for (uint32_t i = 0; i < v->n_domains; i++) {
        if (class < v->domains[i].n_classes) {
            v->domains[i].of_class[class] = DOMAIN_UNKNOWN;
        }
    }
}

void view_caches_close(struct view *v)
{
    for (uint32_t i = 0; i < v->n_queries; i++) {
        query_release(v, &v->queries[i]);
    }
    for (uint32_t i = 0; i < v->n_domains; i++) {
        domain_release(v, &v->domains[i]);
    }
    mem_free(v->mem, v->queries, v->cap_queries * sizeof *v->queries);
    mem_free(v->mem, v->domains, v->cap_domains * sizeof *v->domains);
    map_close(&v->query_by_text);
}
