#include "common/base/err.h"

#include <stdio.h>
#include <string.h>

#define ERR_X(code, number, text) \
    case code:                    \
        return text;
const char *err_name(int code)
{
    switch (code) {
        ERR_TABLE(ERR_X)
    default:
        return code == 0 ? "success" : "unknown error";
    }
}
#undef ERR_X

int err_set(struct err *err, int code, const char *fmt, ...)
{
    va_list args;
    if (err == NULL) {
        return code;
    }
    err->code = code;
    va_start(args, fmt);
    (void)vsnprintf(err->text, sizeof err->text, fmt, args);
    va_end(args);
    return code;
}

int err_wrap(struct err *err, int code, const char *fmt, ...)
{
    va_list args;
    char before[ERR_TEXT_MAX];
    int n;
    if (err == NULL) {
        return code;
    }
    if (err->code == 0) {
        (void)snprintf(before, sizeof before, "%s", err_name(code));
    } else {
        memcpy(before, err->text, sizeof before);
    }
    err->code = code;
    va_start(args, fmt);
    n = vsnprintf(err->text, sizeof err->text, fmt, args);
    va_end(args);
    if (n >= 0 && (size_t)n < sizeof err->text) {
        (void)snprintf(err->text + n, sizeof err->text - (size_t)n, ": %.*s",
                       (int)(sizeof err->text - (size_t)n), before);
    }
    return code;
}
