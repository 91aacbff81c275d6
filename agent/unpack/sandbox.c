#include "agent/unpack/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CAPS                                                                          \
    (1u << CAP_CHOWN | 1u << CAP_DAC_OVERRIDE | 1u << CAP_FOWNER | 1u << CAP_FSETID | \
     1u << CAP_SETFCAP)

static int sys_error(struct err *err, const char *what)
{
    return err_set(err, ERR_DENIED, "sandbox: %s: %s", what, strerror(errno));
}

/* dir becomes /, everything else is unmounted from this namespace. */
static int enter_dir(const char *dir, struct err *err)
{
    if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC) != 0) {
        return sys_error(err, "unshare");
    }
    if (mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount(dir, dir, NULL, MS_BIND, NULL) != 0 ||
        mount("", dir, NULL, MS_REMOUNT | MS_BIND | MS_NODEV | MS_NOSUID | MS_NOEXEC, NULL) != 0) {
        return sys_error(err, dir);
    }
    if (chdir(dir) != 0 || syscall(SYS_pivot_root, ".", ".") != 0 ||
        umount2(".", MNT_DETACH) != 0 || chdir("/") != 0) {
        return sys_error(err, "pivot_root");
    }
    return 0;
}

static int drop_privileges(uid_t uid, struct err *err)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{CAPS, CAPS, 0}, {0, 0, 0}};
    for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
        if ((cap >= 32 || (CAPS & 1u << cap) == 0) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0) {
            return sys_error(err, "capability bounding set");
        }
    }
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0 || setgroups(0, NULL) != 0 ||
        setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0) {
        return sys_error(err, "change user");
    }
    if (syscall(SYS_capset, &header, data) != 0) {
        return sys_error(err, "capset");
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
        return sys_error(err, "prctl");
    }
    return 0;
}

/* What libarchive and libc need to turn bytes into files. */
static const char *const syscalls[] = {
    "read",
    "write",
    "readv",
    "writev",
    "pread64",
    "lseek",
    "close",
    "open",
    "openat",
    "creat",
    "stat",
    "lstat",
    "fstat",
    "newfstatat",
    "statx",
    "mkdir",
    "mkdirat",
    "mknod",
    "mknodat",
    "link",
    "linkat",
    "symlink",
    "symlinkat",
    "unlink",
    "unlinkat",
    "rmdir",
    "rename",
    "renameat",
    "renameat2",
    "readlink",
    "readlinkat",
    "chmod",
    "fchmod",
    "fchmodat",
    "chown",
    "fchown",
    "lchown",
    "fchownat",
    "utime",
    "utimes",
    "utimensat",
    "futimesat",
    "setxattr",
    "lsetxattr",
    "fsetxattr",
    "getxattr",
    "lgetxattr",
    "fgetxattr",
    "listxattr",
    "llistxattr",
    "flistxattr",
    "removexattr",
    "fremovexattr",
    "lremovexattr",
    "ftruncate",
    "truncate",
    "fallocate",
    "fcntl",
    "ioctl",
    "dup",
    "dup2",
    "umask",
    "access",
    "faccessat",
    "faccessat2",
    "getdents64",
    "chdir",
    "fchdir",
    "getcwd",
    "fsync",
    "fdatasync",
    "syncfs",
    "fstatfs",
    "statfs",
    "brk",
    "mmap",
    "munmap",
    "mremap",
    "mprotect",
    "madvise",
    "futex",
    "exit",
    "exit_group",
    "rt_sigreturn",
    "rt_sigaction",
    "rt_sigprocmask",
    "sigaltstack",
    "getpid",
    "gettid",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "clock_gettime",
    "gettimeofday",
    "getrandom",
    "sched_yield",
    "restart_syscall",
    "tgkill",
    "uname",
    "sched_getaffinity",
    "prlimit64",
    "rseq",
    "copy_file_range",
};

static int filter_syscalls(struct err *err)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int rv = ctx == NULL ? -ENOMEM : 0;
    for (size_t i = 0; rv == 0 && i < sizeof syscalls / sizeof syscalls[0]; i++) {
        int nr = seccomp_syscall_resolve_name(syscalls[i]);
        if (nr >= 0) { /* Some exist on some machines only. */
            rv = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 0);
        }
    }
    if (rv == 0) {
        rv = seccomp_load(ctx);
    }
    seccomp_release(ctx);
    return rv == 0 ? 0 : err_set(err, ERR_DENIED, "sandbox: seccomp: %s", strerror(-rv));
}

int sandbox_enter(const char *dir, uid_t uid, struct err *err)
{
    int rv = enter_dir(dir, err);
    if (rv == 0) {
        rv = drop_privileges(uid, err);
    }
    if (rv == 0) {
        rv = filter_syscalls(err);
    }
    return rv;
}
