/* agent/link/message.h
 *
 * The messages of proto/ecs/agent/v1/agent.proto as the structs of agent/core, both directions
 * (tests speak the controller's side). Decoding checks every bound and names the field that breaks
 * one. Pure; any thread. */
#ifndef AGENT_LINK_MESSAGE_H
#define AGENT_LINK_MESSAGE_H

#include "agent/core/message.h"
#include "agent/link/wire.h"

/* The stream. Decoded messages have exactly one member that is not NULL. */
int message_encode_agent(const struct agent_message *m, struct buf *to, struct err *err);
int message_decode_agent(struct str bytes, struct arena *arena, struct agent_message *ret,
                         struct err *err);
int message_encode_controller(const struct controller_message *m, struct buf *to, struct err *err);
int message_decode_controller(struct str bytes, struct arena *arena, struct controller_message *ret,
                              struct err *err);

/* A task's specification. Names and dependencies are not checked here (agent/core/check.h). */
int message_encode_spec(const struct task_spec *spec, struct buf *to, struct err *err);
int message_decode_spec(struct str bytes, struct id task, struct arena *arena,
                        const struct task_spec **ret, struct err *err);

/* The unary calls, for wire_encode() and wire_decode(). */
extern const struct wire_message message_join_request;   /* struct join_request */
extern const struct wire_message message_join_response;  /* struct join_response */
extern const struct wire_message message_renew_request;  /* struct renew_request */
extern const struct wire_message message_renew_response; /* struct renew_response */

#endif
