#include "agent/core/limits.h"
#include "agent/metrics/capacity.h"
#include "agent/metrics/machine.h"
#include "tests/lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define N_FILES 16

static char root[32];
static char files[N_FILES][128];
static unsigned n_files;

static void setup(void)
{
    snprintf(root, sizeof root, "/tmp/test-machine-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
    n_files = 0;
}

/* A file below root, with its directories. */
static void put(const char *path, const char *text)
{
    FILE *f;
    ck_assert_uint_lt(n_files, N_FILES);
    snprintf(files[n_files], sizeof files[0], "%s%s", root, path);
    for (char *p = files[n_files] + strlen(root) + 1; (p = strchr(p, '/')) != NULL; p++) {
        *p = '\0';
        (void)mkdir(files[n_files], 0700);
        *p = '/';
    }
    f = fopen(files[n_files], "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
    n_files++;
}

static void teardown(void)
{
    for (unsigned i = 0; i < n_files; i++) {
        char *slash = files[i] + strlen(files[i]);
        (void)unlink(files[i]);
        while (slash > files[i] + strlen(root)) {
            *slash = '\0';
            (void)rmdir(files[i]);
            slash = strrchr(files[i], '/');
        }
    }
    ck_assert_int_eq(rmdir(root), 0);
}

static void basics(void)
{
    put("/proc/meminfo", "MemTotal:       16777216 kB\nMemFree:  1 kB\nMemAvailable: 8388608 kB\n");
    put("/sys/devices/system/cpu/online", "0-2,5\n");
}

static struct machine machine(void)
{
    struct machine m;
    struct err err = {0};
    ck_assert_msg(machine_read(root, &m, &err) == 0, "%s", err.text);
    return m;
}

START_TEST(without_limits_the_machine_is_all)
    {
        basics();
        ck_assert_uint_eq(machine().cpu_units, 4096);
        ck_assert_uint_eq(machine().memory_mib, 16384);
        ck_assert_str_ne(machine().architecture, "");
    }
END_TEST

START_TEST(limits_of_cgroup_v2_count_upwards)
    {
        basics();
        put("/proc/self/cgroup", "0::/a.slice/b.service\n");
        put("/sys/fs/cgroup/a.slice/b.service/memory.max", "max\n");
        put("/sys/fs/cgroup/a.slice/memory.max", "1073741824\n");
        put("/sys/fs/cgroup/a.slice/b.service/cpu.max", "150000 100000\n");
        ck_assert_uint_eq(machine().cpu_units, 1536);
        ck_assert_uint_eq(machine().memory_mib, 1024);
    }
END_TEST

START_TEST(limits_of_cgroup_v1_count_too)
    {
        basics();
        put("/proc/self/cgroup", "4:memory:/x/y\n2:cpu,cpuacct:/x\n0::/\n");
        put("/sys/fs/cgroup/memory/x/y/memory.limit_in_bytes", "9223372036854771712\n");
        put("/sys/fs/cgroup/memory/x/memory.limit_in_bytes", "2147483648\n");
        put("/sys/fs/cgroup/cpu/x/cpu.cfs_quota_us", "-1\n");
        put("/sys/fs/cgroup/cpu/x/cpu.cfs_period_us", "100000\n");
        ck_assert_uint_eq(machine().cpu_units, 4096);
        ck_assert_uint_eq(machine().memory_mib, 2048);
    }
END_TEST

START_TEST(missing_files_are_named)
    {
        struct machine m;
        struct err err = {0};
        ck_assert_int_eq(machine_read(root, &m, &err), ERR_NOTFOUND);
        ck_assert_ptr_nonnull(strstr(err.text, "/sys/devices/system/cpu/online"));
    }
END_TEST

START_TEST(usage_is_the_difference_between_two_calls)
    {
        struct machine_usage u = {0};
        basics();
        put("/proc/stat", "cpu  100 0 100 800 0 0 0 0 0 0\ncpu0 1 1 1\n");
        ck_assert_int_eq(machine_usage(root, &u, NULL), 0);
        ck_assert_uint_eq(u.cpu_used, 0);
        ck_assert_uint_eq(u.memory_used_mib, 8192);
        n_files--;
        put("/proc/stat", "cpu  200 0 200 1600 0 0 0 0 0 0\n");
        ck_assert_int_eq(machine_usage(root, &u, NULL), 0);
        ck_assert_uint_eq(u.cpu_used, 4096 / 5);
    }
END_TEST

START_TEST(the_real_machine_can_be_read)
    {
        struct machine m;
        struct machine_usage u = {0};
        struct err err = {0};
        ck_assert_msg(machine_read("", &m, &err) == 0, "%s", err.text);
        ck_assert_uint_ge(m.cpu_units, 1);
        ck_assert_msg(machine_usage("", &u, &err) == 0, "%s", err.text);
        ck_assert_uint_gt(u.memory_used_mib, 0);
    }
END_TEST

/* --- capacity -----------------------------------------------------------------------------------
 */
static const struct machine big = {8192, 32000, "x86_64", "6.1", "host"};

static const char *attribute_of(const struct hello *h, const char *name)
{
    for (uint32_t i = 0; i < h->n_attributes; i++) {
        if (strcmp(h->attributes[i].name, name) == 0) {
            return h->attributes[i].value;
        }
    }
    return NULL;
}

START_TEST(options_decide_and_the_reserve_is_taken_off)
    {
        static const char *const reserved[] = {"22", "53/udp", "8000-8002/tcp"};
        static const char *const attributes[] = {"rack=r7", "gpu", "ecs.os-type=plan9"};
        struct capacity_options o = {.reserve_cpu = 192,
                                     .memory = 1000,
                                     .reserve_memory = 1u << 30, /* Not used: memory is given. */
                                     .reserved = reserved,
                                     .n_reserved = 3,
                                     .attributes = attributes,
                                     .n_attributes = 3,
                                     .zone = "z1",
                                     .provider = "rack1"};
        struct hello h = {0};
        struct arena arena;
        struct err err = {0};
        arena_init(&arena, test_mem());
        ck_assert_msg(capacity_fill(&big, &o, &arena, &h, &err) == 0, "%s", err.text);
        ck_assert_uint_eq(h.cpu, 8000);
        ck_assert_uint_eq(h.memory, 1000);
        ck_assert_uint_eq(h.port_min, 32768);
        ck_assert_uint_eq(h.n_reserved_tcp, 4);
        ck_assert_uint_eq(h.reserved_tcp[3], 8002);
        ck_assert_uint_eq(h.n_reserved_udp, 1);
        ck_assert_str_eq(attribute_of(&h, "rack"), "r7");
        ck_assert_str_eq(attribute_of(&h, "gpu"), "");
        ck_assert_str_eq(attribute_of(&h, "ecs.os-type"), "plan9");
        ck_assert_str_eq(attribute_of(&h, "ecs.availability-zone"), "z1");
        ck_assert_str_eq(attribute_of(&h, "ecs.capacity-provider"), "rack1");
        ck_assert_str_eq(attribute_of(&h, "ecs.instance-type"), "8cpu.32000mib");
        arena_close(&arena);
    }
END_TEST

START_TEST(bad_options_are_named)
    {
        static const char *const bad[] = {"0", "70000", "80/sctp", "9-8", "x", "1-2-3", "1-2000"};
        static const char *const attribute[] = {"a=\n"};
        struct capacity_options o = {.n_reserved = 1};
        struct hello h = {0};
        struct arena arena;
        struct err err = {0};
        arena_init(&arena, test_mem());
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
            o.reserved = &bad[i];
            ck_assert_int_eq(capacity_fill(&big, &o, &arena, &h, &err), ERR_INVALID);
            ck_assert_ptr_nonnull(strstr(err.text, "--reserved-ports"));
        }
        o = (struct capacity_options){.port_range = "5-4"};
        ck_assert_int_eq(capacity_fill(&big, &o, &arena, &h, &err), ERR_INVALID);
        o = (struct capacity_options){.reserve_cpu = 8192};
        ck_assert_int_eq(capacity_fill(&big, &o, &arena, &h, &err), ERR_INVALID);
        ck_assert_ptr_nonnull(strstr(err.text, "--reserve-cpu"));
        o = (struct capacity_options){.memory = 3};
        ck_assert_int_eq(capacity_fill(&big, &o, &arena, &h, &err), ERR_INVALID);
        o = (struct capacity_options){.attributes = attribute, .n_attributes = 1};
        ck_assert_int_eq(capacity_fill(&big, &o, &arena, &h, &err), ERR_INVALID);
        arena_close(&arena);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("agent metrics");
    TCase *c = tcase_create("machine");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, without_limits_the_machine_is_all);
    tcase_add_test(c, limits_of_cgroup_v2_count_upwards);
    tcase_add_test(c, limits_of_cgroup_v1_count_too);
    tcase_add_test(c, missing_files_are_named);
    tcase_add_test(c, usage_is_the_difference_between_two_calls);
    suite_add_tcase(s, c);
    TEST_CASE(s, "capacity", 5, options_decide_and_the_reserve_is_taken_off, bad_options_are_named,
              the_real_machine_can_be_read);
    return test_run(s);
}
