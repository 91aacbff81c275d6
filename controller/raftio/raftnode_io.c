/* What the parts of the node say to each other. */
#include "common/log/log.h"
#include "controller/raftio/raftnode_impl.h"

#include <assert.h>
#include <string.h>

/* --- from the replica ------------------------------------------------------------------------ */

static void on_save_vote(void *ctx, uint64_t term, uint64_t vote)
{
    struct raftnode *n = ctx;
    struct err err = {0};
    if (!n->dead && durable_save_vote(n->durable, term, vote, &err) != 0) {
        raftnode_fail(n, &err);
    }
}

static void on_append(void *ctx, uint64_t index, const struct replica_entry *entries,
                      unsigned n_entries, uint64_t ticket)
{
    struct raftnode *n = ctx;
    if (!n->dead) {
        writer_append(n->writer, index, entries, n_entries, ticket);
    }
}

static void on_send(void *ctx, const struct replica_message *message)
{
    struct raftnode *n = ctx;
    if (!n->dead && n->peers != NULL) {
        peers_send_replica(n->peers, message);
    }
}

static void on_apply(void *ctx, uint64_t index, const struct replica_entry *e)
{
    struct raftnode *n = ctx;
    struct proposal *p =
        list_empty(&n->waiting) ? NULL : container_of(n->waiting.next, struct proposal, link);
    void *cookie = NULL;
    if (e->type != RAFT_COMMAND || n->dead) {
        return;
    }
    n->n_applied++;
    if (p != NULL && p->index == index) {
        cookie = p->cookie;
        list_remove(&p->link);
        mem_free(n->mem, p, sizeof *p + p->len);
    }
    n->events.apply(n->ctx, index, e->term, e->bytes, e->len, cookie);
}

static void on_changed(void *ctx, const struct replica_status *s)
{
    struct raftnode *n = ctx;
    if (n->dead) {
        return;
    }
    if (s->term != n->term_seen) {
        n->term_seen = s->term;
        n->n_elections++;
    }
    log_debug("raft.state", log_str("state", raft_state_name((int)s->state)),
              log_u64("term", s->term), log_u64("leader", s->leader), log_bool("ready", s->ready));
    if (s->leader != n->told_leader_id) {
        n->told_leader_id = s->leader;
        log_info("raft.leader", log_u64("leader", s->leader), log_u64("term", s->term));
        if (n->events.leader_changed != NULL) {
            n->events.leader_changed(n->ctx, s->leader);
        }
    }
    if (s->ready && !n->told_leader) {
        n->told_leader = true;
        n->events.leader(n->ctx, s->term);
    }
}

static void on_lost(void *ctx, uint64_t term)
{
    struct raftnode *n = ctx;
    raftnode_lose_all(n);
    transfer_stop(n->transfer);
    if (n->told_leader) {
        n->told_leader = false;
        n->events.follower(n->ctx, term);
    }
}

static void on_read_ready(void *ctx, uint64_t ticket)
{
    struct raftnode *n = ctx;
    n->read_ticket = ticket;
    while (!list_empty(&n->reads_asked)) {
        struct reader *r = container_of(n->reads_asked.next, struct reader, link);
        if (r->ticket > ticket) {
            break;
        }
        r->status = 0;
        list_remove(&r->link);
        list_push(&n->reads_done, &r->link);
    }
    loop_soon_post(n->soon);
}

static void on_snapshot_send(void *ctx, uint64_t peer, uint64_t index)
{
    struct raftnode *n = ctx;
    if (n->dead || n->stopping) {
        return;
    }
    transfer_start(n->transfer, clock_mono_ms(), peer, replica_status(n->replica).term, index);
    if (transfer_busy(n->transfer) && !loop_timer_active(n->transfer_tick)) {
        loop_timer_repeat(n->transfer_tick, 100, 100);
    }
}

/* Answers of a peer arrive in the order in which it gave them, whatever connection they came on, so
 * this is not a late one. */
static void on_peer_lost_entries(void *ctx, uint64_t peer, uint64_t confirmed, uint64_t kept)
{
    struct raftnode *n = ctx;
    n->n_peer_losses++;
    log_error("raft.peer_lost_entries", log_u64("peer", peer), log_u64("confirmed", confirmed),
              log_u64("has", kept));
}

static void on_snapshot_install(void *ctx, const struct replica_snapshot *s)
{
    struct raftnode *n = ctx;
    struct err err = {0};
    if (n->dead) {
        return;
    }
    assert(n->incoming.index == s->index);
    if (durable_install_begin(n->durable, s, &err) != 0) {
        raftnode_fail(n, &err);
        return;
    }
    log_info("raft.snapshot_install", log_u64("index", s->index), log_u64("term", s->term),
             log_u64("bytes", n->incoming.size));
    n->install_index = s->index;
    n->install_asked = true;
    n->events.receive_install(n->ctx, &n->incoming);
}

static void on_members(void *ctx)
{
    struct raftnode *n = ctx;
    n->seats_dirty = true;
    loop_soon_post(n->soon);
}

const struct replica_io raftnode_replica_io = {
    .save_vote = on_save_vote,
    .append = on_append,
    .send = on_send,
    .apply = on_apply,
    .changed = on_changed,
    .lost = on_lost,
    .read_ready = on_read_ready,
    .snapshot_send = on_snapshot_send,
    .peer_lost_entries = on_peer_lost_entries,
    .snapshot_install = on_snapshot_install,
    .members = on_members,
};

/* --- from the writer ------------------------------------------------------------------------- */

static void on_written(void *ctx, uint64_t ticket)
{
    struct raftnode *n = ctx;
    struct err err = {0};
    if (!n->dead && durable_joined(n->durable, &err) != 0) {
        raftnode_fail(n, &err);
    }
    if (!n->dead) {
        raftnode_after(n, replica_persisted(n->replica, clock_mono_ms(), ticket, &err), &err);
    }
}

static void on_reset(void *ctx)
{
    struct raftnode *n = ctx;
    struct err err = {0};
    if (n->dead) {
        return;
    }
    durable_install_end(n->durable);
    if (durable_joined(n->durable, &err) != 0) {
        raftnode_fail(n, &err);
        return;
    }
    n->incoming = (struct raftnode_snapshot){0};
    raftnode_after(n, replica_snapshot_installed(n->replica, clock_mono_ms(), &err), &err);
}

static void on_failed(void *ctx, const struct err *err)
{
    struct raftnode *n = ctx;
    if (!n->dead) {
        raftnode_fail(n, err);
    }
}

const struct writer_events raftnode_writer_events = {
    .done = on_written,
    .reset = on_reset,
    .failed = on_failed,
};

/* --- from the peers -------------------------------------------------------------------------- */

static int on_message(void *ctx, uint64_t from, const struct message *m, struct err *err)
{
    struct raftnode *n = ctx;
    struct replica_status status;
    struct err fatal = {0};
    int rv;
    if (n->dead) {
        return 0;
    }
    status = replica_status(n->replica);
    rv = suspect_check(&n->suspect, m, from, &status, err);
    if (rv != 0) {
        return rv;
    }
    if (m->kind == MESSAGE_REPLICA) {
        rv = replica_receive(n->replica, clock_mono_ms(), &m->replica, &fatal);
        raftnode_after(n, rv, &fatal);
    } else if (!n->stopping && (m->kind != MESSAGE_CHUNK ||
                                suspect_chunk_is_leaders(&n->suspect, &m->chunk, from, &status))) {
        transfer_receive(n->transfer, clock_mono_ms(), from, m);
    }
    return 0;
}

static void on_peer_closed(void *ctx, uint64_t id)
{
    struct raftnode *n = ctx;
    struct err err = {0};
    if (!n->dead && !n->stopping) {
        raftnode_after(n, replica_peer_closed(n->replica, clock_mono_ms(), id, &err), &err);
    }
}

const struct peers_events raftnode_peers_events = {
    .message = on_message,
    .stranger = raftnode_stranger,
    .refused = raftnode_refused,
    .closed = on_peer_closed,
};

/* --- checkpoints on the way ------------------------------------------------------------------ */

static void xfer_send(void *ctx, uint64_t peer, const struct message *m)
{
    struct raftnode *n = ctx;
    peers_send(n->peers, peer, m);
}

static int xfer_conf_at(void *ctx, uint64_t index, uint8_t buf[REPLICA_CONF_MAX], size_t *ret_len,
                        uint64_t *ret_conf_index, struct err *err)
{
    struct raftnode *n = ctx;
    return replica_conf_at(n->replica, index, buf, ret_len, ret_conf_index, err);
}

static int xfer_open(void *ctx, void **ret_handle, struct transfer_meta *ret, struct err *err)
{
    struct raftnode *n = ctx;
    struct raftnode_snapshot s = {0};
    int rv;
    if (n->events.snapshot_open == NULL) {
        return err_set(err, ERR_UNSUPPORTED, "no checkpoints here");
    }
    rv = n->events.snapshot_open(n->ctx, ret_handle, &s, err);
    if (rv != 0) {
        return rv;
    }
    log_info("raft.snapshot_send", log_u64("index", s.index), log_u64("bytes", s.size));
    *ret = (struct transfer_meta){s.index, s.term, s.size};
    return 0;
}

static int xfer_read(void *ctx, void *handle, uint64_t offset, uint8_t *to, size_t size,
                     size_t *ret_n, struct err *err)
{
    struct raftnode *n = ctx;
    return n->events.snapshot_read(n->ctx, handle, offset, to, size, ret_n, err);
}

static void xfer_close(void *ctx, void *handle)
{
    struct raftnode *n = ctx;
    n->events.snapshot_close(n->ctx, handle);
}

static bool xfer_wanted(void *ctx, const struct replica_snapshot *s)
{
    struct raftnode *n = ctx;
    struct replica_status now = replica_status(n->replica);
    return !now.installing && s->index > now.applied && n->events.receive_begin != NULL;
}

static int xfer_begin(void *ctx, const struct transfer_meta *meta, struct err *err)
{
    struct raftnode *n = ctx;
    n->incoming = (struct raftnode_snapshot){meta->index, meta->term, meta->size};
    return n->events.receive_begin(n->ctx, &n->incoming, err);
}

static int xfer_chunk(void *ctx, const uint8_t *bytes, size_t size, struct err *err)
{
    struct raftnode *n = ctx;
    return n->events.receive_chunk(n->ctx, bytes, size, err);
}

static int xfer_end(void *ctx, struct err *err)
{
    (void)ctx;
    (void)err;
    return 0;
}

static void xfer_abort(void *ctx)
{
    struct raftnode *n = ctx;
    n->events.receive_abort(n->ctx);
}

static void xfer_arrived(void *ctx, uint64_t peer, uint64_t term, const struct replica_snapshot *s)
{
    struct raftnode *n = ctx;
    struct err err = {0};
    int rv = replica_snapshot_receive(n->replica, clock_mono_ms(), peer, term, s, &err);
    if (!n->install_asked && n->incoming.index == s->index) {
        n->events.receive_abort(n->ctx); /* No news after all. */
        n->incoming = (struct raftnode_snapshot){0};
    }
    raftnode_after(n, rv, &err);
}

static void xfer_trouble(void *ctx, uint64_t peer, const struct err *err)
{
    (void)ctx;
    log_warn("raft.snapshot_trouble", log_u64("peer", peer), log_err(err));
}

const struct transfer_io raftnode_transfer_io = {
    .send = xfer_send,
    .conf_at = xfer_conf_at,
    .open = xfer_open,
    .read = xfer_read,
    .close = xfer_close,
    .wanted = xfer_wanted,
    .begin = xfer_begin,
    .chunk = xfer_chunk,
    .end = xfer_end,
    .abort = xfer_abort,
    .arrived = xfer_arrived,
    .trouble = xfer_trouble,
};
