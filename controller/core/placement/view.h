/* controller/core/placement/view.h
 *
 * The placement engine's own picture of one cluster: its nodes, what is free on them, which ports
 * are in use and how many tasks of each group run where. Derived from the store, which keeps it
 * current through the calls below and can rebuild it from its tables at any time. Pure; one thread
 * at a time.
 *
 * Two kinds of use are accounted for:
 * - *tasks*, by view_take() and view_give(), called when a command is applied;
 * - *reservations* of plans that were proposed and are not applied yet. They are numbered in the
 *   order they were made. When a plan comes back from the log the leader settles its reservations
 *   and applies the command, which takes what really happened; a plan that will never come is
 *   rolled back:
 *
 *       mark = view_mark(v);               while deciding
 *       place(...); place_reserve(...);    any number of times
 *       end = view_mark(v);                remember with the proposed command
 *       ...
 *       view_settle(v, end);               before applying it
 *
 * Free amounts may become negative (a node came back smaller than its tasks); such a node simply
 * has no room. */
#ifndef CONTROLLER_CORE_PLACEMENT_VIEW_H
#define CONTROLLER_CORE_PLACEMENT_VIEW_H

#include "common/base/err.h"
#include "common/base/id.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "controller/core/placement/query.h"

#include <stdbool.h>
#include <stdint.h>

#define VIEW_NODES_MAX      (1u << 20) /* Nodes of one cluster. */
#define VIEW_AMOUNT_MAX     (1u << 29) /* CPU units, MiB or GPUs of one node. */
#define VIEW_ATTRIBUTES_MAX 256        /* Attributes of one node. */
#define VIEW_TEXT_MAX       1000       /* Bytes of a name, a value or an id of a node. */
#define VIEW_RESERVED_MAX   128        /* Reserved port ranges of one node. */
#define VIEW_NONE           UINT32_MAX /* No node. */
#define VIEW_SCARCITY_MAX   7u

#define VIEW_ATTRIBUTE_ZONE     "ecs.availability-zone"
#define VIEW_ATTRIBUTE_PROVIDER "ecs.capacity-provider"
#define VIEW_ATTRIBUTE_TYPE     "ecs.instance-type"

/* Default range for dynamic host ports. */
#define VIEW_DYNAMIC_FIRST 32768
#define VIEW_DYNAMIC_LAST  60999

struct view; /* Opaque. */

enum view_proto { VIEW_TCP, VIEW_UDP, VIEW_PROTO_N };

/* What a node's status means for placement. */
enum view_status {
    VIEW_ACTIVE,   /* May get tasks, when its agent is connected. */
    VIEW_DRAINING, /* Keeps tasks, gets none. */
    VIEW_INACTIVE, /* Registering, deregistering, gone: gets none. */
};

struct view_attribute {
    struct str name;
    struct str value; /* May be empty. */
};

/* Host ports first .. first + count - 1. */
struct view_port {
    uint16_t first; /* > 0 */
    uint16_t count; /* > 0 */
    uint8_t proto;  /* enum view_proto */
};

/* A node as the store describes it. Everything is copied. */
struct view_node {
    struct id id;   /* Breaks ties between equally good nodes. */
    uint32_t owner; /* The caller's own number for the node; not interpreted. */
    enum view_status status;
    bool agent_connected;
    uint32_t cpu;        /* Capacity in CPU units (1024 = one core), */
    uint32_t memory_mib; /* MiB */
    uint32_t gpus;       /* and whole GPUs; each <= VIEW_AMOUNT_MAX. */
    uint64_t registered_at_ms;
    struct str agent_version;
    struct str ec2_instance_id;
    const struct view_attribute *attributes; /* Built-in ones included; names are distinct. */
    uint32_t n_attributes;
    const struct view_port *reserved; /* Host ports no task may get. */
    uint32_t n_reserved;
    uint16_t dynamic_first; /* Range for dynamic ports, inclusive; both 0 means the default. */
    uint16_t dynamic_last;
};

/* What one task holds on a node. */
struct view_take {
    uint32_t cpu;
    uint32_t memory_mib;
    uint32_t gpus;
    const struct view_port *ports; /* Do not overlap each other within one protocol. */
    uint32_t n_ports;
    struct str group;   /* "service:NAME", "family:NAME" or the user's; empty counts nowhere. */
    uint32_t group_ref; /* 1 + view_group_open(): then the name is not looked at; else 0. */
};

/* What is left on a node, reservations included. */
struct view_free {
    int32_t cpu;
    int32_t memory_mib;
    int32_t gpus;
    uint32_t n_tasks; /* Holding something there, reservations included. */
};

/* mem is borrowed until view_close(). */
struct view *view_open(const struct mem *mem);
void view_close(struct view *v); /* NULL is fine. */

/* The same nodes in the same slots, the same tasks; reservations are tasks like others there. For
 * what-if. */
struct view *view_copy(const struct view *from, const struct mem *mem);

/* Add a node; its slot stays the same until it is removed. ERR_FULL, ERR_EXISTS (same id) or
 * ERR_INVALID (a limit above) leave the view as it was. */
int view_node_add(struct view *v, const struct view_node *node, uint32_t *ret_slot,
                  struct err *err);

/* Describe a node anew (status, attributes, capacity, ...); what its tasks hold stays. The id may
 * not change. */
int view_node_set(struct view *v, uint32_t slot, const struct view_node *node, struct err *err);

/* The two changes that come often. */
void view_node_set_status(struct view *v, uint32_t slot, enum view_status status);
void view_node_set_connected(struct view *v, uint32_t slot, bool agent_connected);

/* Forget a node with all tasks and reservations on it: the caller need not and must not give them
 * back. The slot may be used again by the next node. */
void view_node_remove(struct view *v, uint32_t slot);

/* Look up. view_find gives VIEW_NONE when no node has the id. Slots are < view_slots(); a hole is
 * a slot for which view_has() is false. */
uint32_t view_find(const struct view *v, struct id id);
uint32_t view_slots(const struct view *v);
bool view_has(const struct view *v, uint32_t slot);
uint32_t view_n_nodes(const struct view *v);
uint32_t view_owner(const struct view *v, uint32_t slot);
struct id view_id(const struct view *v, uint32_t slot);
struct view_free view_free_of(const struct view *v, uint32_t slot);

struct view_capacity {
    uint32_t cpu;
    uint32_t memory_mib;
    uint32_t gpus;
    enum view_status status;
    struct view_free free;
};

struct view_capacity view_capacity_of(const struct view *v, uint32_t slot);

/* Ports held by tasks and reservations on a node (not the reserved ones), by protocol and number;
 * at most max are written, the full count is returned. */
uint32_t view_ports(const struct view *v, uint32_t slot, struct view_port *ret, uint32_t max);

/* Tasks of a group, on one node and everywhere; reservations included. */
uint32_t view_group_on(const struct view *v, struct str group, uint32_t slot);
uint32_t view_group_total(const struct view *v, struct str group);

/* Does a query select the node? For ListContainerInstances; constraints are place()'s business. */
bool view_match(const struct view *v, uint32_t slot, const struct query *q);

/* Would the task fit at this moment: amounts and ports only? For the check of a plan on apply.
 * ERR_UNAVAILABLE with the reason in err. */
int view_check(const struct view *v, uint32_t slot, const struct view_take *take, struct err *err);

/* A task occupies its node from now on / no longer. Its ports must be free of other tasks (assert;
 * view_check() knows). give gets exactly what take got. */
void view_take(struct view *v, uint32_t slot, const struct view_take *take);
void view_give(struct view *v, uint32_t slot, const struct view_take *take);

/* The same for n equal tasks without ports. */
void view_take_n(struct view *v, uint32_t slot, const struct view_take *take, uint32_t n);
void view_give_n(struct view *v, uint32_t slot, const struct view_take *take, uint32_t n);

/* A number for a group, valid until closed, for callers who name the same one again and again
 * (view_take.group_ref). The name is not empty. */
uint32_t view_group_open(struct view *v, struct str name);
void view_group_close(struct view *v, uint32_t group);

/* How much the nodes of each class are needed by tasks that can run on few others, 0 to
 * VIEW_SCARCITY_MAX: see place_set_scarcity(). By class number, for all there are. */
void view_set_scarcity(struct view *v, const uint8_t *scarcity);

/* Reservations, see above. The mark is the number of reservations made so far. */
uint64_t view_mark(const struct view *v);
void view_reserve(struct view *v, uint32_t slot, const struct view_take *take);
void view_reserve_n(struct view *v, uint32_t slot, const struct view_take *take, uint32_t n);
void view_settle(struct view *v, uint64_t before);  /* Drop those made before the mark. */
void view_rollback(struct view *v, uint64_t since); /* Drop those made after the mark. */

/* Compare every derived figure with the ones it derives from; false (with err filled) is a bug.
 * Slow: for tests and the simulator. */
bool view_audit(const struct view *v, struct err *err);

#endif
