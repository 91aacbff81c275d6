#include "agent/program/node.h"

#include "agent/core/limits.h"
#include "agent/link/join.h"
#include "agent/metrics/capacity.h"
#include "agent/metrics/machine.h"
#include "common/base/hash.h"
#include "common/log/log.h"
#include "common/loop/loop.h"
#include "common/loop/sysmem.h"
#include "common/net/addr.h"
#include "common/net/pki.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define DATA_DIR_DEFAULT "/var/lib/ecs-agent"

/* --- directories --------------------------------------------------------------------------------
 */

static int make_dir(const char *path, struct err *err)
{
    struct stat st;
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        return err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
    }
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
        return err_set(err, ERR_IO, "%s: is no directory", path);
    }
    return 0;
}

/* With its parents. */
static int make_dirs(const char *path, struct arena *arena, struct err *err)
{
    char *copy = arena_strdup(arena, path);
    int rv = 0;
    for (char *p = copy + 1; rv == 0 && (p = strchr(p, '/')) != NULL; p++) {
        *p = '\0';
        if (mkdir(copy, 0755) != 0 && errno != EEXIST) {
            rv = err_set(err, ERR_IO, "%s: %s", copy, strerror(errno));
        }
        *p = '/';
    }
    return rv != 0 ? rv : make_dir(path, err);
}

/* Agents with different data directories may share a machine, as in a lab. */
static const char *run_dir_of(const struct settings *s, struct arena *arena)
{
    if (s->run_dir != NULL) {
        return s->run_dir;
    }
    if (strcmp(s->data_dir, DATA_DIR_DEFAULT) == 0) {
        return "/run/ecs-agent";
    }
    return arena_printf(arena, "/run/ecs-agent-%016llx",
                        (unsigned long long)hash_bytes(s->data_dir, strlen(s->data_dir), 0));
}

/* --- identity -----------------------------------------------------------------------------------
 */

static int read_token(const struct settings *s, struct arena *arena, const char **ret,
                      struct err *err)
{
    struct buf text;
    struct str line;
    int rv;
    *ret = s->join_token;
    if (s->join_token_file == NULL) {
        return 0;
    }
    if (s->join_token != NULL) {
        return err_set(err, ERR_INVALID, "--join-token and --join-token-file exclude each other");
    }
    buf_init(&text, sysmem(), PKI_PEM_MAX);
    rv = pki_file_read(s->join_token_file, &text, err);
    if (rv == 0) {
        line = str_make((const char *)text.data, text.len);
        line = str_slice(line, 0, str_find(line, '\n', 0));
        *ret = arena_dup(arena, line.n == 0 ? "" : line.p, line.n);
    }
    buf_close(&text);
    return rv;
}

static int join(const struct settings *s, const char *name, struct arena *arena, struct err *err)
{
    struct join_options o = {.data_dir = s->data_dir,
                             .name = name,
                             .controllers = s->controllers.items,
                             .n_controllers = s->controllers.n};
    int rv = read_token(s, arena, &o.token, err);
    if (rv != 0) {
        return rv;
    }
    if (o.token == NULL) {
        return err_set(err, ERR_INVALID,
                       "this machine has not joined a cluster: give --join-token and "
                       "--controllers (`ecs-admin node token` makes a token)");
    }
    if (o.n_controllers == 0) {
        return err_set(err, ERR_INVALID, "--controllers is needed to join");
    }
    rv = join_run(&o, err);
    return rv != 0 ? err_wrap(err, rv, "joining") : 0;
}

static int check_identity(const struct settings *s, const struct identity *id, struct err *err)
{
    if (s->cluster != NULL && strcmp(s->cluster, id->cluster) != 0) {
        return err_set(err, ERR_INVALID,
                       "--cluster: this machine is a node of '%s', not of '%s'; to move it, remove "
                       "node.pem from %s and join again",
                       id->cluster, s->cluster, s->data_dir);
    }
    if (id->not_after_s <= (int64_t)(clock_wall_ms() / 1000)) {
        return err_set(err, ERR_DENIED,
                       "the node's certificate has expired: remove node.pem from %s and join again",
                       s->data_dir);
    }
    return 0;
}

static int become_node(const struct settings *s, const char *name, struct arena *arena,
                       struct identity *ret, struct err *err)
{
    int rv = identity_load(s->data_dir, arena, ret, err);
    if (rv == ERR_NOTFOUND) {
        rv = join(s, name, arena, err);
        rv = rv != 0 ? rv : identity_load(s->data_dir, arena, ret, err);
        if (rv == 0) {
            log_info("agent.joined", log_id("node", ret->node), log_str("cluster", ret->cluster));
        }
    }
    return rv != 0 ? rv : check_identity(s, ret, err);
}

/* What is configured first, then what the controllers said when we joined. */
static void gather_controllers(const struct settings *s, struct arena *arena, struct node *n)
{
    size_t max = s->controllers.n + n->identity.controllers.n;
    const char **v = arena_array(arena, max, sizeof *v);
    for (size_t i = 0; i < max && n->n_controllers < LIMIT_ADDRESSES; i++) {
        v[n->n_controllers] = i < s->controllers.n
                                  ? s->controllers.items[i]
                                  : n->identity.controllers.v[i - s->controllers.n];
        n->n_controllers++;
    }
    n->controllers = v;
}

/* --- address ------------------------------------------------------------------------------------
 */

/* The address the kernel would use towards a controller; nothing is sent. */
static bool address_towards(const char *controller, struct addr *ret)
{
    struct addr to;
    struct sockaddr_storage local;
    socklen_t len = sizeof local;
    bool ok = false;
    int fd;
    if (addr_parse(str_of(controller), 7443, &to, NULL) != 0) {
        return false; /* A name: would need a lookup. */
    }
    fd = socket(to.u.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return false;
    }
    if (connect(fd, &to.u.sa, addr_len(&to)) == 0 &&
        getsockname(fd, (struct sockaddr *)&local, &len) == 0) {
        ok = addr_from_sockaddr((struct sockaddr *)&local, ret);
    }
    (void)close(fd);
    return ok;
}

static bool address_of_interface(struct addr *ret)
{
    uv_interface_address_t *all;
    int n;
    bool ok = false;
    if (uv_interface_addresses(&all, &n) != 0) {
        return false;
    }
    for (int i = 0; i < n && !ok; i++) {
        if (!all[i].is_internal && all[i].address.address4.sin_family == AF_INET) {
            ok = addr_from_sockaddr((const struct sockaddr *)&all[i].address.address4, ret);
        }
    }
    uv_free_interface_addresses(all, n);
    return ok;
}

static int find_address(const struct settings *s, struct arena *arena, struct node *n,
                        struct err *err)
{
    struct addr found;
    char text[ADDR_TEXT_MAX];
    if (s->address != NULL) {
        n->hello.address = s->address;
        return 0;
    }
    for (size_t i = 0; i < n->n_controllers; i++) {
        if (address_towards(n->controllers[i], &found)) {
            n->hello.address = arena_strdup(arena, addr_ip_text(&found, text));
            return 0;
        }
    }
    if (address_of_interface(&found)) {
        n->hello.address = arena_strdup(arena, addr_ip_text(&found, text));
        return 0;
    }
    return err_set(err, ERR_INVALID, "--address: none was found on this machine; say it");
}

/* --- the whole ----------------------------------------------------------------------------------
 */

static int fill_hello(const struct settings *s, const struct machine *m, struct arena *arena,
                      struct node *n, struct err *err)
{
    struct capacity_options o = {.cpu = s->cpu,
                                 .memory = s->memory,
                                 .reserve_cpu = s->reserve_cpu,
                                 .reserve_memory = s->reserve_memory,
                                 .port_range = s->port_range,
                                 .reserved = s->reserved_ports.items,
                                 .n_reserved = s->reserved_ports.n,
                                 .attributes = s->attributes.items,
                                 .n_attributes = s->attributes.n,
                                 .zone = s->zone,
                                 .provider = s->capacity_provider,
                                 .instance_type = s->instance_type,
                                 .privileged = s->allow_privileged};
    n->hello.agent_version = ECS_VERSION;
    n->hello.runtime_version = "";
    n->hello.cluster = n->identity.cluster;
    return capacity_fill(m, &o, arena, &n->hello, err);
}

int node_prepare(const struct settings *s, bool join_only, struct arena *arena, struct node *ret,
                 struct err *err)
{
    struct machine *m = arena_alloc(arena, sizeof *m); /* The attributes point into it. */
    struct node n;
    int rv = machine_read("", m, err);
    memset(&n, 0, sizeof n);
    n.hello.name = s->name != NULL ? s->name : m->name;
    rv = rv != 0 ? rv : make_dirs(s->data_dir, arena, err);
    rv = rv != 0 ? rv : become_node(s, n.hello.name, arena, &n.identity, err);
    if (rv != 0 || join_only) {
        *ret = n;
        return rv;
    }
    n.run_dir = run_dir_of(s, arena);
    rv = make_dirs(n.run_dir, arena, err);
    gather_controllers(s, arena, &n);
    if (rv == 0 && n.n_controllers == 0) {
        rv = err_set(err, ERR_INVALID, "--controllers is needed");
    }
    rv = rv != 0 ? rv : fill_hello(s, m, arena, &n, err);
    rv = rv != 0 ? rv : find_address(s, arena, &n, err);
    if (rv == 0) {
        *ret = n;
    }
    return rv;
}
