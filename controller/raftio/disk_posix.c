/* The real disk. Names are relative to a directory descriptor, so that nothing changes under us
 * when a parent is renamed. A second process on the same directory would ruin both: the directory
 * is locked with flock(), which ends with the process however it ends. */
#include "controller/raftio/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define DISK_PATH_MAX 4096

struct posix_dir {
    int fd;
    char *path; /* For messages. */
};

struct posix_file {
    int fd;
    char name[DISK_NAME_MAX];
};

static int failed(struct err *err, const struct posix_dir *d, const char *name, const char *what)
{
    int code = errno == ENOSPC || errno == EDQUOT ? ERR_FULL
               : errno == ENOENT                  ? ERR_NOTFOUND
                                                  : ERR_IO;
    return err_set(err, code, "%s/%s: %s: %s", d->path, name, what, strerror(errno));
}

/* The file's name by now: the log renames open files, and the operator must find the right one. */
static int file_failed(struct err *err, const struct posix_dir *d, const struct posix_file *f,
                       const char *what)
{
    int saved = errno;
    char link[64];
    char path[DISK_PATH_MAX];
    const char *name = f->name;
    ssize_t n;
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", f->fd);
    n = readlink(link, path, sizeof path - 1);
    if (n > 0) {
        path[n] = '\0';
        name = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
    }
    errno = saved;
    return failed(err, d, name, what);
}

static int posix_open(void *ctx, const char *name, bool create, void **ret_file, struct err *err)
{
    struct posix_dir *d = ctx;
    struct posix_file *f;
    int fd = openat(d->fd, name, O_RDWR | O_CLOEXEC | (create ? O_CREAT : 0), 0600);
    if (fd < 0) {
        return failed(err, d, name, "open");
    }
    f = calloc(1, sizeof *f);
    if (f == NULL) {
        close(fd);
        return err_set(err, ERR_NOMEM, "%s/%s", d->path, name);
    }
    f->fd = fd;
    strncpy(f->name, name, sizeof f->name - 1);
    *ret_file = f;
    return 0;
}

static void posix_close(void *ctx, void *file)
{
    struct posix_file *f = file;
    (void)ctx;
    close(f->fd);
    free(f);
}

static int posix_size(void *ctx, void *file, uint64_t *ret, struct err *err)
{
    struct posix_file *f = file;
    struct stat st;
    if (fstat(f->fd, &st) != 0) {
        return file_failed(err, ctx, f, "stat");
    }
    *ret = (uint64_t)st.st_size;
    return 0;
}

static int posix_pread(void *ctx, void *file, uint64_t offset, void *to, size_t n, struct err *err)
{
    struct posix_file *f = file;
    struct posix_dir *d = ctx;
    uint8_t *p = to;
    while (n > 0) {
        ssize_t got = pread(f->fd, p, n, (off_t)offset);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return file_failed(err, d, f, "read");
        }
        if (got == 0) {
            return err_set(err, ERR_CORRUPT, "%s/%s ends before offset %llu", d->path, f->name,
                           (unsigned long long)offset + n);
        }
        p += got;
        offset += (uint64_t)got;
        n -= (size_t)got;
    }
    return 0;
}

static int posix_pwrite(void *ctx, void *file, uint64_t offset, const void *from, size_t n,
                        struct err *err)
{
    struct posix_file *f = file;
    const uint8_t *p = from;
    while (n > 0) {
        ssize_t put = pwrite(f->fd, p, n, (off_t)offset);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            return file_failed(err, ctx, f, "write");
        }
        p += put;
        offset += (uint64_t)put;
        n -= (size_t)put;
    }
    return 0;
}

static int posix_sync(void *ctx, void *file, struct err *err)
{
    struct posix_file *f = file;
    /* Never retried: after a failure the kernel may have dropped what it could not write. */
    return fdatasync(f->fd) == 0 ? 0 : file_failed(err, ctx, f, "fdatasync");
}

static int posix_allocate(void *ctx, void *file, uint64_t size, struct err *err)
{
    struct posix_file *f = file;
    int rv;
    do {
        rv = posix_fallocate(f->fd, 0, (off_t)size);
    } while (rv == EINTR);
    if (rv != 0) {
        errno = rv;
        return file_failed(err, ctx, f, "allocate");
    }
    return 0;
}

static int posix_rename(void *ctx, const char *from, const char *to, struct err *err)
{
    struct posix_dir *d = ctx;
    return renameat(d->fd, from, d->fd, to) == 0 ? 0 : failed(err, d, from, "rename");
}

static int posix_unlink(void *ctx, const char *name, struct err *err)
{
    struct posix_dir *d = ctx;
    return unlinkat(d->fd, name, 0) == 0 ? 0 : failed(err, d, name, "unlink");
}

static int posix_sync_dir(void *ctx, struct err *err)
{
    struct posix_dir *d = ctx;
    return fsync(d->fd) == 0 ? 0 : failed(err, d, ".", "fsync");
}

static int posix_list(void *ctx, disk_name_cb cb, void *arg, struct err *err)
{
    struct posix_dir *d = ctx;
    struct dirent *e;
    int fd = openat(d->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (dir == NULL) {
        int rv = failed(err, d, ".", "list");
        if (fd >= 0) {
            close(fd);
        }
        return rv;
    }
    while ((e = readdir(dir)) != NULL) {
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
            cb(arg, e->d_name);
        }
    }
    closedir(dir);
    return 0;
}

static int posix_room(void *ctx, uint64_t *ret, struct err *err)
{
    struct posix_dir *d = ctx;
    struct statvfs st;
    if (fstatvfs(d->fd, &st) != 0) {
        return failed(err, d, ".", "statvfs");
    }
    *ret = (uint64_t)st.f_bavail * st.f_frsize;
    return 0;
}

int disk_posix_open(const char *path, struct disk *ret, struct err *err)
{
    struct posix_dir *d;
    int fd;
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        return err_set(err, ERR_IO, "%s: mkdir: %s", path, strerror(errno));
    }
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return err_set(err, ERR_IO, "%s: open: %s", path, strerror(errno));
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        close(fd);
        return err_set(err, ERR_BUSY, "%s is in use by another process", path);
    }
    d = calloc(1, sizeof *d);
    if (d == NULL || (d->path = strdup(path)) == NULL) {
        free(d);
        close(fd);
        return err_set(err, ERR_NOMEM, "%s", path);
    }
    d->fd = fd;
    *ret = (struct disk){
        .open = posix_open,
        .close = posix_close,
        .size = posix_size,
        .pread = posix_pread,
        .pwrite = posix_pwrite,
        .sync = posix_sync,
        .allocate = posix_allocate,
        .rename = posix_rename,
        .unlink = posix_unlink,
        .sync_dir = posix_sync_dir,
        .list = posix_list,
        .room = posix_room,
        .ctx = d,
    };
    return 0;
}

void disk_posix_close(struct disk *d)
{
    struct posix_dir *dir = d->ctx;
    if (dir == NULL) {
        return;
    }
    close(dir->fd);
    free(dir->path);
    free(dir);
    d->ctx = NULL;
}
