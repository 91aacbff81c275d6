/* Both directions keep an explicit stack of the messages they are inside of. A decoded list is one
 * array, so a message is walked twice: once to count what its lists hold, once to fill them. */
#include "agent/link/wire.h"

#include "common/base/id.h"

#include <assert.h>
#include <pb_decode.h>
#include <pb_encode.h>
#include <string.h>

#define ID_BYTES 16

/* --- decoding -----------------------------------------------------------------------------------
 */

struct frame {
    const struct wire_message *m;
    uint8_t *at; /* The struct. */
    pb_istream_t in;
};

struct decoder {
    struct frame frames[WIRE_DEPTH];
    unsigned depth;
    struct arena *arena;
    struct err *err;
};

static const struct wire_field *find(const struct wire_message *m, uint32_t tag)
{
    for (unsigned i = 0; i < m->n_fields; i++) {
        if (m->fields[i].tag == tag) {
            return &m->fields[i];
        }
    }
    return NULL;
}

static uint32_t *count_of(uint8_t *at, const struct wire_field *f)
{
    return (uint32_t *)(void *)(at + f->n_offset);
}

static pb_wire_type_t wire_type(enum wire_kind kind)
{
    return kind >= WIRE_STR ? PB_WT_STRING : PB_WT_VARINT;
}

static int malformed(struct decoder *d)
{
    return err_set(d->err, ERR_PROTOCOL, "not a protocol buffer");
}

/* The bytes of a length-delimited value, still in the input. */
static bool take_bytes(pb_istream_t *in, struct str *ret)
{
    uint64_t n;
    if (!pb_decode_varint(in, &n) || n > in->bytes_left) {
        return false;
    }
    *ret = str_make(in->state, (size_t)n);
    return pb_read(in, NULL, (size_t)n);
}

/* Count what the lists of the message hold, and make room. */
static int prepare_lists(struct decoder *d, const struct wire_message *m, uint8_t *at,
                         pb_istream_t in)
{
    pb_wire_type_t type;
    uint32_t tag;
    bool eof;
    while (pb_decode_tag(&in, &type, &tag, &eof)) {
        const struct wire_field *f = find(m, tag);
        if (f != NULL && f->n_offset != WIRE_NONE) {
            if (*count_of(at, f) == f->n_max) {
                return err_set(d->err, ERR_PROTOCOL, "%s: more than %u", f->name, f->n_max);
            }
            (*count_of(at, f))++;
        }
        if (!pb_skip_field(&in, type)) {
            return malformed(d);
        }
    }
    if (!eof) {
        return malformed(d);
    }
    for (unsigned i = 0; i < m->n_fields; i++) {
        const struct wire_field *f = &m->fields[i];
        if (f->n_offset != WIRE_NONE && *count_of(at, f) > 0) {
            void *list = arena_array(d->arena, *count_of(at, f), f->size);
            memcpy(at + f->offset, &list, sizeof list);
            *count_of(at, f) = 0; /* Grows again as the list is filled. */
        }
    }
    return 0;
}

/* Zero, except that texts are never NULL; those of messages embedded in this one included. */
static void blank(const struct wire_message *m, uint8_t *at)
{
    static const char *const empty = "";
    memset(at, 0, m->size);
    for (unsigned i = 0; i < m->n_fields; i++) {
        const struct wire_field *f = &m->fields[i];
        if (f->n_offset != WIRE_NONE) {
            continue;
        }
        if (f->kind == WIRE_STR) {
            *(const char **)(void *)(at + f->offset) = empty;
        }
        for (unsigned k = 0; f->kind == WIRE_MSG && k < f->message->n_fields; k++) {
            const struct wire_field *sub = &f->message->fields[k];
            assert(sub->kind != WIRE_MSG || sub->n_offset != WIRE_NONE);
            if (sub->kind == WIRE_STR && sub->n_offset == WIRE_NONE) {
                *(const char **)(void *)(at + f->offset + sub->offset) = empty;
            }
        }
    }
}

static int enter(struct decoder *d, const struct wire_message *m, uint8_t *at, struct str bytes)
{
    struct frame *f;
    assert(d->depth < WIRE_DEPTH); /* The tables are not that deep. */
    blank(m, at);
    f = &d->frames[d->depth];
    d->depth++;
    f->m = m;
    f->at = at;
    f->in = pb_istream_from_buffer((const pb_byte_t *)bytes.p, bytes.n);
    return prepare_lists(d, m, at, f->in);
}

static int put_number(struct decoder *d, const struct wire_field *f, uint64_t v, uint8_t *to)
{
    uint16_t u16 = (uint16_t)v;
    uint32_t u32 = (uint32_t)v;
    uint64_t zigzag = (v >> 1) ^ (~(v & 1) + 1);
    uint32_t zigzag32 = (uint32_t)zigzag;
    bool b = v != 0;
    uint64_t max = f->kind == WIRE_U16                          ? UINT16_MAX
                   : f->kind == WIRE_ENUM                       ? f->max - 1
                   : f->kind == WIRE_U32 || f->kind == WIRE_S32 ? UINT32_MAX
                                                                : UINT64_MAX;
    if (v > max) {
        return err_set(d->err, ERR_PROTOCOL, "%s: %llu is not allowed, at most %llu", f->name,
                       (unsigned long long)v, (unsigned long long)max);
    }
    switch ((int)f->kind) {
    case WIRE_BOOL:
        memcpy(to, &b, sizeof b);
        break;
    case WIRE_U16:
        memcpy(to, &u16, sizeof u16);
        break;
    case WIRE_S32:
        memcpy(to, &zigzag32, sizeof zigzag32);
        break;
    case WIRE_S64:
        memcpy(to, &zigzag, sizeof zigzag);
        break;
    case WIRE_U32:
    case WIRE_ENUM:
        memcpy(to, &u32, sizeof u32);
        break;
    default:
        memcpy(to, &v, sizeof v);
        break;
    }
    return 0;
}

static int put_text(struct decoder *d, const struct wire_field *f, struct str bytes, uint8_t *to)
{
    const char *copy;
    if (bytes.n > f->max) {
        return err_set(d->err, ERR_PROTOCOL, "%s: longer than %u bytes", f->name, f->max);
    }
    if (f->kind == WIRE_BYTES) {
        memcpy(to, &bytes, sizeof bytes);
        return 0;
    }
    if (bytes.n > 0 && memchr(bytes.p, '\0', bytes.n) != NULL) {
        return err_set(d->err, ERR_PROTOCOL, "%s: has a NUL byte inside", f->name);
    }
    copy = bytes.n == 0 ? "" : arena_dup(d->arena, bytes.p, bytes.n);
    memcpy(to, &copy, sizeof copy);
    return 0;
}

static uint64_t big_endian(const char *p)
{
    uint64_t v = 0;
    for (int i = 0; i < 8; i++) {
        v = v << 8 | (uint8_t)p[i];
    }
    return v;
}

static int put_id(struct decoder *d, const struct wire_field *f, struct str bytes, uint8_t *to)
{
    struct id id;
    if (bytes.n != ID_BYTES) {
        return err_set(d->err, ERR_PROTOCOL, "%s: must have %d bytes", f->name, ID_BYTES);
    }
    id.hi = big_endian(bytes.p);
    id.lo = big_endian(bytes.p + 8);
    memcpy(to, &id, sizeof id);
    return 0;
}

static int put_bytes(struct decoder *d, const struct wire_field *f, struct str bytes, uint8_t *to)
{
    void *sub;
    switch ((int)f->kind) {
    case WIRE_ID:
        return put_id(d, f, bytes, to);
    case WIRE_MSG:
        return enter(d, f->message, to, bytes);
    case WIRE_PTR:
        sub = arena_alloc(d->arena, f->message->size);
        memcpy(to, &sub, sizeof sub);
        return enter(d, f->message, sub, bytes);
    default:
        return put_text(d, f, bytes, to);
    }
}

/* Where the next value of the field goes. */
static uint8_t *target(uint8_t *at, const struct wire_field *f)
{
    uint8_t *list;
    uint32_t *n;
    if (f->n_offset == WIRE_NONE) {
        return at + f->offset;
    }
    memcpy(&list, at + f->offset, sizeof list);
    n = count_of(at, f);
    (*n)++;
    return list + (size_t)(*n - 1) * f->size;
}

static int decode_field(struct decoder *d, struct frame *top, uint32_t tag, pb_wire_type_t type)
{
    const struct wire_field *f = find(top->m, tag);
    uint8_t *to;
    struct str bytes;
    uint64_t number;
    if (f == NULL) {
        return pb_skip_field(&top->in, type) ? 0 : malformed(d);
    }
    if (type != wire_type(f->kind)) {
        return err_set(d->err, ERR_PROTOCOL, "%s: is of another type", f->name);
    }
    to = target(top->at, f);
    if (f->has_offset != WIRE_NONE) {
        bool yes = true;
        memcpy(top->at + f->has_offset, &yes, sizeof yes);
    }
    if (type == PB_WT_VARINT) {
        return pb_decode_varint(&top->in, &number) ? put_number(d, f, number, to) : malformed(d);
    }
    return take_bytes(&top->in, &bytes) ? put_bytes(d, f, bytes, to) : malformed(d);
}

int wire_decode(const struct wire_message *m, struct str bytes, struct arena *arena, void *ret,
                struct err *err)
{
    struct decoder d = {.arena = arena, .err = err};
    int rv = enter(&d, m, ret, bytes);
    while (rv == 0 && d.depth > 0) {
        struct frame *top = &d.frames[d.depth - 1];
        pb_wire_type_t type;
        uint32_t tag;
        bool eof;
        if (pb_decode_tag(&top->in, &type, &tag, &eof)) {
            rv = decode_field(&d, top, tag, type);
        } else if (eof) {
            d.depth--;
        } else {
            rv = malformed(&d);
        }
    }
    return rv;
}

/* --- encoding -----------------------------------------------------------------------------------
 */

struct level {
    const struct wire_message *m;
    const uint8_t *at;
    unsigned field; /* The next one, ... */
    uint32_t item;  /* ... and the next of its list. */
    size_t start;   /* Where its bytes begin; its length is one byte before until it is known. */
};

static bool append(pb_ostream_t *stream, const pb_byte_t *bytes, size_t n)
{
    buf_put(stream->state, bytes, n);
    return true;
}

static pb_ostream_t output(struct buf *to)
{
    pb_ostream_t out = {.callback = append, .state = to, .max_size = SIZE_MAX};
    return out;
}

static uint64_t get_number(const struct wire_field *f, const uint8_t *from)
{
    uint64_t u64;
    uint32_t u32;
    uint16_t u16;
    bool b;
    switch ((int)f->kind) {
    case WIRE_BOOL:
        memcpy(&b, from, sizeof b);
        return b;
    case WIRE_U16:
        memcpy(&u16, from, sizeof u16);
        return u16;
    case WIRE_U32:
    case WIRE_ENUM:
        memcpy(&u32, from, sizeof u32);
        return u32;
    case WIRE_S32:
        memcpy(&u32, from, sizeof u32);
        return (uint32_t)(u32 << 1) ^ (~(u32 >> 31) + 1);
    case WIRE_S64:
        memcpy(&u64, from, sizeof u64);
        return (u64 << 1) ^ (~(u64 >> 63) + 1);
    default:
        memcpy(&u64, from, sizeof u64);
        return u64;
    }
}

static void id_bytes(const uint8_t *from, uint8_t ret[ID_BYTES])
{
    struct id id;
    memcpy(&id, from, sizeof id);
    for (int i = 0; i < 8; i++) {
        ret[i] = (uint8_t)(id.hi >> (56 - 8 * i));
        ret[8 + i] = (uint8_t)(id.lo >> (56 - 8 * i));
    }
}

/* Text, bytes and ids as bytes; scratch holds an id. */
static struct str get_bytes(const struct wire_field *f, const uint8_t *from, uint8_t *scratch)
{
    struct str bytes;
    const char *text;
    if (f->kind == WIRE_ID) {
        id_bytes(from, scratch);
        return str_make((const char *)scratch, ID_BYTES);
    }
    if (f->kind == WIRE_BYTES) {
        memcpy(&bytes, from, sizeof bytes);
        return bytes;
    }
    memcpy(&text, from, sizeof text);
    return str_of(text);
}

/* Values that need no level of their own. must: also when it is zero or empty. */
static void encode_simple(const struct wire_field *f, const uint8_t *from, bool must,
                          struct buf *to)
{
    pb_ostream_t out = output(to);
    uint8_t scratch[ID_BYTES];
    if (wire_type(f->kind) == PB_WT_VARINT) {
        uint64_t number = get_number(f, from);
        if (number != 0 || must) {
            (void)pb_encode_tag(&out, PB_WT_VARINT, f->tag);
            (void)pb_encode_varint(&out, number);
        }
    } else {
        struct str bytes = get_bytes(f, from, scratch);
        if (bytes.n > 0 || must) {
            (void)pb_encode_tag(&out, PB_WT_STRING, f->tag);
            (void)pb_encode_string(&out, (const pb_byte_t *)bytes.p, bytes.n);
        }
    }
}

/* The next value of the level's current field, or NULL after moving on to the next field. */
static const uint8_t *next_value(struct level *l, const struct wire_field *f)
{
    const uint8_t *at = l->at + f->offset;
    const uint8_t *pointer;
    uint32_t n;
    if (f->n_offset == WIRE_NONE && f->kind != WIRE_PTR) {
        l->field++;
        return at;
    }
    memcpy(&pointer, at, sizeof pointer);
    if (f->n_offset == WIRE_NONE) {
        l->field++;
        return pointer;
    }
    memcpy(&n, l->at + f->n_offset, sizeof n);
    if (l->item == n) {
        l->field++;
        l->item = 0;
        return NULL;
    }
    pointer += (size_t)l->item * f->size;
    l->item++;
    return pointer;
}

/* The message that began at start is complete: its length goes in front of it. */
static void close_level(struct buf *to, size_t start)
{
    size_t n = to->len - start;
    uint8_t prefix[10];
    pb_ostream_t out = pb_ostream_from_buffer(prefix, sizeof prefix);
    (void)pb_encode_varint(&out, n);
    if (out.bytes_written > 1 && buf_reserve(to, out.bytes_written - 1) != NULL) {
        memmove(to->data + start + out.bytes_written - 1, to->data + start, n);
        to->len += out.bytes_written - 1;
    }
    if (!to->overflow) {
        memcpy(to->data + start - 1, prefix, out.bytes_written);
    }
}

static bool is_present(const struct level *l, const struct wire_field *f)
{
    bool present = true;
    if (f->has_offset != WIRE_NONE) {
        memcpy(&present, l->at + f->has_offset, sizeof present);
    }
    return present;
}

/* An embedded message with nothing in it need not be sent. */
static bool is_empty(const struct wire_message *m, const uint8_t *at)
{
    for (unsigned i = 0; i < m->n_fields; i++) {
        const struct wire_field *f = &m->fields[i];
        if (f->n_offset != WIRE_NONE) {
            uint32_t n;
            memcpy(&n, at + f->n_offset, sizeof n);
            if (n > 0) {
                return false;
            }
        } else if (f->kind == WIRE_STR) {
            const char *text;
            memcpy(&text, at + f->offset, sizeof text);
            if (text != NULL && text[0] != '\0') {
                return false;
            }
        } else if (wire_type(f->kind) != PB_WT_VARINT || get_number(f, at + f->offset) != 0) {
            return false;
        }
    }
    return true;
}

/* Encode one value of the top level, or go down into it. */
static bool encode_next(struct level *l, struct level *down, struct buf *to)
{
    const struct wire_field *f = &l->m->fields[l->field];
    bool list = f->n_offset != WIRE_NONE;
    bool present = is_present(l, f);
    const uint8_t *value = next_value(l, f);
    pb_ostream_t out;
    if (value == NULL || !present) {
        return false;
    }
    if (f->kind != WIRE_MSG && f->kind != WIRE_PTR) {
        encode_simple(f, value, list || f->has_offset != WIRE_NONE, to);
        return false;
    }
    if (f->kind == WIRE_MSG && !list && is_empty(f->message, value)) {
        return false;
    }
    out = output(to);
    (void)pb_encode_tag(&out, PB_WT_STRING, f->tag);
    buf_put_u8(to, 0);
    *down = (struct level){.m = f->message, .at = value, .start = to->len};
    return true;
}

int wire_encode(const struct wire_message *m, const void *from, struct buf *to, struct err *err)
{
    struct level levels[WIRE_DEPTH] = {{.m = m, .at = from}};
    unsigned depth = 1;
    while (depth > 0 && !to->overflow) {
        struct level *top = &levels[depth - 1];
        if (top->field == top->m->n_fields) {
            depth--;
            if (depth > 0) {
                close_level(to, top->start);
            }
        } else {
            assert(depth < WIRE_DEPTH);
            depth += encode_next(top, &levels[depth], to);
        }
    }
    return to->overflow ? err_set(err, ERR_TOOBIG, "message too big") : 0;
}
