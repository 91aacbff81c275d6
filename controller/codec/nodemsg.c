#include "controller/codec/nodemsg.h"

#include "controller/codec/assignment.h"
#include "controller/codec/pbc.h"
#include "controller/core/limits.h"

#include <string.h>

#define CPU_MAX    (16384u * 1024u)      /* CPU units. */
#define MEMORY_MAX (64u * 1024u * 1024u) /* MiB: 64 TiB. */

bool nodemsg_id_read(const ProtobufCBinaryData *bytes, struct id *ret)
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

void nodemsg_id_write(struct id id, uint8_t ret[16])
{
    for (int i = 0; i < 8; i++) {
        ret[i] = (uint8_t)(id.hi >> (56 - 8 * i));
        ret[8 + i] = (uint8_t)(id.lo >> (56 - 8 * i));
    }
}

/* --- hello ---------------------------------------------------------------------------------------
 */

struct hello_reader {
    struct arena *arena;
    struct nodemsg_hello *ret;
};

/* A copy of a text of at most max bytes. */
static int take_text(struct hello_reader *r, const char *field, const char *text, size_t max,
                     struct str *ret, struct err *err)
{
    size_t n = text == NULL ? 0 : strlen(text);
    if (n > max || !str_is_utf8(str_make(text, n))) {
        return err_set(err, ERR_INVALID, "hello.%s must be UTF-8 of at most %zu bytes", field, max);
    }
    *ret = str_make(arena_dup(r->arena, text, n), n);
    return 0;
}

static int take_ports(struct hello_reader *r, const char *field, const uint32_t *ports, size_t n,
                      uint16_t **ret, uint32_t *ret_n, struct err *err)
{
    uint16_t *v;
    if (n > NODEMSG_PORTS_MAX) {
        return err_set(err, ERR_INVALID, "hello.%s has more than %d ports", field,
                       NODEMSG_PORTS_MAX);
    }
    v = arena_array(r->arena, n, sizeof *v);
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

static int take_attributes(struct hello_reader *r, const Ecs__Agent__V1__Hello *hello,
                           struct err *err)
{
    struct node *node = &r->ret->registration.node;
    if (hello->n_attributes > LIMIT_ATTRIBUTES) {
        return err_set(err, ERR_INVALID, "hello.attributes: more than %d", LIMIT_ATTRIBUTES);
    }
    node->attributes = arena_array(r->arena, hello->n_attributes + 1, sizeof *node->attributes);
    for (size_t i = 0; i < hello->n_attributes; i++) {
        const Ecs__Agent__V1__Attribute *from = hello->attributes[i];
        struct attribute a = {{NULL, 0}, {NULL, 0}};
        int rv = take_text(r, "attributes.name", from->name, LIMIT_ATTRIBUTE, &a.name, err);
        if (rv == 0 && from->value != NULL) {
            rv = take_text(r, "attributes.value", from->value, LIMIT_ATTRIBUTE, &a.value, err);
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

static int take_inventory(struct hello_reader *r, const Ecs__Agent__V1__Hello *hello,
                          struct err *err)
{
    if (hello->n_tasks > NODEMSG_INVENTORY_MAX) {
        return err_set(err, ERR_INVALID, "hello.tasks: more than %d", NODEMSG_INVENTORY_MAX);
    }
    r->ret->inventory = arena_array(r->arena, hello->n_tasks, sizeof *r->ret->inventory);
    for (size_t i = 0; i < hello->n_tasks; i++) {
        const Ecs__Agent__V1__TaskInventory *t = hello->tasks[i];
        if (!nodemsg_id_read(&t->task_id, &r->ret->inventory[i].id) || t->status > TASK_STOPPED) {
            return err_set(err, ERR_INVALID, "hello.tasks[%zu] has a bad id or status", i);
        }
        r->ret->inventory[i].status = (uint8_t)t->status;
    }
    r->ret->n_inventory = (uint32_t)hello->n_tasks;
    return 0;
}

static int take_capacity(struct hello_reader *r, const Ecs__Agent__V1__Hello *hello,
                         struct err *err)
{
    struct node *node = &r->ret->registration.node;
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

static int take_texts(struct hello_reader *r, const Ecs__Agent__V1__Hello *hello, struct err *err)
{
    struct cmd_node_register *to = &r->ret->registration;
    int rv = take_text(r, "cluster", hello->cluster, LIMIT_NAME, &to->cluster, err);
    if (rv == 0) {
        rv = take_text(r, "name", hello->name, LIMIT_NAME, &to->node.name, err);
    }
    if (rv == 0) {
        rv = take_text(r, "address", hello->address, LIMIT_NAME, &to->node.address, err);
    }
    if (rv == 0) {
        rv = take_text(r, "agent_version", hello->agent_version, LIMIT_NAME,
                       &to->node.agent_version, err);
    }
    if (rv == 0) {
        rv = take_text(r, "runtime_version", hello->runtime_version, LIMIT_NAME,
                       &to->node.runtime_version, err);
    }
    return rv;
}

int nodemsg_hello(const Ecs__Agent__V1__Hello *hello, struct id node, struct arena *arena,
                  struct nodemsg_hello *ret, struct err *err)
{
    struct nodemsg_hello v = {.registration = {.node = {.id = node}}};
    struct hello_reader r = {arena, &v};
    struct node *n = &v.registration.node;
    int rv;
    if (hello->protocol != NODEMSG_PROTOCOL) {
        return err_set(err, ERR_UNSUPPORTED, "node protocol %u; this controller speaks %u",
                       hello->protocol, (unsigned)NODEMSG_PROTOCOL);
    }
    rv = take_texts(&r, hello, err);
    if (rv == 0) {
        rv = take_capacity(&r, hello, err);
    }
    if (rv == 0) {
        rv = take_attributes(&r, hello, err);
    }
    if (rv == 0) {
        rv = take_ports(&r, "reserved_tcp", hello->reserved_tcp, hello->n_reserved_tcp,
                        &n->reserved_tcp, &n->n_reserved_tcp, err);
    }
    if (rv == 0) {
        rv = take_ports(&r, "reserved_udp", hello->reserved_udp, hello->n_reserved_udp,
                        &n->reserved_udp, &n->n_reserved_udp, err);
    }
    if (rv == 0) {
        rv = take_inventory(&r, hello, err);
    }
    if (rv == 0) {
        *ret = v;
    }
    return rv;
}

/* --- reports -------------------------------------------------------------------------------------
 */

static struct str cut_reason(const char *text)
{
    struct str s = str_of(text);
    if (!str_is_utf8(s)) {
        return STR("(not UTF-8)");
    }
    while (s.n > LIMIT_REASON || (s.n > 0 && !str_is_utf8(s))) {
        s.n = s.n > LIMIT_REASON ? LIMIT_REASON : s.n - 1;
    }
    return s;
}

static int read_container(const Ecs__Agent__V1__ContainerReport *from, struct container_report *to,
                          struct err *err)
{
    if (from->status > CONTAINER_STOPPED || from->health > HEALTH_UNHEALTHY ||
        from->index >= LIMIT_CONTAINERS) {
        return err_set(err, ERR_PROTOCOL, "a container report is out of range");
    }
    to->index = from->index;
    to->status = (uint8_t)from->status;
    to->health = (uint8_t)from->health;
    to->has_exit_code = from->has_exit_code;
    to->exit_code = from->exit_code;
    to->reason = cut_reason(from->reason);
    to->runtime_id = str_slice(str_of(from->runtime_id), 0, LIMIT_NAME);
    to->image_digest = str_slice(str_of(from->image_digest), 0, LIMIT_NAME);
    return 0;
}

static int read_task(struct arena *arena, const Ecs__Agent__V1__TaskReport *from,
                     struct task_report *to, struct err *err)
{
    if (!nodemsg_id_read(&from->task_id, &to->id) || from->status > TASK_STOPPED ||
        from->stop_code > STOP_INFRASTRUCTURE || from->health > HEALTH_UNHEALTHY ||
        from->n_containers > LIMIT_CONTAINERS) {
        return err_set(err, ERR_PROTOCOL, "a task report is out of range");
    }
    to->status = (uint8_t)from->status;
    to->stop_code = (uint8_t)from->stop_code;
    to->health = (uint8_t)from->health;
    to->reason = cut_reason(from->reason);
    to->pull_started_at = from->pull_started_at;
    to->pull_stopped_at = from->pull_stopped_at;
    to->started_at = from->started_at;
    to->stopped_at = from->stopped_at;
    to->n_containers = (uint32_t)from->n_containers;
    to->containers = arena_array(arena, from->n_containers, sizeof *to->containers);
    for (size_t i = 0; i < from->n_containers; i++) {
        int rv = read_container(from->containers[i], &to->containers[i], err);
        if (rv != 0) {
            return rv;
        }
    }
    return 0;
}

int nodemsg_reports(const Ecs__Agent__V1__Reports *reports, struct arena *arena,
                    struct task_report **ret, struct err *err)
{
    struct task_report *v;
    if (reports->n_tasks > NODEMSG_REPORTS_MAX) {
        return err_set(err, ERR_PROTOCOL, "more than %d reports in a message", NODEMSG_REPORTS_MAX);
    }
    v = arena_array(arena, reports->n_tasks, sizeof *v);
    for (size_t i = 0; i < reports->n_tasks; i++) {
        int rv = read_task(arena, reports->tasks[i], &v[i], err);
        if (rv != 0) {
            return rv;
        }
    }
    *ret = v;
    return 0;
}

/* --- assignments ---------------------------------------------------------------------------------
 */

/* A stop needs no more than the id: the task may be unknown to the state. */
static Ecs__Agent__V1__Assignment *make_stop(struct arena *arena, const struct dispatch_task *t)
{
    Ecs__Agent__V1__Assignment *a = pbc_new(&ecs__agent__v1__assignment__descriptor, arena);
    a->task_id.data = arena_alloc(arena, 16);
    a->task_id.len = 16;
    a->has_task_id = true;
    nodemsg_id_write(t->id, a->task_id.data);
    a->has_stop = true;
    a->stop = true;
    a->stop_reason = arena_dup(arena, t->reason.p, t->reason.n);
    return a;
}

/* NULL without an error: the task is gone already. */
static int make_run(const struct store *store, const struct arn_names *names,
                    const struct dispatch_task *t, struct arena *arena,
                    Ecs__Agent__V1__Assignment **ret, struct err *err)
{
    const struct task *task = store_task(store, t->slot);
    struct assignment_context x = {.names = names};
    if (task == NULL || !id_eq(task->id, t->id)) {
        *ret = NULL;
        return 0;
    }
    x.cluster = store_cluster(store, task->cluster);
    x.taskdef = store_taskdef(store, task->taskdef);
    x.service = store_service(store, task->service);
    x.node = store_node(store, task->node);
    return assignment_make(&x, task, arena, ret, err);
}

static void add_forgets(struct arena *arena, const struct dispatch_out *out,
                        Ecs__Agent__V1__Assignments *to)
{
    to->forget = arena_array(arena, out->n_forget, sizeof *to->forget);
    for (uint32_t i = 0; i < out->n_forget; i++) {
        to->forget[i].data = arena_alloc(arena, 16);
        to->forget[i].len = 16;
        nodemsg_id_write(out->forget[i], to->forget[i].data);
    }
    to->n_forget = out->n_forget;
}

int nodemsg_assignments(const struct store *store, const struct arn_names *names,
                        const struct dispatch_out *out, struct arena *arena,
                        Ecs__Agent__V1__Assignments *ret, struct err *err)
{
    int rv = 0;
    *ret = (Ecs__Agent__V1__Assignments)ECS__AGENT__V1__ASSIGNMENTS__INIT;
    ret->has_number = true;
    ret->number = out->number;
    ret->has_full = out->full;
    ret->full = out->full;
    ret->has_full_end = out->full_end;
    ret->full_end = out->full_end;
    ret->tasks = arena_array(arena, out->n_tasks, sizeof(Ecs__Agent__V1__Assignment *));
    for (uint32_t i = 0; i < out->n_tasks; i++) {
        const struct dispatch_task *t = &out->tasks[i];
        Ecs__Agent__V1__Assignment *a = NULL;
        if (t->stop) {
            a = make_stop(arena, t);
        } else if (make_run(store, names, t, arena, &a, err) != 0) {
            char id[ID_HEX_LEN + 1];
            id_hex(t->id, id);
            rv = err_wrap(err, err == NULL ? ERR_CORRUPT : err->code, "task %s", id);
            a = NULL;
        }
        if (a != NULL) {
            ret->tasks[ret->n_tasks++] = a;
        }
    }
    add_forgets(arena, out, ret);
    return rv;
}
