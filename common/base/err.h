/* common/base/err.h
 *
 * Errors as values. A function that can fail returns 0 or a negative ERR_* code and, when the
 * caller passed a struct err, fills it with the code and one sentence. The buffer is fixed, so
 * reporting that memory ran out cannot itself fail. Pure; any thread. */
#ifndef COMMON_BASE_ERR_H
#define COMMON_BASE_ERR_H

#include <stdarg.h>

/* code, number, name for people. Numbers are never reused: they appear in logs. */
#define ERR_TABLE(X)                         \
    X(ERR_NOMEM, -1, "out of memory")        \
    X(ERR_INVALID, -2, "invalid argument")   \
    X(ERR_NOTFOUND, -3, "not found")         \
    X(ERR_EXISTS, -4, "already exists")      \
    X(ERR_TOOBIG, -5, "too big")             \
    X(ERR_CORRUPT, -6, "corrupt data")       \
    X(ERR_IO, -7, "input/output error")      \
    X(ERR_CANCELED, -8, "canceled")          \
    X(ERR_TIMEOUT, -9, "timed out")          \
    X(ERR_CLOSED, -10, "closed")             \
    X(ERR_UNAVAILABLE, -11, "unavailable")   \
    X(ERR_DENIED, -12, "permission denied")  \
    X(ERR_CONFLICT, -13, "conflict")         \
    X(ERR_UNSUPPORTED, -14, "not supported") \
    X(ERR_FULL, -15, "limit reached")        \
    X(ERR_PARSE, -16, "syntax error")        \
    X(ERR_AGAIN, -17, "try again")           \
    X(ERR_NOTLEADER, -18, "not the leader")  \
    X(ERR_UNKNOWN, -19, "outcome unknown")   \
    X(ERR_INTERNAL, -20, "internal error")   \
    X(ERR_BUSY, -21, "busy")                 \
    X(ERR_PROTOCOL, -22, "protocol violation")

#define ERR_X(code, number, text) code = (number),
enum { ERR_TABLE(ERR_X) };
#undef ERR_X

#define ERR_TEXT_MAX 512

struct err {
    int code; /* 0 while nothing went wrong. */
    char text[ERR_TEXT_MAX];
};

/* The name of a code ("not found"); never NULL. */
const char *err_name(int code);

/* Fill *err (which may be NULL) and return code, so that `return err_set(err, ERR_INVALID, ...)`
 * is one statement. */
__attribute__((format(printf, 3, 4))) int err_set(struct err *err, int code, const char *fmt, ...);

/* Put context in front of what *err already says ("journal /x: disk full") and return code. */
__attribute__((format(printf, 3, 4))) int err_wrap(struct err *err, int code, const char *fmt, ...);

#endif
