#include "controller/api/message.h"

#include "controller/codec/pbc.h"

/* A work list instead of recursion. */
struct pending {
    struct pending *next;
    const ProtobufCMessage *message;
};

static int check_text(const ProtobufCFieldDescriptor *f, const void *value, struct err *err)
{
    const char *text = *(char *const *)value;
    if (!str_is_utf8(str_of(text))) {
        return err_set(err, ERR_INVALID, "%s is not UTF-8 text", f->name);
    }
    return 0;
}

static int check_enum(const ProtobufCFieldDescriptor *f, const void *value, struct err *err)
{
    int v = *(const int *)value;
    if (protobuf_c_enum_descriptor_get_value(f->descriptor, v) == NULL) {
        return err_set(err, ERR_INVALID, "%s has no value %d", f->name, v);
    }
    return 0;
}

static int check_field(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f,
                       struct pending **head, struct arena *a, struct err *err)
{
    size_t n = pbc_count(m, f);
    int rv = 0;
    for (size_t i = 0; i < n && rv == 0; i++) {
        const void *value = pbc_value(m, f, i);
        if (f->type == PROTOBUF_C_TYPE_STRING) {
            rv = check_text(f, value, err);
        } else if (f->type == PROTOBUF_C_TYPE_ENUM) {
            rv = check_enum(f, value, err);
        } else if (f->type == PROTOBUF_C_TYPE_MESSAGE) {
            struct pending *p = arena_alloc(a, sizeof *p);
            p->message = *(ProtobufCMessage *const *)value;
            p->next = *head;
            *head = p;
        }
    }
    return rv;
}

int message_check(const ProtobufCMessage *m, struct arena *a, struct err *err)
{
    struct pending first = {NULL, m};
    struct pending *head = &first;
    while (head != NULL) {
        const ProtobufCMessage *at = head->message;
        head = head->next;
        for (unsigned i = 0; i < at->descriptor->n_fields; i++) {
            int rv = check_field(at, &at->descriptor->fields[i], &head, a, err);
            if (rv != 0) {
                return rv;
            }
        }
    }
    return 0;
}
