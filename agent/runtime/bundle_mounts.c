/* The file system of a container beyond its image: kernel mounts, /etc files, volumes. */
#include "agent/proc/files.h"
#include "agent/runtime/bundle.h"
#include "agent/shim/protocol.h"
#include "common/base/arena.h"
#include "common/loop/sysmem.h"

#include "agent/net/ipam.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SHM_MIB   64
#define MIB       (1024ull * 1024)
#define ETC_MAX   65536
#define INIT_PATH "/.ecs-init"

static json_t *mount_of(const char *path, const char *type, const char *source, json_t *options)
{
    return json_pack("{s:s, s:s, s:s, s:o}", "destination", path, "type", type, "source", source,
                     "options", options);
}

static void add(json_t *mounts, const char *path, const char *type, const char *options)
{
    json_t *list = json_array();
    struct str rest = str_of(options);
    while (rest.n > 0) {
        struct str part = str_cut(rest, ',', &rest);
        json_array_append_new(list, json_stringn(part.p, part.n));
    }
    json_array_append_new(mounts, mount_of(path, type, type, list));
}

static void add_bind(json_t *mounts, const char *from, const char *to, bool read_only)
{
    json_array_append_new(
        mounts, mount_of(to, "bind", from,
                         json_pack("[s, s, s]", "rbind", "rprivate", read_only ? "ro" : "rw")));
}

static void add_kernel(const struct bundle *b, json_t *mounts)
{
    char shm[128];
    uint32_t shm_mib = b->spec->shm_size_mib == 0 ? SHM_MIB : b->spec->shm_size_mib;
    const char *mode = b->spec->privileged ? "nosuid,noexec,nodev" : "nosuid,noexec,nodev,ro";
    snprintf(shm, sizeof shm, "nosuid,noexec,nodev,mode=1777,size=%llu", shm_mib * MIB);
    add(mounts, "/proc", "proc", "nosuid,noexec,nodev");
    add(mounts, "/dev", "tmpfs", "nosuid,strictatime,mode=755,size=65536k");
    add(mounts, "/dev/pts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5");
    add(mounts, "/dev/shm", "tmpfs", shm);
    add(mounts, "/dev/mqueue", "mqueue", "nosuid,noexec,nodev");
    if (b->uid_base == 0) {
        add(mounts, "/sys", "sysfs", mode);
    } else { /* Mounted by the supervisor, see agent/shim/rootfs.c. */
        add_bind(mounts, SHIM_ALIAS "/sys", "/sys", true);
    }
    add(mounts, "/sys/fs/cgroup", "cgroup", mode);
}

static void add_etc(const struct bundle *b, json_t *mounts)
{
    static const char *const names[] = {"hosts", "hostname", "resolv.conf"};
    for (size_t i = 0; i < 3; i++) {
        char from[PATH_MAX];
        char to[32];
        snprintf(from, sizeof from, "%s/%s", b->uid_base != 0 ? SHIM_ALIAS : b->dir, names[i]);
        snprintf(to, sizeof to, "/etc/%s", names[i]);
        add_bind(mounts, from, to, b->spec->readonly_root_filesystem);
    }
    if (b->spec->init) {
        add_bind(mounts, b->uid_base != 0 ? SHIM_ALIAS "/" SHIM_INIT : b->rt->options.shim,
                 INIT_PATH, true);
    }
}

static int add_tmpfs(const struct bundle *b, json_t *mounts, struct err *err)
{
    for (uint32_t i = 0; i < b->spec->n_tmpfs; i++) {
        const struct spec_tmpfs *t = &b->spec->tmpfs[i];
        json_t *options = json_pack("[s, s]", "nosuid", "nodev");
        if (t->path[0] != '/') {
            json_decref(options);
            return err_set(err, ERR_INVALID, "tmpfs %s: must be absolute", t->path);
        }
        if (t->size_mib > 0) {
            json_array_append_new(options, json_sprintf("size=%um", t->size_mib));
        }
        for (uint32_t k = 0; k < t->n_options; k++) {
            json_array_append_new(options, json_string(t->options[k]));
        }
        json_array_append_new(mounts, mount_of(t->path, "tmpfs", "tmpfs", options));
    }
    return 0;
}

static int add_volumes(const struct bundle *b, const struct container_spec *of, bool read_only,
                       json_t *mounts, struct err *err)
{
    for (uint32_t i = 0; i < of->n_mounts; i++) {
        const struct spec_mount *m = &of->mounts[i];
        char from[PATH_MAX];
        int rv;
        if (m->path[0] != '/' || m->path[1] == '\0') {
            return err_set(err, ERR_INVALID, "mountPoints %s: must be absolute and not /", m->path);
        }
        rv = bundle_volume(b->rt, b->task, m->volume, from, err);
        if (rv != 0) {
            return rv;
        }
        if (b->uid_base != 0) { /* Only the task's own volumes, see container_userns(). */
            snprintf(from, sizeof from, SHIM_ALIAS "/" SHIM_VOLUMES "/%s", m->volume);
        }
        add_bind(mounts, from, m->path, m->read_only || read_only);
    }
    return 0;
}

static int add_volumes_from(const struct bundle *b, json_t *mounts, struct err *err)
{
    for (uint32_t i = 0; i < b->spec->n_volumes_from; i++) {
        const struct spec_volumes_from *v = &b->spec->volumes_from[i];
        const struct container_spec *other = NULL;
        int rv;
        for (uint32_t k = 0; k < b->task->n_containers; k++) {
            if (strcmp(b->task->containers[k].name, v->container) == 0) {
                other = &b->task->containers[k];
            }
        }
        if (other == NULL) {
            return err_set(err, ERR_INVALID, "volumesFrom: the task has no container %s",
                           v->container);
        }
        rv = add_volumes(b, other, v->read_only, mounts, err);
        if (rv != 0) {
            return rv;
        }
    }
    return 0;
}

json_t *bundle_mounts(const struct bundle *b, struct err *err)
{
    json_t *mounts = json_array();
    int rv;
    add_kernel(b, mounts);
    add_etc(b, mounts);
    rv = add_tmpfs(b, mounts, err);
    if (rv == 0) {
        rv = add_volumes(b, b->spec, false, mounts, err);
    }
    if (rv == 0) {
        rv = add_volumes_from(b, mounts, err);
    }
    if (rv != 0) {
        json_decref(mounts);
        return NULL;
    }
    return mounts;
}

/* --- /etc
 * ------------------------------------------------------------------------------------------ */

static int write_etc(const struct bundle *b, const char *name, struct buf *text, struct err *err)
{
    char path[PATH_MAX];
    int rv = text->overflow || snprintf(path, sizeof path, "%s/%s", b->dir, name) >= PATH_MAX
                 ? err_set(err, ERR_TOOBIG, "/etc/%s is too long", name)
                 : file_write(AT_FDCWD, path, text->data == NULL ? (const void *)"" : text->data,
                              text->len, 0644, false, err);
    if (rv == 0 && b->uid_base != 0 && chown(path, b->uid_base, b->uid_base) != 0) {
        rv = err_set(err, ERR_IO, "chown %s: %s", path, strerror(errno));
    }
    buf_clear(text);
    return rv;
}

/* One line, unless a name or address could start another one. */
static int put_host(struct buf *text, const char *ip, const char *name, struct err *err)
{
    if (strpbrk(ip, " \t\r\n#") != NULL || strpbrk(name, " \t\r\n#") != NULL || ip[0] == '\0' ||
        name[0] == '\0') {
        return err_set(err, ERR_INVALID, "extraHosts %s: bad name or address", name);
    }
    buf_printf(text, "%s\t%s\n", ip, name);
    return 0;
}

static int put_hosts(const struct bundle *b, const char *hostname, struct buf *text,
                     struct err *err)
{
    char ip[IPAM_TEXT_MAX];
    int rv = 0;
    buf_puts(text, "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
    if (b->ip != 0) {
        ip_text(b->ip, ip);
        rv = put_host(text, ip, hostname, err);
    } else {
        rv = put_host(text, "127.0.1.1", hostname, err);
    }
    for (uint32_t i = 0; rv == 0 && i < b->n_links; i++) {
        rv = put_host(text, b->links[i].ip, b->links[i].name, err);
    }
    for (uint32_t i = 0; rv == 0 && i < b->spec->n_extra_hosts; i++) {
        rv = put_host(text, b->spec->extra_hosts[i].ip, b->spec->extra_hosts[i].name, err);
    }
    return rv;
}

/* The node's own file, unless its resolver listens on loopback, where containers do not reach it;
 * systemd keeps the list behind its stub elsewhere. */
static void copy_node_dns(const struct bundle *b, struct buf *text)
{
    static const char *const sources[] = {"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"};
    for (size_t i = 0; i < 2; i++) {
        struct buf b2;
        struct str rest;
        bool loopback = false;
        buf_init(&b2, sysmem(), ETC_MAX);
        buf_clear(text);
        (void)file_read(AT_FDCWD, sources[i], &b2, NULL); /* None at all is a valid set-up. */
        rest = str_make((const char *)b2.data, b2.len);
        while (rest.n > 0) {
            struct str line = str_cut(rest, '\n', &rest);
            bool local = str_starts(line, "nameserver 127.") || str_starts(line, "nameserver ::1");
            loopback = loopback || local;
            if (!local || b->task->net_mode == NET_MODE_HOST) {
                buf_put(text, line.p, line.n);
                buf_put_u8(text, '\n');
            }
        }
        buf_close(&b2);
        if (!loopback || b->task->net_mode == NET_MODE_HOST) {
            return;
        }
    }
}

static int put_dns(const struct bundle *b, struct buf *text, struct err *err)
{
    const struct container_spec *c = b->spec;
    if (c->n_dns_servers == 0 && c->n_dns_search == 0) {
        copy_node_dns(b, text);
        return 0;
    }
    for (uint32_t i = 0; i < c->n_dns_servers; i++) {
        if (strpbrk(c->dns_servers[i], " \t\r\n") != NULL) {
            return err_set(err, ERR_INVALID, "dnsServers[%u]: not an address", i);
        }
        buf_printf(text, "nameserver %s\n", c->dns_servers[i]);
    }
    for (uint32_t i = 0; i < c->n_dns_search; i++) {
        if (strpbrk(c->dns_search[i], " \t\r\n") != NULL) {
            return err_set(err, ERR_INVALID, "dnsSearchDomains[%u]: not a domain", i);
        }
        buf_printf(text, "%s%s%s", i == 0 ? "search " : " ", c->dns_search[i],
                   i + 1 == c->n_dns_search ? "\n" : "");
    }
    return 0;
}

int bundle_etc(const struct bundle *b, struct err *err)
{
    char hostname[ID_HEX_LEN + 1];
    const char *name = b->spec->hostname;
    struct buf text;
    int rv;
    id_hex(b->task->id, hostname);
    hostname[12] = '\0';
    name = name[0] == '\0' ? hostname : name;
    buf_init(&text, sysmem(), ETC_MAX);
    rv = put_hosts(b, name, &text, err);
    if (rv == 0) {
        rv = write_etc(b, "hosts", &text, err);
    }
    if (rv == 0) {
        rv = put_dns(b, &text, err);
    }
    if (rv == 0) {
        rv = write_etc(b, "resolv.conf", &text, err);
    }
    if (rv == 0) {
        buf_printf(&text, "%s\n", name);
        rv = write_etc(b, "hostname", &text, err);
    }
    buf_close(&text);
    return rv;
}
