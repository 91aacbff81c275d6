/* Any text as a configuration file and any words as values: an error or values within bounds. */
#include "common/conf/conf_impl.h"
#include "common/loop/sysmem.h"
#include "common/net/addr.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct values {
    const char *text;
    uint64_t number;
    uint64_t size;
    uint64_t duration;
    bool truth;
    struct conf_list list;
};

static const struct conf_option options[] = {
    {.name = "text", .offset = offsetof(struct values, text), .help = "h"},
    {.name = "number",
     .type = CONF_U64,
     .offset = offsetof(struct values, number),
     .help = "h",
     .min = 5,
     .max = 50},
    {.name = "size", .type = CONF_SIZE, .offset = offsetof(struct values, size), .help = "h"},
    {.name = "duration",
     .type = CONF_DURATION,
     .offset = offsetof(struct values, duration),
     .help = "h"},
    {.name = "truth", .type = CONF_BOOL, .offset = offsetof(struct values, truth), .help = "h"},
    {.name = "list", .type = CONF_LIST, .offset = offsetof(struct values, list), .help = "h"},
};

#define N_OPTIONS (sizeof options / sizeof options[0])

static const struct conf_program program = {
    .name = "p", .summary = "s", .version = "1", .options = options, .n_options = N_OPTIONS};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct str in = str_make((const char *)bytes, n);
    struct conf c = {.program = &program};
    struct conf_raw raw[N_OPTIONS];
    struct err err = {0};
    struct addr addr;
    memset(raw, 0, sizeof raw);
    arena_init(&c.arena, sysmem());
    c.raw = raw;
    if (conf_read_text(&c, "f", in, &err) != 0 && err.text[0] == '\0') {
        abort();
    }
    for (size_t i = 0; i < N_OPTIONS; i++) {
        union conf_value v;
        if (raw[i].n > 0 && conf_convert(&c, &options[i], &raw[i], &v, &err) == 0 &&
            options[i].max != 0 && (v.number < options[i].min || v.number > options[i].max)) {
            abort();
        }
    }
    (void)conf_suggest(in, (const char *const[]){"list", "describe"}, 2);
    if (addr_parse(in, 0, &addr, &err) == 0) {
        char text[ADDR_TEXT_MAX];
        struct addr back;
        if (addr_parse(str_of(addr_text(&addr, text)), 0, &back, &err) != 0 ||
            !addr_eq(&addr, &back)) {
            abort();
        }
    }
    arena_close(&c.arena);
    return 0;
}
