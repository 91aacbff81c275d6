/* admin/offline/describe.h
 *
 * Rows and commands as JSON for people: ids in hex, times in UTC, enums by name, bytes that are no
 * text by their number. One walker over the schema tables serves all of them. */
#ifndef ADMIN_OFFLINE_DESCRIBE_H
#define ADMIN_OFFLINE_DESCRIBE_H

#include "controller/core/command.h"
#include "controller/core/schema.h"

#include <jansson.h>

/* A new object with the fields that are set and not derived. */
json_t *describe_object(const struct schema *schema, const void *object);

/* "cluster_create"; "?" for kinds that do not exist. */
const char *describe_command_name(uint8_t kind);

/* {"command": name, "at": time, "seed": hex, fields of its own}. */
json_t *describe_command(const struct command *cmd);

/* One line about the command: what it is about, how much of it. */
void describe_summary(const struct command *cmd, char *ret, size_t size);

/* "2026-11-25T22:33:22.123Z"; "-" for 0. */
#define DESCRIBE_TIME_LEN 32
void describe_time(int64_t ms, char ret[DESCRIBE_TIME_LEN]);

#endif
