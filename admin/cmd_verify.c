/* The verdict over all controllers: what each one's auditor finds, and whether they agree. */
#include "admin/cli.h"
#include "common/base/str.h"

#include <stdio.h>
#include <string.h>

#define MEMBERS_MAX 16
#define POLL_MS     200

struct verdict {
    json_t *members; /* Rows for people and programs. */
    json_t *answers[MEMBERS_MAX];
    struct conf_list doors[MEMBERS_MAX];
    const char *items[MEMBERS_MAX];
    size_t n;
    int64_t wanted[MEMBERS_MAX];
};

/* The next calls go to this member alone. */
static void turn_to(struct cli *cli, struct verdict *v, size_t i)
{
    client_close(cli->client);
    cli->client = NULL;
    cli->config.endpoints = v->doors[i];
}

static int ask(struct cli *cli, struct verdict *v, size_t i, json_t *request)
{
    struct err err = {0};
    json_t *out = NULL;
    int rv;
    turn_to(cli, v, i);
    rv = call_quietly(cli, "admin.Verify", request, &out, &err);
    json_decref(v->answers[i]);
    v->answers[i] = rv == EXIT_OK ? out : NULL;
    if (rv != EXIT_OK) {
        complain("%s: %s", v->items[i], err.text);
    }
    return rv;
}

static int begin_rounds(struct cli *cli, struct verdict *v)
{
    int worst = EXIT_OK;
    for (size_t i = 0; i < v->n; i++) {
        int rv = ask(cli, v, i, json_pack("{s:b}", "start", 1));
        v->wanted[i] = rv == EXIT_OK ? value_number(v->answers[i], "wanted", 0) : -1;
        worst = rv == EXIT_OK ? worst : EXIT_UNREACHABLE;
    }
    return worst;
}

/* Until every member that answers has gone once round its state. */
static int wait_rounds(struct cli *cli, struct verdict *v)
{
    for (size_t i = 0; i < v->n; i++) {
        while (v->wanted[i] >= 0 && value_number(v->answers[i], "rounds", 0) < v->wanted[i]) {
            progress(cli, "member %lld: looking at its state",
                     (long long)value_number(v->answers[i], "memberId", 0));
            cli_sleep_ms(cli, POLL_MS);
            if (cli_interrupted(cli) || ask(cli, v, i, json_object()) != EXIT_OK) {
                return EXIT_UNREACHABLE;
            }
        }
    }
    progress_end(cli);
    return EXIT_OK;
}

/* Every member's digest at the least revision among them; *ret says how many different ones. */
static int compare_digests(struct cli *cli, struct verdict *v, int *ret)
{
    const char *first = NULL;
    int64_t least = INT64_MAX;
    int rv = EXIT_OK;
    *ret = 0;
    for (size_t i = 0; i < v->n; i++) {
        int64_t revision = value_number(v->answers[i], "revision", INT64_MAX);
        least = revision < least ? revision : least;
    }
    for (size_t i = 0; i < v->n && rv == EXIT_OK; i++) {
        const char *digest;
        if (v->wanted[i] < 0) {
            continue;
        }
        rv = ask(cli, v, i, json_pack("{s:I}", "digestAt", (json_int_t)least));
        digest = value_text(v->answers[i], "digestAt", NULL);
        if (digest != NULL && (first == NULL || strcmp(digest, first) != 0)) {
            (*ret)++;
            first = first == NULL ? digest : first;
        }
    }
    return rv;
}

static int show(struct cli *cli, struct verdict *v, int n_digests)
{
    static const struct column columns[] = {
        {"MEMBER", "memberId", NULL, true},  {"REVISION", "revision", NULL, true},
        {"DIGEST", "digestAt", NULL, false}, {"ROUNDS", "rounds", NULL, true},
        {"ROWS", "rows", NULL, true},        {"FOUND", "found", NULL, true},
        {"TOTAL", "total", NULL, true},
    };
    json_t *rows = json_array();
    int64_t found = 0;
    size_t n = 0;
    for (size_t i = 0; i < v->n; i++) {
        if (v->answers[i] != NULL) {
            (void)json_array_append(rows, v->answers[i]);
            found += value_number(v->answers[i], "found", 0);
            n++;
        }
        for (size_t k = 0; k < json_array_size(value_at(v->answers[i], "findings")); k++) {
            const json_t *f = json_array_get(value_at(v->answers[i], "findings"), k);
            complain("member %lld: %s: %s", (long long)value_number(v->answers[i], "memberId", 0),
                     value_text(f, "rule", "?"), value_text(f, "text", "?"));
        }
    }
    render_list(cli, rows, columns, sizeof columns / sizeof columns[0]);
    json_decref(rows);
    if (n_digests > 1) {
        complain("the controllers do not agree: %d different digests at the same revision",
                 n_digests);
    }
    if (found == 0 && n_digests == 1) {
        say(cli, "%zu of %zu controllers agree and have nothing to object to", n, v->n);
    }
    return found > 0 || n_digests > 1 ? EXIT_FAILED : n < v->n ? EXIT_UNREACHABLE : EXIT_OK;
}

static int find_members(struct cli *cli, struct verdict *v)
{
    json_t *out = NULL;
    int rv = call(cli, "admin.ListMembers", NULL, &out);
    if (rv != EXIT_OK) {
        return rv;
    }
    v->members = out;
    for (size_t i = 0; i < json_array_size(value_at(out, "members")) && i < MEMBERS_MAX; i++) {
        v->items[i] = value_text(json_array_get(value_at(out, "members"), i), "apiAddress", NULL);
        if (v->items[i] != NULL) {
            v->doors[i] = (struct conf_list){.items = &v->items[i], .n = 1};
            v->n = i + 1;
        }
    }
    return EXIT_OK;
}

static int run_verify(struct cli *cli, const struct args *args)
{
    struct verdict v = {0};
    int n_digests = 0;
    int unreachable;
    int rv = find_members(cli, &v);
    (void)args;
    if (rv != EXIT_OK) {
        return rv;
    }
    unreachable = begin_rounds(cli, &v);
    rv = wait_rounds(cli, &v);
    if (rv == EXIT_OK) {
        rv = compare_digests(cli, &v, &n_digests);
    }
    if (rv == EXIT_OK) {
        rv = show(cli, &v, n_digests);
    }
    for (size_t i = 0; i < v.n; i++) {
        json_decref(v.answers[i]);
    }
    json_decref(v.members);
    return rv == EXIT_OK ? unreachable : rv;
}

const struct command_def verify_commands[] = {
    {"verify", "", "", 0, 0,
     "Have every controller check its state, and compare them; exit status 6 on a finding.", NULL,
     run_verify},
    {NULL, NULL, NULL, 0, 0, NULL, NULL, NULL},
};
