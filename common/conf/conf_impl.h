/* common/conf/conf_impl.h
 *
 * Private to common/conf: one configuration while it is being put together. */
#ifndef COMMON_CONF_CONF_IMPL_H
#define COMMON_CONF_CONF_IMPL_H

#include "common/base/arena.h"
#include "common/conf/conf.h"

enum conf_origin {
    CONF_FROM_NOTHING,
    CONF_FROM_DEFAULT,
    CONF_FROM_FILE,
    CONF_FROM_ENV,
    CONF_FROM_ARGV
};

struct conf_raw { /* The text of one option, before it is understood. */
    enum conf_origin origin;
    unsigned line; /* In the file. */
    size_t n;      /* More than one for a list whose flag was repeated. */
    const char **text;
};

union conf_value {
    const char *text;
    uint64_t number;
    bool truth;
    struct conf_list list;
};

struct conf {
    struct arena arena; /* Every string. */
    const struct conf_program *program;
    struct conf_raw *raw; /* By option. */
    const char *file;
    char *text; /* For CONF_EXIT_OK. */
};

/* The option's text becomes its value; errors name the rule, not yet the option. */
int conf_convert(struct conf *c, const struct conf_option *o, const struct conf_raw *raw,
                 union conf_value *ret, struct err *err);

/* Read a file of `name = value` lines into c->raw. */
int conf_read_file(struct conf *c, const char *path, struct err *err);

/* The same for text in memory; path is for messages. */
int conf_read_text(struct conf *c, const char *path, struct str text, struct err *err);

/* One more text for the option. From a stronger origin it replaces what is there; from the same
 * one it is added to a list, and is an error for everything else. */
int conf_offer(struct conf *c, size_t option, enum conf_origin origin, unsigned line,
               struct str text, struct err *err);

/* The number of the option with this name, or SIZE_MAX. */
size_t conf_find(const struct conf_program *program, struct str name);

/* "unknown option "--x"; did you mean --y?" dashes is "--" or "". */
int conf_unknown(const struct conf_program *program, const char *dashes, struct str name,
                 struct err *err);

/* The text of --help, in the arena. */
char *conf_help(struct conf *c);

#endif
