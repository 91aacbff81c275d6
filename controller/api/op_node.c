/* Container instances. */
#include "controller/api/api.h"
#include "controller/api/describe.h"
#include "controller/api/operation.h"
#include "controller/api/page.h"
#include "controller/api/ref.h"
#include "controller/api/valid.h"
#include "controller/core/placement/query.h"

#include <string.h>

#define DESCRIBE_MAX 100
#define STATE_MAX    10

/* --- ListContainerInstances --------------------------------------------------------------------
 */

static const Ecs__V1__ListContainerInstancesRequest *list_request(const struct api_call *c)
{
    return (const Ecs__V1__ListContainerInstancesRequest *)c->request;
}

/* What the query language asks of one node, from the store. */
struct probe {
    const struct store *store;
    const struct node *node;
};

static bool probe_attribute(const void *ctx, struct str name, struct str *ret)
{
    const struct probe *p = ctx;
    for (uint32_t i = 0; i < p->node->n_attributes; i++) {
        if (str_eq(p->node->attributes[i].name, name)) {
            *ret = p->node->attributes[i].value;
            return true;
        }
    }
    return false;
}

static bool group_seen(const struct probe *p, uint32_t before, struct str group)
{
    for (uint32_t slot = p->node->first_task; slot != before;) {
        const struct task *t = store_task(p->store, slot);
        if (t->status != TASK_STOPPED && str_eq(t->group, group)) {
            return true;
        }
        slot = t->on_node.next;
    }
    return false;
}

/* The i-th distinct group; a node has few tasks, so looking back costs less than a set. */
static bool probe_group(const void *ctx, uint32_t i, struct str *ret)
{
    const struct probe *p = ctx;
    uint32_t n = 0;
    uint32_t slot = p->node->first_task;
    while (slot != SLOT_NONE) {
        const struct task *t = store_task(p->store, slot);
        if (t->status != TASK_STOPPED && !group_seen(p, slot, t->group)) {
            if (n == i) {
                *ret = t->group;
                return true;
            }
            n++;
        }
        slot = t->on_node.next;
    }
    return false;
}

static bool selected(const struct store *s, const struct node *node, const struct query *q)
{
    struct probe probe = {s, node};
    struct query_node facts = {
        .ctx = &probe,
        .attribute = probe_attribute,
        .group = probe_group,
        .agent_version = node->agent_version,
        .ec2_instance_id = node->name,
        .registered_at_ms = (uint64_t)node->registered_at,
        .n_running_tasks = node->n_running,
        .agent_connected = node->connected,
    };
    return q == NULL || query_match(q, &facts);
}

/* Without a status all but INACTIVE ones. REGISTERING and DEREGISTERING do not last here. */
static bool status_wanted(const Ecs__V1__ListContainerInstancesRequest *r, uint8_t status)
{
    switch (r->has_status ? (int)r->status : -1) {
    case -1:
        return status != NODE_INACTIVE;
    case ECS__V1__CONTAINER_INSTANCE_STATUS__VALUE__ACTIVE:
        return status == NODE_ACTIVE;
    case ECS__V1__CONTAINER_INSTANCE_STATUS__VALUE__DRAINING:
        return status == NODE_DRAINING;
    default:
        return false;
    }
}

static void offer_all(struct api_call *c, uint32_t cluster, const struct query *q, struct page *p)
{
    const struct store *s = api_store(c);
    uint32_t end = store_slots(s, KIND_NODE);
    for (uint64_t i = p->resumed ? p->after + 1 : 0; i < end && !page_full(p); i++) {
        const struct node *node = store_node(s, (uint32_t)i);
        if (node != NULL && node->cluster == cluster &&
            status_wanted(list_request(c), node->status) && selected(s, node, q)) {
            page_offer(p, (uint32_t)i);
        }
    }
}

static int parse_filter(struct api_call *c, const char *text, struct query **ret)
{
    struct err err = {0};
    *ret = NULL;
    if (text == NULL || text[0] == '\0') {
        return 0;
    }
    if (query_parse(api_mem(c->api), str_of(text), ret, &err) != 0) {
        return api_fail(c, API_INVALID_PARAMETER, "filter: %s", err.text);
    }
    return 0;
}

static int list_check(struct api_call *c)
{
    struct query *q;
    int rv = parse_filter(c, list_request(c)->filter, &q);
    query_close(q);
    return rv;
}

static int list_page(struct api_call *c, struct page *page)
{
    const Ecs__V1__ListContainerInstancesRequest *r = list_request(c);
    struct query *q = NULL;
    uint32_t numbers[2] = {0, r->has_status ? (uint32_t)r->status : 0};
    uint64_t question;
    int rv = ref_cluster(c, r->cluster, &numbers[0]);
    if (rv != 0) {
        return rv;
    }
    question = page_question(c, str_make((const char *)numbers, sizeof numbers), 0);
    rv = page_open(page, c, r->has_max_results, r->max_results, PAGE_MAX, r->next_token,
                   page_question(c, str_of(r->filter), question), NULL);
    if (rv == 0) {
        rv = parse_filter(c, r->filter, &q);
    }
    if (rv == 0) {
        offer_all(c, numbers[0], q, page);
    }
    query_close(q);
    return rv;
}

static int list_read(struct api_call *c)
{
    Ecs__V1__ListContainerInstancesResponse *m =
        api_new(c, &ecs__v1__list_container_instances_response__descriptor);
    struct page page;
    int rv = list_page(c, &page);
    if (rv != 0) {
        return rv;
    }
    m->next_token = page_close(&page);
    m->container_instance_arns = api_list(c, page.n);
    for (uint32_t i = 0; i < page.n; i++) {
        m->container_instance_arns[m->n_container_instance_arns++] = ref_node_arn(c, page.slot[i]);
    }
    c->response = &m->base;
    return 0;
}

const struct api_handler op_list_container_instances = {
    .kind = API_READ,
    .check = list_check,
    .read = list_read,
};

/* --- DescribeContainerInstances ----------------------------------------------------------------
 */

static const Ecs__V1__DescribeContainerInstancesRequest *describe_request(const struct api_call *c)
{
    return (const Ecs__V1__DescribeContainerInstancesRequest *)c->request;
}

static int describe_check(struct api_call *c)
{
    return valid_count(c, "containerInstances", describe_request(c)->n_container_instances,
                       DESCRIBE_MAX);
}

static bool wants_tags(const Ecs__V1__DescribeContainerInstancesRequest *r)
{
    for (size_t i = 0; i < r->n_include; i++) {
        if (r->include[i] == ECS__V1__CONTAINER_INSTANCE_FIELD__VALUE__TAGS) {
            return true;
        }
    }
    return false;
}

static int describe_read(struct api_call *c)
{
    const Ecs__V1__DescribeContainerInstancesRequest *r = describe_request(c);
    Ecs__V1__DescribeContainerInstancesResponse *m =
        api_new(c, &ecs__v1__describe_container_instances_response__descriptor);
    size_t n = r->n_container_instances;
    struct failures failures;
    uint32_t cluster;
    int rv = ref_cluster(c, r->cluster, &cluster);
    failures_init(&failures, c, n);
    m->container_instances = api_list(c, n);
    for (size_t i = 0; i < n && rv == 0; i++) {
        const char *text = r->container_instances[i];
        uint32_t slot;
        rv = find_node(c, cluster, text, &slot);
        if (rv == 0 && slot == SLOT_NONE) {
            failures_add(&failures, c, ref_guess_arn(c, REF_NODE, cluster, text), "MISSING", NULL);
        } else if (rv == 0) {
            m->container_instances[m->n_container_instances++] =
                describe_node(c, slot, wants_tags(r));
        }
    }
    m->failures = failures.v;
    m->n_failures = failures.n;
    c->response = &m->base;
    return rv;
}

const struct api_handler op_describe_container_instances = {
    .kind = API_READ,
    .check = describe_check,
    .read = describe_read,
};

/* --- UpdateContainerInstancesState --------------------------------------------------------------
 * One command for each instance; those that cannot be changed become failures. */

struct state_progress {
    uint32_t cluster;
    uint32_t *slots; /* Those that were changed. */
    size_t n_slots;
    struct failures failures;
    size_t next;
};

static const Ecs__V1__UpdateContainerInstancesStateRequest *state_request(const struct api_call *c)
{
    return (const Ecs__V1__UpdateContainerInstancesStateRequest *)c->request;
}

static int state_check(struct api_call *c)
{
    const Ecs__V1__UpdateContainerInstancesStateRequest *r = state_request(c);
    int rv = valid_count(c, "containerInstances", r->n_container_instances, STATE_MAX);
    if (rv != 0) {
        return rv;
    }
    if (!r->has_status || (r->status != ECS__V1__CONTAINER_INSTANCE_STATUS__VALUE__ACTIVE &&
                           r->status != ECS__V1__CONTAINER_INSTANCE_STATUS__VALUE__DRAINING)) {
        return api_fail(c, API_INVALID_PARAMETER, "status must be ACTIVE or DRAINING.");
    }
    return 0;
}

static struct state_progress *progress_of(struct api_call *c)
{
    struct state_progress *p = c->state;
    if (p == NULL) {
        size_t n = state_request(c)->n_container_instances;
        p = arena_alloc(&c->arena, sizeof *p);
        p->slots = arena_array(&c->arena, n, sizeof *p->slots);
        failures_init(&p->failures, c, n);
        c->state = p;
    }
    return p;
}

static void state_command(struct api_call *c, uint32_t slot, struct command *cmd)
{
    const struct node *node = store_node(api_store(c), slot);
    struct str cluster = store_cluster(api_store(c), node->cluster)->name;
    bool drain = state_request(c)->status == ECS__V1__CONTAINER_INSTANCE_STATUS__VALUE__DRAINING;
    cmd->kind = CMD_NODE_STATE;
    cmd->u.node_ref.cluster = str_make(api_text(c, cluster), cluster.n);
    cmd->u.node_ref.id = node->id;
    cmd->u.node_ref.status = drain ? NODE_DRAINING : NODE_ACTIVE;
}

static int state_decide(struct api_call *c, struct command *cmd)
{
    const Ecs__V1__UpdateContainerInstancesStateRequest *r = state_request(c);
    struct state_progress *p = progress_of(c);
    int rv = ref_cluster(c, r->cluster, &p->cluster);
    for (; rv == 0 && p->next < r->n_container_instances; p->next++) {
        const char *text = r->container_instances[p->next];
        uint32_t slot;
        rv = find_node(c, p->cluster, text, &slot);
        if (rv != 0) {
            return rv;
        }
        if (slot == SLOT_NONE) {
            failures_add(&p->failures, c, ref_guess_arn(c, REF_NODE, p->cluster, text), "MISSING",
                         NULL);
        } else if (store_node(api_store(c), slot)->status == NODE_INACTIVE) {
            failures_add(&p->failures, c, ref_node_arn(c, slot), "INACTIVE", NULL);
        } else {
            state_command(c, slot, cmd);
            return 0;
        }
    }
    return rv != 0 ? rv : 1;
}

static int state_applied(struct api_call *c, const struct result *result)
{
    struct state_progress *p = progress_of(c);
    Ecs__V1__UpdateContainerInstancesStateResponse *m;
    if (result != NULL) {
        p->slots[p->n_slots++] = result->slot;
        p->next++;
        return API_LATER;
    }
    m = api_new(c, &ecs__v1__update_container_instances_state_response__descriptor);
    m->container_instances = api_list(c, p->n_slots);
    for (size_t i = 0; i < p->n_slots; i++) {
        m->container_instances[m->n_container_instances++] = describe_node(c, p->slots[i], true);
    }
    m->failures = p->failures.v;
    m->n_failures = p->failures.n;
    c->response = &m->base;
    return 0;
}

static int state_rejected(struct api_call *c, const struct result *result)
{
    struct state_progress *p = progress_of(c);
    const char *text = state_request(c)->container_instances[p->next];
    failures_add(&p->failures, c, ref_guess_arn(c, REF_NODE, p->cluster, text),
                 result->reject == REJECT_NODE_NOT_FOUND ? "MISSING" : "INACTIVE", result->text);
    p->next++;
    return API_LATER;
}

const struct api_handler op_update_container_instances_state = {
    .kind = API_WRITE,
    .check = state_check,
    .decide = state_decide,
    .applied = state_applied,
    .rejected = state_rejected,
};

/* --- DeregisterContainerInstance ---------------------------------------------------------------
 */

static const Ecs__V1__DeregisterContainerInstanceRequest *deregister_request(
    const struct api_call *c)
{
    return (const Ecs__V1__DeregisterContainerInstanceRequest *)c->request;
}

static int deregister_check(struct api_call *c)
{
    return ref_required(c, "containerInstance", deregister_request(c)->container_instance);
}

static int deregister_decide(struct api_call *c, struct command *cmd)
{
    const Ecs__V1__DeregisterContainerInstanceRequest *r = deregister_request(c);
    uint32_t cluster;
    uint32_t slot;
    int rv = ref_cluster(c, r->cluster, &cluster);
    if (rv == 0) {
        rv = ref_node(c, cluster, r->container_instance, &slot);
    }
    if (rv != 0) {
        return rv;
    }
    struct str name = store_cluster(api_store(c), cluster)->name;
    cmd->kind = CMD_NODE_DEREGISTER;
    cmd->u.node_ref.cluster = str_make(api_text(c, name), name.n);
    cmd->u.node_ref.id = store_node(api_store(c), slot)->id;
    cmd->u.node_ref.force = r->has_force && r->force;
    return 0;
}

static int deregister_applied(struct api_call *c, const struct result *result)
{
    Ecs__V1__DeregisterContainerInstanceResponse *m =
        api_new(c, &ecs__v1__deregister_container_instance_response__descriptor);
    m->container_instance = describe_node(c, result->slot, true);
    c->response = &m->base;
    return 0;
}

const struct api_handler op_deregister_container_instance = {
    .kind = API_WRITE,
    .check = deregister_check,
    .decide = deregister_decide,
    .applied = deregister_applied,
};
