/* Who has to stop, against the naive rules. PLACE_SEEDS=n runs more random clusters. */
#include "controller/core/placement/preempt.h"

#include "common/base/hash.h"
#include "common/base/sort.h"
#include "tests/lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/controller/core/placement/naive.h"

enum { N_QUESTIONS = 60, N_LIVE = 20 };

struct run {
    struct world world;
    struct view *view;
    struct arena arena;
    struct prng prng;
    struct preempt_task facts[N_TASKS]; /* About the task of the same index; not its `take`. */
    uint32_t n_refused;
    uint32_t n_stopped; /* Questions answered by victims, */
    uint32_t n_waited;  /* by waiting, */
    uint32_t n_hopeless;
    uint32_t n_victims;
};

static void add_nodes(struct run *run)
{
    for (uint32_t i = 0; i < N_LIVE; i++) {
        struct node *n = &run->world.nodes[i];
        n->view.id = id_derive(7, hash_mix(1, i), 0);
        draw_node(&run->world, &run->prng, i);
        ck_assert_int_eq(view_node_add(run->view, &n->view, &n->slot, NULL), 0);
        n->live = true;
    }
}

static int free_row(const struct world *w)
{
    int i = 0;
    while (i < N_TASKS && w->tasks[i].live) {
        i++;
    }
    return i;
}

/* A task of the want, where place() puts it; false when it finds no room. */
static bool add_task(struct run *run, const struct want *q, const struct placement *p)
{
    int i = free_row(&run->world);
    struct task *t = &run->world.tasks[i];
    if (i == N_TASKS || p->n_placed == 0) {
        return false;
    }
    *t = (struct task){.live = true, .node = p->runs[0].owner, .group = q->group};
    for (uint32_t k = 0; k < q->request.n_ports; k++) {
        t->ports[k] =
            (struct view_port){p->runs[0].host_ports[k], q->ports[k].count, q->ports[k].proto};
    }
    t->take = place_take(&q->request, &p->runs[0], &run->arena);
    t->take.ports = t->ports;
    t->take.group = str_of(groups[q->group]);
    view_take(run->view, p->runs[0].slot, &t->take);
    run->facts[i] = (struct preempt_task){.slot = p->runs[0].slot,
                                          .leaving = below(&run->prng, 10) == 0,
                                          .breaks = below(&run->prng, 3) == 0,
                                          .priority = (uint8_t)(10 * below(&run->prng, 10)),
                                          .created_at_ms = below(&run->prng, 4),
                                          .id = id_derive(8, run->world.next_id++, 0)};
    return true;
}

static bool by_node(const void *ctx, uint32_t a, uint32_t b)
{
    const struct run *run = ctx;
    return run->facts[a].slot < run->facts[b].slot;
}

/* All that may be stopped for a task of this priority; ret_row: where they are in the world. */
static uint32_t list(struct run *run, uint8_t priority, struct preempt_task *ret, uint32_t *ret_row)
{
    uint32_t scratch[N_TASKS];
    uint32_t n = 0;
    for (uint32_t i = 0; i < N_TASKS; i++) {
        if (run->world.tasks[i].live &&
            (run->facts[i].leaving || run->facts[i].priority < priority)) {
            ret_row[n++] = i;
        }
    }
    sort_u32(ret_row, n, scratch, by_node, run);
    for (uint32_t i = 0; i < n; i++) {
        ret[i] = run->facts[ret_row[i]];
        ret[i].take = run->world.tasks[ret_row[i]].take;
    }
    return n;
}

/* Pretend that tasks of a node are gone. */
static void hide(struct run *run, uint32_t node, const struct preempt_task *tasks,
                 const uint32_t *rows, uint32_t n, bool leaving_alone)
{
    for (uint32_t i = 0; i < n; i++) {
        struct task *t = &run->world.tasks[rows[i]];
        if (t->node == node && (tasks[i].leaving || !leaving_alone)) {
            t->live = false;
        }
    }
}

static void show(struct run *run, const uint32_t *rows, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        run->world.tasks[rows[i]].live = true;
    }
}

/* Is there a node on which the leaving tasks (or all) make room? */
static bool some_node(struct run *run, const struct want *q, const struct preempt_task *tasks,
                      const uint32_t *rows, uint32_t n, bool leaving_alone)
{
    bool found = false;
    for (uint32_t node = 0; node < N_LIVE; node++) {
        hide(run, node, tasks, rows, n, leaving_alone);
        found = found || naive_reason(&run->world, q, node) == PLACE_OK;
        show(run, rows, n);
    }
    return found;
}

/* Strictly lower priorities, enough of them, and none too many. */
static void check_victims(struct run *run, const struct want *q, uint8_t priority,
                          const struct preempt_choice *choice, const struct preempt_task *tasks,
                          const uint32_t *rows, uint32_t n)
{
    uint32_t node = view_owner(run->view, choice->slot);
    hide(run, node, tasks, rows, n, true);
    for (uint32_t i = 0; i < choice->n_victims; i++) {
        const struct preempt_task *t = &tasks[choice->victims[i]];
        ck_assert(!t->leaving);
        ck_assert_uint_lt(t->priority, priority);
        ck_assert_uint_eq(t->slot, choice->slot);
        ck_assert(i == 0 || t->priority >= tasks[choice->victims[i - 1]].priority);
        ck_assert(run->world.tasks[rows[choice->victims[i]]].live);
        run->world.tasks[rows[choice->victims[i]]].live = false;
    }
    ck_assert_int_eq(naive_reason(&run->world, q, node), PLACE_OK);
    for (uint32_t i = 0; i < choice->n_victims; i++) {
        run->world.tasks[rows[choice->victims[i]]].live = true;
        ck_assert_int_ne(naive_reason(&run->world, q, node), PLACE_OK);
        run->world.tasks[rows[choice->victims[i]]].live = false;
    }
    show(run, rows, n);
}

/* No node has lower priorities only. */
static void check_highest(struct run *run, const struct want *q,
                          const struct preempt_choice *choice, const struct preempt_task *tasks,
                          const uint32_t *rows, uint32_t n)
{
    uint8_t highest =
        choice->n_victims == 0 ? 0 : tasks[choice->victims[choice->n_victims - 1]].priority;
    for (uint32_t node = 0; node < N_LIVE && highest > 0 && q->n_wishes == 0; node++) {
        for (uint32_t i = 0; i < n; i++) {
            struct task *t = &run->world.tasks[rows[i]];
            if (t->node == node && (tasks[i].leaving || tasks[i].priority < highest)) {
                t->live = false;
            }
        }
        ck_assert_int_ne(naive_reason(&run->world, q, node), PLACE_OK);
        show(run, rows, n);
    }
}

static void ask(struct run *run, const struct want *q)
{
    struct preempt_task tasks[N_TASKS];
    uint32_t rows[N_TASKS];
    struct preempt_choice choice;
    uint8_t priority = (uint8_t)(10 * below(&run->prng, 11));
    uint32_t n = list(run, priority, tasks, rows);
    ck_assert_int_eq(preempt(run->view, &q->request, tasks, n, &choice, &run->arena, NULL), 0);
    ck_assert(view_audit(run->view, NULL));
    run->n_refused++;
    if (choice.slot == VIEW_NONE) {
        ck_assert(!some_node(run, q, tasks, rows, n, false));
        run->n_hopeless++;
        return;
    }
    check_victims(run, q, priority, &choice, tasks, rows, n);
    check_highest(run, q, &choice, tasks, rows, n);
    ck_assert((choice.n_victims == 0) == some_node(run, q, tasks, rows, n, true));
    run->n_waited += choice.n_victims == 0;
    run->n_stopped += choice.n_victims > 0;
    run->n_victims += choice.n_victims;
}

static void run_one(struct run *run, uint64_t seed)
{
    memset(&run->world, 0, sizeof run->world);
    prng_init(&run->prng, seed);
    arena_init(&run->arena, test_mem());
    run->view = view_open(test_mem());
    add_nodes(run);
    for (int i = 0; i < 3 * N_QUESTIONS; i++) {
        struct want q;
        struct placement p;
        draw_want(&q, &run->world, &run->prng, true);
        q.request.n_replicas = 1;
        ck_assert_int_eq(place(run->view, &q.request, &p, &run->arena, NULL), 0);
        if (p.n_placed == 0) {
            ask(run, &q);
        } else {
            (void)add_task(run, &q, &p);
        }
        arena_clear(&run->arena);
    }
    view_close(run->view);
    arena_close(&run->arena);
}

START_TEST(victims_are_lower_needed_and_none_where_waiting_is_enough)
    {
        static struct run run;
        const char *text = getenv("PLACE_SEEDS");
        uint64_t n_seeds = 100;
        if (text != NULL) {
            ck_assert(str_u64(str_of(text), &n_seeds));
        }
        memset(&run, 0, sizeof run);
        for (uint64_t seed = 1; seed <= n_seeds; seed++) {
            run_one(&run, seed);
        }
        if (text != NULL) {
            printf("%u refused: %u by victims (%u), %u by waiting, %u hopeless\n", run.n_refused,
                   run.n_stopped, run.n_victims, run.n_waited, run.n_hopeless);
        }
        ck_assert_uint_gt(run.n_stopped, n_seeds);
        ck_assert_uint_gt(run.n_waited, n_seeds);
        ck_assert_uint_gt(run.n_hopeless, n_seeds);
        ck_assert_uint_gt(run.n_victims, run.n_stopped);
    }
END_TEST

/* One node, each of 400 MiB, in turn. */
START_TEST(the_node_whose_victims_matter_least_is_chosen)
    {
        struct view *v = view_open(test_mem());
        struct arena arena;
        struct preempt_choice choice;
        struct preempt_task tasks[5];
        struct place_request r = {.memory_mib = 300};
        uint32_t slots[3];
        arena_init(&arena, test_mem());
        for (uint32_t i = 0; i < 3; i++) {
            struct view_node n = {
                .id = id_derive(1, 2, i), .agent_connected = true, .cpu = 1000, .memory_mib = 400};
            ck_assert_int_eq(view_node_add(v, &n, &slots[i], NULL), 0);
        }
        for (uint32_t i = 0; i < 5; i++) {
            tasks[i] = (struct preempt_task){.slot = slots[i / 2],
                                             .priority = 20,
                                             .created_at_ms = 10 + i,
                                             .id = id_derive(3, 4, i),
                                             .take = {.memory_mib = i == 4 ? 400 : 200}};
            view_take(v, tasks[i].slot, &tasks[i].take);
        }
        /* Two against two against one. */
        ck_assert_int_eq(preempt(v, &r, tasks, 5, &choice, &arena, NULL), 0);
        ck_assert_uint_eq(choice.slot, slots[2]);
        ck_assert_uint_eq(choice.n_victims, 1);
        /* More important, though alone; then the younger pair goes. */
        tasks[4].priority = 21;
        ck_assert_int_eq(preempt(v, &r, tasks, 5, &choice, &arena, NULL), 0);
        ck_assert_uint_eq(choice.slot, slots[1]);
        ck_assert_uint_eq(choice.n_victims, 2);
        /* Whose service cannot spare one. */
        tasks[2].breaks = true;
        ck_assert_int_eq(preempt(v, &r, tasks, 5, &choice, &arena, NULL), 0);
        ck_assert_uint_eq(choice.slot, slots[0]);
        /* Lower priorities do matter more than that. */
        tasks[2].priority = 10;
        tasks[3].priority = 11;
        ck_assert_int_eq(preempt(v, &r, tasks, 5, &choice, &arena, NULL), 0);
        ck_assert_uint_eq(choice.slot, slots[1]);
        /* What is leaving anyway costs nothing. */
        tasks[4].leaving = true;
        ck_assert_int_eq(preempt(v, &r, tasks, 5, &choice, &arena, NULL), 0);
        ck_assert_uint_eq(choice.slot, slots[2]);
        ck_assert_uint_eq(choice.n_victims, 0);
        r.memory_mib = 401;
        ck_assert_int_eq(preempt(v, &r, tasks, 5, &choice, &arena, NULL), 0);
        ck_assert_uint_eq(choice.slot, VIEW_NONE);
        arena_close(&arena);
        view_close(v);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("preempt");
    TEST_CASE(s, "preempt", 3600, victims_are_lower_needed_and_none_where_waiting_is_enough,
              the_node_whose_victims_matter_least_is_chosen);
    return test_run(s);
}
