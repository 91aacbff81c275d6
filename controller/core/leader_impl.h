/* controller/core/leader_impl.h
 *
 * The inside of struct leader, shared by leader*.c and recon_*.c alone. */
#ifndef CONTROLLER_CORE_LEADER_IMPL_H
#define CONTROLLER_CORE_LEADER_IMPL_H

#include "common/base/heap.h"
#include "common/base/list.h"
#include "controller/core/leader.h"
#include "controller/core/limits.h"
#include "controller/core/placement/place.h"
#include "controller/core/table.h"

#define LEADER_STUCK_MS  1000 /* A service that found no room looks again no sooner, */
#define LEADER_RETRY_MS  1000 /* Likewise one whose plan came to nothing, */
#define LEADER_GC_MS     1000 /* and so does the collection of what is old. */
#define LEADER_LOOK_MS   1000 /* A node that is due and not given up is looked at again. */
#define LEADER_NOTES_MAX 16   /* Entries about the service in one plan. */

/* What the leader keeps for each cluster, service and node, by the slot of its row. Rows of tables
 * never move, so lists and heaps may hold on to them. */
struct leader_cluster {
    uint32_t slot;
    struct view *view;
    uint32_t n_draining;  /* Nodes of the view that are DRAINING. */
    bool unweighed;       /* Services or nodes changed since scarcity was worked out. */
    struct list daemons;  /* leader_service.in_daemons. */
    struct list stuck;    /* leader_service.in_stuck: those that found no room for a task. */
    struct list reserved; /* In leader.reserved while the view holds reservations. */
};

struct leader_service {
    uint32_t slot;
    uint32_t cluster;
    bool dirty;
    bool busy;        /* A plan for it is in flight: decide nothing until it was settled. */
    int64_t tried_at; /* When it last found no room. */
    bool disrupted;   /* Has tasks on nodes that fell silent together; to be said once. */
    bool planned;     /* Its last plan was to start tasks, at planned_at, */
    int64_t planned_at;
    uint32_t n_active; /* when it had so many. */
    struct list queue; /* In leader.dirty, leader.dirty_daemons or leader.busy. */
    bool daemon;
    struct list in_daemons;
    struct list in_stuck;
    struct heap_node timer; /* In leader.timers: when to look again. */
};

struct leader_node {
    uint32_t slot;
    uint32_t cluster;
    uint32_t view_slot; /* VIEW_NONE: not in the view. */
    bool draining;      /* Counted in the cluster's n_draining. */
    bool connected;
    bool busy;        /* Given up, in flight. */
    uint64_t session; /* As last seen. */
    int64_t heard_at;
    struct list queue;         /* In leader.busy_nodes. */
    struct heap_node deadline; /* In leader.silence. */
};

#define LEADER_BUILT UINT32_MAX

struct leader {
    const struct mem *mem;
    const struct store *store;
    struct leader_settings settings;
    leader_managed_tags managed_tags; /* May be NULL. */
    int64_t judge_at;                 /* No node is given up before. */
    int64_t seen_at;                  /* The latest time it was told. */
    uint64_t n_passes; /* Makes the ids of tasks differ between passes on the same state. */
    uint32_t built;    /* Tasks before this slot are in the views; LEADER_BUILT: all. */
    struct table clusters;
    struct table services;
    struct table nodes;
    uint8_t *taken; /* By task slot: the view knows the task. */
    uint32_t n_taken;
    struct list dirty; /* Services, in the order in which they became so. DAEMONs have their own: */
    struct list dirty_daemons; /* they come first, so that their nodes have room for them. */
    struct list busy;
    struct list busy_nodes;
    struct list reserved;       /* Clusters. */
    struct heap timers;         /* leader_service.timer, by time. */
    struct heap silence;        /* leader_node.deadline, by time. */
    struct arena scratch;       /* For one change at a time. */
    struct leader_nodes census; /* Of the nodes, ... */
    int64_t census_at;          /* ... taken then. */
    int64_t give_up_after;      /* LEADER_LOSS_MANY: none before this. */
    bool heard;                 /* Any node, during this leadership. */
    bool handover;              /* To be taken. */
    bool handed_over;           /* Was taken. */
    bool gc_busy;
    int64_t gc_after; /* No collection before this. */
};

/* --- leader.c -----------------------------------------------------------------------------------
 */

static inline struct leader_cluster *leader_cluster_at(const struct leader *l, uint32_t slot)
{
    return table_row(&l->clusters, slot);
}

static inline struct leader_service *leader_service_at(const struct leader *l, uint32_t slot)
{
    return table_row(&l->services, slot);
}

static inline struct leader_node *leader_node_at(const struct leader *l, uint32_t slot)
{
    return table_row(&l->nodes, slot);
}

/* The service is to be looked at in the next pass; nothing happens for slots without one. */
void leader_mark(struct leader *l, uint32_t service);

/* Look at the service again at this time. */
void leader_wake_at(struct leader *l, struct leader_service *v, int64_t at_ms);

/* --- leader_view.c: feeding the views ------------------------------------------------------------
 */

struct leader_cluster *leader_cluster_get(struct leader *l, uint32_t slot); /* Made if needed. */
void leader_view_cluster(struct leader *l, uint32_t slot);
void leader_view_node(struct leader *l, uint32_t slot, int64_t now_ms);
void leader_view_task(struct leader *l, uint32_t slot);

/* What a task holds of its node, a node as views see it (without owner); both in the arena. */
struct view_take leader_take(const struct task *t, struct arena *arena);
struct view_node leader_describe(const struct node *node, struct arena *arena);

/* Drop the reservations of one view, of all views. */
void leader_view_settle(struct leader *l, struct leader_cluster *c);
void leader_view_settle_all(struct leader *l);

/* Before anything is placed: which nodes are scarce follows from services and nodes. */
void leader_view_weigh(struct leader *l, struct leader_cluster *c);

/* The view now holds reservations. */
void leader_view_reserved(struct leader *l, struct leader_cluster *c);

/* --- leader_request.c: from definitions to placement requests and back to plans ------------------
 */

/* Constraints and strategies of the placement request are those given besides the definition's. */
struct leader_demand {
    const struct taskdef *def;
    struct str group;
    uint32_t cpu;
    uint32_t memory;
    uint32_t gpus;
    uint32_t count;
    const struct constraint *constraints;
    uint32_t n_constraints;
    const struct strategy *strategies;
    uint32_t n_strategies;
    uint64_t seed;
};

/* ERR_INVALID when a strategy does not read. */
int leader_request(const struct leader_demand *d, struct place_request *ret, struct arena *arena,
                   struct err *err);

/* The same for RunTask and StartTask. */
int leader_run_request(const struct leader *l, const struct run_request *q,
                       struct place_request *ret, struct arena *arena, struct err *err);

/* The same for the tasks of a service. */
int leader_service_request(const struct leader *l, const struct service *v, uint32_t count,
                           struct place_request *ret, struct arena *arena, struct err *err);

/* Give the item the node and the bindings of a replica of the run. */
void leader_bind(const struct taskdef *def, const struct place_run *run, struct plan_task *item,
                 struct arena *arena);

/* Copies that live in the arena. */
struct str leader_copy(struct str text, struct arena *arena);
struct tags leader_copy_tags(struct tags tags, struct arena *arena);

/* What the tasks of a service are tagged with: propagated tags, then managed ones. */
struct tags leader_service_tags(const struct leader *l, const struct service *v,
                                struct arena *arena);

/* --- one pass ------------------------------------------------------------------------------------
 */

struct leader_pass {
    struct leader *l;
    int64_t now;
    struct arena *arena;
    uint64_t seed;
    uint64_t n_ids;
    uint32_t budget; /* Tasks that may still be created or stopped. */
};

/* A plan for one service under construction. */
struct leader_plan {
    struct leader_pass *pass;
    uint32_t slot;
    const struct service *service;
    struct cmd_plan cmd;
    uint32_t cap_tasks;
    uint32_t cap_stops;
    bool more;       /* The budget was not enough: look again after this plan. */
    bool complained; /* About lack of room, in this plan. */
};

/* recon_service.c: what is wanted of one service, compared with what is. */
void recon_service(struct leader_plan *p);

/* Stop a task that the service no longer wants. */
void recon_stop(struct leader_plan *p, uint32_t task, const char *why);

/* Place count tasks and add them to the plan. Returns how many did not fail to find room: those the
 * budget puts off count as well. When some failed, the service is remembered as stuck and says
 * so. */
uint32_t recon_start(struct leader_plan *p, uint32_t count);

/* One task on one node (a slot of the view). */
void recon_start_on(struct leader_plan *p, uint32_t view_slot);

/* Starts wait for the back-off of failing ones; when that is over the service is looked at again.
 */
bool recon_may_start(struct leader_plan *p);

/* Is the node of a task on its way out? */
bool recon_on_draining(const struct leader_plan *p, const struct task *t);

/* ceil(desired * percent / 100) and floor(...), the latter not below desired. */
uint32_t recon_min(const struct service *v);
uint32_t recon_max(const struct service *v);

/* Everything is as wanted, or no longer: say so once. */
void recon_settled(struct leader_plan *p, bool settled);

/* recon_replica.c, recon_daemon.c: the two ways of scheduling. */
void recon_replica(struct leader_plan *p);
void recon_daemon(struct leader_plan *p);

/* recon_event.c: events of the service, in ECS's words, unless it has said the same lately. */
void recon_event_started(struct leader_plan *p, uint32_t from_task);
void recon_event_stopped(struct leader_plan *p);
void recon_event_not_placed(struct leader_plan *p, const char *because);
void recon_event_inconsistent(struct leader_plan *p);
void recon_event_steady(struct leader_plan *p);
void recon_event_completed(struct leader_plan *p);
void recon_event_disrupted(struct leader_plan *p);

/* A further entry about the service. */
struct plan_service *recon_note(struct leader_plan *p);

/* recon_node.c: given up after silence, unless too many are silent. True when a command was made.
 */
bool recon_node(struct leader *l, int64_t now_ms, struct command *cmd);

/* While many were silent: are they still? */
void recon_node_recount(struct leader *l, int64_t now_ms);

/* recon_gc.c */
bool recon_gc(struct leader *l, int64_t now_ms, struct command *cmd);
int64_t recon_gc_deadline(const struct leader *l, int64_t now_ms);

#endif
