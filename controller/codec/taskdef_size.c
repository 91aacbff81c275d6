#include "controller/codec/taskdef_int.h"

#include <string.h>

#define CPU_MIN 128
#define CPU_MAX 196608

static bool same_word(struct str s, const char *lower)
{
    if (s.n != strlen(lower)) {
        return false;
    }
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c >= 'A' && c <= 'Z') {
            c = (char)(c - 'A' + 'a');
        }
        if (c != lower[i]) {
            return false;
        }
    }
    return true;
}

static struct str trim(struct str s)
{
    while (s.n > 0 && s.p[0] == ' ') {
        s = str_slice(s, 1, s.n);
    }
    while (s.n > 0 && s.p[s.n - 1] == ' ') {
        s.n--;
    }
    return s;
}

/* "1.5" in units of 1024, without floating point: at most three digits after the point. */
static bool parse_thousands(struct str s, uint64_t *ret)
{
    size_t point = str_find(s, '.', 0);
    struct str whole = str_slice(s, 0, point);
    struct str part = str_slice(s, point + 1, s.n);
    uint64_t w = 0;
    uint64_t p = 0;
    uint64_t scale = 1;
    if ((whole.n == 0 && part.n == 0) || part.n > 3 || whole.n > 9 ||
        (whole.n > 0 && !str_u64(whole, &w)) || (part.n > 0 && !str_u64(part, &p))) {
        return false;
    }
    for (size_t i = 0; i < part.n; i++) {
        scale *= 10;
    }
    *ret = w * 1024 + p * 1024 / scale;
    return true;
}

/* "256" plain, or a number and the unit that stands for 1024 of them. */
static bool parse_size(struct str text, const char *unit, uint64_t *ret)
{
    size_t n = 0;
    struct str number;
    struct str word;
    text = trim(text);
    while (n < text.n && ((text.p[n] >= '0' && text.p[n] <= '9') || text.p[n] == '.')) {
        n++;
    }
    number = str_slice(text, 0, n);
    word = trim(str_slice(text, n, text.n));
    if (word.n == 0) {
        return number.n <= 9 && str_u64(number, ret);
    }
    return same_word(word, unit) && parse_thousands(number, ret);
}

int taskdef_parse_cpu(struct str text, uint32_t *ret, struct err *err)
{
    uint64_t v;
    if (!parse_size(text, "vcpu", &v) || v < CPU_MIN || v > CPU_MAX) {
        return err_set(err, ERR_INVALID,
                       "Invalid 'cpu' setting for task: '%.*s'. Give CPU units from %d to %d, or "
                       "vCPUs as in '0.5 vCPU'.",
                       text.n > 40 ? 40 : (int)text.n, text.p, CPU_MIN, CPU_MAX);
    }
    *ret = (uint32_t)v;
    return 0;
}

int taskdef_parse_memory(struct str text, uint32_t *ret, struct err *err)
{
    uint64_t v;
    if (!parse_size(text, "gb", &v) || v < CONTAINER_MEMORY_MIN || v > UINT32_MAX) {
        return err_set(err, ERR_INVALID,
                       "Invalid 'memory' setting for task: '%.*s'. Give MiB, at least %d, or GB as "
                       "in '0.5 GB'.",
                       text.n > 40 ? 40 : (int)text.n, text.p, CONTAINER_MEMORY_MIN);
    }
    *ret = (uint32_t)v;
    return 0;
}

bool taskdef_is_fargate_size(uint32_t cpu, uint32_t memory)
{
    static const struct {
        uint32_t cpu;
        uint32_t min;
        uint32_t max;
        uint32_t step;
    } sizes[] = {
        {512, 1024, 4096, 1024},      {1024, 2048, 8192, 1024},   {2048, 4096, 16384, 1024},
        {4096, 8192, 30720, 1024},    {8192, 16384, 61440, 4096}, {16384, 32768, 122880, 8192},
        {32768, 61440, 249856, 4096},
    };
    if (cpu == 256) {
        return memory == 512 || memory == 1024 || memory == 2048;
    }
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        if (sizes[i].cpu == cpu) {
            return memory >= sizes[i].min && memory <= sizes[i].max &&
                   (memory - sizes[i].min) % sizes[i].step == 0;
        }
    }
    return false;
}
