/* Life, and what the owner asks for. Requests are only noted when they are made; the pump at the
 * end of the turn hands them to the replica. So requests may be made from inside callbacks, and
 * those of one turn share one disk write and one round of messages. */
#include "controller/raftio/raftnode.h"

#include "common/base/str.h"
#include "common/log/log.h"
#include "common/loop/sysmem.h"
#include "controller/raftio/raftnode_impl.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ELECTION_MS_DEFAULT 300u
#define TRAILING_DEFAULT    8192u
#define DISK_MIN_DEFAULT    268435456ull /* 256 MiB. */
#define QUEUED_BYTES_MAX    67108864u    /* 64 MiB. */
#define BATCH_BYTES_MAX     4194304u     /* 4 MiB. */
#define MIB                 1048576u     /* 1 MiB. */
#define DISK_WARN_MS        60000u

/* --- small things ---------------------------------------------------------------------------- */

void raftnode_fail(struct raftnode *n, const struct err *err)
{
    n->dead = true;
    if (n->events.fatal == NULL) {
        log_error("raft.fatal", log_err(err));
        _exit(1);
    }
    n->events.fatal(n->ctx, err);
}

static void drop_proposal(struct raftnode *n, struct proposal *p)
{
    list_remove(&p->link);
    mem_free(n->mem, p, sizeof *p + p->len);
}

static void lose_list(struct raftnode *n, struct list *list)
{
    while (!list_empty(list)) {
        struct proposal *p = container_of(list->next, struct proposal, link);
        void *cookie = p->cookie;
        drop_proposal(n, p);
        n->events.lost(n->ctx, cookie);
    }
}

static void fail_reads(struct list *from, struct list *to, int status)
{
    struct list *it;
    list_each (it, from) {
        container_of(it, struct reader, link)->status = status;
    }
    list_splice(to, from);
}

void raftnode_lose_all(struct raftnode *n)
{
    lose_list(n, &n->waiting);
    lose_list(n, &n->queued);
    n->queued_bytes = 0;
    fail_reads(&n->reads_asked, &n->reads_done, ERR_NOTLEADER);
    fail_reads(&n->reads_queued, &n->reads_done, ERR_NOTLEADER);
    loop_soon_post(n->soon);
}

static void rearm(struct raftnode *n)
{
    uint64_t now = clock_mono_ms();
    uint64_t at = replica_deadline_ms(n->replica);
    loop_timer_start(n->tick, at > now ? at - now : 0);
}

/* --- stopping -------------------------------------------------------------------------------- */

static bool may_stop(struct raftnode *n)
{
    struct replica_status s = replica_status(n->replica);
    struct err err = {0};
    if (clock_mono_ms() >= n->stop_deadline_ms) {
        return true;
    }
    if (!list_empty(&n->waiting) || !list_empty(&n->queued)) {
        return false;
    }
    if (s.state != RAFT_LEADER) {
        return true;
    }
    if (!n->handed_over) {
        n->handed_over = true;
        if (replica_transfer(n->replica, clock_mono_ms(), 0, &err) != 0) {
            return true; /* Nobody to hand it to. */
        }
    }
    return replica_status(n->replica).state != RAFT_LEADER;
}

static void check_stop(struct raftnode *n)
{
    if (n->stopping && !n->told_stopped && (n->dead || may_stop(n))) {
        n->told_stopped = true;
        n->events.stopped(n->ctx);
    }
}

void raftnode_after(struct raftnode *n, int rv, const struct err *err)
{
    if (rv != 0 && !n->dead) {
        raftnode_fail(n, err);
    }
    if (n->dead) {
        loop_timer_stop(n->tick);
        return;
    }
    rearm(n);
    if (n->stopping) {
        loop_soon_post(n->soon);
    }
}

/* --- the pump -------------------------------------------------------------------------------- */

static void pump_install(struct raftnode *n)
{
    if (!n->install_answered) {
        return;
    }
    n->install_answered = false;
    n->install_asked = false;
    if (n->install_status != 0) {
        struct err err = {0};
        (void)err_set(&err, n->install_status, "snapshot of entry %llu was not installed",
                      (unsigned long long)n->install_index);
        raftnode_fail(n, &err);
        return;
    }
    writer_reset(n->writer, n->install_index);
}

/* Checkpoints come often; trimming for each few entries would be busywork. */
static void pump_checkpoint(struct raftnode *n)
{
    struct replica_status s = replica_status(n->replica);
    struct replica_snapshot snap = {.index = n->checkpoint_wanted};
    uint8_t conf[REPLICA_CONF_MAX];
    struct err err = {0};
    int rv;
    if (s.installing || snap.index < s.snapshot + 1 + n->config.trailing / 16 ||
        snap.index > s.applied) {
        return;
    }
    snap.term = replica_term_of(n->replica, snap.index);
    rv = replica_conf_at(n->replica, snap.index, conf, &snap.conf_len, &snap.conf_index, &err);
    snap.conf = conf;
    if (rv == 0) {
        rv = durable_note_checkpoint(n->durable, &snap, &err);
    }
    if (rv == 0) {
        rv = replica_snapshot_taken(n->replica, clock_mono_ms(), snap.index, n->config.trailing,
                                    &err);
    }
    if (rv == 0) {
        writer_trim(n->writer, replica_status(n->replica).first - 1);
    }
    raftnode_after(n, rv, &err);
}

/* The next proposals that make one append: all there are, within bounds. */
static unsigned gather(struct raftnode *n, struct raft_buffer *bufs)
{
    unsigned count = 0;
    size_t bytes = 0;
    struct list *it;
    list_each (it, &n->queued) {
        struct proposal *p = container_of(it, struct proposal, link);
        if (count == REPLICA_BATCH_MAX || (count > 0 && bytes + p->len > BATCH_BYTES_MAX)) {
            break;
        }
        bufs[count++] = (struct raft_buffer){p->bytes, p->len};
        bytes += p->len;
    }
    return count;
}

static bool is_refusal(int rv)
{
    return rv == ERR_NOTLEADER || rv == ERR_AGAIN || rv == ERR_FULL;
}

static void pump_proposals(struct raftnode *n)
{
    struct raft_buffer bufs[REPLICA_BATCH_MAX];
    while (!n->dead && !list_empty(&n->queued)) {
        struct err err = {0};
        uint64_t index = 0;
        unsigned count = gather(n, bufs);
        int rv = replica_propose(n->replica, clock_mono_ms(), bufs, count, &index, &err);
        if (is_refusal(rv)) { /* Leadership went between the question and now. */
            lose_list(n, &n->queued);
            n->queued_bytes = 0;
            return;
        }
        for (unsigned i = 0; rv == 0 && i < count && !list_empty(&n->queued); i++) {
            struct proposal *p = container_of(n->queued.next, struct proposal, link);
            n->queued_bytes -= p->len;
            p->index = index + i;
            list_remove(&p->link);
            list_push(&n->waiting, &p->link);
            n->n_proposed++;
        }
        raftnode_after(n, rv, &err);
    }
}

static void pump_reads(struct raftnode *n)
{
    struct err err = {0};
    uint64_t ticket = 0;
    struct list *it;
    int rv;
    if (list_empty(&n->reads_queued)) {
        return;
    }
    rv = replica_read(n->replica, clock_mono_ms(), &ticket, &err);
    if (is_refusal(rv)) {
        fail_reads(&n->reads_queued, &n->reads_done, ERR_NOTLEADER);
        return;
    }
    list_each (it, &n->reads_queued) {
        container_of(it, struct reader, link)->ticket = ticket;
    }
    if (n->read_ticket >= ticket) { /* Answered at once: no other voters. */
        fail_reads(&n->reads_queued, &n->reads_done, 0);
    } else {
        list_splice(&n->reads_asked, &n->reads_queued);
    }
    raftnode_after(n, rv, &err);
}

static void pump_answers(struct raftnode *n)
{
    struct list done;
    list_init(&done);
    list_splice(&done, &n->reads_done);
    while (!list_empty(&done)) {
        struct reader r = *container_of(done.next, struct reader, link);
        struct list *link = done.next;
        list_remove(link);
        mem_free(n->mem, container_of(link, struct reader, link), sizeof r);
        n->n_reads++;
        r.cb(r.arg, r.status);
    }
}

static void pump(void *data)
{
    struct raftnode *n = data;
    if (!n->dead) {
        raftnode_pump_members(n);
    }
    if (!n->dead) {
        pump_install(n);
    }
    if (!n->dead) {
        pump_checkpoint(n);
    }
    if (!n->dead) {
        pump_proposals(n);
    }
    if (!n->dead) {
        pump_reads(n);
    }
    pump_answers(n);
    check_stop(n);
}

/* --- timers ---------------------------------------------------------------------------------- */

static void on_tick(void *data)
{
    struct raftnode *n = data;
    struct err err = {0};
    if (!n->dead) {
        raftnode_after(n, replica_tick(n->replica, clock_mono_ms(), &err), &err);
    }
}

static void on_transfer_tick(void *data)
{
    struct raftnode *n = data;
    transfer_tick(n->transfer, clock_mono_ms());
    if (n->dead || !transfer_busy(n->transfer)) {
        transfer_stop(n->transfer);
        loop_timer_stop(n->transfer_tick);
    }
}

/* A leader without room refuses commands that another one could take. */
static void relieve(struct raftnode *n)
{
    uint64_t peer = replica_roomy_peer(n->replica);
    struct err err = {0};
    if (replica_is_ready(n->replica) && peer != 0 &&
        replica_transfer(n->replica, clock_mono_ms(), peer, &err) == 0) {
        log_info("raft.hand_over", log_u64("to", peer));
        raftnode_after(n, 0, &err);
    }
}

/* How much room is there? */
static void on_house(void *data)
{
    struct raftnode *n = data;
    struct writer_stats stats;
    struct err err = {0};
    uint64_t mib;
    uint64_t now = clock_mono_ms();
    if (n->dead) {
        return;
    }
    if (n->disk.room(n->disk.ctx, &n->disk_room, &err) != 0) {
        raftnode_fail(n, &err);
        return;
    }
    writer_stats(n->writer, &stats);
    n->disk_room += stats.logfile_reserved;
    mib = n->disk_room / MIB;
    replica_set_capacity(n->replica, mib < UINT16_MAX ? (unsigned short)mib : UINT16_MAX);
    if (n->disk_room < n->config.disk_min_bytes && now >= n->disk_warned_ms) {
        n->disk_warned_ms = now + DISK_WARN_MS;
        log_warn("raft.disk_low", log_u64("room_bytes", n->disk_room),
                 log_u64("min_bytes", n->config.disk_min_bytes));
        relieve(n);
    }
    raftnode_record_members(n);
    check_stop(n);
}

/* --- life ------------------------------------------------------------------------------------ */

static int copy_config(struct raftnode *n, const struct raftnode_config *c, struct err *err)
{
    bool found = false;
    if (c->n_members == 0 || c->n_members > REPLICA_MEMBERS_MAX) {
        return err_set(err, ERR_INVALID, "members: %u, must be from 1 to %u", c->n_members,
                       REPLICA_MEMBERS_MAX);
    }
    n->config = *c;
    n->config.members = n->members;
    n->config.dir = NULL;
    n->config.listen = NULL;
    n->config.software = n->software;
    (void)str_copy(n->software, sizeof n->software, str_of(c->software));
    n->config.election_ms = c->election_ms != 0 ? c->election_ms : ELECTION_MS_DEFAULT;
    n->config.trailing = c->trailing != 0 ? c->trailing : TRAILING_DEFAULT;
    n->config.disk_min_bytes = c->disk_min_bytes != 0 ? c->disk_min_bytes : DISK_MIN_DEFAULT;
    n->config.n_members = 0;
    for (unsigned i = 0; i < c->n_members; i++) {
        n->members[i].id = c->members[i].id;
        n->members[i].address =
            mem_dup(n->mem, c->members[i].address, strlen(c->members[i].address));
        n->config.n_members++;
        found = found || c->members[i].id == c->id;
    }
    return found || c->listen != NULL
               ? 0
               : err_set(err, ERR_INVALID, "controller %llu is not among the members",
                         (unsigned long long)c->id);
}

static int open_durable(struct raftnode *n, const struct raftnode_config *c, struct err *err)
{
    struct conf_member members[REPLICA_MEMBERS_MAX];
    struct durable_settings set = {
        .id = c->id,
        .members = members,
        .n_members = c->n_members,
        .joining = c->joining,
        .checkpoint_index = c->checkpoint_index,
        .checkpoint_term = c->checkpoint_term,
        .log = {.segment_bytes = c->segment_bytes},
    };
    int rv = disk_posix_open(c->dir, &n->disk, err);
    if (rv == 0 && uv_random(NULL, NULL, &set.incarnation, sizeof set.incarnation, 0, NULL) != 0) {
        rv = err_set(err, ERR_IO, "no random bytes");
    }
    set.incarnation |= 1; /* 0 means none. */
    for (unsigned i = 0; i < c->n_members; i++) {
        members[i] = (struct conf_member){c->members[i].id, c->members[i].address};
    }
    if (rv == 0) { /* The writer thread allocates too: the heap must take that. */
        rv = durable_open(&n->disk, sysmem(), &set, &n->durable, err);
    }
    return rv != 0 ? err_wrap(err, rv, "%s", c->dir) : 0;
}

static int open_replica(struct raftnode *n, struct err *err)
{
    struct replica_settings set = {
        .id = n->config.id,
        .election_ms = n->config.election_ms,
        .heartbeat_ms = n->config.heartbeat_ms,
        .cache_bytes_max = n->config.memory_bytes,
        .seed = n->config.seed,
    };
    uint64_t min_mib = n->config.disk_min_bytes / MIB;
    int rv;
    set.capacity_min = min_mib < UINT16_MAX ? (unsigned short)min_mib : UINT16_MAX;
    if (set.seed == 0 && uv_random(NULL, NULL, &set.seed, sizeof set.seed, 0, NULL) != 0) {
        set.seed = (unsigned)uv_hrtime();
    }
    rv = replica_open(&set, n->mem, &raftnode_replica_io, n, &n->replica, err);
    if (rv == 0) {
        rv = replica_start(n->replica, clock_mono_ms(), durable_boot(n->durable), err);
    }
    durable_boot_done(n->durable);
    return rv;
}

static int open_peers(struct raftnode *n, const struct raftnode_config *c, struct err *err)
{
    struct peers_member members[2 * CONF_MEMBERS_MAX];
    struct peers_config pc = {
        .loop = c->loop,
        .mem = c->mem,
        .id = c->id,
        .incarnation = durable_incarnation(n->durable),
        .software = n->software,
        .level = c->feature_level != 0 ? c->feature_level : 1,
        .cluster_id = c->cluster_id,
        .epoch = c->epoch,
        .members = members,
        .n_members = raftnode_peers(n, members),
        .listen = c->listen,
        .tls_server = c->tls_server,
        .tls_client = c->tls_client,
    };
    return peers_open(&pc, &raftnode_peers_events, n, &n->peers, err);
}

static void open_timers(struct raftnode *n)
{
    uv_loop_t *loop = n->config.loop;
    n->soon = loop_soon_open(loop, pump, n);
    n->tick = loop_timer_open(loop, on_tick, n);
    n->house = loop_timer_open(loop, on_house, n);
    n->transfer_tick = loop_timer_open(loop, on_transfer_tick, n);
}

static void log_open_state(const struct raftnode *n)
{
    struct replica_status s = replica_status(n->replica);
    log_info("raft.open", log_u64("id", n->config.id), log_u64("term", s.term),
             log_u64("checkpoint", s.snapshot), log_u64("first", s.first), log_u64("last", s.last));
}

int raftnode_open(const struct raftnode_config *config, const struct raftnode_events *events,
                  void *ctx, struct raftnode **ret, struct err *err)
{
    struct raftnode *n = mem_alloc(config->mem, sizeof *n);
    int rv;
    n->mem = config->mem;
    n->events = *events;
    n->ctx = ctx;
    list_init(&n->queued);
    list_init(&n->waiting);
    list_init(&n->reads_queued);
    list_init(&n->reads_asked);
    list_init(&n->reads_done);
    rv = copy_config(n, config, err);
    if (rv == 0) {
        open_timers(n);
        rv = open_durable(n, config, err);
    }
    if (rv == 0) {
        rv = writer_open(config->loop, durable_log(n->durable), &raftnode_writer_events, n,
                         &n->writer, err);
    }
    if (rv == 0) {
        rv = transfer_open(n->mem, &raftnode_transfer_io, n, &n->transfer);
    }
    if (rv == 0) {
        rv = open_replica(n, err);
    }
    if (rv == 0) {
        rv = open_peers(n, config, err);
    }
    if (rv != 0) {
        raftnode_close(n);
        return err_wrap(err, rv, "raft");
    }
    on_house(n);
    loop_timer_repeat(n->house, 1000, 1000);
    rearm(n);
    log_open_state(n);
    *ret = n;
    return 0;
}

void raftnode_stop(struct raftnode *n)
{
    if (n->stopping) {
        return;
    }
    n->stopping = true;
    n->stop_deadline_ms = clock_mono_ms() + 2 * (uint64_t)n->config.election_ms;
    loop_timer_repeat(n->house, 20, 20);
    transfer_stop(n->transfer);
    loop_soon_post(n->soon);
}

static void free_readers(struct raftnode *n, struct list *list)
{
    while (!list_empty(list)) {
        struct reader *r = container_of(list->next, struct reader, link);
        list_remove(&r->link);
        mem_free(n->mem, r, sizeof *r);
    }
}

static void free_proposals(struct raftnode *n, struct list *list)
{
    while (!list_empty(list)) {
        drop_proposal(n, container_of(list->next, struct proposal, link));
    }
}

void raftnode_close(struct raftnode *n)
{
    if (n == NULL) {
        return;
    }
    n->dead = true;
    loop_soon_close(n->soon);
    loop_timer_close(n->tick);
    loop_timer_close(n->house);
    loop_timer_close(n->transfer_tick);
    peers_close(n->peers);
    writer_close(n->writer);
    transfer_close(n->transfer);
    replica_close(n->replica);
    durable_close(n->durable);
    disk_posix_close(&n->disk);
    free_proposals(n, &n->queued);
    free_proposals(n, &n->waiting);
    free_readers(n, &n->reads_queued);
    free_readers(n, &n->reads_asked);
    free_readers(n, &n->reads_done);
    for (unsigned i = 0; i < n->config.n_members; i++) {
        char *address = (char *)(uintptr_t)n->members[i].address;
        mem_free(n->mem, address, strlen(address) + 1);
    }
    mem_free(n->mem, n, sizeof *n);
}

/* --- requests -------------------------------------------------------------------------------- */

static int may_ask(const struct raftnode *n, struct err *err)
{
    if (n->dead || n->stopping) {
        return err_set(err, ERR_CLOSED, "the controller is stopping");
    }
    return 0;
}

int raftnode_propose(struct raftnode *n, const uint8_t *bytes, size_t len, void *cookie,
                     struct err *err)
{
    struct raft_buffer b = {(void *)(uintptr_t)bytes, len};
    struct proposal *p;
    int rv = may_ask(n, err);
    assert(cookie != NULL);
    if (rv == 0) {
        rv = replica_may_propose(n->replica, &b, 1, err);
    }
    if (rv == 0 && n->queued_bytes + len > QUEUED_BYTES_MAX) {
        rv = err_set(err, ERR_FULL, "%llu bytes wait for the log already",
                     (unsigned long long)n->queued_bytes);
    }
    if (rv != 0) {
        return rv;
    }
    p = mem_alloc(n->mem, sizeof *p + len);
    p->cookie = cookie;
    p->len = len;
    memcpy(p->bytes, bytes, len);
    list_push(&n->queued, &p->link);
    n->queued_bytes += len;
    loop_soon_post(n->soon);
    return 0;
}

int raftnode_read(struct raftnode *n, raftnode_read_cb cb, void *arg, struct err *err)
{
    struct replica_status s;
    struct reader *r;
    int rv = may_ask(n, err);
    if (rv != 0) {
        return rv;
    }
    s = replica_status(n->replica);
    if (s.state != RAFT_LEADER) {
        return err_set(err, ERR_NOTLEADER, "not the leader");
    }
    if (!s.ready) {
        return err_set(err, ERR_AGAIN, "leadership is changing");
    }
    r = mem_alloc(n->mem, sizeof *r);
    r->cb = cb;
    r->arg = arg;
    list_push(&n->reads_queued, &r->link);
    loop_soon_post(n->soon);
    return 0;
}

void raftnode_checkpoint(struct raftnode *n, uint64_t index)
{
    if (index > n->checkpoint_wanted) {
        n->checkpoint_wanted = index;
        loop_soon_post(n->soon);
    }
}

void raftnode_installed(struct raftnode *n, int status)
{
    assert(n->install_asked);
    n->install_answered = true;
    n->install_status = status;
    loop_soon_post(n->soon);
}

int raftnode_transfer(struct raftnode *n, uint64_t id, struct err *err)
{
    int rv = may_ask(n, err);
    if (rv == 0) {
        rv = replica_transfer(n->replica, clock_mono_ms(), id, err);
    }
    if (rv == 0) {
        raftnode_after(n, 0, err);
    }
    return rv;
}

/* --- questions ------------------------------------------------------------------------------- */

void raftnode_identify(struct raftnode *n, struct id cluster_id, uint64_t epoch)
{
    peers_identify(n->peers, cluster_id, epoch);
}

uint64_t raftnode_id(const struct raftnode *n)
{
    return n->config.id;
}

bool raftnode_is_leader(const struct raftnode *n)
{
    return replica_is_ready(n->replica);
}

uint64_t raftnode_leader(const struct raftnode *n)
{
    return replica_status(n->replica).leader;
}

bool raftnode_connected(const struct raftnode *n, uint64_t id)
{
    return peers_connected(n->peers, id);
}

uint32_t raftnode_voters_level(const struct raftnode *n)
{
    struct membership m;
    uint32_t lowest = n->config.feature_level;
    if (!replica_conf(n->replica, &m)) {
        return 0;
    }
    for (unsigned i = 0; i < m.n; i++) {
        const struct conf_server *v = &m.member[i];
        uint32_t level = v->id == n->config.id ? lowest : peers_level(n->peers, v->id);
        if (v->role == RAFT_VOTER && level < lowest) {
            lowest = level;
        }
    }
    return lowest;
}

void raftnode_stats(const struct raftnode *n, struct raftnode_stats *ret)
{
    struct replica_status s = replica_status(n->replica);
    struct writer_stats w;
    writer_stats(n->writer, &w);
    *ret = (struct raftnode_stats){
        .role = s.state == RAFT_LEADER      ? RAFTNODE_LEADER
                : s.state == RAFT_CANDIDATE ? RAFTNODE_CANDIDATE
                                            : RAFTNODE_FOLLOWER,
        .ready = s.ready,
        .term = s.term,
        .leader = s.leader,
        .last = s.last,
        .durable = s.durable,
        .commit = s.commit,
        .applied = s.applied,
        .first = s.first,
        .checkpoint = s.snapshot,
        .memory_bytes = s.cache_bytes,
        .disk_bytes = w.logfile_bytes,
        .disk_room_bytes = n->disk_room,
        .n_proposed = n->n_proposed,
        .n_applied = n->n_applied,
        .n_reads = n->n_reads,
        .n_elections = n->n_elections,
        .n_peer_losses = n->n_peer_losses,
        .n_fsyncs = w.n_syncs,
        .fsync_us_sum = w.sync_us_sum,
        .fsync_us_max = w.sync_us_max,
        .n_peers_connected = peers_n_connected(n->peers),
    };
    _Static_assert(RAFTNODE_LATENCY_N == WRITER_LATENCY_N, "the same buckets");
    memcpy(ret->fsync_us, w.sync_us, sizeof ret->fsync_us);
}
