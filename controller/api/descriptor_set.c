#include "controller/api/descriptor_set.h"

#include "controller/codec/pbc.h"
#include "google/protobuf/descriptor.pb-c.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define FILES_MAX   256
#define SYMBOLS_MAX 8192

extern const unsigned char ecs_descriptor_set[];
extern const size_t ecs_descriptor_set_len;

struct symbol {
    const char *name;
    uint32_t file;
    bool service;
};

struct file {
    struct str bytes;
    const char *name;
    uint32_t *imports;
    uint32_t n_imports;
};

struct descriptor_set {
    const struct mem *mem;
    struct arena arena; /* Names and lists. */
    struct file *files;
    uint32_t n_files;
    struct symbol *symbols; /* Sorted by name. */
    uint32_t n_symbols;
    const char **services;
    uint32_t n_services;
};

struct str descriptor_set_builtin(void)
{
    return str_make((const char *)ecs_descriptor_set, ecs_descriptor_set_len);
}

/* --- reading -----------------------------------------------------------------------------------
 */

static bool get_varint(struct str *s, uint64_t *ret)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64 && s->n > 0; shift += 7) {
        uint8_t byte = (uint8_t)s->p[0];
        s->p++;
        s->n--;
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret = v;
            return true;
        }
    }
    return false;
}

/* FileDescriptorSet is { 1: repeated FileDescriptorProto } and nothing else. */
static bool next_file(struct str *rest, struct str *ret)
{
    uint64_t tag;
    uint64_t n;
    if (!get_varint(rest, &tag) || tag != (1 << 3 | 2) || !get_varint(rest, &n) || n > rest->n) {
        return false;
    }
    *ret = str_make(rest->p, (size_t)n);
    *rest = str_slice(*rest, (size_t)n, rest->n);
    return true;
}

static int add_symbol(struct descriptor_set *s, const char *scope, const char *name, bool service,
                      const char **ret, struct err *err)
{
    struct symbol *symbol;
    if (s->n_symbols == SYMBOLS_MAX) {
        return err_set(err, ERR_FULL, "more than %d symbols", SYMBOLS_MAX);
    }
    symbol = &s->symbols[s->n_symbols++];
    symbol->name = scope[0] == '\0' ? arena_strdup(&s->arena, name)
                                    : arena_printf(&s->arena, "%s.%s", scope, name);
    symbol->file = s->n_files;
    symbol->service = service;
    *ret = symbol->name;
    return 0;
}

/* Messages may hold messages: a work list instead of recursion. */
struct pending {
    struct pending *next;
    const Google__Protobuf__DescriptorProto *message;
    const char *scope;
};

static void push_messages(struct arena *a, struct pending **head,
                          Google__Protobuf__DescriptorProto *const *v, size_t n, const char *scope)
{
    for (size_t i = 0; i < n; i++) {
        struct pending *p = arena_alloc(a, sizeof *p);
        p->message = v[i];
        p->scope = scope;
        p->next = *head;
        *head = p;
    }
}

static int add_messages(struct descriptor_set *s, const Google__Protobuf__FileDescriptorProto *f,
                        struct arena *scratch, struct err *err)
{
    struct pending *head = NULL;
    const char *name = NULL;
    const char *package = f->package != NULL ? f->package : "";
    int rv = 0;
    push_messages(scratch, &head, f->message_type, f->n_message_type, package);
    while (head != NULL && rv == 0) {
        const struct pending *p = head;
        const Google__Protobuf__DescriptorProto *m = p->message;
        head = p->next;
        rv = add_symbol(s, p->scope, m->name, false, &name, err);
        if (rv != 0) {
            return rv;
        }
        push_messages(scratch, &head, m->nested_type, m->n_nested_type, name);
        for (size_t i = 0; i < m->n_enum_type && rv == 0; i++) {
            const char *unused;
            rv = add_symbol(s, name, m->enum_type[i]->name, false, &unused, err);
        }
    }
    return rv;
}

static int add_services(struct descriptor_set *s, const Google__Protobuf__FileDescriptorProto *f,
                        struct err *err)
{
    const char *package = f->package != NULL ? f->package : "";
    const char *unused;
    int rv = 0;
    for (size_t i = 0; i < f->n_enum_type && rv == 0; i++) {
        rv = add_symbol(s, package, f->enum_type[i]->name, false, &unused, err);
    }
    for (size_t i = 0; i < f->n_service && rv == 0; i++) {
        const Google__Protobuf__ServiceDescriptorProto *service = f->service[i];
        const char *name = NULL;
        rv = add_symbol(s, package, service->name, true, &name, err);
        for (size_t k = 0; k < service->n_method && rv == 0; k++) {
            rv = add_symbol(s, name, service->method[k]->name, false, &unused, err);
        }
    }
    return rv;
}

static int add_imports(struct descriptor_set *s, const Google__Protobuf__FileDescriptorProto *f,
                       struct file *file, struct err *err)
{
    file->imports = arena_array(&s->arena, f->n_dependency, sizeof *file->imports);
    for (size_t i = 0; i < f->n_dependency; i++) {
        uint32_t import = descriptor_set_find_file(s, str_of(f->dependency[i]));
        if (import == DESCRIPTOR_NONE) { /* protoc writes imports before those who import. */
            return err_set(err, ERR_PARSE, "%s imports %s, which is missing", f->name,
                           f->dependency[i]);
        }
        file->imports[file->n_imports++] = import;
    }
    return 0;
}

static int add_file(struct descriptor_set *s, struct str bytes, struct arena *scratch,
                    struct err *err)
{
    Google__Protobuf__FileDescriptorProto *f;
    ProtobufCMessage *m;
    struct file *file;
    int rv;
    if (s->n_files == FILES_MAX) {
        return err_set(err, ERR_FULL, "more than %d files", FILES_MAX);
    }
    rv = pbc_unpack(&google__protobuf__file_descriptor_proto__descriptor, bytes, scratch, &m, err);
    if (rv != 0) {
        return rv;
    }
    f = (Google__Protobuf__FileDescriptorProto *)m;
    file = &s->files[s->n_files];
    file->bytes = bytes;
    file->name = arena_strdup(&s->arena, f->name != NULL ? f->name : "");
    rv = add_imports(s, f, file, err);
    if (rv == 0) {
        rv = add_messages(s, f, scratch, err);
    }
    if (rv == 0) {
        rv = add_services(s, f, err);
    }
    s->n_files++;
    return rv;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct symbol *)a)->name, ((const struct symbol *)b)->name);
}

static void list_services(struct descriptor_set *s)
{
    s->services = arena_array(&s->arena, s->n_symbols, sizeof *s->services);
    for (uint32_t i = 0; i < s->n_symbols; i++) {
        if (s->symbols[i].service) {
            s->services[s->n_services++] = s->symbols[i].name;
        }
    }
}

int descriptor_set_open(const struct mem *mem, struct str bytes, struct descriptor_set **ret,
                        struct err *err)
{
    struct descriptor_set *s = mem_alloc(mem, sizeof *s);
    struct arena scratch;
    struct str rest = bytes;
    struct str file;
    int rv = 0;
    s->mem = mem;
    arena_init(&s->arena, mem);
    s->files = arena_array(&s->arena, FILES_MAX, sizeof *s->files);
    s->symbols = arena_array(&s->arena, SYMBOLS_MAX, sizeof *s->symbols);
    arena_init(&scratch, mem);
    while (rest.n > 0 && rv == 0) {
        rv = next_file(&rest, &file) ? add_file(s, file, &scratch, err)
                                     : err_set(err, ERR_PARSE, "not a set of descriptors");
        arena_clear(&scratch);
    }
    arena_close(&scratch);
    if (rv != 0) {
        descriptor_set_close(s);
        return rv;
    }
    qsort(s->symbols, s->n_symbols, sizeof *s->symbols, by_name);
    list_services(s);
    *ret = s;
    return 0;
}

void descriptor_set_close(struct descriptor_set *s)
{
    if (s == NULL) {
        return;
    }
    arena_close(&s->arena);
    mem_free(s->mem, s, sizeof *s);
}

/* --- looking up --------------------------------------------------------------------------------
 */

uint32_t descriptor_set_find_file(const struct descriptor_set *s, struct str name)
{
    for (uint32_t i = 0; i < s->n_files; i++) {
        if (str_eqc(name, s->files[i].name)) {
            return i;
        }
    }
    return DESCRIPTOR_NONE;
}

uint32_t descriptor_set_find_symbol(const struct descriptor_set *s, struct str name)
{
    uint32_t low = 0;
    uint32_t high = s->n_symbols;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = str_cmp(str_of(s->symbols[middle].name), name);
        if (order == 0) {
            return s->symbols[middle].file;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return DESCRIPTOR_NONE;
}

struct str descriptor_set_file(const struct descriptor_set *s, uint32_t file)
{
    assert(file < s->n_files);
    return s->files[file].bytes;
}

const uint32_t *descriptor_set_closure(const struct descriptor_set *s, uint32_t file,
                                       struct arena *a, uint32_t *ret_n)
{
    uint32_t *list = arena_array(a, s->n_files, sizeof *list);
    bool *seen = arena_array(a, s->n_files, sizeof *seen);
    uint32_t n = 1;
    assert(file < s->n_files);
    list[0] = file;
    seen[file] = true;
    for (uint32_t i = 0; i < n; i++) {
        const struct file *f = &s->files[list[i]];
        for (uint32_t k = 0; k < f->n_imports; k++) {
            if (!seen[f->imports[k]]) {
                seen[f->imports[k]] = true;
                list[n++] = f->imports[k];
            }
        }
    }
    *ret_n = n;
    return list;
}

uint32_t descriptor_set_n_services(const struct descriptor_set *s)
{
    return s->n_services;
}

const char *descriptor_set_service(const struct descriptor_set *s, uint32_t i)
{
    assert(i < s->n_services);
    return s->services[i];
}
