/* What an agent says of itself, checked and turned into a registration. The id is the one in its
 * certificate, whatever it says. */
#include "common/base/id.h"
#include "controller/core/limits.h"
#include "controller/link/link_int.h"

#include <string.h>

#define CPU_MAX    (16384u * 1024u)      /* CPU units. */
#define MEMORY_MAX (64u * 1024u * 1024u) /* MiB: 64 TiB. */

bool link_id_read(const ProtobufCBinaryData *bytes, struct id *ret)
{
    struct id id = {0, 0};
    if (bytes->len != 16) {
        return false;
    }
    for (size_t i = 0; i < 8; i++) {
        id.hi = id.hi << 8 | bytes->data[i];
        id.lo = id.lo << 8 | bytes->data[8 + i];
    }
    *ret = id;
    return !id_is_none(id);
}

void link_id_write(struct id id, uint8_t ret[16])
{
    for (int i = 0; i < 8; i++) {
        ret[i] = (uint8_t)(id.hi >> (56 - 8 * i));
        ret[8 + i] = (uint8_t)(id.lo >> (56 - 8 * i));
    }
}

/* A copy of a text of at most max bytes. */
static int take_text(struct session *s, const char *field, const char *text, size_t max,
                     struct str *ret, struct err *err)
{
    size_t n = text == NULL ? 0 : strlen(text);
    if (n > max || !str_is_utf8(str_make(text, n))) {
        return err_set(err, ERR_INVALID, "hello.%s must be UTF-8 of at most %zu bytes", field, max);
    }
    *ret = str_make(arena_dup(&s->hello, text, n), n);
    return 0;
}

static int take_ports(struct session *s, const char *field, const uint32_t *ports, size_t n,
                      uint16_t **ret, uint32_t *ret_n, struct err *err)
{
    uint16_t *v;
    if (n > LINK_PORTS_MAX) {
        return err_set(err, ERR_INVALID, "hello.%s has more than %d ports", field, LINK_PORTS_MAX);
    }
    v = arena_array(&s->hello, n, sizeof *v);
    for (size_t i = 0; i < n; i++) {
        if (ports[i] == 0 || ports[i] > UINT16_MAX) {
            return err_set(err, ERR_INVALID, "hello.%s: %u is no port", field, ports[i]);
        }
        v[i] = (uint16_t)ports[i];
    }
    *ret = v;
    *ret_n = (uint32_t)n;
    return 0;
}

/* Sorted by name, as the model wants them; a later one of the same name wins. */
static void put_attribute(struct node *node, struct attribute a)
{
    uint32_t at = 0;
    while (at < node->n_attributes && str_cmp(node->attributes[at].name, a.name) < 0) {
        at++;
    }
    if (at < node->n_attributes && str_eq(node->attributes[at].name, a.name)) {
        node->attributes[at] = a;
        return;
    }
    memmove(&node->attributes[at + 1], &node->attributes[at],
            (node->n_attributes - at) * sizeof *node->attributes);
    node->attributes[at] = a;
    node->n_attributes++;
}

static int take_attributes(struct session *s, const Ecs__Agent__V1__Hello *hello, struct err *err)
{
    struct node *node = &s->registration.node;
    if (hello->n_attributes > LINK_ATTRIBUTES_MAX) {
        return err_set(err, ERR_INVALID, "hello.attributes: more than %d", LINK_ATTRIBUTES_MAX);
    }
    node->attributes = arena_array(&s->hello, hello->n_attributes + 1, sizeof *node->attributes);
    for (size_t i = 0; i < hello->n_attributes; i++) {
        const Ecs__Agent__V1__Attribute *from = hello->attributes[i];
        struct attribute a = {{NULL, 0}, {NULL, 0}};
        int rv = take_text(s, "attributes.name", from->name, LIMIT_ATTRIBUTE, &a.name, err);
        if (rv == 0 && from->value != NULL) {
            rv = take_text(s, "attributes.value", from->value, LIMIT_ATTRIBUTE, &a.value, err);
        }
        if (rv == 0 && a.name.n == 0) {
            rv = err_set(err, ERR_INVALID, "hello.attributes: a name is empty");
        }
        if (rv != 0) {
            return rv;
        }
        put_attribute(node, a);
    }
    return 0;
}

static int take_inventory(struct session *s, const Ecs__Agent__V1__Hello *hello, struct err *err)
{
    if (hello->n_tasks > LINK_INVENTORY_MAX) {
        return err_set(err, ERR_INVALID, "hello.tasks: more than %d", LINK_INVENTORY_MAX);
    }
    s->inventory = arena_array(&s->hello, hello->n_tasks, sizeof *s->inventory);
    for (size_t i = 0; i < hello->n_tasks; i++) {
        const Ecs__Agent__V1__TaskInventory *t = hello->tasks[i];
        if (!link_id_read(&t->task_id, &s->inventory[i].id) || t->status > TASK_STOPPED) {
            return err_set(err, ERR_INVALID, "hello.tasks[%zu] has a bad id or status", i);
        }
        s->inventory[i].status = (uint8_t)t->status;
    }
    s->n_inventory = (uint32_t)hello->n_tasks;
    return 0;
}

static int take_capacity(struct session *s, const Ecs__Agent__V1__Hello *hello, struct err *err)
{
    struct node *node = &s->registration.node;
    if (hello->cpu > CPU_MAX || hello->memory > MEMORY_MAX || hello->gpus > 1024) {
        return err_set(err, ERR_INVALID, "hello: cpu, memory or gpus beyond any machine");
    }
    if (hello->port_min == 0 || hello->port_max > UINT16_MAX || hello->port_min > hello->port_max) {
        return err_set(err, ERR_INVALID, "hello: port_min %u to port_max %u is no range of ports",
                       hello->port_min, hello->port_max);
    }
    node->cpu = hello->cpu;
    node->memory = hello->memory;
    node->gpus = hello->gpus;
    node->port_min = (uint16_t)hello->port_min;
    node->port_max = (uint16_t)hello->port_max;
    return 0;
}

static int take_texts(struct session *s, const Ecs__Agent__V1__Hello *hello, struct err *err)
{
    struct cmd_node_register *r = &s->registration;
    int rv = take_text(s, "cluster", hello->cluster, LIMIT_NAME, &r->cluster, err);
    if (rv == 0) {
        rv = take_text(s, "name", hello->name, LIMIT_NAME, &r->node.name, err);
    }
    if (rv == 0) {
        rv = take_text(s, "address", hello->address, LIMIT_NAME, &r->node.address, err);
    }
    if (rv == 0) {
        rv = take_text(s, "agent_version", hello->agent_version, LIMIT_NAME, &r->node.agent_version,
                       err);
    }
    if (rv == 0) {
        rv = take_text(s, "runtime_version", hello->runtime_version, LIMIT_NAME,
                       &r->node.runtime_version, err);
    }
    return rv;
}

int hello_read(struct session *s, const Ecs__Agent__V1__Hello *hello, struct err *err)
{
    struct node *node = &s->registration.node;
    int rv;
    if (hello->protocol != LINK_PROTOCOL) {
        return err_set(err, ERR_UNSUPPORTED, "node protocol %u; this controller speaks %u",
                       hello->protocol, (unsigned)LINK_PROTOCOL);
    }
    node->id = s->node;
    rv = take_texts(s, hello, err);
    if (rv == 0) {
        rv = take_capacity(s, hello, err);
    }
    if (rv == 0) {
        rv = take_attributes(s, hello, err);
    }
    if (rv == 0) {
        rv = take_ports(s, "reserved_tcp", hello->reserved_tcp, hello->n_reserved_tcp,
                        &node->reserved_tcp, &node->n_reserved_tcp, err);
    }
    if (rv == 0) {
        rv = take_ports(s, "reserved_udp", hello->reserved_udp, hello->n_reserved_udp,
                        &node->reserved_udp, &node->n_reserved_udp, err);
    }
    if (rv == 0) {
        rv = take_inventory(s, hello, err);
    }
    return rv;
}
