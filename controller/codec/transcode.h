/* controller/codec/transcode.h
 *
 * AWS JSON 1.1 to and from protobuf-c messages, by descriptor. Names and enum values are AWS's (see
 * names.h), timestamps are seconds since 1970 with a fraction of milliseconds, maps are objects.
 * There is no document tree on either side: the reader fills the message while it parses, the
 * writer appends to a buffer. Pure but for protobuf-c. */
#ifndef CONTROLLER_CODEC_TRANSCODE_H
#define CONTROLLER_CODEC_TRANSCODE_H

#include "controller/codec/pbc.h"

#define TRANSCODE_JSON_MAX  (4u * 1024u * 1024u) /* Bytes of one document. */
#define TRANSCODE_DEPTH_MAX 64                   /* Objects and lists inside each other. */

/* Read one document; *ret lives in the arena. An empty text is an empty object. Unknown members are
 * ignored and null is absence, as AWS does. An explicit [] sets the bool NAME_empty, where the
 * message has one.
 *
 * ERR_PARSE (AWS: SerializationException): no JSON, or a value of the wrong type; says where
 * ("containerDefinitions[0].cpu: expected an integer"). ERR_INVALID (InvalidParameterException): a
 * text that is no value of its enum, naming the values there are. ERR_TOOBIG: beyond a limit. */
int transcode_read(const ProtobufCMessageDescriptor *desc, struct str json, struct arena *a,
                   ProtobufCMessage **ret, struct err *err);

/* Append the message as one object. Unset members are left out; lists that ECS always shows
 * (tasks and failures of a response, events of a service, ...) appear even when they are empty. */
void transcode_write(const ProtobufCMessage *m, struct buf *out);

/* Append a text as a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD. */
void transcode_put_string(struct str text, struct buf *out);

#endif
