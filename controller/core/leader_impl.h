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
    uint32_t n_draining; /* Nodes of the view that are DRAINING. */
    bool unweighed;      /* Choosy services or nodes changed since scarcity was known. */
    struct list daemons; /* leader_service.in_daemons. */
    struct list stuck;   /* leader_service.in_stuck: those that found no room for a task. */
    struct list holders; /* leader_holds.in_cluster: those that keep room. */
    struct list runs;    /* leader_run_wait.in_cluster, oldest first. */
    uint32_t n_tasks[PRIORITY_MAX + 1]; /* That are to run, in the view, by priority. */
    struct list reserved;               /* In leader.reserved while the view holds reservations. */
};

/* Room that is kept on nodes for tasks that will come there: it is taken in the view and nowhere
 * else, so that nobody else is placed there. Worked out anew whenever their owner is looked at. */
#define LEADER_FIRM UINT8_MAX

struct leader_hold {
    uint32_t view_slot;
    struct view_take take; /* Without ports; its group is that of the holds. */
};

struct leader_holds {
    struct list in_cluster;
    uint32_t service; /* To be looked at again when others get the room; SLOT_NONE: a RunTask's. */
    uint8_t priority; /* Of those tasks; LEADER_FIRM: nobody's is higher. */
    struct leader_hold *v;
    uint32_t n;
    uint32_t cap;
    uint32_t group; /* Open in the view while there are any. */
};

/* A RunTask that had tasks stopped and is to be sent again. */
struct leader_run_wait {
    struct list in_cluster;
    uint64_t key; /* What it asked for. */
    int64_t until;
    struct leader_holds holds;
};

struct leader_service {
    uint32_t slot;
    uint32_t cluster;
    struct leader_holds holds;
    bool dirty;
    bool busy;        /* A plan for it, or that stops tasks of it, is in flight: decide nothing. */
    int64_t tried_at; /* When it last found no room. */
    bool disrupted;   /* Has tasks on nodes that fell silent together; to be said once. */
    bool planned;     /* Its last plan was to start tasks, at planned_at, */
    int64_t planned_at;
    uint32_t n_active; /* when it had so many. */
    struct list queue; /* In leader.dirty, leader.dirty_daemons or leader.busy. */
    bool daemon;
    bool choosy; /* When last looked at. */
    struct list in_daemons;
    struct list in_stuck;
    struct heap_node timer; /* In leader.timers: when to look again. */
};

/* What tasks hold of a node, by how easily they go: those that are being stopped, then by
 * priority. */
#define LEADER_BANDS 9

static inline uint32_t leader_band_of(uint8_t priority)
{
    return 1 + priority * (LEADER_BANDS - 1u) / (PRIORITY_MAX + 1u);
}

struct leader_band {
    uint32_t cpu;
    uint32_t memory;
    uint32_t gpus;
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
    struct list queue;      /* In leader.busy_nodes. */
    struct list in_cleared; /* In leader.cleared: tasks of it are stopped by a plan in flight. */
    struct leader_band bands[LEADER_BANDS];
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
    uint8_t *taken; /* By task slot: 0, or the view knows the task, in band taken - 1. */
    uint32_t n_taken;
    struct list dirty; /* Services, in the order in which they became so. DAEMONs have their own: */
    struct list dirty_daemons; /* they come first, so that their nodes have room for them. */
    struct list busy;
    struct list busy_nodes;
    struct list cleared;        /* Nodes. */
    uint32_t n_runs;            /* leader_run_wait of all clusters. */
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

/* Look at it again when what is in flight has come back, and not before. */
void leader_wait(struct leader *l, struct leader_service *v);

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

/* Before anything is placed: which nodes are scarce follows from nodes, and from services that not
 * every node can run. */
bool leader_is_choosy(const struct leader *l, const struct service *v);
void leader_view_weigh(struct leader *l, struct leader_cluster *c);

/* There may be room for services that found none. */
enum leader_wake {
    LEADER_WAKE_SOON, /* LEADER_STUCK_MS after their last look: not at every single task. */
    LEADER_WAKE_HELD, /* Those that had room made now, others so. */
    LEADER_WAKE_NOW,
};
void leader_wake_stuck(struct leader *l, struct leader_cluster *c, enum leader_wake when);

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
    const struct provider_share *providers;
    uint32_t n_providers;
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

/* The priority that constraints ask for; as rows have it (0: the default); that of a task. */
uint8_t leader_priority(const struct constraint *constraints, uint32_t n);
uint8_t leader_priority_row(uint8_t priority);
uint8_t leader_priority_of(const struct task *t);

/* Copies that live in the arena. */
struct str leader_copy(struct str text, struct arena *arena);
struct tags leader_copy_tags(struct tags tags, struct arena *arena);

/* What the tasks of a service are tagged with: propagated tags, then managed ones. */
struct tags leader_service_tags(const struct leader *l, const struct service *v,
                                struct arena *arena);

/* --- leader_hold.c: room that is kept ------------------------------------------------------------
 */

void leader_holds_init(struct leader_holds *h, uint32_t service, uint8_t priority);

/* Keep room for one task of the request on a node. */
void leader_hold(struct leader *l, struct leader_cluster *c, struct leader_holds *h,
                 const struct place_request *request, uint32_t view_slot);

/* Give up all of it. */
void leader_holds_release(struct leader *l, struct leader_cluster *c, struct leader_holds *h);

/* What is kept for tasks of lower priority is given up: those of this priority are to be placed. */
void leader_holds_yield(struct leader *l, struct leader_cluster *c, uint8_t priority);

/* Nothing is kept on the node any more. */
void leader_holds_leave(struct leader_cluster *c, uint32_t view_slot);

/* The wait of a RunTask: made with its room kept until then, or the one there is (NULL: none),
 * closed. leader_runs_expire() gives up those that were not sent again. */
struct leader_run_wait *leader_run_wait(struct leader *l, struct leader_cluster *c, uint64_t key,
                                        uint8_t priority, int64_t until);
struct leader_run_wait *leader_run_waiting(const struct leader_cluster *c, uint64_t key);
void leader_run_done(struct leader *l, struct leader_cluster *c, struct leader_run_wait *w);
void leader_runs_expire(struct leader *l, struct leader_cluster *c, int64_t now_ms);

/* --- leader_preempt.c ----------------------------------------------------------------------------
 */

struct leader_victims {
    uint32_t *tasks; /* Slots, in the arena. */
    uint32_t n;
    uint32_t n_rooms; /* Tasks of the request for which there will be room, */
    uint32_t node;    /* first on this node, a slot of the store. */
};

/* Is there anything of lower priority? */
bool leader_may_preempt(const struct leader_cluster *c, uint8_t priority);

/* Choose tasks of lower priority, at most max, whose end makes room for up to n tasks of the
 * request, and hold that room. Nodes where enough tasks stop already, of lower priority or of the
 * same group, come first. */
void leader_preempt(struct leader *l, struct leader_cluster *c, const struct place_request *request,
                    uint8_t priority, uint32_t n, uint32_t max, struct leader_holds *holds,
                    struct leader_victims *ret, struct arena *arena);

/* --- recon_provider.c: capacity providers --------------------------------------------------------
 */

/* The provider a node belongs to; empty when to none. */
struct str leader_provider(const struct node *node);

/* Only nodes of the provider will do, or of any provider of the strategy. */
void leader_require_provider(struct place_request *r, struct str provider, struct arena *arena);
struct place_constraint leader_any_provider(const struct provider_share *shares, uint32_t n_shares,
                                            struct arena *arena);

/* How many of n tasks each provider gets, given what each has (NULL: nothing); see split_more(). */
uint32_t leader_split(const struct provider_share *shares, uint32_t n_shares, uint32_t n,
                      const uint32_t *have, uint32_t *ret);

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
    bool more;          /* The budget was not enough: look again after this plan. */
    bool complained;    /* About lack of room, in this plan. */
    uint32_t n_coming;  /* Tasks for which room is being made, */
    uint32_t n_victims; /* by so many of the stops. */
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

/* recon_provider.c, for services with a capacity provider strategy. The position of the task's
 * provider in it; n_providers for a node of none of them. */
uint32_t recon_provider_of(const struct leader_plan *p, const struct task *t);

/* How many of n further tasks each provider gets; returns how many they get together. */
uint32_t recon_provider_more(const struct leader_plan *p, uint32_t n, uint32_t *ret);

/* How many of n tasks to stop each provider loses, when it has so many of which only those `there`
 * may be stopped. The arrays have n_providers + 1 elements, the last for tasks of none of them. */
void recon_provider_fewer(const struct leader_plan *p, const uint32_t *have, const uint32_t *there,
                          uint32_t n, uint32_t *ret);

/* recon_replica.c, recon_daemon.c: the two ways of scheduling. */
void recon_replica(struct leader_plan *p);
void recon_daemon(struct leader_plan *p);

/* recon_event.c: events of the service, in ECS's words, unless it has said the same lately. */
void recon_event_started(struct leader_plan *p, uint32_t from_task);
void recon_event_stopped(struct leader_plan *p);
void recon_event_not_placed(struct leader_plan *p, const char *because);
void recon_event_inconsistent(struct leader_plan *p);
void recon_event_preempts(struct leader_plan *p);
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
