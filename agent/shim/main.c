/* ecs-shim: one small process beside every container.
 *
 * It outlives the agent: forked away, in its own session, sub-reaper of what the OCI runtime leaves
 * behind, and holder of the container's namespaces and mounts, none of which is visible outside.
 * It is the container's parent, so it alone learns the exit status, and writes it down before it
 * tells. Files and words: agent/shim/protocol.h.
 *
 *   ecs-shim run OPTIONS         start the container in --dir and stay until it ends
 *   ecs-shim runtime [--join] PROGRAM...
 *                                become PROGRAM where crun accepts the cgroups (exec, delete);
 *                                --join: in the network of the process that descriptor 3 names
 *   ecs-shim probe DIRECTORY     exit status 0: user namespaces work with overlays there
 *   ecs-shim init PROGRAM...     inside a container that asked for an init process: be that
 */
#include "agent/shim/log.h"
#include "agent/shim/protocol.h"
#include "agent/shim/rootfs.h"
#include "agent/shim/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TALKS_MAX     5 /* The agent that started us, and connections. */
#define READ_SIZE     16384
#define GO_TIMEOUT_MS 60000

enum { FD_SIGNAL, FD_OUT, FD_ERR, FD_LISTEN, FD_TALK, FD_N = FD_TALK + TALKS_MAX };

struct talk { /* One conversation; its descriptor is in fds. */
    size_t n;
    char line[SHIM_TALK_MAX];
};

struct shim {
    struct setup setup;
    struct shim_log log;
    struct log_stream streams[2];
    struct pollfd fds[FD_N];
    struct talk talks[TALKS_MAX];
    pid_t pid;
    unsigned long long pid_start;
    uint64_t started_at_ms;
    uint64_t finished_at_ms;
    bool exited;
    int status; /* Of waitpid(). */
    unsigned long n_oom_kills;
};

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* --- state file --------------------------------------------------------------------------------
 */

static size_t state_text(const struct shim *s, const char *phase, char *text, size_t size)
{
    char boot[64] = "";
    int code = WIFSIGNALED(s->status) ? 128 + WTERMSIG(s->status) : WEXITSTATUS(s->status);
    int n;
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t len = read(fd, boot, sizeof boot - 1);
        boot[len > 0 ? strcspn(boot, "\n") : 0] = '\0';
        close(fd);
    }
    n = snprintf(text, size,
                 "ecs-shim %d\nphase %s\nboot %s\npid %d\npid_start %llu\nshim_pid %d\n"
                 "shim_pid_start %llu\nstarted_at_ms %llu\n",
                 SHIM_VERSION, phase, boot, (int)s->pid, s->pid_start, (int)getpid(),
                 setup_start_time(getpid()), (unsigned long long)s->started_at_ms);
    if (s->exited) {
        n += snprintf(text + n, size - (size_t)n,
                      "finished_at_ms %llu\nexit_code %d\nsignal %d\noom_kills %lu\n"
                      "lost_lines %llu\n",
                      (unsigned long long)s->finished_at_ms, code,
                      WIFSIGNALED(s->status) ? WTERMSIG(s->status) : 0, s->n_oom_kills,
                      (unsigned long long)s->log.n_lost);
    }
    return (size_t)n;
}

/* A failure is not fatal: the container matters more than its record, and the agent will report
 * "exit code unknown". */
static void state_write(const struct shim *s, const char *phase, bool durable)
{
    char text[SHIM_STATE_MAX];
    size_t n = state_text(s, phase, text, sizeof text);
    int dir;
    int fd = open(SHIM_FILE_STATE ".new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        return;
    }
    if (write(fd, text, n) != (ssize_t)n || (durable && fsync(fd) != 0)) {
        close(fd);
        return;
    }
    close(fd);
    if (rename(SHIM_FILE_STATE ".new", SHIM_FILE_STATE) != 0 || !durable) {
        return;
    }
    dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir >= 0) {
        fsync(dir);
        close(dir);
    }
}

/* --- talk --------------------------------------------------------------------------------------
 */

static void talk_close(struct shim *s, unsigned i)
{
    close(s->fds[FD_TALK + i].fd);
    s->fds[FD_TALK + i].fd = -1;
    s->talks[i].n = 0;
}

/* A listener that does not read loses the connection, never our time. */
static void say(struct shim *s, unsigned i, const char *text)
{
    size_t n = strlen(text);
    int fd = s->fds[FD_TALK + i].fd;
    if (fd >= 0 && send(fd, text, n, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)n) {
        talk_close(s, i);
    }
}

static void say_all(struct shim *s, const char *text)
{
    for (unsigned i = 0; i < TALKS_MAX; i++) {
        say(s, i, text);
    }
}

static void obey(struct shim *s, unsigned i, const char *line)
{
    char text[SHIM_STATE_MAX + 2];
    if (strcmp(line, SHIM_STATUS) == 0) {
        size_t n = state_text(s, s->exited ? SHIM_EXITED : SHIM_RUNNING, text, SHIM_STATE_MAX);
        memcpy(text + n, "\n", 2);
        say(s, i, text);
    } else if (strncmp(line, SHIM_SIGNAL " ", strlen(SHIM_SIGNAL) + 1) == 0) {
        /* We have not waited for it yet, so the pid is still the container's. */
        long signum = strtol(line + strlen(SHIM_SIGNAL) + 1, NULL, 10);
        bool sent =
            signum > 0 && signum <= SIGRTMAX && !s->exited && kill(s->pid, (int)signum) == 0;
        say(s, i, sent ? "ok\n" : "error not sent\n");
    } else {
        say(s, i, "error unknown command\n");
    }
}

static void talk_read(struct shim *s, unsigned i)
{
    struct talk *t = &s->talks[i];
    char *end;
    ssize_t n =
        recv(s->fds[FD_TALK + i].fd, t->line + t->n, sizeof t->line - 1 - t->n, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n <= 0) {
        talk_close(s, i);
        return;
    }
    t->n += (size_t)n;
    t->line[t->n] = '\0';
    while ((end = strchr(t->line, '\n')) != NULL) {
        *end = '\0';
        obey(s, i, t->line);
        t->n -= (size_t)(end + 1 - t->line);
        memmove(t->line, end + 1, t->n + 1);
    }
    if (t->n == sizeof t->line - 1) {
        talk_close(s, i);
    }
}

static void talk_accept(struct shim *s)
{
    int fd = accept4(s->fds[FD_LISTEN].fd, NULL, NULL, SOCK_CLOEXEC);
    for (unsigned i = 0; fd >= 0 && i < TALKS_MAX; i++) {
        if (s->fds[FD_TALK + i].fd < 0) {
            s->fds[FD_TALK + i].fd = fd;
            return;
        }
    }
    if (fd >= 0) {
        close(fd);
    }
}

static int talk_listen(struct shim *s, struct err *err)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX, .sun_path = SHIM_FILE_SOCK};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    unlink(SHIM_FILE_SOCK);
    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof addr) != 0 ||
        chmod(SHIM_FILE_SOCK, 0600) != 0 || listen(fd, TALKS_MAX) != 0) {
        return err_set(err, ERR_IO, "socket %s: %s", SHIM_FILE_SOCK, strerror(errno));
    }
    s->fds[FD_LISTEN].fd = fd;
    return 0;
}

/* Wait for "go". False when the agent is gone or says nothing. */
static bool await_go(struct shim *s)
{
    char text[sizeof SHIM_GO] = "";
    struct pollfd p = {s->fds[FD_TALK].fd, POLLIN, 0};
    return p.fd >= 0 && poll(&p, 1, GO_TIMEOUT_MS) == 1 &&
           recv(p.fd, text, strlen(SHIM_GO) + 1, MSG_WAITALL) == (ssize_t)strlen(SHIM_GO) + 1 &&
           memcmp(text, SHIM_GO "\n", strlen(SHIM_GO) + 1) == 0;
}

/* --- life --------------------------------------------------------------------------------------
 */

/* Pipes to the container; our ends do not block. */
static int open_output(struct shim *s, int ret_write[2], struct err *err)
{
    for (int i = 0; i < 2; i++) {
        int fds[2];
        if (pipe2(fds, O_CLOEXEC) != 0) {
            return err_set(err, ERR_IO, "pipe: %s", strerror(errno));
        }
        fcntl(fds[0], F_SETFL, O_NONBLOCK);
        s->fds[FD_OUT + i].fd = fds[0];
        ret_write[i] = fds[1];
        if (fchown(fds[1], s->setup.uid, s->setup.gid) != 0) { /* For programs that open
                                                                  /dev/stdout. */
            return err_set(err, ERR_IO, "chown output: %s", strerror(errno));
        }
    }
    return 0;
}

static int start(struct shim *s, struct err *err)
{
    int out[2] = {-1, -1};
    int rv = open_output(s, out, err);
    if (rv == 0) {
        rv = setup_run(&s->setup, out[0], out[1], &s->pid, err);
    }
    for (int i = 0; i < 2; i++) {
        if (out[i] >= 0) {
            close(out[i]);
        }
    }
    if (rv == 0) {
        s->started_at_ms = now_ms();
        s->pid_start = setup_start_time(s->pid);
    }
    return rv;
}

/* Read what is there. At the end of the stream the descriptor closes. */
static void pump(struct shim *s, int i)
{
    char chunk[READ_SIZE];
    int *fd = &s->fds[FD_OUT + i].fd;
    ssize_t n = read(*fd, chunk, sizeof chunk);
    if (n > 0) {
        shim_log_put(&s->log, &s->streams[i], chunk, (size_t)n);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        shim_log_end(&s->log, &s->streams[i]);
        close(*fd);
        *fd = -1;
    }
}

/* Reap everything that ended; the container may be among it. */
static void reap(struct shim *s)
{
    struct signalfd_siginfo info;
    pid_t pid;
    int status;
    while (read(s->fds[FD_SIGNAL].fd, &info, sizeof info) == sizeof info) {
    }
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == s->pid) {
            s->exited = true;
            s->status = status;
            s->finished_at_ms = now_ms();
        }
    }
}

static void serve(struct shim *s)
{
    while (!s->exited) {
        if (poll(s->fds, FD_N, -1) < 0) {
            continue; /* EINTR only: every signal we could get is blocked or ignored. */
        }
        for (int i = 0; i < 2; i++) {
            if (s->fds[FD_OUT + i].revents != 0) {
                pump(s, i);
            }
        }
        shim_log_flush(&s->log);
        for (unsigned i = 0; i < TALKS_MAX; i++) {
            if (s->fds[FD_TALK + i].fd >= 0 && s->fds[FD_TALK + i].revents != 0) {
                talk_read(s, i);
            }
        }
        if (s->fds[FD_LISTEN].revents != 0) {
            talk_accept(s);
        }
        if (s->fds[FD_SIGNAL].revents != 0) {
            reap(s);
        }
    }
}

/* The first process has ended and took its pid namespace along, so the pipes hold all there will
 * be; a process in the node's pid namespace that kept them open is not waited for. */
static void finish(struct shim *s)
{
    for (int i = 0; i < 2; i++) {
        struct pollfd *p = &s->fds[FD_OUT + i];
        while (p->fd >= 0 && poll(p, 1, 0) == 1) {
            pump(s, i);
        }
        shim_log_end(&s->log, &s->streams[i]);
    }
    shim_log_flush(&s->log);
    s->n_oom_kills = setup_oom_kills(&s->setup);
    state_write(s, SHIM_EXITED, true);
    say_all(s, SHIM_EXITED "\n");
}

static void fail(struct shim *s, const struct err *err)
{
    char text[SHIM_TALK_MAX];
    s->status = 0;
    state_write(s, SHIM_FAILED, false);
    snprintf(text, sizeof text, SHIM_FAILED " %s\n", err->text);
    say(s, 0, text);
}

static int live(struct shim *s)
{
    struct err err = {0};
    char text[64];
    int rv = setup_mounts(&err);
    if (rv == 0) {
        rv = setup_container(&s->setup, &err);
    }
    if (rv == 0) {
        rv = talk_listen(s, &err);
    }
    if (rv != 0) {
        fail(s, &err);
        return EXIT_FAILURE;
    }
    snprintf(text, sizeof text, SHIM_READY " %d\n", (int)getpid());
    say(s, 0, text);
    if (!await_go(s)) {
        return EXIT_FAILURE;
    }
    if (start(s, &err) != 0) {
        setup_delete(&s->setup);
        fail(s, &err);
        return EXIT_FAILURE;
    }
    state_write(s, SHIM_RUNNING, false);
    snprintf(text, sizeof text, SHIM_RUNNING " %d\n", (int)s->pid);
    say(s, 0, text);
    serve(s);
    finish(s);
    setup_delete(&s->setup);
    unlink(SHIM_FILE_SOCK);
    return EXIT_SUCCESS;
}

/* --- start-up ----------------------------------------------------------------------------------
 */

/* Leave the agent's session and parentage. Signals meant for it must not end us; the last to be
 * killed for want of memory, where we may say so. */
static int detach(struct shim *s)
{
    sigset_t set;
    pid_t pid = fork();
    if (pid != 0) {
        _exit(pid < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
    }
    if (setsid() < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) {
        return -1;
    }
    for (int i = 0; i < FD_N; i++) {
        s->fds[i] = (struct pollfd){-1, POLLIN, 0};
    }
    s->fds[FD_TALK].fd = SHIM_FD;
    fcntl(SHIM_FD, F_SETFD, FD_CLOEXEC);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    s->fds[FD_SIGNAL].fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (s->fds[FD_SIGNAL].fd < 0) {
        return -1;
    }
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        if (write(fd, "-998", 4) < 0) {
            errno = 0; /* Needs CAP_SYS_RESOURCE; without it we are one among others. */
        }
        close(fd);
    }
    return 0;
}

enum {
    OPT_DIR = 1,
    OPT_ID,
    OPT_RUNTIME,
    OPT_RUNTIME_ROOT,
    OPT_LAYERS,
    OPT_LOWER,
    OPT_CGROUP,
    OPT_NET,
    OPT_SYSCTL,
    OPT_LOG_SIZE,
    OPT_LOG_FILES,
    OPT_UID_BASE,
    OPT_OWNER,
    OPT_VOLUMES,
};

static const struct option options[] = {
    {"dir", required_argument, NULL, OPT_DIR},
    {"id", required_argument, NULL, OPT_ID},
    {"runtime", required_argument, NULL, OPT_RUNTIME},
    {"runtime-root", required_argument, NULL, OPT_RUNTIME_ROOT},
    {"layers", required_argument, NULL, OPT_LAYERS},
    {"lower", required_argument, NULL, OPT_LOWER},
    {"cgroup", required_argument, NULL, OPT_CGROUP},
    {"net", no_argument, NULL, OPT_NET},
    {"sysctl", required_argument, NULL, OPT_SYSCTL},
    {"log-size", required_argument, NULL, OPT_LOG_SIZE},
    {"log-files", required_argument, NULL, OPT_LOG_FILES},
    {"uid-base", required_argument, NULL, OPT_UID_BASE},
    {"owner", required_argument, NULL, OPT_OWNER},
    {"volumes", required_argument, NULL, OPT_VOLUMES},
    {NULL, 0, NULL, 0},
};

/* "UID:GID" */
static bool parse_owner(const char *text, struct setup *u)
{
    char *end;
    u->uid = (unsigned)strtoul(text, &end, 10);
    if (*end != ':') {
        return false;
    }
    u->gid = (unsigned)strtoul(end + 1, &end, 10);
    return *end == '\0';
}

static bool set_option(struct shim *s, int option, const char *value)
{
    struct setup *u = &s->setup;
    switch (option) {
    case OPT_DIR:
        u->dir = value;
        return true;
    case OPT_ID:
        u->id = value;
        return true;
    case OPT_RUNTIME:
        u->runtime = value;
        return true;
    case OPT_RUNTIME_ROOT:
        u->runtime_root = value;
        return true;
    case OPT_LAYERS:
        u->layers = value;
        return true;
    case OPT_LOWER:
        u->lower = value;
        return true;
    case OPT_CGROUP:
        u->cgroup = value;
        return true;
    case OPT_NET:
        u->net = true;
        return true;
    case OPT_SYSCTL:
        if (u->n_sysctls == SETUP_SYSCTLS_MAX) {
            return false;
        }
        u->sysctls[u->n_sysctls++] = value;
        return true;
    case OPT_LOG_SIZE:
        s->log.max_size = strtoull(value, NULL, 10);
        return true;
    case OPT_LOG_FILES:
        s->log.max_files = (unsigned)strtoul(value, NULL, 10);
        return true;
    case OPT_UID_BASE:
        u->uid_base = (unsigned)strtoul(value, NULL, 10);
        return true;
    case OPT_OWNER:
        return parse_owner(value, u);
    case OPT_VOLUMES:
        u->volumes = value;
        return true;
    default:
        return false;
    }
}

static bool parse(struct shim *s, int argc, char **argv)
{
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (!set_option(s, option, optarg)) {
            return false;
        }
    }
    return optind == argc && s->setup.dir != NULL && s->setup.id != NULL &&
           s->setup.runtime != NULL && s->setup.runtime_root != NULL && s->setup.cgroup != NULL &&
           (s->setup.lower == NULL) == (s->setup.layers == NULL);
}

/* Inherited by the process we become, and by nothing else. */
static bool take_lock(void)
{
    int fd = open(SHIM_FILE_LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0;
}

static int run_main(int argc, char **argv)
{
    /* Large, but of zero pages: only what is used costs memory. */
    struct shim *s = calloc(1, sizeof *s);
    int rv;
    if (s == NULL || !parse(s, argc, argv)) {
        fprintf(stderr, "ecs-shim run: wrong arguments\n");
        free(s);
        return 2;
    }
    s->streams[0].name = "stdout";
    s->streams[1].name = "stderr";
    shim_log_init(&s->log, s->log.max_size, s->log.max_files);
    if (chdir(s->setup.dir) != 0 || !take_lock()) {
        fprintf(stderr, "ecs-shim: %s: %s\n", s->setup.dir, strerror(errno));
        free(s);
        return EXIT_FAILURE;
    }
    rv = detach(s) == 0 ? live(s) : EXIT_FAILURE;
    free(s);
    return rv;
}

/* With a container's pidfd as descriptor 3, in its network: the runtime cannot join that once it
 * is in the container's user namespace, and would silently stay outside. */
static int join_network(struct err *err)
{
    if (setns(SHIM_FD, CLONE_NEWNET) != 0) {
        return err_set(err, ERR_IO, "join the container's network: %s", strerror(errno));
    }
    close(SHIM_FD);
    return 0;
}

static int runtime_main(bool join, char **argv)
{
    struct err err = {0};
    int rv = join ? join_network(&err) : 0;
    if (rv == 0) {
        rv = setup_mounts(&err);
    }
    if (rv != 0) {
        fprintf(stderr, "ecs-shim: %s\n", err.text);
        return EXIT_FAILURE;
    }
    setup_unprotect();
    execvp(argv[0], argv);
    fprintf(stderr, "ecs-shim: %s: %s\n", argv[0], strerror(errno));
    return 127;
}

/* --- probe
 * ---------------------------------------------------------------------------------------- */

/* Whether kernel and file system can mount what a container in a user namespace needs. */
static int probe_main(const char *dir)
{
    static const char *const names[] = {"lower", "upper", "work", "rootfs", "sys"};
    struct setup s = {.dir = dir, .layers = dir, .lower = "lower", .uid_base = 1u << 20};
    struct err err = {0};
    int rv = chdir(dir) == 0 ? 0 : err_set(&err, ERR_IO, "%s: %s", dir, strerror(errno));
    for (unsigned i = 0; rv == 0 && i < sizeof names / sizeof names[0]; i++) {
        if (mkdir(names[i], 0755) != 0 && errno != EEXIST) {
            rv = err_set(&err, ERR_IO, "%s/%s: %s", dir, names[i], strerror(errno));
        }
    }
    if (rv == 0) {
        rv = setup_mounts(&err);
    }
    if (rv == 0) {
        rv = setup_container(&s, &err);
    }
    if (rv == 0) {
        rv = rootfs_reachable(&s, &err);
    }
    if (rv != 0) {
        fprintf(stderr, "ecs-shim: %s\n", err.text);
    }
    return rv == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* --- init --------------------------------------------------------------------------------------
 */

/* Process 1 of a container that asked for one: pass signals on, reap orphans, end as it ends. */
static int init_main(char **argv)
{
    sigset_t all;
    int status;
    pid_t pid;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    pid = fork();
    if (pid == 0) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        execvp(argv[0], argv);
        fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
        _exit(127);
    }
    while (pid > 0) {
        int signum = sigwaitinfo(&all, NULL);
        pid_t got = 1;
        if (signum > 0 && signum != SIGCHLD) {
            kill(pid, signum);
        }
        while (signum == SIGCHLD && (got = waitpid(-1, &status, WNOHANG)) > 0) {
            if (got == pid) {
                return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
            }
        }
    }
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    umask(022); /* The container's too; the agent's own is stricter. */
    if (argc >= 2 && strcmp(argv[1], "run") == 0) {
        return run_main(argc - 1, argv + 1);
    }
    if (argc >= 4 && strcmp(argv[1], "runtime") == 0 && strcmp(argv[2], "--join") == 0) {
        return runtime_main(true, argv + 3);
    }
    if (argc >= 3 && strcmp(argv[1], "runtime") == 0) {
        return runtime_main(false, argv + 2);
    }
    if (argc == 3 && strcmp(argv[1], "probe") == 0) {
        return probe_main(argv[2]);
    }
    if (argc >= 3 && strcmp(argv[1], "init") == 0) {
        return init_main(argv + 2);
    }
    fprintf(stderr, "usage: ecs-shim run OPTIONS | runtime [--join] PROGRAM... | init PROGRAM... | "
                    "probe DIR\n");
    return 2;
}
