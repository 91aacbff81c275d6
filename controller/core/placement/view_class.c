/* Node classes: equal attribute lists share one copy and one number. */
#include "common/base/hash.h"
#include "controller/core/placement/view_impl.h"

#include <assert.h>
#include <string.h>

#define HASH_SEED 0x636c617373u

/* An attribute cannot have this name: names hold no colon. It sorts and compares like the rest. */
#define VERSION_NAME ":agent-version"

/* Two lengths in front of each pair. */
#define HEAD 4

static void put_length(uint8_t *to, size_t n)
{
    to[0] = (uint8_t)(n & 0xff);
    to[1] = (uint8_t)(n >> 8);
}

static size_t get_length(const uint8_t *from)
{
    return (size_t)from[0] | (size_t)from[1] << 8;
}

static size_t put_pair(uint8_t *to, struct str name, struct str value)
{
    put_length(to, name.n);
    put_length(to + 2, value.n);
    memcpy(to + HEAD, name.p, name.n);
    if (value.n > 0) {
        memcpy(to + HEAD + name.n, value.p, value.n);
    }
    return HEAD + name.n + value.n;
}

/* The pair at *at, moving behind it; false at the end. */
static bool next_pair(const struct view_class *c, size_t *at, struct str *name, struct str *value)
{
    if (*at == c->n_bytes) {
        return false;
    }
    const uint8_t *p = c->bytes + *at;
    *name = str_make((const char *)p + HEAD, get_length(p));
    *value = str_make((const char *)p + HEAD + name->n, get_length(p + 2));
    *at += HEAD + name->n + value->n;
    return true;
}

bool view_class_attribute(const struct view_class *c, struct str name, struct str *ret_value)
{
    struct str have;
    for (size_t at = 0; next_pair(c, &at, &have, ret_value);) {
        if (str_eq(have, name)) {
            return true;
        }
    }
    return false;
}

struct str view_class_version(const struct view_class *c)
{
    struct str value;
    return view_class_attribute(c, STR(VERSION_NAME), &value) ? value : str_make(NULL, 0);
}

static int check_attributes(const struct view_node *node, struct err *err)
{
    if (node->n_attributes > VIEW_ATTRIBUTES_MAX) {
        return err_set(err, ERR_INVALID, "attributes: more than %d", VIEW_ATTRIBUTES_MAX);
    }
    if (node->agent_version.n > VIEW_TEXT_MAX) {
        return err_set(err, ERR_INVALID, "agentVersion: longer than %d bytes", VIEW_TEXT_MAX);
    }
    for (uint32_t i = 0; i < node->n_attributes; i++) {
        const struct view_attribute *a = &node->attributes[i];
        if (a->name.n == 0 || a->name.n > VIEW_TEXT_MAX || a->value.n > VIEW_TEXT_MAX ||
            str_find(a->name, ':', 0) < a->name.n) {
            return err_set(err, ERR_INVALID,
                           "attributes: \"%.*s\": names hold no colon; name and value have at most "
                           "%d bytes",
                           a->name.n > 100 ? 100 : (int)a->name.n, a->name.n == 0 ? "" : a->name.p,
                           VIEW_TEXT_MAX);
        }
    }
    return 0;
}

/* Order of attribute numbers by name; ERR_INVALID on a name that comes twice. */
static int sort_attributes(const struct view_node *node, uint16_t *order, struct err *err)
{
    for (uint32_t i = 0; i < node->n_attributes; i++) {
        struct str name = node->attributes[i].name;
        uint32_t at = i;
        for (; at > 0; at--) {
            int c = str_cmp(name, node->attributes[order[at - 1]].name);
            if (c == 0) {
                return err_set(err, ERR_INVALID, "attributes: %.*s comes twice", STR_ARG(name));
            }
            if (c > 0) {
                break;
            }
            order[at] = order[at - 1];
        }
        order[at] = (uint16_t)i;
    }
    return 0;
}

/* The node's attributes in canonical form, in a block of its own. */
static int make_class(const struct view *v, const struct view_node *node, struct view_class *ret,
                      struct err *err)
{
    uint16_t order[VIEW_ATTRIBUTES_MAX] = {0};
    int rv = check_attributes(node, err);
    if (rv == 0) {
        rv = sort_attributes(node, order, err);
    }
    if (rv != 0) {
        return rv;
    }
    struct str version_name = STR(VERSION_NAME);
    size_t n = HEAD + version_name.n + node->agent_version.n;
    for (uint32_t i = 0; i < node->n_attributes; i++) {
        n += HEAD + node->attributes[i].name.n + node->attributes[i].value.n;
    }
    memset(ret, 0, sizeof *ret);
    ret->n_bytes = (uint32_t)n;
    ret->bytes = mem_alloc(v->mem, n);
    n = put_pair(ret->bytes, version_name, node->agent_version);
    for (uint32_t i = 0; i < node->n_attributes; i++) {
        const struct view_attribute *a = &node->attributes[order[i]];
        n += put_pair(ret->bytes + n, a->name, a->value);
    }
    assert(n == ret->n_bytes);
    ret->hash = hash_bytes(ret->bytes, n, HASH_SEED);
    return 0;
}

static bool class_eq(const void *ctx, uint32_t value, const void *key)
{
    const struct view *v = ctx;
    const struct view_class *a = &v->classes[value];
    const struct view_class *b = key;
    return a->n_bytes == b->n_bytes && memcmp(a->bytes, b->bytes, a->n_bytes) == 0;
}

int view_class_get(struct view *v, const struct view_node *node, uint32_t *ret, struct err *err)
{
    struct view_class made;
    int rv = make_class(v, node, &made, err);
    if (rv != 0) {
        return rv;
    }
    uint32_t class = map_get(&v->by_bytes, made.hash, class_eq, v, &made);
    if (class != MAP_NONE) {
        mem_free(v->mem, made.bytes, made.n_bytes);
    } else {
        if (v->n_free_classes > 0) {
            class = v->free_classes[--v->n_free_classes];
        } else {
            uint32_t cap = v->cap_classes;
            v->classes =
                view_grow(v->mem, v->classes, v->n_classes, &v->cap_classes, sizeof *v->classes);
            v->free_classes =
                view_grow(v->mem, v->free_classes, v->n_classes, &cap, sizeof *v->free_classes);
            class = v->n_classes++;
        }
        made.zone = view_zone_get(v, &made);
        v->classes[class] = made;
        v->class_epoch++;
        v->epoch++;
        map_put(&v->by_bytes, made.hash, class);
        view_caches_forget(v, class);
    }
    v->classes[class].n_nodes++;
    *ret = class;
    return 0;
}

void view_class_put(struct view *v, uint32_t class)
{
    struct view_class *c = &v->classes[class];
    assert(c->n_nodes > 0);
    c->n_nodes--;
    if (c->n_nodes == 0) {
        map_remove(&v->by_bytes, c->hash, class);
        view_zone_put(v, c->zone);
        mem_free(v->mem, c->bytes, c->n_bytes);
        memset(c, 0, sizeof *c);
        v->free_classes[v->n_free_classes++] = class;
    }
}

void view_classes_close(struct view *v)
{
    for (uint32_t i = 0; i < v->n_classes; i++) {
        mem_free(v->mem, v->classes[i].bytes, v->classes[i].n_bytes);
    }
    mem_free(v->mem, v->classes, v->cap_classes * sizeof *v->classes);
    mem_free(v->mem, v->free_classes, v->cap_classes * sizeof *v->free_classes);
    map_close(&v->by_bytes);
}
