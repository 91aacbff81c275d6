#include "agent/core/report.h"

#include "common/base/buggify.h"

#include <assert.h>

void report_init(struct report_queue *q)
{
    q->number = 0;
    q->waiting = false;
    list_init(&q->due);
    list_init(&q->sent);
}

void report_item_init(struct report_item *item)
{
    list_init(&item->link);
    item->sent = false;
    item->changed = false;
}

void report_mark(struct report_queue *q, struct report_item *item)
{
    if (item->sent) {
        item->changed = true;
    } else if (list_empty(&item->link)) {
        list_push(&q->due, &item->link);
    }
}

void report_drop(struct report_item *item)
{
    list_remove(&item->link);
    item->sent = false;
    item->changed = false;
}

bool report_ready(const struct report_queue *q)
{
    return !q->waiting && !list_empty(&q->due);
}

size_t report_take(struct report_queue *q, size_t max, struct report_item **ret)
{
    size_t n = 0;
    if (!report_ready(q)) {
        return 0;
    }
    while (n < max && !list_empty(&q->due)) {
        struct report_item *item = container_of(q->due.next, struct report_item, link);
        list_remove(&item->link);
        list_push(&q->sent, &item->link);
        item->sent = true;
        item->changed = false;
        ret[n] = item;
        n++;
        max = BUGGIFY(AGENT_ONE_REPORT) ? n : max;
    }
    q->waiting = true;
    q->number++;
    return n;
}

/* The message is no longer under way; its tasks are due again if all, else only the changed. */
static void settle(struct report_queue *q, bool all)
{
    while (!list_empty(&q->sent)) {
        struct report_item *item = container_of(q->sent.next, struct report_item, link);
        bool again = all || item->changed;
        report_drop(item);
        if (again) {
            list_push(&q->due, &item->link);
        }
    }
    q->waiting = false;
}

void report_acked(struct report_queue *q, uint64_t number)
{
    if (q->waiting && number == q->number) {
        settle(q, false);
    }
}

void report_lost(struct report_queue *q)
{
    settle(q, true);
}
