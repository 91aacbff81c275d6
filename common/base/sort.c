#include "common/base/sort.h"

#include <string.h>

/* Merge the neighbours from[a .. b) and from[b .. end) into to. */
static void merge(const uint32_t *from, uint64_t a, uint64_t b, uint64_t end, uint32_t *to,
                  sort_before before, const void *ctx)
{
    uint64_t middle = b;
    for (uint64_t at = a; at < end; at++) {
        bool second = a == middle || (b < end && before(ctx, from[b], from[a]));
        to[at] = second ? from[b++] : from[a++];
        if (a == middle && b < end) {
            memcpy(to + at + 1, from + b, (end - b) * sizeof *to);
            return;
        }
    }
}

void sort_u32(uint32_t *v, uint32_t n, uint32_t *scratch, sort_before before, const void *ctx)
{
    uint32_t *from = v;
    uint32_t *to = scratch;
    for (uint64_t width = 1; width < n; width *= 2) {
        for (uint64_t at = 0; at < n; at += 2 * width) {
            uint64_t middle = at + width < n ? at + width : n;
            uint64_t end = at + 2 * width < n ? at + 2 * width : n;
            merge(from, at, middle, end, to, before, ctx);
        }
        uint32_t *t = from;
        from = to;
        to = t;
    }
    if (from != v && n > 0) {
        memcpy(v, from, n * sizeof *v);
    }
}
