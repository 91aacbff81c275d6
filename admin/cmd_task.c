/* Tasks: run, stop, watch, read their logs. */
#include "admin/cli.h"
#include "common/base/hash.h"
#include "common/base/str.h"
#include "common/loop/loop.h"
#include "proto/ecs/admin/v1/admin.pb-c.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define POLL_MS 100

static json_t *make_id(const json_t *row)
{
    return json_string(short_name(value_text(row, "taskArn", "-")));
}

static json_t *make_taskdef(const json_t *row)
{
    return json_string(short_name(value_text(row, "taskDefinitionArn", "-")));
}

static json_t *make_node(const json_t *row)
{
    char id[9];
    (void)str_copy(id, sizeof id, str_of(short_name(value_text(row, "containerInstanceArn", "-"))));
    return json_string(id);
}

static json_t *make_age(const json_t *row)
{
    return age_of(value_at(row, "createdAt"));
}

/* "80->32768 443->32769" */
static json_t *make_ports(const json_t *row)
{
    const json_t *containers = value_at(row, "containers");
    char text[300] = "";
    size_t at = 0;
    for (size_t i = 0; i < json_array_size(containers); i++) {
        const json_t *bindings = value_at(json_array_get(containers, i), "networkBindings");
        for (size_t j = 0; j < json_array_size(bindings) && at < sizeof text - 24; j++) {
            const json_t *b = json_array_get(bindings, j);
            int n = snprintf(text + at, sizeof text - at, "%s%lld->%lld", at == 0 ? "" : " ",
                             (long long)value_number(b, "containerPort", 0),
                             (long long)value_number(b, "hostPort", 0));
            at += n < 0 ? 0 : (size_t)n;
        }
    }
    return json_string(text);
}

static json_t *make_reason(const json_t *row)
{
    const json_t *containers = value_at(row, "containers");
    const char *why = value_text(row, "stoppedReason", "");
    for (size_t i = 0; i < json_array_size(containers); i++) {
        const json_t *c = json_array_get(containers, i);
        if (value_at(c, "exitCode") != NULL) {
            return json_sprintf("%s (exit %lld)", why, (long long)value_number(c, "exitCode", 0));
        }
    }
    return json_string(why);
}

static const struct column columns[] = {
    {"ID", NULL, make_id, false},
    {"TASK DEFINITION", NULL, make_taskdef, false},
    {"GROUP", "group", NULL, false},
    {"STATUS", "lastStatus", NULL, false},
    {"DESIRED", "desiredStatus", NULL, false},
    {"NODE", NULL, make_node, false},
    {"PORTS", NULL, make_ports, false},
    {"AGE", NULL, make_age, true},
    {"REASON", NULL, make_reason, false},
};
#define N_COLUMNS (sizeof columns / sizeof columns[0])

static int describe(struct cli *cli, const struct args *args, json_t *arns, json_t **ret)
{
    return call_describe(cli, "DescribeTasks", json_pack("{s:s}", "cluster", cluster_of(cli, args)),
                         "tasks", 100, arns, "tasks", ret);
}

/* --- list, describe
 * ------------------------------------------------------------------------------------ */

static const struct option_def list_options[] = {
    {"service", "NAME", "Only this service's.", false},
    {"family", "NAME", "Only of this task definition family.", false},
    {"node", "NODE", "Only on this node (id or ARN).", false},
    {"started-by", "TEXT", "Only those started with this --started-by.", false},
    {"stopped", NULL, "Those that stopped in the last hour.", false},
    {NULL, NULL, NULL, false},
};

static void set_if(json_t *in, const struct args *args, const char *option, const char *member)
{
    if (args_has(args, option)) {
        (void)json_object_set_new(in, member, json_string(args_get(args, option, "")));
    }
}

static int run_list(struct cli *cli, const struct args *args)
{
    json_t *in = json_pack("{s:s}", "cluster", cluster_of(cli, args));
    json_t *arns = NULL;
    json_t *rows = NULL;
    int rv;
    set_if(in, args, "service", "serviceName");
    set_if(in, args, "family", "family");
    set_if(in, args, "node", "containerInstance");
    set_if(in, args, "started-by", "startedBy");
    if (args_has(args, "stopped")) {
        (void)json_object_set_new(in, "desiredStatus", json_string("STOPPED"));
    }
    rv = call_pages(cli, "ListTasks", in, "taskArns", &arns);
    if (rv == EXIT_OK) {
        rv = describe(cli, args, arns, &rows);
        json_decref(arns);
    }
    if (rv == EXIT_OK) {
        render_list(cli, rows, columns, N_COLUMNS);
        json_decref(rows);
    }
    return rv;
}

/* A task by id, ARN, or the start of its id. New ARN or id text. */
int resolve_task(struct cli *cli, const struct args *args, const char *word, json_t **ret)
{
    static const char *const states[] = {"RUNNING", "STOPPED"};
    size_t n = strlen(word);
    int found = 0;
    if (n >= 32) {
        *ret = json_string(word);
        return EXIT_OK;
    }
    for (int s = 0; s < 2; s++) {
        json_t *arns = NULL;
        int rv = call_pages(
            cli, "ListTasks",
            json_pack("{s:s, s:s}", "cluster", cluster_of(cli, args), "desiredStatus", states[s]),
            "taskArns", &arns);
        if (rv != EXIT_OK) {
            return rv;
        }
        for (size_t i = 0; i < json_array_size(arns); i++) {
            const char *arn = json_string_value(json_array_get(arns, i));
            if (strncmp(short_name(arn), word, n) == 0) {
                *ret = found++ == 0 ? json_string(arn) : *ret;
            }
        }
        json_decref(arns);
    }
    if (found != 1) {
        complain(found == 0 ? "no task begins with '%s' in cluster %s"
                            : "'%s' is the beginning of several tasks of cluster %s",
                 word, cluster_of(cli, args));
        return found == 0 ? EXIT_NOT_FOUND : EXIT_USAGE;
    }
    return EXIT_OK;
}

static int run_describe(struct cli *cli, const struct args *args)
{
    json_t *arn = NULL;
    json_t *rows = NULL;
    json_t *names;
    int rv = resolve_task(cli, args, args->positional[0], &arn);
    if (rv != EXIT_OK) {
        return rv;
    }
    names = json_pack("[o]", arn);
    rv = describe(cli, args, names, &rows);
    json_decref(names);
    if (rv == EXIT_OK) {
        render_object(cli, json_array_get(rows, 0), columns, N_COLUMNS);
        json_decref(rows);
    }
    return rv;
}

/* --- run
 * -------------------------------------------------------------------------------------------------
 */

static const struct option_def run_options[] = {
    {"count", "N", "How many (default 1).", false},
    {"group", "NAME", "Task group.", false},
    {"started-by", "TEXT", "Who or what starts them.", false},
    {"strategy", "TYPE[:FIELD]", "binpack:cpu, spread:attribute:..., random; may be repeated.",
     true},
    {"constraint", "EXPRESSION",
     "distinctInstance, maxPerInstance:N, priority:N or a memberOf expression; may be repeated.",
     true},
    {"provider", "NAME[:WEIGHT[:BASE]]", "Capacity provider and its share; may be repeated.", true},
    {"node", "NODE", "On exactly this node (id or ARN); may be repeated.", true},
    {"env", "NAME=VALUE", "Environment of the first container; may be repeated.", true},
    {"tag", "KEY=VALUE", "A tag; may be repeated.", true},
    {"token", "TEXT", "Client token; the same token has one effect.", false},
    {"wait", NULL, "Wait until they run (or have stopped with success).", false},
    {NULL, NULL, NULL, false},
};

/* Overrides need a container's name: the first of the definition. */
static int add_environment(struct cli *cli, const struct args *args, json_t *in)
{
    json_t *pairs = json_array();
    json_t *out = NULL;
    const char *text;
    int rv;
    for (int i = 0; (text = args_nth(args, "env", i)) != NULL; i++) {
        const char *equals = strchr(text, '=');
        if (equals == NULL || equals == text) {
            complain("--env must be NAME=VALUE, not '%s'", text);
            json_decref(pairs);
            return EXIT_USAGE;
        }
        (void)json_array_append_new(pairs, json_pack("{s:s%, s:s}", "name", text,
                                                     (size_t)(equals - text), "value", equals + 1));
    }
    rv = call(cli, "DescribeTaskDefinition",
              json_pack("{s:s}", "taskDefinition", args->positional[0]), &out);
    if (rv == EXIT_OK) {
        const char *name = value_text(out, "taskDefinition.containerDefinitions.0.name", "");
        (void)json_object_set_new(in, "overrides",
                                  json_pack("{s:[{s:s, s:O}]}", "containerOverrides", "name", name,
                                            "environment", pairs));
        json_decref(out);
    }
    json_decref(pairs);
    return rv;
}

static int make_request(struct cli *cli, const struct args *args, int64_t count, json_t **ret)
{
    char token[33];
    json_t *in = json_pack("{s:s, s:s}", "cluster", cluster_of(cli, args), "taskDefinition",
                           args->positional[0]);
    json_t *tags = tags_of(args, "tag");
    const char *node;
    int rv = tags == NULL ? EXIT_USAGE : EXIT_OK;
    set_if(in, args, "group", "group");
    set_if(in, args, "started-by", "startedBy");
    if (rv == EXIT_OK && json_array_size(tags) > 0) {
        (void)json_object_set(in, "tags", tags);
    }
    json_decref(tags);
    if (args_has(args, "node")) {
        json_t *list = json_array();
        for (int i = 0; (node = args_nth(args, "node", i)) != NULL; i++) {
            (void)json_array_append_new(list, json_string(node));
        }
        (void)json_object_set_new(in, "containerInstances", list);
    } else {
        (void)json_object_set_new(in, "count", json_integer(count));
        (void)json_object_set_new(in, "placementStrategy", strategies_of(args));
        (void)json_object_set_new(in, "placementConstraints", constraints_of(args));
        (void)json_object_set_new(in, "clientToken",
                                  json_string(args_get(args, "token", new_token(token))));
    }
    if (rv == EXIT_OK && args_has(args, "provider")) {
        json_t *providers = providers_of(args);
        rv = providers == NULL ? EXIT_USAGE : EXIT_OK;
        (void)json_object_set_new(in, "capacityProviderStrategy", providers);
    }
    if (rv == EXIT_OK && args_has(args, "env")) {
        rv = add_environment(cli, args, in);
    }
    if (rv == EXIT_OK) {
        *ret = in;
    } else {
        json_decref(in);
    }
    return rv;
}

/* EXIT_OK when all run or ended well, EXIT_FAILED when one failed; -1: go on waiting. */
static int judge(struct cli *cli, const json_t *rows, size_t n_wanted)
{
    size_t n_ready = 0;
    size_t n_failed = 0;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        const char *status = value_text(row, "lastStatus", "");
        bool stopped = strcmp(status, "STOPPED") == 0;
        bool good = stopped && value_number(row, "containers.0.exitCode", 1) == 0;
        n_failed += stopped && !good;
        n_ready += good || strcmp(status, "RUNNING") == 0;
    }
    progress(cli, "%zu of %zu tasks are running", n_ready, n_wanted);
    if (n_failed > 0) {
        return EXIT_FAILED;
    }
    return n_ready == n_wanted ? EXIT_OK : -1;
}

static int wait_running(struct cli *cli, const struct args *args, json_t *arns, json_t **ret)
{
    uint64_t end = clock_mono_ms() + 600000;
    for (;;) {
        json_t *rows = NULL;
        int rv = describe(cli, args, arns, &rows);
        if (rv != EXIT_OK) {
            return rv;
        }
        rv = judge(cli, rows, json_array_size(arns));
        if (rv < 0 && !cli_interrupted(cli) && clock_mono_ms() < end) {
            json_decref(rows);
            cli_sleep_ms(cli, POLL_MS);
            continue;
        }
        progress_end(cli);
        json_decref(*ret);
        *ret = rows;
        return rv < 0 ? EXIT_TIMED_OUT : rv;
    }
}

static int show_failures(const json_t *out)
{
    const json_t *failures = value_at(out, "failures");
    for (size_t i = 0; i < json_array_size(failures); i++) {
        const json_t *f = json_array_get(failures, i);
        complain("not placed: %s %s %s", value_text(f, "reason", "?"),
                 short_name(value_text(f, "arn", "")), value_text(f, "detail", ""));
    }
    return json_array_size(failures) == 0 ? EXIT_OK : EXIT_FAILED;
}

static int run_run(struct cli *cli, const struct args *args)
{
    int64_t count = 1;
    json_t *in = NULL;
    json_t *out = NULL;
    json_t *rows;
    int failed;
    int rv = args_number(args, "count", 1, 10, &count);
    if (rv == EXIT_OK) {
        rv = make_request(cli, args, count, &in);
    }
    if (rv == EXIT_OK) {
        rv = call(cli, args_has(args, "node") ? "StartTask" : "RunTask", in, &out);
    }
    if (rv != EXIT_OK) {
        return rv;
    }
    failed = show_failures(out);
    rows = json_incref(value_at(out, "tasks"));
    if (args_has(args, "wait") && json_array_size(rows) > 0) {
        json_t *arns = json_array();
        for (size_t i = 0; i < json_array_size(rows); i++) {
            (void)json_array_append(arns, value_at(json_array_get(rows, i), "taskArn"));
        }
        rv = wait_running(cli, args, arns, &rows);
        json_decref(arns);
    }
    render_list(cli, rows, columns, N_COLUMNS);
    json_decref(rows);
    json_decref(out);
    return rv == EXIT_OK ? failed : rv;
}

/* --- stop
 * --------------------------------------------------------------------------------------------------
 */

static const struct option_def stop_options[] = {
    {"reason", "TEXT", "Why; shown as the task's stopped reason.", false},
    {NULL, NULL, NULL, false},
};

static int run_stop(struct cli *cli, const struct args *args)
{
    int rv = EXIT_OK;
    for (int i = 0; rv == EXIT_OK && i < args->n; i++) {
        json_t *arn = NULL;
        json_t *out = NULL;
        rv = resolve_task(cli, args, args->positional[i], &arn);
        if (rv == EXIT_OK) {
            rv = call(cli, "StopTask",
                      json_pack("{s:s, s:o, s:s*}", "cluster", cluster_of(cli, args), "task", arn,
                                "reason", args_get(args, "reason", NULL)),
                      &out);
        }
        if (rv == EXIT_OK) {
            say(cli, "task %s is to stop", short_name(value_text(out, "task.taskArn", "")));
            json_decref(out);
        }
    }
    return rv;
}

/* --- logs
 * --------------------------------------------------------------------------------------------------
 */

static const struct option_def logs_options[] = {
    {"follow", NULL, "Go on as lines are written (also -f before the id).", false},
    {"container", "NAME", "Which one, when the task has several.", false},
    {"since", "SECONDS", "Only lines of the last so many seconds.", false},
    {"tail", "N", "Only the last lines.", false},
    {"timestamps", NULL, "Show when each line was written.", false},
    {NULL, NULL, NULL, false},
};

/* To go on after a controller went, without losing or doubling a line: ask for all since the latest
 * time that was seen, and leave out as many as came since its first line. */
struct logs {
    const struct cli *cli;
    json_t *request;
    bool timestamps;
    int64_t last_ms;     /* The latest time of a line, */
    uint64_t first_hash; /* the first line of that time, */
    uint32_t n_since;    /* and how many lines came since, it included. */
    uint32_t n_skip;     /* Still to be left out. */
};

/* Milliseconds of "2026-01-02T03:04:05.123456789Z"; 0 if it is no such time. */
static int64_t line_time(const json_t *entry)
{
    struct tm tm = {0};
    int64_t ms = 0;
    const char *p = strptime(value_text(entry, "time", ""), "%Y-%m-%dT%H:%M:%S", &tm);
    if (p == NULL || *p != '.') {
        return 0;
    }
    for (int i = 1; i <= 3 && p[i] >= '0' && p[i] <= '9'; i++) {
        ms = ms * 10 + (p[i] - '0');
    }
    return (int64_t)timegm(&tm) * 1000 + ms;
}

/* Was the line printed before the stream broke? If the log was rotated meanwhile none was. */
static bool is_repeated(struct logs *logs, struct str line)
{
    if (logs->n_skip == logs->n_since && hash_bytes(line.p, line.n, 0) != logs->first_hash) {
        logs->n_skip = 0;
    }
    if (logs->n_skip == 0) {
        return false;
    }
    logs->n_skip--;
    return true;
}

static void remember(struct logs *logs, struct str line, const json_t *entry)
{
    int64_t ms = line_time(entry);
    if (ms > logs->last_ms) {
        logs->last_ms = ms;
        logs->first_hash = hash_bytes(line.p, line.n, 0);
        logs->n_since = 0;
    }
    logs->n_since++;
}

static json_t *go_on(void *data)
{
    struct logs *logs = data;
    json_t *in;
    if (logs->last_ms == 0) {
        return NULL;
    }
    in = json_copy(logs->request);
    (void)json_object_del(in, "tail");
    (void)json_object_set_new(in, "sinceMs", json_integer((json_int_t)logs->last_ms));
    logs->n_skip = logs->n_since;
    return in;
}

static void print_line(const struct logs *logs, struct str line, const json_t *entry)
{
    const char *text = value_text(entry, "log", NULL);
    if (logs->cli->output != OUTPUT_TABLE || text == NULL) {
        (void)printf("%.*s\n", STR_ARG(line));
    } else {
        size_t n = strlen(text);
        if (logs->timestamps) {
            (void)printf("%s ", value_text(entry, "time", "-"));
        }
        (void)fputs(text, stdout);
        if (n == 0 || text[n - 1] != '\n') {
            (void)putchar('\n');
        }
    }
}

static int on_lines(void *data, const ProtobufCMessage *message)
{
    const Ecs__Admin__V1__GetTaskLogsResponse *m =
        (const Ecs__Admin__V1__GetTaskLogsResponse *)(const void *)message;
    struct str rest = str_make((const char *)m->lines.data, m->lines.len);
    while (rest.n > 0) {
        struct str line = str_cut(rest, '\n', &rest);
        if (line.n > 0 && !is_repeated(data, line)) {
            json_t *entry = json_loadb(line.p, line.n, 0, NULL);
            remember(data, line, entry);
            print_line(data, line, entry);
            json_decref(entry);
        }
    }
    (void)fflush(stdout);
    return EXIT_OK;
}

static int run_logs(struct cli *cli, const struct args *args)
{
    struct logs logs = {.cli = cli, .timestamps = args_has(args, "timestamps")};
    int64_t since = 0;
    int64_t tail = 0;
    json_t *arn = NULL;
    json_t *in;
    int rv = args_number(args, "since", 1, 366 * 86400, &since);
    if (rv == EXIT_OK) {
        rv = args_number(args, "tail", 1, 1000000, &tail);
    }
    if (rv == EXIT_OK) {
        rv = resolve_task(cli, args, args->positional[args->n - 1], &arn);
    }
    if (rv != EXIT_OK) {
        return rv;
    }
    in = json_pack("{s:s, s:o, s:b, s:I}", "cluster", cluster_of(cli, args), "task", arn, "follow",
                   args_has(args, "follow"), "tail", (json_int_t)tail);
    if (since > 0) {
        (void)json_object_set_new(in, "sinceMs",
                                  json_integer((json_int_t)clock_wall_ms() - since * 1000));
    }
    set_if(in, args, "container", "container");
    logs.request = json_incref(in);
    rv = call_stream(cli, "admin.GetTaskLogs", in, on_lines,
                     args_has(args, "follow") ? go_on : NULL, &logs);
    json_decref(logs.request);
    return rv;
}

const struct command_def task_commands[] = {
    {"task", "run", "NAME[:REVISION] [--count N] [--wait]", 1, 1, "Run tasks once.", run_options,
     run_run},
    {"task", "list", "[--service NAME] [--stopped]", 0, 0, "The cluster's tasks.", list_options,
     run_list},
    {"task", "describe", "TASK", 1, 1, "One task, by id or ARN.", NULL, run_describe},
    {"task", "explain", "TASK | --service NAME", 0, 1,
     "Why a task is where it is, or nowhere, and what would help.", task_explain_options,
     run_task_explain},
    {"task", "logs", "TASK [--follow] [--tail N]", 1, 1, "What its container wrote.", logs_options,
     run_logs},
    {"task", "stop", "TASK... [--reason TEXT]", 1, ARG_MAX_N, "Stop tasks.", stop_options,
     run_stop},
    {NULL, NULL, NULL, 0, 0, NULL, NULL, NULL},
};
