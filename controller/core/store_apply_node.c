/* Nodes: their registration, sessions, states and attributes. */
#include "controller/core/store_impl.h"

#define CAPACITY_MAX (1u << 29) /* As in placement/view.h. */

/* --- attributes ----------------------------------------------------------------------------------
 */

struct attributes { /* Being put together in scratch memory; sorted by name. */
    struct attribute *v;
    uint32_t n;
    uint32_t cap;
};

static uint32_t attribute_position(const struct attributes *a, struct str name)
{
    uint32_t low = 0;
    uint32_t high = a->n;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (str_cmp(a->v[mid].name, name) < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

static bool attribute_here(const struct attributes *a, uint32_t at, struct str name)
{
    return at < a->n && str_eq(a->v[at].name, name);
}

static void attribute_put(struct attributes *a, const struct attribute *item)
{
    uint32_t at = attribute_position(a, item->name);
    if (!attribute_here(a, at, item->name)) {
        assert(a->n < a->cap);
        for (uint32_t i = a->n; i > at; i--) {
            a->v[i] = a->v[i - 1];
        }
        a->n++;
    }
    a->v[at] = *item;
}

static void attribute_remove(struct attributes *a, struct str name)
{
    uint32_t at = attribute_position(a, name);
    if (attribute_here(a, at, name)) {
        for (uint32_t i = at; i + 1 < a->n; i++) {
            a->v[i] = a->v[i + 1];
        }
        a->n--;
    }
}

static struct attributes attributes_start(struct store *s, const struct node *node, uint32_t extra)
{
    uint32_t cap = (node == NULL ? 0 : node->n_attributes) + extra;
    struct attributes a = {arena_array(&s->scratch, cap, sizeof *a.v), 0, cap};
    return a;
}

static bool attribute_valid(const struct attribute *item, struct result *r)
{
    if (item->name.n == 0 || item->name.n > LIMIT_ATTRIBUTE || item->value.n > LIMIT_ATTRIBUTE) {
        store_reject(r, REJECT_INVALID, "Names and values of attributes have 1 to %d characters.",
                     LIMIT_ATTRIBUTE);
        return false;
    }
    return true;
}

/* --- registration --------------------------------------------------------------------------------
 */

static bool check_node(const struct node *n, struct result *r)
{
    if (id_is_none(n->id)) {
        store_reject(r, REJECT_INVALID, "A node has an id.");
        return false;
    }
    if (n->name.n > LIMIT_NAME || n->address.n > LIMIT_NAME || n->agent_version.n > LIMIT_NAME) {
        store_reject(r, REJECT_INVALID, "Name, address and version have at most %d characters.",
                     LIMIT_NAME);
        return false;
    }
    if (n->cpu > CAPACITY_MAX || n->memory > CAPACITY_MAX || n->gpus > CAPACITY_MAX) {
        store_reject(r, REJECT_LIMIT, "A node has at most %u CPU units, MiB or GPUs.",
                     CAPACITY_MAX);
        return false;
    }
    if (n->n_reserved_tcp > LIMIT_RESERVED_PORTS || n->n_reserved_udp > LIMIT_RESERVED_PORTS ||
        n->n_reserved_tcp + n->n_reserved_udp > LIMIT_RESERVED_PORTS) {
        store_reject(r, REJECT_LIMIT, "At most %d reserved ports.", LIMIT_RESERVED_PORTS);
        return false;
    }
    if (n->port_min > n->port_max || (n->port_min == 0 && n->port_max > 0)) {
        store_reject(r, REJECT_INVALID, "The range of dynamic ports %u-%u cannot be.", n->port_min,
                     n->port_max);
        return false;
    }
    if (n->n_attributes > LIMIT_ATTRIBUTES || n->tags.n > LIMIT_TAGS) {
        store_reject(r, REJECT_LIMIT, "At most %d attributes and %d tags.", LIMIT_ATTRIBUTES,
                     LIMIT_TAGS);
        return false;
    }
    for (uint32_t i = 0; i < n->n_attributes; i++) {
        if (!attribute_valid(&n->attributes[i], r)) {
            return false;
        }
    }
    return true;
}

/* What the agent says of itself replaces what it said before; what users put on the node (anything
 * not called ecs.*) stays, as a new session may be no more than a new leader. */
static bool merge_attributes(struct store *s, const struct node *old, struct node *row,
                             struct result *r)
{
    struct attributes a = attributes_start(s, old, row->n_attributes);
    for (uint32_t i = 0; old != NULL && i < old->n_attributes; i++) {
        if (!str_starts(old->attributes[i].name, "ecs.")) {
            attribute_put(&a, &old->attributes[i]);
        }
    }
    for (uint32_t i = 0; i < row->n_attributes; i++) {
        attribute_put(&a, &row->attributes[i]);
    }
    if (a.n > LIMIT_ATTRIBUTES) {
        store_reject(r, REJECT_LIMIT, "At most %d attributes.", LIMIT_ATTRIBUTES);
        return false;
    }
    row->attributes = a.v;
    row->n_attributes = a.n;
    return true;
}

static void register_again(struct store *s, uint32_t slot, struct node *row)
{
    const struct node *old = store_node_begin(s, slot);
    row->status = old->status;
    row->registered_at = old->registered_at;
    row->tags = row->tags.n > 0 ? row->tags : old->tags;
    row->version = old->version;
    row->cpu_used = old->cpu_used;
    row->memory_used = old->memory_used;
    row->gpus_used = old->gpus_used;
    row->n_running = old->n_running;
    row->n_pending = old->n_pending;
    row->first_task = old->first_task;
    row->n_active = old->n_active;
    row->in_gc = old->in_gc;
    store_replace(s, KIND_NODE, slot, row);
    store_node_end(s, slot);
}

static bool may_register(const struct store *s, const struct node *old, uint32_t cluster,
                         struct result *r)
{
    if (old == NULL && store_full(s, KIND_NODE)) {
        store_reject(r, REJECT_LIMIT, "At most %d nodes.", LIMIT_NODES);
        return false;
    }
    if (old != NULL && old->status == NODE_INACTIVE) {
        store_reject(r, REJECT_NODE_INACTIVE,
                     "The container instance was deregistered; join with a new token.");
        return false;
    }
    if (old != NULL && old->cluster != cluster) {
        store_reject(r, REJECT_INVALID,
                     "The container instance is registered with another cluster.");
        return false;
    }
    return true;
}

void store_node_register(struct store *s, const struct command *cmd, struct result *r)
{
    struct node row = cmd->u.node_register.node;
    uint32_t cluster = store_active_cluster(s, cmd->u.node_register.cluster, r);
    uint32_t slot = store_find_node(s, row.id);
    const struct node *old = store_at(s, KIND_NODE, slot);
    if (cluster == SLOT_NONE || !check_node(&row, r) || !may_register(s, old, cluster, r) ||
        !merge_attributes(s, old, &row, r)) {
        return;
    }
    row.cluster = cluster;
    row.status = NODE_ACTIVE;
    row.connected = true;
    row.session = s->meta->revision;
    row.registered_at = s->meta->now;
    row.disconnected_at = 0;
    row.deregistered_at = 0;
    if (old == NULL) {
        store_insert(s, KIND_NODE, &row, &slot);
    } else {
        register_again(s, slot, &row);
    }
    r->slot = slot;
    r->id = row.id;
}

/* --- states --------------------------------------------------------------------------------------
 */

static struct node *find_node(const struct store *s, const struct cmd_node_ref *c, struct result *r)
{
    uint32_t cluster = store_active_cluster(s, c->cluster, r);
    uint32_t slot = store_find_node(s, c->id);
    struct node *node = store_at(s, KIND_NODE, slot);
    if (cluster == SLOT_NONE) {
        return NULL;
    }
    if (node == NULL || node->cluster != cluster) {
        store_reject(r, REJECT_NODE_NOT_FOUND, "The referenced container instance was not found.");
        return NULL;
    }
    r->slot = slot;
    r->id = node->id;
    return node;
}

void store_node_state(struct store *s, const struct command *cmd, struct result *r)
{
    const struct cmd_node_ref *c = &cmd->u.node_ref;
    struct node *node = find_node(s, c, r);
    if (node == NULL) {
        return;
    }
    if (node->status == NODE_INACTIVE) {
        store_reject(r, REJECT_NODE_INACTIVE, "The container instance is INACTIVE.");
        return;
    }
    if (c->status != NODE_ACTIVE && c->status != NODE_DRAINING) {
        store_reject(r, REJECT_INVALID, "The status of a node is set to ACTIVE or DRAINING.");
        return;
    }
    if (node->status != c->status) {
        node->status = c->status;
        store_touch(s, KIND_NODE, r->slot);
    }
}

static void lose_tasks(struct store *s, uint32_t slot, struct str reason)
{
    struct store_order *tasks;
    uint32_t n = store_active_tasks(s, slot, &tasks);
    for (uint32_t i = 0; i < n; i++) {
        store_lose(s, tasks[i].slot, reason);
    }
}

void store_node_deregister(struct store *s, const struct command *cmd, struct result *r)
{
    const struct cmd_node_ref *c = &cmd->u.node_ref;
    struct node *node = find_node(s, c, r);
    if (node == NULL || node->status == NODE_INACTIVE) {
        return;
    }
    if (node->n_active > 0 && !c->force) {
        store_reject(r, REJECT_NODE_HAS_TASKS, "Found running tasks on the instance.");
        return;
    }
    lose_tasks(s, r->slot, STR("The container instance was deregistered"));
    node = store_node_begin(s, r->slot);
    node->status = NODE_INACTIVE;
    node->disconnected_at = node->connected ? s->meta->now : node->disconnected_at;
    node->connected = false;
    node->deregistered_at = s->meta->now;
    store_node_end(s, r->slot);
}

void store_node_connection(struct store *s, const struct command *cmd, struct result *r)
{
    const struct cmd_node_connection *c = &cmd->u.connection;
    uint32_t slot = store_find_node(s, c->id);
    struct node *node = store_at(s, KIND_NODE, slot);
    bool up = c->connection == CONNECTION_UP;
    if (node == NULL) {
        store_reject(r, REJECT_NODE_NOT_FOUND, "The referenced container instance was not found.");
        return;
    }
    r->slot = slot;
    r->id = node->id;
    if (c->session != node->session || node->status == NODE_INACTIVE) {
        return; /* Of a session that is over. */
    }
    if (node->connected != up) {
        node->connected = up;
        node->disconnected_at = up ? 0 : s->meta->now;
        store_touch(s, KIND_NODE, slot);
    }
    if (c->connection == CONNECTION_LOST) {
        lose_tasks(s, slot, STR("The container instance lost contact with the controllers"));
    }
}

/* --- attributes put by users ---------------------------------------------------------------------
 */

static uint32_t find_target(const struct store *s, uint32_t cluster, struct id id, struct result *r)
{
    uint32_t slot = store_find_node(s, id);
    const struct node *node = store_at(s, KIND_NODE, slot);
    if (node == NULL || node->cluster != cluster || node->status == NODE_INACTIVE) {
        store_reject(r, REJECT_TARGET_NOT_FOUND, "Unable to find the specified target.");
        return SLOT_NONE;
    }
    return slot;
}

static void change_attribute(struct store *s, uint32_t slot, const struct attribute *item, bool put)
{
    struct node row = *node_at(s, slot);
    struct attributes a = attributes_start(s, &row, 1);
    for (uint32_t i = 0; i < row.n_attributes; i++) {
        a.v[i] = row.attributes[i];
    }
    a.n = row.n_attributes;
    if (put) {
        attribute_put(&a, item);
    } else {
        attribute_remove(&a, item->name);
    }
    row.attributes = a.v;
    row.n_attributes = a.n;
    store_replace(s, KIND_NODE, slot, &row);
}

/* All or nothing: everything is checked before anything is done. The check of the limit takes every
 * attribute for a new one. */
static bool check_attributes(const struct store *s, uint32_t cluster,
                             const struct cmd_attributes *c, bool put, struct result *r)
{
    for (uint32_t i = 0; i < c->n; i++) {
        uint32_t slot = find_target(s, cluster, c->v[i].node, r);
        if (slot == SLOT_NONE || !attribute_valid(&c->v[i].attribute, r)) {
            return false;
        }
        if (put && node_at(s, slot)->n_attributes + c->n > LIMIT_ATTRIBUTES) {
            store_reject(r, REJECT_LIMIT, "At most %d attributes.", LIMIT_ATTRIBUTES);
            return false;
        }
    }
    return true;
}

static void change_attributes(struct store *s, const struct cmd_attributes *c, bool put,
                              struct result *r)
{
    uint32_t cluster = store_active_cluster(s, c->cluster, r);
    if (cluster == SLOT_NONE || !check_attributes(s, cluster, c, put, r)) {
        return;
    }
    for (uint32_t i = 0; i < c->n; i++) {
        change_attribute(s, store_find_node(s, c->v[i].node), &c->v[i].attribute, put);
    }
    r->n_done = c->n;
}

void store_attributes_put(struct store *s, const struct command *cmd, struct result *r)
{
    change_attributes(s, &cmd->u.attributes, true, r);
}

void store_attributes_delete(struct store *s, const struct command *cmd, struct result *r)
{
    change_attributes(s, &cmd->u.attributes, false, r);
}
