#include "controller/codec/pbc.h"

#include <assert.h>
#include <string.h>

struct budget {
    struct arena *arena;
    size_t end; /* arena->used may not grow beyond. */
};

static void *budget_alloc(void *data, size_t size)
{
    struct budget *b = data;
    if (size > PBC_UNPACK_MAX || b->arena->used + size > b->end) {
        return NULL;
    }
    return arena_alloc(b->arena, size);
}

static void budget_free(void *data, void *pointer)
{
    (void)data;
    (void)pointer;
}

void *pbc_new(const ProtobufCMessageDescriptor *desc, struct arena *a)
{
    ProtobufCMessage *m = arena_alloc(a, desc->sizeof_message);
    m->descriptor = desc;
    return m;
}

int pbc_unpack(const ProtobufCMessageDescriptor *desc, struct str bytes, struct arena *a,
               ProtobufCMessage **ret, struct err *err)
{
    struct budget budget = {a, a->used + PBC_UNPACK_MAX};
    ProtobufCAllocator allocator = {budget_alloc, budget_free, &budget};
    const uint8_t *p = bytes.n == 0 ? (const uint8_t *)"" : (const uint8_t *)bytes.p;
    ProtobufCMessage *m = protobuf_c_message_unpack(desc, &allocator, bytes.n, p);
    if (m == NULL) {
        return err_set(err, ERR_PARSE, "%s: not a valid message", desc->short_name);
    }
    *ret = m;
    return 0;
}

void pbc_pack(const ProtobufCMessage *m, struct buf *out)
{
    size_t n = protobuf_c_message_get_packed_size(m);
    uint8_t *to = buf_reserve(out, n);
    if (to != NULL) {
        out->len += protobuf_c_message_pack(m, to);
    }
}

struct str pbc_pack_arena(const ProtobufCMessage *m, struct arena *a)
{
    size_t n = protobuf_c_message_get_packed_size(m);
    uint8_t *to = arena_alloc(a, n);
    size_t written = protobuf_c_message_pack(m, to);
    assert(written == n);
    return str_make((const char *)to, n);
}

size_t pbc_value_size(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return sizeof(int32_t);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return sizeof(int64_t);
    case PROTOBUF_C_TYPE_FLOAT:
        return sizeof(float);
    case PROTOBUF_C_TYPE_DOUBLE:
        return sizeof(double);
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_ENUM:
        return sizeof(int);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    }
    assert(false);
    return 0;
}

static const void *member(const ProtobufCMessage *m, size_t offset)
{
    return (const uint8_t *)m + offset;
}

/* proto3 fields without `optional` (Timestamp's) are there when they are not zero. */
static bool is_zero(const void *value, size_t size)
{
    static const uint8_t zeros[sizeof(ProtobufCBinaryData)];
    return memcmp(value, zeros, size) == 0;
}

size_t pbc_count(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
    const void *at = member(m, f->offset);
    if (f->label == PROTOBUF_C_LABEL_REPEATED) {
        return *(const size_t *)member(m, f->quantifier_offset);
    }
    if ((f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
        return *(const uint32_t *)member(m, f->quantifier_offset) == f->id ? 1 : 0;
    }
    if (f->type == PROTOBUF_C_TYPE_STRING || f->type == PROTOBUF_C_TYPE_MESSAGE) {
        const void *p = *(const void *const *)at;
        return p != NULL && p != f->default_value ? 1 : 0;
    }
    if (f->label == PROTOBUF_C_LABEL_NONE) {
        return is_zero(at, pbc_value_size(f->type)) ? 0 : 1;
    }
    return *(const protobuf_c_boolean *)member(m, f->quantifier_offset) != 0 ? 1 : 0;
}

const void *pbc_value(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f, size_t i)
{
    const void *at = member(m, f->offset);
    assert(i < pbc_count(m, f));
    if (f->label == PROTOBUF_C_LABEL_REPEATED) {
        return *(const uint8_t *const *)at + i * pbc_value_size(f->type);
    }
    return at;
}

void *pbc_set(ProtobufCMessage *m, const ProtobufCFieldDescriptor *f, size_t n, struct arena *a)
{
    uint8_t *base = (uint8_t *)m;
    if (f->label == PROTOBUF_C_LABEL_REPEATED) {
        void *array = arena_array(a, n, pbc_value_size(f->type));
        *(void **)(base + f->offset) = array;
        *(size_t *)(base + f->quantifier_offset) = n;
        return array;
    }
    assert(n == 1);
    if ((f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
        *(uint32_t *)(base + f->quantifier_offset) = f->id;
    } else if (f->label == PROTOBUF_C_LABEL_OPTIONAL && f->type != PROTOBUF_C_TYPE_STRING &&
               f->type != PROTOBUF_C_TYPE_MESSAGE) {
        *(protobuf_c_boolean *)(base + f->quantifier_offset) = 1;
    }
    return base + f->offset;
}

bool pbc_is_map(const ProtobufCFieldDescriptor *f, const ProtobufCMessageDescriptor *parent)
{
    const ProtobufCMessageDescriptor *entry = f->descriptor;
    size_t n = strlen(parent->name);
    if (f->label != PROTOBUF_C_LABEL_REPEATED || f->type != PROTOBUF_C_TYPE_MESSAGE) {
        return false;
    }
    /* Only map<> makes entries nested in the message that holds them; ours nest nothing else. */
    return strncmp(entry->name, parent->name, n) == 0 && entry->name[n] == '.' &&
           str_ends(str_of(entry->name), "Entry") && entry->n_fields == 2;
}
