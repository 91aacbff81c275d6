/* The identity of the control plane comes from the state (its first leader gave it); the file in
 * the data directory repeats it, for the time before the state is there, and for people. */
#include "common/log/log.h"
#include "controller/engine/engine_int.h"

#include <inttypes.h>

static bool same(const struct identity *a, const struct meta *meta)
{
    return a->epoch == meta->epoch && id_eq(a->cluster_id, meta->cluster_id);
}

static int save(struct engine *e, struct err *err)
{
    const struct meta *meta = store_meta(ring_store(e->ring));
    const struct identity now = {meta->cluster_id, meta->epoch};
    char hex[ID_HEX_LEN + 1];
    int rv = identity_write(e->config.dir, &now, err);
    if (rv == 0) {
        e->identity = now;
        id_hex(now.cluster_id, hex);
        log_info("engine.identity", log_str("cluster_id", hex), log_u64("epoch", now.epoch));
    }
    return rv;
}

static void tell_of_fence(const struct meta *meta)
{
    if (meta->fenced) {
        log_warn(
            "engine.fenced", log_u64("epoch", meta->epoch),
            log_str("what", "requests with client tokens that are not known are refused"),
            log_str("action", "ecs-admin raft unfence, when what is there is as it should be"));
    }
}

int engine_identity_open(struct engine *e, struct err *err)
{
    const struct meta *meta = store_meta(ring_store(e->ring));
    int rv = identity_read(e->config.dir, &e->identity, err);
    tell_of_fence(meta);
    if (rv != 0 || meta->epoch == 0 || same(&e->identity, meta)) {
        return rv;
    }
    if (e->identity.epoch != 0) {
        return err_set(err, ERR_CONFLICT,
                       "%s: the state is of epoch %" PRIu64 ", the directory of epoch %" PRIu64
                       " or of another control plane",
                       e->config.dir, meta->epoch, e->identity.epoch);
    }
    return save(e, err);
}

/* Called for every change; does something once in the life of a directory. */
void engine_identity_follow(struct engine *e)
{
    const struct meta *meta = store_meta(ring_store(e->ring));
    struct err err = {0};
    if (e->node == NULL || meta->epoch == 0 || same(&e->identity, meta)) {
        return;
    }
    if (save(e, &err) != 0) {
        engine_die("engine.identity", &err);
    }
    raftnode_identify(e->node, meta->cluster_id, meta->epoch);
}
