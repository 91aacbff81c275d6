/* What a controller may send: any bytes decode to a message or an error, every specification in it
 * is either refused or safe to run through the core, and what was decoded encodes and decodes to
 * the same again. The first byte chooses the message. */
#include "agent/core/check.h"
#include "agent/core/limits.h"
#include "agent/link/message.h"
#include "common/loop/sysmem.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(int ok)
{
    if (!ok) {
        abort();
    }
}

static void try_spec(struct str bytes, struct arena *arena)
{
    const struct task_spec *spec;
    const struct task_spec *again;
    struct spec_edge edges[LIMIT_EDGES];
    struct buf first;
    struct buf second;
    struct err err;
    if (message_decode_spec(bytes, (struct id){1, 2}, arena, &spec, &err) != 0) {
        expect(err.text[0] != '\0');
        return;
    }
    buf_init(&first, sysmem(), 16u << 20);
    buf_init(&second, sysmem(), 16u << 20);
    expect(message_encode_spec(spec, &first, &err) == 0);
    expect(message_decode_spec(str_make((const char *)first.data, first.len), (struct id){1, 2},
                               arena, &again, &err) == 0);
    expect(message_encode_spec(again, &second, &err) == 0);
    expect(first.len == second.len &&
           (first.len == 0 || memcmp(first.data, second.data, first.len) == 0));
    if (spec_check(spec, &err) == 0) {
        expect(spec_edges(spec, edges) <= LIMIT_EDGES);
    }
    buf_close(&first);
    buf_close(&second);
}

static void try_controller(struct str bytes, struct arena *arena)
{
    struct controller_message m;
    struct err err;
    if (message_decode_controller(bytes, arena, &m, &err) != 0) {
        expect(err.text[0] != '\0');
        return;
    }
    for (uint32_t i = 0; m.assignments != NULL && i < m.assignments->n_tasks; i++) {
        try_spec(m.assignments->tasks[i].spec, arena);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct str bytes;
    if (size == 0 || size > 64u * 1024u) {
        return 0;
    }
    arena_init(&arena, sysmem());
    bytes = str_make((const char *)data + 1, size - 1);
    if (data[0] == 's') {
        try_spec(bytes, &arena);
    } else if (data[0] == 'j') {
        struct join_response r;
        (void)wire_decode(&message_join_response, bytes, &arena, &r, NULL);
    } else if (data[0] == 'a') {
        struct agent_message m;
        (void)message_decode_agent(bytes, &arena, &m, NULL);
    } else {
        try_controller(bytes, &arena);
    }
    expect(arena.used <= (64u << 20));
    arena_close(&arena);
    return 0;
}
