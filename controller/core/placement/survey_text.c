/* What a survey found, in words. */
#include "controller/core/placement/place_impl.h"
#include "controller/core/placement/survey.h"

#include <assert.h>

static void separate(struct buf *to, uint32_t *n)
{
    if (*n > 0) {
        buf_puts(to, "; ");
    }
    (*n)++;
}

/* --- reasons ---------------------------------------------------------------------------------- */

/* One reason of a node or, with most, of several that have at most so much. */
static void amount_text(uint32_t needed, int32_t available, const char *what, bool most,
                        struct buf *to)
{
    buf_printf(to, "needs %u %s, %s%d %s", needed, what, most ? "at most " : "", available,
               available == 1 ? "is available" : "are available");
}

static void members_text(const struct place_request *r, uint32_t members, struct buf *to,
                         uint32_t *n)
{
    for (uint32_t i = 0; i < r->n_constraints; i++) {
        if ((members & 1u << i) != 0) {
            struct place_why why = {.reason = PLACE_MEMBER, .which = i};
            separate(to, n);
            place_why_text(r, &why, to);
        }
    }
}

static void reasons_text(const struct place_request *r, const struct survey_group *g, bool most,
                         struct buf *to)
{
    uint32_t n = 0;
    for (uint32_t i = 1; i < PLACE_REASON_N; i++) {
        enum place_reason reason = (enum place_reason)i;
        struct place_why why = {.reason = reason, .port = g->port};
        why.needed = reason == PLACE_DISTINCT ? request_most(r) : 0;
        if ((g->reasons & 1u << i) == 0) {
            continue;
        }
        if (reason == PLACE_MEMBER) {
            members_text(r, g->members, to, &n);
            continue;
        }
        separate(to, &n);
        if (reason == PLACE_CPU) {
            amount_text(r->cpu, g->most.cpu, "CPU units", most, to);
        } else if (reason == PLACE_MEMORY) {
            amount_text(r->memory_mib, g->most.memory_mib, "MiB of memory", most, to);
        } else if (reason == PLACE_GPU) {
            amount_text(r->gpus, g->most.gpus, "GPUs", most, to);
        } else {
            why.which = reason == PLACE_PORT ? g->port_entry : g->attribute;
            place_why_text(r, &why, to);
        }
    }
}

void survey_reasons_text(const struct place_request *request, const struct survey_node *node,
                         struct buf *to)
{
    struct survey_group g = {node->reasons,    node->members, node->attribute,
                             node->port_entry, node->port,    1,
                             node->slot,       node->free};
    reasons_text(request, &g, false, to);
}

void survey_group_text(const struct place_request *request, const struct survey_group *group,
                       struct buf *to)
{
    reasons_text(request, group, group->n_nodes > 1, to);
}

/* --- scores ----------------------------------------------------------------------------------- */

static void level_text(const struct survey_level *level, uint64_t value, struct buf *to)
{
    unsigned long long n = value;
    const char *tasks = n == 1 ? "task" : "tasks";
    switch (level->kind) {
    case LEVEL_CPU:
        buf_printf(to, "%llu CPU units left", n);
        break;
    case LEVEL_MEMORY:
        buf_printf(to, "%llu MiB left", n);
        break;
    case LEVEL_GPU_SPARED:
        buf_puts(to, n == 0 ? "no GPUs" : "has GPUs that others may need");
        break;
    case LEVEL_SCARCITY:
        buf_printf(to, "scarcity %llu of %u", n, VIEW_SCARCITY_MAX);
        break;
    case LEVEL_GPUS:
        buf_printf(to, "%llu GPUs left", n);
        break;
    case LEVEL_SPREAD_NODE:
        buf_printf(to, "%llu %s of the group on the node", n, tasks);
        break;
    case LEVEL_SPREAD:
        if (value == UINT32_MAX) {
            buf_printf(to, "has no %.*s", STR_ARG(level->attribute));
        } else {
            buf_printf(to, "%llu %s of the group with its %.*s", n, tasks,
                       STR_ARG(level->attribute));
        }
        break;
    case LEVEL_RANDOM:
        buf_puts(to, "by chance");
        break;
    }
}

void survey_score_text(const struct survey *s, const struct survey_node *node, struct buf *to)
{
    uint32_t n = 0;
    assert(node->reasons == 0);
    for (uint32_t i = 0; i < s->n_levels; i++) {
        separate(to, &n);
        level_text(&s->levels[i], node->score[i], to);
    }
}

/* --- what would help -------------------------------------------------------------------------- */

static void nodes_text(uint32_t n, struct buf *to)
{
    buf_printf(to, n == 1 ? "1 node" : "any of %u nodes", n);
}

static void amounts_text(const struct place_request *r, const struct survey_fix *fix,
                         struct buf *to)
{
    uint32_t n = 0;
    const struct {
        uint32_t needed;
        uint32_t amount;
        const char *what;
        const char *unit;
    } amounts[] = {
        {r->cpu, fix->cpu, "cpu", " units"},
        {r->memory_mib, fix->memory_mib, "memory", " MiB"},
        {r->gpus, fix->gpus, "gpus", ""},
    };
    nodes_text(fix->n_nodes, to);
    for (size_t i = 0; i < sizeof amounts / sizeof amounts[0]; i++) {
        if (amounts[i].amount < amounts[i].needed) {
            buf_printf(to, "%s %s <= %u%s", n == 0 ? " if" : " and", amounts[i].what,
                       amounts[i].amount, amounts[i].unit);
            n++;
        }
    }
}

static void like_text(const struct view *v, uint32_t slot, struct buf *to)
{
    const struct view_slot *s = &v->slots[slot];
    const struct view_class *c = &v->classes[v->hot[slot].class];
    struct str value;
    buf_puts(to, "1 more node");
    if (view_class_attribute(c, STR(VIEW_ATTRIBUTE_TYPE), &value)) {
        buf_printf(to, " of type %.*s", STR_ARG(value));
    }
    if (view_class_attribute(c, STR(VIEW_ATTRIBUTE_ZONE), &value)) {
        buf_printf(to, " in %.*s", STR_ARG(value));
    }
    buf_printf(to, " (%u CPU units, %u MiB", s->cpu, s->memory_mib);
    if (s->gpus > 0) {
        buf_printf(to, ", %u GPUs", s->gpus);
    }
    buf_puts(to, ")");
}

void survey_fix_text(const struct view *v, const struct place_request *request,
                     const struct survey_fix *fix, struct buf *to)
{
    switch (fix->change) {
    case SURVEY_AMOUNTS:
        amounts_text(request, fix, to);
        return;
    case SURVEY_LIKE:
        like_text(v, fix->like, to);
        return;
    case SURVEY_LARGER:
        buf_printf(to, "1 more node of at least %u CPU units and %u MiB", fix->cpu,
                   fix->memory_mib);
        if (fix->gpus > 0) {
            buf_printf(to, " and %u GPUs", fix->gpus);
        }
        buf_puts(to, ", larger than or unlike all there are");
        return;
    case SURVEY_MEMBER:
        nodes_text(fix->n_nodes, to);
        buf_printf(to, " without the constraint \"%.*s\"",
                   STR_ARG(request->constraints[fix->which].expression));
        return;
    case SURVEY_DISTINCT:
        nodes_text(fix->n_nodes, to);
        buf_puts(to, request_most(request) > 1 ? " with a larger maxPerInstance"
                                               : " without distinctInstance");
        return;
    case SURVEY_ATTRIBUTE:
        nodes_text(fix->n_nodes, to);
        buf_printf(to, " with the attribute %.*s", STR_ARG(request->attributes[fix->which].name));
        return;
    case SURVEY_PORT:
        nodes_text(fix->n_nodes, to);
        if (request->ports[fix->which].host_port > 0) {
            buf_printf(to, " with another host port than %u, or a dynamic one",
                       request->ports[fix->which].host_port);
        } else {
            buf_puts(to, " with a larger range of dynamic ports");
        }
        return;
    case SURVEY_AGENT:
        nodes_text(fix->n_nodes, to);
        buf_puts(to, " when the agent is connected again");
        return;
    case SURVEY_ACTIVATE:
        nodes_text(fix->n_nodes, to);
        buf_puts(to, " when it is ACTIVE again");
        return;
    }
    assert(false);
}
