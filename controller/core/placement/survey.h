/* controller/core/placement/survey.h
 *
 * Everything that stands between a task and each node, and what would help. place() is content with
 * the first reason against a node; people who want to know why want all of them, with the figures,
 * and what is the least they have to change. One look at every node; nothing is chosen or reserved.
 * Pure. */
#ifndef CONTROLLER_CORE_PLACEMENT_SURVEY_H
#define CONTROLLER_CORE_PLACEMENT_SURVEY_H

#include "controller/core/placement/place.h"

#define SURVEY_FIXES_MAX 8

/* What was found for one node. */
struct survey_node {
    uint32_t slot;
    uint32_t reasons;    /* Bits 1 << enum place_reason; 0: feasible. */
    uint32_t members;    /* Bits: constraints (memberOf) that do not select it. */
    uint32_t attribute;  /* With PLACE_ATTRIBUTE: the first required one that it lacks. */
    uint32_t port_entry; /* With PLACE_PORT: the entry that finds no port, */
    uint16_t port;       /* and the port that is taken; 0: a dynamic one. */
    uint32_t rank;       /* Of the feasible ones; 1 is what place() would choose. */
    const uint64_t
        *score; /* Feasible: n_levels numbers, the first decides first, less is better. */
    struct view_free free;
};

/* Nodes against which the same stands. */
struct survey_group {
    uint32_t reasons;
    uint32_t members;
    uint32_t attribute;
    uint32_t port_entry;
    uint16_t port;
    uint32_t n_nodes;
    uint32_t example;      /* Slot: the first of them in survey.nodes. */
    struct view_free most; /* Each amount: the largest that any of them has left. */
};

/* A change of the request or of the cluster after which there is room. */
enum survey_change {
    SURVEY_AMOUNTS,   /* The task takes at most cpu, memory_mib, gpus. */
    SURVEY_MEMBER,    /* Without constraint `which`. */
    SURVEY_DISTINCT,  /* Without distinctInstance. */
    SURVEY_ATTRIBUTE, /* Without required attribute `which`. */
    SURVEY_PORT,      /* Another host port in entry `which`, or a dynamic one. */
    SURVEY_AGENT,     /* Their agents are connected again. */
    SURVEY_ACTIVATE,  /* They are ACTIVE again. */
    SURVEY_LIKE,      /* One more node like that in slot `like`. */
    SURVEY_LARGER,    /* One more node of at least cpu, memory_mib, gpus: none is large enough. */
};

struct survey_fix {
    enum survey_change change;
    uint32_t n_nodes; /* That would have room. */
    uint32_t which;
    uint32_t like;
    uint32_t cpu;
    uint32_t memory_mib;
    uint32_t gpus;
    uint32_t cost; /* Thousandths of the request, or what other changes are taken for; the least is
                      first. */
};

/* From the arena given to place_survey(). */
struct survey {
    uint32_t n_nodes;
    uint32_t n_feasible;
    struct survey_node *nodes; /* Feasible ones by rank, then those with the fewest reasons, the
                                  least missing, the lowest id. */
    uint32_t n_levels;
    uint32_t refused[PLACE_REASON_N]; /* Nodes by reason; one may count several times. */
    struct survey_group *groups;      /* The most nodes first. */
    uint32_t n_groups;
    struct survey_fix fixes[SURVEY_FIXES_MAX]; /* The smallest change first; none when there is
                                                  room. */
    uint32_t n_fixes;
    const struct survey_level *levels; /* Private. */
};

/* Look at every node for one replica. Errors as place(). */
int place_survey(struct view *v, const struct place_request *request, struct survey *ret,
                 struct arena *arena, struct err *err);

/* All that stands against a node: "needs 512 CPU units, 256 are available; is draining". */
void survey_reasons_text(const struct place_request *request, const struct survey_node *node,
                         struct buf *to);

/* Of a group: "needs 512 CPU units, at most 256 are available". */
void survey_group_text(const struct place_request *request, const struct survey_group *group,
                       struct buf *to);

/* "2 tasks in its zone, 512 CPU units left": the score of a feasible node. */
void survey_score_text(const struct survey *s, const struct survey_node *node, struct buf *to);

/* "any of 3 nodes if memory is at most 1536 MiB". */
void survey_fix_text(const struct view *v, const struct place_request *request,
                     const struct survey_fix *fix, struct buf *to);

#endif
