/* ecs-unpack on layers that are odd, and on layers that are hostile. Runs the program itself, so
 * its sandbox is part of what is tested. */
#include "agent/proc/files.h"
#include "agent/proc/spawn.h"
#include "tests/lib/test.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#define TAR_MAX (8u << 20)

struct layer { /* A tar being made in memory, and where it is unpacked to. */
    struct archive *a;
    char *tar;
    size_t n;
    char dir[64];
    char inside[80];
    struct err err;
};

static void begin(struct layer *l, bool gzip)
{
    memset(l, 0, sizeof *l);
    snprintf(l->dir, sizeof l->dir, "/tmp/test_unpack.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(l->dir));
    snprintf(l->inside, sizeof l->inside, "%s/layer", l->dir);
    ck_assert_int_eq(mkdir(l->inside, 0755), 0);
    l->tar = malloc(TAR_MAX);
    l->a = archive_write_new();
    archive_write_set_format_pax_restricted(l->a);
    if (gzip) {
        archive_write_add_filter_gzip(l->a);
    }
    archive_write_set_bytes_in_last_block(l->a, 1);
    ck_assert_int_eq(archive_write_open_memory(l->a, l->tar, TAR_MAX, &l->n), ARCHIVE_OK);
}

static struct archive_entry *entry(const char *name, mode_t mode)
{
    struct archive_entry *e = archive_entry_new();
    archive_entry_set_pathname(e, name);
    archive_entry_set_mode(e, mode);
    return e;
}

static void put(struct layer *l, struct archive_entry *e, const char *text)
{
    archive_entry_set_size(e, text == NULL ? 0 : (la_int64_t)strlen(text));
    ck_assert_int_eq(archive_write_header(l->a, e), ARCHIVE_OK);
    if (text != NULL) {
        ck_assert_int_eq(archive_write_data(l->a, text, strlen(text)), (la_ssize_t)strlen(text));
    }
    archive_entry_free(e);
}

static void put_link(struct layer *l, const char *name, const char *target)
{
    struct archive_entry *e = entry(name, S_IFLNK | 0777);
    archive_entry_set_symlink(e, target);
    put(l, e, NULL);
}

/* Run ecs-unpack on n bytes of it. */
static int unpack_n(struct layer *l, size_t n, const char *bytes_max, const char *files_max)
{
    char program[256];
    char path[96];
    const char *build = getenv("BUILD");
    const char *argv[] = {program, l->inside, bytes_max, files_max, NULL};
    struct spawn s = {.argv = argv, .extra = -1, .timeout_ms = 30000};
    int rv;
    if (l->a != NULL) {
        archive_write_close(l->a);
        archive_write_free(l->a);
        l->a = NULL;
    }
    n = n > l->n ? l->n : n;
    snprintf(program, sizeof program, "%s/bin/ecs-unpack", build == NULL ? "build" : build);
    snprintf(path, sizeof path, "%s/tar", l->dir);
    ck_assert_int_eq(file_write(AT_FDCWD, path, l->tar, n, 0600, false, &l->err), 0);
    s.in = open(path, O_RDONLY | O_CLOEXEC);
    rv = spawn_check(&s, &l->err);
    close(s.in);
    return rv;
}

static int unpack(struct layer *l)
{
    return unpack_n(l, SIZE_MAX, "100000000", "1000");
}

static void end(struct layer *l)
{
    ck_assert_int_eq(dir_remove(AT_FDCWD, l->dir, &l->err), 0);
    if (l->a != NULL) {
        archive_write_free(l->a);
    }
    free(l->tar);
}

static void stat_in(const struct layer *l, const char *name, struct stat *st)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", l->inside, name);
    ck_assert_msg(lstat(path, st) == 0, "%s is missing", name);
}

/* Owners, modes, times, links and file capabilities arrive as they were packed. */
START_TEST(a_layer_arrives_as_it_was_packed)
    {
        static const unsigned char cap[] = {1, 0, 0, 2, 0, 4, 0, 0, 0, 0,
                                            0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
        struct layer l;
        struct stat st;
        struct stat other;
        char path[256];
        char value[64];
        struct archive_entry *e;
        begin(&l, _i == 1);
        e = entry("locked/", S_IFDIR | 0555); /* Read-only, and yet filled afterwards. */
        archive_entry_set_mtime(e, 1000000000, 0);
        put(&l, e, NULL);
        e = entry("./locked/file", S_IFREG | 04751);
        archive_entry_set_uid(e, 1234);
        archive_entry_set_gid(e, 5678);
        archive_entry_set_mtime(e, 1234567890, 0);
        put(&l, e, "content");
        e = entry("locked/hard", S_IFREG | 0644);
        archive_entry_set_hardlink(e, "./locked/file");
        put(&l, e, NULL);
        put_link(&l, "soft", "/etc/passwd");
        e = entry("tool", S_IFREG | 0755);
        archive_entry_xattr_add_entry(e, "security.capability", cap, sizeof cap);
        archive_entry_xattr_add_entry(e, "user.note", "kept", 4);
        archive_entry_xattr_add_entry(e, "user.overlay.opaque", "y", 1);
        archive_entry_xattr_add_entry(e, "trusted.overlay.opaque", "y", 1);
        put(&l, e, "x");
        put(&l, entry("/absolute/deep/name", S_IFREG | 0600), "inside");
        ck_assert_msg(unpack(&l) == 0, "%s", l.err.text);
        stat_in(&l, "locked/file", &st);
        ck_assert_uint_eq(st.st_uid, 1234);
        ck_assert_uint_eq(st.st_gid, 5678);
        ck_assert_uint_eq(st.st_mode & 07777, 04751);
        ck_assert_int_eq(st.st_mtime, 1234567890);
        stat_in(&l, "locked/hard", &other);
        ck_assert_uint_eq(st.st_ino, other.st_ino);
        stat_in(&l, "locked", &st);
        ck_assert_uint_eq(st.st_mode & 07777, 0555);
        ck_assert_int_eq(st.st_mtime, 1000000000);
        stat_in(&l, "soft", &st);
        ck_assert(S_ISLNK(st.st_mode));
        stat_in(&l, "absolute/deep/name", &st);
        snprintf(path, sizeof path, "%s/tool", l.inside);
        ck_assert_int_gt(getxattr(path, "security.capability", value, sizeof value), 0);
        ck_assert_int_eq(getxattr(path, "user.note", value, sizeof value), 4);
        ck_assert_int_eq(getxattr(path, "user.overlay.opaque", value, sizeof value), -1);
        ck_assert_int_eq(getxattr(path, "trusted.overlay.opaque", value, sizeof value), -1);
        end(&l);
    }
END_TEST

START_TEST(whiteouts_become_those_of_overlayfs)
    {
        struct layer l;
        struct stat st;
        char path[256];
        char value[8];
        begin(&l, false);
        put(&l, entry("a/.wh.gone", S_IFREG | 0644), NULL);
        put(&l, entry("b/.wh..wh..opq", S_IFREG | 0644), NULL);
        put(&l, entry("b/new", S_IFREG | 0644), "n");
        ck_assert_msg(unpack(&l) == 0, "%s", l.err.text);
        stat_in(&l, "a/gone", &st);
        ck_assert(S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0));
        snprintf(path, sizeof path, "%s/b", l.inside);
        ck_assert_int_eq(getxattr(path, "user.overlay.opaque", value, sizeof value), 1);
        stat_in(&l, "b/new", &st);
        end(&l);
    }
END_TEST

enum attack {
    ATTACK_DOTDOT,
    ATTACK_DOTDOT_LINK,
    ATTACK_DEVICE,
    ATTACK_DEV_LINK,
    ATTACK_ETC_LINK_BY_ALIAS,
    ATTACK_PROC_FILE,
    ATTACK_ROOT_LINK,
    ATTACK_WHITEOUT_NOTHING,
    ATTACK_N,
};

static void put_attack(struct layer *l, enum attack attack)
{
    struct archive_entry *e;
    switch (attack) {
    case ATTACK_DOTDOT:
        put(l, entry("a/../../escaped", S_IFREG | 0644), "x");
        return;
    case ATTACK_DOTDOT_LINK:
        e = entry("hard", S_IFREG | 0644);
        archive_entry_set_hardlink(e, "../../etc/passwd");
        put(l, e, NULL);
        return;
    case ATTACK_DEVICE:
        e = entry("disk", S_IFBLK | 0666);
        archive_entry_set_rdev(e, makedev(8, 0));
        put(l, e, NULL);
        return;
    case ATTACK_DEV_LINK:
        put_link(l, "./dev", "/tmp");
        return;
    case ATTACK_ETC_LINK_BY_ALIAS:
        put_link(l, "here", ".");
        put_link(l, "here/etc", "/tmp");
        return;
    case ATTACK_PROC_FILE:
        put(l, entry("proc", S_IFREG | 0644), "x");
        return;
    case ATTACK_ROOT_LINK:
        put_link(l, "./", "/tmp");
        return;
    case ATTACK_WHITEOUT_NOTHING:
        put(l, entry("a/.wh.", S_IFREG | 0644), NULL);
        return;
    case ATTACK_N:
        break;
    }
    ck_abort();
}

START_TEST(hostile_layers_are_refused)
    {
        struct layer l;
        begin(&l, false);
        put(&l, entry("a/", S_IFDIR | 0755), NULL);
        put_attack(&l, (enum attack)_i);
        ck_assert_int_eq(unpack(&l), ERR_IO);
        ck_assert_ptr_nonnull(strstr(l.err.text, "ecs-unpack: exit status 1: "));
        end(&l);
    }
END_TEST

/* Links that point out of the layer are followed by nobody but the container. */
START_TEST(writing_through_a_link_stays_inside)
    {
        char outside[] = "/tmp/test_unpack_outside.XXXXXX";
        struct layer l;
        char path[128];
        ck_assert_ptr_nonnull(mkdtemp(outside));
        ck_assert_int_eq(chmod(outside, 0777), 0);
        begin(&l, false);
        put_link(&l, "way", outside);
        snprintf(path, sizeof path, "way/file");
        put(&l, entry(path, S_IFREG | 0644), "x");
        (void)unpack(&l); /* Either answer is fine. */
        snprintf(path, sizeof path, "%s/file", outside);
        ck_assert_int_eq(access(path, F_OK), -1);
        ck_assert_int_eq(rmdir(outside), 0);
        end(&l);
    }
END_TEST

START_TEST(limits_and_damage_are_noticed)
    {
        struct layer l;
        char name[16];
        char *big = malloc(200001);
        memset(big, 'x', 200000);
        big[200000] = '\0';
        begin(&l, true);
        for (int i = 0; i < 20; i++) {
            snprintf(name, sizeof name, "f%d", i);
            put(&l, entry(name, S_IFREG | 0644), big);
        }
        ck_assert_int_eq(unpack_n(&l, SIZE_MAX, "1000000", "1000"), ERR_IO);
        ck_assert_ptr_nonnull(strstr(l.err.text, "exceeds 1000000 bytes"));
        ck_assert_int_eq(unpack_n(&l, SIZE_MAX, "100000000", "10"), ERR_IO);
        ck_assert_ptr_nonnull(strstr(l.err.text, "exceeds 10 files"));
        ck_assert_int_eq(unpack_n(&l, l.n / 2, "100000000", "1000"), ERR_IO);
        ck_assert_int_eq(unpack_n(&l, SIZE_MAX, "100000000", "1000"), 0);
        end(&l);
        free(big);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("unpack");
    TCase *forms = tcase_create("forms");
    TCase *attacks = tcase_create("attacks");
    TEST_CASE(s, "unpack", 60, whiteouts_become_those_of_overlayfs,
              writing_through_a_link_stays_inside, limits_and_damage_are_noticed);
    tcase_add_loop_test(forms, a_layer_arrives_as_it_was_packed, 0, 2);
    tcase_add_loop_test(attacks, hostile_layers_are_refused, 0, ATTACK_N);
    suite_add_tcase(s, forms);
    suite_add_tcase(s, attacks);
    return test_run(s);
}
