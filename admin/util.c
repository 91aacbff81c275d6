/* Small tools of the commands: JSON paths, names, ages, pages. */
#include "admin/cli.h"
#include "common/base/hex.h"
#include "common/base/str.h"
#include "common/loop/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

json_t *value_at(const json_t *value, const char *path)
{
    struct str rest = str_of(path);
    json_t *at = (json_t *)(uintptr_t)value;
    while (at != NULL && rest.n > 0) {
        struct str part = str_cut(rest, '.', &rest);
        uint64_t index;
        if (json_is_array(at)) {
            at = str_u64(part, &index) ? json_array_get(at, (size_t)index) : NULL;
        } else {
            at = json_object_getn(at, part.p, part.n);
        }
    }
    return at;
}

const char *value_text(const json_t *value, const char *path, const char *otherwise)
{
    const char *text = json_string_value(value_at(value, path));
    return text == NULL ? otherwise : text;
}

int64_t value_number(const json_t *value, const char *path, int64_t otherwise)
{
    const json_t *number = value_at(value, path);
    if (json_is_real(number)) {
        return (int64_t)json_real_value(number);
    }
    return json_is_integer(number) ? json_integer_value(number) : otherwise;
}

const char *short_name(const char *arn)
{
    const char *slash = strrchr(arn, '/');
    return slash == NULL ? arn : slash + 1;
}

json_t *age_of(const json_t *epoch_s)
{
    int64_t s;
    char text[32];
    if (!json_is_number(epoch_s)) {
        return json_string("-");
    }
    s = (int64_t)clock_wall_ms() / 1000 - (int64_t)json_number_value(epoch_s);
    s = s < 0 ? 0 : s;
    if (s < 120) {
        (void)snprintf(text, sizeof text, "%llds", (long long)s);
    } else if (s < 7200) {
        (void)snprintf(text, sizeof text, "%lldm", (long long)s / 60);
    } else if (s < 172800) {
        (void)snprintf(text, sizeof text, "%lldh", (long long)s / 3600);
    } else {
        (void)snprintf(text, sizeof text, "%lldd", (long long)s / 86400);
    }
    return json_string(text);
}

const char *cluster_of(const struct cli *cli, const struct args *args)
{
    (void)args;
    return cli->config.cluster == NULL ? "default" : cli->config.cluster;
}

json_t *tags_of(const struct args *args, const char *option)
{
    json_t *list = json_array();
    for (int i = 0;; i++) {
        const char *text = args_nth(args, option, i);
        const char *equals;
        if (text == NULL) {
            return list;
        }
        equals = strchr(text, '=');
        if (equals == NULL || equals == text) {
            complain("--%s must be KEY=VALUE, not '%s'", option, text);
            json_decref(list);
            return NULL;
        }
        (void)json_array_append_new(list, json_pack("{s:s%, s:s}", "key", text,
                                                    (size_t)(equals - text), "value", equals + 1));
    }
}

json_t *json_from_file(const char *path)
{
    json_error_t error;
    json_t *value = strcmp(path, "-") == 0 ? json_loadf(stdin, JSON_REJECT_DUPLICATES, &error)
                                           : json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (value == NULL && error.line > 0) {
        complain("%s:%d:%d: %s", path, error.line, error.column, error.text);
    } else if (value == NULL) {
        complain("%s", error.text); /* It names the file. */
    }
    return value;
}

int call_pages(struct cli *cli, const char *method, json_t *in, const char *key, json_t **ret)
{
    json_t *all = json_array();
    json_t *page = NULL;
    int rv;
    for (;;) {
        const char *next;
        rv = call(cli, method, json_deep_copy(in), &page);
        if (rv != EXIT_OK) {
            break;
        }
        (void)json_array_extend(all, value_at(page, key));
        next = value_text(page, "nextToken", NULL);
        if (next == NULL || *next == '\0') {
            json_decref(page);
            json_decref(in);
            *ret = all;
            return EXIT_OK;
        }
        (void)json_object_set_new(in, "nextToken", json_string(next));
        json_decref(page);
    }
    json_decref(all);
    json_decref(in);
    return rv;
}

int call_describe(struct cli *cli, const char *method, json_t *in, const char *param, size_t max,
                  json_t *names, const char *key, json_t **ret)
{
    json_t *all = json_array();
    int rv = EXIT_OK;
    for (size_t from = 0; rv == EXIT_OK && from < json_array_size(names); from += max) {
        json_t *group = json_array();
        json_t *page = NULL;
        json_t *request = json_deep_copy(in);
        for (size_t i = from; i < from + max && i < json_array_size(names); i++) {
            (void)json_array_append(group, json_array_get(names, i));
        }
        (void)json_object_set_new(request, param, group);
        rv = call(cli, method, request, &page);
        if (rv == EXIT_OK) {
            (void)json_array_extend(all, value_at(page, key));
            for (size_t i = 0; i < json_array_size(value_at(page, "failures")); i++) {
                const json_t *f = json_array_get(value_at(page, "failures"), i);
                const char *reason = value_text(f, "reason", "?");
                complain("%s: %s", value_text(f, "arn", "?"),
                         strcmp(reason, "MISSING") == 0 ? "not found" : reason);
                rv = EXIT_NOT_FOUND;
            }
            json_decref(page);
        }
    }
    json_decref(in);
    if (rv != EXIT_OK && rv != EXIT_NOT_FOUND) {
        json_decref(all);
        return rv;
    }
    *ret = all;
    return rv == EXIT_NOT_FOUND && json_array_size(all) == 0 ? (json_decref(all), rv) : EXIT_OK;
}

json_t *strategies_of(const struct args *args)
{
    json_t *list = json_array();
    const char *text;
    for (int i = 0; (text = args_nth(args, "strategy", i)) != NULL; i++) {
        const char *colon = strchr(text, ':');
        json_t *s = json_pack("{s:s%}", "type", text,
                              colon == NULL ? strlen(text) : (size_t)(colon - text));
        if (colon != NULL) {
            (void)json_object_set_new(s, "field", json_string(colon + 1));
        }
        (void)json_array_append_new(list, s);
    }
    return list;
}

json_t *constraints_of(const struct args *args)
{
    json_t *list = json_array();
    const char *text;
    for (int i = 0; (text = args_nth(args, "constraint", i)) != NULL; i++) {
        static const char most[] = "maxPerInstance:";
        static const char priority[] = "priority:";
        json_t *one = strcmp(text, "distinctInstance") == 0 ? json_pack("{s:s}", "type", text)
                      : strncmp(text, most, sizeof most - 1) == 0
                          ? json_pack("{s:s, s:s}", "type", "maxPerInstance", "expression",
                                      text + sizeof most - 1)
                      : strncmp(text, priority, sizeof priority - 1) == 0
                          ? json_pack("{s:s, s:s}", "type", "priority", "expression",
                                      text + sizeof priority - 1)
                          : json_pack("{s:s, s:s}", "type", "memberOf", "expression", text);
        (void)json_array_append_new(list, one);
    }
    return list;
}

json_t *providers_of(const struct args *args)
{
    json_t *list = json_array();
    const char *text;
    for (int i = 0; (text = args_nth(args, "provider", i)) != NULL; i++) {
        struct str rest = str_of(text);
        struct str name = str_cut(rest, ':', &rest);
        struct str weight = str_cut(rest, ':', &rest);
        uint64_t numbers[2] = {1, 0};
        if (name.n == 0 || (weight.n > 0 && !str_u64(weight, &numbers[0])) ||
            (rest.n > 0 && !str_u64(rest, &numbers[1])) || numbers[0] > INT32_MAX ||
            numbers[1] > INT32_MAX) {
            (void)fprintf(stderr, "ecs-admin: --provider %s: not NAME[:WEIGHT[:BASE]]\n", text);
            json_decref(list);
            return NULL;
        }
        (void)json_array_append_new(list, json_pack("{s:s%, s:I, s:I}", "capacityProvider", name.p,
                                                    name.n, "weight", (json_int_t)numbers[0],
                                                    "base", (json_int_t)numbers[1]));
    }
    return list;
}

const char *new_token(char ret[33])
{
    unsigned char raw[16];
    if (getrandom(raw, sizeof raw, 0) != (ssize_t)sizeof raw) {
        abort(); /* A token that is not unique would be taken for somebody else's request. */
    }
    hex_write(raw, sizeof raw, ret);
    return ret;
}
