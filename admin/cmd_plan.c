/* What would happen if: plans of the leader on a copy of its state. And why a task is where it is,
 * or nowhere. */
#include "admin/cli.h"
#include "admin/configlp.h"
#include "common/base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_MAX 1000   /* Tasks of one `plan run`. */
#define ADD_MAX   100000 /* Nodes of one `plan add-nodes`. */
#define LIST_MAX  1000   /* Nodes listed. */

/* --- what was found ------------------------------------------------------------------------------
 */

/* What stands against the nodes, and what would help: of an explanation or of a plan's item. */
static void say_refusals(const struct cli *cli, const json_t *found)
{
    const json_t *refused = value_at(found, "refused");
    const json_t *changes = value_at(found, "changes");
    for (size_t i = 0; i < json_array_size(refused); i++) {
        const json_t *g = json_array_get(refused, i);
        long long n = value_number(g, "nodes", 0);
        say(cli, "  %lld %s %s (nearest: %s)", n,
            n == 1 ? "node" : "nodes:", value_text(g, "reason", ""), value_text(g, "example", "-"));
    }
    for (size_t i = 0; i < json_array_size(changes); i++) {
        say(cli, "  %s %s", i == 0 ? "there would be room on" : "                    or",
            json_string_value(json_array_get(changes, i)));
    }
}

static json_t *make_nodes(const json_t *row)
{
    const json_t *nodes = value_at(row, "nodes");
    char text[200] = "";
    size_t at = 0, i = 0;
    for (; i < json_array_size(nodes) && at < sizeof text - 60; i++) {
        const json_t *n = json_array_get(nodes, i);
        char name[40];
        (void)str_copy(name, sizeof name, str_of(value_text(n, "name", "-")));
        int k = snprintf(text + at, sizeof text - at, "%s%s:%lld", i == 0 ? "" : " ", name,
                         (long long)value_number(n, "tasks", 0));
        at += k < 0 ? 0 : (size_t)k;
    }
    long long more = (long long)(json_array_size(nodes) - i) + value_number(row, "moreNodes", 0);
    return more == 0 ? json_string(text) : json_sprintf("%s ... %lld more", text, more);
}

static json_t *make_name(const json_t *row)
{
    return json_string(value_text(row, "name", "(run)"));
}

static const struct column item_columns[] = {
    {"SERVICE", NULL, make_name, false}, {"STARTS", "wanted", NULL, true},
    {"PLACED", "placed", NULL, true},    {"STOPS", "stopped", NULL, true},
    {"ON", NULL, make_nodes, false},
};

static void say_totals(const struct cli *cli, const json_t *step)
{
    static const char *const names[] = {"nodes", "nodesInUse", "tasks", "cpuFree", "memoryFree"};
    static const char *const words[] = {"nodes", "in use", "tasks", "CPU units free", "MiB free"};
    char text[400] = "";
    size_t at = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        long long before = value_number(value_at(step, "before"), names[i], 0);
        long long after = value_number(value_at(step, "after"), names[i], 0);
        int k = before == after ? snprintf(text + at, sizeof text - at, "%s%lld %s",
                                           i == 0 ? "" : ", ", after, words[i])
                                : snprintf(text + at, sizeof text - at, "%s%lld -> %lld %s",
                                           i == 0 ? "" : ", ", before, after, words[i]);
        at += k < 0 ? 0 : (size_t)k;
    }
    say(cli, "%s", text);
}

static void say_step(const struct cli *cli, const json_t *step)
{
    const json_t *items = value_at(step, "items");
    long long lost = value_number(step, "lostTasks", 0);
    long long waiting = value_number(step, "waitingTasks", 0);
    long long wanted = 0, placed = 0;
    for (size_t i = 0; i < json_array_size(items); i++) {
        wanted += value_number(json_array_get(items, i), "wanted", 0);
        placed += value_number(json_array_get(items, i), "placed", 0);
    }
    say(cli, "%lld of %lld tasks would be placed; nothing was changed", placed, wanted);
    if (lost > 0) {
        say(cli, "%lld tasks that belong to no service would be lost", lost);
    }
    if (waiting > 0) {
        say(cli, "%lld tasks that belong to no service keep draining nodes waiting", waiting);
    }
    say_totals(cli, step);
    if (json_array_size(items) > 0) {
        render_list(cli, items, item_columns, sizeof item_columns / sizeof item_columns[0]);
    }
    for (size_t i = 0; i < json_array_size(items); i++) {
        const json_t *item = json_array_get(items, i);
        if (value_at(item, "reason") != NULL) {
            say(cli, "%s: %lld without room: %s", value_text(item, "name", "(run)"),
                (long long)(value_number(item, "wanted", 0) - value_number(item, "placed", 0)),
                value_text(item, "reason", ""));
            say_refusals(cli, item);
        }
    }
}

/* EXIT_FAILED when something finds no room or is lost. Consumes steps. */
static int plan(struct cli *cli, const struct args *args, json_t *steps)
{
    json_t *out = NULL;
    const json_t *done;
    int rv = call(cli, "admin.Plan",
                  json_pack("{s:s, s:o}", "cluster", cluster_of(cli, args), "steps", steps), &out);
    if (rv != EXIT_OK) {
        return rv;
    }
    done = value_at(out, "steps");
    for (size_t i = 0; i < json_array_size(done) && cli->output == OUTPUT_TABLE; i++) {
        if (json_array_size(done) > 1) {
            say(cli, "%sstep %zu:", i == 0 ? "" : "\n", i + 1);
        }
        say_step(cli, json_array_get(done, i));
    }
    if (cli->output != OUTPUT_TABLE) {
        render_object(cli, out, NULL, 0);
    }
    rv = json_is_true(value_at(out, "feasible")) ? EXIT_OK : EXIT_FAILED;
    json_decref(out);
    return rv;
}

/* --- plan run, plan service ----------------------------------------------------------------------
 */

static const struct option_def run_options[] = {
    {"count", "N", "How many tasks (default 1).", false},
    {"strategy", "TYPE[:FIELD]", "As for task run.", true},
    {"constraint", "EXPRESSION", "As for task run.", true},
    {NULL, NULL, NULL, false},
};

/* A RunTask request from these options; NULL after complaining. */
static json_t *run_of(struct cli *cli, const struct args *args, const char *taskdef)
{
    int64_t count = 1;
    if (args_number(args, "count", 1, COUNT_MAX, &count) != EXIT_OK) {
        return NULL;
    }
    return json_pack("{s:s, s:s, s:I, s:o, s:o}", "cluster", cluster_of(cli, args),
                     "taskDefinition", taskdef, "count", (json_int_t)count, "placementStrategy",
                     strategies_of(args), "placementConstraints", constraints_of(args));
}

static int run_run(struct cli *cli, const struct args *args)
{
    json_t *run = run_of(cli, args, args->positional[0]);
    return run == NULL ? EXIT_USAGE : plan(cli, args, json_pack("[{s:o}]", "run", run));
}

static const struct option_def service_options[] = {
    {"desired", "N", "Another desired count.", false},
    {"task-definition", "NAME[:REVISION]", "Another task definition, rolled out.", false},
    {NULL, NULL, NULL, false},
};

static int run_service(struct cli *cli, const struct args *args)
{
    json_t *in = json_pack("{s:s}", "service", args->positional[0]);
    int64_t desired = -1;
    int rv = args_number(args, "desired", 0, 1000000, &desired);
    if (rv != EXIT_OK) {
        json_decref(in);
        return rv;
    }
    if (desired >= 0) {
        (void)json_object_set_new(in, "desiredCount", json_integer(desired));
    }
    if (args_has(args, "task-definition")) {
        (void)json_object_set_new(in, "taskDefinition",
                                  json_string(args_get(args, "task-definition", "")));
    }
    return plan(cli, args, json_pack("[{s:o}]", "service", in));
}

/* --- plan drain, remove-nodes, add-nodes
 * ----------------------------------------------------------
 */

static const struct option_def nodes_options[] = {
    {"filter", "EXPRESSION", "Nodes that this selects (cluster query language).", false},
    {"percent", "N", "Only so many of these nodes; of all, when none are named.", false},
    {NULL, NULL, NULL, false},
};

static int plan_nodes(struct cli *cli, const struct args *args, const char *step)
{
    json_t *names = json_array();
    json_t *in = json_pack("{s:o}", "containerInstances", names);
    int64_t percent = 0;
    int rv = args_number(args, "percent", 1, 100, &percent);
    for (int i = 0; i < args->n && rv == EXIT_OK; i++) {
        json_t *found = NULL;
        rv = resolve_node(cli, args, args->positional[i], &found);
        if (rv == EXIT_OK) {
            (void)json_array_append_new(names, found);
        }
    }
    if (rv == EXIT_OK && args->n == 0 && percent == 0 && !args_has(args, "filter")) {
        complain("plan %s needs nodes, --filter or --percent", step);
        rv = EXIT_USAGE;
    }
    if (rv != EXIT_OK) {
        json_decref(in);
        return rv;
    }
    if (percent > 0) {
        (void)json_object_set_new(in, "percent", json_integer(percent));
    }
    if (args_has(args, "filter")) {
        (void)json_object_set_new(in, "filter", json_string(args_get(args, "filter", "")));
    }
    return plan(cli, args, json_pack("[{s:o}]", step, in));
}

static int run_drain(struct cli *cli, const struct args *args)
{
    return plan_nodes(cli, args, "drain");
}

static int run_remove(struct cli *cli, const struct args *args)
{
    return plan_nodes(cli, args, "remove");
}

static const struct option_def add_options[] = {
    {"like", "NODE", "As large and with the same attributes as this one.", false},
    {"cpu", "UNITS", "CPU units (1024 = one processor).", false},
    {"memory", "MIB", "Memory for tasks.", false},
    {"gpus", "N", "GPUs.", false},
    {"attribute", "NAME=VALUE", "Instead of those of --like.", true},
    {NULL, NULL, NULL, false},
};

/* {"name","value"} list; NULL after complaining. */
static json_t *attributes_of(const struct args *args)
{
    json_t *list = json_array();
    const char *text;
    for (int i = 0; (text = args_nth(args, "attribute", i)) != NULL; i++) {
        const char *equals = strchr(text, '=');
        if (equals == NULL || equals == text) {
            complain("--attribute must be NAME=VALUE, not '%s'", text);
            json_decref(list);
            return NULL;
        }
        (void)json_array_append_new(list, json_pack("{s:s%, s:s}", "name", text,
                                                    (size_t)(equals - text), "value", equals + 1));
    }
    return list;
}

static int add_amounts(const struct args *args, json_t *in)
{
    static const char *const names[] = {"cpu", "memory", "gpus"};
    int rv = EXIT_OK;
    for (size_t i = 0; i < sizeof names / sizeof names[0] && rv == EXIT_OK; i++) {
        int64_t n = -1;
        rv = args_number(args, names[i], 0, INT32_MAX, &n);
        if (n >= 0) {
            (void)json_object_set_new(in, names[i], json_integer(n));
        }
    }
    return rv;
}

static int run_add(struct cli *cli, const struct args *args)
{
    uint64_t count = 0;
    json_t *in = json_object();
    json_t *attributes = attributes_of(args);
    json_t *like = NULL;
    int rv = attributes == NULL ? EXIT_USAGE : add_amounts(args, in);
    if (rv == EXIT_OK &&
        (!str_u64(str_of(args->positional[0]), &count) || count < 1 || count > ADD_MAX)) {
        complain("plan add-nodes needs a number from 1 to %d, not '%s'", ADD_MAX,
                 args->positional[0]);
        rv = EXIT_USAGE;
    }
    if (rv == EXIT_OK && args_has(args, "like")) {
        rv = resolve_node(cli, args, args_get(args, "like", ""), &like);
    } else if (rv == EXIT_OK && !(args_has(args, "cpu") && args_has(args, "memory"))) {
        complain("plan add-nodes needs --like, or --cpu and --memory");
        rv = EXIT_USAGE;
    }
    if (rv != EXIT_OK) {
        json_decref(attributes);
        json_decref(in);
        return rv;
    }
    (void)json_object_set_new(in, "count", json_integer((json_int_t)count));
    (void)json_object_set_new(in, "attributes", attributes);
    if (like != NULL) {
        (void)json_object_set_new(in, "like", like);
    }
    return plan(cli, args, json_pack("[{s:o}]", "add", in));
}

/* --- plan rebalance ------------------------------------------------------------------------------
 */

static const struct option_def rebalance_options[] = {
    {"moves", "N", "Move at most so many tasks (default 100).", false},
    {NULL, NULL, NULL, false},
};

static uint32_t read_shapes(const json_t *list, struct configlp_shape *ret)
{
    uint32_t n = 0;
    for (; n < json_array_size(list) && n < CONFIGLP_SHAPES_MAX; n++) {
        const json_t *s = json_array_get(list, n);
        ret[n] = (struct configlp_shape){
            (uint32_t)value_number(s, "cpu", 0), (uint32_t)value_number(s, "memory", 0),
            (uint32_t)value_number(s, "gpus", 0), (uint32_t)value_number(s, "count", 0)};
    }
    return n;
}

/* What no plan can go below, whatever its moves. */
static void say_bound(const struct cli *cli, const json_t *step)
{
    struct configlp_shape tasks[CONFIGLP_SHAPES_MAX], nodes[CONFIGLP_SHAPES_MAX];
    uint32_t n_tasks = read_shapes(value_at(step, "taskShapes"), tasks);
    uint32_t n_nodes = read_shapes(value_at(step, "nodeShapes"), nodes);
    struct configlp lp;
    struct err err = {0};
    if (n_tasks == 0) {
        return;
    }
    if (configlp_solve(tasks, n_tasks, nodes, n_nodes, &lp, &err) != 0) {
        say(cli, "how few nodes any plan needs is not known: %s", err.text);
        return;
    }
    if (lp.proven) {
        say(cli, "no plan needs fewer than %llu nodes for what runs",
            (unsigned long long)(lp.bound + 1 - 1e-6));
    } else {
        say(cli, "how few nodes any plan needs is not known: too many sizes of tasks");
    }
    configlp_close(&lp);
}

/* What a service has too many of in one availability zone. */
static void say_zone_moves(const struct cli *cli, const json_t *moves)
{
    if (json_array_size(moves) > 0) {
        say(cli,
            "%zu moves would even out services over availability zones:", json_array_size(moves));
    }
    for (size_t i = 0; i < json_array_size(moves); i++) {
        const json_t *m = json_array_get(moves, i);
        say(cli, "  %s: %s (%s, which has %lld) to %s (%s, which has %lld)",
            value_text(m, "name", "-"), value_text(m, "from.name", "-"),
            value_text(m, "fromZone", "-"), (long long)value_number(m, "fromTasks", 0),
            value_text(m, "to.name", "-"), value_text(m, "toZone", "-"),
            (long long)value_number(m, "toTasks", 0));
    }
}

static void say_rebalance(const struct cli *cli, const json_t *step)
{
    const json_t *zone_moves = value_at(step, "zoneMoves");
    const json_t *items = value_at(step, "items");
    const json_t *emptied = value_at(step, "emptied");
    long long moves = 0;
    for (size_t i = 0; i < json_array_size(items); i++) {
        moves += value_number(json_array_get(items, i), "placed", 0);
    }
    say_zone_moves(cli, zone_moves);
    say(cli, "%lld moves%s would empty %zu nodes; nothing was changed", moves,
        json_array_size(zone_moves) > 0 ? " more" : "", json_array_size(emptied));
    say_totals(cli, step);
    say_bound(cli, step);
    for (size_t i = 0; i < json_array_size(emptied); i++) {
        say(cli, "  %s", value_text(json_array_get(emptied, i), "name", "-"));
    }
    if (json_array_size(items) > 0) {
        render_list(cli, items, item_columns, sizeof item_columns / sizeof item_columns[0]);
    }
}

static int plan_rebalance(struct cli *cli, const struct args *args, bool zones, json_t **ret)
{
    int64_t moves = 100;
    int rv = args_number(args, "moves", 1, 10000, &moves);
    return rv != EXIT_OK ? rv
                         : call(cli, "admin.Plan",
                                json_pack("{s:s, s:[{s:{s:I, s:b, s:b}}]}", "cluster",
                                          cluster_of(cli, args), "steps", "rebalance", "maxMoves",
                                          (json_int_t)moves, "shapes", zones, "zones", zones),
                                ret);
}

static int run_rebalance(struct cli *cli, const struct args *args)
{
    json_t *out = NULL;
    int rv = plan_rebalance(cli, args, true, &out);
    if (rv != EXIT_OK) {
        return rv;
    }
    if (cli->output == OUTPUT_TABLE) {
        say_rebalance(cli, json_array_get(value_at(out, "steps"), 0));
    } else {
        render_object(cli, out, NULL, 0);
    }
    json_decref(out);
    return EXIT_OK;
}

/* --- cluster rebalance ---------------------------------------------------------------------------
 *
 * The nodes of the plan are drained together, so that nothing moves to one that is to be emptied as
 * well, and are ACTIVE again afterwards, however it ended. Draining starts every task elsewhere
 * before it stops it, within the bounds of its service. Moves between zones are not in this plan,
 * since nothing carries them out: what is to be emptied must not count on them. */

const struct option_def cluster_rebalance_options[] = {
    {"moves", "N", "Move at most so many tasks (default 100).", false},
    {"for", "SECONDS", "How long it may take (default 600).", false},
    {NULL, NULL, NULL, false},
};

static int set_all(struct cli *cli, const struct args *args, const json_t *nodes,
                   const char *status)
{
    int rv = EXIT_OK;
    for (size_t i = 0; i < json_array_size(nodes); i++) {
        json_t *out = NULL;
        const char *arn = value_text(json_array_get(nodes, i), "containerInstanceArn", "");
        int one = call(cli, "UpdateContainerInstancesState",
                       json_pack("{s:s, s:[s], s:s}", "cluster", cluster_of(cli, args),
                                 "containerInstances", arn, "status", status),
                       &out);
        json_decref(out);
        rv = rv == EXIT_OK ? one : rv;
    }
    return rv;
}

/* How many tasks are left on them. */
static int count_left(struct cli *cli, const struct args *args, const json_t *nodes,
                      long long *ret_n)
{
    json_t *names = json_array();
    json_t *rows = NULL;
    for (size_t i = 0; i < json_array_size(nodes); i++) {
        (void)json_array_append(names, value_at(json_array_get(nodes, i), "containerInstanceArn"));
    }
    int rv = call_describe(cli, "DescribeContainerInstances",
                           json_pack("{s:s}", "cluster", cluster_of(cli, args)),
                           "containerInstances", 100, names, "containerInstances", &rows);
    json_decref(names);
    *ret_n = 0;
    for (size_t i = 0; rv == EXIT_OK && i < json_array_size(rows); i++) {
        *ret_n += value_number(json_array_get(rows, i), "runningTasksCount", 0) +
                  value_number(json_array_get(rows, i), "pendingTasksCount", 0);
    }
    json_decref(rows);
    return rv;
}

static int wait_until_empty(struct cli *cli, const struct args *args, const json_t *nodes,
                            int64_t seconds)
{
    long long left = 0;
    int rv = EXIT_OK;
    for (int64_t i = 0; rv == EXIT_OK && i <= 2 * seconds && !cli_interrupted(cli); i++) {
        rv = count_left(cli, args, nodes, &left);
        if (rv != EXIT_OK || left == 0) {
            break;
        }
        progress(cli, "%lld tasks are left on %zu nodes", left, json_array_size(nodes));
        cli_sleep_ms(cli, 500);
    }
    progress_end(cli);
    if (rv == EXIT_OK && left > 0 && !cli_interrupted(cli)) {
        complain("%lld tasks are still on the nodes that were to be emptied", left);
        rv = EXIT_TIMED_OUT;
    }
    return rv;
}

/* A drain empties a node; it cannot move one task of many. */
static void say_zones_left(struct cli *cli, const struct args *args)
{
    json_t *out = NULL;
    if (plan_rebalance(cli, args, true, &out) == EXIT_OK) {
        size_t n = json_array_size(value_at(out, "steps.0.zoneMoves"));
        if (n > 0) {
            say(cli,
                "%zu moves would even out services over availability zones; draining cannot make "
                "them, see plan rebalance",
                n);
        }
    }
    json_decref(out);
}

int run_cluster_rebalance(struct cli *cli, const struct args *args)
{
    json_t *out = NULL;
    const json_t *nodes;
    int64_t seconds = 600;
    int rv = args_number(args, "for", 1, 86400, &seconds);
    if (rv == EXIT_OK) {
        rv = plan_rebalance(cli, args, false, &out);
    }
    if (rv != EXIT_OK) {
        return rv;
    }
    nodes = value_at(out, "steps.0.emptied");
    if (json_array_size(nodes) > 0) {
        rv = set_all(cli, args, nodes, "DRAINING");
        if (rv == EXIT_OK) {
            rv = wait_until_empty(cli, args, nodes, seconds);
        }
        bool interrupted = cli_resume(cli);
        int undone = set_all(cli, args, nodes, "ACTIVE");
        rv = rv == EXIT_OK ? undone : rv;
        if (interrupted) {
            complain("interrupted; the nodes are ACTIVE again");
            rv = rv == EXIT_OK ? EXIT_FAILED : rv;
        }
    }
    if (rv == EXIT_OK) {
        say(cli, "%zu nodes are empty now and ACTIVE", json_array_size(nodes));
        say_zones_left(cli, args);
    }
    json_decref(out);
    return rv;
}

/* --- plan replay ---------------------------------------------------------------------------------
 */

static int run_replay(struct cli *cli, const struct args *args)
{
    json_t *steps = json_from_file(args->positional[0]);
    if (steps == NULL) {
        return EXIT_USAGE;
    }
    if (!json_is_array(steps)) {
        complain("%s: must be a list of steps, as in ecs-admin(1)", args->positional[0]);
        json_decref(steps);
        return EXIT_USAGE;
    }
    return plan(cli, args, steps);
}

const struct command_def plan_commands[] = {
    {"plan", "run", "NAME[:REVISION] [--count N]", 1, 1,
     "Where task run would put the tasks, and why not elsewhere.", run_options, run_run},
    {"plan", "service", "NAME [--desired N]", 1, 1,
     "What another count or definition of a service would do.", service_options, run_service},
    {"plan", "drain", "[NODE...] [--filter EXPRESSION]", 0, ARG_MAX_N,
     "Where the tasks of draining nodes would go.", nodes_options, run_drain},
    {"plan", "remove-nodes", "[NODE...] [--percent N]", 0, ARG_MAX_N,
     "What would be lost with nodes, and where the rest would go.", nodes_options, run_remove},
    {"plan", "add-nodes", "COUNT --like NODE", 1, 1, "What would start if there were more nodes.",
     add_options, run_add},
    {"plan", "rebalance", "[--moves N]", 0, 0, "Which nodes could be emptied by moving tasks.",
     rebalance_options, run_rebalance},
    {"plan", "replay", "FILE", 1, 1, "Several such steps, one on top of the other.", NULL,
     run_replay},
    {NULL, NULL, NULL, 0, 0, NULL, NULL, NULL},
};

/* --- task explain --------------------------------------------------------------------------------
 */

const struct option_def task_explain_options[] = {
    {"service", "NAME", "One more task of this service, instead of TASK.", false},
    {"task-definition", "NAME[:REVISION]", "A task that task run would start, instead.", false},
    {"strategy", "TYPE[:FIELD]", "With --task-definition: as for task run.", true},
    {"constraint", "EXPRESSION", "Likewise.", true},
    {"nodes", "N", "List so many nodes, the best first (default 20).", false},
    {NULL, NULL, NULL, false},
};

static json_t *make_node(const json_t *row)
{
    bool here = json_is_true(value_at(row, "here"));
    return json_sprintf("%s%s", value_text(row, "name", "-"), here ? " (it is here)" : "");
}

static json_t *make_why(const json_t *row)
{
    return json_string(value_text(row, "score", value_text(row, "reason", "")));
}

static const struct column node_columns[] = {
    {"NODE", NULL, make_node, false},
    {"RANK", "rank", NULL, true},
    {"SCORE, OR WHY NOT", NULL, make_why, false},
};

static int explain_request(struct cli *cli, const struct args *args, json_t *in)
{
    json_t *found = NULL;
    if (args->n + args_has(args, "service") + args_has(args, "task-definition") != 1) {
        complain("task explain needs one of TASK, --service and --task-definition");
        return EXIT_USAGE;
    }
    if (args->n == 1) {
        int rv = resolve_task(cli, args, args->positional[0], &found);
        if (rv == EXIT_OK) {
            (void)json_object_set_new(in, "task", found);
        }
        return rv;
    }
    if (args_has(args, "service")) {
        (void)json_object_set_new(in, "service", json_string(args_get(args, "service", "")));
        return EXIT_OK;
    }
    found = run_of(cli, args, args_get(args, "task-definition", ""));
    return json_object_set_new(in, "run", found) == 0 ? EXIT_OK : EXIT_USAGE;
}

int run_task_explain(struct cli *cli, const struct args *args)
{
    json_t *in = json_pack("{s:s}", "cluster", cluster_of(cli, args));
    json_t *out = NULL;
    int64_t nodes = 20;
    int rv = args_number(args, "nodes", 0, LIST_MAX, &nodes);
    if (rv == EXIT_OK) {
        rv = explain_request(cli, args, in);
    }
    if (rv != EXIT_OK) {
        json_decref(in);
        return rv;
    }
    (void)json_object_set_new(in, "maxNodes", json_integer(nodes));
    rv = call(cli, "admin.ExplainTask", in, &out);
    if (rv != EXIT_OK) {
        return rv;
    }
    if (cli->output == OUTPUT_TABLE) {
        say(cli, "%lld of %lld nodes have room", (long long)value_number(out, "feasible", 0),
            (long long)value_number(out, "nodes", 0));
        render_list(cli, value_at(out, "list"), node_columns,
                    sizeof node_columns / sizeof node_columns[0]);
        say_refusals(cli, out);
    } else {
        render_object(cli, out, NULL, 0);
    }
    rv = value_number(out, "feasible", 0) > 0 ? EXIT_OK : EXIT_FAILED;
    json_decref(out);
    return rv;
}
