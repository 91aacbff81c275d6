/* A work list instead of recursion: each pair of messages is copied field by field, and pairs of
 * sub-messages met on the way join the list. The chain of `parent` links gives the path for errors,
 * which is only written out when one is needed. */
#include "controller/codec/convert.h"

#include "controller/codec/names.h"

#include <string.h>

#define PATH_DEPTH_MAX 32

struct pair {
    struct pair *next; /* In the work list. */
    const struct pair *parent;
    const ProtobufCFieldDescriptor *field; /* Of the parent, that holds `from`. */
    size_t index;
    const ProtobufCMessage *from;
    ProtobufCMessage *to;
};

struct converter {
    struct arena *arena;
    struct convert_report *report;
    struct err *err;
    struct pair *head;
    struct pair **tail;
};

/* "containerDefinitions[0].secrets" */
static const char *path_of(struct converter *c, const struct pair *at,
                           const ProtobufCFieldDescriptor *f)
{
    const char *path;
    char name[NAME_MAX_LEN];
    name_json(f->name, name);
    path = arena_strdup(c->arena, name);
    for (int depth = 0; at->parent != NULL && depth < PATH_DEPTH_MAX; depth++) {
        name_json(at->field->name, name);
        if (at->field->label == PROTOBUF_C_LABEL_REPEATED) {
            path = arena_printf(c->arena, "%s[%zu].%s", name, at->index, path);
        } else {
            path = arena_printf(c->arena, "%s.%s", name, path);
        }
        at = at->parent;
    }
    return path;
}

static void note_missing(struct converter *c, const struct pair *at,
                         const ProtobufCFieldDescriptor *f)
{
    struct convert_report *r = c->report;
    if (r == NULL) {
        return;
    }
    if (r->n_missing < CONVERT_MISSING_MAX) {
        r->missing[r->n_missing] = path_of(c, at, f);
    }
    r->n_missing++;
}

static bool get_integer(const ProtobufCFieldDescriptor *f, const void *value, int64_t *ret,
                        bool *ret_huge)
{
    uint64_t u;
    *ret_huge = false;
    switch (f->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        *ret = *(const int32_t *)value;
        return true;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        *ret = *(const uint32_t *)value;
        return true;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        *ret = *(const int64_t *)value;
        return true;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        u = *(const uint64_t *)value;
        *ret_huge = u > INT64_MAX;
        *ret = (int64_t)u;
        return true;
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_DOUBLE:
    case PROTOBUF_C_TYPE_BOOL:
    case PROTOBUF_C_TYPE_ENUM:
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return false;
    }
    return false;
}

/* 1: stored. 0: out of range. -1: the target is no integer. */
static int put_integer(const ProtobufCFieldDescriptor *f, void *to, int64_t v, bool huge)
{
    switch (f->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        *(int32_t *)to = (int32_t)v;
        return !huge && v >= INT32_MIN && v <= INT32_MAX;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        *(uint32_t *)to = (uint32_t)v;
        return !huge && v >= 0 && v <= UINT32_MAX;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        *(int64_t *)to = v;
        return !huge;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        *(uint64_t *)to = (uint64_t)v;
        return huge || v >= 0;
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_DOUBLE:
    case PROTOBUF_C_TYPE_BOOL:
    case PROTOBUF_C_TYPE_ENUM:
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return -1;
    }
    return -1;
}

static int bad_value(struct converter *c, const struct pair *at, const ProtobufCFieldDescriptor *f,
                     const char *text)
{
    return err_set(c->err, ERR_INVALID, "%s: '%s' is not allowed", path_of(c, at, f), text);
}

/* Enums and their names in any combination. */
static int copy_name(struct converter *c, const struct pair *at, const ProtobufCFieldDescriptor *ff,
                     const ProtobufCFieldDescriptor *tf, const void *value, void *to)
{
    const ProtobufCEnumValue *found;
    const char *text = ff->type == PROTOBUF_C_TYPE_STRING
                           ? *(const char *const *)value
                           : name_enum(ff->descriptor, *(const int *)value);
    if (text == NULL) {
        return bad_value(c, at, ff, "unknown number");
    }
    if (tf->type == PROTOBUF_C_TYPE_STRING) {
        *(const char **)to = text;
        return 0;
    }
    found = name_enum_value(tf->descriptor, str_of(text));
    if (found == NULL) {
        return bad_value(c, at, ff, text);
    }
    *(int *)to = found->value;
    return 0;
}

static bool is_name(ProtobufCType type)
{
    return type == PROTOBUF_C_TYPE_STRING || type == PROTOBUF_C_TYPE_ENUM;
}

static void push(struct converter *c, const struct pair *parent, const ProtobufCFieldDescriptor *f,
                 size_t index, const ProtobufCMessage *from, ProtobufCMessage *to)
{
    struct pair *p = arena_alloc(c->arena, sizeof *p);
    *p = (struct pair){NULL, parent, f, index, from, to};
    *c->tail = p;
    c->tail = &p->next;
}

static int copy_value(struct converter *c, const struct pair *at,
                      const ProtobufCFieldDescriptor *ff, const ProtobufCFieldDescriptor *tf,
                      size_t i, void *to)
{
    const void *value = pbc_value(at->from, ff, i);
    int64_t number;
    bool huge;
    int stored = -1;
    if (is_name(ff->type) && is_name(tf->type)) {
        return copy_name(c, at, ff, tf, value, to);
    }
    if (ff->type == PROTOBUF_C_TYPE_MESSAGE && tf->type == PROTOBUF_C_TYPE_MESSAGE) {
        ProtobufCMessage *sub = pbc_new(tf->descriptor, c->arena);
        *(ProtobufCMessage **)to = sub;
        push(c, at, ff, i, *(const ProtobufCMessage *const *)value, sub);
        return 0;
    }
    if (get_integer(ff, value, &number, &huge)) {
        stored = put_integer(tf, to, number, huge);
    } else if (ff->type == tf->type) {
        memcpy(to, value, pbc_value_size(ff->type));
        stored = 1;
    }
    if (stored < 0) {
        return err_set(c->err, ERR_INTERNAL, "%s: types cannot be converted", path_of(c, at, ff));
    }
    return stored == 1 ? 0 : bad_value(c, at, ff, "number out of range");
}

static int copy_field(struct converter *c, const struct pair *at,
                      const ProtobufCFieldDescriptor *ff)
{
    const ProtobufCFieldDescriptor *tf;
    size_t n = pbc_count(at->from, ff);
    uint8_t *to;
    int rv = 0;
    if (n == 0) {
        return 0;
    }
    tf = protobuf_c_message_descriptor_get_field_by_name(at->to->descriptor, ff->name);
    if (tf == NULL) {
        note_missing(c, at, ff);
        return 0;
    }
    if ((ff->label == PROTOBUF_C_LABEL_REPEATED) != (tf->label == PROTOBUF_C_LABEL_REPEATED)) {
        return err_set(c->err, ERR_INTERNAL, "%s: a list on one side only", path_of(c, at, ff));
    }
    to = pbc_set(at->to, tf, n, c->arena);
    for (size_t i = 0; i < n && rv == 0; i++) {
        rv = copy_value(c, at, ff, tf, i, to + i * pbc_value_size(tf->type));
    }
    return rv;
}

int convert_message(const ProtobufCMessage *from, ProtobufCMessage *to, struct arena *a,
                    struct convert_report *report, struct err *err)
{
    struct converter c = {a, report, err, NULL, NULL};
    c.tail = &c.head;
    push(&c, NULL, NULL, 0, from, to);
    for (const struct pair *at = c.head; at != NULL; at = at->next) {
        const ProtobufCMessageDescriptor *desc = at->from->descriptor;
        for (unsigned i = 0; i < desc->n_fields; i++) {
            int rv = copy_field(&c, at, &desc->fields[i]);
            if (rv != 0) {
                return rv;
            }
        }
    }
    return 0;
}
