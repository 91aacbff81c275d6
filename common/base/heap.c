#include "common/base/heap.h"

#include <assert.h>
#include <string.h>

void heap_init(struct heap *h, const struct mem *mem)
{
    memset(h, 0, sizeof *h);
    h->mem = mem;
}

void heap_close(struct heap *h)
{
    if (h->mem != NULL) {
        mem_free(h->mem, h->nodes, h->cap * sizeof(struct heap_node *));
    }
    memset(h, 0, sizeof *h);
}

static bool less(const struct heap_node *a, const struct heap_node *b)
{
    return a->key != b->key ? a->key < b->key : a->seq < b->seq;
}

static void put_at(struct heap *h, uint32_t i, struct heap_node *node)
{
    h->nodes[i] = node;
    node->at = i + 1;
}

static void sift_up(struct heap *h, uint32_t i, struct heap_node *node)
{
    while (i > 0 && less(node, h->nodes[(i - 1) / 2])) {
        put_at(h, i, h->nodes[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    put_at(h, i, node);
}

static void sift_down(struct heap *h, uint32_t i, struct heap_node *node)
{
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= h->n) {
            break;
        }
        if (child + 1 < h->n && less(h->nodes[child + 1], h->nodes[child])) {
            child++;
        }
        if (!less(h->nodes[child], node)) {
            break;
        }
        put_at(h, i, h->nodes[child]);
        i = child;
    }
    put_at(h, i, node);
}

void heap_set(struct heap *h, struct heap_node *node, uint64_t key)
{
    heap_remove(h, node);
    if (h->n == h->cap) {
        uint32_t cap = h->cap == 0 ? 16 : h->cap * 2;
        h->nodes = mem_resize(h->mem, h->nodes, h->cap * sizeof(struct heap_node *),
                              cap * sizeof(struct heap_node *));
        h->cap = cap;
    }
    node->key = key;
    node->seq = h->seq++;
    h->n++;
    sift_up(h, h->n - 1, node);
}

void heap_remove(struct heap *h, struct heap_node *node)
{
    uint32_t i = node->at - 1;
    struct heap_node *last;
    if (node->at == 0) {
        return;
    }
    assert(h->nodes[i] == node);
    last = h->nodes[--h->n];
    node->at = 0;
    if (last == node) {
        return;
    }
    if (i > 0 && less(last, h->nodes[(i - 1) / 2])) {
        sift_up(h, i, last);
    } else {
        sift_down(h, i, last);
    }
}

struct heap_node *heap_first(const struct heap *h)
{
    return h->n == 0 ? NULL : h->nodes[0];
}
