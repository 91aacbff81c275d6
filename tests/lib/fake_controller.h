/* tests/lib/fake_controller.h
 *
 * A controller as an agent sees one: a real gRPC server over TLS that joins nodes, renews their
 * certificates and holds one session, doing and saying what the test wants. It acknowledges what
 * it gets unless told otherwise, and remembers the last report of each task. */
#ifndef TESTS_LIB_FAKE_CONTROLLER_H
#define TESTS_LIB_FAKE_CONTROLLER_H

#include "agent/core/message.h"
#include "common/base/buf.h"
#include "common/net/addr.h"
#include "common/net/grpc.h"
#include "tests/lib/testnet.h"

#include <stdbool.h>
#include <uv.h>

#define FAKE_TASKS 32

struct fake_task { /* The last report of a task. */
    struct id id;
    enum wire_status status;
    enum wire_stop_code stop_code;
    enum health health;
    char reason[256];
    bool has_exit_code; /* Of the first container, as the next ones. */
    int32_t exit_code;
    char container_reason[256];
    unsigned n_reports;
};

struct fake_controller {
    /* To be set by the test. */
    bool follower;          /* Answer hello with a redirect ... */
    const char *leader;     /* ... to this address; NULL: to nowhere. */
    const char *also;       /* A new controller, named in heartbeat acknowledgements. */
    bool ignore_heartbeats; /* Do not acknowledge them ... */
    bool ignore_reports;    /* ... or reports. */
    bool ignore_all;        /* Say nothing at all any more. */
    uint64_t session;       /* Of the next welcome; grows by one with each. */
    uint32_t heartbeat_ms;
    uint32_t lease_ms;
    const char *secret;  /* That lets a node join. */
    int cert_lifetime_s; /* Of node certificates. */
    /* To be looked at. */
    char address[ADDR_TEXT_MAX];
    bool connected;
    unsigned n_joins;
    unsigned n_renewals;
    unsigned n_hellos;
    bool counted;    /* A heartbeat came with a census: */
    unsigned n_held; /* so many tasks, */
    struct id held;  /* the last of them. */
    unsigned n_heartbeats;
    uint64_t acked; /* Assignments. */
    uint32_t hello_cpu;
    uint32_t hello_tasks; /* In its inventory. */
    char hello_name[64];
    char hello_cluster[64];
    char peer[65]; /* Id in the certificate of the last hello. */
    struct fake_task tasks[FAKE_TASKS];
    unsigned n_tasks;
    struct buf log; /* All chunks. */
    unsigned n_log_ends;
    char log_error[256];
    size_t max_chunk;
    /* Private. */
    const struct testnet *net;
    struct tls_context *tls;
    struct http_server *http;
    struct grpc_server *grpc;
    struct grpc_method methods[3];
    struct grpc_call *call;
    uint64_t number; /* Of assignments. */
};

void fake_open(struct fake_controller *f, uv_loop_t *loop, const struct testnet *net);
void fake_close(struct fake_controller *f);

/* Assignments on the current stream. */
struct fake_want {
    uint64_t id; /* struct id {1, id} */
    bool stop;
    const char *image; /* Of its only container, "main"; NULL: no specification. */
    const struct container_spec *containers; /* Instead of image. */
    uint32_t n_containers;
};
void fake_assign(struct fake_controller *f, const struct fake_want *want, unsigned n, bool full);
void fake_forget(struct fake_controller *f, uint64_t id);
void fake_ask_log(struct fake_controller *f, const struct log_request *r);
void fake_cancel_log(struct fake_controller *f, uint64_t request);

/* Bytes that are no message. */
void fake_say_garbage(struct fake_controller *f);

/* End the stream as a controller that stops does. */
void fake_drop(struct fake_controller *f);

/* The last report of {1, id}; NULL: there was none. */
const struct fake_task *fake_task(const struct fake_controller *f, uint64_t id);

#endif
