#include "controller/core/table.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#define CHUNK 512u /* Rows; a power of two, at least 64. */

void table_init(struct table *t, size_t row_size, const struct mem *mem)
{
    memset(t, 0, sizeof *t);
    t->row_size = row_size;
    t->mem = mem;
}

void table_close(struct table *t)
{
    for (uint32_t i = 0; i < t->n_chunks; i++) {
        mem_free(t->mem, t->chunks[i], CHUNK * t->row_size);
    }
    if (t->mem != NULL) {
        mem_free(t->mem, t->chunks, t->n_chunks * sizeof *t->chunks);
        for (unsigned k = 0; k < TABLE_LEVELS; k++) {
            mem_free(t->mem, t->levels[k], t->n_words[k] * sizeof *t->levels[k]);
        }
    }
    memset(t, 0, sizeof *t);
}

static bool is_taken(const struct table *t, uint32_t slot)
{
    return slot / 64 < t->n_words[0] && (t->levels[0][slot / 64] >> (slot % 64) & 1) != 0;
}

void *table_row(const struct table *t, uint32_t slot)
{
    return is_taken(t, slot) ? t->chunks[slot / CHUNK] + slot % CHUNK * t->row_size : NULL;
}

uint32_t table_free_slot(const struct table *t)
{
    uint32_t word = 0;
    /* From the top: the first clear bit says which word below has one. A level that ends here ends
     * with free slots: those not made yet. */
    for (unsigned k = TABLE_LEVELS; k-- > 0;) {
        uint64_t bits = word < t->n_words[k] ? t->levels[k][word] : 0;
        assert(~bits != 0);
        word = word * 64 + (uint32_t)__builtin_ctzll(~bits);
    }
    return word;
}

static void grow_chunks(struct table *t, uint32_t slot)
{
    uint32_t n = slot / CHUNK + 1;
    if (n <= t->n_chunks) {
        return;
    }
    t->chunks =
        mem_resize(t->mem, t->chunks, t->n_chunks * sizeof *t->chunks, n * sizeof *t->chunks);
    for (uint32_t i = t->n_chunks; i < n; i++) {
        t->chunks[i] = mem_alloc(t->mem, CHUNK * t->row_size);
    }
    t->n_chunks = n;
}

static void grow_levels(struct table *t, uint32_t slot)
{
    uint32_t words = slot / 64 + 1;
    if (words <= t->n_words[0]) {
        return;
    }
    words = words < 2 * t->n_words[0] ? 2 * t->n_words[0] : words;
    for (unsigned k = 0; k < TABLE_LEVELS; k++) {
        if (words > t->n_words[k]) {
            t->levels[k] = mem_resize(t->mem, t->levels[k], t->n_words[k] * sizeof *t->levels[k],
                                      words * sizeof *t->levels[k]);
            t->n_words[k] = words;
        }
        words = (words + 63) / 64;
    }
}

void *table_add(struct table *t, uint32_t slot)
{
    char *row;
    uint32_t at = slot;
    assert(slot < TABLE_SLOTS_MAX);
    grow_chunks(t, slot);
    grow_levels(t, slot);
    assert(!is_taken(t, slot));
    for (unsigned k = 0; k < TABLE_LEVELS; k++) {
        uint64_t *word = &t->levels[k][at / 64];
        *word |= 1ull << (at % 64);
        if (~*word != 0) {
            break;
        }
        at /= 64;
    }
    t->n++;
    t->high = slot >= t->high ? slot + 1 : t->high;
    row = t->chunks[slot / CHUNK] + slot % CHUNK * t->row_size;
    memset(row, 0, t->row_size);
    return row;
}

void table_remove(struct table *t, uint32_t slot)
{
    uint32_t at = slot;
    assert(is_taken(t, slot));
    for (unsigned k = 0; k < TABLE_LEVELS; k++) {
        t->levels[k][at / 64] &= ~(1ull << (at % 64));
        at /= 64;
    }
    t->n--;
}
