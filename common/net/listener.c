/* Connections are counted per address, exactly, by walking one bucket of a hash table: an
 * attacker with one address cannot take the places of others, and nobody collides into them. */
#include "common/base/list.h"
#include "common/log/log.h"
#include "common/loop/loop.h"
#include "common/loop/sysmem.h"
#include "common/net/stream_impl.h"

#include <assert.h>
#include <string.h>
#include <sys/socket.h>

#define N_BUCKETS       256
#define BACKLOG         511
#define STREAMS_DEFAULT 4096
#define PER_IP_DEFAULT  100
#define SHAKE_US        10000

struct listener {
    uv_tcp_t tcp;
    struct listener_options options;
    listener_cb cb;
    void *data;
    struct addr addr;
    unsigned n_streams;
    uint64_t n_refused;
    bool closing;
    bool closed; /* libuv is done with the handle. */
    struct loop_soon *soon;
    struct list waiting;            /* Streams, to go on with their handshakes. */
    uint64_t turn;                  /* Of the loop, by its time, */
    uint64_t spent_ns;              /* and what it spent on handshakes. */
    struct list buckets[N_BUCKETS]; /* Of those that have not proved who they are. */
};

static struct list *bucket_of(struct listener *l, const struct addr *a)
{
    return &l->buckets[addr_ip_hash(a) % N_BUCKETS];
}

static void free_if_done(struct listener *l)
{
    if (l->closed && l->n_streams == 0) {
        mem_free(sysmem(), l, sizeof *l);
    }
}

/* Connections from the address that have not proved who they are. */
static unsigned count_unverified(struct listener *l, const struct addr *a)
{
    struct list *it;
    unsigned n = 0;
    list_each (it, bucket_of(l, a)) {
        struct stream *s = stream_of_link(container_of(it, struct listener_link, in_bucket));
        n += addr_ip_eq(stream_peer_addr(s), a);
    }
    return n;
}

static void refuse(struct listener *l, struct stream *s, const char *reason)
{
    char text[ADDR_TEXT_MAX];
    l->n_refused++;
    log_debug("connection.refused", log_str("peer", addr_text(stream_peer_addr(s), text)),
              log_str("reason", reason));
    stream_abort(s);
}

static void on_connection(uv_stream_t *server, int status)
{
    struct listener *l = server->data;
    struct stream *s;
    const struct addr *peer;
    if (status != 0) {
        l->n_refused++;
        log_warn("listener.accept", log_str("err", uv_strerror(status)));
        return;
    }
    if (l->closing) {
        return;
    }
    s = stream_take(server, &l->options.stream, l->options.tls, l);
    if (s == NULL) {
        return;
    }
    l->n_streams++;
    peer = stream_peer_addr(s);
    list_push(bucket_of(l, peer), &stream_link(s)->in_bucket);
    if (l->n_streams > l->options.max_streams) {
        refuse(l, s, "too many connections");
    } else if (count_unverified(l, peer) > l->options.max_per_ip) {
        refuse(l, s, "too many connections from this address");
    } else {
        stream_begin(s);
    }
}

void listener_opened(struct listener_link *link, struct stream *s)
{
    struct listener *l = link->listener;
    if (stream_peer(s)->role != PKI_ROLE_NONE) {
        list_remove(&link->in_bucket); /* It is not counted any more. */
    }
    if (!l->closing) {
        l->cb(l, s, l->data);
    }
}

static bool is_spent(struct listener *l)
{
    uint64_t turn = uv_now(l->tcp.loop);
    if (turn != l->turn) {
        l->turn = turn;
        l->spent_ns = 0;
    }
    return l->spent_ns >= (uint64_t)l->options.shake_us * 1000;
}

bool listener_defers(struct listener_link *link)
{
    struct listener *l = link->listener;
    if (l == NULL || l->closing || !is_spent(l)) {
        return false;
    }
    list_push(&l->waiting, &link->waiting);
    loop_soon_post(l->soon);
    return true;
}

void listener_spent(struct listener_link *link, uint64_t ns)
{
    if (link->listener != NULL) {
        link->listener->spent_ns += ns;
    }
}

/* Another turn: first come, first served. */
static void on_soon(void *data)
{
    struct listener *l = data;
    while (!list_empty(&l->waiting) && !is_spent(l)) {
        struct listener_link *link = container_of(l->waiting.next, struct listener_link, waiting);
        list_remove(&link->waiting);
        stream_shake(stream_of_link(link));
    }
    if (!list_empty(&l->waiting)) {
        loop_soon_post(l->soon);
    }
}

void listener_failed(struct listener_link *link, struct stream *s)
{
    struct listener *l = link->listener;
    char text[ADDR_TEXT_MAX];
    if (l == NULL) {
        return;
    }
    l->n_refused++;
    log_debug("connection.failed", log_str("peer", addr_text(stream_peer_addr(s), text)),
              log_str("reason", stream_error(s)));
}

void listener_unlink(struct listener_link *link)
{
    struct listener *l = link->listener;
    if (l == NULL) {
        return;
    }
    list_remove(&link->in_bucket);
    list_remove(&link->waiting);
    link->listener = NULL;
    assert(l->n_streams > 0);
    l->n_streams--;
    free_if_done(l);
}

static void on_closed(uv_handle_t *handle)
{
    struct listener *l = handle->data;
    l->closed = true;
    free_if_done(l);
}

int listener_open(uv_loop_t *loop, const struct listener_options *options, listener_cb cb,
                  void *data, struct listener **ret, struct err *err)
{
    struct listener *l = mem_alloc(sysmem(), sizeof *l);
    struct sockaddr_storage sa;
    int n = sizeof sa;
    char text[ADDR_TEXT_MAX];
    int rv = uv_tcp_init(loop, &l->tcp);
    assert(rv == 0);
    l->tcp.data = l;
    l->options = *options;
    l->options.max_streams = options->max_streams != 0 ? options->max_streams : STREAMS_DEFAULT;
    l->options.max_per_ip = options->max_per_ip != 0 ? options->max_per_ip : PER_IP_DEFAULT;
    l->options.shake_us = options->shake_us != 0 ? options->shake_us : SHAKE_US;
    l->cb = cb;
    l->data = data;
    l->soon = loop_soon_open(loop, on_soon, l);
    list_init(&l->waiting);
    for (int i = 0; i < N_BUCKETS; i++) {
        list_init(&l->buckets[i]);
    }
    rv = uv_tcp_bind(&l->tcp, &options->addr.u.sa, 0);
    if (rv == 0) {
        rv = uv_listen((uv_stream_t *)&l->tcp, BACKLOG, on_connection);
    }
    if (rv == 0) {
        rv = uv_tcp_getsockname(&l->tcp, (struct sockaddr *)&sa, &n);
    }
    if (rv != 0) {
        listener_close(l);
        return err_set(err, rv == UV_EADDRINUSE ? ERR_EXISTS : ERR_IO, "listen on %s: %s",
                       addr_text(&options->addr, text), uv_strerror(rv));
    }
    (void)addr_from_sockaddr((struct sockaddr *)&sa, &l->addr);
    *ret = l;
    return 0;
}

void listener_close(struct listener *l)
{
    if (l == NULL) {
        return;
    }
    assert(!l->closing);
    l->closing = true;
    loop_soon_close(l->soon);
    for (int i = 0; i < N_BUCKETS; i++) {
        struct list *it;
        list_each (it, &l->buckets[i]) {
            struct stream *s = stream_of_link(container_of(it, struct listener_link, in_bucket));
            stream_drop_unowned(s);
        }
    }
    uv_close((uv_handle_t *)&l->tcp, on_closed);
}

const struct addr *listener_addr(const struct listener *l)
{
    return &l->addr;
}

unsigned listener_count(const struct listener *l)
{
    return l->n_streams;
}

uint64_t listener_refused(const struct listener *l)
{
    return l->n_refused;
}
