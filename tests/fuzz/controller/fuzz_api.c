/* Every operation, with any request: nothing crashes, every answer can be written, the state stays
 * consistent, and a call ends. The input is a list of lines; each line is one call. Its first byte
 * chooses the operation, the second the form: '{' begins AWS's JSON, anything else is left out and
 * protobuf follows, which may hold no newline: so the last line may be any message. */
#include "common/loop/sysmem.h"
#include "controller/api/api.h"
#include "controller/api/operation.h"
#include "controller/codec/transcode.h"
#include "tests/unit/controller/api/fake_engine.h"

#include <stdlib.h>

#define CALLS_MAX    8
#define REBUILD_EACH 2000 /* Inputs; so that the state does not grow for ever. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
    uv_loop_t loop;
    struct engine *engine;
    struct api *api;
    unsigned n_inputs;
    bool done;
};

static void must(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void add_node(struct engine *e)
{
    struct command cmd = {.kind = CMD_NODE_REGISTER};
    struct result result;
    struct node *n = &cmd.u.node_register.node;
    cmd.u.node_register.cluster = STR("default");
    n->id = (struct id){1, 170};
    n->name = STR("machine");
    n->cpu = 4096;
    n->memory = 4096;
    n->port_min = 32768;
    n->port_max = 60999;
    n->connected = true;
    fake_engine_apply(e, &cmd, &result);
    must(result.reject == REJECT_NONE);
    struct id id = n->id;
    cmd = (struct command){.kind = CMD_NODE_CONNECTION};
    cmd.u.connection.id = id;
    cmd.u.connection.session = store_node(e->store, result.slot)->session;
    fake_engine_apply(e, &cmd, &result);
}

static void build(struct world *w)
{
    struct command cmd = {.kind = CMD_CLUSTER_CREATE};
    struct result result;
    struct api_options options = {.mem = sysmem(), .account = "123456789012", .region = "r"};
    w->engine = fake_engine_open(&w->loop, sysmem());
    options.engine = w->engine;
    must(api_open(&w->loop, &options, &w->api, NULL) == 0);
    cmd.u.cluster.name = STR("default");
    fake_engine_apply(w->engine, &cmd, &result);
    add_node(w->engine);
    fake_engine_lead(w->engine, true);
}

static void tear_down(struct world *w)
{
    struct err err = {0};
    must(store_check(w->engine->store, &err) == 0);
    api_close(w->api);
    fake_engine_close(w->engine);
    while (uv_run(&w->loop, UV_RUN_NOWAIT) != 0) {
    }
}

static void done(struct api_call *c, void *data)
{
    struct world *w = data;
    struct buf b;
    buf_init(&b, sysmem(), API_RESPONSE_MAX);
    if (c->error.code == API_OK && c->response != NULL) {
        transcode_write(c->response, &b);
        buf_clear(&b);
        must(api_call_pack(c, &b) == 0);
    } else if (c->error.code != API_OK) {
        must(c->error.message[0] != '\0');
        must(c->error.code != API_SERVER);
    }
    buf_close(&b);
    w->done = true;
    api_call_close(c);
}

static bool read_request(struct api_call *c, struct str body)
{
    if (body.n > 0 && body.p[0] == '{') {
        return transcode_read(c->op->request, body, &c->arena, &c->request, NULL) == 0;
    }
    return api_call_unpack(c, str_slice(body, 1, body.n)) == 0;
}

static void call(struct world *w, struct str line)
{
    static const struct api_call_options options;
    struct principal caller = principal_of_insecure();
    uint32_t index = (uint8_t)line.p[0] % api_n_ops(w->api);
    struct api_call *c = api_call_open(w->api, api_op_at(w->api, index), &caller, NULL);
    must(c != NULL);
    c->aws = true;
    if (!read_request(c, str_slice(line, 1, line.n))) {
        api_call_close(c);
        return;
    }
    w->done = false;
    api_call_start(c, &options, done, w);
    for (unsigned i = 0; !w->done; i++) {
        must(i < 1000);
        (void)uv_run(&w->loop, UV_RUN_NOWAIT);
    }
    w->engine->now_ms += 1000;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world w;
    struct str rest = str_make((const char *)data, size);
    if (w.n_inputs % REBUILD_EACH == 0) {
        if (w.n_inputs == 0) {
            must(uv_loop_init(&w.loop) == 0);
        } else {
            tear_down(&w);
        }
        build(&w);
    }
    w.n_inputs++;
    for (unsigned i = 0; i < CALLS_MAX && rest.n > 0; i++) {
        struct str line = i == CALLS_MAX - 1 ? rest : str_cut(rest, '\n', &rest);
        if (line.n > 0) {
            call(&w, line);
        }
    }
    return 0;
}
