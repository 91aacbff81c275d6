/* Removing what time has made old. Rows wait in queues, the oldest first; rows of the same age go
 * together and in slot order, because the order of a queue is not part of the state. */
#include "controller/core/store_impl.h"

/* What is freed by removing others comes later. */
static const uint8_t order[] = {KIND_TASK, KIND_TOKEN,   KIND_JOIN,    KIND_SERVICE,
                                KIND_NODE, KIND_TASKDEF, KIND_CLUSTER, KIND_CAPACITY_PROVIDER};

static uint32_t collect_due(struct store *s, enum kind kind, uint32_t max, struct store_order **ret)
{
    uint32_t n = 0;
    uint32_t slot = s->gc[kind].first;
    int64_t last = 0;
    while (slot != SLOT_NONE) {
        int64_t time = store_gc_time(kind, store_at(s, kind, slot));
        if (time > s->meta->now || (n >= max && time != last)) {
            break;
        }
        last = time;
        n++;
        slot = store_gc_links(s, kind, slot)->next;
    }
    *ret = arena_array(&s->scratch, n, sizeof **ret);
    slot = s->gc[kind].first;
    for (uint32_t i = 0; i < n; i++) {
        (*ret)[i] = (struct store_order){store_gc_time(kind, store_at(s, kind, slot)), slot};
        slot = store_gc_links(s, kind, slot)->next;
    }
    store_sort(*ret, n);
    return n;
}

void store_gc(struct store *s, const struct command *cmd, struct result *r)
{
    (void)cmd;
    for (unsigned i = 0; i < sizeof order && r->n_done < LIMIT_GC_ROWS; i++) {
        struct store_order *due;
        uint32_t n = collect_due(s, order[i], LIMIT_GC_ROWS - r->n_done, &due);
        for (uint32_t k = 0; k < n; k++) {
            store_delete(s, order[i], due[k].slot);
        }
        r->n_done += n;
    }
}

bool store_gc_due(const struct store *s, int64_t now_ms, int64_t *ret_due_ms)
{
    int64_t due = INT64_MAX;
    for (unsigned i = 0; i < sizeof order; i++) {
        uint32_t first = s->gc[order[i]].first;
        if (first != SLOT_NONE) {
            int64_t time = store_gc_time(order[i], store_at(s, order[i], first));
            due = time < due ? time : due;
        }
    }
    *ret_due_ms = due;
    return due <= now_ms;
}
