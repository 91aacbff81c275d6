#include "controller/api/valid.h"

#include "common/base/hash.h"
#include "controller/api/api.h"
#include "controller/codec/arn.h"
#include "controller/codec/pbc.h"
#include "controller/core/feature.h"
#include "controller/core/limits.h"
#include "controller/core/placement/place.h"

#include <string.h>

/* --- texts -------------------------------------------------------------------------------------
 */

int valid_length(struct api_call *c, const char *what, const char *text, size_t max)
{
    if (text != NULL && strlen(text) > max) {
        return api_fail(c, API_INVALID_PARAMETER, "%s length should not exceed %zu.", what, max);
    }
    return 0;
}

int valid_name(struct api_call *c, const char *what, const char *text)
{
    struct str s = str_of(text);
    if (s.n == 0) {
        return api_fail(c, API_INVALID_PARAMETER, "%s can not be blank.", what);
    }
    if (s.n > LIMIT_NAME) {
        return api_fail(c, API_INVALID_PARAMETER, "%s length should not exceed %d.", what,
                        LIMIT_NAME);
    }
    if (!arn_is_name(s)) {
        return api_fail(c, API_INVALID_PARAMETER,
                        "%s contains invalid characters: letters, numbers, hyphens and "
                        "underscores are allowed.",
                        what);
    }
    return 0;
}

int valid_count(struct api_call *c, const char *what, size_t n, size_t max)
{
    if (n == 0) {
        return api_fail(c, API_INVALID_PARAMETER, "%s can not be empty.", what);
    }
    if (n > max) {
        return api_fail(c, API_INVALID_PARAMETER, "%s can have at most %zu items.", what, max);
    }
    return 0;
}

int valid_unset(struct api_call *c, const char *field, bool set)
{
    if (set) {
        return api_fail(c, API_UNSUPPORTED, "%s is not supported by this server.", field);
    }
    return 0;
}

int valid_launch_type(struct api_call *c, bool has, int value, uint8_t *ret)
{
    *ret = LAUNCH_EC2;
    if (!has || value == (int)ECS__V1__LAUNCH_TYPE__VALUE__EC2) {
        return 0;
    }
    if (value == (int)ECS__V1__LAUNCH_TYPE__VALUE__EXTERNAL) {
        *ret = LAUNCH_EXTERNAL;
        return 0;
    }
    return api_fail(c, API_UNSUPPORTED,
                    "launchType: only EC2 and EXTERNAL are supported by this server.");
}

/* --- tags --------------------------------------------------------------------------------------
 */

static bool tag_text_ok(struct str s)
{
    static const char others[] = "+-=._:/@ ";
    for (size_t i = 0; i < s.n; i++) {
        unsigned char ch = (unsigned char)s.p[i];
        bool ok = (ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z') ||
                  (ch >= 'A' && ch <= 'Z') || ch >= 0x80 || memchr(others, ch, sizeof others - 1);
        if (!ok) {
            return false;
        }
    }
    return str_is_utf8(s);
}

static bool is_reserved(struct str key)
{
    return key.n >= 4 && (key.p[0] | 0x20) == 'a' && (key.p[1] | 0x20) == 'w' &&
           (key.p[2] | 0x20) == 's' && key.p[3] == ':';
}

static int check_tag(struct api_call *c, struct tag t)
{
    if (t.key.n < 1 || t.key.n > LIMIT_TAG_KEY) {
        return api_fail(c, API_INVALID_PARAMETER,
                        "Tag keys must be between 1 and %d characters in length.", LIMIT_TAG_KEY);
    }
    if (t.value.n > LIMIT_TAG_VALUE) {
        return api_fail(c, API_INVALID_PARAMETER,
                        "Tag values can not be longer than %d "
                        "characters.",
                        LIMIT_TAG_VALUE);
    }
    if (!tag_text_ok(t.key) || !tag_text_ok(t.value)) {
        return api_fail(c, API_INVALID_PARAMETER,
                        "Tag keys and values may hold letters, numbers, spaces and + - = . _ : / @ "
                        "only.");
    }
    if (is_reserved(t.key)) {
        return api_fail(c, API_INVALID_PARAMETER,
                        "Tag keys can not begin with \"aws:\": the prefix is reserved.");
    }
    return 0;
}

static struct tag *find_tag(const struct tags *tags, struct str key)
{
    for (uint32_t i = 0; i < tags->n; i++) {
        if (str_eq(tags->v[i].key, key)) {
            return &tags->v[i];
        }
    }
    return NULL;
}

int valid_tags(struct api_call *c, Ecs__V1__Tag *const *v, size_t n, struct tags *ret)
{
    struct tags tags = {0};
    if (n > LIMIT_TAGS) {
        return api_fail(c, API_INVALID_PARAMETER, "The maximum number of tags is %d.", LIMIT_TAGS);
    }
    tags.v = arena_array(&c->arena, n, sizeof *tags.v);
    for (size_t i = 0; i < n; i++) {
        /* A tag without value has the empty one. */
        struct tag t = {str_of(v[i]->key), str_of(v[i]->value != NULL ? v[i]->value : "")};
        int rv = check_tag(c, t);
        if (rv != 0) {
            return rv;
        }
        if (find_tag(&tags, t.key) != NULL) {
            return api_fail(c, API_INVALID_PARAMETER, "Duplicate tag keys found: %.*s.",
                            STR_ARG(t.key));
        }
        tags.v[tags.n++] = t;
    }
    *ret = tags;
    return 0;
}

int valid_tags_merge(struct api_call *c, const struct tags *a, const struct tags *b,
                     struct tags *ret)
{
    struct tags tags = {.v = arena_array(&c->arena, a->n + b->n, sizeof *tags.v)};
    for (uint32_t i = 0; i < a->n; i++) {
        tags.v[tags.n++] = a->v[i];
    }
    for (uint32_t i = 0; i < b->n; i++) {
        struct tag *same = find_tag(&tags, b->v[i].key);
        if (same != NULL) {
            *same = b->v[i];
        } else {
            tags.v[tags.n++] = b->v[i];
        }
    }
    if (tags.n > LIMIT_TAGS) {
        return api_fail(c, API_INVALID_PARAMETER,
                        "The maximum number of tags is %d, propagated and managed ones included.",
                        LIMIT_TAGS);
    }
    *ret = tags;
    return 0;
}

/* --- placement ---------------------------------------------------------------------------------
 */

static int check_priority(struct api_call *c, struct str expression, size_t i)
{
    uint64_t priority;
    if (!str_u64(expression, &priority) || priority < PRIORITY_MIN || priority > PRIORITY_MAX) {
        return api_fail(c, API_INVALID_PARAMETER,
                        "placementConstraints[%zu]: the expression of priority must be a number "
                        "from %d to %d",
                        i, PRIORITY_MIN, PRIORITY_MAX);
    }
    return 0;
}

static int read_constraint(struct api_call *c, const Ecs__V1__PlacementConstraint *v, size_t i,
                           struct constraint *ret)
{
    static const struct {
        const char *word;
        uint8_t type;
        uint8_t level; /* From which feature level on. */
    } types[] = {
        [ECS__V1__PLACEMENT_CONSTRAINT_TYPE__VALUE__distinctInstance] =
            {"distinctInstance", CONSTRAINT_DISTINCT_INSTANCE, 0},
        [ECS__V1__PLACEMENT_CONSTRAINT_TYPE__VALUE__memberOf] = {"memberOf", CONSTRAINT_MEMBER_OF,
                                                                 0},
        [ECS__V1__PLACEMENT_CONSTRAINT_TYPE__VALUE__maxPerInstance] = {"maxPerInstance",
                                                                       CONSTRAINT_MAX_PER_INSTANCE,
                                                                       FEATURE_MAX_PER_INSTANCE},
        [ECS__V1__PLACEMENT_CONSTRAINT_TYPE__VALUE__priority] = {"priority", CONSTRAINT_PRIORITY,
                                                                 FEATURE_PRIORITY},
    };
    struct err err = {0};
    struct place_constraint parsed;
    size_t type = (size_t)v->type;
    if (!v->has_type || type >= sizeof types / sizeof types[0] || types[type].word == NULL) {
        return api_fail(c, API_INVALID_PARAMETER, "placementConstraints[%zu].type is missing.", i);
    }
    *ret = (struct constraint){types[type].type, str_of(v->expression)};
    if (store_meta(api_store(c))->feature_level < types[type].level) {
        return api_fail(c, API_PARAMETER_STATE,
                        "placementConstraints[%zu]: %s waits until the upgrade of the controllers "
                        "is finalized.",
                        i, types[type].word);
    }
    if (ret->type == CONSTRAINT_PRIORITY) {
        return check_priority(c, ret->expression, i);
    }
    if (place_constraint_read(api_mem(c->api), str_of(types[type].word), ret->expression, &parsed,
                              &err) != 0) {
        return api_fail(c, API_INVALID_PARAMETER, "placementConstraints[%zu]: %s", i, err.text);
    }
    return 0;
}

int valid_constraints(struct api_call *c, Ecs__V1__PlacementConstraint *const *v, size_t n,
                      struct constraint **ret, uint32_t *ret_n)
{
    struct constraint *to = arena_array(&c->arena, n, sizeof *to);
    uint32_t n_priorities = 0;
    if (n > LIMIT_PLACEMENT_CONSTRAINTS) {
        return api_fail(c, API_INVALID_PARAMETER, "placementConstraints can have at most %d items.",
                        LIMIT_PLACEMENT_CONSTRAINTS);
    }
    for (size_t i = 0; i < n; i++) {
        int rv = read_constraint(c, v[i], i, &to[i]);
        if (rv != 0) {
            return rv;
        }
        n_priorities += to[i].type == CONSTRAINT_PRIORITY;
    }
    if (n_priorities > 1) {
        return api_fail(c, API_INVALID_PARAMETER,
                        "placementConstraints: priority can be given once, not %u times.",
                        n_priorities);
    }
    *ret = to;
    *ret_n = (uint32_t)n;
    return 0;
}

static int read_strategy(struct api_call *c, const Ecs__V1__PlacementStrategy *from, size_t i,
                         struct strategy *to)
{
    static const struct {
        const char *word;
        uint8_t type;
    } types[] = {
        [ECS__V1__PLACEMENT_STRATEGY_TYPE__VALUE__random] = {"random", STRATEGY_RANDOM},
        [ECS__V1__PLACEMENT_STRATEGY_TYPE__VALUE__spread] = {"spread", STRATEGY_SPREAD},
        [ECS__V1__PLACEMENT_STRATEGY_TYPE__VALUE__binpack] = {"binpack", STRATEGY_BINPACK},
    };
    struct err err = {0};
    struct place_strategy parsed;
    size_t type = (size_t)from->type;
    if (!from->has_type || type >= sizeof types / sizeof types[0] || types[type].word == NULL) {
        return api_fail(c, API_INVALID_PARAMETER, "placementStrategy[%zu].type is missing.", i);
    }
    to->type = types[type].type;
    to->field = str_of(from->field);
    if (place_strategy_read(str_of(types[type].word), to->field, &parsed, &err) != 0) {
        return api_fail(c, API_INVALID_PARAMETER, "placementStrategy[%zu]: %s", i, err.text);
    }
    return 0;
}

int valid_strategies(struct api_call *c, Ecs__V1__PlacementStrategy *const *v, size_t n,
                     struct strategy **ret, uint32_t *ret_n)
{
    struct strategy *to = arena_array(&c->arena, n, sizeof *to);
    if (n > LIMIT_PLACEMENT_STRATEGIES) {
        return api_fail(c, API_INVALID_PARAMETER, "placementStrategy can have at most %d items.",
                        LIMIT_PLACEMENT_STRATEGIES);
    }
    for (size_t i = 0; i < n; i++) {
        int rv = read_strategy(c, v[i], i, &to[i]);
        if (rv != 0) {
            return rv;
        }
    }
    *ret = to;
    *ret_n = (uint32_t)n;
    return 0;
}

/* --- idempotency -------------------------------------------------------------------------------
 */

uint64_t valid_request_hash(struct api_call *c, char **token_field)
{
    char *token = *token_field;
    struct str packed;
    *token_field = NULL;
    packed = pbc_pack_arena(c->request, &c->arena);
    *token_field = token;
    return hash_bytes(packed.p, packed.n, 0);
}
