#include "controller/codec/names.h"

#include <string.h>

static const struct {
    const char *field;
    const char *json;
} odd_fields[] = {
    {"bind_ip", "bindIP"},
    {"enable_ecs_managed_tags", "enableECSManagedTags"},
    {"managed_ebs_volume", "managedEBSVolume"},
    {"total_local_storage_gb", "totalLocalStorageGB"},
};

static const struct {
    const char *type;
    const char *value;
    const char *json;
} odd_values[] = {
    {"ecs.v1.CpuManufacturer.Value", "amazon_web_services", "amazon-web-services"},
    {"ecs.v1.AcceleratorManufacturer.Value", "amazon_web_services", "amazon-web-services"},
    {"ecs.v1.AcceleratorName.Value", "radeon_pro_v520", "radeon-pro-v520"},
    {"ecs.v1.LogDriver.Value", "json_file", "json-file"},
    {"ecs.v1.TargetType.Value", "container_instance", "container-instance"},
};

#define N_ODD_FIELDS (sizeof odd_fields / sizeof odd_fields[0])
#define N_ODD_VALUES (sizeof odd_values / sizeof odd_values[0])

void name_json(const char *field, char ret[NAME_MAX_LEN])
{
    size_t n = 0;
    for (size_t i = 0; i < N_ODD_FIELDS; i++) {
        if (strcmp(odd_fields[i].field, field) == 0) {
            (void)str_copy(ret, NAME_MAX_LEN, str_of(odd_fields[i].json));
            return;
        }
    }
    for (const char *p = field; *p != '\0' && n < NAME_MAX_LEN - 1; p++) {
        if (*p == '_' && p[1] >= 'a' && p[1] <= 'z') {
            p++;
            ret[n++] = (char)(*p - 'a' + 'A');
        } else if (*p != '_') {
            ret[n++] = *p;
        }
    }
    ret[n] = '\0';
}

/* Undo name_json() by rule; false when the name cannot come from it. */
static bool snake(struct str json, char ret[NAME_MAX_LEN])
{
    size_t n = 0;
    for (size_t i = 0; i < json.n; i++) {
        char c = json.p[i];
        if (n + 3 > NAME_MAX_LEN || c == '\0') {
            return false;
        }
        if (c >= 'A' && c <= 'Z') {
            ret[n++] = '_';
            c = (char)(c - 'A' + 'a');
        }
        ret[n++] = c;
    }
    ret[n] = '\0';
    return true;
}

const ProtobufCFieldDescriptor *name_field(const ProtobufCMessageDescriptor *desc, struct str json)
{
    const ProtobufCFieldDescriptor *f;
    char name[NAME_MAX_LEN];
    for (size_t i = 0; i < N_ODD_FIELDS; i++) {
        if (str_eqc(json, odd_fields[i].json)) {
            return protobuf_c_message_descriptor_get_field_by_name(desc, odd_fields[i].field);
        }
    }
    if (!snake(json, name)) {
        return NULL;
    }
    f = protobuf_c_message_descriptor_get_field_by_name(desc, name);
    if (f == NULL) {
        return NULL;
    }
    /* "bindIp" and "bind_ip" also come out as bind_ip, but are not its name. */
    name_json(f->name, name);
    return str_eqc(json, name) ? f : NULL;
}

const char *name_enum(const ProtobufCEnumDescriptor *desc, int value)
{
    const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(desc, value);
    if (v == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < N_ODD_VALUES; i++) {
        if (strcmp(odd_values[i].type, desc->name) == 0 &&
            strcmp(odd_values[i].value, v->name) == 0) {
            return odd_values[i].json;
        }
    }
    return v->name;
}

const ProtobufCEnumValue *name_enum_value(const ProtobufCEnumDescriptor *desc, struct str text)
{
    for (unsigned i = 0; i < desc->n_values; i++) {
        if (str_eqc(text, name_enum(desc, desc->values[i].value))) {
            return &desc->values[i];
        }
    }
    return NULL;
}
