/* ecs-admin: the command line of ecs. The table of commands, help, completion. */
#include "admin/cli.h"
#include "common/base/str.h"
#include "common/conf/conf.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOUNS_MAX   32
#define HELP_COLUMN 44

static const char *const outputs[] = {"table", "json", "yaml", NULL};

#define AT(field) offsetof(struct cli_config, field)
static const struct conf_option global_options[] = {
    {.name = "endpoint",
     .env = "ECS_ENDPOINT",
     .type = CONF_LIST,
     .offset = AT(endpoints),
     .value = "127.0.0.1:7443",
     .arg = "ADDR:PORT,...",
     .help = "Controllers to talk to; the next one is tried when one does not answer."},
    {.name = "ca",
     .env = "ECS_CA",
     .type = CONF_STRING,
     .offset = AT(ca),
     .arg = "FILE",
     .help = "Certificate of the cluster's CA."},
    {.name = "cert",
     .env = "ECS_CERT",
     .type = CONF_STRING,
     .offset = AT(cert),
     .arg = "FILE",
     .help = "Our certificate (role admin)."},
    {.name = "key",
     .env = "ECS_KEY",
     .type = CONF_STRING,
     .offset = AT(key),
     .arg = "FILE",
     .help = "Its private key."},
    {.name = "cluster",
     .env = "ECS_CLUSTER",
     .type = CONF_STRING,
     .offset = AT(cluster),
     .value = "default",
     .arg = "NAME",
     .help = "The cluster that commands are about."},
    {.name = "output",
     .env = "ECS_OUTPUT",
     .type = CONF_STRING,
     .offset = AT(output),
     .value = "table",
     .choices = outputs,
     .arg = "table|json|yaml",
     .help = "How results are printed (also -o)."},
    {.name = "timeout",
     .env = "ECS_TIMEOUT",
     .type = CONF_DURATION,
     .offset = AT(timeout_ms),
     .value = "30s",
     .min = 100,
     .max = 3600000,
     .arg = "DURATION",
     .help = "How long one call may take in all."},
    {.name = "quiet",
     .type = CONF_BOOL,
     .offset = AT(quiet),
     .help = "Print only what was asked for, no progress (also -q)."},
};

static const struct command_def *const groups[] = {
    cluster_commands, provider_commands, node_commands,    taskdef_commands,
    task_commands,    service_commands,  history_commands, member_commands,
    plan_commands,    verify_commands,   backup_commands,  restore_commands,
    recover_commands, replay_commands,   inspect_commands, pki_commands,
};
#define N_GROUPS (sizeof groups / sizeof groups[0])

/* Nouns without a row in the tables, and the words behind them. */
static const char *const shells[] = {"bash", "zsh", "fish"};
#define N_SHELLS (sizeof shells / sizeof shells[0])

/* --- finding commands
 * ---------------------------------------------------------------------------------- */

static const struct command_def *find(const char *noun, const char *verb)
{
    for (size_t g = 0; g < N_GROUPS; g++) {
        for (const struct command_def *c = groups[g]; c->noun != NULL; c++) {
            if (strcmp(c->noun, noun) == 0 && strcmp(c->verb, verb) == 0) {
                return c;
            }
        }
    }
    return NULL;
}

/* The distinct nouns, or the verbs of one noun. */
static size_t words(const char *noun, const char *ret[], size_t max)
{
    size_t n = 0;
    for (size_t g = 0; g < N_GROUPS; g++) {
        for (const struct command_def *c = groups[g]; c->noun != NULL && n < max; c++) {
            const char *word = noun == NULL ? c->noun : c->verb;
            bool wanted = noun == NULL || strcmp(c->noun, noun) == 0;
            if (wanted && *word != '\0' && (n == 0 || strcmp(ret[n - 1], word) != 0)) {
                ret[n++] = word;
            }
        }
    }
    if (noun == NULL && n + 3 <= max) {
        ret[n++] = "version";
        ret[n++] = "completion";
        ret[n++] = "help";
    } else if (noun != NULL && strcmp(noun, "completion") == 0 && n + N_SHELLS <= max) {
        memcpy(ret + n, shells, sizeof shells);
        n += N_SHELLS;
    }
    return n;
}

static int unknown_word(const char *what, const char *word, const char *const *candidates, size_t n)
{
    const char *near = word[0] == '\0' ? NULL : conf_suggest(str_of(word), candidates, n);
    if (near != NULL) {
        complain("%s '%s' is not known; did you mean '%s'?", what, word, near);
        return EXIT_USAGE;
    }
    if (word[0] == '\0') {
        (void)fprintf(stderr, "ecs-admin: a %s is missing; there are:", what);
    } else {
        (void)fprintf(stderr, "ecs-admin: %s '%s' is not known; there are:", what, word);
    }
    for (size_t i = 0; i < n; i++) {
        (void)fprintf(stderr, " %s", candidates[i]);
    }
    (void)fputc('\n', stderr);
    return EXIT_USAGE;
}

/* --- help
 * ------------------------------------------------------------------------------------------------
 */

/* A long name has its summary on the next line. */
static void help_line(const char *noun, const char *verb, const char *arguments,
                      const char *summary)
{
    char left[160];
    const char *gap = verb[0] == '\0' ? "" : " ";
    int n = snprintf(left, sizeof left, "%s%s%s %s", noun, gap, verb, arguments);
    if (n > HELP_COLUMN) {
        (void)printf("  %s\n  %-*s %s\n", left, HELP_COLUMN, "", summary);
    } else {
        (void)printf("  %-*s %s\n", HELP_COLUMN, left, summary);
    }
}

/* The commands of one noun, or all. */
static void help_commands(const char *noun)
{
    for (size_t g = 0; g < N_GROUPS; g++) {
        for (const struct command_def *c = groups[g]; c->noun != NULL; c++) {
            if (noun == NULL || strcmp(c->noun, noun) == 0) {
                help_line(c->noun, c->verb, c->arguments, c->summary);
            }
        }
    }
}

static void help_noun(const char *noun)
{
    (void)printf("usage: ecs-admin [options] %s VERB [arguments]\n\n", noun);
    help_commands(noun);
    (void)printf("\n`ecs-admin %s VERB --help` explains one of them.\n", noun);
}

static void help_all(void)
{
    (void)printf("usage: ecs-admin [options] NOUN VERB [arguments]\n\n");
    help_commands(NULL);
    help_line("version", "", "", "Which version this is.");
    help_line("completion", "", "bash|zsh|fish", "A script with which that shell completes words.");
    (void)printf(
        "\nOptions of every command (environment variable; also in ~/.config/ecs/config):\n");
    for (size_t i = 0; i < sizeof global_options / sizeof global_options[0]; i++) {
        const struct conf_option *o = &global_options[i];
        char left[80];
        (void)snprintf(left, sizeof left, "--%s %s", o->name, o->arg == NULL ? "" : o->arg);
        (void)printf("  %-32s %s%s%s%s\n", left, o->help, o->env == NULL ? "" : " (",
                     o->env == NULL ? "" : o->env, o->env == NULL ? "" : ")");
    }
    (void)printf(
        "\n`ecs-admin NOUN VERB --help` explains one command; ecs-admin(1) all of them.\n");
}

static void help_command(const struct command_def *c)
{
    const struct option_def *o = c->options;
    const char *gap = c->verb[0] == '\0' ? "" : " ";
    (void)printf("usage: ecs-admin %s%s%s %s\n\n%s\n", c->noun, gap, c->verb, c->arguments,
                 c->summary);
    for (; o != NULL && o->name != NULL; o++) {
        char left[80];
        (void)snprintf(left, sizeof left, "--%s %s", o->name, o->value == NULL ? "" : o->value);
        (void)printf("%s  %-32s %s\n", o == c->options ? "\n" : "", left, o->help);
    }
}

/* --- completion
 * --------------------------------------------------------------------------------------------
 * The shells ask `ecs-admin completion words [WORD BEFORE...]`, so that the scripts need no update,
 * and options of every command may stand before the noun. */

static void complete_options(const char *noun, const char *verb)
{
    const struct command_def *command = find(noun, verb);
    const struct option_def *o = command == NULL ? NULL : command->options;
    for (; o != NULL && o->name != NULL; o++) {
        (void)printf("--%s\n", o->name);
    }
}

static void complete_words(int n_before, char **before)
{
    const char *list[NOUNS_MAX];
    const char *noun = n_before > 0 ? before[0] : NULL;
    bool whole = noun != NULL && (n_before > 1 || find(noun, "") != NULL);
    size_t n = whole ? 0 : words(noun, list, NOUNS_MAX);
    for (size_t i = 0; i < n; i++) {
        (void)puts(list[i]);
    }
    if (whole) {
        complete_options(noun, n_before > 1 && find(noun, "") == NULL ? before[1] : "");
    }
    for (size_t i = 0; i < sizeof global_options / sizeof global_options[0]; i++) {
        (void)printf("--%s\n", global_options[i].name);
    }
}

/* Options are shown to those who began one. */
static const char *const completion_scripts[N_SHELLS] = {
    "_ecs_admin() {\n"
    "    local word=${COMP_WORDS[COMP_CWORD]} words\n"
    "    words=$(ecs-admin completion words \"${COMP_WORDS[@]:1:COMP_CWORD-1}\" 2>/dev/null)\n"
    "    [[ $word == -* ]] || words=$(grep -v '^-' <<<\"$words\")\n"
    "    COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
    "}\n"
    "complete -o default -F _ecs_admin ecs-admin",
    "#compdef ecs-admin\n"
    "_ecs_admin() {\n"
    "    local -a found\n"
    "    found=(${(f)\"$(ecs-admin completion words ${words[2,CURRENT-1]} 2>/dev/null)\"})\n"
    "    [[ $words[CURRENT] == -* ]] || found=(${found:#-*})\n"
    "    if (( $#found )); then compadd -- $found; else _files; fi\n"
    "}\n"
    "if [[ $funcstack[1] == _ecs-admin ]]; then _ecs_admin; else compdef _ecs_admin ecs-admin; fi",
    "function __ecs_admin_words\n"
    "    set -l before (commandline -opc)\n"
    "    set -e before[1]\n"
    "    set -l words (ecs-admin completion words $before 2>/dev/null)\n"
    "    if string match -q -- '-*' (commandline -ct)\n"
    "        printf '%s\\n' $words\n"
    "    else\n"
    "        string match -v -- '-*' $words\n"
    "    end\n"
    "end\n"
    "complete -c ecs-admin -n 'test (count (__ecs_admin_words)) -gt 0' -f\n"
    "complete -c ecs-admin -a '(__ecs_admin_words)'",
};

static int completion(int n, char **argv)
{
    if (n > 0 && strcmp(argv[0], "words") == 0) {
        complete_words(n - 1, argv + 1);
        return EXIT_OK;
    }
    for (size_t i = 0; i < N_SHELLS && n > 0; i++) {
        if (strcmp(argv[0], shells[i]) == 0) {
            (void)puts(completion_scripts[i]);
            return EXIT_OK;
        }
    }
    complain("completion knows bash, zsh and fish%s%s", n > 0 ? ", not " : "",
             n > 0 ? argv[0] : "");
    return EXIT_USAGE;
}

/* --- options of every command
 * ---------------------------------------------------------------------------- */

static const struct conf_option *global_option(const char *word)
{
    size_t n = strcspn(word, "=");
    for (size_t i = 0; i < sizeof global_options / sizeof global_options[0]; i++) {
        if (strlen(global_options[i].name) == n && memcmp(global_options[i].name, word, n) == 0) {
            return &global_options[i];
        }
    }
    return NULL;
}

/* Options of every command may stand anywhere: sort argv into those and the rest. `globals` and
 * `rest` have room for argc + 1. */
static void split(int argc, char **argv, char **globals, int *n_globals, char **rest, int *n_rest)
{
    static char output_flag[] = "--output";
    static char quiet_flag[] = "--quiet";
    bool only_words = false;
    for (int i = 1; i < argc; i++) {
        char *word = argv[i];
        const struct conf_option *o;
        only_words = only_words || strcmp(word, "--") == 0;
        if (strcmp(word, "-o") == 0) {
            word = output_flag;
        } else if (strcmp(word, "-q") == 0) {
            word = quiet_flag;
        }
        o = !only_words && strncmp(word, "--", 2) == 0 ? global_option(word + 2) : NULL;
        if (o == NULL) {
            rest[(*n_rest)++] = argv[i];
            continue;
        }
        globals[(*n_globals)++] = word;
        if (o->type != CONF_BOOL && strchr(word, '=') == NULL && i + 1 < argc) {
            globals[(*n_globals)++] = argv[++i];
        }
    }
}

static int load_config(int argc, char **argv, struct cli *cli, struct conf **conf)
{
    static char path[4096];
    const char *home = getenv("HOME");
    struct conf_program program = {
        .name = "ecs-admin",
        .summary = "Manage an ecs cluster.",
        .version = ECS_VERSION,
        .options = global_options,
        .n_options = sizeof global_options / sizeof global_options[0],
        .file_env = "ECS_CONFIG",
    };
    enum conf_outcome outcome;
    struct err err = {0};
    (void)snprintf(path, sizeof path, "%s/.config/ecs/config", home == NULL ? "" : home);
    program.default_file = path;
    if (conf_load(&program, argc, argv, environ, &cli->config, conf, &outcome, NULL, &err) != 0) {
        complain("%s", err.text);
        return EXIT_USAGE;
    }
    cli->output = strcmp(cli->config.output, "json") == 0   ? OUTPUT_JSON
                  : strcmp(cli->config.output, "yaml") == 0 ? OUTPUT_YAML
                                                            : OUTPUT_TABLE;
    cli->terminal = isatty(STDERR_FILENO) && isatty(STDOUT_FILENO);
    return EXIT_OK;
}

/* --- running
 * ------------------------------------------------------------------------------------------------
 */

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static int run(struct cli *cli, int n, char **argv)
{
    const char *list[NOUNS_MAX];
    const struct command_def *command;
    struct args args;
    int used = 1;
    int rv;
    if (n == 0 || strcmp(argv[0], "help") == 0 || is_help(argv[0])) {
        help_all();
        return EXIT_OK;
    }
    if (strcmp(argv[0], "version") == 0 || strcmp(argv[0], "--version") == 0) {
        (void)puts("ecs-admin " ECS_VERSION);
        return EXIT_OK;
    }
    if (strcmp(argv[0], "completion") == 0) {
        return completion(n - 1, argv + 1);
    }
    command = find(argv[0], "");
    if (command == NULL) {
        size_t n_words = words(argv[0], list, NOUNS_MAX);
        if (n_words == 0) {
            return unknown_word("command", argv[0], list, words(NULL, list, NOUNS_MAX));
        }
        if (n < 2) {
            return unknown_word("verb", "", list, n_words);
        }
        if (is_help(argv[1])) {
            help_noun(argv[0]);
            return EXIT_OK;
        }
        command = find(argv[0], argv[1]);
        if (command == NULL) {
            return unknown_word("verb", argv[1], list, n_words);
        }
        used = 2;
    }
    for (int i = used; i < n; i++) {
        if (is_help(argv[i])) {
            help_command(command);
            return EXIT_OK;
        }
    }
    rv = args_read(command, n - used, argv + used, &args);
    return rv == EXIT_OK ? command->run(cli, &args) : rv;
}

int main(int argc, char **argv)
{
    char **globals = calloc((size_t)argc + 1, sizeof *globals);
    char **rest = calloc((size_t)argc + 1, sizeof *rest);
    struct conf *conf = NULL;
    struct cli cli = {0};
    int n_globals = 1;
    int n_rest = 0;
    int rv;
    (void)signal(SIGPIPE, SIG_IGN);
    if (globals == NULL || rest == NULL || argc < 1) {
        free(globals);
        free(rest);
        return EXIT_FAILED;
    }
    globals[0] = argv[0];
    split(argc, argv, globals, &n_globals, rest, &n_rest);
    rv = load_config(n_globals, globals, &cli, &conf);
    if (rv == EXIT_OK) {
        rv = run(&cli, n_rest, rest);
    }
    client_close(cli.client);
    conf_close(conf);
    free(globals);
    free(rest);
    if (fflush(stdout) != 0 && rv == EXIT_OK) {
        rv = EXIT_FAILED;
    }
    return rv;
}
