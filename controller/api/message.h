/* controller/api/message.h
 *
 * What protobuf itself does not refuse and other clients would stumble over: text that is not
 * UTF-8 and numbers that are no value of their enumeration. Pure but for protobuf-c. */
#ifndef CONTROLLER_API_MESSAGE_H
#define CONTROLLER_API_MESSAGE_H

#include "common/base/arena.h"
#include "common/base/err.h"

#include <protobuf-c/protobuf-c.h>

/* The whole message, sub-messages included. ERR_INVALID names the first field that is wrong. a is
 * for scratch. */
int message_check(const ProtobufCMessage *m, struct arena *a, struct err *err);

#endif
