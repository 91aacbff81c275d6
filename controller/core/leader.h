/* controller/core/leader.h
 *
 * What the leader decides. It keeps the placement view of every cluster and the set of objects that
 * are dirty; each pass compares wanted with actual for a bounded number of them and writes plans.
 * Level-triggered: the same code serves an event, a retry and a new leader, who marks everything
 * dirty. Running a pass twice in a row produces nothing the second time. Pure: time is an argument.
 *
 * Order of use: leader_begin() when this controller becomes the leader (the store is current) and
 * leader_build() until it is done, or leader_open() for both;
 * leader_changed() after every store_apply(); leader_pass() when leader_dirty() or a deadline is
 * due; leader_run() for RunTask/StartTask. Decisions are made on applied state plus the leader's
 * own reservations of what is in flight: leader_settle() drops these when a batch was applied or
 * lost. */
#ifndef CONTROLLER_CORE_LEADER_H
#define CONTROLLER_CORE_LEADER_H

#include "common/base/arena.h"
#include "controller/core/command.h"
#include "controller/core/store.h"

struct leader; /* Opaque. */

struct leader_settings {
    uint32_t lost_after_ms;  /* A silent node is given up after this. */
    uint32_t grace_ms;       /* No node is judged so soon after leader_open(). */
    uint32_t plan_items_max; /* Bound of one pass. */
    uint32_t loss_percent;   /* Guard against mass loss, see leader_nodes(); 0: none. */
};

/* Borrow the store until leader_close(). Builds the placement views; everything is dirty. */
struct leader *leader_open(const struct store *store, const struct leader_settings *settings,
                           int64_t now_ms, const struct mem *mem);

/* The same, but the views do not know the tasks yet: of millions, that takes longer than the other
 * controllers wait for a sign of life. leader_build() shows them up to n more of these, and is true
 * when they know all; before, nothing may be decided. leader_changed() is told of as ever. */
struct leader *leader_begin(const struct store *store, const struct leader_settings *settings,
                            int64_t now_ms, const struct mem *mem);
bool leader_build(struct leader *l, uint32_t n);

void leader_close(struct leader *l);

/* How to tell whether the tasks of a service get managed tags (aws:ecs:...): that is in its
 * specification, which the core does not read. Without it they get none. */
typedef bool (*leader_managed_tags)(const struct service *service);
void leader_set_managed_tags(struct leader *l, leader_managed_tags managed_tags);

/* Tell it what store_apply() changed. */
void leader_changed(struct leader *l, const struct changes *changes);

/* Something to do now? Otherwise *ret_deadline_ms is when there will be (INT64_MAX: never). */
bool leader_dirty(const struct leader *l, int64_t now_ms, int64_t *ret_deadline_ms);

/* One bounded pass. Appends up to *n_max commands (CMD_PLAN, CMD_GC, CMD_NODE_CONNECTION lost) to
 * cmds, made in the arena; returns how many. */
uint32_t leader_pass(struct leader *l, int64_t now_ms, struct command *cmds, uint32_t n_max,
                     struct arena *arena);

/* A node that heartbeats is alive (not in the log); silence is noticed by leader_pass(). */
void leader_heartbeat(struct leader *l, struct id node, int64_t now_ms);

/* --- mass loss ----------------------------------------------------------------------------------
 *
 * When many nodes fall silent at once it is more likely that this controller, or the network
 * between, is ill than that they are: giving all of them up would stop what runs well. A node
 * counts as silent after half of lost_after_ms, so that all those that went together are seen
 * together before the first is due. */

enum leader_loss {
    LEADER_LOSS_FEW, /* Silent nodes are given up when they are due. */
    /* At least three, and more than loss_percent of all: one is given up per lost_after_ms. */
    LEADER_LOSS_MANY,
    LEADER_LOSS_ALL, /* Nobody is heard: none is given up, nowhere would they be replaced. */
};

struct leader_nodes {
    uint8_t loss;      /* enum leader_loss, as of the last pass that had one to judge. */
    uint32_t n_alive;  /* Nodes not given up. */
    uint32_t n_silent; /* Of these. */
};

struct leader_nodes leader_nodes(const struct leader *l);

/* Did this leader hear its nodes and lose all of them? Then another controller may hear them. True
 * once per leadership, so that leadership does not go round while nobody hears anything. */
bool leader_take_handover(struct leader *l);

/* --- RunTask and StartTask ----------------------------------------------------------------------
 */

struct run_request {
    uint32_t cluster; /* Slot, ACTIVE. */
    uint32_t taskdef; /* Slot, ACTIVE. */
    uint32_t count;
    const uint32_t *nodes; /* StartTask: exactly these, one task each; else NULL. */
    uint32_t n_nodes;
    const struct constraint *constraints; /* Besides those of the task definition. */
    uint32_t n_constraints;
    const struct strategy *strategies;
    uint32_t n_strategies;
    const struct provider_share *providers; /* At most LIMIT_CLUSTER_PROVIDERS. */
    uint32_t n_providers;
    struct str group;
    struct str started_by;
    struct str overrides; /* Encoded; cpu and memory below already reflect it. */
    uint32_t cpu;
    uint32_t memory;
    uint32_t gpus;
    uint8_t launch_type;
    struct tags tags;
    struct request_token token;
    uint64_t seed; /* Ids of the tasks derive from it. */
};

struct run_failure {   /* One entry of ECS's failures[]. */
    uint32_t node;     /* Slot, SLOT_NONE when it is about the cluster. */
    struct str reason; /* "RESOURCE:MEMORY", "AGENT", "ATTRIBUTE", ... */
    struct str detail; /* With numbers, for people. */
};

struct run_decision {
    struct command command;       /* A CMD_PLAN; propose it when it has tasks or stops. */
    struct run_failure *failures; /* When fewer than count could be placed. */
    uint32_t n_failures;
};

/* Decide where the tasks go and reserve the room. Where there is none, tasks of lower priority may
 * be stopped, and what they leave is kept for the same request for a while. Everything in *ret
 * lives in the arena, which must last until the command was encoded. Errors: ERR_INVALID for a
 * constraint that does not parse. */
int leader_run(struct leader *l, const struct run_request *request, int64_t now_ms,
               struct arena *arena, struct run_decision *ret, struct err *err);

/* The batch in flight was applied or lost: forget the reservations made for it. */
void leader_settle(struct leader *l);

#endif
