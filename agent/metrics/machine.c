#include "agent/metrics/machine.h"

#include "common/base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define FILE_MAX 16384 /* /proc/stat of a large machine; the first lines are enough. */
#define PATH_LEN 4096

/* The start of a file as a C string. */
static int read_text(const char *root, const char *path, char *ret, size_t size, struct err *err)
{
    char full[PATH_LEN];
    size_t n = 0;
    int fd;
    if (snprintf(full, sizeof full, "%s%s", root, path) >= (int)sizeof full) {
        return err_set(err, ERR_TOOBIG, "%s: path too long", path);
    }
    fd = open(full, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return err_set(err, errno == ENOENT ? ERR_NOTFOUND : ERR_IO, "%s: %s", full,
                       strerror(errno));
    }
    while (n < size - 1) {
        ssize_t got = read(fd, ret + n, size - 1 - n);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            break;
        }
        n += (size_t)got;
    }
    (void)close(fd);
    ret[n] = '\0';
    return 0;
}

/* The next word of *rest, as a number. */
static bool next_number(struct str *rest, uint64_t *ret)
{
    struct str word;
    while (rest->n > 0 && (rest->p[0] == ' ' || rest->p[0] == '\t' || rest->p[0] == '\n')) {
        *rest = str_slice(*rest, 1, rest->n);
    }
    word = str_slice(*rest, 0, str_find(*rest, ' ', 0));
    word = str_slice(word, 0, str_find(word, '\n', 0));
    *rest = str_slice(*rest, word.n, rest->n);
    return str_u64(word, ret);
}

/* --- memory -------------------------------------------------------------------------------------
 */

/* "MemTotal:   16303428 kB" */
static bool meminfo_kib(const char *text, const char *key, uint64_t *ret)
{
    struct str rest = str_of(text);
    while (rest.n > 0) {
        struct str line = str_cut(rest, '\n', &rest);
        if (str_starts(line, key)) {
            struct str value = str_slice(line, strlen(key), line.n);
            return next_number(&value, ret);
        }
    }
    return false;
}

static int read_meminfo(const char *root, uint64_t *ret_total_mib, uint64_t *ret_free_mib,
                        struct err *err)
{
    char text[FILE_MAX];
    uint64_t total;
    uint64_t available;
    int rv = read_text(root, "/proc/meminfo", text, sizeof text, err);
    if (rv != 0) {
        return rv;
    }
    if (!meminfo_kib(text, "MemTotal:", &total) ||
        !meminfo_kib(text, "MemAvailable:", &available)) {
        return err_set(err, ERR_IO, "/proc/meminfo: no MemTotal or MemAvailable");
    }
    *ret_total_mib = total / 1024;
    *ret_free_mib = available / 1024;
    return 0;
}

/* --- processors ---------------------------------------------------------------------------------
 */

/* "0-3,8,10-11" */
static uint64_t count_cpus(struct str list)
{
    uint64_t n = 0;
    while (list.n > 0) {
        struct str range = str_cut(list, ',', &list);
        struct str last;
        struct str first;
        uint64_t a;
        uint64_t b;
        range = str_slice(range, 0, str_find(range, '\n', 0));
        first = str_cut(range, '-', &last);
        if (!str_u64(first, &a)) {
            return 0;
        }
        if (!str_u64(last, &b)) {
            b = a;
        }
        n += b >= a ? b - a + 1 : 0;
    }
    return n;
}

static int read_cpus(const char *root, uint64_t *ret, struct err *err)
{
    char text[FILE_MAX];
    int rv = read_text(root, "/sys/devices/system/cpu/online", text, sizeof text, err);
    if (rv != 0) {
        return rv;
    }
    *ret = count_cpus(str_of(text));
    return *ret > 0 ? 0
                    : err_set(err, ERR_IO, "/sys/devices/system/cpu/online: '%s' is no list", text);
}

/* --- cgroup limits ------------------------------------------------------------------------------
 */

struct limits {
    uint64_t cpu_units; /* UINT64_MAX: none. */
    uint64_t memory_mib;
};

static void lower(uint64_t *limit, uint64_t to)
{
    if (to < *limit) {
        *limit = to;
    }
}

static bool read_limit(const char *root, const char *mount, const char *dir, const char *name,
                       char *ret, size_t size)
{
    char path[PATH_LEN];
    int n = snprintf(path, sizeof path, "/sys/fs/cgroup%s%s/%s", mount, dir, name);
    return n < (int)sizeof path && read_text(root, path, ret, size, NULL) == 0;
}

/* "max 100000" or "50000 100000": microseconds per period. */
static void cpu_max(const char *text, struct limits *l)
{
    struct str rest = str_of(text);
    uint64_t quota;
    uint64_t period;
    if (next_number(&rest, &quota) && next_number(&rest, &period) && period > 0) {
        lower(&l->cpu_units, quota * MACHINE_UNITS_PER_CPU / period);
    }
}

static void memory_max(const char *text, struct limits *l)
{
    struct str rest = str_of(text);
    uint64_t bytes;
    if (next_number(&rest, &bytes)) { /* "max" is no number; v1's "none" is larger than any. */
        lower(&l->memory_mib, bytes >> 20);
    }
}

static void limits_here(const char *root, const char *dir, struct limits *l)
{
    static const char *const v2[] = {"", "/unified"};
    char text[128];
    char period[64];
    char both[sizeof text + sizeof period];
    for (size_t i = 0; i < sizeof v2 / sizeof v2[0]; i++) {
        if (read_limit(root, v2[i], dir, "cpu.max", text, sizeof text)) {
            cpu_max(text, l);
        }
        if (read_limit(root, v2[i], dir, "memory.max", text, sizeof text)) {
            memory_max(text, l);
        }
    }
    if (read_limit(root, "/cpu", dir, "cpu.cfs_quota_us", text, sizeof text) &&
        read_limit(root, "/cpu", dir, "cpu.cfs_period_us", period, sizeof period)) {
        (void)snprintf(both, sizeof both, "%s %s", text, period); /* "-1" is no number. */
        cpu_max(both, l);
    }
    if (read_limit(root, "/memory", dir, "memory.limit_in_bytes", text, sizeof text)) {
        memory_max(text, l);
    }
}

/* Limits hold for everything below them: look from the own group up to the root. */
static void limits_upward(const char *root, struct str dir, struct limits *l)
{
    char path[PATH_LEN];
    if (!str_copy(path, sizeof path, dir)) {
        return;
    }
    for (;;) {
        char *slash = strrchr(path, '/');
        limits_here(root, path, l);
        if (slash == NULL) {
            return;
        }
        *slash = '\0';
    }
}

static void read_limits(const char *root, struct limits *l)
{
    char text[FILE_MAX];
    struct str rest;
    if (read_text(root, "/proc/self/cgroup", text, sizeof text, NULL) != 0) {
        return; /* No cgroups, no limits. */
    }
    rest = str_of(text);
    while (rest.n > 0) { /* "4:memory:/user.slice" or, v2, "0::/user.slice" */
        struct str line = str_cut(rest, '\n', &rest);
        struct str controllers;
        struct str dir;
        (void)str_cut(line, ':', &controllers);
        controllers = str_cut(controllers, ':', &dir);
        if (controllers.n == 0 || str_starts(controllers, "cpu") ||
            str_eqc(controllers, "memory")) {
            limits_upward(root, str_eqc(dir, "/") ? STR("") : dir, l);
        }
    }
}

/* --- the whole ----------------------------------------------------------------------------------
 */

int machine_read(const char *root, struct machine *ret, struct err *err)
{
    struct limits limits = {UINT64_MAX, UINT64_MAX};
    struct machine m;
    struct utsname uts;
    uint64_t cpus;
    uint64_t free_mib;
    int rv;
    memset(&m, 0, sizeof m);
    rv = read_cpus(root, &cpus, err);
    rv = rv != 0 ? rv : read_meminfo(root, &limits.memory_mib, &free_mib, err);
    if (rv == 0 && uname(&uts) != 0) {
        rv = err_set(err, ERR_IO, "uname: %s", strerror(errno));
    }
    if (rv != 0) {
        return rv;
    }
    limits.cpu_units = cpus * MACHINE_UNITS_PER_CPU;
    read_limits(root, &limits);
    m.cpu_units = (uint32_t)limits.cpu_units;
    m.memory_mib = (uint32_t)limits.memory_mib;
    (void)str_copy(m.architecture, sizeof m.architecture,
                   strcmp(uts.machine, "aarch64") == 0 ? STR("arm64") : str_of(uts.machine));
    (void)str_copy(m.kernel, sizeof m.kernel, str_of(uts.release));
    (void)str_copy(m.name, sizeof m.name, str_of(uts.nodename));
    *ret = m;
    return 0;
}

int machine_usage(const char *root, struct machine_usage *u, struct err *err)
{
    char text[512]; /* The first line: "cpu  user nice system idle iowait irq softirq steal ..." */
    struct str rest;
    uint64_t v[8];
    uint64_t total = 0;
    uint64_t busy;
    uint64_t cpus;
    uint64_t memory;
    uint64_t free_mib;
    int rv = read_text(root, "/proc/stat", text, sizeof text, err);
    rv = rv != 0 ? rv : read_cpus(root, &cpus, err);
    rv = rv != 0 ? rv : read_meminfo(root, &memory, &free_mib, err);
    if (rv != 0) {
        return rv;
    }
    rest = str_slice(str_of(text), 4, sizeof text);
    for (int i = 0; i < 8; i++) {
        if (!next_number(&rest, &v[i])) {
            return err_set(err, ERR_IO, "/proc/stat: the first line makes no sense");
        }
        total += v[i];
    }
    busy = total - v[3] - v[4];
    u->cpu_used = 0;
    if (u->total > 0 && total > u->total && busy >= u->busy) {
        u->cpu_used =
            (uint32_t)((busy - u->busy) * cpus * MACHINE_UNITS_PER_CPU / (total - u->total));
    }
    u->busy = busy;
    u->total = total;
    u->memory_used_mib = (uint32_t)(memory - (free_mib < memory ? free_mib : memory));
    return 0;
}
