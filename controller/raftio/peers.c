/* Each side opens the connection it sends on, so nobody has to agree whose connection counts. A
 * connection begins with hello; on the receiving side its sender must be the member that the
 * certificate names. A second connection from the same member replaces the first: the member has
 * restarted, and the old one is dead without knowing it.
 *
 * Bulk: pieces of checkpoints share the connection, but only while little is queued, and there are
 * never more than a window of them (transfer.h) in front of a heartbeat. */
#include "controller/raftio/peers.h"

#include "common/base/str.h"
#include "common/log/log.h"
#include "common/loop/loop.h"
#include "common/net/addr.h"
#include "common/net/stream.h"
#include "common/net/tls.h"
#include "controller/raft/conf.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define RETRY_MS_MIN     50u
#define RETRY_MS_MAX     1000u
#define SOFTWARE_MAX     32u
#define PEERS_MAX        (2u * CONF_MEMBERS_MAX) /* Of a configuration, and of the one before it. */
#define ANSWER_MAX       (MESSAGE_HEAD + 3u + MESSAGE_TEXT_MAX)
#define REFUSED_MS       60000u /* Between two complaints about one peer. */
#define HELLO_REFUSED_MS 1000u  /* A connection that ends before was not wanted. */

struct peer { /* One other member; a slot of the table. */
    struct peers *p;
    uint64_t id; /* 0: the slot is free. */
    bool guest;  /* No member that we know of. */
    char address[CONF_ADDRESS_MAX];
    uint64_t incarnation; /* As recorded; 0: it is not. */
    uint64_t said;        /* As it said. */
    char software[SOFTWARE_MAX];
    char id_text[24]; /* As in certificates. */
    /* What we send on. */
    struct addr_resolve *resolve;
    struct stream *out;
    bool open;
    bool warned; /* That it cannot be reached; once until it can. */
    struct loop_timer *retry;
    unsigned retry_ms;
    uint64_t n_dropped;
    uint8_t answer[ANSWER_MAX]; /* To our hello: it was refused. */
    size_t answer_len;
    uint64_t refused_ms; /* When we last complained about that; 0: it was not refused. */
    uint64_t opened_ms;
    bool first_hello; /* The one of version 1: the last connection was closed at once. */
    /* What he sends on. */
    struct inbound *in;
    uint32_t level; /* Announced in his hello; 0 while there is no connection. */
};

struct inbound { /* An accepted connection. */
    struct peers *p;
    struct stream *stream;
    struct peer *from;        /* NULL until hello. */
    struct loop_timer *hello; /* Until hello. */
    struct buf buf;
    struct inbound *next;
};

struct peers {
    struct peers_config config;
    const struct peers_events *events;
    void *ctx;
    struct listener *listener;
    struct peer peer[PEERS_MAX];
    char address[CONF_ADDRESS_MAX]; /* Our own; "" when unknown. */
    char software[SOFTWARE_MAX];
    struct inbound *inbound; /* All of them. */
    struct log_limit refusals;
    struct buf frame; /* For encoding. */
};

static void connect_peer(struct peer *peer);
static void on_retry(void *data);

static struct peer *find_peer(struct peers *p, uint64_t id)
{
    for (unsigned i = 0; i < PEERS_MAX; i++) {
        if (id != 0 && p->peer[i].id == id) {
            return &p->peer[i];
        }
    }
    return NULL;
}

/* --- out ------------------------------------------------------------------------------------- */

static void retry_later(struct peer *peer)
{
    loop_timer_start(peer->retry, peer->retry_ms);
    peer->retry_ms = peer->retry_ms * 2 < RETRY_MS_MAX ? peer->retry_ms * 2 : RETRY_MS_MAX;
}

static void warn_unreachable(struct peer *peer, const char *why)
{
    if (!peer->warned) {
        peer->warned = true;
        log_warn("raft.peer_unreachable", log_u64("peer", peer->id),
                 log_str("address", peer->address), log_str("reason", why));
    }
}

static void on_out_open(struct stream *s, void *data)
{
    struct peer *peer = data;
    struct peers *p = peer->p;
    struct message m = {.kind = MESSAGE_HELLO};
    m.hello = (struct message_hello){.version = peer->first_hello ? 1 : MESSAGE_VERSION,
                                     .from = p->config.id,
                                     .to = peer->id,
                                     .incarnation = p->config.incarnation,
                                     .cluster_id = p->config.cluster_id,
                                     .epoch = p->config.epoch,
                                     .address = str_of(p->address),
                                     .software = str_of(p->software),
                                     .level = p->config.level};
    peer->opened_ms = clock_mono_ms();
    buf_clear(&p->frame);
    message_encode(&m, &p->frame);
    peer->open = stream_write(s, p->frame.data, p->frame.len) == 0;
    peer->answer_len = 0;
    if (peer->refused_ms == 0) {
        peer->retry_ms = RETRY_MS_MIN;
        peer->warned = false;
        log_info("raft.peer_connected", log_u64("peer", peer->id),
                 log_str("address", peer->address));
    }
}

static void take_refusal(struct peer *peer, const struct message_refused *why)
{
    uint64_t now = clock_mono_ms();
    if (peer->refused_ms == 0 || now >= peer->refused_ms + REFUSED_MS) {
        peer->refused_ms = now;
        log_warn("raft.refused", log_u64("by", peer->id), log_strn("reason", why->text));
    }
    peer->warned = true;
    peer->p->events->refused(peer->p->ctx, peer->id, why);
}

/* Nothing is ever said on this side but that hello was refused. */
static void on_out_read(struct stream *s, void *data, const uint8_t *bytes, size_t n)
{
    struct peer *peer = data;
    struct raft_entry entries[REPLICA_BATCH_MAX];
    struct message m;
    size_t len;
    if (n > ANSWER_MAX - peer->answer_len) {
        stream_abort(s);
        return;
    }
    memcpy(peer->answer + peer->answer_len, bytes, n);
    peer->answer_len += n;
    if (peer->answer_len < MESSAGE_HEAD) {
        return;
    }
    if (message_body_len(peer->answer, &len, NULL) != 0 || len > ANSWER_MAX - MESSAGE_HEAD) {
        stream_abort(s);
        return;
    }
    if (peer->answer_len < MESSAGE_HEAD + len) {
        return;
    }
    stream_abort(s);
    if (message_decode(peer->answer + MESSAGE_HEAD, len, entries, &m, NULL) == 0 &&
        m.kind == MESSAGE_REFUSED) {
        take_refusal(peer, &m.refused);
    }
}

static void on_out_close(struct stream *s, void *data, int status)
{
    struct peer *peer = data;
    warn_unreachable(peer, status == 0 ? "closed by the peer" : stream_error(s));
    /* A controller of 0.1.0 hangs up on a hello that is not its own. Whoever has announced a level
     * is none. */
    peer->first_hello = peer->open && !peer->first_hello && peer->level < 2 &&
                        peer->answer_len == 0 &&
                        clock_mono_ms() < peer->opened_ms + HELLO_REFUSED_MS;
    peer->out = NULL;
    peer->open = false;
    retry_later(peer);
}

static const struct stream_events out_events = {
    .on_open = on_out_open,
    .on_read = on_out_read,
    .on_close = on_out_close,
};

static void on_resolved(void *data, int status, const struct addr *addrs, unsigned n,
                        const struct err *resolve_err)
{
    struct peer *peer = data;
    struct peers *p = peer->p;
    struct connect_options o = {.tls = p->config.tls_client};
    struct err err = {0};
    peer->resolve = NULL;
    if (status != 0 || n == 0) {
        warn_unreachable(peer, resolve_err != NULL ? resolve_err->text : "no address");
        retry_later(peer);
        return;
    }
    o.addr = addrs[0];
    o.stream.queue_max = PEERS_QUEUE_MAX;
    if (p->config.tls_client != NULL) {
        o.expect.role = PKI_ROLE_CONTROLLER;
        o.expect.id = peer->id_text;
    }
    if (stream_connect(p->config.loop, &o, &out_events, peer, &peer->out, &err) != 0) {
        warn_unreachable(peer, err.text);
        peer->out = NULL;
        retry_later(peer);
    }
}

static void connect_peer(struct peer *peer)
{
    struct err err = {0};
    assert(peer->out == NULL);
    if (addr_resolve_start(peer->p->config.loop, str_of(peer->address), 0, on_resolved, peer,
                           &peer->resolve, &err) != 0) {
        peer->resolve = NULL;
        warn_unreachable(peer, err.text);
        retry_later(peer);
    }
}

static void on_retry(void *data)
{
    connect_peer(data);
}

/* Is this too much for what is queued already? */
static bool must_drop(const struct message *m, size_t queued)
{
    switch (m->kind) {
    case MESSAGE_CHUNK:
        return queued > PEERS_QUEUE_CHUNK;
    case MESSAGE_REPLICA:
        return queued > PEERS_QUEUE_BULK && message_is_append(&m->replica) &&
               m->replica.raft.append_entries.n_entries > 0;
    case MESSAGE_HELLO:
    case MESSAGE_CHUNK_ACK:
    case MESSAGE_REFUSED:
        break;
    }
    return false;
}

void peers_send(struct peers *p, uint64_t to, const struct message *m)
{
    struct peer *peer = find_peer(p, to);
    if (peer == NULL || !peer->open || must_drop(m, stream_queued(peer->out))) {
        return;
    }
    buf_clear(&p->frame);
    message_encode(m, &p->frame);
    assert(!p->frame.overflow);
    if (stream_write(peer->out, p->frame.data, p->frame.len) != 0) {
        peer->n_dropped++;
    }
}

void peers_send_replica(struct peers *p, const struct replica_message *message)
{
    struct message m = {.kind = MESSAGE_REPLICA};
    m.replica = *message;
    peers_send(p, message->peer, &m);
}

/* --- the table ------------------------------------------------------------------------------- */

static int take_address(struct peer *peer, const char *text, struct err *err)
{
    struct conf_address a = conf_address_read(text);
    peer->incarnation = a.incarnation;
    if (a.peer.n == 0 || !str_copy(peer->address, sizeof peer->address, a.peer)) {
        return err_set(err, ERR_INVALID, "controller %" PRIu64 ": '%s' is no address", peer->id,
                       text);
    }
    return 0;
}

static int add_peer(struct peers *p, uint64_t id, const char *address, struct peer **ret,
                    struct err *err)
{
    struct peer *peer = p->peer;
    int rv;
    while (peer < p->peer + PEERS_MAX && peer->id != 0) {
        peer++;
    }
    if (peer == p->peer + PEERS_MAX) {
        return err_set(err, ERR_FULL, "controller %" PRIu64 ": too many peers", id);
    }
    *peer = (struct peer){.p = p, .id = id, .retry_ms = RETRY_MS_MIN};
    rv = take_address(peer, address, err);
    if (rv != 0) {
        peer->id = 0;
        return rv;
    }
    (void)snprintf(peer->id_text, sizeof peer->id_text, "%" PRIu64, id);
    peer->retry = loop_timer_open(p->config.loop, on_retry, peer);
    *ret = peer;
    return 0;
}

static void on_orphan_close(struct stream *s, void *data, int status)
{
    (void)s;
    (void)data;
    (void)status;
}

/* For streams that outlive us until libuv has closed them. */
static const struct stream_events nothing = {.on_close = on_orphan_close};

static void hang_up(struct peer *peer)
{
    addr_resolve_cancel(peer->resolve);
    peer->resolve = NULL;
    if (peer->out != NULL) {
        stream_set_events(peer->out, &nothing, NULL);
        stream_close(peer->out);
        peer->out = NULL;
    }
    peer->open = false;
}

static void drop_inbound(struct peer *peer)
{
    if (peer->in != NULL) {
        peer->in->from = NULL;
        stream_abort(peer->in->stream);
        peer->in = NULL;
    }
}

static void drop_peer(struct peer *peer)
{
    hang_up(peer);
    drop_inbound(peer);
    loop_timer_close(peer->retry);
    *peer = (struct peer){.id = 0};
}

static const struct peers_member *find_member(const struct peers_member *members, unsigned n,
                                              uint64_t id)
{
    for (unsigned i = 0; i < n; i++) {
        if (members[i].id == id) {
            return &members[i];
        }
    }
    return NULL;
}

/* A known peer: the same address still? */
static void update_peer(struct peer *peer, const char *address)
{
    char before[CONF_ADDRESS_MAX];
    struct err err = {0};
    memcpy(before, peer->address, sizeof before);
    peer->guest = false;
    if (take_address(peer, address, &err) != 0) {
        log_warn("raft.peer_address", log_err(&err));
        memcpy(peer->address, before, sizeof before);
    }
    if (strcmp(before, peer->address) != 0) {
        hang_up(peer);
        loop_timer_start(peer->retry, 0);
    }
    if (peer->incarnation != 0 && peer->said != 0 && peer->said != peer->incarnation) {
        drop_inbound(peer);
    }
}

void peers_identify(struct peers *p, struct id cluster_id, uint64_t epoch)
{
    p->config.cluster_id = cluster_id;
    p->config.epoch = epoch;
}

void peers_update(struct peers *p, const struct peers_member *members, unsigned n)
{
    for (unsigned i = 0; i < PEERS_MAX; i++) {
        struct peer *peer = &p->peer[i];
        if (peer->id != 0 && find_member(members, n, peer->id) == NULL &&
            (!peer->guest || p->events->stranger(p->ctx, peer->id, NULL) != 0)) {
            log_info("raft.peer_gone", log_u64("peer", peer->id));
            drop_peer(peer);
        }
    }
    for (unsigned i = 0; i < n; i++) {
        struct peer *peer = find_peer(p, members[i].id);
        struct err err = {0};
        if (members[i].id == p->config.id) {
            (void)str_copy(p->address, sizeof p->address, str_of(members[i].address));
        } else if (peer != NULL) {
            update_peer(peer, members[i].address);
        } else if (add_peer(p, members[i].id, members[i].address, &peer, &err) == 0) {
            connect_peer(peer);
        } else {
            log_warn("raft.peer_address", log_err(&err));
        }
    }
}

/* --- in -------------------------------------------------------------------------------------- */

static void forget_inbound(struct inbound *in)
{
    struct inbound **at = &in->p->inbound;
    while (*at != in) {
        at = &(*at)->next;
    }
    *at = in->next;
    if (in->from != NULL && in->from->in == in) {
        in->from->in = NULL;
        in->from->level = 0;
    }
    loop_timer_close(in->hello);
    buf_close(&in->buf);
    mem_free(in->p->config.mem, in, sizeof *in);
}

/* Somebody we were not told of: keep it until we know better. */
static int admit(struct peers *p, const struct message_hello *hello, struct peer **ret,
                 struct err *err)
{
    char address[CONF_ADDRESS_MAX];
    int rv = p->events->stranger(p->ctx, hello->from, err);
    if (rv != 0) {
        return rv;
    }
    if (hello->address.n == 0 || !str_copy(address, sizeof address, hello->address)) {
        return err_set(err, ERR_DENIED, "controller %" PRIu64 " is not a member", hello->from);
    }
    rv = add_peer(p, hello->from, address, ret, err);
    if (rv == 0) {
        log_info("raft.peer_guest", log_u64("peer", hello->from), log_str("address", address));
        (*ret)->guest = true;
        (*ret)->incarnation = 0;
        connect_peer(*ret);
    }
    return rv;
}

static int check_hello(struct inbound *in, const struct message_hello *hello, struct err *err)
{
    struct peers *p = in->p;
    const struct pki_identity *who = stream_peer(in->stream);
    char id[24];
    if (hello->to != p->config.id) {
        return err_set(err, ERR_PROTOCOL, "hello: meant for controller %" PRIu64, hello->to);
    }
    (void)snprintf(id, sizeof id, "%" PRIu64, hello->from);
    if (hello->from == 0 || hello->from == p->config.id ||
        (p->config.tls_server != NULL &&
         (who->role != PKI_ROLE_CONTROLLER || strcmp(who->id, id) != 0))) {
        return err_set(err, ERR_DENIED, "hello: says controller %s, certificate says %s %s", id,
                       pki_role_name(who->role), who->id);
    }
    return 0;
}

/* Do both belong to the same control plane, in the same epoch, as far as they know? */
static int check_epoch(const struct peers *p, const struct message_hello *hello, struct err *err)
{
    const struct peers_config *c = &p->config;
    if (c->epoch > 1 && hello->version < 3) {
        return err_set(err, ERR_DENIED,
                       "controller %" PRIu64 " is too old to know of epochs, controller %" PRIu64
                       " is of epoch %" PRIu64,
                       hello->from, c->id, c->epoch);
    }
    if (c->epoch == 0 || hello->epoch == 0) {
        return 0;
    }
    if (!id_eq(c->cluster_id, hello->cluster_id)) {
        return err_set(err, ERR_DENIED,
                       "controller %" PRIu64 " belongs to another control plane: see the id in its "
                       "data directory's identity file",
                       hello->from);
    }
    if (hello->epoch != c->epoch) {
        return err_set(err, ERR_DENIED,
                       "controller %" PRIu64 " is of epoch %" PRIu64 ", controller %" PRIu64
                       " of epoch %" PRIu64 ": the control plane was restored or recovered; what "
                       "is left of the lower epoch must not run",
                       hello->from, hello->epoch, c->id, c->epoch);
    }
    return 0;
}

static int accept_hello(struct inbound *in, const struct message_hello *hello, struct err *err)
{
    struct peer *peer = find_peer(in->p, hello->from);
    int rv = check_hello(in, hello, err);
    if (rv == 0) {
        rv = check_epoch(in->p, hello, err);
    }
    if (rv == 0 && peer == NULL) {
        rv = admit(in->p, hello, &peer, err);
    }
    if (rv != 0) {
        return rv;
    }
    assert(peer != NULL);
    /* One of 0.1.0 does not say: it may have been put back by whoever upgrades. */
    if (hello->version > 1 && peer->incarnation != 0 && peer->incarnation != hello->incarnation) {
        return err_set(err, ERR_CONFLICT,
                       "controller %" PRIu64 " comes with another data directory than it had: it "
                       "may have forgotten its votes; remove it (ecs-admin member remove %" PRIu64
                       ") and add it under a new id",
                       hello->from, hello->from);
    }
    drop_inbound(peer);
    peer->in = in;
    peer->said = hello->incarnation;
    (void)str_copy(peer->software, sizeof peer->software, hello->software);
    in->from = peer;
    peer->level = hello->level;
    if (peer->first_hello && hello->level > 1 && peer->out != NULL) {
        stream_abort(peer->out); /* It is new by now, and shall know that we are too. */
    }
    loop_timer_stop(in->hello);
    return 0;
}

static int take_body(struct inbound *in, const uint8_t *body, size_t len, struct err *err)
{
    struct peers *p = in->p;
    struct raft_entry entries[REPLICA_BATCH_MAX];
    struct message m;
    int rv = message_decode(body, len, entries, &m, err);
    if (rv != 0) {
        return rv;
    }
    if (in->from == NULL) {
        return m.kind == MESSAGE_HELLO ? accept_hello(in, &m.hello, err)
                                       : err_set(err, ERR_PROTOCOL, "first message is not hello");
    }
    switch (m.kind) {
    case MESSAGE_HELLO:
    case MESSAGE_REFUSED:
        return err_set(err, ERR_PROTOCOL, "hello again, or a refusal");
    case MESSAGE_REPLICA:
        m.replica.peer = in->from->id;
        break;
    case MESSAGE_CHUNK:
    case MESSAGE_CHUNK_ACK:
        break;
    }
    return p->events->message(p->ctx, in->from->id, &m, err);
}

/* Take every whole message out of the buffer. */
static int take_messages(struct inbound *in, struct err *err)
{
    size_t at = 0;
    int rv = 0;
    while (rv == 0 && in->buf.len - at >= MESSAGE_HEAD) {
        size_t len;
        rv = message_body_len(in->buf.data + at, &len, err);
        if (rv == 0 && in->from == NULL && len > PEERS_HELLO_MAX) {
            rv = err_set(err, ERR_PROTOCOL, "first message is not hello");
        }
        if (rv != 0 || in->buf.len - at - MESSAGE_HEAD < len) {
            break;
        }
        rv = take_body(in, in->buf.data + at + MESSAGE_HEAD, len, err);
        at += MESSAGE_HEAD + len;
    }
    buf_consume(&in->buf, at);
    return rv;
}

/* Say why, for those whose hello was understood. */
static void refuse(struct inbound *in, const struct err *err)
{
    char text[ADDR_TEXT_MAX];
    struct message m = {.kind = MESSAGE_REFUSED};
    uint64_t left_out;
    if (log_allow(&in->p->refusals, PEERS_REFUSALS_S, &left_out)) {
        log_warn("raft.peer_refused",
                 log_str("from", addr_text(stream_peer_addr(in->stream), text)), log_err(err),
                 log_u64("left_out", left_out));
    }
    if (in->from != NULL) {
        stream_abort(in->stream);
        return;
    }
    m.refused.reason = err->code == ERR_NOTFOUND   ? MESSAGE_REFUSED_REMOVED
                       : err->code == ERR_CONFLICT ? MESSAGE_REFUSED_INCARNATION
                                                   : MESSAGE_REFUSED_OTHER;
    m.refused.text = str_of(err->text);
    buf_clear(&in->p->frame);
    message_encode(&m, &in->p->frame);
    (void)stream_write(in->stream, in->p->frame.data, in->p->frame.len);
    stream_close(in->stream);
}

static void on_no_hello(void *data)
{
    struct err err = {0};
    (void)err_set(&err, ERR_TIMEOUT, "no hello within %u ms", PEERS_HELLO_MS);
    refuse(data, &err);
}

static void on_in_read(struct stream *s, void *data, const uint8_t *bytes, size_t n)
{
    struct inbound *in = data;
    struct err err = {0};
    (void)s;
    while (n > 0) { /* In parts, so that the buffer holds one message and not two. */
        size_t room = MESSAGE_HEAD + MESSAGE_BODY_MAX - in->buf.len;
        size_t part = n < room ? n : room;
        buf_put(&in->buf, bytes, part);
        bytes += part;
        n -= part;
        if (take_messages(in, &err) != 0) {
            refuse(in, &err);
            return;
        }
    }
}

/* Told only of the connection in use, after its last message, and only when it ended well or with
 * the peer's process: silence has other judges. */
static void on_in_close(struct stream *s, void *data, int status)
{
    struct inbound *in = data;
    struct peers *p = in->p;
    uint64_t id = in->from != NULL && in->from->in == in ? in->from->id : 0;
    (void)s;
    forget_inbound(in);
    if (id != 0 && (status == 0 || status == ERR_CLOSED) && p->events->closed != NULL) {
        p->events->closed(p->ctx, id);
    }
}

static const struct stream_events in_events = {
    .on_read = on_in_read,
    .on_close = on_in_close,
};

static void on_accept(struct listener *l, struct stream *s, void *data)
{
    struct peers *p = data;
    struct inbound *in = mem_alloc(p->config.mem, sizeof *in);
    struct err err = {0};
    (void)l;
    in->p = p;
    in->stream = s;
    in->next = p->inbound;
    buf_init(&in->buf, p->config.mem, MESSAGE_HEAD + MESSAGE_BODY_MAX);
    in->hello = loop_timer_open(p->config.loop, on_no_hello, in);
    loop_timer_start(in->hello, PEERS_HELLO_MS);
    p->inbound = in;
    stream_accept(s, &in_events, in);
    if (p->config.tls_server != NULL && stream_peer(s)->role != PKI_ROLE_CONTROLLER) {
        (void)err_set(&err, ERR_DENIED, "certificate says %s %s",
                      pki_role_name(stream_peer(s)->role), stream_peer(s)->id);
        refuse(in, &err);
    }
}

/* --- life ------------------------------------------------------------------------------------ */

static int add_members(struct peers *p, struct err *err)
{
    const struct peers_config *c = &p->config;
    int rv = 0;
    for (unsigned i = 0; rv == 0 && i < c->n_members; i++) {
        const struct peers_member *m = &c->members[i];
        struct peer *peer;
        if (m->id == c->id) {
            (void)str_copy(p->address, sizeof p->address, str_of(m->address));
        } else {
            rv = add_peer(p, m->id, m->address, &peer, err);
        }
    }
    return rv;
}

static struct str listen_text(const struct peers_config *c)
{
    for (unsigned i = 0; c->listen == NULL && i < c->n_members; i++) {
        if (c->members[i].id == c->id) {
            return conf_address_read(c->members[i].address).peer;
        }
    }
    return str_of(c->listen);
}

static int open_listener(struct peers *p, struct err *err)
{
    struct str text = listen_text(&p->config);
    struct listener_options o = {
        .tls = p->config.tls_server,
        .max_streams = PEERS_STREAMS_MAX,
        .max_per_ip = PEERS_PER_IP_MAX,
    };
    int rv;
    if (text.n == 0) {
        return err_set(err, ERR_INVALID, "controller %" PRIu64 " is not among the members",
                       p->config.id);
    }
    rv = addr_parse(text, 0, &o.addr, err);
    if (rv == 0) {
        rv = listener_open(p->config.loop, &o, on_accept, p, &p->listener, err);
    }
    return rv != 0 ? err_wrap(err, rv, "peer port %.*s", STR_ARG(text)) : 0;
}

int peers_open(const struct peers_config *config, const struct peers_events *events, void *ctx,
               struct peers **ret, struct err *err)
{
    struct peers *p = mem_alloc(config->mem, sizeof *p);
    int rv;
    p->config = *config;
    p->events = events;
    p->ctx = ctx;
    buf_init(&p->frame, config->mem, MESSAGE_HEAD + MESSAGE_BODY_MAX);
    (void)str_copy(p->software, sizeof p->software, str_of(config->software));
    rv = add_members(p, err);
    if (rv == 0) {
        rv = open_listener(p, err);
    }
    if (rv != 0) {
        peers_close(p);
        return rv;
    }
    p->config.members = NULL; /* The caller's. */
    p->config.listen = NULL;
    p->config.software = NULL;
    for (unsigned i = 0; i < PEERS_MAX; i++) {
        if (p->peer[i].id != 0) {
            connect_peer(&p->peer[i]);
        }
    }
    *ret = p;
    return 0;
}

void peers_close(struct peers *p)
{
    if (p == NULL) {
        return;
    }
    listener_close(p->listener);
    while (p->inbound != NULL) {
        stream_set_events(p->inbound->stream, &nothing, NULL);
        stream_abort(p->inbound->stream);
        forget_inbound(p->inbound);
    }
    for (unsigned i = 0; i < PEERS_MAX; i++) {
        if (p->peer[i].id != 0) {
            drop_peer(&p->peer[i]);
        }
    }
    buf_close(&p->frame);
    mem_free(p->config.mem, p, sizeof *p);
}

/* --- questions ------------------------------------------------------------------------------- */

static const struct peer *peer_of(const struct peers *p, uint64_t id)
{
    return find_peer((struct peers *)(uintptr_t)p, id);
}

uint64_t peers_incarnation(const struct peers *p, uint64_t id)
{
    const struct peer *peer = peer_of(p, id);
    return peer == NULL ? 0 : peer->said;
}

const char *peers_software(const struct peers *p, uint64_t id)
{
    const struct peer *peer = peer_of(p, id);
    return peer == NULL ? "" : peer->software;
}

uint32_t peers_level(const struct peers *p, uint64_t id)
{
    const struct peer *peer = find_peer((struct peers *)(uintptr_t)p, id);
    return peer != NULL && peer->in != NULL ? peer->level : 0;
}

bool peers_connected(const struct peers *p, uint64_t id)
{
    const struct peer *peer = peer_of(p, id);
    return peer != NULL && peer->open;
}

unsigned peers_n_connected(const struct peers *p)
{
    unsigned n = 0;
    for (unsigned i = 0; i < PEERS_MAX; i++) {
        n += p->peer[i].open;
    }
    return n;
}

const struct addr *peers_listen_addr(const struct peers *p)
{
    return listener_addr(p->listener);
}
