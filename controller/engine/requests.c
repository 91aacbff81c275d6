/* Requests in and questions about the state: what engine.h offers to the API and the node links. */
#include "controller/engine/engine_int.h"

#include <string.h>

static int on_decide(struct ring_write *ring, struct command *cmd, struct arena *arena,
                     struct err *err)
{
    struct engine_write *w = container_of(ring, struct engine_write, ring);
    return w->decide(w, w->engine, cmd, arena, err);
}

static void on_done(struct ring_write *ring, int status, const struct result *result,
                    const struct err *err)
{
    struct engine_write *w = container_of(ring, struct engine_write, ring);
    w->done(w, status, result, err);
}

void engine_submit(struct engine *e, struct engine_write *w)
{
    w->engine = e;
    w->ring.decide = on_decide;
    w->ring.done = on_done;
    ring_submit(e->ring, &w->ring);
}

static void on_ready(struct ring_read *ring, int status)
{
    struct engine_read *r = container_of(ring, struct engine_read, ring);
    r->ready(r, status);
}

void engine_read(struct engine *e, struct engine_read *r)
{
    r->ring.ready = on_ready;
    r->ring.eventual = r->eventual;
    ring_read(e->ring, &r->ring);
}

const struct store *engine_store(const struct engine *e)
{
    return ring_store(e->ring);
}

struct leader *engine_leader(struct engine *e)
{
    return ring_leader(e->ring);
}

bool engine_is_leader(const struct engine *e)
{
    return ring_leader(e->ring) != NULL;
}

const char *engine_leader_address(const struct engine *e)
{
    return raftnode_api_address(e->node, raftnode_leader(e->node));
}

unsigned engine_controllers(const struct engine *e, const char *v[ENGINE_CONTROLLERS_MAX])
{
    struct raftnode_seat seats[RAFTNODE_MEMBERS_MAX];
    unsigned n_seats = raftnode_members(e->node, seats);
    unsigned n = 0;
    _Static_assert(ENGINE_CONTROLLERS_MAX == RAFTNODE_MEMBERS_MAX, "every one of them");
    for (unsigned i = 0; i < n_seats; i++) {
        if (seats[i].api_address[0] != '\0') {
            v[n++] = seats[i].api_address;
        }
    }
    return n;
}

int64_t engine_now_ms(const struct engine *e)
{
    return ring_now_ms(e->ring);
}

uint64_t engine_random(struct engine *e)
{
    return ring_random(e->ring);
}

uint32_t engine_voters_level(const struct engine *e)
{
    return ring_voters_level(e->ring);
}

void engine_status(const struct engine *e, struct engine_status *ret)
{
    const struct ring_status ring = ring_status(e->ring);
    struct raftnode_stats stats;
    struct storage_stats storage;
    raftnode_stats(e->node, &stats);
    memset(ret, 0, sizeof *ret);
    ret->member_id = e->config.id;
    ret->leader_id = stats.leader;
    ret->term = stats.term;
    ret->commit_index = stats.commit;
    ret->applied_index = ring.applied_index;
    ret->checkpoint_index = storage_durable(e->storage).index;
    ret->log_bytes = stats.disk_bytes;
    ret->n_peer_losses = stats.n_peer_losses;
    ret->n_commands = ring.n_commands;
    ret->n_batches = ring.n_batches;
    ret->n_rejected = ring.n_rejected;
    ret->n_waiting = ring.n_waiting;
    storage_stats(e->storage, &storage);
    ret->n_history = storage.n_history;
    ret->n_history_lost = storage.n_history_lost;
}

void engine_watch_add(struct engine *e, struct engine_watch *w)
{
    list_push(&e->watches, &w->link);
}

void engine_watch_remove(struct engine *e, struct engine_watch *w)
{
    (void)e;
    if (w->link.next != NULL) {
        list_remove(&w->link);
    }
}

struct raftnode *engine_node(struct engine *e)
{
    return e->node;
}

struct storage *engine_storage(struct engine *e)
{
    return e->storage;
}

const struct engine_config *engine_settings(const struct engine *e)
{
    return &e->config;
}
