/* controller/api/page.h
 *
 * One page of a list: the first maxResults rows after where the last page ended, in a fixed order,
 * and the opaque nextToken for the following page. The token carries the key of the last row shown
 * and a hash of the operation and its filters, so it works on every controller, survives a change
 * of leader, and is refused when it is used for another question. Rows that come and go between
 * pages are shown or not; those that stay are shown exactly once. */
#ifndef CONTROLLER_API_PAGE_H
#define CONTROLLER_API_PAGE_H

#include "controller/api/call.h"

#define PAGE_MAX 100

/* <0, 0, >0: which of two rows comes first. */
typedef int (*page_order)(const struct api_call *c, uint32_t a, uint32_t b);

struct page {
    uint32_t n; /* Rows of this page, in slot[]. */
    uint32_t slot[PAGE_MAX + 1];
    /* Where the last page ended; which member is used is the list's business. */
    bool resumed;
    uint64_t after;        /* A number, e.g. a slot, ... */
    struct str after_text; /* ... and a text, e.g. a family. */
    /* Private. */
    struct api_call *call;
    page_order order; /* NULL: by slot. */
    uint32_t max;
    uint64_t question;
};

/* Read maxResults and nextToken. question is a hash of what else the request asks for, see
 * page_question(). InvalidParameterException when they are wrong. */
int page_open(struct page *p, struct api_call *c, bool has_max, int32_t max, uint32_t max_default,
              const char *token, uint64_t question, page_order order);

/* Hash of the request without its page fields: pass the request's own hash of each filter. */
uint64_t page_question(const struct api_call *c, struct str filter, uint64_t before);

/* Offer a row that belongs to the list and lies after the last page. Rows may come in any order. */
void page_offer(struct page *p, uint32_t slot);

/* With rows offered in their order: enough, the rest need not be looked at. */
bool page_full(const struct page *p);

/* Sort out the page; NULL when it is the last one, else the token, made from the key of the last
 * row: page->n and slot[] are final when this has been called. */
char *page_close(struct page *p);

/* As page_close() for lists that need a text in their key: gives the last row first. */
bool page_more(struct page *p, uint32_t *ret_last);
char *page_token(struct page *p, uint64_t after, struct str after_text);

#endif
