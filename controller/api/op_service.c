/* Services: delete, describe, list. */
#include "controller/api/describe.h"
#include "controller/api/operation.h"
#include "controller/api/page.h"
#include "controller/api/ref.h"
#include "controller/api/valid.h"

#define DESCRIBE_MAX 10
#define LIST_DEFAULT 10

/* --- DeleteService -----------------------------------------------------------------------------
 */

static const Ecs__V1__DeleteServiceRequest *delete_request(const struct api_call *c)
{
    return (const Ecs__V1__DeleteServiceRequest *)c->request;
}

static int delete_check(struct api_call *c)
{
    return ref_required(c, "service", delete_request(c)->service);
}

static int delete_target(struct api_call *c, uint32_t *ret)
{
    uint32_t cluster;
    int rv = ref_cluster(c, delete_request(c)->cluster, &cluster);
    return rv != 0 ? rv : ref_service(c, cluster, delete_request(c)->service, ret);
}

static int delete_decide(struct api_call *c, struct command *cmd)
{
    const Ecs__V1__DeleteServiceRequest *r = delete_request(c);
    const struct service *row;
    uint32_t slot;
    int rv = delete_target(c, &slot);
    if (rv != 0) {
        return rv;
    }
    row = store_service(api_store(c), slot);
    if (row->status == SERVICE_INACTIVE) {
        return api_fail(c, API_SERVICE_NOT_FOUND, "Service not found.");
    }
    if (row->status == SERVICE_DRAINING) {
        return 1; /* Being deleted already. */
    }
    struct str cluster = store_cluster(api_store(c), row->cluster)->name;
    cmd->kind = CMD_SERVICE_DELETE;
    cmd->u.service_delete.cluster = str_make(api_text(c, cluster), cluster.n);
    cmd->u.service_delete.name = str_make(api_text(c, row->name), row->name.n);
    cmd->u.service_delete.force = r->has_force && r->force;
    return 0;
}

static int delete_applied(struct api_call *c, const struct result *result)
{
    Ecs__V1__DeleteServiceResponse *m = api_new(c, &ecs__v1__delete_service_response__descriptor);
    uint32_t slot;
    int rv = delete_target(c, &slot);
    (void)result;
    if (rv != 0) {
        return rv;
    }
    m->service = describe_service(c, slot, true);
    c->response = &m->base;
    return m->service == NULL ? ERR_INTERNAL : 0;
}

const struct api_handler op_delete_service = {
    .kind = API_WRITE,
    .check = delete_check,
    .decide = delete_decide,
    .applied = delete_applied,
};

/* --- DescribeServices --------------------------------------------------------------------------
 */

static const Ecs__V1__DescribeServicesRequest *describe_request(const struct api_call *c)
{
    return (const Ecs__V1__DescribeServicesRequest *)c->request;
}

static int describe_check(struct api_call *c)
{
    return valid_count(c, "services", describe_request(c)->n_services, DESCRIBE_MAX);
}

static bool wants_tags(const Ecs__V1__DescribeServicesRequest *r)
{
    for (size_t i = 0; i < r->n_include; i++) {
        if (r->include[i] == ECS__V1__SERVICE_FIELD__VALUE__TAGS) {
            return true;
        }
    }
    return false;
}

static int describe_read(struct api_call *c)
{
    const Ecs__V1__DescribeServicesRequest *r = describe_request(c);
    Ecs__V1__DescribeServicesResponse *m =
        api_new(c, &ecs__v1__describe_services_response__descriptor);
    struct failures failures;
    uint32_t cluster;
    int rv = ref_cluster(c, r->cluster, &cluster);
    failures_init(&failures, c, r->n_services);
    m->services = api_list(c, r->n_services);
    for (size_t i = 0; i < r->n_services && rv == 0; i++) {
        uint32_t slot;
        rv = find_service(c, cluster, r->services[i], &slot);
        if (rv == 0 && slot == SLOT_NONE) {
            failures_add(&failures, c, ref_guess_arn(c, REF_SERVICE, cluster, r->services[i]),
                         "MISSING", NULL);
        } else if (rv == 0) {
            Ecs__V1__Service *s = describe_service(c, slot, wants_tags(r));
            rv = s == NULL ? ERR_INTERNAL : 0;
            m->services[m->n_services++] = s;
        }
    }
    m->failures = failures.v;
    m->n_failures = failures.n;
    c->response = &m->base;
    return rv;
}

const struct api_handler op_describe_services = {
    .kind = API_READ,
    .check = describe_check,
    .read = describe_read,
};

/* --- ListServices ------------------------------------------------------------------------------
 */

static const Ecs__V1__ListServicesRequest *list_request(const struct api_call *c)
{
    return (const Ecs__V1__ListServicesRequest *)c->request;
}

static bool listed(const Ecs__V1__ListServicesRequest *r, const struct service *s)
{
    if (s->status == SERVICE_INACTIVE) {
        return false;
    }
    if (r->has_launch_type) {
        int wanted = s->launch_type == LAUNCH_EXTERNAL ? ECS__V1__LAUNCH_TYPE__VALUE__EXTERNAL
                                                       : ECS__V1__LAUNCH_TYPE__VALUE__EC2;
        if ((int)r->launch_type != wanted) {
            return false;
        }
    }
    if (r->has_scheduling_strategy) {
        bool daemon = r->scheduling_strategy == ECS__V1__SCHEDULING_STRATEGY__VALUE__DAEMON;
        if (daemon != (s->scheduling == SCHEDULING_DAEMON)) {
            return false;
        }
    }
    return !r->has_resource_management_type ||
           r->resource_management_type == ECS__V1__RESOURCE_MANAGEMENT_TYPE__VALUE__CUSTOMER;
}

static uint64_t list_question(const struct api_call *c, uint32_t cluster)
{
    const Ecs__V1__ListServicesRequest *r = list_request(c);
    int numbers[] = {(int)cluster, r->has_launch_type ? (int)r->launch_type : 0,
                     r->has_scheduling_strategy ? (int)r->scheduling_strategy : 0,
                     r->has_resource_management_type ? (int)r->resource_management_type : 0};
    return page_question(c, str_make((const char *)numbers, sizeof numbers), 0);
}

static int list_read(struct api_call *c)
{
    const Ecs__V1__ListServicesRequest *r = list_request(c);
    const struct store *s = api_store(c);
    Ecs__V1__ListServicesResponse *m = api_new(c, &ecs__v1__list_services_response__descriptor);
    uint32_t end = store_slots(s, KIND_SERVICE);
    uint32_t cluster;
    struct page page;
    int rv = ref_cluster(c, r->cluster, &cluster);
    if (rv == 0) {
        rv = page_open(&page, c, r->has_max_results, r->max_results, LIST_DEFAULT, r->next_token,
                       list_question(c, cluster), NULL);
    }
    if (rv != 0) {
        return rv;
    }
    for (uint64_t i = page.resumed ? page.after + 1 : 0; i < end && !page_full(&page); i++) {
        const struct service *row = store_service(s, (uint32_t)i);
        if (row != NULL && row->cluster == cluster && listed(r, row)) {
            page_offer(&page, (uint32_t)i);
        }
    }
    m->next_token = page_close(&page);
    m->service_arns = api_list(c, page.n);
    for (uint32_t i = 0; i < page.n; i++) {
        m->service_arns[m->n_service_arns++] = ref_service_arn(c, page.slot[i]);
    }
    c->response = &m->base;
    return 0;
}

const struct api_handler op_list_services = {.kind = API_READ, .read = list_read};
