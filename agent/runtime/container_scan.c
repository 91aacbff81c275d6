/* What is on this node: the directories say. */
#include "agent/proc/files.h"
#include "agent/runtime/container.h"
#include "common/base/buf.h"
#include "common/loop/sysmem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCAN_MAX 65536 /* Containers of one node. */

struct scan {
    const struct runtime *rt;
    struct arena *arena;
    struct found *list;
    size_t n;
    size_t cap;
};

static int read_meta(const char *dir, struct arena *arena, struct meta *ret, struct err *err)
{
    char path[PATH_MAX];
    struct buf b;
    int rv;
    if (snprintf(path, sizeof path, "%s/meta.json", dir) >= PATH_MAX) {
        return err_set(err, ERR_TOOBIG, "path too long");
    }
    buf_init(&b, sysmem(), META_MAX);
    rv = file_read(AT_FDCWD, path, &b, err);
    if (rv == 0) {
        rv = meta_parse(str_make((const char *)b.data, b.len), arena, ret, err);
    }
    buf_close(&b);
    return rv;
}

/* A record that a reboot or a torn file made useless is as good as none, but then nothing runs. */
static void look(const char *dir, struct found *f)
{
    f->has_state = container_state(dir, &f->state, NULL) == 0;
    f->alive = f->has_state && container_alive(&f->state);
    f->talk = container_connect(dir);
}

static struct found *grow(struct scan *s)
{
    if (s->n == s->cap) {
        size_t cap = s->cap == 0 ? 32 : 2 * s->cap;
        struct found *list = arena_array(s->arena, cap, sizeof *list);
        if (s->n > 0) {
            memcpy(list, s->list, s->n * sizeof *list);
        }
        s->list = list;
        s->cap = cap;
    }
    return &s->list[s->n];
}

static int visit(struct scan *s, const char *name, struct err *err)
{
    char dir[PATH_MAX];
    char id[CONTAINER_ID_MAX];
    struct found *f = grow(s);
    int rv;
    memset(f, 0, sizeof *f);
    if (snprintf(dir, sizeof dir, "%s/%s", s->rt->containers, name) >= PATH_MAX ||
        s->n >= SCAN_MAX) {
        return err_set(err, ERR_TOOBIG, "too many containers, or names too long");
    }
    rv = read_meta(dir, s->arena, &f->meta, NULL);
    if (rv == 0) {
        struct exec_key key = {f->meta.task, f->meta.name};
        container_id(key, id);
    }
    if (rv != 0 || strcmp(id, name) != 0) {
        /* Made just before a crash: nothing was started from it, meta.json comes first. */
        return dir_remove(AT_FDCWD, dir, err);
    }
    look(dir, f);
    s->n++;
    return 0;
}

static int by_key(const void *a, const void *b)
{
    const struct found *x = a;
    const struct found *y = b;
    int order = id_cmp(x->meta.task, y->meta.task);
    return order != 0 ? order : strcmp(x->meta.name, y->meta.name);
}

int container_scan(const struct runtime *rt, struct arena *arena, struct found **ret, size_t *ret_n,
                   struct err *err)
{
    struct scan s = {.rt = rt, .arena = arena};
    struct dirent *e;
    int rv = 0;
    DIR *d = opendir(rt->containers);
    if (d == NULL) {
        return err_set(err, errno == ENOENT ? ERR_NOTFOUND : ERR_IO, "%s: %s", rt->containers,
                       strerror(errno));
    }
    while (rv == 0 && (e = readdir(d)) != NULL) {
        if (e->d_name[0] != '.') {
            rv = visit(&s, e->d_name, err);
        }
    }
    closedir(d);
    if (rv == 0 && s.n > 0) {
        qsort(s.list, s.n, sizeof *s.list, by_key);
    }
    *ret = s.list;
    *ret_n = s.n;
    return rv;
}
