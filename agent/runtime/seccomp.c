#include "agent/runtime/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define PROGRAM_MAX 65536
#define PADDING     64 /* The digit after the last. */

static const char *const allowed[] = {
    "accept",
    "accept4",
    "access",
    "adjtimex",
    "alarm",
    "bind",
    "brk",
    "cachestat",
    "capget",
    "capset",
    "chdir",
    "chmod",
    "chown",
    "chown32",
    "clock_adjtime",
    "clock_adjtime64",
    "clock_getres",
    "clock_getres_time64",
    "clock_gettime",
    "clock_gettime64",
    "clock_nanosleep",
    "clock_nanosleep_time64",
    "close",
    "close_range",
    "connect",
    "copy_file_range",
    "creat",
    "dup",
    "dup2",
    "dup3",
    "epoll_create",
    "epoll_create1",
    "epoll_ctl",
    "epoll_ctl_old",
    "epoll_pwait",
    "epoll_pwait2",
    "epoll_wait",
    "epoll_wait_old",
    "eventfd",
    "eventfd2",
    "execve",
    "execveat",
    "exit",
    "exit_group",
    "faccessat",
    "faccessat2",
    "fadvise64",
    "fadvise64_64",
    "fallocate",
    "fanotify_mark",
    "fchdir",
    "fchmod",
    "fchmodat",
    "fchmodat2",
    "fchown",
    "fchown32",
    "fchownat",
    "fcntl",
    "fcntl64",
    "fdatasync",
    "fgetxattr",
    "flistxattr",
    "flock",
    "fork",
    "fremovexattr",
    "fsetxattr",
    "fstat",
    "fstat64",
    "fstatat64",
    "fstatfs",
    "fstatfs64",
    "fsync",
    "ftruncate",
    "ftruncate64",
    "futex",
    "futex_requeue",
    "futex_time64",
    "futex_wait",
    "futex_waitv",
    "futex_wake",
    "futimesat",
    "getcpu",
    "getcwd",
    "getdents",
    "getdents64",
    "getegid",
    "getegid32",
    "geteuid",
    "geteuid32",
    "getgid",
    "getgid32",
    "getgroups",
    "getgroups32",
    "getitimer",
    "getpeername",
    "getpgid",
    "getpgrp",
    "getpid",
    "getppid",
    "getpriority",
    "getrandom",
    "getresgid",
    "getresgid32",
    "getresuid",
    "getresuid32",
    "getrlimit",
    "get_robust_list",
    "getrusage",
    "getsid",
    "getsockname",
    "getsockopt",
    "get_thread_area",
    "gettid",
    "gettimeofday",
    "getuid",
    "getuid32",
    "getxattr",
    "inotify_add_watch",
    "inotify_init",
    "inotify_init1",
    "inotify_rm_watch",
    "io_cancel",
    "ioctl",
    "io_destroy",
    "io_getevents",
    "io_pgetevents",
    "io_pgetevents_time64",
    "ioprio_get",
    "ioprio_set",
    "io_setup",
    "io_submit",
    "ipc",
    "kill",
    "landlock_add_rule",
    "landlock_create_ruleset",
    "landlock_restrict_self",
    "lchown",
    "lchown32",
    "lgetxattr",
    "link",
    "linkat",
    "listen",
    "listxattr",
    "llistxattr",
    "_llseek",
    "lremovexattr",
    "lseek",
    "lsetxattr",
    "lstat",
    "lstat64",
    "madvise",
    "map_shadow_stack",
    "membarrier",
    "memfd_create",
    "memfd_secret",
    "mincore",
    "mkdir",
    "mkdirat",
    "mknod",
    "mknodat",
    "mlock",
    "mlock2",
    "mlockall",
    "mmap",
    "mmap2",
    "mprotect",
    "mq_getsetattr",
    "mq_notify",
    "mq_open",
    "mq_timedreceive",
    "mq_timedreceive_time64",
    "mq_timedsend",
    "mq_timedsend_time64",
    "mq_unlink",
    "mremap",
    "msgctl",
    "msgget",
    "msgrcv",
    "msgsnd",
    "msync",
    "munlock",
    "munlockall",
    "munmap",
    "name_to_handle_at",
    "nanosleep",
    "newfstatat",
    "_newselect",
    "open",
    "openat",
    "openat2",
    "pause",
    "pidfd_getfd",
    "pidfd_open",
    "pidfd_send_signal",
    "pipe",
    "pipe2",
    "pkey_alloc",
    "pkey_free",
    "pkey_mprotect",
    "poll",
    "ppoll",
    "ppoll_time64",
    "prctl",
    "pread64",
    "preadv",
    "preadv2",
    "prlimit64",
    "process_mrelease",
    "process_vm_readv",
    "process_vm_writev",
    "pselect6",
    "pselect6_time64",
    "ptrace",
    "pwrite64",
    "pwritev",
    "pwritev2",
    "read",
    "readahead",
    "readlink",
    "readlinkat",
    "readv",
    "recv",
    "recvfrom",
    "recvmmsg",
    "recvmmsg_time64",
    "recvmsg",
    "remap_file_pages",
    "removexattr",
    "rename",
    "renameat",
    "renameat2",
    "restart_syscall",
    "rmdir",
    "rseq",
    "rt_sigaction",
    "rt_sigpending",
    "rt_sigprocmask",
    "rt_sigqueueinfo",
    "rt_sigreturn",
    "rt_sigsuspend",
    "rt_sigtimedwait",
    "rt_sigtimedwait_time64",
    "rt_tgsigqueueinfo",
    "sched_getaffinity",
    "sched_getattr",
    "sched_getparam",
    "sched_get_priority_max",
    "sched_get_priority_min",
    "sched_getscheduler",
    "sched_rr_get_interval",
    "sched_rr_get_interval_time64",
    "sched_setaffinity",
    "sched_setattr",
    "sched_setparam",
    "sched_setscheduler",
    "sched_yield",
    "seccomp",
    "select",
    "semctl",
    "semget",
    "semop",
    "semtimedop",
    "semtimedop_time64",
    "send",
    "sendfile",
    "sendfile64",
    "sendmmsg",
    "sendmsg",
    "sendto",
    "setfsgid",
    "setfsgid32",
    "setfsuid",
    "setfsuid32",
    "setgid",
    "setgid32",
    "setgroups",
    "setgroups32",
    "setitimer",
    "setpgid",
    "setpriority",
    "setregid",
    "setregid32",
    "setresgid",
    "setresgid32",
    "setresuid",
    "setresuid32",
    "setreuid",
    "setreuid32",
    "setrlimit",
    "set_robust_list",
    "setsid",
    "setsockopt",
    "set_thread_area",
    "set_tid_address",
    "setuid",
    "setuid32",
    "setxattr",
    "shmat",
    "shmctl",
    "shmdt",
    "shmget",
    "shutdown",
    "sigaltstack",
    "signalfd",
    "signalfd4",
    "sigprocmask",
    "sigreturn",
    "socketcall",
    "socketpair",
    "splice",
    "stat",
    "stat64",
    "statfs",
    "statfs64",
    "statx",
    "symlink",
    "symlinkat",
    "sync",
    "sync_file_range",
    "syncfs",
    "sysinfo",
    "tee",
    "tgkill",
    "time",
    "timer_create",
    "timer_delete",
    "timer_getoverrun",
    "timer_gettime",
    "timer_gettime64",
    "timer_settime",
    "timer_settime64",
    "timerfd_create",
    "timerfd_gettime",
    "timerfd_gettime64",
    "timerfd_settime",
    "timerfd_settime64",
    "times",
    "tkill",
    "truncate",
    "truncate64",
    "ugetrlimit",
    "umask",
    "uname",
    "unlink",
    "unlinkat",
    "utime",
    "utimensat",
    "utimensat_time64",
    "utimes",
    "vfork",
    "vmsplice",
    "wait4",
    "waitid",
    "waitpid",
    "write",
    "writev",
    "arch_prctl",
    "modify_ldt",
    "set_mempolicy",
    "get_mempolicy",
    "mbind",
    "chroot",
};
#define N_ALLOWED (sizeof allowed / sizeof allowed[0])

/* personality(2): the harmless ones. */
static const uint64_t personalities[] = {0x0, 0x8, 0x20000, 0x20008, 0xffffffff};
#define N_PERSONALITIES (sizeof personalities / sizeof personalities[0])

/* Namespaces: not through clone either. */
#define CLONE_NEW_MASK 0x7e020000u

static int add_special(scmp_filter_ctx ctx)
{
    struct scmp_arg_cmp no_namespaces = {
        .arg = 0, .op = SCMP_CMP_MASKED_EQ, .datum_a = CLONE_NEW_MASK, .datum_b = 0};
    struct scmp_arg_cmp below_alg = {.arg = 0, .op = SCMP_CMP_LT, .datum_a = AF_ALG};
    int rv = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, &no_namespaces);
    if (rv == 0) {
        rv = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    }
    /* AF_ALG is 38, AF_VSOCK 40. Between and above them are AF_NFC and oddities. */
    if (rv == 0) {
        rv = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, &below_alg);
    }
    for (size_t i = 0; rv == 0 && i < N_PERSONALITIES; i++) {
        struct scmp_arg_cmp is = {.arg = 0, .op = SCMP_CMP_EQ, .datum_a = personalities[i]};
        rv = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(personality), 1, &is);
    }
    return rv;
}

static int build(scmp_filter_ctx ctx)
{
    /* A binary tree instead of a list: fewer comparisons for each system call. */
    int rv = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    for (size_t i = 0; rv == 0 && i < N_ALLOWED; i++) {
        int nr = seccomp_syscall_resolve_name(allowed[i]);
        if (nr >= 0) { /* Many exist on other machines only. */
            rv = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 0);
        }
    }
    return rv == 0 ? add_special(ctx) : rv;
}

static char *base64(const uint8_t *p, size_t n)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
    char *text = malloc(4 * ((n + 2) / 3) + 1);
    char *at = text;
    for (size_t i = 0; text != NULL && i < n; i += 3) {
        uint32_t v = (uint32_t)p[i] << 16 | (i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0) |
                     (i + 2 < n ? p[i + 2] : 0u);
        *at++ = digits[v >> 18];
        *at++ = digits[v >> 12 & 63];
        *at++ = digits[i + 1 < n ? v >> 6 & 63 : PADDING];
        *at++ = digits[i + 2 < n ? v & 63 : PADDING];
    }
    if (text != NULL) {
        *at = '\0';
    }
    return text;
}

/* libseccomp writes to files only. */
static int export_bpf(scmp_filter_ctx ctx, char **ret)
{
    uint8_t *program = malloc(PROGRAM_MAX);
    int fd = memfd_create("seccomp", MFD_CLOEXEC);
    ssize_t n = -1;
    int rv = program == NULL || fd < 0 ? -ENOMEM : seccomp_export_bpf(ctx, fd);
    if (rv == 0) {
        n = pread(fd, program, PROGRAM_MAX, 0);
        rv = n <= 0 ? -EIO : n == PROGRAM_MAX ? -E2BIG : 0;
    }
    if (rv == 0) {
        *ret = base64(program, (size_t)n);
        rv = *ret == NULL ? -ENOMEM : 0;
    }
    if (fd >= 0) {
        close(fd);
    }
    free(program);
    return rv;
}

int seccomp_compile(char **ret, struct err *err)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int rv = ctx == NULL ? -ENOMEM : build(ctx);
    if (rv == 0) {
        rv = export_bpf(ctx, ret);
    }
    seccomp_release(ctx);
    return rv == 0 ? 0 : err_set(err, ERR_INTERNAL, "seccomp: %s", strerror(-rv));
}

static json_t *rule(json_t *names, const char *action)
{
    return json_pack("{s:o, s:s}", "names", names, "action", action);
}

static json_t *with_arg(const char *name, uint64_t value, uint64_t value_two, const char *op)
{
    return json_pack("{s:[s], s:s, s:[{s:i, s:I, s:I, s:s}]}", "names", name, "action",
                     "SCMP_ACT_ALLOW", "args", "index", 0, "value", (json_int_t)value, "valueTwo",
                     (json_int_t)value_two, "op", op);
}

json_t *seccomp_config(void)
{
    json_t *rules = json_array();
    json_t *names = json_array();
    for (size_t i = 0; i < N_ALLOWED; i++) {
        json_array_append_new(names, json_string(allowed[i]));
    }
    json_array_append_new(rules, rule(names, "SCMP_ACT_ALLOW"));
    json_array_append_new(rules, with_arg("clone", CLONE_NEW_MASK, 0, "SCMP_CMP_MASKED_EQ"));
    json_array_append_new(rules, with_arg("socket", AF_ALG, 0, "SCMP_CMP_LT"));
    for (size_t i = 0; i < N_PERSONALITIES; i++) {
        json_array_append_new(rules, with_arg("personality", personalities[i], 0, "SCMP_CMP_EQ"));
    }
    json_array_append_new(rules, json_pack("{s:[s], s:s, s:i}", "names", "clone3", "action",
                                           "SCMP_ACT_ERRNO", "errnoRet", ENOSYS));
    return json_pack("{s:s, s:i, s:o}", "defaultAction", "SCMP_ACT_ERRNO", "defaultErrnoRet", EPERM,
                     "syscalls", rules);
}
