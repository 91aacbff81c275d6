/* Who this control plane is, and the beginning of an epoch: what a cluster that was restored from a
 * backup, or saved from its last survivor, must do so that nothing of the lost part is ever met
 * again under the same name. */
#include "controller/core/feature.h"
#include "controller/core/store_impl.h"

void store_identity(struct store *s, const struct command *cmd, struct result *r)
{
    if (!id_is_none(s->meta->cluster_id)) {
        store_reject(r, REJECT_INVALID, "The control plane has an id already.");
        return;
    }
    s->meta->cluster_id = id_derive(cmd->seed, s->meta->revision, 0);
    if (s->meta->epoch == 0) {
        s->meta->epoch = 1;
    }
    store_touch(s, KIND_META, 0);
}

/* Revision numbers that the lost part may have given out are not given out again. */
static void skip_revisions(struct store *s)
{
    for (uint32_t slot = 0; slot < s->tables[KIND_FAMILY].high; slot++) {
        struct family *f = store_at(s, KIND_FAMILY, slot);
        if (f != NULL) {
            bool room = f->last_revision <= LIMIT_REVISIONS - LIMIT_EPOCH_TASKDEFS;
            f->last_revision = room ? f->last_revision + LIMIT_EPOCH_TASKDEFS : LIMIT_REVISIONS;
            store_touch(s, KIND_FAMILY, slot);
        }
    }
}

void store_epoch(struct store *s, const struct command *cmd, struct result *r)
{
    struct meta *meta = s->meta;
    if (cmd->u.epoch.epoch <= meta->epoch) {
        store_reject(r, REJECT_INVALID, "The epoch is %llu already and must rise, not become %llu.",
                     (unsigned long long)meta->epoch, (unsigned long long)cmd->u.epoch.epoch);
        return;
    }
    if (id_is_none(meta->cluster_id)) {
        meta->cluster_id = id_derive(cmd->seed, meta->revision, 0);
    }
    meta->epoch = cmd->u.epoch.epoch;
    meta->now++; /* So that all there is was created before epoch_at. */
    meta->epoch_at = meta->now;
    meta->revision += LIMIT_EPOCH_REVISIONS;
    if (cmd->u.epoch.fence) { /* Programs that do not know what that means must not take part. */
        meta->fenced = true;
        meta->feature_level =
            meta->feature_level > FEATURE_FENCE ? meta->feature_level : FEATURE_FENCE;
    }
    s->digests_from = meta->revision; /* Those in between were never computed. */
    r->revision = meta->revision;
    store_touch(s, KIND_META, 0);
    skip_revisions(s);
}

void store_unfence(struct store *s, const struct command *cmd, struct result *r)
{
    (void)cmd;
    (void)r;
    if (s->meta->fenced) {
        s->meta->fenced = false;
        store_touch(s, KIND_META, 0);
    }
}
