/* Every rule of the auditor finds what it is for, and nothing in a state that is well. */
#include "controller/core/audit.h"

#include "controller/core/store_impl.h"
#include "tests/lib/test.h"
#include "tests/lib/world.h"

#include <string.h>

struct heard {
    unsigned n;
    struct audit_finding last;
};

static void on_finding(void *ctx, const struct audit_finding *f)
{
    struct heard *h = ctx;
    h->n++;
    h->last = *f;
}

static void open_world(struct world *w)
{
    world_open(w);
    ck_assert(world_cluster(w, "c"));
    ck_assert(world_taskdef(w, "f", 100, 100, 0));
    ck_assert(world_node(w, "c", 0, 1000, 1000));
    ck_assert(world_node(w, "c", 1, 1000, 1000));
    ck_assert(world_service(w, "c", "s", "f", 2));
    for (int i = 0; i < 3; i++) {
        ck_assert(world_run(w, 0, 0, 0));
        ck_assert(world_run(w, 0, 0, 1));
    }
}

/* One whole round, in steps of n rows. */
static void go_round(struct audit *a, const struct store *s, uint32_t n, uint64_t at)
{
    struct audit_status before;
    struct audit_status after;
    audit_status(a, &before);
    while (audit_step(a, s, n, at)) {
    }
    audit_status(a, &after);
    ck_assert_uint_eq(after.n_rounds, before.n_rounds + 1);
}

START_TEST(a_state_that_is_well_has_no_findings_whatever_the_step)
    {
        static const uint32_t steps[] = {1, 3, 1000};
        for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
            struct world w;
            struct heard heard = {0};
            struct audit_status st;
            struct audit *a = audit_open(1000, on_finding, &heard, test_mem());
            open_world(&w);
            go_round(a, w.store, steps[i], 0);
            ck_assert(!audit_step(a, w.store, 1000, 999)); /* Not due yet. */
            go_round(a, w.store, steps[i], 1000);
            audit_status(a, &st);
            ck_assert_uint_eq(heard.n, 0);
            ck_assert_uint_eq(st.n_findings, 0);
            ck_assert_uint_gt(st.n_rows, 20);
            audit_close(a);
            world_close(&w);
        }
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

typedef void (*spoil_fn)(struct store *s, bool undo);

static void spoil_capacity(struct store *s, bool undo)
{
    ((struct node *)store_at(s, KIND_NODE, 1))->cpu = undo ? 1000 : 299;
}

static void spoil_counter(struct store *s, bool undo)
{
    struct node *n = store_at(s, KIND_NODE, 0);
    n->memory_used += undo ? -1u : 1u;
}

static void spoil_port(struct store *s, bool undo)
{
    static uint16_t was;
    struct task *a = store_at(s, KIND_TASK, 0);
    const struct task *b = store_at(s, KIND_TASK, 2);
    ck_assert_uint_eq(a->node, b->node);
    was = undo ? was : a->containers[0].bindings[0].host_port;
    a->containers[0].bindings[0].host_port = undo ? was : b->containers[0].bindings[0].host_port;
}

static void spoil_held(struct store *s, bool undo)
{
    const struct task *t = store_at(s, KIND_TASK, 0);
    struct portset *held = &s->ports[t->node].held[PROTO_TCP];
    if (undo) {
        portset_add(held, s->mem, t->containers[0].bindings[0].host_port, 1);
    } else {
        portset_remove(held, t->containers[0].bindings[0].host_port, 1);
    }
}

static void spoil_node(struct store *s, bool undo)
{
    static uint32_t was;
    struct task *t = store_at(s, KIND_TASK, 3);
    was = undo ? was : t->node;
    t->node = undo ? was : 77;
}

static void spoil_taskdef(struct store *s, bool undo)
{
    ((struct task *)store_at(s, KIND_TASK, 1))->taskdef = undo ? 0 : 5;
}

static void spoil_index(struct store *s, bool undo)
{
    if (undo) {
        store_index_add(s, KIND_TASK, 2);
    } else {
        store_index_remove(s, KIND_TASK, 2);
    }
}

static void spoil_list(struct store *s, bool undo)
{
    static uint32_t was;
    struct node *n = store_at(s, KIND_NODE, 0);
    was = undo ? was : n->first_task;
    n->first_task = undo ? was : SLOT_NONE;
}

static void spoil_service(struct store *s, bool undo)
{
    ((struct service *)store_at(s, KIND_SERVICE, 0))->n_wanted = undo ? 0 : 9;
}

START_TEST(every_rule_finds_what_it_is_for_once_and_while_it_lasts)
    {
        static const struct {
            spoil_fn spoil;
            uint8_t rule;
        } cases[] = {
            {spoil_capacity, AUDIT_OVERCOMMIT}, {spoil_counter, AUDIT_COUNTER},
            {spoil_port, AUDIT_PORT},           {spoil_held, AUDIT_PORT},
            {spoil_node, AUDIT_REFERENCE},      {spoil_taskdef, AUDIT_REFERENCE},
            {spoil_index, AUDIT_INDEX},         {spoil_list, AUDIT_INDEX},
            {spoil_service, AUDIT_COUNTER},
        };
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            struct world w;
            struct heard heard = {0};
            struct audit_status st;
            unsigned n;
            struct audit *a = audit_open(1000, on_finding, &heard, test_mem());
            open_world(&w);
            go_round(a, w.store, 5, 0);
            cases[i].spoil(w.store, false);
            go_round(a, w.store, 5, 1000);
            audit_status(a, &st);
            ck_assert_msg(st.n_found[cases[i].rule] > 0, "case %zu", i);
            ck_assert_uint_gt(st.n_findings, 0);
            ck_assert_uint_gt(strlen(st.findings[0].text), 10);
            n = heard.n;
            ck_assert_uint_gt(n, 0);
            go_round(a, w.store, 5, 2000); /* Known by now: found, and not told again. */
            audit_status(a, &st);
            ck_assert_uint_gt(st.n_found[cases[i].rule], 0);
            ck_assert_uint_eq(heard.n, n);
            cases[i].spoil(w.store, true);
            go_round(a, w.store, 5, 3000);
            audit_status(a, &st);
            ck_assert_uint_eq(st.n_findings, 0);
            ck_assert_uint_eq(st.n_total, n);
            audit_close(a);
            world_close(&w);
        }
    }
END_TEST

START_TEST(a_service_above_its_bound_is_a_finding_when_it_stays_there)
    {
        struct world w;
        struct heard heard = {0};
        struct service *v;
        struct audit *a = audit_open(1000, on_finding, &heard, test_mem());
        open_world(&w);
        v = store_at(w.store, KIND_SERVICE, 0);
        for (uint32_t i = 0; i < 5; i++) { /* Five tasks become the service's. */
            struct task *t;
            store_detach(w.store, KIND_TASK, i);
            t = store_at(w.store, KIND_TASK, i);
            t->service = 0;
            store_attach(w.store, KIND_TASK, i);
        }
        ck_assert_uint_eq(v->n_wanted, 5);
        go_round(a, w.store, 5, 0);
        ck_assert_uint_eq(heard.n, 0);
        v->max_percent = 250; /* Five of two: allowed. */
        go_round(a, w.store, 5, 1000);
        v->max_percent = 200;
        go_round(a, w.store, 5, 2000);
        ck_assert_uint_eq(heard.n, 0);
        go_round(a, w.store, 5, 3000);
        ck_assert_uint_eq(heard.n, 1);
        ck_assert_uint_eq(heard.last.rule, AUDIT_DEPLOYMENT);
        audit_close(a);
        world_close(&w);
    }
END_TEST

START_TEST(a_hurried_round_begins_after_it_was_asked_for)
    {
        struct world w;
        struct audit_status st;
        uint64_t wanted;
        struct audit *a = audit_open(1000000, NULL, NULL, test_mem());
        open_world(&w);
        ck_assert(audit_step(a, w.store, 1, 0));
        wanted = audit_hurry(a); /* In the middle: this round does not count. */
        ck_assert_uint_eq(wanted, 2);
        go_round(a, w.store, 100, 0);
        go_round(a, w.store, 100, 0);
        audit_status(a, &st);
        ck_assert_uint_eq(st.n_rounds, wanted);
        ck_assert(!audit_step(a, w.store, 100, 1000));
        ck_assert_uint_eq(audit_hurry(a), 3);
        go_round(a, w.store, 100, 1000);
        audit_close(a);
        world_close(&w);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("audit");
    TEST_CASE(s, "audit", 30, a_state_that_is_well_has_no_findings_whatever_the_step,
              every_rule_finds_what_it_is_for_once_and_while_it_lasts,
              a_service_above_its_bound_is_a_finding_when_it_stays_there,
              a_hurried_round_begins_after_it_was_asked_for);
    return test_run(s);
}
