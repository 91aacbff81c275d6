/* controller/core/placement/place_impl.h
 *
 * One call of place() while it runs; shared by place*.c alone. */
#ifndef CONTROLLER_CORE_PLACEMENT_PLACE_IMPL_H
#define CONTROLLER_CORE_PLACEMENT_PLACE_IMPL_H

#include "controller/core/placement/place.h"
#include "controller/core/placement/view_impl.h"

/* Every criterion is a number of a node, and less is better. */
enum level_kind {
    LEVEL_CPU,         /* Left free. */
    LEVEL_MEMORY,      /* Left free. */
    LEVEL_GPU_SPARED,  /* 1 on nodes with GPUs. */
    LEVEL_SCARCITY,    /* How much others need nodes of its class. */
    LEVEL_GPUS,        /* Left free. */
    LEVEL_SPREAD_NODE, /* Tasks of the group on the node. */
    LEVEL_SPREAD,      /* Tasks of the group in the node's domain. */
    LEVEL_RANDOM,
};

#define LEVELS_MAX (PLACE_STRATEGIES_MAX + 5)

struct level {
    enum level_kind kind;
    bool by_zone;    /* LEVEL_SPREAD: by the attribute that shelves are divided by. */
    uint32_t domain; /* LEVEL_SPREAD: number of the view's table of values, */
    const struct group_spread *spread; /* and the group's tasks by value; NULL: none. */
    uint64_t least;                    /* No node can have less. */
};

/* A shelf during one call. Where it is `ordered`, the first feasible node is its best, everything
 * before the cursor is infeasible and stays so, and the search goes on from there. */
struct lane {
    struct shelf *shelf;
    uint8_t aisle;
    uint8_t gpu;
    bool ordered;
    bool sought;     /* The cursor is set. */
    uint32_t n_same; /* Of the first levels, those that are the same for all its nodes. */
    uint32_t any;    /* One of the nodes, for its class: what is free on it may have changed. */
    struct shelf_at cursor;
    uint32_t open; /* The node at the cursor was chosen and has shrunk, so as long as it is feasible
                      it is the best; VIEW_NONE: not so. */
    uint32_t run;  /* Its run in the placement, or RUN_NONE. */
};

#define RUN_NONE UINT32_MAX

#define LANES_MAX (AISLE_N * GPU_N)

struct solver {
    struct view *view;
    const struct place_request *request;
    struct arena *arena;   /* Of this call. */
    uint32_t group;        /* Or NO_GROUP: then nothing of the group runs anywhere. */
    uint32_t most;         /* Tasks of the group on one node; 0: any number. */
    bool dynamic;          /* A constraint depends on tasks or on the single node. */
    bool may_repeat;       /* The best node stays the best while the task fits. */
    bool spreads;          /* A level counts tasks by an attribute. */
    bool resumable;        /* All lanes are ordered; none without lanes. */
    uint64_t seed;         /* Of the current replica. */
    enum view_order_by by; /* The order in which nodes are looked at. */
    uint32_t n_levels;
    uint32_t n_prefix;      /* Levels before free cpu and free memory. */
    bool plain_tail;        /* From there on, the order of a shelf is that of the levels. */
    struct shelf_want want; /* What fits, of the classes that are not known to be refused. */
    struct level levels[LEVELS_MAX];
    uint32_t queries[PLACE_CONSTRAINTS_MAX]; /* By constraint; memberOf only. */
    uint8_t *allowed;                        /* By slot: 1 = may be used; NULL: all. */
    uint8_t *verdicts;    /* By class, enum verdict: attributes and static constraints. */
    uint16_t *port_order; /* Entries of request->ports: static first, then longest first. */
    uint32_t n_lanes;
    struct lane *chosen;          /* Of the last choice; NULL: none. */
    struct lane lanes[LANES_MAX]; /* Last: not cleared. */
};

/* What a number of a survey's score means. */
struct survey_level {
    enum level_kind kind;
    struct str attribute; /* LEVEL_SPREAD */
};

/* How many tasks of its group a node may have by the constraints; 0: any number. */
uint32_t request_most(const struct place_request *r);

/* Check the request and make everything ready for it: solver_init() for questions about nodes;
 * solver_open() for choices, which also holds the group until it is released. */
int solver_open(struct solver *s, struct view *v, const struct place_request *request,
                struct arena *arena, struct err *err);
int solver_init(struct solver *s, struct view *v, const struct place_request *request,
                struct arena *arena, struct err *err);

/* Do attributes and static constraints admit the nodes of a class, of which slot is one? */
bool solver_admits_class(struct solver *s, uint32_t class, uint32_t slot);

/* Has the node as many tasks of the group as it may have? */
bool solver_is_full(const struct solver *s, uint32_t slot);

/* Is the node feasible? It is active and connected. */
bool solver_admits(struct solver *s, uint32_t slot);

/* Assign host ports, one first port per entry of request->ports; false when they do not fit, and
 * then *ret_why (which may be NULL) says which. */
bool solver_assign_ports(const struct solver *s, uint32_t slot, uint16_t *ret,
                         struct place_why *ret_why);

/* The first required attribute that the node lacks, or n_attributes. */
uint32_t solver_missing_attribute(const struct solver *s, uint32_t slot);

/* The reason that is a state of the node, or PLACE_OK. */
enum place_reason solver_state_reason(const struct solver *s, uint32_t slot);

/* The first reason against the node, or PLACE_OK. */
void solver_explain(struct solver *s, uint32_t slot, struct place_why *ret);

/* Fill in why replicas were refused. */
void solver_explain_all(struct solver *s, struct placement *ret);

/* The strategies as levels. s->group is held by the caller or NO_GROUP. */
void solver_init_levels(struct solver *s);

/* Begin a search on the view as it is. */
void solver_start(struct solver *s);

/* The feasible node that is best by all levels and then by id, or VIEW_NONE; s->chosen is its lane.
 * Between two calls nodes may only shrink, and only chosen ones; those are told of, or solver_start
 * is called again. */
uint32_t solver_best(struct solver *s);

/* The chosen node has shrunk; its replicas are in this run. / It has become infeasible. */
void solver_shrunk(struct solver *s, uint32_t slot, uint32_t run);
void solver_done(struct solver *s);

/* For several replicas whose choices are booked one by one: all feasible nodes, gathered. NULL
 * where it would not help or not be right. pool_best() is solver_best(); pool_shrunk(): the node it
 * gave was booked. */
struct pool;
struct pool *pool_open(struct solver *s);
uint32_t pool_best(struct pool *p);
void pool_shrunk(struct pool *p);
void pool_close(struct pool *p); /* NULL is fine. */

/* The number of a node at a level. */
uint64_t solver_value(const struct solver *s, const struct level *level, uint32_t slot);

/* Some number that follows from its arguments alone. */
uint64_t place_random(uint64_t seed, struct id id);

#endif
