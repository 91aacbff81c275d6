/* tests/sim/simwire.h
 *
 * What simulated agents and controllers say to each other: the messages of proto/ecs/agent/v1 as
 * plain values, and streams that carry them in order until they break. Includes neither core, whose
 * types have the same names: the two sides meet here only. */
#ifndef TESTS_SIM_SIMWIRE_H
#define TESTS_SIM_SIMWIRE_H

#include "common/base/id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_CONTAINERS_MAX 3

struct fleet; /* fleet.h */

enum wire_kind {
    WIRE_HELLO,      /* node; tasks: the inventory, of which the first `session` count. */
    WIRE_HEARTBEAT,  /* number */
    WIRE_REPORTS,    /* number, tasks */
    WIRE_ASSIGN_ACK, /* number */
    WIRE_WELCOME,    /* session */
    WIRE_REDIRECT,   /* leader */
    WIRE_HEARTBEAT_ACK,
    WIRE_REPORTS_ACK,
    WIRE_ASSIGN, /* number, full, full_end, tasks, forget */
    WIRE_REFUSED,
    WIRE_KINDS,
};

struct wired_container {
    uint8_t status;
    bool has_exit_code;
    int32_t exit_code;
};

struct wire_task {
    struct id id;
    uint8_t status;
    uint8_t stop_code;
    bool stop;  /* Assignments: otherwise run it ... */
    bool batch; /* ... and it is one that ends by itself. */
    uint8_t n_containers;
    int64_t started_at;
    int64_t stopped_at;
    struct wired_container containers[WIRE_CONTAINERS_MAX];
};

struct wire {
    enum wire_kind kind;
    bool full;
    bool full_end;
    uint64_t number;
    uint64_t session;
    int leader; /* Position of a controller, -1: unknown. */
    struct id node;
    uint32_t n_tasks;
    uint32_t n_forget;
    struct wire_task *tasks; /* Both in the same allocation. */
    struct id *forget;
};

/* Zeroed but for the counts. */
struct wire *wire_new(struct fleet *f, enum wire_kind kind, uint32_t n_tasks, uint32_t n_forget);
void wire_free(struct fleet *f, struct wire *m);

enum simstream_side { SIDE_AGENT, SIDE_CONTROLLER };

struct simstream {
    struct fleet *f;
    unsigned agent;
    unsigned node;
    bool open[2];     /* Does this side still believe in it? */
    uint64_t last[2]; /* When the last message to this side arrives: they keep their order. */
    uint64_t sent[2];
    uint64_t landed[2];
    unsigned n_flying;
    void *session; /* The controller's. */
};

/* The agent dials; the stream is its own until simstream_close(SIDE_AGENT). */
struct simstream *simstream_open(struct fleet *f, unsigned agent, unsigned node);

/* This side is done with it. The other one hears of it, unless the network is cut. */
void simstream_close(struct simstream *s, enum simstream_side side);

/* Takes the message over. */
void simstream_send(struct simstream *s, enum simstream_side from, struct wire *m);

/* --- who receives --------------------------------------------------------------------------------
 */
void simlink_dialled(struct fleet *f, struct simstream *s);
void simlink_message(struct fleet *f, struct simstream *s, const struct wire *m);
void simlink_closed(struct fleet *f, struct simstream *s);
void simagent_message(struct fleet *f, struct simstream *s, const struct wire *m);
void simagent_closed(struct fleet *f, struct simstream *s);

#endif
