/* controller/codec/json_text.h
 *
 * The lexical part of JSON (RFC 8259): white space, strings, numbers, and skipping what nobody
 * asked for. Internal to the codec. Pure. */
#ifndef CONTROLLER_CODEC_JSON_TEXT_H
#define CONTROLLER_CODEC_JSON_TEXT_H

#include "common/base/arena.h"
#include "common/base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct json_text {
    const char *p;
    const char *end;
    const char *why; /* After a failure: "expected a value", "depth". */
};

/* The next character that is not white space, 0 at the end; it is not taken. */
char json_text_peek(struct json_text *t);

/* Take c if it is next. */
bool json_text_take(struct json_text *t, char c);

/* Take the word ("true", "null") if it is next. */
bool json_text_word(struct json_text *t, const char *word);

/* A string, unescaped, in the arena and NUL-terminated. False: malformed, not UTF-8, or with a NUL,
 * which no text of the API may contain. */
bool json_text_string(struct json_text *t, struct arena *a, struct str *ret);

struct json_number {
    bool is_integer; /* Fits int64 and has no fraction: then integer is set. */
    int64_t integer;
    double real;
};

bool json_text_number(struct json_text *t, struct json_number *ret);

/* Any value, at most depth_max objects and lists deep. */
bool json_text_skip(struct json_text *t, unsigned depth_max);

#endif
