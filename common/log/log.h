/* common/log/log.h
 *
 * Log lines are events with typed fields:
 *
 *     log_info("node.down", log_u64("node", id), log_str("reason", reason));
 *     2026-05-01T10:00:00.123Z info node.down node=17 reason="lease ended"
 *
 * error: someone must act. warn: degraded, recovering. info: the state changed. debug: the rest.
 *
 * There is one sink per process (the one sanctioned piece of global state: every module would
 * otherwise carry a pointer it never chooses). Each event is one write(), at most LOG_LINE_MAX
 * bytes, so lines of threads and processes do not mix. Any thread. The last events are also kept
 * in memory for crash reports, see log_dump(). Before log_open(): info and above go to stderr. */
#ifndef COMMON_LOG_LOG_H
#define COMMON_LOG_LOG_H

#include "common/base/err.h"
#include "common/base/id.h"
#include "common/base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define LOG_LINE_MAX 2048          /* Longer events are cut and end in "cut=true". */
#define LOG_RING_MAX (32u * 1024u) /* Bytes of recent lines kept for log_dump(). */

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

struct log_options {
    enum log_level level;
    bool json;           /* One JSON object a line instead of logfmt. */
    int fd;              /* Borrowed; -1 discards (the ring still fills). */
    const char *program; /* Shown in each line when not NULL; must stay valid. */
};

/* Take effect for the whole process; may be called again, as on SIGHUP. */
void log_open(const struct log_options *options);

/* "error", "warn", "info" or "debug". */
bool log_level_parse(struct str text, enum log_level *ret);

/* Is anything at this level written? For fields that are costly to compute. */
bool log_enabled(enum log_level level);

/* For events that somebody outside can cause at will: at most `per_s` lines a second. One for each
 * kind of event, zeroed before use, on one thread. */
struct log_limit {
    int64_t second;
    unsigned n;
    uint64_t left_out;
};

/* May one more be written now? Then *ret_left_out is how many were not since the last one. */
bool log_allow(struct log_limit *l, unsigned per_s, uint64_t *ret_left_out);

/* Write the ring, oldest line first, to fd. Safe in a signal handler. */
void log_dump(int fd);

/* On SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT (assert) write the signal and the ring to a new
 * file at path (kept by pointer) or to stderr when it is NULL, then die of the same signal. */
void log_catch_crashes(const char *path);

/* --- fields
 * --------------------------------------------------------------------------------------- */
enum log_type { LOG_END, LOG_U64, LOG_I64, LOG_BOOL, LOG_STR, LOG_ID };

struct log_field {
    const char *key; /* [a-z0-9_.]+ */
    enum log_type type;
    union {
        uint64_t u64;
        int64_t i64;
        bool b;
        struct str str;
        struct id id;
    } v;
};

struct log_field log_u64(const char *key, uint64_t v);
struct log_field log_i64(const char *key, int64_t v);
struct log_field log_bool(const char *key, bool v);
struct log_field log_str(const char *key, const char *v); /* NULL is "". Borrowed for the call. */
struct log_field log_strn(const char *key, struct str v);
struct log_field log_id(const char *key, struct id v);
struct log_field log_err(const struct err *err); /* err="text"; borrowed for the call. */

/* --- events: event name, then any number of fields
 * -------------------------------------------------- */
#define log_error(...) LOG_EVENT_(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  LOG_EVENT_(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  LOG_EVENT_(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) LOG_EVENT_(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* fields ends with one of type LOG_END. For code that computes the level or the list. */
void log_event(enum log_level level, const char *event, const struct log_field *fields);

/* Private: split the event from the fields so that there may be none. */
#define LOG_FIRST_(event, ...) event
#define LOG_REST_(event, ...)  __VA_ARGS__
#define LOG_STOP_              ((struct log_field){.type = LOG_END})
#define LOG_EVENT_(level, ...)                                                                     \
    (log_enabled(level) ? log_event(level, LOG_FIRST_(__VA_ARGS__, 0),                             \
                                    (const struct log_field[]){LOG_REST_(__VA_ARGS__, LOG_STOP_)}) \
                        : (void)0)

#endif
