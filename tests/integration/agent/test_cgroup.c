/* Control groups of the kernel this runs on, whichever version: limits arrive, processes are
 * killed, nothing stays. tests/e2e/guest runs it where there is only version 2. */
#include "agent/proc/files.h"
#include "agent/runtime/cgroup.h"
#include "common/loop/sysmem.h"
#include "tests/lib/test.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROOT      "/sys/fs/cgroup"
#define MIB       (1024u * 1024)
#define N_STORMS  4
#define PATH_TEXT 128

static struct cgroup_info info;
static char parent[64];
static char task[PATH_TEXT];

static void remove_group(const char *group)
{
    struct err err = {0};
    ck_assert_msg(cgroup_purge(&info, group, &err) == 0, "%s", err.text);
}

static void group_file(char ret[PATH_MAX], const char *controller, const char *group,
                       const char *file)
{
    snprintf(ret, PATH_MAX, ROOT "%s%s%s/%s", info.v2 ? "" : "/", info.v2 ? "" : controller, group,
             file);
}

/* Does the file of version 1 or of version 2 hold that text? */
static bool holds(const char *controller, const char *v1, const char *v2, const char *text)
{
    char path[PATH_MAX];
    char got[64] = "";
    ssize_t n;
    int fd;
    group_file(path, controller, task, info.v2 ? v2 : v1);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = fd < 0 ? -1 : read(fd, got, sizeof got - 1);
    if (fd >= 0) {
        close(fd);
    }
    return n == (ssize_t)strlen(text) && strcmp(got, text) == 0;
}

static bool gone(const char *group)
{
    char path[PATH_MAX];
    group_file(path, "memory", group, "");
    return access(path, F_OK) != 0;
}

/* Also somebody in a user namespace, and whatever the umask of the agent. */
static bool all_may_enter(const char *group)
{
    char path[PATH_MAX];
    struct stat st;
    group_file(path, "memory", group, "");
    return stat(path, &st) == 0 && (st.st_mode & 0777) == 0755;
}

/* Version 1: the hierarchy of memory is enough for these tests. */
static void enter(const char *group)
{
    char path[PATH_MAX];
    char pid[16];
    group_file(path, "memory", group, "");
    ck_assert_int_eq(dir_make(path, 0755, NULL), 0);
    group_file(path, "memory", group, "cgroup.procs");
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    ck_assert_int_eq(file_poke(AT_FDCWD, path, pid, NULL), 0);
}

START_TEST(limits_reach_the_kernel)
    {
        struct err err = {0};
        struct exec_stats stats = {0};
        ck_assert_int_eq(cgroup_stats(&info, task, &stats, NULL), ERR_NOTFOUND);
        ck_assert_msg(cgroup_limit(&info, task, 256, 64, &err) == 0, "%s", err.text);
        ck_assert(
            holds("cpu", "cpu.cfs_quota_us", "cpu.max", info.v2 ? "25000 100000\n" : "25000\n"));
        ck_assert(holds("memory", "memory.limit_in_bytes", "memory.max", "67108864\n"));
        if (info.swap) {
            ck_assert(holds("memory", "memory.memsw.limit_in_bytes", "memory.swap.max",
                            info.v2 ? "0\n" : "67108864\n"));
        }
        ck_assert(all_may_enter(parent) && all_may_enter(task));
        ck_assert_int_eq(cgroup_stats(&info, task, &stats, &err), 0);
        ck_assert_uint_eq(stats.memory_limit_bytes, 64 * MIB);
        ck_assert_uint_eq(stats.n_oom_kills, 0);
        /* Only one of them, and again: what is asked for last holds. */
        ck_assert_int_eq(cgroup_limit(&info, task, 0, 32, &err), 0);
        ck_assert(holds("memory", "memory.limit_in_bytes", "memory.max", "33554432\n"));
        ck_assert(
            holds("cpu", "cpu.cfs_quota_us", "cpu.max", info.v2 ? "25000 100000\n" : "25000\n"));
        ck_assert_int_eq(cgroup_remove(&info, task, &err), 0);
        ck_assert(gone(task));
        ck_assert_int_eq(cgroup_remove(&info, task, &err), 0);
        remove_group(parent);
    }
END_TEST

/* The group of the victim counts it, although the limit is its parent's. */
START_TEST(an_oom_kill_counts_where_the_victim_was)
    {
        struct err err = {0};
        struct exec_stats stats = {0};
        char container[2 * PATH_TEXT];
        int status;
        pid_t pid;
        snprintf(container, sizeof container, "%s/main", task);
        ck_assert_int_eq(cgroup_limit(&info, task, 0, 16, &err), 0);
        ck_assert_int_eq(cgroup_limit(&info, container, 0, 64, &err), 0);
        pid = fork();
        if (pid == 0) {
            enter(container);
            memset(mmap(NULL, 64 * MIB, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0),
                   1, 64 * MIB);
            _exit(EXIT_FAILURE);
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert(WIFSIGNALED(status));
        ck_assert_int_eq(WTERMSIG(status), SIGKILL);
        ck_assert_int_eq(cgroup_stats(&info, container, &stats, &err), 0);
        ck_assert_uint_eq(stats.n_oom_kills, 1);
        remove_group(parent);
        ck_assert(gone(parent));
    }
END_TEST

/* Tell that it begins, then forever: children that fork and end, so that whoever reads a list of
 * processes reads an old one.
 */
static void storm(const char *group, int tell)
{
    enter(group);
    ck_assert_int_eq(write(tell, "", 1), 1);
    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        if (fork() == 0) {
            usleep(1000);
            if (fork() != 0) {
                _exit(EXIT_SUCCESS);
            }
            usleep(1000);
            _exit(EXIT_SUCCESS);
        }
        usleep(200);
    }
}

START_TEST(a_purge_ends_what_forks_and_what_is_deep)
    {
        pid_t pids[N_STORMS];
        char group[2 * PATH_TEXT];
        int pair[2];
        char byte;
        snprintf(group, sizeof group, "%s", task);
        ck_assert_int_eq(pipe(pair), 0);
        for (int i = 0; i < N_STORMS; i++) {
            strncat(group, "/deep", sizeof group - strlen(group) - 1);
            pids[i] = fork();
            if (pids[i] == 0) {
                close(pair[0]);
                storm(group, pair[1]);
            }
            ck_assert_int_eq(read(pair[0], &byte, 1), 1);
        }
        remove_group(parent);
        ck_assert(gone(parent));
        for (int i = 0; i < N_STORMS; i++) {
            int status;
            ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
            ck_assert(WIFSIGNALED(status));
        }
        /* Nobody is left to hold the pipe. */
        close(pair[1]);
        ck_assert_int_eq(read(pair[0], &byte, 1), 0);
        close(pair[0]);
    }
END_TEST

/* Groups with a process in them or anywhere below; no other entry, and none once they have ended.
 */
START_TEST(a_census_names_the_groups_with_processes)
    {
        char group[2 * PATH_TEXT];
        char path[PATH_MAX];
        struct arena arena;
        struct str *names;
        size_t n;
        struct err err = {0};
        int pair[2];
        char byte;
        pid_t pid;
        arena_init(&arena, sysmem());
        ck_assert_int_eq(cgroup_census(&info, parent, &arena, &names, &n, &err), 0);
        ck_assert_uint_eq(n, 0); /* There is no such parent yet. */
        snprintf(group, sizeof group, "%s/empty/main", parent);
        group_file(path, "memory", group, "");
        ck_assert_int_eq(dir_make(path, 0755, NULL), 0);
        snprintf(group, sizeof group, "%s/main/deep", task);
        ck_assert_int_eq(pipe(pair), 0);
        pid = fork();
        if (pid == 0) {
            enter(group);
            (void)!write(pair[1], "x", 1);
            pause();
            _exit(EXIT_SUCCESS);
        }
        ck_assert_int_eq(read(pair[0], &byte, 1), 1);
        ck_assert_int_eq(cgroup_census(&info, parent, &arena, &names, &n, &err), 0);
        ck_assert_uint_eq(n, 1);
        ck_assert(str_eq(names[0], STR("task")));
        remove_group(parent);
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
        ck_assert_int_eq(cgroup_census(&info, parent, &arena, &names, &n, &err), 0);
        ck_assert_uint_eq(n, 0);
        close(pair[0]);
        close(pair[1]);
        arena_close(&arena);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("cgroup");
    int rv;
    (void)umask(077); /* As the agent. */
    cgroup_detect(&info);
    snprintf(parent, sizeof parent, "/ecs-test-cgroup-%d", (int)getpid());
    snprintf(task, sizeof task, "%s/task", parent);
    TEST_CASE(s, "cgroup", 60, limits_reach_the_kernel, an_oom_kill_counts_where_the_victim_was,
              a_purge_ends_what_forks_and_what_is_deep, a_census_names_the_groups_with_processes);
    rv = test_run(s);
    return cgroup_purge(&info, parent, NULL) == 0 ? rv
                                                  : EXIT_FAILURE; /* What a failed test left. */
}
