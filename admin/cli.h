/* admin/cli.h
 *
 * ecs-admin in small parts: a command line becomes one command of the table in main.c, the command
 * makes calls through the client and hands JSON to the renderer. Values are jansson objects in
 * AWS's own shape, so that what `-o json` prints is what the API answers.
 *
 * One thread, one loop; calls block until answered. */
#ifndef ADMIN_CLI_H
#define ADMIN_CLI_H

#include "common/base/err.h"
#include "common/conf/conf.h"

#include <jansson.h>
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

/* Exit codes; documented in ecs-admin(1). */
enum exit_code {
    EXIT_OK = 0,
    EXIT_REFUSED = 1,     /* The API said no; its code and message are on stderr. */
    EXIT_USAGE = 2,       /* The command line is wrong. */
    EXIT_UNREACHABLE = 3, /* No controller answered. */
    EXIT_NOT_FOUND = 4,   /* What was asked about does not exist. */
    EXIT_TIMED_OUT = 5,   /* It did not happen in the time given. */
    EXIT_FAILED = 6,      /* It happened, and failed: a task stopped with an error, say. */
};

enum output { OUTPUT_TABLE, OUTPUT_JSON, OUTPUT_YAML };

/* From flags, environment, and the configuration file. */
struct cli_config {
    struct conf_list endpoints;
    const char *ca;
    const char *cert;
    const char *key;
    const char *cluster;
    const char *output;
    uint64_t timeout_ms;
    bool quiet;
    bool no_color;
};

struct client; /* Opaque: see client.h. */

struct cli {
    struct cli_config config;
    enum output output;
    bool terminal;         /* stdout is one: progress is live, colours are used. */
    struct client *client; /* Opened by the first call. */
    char progress[200];    /* The line shown last. */
};

#define OPTION_MAX 24
#define ARG_MAX_N  64

/* An option of one command. */
struct option_def {
    const char *name;  /* Without the dashes. */
    const char *value; /* What help calls its value; NULL: a switch. */
    const char *help;
    bool many; /* May be given several times. */
};

/* The command line after the noun and verb. */
struct args {
    const char *positional[ARG_MAX_N];
    int n;
    struct {
        const struct option_def *def;
        const char *value; /* "" for switches. */
    } options[ARG_MAX_N];
    int n_options;
};

struct command_def {
    const char *noun;
    const char *verb;      /* "" for nouns without verbs. */
    const char *arguments; /* "NAME...", for help. */
    int n_min;             /* Positional arguments: at least and at most. */
    int n_max;
    const char *summary;
    const struct option_def *options; /* Ends with a NULL name; may be NULL. */
    int (*run)(struct cli *cli, const struct args *args);
};

/* Every command, ordered by noun as help shows them; ends with a NULL noun. */
extern const struct command_def cluster_commands[];
extern const struct command_def provider_commands[];
extern const struct command_def node_commands[];
extern const struct command_def taskdef_commands[];
extern const struct command_def task_commands[];
extern const struct command_def service_commands[];
extern const struct command_def member_commands[];
extern const struct command_def plan_commands[];
extern const struct command_def history_commands[];
extern const struct command_def pki_commands[];
extern const struct command_def verify_commands[];
extern const struct command_def backup_commands[];  /* admin/offline */
extern const struct command_def recover_commands[]; /* admin/offline */
extern const struct command_def replay_commands[];  /* admin/offline */
extern const struct command_def restore_commands[]; /* admin/offline */
extern const struct command_def inspect_commands[]; /* admin/offline */

/* --- arguments: args.c
 * ----------------------------------------------------------------------------- */

/* Sort argv (after noun and verb) by the command's definition. EXIT_OK or EXIT_USAGE, the latter
 * after saying what is wrong. */
int args_read(const struct command_def *command, int argc, char *const *argv, struct args *ret);

bool args_has(const struct args *a, const char *name);
const char *args_get(const struct args *a, const char *name, const char *otherwise);

/* The i-th value of an option that may be repeated, NULL beyond the last. */
const char *args_nth(const struct args *a, const char *name, int i);

/* A whole number within bounds; EXIT_USAGE after saying what is wrong. Left alone when not given.
 */
int args_number(const struct args *a, const char *name, int64_t min, int64_t max, int64_t *ret);

/* --- calls: client.c
 * -------------------------------------------------------------------------------- */

/* Call METHOD of the ECS API ("RunTask") or of the admin service ("admin.GetStatus"). Consumes `in`
 * (NULL: no members). On success *ret is the caller's. Otherwise an exit code, after the error was
 * printed. */
int call(struct cli *cli, const char *method, json_t *in, json_t **ret);

/* The same without printing; err->text has "CODE: message". */
int call_quietly(struct cli *cli, const char *method, json_t *in, json_t **ret, struct err *err);

/* A call with a stream of answers; each is handed over as the protobuf message it is, borrowed. A
 * non-zero return ends the stream with that exit code. Ctrl-C ends it with EXIT_OK. */
typedef int (*stream_cb)(void *data, const ProtobufCMessage *message);

/* The request that goes on where the last message ended, when the controller went; NULL: do not. */
typedef json_t *(*stream_again)(void *data);
int call_stream(struct cli *cli, const char *method, json_t *in, stream_cb cb,
                stream_again again /* may be NULL */, void *data);

void client_close(struct client *c); /* NULL is fine. */

/* Ctrl-C was pressed: long loops end. */
bool cli_interrupted(const struct cli *cli);

/* After it: what was begun may still be undone, calls are made until it is pressed again. True when
 * it was. */
bool cli_resume(struct cli *cli);

/* Sleep, letting the connection live. */
void cli_sleep_ms(struct cli *cli, uint64_t ms);

/* --- output: render.c
 * -------------------------------------------------------------------------------- */

/* A column: title and where its value is ("containers.0.name"), or a function that makes it. */
struct column {
    const char *title;
    const char *path;
    json_t *(*make)(const json_t *row); /* Gives a new reference; NULL: use path. */
    bool right;                         /* Numbers. */
};

/* Print a list: as a table with these columns, or whole as JSON or YAML. Borrows rows. */
void render_list(const struct cli *cli, const json_t *rows, const struct column *columns,
                 size_t n_columns);

/* Print one object: as "key: value" lines for people (same columns), or whole. */
void render_object(const struct cli *cli, const json_t *object, const struct column *columns,
                   size_t n_columns);

/* A line for people, on stdout, unless --quiet or a machine format was asked for. */
__attribute__((format(printf, 2, 3))) void say(const struct cli *cli, const char *fmt, ...);

/* An error line on stderr: "ecs-admin: ...". */
__attribute__((format(printf, 1, 2))) void complain(const char *fmt, ...);

/* A progress line that replaces itself on a terminal; plain lines, only when they change,
 * elsewhere. NULL ends it. */
void progress(struct cli *cli, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void progress_end(struct cli *cli);

/* --- small tools: util.c
 * ------------------------------------------------------------------------------ */

/* The value at a dotted path ("a.0.b"), NULL when it is not there. Borrowed. */
json_t *value_at(const json_t *value, const char *path);
const char *value_text(const json_t *value, const char *path, const char *otherwise);
int64_t value_number(const json_t *value, const char *path, int64_t otherwise);

/* What follows the last '/' of an ARN; the text itself when there is none. */
const char *short_name(const char *arn);

/* "3m", "2h", "5d" since a time in epoch seconds. New reference. */
json_t *age_of(const json_t *epoch_s);

/* The cluster of --cluster, the environment or the file; "default" otherwise. */
const char *cluster_of(const struct cli *cli, const struct args *args);

/* {"key","value"} list from repeated "key=value" texts of an option; NULL after complaining. */
json_t *tags_of(const struct args *args, const char *option);

/* Placement strategies from repeated --strategy TYPE[:FIELD], constraints from --constraint. */
json_t *strategies_of(const struct args *args);
json_t *constraints_of(const struct args *args);

/* A capacity provider strategy from repeated --provider NAME[:WEIGHT[:BASE]]; NULL after
 * complaining. */
json_t *providers_of(const struct args *args);

/* A client token: makes sending a request again harmless. Returns ret. */
const char *new_token(char ret[33]);

/* Read a JSON file ("-": standard input); NULL after complaining. */
json_t *json_from_file(const char *path);

/* Complain about members that the request does not have; false when one looks like a slip of the
 * pen. members.c */
bool members_known(const char *file, const json_t *in, const ProtobufCMessageDescriptor *desc);

/* Call a list operation for all its pages and gather `key` of each; consumes in. */
int call_pages(struct cli *cli, const char *method, json_t *in, const char *key, json_t **ret);

/* Describe in groups of `max`: puts names under `param`, gathers `key`, hands failures over. */
int call_describe(struct cli *cli, const char *method, json_t *in, const char *param, size_t max,
                  json_t *names, const char *key, json_t **ret);

/* A task by id, ARN or the start of its id: cmd_task.c. A node, by its name as well: cmd_node.c.
 * *ret is a new text. */
int resolve_task(struct cli *cli, const struct args *args, const char *word, json_t **ret);
int resolve_node(struct cli *cli, const struct args *args, const char *word, json_t **ret);

/* "task explain" belongs to the plans: cmd_plan.c. */
extern const struct option_def task_explain_options[];
int run_task_explain(struct cli *cli, const struct args *args);

/* "cluster rebalance" carries out a plan: cmd_plan.c as well. */
extern const struct option_def cluster_rebalance_options[];
int run_cluster_rebalance(struct cli *cli, const struct args *args);

/* "service events" is a question to the history: cmd_history.c. */
extern const struct option_def service_events_options[];
int run_service_events(struct cli *cli, const struct args *args);

#endif
