/* controller/core/placement/query.h
 *
 * The cluster query language: which nodes an expression selects. Used by memberOf placement
 * constraints and by the filter of ListContainerInstances. Pure; a compiled query is immutable and
 * may be shared between threads.
 *
 *     or    = and { ( "or" | "||" ) and }
 *     and   = not { ( "and" | "&&" ) not }
 *     not   = ( "not" | "!" ) not | "(" or ")" | subject test
 *     test  = "exists" | "!exists" | operator argument | ( "in" | "!in" ) list
 *     list  = "[" argument { "," argument } "]"
 *
 * Subjects: agentConnected agentVersion attribute:NAME ec2InstanceId registeredAt runningTasksCount
 * task:group. Operators: == != > >= < <= =~ !~ and their words (equals not_equals greater_than
 * greater_than_equal less_than less_than_equal matches not_matches not_in not_exists). An argument
 * is a bare word, or is put in '' or "", where a backslash protects the next quote or backslash. A
 * bare pattern may hold its own brackets, as long as they are balanced. Operators and connectives
 * may be written in any case; everything else is case-sensitive.
 *
 * Meaning:
 * - A negative operator is the exact negation of the positive one, so `attribute:x != y` selects a
 *   node that has no attribute x. The orders (> >= < <=) do not hold for what is absent.
 * - The orders compare as numbers when both sides are decimal numbers, agentVersion component by
 *   component ("1.10.0" > "1.9"), anything else as bytes. Equality is of text, except where the
 *   subject is a number, a version or a time.
 * - registeredAt compares at the precision written: `== 2018-06-18` is that whole day. Dates are
 *   2018-06-18, 2018-06-18T22:28:28, the same with Z or +hh:mm; without a zone they are UTC.
 * - task:group tests the groups of the tasks on the node: a positive operator holds when one of
 *   them satisfies it.
 * - A pattern must match the whole value, as in Java's String.matches; see regex.h for the syntax.
 * - registeredAt and runningTasksCount have no patterns, agentConnected and task:group no order. */
#ifndef CONTROLLER_CORE_PLACEMENT_QUERY_H
#define CONTROLLER_CORE_PLACEMENT_QUERY_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define QUERY_TEXT_MAX  2000 /* Bytes of an expression. */
#define QUERY_DEPTH_MAX 32   /* Nested parentheses and negations. */
#define QUERY_TERMS_MAX 256  /* Tests plus connectives. */
#define QUERY_ITEMS_MAX 256  /* Arguments in all lists together. */

struct query; /* Opaque. */

/* What a query can ask about one node. */
struct query_node {
    const void *ctx; /* For the two callbacks. */
    /* The value of an attribute ("" when it has none); false when the node lacks it. */
    bool (*attribute)(const void *ctx, struct str name, struct str *ret_value);
    /* The i-th distinct group of the tasks on the node; false when there are no more. */
    bool (*group)(const void *ctx, uint32_t i, struct str *ret_group);
    struct str agent_version;   /* Empty: unknown. */
    struct str ec2_instance_id; /* Empty: none. */
    uint64_t registered_at_ms;
    uint32_t n_running_tasks;
    bool agent_connected;
};

/* Which facts a query depends on, as bits. */
enum query_facts {
    QUERY_ATTRIBUTES = 1, /* attribute:*, agentVersion: shared by nodes of a kind. */
    QUERY_NODE = 2,       /* ec2InstanceId, registeredAt, agentConnected. */
    QUERY_TASKS = 4,      /* runningTasksCount, task:group: change with every placement. */
};

/* Compile text. On success *ret is the caller's, to be released with query_close(). On failure
 * ERR_PARSE or ERR_TOOBIG; err says at which column (from 1) and what was expected there. */
int query_parse(const struct mem *mem, struct str text, struct query **ret, struct err *err);

/* NULL is fine. */
void query_close(struct query *q);

/* Does q select the node? Time is bounded by the sizes of query and values. */
bool query_match(const struct query *q, const struct query_node *node);

/* Bits of enum query_facts. */
unsigned query_facts(const struct query *q);

/* The canonical text: symbols, quotes and parentheses only where needed. Parsing it gives an equal
 * query, and printing that gives the same text. */
void query_print(const struct query *q, struct buf *to);

#endif
