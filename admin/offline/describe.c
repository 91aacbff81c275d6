#include "admin/offline/describe.h"

#include "common/base/hex.h"
#include "proto/ecs/log/v1/log.pb-c.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define COMMAND_BASE 100 /* Field number of command kind k in Command, see log.proto. */
#define HEX_MAX      32  /* Bytes shown in hex; more are counted. */

/* --- values ---------------------------------------------------------------------------------- */

static const char *const task_states[] = {"PROVISIONING", "PENDING",  "ACTIVATING",     "RUNNING",
                                          "DEACTIVATING", "STOPPING", "DEPROVISIONING", "STOPPED"};
static const char *const object_states[] = {"ACTIVE", "INACTIVE", "DELETING"};
static const char *const drained_states[] = {"ACTIVE", "DRAINING", "INACTIVE"};
static const char *const container_states[] = {"PENDING", "RUNNING", "STOPPED"};
static const char *const healths[] = {"UNKNOWN", "HEALTHY", "UNHEALTHY"};
static const char *const connections[] = {"UP", "DOWN", "LOST"};
static const char *const stop_codes[] = {"",
                                         "TaskFailedToStart",
                                         "EssentialContainerExited",
                                         "UserInitiated",
                                         "ServiceSchedulerInitiated",
                                         "SpotInterruption",
                                         "TerminationNotice",
                                         "Infrastructure"};

#define NAMES(v) v, sizeof(v) / sizeof((v)[0])
static const struct enum_field {
    const char *schema; /* NULL: any. */
    const char *field;
    const char *const *names;
    size_t n;
} enum_fields[] = {
    {"Task", "status", NAMES(task_states)},
    {"Task", "desired", NAMES(task_states)},
    {"TaskReport", "status", NAMES(task_states)},
    {"Cluster", "status", NAMES(object_states)},
    {"Taskdef", "status", NAMES(object_states)},
    {"Service", "status", NAMES(drained_states)},
    {"PlanService", "status", NAMES(drained_states)},
    {"Node", "status", NAMES(drained_states)},
    {"CmdNodeRef", "status", NAMES(drained_states)},
    {"Container", "status", NAMES(container_states)},
    {"ContainerReport", "status", NAMES(container_states)},
    {"CmdNodeConnection", "connection", NAMES(connections)},
    {NULL, "health", NAMES(healths)},
    {NULL, "stop_code", NAMES(stop_codes)},
};

static const char *enum_name(const struct schema *schema, const struct field *f, uint8_t value)
{
    for (size_t i = 0; i < sizeof enum_fields / sizeof enum_fields[0]; i++) {
        const struct enum_field *e = &enum_fields[i];
        if (strcmp(e->field, f->name) == 0 &&
            (e->schema == NULL || strcmp(e->schema, schema->name) == 0)) {
            return value < e->n ? e->names[value] : NULL;
        }
    }
    return NULL;
}

static bool is_time(const struct field *f)
{
    size_t n = strlen(f->name);
    return f->type == FIELD_I64 && ((n > 3 && strcmp(f->name + n - 3, "_at") == 0) ||
                                    strcmp(f->name, "now") == 0 || strcmp(f->name, "at") == 0);
}

void describe_time(int64_t ms, char ret[DESCRIBE_TIME_LEN])
{
    time_t s = (time_t)(ms / 1000);
    struct tm tm;
    char text[24];
    if (ms <= 0 || gmtime_r(&s, &tm) == NULL ||
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm) == 0) {
        (void)snprintf(ret, DESCRIBE_TIME_LEN, "-");
        return;
    }
    (void)snprintf(ret, DESCRIBE_TIME_LEN, "%s.%03dZ", text, (int)(ms % 1000));
}

static bool is_text(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] < ' ' && s.p[i] != '\n' && s.p[i] != '\t') {
            return false;
        }
    }
    return str_is_utf8(s);
}

static json_t *text_value(struct str s)
{
    char hex[2 * HEX_MAX + 1];
    char text[40];
    if (is_text(s)) {
        return json_stringn(s.n == 0 ? "" : s.p, s.n);
    }
    if (s.n <= HEX_MAX) {
        hex_write((const uint8_t *)s.p, s.n, hex);
        return json_string(hex);
    }
    (void)snprintf(text, sizeof text, "(%zu bytes)", s.n);
    return json_string(text);
}

static json_t *number_value(uint8_t type, const char *p)
{
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    int32_t i32;
    switch (schema_scalar_size(type)) {
    case 1:
        return type == FIELD_BOOL ? json_boolean(*(const bool *)p)
                                  : json_integer(*(const uint8_t *)p);
    case 2:
        memcpy(&u16, p, sizeof u16);
        return json_integer(u16);
    case 4:
        if (type == FIELD_I32) {
            memcpy(&i32, p, sizeof i32);
            return json_integer(i32);
        }
        memcpy(&u32, p, sizeof u32);
        return u32 == SLOT_NONE ? NULL : json_integer(u32);
    default:
        memcpy(&u64, p, sizeof u64);
        return json_integer((json_int_t)u64);
    }
}

static bool is_hash(const struct field *f)
{
    return f->type == FIELD_U64 &&
           (strcmp(f->name, "digest") == 0 || strcmp(f->name, "params_hash") == 0);
}

static json_t *hash_value(const char *p)
{
    char text[20];
    uint64_t value;
    memcpy(&value, p, sizeof value);
    (void)snprintf(text, sizeof text, "%016" PRIx64, value);
    return json_string(text);
}

/* NULL: not set. */
static json_t *scalar_value(const struct schema *schema, const struct field *f, const char *p)
{
    char hex[ID_HEX_LEN + 1];
    char time[DESCRIBE_TIME_LEN];
    struct str text;
    struct id id;
    int64_t ms;
    const char *name;
    if (f->type == FIELD_STR) {
        memcpy(&text, p, sizeof text);
        return text.p == NULL ? NULL : text_value(text);
    }
    if (f->type == FIELD_ID) {
        memcpy(&id, p, sizeof id);
        id_hex(id, hex);
        return id_is_none(id) ? NULL : json_string(hex);
    }
    if (is_time(f)) {
        memcpy(&ms, p, sizeof ms);
        describe_time(ms, time);
        return ms == 0 ? NULL : json_string(time);
    }
    if (is_hash(f)) {
        return hash_value(p);
    }
    name = f->type == FIELD_U8 ? enum_name(schema, f, *(const uint8_t *)p) : NULL;
    if (name != NULL) {
        return *name == '\0' ? NULL : json_string(name);
    }
    return number_value(f->type, p);
}

static json_t *scalars_value(const struct field *f, const char *object)
{
    json_t *list = json_array();
    const char *p;
    uint32_t n;
    memcpy(&p, object + f->offset, sizeof p);
    memcpy(&n, object + f->count_offset, sizeof n);
    for (uint32_t i = 0; i < n; i++) {
        struct field one = {.name = "", .type = f->element};
        (void)json_array_append_new(
            list, scalar_value(NULL, &one, p + i * schema_scalar_size(f->element)));
    }
    return list;
}

/* --- objects --------------------------------------------------------------------------------- */

struct level {
    const struct schema *schema;
    const char *object;
    json_t *out;   /* Borrowed: its owner is the level below. */
    json_t *array; /* Where further elements go; NULL: this is no array. */
    uint32_t at;
    uint32_t left; /* Elements after this one. */
};

/* The first element of a struct or array inside `top`; false when there is none. */
static bool enter(const struct level *top, const struct field *f, struct level *ret)
{
    *ret =
        (struct level){.schema = f->sub, .object = top->object + f->offset, .out = json_object()};
    if (f->type == FIELD_STRUCT) {
        (void)json_object_set_new(top->out, f->name, ret->out);
        return true;
    }
    memcpy(&ret->left, top->object + f->count_offset, sizeof ret->left);
    if (ret->left == 0) {
        json_decref(ret->out);
        return false;
    }
    memcpy(&ret->object, top->object + f->offset, sizeof ret->object);
    ret->left--;
    ret->array = json_array();
    (void)json_array_append_new(ret->array, ret->out);
    (void)json_object_set_new(top->out, f->name, ret->array);
    return true;
}

static void put_scalar(const struct level *top, const struct field *f)
{
    json_t *value = f->type == FIELD_SCALARS
                        ? scalars_value(f, top->object)
                        : scalar_value(top->schema, f, top->object + f->offset);
    if (value != NULL) {
        (void)json_object_set_new(top->out, f->name, value);
    }
}

json_t *describe_object(const struct schema *schema, const void *object)
{
    struct level stack[SCHEMA_DEPTH_MAX];
    json_t *root = json_object();
    uint32_t depth = 1;
    stack[0] = (struct level){.schema = schema, .object = object, .out = root};
    while (depth > 0) {
        struct level *top = &stack[depth - 1];
        if (top->at < top->schema->n_fields) {
            const struct field *f = &top->schema->fields[top->at++];
            if (f->derived) {
                continue;
            }
            if (f->type != FIELD_STRUCT && f->type != FIELD_ARRAY) {
                put_scalar(top, f);
            } else if (depth < SCHEMA_DEPTH_MAX && enter(top, f, &stack[depth])) {
                depth++;
            }
        } else if (top->left > 0) {
            top->left--;
            top->at = 0;
            top->object += top->schema->size;
            top->out = json_object();
            (void)json_array_append_new(top->array, top->out);
        } else {
            depth--;
        }
    }
    return root;
}

/* --- commands -------------------------------------------------------------------------------- */

const char *describe_command_name(uint8_t kind)
{
    const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field(
        &ecs__log__v1__command__descriptor, COMMAND_BASE + (unsigned)kind);
    return f == NULL ? "?" : f->name;
}

json_t *describe_command(const struct command *cmd)
{
    const struct schema *schema = schema_of_command(cmd->kind);
    json_t *out = json_object();
    json_t *fields = schema == NULL ? json_object() : describe_object(schema, &cmd->u);
    char time[DESCRIBE_TIME_LEN];
    char seed[20];
    describe_time(cmd->at_ms, time);
    (void)snprintf(seed, sizeof seed, "%016" PRIx64, cmd->seed);
    (void)json_object_set_new(out, "command", json_string(describe_command_name(cmd->kind)));
    (void)json_object_set_new(out, "at", json_string(time));
    (void)json_object_set_new(out, "seed", json_string(seed));
    (void)json_object_update(out, fields);
    json_decref(fields);
    return out;
}

/* What a command is about, where its first text field does not say it. */
void describe_summary(const struct command *cmd, char *ret, size_t size)
{
    const struct schema *schema = schema_of_command(cmd->kind);
    const char *name = describe_command_name(cmd->kind);
    if (cmd->kind == CMD_PLAN) {
        const struct cmd_plan *p = &cmd->u.plan;
        (void)snprintf(ret, size, "%s +%u -%u ~%u", name, p->n_tasks, p->n_stops, p->n_services);
    } else if (cmd->kind == CMD_TASK_REPORTS) {
        (void)snprintf(ret, size, "%s %u", name, cmd->u.reports.n);
    } else if (cmd->kind == CMD_DIGEST) {
        (void)snprintf(ret, size, "%s @%" PRIu64, name, cmd->u.digest.revision);
    } else if (schema != NULL && schema->n_fields > 0 && schema->fields[0].type == FIELD_STR) {
        struct str text;
        memcpy(&text, (const char *)&cmd->u + schema->fields[0].offset, sizeof text);
        (void)snprintf(ret, size, "%s %.*s", name, STR_ARG(text));
    } else {
        (void)snprintf(ret, size, "%s", name);
    }
}
