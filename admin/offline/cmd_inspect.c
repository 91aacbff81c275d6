/* Looking into log and checkpoint files. Output is written as it is read: logs are long. */
#include "admin/cli.h"
#include "admin/offline/describe.h"
#include "admin/offline/place.h"
#include "common/loop/sysmem.h"
#include "controller/codec/object.h"
#include "controller/raftio/logread.h"
#include "controller/storage/image.h"

#include <inttypes.h>
#include <raft.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUMMARY_MAX 96

/* --- lists that are printed while they grow -------------------------------------------------- */

/* JSON: one array, an element at a time. Tables are lines anyway. */
struct stream {
    bool json;
    unsigned long long n;
};

static void stream_put(struct stream *s, json_t *element)
{
    char *text = json_dumps(element, JSON_INDENT(2));
    (void)printf("%s%s", s->n == 0 ? "[\n" : ",\n", text == NULL ? "null" : text);
    s->n++;
    free(text);
    json_decref(element);
}

static void stream_end(const struct stream *s)
{
    if (s->json) {
        (void)puts(s->n == 0 ? "[]" : "\n]");
    }
}

static int no_yaml(const struct cli *cli)
{
    if (cli->output == OUTPUT_YAML) {
        complain("--output must be table or json here");
        return EXIT_USAGE;
    }
    return EXIT_OK;
}

/* --- log ------------------------------------------------------------------------------------- */

struct log_view {
    struct stream out;
    struct codec *codec;
    struct arena arena;
    int64_t from;
    int64_t to;
    bool header; /* Of the table; printed. */
    unsigned long long n_undecoded;
};

static const char *type_name(uint32_t type)
{
    static const char *const names[] = {"?", "command", "barrier", "members"};
    return type < sizeof names / sizeof names[0] ? names[type] : "?";
}

static bool wanted(const struct log_view *v, uint64_t index)
{
    return index >= (uint64_t)v->from && index <= (uint64_t)v->to;
}

static void record_json(struct log_view *v, const struct logread_record *r,
                        const struct command *commands, uint32_t n, const char *error)
{
    json_t *list = json_array();
    json_t *o =
        json_pack("{s:I, s:I, s:s, s:s, s:I, s:I, s:b}", "index", (json_int_t)r->index, "term",
                  (json_int_t)r->term, "type", type_name(r->type), "file", r->file, "offset",
                  (json_int_t)r->offset, "bytes", (json_int_t)r->len, "replaced", (int)r->replaced);
    for (uint32_t i = 0; i < n; i++) {
        (void)json_array_append_new(list, describe_command(&commands[i]));
    }
    (void)json_object_set_new(o, "commands", list);
    if (error != NULL) {
        (void)json_object_set_new(o, "error", json_string(error));
    }
    stream_put(&v->out, o);
}

static void record_line(struct log_view *v, const struct logread_record *r,
                        const struct command *commands, uint32_t n, const char *error)
{
    char time[DESCRIBE_TIME_LEN] = "-";
    if (!v->header) {
        v->header = true;
        (void)printf("%10s %8s  %-24s %-8s %8s  %s\n", "INDEX", "TERM", "TIME", "TYPE", "BYTES",
                     "COMMANDS");
    }
    if (n > 0) {
        describe_time(commands[0].at_ms, time);
    }
    (void)printf("%10" PRIu64 " %8" PRIu64 "  %-24s %-8s %8zu ", r->index, r->term, time,
                 type_name(r->type), r->len);
    for (uint32_t i = 0; i < n; i++) {
        char text[SUMMARY_MAX];
        describe_summary(&commands[i], text, sizeof text);
        (void)printf("%s %s", i == 0 ? "" : ",", text);
    }
    (void)printf("%s%s%s\n", r->replaced ? " (replaced)" : "", error == NULL ? "" : " ",
                 error == NULL ? "" : error);
}

static void on_record(void *ctx, const struct logread_record *r)
{
    struct log_view *v = ctx;
    struct command *commands = NULL;
    struct err err = {0};
    uint32_t n = 0;
    if (!wanted(v, r->index)) {
        return;
    }
    arena_clear(&v->arena);
    if (r->type == RAFT_COMMAND &&
        codec_decode_batch(v->codec, str_make((const char *)r->bytes, r->len), &v->arena, &commands,
                           &n, &err) != 0) {
        v->n_undecoded++;
    }
    if (v->out.json) {
        record_json(v, r, commands, n, err.code == 0 ? NULL : err.text);
    } else {
        record_line(v, r, commands, n, err.code == 0 ? NULL : err.text);
    }
}

static void on_damage(void *ctx, const struct logread_damage *d)
{
    const struct log_view *v = ctx;
    (void)v;
    complain("%s: %s at offset %" PRIu64 " (%" PRIu64 " bytes): %s", d->file,
             d->torn ? "torn" : "damaged", d->offset, d->length, d->why);
}

static int log_verdict(const struct cli *cli, const struct log_view *v,
                       const struct logread_summary *s)
{
    say(cli,
        "%" PRIu64 " files, entries %" PRIu64 " to %" PRIu64 " (term %" PRIu64 "), %" PRIu64
        " replaced, durable at least to %" PRIu64 "%s",
        s->n_files, s->first, s->last, s->last_term, s->n_replaced, s->synced,
        s->n_damaged == 0 && v->n_undecoded == 0 ? "" : "; DAMAGED");
    return s->n_damaged == 0 && v->n_undecoded == 0 ? EXIT_OK : EXIT_FAILED;
}

static const struct option_def log_options[] = {
    {"from", "INDEX", "First entry to show.", false},
    {"to", "INDEX", "Last entry to show.", false},
    {NULL, NULL, NULL, false},
};

static int read_log(const struct cli *cli, const char *path, struct log_view *v)
{
    static const struct logread_events events = {.record = on_record, .damage = on_damage};
    struct logread_summary sum = {0};
    struct disk disk = {0};
    struct err err = {0};
    int rv = disk_readonly_open(path, &disk, &err);
    if (rv == 0) {
        rv = codec_open(sysmem(), &v->codec, &err);
    }
    if (rv == 0) {
        arena_init(&v->arena, sysmem());
        rv = logread(&disk, sysmem(), &events, v, &sum, &err);
        arena_close(&v->arena);
    }
    if (rv == 0) {
        stream_end(&v->out);
    }
    codec_close(v->codec);
    disk_readonly_close(&disk);
    if (rv == 0 && sum.n_files == 0) {
        rv = err_set(&err, ERR_NOTFOUND, "%s: no log files", path);
    }
    if (rv != 0) {
        complain("%s", err.text);
        return rv == ERR_NOTFOUND ? EXIT_NOT_FOUND : EXIT_FAILED;
    }
    return log_verdict(cli, v, &sum);
}

static int run_log(struct cli *cli, const struct args *args)
{
    struct log_view v = {.to = INT64_MAX};
    char path[PLACE_PATH_MAX];
    struct err err = {0};
    int rv = no_yaml(cli);
    if (rv == EXIT_OK) {
        rv = args_number(args, "from", 0, INT64_MAX, &v.from);
    }
    if (rv == EXIT_OK) {
        rv = args_number(args, "to", 0, INT64_MAX, &v.to);
    }
    if (rv != EXIT_OK) {
        return rv;
    }
    if (place_log(args->positional[0], path, &err) != 0) {
        complain("%s", err.text);
        return EXIT_NOT_FOUND;
    }
    v.out.json = cli->output == OUTPUT_JSON;
    return read_log(cli, path, &v);
}

/* --- checkpoint ------------------------------------------------------------------------------ */

struct rows_view {
    struct stream out;
    struct codec *codec;
    struct arena arena;
    const char *path;
    const char *table; /* Print the rows of this one; NULL: count all. */
    unsigned long long n[KIND_N];
    unsigned long long n_bad;
    const char *names[KIND_N];
};

static void row_out(struct rows_view *v, const struct image_row *r, const void *row)
{
    json_t *o = json_object();
    json_t *fields = describe_object(schema_of_kind(r->kind), row);
    (void)json_object_set_new(o, "table", json_string(r->table));
    (void)json_object_set_new(o, "slot", json_integer((json_int_t)r->slot));
    (void)json_object_set_new(o, "row", fields);
    if (v->out.json) {
        stream_put(&v->out, o);
        return;
    }
    {
        char *text = json_dumps(fields, JSON_COMPACT);
        (void)printf("%s %lld %s\n", r->table, (long long)r->slot, text == NULL ? "?" : text);
        free(text);
        json_decref(o);
    }
}

static int on_row(void *ctx, const struct image_row *r, struct err *err)
{
    struct rows_view *v = ctx;
    struct err why = {0};
    void *row = NULL;
    (void)err;
    v->n[r->kind]++;
    v->names[r->kind] = r->table;
    arena_clear(&v->arena);
    if (!r->whole) {
        (void)err_set(&why, ERR_CORRUPT, "checksum does not match");
    } else {
        (void)codec_decode_row(v->codec, r->kind, r->bytes, &v->arena, &row, &why);
    }
    if (why.code != 0) {
        v->n_bad++;
        complain("%s: table %s, slot %lld: %s", v->path, r->table, (long long)r->slot, why.text);
    } else if (v->table != NULL && strcmp(v->table, r->table) == 0) {
        row_out(v, r, row);
    }
    return 0;
}

static void on_fault(void *ctx, const char *what)
{
    struct rows_view *v = ctx;
    v->n_bad++;
    complain("%s: %s", v->path, what);
}

/* Loads everything as a controller would: references, revision, digest. */
static int load_check(struct image *image, const struct rows_view *v, struct err *err)
{
    struct store *store = store_open(sysmem());
    int rv = image_load(image, v->codec, store, sysmem(), err);
    if (rv == 0) {
        rv = store_check(store, err);
    }
    store_close(store);
    return rv;
}

static json_t *counts_of(const struct rows_view *v)
{
    json_t *counts = json_object();
    for (int kind = 1; kind < KIND_N; kind++) {
        if (v->n[kind] > 0) {
            (void)json_object_set_new(counts, v->names[kind], json_integer((json_int_t)v->n[kind]));
        }
    }
    return counts;
}

static const struct column checkpoint_columns[] = {
    {"FILE", "file", NULL, false},       {"INDEX", "index", NULL, false},
    {"TERM", "term", NULL, false},       {"REVISION", "revision", NULL, false},
    {"DIGEST", "digest", NULL, false},   {"ROWS", "rows", NULL, false},
    {"VERDICT", "verdict", NULL, false},
};

static int checkpoint_result(struct cli *cli, struct image *image, struct rows_view *v)
{
    struct storage_point p = {0};
    struct err err = {0};
    uint64_t hash;
    char digest[20];
    json_t *o;
    int rv = image_point(image, &p, &hash, &err);
    if (rv == 0 && v->n_bad == 0) {
        rv = load_check(image, v, &err);
    }
    (void)snprintf(digest, sizeof digest, "%016" PRIx64, p.digest);
    if (v->table != NULL) {
        stream_end(&v->out);
    } else {
        o = json_pack("{s:s, s:I, s:I, s:I, s:s, s:o, s:s}", "file", v->path, "index",
                      (json_int_t)p.index, "term", (json_int_t)p.term, "revision",
                      (json_int_t)p.revision, "digest", digest, "rows", counts_of(v), "verdict",
                      rv != 0        ? err.text
                      : v->n_bad > 0 ? "damaged"
                                     : "whole");
        render_object(cli, o, checkpoint_columns,
                      sizeof checkpoint_columns / sizeof checkpoint_columns[0]);
        json_decref(o);
    }
    if (rv != 0) {
        complain("%s: %s", v->path, err.text);
    }
    return rv == 0 && v->n_bad == 0 ? EXIT_OK : EXIT_FAILED;
}

static const struct option_def checkpoint_options[] = {
    {"table", "NAME", "Print the rows of this table: cluster, service, node, task, ...", false},
    {NULL, NULL, NULL, false},
};

static int read_checkpoint(struct cli *cli, struct rows_view *v, struct err *err)
{
    struct image *image = NULL;
    int status = EXIT_OK;
    int rv = image_open(v->path, &image, err);
    if (rv == 0) {
        rv = codec_open(sysmem(), &v->codec, err);
    }
    if (rv == 0) {
        rv = image_faults(image, on_fault, v, err);
    }
    if (rv == 0) {
        arena_init(&v->arena, sysmem());
        rv = image_each(image, on_row, v, err);
        arena_close(&v->arena);
    }
    if (rv == 0) {
        status = checkpoint_result(cli, image, v);
    }
    codec_close(v->codec);
    image_close(image);
    return rv == 0 ? status : rv;
}

static int run_checkpoint(struct cli *cli, const struct args *args)
{
    struct rows_view v = {.table = args_get(args, "table", NULL)};
    char path[PLACE_PATH_MAX];
    struct err err = {0};
    int rv = v.table == NULL ? EXIT_OK : no_yaml(cli);
    if (rv != EXIT_OK) {
        return rv;
    }
    v.path = path;
    v.out.json = v.table != NULL && cli->output == OUTPUT_JSON;
    rv = place_checkpoint(args->positional[0], path, &err);
    if (rv == 0) {
        rv = read_checkpoint(cli, &v, &err);
    }
    if (rv < 0) {
        complain("%s", err.text);
        return rv == ERR_NOTFOUND ? EXIT_NOT_FOUND : EXIT_FAILED;
    }
    return rv;
}

const struct command_def inspect_commands[] = {
    {"log", "inspect", "DIR [--from I] [--to J]", 1, 1,
     "The entries of a controller's log, and what is damaged.", log_options, run_log},
    {"checkpoint", "inspect", "DIR|FILE [--table NAME]", 1, 1,
     "What a checkpoint holds, and whether it is whole.", checkpoint_options, run_checkpoint},
    {NULL, NULL, NULL, 0, 0, NULL, NULL, NULL},
};
