/* The checkpoint as raft sees it: read at the start, sent to a controller that lags too far behind,
 * received when that is us. The storage thread checks and switches a received file and another one
 * loads it, so installing spans several turns of the loop: engine_storage_progress() finishes it.
 */
#include "common/log/log.h"
#include "controller/engine/engine_int.h"

#include <string.h>

static int on_open(void *ctx, void **ret_handle, struct raftnode_snapshot *ret, struct err *err)
{
    struct engine *e = ctx;
    struct storage_snapshot *snap;
    struct storage_point at;
    int rv = storage_snapshot_open(e->storage, &snap, &at, &ret->size, err);
    if (rv != 0) {
        return rv;
    }
    ret->index = at.index;
    ret->term = at.term;
    *ret_handle = snap;
    return 0;
}

static int on_read(void *ctx, void *handle, uint64_t offset, uint8_t *to, size_t size,
                   size_t *ret_n, struct err *err)
{
    (void)ctx;
    return storage_snapshot_read(handle, offset, to, size, ret_n, err);
}

static void on_close(void *ctx, void *handle)
{
    (void)ctx;
    storage_snapshot_close(handle);
}

static int on_begin(void *ctx, const struct raftnode_snapshot *snapshot, struct err *err)
{
    struct engine *e = ctx;
    log_info("engine.snapshot_coming", log_u64("index", snapshot->index),
             log_u64("bytes", snapshot->size));
    return storage_receive_begin(e->storage, snapshot->size, err);
}

static int on_chunk(void *ctx, const uint8_t *bytes, size_t n, struct err *err)
{
    struct engine *e = ctx;
    return storage_receive_chunk(e->storage, bytes, n, err);
}

static void on_abort(void *ctx)
{
    struct engine *e = ctx;
    storage_receive_abort(e->storage);
}

static void on_install(void *ctx, const struct raftnode_snapshot *snapshot)
{
    struct engine *e = ctx;
    struct err err = {0};
    int rv = storage_install(e->storage, snapshot->index, snapshot->term, &err);
    if (rv != 0) {
        log_warn("engine.snapshot_refused", log_err(&err));
        raftnode_installed(e->node, rv);
        return;
    }
    e->installing = true;
}

/* On a thread of its own: hundreds of megabytes take seconds, in which this controller must answer
 * its leader. Reads are served from the old state meanwhile, and nothing is applied. */
static void load(void *arg)
{
    struct engine_load *l = arg;
    l->status = storage_load(l->e->storage, l->store, l->e->mem, &l->err);
    atomic_store(&l->done, true);
    (void)uv_async_send(l->e->durable);
}

static void begin_load(struct engine *e, const struct storage_point *at)
{
    struct engine_load *l = mem_alloc(e->mem, sizeof *l);
    l->e = e;
    l->at = *at;
    l->store = store_open(e->mem);
    e->load = l;
    if (uv_thread_create(&l->thread, load, l) != 0) {
        (void)err_set(&l->err, ERR_NOMEM, "no thread to load the checkpoint");
        engine_die("engine.snapshot_load", &l->err);
    }
}

/* The file was checked before it took the old one's place, so a failure to load it now is damage
 * that this process should not live with. */
static void end_load(struct engine *e)
{
    struct engine_load *l = e->load;
    if (!atomic_load(&l->done)) {
        return;
    }
    (void)uv_thread_join(&l->thread);
    e->load = NULL;
    if (l->status != 0) {
        engine_die("engine.snapshot_load", &l->err);
    }
    ring_take_state(e->ring, l->store, l->at.index);
    log_info("engine.snapshot_installed", log_u64("index", l->at.index),
             log_u64("revision", l->at.revision));
    mem_free(e->mem, l, sizeof *l);
    raftnode_installed(e->node, 0);
}

void engine_load_abandon(struct engine *e)
{
    if (e->load != NULL) {
        (void)uv_thread_join(&e->load->thread);
        store_close(e->load->store);
        mem_free(e->mem, e->load, sizeof *e->load);
        e->load = NULL;
    }
}

static void finish_install(struct engine *e)
{
    struct storage_point at;
    struct err err = {0};
    int rv = storage_installed(e->storage, &at, &err);
    if (rv == ERR_AGAIN) {
        return;
    }
    e->installing = false;
    if (rv != 0) {
        log_warn("engine.snapshot_refused", log_err(&err));
        raftnode_installed(e->node, rv);
        return;
    }
    begin_load(e, &at);
}

void engine_storage_progress(struct engine *e)
{
    struct err err = {0};
    if (storage_error(e->storage, &err) != 0) {
        engine_die("storage.failed", &err);
    }
    engine_history_progress(e);
    if (e->installing) {
        finish_install(e);
        return;
    }
    if (e->load != NULL) {
        end_load(e);
        return;
    }
    raftnode_checkpoint(e->node, storage_durable(e->storage).index);
    loop_soon_post(e->pump);
}

void engine_snapshot_events(struct raftnode_events *events)
{
    events->snapshot_open = on_open;
    events->snapshot_read = on_read;
    events->snapshot_close = on_close;
    events->receive_begin = on_begin;
    events->receive_chunk = on_chunk;
    events->receive_abort = on_abort;
    events->receive_install = on_install;
}
