/* The writer: a stack of the messages that are open. Lists of messages are the only thing that
 * interrupts a message; everything else is written in place. */
#include "controller/codec/names.h"
#include "controller/codec/transcode.h"

#include "google/protobuf/timestamp.pb-c.h"
#include "proto/ecs/v1/container_instance.pb-c.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Lists that ECS shows even when they are empty, and that clients index without looking. Besides
 * these, all lists of a response itself. */
static const struct {
    const char *message;
    const char *field;
} shown_empty[] = {
    {"ecs.v1.Cluster", "statistics"},
    {"ecs.v1.Cluster", "tags"},
    {"ecs.v1.Cluster", "settings"},
    {"ecs.v1.Cluster", "capacity_providers"},
    {"ecs.v1.Cluster", "default_capacity_provider_strategy"},
    {"ecs.v1.ContainerDefinition", "port_mappings"},
    {"ecs.v1.ContainerDefinition", "environment"},
    {"ecs.v1.ContainerDefinition", "mount_points"},
    {"ecs.v1.ContainerDefinition", "volumes_from"},
    {"ecs.v1.ContainerDefinition", "system_controls"},
    {"ecs.v1.TaskDefinition", "container_definitions"},
    {"ecs.v1.TaskDefinition", "volumes"},
    {"ecs.v1.TaskDefinition", "placement_constraints"},
    {"ecs.v1.Service", "load_balancers"},
    {"ecs.v1.Service", "service_registries"},
    {"ecs.v1.Service", "deployments"},
    {"ecs.v1.Service", "events"},
    {"ecs.v1.Service", "placement_constraints"},
    {"ecs.v1.Service", "placement_strategy"},
    {"ecs.v1.Task", "attachments"},
    {"ecs.v1.Task", "attributes"},
    {"ecs.v1.Task", "containers"},
    {"ecs.v1.Task", "tags"},
    {"ecs.v1.Container", "network_bindings"},
    {"ecs.v1.Container", "network_interfaces"},
    {"ecs.v1.TaskOverride", "container_overrides"},
    {"ecs.v1.TaskOverride", "inference_accelerator_overrides"},
    {"ecs.v1.ContainerInstance", "remaining_resources"},
    {"ecs.v1.ContainerInstance", "registered_resources"},
    {"ecs.v1.ContainerInstance", "attributes"},
    {"ecs.v1.ContainerInstance", "attachments"},
    {"ecs.v1.ContainerInstance", "tags"},
};

/* A resource whose type says that its list is the value. */
static bool is_set_resource(const ProtobufCMessage *m)
{
    const Ecs__V1__Resource *r = (const Ecs__V1__Resource *)(const void *)m;
    return m->descriptor == &ecs__v1__resource__descriptor && r->type != NULL &&
           strcmp(r->type, "STRINGSET") == 0;
}

static bool is_shown_empty(const ProtobufCMessageDescriptor *desc,
                           const ProtobufCFieldDescriptor *f)
{
    if (f->label != PROTOBUF_C_LABEL_REPEATED || pbc_is_map(f, desc)) {
        return false;
    }
    if (str_ends(str_of(desc->name), "Response")) {
        return true;
    }
    for (size_t i = 0; i < sizeof shown_empty / sizeof shown_empty[0]; i++) {
        if (strcmp(shown_empty[i].field, f->name) == 0 &&
            strcmp(shown_empty[i].message, desc->name) == 0) {
            return true;
        }
    }
    return false;
}

/* --- texts ---------------------------------------------------------------------------------------
 */

/* Bytes of the UTF-8 character at p, 0 if there is none. */
static size_t utf8_length(const char *p, size_t n)
{
    unsigned char c = (unsigned char)*p;
    size_t len = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    return len <= n && str_is_utf8(str_make(p, len)) ? len : 0;
}

static void put_escaped(char c, struct buf *out)
{
    static const char from[] = "\"\\\b\f\n\r\t";
    static const char into[] = "\"\\bfnrt";
    const char *known = memchr(from, c, sizeof from - 1);
    if (known != NULL) {
        buf_put_u8(out, '\\');
        buf_put_u8(out, (uint8_t)into[known - from]);
    } else {
        buf_printf(out, "\\u%04x", (unsigned)(unsigned char)c);
    }
}

static bool is_plain(char c)
{
    return (unsigned char)c >= 0x20 && (unsigned char)c < 0x7f && c != '"' && c != '\\';
}

void transcode_put_string(struct str s, struct buf *out)
{
    size_t at = 0;
    buf_put_u8(out, '"');
    while (at < s.n) {
        size_t n = 0;
        while (at + n < s.n && is_plain(s.p[at + n])) {
            n++;
        }
        buf_put(out, s.p + at, n);
        at += n;
        if (at == s.n) {
            break;
        }
        n = utf8_length(s.p + at, s.n - at);
        if (n > 1) {
            buf_put(out, s.p + at, n);
        } else if (n == 1) {
            put_escaped(s.p[at], out);
        } else {
            buf_puts(out, "\xef\xbf\xbd");
            n = 1;
        }
        at += n;
    }
    buf_put_u8(out, '"');
}

/* The shortest decimal form that reads back the same. */
static void put_real(double v, struct buf *out)
{
    char text[40];
    for (int precision = 15; precision <= 17; precision++) {
        (void)snprintf(text, sizeof text, "%.*g", precision, v);
        if (strtod(text, NULL) == v) {
            break;
        }
    }
    buf_puts(out, text);
}

static void put_scalar(const ProtobufCFieldDescriptor *f, const void *value, struct buf *out)
{
    const char *text;
    switch (f->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        buf_printf(out, "%" PRId32, *(const int32_t *)value);
        return;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        buf_printf(out, "%" PRIu32, *(const uint32_t *)value);
        return;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        buf_printf(out, "%" PRId64, *(const int64_t *)value);
        return;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        buf_printf(out, "%" PRIu64, *(const uint64_t *)value);
        return;
    case PROTOBUF_C_TYPE_DOUBLE:
        put_real(*(const double *)value, out);
        return;
    case PROTOBUF_C_TYPE_BOOL:
        buf_puts(out, *(const protobuf_c_boolean *)value != 0 ? "true" : "false");
        return;
    case PROTOBUF_C_TYPE_ENUM:
        text = name_enum(f->descriptor, *(const int *)value);
        transcode_put_string(str_of(text == NULL ? "UNKNOWN" : text), out);
        return;
    case PROTOBUF_C_TYPE_STRING:
        transcode_put_string(str_of(*(const char *const *)value), out);
        return;
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        break;
    }
    assert(false); /* No message of the API has such a field; a test looks at all of them. */
}

static void put_timestamp(const Google__Protobuf__Timestamp *t, struct buf *out)
{
    int64_t ms = t->seconds * 1000 + t->nanos / 1000000;
    uint64_t abs = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
    buf_printf(out, "%s%" PRIu64, ms < 0 ? "-" : "", abs / 1000);
    if (abs % 1000 != 0) {
        buf_printf(out, ".%03u", (unsigned)(abs % 1000));
    }
}

/* --- structure -----------------------------------------------------------------------------------
 */

struct level {
    const ProtobufCMessage *message;
    unsigned field; /* Next field; while a list is being written, the one after it. */
    size_t i;       /* Next element of the list of messages being written. */
    size_t n;       /* Its length, 0 when none is being written. */
    bool any;       /* A member was written. */
};

static void put_name(struct level *l, const ProtobufCFieldDescriptor *f, struct buf *out)
{
    char name[NAME_MAX_LEN];
    name_json(f->name, name);
    buf_puts(out, l->any ? ",\"" : "\"");
    buf_puts(out, name);
    buf_puts(out, "\":");
    l->any = true;
}

static void put_map(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f, size_t n,
                    struct buf *out)
{
    buf_put_u8(out, '{');
    for (size_t i = 0; i < n; i++) {
        const ProtobufCMessage *entry = *(const ProtobufCMessage *const *)pbc_value(m, f, i);
        const ProtobufCFieldDescriptor *key = &entry->descriptor->fields[0];
        const ProtobufCFieldDescriptor *value = &entry->descriptor->fields[1];
        buf_puts(out, i == 0 ? "" : ",");
        /* Absent ones are empty, as protobuf defines for maps. */
        if (pbc_count(entry, key) == 0) {
            buf_puts(out, "\"\"");
        } else {
            put_scalar(key, pbc_value(entry, key, 0), out);
        }
        buf_put_u8(out, ':');
        if (pbc_count(entry, value) == 0) {
            buf_puts(out, "\"\"");
        } else {
            put_scalar(value, pbc_value(entry, value, 0), out);
        }
    }
    buf_put_u8(out, '}');
}

static void put_list(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f, size_t n,
                     struct buf *out)
{
    buf_put_u8(out, '[');
    for (size_t i = 0; i < n; i++) {
        buf_puts(out, i == 0 ? "" : ",");
        put_scalar(f, pbc_value(m, f, i), out);
    }
    buf_put_u8(out, ']');
}

static const ProtobufCMessage *message_at(const ProtobufCMessage *m,
                                          const ProtobufCFieldDescriptor *f, size_t i)
{
    return *(const ProtobufCMessage *const *)pbc_value(m, f, i);
}

/* Write one member; a message inside it is returned to be written next. */
static const ProtobufCMessage *put_member(struct level *l, const ProtobufCFieldDescriptor *f,
                                          struct buf *out)
{
    const ProtobufCMessage *m = l->message;
    size_t n = pbc_count(m, f);
    if (n == 0) {
        if (is_shown_empty(m->descriptor, f) || is_set_resource(m)) {
            put_name(l, f, out);
            buf_puts(out, "[]");
        }
        return NULL;
    }
    put_name(l, f, out);
    if (f->type != PROTOBUF_C_TYPE_MESSAGE) {
        if (f->label == PROTOBUF_C_LABEL_REPEATED) {
            put_list(m, f, n, out);
        } else {
            put_scalar(f, pbc_value(m, f, 0), out);
        }
        return NULL;
    }
    if (pbc_is_map(f, m->descriptor)) {
        put_map(m, f, n, out);
        return NULL;
    }
    if (f->label == PROTOBUF_C_LABEL_REPEATED) {
        buf_put_u8(out, '[');
        l->n = n;
        l->i = 1;
        return message_at(m, f, 0);
    }
    if (f->descriptor == &google__protobuf__timestamp__descriptor) {
        put_timestamp((const Google__Protobuf__Timestamp *)message_at(m, f, 0), out);
        return NULL;
    }
    return message_at(m, f, 0);
}

/* What comes next inside l: a message to descend into, or NULL and *ret_end when l is done. */
static const ProtobufCMessage *advance(struct level *l, bool *ret_end, struct buf *out)
{
    const ProtobufCMessageDescriptor *desc = l->message->descriptor;
    *ret_end = false;
    if (l->n > 0) {
        const ProtobufCFieldDescriptor *f = &desc->fields[l->field - 1];
        if (l->i < l->n) {
            buf_put_u8(out, ',');
            return message_at(l->message, f, l->i++);
        }
        buf_put_u8(out, ']');
        l->n = 0;
    }
    if (l->field == desc->n_fields) {
        *ret_end = true;
        return NULL;
    }
    l->field++;
    return put_member(l, &desc->fields[l->field - 1], out);
}

void transcode_write(const ProtobufCMessage *m, struct buf *out)
{
    struct level levels[TRANSCODE_DEPTH_MAX];
    unsigned depth = 1;
    levels[0] = (struct level){.message = m};
    buf_put_u8(out, '{');
    while (depth > 0 && !out->overflow) {
        bool end;
        const ProtobufCMessage *inner = advance(&levels[depth - 1], &end, out);
        if (end) {
            buf_put_u8(out, '}');
            depth--;
        } else if (inner != NULL) {
            assert(depth < TRANSCODE_DEPTH_MAX);
            levels[depth++] = (struct level){.message = inner};
            buf_put_u8(out, '{');
        }
    }
}
