/* The part of the command line that belongs to one command. */
#include "admin/cli.h"
#include "common/base/str.h"

#include <string.h>

static const struct option_def *find(const struct command_def *command, const char *name, size_t n)
{
    const struct option_def *o = command->options;
    for (; o != NULL && o->name != NULL; o++) {
        if (strlen(o->name) == n && memcmp(o->name, name, n) == 0) {
            return o;
        }
    }
    return NULL;
}

static int unknown(const struct command_def *command, const char *word)
{
    const char *names[OPTION_MAX];
    const char *near;
    size_t n = 0;
    const struct option_def *o = command->options;
    for (; o != NULL && o->name != NULL && n < OPTION_MAX; o++) {
        names[n++] = o->name;
    }
    near = conf_suggest(str_of(word), names, n);
    complain("%s %s has no option --%s%s%s%s", command->noun, command->verb, word,
             near == NULL ? "" : "; did you mean --", near == NULL ? "" : near,
             near == NULL ? "" : "?");
    return EXIT_USAGE;
}

/* One "--name", "--name=value" or "--name value"; *at is left at the last word used. */
static int read_option(const struct command_def *command, int argc, char *const *argv, int *at,
                       struct args *ret)
{
    const char *word = argv[*at] + 2;
    size_t n = strcspn(word, "=");
    const struct option_def *def = find(command, word, n);
    const char *value = "";
    if (def == NULL) {
        return unknown(command, word);
    }
    if (def->value != NULL && word[n] == '=') {
        value = word + n + 1;
    } else if (def->value != NULL) {
        if (*at + 1 >= argc) {
            complain("--%s needs a value (%s)", def->name, def->value);
            return EXIT_USAGE;
        }
        value = argv[++*at];
    } else if (word[n] == '=') {
        complain("--%s takes no value", def->name);
        return EXIT_USAGE;
    }
    if (!def->many && args_has(ret, def->name)) {
        complain("--%s is given twice", def->name);
        return EXIT_USAGE;
    }
    if (ret->n_options == ARG_MAX_N) {
        complain("too many options");
        return EXIT_USAGE;
    }
    ret->options[ret->n_options].def = def;
    ret->options[ret->n_options].value = value;
    ret->n_options++;
    return EXIT_OK;
}

int args_read(const struct command_def *command, int argc, char *const *argv, struct args *ret)
{
    bool only_words = false;
    memset(ret, 0, sizeof *ret);
    for (int i = 0; i < argc && ret->n_options < ARG_MAX_N; i++) {
        if (!only_words && strcmp(argv[i], "--") == 0) {
            only_words = true;
        } else if (!only_words && strcmp(argv[i], "-f") == 0 &&
                   find(command, "follow", 6) != NULL) {
            ret->options[ret->n_options].def = find(command, "follow", 6);
            ret->options[ret->n_options++].value = "";
        } else if (!only_words && strncmp(argv[i], "--", 2) == 0) {
            int rv = read_option(command, argc, argv, &i, ret);
            if (rv != EXIT_OK) {
                return rv;
            }
        } else if (ret->n == command->n_max) {
            complain("%s %s: '%s' is one argument too many; usage: ecs-admin %s %s %s",
                     command->noun, command->verb, argv[i], command->noun, command->verb,
                     command->arguments);
            return EXIT_USAGE;
        } else {
            ret->positional[ret->n++] = argv[i];
        }
    }
    if (ret->n < command->n_min) {
        complain("usage: ecs-admin %s %s %s", command->noun, command->verb, command->arguments);
        return EXIT_USAGE;
    }
    return EXIT_OK;
}

const char *args_nth(const struct args *a, const char *name, int i)
{
    for (int at = 0; at < a->n_options; at++) {
        if (strcmp(a->options[at].def->name, name) == 0 && i-- == 0) {
            return a->options[at].value;
        }
    }
    return NULL;
}

bool args_has(const struct args *a, const char *name)
{
    return args_nth(a, name, 0) != NULL;
}

const char *args_get(const struct args *a, const char *name, const char *otherwise)
{
    const char *value = args_nth(a, name, 0);
    return value == NULL ? otherwise : value;
}

int args_number(const struct args *a, const char *name, int64_t min, int64_t max, int64_t *ret)
{
    const char *text = args_nth(a, name, 0);
    int64_t value;
    if (text == NULL) {
        return EXIT_OK;
    }
    if (!str_i64(str_of(text), &value) || value < min || value > max) {
        complain("--%s must be a whole number from %lld to %lld, not '%s'", name, (long long)min,
                 (long long)max, text);
        return EXIT_USAGE;
    }
    *ret = value;
    return EXIT_OK;
}
