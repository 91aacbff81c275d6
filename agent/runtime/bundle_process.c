/* The "process" part of config.json: what is run, as whom, with which powers and limits. */
#include "agent/runtime/bundle.h"

#include <string.h>
#include <sys/resource.h>

#define ENV_MAX 4096
#define FILES_HARD                                                                 \
    1048576 /* Hard limit by default; the soft one stays what old programs expect. \
             */
#define FILES_SOFT   1024
#define PATH_DEFAULT "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define INIT_PATH    "/.ecs-init"

/* --- arguments
 * ------------------------------------------------------------------------------------ */

static void append(json_t *array, const char *const *list, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        json_array_append_new(array, json_string(list[i]));
    }
}

/* As Docker: an entry point in the specification also drops the image's command. */
static json_t *arguments(const struct bundle *b, struct err *err)
{
    const struct container_spec *c = b->spec;
    const struct oci_config *i = &b->image->config;
    json_t *args = json_array();
    if (c->init) {
        json_array_append_new(args, json_string(INIT_PATH));
        json_array_append_new(args, json_string("init"));
    }
    if (c->n_entry_point > 0) {
        append(args, c->entry_point, c->n_entry_point);
        append(args, c->command, c->n_command);
    } else {
        append(args, i->entry_point, i->n_entry_point);
        append(args, c->n_command > 0 ? c->command : i->command,
               c->n_command > 0 ? c->n_command : i->n_command);
    }
    if (json_array_size(args) == (c->init ? 2u : 0u)) {
        json_decref(args);
        (void)err_set(err, ERR_INVALID, "command: neither the image nor the task names one");
        return NULL;
    }
    return args;
}

/* --- environment
 * ---------------------------------------------------------------------------------- */

static size_t name_len(const char *setting)
{
    return strcspn(setting, "=");
}

/* Later settings replace earlier ones of the same name, in the earlier one's place. */
static void set_env(json_t *env, const char *setting)
{
    size_t n = name_len(setting);
    for (size_t i = 0; i < json_array_size(env); i++) {
        const char *other = json_string_value(json_array_get(env, i));
        if (name_len(other) == n && strncmp(other, setting, n) == 0) {
            json_array_set_new(env, i, json_string(setting));
            return;
        }
    }
    json_array_append_new(env, json_string(setting));
}

static void set_pair(json_t *env, const char *name, const char *value)
{
    json_t *text = json_sprintf("%s=%s", name, value);
    if (text != NULL) { /* Not UTF-8: bundle_check() is the place to refuse, JSON cannot hold it. */
        set_env(env, json_string_value(text));
        json_decref(text);
    }
}

static json_t *environment(const struct bundle *b)
{
    char hex[ID_HEX_LEN + 1];
    json_t *env = json_array();
    set_env(env, PATH_DEFAULT);
    set_pair(env, "HOME", b->user->home);
    for (uint32_t i = 0; i < b->image->config.n_environment; i++) {
        set_env(env, b->image->config.environment[i]);
    }
    id_hex(b->task->id, hex);
    set_pair(env, "AWS_EXECUTION_ENV", "AWS_ECS_EC2");
    set_pair(env, "ECS_TASK_ID", hex);
    set_pair(env, "ECS_TASK_ARN", b->task->arn);
    set_pair(env, "ECS_CLUSTER", b->task->cluster);
    set_pair(env, "ECS_CONTAINER_NAME", b->spec->name);
    set_pair(env, "ECS_NODE", b->rt->options.node_name);
    for (uint32_t i = 0; i < b->spec->n_environment; i++) {
        set_pair(env, b->spec->environment[i].name, b->spec->environment[i].value);
    }
    for (uint32_t i = 0; i < b->n_extra; i++) {
        set_pair(env, b->extra[i].name, b->extra[i].value);
    }
    return env;
}

/* --- capabilities
 * --------------------------------------------------------------------------------- */

static const char *const all_caps[] = {
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
};
#define N_CAPS (sizeof all_caps / sizeof all_caps[0])

/* Docker's fourteen without NET_RAW (ARP and DNS spoofing between containers), MKNOD and
 * AUDIT_WRITE. */
static const char *const default_caps[] = {
    "CHOWN",  "DAC_OVERRIDE", "FOWNER",  "FSETID",           "KILL",       "SETGID",
    "SETUID", "SETPCAP",      "SETFCAP", "NET_BIND_SERVICE", "SYS_CHROOT",
};
#define N_DEFAULT_CAPS (sizeof default_caps / sizeof default_caps[0])

static uint64_t cap_bit(const char *name)
{
    const char *bare = strncmp(name, "CAP_", 4) == 0 ? name + 4 : name;
    for (size_t i = 0; i < N_CAPS; i++) {
        if (strcmp(all_caps[i], bare) == 0) {
            return 1ull << i;
        }
    }
    return 0;
}

static int cap_change(const char *const *list, uint32_t n, const char *field, uint64_t *ret,
                      struct err *err)
{
    *ret = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t bit = strcmp(list[i], "ALL") == 0 ? (1ull << N_CAPS) - 1 : cap_bit(list[i]);
        if (bit == 0) {
            return err_set(err, ERR_INVALID, "%s: unknown capability %s", field, list[i]);
        }
        *ret |= bit;
    }
    return 0;
}

static json_t *cap_list(uint64_t caps)
{
    json_t *list = json_array();
    for (size_t i = 0; i < N_CAPS; i++) {
        if ((caps & 1ull << i) != 0) {
            json_array_append_new(list, json_sprintf("CAP_%s", all_caps[i]));
        }
    }
    return list;
}

/* A user other than root starts without any, and can gain what set-uid programs would give, were
 * it not for no_new_privs. */
static json_t *capabilities(const struct bundle *b, struct err *err)
{
    uint64_t caps = 0;
    uint64_t add;
    uint64_t drop;
    for (size_t i = 0; i < N_DEFAULT_CAPS; i++) {
        caps |= cap_bit(default_caps[i]);
    }
    if (cap_change(b->spec->cap_add, b->spec->n_cap_add, "capabilities.add", &add, err) != 0 ||
        cap_change(b->spec->cap_drop, b->spec->n_cap_drop, "capabilities.drop", &drop, err) != 0) {
        return NULL;
    }
    caps = b->spec->privileged ? (1ull << N_CAPS) - 1 : (caps & ~drop) | (add & ~drop);
    /* {drop ALL, add X} means X. */
    if (b->spec->n_cap_drop == 1 && strcmp(b->spec->cap_drop[0], "ALL") == 0) {
        caps = add;
    }
    return json_pack("{s:o, s:o, s:o}", "bounding", cap_list(caps), "effective",
                     cap_list(b->user->uid == 0 ? caps : 0), "permitted",
                     cap_list(b->user->uid == 0 ? caps : 0));
}

/* --- limits
 * --------------------------------------------------------------------------------------- */

struct limit_name {
    const char *name; /* AWS's */
    const char *oci;
    int resource;
};

static const struct limit_name limit_names[] = {
    {"core", "RLIMIT_CORE", RLIMIT_CORE},
    {"cpu", "RLIMIT_CPU", RLIMIT_CPU},
    {"data", "RLIMIT_DATA", RLIMIT_DATA},
    {"fsize", "RLIMIT_FSIZE", RLIMIT_FSIZE},
    {"locks", "RLIMIT_LOCKS", RLIMIT_LOCKS},
    {"memlock", "RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
    {"msgqueue", "RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
    {"nice", "RLIMIT_NICE", RLIMIT_NICE},
    {"nofile", "RLIMIT_NOFILE", RLIMIT_NOFILE},
    {"nproc", "RLIMIT_NPROC", RLIMIT_NPROC},
    {"rss", "RLIMIT_RSS", RLIMIT_RSS},
    {"rtprio", "RLIMIT_RTPRIO", RLIMIT_RTPRIO},
    {"rttime", "RLIMIT_RTTIME", RLIMIT_RTTIME},
    {"sigpending", "RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
    {"stack", "RLIMIT_STACK", RLIMIT_STACK},
};
#define N_LIMITS (sizeof limit_names / sizeof limit_names[0])

/* Without CAP_SYS_RESOURCE a hard limit can only be lowered: clamp rather than fail, since a task
 * that asks for a million descriptors seldom needs them. */
static rlim_t clamp(const struct runtime *rt, int resource, int64_t value)
{
    struct rlimit own;
    rlim_t want = value < 0 ? RLIM_INFINITY : (rlim_t)value;
    if (rt->may_raise || getrlimit((__rlimit_resource_t)resource, &own) != 0) {
        return want;
    }
    return want < own.rlim_max ? want : own.rlim_max;
}

static json_t *limit(const struct runtime *rt, const struct limit_name *l, int64_t soft,
                     int64_t hard)
{
    rlim_t h = clamp(rt, l->resource, hard);
    rlim_t s = clamp(rt, l->resource, soft);
    s = s < h ? s : h;
    /* RLIM_INFINITY is the largest unsigned number, which jansson would print as -1. */
    return json_pack("{s:s, s:I, s:I}", "type", l->oci, "soft",
                     (json_int_t)(s > INT64_MAX ? INT64_MAX : (int64_t)s), "hard",
                     (json_int_t)(h > INT64_MAX ? INT64_MAX : (int64_t)h));
}

static const struct limit_name *limit_find(const char *name)
{
    for (size_t i = 0; i < N_LIMITS; i++) {
        if (strcmp(limit_names[i].name, name) == 0) {
            return &limit_names[i];
        }
    }
    return NULL;
}

static json_t *limits(const struct bundle *b, struct err *err)
{
    json_t *list = json_array();
    bool nofile = false;
    for (uint32_t i = 0; i < b->spec->n_ulimits; i++) {
        const struct spec_ulimit *u = &b->spec->ulimits[i];
        const struct limit_name *l = limit_find(u->name);
        if (l == NULL) {
            json_decref(list);
            (void)err_set(err, ERR_INVALID, "ulimits: unknown name %s", u->name);
            return NULL;
        }
        nofile = nofile || l->resource == RLIMIT_NOFILE;
        json_array_append_new(list, limit(b->rt, l, u->soft, u->hard));
    }
    if (!nofile) {
        json_array_append_new(list, limit(b->rt, limit_find("nofile"), FILES_SOFT, FILES_HARD));
    }
    return list;
}

/* --- whole
 * ---------------------------------------------------------------------------------------- */

static const char *working_directory(const struct bundle *b)
{
    if (b->spec->working_directory[0] != '\0') {
        return b->spec->working_directory;
    }
    return b->image->config.working_directory[0] == '/' ? b->image->config.working_directory : "/";
}

static json_t *groups(const struct user *u)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < u->n_groups; i++) {
        json_array_append_new(list, json_integer(u->groups[i]));
    }
    return list;
}

json_t *bundle_process(const struct bundle *b, struct err *err)
{
    json_t *args = arguments(b, err);
    json_t *caps = args == NULL ? NULL : capabilities(b, err);
    json_t *rlimits = caps == NULL ? NULL : limits(b, err);
    json_t *process;
    if (rlimits == NULL) {
        json_decref(args);
        json_decref(caps);
        return NULL;
    }
    process = json_pack("{s:b, s:{s:I, s:I, s:o}, s:o, s:o, s:s, s:o, s:o, s:b}", "terminal", 0,
                        "user", "uid", (json_int_t)b->user->uid, "gid", (json_int_t)b->user->gid,
                        "additionalGids", groups(b->user), "args", args, "env", environment(b),
                        "cwd", working_directory(b), "capabilities", caps, "rlimits", rlimits,
                        "noNewPrivileges", b->spec->privileged ? 0 : 1);
    if (process == NULL) {
        (void)err_set(err, ERR_INVALID, "a text of the container's process is not UTF-8");
    } else {
        /* The agent may be protected from the OOM killer, and the supervisor is; tasks are not. See
         * setup_unprotect(): crun 1.8 does not raise it to 0. */
        json_object_set_new(process, "oomScoreAdj",
                            json_integer(b->rt->oom_score < 0 ? 0 : b->rt->oom_score));
    }
    return process;
}
