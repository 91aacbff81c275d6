/* tests/unit/controller/raftio/durable_house.h
 *
 * Everything a controller writes for consensus, on any disk, next to a model of what of it was
 * promised: scripts of operations, and the check of what is found when the files are opened again
 * after something went wrong. The checkpoint, which decides what the other files mean, is outside
 * of them: a file of two slots stands for it. */
#ifndef TESTS_UNIT_CONTROLLER_RAFTIO_DURABLE_HOUSE_H
#define TESTS_UNIT_CONTROLLER_RAFTIO_DURABLE_HOUSE_H

#include "common/base/buf.h"
#include "controller/raftio/durable.h"
#include "controller/raftio/slots.h"
#include "tests/lib/test.h"
#include "tests/sim/simdisk.h"

#include <string.h>

#define SEGMENT   1024u
#define INDEX_MAX 64u
#define LEN_MAX   1500u
#define STEPS_MAX 20u

enum op { END, APPEND, BIG, FLUSH, VOTE, MARK, PREPARE, NOTE, TRIM, INSTALL };

struct step {
    enum op op;
    uint64_t index; /* APPEND, BIG: the first; TRIM, NOTE, INSTALL: the last. */
    unsigned n;
};

struct script {
    const char *name;
    unsigned outcomes_min; /* Proof that enough was enumerated. */
    struct step steps[STEPS_MAX];
};

static const struct conf_member members[] = {{1, "a:1"}, {2, "b:1"}, {3, "c:1"}};

/* --- the model ------------------------------------------------------------------------------- */

struct log_model { /* Terms of entries [first, last]; payloads follow from index and term. */
    uint64_t first;
    uint64_t last;
    uint64_t term[INDEX_MAX];
};

struct place {
    uint64_t index;
    uint64_t term;
};

struct model {
    struct log_model now;     /* All that was asked for. */
    struct log_model durable; /* As of the last acknowledgement. */
    uint64_t cut;             /* Least index replaced since then; UINT64_MAX: none. */
    uint64_t trimmed;         /* Entries up to here need not be there. */
    uint64_t term;            /* Asked for, and the vote follows from it ... */
    uint64_t term_saved;      /* ... and acknowledged. */
    struct place checkpoint;
    struct place checkpoint_saved;
};

struct house {
    const struct disk *ops; /* Where everything is. */
    struct simdisk *disk;   /* The same, when it is a simulated one. */
    struct durable *d;
    struct slots checkpoint;
    struct model m;
};

static inline uint64_t vote_of(uint64_t term)
{
    return term == 1 ? 0 : 1 + term % 3;
}

static inline size_t payload(uint64_t index, uint64_t term, bool big, uint8_t to[LEN_MAX])
{
    size_t n = big ? LEN_MAX : 20 + (index * 13 + term * 7) % 90;
    for (size_t i = 0; i < n; i++) {
        to[i] = (uint8_t)(index * 31 + term * 17 + i);
    }
    return n;
}

static inline void check_payload(uint64_t index, const struct replica_entry *e)
{
    uint8_t bytes[LEN_MAX];
    size_t n = payload(index, e->term, e->len == LEN_MAX, bytes);
    ck_assert_uint_eq(e->len, n);
    ck_assert_int_eq(memcmp(e->bytes, bytes, n), 0);
}

/* --- steps ----------------------------------------------------------------------------------- */

static inline int open_house(struct house *h, struct err *err)
{
    struct durable_settings set = {.id = 1, .members = members, .n_members = 3};
    const struct slot *at;
    int rv = slots_open(&h->checkpoint, h->ops, "checkpoint", err);
    h->d = NULL;
    if (rv != 0) {
        return rv;
    }
    at = slots_newest(&h->checkpoint);
    if (at != NULL) {
        set.checkpoint_index = get_u64(at->bytes);
        set.checkpoint_term = get_u64(at->bytes + 8);
    }
    set.log.segment_bytes = SEGMENT;
    return durable_open(h->ops, test_mem(), &set, &h->d, err);
}

static inline void close_house(struct house *h)
{
    durable_close(h->d);
    h->d = NULL;
    slots_close(&h->checkpoint);
}

static inline int append(struct house *h, const struct step *s)
{
    struct model *m = &h->m;
    struct replica_entry entries[16];
    uint8_t bytes[16][LEN_MAX];
    ck_assert_uint_le(s->n, 16);
    ck_assert_uint_lt(s->index + s->n, INDEX_MAX);
    if (s->index <= m->now.last && s->index < m->cut) {
        m->cut = s->index;
    }
    for (unsigned i = 0; i < s->n; i++) {
        size_t len = payload(s->index + i, m->term, s->op == BIG, bytes[i]);
        entries[i] = (struct replica_entry){m->term, RAFT_COMMAND, bytes[i], len};
        m->now.term[s->index + i] = m->term;
    }
    m->now.last = s->index + s->n - 1;
    return logfile_append(durable_log(h->d), s->index, entries, s->n, NULL);
}

static inline int save_vote(struct house *h)
{
    struct model *m = &h->m;
    int rv = durable_save_vote(h->d, m->term + 1, vote_of(m->term + 1), NULL);
    m->term++;
    m->term_saved = rv == 0 ? m->term : m->term_saved;
    return rv;
}

static inline int put_checkpoint(struct house *h, struct place at)
{
    uint8_t bytes[16];
    int rv;
    put_u64(bytes, at.index);
    put_u64(bytes + 8, at.term);
    h->m.checkpoint = at;
    rv = slots_put_older(&h->checkpoint, bytes, sizeof bytes, NULL);
    if (rv == 0) {
        h->m.checkpoint_saved = at;
    }
    return rv;
}

static inline int note(struct house *h, uint64_t index)
{
    struct raft_buffer conf;
    struct replica_snapshot s = {.index = index, .term = h->m.now.term[index], .conf_index = 1};
    int rv;
    ck_assert_int_eq(conf_encode(members, 3, &conf, NULL), 0);
    s.conf = conf.base;
    s.conf_len = conf.len;
    rv = put_checkpoint(h, (struct place){index, s.term});
    rv = rv != 0 ? rv : durable_note_checkpoint(h->d, &s, NULL);
    raft_free(conf.base);
    return rv;
}

static inline int install(struct house *h, uint64_t index)
{
    struct model *m = &h->m;
    struct raft_buffer conf;
    struct replica_snapshot s = {.index = index, .term = m->term, .conf_index = 1};
    int rv;
    ck_assert_int_eq(conf_encode(members, 3, &conf, NULL), 0);
    s.conf = conf.base;
    s.conf_len = conf.len;
    rv = durable_install_begin(h->d, &s, NULL);
    rv = rv != 0 ? rv : put_checkpoint(h, (struct place){index, m->term});
    rv = rv != 0 ? rv : logfile_reset(durable_log(h->d), index, NULL);
    if (rv == 0) {
        durable_install_end(h->d);
        m->now.first = index + 1;
        m->now.last = index;
        m->durable = m->now;
        m->cut = UINT64_MAX;
        m->trimmed = index;
    }
    raft_free(conf.base);
    return rv;
}

static inline int run_step(struct house *h, const struct step *s)
{
    struct logfile *log = durable_log(h->d);
    int rv = 0;
    switch (s->op) {
    case APPEND:
    case BIG:
        return append(h, s);
    case FLUSH:
        rv = logfile_flush(log, NULL);
        if (rv == 0) {
            h->m.durable = h->m.now;
            h->m.cut = UINT64_MAX;
        }
        return rv;
    case VOTE:
        return save_vote(h);
    case MARK:
        return logfile_mark(log, NULL);
    case PREPARE:
        return logfile_prepare(log, NULL);
    case NOTE:
        return note(h, s->index);
    case TRIM:
        h->m.trimmed = s->index;
        return logfile_trim(log, s->index, NULL);
    case INSTALL:
        return install(h, s->index);
    case END:
        break;
    }
    return rv;
}

/* On an empty disk, until everything is done (0) or a step fails. */
static inline int run_script(struct house *h, const struct disk *ops, const struct script *script)
{
    int rv;
    h->ops = ops;
    h->m = (struct model){.cut = UINT64_MAX, .term = 1};
    h->m.now = (struct log_model){.first = 1, .last = 1, .term = {0, 1}};
    h->m.durable.first = 1;
    rv = open_house(h, NULL);
    if (rv == 0) {
        h->m.durable = h->m.now;
        h->m.term_saved = 1;
    }
    for (const struct step *s = script->steps; rv == 0 && s->op != END; s++) {
        rv = run_step(h, s);
    }
    return rv;
}

/* --- checks ---------------------------------------------------------------------------------- */

static inline void check_entries(const struct model *m, const struct replica_boot *b)
{
    uint64_t last = b->first + b->n_entries - 1;
    uint64_t must = m->durable.last < m->cut ? m->durable.last : m->cut - 1;
    bool is_new = false;
    if (m->checkpoint.index > m->durable.last && b->first == m->checkpoint.index + 1 &&
        b->n_entries == 0) {
        return; /* The snapshot that was being installed has replaced all. */
    }
    ck_assert_uint_le(b->first, m->trimmed > m->now.first ? m->trimmed + 1 : m->now.first);
    ck_assert_uint_ge(last, must);
    for (uint64_t i = b->first; i <= last; i++) {
        const struct replica_entry *e = &b->entries[i - b->first];
        bool in_now = i <= m->now.last && m->now.term[i] == e->term;
        bool in_old = i <= m->durable.last && m->durable.term[i] == e->term;
        ck_assert_msg(in_now || (in_old && !is_new), "entry %u of term %u", (unsigned)i,
                      (unsigned)e->term);
        is_new = is_new || !in_old;
        if (i > 1) {
            check_payload(i, e);
        } else {
            ck_assert_int_eq(e->type, RAFT_CHANGE);
        }
    }
}

static inline void check_house(const struct house *h, const struct model *m)
{
    const struct replica_boot *b = durable_boot(h->d);
    ck_assert(b->term >= m->term_saved && b->term <= m->term);
    ck_assert_uint_eq(b->vote, vote_of(b->term));
    ck_assert(b->snapshot.index == m->checkpoint.index ||
              b->snapshot.index == m->checkpoint_saved.index);
    if (b->snapshot.index > 0) {
        ck_assert_uint_eq(b->snapshot.conf_index, 1);
        ck_assert_uint_gt(b->snapshot.conf_len, 0);
    }
    check_entries(m, b);
}

/* What was found is a promise from now on. */
static inline void adopt(struct house *h)
{
    const struct replica_boot *b = durable_boot(h->d);
    struct model *m = &h->m;
    memset(m, 0, sizeof *m);
    m->now.first = b->first;
    m->now.last = b->first + b->n_entries - 1;
    for (uint64_t i = 0; i < b->n_entries; i++) {
        m->now.term[b->first + i] = b->entries[i].term;
    }
    m->durable = m->now;
    m->cut = UINT64_MAX;
    m->trimmed = b->first - 1;
    m->term = b->term;
    m->term_saved = b->term;
    m->checkpoint = (struct place){b->snapshot.index, b->snapshot.term};
    m->checkpoint_saved = m->checkpoint;
}

static inline void must_open(struct house *h)
{
    struct err err = {0};
    ck_assert_msg(open_house(h, &err) == 0, "%s", err.text);
}

#endif
