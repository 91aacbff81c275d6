/* Task definitions: revisions of a family, never numbered twice. */
#include "common/base/plant.h"
#include "controller/core/store_impl.h"

static bool check_ports(const struct container_summary *c, struct result *r)
{
    if (c->n_ports > LIMIT_PORTS_PER_CONTAINER) {
        store_reject(r, REJECT_LIMIT, "At most %d port mappings of one container.",
                     LIMIT_PORTS_PER_CONTAINER);
        return false;
    }
    for (uint32_t i = 0; i < c->n_ports; i++) {
        const struct port_mapping *p = &c->ports[i];
        uint32_t range = p->range == 0 ? 1 : p->range;
        if (p->proto > PROTO_UDP || p->container_port == 0 ||
            p->container_port + range > UINT16_MAX + 1u || p->host_port + range > UINT16_MAX + 1u) {
            store_reject(r, REJECT_INVALID, "A port mapping has ports 1 to 65535, tcp or udp.");
            return false;
        }
    }
    return true;
}

static bool check_register(const struct store *s, const struct taskdef *def, struct result *r)
{
    if (def->family.n == 0 || def->family.n > LIMIT_NAME) {
        store_reject(r, REJECT_INVALID, "A family name has 1 to %d characters.", LIMIT_NAME);
        return false;
    }
    if (def->network_mode > NETWORK_AWSVPC) {
        store_reject(r, REJECT_INVALID, "The network mode does not exist.");
        return false;
    }
    if (def->n_containers == 0 || def->n_containers > LIMIT_CONTAINERS) {
        store_reject(r, REJECT_INVALID, "A task definition has 1 to %d containers.",
                     LIMIT_CONTAINERS);
        return false;
    }
    if (def->spec.n > LIMIT_TASKDEF_BYTES) {
        store_reject(r, REJECT_INVALID, "A task definition has at most %d bytes.",
                     LIMIT_TASKDEF_BYTES);
        return false;
    }
    if (def->n_constraints > LIMIT_PLACEMENT_CONSTRAINTS || def->tags.n > LIMIT_TAGS) {
        store_reject(r, REJECT_LIMIT, "At most %d placement constraints and %d tags.",
                     LIMIT_PLACEMENT_CONSTRAINTS, LIMIT_TAGS);
        return false;
    }
    for (uint32_t i = 0; i < def->n_containers; i++) {
        if (!check_ports(&def->containers[i], r)) {
            return false;
        }
    }
    if (store_full(s, KIND_TASKDEF)) {
        store_reject(r, REJECT_LIMIT, "At most %d task definitions.", LIMIT_TASKDEFS);
        return false;
    }
    return true;
}

/* The next revision number, or 0 and a rejection. */
static uint32_t next_revision(struct store *s, struct str name, struct result *r)
{
    uint32_t slot = store_lookup(s, KIND_FAMILY, (struct store_key){name, 0, 0});
    struct family *family;
    if (slot == SLOT_NONE) {
        struct family row = {0};
        if (store_full(s, KIND_FAMILY)) {
            store_reject(r, REJECT_LIMIT, "At most %d families.", LIMIT_TASKDEFS);
            return 0;
        }
        row.name = name;
        store_insert(s, KIND_FAMILY, &row, &slot);
    }
    family = store_at(s, KIND_FAMILY, slot);
    if (family->last_revision >= LIMIT_REVISIONS) {
        store_reject(r, REJECT_LIMIT, "At most %d revisions of one family.", LIMIT_REVISIONS);
        return 0;
    }
    if (PLANTED(REVISION_REUSED)) {
        const struct taskdef *newest = store_at(s, KIND_TASKDEF, family->last_active);
        family->last_revision = newest == NULL ? 0 : newest->revision;
    }
    family->last_revision++;
    store_touch(s, KIND_FAMILY, slot);
    return family->last_revision;
}

void store_taskdef_register(struct store *s, const struct command *cmd, struct result *r)
{
    struct taskdef row = cmd->u.taskdef.def;
    if (!check_register(s, &row, r)) {
        return;
    }
    row.revision = next_revision(s, row.family, r);
    if (row.revision == 0) {
        return;
    }
    row.status = TASKDEF_ACTIVE;
    row.registered_at = s->meta->now;
    row.deregistered_at = 0;
    row.delete_requested_at = 0;
    store_insert(s, KIND_TASKDEF, &row, &r->slot);
}

static struct taskdef *find(const struct store *s, const struct cmd_taskdef_ref *c,
                            struct result *r)
{
    r->slot = store_find_taskdef(s, c->family, c->revision);
    if (r->slot == SLOT_NONE) {
        store_reject(r, REJECT_TASKDEF_NOT_FOUND, "The specified task definition does not exist.");
        return NULL;
    }
    return taskdef_at(s, r->slot);
}

void store_taskdef_deregister(struct store *s, const struct command *cmd, struct result *r)
{
    struct taskdef *def = find(s, &cmd->u.taskdef_ref, r);
    if (def == NULL || def->status == TASKDEF_INACTIVE) {
        return;
    }
    if (def->status == TASKDEF_DELETING) {
        store_reject(r, REJECT_INVALID, "The specified task definition is being deleted.");
        return;
    }
    def = store_taskdef_begin(s, r->slot);
    def->status = TASKDEF_INACTIVE;
    def->deregistered_at = s->meta->now;
    store_taskdef_end(s, r->slot);
}

void store_taskdef_delete(struct store *s, const struct command *cmd, struct result *r)
{
    struct taskdef *def = find(s, &cmd->u.taskdef_ref, r);
    if (def == NULL || def->status == TASKDEF_DELETING) {
        return;
    }
    if (def->status == TASKDEF_ACTIVE) {
        store_reject(r, REJECT_TASKDEF_ACTIVE,
                     "The specified task definition is still in ACTIVE status. Please deregister "
                     "the target and try again.");
        return;
    }
    def = store_taskdef_begin(s, r->slot);
    def->status = TASKDEF_DELETING;
    def->delete_requested_at = s->meta->now;
    store_taskdef_end(s, r->slot);
}
