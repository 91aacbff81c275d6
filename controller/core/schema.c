/* One walker serves copying, freeing, hashing and comparing: it visits every field of a struct and
 * of the structs inside it, arrays element by element, with a stack instead of recursion. */
#include "controller/core/schema.h"

#include "common/base/hash.h"
#include "controller/core/schema_tables.h"

#include <assert.h>
#include <string.h>

const struct schema *schema_of_kind(enum kind kind)
{
    return (unsigned)kind < KIND_N ? schema_kinds[kind] : NULL;
}

const struct schema *schema_of_command(uint8_t kind)
{
    return kind < CMD_N ? schema_commands[kind] : NULL;
}

size_t schema_scalar_size(uint8_t type)
{
    static const uint8_t sizes[] = {
        [FIELD_BOOL] = sizeof(bool),    [FIELD_U8] = sizeof(uint8_t),
        [FIELD_U16] = sizeof(uint16_t), [FIELD_U32] = sizeof(uint32_t),
        [FIELD_U64] = sizeof(uint64_t), [FIELD_I32] = sizeof(int32_t),
        [FIELD_I64] = sizeof(int64_t),  [FIELD_STR] = sizeof(struct str),
        [FIELD_ID] = sizeof(struct id),
    };
    assert(type < sizeof sizes);
    return sizes[type];
}

/* --- the walker ----------------------------------------------------------------------------------
 */

struct frame {
    const struct schema *schema;
    const struct field *array; /* The array whose elements these are, or NULL. */
    char *a;                   /* The struct looked at, */
    char *b;                   /* and its counterpart in the second object, if there is one. */
    uint32_t at;               /* Next field. */
    uint32_t left;             /* Elements after this one. */
};

struct walk {
    uint32_t depth;
    const struct field *enter; /* Go into this one next. */
    struct frame frames[SCHEMA_DEPTH_MAX];
};

struct visit {
    const struct field *field;
    char *a; /* The struct that has the field. */
    char *b;
    bool leave; /* All elements of the array were visited. */
};

static void *load_pointer(const char *object, size_t offset)
{
    void *p;
    memcpy(&p, object + offset, sizeof p);
    return p;
}

static void store_pointer(char *object, size_t offset, const void *p)
{
    memcpy(object + offset, &p, sizeof p);
}

static uint32_t load_count(const char *object, const struct field *f)
{
    uint32_t n;
    memcpy(&n, object + f->count_offset, sizeof n);
    return n;
}

static void store_count(char *object, const struct field *f, uint32_t n)
{
    memcpy(object + f->count_offset, &n, sizeof n);
}

static struct str load_str(const char *object, const struct field *f)
{
    struct str s;
    memcpy(&s, object + f->offset, sizeof s);
    return s;
}

static void walk_push(struct walk *w, const struct schema *schema, const struct field *array,
                      char *a, char *b, uint32_t left)
{
    assert(w->depth < SCHEMA_DEPTH_MAX);
    w->frames[w->depth] = (struct frame){schema, array, a, b, 0, left};
    w->depth++;
}

static void walk_start(struct walk *w, const struct schema *schema, const void *a, const void *b)
{
    w->depth = 0;
    w->enter = NULL;
    walk_push(w, schema, NULL, (char *)(uintptr_t)a, (char *)(uintptr_t)b, 0);
}

static void walk_enter(struct walk *w, const struct field *f)
{
    const struct frame *top = &w->frames[w->depth - 1];
    w->enter = NULL;
    if (f->type == FIELD_STRUCT) {
        walk_push(w, f->sub, NULL, top->a + f->offset, top->b == NULL ? NULL : top->b + f->offset,
                  0);
    } else if (load_count(top->a, f) > 0) {
        walk_push(w, f->sub, f, load_pointer(top->a, f->offset),
                  top->b == NULL ? NULL : load_pointer(top->b, f->offset),
                  load_count(top->a, f) - 1);
    }
}

/* The next field; arrays are announced before their elements and, when these are done, once more
 * with leave set. False at the end. */
static bool walk_next(struct walk *w, struct visit *v)
{
    if (w->enter != NULL) {
        walk_enter(w, w->enter);
    }
    while (w->depth > 0) {
        struct frame *top = &w->frames[w->depth - 1];
        if (top->at < top->schema->n_fields) {
            *v = (struct visit){&top->schema->fields[top->at], top->a, top->b, false};
            top->at++;
            if (v->field->type == FIELD_STRUCT || v->field->type == FIELD_ARRAY) {
                w->enter = v->field;
            }
            return true;
        }
        if (top->left > 0) {
            top->left--;
            top->at = 0;
            top->a += top->schema->size;
            top->b = top->b == NULL ? NULL : top->b + top->schema->size;
            continue;
        }
        w->depth--;
        if (top->array != NULL) {
            const struct frame *owner = &w->frames[w->depth - 1];
            *v = (struct visit){top->array, owner->a, owner->b, true};
            return true;
        }
    }
    return false;
}

/* Do not look inside what was just announced. */
static void walk_skip(struct walk *w)
{
    w->enter = NULL;
}

/* --- copy and free -------------------------------------------------------------------------------
 */

static void *duplicate(const void *from, size_t n, const struct mem *mem, struct arena *arena)
{
    void *to = arena != NULL ? arena_alloc(arena, n) : mem_alloc(mem, n);
    memcpy(to, from, n);
    return to;
}

static size_t element_size(const struct field *f)
{
    return f->type == FIELD_ARRAY ? f->sub->size : schema_scalar_size(f->element);
}

static void copy(const struct schema *schema, void *to, const void *from, const struct mem *mem,
                 struct arena *arena)
{
    struct walk w;
    struct visit v;
    memcpy(to, from, schema->size);
    /* The copy starts out sharing everything; each pointer is replaced before the walk follows it.
     */
    walk_start(&w, schema, to, NULL);
    while (walk_next(&w, &v)) {
        const struct field *f = v.field;
        if (v.leave) {
            continue;
        }
        if (f->type == FIELD_STR) {
            struct str s = load_str(v.a, f);
            if (s.p != NULL) {
                s.p = arena != NULL ? arena_dup(arena, s.p, s.n) : mem_dup(mem, s.p, s.n);
                memcpy(v.a + f->offset, &s, sizeof s);
            }
        } else if (f->type == FIELD_ARRAY || f->type == FIELD_SCALARS) {
            uint32_t n = load_count(v.a, f);
            const void *p = load_pointer(v.a, f->offset);
            store_pointer(v.a, f->offset,
                          n == 0 ? NULL : duplicate(p, n * element_size(f), mem, arena));
        }
    }
}

void schema_copy(const struct schema *schema, void *to, const void *from, const struct mem *mem)
{
    copy(schema, to, from, mem, NULL);
}

void schema_copy_arena(const struct schema *schema, void *to, const void *from, struct arena *a)
{
    copy(schema, to, from, NULL, a);
}

void schema_free(const struct schema *schema, void *object, const struct mem *mem)
{
    struct walk w;
    struct visit v;
    walk_start(&w, schema, object, NULL);
    while (walk_next(&w, &v)) {
        const struct field *f = v.field;
        if (f->type == FIELD_STR) {
            static const struct str none = {NULL, 0};
            struct str s = load_str(v.a, f);
            mem_free(mem, (char *)(uintptr_t)s.p, s.n + 1);
            memcpy(v.a + f->offset, &none, sizeof none);
        } else if (f->type == FIELD_SCALARS || (f->type == FIELD_ARRAY && v.leave)) {
            mem_free(mem, load_pointer(v.a, f->offset), load_count(v.a, f) * element_size(f));
            store_pointer(v.a, f->offset, NULL);
            store_count(v.a, f, 0);
        }
    }
}

/* --- hash and compare ----------------------------------------------------------------------------
 */

/* The value as a number that is the same on every machine. */
static uint64_t load_scalar(uint8_t type, const char *p)
{
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    switch (schema_scalar_size(type)) {
    case 1:
        return *(const uint8_t *)p;
    case 2:
        memcpy(&u16, p, sizeof u16);
        return u16;
    case 4:
        memcpy(&u32, p, sizeof u32);
        return u32;
    default:
        memcpy(&u64, p, sizeof u64);
        return u64;
    }
}

static uint64_t hash_scalar(uint64_t hash, uint8_t type, const char *p)
{
    if (type == FIELD_ID) {
        struct id id;
        memcpy(&id, p, sizeof id);
        return hash_mix(hash_mix(hash, id.hi), id.lo);
    }
    return hash_mix(hash, load_scalar(type, p));
}

static uint64_t hash_scalars(uint64_t hash, const struct field *f, const char *object)
{
    uint32_t n = load_count(object, f);
    const char *p = load_pointer(object, f->offset);
    size_t size = schema_scalar_size(f->element);
    hash = hash_mix(hash, n);
    for (uint32_t i = 0; i < n; i++) {
        hash = hash_scalar(hash, f->element, p + i * size);
    }
    return hash;
}

uint64_t schema_hash(const struct schema *schema, const void *object, uint64_t seed)
{
    struct walk w;
    struct visit v;
    uint64_t hash = seed;
    walk_start(&w, schema, object, NULL);
    while (walk_next(&w, &v)) {
        const struct field *f = v.field;
        if (f->derived) {
            walk_skip(&w);
            continue;
        }
        switch ((enum field_type)f->type) {
        case FIELD_BOOL:
        case FIELD_U8:
        case FIELD_U16:
        case FIELD_U32:
        case FIELD_U64:
        case FIELD_I32:
        case FIELD_I64:
        case FIELD_ID:
            if (!f->late || load_scalar(f->type, v.a + f->offset) != 0) {
                hash = hash_scalar(hash, f->type, v.a + f->offset);
            }
            break;
        case FIELD_STR: {
            struct str s = load_str(v.a, f);
            hash = s.n == 0 ? hash_mix(hash, 0) : hash_bytes(s.p, s.n, hash);
            break;
        }
        case FIELD_ARRAY:
            hash = v.leave || (f->late && load_count(v.a, f) == 0)
                       ? hash
                       : hash_mix(hash, load_count(v.a, f));
            break;
        case FIELD_SCALARS:
            hash = hash_scalars(hash, f, v.a);
            break;
        case FIELD_STRUCT:
            break;
        }
    }
    return hash;
}

static bool equal_scalars(const struct field *f, const char *a, const char *b)
{
    uint32_t n = load_count(a, f);
    return n == load_count(b, f) &&
           (n == 0 || memcmp(load_pointer(a, f->offset), load_pointer(b, f->offset),
                             n * schema_scalar_size(f->element)) == 0);
}

static bool equal_field(const struct field *f, const char *a, const char *b)
{
    struct str x;
    struct str y;
    switch ((enum field_type)f->type) {
    case FIELD_BOOL:
    case FIELD_U8:
    case FIELD_U16:
    case FIELD_U32:
    case FIELD_U64:
    case FIELD_I32:
    case FIELD_I64:
    case FIELD_ID:
        return memcmp(a + f->offset, b + f->offset, schema_scalar_size(f->type)) == 0;
    case FIELD_STR:
        x = load_str(a, f);
        y = load_str(b, f);
        return (x.p == NULL) == (y.p == NULL) && str_eq(x, y);
    case FIELD_ARRAY:
        return load_count(a, f) == load_count(b, f);
    case FIELD_SCALARS:
        return equal_scalars(f, a, b);
    case FIELD_STRUCT:
        return true;
    }
    return true;
}

bool schema_equal(const struct schema *schema, const void *a, const void *b)
{
    struct walk w;
    struct visit v;
    walk_start(&w, schema, a, b);
    while (walk_next(&w, &v)) {
        if (v.field->derived) {
            walk_skip(&w);
        } else if (!equal_field(v.field, v.a, v.b)) {
            return false;
        }
    }
    return true;
}
