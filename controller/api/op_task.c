/* Tasks: stop, describe, list. */
#include "controller/api/api.h"
#include "controller/api/describe.h"
#include "controller/api/operation.h"
#include "controller/api/page.h"
#include "controller/api/ref.h"
#include "controller/api/valid.h"
#include "controller/core/limits.h"

#include <string.h>

#define DESCRIBE_MAX 100

/* --- StopTask ----------------------------------------------------------------------------------
 */

static const Ecs__V1__StopTaskRequest *stop_request(const struct api_call *c)
{
    return (const Ecs__V1__StopTaskRequest *)c->request;
}

static int stop_check(struct api_call *c)
{
    int rv = ref_required(c, "task", stop_request(c)->task);
    return rv != 0 ? rv : valid_length(c, "reason", stop_request(c)->reason, LIMIT_REASON);
}

static int stop_target(struct api_call *c, uint32_t *ret)
{
    uint32_t cluster;
    int rv = ref_cluster(c, stop_request(c)->cluster, &cluster);
    return rv != 0 ? rv : ref_task(c, cluster, stop_request(c)->task, ret);
}

static int stop_decide(struct api_call *c, struct command *cmd)
{
    const struct task *t;
    uint32_t slot;
    int rv = stop_target(c, &slot);
    if (rv != 0) {
        return rv;
    }
    t = store_task(api_store(c), slot);
    if (t->desired == TASK_STOPPED) {
        return 1;
    }
    const struct str cluster = store_cluster(api_store(c), t->cluster)->name;
    const char *reason = stop_request(c)->reason;
    cmd->kind = CMD_TASK_STOP;
    cmd->u.task_stop.cluster = str_make(api_text(c, cluster), cluster.n);
    cmd->u.task_stop.id = t->id;
    cmd->u.task_stop.stop_code = STOP_USER;
    cmd->u.task_stop.reason =
        reason != NULL && reason[0] != '\0' ? str_of(reason) : STR("Task stopped by user");
    return 0;
}

static int stop_applied(struct api_call *c, const struct result *result)
{
    Ecs__V1__StopTaskResponse *m = api_new(c, &ecs__v1__stop_task_response__descriptor);
    uint32_t slot;
    int rv = stop_target(c, &slot);
    (void)result;
    if (rv != 0) {
        return rv;
    }
    m->task = describe_task(c, slot, true);
    c->response = &m->base;
    return m->task == NULL ? ERR_INTERNAL : 0;
}

const struct api_handler op_stop_task = {
    .kind = API_WRITE,
    .check = stop_check,
    .decide = stop_decide,
    .applied = stop_applied,
};

/* --- DescribeTasks -----------------------------------------------------------------------------
 */

static const Ecs__V1__DescribeTasksRequest *describe_request(const struct api_call *c)
{
    return (const Ecs__V1__DescribeTasksRequest *)c->request;
}

static int describe_check(struct api_call *c)
{
    return valid_count(c, "tasks", describe_request(c)->n_tasks, DESCRIBE_MAX);
}

static bool wants_tags(const Ecs__V1__DescribeTasksRequest *r)
{
    for (size_t i = 0; i < r->n_include; i++) {
        if (r->include[i] == ECS__V1__TASK_FIELD__VALUE__TAGS) {
            return true;
        }
    }
    return false;
}

static int describe_read(struct api_call *c)
{
    const Ecs__V1__DescribeTasksRequest *r = describe_request(c);
    Ecs__V1__DescribeTasksResponse *m = api_new(c, &ecs__v1__describe_tasks_response__descriptor);
    struct failures failures;
    uint32_t cluster;
    int rv = ref_cluster(c, r->cluster, &cluster);
    failures_init(&failures, c, r->n_tasks);
    m->tasks = api_list(c, r->n_tasks);
    for (size_t i = 0; i < r->n_tasks && rv == 0; i++) {
        uint32_t slot;
        rv = find_task(c, cluster, r->tasks[i], &slot);
        if (rv == 0 && slot == SLOT_NONE) {
            failures_add(&failures, c, ref_guess_arn(c, REF_TASK, cluster, r->tasks[i]), "MISSING",
                         NULL);
        } else if (rv == 0) {
            Ecs__V1__Task *t = describe_task(c, slot, wants_tags(r));
            rv = t == NULL ? ERR_INTERNAL : 0;
            m->tasks[m->n_tasks++] = t;
        }
    }
    m->failures = failures.v;
    m->n_failures = failures.n;
    c->response = &m->base;
    return rv;
}

const struct api_handler op_describe_tasks = {
    .kind = API_READ,
    .check = describe_check,
    .read = describe_read,
};

/* --- ListTasks ---------------------------------------------------------------------------------
 */

struct task_filter {
    uint32_t cluster;
    uint32_t node; /* SLOT_NONE: any, as the next. */
    uint32_t service;
    struct str family; /* Empty: any, as the next. */
    struct str started_by;
    uint8_t desired;
    bool has_launch_type;
    uint8_t launch_type;
    bool nothing; /* No task can match. */
};

static const Ecs__V1__ListTasksRequest *list_request(const struct api_call *c)
{
    return (const Ecs__V1__ListTasksRequest *)c->request;
}

static int list_check(struct api_call *c)
{
    return valid_unset(c, "daemonName", list_request(c)->daemon_name != NULL);
}

static void filter_words(const Ecs__V1__ListTasksRequest *r, struct task_filter *f)
{
    f->family = str_of(r->family);
    f->started_by = str_of(r->started_by);
    f->desired = TASK_RUNNING;
    if (r->has_desired_status) {
        f->desired = r->desired_status == ECS__V1__DESIRED_STATUS__VALUE__STOPPED ? TASK_STOPPED
                                                                                  : TASK_RUNNING;
        /* Nothing is ever wanted to be PENDING; ECS accepts the word all the same. */
        f->nothing = r->desired_status == ECS__V1__DESIRED_STATUS__VALUE__PENDING;
    }
    if (r->has_launch_type) {
        f->has_launch_type = true;
        f->launch_type =
            r->launch_type == ECS__V1__LAUNCH_TYPE__VALUE__EXTERNAL ? LAUNCH_EXTERNAL : LAUNCH_EC2;
        f->nothing |= r->launch_type != ECS__V1__LAUNCH_TYPE__VALUE__EXTERNAL &&
                      r->launch_type != ECS__V1__LAUNCH_TYPE__VALUE__EC2;
    }
}

static int read_filter(struct api_call *c, struct task_filter *f)
{
    const Ecs__V1__ListTasksRequest *r = list_request(c);
    int rv = ref_cluster(c, r->cluster, &f->cluster);
    f->node = SLOT_NONE;
    f->service = SLOT_NONE;
    if (rv == 0 && r->container_instance != NULL && r->container_instance[0] != '\0') {
        rv = ref_node(c, f->cluster, r->container_instance, &f->node);
    }
    if (rv == 0 && r->service_name != NULL && r->service_name[0] != '\0') {
        rv = ref_service(c, f->cluster, r->service_name, &f->service);
    }
    filter_words(r, f);
    return rv;
}

static bool matches(const struct api_call *c, const struct task_filter *f, const struct task *t)
{
    return t->cluster == f->cluster && t->desired == f->desired && !f->nothing &&
           (f->node == SLOT_NONE || t->node == f->node) &&
           (f->service == SLOT_NONE || t->service == f->service) &&
           (!f->has_launch_type || t->launch_type == f->launch_type) &&
           (f->started_by.n == 0 || str_eq(f->started_by, t->started_by)) &&
           (f->family.n == 0 || str_eq(f->family, store_taskdef(api_store(c), t->taskdef)->family));
}

static void offer(struct api_call *c, const struct task_filter *f, struct page *p, uint32_t slot)
{
    const struct task *t = store_task(api_store(c), slot);
    if (t != NULL && (!p->resumed || slot > p->after) && matches(c, f, t)) {
        page_offer(p, slot);
    }
}

/* Along the shortest list that holds all candidates. */
static void offer_all(struct api_call *c, const struct task_filter *f, struct page *p)
{
    const struct store *s = api_store(c);
    uint32_t slot;
    if (f->service != SLOT_NONE) {
        slot = store_service(s, f->service)->first_task;
        for (; slot != SLOT_NONE; slot = store_task(s, slot)->in_service.next) {
            offer(c, f, p, slot);
        }
        return;
    }
    if (f->node != SLOT_NONE) {
        slot = store_node(s, f->node)->first_task;
        for (; slot != SLOT_NONE; slot = store_task(s, slot)->on_node.next) {
            offer(c, f, p, slot);
        }
        return;
    }
    uint32_t end = store_slots(s, KIND_TASK);
    for (uint64_t i = p->resumed ? p->after + 1 : 0; i < end && !page_full(p); i++) {
        offer(c, f, p, (uint32_t)i);
    }
}

static uint64_t question_of(const struct api_call *c, const struct task_filter *f)
{
    uint32_t numbers[] = {f->cluster, f->node,        f->service,
                          f->desired, f->launch_type, f->has_launch_type};
    uint64_t h = page_question(c, str_make((const char *)numbers, sizeof numbers), 0);
    return page_question(c, f->started_by, page_question(c, f->family, h));
}

static int list_read(struct api_call *c)
{
    const Ecs__V1__ListTasksRequest *r = list_request(c);
    Ecs__V1__ListTasksResponse *m = api_new(c, &ecs__v1__list_tasks_response__descriptor);
    struct task_filter f = {0};
    struct page page;
    int rv = read_filter(c, &f);
    if (rv == 0) {
        rv = page_open(&page, c, r->has_max_results, r->max_results, PAGE_MAX, r->next_token,
                       question_of(c, &f), NULL);
    }
    if (rv != 0) {
        return rv;
    }
    offer_all(c, &f, &page);
    m->next_token = page_close(&page);
    m->task_arns = api_list(c, page.n);
    for (uint32_t i = 0; i < page.n; i++) {
        m->task_arns[m->n_task_arns++] = ref_task_arn(c, page.slot[i]);
    }
    c->response = &m->base;
    return 0;
}

const struct api_handler op_list_tasks = {
    .kind = API_READ,
    .check = list_check,
    .read = list_read,
};
