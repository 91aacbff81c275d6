#include "agent/shim/setup.h"

#include "agent/shim/protocol.h"
#include "agent/shim/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CGROUP_ROOT "/sys/fs/cgroup"
#define RUNTIME_LOG "runtime.log"
#define EXEC_TRIES  100
#define PID_FILE    "pid"

static int sys_error(struct err *err, const char *what)
{
    return err_set(err, ERR_IO, "%s: %s", what, strerror(errno));
}

/* crun 1.8 refuses cgroup v1 beside a cgroup2 mount that has controllers. In our own mount
 * namespace that mount can go; a pure v2 system is left as it is. */
static int hide_hybrid(struct err *err)
{
    struct statfs fs;
    if (statfs(CGROUP_ROOT, &fs) != 0 || fs.f_type == CGROUP2_SUPER_MAGIC) {
        return 0;
    }
    if (statfs(CGROUP_ROOT "/unified", &fs) != 0 || fs.f_type != CGROUP2_SUPER_MAGIC) {
        return 0;
    }
    if (umount2(CGROUP_ROOT "/unified", MNT_DETACH) != 0) {
        return sys_error(err, "umount " CGROUP_ROOT "/unified");
    }
    return 0;
}

/* Slave, not private: what the node unmounts later must not stay busy because of us. */
int setup_mounts(struct err *err)
{
    if (unshare(CLONE_NEWNS) != 0) {
        return sys_error(err, "unshare(CLONE_NEWNS)");
    }
    if (mount("", "/", NULL, MS_REC | MS_SLAVE, NULL) != 0) {
        return sys_error(err, "make mounts slave");
    }
    return hide_hybrid(err);
}

/* "net.ipv4.x=1": /proc/sys/net shows the namespace of the reader, which is new. */
static int set_sysctl(const char *setting, struct err *err)
{
    char path[256] = "/proc/sys/";
    const char *value = strchr(setting, '=');
    size_t at = strlen(path);
    int fd;
    int rv = 0;
    if (value == NULL || (size_t)(value - setting) >= sizeof path - at ||
        strncmp(setting, "net.", 4) != 0) {
        return err_set(err, ERR_INVALID, "sysctl %s: only net.* belongs here", setting);
    }
    for (const char *p = setting; p < value; p++, at++) {
        path[at] = '/';
        if (*p != '.') {
            path[at] = *p;
        }
    }
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, value + 1, strlen(value + 1)) < 0) {
        rv = err_set(err, ERR_INVALID, "sysctl %s: %s", setting, strerror(errno));
    }
    if (fd >= 0) {
        close(fd);
    }
    return rv;
}

int setup_container(const struct setup *s, struct err *err)
{
    int rv = 0;
    if (s->net && unshare(CLONE_NEWNET) != 0) {
        return sys_error(err, "unshare(CLONE_NEWNET)");
    }
    for (unsigned i = 0; rv == 0 && i < s->n_sysctls; i++) {
        rv = set_sysctl(s->sysctls[i], err);
    }
    if (rv == 0 && s->lower != NULL) {
        rv = rootfs_mount(s, err);
    }
    return rv;
}

void setup_unprotect(void)
{
    char sign = '0';
    int fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
    if (fd >= 0) {
        if (read(fd, &sign, 1) == 1 && sign == '-' && pwrite(fd, "0", 1, 0) < 0) {
            errno = 0; /* Then it stays; no reason not to run. */
        }
        close(fd);
    }
}

/* Become argv with the given output. Only async-signal-safe calls. */
static void child_exec(char *const argv[], int out, int log)
{
    sigset_t none;
    int null = open("/dev/null", O_RDWR);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    setup_unprotect();
    if (null >= 0 && dup2(null, 0) >= 0 && dup2(out >= 0 ? out : null, 1) >= 0 &&
        dup2(log >= 0 ? log : null, 2) >= 0) {
        close_range(3, ~0u, 0); /* CVE-2024-21626: nothing of ours is there to walk out through. */
        execvp(argv[0], argv);
    }
    _exit(127);
}

/* Run to its end; the exit status, 128 + n after signal n, or -1. */
static int run(char *const argv[], int out, int log)
{
    int status;
    pid_t got;
    pid_t pid = fork();
    if (pid == 0) {
        child_exec(argv, out, log);
    }
    if (pid < 0) {
        return -1;
    }
    do {
        got = waitpid(pid, &status, 0);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return -1;
    }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Up to size - 1 bytes of a small file; "" when there is none. */
static size_t slurp(const char *path, char *ret, size_t size)
{
    ssize_t n = -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        n = read(fd, ret, size - 1);
        close(fd);
    }
    ret[n < 0 ? 0 : n] = '\0';
    return n < 0 ? 0 : (size_t)n;
}

/* What the runtime logged, as one line. */
static int runtime_error(const struct setup *s, int status, struct err *err)
{
    char text[400];
    size_t n = slurp(RUNTIME_LOG, text, sizeof text);
    while (n > 0 && (unsigned char)text[n - 1] <= ' ') {
        text[--n] = '\0';
    }
    for (size_t i = 0; i < n; i++) {
        if ((unsigned char)text[i] < ' ') {
            text[i] = ' ';
        }
    }
    return err_set(err, ERR_IO, "%s run: exit status %d: %s", s->runtime, status, text);
}

/* The runtime returns when it has told the container's process to go, which then still is the
 * runtime for a moment: nobody can join its namespaces from a user namespace yet, and a command
 * run at once would fail. After exec the process is dumpable, and /proc shows it as its user's; a
 * program its user may not read never is, hence the limit. */
static void await_exec(const struct setup *s, pid_t pid)
{
    char path[32];
    struct stat st;
    snprintf(path, sizeof path, "/proc/%d", (int)pid);
    for (int i = 0; i < EXEC_TRIES; i++) {
        struct timespec pause = {0, 500000};
        if (stat(path, &st) != 0 || st.st_uid == s->uid) {
            return;
        }
        nanosleep(&pause, NULL);
    }
}

int setup_run(const struct setup *s, int out, int log, pid_t *ret, struct err *err)
{
    char *argv[] = {(char *)(uintptr_t)s->runtime,
                    "--root",
                    (char *)(uintptr_t)s->runtime_root,
                    "--log",
                    RUNTIME_LOG,
                    "run",
                    "--detach",
                    "--bundle",
                    s->uid_base != 0 ? SHIM_ALIAS : ".",
                    "--pid-file",
                    PID_FILE,
                    (char *)(uintptr_t)s->id,
                    NULL};
    char text[32];
    long pid;
    int status = run(argv, out, log);
    if (status != 0) {
        return runtime_error(s, status, err);
    }
    slurp(PID_FILE, text, sizeof text);
    pid = strtol(text, NULL, 10);
    if (pid <= 1) {
        return err_set(err, ERR_IO, "%s wrote no process id", s->runtime);
    }
    if (s->uid_base != 0) {
        await_exec(s, (pid_t)pid);
    }
    *ret = (pid_t)pid;
    return 0;
}

void setup_delete(const struct setup *s)
{
    char *argv[] = {(char *)(uintptr_t)s->runtime,
                    "--root",
                    (char *)(uintptr_t)s->runtime_root,
                    "--log",
                    RUNTIME_LOG,
                    "delete",
                    "--force",
                    (char *)(uintptr_t)s->id,
                    NULL};
    (void)run(argv, -1, -1); /* The agent removes again what this may leave. */
}

/* cgroup v1 keeps the counter in memory.oom_control, v2 in memory.events; same words. */
unsigned long setup_oom_kills(const struct setup *s)
{
    char path[PATH_MAX];
    char text[512];
    const char *at;
    snprintf(path, sizeof path, CGROUP_ROOT "/memory%s/memory.oom_control", s->cgroup);
    if (slurp(path, text, sizeof text) == 0) {
        snprintf(path, sizeof path, CGROUP_ROOT "%s/memory.events", s->cgroup);
        slurp(path, text, sizeof text);
    }
    at = strstr(text, "oom_kill ");
    return at == NULL ? 0 : strtoul(at + strlen("oom_kill "), NULL, 10);
}

unsigned long long setup_start_time(pid_t pid)
{
    char path[64];
    char text[1024];
    const char *at;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (slurp(path, text, sizeof text) == 0 || (at = strrchr(text, ')')) == NULL) {
        return 0;
    }
    for (int field = 2; field < 22; field++) { /* ')' ends field 2. */
        at = strchr(at + 1, ' ');
        if (at == NULL) {
            return 0;
        }
    }
    return strtoull(at + 1, NULL, 10);
}
