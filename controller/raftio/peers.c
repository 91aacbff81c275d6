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

#define RETRY_MS_MIN 50u
#define RETRY_MS_MAX 1000u
#define ADDRESS_MAX  300u

struct peer { /* One other member. */
    struct peers *p;
    uint64_t id;
    char address[ADDRESS_MAX];
    char id_text[24]; /* As in certificates. */
    /* What we send on. */
    struct addr_resolve *resolve;
    struct stream *out;
    bool open;
    bool warned; /* That it cannot be reached; once until it can. */
    struct loop_timer *retry;
    unsigned retry_ms;
    uint64_t n_dropped;
    /* What he sends on. */
    struct inbound *in;
};

struct inbound { /* An accepted connection. */
    struct peers *p;
    struct stream *stream;
    struct peer *from; /* NULL until hello. */
    struct buf buf;
    struct inbound *next;
};

struct peers {
    struct peers_config config;
    const struct peers_events *events;
    void *ctx;
    struct listener *listener;
    struct peer peer[REPLICA_MEMBERS_MAX];
    unsigned n_peers;
    struct inbound *inbound; /* All of them. */
    struct buf frame;        /* For encoding. */
};

static void connect_peer(struct peer *peer);

static struct peer *find_peer(struct peers *p, uint64_t id)
{
    for (unsigned i = 0; i < p->n_peers; i++) {
        if (p->peer[i].id == id) {
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
    m.hello = (struct message_hello){MESSAGE_VERSION, p->config.id, peer->id};
    buf_clear(&p->frame);
    message_encode(&m, &p->frame);
    peer->open = stream_write(s, p->frame.data, p->frame.len) == 0;
    peer->retry_ms = RETRY_MS_MIN;
    peer->warned = false;
    log_info("raft.peer_connected", log_u64("peer", peer->id), log_str("address", peer->address));
}

/* Nothing is ever said on this side. */
static void on_out_read(struct stream *s, void *data, const uint8_t *bytes, size_t n)
{
    (void)data;
    (void)bytes;
    (void)n;
    stream_abort(s);
}

static void on_out_close(struct stream *s, void *data, int status)
{
    struct peer *peer = data;
    warn_unreachable(peer, status == 0 ? "closed by the peer" : stream_error(s));
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
    }
    buf_close(&in->buf);
    mem_free(in->p->config.mem, in, sizeof *in);
}

static int accept_hello(struct inbound *in, const struct message_hello *hello, struct err *err)
{
    struct peers *p = in->p;
    struct peer *peer = find_peer(p, hello->from);
    const struct pki_identity *who = stream_peer(in->stream);
    if (hello->version != MESSAGE_VERSION) {
        return err_set(err, ERR_PROTOCOL, "hello: version %u, this is %u", hello->version,
                       MESSAGE_VERSION);
    }
    if (hello->to != p->config.id) {
        return err_set(err, ERR_PROTOCOL, "hello: meant for controller %" PRIu64, hello->to);
    }
    if (peer == NULL) {
        return err_set(err, ERR_DENIED, "hello: controller %" PRIu64 " is not a member",
                       hello->from);
    }
    if (p->config.tls_server != NULL &&
        (who->role != PKI_ROLE_CONTROLLER || strcmp(who->id, peer->id_text) != 0)) {
        return err_set(err, ERR_DENIED, "hello: says controller %s, certificate says %s %s",
                       peer->id_text, pki_role_name(who->role), who->id);
    }
    if (peer->in != NULL) {
        stream_abort(peer->in->stream);
        peer->in->from = NULL;
    }
    peer->in = in;
    in->from = peer;
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
        return err_set(err, ERR_PROTOCOL, "hello again");
    case MESSAGE_REPLICA:
        m.replica.peer = in->from->id;
        break;
    case MESSAGE_CHUNK:
    case MESSAGE_CHUNK_ACK:
        break;
    }
    p->events->message(p->ctx, in->from->id, &m);
    return 0;
}

/* Take every whole message out of the buffer. */
static int take_messages(struct inbound *in, struct err *err)
{
    size_t at = 0;
    int rv = 0;
    while (rv == 0 && in->buf.len - at >= MESSAGE_HEAD) {
        size_t len;
        rv = message_body_len(in->buf.data + at, &len, err);
        if (rv != 0 || in->buf.len - at - MESSAGE_HEAD < len) {
            break;
        }
        rv = take_body(in, in->buf.data + at + MESSAGE_HEAD, len, err);
        at += MESSAGE_HEAD + len;
    }
    buf_consume(&in->buf, at);
    return rv;
}

static void refuse(struct inbound *in, const struct err *err)
{
    char text[ADDR_TEXT_MAX];
    log_warn("raft.peer_refused", log_str("from", addr_text(stream_peer_addr(in->stream), text)),
             log_err(err));
    stream_abort(in->stream);
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

static void on_in_close(struct stream *s, void *data, int status)
{
    (void)s;
    (void)status;
    forget_inbound(data);
}

static const struct stream_events in_events = {
    .on_read = on_in_read,
    .on_close = on_in_close,
};

static void on_accept(struct listener *l, struct stream *s, void *data)
{
    struct peers *p = data;
    struct inbound *in = mem_alloc(p->config.mem, sizeof *in);
    (void)l;
    in->p = p;
    in->stream = s;
    in->next = p->inbound;
    buf_init(&in->buf, p->config.mem, MESSAGE_HEAD + MESSAGE_BODY_MAX);
    p->inbound = in;
    stream_accept(s, &in_events, in);
}

/* --- life ------------------------------------------------------------------------------------ */

static int add_members(struct peers *p, struct err *err)
{
    const struct peers_config *c = &p->config;
    for (unsigned i = 0; i < c->n_members; i++) {
        const struct peers_member *m = &c->members[i];
        struct peer *peer = &p->peer[p->n_peers];
        if (m->id == c->id) {
            continue;
        }
        if (p->n_peers == REPLICA_MEMBERS_MAX ||
            !str_copy(peer->address, sizeof peer->address, conf_address_read(m->address).peer)) {
            return err_set(err, ERR_TOOBIG, "member %" PRIu64 ": too many, or address too long",
                           m->id);
        }
        peer->p = p;
        peer->id = m->id;
        peer->retry_ms = RETRY_MS_MIN;
        (void)snprintf(peer->id_text, sizeof peer->id_text, "%" PRIu64, m->id);
        peer->retry = loop_timer_open(c->loop, on_retry, peer);
        p->n_peers++;
    }
    return 0;
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
    struct listener_options o = {.tls = p->config.tls_server, .max_streams = 64};
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
    for (unsigned i = 0; i < p->n_peers; i++) {
        connect_peer(&p->peer[i]);
    }
    *ret = p;
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
    for (unsigned i = 0; i < p->n_peers; i++) {
        struct peer *peer = &p->peer[i];
        addr_resolve_cancel(peer->resolve);
        loop_timer_close(peer->retry);
        if (peer->out != NULL) {
            stream_set_events(peer->out, &nothing, NULL);
            stream_close(peer->out);
        }
    }
    buf_close(&p->frame);
    mem_free(p->config.mem, p, sizeof *p);
}

/* --- questions ------------------------------------------------------------------------------- */

bool peers_connected(const struct peers *p, uint64_t id)
{
    const struct peer *peer = find_peer((struct peers *)(uintptr_t)p, id);
    return peer != NULL && peer->open;
}

unsigned peers_n_connected(const struct peers *p)
{
    unsigned n = 0;
    for (unsigned i = 0; i < p->n_peers; i++) {
        n += p->peer[i].open;
    }
    return n;
}

const struct addr *peers_listen_addr(const struct peers *p)
{
    return listener_addr(p->listener);
}
