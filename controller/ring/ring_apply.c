/* Committed entries in, a changed store out: the same code on the leader and on the others. The
 * rows that changed go to the checkpoint, whoever waits is answered, watchers are told. */
#include "common/base/plant.h"
#include "controller/ring/ring_impl.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static int change_cmp(const void *a, const void *b)
{
    const struct change *x = a;
    const struct change *y = b;
    if (x->kind != y->kind) {
        return x->kind < y->kind ? -1 : 1;
    }
    return x->slot < y->slot ? -1 : x->slot > y->slot;
}

static void remember(struct ring *r, const struct changes *changes)
{
    for (uint32_t i = 0; i < changes->n; i++) {
        changes_add(&r->dirty, changes->v[i].kind, changes->v[i].slot);
    }
}

static void save_row(struct ring *r, const struct change *c)
{
    const void *row = store_row(r->store, c->kind, c->slot);
    struct err err = {0};
    if (row == NULL) {
        r->io->row(r->ctx, c->kind, c->slot, NULL, 0);
        return;
    }
    buf_clear(&r->row);
    if (codec_encode_row(r->codec, c->kind, row, &r->row, &err) != 0) {
        r->io->die(r->ctx, "engine.row", &err);
    }
    r->io->row(r->ctx, c->kind, c->slot, r->row.data, r->row.len);
}

/* Hand the rows that this entry changed to the checkpoint, each once, in its final form. */
static void save(struct ring *r, uint64_t index, uint64_t term)
{
    const struct meta *meta = store_meta(r->store);
    const struct ring_point point = {index, term, meta->revision, meta->digest};
    struct changes *d = &r->dirty;
    changes_add(d, KIND_META, 0); /* Every command moves revision, time and digest. */
    qsort(d->v, d->n, sizeof *d->v, change_cmp);
    for (uint32_t i = PLANTED(ROW_NOT_SAVED) && meta->revision % 16 == 0; i < d->n; i++) {
        if (i == 0 || change_cmp(&d->v[i - 1], &d->v[i]) != 0) {
            save_row(r, &d->v[i]);
        }
    }
    changes_clear(d);
    r->io->commit(r->ctx, &point);
}

/* A digest that differs means that this controller's state is not what the leader's is: it must
 * not spread. */
static void check_digest(struct ring *r, const struct command *cmd, const struct result *result)
{
    struct err err = {0};
    if (cmd->kind == CMD_DIGEST && result->reject != REJECT_NONE) {
        err_set(&err, ERR_CORRUPT, "%s", result->text);
        r->io->die(r->ctx, "engine.diverged", &err);
    }
}

void ring_see_time(struct ring *r)
{
    if (store_meta(r->store)->now != r->seen_now) {
        r->seen_now = store_meta(r->store)->now;
        r->seen_mono_ms = r->io->mono_ms(r->ctx);
    }
}

static void carry_out(struct ring *r, const struct command *cmd, struct ring_write *w)
{
    struct result result;
    memset(&result, 0, sizeof result);
    changes_clear(&r->changes);
    if (PLANTED(FOLLOWER_SKIPS) && r->leader == NULL && cmd->kind == CMD_TASK_REPORTS &&
        cmd->seed % 16 == 0) {
        return;
    }
    store_apply(r->store, cmd, &r->changes, &result);
    r->n_commands++;
    ring_see_time(r);
    check_digest(r, cmd, &result);
    remember(r, &r->changes);
    if (r->io->record != NULL) {
        ring_tell(r, cmd, &result);
    }
    if (r->leader != NULL) {
        leader_changed(r->leader, &r->changes);
    }
    r->io->changed(r->ctx, &r->changes);
    if (w != NULL) {
        w->done(w, 0, &result, NULL);
    }
}

void ring_apply(struct ring *r, uint64_t index, uint64_t term, const uint8_t *bytes, size_t len,
                bool ours)
{
    struct batch *b = &r->batch;
    struct command *commands;
    struct err err = {0};
    uint32_t n;
    arena_clear(&r->apply_arena);
    if (codec_decode_batch(r->codec, str_make((const char *)bytes, len), &r->apply_arena, &commands,
                           &n, &err) != 0) {
        err_wrap(&err, ERR_CORRUPT, "log entry %llu", (unsigned long long)index);
        r->io->die(r->ctx, "engine.entry", &err);
    }
    assert(!ours || (r->in_flight && b->n_flight == n));
    for (uint32_t i = 0; i < n; i++) {
        carry_out(r, &commands[i], ours ? b->writers[b->at + i] : NULL);
    }
    r->applied_index = index;
    save(r, index, term);
    if (ours) {
        b->at += n;
        r->in_flight = false;
        if (b->at == b->n) {
            ring_batch_done(r);
        }
    }
    if (r->leader != NULL) {
        r->io->wake(r->ctx);
    }
}
