#include "common/base/hash.h"
#include "tests/sim/simworld_impl.h"

#include <assert.h>
#include <string.h>

static struct simhistory *at(struct simworld *w, uint64_t index)
{
    struct simcheck *c = &w->check;
    assert(index > 0);
    if (index > c->cap) {
        size_t cap = c->cap == 0 ? 1024 : c->cap;
        while (cap < index) {
            cap *= 2;
        }
        c->history =
            mem_resize(&w->mem, c->history, c->cap * sizeof *c->history, cap * sizeof *c->history);
        c->cap = cap;
    }
    return &c->history[index - 1];
}

uint64_t simcheck_hash(const struct replica_entry *e)
{
    return hash_bytes(e->bytes, e->len, e->term * 8 + (uint64_t)e->type);
}

void simcheck_append(struct simworld *w, uint64_t index, const struct replica_entry *e)
{
    struct simhistory *h = at(w, index);
    uint64_t hash = simcheck_hash(e);
    struct simappended *a;
    h->len = e->len > h->len ? (uint32_t)e->len : h->len;
    for (a = h->appended; a != NULL; a = a->next) {
        if (a->term == e->term) {
            if (a->hash != hash) {
                simworld_fail(w, "two different entries %llu of term %llu",
                              (unsigned long long)index, (unsigned long long)e->term);
            }
            return;
        }
    }
    a = mem_alloc(&w->mem, sizeof *a);
    *a = (struct simappended){e->term, hash, h->appended};
    h->appended = a;
}

uint64_t simcheck_apply(struct simworld *w, unsigned node, uint64_t index,
                        const struct replica_entry *e, uint64_t digest_before)
{
    struct simhistory *h = at(w, index);
    uint64_t hash = simcheck_hash(e);
    uint64_t digest = hash_mix(digest_before, hash);
    if (h->term == 0) {
        h->term = e->term;
        h->hash = hash;
        h->digest = digest;
        if (index != w->check.last + 1) {
            simworld_fail(w, "controller %u applies %llu first, before anybody applied %llu",
                          node + 1, (unsigned long long)index,
                          (unsigned long long)w->check.last + 1);
        }
        w->check.last = index;
    }
    if (h->term != e->term || h->hash != hash) {
        simworld_fail(w, "controller %u applies another entry %llu (term %llu, first was %llu)",
                      node + 1, (unsigned long long)index, (unsigned long long)e->term,
                      (unsigned long long)h->term);
    }
    if (h->digest != digest) {
        simworld_fail(w, "controller %u has another state after %llu", node + 1,
                      (unsigned long long)index);
    }
    return digest;
}

void simcheck_state(struct simworld *w, unsigned node, const struct simstate *s)
{
    const struct simhistory *h;
    if (s->index == 0) {
        return;
    }
    h = at(w, s->index);
    if (h->digest != s->digest || h->term != s->term) {
        simworld_fail(w, "controller %u took over a state that nobody had at %llu", node + 1,
                      (unsigned long long)s->index);
    }
}

void simcheck_log(struct simworld *w, unsigned node, uint64_t trimmed, uint64_t last,
                  uint64_t bytes)
{
    const struct simnode *n = &w->nodes[node];
    uint64_t kept = 0;
    uint64_t files = 4; /* The one with the first that is needed, the last one, the spare. */
    for (unsigned i = 0; i < n->n_rolls && i < SIMNODE_ROLLS; i++) {
        files += n->rolls[i].index > trimmed;
        kept += n->rolls[i].index > trimmed ? n->rolls[i].replaced : 0;
    }
    for (uint64_t i = trimmed + 1; i <= last; i++) {
        kept += at(w, i)->len + SIMNODE_RECORD;
    }
    if (bytes > 2 * kept + files * w->opt.segment_bytes) { /* Twice: files of one large entry. */
        simworld_fail(w, "I19: the log of controller %u has %llu bytes for entries of %llu",
                      node + 1, (unsigned long long)bytes, (unsigned long long)kept);
    }
}

void simcheck_leader(struct simworld *w, unsigned node, uint64_t term)
{
    struct simcheck *c = &w->check;
    if (term >= c->cap_leaders) {
        size_t cap = c->cap_leaders == 0 ? 256 : c->cap_leaders;
        while (cap <= term) {
            cap *= 2;
        }
        c->leaders = mem_resize(&w->mem, c->leaders, c->cap_leaders * sizeof *c->leaders,
                                cap * sizeof *c->leaders);
        c->cap_leaders = cap;
    }
    if (c->leaders[term] == 0) {
        c->leaders[term] = node + 1;
        w->stats.elections++;
    }
    if (c->leaders[term] != node + 1) {
        simworld_fail(w, "controllers %llu and %u both lead term %llu",
                      (unsigned long long)c->leaders[term], node + 1, (unsigned long long)term);
    }
}

/* Everybody has everything, and nothing that was acknowledged is missing. */
void simcheck_end(struct simworld *w)
{
    for (unsigned i = 0; i < w->opt.n; i++) {
        const struct simnode *n = &w->nodes[i];
        if (!simmember_counts(w, i)) {
            continue;
        }
        simmember_check(w, i);
        if (n->state.index != w->check.last) {
            simworld_fail(w, "controller %u applied %llu of %llu in the end", i + 1,
                          (unsigned long long)n->state.index, (unsigned long long)w->check.last);
        }
        simcheck_state(w, i, &n->state);
    }
    if (w->check.acked > w->check.last) {
        simworld_fail(w, "entry %llu was acknowledged and is gone",
                      (unsigned long long)w->check.acked);
    }
}

void simcheck_close(struct simworld *w)
{
    struct simcheck *c = &w->check;
    for (size_t i = 0; i < c->cap; i++) {
        struct simappended *a = c->history[i].appended;
        while (a != NULL) {
            struct simappended *next = a->next;
            mem_free(&w->mem, a, sizeof *a);
            a = next;
        }
    }
    mem_free(&w->mem, c->history, c->cap * sizeof *c->history);
    mem_free(&w->mem, c->leaders, c->cap_leaders * sizeof *c->leaders);
}
