/* What the clients ask of ecs. Keys of the history say what they are about, so that a read can be
 * made from a key alone:
 *
 *   tag/SERVICE/KEY   register   TagResource, ListTagsForResource
 *   count/SERVICE     register   UpdateService desiredCount, DescribeServices
 *   family/FAMILY     counter    RegisterTaskDefinition, DescribeTaskDefinition
 *   token/TOKEN       token      RunTask clientToken, ListTasks startedBy
 *   task/ID           latch      StopTask, DescribeTasks desiredStatus
 *
 * The services match no node, so their counts may be anything. */
#include "tests/load/load.h"

#include "common/base/hash.h"
#include "common/loop/sysmem.h"
#include "controller/codec/pbc.h"
#include "controller/codec/transcode.h"
#include "proto/ecs/v1/ecs.pb-c.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define TAGS_PER_SERVICE 8
#define COUNT_MAX        100000

/* --- requests -----------------------------------------------------------------------------------
 */

/* The request from its JSON text; our own texts are always right. */
static void ask(struct worker *w, const char *method, const char *json)
{
    const ProtobufCServiceDescriptor *service = &ecs__v1__ecs_service__descriptor;
    ProtobufCMessage *m = NULL;
    struct err err = {0};
    w->op.method = protobuf_c_service_descriptor_get_method_by_name(service, method);
    assert(w->op.method != NULL);
    w->op.path = arena_printf(&w->arena, "/%s/%s", service->name, method);
    if (transcode_read(w->op.method->input, str_of(json), &w->arena, &m, &err) != 0) {
        (void)fprintf(stderr, "ecs-load: %s: %s: %s\n", method, json, err.text);
        abort();
    }
    w->op.request = pbc_pack_arena(m, &w->arena);
}

static void begin(struct worker *w, enum hist_kind kind, const char *key, int64_t value)
{
    w->op.kind = kind;
    w->op.value = value;
    (void)str_copy(w->op.key, sizeof w->op.key, str_of(key));
}

/* "tag/web/k1" -> "web" and "k1". */
static struct str key_part(const char *key, struct str *rest)
{
    (void)str_cut(str_of(key), '/', rest);
    return str_cut(*rest, '/', rest);
}

static void ask_with_tag(struct worker *w, bool write)
{
    struct str tag;
    struct str service = key_part(w->op.key, &tag);
    const char *arn =
        arena_printf(&w->arena, "%s%.*s", buf_cstr(&w->load->arn_prefix), STR_ARG(service));
    if (write) {
        ask(w, "TagResource",
            arena_printf(
                &w->arena,
                "{\"resourceArn\":\"%s\",\"tags\":[{\"key\":\"%.*s\",\"value\":\"%lld\"}]}", arn,
                STR_ARG(tag), (long long)w->op.value));
    } else {
        ask(w, "ListTagsForResource", arena_printf(&w->arena, "{\"resourceArn\":\"%s\"}", arn));
    }
}

static void ask_with_count(struct worker *w, bool write)
{
    const char *cluster = w->load->config.cluster;
    struct str rest;
    struct str service = key_part(w->op.key, &rest);
    if (write) {
        ask(w, "UpdateService",
            arena_printf(&w->arena,
                         "{\"cluster\":\"%s\",\"service\":\"%.*s\",\"desiredCount\":%lld}", cluster,
                         STR_ARG(service), (long long)w->op.value));
    } else {
        ask(w, "DescribeServices",
            arena_printf(&w->arena, "{\"cluster\":\"%s\",\"services\":[\"%.*s\"]}", cluster,
                         STR_ARG(service)));
    }
}

static void ask_with_family(struct worker *w, bool write)
{
    struct str rest;
    struct str family = key_part(w->op.key, &rest);
    if (write) {
        ask(w, "RegisterTaskDefinition",
            arena_printf(&w->arena,
                         "{\"family\":\"%.*s\",\"containerDefinitions\":[{\"name\":\"a\","
                         "\"image\":\"none\",\"cpu\":16,\"memory\":16}]}",
                         STR_ARG(family)));
    } else {
        ask(w, "DescribeTaskDefinition",
            arena_printf(&w->arena, "{\"taskDefinition\":\"%.*s\"}", STR_ARG(family)));
    }
}

static void ask_with_token(struct worker *w, bool write)
{
    const struct load_config *config = &w->load->config;
    struct str rest;
    struct str token = key_part(w->op.key, &rest);
    if (write) {
        ask(w, "RunTask",
            arena_printf(&w->arena,
                         "{\"cluster\":\"%s\",\"taskDefinition\":\"%s\",\"clientToken\":\"%.*s\","
                         "\"startedBy\":\"%.*s\"}",
                         config->cluster, config->task_definition, STR_ARG(token), STR_ARG(token)));
    } else {
        ask(w, "ListTasks",
            arena_printf(&w->arena,
                         "{\"cluster\":\"%s\",\"startedBy\":\"%.*s\",\"desiredStatus\":\"%s\"}",
                         config->cluster, STR_ARG(token), w->op.step == 0 ? "RUNNING" : "STOPPED"));
    }
}

static void ask_with_task(struct worker *w, bool write)
{
    const char *cluster = w->load->config.cluster;
    struct str rest;
    struct str task = key_part(w->op.key, &rest);
    if (write) {
        ask(w, "StopTask",
            arena_printf(&w->arena, "{\"cluster\":\"%s\",\"task\":\"%.*s\"}", cluster,
                         STR_ARG(task)));
    } else {
        ask(w, "DescribeTasks",
            arena_printf(&w->arena, "{\"cluster\":\"%s\",\"tasks\":[\"%.*s\"]}", cluster,
                         STR_ARG(task)));
    }
}

static void make_request(struct worker *w)
{
    switch (w->op.kind) {
    case HIST_REGISTER_WRITE:
    case HIST_REGISTER_READ:
        if (str_starts(str_of(w->op.key), "tag/")) {
            ask_with_tag(w, w->op.kind == HIST_REGISTER_WRITE);
        } else {
            ask_with_count(w, w->op.kind == HIST_REGISTER_WRITE);
        }
        break;
    case HIST_COUNTER_NEXT:
    case HIST_COUNTER_READ:
        ask_with_family(w, w->op.kind == HIST_COUNTER_NEXT);
        break;
    case HIST_TOKEN_RUN:
    case HIST_TOKEN_READ:
        ask_with_token(w, w->op.kind == HIST_TOKEN_RUN);
        break;
    case HIST_LATCH_SET:
    case HIST_LATCH_READ:
        ask_with_task(w, w->op.kind == HIST_LATCH_SET);
        break;
    case HIST_KIND_N:
        abort();
    }
}

/* --- what next ----------------------------------------------------------------------------------
 */

static bool setup(struct worker *w)
{
    struct load *l = w->load;
    size_t step = l->n_setup;
    if (step > l->config.keys) {
        return false;
    }
    l->n_setup++;
    begin(w, HIST_KIND_N, "setup", 0);
    if (step == 0) {
        ask(w, "RegisterTaskDefinition",
            arena_printf(&w->arena,
                         "{\"family\":\"%s-none\",\"containerDefinitions\":[{\"name\":\"a\","
                         "\"image\":\"none\",\"cpu\":16,\"memory\":16}]}",
                         l->config.prefix));
        return true;
    }
    ask(w, "CreateService",
        arena_printf(
            &w->arena,
            "{\"cluster\":\"%s\",\"serviceName\":\"%s-s%zu\",\"taskDefinition\":\"%s-none\","
            "\"desiredCount\":0,\"clientToken\":\"%s-s%zu\",\"placementConstraints\":"
            "[{\"type\":\"memberOf\",\"expression\":\"attribute:ecs-load exists\"}]}",
            l->config.cluster, l->config.prefix, step, l->config.prefix, l->config.prefix, step));
    return true;
}

static void choose_token(struct worker *w)
{
    struct load *l = w->load;
    if (w->token[0] == '\0') {
        (void)snprintf(w->token, sizeof w->token, "token/%s-%llu", l->config.prefix,
                       (unsigned long long)++l->next_token);
    }
    begin(w, HIST_TOKEN_RUN, w->token, 0);
}

static bool choose_stop(struct worker *w)
{
    struct load *l = w->load;
    uint64_t n = l->n_tasks < LOAD_TASKS_MAX ? l->n_tasks : LOAD_TASKS_MAX;
    if (n == 0) {
        return false;
    }
    begin(w, HIST_LATCH_SET, arena_printf(&w->arena, "task/%s", l->tasks[prng_below(&l->prng, n)]),
          1);
    return true;
}

static void choose_register(struct worker *w, bool tag)
{
    struct load *l = w->load;
    unsigned long long service = 1 + prng_below(&l->prng, l->config.keys);
    int64_t value = ++l->next_value;
    if (tag) {
        begin(w, HIST_REGISTER_WRITE,
              arena_printf(&w->arena, "tag/%s-s%llu/k%llu", l->config.prefix, service,
                           (unsigned long long)prng_below(&l->prng, TAGS_PER_SERVICE)),
              value);
    } else {
        begin(w, HIST_REGISTER_WRITE,
              arena_printf(&w->arena, "count/%s-s%llu", l->config.prefix, service),
              1 + value % COUNT_MAX);
    }
}

static void choose_family(struct worker *w)
{
    struct load *l = w->load;
    begin(w, HIST_COUNTER_NEXT,
          arena_printf(&w->arena, "family/%s-f%llu", l->config.prefix,
                       (unsigned long long)prng_below(&l->prng, l->config.keys)),
          0);
}

static void choose_write(struct worker *w)
{
    const struct load_config *c = &w->load->config;
    uint64_t tag = c->weight_tag;
    uint64_t count = tag + c->weight_count;
    uint64_t family = count + c->weight_family;
    uint64_t run = family + (c->task_definition == NULL ? 0 : c->weight_run);
    uint64_t all = run + (c->task_definition == NULL ? 0 : c->weight_stop);
    uint64_t draw = prng_below(&w->load->prng, all);
    if (draw >= run && choose_stop(w)) {
        return;
    }
    if (draw < count || all == count) {
        choose_register(w, draw < tag);
    } else if (draw < family || family == run) {
        choose_family(w);
    } else {
        choose_token(w);
    }
}

/* A token that waits for its answer goes first. Reads ask about the object a write was drawn for.
 */
static void choose(struct worker *w)
{
    struct load *l = w->load;
    if (w->token[0] != '\0') {
        choose_token(w);
    } else {
        choose_write(w);
        if (prng_below(&l->prng, 100) < l->config.reads && w->op.kind != HIST_TOKEN_RUN) {
            w->op.kind = (enum hist_kind)(w->op.kind + 1);
            w->op.value = 0;
        }
    }
    w->op.step = 0;
    make_request(w);
}

static void read_back(struct worker *w, enum hist_kind kind, const char *key)
{
    begin(w, kind, key, 0);
    w->op.step = 0;
    make_request(w);
}

/* --- answers ------------------------------------------------------------------------------------
 */

/* Effects are named by a number: the hash of the task's ARN. */
static int64_t effect_of(const char *arn)
{
    return (int64_t)(hash_bytes(arn, strlen(arn), 0) >> 2) + 1;
}

static void remember_task(struct load *l, const char *arn)
{
    const char *id = strrchr(arn, '/');
    if (id != NULL) {
        (void)str_copy(l->tasks[l->n_tasks++ % LOAD_TASKS_MAX], sizeof l->tasks[0], str_of(id + 1));
    }
}

static int64_t tag_value(const Ecs__V1__ListTagsForResourceResponse *m, struct str key)
{
    for (size_t i = 0; i < m->n_tags; i++) {
        if (m->tags[i]->key != NULL && str_eqc(key, m->tags[i]->key)) {
            return strtoll(m->tags[i]->value, NULL, 10);
        }
    }
    return 0;
}

static void understand_read_register(struct worker *w, const ProtobufCMessage *m,
                                     struct outcome *ret)
{
    struct str tag;
    (void)key_part(w->op.key, &tag);
    if (tag.n > 0) {
        ret->value = tag_value((const Ecs__V1__ListTagsForResourceResponse *)m, tag);
        return;
    }
    const Ecs__V1__DescribeServicesResponse *services =
        (const Ecs__V1__DescribeServicesResponse *)m;
    ret->value = services->n_services == 1 ? services->services[0]->desired_count : -1;
}

/* The running ones first, then the stopped: a task that stops in between is seen twice, not never.
 */
static bool understand_tasks(struct worker *w, const Ecs__V1__ListTasksResponse *m,
                             struct outcome *ret)
{
    int64_t seen = w->op.step == 0 ? 0 : w->op.found;
    ret->second = 0;
    for (size_t i = 0; i < m->n_task_arns; i++) {
        int64_t effect = effect_of(m->task_arns[i]);
        if (seen != 0 && seen != effect) {
            ret->second = effect;
        }
        seen = seen == 0 ? effect : seen;
    }
    ret->value = seen;
    if (w->op.step > 0 || ret->second != 0) {
        return false;
    }
    w->op.found = seen;
    w->op.step = 1;
    make_request(w);
    return true;
}

static void understand_run(struct worker *w, const Ecs__V1__RunTaskResponse *m, struct outcome *ret)
{
    if (m->n_tasks == 0) {
        ret->nothing = true;
        return;
    }
    ret->value = effect_of(m->tasks[0]->task_arn);
    remember_task(w->load, m->tasks[0]->task_arn);
}

static void understand_setup(struct load *l, const Ecs__V1__CreateServiceResponse *m)
{
    const char *arn = m->service->service_arn;
    buf_clear(&l->arn_prefix);
    buf_put(&l->arn_prefix, arn, (size_t)(strrchr(arn, '/') + 1 - arn));
}

static bool understand(struct worker *w, const ProtobufCMessage *m, struct outcome *ret)
{
    switch (w->op.kind) {
    case HIST_REGISTER_READ:
        understand_read_register(w, m, ret);
        break;
    case HIST_COUNTER_NEXT:
        ret->value =
            ((const Ecs__V1__RegisterTaskDefinitionResponse *)m)->task_definition->revision;
        break;
    case HIST_COUNTER_READ:
        ret->value =
            ((const Ecs__V1__DescribeTaskDefinitionResponse *)m)->task_definition->revision;
        break;
    case HIST_TOKEN_RUN:
        understand_run(w, (const Ecs__V1__RunTaskResponse *)m, ret);
        break;
    case HIST_TOKEN_READ:
        return understand_tasks(w, (const Ecs__V1__ListTasksResponse *)m, ret);
    case HIST_LATCH_READ: {
        const Ecs__V1__DescribeTasksResponse *tasks = (const Ecs__V1__DescribeTasksResponse *)m;
        ret->value =
            tasks->n_tasks == 1 && strcmp(tasks->tasks[0]->desired_status, "STOPPED") != 0 ? 0 : 1;
        break;
    }
    case HIST_KIND_N:
        if (m->descriptor == &ecs__v1__create_service_response__descriptor) {
            understand_setup(w->load, (const Ecs__V1__CreateServiceResponse *)m);
        }
        break;
    case HIST_REGISTER_WRITE:
    case HIST_LATCH_SET:
        break;
    }
    return false;
}

static bool answer(struct worker *w, struct str message, struct outcome *ret)
{
    ProtobufCMessage *m = NULL;
    struct err err = {0};
    if (pbc_unpack(w->op.method->output, message, &w->arena, &m, &err) != 0) {
        (void)fprintf(stderr, "ecs-load: %s: %s\n", w->op.path, err.text);
        abort();
    }
    return understand(w, m, ret);
}

const struct ops ecs_ops = {setup, choose, read_back, answer};
