/* The cluster query language: no text crashes the parser or takes long, and whatever parses prints
 * to a text that parses to the same answer and prints to itself. The part of the input after the
 * first newline becomes the values of the node. */
#include "common/base/buf.h"
#include "controller/core/placement/query.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void *resize(void *ctx, void *ptr, size_t old_size, size_t new_size)
{
    (void)ctx;
    (void)old_size;
    if (new_size == 0) {
        free(ptr);
        return NULL;
    }
    ptr = realloc(ptr, new_size);
    if (ptr == NULL) {
        abort();
    }
    return ptr;
}

static const struct mem mem = {resize, NULL};

static bool get_attribute(const void *ctx, struct str name, struct str *ret_value)
{
    *ret_value = *(const struct str *)ctx;
    return name.n % 2 == 0;
}

static bool get_group(const void *ctx, uint32_t i, struct str *ret_group)
{
    struct str value = *(const struct str *)ctx;
    *ret_group = str_slice(value, i, value.n);
    return i < 3;
}

static struct query_node make_node(const struct str *value)
{
    return (struct query_node){
        .ctx = value,
        .attribute = get_attribute,
        .group = get_group,
        .agent_version = str_slice(*value, 0, 8),
        .ec2_instance_id = str_slice(*value, 4, 24),
        .registered_at_ms = UINT64_C(1529360908000) + value->n,
        .n_running_tasks = (uint32_t)value->n,
        .agent_connected = value->n % 2 == 1,
    };
}

/* Parse what was printed; it must print and answer as before. */
static void check_again(const struct query *q, const struct query_node *node)
{
    struct buf first, second;
    struct query *again;
    buf_init(&first, &mem, 16 * QUERY_TEXT_MAX);
    buf_init(&second, &mem, 16 * QUERY_TEXT_MAX);
    query_print(q, &first);
    /* Quotes and blanks may make it longer than an expression may be. */
    if (first.len <= QUERY_TEXT_MAX) {
        struct err err = {0};
        int rv = query_parse(&mem, str_make((const char *)first.data, first.len), &again, &err);
        if (rv == 0) {
            query_print(again, &second);
            if (first.len != second.len || memcmp(first.data, second.data, first.len) != 0 ||
                query_match(q, node) != query_match(again, node)) {
                abort();
            }
            query_close(again);
        } else if (rv != ERR_TOOBIG) { /* Parentheses are added around what stands after "not". */
            abort();
        }
    }
    buf_close(&first);
    buf_close(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str value;
    struct query *q;
    struct str text = str_cut(str_make((const char *)data, size), '\n', &value);
    value = str_slice(value, 0, 1000);
    struct query_node node = make_node(&value);
    if (query_parse(&mem, text, &q, NULL) == 0) {
        (void)query_match(q, &node);
        check_again(q, &node);
        query_close(q);
    }
    return 0;
}
