/* Attacks on the port of the raft peers: without a certificate, with one of the wrong role, and as
 * a member gone bad. The shapes are those that crashed or poisoned libraft's own transport, and
 * mutations of everything the protocol knows. */
#include "common/base/buf.h"
#include "common/base/prng.h"
#include "common/loop/sysmem.h"
#include "controller/raftio/message.h"
#include "tests/attack/attack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CLOSE_MS 8000 /* For handshake and hello the target has 5 s each. */

/* --- frames --------------------------------------------------------------------------------------
 */

static void frame_open(struct buf *b)
{
    buf_init(b, sysmem(), MESSAGE_HEAD + MESSAGE_BODY_MAX);
}

static void put_hello(const struct attacker *a, struct buf *b)
{
    struct message m = {.kind = MESSAGE_HELLO};
    m.hello = (struct message_hello){
        .version = MESSAGE_VERSION, .from = a->from, .to = a->to, .level = 1};
    message_encode(&m, b);
}

static void put_raft(struct buf *b, const struct raft_message *raft)
{
    struct replica_message m = {.kind = REPLICA_RAFT, .raft = *raft};
    message_encode_replica(&m, b);
}

/* As a member: hello first. NULL when the target does not let us in. */
static struct wire *enter(const struct attacker *a)
{
    struct wire *w = wire_open(&a->tls);
    struct buf b;
    frame_open(&b);
    put_hello(a, &b);
    if (w != NULL && !wire_write(w, b.data, b.len)) {
        wire_close(w);
        w = NULL;
    }
    buf_close(&b);
    return w;
}

/* Say these bytes after hello; must the connection end? */
static bool say(const struct attacker *a, const void *bytes, size_t n, bool must_close)
{
    struct wire *w = enter(a);
    bool ok;
    if (w == NULL) {
        return false;
    }
    (void)wire_write(w, bytes, n);
    ok = wire_closed(w, must_close ? CLOSE_MS : 300) == must_close;
    wire_close(w);
    return ok;
}

static bool say_raft(const struct attacker *a, const struct raft_message *m, bool must_close)
{
    struct buf b;
    bool ok;
    frame_open(&b);
    put_raft(&b, m);
    ok = say(a, b.data, b.len, must_close);
    buf_close(&b);
    return ok;
}

/* --- without a certificate -----------------------------------------------------------------------
 */

static bool plain_bytes(const struct attacker *a)
{
    static const char *const texts[] = {"GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\xff\xff", "\x01",
                                        "\0\0\0\x10\x02 append"};
    bool ok = true;
    for (unsigned i = 0; i < 4; i++) {
        struct wire *w = wire_open(&a->plain);
        if (w == NULL) {
            return false;
        }
        (void)wire_write(w, texts[i], 5 + strlen(texts[i] + 4));
        ok = wire_closed(w, CLOSE_MS) && ok;
        wire_close(w);
    }
    return ok;
}

/* What a stranger can say: noise, and the beginning of a TLS record with noise in it. */
static bool random_bytes(const struct attacker *a)
{
    static const uint8_t client_hello[] = {0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3};
    time_t end = time(NULL) + a->seconds;
    unsigned long connections = 0;
    struct prng p;
    prng_init(&p, a->seed);
    while (time(NULL) < end) {
        struct wire *w = wire_open(&a->plain);
        uint8_t bytes[600];
        if (w == NULL) {
            wire_sleep_ms(20); /* Too many from one address: its places are full for a while. */
            continue;
        }
        for (size_t i = 0; i < sizeof bytes; i++) {
            bytes[i] = (uint8_t)prng_u64(&p);
        }
        if (prng_below(&p, 2) == 0) {
            memcpy(bytes, client_hello, sizeof client_hello);
        }
        (void)wire_write(w, bytes, 1 + prng_below(&p, sizeof bytes));
        wire_close(w);
        connections++;
    }
    printf("     %lu connections\n", connections);
    return connections > 10;
}

/* A TLS client that shows nothing is let in by nobody; TLS 1.3 tells it with the first answer. */
static bool no_certificate(const struct attacker *a)
{
    struct wire_target t = a->tls;
    struct wire *w;
    bool closed;
    t.cert = NULL;
    w = wire_open(&t);
    closed = w == NULL || wire_closed(w, CLOSE_MS);
    wire_close(w);
    return closed;
}

/* Half a TLS record, then nothing: the handshake has its time, and no more. */
static bool slow_handshake(const struct attacker *a)
{
    struct wire *w[20];
    bool ok = true;
    for (unsigned i = 0; i < 20; i++) {
        w[i] = wire_open(&a->plain);
        if (w[i] != NULL) {
            (void)wire_write(w[i], "\x16\x03\x01\x02", 4);
        }
    }
    for (unsigned i = 0; i < 20; i++) {
        ok = (w[i] == NULL || wire_closed(w[i], CLOSE_MS)) && ok;
        wire_close(w[i]);
    }
    return ok;
}

/* More connections than there are places. That the peers still get theirs is seen by the script. */
static bool connection_flood(const struct attacker *a)
{
    enum { N = 600 };
    static struct wire *w[N];
    unsigned closed = 0;
    for (unsigned i = 0; i < N; i++) {
        w[i] = wire_open(&a->plain);
    }
    wire_sleep_ms(CLOSE_MS - 2000);
    for (unsigned i = 0; i < N; i++) {
        closed += w[i] == NULL || wire_closed(w[i], 100);
        wire_close(w[i]);
    }
    return closed == N;
}

/* --- with a certificate of another role, or no word of who we are --------------------------------
 */

static bool hello_refused(const struct attacker *a)
{
    struct wire *w = enter(a);
    bool closed = w == NULL || wire_closed(w, CLOSE_MS);
    wire_close(w);
    return closed;
}

static bool silent_after_handshake(const struct attacker *a)
{
    struct wire *w = wire_open(&a->tls);
    bool closed = w == NULL || wire_closed(w, CLOSE_MS);
    wire_close(w);
    return closed;
}

/* A frame of 4 MiB is announced before anybody knows who we are. */
static bool large_first_frame(const struct attacker *a)
{
    struct wire *w = wire_open(&a->tls);
    static const uint8_t frame[4096] = {0, 0, 0x40, 0};
    bool closed;
    if (w == NULL) {
        return true;
    }
    for (int i = 0; i < 256 && wire_write(w, frame, sizeof frame); i++) {
        ;
    }
    closed = wire_closed(w, CLOSE_MS);
    wire_close(w);
    return closed;
}

/* --- as a member gone bad ------------------------------------------------------------------------
 */

static bool wrong_sender(const struct attacker *a)
{
    struct attacker other = *a;
    bool ok;
    other.from = a->from == 1 ? 2 : 1; /* A member, but not the one of the certificate. */
    ok = hello_refused(&other);
    other.from = 77;
    ok = hello_refused(&other) && ok;
    other.from = a->from;
    other.to = 99;
    return hello_refused(&other) && ok;
}

/* A member that lies about itself: another control plane, other epochs, another directory, levels
 * and versions that cannot be. Whoever believed a higher epoch would stop, or refuse his own peers.
 */
static bool hello_lies(const struct attacker *a)
{
    const struct message_hello lies[] = {
        {.version = MESSAGE_VERSION, .cluster_id = {1, 2}, .epoch = 1},
        {.version = MESSAGE_VERSION, .cluster_id = {1, 2}, .epoch = UINT64_MAX},
        {.version = MESSAGE_VERSION, .epoch = UINT64_MAX},
        {.version = MESSAGE_VERSION, .incarnation = 77},
        {.version = MESSAGE_VERSION, .level = UINT16_MAX},
        {.version = 0},
        {.version = UINT32_MAX},
        {.version = MESSAGE_VERSION, .address = STR("nowhere"), .software = STR("\xff\xfe%n%s")},
    };
    for (unsigned i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        struct message m = {.kind = MESSAGE_HELLO};
        struct wire *w = wire_open(&a->tls);
        struct buf b;
        if (w == NULL) {
            return false;
        }
        m.hello = lies[i];
        m.hello.from = a->from;
        m.hello.to = a->to;
        frame_open(&b);
        message_encode(&m, &b);
        put_raft(&b, &(struct raft_message){.type = RAFT_REQUEST_VOTE_RESULT,
                                            .request_vote_result = {.term = 1}});
        (void)wire_write(w, b.data, b.len);
        (void)wire_closed(w,
                          200); /* Let in or not: what it makes of it is for the script to see. */
        wire_close(w);
        buf_close(&b);
    }
    return true;
}

/* The answer to a hello, from one who was not asked: nobody is removed by that. */
static bool forged_refusals(const struct attacker *a)
{
    bool ok = true;
    for (int reason = MESSAGE_REFUSED_OTHER; reason <= MESSAGE_REFUSED_INCARNATION; reason++) {
        struct message m = {.kind = MESSAGE_REFUSED};
        struct buf b;
        m.refused = (struct message_refused){(enum message_refusal)reason, STR("go away")};
        frame_open(&b);
        message_encode(&m, &b);
        ok = say(a, b.data, b.len, true) && ok;
        buf_close(&b);
    }
    return ok;
}

static bool short_frames(const struct attacker *a)
{
    static const uint8_t frames[][8] = {
        {0, 0, 0, 0},                /* Nothing. */
        {1, 0, 0, 0, 2},             /* One byte of AppendEntries. */
        {1, 0, 0, 0, 4},             /* One byte of RequestVote. */
        {1, 0, 0, 0, 9},             /* One byte of a chunk. */
        {1, 0, 0, 0, 200},           /* Unknown. */
        {0xff, 0xff, 0xff, 0xff, 2}, /* 4 GiB of it. */
        {3, 0, 0, 0, 5, 1, 2},       /* A vote result of two bytes. */
        {1, 0, 0, 0, 1},             /* Hello again. */
    };
    bool ok = true;
    for (unsigned i = 0; i < sizeof frames / sizeof frames[0]; i++) {
        ok = say(a, frames[i], sizeof frames[i], true) && ok;
    }
    return ok;
}

/* AppendEntries that announces more entries than it has. */
static bool many_entries(const struct attacker *a)
{
    bool ok = true;
    for (unsigned n = 65; n <= 65535; n = n * 3 + 7) {
        uint8_t frame[4 + 1 + 32 + 2 + 13] = {sizeof frame - 4, 0, 0, 0, 2};
        put_u64(frame + 5, 1);
        frame[37] = (uint8_t)n;
        frame[38] = (uint8_t)(n >> 8);
        put_u32(frame + 48, 0x10000000u); /* The first of 268 million bytes. */
        ok = say(a, frame, sizeof frame, true) && ok;
    }
    return ok;
}

static bool forged_terms(const struct attacker *a)
{
    static const uint64_t terms[] = {UINT64_MAX, UINT64_C(1) << 62, UINT64_C(1) << 60,
                                     UINT64_C(1) << 40};
    bool ok = true;
    for (unsigned i = 0; i < 4; i++) {
        struct raft_message m = {.type = RAFT_REQUEST_VOTE};
        m.request_vote.term = terms[i];
        m.request_vote.candidate_id = a->from;
        m.request_vote.disrupt_leader = true;
        ok = say_raft(a, &m, true) && ok;
        memset(&m, 0, sizeof m);
        m.type = RAFT_APPEND_ENTRIES_RESULT;
        m.append_entries_result.term = terms[i];
        ok = say_raft(a, &m, true) && ok;
    }
    return ok;
}

/* A candidate speaks for itself only. */
static bool vote_for_another(const struct attacker *a)
{
    struct raft_message m = {.type = RAFT_REQUEST_VOTE};
    m.request_vote.term = 1;
    m.request_vote.candidate_id = a->from == 1 ? 2 : 1;
    return say_raft(a, &m, true);
}

/* Results nobody asked for: more entries than there are, snapshots that are not being sent. */
static bool forged_results(const struct attacker *a)
{
    bool ok = true;
    for (unsigned bits = 0; bits < 60; bits += 12) {
        uint64_t last = UINT64_C(1) << bits;
        for (uint64_t term = 1; term <= a->term; term++) {
            struct raft_message m = {.type = RAFT_APPEND_ENTRIES_RESULT};
            struct buf b;
            m.append_entries_result.term = term;
            m.append_entries_result.last_log_index = last;
            m.append_entries_result.rejected = term % 3 == 0 ? last : 0;
            frame_open(&b);
            put_raft(&b, &m);
            put_raft(&b, &(struct raft_message){
                             .type = RAFT_REQUEST_VOTE_RESULT,
                             .request_vote_result = {.term = term, .vote_granted = true}});
            put_raft(&b, &(struct raft_message){.type = RAFT_TIMEOUT_NOW,
                                                .timeout_now = {.term = term}});
            struct message ack = {.kind = MESSAGE_CHUNK_ACK};
            ack.ack = (struct message_chunk_ack){term, last, last - 1};
            message_encode(&ack, &b);
            struct wire *w = enter(a);
            ok = ok && w != NULL && wire_write(w, b.data, b.len);
            wire_close(w);
            buf_close(&b);
        }
    }
    return ok;
}

/* Pieces of snapshots that nobody wants, in absurd places. */
static bool absurd_chunks(const struct attacker *a)
{
    static const uint64_t numbers[] = {0,         1, 4096, UINT64_C(1) << 40, UINT64_C(1) << 59,
                                       UINT64_MAX};
    uint8_t bytes[512] = {1};
    for (unsigned i = 0; i < 6 * 6 * 3; i++) {
        struct message m = {.kind = MESSAGE_CHUNK};
        struct buf b;
        struct wire *w;
        m.chunk.term = 1 + i % a->term;
        m.chunk.snapshot.index = UINT64_C(1) << 50;
        m.chunk.snapshot.term = 1;
        m.chunk.snapshot.conf_index = 1;
        m.chunk.snapshot.conf = bytes;
        m.chunk.snapshot.conf_len = i % 100;
        m.chunk.size = numbers[i / 18];
        m.chunk.offset = numbers[i / 3 % 6];
        m.chunk.bytes = bytes;
        m.chunk.n = sizeof bytes;
        frame_open(&b);
        message_encode(&m, &b);
        w = enter(a);
        if (w == NULL) {
            buf_close(&b);
            return false;
        }
        (void)wire_write(w, b.data, b.len);
        wire_close(w);
        buf_close(&b);
    }
    return true;
}

/* A large frame, one byte a second: it costs its buffer and nothing else. */
static bool slow_loris(const struct attacker *a)
{
    static const uint8_t head[] = {0, 0, 0x30, 0, 2};
    struct wire *w[8];
    for (unsigned i = 0; i < 8; i++) {
        w[i] = enter(a);
        if (w[i] != NULL) {
            (void)wire_write(w[i], head, sizeof head);
        }
    }
    for (unsigned s = 0; s < a->seconds; s++) {
        for (unsigned i = 0; i < 8; i++) {
            if (w[i] != NULL) {
                (void)wire_write(w[i], "x", 1);
            }
        }
        wire_sleep_ms(1000);
    }
    for (unsigned i = 0; i < 8; i++) {
        wire_close(w[i]);
    }
    return true;
}

/* --- the mutator ---------------------------------------------------------------------------------
 */

/* A piece of a snapshot, of a leader that does not lead. */
static void put_chunk(const struct attacker *a, struct prng *p, struct buf *b)
{
    uint8_t bytes[256] = {0};
    struct message m = {.kind = MESSAGE_CHUNK};
    m.chunk.term = 1 + prng_below(p, a->term);
    m.chunk.snapshot.index = 1 + prng_below(p, 1000);
    m.chunk.snapshot.term = 1;
    m.chunk.snapshot.conf_index = 1;
    m.chunk.snapshot.conf = bytes;
    m.chunk.snapshot.conf_len = prng_below(p, sizeof bytes);
    m.chunk.size = prng_below(p, 100000);
    m.chunk.offset = prng_below(p, 2) * prng_below(p, 100000);
    m.chunk.bytes = bytes;
    m.chunk.n = prng_below(p, sizeof bytes);
    message_encode(&m, b);
}

static void put_other(struct prng *p, uint64_t term, struct buf *b)
{
    struct message m = {.kind = MESSAGE_CHUNK_ACK};
    m.ack = (struct message_chunk_ack){term, prng_below(p, 1000), prng_below(p, 100000)};
    if (prng_below(p, 4) == 0) {
        m = (struct message){.kind = MESSAGE_REFUSED};
        m.refused = (struct message_refused){MESSAGE_REFUSED_REMOVED, STR("removed")};
    }
    message_encode(&m, b);
}

/* One of everything, with numbers near what is real and terms up to the target's. */
static void put_random(const struct attacker *a, struct prng *p, struct buf *b)
{
    struct raft_message m = {0};
    struct raft_entry entries[3] = {0};
    uint8_t bytes[64] = {0};
    uint64_t term = 1 + prng_below(p, a->term);
    switch (prng_below(p, 8)) {
    case 6:
        put_chunk(a, p, b);
        return;
    case 7:
        put_other(p, term, b);
        return;
    case 0:
        m.type = RAFT_APPEND_ENTRIES;
        m.append_entries.term = term;
        m.append_entries.prev_log_index = prng_below(p, 200);
        m.append_entries.prev_log_term = m.append_entries.prev_log_index == 0 ? 0 : 1;
        m.append_entries.leader_commit = prng_u64(p) >> prng_below(p, 60);
        m.append_entries.n_entries = (unsigned)prng_below(p, 4);
        m.append_entries.entries = entries;
        for (unsigned i = 0; i < 3; i++) {
            entries[i].term = term;
            entries[i].type = (int)(1 + prng_below(p, 3));
            entries[i].buf = (struct raft_buffer){bytes, prng_below(p, sizeof bytes)};
        }
        break;
    case 1:
        m.type = RAFT_APPEND_ENTRIES_RESULT;
        m.append_entries_result.term = term;
        m.append_entries_result.last_log_index = prng_below(p, 300);
        m.append_entries_result.rejected = prng_below(p, 2) * prng_below(p, 300);
        break;
    case 2:
        m.type = RAFT_REQUEST_VOTE;
        m.request_vote.term = term;
        m.request_vote.candidate_id = a->from;
        m.request_vote.pre_vote = prng_below(p, 2) == 0;
        break;
    case 3:
        m.type = RAFT_REQUEST_VOTE_RESULT;
        m.request_vote_result.term = term;
        m.request_vote_result.vote_granted = true;
        break;
    case 4:
        m.type = RAFT_TIMEOUT_NOW;
        m.timeout_now.term = term;
        break;
    default:
        message_encode_replica(&(struct replica_message){.kind = REPLICA_PROBE_REPLY,
                                                         .probe = {term, prng_below(p, 99)}},
                               b);
        return;
    }
    put_raft(b, &m);
}

/* Change some bytes after the term, so that it stays what it is. */
static void mutate(struct prng *p, uint8_t *bytes, size_t n)
{
    uint64_t times = prng_below(p, 4);
    for (uint64_t i = 0; i < times && n > 13; i++) {
        size_t at = 13 + (size_t)prng_below(p, n - 13);
        bytes[at] = prng_below(p, 2) == 0 ? (uint8_t)prng_u64(p)
                                          : (uint8_t)(bytes[at] ^ (1u << prng_below(p, 8)));
    }
    if (prng_below(p, 8) == 0) {
        bytes[prng_below(p, 5)] ^= (uint8_t)(1u << prng_below(p, 8)); /* Length or code. */
    }
}

static bool mutations(const struct attacker *a)
{
    time_t end = time(NULL) + a->seconds;
    unsigned long connections = 0;
    unsigned long frames = 0;
    struct prng p;
    prng_init(&p, a->seed);
    while (time(NULL) < end) {
        struct wire *w = enter(a);
        if (w == NULL) {
            wire_sleep_ms(20);
            continue;
        }
        connections++;
        for (unsigned i = 0; i < 30; i++, frames++) {
            struct buf b;
            bool open;
            frame_open(&b);
            put_random(a, &p, &b);
            mutate(&p, b.data, b.len);
            open = wire_write(w, b.data, b.len);
            buf_close(&b);
            if (!open) {
                break;
            }
        }
        wire_close(w);
    }
    printf("     %lu connections, %lu frames, seed %llu\n", connections, frames,
           (unsigned long long)a->seed);
    return connections > 10 && frames > 100;
}

static const struct attack attacks[] = {
    {"plain-bytes", plain_bytes},
    {"random-bytes", random_bytes},
    {"no-certificate", no_certificate},
    {"slow-handshake", slow_handshake},
    {"connection-flood", connection_flood},
    {"hello-refused", hello_refused},
    {"silent-after-handshake", silent_after_handshake},
    {"large-first-frame", large_first_frame},
    {"wrong-sender", wrong_sender},
    {"hello-lies", hello_lies},
    {"forged-refusals", forged_refusals},
    {"short-frames", short_frames},
    {"many-entries", many_entries},
    {"forged-terms", forged_terms},
    {"vote-for-another", vote_for_another},
    {"forged-results", forged_results},
    {"absurd-chunks", absurd_chunks},
    {"slow-loris", slow_loris},
    {"mutations", mutations},
};

int main(int argc, char **argv)
{
    return attack_main(argc, argv, NULL, attacks, sizeof attacks / sizeof attacks[0]);
}
