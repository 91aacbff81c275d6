#include "agent/runtime/runtime.h"

#include "common/base/hash.h"

#include <stdio.h>
#include <string.h>

#define NAME_KEPT 100 /* Longer names are cut here. */

bool container_name_ok(const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < n; i++) {
        char c = name[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_')) {
            return false;
        }
    }
    return n > 0 && n <= SPEC_NAME_MAX;
}

static void short_name(const char *name, char *ret, size_t size)
{
    size_t n = strlen(name);
    if (n <= NAME_KEPT) {
        snprintf(ret, size, "%s", name);
    } else {
        snprintf(ret, size, "%.*s-%016llx", NAME_KEPT, name,
                 (unsigned long long)hash_bytes(name, n, 0));
    }
}

void container_id(struct exec_key key, char ret[CONTAINER_ID_MAX])
{
    char task[ID_HEX_LEN + 1];
    char name[CONTAINER_ID_MAX - ID_HEX_LEN - 1];
    id_hex(key.task, task);
    short_name(key.name, name, sizeof name);
    snprintf(ret, CONTAINER_ID_MAX, "%s-%s", task, name);
}

int container_dir(const struct runtime *rt, struct exec_key key, char ret[PATH_MAX],
                  struct err *err)
{
    char id[CONTAINER_ID_MAX];
    int n;
    if (!container_name_ok(key.name)) {
        return err_set(err, ERR_INVALID,
                       "container name: must be 1 to %d of A-Z, a-z, 0-9, - and _", SPEC_NAME_MAX);
    }
    container_id(key, id);
    n = snprintf(ret, PATH_MAX, "%s/%s", rt->containers, id);
    return n > 0 && n < PATH_MAX ? 0 : err_set(err, ERR_TOOBIG, "state directory name too long");
}

void task_cgroup(const struct runtime *rt, struct id task, char ret[CGROUP_PATH_MAX])
{
    char hex[ID_HEX_LEN + 1];
    id_hex(task, hex);
    snprintf(ret, CGROUP_PATH_MAX, "%s/%s", rt->options.cgroup_parent, hex);
}

void container_cgroup(const struct runtime *rt, struct exec_key key, char ret[CGROUP_PATH_MAX])
{
    char hex[ID_HEX_LEN + 1];
    char name[CONTAINER_ID_MAX];
    id_hex(key.task, hex);
    short_name(key.name, name, sizeof name);
    snprintf(ret, CGROUP_PATH_MAX, "%s/%s/%s", rt->options.cgroup_parent, hex, name);
}

bool container_userns(const struct runtime *rt, const struct task_spec *task,
                      const struct container_spec *c)
{
    for (uint32_t i = 0; i < task->n_volumes; i++) {
        if (task->volumes[i].kind == SPEC_VOLUME_HOST) {
            return false;
        }
    }
    return rt->userns && !c->privileged && c->n_cap_add == 0 && task->net_mode != NET_MODE_HOST;
}
