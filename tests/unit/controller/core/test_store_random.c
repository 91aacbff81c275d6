/* Random commands against the store: whatever is asked for, the rows stay consistent, a second
 * store agrees on every digest, and one that was loaded from saved rows in the middle does as well.
 */
#include "common/base/prng.h"
#include "controller/core/audit.h"
#include "controller/core/leader.h"
#include "controller/core/limits.h"
#include "controller/core/schema.h"
#include "tests/lib/test.h"
#include "tests/lib/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_NODES = 8, N_CLUSTERS = 2, N_FAMILIES = 3, N_SERVICES = 4, SHADOWS = 4096 };

struct shadow { /* What a task was before the command. */
    struct id id;
    uint8_t status;
    uint8_t desired;
    uint32_t node;
};

struct fuzz {
    struct world w;
    struct prng p;
    struct store *twin;
    struct leader *leader; /* May be NULL. */
    struct arena arena;
    struct changes twin_changes;
    struct result twin_result;
    struct shadow shadows[SHADOWS];
    uint64_t n_done[CMD_N];
    uint64_t n_refused;
    char names[3][16];
};

static uint32_t below(struct fuzz *f, uint32_t n)
{
    return (uint32_t)prng_below(&f->p, n);
}

static const char *name_of(struct fuzz *f, unsigned which, char prefix, uint32_t n)
{
    (void)snprintf(f->names[which], sizeof f->names[which], "%c%u", prefix, below(f, n));
    return f->names[which];
}

static const char *cluster_of(struct fuzz *f)
{
    return name_of(f, 0, 'c', N_CLUSTERS);
}

/* --- the twin ------------------------------------------------------------------------------------
 */

static void load_twin(struct fuzz *f)
{
    struct err err = {0};
    store_close(f->twin);
    f->twin = store_open(test_mem());
    for (unsigned kind = 1; kind < KIND_N; kind++) {
        for (uint32_t slot = 0; slot < store_slots(f->w.store, kind); slot++) {
            const void *row = store_row(f->w.store, kind, slot);
            if (row != NULL) {
                ck_assert_msg(store_load_row(f->twin, kind, slot, row, &err) == 0, "%s", err.text);
            }
        }
    }
    ck_assert_msg(store_load_done(f->twin, &err) == 0, "%s", err.text);
}

static void before(struct world *w, const struct command *cmd)
{
    struct fuzz *f = w->data;
    changes_clear(&f->twin_changes);
    store_apply(f->twin, cmd, &f->twin_changes, &f->twin_result);
}

static void check_task(struct fuzz *f, uint32_t slot)
{
    const struct task *t = store_task(f->w.store, slot);
    struct shadow *shadow = &f->shadows[slot];
    ck_assert_uint_lt(slot, SHADOWS);
    if (t == NULL) {
        memset(shadow, 0, sizeof *shadow);
        return;
    }
    if (id_eq(t->id, shadow->id)) {
        ck_assert_uint_ge(t->status, shadow->status);
        ck_assert_uint_ge(t->desired, shadow->desired);
        ck_assert_uint_eq(t->node, shadow->node);
    } else {
        const struct node *node = store_node(f->w.store, t->node);
        ck_assert_uint_le(node->cpu_used, node->cpu);
        ck_assert_uint_le(node->memory_used, node->memory);
    }
    *shadow = (struct shadow){t->id, t->status, t->desired, t->node};
}

static void after(struct world *w, const struct command *cmd)
{
    struct fuzz *f = w->data;
    if (f->leader != NULL) {
        leader_changed(f->leader, &w->changes);
    }
    ck_assert_uint_eq(store_meta(w->store)->digest, store_meta(f->twin)->digest);
    ck_assert_uint_eq(w->changes.n, f->twin_changes.n);
    ck_assert_uint_eq(w->result.reject, f->twin_result.reject);
    ck_assert_uint_eq(w->result.slot, f->twin_result.slot);
    for (uint32_t i = 0; i < w->changes.n; i++) {
        if (w->changes.v[i].kind == KIND_TASK) {
            check_task(f, w->changes.v[i].slot);
        }
    }
    if (w->result.reject == REJECT_NONE) {
        f->n_done[cmd->kind]++;
    } else {
        f->n_refused++;
    }
}

/* --- random commands -----------------------------------------------------------------------------
 */

static uint32_t some_slot(struct fuzz *f, enum kind kind)
{
    uint32_t n = store_slots(f->w.store, kind);
    return n == 0 ? 0 : below(f, n);
}

static void random_definitions(struct fuzz *f)
{
    const char *family = name_of(f, 1, 'f', N_FAMILIES);
    switch (below(f, 6)) {
    case 0:
        (void)world_taskdef_ref(&f->w, CMD_TASKDEF_DEREGISTER, family, 1 + below(f, 50));
        break;
    case 1:
        (void)world_taskdef_ref(&f->w, CMD_TASKDEF_DELETE, family, 1 + below(f, 50));
        break;
    default:
        (void)world_taskdef(&f->w, family, below(f, 300), below(f, 300), (int)below(f, 3) - 1);
    }
}

static void random_services(struct fuzz *f)
{
    const char *cluster = cluster_of(f);
    const char *family = name_of(f, 1, 'f', N_FAMILIES);
    const char *name = name_of(f, 2, 's', N_SERVICES);
    struct command cmd = {.kind = CMD_SERVICE_CREATE};
    switch (below(f, 6)) {
    case 0:
        (void)world_service(&f->w, cluster, name, family, below(f, 5));
        break;
    case 1:
        (void)world_service_scale(&f->w, cluster, name, below(f, 5));
        break;
    case 2:
        (void)world_service_taskdef(&f->w, cluster, name, family, 0);
        break;
    case 3:
        (void)world_service_delete(&f->w, cluster, name, below(f, 2) == 0);
        break;
    case 4:
        (void)world_daemon(&f->w, cluster, name, family);
        break;
    default:
        cmd.u.service_create = (struct cmd_service_create){
            .cluster = str_of(cluster), .family = str_of(family), .service.name = str_of(name)};
        cmd.u.service_create.token =
            (struct request_token){str_of(name_of(f, 1, 't', 5)), below(f, 2)};
        (void)world_apply(&f->w, &cmd);
    }
}

static void random_nodes(struct fuzz *f)
{
    const char *cluster = cluster_of(f);
    uint64_t n = below(f, N_NODES);
    switch (below(f, 8)) {
    case 0:
        (void)world_node_state(&f->w, cluster, n, (uint8_t)below(f, 3));
        break;
    case 1:
        (void)world_node_deregister(&f->w, cluster, n, below(f, 2) == 0);
        break;
    case 2:
        (void)world_connection(&f->w, n, (uint8_t)below(f, 3));
        break;
    default:
        (void)world_node(&f->w, cluster, n, 500 + below(f, 1000), 500 + below(f, 1000));
    }
}

static void random_attributes(struct fuzz *f)
{
    struct node_attribute item = {world_id(below(f, N_NODES)), {STR("x"), STR("1")}};
    struct command cmd = {.kind = below(f, 3) == 0 ? CMD_ATTRIBUTES_DELETE : CMD_ATTRIBUTES_PUT};
    item.attribute.name = str_of(name_of(f, 1, 'a', 10));
    cmd.u.attributes = (struct cmd_attributes){str_of(cluster_of(f)), &item, 1};
    (void)world_apply(&f->w, &cmd);
}

static void random_tags(struct fuzz *f)
{
    struct tag tag = {str_of(name_of(f, 1, 'k', 60)), STR("v")};
    struct command cmd = {.kind = below(f, 3) == 0 ? CMD_UNTAG : CMD_TAG};
    const struct service *v;
    cmd.u.tags = (struct cmd_tags){.kind = KIND_SERVICE, .tags = {&tag, 1}};
    cmd.u.tags.slot = some_slot(f, KIND_SERVICE);
    v = store_service(f->w.store, cmd.u.tags.slot);
    cmd.u.tags.name = v == NULL ? STR("none") : v->name;
    (void)world_apply(&f->w, &cmd);
}

static void random_joins(struct fuzz *f)
{
    char secret[32] = {0};
    struct command cmd = {.kind = below(f, 2) == 0 ? CMD_JOIN_CREATE : CMD_JOIN_USE};
    secret[0] = (char)('a' + below(f, 5));
    cmd.u.join = (struct cmd_join){
        str_of(cluster_of(f)), {secret, 32}, f->w.now + below(f, 100000), below(f, 4)};
    (void)world_apply(&f->w, &cmd);
}

/* Several items, right and wrong ones, for services and without. */
static void random_plan(struct fuzz *f)
{
    enum { N = 4 };
    struct plan_task items[N];
    struct plan_stop stops[2];
    struct plan_service services[2];
    struct binding ports[N][2];
    uint8_t owners[2] = {0, 0};
    struct command cmd = {.kind = CMD_PLAN};
    memset(items, 0, sizeof items);
    for (uint32_t i = 0; i < N; i++) {
        const struct service *v = store_service(f->w.store, some_slot(f, KIND_SERVICE));
        items[i].id = (struct id){prng_u64(&f->p), 1};
        items[i].node = some_slot(f, KIND_NODE);
        items[i].taskdef = some_slot(f, KIND_TASKDEF);
        items[i].service = SLOT_NONE;
        items[i].cpu = below(f, 400);
        items[i].memory = below(f, 400);
        items[i].group = STR("g");
        if (v != NULL && below(f, 2) == 0) {
            items[i].service = store_find_service(f->w.store, v->cluster, v->name);
            items[i].taskdef = v->primary.taskdef;
            items[i].deployment = v->primary.id;
        }
        ports[i][0] = (struct binding){80, (uint16_t)(1 + below(f, 20)), PROTO_TCP};
        ports[i][1] = (struct binding){81, (uint16_t)(1 + below(f, 20)), (uint8_t)below(f, 2)};
        items[i].bindings = ports[i];
        items[i].binding_owner = owners;
        items[i].n_bindings = items[i].n_binding_owners = below(f, 3);
    }
    for (uint32_t i = 0; i < 2; i++) {
        const struct task *t;
        const struct service *v;
        stops[i] = (struct plan_stop){
            some_slot(f, KIND_TASK), {0, 0}, STOP_SERVICE_SCHEDULER, STR("Scaling activity")};
        t = store_task(f->w.store, stops[i].task);
        stops[i].id = t == NULL ? (struct id){0, 1} : t->id;
        memset(&services[i], 0, sizeof services[i]);
        services[i].service = some_slot(f, KIND_SERVICE);
        v = store_service(f->w.store, services[i].service);
        services[i].version = v == NULL || below(f, 4) == 0 ? 0 : v->version;
        services[i].has_event = below(f, 2) == 0;
        services[i].event = STR("something happened");
        services[i].has_status = below(f, 2) == 0;
        services[i].status = SERVICE_INACTIVE;
        services[i].has_steady = true;
        services[i].steady = below(f, 2) == 0;
    }
    cmd.u.plan = (struct cmd_plan){.cluster = below(f, N_CLUSTERS),
                                   .tasks = items,
                                   .n_tasks = below(f, N + 1),
                                   .stops = stops,
                                   .n_stops = below(f, 3),
                                   .services = services,
                                   .n_services = below(f, 3)};
    if (below(f, 4) == 0) {
        cmd.u.plan.token = (struct request_token){str_of(name_of(f, 1, 'p', 20)), 1};
    }
    (void)world_apply(&f->w, &cmd);
}

static void random_report(struct fuzz *f)
{
    const struct task *t = store_task(f->w.store, some_slot(f, KIND_TASK));
    if (t != NULL) {
        (void)world_report(&f->w, t->id, (uint8_t)below(f, 8), (int)below(f, 3));
    }
}

static void random_stop(struct fuzz *f)
{
    const struct task *t = store_task(f->w.store, some_slot(f, KIND_TASK));
    (void)world_stop(&f->w, cluster_of(f), t == NULL ? (struct id){1, 1} : t->id);
}

static void random_digest(struct fuzz *f)
{
    struct command cmd = {.kind = CMD_SET_FEATURE_LEVEL};
    cmd.u.feature_level = store_meta(f->w.store)->feature_level + below(f, 2);
    (void)world_apply(&f->w, &cmd);
}

static void random_providers(struct fuzz *f)
{
    struct provider_name names[2];
    struct provider_share share = {str_of(name_of(f, 1, 'p', 4)), below(f, 3), below(f, 3)};
    struct command cmd = {.kind = (uint8_t)(CMD_PROVIDER_CREATE + below(f, 3))};
    if (below(f, 2) == 0) {
        if (cmd.kind == CMD_PROVIDER_DELETE) {
            cmd.u.name.name = share.provider;
        } else {
            cmd.u.provider = (struct cmd_provider){share.provider, STR("x"), {NULL, 0}};
        }
    } else if (below(f, 2) == 0) {
        names[0].name = share.provider;
        names[1].name = str_of(name_of(f, 2, 'p', 4));
        cmd.kind = CMD_CLUSTER_UPDATE;
        cmd.u.cluster = (struct cmd_cluster){.name = str_of(cluster_of(f)),
                                             .has_providers = true,
                                             .providers = names,
                                             .n_providers = below(f, 3)};
    } else {
        cmd.kind = CMD_SERVICE_UPDATE;
        cmd.u.service_update = (struct cmd_service_update){.cluster = str_of(cluster_of(f)),
                                                           .name = str_of(name_of(f, 2, 's', 8)),
                                                           .has_providers = true,
                                                           .providers = &share,
                                                           .n_providers = below(f, 2)};
    }
    (void)world_apply(&f->w, &cmd);
}

static void random_command(struct fuzz *f)
{
    static void (*const random_fns[])(struct fuzz *) = {
        random_plan,     random_plan,        random_plan,       random_report,
        random_report,   random_report,      random_stop,       random_nodes,
        random_services, random_services,    random_tags,       random_joins,
        random_digest,   random_definitions, random_attributes, random_providers,
    };
    f->w.now += below(f, 20000);
    if (below(f, 50) == 0) {
        (void)world_gc(&f->w);
    } else if (below(f, 40) == 0) {
        const char *cluster = name_of(f, 0, 'c', N_CLUSTERS + 2); /* Two of them stay empty. */
        (void)(below(f, 3) == 0 ? world_cluster_delete(&f->w, cluster)
                                : world_cluster(&f->w, cluster));
    } else {
        random_fns[below(f, sizeof random_fns / sizeof random_fns[0])](f);
    }
}

/* --- nonsense ------------------------------------------------------------------------------------
 */

static uint64_t some_number(struct fuzz *f)
{
    static const uint64_t odd[] = {0, 80, 255, 65535, 65536, 1000000, UINT32_MAX, UINT64_MAX};
    return below(f, 16) == 0 ? odd[below(f, 8)] : below(f, 3);
}

static void fill_scalar(struct fuzz *f, uint8_t type, char *at)
{
    struct id id = world_id(below(f, N_NODES));
    uint64_t v = some_number(f);
    const struct task *t = store_task(f->w.store, some_slot(f, KIND_TASK));
    if (type == FIELD_BOOL) {
        v &= 1;
    }
    if (type == FIELD_ID) {
        id = t != NULL && below(f, 2) == 0 ? t->id : id;
        memcpy(at, &id, sizeof id);
    } else {
        memcpy(at, &v, schema_scalar_size(type));
    }
}

static void fill_text(struct fuzz *f, char *at)
{
    static const char *const texts[] = {
        "c0",         "c1",     "f0",  "f1",          "s0",
        "s1",         "random", "cpu", "attribute:x", "attribute:x == 1",
        "running > ", ""};
    struct str text = str_of(texts[below(f, sizeof texts / sizeof texts[0])]);
    if (below(f, 30) == 0) {
        char *longer = arena_alloc(&f->w.arena, 2000);
        memset(longer, 'x', 2000);
        text = str_make(longer, 257 + below(f, 1700));
    }
    memcpy(at, &text, sizeof text);
}

/* Any values in any field, but often such as name something. */
static void fill(struct fuzz *f, const struct schema *schema, char *object)
{
    for (uint32_t i = 0; i < schema->n_fields; i++) {
        const struct field *field = &schema->fields[i];
        uint32_t n = below(f, 4);
        if (field->type == FIELD_STR) {
            fill_text(f, object + field->offset);
        } else if (field->type == FIELD_STRUCT) {
            fill(f, field->sub, object + field->offset);
        } else if (field->type == FIELD_ARRAY || field->type == FIELD_SCALARS) {
            bool array = field->type == FIELD_ARRAY;
            size_t size = array ? field->sub->size : schema_scalar_size(field->element);
            char *v = arena_array(&f->w.arena, n, size);
            for (uint32_t k = 0; k < n; k++) {
                if (array) {
                    fill(f, field->sub, v + k * size);
                } else {
                    fill_scalar(f, field->element, v + k * size);
                }
            }
            memcpy(object + field->offset, &v, sizeof v);
            memcpy(object + field->count_offset, &n, sizeof n);
        } else {
            fill_scalar(f, field->type, object + field->offset);
        }
    }
}

static void nonsense(struct fuzz *f)
{
    struct command cmd = {.kind = (uint8_t)(1 + below(f, CMD_N - 1))};
    if (cmd.kind == CMD_DIGEST) {
        return; /* Compares what the twin may not know: it was loaded since. */
    }
    fill(f, schema_of_command(cmd.kind), (char *)&cmd.u);
    (void)world_apply(&f->w, &cmd);
    arena_clear(&f->w.arena);
}

static void decide(struct fuzz *f)
{
    struct command cmds[16];
    uint32_t n = leader_pass(f->leader, f->w.now, cmds, 16, &f->arena);
    for (uint32_t i = 0; i < n; i++) {
        (void)world_apply(&f->w, &cmds[i]);
    }
    leader_settle(f->leader);
    arena_clear(&f->arena);
}

static void on_finding(void *ctx, const struct audit_finding *finding)
{
    (void)ctx;
    if (finding->rule == AUDIT_OVERCOMMIT) {
        return; /* Nodes register again here, with less than their tasks hold. */
    }
    ck_abort_msg("%s: %s", audit_rule_name((enum audit_rule)finding->rule), finding->text);
}

/* The auditor, which is other code than keeps the counters, has nothing to object to. */
static void audit_all(const struct fuzz *f)
{
    struct audit *a = audit_open(1, on_finding, NULL, test_mem());
    while (audit_step(a, f->w.store, 1000000, 0)) {
    }
    audit_close(a);
}

START_TEST(nonsense_is_refused_or_does_no_harm)
    {
        static const struct leader_settings settings = {100000, 1000, 100, 0};
        struct fuzz *f = calloc(1, sizeof *f);
        struct err err = {0};
        ck_assert_ptr_nonnull(f);
        world_open(&f->w);
        changes_init(&f->twin_changes, test_mem());
        arena_init(&f->arena, test_mem());
        prng_init(&f->p, 77u + (unsigned)_i);
        f->w.data = f;
        f->w.before = before;
        f->w.after = after;
        load_twin(f);
        f->leader = leader_open(f->w.store, &settings, f->w.now, test_mem());
        ck_assert(world_cluster(&f->w, "c0"));
        for (uint32_t i = 0; i < 12000; i++) {
            if (below(f, 2) == 0) {
                nonsense(f);
            } else {
                random_command(f);
            }
            if (below(f, 4) == 0) {
                decide(f);
            }
            if (i % 500 == 0) {
                ck_assert_msg(store_check(f->w.store, &err) == 0, "step %u: %s", i, err.text);
                audit_all(f);
                load_twin(f);
            }
        }
        ck_assert_uint_ge(f->n_refused, 1000);
        ck_assert_uint_ge(f->n_done[CMD_PLAN], 1000);
        ck_assert_uint_ge(f->n_done[CMD_SERVICE_CREATE], 50);
        leader_close(f->leader);
        store_close(f->twin);
        changes_close(&f->twin_changes);
        arena_close(&f->arena);
        world_close(&f->w);
        ck_assert_uint_eq(test_mem_in_use(), 0);
        free(f);
    }
END_TEST

START_TEST(a_store_stays_consistent_whatever_is_asked_of_it)
    {
        static const uint8_t must_happen[] = {
            CMD_CLUSTER_CREATE,
            CMD_CLUSTER_DELETE,
            CMD_TASKDEF_REGISTER,
            CMD_TASKDEF_DEREGISTER,
            CMD_TASKDEF_DELETE,
            CMD_SERVICE_CREATE,
            CMD_SERVICE_UPDATE,
            CMD_SERVICE_DELETE,
            CMD_PLAN,
            CMD_TASK_STOP,
            CMD_TASK_REPORTS,
            CMD_NODE_REGISTER,
            CMD_NODE_STATE,
            CMD_NODE_DEREGISTER,
            CMD_NODE_CONNECTION,
            CMD_ATTRIBUTES_PUT,
            CMD_ATTRIBUTES_DELETE,
            CMD_TAG,
            CMD_UNTAG,
            CMD_JOIN_CREATE,
            CMD_JOIN_USE,
            CMD_GC,
            CMD_PROVIDER_CREATE,
            CMD_PROVIDER_UPDATE,
            CMD_PROVIDER_DELETE,
        };
        const char *steps = getenv("STEPS");
        uint32_t n = steps == NULL ? 30000 : (uint32_t)strtoul(steps, NULL, 10);
        struct fuzz *f = calloc(1, sizeof *f);
        struct err err = {0};
        ck_assert_ptr_nonnull(f);
        world_open(&f->w);
        changes_init(&f->twin_changes, test_mem());
        prng_init(&f->p, 20261122u + (unsigned)_i);
        f->w.data = f;
        f->w.before = before;
        f->w.after = after;
        load_twin(f);
        ck_assert(world_cluster(&f->w, "c0"));
        for (uint32_t i = 0; i < n; i++) {
            random_command(f);
            if (i % 200 == 0) {
                ck_assert_msg(store_check(f->w.store, &err) == 0, "step %u: %s", i, err.text);
                audit_all(f);
                load_twin(f);
            }
        }
        for (unsigned i = 0; i < sizeof must_happen; i++) {
            ck_assert_msg(f->n_done[must_happen[i]] >= 5, "command %u was carried out %u times",
                          must_happen[i], (unsigned)f->n_done[must_happen[i]]);
        }
        ck_assert_uint_ge(f->n_refused, 100);
        store_close(f->twin);
        changes_close(&f->twin_changes);
        world_close(&f->w);
        ck_assert_uint_eq(test_mem_in_use(), 0);
        free(f);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("store, random");
    TCase *c = tcase_create("random");
    tcase_set_timeout(c, 120);
    tcase_add_loop_test(c, a_store_stays_consistent_whatever_is_asked_of_it, 0, 4);
    tcase_add_loop_test(c, nonsense_is_refused_or_does_no_harm, 0, 4);
    suite_add_tcase(s, c);
    return test_run(s);
}
