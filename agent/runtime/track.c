/* What the loop knows of each container: is it running, who waits for its end, and the connection
 * through which the end is heard. */
#include "agent/runtime/driver_impl.h"

#include "agent/proc/files.h"
#include "agent/shim/protocol.h"
#include "common/log/log.h"
#include "common/loop/sysmem.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NET_DEV_MAX 16384

struct watch { /* A descriptor that says something when the container ends. */
    uv_poll_t poll;
    struct track *track; /* NULL once nobody cares. */
    int fd;
    bool is_pidfd;
    size_t n;
    char line[64]; /* Only "exited" matters. */
};

/* --- watching
 * -------------------------------------------------------------------------------------- */

static void watch_closed(uv_handle_t *handle)
{
    struct watch *w = handle->data;
    close(w->fd);
    free(w);
}

static void watch_close(struct watch *w)
{
    if (w != NULL) {
        w->track = NULL;
        uv_close((uv_handle_t *)&w->poll, watch_closed);
    }
}

static void watch_cb(uv_poll_t *poll, int status, int events);

/* fd is taken over, also on failure. */
static struct watch *watch_open(struct track *t, int fd, bool is_pidfd)
{
    struct watch *w = driver_alloc(sizeof *w);
    int rv = uv_poll_init(t->d->loop, &w->poll, fd);
    assert(rv == 0); /* A descriptor of ours, and memory for epoll. */
    w->poll.data = w;
    w->track = t;
    w->fd = fd;
    w->is_pidfd = is_pidfd;
    rv = uv_poll_start(&w->poll, UV_READABLE | UV_DISCONNECT, watch_cb);
    assert(rv == 0);
    return w;
}

static int read_state(const struct track *t, struct shim_state *ret)
{
    char dir[PATH_MAX];
    struct exec_key key = {t->task, t->name};
    int rv = container_dir(&t->d->rt, key, dir, NULL);
    /* A few hundred bytes that were written a moment ago: no disk is read. */
    return rv != 0 ? rv : container_state(dir, ret, NULL);
}

enum news {
    NEWS_EXITED,    /* The supervisor said so. */
    NEWS_SHIM_GONE, /* No more connection to it. */
    NEWS_DEAD,      /* The container's process itself has ended, without a supervisor. */
};

static void heard(struct track *t, enum news news)
{
    struct shim_state state;
    bool known = read_state(t, &state) == 0 && state.phase == SHIM_PHASE_EXITED;
    if (news != NEWS_EXITED) {
        watch_close(t->watch);
        t->watch = NULL;
    }
    if (t->state != TRACK_RUNNING) {
        return;
    }
    if (known) {
        track_end(t, &state);
        return;
    }
    if (news == NEWS_EXITED) {
        return; /* The record could not be written or read; the supervisor ends now. */
    }
    if (news == NEWS_SHIM_GONE &&
        t->pidfd >= 0) { /* The supervisor was killed; its container goes on. */
        int fd = fcntl(t->pidfd, F_DUPFD_CLOEXEC, 3);
        log_warn("container.supervisor_lost", log_id("task", t->task), log_str("name", t->name));
        if (fd >= 0) {
            t->watch = watch_open(t, fd, true);
            return;
        }
    }
    track_end(t, NULL);
}

/* Bytes of the supervisor: whole lines count. True when "exited" was among them. */
static bool read_lines(struct watch *w, bool *ret_gone)
{
    bool exited = false;
    for (;;) {
        char c;
        ssize_t n = recv(w->fd, &c, 1, MSG_DONTWAIT);
        if (n <= 0) {
            *ret_gone = n == 0 || (errno != EAGAIN && errno != EINTR);
            return exited;
        }
        if (c != '\n') {
            w->n += w->n < sizeof w->line - 1 ? 1 : 0;
            w->line[w->n - 1] = c;
            continue;
        }
        w->line[w->n] = '\0';
        exited = exited || strcmp(w->line, SHIM_EXITED) == 0;
        w->n = 0;
    }
}

static void watch_cb(uv_poll_t *poll, int status, int events)
{
    struct watch *w = poll->data;
    bool gone = false;
    (void)events;
    if (w->track == NULL) {
        return;
    }
    if (w->is_pidfd) {
        heard(w->track, NEWS_DEAD);
        return;
    }
    if (status < 0) {
        gone = true;
    } else if (!read_lines(w, &gone) && !gone) {
        return;
    }
    heard(w->track, gone ? NEWS_SHIM_GONE : NEWS_EXITED);
}

/* --- tracks
 * ---------------------------------------------------------------------------------------- */

struct track *track_new(struct driver *d, struct exec_key key)
{
    struct track *t = driver_alloc(sizeof *t);
    size_t n = strlen(key.name);
    t->d = d;
    t->task = key.task;
    t->name = driver_alloc(n + 1);
    memcpy(t->name, key.name, n);
    t->pidfd = -1;
    list_push(&d->tracks, &t->link);
    return t;
}

struct track *track_find(struct driver *d, struct exec_key key)
{
    struct list *it;
    list_each (it, &d->tracks) {
        struct track *t = container_of(it, struct track, link);
        if (id_eq(t->task, key.task) && strcmp(t->name, key.name) == 0) {
            return t;
        }
    }
    return NULL;
}

void track_free(struct track *t)
{
    track_answer_stops(t, 0);
    watch_close(t->watch);
    loop_timer_close(t->kill_timer);
    if (t->pidfd >= 0) {
        close(t->pidfd);
    }
    list_remove(&t->link);
    free(t->ports);
    free(t->name);
    free(t);
}

void track_set_ports(struct track *t, const struct spec_port *ports, uint32_t n_ports)
{
    t->ports = driver_alloc((n_ports + 1u) * sizeof *ports);
    if (n_ports > 0) {
        memcpy(t->ports, ports, n_ports * sizeof *ports);
    }
    for (uint32_t i = 0; i < n_ports; i++) {
        t->ports[i].name = ""; /* The original is borrowed. */
    }
    t->n_ports = n_ports;
}

void track_run(struct track *t, int talk, int pidfd)
{
    t->state = TRACK_RUNNING;
    t->pidfd = pidfd;
    if (talk >= 0) {
        t->watch = watch_open(t, talk, false);
    } else {
        int fd = fcntl(pidfd, F_DUPFD_CLOEXEC, 3);
        assert(fd >= 0);
        t->watch = watch_open(t, fd, true);
    }
}

static uint64_t now_ms(void)
{
    return clock_wall_ms();
}

void track_end(struct track *t, const struct shim_state *state)
{
    struct driver *d = t->d;
    struct exec_exit e = {.key = {t->task, t->name}};
    if (t->state != TRACK_RUNNING) {
        return;
    }
    t->state = TRACK_ENDED;
    e.unknown = state == NULL;
    e.started_at_ms = t->started_at_ms;
    e.finished_at_ms = state == NULL ? now_ms() : state->finished_at_ms;
    if (state != NULL) {
        e.exit_code = state->exit_code;
        e.signal = state->signal;
        e.oom_killed = state->oom_kills > 0;
    }
    if (t->pidfd >= 0) {
        close(t->pidfd);
        t->pidfd = -1;
    }
    loop_timer_close(t->kill_timer);
    t->kill_timer = NULL;
    ops_withdraw(t);
    if (d->x.events.exited != NULL) {
        d->x.events.exited(d->x.events.data, &e);
    }
    track_answer_stops(t, 0);
}

/* --- stop and kill
 * --------------------------------------------------------------------------------- */

static int send_signal(const struct track *t, int signum)
{
    return t->pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_send_signal, t->pidfd, signum, NULL, 0);
}

static void kill_cb(void *data)
{
    struct track *t = data;
    (void)send_signal(t, SIGKILL); /* It may end at this moment; its exit is on its way. */
}

static void answer_cb(void *data)
{
    struct exec_stop *r = data;
    r->cb(r);
}

void track_answer_stops(struct track *t, int status)
{
    while (t->stops != NULL) {
        struct exec_stop *r = t->stops;
        t->stops = r->impl;
        r->impl = NULL;
        r->status = status == 0 ? 0 : err_set(&r->err, status, "stop: %s", err_name(status));
        driver_defer(t->d, answer_cb, r);
    }
}

/* Several stops: the most impatient decides. */
static void arm_kill(struct track *t, uint32_t timeout_s)
{
    uint64_t delay = (uint64_t)timeout_s * 1000;
    uint64_t at = clock_mono_ms() + delay;
    if (t->kill_timer == NULL) {
        t->kill_timer = loop_timer_open(t->d->loop, kill_cb, t);
    } else if (t->kill_at <= at) {
        return;
    }
    t->kill_at = at;
    loop_timer_start(t->kill_timer, delay);
}

void track_stop(struct executor *x, struct exec_stop *r)
{
    struct driver *d = container_of(x, struct driver, x);
    struct track *t = track_find(d, r->key);
    r->status = 0;
    r->impl = NULL;
    if (t == NULL || t->state == TRACK_ENDED || t->state == TRACK_REMOVED || d->closing) {
        if (t == NULL) {
            r->status =
                err_set(&r->err, ERR_NOTFOUND, "no container %s of this task is here", r->key.name);
        }
        driver_defer(d, answer_cb, r);
        return;
    }
    r->impl = t->stops;
    t->stops = r;
    if (t->state == TRACK_STARTING) {
        ops_cancel_start(t->start);
        return;
    }
    (void)send_signal(t, t->stop_signal);
    arm_kill(t, r->timeout_s);
}

int track_kill(struct executor *x, struct exec_key key, int signum, struct err *err)
{
    struct driver *d = container_of(x, struct driver, x);
    struct track *t = track_find(d, key);
    if (t != NULL && t->state == TRACK_STARTING && signum == SIGKILL) {
        ops_cancel_start(t->start);
        return 0;
    }
    if (t == NULL || t->state != TRACK_RUNNING) {
        return err_set(err, ERR_NOTFOUND, "container %s is not running", key.name);
    }
    if (send_signal(t, signum) != 0) {
        return err_set(err, errno == ESRCH ? ERR_NOTFOUND : ERR_IO, "signal %d to %s: %s", signum,
                       key.name, strerror(errno));
    }
    return 0;
}

/* --- counters
 * -------------------------------------------------------------------------------------- */

/* The n-th number of a line, counted from 0. */
static uint64_t column(struct str line, unsigned n)
{
    uint64_t v = 0;
    for (unsigned i = 0; line.n > 0;) {
        struct str word = str_cut(line, ' ', &line);
        if (word.n > 0 && i++ == n) {
            return str_u64(word, &v) ? v : 0;
        }
    }
    return 0;
}

/* "  eth0: RX-BYTES 7 more TX-BYTES ...", as the container's process sees it. */
static void net_stats(int32_t pid, struct exec_stats *ret)
{
    char path[64];
    struct buf b;
    struct str rest;
    snprintf(path, sizeof path, "/proc/%d/net/dev", pid);
    buf_init(&b, sysmem(), NET_DEV_MAX);
    if (file_read(AT_FDCWD, path, &b, NULL) == 0) {
        rest = str_make((const char *)b.data, b.len);
        while (rest.n > 0) {
            struct str numbers;
            struct str name = str_cut(str_cut(rest, '\n', &rest), ':', &numbers);
            if (str_ends(name, "eth0")) {
                ret->net_rx_bytes = column(numbers, 0);
                ret->net_tx_bytes = column(numbers, 8);
            }
        }
    }
    buf_close(&b);
}

int track_stats(struct executor *x, struct exec_key key, struct exec_stats *ret, struct err *err)
{
    struct driver *d = container_of(x, struct driver, x);
    struct track *t = track_find(d, key);
    char path[CGROUP_PATH_MAX];
    struct exec_stats s = {0};
    int rv;
    if (t == NULL || t->state != TRACK_RUNNING) {
        return err_set(err, ERR_NOTFOUND, "container %s is not running", key.name);
    }
    container_cgroup(&d->rt, key, path);
    rv = cgroup_stats(&d->rt.cgroup, path, &s, err);
    if (rv == 0) {
        if (t->ip != 0) {
            net_stats(t->pid, &s);
        }
        *ret = s;
    }
    return rv;
}
