#include "agent/runtime/user.h"

#include "common/base/buf.h"
#include "common/loop/sysmem.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FILE_MAX   (1u << 20)
#define ID_MAX     UINT32_MAX
#define LAYER_MAX  256
#define FIELDS_MAX 7

/* Split a line of passwd or group. The number of fields. */
static unsigned split(struct str line, struct str fields[FIELDS_MAX])
{
    unsigned n = 0;
    while (n < FIELDS_MAX) {
        size_t colon = str_find(line, ':', 0);
        fields[n++] = str_slice(line, 0, colon);
        if (colon == line.n) {
            break;
        }
        line = str_slice(line, colon + 1, line.n);
    }
    return n;
}

static bool id_number(struct str text, uint32_t *ret)
{
    uint64_t v;
    if (!str_u64(text, &v) || v >= ID_MAX) {
        return false;
    }
    *ret = (uint32_t)v;
    return true;
}

/* The line whose field `at` equals text. */
static bool find_line(struct str file, unsigned at, struct str text, unsigned n_min,
                      struct str fields[FIELDS_MAX])
{
    while (file.n > 0) {
        struct str line = str_cut(file, '\n', &file);
        if (split(line, fields) >= n_min && str_eq(fields[at], text)) {
            return true;
        }
    }
    return false;
}

static bool is_member(struct str members, struct str name)
{
    while (members.n > 0) {
        if (str_eq(str_cut(members, ',', &members), name)) {
            return true;
        }
    }
    return false;
}

static void add_groups(struct str group, struct str name, struct user *u)
{
    while (group.n > 0 && u->n_groups < USER_GROUPS_MAX) {
        struct str fields[FIELDS_MAX];
        struct str line = str_cut(group, '\n', &group);
        uint32_t gid;
        if (split(line, fields) >= 4 && is_member(fields[3], name) && id_number(fields[2], &gid) &&
            gid != u->gid) {
            u->groups[u->n_groups++] = gid;
        }
    }
}

int user_lookup(struct str passwd, struct str group, struct str text, struct user *ret,
                struct err *err)
{
    struct user u = {.home = "/"};
    struct str fields[FIELDS_MAX];
    struct str group_text;
    struct str name = str_cut(text, ':', &group_text);
    bool number = id_number(name, &u.uid);
    bool known = false;
    if (name.n == 0) {
        number = true;
    }
    known = find_line(passwd, number && name.n > 0 ? 2 : 0, name.n == 0 ? STR("root") : name, 6,
                      fields);
    if (!known && !number) {
        return err_set(err, ERR_INVALID, "user %.*s is not in the image's /etc/passwd",
                       STR_ARG(name));
    }
    if (known) {
        if (!id_number(fields[2], &u.uid) || !id_number(fields[3], &u.gid)) {
            return err_set(err, ERR_INVALID, "the image's /etc/passwd has a bad line for %.*s",
                           STR_ARG(name));
        }
        str_copy(u.home, sizeof u.home, fields[5]);
        name = fields[0];
    }
    if (group_text.n > 0 && !id_number(group_text, &u.gid)) {
        if (!find_line(group, 0, group_text, 3, fields) || !id_number(fields[2], &u.gid)) {
            return err_set(err, ERR_INVALID, "group %.*s is not in the image's /etc/group",
                           STR_ARG(group_text));
        }
    } else if (group_text.n == 0 && known) {
        add_groups(group, name, &u); /* As login does; an explicit group stands alone. */
    }
    *ret = u;
    return 0;
}

/* The file as the container will see it: in the topmost layer that has it. Absent is empty. */
static int read_layered(const char *layers, const char *lower, const char *path, struct buf *to,
                        struct err *err)
{
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    struct str rest = str_of(lower);
    int dir = open(layers, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fd = -1;
    if (dir < 0) {
        return err_set(err, ERR_IO, "%s: %s", layers, strerror(errno));
    }
    while (rest.n > 0 && fd < 0) {
        char name[LAYER_MAX];
        struct str layer = str_cut(rest, ':', &rest);
        if (layer.n + strlen(path) + 2 < sizeof name) {
            memcpy(name, layer.p, layer.n);
            name[layer.n] = '/';
            memcpy(name + layer.n + 1, path, strlen(path) + 1);
            fd = (int)syscall(SYS_openat2, dir, name, &how, sizeof how);
            if (fd < 0 && errno != ENOENT) {
                break; /* A link, or deleted from here on down: there is no such file. */
            }
        }
    }
    close(dir);
    if (fd >= 0) {
        struct stat st;
        uint8_t *room = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= FILE_MAX
                            ? buf_reserve(to, (size_t)st.st_size + 1)
                            : NULL;
        ssize_t n = room == NULL ? 0 : read(fd, room, (size_t)st.st_size);
        to->len += n > 0 ? (size_t)n : 0;
        close(fd);
    }
    return 0;
}

int user_resolve(const char *layers, const char *lower, const char *text, struct user *ret,
                 struct err *err)
{
    struct buf passwd;
    struct buf group;
    int rv;
    buf_init(&passwd, sysmem(), FILE_MAX + 2);
    buf_init(&group, sysmem(), FILE_MAX + 2);
    rv = read_layered(layers, lower, "etc/passwd", &passwd, err);
    if (rv == 0) {
        rv = read_layered(layers, lower, "etc/group", &group, err);
    }
    if (rv == 0) {
        rv = user_lookup(str_make((const char *)passwd.data, passwd.len),
                         str_make((const char *)group.data, group.len), str_of(text), ret, err);
    }
    buf_close(&passwd);
    buf_close(&group);
    return rv;
}
