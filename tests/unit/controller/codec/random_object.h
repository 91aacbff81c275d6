/* tests/unit/controller/codec/random_object.h
 *
 * Objects of the core filled at random by their schema, for round trips. */
#ifndef TESTS_UNIT_CONTROLLER_CODEC_RANDOM_OBJECT_H
#define TESTS_UNIT_CONTROLLER_CODEC_RANDOM_OBJECT_H

#include "common/base/arena.h"
#include "common/base/prng.h"
#include "controller/core/command.h"
#include "controller/core/schema.h"

#include <stdlib.h>
#include <string.h>

/* Many values are zero or small, some are extreme. */
static inline uint64_t random_number(struct prng *p)
{
    switch (prng_below(p, 4)) {
    case 0:
        return 0;
    case 1:
        return prng_below(p, 200);
    case 2:
        return UINT64_MAX;
    default:
        return prng_u64(p);
    }
}

static inline struct str random_text(struct prng *p, struct arena *a)
{
    size_t n = prng_below(p, prng_below(p, 8) == 0 ? 400 : 20);
    char *text = arena_alloc(a, n + 1);
    for (size_t i = 0; i < n; i++) {
        text[i] = (char)('!' + prng_below(p, 90));
    }
    return prng_below(p, 5) == 0 ? str_make(NULL, 0) : str_make(text, n);
}

static inline void random_scalar(uint8_t type, void *to, struct prng *p, struct arena *a)
{
    uint64_t v = random_number(p);
    switch (type) {
    case FIELD_BOOL:
        *(bool *)to = v & 1;
        break;
    case FIELD_STR:
        *(struct str *)to = random_text(p, a);
        break;
    case FIELD_ID:
        *(struct id *)to = prng_below(p, 4) == 0 ? (struct id){0, 0} : (struct id){v, prng_u64(p)};
        break;
    default: /* Integers, little-endian: the low bytes are the value of any width. */
        memcpy(to, &v, schema_scalar_size(type));
    }
}

struct random_work {
    struct random_work *next;
    const struct schema *schema;
    char *object;
};

static inline void random_push(struct random_work **list, const struct schema *schema, void *object,
                               struct arena *a)
{
    struct random_work *w = arena_alloc(a, sizeof *w);
    *w = (struct random_work){*list, schema, object};
    *list = w;
}

/* Everything that is not derived; the object was zeroed. */
static inline void random_object(const struct schema *schema, void *object, struct prng *p,
                                 struct arena *a)
{
    struct random_work *list = NULL;
    random_push(&list, schema, object, a);
    while (list != NULL) {
        struct random_work *w = list;
        list = w->next;
        for (uint32_t i = 0; i < w->schema->n_fields; i++) {
            const struct field *f = &w->schema->fields[i];
            char *at = w->object + f->offset;
            uint32_t n = (uint32_t)prng_below(p, 4);
            if (f->derived) {
                continue;
            }
            if (f->type == FIELD_STRUCT) {
                random_push(&list, f->sub, at, a);
            } else if (f->type == FIELD_ARRAY || f->type == FIELD_SCALARS) {
                size_t size =
                    f->type == FIELD_ARRAY ? f->sub->size : schema_scalar_size(f->element);
                char *v = n == 0 ? NULL : arena_array(a, n, size);
                *(void **)(void *)at = v;
                *(uint32_t *)(void *)(w->object + f->count_offset) = n;
                for (uint32_t j = 0; j < n && f->type == FIELD_ARRAY; j++) {
                    random_push(&list, f->sub, v + j * size, a);
                }
                for (uint32_t j = 0; j < n && f->type == FIELD_SCALARS; j++) {
                    random_scalar(f->element, v + j * size, p, a);
                }
            } else {
                random_scalar(f->type, at, p, a);
            }
        }
    }
}

#endif
