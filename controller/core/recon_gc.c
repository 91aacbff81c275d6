/* What is old enough goes, at most LIMIT_GC_ROWS at a time. */
#include "common/base/buggify.h"
#include "common/base/plant.h"
#include "controller/core/leader_impl.h"

int64_t recon_gc_deadline(const struct leader *l, int64_t now_ms)
{
    int64_t due;
    if (l->gc_busy) {
        return INT64_MAX;
    }
    (void)store_gc_due(l->store, now_ms, &due);
    return due < l->gc_after ? l->gc_after : due;
}

bool recon_gc(struct leader *l, int64_t now_ms, struct command *cmd)
{
    if (recon_gc_deadline(l, now_ms) > now_ms) {
        return false;
    }
    if (BUGGIFY(LEADER_GC_LATER) || PLANTED(GC_IDLE)) {
        l->gc_after = now_ms + LEADER_GC_MS;
        return false;
    }
    *cmd = (struct command){.kind = CMD_GC};
    l->gc_busy = true;
    l->gc_after = now_ms + LEADER_GC_MS;
    return true;
}
