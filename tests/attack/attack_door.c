/* Attacks on the front door: floods of HTTP/2 frames that cost the sender nothing, and the shapes
 * of HTTP/1.1 that two parsers understand differently. The door has to close the connection or to
 * answer with an error; that it still serves others is seen by the script. */
#include "tests/attack/attack.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum h2_type {
    DATA = 0,
    HEADERS = 1,
    PRIORITY = 2,
    RST_STREAM = 3,
    SETTINGS = 4,
    PING = 6,
    WINDOW_UPDATE = 8,
    CONTINUATION = 9
};
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4 };

/* :method POST, :scheme https, :path /, :authority x; from HPACK's static table. */
static const uint8_t request[] = {0x83, 0x87, 0x84, 0x41, 0x01, 'x'};

static bool put_frame(struct wire *w, uint8_t type, uint8_t flags, uint32_t stream,
                      const void *payload, size_t n)
{
    uint8_t frame[9 + 16384];
    frame[0] = (uint8_t)(n >> 16);
    frame[1] = (uint8_t)(n >> 8);
    frame[2] = (uint8_t)n;
    frame[3] = type;
    frame[4] = flags;
    frame[5] = (uint8_t)(stream >> 24);
    frame[6] = (uint8_t)(stream >> 16);
    frame[7] = (uint8_t)(stream >> 8);
    frame[8] = (uint8_t)stream;
    memcpy(frame + 9, payload, n);
    return wire_write(w, frame, 9 + n);
}

static struct wire *begin(const struct attacker *a)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    struct wire *w = wire_open(&a->tls);
    if (w != NULL &&
        (!wire_write(w, preface, sizeof preface - 1) || !put_frame(w, SETTINGS, 0, 0, "", 0))) {
        wire_close(w);
        return NULL;
    }
    return w;
}

typedef bool (*step_fn)(struct wire *w, uint32_t i);

/* Repeat until the door has had enough; how many it took is printed. */
static bool flood(const struct attacker *a, step_fn step, uint32_t n)
{
    struct wire *w = begin(a);
    uint32_t i = 0;
    bool closed;
    if (w == NULL) {
        return false;
    }
    while (i < n && step(w, i)) {
        i++;
    }
    closed = i < n || wire_closed(w, 3000);
    printf("     %s after %u\n", closed ? "closed" : "still open", i);
    wire_close(w);
    return closed;
}

static bool open_and_reset(struct wire *w, uint32_t i)
{
    static const uint8_t cancel[] = {0, 0, 0, 8};
    return put_frame(w, HEADERS, END_HEADERS, 2 * i + 1, request, sizeof request) &&
           put_frame(w, RST_STREAM, 0, 2 * i + 1, cancel, 4);
}

static bool one_ping(struct wire *w, uint32_t i)
{
    (void)i;
    return put_frame(w, PING, 0, 0, "12345678", 8);
}

static bool one_settings(struct wire *w, uint32_t i)
{
    static const uint8_t table_size[] = {0, 1, 0, 0, 16, 0};
    (void)i;
    return put_frame(w, SETTINGS, 0, 0, table_size, 6);
}

static bool one_continuation(struct wire *w, uint32_t i)
{
    static const uint8_t field[] = {0x00, 0x01, 'a', 0x01, 'b'};
    return i == 0 ? put_frame(w, HEADERS, 0, 1, request, sizeof request)
                  : put_frame(w, CONTINUATION, 0, 1, field, sizeof field);
}

static bool empty_data(struct wire *w, uint32_t i)
{
    return i == 0 ? put_frame(w, HEADERS, END_HEADERS, 1, request, sizeof request)
                  : put_frame(w, DATA, 0, 1, "", 0);
}

static bool zero_update(struct wire *w, uint32_t i)
{
    static const uint8_t zero[4];
    (void)i;
    return put_frame(w, WINDOW_UPDATE, 0, 0, zero, 4);
}

static bool rapid_reset(const struct attacker *a)
{
    return flood(a, open_and_reset, 20000);
}

static bool ping_flood(const struct attacker *a)
{
    return flood(a, one_ping, 100000);
}

static bool settings_flood(const struct attacker *a)
{
    return flood(a, one_settings, 100000);
}

static bool continuation_flood(const struct attacker *a)
{
    return flood(a, one_continuation, 100000);
}

static bool empty_data_flood(const struct attacker *a)
{
    return flood(a, empty_data, 100000);
}

static bool zero_window_update(const struct attacker *a)
{
    return flood(a, zero_update, 1000);
}

/* A header block that unpacks to far more than it is. */
static bool hpack_bomb(const struct attacker *a)
{
    uint8_t block[16000];
    struct wire *w = begin(a);
    size_t n = sizeof request;
    bool closed;
    if (w == NULL) {
        return false;
    }
    memcpy(block, request, n);
    block[n++] = 0x40; /* A new entry of the table: "a" with 4,000 bytes. */
    block[n++] = 1;
    block[n++] = 'a';
    block[n++] = 0x7f;
    block[n++] = 0xa1;
    block[n++] = 0x1e; /* 4,000 = 127 + 3,873 */
    memset(block + n, 'x', 4000);
    n += 4000;
    memset(block + n, 0xbe, 10000); /* And again, 10,000 times. */
    n += 10000;
    (void)put_frame(w, HEADERS, END_HEADERS | END_STREAM, 1, block, n);
    closed = wire_closed(w, 1000);
    printf("     %s\n", closed ? "closed" : "refused, connection open");
    wire_close(w);
    return true; /* That memory stays bounded is seen by the script. */
}

/* Many streams, each with a body that never comes. */
static bool unfinished_streams(const struct attacker *a)
{
    struct wire *w = begin(a);
    bool alive = true;
    if (w == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < 5000 && alive; i++) {
        alive = put_frame(w, HEADERS, END_HEADERS, 2 * i + 1, request, sizeof request);
    }
    wire_close(w);
    return true;
}

/* --- HTTP/1.1 ------------------------------------------------------------------------------------
 */

#define POST "POST / HTTP/1.1\r\nHost: x\r\n"

/* Each must be answered with 400 or so at once, or with a closed connection; never with two
 * answers, which would mean that the body was taken for a second request. */
static const char *const shapes[] = {
    POST "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /health HTTP/1.1\r\n"
         "Host: x\r\n\r\n",
    POST
    "Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcdGET /health HTTP/1.1\r\nHost: x\r\n\r\n",
    POST "Content-Length: +4\r\n\r\nabcdGET /health HTTP/1.1\r\nHost: x\r\n\r\n",
    POST "Content-Length: 4, 5\r\n\r\nabcdGET /health HTTP/1.1\r\nHost: x\r\n\r\n",
    POST "Content-Length: 0x4\r\n\r\nabcdGET /health HTTP/1.1\r\nHost: x\r\n\r\n",
    POST "Content-Length : 4\r\n\r\nabcdGET /health HTTP/1.1\r\nHost: x\r\n\r\n",
    POST "Content-Length: 99999999999999999999\r\n\r\nabcd",
    POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"
         "GET /health HTTP/1.1\r\nHost: x\r\n\r\n",
    POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\nGET /health HTTP/1.1\r\nHost: x\r\n\r\n",
    POST "Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\nGET /health HTTP/1.1\r\nHost: x\r\n\r\n",
    POST "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n\r\n",
    POST "X: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    "GET /health HTTP/1.1\nHost: x\nX\r: y\n\n",
    "GET /health HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n",
    "GET  /health HTTP/9.9\r\n\r\n",
    "GET /health HTTP/1.1\r\n\r\n",
};

/* Status lines in what came back. */
static unsigned count_answers(const char *text, size_t n)
{
    static const char start[] = "HTTP/1.1 ";
    size_t len = sizeof start - 1;
    unsigned found = 0;
    for (size_t i = 0; i + len < n; i++) {
        found += memcmp(text + i, start, len) == 0 && text[i + len] >= '1' && text[i + len] <= '5';
    }
    return found;
}

static bool smuggling(const struct attacker *a)
{
    struct wire_target t = a->tls;
    bool ok = true;
    t.alpn = "http/1.1";
    for (unsigned i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        char answer[8192];
        struct wire *w = wire_open(&t);
        size_t got = 0;
        int n = 1;
        if (w == NULL) {
            return false;
        }
        (void)wire_write(w, shapes[i], strlen(shapes[i]));
        while (got < sizeof answer &&
               (n = wire_read(w, answer + got, sizeof answer - got, 400)) > 0) {
            got += (size_t)n;
        }
        if (count_answers(answer, got) > 1) {
            printf("     shape %u has more than one answer:\n%.*s\n", i, (int)got, answer);
            ok = false;
        }
        wire_close(w);
    }
    return ok;
}

/* Headers without end, a byte at a time: there is a time limit, and one on their size. */
static bool endless_headers(const struct attacker *a)
{
    struct wire_target t = a->tls;
    struct wire *w;
    bool closed;
    t.alpn = "http/1.1";
    w = wire_open(&t);
    if (w == NULL || !wire_write(w, "GET / HTTP/1.1\r\n", 16)) {
        return false;
    }
    for (int i = 0; i < 100000 && wire_write(w, "X-Header: some value\r\n", 22); i++) {
        ;
    }
    closed = wire_closed(w, 2000);
    wire_close(w);
    return closed;
}

static bool slow_headers(const struct attacker *a)
{
    struct wire_target t = a->tls;
    time_t end = time(NULL) + 20;
    struct wire *w;
    bool closed = false;
    t.alpn = "http/1.1";
    w = wire_open(&t);
    if (w == NULL || !wire_write(w, "GET / HTTP/1.1\r\nX: ", 19)) {
        return false;
    }
    while (!closed && time(NULL) < end) {
        closed = !wire_write(w, "x", 1) || wire_closed(w, 500);
    }
    wire_close(w);
    return closed;
}

static const struct attack attacks[] = {
    {"rapid-reset", rapid_reset},
    {"ping-flood", ping_flood},
    {"settings-flood", settings_flood},
    {"continuation-flood", continuation_flood},
    {"empty-data-flood", empty_data_flood},
    {"zero-window-update", zero_window_update},
    {"hpack-bomb", hpack_bomb},
    {"unfinished-streams", unfinished_streams},
    {"smuggling", smuggling},
    {"endless-headers", endless_headers},
    {"slow-headers", slow_headers},
};

int main(int argc, char **argv)
{
    return attack_main(argc, argv, "h2", attacks, sizeof attacks / sizeof attacks[0]);
}
