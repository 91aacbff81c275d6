#include "agent/core/action.h"

#include <string.h>

void actions_init(struct actions *a, const struct mem *mem)
{
    memset(a, 0, sizeof *a);
    a->mem = mem;
}

void actions_close(struct actions *a)
{
    if (a->v != NULL) {
        mem_free(a->mem, a->v, a->cap * sizeof *a->v);
    }
    memset(a, 0, sizeof *a);
}

void actions_clear(struct actions *a)
{
    a->n = 0;
}

struct action *actions_add(struct actions *a, enum action_kind kind, struct id task)
{
    struct action *it;
    if (a->n == a->cap) {
        size_t cap = a->cap == 0 ? 16 : a->cap * 2;
        a->v = mem_resize(a->mem, a->v, a->cap * sizeof *a->v, cap * sizeof *a->v);
        a->cap = cap;
    }
    it = &a->v[a->n];
    a->n++;
    memset(it, 0, sizeof *it);
    it->kind = kind;
    it->task = task;
    return it;
}
