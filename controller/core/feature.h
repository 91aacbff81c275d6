/* controller/core/feature.h
 *
 * What every controller of a cluster must understand before it may be used. A controller announces
 * its own level to its peers; when every voter has announced a level above the cluster's, the
 * leader may raise the cluster's by CMD_SET_FEATURE_LEVEL, and there is no way back to programs
 * below it. Until then everything works as in the level before, so that a rolling upgrade can be
 * undone. Pure.
 *
 *   1  0.1.0, and clusters that never set a level (0)
 *   2  CMD_IDENTITY
 *   3  meta.fenced, CMD_UNFENCE
 *   4  CONSTRAINT_MAX_PER_INSTANCE
 *   5  CONSTRAINT_PRIORITY, capacity providers
 */
#ifndef CONTROLLER_CORE_FEATURE_H
#define CONTROLLER_CORE_FEATURE_H

#include "controller/core/command.h"

#include <stdint.h>

#define FEATURE_LEVEL            5u /* Of this program. */
#define FEATURE_FENCE            3u
#define FEATURE_MAX_PER_INSTANCE 4u
#define FEATURE_PRIORITY         5u
#define FEATURE_PROVIDERS        5u

/* The level from which on a command may be proposed. */
static inline uint32_t feature_of_command(uint8_t kind)
{
    switch (kind) {
    case CMD_IDENTITY:
        return 2;
    case CMD_UNFENCE:
        return FEATURE_FENCE;
    case CMD_PROVIDER_CREATE:
    case CMD_PROVIDER_UPDATE:
    case CMD_PROVIDER_DELETE:
        return FEATURE_PROVIDERS;
    default:
        return 1;
    }
}

#endif
