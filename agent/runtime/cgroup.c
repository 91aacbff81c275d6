#include "agent/runtime/cgroup.h"

#include "agent/proc/files.h"
#include "common/loop/sysmem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#define ROOT      "/sys/fs/cgroup"
#define PERIOD_US 100000
#define MIB       (1024ull * 1024)
#define TRIES     50

void cgroup_detect(struct cgroup_info *ret)
{
    struct statfs fs;
    ret->v2 = statfs(ROOT, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
    /* On version 2 the top group has no such file; the kernel has swap, or not. */
    ret->swap =
        access(ret->v2 ? "/proc/swaps" : ROOT "/memory/memory.memsw.limit_in_bytes", F_OK) == 0;
}

static int poke(const char *path, unsigned long long value, struct err *err)
{
    char text[32];
    snprintf(text, sizeof text, "%llu", value);
    return file_poke(AT_FDCWD, path, text, err);
}

/* Directory of path in one hierarchy; file may be "". */
static void name(char ret[PATH_MAX], const char *controller, const char *path, const char *file)
{
    snprintf(ret, PATH_MAX, ROOT "%s%s%s%s%s", controller[0] == '\0' ? "" : "/", controller, path,
             file[0] == '\0' ? "" : "/", file);
}

/* Make the group and those above it, whatever the umask is: to mount its part of version 2, a
 * container in a user namespace must be able to walk there. */
static int make_group(const char *controller, const char *path, struct err *err)
{
    char dir[PATH_MAX];
    char part[CGROUP_PATH_MAX];
    size_t n = strlen(path);
    int rv;
    name(dir, controller, path, "");
    rv = dir_make(dir, 0755, err);
    for (size_t i = 1; rv == 0 && i <= n && n < sizeof part; i++) {
        if (path[i] == '/' || path[i] == '\0') {
            memcpy(part, path, i);
            part[i] = '\0';
            name(dir, controller, part, "");
            if (chmod(dir, 0755) != 0) {
                rv = err_set(err, ERR_IO, "chmod %s: %s", dir, strerror(errno));
            }
        }
    }
    return rv;
}

static int limit_v1(const char *path, uint32_t cpu_units, uint32_t memory_mib, struct err *err)
{
    char file[PATH_MAX];
    int rv = 0;
    if (cpu_units > 0) {
        rv = make_group("cpu", path, err);
        if (rv == 0) {
            name(file, "cpu", path, "cpu.cfs_period_us");
            rv = poke(file, PERIOD_US, err);
        }
        if (rv == 0) {
            name(file, "cpu", path, "cpu.cfs_quota_us");
            rv = poke(file, (unsigned long long)cpu_units * PERIOD_US / 1024, err);
        }
    }
    if (rv == 0 && memory_mib > 0) {
        rv = make_group("memory", path, err);
        if (rv == 0) { /* Only what is charged below counts with it. */
            name(file, "memory", path, "memory.use_hierarchy");
            (void)file_poke(AT_FDCWD, file, "1", NULL); /* Always so since Linux 5.11. */
            name(file, "memory", path, "memory.limit_in_bytes");
            rv = poke(file, memory_mib * MIB, err);
            name(file, "memory", path, "memory.memsw.limit_in_bytes");
            (void)poke(file, memory_mib * MIB, NULL); /* Missing without swap accounting. */
        }
    }
    return rv;
}

/* On version 2 a group may use the controllers its parent hands down. One by one: a kernel without
 * one, or with a process that forbids it, still has the others. What is missing shows when a limit
 * is set. */
static void hand_down(const char *path)
{
    static const char *const controllers[] = {"+cpu", "+memory", "+pids"};
    char part[CGROUP_PATH_MAX];
    char file[PATH_MAX];
    size_t n = strlen(path);
    for (size_t i = 0; i < n && n < sizeof part; i++) {
        if (path[i] == '/') {
            memcpy(part, path, i);
            part[i] = '\0';
            name(file, "", part, "cgroup.subtree_control");
            for (size_t k = 0; k < sizeof controllers / sizeof controllers[0]; k++) {
                (void)file_poke(AT_FDCWD, file, controllers[k], NULL);
            }
        }
    }
}

static int limit_v2(const char *path, uint32_t cpu_units, uint32_t memory_mib, struct err *err)
{
    char file[PATH_MAX];
    int rv = make_group("", path, err);
    if (rv != 0) {
        return rv;
    }
    hand_down(path);
    if (cpu_units > 0) {
        char text[64];
        snprintf(text, sizeof text, "%llu %d", (unsigned long long)cpu_units * PERIOD_US / 1024,
                 PERIOD_US);
        name(file, "", path, "cpu.max");
        rv = file_poke(AT_FDCWD, file, text, err);
    }
    if (rv == 0 && memory_mib > 0) {
        name(file, "", path, "memory.max");
        rv = poke(file, memory_mib * MIB, err);
        name(file, "", path, "memory.swap.max");
        (void)poke(file, 0, NULL); /* Missing without swap accounting. */
    }
    return rv;
}

int cgroup_limit(const struct cgroup_info *c, const char *path, uint32_t cpu_units,
                 uint32_t memory_mib, struct err *err)
{
    int rv = c->v2 ? limit_v2(path, cpu_units, memory_mib, err)
                   : limit_v1(path, cpu_units, memory_mib, err);
    return rv == 0 ? 0 : err_wrap(err, rv, "limits of %s", path);
}

/* --- every hierarchy
 * ------------------------------------------------------------------------------ */

typedef void (*visit)(const char *dir, void *data);

/* fn for the group's directory and all below it, deepest first. */
static void each_group(const char *dir, visit fn, void *data)
{
    char *roots[] = {(char *)(uintptr_t)dir, NULL};
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    FTSENT *e;
    while (tree != NULL && (e = fts_read(tree)) != NULL) {
        if (e->fts_info == FTS_DP) {
            fn(e->fts_path, data);
        }
    }
    if (tree != NULL) {
        fts_close(tree);
    }
}

static void each_hierarchy(const struct cgroup_info *c, const char *path, visit fn, void *data)
{
    char dir[PATH_MAX];
    struct dirent *e;
    DIR *d;
    if (c->v2) {
        name(dir, "", path, "");
        each_group(dir, fn, data);
        return;
    }
    d = opendir(ROOT);
    while (d != NULL && (e = readdir(d)) != NULL) {
        if (e->d_type == DT_DIR && e->d_name[0] != '.') {
            name(dir, e->d_name, path, "");
            each_group(dir, fn, data);
        }
    }
    if (d != NULL) {
        closedir(d);
    }
}

static void remove_one(const char *dir, void *data)
{
    bool *busy = data;
    if (rmdir(dir) != 0 && errno == EBUSY) {
        *busy = true;
    }
}

int cgroup_remove(const struct cgroup_info *c, const char *path, struct err *err)
{
    for (int i = 0; i < TRIES; i++) {
        struct timespec pause = {0, 10000000};
        bool busy = false;
        each_hierarchy(c, path, remove_one, &busy);
        if (!busy) {
            return 0;
        }
        nanosleep(&pause, NULL); /* The killed need a moment to go. */
    }
    return err_set(err, ERR_BUSY, "cgroup %s still has processes", path);
}

static void kill_one(const char *dir, void *data)
{
    char file[PATH_MAX];
    struct buf b;
    struct str rest;
    (void)data;
    if ((size_t)snprintf(file, sizeof file, "%s/cgroup.procs", dir) >= sizeof file) {
        return;
    }
    buf_init(&b, sysmem(), 1u << 20);
    if (file_read(AT_FDCWD, file, &b, NULL) == 0) {
        rest = str_make((const char *)b.data, b.len);
        while (rest.n > 0) {
            uint64_t pid;
            struct str line = str_cut(rest, '\n', &rest);
            if (str_u64(line, &pid) && pid > 1 && pid <= INT_MAX) {
                kill((pid_t)pid, SIGKILL);
            }
        }
    }
    buf_close(&b);
}

/* Version 2 has it as one act, which no fork escapes; since Linux 5.14. */
static bool kill_at_once(const struct cgroup_info *c, const char *path)
{
    char file[PATH_MAX];
    name(file, "", path, "cgroup.kill");
    return c->v2 && file_poke(AT_FDCWD, file, "1", NULL) == 0;
}

void cgroup_kill(const struct cgroup_info *c, const char *path)
{
    if (!kill_at_once(c, path)) {
        each_hierarchy(c, path, kill_one, NULL);
    }
}

int cgroup_purge(const struct cgroup_info *c, const char *parent, struct err *err)
{
    for (int i = 0; i < TRIES; i++) {
        struct timespec pause = {0, 10000000};
        bool busy = false;
        cgroup_kill(c, parent);
        each_hierarchy(c, parent, remove_one, &busy);
        if (!busy) {
            return 0;
        }
        nanosleep(&pause, NULL);
    }
    return err_set(err, ERR_BUSY, "cgroup %s still has processes", parent);
}

/* --- census
 * ---------------------------------------------------------------------------------------- */

static void look_for_process(const char *dir, void *data)
{
    bool *found = data;
    char file[PATH_MAX];
    char byte;
    int fd;
    if (*found || (size_t)snprintf(file, sizeof file, "%s/cgroup.procs", dir) >= sizeof file) {
        return;
    }
    fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        *found = read(fd, &byte, 1) == 1;
        close(fd);
    }
}

/* On version 1 every process is in some group of every hierarchy; one of them will do. */
static int open_parent(const struct cgroup_info *c, const char *parent, char path[PATH_MAX],
                       DIR **ret, struct err *err)
{
    static const char *const hierarchies[] = {"pids", "memory", "freezer", "cpu"};
    size_t n = c->v2 ? 1 : sizeof hierarchies / sizeof hierarchies[0];
    for (size_t i = 0; i < n; i++) {
        name(path, c->v2 ? "" : hierarchies[i], parent, "");
        *ret = opendir(path);
        if (*ret != NULL || errno != ENOENT) {
            break;
        }
    }
    return *ret != NULL || errno == ENOENT ? 0
                                           : err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
}

int cgroup_census(const struct cgroup_info *c, const char *parent, struct arena *arena,
                  struct str **ret, size_t *ret_n, struct err *err)
{
    char path[PATH_MAX];
    char group[PATH_MAX];
    struct dirent *e;
    DIR *d = NULL;
    size_t cap = 64;
    int rv = open_parent(c, parent, path, &d, err);
    *ret = arena_array(arena, cap, sizeof **ret);
    *ret_n = 0;
    while (d != NULL && (e = readdir(d)) != NULL) {
        bool found = false;
        if (e->d_type != DT_DIR || e->d_name[0] == '.' ||
            (size_t)snprintf(group, sizeof group, "%s/%s", path, e->d_name) >= sizeof group) {
            continue;
        }
        each_group(group, look_for_process, &found);
        if (!found) {
            continue;
        }
        if (*ret_n == cap) {
            struct str *more = arena_array(arena, 2 * cap, sizeof *more);
            memcpy(more, *ret, cap * sizeof *more);
            *ret = more;
            cap *= 2;
        }
        (*ret)[(*ret_n)++] = str_of(arena_strdup(arena, e->d_name));
    }
    if (d != NULL) {
        closedir(d);
    }
    return rv;
}

/* --- counters
 * -------------------------------------------------------------------------------------- */

static uint64_t number(const char *controller, const char *path, const char *file)
{
    char full[PATH_MAX];
    unsigned long long n = 0;
    name(full, controller, path, file);
    return file_u64(AT_FDCWD, full, &n, NULL) == 0 ? n : 0;
}

/* The number after key in a file of "key number" lines. */
static uint64_t keyed(const char *controller, const char *path, const char *file, const char *key)
{
    char full[PATH_MAX];
    char text[4096];
    const char *at = text;
    size_t len = strlen(key);
    ssize_t n;
    int fd;
    name(full, controller, path, file);
    fd = open(full, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return 0;
    }
    n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    while (at != NULL && !(strncmp(at, key, len) == 0 && at[len] == ' ')) {
        at = strchr(at, '\n');
        at = at == NULL ? NULL : at + 1;
    }
    return at == NULL ? 0 : strtoull(at + len + 1, NULL, 10);
}

static uint64_t minus(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

static uint64_t limit_of(uint64_t bytes)
{
    return bytes >= 1ull << 62 ? 0 : bytes; /* Both versions have huge numbers for "none". */
}

int cgroup_stats(const struct cgroup_info *c, const char *path, struct exec_stats *ret,
                 struct err *err)
{
    char dir[PATH_MAX];
    name(dir, c->v2 ? "" : "memory", path, "");
    if (access(dir, F_OK) != 0) {
        return err_set(err, ERR_NOTFOUND, "no cgroup %s", path);
    }
    if (c->v2) {
        ret->cpu_ns = keyed("", path, "cpu.stat", "usage_usec") * 1000;
        ret->memory_bytes = minus(number("", path, "memory.current"),
                                  keyed("", path, "memory.stat", "inactive_file"));
        ret->memory_limit_bytes = limit_of(number("", path, "memory.max"));
        ret->memory_peak_bytes = number("", path, "memory.peak");
        ret->n_pids = (uint32_t)number("", path, "pids.current");
        ret->n_oom_kills = (uint32_t)keyed("", path, "memory.events", "oom_kill");
        return 0;
    }
    ret->cpu_ns = number("cpuacct", path, "cpuacct.usage");
    ret->memory_bytes = minus(number("memory", path, "memory.usage_in_bytes"),
                              keyed("memory", path, "memory.stat", "total_inactive_file"));
    ret->memory_limit_bytes = limit_of(number("memory", path, "memory.limit_in_bytes"));
    ret->memory_peak_bytes = number("memory", path, "memory.max_usage_in_bytes");
    ret->n_pids = (uint32_t)number("pids", path, "pids.current");
    ret->n_oom_kills = (uint32_t)keyed("memory", path, "memory.oom_control", "oom_kill");
    return 0;
}
