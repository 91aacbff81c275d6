/* The ring on a real machine: it is opened from files, fed by raftnode, libuv and the storage
 * thread, and stopped in order. */
#include "controller/engine/engine.h"

#include "common/log/log.h"
#include "controller/core/feature.h"
#include "controller/engine/engine_int.h"
#include "controller/raft/conf.h"
#include "controller/raft/replica.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Tell when nodes fall silent in numbers, and when that is over. */
static void watch_nodes(struct engine *e)
{
    const struct leader *l = ring_leader(e->ring);
    struct leader_nodes nodes = {0};
    if (l != NULL) {
        nodes = leader_nodes(l);
    }
    if (nodes.loss == e->loss) {
        return;
    }
    e->loss = nodes.loss;
    if (nodes.loss != LEADER_LOSS_FEW) {
        log_warn("nodes.silent", log_u64("silent", nodes.n_silent), log_u64("of", nodes.n_alive),
                 log_str("action",
                         nodes.loss == LEADER_LOSS_ALL ? "none is given up" : "given up slowly"));
    } else if (l != NULL) {
        log_info("nodes.heard", log_u64("silent", nodes.n_silent), log_u64("of", nodes.n_alive));
    }
}

static void hand_over(struct engine *e)
{
    struct err err = {0};
    e->hand_over = false;
    if (raftnode_transfer(e->node, 0, &err) != 0) {
        log_warn("engine.hand_over", log_err(&err));
        return;
    }
    log_warn("engine.hand_over", log_str("because", "no node is heard here any more"));
}

static void turn(void *data)
{
    struct engine *e = data;
    ring_turn(e->ring);
    watch_nodes(e);
    if (e->hand_over) {
        hand_over(e);
    }
}

static void on_timer(void *data)
{
    struct engine *e = data;
    loop_soon_post(e->pump);
}

/* --- what raft says
 * ---------------------------------------------------------------------------------- */

static void on_apply(void *ctx, uint64_t index, uint64_t term, const uint8_t *bytes, size_t len,
                     void *cookie)
{
    struct engine *e = ctx;
    ring_apply(e->ring, index, term, bytes, len, cookie != NULL);
}

static void on_lost(void *ctx, void *cookie)
{
    struct engine *e = ctx;
    assert(cookie == e->ring);
    ring_lost(e->ring);
}

static void on_leader(void *ctx, uint64_t term)
{
    struct engine *e = ctx;
    log_info("engine.leader", log_u64("term", term),
             log_u64("revision", store_meta(ring_store(e->ring))->revision));
    ring_lead(e->ring);
}

static void on_follower(void *ctx, uint64_t term)
{
    struct engine *e = ctx;
    log_info("engine.follower", log_u64("term", term));
    ring_follow(e->ring);
}

static void on_fatal(void *ctx, const struct err *err)
{
    (void)ctx;
    engine_die("raft.fatal", err);
}

static void on_expelled(void *ctx, const struct err *err)
{
    (void)ctx;
    log_error("engine.expelled", log_err(err),
              log_str("action",
                      "this controller stops for good; to use the machine again, empty its "
                      "data directory and join under a new id (docs/operations.md)"));
    _exit(ENGINE_EXIT_EXPELLED);
}

/* Who watches asks for addresses that may have changed. */
static void on_members(void *ctx)
{
    struct engine *e = ctx;
    engine_tell(e, NULL);
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

static int name_members(const struct engine *e, struct raftnode_member *members,
                        char addresses[][CONF_ADDRESS_MAX], struct err *err)
{
    if (e->config.n_members > REPLICA_MEMBERS_MAX) {
        return err_set(err, ERR_INVALID, "members: %u, at most %u", e->config.n_members,
                       REPLICA_MEMBERS_MAX);
    }
    for (unsigned i = 0; i < e->config.n_members; i++) {
        const struct engine_member *m = &e->config.members[i];
        struct conf_address a = {str_of(m->peer_address), str_of(m->api_address), 0};
        int rv = conf_address_write(&a, addresses[i], err);
        if (rv != 0) {
            return err_wrap(err, rv, "members");
        }
        members[i] = (struct raftnode_member){m->id, addresses[i]};
    }
    return 0;
}

static int open_node(struct engine *e, uint64_t index, uint64_t term, struct err *err)
{
    struct raftnode_config config = {0};
    struct raftnode_events events = {0};
    struct raftnode_member members[REPLICA_MEMBERS_MAX];
    char addresses[REPLICA_MEMBERS_MAX][CONF_ADDRESS_MAX];
    char dir[4096];
    int rv = name_members(e, members, addresses, err);
    if (rv != 0) {
        return rv;
    }
    (void)snprintf(dir, sizeof dir, "%s/log", e->config.dir);
    config.dir = dir;
    config.id = e->config.id;
    config.members = members;
    config.n_members = e->config.n_members;
    config.joining = e->config.joining;
    config.software = e->config.software;
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
    config.feature_level = FEATURE_LEVEL;
    config.cluster_id = e->identity.cluster_id;
    config.epoch = e->identity.epoch;
    events.apply = on_apply;
    events.lost = on_lost;
    events.leader = on_leader;
    events.follower = on_follower;
    events.fatal = on_fatal;
    events.stopped = on_stopped;
    events.expelled = on_expelled;
    events.members = on_members;
    engine_snapshot_events(&events);
    return raftnode_open(&config, &events, e, &e->node, err);
}

static struct engine *engine_new(uv_loop_t *loop, const struct engine_config *config,
                                 const struct mem *mem)
{
    struct engine *e = mem_alloc(mem, sizeof *e);
    e->mem = mem;
    e->loop = loop;
    e->config = *config;
    list_init(&e->watches);
    list_init(&e->questions);
    e->pump = loop_soon_open(loop, turn, e);
    e->timer = loop_timer_open(loop, on_timer, e);
    return e;
}

/* Load the state as of the checkpoint; the log after it follows through raft. */
static int open_state(struct engine *e, struct storage_point *at, struct err *err)
{
    struct storage_options options = {0};
    struct store *store;
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
        store = store_open(e->mem);
        rv = storage_load(e->storage, store, e->mem, err);
        if (rv != 0) {
            store_close(store);
            return rv;
        }
        ring_take_state(e->ring, store, at->index);
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
        e->ring = ring_open(e->codec, &config->leader, &engine_ring_io, e, mem);
        rv = open_state(e, &at, err);
    }
    if (rv == 0) {
        rv = engine_identity_open(e, err);
    }
    if (rv == 0) {
        rv = open_node(e, at.index, at.term, err);
    }
    if (rv == 0) {
        engine_audit_open(e);
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
    ring_stop(e->ring);
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
    if (e != NULL && e->ring != NULL) {
        ring_abandon(e->ring);
        engine_history_abandon(e);
    }
}

void engine_close(struct engine *e)
{
    struct err err = {0};
    if (e == NULL) {
        return;
    }
    engine_abandon(e);
    engine_audit_close(e);
    raftnode_close(e->node);
    engine_load_abandon(e);
    if (storage_close(e->storage, &err) != 0) {
        log_error("storage.close", log_err(&err));
    }
    e->durable->data = (void *)(uintptr_t)e->mem;
    uv_close((uv_handle_t *)e->durable, on_async_closed);
    loop_soon_close(e->pump);
    loop_timer_close(e->timer);
    ring_close(e->ring);
    codec_close(e->codec);
    mem_free(e->mem, e, sizeof *e);
}
