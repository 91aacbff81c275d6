/* Custom attributes of container instances. */
#include "controller/api/describe.h"
#include "controller/api/operation.h"
#include "controller/api/page.h"
#include "controller/api/ref.h"
#include "controller/api/valid.h"
#include "controller/core/limits.h"
#include "proto/ecs/v1/attribute.pb-c.h"

#include <string.h>

#define ATTRIBUTES_MAX 10 /* Of one call. */

_Static_assert(LIMIT_ATTRIBUTES <= 256, "a row of ListAttributes is numbered node * 256 + i");

/* --- checks ------------------------------------------------------------------------------------
 */

static bool text_ok(struct str s, const char *others)
{
    for (size_t i = 0; i < s.n; i++) {
        char ch = s.p[i];
        bool ok = (ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z') ||
                  (ch >= 'A' && ch <= 'Z') || strchr(others, ch) != NULL;
        if (!ok) {
            return false;
        }
    }
    return true;
}

static int check_name(struct api_call *c, struct str name)
{
    if (name.n < 1 || name.n > LIMIT_ATTRIBUTE || !text_ok(name, "-_./\\")) {
        return api_fail(c, API_INVALID_PARAMETER,
                        "Attribute names have 1 to %d letters, numbers, hyphens, underscores, "
                        "slashes, back slashes or periods.",
                        LIMIT_ATTRIBUTE);
    }
    if (str_starts(name, "ecs.")) {
        return api_fail(c, API_INVALID_PARAMETER,
                        "Attribute names that begin with \"ecs.\" are reserved.");
    }
    return 0;
}

static int check_value(struct api_call *c, struct str v)
{
    bool blank_end = v.n > 0 && (v.p[0] == ' ' || v.p[v.n - 1] == ' ');
    if (v.n > LIMIT_ATTRIBUTE || blank_end || !text_ok(v, "-_./\\@: ")) {
        return api_fail(c, API_INVALID_PARAMETER,
                        "Attribute values have 1 to %d letters, numbers, hyphens, underscores, "
                        "periods, at signs, slashes, back slashes, colons or spaces.",
                        LIMIT_ATTRIBUTE);
    }
    return 0;
}

static int check_attribute(struct api_call *c, const Ecs__V1__Attribute *a)
{
    int rv = check_name(c, str_of(a->name));
    if (rv == 0) {
        rv = check_value(c, str_of(a->value));
    }
    if (rv == 0 && a->has_target_type &&
        a->target_type != ECS__V1__TARGET_TYPE__VALUE__container_instance) {
        rv = api_fail(c, API_INVALID_PARAMETER, "targetType must be container-instance.");
    }
    return rv != 0 ? rv : ref_required(c, "targetId", a->target_id);
}

static int check_all(struct api_call *c, Ecs__V1__Attribute *const *v, size_t n)
{
    int rv = valid_count(c, "attributes", n, ATTRIBUTES_MAX);
    for (size_t i = 0; i < n && rv == 0; i++) {
        rv = check_attribute(c, v[i]);
    }
    return rv;
}

/* --- PutAttributes, DeleteAttributes -----------------------------------------------------------
 */

static int fill(struct api_call *c, const char *cluster_text, Ecs__V1__Attribute *const *v,
                size_t n, struct cmd_attributes *to)
{
    uint32_t cluster;
    struct str name;
    int rv = ref_cluster(c, cluster_text, &cluster);
    if (rv != 0) {
        return rv;
    }
    name = store_cluster(api_store(c), cluster)->name;
    to->cluster = str_make(api_text(c, name), name.n);
    to->v = arena_array(&c->arena, n, sizeof *to->v);
    for (size_t i = 0; i < n; i++) {
        uint32_t slot;
        rv = find_node(c, cluster, v[i]->target_id, &slot);
        if (rv != 0) {
            return rv;
        }
        if (slot == SLOT_NONE || store_node(api_store(c), slot)->status == NODE_INACTIVE) {
            return api_fail(c, API_TARGET_NOT_FOUND, "The specified target wasn't found: %.200s.",
                            v[i]->target_id);
        }
        to->v[to->n].node = store_node(api_store(c), slot)->id;
        to->v[to->n].attribute.name = str_of(v[i]->name);
        if (v[i]->value != NULL) {
            to->v[to->n].attribute.value = str_of(v[i]->value);
        }
        to->n++;
    }
    return 0;
}

static const Ecs__V1__PutAttributesRequest *put_request(const struct api_call *c)
{
    return (const Ecs__V1__PutAttributesRequest *)c->request;
}

static int put_check(struct api_call *c)
{
    return check_all(c, put_request(c)->attributes, put_request(c)->n_attributes);
}

static int put_decide(struct api_call *c, struct command *cmd)
{
    const Ecs__V1__PutAttributesRequest *r = put_request(c);
    cmd->kind = CMD_ATTRIBUTES_PUT;
    return fill(c, r->cluster, r->attributes, r->n_attributes, &cmd->u.attributes);
}

static int put_applied(struct api_call *c, const struct result *result)
{
    Ecs__V1__PutAttributesResponse *m = api_new(c, &ecs__v1__put_attributes_response__descriptor);
    (void)result;
    m->attributes = put_request(c)->attributes;
    m->n_attributes = put_request(c)->n_attributes;
    c->response = &m->base;
    return 0;
}

static int put_rejected(struct api_call *c, const struct result *result)
{
    if (result->reject == REJECT_LIMIT) {
        return api_fail(c, API_ATTRIBUTE_LIMIT, "%s", result->text);
    }
    return api_error_of_reject(&c->error, result);
}

const struct api_handler op_put_attributes = {
    .kind = API_WRITE,
    .check = put_check,
    .decide = put_decide,
    .applied = put_applied,
    .rejected = put_rejected,
};

static const Ecs__V1__DeleteAttributesRequest *delete_request(const struct api_call *c)
{
    return (const Ecs__V1__DeleteAttributesRequest *)c->request;
}

static int delete_check(struct api_call *c)
{
    return check_all(c, delete_request(c)->attributes, delete_request(c)->n_attributes);
}

static int delete_decide(struct api_call *c, struct command *cmd)
{
    const Ecs__V1__DeleteAttributesRequest *r = delete_request(c);
    cmd->kind = CMD_ATTRIBUTES_DELETE;
    return fill(c, r->cluster, r->attributes, r->n_attributes, &cmd->u.attributes);
}

static int delete_applied(struct api_call *c, const struct result *result)
{
    Ecs__V1__DeleteAttributesResponse *m =
        api_new(c, &ecs__v1__delete_attributes_response__descriptor);
    (void)result;
    m->attributes = delete_request(c)->attributes;
    m->n_attributes = delete_request(c)->n_attributes;
    c->response = &m->base;
    return 0;
}

const struct api_handler op_delete_attributes = {
    .kind = API_WRITE,
    .check = delete_check,
    .decide = delete_decide,
    .applied = delete_applied,
};

/* --- ListAttributes ----------------------------------------------------------------------------
 * Rows are (node, attribute); a page's slots are node * 256 + position, its token (node, name). */

static const Ecs__V1__ListAttributesRequest *list_request(const struct api_call *c)
{
    return (const Ecs__V1__ListAttributesRequest *)c->request;
}

static int list_check(struct api_call *c)
{
    const Ecs__V1__ListAttributesRequest *r = list_request(c);
    if (!r->has_target_type || r->target_type != ECS__V1__TARGET_TYPE__VALUE__container_instance) {
        return api_fail(c, API_INVALID_PARAMETER, "targetType must be container-instance.");
    }
    if (r->attribute_value != NULL && r->attribute_name == NULL) {
        return api_fail(c, API_INVALID_PARAMETER, "attributeValue needs an attributeName.");
    }
    return 0;
}

static bool wanted(const Ecs__V1__ListAttributesRequest *r, const struct attribute *a)
{
    return (r->attribute_name == NULL || str_eqc(a->name, r->attribute_name)) &&
           (r->attribute_value == NULL || str_eqc(a->value, r->attribute_value));
}

static void offer_node(const Ecs__V1__ListAttributesRequest *r, const struct node *node,
                       uint32_t slot, struct page *p)
{
    for (uint32_t i = 0; i < node->n_attributes && !page_full(p); i++) {
        const struct attribute *a = &node->attributes[i];
        bool shown = p->resumed && slot == p->after && str_cmp(a->name, p->after_text) <= 0;
        if (!shown && wanted(r, a)) {
            page_offer(p, slot << 8 | i);
        }
    }
}

static Ecs__V1__Attribute *describe_row(struct api_call *c, uint32_t row)
{
    const struct node *node = store_node(api_store(c), row >> 8);
    Ecs__V1__Attribute *m = describe_attribute(c, &node->attributes[row & 255]);
    API_SET(m, target_type, ECS__V1__TARGET_TYPE__VALUE__container_instance);
    m->target_id = ref_node_arn(c, row >> 8);
    return m;
}

static int list_open(struct api_call *c, struct page *page, uint32_t *ret_cluster)
{
    const Ecs__V1__ListAttributesRequest *r = list_request(c);
    uint64_t question;
    int rv = ref_cluster(c, r->cluster, ret_cluster);
    if (rv != 0) {
        return rv;
    }
    question = page_question(c, str_make((const char *)ret_cluster, sizeof *ret_cluster), 0);
    question = page_question(c, str_of(r->attribute_name), question);
    question = page_question(c, str_of(r->attribute_value), question);
    return page_open(page, c, r->has_max_results, r->max_results, PAGE_MAX, r->next_token, question,
                     NULL);
}

static int list_read(struct api_call *c)
{
    const struct store *s = api_store(c);
    Ecs__V1__ListAttributesResponse *m = api_new(c, &ecs__v1__list_attributes_response__descriptor);
    uint32_t end = store_slots(s, KIND_NODE);
    uint32_t cluster;
    uint32_t last;
    struct page page;
    int rv = list_open(c, &page, &cluster);
    if (rv != 0) {
        return rv;
    }
    for (uint64_t i = page.resumed ? page.after : 0; i < end && !page_full(&page); i++) {
        const struct node *node = store_node(s, (uint32_t)i);
        if (node != NULL && node->cluster == cluster && node->status != NODE_INACTIVE) {
            offer_node(list_request(c), node, (uint32_t)i, &page);
        }
    }
    if (page_more(&page, &last)) {
        const struct node *node = store_node(s, last >> 8);
        m->next_token = page_token(&page, last >> 8, node->attributes[last & 255].name);
    }
    m->attributes = api_list(c, page.n);
    for (uint32_t i = 0; i < page.n; i++) {
        m->attributes[m->n_attributes++] = describe_row(c, page.slot[i]);
    }
    c->response = &m->base;
    return 0;
}

const struct api_handler op_list_attributes = {
    .kind = API_READ,
    .check = list_check,
    .read = list_read,
};
