/* The members of the control plane: who they are, changes of that, leadership. Every step is safe
 * to ask for again, so these commands do when an answer got lost or the time has not come. */
#include "admin/cli.h"
#include "common/base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define AGAIN_MS          300
#define TIMEOUT_DEFAULT_S 600
#define TIMEOUT_MAX_S     86400

/* --- who they are ------------------------------------------------------------------------------
 */

static json_t *room_of(const json_t *row)
{
    int64_t bytes = value_number(row, "diskRoomBytes", -1);
    return bytes < 0 ? NULL : json_sprintf("%" PRId64 " MiB", bytes / 1048576);
}

static json_t *contact_of(const json_t *row)
{
    int64_t ms = value_number(row, "lastContactMs", -1);
    return ms < 0 ? NULL : json_sprintf("%" PRId64 " ms", ms);
}

static const struct column member_columns[] = {
    {"ID", "id", NULL, true},
    {"ROLE", "role", NULL, false},
    {"LEADER", "leader", NULL, false},
    {"CONNECTED", "connected", NULL, false},
    {"MATCH", "matchIndex", NULL, true},
    {"LAG", "lag", NULL, true},
    {"LAST CONTACT", NULL, contact_of, true},
    {"VERSION", "version", NULL, false},
    {"DISK ROOM", NULL, room_of, true},
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
    {"TOKENS FENCED", "fenced", NULL, false},
    {"ACCOUNT", "account", NULL, false},
    {"REGION", "region", NULL, false},
};

/* The leader knows most; without one, whoever answers. */
static int get_members(struct cli *cli, json_t **ret)
{
    struct err err = {0};
    if (call_quietly(cli, "admin.DescribeMembers", NULL, ret, &err) == EXIT_OK) {
        return EXIT_OK;
    }
    return call(cli, "admin.ListMembers", NULL, ret);
}

static int run_list(struct cli *cli, const struct args *args)
{
    json_t *out = NULL;
    int rv = get_members(cli, &out);
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

static int run_unfence(struct cli *cli, const struct args *args)
{
    json_t *out = NULL;
    int rv = call(cli, "admin.UnfenceTokens", NULL, &out);
    (void)args;
    if (rv == EXIT_OK) {
        say(cli, "new client tokens are accepted from revision %lld on",
            (long long)value_number(out, "revision", 0));
        json_decref(out);
    }
    return rv;
}

/* --- leadership --------------------------------------------------------------------------------
 */

static int read_id(const char *text, uint64_t *ret)
{
    if (!str_u64(str_of(text), ret) || *ret == 0 || *ret > UINT32_MAX) {
        complain("a member is a number (ecs-admin member list), not '%s'", text);
        return EXIT_USAGE;
    }
    return EXIT_OK;
}

static int transfer(struct cli *cli, uint64_t id)
{
    json_t *out = NULL;
    int rv =
        call(cli, "admin.TransferLeadership", json_pack("{s:I}", "memberId", (json_int_t)id), &out);
    if (rv == EXIT_OK) {
        say(cli, "member %lld leads", (long long)value_number(out, "leaderId", 0));
        json_decref(out);
    }
    return rv;
}

static int run_transfer(struct cli *cli, const struct args *args)
{
    uint64_t id = 0;
    int rv = args->n > 0 ? read_id(args->positional[0], &id) : EXIT_OK;
    return rv == EXIT_OK ? transfer(cli, id) : rv;
}

/* A leader steps aside before it loses its seat. */
static int step_aside(struct cli *cli, uint64_t id)
{
    json_t *out = NULL;
    json_t *row;
    size_t i;
    bool leads = false;
    int rv = get_members(cli, &out);
    if (rv != EXIT_OK) {
        return rv;
    }
    json_array_foreach(value_at(out, "members"), i, row)
    {
        leads = leads || ((uint64_t)value_number(row, "id", 0) == id &&
                          json_is_true(value_at(row, "leader")));
    }
    json_decref(out);
    return leads ? transfer(cli, 0) : EXIT_OK;
}

/* --- changes -----------------------------------------------------------------------------------
 */

static const struct option_def wait_options[] = {
    {"for", "SECONDS", "Give up after this (default 600).", false},
    {NULL, NULL, NULL, false},
};

static const struct option_def promote_options[] = {
    {"to", "ROLE", "voter (default) or standby, which has everything but no vote.", false},
    {"for", "SECONDS", "Give up after this (default 600).", false},
    {NULL, NULL, NULL, false},
};

static int64_t now_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec;
}

/* No leader, or a lost answer. */
static bool is_passing(const struct err *err)
{
    return strncmp(err->text, "ServerException", 15) == 0;
}

/* Ask until it is done; *ret is the last answer. */
static int insist(struct cli *cli, const char *method, const json_t *request, int64_t end_s,
                  json_t **ret)
{
    for (;;) {
        struct err err = {0};
        int rv = call_quietly(cli, method, json_deep_copy(request), ret, &err);
        if (rv == EXIT_OK && json_is_true(value_at(*ret, "done"))) {
            return EXIT_OK;
        }
        if (rv != EXIT_OK && rv != EXIT_UNREACHABLE && !is_passing(&err)) {
            progress_end(cli);
            complain("%s", err.text);
            return rv;
        }
        progress(cli, "waiting: %s", rv == EXIT_OK ? value_text(*ret, "waitingFor", "") : err.text);
        if (rv == EXIT_OK) {
            json_decref(*ret);
        }
        if (cli_interrupted(cli) || now_s() >= end_s) {
            progress_end(cli);
            complain("it was not done in time; it is safe to ask again");
            return EXIT_TIMED_OUT;
        }
        cli_sleep_ms(cli, AGAIN_MS);
    }
}

static int get_deadline(const struct args *args, int64_t *ret)
{
    int64_t timeout_s = TIMEOUT_DEFAULT_S;
    int rv = args_number(args, "for", 1, TIMEOUT_MAX_S, &timeout_s);
    *ret = now_s() + timeout_s;
    return rv;
}

static int run_add(struct cli *cli, const struct args *args)
{
    uint64_t id;
    int64_t end_s;
    struct str api;
    struct str peer = str_cut(str_of(args->positional[1]), '/', &api);
    json_t *request;
    json_t *out = NULL;
    int rv = read_id(args->positional[0], &id);
    if (rv == EXIT_OK && (peer.n == 0 || api.n == 0)) {
        complain("'%s' is not PEER_ADDRESS:PORT/API_ADDRESS:PORT", args->positional[1]);
        rv = EXIT_USAGE;
    }
    if (rv == EXIT_OK) {
        rv = get_deadline(args, &end_s);
    }
    if (rv != EXIT_OK) {
        return rv;
    }
    request = json_pack("{s:I, s:s%, s:s%}", "id", (json_int_t)id, "peerAddress", peer.p, peer.n,
                        "apiAddress", api.p, api.n);
    rv = insist(cli, "admin.AddMember", request, end_s, &out);
    json_decref(request);
    if (rv == EXIT_OK) {
        progress_end(cli);
        say(cli, "member %llu is a %s", (unsigned long long)id,
            value_text(out, "member.role", "spare"));
        say(cli, "start it with --join; its vote: ecs-admin member promote %llu",
            (unsigned long long)id);
        json_decref(out);
    }
    return rv;
}

/* One step of one member; *ret_role is what it is then, "" when it is none. */
static int step(struct cli *cli, const char *method, uint64_t id, int64_t end_s, char role[16])
{
    json_t *request = json_pack("{s:I}", "id", (json_int_t)id);
    json_t *out = NULL;
    int rv = insist(cli, method, request, end_s, &out);
    json_decref(request);
    if (rv == EXIT_OK) {
        (void)str_copy(role, 16, str_of(value_text(out, "member.role", "")));
        json_decref(out);
    }
    return rv;
}

static int run_promote(struct cli *cli, const struct args *args)
{
    const char *to = args_get(args, "to", "voter");
    uint64_t id;
    int64_t end_s;
    char role[16] = "";
    int rv = read_id(args->positional[0], &id);
    if (rv == EXIT_OK && strcmp(to, "voter") != 0 && strcmp(to, "standby") != 0) {
        complain("--to is voter or standby, not '%s'", to);
        rv = EXIT_USAGE;
    }
    if (rv == EXIT_OK) {
        rv = get_deadline(args, &end_s);
    }
    while (rv == EXIT_OK) {
        rv = step(cli, "admin.PromoteMember", id, end_s, role);
        if (rv == EXIT_OK && (strcmp(role, "voter") == 0 || strcmp(role, to) == 0)) {
            break;
        }
        if (rv == EXIT_OK) {
            progress(cli, "member %llu is a %s", (unsigned long long)id, role);
        }
    }
    progress_end(cli);
    if (rv == EXIT_OK) {
        say(cli, "member %llu is a %s", (unsigned long long)id, role);
    }
    return rv;
}

static int run_demote(struct cli *cli, const struct args *args)
{
    uint64_t id;
    int64_t end_s;
    char role[16] = "";
    int rv = read_id(args->positional[0], &id);
    if (rv == EXIT_OK) {
        rv = get_deadline(args, &end_s);
    }
    if (rv == EXIT_OK) {
        rv = step_aside(cli, id);
    }
    if (rv == EXIT_OK) {
        rv = step(cli, "admin.DemoteMember", id, end_s, role);
    }
    progress_end(cli);
    if (rv == EXIT_OK) {
        say(cli, "member %llu is a %s", (unsigned long long)id, role);
    }
    return rv;
}

static int run_remove(struct cli *cli, const struct args *args)
{
    uint64_t id;
    int64_t end_s;
    char role[16] = "";
    int rv = read_id(args->positional[0], &id);
    if (rv == EXIT_OK) {
        rv = get_deadline(args, &end_s);
    }
    if (rv == EXIT_OK) {
        rv = step_aside(cli, id);
    }
    if (rv == EXIT_OK) {
        rv = step(cli, "admin.RemoveMember", id, end_s, role);
    }
    progress_end(cli);
    if (rv == EXIT_OK) {
        say(cli, "member %llu is removed; its id is never used again", (unsigned long long)id);
    }
    return rv;
}

const struct command_def member_commands[] = {
    {"member", "list", "", 0, 0, "The controllers: role, progress, health.", NULL, run_list},
    {"member", "add", "ID PEER/API", 2, 2,
     "Let a new controller in, as a spare. ID is above all that were ever used.", wait_options,
     run_add},
    {"member", "promote", "ID [--to ROLE]", 1, 1,
     "Make it a standby and, once it has caught up, a voter.", promote_options, run_promote},
    {"member", "demote", "ID", 1, 1, "Take its vote; it goes on receiving everything.",
     wait_options, run_demote},
    {"member", "remove", "ID", 1, 1, "Take its seat, for good.", wait_options, run_remove},
    {"member", "transfer", "[ID]", 0, 1, "Hand leadership to another controller.", NULL,
     run_transfer},
    {"raft", "members", "", 0, 0, "As member list.", NULL, run_list},
    {"raft", "status", "", 0, 0, "How the controller that answers sees the cluster.", NULL,
     run_status},
    {"raft", "transfer", "[MEMBER]", 0, 1, "As member transfer.", NULL, run_transfer},
    {"raft", "finalize", "", 0, 0,
     "Let the cluster use what all controllers understand now; there is no way back.", NULL,
     run_finalize},
    {"raft", "unfence", "", 0, 0,
     "After a restore or a recovery: accept client tokens that are not known.", NULL, run_unfence},
    {NULL, NULL, NULL, 0, 0, NULL, NULL, NULL},
};
