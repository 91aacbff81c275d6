/* A call is always in exactly one of these places: api->ready (to be attempted when the loop comes
 * round), api->waiting (no leader known), or with the engine, a handler or a channel (`engaged`).
 * Nothing can be taken back from the latter, so a cancelled call that is engaged becomes an orphan
 * and is released when it comes back. */
#include "controller/api/call.h"

#include "common/loop/loop.h"
#include "controller/api/message.h"
#include "controller/api/state.h"
#include "controller/codec/pbc.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

const uint32_t api_latency_bounds_us[API_LATENCY_BUCKETS] = {
    100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 5000000,
};

/* --- life --------------------------------------------------------------------------------------
 */

static void make_request_id(struct api *api, char ret[API_REQUEST_ID_LEN + 1])
{
    struct id id = {engine_random(api->engine), engine_random(api->engine)};
    id_uuid(id, ret);
}

struct api_call *api_call_open(struct api *api, const struct api_op *op,
                               const struct principal *caller, const char *request_id)
{
    struct api_call *c;
    if (api->n_calls >= API_CALLS_MAX) {
        return NULL;
    }
    c = mem_alloc(api->mem, sizeof *c);
    c->api = api;
    c->op = op;
    c->caller = *caller;
    c->started_ns = uv_hrtime();
    arena_init(&c->arena, api->mem);
    list_init(&c->wait_link);
    list_push(&api->calls, &c->link);
    api->n_calls++;
    if (request_id != NULL) {
        (void)str_copy(c->request_id, sizeof c->request_id, str_of(request_id));
    } else {
        make_request_id(api, c->request_id);
    }
    return c;
}

void api_call_close(struct api_call *c)
{
    struct api *api = c->api;
    assert(!c->engaged);
    list_remove(&c->wait_link);
    list_remove(&c->link);
    api->n_calls--;
    arena_close(&c->arena);
    mem_free(api->mem, c, sizeof *c);
    api_release(api);
}

int api_call_unpack(struct api_call *c, struct str bytes)
{
    struct err err = {0};
    if (bytes.n > API_MESSAGE_MAX) {
        return api_fail(c, API_INVALID_PARAMETER, "The request is longer than %u bytes.",
                        API_MESSAGE_MAX);
    }
    if (pbc_unpack(c->op->request, bytes, &c->arena, &c->request, &err) != 0) {
        return api_fail(c, API_SERIALIZATION, "The request is not a %s: %s.", c->op->request->name,
                        err.text);
    }
    if (message_check(c->request, &c->arena, &err) != 0) {
        return api_fail(c, API_INVALID_PARAMETER, "%s.", err.text);
    }
    return 0;
}

int api_call_pack(struct api_call *c, struct buf *to)
{
    if (c->response == NULL) {
        return 0; /* An empty message is no bytes. */
    }
    pbc_pack(c->response, to);
    if (to->overflow) {
        return api_fail(c, API_SERVER, "The response is longer than %u bytes.", API_RESPONSE_MAX);
    }
    return 0;
}

/* --- counters ----------------------------------------------------------------------------------
 */

static void count(const struct api_call *c)
{
    struct api_op_stats *s = &c->api->stats[c->op->index];
    uint64_t us = (uv_hrtime() - c->started_ns) / 1000;
    uint32_t i = 0;
    while (i < API_LATENCY_BUCKETS && us > api_latency_bounds_us[i]) {
        i++;
    }
    s->bucket[i]++;
    s->sum_us += us;
    s->n[c->error.code]++;
}

/* --- the end -----------------------------------------------------------------------------------
 */

void api_call_finish(struct api_call *c)
{
    assert(!c->finished);
    c->engaged = false;
    if (c->orphan) {
        api_call_close(c);
        return;
    }
    c->finished = true;
    if (c->error.code != API_OK) {
        c->response = NULL;
    }
    count(c);
    c->cb(c, c->data);
}

/* The engine, a handler or the leader has given c back. False: nobody waits, c is gone. */
static bool regained(struct api_call *c)
{
    c->engaged = false;
    if (c->orphan) {
        api_call_close(c);
        return false;
    }
    return true;
}

/* --- writes ------------------------------------------------------------------------------------
 */

static int call_decide(struct engine_write *w, struct engine *e, struct command *cmd,
                       struct arena *arena, struct err *err)
{
    struct api_call *c = w->data;
    int rv;
    (void)e;
    (void)arena; /* What the command points to lives in the call's own arena. */
    if (c->orphan) {
        return err_set(err, ERR_CANCELED, "the caller is gone");
    }
    memset(&c->error, 0, sizeof c->error);
    memset(cmd, 0, sizeof *cmd);
    rv = c->op->handler->decide(c, cmd);
    if (rv < 0) {
        assert(c->error.code != API_OK);
        return err_set(err, rv, "%.200s", c->error.message);
    }
    cmd->call = str_of(c->op->name);
    cmd->caller = str_of(principal_text(&c->caller, &c->arena));
    return rv;
}

static void submit(struct api_call *c)
{
    c->engaged = true;
    engine_submit(c->api->engine, &c->write);
}

static int carried_out(struct api_call *c, const struct result *result)
{
    const struct api_handler *h = c->op->handler;
    c->spec = NULL; /* Slots may mean something else now. */
    if (result == NULL || result->reject == REJECT_NONE) {
        return h->applied(c, result);
    }
    if (h->rejected != NULL) {
        return h->rejected(c, result);
    }
    return api_error_of_reject(&c->error, result);
}

static void call_done(struct engine_write *w, int status, const struct result *result,
                      const struct err *err)
{
    struct api_call *c = w->data;
    if (!regained(c)) {
        return;
    }
    if (status == ERR_NOTLEADER) {
        api_call_wait(c);
        return;
    }
    if (status != 0) {
        if (c->error.code == API_OK) {
            (void)api_error_of_err(&c->error, status, err != NULL ? err->text : NULL);
        }
        api_call_finish(c);
        return;
    }
    if (carried_out(c, result) == API_LATER) {
        c->step++;
        submit(c);
        return;
    }
    api_call_finish(c);
}

/* --- reads -------------------------------------------------------------------------------------
 */

static void answer(struct api_call *c)
{
    c->engaged = true; /* In case the handler finishes later. */
    if (c->op->handler->read(c) != API_LATER) {
        api_call_finish(c);
    }
}

static void call_ready(struct engine_read *r, int status)
{
    struct api_call *c = r->data;
    if (!regained(c)) {
        return;
    }
    if (status == ERR_NOTLEADER || (status == 0 && c->op->handler->kind == API_LEAD &&
                                    engine_leader(c->api->engine) == NULL)) {
        api_call_wait(c);
        return;
    }
    if (status != 0) {
        (void)api_error_of_err(&c->error, status, "no majority of controllers answers");
        api_call_finish(c);
        return;
    }
    answer(c);
}

/* --- where it runs -----------------------------------------------------------------------------
 */

static bool runs_anywhere(const struct api_call *c)
{
    enum api_kind kind = c->op->handler->kind;
    return kind == API_LOCAL || (kind == API_READ && c->eventual);
}

static void run_here(struct api_call *c)
{
    c->step = 0;
    c->state = NULL;
    if (c->op->handler->kind == API_LOCAL) {
        answer(c);
        return;
    }
    if (c->op->handler->kind == API_WRITE) {
        submit(c);
        return;
    }
    c->engaged = true;
    c->read.eventual = c->eventual && c->op->handler->kind == API_READ;
    engine_read(c->api->engine, &c->read);
}

void api_call_attempt(struct api_call *c)
{
    struct engine *e = c->api->engine;
    struct engine_status status;
    const char *leader;
    if (c->no_forward || runs_anywhere(c) || engine_is_leader(e)) {
        run_here(c);
        return;
    }
    engine_status(e, &status);
    leader = engine_leader_address(e);
    if (leader[0] == '\0' || status.leader_id == status.member_id) {
        api_call_wait(c); /* None, or we are about to lead. */
        return;
    }
    api_forward(c, leader);
}

void api_call_wait(struct api_call *c)
{
    struct api *api = c->api;
    uint64_t now = clock_mono_ms();
    assert(!c->engaged);
    if (c->no_forward) {
        c->not_leader = true;
        (void)api_error_of_err(&c->error, ERR_NOTLEADER, "this controller does not lead");
        api_call_finish(c);
        return;
    }
    if (now >= c->give_up_ms) {
        (void)api_error_of_err(&c->error, ERR_UNAVAILABLE, "no leader was found in time");
        api_call_finish(c);
        return;
    }
    memset(&c->error, 0, sizeof c->error);
    list_remove(&c->wait_link);
    list_push(&api->waiting, &c->wait_link);
    if (!loop_timer_active(api->poll)) {
        loop_timer_repeat(api->poll, 10, 25);
    }
}

/* --- start and cancel ---------------------------------------------------------------------------
 */

static int precheck(struct api_call *c)
{
    struct err err = {0};
    const struct api_handler *h = c->op->handler;
    int rv;
    if (c->error.code != API_OK) {
        return ERR_INVALID;
    }
    if (c->api->draining) {
        return api_error_of_err(&c->error, ERR_UNAVAILABLE, "this controller is stopping");
    }
    rv = principal_check(&c->caller, ACCESS_API, &err);
    if (rv == ERR_NOTFOUND) {
        return api_fail(c, API_NO_IDENTITY, "%s", err.text);
    }
    if (rv != 0) {
        return api_fail(c, API_ACCESS_DENIED, "%s", err.text);
    }
    if (h == NULL) {
        return api_fail(c, API_UNSUPPORTED, "The operation %s is not implemented by this server.",
                        c->op->name);
    }
    assert(c->request != NULL);
    return h->check != NULL ? h->check(c) : 0;
}

void api_call_start(struct api_call *c, const struct api_call_options *options, api_call_cb cb,
                    void *data)
{
    struct api *api = c->api;
    uint64_t now = clock_mono_ms();
    uint64_t wait = API_LEADER_WAIT_MS;
    assert(!c->started);
    c->started = true;
    c->cb = cb;
    c->data = data;
    c->eventual = options->eventual;
    c->no_forward = options->no_forward;
    if (options->deadline_ms != 0) {
        c->deadline_ms = now + options->deadline_ms;
        wait = options->deadline_ms * 3 / 4 < wait ? options->deadline_ms * 3 / 4 : wait;
    }
    c->give_up_ms = now + wait;
    c->write.data = c;
    c->write.decide = call_decide;
    c->write.done = call_done;
    c->read.data = c;
    c->read.ready = call_ready;
    if (precheck(c) != 0) {
        assert(c->error.code != API_OK);
    }
    list_push(&api->ready, &c->wait_link);
    loop_soon_post(api->soon);
}

void api_call_cancel(struct api_call *c)
{
    if (c->engaged) {
        c->orphan = true;
        return;
    }
    api_call_close(c);
}

/* --- for handlers -------------------------------------------------------------------------------
 */

void *api_new(struct api_call *c, const ProtobufCMessageDescriptor *type)
{
    return pbc_new(type, &c->arena);
}

void *api_list(struct api_call *c, size_t n)
{
    return arena_array(&c->arena, n, sizeof(void *));
}

char *api_text(struct api_call *c, struct str s)
{
    return s.n == 0 ? NULL : arena_dup(&c->arena, s.p, s.n);
}

const struct store *api_store(const struct api_call *c)
{
    return engine_store(c->api->engine);
}

int api_fail_err(struct api_call *c, int err_code, const struct err *err)
{
    return api_error_of_err(&c->error, err_code, err != NULL ? err->text : NULL);
}
