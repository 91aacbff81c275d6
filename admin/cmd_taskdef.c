/* Task definitions; AWS's own JSON files are accepted unchanged. */
#include "admin/cli.h"
#include "proto/ecs/v1/task_definition.pb-c.h"

#include <stdio.h>
#include <string.h>

static json_t *make_name(const json_t *row)
{
    return json_sprintf("%s:%lld", value_text(row, "family", "?"),
                        (long long)value_number(row, "revision", 0));
}

static json_t *make_images(const json_t *row)
{
    const json_t *containers = value_at(row, "containerDefinitions");
    char text[300] = "";
    size_t at = 0;
    for (size_t i = 0; i < json_array_size(containers) && at < sizeof text - 1; i++) {
        int n = snprintf(text + at, sizeof text - at, "%s%s", i == 0 ? "" : ", ",
                         value_text(json_array_get(containers, i), "image", "?"));
        at += n < 0 ? 0 : (size_t)n;
    }
    return json_string(text);
}

static json_t *make_age(const json_t *row)
{
    return age_of(value_at(row, "registeredAt"));
}

static const struct column columns[] = {
    {"NAME", NULL, make_name, false},        {"STATUS", "status", NULL, false},
    {"NETWORK", "networkMode", NULL, false}, {"CPU", "cpu", NULL, true},
    {"MEMORY", "memory", NULL, true},        {"IMAGES", NULL, make_images, false},
    {"AGE", NULL, make_age, true},
};
#define N_COLUMNS (sizeof columns / sizeof columns[0])

/* DescribeTaskDefinition's answer can be registered again as it is: what only the API sets goes. */
static json_t *registrable(json_t *file)
{
    static const char *const answers[] = {
        "taskDefinitionArn",  "revision",        "status",
        "requiresAttributes", "compatibilities", "registeredAt",
        "registeredBy",       "deregisteredAt",  "deleteRequestedAt",
    };
    json_t *inner = json_object_get(file, "taskDefinition");
    json_t *in = json_incref(json_is_object(inner) ? inner : file);
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        (void)json_object_del(in, answers[i]);
    }
    json_decref(file);
    return in;
}

static int run_register(struct cli *cli, const struct args *args)
{
    json_t *in = json_from_file(args->positional[0]);
    json_t *out = NULL;
    int rv;
    if (in == NULL) {
        return EXIT_USAGE;
    }
    in = registrable(in);
    if (!members_known(args->positional[0], in,
                       &ecs__v1__register_task_definition_request__descriptor)) {
        json_decref(in);
        return EXIT_USAGE;
    }
    rv = call(cli, "RegisterTaskDefinition", in, &out);
    if (rv == EXIT_OK) {
        render_object(cli, value_at(out, "taskDefinition"), columns, N_COLUMNS);
        json_decref(out);
    }
    return rv;
}

static const struct option_def list_options[] = {
    {"family", "PREFIX", "Only families that begin so.", false},
    {"status", "STATUS", "ACTIVE (default), INACTIVE or DELETE_IN_PROGRESS.", false},
    {NULL, NULL, NULL, false},
};

static int run_list(struct cli *cli, const struct args *args)
{
    json_t *in = json_object();
    json_t *arns = NULL;
    json_t *rows = json_array();
    int rv;
    if (args_has(args, "family")) {
        (void)json_object_set_new(in, "familyPrefix", json_string(args_get(args, "family", "")));
    }
    if (args_has(args, "status")) {
        (void)json_object_set_new(in, "status", json_string(args_get(args, "status", "")));
    }
    rv = call_pages(cli, "ListTaskDefinitions", in, "taskDefinitionArns", &arns);
    for (size_t i = 0; rv == EXIT_OK && i < json_array_size(arns); i++) {
        json_t *out = NULL;
        rv = call(cli, "DescribeTaskDefinition",
                  json_pack("{s:O}", "taskDefinition", json_array_get(arns, i)), &out);
        if (rv == EXIT_OK) {
            (void)json_array_append(rows, value_at(out, "taskDefinition"));
            json_decref(out);
        }
    }
    json_decref(arns);
    if (rv == EXIT_OK) {
        render_list(cli, rows, columns, N_COLUMNS);
    }
    json_decref(rows);
    return rv;
}

static int run_describe(struct cli *cli, const struct args *args)
{
    json_t *out = NULL;
    int rv = call(
        cli, "DescribeTaskDefinition",
        json_pack("{s:s, s:[s]}", "taskDefinition", args->positional[0], "include", "TAGS"), &out);
    if (rv == EXIT_OK) {
        render_object(cli, value_at(out, "taskDefinition"), columns, N_COLUMNS);
        json_decref(out);
    }
    return rv;
}

static int run_deregister(struct cli *cli, const struct args *args)
{
    int rv = EXIT_OK;
    for (int i = 0; rv == EXIT_OK && i < args->n; i++) {
        json_t *out = NULL;
        rv = call(cli, "DeregisterTaskDefinition",
                  json_pack("{s:s}", "taskDefinition", args->positional[i]), &out);
        if (rv == EXIT_OK) {
            say(cli, "task definition %s is %s", args->positional[i],
                value_text(out, "taskDefinition.status", "INACTIVE"));
            json_decref(out);
        }
    }
    return rv;
}

static int run_delete(struct cli *cli, const struct args *args)
{
    json_t *names = json_array();
    json_t *rows = NULL;
    int rv;
    for (int i = 0; i < args->n; i++) {
        (void)json_array_append_new(names, json_string(args->positional[i]));
    }
    rv = call_describe(cli, "DeleteTaskDefinitions", json_object(), "taskDefinitions", 10, names,
                       "taskDefinitions", &rows);
    json_decref(names);
    if (rv == EXIT_OK) {
        render_list(cli, rows, columns, N_COLUMNS);
        json_decref(rows);
    }
    return rv;
}

const struct command_def taskdef_commands[] = {
    {"task-def", "register", "FILE", 1, 1,
     "Register a definition from an AWS JSON file (-: standard input).", NULL, run_register},
    {"task-def", "list", "[--family PREFIX] [--status STATUS]", 0, 0, "Task definitions.",
     list_options, run_list},
    {"task-def", "describe", "NAME[:REVISION]", 1, 1, "One definition, whole with -o json.", NULL,
     run_describe},
    {"task-def", "deregister", "NAME:REVISION...", 1, ARG_MAX_N, "Let nothing new use it.", NULL,
     run_deregister},
    {"task-def", "delete", "NAME:REVISION...", 1, ARG_MAX_N, "Delete deregistered ones.", NULL,
     run_delete},
    {NULL, NULL, NULL, 0, 0, NULL, NULL, NULL},
};
