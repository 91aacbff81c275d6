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
    LEVEL_GPUS,        /* Left free. */
    LEVEL_SPREAD_NODE, /* Tasks of the group on the node. */
    LEVEL_SPREAD,      /* Tasks of the group in the node's domain. */
    LEVEL_RANDOM,
};

#define LEVELS_MAX (PLACE_STRATEGIES_MAX + 4)

struct level {
    enum level_kind kind;
    bool by_zone;    /* LEVEL_SPREAD: by the attribute that shelves are divided by. */
    uint32_t domain; /* LEVEL_SPREAD: number of the view's table of values, */
    const struct group_spread *spread; /* and the group's tasks by value; NULL: none. */
    uint64_t least;                    /* No node can have less. */
};

struct solver {
    struct view *view;
    const struct place_request *request;
    struct arena *arena;
    uint32_t group; /* Or NO_GROUP: then nothing of the group runs anywhere. */
    bool distinct;
    bool dynamic;          /* A constraint depends on tasks or on the single node. */
    bool may_repeat;       /* The best node stays the best while the task fits. */
    uint64_t seed;         /* Of the current replica. */
    enum view_order_by by; /* The order in which nodes are looked at. */
    uint32_t n_levels;
    uint32_t n_prefix; /* Levels before free cpu and free memory. */
    bool plain_tail;   /* From there on, the order of a shelf is that of the levels. */
    uint64_t tags;     /* Tags of the classes that are not known to be refused. */
    struct level levels[LEVELS_MAX];
    uint32_t queries[PLACE_CONSTRAINTS_MAX]; /* By constraint; memberOf only. */
    uint8_t *allowed;                        /* By slot: 1 = may be used; NULL: all. */
    uint8_t *verdicts;    /* By class, enum verdict: attributes and static constraints. */
    uint16_t *port_order; /* Entries of request->ports: static first, then longest first. */
};

/* Check the request and make everything ready for it. */
int solver_init(struct solver *s, struct view *v, const struct place_request *request,
                struct arena *arena, struct err *err);

/* Do attributes and static constraints admit the nodes of a class, of which slot is one? */
bool solver_admits_class(struct solver *s, uint32_t class, uint32_t slot);

/* Is the node feasible? It is active and connected. */
bool solver_admits(struct solver *s, uint32_t slot);

/* Assign host ports, one first port per entry of request->ports; false when they do not fit, and
 * then *ret_why (which may be NULL) says which. */
bool solver_assign_ports(const struct solver *s, uint32_t slot, uint16_t *ret,
                         struct place_why *ret_why);

/* The first reason against the node, or PLACE_OK. */
void solver_explain(struct solver *s, uint32_t slot, struct place_why *ret);

/* Fill in why replicas were refused. */
void solver_explain_all(struct solver *s, struct placement *ret);

/* The strategies as levels. s->group is held by the caller or NO_GROUP. */
void solver_init_levels(struct solver *s);

/* The number of a node at a level. */
uint64_t solver_value(const struct solver *s, const struct level *level, uint32_t slot);

/* Some number that follows from its arguments alone. */
uint64_t place_random(uint64_t seed, struct id id);

#endif
