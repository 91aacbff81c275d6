#include "tests/lib/lincheck.h"

#include "tests/lib/wgl.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define OPS_MAX        2000
#define STEPS_MAX      20000000
#define MEMO_MAX       ((size_t)256 << 20)
#define VIOLATIONS_MAX 3
#define SHRINK_RATIO   5 /* Searches for a short explanation may take this many times steps_max. */

enum model { MODEL_REGISTER, MODEL_COUNTER, MODEL_TOKEN, MODEL_LATCH };
static const char *const model_names[] = {"register", "counter", "token", "latch"};

struct check {
    const struct hist *h;
    struct lin_limits limits;
    struct buf *text;
    enum lin_verdict verdict;
    unsigned n_violations;
};

struct part { /* The operations of one key and model, without the failed ones. */
    enum model model;
    const struct hist_op *ops; /* By invocation. */
    uint32_t n;
};

static enum model model_of(const struct hist_op *op)
{
    return (enum model)(op->kind / 2);
}

/* --- telling ------------------------------------------------------------------------------------
 */

static void tell_op(struct check *c, const struct hist_op *op)
{
    buf_puts(c->text, "    ");
    hist_print(c->h, op, c->text);
    buf_puts(c->text, "\n");
}

static void tell(struct check *c, const struct part *p, enum lin_verdict verdict, const char *what)
{
    buf_printf(c->text, "%s %s: %s\n", model_names[p->model], hist_key(c->h, p->ops[0].key), what);
    if (verdict > c->verdict) {
        c->verdict = verdict;
    }
    c->n_violations += verdict == LIN_VIOLATION;
}

static bool tell_two(struct check *c, const struct part *p, const char *what,
                     const struct hist_op *a, const struct hist_op *b)
{
    tell(c, p, LIN_VIOLATION, what);
    tell_op(c, a);
    tell_op(c, b);
    return false;
}

/* --- the checks that only sort ------------------------------------------------------------------
 */

static int by_value(const void *left, const void *right)
{
    const struct hist_op *a = *(const struct hist_op *const *)left;
    const struct hist_op *b = *(const struct hist_op *const *)right;
    if (a->value != b->value) {
        return a->value < b->value ? -1 : 1;
    }
    return a < b ? -1 : a > b;
}

/* From the highest number down: whoever has a smaller one asked before all of those above were
 * answered. */
static bool numbers_in_order(struct check *c, const struct part *p,
                             const struct hist_op *const *ops, uint32_t n)
{
    const struct hist_op *first = NULL; /* Of those above, the one answered first. */
    for (uint32_t i = n; i > 0; i--) {
        const struct hist_op *op = ops[i - 1];
        if (i < n && op->value == ops[i]->value) {
            return tell_two(c, p, "the same number was given twice", op, ops[i]);
        }
        if (first != NULL && first->ret < op->invoke) {
            return tell_two(c, p, "a number is smaller than one given before", first, op);
        }
        if (first == NULL || op->ret < first->ret) {
            first = op;
        }
    }
    return true;
}

static bool cheap_counter(struct check *c, const struct part *p)
{
    const struct mem *mem = c->h->mem;
    const struct hist_op **ops = mem_alloc(mem, p->n * sizeof *ops);
    uint32_t n = 0;
    bool ok;
    for (uint32_t i = 0; i < p->n; i++) {
        if (p->ops[i].kind == HIST_COUNTER_NEXT && p->ops[i].outcome == HIST_OK) {
            ops[n++] = &p->ops[i];
        }
    }
    qsort(ops, n, sizeof *ops, by_value);
    ok = numbers_in_order(c, p, ops, n);
    mem_free(mem, ops, p->n * sizeof *ops);
    return ok;
}

static bool cheap_token(struct check *c, const struct part *p)
{
    const struct hist_op *first = NULL;
    for (uint32_t i = 0; i < p->n; i++) {
        const struct hist_op *op = &p->ops[i];
        if (op->outcome != HIST_OK || op->value == 0) {
            continue;
        }
        if (first != NULL && first->value != op->value) {
            return tell_two(c, p, "one token had two effects", first, op);
        }
        first = first == NULL ? op : first;
    }
    return true;
}

static bool cheap_latch(struct check *c, const struct part *p)
{
    const struct hist_op *set = NULL; /* The first that is known to have found or made it so. */
    for (uint32_t i = 0; i < p->n; i++) {
        const struct hist_op *op = &p->ops[i];
        bool is_set = op->kind == HIST_LATCH_SET || op->value != 0;
        if (op->outcome == HIST_OK && is_set && (set == NULL || op->ret < set->ret)) {
            set = op;
        }
    }
    for (uint32_t i = 0; i < p->n && set != NULL; i++) {
        const struct hist_op *op = &p->ops[i];
        if (op->outcome == HIST_OK && op->kind == HIST_LATCH_READ && op->value == 0 &&
            op->invoke > set->ret) {
            return tell_two(c, p, "what was set was seen unset", set, op);
        }
    }
    return true;
}

static int by_client(const void *left, const void *right)
{
    const struct hist_op *a = *(const struct hist_op *const *)left;
    const struct hist_op *b = *(const struct hist_op *const *)right;
    if (a->client != b->client) {
        return a->client < b->client ? -1 : 1;
    }
    return a < b ? -1 : a > b;
}

/* Of each client the operations stand in the order of invocation. */
static bool versions_rise(struct check *c, const struct part *p, const struct hist_op *const *ops,
                          uint32_t n)
{
    const struct hist_op *newest = NULL;
    for (uint32_t i = 0; i < n; i++) {
        const struct hist_op *op = ops[i];
        if (newest != NULL && newest->client != op->client) {
            newest = NULL;
        }
        if (newest != NULL && op->version < newest->version && newest->ret < op->invoke) {
            return tell_two(c, p, "a client saw an older version than before", newest, op);
        }
        if (newest == NULL || op->version > newest->version) {
            newest = op;
        }
    }
    return true;
}

static bool cheap_register(struct check *c, const struct part *p)
{
    const struct mem *mem = c->h->mem;
    const struct hist_op **ops = mem_alloc(mem, p->n * sizeof *ops);
    uint32_t n = 0;
    bool ok;
    for (uint32_t i = 0; i < p->n; i++) {
        if (p->ops[i].outcome == HIST_OK && p->ops[i].version != 0) {
            ops[n++] = &p->ops[i];
        }
    }
    qsort(ops, n, sizeof *ops, by_client);
    ok = versions_rise(c, p, ops, n);
    mem_free(mem, ops, p->n * sizeof *ops);
    return ok;
}

static bool cheap(struct check *c, const struct part *p)
{
    switch (p->model) {
    case MODEL_REGISTER:
        return cheap_register(c, p);
    case MODEL_COUNTER:
        return cheap_counter(c, p);
    case MODEL_TOKEN:
        return cheap_token(c, p);
    case MODEL_LATCH:
        return cheap_latch(c, p);
    }
    abort();
}

/* --- the shortest explanation -------------------------------------------------------------------
 */

struct shrink {
    struct hist_op *ops; /* What still cannot be explained. */
    struct hist_op *trial;
    uint32_t n;
    uint32_t n_trial;
    uint64_t steps;
};

static bool still_wrong(struct check *c, struct shrink *s)
{
    if (s->steps / SHRINK_RATIO > c->limits.steps_max ||
        wgl_search(s->trial, s->n_trial, &c->limits, c->h->mem, &s->steps) != LIN_VIOLATION) {
        return false;
    }
    memcpy(s->ops, s->trial, s->n_trial * sizeof *s->ops);
    s->n = s->n_trial;
    return true;
}

static void weaken(struct hist_op *op)
{
    op->outcome = HIST_UNKNOWN;
    op->ret = HIST_NEVER;
}

static int by_time(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

/* What was known at `at`: later answers have not come yet, later requests do not exist. */
static void cut_at(const struct part *p, struct shrink *s, uint64_t at)
{
    s->n_trial = 0;
    for (uint32_t i = 0; i < p->n && p->ops[i].invoke <= at; i++) {
        struct hist_op *op = &s->trial[s->n_trial++];
        *op = p->ops[i];
        if (op->ret > at) {
            weaken(op);
        }
    }
}

/* Every prefix of a linearizable history is linearizable: look for the first that is not. */
static void shrink_end(struct check *c, const struct part *p, struct shrink *s)
{
    uint64_t *times = mem_alloc(c->h->mem, p->n * sizeof *times);
    uint32_t n = 0;
    uint32_t low = 0;
    uint32_t high;
    for (uint32_t i = 0; i < p->n; i++) {
        if (p->ops[i].outcome == HIST_OK) {
            times[n++] = p->ops[i].ret;
        }
    }
    qsort(times, n, sizeof *times, by_time);
    for (high = n; low < high;) {
        uint32_t middle = low + (high - low) / 2;
        cut_at(p, s, times[middle]);
        if (still_wrong(c, s)) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    mem_free(c->h->mem, times, p->n * sizeof *times);
}

/* Forgetting answers only makes it easier to explain the rest: forget in halves, quarters, ... what
 * is not needed for the contradiction. */
static void shrink_rest(struct check *c, struct shrink *s)
{
    for (uint32_t size = s->n / 2; size > 0; size /= 2) {
        for (uint32_t from = 0; from < s->n; from += size) {
            bool changed = false;
            memcpy(s->trial, s->ops, s->n * sizeof *s->ops);
            s->n_trial = s->n;
            for (uint32_t i = from; i < s->n && i < from + size; i++) {
                changed |= s->trial[i].outcome == HIST_OK;
                weaken(&s->trial[i]);
            }
            if (changed) {
                (void)still_wrong(c, s);
            }
        }
    }
}

static void tell_shortest(struct check *c, const struct part *p)
{
    const struct mem *mem = c->h->mem;
    struct shrink s = {.n = p->n};
    char what[120];
    unsigned n_needed = 0;
    s.ops = mem_alloc(mem, p->n * sizeof *s.ops);
    s.trial = mem_alloc(mem, p->n * sizeof *s.trial);
    memcpy(s.ops, p->ops, p->n * sizeof *s.ops);
    shrink_end(c, p, &s);
    shrink_rest(c, &s);
    for (uint32_t i = 0; i < s.n; i++) {
        n_needed += s.ops[i].outcome == HIST_OK;
    }
    (void)snprintf(what, sizeof what, "no order explains these %u of %u operations", n_needed,
                   p->n);
    tell(c, p, LIN_VIOLATION, what);
    for (uint32_t i = 0; i < s.n; i++) {
        if (s.ops[i].outcome == HIST_OK) {
            tell_op(c, &s.ops[i]);
        }
    }
    mem_free(mem, s.ops, p->n * sizeof *s.ops);
    mem_free(mem, s.trial, p->n * sizeof *s.trial);
}

/* --- parts --------------------------------------------------------------------------------------
 */

static void search(struct check *c, const struct part *p)
{
    uint64_t steps = 0;
    char what[120];
    if (p->n > c->limits.ops_max) {
        (void)snprintf(what, sizeof what, "%u operations, %u can be judged", p->n,
                       c->limits.ops_max);
        tell(c, p, LIN_TOO_BIG, what);
        return;
    }
    switch (wgl_search(p->ops, p->n, &c->limits, c->h->mem, &steps)) {
    case LIN_OK:
        break;
    case LIN_TOO_BIG:
        (void)snprintf(what, sizeof what, "%u operations, not judged after %llu steps", p->n,
                       (unsigned long long)steps);
        tell(c, p, LIN_TOO_BIG, what);
        break;
    case LIN_VIOLATION:
        tell_shortest(c, p);
        break;
    }
}

static int by_part(const void *left, const void *right)
{
    const struct hist_op *a = left;
    const struct hist_op *b = right;
    if (a->key != b->key) {
        return a->key < b->key ? -1 : 1;
    }
    if (model_of(a) != model_of(b)) {
        return model_of(a) < model_of(b) ? -1 : 1;
    }
    if (a->invoke != b->invoke) {
        return a->invoke < b->invoke ? -1 : 1;
    }
    if (a->ret != b->ret) {
        return a->ret < b->ret ? -1 : 1;
    }
    return a->client < b->client ? -1 : a->client > b->client;
}

static bool same_part(const struct hist_op *a, const struct hist_op *b)
{
    return a->key == b->key && model_of(a) == model_of(b);
}

static void check_sorted(struct check *c, const struct hist_op *ops, size_t n, bool with_search)
{
    size_t to;
    for (size_t from = 0; from < n && c->n_violations < VIOLATIONS_MAX; from = to) {
        struct part p = {model_of(&ops[from]), &ops[from], 0};
        for (to = from; to < n && same_part(&ops[from], &ops[to]); to++) {
            p.n++;
        }
        if (cheap(c, &p) && with_search) {
            search(c, &p);
        }
    }
}

static enum lin_verdict check(const struct hist *h, const struct lin_limits *limits,
                              bool with_search, struct buf *text)
{
    struct check c = {.h = h, .text = text, .verdict = LIN_OK};
    size_t size = (h->n_ops + 1) * sizeof(struct hist_op);
    struct hist_op *ops = mem_alloc(h->mem, size);
    size_t n = 0;
    if (limits != NULL) {
        c.limits = *limits;
    }
    c.limits.ops_max = c.limits.ops_max == 0 ? OPS_MAX : c.limits.ops_max;
    c.limits.steps_max = c.limits.steps_max == 0 ? STEPS_MAX : c.limits.steps_max;
    c.limits.memo_max = c.limits.memo_max == 0 ? MEMO_MAX : c.limits.memo_max;
    for (size_t i = 0; i < h->n_ops; i++) {
        if (h->ops[i].outcome != HIST_FAIL) {
            ops[n++] = h->ops[i];
        }
    }
    qsort(ops, n, sizeof *ops, by_part);
    check_sorted(&c, ops, n, with_search);
    mem_free(h->mem, ops, size);
    return c.verdict;
}

enum lin_verdict lincheck(const struct hist *h, const struct lin_limits *limits, struct buf *text)
{
    return check(h, limits, true, text);
}

enum lin_verdict lincheck_cheap(const struct hist *h, struct buf *text)
{
    return check(h, NULL, false, text);
}
