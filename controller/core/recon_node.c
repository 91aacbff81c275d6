/* Nodes that say nothing are given up: their tasks are over and will be replaced. */
#include "controller/core/leader_impl.h"

/* Is there anything to give up? */
static bool is_alive(const struct node *node)
{
    return node->connected || node->n_active > 0;
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
