/* posix_spawn() because the agent is threaded and may be large: it neither copies page tables nor
 * runs our code between fork and exec. A pidfd ends the wait, not the pipes' EOF: a daemon that
 * the program leaves behind may hold the pipes open for ever. */
#include "agent/proc/spawn.h"

#include "common/base/str.h"
#include "common/loop/sysmem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CANCEL_POLL_MS 50

static const char *const default_env[] = {
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C", NULL};

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* out and log are the write ends of pipes, or -1. */
static int add_actions(posix_spawn_file_actions_t *fa, const struct spawn *s, int out, int log)
{
    int rv = s->in >= 0 ? posix_spawn_file_actions_adddup2(fa, s->in, 0)
                        : posix_spawn_file_actions_addopen(fa, 0, "/dev/null", O_RDONLY, 0);
    rv |= out >= 0 ? posix_spawn_file_actions_adddup2(fa, out, 1)
                   : posix_spawn_file_actions_addopen(fa, 1, "/dev/null", O_WRONLY, 0);
    rv |= log >= 0 ? posix_spawn_file_actions_adddup2(fa, log, 2)
                   : posix_spawn_file_actions_addopen(fa, 2, "/dev/null", O_WRONLY, 0);
    if (s->extra >= 0) {
        rv |= posix_spawn_file_actions_adddup2(fa, s->extra, 3);
    }
    rv |= posix_spawn_file_actions_addclosefrom_np(fa, s->extra >= 0 ? 4 : 3);
    if (s->dir != NULL) {
        rv |= posix_spawn_file_actions_addchdir_np(fa, s->dir);
    }
    return rv == 0 ? 0 : ERR_NOMEM;
}

static int spawn_pid(const struct spawn *s, int out, int log, pid_t *ret_pid, struct err *err)
{
    posix_spawn_file_actions_t fa;
    posix_spawnattr_t attr;
    sigset_t none;
    sigset_t all;
    int rv;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&fa);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &all);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    rv = add_actions(&fa, s, out, log);
    if (rv == 0) {
        /* POSIX gives argv and env no const for historical reasons only. */
        const char *const *env = s->env != NULL ? s->env : default_env;
        rv = posix_spawnp(ret_pid, s->argv[0], &fa, &attr, (char *const *)(uintptr_t)s->argv,
                          (char *const *)(uintptr_t)env);
    }
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&fa);
    if (rv == 0) {
        return 0;
    }
    return err_set(err, rv == ENOENT ? ERR_NOTFOUND : ERR_IO, "%s: %s", s->argv[0],
                   rv > 0 ? strerror(rv) : err_name(rv));
}

int spawn_start(const struct spawn *s, pid_t *ret_pid, struct err *err)
{
    return spawn_pid(s, -1, -1, ret_pid, err);
}

/* Everything that can be read now. False once the other side is closed. */
static bool drain(int fd, struct buf *to)
{
    char chunk[4096];
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n > 0) {
            size_t room = to->max - to->len;
            buf_put(to, chunk, (size_t)n < room ? (size_t)n : room);
            continue;
        }
        return n < 0 && (errno == EAGAIN || errno == EINTR);
    }
}

struct running {
    pid_t pid;
    struct pollfd fds[3]; /* pidfd, stdout, stderr. */
    struct buf *to[3];
    uint64_t deadline; /* 0: none. */
};

static int wait_end(const struct spawn *s, struct running *r, struct err *err)
{
    for (;;) {
        uint64_t now = now_ms();
        int timeout = s->canceled != NULL ? CANCEL_POLL_MS : -1;
        if (s->canceled != NULL && atomic_load(s->canceled)) {
            return err_set(err, ERR_CANCELED, "%s: canceled", s->argv[0]);
        }
        if (r->deadline != 0 && now >= r->deadline) {
            return err_set(err, ERR_TIMEOUT, "%s: no end after %u ms", s->argv[0], s->timeout_ms);
        }
        if (r->deadline != 0 && (timeout < 0 || r->deadline - now < (uint64_t)timeout)) {
            timeout = (int)(r->deadline - now);
        }
        if (poll(r->fds, 3, timeout) < 0 && errno != EINTR) {
            return err_set(err, ERR_IO, "poll: %s", strerror(errno));
        }
        for (int i = 1; i < 3; i++) {
            if (r->fds[i].fd >= 0 && r->fds[i].revents != 0 && !drain(r->fds[i].fd, r->to[i])) {
                close(r->fds[i].fd);
                r->fds[i].fd = -1;
            }
        }
        if (r->fds[0].revents != 0) {
            return 0;
        }
    }
}

/* Reap; -1 when somebody else did. */
static int reap(pid_t pid)
{
    int status;
    pid_t got;
    do {
        got = waitpid(pid, &status, 0);
    } while (got < 0 && errno == EINTR);
    if (got != pid) {
        return -1;
    }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void close_fds(int *fds, int n)
{
    for (int i = 0; i < n; i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
        fds[i] = -1;
    }
}

static int open_pipes(const struct spawn *s, int pipes[4], struct err *err)
{
    if ((s->out != NULL && pipe2(pipes, O_CLOEXEC) != 0) ||
        (s->log != NULL && pipe2(pipes + 2, O_CLOEXEC) != 0)) {
        return err_set(err, ERR_IO, "pipe: %s", strerror(errno));
    }
    for (int i = 0; i < 4; i += 2) { /* Only our ends: the child may expect blocking ones. */
        if (pipes[i] >= 0) {
            fcntl(pipes[i], F_SETFL, O_NONBLOCK);
        }
    }
    return 0;
}

int spawn_run(const struct spawn *s, int *ret_status, struct err *err)
{
    int pipes[4] = {-1, -1, -1, -1};
    struct running r = {.fds = {{-1, POLLIN, 0}, {-1, POLLIN, 0}, {-1, POLLIN, 0}},
                        .to = {NULL, s->out, s->log}};
    int status;
    int rv = open_pipes(s, pipes, err);
    if (rv == 0) {
        rv = spawn_pid(s, pipes[1], pipes[3], &r.pid, err);
    }
    if (rv != 0) {
        close_fds(pipes, 4);
        return rv;
    }
    close_fds(pipes + 1, 1);
    close_fds(pipes + 3, 1);
    r.fds[0].fd = (int)syscall(SYS_pidfd_open, r.pid, 0);
    r.fds[1].fd = pipes[0];
    r.fds[2].fd = pipes[2];
    r.deadline = s->timeout_ms == 0 ? 0 : now_ms() + s->timeout_ms;
    rv = r.fds[0].fd >= 0 ? wait_end(s, &r, err)
                          : err_set(err, ERR_IO, "pidfd_open: %s", strerror(errno));
    if (rv != 0) {
        kill(r.pid, SIGKILL);
    }
    status = reap(r.pid);
    for (int i = 0; i < 3; i++) {
        if (r.fds[i].fd >= 0) {
            if (i > 0) {
                drain(r.fds[i].fd, r.to[i]);
            }
            close(r.fds[i].fd);
        }
    }
    if (rv == 0 && status < 0) {
        rv = err_set(err, ERR_UNKNOWN, "%s: its exit status was lost", s->argv[0]);
    }
    if (rv == 0) {
        *ret_status = status;
    }
    return rv;
}

/* The last non-empty line of text, without trailing space. */
static struct str last_line(struct str text)
{
    size_t from;
    while (text.n > 0 && (unsigned char)text.p[text.n - 1] <= ' ') {
        text.n--;
    }
    from = text.n;
    while (from > 0 && text.p[from - 1] != '\n') {
        from--;
    }
    return str_slice(text, from, text.n);
}

int spawn_check(const struct spawn *s, struct err *err)
{
    struct spawn copy = *s;
    struct buf own;
    struct str line;
    int status = 0;
    int rv;
    buf_init(&own, sysmem(), 16 * 1024);
    if (copy.log == NULL) {
        copy.log = &own;
    }
    rv = spawn_run(&copy, &status, err);
    if (rv == 0 && status != 0) {
        line = last_line(str_make((const char *)copy.log->data, copy.log->len));
        rv = err_set(err, ERR_IO, "%s: exit status %d: %.*s", s->argv[0], status, STR_ARG(line));
    }
    buf_close(&own);
    return rv;
}
