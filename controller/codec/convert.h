/* controller/codec/convert.h
 *
 * Copies between protobuf-c messages of different types by field name: public API messages to and
 * from our own versioned specifications. Pure but for protobuf-c.
 *
 * Same-named fields are copied however deep they are, repeated ones and maps included. An enum
 * and a string of the same name are converted by AWS's name of the value, two enums likewise;
 * integers of different widths by value. Texts and bytes are shared with the source, not copied. */
#ifndef CONTROLLER_CODEC_CONVERT_H
#define CONTROLLER_CODEC_CONVERT_H

#include "controller/codec/pbc.h"

#define CONVERT_MISSING_MAX 16 /* More are counted, not named. */

/* Fields present in the source that the target does not have. The caller decides whether that is
 * an error or intended. Zeroed before use; may collect several conversions. */
struct convert_report {
    const char *missing[CONVERT_MISSING_MAX]; /* "containerDefinitions[0].secrets", in the arena. */
    uint32_t n_missing;
};

/* Fill to, whose fields are unset so far. report may be NULL when missing fields do not matter.
 * ERR_INVALID naming the field: a text that is no value of the target's enum, a number out of
 * range. ERR_INTERNAL: the types of a field cannot be converted, a mistake in the .proto. */
int convert_message(const ProtobufCMessage *from, ProtobufCMessage *to, struct arena *a,
                    struct convert_report *report, struct err *err);

#endif
