/* agent/unpack/layer.h
 *
 * One image layer (a tar stream, compressed or not) into the current root directory, as a lower
 * directory of overlayfs:
 *
 *   dir/.wh.name      becomes dir/name, character device 0:0 (whiteout)
 *   dir/.wh..wh..opq  becomes dir's extended attribute user.overlay.opaque = "y"
 *
 * Refused: names with "..", device nodes, a link in the place of /dev, /proc, /sys or /etc,
 * entries beyond the limits. Ignored: extended attributes other than file capabilities and user.*
 * (user.overlay.* of the layer's own would let it forge whiteouts). */
#ifndef AGENT_UNPACK_LAYER_H
#define AGENT_UNPACK_LAYER_H

#include "common/base/err.h"

#include <stdint.h>

#define LAYER_HEX_LEN 64

struct layer_limits {
    uint64_t bytes_max; /* Of the tar stream, uncompressed. */
    uint64_t files_max;
};

struct layer_result {
    char diff_id[LAYER_HEX_LEN + 1]; /* SHA-256 of the uncompressed tar stream. */
    uint64_t bytes;
    uint64_t files;
};

int layer_unpack(int fd, const struct layer_limits *limits, struct layer_result *ret,
                 struct err *err);

#endif
