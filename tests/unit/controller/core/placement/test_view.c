/* The view's bookkeeping, the texts of the API, tie-breaks by example, and scale-in. */
#include "common/base/arena.h"
#include "common/base/prng.h"
#include "controller/core/placement/place.h"
#include "tests/lib/test.h"

#include <stdio.h>
#include <string.h>

struct fixture {
    struct view *view;
    struct arena arena;
    uint32_t n;
};

static void setup(struct fixture *f)
{
    f->view = view_open(test_mem());
    f->n = 0;
    arena_init(&f->arena, test_mem());
}

static void teardown(struct fixture *f)
{
    struct err err = {0};
    ck_assert_msg(view_audit(f->view, &err), "%s", err.text);
    view_close(f->view);
    arena_close(&f->arena);
    ck_assert_uint_eq(test_mem_in_use(), 0);
}

/* Ids count up from 1 unless the node has one. */
static uint32_t add(struct fixture *f, struct view_node node)
{
    uint32_t slot;
    struct err err = {0};
    f->n++;
    if (id_is_none(node.id)) {
        node.id.lo = f->n;
    }
    node.agent_connected = true;
    ck_assert_msg(view_node_add(f->view, &node, &slot, &err) == 0, "%s", err.text);
    return slot;
}

/* Slot of one replica, or VIEW_NONE. */
static uint32_t choose(struct fixture *f, const struct place_request *r)
{
    struct placement p;
    struct err err = {0};
    ck_assert_msg(place(f->view, r, &p, &f->arena, &err) == 0, "%s", err.text);
    return p.n_placed == 0 ? VIEW_NONE : p.runs[0].slot;
}

/* --- the view --------------------------------------------------------------------------------- */

START_TEST(a_description_that_breaks_a_rule_is_refused_by_name)
    {
        struct fixture f;
        setup(&f);
        struct view_attribute twice[] = {
            {STR("a"), STR("1")}, {STR("b"), STR("")}, {STR("a"), STR("2")}};
        struct view_attribute colon = {STR("a:b"), STR("1")};
        struct view_port port = {.first = 65535, .count = 2};
        const struct {
            struct view_node node;
            const char *says;
        } cases[] = {
            {{.id = {0, 9}, .attributes = twice, .n_attributes = 3}, "attributes: a comes twice"},
            {{.id = {0, 9}, .attributes = &colon, .n_attributes = 1}, "names hold no colon"},
            {{.id = {0, 9}, .cpu = VIEW_AMOUNT_MAX + 1}, "resources"},
            {{.id = {0, 9}, .reserved = &port, .n_reserved = 1}, "reserved ports: 65535+2"},
            {{.id = {0, 9}, .dynamic_first = 5, .dynamic_last = 4}, "dynamic ports: 5-4"},
            {{.id = {0, 9}, .dynamic_last = 4}, "dynamic ports: 0-4"},
        };
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            struct err err = {0};
            uint32_t slot;
            ck_assert_int_eq(view_node_add(f.view, &cases[i].node, &slot, &err), ERR_INVALID);
            ck_assert_msg(strstr(err.text, cases[i].says) != NULL, "%s", err.text);
        }
        struct view_node node = {.id = {0, 1}};
        uint32_t slot;
        ck_assert_int_eq(view_node_add(f.view, &node, &slot, NULL), 0);
        ck_assert_int_eq(view_node_add(f.view, &node, &slot, NULL), ERR_EXISTS);
        ck_assert_uint_eq(view_n_nodes(f.view), 1);
        ck_assert_uint_eq(view_find(f.view, node.id), slot);
        ck_assert_uint_eq(view_find(f.view, (struct id){0, 9}), VIEW_NONE);
        teardown(&f);
    }
END_TEST

START_TEST(checking_a_task_names_what_is_short)
    {
        struct fixture f;
        setup(&f);
        struct view_port reserved = {22, 1, VIEW_TCP};
        uint32_t slot = add(
            &f,
            (struct view_node){
                .cpu = 100, .memory_mib = 50, .gpus = 1, .reserved = &reserved, .n_reserved = 1});
        struct view_port web = {80, 1, VIEW_TCP}, udp = {80, 1, VIEW_UDP};
        struct view_port range = {20, 5, VIEW_TCP};
        struct view_take task = {.cpu = 60, .ports = &web, .n_ports = 1};
        view_take(f.view, slot, &task);
        const struct {
            struct view_take take;
            const char *says;
        } cases[] = {
            {{.cpu = 41}, "needs 41 CPU units, 40 are available"},
            {{.memory_mib = 51}, "needs 51 MiB of memory, 50 are available"},
            {{.gpus = 2}, "needs 2 GPUs, 1 are available"},
            {{.ports = &web, .n_ports = 1}, "TCP port 80 is in use"},
            {{.ports = &range, .n_ports = 1}, "TCP port 22 is in use"},
            {{.cpu = 40, .memory_mib = 50, .gpus = 1, .ports = &udp, .n_ports = 1}, NULL},
        };
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            struct err err = {0};
            int rv = view_check(f.view, slot, &cases[i].take, &err);
            ck_assert_int_eq(rv, cases[i].says == NULL ? 0 : ERR_UNAVAILABLE);
            ck_assert_str_eq(err.text, cases[i].says == NULL ? "" : cases[i].says);
        }
        teardown(&f);
    }
END_TEST

/* A node that comes back smaller than its tasks is full, not broken. */
START_TEST(a_node_may_shrink_below_its_tasks)
    {
        struct fixture f;
        setup(&f);
        struct view_node node = {
            .id = {0, 1}, .cpu = 100, .memory_mib = 100, .agent_connected = true};
        struct view_take task = {.cpu = 80, .group = STR("g")};
        struct place_request nothing = {.cpu = 0};
        uint32_t slot = add(&f, node);
        view_take(f.view, slot, &task);
        node.cpu = 50;
        ck_assert_int_eq(view_node_set(f.view, slot, &node, NULL), 0);
        ck_assert_int_eq(view_free_of(f.view, slot).cpu, -30);
        ck_assert_uint_eq(choose(&f, &nothing), VIEW_NONE);
        view_give(f.view, slot, &task);
        ck_assert_uint_eq(choose(&f, &nothing), slot);
        ck_assert_uint_eq(view_group_total(f.view, STR("g")), 0);
        teardown(&f);
    }
END_TEST

/* Plans settle in the order they were made or are dropped from the end, also when commands and a
 * lost node come in between. */
START_TEST(reservations_end_once)
    {
        struct fixture f;
        setup(&f);
        uint32_t a = add(&f, (struct view_node){.cpu = 100, .memory_mib = 100});
        uint32_t b = add(&f, (struct view_node){.cpu = 100, .memory_mib = 100});
        struct view_port port = {80, 1, VIEW_TCP};
        struct view_take task = {.cpu = 10, .ports = &port, .n_ports = 1, .group = STR("g")};
        struct view_take other = {.cpu = 5, .group = STR("h")};
        view_reserve(f.view, a, &task);
        uint64_t first = view_mark(f.view);
        view_reserve(f.view, b, &task);
        view_reserve(f.view, b, &other);
        uint64_t second = view_mark(f.view);
        view_reserve(f.view, a, &other);
        ck_assert_int_eq(view_free_of(f.view, a).cpu, 85);
        ck_assert_uint_eq(view_group_total(f.view, STR("g")), 2);

        view_settle(f.view, first); /* The first plan is applied. */
        view_take(f.view, a, &task);
        ck_assert_int_eq(view_free_of(f.view, a).cpu, 85);

        view_rollback(f.view, second); /* The third one will never come. */
        ck_assert_int_eq(view_free_of(f.view, a).cpu, 90);
        ck_assert_uint_eq(view_group_total(f.view, STR("h")), 1);

        view_node_remove(f.view, b); /* The second one lost its node. */
        ck_assert_uint_eq(view_group_total(f.view, STR("g")), 1);
        uint32_t again = add(&f, (struct view_node){.cpu = 7, .memory_mib = 7});
        ck_assert_uint_eq(again, b);
        view_settle(f.view, first); /* Done already. */
        view_settle(f.view, second);
        ck_assert_int_eq(view_free_of(f.view, again).cpu, 7);
        view_settle(f.view, second + 100);
        ck_assert_uint_eq(view_mark(f.view), second);
        struct view_port ports[4];
        ck_assert_uint_eq(view_ports(f.view, a, ports, 4), 1);
        ck_assert_uint_eq(ports[0].first, 80);
        teardown(&f);
    }
END_TEST

START_TEST(dynamic_ports_rotate_and_stay_within_their_range)
    {
        struct fixture f;
        setup(&f);
        uint32_t slot = add(
            &f, (struct view_node){
                    .cpu = 100, .memory_mib = 100, .dynamic_first = 40000, .dynamic_last = 40004});
        const struct place_port ports[] = {
            {0, 1, VIEW_TCP}, {40002, 1, VIEW_TCP}, {0, 2, VIEW_UDP}};
        struct place_request r = {.ports = ports, .n_ports = 1};
        struct placement p;
        for (uint16_t i = 0; i < 12; i++) { /* Started and stopped: never the same port twice. */
            ck_assert_int_eq(place(f.view, &r, &p, &f.arena, NULL), 0);
            ck_assert_uint_eq(p.runs[0].host_ports[0], 40000 + i % 5);
            struct view_take take = place_take(&r, &p.runs[0], &f.arena);
            view_take(f.view, slot, &take);
            view_give(f.view, slot, &take);
        }
        r.n_ports = 3;
        r.n_replicas = 5;
        ck_assert_int_eq(place(f.view, &r, &p, &f.arena, NULL), 0);
        ck_assert_uint_eq(p.n_placed, 1); /* The static port is there once. */
        ck_assert_uint_ne(p.runs[0].host_ports[0], 40002);
        ck_assert_uint_eq(p.runs[0].host_ports[1], 40002);
        ck_assert_int_eq(p.closest.reason, PLACE_PORT);
        ck_assert_uint_eq(p.closest.port, 40002);
        const struct place_port row = {0, 2, VIEW_UDP};
        r = (struct place_request){.ports = &row, .n_ports = 1, .n_replicas = 5};
        ck_assert_int_eq(place(f.view, &r, &p, &f.arena, NULL), 0);
        ck_assert_uint_eq(p.n_placed, 2); /* Two pairs fit in five ports. */
        ck_assert_uint_eq(p.closest.port, 0);
        teardown(&f);
    }
END_TEST

/* Compiled constraints and tables of values are evicted, never wrong. */
START_TEST(caches_may_forget_anything)
    {
        struct fixture f;
        setup(&f);
        for (uint32_t i = 0; i < 300; i++) {
            char name[32], value[32];
            snprintf(name, sizeof name, "a%u", i % 100);
            snprintf(value, sizeof value, "v%u", i);
            struct view_attribute a = {str_of(name), str_of(value)};
            uint32_t slot =
                add(&f, (struct view_node){
                            .cpu = 100, .memory_mib = 100, .attributes = &a, .n_attributes = 1});
            if (i % 3 == 0) { /* Numbers of classes and slots are used again. */
                view_node_remove(f.view, slot);
            }
        }
        for (uint32_t round = 0; round < 2; round++) {
            for (uint32_t i = 0; i < 600; i++) {
                char text[64], attribute[32];
                snprintf(text, sizeof text, "attribute:a%u == v%u", i % 100, i);
                snprintf(attribute, sizeof attribute, "a%u", i % 100);
                struct place_constraint c = {.kind = PLACE_MEMBER_OF, .expression = str_of(text)};
                struct place_strategy s = {PLACE_SPREAD_ATTRIBUTE, str_of(attribute)};
                struct place_request r = {
                    .constraints = &c, .n_constraints = 1, .strategies = &s, .n_strategies = 1};
                ck_assert((choose(&f, &r) != VIEW_NONE) == (i < 300 && i % 3 != 0));
            }
        }
        teardown(&f);
    }
END_TEST

/* --- by example ------------------------------------------------------------------------------- */

START_TEST(without_a_strategy_the_tightest_node_wins)
    {
        struct fixture f;
        setup(&f);
        /* Memory decides, whatever the task takes more of. */
        uint32_t wide = add(&f, (struct view_node){.cpu = 1000, .memory_mib = 300});
        (void)add(&f, (struct view_node){.cpu = 300, .memory_mib = 1000});
        uint32_t gpu = add(&f, (struct view_node){.cpu = 200, .memory_mib = 200, .gpus = 2});
        uint32_t gpu1 = add(&f, (struct view_node){.cpu = 500, .memory_mib = 500, .gpus = 1});
        ck_assert_uint_eq(choose(&f, &(struct place_request){.cpu = 100, .memory_mib = 50}), wide);
        ck_assert_uint_eq(choose(&f, &(struct place_request){.cpu = 50, .memory_mib = 100}), wide);
        ck_assert_uint_eq(choose(&f, &(struct place_request){.cpu = 400, .memory_mib = 400}), gpu1);
        ck_assert_uint_eq(choose(&f, &(struct place_request){.cpu = 100, .gpus = 1}), gpu1);
        ck_assert_uint_eq(choose(&f, &(struct place_request){.cpu = 100, .gpus = 2}), gpu);
        struct place_strategy memory = {.kind = PLACE_BINPACK_MEMORY};
        struct place_request r = {.cpu = 100, .strategies = &memory, .n_strategies = 1};
        ck_assert_uint_eq(choose(&f, &r), gpu);
        teardown(&f);
    }
END_TEST

START_TEST(ties_go_to_the_lowest_id)
    {
        for (uint64_t first = 0; first < 8; first++) {
            struct fixture f;
            uint32_t want = VIEW_NONE;
            setup(&f);
            for (uint64_t i = 0; i < 8; i++) {
                uint64_t lo = (first + i * 3) % 8;
                uint32_t slot =
                    add(&f, (struct view_node){.id = {5, lo}, .cpu = 9, .memory_mib = 9});
                want = lo == 0 ? slot : want;
            }
            ck_assert_uint_eq(choose(&f, &(struct place_request){.cpu = 1}), want);
            teardown(&f);
        }
    }
END_TEST

START_TEST(an_event_names_the_closest_node)
    {
        struct fixture f;
        struct placement p;
        struct buf text;
        setup(&f);
        buf_init(&text, test_mem(), 1000);
        struct place_request r = {.cpu = 512, .memory_mib = 100};
        ck_assert_int_eq(place(f.view, &r, &p, &f.arena, NULL), 0);
        place_event_text(f.view, &p, &text);
        ck_assert_str_eq(buf_cstr(&text), "no container instances were found in your cluster.");
        buf_clear(&text);
        add(&f, (struct view_node){.cpu = 100, .memory_mib = 1000});
        add(&f, (struct view_node){.cpu = 256, .memory_mib = 10});
        uint32_t draining = add(&f, (struct view_node){.cpu = 9999, .memory_mib = 1000});
        view_node_set_status(f.view, draining, VIEW_DRAINING);
        ck_assert_int_eq(place(f.view, &r, &p, &f.arena, NULL), 0);
        place_event_text(f.view, &p, &text);
        ck_assert_str_eq(buf_cstr(&text),
                         "no container instance met all of its requirements. The closest matching "
                         "(container-instance 00000000000000000000000000000002) has insufficient "
                         "CPU units available.");
        buf_clear(&text);
        place_why_text(&r, &p.closest, &text);
        ck_assert_str_eq(buf_cstr(&text), "needs 512 CPU units, 256 are available");
        ck_assert_uint_eq(p.refused[PLACE_CPU], 2);
        ck_assert_uint_eq(p.refused[PLACE_DRAINING], 1);
        ck_assert_str_eq(place_reason_code(p.closest.reason), "RESOURCE:CPU");
        struct place_why why;
        ck_assert_int_eq(place_explain(f.view, &r, draining, &why, &f.arena, NULL), 0);
        ck_assert_int_eq(why.reason, PLACE_DRAINING);
        buf_close(&text);
        teardown(&f);
    }
END_TEST

START_TEST(the_words_of_the_api_are_read)
    {
        struct place_strategy s;
        struct place_constraint c;
        struct err err = {0};
        const struct mem *mem = test_mem();
        ck_assert_int_eq(place_strategy_read(STR("binpack"), STR("memory"), &s, &err), 0);
        ck_assert_int_eq(s.kind, PLACE_BINPACK_MEMORY);
        ck_assert_int_eq(place_strategy_read(STR("BinPack"), STR("CPU"), &s, &err), 0);
        ck_assert_int_eq(s.kind, PLACE_BINPACK_CPU);
        ck_assert_int_eq(place_strategy_read(STR("spread"), STR("instanceId"), &s, &err), 0);
        ck_assert_int_eq(s.kind, PLACE_SPREAD_NODE);
        ck_assert_int_eq(place_strategy_read(STR("spread"), STR("host"), &s, &err), 0);
        ck_assert_int_eq(s.kind, PLACE_SPREAD_NODE);
        ck_assert_int_eq(place_strategy_read(STR("spread"), STR("attribute:x.y"), &s, &err), 0);
        ck_assert_int_eq(s.kind, PLACE_SPREAD_ATTRIBUTE);
        ck_assert(str_eqc(s.attribute, "x.y"));
        ck_assert_int_eq(place_strategy_read(STR("random"), STR(""), &s, &err), 0);
        ck_assert_int_eq(s.kind, PLACE_RANDOM);
        ck_assert_int_eq(place_strategy_read(STR("random"), STR("cpu"), &s, &err), ERR_INVALID);
        ck_assert_int_eq(place_strategy_read(STR("binpack"), STR("disk"), &s, &err), ERR_INVALID);
        ck_assert_int_eq(place_strategy_read(STR("spread"), STR("cpu"), &s, &err), ERR_INVALID);
        ck_assert_int_eq(place_strategy_read(STR("first"), STR(""), &s, &err), ERR_INVALID);
        ck_assert_int_eq(place_constraint_read(mem, STR("distinctInstance"), STR(""), &c, &err), 0);
        ck_assert_int_eq(c.kind, PLACE_DISTINCT_INSTANCE);
        ck_assert_int_eq(place_constraint_read(mem, STR("maxPerInstance"), STR("3"), &c, &err), 0);
        ck_assert_int_eq(c.kind, PLACE_MAX_PER_INSTANCE);
        ck_assert_uint_eq(c.most, 3);
        const char *const bad[] = {"", "0", "-1", "3x", "10001", "memory"};
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
            ck_assert_int_eq(
                place_constraint_read(mem, STR("maxPerInstance"), str_of(bad[i]), &c, &err),
                ERR_INVALID);
        }
        ck_assert_int_eq(
            place_constraint_read(mem, STR("memberOf"), STR("attribute:a == b"), &c, &err), 0);
        ck_assert_int_eq(c.kind, PLACE_MEMBER_OF);
        ck_assert_int_eq(place_constraint_read(mem, STR("memberOf"), STR("a ="), &c, &err),
                         ERR_INVALID);
        ck_assert_msg(strstr(err.text, "placementConstraints: memberOf: expression, column 1") !=
                          NULL,
                      "%s", err.text);
        ck_assert_int_eq(place_constraint_read(mem, STR("other"), STR(""), &c, &err), ERR_INVALID);
    }
END_TEST

START_TEST(a_wrong_request_is_an_error_not_a_refusal)
    {
        struct fixture f;
        struct placement p;
        struct err err = {0};
        setup(&f);
        add(&f, (struct view_node){.cpu = 100, .memory_mib = 100});
        const struct place_port twice[] = {{80, 1, VIEW_TCP}, {78, 3, VIEW_TCP}};
        struct place_request r = {.ports = twice, .n_ports = 2};
        ck_assert_int_eq(place(f.view, &r, &p, &f.arena, &err), ERR_INVALID);
        ck_assert_str_eq(err.text, "port mappings 0 and 1: same host port 78");
        struct place_constraint c = {.kind = PLACE_MEMBER_OF, .expression = STR("nonsense")};
        r = (struct place_request){.constraints = &c, .n_constraints = 1};
        ck_assert_int_eq(place(f.view, &r, &p, &f.arena, &err), ERR_PARSE);
        uint32_t slot = 7;
        r = (struct place_request){.only = &slot, .n_only = 1};
        ck_assert_int_eq(place(f.view, &r, &p, &f.arena, &err), ERR_INVALID);
        r = (struct place_request){.n_replicas = PLACE_REPLICAS_MAX + 1};
        ck_assert_int_eq(place(f.view, &r, &p, &f.arena, &err), ERR_INVALID);
        teardown(&f);
    }
END_TEST

/* --- scale-in --------------------------------------------------------------------------------- */

/* Three zones of one node each, with 3, 1 and 2 tasks; created in the order given. */
static const uint32_t where[] = {0, 1, 0, 2, 0, 2};
#define N_TASKS 6

static void fill(struct fixture *f, struct place_task tasks[N_TASKS])
{
    static const char *const zones[] = {"a", "b", "c"};
    uint32_t slots[3];
    struct view_take take = {.cpu = 10, .memory_mib = 10, .group = STR("service:s")};
    for (uint32_t i = 0; i < 3; i++) {
        struct view_attribute zone = {STR(VIEW_ATTRIBUTE_ZONE), str_of(zones[i])};
        slots[i] = add(f, (struct view_node){.cpu = 1000 + 100 * i,
                                             .memory_mib = 2000 - 100 * i,
                                             .attributes = &zone,
                                             .n_attributes = 1});
    }
    for (uint32_t i = 0; i < N_TASKS; i++) {
        tasks[i] = (struct place_task){slots[where[i]], 1000 + i / 2, {9, i}};
        view_take(f->view, slots[where[i]], &take);
    }
}

static void check_order(struct place_strategy *strategies, uint32_t n, const uint32_t want[N_TASKS])
{
    struct fixture f;
    struct place_task tasks[N_TASKS];
    uint32_t order[N_TASKS];
    struct err err = {0};
    setup(&f);
    fill(&f, tasks);
    struct place_request r = {.group = STR("service:s"),
                              .cpu = 10,
                              .memory_mib = 10,
                              .strategies = strategies,
                              .n_strategies = n};
    for (uint32_t n_stop = 0; n_stop <= N_TASKS; n_stop++) {
        int rv = place_scale_in(f.view, &r, tasks, N_TASKS, n_stop, order, &f.arena, &err);
        ck_assert_msg(rv == 0, "%s", err.text);
        ck_assert_mem_eq(order, want, n_stop * sizeof order[0]);
    }
    teardown(&f);
}

START_TEST(scale_in_turns_the_strategy_round)
    {
        struct place_strategy zone = {PLACE_SPREAD_ATTRIBUTE, STR(VIEW_ATTRIBUTE_ZONE)};
        struct place_strategy node = {.kind = PLACE_SPREAD_NODE};
        struct place_strategy cpu = {.kind = PLACE_BINPACK_CPU};
        struct place_strategy memory = {.kind = PLACE_BINPACK_MEMORY};
        check_order(NULL, 0, (const uint32_t[]){5, 4, 3, 2, 1, 0});
        check_order(&zone, 1, (const uint32_t[]){4, 5, 2, 3, 1, 0});
        check_order(&node, 1, (const uint32_t[]){4, 5, 2, 3, 1, 0});
        check_order(&cpu, 1, (const uint32_t[]){5, 3, 1, 4, 2, 0});
        check_order(&memory, 1, (const uint32_t[]){4, 2, 0, 1, 5, 3});
    }
END_TEST

START_TEST(scale_in_takes_tasks_without_a_node_first)
    {
        struct fixture f;
        struct place_task tasks[N_TASKS];
        uint32_t order[N_TASKS];
        setup(&f);
        fill(&f, tasks);
        tasks[2].slot = VIEW_NONE;
        struct place_strategy random = {.kind = PLACE_RANDOM};
        struct place_request r = {
            .group = STR("service:s"), .strategies = &random, .n_strategies = 1, .seed = 5};
        ck_assert_int_eq(place_scale_in(f.view, &r, tasks, N_TASKS, N_TASKS, order, &f.arena, NULL),
                         0);
        ck_assert_uint_eq(order[0], 2);
        uint32_t seen = 0;
        for (int i = 0; i < N_TASKS; i++) {
            seen |= 1u << order[i];
        }
        ck_assert_uint_eq(seen, (1u << N_TASKS) - 1);
        teardown(&f);
    }
END_TEST

/* Spread by zone, then scale in: at no point do two zones differ by more than one. */
START_TEST(scale_in_keeps_the_balance)
    {
        for (uint32_t k = 1; k <= 30; k++) {
            struct fixture f;
            struct placement p;
            struct place_task tasks[30];
            uint32_t order[30], counts[3] = {0};
            struct place_strategy zone = {PLACE_SPREAD_ATTRIBUTE, STR(VIEW_ATTRIBUTE_ZONE)};
            struct place_task unused[N_TASKS];
            setup(&f);
            fill(&f, unused);
            struct place_request r = {.group = STR("service:other"),
                                      .cpu = 1,
                                      .n_replicas = k,
                                      .strategies = &zone,
                                      .n_strategies = 1};
            ck_assert_int_eq(place(f.view, &r, &p, &f.arena, NULL), 0);
            place_reserve(f.view, &r, &p, &f.arena);
            for (uint32_t i = 0, n = 0; i < p.n_runs; i++) {
                counts[p.runs[i].slot] += p.runs[i].count;
                for (uint32_t end = n + p.runs[i].count; n < end; n++) {
                    tasks[n] = (struct place_task){p.runs[i].slot, n % 7, {1, n}};
                }
            }
            ck_assert_int_eq(place_scale_in(f.view, &r, tasks, k, k, order, &f.arena, NULL), 0);
            for (uint32_t i = 0; i < k; i++) {
                uint32_t least = UINT32_MAX, most = 0;
                counts[tasks[order[i]].slot]--;
                for (int z = 0; z < 3; z++) {
                    least = counts[z] < least ? counts[z] : least;
                    most = counts[z] > most ? counts[z] : most;
                }
                ck_assert_uint_le(most - least, 1);
            }
            view_rollback(f.view, 0);
            teardown(&f);
        }
    }
END_TEST

int main(void)
{
    Suite *suite = suite_create("placement view");
    TEST_CASE(suite, "view", 60, a_description_that_breaks_a_rule_is_refused_by_name,
              checking_a_task_names_what_is_short, a_node_may_shrink_below_its_tasks,
              reservations_end_once, dynamic_ports_rotate_and_stay_within_their_range,
              caches_may_forget_anything);
    TEST_CASE(suite, "examples", 60, without_a_strategy_the_tightest_node_wins,
              ties_go_to_the_lowest_id, an_event_names_the_closest_node,
              the_words_of_the_api_are_read, a_wrong_request_is_an_error_not_a_refusal);
    TEST_CASE(suite, "scale-in", 60, scale_in_turns_the_strategy_round,
              scale_in_takes_tasks_without_a_node_first, scale_in_keeps_the_balance);
    return test_run(suite);
}
