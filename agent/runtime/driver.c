#include "agent/runtime/driver.h"

#include "agent/proc/files.h"
#include "agent/proc/spawn.h"
#include "agent/runtime/driver_impl.h"
#include "agent/runtime/seccomp.h"
#include "agent/shim/protocol.h"
#include "common/base/buf.h"
#include "common/log/log.h"
#include "common/loop/sysmem.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STARTS_AT_A_TIME 4
#define QUICK_AT_A_TIME  8
#define LOG_SIZE         (10ull << 20)
#define LOG_FILES        3
#define PIDS             4096
#define START_TIMEOUT_MS 60000
#define VERSION_TIMEOUT  10000
#define LISTS_MAX        64

/* --- small things
 * ------------------------------------------------------------------------------------ */

void *driver_alloc(size_t size)
{
    void *p = calloc(1, size);
    if (p == NULL) {
        abort(); /* As in mem.h: below the limits, running out ends the process. */
    }
    return p;
}

struct deferred {
    struct list link;
    void (*fn)(void *data);
    void *data;
};

void driver_defer(struct driver *d, void (*fn)(void *data), void *data)
{
    struct deferred *f = driver_alloc(sizeof *f);
    f->fn = fn;
    f->data = data;
    list_push(&d->deferred, &f->link);
    loop_soon_post(d->soon);
}

static void run_deferred(void *data)
{
    struct driver *d = data;
    struct list batch;
    list_init(&batch);
    list_splice(&batch, &d->deferred);
    while (!list_empty(&batch)) {
        struct deferred *f = container_of(batch.next, struct deferred, link);
        void (*fn)(void *data) = f->fn;
        void *arg = f->data;
        list_remove(&f->link);
        free(f);
        fn(arg);
    }
}

/* --- options
 * ----------------------------------------------------------------------------------------- */

static char *copy(const char *text)
{
    size_t n = strlen(text);
    char *p = driver_alloc(n + 1);
    memcpy(p, text, n);
    return p;
}

static const char *const *copy_list(const char *const *list, uint32_t n)
{
    char **p = driver_alloc((n + 1u) * sizeof *p);
    for (uint32_t i = 0; i < n; i++) {
        p[i] = copy(list[i]);
    }
    return (const char *const *)p;
}

/* A program of ours: beside the one that runs. */
static char *beside(const char *given, const char *name)
{
    char path[PATH_MAX];
    ssize_t n;
    char *slash;
    if (given != NULL) {
        return copy(given);
    }
    n = readlink("/proc/self/exe", path, sizeof path - 1);
    path[n > 0 ? n : 0] = '\0';
    slash = strrchr(path, '/');
    if (slash == NULL || (size_t)(slash + 1 - path) + strlen(name) >= sizeof path) {
        return copy(name);
    }
    memcpy(slash + 1, name, strlen(name) + 1);
    return copy(path);
}

static const char *or_default(const char *given, const char *fallback)
{
    return copy(given != NULL && given[0] != '\0' ? given : fallback);
}

static void fill_options(struct driver_options *o, const struct driver_options *from)
{
    *o = *from;
    o->state_dir = copy(from->state_dir);
    o->run_dir = copy(from->run_dir);
    o->node_name = copy(from->node_name);
    o->runtime = or_default(from->runtime, "crun");
    o->shim = beside(from->shim, "ecs-shim");
    o->unpack = beside(from->unpack, "ecs-unpack");
    o->skopeo = or_default(from->skopeo, "skopeo");
    o->nft = or_default(from->nft, "nft");
    o->cgroup_parent = or_default(from->cgroup_parent, "/ecs");
    o->bridge = or_default(from->bridge, "ecs0");
    o->subnet = or_default(from->subnet, "172.29.0.0/20");
    o->insecure_registries = copy_list(from->insecure_registries, from->n_insecure_registries);
    o->host_paths = copy_list(from->host_paths, from->n_host_paths);
    o->log_max_size = from->log_max_size != 0 ? from->log_max_size : LOG_SIZE;
    o->log_max_files = from->log_max_files != 0 ? from->log_max_files : LOG_FILES;
    o->pids_limit = from->pids_limit != 0 ? from->pids_limit : PIDS;
    o->start_timeout_ms = from->start_timeout_ms != 0 ? from->start_timeout_ms : START_TIMEOUT_MS;
}

static void drop(const void *p)
{
    free((void *)(uintptr_t)p); /* Ours, behind const. */
}

static void drop_list(const char *const *list, uint32_t n)
{
    for (uint32_t i = 0; list != NULL && i < n; i++) {
        drop(list[i]);
    }
    drop(list);
}

static void drop_options(struct driver_options *o)
{
    const char *const texts[] = {o->state_dir, o->run_dir, o->node_name,    o->runtime,
                                 o->shim,      o->unpack,  o->skopeo,       o->nft,
                                 o->bridge,    o->subnet,  o->cgroup_parent};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        drop(texts[i]);
    }
    drop_list(o->insecure_registries, o->n_insecure_registries);
    drop_list(o->host_paths, o->n_host_paths);
}

static int check_options(const struct driver_options *o, struct err *err)
{
    if (o->state_dir == NULL || o->state_dir[0] != '/' || o->run_dir == NULL ||
        o->run_dir[0] != '/') {
        return err_set(err, ERR_INVALID, "state and run directory must be absolute");
    }
    if (strpbrk(o->state_dir, ":,\\") != NULL || strlen(o->state_dir) > 200 ||
        strlen(o->run_dir) > 200) { /* They become part of mount options. */
        return err_set(err, ERR_INVALID,
                       "state directory: at most 200 bytes without colon, comma and backslash");
    }
    if (o->node_name == NULL || o->node_name[0] == '\0') {
        return err_set(err, ERR_INVALID, "node name is missing");
    }
    if (o->cgroup_parent != NULL &&
        (o->cgroup_parent[0] != '/' || o->cgroup_parent[1] == '\0' ||
         strstr(o->cgroup_parent, "..") != NULL || strlen(o->cgroup_parent) > 128)) {
        return err_set(err, ERR_INVALID, "cgroup parent: must be absolute and not /");
    }
    if (o->n_insecure_registries > LISTS_MAX || o->n_host_paths > LISTS_MAX) {
        return err_set(err, ERR_INVALID, "more than %d registries or host paths", LISTS_MAX);
    }
    return 0;
}

/* --- runtime
 * ----------------------------------------------------------------------------------------- */

static char *join(const char *dir, const char *name)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return copy(path);
}

/* Everything but the network; also what driver_purge() needs. */
static void runtime_init(struct runtime *rt, const struct driver_options *options)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct caps[2] = {0};
    unsigned long long score = 0;
    memset(rt, 0, sizeof *rt);
    fill_options(&rt->options, options);
    rt->state_dir = copy(options->state_dir);
    rt->containers = join(rt->state_dir, "containers");
    rt->volumes = join(rt->state_dir, "volumes");
    rt->images = join(rt->state_dir, "images");
    rt->layers = join(rt->images, "layers");
    rt->oci_root = join(rt->options.run_dir, "oci");
    cgroup_detect(&rt->cgroup);
    rt->may_raise = syscall(SYS_capget, &header, caps) == 0 &&
                    (caps[0].effective & 1u << CAP_SYS_RESOURCE) != 0;
    /* strtoull() takes a minus sign and wraps, which the cast undoes. */
    (void)file_u64(AT_FDCWD, "/proc/self/oom_score_adj", &score, NULL);
    rt->oom_score = (int)(long long)score;
}

static void runtime_close(struct runtime *rt)
{
    char *const texts[] = {rt->state_dir, rt->containers, rt->volumes, rt->images,
                           rt->layers,    rt->oci_root,   rt->seccomp};
    net_close(rt->net);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        free(texts[i]);
    }
    drop_options(&rt->options);
}

/* "crun version 1.8.1" on the first line. */
static int ask_version(struct runtime *rt, struct err *err)
{
    const char *argv[] = {rt->options.runtime, "--version", NULL};
    struct buf out;
    struct spawn s = {
        .argv = argv, .in = -1, .extra = -1, .out = &out, .timeout_ms = VERSION_TIMEOUT};
    struct str rest;
    int rv;
    buf_init(&out, sysmem(), 4096);
    rv = spawn_check(&s, err);
    if (rv == 0) {
        rest = str_make((const char *)out.data, out.len);
        str_copy(rt->version, sizeof rt->version, str_cut(rest, '\n', &rest));
        rt->is_crun = str_starts(str_of(rt->version), "crun ");
    }
    buf_close(&out);
    return rv == 0 ? 0 : err_wrap(err, rv, "container runtime");
}

/* Would the supervisor's view of a container hide the path? */
static bool behind_alias(const char *path)
{
    return strncmp(path, SHIM_ALIAS "/", strlen(SHIM_ALIAS) + 1) == 0;
}

/* Kernels before 5.19 and some file systems cannot; then tasks run without, as Docker's do. */
static int probe_userns(struct runtime *rt, struct err *err)
{
    char *dir = join(rt->containers, ".probe");
    const char *argv[] = {rt->options.shim, "probe", dir, NULL};
    struct spawn s = {.argv = argv, .in = -1, .extra = -1, .timeout_ms = VERSION_TIMEOUT};
    struct err why = {0};
    int rv = dir_make(dir, 0711, err);
    bool shown = !behind_alias(rt->oci_root) && !behind_alias(rt->options.runtime);
    if (rv == 0 && chmod(dir, 0711) != 0) { /* Whatever our umask is. */
        rv = err_set(err, ERR_IO, "%s: %s", dir, strerror(errno));
    }
    if (rv == 0) {
        if (!rt->is_crun) { /* runc 1.1 lacks the right to mount what the bundle shows it. */
            err_set(&why, ERR_UNSUPPORTED, "they need crun, this is %s", rt->version);
        } else if (!shown) {
            err_set(&why, ERR_UNSUPPORTED, "run directory or runtime below " SHIM_ALIAS);
        } else {
            rt->userns = spawn_check(&s, &why) == 0;
        }
        if (!rt->userns) {
            log_warn("runtime.no_user_namespaces", log_err(&why));
        }
        rv = dir_remove(AT_FDCWD, dir, err);
    }
    free(dir);
    return rv;
}

static int runtime_open(struct runtime *rt, struct err *err)
{
    const char *const dirs[] = {rt->containers, rt->volumes, rt->oci_root};
    struct net_options net = {rt->options.bridge, rt->options.subnet, rt->options.nft};
    int rv = 0;
    for (size_t i = 0; i < 3 && rv == 0; i++) {
        rv = dir_make(dirs[i], 0711, err);
    }
    if (rv == 0) {
        rv = ask_version(rt, err);
    }
    if (rv == 0 && !rt->options.no_user_namespaces) {
        rv = probe_userns(rt, err);
    }
    if (rv == 0 && rt->is_crun) {
        rv = seccomp_compile(&rt->seccomp, err);
    }
    if (rv == 0) {
        rv = net_open(&net, &rt->net, err);
    }
    return rv;
}

/* --- open and close
 * ----------------------------------------------------------------------------------- */

static void driver_pull(struct executor *x, struct exec_pull *r)
{
    struct driver *d = container_of(x, struct driver, x);
    images_pull(d->images, r);
}

static int driver_log_path(struct executor *x, struct exec_key key, char *ret, size_t size,
                           struct err *err)
{
    struct driver *d = container_of(x, struct driver, x);
    char dir[PATH_MAX];
    int rv = container_dir(&d->rt, key, dir, err);
    if (rv == 0 && (size_t)snprintf(ret, size, "%s/log.json", dir) >= size) {
        rv = err_set(err, ERR_TOOBIG, "log path of %s", key.name);
    }
    return rv;
}

static const struct executor_ops ops = {
    .pull = driver_pull,
    .start = ops_start,
    .stop = track_stop,
    .remove = ops_remove,
    .run = ops_run,
    .inventory = ops_inventory,
    .census = ops_census,
    .log = ops_log,
    .kill = track_kill,
    .stats = track_stats,
    .log_path = driver_log_path,
};

/* Two agents on one directory would fight over every container. */
static int take_lock(struct driver *d, struct err *err)
{
    char path[PATH_MAX];
    int rv = dir_make(d->rt.state_dir, 0711, err);
    if (rv != 0) {
        return rv;
    }
    snprintf(path, sizeof path, "%s/driver.lock", d->rt.state_dir);
    d->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (d->lock_fd < 0 || flock(d->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        return err_set(err, errno == EWOULDBLOCK ? ERR_BUSY : ERR_IO, "%s: %s", path,
                       errno == EWOULDBLOCK ? "another agent uses it" : strerror(errno));
    }
    return 0;
}

static void no_cb(void *data)
{
    (void)data;
}

static void driver_free(struct driver *d)
{
    loop_soon_close(d->soon);
    runtime_close(&d->rt);
    if (d->lock_fd >= 0) {
        close(d->lock_fd);
    }
    free(d);
}

int driver_open(uv_loop_t *loop, const struct driver_options *options,
                const struct executor_events *events, struct driver **ret, struct err *err)
{
    struct driver *d;
    int rv = check_options(options, err);
    if (rv != 0) {
        return rv;
    }
    d = driver_alloc(sizeof *d);
    d->x.ops = &ops;
    d->x.events = *events;
    d->loop = loop;
    d->lock_fd = -1;
    list_init(&d->tracks);
    list_init(&d->deferred);
    runtime_init(&d->rt, options);
    d->images_options = (struct images_options){
        .dir = d->rt.images,
        .skopeo = d->rt.options.skopeo,
        .unpack = d->rt.options.unpack,
        .insecure = d->rt.options.insecure_registries,
        .n_insecure = d->rt.options.n_insecure_registries,
    };
    d->soon = loop_soon_open(loop, run_deferred, d);
    rv = take_lock(d, err);
    if (rv == 0) {
        rv = runtime_open(&d->rt, err);
    }
    if (rv == 0) {
        rv = images_open(loop, &d->images_options, &d->images, err);
    }
    if (rv == 0) {
        rv = jobs_open(loop, STARTS_AT_A_TIME, &d->jobs, err);
    }
    if (rv == 0) {
        rv = jobs_open(loop, QUICK_AT_A_TIME, &d->quick, err);
    }
    if (rv != 0) {
        /* These close later, on their own; nothing of ours is needed for it. */
        if (d->jobs != NULL) {
            jobs_close(d->jobs, no_cb, NULL);
        }
        if (d->images != NULL) {
            images_close(d->images, no_cb, NULL);
        }
        driver_free(d);
        return err_wrap(err, rv, "container driver");
    }
    *ret = d;
    return 0;
}

struct executor *driver_executor(struct driver *d)
{
    return &d->x;
}

void driver_info(const struct driver *d, struct driver_info *ret)
{
    memset(ret, 0, sizeof *ret);
    str_copy(ret->runtime, sizeof ret->runtime, str_of(d->rt.version));
    ret->cgroup_v2 = d->rt.cgroup.v2;
    ret->user_namespaces = d->rt.userns;
    ret->seccomp = true;
}

void driver_image_gc(struct driver *d, uint64_t min_age_s)
{
    const char **keep;
    uint32_t n = 0;
    struct list *it;
    list_each (it, &d->tracks) {
        n++;
    }
    keep = driver_alloc((n + 1u) * sizeof *keep);
    n = 0;
    list_each (it, &d->tracks) {
        keep[n++] = container_of(it, struct track, link)->image.id;
    }
    images_gc(d->images, keep, n, min_age_s * 1000);
    free(keep);
}

static void closed(void *data)
{
    struct driver *d = data;
    void (*cb)(void *data) = d->close_cb;
    void *cb_data = d->close_data;
    run_deferred(d);
    driver_free(d);
    cb(cb_data);
}

static void quick_closed(void *data)
{
    struct driver *d = data;
    struct list *it;
    struct list *after;
    list_each_safe (it, after, &d->tracks) {
        struct track *t = container_of(it, struct track, link);
        track_answer_stops(t, ERR_CANCELED);
        track_free(t);
    }
    images_close(d->images, closed, d);
}

static void jobs_closed(void *data)
{
    struct driver *d = data;
    ops_cancel_removals(d);
    jobs_close(d->quick, quick_closed, d);
}

void driver_close(struct driver *d, void (*cb)(void *data), void *data)
{
    if (d == NULL) {
        cb(data);
        return;
    }
    assert(!d->closing);
    d->closing = true;
    d->close_cb = cb;
    d->close_data = data;
    jobs_close(d->jobs, jobs_closed, d);
}

/* --- purge
 * -------------------------------------------------------------------------------------------- */

static int purge_dirs(const struct runtime *rt, bool all, struct err *err)
{
    const char *const dirs[] = {rt->containers, rt->volumes, rt->oci_root, rt->images};
    int rv = 0;
    for (size_t i = 0; rv == 0 && i < (all ? 4u : 3u); i++) {
        rv = dir_remove(AT_FDCWD, dirs[i], err);
    }
    if (rv == 0 && all) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/driver.lock", rt->state_dir);
        unlink(path);
    }
    return rv;
}

int driver_purge(const struct driver_options *options, bool all, struct err *err)
{
    struct runtime rt;
    struct net_options net;
    int rv = check_options(options, err);
    if (rv != 0) {
        return rv;
    }
    runtime_init(&rt, options);
    net = (struct net_options){rt.options.bridge, rt.options.subnet, rt.options.nft};
    rv = container_remove_all(&rt, err);
    if (rv == 0) {
        rv = net_purge(&net, err);
    }
    if (rv == 0) {
        rv = cgroup_purge(&rt.cgroup, rt.options.cgroup_parent, err);
    }
    if (rv == 0) {
        rv = purge_dirs(&rt, all, err);
    }
    runtime_close(&rt);
    return rv;
}
