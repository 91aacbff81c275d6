#include "admin/configlp.h"

#include <lpsolve/lp_lib.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS_MAX 2000       /* Of pricing; each adds a configuration for every kind of node. */
#define STEPS_MAX  100000000u /* Of all searches for configurations. */
#define GAIN       1e-6       /* What a configuration must be better by. */
#define NO_LIMIT   1e300
#define DEAR       1e4 /* Cost of a task that no node carries. */

struct solver {
    const struct configlp_shape *shapes;
    const struct configlp_shape *kinds;
    uint32_t n_shapes;
    uint32_t n_kinds;
    lprec *lp; /* Rows: shapes, then kinds. Columns: the stand-ins of shapes, then patterns. */
    struct configlp_pattern *patterns;
    uint32_t n_patterns;
    uint32_t cap_patterns;
    uint64_t steps; /* Of the searches so far. */
    bool cut;       /* Before the best solution was known to be the best. */
};

/* --- the best configuration ---------------------------------------------------------------------
 *
 * Branch and bound: shapes by worth for their size, as many as fit first. */

struct search {
    const struct solver *s;
    const double *worth;
    uint32_t *order;
    uint32_t n_order;
    /* Of the order from i on: the most worth for a unit of size, for all of the node's CPU, ... */
    double *density;
    double (*of_amounts)[3];
    uint32_t *n;
    uint32_t *best_n;
    double best;
    uint64_t *steps;
};

static double share(uint32_t amount, uint32_t all)
{
    return all == 0 ? 0 : (double)amount / all;
}

/* How large a shape is for a kind of node: the sum of its shares. */
static double size_of(const struct configlp_shape *shape, const struct configlp_shape *kind)
{
    return share(shape->cpu, kind->cpu) + share(shape->memory_mib, kind->memory_mib) +
           share(shape->gpus, kind->gpus) + 1e-9;
}

/* What is left cannot be worth more. */
static double limit(const struct search *q, const struct configlp_shape *kind,
                    const struct configlp_shape *left, uint32_t at)
{
    const double shares[3] = {share(left->cpu, kind->cpu),
                              share(left->memory_mib, kind->memory_mib),
                              share(left->gpus, kind->gpus)};
    double least = q->density[at] * size_of(left, kind);
    for (int i = 0; i < 3; i++) {
        double worth = q->of_amounts[at][i] * shares[i];
        least = q->of_amounts[at][i] < NO_LIMIT && worth < least ? worth : least;
    }
    return least;
}

/* From the last of the order back: the most that any shape from there on is worth per share. */
static void sum_up(struct search *q, const struct configlp_shape *kind)
{
    double most[3] = {0};
    for (uint32_t at = q->n_order; at-- > 0;) {
        const struct configlp_shape *shape = &q->s->shapes[q->order[at]];
        const double shares[3] = {share(shape->cpu, kind->cpu),
                                  share(shape->memory_mib, kind->memory_mib),
                                  share(shape->gpus, kind->gpus)};
        for (int i = 0; i < 3; i++) {
            double per = shares[i] > 0 ? q->worth[q->order[at]] / shares[i] : NO_LIMIT;
            most[i] = per > most[i] ? per : most[i];
            q->of_amounts[at][i] = most[i];
        }
    }
}

static uint32_t most(const struct configlp_shape *shape, const struct configlp_shape *left)
{
    uint32_t n = shape->count;
    if (shape->cpu > 0 && left->cpu / shape->cpu < n) {
        n = left->cpu / shape->cpu;
    }
    if (shape->memory_mib > 0 && left->memory_mib / shape->memory_mib < n) {
        n = left->memory_mib / shape->memory_mib;
    }
    if (shape->gpus > 0 && left->gpus / shape->gpus < n) {
        n = left->gpus / shape->gpus;
    }
    return n;
}

static void branch(struct search *q, const struct configlp_shape *kind, struct configlp_shape left,
                   uint32_t at, double worth)
{
    if (worth > q->best) {
        q->best = worth;
        memcpy(q->best_n, q->n, q->s->n_shapes * sizeof *q->n);
    }
    if (at == q->n_order || *q->steps >= STEPS_MAX ||
        worth + limit(q, kind, &left, at) <= q->best + GAIN) {
        return;
    }
    uint32_t i = q->order[at];
    const struct configlp_shape *shape = &q->s->shapes[i];
    for (uint32_t n = most(shape, &left) + 1; n-- > 0;) {
        struct configlp_shape rest = {left.cpu - n * shape->cpu,
                                      left.memory_mib - n * shape->memory_mib,
                                      left.gpus - n * shape->gpus, left.count};
        (*q->steps)++;
        q->n[i] = n;
        branch(q, kind, rest, at + 1, worth + n * q->worth[i]);
    }
    q->n[i] = 0;
}

/* The configuration of one kind of node that is worth most; its worth. */
static double price(struct solver *s, const struct configlp_shape *kind, const double *worth,
                    uint32_t *ret_n)
{
    uint32_t order[CONFIGLP_SHAPES_MAX], n[CONFIGLP_SHAPES_MAX] = {0};
    double density[CONFIGLP_SHAPES_MAX], of_amounts[CONFIGLP_SHAPES_MAX][3];
    struct search q = {.s = s,
                       .worth = worth,
                       .order = order,
                       .density = density,
                       .of_amounts = of_amounts,
                       .n = n,
                       .steps = &s->steps};
    q.best_n = ret_n;
    memset(ret_n, 0, s->n_shapes * sizeof *ret_n);
    for (uint32_t i = 0; i < s->n_shapes; i++) {
        double mine = worth[i] / size_of(&s->shapes[i], kind);
        uint32_t at = q.n_order;
        if (worth[i] <= 0 || most(&s->shapes[i], kind) == 0) {
            continue;
        }
        for (; at > 0 && density[at - 1] < mine; at--) {
            density[at] = density[at - 1];
            order[at] = order[at - 1];
        }
        density[at] = mine;
        order[at] = i;
        q.n_order++;
    }
    sum_up(&q, kind);
    branch(&q, kind, *kind, 0, 0);
    return q.best;
}

/* --- the linear program -------------------------------------------------------------------------
 */

static bool add_pattern(struct solver *s, uint32_t kind, const uint32_t *n)
{
    REAL column[CONFIGLP_SHAPES_MAX * 2];
    int rows[CONFIGLP_SHAPES_MAX * 2];
    int count = 0;
    if (s->n_patterns == s->cap_patterns) {
        uint32_t cap = s->cap_patterns == 0 ? 64 : 2 * s->cap_patterns;
        struct configlp_pattern *bigger = realloc(s->patterns, cap * sizeof *bigger);
        if (bigger == NULL) {
            return false;
        }
        s->patterns = bigger;
        s->cap_patterns = cap;
    }
    struct configlp_pattern *p = &s->patterns[s->n_patterns];
    *p = (struct configlp_pattern){.kind = kind, .n = malloc(s->n_shapes * sizeof *n)};
    if (p->n == NULL) {
        return false;
    }
    memcpy(p->n, n, s->n_shapes * sizeof *n);
    s->n_patterns++;
    rows[count] = 0;
    column[count++] = 1;
    for (uint32_t i = 0; i < s->n_shapes; i++) {
        if (n[i] > 0) {
            rows[count] = (int)i + 1;
            column[count++] = n[i];
        }
    }
    rows[count] = (int)(s->n_shapes + kind) + 1;
    column[count++] = 1;
    return add_columnex(s->lp, count, column, rows) == TRUE;
}

/* Every task is carried, by a stand-in if need be; no kind has more nodes than there are. */
static bool make_program(struct solver *s)
{
    s->lp = make_lp((int)(s->n_shapes + s->n_kinds), 0);
    if (s->lp == NULL) {
        return false;
    }
    set_verbose(s->lp, NEUTRAL);
    set_minim(s->lp);
    for (uint32_t i = 0; i < s->n_shapes; i++) {
        REAL column[2] = {DEAR, 1};
        int rows[2] = {0, (int)i + 1};
        (void)set_constr_type(s->lp, (int)i + 1, GE);
        (void)set_rh(s->lp, (int)i + 1, s->shapes[i].count);
        if (add_columnex(s->lp, 2, column, rows) != TRUE) {
            return false;
        }
    }
    for (uint32_t k = 0; k < s->n_kinds; k++) {
        (void)set_constr_type(s->lp, (int)(s->n_shapes + k) + 1, LE);
        (void)set_rh(s->lp, (int)(s->n_shapes + k) + 1, s->kinds[k].count);
    }
    return true;
}

/* Add what would make the solution better; false when nothing would. */
static bool improve(struct solver *s, bool *ret_ok)
{
    uint32_t n[CONFIGLP_SHAPES_MAX];
    REAL *found, duals[CONFIGLP_SHAPES_MAX * 2];
    bool added = false;
    *ret_ok = get_ptr_sensitivity_rhs(s->lp, &found, NULL, NULL) == TRUE;
    if (*ret_ok) { /* They are gone with the first column that is added. */
        memcpy(duals, found, (s->n_shapes + s->n_kinds) * sizeof *duals);
    }
    for (uint32_t k = 0; k < s->n_kinds && *ret_ok && s->steps < STEPS_MAX; k++) {
        double worth = price(s, &s->kinds[k], duals, n);
        if (worth + duals[s->n_shapes + k] > 1 + GAIN) {
            added = true;
            *ret_ok = add_pattern(s, k, n);
        }
    }
    return added;
}

static int run(struct solver *s, struct err *err)
{
    bool ok = make_program(s);
    bool better = true;
    for (int round = 0; ok && better && round < ROUNDS_MAX; round++) {
        if (solve(s->lp) != OPTIMAL) {
            return err_set(err, ERR_INTERNAL, "the linear program has no solution");
        }
        better = improve(s, &ok);
    }
    s->cut = better || s->steps >= STEPS_MAX;
    return ok ? 0 : err_set(err, ERR_NOMEM, "no memory for the linear program");
}

/* What is used of the patterns; the others go. */
static int take_solution(struct solver *s, struct configlp *ret, struct err *err)
{
    REAL *values;
    uint32_t n = 0;
    (void)get_ptr_variables(s->lp, &values);
    for (uint32_t i = 0; i < s->n_shapes; i++) {
        if (values[i] > GAIN) {
            return s->cut ? err_set(err, ERR_TOOBIG, "too many sizes of tasks for a solution")
                          : err_set(err, ERR_FULL, "the nodes cannot carry all tasks");
        }
    }
    for (uint32_t i = 0; i < s->n_patterns; i++) {
        s->patterns[i].nodes = values[s->n_shapes + i];
        if (s->patterns[i].nodes > GAIN) {
            struct configlp_pattern used = s->patterns[i];
            s->patterns[i] = s->patterns[n];
            s->patterns[n++] = used;
            ret->bound += used.nodes;
        }
    }
    for (uint32_t i = n; i < s->n_patterns; i++) {
        free(s->patterns[i].n);
    }
    ret->patterns = s->patterns;
    ret->n_patterns = n;
    ret->n_shapes = s->n_shapes;
    ret->proven = !s->cut;
    return 0;
}

int configlp_solve(const struct configlp_shape *shapes, uint32_t n_shapes,
                   const struct configlp_shape *kinds, uint32_t n_kinds, struct configlp *ret,
                   struct err *err)
{
    struct solver s = {.shapes = shapes, .kinds = kinds, .n_shapes = n_shapes, .n_kinds = n_kinds};
    memset(ret, 0, sizeof *ret);
    if (n_shapes > CONFIGLP_SHAPES_MAX || n_kinds > CONFIGLP_SHAPES_MAX) {
        return err_set(err, ERR_TOOBIG, "more than %d shapes of tasks, or kinds of nodes",
                       CONFIGLP_SHAPES_MAX);
    }
    int rv = run(&s, err);
    if (rv == 0) {
        rv = take_solution(&s, ret, err);
    }
    if (rv != 0) {
        ret->patterns = s.patterns;
        ret->n_patterns = s.n_patterns;
        configlp_close(ret);
    }
    if (s.lp != NULL) {
        delete_lp(s.lp);
    }
    return rv;
}

void configlp_close(struct configlp *lp)
{
    for (uint32_t i = 0; i < lp->n_patterns; i++) {
        free(lp->patterns[i].n);
    }
    free(lp->patterns);
    memset(lp, 0, sizeof *lp);
}
