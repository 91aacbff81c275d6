/* Wing and Gong's search as Lowe wrote it down ("Testing for linearizability", 2017): calls and
 * returns stand in a list in the order of time. Walk it from the front; a call that the model
 * allows now is taken out together with its return and the walk begins again; a return that is
 * met means that its operation should have been taken earlier: undo the last one and go on behind
 * it. Without help this is exponential in the number of concurrent operations; with the memo of
 * (operations taken, state) each such pair is explored once.
 *
 * Operations of unknown outcome have no return in the list, so nothing forces them in. Those that
 * could not explain anything are removed beforehand, and of equal ones the earliest goes first:
 * it may stand wherever a later one may.
 *
 * Three rules keep the search narrow even when there is nothing to find. What leaves the state as
 * it is, is taken at once: it may stand here, and its absence can only hurt later. A write that
 * nobody will read is taken at once, when nothing of the first sort is left: what would have come
 * instead is another write, which may as well come after it. And a write must wait while the value
 * it would replace is still to be read. */
#include "tests/lib/wgl.h"

#include "common/base/hash.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX

/* --- models -------------------------------------------------------------------------------------
 */

struct lin_state {
    int64_t value;
    uint64_t version; /* Registers: of the last write; unless exact, at least this. */
    uint32_t exact;
    uint32_t unread; /* Registers: the last write has no answer and was not read yet. */
};

#define TOKEN_SOME INT64_MIN /* An effect that nobody has named yet. */

/* May op happen in state s, and what is the state then? Answers of unknown operations are not
 * known, so their value counts only where it was sent. */
typedef bool (*step_fn)(const struct lin_state *s, const struct hist_op *op, struct lin_state *ret);

/* A write without answer that nobody reads before the next write might as well be left out, so
 * only reads may follow it: without this rule each such write could stand anywhere. */
static bool register_step(const struct lin_state *s, const struct hist_op *op,
                          struct lin_state *ret)
{
    bool told = op->version != 0;
    if (op->kind == HIST_REGISTER_WRITE) {
        ret->value = op->value;
        ret->version = told ? op->version : s->version + 1;
        ret->exact = told;
        ret->unread = op->outcome == HIST_UNKNOWN;
        return s->unread == 0 && ret->version > s->version;
    }
    *ret = *s;
    ret->unread = 0;
    if (told) {
        ret->version = op->version;
        ret->exact = 1;
    }
    return op->value == s->value &&
           (!told || (s->exact != 0 ? op->version == s->version : op->version >= s->version));
}

static bool counter_step(const struct lin_state *s, const struct hist_op *op, struct lin_state *ret)
{
    *ret = *s;
    if (op->kind == HIST_COUNTER_NEXT) {
        ret->value = s->value + 1;
        return op->outcome == HIST_UNKNOWN || op->value == ret->value;
    }
    return op->value == s->value;
}

static bool token_step(const struct lin_state *s, const struct hist_op *op, struct lin_state *ret)
{
    *ret = *s;
    if (op->outcome == HIST_UNKNOWN) {
        ret->value = TOKEN_SOME;
        return s->value == 0;
    }
    if (op->value != 0 &&
        (s->value == TOKEN_SOME || (op->kind == HIST_TOKEN_RUN && s->value == 0))) {
        ret->value = op->value;
        return true;
    }
    return op->value == s->value && (op->kind == HIST_TOKEN_READ || op->value != 0);
}

static bool latch_step(const struct lin_state *s, const struct hist_op *op, struct lin_state *ret)
{
    *ret = *s;
    if (op->kind == HIST_LATCH_SET || op->value != 0) {
        ret->value = 1;
        return true;
    }
    return s->value == 0;
}

static const step_fn steps_of[HIST_KIND_N] = {
    [HIST_REGISTER_WRITE] = register_step, [HIST_REGISTER_READ] = register_step,
    [HIST_COUNTER_NEXT] = counter_step,    [HIST_COUNTER_READ] = counter_step,
    [HIST_TOKEN_RUN] = token_step,         [HIST_TOKEN_READ] = token_step,
    [HIST_LATCH_SET] = latch_step,         [HIST_LATCH_READ] = latch_step,
};

static bool is_read(enum hist_kind kind)
{
    return kind == HIST_REGISTER_READ || kind == HIST_COUNTER_READ || kind == HIST_TOKEN_READ ||
           kind == HIST_LATCH_READ;
}

/* Could leaving op out make a difference? An unknown write that nobody read explains nothing. */
static bool worth_it(const struct hist_op *op, const struct hist_op *ops, uint32_t n)
{
    if (op->outcome == HIST_OK) {
        return true;
    }
    if (is_read(op->kind) || op->kind == HIST_LATCH_SET) {
        return false;
    }
    for (uint32_t i = 0; i < n && op->kind == HIST_REGISTER_WRITE; i++) {
        if (ops[i].kind == HIST_REGISTER_READ && ops[i].outcome == HIST_OK &&
            ops[i].value == op->value && ops[i].ret >= op->invoke) {
            return true;
        }
    }
    return op->kind != HIST_REGISTER_WRITE;
}

/* --- the list -----------------------------------------------------------------------------------
 */

struct link { /* 2i: the call of operation i; 2i + 1: its return; 2n: the head. */
    uint32_t prev;
    uint32_t next;
};

struct frame { /* One operation taken, and the state before. */
    uint32_t op;
    bool forced; /* There was nothing to choose. */
    struct lin_state state;
};

struct group { /* The operations not yet taken that have one value. */
    int64_t value;
    uint32_t n_readers; /* Register: reads that must still happen. */
    uint32_t n_givers;  /* Register: writes. Counter: who was given this number. */
};

struct search {
    struct hist_op *ops;
    uint32_t n;
    uint32_t n_left; /* Operations that must still be taken. */
    struct link *links;
    uint32_t *equal_before; /* Per operation: the equal unknown one before it, or NONE. */
    uint32_t *bit;          /* Per operation: its place in taken. */
    uint64_t *taken;        /* First those with an answer, then, from a new word, the others. */
    uint32_t n_words_ok;
    uint32_t n_words;
    struct group *groups; /* By value. */
    uint32_t n_groups;
    bool versions; /* Some answer told one. */
    struct frame *stack;
    uint32_t depth;
    struct lin_state state;
    struct buf memo; /* Entries: length u32, then the bytes of write_entry(). */
    struct map by_entry;
    const struct mem *mem;
};

static bool taken(const struct search *s, uint32_t op)
{
    return (s->taken[s->bit[op] / 64] >> s->bit[op] % 64 & 1) != 0;
}

static void flip(struct search *s, uint32_t op)
{
    s->taken[s->bit[op] / 64] ^= (uint64_t)1 << s->bit[op] % 64;
}

static void unlink_at(struct search *s, uint32_t at)
{
    s->links[s->links[at].prev].next = s->links[at].next;
    if (s->links[at].next != NONE) {
        s->links[s->links[at].next].prev = s->links[at].prev;
    }
}

static void relink_at(struct search *s, uint32_t at)
{
    s->links[s->links[at].prev].next = at;
    if (s->links[at].next != NONE) {
        s->links[s->links[at].next].prev = at;
    }
}

static bool answered(const struct search *s, uint32_t op)
{
    return s->ops[op].outcome == HIST_OK;
}

static struct group *group_of(const struct search *s, int64_t value)
{
    uint32_t low = 0;
    uint32_t high = s->n_groups;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (s->groups[middle].value < value) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < s->n_groups && s->groups[low].value == value ? &s->groups[low] : NULL;
}

/* Count an operation in or out (by is UINT32_MAX, which is -1). */
static void group_count(struct search *s, const struct hist_op *op, uint32_t by)
{
    struct group *g = group_of(s, op->value);
    assert(g != NULL);
    if (op->kind == HIST_REGISTER_READ) {
        g->n_readers += by;
    } else if (op->kind == HIST_REGISTER_WRITE ||
               (op->kind == HIST_COUNTER_NEXT && op->outcome == HIST_OK)) {
        g->n_givers += by;
    }
}

static void lift(struct search *s, uint32_t op)
{
    group_count(s, &s->ops[op], UINT32_MAX);
    unlink_at(s, 2 * op);
    if (answered(s, op)) {
        unlink_at(s, 2 * op + 1);
        s->n_left--;
    }
}

static void unlift(struct search *s, uint32_t op)
{
    if (answered(s, op)) {
        relink_at(s, 2 * op + 1);
        s->n_left++;
    }
    relink_at(s, 2 * op);
    group_count(s, &s->ops[op], 1);
}

/* --- the memo -----------------------------------------------------------------------------------
 */

/* The state, then the set of operations taken: the number of full words it begins with, the words
 * up to the last that is not empty, and the words of the unknown operations. */
static void write_entry(struct search *s)
{
    uint32_t from = 0;
    uint32_t to = s->n_words_ok;
    size_t n_ok;
    size_t n_unknown = (s->n_words - s->n_words_ok) * sizeof *s->taken;
    while (from < to && s->taken[from] == UINT64_MAX) {
        from++;
    }
    while (to > from && s->taken[to - 1] == 0) {
        to--;
    }
    n_ok = (to - from) * sizeof *s->taken;
    buf_put_u32(&s->memo, (uint32_t)(sizeof s->state + 4 + n_ok + n_unknown));
    buf_put(&s->memo, &s->state, sizeof s->state);
    buf_put_u32(&s->memo, from);
    buf_put(&s->memo, s->taken + from, n_ok);
    buf_put(&s->memo, s->taken + s->n_words_ok, n_unknown);
}

/* Entries are numbered by where they begin, in units of four bytes. */
static const uint8_t *entry_at(const struct search *s, uint32_t number)
{
    return s->memo.data + (size_t)number * 4;
}

static bool entry_eq(const void *ctx, uint32_t number, const void *key)
{
    const uint8_t *a = entry_at(ctx, number);
    const uint8_t *b = key;
    return get_u32(a) == get_u32(b) && memcmp(a, b, 4 + (size_t)get_u32(b)) == 0;
}

static uint64_t entry_hash(const struct search *s, uint32_t number)
{
    const uint8_t *entry = entry_at(s, number);
    return hash_bytes(entry + 4, get_u32(entry), 0);
}

/* True when the search has not been here before. */
static bool memo_add(struct search *s)
{
    size_t at = s->memo.len;
    uint32_t number = (uint32_t)(at / 4);
    uint64_t hash;
    write_entry(s);
    if (s->memo.overflow) {
        return false;
    }
    hash = entry_hash(s, number);
    if (map_get(&s->by_entry, hash, entry_eq, s, s->memo.data + at) != MAP_NONE) {
        s->memo.len = at;
        return false;
    }
    map_put(&s->by_entry, hash, number);
    return true;
}

/* --- setting up ---------------------------------------------------------------------------------
 */

struct event {
    uint64_t at;
    uint32_t link;
};

/* Calls before returns of the same time: such operations count as concurrent. */
static int event_cmp(const void *left, const void *right)
{
    const struct event *a = left;
    const struct event *b = right;
    if (a->at != b->at) {
        return a->at < b->at ? -1 : 1;
    }
    if (a->link % 2 != b->link % 2) {
        return a->link % 2 < b->link % 2 ? -1 : 1;
    }
    return a->link < b->link ? -1 : a->link > b->link;
}

static void link_events(struct search *s)
{
    struct event *events = mem_alloc(s->mem, (2 * (size_t)s->n + 1) * sizeof *events);
    uint32_t n = 0;
    uint32_t last = 2 * s->n;
    for (uint32_t i = 0; i < s->n; i++) {
        events[n++] = (struct event){s->ops[i].invoke, 2 * i};
        if (answered(s, i)) {
            events[n++] = (struct event){s->ops[i].ret, 2 * i + 1};
        }
    }
    qsort(events, n, sizeof *events, event_cmp);
    for (uint32_t i = 0; i < n; i++) {
        s->links[last].next = events[i].link;
        s->links[events[i].link].prev = last;
        last = events[i].link;
    }
    s->links[last].next = NONE;
    mem_free(s->mem, events, (2 * (size_t)s->n + 1) * sizeof *events);
}

static int group_cmp(const void *left, const void *right)
{
    int64_t a = ((const struct group *)left)->value;
    int64_t b = ((const struct group *)right)->value;
    return a < b ? -1 : a > b;
}

static void make_groups(struct search *s)
{
    for (uint32_t i = 0; i < s->n; i++) {
        s->groups[i] = (struct group){.value = s->ops[i].value};
        s->versions |= s->ops[i].version != 0;
    }
    qsort(s->groups, s->n, sizeof *s->groups, group_cmp);
    for (uint32_t i = 0; i < s->n; i++) {
        if (i == 0 || s->groups[i].value != s->groups[s->n_groups - 1].value) {
            s->groups[s->n_groups++] = s->groups[i];
        }
    }
    for (uint32_t i = 0; i < s->n; i++) {
        group_count(s, &s->ops[i], 1);
    }
}

static void number_ops(struct search *s)
{
    uint32_t n_ok = 0;
    uint32_t n_unknown = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        s->n_left += answered(s, i);
    }
    s->n_words_ok = (s->n_left + 63) / 64;
    s->n_words = s->n_words_ok + (s->n - s->n_left + 63) / 64;
    for (uint32_t i = 0; i < s->n; i++) {
        s->equal_before[i] = NONE;
        if (answered(s, i)) {
            s->bit[i] = n_ok++;
            continue;
        }
        s->bit[i] = s->n_words_ok * 64 + n_unknown++;
        for (uint32_t k = i; k > 0 && s->equal_before[i] == NONE; k--) {
            const struct hist_op *o = &s->ops[k - 1];
            if (!answered(s, k - 1) && o->kind == s->ops[i].kind &&
                (o->kind != HIST_REGISTER_WRITE || o->value == s->ops[i].value)) {
                s->equal_before[i] = k - 1;
            }
        }
    }
}

/* One more than n everywhere, so that nothing is empty. */
static void search_open(struct search *s, const struct hist_op *ops, uint32_t n,
                        const struct lin_limits *limits, const struct mem *mem)
{
    memset(s, 0, sizeof *s);
    s->mem = mem;
    s->ops = mem_alloc(mem, (n + 1) * sizeof *s->ops);
    s->links = mem_alloc(mem, (2 * (size_t)n + 1) * sizeof *s->links);
    s->equal_before = mem_alloc(mem, (n + 1) * sizeof *s->equal_before);
    s->bit = mem_alloc(mem, (n + 1) * sizeof *s->bit);
    s->taken = mem_alloc(mem, (n / 64 + 2) * sizeof *s->taken);
    s->groups = mem_alloc(mem, (n + 1) * sizeof *s->groups);
    s->stack = mem_alloc(mem, (n + 1) * sizeof *s->stack);
    buf_init(&s->memo, mem, limits->memo_max);
    map_init(&s->by_entry, mem);
    for (uint32_t i = 0; i < n; i++) {
        assert(ops[i].outcome != HIST_FAIL);
        assert(i == 0 || ops[i - 1].invoke <= ops[i].invoke);
        if (worth_it(&ops[i], ops, n)) {
            s->ops[s->n++] = ops[i];
        }
    }
    make_groups(s);
    number_ops(s);
    link_events(s);
}

static void search_close(struct search *s, uint32_t n)
{
    mem_free(s->mem, s->ops, (n + 1) * sizeof *s->ops);
    mem_free(s->mem, s->links, (2 * (size_t)n + 1) * sizeof *s->links);
    mem_free(s->mem, s->equal_before, (n + 1) * sizeof *s->equal_before);
    mem_free(s->mem, s->bit, (n + 1) * sizeof *s->bit);
    mem_free(s->mem, s->taken, (n / 64 + 2) * sizeof *s->taken);
    mem_free(s->mem, s->groups, (n + 1) * sizeof *s->groups);
    mem_free(s->mem, s->stack, (n + 1) * sizeof *s->stack);
    buf_close(&s->memo);
    map_close(&s->by_entry);
}

/* --- the search ---------------------------------------------------------------------------------
 */

static bool model_allows(const struct search *s, uint32_t op, struct lin_state *ret)
{
    return steps_of[s->ops[op].kind](&s->state, &s->ops[op], ret);
}

static void take(struct search *s, uint32_t op, bool forced, struct lin_state state)
{
    s->stack[s->depth++] = (struct frame){op, forced, s->state};
    s->state = state;
    flip(s, op);
    lift(s, op);
}

static bool has_readers(const struct search *s, int64_t value)
{
    const struct group *g = group_of(s, value);
    return g != NULL && g->n_readers > 0;
}

static bool has_givers(const struct search *s, int64_t value)
{
    const struct group *g = group_of(s, value);
    return g != NULL && g->n_givers > 0;
}

/* Would the rest be impossible, or as possible without op? */
static bool pointless(const struct search *s, const struct hist_op *op)
{
    bool unknown = op->outcome == HIST_UNKNOWN;
    if (op->kind == HIST_REGISTER_WRITE) {
        return (unknown && !has_readers(s, op->value)) ||
               (has_readers(s, s->state.value) && !has_givers(s, s->state.value));
    }
    return op->kind == HIST_COUNTER_NEXT && unknown && has_givers(s, s->state.value + 1);
}

static bool leaves_state(const struct search *s, const struct lin_state *after)
{
    return after->value == s->state.value && after->version == s->state.version &&
           after->exact == s->state.exact;
}

/* Take one operation that may come first without loss. Versions tie writes to each other, so with
 * them the second rule does not hold. */
static bool take_forced(struct search *s, bool writes)
{
    struct lin_state after;
    for (uint32_t at = s->links[2 * s->n].next; at % 2 == 0; at = s->links[at].next) {
        const struct hist_op *op = &s->ops[at / 2];
        if (op->outcome == HIST_OK && model_allows(s, at / 2, &after) &&
            (writes ? op->kind == HIST_REGISTER_WRITE && !has_readers(s, op->value)
                    : leaves_state(s, &after))) {
            take(s, at / 2, true, after);
            return true;
        }
    }
    return false;
}

/* A new configuration: where the walk begins in it, or NONE when it leads nowhere new. */
static uint32_t arrive(struct search *s, uint64_t *steps)
{
    while (s->n_left > 0 && (take_forced(s, false) || (!s->versions && take_forced(s, true)))) {
        ++*steps;
    }
    return s->n_left > 0 && memo_add(s) ? s->links[2 * s->n].next : NONE;
}

static bool choose(struct search *s, uint32_t op)
{
    struct lin_state after;
    if ((s->equal_before[op] != NONE && !taken(s, s->equal_before[op])) ||
        pointless(s, &s->ops[op]) || !model_allows(s, op, &after)) {
        return false;
    }
    take(s, op, false, after);
    return true;
}

/* Back to the last choice; the walk goes on behind it. False when there is none. */
static bool retreat(struct search *s, uint32_t *ret_at)
{
    while (s->depth > 0) {
        struct frame *f = &s->stack[--s->depth];
        s->state = f->state;
        flip(s, f->op);
        unlift(s, f->op);
        if (!f->forced) {
            *ret_at = s->links[2 * f->op].next;
            return true;
        }
    }
    return false;
}

static enum lin_verdict walk(struct search *s, const struct lin_limits *limits, uint64_t *steps)
{
    uint64_t end = *steps + limits->steps_max;
    uint32_t at = arrive(s, steps);
    while (s->n_left > 0) {
        if (s->memo.overflow || ++*steps > end) {
            return LIN_TOO_BIG;
        }
        if (at == NONE || at % 2 == 1) {
            if (!retreat(s, &at)) {
                return LIN_VIOLATION;
            }
        } else if (choose(s, at / 2)) {
            at = arrive(s, steps);
        } else {
            at = s->links[at].next;
        }
    }
    return LIN_OK;
}

enum lin_verdict wgl_search(const struct hist_op *ops, uint32_t n, const struct lin_limits *limits,
                            const struct mem *mem, uint64_t *steps)
{
    struct search s;
    enum lin_verdict verdict;
    search_open(&s, ops, n, limits, mem);
    verdict = walk(&s, limits, steps);
    search_close(&s, n);
    return verdict;
}
