/* The API's words in and out. */
#include "controller/core/placement/place_impl.h"

#include <assert.h>
#include <string.h>

static bool equal_any_case(struct str a, const char *lower)
{
    size_t n = strlen(lower);
    if (a.n != n) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        int ch = a.p[i] >= 'A' && a.p[i] <= 'Z' ? a.p[i] - 'A' + 'a' : a.p[i];
        if (ch != lower[i]) {
            return false;
        }
    }
    return true;
}

static int binpack_read(struct str field, struct place_strategy *ret, struct err *err)
{
    bool cpu = equal_any_case(field, "cpu");
    if (!cpu && !equal_any_case(field, "memory")) {
        return err_set(err, ERR_INVALID, "placementStrategy: binpack field must be cpu or memory");
    }
    *ret = (struct place_strategy){.kind = cpu ? PLACE_BINPACK_CPU : PLACE_BINPACK_MEMORY};
    return 0;
}

static int spread_read(struct str field, struct place_strategy *ret, struct err *err)
{
    if (equal_any_case(field, "instanceid") || equal_any_case(field, "host")) {
        *ret = (struct place_strategy){.kind = PLACE_SPREAD_NODE};
        return 0;
    }
    if (!str_starts(field, "attribute:") || field.n == strlen("attribute:")) {
        return err_set(err, ERR_INVALID,
                       "placementStrategy: spread field must be instanceId, host or "
                       "attribute:NAME");
    }
    *ret = (struct place_strategy){PLACE_SPREAD_ATTRIBUTE,
                                   str_slice(field, strlen("attribute:"), field.n)};
    return 0;
}

int place_strategy_read(struct str type, struct str field, struct place_strategy *ret,
                        struct err *err)
{
    if (equal_any_case(type, "binpack")) {
        return binpack_read(field, ret, err);
    }
    if (equal_any_case(type, "spread")) {
        return spread_read(field, ret, err);
    }
    if (!equal_any_case(type, "random")) {
        return err_set(err, ERR_INVALID,
                       "placementStrategy: type must be random, spread or binpack");
    }
    if (field.n > 0) {
        return err_set(err, ERR_INVALID, "placementStrategy: random takes no field");
    }
    *ret = (struct place_strategy){.kind = PLACE_RANDOM};
    return 0;
}

static int most_read(struct str expression, struct place_constraint *ret, struct err *err)
{
    uint64_t most;
    if (!str_u64(expression, &most) || most < 1 || most > PLACE_PER_INSTANCE_MAX) {
        return err_set(err, ERR_INVALID,
                       "placementConstraints: the expression of maxPerInstance must be a number "
                       "from 1 to %d",
                       PLACE_PER_INSTANCE_MAX);
    }
    *ret = (struct place_constraint){.kind = PLACE_MAX_PER_INSTANCE, .most = (uint32_t)most};
    return 0;
}

int place_constraint_read(const struct mem *mem, struct str type, struct str expression,
                          struct place_constraint *ret, struct err *err)
{
    if (equal_any_case(type, "distinctinstance")) {
        if (expression.n > 0) {
            return err_set(err, ERR_INVALID,
                           "placementConstraints: distinctInstance takes no expression");
        }
        *ret = (struct place_constraint){.kind = PLACE_DISTINCT_INSTANCE};
        return 0;
    }
    if (equal_any_case(type, "maxperinstance")) {
        return most_read(expression, ret, err);
    }
    if (!equal_any_case(type, "memberof")) {
        return err_set(err, ERR_INVALID,
                       "placementConstraints: type must be distinctInstance, "
                       "memberOf or maxPerInstance");
    }
    struct query *q;
    int rv = query_parse(mem, expression, &q, err);
    if (rv != 0) {
        return err_wrap(err, ERR_INVALID, "placementConstraints: memberOf");
    }
    query_close(q);
    *ret = (struct place_constraint){.kind = PLACE_MEMBER_OF, .expression = expression};
    return 0;
}

/* --- reasons ---------------------------------------------------------------------------------- */

/* The reason of a RunTask failure, and how a service event says it of the closest node. */
static const struct {
    const char *code;
    const char *event;
} reasons[PLACE_REASON_N] = {
    [PLACE_OK] = {"", "has room for the task"},
    [PLACE_EXCLUDED] = {"LOCATION", "was excluded from the choice"},
    [PLACE_INACTIVE] = {"INACTIVE", "is not active"},
    [PLACE_DRAINING] = {"DRAINING", "is draining"},
    [PLACE_AGENT] = {"AGENT", "doesn't have the agent connected"},
    [PLACE_ATTRIBUTE] = {"ATTRIBUTE", "is missing an attribute required by your task"},
    [PLACE_MEMBER] = {"MemberOf placement constraint unsatisfied.",
                      "encountered error \"MemberOf placement constraint unsatisfied.\""},
    [PLACE_DISTINCT] = {"DistinctInstance placement constraint unsatisfied.",
                        "encountered error \"DistinctInstance placement constraint "
                        "unsatisfied.\""},
    [PLACE_CPU] = {"RESOURCE:CPU", "has insufficient CPU units available"},
    [PLACE_MEMORY] = {"RESOURCE:MEMORY", "has insufficient memory available"},
    [PLACE_GPU] = {"RESOURCE:GPU", "has insufficient GPUs available"},
    [PLACE_PORT] = {"RESOURCE:PORTS", "is already using a port required by your task"},
};

const char *place_reason_code(enum place_reason reason)
{
    assert(reason < PLACE_REASON_N);
    return reasons[reason].code;
}

static void port_text(const struct place_request *request, const struct place_why *why,
                      struct buf *to)
{
    const struct place_port *p = &request->ports[why->which];
    const char *proto = p->proto == VIEW_TCP ? "TCP" : "UDP";
    if (why->port != 0) {
        buf_printf(to, "needs %s port %u, which is in use", proto, why->port);
    } else if (p->count == 1) {
        buf_printf(to, "needs a free %s port, the dynamic range has none", proto);
    } else {
        buf_printf(to, "needs %u free %s ports in a row, the dynamic range has none", p->count,
                   proto);
    }
}

void place_why_text(const struct place_request *request, const struct place_why *why,
                    struct buf *to)
{
    switch (why->reason) {
    case PLACE_CPU:
        buf_printf(to, "needs %u CPU units, %d are available", why->needed, why->available);
        break;
    case PLACE_MEMORY:
        buf_printf(to, "needs %u MiB of memory, %d are available", why->needed, why->available);
        break;
    case PLACE_GPU:
        buf_printf(to, "needs %u GPUs, %d are available", why->needed, why->available);
        break;
    case PLACE_PORT:
        port_text(request, why, to);
        break;
    case PLACE_ATTRIBUTE: {
        const struct place_attribute *a = &request->attributes[why->which];
        buf_printf(to, "lacks the attribute %.*s", STR_ARG(a->name));
        if (!a->any_value) {
            buf_printf(to, " with value \"%.*s\"", STR_ARG(a->value));
        }
        break;
    }
    case PLACE_MEMBER:
        buf_printf(to, "is not a member of \"%.*s\"",
                   STR_ARG(request->constraints[why->which].expression));
        break;
    case PLACE_DISTINCT:
        if (why->needed > 1) {
            buf_printf(to, "runs %u tasks of %.*s already, the most it may", why->needed,
                       STR_ARG(request->group));
        } else {
            buf_printf(to, "runs a task of %.*s already", STR_ARG(request->group));
        }
        break;
    case PLACE_OK:
    case PLACE_EXCLUDED:
    case PLACE_INACTIVE:
    case PLACE_DRAINING:
    case PLACE_AGENT:
    case PLACE_REASON_N:
        buf_puts(to, reasons[why->reason].event);
        break;
    }
}

void place_event_text(const struct view *v, const struct placement *placement, struct buf *to)
{
    if (placement->closest.slot == VIEW_NONE) {
        buf_puts(to, "no container instances were found in your cluster.");
        return;
    }
    char hex[ID_HEX_LEN + 1];
    id_hex(view_id(v, placement->closest.slot), hex);
    buf_printf(to,
               "no container instance met all of its requirements. The closest matching "
               "(container-instance %s) %s.",
               hex, reasons[placement->closest.reason].event);
}
