/* controller/core/placement/regex.h
 *
 * Patterns in the common subset of Java's syntax, matched in time O(pattern x text) by running all
 * alternatives at once: there is no backtracking, so no pattern can be made to take long. Works on
 * bytes. Pure.
 *
 * Supported: literals, `.`, classes [a-z] [^a-z] with escapes inside, \d \D \w \W \s \S, \t \n \r
 * \f, an escaped punctuation character, \Q...\E, groups ( ) and (?: ), |, * + ? {m} {m,} {m,n}
 * (and their lazy form with `?`, which selects the same texts), ^ $.
 * Refused with an error: back-references, look-around, possessive quantifiers, flags, \b \p. */
#ifndef CONTROLLER_CORE_PLACEMENT_REGEX_H
#define CONTROLLER_CORE_PLACEMENT_REGEX_H

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/base/str.h"

#include <stdbool.h>

#define REGEX_PROGRAM_MAX 1024 /* States after {m,n} has been written out. */
#define REGEX_DEPTH_MAX   32   /* Nested groups. */
#define REGEX_REPEAT_MAX  255  /* m and n of {m,n}. */

struct regex; /* Opaque; immutable once made. */

/* Compile a pattern; ERR_PARSE or ERR_TOOBIG with the column (from 1) in err. On success *ret is
 * the caller's, to be released with regex_close(). */
int regex_parse(const struct mem *mem, struct str pattern, struct regex **ret, struct err *err);

/* NULL is fine. */
void regex_close(struct regex *r);

/* Does the whole text match? */
bool regex_match(const struct regex *r, struct str text);

#endif
