/* The journal of a simulated agent: rows that change all together or not at all. */
#include "tests/sim/simagent.h"

#include "agent/link/message.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* --- changes -------------------------------------------------------------------------------------
 */

static struct simop *add_op(struct simagent *a, struct simbatch *b, const struct action *action)
{
    struct simop *op;
    if (b->n_ops == b->cap_ops) {
        size_t cap = b->cap_ops == 0 ? 8 : b->cap_ops * 2;
        b->ops = mem_resize(a->f->mem, b->ops, b->cap_ops * sizeof *b->ops, cap * sizeof *b->ops);
        b->cap_ops = cap;
    }
    op = &b->ops[b->n_ops++];
    memset(op, 0, sizeof *op);
    op->kind = action->kind;
    op->task = action->task;
    op->epoch = action->epoch;
    op->number = action->number;
    return op;
}

/* Only what agent/state writes down. */
static struct container journalled(const struct container *c)
{
    struct container row = {
        .phase = c->phase,
        .health = c->health,
        .has_exit_code = c->has_exit_code,
        .exit_code = c->exit_code,
        .started_at = c->started_at,
        .stopped_at = c->stopped_at,
        .image = c->image,
    };
    memcpy(row.reason, c->reason, sizeof row.reason);
    return row;
}

void simjournal_remember(struct simagent *a, struct simbatch *b, const struct action *action)
{
    struct simop *op = add_op(a, b, action);
    const struct task *t = reconcile_find(a->r, action->task);
    if (action->kind == ACTION_SAVE_TASK) {
        assert(t != NULL && t->n_containers <= WIRE_CONTAINERS_MAX);
        op->row.saved = *t;
        for (uint32_t i = 0; i < t->n_containers; i++) {
            op->row.containers[i] = journalled(&t->containers[i]);
        }
    } else if (action->kind == ACTION_SAVE_SPEC) {
        assert(action->bytes.n > 0);
        op->row.spec = (uint8_t *)mem_dup(a->f->mem, action->bytes.p, action->bytes.n);
        op->row.n_spec = action->bytes.n;
    }
}

static void drop_spec(struct simagent *a, struct simrow *row)
{
    if (row->spec != NULL) {
        mem_free(a->f->mem, row->spec, row->n_spec + 1);
    }
    row->spec = NULL;
    row->n_spec = 0;
}

void simjournal_forget(struct simagent *a, struct simbatch *b)
{
    for (size_t i = 0; i < b->n_ops; i++) {
        drop_spec(a, &b->ops[i].row);
    }
    b->n_ops = 0;
}

static size_t place_of(const struct simjournal *j, struct id id)
{
    size_t i = 0;
    while (i < j->n && id_cmp(j->rows[i].saved.id, id) < 0) {
        i++;
    }
    return i;
}

static struct simrow *row_of(struct simagent *a, struct id id, bool make)
{
    struct simjournal *j = &a->journal;
    size_t i = place_of(j, id);
    if (i < j->n && id_eq(j->rows[i].saved.id, id)) {
        return &j->rows[i];
    }
    if (!make) {
        return NULL;
    }
    if (j->n == j->cap) {
        size_t cap = j->cap == 0 ? 16 : j->cap * 2;
        j->rows = mem_resize(a->f->mem, j->rows, j->cap * sizeof *j->rows, cap * sizeof *j->rows);
        j->cap = cap;
    }
    memmove(&j->rows[i + 1], &j->rows[i], (j->n - i) * sizeof *j->rows);
    j->n++;
    memset(&j->rows[i], 0, sizeof j->rows[i]);
    j->rows[i].saved.id = id;
    return &j->rows[i];
}

static void carry_out(struct simagent *a, const struct simop *op)
{
    struct simjournal *j = &a->journal;
    struct simrow *row;
    switch ((int)op->kind) {
    case ACTION_SAVE_TASK:
        row = row_of(a, op->task, true);
        row->saved = op->row.saved;
        memcpy(row->containers, op->row.containers, sizeof row->containers);
        break;
    case ACTION_SAVE_SPEC:
        row = row_of(a, op->task, true);
        drop_spec(a, row);
        row->spec = (uint8_t *)mem_dup(a->f->mem, (const char *)op->row.spec, op->row.n_spec);
        row->n_spec = op->row.n_spec;
        break;
    case ACTION_DROP_SPEC:
        row = row_of(a, op->task, false);
        if (row != NULL) {
            drop_spec(a, row);
            row->saved.n_containers = 0;
        }
        break;
    case ACTION_DROP_TASK:
        row = row_of(a, op->task, false);
        if (row != NULL) {
            size_t i = (size_t)(row - j->rows);
            drop_spec(a, row);
            memmove(row, row + 1, (j->n - i - 1) * sizeof *row);
            j->n--;
        }
        break;
    case ACTION_SAVE_SESSION:
        j->epoch = op->epoch;
        j->session = op->number;
        break;
    default:
        assert(false);
    }
}

void simjournal_commit(struct simagent *a, const struct simbatch *b)
{
    for (size_t i = 0; i < b->n_ops; i++) {
        carry_out(a, &b->ops[i]);
    }
}

void simjournal_clear(struct simagent *a)
{
    for (size_t i = 0; i < a->journal.n; i++) {
        drop_spec(a, &a->journal.rows[i]);
    }
    a->journal.n = 0;
    a->journal.epoch = 0;
    a->journal.session = 0;
}

void simjournal_restore(struct simagent *a)
{
    struct simjournal *j = &a->journal;
    struct err err = {0};
    reconcile_restore_session(a->r, j->epoch, j->session);
    for (size_t i = 0; i < j->n; i++) {
        struct task saved = j->rows[i].saved;
        const struct task_spec *spec = NULL;
        struct arena arena;
        arena_init(&arena, a->f->mem);
        saved.containers = j->rows[i].containers;
        if (j->rows[i].spec != NULL &&
            message_decode_spec(str_make((const char *)j->rows[i].spec, j->rows[i].n_spec),
                                saved.id, &arena, &spec, &err) != 0) {
            fleet_fail(a->f, "agent %u: its journal: %s", a->at + 1, err.text);
        }
        if (spec != NULL && spec->n_containers != saved.n_containers) {
            fleet_fail(a->f, "agent %u: its journal has %u containers of %u", a->at + 1,
                       saved.n_containers, spec->n_containers);
        }
        if (spec == NULL) {
            saved.n_containers = 0;
            arena_close(&arena);
            memset(&arena, 0, sizeof arena);
        }
        if (reconcile_restore(a->r, &saved, &arena, spec, &err) != 0) {
            fleet_fail(a->f, "agent %u: its journal: %s", a->at + 1, err.text);
        }
    }
}
