#include "agent/runtime/bundle.h"

#include "agent/proc/files.h"
#include "agent/runtime/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MIB            (1024ull * 1024)
#define MEMORY_MIN     6 /* MiB; below it nothing starts, as in Docker. */
#define SHARES_MIN     2
#define ANNOTATION_BPF "run.oci.seccomp_bpf_data"

/* --- checks --------------------------------------------------------------------------------------
 */

static int check_ports(const struct task_spec *task, const struct container_spec *c,
                       struct err *err)
{
    for (uint32_t i = 0; i < c->n_ports; i++) {
        const struct spec_port *p = &c->ports[i];
        if (p->container_port == 0 || (task->net_mode == NET_MODE_BRIDGE && p->host_port == 0)) {
            return err_set(err, ERR_INVALID, "portMappings[%u]: no port number", i);
        }
        if (p->protocol >= SPEC_PROTOCOL_N) {
            return err_set(err, ERR_INVALID, "portMappings[%u]: unknown protocol", i);
        }
    }
    return 0;
}

static int check_sysctls(const struct task_spec *task, const struct container_spec *c,
                         struct err *err)
{
    for (uint32_t i = 0; i < c->n_sysctls; i++) {
        const char *name = c->sysctls[i].name;
        bool net = strncmp(name, "net.", 4) == 0;
        bool ipc = strncmp(name, "kernel.shm", 10) == 0 || strncmp(name, "kernel.msg", 10) == 0 ||
                   strcmp(name, "kernel.sem") == 0 || strncmp(name, "fs.mqueue.", 10) == 0;
        if (strchr(name, '/') != NULL || !(net || ipc)) {
            return err_set(err, ERR_INVALID,
                           "systemControls %s: only net.* and those of the ipc namespace", name);
        }
        if (net && task->net_mode == NET_MODE_HOST) {
            return err_set(err, ERR_INVALID, "systemControls %s: the network is the node's", name);
        }
    }
    return 0;
}

int bundle_check(const struct runtime *rt, const struct task_spec *task,
                 const struct container_spec *c, struct err *err)
{
    int rv;
    if (!container_name_ok(c->name)) {
        return err_set(err, ERR_INVALID, "name: must be 1 to %d of A-Z, a-z, 0-9, - and _",
                       SPEC_NAME_MAX);
    }
    if (c->privileged && !rt->options.allow_privileged) {
        return err_set(err, ERR_DENIED, "privileged: this node does not allow it");
    }
    if (task->net_mode == NET_MODE_AWSVPC || task->net_mode >= NET_MODE_N) {
        return err_set(err, ERR_UNSUPPORTED, "networkMode: not supported by this node");
    }
    if (c->memory_mib != 0 && c->memory_mib < MEMORY_MIN) {
        return err_set(err, ERR_INVALID, "memory: must be at least %d MiB", MEMORY_MIN);
    }
    if (c->working_directory[0] != '\0' && c->working_directory[0] != '/') {
        return err_set(err, ERR_INVALID, "workingDirectory: must be absolute");
    }
    rv = check_ports(task, c, err);
    return rv != 0 ? rv : check_sysctls(task, c, err);
}

/* --- volumes -------------------------------------------------------------------------------------
 */

/* Below one of the directories the operator allowed, and reached without a single link: tasks
 * that can write there must not lead the next one elsewhere. */
static int check_host_path(const struct runtime *rt, const char *path, struct err *err)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC,
                           .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
    bool allowed = false;
    int fd;
    for (uint32_t i = 0; i < rt->options.n_host_paths && !allowed; i++) {
        const char *base = rt->options.host_paths[i];
        size_t n = strlen(base);
        while (n > 1 && base[n - 1] == '/') {
            n--;
        }
        allowed = strncmp(path, base, n) == 0 && (path[n] == '\0' || path[n] == '/' || n == 1);
    }
    if (!allowed || path[0] != '/' || strstr(path, "/../") != NULL) {
        return err_set(err, ERR_DENIED, "volume path %s: not allowed by this node", path);
    }
    fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
    if (fd < 0) {
        return err_set(err, errno == ELOOP ? ERR_DENIED : ERR_NOTFOUND, "volume path %s: %s", path,
                       strerror(errno));
    }
    close(fd);
    return 0;
}

static int task_volume(const struct runtime *rt, const struct task_spec *task, const char *name,
                       char ret[PATH_MAX], struct err *err)
{
    char hex[ID_HEX_LEN + 1];
    char parent[PATH_MAX];
    int rv;
    id_hex(task->id, hex);
    if (!container_name_ok(name)) {
        return err_set(err, ERR_INVALID, "volume name: must be 1 to %d of A-Z, a-z, 0-9, - and _",
                       SPEC_NAME_MAX);
    }
    if (snprintf(parent, PATH_MAX, "%s/%s", rt->volumes, hex) >= PATH_MAX ||
        snprintf(ret, PATH_MAX, "%s/%s/%s", rt->volumes, hex, name) >= PATH_MAX) {
        return err_set(err, ERR_TOOBIG, "volume %s: path too long", name);
    }
    rv = dir_make(ret, 0755, err);
    /* Containers of the task may have different users. */
    if (rv == 0 && (chmod(parent, 0755) != 0 || chmod(ret, 01777) != 0)) {
        rv = err_set(err, ERR_IO, "chmod %s: %s", ret, strerror(errno));
    }
    return rv;
}

int bundle_volume(const struct runtime *rt, const struct task_spec *task, const char *name,
                  char ret[PATH_MAX], struct err *err)
{
    for (uint32_t i = 0; i < task->n_volumes; i++) {
        const struct spec_volume *v = &task->volumes[i];
        if (strcmp(v->name, name) != 0) {
            continue;
        }
        if (v->kind == SPEC_VOLUME_TASK) {
            return task_volume(rt, task, name, ret, err);
        }
        if (strlen(v->host_path) >= PATH_MAX) {
            return err_set(err, ERR_TOOBIG, "volume %s: path too long", name);
        }
        snprintf(ret, PATH_MAX, "%s", v->host_path);
        return check_host_path(rt, ret, err);
    }
    return err_set(err, ERR_INVALID, "mountPoints: the task has no volume %s", name);
}

/* --- linux ---------------------------------------------------------------------------------------
 */

static json_t *namespaces(void)
{
    /* No "network": the container stays in its supervisor's, made for it. */
    return json_pack("[{s:s}, {s:s}, {s:s}, {s:s}, {s:s}]", "type", "pid", "type", "ipc", "type",
                     "uts", "type", "mount", "type", "cgroup");
}

static json_t *memory(const struct bundle *b)
{
    const struct container_spec *c = b->spec;
    json_t *m = json_object();
    if (c->memory_mib != 0) {
        json_int_t limit = (json_int_t)(c->memory_mib * MIB);
        json_object_set_new(m, "limit", json_integer(limit));
        if (b->rt->cgroup.swap) { /* Memory and swap together: no swap on top. */
            json_object_set_new(m, "swap", json_integer(limit));
        }
    }
    if (c->memory_reservation_mib != 0) {
        json_object_set_new(m, "reservation",
                            json_integer((json_int_t)(c->memory_reservation_mib * MIB)));
    }
    return m;
}

/* The task's own limits are on the group around its containers, see container.c. */
static json_t *cpu(const struct bundle *b)
{
    uint32_t shares = b->spec->cpu_units < SHARES_MIN ? SHARES_MIN : b->spec->cpu_units;
    return json_pack("{s:I}", "shares", (json_int_t)shares);
}

static json_t *resources(const struct bundle *b)
{
    uint32_t pids = b->spec->pids_limit != 0 ? b->spec->pids_limit : b->rt->options.pids_limit;
    return json_pack("{s:[{s:b, s:s}], s:o, s:o, s:{s:I}}", "devices", "allow",
                     b->spec->privileged ? 1 : 0, "access", "rwm", "memory", memory(b), "cpu",
                     cpu(b), "pids", "limit", (json_int_t)pids);
}

static json_t *strings(const char *const *list, size_t n)
{
    json_t *array = json_array();
    for (size_t i = 0; i < n; i++) {
        json_array_append_new(array, json_string(list[i]));
    }
    return array;
}

static void add_masks(json_t *linux_part)
{
    static const char *const masked[] = {
        "/proc/acpi",       "/proc/asound",      "/proc/interrupts",
        "/proc/kcore",      "/proc/keys",        "/proc/latency_stats",
        "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
        "/proc/scsi",       "/sys/firmware",     "/sys/devices/virtual/powercap",
    };
    static const char *const read_only[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                                            "/proc/sysrq-trigger"};
    json_object_set_new(linux_part, "maskedPaths",
                        strings(masked, sizeof masked / sizeof masked[0]));
    json_object_set_new(linux_part, "readonlyPaths",
                        strings(read_only, sizeof read_only / sizeof read_only[0]));
}

/* Those of the ipc namespace; net.* is the supervisor's business. */
static json_t *sysctls(const struct bundle *b)
{
    json_t *o = json_object();
    for (uint32_t i = 0; i < b->spec->n_sysctls; i++) {
        if (strncmp(b->spec->sysctls[i].name, "net.", 4) != 0) {
            json_object_set_new(o, b->spec->sysctls[i].name,
                                json_string(b->spec->sysctls[i].value));
        }
    }
    return o;
}

static json_t *id_map(const struct bundle *b)
{
    return json_pack("[{s:i, s:I, s:I}]", "containerID", 0, "hostID", (json_int_t)b->uid_base,
                     "size", (json_int_t)USERNS_SIZE);
}

static json_t *linux_part(const struct bundle *b)
{
    char path[CGROUP_PATH_MAX];
    struct exec_key key = {b->task->id, b->spec->name};
    json_t *o;
    container_cgroup(b->rt, key, path);
    o = json_pack("{s:o, s:s, s:o, s:o}", "namespaces", namespaces(), "cgroupsPath", path,
                  "resources", resources(b), "sysctl", sysctls(b));
    if (b->uid_base != 0) {
        json_array_append_new(json_object_get(o, "namespaces"), json_pack("{s:s}", "type", "user"));
        json_object_set_new(o, "uidMappings", id_map(b));
        json_object_set_new(o, "gidMappings", id_map(b));
    }
    if (!b->spec->privileged) {
        add_masks(o);
        if (b->rt->seccomp == NULL) {
            json_object_set_new(o, "seccomp", seccomp_config());
        }
    }
    return o;
}

/* --- whole ---------------------------------------------------------------------------------------
 */

json_t *bundle_config(const struct bundle *b, struct err *err)
{
    char id[CONTAINER_ID_MAX];
    struct exec_key key = {b->task->id, b->spec->name};
    json_t *annotations = json_pack("{s:s}", "ecs.task", b->task->arn);
    json_t *process = bundle_process(b, err);
    json_t *mounts = process == NULL ? NULL : bundle_mounts(b, err);
    json_t *root;
    if (mounts == NULL) {
        json_decref(process);
        json_decref(annotations);
        return NULL;
    }
    if (b->rt->seccomp != NULL && !b->spec->privileged) {
        json_object_set_new(annotations, ANNOTATION_BPF, json_string(b->rt->seccomp));
    }
    container_id(key, id);
    /* The hostname is a task's name to itself: 12 digits, as Docker has it. */
    id[12] = '\0';
    root = json_pack("{s:s, s:o, s:{s:s, s:b}, s:s, s:o, s:o, s:o}", "ociVersion", "1.0.2",
                     "process", process, "root", "path", "rootfs", "readonly",
                     b->spec->readonly_root_filesystem ? 1 : 0, "hostname",
                     b->spec->hostname[0] != '\0' ? b->spec->hostname : id, "mounts", mounts,
                     "linux", linux_part(b), "annotations", annotations);
    if (root == NULL) {
        (void)err_set(err, ERR_INVALID, "a text of the container's specification is not UTF-8");
    }
    return root;
}

int bundle_write(const struct bundle *b, struct err *err)
{
    char path[PATH_MAX];
    json_t *root;
    char *text;
    int rv = bundle_etc(b, err);
    if (rv != 0) {
        return rv;
    }
    root = bundle_config(b, err);
    if (root == NULL) {
        return err == NULL ? ERR_INVALID : err->code;
    }
    text = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    if (text == NULL) {
        return err_set(err, ERR_NOMEM, "config.json");
    }
    rv = snprintf(path, sizeof path, "%s/config.json", b->dir) < PATH_MAX
             ? file_write(AT_FDCWD, path, text, strlen(text), 0600, false, err)
             : err_set(err, ERR_TOOBIG, "path too long");
    free(text);
    return rv;
}
