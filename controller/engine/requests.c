/* Requests in and questions about the state: what engine.h offers to the API and the node links. */
#include "common/loop/loop.h"
#include "controller/engine/engine_int.h"

#include <assert.h>
#include <string.h>
#include <sys/random.h>

void engine_submit(struct engine *e, struct engine_write *w)
{
    w->proposed = false;
    list_init(&w->queue);
    if (e->leader == NULL || e->stopping) {
        list_push(&e->refused, &w->queue);
    } else if (e->n_writes >= ENGINE_WAITING_MAX) {
        e->n_rejected++;
        list_push(&e->overflow, &w->queue);
    } else {
        e->n_writes++;
        list_push(&e->writes, &w->queue);
    }
    loop_soon_post(e->pump);
}

/* Raft has confirmed that the state is fresh, or cannot. */
static void on_read(void *arg, int status)
{
    struct engine_read *r = arg;
    list_remove(&r->queue);
    r->ready(r, status);
}

void engine_read(struct engine *e, struct engine_read *r)
{
    struct err err = {0};
    int rv;
    list_init(&r->queue);
    r->engine = e;
    r->status = 0;
    if (!r->eventual) {
        rv = raftnode_read(e->node, on_read, r, &err);
        if (rv == 0) {
            list_push(&e->asked, &r->queue);
            return;
        }
        r->status = rv == ERR_AGAIN ? ERR_NOTLEADER : rv;
    }
    list_push(&e->reads, &r->queue);
    loop_soon_post(e->pump);
}

const struct store *engine_store(const struct engine *e)
{
    return e->store;
}

struct leader *engine_leader(struct engine *e)
{
    return e->leader;
}

bool engine_is_leader(const struct engine *e)
{
    return e->leader != NULL;
}

const char *engine_leader_address(const struct engine *e)
{
    uint64_t id = raftnode_leader(e->node);
    for (unsigned i = 0; i < e->config.n_members; i++) {
        if (e->config.members[i].id == id) {
            return e->config.members[i].api_address;
        }
    }
    return "";
}

/* When the wall clock was set back, time goes on from what the state has seen by the monotonic
 * clock: standing still would freeze back-offs and the detection of lost nodes. */
int64_t engine_now_ms(const struct engine *e)
{
    int64_t wall = (int64_t)clock_wall_ms();
    int64_t since = (int64_t)(clock_mono_ms() - e->seen_mono_ms);
    int64_t least = e->seen_now + since;
    return e->seen_now == 0 || wall > least ? wall : least;
}

uint64_t engine_random(struct engine *e)
{
    uint64_t value = 0;
    ssize_t n = getrandom(&value, sizeof value, 0);
    (void)e;
    assert(n == (ssize_t)sizeof value);
    return value;
}

void engine_status(const struct engine *e, struct engine_status *ret)
{
    struct raftnode_stats stats;
    raftnode_stats(e->node, &stats);
    memset(ret, 0, sizeof *ret);
    ret->member_id = e->config.id;
    ret->leader_id = stats.leader;
    ret->term = stats.term;
    ret->commit_index = stats.commit;
    ret->applied_index = e->applied_index;
    ret->checkpoint_index = storage_durable(e->storage).index;
    ret->log_bytes = stats.disk_bytes;
    ret->n_commands = e->n_commands;
    ret->n_batches = e->n_batches;
    ret->n_rejected = e->n_rejected;
    ret->n_waiting = e->n_writes;
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
