/* Nodes: ECS's container instances. */
#include "admin/cli.h"

#include <stdio.h>
#include <string.h>

/* The integer value of a resource called name in a list of ECS resources. */
static int64_t resource(const json_t *row, const char *list, const char *name)
{
    const json_t *resources = value_at(row, list);
    for (size_t i = 0; i < json_array_size(resources); i++) {
        const json_t *r = json_array_get(resources, i);
        if (strcmp(value_text(r, "name", ""), name) == 0) {
            return value_number(r, "integerValue", 0);
        }
    }
    return 0;
}

static json_t *used_of(const json_t *row, const char *name)
{
    int64_t all = resource(row, "registeredResources", name);
    int64_t left = resource(row, "remainingResources", name);
    return json_sprintf("%lld/%lld", (long long)(all - left), (long long)all);
}

static json_t *make_cpu(const json_t *row)
{
    return used_of(row, "CPU");
}

static json_t *make_memory(const json_t *row)
{
    return used_of(row, "MEMORY");
}

static json_t *make_id(const json_t *row)
{
    return json_string(short_name(value_text(row, "containerInstanceArn", "-")));
}

static json_t *make_age(const json_t *row)
{
    return age_of(value_at(row, "registeredAt"));
}

static json_t *make_zone(const json_t *row)
{
    const json_t *attributes = value_at(row, "attributes");
    for (size_t i = 0; i < json_array_size(attributes); i++) {
        const json_t *a = json_array_get(attributes, i);
        if (strcmp(value_text(a, "name", ""), "ecs.availability-zone") == 0) {
            return json_string(value_text(a, "value", "-"));
        }
    }
    return json_string("-");
}

static const struct column columns[] = {
    {"ID", NULL, make_id, false},
    {"NAME", "ec2InstanceId", NULL, false},
    {"STATUS", "status", NULL, false},
    {"CONNECTED", "agentConnected", NULL, false},
    {"ZONE", NULL, make_zone, false},
    {"CPU USED", NULL, make_cpu, true},
    {"MEMORY USED", NULL, make_memory, true},
    {"RUNNING", "runningTasksCount", NULL, true},
    {"PENDING", "pendingTasksCount", NULL, true},
    {"AGE", NULL, make_age, true},
};
#define N_COLUMNS (sizeof columns / sizeof columns[0])

static json_t *in_cluster(const struct cli *cli, const struct args *args)
{
    return json_pack("{s:s}", "cluster", cluster_of(cli, args));
}

static int fetch_all(struct cli *cli, const struct args *args, json_t **ret)
{
    json_t *in = in_cluster(cli, args);
    json_t *arns = NULL;
    int rv;
    if (args_has(args, "filter")) {
        (void)json_object_set_new(in, "filter", json_string(args_get(args, "filter", "")));
    }
    if (args_has(args, "status")) {
        (void)json_object_set_new(in, "status", json_string(args_get(args, "status", "")));
    }
    rv = call_pages(cli, "ListContainerInstances", in, "containerInstanceArns", &arns);
    if (rv == EXIT_OK) {
        rv = call_describe(cli, "DescribeContainerInstances", in_cluster(cli, args),
                           "containerInstances", 100, arns, "containerInstances", ret);
        json_decref(arns);
    }
    return rv;
}

/* A node by id, ARN, the start of its id, or its name. The result is its ARN, new. */
int resolve_node(struct cli *cli, const struct args *args, const char *word, json_t **ret)
{
    json_t *rows = NULL;
    json_t *found = NULL;
    int n = 0;
    int rv = fetch_all(cli, args, &rows);
    if (rv != EXIT_OK) {
        return rv;
    }
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        const char *arn = value_text(row, "containerInstanceArn", "");
        if (strcmp(arn, word) == 0 || strcmp(value_text(row, "ec2InstanceId", ""), word) == 0 ||
            (strlen(word) >= 4 && strncmp(short_name(arn), word, strlen(word)) == 0)) {
            json_decref(found);
            found = json_string(arn);
            n++;
        }
    }
    json_decref(rows);
    if (n != 1) {
        complain(n == 0 ? "no node is called '%s' in cluster %s"
                        : "'%s' names more than one node of cluster %s",
                 word, cluster_of(cli, args));
        json_decref(found);
        return n == 0 ? EXIT_NOT_FOUND : EXIT_USAGE;
    }
    *ret = found;
    return EXIT_OK;
}

static const struct option_def list_options[] = {
    {"filter", "EXPRESSION", "Cluster query language, e.g. 'attribute:rack == r1'.", false},
    {"status", "STATUS", "ACTIVE, DRAINING, ...", false},
    {NULL, NULL, NULL, false},
};

static int run_list(struct cli *cli, const struct args *args)
{
    json_t *rows = NULL;
    int rv = fetch_all(cli, args, &rows);
    if (rv == EXIT_OK) {
        render_list(cli, rows, columns, N_COLUMNS);
        json_decref(rows);
    }
    return rv;
}

static int run_describe(struct cli *cli, const struct args *args)
{
    json_t *arn = NULL;
    json_t *rows = NULL;
    json_t *names;
    json_t *in = in_cluster(cli, args);
    int rv = resolve_node(cli, args, args->positional[0], &arn);
    if (rv != EXIT_OK) {
        json_decref(in);
        return rv;
    }
    (void)json_object_set_new(in, "include", json_pack("[s]", "TAGS"));
    names = json_pack("[o]", arn);
    rv = call_describe(cli, "DescribeContainerInstances", in, "containerInstances", 100, names,
                       "containerInstances", &rows);
    json_decref(names);
    if (rv == EXIT_OK) {
        render_object(cli, json_array_get(rows, 0), columns, N_COLUMNS);
        json_decref(rows);
    }
    return rv;
}

/* --- drain, activate
 * -------------------------------------------------------------------------------- */

static int set_state(struct cli *cli, const struct args *args, const char *status)
{
    int rv = EXIT_OK;
    for (int i = 0; rv == EXIT_OK && i < args->n; i++) {
        json_t *arn = NULL;
        json_t *out = NULL;
        rv = resolve_node(cli, args, args->positional[i], &arn);
        if (rv == EXIT_OK) {
            rv = call(cli, "UpdateContainerInstancesState",
                      json_pack("{s:s, s:[o], s:s}", "cluster", cluster_of(cli, args),
                                "containerInstances", arn, "status", status),
                      &out);
        }
        if (rv == EXIT_OK) {
            say(cli, "node %s is %s", args->positional[i],
                value_text(out, "containerInstances.0.status", status));
            json_decref(out);
        }
    }
    return rv;
}

static int run_drain(struct cli *cli, const struct args *args)
{
    return set_state(cli, args, "DRAINING");
}

static int run_activate(struct cli *cli, const struct args *args)
{
    return set_state(cli, args, "ACTIVE");
}

static const struct option_def remove_options[] = {
    {"force", NULL, "Although tasks run on it; they are stopped.", false},
    {NULL, NULL, NULL, false},
};

static int run_remove(struct cli *cli, const struct args *args)
{
    json_t *arn = NULL;
    json_t *out = NULL;
    int rv = resolve_node(cli, args, args->positional[0], &arn);
    if (rv == EXIT_OK) {
        rv = call(cli, "DeregisterContainerInstance",
                  json_pack("{s:s, s:o, s:b}", "cluster", cluster_of(cli, args),
                            "containerInstance", arn, "force", args_has(args, "force")),
                  &out);
    }
    if (rv == EXIT_OK) {
        say(cli, "node %s is removed", args->positional[0]);
        json_decref(out);
    }
    return rv;
}

/* --- attributes
 * ---------------------------------------------------------------------------------------- */

static int run_label(struct cli *cli, const struct args *args)
{
    json_t *arn = NULL;
    json_t *out = NULL;
    json_t *list = json_array();
    int rv = resolve_node(cli, args, args->positional[0], &arn);
    for (int i = 1; rv == EXIT_OK && i < args->n; i++) {
        const char *text = args->positional[i];
        const char *equals = strchr(text, '=');
        json_t *a = json_pack("{s:s%, s:s, s:O}", "name", text,
                              equals == NULL ? strlen(text) : (size_t)(equals - text), "targetType",
                              "container-instance", "targetId", arn);
        if (equals != NULL) {
            (void)json_object_set_new(a, "value", json_string(equals + 1));
        }
        (void)json_array_append_new(list, a);
    }
    json_decref(arn);
    if (rv != EXIT_OK) {
        json_decref(list);
        return rv;
    }
    rv = call(cli, "PutAttributes",
              json_pack("{s:s, s:o}", "cluster", cluster_of(cli, args), "attributes", list), &out);
    if (rv == EXIT_OK) {
        say(cli, "node %s has %d attribute%s more", args->positional[0], args->n - 1,
            args->n == 2 ? "" : "s");
        json_decref(out);
    }
    return rv;
}

/* --- joining
 * --------------------------------------------------------------------------------------------- */

static const struct option_def token_options[] = {
    {"ttl", "SECONDS", "How long the token is good (default 3600).", false},
    {"uses", "N", "How many machines may join with it (default 1).", false},
    {NULL, NULL, NULL, false},
};

static int run_token(struct cli *cli, const struct args *args)
{
    int64_t ttl = 3600;
    int64_t uses = 1;
    json_t *out = NULL;
    int rv = args_number(args, "ttl", 60, 86400, &ttl);
    if (rv == EXIT_OK) {
        rv = args_number(args, "uses", 1, 1000, &uses);
    }
    if (rv == EXIT_OK) {
        rv = call(cli, "admin.CreateJoinToken",
                  json_pack("{s:s, s:I, s:I}", "cluster", cluster_of(cli, args), "ttlS",
                            (json_int_t)ttl, "uses", (json_int_t)uses),
                  &out);
    }
    if (rv != EXIT_OK) {
        return rv;
    }
    if (cli->output == OUTPUT_TABLE) {
        (void)puts(value_text(out, "token", ""));
        say(cli, "On the new machine: ecs-agent --controllers ADDR:PORT --join-token TOKEN ...");
    } else {
        render_object(cli, out, NULL, 0);
    }
    json_decref(out);
    return EXIT_OK;
}

const struct command_def node_commands[] = {
    {"node", "list", "[--filter EXPRESSION]", 0, 0, "The cluster's nodes and what is free on them.",
     list_options, run_list},
    {"node", "describe", "NODE", 1, 1, "One node, by name, id or ARN.", NULL, run_describe},
    {"node", "token", "[--ttl SECONDS] [--uses N]", 0, 0,
     "Make a token with which a machine joins the cluster.", token_options, run_token},
    {"node", "drain", "NODE...", 1, ARG_MAX_N, "Place nothing new; move its service tasks away.",
     NULL, run_drain},
    {"node", "activate", "NODE...", 1, ARG_MAX_N, "Undo drain.", NULL, run_activate},
    {"node", "label", "NODE NAME=VALUE...", 2, ARG_MAX_N, "Put attributes on a node.", NULL,
     run_label},
    {"node", "remove", "NODE [--force]", 1, 1, "Deregister a node.", remove_options, run_remove},
    {NULL, NULL, NULL, 0, 0, NULL, NULL, NULL},
};
