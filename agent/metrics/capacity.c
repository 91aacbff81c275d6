#include "agent/metrics/capacity.h"

#include "agent/core/limits.h"
#include "common/base/str.h"

#include <string.h>

#define PORT_RANGE_DEFAULT "32768-60999"
#define RESERVED_MAX       1000
#define MEMORY_MIN         4 /* MiB; ECS's smallest task. */

/* Who looks for a node by what it can do finds ECS's own names. */
static const char *const capabilities[] = {
    "com.amazonaws.ecs.capability.docker-remote-api.1.17",
    "com.amazonaws.ecs.capability.docker-remote-api.1.18",
    "com.amazonaws.ecs.capability.docker-remote-api.1.19",
    "com.amazonaws.ecs.capability.docker-remote-api.1.21",
    "com.amazonaws.ecs.capability.docker-remote-api.1.24",
    "com.amazonaws.ecs.capability.docker-remote-api.1.25",
    "com.amazonaws.ecs.capability.docker-remote-api.1.29",
    "com.amazonaws.ecs.capability.logging-driver.json-file",
    "com.amazonaws.ecs.capability.logging-driver.none",
    "ecs.capability.container-health-check",
    "ecs.capability.container-ordering",
    "ecs.capability.docker-plugin.local",
    "ecs.capability.full-sync",
    "ecs.capability.task-cpu-mem-limit",
};

/* --- ports --------------------------------------------------------------------------------------
 */

static bool port_parse(struct str text, uint32_t *ret)
{
    uint64_t port;
    if (!str_u64(text, &port) || port == 0 || port > UINT16_MAX) {
        return false;
    }
    *ret = (uint32_t)port;
    return true;
}

/* "a-b", or "a" for a-a. */
static bool range_parse(struct str text, uint32_t *ret_from, uint32_t *ret_to)
{
    struct str to;
    struct str from = str_cut(text, '-', &to);
    if (!port_parse(from, ret_from)) {
        return false;
    }
    if (from.n == text.n) {
        *ret_to = *ret_from;
        return true;
    }
    return port_parse(to, ret_to) && *ret_from <= *ret_to;
}

struct ports {
    uint16_t *v;
    uint32_t n;
};

static bool ports_add(struct ports *p, uint32_t from, uint32_t to)
{
    for (uint32_t port = from; port <= to; port++) {
        if (p->n == RESERVED_MAX) {
            return false;
        }
        p->v[p->n] = (uint16_t)port;
        p->n++;
    }
    return true;
}

static int reserve(const char *text, struct ports *tcp, struct ports *udp, struct err *err)
{
    struct str protocol;
    struct str range = str_cut(str_of(text), '/', &protocol);
    bool is_udp = str_eqc(protocol, "udp");
    uint32_t from;
    uint32_t to;
    if (!range_parse(range, &from, &to) ||
        !(is_udp || str_eqc(protocol, "tcp") || protocol.n == 0)) {
        return err_set(err, ERR_INVALID,
                       "--reserved-ports: '%s' must be PORT or PORT-PORT, with /tcp or /udp", text);
    }
    if (!ports_add(is_udp ? udp : tcp, from, to)) {
        return err_set(err, ERR_INVALID, "--reserved-ports: more than %d ports", RESERVED_MAX);
    }
    return 0;
}

static int fill_ports(const struct capacity_options *o, struct arena *arena, struct hello *h,
                      struct err *err)
{
    const char *range = o->port_range != NULL ? o->port_range : PORT_RANGE_DEFAULT;
    struct ports tcp = {arena_array(arena, RESERVED_MAX, sizeof(uint16_t)), 0};
    struct ports udp = {arena_array(arena, RESERVED_MAX, sizeof(uint16_t)), 0};
    if (!range_parse(str_of(range), &h->port_min, &h->port_max)) {
        return err_set(err, ERR_INVALID, "--port-range: '%s' must be FIRST-LAST, 1 to 65535",
                       range);
    }
    for (size_t i = 0; i < o->n_reserved; i++) {
        int rv = reserve(o->reserved[i], &tcp, &udp, err);
        if (rv != 0) {
            return rv;
        }
    }
    h->reserved_tcp = tcp.v;
    h->n_reserved_tcp = tcp.n;
    h->reserved_udp = udp.v;
    h->n_reserved_udp = udp.n;
    return 0;
}

/* --- attributes ---------------------------------------------------------------------------------
 */

/* By ECS's rules: name up to 128 of these characters, value up to 128 of these and a few more. */
static bool attribute_text_ok(struct str s, bool value)
{
    if (s.n > 128 || (!value && s.n == 0)) {
        return false;
    }
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  strchr(value ? "-_./\\:@ " : "-_./\\", c) != NULL;
        if (!ok) {
            return false;
        }
    }
    return true;
}

/* A later one of the same name wins: the operator knows better. */
static int attribute_put(struct hello *h, struct spec_pair *v, const char *name, const char *value,
                         struct err *err)
{
    uint32_t i = 0;
    while (i < h->n_attributes && strcmp(v[i].name, name) != 0) {
        i++;
    }
    if (i == LIMIT_ATTRIBUTES) {
        return err_set(err, ERR_INVALID, "--attribute: more than %d", LIMIT_ATTRIBUTES);
    }
    v[i].name = name;
    v[i].value = value;
    if (i == h->n_attributes) {
        h->n_attributes++;
    }
    return 0;
}

static int attribute_custom(struct hello *h, struct spec_pair *v, const char *text,
                            struct arena *arena, struct err *err)
{
    struct str value;
    struct str name = str_cut(str_of(text), '=', &value);
    if (!attribute_text_ok(name, false) || !attribute_text_ok(value, true)) {
        return err_set(err, ERR_INVALID,
                       "--attribute: '%s' must be NAME or NAME=VALUE of at most 128 letters, "
                       "digits, - _ . / \\ (values also : @ and space) each",
                       text);
    }
    return attribute_put(h, v, arena_dup(arena, name.p, name.n),
                         arena_dup(arena, value.n == 0 ? "" : value.p, value.n), err);
}

static int fill_attributes(const struct machine *m, const struct capacity_options *o,
                           struct arena *arena, struct hello *h, struct err *err)
{
    struct spec_pair *v = arena_array(arena, LIMIT_ATTRIBUTES, sizeof *v);
    const char *type = o->instance_type;
    int rv = 0;
    h->attributes = v;
    h->n_attributes = 0;
    if (type == NULL) {
        type =
            arena_printf(arena, "%ucpu.%umib", m->cpu_units / MACHINE_UNITS_PER_CPU, m->memory_mib);
    }
    (void)attribute_put(h, v, "ecs.os-type", "linux", NULL);
    (void)attribute_put(h, v, "ecs.os-family", "LINUX", NULL);
    (void)attribute_put(h, v, "ecs.cpu-architecture", m->architecture, NULL);
    (void)attribute_put(h, v, "ecs.instance-type", type, NULL);
    if (o->zone != NULL) {
        (void)attribute_put(h, v, "ecs.availability-zone", o->zone, NULL);
    }
    if (o->provider != NULL) {
        (void)attribute_put(h, v, "ecs.capacity-provider", o->provider, NULL);
    }
    for (size_t i = 0; i < sizeof capabilities / sizeof capabilities[0]; i++) {
        (void)attribute_put(h, v, capabilities[i], "", NULL);
    }
    if (o->privileged) {
        (void)attribute_put(h, v, "com.amazonaws.ecs.capability.privileged-container", "", NULL);
    }
    for (size_t i = 0; rv == 0 && i < o->n_attributes; i++) {
        rv = attribute_custom(h, v, o->attributes[i], arena, err);
    }
    return rv;
}

/* --- the whole ----------------------------------------------------------------------------------
 */

static int fill_size(const char *option, uint64_t given, uint64_t have, uint64_t reserved,
                     uint64_t min, uint32_t *ret, struct err *err)
{
    uint64_t size = given;
    if (given == 0) {
        if (reserved + min > have) {
            return err_set(err, ERR_INVALID,
                           "--reserve-%s: %llu leaves nothing of the machine's %llu", option,
                           (unsigned long long)reserved, (unsigned long long)have);
        }
        size = have - reserved;
    }
    if (size < min || size > UINT32_MAX) {
        return err_set(err, ERR_INVALID, "--%s: %llu must be at least %llu", option,
                       (unsigned long long)size, (unsigned long long)min);
    }
    *ret = (uint32_t)size;
    return 0;
}

int capacity_fill(const struct machine *m, const struct capacity_options *o, struct arena *arena,
                  struct hello *ret, struct err *err)
{
    int rv = fill_size("cpu", o->cpu, m->cpu_units, o->reserve_cpu, 1, &ret->cpu, err);
    rv = rv != 0 ? rv
                 : fill_size("memory", o->memory, m->memory_mib, o->reserve_memory, MEMORY_MIN,
                             &ret->memory, err);
    rv = rv != 0 ? rv : fill_ports(o, arena, ret, err);
    return rv != 0 ? rv : fill_attributes(m, o, arena, ret, err);
}
