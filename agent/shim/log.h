/* agent/shim/log.h
 *
 * The container's output on its way to log.json (format: protocol.h): cut into lines, stamped,
 * rotated. Never blocks for long and never fails: what cannot be written is counted. The current
 * directory is the container's. One thread. */
#ifndef AGENT_SHIM_LOG_H
#define AGENT_SHIM_LOG_H

#include "agent/shim/protocol.h"

#include <stddef.h>
#include <stdint.h>

#define LOG_OUT_MAX 65536

struct log_stream { /* stdout or stderr. */
    const char *name;
    size_t n; /* Bytes of an unfinished line. */
    char line[SHIM_LINE_MAX];
};

struct shim_log {
    uint64_t max_size; /* 0: keep nothing. */
    unsigned max_files;
    uint64_t n_lost; /* Lines. */
    /* Private. */
    int fd;
    uint64_t size;
    size_t n_out;
    size_t n_out_lines;
    char out[LOG_OUT_MAX];
};

void shim_log_init(struct shim_log *l, uint64_t max_size, unsigned max_files);

/* Take n bytes that were read now. */
void shim_log_put(struct shim_log *l, struct log_stream *s, const char *bytes, size_t n);

/* The stream ended: an unfinished line is a line too. */
void shim_log_end(struct shim_log *l, struct log_stream *s);

/* Write what is gathered. */
void shim_log_flush(struct shim_log *l);

#endif
