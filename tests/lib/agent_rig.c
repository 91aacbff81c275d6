#include "tests/lib/agent_rig.h"

#include "agent/proc/spawn.h"
#include "common/loop/loop.h"
#include "tests/lib/test.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MS   30000
#define SCRIPT_MS 60000
#define OUT_MAX   (256 * 1024)
#define REGISTRY  "127.0.0.1"
#define PORT      5000

static struct world {
    char dir[64];
    char build[256];
    pid_t registry;
    pid_t owner;
    pid_t guard;
    int guard_fd; /* The owner's end of the pair: one byte says that the world may go. */
} world;

/* Not Check's assertions: benchmarks use this too. */
static void must_be(bool ok, const char *what, int line)
{
    if (!ok) {
        fprintf(stderr, "agent_rig.c:%d: %s\n", line, what);
        abort();
    }
}
#define must(condition)        must_be(condition, #condition, __LINE__)
#define must_say(condition, s) must_be(condition, s, __LINE__)

static bool shell(const char *script)
{
    const char *argv[] = {"sh", "-ec", script, NULL};
    struct spawn s = {.argv = argv, .in = -1, .extra = -1, .timeout_ms = SCRIPT_MS * test_slack()};
    struct err err = {0};
    if (spawn_check(&s, &err) != 0) {
        fprintf(stderr, "rig: %s\n%s\n", err.text, script);
        return false;
    }
    return true;
}

const char *rig_world_dir(void)
{
    return world.dir;
}

static void registry_start(void)
{
    char config[128];
    const char *argv[] = {"docker-registry", "serve", config, NULL};
    struct spawn s = {.argv = argv, .in = -1, .extra = -1};
    char out[256];
    snprintf(config, sizeof config, "%s/registry.yml", world.dir);
    if (spawn_start(&s, &world.registry, NULL) != 0) {
        world.registry = 0;
        return;
    }
    (void)rig_get_retry(REGISTRY, PORT, out, sizeof out);
}

static void registry_stop(void)
{
    if (world.registry > 0) {
        kill(world.registry, SIGKILL);
        waitpid(world.registry, NULL, 0);
        world.registry = 0;
    }
}

void rig_registry_hide(void)
{
    must(shell("nft -f - <<END\n"
               "table ip hide {\n"
               " chain output {\n"
               "  type nat hook output priority -150\n"
               "  tcp dport 5000 redirect to :5999\n"
               " }\n"
               "}\n"
               "END\n"));
}

void rig_registry_show(void)
{
    must(shell("nft delete table ip hide"));
}

/* "layers": the demo image and layers on top that replace, delete and hide. */
static bool push_images(void)
{
    char script[4096];
    snprintf(script, sizeof script,
             "deploy/lab/images/build-demo.sh %s/demo v1\n"
             "cd %s\n"
             "skopeo copy --insecure-policy -q --dest-tls-verify=false oci:demo:v1"
             " docker://127.0.0.1:5000/demo:v1\n"
             "umoci tag --image demo:v1 layers\n"
             "mkdir -p etc cgi data\n"
             "echo 'app:x:1234:1235:app:/data:/bin/sh' > etc/passwd\n"
             "printf 'app:x:1235:\\nextra:x:1300:other,app\\n' > etc/group\n"
             "echo only > cgi/only; echo mine > data/mine\n"
             "chmod 0700 data; chown -R 1234:1235 data\n"
             "umoci insert --image demo:layers etc/passwd /etc/passwd\n"
             "umoci insert --image demo:layers etc/group /etc/group\n"
             "umoci insert --image demo:layers --whiteout /www/health\n"
             "umoci insert --image demo:layers --opaque cgi /www/cgi-bin\n"
             "umoci insert --image demo:layers data /data\n"
             "umoci config --image demo:layers --config.user app --config.workingdir /data\n"
             "skopeo copy --insecure-policy -q --dest-tls-verify=false oci:demo:layers"
             " docker://127.0.0.1:5000/layers:v1\n",
             world.dir, world.dir);
    return shell(script);
}

static bool write_config(void)
{
    char path[128];
    FILE *f;
    snprintf(path, sizeof path, "%s/registry.yml", world.dir);
    f = fopen(path, "w");
    if (f == NULL) {
        return false;
    }
    fprintf(f,
            "version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: %s/blobs}}\n"
            "http: {addr: '%s:%d'}\n",
            world.dir, REGISTRY, PORT);
    return fclose(f) == 0;
}

static bool enter_namespaces(void)
{
    return unshare(CLONE_NEWNET | CLONE_NEWNS) == 0 &&
           mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           shell("ip link set lo up; ip link add up0 type bridge; ip link set up0 up;"
                 "ip addr add 192.0.2.1/24 dev up0");
}

/* --- rig -----------------------------------------------------------------------------------------
 */

static void exited(void *data, const struct exec_exit *e)
{
    struct rig *g = data;
    g->n_exits++;
    g->exit = *e;
    snprintf(g->exit_name, sizeof g->exit_name, "%s", e->key.name);
    g->exit.key.name = g->exit_name;
}

static void set_options(struct rig *g)
{
    static const char *const insecure[] = {"127.0.0.1:5000", "127.0.0.1:5001"};
    static char paths[2][300];
    static const char *host_paths[1];
    char *full = realpath(world.build, NULL);
    must(full != NULL);
    snprintf(paths[0], sizeof paths[0], "%s/bin/ecs-shim", full);
    snprintf(paths[1], sizeof paths[1], "%s/bin/ecs-unpack", full);
    free(full);
    host_paths[0] = world.dir;
    g->options = (struct driver_options){.state_dir = g->state_dir,
                                         .run_dir = g->run_dir,
                                         .node_name = "node-1",
                                         .shim = paths[0],
                                         .unpack = paths[1],
                                         .runtime = getenv("ECS_TEST_RUNTIME"),
                                         .cgroup_parent = g->cgroup,
                                         .insecure_registries = insecure,
                                         .n_insecure_registries = 2,
                                         .host_paths = host_paths,
                                         .no_user_namespaces = getenv("ECS_TEST_NO_USERNS") != NULL,
                                         .start_timeout_ms = SCRIPT_MS * test_slack(),
                                         .n_host_paths = 1};
}

static int mkdir_private(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", world.dir, name);
    return mkdir(path, 0700);
}

/* True if there is, or was, a driver of that name. */
static bool set_paths(struct rig *g, const char *name)
{
    snprintf(g->state_dir, sizeof g->state_dir, "%.63s/%.40s/state", world.dir, name);
    snprintf(g->run_dir, sizeof g->run_dir, "%.63s/%.40s/run", world.dir, name);
    snprintf(g->cgroup, sizeof g->cgroup, "/ecs-test-%d-%.40s", (int)world.owner, name);
    set_options(g);
    return access(g->state_dir, F_OK) == 0;
}

void rig_open(struct rig *g, const char *name)
{
    struct executor_events events = {g, exited};
    struct err err = {0};
    memset(g, 0, sizeof *g);
    /* As the agent makes its data directory: containers must not depend on entering it. */
    (void)mkdir_private(name);
    (void)umask(077);
    (void)set_paths(g, name);
    must(uv_loop_init(&g->loop) == 0);
    must_say(driver_open(&g->loop, &g->options, &events, &g->driver, &err) == 0, err.text);
    g->x = driver_executor(g->driver);
}

static void set_flag(void *data)
{
    bool *flag = data;
    *flag = true;
}

void rig_until(struct rig *g, const bool *flag)
{
    uint64_t deadline = clock_mono_ms() + (uint64_t)WAIT_MS * test_slack();
    while (!*flag) {
        if (uv_run(&g->loop, UV_RUN_NOWAIT) == 0 || !*flag) {
            struct timespec pause = {0, 500000};
            nanosleep(&pause, NULL);
        }
        must_say(clock_mono_ms() < deadline, "nothing happened in time");
    }
}

void rig_until_exits(struct rig *g, unsigned n)
{
    uint64_t deadline = clock_mono_ms() + (uint64_t)WAIT_MS * test_slack();
    while (g->n_exits < n) {
        struct timespec pause = {0, 500000};
        uv_run(&g->loop, UV_RUN_NOWAIT);
        nanosleep(&pause, NULL);
        must_say(clock_mono_ms() < deadline, "no exit in time");
    }
}

void rig_close(struct rig *g)
{
    bool closed = false;
    driver_close(g->driver, set_flag, &closed);
    rig_until(g, &closed);
    g->driver = NULL;
    uv_run(&g->loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&g->loop) == 0);
}

void rig_purge(struct rig *g)
{
    struct err err = {0};
    char script[1024];
    set_options(g);
    must_say(driver_purge(&g->options, true, &err) == 0, err.text);
    /* Nothing mounted, no process, no link, no rule, no cgroup. */
    snprintf(script, sizeof script,
             "! grep -q %s /proc/self/mounts\n"
             "! ls -d /sys/fs/cgroup%s /sys/fs/cgroup/*%s 2>/dev/null | grep . >&2\n"
             "! ip -o link | grep -E 'ecs0|ecsv' >&2\n"
             "! nft list tables | grep ecs >&2\n"
             "! pgrep -af '[e]cs-shim run --dir %s' >&2\n"
             "! ls %s | grep . >&2\n",
             g->state_dir, g->cgroup, g->cgroup, g->state_dir, g->state_dir);
    must(shell(script));
}

/* A test that failed purged nothing: do it for every state directory that is left. */
static void purge_left(void)
{
    struct dirent *e;
    DIR *d = opendir(world.dir);
    while (d != NULL && (e = readdir(d)) != NULL) {
        struct err err = {0};
        struct rig g;
        memset(&g, 0, sizeof g);
        if (e->d_name[0] != '.' && set_paths(&g, e->d_name) &&
            driver_purge(&g.options, true, &err) != 0) {
            fprintf(stderr, "rig: purge %s: %s\n", e->d_name, err.text);
        }
    }
    if (d != NULL) {
        closedir(d);
    }
}

/* --- guard ---------------------------------------------------------------------------------------
 *
 * A second process removes the world, whichever way the first one ends: at its request, or when its
 * pidfd says that it is gone (assertion, SIGTERM, SIGKILL). It has a session of its own, so that
 * neither Ctrl-C nor a signal to the group reaches it, and it makes the directory itself, so that
 * there is no moment in which something exists and nobody looks after it. */

/* Kill every process of our namespace of that kind except this one and `spare`; false when there
 * was none. The tests and their helpers share our mounts; supervisors have mounts of their own, but
 * share our network. */
static bool kill_namespace(const char *kind, pid_t spare)
{
    char path[300];
    char own[64] = {0};
    char other[64] = {0};
    bool found = false;
    struct dirent *e;
    DIR *d = opendir("/proc");
    snprintf(path, sizeof path, "/proc/self/ns/%s", kind);
    if (d == NULL || readlink(path, own, sizeof own - 1) < 0) {
        own[0] = '\0';
    }
    while (own[0] != '\0' && (e = readdir(d)) != NULL) {
        pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
        snprintf(path, sizeof path, "/proc/%s/ns/%s", e->d_name, kind);
        memset(other, 0, sizeof other);
        if (pid > 0 && pid != getpid() && pid != spare &&
            readlink(path, other, sizeof other - 1) > 0 && strcmp(own, other) == 0) {
            found = kill(pid, SIGKILL) == 0 || found;
        }
    }
    if (d != NULL) {
        closedir(d);
    }
    return found;
}

static void kill_all(const char *kind, pid_t spare)
{
    for (int i = 0; i < 1000 && kill_namespace(kind, spare); i++) {
        struct timespec pause = {0, 5000000};
        nanosleep(&pause, NULL);
    }
}

/* The guard's life. fd is its end of the pair. */
static void guard_run(int owner, int fd)
{
    struct pollfd fds[2] = {{.fd = owner, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    char script[512];
    pid_t spare;
    while (poll(fds, 2, -1) < 0 && errno == EINTR) {
    }
    spare = fds[0].revents == 0 ? world.owner : 0;
    kill_all("mnt", spare);
    purge_left();
    kill_all("net", spare);
    snprintf(script, sizeof script,
             "for d in /sys/fs/cgroup/ecs-test-%d-* /sys/fs/cgroup/*/ecs-test-%d-*; do\n"
             " [ ! -d $d ] || find $d -depth -type d -exec rmdir {} +\n"
             "done\n"
             "rm -rf %s\n",
             (int)world.owner, (int)world.owner, world.dir);
    _exit(shell(script) ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* Start the guard; it makes world.dir and tells its name. */
static bool guard_start(void)
{
    sigset_t all;
    int pair[2];
    int owner = (int)syscall(SYS_pidfd_open, world.owner, 0);
    ssize_t n;
    if (owner < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        return false;
    }
    fflush(NULL);
    world.guard = fork();
    if (world.guard == 0) {
        close(pair[0]);
        setsid();
        sigfillset(&all);
        sigprocmask(SIG_BLOCK, &all, NULL);
        if (mkdtemp(world.dir) == NULL || chmod(world.dir, 0755) != 0 ||
            send(pair[1], world.dir, sizeof world.dir, MSG_NOSIGNAL) < 0) {
            _exit(EXIT_FAILURE);
        }
        guard_run(owner, pair[1]);
    }
    close(owner);
    close(pair[1]);
    world.guard_fd = pair[0];
    do {
        n = recv(pair[0], world.dir, sizeof world.dir, MSG_WAITALL);
    } while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof world.dir;
}

bool rig_world_open(void)
{
    const char *build = getenv("BUILD");
    snprintf(world.build, sizeof world.build, "%s", build == NULL ? "build" : build);
    snprintf(world.dir, sizeof world.dir, "/tmp/ecs-rig.XXXXXX");
    world.owner = getpid();
    if (geteuid() != 0 || !enter_namespaces() || !guard_start() || !write_config()) {
        fprintf(stderr, "rig: needs root and namespaces: %s\n", strerror(errno));
        return false;
    }
    registry_start();
    return world.registry > 0 && push_images();
}

void rig_world_close(void)
{
    int status = EXIT_FAILURE;
    registry_stop();
    if (world.guard > 0) {
        (void)send(world.guard_fd, "", 1, MSG_NOSIGNAL);
        waitpid(world.guard, &status, 0);
        close(world.guard_fd);
        must(status == 0);
    }
}

/* --- requests ------------------------------------------------------------------------------------
 */

static void pull_cb(struct exec_pull *r)
{
    set_flag(r->data);
}

int rig_pull(struct rig *g, const char *reference, struct exec_pull *r)
{
    bool done = false;
    memset(r, 0, sizeof *r);
    r->data = &done;
    r->reference = reference;
    r->cb = pull_cb;
    executor_pull(g->x, r);
    must(!done);
    rig_until(g, &done);
    return r->status;
}

static void start_cb(struct exec_start *r)
{
    set_flag(r->data);
}

int rig_start(struct rig *g, const struct task_spec *task, const struct exec_image *image,
              struct exec_start *r)
{
    bool done = false;
    memset(r, 0, sizeof *r);
    r->data = &done;
    r->task = task;
    r->image = *image;
    r->cb = start_cb;
    executor_start(g->x, r);
    must(!done);
    rig_until(g, &done);
    if (r->status != 0) {
        fprintf(stderr, "start: %s\n", r->err.text);
    }
    return r->status;
}

static void stop_cb(struct exec_stop *r)
{
    set_flag(r->data);
}

int rig_stop(struct rig *g, const struct task_spec *task, uint32_t timeout_s)
{
    bool done = false;
    struct exec_stop r = {.data = &done,
                          .key = {task->id, task->containers[0].name},
                          .timeout_s = timeout_s,
                          .cb = stop_cb};
    executor_stop(g->x, &r);
    must(!done);
    rig_until(g, &done);
    return r.status;
}

static void remove_cb(struct exec_remove *r)
{
    set_flag(r->data);
}

int rig_remove(struct rig *g, const struct task_spec *task)
{
    bool done = false;
    struct exec_remove r = {.data = &done, .key = {task->id, NULL}, .cb = remove_cb};
    executor_remove(g->x, &r);
    must(!done);
    rig_until(g, &done);
    if (r.status != 0) {
        fprintf(stderr, "remove: %s\n", r.err.text);
    }
    return r.status;
}

static void run_cb(struct exec_run *r)
{
    set_flag(r->data);
}

int rig_run(struct rig *g, const struct task_spec *task, const char *script, char *out, size_t size,
            uint32_t timeout_ms, int *ret_exit)
{
    const char *argv[] = {"sh", "-c", script};
    bool done = false;
    struct buf b;
    struct exec_run r = {.data = &done,
                         .key = {task->id, task->containers[0].name},
                         .command = argv,
                         .n_command = 3,
                         .timeout_ms = timeout_ms * test_slack(),
                         .output = &b,
                         .cb = run_cb};
    buf_init(&b, test_mem(), OUT_MAX);
    executor_run(g->x, &r);
    must(!done);
    rig_until(g, &done);
    snprintf(out, size, "%s", buf_cstr(&b));
    buf_close(&b);
    *ret_exit = r.exit_code;
    return r.status;
}

static void log_cb(struct exec_log *r)
{
    set_flag(r->data);
}

int rig_log(struct rig *g, const struct task_spec *task, uint32_t tail, char *out, size_t size)
{
    bool done = false;
    struct buf b;
    struct exec_log r = {.data = &done,
                         .key = {task->id, task->containers[0].name},
                         .tail = tail,
                         .lines = &b,
                         .cb = log_cb};
    buf_init(&b, test_mem(), OUT_MAX);
    executor_log(g->x, &r);
    rig_until(g, &done);
    snprintf(out, size, "%s", buf_cstr(&b));
    buf_close(&b);
    return r.status;
}

/* --- tasks ---------------------------------------------------------------------------------------
 */

#define SLOTS 8

struct slot {
    struct task_spec task;
    struct container_spec container;
    const char *entry[2];
    const char *command[1];
};

struct task_spec *rig_task(unsigned slot, uint64_t id, const char *script)
{
    static struct slot slots[SLOTS];
    struct slot *s = &slots[slot];
    must(slot < SLOTS);
    memset(s, 0, sizeof *s);
    s->container.name = "main";
    s->container.image = RIG_IMAGE;
    s->container.essential = true;
    s->container.working_directory = s->container.user = s->container.hostname = "";
    s->container.log.driver = "";
    if (script != NULL) {
        s->entry[0] = "/bin/sh";
        s->entry[1] = "-c";
        s->command[0] = script;
        s->container.entry_point = s->entry;
        s->container.n_entry_point = 2;
        s->container.command = s->command;
        s->container.n_command = 1;
    }
    s->task.id = (struct id){0x1234567890abcdefull, id};
    s->task.arn = "arn:aws:ecs:local:000000000000:task/default/x";
    s->task.cluster = "default";
    s->task.family = "demo";
    s->task.service = s->task.group = "";
    s->task.revision = 1;
    s->task.net_mode = NET_MODE_BRIDGE;
    s->task.containers = &s->container;
    s->task.n_containers = 1;
    return &s->task;
}

struct container_spec *rig_container(struct task_spec *task)
{
    return (struct container_spec *)(uintptr_t)task->containers;
}

/* --- HTTP ----------------------------------------------------------------------------------------
 */

bool rig_get(const char *ip, uint16_t port, char *out, size_t size)
{
    static const char request[] = "GET / HTTP/1.0\r\n\r\n";
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct timeval limit = {5, 0};
    size_t n = 0;
    ssize_t got;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    inet_pton(AF_INET, ip, &addr.sin_addr);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (connect(fd, (struct sockaddr *)&addr, sizeof addr) != 0 ||
        send(fd, request, sizeof request - 1, MSG_NOSIGNAL) < 0) {
        close(fd);
        return false;
    }
    while (n < size - 1 && (got = recv(fd, out + n, size - 1 - n, 0)) > 0) {
        n += (size_t)got;
    }
    out[n] = '\0';
    close(fd);
    return n > 0;
}

bool rig_get_retry(const char *ip, uint16_t port, char *out, size_t size)
{
    for (unsigned i = 0; i < 200 * test_slack(); i++) {
        struct timespec pause = {0, 20000000};
        if (rig_get(ip, port, out, size)) {
            return true;
        }
        nanosleep(&pause, NULL);
    }
    return false;
}
