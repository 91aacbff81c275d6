/* The reader: a stack of the messages, lists and maps that are open, each step reads one member or
 * element of the innermost. Lists grow in the arena and are put into their message when they end.
 */
#include "controller/codec/json_text.h"
#include "controller/codec/names.h"
#include "controller/codec/transcode.h"

#include "google/protobuf/timestamp.pb-c.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELDS_MAX  64 /* Of one message; a bit each. */
#define ALLOWED_MAX 300

enum open_kind { OPEN_MESSAGE, OPEN_LIST, OPEN_MAP };

struct open {
    enum open_kind kind;
    bool any; /* A member or element was read: a comma must follow. */
    ProtobufCMessage *message;
    const ProtobufCFieldDescriptor *field; /* Of a list or map, in message; of a message, what it
                                            * is being read for, in the message below. */
    uint64_t seen;                         /* Members of a message. */
    uint8_t *values;                       /* Of a list or map. */
    size_t n;
    size_t cap;
};

struct reader {
    struct json_text text;
    struct arena *arena;
    struct err *err;
    unsigned depth;
    struct open open[TRANSCODE_DEPTH_MAX];
};

/* --- errors --------------------------------------------------------------------------------------
 */

/* "containerDefinitions[0].cpu"; the field is the one being read, NULL for the innermost itself. */
static const char *path_of(struct reader *r, const ProtobufCFieldDescriptor *field)
{
    char name[NAME_MAX_LEN];
    const char *path = "";
    for (unsigned i = 0; i <= r->depth; i++) {
        const struct open *o = i < r->depth ? &r->open[i] : NULL;
        const ProtobufCFieldDescriptor *f = o == NULL ? field : o->field;
        bool named =
            o == NULL ? r->open[r->depth - 1].kind == OPEN_MESSAGE
                      : i > 0 && (o->kind != OPEN_MESSAGE || r->open[i - 1].kind == OPEN_MESSAGE);
        if (f != NULL && named) {
            name_json(f->name, name);
            path = arena_printf(r->arena, "%s%s%s", path, *path == '\0' ? "" : ".", name);
        }
        if (o != NULL && o->kind == OPEN_LIST) {
            size_t index = i + 1 < r->depth ? o->n - 1 : o->n; /* Being read, or about to be. */
            path = arena_printf(r->arena, "%s[%zu]", path, index);
        }
    }
    return path;
}

static int wrong(struct reader *r, const ProtobufCFieldDescriptor *field, const char *what)
{
    const char *path = path_of(r, field);
    return err_set(r->err, ERR_PARSE, "%s%s%s", path, *path == '\0' ? "" : ": ", what);
}

static int malformed(struct reader *r, const ProtobufCFieldDescriptor *field)
{
    return wrong(r, field, r->text.why);
}

/* --- scalars -------------------------------------------------------------------------------------
 */

static int read_integer(struct reader *r, const ProtobufCFieldDescriptor *f, int64_t min,
                        int64_t max, int64_t *ret)
{
    struct json_number number = {0};
    char c = json_text_peek(&r->text);
    if (c != '-' && (c < '0' || c > '9')) {
        return wrong(r, f, "expected an integer");
    }
    if (!json_text_number(&r->text, &number)) {
        return malformed(r, f);
    }
    if (!number.is_integer) {
        return wrong(r, f, "expected an integer");
    }
    if (number.integer < min || number.integer > max) {
        return wrong(r, f, "integer out of range");
    }
    *ret = number.integer;
    return 0;
}

static int read_real(struct reader *r, const ProtobufCFieldDescriptor *f, double *ret)
{
    struct json_number number = {0};
    char c = json_text_peek(&r->text);
    if (c != '-' && (c < '0' || c > '9')) {
        return wrong(r, f, "expected a number");
    }
    if (!json_text_number(&r->text, &number)) {
        return malformed(r, f);
    }
    if (!isfinite(number.real)) {
        return wrong(r, f, "number out of range");
    }
    *ret = number.real;
    return 0;
}

static int read_bool(struct reader *r, const ProtobufCFieldDescriptor *f, protobuf_c_boolean *ret)
{
    if (json_text_word(&r->text, "true")) {
        *ret = 1;
    } else if (json_text_word(&r->text, "false")) {
        *ret = 0;
    } else {
        return wrong(r, f, "expected true or false");
    }
    return 0;
}

static int read_text(struct reader *r, const ProtobufCFieldDescriptor *f, struct str *ret)
{
    if (json_text_peek(&r->text) != '"') {
        return wrong(r, f, "expected a string");
    }
    return json_text_string(&r->text, r->arena, ret) ? 0 : malformed(r, f);
}

static int read_enum(struct reader *r, const ProtobufCFieldDescriptor *f, int *ret)
{
    const ProtobufCEnumDescriptor *desc = f->descriptor;
    const ProtobufCEnumValue *value;
    char allowed[ALLOWED_MAX];
    size_t n = 0;
    struct str text;
    int rv = read_text(r, f, &text);
    if (rv != 0) {
        return rv;
    }
    value = name_enum_value(desc, text);
    if (value != NULL) {
        *ret = value->value;
        return 0;
    }
    for (unsigned i = 0; i < desc->n_values && n < sizeof allowed; i++) {
        const char *name = name_enum(desc, desc->values[i].value);
        n += (size_t)snprintf(allowed + n, sizeof allowed - n, "%s%s", i == 0 ? "" : ", ", name);
    }
    return err_set(r->err, ERR_INVALID, "%s: '%.*s' is not one of [%s]", path_of(r, f),
                   text.n > 100 ? 100 : (int)text.n, text.p, allowed);
}

static int read_scalar(struct reader *r, const ProtobufCFieldDescriptor *f, void *to)
{
    struct str text = {NULL, 0};
    int64_t v = 0;
    int rv;
    switch (f->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        rv = read_integer(r, f, INT32_MIN, INT32_MAX, &v);
        *(int32_t *)to = (int32_t)v;
        return rv;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        rv = read_integer(r, f, 0, UINT32_MAX, &v);
        *(uint32_t *)to = (uint32_t)v;
        return rv;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return read_integer(r, f, INT64_MIN, INT64_MAX, to);
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        rv = read_integer(r, f, 0, INT64_MAX, &v);
        *(uint64_t *)to = (uint64_t)v;
        return rv;
    case PROTOBUF_C_TYPE_DOUBLE:
        return read_real(r, f, to);
    case PROTOBUF_C_TYPE_BOOL:
        return read_bool(r, f, to);
    case PROTOBUF_C_TYPE_ENUM:
        return read_enum(r, f, to);
    case PROTOBUF_C_TYPE_STRING:
        rv = read_text(r, f, &text);
        if (rv == 0) {
            *(const char **)to = text.p;
        }
        return rv;
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        break;
    }
    return wrong(r, f, "cannot be given in JSON");
}

/* Seconds since 1970, rounded to milliseconds. */
static int read_timestamp(struct reader *r, const ProtobufCFieldDescriptor *f,
                          ProtobufCMessage **ret)
{
    Google__Protobuf__Timestamp *t = pbc_new(&google__protobuf__timestamp__descriptor, r->arena);
    double seconds = 0;
    int64_t ms;
    int rv = read_real(r, f, &seconds);
    if (rv != 0) {
        return rv;
    }
    if (seconds < -62135596800.0 || seconds >= 253402300800.0) { /* Years 1 to 9999. */
        return wrong(r, f, "time out of range");
    }
    ms = llround(seconds * 1000);
    t->seconds = ms / 1000 - (ms % 1000 < 0 ? 1 : 0);
    t->nanos = (int32_t)(ms - t->seconds * 1000) * 1000000;
    *ret = &t->base;
    return 0;
}

/* --- structure -----------------------------------------------------------------------------------
 */

static int push(struct reader *r, const struct open *o)
{
    if (r->depth == TRANSCODE_DEPTH_MAX) {
        return err_set(r->err, ERR_TOOBIG, "objects and lists are nested deeper than %d",
                       TRANSCODE_DEPTH_MAX);
    }
    r->open[r->depth++] = *o;
    return 0;
}

static int push_message(struct reader *r, const ProtobufCFieldDescriptor *f, ProtobufCMessage **ret)
{
    struct open o = {.kind = OPEN_MESSAGE, .field = f};
    if (!json_text_take(&r->text, '{')) {
        return wrong(r, f, "expected an object");
    }
    o.message = pbc_new(f->descriptor, r->arena);
    *ret = o.message;
    return push(r, &o);
}

/* One value that is neither list nor map. */
static int read_value(struct reader *r, const ProtobufCFieldDescriptor *f, void *to)
{
    if (f->type != PROTOBUF_C_TYPE_MESSAGE) {
        return read_scalar(r, f, to);
    }
    if (f->descriptor == &google__protobuf__timestamp__descriptor) {
        return read_timestamp(r, f, to);
    }
    return push_message(r, f, to);
}

static int read_member_value(struct reader *r, struct open *o, const ProtobufCFieldDescriptor *f)
{
    struct open inner = {.kind = OPEN_LIST, .message = o->message, .field = f};
    if (f->label != PROTOBUF_C_LABEL_REPEATED) {
        return read_value(r, f, pbc_set(o->message, f, 1, r->arena));
    }
    if (pbc_is_map(f, o->message->descriptor)) {
        inner.kind = OPEN_MAP;
        return json_text_take(&r->text, '{') ? push(r, &inner) : wrong(r, f, "expected an object");
    }
    return json_text_take(&r->text, '[') ? push(r, &inner) : wrong(r, f, "expected a list");
}

static int skip_unknown(struct reader *r)
{
    return json_text_skip(&r->text, TRANSCODE_DEPTH_MAX - r->depth) ? 0 : malformed(r, NULL);
}

static int read_name(struct reader *r, struct str *ret)
{
    if (!json_text_string(&r->text, r->arena, ret)) {
        return malformed(r, NULL);
    }
    return json_text_take(&r->text, ':') ? 0 : wrong(r, NULL, "expected ':' after a name");
}

static int read_member(struct reader *r, struct open *o)
{
    const ProtobufCMessageDescriptor *desc = o->message->descriptor;
    const ProtobufCFieldDescriptor *f;
    struct str name;
    uint64_t bit;
    int rv = read_name(r, &name);
    if (rv != 0) {
        return rv;
    }
    f = name_field(desc, name);
    if (f == NULL) {
        return skip_unknown(r);
    }
    assert(desc->n_fields <= FIELDS_MAX);
    bit = 1ull << (f - desc->fields);
    if ((o->seen & bit) != 0) {
        return wrong(r, f, "is there twice");
    }
    o->seen |= bit;
    return json_text_word(&r->text, "null") ? 0 : read_member_value(r, o, f);
}

/* Room for one more value of a list or map. */
static void *grow(struct reader *r, struct open *o)
{
    size_t size = pbc_value_size(o->field->type);
    if (o->n == o->cap) {
        size_t cap = o->cap == 0 ? 4 : o->cap * 2;
        uint8_t *values = arena_array(r->arena, cap, size);
        if (o->n > 0) {
            memcpy(values, o->values, o->n * size);
        }
        o->values = values;
        o->cap = cap;
    }
    return o->values + o->n * size;
}

static int read_element(struct reader *r, struct open *o)
{
    void *to = grow(r, o);
    int rv;
    if (json_text_word(&r->text, "null")) {
        return wrong(r, o->field, "null in a list");
    }
    rv = read_value(r, o->field, to);
    o->n++;
    return rv;
}

static int read_entry(struct reader *r, struct open *o)
{
    const ProtobufCMessageDescriptor *desc = o->field->descriptor;
    ProtobufCMessage *entry = pbc_new(desc, r->arena);
    const ProtobufCFieldDescriptor *key = &desc->fields[0];
    struct str name;
    int rv = read_name(r, &name);
    if (rv != 0) {
        return rv;
    }
    *(const char **)pbc_set(entry, key, 1, r->arena) = name.p;
    *(ProtobufCMessage **)grow(r, o) = entry;
    o->n++;
    return read_scalar(r, &desc->fields[1], pbc_set(entry, &desc->fields[1], 1, r->arena));
}

static const char *key_of(const ProtobufCMessage *entry)
{
    return *(const char *const *)pbc_value(entry, &entry->descriptor->fields[0], 0);
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(key_of(*(const ProtobufCMessage *const *)a),
                  key_of(*(const ProtobufCMessage *const *)b));
}

/* Entries are kept in order of their keys: equal maps have equal bytes, and duplicates meet. */
static int sort_map(struct reader *r, struct open *o)
{
    const ProtobufCMessage *const *entries = (const void *)o->values;
    qsort(o->values, o->n, pbc_value_size(PROTOBUF_C_TYPE_MESSAGE), compare_keys);
    for (size_t i = 1; i < o->n; i++) {
        if (strcmp(key_of(entries[i - 1]), key_of(entries[i])) == 0) {
            return wrong(r, NULL, "a key is there twice");
        }
    }
    return 0;
}

/* An explicit [] is told from an absent list where the message has a field for it: NAME_empty. */
static void note_empty(struct reader *r, struct open *o)
{
    const ProtobufCFieldDescriptor *f;
    char name[128];
    size_t n = strlen(o->field->name);
    if (n + sizeof "_empty" <= sizeof name) {
        memcpy(name, o->field->name, n);
        memcpy(name + n, "_empty", sizeof "_empty");
        f = protobuf_c_message_descriptor_get_field_by_name(o->message->descriptor, name);
        if (f != NULL && f->type == PROTOBUF_C_TYPE_BOOL) {
            *(protobuf_c_boolean *)pbc_set(o->message, f, 1, r->arena) = 1;
        }
    }
}

static int close_innermost(struct reader *r, struct open *o)
{
    int rv = 0;
    if (o->kind == OPEN_MAP && o->n > 1) {
        rv = sort_map(r, o);
    }
    if (rv == 0 && o->kind != OPEN_MESSAGE && o->n > 0) {
        size_t size = pbc_value_size(o->field->type);
        memcpy(pbc_set(o->message, o->field, o->n, r->arena), o->values, o->n * size);
    }
    if (o->kind == OPEN_LIST && o->n == 0) {
        note_empty(r, o);
    }
    r->depth--;
    return rv;
}

static int step(struct reader *r)
{
    struct open *o = &r->open[r->depth - 1];
    if (json_text_take(&r->text, o->kind == OPEN_LIST ? ']' : '}')) {
        return close_innermost(r, o);
    }
    if (o->any && !json_text_take(&r->text, ',')) {
        return wrong(r, NULL, "expected ',' or the end of a list or object");
    }
    o->any = true;
    switch (o->kind) {
    case OPEN_MESSAGE:
        return read_member(r, o);
    case OPEN_LIST:
        return read_element(r, o);
    case OPEN_MAP:
        return read_entry(r, o);
    }
    return ERR_INTERNAL;
}

int transcode_read(const ProtobufCMessageDescriptor *desc, struct str json, struct arena *a,
                   ProtobufCMessage **ret, struct err *err)
{
    struct reader r = {.text = {json.p, json.p + json.n, ""}, .arena = a, .err = err};
    struct open top = {.kind = OPEN_MESSAGE, .message = pbc_new(desc, a)};
    size_t budget = a->used + PBC_UNPACK_MAX;
    int rv;
    if (json.n > TRANSCODE_JSON_MAX) {
        return err_set(err, ERR_TOOBIG, "request is longer than %u bytes", TRANSCODE_JSON_MAX);
    }
    if (json.n == 0) {
        *ret = top.message;
        return 0;
    }
    if (!json_text_take(&r.text, '{')) {
        return err_set(err, ERR_PARSE, "expected a JSON object");
    }
    rv = push(&r, &top);
    while (rv == 0 && r.depth > 0) {
        rv = step(&r);
        if (rv == 0 && a->used > budget) {
            rv = err_set(err, ERR_TOOBIG, "request needs more than %zu bytes of memory",
                         PBC_UNPACK_MAX);
        }
    }
    if (rv != 0) {
        return rv;
    }
    if (json_text_peek(&r.text) != '\0' || r.text.p != r.text.end) {
        return err_set(err, ERR_PARSE, "something follows the JSON object");
    }
    *ret = top.message;
    return 0;
}
