/* agent/link/logtail.h
 *
 * Reads one container's log files in order, oldest first, in pieces that end at line ends. Blocks
 * on the disk; one thread at a time. */
#ifndef AGENT_LINK_LOGTAIL_H
#define AGENT_LINK_LOGTAIL_H

#include "common/base/err.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LOGTAIL_FILES 16 /* Of one container; older ones are not looked at. */

struct logtail {
    char path[PATH_MAX];
    int64_t since_ms; /* Lines written at or after this; 0: all. */
    uint32_t tail;    /* At first, only so many lines; 0: all. */
    /* Private. */
    bool begun;
    bool since_met;
    int fds[LOGTAIL_FILES]; /* Oldest first. */
    unsigned n;
    off_t at; /* In fds[0]. */
};

void logtail_init(struct logtail *t, int64_t since_ms, uint32_t tail);
void logtail_close(struct logtail *t);

/* The next lines, at most size bytes (which is more than any line has). *ret_n 0: nothing more at
 * present. */
int logtail_read(struct logtail *t, char *to, size_t size, size_t *ret_n, struct err *err);

/* Milliseconds since 1970 from "2026-01-02T03:04:05.123456789Z"; -1 if it is no such time. */
int64_t logtail_time(const char *text, size_t n);

#endif
