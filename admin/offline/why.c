/* Each node is asked by itself, as StartTask would: the answer is a place or the first reason
 * against it. What made the choice among the possible ones is shown beside them: what was free, and
 * how many tasks of the group and in all were there. */
#include "admin/offline/why.h"

#include "common/loop/sysmem.h"
#include "controller/core/leader.h"

#include <stdio.h>
#include <string.h>

struct asking {
    const struct store *store;
    const struct plan_task *item;
    uint32_t cluster;
    uint32_t *nodes;
    uint32_t n_nodes;
    struct run_decision decision;
};

/* --- the words ------------------------------------------------------------------------------- */

static void put_strategy(const struct service *v, char *ret, size_t size)
{
    static const char *const types[] = {"random", "spread", "binpack"};
    size_t n = 0;
    (void)snprintf(ret, size, "%s", v == NULL ? "not in the log (that of the request)" : "default");
    for (uint32_t i = 0; v != NULL && i < v->n_strategies && n < size; i++) {
        const struct strategy *s = &v->strategies[i];
        int put = snprintf(ret + n, size - n, "%s%s%s%.*s", i == 0 ? "" : ", ",
                           s->type < 3 ? types[s->type] : "?", s->field.n == 0 ? "" : ":",
                           STR_ARG(s->field));
        n += put > 0 ? (size_t)put : 0;
    }
}

static void put_words(const struct asking *a, struct why *ret)
{
    const struct service *v = store_service(a->store, a->item->service);
    (void)snprintf(ret->group, sizeof ret->group, "%.*s", STR_ARG(a->item->group));
    if (v != NULL) {
        (void)snprintf(ret->by, sizeof ret->by, "for service %.*s", STR_ARG(v->name));
    } else {
        (void)snprintf(ret->by, sizeof ret->by, "asked for%s%.*s",
                       a->item->started_by.n == 0 ? " by a request" : " by ",
                       STR_ARG(a->item->started_by));
    }
    put_strategy(v, ret->strategy, sizeof ret->strategy);
}

/* --- asking ---------------------------------------------------------------------------------- */

static int ask(struct asking *a, int64_t now_ms, struct arena *arena, struct err *err)
{
    static const struct leader_settings settings = {.plan_items_max = 1};
    const struct service *v = store_service(a->store, a->item->service);
    const struct run_request request = {
        .cluster = a->cluster,
        .taskdef = a->item->taskdef,
        .count = a->n_nodes,
        .nodes = a->nodes,
        .n_nodes = a->n_nodes,
        .constraints = v == NULL ? NULL : v->constraints,
        .n_constraints = v == NULL ? 0 : v->n_constraints,
        .group = a->item->group,
        .cpu = a->item->cpu,
        .memory = a->item->memory,
        .gpus = a->item->gpus,
        .launch_type = a->item->launch_type,
    };
    struct leader *leader = leader_open(a->store, &settings, now_ms, sysmem());
    int rv = leader_run(leader, &request, now_ms, arena, &a->decision, err);
    leader_close(leader);
    return rv;
}

/* --- the answer ------------------------------------------------------------------------------ */

static const struct run_failure *refusal_of(const struct asking *a, uint32_t node)
{
    for (uint32_t i = 0; i < a->decision.n_failures; i++) {
        if (a->decision.failures[i].node == node) {
            return &a->decision.failures[i];
        }
    }
    return NULL;
}

static void count_tasks(const struct asking *a, uint32_t node, uint32_t *ret_all,
                        uint32_t *ret_group)
{
    uint32_t at = store_node(a->store, node)->first_task;
    while (at != SLOT_NONE) {
        const struct task *t = store_task(a->store, at);
        if (t->status != TASK_STOPPED) {
            (*ret_all)++;
            *ret_group += str_eq(t->group, a->item->group);
        }
        at = t->on_node.next;
    }
}

static json_t *describe_node(const struct asking *a, uint32_t slot)
{
    const struct node *n = store_node(a->store, slot);
    const struct run_failure *no = refusal_of(a, slot);
    char id[ID_HEX_LEN + 1];
    uint32_t all = 0;
    uint32_t group = 0;
    id_hex(n->id, id);
    count_tasks(a, slot, &all, &group);
    return json_pack("{s:s%, s:s, s:s%, s:s%, s:I, s:I, s:i, s:i}", "name",
                     n->name.n == 0 ? "" : n->name.p, n->name.n, "id", id, "verdict",
                     slot == a->item->node ? "CHOSEN"
                     : no == NULL          ? "possible"
                                           : no->reason.p,
                     slot == a->item->node ? (size_t)6
                     : no == NULL          ? (size_t)8
                                           : no->reason.n,
                     "detail", no == NULL || no->detail.n == 0 ? "" : no->detail.p,
                     no == NULL ? (size_t)0 : no->detail.n, "cpu",
                     (json_int_t)n->cpu - (json_int_t)n->cpu_used, "memory",
                     (json_int_t)n->memory - (json_int_t)n->memory_used, "tasks", (int)all,
                     "ofGroup", (int)group);
}

/* What the plan does before this task. */
static void apply_before(struct store *store, const struct command *cmd, uint32_t at)
{
    struct command part = *cmd;
    struct changes changes;
    struct result result;
    part.u.plan.n_tasks = at;
    part.u.plan.n_services = 0;
    part.u.plan.token = (struct request_token){{NULL, 0}, 0};
    changes_init(&changes, sysmem());
    store_apply(store, &part, &changes, &result);
    changes_close(&changes);
}

int why_placed(struct store *store, const struct command *cmd, uint32_t at, struct why *ret,
               struct err *err)
{
    struct asking a = {
        .store = store, .item = &cmd->u.plan.tasks[at], .cluster = cmd->u.plan.cluster};
    struct arena arena;
    int rv;
    apply_before(store, cmd, at);
    arena_init(&arena, sysmem());
    a.nodes = arena_array(&arena, store_slots(store, KIND_NODE) + 1, sizeof *a.nodes);
    for (uint32_t slot = 0; slot < store_slots(store, KIND_NODE); slot++) {
        const struct node *n = store_node(store, slot);
        if (n != NULL && n->cluster == a.cluster && n->status != NODE_INACTIVE) {
            a.nodes[a.n_nodes++] = slot;
        }
    }
    put_words(&a, ret);
    rv = ask(&a, cmd->at_ms, &arena, err);
    if (rv == 0) {
        ret->nodes = json_array();
        for (uint32_t i = 0; i < a.n_nodes; i++) {
            (void)json_array_append_new(ret->nodes, describe_node(&a, a.nodes[i]));
        }
    }
    arena_close(&arena);
    return rv;
}
