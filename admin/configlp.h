/* admin/configlp.h
 *
 * The least number of nodes that can carry a set of tasks: the configuration linear program, solved
 * by column generation (Gilmore and Gomory, 1961). A configuration is what one node carries at the
 * same time, so many tasks of each shape; a solution says how many nodes have which. No plan,
 * however clever, needs fewer nodes; rounding down and placing the rest as usual needs hardly more.
 * Shapes and nodes are amounts alone: constraints and ports would only need more nodes. */
#ifndef ADMIN_CONFIGLP_H
#define ADMIN_CONFIGLP_H

#include "common/base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define CONFIGLP_SHAPES_MAX 200 /* Shapes, and kinds of nodes. */

struct configlp_shape {
    uint32_t cpu;
    uint32_t memory_mib;
    uint32_t gpus;
    uint32_t count; /* Tasks, or nodes. */
};

/* So many nodes of this kind carry n[i] tasks of shape i each. */
struct configlp_pattern {
    uint32_t kind;
    double nodes;
    uint32_t *n;
};

struct configlp {
    double bound; /* Nodes: no plan needs fewer. */
    bool proven;  /* Otherwise the search was cut short, and it is only an estimate. */
    struct configlp_pattern *patterns;
    uint32_t n_patterns;
    uint32_t n_shapes; /* Of each pattern's n. */
};

/* ERR_FULL: the nodes cannot carry the tasks. ERR_TOOBIG: more shapes than the maximum, or no
 * solution within 100 million steps of the search (seconds). ERR_NOMEM. */
int configlp_solve(const struct configlp_shape *shapes, uint32_t n_shapes,
                   const struct configlp_shape *kinds, uint32_t n_kinds, struct configlp *ret,
                   struct err *err);
void configlp_close(struct configlp *lp); /* Zeroed is fine. */

#endif
