#include "controller/api/api.h"

#include "controller/api/operation.h"
#include "controller/api/state.h"
#include "proto/ecs/admin/v1/admin.pb-c.h"
#include "proto/ecs/v1/ecs.pb-c.h"

#include <assert.h>
#include <string.h>

/* --- the table ---------------------------------------------------------------------------------
 */

static void fill_service(struct api *api, struct api_service *s,
                         const ProtobufCServiceDescriptor *desc, uint32_t first)
{
    s->desc = desc;
    s->first = first;
    for (unsigned i = 0; i < desc->n_methods; i++) {
        const ProtobufCMethodDescriptor *m = &desc->methods[i];
        struct api_op *op = &api->ops[first + i];
        op->service = desc->name;
        op->name = m->name;
        op->index = first + i;
        op->request = m->input;
        op->response = m->output;
        op->handler = api_handler_of(desc->name, m->name);
    }
}

static void build_table(struct api *api)
{
    const ProtobufCServiceDescriptor *ecs = &ecs__v1__ecs_service__descriptor;
    const ProtobufCServiceDescriptor *admin = &ecs__admin__v1__admin_service__descriptor;
    api->n_ops = ecs->n_methods + admin->n_methods;
    api->ops = mem_alloc(api->mem, api->n_ops * sizeof *api->ops);
    api->stats = mem_alloc(api->mem, api->n_ops * sizeof *api->stats);
    fill_service(api, &api->services[0], ecs, 0);
    fill_service(api, &api->services[1], admin, ecs->n_methods);
}

const struct api_op *api_find(const struct api *api, struct str service, struct str name)
{
    char text[64];
    const ProtobufCMethodDescriptor *m;
    if (!str_copy(text, sizeof text, name)) {
        return NULL;
    }
    for (unsigned i = 0; i < API_SERVICES; i++) {
        const struct api_service *s = &api->services[i];
        if (str_eqc(service, s->desc->name)) {
            m = protobuf_c_service_descriptor_get_method_by_name(s->desc, text);
            return m == NULL ? NULL : &api->ops[s->first + (uint32_t)(m - s->desc->methods)];
        }
    }
    return NULL;
}

const struct api_op *api_find_path(const struct api *api, struct str path)
{
    struct str name;
    struct str service;
    if (path.n == 0 || path.p[0] != '/') {
        return NULL;
    }
    service = str_cut(str_slice(path, 1, path.n), '/', &name);
    return api_find(api, service, name);
}

/* --- calls that wait ---------------------------------------------------------------------------
 */

static void attempt_all(struct api *api, struct list *from)
{
    struct list batch; /* What is put back meanwhile is for the next round. */
    list_init(&batch);
    list_splice(&batch, from);
    while (!list_empty(&batch)) {
        struct api_call *c = container_of(batch.next, struct api_call, wait_link);
        list_remove(&c->wait_link);
        if (c->error.code != API_OK) {
            api_call_finish(c); /* Found wrong before it began. */
        } else {
            api_call_attempt(c);
        }
    }
    (void)api;
}

static void on_soon(void *data)
{
    struct api *api = data;
    attempt_all(api, &api->ready);
}

static void on_poll(void *data)
{
    struct api *api = data;
    attempt_all(api, &api->waiting);
    if (list_empty(&api->waiting)) {
        loop_timer_stop(api->poll);
    }
}

/* Leadership may have come or gone: those who wait try again at once. */
static void on_change(void *data, const struct changes *changes)
{
    struct api *api = data;
    if (changes == NULL && !list_empty(&api->waiting)) {
        list_splice(&api->ready, &api->waiting);
        loop_soon_post(api->soon);
    }
}

/* --- life --------------------------------------------------------------------------------------
 */

static int check_names(const struct api_options *o, struct err *err)
{
    struct str account = str_of(o->account);
    struct str region = str_of(o->region);
    if (account.n != 12) {
        return err_set(err, ERR_INVALID, "account must be 12 digits");
    }
    for (size_t i = 0; i < account.n; i++) {
        if (account.p[i] < '0' || account.p[i] > '9') {
            return err_set(err, ERR_INVALID, "account must be 12 digits");
        }
    }
    if (region.n == 0 || region.n >= 32) {
        return err_set(err, ERR_INVALID, "region must be 1 to 31 characters");
    }
    return 0;
}

int api_open(uv_loop_t *loop, const struct api_options *options, struct api **ret, struct err *err)
{
    static const struct api_backend no_backend;
    struct api *api;
    int rv = check_names(options, err);
    if (rv != 0) {
        return rv;
    }
    api = mem_alloc(options->mem, sizeof *api);
    api->loop = loop;
    api->mem = options->mem;
    api->engine = options->engine;
    api->tls = options->tls;
    api->backend = options->backend != NULL ? options->backend : &no_backend;
    (void)str_copy(api->account, sizeof api->account, str_of(options->account));
    (void)str_copy(api->region, sizeof api->region, str_of(options->region));
    api->names.partition = "aws";
    api->names.account = api->account;
    api->names.region = api->region;
    list_init(&api->calls);
    list_init(&api->ready);
    list_init(&api->waiting);
    build_table(api);
    api->soon = loop_soon_open(loop, on_soon, api);
    api->poll = loop_timer_open(loop, on_poll, api);
    api->started_ms = clock_mono_ms();
    api->watch.data = api;
    api->watch.cb = on_change;
    engine_watch_add(api->engine, &api->watch);
    *ret = api;
    return 0;
}

void api_release(struct api *api)
{
    if (!api->closed || api->n_calls != 0) {
        return;
    }
    mem_free(api->mem, api->ops, api->n_ops * sizeof *api->ops);
    mem_free(api->mem, api->stats, api->n_ops * sizeof *api->stats);
    mem_free(api->mem, api, sizeof *api);
}

void api_close(struct api *api)
{
    struct list *it;
    struct list *after;
    if (api == NULL) {
        return;
    }
    engine_watch_remove(api->engine, &api->watch);
    loop_soon_close(api->soon);
    loop_timer_close(api->poll);
    list_each_safe (it, after, &api->calls) {
        api_call_cancel(container_of(it, struct api_call, link));
    }
    api_forward_close(api);
    api->closed = true;
    api_release(api);
}

void api_drain(struct api *api)
{
    api->draining = true;
}

/* --- access ------------------------------------------------------------------------------------
 */

uv_loop_t *api_loop(const struct api *api)
{
    return api->loop;
}

struct engine *api_engine(const struct api *api)
{
    return api->engine;
}

const struct mem *api_mem(const struct api *api)
{
    return api->mem;
}

const struct arn_names *api_names(const struct api *api)
{
    return &api->names;
}

const struct api_backend *api_backend(const struct api *api)
{
    return api->backend;
}

uint64_t api_uptime_ms(const struct api *api)
{
    return clock_mono_ms() - api->started_ms;
}

uint32_t api_n_ops(const struct api *api)
{
    return api->n_ops;
}

const struct api_op *api_op_at(const struct api *api, uint32_t index)
{
    assert(index < api->n_ops);
    return &api->ops[index];
}

const struct api_op_stats *api_op_stats(const struct api *api, uint32_t index)
{
    assert(index < api->n_ops);
    return &api->stats[index];
}

uint32_t api_n_calls(const struct api *api)
{
    return api->n_calls;
}
