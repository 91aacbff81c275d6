/* agent/link/logs.h
 *
 * Container logs for whoever asks the controller: the last lines, everything since a time, or what
 * is still to be written. Many requests share one buffer and one worker at a time, take turns, and
 * go only as fast as the stream to the controller takes them. Reads the files that the supervisors
 * write (PATH, then PATH.1, PATH.2 ... growing older; one JSON object a line), across rotations.
 * Loop thread only; the files are read on a thread of libuv's pool. */
#ifndef AGENT_LINK_LOGS_H
#define AGENT_LINK_LOGS_H

#include "agent/core/message.h"
#include "common/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define LOGS_MAX       64    /* Requests at a time. */
#define LOGS_CHUNK_MAX 65536 /* Bytes of one chunk; longer than any line. */

struct logs; /* Opaque. */

struct logs_events { /* All may be called inside logs_start() and logs_wake(). */
    /* Where the container's current log file is. */
    int (*path)(void *data, struct id task, const char *container, char *ret, size_t size,
                struct err *err);
    /* Will the container write more? If not, following it ends at the end of the file. */
    bool (*alive)(void *data, struct id task, const char *container);
    bool (*writable)(void *data);
    void (*send)(void *data, const struct log_chunk *chunk);
};

struct logs *logs_open(uv_loop_t *loop, const struct logs_events *events, void *data);

/* Answered by chunks, of which the last has end set. */
void logs_start(struct logs *l, const struct log_request *r);

void logs_cancel(struct logs *l, uint64_t request); /* No chunk follows. Unknown is fine. */
void logs_pause(struct logs *l, uint64_t request, bool pause); /* Likewise. */
void logs_cancel_all(struct logs *l);
void logs_wake(struct logs *l); /* writable() has become true. */
size_t logs_n(const struct logs *l);

/* No callback after this. NULL is fine. */
void logs_close(struct logs *l);

#endif
