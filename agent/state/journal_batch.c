#include "agent/state/journal_impl.h"

#include <assert.h>
#include <string.h>

void journal_batch_init(struct journal_batch *b, const struct mem *mem)
{
    memset(b, 0, sizeof *b);
    arena_init(&b->arena, mem);
}

void journal_batch_close(struct journal_batch *b)
{
    if (b->arena.mem != NULL) {
        arena_close(&b->arena);
    }
    memset(b, 0, sizeof *b);
}

void journal_batch_clear(struct journal_batch *b)
{
    arena_clear(&b->arena);
    b->n = 0;
    b->first = NULL;
    b->last = NULL;
}

static struct journal_op *add(struct journal_batch *b, enum journal_op_kind kind)
{
    struct journal_op *op = arena_alloc(&b->arena, sizeof *op);
    op->kind = kind;
    if (b->last != NULL) {
        b->last->next = op;
    } else {
        b->first = op;
    }
    b->last = op;
    b->n++;
    return op;
}

void journal_batch_put_task(struct journal_batch *b, const struct task *t)
{
    struct journal_op *op = add(b, JOURNAL_PUT_TASK);
    struct task *copy = arena_alloc(&b->arena, sizeof *copy);
    *copy = *t;
    copy->spec = NULL;
    copy->containers = arena_array(&b->arena, t->n_containers, sizeof *t->containers);
    if (t->n_containers > 0) {
        memcpy(copy->containers, t->containers, t->n_containers * sizeof *t->containers);
    }
    op->task = t->id;
    op->record = copy;
}

void journal_batch_put_spec(struct journal_batch *b, struct id task, struct str spec)
{
    struct journal_op *op = add(b, JOURNAL_PUT_SPEC);
    op->task = task;
    op->bytes = str_make(arena_dup(&b->arena, spec.n > 0 ? spec.p : "", spec.n), spec.n);
}

void journal_batch_drop_spec(struct journal_batch *b, struct id task)
{
    add(b, JOURNAL_DROP_SPEC)->task = task;
}

void journal_batch_drop_task(struct journal_batch *b, struct id task)
{
    add(b, JOURNAL_DROP_TASK)->task = task;
}

void journal_batch_put_session(struct journal_batch *b, uint64_t epoch, uint64_t session)
{
    struct journal_op *op = add(b, JOURNAL_PUT_SESSION);
    op->epoch = epoch;
    op->number = session;
}
