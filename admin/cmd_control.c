/* The control plane itself: what-if. */
#include "admin/cli.h"
#include "common/base/str.h"

#include <stdio.h>
#include <string.h>

/* --- plan
 * ----------------------------------------------------------------------------------------------------
 */

static const struct column plan_columns[] = {
    {"NODE", "name", NULL, false},
    {"TASKS", "tasks", NULL, true},
    {"REFUSED BECAUSE", "reason", NULL, false},
    {"DETAIL", "detail", NULL, false},
};

static const struct option_def plan_options[] = {
    {"count", "N", "How many tasks (default 1).", false},
    {"strategy", "TYPE[:FIELD]", "As for task run.", true},
    {"constraint", "EXPRESSION", "As for task run.", true},
    {NULL, NULL, NULL, false},
};

static int run_plan(struct cli *cli, const struct args *args)
{
    int64_t count = 1;
    json_t *out = NULL;
    int rv = args_number(args, "count", 1, 10, &count);
    if (rv == EXIT_OK) {
        rv = call(cli, "admin.PlanRunTask",
                  json_pack("{s:{s:s, s:s, s:I, s:o, s:o}}", "run", "cluster",
                            cluster_of(cli, args), "taskDefinition", args->positional[0], "count",
                            (json_int_t)count, "placementStrategy", strategies_of(args),
                            "placementConstraints", constraints_of(args)),
                  &out);
    }
    if (rv != EXIT_OK) {
        return rv;
    }
    if (cli->output == OUTPUT_TABLE) {
        say(cli, "%lld of %lld tasks would be placed; nothing was changed",
            (long long)value_number(out, "placed", 0), (long long)count);
        render_list(cli, value_at(out, "nodes"), plan_columns,
                    sizeof plan_columns / sizeof plan_columns[0]);
    } else {
        render_object(cli, out, NULL, 0);
    }
    rv = value_number(out, "placed", 0) == count ? EXIT_OK : EXIT_FAILED;
    json_decref(out);
    return rv;
}

const struct command_def control_commands[] = {
    {"plan", "run", "NAME[:REVISION] [--count N]", 1, 1,
     "Where task run would put the tasks, and why not elsewhere.", plan_options, run_plan},
    {NULL, NULL, NULL, 0, 0, NULL, NULL, NULL},
};
