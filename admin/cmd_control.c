/* The control plane itself: members, leadership, what-if, versions. */
#include "admin/cli.h"
#include "common/base/str.h"

#include <stdio.h>
#include <string.h>

static const struct column member_columns[] = {
    {"ID", "id", NULL, true},
    {"ROLE", "role", NULL, false},
    {"LEADER", "leader", NULL, false},
    {"CONNECTED", "connected", NULL, false},
    {"PEER ADDRESS", "peerAddress", NULL, false},
    {"API ADDRESS", "apiAddress", NULL, false},
};

static const struct column status_columns[] = {
    {"VERSION", "version", NULL, false},
    {"MEMBER", "memberId", NULL, false},
    {"LEADER", "leaderId", NULL, false},
    {"LEADER ADDRESS", "leaderAddress", NULL, false},
    {"TERM", "term", NULL, false},
    {"COMMIT INDEX", "commitIndex", NULL, false},
    {"APPLIED INDEX", "appliedIndex", NULL, false},
    {"REVISION", "revision", NULL, false},
    {"DIGEST", "digest", NULL, false},
    {"LOG BYTES", "logBytes", NULL, false},
    {"NODE SESSIONS", "sessions", NULL, false},
    {"CLUSTER ID", "clusterId", NULL, false},
    {"EPOCH", "epoch", NULL, false},
    {"FEATURE LEVEL", "featureLevel", NULL, false},
    {"VOTERS' LEVEL", "votersLevel", NULL, false},
    {"ACCOUNT", "account", NULL, false},
    {"REGION", "region", NULL, false},
};

static int run_members(struct cli *cli, const struct args *args)
{
    json_t *out = NULL;
    int rv = call(cli, "admin.ListMembers", NULL, &out);
    (void)args;
    if (rv == EXIT_OK) {
        render_list(cli, value_at(out, "members"), member_columns,
                    sizeof member_columns / sizeof member_columns[0]);
        json_decref(out);
    }
    return rv;
}

static int run_status(struct cli *cli, const struct args *args)
{
    json_t *out = NULL;
    int rv = call(cli, "admin.GetStatus", NULL, &out);
    (void)args;
    if (rv == EXIT_OK) {
        render_object(cli, out, status_columns, sizeof status_columns / sizeof status_columns[0]);
        json_decref(out);
    }
    return rv;
}

static int run_finalize(struct cli *cli, const struct args *args)
{
    json_t *out = NULL;
    int rv = call(cli, "admin.FinalizeUpgrade", NULL, &out);
    (void)args;
    if (rv == EXIT_OK) {
        say(cli, "feature level %lld", (long long)value_number(out, "featureLevel", 0));
        json_decref(out);
    }
    return rv;
}

static int run_transfer(struct cli *cli, const struct args *args)
{
    uint64_t id = 0;
    json_t *out = NULL;
    int rv;
    if (args->n > 0 && !str_u64(str_of(args->positional[0]), &id)) {
        complain("a member is a number (ecs-admin raft members), not '%s'", args->positional[0]);
        return EXIT_USAGE;
    }
    rv =
        call(cli, "admin.TransferLeadership", json_pack("{s:I}", "memberId", (json_int_t)id), &out);
    if (rv == EXIT_OK) {
        say(cli, "member %lld leads", (long long)value_number(out, "leaderId", 0));
        json_decref(out);
    }
    return rv;
}

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
    {"raft", "members", "", 0, 0, "The controllers and who leads.", NULL, run_members},
    {"raft", "status", "", 0, 0, "How the controller that answers sees the cluster.", NULL,
     run_status},
    {"raft", "transfer", "[MEMBER]", 0, 1, "Hand leadership to another controller.", NULL,
     run_transfer},
    {"raft", "finalize", "", 0, 0,
     "Let the cluster use what all controllers understand now; there is no way back.", NULL,
     run_finalize},
    {"plan", "run", "NAME[:REVISION] [--count N]", 1, 1,
     "Where task run would put the tasks, and why not elsewhere.", plan_options, run_plan},
    {NULL, NULL, NULL, 0, 0, NULL, NULL, NULL},
};
