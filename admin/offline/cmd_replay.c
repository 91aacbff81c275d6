/* The past, from the files: the state at an entry or a time, and why a task was put where it is.
 * The same core carries out the same commands, so what comes out is what was. */
#include "admin/cli.h"
#include "admin/offline/backup.h"
#include "admin/offline/describe.h"
#include "admin/offline/secret.h"
#include "admin/offline/source.h"
#include "admin/offline/why.h"
#include "common/base/str.h"
#include "common/loop/sysmem.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct replay {
    struct source source;
    uint64_t until_index; /* Stop after this entry, ... */
    int64_t until_ms;     /* ... or before a command of a later time. */
    struct id task;       /* Stop at the command that places it; none: not asked. */
    struct why why;
    bool found;
};

/* --- until ----------------------------------------------------------------------------------- */

/* "2026-11-25T22:33:22Z" or with fractions of a second. */
static bool read_time(const char *text, int64_t *ret)
{
    struct tm tm = {0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    int64_t ms = 0;
    int scale = 100;
    if (rest == NULL) {
        return false;
    }
    if (*rest == '.') {
        for (rest++; *rest >= '0' && *rest <= '9'; rest++, scale /= 10) {
            ms += (*rest - '0') * scale;
        }
    }
    *ret = (int64_t)timegm(&tm) * 1000 + ms;
    return strcmp(rest, "Z") == 0;
}

static int read_until(const struct args *args, struct replay *r)
{
    const char *text = args_get(args, "until", NULL);
    r->until_index = UINT64_MAX;
    r->until_ms = INT64_MAX;
    if (text == NULL || str_u64(str_of(text), &r->until_index) || read_time(text, &r->until_ms)) {
        return EXIT_OK;
    }
    complain("--until must be the index of an entry or a time like 2026-11-25T22:33:22Z, not '%s'",
             text);
    return EXIT_USAGE;
}

/* --- going through the log ------------------------------------------------------------------- */

/* Does the command create the task? Its place in the plan. */
static bool creates(const struct command *cmd, struct id task, uint32_t *ret)
{
    for (uint32_t i = 0; cmd->kind == CMD_PLAN && i < cmd->u.plan.n_tasks; i++) {
        if (id_eq(cmd->u.plan.tasks[i].id, task)) {
            *ret = i;
            return true;
        }
    }
    return false;
}

/* 0, 1 to stop here, or an error. */
static int one_command(struct replay *r, const struct command *cmd, struct err *err)
{
    uint32_t at;
    int rv;
    if (cmd->at_ms > r->until_ms) {
        return 1;
    }
    if (!id_is_none(r->task) && creates(cmd, r->task, &at)) {
        r->why = (struct why){.index = r->source.at.index + 1, .at_ms = cmd->at_ms};
        rv = why_placed(r->source.store, cmd, at, &r->why, err);
        r->found = true;
        return rv != 0 ? rv : 1;
    }
    return source_apply(&r->source, cmd, err);
}

static int run_through(struct replay *r, struct err *err)
{
    const struct cache_entry *entry;
    struct command *commands = NULL;
    struct err why = {0};
    uint32_t n;
    while (r->source.at.index < r->until_index &&
           source_next(&r->source, &entry, &commands, &n, &why)) {
        int rv = why.code;
        for (uint32_t i = 0; rv == 0 && i < n; i++) {
            rv = one_command(r, &commands[i], &why);
        }
        if (rv != 0) {
            return rv == 1 ? 0 : err_set(err, rv, "%s", why.text);
        }
        source_done(&r->source, entry);
    }
    return 0;
}

/* --- where to begin -------------------------------------------------------------------------- */

static int begin_with_backup(const struct args *args, struct replay *r)
{
    struct backup_head head;
    struct backup_content content = {0};
    struct image *image = NULL;
    struct err err = {0};
    int rv = secret_open_backup(args, args_get(args, "backup", ""), &head, &content);
    if (rv != EXIT_OK) {
        return rv;
    }
    if (image_open_bytes(content.bytes, content.n, &image, &err) != 0 ||
        source_load(&r->source, image, &err) != 0) {
        complain("%s", err.text);
        rv = EXIT_FAILED;
    }
    image_close(image);
    backup_content_close(&content);
    return rv;
}

/* As early as can be: from nothing when the log is whole, which shows most; else from the
 * checkpoint. */
static int begin_with_dir(struct replay *r, const char *dir)
{
    struct err err = {0};
    bool whole = r->source.entries.first == 1;
    if (source_load_dir(&r->source, dir, whole, &err) != 0) {
        complain("%s", err.text);
        return err.code == ERR_NOTFOUND ? EXIT_NOT_FOUND : EXIT_FAILED;
    }
    return EXIT_OK;
}

static int begin(const struct args *args, struct replay *r)
{
    const char *dir = args_get(args, "data-dir", NULL);
    struct err err = {0};
    int rv = EXIT_OK;
    if (dir == NULL && !args_has(args, "backup")) {
        complain("give --data-dir, --backup, or both");
        return EXIT_USAGE;
    }
    if (dir != NULL && source_read_log(&r->source, dir, &err) != 0) {
        complain("%s", err.text);
        return err.code == ERR_NOTFOUND ? EXIT_NOT_FOUND : EXIT_FAILED;
    }
    rv = args_has(args, "backup") ? begin_with_backup(args, r) : begin_with_dir(r, dir);
    if (rv == EXIT_OK && dir != NULL && source_check(&r->source, &err) != 0) {
        complain("%s", err.text);
        return EXIT_FAILED;
    }
    if (rv == EXIT_OK && r->source.at.index > r->until_index) {
        complain("the state there is begins with entry %" PRIu64
                 ": for earlier ones give a --backup from before",
                 r->source.at.index);
        return EXIT_NOT_FOUND;
    }
    return rv;
}

/* --- results --------------------------------------------------------------------------------- */

static json_t *state_json(const struct replay *r)
{
    static const char *const names[KIND_N] = {
        [KIND_CLUSTER] = "clusters",
        [KIND_TASKDEF] = "taskDefinitions",
        [KIND_SERVICE] = "services",
        [KIND_NODE] = "nodes",
        [KIND_TASK] = "tasks",
        [KIND_TOKEN] = "tokens",
        [KIND_FAMILY] = "families",
        [KIND_JOIN] = "joinTokens",
        [KIND_CAPACITY_PROVIDER] = "capacityProviders",
    };
    const struct source *s = &r->source;
    const struct meta *meta = store_meta(s->store);
    char digest[20];
    char now[DESCRIBE_TIME_LEN];
    json_t *o;
    (void)snprintf(digest, sizeof digest, "%016" PRIx64, meta->digest);
    describe_time(meta->now, now);
    o = json_pack("{s:I, s:I, s:I, s:I, s:s, s:s}", "index", (json_int_t)s->at.index, "term",
                  (json_int_t)s->at.term, "epoch", (json_int_t)meta->epoch, "revision",
                  (json_int_t)meta->revision, "digest", digest, "time", now);
    for (int kind = 1; kind < KIND_N; kind++) {
        if (names[kind] != NULL) {
            (void)json_object_set_new(o, names[kind],
                                      json_integer(store_count(s->store, (enum kind)kind)));
        }
    }
    return o;
}

static const struct column state_columns[] = {
    {"INDEX", "index", NULL, false},
    {"TERM", "term", NULL, false},
    {"EPOCH", "epoch", NULL, false},
    {"TIME", "time", NULL, false},
    {"REVISION", "revision", NULL, false},
    {"DIGEST", "digest", NULL, false},
    {"CLUSTERS", "clusters", NULL, false},
    {"SERVICES", "services", NULL, false},
    {"TASK DEFINITIONS", "taskDefinitions", NULL, false},
    {"NODES", "nodes", NULL, false},
    {"TASKS", "tasks", NULL, false},
};

static const struct column why_columns[] = {
    {"NODE", "name", NULL, false},     {"VERDICT", "verdict", NULL, false},
    {"CPU FREE", "cpu", NULL, true},   {"MEMORY FREE", "memory", NULL, true},
    {"TASKS", "tasks", NULL, true},    {"OF THE GROUP", "ofGroup", NULL, true},
    {"DETAIL", "detail", NULL, false},
};

static int show_why(struct cli *cli, struct replay *r)
{
    char time[DESCRIBE_TIME_LEN];
    describe_time(r->why.at_ms, time);
    if (cli->output != OUTPUT_TABLE) {
        json_t *o = json_pack("{s:I, s:s, s:s, s:s, s:s, s:O}", "index", (json_int_t)r->why.index,
                              "time", time, "group", r->why.group, "by", r->why.by, "strategy",
                              r->why.strategy, "nodes", r->why.nodes);
        render_object(cli, o, NULL, 0);
        json_decref(o);
        return EXIT_OK;
    }
    say(cli,
        "placed by entry %" PRIu64 " at %s, %s, group %s, strategy %s; just before:", r->why.index,
        time, r->why.by, r->why.group, r->why.strategy);
    render_list(cli, r->why.nodes, why_columns, sizeof why_columns / sizeof why_columns[0]);
    return EXIT_OK;
}

static int show(struct cli *cli, struct replay *r)
{
    json_t *o;
    if (!id_is_none(r->task)) {
        if (r->found) {
            return show_why(cli, r);
        }
        complain("no entry from %" PRIu64 " to %" PRIu64 " places that task%s",
                 r->source.checkpoint + 1, r->source.at.index,
                 store_find_task(r->source.store, r->task) == SLOT_NONE
                     ? ""
                     : ": it is older; give a --backup from before it, and a log from then on");
        return EXIT_NOT_FOUND;
    }
    o = state_json(r);
    render_object(cli, o, state_columns, sizeof state_columns / sizeof state_columns[0]);
    json_decref(o);
    return EXIT_OK;
}

static int run_replay(struct cli *cli, const struct args *args)
{
    const char *task = args_get(args, "task", NULL);
    struct replay r = {0};
    struct err err = {0};
    int rv = read_until(args, &r);
    if (rv == EXIT_OK && task != NULL && !id_parse(str_of(short_name(task)), &r.task)) {
        complain("--task must be the id or ARN of a task, not '%s'", task);
        rv = EXIT_USAGE;
    }
    if (rv != EXIT_OK) {
        return rv;
    }
    source_init(&r.source);
    rv = begin(args, &r);
    if (rv == EXIT_OK && run_through(&r, &err) != 0) {
        complain("%s", err.text);
        rv = EXIT_FAILED;
    }
    if (rv == EXIT_OK) {
        rv = show(cli, &r);
    }
    json_decref(r.why.nodes);
    source_close(&r.source);
    return rv;
}

static const struct option_def options[] = {
    {"data-dir", "DIR", "A controller's data directory, in use or not, or a copy.", false},
    {"backup", "FILE", "Begin with this state instead of the checkpoint.", false},
    {"until", "INDEX|TIME", "Stop after this entry, or at this time (UTC).", false},
    {"task", "ID", "Why was this task put on its node?", false},
    SECRET_OPTIONS,
    {NULL, NULL, NULL, false},
};

const struct command_def replay_commands[] = {
    {"replay", "", "--data-dir DIR|--backup FILE [--until INDEX|TIME] [--task ID]", 0, 0,
     "The state at an entry or a time; why a task is where it is.", options, run_replay},
    {NULL, NULL, NULL, 0, 0, NULL, NULL, NULL},
};
