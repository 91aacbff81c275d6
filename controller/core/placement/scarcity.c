/* Which nodes are scarce: those that are wanted by tasks which can run on few others. Everybody
 * else keeps away from them while there is room elsewhere.
 *
 * For each demand that not all nodes can carry, the share of what its nodes have that it wants is
 * added to all of them. Nodes that suit several such demands add up. */
#include "controller/core/placement/place_impl.h"

#define ALL   1000u /* A demand that wants everything its nodes have. */
#define STEPS (ALL / VIEW_SCARCITY_MAX)

/* What all nodes of a class have. */
struct stock {
    uint32_t any; /* One of them; VIEW_NONE: there are none. */
    uint64_t memory_mib;
    uint64_t gpus;
};

static struct stock *take_stock(const struct view *v, struct arena *arena)
{
    struct stock *stock = arena_array(arena, v->n_classes, sizeof *stock);
    for (uint32_t class = 0; class < v->n_classes; class ++) {
        stock[class].any = VIEW_NONE;
    }
    for (uint32_t slot = 0; slot < v->n_slots; slot++) {
        if (v->hot[slot].used) {
            struct stock *of = &stock[v->hot[slot].class];
            of->any = slot;
            of->memory_mib += v->slots[slot].memory_mib;
            of->gpus += v->slots[slot].gpus;
        }
    }
    return stock;
}

struct sizes {
    uint64_t all;
    uint64_t admitted;
};

/* What nodes have of what the request has most reason to ask for: all of them, and those that it
 * admits. */
static struct sizes measure(struct solver *s, const struct stock *stock)
{
    struct sizes sizes = {0};
    for (uint32_t class = 0; class < s->view->n_classes; class ++) {
        if (stock[class].any != VIEW_NONE) {
            uint64_t size = s->request->gpus > 0 ? stock[class].gpus : stock[class].memory_mib;
            sizes.all += size;
            sizes.admitted += solver_admits_class(s, class, stock[class].any) ? size : 0;
        }
    }
    return sizes;
}

static void add(struct solver *s, uint64_t share, uint32_t *shares)
{
    for (uint32_t class = 0; class < s->view->n_classes; class ++) {
        if (s->verdicts[class] == VERDICT_YES) {
            shares[class] += (uint32_t)(share < ALL ? share : ALL);
        }
    }
}

/* Only what depends on the class of a node makes it scarce. */
static bool is_restricted(const struct solver *s)
{
    bool any = s->request->n_attributes > 0;
    for (uint32_t i = 0; i < s->request->n_constraints; i++) {
        any = any || (s->request->constraints[i].kind == PLACE_MEMBER_OF &&
                      view_query_is_static(s->view, s->queries[i]));
    }
    return any;
}

void place_set_scarcity(struct view *v, const struct place_demand *demands, uint32_t n,
                        struct arena *arena)
{
    if (n == 0 && v->scarcity_max == 0) {
        return;
    }
    uint32_t *shares = arena_array(arena, v->n_classes, sizeof *shares);
    uint8_t *scarcity = arena_array(arena, v->n_classes, sizeof *scarcity);
    const struct stock *stock = take_stock(v, arena);
    for (uint32_t i = 0; i < n; i++) {
        struct solver s;
        const struct place_request *r = demands[i].request;
        if (solver_init(&s, v, r, arena, NULL) != 0 || !is_restricted(&s)) {
            continue;
        }
        struct sizes sizes = measure(&s, stock);
        if (sizes.admitted > 0 && sizes.admitted < sizes.all) {
            uint64_t each = r->gpus > 0 ? r->gpus : r->memory_mib;
            add(&s, each * demands[i].n_tasks * ALL / sizes.admitted, shares);
        }
    }
    for (uint32_t class = 0; class < v->n_classes; class ++) {
        uint32_t step = (shares[class] + STEPS - 1) / STEPS;
        scarcity[class] = (uint8_t)(step < VIEW_SCARCITY_MAX ? step : VIEW_SCARCITY_MAX);
    }
    view_set_scarcity(v, scarcity);
}
