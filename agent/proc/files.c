/* Trees are deleted without recursion and without long paths, because containers can make trees
 * deeper than any stack or PATH_MAX: every directory found is first renamed to the top of the
 * tree, under a number, so the tree becomes flat while it is emptied. */
#include "agent/proc/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int sys_error(struct err *err, const char *what, const char *path)
{
    int code = errno == ENOENT    ? ERR_NOTFOUND
               : errno == ENOMEM  ? ERR_NOMEM
               : errno == EACCES  ? ERR_DENIED
               : errno == EPERM   ? ERR_DENIED
               : errno == EEXIST  ? ERR_EXISTS
               : errno == ENOSPC  ? ERR_FULL
               : errno == ENOTDIR ? ERR_NOTFOUND
                                  : ERR_IO;
    return err_set(err, code, "%s %s: %s", what, path, strerror(errno));
}

int file_read(int dir, const char *path, struct buf *to, struct err *err)
{
    int rv = 0;
    int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return sys_error(err, "open", path);
    }
    for (;;) {
        char chunk[4096];
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            rv = n == 0 ? 0 : sys_error(err, "read", path);
            break;
        }
        buf_put(to, chunk, (size_t)n);
        if (to->overflow) {
            rv = err_set(err, ERR_TOOBIG, "%s: larger than allowed", path);
            break;
        }
    }
    close(fd);
    return rv;
}

static int write_all(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, bytes, n);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done < 0) {
            return -1;
        }
        bytes += done;
        n -= (size_t)done;
    }
    return 0;
}

/* Make the name itself durable. */
static int sync_parent(int dir, const char *path)
{
    char parent[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int fd;
    int rv;
    snprintf(parent, sizeof parent, "%.*s", slash == NULL ? 1 : (int)(slash - path) + 1,
             slash == NULL ? "." : path);
    fd = openat(dir, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    rv = fsync(fd);
    close(fd);
    return rv;
}

int file_write(int dir, const char *path, const void *bytes, size_t n, mode_t mode, bool durable,
               struct err *err)
{
    char temporary[PATH_MAX];
    int fd;
    int rv = 0;
    if ((size_t)snprintf(temporary, sizeof temporary, "%s.new", path) >= sizeof temporary) {
        return err_set(err, ERR_TOOBIG, "%s: path too long", path);
    }
    unlinkat(dir, temporary, 0); /* Left by a crash, if it is there. */
    fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0) {
        return sys_error(err, "create", temporary);
    }
    if (fchmod(fd, mode) != 0 || write_all(fd, bytes, n) != 0 || (durable && fsync(fd) != 0)) {
        rv = sys_error(err, "write", temporary);
    }
    close(fd);
    if (rv == 0 && renameat(dir, temporary, dir, path) != 0) {
        rv = sys_error(err, "rename", temporary);
    }
    if (rv != 0) {
        unlinkat(dir, temporary, 0);
        return rv;
    }
    return durable && sync_parent(dir, path) != 0 ? sys_error(err, "sync", path) : 0;
}

int file_poke(int dir, const char *path, const char *text, struct err *err)
{
    int rv = 0;
    int fd = openat(dir, path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return sys_error(err, "open", path);
    }
    if (write(fd, text, strlen(text)) < 0) {
        rv = sys_error(err, "write", path);
    }
    close(fd);
    return rv;
}

int file_u64(int dir, const char *path, unsigned long long *ret, struct err *err)
{
    char text[64];
    ssize_t n;
    char *end;
    int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return sys_error(err, "open", path);
    }
    n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0) {
        return sys_error(err, "read", path);
    }
    text[n] = '\0';
    if (strncmp(text, "max", 3) == 0) {
        *ret = UINT64_MAX;
        return 0;
    }
    errno = 0;
    *ret = strtoull(text, &end, 10);
    return end != text && errno == 0 ? 0 : err_set(err, ERR_PARSE, "%s: not a number", path);
}

int dir_make(const char *path, mode_t mode, struct err *err)
{
    char part[PATH_MAX];
    size_t n = strlen(path);
    if (n == 0 || n >= sizeof part) {
        return err_set(err, ERR_INVALID, "directory name of %zu bytes", n);
    }
    memcpy(part, path, n + 1);
    for (size_t i = 1; i <= n; i++) {
        if (part[i] != '/' && part[i] != '\0') {
            continue;
        }
        part[i] = '\0';
        if (mkdir(part, mode) != 0 && errno != EEXIST) {
            return sys_error(err, "mkdir", part);
        }
        part[i] = path[i];
    }
    return 0;
}

struct flatten {
    int top;
    unsigned long long run; /* Tells this walk's names from those of one that was cut short. */
    unsigned long n;        /* Numbers given to directories. */
};

static void flat_name(const struct flatten *f, unsigned long i, char ret[64])
{
    snprintf(ret, 64, ".removing-%llx-%lu", f->run, i);
}

static unsigned long long now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (unsigned long long)t.tv_sec * 1000000000ull + (unsigned long long)t.tv_nsec;
}

/* Empty one directory: unlink its files, hand its directories to the top. */
static int empty_one(struct flatten *f, int fd, struct err *err)
{
    int rv = 0;
    struct dirent *e;
    DIR *d = fdopendir(fd);
    if (d == NULL) {
        close(fd);
        return err_set(err, ERR_NOMEM, "fdopendir");
    }
    while (rv == 0 && (e = readdir(d)) != NULL) {
        char name[64];
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) {
            continue;
        }
        if (unlinkat(dirfd(d), e->d_name, 0) == 0 || errno == ENOENT) {
            continue;
        }
        if (errno != EISDIR && errno != EPERM) {
            rv = sys_error(err, "unlink", e->d_name);
            continue;
        }
        if (unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR) == 0) {
            continue;
        }
        flat_name(f, f->n++, name);
        if (renameat(dirfd(d), e->d_name, f->top, name) != 0) {
            rv = sys_error(err, "move", e->d_name);
        }
    }
    closedir(d);
    return rv;
}

static int open_dir(int dir, const char *path)
{
    return openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

int dir_remove(int dir, const char *path, struct err *err)
{
    struct flatten f = {.top = open_dir(dir, path), .run = now_ns()};
    unsigned long next = 0;
    int fd;
    int rv;
    if (f.top < 0) {
        if (errno == ENOENT || ((errno == ENOTDIR || errno == ELOOP) &&
                                (unlinkat(dir, path, 0) == 0 || errno == ENOENT))) {
            return 0;
        }
        return sys_error(err, "open", path);
    }
    fd = open_dir(f.top, ".");
    rv = fd < 0 ? sys_error(err, "open", path) : empty_one(&f, fd, err);
    while (rv == 0 && next < f.n) {
        char name[64];
        flat_name(&f, next++, name);
        fd = open_dir(f.top, name);
        if (fd < 0 && errno == ENOENT) {
            continue;
        }
        rv = fd < 0 ? sys_error(err, "open", name) : empty_one(&f, fd, err);
        if (rv == 0 && unlinkat(f.top, name, AT_REMOVEDIR) != 0 && errno != ENOENT) {
            rv = sys_error(err, "rmdir", name);
        }
    }
    close(f.top);
    if (rv == 0 && unlinkat(dir, path, AT_REMOVEDIR) != 0 && errno != ENOENT) {
        rv = sys_error(err, "rmdir", path);
    }
    return rv;
}
