/* Capacity providers. */
#include "admin/cli.h"

#include <string.h>

static const struct column columns[] = {
    {"NAME", "name", NULL, false},
    {"STATUS", "status", NULL, false},
    {"POOL", "autoScalingGroupProvider.autoScalingGroupArn", NULL, false},
};
#define N_COLUMNS (sizeof columns / sizeof columns[0])

static const struct option_def create_options[] = {
    {"pool", "TEXT", "What the pool of machines is called (default: NAME).", false},
    {"tag", "KEY=VALUE", "A tag; may be repeated.", true},
    {NULL, NULL, NULL, false},
};

static int run_create(struct cli *cli, const struct args *args)
{
    const char *name = args->positional[0];
    json_t *tags = tags_of(args, "tag");
    json_t *out = NULL;
    json_t *in;
    int rv;
    if (tags == NULL) {
        return EXIT_USAGE;
    }
    in = json_pack("{s:s, s:{s:s}, s:o}", "name", name, "autoScalingGroupProvider",
                   "autoScalingGroupArn", args_get(args, "pool", name), "tags", tags);
    rv = call(cli, "CreateCapacityProvider", in, &out);
    if (rv == EXIT_OK) {
        render_object(cli, value_at(out, "capacityProvider"), columns, N_COLUMNS);
        json_decref(out);
    }
    return rv;
}

static int run_list(struct cli *cli, const struct args *args)
{
    json_t *rows = NULL;
    int rv =
        call_pages(cli, "DescribeCapacityProviders", json_object(), "capacityProviders", &rows);
    (void)args;
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
    int rv =
        call_describe(cli, "DescribeCapacityProviders", json_pack("{s:[s]}", "include", "TAGS"),
                      "capacityProviders", 100, names, "capacityProviders", &rows);
    json_decref(names);
    if (rv == EXIT_OK) {
        render_object(cli, json_array_get(rows, 0), columns, N_COLUMNS);
        json_decref(rows);
    }
    return rv;
}

static int run_delete(struct cli *cli, const struct args *args)
{
    const char *name = args->positional[0];
    json_t *out = NULL;
    int rv =
        call(cli, "DeleteCapacityProvider", json_pack("{s:s}", "capacityProvider", name), &out);
    if (rv == EXIT_OK) {
        say(cli, "capacity provider %s is %s", name,
            value_text(out, "capacityProvider.status", "INACTIVE"));
        json_decref(out);
    }
    return rv;
}

static const struct option_def set_options[] = {
    {"provider", "NAME[:WEIGHT[:BASE]]",
     "Where tasks go whose request does not say (default: anywhere); may be repeated.", true},
    {NULL, NULL, NULL, false},
};

static int run_set(struct cli *cli, const struct args *args)
{
    json_t *strategy = providers_of(args);
    json_t *names = json_array();
    json_t *out = NULL;
    int rv;
    if (strategy == NULL) {
        json_decref(names);
        return EXIT_USAGE;
    }
    for (int i = 0; i < args->n; i++) {
        (void)json_array_append_new(names, json_string(args->positional[i]));
    }
    rv = call(cli, "PutClusterCapacityProviders",
              json_pack("{s:s, s:o, s:o}", "cluster", cluster_of(cli, args), "capacityProviders",
                        names, "defaultCapacityProviderStrategy", strategy),
              &out);
    if (rv == EXIT_OK) {
        say(cli, "cluster %s has %zu capacity providers",
            value_text(out, "cluster.clusterName", "-"),
            json_array_size(value_at(out, "cluster.capacityProviders")));
        json_decref(out);
    }
    return rv;
}

const struct command_def provider_commands[] = {
    {"capacity-provider", "create", "NAME", 1, 1, "Create a capacity provider: a pool of machines.",
     create_options, run_create},
    {"capacity-provider", "list", "", 0, 0, "All capacity providers.", NULL, run_list},
    {"capacity-provider", "describe", "NAME", 1, 1, "One capacity provider.", NULL, run_describe},
    {"capacity-provider", "set", "[NAME...]", 0, 20,
     "Which capacity providers the cluster has, instead of those of before.", set_options, run_set},
    {"capacity-provider", "delete", "NAME", 1, 1, "Delete one that no cluster has.", NULL,
     run_delete},
    {NULL, NULL, NULL, 0, 0, NULL, NULL, NULL},
};
