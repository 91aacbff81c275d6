/* tests/fuzz/common/fuzz_server.h
 *
 * An HTTP server on fake streams with handlers of every kind, for fuzz_http1 and fuzz_http2.
 * Include in exactly one file of a program. */
#ifndef TESTS_FUZZ_COMMON_FUZZ_SERVER_H
#define TESTS_FUZZ_COMMON_FUZZ_SERVER_H

#include "common/log/log.h"
#include "common/net/grpc.h"
#include "tests/fuzz/common/fake_stream.h"

#include <stdlib.h>
#include <string.h>

static uv_loop_t fuzz_loop;
static struct http_server *fuzz_http;
static struct grpc_server *fuzz_grpc;
static unsigned fuzz_n_open; /* Calls whose on_close is to come. */

static void fuzz_on_end(struct http_call *c)
{
    http_call_respond(c, 200, NULL, 0, http_call_body(c));
}

static void fuzz_on_data(struct http_call *c, struct str bytes)
{
    if (!http_call_begun(c)) {
        http_call_begin(c, 200, NULL, 0);
    }
    (void)http_call_write(c, bytes.p, bytes.n);
    http_call_pause(c);
    http_call_resume(c);
}

static void fuzz_on_stream_end(struct http_call *c)
{
    struct http_field trailer = {STR("a"), STR("b")};
    if (!http_call_begun(c)) {
        http_call_begin(c, 200, NULL, 0);
    }
    http_call_finish(c, &trailer, 1);
}

static void fuzz_on_close(struct http_call *c, int status)
{
    (void)c;
    (void)status;
    if (fuzz_n_open == 0) {
        abort(); /* Twice for one call. */
    }
    fuzz_n_open--;
}

static const struct http_call_events fuzz_gather = {.on_end = fuzz_on_end,
                                                    .on_close = fuzz_on_close};
static const struct http_call_events fuzz_streamed = {
    .on_data = fuzz_on_data, .on_end = fuzz_on_stream_end, .on_close = fuzz_on_close};

static void fuzz_message(struct grpc_call *c, struct str message)
{
    (void)grpc_call_metadata(c, "x");
    grpc_call_reply(c, message);
}

static void fuzz_half_close(struct grpc_call *c)
{
    grpc_call_fail(c, GRPC_NOT_FOUND, "%s", "\x01%\xff");
}

static const struct grpc_method fuzz_methods[] = {
    {.path = "/u", .kind = GRPC_UNARY, .on_message = fuzz_message},
    {.path = "/b", .kind = GRPC_BIDI, .on_message = fuzz_message, .on_half_close = fuzz_half_close},
};

static void fuzz_on_call(struct http_call *c, void *data)
{
    size_t n;
    const struct http_field *fields = http_call_headers(c, &n);
    (void)data;
    for (size_t i = 0; i < n; i++) {
        if (fields[i].name.n == 0 || fields[i].value.p == NULL) {
            abort();
        }
    }
    if (http_call_path(c).n == 0) {
        abort();
    }
    if (grpc_is_call(c)) {
        grpc_server_handle(fuzz_grpc, c);
        return;
    }
    if (http_call_query(c).n == 0) {
        return; /* Not accepted. */
    }
    fuzz_n_open++;
    http_call_accept(c, http_call_query(c).n % 2 == 0 ? &fuzz_streamed : &fuzz_gather, NULL);
    if (http_call_query(c).n % 3 == 0) {
        http_call_set_body_max(c, 10);
    }
}

static void fuzz_setup(void)
{
    struct log_options quiet = {.level = LOG_LEVEL_ERROR, .fd = -1};
    struct http_options options = {.server_name = "f"};
    if (fuzz_http != NULL) {
        return;
    }
    log_open(&quiet);
    if (uv_loop_init(&fuzz_loop) != 0 ||
        http_server_open(&fuzz_loop, &options, fuzz_on_call, NULL, &fuzz_http, NULL) != 0) {
        abort();
    }
    fuzz_grpc = grpc_server_open(&fuzz_loop, 65536);
    if (grpc_server_add(fuzz_grpc, fuzz_methods, 2, NULL) != 0) {
        abort();
    }
}

/* The first byte says how the rest is cut into pieces. */
static void fuzz_connection(const char *alpn, const uint8_t *bytes, size_t n)
{
    struct stream *s = fake_accept(alpn);
    size_t piece = n == 0 ? 1 : (size_t)bytes[0] % 64 == 0 ? n : (size_t)bytes[0] % 64 * 7;
    bool open = true;
    for (size_t at = 1; at < n && open; at += piece) {
        open = fake_feed(s, &fuzz_loop, bytes + at, n - at < piece ? n - at : piece);
    }
    fake_end(s, &fuzz_loop);
    if (fuzz_n_open != 0) {
        abort(); /* A call was forgotten. */
    }
}

#endif
