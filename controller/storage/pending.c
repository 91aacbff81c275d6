#include "controller/storage/pending.h"

#include "common/base/hash.h"

#include <stdlib.h>
#include <string.h>

#define ROWS_MIN 64

void pending_init(struct pending *p, const struct mem *mem)
{
    memset(p, 0, sizeof *p);
    p->mem = mem;
    map_init(&p->map, mem);
    arena_init(&p->arena, mem);
}

void pending_close(struct pending *p)
{
    map_close(&p->map);
    arena_close(&p->arena);
    mem_free(p->mem, p->rows, p->cap * sizeof *p->rows);
    memset(p, 0, sizeof *p);
}

void pending_clear(struct pending *p)
{
    map_close(&p->map);
    map_init(&p->map, p->mem);
    arena_clear(&p->arena);
    p->n = 0;
    p->n_replaced = 0;
}

size_t pending_bytes(const struct pending *p)
{
    return p->arena.used + p->n * sizeof *p->rows;
}

static uint64_t row_hash(uint8_t kind, uint32_t slot)
{
    return hash_mix(kind, slot);
}

static bool same_row(const void *ctx, uint32_t value, const void *key)
{
    const struct pending *p = ctx;
    const struct pending_row *row = key;
    return p->rows[value].kind == row->kind && p->rows[value].slot == row->slot;
}

static struct pending_row *add_row(struct pending *p, uint8_t kind, uint32_t slot, uint64_t hash)
{
    struct pending_row *row;
    if (p->n == p->cap) {
        uint32_t cap = p->cap == 0 ? ROWS_MIN : p->cap * 2;
        p->rows =
            mem_resize(p->mem, p->rows, p->cap * sizeof *p->rows, (size_t)cap * sizeof *p->rows);
        p->cap = cap;
    }
    row = &p->rows[p->n];
    *row = (struct pending_row){.kind = kind, .slot = slot};
    map_put(&p->map, hash, p->n++);
    return row;
}

void pending_put(struct pending *p, uint8_t kind, uint32_t slot, struct str bytes)
{
    struct pending_row key = {.kind = kind, .slot = slot};
    uint64_t hash = row_hash(kind, slot);
    uint32_t at = map_get(&p->map, hash, same_row, p, &key);
    struct pending_row *row;
    if (at == MAP_NONE) {
        row = add_row(p, kind, slot, hash);
    } else {
        row = &p->rows[at];
        p->n_replaced++;
    }
    if (bytes.p == NULL) {
        row->bytes = str_make(NULL, 0);
        return;
    }
    if (row->room == NULL || row->cap < bytes.n) {
        /* A little more, since rows grow as they live. */
        row->cap = bytes.n + bytes.n / 4 + 8;
        row->room = arena_alloc(&p->arena, row->cap);
    }
    if (bytes.n > 0) {
        memcpy(row->room, bytes.p, bytes.n);
    }
    row->bytes = str_make(row->room, bytes.n);
}

void pending_merge(struct pending *p, struct pending *from)
{
    if (p->n == 0) {
        struct pending empty = *p;
        *p = *from;
        *from = empty;
    } else {
        for (uint32_t i = 0; i < from->n; i++) {
            pending_put(p, from->rows[i].kind, from->rows[i].slot, from->rows[i].bytes);
        }
        p->n_replaced += from->n_replaced;
    }
    pending_clear(from);
}

void pending_underlay(struct pending *p, const struct pending *older)
{
    for (uint32_t i = 0; i < older->n; i++) {
        const struct pending_row *row = &older->rows[i];
        uint64_t hash = row_hash(row->kind, row->slot);
        if (map_get(&p->map, hash, same_row, p, row) == MAP_NONE) {
            pending_put(p, row->kind, row->slot, row->bytes);
        }
    }
}

static int compare_rows(const void *a, const void *b)
{
    const struct pending_row *x = a;
    const struct pending_row *y = b;
    if (x->kind != y->kind) {
        return x->kind < y->kind ? -1 : 1;
    }
    return x->slot < y->slot ? -1 : x->slot > y->slot;
}

void pending_sort(struct pending *p)
{
    if (p->n > 1) {
        qsort(p->rows, p->n, sizeof *p->rows, compare_rows);
    }
}
