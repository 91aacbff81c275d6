/* Results for people and for programs. */
#include "admin/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CELL_MAX 200

void complain(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)fputs("ecs-admin: ", stderr);
    (void)vfprintf(stderr, fmt, args);
    (void)fputc('\n', stderr);
    va_end(args);
}

void say(const struct cli *cli, const char *fmt, ...)
{
    va_list args;
    if (cli->config.quiet || cli->output != OUTPUT_TABLE) {
        return;
    }
    va_start(args, fmt);
    (void)vprintf(fmt, args);
    (void)putchar('\n');
    va_end(args);
}

/* --- progress
 * -------------------------------------------------------------------------------------- */

void progress(struct cli *cli, const char *fmt, ...)
{
    char line[CELL_MAX];
    va_list args;
    if (cli->config.quiet) {
        return;
    }
    va_start(args, fmt);
    (void)vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    if (strcmp(line, cli->progress) == 0) {
        return;
    }
    (void)snprintf(cli->progress, sizeof cli->progress, "%s", line);
    if (cli->terminal) {
        (void)fprintf(stderr, "\r\033[K%s", line);
    } else {
        (void)fprintf(stderr, "%s\n", line);
    }
    (void)fflush(stderr);
}

void progress_end(struct cli *cli)
{
    if (cli->terminal && cli->progress[0] != '\0') {
        (void)fputc('\n', stderr);
    }
    cli->progress[0] = '\0';
}

/* --- cells
 * ------------------------------------------------------------------------------------------- */

/* A value in one line, in a new string. */
static char *cell_text(const json_t *value)
{
    char number[32];
    if (value == NULL || json_is_null(value)) {
        return strdup("-");
    }
    if (json_is_string(value)) {
        return strdup(json_string_length(value) == 0 ? "-" : json_string_value(value));
    }
    if (json_is_integer(value)) {
        (void)snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
        return strdup(number);
    }
    if (json_is_boolean(value)) {
        return strdup(json_is_true(value) ? "yes" : "no");
    }
    return json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
}

static char *cell_of(const struct column *column, const json_t *row)
{
    char *text;
    json_t *made;
    if (column->make == NULL) {
        text = cell_text(value_at(row, column->path));
    } else {
        made = column->make(row);
        text = cell_text(made);
        json_decref(made);
    }
    return text == NULL ? strdup("?") : text;
}

/* Characters, not bytes: names may be UTF-8. */
static size_t width_of(const char *text)
{
    size_t n = 0;
    for (; *text != '\0'; text++) {
        n += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return n;
}

static void print_padded(const char *text, size_t width, bool right, bool last)
{
    size_t n = width_of(text);
    size_t pad = width > n ? width - n : 0;
    if (right) {
        (void)printf("%*s%s", (int)pad, "", text);
    } else {
        (void)printf("%s%*s", text, last ? 0 : (int)pad, "");
    }
    (void)fputs(last ? "\n" : "  ", stdout);
}

static void print_table(const json_t *rows, const struct column *columns, size_t n_columns)
{
    size_t n = json_array_size(rows);
    char **cells = calloc((n + 1) * n_columns + 1, sizeof *cells);
    size_t *widths = calloc(n_columns + 1, sizeof *widths);
    if (cells == NULL || widths == NULL) {
        abort();
    }
    for (size_t r = 0; r <= n; r++) {
        for (size_t c = 0; c < n_columns; c++) {
            char *text = r == 0 ? strdup(columns[c].title)
                                : cell_of(&columns[c], json_array_get(rows, r - 1));
            size_t w = width_of(text);
            cells[r * n_columns + c] = text;
            widths[c] = w > widths[c] ? w : widths[c];
        }
    }
    for (size_t r = 0; r <= n; r++) {
        for (size_t c = 0; c < n_columns; c++) {
            print_padded(cells[r * n_columns + c], widths[c], columns[c].right, c + 1 == n_columns);
            free(cells[r * n_columns + c]);
        }
    }
    free(cells);
    free(widths);
}

/* --- YAML
 * -------------------------------------------------------------------------------------------- */

/* A scalar that needs no quotes in any YAML version. */
static bool is_plain(const char *text)
{
    static const char *const words[] = {"true", "false", "yes", "no", "on", "off", "null", "~"};
    if (*text == '\0' || strchr(" -?:,[]{}#&*!|>'\"%@`", *text) != NULL ||
        text[strlen(text) - 1] == ' ' || strstr(text, ": ") != NULL || strstr(text, " #") != NULL ||
        text[strlen(text) - 1] == ':' || strpbrk(text, "\n\t\r") != NULL) {
        return false;
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcasecmp(text, words[i]) == 0) {
            return false;
        }
    }
    return strspn(text, "0123456789+-.eExXoO_:") != strlen(text);
}

static void yaml_scalar(const json_t *value)
{
    char *text;
    if (json_is_string(value) && is_plain(json_string_value(value))) {
        (void)printf("%s\n", json_string_value(value));
        return;
    }
    text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT); /* JSON strings are YAML strings. */
    (void)printf("%s\n", text == NULL ? "null" : text);
    free(text);
}

struct yaml_level {
    const json_t *value;
    void *iter;   /* Objects. */
    size_t index; /* Arrays. */
    int indent;
    bool inline_first; /* The first member follows a "- ". */
};

static bool is_scalar(const json_t *value)
{
    return (json_is_array(value) && json_array_size(value) == 0) ||
           (json_is_object(value) && json_object_size(value) == 0) ||
           (!json_is_array(value) && !json_is_object(value));
}

#define YAML_DEPTH 64

/* The next member of a level, or NULL at its end; prints what comes before the value. */
static const json_t *yaml_next(struct yaml_level *at)
{
    const json_t *value;
    const char *key = "";
    if (json_is_array(at->value)) {
        if (at->index == json_array_size(at->value)) {
            return NULL;
        }
        value = json_array_get(at->value, at->index++);
    } else {
        if (at->iter == NULL) {
            return NULL;
        }
        key = json_object_iter_key(at->iter);
        value = json_object_iter_value(at->iter);
        at->iter = json_object_iter_next((json_t *)(uintptr_t)at->value, at->iter);
    }
    (void)printf("%*s", at->inline_first ? 0 : at->indent, "");
    at->inline_first = false;
    if (json_is_array(at->value)) {
        (void)fputs("- ", stdout);
    } else {
        (void)printf("%s:%s", key, is_scalar(value) ? " " : "\n");
    }
    return value;
}

static void print_yaml(const json_t *value)
{
    struct yaml_level stack[YAML_DEPTH];
    int depth = 0;
    if (is_scalar(value)) {
        yaml_scalar(value);
        return;
    }
    stack[depth++] =
        (struct yaml_level){.value = value, .iter = json_object_iter((json_t *)(uintptr_t)value)};
    while (depth > 0) {
        struct yaml_level *at = &stack[depth - 1];
        const json_t *next = yaml_next(at);
        if (next == NULL) {
            depth--;
        } else if (is_scalar(next) || depth == YAML_DEPTH) {
            yaml_scalar(next);
        } else {
            bool in_array = json_is_array(at->value);
            stack[depth++] = (struct yaml_level){
                .value = next,
                .iter = json_object_iter((json_t *)(uintptr_t)next),
                .indent = at->indent + 2,
                .inline_first = in_array,
            };
        }
    }
}

/* --- whole values
 * -------------------------------------------------------------------------------------- */

static void print_json(const json_t *value)
{
    (void)json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
    (void)putchar('\n');
}

void render_list(const struct cli *cli, const json_t *rows, const struct column *columns,
                 size_t n_columns)
{
    if (cli->output == OUTPUT_JSON) {
        print_json(rows);
    } else if (cli->output == OUTPUT_YAML) {
        print_yaml(rows);
    } else {
        print_table(rows, columns, n_columns);
    }
}

void render_object(const struct cli *cli, const json_t *object, const struct column *columns,
                   size_t n_columns)
{
    size_t width = 0;
    if (cli->output == OUTPUT_JSON) {
        print_json(object);
        return;
    }
    if (cli->output == OUTPUT_YAML) {
        print_yaml(object);
        return;
    }
    for (size_t c = 0; c < n_columns; c++) {
        size_t w = strlen(columns[c].title) + 1;
        width = w > width ? w : width;
    }
    for (size_t c = 0; c < n_columns; c++) {
        char *text = cell_of(&columns[c], object);
        (void)printf("%s:%*s %s\n", columns[c].title, (int)(width - strlen(columns[c].title) - 1),
                     "", text);
        free(text);
    }
}
