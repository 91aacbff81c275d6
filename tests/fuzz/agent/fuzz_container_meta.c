/* Files of a container that a power cut may have torn, and those an image brings along. */
#include "agent/runtime/meta.h"
#include "agent/runtime/runtime.h"
#include "agent/runtime/user.h"
#include "common/loop/sysmem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was read must be written and read again the same. */
static void check_meta(const struct meta *m, struct arena *arena)
{
    struct meta back;
    char *text = meta_format(m);
    assert(text != NULL);
    assert(meta_parse(str_of(text), arena, &back, NULL) == 0);
    assert(id_eq(back.task, m->task) && strcmp(back.name, m->name) == 0 && back.ip == m->ip &&
           back.n_ports == m->n_ports);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = str_make((const char *)data, size);
    struct arena arena;
    struct meta meta;
    struct shim_state state;
    struct user user;
    arena_init(&arena, sysmem());
    if (meta_parse(text, &arena, &meta, NULL) == 0) {
        assert(container_name_ok(meta.name));
        check_meta(&meta, &arena);
    }
    if (shim_state_parse(text, &state, NULL) == 0) {
        assert(state.pid >= 0 && strlen(state.boot) < sizeof state.boot);
    }
    if (user_lookup(text, text, STR("www:video"), &user, NULL) == 0) {
        assert(user.n_groups <= USER_GROUPS_MAX);
    }
    (void)user_lookup(text, text, str_slice(text, 0, 20), &user, NULL);
    arena_close(&arena);
    return 0;
}
