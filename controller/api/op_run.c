/* RunTask and StartTask: decided on the leader's newest state and written as one plan. */
#include "controller/api/api.h"
#include "controller/api/describe.h"
#include "controller/api/operation.h"
#include "controller/api/ref.h"
#include "controller/api/run.h"
#include "controller/api/valid.h"
#include "controller/core/limits.h"

#include <assert.h>

#define START_NODES_MAX 10
#define RUN_ATTEMPTS    3 /* When nodes change between decision and apply. */

struct run_state {
    Ecs__V1__Task **tasks;
    size_t n_tasks;
    struct failures failures;
    uint32_t n_planned; /* By the plan in flight. */
    struct id *known;   /* The answer of an earlier request with the same token. */
    uint32_t n_known;
};

static struct run_state *state_of(struct api_call *c, uint32_t count)
{
    struct run_state *s = c->state;
    if (s == NULL) {
        s = arena_alloc(&c->arena, sizeof *s);
        s->tasks = api_list(c, count);
        c->state = s;
    }
    return s;
}

/* --- failures ----------------------------------------------------------------------------------
 */

static void take_failures(struct api_call *c, struct run_state *s, const struct run_request *r,
                          const struct run_decision *d, size_t n_before)
{
    struct failures before = s->failures;
    failures_init(&s->failures, c, n_before + d->n_failures + 1);
    for (size_t i = 0; i < n_before; i++) {
        s->failures.v[s->failures.n++] = before.v[i];
    }
    for (uint32_t i = 0; i < d->n_failures; i++) {
        const struct run_failure *f = &d->failures[i];
        char *arn =
            f->node == SLOT_NONE ? ref_cluster_arn(c, r->cluster) : ref_node_arn(c, f->node);
        failures_add(&s->failures, c, arn, api_text(c, f->reason), api_text(c, f->detail));
    }
}

/* --- the token ---------------------------------------------------------------------------------
 */

/* A request that was carried out before is answered from what it made. */
static bool seen_before(struct api_call *c, struct run_state *s, const struct run_request *r)
{
    const struct token *t;
    uint32_t slot;
    if (r->token.value.n == 0) {
        return false;
    }
    slot = store_find_token(api_store(c), r->cluster, CMD_PLAN, r->token.value);
    if (slot == SLOT_NONE) {
        return false;
    }
    t = store_token(api_store(c), slot);
    if (t->params_hash != r->token.params_hash) {
        (void)api_fail(c, API_CONFLICT,
                       "The client token was used before, for a request with other parameters.");
        return true;
    }
    s->n_known = t->n_ids;
    s->known = arena_array(&c->arena, t->n_ids, sizeof *s->known);
    for (uint32_t i = 0; i < t->n_ids; i++) {
        s->known[i] = t->ids[i];
    }
    return true;
}

/* --- deciding ----------------------------------------------------------------------------------
 */

static int decide(struct api_call *c, const struct run_request *r, struct run_state *s,
                  struct command *cmd)
{
    struct run_decision d = {0};
    struct err err = {0};
    struct leader *leader = engine_leader(api_engine(c->api));
    int rv;
    assert(leader != NULL);
    if (seen_before(c, s, r)) {
        return c->error.code != API_OK ? ERR_CONFLICT : 1;
    }
    rv = leader_run(leader, r, engine_now_ms(api_engine(c->api)), &c->arena, &d, &err);
    if (rv != 0) {
        return api_fail_err(c, rv, &err);
    }
    take_failures(c, s, r, &d, s->failures.n);
    s->n_planned = d.command.u.plan.n_tasks;
    if (s->n_planned == 0 && d.command.u.plan.n_stops == 0) {
        return 1;
    }
    *cmd = d.command;
    return 0;
}

/* --- the answer --------------------------------------------------------------------------------
 */

static int add_tasks(struct api_call *c, struct run_state *s, const struct id *ids, uint32_t n,
                     uint32_t max)
{
    for (uint32_t i = 0; i < n && s->n_tasks < max; i++) {
        uint32_t slot = store_find_task(api_store(c), ids[i]);
        if (slot == SLOT_NONE) {
            continue; /* An old answer whose task has been forgotten since. */
        }
        Ecs__V1__Task *t = describe_task(c, slot, true);
        if (t == NULL) {
            return ERR_INTERNAL;
        }
        s->tasks[s->n_tasks++] = t;
    }
    return 0;
}

/* True when some of the plan did not hold any more and is worth another try. */
static bool dropped(struct api_call *c, struct run_state *s, const struct result *result,
                    bool has_token)
{
    if (result == NULL || result->duplicate || result->n_done >= s->n_planned) {
        return false;
    }
    if (!has_token && c->step + 1 < RUN_ATTEMPTS) {
        return true;
    }
    failures_add(&s->failures, c, NULL, "PLACEMENT",
                 "The cluster changed while tasks were being placed; try again.");
    return false;
}

static int collect(struct api_call *c, struct run_state *s, const struct result *result,
                   uint32_t count)
{
    if (s->known != NULL) {
        return add_tasks(c, s, s->known, s->n_known, count);
    }
    return result == NULL ? 0 : add_tasks(c, s, result->ids, result->n_done, count);
}

/* --- RunTask -----------------------------------------------------------------------------------
 */

static Ecs__V1__RunTaskRequest *run_request_of(const struct api_call *c)
{
    return (Ecs__V1__RunTaskRequest *)c->request;
}

static int run_task_check_call(struct api_call *c)
{
    return run_task_check(c, run_request_of(c));
}

static uint32_t run_count(const struct api_call *c)
{
    const Ecs__V1__RunTaskRequest *r = run_request_of(c);
    return r->has_count ? (uint32_t)r->count : 1;
}

static int run_decide(struct api_call *c, struct command *cmd)
{
    Ecs__V1__RunTaskRequest *in = run_request_of(c);
    struct run_state *s = state_of(c, run_count(c));
    struct run_request r = {0};
    int rv = run_task_prepare(c, in, &r);
    if (rv != 0) {
        return rv;
    }
    r.count -= (uint32_t)s->n_tasks; /* What an earlier attempt has placed stays. */
    s->failures.n = 0;
    r.token.value = str_of(in->client_token);
    if (r.token.value.n > 0) {
        r.token.params_hash = valid_request_hash(c, &in->client_token);
    }
    return decide(c, &r, s, cmd);
}

static int run_applied(struct api_call *c, const struct result *result)
{
    struct run_state *s = c->state;
    Ecs__V1__RunTaskResponse *m = api_new(c, &ecs__v1__run_task_response__descriptor);
    int rv = collect(c, s, result, run_count(c));
    if (rv != 0) {
        return rv;
    }
    if (dropped(c, s, result, run_request_of(c)->client_token != NULL)) {
        return API_LATER;
    }
    m->tasks = s->tasks;
    m->n_tasks = s->n_tasks;
    m->failures = s->failures.v;
    m->n_failures = s->failures.n;
    c->response = &m->base;
    return 0;
}

const struct api_handler op_run_task = {
    .kind = API_WRITE,
    .check = run_task_check_call,
    .decide = run_decide,
    .applied = run_applied,
};

/* --- StartTask ---------------------------------------------------------------------------------
 */

static const Ecs__V1__StartTaskRequest *start_request(const struct api_call *c)
{
    return (const Ecs__V1__StartTaskRequest *)c->request;
}

static void start_input(const Ecs__V1__StartTaskRequest *r, struct run_input *ret)
{
    *ret = (struct run_input){
        .cluster = r->cluster,
        .task_definition = r->task_definition,
        .group = r->group,
        .started_by = r->started_by,
        .overrides = r->overrides,
        .tags = r->tags,
        .n_tags = r->n_tags,
        .managed_tags = r->has_enable_ecs_managed_tags && r->enable_ecs_managed_tags,
        .has_propagate = r->has_propagate_tags,
        .propagate = r->propagate_tags,
    };
}

static int start_check(struct api_call *c)
{
    const Ecs__V1__StartTaskRequest *r = start_request(c);
    struct run_input in;
    start_input(r, &in);
    int rv = run_check(c, &in);
    if (rv == 0) {
        rv = valid_count(c, "containerInstances", r->n_container_instances, START_NODES_MAX);
    }
    if (rv == 0) {
        rv = valid_unset(c, "networkConfiguration", r->network_configuration != NULL);
    }
    if (rv == 0) {
        rv = valid_unset(c, "enableExecuteCommand",
                         r->has_enable_execute_command && r->enable_execute_command);
    }
    return rv != 0 ? rv : valid_unset(c, "volumeConfigurations", r->n_volume_configurations > 0);
}

/* The instances that exist; the others become failures. */
static int start_nodes(struct api_call *c, struct run_state *s, struct run_request *to)
{
    const Ecs__V1__StartTaskRequest *r = start_request(c);
    uint32_t *nodes = arena_array(&c->arena, r->n_container_instances, sizeof *nodes);
    failures_init(&s->failures, c, r->n_container_instances);
    to->nodes = nodes;
    for (size_t i = 0; i < r->n_container_instances; i++) {
        const char *text = r->container_instances[i];
        uint32_t slot;
        int rv = find_node(c, to->cluster, text, &slot);
        if (rv != 0) {
            return rv;
        }
        if (slot == SLOT_NONE) {
            failures_add(&s->failures, c, ref_guess_arn(c, REF_NODE, to->cluster, text), "MISSING",
                         NULL);
        } else if (store_node(api_store(c), slot)->status == NODE_INACTIVE) {
            failures_add(&s->failures, c, ref_node_arn(c, slot), "INACTIVE", NULL);
        } else {
            nodes[to->n_nodes++] = slot;
        }
    }
    return 0;
}

static int start_decide(struct api_call *c, struct command *cmd)
{
    struct run_state *s = state_of(c, START_NODES_MAX);
    struct run_request r = {0};
    struct run_input in;
    int rv;
    start_input(start_request(c), &in);
    rv = run_prepare(c, &in, &r);
    if (rv == 0) {
        rv = start_nodes(c, s, &r);
    }
    if (rv != 0) {
        return rv;
    }
    if (r.n_nodes == 0) {
        return 1;
    }
    r.count = r.n_nodes;
    r.seed = engine_random(api_engine(c->api));
    return decide(c, &r, s, cmd);
}

static int start_applied(struct api_call *c, const struct result *result)
{
    struct run_state *s = c->state;
    Ecs__V1__StartTaskResponse *m = api_new(c, &ecs__v1__start_task_response__descriptor);
    int rv = collect(c, s, result, START_NODES_MAX);
    if (rv != 0) {
        return rv;
    }
    (void)dropped(c, s, result, true);
    m->tasks = s->tasks;
    m->n_tasks = s->n_tasks;
    m->failures = s->failures.v;
    m->n_failures = s->failures.n;
    c->response = &m->base;
    return 0;
}

const struct api_handler op_start_task = {
    .kind = API_WRITE,
    .check = start_check,
    .decide = start_decide,
    .applied = start_applied,
};
