/* controller/core/placement/place.h
 *
 * Which node gets a task. place() is a pure function of view and request: it changes nothing,
 * takes no time or chance from outside, and answers the same whatever the order in which nodes
 * were added. It is exact: no sampling, the best node is the best of all, and a refusal means that
 * no node has room. The caller books what it keeps with place_reserve().
 *
 * A node is *feasible* when it is ACTIVE with a connected agent, is not excluded, has the required
 * attributes, satisfies every constraint and has cpu, memory, gpus and ports left. Among feasible
 * nodes the strategies decide in their order, each breaking the ties of those before it:
 *
 *   binpack cpu|memory   least of it left
 *   spread instanceId    fewest tasks of the group on the node
 *   spread attribute:X   fewest tasks of the group on all nodes with the same X; nodes without X
 *                        come last
 *   random               by the seed
 *
 * and then, with or without strategies: nodes without GPUs before nodes with (when the task needs
 * none), least scarce (see place_set_scarcity()), fewest GPUs left, least memory left, least cpu
 * left, lowest node id. Memory comes first for all tasks alike: one order for all packs better than
 * for each task the dimension of which it takes the larger share (measured, see
 * docs/architecture.md), and is half the work.
 *
 * n_replicas identical tasks give each node as many as that many single calls do with each result
 * reserved before the next (seeds counted up by one). Pure; one thread at a time per view. */
#ifndef CONTROLLER_CORE_PLACEMENT_PLACE_H
#define CONTROLLER_CORE_PLACEMENT_PLACE_H

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/err.h"
#include "controller/core/placement/view.h"

#define PLACE_CONSTRAINTS_MAX  21 /* Of service and task definition, and one for providers. */
#define PLACE_STRATEGIES_MAX   5
#define PLACE_PORTS_MAX        200 /* Port entries of one task. */
#define PLACE_REPLICAS_MAX     10000
#define PLACE_PER_INSTANCE_MAX 10000
#define PLACE_EXPLAIN_MAX      1000 /* Nodes explained one by one. */

enum place_strategy_kind {
    PLACE_BINPACK_CPU,
    PLACE_BINPACK_MEMORY,
    PLACE_SPREAD_NODE,      /* instanceId, host */
    PLACE_SPREAD_ATTRIBUTE, /* attribute:X */
    PLACE_RANDOM,
};

struct place_strategy {
    enum place_strategy_kind kind;
    struct str attribute; /* X; borrowed from the text it was read from. */
};

enum place_constraint_kind { PLACE_DISTINCT_INSTANCE, PLACE_MEMBER_OF, PLACE_MAX_PER_INSTANCE };

struct place_constraint {
    enum place_constraint_kind kind;
    struct str expression; /* memberOf */
    uint32_t most;         /* maxPerInstance: tasks of the group on one node; > 0. */
};

/* Read the API's words: type "binpack", field "memory". Field names are taken as the API documents
 * them, the type in any case. ERR_INVALID names what is wrong. */
int place_strategy_read(struct str type, struct str field, struct place_strategy *ret,
                        struct err *err);

/* type "distinctInstance", "memberOf" with an expression, which is parsed to see that it is one, or
 * our own "maxPerInstance" with a number from 1 to PLACE_PER_INSTANCE_MAX as expression. mem is
 * for scratch. */
int place_constraint_read(const struct mem *mem, struct str type, struct str expression,
                          struct place_constraint *ret, struct err *err);

/* An attribute the node must have, as in a task definition's requiresAttributes. */
struct place_attribute {
    struct str name;
    struct str value;
    bool any_value; /* The name is enough. */
};

/* One host port, or a range of them. */
struct place_port {
    uint16_t host_port; /* First port; 0: dynamic, any from the node's range. */
    uint16_t count;     /* > 0; a dynamic range is contiguous. */
    uint8_t proto;      /* enum view_proto */
};

/* Zero every field that is not used. All pointers are borrowed for the call. */
struct place_request {
    struct str group;    /* Counted by spread, distinctInstance and maxPerInstance, which do nothing
                            when it is empty. */
    uint32_t cpu;        /* What each replica takes of a node; memory_mib is the reservation */
    uint32_t memory_mib; /* where there is one, else the limit. */
    uint32_t gpus;
    uint32_t n_replicas;            /* 0 is taken as 1. */
    const struct place_port *ports; /* Only those that need a port of the node. */
    uint32_t n_ports;
    const struct place_attribute *attributes;
    uint32_t n_attributes;
    const struct place_constraint *constraints;
    uint32_t n_constraints;
    const struct place_strategy *strategies;
    uint32_t n_strategies;
    const uint32_t *only; /* Slots to choose from (StartTask); NULL: all nodes. */
    uint32_t n_only;
    const uint32_t *exclude; /* Slots that are out of the question. */
    uint32_t n_exclude;
    uint64_t seed;        /* For `random`. */
    uint32_t explain_max; /* How many nodes a refusal explains one by one; 0: sums only. */
    bool no_reasons;      /* Skip the reasons of a refusal: they cost a look at every node. */
};

/* Why a node is not feasible: the first of these that holds, in this order. */
enum place_reason {
    PLACE_OK,
    PLACE_EXCLUDED, /* Not in `only`, or in `exclude`. */
    PLACE_INACTIVE,
    PLACE_DRAINING,
    PLACE_AGENT,     /* Not connected. */
    PLACE_ATTRIBUTE, /* which: index into request->attributes. */
    PLACE_MEMBER,    /* which: index into request->constraints. */
    PLACE_DISTINCT,  /* A task of the group is there already; needed: as many as may be. */
    PLACE_CPU,       /* needed, available. */
    PLACE_MEMORY,    /* needed, available. */
    PLACE_GPU,       /* needed, available. */
    PLACE_PORT,      /* which: index into request->ports; port: the one in use, 0 when dynamic. */
    PLACE_REASON_N
};

struct place_why {
    enum place_reason reason;
    uint32_t slot;
    uint32_t which;
    uint32_t needed;
    int32_t available; /* Negative on a node that shrank below its tasks. */
    uint16_t port;
};

/* Some of the replicas: equal ones on one node. */
struct place_run {
    uint32_t slot;
    uint32_t owner;             /* Of the node, as given to view_node_add(). */
    uint32_t count;             /* > 0; 1 when the request has ports. */
    const uint16_t *host_ports; /* request->n_ports first ports, static ones included. */
};

/* Allocated from the arena given to place(). */
struct placement {
    uint32_t n_placed;      /* <= n_replicas: the counts of all runs. */
    uint32_t n_runs;        /* In the order in which their first replicas were chosen; a node may */
    struct place_run *runs; /* have several. */
    /* Filled when n_placed < n_replicas, unless no_reasons: the state after those that were placed.
     */
    uint32_t refused[PLACE_REASON_N]; /* Nodes by reason. */
    struct place_why closest; /* The node that came nearest: latest reason, then least missing,
                                 then lowest id; slot VIEW_NONE when there are no nodes. */
    struct place_why *why;    /* n_why <= explain_max nodes, nearest first. */
    uint32_t n_why;
};

/* Choose. 0, also when nothing or not all could be placed (see n_placed); ERR_INVALID or ERR_PARSE
 * when the request is wrong (an expression, a port twice, a limit). The view is left as it was; it
 * is not const because it keeps compiled constraints. */
int place(struct view *v, const struct place_request *request, struct placement *ret,
          struct arena *arena, struct err *err);

/* A request made ready once, to be placed again and again: names are looked up and constraints
 * compiled beforehand, and where only its own last choice was taken since, the search goes on where
 * it ended. Everything the request points to stays alive, unchanged, until place_release(), which
 * comes before view_close(). Errors as place(). */
struct place_ready;
int place_prepare(struct view *v, const struct place_request *request, struct place_ready **ret,
                  struct err *err);
void place_release(struct place_ready *ready); /* NULL is fine. */

/* place() with other values for n_replicas and seed. */
int place_again(struct place_ready *ready, uint32_t n_replicas, uint64_t seed,
                struct placement *ret, struct arena *arena, struct err *err);

/* What one task of a ready request without ports takes: for view_take_n() and view_give_n(). */
struct view_take place_ready_take(const struct place_ready *ready);

/* Tasks that are wanted, whether they run already or not. */
struct place_demand {
    const struct place_request *request;
    uint64_t n_tasks;
};

/* Nodes that few others can stand in for are spared: for each demand that has attributes or
 * constraints (of attributes) which not all nodes satisfy, the share of their GPUs or memory that
 * it wants is added up by class of node. Requests that cannot be read do not count. From now on. */
void place_set_scarcity(struct view *v, const struct place_demand *demands, uint32_t n,
                        struct arena *arena);

/* Reserve what place() chose, in order. `placement` must come from this request and view, with
 * nothing changed in between. */
void place_reserve(struct view *v, const struct place_request *request,
                   const struct placement *placement, struct arena *arena);

/* What a replica of the run will hold, for view_take(); ports are from the arena. */
struct view_take place_take(const struct place_request *request, const struct place_run *run,
                            struct arena *arena);

/* Why the node is not feasible for one replica, or PLACE_OK. Errors as place(). */
int place_explain(struct view *v, const struct place_request *request, uint32_t slot,
                  struct place_why *ret, struct arena *arena, struct err *err);

/* "RESOURCE:CPU", "AGENT", "MemberOf placement constraint unsatisfied.", ...: the reason of a
 * RunTask failure. Never NULL. */
const char *place_reason_code(enum place_reason reason);

/* With the figures: "needs 512 CPU units, 256 are available". */
void place_why_text(const struct place_request *request, const struct place_why *why,
                    struct buf *to);

/* The end of the service event "was unable to place a task because ...": "no container instance met
 * all of its requirements. The closest matching (container-instance ID) has insufficient CPU units
 * available." */
void place_event_text(const struct view *v, const struct placement *placement, struct buf *to);

/* --- scale-in --------------------------------------------------------------------------------- */

struct place_task {
    uint32_t slot; /* VIEW_NONE when it has no node; such tasks go first. */
    uint64_t created_at_ms;
    struct id id;
};

/* Which n_stop of a group's tasks to stop, most dispensable first: indexes into tasks, in ret.
 * `request` is what the tasks were placed with. By the strategies in order: spread stops where most
 * of the given tasks are, binpack where most is left after the stop, random by the seed; then the
 * newest, then the highest id. Each choice counts for the next. n_stop <= n_tasks. Errors as
 * place(). */
int place_scale_in(struct view *v, const struct place_request *request,
                   const struct place_task *tasks, uint32_t n_tasks, uint32_t n_stop, uint32_t *ret,
                   struct arena *arena, struct err *err);

#endif
