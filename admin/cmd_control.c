/* The control plane itself: members, leadership, backup, what-if, versions. */
#include "admin/cli.h"
#include "common/base/str.h"
#include "proto/ecs/admin/v1/admin.pb-c.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

/* --- backup
 * --------------------------------------------------------------------------------------------------
 */

struct backup {
    FILE *file;
    unsigned long long bytes;
    char sha256[65];
    unsigned long long revision;
};

static int on_piece(void *data, const ProtobufCMessage *message)
{
    const Ecs__Admin__V1__BackupResponse *m =
        (const Ecs__Admin__V1__BackupResponse *)(const void *)message;
    struct backup *b = data;
    if (m->data.len > 0 && fwrite(m->data.data, 1, m->data.len, b->file) != m->data.len) {
        complain("writing the backup: %s", strerror(errno));
        return EXIT_FAILED;
    }
    b->bytes += m->data.len;
    if (m->sha256 != NULL) {
        (void)str_copy(b->sha256, sizeof b->sha256, str_of(m->sha256));
        b->revision = m->revision;
    }
    return EXIT_OK;
}

/* Written under another name first, so that a file of the wanted name is a whole backup. */
static int run_backup(struct cli *cli, const struct args *args)
{
    char partial[4096];
    struct backup b = {0};
    int rv;
    if (snprintf(partial, sizeof partial, "%s.part", args->positional[0]) >= (int)sizeof partial) {
        complain("the file name is too long");
        return EXIT_USAGE;
    }
    b.file = fopen(partial, "wbx");
    if (b.file == NULL) {
        complain("%s: %s", partial, strerror(errno));
        return EXIT_FAILED;
    }
    rv = call_stream(cli, "admin.Backup", NULL, on_piece, &b);
    if (rv == EXIT_OK && b.sha256[0] == '\0') {
        complain("the stream ended before the backup was complete");
        rv = EXIT_FAILED;
    }
    if (fflush(b.file) != 0 || fsync(fileno(b.file)) != 0) {
        rv = EXIT_FAILED;
    }
    (void)fclose(b.file);
    if (rv == EXIT_OK && rename(partial, args->positional[0]) != 0) {
        complain("%s: %s", args->positional[0], strerror(errno));
        rv = EXIT_FAILED;
    }
    if (rv != EXIT_OK) {
        (void)unlink(partial);
        return rv;
    }
    say(cli, "%llu bytes, revision %llu, sha256 %s", b.bytes, b.revision, b.sha256);
    return EXIT_OK;
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
    {"backup", "create", "FILE", 1, 1, "Save a consistent copy of the whole state.", NULL,
     run_backup},
    {"plan", "run", "NAME[:REVISION] [--count N]", 1, 1,
     "Where task run would put the tasks, and why not elsewhere.", plan_options, run_plan},
    {NULL, NULL, NULL, 0, 0, NULL, NULL, NULL},
};
