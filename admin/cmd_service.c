/* Services. */
#include "admin/cli.h"
#include "common/base/str.h"
#include "common/loop/loop.h"
#include "proto/ecs/v1/service.pb-c.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define POLL_MS      250
#define WAIT_SECONDS 300

static json_t *make_taskdef(const json_t *row)
{
    return json_string(short_name(value_text(row, "taskDefinition", "-")));
}

static json_t *make_age(const json_t *row)
{
    return age_of(value_at(row, "createdAt"));
}

static const struct column columns[] = {
    {"NAME", "serviceName", NULL, false},
    {"STATUS", "status", NULL, false},
    {"DESIRED", "desiredCount", NULL, true},
    {"RUNNING", "runningCount", NULL, true},
    {"PENDING", "pendingCount", NULL, true},
    {"TASK DEFINITION", NULL, make_taskdef, false},
    {"ROLLOUT", "deployments.0.rolloutState", NULL, false},
    {"AGE", NULL, make_age, true},
};
#define N_COLUMNS (sizeof columns / sizeof columns[0])

static json_t *make_when(const json_t *row)
{
    return age_of(value_at(row, "createdAt"));
}

static const struct column event_columns[] = {
    {"AGE", NULL, make_when, true},
    {"EVENT", "message", NULL, false},
};

static int fetch(struct cli *cli, const struct args *args, const char *name, json_t **ret)
{
    json_t *names = json_pack("[s]", name);
    json_t *rows = NULL;
    int rv =
        call_describe(cli, "DescribeServices", json_pack("{s:s}", "cluster", cluster_of(cli, args)),
                      "services", 10, names, "services", &rows);
    json_decref(names);
    if (rv == EXIT_OK) {
        *ret = json_incref(json_array_get(rows, 0));
        json_decref(rows);
    }
    return rv;
}

static int run_list(struct cli *cli, const struct args *args)
{
    json_t *arns = NULL;
    json_t *rows = NULL;
    int rv =
        call_pages(cli, "ListServices",
                   json_pack("{s:s, s:i}", "cluster", cluster_of(cli, args), "maxResults", 100),
                   "serviceArns", &arns);
    if (rv == EXIT_OK) {
        rv = call_describe(cli, "DescribeServices",
                           json_pack("{s:s}", "cluster", cluster_of(cli, args)), "services", 10,
                           arns, "services", &rows);
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
    json_t *service = NULL;
    int rv = fetch(cli, args, args->positional[0], &service);
    if (rv != EXIT_OK) {
        return rv;
    }
    render_object(cli, service, columns, N_COLUMNS);
    if (cli->output == OUTPUT_TABLE && json_array_size(value_at(service, "events")) > 0) {
        (void)puts("");
        render_list(cli, value_at(service, "events"), event_columns,
                    sizeof event_columns / sizeof event_columns[0]);
    }
    json_decref(service);
    return EXIT_OK;
}

/* --- waiting
 * -------------------------------------------------------------------------------------------- */

static bool is_stable(const json_t *service)
{
    return json_array_size(value_at(service, "deployments")) == 1 &&
           value_number(service, "runningCount", -1) == value_number(service, "desiredCount", -2) &&
           value_number(service, "pendingCount", -1) == 0;
}

static int wait_stable(struct cli *cli, const struct args *args, const char *name, int64_t seconds)
{
    uint64_t end = clock_mono_ms() + (uint64_t)seconds * 1000;
    for (;;) {
        json_t *service = NULL;
        const char *news;
        bool stable;
        bool gone;
        int rv = fetch(cli, args, name, &service);
        if (rv != EXIT_OK) {
            return rv;
        }
        stable = is_stable(service);
        gone = strcmp(value_text(service, "status", ""), "INACTIVE") == 0;
        news = stable ? "" : value_text(service, "events.0.message", "");
        progress(cli, "service %s: %lld of %lld running, %lld pending%s%s", name,
                 (long long)value_number(service, "runningCount", 0),
                 (long long)value_number(service, "desiredCount", 0),
                 (long long)value_number(service, "pendingCount", 0), news[0] == '\0' ? "" : "; ",
                 news);
        json_decref(service);
        if (stable || gone || cli_interrupted(cli)) {
            progress_end(cli);
            return stable ? EXIT_OK : EXIT_FAILED;
        }
        if (clock_mono_ms() >= end) {
            progress_end(cli);
            complain("service %s is not stable after %lld s", name, (long long)seconds);
            return EXIT_TIMED_OUT;
        }
        cli_sleep_ms(cli, POLL_MS);
    }
}

static const struct option_def wait_options[] = {
    {"for", "SECONDS", "Give up after so long (default 300).", false},
    {NULL, NULL, NULL, false},
};

static int run_wait(struct cli *cli, const struct args *args)
{
    int64_t seconds = WAIT_SECONDS;
    int rv = args_number(args, "for", 1, 86400, &seconds);
    return rv == EXIT_OK ? wait_stable(cli, args, args->positional[0], seconds) : rv;
}

/* --- create and update
 * ------------------------------------------------------------------------------------ */

static const struct option_def create_options[] = {
    {"task-def", "NAME[:REVISION]", "What its tasks are.", false},
    {"count", "N", "How many tasks (default 1).", false},
    {"daemon", NULL, "One task on every node instead of a count.", false},
    {"strategy", "TYPE[:FIELD]", "binpack:cpu, spread:attribute:..., random; may be repeated.",
     true},
    {"constraint", "EXPRESSION",
     "distinctInstance, maxPerInstance:N, priority:N or a memberOf expression; may be repeated.",
     true},
    {"provider", "NAME[:WEIGHT[:BASE]]", "Capacity provider and its share; may be repeated.", true},
    {"no-strategy", NULL, "update: place by no strategy any more.", false},
    {"no-constraint", NULL, "update: drop all constraints.", false},
    {"managed-tags", NULL, "Tag its tasks with cluster and service (aws:ecs:...).", false},
    {"propagate-tags", "FROM", "TASK_DEFINITION, SERVICE or NONE: whose tags its tasks get.",
     false},
    {"min-percent", "N", "minimumHealthyPercent (default 100).", false},
    {"max-percent", "N", "maximumPercent (default 200).", false},
    {"tag", "KEY=VALUE", "A tag; may be repeated.", true},
    {"force-new-deployment", NULL, "update: replace the tasks although nothing changed.", false},
    {"wait", NULL, "Wait until it is stable.", false},
    {"file", "FILE", "Begin with AWS's JSON for the call.", false},
    {NULL, NULL, NULL, false},
};

/* What create and update have in common, on top of --file. */
static int fill(const struct args *args, json_t *in)
{
    int64_t count = -1;
    int64_t low = -1;
    int64_t high = -1;
    json_t *config;
    if (args_number(args, "count", 0, 1000000, &count) != EXIT_OK ||
        args_number(args, "min-percent", 0, 100, &low) != EXIT_OK ||
        args_number(args, "max-percent", 0, 1000, &high) != EXIT_OK) {
        return EXIT_USAGE;
    }
    if (args_has(args, "task-def")) {
        (void)json_object_set_new(in, "taskDefinition",
                                  json_string(args_get(args, "task-def", "")));
    }
    if (count >= 0) {
        (void)json_object_set_new(in, "desiredCount", json_integer(count));
    }
    if (args_has(args, "strategy")) {
        (void)json_object_set_new(in, "placementStrategy", strategies_of(args));
    }
    if (args_has(args, "constraint")) {
        (void)json_object_set_new(in, "placementConstraints", constraints_of(args));
    }
    if (args_has(args, "provider")) {
        json_t *providers = providers_of(args);
        if (providers == NULL) {
            return EXIT_USAGE;
        }
        (void)json_object_set_new(in, "capacityProviderStrategy", providers);
    }
    if (args_has(args, "no-strategy")) {
        (void)json_object_set_new(in, "placementStrategy", json_array());
    }
    if (args_has(args, "no-constraint")) {
        (void)json_object_set_new(in, "placementConstraints", json_array());
    }
    if (args_has(args, "managed-tags")) {
        (void)json_object_set_new(in, "enableECSManagedTags", json_true());
    }
    if (args_has(args, "propagate-tags")) {
        (void)json_object_set_new(in, "propagateTags",
                                  json_string(args_get(args, "propagate-tags", "")));
    }
    if (low >= 0 || high >= 0) {
        config = json_object();
        if (low >= 0) {
            (void)json_object_set_new(config, "minimumHealthyPercent", json_integer(low));
        }
        if (high >= 0) {
            (void)json_object_set_new(config, "maximumPercent", json_integer(high));
        }
        (void)json_object_set_new(in, "deploymentConfiguration", config);
    }
    return EXIT_OK;
}

static json_t *begin(const struct args *args, const ProtobufCMessageDescriptor *request)
{
    const char *file = args_get(args, "file", "");
    json_t *in = args_has(args, "file") ? json_from_file(file) : json_object();
    if (in != NULL && !members_known(file, in, request)) {
        json_decref(in);
        return NULL;
    }
    return in;
}

/* Shows the service as it is in the end: after --wait that is not what the call answered. */
static int submit(struct cli *cli, const struct args *args, const char *method, json_t *in)
{
    json_t *out = NULL;
    json_t *service = NULL;
    int rv = call(cli, method, in, &out);
    if (rv != EXIT_OK) {
        return rv;
    }
    if (!args_has(args, "wait")) {
        service = json_incref(value_at(out, "service"));
    } else {
        const char *name = value_text(out, "service.serviceName", "");
        rv = wait_stable(cli, args, name, WAIT_SECONDS);
        rv = rv == EXIT_OK ? fetch(cli, args, name, &service) : rv;
    }
    if (rv == EXIT_OK) {
        render_object(cli, service, columns, N_COLUMNS);
    }
    json_decref(service);
    json_decref(out);
    return rv;
}

static int run_create(struct cli *cli, const struct args *args)
{
    char token[33];
    json_t *in = begin(args, &ecs__v1__create_service_request__descriptor);
    json_t *tags;
    if (in == NULL || fill(args, in) != EXIT_OK) {
        json_decref(in);
        return EXIT_USAGE;
    }
    if (args->n > 0) {
        (void)json_object_set_new(in, "serviceName", json_string(args->positional[0]));
    }
    if (json_object_get(in, "taskDefinition") == NULL) {
        complain("service create needs --task-def NAME");
        json_decref(in);
        return EXIT_USAGE;
    }
    (void)json_object_set_new(in, "cluster", json_string(cluster_of(cli, args)));
    if (args_has(args, "daemon")) {
        (void)json_object_set_new(in, "schedulingStrategy", json_string("DAEMON"));
    } else if (json_object_get(in, "desiredCount") == NULL) {
        (void)json_object_set_new(in, "desiredCount", json_integer(1));
    }
    if (args_has(args, "tag")) {
        tags = tags_of(args, "tag");
        if (tags == NULL) {
            json_decref(in);
            return EXIT_USAGE;
        }
        (void)json_object_set_new(in, "tags", tags);
    }
    (void)json_object_set_new(in, "clientToken", json_string(new_token(token)));
    return submit(cli, args, "CreateService", in);
}

static int run_update(struct cli *cli, const struct args *args)
{
    json_t *in = begin(args, &ecs__v1__update_service_request__descriptor);
    if (in == NULL || fill(args, in) != EXIT_OK) {
        json_decref(in);
        return EXIT_USAGE;
    }
    (void)json_object_set_new(in, "service", json_string(args->positional[0]));
    (void)json_object_set_new(in, "cluster", json_string(cluster_of(cli, args)));
    if (args_has(args, "force-new-deployment")) {
        (void)json_object_set_new(in, "forceNewDeployment", json_true());
    }
    return submit(cli, args, "UpdateService", in);
}

static int run_scale(struct cli *cli, const struct args *args)
{
    uint64_t count;
    if (!str_u64(str_of(args->positional[1]), &count) || count > 1000000) {
        complain("the count must be a whole number from 0 to 1000000, not '%s'",
                 args->positional[1]);
        return EXIT_USAGE;
    }
    return submit(cli, args, "UpdateService",
                  json_pack("{s:s, s:s, s:I}", "cluster", cluster_of(cli, args), "service",
                            args->positional[0], "desiredCount", (json_int_t)count));
}

static const struct option_def scale_options[] = {
    {"wait", NULL, "Wait until it is stable.", false},
    {NULL, NULL, NULL, false},
};

static const struct option_def delete_options[] = {
    {"force", NULL, "Although it still wants tasks.", false},
    {NULL, NULL, NULL, false},
};

static int run_delete(struct cli *cli, const struct args *args)
{
    json_t *out = NULL;
    int rv = call(cli, "DeleteService",
                  json_pack("{s:s, s:s, s:b}", "cluster", cluster_of(cli, args), "service",
                            args->positional[0], "force", args_has(args, "force")),
                  &out);
    if (rv == EXIT_OK) {
        say(cli, "service %s is %s", args->positional[0],
            value_text(out, "service.status", "DRAINING"));
        json_decref(out);
    }
    return rv;
}

const struct command_def service_commands[] = {
    {"service", "create", "NAME --task-def NAME [--count N]", 0, 1, "Create a service.",
     create_options, run_create},
    {"service", "list", "", 0, 0, "The cluster's services.", NULL, run_list},
    {"service", "describe", "NAME", 1, 1, "One service and its events.", NULL, run_describe},
    {"service", "update", "NAME [--task-def NAME] [--count N]", 1, 1, "Change a service.",
     create_options, run_update},
    {"service", "scale", "NAME COUNT [--wait]", 2, 2, "Change how many tasks it keeps.",
     scale_options, run_scale},
    {"service", "wait", "NAME [--for SECONDS]", 1, 1, "Wait until as many run as are desired.",
     wait_options, run_wait},
    {"service", "events", "NAME [--since DURATION]", 1, 1,
     "What it said, also what the service itself no longer remembers.", service_events_options,
     run_service_events},
    {"service", "delete", "NAME [--force]", 1, 1, "Delete a service and stop its tasks.",
     delete_options, run_delete},
    {NULL, NULL, NULL, 0, 0, NULL, NULL, NULL},
};
