/* Sub-messages are written before their length is known: one byte is kept free for it, and when it
 * takes more the bytes are moved up. Most sub-messages are short, so that is cheaper than a pass
 * that computes sizes. Reading counts the elements of repeated fields first, which costs one look
 * at each tag, and then needs one allocation an array. Stacks stand in for recursion; their depth
 * was checked when the bind was made. */
#include "controller/codec/wire.h"

#include "controller/codec/object.h"

#include <assert.h>
#include <string.h>

#define VARINT_MAX 10

/* --- writing -------------------------------------------------------------------------------------
 */

static size_t put_varint(uint8_t *to, uint64_t v)
{
    size_t n = 0;
    while (v >= 0x80) {
        to[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    to[n++] = (uint8_t)v;
    return n;
}

static size_t varint_size(uint64_t v)
{
    size_t n = 1;
    while (v >= 0x80) {
        v >>= 7;
        n++;
    }
    return n;
}

void wire_put_varint(struct buf *out, uint32_t tag, uint64_t v)
{
    uint8_t *to = buf_reserve(out, (size_t)2 * VARINT_MAX);
    if (to != NULL) {
        size_t n = put_varint(to, tag);
        out->len += n + put_varint(to + n, v);
    }
}

void wire_put_fixed64(struct buf *out, uint32_t tag, uint64_t v)
{
    uint8_t *to = buf_reserve(out, VARINT_MAX + 8);
    if (to != NULL) {
        size_t n = put_varint(to, tag);
        put_u64(to + n, v);
        out->len += n + 8;
    }
}

static void put_bytes(struct buf *out, uint32_t tag, const void *bytes, size_t len)
{
    uint8_t *to = buf_reserve(out, (size_t)2 * VARINT_MAX + len);
    if (to != NULL) {
        size_t n = put_varint(to, tag);
        n += put_varint(to + n, len);
        if (len > 0) {
            memcpy(to + n, bytes, len);
        }
        out->len += n + len;
    }
}

size_t wire_open(struct buf *out, uint32_t tag)
{
    uint8_t *to = buf_reserve(out, VARINT_MAX + 1);
    if (to != NULL) {
        out->len += put_varint(to, tag);
        out->data[out->len++] = 0;
    }
    return out->len;
}

void wire_close(struct buf *out, size_t opened)
{
    size_t len;
    size_t more;
    if (out->overflow) {
        return;
    }
    len = out->len - opened;
    more = varint_size(len) - 1;
    if (more > 0) {
        if (buf_reserve(out, more) == NULL) {
            return;
        }
        memmove(out->data + opened + more, out->data + opened, len);
        out->len += more;
    }
    (void)put_varint(out->data + opened - 1, len);
}

static uint64_t load_scalar(uint8_t type, const void *p)
{
    switch (type) {
    case FIELD_BOOL:
        return *(const bool *)p ? 1 : 0;
    case FIELD_U8:
        return *(const uint8_t *)p;
    case FIELD_U16:
        return *(const uint16_t *)p;
    case FIELD_U32:
        return *(const uint32_t *)p;
    case FIELD_I32:
        return (uint64_t)(int64_t) * (const int32_t *)p;
    case FIELD_I64:
        return (uint64_t) * (const int64_t *)p;
    default:
        assert(type == FIELD_U64);
        return *(const uint64_t *)p;
    }
}

static void put_id(struct buf *out, uint32_t tag, const struct id *id)
{
    uint8_t raw[16];
    for (int i = 0; i < 8; i++) {
        raw[i] = (uint8_t)(id->hi >> (56 - 8 * i));
        raw[8 + i] = (uint8_t)(id->lo >> (56 - 8 * i));
    }
    put_bytes(out, tag, raw, sizeof raw);
}

/* A single value; zeros and absent texts are not written. */
static void put_value(const struct bind_field *f, const void *p, struct buf *out)
{
    uint64_t v;
    if (f->type == FIELD_STR) {
        const struct str *s = p;
        if (s->p != NULL) {
            put_bytes(out, f->tag, s->p, s->n);
        }
        return;
    }
    if (f->type == FIELD_ID) {
        if (!id_is_none(*(const struct id *)p)) {
            put_id(out, f->tag, p);
        }
        return;
    }
    v = load_scalar(f->type, p);
    if (v == 0) {
        return;
    }
    if (f->wire == BIND_FIXED64) {
        wire_put_fixed64(out, f->tag, v);
        return;
    }
    if (f->wire == BIND_ZIGZAG) {
        v = (v << 1) ^ (uint64_t)((int64_t)v >> 63);
    }
    wire_put_varint(out, f->tag, v);
}

static void put_scalars(const struct bind_field *f, const uint8_t *v, uint32_t n, struct buf *out)
{
    size_t opened;
    if (f->type == FIELD_ID) {
        for (uint32_t i = 0; i < n; i++) {
            put_id(out, f->tag, (const struct id *)(const void *)(v + i * f->element_size));
        }
        return;
    }
    opened = wire_open(out, f->tag);
    for (uint32_t i = 0; i < n; i++) {
        uint8_t *to = buf_reserve(out, VARINT_MAX);
        if (to == NULL) {
            return;
        }
        out->len += put_varint(to, load_scalar(f->type, v + i * f->element_size));
    }
    wire_close(out, opened);
}

struct encode_frame {
    const struct bind *bind;
    const uint8_t *object;
    uint32_t at;     /* Next field. */
    uint32_t left;   /* Further elements of the array this one is in. */
    uint32_t tag;    /* Of the field this is a value of. */
    size_t before;   /* Length of out before the tag. */
    size_t opened;   /* From wire_open(). */
    bool keep_empty; /* Elements count, even empty ones. */
};

static const uint8_t *array_at(const uint8_t *object, size_t offset)
{
    return *(const uint8_t *const *)(const void *)(object + offset);
}

static uint32_t count_at(const uint8_t *object, size_t offset)
{
    return *(const uint32_t *)(const void *)(object + offset);
}

/* Write field f, or say that the caller has to go into it. */
static bool encode_field(const struct bind_field *f, const uint8_t *object, struct buf *out,
                         struct encode_frame *into)
{
    uint32_t n = f->repeated ? count_at(object, f->count_offset) : 1;
    const uint8_t *p = object + f->offset;
    if (f->repeated) {
        p = array_at(object, f->offset);
    }
    if (n == 0) {
        return false;
    }
    if (f->wire == BIND_MESSAGE) {
        *into = (struct encode_frame){f->sub, p, 0, n - 1, f->tag, out->len, 0, f->repeated};
        into->opened = wire_open(out, f->tag);
        return true;
    }
    if (f->repeated) {
        put_scalars(f, p, n, out);
    } else {
        put_value(f, p, out);
    }
    return false;
}

/* The struct is written: close it and begin its next sibling; false when there is none. */
static bool encode_end(struct encode_frame *frame, struct buf *out)
{
    if (!frame->keep_empty && !out->overflow && out->len == frame->opened) {
        out->len = frame->before;
        return false;
    }
    wire_close(out, frame->opened);
    if (frame->left == 0) {
        return false;
    }
    frame->left--;
    frame->object += frame->bind->schema->size;
    frame->at = 0;
    frame->opened = wire_open(out, frame->tag);
    return true;
}

void wire_encode(const struct bind *b, const void *object, struct buf *out)
{
    struct encode_frame frames[BIND_DEPTH_MAX + 1]; /* One spare, so that [depth] exists. */
    uint32_t depth = 1;
    frames[0] = (struct encode_frame){b, object, 0, 0, 0, 0, 0, false};
    while (!out->overflow) {
        struct encode_frame *top = &frames[depth - 1];
        if (top->at < top->bind->n_fields) {
            const struct bind_field *f = &top->bind->fields[top->at++];
            if (encode_field(f, top->object, out, &frames[depth])) {
                depth++;
            }
            continue;
        }
        if (depth == 1) {
            return;
        }
        if (!encode_end(top, out)) {
            depth--;
        }
    }
}

/* --- reading -------------------------------------------------------------------------------------
 */

static bool get_varint(struct wire_reader *r, uint64_t *ret)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64 && r->p < r->end; shift += 7) {
        uint8_t byte = *r->p++;
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret = v;
            return shift < 63 || byte <= 1;
        }
    }
    return false;
}

static bool get_fixed(struct wire_reader *r, size_t size, uint64_t *ret)
{
    if ((size_t)(r->end - r->p) < size) {
        return false;
    }
    *ret = size == 8 ? get_u64(r->p) : get_u32(r->p);
    r->p += size;
    return true;
}

static bool get_data(struct wire_reader *r, struct str *ret)
{
    uint64_t n;
    if (!get_varint(r, &n) || n > (uint64_t)(r->end - r->p)) {
        return false;
    }
    *ret = str_make((const char *)r->p, (size_t)n);
    r->p += n;
    return true;
}

bool wire_next(struct wire_reader *r, struct wire_field *ret)
{
    uint64_t tag = 0;
    bool ok = false;
    if (r->p == r->end) {
        return false;
    }
    if (!get_varint(r, &tag) || tag >> 3 == 0 || tag > UINT32_MAX) {
        r->p = NULL;
        return false;
    }
    ret->number = (uint32_t)(tag >> 3);
    ret->type = (uint32_t)(tag & 7);
    switch (ret->type) {
    case 0:
        ok = get_varint(r, &ret->value);
        break;
    case 1:
        ok = get_fixed(r, 8, &ret->value);
        break;
    case 2:
        ok = get_data(r, &ret->data);
        break;
    case 5:
        ok = get_fixed(r, 4, &ret->value);
        break;
    default:
        break;
    }
    if (!ok) {
        r->p = NULL;
    }
    return ok;
}

struct decode_frame {
    const struct bind *bind;
    uint8_t *object;
    struct wire_reader in;
};

struct decoder {
    struct arena *arena;
    struct err *err;
    size_t budget; /* Bytes that arrays may still take. */
    uint32_t depth;
    struct decode_frame frames[BIND_DEPTH_MAX];
};

static int corrupt(struct decoder *d, const struct bind *b, const struct bind_field *f,
                   const char *what)
{
    const char *name = "";
    if (f != NULL) {
        name = protobuf_c_message_descriptor_get_field(b->desc, f->number)->name;
    }
    return err_set(d->err, ERR_CORRUPT, "%s%s%s: %s", b->desc->short_name, f == NULL ? "" : ".",
                   name, what);
}

static const struct bind_field *field_of(const struct bind *b, uint32_t number)
{
    return number < b->n_numbers ? b->by_number[number] : NULL;
}

static uint32_t *count_of(uint8_t *object, const struct bind_field *f)
{
    return (uint32_t *)(void *)(object + f->count_offset);
}

static uint8_t **array_of(uint8_t *object, const struct bind_field *f)
{
    return (uint8_t **)(void *)(object + f->offset);
}

/* Count the elements of every repeated field and make the arrays. */
static int make_arrays(struct decoder *d, struct decode_frame *frame)
{
    struct wire_reader r = frame->in;
    struct wire_field w = {0};
    while (wire_next(&r, &w)) {
        const struct bind_field *f = field_of(frame->bind, w.number);
        uint32_t n = 1;
        if (f == NULL || !f->repeated || w.type != 2) {
            continue;
        }
        if (f->wire == BIND_PACKED) {
            n = 0;
            for (size_t i = 0; i < w.data.n; i++) {
                n += (uint8_t)w.data.p[i] < 0x80 ? 1 : 0;
            }
        }
        if (n > UINT32_MAX - *count_of(frame->object, f)) {
            return corrupt(d, frame->bind, f, "too many elements");
        }
        *count_of(frame->object, f) += n;
    }
    if (r.p == NULL) {
        return corrupt(d, frame->bind, NULL, "not a protobuf message");
    }
    for (uint32_t i = 0; i < frame->bind->n_fields; i++) {
        const struct bind_field *f = &frame->bind->fields[i];
        uint32_t n = f->repeated ? *count_of(frame->object, f) : 0;
        if (n == 0) {
            continue;
        }
        if (f->element_size > 0 && n > d->budget / f->element_size) {
            return corrupt(d, frame->bind, f, "too many elements");
        }
        d->budget -= (size_t)n * f->element_size;
        *array_of(frame->object, f) = arena_array(d->arena, n, f->element_size);
        *count_of(frame->object, f) = 0; /* From now on: elements that were read. */
    }
    return 0;
}

static int enter(struct decoder *d, const struct bind *b, uint8_t *object, struct str bytes)
{
    struct decode_frame *frame = &d->frames[d->depth];
    const uint8_t *p = bytes.n == 0 ? (const uint8_t *)"" : (const uint8_t *)bytes.p;
    assert(d->depth < BIND_DEPTH_MAX);
    d->depth++;
    *frame = (struct decode_frame){b, object, {p, p + bytes.n}};
    return b->any_repeated ? make_arrays(d, frame) : 0;
}

/* False when v does not fit. */
static bool store_scalar(uint8_t type, void *p, uint64_t v)
{
    switch (type) {
    case FIELD_BOOL:
        *(bool *)p = v != 0;
        return v <= 1;
    case FIELD_U8:
        *(uint8_t *)p = (uint8_t)v;
        return v <= UINT8_MAX;
    case FIELD_U16:
        *(uint16_t *)p = (uint16_t)v;
        return v <= UINT16_MAX;
    case FIELD_U32:
        *(uint32_t *)p = (uint32_t)v;
        return v <= UINT32_MAX;
    case FIELD_I32:
        *(int32_t *)p = (int32_t)v;
        return (int64_t)v >= INT32_MIN && (int64_t)v <= INT32_MAX;
    case FIELD_I64:
        *(int64_t *)p = (int64_t)v;
        return true;
    default:
        assert(type == FIELD_U64);
        *(uint64_t *)p = v;
        return true;
    }
}

static bool store_bytes(uint8_t type, void *p, struct str data)
{
    struct id id = {0, 0};
    if (type == FIELD_STR) {
        *(struct str *)p = data;
        return true;
    }
    if (data.n != 16) {
        return false;
    }
    for (int i = 0; i < 8; i++) {
        id.hi = id.hi << 8 | (uint8_t)data.p[i];
        id.lo = id.lo << 8 | (uint8_t)data.p[8 + i];
    }
    *(struct id *)p = id;
    return true;
}

static bool store_packed(const struct bind_field *f, uint8_t *object, struct str data)
{
    struct wire_reader r = {(const uint8_t *)data.p, (const uint8_t *)data.p + data.n};
    while (r.p < r.end) {
        uint64_t v = 0;
        uint8_t *to;
        if (!get_varint(&r, &v)) {
            return false; /* Not counted either: there may be no array at all. */
        }
        to = *array_of(object, f) + *count_of(object, f) * f->element_size;
        if (!store_scalar(f->type, to, v)) {
            return false;
        }
        (*count_of(object, f))++;
    }
    return true;
}

static int decode_field(struct decoder *d, struct decode_frame *frame, const struct bind_field *f,
                        const struct wire_field *w)
{
    uint8_t *to = frame->object + f->offset;
    bool ok = false;
    if (w->type != (f->tag & 7)) {
        return corrupt(d, frame->bind, f, "wrong wire type");
    }
    if (f->repeated && f->wire != BIND_PACKED) {
        uint32_t i = (*count_of(frame->object, f))++;
        to = *array_of(frame->object, f) + i * f->element_size;
    }
    switch ((enum bind_wire)f->wire) {
    case BIND_MESSAGE:
        return enter(d, f->sub, to, w->data);
    case BIND_PACKED:
        ok = store_packed(f, frame->object, w->data);
        break;
    case BIND_BYTES:
        ok = store_bytes(f->type, to, w->data);
        break;
    case BIND_ZIGZAG:
        ok = store_scalar(f->type, to, (w->value >> 1) ^ (0 - (w->value & 1)));
        break;
    case BIND_VARINT:
    case BIND_FIXED64:
        ok = store_scalar(f->type, to, w->value);
        break;
    }
    return ok ? 0 : corrupt(d, frame->bind, f, "value out of range");
}

int wire_decode(const struct bind *b, struct str bytes, struct arena *a, void *object,
                struct err *err)
{
    struct decoder d = {.arena = a, .err = err, .budget = CODEC_DECODE_MAX};
    int rv = enter(&d, b, object, bytes);
    while (rv == 0 && d.depth > 0) {
        struct decode_frame *frame = &d.frames[d.depth - 1];
        const struct bind_field *f;
        struct wire_field w = {0};
        if (!wire_next(&frame->in, &w)) {
            if (frame->in.p == NULL) {
                return corrupt(&d, frame->bind, NULL, "not a protobuf message");
            }
            d.depth--;
            continue;
        }
        f = field_of(frame->bind, w.number);
        if (f != NULL) {
            rv = decode_field(&d, frame, f, &w);
        }
    }
    return rv;
}
