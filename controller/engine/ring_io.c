/* What the ring asks of its machine: clocks, chance, the log, the checkpoint, and a turn later. */
#include "common/log/log.h"
#include "controller/engine/engine_int.h"

#include <assert.h>
#include <sys/random.h>
#include <unistd.h>

_Static_assert(RING_ENTRY_MAX == RAFTNODE_PAYLOAD_MAX, "the log takes what the ring makes");

/* What the operator is to do, in the line that is the last one. */
static const char *advice(int code)
{
    switch (code) {
    case ERR_IO:
        return "this controller stops; the others go on. Check its disk, then start it again: a "
               "damaged log or checkpoint is refused";
    case ERR_FULL:
        return "this controller stops; the others go on. Make room on its disk, then start it "
               "again";
    default:
        return "this controller stops; the others go on";
    }
}

_Noreturn void engine_die(const char *event, const struct err *err)
{
    log_error(event, log_err(err), log_str("action", advice(err->code)));
    _exit(1);
}

static int64_t on_wall_ms(void *ctx)
{
    (void)ctx;
    return (int64_t)clock_wall_ms();
}

static uint64_t on_mono_ms(void *ctx)
{
    (void)ctx;
    return clock_mono_ms();
}

static uint64_t on_random(void *ctx)
{
    uint64_t value = 0;
    ssize_t n = getrandom(&value, sizeof value, 0);
    (void)ctx;
    assert(n == (ssize_t)sizeof value);
    return value;
}

static int on_propose(void *ctx, const uint8_t *bytes, size_t len, struct err *err)
{
    struct engine *e = ctx;
    return raftnode_propose(e->node, bytes, len, e->ring, err);
}

/* Raft has confirmed that the state is fresh, or cannot. */
static void on_fresh(void *arg, int status)
{
    struct engine_read *r = container_of(arg, struct engine_read, ring);
    ring_fresh(&r->ring, status);
}

static int on_ask(void *ctx, struct ring_read *r, struct err *err)
{
    struct engine *e = ctx;
    return raftnode_read(e->node, on_fresh, r, err);
}

static uint32_t on_voters_level(void *ctx)
{
    return raftnode_voters_level(((struct engine *)ctx)->node);
}

static void on_wake(void *ctx)
{
    struct engine *e = ctx;
    loop_soon_post(e->pump);
}

static void on_wake_after(void *ctx, uint64_t ms)
{
    struct engine *e = ctx;
    if (ms == UINT64_MAX) {
        loop_timer_stop(e->timer);
    } else {
        loop_timer_start(e->timer, ms);
    }
}

static void on_row(void *ctx, uint8_t kind, uint32_t slot, const uint8_t *bytes, size_t n)
{
    struct engine *e = ctx;
    storage_row(e->storage, kind, slot, bytes, n);
}

static void on_commit(void *ctx, const struct ring_point *p)
{
    struct engine *e = ctx;
    const struct storage_point point = {p->index, p->term, p->revision, p->digest};
    storage_commit(e->storage, &point);
}

_Static_assert((int)RING_RECORD_EVENT == (int)HISTORY_EVENT &&
                   (int)RING_RECORD_TASK == (int)HISTORY_TASK &&
                   (int)RING_RECORD_DEPLOYMENT == (int)HISTORY_DEPLOYMENT &&
                   (int)RING_RECORD_DECISION == (int)HISTORY_DECISION &&
                   (int)RING_RECORD_AUDIT == (int)HISTORY_AUDIT,
               "kinds go through unchanged");

static void on_record(void *ctx, const struct ring_record *from)
{
    struct engine *e = ctx;
    const struct history_record record = {
        .revision = from->revision,
        .position = from->position,
        .kind = from->kind,
        .at = from->at,
        .cluster = from->cluster,
        .subject = from->subject,
        .service = from->service,
        .node = from->node,
        .text = from->text,
        .data = from->data,
    };
    storage_history(e->storage, &record);
}

static bool on_keeps_up(void *ctx)
{
    struct engine *e = ctx;
    return storage_backlog(e->storage) <= ENGINE_BACKLOG_HIGH;
}

void engine_tell(struct engine *e, const struct changes *changes)
{
    struct list *it;
    struct list *after;
    engine_identity_follow(e);
    list_each_safe (it, after, &e->watches) {
        struct engine_watch *w = container_of(it, struct engine_watch, link);
        w->cb(w->data, changes);
    }
}

static void on_changed(void *ctx, const struct changes *changes)
{
    engine_tell(ctx, changes);
}

static void on_hand_over(void *ctx)
{
    struct engine *e = ctx;
    e->hand_over = true;
    loop_soon_post(e->pump);
}

static void on_refused(void *ctx, uint32_t n_commands, const struct err *err)
{
    (void)ctx;
    log_warn("engine.refused", log_err(err), log_u64("commands", n_commands));
}

__attribute__((noreturn)) static void on_die(void *ctx, const char *event, const struct err *err)
{
    (void)ctx;
    engine_die(event, err);
}

const struct ring_io engine_ring_io = {
    .wall_ms = on_wall_ms,
    .mono_ms = on_mono_ms,
    .random = on_random,
    .propose = on_propose,
    .ask = on_ask,
    .voters_level = on_voters_level,
    .wake = on_wake,
    .wake_after = on_wake_after,
    .row = on_row,
    .commit = on_commit,
    .record = on_record,
    .keeps_up = on_keeps_up,
    .changed = on_changed,
    .hand_over = on_hand_over,
    .refused = on_refused,
    .die = on_die,
};
