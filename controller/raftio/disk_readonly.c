/* A disk that only reads. */
#include "controller/raftio/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct readonly_dir {
    int fd;
    char *path; /* For messages. */
};

struct readonly_file {
    int fd; /* -1: not there, an empty one was asked for. */
    char name[DISK_NAME_MAX];
};

static int failed(struct err *err, const struct readonly_dir *d, const char *name, const char *what)
{
    return err_set(err, errno == ENOENT ? ERR_NOTFOUND : ERR_IO, "%s/%s: %s: %s", d->path, name,
                   what, strerror(errno));
}

static int readonly_open(void *ctx, const char *name, bool create, void **ret_file, struct err *err)
{
    struct readonly_dir *d = ctx;
    struct readonly_file *f;
    int fd = openat(d->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && (errno != ENOENT || !create)) {
        return failed(err, d, name, "open");
    }
    f = calloc(1, sizeof *f);
    if (f == NULL) {
        if (fd >= 0) {
            (void)close(fd);
        }
        return err_set(err, ERR_NOMEM, "%s/%s", d->path, name);
    }
    f->fd = fd;
    strncpy(f->name, name, sizeof f->name - 1);
    *ret_file = f;
    return 0;
}

static void readonly_close(void *ctx, void *file)
{
    struct readonly_file *f = file;
    (void)ctx;
    if (f->fd >= 0) {
        (void)close(f->fd);
    }
    free(f);
}

static int readonly_size(void *ctx, void *file, uint64_t *ret, struct err *err)
{
    struct readonly_file *f = file;
    struct stat st = {0};
    if (f->fd >= 0 && fstat(f->fd, &st) != 0) {
        return failed(err, ctx, f->name, "stat");
    }
    *ret = (uint64_t)st.st_size;
    return 0;
}

static int readonly_pread(void *ctx, void *file, uint64_t offset, void *to, size_t n,
                          struct err *err)
{
    struct readonly_file *f = file;
    struct readonly_dir *d = ctx;
    uint8_t *p = to;
    while (n > 0) {
        ssize_t got = f->fd < 0 ? 0 : pread(f->fd, p, n, (off_t)offset);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return failed(err, d, f->name, "read");
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

/* --- what changes nothing -------------------------------------------------------------------- */

static int readonly_pwrite(void *ctx, void *file, uint64_t offset, const void *from, size_t n,
                           struct err *err)
{
    (void)ctx;
    (void)file;
    (void)offset;
    (void)from;
    (void)n;
    (void)err;
    return 0;
}

static int readonly_sync(void *ctx, void *file, struct err *err)
{
    (void)ctx;
    (void)file;
    (void)err;
    return 0;
}

static int readonly_allocate(void *ctx, void *file, uint64_t size, struct err *err)
{
    (void)size;
    return readonly_sync(ctx, file, err);
}

static int readonly_rename(void *ctx, const char *from, const char *to, struct err *err)
{
    (void)ctx;
    (void)from;
    (void)to;
    (void)err;
    return 0;
}

static int readonly_unlink(void *ctx, const char *name, struct err *err)
{
    (void)ctx;
    (void)name;
    (void)err;
    return 0;
}

static int readonly_sync_dir(void *ctx, struct err *err)
{
    (void)ctx;
    (void)err;
    return 0;
}

static int readonly_room(void *ctx, uint64_t *ret, struct err *err)
{
    (void)ctx;
    (void)err;
    *ret = UINT64_MAX;
    return 0;
}

/* --- the directory --------------------------------------------------------------------------- */

static int readonly_list(void *ctx, disk_name_cb cb, void *arg, struct err *err)
{
    struct readonly_dir *d = ctx;
    struct dirent *e;
    int fd = openat(d->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (dir == NULL) {
        int rv = failed(err, d, ".", "list");
        if (fd >= 0) {
            (void)close(fd);
        }
        return rv;
    }
    while ((e = readdir(dir)) != NULL) {
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
            cb(arg, e->d_name);
        }
    }
    (void)closedir(dir);
    return 0;
}

int disk_readonly_open(const char *path, struct disk *ret, struct err *err)
{
    struct readonly_dir *d;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return err_set(err, errno == ENOENT ? ERR_NOTFOUND : ERR_IO, "%s: %s", path,
                       strerror(errno));
    }
    d = calloc(1, sizeof *d);
    if (d == NULL || (d->path = strdup(path)) == NULL) {
        free(d);
        (void)close(fd);
        return err_set(err, ERR_NOMEM, "%s", path);
    }
    d->fd = fd;
    *ret = (struct disk){
        .open = readonly_open,
        .close = readonly_close,
        .size = readonly_size,
        .pread = readonly_pread,
        .pwrite = readonly_pwrite,
        .sync = readonly_sync,
        .allocate = readonly_allocate,
        .rename = readonly_rename,
        .unlink = readonly_unlink,
        .sync_dir = readonly_sync_dir,
        .list = readonly_list,
        .room = readonly_room,
        .ctx = d,
    };
    return 0;
}

void disk_readonly_close(struct disk *d)
{
    struct readonly_dir *dir = d->ctx;
    if (dir == NULL) {
        return;
    }
    (void)close(dir->fd);
    free(dir->path);
    free(dir);
    d->ctx = NULL;
}
