/* controller/core/placement/view_impl.h
 *
 * The inside of struct view, shared by view*.c and place*.c alone. */
#ifndef CONTROLLER_CORE_PLACEMENT_VIEW_IMPL_H
#define CONTROLLER_CORE_PLACEMENT_VIEW_IMPL_H

#include "common/base/map.h"
#include "controller/core/placement/portset.h"
#include "controller/core/placement/shelf.h"
#include "controller/core/placement/view.h"

#define VIEW_QUERIES_MAX 512 /* Compiled constraints kept; the least recently used goes. */
#define VIEW_DOMAINS_MAX 64  /* Attributes that tasks are spread by, likewise. */

#define NO_GROUP  UINT32_MAX
#define NO_DOMAIN UINT32_MAX

/* Nodes with the same attributes and agent version are of one class, and whatever depends on these
 * alone is computed once per class. */
struct view_class {
    uint32_t n_nodes; /* 0: this number is free. */
    uint32_t n_bytes;
    uint8_t *bytes; /* Attributes sorted by name: two lengths (u16), name, value. */
    uint64_t hash;
    uint8_t zone; /* See struct view_zone. */
    uint8_t scarcity;
};

/* Numbers for the first zones of the cluster; nodes of all further ones share ZONE_OTHER. */
enum { ZONE_NONE, ZONE_FIRST, ZONE_OTHER = 15, ZONE_N };

struct view_zone {
    uint32_t n_classes; /* 0: the number is free. */
    uint32_t n_name;
    char *name;
};

/* The tasks of a group by the values of an attribute, kept current while they are in use. */
struct group_spread {
    uint64_t serial; /* Of the table of values; 0: this place is free. */
    uint64_t used_at;
    uint32_t domain;
    uint32_t n; /* Of counts; values beyond have no task. */
    uint32_t *counts;
};

#define GROUP_SPREADS 5 /* As many as a request has strategies. */

struct view_group {
    uint32_t n_tasks; /* On all nodes. */
    uint32_t n_holds; /* The group exists while either is not 0. */
    uint32_t n_name;
    char *name;
    uint64_t hash;
    uint32_t n_spreads; /* Places of `spreads` that were ever used. */
    struct group_spread spreads[GROUP_SPREADS];
};

/* By which amount nodes are ordered first. */
enum view_order_by { ORDER_CPU, ORDER_MEMORY, ORDER_N };

/* The shelves of one zone and one scarcity are an aisle. */
enum { AISLE_N = ZONE_N * (VIEW_SCARCITY_MAX + 1) };

static inline uint8_t aisle_of(const struct view_class *c)
{
    return (uint8_t)(c->scarcity * ZONE_N + c->zone);
}

/* Where a node is in an order: on the shelf of this aisle and these GPUs, under view_hot.keys. */
struct view_position {
    uint8_t aisle;
    uint8_t gpu;
    bool on;    /* On that shelf. */
    bool noted; /* It changed since. */
};

/* What every placement looks at and changes: one cache line a node. */
struct view_hot {
    struct view_free free;
    struct id id;
    uint32_t class;
    bool used;
    bool agent_connected;
    uint8_t status;
    bool has_gpus;
    uint64_t keys[ORDER_N];
    struct view_position at[ORDER_N];
};
_Static_assert(sizeof(struct view_hot) == 64, "one cache line");

#define CROWD_FEW 13u

/* How many tasks of which groups are on a node, searched from the start: two cache lines that every
 * task changes. */
struct view_crowd {
    uint32_t n; /* Groups. */
    uint32_t cap;
    uint32_t *more; /* All groups, then all counts, cap of each, once they are more; else NULL. */
    uint32_t groups[CROWD_FEW];
    uint32_t counts[CROWD_FEW];
    uint32_t owner; /* Of the node; here because every placement tells it. */
};
_Static_assert(sizeof(struct view_crowd) == 128, "two cache lines");

/* The rest of a node. */
struct view_slot {
    uint32_t cpu; /* Capacity. */
    uint32_t memory_mib;
    uint32_t gpus;
    uint64_t registered_at_ms;
    char *ec2_instance_id;
    uint32_t n_ec2_instance_id;
    uint16_t dynamic_first;
    uint16_t dynamic_last;
    uint16_t cursor[VIEW_PROTO_N]; /* Where the search for a dynamic port starts. */
    struct portset held[VIEW_PROTO_N];
    struct portset reserved[VIEW_PROTO_N];
};

struct view_reservation {
    uint32_t slot; /* VIEW_NONE: its node is gone. */
    uint32_t cpu;
    uint32_t memory_mib;
    uint32_t gpus;
    uint32_t group;
    uint32_t n_tasks; /* 1 where there are ports. */
    uint32_t n_ports;
    struct view_port *ports;
};

enum verdict { VERDICT_UNKNOWN, VERDICT_YES, VERDICT_NO };

/* A compiled constraint and, when it depends on attributes alone, what it says of each class. */
struct view_query {
    struct query *query;
    char *text;
    uint32_t n_text;
    uint64_t hash;
    uint64_t used_at; /* view->clock of the last use. */
    uint32_t cap;     /* Of verdicts. */
    uint8_t *verdicts;
};

#define DOMAIN_UNKNOWN (UINT32_MAX - 1)

struct domain_value {
    char *text;
    uint32_t n;
    uint64_t hash;
};

/* The values of one attribute, numbered; and the number of each class's value. */
struct view_domain {
    char *name;
    uint32_t n_name;
    uint64_t serial; /* Never used before. */
    uint64_t used_at;
    uint64_t epoch; /* view->class_epoch when all classes were looked up. */
    uint32_t n_values;
    uint32_t n_classes; /* Of of_class. */
    uint32_t *of_class; /* DOMAIN_UNKNOWN until it is looked up. */
    uint32_t cap_values;
    struct domain_value *values;
    struct map by_value;
};

/* Shelves by GPUs: nodes that have none; nodes with 0, 1, ... 15 free; with more. */
enum { GPU_NODE_WITHOUT, GPU_NODE_0, GPU_MANY = GPU_NODE_0 + 16, GPU_N };

struct aisle {
    struct shelf shelves[GPU_N];
};

struct view_order {
    bool used;                     /* Somebody asked for it. */
    struct aisle *aisles[AISLE_N]; /* NULL until needed. */
    uint32_t n_noted;
    uint32_t *noted;  /* Room for all slots. */
    uint64_t n_moves; /* Nodes put elsewhere so far: positions found before are stale. */
};

struct view {
    const struct mem *mem;
    uint32_t n_slots;
    uint32_t cap_slots;
    uint32_t n_nodes;
    uint32_t n_gpu_nodes;
    uint64_t total_cpu; /* Capacity of all nodes. */
    uint64_t total_memory_mib;
    struct view_slot *slots;
    /* Likewise by slot; on boundaries of cache lines within their blocks. */
    struct view_hot *hot;
    void *hot_block;
    struct view_crowd *crowds;
    void *crowd_block;
    uint32_t *free_slots;
    uint32_t n_free_slots;
    struct map by_id;
    struct view_order orders[ORDER_N];
    struct shelf_env env;  /* Of the shelves. */
    uint64_t n_changes;    /* Of free amounts and states of nodes. */
    uint32_t last_changed; /* The slot of the last one. */
    uint64_t epoch;        /* Counts what makes a prepared request stale. */

    struct view_zone zones[ZONE_N];
    uint8_t scarcity_max; /* No class has more. */
    uint64_t class_epoch; /* Counts new classes. */
    struct view_class *classes;
    uint32_t n_classes; /* Numbers given out, free ones included. */
    uint32_t cap_classes;
    uint32_t *free_classes;
    uint32_t n_free_classes;
    struct map by_bytes;

    struct view_group *groups;
    uint32_t n_groups;
    uint32_t cap_groups;
    uint32_t *free_groups;
    uint32_t n_free_groups;
    uint32_t found_group; /* The last one: tasks of a group come one behind the other. */
    struct map by_name;

    struct view_reservation *reservations;
    uint32_t n_reservations;
    uint32_t cap_reservations;
    uint64_t n_settled; /* Number of the first one still here. */

    uint64_t clock; /* Counts uses of the caches below; decides nothing but evictions. */
    struct view_query *queries;
    uint32_t n_queries;
    uint32_t cap_queries;
    struct map query_by_text;
    struct view_domain *domains;
    uint32_t n_domains;
    uint32_t cap_domains;
};

/* --- view.c ----------------------------------------------------------------------------------- */

/* Grow an array of n elements of `size` to hold at least one more; new ones are zeroed. */
void *view_grow(const struct mem *mem, void *array, uint32_t n, uint32_t *cap, size_t size);

uint64_t view_id_hash(struct id id);

/* Room for so many nodes in every array indexed by slot. */
void view_slots_reserve(struct view *v, uint32_t cap);

static inline bool view_available(const struct view_hot *h)
{
    return h->used && h->status == VIEW_ACTIVE && h->agent_connected;
}

/* Account for n equal tasks more or less; group may be NO_GROUP. */
void view_book(struct view *v, uint32_t slot, const struct view_take *take, uint32_t group,
               uint32_t n);
void view_unbook(struct view *v, uint32_t slot, const struct view_take *take, uint32_t group,
                 uint32_t n);

/* The port that stands in the way of [first, first + count), or PORT_NONE. */
uint16_t view_port_conflict(const struct view_slot *s, unsigned proto, uint16_t first,
                            uint32_t count);

/* What a query asks about a node. */
struct view_subject {
    const struct view *view;
    uint32_t slot;
};
void view_query_node(struct view_subject *subject, struct query_node *ret);

/* --- view_class.c ----------------------------------------------------------------------------- */

/* The class of a node's attributes and agent version, counted; ERR_INVALID leaves all as it was. */
int view_class_get(struct view *v, const struct view_node *node, uint32_t *ret, struct err *err);
void view_class_put(struct view *v, uint32_t class);

/* The value of an attribute of the class; false when it lacks it. */
bool view_class_attribute(const struct view_class *c, struct str name, struct str *ret_value);
struct str view_class_version(const struct view_class *c);
void view_classes_close(struct view *v);

/* --- view_group.c ----------------------------------------------------------------------------- */

uint32_t view_group_find(const struct view *v, struct str name); /* Or NO_GROUP. */

/* Find or make the group and keep it until view_group_release(). Empty names give NO_GROUP. */
uint32_t view_group_hold(struct view *v, struct str name);
void view_group_release(struct view *v, uint32_t group);

uint32_t view_group_count(const struct view *v, uint32_t group, uint32_t slot);

/* The groups of a node, crowd->n of them. */
static inline const uint32_t *view_crowd_groups(const struct view_crowd *c)
{
    return c->more == NULL ? c->groups : c->more;
}
void view_crowd_close(struct view *v, struct view_crowd *c);

/* Add delta (+1, -1, or minus all) to the count of a group on a node. */
void view_group_change(struct view *v, uint32_t group, uint32_t slot, int32_t delta);

/* The tasks of a group by value of an attribute; stays current, and valid until GROUP_SPREADS
 * others have been asked for. */
const struct group_spread *view_group_spread(struct view *v, uint32_t group, uint32_t domain);

/* A node with tasks of the group changes its attributes. */
void view_group_forget(struct view *v, uint32_t group);
void view_groups_close(struct view *v);

/* --- view_index.c ----------------------------------------------------------------------------- */

/* The number for the zone of a class, counted. */
uint8_t view_zone_get(struct view *v, const struct view_class *c);
void view_zone_put(struct view *v, uint8_t zone);

/* A node changed. */
static inline void view_index_note(struct view *v, uint32_t slot)
{
    struct view_hot *h = &v->hot[slot];
    v->n_changes++;
    v->last_changed = slot;
    for (int by = 0; by < ORDER_N; by++) {
        struct view_order *o = &v->orders[by];
        if (o->used && !h->at[by].noted) {
            h->at[by].noted = true;
            o->noted[o->n_noted++] = slot;
        }
    }
}

/* Room for more slots; a node is about to go. */
void view_index_grow(struct view *v, uint32_t old_cap);
void view_index_forget(struct view *v, uint32_t slot);

/* The key of a node as it is now. */
static inline uint64_t view_index_key(const struct view_hot *h, enum view_order_by by)
{
    uint64_t cpu = (uint32_t)h->free.cpu;
    uint64_t memory = (uint32_t)h->free.memory_mib;
    return by == ORDER_CPU ? cpu << 32 | memory : memory << 32 | cpu;
}

/* The order, brought up to date; valid until the view changes. */
const struct view_order *view_index_get(struct view *v, enum view_order_by by);
void view_index_open(struct view *v);
bool view_index_audit(const struct view *v);
void view_index_close(struct view *v);

/* --- view_cache.c ----------------------------------------------------------------------------- */

/* The number of the compiled constraint; valid until VIEW_QUERIES_MAX others have been asked for.
 */
int view_query_get(struct view *v, struct str text, uint32_t *ret, struct err *err);

/* Does it select the node in this slot? */
bool view_query_selects(struct view *v, uint32_t query, uint32_t slot);

/* Does it depend on attributes alone? */
bool view_query_is_static(const struct view *v, uint32_t query);

/* The number of an attribute's table of values, which knows all classes; valid until
 * VIEW_DOMAINS_MAX others have been asked for. */
uint32_t view_domain_get(struct view *v, struct str attribute);

/* The number of the value that nodes of a class have, or NO_DOMAIN. */
uint32_t view_domain_of(struct view *v, uint32_t domain, uint32_t class);

/* A class number was given out anew: forget what was known about it. */
void view_caches_forget(struct view *v, uint32_t class);
void view_caches_close(struct view *v);

#endif
