/* controller/codec/nodemsg.h
 *
 * The node protocol (proto/ecs/agent/v1) in the words of the core: what an agent says of itself and
 * of its tasks, checked, and what the dispatcher has to tell a node. Streams and sessions are
 * controller/link's. Pure but for protobuf-c. */
#ifndef CONTROLLER_CODEC_NODEMSG_H
#define CONTROLLER_CODEC_NODEMSG_H

#include "common/base/arena.h"
#include "common/base/err.h"
#include "common/base/id.h"
#include "controller/codec/arn.h"
#include "controller/core/command.h"
#include "controller/core/dispatch.h"
#include "controller/core/store.h"
#include "proto/ecs/agent/v1/agent.pb-c.h"

#include <stdbool.h>
#include <stdint.h>

#define NODEMSG_PROTOCOL      1
#define NODEMSG_INVENTORY_MAX 4096 /* Tasks in a hello. */
#define NODEMSG_PORTS_MAX     1000 /* Reserved ports of one protocol. */
#define NODEMSG_REPORTS_MAX   1024 /* Task reports in one message. */

struct nodemsg_hello {
    struct cmd_node_register registration;
    struct dispatch_inventory *inventory;
    uint32_t n_inventory;
};

/* The registration of the node with this id (the one in its certificate, whatever it says) from its
 * hello. Everything is copied into the arena. ERR_INVALID and ERR_UNSUPPORTED name the field. */
int nodemsg_hello(const Ecs__Agent__V1__Hello *hello, struct id node, struct arena *arena,
                  struct nodemsg_hello *ret, struct err *err);

/* Reports for dispatch_report(); texts are borrowed from the message. ERR_PROTOCOL. */
int nodemsg_reports(const Ecs__Agent__V1__Reports *reports, struct arena *arena,
                    struct task_report **ret, struct err *err);

/* An output of the dispatcher as a message. Texts may point into rows: encode it before the next
 * store_apply(). A task that cannot be told is left out, and its error returned. */
int nodemsg_assignments(const struct store *store, const struct arn_names *names,
                        const struct dispatch_out *out, struct arena *arena,
                        Ecs__Agent__V1__Assignments *ret, struct err *err);

/* 16 bytes as on the wire; false when it is not an id. */
bool nodemsg_id_read(const ProtobufCBinaryData *bytes, struct id *ret);
void nodemsg_id_write(struct id id, uint8_t ret[16]);

#endif
