#include "controller/core/placement/portset.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#define CAP_MIN 8

void portset_close(struct portset *s, const struct mem *mem)
{
    mem_free(mem, s->ports, s->cap * sizeof s->ports[0]);
    memset(s, 0, sizeof *s);
}

/* Position of the first member >= port. */
static uint32_t lower_bound(const struct portset *s, uint32_t port)
{
    uint32_t from = 0, to = s->n;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (s->ports[middle] < port) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from;
}

uint16_t portset_last_in(const struct portset *s, uint16_t first, uint32_t count)
{
    uint32_t after = lower_bound(s, first + count);
    return after > 0 && s->ports[after - 1] >= first ? s->ports[after - 1] : PORT_NONE;
}

void portset_add(struct portset *s, const struct mem *mem, uint16_t first, uint32_t count)
{
    assert(portset_last_in(s, first, count) == PORT_NONE);
    assert(first > 0);
    assert(first + count <= UINT16_MAX + 1u);
    if (s->n + count > s->cap) {
        uint32_t cap = s->cap * 2 > s->n + count ? s->cap * 2 : s->n + count;
        cap = cap < CAP_MIN ? CAP_MIN : cap;
        s->ports = mem_resize(mem, s->ports, s->cap * sizeof s->ports[0], cap * sizeof s->ports[0]);
        s->cap = cap;
    }
    uint32_t at = lower_bound(s, first);
    memmove(&s->ports[at + count], &s->ports[at], (s->n - at) * sizeof s->ports[0]);
    for (uint32_t i = 0; i < count; i++) {
        s->ports[at + i] = (uint16_t)(first + i);
    }
    s->n += count;
}

void portset_remove(struct portset *s, uint16_t first, uint32_t count)
{
    uint32_t at = lower_bound(s, first);
    assert(at + count <= s->n);
    assert(count == 0 || s->ports[at + count - 1] == first + count - 1);
    memmove(&s->ports[at], &s->ports[at + count], (s->n - at - count) * sizeof s->ports[0]);
    s->n -= count;
}
