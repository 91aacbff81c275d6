/* Nodes that say nothing are given up: their tasks are over and will be replaced. Unless too many
 * fall silent at once: the rule is that of Kubernetes' node lifecycle controller (zone disruption),
 * over all nodes, because what it guards against is a leader that lost sight of them. Losing one or
 * two nodes of two or three is ordinary, losing the last one that is heard is not. */
#include "common/base/buggify.h"
#include "common/base/plant.h"
#include "controller/core/leader_impl.h"

#define MANY_MIN 3 /* Fewer silent nodes are never too many, unless they are all. */

/* Is there anything to give up? */
static bool is_alive(const struct node *node)
{
    return node->connected || node->n_active > 0;
}

static bool is_silent(const struct leader *l, const struct leader_node *n, int64_t now_ms)
{
    return now_ms - n->heard_at >= l->settings.lost_after_ms / 2;
}

static uint8_t judge(const struct leader *l, uint32_t n_alive, uint32_t n_silent)
{
    if (l->settings.loss_percent == 0 || n_silent == 0 || PLANTED(GUARD_OFF)) {
        return LEADER_LOSS_FEW;
    }
    if (n_silent == n_alive) {
        return LEADER_LOSS_ALL;
    }
    return n_silent >= MANY_MIN &&
                   (uint64_t)n_silent * 100 > (uint64_t)n_alive * l->settings.loss_percent
               ? LEADER_LOSS_MANY
               : LEADER_LOSS_FEW;
}

/* The services that wait in vain for their tasks to be replaced are to say why. */
static void tell_services(struct leader *l, int64_t now_ms)
{
    for (uint32_t i = 0; i < l->nodes.high; i++) {
        const struct leader_node *n = leader_node_at(l, i);
        uint32_t slot =
            n == NULL || !is_silent(l, n, now_ms) ? SLOT_NONE : store_node(l->store, i)->first_task;
        while (slot != SLOT_NONE) {
            const struct task *t = store_task(l->store, slot);
            struct leader_service *v = leader_service_at(l, t->service);
            if (t->status != TASK_STOPPED && v != NULL) {
                v->disrupted = true;
                leader_mark(l, t->service);
            }
            slot = t->on_node.next;
        }
    }
}

/* Count, at most once for each time: the same answer serves all nodes that are due. */
static void take_census(struct leader *l, int64_t now_ms)
{
    struct leader_nodes census = {0};
    uint8_t before = l->census.loss;
    if (l->census_at == now_ms) {
        return;
    }
    for (uint32_t i = 0; i < l->nodes.high; i++) {
        const struct leader_node *n = leader_node_at(l, i);
        if (n != NULL && is_alive(store_node(l->store, i))) {
            census.n_alive++;
            census.n_silent += is_silent(l, n, now_ms);
        }
    }
    census.loss = judge(l, census.n_alive, census.n_silent);
    l->census = census;
    l->census_at = now_ms;
    if (census.loss != LEADER_LOSS_FEW && before == LEADER_LOSS_FEW) {
        l->give_up_after = now_ms + l->settings.lost_after_ms;
        tell_services(l, now_ms);
    }
    /* Seen twice: by then the services have said what happens. */
    if (census.loss == LEADER_LOSS_ALL && before == LEADER_LOSS_ALL && l->heard &&
        !l->handed_over) {
        l->handover = true;
    }
}

void recon_node_recount(struct leader *l, int64_t now_ms)
{
    if (l->census.loss != LEADER_LOSS_FEW) {
        take_census(l, now_ms);
    }
}

/* May a node that is due be given up now? */
static bool may_give_up(struct leader *l, int64_t now_ms)
{
    take_census(l, now_ms);
    switch ((enum leader_loss)l->census.loss) {
    case LEADER_LOSS_FEW:
        return true;
    case LEADER_LOSS_MANY:
        if (now_ms < l->give_up_after) {
            return false;
        }
        l->give_up_after = now_ms + l->settings.lost_after_ms;
        return true;
    case LEADER_LOSS_ALL:
        break;
    }
    return false;
}

bool recon_node(struct leader *l, int64_t now_ms, struct command *cmd)
{
    if (now_ms < l->judge_at) {
        return false;
    }
    for (;;) {
        struct heap_node *first = heap_first(&l->silence);
        struct leader_node *n;
        const struct node *node;
        int64_t deadline;
        if (first == NULL || (int64_t)first->key > now_ms) {
            return false;
        }
        n = container_of(first, struct leader_node, deadline);
        node = store_node(l->store, n->slot);
        deadline = n->heard_at + l->settings.lost_after_ms;
        heap_remove(&l->silence, first);
        if (deadline > now_ms) {
            heap_set(&l->silence, first, (uint64_t)deadline);
        } else if (is_alive(node) && (!may_give_up(l, now_ms) || BUGGIFY(LEADER_NODE_LATER))) {
            heap_set(&l->silence, first, (uint64_t)(now_ms + LEADER_LOOK_MS));
        } else if (is_alive(node)) {
            *cmd = (struct command){.kind = CMD_NODE_CONNECTION};
            cmd->u.connection =
                (struct cmd_node_connection){node->id, node->session, CONNECTION_LOST};
            n->busy = true;
            list_push(&l->busy_nodes, &n->queue);
            return true;
        }
    }
}

struct leader_nodes leader_nodes(const struct leader *l)
{
    return l->census;
}

bool leader_take_handover(struct leader *l)
{
    bool wanted = l->handover;
    l->handover = false;
    l->handed_over = l->handed_over || wanted;
    return wanted;
}
