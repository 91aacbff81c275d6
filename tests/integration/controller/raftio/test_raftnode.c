/* Controllers on one loop with real files, sockets and TLS. The state of each is the list of the
 * commands it applied, as one growing text; its checkpoint is that text in memory. */
#include "common/base/buf.h"
#include "common/loop/loop.h"
#include "common/loop/sysmem.h"
#include "controller/raftio/message.h"
#include "controller/raftio/raftnode.h"
#include "tests/lib/test.h"
#include "tests/lib/testnet.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#define NODES     3 /* Begin the cluster ... */
#define SEATS     4 /* ... and one may join. */
#define STATE_MAX (64u * 1024u * 1024u)

struct member {
    struct cluster *c;
    unsigned at;
    struct raftnode *node;
    struct tls_context *server;
    struct tls_context *client;
    struct buf state;
    uint64_t applied;
    uint64_t applied_term;
    /* Checkpoint: the state as of an index; survives a restart. */
    struct buf checkpoint;
    uint64_t checkpoint_index;
    uint64_t checkpoint_term;
    struct buf incoming;
    unsigned n_mine, n_lost, n_leader, n_follower, n_installed;
    bool ready, stopped;
    char fatal[ERR_TEXT_MAX];
};

struct cluster {
    uv_loop_t loop;
    char dir[64];
    struct testnet net;
    bool tls;
    struct raftnode_member members[SEATS];
    char address[SEATS][32];
    struct member m[SEATS];
    uint64_t trailing;
};

/* --- events ---------------------------------------------------------------------------------- */

static void on_apply(void *ctx, uint64_t index, uint64_t term, const uint8_t *bytes, size_t len,
                     void *cookie)
{
    struct member *m = ctx;
    ck_assert_uint_gt(index, m->applied);
    m->applied = index;
    m->applied_term = term;
    buf_put(&m->state, bytes, len);
    ck_assert(!m->state.overflow);
    m->n_mine += cookie != NULL;
}

static void on_lost(void *ctx, void *cookie)
{
    struct member *m = ctx;
    ck_assert_ptr_nonnull(cookie);
    m->n_lost++;
}

static void on_leader(void *ctx, uint64_t term)
{
    struct member *m = ctx;
    (void)term;
    m->ready = true;
    m->n_leader++;
}

static void on_follower(void *ctx, uint64_t term)
{
    struct member *m = ctx;
    (void)term;
    m->ready = false;
    m->n_follower++;
}

static void on_fatal(void *ctx, const struct err *err)
{
    struct member *m = ctx;
    memcpy(m->fatal, err->text, sizeof m->fatal);
}

static void on_stopped(void *ctx)
{
    struct member *m = ctx;
    m->stopped = true;
}

static int on_open(void *ctx, void **ret_handle, struct raftnode_snapshot *ret, struct err *err)
{
    struct member *m = ctx;
    if (m->checkpoint_index == 0) {
        return err_set(err, ERR_AGAIN, "no checkpoint");
    }
    *ret_handle = m;
    *ret = (struct raftnode_snapshot){m->checkpoint_index, m->checkpoint_term, m->checkpoint.len};
    return 0;
}

static int on_read(void *ctx, void *handle, uint64_t offset, uint8_t *to, size_t size,
                   size_t *ret_n, struct err *err)
{
    struct member *m = ctx;
    (void)handle;
    (void)err;
    memcpy(to, m->checkpoint.data + offset, size);
    *ret_n = size;
    return 0;
}

static void on_close(void *ctx, void *handle)
{
    (void)ctx;
    (void)handle;
}

static int on_begin(void *ctx, const struct raftnode_snapshot *snapshot, struct err *err)
{
    struct member *m = ctx;
    (void)snapshot;
    (void)err;
    buf_clear(&m->incoming);
    return 0;
}

static int on_chunk(void *ctx, const uint8_t *bytes, size_t n, struct err *err)
{
    struct member *m = ctx;
    (void)err;
    buf_put(&m->incoming, bytes, n);
    return 0;
}

static void on_abort(void *ctx)
{
    struct member *m = ctx;
    buf_clear(&m->incoming);
}

static void set_bytes(struct buf *to, const struct buf *from)
{
    buf_clear(to);
    buf_put(to, from->data, from->len);
}

static void on_install(void *ctx, const struct raftnode_snapshot *s)
{
    struct member *m = ctx;
    ck_assert_uint_eq(s->size, m->incoming.len);
    set_bytes(&m->checkpoint, &m->incoming);
    set_bytes(&m->state, &m->incoming);
    m->checkpoint_index = s->index;
    m->checkpoint_term = s->term;
    m->applied = s->index;
    m->applied_term = s->term;
    m->n_installed++;
    raftnode_installed(m->node, 0);
}

static const struct raftnode_events events = {
    .apply = on_apply,
    .lost = on_lost,
    .leader = on_leader,
    .follower = on_follower,
    .fatal = on_fatal,
    .stopped = on_stopped,
    .snapshot_open = on_open,
    .snapshot_read = on_read,
    .snapshot_close = on_close,
    .receive_begin = on_begin,
    .receive_chunk = on_chunk,
    .receive_abort = on_abort,
    .receive_install = on_install,
};

/* --- the cluster ----------------------------------------------------------------------------- */

static uint16_t free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    close(fd);
    return ntohs(a.sin_port);
}

static int start(struct cluster *c, unsigned i, struct err *err)
{
    struct member *m = &c->m[i];
    struct raftnode_config config = {
        .id = i + 1,
        .members = c->members,
        .n_members = i < NODES ? NODES : SEATS,
        .joining = i >= NODES,
        .loop = &c->loop,
        .mem = sysmem(),
        .checkpoint_index = m->checkpoint_index,
        .checkpoint_term = m->checkpoint_term,
        .election_ms = 150,
        .heartbeat_ms = 30,
        .trailing = c->trailing,
        .segment_bytes = 64 * 1024,
        .disk_min_bytes = 1,
        .tls_server = m->server,
        .tls_client = m->client,
    };
    char dir[128];
    (void)snprintf(dir, sizeof dir, "%s/%u", c->dir, i + 1);
    config.dir = dir;
    set_bytes(&m->state, &m->checkpoint);
    m->applied = m->checkpoint_index;
    m->ready = false;
    m->stopped = false;
    return raftnode_open(&config, &events, m, &m->node, err);
}

static void must_start(struct cluster *c, unsigned i)
{
    struct err err = {0};
    int rv = start(c, i, &err);
    ck_assert_msg(rv == 0, "%s", err.text);
}

static void kill_node(struct cluster *c, unsigned i)
{
    raftnode_close(c->m[i].node);
    c->m[i].node = NULL;
    c->m[i].ready = false;
}

static void cluster_open(struct cluster *c, bool tls)
{
    memset(c, 0, sizeof *c);
    ck_assert_int_eq(uv_loop_init(&c->loop), 0);
    (void)snprintf(c->dir, sizeof c->dir, "/tmp/test-raftnode-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(c->dir));
    c->tls = tls;
    c->trailing = 16;
    if (tls) {
        testnet_open(&c->net);
    }
    for (unsigned i = 0; i < SEATS; i++) {
        struct member *m = &c->m[i];
        char id[4];
        (void)snprintf(id, sizeof id, "%u", i + 1);
        (void)snprintf(c->address[i], sizeof c->address[i], "127.0.0.1:%u", free_port());
        c->members[i] = (struct raftnode_member){i + 1, c->address[i]};
        m->c = c;
        m->at = i;
        buf_init(&m->state, sysmem(), STATE_MAX);
        buf_init(&m->checkpoint, sysmem(), STATE_MAX);
        buf_init(&m->incoming, sysmem(), STATE_MAX);
        if (tls) {
            m->server = testnet_server(&c->net, PKI_ROLE_CONTROLLER, id, TLS_VERIFY_REQUIRED, NULL);
            m->client = testnet_client(&c->net, PKI_ROLE_CONTROLLER, id, NULL);
        }
    }
}

static void remove_dir(const char *path)
{
    DIR *d = opendir(path);
    struct dirent *e;
    if (d == NULL) {
        (void)unlink(path);
        return;
    }
    while ((e = readdir(d)) != NULL) {
        char sub[512];
        if (e->d_name[0] == '.') {
            continue;
        }
        (void)snprintf(sub, sizeof sub, "%s/%s", path, e->d_name);
        if (unlink(sub) != 0) {
            DIR *inner = opendir(sub);
            struct dirent *f;
            while (inner != NULL && (f = readdir(inner)) != NULL) {
                char file[1024];
                (void)snprintf(file, sizeof file, "%s/%s", sub, f->d_name);
                (void)unlink(file);
            }
            if (inner != NULL) {
                closedir(inner);
            }
            (void)rmdir(sub);
        }
    }
    closedir(d);
    (void)rmdir(path);
}

static void cluster_close(struct cluster *c)
{
    for (unsigned i = 0; i < SEATS; i++) {
        raftnode_close(c->m[i].node);
        buf_close(&c->m[i].state);
        buf_close(&c->m[i].checkpoint);
        buf_close(&c->m[i].incoming);
    }
    loop_drain(&c->loop);
    for (unsigned i = 0; i < SEATS; i++) {
        tls_context_close(c->m[i].server);
        tls_context_close(c->m[i].client);
    }
    if (c->tls) {
        testnet_close(&c->net);
    }
    remove_dir(c->dir);
}

typedef bool (*condition)(struct cluster *c);

static void on_timer(void *data)
{
    (void)data;
}

/* Run the loop until the condition holds; false after ms. */
static bool until(struct cluster *c, condition holds, uint64_t ms)
{
    uint64_t end = clock_mono_ms() + ms;
    struct loop_timer *t = loop_timer_open(&c->loop, on_timer, NULL);
    bool ok;
    loop_timer_repeat(t, 5, 5);
    while (!(ok = holds(c)) && clock_mono_ms() < end) {
        uv_run(&c->loop, UV_RUN_ONCE);
    }
    loop_timer_close(t);
    return ok;
}

static struct member *leader(struct cluster *c)
{
    for (unsigned i = 0; i < SEATS; i++) {
        if (c->m[i].node != NULL && c->m[i].ready && raftnode_is_leader(c->m[i].node)) {
            return &c->m[i];
        }
    }
    return NULL;
}

static bool has_leader(struct cluster *c)
{
    return leader(c) != NULL;
}

static bool all_equal(struct cluster *c)
{
    const struct member *first = NULL;
    for (unsigned i = 0; i < SEATS; i++) {
        const struct member *m = &c->m[i];
        if (m->node == NULL) {
            continue;
        }
        if (first != NULL &&
            (first->state.len != m->state.len ||
             (m->state.len > 0 && memcmp(first->state.data, m->state.data, m->state.len) != 0))) {
            return false;
        }
        first = m;
    }
    return true;
}

static bool all_done(struct cluster *c)
{
    unsigned done = 0;
    for (unsigned i = 0; i < NODES; i++) {
        done += c->m[i].n_mine + c->m[i].n_lost;
    }
    return done >= 100 && all_equal(c);
}

static void propose_n(struct cluster *c, struct member *m, unsigned n, size_t len)
{
    uint8_t *bytes = calloc(1, len);
    (void)c;
    for (unsigned i = 0; i < n; i++) {
        struct err err = {0};
        int rv;
        (void)snprintf((char *)bytes, len, "%u.%u ", m->at, i);
        rv = raftnode_propose(m->node, bytes, len, m, &err);
        ck_assert_msg(rv == 0, "%s", err.text);
    }
    free(bytes);
}

static void start_all(struct cluster *c)
{
    for (unsigned i = 0; i < NODES; i++) {
        must_start(c, i);
    }
    ck_assert(until(c, has_leader, 10000));
}

/* --- tests ----------------------------------------------------------------------------------- */

static void replicate(bool tls)
{
    struct cluster c;
    cluster_open(&c, tls);
    start_all(&c);
    propose_n(&c, leader(&c), 100, 200);
    ck_assert(until(&c, all_done, 10000));
    ck_assert_uint_eq(c.m[0].state.len, 100 * 200);
    cluster_close(&c);
}

START_TEST(three_controllers_apply_the_same_commands)
    {
        replicate(false);
    }
END_TEST

START_TEST(they_do_so_over_mutual_tls)
    {
        replicate(true);
    }
END_TEST

START_TEST(a_stranger_with_a_good_certificate_of_another_id_is_refused)
    {
        struct cluster c;
        cluster_open(&c, true);
        /* Controller 3 shows the certificate of an agent, and one of "9". */
        tls_context_close(c.m[2].client);
        c.m[2].client = testnet_client(&c.net, PKI_ROLE_AGENT, "3", NULL);
        tls_context_close(c.m[1].client);
        c.m[1].client = testnet_client(&c.net, PKI_ROLE_CONTROLLER, "9", NULL);
        for (unsigned i = 0; i < NODES; i++) {
            must_start(&c, i);
        }
        /* Only controller 1 can speak; nobody can answer it. */
        ck_assert(!until(&c, has_leader, 1500));
        cluster_close(&c);
    }
END_TEST

START_TEST(killing_the_leader_costs_no_acknowledged_command)
    {
        struct cluster c;
        unsigned dead;
        cluster_open(&c, false);
        start_all(&c);
        propose_n(&c, leader(&c), 100, 50);
        ck_assert(until(&c, all_done, 10000));
        dead = leader(&c)->at;
        kill_node(&c, dead);
        ck_assert(until(&c, has_leader, 10000));
        ck_assert_uint_eq(leader(&c)->state.len, 100 * 50);
        propose_n(&c, leader(&c), 10, 50);
        must_start(&c, dead);
        ck_assert(until(&c, all_equal, 10000));
        cluster_close(&c);
    }
END_TEST

static bool all_have_6000(struct cluster *c)
{
    for (unsigned i = 0; i < NODES; i++) {
        if (c->m[i].node == NULL || c->m[i].state.len != 6000) {
            return false;
        }
    }
    return true;
}

START_TEST(all_three_restart_and_have_everything)
    {
        struct cluster c;
        cluster_open(&c, false);
        start_all(&c);
        propose_n(&c, leader(&c), 120, 50);
        ck_assert(until(&c, all_have_6000, 10000));
        for (unsigned i = 0; i < NODES; i++) {
            kill_node(&c, i);
        }
        start_all(&c);
        ck_assert(until(&c, all_have_6000, 10000));
        cluster_close(&c);
    }
END_TEST

static unsigned n_reads;
static int read_status;

static void on_answer(void *arg, int status)
{
    (void)arg;
    n_reads++;
    read_status = status;
}

static bool five_reads(struct cluster *c)
{
    (void)c;
    return n_reads >= 5;
}

START_TEST(reads_are_answered_by_the_leader_only)
    {
        struct cluster c;
        struct member *l;
        struct err err;
        cluster_open(&c, false);
        start_all(&c);
        n_reads = 0;
        l = leader(&c);
        for (int i = 0; i < 5; i++) {
            ck_assert_int_eq(raftnode_read(l->node, on_answer, NULL, &err), 0);
        }
        ck_assert_uint_eq(n_reads, 0);
        ck_assert(until(&c, five_reads, 5000));
        ck_assert_int_eq(read_status, 0);
        ck_assert_int_eq(raftnode_read(c.m[(l->at + 1) % NODES].node, on_answer, NULL, &err),
                         ERR_NOTLEADER);
        ck_assert_int_eq(
            raftnode_propose(c.m[(l->at + 1) % NODES].node, (const uint8_t *)"x", 1, l, &err),
            ERR_NOTLEADER);
        cluster_close(&c);
    }
END_TEST

static bool some_stopped(struct cluster *c)
{
    return c->m[0].stopped || c->m[1].stopped || c->m[2].stopped;
}

START_TEST(a_leader_that_stops_hands_over_first)
    {
        struct cluster c;
        struct member *l;
        uint64_t began;
        cluster_open(&c, false);
        start_all(&c);
        l = leader(&c);
        raftnode_stop(l->node);
        ck_assert(until(&c, some_stopped, 5000));
        began = clock_mono_ms();
        kill_node(&c, l->at);
        ck_assert(until(&c, has_leader, 5000));
        /* Faster than any election timeout would allow. */
        ck_assert_uint_lt(clock_mono_ms() - began, 150);
        cluster_close(&c);
    }
END_TEST

static void checkpoint(struct member *m)
{
    set_bytes(&m->checkpoint, &m->state);
    m->checkpoint_index = m->applied;
    m->checkpoint_term = m->applied_term;
    raftnode_checkpoint(m->node, m->applied);
}

static bool two_have_all(struct cluster *c)
{
    unsigned n = 0;
    for (unsigned i = 0; i < NODES; i++) {
        n += c->m[i].state.len == 400u * 5000u;
    }
    return n >= 2;
}

static bool trimmed(struct cluster *c)
{
    struct raftnode_stats s;
    raftnode_stats(leader(c)->node, &s);
    return s.first > 100;
}

START_TEST(a_controller_that_lags_too_far_gets_the_checkpoint)
    {
        struct cluster c;
        unsigned slow;
        cluster_open(&c, false);
        start_all(&c);
        slow = (leader(&c)->at + 1) % NODES;
        kill_node(&c, slow);
        propose_n(&c, leader(&c), 400, 5000);
        ck_assert(until(&c, two_have_all, 20000));
        checkpoint(leader(&c));
        ck_assert(until(&c, trimmed, 5000));
        must_start(&c, slow);
        ck_assert(until(&c, all_equal, 20000));
        ck_assert_uint_eq(c.m[slow].n_installed, 1);
        /* And it goes on from there, also after a restart. */
        propose_n(&c, leader(&c), 10, 100);
        ck_assert(until(&c, all_equal, 10000));
        kill_node(&c, slow);
        must_start(&c, slow);
        ck_assert(until(&c, all_equal, 10000));
        ck_assert_uint_eq(c.m[slow].n_installed, 1);
        cluster_close(&c);
    }
END_TEST

static int stranger = -1;

/* The stranger's connection was closed from the other side. */
static bool hung_up(struct cluster *c)
{
    char byte;
    ssize_t n = recv(stranger, &byte, 1, MSG_DONTWAIT);
    (void)c;
    return n == 0 || (n < 0 && errno == ECONNRESET);
}

static void say(struct cluster *c, const void *bytes, size_t n)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    a.sin_port = htons((uint16_t)strtoul(strchr(c->address[0], ':') + 1, NULL, 10));
    stranger = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(stranger, (struct sockaddr *)&a, sizeof a), 0);
    ck_assert_int_eq((int)send(stranger, bytes, n, 0), (int)n);
    ck_assert(until(c, hung_up, 5000));
    close(stranger);
}

static void put_message(struct buf *b, const struct message *m)
{
    buf_clear(b);
    message_encode(m, b);
}

START_TEST(whoever_does_not_speak_the_protocol_is_cut_off)
    {
        static const uint8_t huge[] = {0xff, 0xff, 0xff, 0x7f, 1};
        struct message hello = {.kind = MESSAGE_HELLO};
        struct message vote = {.kind = MESSAGE_REPLICA};
        struct cluster c;
        struct buf b;
        uint64_t term;
        struct raftnode_stats stats;
        cluster_open(&c, false);
        start_all(&c);
        raftnode_stats(c.m[0].node, &stats);
        term = stats.term;
        buf_init(&b, sysmem(), 10000);
        say(&c, "GET / HTTP/1.1\r\n\r\n", 18);
        say(&c, huge, sizeof huge);
        hello.hello = (struct message_hello){.version = MESSAGE_VERSION, .from = 9, .to = 1};
        put_message(&b, &hello);
        say(&c, b.data, b.len);
        hello.hello = (struct message_hello){.version = MESSAGE_VERSION, .from = 2, .to = 3};
        put_message(&b, &hello);
        say(&c, b.data, b.len);
        hello.hello = (struct message_hello){.version = MESSAGE_VERSION + 1, .from = 2, .to = 1};
        put_message(&b, &hello);
        say(&c, b.data, b.len);
        vote.replica.kind = REPLICA_RAFT;
        vote.replica.raft.type = RAFT_REQUEST_VOTE;
        vote.replica.raft.request_vote =
            (struct raft_request_vote){.term = 1000, .candidate_id = 2};
        put_message(&b, &vote);
        say(&c, b.data, b.len);
        raftnode_stats(c.m[0].node, &stats);
        ck_assert_uint_eq(stats.term, term);
        propose_n(&c, leader(&c), 100, 20);
        ck_assert(until(&c, all_done, 5000));
        buf_close(&b);
        cluster_close(&c);
    }
END_TEST

static bool some_died(struct cluster *c)
{
    return c->m[0].fatal[0] != '\0' || c->m[1].fatal[0] != '\0' || c->m[2].fatal[0] != '\0';
}

/* The test runs in a process of its own. */
START_TEST(a_disk_that_fails_ends_the_controller_and_acknowledges_nothing)
    {
        struct rlimit limit;
        struct cluster c;
        bool died;
        cluster_open(&c, false);
        start_all(&c);
        propose_n(&c, leader(&c), 1, 20);
        ck_assert(until(&c, all_equal, 5000));
        for (unsigned i = 0; i < NODES; i++) {
            c.m[i].n_mine = 0;
        }
        (void)signal(SIGXFSZ, SIG_IGN);
        ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
        propose_n(&c, leader(&c), 1, 1000);
        limit.rlim_cur = 100; /* Check writes files too: no assertion until this is over. */
        (void)setrlimit(RLIMIT_FSIZE, &limit);
        died = until(&c, some_died, 5000);
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_FSIZE, &limit);
        ck_assert(died);
        for (unsigned i = 0; i < NODES; i++) {
            ck_assert_uint_eq(c.m[i].n_mine, 0);
            ck_assert(c.m[i].fatal[0] == '\0' || strstr(c.m[i].fatal, c.dir) != NULL);
        }
        cluster_close(&c);
    }
END_TEST

START_TEST(a_directory_serves_one_controller_only)
    {
        struct cluster c;
        struct err err = {0};
        char from[128];
        char to[128];
        cluster_open(&c, false);
        must_start(&c, 0);
        kill_node(&c, 0);
        (void)snprintf(from, sizeof from, "%s/1", c.dir);
        (void)snprintf(to, sizeof to, "%s/2", c.dir);
        ck_assert_int_eq(rename(from, to), 0);
        ck_assert_int_eq(start(&c, 1, &err), ERR_CONFLICT);
        ck_assert_ptr_nonnull(strstr(err.text, "belongs to controller 1"));
        cluster_close(&c);
    }
END_TEST

/* --- members --------------------------------------------------------------------------------- */

static bool seat_of(struct cluster *c, unsigned i, struct raftnode_seat *ret)
{
    struct raftnode_seat v[RAFTNODE_MEMBERS_MAX];
    struct member *l = leader(c);
    unsigned n = l == NULL ? 0 : raftnode_members(l->node, v);
    for (unsigned k = 0; k < n; k++) {
        if (v[k].id == i + 1) {
            *ret = v[k];
            return true;
        }
    }
    return false;
}

static bool directories_recorded(struct cluster *c)
{
    struct raftnode_seat s;
    for (unsigned i = 0; i < NODES; i++) {
        if (!seat_of(c, i, &s) || s.incarnation == 0) {
            return false;
        }
    }
    return true;
}

/* Asks again and again, as operators do. */
static bool newcomer_votes(struct cluster *c)
{
    struct raftnode_seat s;
    uint64_t index;
    if (leader(c) == NULL) {
        return false;
    }
    if (!seat_of(c, NODES, &s)) {
        (void)raftnode_add(leader(c)->node, NODES + 1, c->address[NODES], &index, NULL);
        return false;
    }
    if (s.role != RAFTNODE_VOTER) {
        (void)raftnode_promote(leader(c)->node, NODES + 1, &index, NULL);
    }
    return s.role == RAFTNODE_VOTER && s.known && s.lag == 0 && s.connected && s.incarnation != 0;
}

static unsigned gone;

static bool leads_another(struct cluster *c)
{
    struct member *l = leader(c);
    if (l != NULL && l->at == gone) {
        (void)raftnode_transfer(l->node, 0, NULL);
    }
    return l != NULL && l->at != gone;
}

/* The leader cannot be: it hands over first. Other changes may be on their way. */
static bool gone_is_removed(struct cluster *c)
{
    uint64_t index;
    return leads_another(c) && raftnode_remove(leader(c)->node, gone + 1, &index, NULL) == 0;
}

static bool gone_is_told(struct cluster *c)
{
    return c->m[gone].fatal[0] != '\0';
}

START_TEST(a_controller_joins_votes_and_another_is_removed)
    {
        struct cluster c;
        struct raftnode_seat s;
        cluster_open(&c, true);
        start_all(&c);
        propose_n(&c, leader(&c), 100, 20);
        ck_assert(until(&c, all_done, 20000));
        must_start(&c, NODES);
        (void)until(&c, all_equal, 300);
        ck_assert_uint_eq(c.m[NODES].applied, 0); /* It waits. */
        ck_assert(until(&c, newcomer_votes, 20000));
        ck_assert(until(&c, all_equal, 10000));
        gone = 0;
        ck_assert(until(&c, gone_is_removed, 20000));
        ck_assert(until(&c, gone_is_told, 20000));
        ck_assert_ptr_nonnull(strstr(c.m[gone].fatal, "controller 1 was removed"));
        kill_node(&c, gone);
        ck_assert(!seat_of(&c, gone, &s));
        propose_n(&c, leader(&c), 10, 20);
        ck_assert(until(&c, all_equal, 20000));
        must_start(&c, gone); /* It does not know: nobody sent it that entry. */
        c.m[gone].fatal[0] = '\0';
        ck_assert(until(&c, gone_is_told, 20000));
        cluster_close(&c);
    }
END_TEST

START_TEST(a_member_with_a_wiped_directory_is_refused)
    {
        struct cluster c;
        char dir[128];
        cluster_open(&c, false);
        start_all(&c);
        ck_assert(until(&c, directories_recorded, 20000));
        gone = (leader(&c)->at + 1) % NODES;
        kill_node(&c, gone);
        must_start(&c, gone); /* With its own directory it is welcome. */
        propose_n(&c, leader(&c), 100, 20);
        ck_assert(until(&c, all_done, 20000));
        ck_assert_str_eq(c.m[gone].fatal, "");
        kill_node(&c, gone);
        (void)snprintf(dir, sizeof dir, "%s/%u", c.dir, gone + 1);
        remove_dir(dir);
        must_start(&c, gone);
        ck_assert(until(&c, gone_is_told, 20000));
        ck_assert_ptr_nonnull(strstr(c.m[gone].fatal, "another data directory"));
        ck_assert_ptr_nonnull(strstr(c.m[gone].fatal, "member remove"));
        cluster_close(&c);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("raftnode");
    (void)signal(SIGPIPE, SIG_IGN); /* As loop_signal_open() does in programs. */
    TEST_CASE(
        s, "raftnode", 60, three_controllers_apply_the_same_commands, they_do_so_over_mutual_tls,
        a_stranger_with_a_good_certificate_of_another_id_is_refused,
        killing_the_leader_costs_no_acknowledged_command, all_three_restart_and_have_everything,
        reads_are_answered_by_the_leader_only, a_leader_that_stops_hands_over_first,
        a_controller_that_lags_too_far_gets_the_checkpoint,
        whoever_does_not_speak_the_protocol_is_cut_off,
        a_disk_that_fails_ends_the_controller_and_acknowledges_nothing,
        a_directory_serves_one_controller_only, a_controller_joins_votes_and_another_is_removed,
        a_member_with_a_wiped_directory_is_refused);
    return test_run(s);
}
