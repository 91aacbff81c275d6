/* Committed entries in, a changed store out: the same code on the leader and on the others. The
 * rows that changed go to the checkpoint, whoever waits is answered, watchers are told. */
#include "common/log/log.h"
#include "controller/engine/engine_int.h"

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

static void remember(struct engine *e, const struct changes *changes)
{
    for (uint32_t i = 0; i < changes->n; i++) {
        changes_add(&e->dirty, changes->v[i].kind, changes->v[i].slot);
    }
}

static void save_row(struct engine *e, const struct change *c)
{
    const void *row = store_row(e->store, c->kind, c->slot);
    struct err err = {0};
    if (row == NULL) {
        storage_row(e->storage, c->kind, c->slot, NULL, 0);
        return;
    }
    buf_clear(&e->row);
    if (codec_encode_row(e->codec, c->kind, row, &e->row, &err) != 0) {
        engine_die("engine.row", &err);
    }
    storage_row(e->storage, c->kind, c->slot, e->row.data, e->row.len);
}

/* Hand the rows that this entry changed to the checkpoint, each once, in its final form. */
static void save(struct engine *e, uint64_t index, uint64_t term)
{
    const struct meta *meta = store_meta(e->store);
    const struct storage_point point = {index, term, meta->revision, meta->digest};
    struct changes *d = &e->dirty;
    changes_add(d, KIND_META, 0); /* Every command moves revision, time and digest. */
    qsort(d->v, d->n, sizeof *d->v, change_cmp);
    for (uint32_t i = 0; i < d->n; i++) {
        if (i == 0 || change_cmp(&d->v[i - 1], &d->v[i]) != 0) {
            save_row(e, &d->v[i]);
        }
    }
    changes_clear(d);
    storage_commit(e->storage, &point);
}

/* A digest that differs means that this controller's state is not what the leader's is: it must
 * not spread. */
static void check_digest(const struct command *cmd, const struct result *result)
{
    struct err err = {0};
    if (cmd->kind == CMD_DIGEST && result->reject != REJECT_NONE) {
        err_set(&err, ERR_CORRUPT, "%s", result->text);
        engine_die("engine.diverged", &err);
    }
}

void engine_see_time(struct engine *e)
{
    if (store_meta(e->store)->now != e->seen_now) {
        e->seen_now = store_meta(e->store)->now;
        e->seen_mono_ms = clock_mono_ms();
    }
}

static void carry_out(struct engine *e, const struct command *cmd, struct engine_write *w)
{
    struct result result;
    memset(&result, 0, sizeof result);
    changes_clear(&e->changes);
    store_apply(e->store, cmd, &e->changes, &result);
    e->n_commands++;
    engine_see_time(e);
    check_digest(cmd, &result);
    remember(e, &e->changes);
    if (e->leader != NULL) {
        leader_changed(e->leader, &e->changes);
    }
    engine_notify(e, &e->changes);
    if (w != NULL) {
        w->done(w, 0, &result, NULL);
    }
}

void engine_apply_entry(void *ctx, uint64_t index, uint64_t term, const uint8_t *bytes, size_t len,
                        void *cookie)
{
    struct engine *e = ctx;
    struct batch *b = cookie;
    struct command *commands;
    struct err err = {0};
    uint32_t n;
    arena_clear(&e->apply_arena);
    if (codec_decode_batch(e->codec, str_make((const char *)bytes, len), &e->apply_arena, &commands,
                           &n, &err) != 0) {
        err_wrap(&err, ERR_CORRUPT, "log entry %llu", (unsigned long long)index);
        engine_die("engine.entry", &err);
    }
    assert(b == NULL || (e->in_flight && b->n_flight == n));
    for (uint32_t i = 0; i < n; i++) {
        carry_out(e, &commands[i], b == NULL ? NULL : b->writers[b->at + i]);
    }
    e->applied_index = index;
    save(e, index, term);
    if (b != NULL) {
        b->at += n;
        e->in_flight = false;
        if (b->at == b->n) {
            engine_batch_done(e);
        }
    }
    if (e->leader != NULL) {
        loop_soon_post(e->pump);
    }
}
