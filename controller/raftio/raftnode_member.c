/* Who the members are, and changes of that. */
#include "common/log/log.h"
#include "controller/raftio/raftnode_impl.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

_Static_assert(RAFTNODE_MEMBERS_MAX == CONF_MEMBERS_MAX, "the same members");

/* --- seats ----------------------------------------------------------------------------------- */

/* The address we were configured with, when it has the same raft port. */
static struct conf_address configured(const struct raftnode *n, uint64_t id, struct str peer)
{
    for (unsigned i = 0; i < n->config.n_members; i++) {
        struct conf_address a = conf_address_read(n->members[i].address);
        if (n->members[i].id == id && (peer.n == 0 || str_eq(a.peer, peer))) {
            return a;
        }
    }
    return (struct conf_address){.incarnation = 0};
}

static void take_seat(struct raftnode *n, uint64_t id, int role, const char *address)
{
    struct seat *s = &n->seats[n->n_seats++];
    struct conf_address a = conf_address_read(address);
    if (a.api.n == 0) { /* A log of 0.1 does not say. */
        a.api = configured(n, id, a.peer).api;
    }
    *s = (struct seat){.id = id, .role = role};
    (void)str_copy(s->address, sizeof s->address, str_of(address));
    (void)str_copy(s->peer, sizeof s->peer, a.peer);
    (void)str_copy(s->api, sizeof s->api, a.api);
}

/* Without a configuration: those we were told of, and we are none of them. */
static void take_seats(struct raftnode *n)
{
    struct membership m;
    n->n_seats = 0;
    if (!replica_conf(n->replica, &m)) {
        for (unsigned i = 0; i < n->config.n_members; i++) {
            if (n->members[i].id != n->config.id) {
                take_seat(n, n->members[i].id, RAFT_VOTER, n->members[i].address);
            }
        }
        return;
    }
    for (unsigned i = 0; i < m.n; i++) {
        take_seat(n, m.member[i].id, m.member[i].role, m.member[i].address);
    }
}

static const struct seat *find_seat(const struct raftnode *n, uint64_t id)
{
    for (unsigned i = 0; i < n->n_seats; i++) {
        if (n->seats[i].id == id) {
            return &n->seats[i];
        }
    }
    return NULL;
}

unsigned raftnode_peers(struct raftnode *n, struct peers_member *v)
{
    struct membership safe;
    uint64_t index;
    unsigned count = 0;
    take_seats(n);
    for (unsigned i = 0; i < n->n_seats; i++) {
        v[count++] = (struct peers_member){n->seats[i].id, n->seats[i].address};
    }
    if (find_seat(n, n->config.id) == NULL) {
        for (unsigned i = 0; i < n->config.n_members; i++) {
            if (n->members[i].id == n->config.id) { /* For listening, and for hello. */
                v[count++] = (struct peers_member){n->config.id, n->members[i].address};
            }
        }
    }
    if (!replica_is_changing(n->replica) || !replica_conf_committed(n->replica, &safe, &index)) {
        return count;
    }
    for (unsigned i = 0; i < safe.n; i++) { /* Only a member that is being removed. */
        if (find_seat(n, safe.member[i].id) == NULL && safe.member[i].id != n->config.id) {
            n->leaving = safe.member[i];
            v[count++] = (struct peers_member){n->leaving.id, n->leaving.address};
        }
    }
    return count;
}

static void expel(struct raftnode *n, const struct err *err)
{
    log_error("raft.expelled", log_u64("id", n->config.id), log_err(err));
    if (n->events.expelled != NULL) {
        n->events.expelled(n->ctx, err);
    }
    raftnode_fail(n, err);
}

static bool is_removed(const struct raftnode *n, uint64_t id)
{
    struct membership safe;
    uint64_t index;
    return replica_conf_committed(n->replica, &safe, &index) && id <= safe.last_id &&
           membership_find(&safe, id) == NULL;
}

static void check_own_seat(struct raftnode *n)
{
    struct err err = {0};
    if (is_removed(n, n->config.id)) {
        (void)err_set(&err, ERR_DENIED, "controller %" PRIu64 " was removed from the cluster",
                      n->config.id);
        expel(n, &err);
    }
}

void raftnode_pump_members(struct raftnode *n)
{
    struct peers_member v[2 * CONF_MEMBERS_MAX];
    unsigned count;
    if (!n->seats_dirty) {
        return;
    }
    n->seats_dirty = false;
    count = raftnode_peers(n, v);
    peers_update(n->peers, v, count);
    log_info("raft.members", log_u64("index", replica_conf_index(n->replica)),
             log_u64("members", n->n_seats),
             log_bool("committed", !replica_is_changing(n->replica)));
    if (n->events.members != NULL) {
        n->events.members(n->ctx);
    }
    check_own_seat(n);
}

/* --- strangers and refusals ------------------------------------------------------------------ */

int raftnode_stranger(void *ctx, uint64_t id, struct err *err)
{
    struct raftnode *n = ctx;
    if (is_removed(n, id)) {
        return err_set(err, ERR_NOTFOUND,
                       "controller %" PRIu64 " was removed; its id is never used again", id);
    }
    if (!replica_is_known(n->replica, id)) {
        return err_set(err, ERR_DENIED, "controller %" PRIu64 " is not a member", id);
    }
    return 0;
}

void raftnode_refused(void *ctx, uint64_t by, const struct message_refused *why)
{
    struct raftnode *n = ctx;
    struct err err = {0};
    if (why->reason == MESSAGE_REFUSED_OTHER || n->dead) {
        return;
    }
    (void)err_set(&err, ERR_DENIED, "controller %" PRIu64 " says: %.*s", by, STR_ARG(why->text));
    expel(n, &err);
}

/* --- what a leader writes down --------------------------------------------------------------- */

static bool complete(const struct raftnode *n, struct conf_server *m, struct err *err)
{
    struct conf_address a = conf_address_read(m->address);
    struct conf_address known = configured(n, m->id, a.peer);
    uint64_t incarnation = m->id == n->config.id ? durable_incarnation(n->durable)
                                                 : peers_incarnation(n->peers, m->id);
    char text[CONF_ADDRESS_MAX];
    if ((a.api.n > 0 || known.api.n == 0) && (a.incarnation != 0 || incarnation == 0)) {
        return false;
    }
    a.api = a.api.n > 0 ? a.api : known.api;
    a.incarnation = a.incarnation != 0 ? a.incarnation : incarnation;
    if (conf_address_write(&a, text, err) != 0) {
        return false;
    }
    memcpy(m->address, text, sizeof text);
    return true;
}

void raftnode_record_members(struct raftnode *n)
{
    struct replica_change change = {.kind = REPLICA_RENAME};
    struct membership m;
    struct err err = {0};
    uint64_t index;
    bool news;
    if (n->dead || n->stopping || n->peers == NULL || !replica_is_ready(n->replica) ||
        replica_is_changing(n->replica) || !replica_conf(n->replica, &m)) {
        return;
    }
    news = !m.has_last_id;
    for (unsigned i = 0; i < m.n; i++) {
        news = complete(n, &m.member[i], &err) || news;
    }
    change.conf = &m;
    if (news && replica_change(n->replica, clock_mono_ms(), &change, &index, &err) == 0) {
        log_info("raft.members_recorded", log_u64("index", index));
        raftnode_after(n, 0, &err);
    }
}

/* --- changes --------------------------------------------------------------------------------- */

static int change(struct raftnode *n, const struct replica_change *c, uint64_t *ret_index,
                  struct err *err)
{
    int rv;
    if (n->dead || n->stopping) {
        return err_set(err, ERR_CLOSED, "the controller is stopping");
    }
    rv = replica_change(n->replica, clock_mono_ms(), c, ret_index, err);
    if (rv == ERR_INTERNAL || rv == ERR_NOMEM) {
        raftnode_fail(n, err);
    } else if (rv == 0) {
        raftnode_after(n, 0, err);
    }
    return rv;
}

int raftnode_add(struct raftnode *n, uint64_t id, const char *address, uint64_t *ret_index,
                 struct err *err)
{
    struct replica_change c = {.kind = REPLICA_ADD, .id = id, .address = address};
    return change(n, &c, ret_index, err);
}

static int set_role(struct raftnode *n, uint64_t id, int role, uint64_t *ret_index, struct err *err)
{
    struct replica_change c = {.kind = REPLICA_ROLE, .id = id, .role = role};
    return change(n, &c, ret_index, err);
}

/* The role in force; RAFT_VOTER for nobody. */
static int role_in_force(const struct raftnode *n, uint64_t id)
{
    struct membership m;
    const struct conf_server *s = replica_conf(n->replica, &m) ? membership_find(&m, id) : NULL;
    return s == NULL ? RAFT_VOTER : s->role;
}

int raftnode_promote(struct raftnode *n, uint64_t id, uint64_t *ret_index, struct err *err)
{
    int role = role_in_force(n, id) == RAFT_SPARE ? RAFT_STANDBY : RAFT_VOTER;
    return set_role(n, id, role, ret_index, err);
}

int raftnode_demote(struct raftnode *n, uint64_t id, uint64_t *ret_index, struct err *err)
{
    int role = role_in_force(n, id) == RAFT_SPARE ? RAFT_SPARE : RAFT_STANDBY;
    return set_role(n, id, role, ret_index, err);
}

int raftnode_remove(struct raftnode *n, uint64_t id, uint64_t *ret_index, struct err *err)
{
    struct replica_change c = {.kind = REPLICA_REMOVE, .id = id};
    return change(n, &c, ret_index, err);
}

/* --- questions ------------------------------------------------------------------------------- */

static enum raftnode_seat_role role_of(int role)
{
    return role == RAFT_VOTER     ? RAFTNODE_VOTER
           : role == RAFT_STANDBY ? RAFTNODE_STANDBY
                                  : RAFTNODE_SPARE;
}

unsigned raftnode_members(const struct raftnode *n, struct raftnode_seat v[RAFTNODE_MEMBERS_MAX])
{
    for (unsigned i = 0; i < n->n_seats; i++) {
        const struct seat *s = &n->seats[i];
        bool me = s->id == n->config.id;
        struct replica_progress p = replica_progress(n->replica, clock_mono_ms(), s->id);
        v[i] = (struct raftnode_seat){
            .id = s->id,
            .role = role_of(s->role),
            .peer_address = s->peer,
            .api_address = s->api,
            .incarnation = conf_address_read(s->address).incarnation,
            .software = me ? n->software : peers_software(n->peers, s->id),
            .connected = me || peers_connected(n->peers, s->id),
            .known = p.known,
            .match = p.match,
            .lag = p.lag,
            .heard = p.heard,
            .heard_ms = p.heard_ms,
            .has_room = p.has_capacity,
            .room_bytes = (uint64_t)p.capacity << 20,
        };
    }
    return n->n_seats;
}

uint64_t raftnode_members_index(const struct raftnode *n)
{
    struct membership m;
    uint64_t index = 0;
    (void)replica_conf_committed(n->replica, &m, &index);
    return index;
}

const char *raftnode_api_address(const struct raftnode *n, uint64_t id)
{
    const struct seat *s = find_seat(n, id);
    return s == NULL ? "" : s->api;
}
