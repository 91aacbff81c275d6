/* Who the members are.
 *
 * libraft keeps two configurations, the committed one and the one in force, and loses track in
 * 0.22.1 when a second change reaches a follower before the first is applied there: it forgets to
 * note the first as committed, and falls back behind it when the second is cut off. So the replica
 * keeps the list itself: in force is always the last one in the log, committed the last one that
 * is applied, and where libraft thinks otherwise it is put right.
 *
 * Two more things libraft leaves to us. On the leader it keeps what it knows of the followers by
 * position, and builds that table anew only when the number of servers changes: so no change
 * replaces one server by another, and servers stay in order of id. And a member that becomes a
 * spare is never sent anything again, but its last message is still waited for: so nobody goes
 * back to being a spare. */
#include "common/base/plant.h"
#include "controller/raft/conf.h"
#include "controller/raft/replica_impl.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

/* A standby this close to the end of our log may vote: it is in what is in flight anyway. */
#define CAUGHT_UP_LAG 128u

/* --- the list -------------------------------------------------------------------------------- */

void replica_conf_add(struct replica *r, uint64_t index, const uint8_t *bytes, size_t len)
{
    struct membership c = {.n = 0};
    assert(r->n_confs == 0 || r->confs[r->n_confs - 1].index < index);
    if (r->n_confs == r->cap_confs) {
        unsigned cap = r->cap_confs == 0 ? 4 : r->cap_confs * 2;
        r->confs =
            mem_resize(r->mem, r->confs, r->cap_confs * sizeof *r->confs, cap * sizeof *r->confs);
        r->cap_confs = cap;
    }
    (void)conf_read(bytes, len, &c, NULL); /* Whoever handed it to us has checked it. */
    r->confs[r->n_confs] = (struct replica_conf){index, c.last_id, len, NULL};
    r->confs[r->n_confs].bytes = (uint8_t *)mem_dup(r->mem, (const char *)bytes, len);
    r->n_confs++;
}

static void drop(struct replica *r, const struct replica_conf *c)
{
    mem_free(r->mem, c->bytes, c->len + 1);
}

void replica_conf_cut(struct replica *r, uint64_t from)
{
    while (r->n_confs > 0 && r->confs[r->n_confs - 1].index >= from) {
        r->n_confs--;
        drop(r, &r->confs[r->n_confs]);
    }
}

void replica_conf_trim(struct replica *r)
{
    unsigned skip = 0;
    while (skip + 1 < r->n_confs && r->confs[skip + 1].index <= r->snapshot_index) {
        drop(r, &r->confs[skip]);
        skip++;
    }
    r->n_confs -= skip;
    if (skip > 0) {
        memmove(&r->confs[0], &r->confs[skip], r->n_confs * sizeof r->confs[0]);
    }
}

void replica_conf_close(struct replica *r)
{
    replica_conf_cut(r, 0);
    mem_free(r->mem, r->confs, r->cap_confs * sizeof *r->confs);
}

const struct replica_conf *replica_conf_find(const struct replica *r, uint64_t index)
{
    const struct replica_conf *found = NULL;
    for (unsigned i = 0; i < r->n_confs && r->confs[i].index <= index; i++) {
        found = &r->confs[i];
    }
    return found;
}

static const struct replica_conf *in_force(const struct replica *r)
{
    return r->n_confs == 0 ? NULL : &r->confs[r->n_confs - 1];
}

/* Entry 1 is the same everywhere. */
static const struct replica_conf *committed(const struct replica *r)
{
    return replica_conf_find(r, r->applied > 0 ? r->applied : 1);
}

/* --- what libraft goes by -------------------------------------------------------------------- */

static int replace(struct raft_configuration *to, const struct replica_conf *from, struct err *err)
{
    struct raft_configuration c;
    int rv = conf_decode(from->bytes, from->len, &c, err);
    if (rv == 0) {
        raft_configuration_close(to);
        *to = c;
    }
    return rv;
}

int replica_conf_sync(struct replica *r, struct err *err)
{
    struct raft *raft = &r->raft;
    const struct replica_conf *last = in_force(r);
    const struct replica_conf *safe = committed(r);
    uint64_t safe_index = safe == NULL ? 0 : safe->index;
    uint64_t now = raft->configuration_uncommitted_index != 0
                       ? raft->configuration_uncommitted_index
                       : raft->configuration_committed_index;
    int rv = 0;
    if (last == NULL || r->installing) {
        return 0;
    }
    if (now != last->index) {
        if (raft_state(raft) == RAFT_LEADER) { /* Its log only grows. */
            return err_set(err, ERR_INTERNAL, "the leader goes by the members of %" PRIu64, now);
        }
        rv = replace(&raft->configuration, last, err);
    }
    if (rv == 0 && raft->configuration_committed_index != safe_index && safe != NULL) {
        rv = replace(&raft->configuration_committed, safe, err);
    }
    if (rv == 0) {
        raft->configuration_committed_index = safe_index;
        raft->configuration_uncommitted_index = last->index == safe_index ? 0 : last->index;
    }
    return rv;
}

struct raft_server *replica_own_server(struct replica *r)
{
    struct raft_configuration *c = &r->raft.configuration;
    for (unsigned i = 0; i < c->n; i++) {
        if (c->servers[i].id == r->set.id) {
            return &c->servers[i];
        }
    }
    return NULL;
}

void replica_forget_leader(struct replica *r)
{
    const struct raft_server *me = replica_own_server(r);
    if (raft_state(&r->raft) == RAFT_FOLLOWER && (me == NULL || me->role != RAFT_VOTER) &&
        r->now_ms >= r->led_ms + r->set.election_ms) {
        r->raft.follower_state.current_leader.id = 0;
        raft_free(
            r->raft.follower_state.current_leader.address); /* It answers while this is set. */
        r->raft.follower_state.current_leader.address = NULL;
    }
}

void replica_conf_tell(struct replica *r)
{
    const struct replica_conf *last = in_force(r);
    const struct replica_conf *safe = committed(r);
    uint64_t last_index = last == NULL ? 0 : last->index;
    uint64_t safe_index = safe == NULL ? 0 : safe->index;
    if (last_index == r->told_conf && safe_index == r->told_conf_committed) {
        return;
    }
    r->told_conf = last_index;
    r->told_conf_committed = safe_index;
    r->io->members(r->ctx);
}

/* --- questions ------------------------------------------------------------------------------- */

static bool read(const struct replica_conf *c, struct membership *ret)
{
    return c != NULL && conf_read(c->bytes, c->len, ret, NULL) == 0;
}

bool replica_conf(const struct replica *r, struct membership *ret)
{
    return read(in_force(r), ret);
}

bool replica_conf_committed(const struct replica *r, struct membership *ret, uint64_t *ret_index)
{
    const struct replica_conf *c = committed(r);
    *ret_index = c == NULL ? 0 : c->index;
    return read(c, ret);
}

uint64_t replica_conf_index(const struct replica *r)
{
    return r->n_confs == 0 ? 0 : in_force(r)->index;
}

bool replica_is_changing(const struct replica *r)
{
    const struct replica_conf *safe = committed(r);
    return in_force(r) != safe;
}

static bool contains(const struct raft_configuration *c, uint64_t id)
{
    for (unsigned i = 0; i < c->n; i++) {
        if (c->servers[i].id == id) {
            return true;
        }
    }
    return false;
}

bool replica_is_member(const struct replica *r, uint64_t id)
{
    return contains(&r->raft.configuration, id);
}

bool replica_is_known(const struct replica *r, uint64_t id)
{
    return PLANTED(REMOVED_HEARD) || r->n_confs == 0 || id > in_force(r)->last_id ||
           contains(&r->raft.configuration, id) || contains(&r->raft.configuration_committed, id);
}

struct replica_progress replica_progress(const struct replica *r, uint64_t now_ms, uint64_t id)
{
    struct replica_progress p = {.known = false};
    uint64_t last = cache_last(&r->cache);
    raft_index match;
    if (!r->leading || raft_match_index(&r->raft, id, &match) != 0) {
        return p;
    }
    p.known = true;
    p.match = match;
    p.lag = last > match ? last - match : 0;
    if (id == r->set.id) {
        p.heard = true;
        p.has_capacity = true;
        p.capacity = r->capacity;
        return p;
    }
    for (unsigned i = 0; i < r->n_peers; i++) {
        const struct replica_peer *peer = &r->peers[i];
        if (peer->id == id) {
            p.heard = peer->heard_ms > 0;
            p.heard_ms = now_ms > peer->heard_ms ? now_ms - peer->heard_ms : 0;
            p.has_capacity = peer->has_capacity;
            p.capacity = peer->capacity;
            p.match = peer->lost ? peer->kept : match;
        }
    }
    p.lag = last > p.match ? last - p.match : 0;
    return p;
}

/* --- changes --------------------------------------------------------------------------------- */

/* Would a majority of these voters answer us? */
static int check_quorum(const struct replica *r, const struct membership *c, struct err *err)
{
    unsigned voters = membership_voters(c);
    unsigned reached = 0;
    for (unsigned i = 0; i < c->n; i++) {
        struct replica_progress p = replica_progress(r, r->now_ms, c->member[i].id);
        reached += c->member[i].role == RAFT_VOTER && p.heard &&
                   p.heard_ms < 2 * (uint64_t)r->set.election_ms;
    }
    if (reached <= voters / 2) {
        return err_set(err, ERR_UNAVAILABLE,
                       "only %u of the %u voters there would be can be reached", reached, voters);
    }
    return 0;
}

static int change_add(const struct replica_change *change, struct membership *c, struct err *err)
{
    const struct conf_server *known = membership_find(c, change->id);
    struct conf_address a = conf_address_read(change->address);
    for (unsigned i = 0; i < c->n; i++) {
        const struct conf_server *m = &c->member[i];
        struct conf_address other = conf_address_read(m->address);
        bool same = str_eq(a.peer, other.peer) && str_eq(a.api, other.api);
        if (m == known && same) {
            return 0;
        }
        if (str_eq(a.peer, other.peer) || (a.api.n > 0 && str_eq(a.api, other.api))) {
            return err_set(err, ERR_EXISTS, "member %" PRIu64 " has this address", m->id);
        }
    }
    if (known != NULL) {
        return err_set(err, ERR_EXISTS, "member %" PRIu64 " exists, with the addresses %s",
                       known->id, known->address);
    }
    if (change->id <= c->last_id || change->id > CONF_ID_MAX) {
        return err_set(err, ERR_INVALID,
                       "id %" PRIu64 " must be from %" PRIu64 " to %" PRIu64
                       ": ids are never used again",
                       change->id, c->last_id + 1, (uint64_t)CONF_ID_MAX);
    }
    if (c->n == CONF_MEMBERS_MAX) {
        return err_set(err, ERR_FULL, "there are %u members already", c->n);
    }
    c->member[c->n] = (struct conf_server){.id = change->id, .role = RAFT_SPARE};
    (void)str_copy(c->member[c->n].address, CONF_ADDRESS_MAX, str_of(change->address));
    c->n++;
    return 0;
}

static int check_promotion(const struct replica *r, uint64_t id, struct err *err)
{
    struct replica_progress p = replica_progress(r, r->now_ms, id);
    if (!p.known || !p.heard || p.heard_ms >= 2 * (uint64_t)r->set.election_ms) {
        return err_set(err, ERR_AGAIN, "member %" PRIu64 " does not answer", id);
    }
    if (p.match < in_force(r)->index || p.lag > CAUGHT_UP_LAG) {
        return err_set(err, ERR_AGAIN, "member %" PRIu64 " is %" PRIu64 " entries behind", id,
                       p.lag);
    }
    return 0;
}

static int change_role(const struct replica *r, const struct replica_change *change,
                       struct membership *c, struct err *err)
{
    const struct conf_server *known = membership_find(c, change->id);
    struct conf_server *m;
    if (known == NULL) {
        return err_set(err, ERR_NOTFOUND, "there is no member %" PRIu64, change->id);
    }
    m = &c->member[known - c->member];
    if (m->role == change->role) {
        return 0;
    }
    if (change->role == RAFT_STANDBY && m->role == RAFT_VOTER && membership_voters(c) == 1) {
        return err_set(err, ERR_INVALID, "member %" PRIu64 " is the last voter", m->id);
    }
    if (change->role == RAFT_STANDBY && m->role == RAFT_VOTER && membership_voters(c) == 2) {
        /* It would receive the change as well. Were it the only one to keep it over a crash, it
         * would refuse its vote to the shorter log of the other, and not stand itself. */
        return err_set(err, ERR_INVALID, "one of two voters cannot be demoted, only removed");
    }
    if (change->role == RAFT_STANDBY && m->id == r->set.id) {
        return err_set(err, ERR_INVALID, "member %" PRIu64 " leads: hand leadership over first",
                       m->id);
    }
    if (change->role == RAFT_VOTER && m->role == RAFT_STANDBY) {
        int rv = check_promotion(r, m->id, err);
        if (rv != 0) {
            return rv;
        }
    } else if (change->role != RAFT_STANDBY) {
        return err_set(err, ERR_INVALID, "from %s to %s there is no step", raft_role_name(m->role),
                       raft_role_name(change->role));
    }
    m->role = change->role;
    return check_quorum(r, c, err);
}

static int change_remove(const struct replica *r, const struct replica_change *change,
                         struct membership *c, struct err *err)
{
    const struct conf_server *m = membership_find(c, change->id);
    unsigned at;
    if (m == NULL) {
        return change->id <= c->last_id && change->id > 0
                   ? 0
                   : err_set(err, ERR_NOTFOUND, "there is no member %" PRIu64, change->id);
    }
    if (m->role == RAFT_VOTER && membership_voters(c) == 1) {
        return err_set(err, ERR_INVALID, "member %" PRIu64 " is the last voter", m->id);
    }
    if (m->id == r->set.id) {
        return err_set(err, ERR_INVALID, "member %" PRIu64 " leads: hand leadership over first",
                       m->id);
    }
    if (!c->has_last_id) { /* One server less and one more would be as many; see above. */
        return err_set(err, ERR_AGAIN, "the ids used so far are being recorded");
    }
    at = (unsigned)(m - c->member);
    c->n--;
    memmove(&c->member[at], &c->member[at + 1], (c->n - at) * sizeof c->member[0]);
    return check_quorum(r, c, err);
}

static void change_rename(const struct replica_change *change, struct membership *c)
{
    for (unsigned i = 0; i < c->n; i++) {
        const struct conf_server *to = membership_find(change->conf, c->member[i].id);
        if (to != NULL) {
            memcpy(c->member[i].address, to->address, sizeof to->address);
        }
    }
}

static int make(const struct replica *r, const struct replica_change *change, struct membership *c,
                struct err *err)
{
    switch (change->kind) {
    case REPLICA_ADD:
        return change_add(change, c, err);
    case REPLICA_ROLE:
        return change_role(r, change, c, err);
    case REPLICA_REMOVE:
        return change_remove(r, change, c, err);
    case REPLICA_RENAME:
        change_rename(change, c);
        return 0;
    }
    return err_set(err, ERR_INVALID, "unknown kind of change");
}

static int submit(struct replica *r, const struct raft_buffer *bytes, struct err *err)
{
    struct raft_entry entry = {.term = r->lead_term, .type = RAFT_CHANGE};
    struct raft_event event = {.type = RAFT_SUBMIT};
    entry.buf = *bytes;
    entry.batch = raft_malloc(8); /* See replica_step.c on ownership. */
    if (entry.batch == NULL) {
        return err_set(err, ERR_NOMEM, "change of members");
    }
    event.submit.entries = &entry;
    event.submit.n = 1;
    return replica_step(r, &event, err);
}

int replica_change(struct replica *r, uint64_t now_ms, const struct replica_change *change,
                   uint64_t *ret_index, struct err *err)
{
    static uint8_t byte;
    const struct raft_buffer any = {&byte, 1};
    uint64_t index = cache_last(&r->cache) + 1;
    const struct replica_conf *last = in_force(r);
    struct raft_buffer bytes;
    struct membership c;
    int rv = replica_may_propose(r, &any, 1, err);
    if (rv != 0) {
        return rv;
    }
    r->now_ms = now_ms > r->now_ms ? now_ms : r->now_ms;
    if (replica_is_changing(r)) {
        return err_set(err, ERR_AGAIN, "another change of the members is in flight");
    }
    if (!replica_conf(r, &c)) {
        return err_set(err, ERR_INTERNAL, "the members are unknown");
    }
    rv = make(r, change, &c, err);
    if (rv == 0) {
        rv = conf_write(&c, &bytes, err);
    }
    if (rv != 0) {
        return rv;
    }
    *ret_index = 0;
    if (bytes.len != last->len || memcmp(bytes.base, last->bytes, bytes.len) != 0) {
        *ret_index = index;
        replica_enter(r, now_ms);
        rv = replica_leave(r, submit(r, &bytes, err), err);
    }
    raft_free(bytes.base);
    return rv;
}
