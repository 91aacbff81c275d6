/* Order of a start: everything that can be refused is checked and written first; then the
 * supervisor makes its namespaces and waits; the network is plugged in; then "go". Whatever goes
 * wrong, container_remove() knows how to undo it, because it must be able to after a crash. */
#include "agent/runtime/container.h"

#include "agent/image/image.h"
#include "agent/net/ipam.h"
#include "agent/proc/files.h"
#include "agent/proc/spawn.h"
#include "agent/runtime/bundle.h"
#include "agent/runtime/user.h"
#include "agent/shim/protocol.h"
#include "common/loop/sysmem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define SHIM_ARGS      160
#define POLL_MS        50
#define END_TIMEOUT_MS 10000
#define DELETE_TIMEOUT 20000
#define NUMBER_TEXT    24

static uint64_t mono_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint64_t wall_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* --- talk with the supervisor
 * ----------------------------------------------------------------------- */

/* One line, without its end. A byte at a time: what follows belongs to the loop. */
static int read_line(int fd, uint64_t deadline, const atomic_bool *canceled,
                     char line[SHIM_TALK_MAX], struct err *err)
{
    size_t n = 0;
    while (n < SHIM_TALK_MAX - 1) {
        struct pollfd p = {fd, POLLIN, 0};
        ssize_t got;
        if (canceled != NULL && atomic_load(canceled)) {
            return err_set(err, ERR_CANCELED, "canceled");
        }
        if (mono_ms() >= deadline) {
            return err_set(err, ERR_TIMEOUT, "the container did not start in time");
        }
        if (poll(&p, 1, POLL_MS) <= 0) {
            continue;
        }
        got = recv(fd, line + n, 1, MSG_DONTWAIT);
        if (got == 0) {
            return err_set(err, ERR_CLOSED, "the supervisor ended");
        }
        if (got < 0) {
            if (errno == EAGAIN || errno == EINTR) {
                continue;
            }
            return err_set(err, ERR_IO, "supervisor: %s", strerror(errno));
        }
        if (line[n] == '\n') {
            line[n] = '\0';
            return 0;
        }
        n++;
    }
    return err_set(err, ERR_PROTOCOL, "supervisor: line too long");
}

/* A line that must be "word NUMBER". "failed TEXT" becomes an error. */
static int await(int fd, const char *word, uint64_t deadline, const atomic_bool *canceled,
                 uint64_t *ret, struct err *err)
{
    char line[SHIM_TALK_MAX] = "";
    size_t n = strlen(word);
    int rv = read_line(fd, deadline, canceled, line, err);
    if (rv != 0) {
        return rv;
    }
    if (strncmp(line, SHIM_FAILED " ", strlen(SHIM_FAILED) + 1) == 0) {
        return err_set(err, ERR_IO, "%s", line + strlen(SHIM_FAILED) + 1);
    }
    if (strncmp(line, word, n) != 0 || line[n] != ' ' || !str_u64(str_of(line + n + 1), ret)) {
        return err_set(err, ERR_PROTOCOL, "supervisor said \"%s\"", line);
    }
    return 0;
}

struct args { /* A command line that is being put together. */
    const char *v[SHIM_ARGS];
    unsigned n;
};

static void arg(struct args *a, const char *name, const char *value)
{
    if (a->n + 3 < SHIM_ARGS) {
        a->v[a->n++] = name;
        if (value != NULL) {
            a->v[a->n++] = value;
        }
    }
    a->v[a->n] = NULL;
}

struct starting { /* A start under way. */
    const struct runtime *rt;
    struct container_start *s;
    const struct task_spec *task;
    const struct container_spec *spec;
    struct exec_key key;
    struct arena arena;
    struct image image;
    struct user user;
    struct net_endpoint endpoint;
    uint32_t uid_base; /* 0: no user namespace. */
    char dir[PATH_MAX];
    char id[CONTAINER_ID_MAX];
    char cgroup[CGROUP_PATH_MAX];
    int talk;
};

static bool canceled(const struct starting *t)
{
    return t->s->canceled != NULL && atomic_load(t->s->canceled);
}

/* --- files
 * ------------------------------------------------------------------------------------------- */

static int make_dirs(struct starting *t, struct err *err)
{
    static const char *const names[] = {"rootfs", "upper", "work", "sys"};
    /* 0711: in a user namespace, the runtime reaches what it mounts as nobody in particular. */
    if (mkdir(t->dir, 0711) != 0 || chmod(t->dir, 0711) != 0) {
        return err_set(err, errno == EEXIST ? ERR_EXISTS : ERR_IO, "container %s: %s", t->id,
                       strerror(errno));
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[PATH_MAX];
        if (snprintf(path, sizeof path, "%s/%s", t->dir, names[i]) >= PATH_MAX) {
            return err_set(err, ERR_TOOBIG, "path too long");
        }
        if (mkdir(path, 0755) != 0 || chmod(path, 0755) != 0) {
            return err_set(err, ERR_IO, "mkdir %s: %s", path, strerror(errno));
        }
    }
    return 0;
}

static int write_meta(const struct starting *t, struct err *err)
{
    char path[PATH_MAX];
    struct meta m = {.task = t->task->id,
                     .name = t->spec->name,
                     .image = t->s->request->image,
                     .net_mode = t->task->net_mode,
                     .ip = t->endpoint.ip,
                     .ports = t->endpoint.ports,
                     .n_ports = t->endpoint.n_ports,
                     .uid_base = t->uid_base,
                     .stop_signal = t->s->stop_signal};
    char *text = meta_format(&m);
    int rv;
    if (text == NULL) {
        return err_set(err, ERR_NOMEM, "meta.json");
    }
    rv = snprintf(path, sizeof path, "%s/meta.json", t->dir) < PATH_MAX
             ? file_write(AT_FDCWD, path, text, strlen(text), 0600, false, err)
             : err_set(err, ERR_TOOBIG, "path too long");
    free(text);
    return rv;
}

static int write_bundle(const struct starting *t, struct err *err)
{
    struct bundle b = {.rt = t->rt,
                       .task = t->task,
                       .spec = t->spec,
                       .image = &t->image,
                       .user = &t->user,
                       .extra = t->s->request->environment,
                       .n_extra = t->s->request->n_environment,
                       .dir = t->dir,
                       .ip = t->endpoint.ip,
                       .uid_base = t->uid_base,
                       .links = t->s->links,
                       .n_links = t->s->n_links};
    return bundle_write(&b, err);
}

static int prepare(struct starting *t, struct err *err)
{
    const char *user = t->spec->user;
    char task[CGROUP_PATH_MAX];
    int rv = image_load(t->rt->images, t->s->request->image.id, &t->arena, &t->image, err);
    if (rv == 0) {
        user = user[0] != '\0' ? user : t->image.config.user;
        rv = user_resolve(t->rt->layers, t->image.lower, user, &t->user, err);
    }
    if (rv == 0 && t->uid_base != 0 && (t->user.uid >= USERNS_SIZE || t->user.gid >= USERNS_SIZE)) {
        rv = err_set(err, ERR_INVALID, "user %s: ids must be below %u", user, USERNS_SIZE);
    }
    t->s->stop_signal = signal_parse(rv == 0 ? t->image.config.stop_signal : "");
    if (rv == 0 && t->task->net_mode == NET_MODE_BRIDGE) {
        rv = net_reserve(t->rt->net, &t->endpoint.ip, err);
        t->endpoint.ports = t->spec->ports;
        t->endpoint.n_ports = t->spec->n_ports;
    }
    if (rv == 0) { /* First of the files: it says what else may have to be undone. */
        rv = write_meta(t, err);
        if (rv != 0 && t->endpoint.ip != 0) {
            net_release(t->rt->net, t->endpoint.ip);
        }
    }
    if (rv == 0) {
        rv = write_bundle(t, err);
    }
    if (rv == 0 && (t->task->cpu_units != 0 || t->task->memory_mib != 0)) {
        task_cgroup(t->rt, t->task->id, task);
        rv = cgroup_limit(&t->rt->cgroup, task, t->task->cpu_units, t->task->memory_mib, err);
    }
    return rv;
}

/* --- supervisor
 * --------------------------------------------------------------------------------------- */

static void add_sysctls(struct starting *t, struct args *a)
{
    /* What Docker sets: ping without NET_RAW, low ports without NET_BIND_SERVICE. */
    arg(a, "--sysctl", "net.ipv4.ping_group_range=0 2147483647");
    arg(a, "--sysctl", "net.ipv4.ip_unprivileged_port_start=0");
    for (uint32_t i = 0; i < t->spec->n_sysctls; i++) {
        const struct spec_pair *p = &t->spec->sysctls[i];
        if (strncmp(p->name, "net.", 4) == 0) {
            arg(a, "--sysctl", arena_printf(&t->arena, "%s=%s", p->name, p->value));
        }
    }
}

static void add_log(const struct starting *t, struct args *a, char size[NUMBER_TEXT],
                    char files[NUMBER_TEXT])
{
    const struct spec_log *l = &t->spec->log;
    const struct driver_options *o = &t->rt->options;
    bool none = strcmp(l->driver, "none") == 0;
    uint64_t bytes = l->max_size != 0 ? l->max_size : o->log_max_size;
    snprintf(size, NUMBER_TEXT, "%llu", none ? 0 : (unsigned long long)bytes);
    snprintf(files, NUMBER_TEXT, "%u", l->max_files != 0 ? l->max_files : o->log_max_files);
    arg(a, "--log-size", size);
    arg(a, "--log-files", files);
}

static int spawn_shim(struct starting *t, struct err *err)
{
    char size[NUMBER_TEXT];
    char files[NUMBER_TEXT];
    char base[NUMBER_TEXT];
    char hex[ID_HEX_LEN + 1];
    const char *volumes;
    char owner[2 * NUMBER_TEXT];
    struct args a = {.n = 0};
    struct spawn s = {.in = -1, .timeout_ms = t->rt->options.start_timeout_ms};
    int pair[2];
    int rv;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        return err_set(err, ERR_IO, "socketpair: %s", strerror(errno));
    }
    arg(&a, t->rt->options.shim, "run");
    arg(&a, "--dir", t->dir);
    arg(&a, "--id", t->id);
    arg(&a, "--runtime", t->rt->options.runtime);
    arg(&a, "--runtime-root", t->rt->oci_root);
    arg(&a, "--layers", t->rt->layers);
    arg(&a, "--lower", t->image.lower);
    arg(&a, "--cgroup", t->cgroup);
    if (t->task->net_mode != NET_MODE_HOST) {
        arg(&a, "--net", NULL);
        add_sysctls(t, &a);
    }
    if (t->uid_base != 0) {
        snprintf(base, sizeof base, "%u", t->uid_base);
        arg(&a, "--uid-base", base);
        id_hex(t->task->id, hex);
        volumes = arena_printf(&t->arena, "%s/%s", t->rt->volumes, hex);
        if (access(volumes, F_OK) == 0) { /* Made by the bundle when one is mounted. */
            arg(&a, "--volumes", volumes);
        }
    }
    snprintf(owner, sizeof owner, "%u:%u", t->uid_base + t->user.uid, t->uid_base + t->user.gid);
    arg(&a, "--owner", owner);
    add_log(t, &a, size, files);
    s.argv = a.v;
    s.extra = pair[1];
    rv = spawn_check(&s, err);
    close(pair[1]);
    if (rv != 0) {
        close(pair[0]);
        return rv;
    }
    t->talk = pair[0];
    return 0;
}

static int plug_in(struct starting *t, pid_t shim, struct err *err)
{
    switch (t->task->net_mode) {
    case NET_MODE_BRIDGE:
        return net_attach(t->rt->net, shim, &t->endpoint, err);
    case NET_MODE_NONE:
        return net_loopback(shim, err);
    case NET_MODE_HOST:
    case NET_MODE_AWSVPC:
    case NET_MODE_N:
        break;
    }
    return 0;
}

static int launch(struct starting *t, struct err *err)
{
    uint64_t deadline = mono_ms() + t->rt->options.start_timeout_ms;
    uint64_t shim = 0;
    uint64_t pid = 0;
    int rv = spawn_shim(t, err);
    if (rv == 0) {
        rv = await(t->talk, SHIM_READY, deadline, t->s->canceled, &shim, err);
    }
    if (rv == 0) {
        rv = plug_in(t, (pid_t)shim, err);
    }
    if (rv == 0 && canceled(t)) {
        rv = err_set(err, ERR_CANCELED, "canceled");
    }
    if (rv == 0 && send(t->talk, SHIM_GO "\n", strlen(SHIM_GO) + 1, MSG_NOSIGNAL) < 0) {
        rv = err_set(err, ERR_CLOSED, "the supervisor ended");
    }
    if (rv == 0) { /* From here the answer is awaited: half a start is harder to undo. */
        rv = await(t->talk, SHIM_RUNNING, deadline, NULL, &pid, err);
    }
    if (rv == 0 && canceled(t)) {
        rv = err_set(err, ERR_CANCELED, "canceled");
    }
    t->s->pid = (int32_t)pid;
    return rv;
}

int container_start(const struct runtime *rt, struct container_start *s, struct err *err)
{
    struct starting t = {.rt = rt, .s = s, .task = s->request->task, .talk = -1};
    struct shim_state state = {0};
    int rv;
    t.spec = &t.task->containers[s->request->container];
    t.key = (struct exec_key){t.task->id, t.spec->name};
    rv = bundle_check(rt, t.task, t.spec, err);
    if (rv == 0) {
        rv = container_dir(rt, t.key, t.dir, err);
    }
    if (rv != 0) {
        return rv;
    }
    container_id(t.key, t.id);
    container_cgroup(rt, t.key, t.cgroup);
    t.uid_base = container_userns(rt, t.task, t.spec) ? s->uid_base : 0;
    rv = make_dirs(&t, err);
    if (rv == ERR_EXISTS) {
        return rv;
    }
    arena_init(&t.arena, sysmem());
    if (rv == 0) {
        rv = prepare(&t, err);
    }
    if (rv == 0) {
        rv = launch(&t, err);
    }
    arena_close(&t.arena);
    if (rv != 0) {
        if (t.talk >= 0) {
            close(t.talk);
        }
        (void)container_remove(rt, t.key, NULL); /* A second failure would hide the first. */
        return rv;
    }
    s->talk = t.talk;
    s->ip = t.endpoint.ip;
    s->started_at_ms = container_state(t.dir, &state, NULL) == 0 ? state.started_at_ms : wall_ms();
    return 0;
}

/* --- processes
 * --------------------------------------------------------------------------------------- */

static bool same_boot(const char *boot)
{
    static const char *const path = "/proc/sys/kernel/random/boot_id";
    struct buf b;
    bool same;
    buf_init(&b, sysmem(), 128);
    same = file_read(AT_FDCWD, path, &b, NULL) == 0 &&
           str_eqc(str_slice(str_make((const char *)b.data, b.len), 0, strlen(boot)), boot);
    buf_close(&b);
    return same && boot[0] != '\0';
}

/* Field 22 of /proc/PID/stat. 0: no such process. */
static uint64_t start_time(int32_t pid)
{
    char path[64];
    struct buf b;
    struct str rest;
    uint64_t start = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    buf_init(&b, sysmem(), 4096);
    if (file_read(AT_FDCWD, path, &b, NULL) == 0) {
        const char *end = memrchr(b.data, ')', b.len);
        size_t at = end == NULL ? b.len : (size_t)(end - (const char *)b.data) + 2;
        rest = str_slice(str_make((const char *)b.data, b.len), at, b.len);
        for (int field = 3; field < 22; field++) {
            (void)str_cut(rest, ' ', &rest);
        }
        if (!str_u64(str_cut(rest, ' ', &rest), &start)) {
            start = 0;
        }
    }
    buf_close(&b);
    return start;
}

int container_pidfd(int32_t pid, uint64_t start)
{
    int fd;
    if (pid <= 1 || start == 0) {
        return -1;
    }
    fd = (int)syscall(SYS_pidfd_open, pid, 0);
    /* In this order: the descriptor pins the process, the start time tells which one it is. */
    if (fd >= 0 && start_time(pid) != start) {
        close(fd);
        fd = -1;
    }
    return fd;
}

bool container_alive(const struct shim_state *s)
{
    struct pollfd p = {-1, POLLIN, 0};
    bool alive;
    if (s->phase != SHIM_PHASE_RUNNING || !same_boot(s->boot)) {
        return false;
    }
    p.fd = container_pidfd(s->pid, s->pid_start);
    alive = p.fd >= 0 && poll(&p, 1, 0) == 0; /* Readable: it ended and waits to be reaped. */
    if (p.fd >= 0) {
        close(p.fd);
    }
    return alive;
}

int container_state(const char *dir, struct shim_state *ret, struct err *err)
{
    char path[PATH_MAX];
    struct buf b;
    int rv;
    if (snprintf(path, sizeof path, "%s/" SHIM_FILE_STATE, dir) >= PATH_MAX) {
        return err_set(err, ERR_TOOBIG, "path too long");
    }
    buf_init(&b, sysmem(), SHIM_STATE_MAX);
    rv = file_read(AT_FDCWD, path, &b, err);
    if (rv == 0) {
        rv = shim_state_parse(str_make((const char *)b.data, b.len), ret, err);
    }
    buf_close(&b);
    return rv;
}

/* A directory's name may be longer than a socket address; its descriptor's is not. */
int container_connect(const char *dir)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int fd = -1;
    if (at >= 0) {
        snprintf(addr.sun_path, sizeof addr.sun_path, "/proc/self/fd/%d/" SHIM_FILE_SOCK, at);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof addr) != 0) {
            close(fd);
            fd = -1;
        }
        close(at);
    }
    return fd;
}

/* --- removal
 * ----------------------------------------------------------------------------------------- */

static void kill_process(int32_t pid, uint64_t start)
{
    int fd = container_pidfd(pid, start);
    if (fd >= 0) {
        (void)syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
        close(fd);
    }
}

/* True when the lock can be had: the supervisor is gone. */
static bool shim_gone(const char *lock)
{
    int fd = open(lock, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    bool gone = fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return gone;
}

/* Kill the container and wait for its supervisor, which may be at any point of its life: before
 * the state file exists it ends by itself or produces one. */
static int end_processes(const char *dir, struct err *err)
{
    char lock[PATH_MAX];
    struct shim_state s = {0};
    bool known = false;
    uint64_t deadline = mono_ms() + END_TIMEOUT_MS;
    if (snprintf(lock, sizeof lock, "%s/" SHIM_FILE_LOCK, dir) >= PATH_MAX) {
        return err_set(err, ERR_TOOBIG, "path too long");
    }
    for (;;) {
        struct timespec pause = {0, 2000000};
        known = container_state(dir, &s, NULL) == 0 && same_boot(s.boot);
        if (known && s.phase == SHIM_PHASE_RUNNING) {
            kill_process(s.pid, s.pid_start);
        }
        if (shim_gone(lock)) {
            return 0;
        }
        if (mono_ms() >= deadline) {
            break;
        }
        nanosleep(&pause, NULL);
    }
    if (!known) {
        return err_set(err, ERR_BUSY, "the supervisor in %s does not end", dir);
    }
    kill_process(s.shim_pid, s.shim_pid_start);
    return 0;
}

/* Have the OCI runtime forget it, if its supervisor could not. */
static int forget(const struct runtime *rt, const char *id, struct err *err)
{
    const char *argv[] = {rt->options.shim, "runtime",    rt->options.runtime,
                          "--root",         rt->oci_root, "delete",
                          "--force",        id,           NULL};
    struct spawn s = {.argv = argv, .in = -1, .extra = -1, .timeout_ms = DELETE_TIMEOUT};
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/%s", rt->oci_root, id);
    if (n >= PATH_MAX || access(path, F_OK) != 0) {
        return 0;
    }
    return spawn_check(&s, err);
}

static int detach_network(const struct runtime *rt, const char *dir, struct err *err)
{
    char path[PATH_MAX];
    struct arena arena;
    struct meta m;
    struct buf b;
    int rv = 0;
    if (snprintf(path, sizeof path, "%s/meta.json", dir) >= PATH_MAX) {
        return err_set(err, ERR_TOOBIG, "path too long");
    }
    arena_init(&arena, sysmem());
    buf_init(&b, sysmem(), META_MAX);
    /* No meta.json: it was never given a network. */
    if (rt->net != NULL && file_read(AT_FDCWD, path, &b, NULL) == 0 &&
        meta_parse(str_make((const char *)b.data, b.len), &arena, &m, NULL) == 0) {
        struct net_endpoint e = {m.ip, m.ports, m.n_ports};
        rv = net_detach(rt->net, &e, err);
        unlink(path); /* Whoever tries again must not detach what is no longer ours. */
    }
    buf_close(&b);
    arena_close(&arena);
    return rv;
}

/* By directory name, so that it works without meta.json. */
static int remove_id(const struct runtime *rt, const char *id, struct err *err)
{
    char dir[PATH_MAX];
    char cgroup[CGROUP_PATH_MAX];
    int rv;
    if (strlen(id) < ID_HEX_LEN + 2 ||
        snprintf(dir, sizeof dir, "%s/%s", rt->containers, id) >= PATH_MAX) {
        return err_set(err, ERR_INVALID, "%s/%s is not a container", rt->containers, id);
    }
    if (access(dir, F_OK) != 0) {
        return 0;
    }
    snprintf(cgroup, sizeof cgroup, "%s/%.*s/%s", rt->options.cgroup_parent, ID_HEX_LEN, id,
             id + ID_HEX_LEN + 1);
    rv = end_processes(dir, err);
    if (rv == 0) {
        cgroup_kill(&rt->cgroup, cgroup);
        rv = forget(rt, id, err);
    }
    if (rv == 0) {
        rv = cgroup_remove(&rt->cgroup, cgroup, err);
    }
    if (rv == 0) {
        rv = detach_network(rt, dir, err);
    }
    if (rv == 0) {
        rv = dir_remove(AT_FDCWD, dir, err);
    }
    return rv == 0 ? 0 : err_wrap(err, rv, "remove %s", id);
}

int container_remove(const struct runtime *rt, struct exec_key key, struct err *err)
{
    char id[CONTAINER_ID_MAX];
    if (!container_name_ok(key.name)) {
        return 0; /* No such container can exist. */
    }
    container_id(key, id);
    return remove_id(rt, id, err);
}

static int remove_with_prefix(const struct runtime *rt, const char *prefix, struct err *err)
{
    struct dirent *e;
    int rv = 0;
    DIR *d = opendir(rt->containers);
    if (d == NULL) {
        return errno == ENOENT ? 0
                               : err_set(err, ERR_IO, "%s: %s", rt->containers, strerror(errno));
    }
    while (rv == 0 && (e = readdir(d)) != NULL) {
        if (e->d_name[0] != '.' && strncmp(e->d_name, prefix, strlen(prefix)) == 0) {
            rv = remove_id(rt, e->d_name, err);
        }
    }
    closedir(d);
    return rv;
}

int container_remove_all(const struct runtime *rt, struct err *err)
{
    return remove_with_prefix(rt, "", err);
}

int container_remove_task(const struct runtime *rt, struct id task, struct err *err)
{
    char path[PATH_MAX];
    char cgroup[CGROUP_PATH_MAX];
    char prefix[ID_HEX_LEN + 2];
    int rv;
    id_hex(task, prefix);
    prefix[ID_HEX_LEN] = '-';
    prefix[ID_HEX_LEN + 1] = '\0';
    rv = remove_with_prefix(rt, prefix, err);
    if (rv == 0) {
        task_cgroup(rt, task, cgroup); /* With what runs there of which no directory tells. */
        rv = cgroup_purge(&rt->cgroup, cgroup, err);
    }
    if (rv == 0 &&
        snprintf(path, sizeof path, "%s/%.*s", rt->volumes, ID_HEX_LEN, prefix) < PATH_MAX) {
        rv = dir_remove(AT_FDCWD, path, err);
    }
    return rv;
}

/* --- commands in a container
 * ----------------------------------------------------------------------- */

/* Killing the runtime's exec leaves the command itself running; its pid is in a file. */
static void kill_command(const char *pid_file)
{
    unsigned long long pid = 0;
    if (file_u64(AT_FDCWD, pid_file, &pid, NULL) == 0 && pid > 1 && pid <= INT32_MAX) {
        kill((pid_t)pid, SIGKILL);
    }
}

/* The container's own process as config.json has it, with other arguments: same user, powers and
 * environment. */
static int write_process(const struct runtime *rt, const struct exec_run *r, const char *path,
                         struct err *err)
{
    char dir[PATH_MAX];
    char config[PATH_MAX];
    json_t *root;
    json_t *args = json_array();
    char *text = NULL;
    int rv = container_dir(rt, r->key, dir, err);
    if (rv == 0 && snprintf(config, sizeof config, "%s/config.json", dir) >= PATH_MAX) {
        rv = err_set(err, ERR_TOOBIG, "path too long");
    }
    root = rv == 0 ? json_load_file(config, 0, NULL) : NULL;
    for (uint32_t i = 0; i < r->n_command; i++) {
        json_array_append_new(args, json_string(r->command[i]));
    }
    if (json_object_set_new(json_object_get(root, "process"), "args", args) == 0) {
        text = json_dumps(json_object_get(root, "process"), JSON_COMPACT);
    }
    json_decref(root);
    if (rv == 0) {
        rv = text == NULL ? err_set(err, ERR_NOTFOUND, "container %s is not here", r->key.name)
                          : file_write(AT_FDCWD, path, text, strlen(text), 0600, false, err);
    }
    free(text);
    return rv;
}

int container_exec(const struct runtime *rt, const struct exec_run *r, int pidfd, uint64_t number,
                   const atomic_bool *cancel, int *ret_status, struct err *err)
{
    char id[CONTAINER_ID_MAX];
    char pid_file[PATH_MAX];
    char process[PATH_MAX];
    const char *argv[] = {rt->options.shim,
                          "runtime",
                          "--join",
                          rt->options.runtime,
                          "--root",
                          rt->oci_root,
                          "exec",
                          "--process",
                          process,
                          "--pid-file",
                          pid_file,
                          id,
                          NULL};
    struct spawn s = {.argv = argv,
                      .in = -1,
                      .extra = pidfd,
                      .out = r->output,
                      .log = r->output,
                      .timeout_ms = r->timeout_ms,
                      .canceled = cancel};
    int rv;
    if (!container_name_ok(r->key.name) || r->n_command == 0) {
        return err_set(err, ERR_INVALID, "command: must have at least one word");
    }
    container_id(r->key, id);
    snprintf(pid_file, sizeof pid_file, "%s/exec-%llu.pid", rt->options.run_dir,
             (unsigned long long)number);
    snprintf(process, sizeof process, "%s/exec-%llu.json", rt->options.run_dir,
             (unsigned long long)number);
    rv = write_process(rt, r, process, err);
    if (rv == 0) {
        rv = spawn_run(&s, ret_status, err);
    }
    if (rv == ERR_TIMEOUT || rv == ERR_CANCELED) {
        kill_command(pid_file);
    }
    unlink(pid_file);
    unlink(process);
    return rv;
}
