/* Group commit: while a batch is in flight, requests wait; when it was applied, everything that
 * waits becomes the next one. Under load entries get larger, not more frequent, and every decision
 * is made on applied state plus what the same batch already decided (the leader's reservations). */
#include "controller/engine/engine.h"

#include "common/log/log.h"
#include "controller/engine/engine_int.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

_Noreturn void engine_die(const char *event, const struct err *err)
{
    log_error(event, log_err(err), log_str("action", "this controller stops; the others go on"));
    _exit(1);
}

void engine_answer(struct list *writes, int status, const char *why)
{
    struct list mine;
    struct err err = {0};
    list_init(&mine);
    list_splice(&mine, writes);
    err_set(&err, status, "%s", why);
    while (!list_empty(&mine)) {
        struct engine_write *w = container_of(mine.next, struct engine_write, queue);
        list_remove(&w->queue);
        w->done(w, status, NULL, &err);
    }
}

void engine_answer_reads(struct list *reads)
{
    struct list mine;
    list_init(&mine);
    list_splice(&mine, reads);
    while (!list_empty(&mine)) {
        struct engine_read *r = container_of(mine.next, struct engine_read, queue);
        list_remove(&r->queue);
        r->ready(r, r->status);
    }
}

void engine_notify(struct engine *e, const struct changes *changes)
{
    struct list *it;
    struct list *after;
    list_each_safe (it, after, &e->watches) {
        struct engine_watch *w = container_of(it, struct engine_watch, link);
        w->cb(w->data, changes);
    }
}

/* --- batches
 * ---------------------------------------------------------------------------------------- */

static void batch_clear(struct batch *b)
{
    b->n = 0;
    b->at = 0;
    b->n_flight = 0;
    arena_clear(&b->arena);
}

void engine_batch_done(struct engine *e)
{
    batch_clear(&e->batch);
    if (e->leader != NULL) {
        leader_settle(e->leader);
    }
}

/* The next n commands of the batch come to nothing. */
static void batch_fail(struct engine *e, uint32_t n, int status, const struct err *err)
{
    struct batch *b = &e->batch;
    uint32_t end = b->at + n;
    assert(end <= b->n);
    while (b->at < end) {
        struct engine_write *w = b->writers[b->at++];
        if (w != NULL) {
            w->done(w, status, NULL, err);
        }
    }
}

static struct command *batch_add(struct engine *e, struct engine_write *w)
{
    struct batch *b = &e->batch;
    struct command *cmd = &b->commands[b->n];
    memset(cmd, 0, sizeof *cmd);
    b->writers[b->n] = w;
    return cmd;
}

/* Stamp what only the engine knows and count the command in. */
static void batch_commit(struct engine *e, struct command *cmd)
{
    cmd->at_ms = engine_now_ms(e);
    cmd->seed = engine_random(e);
    e->batch.n++;
}

/* Ask one request what it wants now that its turn has come. */
static void decide(struct engine *e, struct engine_write *w)
{
    struct err err = {0};
    struct command *cmd = batch_add(e, w);
    int rv = w->decide(w, e, cmd, &e->batch.arena, &err);
    if (rv == 0) {
        w->proposed = true;
        batch_commit(e, cmd);
        return;
    }
    w->done(w, rv == 1 ? 0 : rv, NULL, &err);
}

/* The leader's digest of the applied state goes first, where every replica can compare. */
static void publish_digest(struct engine *e)
{
    const struct meta *meta = store_meta(e->store);
    struct command *cmd;
    if (meta->revision < e->published + ENGINE_DIGEST_EVERY) {
        return;
    }
    cmd = batch_add(e, NULL);
    cmd->kind = CMD_DIGEST;
    cmd->u.digest.revision = meta->revision;
    cmd->u.digest.digest = meta->digest;
    e->published = meta->revision;
    batch_commit(e, cmd);
}

static void collect_writes(struct engine *e)
{
    while (!list_empty(&e->writes) && e->batch.n < ENGINE_BATCH_MAX &&
           e->batch.arena.used < ENGINE_BATCH_BYTES) {
        struct engine_write *w = container_of(e->writes.next, struct engine_write, queue);
        list_remove(&w->queue);
        e->n_writes--;
        decide(e, w);
    }
}

static void collect_passes(struct engine *e)
{
    int64_t deadline;
    int64_t now = engine_now_ms(e);
    struct batch *b = &e->batch;
    uint32_t n;
    if (clock_mono_ms() < e->retry_ms || !leader_dirty(e->leader, now, &deadline)) {
        return;
    }
    n = leader_pass(e->leader, now, &b->commands[b->n], ENGINE_PASS_MAX, &b->arena);
    for (uint32_t i = 0; i < n; i++) {
        b->writers[b->n] = NULL;
        batch_commit(e, &b->commands[b->n]);
    }
}

/* The log takes nothing now. What the leader wants it will want again, but not at once; the reason
 * is logged when it begins, not for every request. */
static void refused(struct engine *e, int rv, const struct err *err)
{
    e->retry_ms = clock_mono_ms() + ENGINE_RETRY_MS;
    if (rv != e->refusal && rv != ERR_NOTLEADER && rv != ERR_AGAIN && rv != ERR_CLOSED) {
        log_warn("engine.refused", log_err(err), log_u64("commands", e->batch.n - e->batch.at));
    }
    e->refusal = rv;
}

/* As many of the batch's commands as fit into one entry. */
static int propose_some(struct engine *e, struct err *err)
{
    struct batch *b = &e->batch;
    uint16_t level = (uint16_t)store_meta(e->store)->feature_level;
    int rv;
    b->n_flight = b->n - b->at;
    for (;;) {
        buf_clear(&e->entry);
        rv = codec_encode_batch(e->codec, &b->commands[b->at], b->n_flight, level, &e->entry, err);
        if (rv != ERR_TOOBIG || b->n_flight == 1) {
            break;
        }
        b->n_flight = (b->n_flight + 1) / 2;
    }
    return rv != 0 ? rv : raftnode_propose(e->node, e->entry.data, e->entry.len, b, err);
}

static void propose(struct engine *e)
{
    struct batch *b = &e->batch;
    while (b->at < b->n) {
        struct err err = {0};
        int rv = propose_some(e, &err);
        if (rv == 0) {
            e->in_flight = true;
            e->refusal = 0;
            e->n_batches++;
            return;
        }
        refused(e, rv, &err);
        b->n_flight = rv == ERR_TOOBIG ? b->n_flight : b->n - b->at;
        e->n_rejected += b->n_flight;
        batch_fail(e, b->n_flight, rv == ERR_AGAIN ? ERR_NOTLEADER : rv, &err);
    }
    engine_batch_done(e);
}

static void pump(void *data)
{
    struct engine *e = data;
    engine_answer(&e->refused, ERR_NOTLEADER, "this controller does not lead");
    engine_answer(&e->overflow, ERR_FULL, "too many requests are waiting");
    engine_answer_reads(&e->reads);
    if (e->leader == NULL) {
        e->n_writes = 0;
        engine_answer(&e->writes, ERR_NOTLEADER, "this controller does not lead");
        return;
    }
    if (e->in_flight || storage_backlog(e->storage) > ENGINE_BACKLOG_HIGH) {
        return; /* The apply, or the storage thread's progress, wakes us again. */
    }
    if (e->batch.n == 0) {
        publish_digest(e);
        collect_writes(e);
        collect_passes(e);
    }
    propose(e);
    engine_arm(e);
    if (!list_empty(&e->writes)) {
        loop_soon_post(e->pump);
    }
}

void engine_arm(struct engine *e)
{
    int64_t now = engine_now_ms(e);
    int64_t deadline = INT64_MAX;
    uint64_t mono = clock_mono_ms();
    if (e->leader == NULL) {
        return;
    }
    if (mono < e->retry_ms) {
        loop_timer_start(e->timer, e->retry_ms - mono);
        return;
    }
    if (leader_dirty(e->leader, now, &deadline)) {
        if (!e->in_flight) {
            loop_soon_post(e->pump);
        }
        return;
    }
    if (deadline == INT64_MAX) {
        loop_timer_stop(e->timer);
    } else {
        loop_timer_start(e->timer, deadline > now ? (uint64_t)(deadline - now) : 0);
    }
}

static void on_timer(void *data)
{
    struct engine *e = data;
    loop_soon_post(e->pump);
}

/* --- what raft says
 * ---------------------------------------------------------------------------------- */

/* The rest of a batch whose first entries are applied was not proposed at all. */
static void drop_rest(struct engine *e)
{
    struct err err = {0};
    err_set(&err, ERR_NOTLEADER, "this controller does not lead");
    batch_fail(e, e->batch.n - e->batch.at, ERR_NOTLEADER, &err);
    batch_clear(&e->batch);
}

static void on_lost(void *ctx, void *cookie)
{
    struct engine *e = ctx;
    struct err err = {0};
    assert(cookie == &e->batch && e->in_flight);
    err_set(&err, ERR_UNKNOWN,
            "leadership was lost while the request was in flight: it may or may not be carried "
            "out; send it again with the same client token");
    e->in_flight = false;
    batch_fail(e, e->batch.n_flight, ERR_UNKNOWN, &err);
    drop_rest(e);
}

static void on_leader(void *ctx, uint64_t term)
{
    struct engine *e = ctx;
    assert(e->leader == NULL);
    e->leader = leader_open(e->store, &e->config.leader, engine_now_ms(e), e->mem);
    log_info("engine.leader", log_u64("term", term),
             log_u64("revision", store_meta(e->store)->revision));
    engine_notify(e, NULL);
    loop_soon_post(e->pump);
}

static void on_follower(void *ctx, uint64_t term)
{
    struct engine *e = ctx;
    assert(!e->in_flight);
    drop_rest(e);
    leader_close(e->leader);
    e->leader = NULL;
    e->retry_ms = 0;
    loop_timer_stop(e->timer);
    log_info("engine.follower", log_u64("term", term));
    engine_notify(e, NULL);
    loop_soon_post(e->pump);
}

static void on_fatal(void *ctx, const struct err *err)
{
    (void)ctx;
    engine_die("raft.fatal", err);
}

static void on_stopped(void *ctx)
{
    struct engine *e = ctx;
    storage_flush(e->storage);
    if (e->stopped != NULL) {
        e->stopped(e->stopped_ctx);
    }
}

static void on_storage(uv_async_t *async)
{
    engine_storage_progress(async->data);
}

/* On the storage thread: pass the word on. */
static void on_wake(void *data)
{
    (void)uv_async_send(data);
}

/* --- life
 * --------------------------------------------------------------------------------------------- */

static int open_node(struct engine *e, uint64_t index, uint64_t term, struct err *err)
{
    struct raftnode_config config = {0};
    struct raftnode_events events = {0};
    struct raftnode_member *members = calloc(e->config.n_members, sizeof *members);
    char dir[4096];
    int rv;
    if (members == NULL) {
        return err_set(err, ERR_NOMEM, "members");
    }
    for (unsigned i = 0; i < e->config.n_members; i++) {
        members[i].id = e->config.members[i].id;
        members[i].address = e->config.members[i].peer_address;
    }
    (void)snprintf(dir, sizeof dir, "%s/log", e->config.dir);
    config.dir = dir;
    config.id = e->config.id;
    config.members = members;
    config.n_members = e->config.n_members;
    config.listen = e->config.peer_listen;
    config.tls_server = e->config.tls_server;
    config.tls_client = e->config.tls_client;
    config.loop = e->loop;
    config.mem = e->mem;
    config.checkpoint_index = index;
    config.checkpoint_term = term;
    config.election_ms = e->config.election_ms;
    config.heartbeat_ms = e->config.heartbeat_ms;
    config.trailing = e->config.trailing;
    events.apply = engine_apply_entry;
    events.lost = on_lost;
    events.leader = on_leader;
    events.follower = on_follower;
    events.fatal = on_fatal;
    events.stopped = on_stopped;
    engine_snapshot_events(&events);
    rv = raftnode_open(&config, &events, e, &e->node, err);
    free(members);
    return rv;
}

static struct engine *engine_new(uv_loop_t *loop, const struct engine_config *config,
                                 const struct mem *mem)
{
    struct engine *e = mem_alloc(mem, sizeof *e);
    e->mem = mem;
    e->loop = loop;
    e->config = *config;
    list_init(&e->writes);
    list_init(&e->refused);
    list_init(&e->overflow);
    list_init(&e->reads);
    list_init(&e->asked);
    list_init(&e->watches);
    changes_init(&e->changes, mem);
    changes_init(&e->dirty, mem);
    arena_init(&e->apply_arena, mem);
    arena_init(&e->batch.arena, mem);
    e->batch.commands = mem_alloc(mem, ENGINE_SLOTS * sizeof *e->batch.commands);
    e->batch.writers = mem_alloc(mem, ENGINE_SLOTS * sizeof(struct engine_write *));
    buf_init(&e->row, mem, 16u << 20);
    buf_init(&e->entry, mem, RAFTNODE_PAYLOAD_MAX);
    e->pump = loop_soon_open(loop, pump, e);
    e->timer = loop_timer_open(loop, on_timer, e);
    e->store = store_open(mem);
    return e;
}

/* Load the state as of the checkpoint; the log after it follows through raft. */
static int open_state(struct engine *e, struct storage_point *at, struct err *err)
{
    struct storage_options options = {0};
    char dir[4096];
    int rv;
    if (mkdir(e->config.dir, 0700) != 0 && errno != EEXIST) {
        return err_set(err, ERR_IO, "data directory %s: %s", e->config.dir, strerror(errno));
    }
    (void)snprintf(dir, sizeof dir, "%s/state", e->config.dir);
    options.dir = dir;
    options.codec = e->codec;
    options.wake = on_wake;
    options.data = e->durable;
    rv = storage_open(&options, &e->storage, at, err);
    if (rv == 0 && at->index > 0) {
        rv = storage_load(e->storage, e->store, e->mem, err);
    }
    if (rv == 0) {
        log_info("engine.loaded", log_u64("index", at->index), log_u64("revision", at->revision));
    }
    return rv;
}

int engine_open(uv_loop_t *loop, const struct engine_config *config, const struct mem *mem,
                struct engine **ret, struct err *err)
{
    struct engine *e = engine_new(loop, config, mem);
    struct storage_point at = {0};
    int rv;
    e->durable = mem_alloc(mem, sizeof *e->durable);
    (void)uv_async_init(loop, e->durable, on_storage);
    e->durable->data = e;
    rv = codec_open(mem, &e->codec, err);
    if (rv == 0) {
        rv = open_state(e, &at, err);
    }
    if (rv == 0) {
        e->applied_index = at.index;
        engine_see_time(e);
        rv = open_node(e, at.index, at.term, err);
    }
    if (rv != 0) {
        engine_close(e);
        return rv;
    }
    *ret = e;
    return 0;
}

void engine_stop(struct engine *e, void (*stopped)(void *ctx), void *ctx)
{
    e->stopping = true;
    e->stopped = stopped;
    e->stopped_ctx = ctx;
    raftnode_stop(e->node);
}

static void on_async_closed(uv_handle_t *handle)
{
    const struct mem *mem = handle->data;
    mem_free(mem, handle, sizeof(uv_async_t));
}

void engine_abandon(struct engine *e)
{
    struct list *it;
    if (e == NULL) {
        return;
    }
    e->stopping = true;
    e->n_writes = 0;
    engine_answer(&e->refused, ERR_CLOSED, "the controller stops");
    engine_answer(&e->overflow, ERR_CLOSED, "the controller stops");
    engine_answer(&e->writes, ERR_CLOSED, "the controller stops");
    if (e->in_flight) {
        on_lost(e, &e->batch);
    }
    drop_rest(e);
    list_splice(&e->reads, &e->asked);
    list_each (it, &e->reads) {
        container_of(it, struct engine_read, queue)->status = ERR_CLOSED;
    }
    engine_answer_reads(&e->reads);
}

void engine_close(struct engine *e)
{
    struct err err = {0};
    if (e == NULL) {
        return;
    }
    engine_abandon(e);
    raftnode_close(e->node);
    leader_close(e->leader);
    if (storage_close(e->storage, &err) != 0) {
        log_error("storage.close", log_err(&err));
    }
    e->durable->data = (void *)(uintptr_t)e->mem;
    uv_close((uv_handle_t *)e->durable, on_async_closed);
    loop_soon_close(e->pump);
    loop_timer_close(e->timer);
    store_close(e->store);
    codec_close(e->codec);
    changes_close(&e->changes);
    changes_close(&e->dirty);
    arena_close(&e->apply_arena);
    arena_close(&e->batch.arena);
    mem_free(e->mem, e->batch.commands, ENGINE_SLOTS * sizeof *e->batch.commands);
    mem_free(e->mem, e->batch.writers, ENGINE_SLOTS * sizeof(struct engine_write *));
    buf_close(&e->row);
    buf_close(&e->entry);
    mem_free(e->mem, e, sizeof *e);
}
