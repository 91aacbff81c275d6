#include "controller/codec/object.h"

#include "common/base/hash.h"
#include "controller/codec/bind.h"
#include "controller/codec/wire.h"
#include "controller/core/schema.h"
#include "proto/ecs/log/v1/log.pb-c.h"
#include "proto/ecs/log/v1/spec.pb-c.h"

#include <assert.h>
#include <string.h>

#define FRAME_FORMAT     1
#define FRAME_KIND_BATCH 1
#define FRAME_ALIGN      8
#define COMMAND_BASE     100 /* Field number of command kind k in Command: COMMAND_BASE + k. */

struct codec {
    struct arena arena;
    const struct mem *mem;
    struct bind *all;
    const struct bind *rows[KIND_N];
    const struct bind *commands[CMD_N];
    uint32_t tag_command; /* In Batch. */
    uint32_t tag_at_ms;   /* In Command. */
    uint32_t tag_seed;
    uint32_t tag_caller;
    uint32_t tag_call;
};

static uint32_t tag_of(const ProtobufCMessageDescriptor *desc, const char *name, uint32_t wire)
{
    const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field_by_name(desc, name);
    assert(f != NULL);
    return f->id << 3 | wire;
}

static int open_rows(struct codec *c, struct err *err)
{
    static const ProtobufCMessageDescriptor *const descs[KIND_N] = {
        [KIND_CLUSTER] = &ecs__log__v1__cluster__descriptor,
        [KIND_TASKDEF] = &ecs__log__v1__taskdef__descriptor,
        [KIND_SERVICE] = &ecs__log__v1__service__descriptor,
        [KIND_NODE] = &ecs__log__v1__node__descriptor,
        [KIND_TASK] = &ecs__log__v1__task__descriptor,
        [KIND_TOKEN] = &ecs__log__v1__token__descriptor,
        [KIND_FAMILY] = &ecs__log__v1__family__descriptor,
        [KIND_JOIN] = &ecs__log__v1__join__descriptor,
        [KIND_META] = &ecs__log__v1__meta__descriptor,
        [KIND_CAPACITY_PROVIDER] = &ecs__log__v1__capacity_provider__descriptor,
    };
    for (int kind = 0; kind < KIND_N; kind++) {
        const struct schema *schema = schema_of_kind((enum kind)kind);
        int rv;
        if (schema == NULL) {
            continue;
        }
        assert(descs[kind] != NULL);
        rv = bind_make(schema, descs[kind], &c->arena, &c->all, &c->rows[kind], err);
        if (rv != 0) {
            return rv;
        }
    }
    return 0;
}

static int open_commands(struct codec *c, struct err *err)
{
    const ProtobufCMessageDescriptor *desc = &ecs__log__v1__command__descriptor;
    for (unsigned kind = 0; kind < CMD_N; kind++) {
        const struct schema *schema = schema_of_command((uint8_t)kind);
        const ProtobufCFieldDescriptor *f;
        int rv;
        if (schema == NULL) {
            continue;
        }
        f = protobuf_c_message_descriptor_get_field(desc, COMMAND_BASE + kind);
        if (f == NULL || f->type != PROTOBUF_C_TYPE_MESSAGE) {
            return err_set(err, ERR_INTERNAL, "%s has no member for kind %u", desc->name, kind);
        }
        rv = bind_make(schema, f->descriptor, &c->arena, &c->all, &c->commands[kind], err);
        if (rv != 0) {
            return rv;
        }
    }
    c->tag_at_ms = tag_of(desc, "at_ms", 0);
    c->tag_seed = tag_of(desc, "seed", 1);
    c->tag_caller = tag_of(desc, "caller", 2);
    c->tag_call = tag_of(desc, "call", 2);
    c->tag_command = tag_of(&ecs__log__v1__batch__descriptor, "commands", 2);
    return 0;
}

int codec_open(const struct mem *mem, struct codec **ret, struct err *err)
{
    struct codec *c = mem_alloc(mem, sizeof *c);
    int rv;
    c->mem = mem;
    arena_init(&c->arena, mem);
    rv = open_rows(c, err);
    if (rv == 0) {
        rv = open_commands(c, err);
    }
    if (rv != 0) {
        codec_close(c);
        return rv;
    }
    *ret = c;
    return 0;
}

void codec_close(struct codec *c)
{
    if (c != NULL) {
        arena_close(&c->arena);
        mem_free(c->mem, c, sizeof *c);
    }
}

static int full(struct buf *out, size_t before, struct err *err)
{
    out->len = before;
    out->overflow = false;
    return err_set(err, ERR_TOOBIG, "encoded form is too long");
}

/* --- batches -------------------------------------------------------------------------------------
 */

static void put_text(uint32_t tag, struct str text, struct buf *out)
{
    if (text.n > 0) {
        size_t opened = wire_open(out, tag);
        buf_put(out, text.p, text.n);
        wire_close(out, opened);
    }
}

static void encode_command(const struct codec *c, const struct command *cmd, struct buf *out)
{
    const struct bind *b = cmd->kind < CMD_N ? c->commands[cmd->kind] : NULL;
    size_t command = wire_open(out, c->tag_command);
    size_t body;
    assert(b != NULL);
    wire_put_varint(out, c->tag_at_ms, (uint64_t)cmd->at_ms);
    wire_put_fixed64(out, c->tag_seed, cmd->seed);
    put_text(c->tag_caller, cmd->caller, out);
    put_text(c->tag_call, cmd->call, out);
    body = wire_open(out, ((uint32_t)COMMAND_BASE + cmd->kind) << 3 | 2);
    wire_encode(b, &cmd->u, out);
    wire_close(out, body);
    wire_close(out, command);
}

int codec_encode_batch(const struct codec *c, const struct command *commands, uint32_t n,
                       uint16_t level, struct buf *out, struct err *err)
{
    static const uint8_t zeros[FRAME_ALIGN];
    size_t before = out->len;
    uint8_t *header;
    size_t length;
    buf_put_u16(out, FRAME_FORMAT);
    buf_put_u16(out, FRAME_KIND_BATCH);
    buf_put_u16(out, 0);
    buf_put_u16(out, level);
    buf_put_u64(out, 0);
    for (uint32_t i = 0; i < n && !out->overflow; i++) {
        encode_command(c, &commands[i], out);
    }
    length = out->len - before - CODEC_FRAME_HEADER;
    buf_put(out, zeros, (FRAME_ALIGN - length % FRAME_ALIGN) % FRAME_ALIGN);
    if (out->overflow || length > UINT32_MAX) {
        return full(out, before, err);
    }
    header = out->data + before;
    put_u32(header + 8, (uint32_t)length);
    put_u32(header + 12, crc32c(crc32c(0, header, 12), header + CODEC_FRAME_HEADER, length));
    return 0;
}

/* Check the frame and give its payload, an empty one when the reader need not understand it. */
static int open_frame(struct str entry, struct str *ret, struct err *err)
{
    const uint8_t *p = (const uint8_t *)entry.p;
    size_t length;
    size_t padded;
    if (entry.n < CODEC_FRAME_HEADER) {
        return err_set(err, ERR_CORRUPT, "log entry of %zu bytes: no room for a header", entry.n);
    }
    if (get_u16(p) != FRAME_FORMAT) {
        return err_set(err, ERR_UNSUPPORTED, "log entry of format %u: this controller reads %d",
                       get_u16(p), FRAME_FORMAT);
    }
    length = get_u32(p + 8);
    padded = (length + FRAME_ALIGN - 1) / FRAME_ALIGN * FRAME_ALIGN;
    if (padded != entry.n - CODEC_FRAME_HEADER) {
        return err_set(err, ERR_CORRUPT, "log entry of %zu bytes: payload length %zu", entry.n,
                       length);
    }
    if (crc32c(crc32c(0, p, 12), p + CODEC_FRAME_HEADER, length) != get_u32(p + 12)) {
        return err_set(err, ERR_CORRUPT, "log entry: checksum does not match");
    }
    for (size_t i = length; i < padded; i++) {
        if (p[CODEC_FRAME_HEADER + i] != 0) {
            return err_set(err, ERR_CORRUPT, "log entry: padding is not zero");
        }
    }
    *ret = str_make(entry.p + CODEC_FRAME_HEADER, length);
    if (get_u16(p + 2) != FRAME_KIND_BATCH) {
        if ((get_u16(p + 4) & CODEC_FLAG_SKIP) == 0) {
            return err_set(err, ERR_UNSUPPORTED,
                           "log entry of unknown kind %u, written at feature level %u: this "
                           "controller is too old",
                           get_u16(p + 2), get_u16(p + 6));
        }
        ret->n = 0;
    }
    return 0;
}

static int decode_command(const struct codec *c, struct str bytes, struct arena *a,
                          struct command *cmd, struct err *err)
{
    struct wire_reader r = {(const uint8_t *)bytes.p, (const uint8_t *)bytes.p + bytes.n};
    struct wire_field w = {0};
    while (wire_next(&r, &w)) {
        uint32_t kind = w.number - COMMAND_BASE;
        int rv;
        if (w.number == c->tag_at_ms >> 3 && w.type == 0) {
            cmd->at_ms = (int64_t)w.value;
            continue;
        }
        if (w.number == c->tag_seed >> 3 && w.type == 1) {
            cmd->seed = w.value;
            continue;
        }
        if (w.type == 2 && w.number == c->tag_caller >> 3) {
            cmd->caller = w.data;
            continue;
        }
        if (w.type == 2 && w.number == c->tag_call >> 3) {
            cmd->call = w.data;
            continue;
        }
        if (w.number < COMMAND_BASE) {
            continue;
        }
        if (kind >= CMD_N || c->commands[kind] == NULL) {
            return err_set(err, ERR_UNSUPPORTED,
                           "command of unknown kind %u: this controller is too old", kind);
        }
        if (w.type != 2 || cmd->kind != 0) {
            return err_set(err, ERR_CORRUPT, "command of kind %u: malformed", kind);
        }
        cmd->kind = (uint8_t)kind;
        rv = wire_decode(c->commands[kind], w.data, a, &cmd->u, err);
        if (rv != 0) {
            return err_wrap(err, rv, "command of kind %u", kind);
        }
    }
    if (r.p == NULL || cmd->kind == 0) {
        return err_set(err, ERR_CORRUPT, "command: %s",
                       r.p == NULL ? "not a protobuf message" : "has no kind");
    }
    return 0;
}

static uint32_t count_commands(const struct codec *c, struct wire_reader r)
{
    struct wire_field w = {0};
    uint32_t n = 0;
    while (wire_next(&r, &w)) {
        n += w.number == c->tag_command >> 3 && w.type == 2 ? 1 : 0;
    }
    return n;
}

int codec_decode_batch(const struct codec *c, struct str entry, struct arena *a,
                       struct command **ret, uint32_t *ret_n, struct err *err)
{
    struct wire_reader r;
    struct wire_field w = {0};
    struct command *commands;
    struct str payload = {NULL, 0};
    uint32_t n;
    uint32_t done = 0;
    int rv = open_frame(entry, &payload, err);
    if (rv != 0) {
        return rv;
    }
    r.p = (const uint8_t *)payload.p;
    r.end = r.p + payload.n;
    n = count_commands(c, r);
    if (n > CODEC_DECODE_MAX / sizeof *commands) {
        return err_set(err, ERR_CORRUPT, "batch: %u commands are too many", n);
    }
    commands = arena_array(a, n, sizeof *commands);
    while (wire_next(&r, &w)) {
        if (w.number != c->tag_command >> 3 || w.type != 2) {
            continue;
        }
        rv = decode_command(c, w.data, a, &commands[done], err);
        if (rv != 0) {
            return err_wrap(err, rv, "command %u of the batch", done);
        }
        done++;
    }
    if (r.p == NULL) {
        return err_set(err, ERR_CORRUPT, "batch: not a protobuf message");
    }
    *ret = commands;
    *ret_n = done;
    return 0;
}

/* --- rows ----------------------------------------------------------------------------------------
 */

static const struct bind *row_bind(const struct codec *c, enum kind kind)
{
    return (unsigned)kind < KIND_N ? c->rows[kind] : NULL;
}

int codec_encode_row(const struct codec *c, enum kind kind, const void *row, struct buf *out,
                     struct err *err)
{
    const struct bind *b = row_bind(c, kind);
    size_t before = out->len;
    assert(b != NULL);
    wire_encode(b, row, out);
    return out->overflow ? full(out, before, err) : 0;
}

int codec_decode_row(const struct codec *c, enum kind kind, struct str bytes, struct arena *a,
                     void **ret, struct err *err)
{
    const struct bind *b = row_bind(c, kind);
    void *row;
    int rv;
    if (b == NULL) {
        return err_set(err, ERR_UNSUPPORTED, "no table has the number %u", (unsigned)kind);
    }
    row = arena_alloc(a, b->schema->size);
    rv = wire_decode(b, bytes, a, row, err);
    if (rv == 0) {
        *ret = row;
    }
    return rv;
}

/* --- specifications ------------------------------------------------------------------------------
 */

bool codec_managed_tags(struct str spec)
{
    const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field_by_name(
        &ecs__log__v1__service_spec__descriptor, "enable_ecs_managed_tags");
    struct wire_reader r = {(const uint8_t *)spec.p, (const uint8_t *)spec.p + spec.n};
    struct wire_field w = {0};
    bool managed = false;
    assert(f != NULL);
    while (spec.n > 0 && wire_next(&r, &w)) {
        managed = w.number == f->id && w.type == 0 ? w.value != 0 : managed;
    }
    return managed;
}
