/* Text is gathered per option from the weakest source to the strongest, then understood in one
 * pass, then written to the caller's struct: a mistake anywhere leaves the struct untouched. */
#include "common/conf/conf.h"

#include "common/conf/conf_impl.h"
#include "common/loop/sysmem.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const origin_names[] = {"nothing", "default", "file", "environment",
                                           "command line"};

/* --- options by name
 * ---------------------------------------------------------------------------------- */

size_t conf_find(const struct conf_program *program, struct str name)
{
    for (size_t i = 0; i < program->n_options; i++) {
        if (str_eqc(name, program->options[i].name)) {
            return i;
        }
    }
    return SIZE_MAX;
}

int conf_unknown(const struct conf_program *program, const char *dashes, struct str name,
                 struct err *err)
{
    const char *names[256];
    size_t n = 0;
    const char *near;
    for (size_t i = 0; i < program->n_options && n < sizeof names / sizeof names[0] - 3; i++) {
        names[n++] = program->options[i].name;
    }
    names[n++] = "config";
    names[n++] = "help";
    names[n++] = "version";
    near = conf_suggest(name, names, n);
    if (near == NULL) {
        return err_set(err, ERR_INVALID, "unknown option \"%s%.*s\"", dashes, STR_ARG(name));
    }
    return err_set(err, ERR_INVALID, "unknown option \"%s%.*s\"; did you mean %s%s?", dashes,
                   STR_ARG(name), dashes, near);
}

int conf_offer(struct conf *c, size_t option, enum conf_origin origin, unsigned line,
               struct str text, struct err *err)
{
    const struct conf_option *o = &c->program->options[option];
    struct conf_raw *raw = &c->raw[option];
    if (text.n > CONF_VALUE_MAX) {
        return err_set(err, ERR_TOOBIG, "%s: longer than %d bytes", o->name, CONF_VALUE_MAX);
    }
    if (raw->origin < origin) {
        size_t room = o->type == CONF_LIST ? CONF_LIST_MAX : 1;
        memset(raw, 0, sizeof *raw);
        raw->origin = origin;
        raw->text = arena_array(&c->arena, room, sizeof *raw->text);
    } else if (o->type != CONF_LIST) {
        return err_set(err, ERR_INVALID, "%s: given twice", o->name);
    }
    if (raw->n == CONF_LIST_MAX) {
        return err_set(err, ERR_TOOBIG, "%s: more than %d values", o->name, CONF_LIST_MAX);
    }
    raw->line = line;
    raw->text[raw->n++] = arena_dup(&c->arena, text.n == 0 ? "" : text.p, text.n);
    return 0;
}

/* --- command line
 * ---------------------------------------------------------------------------------------- */

struct args {
    int argc;
    char *const *argv;
    int at;
    bool help;
    bool version;
    const char *config;
};

/* The value after "--name=" or in the next word. */
static int take_value(struct args *a, struct str name, const char *equals, struct str *ret,
                      struct err *err)
{
    if (equals != NULL) {
        *ret = str_of(equals + 1);
        return 0;
    }
    if (a->at + 1 >= a->argc) {
        return err_set(err, ERR_INVALID, "--%.*s: the value is missing", STR_ARG(name));
    }
    a->at++;
    *ret = str_of(a->argv[a->at]);
    return 0;
}

static int take_bool(struct conf *c, struct args *a, size_t option, struct str name,
                     const char *equals, bool no, struct err *err)
{
    if (equals != NULL && no) {
        return err_set(err, ERR_INVALID, "--no-%.*s takes no value", STR_ARG(name));
    }
    (void)a;
    return conf_offer(c, option, CONF_FROM_ARGV, 0,
                      equals != NULL ? str_of(equals + 1) : str_of(no ? "false" : "true"), err);
}

static int take_flag(struct conf *c, struct args *a, const char *word, struct err *err)
{
    const char *equals = strchr(word, '=');
    struct str name = equals != NULL ? str_make(word, (size_t)(equals - word)) : str_of(word);
    size_t option = conf_find(c->program, name);
    bool no = false;
    struct str value = {NULL, 0};
    int rv;
    if (option == SIZE_MAX && str_eqc(name, "help")) {
        a->help = true;
        return 0;
    }
    if (option == SIZE_MAX && str_eqc(name, "version")) {
        a->version = true;
        return 0;
    }
    if (option == SIZE_MAX && str_starts(name, "no-")) {
        struct str rest = str_slice(name, 3, name.n);
        option = conf_find(c->program, rest);
        no = option != SIZE_MAX && c->program->options[option].type == CONF_BOOL;
        option = no ? option : SIZE_MAX;
        name = no ? rest : name;
    }
    if (option == SIZE_MAX && str_eqc(name, "config")) {
        rv = take_value(a, name, equals, &value, err);
        a->config = rv == 0 ? value.p : NULL;
        return rv;
    }
    if (option == SIZE_MAX) {
        return conf_unknown(c->program, "--", name, err);
    }
    if (c->program->options[option].type == CONF_BOOL) {
        return take_bool(c, a, option, name, equals, no, err);
    }
    rv = take_value(a, name, equals, &value, err);
    return rv != 0 ? rv : conf_offer(c, option, CONF_FROM_ARGV, 0, value, err);
}

static int read_args(struct conf *c, struct args *a, bool rest_allowed, struct err *err)
{
    for (a->at = 1; a->at < a->argc; a->at++) {
        const char *word = a->argv[a->at];
        int rv;
        if (strcmp(word, "--") == 0) {
            a->at++;
            break;
        }
        if (strcmp(word, "-h") == 0) {
            a->help = true;
            continue;
        }
        if (strncmp(word, "--", 2) != 0) {
            if (word[0] == '-' && word[1] != '\0') {
                return err_set(err, ERR_INVALID, "unknown option \"%s\"; options begin with --",
                               word);
            }
            break;
        }
        rv = take_flag(c, a, word + 2, err);
        if (rv != 0) {
            return rv;
        }
    }
    if (!rest_allowed && a->at < a->argc) {
        return err_set(err, ERR_INVALID, "unexpected argument \"%s\"", a->argv[a->at]);
    }
    return 0;
}

/* --- environment
 * ------------------------------------------------------------------------------------------ */

static const char *env_get(char *const *env, const char *name)
{
    size_t n = name == NULL ? 0 : strlen(name);
    for (; n > 0 && env != NULL && *env != NULL; env++) {
        if (strncmp(*env, name, n) == 0 && (*env)[n] == '=') {
            return *env + n + 1;
        }
    }
    return NULL;
}

static int read_env(struct conf *c, char *const *env, struct err *err)
{
    for (size_t i = 0; i < c->program->n_options; i++) {
        const char *text = env_get(env, c->program->options[i].env);
        int rv;
        if (text == NULL || c->raw[i].origin > CONF_FROM_ENV) {
            continue;
        }
        rv = conf_offer(c, i, CONF_FROM_ENV, 0, str_of(text), err);
        if (rv != 0) {
            return err_wrap(err, rv, "environment");
        }
    }
    return 0;
}

/* --- all together
 * -------------------------------------------------------------------------------------------- */

static int read_defaults(struct conf *c, struct err *err)
{
    for (size_t i = 0; i < c->program->n_options; i++) {
        const char *text = c->program->options[i].value;
        int rv = text == NULL || c->raw[i].origin != CONF_FROM_NOTHING
                     ? 0
                     : conf_offer(c, i, CONF_FROM_DEFAULT, 0, str_of(text), err);
        if (rv != 0) {
            return rv;
        }
    }
    return 0;
}

static int choose_file(struct conf *c, const struct args *a, char *const *env, struct err *err)
{
    const char *path = a->config != NULL ? a->config : env_get(env, c->program->file_env);
    if (path != NULL && path[0] != '\0') {
        return conf_read_file(c, path, err);
    }
    path = c->program->default_file;
    return path != NULL && access(path, F_OK) == 0 ? conf_read_file(c, path, err) : 0;
}

/* Say which option, and who set it. */
static int blame(const struct conf *c, size_t i, int rv, struct err *err)
{
    const struct conf_option *o = &c->program->options[i];
    switch (c->raw[i].origin) {
    case CONF_FROM_ARGV:
        return err_wrap(err, rv, "--%s", o->name);
    case CONF_FROM_ENV:
        return err_wrap(err, rv, "%s (environment)", o->env);
    case CONF_FROM_FILE:
        return err_wrap(err, rv, "%s:%u: %s", c->file, c->raw[i].line, o->name);
    case CONF_FROM_DEFAULT:
    case CONF_FROM_NOTHING:
        break;
    }
    return err_wrap(err, rv, "--%s", o->name);
}

static void store(void *values, const struct conf_option *o, const union conf_value *v)
{
    char *to = (char *)values + o->offset;
    switch (o->type) {
    case CONF_STRING:
        memcpy(to, &v->text, sizeof v->text);
        break;
    case CONF_U64:
    case CONF_SIZE:
    case CONF_DURATION:
        memcpy(to, &v->number, sizeof v->number);
        break;
    case CONF_BOOL:
        memcpy(to, &v->truth, sizeof v->truth);
        break;
    case CONF_LIST:
        memcpy(to, &v->list, sizeof v->list);
        break;
    }
}

static int understand(struct conf *c, void *values, struct err *err)
{
    size_t n = c->program->n_options;
    union conf_value *v = arena_array(&c->arena, n, sizeof *v);
    for (size_t i = 0; i < n; i++) {
        const struct conf_option *o = &c->program->options[i];
        int rv;
        if (c->raw[i].origin == CONF_FROM_NOTHING) {
            if (o->required) {
                return err_set(err, ERR_INVALID, "--%s is required%s%s", o->name,
                               o->env != NULL ? ", or in the environment " : "",
                               o->env != NULL ? o->env : "");
            }
            continue;
        }
        rv = conf_convert(c, o, &c->raw[i], &v[i], err);
        if (rv != 0) {
            return blame(c, i, rv, err);
        }
    }
    for (size_t i = 0; i < n; i++) {
        store(values, &c->program->options[i], &v[i]);
    }
    return 0;
}

int conf_load(const struct conf_program *program, int argc, char *const *argv, char *const *env,
              void *values, struct conf **ret, enum conf_outcome *ret_outcome, int *ret_rest,
              struct err *err)
{
    struct conf *c = mem_alloc(sysmem(), sizeof *c);
    struct args a = {.argc = argc, .argv = argv};
    int rv;
    arena_init(&c->arena, sysmem());
    c->program = program;
    c->raw = arena_array(&c->arena, program->n_options, sizeof *c->raw);
    rv = read_args(c, &a, ret_rest != NULL, err);
    if (rv == 0 && (a.help || a.version)) {
        c->text = a.help ? conf_help(c)
                         : arena_printf(&c->arena, "%s %s\n", program->name, program->version);
        *ret_outcome = CONF_EXIT_OK;
        *ret = c;
        return 0;
    }
    rv = rv != 0 ? rv : choose_file(c, &a, env, err);
    rv = rv != 0 ? rv : read_env(c, env, err);
    rv = rv != 0 ? rv : read_defaults(c, err);
    rv = rv != 0 ? rv : understand(c, values, err);
    if (rv != 0) {
        conf_close(c);
        return rv;
    }
    if (ret_rest != NULL) {
        *ret_rest = a.at;
    }
    *ret_outcome = CONF_RUN;
    *ret = c;
    return 0;
}

const char *conf_text(const struct conf *c)
{
    return c->text == NULL ? "" : c->text;
}

const char *conf_source(const struct conf *c, const char *name)
{
    size_t i = conf_find(c->program, str_of(name));
    assert(i != SIZE_MAX);
    return origin_names[c->raw[i].origin];
}

const char *conf_file(const struct conf *c)
{
    return c->file;
}

void conf_close(struct conf *c)
{
    if (c == NULL) {
        return;
    }
    arena_close(&c->arena);
    mem_free(sysmem(), c, sizeof *c);
}
