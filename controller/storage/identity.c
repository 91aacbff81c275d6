/*   cluster-id 0123456789abcdef0123456789abcdef
 *   epoch 1
 */
#include "controller/storage/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FILE_NAME "identity"
#define TEXT_MAX  128
#define PATH_LEN  4200

static int failed(struct err *err, const char *path)
{
    return err_set(err, errno == ENOSPC ? ERR_FULL : ERR_IO, "%s: %s", path, strerror(errno));
}

/* The rest of a line that begins with a word. */
static bool line_of(struct str *text, const char *word, struct str *ret)
{
    struct str line = str_cut(*text, '\n', text);
    struct str rest;
    *ret = str_make(NULL, 0);
    if (!str_eqc(str_cut(line, ' ', &rest), word)) {
        return false;
    }
    *ret = rest;
    return true;
}

static bool parse(struct str text, struct identity *ret)
{
    struct str id;
    struct str epoch;
    return line_of(&text, "cluster-id", &id) && line_of(&text, "epoch", &epoch) && text.n == 0 &&
           id_parse(id, &ret->cluster_id) && str_u64(epoch, &ret->epoch) && ret->epoch > 0 &&
           !id_is_none(ret->cluster_id);
}

int identity_read(const char *dir, struct identity *ret, struct err *err)
{
    char path[PATH_LEN];
    char text[TEXT_MAX];
    ssize_t n;
    int fd;
    *ret = (struct identity){{0, 0}, 0};
    (void)snprintf(path, sizeof path, "%s/" FILE_NAME, dir);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? 0 : failed(err, path);
    }
    n = read(fd, text, sizeof text);
    (void)close(fd);
    if (n < 0) {
        return failed(err, path);
    }
    if (!parse(str_make(text, (size_t)n), ret)) {
        *ret = (struct identity){{0, 0}, 0};
        return err_set(err, ERR_CORRUPT, "%s: not 'cluster-id HEX' and 'epoch N'", path);
    }
    return 0;
}

static int write_file(const char *path, const char *text, struct err *err)
{
    size_t n = strlen(text);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int rv = 0;
    if (fd < 0) {
        return failed(err, path);
    }
    if (write(fd, text, n) != (ssize_t)n || fsync(fd) != 0) {
        rv = failed(err, path);
    }
    (void)close(fd);
    return rv;
}

static int sync_dir(const char *dir, struct err *err)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rv = fd < 0 || fsync(fd) != 0 ? failed(err, dir) : 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    return rv;
}

int identity_write(const char *dir, const struct identity *identity, struct err *err)
{
    char path[PATH_LEN];
    char fresh[PATH_LEN];
    char text[TEXT_MAX];
    char hex[ID_HEX_LEN + 1];
    int rv;
    id_hex(identity->cluster_id, hex);
    (void)snprintf(text, sizeof text, "cluster-id %s\nepoch %" PRIu64 "\n", hex, identity->epoch);
    (void)snprintf(path, sizeof path, "%s/" FILE_NAME, dir);
    (void)snprintf(fresh, sizeof fresh, "%s/" FILE_NAME ".new", dir);
    rv = write_file(fresh, text, err);
    if (rv == 0 && rename(fresh, path) != 0) {
        rv = failed(err, path);
    }
    return rv == 0 ? sync_dir(dir, err) : rv;
}
