/* Changes of the members, by hand and at random. */
#include "tests/sim/simworld_impl.h"

#include <assert.h>
#include <string.h>

const char *simworld_address(unsigned node)
{
    static const char *const addresses[SIMWORLD_NODES_MAX] = {
        "a:1/a:2", "b:1/b:2", "c:1/c:2", "d:1/d:2", "e:1/e:2", "f:1/f:2", "g:1/g:2"};
    assert(node < SIMWORLD_NODES_MAX);
    return addresses[node];
}

uint64_t simworld_id(const struct simworld *w, unsigned node)
{
    return w->nodes[node].id;
}

bool simworld_goes_by(const struct simworld *w, unsigned node, uint64_t id)
{
    return w->nodes[node].up && replica_is_member(w->nodes[node].replica, id);
}

bool simworld_conf(const struct simworld *w, unsigned node, struct membership *ret)
{
    return w->nodes[node].up && replica_conf(w->nodes[node].replica, ret);
}

int simworld_change(struct simworld *w, unsigned node, const struct replica_change *change)
{
    return simnode_change(&w->nodes[node], change);
}

void simworld_replace(struct simworld *w, unsigned node)
{
    simnode_replace(&w->nodes[node]);
}

bool simmember_counts(const struct simworld *w, unsigned node)
{
    int leader = simworld_leader(w);
    const struct conf_server *m;
    struct membership c;
    if (leader < 0 || !simworld_conf(w, (unsigned)leader, &c)) {
        return true;
    }
    m = membership_find(&c, w->nodes[node].id);
    return m != NULL && m->role != RAFT_SPARE;
}

void simmember_check(struct simworld *w, unsigned node)
{
    struct membership c;
    if (!simworld_conf(w, node, &c)) {
        return;
    }
    for (uint64_t id = 1; id <= c.last_id; id++) {
        if (simworld_goes_by(w, node, id) != (membership_find(&c, id) != NULL)) {
            simworld_fail(w, "controller %u: libraft and the log disagree about member %llu",
                          node + 1, (unsigned long long)id);
        }
    }
}

/* Known to be removed for good: somebody has applied that. */
static bool is_removed(const struct simworld *w, uint64_t id)
{
    for (unsigned i = 0; i < w->opt.n; i++) {
        struct membership c;
        uint64_t index;
        if (w->nodes[i].up && replica_conf_committed(w->nodes[i].replica, &c, &index) &&
            id <= c.last_id && membership_find(&c, id) == NULL) {
            return true;
        }
    }
    return false;
}

void simmember_random(struct simworld *w)
{
    int leader = simworld_leader(w);
    unsigned at = (unsigned)prng_below(&w->prng, w->opt.n);
    unsigned dice = (unsigned)prng_below(&w->prng, 4);
    struct simnode *n = &w->nodes[at];
    struct replica_change change = {.id = n->id, .address = simworld_address(at)};
    const struct conf_server *m;
    struct membership c;
    if (leader < 0 || !simworld_conf(w, (unsigned)leader, &c)) {
        return;
    }
    m = membership_find(&c, n->id);
    if (m == NULL && is_removed(w, n->id)) {
        simnode_replace(n);
        return;
    }
    if (m == NULL) {
        change.kind = REPLICA_ADD;
    } else if (m->role == RAFT_VOTER ? dice == 0 : dice == 1 && m->role == RAFT_STANDBY) {
        change.kind = REPLICA_REMOVE;
    } else {
        change.kind = REPLICA_ROLE;
        change.role = m->role == RAFT_STANDBY ? RAFT_VOTER : RAFT_STANDBY;
    }
    (void)simnode_change(&w->nodes[leader], &change);
}
