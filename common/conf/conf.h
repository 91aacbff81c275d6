/* common/conf/conf.h
 *
 * Configuration of a program as one table of options. Each is filled from, strongest first: the
 * command line (--name value, --name=value, --name for booleans, --no-name), the environment, a
 * file of `name = value` lines with # comments, the default. Errors name the option, where the
 * value came from, and the rule it broke. Any thread; the file functions block. */
#ifndef COMMON_CONF_CONF_H
#define COMMON_CONF_CONF_H

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONF_FILE_MAX  (256u * 1024u)
#define CONF_VALUE_MAX 4096
#define CONF_LIST_MAX  64

enum conf_type {
    CONF_STRING,   /* const char * */
    CONF_U64,      /* uint64_t; min, max */
    CONF_BOOL,     /* bool; true/false, yes/no, on/off, 1/0 */
    CONF_SIZE,     /* uint64_t bytes; 64k, 10MiB, 2g (powers of 1024); min, max */
    CONF_DURATION, /* uint64_t milliseconds; 500ms, 5s, 10m, 2h, 7d; min, max */
    CONF_LIST,     /* struct conf_list; comma separated, or the flag given several times */
};

struct conf_list {
    size_t n;
    const char *const *items;
};

struct conf_option {
    const char *name; /* "data-dir": --data-dir, data-dir = ... */
    const char *env;  /* "ECS_DATA_DIR"; NULL: not from the environment. */
    enum conf_type type;
    size_t offset;     /* Of the field in the caller's struct, of the type named above. */
    const char *value; /* Default as text; NULL: zeroed (NULL string, empty list). */
    const char *arg;   /* What --help calls the value ("DIR"); NULL: by type. */
    const char *help;  /* One sentence. */
    uint64_t min;      /* U64, SIZE, DURATION; 0 and 0: no bounds. */
    uint64_t max;
    bool required;              /* Must be given (a default counts). */
    const char *const *choices; /* STRING: NULL-terminated list of what is allowed, or NULL. */
};

struct conf_program {
    const char *name;    /* "ecs-agent" */
    const char *summary; /* One sentence for --help. */
    const char *usage;   /* "[options]"; may be NULL. */
    const char *version;
    const struct conf_option *options;
    size_t n_options;
    const char *default_file; /* Read if it exists; NULL: only what --config or ecs_config names. */
    const char *file_env;     /* Environment variable naming the file; may be NULL. */
};

enum conf_outcome {
    CONF_RUN,     /* Values are filled. */
    CONF_EXIT_OK, /* --help or --version; its text is in conf_text(). */
};

struct conf; /* Opaque: owns every string the filled struct points to. */

/* Fill the struct at `values`. argv is as main() got it, env as `environ`; *ret_rest (may be NULL:
 * then words that are no options are an error) is the index of the first such word, after which
 * nothing is read. On failure the text is ready to print; *ret is left alone. */
int conf_load(const struct conf_program *program, int argc, char *const *argv, char *const *env,
              void *values, struct conf **ret, enum conf_outcome *ret_outcome, int *ret_rest,
              struct err *err);

/* What to print for CONF_EXIT_OK. */
const char *conf_text(const struct conf *c);

/* Where the value of an option came from: "command line", "environment", "file", "default". */
const char *conf_source(const struct conf *c, const char *name);

/* The file that was read, or NULL. */
const char *conf_file(const struct conf *c);

void conf_close(struct conf *c); /* NULL is fine. */

/* --- pieces, for programs with subcommands
 * ---------------------------------------------------------- */

/* The candidate closest to word by edit distance, if it is close enough to be a slip; else NULL. */
const char *conf_suggest(struct str word, const char *const *candidates, size_t n);

bool conf_parse_bool(struct str text, bool *ret);
bool conf_parse_size(struct str text, uint64_t *ret);     /* Bytes. */
bool conf_parse_duration(struct str text, uint64_t *ret); /* Milliseconds; a unit is required. */

#endif
