/* Clusters. */
#include "admin/cli.h"

#include <string.h>

static const struct column columns[] = {
    {"NAME", "clusterName", NULL, false},
    {"STATUS", "status", NULL, false},
    {"NODES", "registeredContainerInstancesCount", NULL, true},
    {"SERVICES", "activeServicesCount", NULL, true},
    {"RUNNING", "runningTasksCount", NULL, true},
    {"PENDING", "pendingTasksCount", NULL, true},
};
#define N_COLUMNS (sizeof columns / sizeof columns[0])

static const struct option_def create_options[] = {
    {"tag", "KEY=VALUE", "A tag; may be repeated.", true},
    {NULL, NULL, NULL, false},
};

static int run_create(struct cli *cli, const struct args *args)
{
    json_t *tags = tags_of(args, "tag");
    json_t *out = NULL;
    json_t *in;
    int rv;
    if (tags == NULL) {
        return EXIT_USAGE;
    }
    in = json_pack("{s:s, s:o}", "clusterName", args->positional[0], "tags", tags);
    rv = call(cli, "CreateCluster", in, &out);
    if (rv == EXIT_OK) {
        render_object(cli, value_at(out, "cluster"), columns, N_COLUMNS);
        json_decref(out);
    }
    return rv;
}

static int run_list(struct cli *cli, const struct args *args)
{
    json_t *arns = NULL;
    json_t *rows = NULL;
    int rv = call_pages(cli, "ListClusters", json_object(), "clusterArns", &arns);
    (void)args;
    if (rv == EXIT_OK) {
        rv = call_describe(cli, "DescribeClusters", json_object(), "clusters", 100, arns,
                           "clusters", &rows);
        json_decref(arns);
    }
    if (rv == EXIT_OK) {
        render_list(cli, rows, columns, N_COLUMNS);
        json_decref(rows);
    }
    return rv;
}

static int run_describe(struct cli *cli, const struct args *args)
{
    json_t *names = json_pack("[s]", args->positional[0]);
    json_t *rows = NULL;
    int rv = call_describe(cli, "DescribeClusters", json_pack("{s:[s]}", "include", "TAGS"),
                           "clusters", 100, names, "clusters", &rows);
    json_decref(names);
    if (rv == EXIT_OK) {
        render_object(cli, json_array_get(rows, 0), columns, N_COLUMNS);
        json_decref(rows);
    }
    return rv;
}

static int run_delete(struct cli *cli, const struct args *args)
{
    json_t *out = NULL;
    int rv = call(cli, "DeleteCluster", json_pack("{s:s}", "cluster", args->positional[0]), &out);
    if (rv == EXIT_OK) {
        say(cli, "cluster %s is %s", args->positional[0],
            value_text(out, "cluster.status", "INACTIVE"));
        json_decref(out);
    }
    return rv;
}

const struct command_def cluster_commands[] = {
    {"cluster", "create", "NAME", 1, 1, "Create a cluster (nothing happens when it exists).",
     create_options, run_create},
    {"cluster", "list", "", 0, 0, "All clusters.", NULL, run_list},
    {"cluster", "describe", "NAME", 1, 1, "One cluster.", NULL, run_describe},
    {"cluster", "rebalance", "[--moves N]", 0, 0,
     "Empty nodes by moving tasks, as plan rebalance says.", cluster_rebalance_options,
     run_cluster_rebalance},
    {"cluster", "delete", "NAME", 1, 1, "Delete an empty cluster.", NULL, run_delete},
    {NULL, NULL, NULL, 0, 0, NULL, NULL, NULL},
};
