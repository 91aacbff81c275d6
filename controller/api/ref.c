#include "controller/api/ref.h"

#include "controller/api/api.h"
#include "controller/codec/arn.h"

#include <string.h>

static const struct arn_names *names(const struct api_call *c)
{
    return api_names(c->api);
}

static int bad_name(struct api_call *c, const struct err *err)
{
    return api_fail(c, API_INVALID_PARAMETER, "%s", err->text);
}

int ref_required(struct api_call *c, const char *name, const char *text)
{
    if (text == NULL || text[0] == '\0') {
        return api_fail(c, API_INVALID_PARAMETER, "%s can not be blank.", name);
    }
    return 0;
}

/* --- clusters ----------------------------------------------------------------------------------
 */

int ref_cluster_name(struct api_call *c, const char *text, struct str *ret)
{
    struct err err = {0};
    if (arn_parse_cluster(names(c), text, ret, &err) != 0) {
        return bad_name(c, &err);
    }
    return 0;
}

int ref_cluster(struct api_call *c, const char *text, uint32_t *ret)
{
    const struct store *s = api_store(c);
    struct str name;
    uint32_t slot;
    int rv = ref_cluster_name(c, text, &name);
    if (rv != 0) {
        return rv;
    }
    slot = store_find_cluster(s, name);
    if (slot == SLOT_NONE || store_cluster(s, slot)->status != CLUSTER_ACTIVE) {
        return api_fail(c, API_CLUSTER_NOT_FOUND, "Cluster not found.");
    }
    *ret = slot;
    return 0;
}

/* An ARN may name another cluster than the request does: then it is not in this one. */
static bool same_cluster(const struct api_call *c, uint32_t cluster, struct str named)
{
    return named.n == 0 || str_eq(named, store_cluster(api_store(c), cluster)->name);
}

/* --- looking up --------------------------------------------------------------------------------
 */

int find_service(struct api_call *c, uint32_t cluster, const char *text, uint32_t *ret)
{
    struct err err = {0};
    struct str named = {0};
    struct str name;
    if (arn_parse_service(names(c), text, &named, &name, &err) != 0) {
        return bad_name(c, &err);
    }
    *ret = same_cluster(c, cluster, named) ? store_find_service(api_store(c), cluster, name)
                                           : SLOT_NONE;
    return 0;
}

int find_task(struct api_call *c, uint32_t cluster, const char *text, uint32_t *ret)
{
    const struct store *s = api_store(c);
    struct err err = {0};
    struct str named = {0};
    struct id id;
    if (arn_parse_task(names(c), text, &named, &id, &err) != 0) {
        return bad_name(c, &err);
    }
    *ret = same_cluster(c, cluster, named) ? store_find_task(s, id) : SLOT_NONE;
    if (*ret != SLOT_NONE && store_task(s, *ret)->cluster != cluster) {
        *ret = SLOT_NONE;
    }
    return 0;
}

int find_node(struct api_call *c, uint32_t cluster, const char *text, uint32_t *ret)
{
    const struct store *s = api_store(c);
    struct err err = {0};
    struct str named = {0};
    struct id id;
    if (arn_parse_node(names(c), text, &named, &id, &err) != 0) {
        return bad_name(c, &err);
    }
    *ret = same_cluster(c, cluster, named) ? store_find_node(s, id) : SLOT_NONE;
    if (*ret != SLOT_NONE && store_node(s, *ret)->cluster != cluster) {
        *ret = SLOT_NONE;
    }
    return 0;
}

int find_taskdef(struct api_call *c, const char *text, uint32_t *ret)
{
    struct err err = {0};
    struct str family;
    uint32_t revision = 0;
    if (arn_parse_taskdef(names(c), text, &family, &revision, &err) != 0) {
        return bad_name(c, &err);
    }
    *ret = revision == 0 ? store_find_latest(api_store(c), family)
                         : store_find_taskdef(api_store(c), family, revision);
    return 0;
}

/* --- with a verdict ----------------------------------------------------------------------------
 */

int ref_service(struct api_call *c, uint32_t cluster, const char *text, uint32_t *ret)
{
    uint32_t slot;
    int rv = find_service(c, cluster, text, &slot);
    if (rv != 0) {
        return rv;
    }
    if (slot == SLOT_NONE) {
        return api_fail(c, API_SERVICE_NOT_FOUND, "Service not found.");
    }
    *ret = slot;
    return 0;
}

int ref_task(struct api_call *c, uint32_t cluster, const char *text, uint32_t *ret)
{
    uint32_t slot;
    int rv = find_task(c, cluster, text, &slot);
    if (rv != 0) {
        return rv;
    }
    if (slot == SLOT_NONE) {
        return api_fail(c, API_PARAMETER_NOT_FOUND, "The referenced task was not found.");
    }
    *ret = slot;
    return 0;
}

int ref_node(struct api_call *c, uint32_t cluster, const char *text, uint32_t *ret)
{
    uint32_t slot;
    int rv = find_node(c, cluster, text, &slot);
    if (rv != 0) {
        return rv;
    }
    if (slot == SLOT_NONE || store_node(api_store(c), slot)->status == NODE_INACTIVE) {
        return api_fail(c, API_PARAMETER_NOT_FOUND,
                        "Referenced container instance %.100s not found.", text);
    }
    *ret = slot;
    return 0;
}

int ref_taskdef(struct api_call *c, const char *text, uint32_t *ret)
{
    uint32_t slot;
    int rv = find_taskdef(c, text, &slot);
    if (rv != 0) {
        return rv;
    }
    if (slot == SLOT_NONE || store_taskdef(api_store(c), slot)->status == TASKDEF_DELETING) {
        return api_fail(c, API_CLIENT_NOT_FOUND, "TaskDefinition not found.");
    }
    if (store_taskdef(api_store(c), slot)->status != TASKDEF_ACTIVE) {
        return api_fail(c, API_CLIENT_STATE, "TaskDefinition is inactive");
    }
    if (store_taskdef(api_store(c), slot)->network_mode == NETWORK_AWSVPC) {
        return api_fail(c, API_UNSUPPORTED, "networkMode awsvpc is not supported by this server.");
    }
    *ret = slot;
    return 0;
}

/* --- ARNs --------------------------------------------------------------------------------------
 */

static struct str cluster_name(const struct api_call *c, uint32_t slot)
{
    return store_cluster(api_store(c), slot)->name;
}

char *ref_cluster_arn(struct api_call *c, uint32_t slot)
{
    return arn_cluster(names(c), cluster_name(c, slot), &c->arena);
}

char *ref_service_arn(struct api_call *c, uint32_t slot)
{
    const struct service *s = store_service(api_store(c), slot);
    return arn_service(names(c), cluster_name(c, s->cluster), s->name, &c->arena);
}

char *ref_task_arn(struct api_call *c, uint32_t slot)
{
    const struct task *t = store_task(api_store(c), slot);
    return arn_task(names(c), cluster_name(c, t->cluster), t->id, &c->arena);
}

char *ref_node_arn(struct api_call *c, uint32_t slot)
{
    const struct node *n = store_node(api_store(c), slot);
    return arn_node(names(c), cluster_name(c, n->cluster), n->id, &c->arena);
}

char *ref_taskdef_arn(struct api_call *c, uint32_t slot)
{
    const struct taskdef *d = store_taskdef(api_store(c), slot);
    return arn_taskdef(names(c), d->family, d->revision, &c->arena);
}

/* Written by hand, because what text names need not be well-formed. */
char *ref_guess_arn(struct api_call *c, enum ref_type type, uint32_t cluster, const char *text)
{
    static const char *const types[] = {
        [REF_CLUSTER] = "cluster",
        [REF_SERVICE] = "service",
        [REF_TASK] = "task",
        [REF_NODE] = "container-instance",
        [REF_TASKDEF] = "task-definition",
        [REF_PROVIDER] = "capacity-provider",
    };
    const struct arn_names *n = names(c);
    if (arn_is(str_of(text))) {
        return arena_strdup(&c->arena, text);
    }
    if (cluster == SLOT_NONE) {
        return arena_printf(&c->arena, "arn:%s:ecs:%s:%s:%s/%s", n->partition, n->region,
                            n->account, types[type], text);
    }
    struct str in = cluster_name(c, cluster);
    return arena_printf(&c->arena, "arn:%s:ecs:%s:%s:%s/%.*s/%s", n->partition, n->region,
                        n->account, types[type], STR_ARG(in), text);
}

/* --- failures ----------------------------------------------------------------------------------
 */

void failures_init(struct failures *f, struct api_call *c, size_t max)
{
    f->v = api_list(c, max);
    f->n = 0;
}

void failures_add(struct failures *f, struct api_call *c, char *arn, const char *reason,
                  const char *detail)
{
    Ecs__V1__Failure *m = api_new(c, &ecs__v1__failure__descriptor);
    m->arn = arn;
    m->reason = arena_strdup(&c->arena, reason);
    m->detail = detail == NULL ? NULL : arena_strdup(&c->arena, detail);
    f->v[f->n++] = m;
}
