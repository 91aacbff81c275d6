/* A data directory made from a state: a controller opens it, and finds the state, the members and
 * the place in the log; two made from the same state agree. */
#include "admin/offline/target.h"

#include "admin/offline/source.h"
#include "common/base/hash.h"
#include "controller/core/limits.h"
#include "controller/raftio/durable.h"
#include "controller/storage/identity.h"
#include "tests/lib/test.h"
#include "tests/lib/world.h"
#include "tests/unit/controller/storage/scratch.h"

#include <raft.h>
#include <string.h>

static void fill(struct world *w)
{
    struct command cmd = {.kind = CMD_IDENTITY};
    world_open(w);
    ck_assert(world_apply(w, &cmd));
    ck_assert(world_cluster(w, "c"));
    ck_assert(world_taskdef(w, "f", 100, 100, 0));
    ck_assert(world_node(w, "c", 0, 1000, 1000));
    ck_assert(world_run(w, 0, 0, 0));
}

static void make(const char *dir, uint64_t id, struct storage_point *at)
{
    struct target_members members;
    struct codec *codec = NULL;
    struct world w;
    struct err err = {0};
    fill(&w);
    *at = (struct storage_point){.index = 50, .term = 3};
    ck_assert_int_eq(codec_open(test_mem(), &codec, &err), 0);
    ck_assert_int_eq(target_members_read("1=a:1/a:2,2=b:1/b:2,3=c:1/c:2", &members, &err), 0);
    ck_assert_int_eq(target_begin_epoch(w.store, 1, true, at, &err), ERR_CONFLICT);
    ck_assert_int_eq(target_begin_epoch(w.store, 7, true, at, &err), 0);
    ck_assert_msg(target_write(dir, id, &members, id == 2, codec, w.store, at, &err) == 0, "%s",
                  err.text);
    ck_assert_int_eq(target_write(dir, id, &members, id == 2, codec, w.store, at, &err),
                     ERR_EXISTS);
    ck_assert_int_eq(target_write("/nowhere/x", 9, &members, false, codec, w.store, at, &err),
                     ERR_INVALID);
    codec_close(codec);
    world_close(&w);
}

static void check_log(const char *dir, uint64_t id, const struct storage_point *at)
{
    struct durable_settings set = {
        .id = id, .checkpoint_index = at->index, .checkpoint_term = at->term, .incarnation = 5};
    const struct replica_boot *boot;
    struct membership members;
    struct disk disk = {0};
    struct durable *d = NULL;
    struct err err = {0};
    char path[256];
    (void)snprintf(path, sizeof path, "%s/log", dir);
    ck_assert_int_eq(disk_posix_open(path, &disk, &err), 0);
    ck_assert_msg(durable_open(&disk, test_mem(), &set, &d, &err) == 0, "%s", err.text);
    boot = durable_boot(d);
    ck_assert_uint_eq(boot->term, at->term);
    ck_assert_uint_eq(boot->vote, 0);
    ck_assert_uint_eq(boot->snapshot.index, at->index);
    ck_assert_uint_eq(boot->first, at->index + 1);
    ck_assert_uint_eq(boot->n_entries, 0);
    ck_assert_uint_ne(durable_incarnation(d), 5);
    ck_assert_int_eq(conf_read(boot->snapshot.conf, boot->snapshot.conf_len, &members, &err), 0);
    ck_assert_uint_eq(members.n, 3);
    ck_assert_uint_eq(membership_voters(&members), id == 2 ? 1 : 3); /* As make() had it. */
    ck_assert_int_eq(membership_find(&members, id)->role, RAFT_VOTER);
    ck_assert_str_eq(membership_find(&members, 2)->address, "b:1/b:2");
    durable_close(d);
    disk_posix_close(&disk);
}

START_TEST(a_controller_can_begin_with_what_was_made)
    {
        struct storage_point at[2];
        struct identity identity;
        struct source s;
        struct err err = {0};
        char root[SCRATCH_LEN];
        char dir[2][SCRATCH_LEN + 8];
        scratch_dir(root);
        for (unsigned i = 0; i < 2; i++) {
            (void)snprintf(dir[i], sizeof dir[i], "%s/c%u", root, i);
            make(dir[i], i + 1, &at[i]);
            check_log(dir[i], i + 1, &at[i]);
        }
        ck_assert_uint_eq(at[0].index, 50 + LIMIT_EPOCH_REVISIONS);
        ck_assert_uint_eq(at[0].digest, at[1].digest);
        ck_assert_uint_eq(at[0].revision, at[1].revision);
        ck_assert_int_eq(identity_read(dir[0], &identity, &err), 0);
        ck_assert_uint_eq(identity.epoch, 7);
        ck_assert(!id_is_none(identity.cluster_id));
        source_init(&s);
        ck_assert_msg(source_load_dir(&s, dir[0], false, &err) == 0, "%s", err.text);
        ck_assert_int_eq(source_read_log(&s, dir[0], &err), 0);
        ck_assert_int_eq(source_check(&s, &err), 0);
        ck_assert_uint_eq(s.at.index, at[0].index);
        ck_assert_uint_eq(store_meta(s.store)->epoch, 7);
        ck_assert_uint_eq(store_count(s.store, KIND_TASK), 1);
        source_close(&s);
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

START_TEST(members_are_read_as_a_controller_takes_them)
    {
        static const char *const bad[] = {"",          "1",          "1=a:1",
                                          "0=a:1/b:2", "x=a:1/b",    "1=a:1/b:2,,",
                                          "1=/b:2",    "-1=a:1/b:2", "1=a:1/b:2,2"};
        struct target_members m;
        ck_assert_int_eq(target_members_read("7=10.0.0.7:7444/10.0.0.7:7443", &m, NULL), 0);
        ck_assert_uint_eq(m.n, 1);
        ck_assert_uint_eq(m.v[0].id, 7);
        ck_assert_str_eq(m.v[0].address, "10.0.0.7:7444/10.0.0.7:7443");
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
            ck_assert_msg(target_members_read(bad[i], &m, NULL) == ERR_INVALID, "%s", bad[i]);
        }
    }
END_TEST

START_TEST(an_identity_is_read_as_it_was_written_or_refused)
    {
        const struct identity one = {{1, 2}, 3};
        struct identity two;
        char root[SCRATCH_LEN];
        char path[SCRATCH_LEN + 16];
        FILE *f;
        scratch_dir(root);
        ck_assert_int_eq(identity_read(root, &two, NULL), 0);
        ck_assert_uint_eq(two.epoch, 0);
        ck_assert_int_eq(identity_write(root, &one, NULL), 0);
        ck_assert_int_eq(identity_read(root, &two, NULL), 0);
        ck_assert_uint_eq(two.epoch, 3);
        ck_assert(id_eq(two.cluster_id, one.cluster_id));
        (void)snprintf(path, sizeof path, "%s/identity", root);
        f = fopen(path, "a");
        ck_assert_ptr_nonnull(f);
        (void)fputs("more\n", f);
        (void)fclose(f);
        ck_assert_int_eq(identity_read(root, &two, NULL), ERR_CORRUPT);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("target");
    TEST_CASE(s, "target", 30, a_controller_can_begin_with_what_was_made,
              members_are_read_as_a_controller_takes_them,
              an_identity_is_read_as_it_was_written_or_refused);
    return scratch_run(s);
}
