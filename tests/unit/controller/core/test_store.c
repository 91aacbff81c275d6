/* Every command of the store: what it does, what it refuses and with which words. */
#include "controller/core/feature.h"
#include "controller/core/limits.h"
#include "controller/core/store.h"
#include "tests/lib/test.h"
#include "tests/lib/world.h"

#include <stdio.h>
#include <string.h>

#define REFUSED(w, why) ck_assert_uint_eq((w)->result.reject, why)

static void open_world(struct world *w)
{
    world_open(w);
    ck_assert(world_cluster(w, "c"));
}

static void close_world(struct world *w)
{
    world_close(w);
    ck_assert_uint_eq(test_mem_in_use(), 0);
}

/* A cluster, a definition, a node and a task on it. */
static struct id open_with_task(struct world *w)
{
    open_world(w);
    ck_assert(world_taskdef(w, "f", 100, 100, 0));
    ck_assert(world_node(w, "c", 0, 1000, 1000));
    ck_assert(world_run(w, 0, 0, 0));
    return w->result.ids[0];
}

static const struct task *task_of(const struct world *w, struct id id)
{
    return store_task(w->store, store_find_task(w->store, id));
}

START_TEST(a_cluster_is_created_once_and_revived_after_deletion)
    {
        struct world w;
        uint32_t slot;
        open_world(&w);
        slot = w.result.slot;
        ck_assert_uint_eq(w.changes.n, 1);
        ck_assert(world_cluster(&w, "c"));
        ck_assert_uint_eq(w.result.slot, slot);
        ck_assert_uint_eq(w.changes.n, 0);
        ck_assert(world_cluster_delete(&w, "c"));
        ck_assert_uint_eq(store_cluster(w.store, slot)->status, CLUSTER_INACTIVE);
        ck_assert(world_cluster(&w, "c"));
        ck_assert_uint_eq(store_cluster(w.store, slot)->status, CLUSTER_ACTIVE);
        ck_assert(!world_cluster_delete(&w, "other"));
        REFUSED(&w, REJECT_CLUSTER_NOT_FOUND);
        ck_assert(!world_cluster(&w, ""));
        REFUSED(&w, REJECT_INVALID);
        close_world(&w);
    }
END_TEST

static bool identify(struct world *w, uint8_t kind, uint64_t epoch)
{
    struct command cmd = {.kind = kind};
    cmd.u.epoch.epoch = epoch;
    return world_apply(w, &cmd);
}

START_TEST(a_control_plane_is_given_its_id_once)
    {
        struct world w;
        struct id id;
        open_world(&w);
        ck_assert(identify(&w, CMD_IDENTITY, 0));
        id = store_meta(w.store)->cluster_id;
        ck_assert(!id_is_none(id));
        ck_assert_uint_eq(store_meta(w.store)->epoch, 1);
        ck_assert(!identify(&w, CMD_IDENTITY, 0));
        REFUSED(&w, REJECT_INVALID);
        ck_assert(id_eq(store_meta(w.store)->cluster_id, id));
        close_world(&w);
    }
END_TEST

START_TEST(a_new_epoch_repeats_no_revision_of_the_old_one)
    {
        struct world w;
        struct id task = open_with_task(&w);
        const struct meta *meta = store_meta(w.store);
        uint64_t revision = meta->revision;
        uint64_t digest = meta->digest;
        struct command old = {.kind = CMD_DIGEST};
        ck_assert(identify(&w, CMD_EPOCH, 5));
        ck_assert_uint_eq(meta->epoch, 5);
        ck_assert(!id_is_none(meta->cluster_id));
        ck_assert_uint_ge(meta->revision, revision + LIMIT_EPOCH_REVISIONS);
        ck_assert_uint_eq(w.result.revision, meta->revision);
        ck_assert_uint_ne(meta->digest, digest);
        ck_assert_int_lt(task_of(&w, task)->created_at, meta->epoch_at);
        ck_assert(!identify(&w, CMD_EPOCH, 5));
        REFUSED(&w, REJECT_INVALID);
        ck_assert(!identify(&w, CMD_EPOCH, 4));
        old.u.digest.revision = revision; /* Not known any more: nothing to compare. */
        ck_assert(world_apply(&w, &old));
        ck_assert(world_taskdef(&w, "f", 100, 100, 0));
        ck_assert_uint_eq(store_taskdef(w.store, w.result.slot)->revision,
                          2 + LIMIT_EPOCH_TASKDEFS);
        ck_assert_int_eq(store_check(w.store, NULL), 0);
        close_world(&w);
    }
END_TEST

START_TEST(a_cluster_with_nodes_services_or_tasks_stays)
    {
        struct world w;
        struct id id = open_with_task(&w);
        ck_assert(world_service(&w, "c", "s", "f", 0));
        ck_assert(!world_cluster_delete(&w, "c"));
        REFUSED(&w, REJECT_CLUSTER_HAS_NODES);
        ck_assert(world_node_deregister(&w, "c", 0, true));
        ck_assert_uint_eq(task_of(&w, id)->status, TASK_STOPPED);
        ck_assert(!world_cluster_delete(&w, "c"));
        REFUSED(&w, REJECT_CLUSTER_HAS_SERVICES);
        ck_assert(world_service_delete(&w, "c", "s", false));
        ck_assert(!world_cluster_delete(&w, "c"));
        REFUSED(&w, REJECT_CLUSTER_HAS_SERVICES);
        close_world(&w);
    }
END_TEST

START_TEST(revisions_of_a_family_are_never_used_twice)
    {
        struct world w;
        open_world(&w);
        ck_assert(world_taskdef(&w, "f", 1, 1, -1));
        ck_assert(world_taskdef(&w, "f", 1, 1, -1));
        ck_assert_uint_eq(store_taskdef(w.store, w.result.slot)->revision, 2);
        ck_assert(!world_taskdef_ref(&w, CMD_TASKDEF_DELETE, "f", 2));
        REFUSED(&w, REJECT_TASKDEF_ACTIVE);
        ck_assert(world_taskdef_ref(&w, CMD_TASKDEF_DEREGISTER, "f", 2));
        ck_assert_uint_eq(store_find_latest(w.store, STR("f")),
                          store_find_taskdef(w.store, STR("f"), 1));
        ck_assert(world_taskdef_ref(&w, CMD_TASKDEF_DELETE, "f", 2));
        ck_assert(!world_taskdef_ref(&w, CMD_TASKDEF_DEREGISTER, "f", 2));
        ck_assert(world_gc(&w));
        ck_assert_uint_eq(store_find_taskdef(w.store, STR("f"), 2), SLOT_NONE);
        ck_assert(world_taskdef(&w, "f", 1, 1, -1));
        ck_assert_uint_eq(store_taskdef(w.store, w.result.slot)->revision, 3);
        ck_assert(!world_taskdef_ref(&w, CMD_TASKDEF_DEREGISTER, "f", 9));
        REFUSED(&w, REJECT_TASKDEF_NOT_FOUND);
        close_world(&w);
    }
END_TEST

START_TEST(a_definition_that_is_used_is_deleted_only_after_its_last_task)
    {
        struct world w;
        struct id id = open_with_task(&w);
        int64_t due;
        ck_assert(world_taskdef_ref(&w, CMD_TASKDEF_DEREGISTER, "f", 1));
        ck_assert(world_taskdef_ref(&w, CMD_TASKDEF_DELETE, "f", 1));
        ck_assert(world_gc(&w));
        ck_assert_uint_ne(store_find_taskdef(w.store, STR("f"), 1), SLOT_NONE);
        ck_assert(!world_run(&w, 0, 0, 0));
        ck_assert(world_report(&w, id, TASK_STOPPED, 0));
        ck_assert(!store_gc_due(w.store, w.now, &due));
        ck_assert_int_eq(due, w.now + LIMIT_STOPPED_LIFE_MS);
        w.now += LIMIT_STOPPED_LIFE_MS;
        ck_assert(world_gc(&w));
        ck_assert_uint_eq(store_find_taskdef(w.store, STR("f"), 1), SLOT_NONE);
        ck_assert_uint_eq(store_count(w.store, KIND_TASK), 0);
        close_world(&w);
    }
END_TEST

START_TEST(a_service_is_created_under_a_free_name_only)
    {
        struct world w;
        open_world(&w);
        ck_assert(!world_service(&w, "c", "s", "f", 1));
        REFUSED(&w, REJECT_TASKDEF_NOT_FOUND);
        ck_assert(world_taskdef(&w, "f", 1, 1, -1));
        ck_assert(!world_service(&w, "d", "s", "f", 1));
        REFUSED(&w, REJECT_CLUSTER_NOT_FOUND);
        ck_assert(world_service(&w, "c", "s", "f", 1));
        ck_assert(!world_service(&w, "c", "s", "f", 1));
        REFUSED(&w, REJECT_SERVICE_EXISTS);
        ck_assert_str_eq(w.result.text, "Creation of service was not idempotent.");
        ck_assert(!world_service_delete(&w, "c", "s", false));
        REFUSED(&w, REJECT_SERVICE_HAS_TASKS);
        ck_assert(world_service_delete(&w, "c", "s", true));
        ck_assert(!world_service(&w, "c", "s", "f", 1));
        ck_assert_str_eq(w.result.text, "Unable to Start a service that is still Draining.");
        ck_assert(!world_service_scale(&w, "c", "s", 2));
        REFUSED(&w, REJECT_SERVICE_NOT_ACTIVE);
        ck_assert(!world_service_scale(&w, "c", "t", 2));
        REFUSED(&w, REJECT_SERVICE_NOT_FOUND);
        close_world(&w);
    }
END_TEST

static void end_service(struct world *w, uint32_t slot)
{
    struct plan_service item = {.service = slot, .has_status = true, .status = SERVICE_INACTIVE};
    struct command cmd = {.kind = CMD_PLAN};
    item.version = store_service(w->store, slot)->version;
    cmd.u.plan.services = &item;
    cmd.u.plan.n_services = 1;
    ck_assert(world_apply(w, &cmd));
}

START_TEST(an_inactive_service_gives_its_name_back_and_goes_after_an_hour)
    {
        struct world w;
        uint32_t slot;
        open_world(&w);
        ck_assert(world_taskdef(&w, "f", 1, 1, -1));
        ck_assert(world_service(&w, "c", "s", "f", 0));
        slot = w.result.slot;
        ck_assert(world_service_delete(&w, "c", "s", false));
        end_service(&w, slot);
        ck_assert_uint_eq(store_service(w.store, slot)->status, SERVICE_INACTIVE);
        ck_assert(world_service(&w, "c", "s", "f", 3));
        ck_assert_uint_eq(w.result.slot, slot);
        ck_assert_uint_eq(store_service(w.store, slot)->desired, 3);
        ck_assert(world_service_delete(&w, "c", "s", true));
        end_service(&w, slot);
        w.now += LIMIT_INACTIVE_LIFE_MS;
        ck_assert(world_gc(&w));
        ck_assert_uint_eq(store_count(w.store, KIND_SERVICE), 0);
        close_world(&w);
    }
END_TEST

START_TEST(a_new_definition_makes_a_new_deployment_and_the_same_one_does_not)
    {
        struct world w;
        uint64_t id;
        open_world(&w);
        ck_assert(world_taskdef(&w, "f", 1, 1, -1));
        ck_assert(world_service(&w, "c", "s", "f", 1));
        id = store_service(w.store, 0)->primary.id;
        ck_assert_uint_ge(id, 1000000000000000000ull);
        ck_assert(world_service_taskdef(&w, "c", "s", "f", 1));
        ck_assert_uint_eq(store_service(w.store, 0)->primary.id, id);
        ck_assert(world_taskdef(&w, "f", 2, 2, -1));
        ck_assert(world_service_taskdef(&w, "c", "s", "f", 2));
        ck_assert_uint_ne(store_service(w.store, 0)->primary.id, id);
        ck_assert(world_taskdef_ref(&w, CMD_TASKDEF_DEREGISTER, "f", 1));
        ck_assert(!world_service_taskdef(&w, "c", "s", "f", 1));
        REFUSED(&w, REJECT_TASKDEF_INACTIVE);
        close_world(&w);
    }
END_TEST

static struct command create_with_token(const char *name, const char *token, uint64_t hash)
{
    struct command cmd = {.kind = CMD_SERVICE_CREATE};
    cmd.u.service_create.cluster = STR("c");
    cmd.u.service_create.family = STR("f");
    cmd.u.service_create.service.name = str_of(name);
    cmd.u.service_create.token = (struct request_token){str_of(token), hash};
    return cmd;
}

START_TEST(a_request_with_the_same_token_has_one_effect)
    {
        struct world w;
        struct command cmd = create_with_token("s", "t", 1);
        open_world(&w);
        ck_assert(world_taskdef(&w, "f", 1, 1, -1));
        ck_assert(world_apply(&w, &cmd));
        ck_assert(!w.result.duplicate);
        ck_assert(world_apply(&w, &cmd));
        ck_assert(w.result.duplicate);
        ck_assert_uint_eq(w.result.slot, 0);
        ck_assert_uint_eq(w.changes.n, 0);
        cmd = create_with_token("s", "t", 2);
        ck_assert(!world_apply(&w, &cmd));
        REFUSED(&w, REJECT_TOKEN_CONFLICT);
        ck_assert(world_service_delete(&w, "c", "s", true));
        end_service(&w, 0);
        cmd = create_with_token("s", "t", 1);
        ck_assert(world_apply(&w, &cmd));
        ck_assert(!w.result.duplicate);
        w.now += LIMIT_TOKEN_LIFE_MS;
        ck_assert(world_gc(&w));
        ck_assert_uint_eq(store_count(w.store, KIND_TOKEN), 0);
        close_world(&w);
    }
END_TEST

/* What was lost may have held its first answer, so a token that is not known is refused until an
 * operator says otherwise; one that is known answers as ever, and requests without one are new. */
START_TEST(after_the_loss_of_history_unknown_tokens_are_refused_until_an_operator_decides)
    {
        struct world w;
        struct command known = create_with_token("s", "t", 1);
        struct command unknown = create_with_token("s2", "u", 1);
        struct command without = create_with_token("s3", "", 0);
        struct command epoch = {.kind = CMD_EPOCH};
        struct command unfence = {.kind = CMD_UNFENCE};
        struct plan_task item = {.id = {5, 6}, .service = SLOT_NONE};
        struct command plan = {.kind = CMD_PLAN};
        uint32_t n;
        open_with_task(&w);
        plan.u.plan.token = (struct request_token){STR("p"), 9};
        plan.u.plan.tasks = &item;
        plan.u.plan.n_tasks = 1;
        ck_assert(world_apply(&w, &known));
        epoch.u.epoch = (struct cmd_epoch){2, true};
        ck_assert(world_apply(&w, &epoch));
        ck_assert(store_meta(w.store)->fenced);
        ck_assert_uint_ge(store_meta(w.store)->feature_level, FEATURE_FENCE);
        ck_assert(world_apply(&w, &known));
        ck_assert(w.result.duplicate);
        n = store_count(w.store, KIND_TASK);
        ck_assert(!world_apply(&w, &unknown));
        REFUSED(&w, REJECT_TOKEN_FENCED);
        ck_assert_ptr_nonnull(strstr(w.result.text, "raft unfence"));
        ck_assert(!world_apply(&w, &plan));
        REFUSED(&w, REJECT_TOKEN_FENCED);
        ck_assert_uint_eq(store_count(w.store, KIND_SERVICE), 1);
        ck_assert_uint_eq(store_count(w.store, KIND_TASK), n);
        ck_assert_uint_eq(store_count(w.store, KIND_TOKEN), 1);
        ck_assert(world_apply(&w, &without));
        ck_assert(world_apply(&w, &unfence));
        ck_assert(!store_meta(w.store)->fenced);
        ck_assert(world_apply(&w, &unknown));
        ck_assert(world_apply(&w, &plan));
        ck_assert(world_apply(&w, &unfence)); /* Twice is harmless. */
        ck_assert_int_eq(store_check(w.store, NULL), 0);
        close_world(&w);
    }
END_TEST

START_TEST(a_plan_with_a_token_answers_with_the_tasks_of_the_first_time)
    {
        struct world w;
        struct plan_task item = {.id = {5, 6}, .service = SLOT_NONE};
        struct command cmd = {.kind = CMD_PLAN};
        open_with_task(&w);
        cmd.u.plan.token = (struct request_token){STR("t"), 9};
        cmd.u.plan.tasks = &item;
        cmd.u.plan.n_tasks = 1;
        ck_assert(world_apply(&w, &cmd));
        ck_assert_uint_eq(w.result.n_done, 1);
        item.id.lo = 7;
        ck_assert(world_apply(&w, &cmd));
        ck_assert(w.result.duplicate);
        ck_assert_uint_eq(w.result.n_done, 1);
        ck_assert(id_eq(w.result.ids[0], (struct id){5, 6}));
        ck_assert_uint_eq(store_count(w.store, KIND_TASK), 2);
        close_world(&w);
    }
END_TEST

/* What may be wrong with an item of a plan; each alone makes it drop. */
START_TEST(plan_items_that_no_longer_hold_are_dropped_and_the_others_stand)
    {
        enum { N = 9 };
        struct world w;
        struct binding port = {80, 40001, PROTO_TCP};
        struct binding taken = {80, 40000, PROTO_TCP};
        uint8_t owner = 0;
        struct plan_task items[N];
        struct command cmd = {.kind = CMD_PLAN};
        open_with_task(&w);
        ck_assert(world_node(&w, "c", 1, 1000, 1000));
        ck_assert(world_node_state(&w, "c", 1, NODE_DRAINING));
        ck_assert(world_node(&w, "c", 2, 1000, 1000));
        ck_assert(world_connection(&w, 2, CONNECTION_DOWN));
        for (uint32_t i = 0; i < N; i++) {
            items[i] = (struct plan_task){.id = {9, i + 1},
                                          .service = SLOT_NONE,
                                          .cpu = 100,
                                          .memory = 100,
                                          .bindings = &port,
                                          .n_bindings = 1,
                                          .binding_owner = &owner,
                                          .n_binding_owners = 1};
        }
        items[0].cpu = 901;
        items[1].memory = 901;
        items[2].gpus = 1;
        items[3].bindings = &taken;
        items[4].node = 1;
        items[5].node = 2;
        items[6].node = 99;
        items[7].n_binding_owners = 0;
        cmd.u.plan.tasks = items;
        cmd.u.plan.n_tasks = N;
        ck_assert(world_apply(&w, &cmd));
        ck_assert_uint_eq(w.result.n_done, 1);
        ck_assert(id_eq(w.result.ids[0], items[N - 1].id));
        ck_assert_uint_eq(store_node(w.store, 0)->cpu_used, 200);
        ck_assert(world_apply(&w, &cmd));
        ck_assert_uint_eq(w.result.n_done, 0);
        close_world(&w);
    }
END_TEST

START_TEST(a_plan_never_gives_a_service_more_than_it_wants)
    {
        struct world w;
        struct plan_task items[5];
        struct command cmd = {.kind = CMD_PLAN};
        const struct service *v;
        open_with_task(&w);
        ck_assert(world_service(&w, "c", "s", "f", 2));
        v = store_service(w.store, 0);
        for (uint32_t i = 0; i < 5; i++) {
            items[i] = (struct plan_task){.id = {9, i + 1}, .deployment = v->primary.id};
        }
        cmd.u.plan.tasks = items;
        cmd.u.plan.n_tasks = 5;
        ck_assert(world_apply(&w, &cmd));
        ck_assert_uint_eq(w.result.n_done, 4); /* 200 % of 2. */
        ck_assert_uint_eq(v->n_pending, 4);
        ck_assert_uint_eq(v->n_wanted_new, 4);
        items[0].id.hi = 10;
        items[0].deployment++;
        cmd.u.plan.n_tasks = 1;
        ck_assert(world_apply(&w, &cmd));
        ck_assert_uint_eq(w.result.n_done, 0);
        ck_assert_uint_eq(w.changes.n, 1); /* The service is to be looked at again. */
        ck_assert_uint_eq(w.changes.v[0].kind, KIND_SERVICE);
        close_world(&w);
    }
END_TEST

START_TEST(a_task_moves_forward_only)
    {
        struct world w;
        struct id id = open_with_task(&w);
        const struct task *t = task_of(&w, id);
        ck_assert_uint_eq(t->status, TASK_PENDING);
        ck_assert(world_report(&w, id, TASK_RUNNING, 0));
        ck_assert_int_eq(t->started_at, w.now);
        ck_assert_uint_eq(store_node(w.store, 0)->n_running, 1);
        ck_assert(!world_report(&w, id, TASK_RUNNING, 0));
        ck_assert(!world_report(&w, id, TASK_PENDING, 0));
        ck_assert_uint_eq(t->status, TASK_RUNNING);
        ck_assert(world_report(&w, id, TASK_STOPPED, 3));
        ck_assert_uint_eq(t->status, TASK_STOPPED);
        ck_assert_uint_eq(t->stop_code, STOP_ESSENTIAL_EXITED);
        ck_assert(str_eqc(t->stop_reason, "Essential container in task exited"));
        ck_assert_int_eq(t->containers[0].exit_code, 3);
        ck_assert_uint_eq(store_node(w.store, 0)->cpu_used, 0);
        ck_assert(!world_report(&w, id, TASK_RUNNING, 0));
        close_world(&w);
    }
END_TEST

START_TEST(a_stopped_task_keeps_the_reason_it_was_stopped_for)
    {
        struct world w;
        struct id id = open_with_task(&w);
        const struct task *t = task_of(&w, id);
        ck_assert(!world_stop(&w, "c", (struct id){1, 1}));
        REFUSED(&w, REJECT_TASK_NOT_FOUND);
        ck_assert(world_stop(&w, "c", id));
        ck_assert_uint_eq(t->desired, TASK_STOPPED);
        ck_assert_uint_eq(t->status, TASK_PENDING);
        ck_assert(world_report(&w, id, TASK_STOPPED, 137));
        ck_assert_uint_eq(t->stop_code, STOP_USER);
        ck_assert(str_eqc(t->stop_reason, "by hand"));
        ck_assert(world_stop(&w, "c", id));
        close_world(&w);
    }
END_TEST

START_TEST(a_report_of_another_node_or_an_older_session_is_ignored)
    {
        struct world w;
        struct id id = open_with_task(&w);
        struct task_report report = {.id = id, .status = TASK_RUNNING};
        struct command cmd = {.kind = CMD_TASK_REPORTS};
        uint64_t session = store_node(w.store, 0)->session;
        cmd.u.reports = (struct cmd_task_reports){&report, 1};
        report.node = world_id(1);
        report.session = session;
        ck_assert(world_apply(&w, &cmd) && w.result.n_done == 0);
        report.node = world_id(0);
        ck_assert(world_node(&w, "c", 0, 1000, 1000));
        ck_assert_uint_ne(store_node(w.store, 0)->session, session);
        ck_assert(world_apply(&w, &cmd) && w.result.n_done == 0);
        report.session = store_node(w.store, 0)->session;
        ck_assert(world_apply(&w, &cmd) && w.result.n_done == 1);
        close_world(&w);
    }
END_TEST

START_TEST(a_lost_node_loses_its_tasks_and_an_older_session_cannot_lose_it)
    {
        struct world w;
        struct id id = open_with_task(&w);
        struct command cmd = {.kind = CMD_NODE_CONNECTION};
        cmd.u.connection = (struct cmd_node_connection){world_id(0), 1, CONNECTION_LOST};
        ck_assert(world_apply(&w, &cmd));
        ck_assert_uint_eq(task_of(&w, id)->status, TASK_PENDING);
        ck_assert(world_connection(&w, 0, CONNECTION_DOWN));
        ck_assert(!store_node(w.store, 0)->connected);
        ck_assert_uint_eq(task_of(&w, id)->status, TASK_PENDING);
        ck_assert(world_connection(&w, 0, CONNECTION_UP));
        ck_assert(store_node(w.store, 0)->connected);
        ck_assert(world_connection(&w, 0, CONNECTION_LOST));
        ck_assert_uint_eq(task_of(&w, id)->status, TASK_STOPPED);
        ck_assert_uint_eq(task_of(&w, id)->stop_code, STOP_INFRASTRUCTURE);
        close_world(&w);
    }
END_TEST

START_TEST(a_node_registers_again_with_its_tasks_and_the_attributes_users_gave_it)
    {
        struct world w;
        struct id id = open_with_task(&w);
        struct node_attribute item = {world_id(0), {STR("stack"), STR("test")}};
        struct command cmd = {.kind = CMD_ATTRIBUTES_PUT};
        cmd.u.attributes = (struct cmd_attributes){STR("c"), &item, 1};
        ck_assert(world_apply(&w, &cmd));
        ck_assert_uint_eq(store_node(w.store, 0)->n_attributes, 3);
        ck_assert(world_node(&w, "c", 0, 2000, 2000));
        ck_assert_uint_eq(store_node(w.store, 0)->n_attributes, 3);
        ck_assert_uint_eq(store_node(w.store, 0)->cpu, 2000);
        ck_assert_uint_eq(store_node(w.store, 0)->cpu_used, 100);
        ck_assert_uint_eq(task_of(&w, id)->status, TASK_PENDING);
        cmd.kind = CMD_ATTRIBUTES_DELETE;
        ck_assert(world_apply(&w, &cmd));
        ck_assert_uint_eq(store_node(w.store, 0)->n_attributes, 2);
        item.node = world_id(8);
        ck_assert(!world_apply(&w, &cmd));
        REFUSED(&w, REJECT_TARGET_NOT_FOUND);
        close_world(&w);
    }
END_TEST

START_TEST(a_node_with_tasks_is_deregistered_by_force_only_and_does_not_come_back)
    {
        struct world w;
        open_with_task(&w);
        ck_assert(!world_node_deregister(&w, "c", 0, false));
        REFUSED(&w, REJECT_NODE_HAS_TASKS);
        ck_assert(world_node_deregister(&w, "c", 0, true));
        ck_assert(!world_node(&w, "c", 0, 1000, 1000));
        REFUSED(&w, REJECT_NODE_INACTIVE);
        ck_assert(!world_node_state(&w, "c", 0, NODE_DRAINING));
        REFUSED(&w, REJECT_NODE_INACTIVE);
        ck_assert(!world_node_state(&w, "c", 5, NODE_DRAINING));
        REFUSED(&w, REJECT_NODE_NOT_FOUND);
        w.now += LIMIT_STOPPED_LIFE_MS;
        ck_assert(world_gc(&w));
        ck_assert_uint_eq(store_count(w.store, KIND_NODE), 0);
        close_world(&w);
    }
END_TEST

START_TEST(tags_are_merged_and_removed_by_key)
    {
        struct world w;
        struct tag tags[] = {{STR("a"), STR("1")}, {STR("b"), STR("2")}, {STR("a"), STR("3")}};
        struct command cmd = {.kind = CMD_TAG};
        open_world(&w);
        cmd.u.tags = (struct cmd_tags){.kind = KIND_CLUSTER, .name = STR("c"), .tags = {tags, 3}};
        ck_assert(world_apply(&w, &cmd));
        ck_assert_uint_eq(store_cluster(w.store, 0)->tags.n, 2);
        ck_assert(str_eqc(store_cluster(w.store, 0)->tags.v[0].value, "3"));
        cmd.kind = CMD_UNTAG;
        cmd.u.tags.tags.n = 1;
        ck_assert(world_apply(&w, &cmd));
        ck_assert_uint_eq(store_cluster(w.store, 0)->tags.n, 1);
        cmd.u.tags.name = STR("d");
        ck_assert(!world_apply(&w, &cmd));
        REFUSED(&w, REJECT_TARGET_NOT_FOUND);
        close_world(&w);
    }
END_TEST

START_TEST(a_join_token_is_good_for_its_uses_and_its_time)
    {
        struct world w;
        char secret[32] = "0123456789abcdef0123456789abcde";
        struct command cmd = {.kind = CMD_JOIN_CREATE};
        struct id first;
        open_world(&w);
        cmd.u.join = (struct cmd_join){STR("c"), {secret, 32}, w.now + 1000, 2};
        ck_assert(world_apply(&w, &cmd));
        ck_assert(!world_apply(&w, &cmd));
        cmd.kind = CMD_JOIN_USE;
        ck_assert(world_apply(&w, &cmd));
        first = w.result.id;
        ck_assert(world_apply(&w, &cmd));
        ck_assert(!id_eq(first, w.result.id));
        ck_assert_uint_eq(w.result.slot, 0);
        ck_assert(!world_apply(&w, &cmd));
        REFUSED(&w, REJECT_JOIN_INVALID);
        cmd.kind = CMD_JOIN_CREATE;
        ck_assert(world_apply(&w, &cmd));
        w.now += 1000;
        cmd.kind = CMD_JOIN_USE;
        ck_assert(!world_apply(&w, &cmd));
        ck_assert(world_gc(&w));
        ck_assert_uint_eq(store_count(w.store, KIND_JOIN), 0);
        close_world(&w);
    }
END_TEST

START_TEST(a_digest_that_differs_is_noticed_and_the_feature_level_never_falls)
    {
        struct world w;
        struct command cmd = {.kind = CMD_DIGEST};
        uint64_t revision;
        uint64_t digest;
        open_world(&w);
        revision = store_meta(w.store)->revision;
        digest = store_meta(w.store)->digest;
        cmd.u.digest = (struct cmd_digest){revision, digest};
        ck_assert(world_apply(&w, &cmd));
        ck_assert_uint_eq(w.result.n_done, 1);
        cmd.u.digest.digest++;
        ck_assert(!world_apply(&w, &cmd));
        ck_assert_ptr_nonnull(strstr(w.result.text, "digest at revision"));
        cmd.u.digest.revision = 1000; /* Not reached yet: nothing to compare. */
        ck_assert(world_apply(&w, &cmd));
        ck_assert_uint_eq(w.result.n_done, 0);
        cmd.kind = CMD_SET_FEATURE_LEVEL;
        cmd.u.feature_level = 3;
        ck_assert(world_apply(&w, &cmd));
        cmd.u.feature_level = 2;
        ck_assert(!world_apply(&w, &cmd));
        ck_assert_uint_eq(store_meta(w.store)->feature_level, 3);
        cmd.kind = 200;
        ck_assert(!world_apply(&w, &cmd));
        close_world(&w);
    }
END_TEST

START_TEST(time_never_goes_back)
    {
        struct world w;
        int64_t now;
        open_world(&w);
        now = w.now;
        w.now -= 1000;
        ck_assert(world_cluster(&w, "d"));
        ck_assert_int_eq(store_meta(w.store)->now, now);
        ck_assert_int_eq(store_cluster(w.store, 1)->created_at, now);
        close_world(&w);
    }
END_TEST

START_TEST(failing_starts_make_a_service_wait_longer_each_round)
    {
        struct world w;
        struct plan_task item = {0};
        struct command cmd = {.kind = CMD_PLAN};
        int64_t last = 0;
        open_with_task(&w);
        ck_assert(world_service(&w, "c", "s", "f", 1));
        cmd.u.plan.tasks = &item;
        cmd.u.plan.n_tasks = 1;
        for (uint32_t i = 0; i < 15; i++) {
            const struct service *v = store_service(w.store, 0);
            item.deployment = v->primary.id;
            item.id = (struct id){3, i + 1};
            ck_assert(world_apply(&w, &cmd) && w.result.n_done == 1);
            ck_assert(world_report(&w, item.id, TASK_STOPPED, 1));
            ck_assert_uint_eq(v->n_start_failures, i + 1);
            ck_assert_int_ge(v->retry_at - w.now, last);
            ck_assert_int_le(v->retry_at - w.now, LIMIT_BACKOFF_MS);
            last = v->retry_at - w.now;
            w.now = v->retry_at;
        }
        ck_assert_int_eq(last, LIMIT_BACKOFF_MS);
        item.id = (struct id){4, 1};
        ck_assert(world_apply(&w, &cmd) && w.result.n_done == 1);
        ck_assert(world_report(&w, item.id, TASK_RUNNING, 0));
        ck_assert_uint_eq(store_service(w.store, 0)->n_start_failures, 0);
        ck_assert_int_eq(store_service(w.store, 0)->retry_at, 0);
        close_world(&w);
    }
END_TEST

START_TEST(only_the_newest_events_of_a_service_are_kept)
    {
        struct world w;
        char text[2000];
        struct plan_service item = {.has_event = true};
        struct command cmd = {.kind = CMD_PLAN};
        open_world(&w);
        ck_assert(world_taskdef(&w, "f", 1, 1, -1));
        ck_assert(world_service(&w, "c", "s", "f", 0));
        cmd.u.plan.services = &item;
        cmd.u.plan.n_services = 1;
        for (int i = 0; i < LIMIT_EVENTS + 5; i++) {
            item.version = store_service(w.store, 0)->version;
            (void)snprintf(text, sizeof text, "event %d", i);
            item.event = str_of(text);
            ck_assert(world_apply(&w, &cmd));
        }
        ck_assert_uint_eq(store_service(w.store, 0)->n_events, LIMIT_EVENTS);
        ck_assert(str_eqc(store_service(w.store, 0)->events[0].message, "event 5"));
        item.event = STR("late");
        item.version--;
        ck_assert(world_apply(&w, &cmd));
        ck_assert(
            str_eqc(store_service(w.store, 0)->events[LIMIT_EVENTS - 1].message, "event 104"));
        memset(text, 'x', sizeof text);
        item.event = str_make(text, sizeof text);
        item.version = store_service(w.store, 0)->version;
        ck_assert(world_apply(&w, &cmd));
        ck_assert_uint_eq(store_service(w.store, 0)->events[LIMIT_EVENTS - 1].message.n,
                          LIMIT_EVENT);
        close_world(&w);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("store");
    TEST_CASE(
        s, "objects", 30, a_control_plane_is_given_its_id_once,
        a_new_epoch_repeats_no_revision_of_the_old_one,
        a_cluster_is_created_once_and_revived_after_deletion,
        a_cluster_with_nodes_services_or_tasks_stays, revisions_of_a_family_are_never_used_twice,
        a_definition_that_is_used_is_deleted_only_after_its_last_task,
        a_service_is_created_under_a_free_name_only,
        an_inactive_service_gives_its_name_back_and_goes_after_an_hour,
        a_new_definition_makes_a_new_deployment_and_the_same_one_does_not,
        tags_are_merged_and_removed_by_key, a_join_token_is_good_for_its_uses_and_its_time,
        a_digest_that_differs_is_noticed_and_the_feature_level_never_falls, time_never_goes_back);
    TEST_CASE(s, "plans", 30, a_request_with_the_same_token_has_one_effect,
              after_the_loss_of_history_unknown_tokens_are_refused_until_an_operator_decides,
              a_plan_with_a_token_answers_with_the_tasks_of_the_first_time,
              plan_items_that_no_longer_hold_are_dropped_and_the_others_stand,
              a_plan_never_gives_a_service_more_than_it_wants,
              only_the_newest_events_of_a_service_are_kept);
    TEST_CASE(s, "tasks", 30, a_task_moves_forward_only,
              a_stopped_task_keeps_the_reason_it_was_stopped_for,
              a_report_of_another_node_or_an_older_session_is_ignored,
              failing_starts_make_a_service_wait_longer_each_round);
    TEST_CASE(s, "nodes", 30, a_lost_node_loses_its_tasks_and_an_older_session_cannot_lose_it,
              a_node_registers_again_with_its_tasks_and_the_attributes_users_gave_it,
              a_node_with_tasks_is_deregistered_by_force_only_and_does_not_come_back);
    return test_run(s);
}
