/* Task definitions: register, deregister, delete, describe. */
#include "controller/api/api.h"
#include "controller/api/describe.h"
#include "controller/api/operation.h"
#include "controller/api/ref.h"
#include "controller/api/valid.h"
#include "controller/codec/taskdef.h"
#include "controller/core/limits.h"

#define DELETE_MAX 10

static Ecs__V1__TaskDefinition *describe_taskdef(struct api_call *c, uint32_t slot)
{
    struct err err = {0};
    Ecs__V1__TaskDefinition *m;
    const struct taskdef *row = store_taskdef(api_store(c), slot);
    if (taskdef_to_public(row, api_names(c->api), &c->arena, &m, &err) != 0) {
        (void)api_fail_err(c, ERR_INTERNAL, &err);
        return NULL;
    }
    return m;
}

/* --- RegisterTaskDefinition --------------------------------------------------------------------
 */

static const Ecs__V1__RegisterTaskDefinitionRequest *register_request(const struct api_call *c)
{
    return (const Ecs__V1__RegisterTaskDefinitionRequest *)c->request;
}

/* The checks cost more than anything else here and need no state: they are made once, where the
 * request arrived, and again on the leader only when another controller has sent it on. */
static int register_read(struct api_call *c, struct taskdef *ret)
{
    struct err err = {0};
    struct tags tags;
    int rv = valid_tags(c, register_request(c)->tags, register_request(c)->n_tags, &tags);
    if (rv != 0) {
        return rv;
    }
    rv = taskdef_from_request(register_request(c), &c->arena, ret, &err);
    if (rv == ERR_INVALID || rv == ERR_PARSE || rv == ERR_TOOBIG) {
        return api_fail(c, API_CLIENT, "%s", err.text);
    }
    return rv != 0 ? api_fail_err(c, rv, &err) : 0;
}

/* An ARN, because AWS says who registered it with one. */
static struct str caller_arn(struct api_call *c)
{
    const struct arn_names *n = api_names(c->api);
    return str_of(
        arena_printf(&c->arena, "arn:%s:iam::%s:user/%s", n->partition, n->account, c->caller.id));
}

static int register_check(struct api_call *c)
{
    struct taskdef *def = arena_alloc(&c->arena, sizeof *def);
    int rv = register_read(c, def);
    if (rv == 0) {
        def->registered_by = caller_arn(c);
        c->checked = def;
    }
    return rv;
}

static int register_decide(struct api_call *c, struct command *cmd)
{
    cmd->kind = CMD_TASKDEF_REGISTER;
    cmd->u.taskdef.def = *(const struct taskdef *)c->checked;
    return 0;
}

static int register_applied(struct api_call *c, const struct result *result)
{
    Ecs__V1__RegisterTaskDefinitionResponse *m =
        api_new(c, &ecs__v1__register_task_definition_response__descriptor);
    m->task_definition = describe_taskdef(c, result->slot);
    m->tags = describe_tags(c, &store_taskdef(api_store(c), result->slot)->tags, &m->n_tags);
    c->response = &m->base;
    return m->task_definition == NULL ? ERR_INTERNAL : 0;
}

const struct api_handler op_register_task_definition = {
    .kind = API_WRITE,
    .check = register_check,
    .decide = register_decide,
    .applied = register_applied,
};

/* --- DeregisterTaskDefinition ------------------------------------------------------------------
 */

static const char *deregister_name(const struct api_call *c)
{
    return ((const Ecs__V1__DeregisterTaskDefinitionRequest *)c->request)->task_definition;
}

/* Both refuse "family" alone: what is meant would depend on the moment. */
static int exact(struct api_call *c, const char *text, uint32_t *ret)
{
    struct err err = {0};
    struct str family;
    uint32_t revision = 0;
    if (arn_parse_taskdef(api_names(c->api), text, &family, &revision, &err) != 0) {
        return api_fail(c, API_INVALID_PARAMETER, "%s", err.text);
    }
    if (revision == 0) {
        return api_fail(c, API_INVALID_PARAMETER,
                        "Invalid revision number. Specify the task definition as family:revision.");
    }
    *ret = store_find_taskdef(api_store(c), family, revision);
    return 0;
}

static int deregister_check(struct api_call *c)
{
    return ref_required(c, "taskDefinition", deregister_name(c));
}

static int deregister_decide(struct api_call *c, struct command *cmd)
{
    const struct taskdef *row;
    uint32_t slot;
    int rv = exact(c, deregister_name(c), &slot);
    if (rv != 0) {
        return rv;
    }
    if (slot == SLOT_NONE) {
        return api_fail(c, API_CLIENT_NOT_FOUND, "Unable to describe task definition.");
    }
    row = store_taskdef(api_store(c), slot);
    if (row->status != TASKDEF_ACTIVE) {
        return api_fail(c, API_CLIENT_STATE, "The specified task definition is not ACTIVE.");
    }
    cmd->kind = CMD_TASKDEF_DEREGISTER;
    cmd->u.taskdef_ref.family = str_make(api_text(c, row->family), row->family.n);
    cmd->u.taskdef_ref.revision = row->revision;
    return 0;
}

static int deregister_applied(struct api_call *c, const struct result *result)
{
    Ecs__V1__DeregisterTaskDefinitionResponse *m =
        api_new(c, &ecs__v1__deregister_task_definition_response__descriptor);
    m->task_definition = describe_taskdef(c, result->slot);
    c->response = &m->base;
    return m->task_definition == NULL ? ERR_INTERNAL : 0;
}

const struct api_handler op_deregister_task_definition = {
    .kind = API_WRITE,
    .check = deregister_check,
    .decide = deregister_decide,
    .applied = deregister_applied,
};

/* --- DeleteTaskDefinitions ---------------------------------------------------------------------
 * One command for each definition that can be deleted; the others become failures. */

struct delete_state {
    Ecs__V1__DeleteTaskDefinitionsResponse *response;
    struct failures failures;
    size_t next; /* Of the request's list. */
};

static const Ecs__V1__DeleteTaskDefinitionsRequest *delete_request(const struct api_call *c)
{
    return (const Ecs__V1__DeleteTaskDefinitionsRequest *)c->request;
}

static int delete_check(struct api_call *c)
{
    return valid_count(c, "taskDefinitions", delete_request(c)->n_task_definitions, DELETE_MAX);
}

static struct delete_state *delete_state(struct api_call *c)
{
    struct delete_state *s = c->state;
    if (s == NULL) {
        size_t n = delete_request(c)->n_task_definitions;
        s = arena_alloc(&c->arena, sizeof *s);
        s->response = api_new(c, &ecs__v1__delete_task_definitions_response__descriptor);
        s->response->task_definitions = api_list(c, n);
        failures_init(&s->failures, c, n);
        c->state = s;
    }
    return s;
}

static int delete_finish(struct api_call *c, struct delete_state *s)
{
    s->response->failures = s->failures.v;
    s->response->n_failures = s->failures.n;
    c->response = &s->response->base;
    return 0;
}

/* The next one that needs a command: its slot, or SLOT_NONE at the end of the list. */
static int delete_next(struct api_call *c, struct delete_state *s, uint32_t *ret)
{
    const Ecs__V1__DeleteTaskDefinitionsRequest *r = delete_request(c);
    for (; s->next < r->n_task_definitions; s->next++) {
        const char *text = r->task_definitions[s->next];
        uint32_t slot;
        int rv = exact(c, text, &slot);
        if (rv != 0) {
            return rv;
        }
        if (slot == SLOT_NONE) {
            failures_add(&s->failures, c, ref_guess_arn(c, REF_TASKDEF, SLOT_NONE, text), "MISSING",
                         "The specified task definition does not exist. Specify a valid account, "
                         "family, revision and try again.");
        } else if (store_taskdef(api_store(c), slot)->status == TASKDEF_ACTIVE) {
            failures_add(&s->failures, c, ref_taskdef_arn(c, slot), "INVALID_STATE",
                         "The specified task definition is still in ACTIVE status. Please "
                         "deregister the target and try again.");
        } else {
            *ret = slot;
            return 0;
        }
    }
    *ret = SLOT_NONE;
    return 0;
}

static int delete_decide(struct api_call *c, struct command *cmd)
{
    struct delete_state *s = delete_state(c);
    const struct taskdef *row;
    uint32_t slot;
    int rv = delete_next(c, s, &slot);
    if (rv != 0) {
        return rv;
    }
    if (slot == SLOT_NONE) {
        return 1;
    }
    row = store_taskdef(api_store(c), slot);
    cmd->kind = CMD_TASKDEF_DELETE;
    cmd->u.taskdef_ref.family = str_make(api_text(c, row->family), row->family.n);
    cmd->u.taskdef_ref.revision = row->revision;
    return 0;
}

/* What is deleted may be gone at once, when nothing uses it: then only its name is left. */
static int delete_applied(struct api_call *c, const struct result *result)
{
    struct delete_state *s = delete_state(c);
    Ecs__V1__TaskDefinition *m;
    uint32_t slot;
    int rv;
    if (result == NULL) {
        return delete_finish(c, s);
    }
    rv = exact(c, delete_request(c)->task_definitions[s->next], &slot);
    if (rv != 0) {
        return rv;
    }
    if (slot != SLOT_NONE) {
        m = describe_taskdef(c, slot);
        if (m == NULL) {
            return ERR_INTERNAL;
        }
    } else {
        const char *text = delete_request(c)->task_definitions[s->next];
        m = api_new(c, &ecs__v1__task_definition__descriptor);
        m->task_definition_arn = ref_guess_arn(c, REF_TASKDEF, SLOT_NONE, text);
        API_SET(m, status, ECS__V1__TASK_DEFINITION_STATUS__VALUE__DELETE_IN_PROGRESS);
    }
    s->response->task_definitions[s->response->n_task_definitions++] = m;
    s->next++;
    return API_LATER;
}

static int delete_rejected(struct api_call *c, const struct result *result)
{
    struct delete_state *s = delete_state(c);
    const char *text = delete_request(c)->task_definitions[s->next];
    failures_add(&s->failures, c, ref_guess_arn(c, REF_TASKDEF, SLOT_NONE, text),
                 result->reject == REJECT_TASKDEF_NOT_FOUND ? "MISSING" : "INVALID_STATE",
                 result->text);
    s->next++;
    return API_LATER;
}

const struct api_handler op_delete_task_definitions = {
    .kind = API_WRITE,
    .check = delete_check,
    .decide = delete_decide,
    .applied = delete_applied,
    .rejected = delete_rejected,
};

/* --- DescribeTaskDefinition --------------------------------------------------------------------
 */

static int describe_check(struct api_call *c)
{
    const Ecs__V1__DescribeTaskDefinitionRequest *r =
        (const Ecs__V1__DescribeTaskDefinitionRequest *)c->request;
    return ref_required(c, "taskDefinition", r->task_definition);
}

static int describe_read(struct api_call *c)
{
    const Ecs__V1__DescribeTaskDefinitionRequest *r =
        (const Ecs__V1__DescribeTaskDefinitionRequest *)c->request;
    Ecs__V1__DescribeTaskDefinitionResponse *m =
        api_new(c, &ecs__v1__describe_task_definition_response__descriptor);
    uint32_t slot;
    int rv = find_taskdef(c, r->task_definition, &slot);
    if (rv != 0) {
        return rv;
    }
    if (slot == SLOT_NONE) {
        return api_fail(c, API_CLIENT_NOT_FOUND, "Unable to describe task definition.");
    }
    m->task_definition = describe_taskdef(c, slot);
    for (size_t i = 0; i < r->n_include; i++) {
        if (r->include[i] == ECS__V1__TASK_DEFINITION_FIELD__VALUE__TAGS) {
            m->tags = describe_tags(c, &store_taskdef(api_store(c), slot)->tags, &m->n_tags);
        }
    }
    c->response = &m->base;
    return m->task_definition == NULL ? ERR_INTERNAL : 0;
}

const struct api_handler op_describe_task_definition = {
    .kind = API_READ,
    .check = describe_check,
    .read = describe_read,
};
