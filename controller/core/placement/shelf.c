#include "controller/core/placement/shelf.h"

#include <assert.h>
#include <string.h>

#define CAP_MIN   4u
#define MERGE_MAX (SHELF_LINES / 2) /* Neighbours with at most so many entries become one. */

/* Vectors of the compiler: one instruction where the machine has them, several where not. */
#define LANES 4u
#define BYTES 16u
typedef int32_t lanes __attribute__((vector_size(16)));
typedef uint8_t bytes __attribute__((vector_size(16)));
typedef uint64_t words __attribute__((vector_size(16)));

#define TAG_BITS 6

/* What is in lines behind the last of them: after every line, with enough of nothing. */
#define HIGH_NONE INT32_MAX
#define LOW_NONE  (-1)

struct shelf_leaf {
    uint32_t n; /* > 0 */
    struct shelf_lines lines;
};

struct shelf_block {
    uint32_t n; /* Leaves; > 0 */
    bool stale[SHELF_LINES];
    int32_t low_max[SHELF_LINES]; /* LOW_NONE behind the last leaf. */
    struct shelf_lines first;     /* Of each leaf. */
    struct shelf_leaf *leaves[SHELF_LINES];
    struct shelf_tops tops[SHELF_LINES];
};

static lanes load(const int32_t *from)
{
    lanes v;
    memcpy(&v, from, sizeof v);
    return v;
}

static lanes all(int32_t value)
{
    return (lanes){value, value, value, value};
}

static bool is_zero(words w)
{
    return (w[0] | w[1]) == 0;
}

/* --- lines ------------------------------------------------------------------------------------ */

/* One entry, as it is kept: without what ties are seldom broken by. */
struct line {
    int32_t high;
    int32_t low;
    int32_t id;    /* The first bits, in the order of signed numbers. */
    uint32_t what; /* Slot and tag. */
};

static int32_t id_bits(struct id id)
{
    return (int32_t)((uint32_t)(id.hi >> 32) ^ UINT32_C(0x80000000));
}

static struct line line_make(const struct shelf_entry *e)
{
    return (struct line){(int32_t)(e->key >> 32), (int32_t)e->key, id_bits(e->id),
                         e->slot << TAG_BITS | e->tag};
}

static struct line line_get(const struct shelf_lines *l, uint32_t i)
{
    return (struct line){l->high[i], l->low[i], l->id[i], l->what[i]};
}

static void line_set(struct shelf_lines *l, uint32_t i, const struct line *line)
{
    l->high[i] = line->high;
    l->low[i] = line->low;
    l->id[i] = line->id;
    l->what[i] = line->what;
}

static bool is_line(const struct shelf_lines *l, uint32_t i, const struct line *line)
{
    return l->high[i] == line->high && l->low[i] == line->low && l->id[i] == line->id &&
           l->what[i] == line->what;
}

static uint32_t slot_of(uint32_t what)
{
    return what >> TAG_BITS;
}

static uint8_t tag_of(uint32_t what)
{
    return (uint8_t)(what % SHELF_TAGS);
}

static void lines_move(struct shelf_lines *to, uint32_t to_at, const struct shelf_lines *from,
                       uint32_t from_at, uint32_t n)
{
    memmove(&to->high[to_at], &from->high[from_at], n * sizeof from->high[0]);
    memmove(&to->low[to_at], &from->low[from_at], n * sizeof from->low[0]);
    memmove(&to->id[to_at], &from->id[from_at], n * sizeof from->id[0]);
    memmove(&to->what[to_at], &from->what[from_at], n * sizeof from->what[0]);
}

/* There are n. */
static void lines_end(struct shelf_lines *l, uint32_t n)
{
    for (uint32_t i = n; i < SHELF_LINES; i++) {
        l->high[i] = HIGH_NONE;
        l->low[i] = LOW_NONE;
    }
}

/* How many lines have a lower high amount. All are compared, four at a time: what a processor could
 * not guess is no branch. */
static uint32_t high_below(const struct shelf_lines *l, int32_t high)
{
    const lanes than = all(high);
    lanes n = {0}, m = {0};
    for (uint32_t i = 0; i < SHELF_LINES; i += 2 * LANES) {
        n -= load(&l->high[i]) < than;
        m -= load(&l->high[i + LANES]) < than;
    }
    n += m;
    return (uint32_t)(n[0] + n[1] + n[2] + n[3]);
}

/* How many are before another one by amounts and first bits of the id. */
static uint32_t amounts_below(const struct shelf_lines *l, const struct line *than)
{
    const lanes high = all(than->high), low = all(than->low), id = all(than->id);
    lanes n = {0};
    for (uint32_t i = 0; i < SHELF_LINES; i += LANES) {
        lanes h = load(&l->high[i]), w = load(&l->low[i]);
        lanes tie = (w < low) | ((w == low) & (load(&l->id[i]) < id));
        n -= (h < high) | ((h == high) & tie);
    }
    return (uint32_t)(n[0] + n[1] + n[2] + n[3]);
}

static uint32_t lines_below(const struct shelf_lines *l, const struct line *than)
{
    uint32_t at = high_below(l, than->high);
    bool tie = at < SHELF_LINES && l->high[at] == than->high;
    return tie ? amounts_below(l, than) : at;
}

/* Is the line before the other one, which it may share amounts and first bits of the id with? */
static bool is_before(const struct shelf_env *env, const struct line *a, const struct line *b)
{
    if (a->high != b->high) {
        return a->high < b->high;
    }
    if (a->low != b->low) {
        return a->low < b->low;
    }
    if (a->id != b->id) {
        return a->id < b->id;
    }
    return id_cmp(env->id(env->ctx, slot_of(a->what)), env->id(env->ctx, slot_of(b->what))) < 0;
}

/* How many of n sorted lines are before another one, when some have the same high amount. */
static uint32_t ties_before(const struct shelf_env *env, const struct shelf_lines *l, uint32_t n,
                            const struct line *than)
{
    uint32_t at = amounts_below(l, than);
    while (at < n) {
        struct line next = line_get(l, at);
        if (!is_before(env, &next, than)) {
            break;
        }
        at++;
    }
    return at;
}

/* How many of n sorted lines are before another one. */
static uint32_t lines_before(const struct shelf_env *env, const struct shelf_lines *l, uint32_t n,
                             const struct line *than)
{
    uint32_t at = high_below(l, than->high);
    bool tie = at < n && l->high[at] == than->high;
    return tie ? ties_before(env, l, n, than) : at;
}

/* --- ranks ------------------------------------------------------------------------------------ */

/* Amounts in a byte, never falling: the first four bits and how many there are. */
static uint8_t rank_of(uint32_t amount)
{
    if (amount < 8) {
        return (uint8_t)(amount + 1);
    }
    uint32_t bit = 31u - (uint32_t)__builtin_clz(amount);
    return (uint8_t)((bit - 2) * 8 + (amount >> (bit - 3) & 7) + 1);
}

void shelf_want_init(struct shelf_want *w, uint32_t low)
{
    w->low = (int32_t)low;
    w->rank = rank_of(low);
    w->any_tag = true;
    w->tags = UINT64_MAX;
    memset(w->mask, 0xff, sizeof w->mask);
}

void shelf_want_not(struct shelf_want *w, uint8_t tag)
{
    w->any_tag = false;
    w->tags &= ~(UINT64_C(1) << tag);
    w->mask[tag] = 0;
}

/* May something with these tops be wanted? */
static bool tops_match(const struct shelf_tops *tops, const struct shelf_want *w)
{
    words any = {0, 0};
    bytes rank;
    memset(&rank, w->rank, sizeof rank);
    for (uint32_t i = 0; i < SHELF_TAGS; i += BYTES) {
        bytes top, mask;
        memcpy(&top, &tops->of[i], sizeof top);
        memcpy(&mask, &w->mask[i], sizeof mask);
        any |= (words)(top >= rank) & (words)mask;
    }
    return !is_zero(any);
}

/* The largest of n, a multiple of LANES. */
static int32_t largest(const int32_t *v, uint32_t n)
{
    lanes max = load(v);
    for (uint32_t i = LANES; i < n; i += LANES) {
        lanes next = load(v + i);
        lanes more = next > max;
        max = (next & more) | (max & ~more);
    }
    int32_t most = max[0];
    for (uint32_t i = 1; i < LANES; i++) {
        most = max[i] > most ? max[i] : most;
    }
    return most;
}

/* --- what is known ---------------------------------------------------------------------------- */

/* The first lines of blocks are kept 32 at a time. */
static uint32_t n_chunks(uint32_t n)
{
    return (n + SHELF_LINES - 1) / SHELF_LINES;
}

/* How many there are of those in a chunk. */
static uint32_t in_chunk(const struct shelf *s, uint32_t chunk)
{
    uint32_t n = s->n_blocks - chunk * SHELF_LINES;
    return n < SHELF_LINES ? n : SHELF_LINES;
}

static void first_set(struct shelf *s, uint32_t block, const struct line *first)
{
    line_set(&s->first[block / SHELF_LINES], block % SHELF_LINES, first);
}

static void first_copy(struct shelf *s, uint32_t to, uint32_t from)
{
    struct line line = line_get(&s->first[from / SHELF_LINES], from % SHELF_LINES);
    first_set(s, to, &line);
}

static void describe_leaf(struct shelf_block *b, uint32_t i)
{
    const struct shelf_leaf *l = b->leaves[i];
    const struct line first = line_get(&l->lines, 0);
    memset(&b->tops[i], 0, sizeof b->tops[i]);
    for (uint32_t k = 0; k < l->n; k++) {
        uint8_t rank = rank_of((uint32_t)l->lines.low[k]);
        uint8_t *top = &b->tops[i].of[tag_of(l->lines.what[k])];
        *top = rank > *top ? rank : *top;
    }
    line_set(&b->first, i, &first);
    b->low_max[i] = largest(l->lines.low, SHELF_LINES);
    b->stale[i] = false;
}

/* From what is known of its leaves. */
static void describe_block(struct shelf *s, uint32_t i)
{
    const struct shelf_block *b = s->blocks[i];
    const struct line first = line_get(&b->first, 0);
    first_set(s, i, &first);
    s->low_max[i] = largest(b->low_max, SHELF_LINES);
    for (uint32_t t = 0; t < SHELF_TAGS; t += BYTES) {
        bytes most = {0};
        for (uint32_t k = 0; k < b->n; k++) {
            bytes top;
            memcpy(&top, &b->tops[k].of[t], sizeof top);
            bytes more = (bytes)(top > most);
            most = (top & more) | (most & ~more);
        }
        memcpy(&s->tops[i].of[t], &most, sizeof most);
    }
    s->stale[i] = false;
}

/* An entry was added to the leaf. */
static void raise(struct shelf *s, const struct shelf_at *at, const struct shelf_entry *e)
{
    struct shelf_block *b = s->blocks[at->block];
    uint8_t rank = rank_of((uint32_t)e->key);
    int32_t low = (int32_t)e->key;
    b->low_max[at->leaf] = low > b->low_max[at->leaf] ? low : b->low_max[at->leaf];
    s->low_max[at->block] = low > s->low_max[at->block] ? low : s->low_max[at->block];
    uint8_t *of_leaf = &b->tops[at->leaf].of[e->tag];
    uint8_t *of_block = &s->tops[at->block].of[e->tag];
    *of_leaf = rank > *of_leaf ? rank : *of_leaf;
    *of_block = rank > *of_block ? rank : *of_block;
}

/* --- the directory ---------------------------------------------------------------------------- */

/* Move what is known of leaves from `from` on to `to`, in it or to the end of another one. */
static void leaves_move(struct shelf_block *to, uint32_t to_at, const struct shelf_block *from,
                        uint32_t from_at, uint32_t n)
{
    memmove(&to->stale[to_at], &from->stale[from_at], n * sizeof from->stale[0]);
    memmove(&to->low_max[to_at], &from->low_max[from_at], n * sizeof from->low_max[0]);
    lines_move(&to->first, to_at, &from->first, from_at, n);
    memmove(&to->leaves[to_at], &from->leaves[from_at], n * sizeof(struct shelf_leaf *));
    memmove(&to->tops[to_at], &from->tops[from_at], n * sizeof from->tops[0]);
}

/* No search stops at a leaf that is not there. */
static void block_end(struct shelf_block *b)
{
    for (uint32_t i = b->n; i < SHELF_LINES; i++) {
        b->low_max[i] = LOW_NONE;
    }
    lines_end(&b->first, b->n);
}

/* Move the blocks from `from` on to `to`; the list itself has room. */
static void blocks_move(struct shelf *s, uint32_t to, uint32_t from)
{
    uint32_t n = s->n_blocks - from;
    memmove(&s->low_max[to], &s->low_max[from], n * sizeof *s->low_max);
    memmove(&s->tops[to], &s->tops[from], n * sizeof *s->tops);
    memmove(&s->stale[to], &s->stale[from], n * sizeof *s->stale);
    memmove(&s->blocks[to], &s->blocks[from], n * sizeof(struct shelf_block *));
    for (uint32_t i = 0; i < n; i++) {
        first_copy(s, to < from ? to + i : to + n - 1 - i, to < from ? from + i : from + n - 1 - i);
    }
}

/* Room for one more. */
static void blocks_grow(struct shelf *s, const struct mem *mem)
{
    uint32_t had = s->cap, cap = had == 0 ? CAP_MIN : had * 2;
    if (s->n_blocks < had) {
        return;
    }
    s->first = mem_resize(mem, s->first, n_chunks(had) * sizeof *s->first,
                          n_chunks(cap) * sizeof *s->first);
    s->low_max = mem_resize(mem, s->low_max, had * sizeof *s->low_max, cap * sizeof *s->low_max);
    s->tops = mem_resize(mem, s->tops, had * sizeof *s->tops, cap * sizeof *s->tops);
    s->stale = mem_resize(mem, s->stale, had * sizeof *s->stale, cap * sizeof *s->stale);
    s->blocks = mem_resize(mem, s->blocks, had * sizeof(struct shelf_block *),
                           cap * sizeof(struct shelf_block *));
    for (uint32_t i = n_chunks(had); i < n_chunks(cap); i++) {
        lines_end(&s->first[i], 0);
    }
    s->cap = cap;
}

static void block_add(struct shelf *s, const struct mem *mem, uint32_t i)
{
    blocks_grow(s, mem);
    blocks_move(s, i + 1, i);
    s->blocks[i] = mem_alloc(mem, sizeof *s->blocks[i]);
    block_end(s->blocks[i]);
    s->n_blocks++;
}

static void block_drop(struct shelf *s, const struct mem *mem, uint32_t i)
{
    mem_free(mem, s->blocks[i], sizeof *s->blocks[i]);
    blocks_move(s, i, i + 1);
    s->n_blocks--;
    lines_end(&s->first[s->n_blocks / SHELF_LINES], s->n_blocks % SHELF_LINES);
}

static void leaf_add(struct shelf_block *b, const struct mem *mem, uint32_t i)
{
    assert(b->n < SHELF_LINES);
    leaves_move(b, i + 1, b, i, b->n - i);
    b->leaves[i] = mem_alloc(mem, sizeof *b->leaves[i]);
    lines_end(&b->leaves[i]->lines, 0);
    b->low_max[i] = LOW_NONE;
    memset(&b->tops[i], 0, sizeof b->tops[i]);
    b->stale[i] = false;
    b->n++;
}

/* The last of n lines that is not after another one; the first one when all are. */
static uint32_t line_of(const struct shelf_env *env, const struct shelf_lines *l, uint32_t n,
                        const struct line *than)
{
    uint32_t at = lines_before(env, l, n, than);
    return at == 0 || (at < n && is_line(l, at, than)) ? at : at - 1;
}

static struct shelf_at locate(const struct shelf *s, const struct shelf_env *env,
                              const struct line *than)
{
    uint32_t chunk = 0;
    while ((chunk + 1) * SHELF_LINES < s->n_blocks) {
        struct line next = line_get(&s->first[chunk + 1], 0);
        if (!is_line(&s->first[chunk + 1], 0, than) && !is_before(env, &next, than)) {
            break;
        }
        chunk++;
    }
    uint32_t block = chunk * SHELF_LINES + line_of(env, &s->first[chunk], in_chunk(s, chunk), than);
    const struct shelf_block *b = s->blocks[block];
    return (struct shelf_at){block, (uint16_t)line_of(env, &b->first, b->n, than), 0};
}

void shelf_close(struct shelf *s, const struct mem *mem)
{
    for (uint32_t i = 0; i < s->n_blocks; i++) {
        for (uint32_t k = 0; k < s->blocks[i]->n; k++) {
            mem_free(mem, s->blocks[i]->leaves[k], sizeof(struct shelf_leaf));
        }
        mem_free(mem, s->blocks[i], sizeof *s->blocks[i]);
    }
    mem_free(mem, s->first, n_chunks(s->cap) * sizeof *s->first);
    mem_free(mem, s->low_max, s->cap * sizeof *s->low_max);
    mem_free(mem, s->tops, s->cap * sizeof *s->tops);
    mem_free(mem, s->stale, s->cap * sizeof *s->stale);
    mem_free(mem, s->blocks, s->cap * sizeof(struct shelf_block *));
    memset(s, 0, sizeof *s);
}

/* --- changes ---------------------------------------------------------------------------------- */

/* Move the upper half of a full block to a new one behind it. */
static void split_block(struct shelf *s, const struct mem *mem, uint32_t i)
{
    block_add(s, mem, i + 1);
    struct shelf_block *b = s->blocks[i];
    struct shelf_block *upper = s->blocks[i + 1];
    upper->n = b->n / 2;
    b->n -= upper->n;
    leaves_move(upper, 0, b, b->n, upper->n);
    block_end(b);
    describe_block(s, i);
    describe_block(s, i + 1);
}

/* Move the upper half of a full leaf to a new one behind it. The block has room. */
static void split_leaf(struct shelf_block *b, const struct mem *mem, uint32_t i)
{
    leaf_add(b, mem, i + 1);
    struct shelf_leaf *l = b->leaves[i];
    struct shelf_leaf *upper = b->leaves[i + 1];
    upper->n = l->n / 2;
    l->n -= upper->n;
    lines_move(&upper->lines, 0, &l->lines, l->n, upper->n);
    lines_end(&l->lines, l->n);
    lines_end(&upper->lines, upper->n);
    describe_leaf(b, i);
    describe_leaf(b, i + 1);
}

/* The leaf for an entry, with room for it. */
static struct shelf_at make_room(struct shelf *s, const struct shelf_env *env,
                                 const struct line *entry)
{
    if (s->n_blocks == 0) {
        block_add(s, env->mem, 0);
        leaf_add(s->blocks[0], env->mem, 0);
        s->low_max[0] = LOW_NONE;
        s->stale[0] = false;
        memset(&s->tops[0], 0, sizeof s->tops[0]);
        return (struct shelf_at){0, 0, 0};
    }
    struct shelf_at at = locate(s, env, entry);
    if (s->blocks[at.block]->leaves[at.leaf]->n < SHELF_LINES) {
        return at;
    }
    if (s->blocks[at.block]->n == SHELF_LINES) {
        split_block(s, env->mem, at.block);
        at = locate(s, env, entry);
    }
    split_leaf(s->blocks[at.block], env->mem, at.leaf);
    s->stale[at.block] = true; /* The leaf may have been. */
    return locate(s, env, entry);
}

static void set_first(struct shelf *s, const struct shelf_at *at, const struct line *first)
{
    line_set(&s->blocks[at->block]->first, at->leaf, first);
    if (at->leaf == 0) {
        first_set(s, at->block, first);
    }
}

void shelf_insert(struct shelf *s, const struct shelf_env *env, const struct shelf_entry *entry)
{
    const struct line me = line_make(entry);
    struct shelf_at at = make_room(s, env, &me);
    struct shelf_leaf *l = s->blocks[at.block]->leaves[at.leaf];
    uint32_t i = lines_before(env, &l->lines, l->n, &me);
    lines_move(&l->lines, i + 1, &l->lines, i, l->n - i);
    line_set(&l->lines, i, &me);
    l->n++;
    s->n++;
    raise(s, &at, entry);
    if (i == 0) {
        set_first(s, &at, &me);
    }
}

static void drop_leaf(struct shelf *s, const struct mem *mem, const struct shelf_at *at)
{
    struct shelf_block *b = s->blocks[at->block];
    mem_free(mem, b->leaves[at->leaf], sizeof *b->leaves[at->leaf]);
    leaves_move(b, at->leaf, b, at->leaf + 1u, b->n - at->leaf - 1u);
    b->n--;
    block_end(b);
    if (b->n > 0) {
        describe_block(s, at->block);
        return;
    }
    block_drop(s, mem, at->block);
}

/* Take in the entries of the next leaf of the block when both are small. */
static void merge(struct shelf *s, const struct shelf_env *env, const struct shelf_at *at)
{
    struct shelf_block *b = s->blocks[at->block];
    struct shelf_leaf *l = b->leaves[at->leaf];
    if (at->leaf + 1u == b->n || l->n + b->leaves[at->leaf + 1]->n > MERGE_MAX) {
        return;
    }
    const struct shelf_leaf *next = b->leaves[at->leaf + 1];
    const struct shelf_at behind = {at->block, (uint16_t)(at->leaf + 1), 0};
    lines_move(&l->lines, l->n, &next->lines, 0, next->n);
    l->n += next->n;
    describe_leaf(b, at->leaf);
    drop_leaf(s, env->mem, &behind);
}

void shelf_remove(struct shelf *s, const struct shelf_env *env, const struct shelf_entry *entry)
{
    const struct line me = line_make(entry);
    assert(s->n > 0);
    struct shelf_at at = locate(s, env, &me);
    struct shelf_leaf *l = s->blocks[at.block]->leaves[at.leaf];
    uint32_t i = lines_before(env, &l->lines, l->n, &me);
    assert(i < l->n);
    assert(l->lines.what[i] == me.what);
    l->n--;
    s->n--;
    lines_move(&l->lines, i, &l->lines, i + 1, l->n - i);
    l->lines.high[l->n] = HIGH_NONE;
    l->lines.low[l->n] = LOW_NONE;
    if (l->n == 0) {
        drop_leaf(s, env->mem, &at);
        return;
    }
    s->blocks[at.block]->stale[at.leaf] = true;
    s->stale[at.block] = true;
    if (i == 0) {
        struct line first = line_get(&l->lines, 0);
        set_first(s, &at, &first);
    }
    merge(s, env, &at);
}

/* --- looking ---------------------------------------------------------------------------------- */

/* The last line with a lower key, or the first one. */
static uint32_t last_below(const struct shelf_lines *l, const struct line *key)
{
    uint32_t below = lines_below(l, key);
    return below == 0 ? 0 : below - 1;
}

struct shelf_at shelf_seek(const struct shelf *s, uint64_t key)
{
    const struct line least = {(int32_t)(key >> 32), (int32_t)key, INT32_MIN, 0};
    struct shelf_at at = {0, 0, 0};
    if (s->n_blocks == 0) {
        return at;
    }
    uint32_t chunk = 0;
    while ((chunk + 1) * SHELF_LINES < s->n_blocks &&
           lines_below(&s->first[chunk], &least) == SHELF_LINES) {
        chunk++;
    }
    at.block = chunk * SHELF_LINES + last_below(&s->first[chunk], &least);
    if (chunk > 0 && lines_below(&s->first[chunk], &least) == 0) {
        at.block--; /* The last one of the chunk before. */
    }
    const struct shelf_block *b = s->blocks[at.block];
    at.leaf = (uint16_t)last_below(&b->first, &least);
    at.entry = (uint16_t)lines_below(&b->leaves[at.leaf]->lines, &least);
    return at;
}

uint32_t shelf_first(const struct shelf *s)
{
    assert(s->n > 0);
    return slot_of(s->blocks[0]->leaves[0]->lines.what[0]);
}

/* The first wanted entry at or behind `from`, or n. */
static uint32_t scan(const struct shelf_leaf *l, const struct shelf_want *w, uint32_t from)
{
    const struct shelf_lines *lines = &l->lines;
    const lanes least = all(w->low - 1);
    uint32_t i = from;
    while (i < l->n) {
        if (i % LANES == 0 && is_zero((words)(load(&lines->low[i]) > least))) {
            i += LANES;
        } else if (lines->low[i] < w->low || (w->tags >> tag_of(lines->what[i]) & 1) == 0) {
            i++;
        } else {
            return i;
        }
    }
    return l->n;
}

/* The first leaf of the block, from `leaf` on, that may hold something wanted; b->n: none. */
static uint32_t skip_leaves(const struct shelf_block *b, const struct shelf_want *w, uint32_t leaf)
{
    const lanes least = all(w->low - 1);
    while (leaf < b->n) {
        if (leaf % LANES == 0 && is_zero((words)(load(&b->low_max[leaf]) > least))) {
            leaf += LANES;
        } else if (b->low_max[leaf] >= w->low && (w->any_tag || tops_match(&b->tops[leaf], w))) {
            return leaf;
        } else {
            leaf++;
        }
    }
    return b->n;
}

/* The first block from `block` on that may hold something wanted. */
static uint32_t skip_blocks(const struct shelf *s, const struct shelf_want *w, uint32_t block)
{
    while (block < s->n_blocks &&
           (s->low_max[block] < w->low || !(w->any_tag || tops_match(&s->tops[block], w)))) {
        block++;
    }
    return block;
}

/* The first wanted entry of the block at or behind *at; false when there is none. */
static bool find_in(struct shelf *s, const struct shelf_want *w, struct shelf_at *at)
{
    struct shelf_block *b = s->blocks[at->block];
    uint32_t from = at->entry;
    for (uint32_t leaf = at->leaf; leaf < b->n; leaf++, from = 0) {
        uint32_t next = skip_leaves(b, w, leaf);
        from = next == leaf ? from : 0;
        leaf = next;
        if (leaf == b->n) {
            break;
        }
        uint32_t i = scan(b->leaves[leaf], w, from);
        if (i < b->leaves[leaf]->n) {
            at->leaf = (uint16_t)leaf;
            at->entry = (uint16_t)i;
            return true;
        }
        if (b->stale[leaf]) {
            describe_leaf(b, leaf);
            s->stale[at->block] = true;
        }
    }
    return false;
}

uint32_t shelf_find(struct shelf *s, const struct shelf_want *w, struct shelf_at *at,
                    uint32_t *ret_high)
{
    while (at->block < s->n_blocks) {
        uint32_t block = skip_blocks(s, w, at->block);
        if (block != at->block) {
            *at = (struct shelf_at){block, 0, 0};
            continue;
        }
        if (find_in(s, w, at)) {
            const struct shelf_lines *l = &s->blocks[block]->leaves[at->leaf]->lines;
            *ret_high = (uint32_t)l->high[at->entry];
            return slot_of(l->what[at->entry]);
        }
        if (s->stale[block]) {
            describe_block(s, block);
        }
        *at = (struct shelf_at){block + 1, 0, 0};
    }
    return SHELF_NONE;
}

/* --- checking --------------------------------------------------------------------------------- */

/* Is what is known right, or at least not too small where it may be stale? */
static bool known_ok(int32_t low_max, const struct shelf_tops *tops, bool stale, int32_t real_max,
                     const struct shelf_tops *real)
{
    for (uint32_t t = 0; t < SHELF_TAGS; t++) {
        if (stale ? tops->of[t] < real->of[t] : tops->of[t] != real->of[t]) {
            return false;
        }
    }
    return stale ? low_max >= real_max : low_max == real_max;
}

/* Is there nothing behind the n lines? */
static bool end_ok(const struct shelf_lines *l, uint32_t n)
{
    for (uint32_t i = n; i < SHELF_LINES; i++) {
        if (l->high[i] != HIGH_NONE || l->low[i] != LOW_NONE) {
            return false;
        }
    }
    return true;
}

/* The entries are behind *last, which then is the last of them. */
static bool leaf_ok(const struct shelf_block *b, uint32_t i, const struct shelf_env *env,
                    struct line *last, bool *any)
{
    const struct shelf_leaf *l = b->leaves[i];
    struct shelf_block real = {.leaves = {b->leaves[i]}};
    for (uint32_t k = 0; k < l->n; k++) {
        const struct line me = line_get(&l->lines, k);
        if ((*any && !is_before(env, last, &me)) ||
            me.id != id_bits(env->id(env->ctx, slot_of(me.what)))) {
            return false;
        }
        *any = true;
        *last = me;
    }
    describe_leaf(&real, 0);
    const struct line first = line_get(&real.first, 0);
    return l->n > 0 && end_ok(&l->lines, l->n) && is_line(&b->first, i, &first) &&
           known_ok(b->low_max[i], &b->tops[i], b->stale[i], real.low_max[0], &real.tops[0]);
}

static bool block_ok(const struct shelf *s, uint32_t i)
{
    struct shelf_lines chunk;
    int32_t low_max;
    struct shelf_tops tops;
    bool stale;
    struct shelf_block *b = s->blocks[i];
    struct shelf real = {
        .first = &chunk, .low_max = &low_max, .tops = &tops, .stale = &stale, .blocks = &b};
    describe_block(&real, 0);
    const struct line first = line_get(&chunk, 0);
    return b->n > 0 && end_ok(&b->first, b->n) &&
           is_line(&s->first[i / SHELF_LINES], i % SHELF_LINES, &first) &&
           known_ok(s->low_max[i], &s->tops[i], s->stale[i], low_max, &tops);
}

bool shelf_audit(const struct shelf *s, const struct shelf_env *env)
{
    uint32_t n = 0;
    struct line last = {0};
    bool any = false;
    for (uint32_t i = 0; i < s->n_blocks; i++) {
        if (!block_ok(s, i)) {
            return false;
        }
        for (uint32_t k = 0; k < s->blocks[i]->n; k++) {
            if (!leaf_ok(s->blocks[i], k, env, &last, &any)) {
                return false;
            }
            n += s->blocks[i]->leaves[k]->n;
        }
    }
    uint32_t last_chunk = s->n_blocks / SHELF_LINES;
    bool full = last_chunk == n_chunks(s->cap); /* Then nothing is behind the last block. */
    return n == s->n && (full || end_ok(&s->first[last_chunk], s->n_blocks % SHELF_LINES));
}
