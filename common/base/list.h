/* common/base/list.h
 *
 * An intrusive doubly linked list. A list is a struct list that is its own neighbour; a member
 * embeds a struct list. Pure. */
#ifndef COMMON_BASE_LIST_H
#define COMMON_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *prev;
    struct list *next;
};

/* The object that embeds `member` at ptr. */
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* Visit every member; `it` may be removed by the _safe form only. */
#define list_each(it, head) for ((it) = (head)->next; (it) != (head); (it) = (it)->next)
#define list_each_safe(it, after, head)                             \
    for ((it) = (head)->next, (after) = (it)->next; (it) != (head); \
         (it) = (after), (after) = (it)->next)

static inline void list_init(struct list *head)
{
    head->prev = head;
    head->next = head;
}

static inline bool list_empty(const struct list *head)
{
    return head->next == head;
}

static inline void list_push(struct list *head, struct list *item)
{
    item->prev = head->prev;
    item->next = head;
    head->prev->next = item;
    head->prev = item;
}

/* Take item out; it is left as an empty list, so removing twice is harmless. */
static inline void list_remove(struct list *item)
{
    item->prev->next = item->next;
    item->next->prev = item->prev;
    list_init(item);
}

/* Append all of `from` to `to`; from is left empty. */
static inline void list_splice(struct list *to, struct list *from)
{
    if (list_empty(from)) {
        return;
    }
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_init(from);
}

#endif
