/* tests/sim/simwire.h
 *
 * Streams between simulated agents and controllers: they carry encoded messages of
 * proto/ecs/agent/v1 in order until they break. Includes neither core, whose types have the same
 * names: the two sides meet here only, and each encodes and decodes with its own code (nanopb and
 * agent/link/message.c there, protobuf-c and controller/codec/nodemsg.c here). */
#ifndef TESTS_SIM_SIMWIRE_H
#define TESTS_SIM_SIMWIRE_H

#include "common/base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_CONTAINERS_MAX 3
#define WIRE_MESSAGE_MAX    (4u << 20)

struct fleet; /* fleet.h */

enum simstream_side { SIDE_AGENT, SIDE_CONTROLLER };

struct simstream {
    struct fleet *f;
    unsigned agent;
    unsigned node;
    bool open[2];     /* Does this side still believe in it? */
    bool stale;       /* The welcome it carries is one that may not be taken. */
    bool refused;     /* Ended because the node may not come back; as a gRPC status. */
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

/* Copies the message, which may not arrive as it was (fleet_options.garbled). */
void simstream_send(struct simstream *s, enum simstream_side from, const uint8_t *bytes, size_t n);

/* "127.0.0.1:k" of a controller, and back; -1 when it is none. */
const char *simstream_address(unsigned node);
int simstream_node(const char *address);

/* --- who receives --------------------------------------------------------------------------------
 * A spoiled message is none that the other side sent: taking it for one is a failure. */
void simlink_dialled(struct fleet *f, struct simstream *s);
void simlink_message(struct fleet *f, struct simstream *s, struct str bytes, bool spoiled);
void simlink_closed(struct fleet *f, struct simstream *s);
void simagent_message(struct fleet *f, struct simstream *s, struct str bytes, bool spoiled);
void simagent_closed(struct fleet *f, struct simstream *s);

#endif
