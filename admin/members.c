/* Which members of a JSON file the API does not have. The server ignores them, as Amazon's does, so
 * a slip of the pen would go unnoticed: the tool looks before it sends. */
#include "admin/cli.h"
#include "common/base/str.h"
#include "controller/codec/names.h"
#include "controller/codec/pbc.h"

#include <stdio.h>
#include <string.h>

#define OPEN_MAX       64  /* Objects that wait to be looked at. */
#define PATH_LEN       200 /* Of "containerDefinitions[0].portMappings[2]". */
#define CANDIDATES_MAX 64

struct place {
    const json_t *object;
    const ProtobufCMessageDescriptor *desc;
    char path[PATH_LEN];
};

struct places {
    struct place v[OPEN_MAX];
    size_t n;
};

/* What would not fit is not looked at: the server has the last word. */
static void push(struct places *p, const json_t *value, const ProtobufCMessageDescriptor *desc,
                 const char *path)
{
    if (json_is_object(value) && p->n < OPEN_MAX) {
        struct place *next = &p->v[p->n++];
        next->object = value;
        next->desc = desc;
        (void)snprintf(next->path, sizeof next->path, "%s", path);
    }
}

static void enter(struct places *p, const struct place *at, const char *name,
                  const ProtobufCFieldDescriptor *f, const json_t *value)
{
    const ProtobufCMessageDescriptor *desc = f->descriptor;
    char path[PATH_LEN];
    const char *dot = at->path[0] == '\0' ? "" : ".";
    if (f->type != PROTOBUF_C_TYPE_MESSAGE || pbc_is_map(f, at->desc)) {
        return;
    }
    if (!json_is_array(value)) {
        (void)snprintf(path, sizeof path, "%.90s%s%.90s", at->path, dot, name);
        push(p, value, desc, path);
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        (void)snprintf(path, sizeof path, "%.90s%s%.80s[%zu]", at->path, dot, name, i);
        push(p, json_array_get(value, i), desc, path);
    }
}

static const char *suggest(const ProtobufCMessageDescriptor *desc, const char *name,
                           char ret[NAME_MAX_LEN])
{
    char names[CANDIDATES_MAX][NAME_MAX_LEN];
    const char *candidates[CANDIDATES_MAX];
    size_t n = 0;
    const char *near;
    for (; n < desc->n_fields && n < CANDIDATES_MAX; n++) {
        name_json(desc->fields[n].name, names[n]);
        candidates[n] = names[n];
    }
    near = conf_suggest(str_of(name), candidates, n);
    if (near != NULL) {
        (void)snprintf(ret, NAME_MAX_LEN, "%s", near);
    }
    return near == NULL ? NULL : ret;
}

/* Tells of a member without a field; whether it must be a slip. */
static bool complain_member(const char *file, const struct place *at, const char *name)
{
    char near[NAME_MAX_LEN];
    const char *inside = at->path[0] == '\0' ? "" : " in ";
    bool slip = suggest(at->desc, name, near) != NULL;
    if (slip) {
        complain("%s: '%s'%s%s is not known; did you mean '%s'?", file, name, inside, at->path,
                 near);
    } else {
        complain("%s: '%s'%s%s is not known and will be ignored", file, name, inside, at->path);
    }
    return slip;
}

bool members_known(const char *file, const json_t *in, const ProtobufCMessageDescriptor *desc)
{
    struct places places = {.n = 0};
    bool good = true;
    push(&places, in, desc, "");
    while (places.n > 0) {
        struct place at = places.v[--places.n];
        json_t *object = (json_t *)(uintptr_t)at.object; /* Not changed. */
        const char *name;
        json_t *value;
        json_object_foreach(object, name, value)
        {
            const ProtobufCFieldDescriptor *f = name_field(at.desc, str_of(name));
            if (f != NULL) {
                enter(&places, &at, name, f, value);
            } else if (complain_member(file, &at, name)) {
                good = false;
            }
        }
    }
    return good;
}
