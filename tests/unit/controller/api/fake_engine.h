/* tests/unit/controller/api/fake_engine.h
 *
 * The engine without log and consensus: commands are applied to a real store as soon as the loop
 * comes round. Defines engine.h's functions, so that none of controller/engine is linked: include
 * it in one file of a program. */
#ifndef TESTS_UNIT_CONTROLLER_API_FAKE_ENGINE_H
#define TESTS_UNIT_CONTROLLER_API_FAKE_ENGINE_H

#include "common/loop/loop.h"
#include "controller/engine/engine.h"

#include <assert.h>
#include <string.h>

struct engine {
    const struct mem *mem;
    struct store *store;
    struct leader *leader; /* NULL: this controller does not lead. */
    struct loop_soon *soon;
    struct list writes;
    struct list reads;
    struct list watches;
    struct changes changes;
    struct arena arena;
    char leader_address[64];
    uint64_t member_id;
    uint64_t leader_id;
    int64_t now_ms;
    uint64_t random;
    struct engine_history *history; /* The question to be answered. */
    struct ring_record *records;    /* What there is to answer, newest first. */
    uint32_t n_records;
    int fail_next; /* Answer the next write with this ERR_*. */
    unsigned n_applied;
    uint32_t voters_level;
};

static const struct leader_settings fake_settings = {
    .lost_after_ms = 30000,
    .grace_ms = 1000,
    .plan_items_max = 1000,
};

void fake_engine_lead(struct engine *e, bool lead);
void fake_engine_apply(struct engine *e, const struct command *cmd, struct result *result);

static inline void fake_notify(struct engine *e, const struct changes *changes)
{
    struct list *it;
    struct list *after;
    list_each_safe (it, after, &e->watches) {
        struct engine_watch *w = container_of(it, struct engine_watch, link);
        w->cb(w->data, changes);
    }
}

void fake_engine_apply(struct engine *e, const struct command *cmd, struct result *result)
{
    struct command c = *cmd;
    c.at_ms = e->now_ms;
    c.seed = ++e->random;
    changes_clear(&e->changes);
    memset(result, 0, sizeof *result);
    store_apply(e->store, &c, &e->changes, result);
    e->n_applied++;
    if (e->leader != NULL) {
        leader_changed(e->leader, &e->changes);
        leader_settle(e->leader);
    }
    fake_notify(e, &e->changes);
}

static inline void fake_write(struct engine *e, struct engine_write *w)
{
    struct command cmd;
    struct result result;
    struct err err = {0};
    int rv;
    memset(&cmd, 0, sizeof cmd);
    if (e->leader == NULL) {
        w->done(w, ERR_NOTLEADER, NULL, NULL);
        return;
    }
    if (e->fail_next != 0) {
        rv = e->fail_next;
        e->fail_next = 0;
        w->done(w, rv, NULL, NULL);
        return;
    }
    rv = w->decide(w, e, &cmd, &e->arena, &err);
    if (rv != 0) {
        w->done(w, rv > 0 ? 0 : rv, NULL, rv > 0 ? NULL : &err);
        return;
    }
    fake_engine_apply(e, &cmd, &result);
    w->done(w, 0, &result, NULL);
}

static inline void fake_pump(void *data)
{
    struct engine *e = data;
    struct list batch;
    if (e->history != NULL) {
        struct engine_history *h = e->history;
        e->history = NULL;
        h->records = e->records;
        h->n = e->n_records < h->n_max ? e->n_records : h->n_max;
        h->done(h);
    }
    list_init(&batch);
    list_splice(&batch, &e->reads);
    while (!list_empty(&batch)) {
        struct engine_read *r = container_of(batch.next, struct engine_read, ring.queue);
        list_remove(&r->ring.queue);
        r->ready(r, r->eventual || e->leader != NULL ? 0 : ERR_NOTLEADER);
    }
    list_splice(&batch, &e->writes);
    while (!list_empty(&batch)) {
        struct engine_write *w = container_of(batch.next, struct engine_write, ring.queue);
        list_remove(&w->ring.queue);
        fake_write(e, w);
    }
}

static inline struct engine *fake_engine_open(uv_loop_t *loop, const struct mem *mem)
{
    struct engine *e = mem_alloc(mem, sizeof *e);
    e->mem = mem;
    e->store = store_open(mem);
    e->soon = loop_soon_open(loop, fake_pump, e);
    e->now_ms = 1700000000000;
    e->member_id = 1;
    list_init(&e->writes);
    list_init(&e->reads);
    list_init(&e->watches);
    changes_init(&e->changes, mem);
    arena_init(&e->arena, mem);
    return e;
}

void fake_engine_lead(struct engine *e, bool lead)
{
    leader_close(e->leader);
    e->leader = lead ? leader_open(e->store, &fake_settings, e->now_ms, e->mem) : NULL;
    e->leader_id = lead ? e->member_id : e->leader_id;
    fake_notify(e, NULL);
}

static inline void fake_engine_close(struct engine *e)
{
    leader_close(e->leader);
    loop_soon_close(e->soon);
    changes_close(&e->changes);
    arena_close(&e->arena);
    store_close(e->store);
    mem_free(e->mem, e, sizeof *e);
}

/* --- engine.h ----------------------------------------------------------------------------------
 */

void engine_submit(struct engine *e, struct engine_write *w)
{
    list_init(&w->ring.queue);
    list_push(&e->writes, &w->ring.queue);
    loop_soon_post(e->soon);
}

void engine_read(struct engine *e, struct engine_read *r)
{
    list_init(&r->ring.queue);
    list_push(&e->reads, &r->ring.queue);
    loop_soon_post(e->soon);
}

const struct store *engine_store(const struct engine *e)
{
    return e->store;
}

struct leader *engine_leader(struct engine *e)
{
    return e->leader;
}

bool engine_is_leader(const struct engine *e)
{
    return e->leader != NULL;
}

const char *engine_leader_address(const struct engine *e)
{
    return e->leader_address;
}

int64_t engine_now_ms(const struct engine *e)
{
    return e->now_ms;
}

uint64_t engine_random(struct engine *e)
{
    return ++e->random * 0x9e3779b97f4a7c15u;
}

void engine_status(const struct engine *e, struct engine_status *ret)
{
    memset(ret, 0, sizeof *ret);
    ret->member_id = e->member_id;
    ret->leader_id = e->leader_id;
    ret->n_commands = e->n_applied;
}

void engine_history(struct engine *e, struct engine_history *h)
{
    e->history = h;
    loop_soon_post(e->soon);
}

void engine_audit_status(struct engine *e, struct audit_status *ret)
{
    (void)e;
    memset(ret, 0, sizeof *ret);
}

uint64_t engine_audit_hurry(struct engine *e)
{
    (void)e;
    return 1;
}

uint32_t engine_voters_level(const struct engine *e)
{
    return e->voters_level;
}

void engine_watch_add(struct engine *e, struct engine_watch *w)
{
    list_push(&e->watches, &w->link);
}

void engine_watch_remove(struct engine *e, struct engine_watch *w)
{
    (void)e;
    if (w->link.next != NULL) {
        list_remove(&w->link);
    }
}

#endif
