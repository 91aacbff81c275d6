/* Life and inputs. Every input is enter, one or more steps, leave; what an input leads to is in
 * replica_step.c. Messages that a correct peer cannot send are dropped here, because libraft
 * checks them only by assertions that its packaged build leaves out. */
#include "controller/raft/replica.h"

#include "controller/raft/conf.h"
#include "controller/raft/replica_impl.h"

#include <assert.h>
#include <string.h>

#define SUCCESSION_MS         10 /* Until everybody has noticed that the leader is gone. */
#define ELECTION_MS_DEFAULT   300u
#define HEARTBEAT_MS_DEFAULT  50u
#define SNAPSHOT_MS_DEFAULT   10000u
#define INFLIGHT_DEFAULT      64u
#define MESSAGE_BYTES_DEFAULT 1048576u     /* 1 MiB. */
#define CACHE_BYTES_DEFAULT   536870912ull /* 512 MiB. */

/* --- life ------------------------------------------------------------------------------------ */

static void fill_defaults(struct replica_settings *s)
{
    s->election_ms = s->election_ms != 0 ? s->election_ms : ELECTION_MS_DEFAULT;
    s->heartbeat_ms = s->heartbeat_ms != 0 ? s->heartbeat_ms : HEARTBEAT_MS_DEFAULT;
    s->snapshot_ms = s->snapshot_ms != 0 ? s->snapshot_ms : SNAPSHOT_MS_DEFAULT;
    s->inflight_max = s->inflight_max != 0 ? s->inflight_max : INFLIGHT_DEFAULT;
    s->message_bytes_max = s->message_bytes_max != 0 ? s->message_bytes_max : MESSAGE_BYTES_DEFAULT;
    s->cache_bytes_max = s->cache_bytes_max != 0 ? s->cache_bytes_max : CACHE_BYTES_DEFAULT;
}

int replica_open(const struct replica_settings *settings, const struct mem *mem,
                 const struct replica_io *io, void *ctx, struct replica **ret, struct err *err)
{
    struct replica *r;
    if (settings->id == 0) {
        return err_set(err, ERR_INVALID, "replica id must not be 0");
    }
    r = mem_alloc(mem, sizeof *r);
    r->set = *settings;
    fill_defaults(&r->set);
    r->mem = mem;
    r->io = io;
    r->ctx = ctx;
    r->reads.next = 1;
    r->capacity = UINT16_MAX;
    cache_init(&r->cache, mem);
    if (raft_init(&r->raft, NULL, NULL, settings->id, "") != 0) {
        mem_free(mem, r, sizeof *r);
        return err_set(err, ERR_NOMEM, "replica");
    }
    raft_seed(&r->raft, settings->seed);
    raft_set_election_timeout(&r->raft, r->set.election_ms);
    raft_set_heartbeat_timeout(&r->raft, r->set.heartbeat_ms);
    raft_set_install_snapshot_timeout(&r->raft, r->set.snapshot_ms);
    raft_set_max_inflight_entries(&r->raft, r->set.inflight_max);
    raft_set_pre_vote(&r->raft, true);
    *ret = r;
    return 0;
}

void replica_close(struct replica *r)
{
    if (r == NULL) {
        return;
    }
    if (r->installing) {
        raft_configuration_close(&r->install.configuration);
    }
    raft_close(&r->raft, NULL);
    replica_conf_close(r);
    cache_close(&r->cache);
    mem_free(r->mem, r, sizeof *r);
}

/* --- start ----------------------------------------------------------------------------------- */

static int check_entries(const struct replica_boot *b, struct err *err)
{
    uint64_t term = 1;
    for (size_t i = 0; i < b->n_entries; i++) {
        const struct replica_entry *e = &b->entries[i];
        if (e->term < term || e->term > b->term) {
            return err_set(err, ERR_CORRUPT, "entry %llu: term %llu out of order",
                           (unsigned long long)b->first + i, (unsigned long long)e->term);
        }
        term = e->term;
        if (e->type == RAFT_CHANGE && conf_check(e->bytes, e->len, err) != 0) {
            return err_wrap(err, ERR_CORRUPT, "entry %llu", (unsigned long long)b->first + i);
        }
    }
    return 0;
}

static int check_boot(const struct replica_boot *b, struct err *err)
{
    const struct replica_snapshot *s = &b->snapshot;
    uint64_t last = b->first + b->n_entries - 1;
    if (b->joining && s->index == 0 && b->n_entries == 0 && b->first == 1) {
        return 0;
    }
    if (b->first == 0 || b->first > s->index + 1) {
        return err_set(err, ERR_CORRUPT, "log starts at %llu, checkpoint ends at %llu",
                       (unsigned long long)b->first, (unsigned long long)s->index);
    }
    if (s->index == 0 && (b->n_entries == 0 || b->entries[0].type != RAFT_CHANGE)) {
        return err_set(err, ERR_CORRUPT, "first entry is not a configuration");
    }
    if (s->index > last) {
        return err_set(err, ERR_CORRUPT, "log ends at %llu, checkpoint at %llu",
                       (unsigned long long)last, (unsigned long long)s->index);
    }
    if (s->index != 0 && (s->term == 0 || s->term > b->term || s->conf_index > s->index)) {
        return err_set(err, ERR_CORRUPT, "checkpoint of term %llu in term %llu",
                       (unsigned long long)s->term, (unsigned long long)b->term);
    }
    if (s->index >= b->first && b->entries[s->index - b->first].term != s->term) {
        return err_set(err, ERR_CORRUPT, "checkpoint and log disagree on entry %llu",
                       (unsigned long long)s->index);
    }
    if (s->index != 0 && conf_check(s->conf, s->conf_len, err) != 0) {
        return err_wrap(err, ERR_CORRUPT, "checkpoint");
    }
    return check_entries(b, err);
}

/* Are we the only voter, by the newest configuration there is? */
static bool is_sole_voter(const struct replica *r)
{
    struct membership c;
    const struct conf_server *me;
    if (!replica_conf(r, &c)) {
        return false;
    }
    me = membership_find(&c, r->set.id);
    return me != NULL && me->role == RAFT_VOTER && membership_voters(&c) == 1;
}

static int start_step(struct replica *r, const struct replica_boot *b,
                      struct raft_snapshot_metadata *metadata, struct err *err)
{
    struct raft_event event = {.type = RAFT_START};
    struct raft_entry *entries = NULL;
    int rv;
    if (b->n_entries > 0) {
        entries = raft_calloc(b->n_entries, sizeof *entries);
        if (entries == NULL) {
            return err_set(err, ERR_NOMEM, "%zu log entries", b->n_entries);
        }
    }
    for (size_t i = 0; i < b->n_entries; i++) {
        const struct cache_entry *e = cache_get(&r->cache, b->first + i);
        entries[i] = (struct raft_entry){.term = e->term, .type = e->type};
        entries[i].buf = (struct raft_buffer){e->bytes, e->len};
    }
    event.start.term = b->term;
    event.start.voted_for = b->vote;
    event.start.metadata = b->snapshot.index != 0 ? metadata : NULL;
    event.start.start_index = b->first;
    event.start.entries = entries;
    event.start.n_entries = (unsigned)b->n_entries;
    rv = replica_step(r, &event, err);
    if (rv == 0) { /* On failure libraft has freed the array. */
        raft_free(entries);
    }
    return rv;
}

int replica_start(struct replica *r, uint64_t now_ms, const struct replica_boot *boot,
                  struct err *err)
{
    const struct replica_snapshot *s = &boot->snapshot;
    struct raft_snapshot_metadata metadata = {s->index, s->term, {NULL, 0}, s->conf_index};
    struct replica_boot b = *boot;
    int rv = check_boot(boot, err);
    assert(!r->started);
    if (rv == 0 && s->index != 0) {
        rv = conf_decode(s->conf, s->conf_len, &metadata.configuration, err);
    }
    if (rv != 0) {
        return rv;
    }
    cache_reset(&r->cache, boot->first);
    if (s->index != 0) {
        replica_conf_add(r, s->conf_index, s->conf, s->conf_len);
    }
    for (size_t i = 0; i < boot->n_entries; i++) {
        const struct replica_entry *e = &boot->entries[i];
        cache_append(&r->cache, e->term, e->type, e->bytes, e->len, 0);
        if (e->type == RAFT_CHANGE && boot->first + i > s->conf_index) {
            replica_conf_add(r, boot->first + i, e->bytes, e->len);
        }
    }
    r->durable = cache_last(&r->cache);
    r->applied = s->index;
    r->snapshot_index = s->index;
    r->snapshot_term = s->term;
    r->started = true;
    replica_enter(r, now_ms);
    if (is_sole_voter(r)) {
        /* libraft makes us leader at once and stays in the old term, in which entries that were
         * not durable may have been lost: indexes would be used twice. */
        b.term++;
        b.vote = r->set.id;
        r->io->save_vote(r->ctx, b.term, b.vote);
    }
    rv = start_step(r, &b, &metadata, err);
    r->busy = false; /* What follows (apply, barrier) waits for the first tick. */
    return rv;
}

/* --- time ------------------------------------------------------------------------------------ */

uint64_t replica_deadline_ms(const struct replica *r)
{
    uint64_t at = raft_timeout(&r->raft);
    if (at <= r->ticked_ms) { /* libraft was told, and had nothing to do. */
        at = r->ticked_ms + 1;
    }
    if (r->reads.round != 0 && !r->reads.confirmed) {
        uint64_t again = r->reads.sent_ms + r->set.heartbeat_ms;
        at = again < at ? again : at;
    }
    if (replica_has_backlog(r) || (r->leading && r->barrier == 0)) {
        return r->now_ms;
    }
    return at;
}

int replica_tick(struct replica *r, uint64_t now_ms, struct err *err)
{
    struct raft_event event = {.type = RAFT_TIMEOUT};
    int rv = 0;
    assert(r->started);
    replica_enter(r, now_ms);
    replica_forget_leader(r);
    if (r->now_ms >= raft_timeout(&r->raft) && r->now_ms > r->ticked_ms) {
        r->ticked_ms = r->now_ms;
        rv = replica_step(r, &event, err);
    }
    return replica_leave(r, rv, err);
}

/* --- messages -------------------------------------------------------------------------------- */

/* One AppendEntries, or the part of one up to the next configuration: libraft 0.22.1 notes the
 * wrong index for a configuration that is not the first entry of its message. */
static int receive_part(struct replica *r, uint64_t peer, const struct raft_append_entries *part,
                        unsigned n, struct err *err)
{
    struct raft_message m = {.type = RAFT_APPEND_ENTRIES, .server_id = peer, .server_address = ""};
    struct raft_event event = {.type = RAFT_RECEIVE};
    struct raft_entry entries[REPLICA_BATCH_MAX];
    m.append_entries = *part;
    m.append_entries.n_entries = n;
    m.append_entries.entries = n > 0 ? entries : NULL;
    if (n > 0) {
        memcpy(entries, part->entries, n * sizeof *entries);
        entries[0].batch = raft_malloc(8); /* See replica_step.c on ownership. */
        if (entries[0].batch == NULL) {
            return err_set(err, ERR_NOMEM, "entries");
        }
        for (unsigned i = 1; i < n; i++) {
            entries[i].batch = entries[0].batch;
        }
    }
    event.receive.message = &m;
    return replica_step(r, &event, err);
}

/* A leader that missed our answers may begin before what we have trimmed. All of that is committed
 * and therefore in the leader's log too, but libraft would say that it misses the entry before, and
 * the leader would offer the same entries for ever. Begin at our snapshot instead. */
static void skip_trimmed(const struct replica *r, struct raft_append_entries *part, unsigned *n)
{
    uint64_t skip;
    if (part->prev_log_index >= r->snapshot_index || part->prev_log_index >= r->cache.first ||
        part->term < raft_current_term(&r->raft) || r->installing) {
        return;
    }
    skip = r->snapshot_index - part->prev_log_index;
    skip = skip < *n ? skip : *n;
    part->entries += skip;
    *n -= (unsigned)skip;
    part->prev_log_index = r->snapshot_index;
    part->prev_log_term = r->snapshot_term;
}

static int receive_append(struct replica *r, uint64_t peer, const struct raft_append_entries *args,
                          struct err *err)
{
    struct raft_append_entries part = *args;
    unsigned left = args->n_entries;
    if (raft_state(&r->raft) == RAFT_LEADER && args->term == raft_current_term(&r->raft)) {
        return 0; /* Two leaders of one term cannot be. */
    }
    if (left > REPLICA_BATCH_MAX) {
        return 0;
    }
    r->answering_stale = args->term < raft_current_term(&r->raft);
    r->led_ms = r->answering_stale ? r->led_ms : r->now_ms;
    if (r->cache.bytes > r->set.cache_bytes_max) {
        left = 0; /* Full: take it as a heartbeat, so that the leader slows down. */
    }
    skip_trimmed(r, &part, &left);
    do {
        unsigned n = left > 0 ? 1 : 0;
        int rv;
        while (n < left && part.entries[n].type != RAFT_CHANGE) {
            n++;
        }
        rv = receive_part(r, peer, &part, n, err);
        if (rv != 0 || n == left) {
            return rv;
        }
        part.prev_log_index += n;
        part.prev_log_term = part.entries[n - 1].term;
        part.entries += n;
        left -= n;
    } while (left > 0);
    return 0;
}

struct replica_peer *replica_peer(struct replica *r, uint64_t id)
{
    struct replica_peer *free_slot = NULL;
    for (unsigned i = 0; i < r->n_peers; i++) {
        if (r->peers[i].id == id) {
            return &r->peers[i];
        }
        if (!replica_is_member(r, r->peers[i].id)) {
            free_slot = &r->peers[i];
        }
    }
    if (free_slot == NULL && r->n_peers < REPLICA_MEMBERS_MAX) {
        free_slot = &r->peers[r->n_peers++];
    }
    if (free_slot != NULL) {
        *free_slot = (struct replica_peer){.id = id};
    }
    return free_slot;
}

static void note_answer(struct replica *r, uint64_t id,
                        const struct raft_append_entries_result *result)
{
    struct replica_peer *peer = replica_peer(r, id);
    if (peer != NULL) {
        peer->has_capacity = true;
        peer->capacity = result->capacity;
        peer->sent = result->rejected > 0 ? 0 : peer->sent;
    }
}

static void note_heard(struct replica *r, uint64_t id)
{
    struct replica_peer *peer = r->leading && replica_is_member(r, id) ? replica_peer(r, id) : NULL;
    if (peer != NULL) {
        peer->heard_ms = r->now_ms;
    }
}

/* Who votes is the candidate's business: it counts the voters of its own log, which may have made
 * one of us before we heard of it. libraft lets nobody vote who is not a voter by his own log, and
 * then the others could wait for ever. */
static int receive_vote_request(struct replica *r, struct raft_event *event, struct err *err)
{
    struct raft_server *me = replica_own_server(r);
    bool lend = me != NULL && me->role == RAFT_STANDBY && raft_state(&r->raft) == RAFT_FOLLOWER;
    int rv;
    if (lend) {
        replica_forget_leader(r);
        me->role = RAFT_VOTER;
    }
    rv = replica_step(r, event, err);
    if (lend) {
        me->role = RAFT_STANDBY; /* A request for a vote changes nothing about the members. */
    }
    return rv;
}

static int receive_raft(struct replica *r, uint64_t peer, const struct raft_message *from,
                        struct err *err)
{
    struct raft_message m = *from;
    struct raft_event event = {.type = RAFT_RECEIVE};
    m.server_id = peer;
    m.server_address = "";
    event.receive.message = &m;
    switch (from->type) {
    case RAFT_APPEND_ENTRIES:
        return receive_append(r, peer, &from->append_entries, err);
    case RAFT_APPEND_ENTRIES_RESULT:
        note_answer(r, peer, &m.append_entries_result);
        replica_repair_answer(r, peer, &m.append_entries_result);
        break;
    case RAFT_REQUEST_VOTE:
        if (from->request_vote.candidate_id != peer) {
            return 0;
        }
        r->asked_term = from->request_vote.term;
        return receive_vote_request(r, &event, err);
    case RAFT_REQUEST_VOTE_RESULT:
        if (raft_state(&r->raft) != RAFT_CANDIDATE) {
            return 0; /* libraft would take a late pre-vote answer for a newer term. */
        }
        break;
    case RAFT_TIMEOUT_NOW:
        break;
    case RAFT_INSTALL_SNAPSHOT:
        return 0;
    }
    return replica_step(r, &event, err);
}

static void receive_probe(struct replica *r, const struct replica_message *m)
{
    struct replica_message reply = {.peer = m->peer, .kind = REPLICA_PROBE_REPLY};
    reply.probe.term = raft_current_term(&r->raft);
    reply.probe.round = m->probe.round;
    r->io->send(r->ctx, &reply);
}

int replica_receive(struct replica *r, uint64_t now_ms, const struct replica_message *message,
                    struct err *err)
{
    int rv = 0;
    assert(r->started);
    replica_enter(r, now_ms);
    r->answering_stale = false;
    if (message->peer == r->set.id || message->peer == 0) {
        return replica_leave(r, 0, err);
    }
    note_heard(r, message->peer);
    switch (message->kind) {
    case REPLICA_RAFT:
        rv = receive_raft(r, message->peer, &message->raft, err);
        break;
    case REPLICA_PROBE:
        receive_probe(r, message);
        break;
    case REPLICA_PROBE_REPLY:
        replica_reads_answer(r, message->peer, message->probe.term, message->probe.round);
        break;
    }
    return replica_leave(r, rv, err);
}

/* --- the log --------------------------------------------------------------------------------- */

int replica_persisted(struct replica *r, uint64_t now_ms, uint64_t ticket, struct err *err)
{
    struct raft_event event = {.type = RAFT_PERSISTED_ENTRIES};
    uint64_t before = r->durable;
    const struct cache_entry *e;
    int rv = 0;
    assert(ticket <= r->ticket);
    replica_enter(r, now_ms);
    r->ticket_done = ticket > r->ticket_done ? ticket : r->ticket_done;
    /* Entries that were replaced since carry a later ticket, so an old answer never covers them. */
    while ((e = cache_get(&r->cache, r->durable + 1)) != NULL && e->ticket <= r->ticket_done) {
        r->durable++;
    }
    if (r->durable > before && !r->installing) {
        event.persisted_entries.index = r->durable;
        r->answering_stale = false;
        rv = replica_step(r, &event, err);
    }
    return replica_leave(r, rv, err);
}

/* A majority of voters, ourselves among them, must have room. Peers that have not said yet are
 * given the benefit of the doubt. */
static bool has_capacity(const struct replica *r)
{
    unsigned low = 0;
    if (r->set.capacity_min == 0) {
        return true;
    }
    for (unsigned i = 0; i < r->n_peers; i++) {
        const struct replica_peer *p = &r->peers[i];
        low += p->has_capacity && p->capacity < r->set.capacity_min && replica_is_voter(r, p->id);
    }
    return r->capacity >= r->set.capacity_min && low <= (replica_voters(r) - 1) / 2;
}

int replica_may_propose(const struct replica *r, const struct raft_buffer *commands, unsigned n,
                        struct err *err)
{
    if (!r->leading) {
        return err_set(err, ERR_NOTLEADER, "not the leader");
    }
    if (!r->ready || raft_transferee(&r->raft) != 0) {
        return err_set(err, ERR_AGAIN, "leadership is changing");
    }
    if (n == 0 || n > REPLICA_BATCH_MAX) {
        return err_set(err, ERR_TOOBIG, "%u commands at once, limit %u", n, REPLICA_BATCH_MAX);
    }
    for (unsigned i = 0; i < n; i++) {
        if (commands[i].len == 0 || commands[i].len > REPLICA_ENTRY_MAX) {
            return err_set(err, ERR_TOOBIG, "command of %zu bytes, limit %u", commands[i].len,
                           REPLICA_ENTRY_MAX);
        }
    }
    if (r->cache.bytes > r->set.cache_bytes_max) {
        return err_set(err, ERR_FULL, "log: %llu bytes in memory wait for a checkpoint",
                       (unsigned long long)r->cache.bytes);
    }
    if (!has_capacity(r)) {
        return err_set(err, ERR_FULL, "controllers are short of disk space");
    }
    return 0;
}

int replica_propose(struct replica *r, uint64_t now_ms, const struct raft_buffer *commands,
                    unsigned n, uint64_t *ret_index, struct err *err)
{
    struct raft_entry entries[REPLICA_BATCH_MAX];
    struct raft_event event = {.type = RAFT_SUBMIT};
    uint64_t index = cache_last(&r->cache) + 1;
    int rv = replica_may_propose(r, commands, n, err);
    if (rv != 0) {
        return rv;
    }
    for (unsigned i = 0; i < n; i++) {
        entries[i] = (struct raft_entry){.term = r->lead_term, .type = RAFT_COMMAND};
        entries[i].buf = commands[i];
    }
    entries[0].batch = raft_malloc(8);
    if (entries[0].batch == NULL) {
        return err_set(err, ERR_NOMEM, "command");
    }
    event.submit.entries = entries;
    event.submit.n = n;
    replica_enter(r, now_ms);
    rv = replica_leave(r, replica_step(r, &event, err), err);
    if (rv == 0) {
        *ret_index = index;
    }
    return rv;
}

int replica_read(struct replica *r, uint64_t now_ms, uint64_t *ret_ticket, struct err *err)
{
    if (!r->leading) {
        return err_set(err, ERR_NOTLEADER, "not the leader");
    }
    if (!r->ready) {
        return err_set(err, ERR_AGAIN, "leadership is changing");
    }
    replica_enter(r, now_ms);
    *ret_ticket = r->reads.next;
    r->reads.wanted = true;
    return replica_leave(r, 0, err);
}

/* How long to wait before standing for election in place of a leader that is gone: the voters one
 * after the other, with time for an election in between. */
static uint64_t succession_ms(const struct replica *r, uint64_t gone)
{
    const struct raft_configuration *c = &r->raft.configuration;
    unsigned before = 0;
    for (unsigned i = 0; i < c->n; i++) {
        before += c->servers[i].role == RAFT_VOTER && c->servers[i].id != gone &&
                  c->servers[i].id < r->set.id;
    }
    return SUCCESSION_MS + (uint64_t)before * r->set.election_ms / 4;
}

/* libraft has no call for this; its timer and its leader are fields of a public structure. */
int replica_peer_closed(struct replica *r, uint64_t now_ms, uint64_t peer, struct err *err)
{
    struct raft *raft = &r->raft;
    replica_enter(r, now_ms);
    if (raft_state(raft) == RAFT_FOLLOWER && raft->follower_state.current_leader.id == peer) {
        uint64_t at = r->now_ms + succession_ms(r, peer);
        raft->follower_state.current_leader.id = 0;
        if (at < raft_timeout(raft)) {
            raft->follower_state.randomized_election_timeout =
                (unsigned)(at - raft->election_timer_start);
        }
    }
    return replica_leave(r, 0, err);
}

/* Whom to prefer when some voter lacks what it had confirmed, for libraft goes by that: the first
 * one that does not. 0: none lacks any. */
static uint64_t whole_peer(const struct replica *r)
{
    uint64_t whole = 0;
    bool some = false;
    for (unsigned i = 0; i < r->n_peers; i++) {
        const struct replica_peer *p = &r->peers[i];
        some = some || p->lost;
        whole = whole == 0 && !p->lost && replica_is_voter(r, p->id) ? p->id : whole;
    }
    return some ? whole : 0;
}

int replica_transfer(struct replica *r, uint64_t now_ms, uint64_t peer, struct err *err)
{
    struct raft_event event = {.type = RAFT_TRANSFER};
    if (!r->leading) {
        return err_set(err, ERR_NOTLEADER, "not the leader");
    }
    if (raft_transferee(&r->raft) != 0) {
        return err_set(err, ERR_AGAIN, "leadership is being handed over already");
    }
    if (peer == r->set.id || (peer != 0 && !replica_is_voter(r, peer)) || replica_voters(r) < 2) {
        return err_set(err, ERR_NOTFOUND, "no voter to hand leadership to");
    }
    if (peer == 0) {
        peer = whole_peer(r);
    }
    if (replica_repair_needed(r, peer)) {
        return err_set(err, ERR_AGAIN, "controller %llu is being given what it has lost",
                       (unsigned long long)peer);
    }
    event.transfer.server_id = peer;
    replica_enter(r, now_ms);
    return replica_leave(r, replica_step(r, &event, err), err);
}

uint64_t replica_roomy_peer(const struct replica *r)
{
    for (unsigned i = 0; i < r->n_peers; i++) {
        const struct replica_peer *p = &r->peers[i];
        if (p->has_capacity && p->capacity >= r->set.capacity_min && replica_is_voter(r, p->id)) {
            return p->id;
        }
    }
    return 0;
}

void replica_set_capacity(struct replica *r, unsigned short mib)
{
    r->capacity = mib;
}

/* --- snapshots ------------------------------------------------------------------------------- */

int replica_conf_at(const struct replica *r, uint64_t index, uint8_t buf[REPLICA_CONF_MAX],
                    size_t *ret_len, uint64_t *ret_conf_index, struct err *err)
{
    const struct replica_conf *c = replica_conf_find(r, index);
    if (c == NULL || index > r->applied) {
        return err_set(err, ERR_NOTFOUND, "members as of entry %llu", (unsigned long long)index);
    }
    memcpy(buf, c->bytes, c->len);
    *ret_len = c->len;
    *ret_conf_index = c->index;
    return 0;
}

int replica_snapshot_taken(struct replica *r, uint64_t now_ms, uint64_t index, uint64_t trailing,
                           struct err *err)
{
    struct raft_event event = {.type = RAFT_SNAPSHOT};
    const struct replica_conf *conf = replica_conf_find(r, index);
    int rv;
    if (r->installing || index <= r->snapshot_index) {
        return 0;
    }
    if (index > r->applied || conf == NULL || cache_get(&r->cache, index) == NULL) {
        return err_set(err, ERR_INTERNAL, "checkpoint of %llu, applied %llu",
                       (unsigned long long)index, (unsigned long long)r->applied);
    }
    event.snapshot.metadata.index = index;
    event.snapshot.metadata.term = cache_get(&r->cache, index)->term;
    event.snapshot.metadata.configuration_index = conf->index;
    event.snapshot.trailing = trailing < UINT32_MAX ? (unsigned)trailing : UINT32_MAX;
    rv = conf_decode(conf->bytes, conf->len, &event.snapshot.metadata.configuration, err);
    if (rv != 0) {
        return rv;
    }
    r->snapshot_index = index;
    r->snapshot_term = event.snapshot.metadata.term;
    replica_enter(r, now_ms);
    rv = replica_step(r, &event, err);
    cache_trim(&r->cache, r->raft.trail.offset);
    replica_conf_trim(r);
    return replica_leave(r, rv, err);
}

int replica_snapshot_receive(struct replica *r, uint64_t now_ms, uint64_t peer, uint64_t term,
                             const struct replica_snapshot *snapshot, struct err *err)
{
    struct raft_message m = {.type = RAFT_INSTALL_SNAPSHOT, .server_id = peer};
    struct raft_install_snapshot *args = &m.install_snapshot;
    struct raft_event event = {.type = RAFT_RECEIVE};
    int rv;
    if (r->installing || snapshot->index == 0 || snapshot->term == 0 || term == 0 ||
        (raft_state(&r->raft) == RAFT_LEADER && term == raft_current_term(&r->raft))) {
        return 0;
    }
    rv = conf_decode(snapshot->conf, snapshot->conf_len, &args->conf, err);
    if (rv != 0) {
        return rv;
    }
    m.server_address = "";
    args->term = term;
    args->last_index = snapshot->index;
    args->last_term = snapshot->term;
    args->conf_index = snapshot->conf_index;
    event.receive.message = &m;
    replica_enter(r, now_ms);
    r->answering_stale = term < raft_current_term(&r->raft);
    return replica_leave(r, replica_step(r, &event, err), err);
}

int replica_snapshot_installed(struct replica *r, uint64_t now_ms, struct err *err)
{
    struct raft_event event = {.type = RAFT_PERSISTED_SNAPSHOT};
    struct raft_buffer conf;
    assert(r->installing);
    if (raft_configuration_encode(&r->install.configuration, &conf) != 0) {
        return err_set(err, ERR_NOMEM, "configuration of a snapshot");
    }
    replica_conf_cut(r, 0);
    replica_conf_add(r, r->install.configuration_index, conf.base, conf.len);
    raft_free(conf.base);
    r->installing = false;
    r->snapshot_index = r->install.index;
    r->snapshot_term = r->install.term;
    r->applied = r->install.index;
    r->durable = r->install.index;
    event.persisted_snapshot.metadata = r->install;
    event.persisted_snapshot.last = true;
    replica_enter(r, now_ms);
    r->answering_stale = false;
    return replica_leave(r, replica_step(r, &event, err), err);
}

/* --- questions ------------------------------------------------------------------------------- */

struct replica_status replica_status(const struct replica *r)
{
    struct raft *raft = (struct raft *)(uintptr_t)&r->raft; /* libraft's getters are not const. */
    struct replica_status s = {
        .state = raft_state(raft),
        .ready = r->ready,
        .term = raft_current_term(raft),
        .vote = raft_voted_for(raft),
        .last = cache_last(&r->cache),
        .durable = r->durable,
        .commit = raft_commit_index(raft),
        .applied = r->applied,
        .first = r->cache.first,
        .snapshot = r->snapshot_index,
        .cache_bytes = r->cache.bytes,
        .installing = r->installing,
    };
    raft_id leader = 0;
    const char *address;
    raft_leader(raft, &leader, &address);
    s.leader = leader;
    return s;
}

bool replica_is_ready(const struct replica *r)
{
    return r->ready;
}

uint64_t replica_term_of(const struct replica *r, uint64_t index)
{
    const struct cache_entry *e = cache_get(&r->cache, index);
    if (e != NULL) {
        return e->term;
    }
    return index != 0 && index == r->snapshot_index ? r->snapshot_term : 0;
}
