/* A stream is in one of three states: produced here by the backend, which holds it until it
 * finishes or is cancelled; passed on to the leader (`remote`); or ended. The gRPC call outlives
 * all of them until on_close. */
#include "controller/api/stream.h"

#include "common/base/buf.h"
#include "common/net/grpc_client.h"
#include "controller/api/describe.h"
#include "controller/api/door.h"
#include "controller/api/grpc_front.h"
#include "controller/api/operation.h"
#include "controller/api/ref.h"
#include "controller/api/state.h"
#include "controller/codec/pbc.h"
#include "proto/ecs/admin/v1/admin.pb-c.h"

#include <assert.h>
#include <string.h>

#define LOGS_PATH        "/ecs.admin.v1.AdminService/GetTaskLogs"
#define BACKUP_PATH      "/ecs.admin.v1.AdminService/Backup"
#define FORWARDED_HEADER "x-ecs-forwarded"

struct api_stream {
    struct api *api;
    struct grpc_call *call;
    bool backup;
    bool produced; /* The backend holds it. */
    const struct api_stream_events *events;
    void *data;
    struct grpc_client_call *remote;
    struct api_call *lookup; /* Finds the task on the leader's current state. */
};

static void end_error(struct api_stream *s, const struct api_error *e)
{
    grpc_front_fail(s->call, api_mem(s->api), e);
}

static void end_err(struct api_stream *s, int code, const struct err *err)
{
    struct api_error e = {0};
    (void)api_error_of_err(&e, code, err != NULL ? err->text : NULL);
    end_error(s, &e);
}

/* --- for the backend ---------------------------------------------------------------------------
 */

void api_stream_set(struct api_stream *s, const struct api_stream_events *events, void *data)
{
    s->events = events;
    s->data = data;
}

static struct str pack_bytes(struct api_stream *s, struct str bytes, struct arena *a)
{
    ProtobufCBinaryData data = {bytes.n, (uint8_t *)(uintptr_t)bytes.p};
    if (s->backup) {
        Ecs__Admin__V1__BackupResponse *m =
            pbc_new(&ecs__admin__v1__backup_response__descriptor, a);
        m->has_data = true;
        m->data = data;
        return pbc_pack_arena(&m->base, a);
    }
    Ecs__Admin__V1__GetTaskLogsResponse *m =
        pbc_new(&ecs__admin__v1__get_task_logs_response__descriptor, a);
    m->has_lines = true;
    m->lines = data;
    return pbc_pack_arena(&m->base, a);
}

int api_stream_send(struct api_stream *s, struct str bytes)
{
    struct arena arena;
    int rv;
    arena_init(&arena, api_mem(s->api));
    rv = grpc_call_send(s->call, pack_bytes(s, bytes, &arena));
    arena_close(&arena);
    return rv;
}

int api_stream_send_backup_head(struct api_stream *s, const struct api_backup_head *head)
{
    Ecs__Admin__V1__BackupResponse *m;
    Ecs__Admin__V1__BackupHead *h;
    struct arena arena;
    uint8_t id[16];
    int rv;
    assert(s->backup);
    arena_init(&arena, api_mem(s->api));
    m = pbc_new(&ecs__admin__v1__backup_response__descriptor, &arena);
    h = pbc_new(&ecs__admin__v1__backup_head__descriptor, &arena);
    put_u64(id, head->cluster_id.hi);
    put_u64(id + 8, head->cluster_id.lo);
    h->has_cluster_id = true;
    h->cluster_id = (ProtobufCBinaryData){sizeof id, id};
    API_SET(h, epoch, head->epoch);
    API_SET(h, index, head->index);
    API_SET(h, term, head->term);
    API_SET(h, revision, head->revision);
    API_SET(h, digest, head->digest);
    API_SET(h, size, head->size);
    API_SET(h, created_at_ms, head->created_at);
    m->head = h;
    rv = grpc_call_send(s->call, pbc_pack_arena(&m->base, &arena));
    arena_close(&arena);
    return rv;
}

bool api_stream_writable(const struct api_stream *s)
{
    return grpc_call_writable(s->call);
}

void api_stream_finish(struct api_stream *s, int status, const struct err *err)
{
    assert(s->produced);
    s->produced = false;
    s->events = NULL;
    if (status == 0) {
        grpc_call_finish(s->call, GRPC_OK, NULL, STR(""));
    } else if (status == ERR_NOTFOUND) {
        struct api_error e = {0};
        (void)api_error_set(&e, API_CLIENT_NOT_FOUND, "%s", err != NULL ? err->text : "not found");
        end_error(s, &e);
    } else {
        end_err(s, status, err);
    }
}

void api_stream_finish_backup(struct api_stream *s, const char *sha256, uint64_t revision)
{
    Ecs__Admin__V1__BackupResponse *m;
    struct arena arena;
    assert(s->backup);
    arena_init(&arena, api_mem(s->api));
    m = pbc_new(&ecs__admin__v1__backup_response__descriptor, &arena);
    m->sha256 = arena_strdup(&arena, sha256);
    m->has_revision = true;
    m->revision = revision;
    (void)grpc_call_send(s->call, pbc_pack_arena(&m->base, &arena));
    arena_close(&arena);
    api_stream_finish(s, 0, NULL);
}

/* --- from the leader ---------------------------------------------------------------------------
 */

static void remote_message(struct grpc_client_call *gc, struct str message)
{
    struct api_stream *s = grpc_client_data(gc);
    if (s == NULL) {
        return;
    }
    if (grpc_call_send(s->call, message) != 0) {
        grpc_client_cancel(gc);
    } else if (!grpc_call_writable(s->call)) {
        grpc_client_pause(gc);
    }
}

static void remote_close(struct grpc_client_call *gc, const struct grpc_status *status)
{
    struct api_stream *s = grpc_client_data(gc);
    s->remote = NULL;
    if (s->call == NULL) { /* Our client went first. */
        mem_free(api_mem(s->api), s, sizeof *s);
        return;
    }
    grpc_call_finish(s->call, status->code, status->message, status->details);
}

static void pass_on(struct api_stream *s, struct str message)
{
    static const struct grpc_client_events events = {
        .on_message = remote_message,
        .on_close = remote_close,
    };
    const struct http_field metadata[] = {{STR(FORWARDED_HEADER), STR("1")}};
    struct grpc_call_options options = {.metadata = metadata, .n_metadata = 1};
    struct err err = {0};
    const char *leader = engine_leader_address(api_engine(s->api));
    struct grpc_channel *ch = NULL;
    if (grpc_call_metadata(s->call, FORWARDED_HEADER).p != NULL || leader[0] == '\0') {
        (void)err_set(&err, ERR_UNAVAILABLE, "there is no leader");
    } else {
        ch = api_channel_to(s->api, leader, &err);
    }
    if (ch == NULL) {
        end_err(s, err.code, &err);
        return;
    }
    if (grpc_call_remaining_ms(s->call) != UINT64_MAX) {
        options.deadline_ms = grpc_call_remaining_ms(s->call) + 1;
    }
    s->remote = grpc_client_open(ch, LOGS_PATH, &options, &events, s);
    (void)grpc_client_send(s->remote, message);
    grpc_client_half_close(s->remote);
}

/* --- GetTaskLogs -------------------------------------------------------------------------------
 */

static int find_container(struct api_call *c, const struct task *t, const char *name, uint32_t *ret)
{
    const struct taskdef *d = store_taskdef(api_store(c), t->taskdef);
    if (name == NULL || name[0] == '\0') {
        if (d->n_containers != 1) {
            return api_fail(c, API_INVALID_PARAMETER,
                            "container can not be blank: the task has %u containers.",
                            d->n_containers);
        }
        *ret = 0;
        return 0;
    }
    for (uint32_t i = 0; i < d->n_containers; i++) {
        if (str_eqc(d->containers[i].name, name)) {
            *ret = i;
            return 0;
        }
    }
    return api_fail(c, API_PARAMETER_NOT_FOUND, "The task has no container named %.100s.", name);
}

/* The row behind GetTaskLogs in the table of operations: where the task runs. */
static int logs_read(struct api_call *c)
{
    const Ecs__Admin__V1__GetTaskLogsRequest *r =
        (const Ecs__Admin__V1__GetTaskLogsRequest *)c->request;
    struct api_logs_request *to = arena_alloc(&c->arena, sizeof *to);
    const struct task *t;
    uint32_t cluster;
    uint32_t slot;
    int rv = ref_cluster(c, r->cluster, &cluster);
    if (rv == 0) {
        rv = ref_required(c, "task", r->task);
    }
    if (rv == 0) {
        rv = ref_task(c, cluster, r->task, &slot);
    }
    if (rv != 0) {
        return rv;
    }
    t = store_task(api_store(c), slot);
    rv = find_container(c, t, r->container, &to->container);
    if (rv != 0) {
        return rv;
    }
    if (t->node == SLOT_NONE) {
        return api_fail(c, API_PARAMETER_STATE, "The task has not been placed on a node.");
    }
    to->name = store_taskdef(api_store(c), t->taskdef)->containers[to->container].name;
    to->name = str_make(api_text(c, to->name), to->name.n);
    to->task = t->id;
    to->node = store_node(api_store(c), t->node)->id;
    to->follow = r->has_follow && r->follow;
    to->since_ms = r->has_since_ms ? r->since_ms : 0;
    to->tail = r->has_tail ? r->tail : 0;
    c->state = to;
    return 0;
}

const struct api_handler op_get_task_logs = {.kind = API_LEAD, .read = logs_read};

static void logs_found(struct api_call *c, void *data)
{
    struct api_stream *s = data;
    const struct api_backend *b = api_backend(s->api);
    s->lookup = NULL;
    if (c->error.code != API_OK) {
        end_error(s, &c->error);
    } else if (b->task_logs == NULL) {
        struct api_error e = {0};
        (void)api_error_set(&e, API_UNSUPPORTED, "Container logs are not available here.");
        end_error(s, &e);
    } else {
        s->produced = true;
        b->task_logs(b->data, s, c->state);
    }
    api_call_close(c);
}

static void logs_message(struct grpc_call *gc, struct str message)
{
    struct api_stream *s = grpc_call_data(gc);
    struct api_call_options options = {.no_forward = true};
    struct principal caller = door_caller(grpc_call_http(gc));
    const struct api_op *op = api_find_path(s->api, STR(LOGS_PATH));
    if (!grpc_front_allow(gc, api_mem(s->api), ACCESS_API)) {
        return;
    }
    if (!engine_is_leader(api_engine(s->api))) {
        pass_on(s, message);
        return;
    }
    s->lookup = api_call_open(s->api, op, &caller, NULL);
    if (s->lookup == NULL) {
        end_err(s, ERR_FULL, NULL);
        return;
    }
    (void)api_call_unpack(s->lookup, message);
    api_call_start(s->lookup, &options, logs_found, s);
}

/* --- Backup ------------------------------------------------------------------------------------
 */

static void backup_message(struct grpc_call *gc, struct str message)
{
    struct api_stream *s = grpc_call_data(gc);
    const struct api_backend *b = api_backend(s->api);
    struct api_error e = {0};
    (void)message; /* It has no fields. */
    if (!grpc_front_allow(gc, api_mem(s->api), ACCESS_API)) {
        return;
    }
    if (b->backup == NULL) {
        (void)api_error_set(&e, API_UNSUPPORTED, "Backups are not available here.");
        end_error(s, &e);
        return;
    }
    s->backup = true;
    s->produced = true;
    b->backup(b->data, s);
}

/* --- the call ----------------------------------------------------------------------------------
 */

static void on_start(struct grpc_call *gc)
{
    struct api *api = grpc_call_data(gc);
    struct api_stream *s = mem_alloc(api_mem(api), sizeof *s);
    s->api = api;
    s->call = gc;
    grpc_call_set_data(gc, s);
}

static void on_drain(struct grpc_call *gc)
{
    struct api_stream *s = grpc_call_data(gc);
    if (s->remote != NULL) {
        grpc_client_resume(s->remote);
    }
    if (s->events != NULL && s->events->drain != NULL) {
        s->events->drain(s, s->data);
    }
}

static void on_close(struct grpc_call *gc, int status)
{
    struct api_stream *s = grpc_call_data(gc);
    (void)status;
    s->call = NULL;
    if (s->lookup != NULL) {
        api_call_cancel(s->lookup);
    }
    if (s->produced && s->events != NULL && s->events->cancel != NULL) {
        s->events->cancel(s, s->data);
    }
    if (s->remote != NULL) {
        grpc_client_cancel(s->remote); /* Released when that has ended. */
        return;
    }
    mem_free(api_mem(s->api), s, sizeof *s);
}

void stream_methods_init(struct stream_methods *m, struct api *api)
{
    const struct grpc_method common = {
        .kind = GRPC_SERVER_STREAM,
        .on_start = on_start,
        .on_drain = on_drain,
        .on_close = on_close,
        .data = api,
    };
    m->v[0] = common;
    m->v[0].path = LOGS_PATH;
    m->v[0].on_message = logs_message;
    m->v[1] = common;
    m->v[1].path = BACKUP_PATH;
    m->v[1].on_message = backup_message;
}
