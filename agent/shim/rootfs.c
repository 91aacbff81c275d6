#include "agent/shim/rootfs.h"

#include "agent/shim/protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define OVERLAY_OPT 4000 /* One page is all that mount(2) takes. */
#define MAPPED      "layers"

static int sys_error(struct err *err, const char *what)
{
    return err_set(err, ERR_IO, "%s: %s", what, strerror(errno));
}

/* --- id-mapped mounts ----------------------------------------------------------------------------
 */

static int write_map(pid_t pid, const char *name, unsigned base, struct err *err)
{
    char path[64];
    char map[64];
    int rv = 0;
    int n = snprintf(map, sizeof map, "0 %u %d\n", base, ROOTFS_USERNS_SIZE);
    int fd;
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, map, (size_t)n) != n) {
        rv = sys_error(err, path);
    }
    if (fd >= 0) {
        close(fd);
    }
    return rv;
}

/* A user namespace with the container's map, kept by the descriptor alone. It takes a process to
 * make one; that one only waits to be killed. */
static int open_userns(unsigned base, int *ret, struct err *err)
{
    char path[64];
    int rv;
    pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);
    if (pid == 0) {
        for (;;) {
            pause();
        }
    }
    if (pid < 0) {
        return sys_error(err, "clone(CLONE_NEWUSER)");
    }
    rv = write_map(pid, "uid_map", base, err);
    if (rv == 0) {
        rv = write_map(pid, "gid_map", base, err);
    }
    if (rv == 0) {
        snprintf(path, sizeof path, "/proc/%d/ns/user", (int)pid);
        *ret = open(path, O_RDONLY | O_CLOEXEC);
        rv = *ret >= 0 ? 0 : sys_error(err, path);
    }
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
    }
    return rv;
}

/* Show directory from at directory to, owners shifted by the namespace's map. */
static int mount_mapped(const char *from, const char *to, int userns, struct err *err)
{
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (unsigned)userns};
    int rv = 0;
    int fd = open_tree(AT_FDCWD, from, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (fd < 0) {
        return sys_error(err, from);
    }
    if (mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof attr) != 0) {
        rv = err_set(err, ERR_UNSUPPORTED, "id-mapped mount of %s: %s", from, strerror(errno));
    } else if ((mkdir(to, 0755) != 0 && errno != EEXIST) ||
               move_mount(fd, "", AT_FDCWD, to, MOVE_MOUNT_F_EMPTY_PATH) != 0) {
        rv = sys_error(err, to);
    }
    close(fd);
    return rv;
}

/* Layers only: overlayfs writes to the upper directory as who mounted it, root, whom the map does
 * not know. What is above is the container's alone and simply belongs to its range. */
static int map_layers(const struct setup *s, struct err *err)
{
    int userns = -1;
    int rv = open_userns(s->uid_base, &userns, err);
    if (rv == 0) {
        rv = mount_mapped(s->layers, MAPPED, userns, err);
    }
    if (rv == 0 && chown("upper", s->uid_base, s->uid_base) != 0) {
        rv = sys_error(err, "chown upper");
    }
    if (userns >= 0) {
        close(userns);
    }
    return rv;
}

/* --- overlay
 * --------------------------------------------------------------------------------------- */

/* The upper directory dies with the container, so "volatile" saves every sync. userxattr: the
 * unpacker marks opaque directories without privileges. Layers are named relative to their
 * directory, to be short. */
static int mount_overlay(const struct setup *s, const char *layers, struct err *err)
{
    char options[OVERLAY_OPT];
    char target[PATH_MAX];
    int rv = 0;
    int n = snprintf(options, sizeof options,
                     "lowerdir=%s,upperdir=%s/upper,workdir=%s/work,userxattr,volatile", s->lower,
                     s->dir, s->dir);
    if (n < 0 || (size_t)n >= sizeof options ||
        snprintf(target, sizeof target, "%s/rootfs", s->dir) >= PATH_MAX) {
        return err_set(err, ERR_TOOBIG, "too many image layers for one mount");
    }
    if (chdir(layers) != 0) {
        return sys_error(err, layers);
    }
    if (mount("overlay", target, "overlay", MS_NODEV, options) != 0) {
        rv = sys_error(err, "mount overlay");
    }
    if (chdir(s->dir) != 0) {
        rv = sys_error(err, s->dir);
    }
    return rv;
}

/* --- alias
 * ------------------------------------------------------------------------------------------ */

static int bind_dir(const char *from, const char *to, struct err *err)
{
    if (mkdir(to, 0755) != 0 && errno != EEXIST) {
        return sys_error(err, to);
    }
    return mount(from, to, NULL, MS_BIND | MS_REC, NULL) == 0 ? 0 : sys_error(err, to);
}

/* This program, for containers that want an init process. */
static int bind_self(struct err *err)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    int fd = open(SHIM_INIT, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    if (n < 0 || fd < 0) {
        n = sys_error(err, SHIM_INIT);
    }
    if (fd >= 0) {
        close(fd);
    }
    if (n < 0) {
        return (int)n;
    }
    self[n] = '\0'; /* By name: the link itself leads to the mount namespace we came from. */
    return mount(self, SHIM_INIT, NULL, MS_BIND, NULL) == 0 ? 0 : sys_error(err, self);
}

/* sysfs shows the network namespace of who mounts it, and the container's user namespace does not
 * own that: the container gets a view of ours. */
static int mount_alias(const struct setup *s, struct err *err)
{
    int rv = 0;
    if (mount("sysfs", "sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) != 0) {
        return sys_error(err, "mount sysfs");
    }
    if (s->volumes != NULL) {
        rv = bind_dir(s->volumes, SHIM_VOLUMES, err);
    }
    if (rv == 0) {
        rv = bind_self(err);
    }
    if (rv == 0) { /* Last: it takes along all that is mounted below. */
        rv = bind_dir(".", SHIM_ALIAS, err);
    }
    return rv;
}

int rootfs_mount(const struct setup *s, struct err *err)
{
    int rv;
    if (s->uid_base == 0) {
        return mount_overlay(s, s->layers, err);
    }
    rv = map_layers(s, err);
    if (rv == 0) {
        rv = mount_overlay(s, MAPPED, err);
    }
    (void)umount2(MAPPED, MNT_DETACH); /* The overlay holds it. */
    return rv == 0 ? mount_alias(s, err) : rv;
}

int rootfs_reachable(const struct setup *s, struct err *err)
{
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) { /* As the container's root sees it from outside. */
        bool ok = setresgid(s->uid_base, s->uid_base, s->uid_base) == 0 &&
                  setresuid(s->uid_base, s->uid_base, s->uid_base) == 0 &&
                  access(SHIM_ALIAS "/rootfs", R_OK | X_OK) == 0 &&
                  access(SHIM_ALIAS "/" SHIM_INIT, X_OK) == 0;
        _exit(ok ? 0 : 1);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return status == 0 ? 0
                       : err_set(err, ERR_DENIED, SHIM_ALIAS " cannot be entered by containers");
}
