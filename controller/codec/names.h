/* controller/codec/names.h
 *
 * The names of AWS's JSON for the fields and enum values of ecs.v1: camelCase made from the
 * snake_case of the .proto, and a short table of the ones that do not follow the rule. Pure. */
#ifndef CONTROLLER_CODEC_NAMES_H
#define CONTROLLER_CODEC_NAMES_H

#include "common/base/str.h"

#include <protobuf-c/protobuf-c.h>

#define NAME_MAX_LEN 80 /* Of any field, NUL included; checked by a test over all descriptors. */

/* "container_definitions" -> "containerDefinitions". */
void name_json(const char *field, char ret[NAME_MAX_LEN]);

/* The field with this JSON name, or NULL. */
const ProtobufCFieldDescriptor *name_field(const ProtobufCMessageDescriptor *desc, struct str json);

/* "json-file" for json_file of LogDriver. NULL for a number without a name. */
const char *name_enum(const ProtobufCEnumDescriptor *desc, int value);

/* The value AWS spells so, or NULL. */
const ProtobufCEnumValue *name_enum_value(const ProtobufCEnumDescriptor *desc, struct str text);

#endif
