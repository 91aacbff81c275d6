/* Any frames from an HTTP/2 server at our gRPC client: every call ends once, nothing leaks. */
#include "common/log/log.h"
#include "common/net/grpc_client.h"
#include "tests/fuzz/common/fake_stream.h"

#include <stdlib.h>
#include <string.h>

static uv_loop_t loop;
static unsigned n_open;

static void on_unary(struct grpc_client_call *c, const struct grpc_status *status,
                     struct str message, void *data)
{
    (void)c;
    (void)message;
    (void)data;
    if (n_open == 0 || status->message == NULL) {
        abort();
    }
    n_open--;
}

static void on_message(struct grpc_client_call *c, struct str message)
{
    (void)grpc_client_send(c, message);
}

static void on_close(struct grpc_client_call *c, const struct grpc_status *status)
{
    on_unary(c, status, str_make(NULL, 0), NULL);
}

static const struct grpc_client_events events = {.on_message = on_message, .on_close = on_close};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static const uint8_t settings[] = {0, 0, 0, 4, 0, 0, 0, 0, 0};
    struct grpc_channel_options options = {.target = "127.0.0.1:1", .message_max = 65536};
    struct grpc_call_options patient = {.wait_for_ready = true};
    struct grpc_channel *ch;
    size_t piece = n == 0 ? 1 : (size_t)bytes[0] % 64 == 0 ? n : (size_t)bytes[0] % 64 * 7;
    bool open = true;
    if (loop.data == NULL && uv_loop_init(&loop) != 0) {
        abort();
    }
    loop.data = &loop;
    fake_connected = NULL;
    if (grpc_channel_open(&loop, &options, &ch, NULL) != 0) {
        abort();
    }
    n_open = 2;
    (void)grpc_unary(ch, "/a", STR("request"), &patient, on_unary, NULL);
    (void)grpc_client_open(ch, "/b", &patient, &events, NULL);
    for (int i = 0; i < 10 && fake_connected == NULL; i++) {
        (void)uv_run(&loop, UV_RUN_NOWAIT);
    }
    if (fake_connected == NULL) {
        abort();
    }
    {
        struct stream *s = fake_connected;
        s->events->on_open(s, s->data);
        open = fake_feed(s, &loop, settings, sizeof settings);
        (void)uv_run(&loop, UV_RUN_NOWAIT);
        for (size_t at = 1; at < n && open; at += piece) {
            open = fake_feed(s, &loop, bytes + at, n - at < piece ? n - at : piece);
        }
        grpc_channel_close(ch);
        fake_end(s, &loop);
    }
    if (n_open != 0) {
        abort();
    }
    return 0;
}
