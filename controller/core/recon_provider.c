/* Services with a capacity provider strategy: each provider gets its share of the tasks, whether it
 * has room for them or not. */
#include "controller/core/leader_impl.h"

#include "controller/core/placement/split.h"

struct str leader_provider(const struct node *node)
{
    for (uint32_t i = 0; i < node->n_attributes; i++) {
        if (str_eqc(node->attributes[i].name, VIEW_ATTRIBUTE_PROVIDER)) {
            return node->attributes[i].value;
        }
    }
    return (struct str){NULL, 0};
}

void leader_require_provider(struct place_request *r, struct str provider, struct arena *arena)
{
    struct place_attribute *a = arena_array(arena, 1, sizeof *a);
    *a = (struct place_attribute){.name = STR(VIEW_ATTRIBUTE_PROVIDER), .value = provider};
    r->attributes = a;
    r->n_attributes = 1;
}

struct place_constraint leader_any_provider(const struct provider_share *shares, uint32_t n_shares,
                                            struct arena *arena)
{
    const char *text = "attribute:" VIEW_ATTRIBUTE_PROVIDER " in [";
    for (uint32_t i = 0; i < n_shares; i++) {
        text =
            arena_printf(arena, "%s%s%.*s", text, i == 0 ? "" : ", ", STR_ARG(shares[i].provider));
    }
    return (struct place_constraint){.kind = PLACE_MEMBER_OF,
                                     .expression = str_of(arena_printf(arena, "%s]", text))};
}

uint32_t leader_split(const struct provider_share *shares, uint32_t n_shares, uint32_t n,
                      const uint32_t *have, uint32_t *ret)
{
    struct split_item items[LIMIT_CLUSTER_PROVIDERS];
    for (uint32_t i = 0; i < n_shares; i++) {
        items[i] =
            (struct split_item){shares[i].n_base, shares[i].weight, have == NULL ? 0 : have[i]};
    }
    return split_more(items, n_shares, n, ret);
}

uint32_t recon_provider_of(const struct leader_plan *p, const struct task *t)
{
    const struct service *v = p->service;
    struct str name = leader_provider(store_node(p->pass->l->store, t->node));
    uint32_t i = 0;
    while (i < v->n_providers && !str_eq(v->providers[i].provider, name)) {
        i++;
    }
    return i;
}

/* The tasks that stay: of the primary deployment, wanted and healthy. */
uint32_t recon_provider_more(const struct leader_plan *p, uint32_t n, uint32_t *ret)
{
    const struct store *store = p->pass->l->store;
    const struct service *v = p->service;
    uint32_t have[LIMIT_CLUSTER_PROVIDERS + 1] = {0};
    for (uint32_t slot = v->first_task; slot != SLOT_NONE;) {
        const struct task *t = store_task(store, slot);
        bool stays = t->status != TASK_STOPPED && t->desired == TASK_RUNNING &&
                     t->deployment == v->primary.id && !recon_on_draining(p, t) &&
                     !(t->status == TASK_RUNNING && t->health == HEALTH_UNHEALTHY);
        if (stays) {
            have[recon_provider_of(p, t)]++;
        }
        slot = t->in_service.next;
    }
    return leader_split(v->providers, v->n_providers, n, have, ret);
}

/* What is beyond `there` of a provider goes where others are; tasks of none of them come first. */
static void fit(const uint32_t *there, uint32_t n_items, uint32_t n, uint32_t *v)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < n_items; i++) {
        v[i] = v[i] < there[i] ? v[i] : there[i];
        sum += v[i];
    }
    for (uint32_t i = 0; i < n_items && sum < n; i++) {
        uint32_t more = n - sum < there[i] - v[i] ? n - sum : there[i] - v[i];
        v[i] += more;
        sum += more;
    }
}

void recon_provider_fewer(const struct leader_plan *p, const uint32_t *have, const uint32_t *there,
                          uint32_t n, uint32_t *ret)
{
    const struct service *v = p->service;
    struct split_item items[LIMIT_CLUSTER_PROVIDERS];
    uint32_t strangers = there[v->n_providers] < n ? there[v->n_providers] : n;
    uint32_t sum = 0;
    for (uint32_t i = 0; i < v->n_providers; i++) {
        items[i] = (struct split_item){v->providers[i].n_base, v->providers[i].weight, have[i]};
        sum += have[i];
    }
    n -= strangers;
    split_fewer(items, v->n_providers, n < sum ? n : sum, ret);
    fit(there, v->n_providers, n, ret);
    ret[v->n_providers] = strangers;
}
