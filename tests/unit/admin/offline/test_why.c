/* The placement of a task, explained on the state just before it. */
#include "admin/offline/why.h"

#include "tests/lib/test.h"
#include "tests/lib/world.h"

#include <string.h>

static const char *verdict_of(const struct why *why, size_t i)
{
    return json_string_value(json_object_get(json_array_get(why->nodes, i), "verdict"));
}

START_TEST(every_node_says_why_it_was_not_the_one)
    {
        struct world w;
        struct why why = {.index = 9};
        struct plan_task tasks[2] = {
            {.id = {1, 1}, .service = SLOT_NONE, .cpu = 600, .memory = 10},
            {.id = {2, 2}, .service = SLOT_NONE, .cpu = 600, .memory = 10}};
        struct command cmd = {.kind = CMD_PLAN};
        struct err err = {0};
        world_open(&w);
        ck_assert(world_cluster(&w, "c"));
        ck_assert(world_taskdef(&w, "f", 600, 10, -1));
        for (uint64_t n = 0; n < 3; n++) {
            ck_assert(world_node(&w, "c", n, 1000, 1000));
        }
        ck_assert(world_connection(&w, 2, CONNECTION_DOWN));
        tasks[0].node = 0;
        tasks[1].node = 1;
        tasks[1].group = STR("family:f");
        tasks[1].started_by = STR("alice");
        cmd.at_ms = w.now;
        cmd.u.plan.tasks = tasks;
        cmd.u.plan.n_tasks = 2;
        ck_assert_msg(why_placed(w.store, &cmd, 1, &why, &err) == 0, "%s", err.text);
        ck_assert_uint_eq(json_array_size(why.nodes), 3);
        ck_assert_str_eq(verdict_of(&why, 0), "RESOURCE:CPU"); /* The plan's first task is there. */
        ck_assert_str_eq(verdict_of(&why, 1), "CHOSEN");
        ck_assert_str_eq(verdict_of(&why, 2), "AGENT");
        ck_assert_str_eq(why.group, "family:f");
        ck_assert_ptr_nonnull(strstr(why.by, "alice"));
        json_decref(why.nodes);
        world_close(&w);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("why");
    TEST_CASE(s, "why", 10, every_node_says_why_it_was_not_the_one);
    return test_run(s);
}
