#include "controller/program/backend.h"

#include "common/loop/loop.h"
#include "common/loop/sysmem.h"
#include "controller/auth/hasher.h"
#include "controller/program/member.h"
#include "controller/raftio/raftnode.h"
#include "controller/storage/checkpoint.h"

#include <inttypes.h>
#include <string.h>

#define TRANSFER_POLL_MS  20
#define TRANSFER_WAIT_MS  5000
#define TRANSFER_HEARD_MS 1000 /* Heartbeats go every 50 ms. */
#define BACKUP_CHUNK      (64u * 1024u)
#define BACKUP_AGAIN_MS   20

static uint32_t get_sessions(void *data)
{
    struct backend *b = data;
    return b->link == NULL ? 0 : link_n_sessions(b->link);
}

static const char *get_pin(void *data)
{
    struct backend *b = data;
    return b->ca_pin;
}

/* --- leadership
 * ---------------------------------------------------------------------------------------- */

struct transfer {
    struct list link;
    struct backend *b;
    api_transfer_cb cb;
    void *arg;
    struct loop_timer *timer;
    uint64_t give_up_ms;
    uint64_t wanted; /* 0: whoever is best. */
    bool to_us;      /* Which is so already. */
    int failed;
    struct err err;
};

static void end_transfer(struct transfer *t, int status, uint64_t leader)
{
    list_remove(&t->link);
    loop_timer_close(t->timer);
    t->cb(t->arg, status, leader, &t->err);
    mem_free(sysmem(), t, sizeof *t);
}

/* Asked of a member that does not answer, a transfer stops the cluster for nothing. */
static int check_target(const struct backend *b, uint64_t id, struct err *err)
{
    struct raftnode_seat v[RAFTNODE_MEMBERS_MAX];
    unsigned n = raftnode_members(engine_node(b->engine), v);
    for (unsigned i = 0; i < n; i++) {
        if (v[i].id == id && (!v[i].heard || v[i].heard_ms > TRANSFER_HEARD_MS)) {
            return err_set(err, ERR_CONFLICT,
                           "nothing is heard of member %" PRIu64
                           ": it cannot be handed leadership; member list shows who is there",
                           id);
        }
    }
    return 0; /* Whether there is such a member raft says. */
}

/* The new leader is known when somebody else is; it need not be the one that was asked to stand. */
static void end_known(struct transfer *t, uint64_t leader)
{
    int rv = 0;
    if (t->wanted != 0 && leader != t->wanted) {
        rv = err_set(&t->err, ERR_CONFLICT,
                     "member %" PRIu64 " leads now: member %" PRIu64
                     " was asked to, and did not get the votes; it may not reach the others",
                     leader, t->wanted);
    }
    end_transfer(t, rv, leader);
}

static void poll_transfer(void *data)
{
    struct transfer *t = data;
    struct raftnode *node = engine_node(t->b->engine);
    uint64_t leader = raftnode_leader(node);
    if (t->failed != 0) {
        end_transfer(t, t->failed, 0);
    } else if (leader != 0 && (t->to_us || leader != raftnode_id(node))) {
        end_known(t, leader);
    } else if (clock_mono_ms() >= t->give_up_ms) {
        err_set(&t->err, ERR_CONFLICT,
                "leadership has not moved; the member may be behind or away");
        end_transfer(t, ERR_CONFLICT, 0);
    }
}

static void transfer(void *data, uint64_t member_id, api_transfer_cb cb, void *arg)
{
    struct backend *b = data;
    struct transfer *t = mem_alloc(sysmem(), sizeof *t);
    t->b = b;
    list_push(&b->transfers, &t->link);
    t->cb = cb;
    t->arg = arg;
    t->give_up_ms = clock_mono_ms() + TRANSFER_WAIT_MS;
    t->timer = loop_timer_open(b->loop, poll_transfer, t);
    t->to_us = member_id == raftnode_id(engine_node(b->engine));
    t->wanted = member_id;
    t->failed = t->to_us || member_id == 0 ? 0 : check_target(b, member_id, &t->err);
    if (t->failed == 0 && !t->to_us) {
        t->failed = raftnode_transfer(engine_node(b->engine), member_id, &t->err);
    }
    loop_timer_repeat(t->timer, t->failed == 0 ? TRANSFER_POLL_MS : 0, TRANSFER_POLL_MS);
}

/* --- backup
 * ---------------------------------------------------------------------------------------------- */

struct backup {
    struct backend *b;
    struct api_stream *stream;
    struct storage_snapshot *snapshot;
    struct storage_point point;
    uint64_t size;
    uint64_t offset;
    struct hasher *hasher;
    struct loop_timer *timer;
    uint8_t chunk[BACKUP_CHUNK];
};

static void backup_free(struct backup *x)
{
    storage_snapshot_close(x->snapshot);
    hasher_close(x->hasher);
    loop_timer_close(x->timer);
    mem_free(sysmem(), x, sizeof *x);
}

static void backup_fail(struct backup *x, int rv, const struct err *err)
{
    struct api_stream *stream = x->stream;
    backup_free(x);
    api_stream_finish(stream, rv, err);
}

static void backup_end(struct backup *x)
{
    struct api_stream *stream = x->stream;
    uint64_t revision = x->point.revision;
    char hex[HASHER_HEX_LEN + 1];
    hasher_finish(x->hasher, hex);
    backup_free(x);
    api_stream_finish_backup(stream, hex, revision);
}

static int backup_send_head(struct backup *x)
{
    const struct meta *meta = store_meta(engine_store(x->b->engine));
    const struct api_backup_head head = {
        .cluster_id = meta->cluster_id,
        .epoch = meta->epoch,
        .index = x->point.index,
        .term = x->point.term,
        .revision = x->point.revision,
        .digest = x->point.digest,
        .size = x->size,
        .created_at = engine_now_ms(x->b->engine),
    };
    return api_stream_send_backup_head(x->stream, &head);
}

static void backup_send(struct backup *x)
{
    struct err err = {0};
    while (x->offset < x->size && api_stream_writable(x->stream)) {
        size_t n = 0;
        int rv = storage_snapshot_read(x->snapshot, x->offset, x->chunk, sizeof x->chunk, &n, &err);
        if (rv == 0 && n == 0) {
            rv = err_set(&err, ERR_IO, "the copy of the checkpoint is shorter than it was");
        }
        if (rv == 0) {
            rv = api_stream_send(x->stream, str_make((const char *)x->chunk, n));
        }
        if (rv != 0) {
            backup_fail(x, rv, &err);
            return;
        }
        hasher_add(x->hasher, x->chunk, n);
        x->offset += n;
    }
    if (x->offset == x->size) {
        backup_end(x);
    }
}

/* A copy of the checkpoint is made by the storage thread; ask until it is there. */
static void backup_poll(void *data)
{
    struct backup *x = data;
    struct err err = {0};
    int rv = storage_snapshot_open(engine_storage(x->b->engine), &x->snapshot, &x->point, &x->size,
                                   &err);
    if (rv == ERR_AGAIN) {
        return;
    }
    loop_timer_stop(x->timer);
    if (rv == 0) {
        rv = backup_send_head(x);
    }
    if (rv != 0) {
        backup_fail(x, rv, &err);
        return;
    }
    backup_send(x);
}

static void backup_drain(struct api_stream *s, void *data)
{
    struct backup *x = data;
    (void)s;
    if (x->snapshot != NULL) {
        backup_send(x);
    }
}

static void backup_cancel(struct api_stream *s, void *data)
{
    (void)s;
    backup_free(data);
}

static void backup(void *data, struct api_stream *s)
{
    static const struct api_stream_events events = {backup_drain, backup_cancel};
    struct backend *b = data;
    struct backup *x = mem_alloc(sysmem(), sizeof *x);
    x->b = b;
    x->stream = s;
    x->hasher = hasher_open();
    x->timer = loop_timer_open(b->loop, backup_poll, x);
    api_stream_set(s, &events, x);
    storage_flush(engine_storage(b->engine));
    loop_timer_repeat(x->timer, 0, BACKUP_AGAIN_MS);
}

/* --- logs
 * --------------------------------------------------------------------------------------------------
 */

struct logs {
    struct api_stream *stream;
    struct link_log *log;
    bool paused;
};

static void logs_data(void *ctx, struct str bytes)
{
    struct logs *l = ctx;
    struct err err = {0};
    int rv = api_stream_send(l->stream, bytes);
    if (rv != 0) {
        err_set(&err, rv, "the reader is too slow for this log");
        link_log_cancel(l->log);
        api_stream_finish(l->stream, rv, &err);
        mem_free(sysmem(), l, sizeof *l);
    } else if (!l->paused && !api_stream_writable(l->stream)) {
        l->paused = true;
        link_log_pause(l->log);
    }
}

static void logs_drain(struct api_stream *s, void *data)
{
    struct logs *l = data;
    (void)s;
    if (l->paused) {
        l->paused = false;
        link_log_resume(l->log);
    }
}

static void logs_end(void *ctx, int status, const struct err *err)
{
    struct logs *l = ctx;
    api_stream_finish(l->stream, status, err);
    mem_free(sysmem(), l, sizeof *l);
}

static void logs_cancel(struct api_stream *s, void *data)
{
    struct logs *l = data;
    (void)s;
    link_log_cancel(l->log);
    mem_free(sysmem(), l, sizeof *l);
}

static void task_logs(void *data, struct api_stream *s, const struct api_logs_request *request)
{
    static const struct api_stream_events stream_events = {logs_drain, logs_cancel};
    static const struct link_log_events log_events = {logs_data, logs_end};
    struct backend *b = data;
    struct logs *l = mem_alloc(sysmem(), sizeof *l);
    struct link_log_request r = {
        .task = request->task,
        .node = request->node,
        .container = request->name,
        .follow = request->follow,
        .since_ms = request->since_ms,
        .tail = request->tail,
    };
    struct err err = {0};
    int rv;
    l->stream = s;
    rv = link_log_open(b->link, &r, &log_events, l, &l->log, &err);
    if (rv != 0) {
        mem_free(sysmem(), l, sizeof *l);
        api_stream_finish(s, rv, &err);
        return;
    }
    api_stream_set(s, &stream_events, l);
}

void backend_close(struct backend *b)
{
    member_close(b);
    if (b->transfers.next == NULL) {
        return;
    }
    while (!list_empty(&b->transfers)) {
        struct transfer *t = container_of(b->transfers.next, struct transfer, link);
        err_set(&t->err, ERR_CLOSED, "the controller stops");
        end_transfer(t, ERR_CLOSED, 0);
    }
}

void backend_functions(struct backend *b, struct api_backend *ret)
{
    list_init(&b->transfers);
    memset(ret, 0, sizeof *ret);
    ret->data = b;
    member_functions(b, ret);
    ret->transfer = transfer;
    ret->n_sessions = get_sessions;
    ret->ca_pin = get_pin;
    ret->backup = backup;
    ret->task_logs = task_logs;
}
