/* The file half of pki.h. */
#include "common/net/pki.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int io_error(struct err *err, const char *what, const char *path)
{
    int e = errno;
    int code = e == ENOENT ? ERR_NOTFOUND : e == EACCES || e == EPERM ? ERR_DENIED : ERR_IO;
    return err_set(err, code, "%s %s: %s", what, path, strerror(e));
}

int pki_file_read(const char *path, struct buf *ret, struct err *err)
{
    size_t before = ret->len;
    int rv = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return io_error(err, "open", path);
    }
    for (;;) {
        uint8_t part[4096];
        ssize_t n = read(fd, part, sizeof part);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            rv = io_error(err, "read", path);
            break;
        }
        if (n == 0) {
            break;
        }
        buf_put(ret, part, (size_t)n);
        if (ret->overflow || ret->len - before > PKI_PEM_MAX) {
            rv = err_set(err, ERR_TOOBIG, "%s: more than %u bytes", path, PKI_PEM_MAX);
            break;
        }
    }
    (void)close(fd);
    if (rv != 0) {
        ret->len = before;
    }
    return rv;
}

static int write_all(int fd, struct str bytes)
{
    while (bytes.n > 0) {
        ssize_t n = write(fd, bytes.p, bytes.n);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -1;
        }
        bytes = str_slice(bytes, (size_t)n, bytes.n);
    }
    return 0;
}

/* The rename is durable only when its directory is. */
static int sync_directory_of(const char *path)
{
    char dir[PATH_MAX] = ".";
    const char *slash = strrchr(path, '/');
    int fd;
    int rv;
    if (slash != NULL) {
        size_t n = slash == path ? 1 : (size_t)(slash - path);
        (void)str_copy(dir, sizeof dir, str_make(path, n));
    }
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    rv = fsync(fd);
    (void)close(fd);
    return rv;
}

int pki_file_write(const char *path, struct str bytes, unsigned mode, struct err *err)
{
    char temp[PATH_MAX];
    int rv;
    int fd;
    int n = snprintf(temp, sizeof temp, "%s.XXXXXX", path);
    if (n < 0 || (size_t)n >= sizeof temp) {
        return err_set(err, ERR_TOOBIG, "path %.64s...: too long", path);
    }
    fd = mkostemp(temp, O_CLOEXEC); /* 0600 from the first moment. */
    if (fd < 0) {
        return io_error(err, "create", temp);
    }
    if (write_all(fd, bytes) != 0 || fchmod(fd, (mode_t)mode) != 0 || fsync(fd) != 0) {
        rv = io_error(err, "write", temp);
        (void)close(fd);
        goto fail;
    }
    if (close(fd) != 0 || rename(temp, path) != 0) {
        rv = io_error(err, "replace", path);
        goto fail;
    }
    if (sync_directory_of(path) != 0) {
        return io_error(err, "sync directory of", path);
    }
    return 0;

fail:
    (void)unlink(temp);
    return rv;
}
