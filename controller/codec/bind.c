#include "controller/codec/bind.h"

#include <stdio.h>
#include <string.h>

#define WIRE_VARINT  0u
#define WIRE_FIXED64 1u
#define WIRE_LEN     2u
#define NUMBER_MAX   1000u

/* How a scalar of the model may be declared in the .proto; false when it may not. */
static bool scalar_wire(uint8_t type, ProtobufCType declared, uint8_t *ret)
{
    static const struct {
        uint8_t type;
        ProtobufCType declared;
        uint8_t wire;
    } allowed[] = {
        {FIELD_BOOL, PROTOBUF_C_TYPE_BOOL, BIND_VARINT},
        {FIELD_U8, PROTOBUF_C_TYPE_UINT32, BIND_VARINT},
        {FIELD_U16, PROTOBUF_C_TYPE_UINT32, BIND_VARINT},
        {FIELD_U32, PROTOBUF_C_TYPE_UINT32, BIND_VARINT},
        {FIELD_U64, PROTOBUF_C_TYPE_UINT64, BIND_VARINT},
        {FIELD_U64, PROTOBUF_C_TYPE_FIXED64, BIND_FIXED64},
        {FIELD_I32, PROTOBUF_C_TYPE_SINT32, BIND_ZIGZAG},
        {FIELD_I64, PROTOBUF_C_TYPE_INT64, BIND_VARINT},
        {FIELD_STR, PROTOBUF_C_TYPE_STRING, BIND_BYTES},
        {FIELD_STR, PROTOBUF_C_TYPE_BYTES, BIND_BYTES},
        {FIELD_ID, PROTOBUF_C_TYPE_BYTES, BIND_BYTES},
    };
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++) {
        if (allowed[i].type == type && allowed[i].declared == declared) {
            *ret = allowed[i].wire;
            return true;
        }
    }
    return false;
}

static uint32_t wire_type(uint8_t wire)
{
    switch ((enum bind_wire)wire) {
    case BIND_VARINT:
    case BIND_ZIGZAG:
        return WIRE_VARINT;
    case BIND_FIXED64:
        return WIRE_FIXED64;
    case BIND_BYTES:
    case BIND_MESSAGE:
    case BIND_PACKED:
        return WIRE_LEN;
    }
    return WIRE_LEN;
}

static bool bind_shape(const struct field *f, const ProtobufCFieldDescriptor *d,
                       struct bind_field *to)
{
    bool repeated = d->label == PROTOBUF_C_LABEL_REPEATED;
    bool packed = (d->flags & PROTOBUF_C_FIELD_FLAG_PACKED) != 0;
    to->type = f->type;
    to->repeated = f->type == FIELD_ARRAY || f->type == FIELD_SCALARS;
    if (repeated != to->repeated) {
        return false;
    }
    if (f->type == FIELD_STRUCT || f->type == FIELD_ARRAY) {
        to->wire = BIND_MESSAGE;
        to->element_size = f->sub->size;
        return d->type == PROTOBUF_C_TYPE_MESSAGE;
    }
    if (f->type == FIELD_SCALARS) {
        to->type = f->element;
        to->element_size = schema_scalar_size(f->element);
        if (f->element == FIELD_ID) {
            return scalar_wire(FIELD_ID, d->type, &to->wire);
        }
        /* Only what is a varint on the wire can be counted in a packed field. */
        if (!scalar_wire(f->element, d->type, &to->wire) || to->wire != BIND_VARINT || !packed) {
            return false;
        }
        to->wire = BIND_PACKED;
        return true;
    }
    to->element_size = schema_scalar_size(f->type);
    return scalar_wire(f->type, d->type, &to->wire);
}

/* By name; has_x of a struct is x_set in the .proto, where generated code has its own has_x. */
static const ProtobufCFieldDescriptor *find_field(const ProtobufCMessageDescriptor *desc,
                                                  const char *name)
{
    char renamed[64];
    if (strncmp(name, "has_", 4) == 0) {
        (void)snprintf(renamed, sizeof renamed, "%s_set", name + 4);
        name = renamed;
    }
    return protobuf_c_message_descriptor_get_field_by_name(desc, name);
}

static int bind_one(const struct schema *s, const struct field *f,
                    const ProtobufCMessageDescriptor *desc, struct bind_field *to, struct err *err)
{
    const ProtobufCFieldDescriptor *d = find_field(desc, f->name);
    if (d == NULL) {
        return err_set(err, ERR_INTERNAL, "%s has no field for %s", desc->name, f->name);
    }
    if (d->id > NUMBER_MAX || !bind_shape(f, d, to)) {
        return err_set(err, ERR_INTERNAL, "%s.%s does not fit the schema %s", desc->name, f->name,
                       s->name);
    }
    to->number = d->id;
    to->tag = d->id << 3 | wire_type(to->wire);
    to->offset = f->offset;
    to->count_offset = f->count_offset;
    return 0;
}

static void index_fields(struct bind *b, struct arena *arena)
{
    for (uint32_t i = 1; i < b->n_fields; i++) {
        struct bind_field moving = b->fields[i];
        uint32_t at = i;
        while (at > 0 && b->fields[at - 1].number > moving.number) {
            b->fields[at] = b->fields[at - 1];
            at--;
        }
        b->fields[at] = moving;
    }
    b->n_numbers = b->n_fields == 0 ? 1 : b->fields[b->n_fields - 1].number + 1;
    b->by_number = arena_array(arena, b->n_numbers, sizeof(void *));
    for (uint32_t i = 0; i < b->n_fields; i++) {
        b->by_number[b->fields[i].number] = &b->fields[i];
        b->any_repeated = b->any_repeated || b->fields[i].repeated;
    }
}

static struct bind *bind_find(struct bind *list, const struct schema *schema,
                              const ProtobufCMessageDescriptor *desc)
{
    while (list != NULL && (list->schema != schema || list->desc != desc)) {
        list = list->next;
    }
    return list;
}

/* Bind the fields of one pair and put the pairs of its sub-structs on the list, unbound. */
static int bind_fields(struct bind *b, struct arena *arena, struct bind **tail, struct bind *list,
                       struct err *err)
{
    const struct schema *s = b->schema;
    b->fields = arena_array(arena, s->n_fields, sizeof *b->fields);
    for (uint32_t i = 0; i < s->n_fields; i++) {
        const struct field *f = &s->fields[i];
        struct bind_field *to = &b->fields[b->n_fields];
        const ProtobufCMessageDescriptor *sub;
        int rv;
        if (f->derived) {
            continue;
        }
        rv = bind_one(s, f, b->desc, to, err);
        if (rv != 0) {
            return rv;
        }
        b->n_fields++;
        if (to->wire != BIND_MESSAGE) {
            continue;
        }
        sub = find_field(b->desc, f->name)->descriptor;
        to->sub = bind_find(list, f->sub, sub);
        if (to->sub == NULL) {
            struct bind *made = arena_alloc(arena, sizeof *made);
            made->schema = f->sub;
            made->desc = sub;
            (*tail)->next = made;
            *tail = made;
            to->sub = made;
        }
    }
    if (b->n_fields != b->desc->n_fields) {
        return err_set(err, ERR_INTERNAL, "%s has fields that the schema %s lacks", b->desc->name,
                       s->name);
    }
    index_fields(b, arena);
    return 0;
}

/* Depths by repeated relaxation: deeper than the maximum shows as a depth that keeps growing. */
static int bind_depths(struct bind *list, struct err *err)
{
    for (int round = 0; round <= BIND_DEPTH_MAX; round++) {
        bool changed = false;
        for (struct bind *b = list; b != NULL; b = b->next) {
            uint32_t depth = 1;
            for (uint32_t i = 0; i < b->n_fields; i++) {
                const struct bind *sub = b->fields[i].sub;
                if (sub != NULL && sub->depth + 1 > depth) {
                    depth = sub->depth + 1;
                }
            }
            changed = changed || depth != b->depth;
            b->depth = depth;
        }
        if (!changed) {
            return 0;
        }
    }
    return err_set(err, ERR_INTERNAL, "messages are nested deeper than %d", BIND_DEPTH_MAX);
}

int bind_make(const struct schema *schema, const ProtobufCMessageDescriptor *desc,
              struct arena *arena, struct bind **list, const struct bind **ret, struct err *err)
{
    struct bind *made = bind_find(*list, schema, desc);
    struct bind *tail = *list;
    int rv;
    if (made != NULL) {
        *ret = made;
        return 0;
    }
    made = arena_alloc(arena, sizeof *made);
    made->schema = schema;
    made->desc = desc;
    if (*list == NULL) {
        *list = made;
        tail = made;
    } else {
        while (tail->next != NULL) {
            tail = tail->next;
        }
        tail->next = made;
        tail = made;
    }
    for (struct bind *b = made; b != NULL; b = b->next) {
        rv = bind_fields(b, arena, &tail, *list, err);
        if (rv != 0) {
            return rv;
        }
    }
    *ret = made;
    return bind_depths(*list, err);
}
