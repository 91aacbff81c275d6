/* One simulated controller: the same pieces as raftnode.c puts together, driven by events. */
#include "common/base/hash.h"
#include "tests/sim/simworld_impl.h"

#include <assert.h>
#include <string.h>

uint64_t simnode_now_ms(const struct simnode *n)
{
    int64_t us = (int64_t)n->w->now_us;
    return (uint64_t)(us + us / (int64_t)PPM * n->drift_ppm) / 1000 + n->clock_offset_ms;
}

/* When its clock will show at_ms, about: a tick that comes too soon is followed by another. */
static uint64_t when_us(const struct simnode *n, uint64_t at_ms)
{
    uint64_t now = simnode_now_ms(n);
    int64_t us = at_ms > now ? (int64_t)((at_ms - now) * 1000) : 0;
    us -= us / (int64_t)PPM * n->drift_ppm;
    return n->w->now_us + (uint64_t)us;
}

void simnode_must(struct simnode *n, int rv, const struct err *err, const char *what)
{
    if (rv != 0) {
        simworld_fail(n->w, "controller %u: %s: %s", n->at + 1, what, err->text);
    }
}

/* After every input: die if the disk did, otherwise look when to wake up next. */
static void after(struct simnode *n)
{
    if (!n->up) {
        return;
    }
    if (n->w->opt.plant == SIMPLANT_EARLY_ACK && !n->doomed) {
        struct err err = {0};
        simnode_must(n, replica_persisted(n->replica, simnode_now_ms(n), n->last_ticket, &err),
                     &err, "persisted");
    }
    if (n->doomed) {
        n->w->stats.faults++;
        simnode_crash(n);
        return;
    }
    if (n->tick == NULL) {
        n->tick = simworld_event(n->w, EV_TICK, n->at, 0, 0);
    }
    heap_set(&n->w->events, &n->tick->node, when_us(n, replica_deadline_ms(n->replica)));
}

/* --- what the replica asks for --------------------------------------------------------------- */

static void on_save_vote(void *ctx, uint64_t term, uint64_t vote)
{
    struct simnode *n = ctx;
    struct err err = {0};
    if (n->doomed || n->w->opt.plant == SIMPLANT_NO_VOTE) {
        return;
    }
    if (simworld_chance(n->w, n->w->opt.write_fault)) {
        simdisk_fail_after(n->disk, 1 + (unsigned)prng_below(&n->w->prng, 4));
    }
    n->doomed = durable_save_vote(n->durable, term, vote, &err) != 0;
    simdisk_fail_after(n->disk, 0);
}

static void drop_op(struct simnode *n, struct write_op *op)
{
    const struct mem *mem = &n->w->mem;
    list_remove(&op->link);
    for (unsigned i = 0; i < op->n; i++) {
        mem_free(mem, (void *)(uintptr_t)op->entries[i].bytes, op->entries[i].len + 1);
    }
    mem_free(mem, op->entries, op->n * sizeof *op->entries);
    mem_free(mem, op, sizeof *op);
}

static struct write_op *add_op(struct simnode *n, unsigned n_entries)
{
    struct simworld *w = n->w;
    struct write_op *op = mem_alloc(&w->mem, sizeof *op);
    op->n = n_entries;
    op->entries = n_entries == 0 ? NULL : mem_alloc(&w->mem, n_entries * sizeof *op->entries);
    list_push(&n->writes, &op->link);
    if (!n->writing) {
        uint64_t us = simworld_between(w, 50, 50 + w->opt.disk_us_max);
        if (simworld_chance(w, w->opt.stall)) {
            w->stats.stalled++;
            us = simworld_between(w, us, w->opt.stall_us_max > 0 ? w->opt.stall_us_max : 400000);
        }
        n->writing = true;
        n->written = simworld_event(w, EV_WRITE, n->at, us, 0);
    }
    return op;
}

static void on_append(void *ctx, uint64_t index, const struct replica_entry *entries, unsigned n,
                      uint64_t ticket)
{
    struct simnode *node = ctx;
    struct write_op *op = add_op(node, n);
    op->kind = OP_APPEND;
    op->index = index;
    node->last_ticket = ticket;
    op->ticket = ticket;
    for (unsigned i = 0; i < n; i++) {
        simcheck_append(node->w, index + i, &entries[i]);
        op->entries[i] = entries[i];
        op->entries[i].bytes =
            (uint8_t *)mem_dup(&node->w->mem, (const char *)entries[i].bytes, entries[i].len);
    }
}

static void on_send(void *ctx, const struct replica_message *message)
{
    struct simnode *n = ctx;
    struct message m = {.kind = MESSAGE_REPLICA};
    m.replica = *message;
    if (!n->doomed) {
        simworld_send(n->w, n->at, &m, message->peer);
    }
}

static void acked(struct simnode *n, uint64_t index)
{
    n->w->stats.acked++;
    n->w->check.acked = index > n->w->check.acked ? index : n->w->check.acked;
}

static void app_apply(struct simnode *n, uint64_t index, const struct replica_entry *e)
{
    const struct simapp *app = n->w->opt.app;
    bool ours = n->app_index == index;
    if (e->type != RAFT_COMMAND) {
        return;
    }
    n->saved = n->state;
    if (ours) {
        n->app_index = 0;
        acked(n, index);
    }
    app->apply(app->ctx, n->at, index, e->term, e->bytes, e->len, ours);
}

static void on_apply(void *ctx, uint64_t index, const struct replica_entry *e)
{
    struct simnode *n = ctx;
    struct proposal *p =
        list_empty(&n->proposals) ? NULL : container_of(n->proposals.next, struct proposal, link);
    uint64_t digest;
    if (index != n->state.index + 1) {
        simworld_fail(n->w, "controller %u applies %llu after %llu", n->at + 1,
                      (unsigned long long)index, (unsigned long long)n->state.index);
    }
    digest = simcheck_apply(n->w, n->at, index, e, n->state.digest);
    n->state = (struct simstate){index, e->term, digest};
    n->reached = index > n->reached ? index : n->reached;
    n->w->stats.applied++;
    simworld_note(n->w, digest);
    if (n->w->opt.app != NULL) {
        app_apply(n, index, e);
        return;
    }
    if (p == NULL || p->index != index) {
        return;
    }
    if (e->len < 8 || get_u64(e->bytes) != p->id) {
        simworld_fail(n->w, "controller %u: entry %llu is not what was proposed", n->at + 1,
                      (unsigned long long)index);
    }
    acked(n, index);
    list_remove(&p->link);
    mem_free(&n->w->mem, p, sizeof *p);
}

static void on_changed(void *ctx, const struct replica_status *s)
{
    struct simnode *n = ctx;
    if (s->term >= SIMWORLD_FORGED_TERM) {
        simworld_fail(n->w, "controller %u believes a forger: term %llu", n->at + 1,
                      (unsigned long long)s->term);
    }
    if (s->state == RAFT_LEADER) {
        simcheck_leader(n->w, n->at, s->term);
    }
    simworld_trace(n->w, "controller %u: %s term %llu leader %llu%s last %llu commit %llu",
                   n->at + 1, raft_state_name((int)s->state), (unsigned long long)s->term,
                   (unsigned long long)s->leader, s->ready ? " ready" : "",
                   (unsigned long long)s->last, (unsigned long long)s->commit);
    if (n->w->opt.app != NULL && s->ready && !n->app_leads) {
        n->app_leads = true;
        n->w->opt.app->lead(n->w->opt.app->ctx, n->at);
    }
}

static void drop_requests(struct simnode *n)
{
    while (!list_empty(&n->proposals)) {
        struct proposal *p = container_of(n->proposals.next, struct proposal, link);
        list_remove(&p->link);
        mem_free(&n->w->mem, p, sizeof *p);
        n->w->stats.lost++;
    }
    while (!list_empty(&n->reads)) {
        struct asked *a = container_of(n->reads.next, struct asked, link);
        list_remove(&a->link);
        mem_free(&n->w->mem, a, sizeof *a);
    }
}

static void on_lost(void *ctx, uint64_t term)
{
    struct simnode *n = ctx;
    (void)term;
    drop_requests(n);
    transfer_stop(n->transfer);
    if (n->w->opt.app != NULL) {
        n->w->stats.lost += n->app_index != 0;
        n->app_index = 0;
        n->app_leads = false;
        n->w->opt.app->lost(n->w->opt.app->ctx, n->at);
    }
}

static void check_read(struct simnode *n, uint64_t need)
{
    n->w->stats.reads++;
    if (n->state.index < need) {
        simworld_fail(n->w, "controller %u reads at %llu, but %llu was acknowledged before",
                      n->at + 1, (unsigned long long)n->state.index, (unsigned long long)need);
    }
}

static void on_read_ready(void *ctx, uint64_t ticket)
{
    struct simnode *n = ctx;
    n->reads_done = ticket;
    if (n->w->opt.app != NULL) {
        n->w->opt.app->read_ready(n->w->opt.app->ctx, n->at, ticket);
    }
    while (!list_empty(&n->reads)) {
        struct asked *a = container_of(n->reads.next, struct asked, link);
        if (a->ticket > ticket) {
            break;
        }
        check_read(n, a->need);
        list_remove(&a->link);
        mem_free(&n->w->mem, a, sizeof *a);
    }
}

static void on_snapshot_send(void *ctx, uint64_t peer, uint64_t index)
{
    struct simnode *n = ctx;
    bool was_busy = transfer_busy(n->transfer);
    transfer_start(n->transfer, simnode_now_ms(n), peer, replica_status(n->replica).term, index);
    if (!was_busy && transfer_busy(n->transfer)) {
        simworld_event(n->w, EV_TRANSFER_TICK, n->at, 100000, 0);
    }
}

static void on_peer_lost_entries(void *ctx, uint64_t peer, uint64_t confirmed, uint64_t kept)
{
    struct simnode *n = ctx;
    n->w->stats.repaired++;
    simworld_trace(n->w, "controller %u: %llu has lost what it had from %llu to %llu", n->at + 1,
                   (unsigned long long)peer, (unsigned long long)kept + 1,
                   (unsigned long long)confirmed);
}

static void on_snapshot_install(void *ctx, const struct replica_snapshot *s)
{
    struct simnode *n = ctx;
    assert(s->conf_len <= sizeof n->install_conf);
    n->install = *s;
    memcpy(n->install_conf, s->conf, s->conf_len);
    n->install.conf = n->install_conf;
    n->install_step = 0;
    if (n->incoming.index != s->index) {
        simworld_fail(n->w, "controller %u installs %llu, received %llu", n->at + 1,
                      (unsigned long long)s->index, (unsigned long long)n->incoming.index);
    }
    simworld_event(n->w, EV_INSTALL, n->at, simworld_between(n->w, 100, 20000), 0);
}

static void on_members(void *ctx)
{
    struct simnode *n = ctx;
    struct membership c;
    if (n->w->opt.verbose && replica_conf(n->replica, &c)) {
        simworld_trace(
            n->w, "controller %llu: members of %llu: %u, %u voters, %s", (unsigned long long)n->id,
            (unsigned long long)replica_conf_index(n->replica), c.n, membership_voters(&c),
            replica_is_changing(n->replica) ? "not committed" : "committed");
    }
}

static const struct replica_io replica_io = {
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

/* --- life ------------------------------------------------------------------------------------ */

void simnode_init(struct simnode *n, struct simworld *w, unsigned at)
{
    n->w = w;
    n->at = at;
    n->id = at + 1;
    n->disk = simdisk_open(&w->mem);
    n->clock_offset_ms = prng_below(&w->prng, 1000000);
    w->stats.drifting += w->opt.drift_ppm > 0;
    n->drift_ppm = (int64_t)prng_below(&w->prng, 2ull * w->opt.drift_ppm + 1) - w->opt.drift_ppm;
    list_init(&n->writes);
    list_init(&n->proposals);
    list_init(&n->reads);
    buf_init(&n->incoming_bytes, &w->mem, SIMWORLD_CHECKPOINT_MAX);
    if (w->opt.skew_ms > 0) {
        n->wall_offset_ms =
            (int64_t)prng_below(&w->prng, 2ull * w->opt.skew_ms) - (int64_t)w->opt.skew_ms;
    }
    if (w->opt.plant == SIMPLANT_LYING_DISK) {
        simdisk_lie(n->disk);
    }
}

/* Everything a process has goes with it. */
void simnode_die(struct simnode *n)
{
    drop_requests(n);
    if (n->app_boots) {
        n->app_boots = false;
        n->w->opt.app->die(n->w->opt.app->ctx, n->at);
    }
    n->app_index = 0;
    n->app_leads = false;
    while (!list_empty(&n->writes)) {
        drop_op(n, container_of(n->writes.next, struct write_op, link));
    }
    transfer_close(n->transfer);
    replica_close(n->replica);
    durable_close(n->durable);
    n->transfer = NULL;
    n->replica = NULL;
    n->durable = NULL;
    if (n->tick != NULL) {
        simworld_event_drop(n->w, n->tick);
        n->tick = NULL;
    }
    n->up = false;
    n->writing = false;
    n->doomed = false;
    n->generation++;
}

void simnode_close(struct simnode *n)
{
    if (n->up) {
        simnode_die(n);
    }
    buf_close(&n->incoming_bytes);
    simdisk_close(n->disk);
}

void simnode_crash(struct simnode *n)
{
    assert(n->up);
    simworld_trace(n->w, "controller %u: crash", n->at + 1);
    n->w->stats.crashes++;
    simnode_die(n);
    simdisk_crash(n->disk, &n->w->prng);
    if (n->w->opt.crash_ms > 0 || n->w->opt.write_fault > 0 || n->w->opt.full_ms > 0 ||
        n->w->opt.rot_ms > 0 || n->w->opt.lose_ms > 0) {
        simworld_event(n->w, EV_RESTART, n->at,
                       simworld_between(n->w, 1, 2 * (n->w->opt.down_ms + 1)) * 1000, 0);
    }
}

static int boot(struct simnode *n, struct err *err)
{
    struct conf_member members[SIMWORLD_NODES_MAX];
    struct durable_settings set = {
        .id = n->id,
        .members = members,
        .n_members = n->w->opt.voters,
        .joining = n->id > n->w->opt.voters,
        .incarnation = prng_u64(&n->w->prng) | 1,
        .checkpoint_index = n->checkpoint.index,
        .checkpoint_term = n->checkpoint.term,
        .log = {.segment_bytes = n->w->opt.segment_bytes},
    };
    struct replica_settings rset = {
        .id = n->id,
        .seed = (unsigned)prng_u64(&n->w->prng),
        .heartbeat_ms = n->w->opt.heartbeat_ms,
        .election_ms = n->w->opt.election_ms,
        .inflight_max = n->w->opt.inflight,
        .capacity_min = n->w->opt.full_ms > 0 ? 256 : 0,
        .message_bytes_max = n->w->opt.message_bytes,
        .snapshot_ms = 2000,
    };
    int rv;
    for (unsigned i = 0; i < SIMWORLD_NODES_MAX; i++) {
        members[i] = (struct conf_member){i + 1, simworld_address(i)};
    }
    rv = durable_open(simdisk_disk(n->disk), &n->w->mem, &set, &n->durable, err);
    if (rv == 0) {
        rv = transfer_open(&n->w->mem, &simnode_transfer_io, n, &n->transfer);
    }
    if (rv == 0) {
        rv = replica_open(&rset, &n->w->mem, &replica_io, n, &n->replica, err);
    }
    if (rv == 0) {
        rv = replica_start(n->replica, simnode_now_ms(n), durable_boot(n->durable), err);
    }
    if (rv == 0) {
        durable_boot_done(n->durable);
    }
    return rv;
}

/* A damaged or full disk: stay out, and try again later. */
static void refuse(struct simnode *n, const struct err *err)
{
    memcpy(n->error, err->text, sizeof n->error);
    simworld_trace(n->w, "controller %u: does not start: %s", n->at + 1, err->text);
    if (!n->w->opt.tolerate && !n->rot.is && !n->full) {
        simworld_fail(n->w, "controller %u does not start: %s", n->at + 1, err->text);
    }
    n->w->stats.refused_starts++;
    simnode_die(n);
    if (n->rot.is && ++n->rot.n_refused == SIMNODE_REFUSALS) {
        simnode_repair(n);
    }
    if (n->w->opt.app != NULL) {
        simworld_event(n->w, EV_RESTART, n->at, 10000000, 0);
    }
}

void simnode_start(struct simnode *n)
{
    const struct simapp *app = n->w->opt.app;
    uint64_t index = 0;
    uint64_t term = 0;
    struct err err = {0};
    assert(!n->up);
    n->generation++;
    n->state = n->checkpoint;
    n->saved = n->checkpoint;
    n->reads_done = 0;
    n->last_ticket = 0;
    n->error[0] = '\0';
    if (app != NULL) {
        app->boot(app->ctx, n->at, &index, &term);
        if (index != n->checkpoint.index || term != n->checkpoint.term) {
            simworld_fail(n->w, "controller %u: its checkpoint is not what it was", n->at + 1);
        }
        n->app_boots = true;
    }
    if (boot(n, &err) != 0) {
        refuse(n, &err);
        return;
    }
    if (n->rot.is && replica_status(n->replica).last >= n->marked) {
        n->reached = replica_status(n->replica).last; /* The last records look like a torn tail. */
    }
    if (replica_status(n->replica).last < n->reached) {
        simworld_fail(n->w, "controller %u starts with a log to %llu, but had applied %llu",
                      n->at + 1, (unsigned long long)replica_status(n->replica).last,
                      (unsigned long long)n->reached);
    }
    n->up = true;
    n->rolls[n->n_rolls++ % SIMNODE_ROLLS] =
        (struct simroll){.index = replica_status(n->replica).last + 1};
    replica_set_capacity(n->replica, n->full ? 1 : UINT16_MAX);
    simworld_trace(n->w, "controller %u: up, checkpoint %llu, log %llu to %llu", n->at + 1,
                   (unsigned long long)n->checkpoint.index,
                   (unsigned long long)replica_status(n->replica).first,
                   (unsigned long long)replica_status(n->replica).last);
    after(n);
}

/* --- events ---------------------------------------------------------------------------------- */

/* Does this controller not know yet that the member is gone? */
static bool is_behind(const struct simnode *n, uint64_t id)
{
    struct membership c;
    return !replica_conf(n->replica, &c) || id > c.last_id || membership_find(&c, id) != NULL ||
           replica_is_changing(n->replica);
}

void simnode_deliver(struct simnode *n, const struct simevent *e)
{
    struct raft_entry entries[REPLICA_BATCH_MAX];
    struct message m;
    struct err err = {0};
    int rv;
    if (!replica_is_known(n->replica, e->from) || (e->forged && is_behind(n, e->from))) {
        return;
    }
    rv = message_decode(e->bytes, e->len, entries, &m, &err);
    if (e->spoiled) {
        if (rv == 0) {
            simworld_fail(n->w,
                          "controller %u takes %zu bytes that are cut or forged for a message",
                          n->at + 1, e->len);
        }
        return; /* And ends the connection, which is made again. */
    }
    simnode_must(n, rv, &err, "decode");
    if (m.kind == MESSAGE_REPLICA) {
        m.replica.peer = e->from;
        simnode_must(n, replica_receive(n->replica, simnode_now_ms(n), &m.replica, &err), &err,
                     "receive");
    } else {
        transfer_receive(n->transfer, simnode_now_ms(n), e->from, &m);
    }
    after(n);
}

void simnode_tick(struct simnode *n)
{
    struct err err = {0};
    n->tick = NULL; /* The event is gone. */
    simnode_must(n, replica_tick(n->replica, simnode_now_ms(n), &err), &err, "tick");
    after(n);
}

/* After a start, and where entries are replaced, the log goes on in a new file. */
static void note_roll(struct simnode *n, uint64_t index, uint64_t last)
{
    struct simroll roll = {.index = index};
    for (uint64_t i = index; i <= last; i++) {
        roll.replaced += n->sizes[i % SIMNODE_SIZES];
    }
    n->rolls[n->n_rolls++ % SIMNODE_ROLLS] = roll;
}

static void note_sizes(struct simnode *n, const struct write_op *op)
{
    for (unsigned i = 0; i < op->n; i++) {
        n->sizes[(op->index + i) % SIMNODE_SIZES] = (uint32_t)op->entries[i].len + SIMNODE_RECORD;
    }
}

static int run_writes(struct simnode *n, uint64_t *ret_ticket, struct err *err)
{
    struct logfile *log = durable_log(n->durable);
    uint64_t trimmed = 0;
    int rv = 0;
    while (rv == 0 && !list_empty(&n->writes)) {
        struct write_op *op = container_of(n->writes.next, struct write_op, link);
        if (op->kind == OP_TRIM) {
            rv = logfile_trim(log, op->index, err);
            trimmed = op->index;
        } else {
            if (op->index <= logfile_last(log)) {
                note_roll(n, op->index, logfile_last(log));
            }
            note_sizes(n, op);
            rv = logfile_append(log, op->index, op->entries, op->n, err);
            *ret_ticket = op->ticket;
        }
        drop_op(n, op);
    }
    if (rv == 0) {
        rv = logfile_flush(log, err);
    }
    if (rv == 0 && trimmed > 0) {
        simcheck_log(n->w, n->at, trimmed, logfile_last(log), logfile_bytes(log));
    }
    if (rv == 0 && prng_below(&n->w->prng, 10) == 0) {
        rv = logfile_mark(log, err);
        n->marked = rv == 0 ? logfile_last(log) : n->marked;
    }
    if (rv == 0 && prng_below(&n->w->prng, 3) == 0) {
        rv = logfile_prepare(log, err);
    }
    return rv;
}

void simnode_write(struct simnode *n)
{
    struct err err = {0};
    uint64_t ticket = 0;
    int rv;
    if (simworld_chance(n->w, n->w->opt.write_fault)) {
        simdisk_fail_after(n->disk, 1 + (unsigned)prng_below(&n->w->prng, 6));
    }
    n->writing = false;
    rv = run_writes(n, &ticket, &err);
    simdisk_fail_after(n->disk, 0);
    if (rv == 0 && ticket > 0) {
        rv = durable_joined(n->durable, &err);
    }
    if (rv != 0) {
        n->doomed = true;
    } else if (ticket > 0) {
        simnode_must(n, replica_persisted(n->replica, simnode_now_ms(n), ticket, &err), &err,
                     "persisted");
    }
    after(n);
}

/* A crash may come between any two steps. */
void simnode_install(struct simnode *n)
{
    struct err err = {0};
    uint64_t ticket = 0;
    int rv = 0;
    switch (n->install_step++) {
    case 0:
        rv = durable_install_begin(n->durable, &n->install, &err);
        break;
    case 1:
        n->checkpoint = n->incoming;
        n->state = n->incoming;
        n->saved = n->incoming;
        simcheck_state(n->w, n->at, &n->state);
        if (n->w->opt.app != NULL) {
            n->w->opt.app->install(n->w->opt.app->ctx, n->at, n->incoming_bytes.data,
                                   n->incoming_bytes.len);
        }
        break;
    default:
        rv = run_writes(n, &ticket, &err);
        if (rv == 0) {
            rv = logfile_reset(durable_log(n->durable), n->install.index, &err);
        }
        if (rv != 0) { /* As any error of the disk: the process ends. */
            n->doomed = true;
            after(n);
            return;
        }
        durable_install_end(n->durable);
        simnode_must(n, durable_joined(n->durable, &err), &err, "joined");
        n->w->stats.installs++;
        if (n->w->opt.app != NULL) {
            n->w->opt.app->installed(n->w->opt.app->ctx, n->at);
        }
        simworld_trace(n->w, "controller %u: installed %llu", n->at + 1,
                       (unsigned long long)n->install.index);
        simnode_must(n, replica_snapshot_installed(n->replica, simnode_now_ms(n), &err), &err,
                     "installed");
        after(n);
        return;
    }
    simnode_must(n, rv, &err, "install");
    simworld_event(n->w, EV_INSTALL, n->at, simworld_between(n->w, 100, 20000), 0);
}

void simnode_transfer_tick(struct simnode *n)
{
    transfer_tick(n->transfer, simnode_now_ms(n));
    if (transfer_busy(n->transfer)) {
        simworld_event(n->w, EV_TRANSFER_TICK, n->at, 100000, 0);
    }
}

/* --- work ------------------------------------------------------------------------------------ */

int simnode_propose(struct simnode *n, size_t len, uint64_t *ret_index)
{
    uint8_t *bytes;
    struct raft_buffer b;
    struct proposal *p;
    struct err err = {0};
    uint64_t index = 0;
    int rv;
    if (!n->up || n->paused_until_us > n->w->now_us) {
        return ERR_UNAVAILABLE;
    }
    len = len < 8 ? 8 : len;
    bytes = mem_alloc(&n->w->mem, len);
    n->w->next_id++;
    put_u64(bytes, n->w->next_id);
    p = mem_alloc(&n->w->mem, sizeof *p);
    p->id = n->w->next_id;
    p->index = replica_status(n->replica).last + 1; /* It may be applied before the call returns. */
    b = (struct raft_buffer){bytes, len};
    list_push(&n->proposals, &p->link);
    rv = replica_propose(n->replica, simnode_now_ms(n), &b, 1, &index, &err);
    mem_free(&n->w->mem, bytes, len);
    if (rv != 0) {
        list_remove(&p->link);
        mem_free(&n->w->mem, p, sizeof *p);
        n->w->stats.refused++;
        if (rv != ERR_NOTLEADER && rv != ERR_AGAIN && rv != ERR_FULL && rv != ERR_TOOBIG) {
            simnode_must(n, rv, &err, "propose");
        }
        return rv;
    }
    n->w->stats.proposed++;
    if (ret_index != NULL) {
        *ret_index = index;
    }
    after(n);
    return 0;
}

int simnode_propose_bytes(struct simnode *n, const uint8_t *bytes, size_t len)
{
    struct raft_buffer b = {(void *)(uintptr_t)bytes, len};
    struct err err = {0};
    uint64_t index = 0;
    int rv;
    assert(n->up && n->app_index == 0);
    n->app_index = replica_status(n->replica).last + 1; /* It may be applied before the return. */
    rv = replica_propose(n->replica, simnode_now_ms(n), &b, 1, &index, &err);
    if (rv != 0) {
        n->app_index = 0;
        n->w->stats.refused++;
        if (rv != ERR_NOTLEADER && rv != ERR_AGAIN && rv != ERR_FULL && rv != ERR_TOOBIG) {
            simnode_must(n, rv, &err, "propose");
        }
        return rv;
    }
    n->w->stats.proposed++;
    after(n);
    return 0;
}

int simnode_ask(struct simnode *n, uint64_t *ret_ticket)
{
    struct err err = {0};
    int rv = replica_read(n->replica, simnode_now_ms(n), ret_ticket, &err);
    if (rv == 0) {
        after(n);
    }
    return rv;
}

void simnode_call(struct simnode *n, const struct simevent *e)
{
    (void)n;
    e->call(e->arg, e->a, e->b);
}

int simnode_read(struct simnode *n)
{
    struct err err = {0};
    struct asked *a;
    uint64_t need = n->w->check.acked;
    uint64_t ticket = 0;
    int rv;
    if (!n->up || n->paused_until_us > n->w->now_us) {
        return ERR_UNAVAILABLE;
    }
    if (n->w->opt.plant == SIMPLANT_STALE_READ && replica_is_ready(n->replica)) {
        check_read(n, need);
        return 0;
    }
    rv = replica_read(n->replica, simnode_now_ms(n), &ticket, &err);
    if (rv != 0) {
        return rv;
    }
    if (n->reads_done >= ticket) {
        check_read(n, need);
    } else if (replica_is_ready(n->replica)) {
        a = mem_alloc(&n->w->mem, sizeof *a);
        a->ticket = ticket;
        a->need = need;
        list_push(&n->reads, &a->link);
    }
    after(n);
    return 0;
}

void simnode_peer_closed(struct simnode *n, uint64_t peer)
{
    struct err err = {0};
    if (n->up && n->paused_until_us <= n->w->now_us) {
        simnode_must(n, replica_peer_closed(n->replica, simnode_now_ms(n), peer, &err), &err,
                     "peer closed");
        after(n);
    }
}

int simnode_handover(struct simnode *n, uint64_t to)
{
    struct err err = {0};
    int rv;
    if (!n->up || n->paused_until_us > n->w->now_us) {
        return ERR_UNAVAILABLE;
    }
    rv = replica_transfer(n->replica, simnode_now_ms(n), to, &err);
    if (rv == 0) {
        n->w->stats.handovers++;
        after(n);
    }
    return rv;
}

int simnode_change(struct simnode *n, const struct replica_change *change)
{
    struct err err = {0};
    uint64_t index;
    int rv;
    if (!n->up || n->paused_until_us > n->w->now_us) {
        return ERR_UNAVAILABLE;
    }
    rv = replica_change(n->replica, simnode_now_ms(n), change, &index, &err);
    memcpy(n->error, err.text, sizeof n->error);
    if (rv == ERR_INTERNAL || rv == ERR_NOMEM) {
        simnode_must(n, rv, &err, "change");
    }
    simworld_trace(n->w, "controller %llu: change %d of %llu: %s", (unsigned long long)n->id,
                   (int)change->kind, (unsigned long long)change->id, rv == 0 ? "ok" : err.text);
    if (rv == 0) {
        n->w->stats.changes += index > 0;
        after(n);
    }
    return rv;
}

void simnode_replace(struct simnode *n)
{
    if (n->up) {
        simnode_die(n);
    }
    simdisk_close(n->disk);
    n->disk = simdisk_open(&n->w->mem);
    n->checkpoint = (struct simstate){0};
    n->reached = 0;
    n->marked = 0;
    n->rot.is = false;
    if (n->w->opt.app != NULL) {
        n->w->opt.app->wipe(n->w->opt.app->ctx, n->at);
    }
    n->id += SIMWORLD_NODES_MAX;
    n->w->stats.replaced++;
    simnode_start(n);
}

void simnode_checkpoint(struct simnode *n)
{
    const struct simapp *app = n->w->opt.app;
    const struct simstate *at = app != NULL ? &n->saved : &n->state;
    struct replica_snapshot s = {.index = at->index, .term = at->term};
    uint8_t conf[REPLICA_CONF_MAX];
    struct err err = {0};
    struct replica_status now = replica_status(n->replica);
    if (now.installing || s.index <= now.snapshot) {
        return;
    }
    n->checkpoint = *at;
    if (app != NULL) {
        app->checkpoint(app->ctx, n->at);
    }
    simnode_must(n, replica_conf_at(n->replica, s.index, conf, &s.conf_len, &s.conf_index, &err),
                 &err, "members");
    s.conf = conf;
    simnode_must(n, durable_note_checkpoint(n->durable, &s, &err), &err, "checkpoint");
    simnode_must(
        n, replica_snapshot_taken(n->replica, simnode_now_ms(n), s.index, n->w->opt.trailing, &err),
        &err, "snapshot taken");
    add_op(n, 0)->kind = OP_TRIM;
    container_of(n->writes.prev, struct write_op, link)->index =
        replica_status(n->replica).first - 1;
    n->w->stats.checkpoints++;
    after(n);
}
