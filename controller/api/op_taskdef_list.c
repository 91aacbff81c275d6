/* Lists of task definitions and their families, ordered by family and revision. */
#include "controller/api/api.h"
#include "controller/api/operation.h"
#include "controller/api/page.h"
#include "controller/api/ref.h"
#include "controller/codec/taskdef.h"

#include <string.h>

/* --- ListTaskDefinitions -----------------------------------------------------------------------
 */

static int ascending(const struct api_call *c, uint32_t a, uint32_t b)
{
    const struct taskdef *x = store_taskdef(api_store(c), a);
    const struct taskdef *y = store_taskdef(api_store(c), b);
    int order = str_cmp(x->family, y->family);
    if (order != 0) {
        return order;
    }
    return x->revision < y->revision ? -1 : x->revision > y->revision;
}

static int descending(const struct api_call *c, uint32_t a, uint32_t b)
{
    return ascending(c, b, a);
}

/* Does the row come after the last page? */
static bool beyond(const struct page *p, const struct taskdef *d, bool reverse)
{
    int order;
    if (!p->resumed) {
        return true;
    }
    order = str_cmp(d->family, p->after_text);
    if (order == 0) {
        order = d->revision < p->after ? -1 : d->revision > p->after;
    }
    return reverse ? order < 0 : order > 0;
}

static uint8_t status_of(const Ecs__V1__ListTaskDefinitionsRequest *r)
{
    switch (r->has_status ? (int)r->status : -1) {
    case ECS__V1__TASK_DEFINITION_STATUS__VALUE__INACTIVE:
        return TASKDEF_INACTIVE;
    case ECS__V1__TASK_DEFINITION_STATUS__VALUE__DELETE_IN_PROGRESS:
        return TASKDEF_DELETING;
    default:
        return TASKDEF_ACTIVE;
    }
}

/* Despite its name familyPrefix is a whole family here, as ECS documents for this operation. */
static void offer_all(struct api_call *c, const Ecs__V1__ListTaskDefinitionsRequest *r,
                      struct page *p, bool reverse)
{
    const struct store *s = api_store(c);
    uint32_t end = store_slots(s, KIND_TASKDEF);
    struct str family = str_of(r->family_prefix);
    uint8_t status = status_of(r);
    for (uint32_t i = 0; i < end; i++) {
        const struct taskdef *d = store_taskdef(s, i);
        if (d != NULL && d->status == status && (family.n == 0 || str_eq(family, d->family)) &&
            beyond(p, d, reverse)) {
            page_offer(p, i);
        }
    }
}

static int list_read(struct api_call *c)
{
    const Ecs__V1__ListTaskDefinitionsRequest *r =
        (const Ecs__V1__ListTaskDefinitionsRequest *)c->request;
    Ecs__V1__ListTaskDefinitionsResponse *m =
        api_new(c, &ecs__v1__list_task_definitions_response__descriptor);
    bool reverse = r->has_sort && r->sort == ECS__V1__SORT_ORDER__VALUE__DESC;
    uint8_t bits[2] = {status_of(r), reverse};
    uint64_t question = page_question(c, str_make((const char *)bits, sizeof bits), 0);
    struct page page;
    uint32_t last;
    int rv = page_open(&page, c, r->has_max_results, r->max_results, PAGE_MAX, r->next_token,
                       page_question(c, str_of(r->family_prefix), question),
                       reverse ? descending : ascending);
    if (rv != 0) {
        return rv;
    }
    offer_all(c, r, &page, reverse);
    if (page_more(&page, &last)) {
        const struct taskdef *d = store_taskdef(api_store(c), last);
        m->next_token = page_token(&page, d->revision, d->family);
    }
    m->task_definition_arns = api_list(c, page.n);
    for (uint32_t i = 0; i < page.n; i++) {
        m->task_definition_arns[m->n_task_definition_arns++] = ref_taskdef_arn(c, page.slot[i]);
    }
    c->response = &m->base;
    return 0;
}

const struct api_handler op_list_task_definitions = {.kind = API_READ, .read = list_read};

/* --- ListTaskDefinitionFamilies ----------------------------------------------------------------
 */

static const struct family *family_at(const struct api_call *c, uint32_t slot)
{
    return store_row(api_store(c), KIND_FAMILY, slot);
}

static int by_name(const struct api_call *c, uint32_t a, uint32_t b)
{
    return str_cmp(family_at(c, a)->name, family_at(c, b)->name);
}

static bool has_prefix(struct str s, struct str prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

static bool family_wanted(const struct api_call *c, const struct family *f, int status)
{
    bool active = store_find_latest(api_store(c), f->name) != SLOT_NONE;
    switch (status) {
    case ECS__V1__TASK_DEFINITION_FAMILY_STATUS__VALUE__ACTIVE:
        return active;
    case ECS__V1__TASK_DEFINITION_FAMILY_STATUS__VALUE__INACTIVE:
        return !active;
    default:
        return true;
    }
}

static int families_read(struct api_call *c)
{
    const Ecs__V1__ListTaskDefinitionFamiliesRequest *r =
        (const Ecs__V1__ListTaskDefinitionFamiliesRequest *)c->request;
    Ecs__V1__ListTaskDefinitionFamiliesResponse *m =
        api_new(c, &ecs__v1__list_task_definition_families_response__descriptor);
    int status =
        r->has_status ? (int)r->status : (int)ECS__V1__TASK_DEFINITION_FAMILY_STATUS__VALUE__ALL;
    uint8_t bits = (uint8_t)status;
    uint64_t question = page_question(c, str_make((const char *)&bits, 1), 0);
    uint32_t end = store_slots(api_store(c), KIND_FAMILY);
    struct str prefix = str_of(r->family_prefix);
    struct page page;
    uint32_t last;
    int rv = page_open(&page, c, r->has_max_results, r->max_results, PAGE_MAX, r->next_token,
                       page_question(c, prefix, question), by_name);
    if (rv != 0) {
        return rv;
    }
    for (uint32_t i = 0; i < end; i++) {
        const struct family *f = family_at(c, i);
        if (f != NULL && has_prefix(f->name, prefix) && family_wanted(c, f, status) &&
            (!page.resumed || str_cmp(f->name, page.after_text) > 0)) {
            page_offer(&page, i);
        }
    }
    if (page_more(&page, &last)) {
        m->next_token = page_token(&page, 0, family_at(c, last)->name);
    }
    m->families = api_list(c, page.n);
    for (uint32_t i = 0; i < page.n; i++) {
        m->families[m->n_families++] = api_text(c, family_at(c, page.slot[i])->name);
    }
    c->response = &m->base;
    return 0;
}

const struct api_handler op_list_task_definition_families = {
    .kind = API_READ,
    .read = families_read,
};
