/* Tags of clusters, task definitions, services, container instances, tasks and capacity providers.
 */
#include "controller/api/api.h"
#include "controller/api/describe.h"
#include "controller/api/operation.h"
#include "controller/api/ref.h"
#include "controller/api/valid.h"
#include "controller/codec/arn.h"
#include "controller/core/limits.h"
#include "proto/ecs/v1/tagging.pb-c.h"

/* The object an ARN names: kind and slot; SLOT_NONE when it does not exist. */
struct target {
    enum kind kind;
    uint32_t slot;
};

static uint32_t in_cluster(const struct store *s, const struct arn *arn, uint32_t slot,
                           uint32_t cluster)
{
    uint32_t named = store_find_cluster(s, arn->cluster);
    return slot != SLOT_NONE && named == cluster ? slot : SLOT_NONE;
}

static uint32_t find_in_cluster(const struct store *s, const struct arn *arn)
{
    uint32_t cluster = store_find_cluster(s, arn->cluster);
    return cluster == SLOT_NONE ? SLOT_NONE : store_find_service(s, cluster, arn->name);
}

static uint32_t find_node_slot(const struct store *s, const struct arn *arn)
{
    uint32_t slot = store_find_node(s, arn->id);
    return slot == SLOT_NONE ? slot : in_cluster(s, arn, slot, store_node(s, slot)->cluster);
}

static uint32_t find_task_slot(const struct store *s, const struct arn *arn)
{
    uint32_t slot = store_find_task(s, arn->id);
    return slot == SLOT_NONE ? slot : in_cluster(s, arn, slot, store_task(s, slot)->cluster);
}

static int find_target(struct api_call *c, const char *text, struct target *ret)
{
    const struct store *s = api_store(c);
    struct err err = {0};
    struct arn arn = {0};
    if (arn_parse(api_names(c->api), str_of(text), &arn, &err) != 0) {
        return api_fail(c, API_INVALID_PARAMETER, "resourceArn: %s", err.text);
    }
    switch ((int)arn.type) {
    case ARN_CLUSTER:
        *ret = (struct target){KIND_CLUSTER, store_find_cluster(s, arn.name)};
        return 0;
    case ARN_TASKDEF:
        *ret = (struct target){KIND_TASKDEF, store_find_taskdef(s, arn.name, arn.revision)};
        return 0;
    case ARN_CAPACITY_PROVIDER:
        *ret = (struct target){KIND_CAPACITY_PROVIDER, store_find_capacity_provider(s, arn.name)};
        return 0;
    case ARN_SERVICE:
        *ret = (struct target){KIND_SERVICE, find_in_cluster(s, &arn)};
        return 0;
    case ARN_NODE:
        *ret = (struct target){KIND_NODE, find_node_slot(s, &arn)};
        return 0;
    case ARN_TASK:
        *ret = (struct target){KIND_TASK, find_task_slot(s, &arn)};
        return 0;
    default:
        return api_fail(c, API_INVALID_PARAMETER,
                        "resourceArn: only clusters, task definitions, services, container "
                        "instances, tasks and capacity providers can be tagged.");
    }
}

static int missing(struct api_call *c, const struct target *t)
{
    if (t->kind == KIND_CLUSTER) {
        return api_fail(c, API_CLUSTER_NOT_FOUND, "Cluster not found.");
    }
    return api_fail(c, API_RESOURCE_NOT_FOUND, "The specified resource could not be found.");
}

static struct str text_of(struct api_call *c, struct str s)
{
    return str_make(api_text(c, s), s.n);
}

static int fill(struct api_call *c, const char *text, struct cmd_tags *to)
{
    const struct store *s = api_store(c);
    struct target t = {KIND_META, SLOT_NONE};
    int rv = find_target(c, text, &t);
    if (rv != 0) {
        return rv;
    }
    if (t.slot == SLOT_NONE) {
        return missing(c, &t);
    }
    to->kind = (uint8_t)t.kind;
    to->slot = t.slot;
    switch ((int)t.kind) {
    case KIND_CLUSTER:
        to->name = text_of(c, store_cluster(s, t.slot)->name);
        break;
    case KIND_TASKDEF:
        to->name = text_of(c, store_taskdef(s, t.slot)->family);
        to->revision = store_taskdef(s, t.slot)->revision;
        break;
    case KIND_SERVICE:
        to->name = text_of(c, store_service(s, t.slot)->name);
        break;
    case KIND_CAPACITY_PROVIDER:
        to->name = text_of(c, store_capacity_provider(s, t.slot)->name);
        break;
    case KIND_NODE:
        to->id = store_node(s, t.slot)->id;
        break;
    default:
        to->id = store_task(s, t.slot)->id;
        break;
    }
    return 0;
}

/* --- TagResource -------------------------------------------------------------------------------
 */

static const Ecs__V1__TagResourceRequest *tag_request(const struct api_call *c)
{
    return (const Ecs__V1__TagResourceRequest *)c->request;
}

static int tag_check(struct api_call *c)
{
    struct tags tags;
    int rv = ref_required(c, "resourceArn", tag_request(c)->resource_arn);
    if (rv == 0) {
        rv = valid_count(c, "tags", tag_request(c)->n_tags, LIMIT_TAGS);
    }
    return rv != 0 ? rv : valid_tags(c, tag_request(c)->tags, tag_request(c)->n_tags, &tags);
}

static int tag_decide(struct api_call *c, struct command *cmd)
{
    int rv = fill(c, tag_request(c)->resource_arn, &cmd->u.tags);
    cmd->kind = CMD_TAG;
    return rv != 0 ? rv
                   : valid_tags(c, tag_request(c)->tags, tag_request(c)->n_tags, &cmd->u.tags.tags);
}

static int tag_applied(struct api_call *c, const struct result *result)
{
    (void)result;
    c->response = api_new(c, &ecs__v1__tag_resource_response__descriptor);
    return 0;
}

static int tag_rejected(struct api_call *c, const struct result *result)
{
    if (result->reject == REJECT_TARGET_NOT_FOUND) {
        return api_fail(c, API_RESOURCE_NOT_FOUND, "The specified resource could not be found.");
    }
    if (result->reject == REJECT_LIMIT) {
        return api_fail(c, API_INVALID_PARAMETER, "The maximum number of tags is %d.", LIMIT_TAGS);
    }
    return api_error_of_reject(&c->error, result);
}

const struct api_handler op_tag_resource = {
    .kind = API_WRITE,
    .check = tag_check,
    .decide = tag_decide,
    .applied = tag_applied,
    .rejected = tag_rejected,
};

/* --- UntagResource -----------------------------------------------------------------------------
 */

static const Ecs__V1__UntagResourceRequest *untag_request(const struct api_call *c)
{
    return (const Ecs__V1__UntagResourceRequest *)c->request;
}

static int untag_check(struct api_call *c)
{
    int rv = ref_required(c, "resourceArn", untag_request(c)->resource_arn);
    return rv != 0 ? rv : valid_count(c, "tagKeys", untag_request(c)->n_tag_keys, LIMIT_TAGS);
}

static int untag_decide(struct api_call *c, struct command *cmd)
{
    const Ecs__V1__UntagResourceRequest *r = untag_request(c);
    struct tags *tags = &cmd->u.tags.tags;
    int rv = fill(c, r->resource_arn, &cmd->u.tags);
    if (rv != 0) {
        return rv;
    }
    cmd->kind = CMD_UNTAG;
    tags->v = arena_array(&c->arena, r->n_tag_keys, sizeof *tags->v);
    for (size_t i = 0; i < r->n_tag_keys; i++) {
        tags->v[tags->n++].key = str_of(r->tag_keys[i]);
    }
    return 0;
}

static int untag_applied(struct api_call *c, const struct result *result)
{
    (void)result;
    c->response = api_new(c, &ecs__v1__untag_resource_response__descriptor);
    return 0;
}

const struct api_handler op_untag_resource = {
    .kind = API_WRITE,
    .check = untag_check,
    .decide = untag_decide,
    .applied = untag_applied,
    .rejected = tag_rejected,
};

/* --- ListTagsForResource -----------------------------------------------------------------------
 */

static const struct tags *tags_of(const struct store *s, const struct target *t)
{
    switch ((int)t->kind) {
    case KIND_CLUSTER:
        return &store_cluster(s, t->slot)->tags;
    case KIND_TASKDEF:
        return &store_taskdef(s, t->slot)->tags;
    case KIND_SERVICE:
        return &store_service(s, t->slot)->tags;
    case KIND_NODE:
        return &store_node(s, t->slot)->tags;
    case KIND_CAPACITY_PROVIDER:
        return &store_capacity_provider(s, t->slot)->tags;
    default:
        return &store_task(s, t->slot)->tags;
    }
}

static const char *list_arn(const struct api_call *c)
{
    return ((const Ecs__V1__ListTagsForResourceRequest *)c->request)->resource_arn;
}

static int list_check(struct api_call *c)
{
    return ref_required(c, "resourceArn", list_arn(c));
}

static int list_read(struct api_call *c)
{
    Ecs__V1__ListTagsForResourceResponse *m =
        api_new(c, &ecs__v1__list_tags_for_resource_response__descriptor);
    struct target t = {KIND_META, SLOT_NONE};
    int rv = find_target(c, list_arn(c), &t);
    if (rv != 0) {
        return rv;
    }
    if (t.slot == SLOT_NONE) {
        return missing(c, &t);
    }
    m->tags = describe_tags(c, tags_of(api_store(c), &t), &m->n_tags);
    c->response = &m->base;
    return 0;
}

const struct api_handler op_list_tags_for_resource = {
    .kind = API_READ,
    .check = list_check,
    .read = list_read,
};
