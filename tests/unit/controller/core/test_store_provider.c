/* Capacity providers in the store: who may name them, and what that keeps. */
#include "controller/core/feature.h"
#include "controller/core/limits.h"
#include "controller/core/schema.h"
#include "controller/core/store.h"
#include "tests/lib/test.h"
#include "tests/lib/world.h"

#define REFUSED(w, why) ck_assert_uint_eq((w)->result.reject, why)

static bool provider(struct world *w, uint8_t kind, const char *name)
{
    struct command cmd = {.kind = kind};
    if (kind == CMD_PROVIDER_DELETE) {
        cmd.u.name.name = str_of(name);
    } else {
        cmd.u.provider.name = str_of(name);
        cmd.u.provider.spec = STR("spec");
    }
    return world_apply(w, &cmd);
}

static bool put(struct world *w, const char *const *names, uint32_t n)
{
    struct provider_name v[LIMIT_CLUSTER_PROVIDERS + 1];
    struct command cmd = {.kind = CMD_CLUSTER_UPDATE};
    for (uint32_t i = 0; i < n; i++) {
        v[i].name = str_of(names[i]);
    }
    cmd.u.cluster.name = STR("c");
    cmd.u.cluster.has_providers = true;
    cmd.u.cluster.providers = v;
    cmd.u.cluster.n_providers = n;
    return world_apply(w, &cmd);
}

static bool strategy(struct world *w, const char *name, uint32_t base, uint32_t weight)
{
    struct provider_share share = {str_of(name), base, weight};
    struct command cmd = {.kind = CMD_SERVICE_UPDATE};
    cmd.u.service_update.cluster = STR("c");
    cmd.u.service_update.name = STR("s");
    cmd.u.service_update.has_providers = true;
    cmd.u.service_update.providers = &share;
    cmd.u.service_update.n_providers = 1;
    return world_apply(w, &cmd);
}

static void open_world(struct world *w)
{
    world_open(w);
    ck_assert(world_cluster(w, "c"));
    ck_assert(provider(w, CMD_PROVIDER_CREATE, "a"));
    ck_assert(provider(w, CMD_PROVIDER_CREATE, "b"));
}

static void close_world(struct world *w)
{
    world_close(w);
    ck_assert_uint_eq(test_mem_in_use(), 0);
}

START_TEST(a_provider_is_created_once_and_its_name_is_free_after_deletion)
    {
        struct world w;
        open_world(&w);
        ck_assert(!provider(&w, CMD_PROVIDER_CREATE, "a"));
        REFUSED(&w, REJECT_PROVIDER_EXISTS);
        ck_assert(provider(&w, CMD_PROVIDER_UPDATE, "a"));
        ck_assert(provider(&w, CMD_PROVIDER_DELETE, "a"));
        ck_assert_uint_eq(store_capacity_provider(w.store, 0)->status, PROVIDER_INACTIVE);
        ck_assert(!provider(&w, CMD_PROVIDER_UPDATE, "a"));
        REFUSED(&w, REJECT_PROVIDER_NOT_FOUND);
        ck_assert(provider(&w, CMD_PROVIDER_CREATE, "a"));
        ck_assert_uint_eq(w.result.slot, 0);
        w.now += LIMIT_INACTIVE_LIFE_MS;
        (void)world_gc(&w);
        ck_assert_uint_eq(store_count(w.store, KIND_CAPACITY_PROVIDER), 2);
        ck_assert(provider(&w, CMD_PROVIDER_DELETE, "a"));
        w.now += LIMIT_INACTIVE_LIFE_MS;
        ck_assert(world_gc(&w));
        ck_assert_uint_eq(store_count(w.store, KIND_CAPACITY_PROVIDER), 1);
        ck_assert(!provider(&w, CMD_PROVIDER_CREATE, ""));
        REFUSED(&w, REJECT_INVALID);
        close_world(&w);
    }
END_TEST

START_TEST(what_a_cluster_or_a_service_names_stays)
    {
        static const char *const names[] = {"a", "b", "a", "none"};
        struct world w;
        open_world(&w);
        ck_assert(!put(&w, names, 3));
        REFUSED(&w, REJECT_INVALID);
        ck_assert(!put(&w, names + 3, 1));
        REFUSED(&w, REJECT_PROVIDER_NOT_FOUND);
        ck_assert(put(&w, names, 2));
        ck_assert(!provider(&w, CMD_PROVIDER_DELETE, "a"));
        REFUSED(&w, REJECT_PROVIDER_IN_USE);
        ck_assert(world_taskdef(&w, "f", 100, 100, 0));
        ck_assert(world_service(&w, "c", "s", "f", 1));
        ck_assert(!strategy(&w, "none", 0, 1));
        REFUSED(&w, REJECT_PROVIDER_NOT_FOUND);
        ck_assert(!strategy(&w, "a", 0, LIMIT_PROVIDER_WEIGHT + 1));
        REFUSED(&w, REJECT_INVALID);
        ck_assert(strategy(&w, "a", 1, 1));
        ck_assert_uint_eq(store_service(w.store, 0)->providers[0].n_base, 1);
        ck_assert(!put(&w, names + 1, 1)); /* Without "a". */
        REFUSED(&w, REJECT_PROVIDER_NEEDED);
        ck_assert(put(&w, names, 1));
        ck_assert(world_cluster(&w, "c")); /* Creating it again changes nothing. */
        ck_assert_uint_eq(store_cluster(w.store, 0)->n_providers, 1);
        ck_assert(world_service_delete(&w, "c", "s", true));
        ck_assert(put(&w, names, 0));
        ck_assert(provider(&w, CMD_PROVIDER_DELETE, "a"));
        close_world(&w);
    }
END_TEST

/* Rows that have none of what came later hash as before it came. */
START_TEST(no_providers_do_not_count_in_a_digest)
    {
        const struct schema *schema = schema_of_kind(KIND_CLUSTER);
        struct cluster row = {.name = STR("c")};
        struct provider_name name = {STR("a")};
        struct schema shorter = *schema;
        shorter.n_fields = 7; /* Up to deleted_at. */
        ck_assert_str_eq(schema->fields[6].name, "deleted_at");
        ck_assert_uint_eq(schema_hash(schema, &row, 1), schema_hash(&shorter, &row, 1));
        row.providers = &name;
        row.n_providers = 1;
        ck_assert_uint_ne(schema_hash(schema, &row, 1), schema_hash(&shorter, &row, 1));
    }
END_TEST

START_TEST(the_commands_wait_for_their_feature_level)
    {
        ck_assert_uint_eq(feature_of_command(CMD_PROVIDER_CREATE), FEATURE_PROVIDERS);
        ck_assert_uint_eq(feature_of_command(CMD_PROVIDER_UPDATE), FEATURE_PROVIDERS);
        ck_assert_uint_eq(feature_of_command(CMD_PROVIDER_DELETE), FEATURE_PROVIDERS);
        ck_assert_uint_le(FEATURE_PROVIDERS, FEATURE_LEVEL);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("store_provider");
    TEST_CASE(s, "providers", 30, a_provider_is_created_once_and_its_name_is_free_after_deletion,
              what_a_cluster_or_a_service_names_stays, no_providers_do_not_count_in_a_digest,
              the_commands_wait_for_their_feature_level);
    return test_run(s);
}
