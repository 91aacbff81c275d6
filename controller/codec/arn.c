#include "controller/codec/arn.h"

#include "controller/core/limits.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const type_names[ARN_TYPE_N] = {
    [ARN_CLUSTER] = "cluster",
    [ARN_SERVICE] = "service",
    [ARN_TASK] = "task",
    [ARN_NODE] = "container-instance",
    [ARN_TASKDEF] = "task-definition",
    [ARN_CONTAINER] = "container",
    [ARN_CAPACITY_PROVIDER] = "capacity-provider",
    [ARN_TASK_SET] = "task-set",
    [ARN_SERVICE_DEPLOYMENT] = "service-deployment",
    [ARN_SERVICE_REVISION] = "service-revision",
};

/* --- writing -------------------------------------------------------------------------------------
 */

/* arn:aws:ecs:REGION:ACCOUNT:TYPE/CLUSTER/NAME; without the part in the middle when cluster.p is
 * NULL. */
static char *make(const struct arn_names *n, enum arn_type type, struct str cluster,
                  struct str name, struct arena *a)
{
    return arena_printf(a, "arn:%s:ecs:%s:%s:%s/%.*s%s%.*s", n->partition, n->region, n->account,
                        type_names[type], STR_ARG(cluster), cluster.p == NULL ? "" : "/",
                        STR_ARG(name));
}

static const struct str none = {NULL, 0};

char *arn_cluster(const struct arn_names *n, struct str cluster, struct arena *a)
{
    return make(n, ARN_CLUSTER, none, cluster, a);
}

char *arn_service(const struct arn_names *n, struct str cluster, struct str service,
                  struct arena *a)
{
    return make(n, ARN_SERVICE, cluster, service, a);
}

char *arn_task(const struct arn_names *n, struct str cluster, struct id task, struct arena *a)
{
    char hex[ID_HEX_LEN + 1];
    id_hex(task, hex);
    return make(n, ARN_TASK, cluster, str_make(hex, ID_HEX_LEN), a);
}

char *arn_node(const struct arn_names *n, struct str cluster, struct id node, struct arena *a)
{
    char hex[ID_HEX_LEN + 1];
    id_hex(node, hex);
    return make(n, ARN_NODE, cluster, str_make(hex, ID_HEX_LEN), a);
}

char *arn_taskdef(const struct arn_names *n, struct str family, uint32_t revision, struct arena *a)
{
    return arena_printf(a, "arn:%s:ecs:%s:%s:%s/%.*s:%" PRIu32, n->partition, n->region, n->account,
                        type_names[ARN_TASKDEF], STR_ARG(family), revision);
}

struct id arn_container_id(struct id task, uint32_t index)
{
    return id_derive(task.hi, task.lo, index);
}

char *arn_container(const struct arn_names *n, struct str cluster, struct id task, uint32_t index,
                    struct arena *a)
{
    char hex[ID_HEX_LEN + 1];
    char uuid[ID_UUID_LEN + 1];
    id_hex(task, hex);
    id_uuid(arn_container_id(task, index), uuid);
    return arena_printf(a, "arn:%s:ecs:%s:%s:%s/%.*s/%s/%s", n->partition, n->region, n->account,
                        type_names[ARN_CONTAINER], STR_ARG(cluster), hex, uuid);
}

char *arn_service_deployment(const struct arn_names *n, struct str cluster, struct str service,
                             struct str deployment, struct arena *a)
{
    char *name = arena_printf(a, "%.*s/%.*s", STR_ARG(service), STR_ARG(deployment));
    return make(n, ARN_SERVICE_DEPLOYMENT, cluster, str_of(name), a);
}

char *arn_service_revision(const struct arn_names *n, struct str cluster, struct str service,
                           uint64_t revision, struct arena *a)
{
    char *name = arena_printf(a, "%.*s/%" PRIu64, STR_ARG(service), revision);
    return make(n, ARN_SERVICE_REVISION, cluster, str_of(name), a);
}

char *arn_capacity_provider(const struct arn_names *n, struct str name, struct arena *a)
{
    return make(n, ARN_CAPACITY_PROVIDER, none, name, a);
}

/* --- reading -------------------------------------------------------------------------------------
 */

bool arn_is(struct str text)
{
    return str_starts(text, "arn:");
}

bool arn_is_name(struct str text)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_';
        if (!ok) {
            return false;
        }
    }
    return text.n >= 1 && text.n <= LIMIT_NAME;
}

static int invalid(struct err *err, const char *what)
{
    return err_set(err, ERR_INVALID, "Invalid identifier: %s", what);
}

/* 32 hex digits, or the 36 characters of a UUID. */
static bool parse_id(struct str text, struct id *ret)
{
    char hex[ID_UUID_LEN];
    size_t n = 0;
    if (text.n != ID_UUID_LEN) {
        return id_parse(text, ret);
    }
    for (size_t i = 0; i < text.n; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash != (text.p[i] == '-')) {
            return false;
        }
        if (!dash) {
            hex[n++] = text.p[i];
        }
    }
    return id_parse(str_make(hex, n), ret);
}

static int parse_revision(struct str text, uint32_t *ret, struct err *err)
{
    uint64_t revision;
    if (!str_u64(text, &revision) || revision == 0 || revision > INT32_MAX) {
        return err_set(err, ERR_INVALID, "Invalid revision number. Number: %.*s", STR_ARG(text));
    }
    *ret = (uint32_t)revision;
    return 0;
}

static int parse_family(struct str text, struct str *ret_family, uint32_t *ret_revision,
                        struct err *err)
{
    size_t colon = str_find(text, ':', 0);
    struct str family = str_slice(text, 0, colon);
    uint32_t revision = 0;
    if (!arn_is_name(family)) {
        return err_set(err, ERR_INVALID,
                       "Family contains invalid characters or is longer than %d characters.",
                       LIMIT_NAME);
    }
    if (colon < text.n) {
        int rv = parse_revision(str_slice(text, colon + 1, text.n), &revision, err);
        if (rv != 0) {
            return rv;
        }
    }
    *ret_family = family;
    *ret_revision = revision;
    return 0;
}

/* What follows "TYPE/". Services, tasks and nodes have a long form with the cluster and the short
 * one of before 2018 without. */
static int parse_resource(struct arn *arn, struct str rest, struct err *err)
{
    size_t slash = str_find(rest, '/', 0);
    struct str first = str_slice(rest, 0, slash);
    struct str after = str_slice(rest, slash + 1, rest.n);
    switch (arn->type) {
    case ARN_CLUSTER:
    case ARN_CAPACITY_PROVIDER:
        arn->name = rest;
        return arn_is_name(rest) ? 0 : invalid(err, "Identifier contains invalid characters");
    case ARN_TASKDEF:
        return parse_family(rest, &arn->name, &arn->revision, err);
    case ARN_SERVICE:
    case ARN_TASK:
    case ARN_NODE:
        if (slash < rest.n) {
            arn->cluster = first;
            first = after;
        }
        if (arn->type == ARN_SERVICE) {
            arn->name = first;
            return arn_is_name(first) ? 0 : invalid(err, "Identifier contains invalid characters");
        }
        return parse_id(first, &arn->id) ? 0 : invalid(err, "Id length should be one of [32,36]");
    case ARN_CONTAINER:
    case ARN_TASK_SET:
    case ARN_SERVICE_DEPLOYMENT:
    case ARN_SERVICE_REVISION:
        arn->cluster = first;
        arn->name = str_cut(after, '/', &arn->rest);
        if (arn->rest.n == 0) {
            return invalid(err, "Unexpected number of separators");
        }
        if (arn->type == ARN_CONTAINER && !parse_id(arn->name, &arn->id)) {
            return invalid(err, "Id length should be one of [32,36]");
        }
        return 0;
    case ARN_TYPE_N:
        break;
    }
    return invalid(err, "Unknown resource type");
}

int arn_parse(const struct arn_names *n, struct str text, struct arn *ret, struct err *err)
{
    struct arn arn = {.type = ARN_TYPE_N};
    struct str part[5]; /* arn, partition, service, region, account. */
    struct str rest = text;
    struct str type;
    int rv;
    for (size_t i = 0; i < sizeof part / sizeof part[0]; i++) {
        part[i] = str_cut(rest, ':', &rest);
    }
    if (!str_eqc(part[0], "arn") || !str_eqc(part[2], "ecs") || rest.n == 0) {
        return invalid(err, "Unexpected number of separators");
    }
    if (!str_eqc(part[1], n->partition)) {
        return invalid(err, "Invalid partition");
    }
    if (!str_eqc(part[3], n->region)) {
        return err_set(err, ERR_INVALID,
                       "Invalid identifier: Arn region %.*s should match the endpoint region %s",
                       STR_ARG(part[3]), n->region);
    }
    if (!str_eqc(part[4], n->account)) {
        return err_set(err, ERR_INVALID,
                       "Invalid identifier: Arn account %.*s should match the account %s",
                       STR_ARG(part[4]), n->account);
    }
    type = str_cut(rest, '/', &rest);
    for (int i = 0; i < ARN_TYPE_N; i++) {
        if (str_eqc(type, type_names[i])) {
            arn.type = (enum arn_type)i;
        }
    }
    arn.region = part[3];
    arn.account = part[4];
    rv = parse_resource(&arn, rest, err);
    if (rv == 0) {
        *ret = arn;
    }
    return rv;
}

static int parse_typed(const struct arn_names *n, struct str text, enum arn_type type,
                       struct arn *ret, struct err *err)
{
    int rv = arn_parse(n, text, ret, err);
    if (rv == 0 && ret->type != type) {
        return err_set(err, ERR_INVALID, "Invalid identifier: Expected a %s, found a %s",
                       type_names[type], type_names[ret->type]);
    }
    return rv;
}

int arn_parse_cluster(const struct arn_names *n, const char *text, struct str *ret, struct err *err)
{
    struct str s = str_of(text);
    struct arn arn;
    if (s.n == 0) {
        *ret = STR("default");
        return 0;
    }
    if (arn_is(s)) {
        int rv = parse_typed(n, s, ARN_CLUSTER, &arn, err);
        if (rv == 0) {
            *ret = arn.name;
        }
        return rv;
    }
    if (!arn_is_name(s)) {
        return invalid(err, "Identifier contains invalid characters");
    }
    *ret = s;
    return 0;
}

int arn_parse_service(const struct arn_names *n, const char *text, struct str *ret_cluster,
                      struct str *ret_name, struct err *err)
{
    struct arn arn = {.name = str_of(text)};
    if (arn_is(arn.name)) {
        int rv = parse_typed(n, arn.name, ARN_SERVICE, &arn, err);
        if (rv != 0) {
            return rv;
        }
    } else if (!arn_is_name(arn.name)) {
        return invalid(err, "Identifier contains invalid characters");
    }
    *ret_cluster = arn.cluster;
    *ret_name = arn.name;
    return 0;
}

static int parse_with_id(const struct arn_names *n, const char *text, enum arn_type type,
                         struct str *ret_cluster, struct id *ret, struct err *err)
{
    struct str s = str_of(text);
    struct arn arn = {.type = type};
    if (arn_is(s)) {
        int rv = parse_typed(n, s, type, &arn, err);
        if (rv != 0) {
            return rv;
        }
    } else if (!parse_id(s, &arn.id)) {
        return err_set(err, ERR_INVALID, "%s length should be one of [32,36]",
                       type == ARN_TASK ? "taskId" : "containerInstanceId");
    }
    *ret_cluster = arn.cluster;
    *ret = arn.id;
    return 0;
}

int arn_parse_task(const struct arn_names *n, const char *text, struct str *ret_cluster,
                   struct id *ret, struct err *err)
{
    return parse_with_id(n, text, ARN_TASK, ret_cluster, ret, err);
}

int arn_parse_node(const struct arn_names *n, const char *text, struct str *ret_cluster,
                   struct id *ret, struct err *err)
{
    return parse_with_id(n, text, ARN_NODE, ret_cluster, ret, err);
}

int arn_parse_taskdef(const struct arn_names *n, const char *text, struct str *ret_family,
                      uint32_t *ret_revision, struct err *err)
{
    struct str s = str_of(text);
    struct arn arn;
    int rv;
    if (!arn_is(s)) {
        return parse_family(s, ret_family, ret_revision, err);
    }
    rv = parse_typed(n, s, ARN_TASKDEF, &arn, err);
    if (rv == 0) {
        *ret_family = arn.name;
        *ret_revision = arn.revision;
    }
    return rv;
}
