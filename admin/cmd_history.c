/* What happened: events, stopped tasks, deployments, decisions, audit. */
#include "admin/cli.h"
#include "common/base/str.h"
#include "common/loop/loop.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define PAGE          100
#define LIMIT_DEFAULT 100
#define LIMIT_MAX     100000
#define ID_LEN        32

static json_t *make_time(const json_t *row)
{
    char text[40];
    int64_t ms = value_number(row, "atMs", 0);
    time_t s = (time_t)(ms / 1000);
    struct tm tm;
    if (gmtime_r(&s, &tm) == NULL || strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0) {
        return json_integer(ms);
    }
    return json_string(text);
}

static const struct column columns[] = {
    {"TIME", NULL, make_time, false},
    {"KIND", "kind", NULL, false},
    {"SUBJECT", "subject", NULL, false},
    {"WHAT", "text", NULL, false},
};
#define N_COLUMNS (sizeof columns / sizeof columns[0])

/* --since and --until: a duration before now ("90s", "2h", "7d"). */
static int add_time(const struct args *args, const char *option, const char *member, json_t *in)
{
    const char *text = args_get(args, option, NULL);
    uint64_t ms;
    if (text == NULL) {
        return EXIT_OK;
    }
    if (!conf_parse_duration(str_of(text), &ms)) {
        complain("--%s must be a duration like 90s, 15m, 2h or 7d, not '%s'", option, text);
        return EXIT_USAGE;
    }
    (void)json_object_set_new(in, member, json_integer((json_int_t)(clock_wall_ms() - ms)));
    return EXIT_OK;
}

static int add_kind(const struct args *args, json_t *in)
{
    static const char *const kinds[] = {"event", "task", "deployment", "decision", "audit"};
    static const char *const names[] = {"EVENT", "TASK", "DEPLOYMENT", "DECISION", "AUDIT"};
    const char *text = args_get(args, "kind", NULL);
    const char *near;
    for (size_t i = 0; text != NULL && i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(text, kinds[i]) == 0) {
            (void)json_object_set_new(in, "kind", json_string(names[i]));
            return EXIT_OK;
        }
    }
    if (text == NULL) {
        return EXIT_OK;
    }
    near = conf_suggest(str_of(text), kinds, sizeof kinds / sizeof kinds[0]);
    complain("--kind must be event, task, deployment, decision or audit, not '%s'%s%s%s", text,
             near == NULL ? "" : "; did you mean '", near == NULL ? "" : near,
             near == NULL ? "" : "'?");
    return EXIT_USAGE;
}

/* A whole id or ARN is taken as it is: what it names may be gone. */
static int add_object(struct cli *cli, const struct args *args, const char *option,
                      const char *member,
                      int (*resolve)(struct cli *, const struct args *, const char *, json_t **),
                      json_t *in)
{
    const char *word = args_get(args, option, NULL);
    json_t *found = NULL;
    int rv = EXIT_OK;
    if (word == NULL) {
        return EXIT_OK;
    }
    if (strlen(word) >= ID_LEN) {
        found = json_string(word);
    } else {
        rv = resolve(cli, args, word, &found);
    }
    if (rv == EXIT_OK) {
        (void)json_object_set_new(in, member, found);
    }
    return rv;
}

/* Newest first, page after page, at most `limit` of them. Consumes in. */
static int fetch(struct cli *cli, json_t *in, int64_t limit, json_t **ret)
{
    json_t *rows = json_array();
    int rv = EXIT_OK;
    while (rv == EXIT_OK && limit > 0) {
        json_t *page = NULL;
        const char *token;
        (void)json_object_set_new(in, "maxResults", json_integer(limit < PAGE ? limit : PAGE));
        rv = call(cli, "admin.ListHistory", json_incref(in), &page);
        if (rv != EXIT_OK) {
            break;
        }
        (void)json_array_extend(rows, value_at(page, "records"));
        limit -= (int64_t)json_array_size(value_at(page, "records"));
        token = value_text(page, "nextToken", NULL);
        if (token == NULL) {
            limit = 0;
        } else {
            (void)json_object_set_new(in, "nextToken", json_string(token));
        }
        json_decref(page);
    }
    json_decref(in);
    if (rv != EXIT_OK) {
        json_decref(rows);
        return rv;
    }
    *ret = rows;
    return EXIT_OK;
}

static const struct option_def history_options[] = {
    {"task", "TASK", "What happened to this task, also long after it stopped.", false},
    {"service", "NAME", "Of this service and its tasks.", false},
    {"node", "NODE", "Of this node and the tasks on it.", false},
    {"kind", "KIND", "event, task (stopped ones), deployment, decision or audit.", false},
    {"since", "DURATION", "Only what is younger (15m, 2h, 7d).", false},
    {"until", "DURATION", "Only what is older.", false},
    {"limit", "N", "At most so many, the newest (default 100).", false},
    {"all-clusters", NULL, "Not only of the cluster that commands are about.", false},
    {NULL, NULL, NULL, false},
};

static int show(struct cli *cli, const struct args *args, json_t *in)
{
    int64_t limit = LIMIT_DEFAULT;
    json_t *rows = NULL;
    int rv = args_number(args, "limit", 1, LIMIT_MAX, &limit);
    if (rv == EXIT_OK) {
        rv = add_time(args, "since", "sinceMs", in);
    }
    if (rv == EXIT_OK) {
        rv = add_time(args, "until", "untilMs", in);
    }
    if (rv != EXIT_OK) {
        json_decref(in);
        return rv;
    }
    rv = fetch(cli, in, limit, &rows);
    if (rv == EXIT_OK) {
        render_list(cli, rows, columns, N_COLUMNS);
        json_decref(rows);
    }
    return rv;
}

static int run_history(struct cli *cli, const struct args *args)
{
    json_t *in = json_object();
    int rv = add_kind(args, in);
    if (!args_has(args, "all-clusters")) {
        (void)json_object_set_new(in, "cluster", json_string(cluster_of(cli, args)));
    }
    if (args_has(args, "service")) {
        (void)json_object_set_new(in, "service", json_string(args_get(args, "service", "")));
    }
    if (rv == EXIT_OK) {
        rv = add_object(cli, args, "task", "task", resolve_task, in);
    }
    if (rv == EXIT_OK) {
        rv = add_object(cli, args, "node", "containerInstance", resolve_node, in);
    }
    if (rv != EXIT_OK) {
        json_decref(in);
        return rv;
    }
    return show(cli, args, in);
}

const struct option_def service_events_options[] = {
    {"since", "DURATION", "Only what is younger (15m, 2h, 7d).", false},
    {"until", "DURATION", "Only what is older.", false},
    {"limit", "N", "At most so many, the newest (default 100).", false},
    {NULL, NULL, NULL, false},
};

int run_service_events(struct cli *cli, const struct args *args)
{
    return show(cli, args,
                json_pack("{s:s, s:s, s:s}", "cluster", cluster_of(cli, args), "service",
                          args->positional[0], "kind", "EVENT"));
}

const struct command_def history_commands[] = {
    {"history", "", "[--task TASK|--service NAME|--node NODE] [--kind KIND] [--since DURATION]", 0,
     0, "What happened and why, newest first.", history_options, run_history},
    {NULL, NULL, NULL, 0, 0, NULL, NULL, NULL},
};
