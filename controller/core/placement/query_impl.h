/* controller/core/placement/query_impl.h
 *
 * What a compiled query looks like; for query.c (which makes them) and query_match.c alone. */
#ifndef CONTROLLER_CORE_PLACEMENT_QUERY_IMPL_H
#define CONTROLLER_CORE_PLACEMENT_QUERY_IMPL_H

#include "controller/core/placement/query.h"
#include "controller/core/placement/regex.h"

enum query_subject {
    SUBJECT_AGENT_CONNECTED,
    SUBJECT_AGENT_VERSION,
    SUBJECT_ATTRIBUTE,
    SUBJECT_EC2_INSTANCE_ID,
    SUBJECT_REGISTERED_AT,
    SUBJECT_RUNNING_TASKS,
    SUBJECT_TASK_GROUP,
    SUBJECT_N
};

/* The negative operators are the positive ones with `negate`. */
enum query_op { QOP_EQ, QOP_GT, QOP_GE, QOP_LT, QOP_LE, QOP_EXISTS, QOP_IN, QOP_MATCH, QOP_N };

/* A node of the tree. Operands stand before their operators, so one walk through the array in
 * order evaluates the query; the last term is the root. */
enum query_term_kind { TERM_TEST, TERM_NOT, TERM_AND, TERM_OR };

struct query_term {
    uint8_t kind;
    uint16_t a; /* TERM_TEST: which test; else the (left) operand. */
    uint16_t b; /* The right operand of TERM_AND and TERM_OR. */
};

struct query_test {
    uint8_t subject;
    uint8_t op;
    bool negate;
    uint16_t first_item;
    uint16_t n_items;
    struct str name;     /* Of the attribute. */
    struct regex *regex; /* QOP_MATCH only. */
};

/* Milliseconds a written date stands for, from its `number` on. */
#define QUERY_DAY_MS    86400000u
#define QUERY_SECOND_MS 1000u

struct query_item {
    struct str text;
    uint64_t number;  /* runningTasksCount; registeredAt: ms since 1970. */
    uint32_t span_ms; /* registeredAt: QUERY_DAY_MS or QUERY_SECOND_MS. */
};

struct query {
    const struct mem *mem;
    unsigned facts;
    uint16_t n_terms;
    uint16_t n_tests;
    uint16_t n_items;
    uint16_t n_text;
    struct query_term *terms;
    struct query_test *tests;
    struct query_item *items;
    char *text; /* What names and items point into. */
};

#endif
