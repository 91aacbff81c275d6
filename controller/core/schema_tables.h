/* controller/core/schema_tables.h
 *
 * The tables behind schema_of_kind() and schema_of_command(); schema.c alone includes this. Pure.
 */
#ifndef CONTROLLER_CORE_SCHEMA_TABLES_H
#define CONTROLLER_CORE_SCHEMA_TABLES_H

#include "controller/core/schema.h"

extern const struct schema *const schema_kinds[KIND_N];
extern const struct schema *const schema_commands[CMD_N];

#endif
